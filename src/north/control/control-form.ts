// XEP-0325: a device's control form, the same in both vocabularies
import { type Point, takes } from "../../core/point.js";
import type { Twin } from "../../core/twin.js";
import { numericFromNumber, textOf, type Value } from "../../core/value.js";
import type { Element } from "../../xmpp/xml.js";
import { buildForm, type FormField, type Validation } from "../forms.js";

/**
 * What may be set, with the values of now. Bare in the iq result, whatever XEP-0004 says: every client expects it so.
 *
 * @param names The points that the asker may set, in their order.
 * @param session Tells this instance of the form from others.
 */
export function controlForm(twin: Twin, names: readonly string[], session: string): Element {
	const { name: title, points } = twin.device;
	return buildForm({
		type: "form",
		title,
		pages: [{ label: title, fields: names }],
		fields: [
			{ var: "xdd session", type: "hidden", values: [session] },
			...names.map((name) => fieldOf(name, points[name]!, twin.readings.get(name)?.value)),
		],
	});
}

function fieldOf(name: string, point: Point, value: Value | undefined): FormField {
	const unit = point.kind === "numeric" && point.unit !== undefined ? ` (${point.unit})` : "";
	return {
		var: name,
		type: point.kind === "boolean" ? "boolean" : point.kind === "enum" ? "list-single" : "text-single",
		label: `${point.label ?? name}${unit}`,
		desc: takes(point),
		...(value !== undefined && { values: [textOf(value)] }),
		...(point.kind === "enum" && { options: point.labels.map((label) => ({ value: label, label })) }),
		validate: validationOf(point),
		notSame: true,
	};
}

function validationOf(point: Point): Validation {
	const [min, max] = point.kind === "numeric" ? [plain(point.min), plain(point.max)] : [];
	return { datatype: datatypeOf(point), ...(min !== undefined && { min }), ...(max !== undefined && { max }) };
}

function plain(bound: number | undefined): string | undefined {
	return bound === undefined ? undefined : numericFromNumber(bound)?.text;
}

/** What XEP-0122 says a value of this point must look like. */
function datatypeOf(point: Point): string {
	switch (point.kind) {
		case "numeric": {
			if (!point.integer) return "xs:double";
			const isInt = point.min !== undefined && point.max !== undefined && point.min >= -(2 ** 31) && point.max < 2 ** 31;
			return isInt ? "xs:int" : "xs:long";
		}
		case "boolean": return "xs:boolean";
		case "enum": case "text": return "xs:string";
	}
}
