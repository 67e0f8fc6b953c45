import type { Announcement } from "../../core/device.js";
import type { Millis } from "../../core/clock.js";
import { messageOf } from "../../core/errors.js";
import type { Point } from "../../core/point.js";
import { unitFrom } from "../../core/unit.js";
import { isNumeric, type Value } from "../../core/value.js";
import { fieldsOf, keyValues, numericFromField, truthFromField } from "../codec/text-fields.js";
import { isObject, parseJson, scalars } from "../json.js";
import type { Line } from "../link.js";
import type { Meaning, Misfit, Told } from "../meaning.js";

/** A board with more values in its lines than this should have a definition; one with endless new names is noise. */
const MAX_POINTS = 64;
const POINT_NAME = /^[^\u0000-\u0020"'<>&=][^\u0000-\u001f"'<>&=]{0,63}$/;

/**
 * The device of a line of text for which there is no definition: its points are what its lines say.
 *
 * JSON objects give a point for each scalar, `key=value` and `key: value` lines one for each key, and lines of numbers
 * alone `field1`, `field2` … What a point once was it stays: a word in the place of a number is a misfit.
 * The mirror is missing: nothing is known of what such a device understands.
 */
export class GenericLines {
	readonly address: string;
	readonly #json: boolean;
	readonly #every: Millis | undefined;
	readonly #points = new Map<string, Point>();

	constructor(address: string, json: boolean, every?: Millis) {
		this.address = address;
		this.#json = json;
		this.#every = every;
	}

	decode({ text }: Line): Meaning {
		const misfit = (reason: string): Misfit => ({ where: this.address, reason, sample: text });
		let found: ReadonlyMap<string, Value> | undefined;
		try {
			found = this.#json ? jsonValues(text) : lineValues(text);
		} catch (error) {
			return { heard: this.#known(), misfits: [misfit(messageOf(error))] };
		}
		// A banner, a prompt, a log line: not worth a device, and no fault of one that is known.
		if (!found) return { heard: this.#known(), misfits: [misfit(this.#json ? "a JSON line that is no object" : "neither key=value nor a row of numbers")] };
		const told: Told[] = [];
		const misfits: Misfit[] = [];
		let grown = false;
		for (const [name, value] of found) {
			const known = this.#points.get(name);
			if (known && known.kind !== kindOf(value)) misfits.push(misfit(`${name} is no ${known.kind} value any more`));
			else if (!known && (name === "__proto__" || !POINT_NAME.test(name) || this.#points.size >= MAX_POINTS)) misfits.push(misfit(`cannot be a point, or is one too many: ${name.slice(0, 64)}`));
			else {
				if (!known) {
					this.#points.set(name, { kind: kindOf(value), access: "r" });
					grown = true;
				}
				told.push({ address: this.address, point: name, value });
			}
		}
		return { ...(grown && { announced: [this.announcement()] }), heard: this.#known(), told, ...(misfits.length > 0 && { misfits }) };
	}

	announcement(): Announcement {
		return { address: this.address, type: "sensor", points: Object.fromEntries(this.#points), ...(this.#every !== undefined && { every: this.#every }) };
	}

	/** Nobody is heard before there is a device. */
	#known(): readonly string[] {
		return this.#points.size === 0 ? [] : [this.address];
	}
}

function kindOf(value: Value): "numeric" | "boolean" | "text" {
	return isNumeric(value) ? "numeric" : typeof value === "boolean" ? "boolean" : "text";
}

function jsonValues(text: string): ReadonlyMap<string, Value> | undefined {
	const json = parseJson(text);
	return isObject(json) ? new Map(scalars(json)) : undefined;
}

/** Nothing for a line in which nothing is a number or a truth: that is prose. */
function lineValues(text: string): ReadonlyMap<string, Value> | undefined {
	const keyed = keyValues(text);
	if (keyed) {
		const values = new Map<string, Value>();
		for (const [key, word] of keyed.pairs) if (word !== "") values.set(key, valueOf(word));
		if ([...values.values()].some((value) => typeof value !== "string")) return values;
	}
	const numbers = fieldsOf(text).map((field) => numericFromField(field));
	if (numbers.some((number) => number === undefined)) return undefined;
	return new Map(numbers.map((number, index) => [`field${index + 1}`, number!]));
}

function valueOf(word: string): Value {
	const unit = unitFrom(word.replace(/^[-+.,\d ]+/, ""));
	return numericFromField(word, unit) ?? truthFromField(word) ?? word;
}
