// Where a point stands in a line of text or JSON, and what its word means. Both directions; pure.

import { GatewayError } from "../../core/errors.js";
import type { Point } from "../../core/point.js";
import { isNumeric, numericFromText, textOf, type Value } from "../../core/value.js";
import { type Decimal, decimalFrom, decimalText, roundTo, scaled, unscaled } from "../codec/decimal.js";
import { fieldsOf, keyValues, numericFromField, type Separator, truthFromField } from "../codec/text-fields.js";
import { asValue, atPath, isObject, parseJson } from "../json.js";
import type { Decoded } from "./register-place.js";

/** How to find the word of a point: behind a key, in the n-th field from 1, or at a path of a JSON line. */
export type Where = { readonly key: string } | { readonly field: number } | { readonly path: string };

/** The place of one point. */
export interface LinePlace {
	readonly where: Where;
	/** Words for true and false, where they are not on/off, true/false, yes/no or 1/0. */
	readonly on?: string;
	readonly off?: string;
	/** value = number in the line × scale + offset. */
	readonly scale: Decimal;
	readonly offset: Decimal;
	readonly decimals?: number;
	/** For enums: the label of each word, where it is not the word itself. */
	readonly labels: ReadonlyMap<string, string>;
	/** Words with which the device says that it has no value. */
	readonly invalid: readonly string[];
	/** The line that sets it, with `{value}` in it. */
	readonly set?: string;
}

/** A line, taken apart as far as the places need it. */
export type LineWords = (where: Where) => string | undefined;

/**
 * Take a line apart.
 *
 * @throws {GatewayError} `bad-payload` for a JSON line that is none, or is no object.
 */
export function wordsOfLine(text: string, json: boolean, separator?: Separator): LineWords {
	if (json) {
		const parsed = parseJson(text);
		if (!isObject(parsed)) throw new GatewayError("bad-payload", "Cannot read a JSON line: it is no object");
		return (where) => {
			const value = "path" in where ? asValue(atPath(parsed, where.path)) : undefined;
			return value === undefined ? undefined : textOf(value);
		};
	}
	const pairs = keyValues(text)?.pairs;
	const fields = fieldsOf(text, separator);
	return (where) => ("key" in where ? pairs?.get(where.key) : "field" in where ? fields[where.field - 1] : undefined);
}

/** What the word of a point says. */
export function decodeWord(point: Point, place: LinePlace, word: string): Decoded {
	if (place.invalid.includes(word)) return { problem: "says that it has no value" };
	switch (point.kind) {
		case "numeric": {
			const numeric = numericFromField(word, point.unit);
			const raw = numeric && decimalFrom(numeric.text);
			if (!raw) return { problem: "is no number" };
			const exact = scaled(raw, place.scale, place.offset);
			const value = numericFromText(decimalText(place.decimals === undefined ? exact : roundTo(exact, place.decimals)));
			return value ? { value } : { problem: "has too many digits" };
		}
		case "boolean": {
			const truth = word === place.on ? true : word === place.off ? false : place.on !== undefined || place.off !== undefined ? undefined : word === "1" ? true : word === "0" ? false : truthFromField(word);
			return truth === undefined ? { problem: "is neither on nor off" } : { value: truth };
		}
		case "enum": {
			const label = place.labels.get(word) ?? (place.labels.size === 0 && point.labels.includes(word) ? word : undefined);
			return label === undefined ? { problem: "is none of its labels" } : { value: label };
		}
		case "text": return { value: word };
	}
}

/** The mirror of decodeWord(): the line that sets the point, or why there is none. */
export function encodeLine(point: Point, place: LinePlace, value: Value, json: boolean): { readonly line: string } | { readonly problem: string } {
	if (place.set === undefined) return { problem: "its definition has no line that sets it" };
	const word = wordFor(point, place, value, json);
	if (word === undefined) return { problem: "it takes another kind of value" };
	// A line end inside would be a second command, one that nobody checked.
	if (/[\u0000-\u001f\u007f]/.test(word)) return { problem: "it takes no control characters" };
	return { line: place.set.split("{value}").join(json ? JSON.stringify(word).slice(1, -1) : word) };
}

function wordFor(point: Point, place: LinePlace, value: Value, json: boolean): string | undefined {
	switch (point.kind) {
		case "numeric": {
			const wished = isNumeric(value) ? decimalFrom(value.text) : undefined;
			if (!wished) return undefined;
			// A scale with decimals means that the device speaks in whole tenths or hundredths.
			const plain = place.scale.digits === 1n && place.scale.decimals === 0 && place.offset.digits === 0n;
			return decimalText(plain ? wished : unscaled(wished, place.scale, place.offset, place.scale.decimals > 0 ? 0 : wished.decimals + 3));
		}
		case "boolean": return typeof value !== "boolean" ? undefined : value ? (place.on ?? (json ? "true" : "1")) : (place.off ?? (json ? "false" : "0"));
		case "enum": return typeof value !== "string" ? undefined : place.labels.size === 0 ? value : [...place.labels].find(([, label]) => label === value)?.[0];
		case "text": return typeof value === "string" ? value : undefined;
	}
}
