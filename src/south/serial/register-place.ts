// Where a point lies in the registers of a Modbus unit, and what its bits mean. Both directions; pure.

import type { Point } from "../../core/point.js";
import { isNumeric, numericFromText, type Value } from "../../core/value.js";
import { type Decimal, decimalFrom, decimalText, roundTo, scaled, unscaled } from "../codec/decimal.js";
import { bitsOf, decodeScalar, encodeScalar, type Order, type ScalarType, wordsOf } from "../codec/scalar.js";
import type { Table } from "../link.js";

/** `bool`: any bit means true. `bits`: those of `mask`, shifted down. */
export type RegisterType = ScalarType | "bool" | "bits";

/** The place of one point: which registers, and how a number lies in them. */
export interface RegisterPlace {
	readonly table: Table;
	/** Of the frame: counted from 0, without the 30001 or 40001 of some manuals. */
	readonly register: number;
	readonly type: RegisterType;
	readonly order: Order;
	/** For `bits`. */
	readonly mask: number;
	/** value = raw × scale + offset. */
	readonly scale: Decimal;
	readonly offset: Decimal;
	/** Round to so many; left out: as many as scale and offset have. */
	readonly decimals?: number;
	/** For enums: the label of each raw number. */
	readonly labels: ReadonlyMap<bigint, string>;
	/** Raw bits with which the device says that it has no value. */
	readonly invalid: readonly bigint[];
	/** Write with function 15 or 16 even a single one. */
	readonly multiple: boolean;
	/** Write with function 23, which reads back in the same transaction. */
	readonly together?: true;
}

/** A value, or why there is none. */
export type Decoded = { readonly value: Value } | { readonly problem: string };

/** How many registers (or coils) the place takes. */
export function lengthOf(place: RegisterPlace): number {
	return place.type === "bool" || place.type === "bits" ? 1 : wordsOf(place.type);
}

/** What the registers at the place say; `words` are as many as lengthOf(). */
export function decodeRegisters(point: Point, place: RegisterPlace, words: readonly number[]): Decoded {
	const bits = bitsOf(words, place.order);
	if (place.invalid.includes(bits)) return { problem: `reads 0x${bits.toString(16).toUpperCase()}, with which the device says that it has no value` };
	const raw = rawOf(place, words, bits);
	if (raw === undefined) return { problem: "is no number (NaN or infinite)" };
	switch (point.kind) {
		case "boolean": return { value: raw.digits !== 0n };
		case "enum": {
			const label = place.labels.get(raw.digits);
			return label === undefined ? { problem: "reads a number that no label names" } : { value: label };
		}
		case "numeric": {
			const exact = scaled(raw, place.scale, place.offset);
			const numeric = numericFromText(decimalText(place.decimals === undefined ? exact : roundTo(exact, place.decimals)));
			return numeric ? { value: numeric } : { problem: "has too many digits" };
		}
		case "text": return { problem: "is a text, and registers hold none" };
	}
}

function rawOf(place: RegisterPlace, words: readonly number[], bits: bigint): Decimal | undefined {
	if (place.type === "bool") return { digits: bits, decimals: 0 };
	if (place.type !== "bits") return decodeScalar(place.type, words, place.order);
	const shift = BigInt(31 - Math.clz32(place.mask & -place.mask));
	return { digits: (bits & BigInt(place.mask)) >> shift, decimals: 0 };
}

/** The mirror of decodeRegisters(): what to write, or why that cannot be written. */
export function encodeRegisters(point: Point, place: RegisterPlace, value: Value): { readonly words: readonly number[] } | { readonly problem: string } {
	switch (point.kind) {
		case "boolean": return typeof value === "boolean" ? { words: [value ? 1 : 0] } : { problem: "it takes on or off" };
		case "enum": {
			const raw = [...place.labels].find(([, label]) => label === value)?.[0];
			return raw === undefined ? { problem: `it takes one of ${[...place.labels.values()].join(", ")}` } : wordsFor(place, { digits: raw, decimals: 0 });
		}
		case "numeric": {
			const wished = isNumeric(value) ? decimalFrom(value.text) : undefined;
			if (wished === undefined) return { problem: "it takes a number" };
			// Seven significant digits are what a 32-bit float can hold; six decimals keep them for all that has a unit.
			return wordsFor(place, unscaled(wished, place.scale, place.offset, place.type === "f32" ? 6 : 0));
		}
		case "text": return { problem: "registers hold no text" };
	}
}

function wordsFor(place: RegisterPlace, raw: Decimal): { readonly words: readonly number[] } | { readonly problem: string } {
	if (place.type === "bool" || place.type === "bits") return { problem: "the register has other bits that would be lost" };
	const words = encodeScalar(place.type, raw, place.order);
	return words ? { words } : { problem: `it does not fit into the ${place.type} of the device` };
}
