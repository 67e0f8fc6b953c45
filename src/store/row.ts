import type { Quality, Reading } from "../core/reading.js";
import type { Unit } from "../core/unit.js";
import { unitFrom } from "../core/unit.js";
import { isNumeric, numericFromText, textOf, type Value } from "../core/value.js";
import { BOOLEAN, NUMERIC, TEXT } from "./protocol.js";

// The order is that of the numbers in the file.
const QUALITIES: readonly Quality[] = ["good", "estimate", "error"];
const AGE_UNKNOWN = 4;

export function kindOf(value: Value): number {
	return isNumeric(value) ? NUMERIC : typeof value === "boolean" ? BOOLEAN : TEXT;
}

export function flagsOf({ quality, ageUnknown }: Reading): number {
	return QUALITIES.indexOf(quality) + (ageUnknown ? AGE_UNKNOWN : 0);
}

/** A value from its text in the file; a number that is none, which no Jidway writes, stays a text. */
export function valueFrom(kind: number, text: string): Value {
	return kind === NUMERIC ? numericFromText(text) ?? text : kind === BOOLEAN ? text === "true" : text;
}

export function readingFrom(point: string, kind: number, row: { readonly at: number; readonly received: number; readonly flags: number; readonly value: string }): Reading {
	const { at, received, flags, value } = row;
	return { point, value: valueFrom(kind, value), at, received, quality: QUALITIES[flags & 3] ?? "good", ...((flags & AGE_UNKNOWN) !== 0 && { ageUnknown: true as const }) };
}

/** The table of twins has words instead of numbers. */
export function readingFromWords(row: readonly unknown[]): Reading | undefined {
	const [point, text, kind, at, received, ageUnknown, quality] = row;
	const value: Value | undefined = kind === "numeric" ? numericFromText(String(text)) : kind === "boolean" ? text === "true" : String(text);
	const known = QUALITIES.find((each) => each === quality);
	if (value === undefined || known === undefined) return undefined;
	return { point: String(point), value, at: Number(at), received: Number(received), quality: known, ...(ageUnknown === 1 && { ageUnknown: true as const }) };
}

export function wordsOf(reading: Reading): readonly [point: string, value: string, kind: string, at: number, received: number, ageUnknown: number, quality: string] {
	const { point, value, at, received, ageUnknown, quality } = reading;
	return [point, textOf(value), isNumeric(value) ? "numeric" : typeof value === "boolean" ? "boolean" : "text", whole(at, received), whole(received, 0), Number(ageUnknown ?? false), quality];
}

/** Whole milliseconds that fit into the file. */
export function whole(time: number, instead: number): number {
	return Number.isFinite(time) && Math.abs(time) < 2 ** 52 ? Math.round(time) : Math.round(instead);
}

export function unitOf(text: string): Unit | undefined {
	return text === "" ? undefined : unitFrom(text);
}
