// XEP-0004: Data Forms, with XEP-0122 (validation), XEP-0141 (layout) and the flags of XEP-0336 (dynamic forms)
// Source: https://xmpp.org/extensions/xep-0004.html, xep-0122.html, xep-0141.html, xep-0336.html
// Version: XEP-0004 2.13.1 (2022-07-25), XEP-0122 1.0.2 (2018-03-21), XEP-0141 1.0 (2005-05-12), XEP-0336 0.2 (2015-11-09)
import { GatewayError } from "../core/errors.js";
import { type Element, xml } from "../xmpp/xml.js";

export const NS_DATA = "jabber:x:data";
export const NS_VALIDATE = "http://jabber.org/protocol/xdata-validate";
export const NS_LAYOUT = "http://jabber.org/protocol/xdata-layout";
export const NS_DYNAMIC = "urn:xmpp:xdata:dynamic";

/** XEP-0004 §3.3. */
export type FieldType =
	| "boolean" | "fixed" | "hidden" | "jid-multi" | "jid-single" | "list-multi" | "list-single" | "text-multi" | "text-private" | "text-single";

/** XEP-0122: what a value must look like. Bounds are in the lexical form of the datatype. */
export interface Validation {
	readonly datatype: string;
	/** Inclusive; not for strings. */
	readonly min?: string;
	readonly max?: string;
}

/** One field of a form that the gateway shows. */
export interface FormField {
	readonly var?: string;
	readonly type: FieldType;
	readonly label?: string;
	readonly desc?: string;
	readonly required?: boolean;
	readonly values?: readonly string[];
	readonly options?: readonly { readonly value: string; readonly label?: string }[];
	readonly validate?: Validation;
	/** XEP-0336: the value is only an example of what it is now; who does not touch it does not submit it. */
	readonly notSame?: boolean;
	readonly readOnly?: boolean;
	/** Why the last submission of it was not taken. */
	readonly error?: string;
	/** Application elements inside. */
	readonly more?: readonly Element[];
}

/** A form to fill in, or the result of one. */
export interface Form {
	readonly type: "form" | "result";
	readonly title?: string;
	readonly instructions?: string;
	/** XEP-0068: what the field names mean. */
	readonly formType?: string;
	/** XEP-0141: the fields in their order, under one heading each. */
	readonly pages?: readonly { readonly label: string; readonly fields: readonly string[] }[];
	readonly fields: readonly FormField[];
}

/** `<x xmlns='jabber:x:data'/>`. */
export function buildForm({ type, title, instructions, formType, pages = [], fields }: Form): Element {
	return xml("x", { xmlns: NS_DATA, type },
		title === undefined ? undefined : xml("title", {}, title),
		instructions === undefined ? undefined : xml("instructions", {}, instructions),
		...pages.map(({ label, fields: vars }) => xml("page", { xmlns: NS_LAYOUT, label }, ...vars.map((name) => xml("fieldref", { var: name })))),
		formType === undefined ? undefined : xml("field", { var: "FORM_TYPE", type: "hidden" }, xml("value", {}, formType)),
		...fields.map(buildField));
}

function buildField(field: FormField): Element {
	const { type, label, desc, required = false, values = [], options = [], validate, notSame = false, readOnly = false, error, more = [] } = field;
	return xml("field", { var: field.var, type, label },
		desc === undefined ? undefined : xml("desc", {}, desc),
		required ? xml("required") : undefined,
		...values.map((value) => xml("value", {}, value)),
		...options.map((option) => xml("option", { label: option.label }, xml("value", {}, option.value))),
		validate && xml("validate", { xmlns: NS_VALIDATE, datatype: validate.datatype },
			validate.min === undefined && validate.max === undefined ? xml("basic") : xml("range", { min: validate.min, max: validate.max })),
		readOnly ? xml("readOnly", { xmlns: NS_DYNAMIC }) : undefined,
		notSame ? xml("notSame", { xmlns: NS_DYNAMIC }) : undefined,
		error === undefined ? undefined : xml("error", { xmlns: NS_DYNAMIC }, error),
		...more);
}

/** What somebody filled in: values by `var`, in the order of the form. */
export interface Submission {
	/** `cancel`: he wants no more of it. */
	readonly type: "submit" | "cancel";
	readonly values: ReadonlyMap<string, readonly string[]>;
}

/** No form of ours has as many fields, and no field as many values. */
const MAX_FIELDS = 500;
const MAX_VALUES = 500;

/**
 * A form that came back. A field without a value counts as not submitted (XEP-0004: it keeps what it has).
 *
 * @throws {GatewayError} `bad-request` for another type of form, a field without or with a repeated `var`, or too many of anything.
 */
export function parseSubmission(x: Element): Submission {
	const { type } = x.attrs;
	if (type !== "submit" && type !== "cancel") throw new GatewayError("bad-request", `Cannot use a form of type "${type ?? ""}": it takes submit or cancel`);
	const fields = x.elements().filter(({ name, xmlns }) => name === "field" && xmlns === NS_DATA);
	if (fields.length > MAX_FIELDS) throw new GatewayError("bad-request", `Cannot read a form of ${fields.length} fields: at most ${MAX_FIELDS}`);
	const values = new Map<string, readonly string[]>();
	for (const field of fields) {
		const name = field.attrs["var"];
		if (field.attrs["type"] === "fixed") continue; // §3.3: a heading, which need not have a name
		if (name === undefined) throw new GatewayError("bad-request", "Cannot read a form: it has a field without a var");
		if (values.has(name)) throw new GatewayError("bad-request", `Cannot read a form: it has "${name.slice(0, 64)}" twice`);
		const found = field.elements().filter((child) => child.name === "value" && child.xmlns === NS_DATA);
		if (found.length > MAX_VALUES) throw new GatewayError("bad-request", `Cannot read "${name.slice(0, 64)}": it has ${found.length} values, at most ${MAX_VALUES}`);
		if (found.length > 0) values.set(name, found.map((value) => value.text()));
	}
	return { type, values };
}

/** The one value of a field; nothing when it was not submitted. @throws {GatewayError} `bad-request` when there are several. */
export function singleValue({ values }: Submission, name: string): string | undefined {
	const found = values.get(name);
	if (found && found.length > 1) throw new GatewayError("bad-request", `Cannot use ${found.length} values for "${name.slice(0, 64)}": it takes one`);
	return found?.[0];
}

/** xs:boolean (XEP-0004 §3.3); nothing for anything else. */
export function booleanFrom(text: string): boolean | undefined {
	switch (text.trim()) {
		case "true": case "1": return true;
		case "false": case "0": return false;
		default: return undefined;
	}
}
