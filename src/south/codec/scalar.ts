// Registers of 16 bits ⇄ numbers
// Source: MODBUS Application Protocol Specification V1.1b3, section 4.2 "Data Encoding" (each register big-endian);
//         the order of several registers is the device's own, and given by its definition

import { type Decimal, decimalFrom, decimalText, roundTo } from "./decimal.js";
import { numericFromText } from "../../core/value.js";

/** How a number lies in one, two or four registers. */
export type ScalarType = "u16" | "i16" | "u32" | "i32" | "u64" | "i64" | "f32";

/** Which register, and which byte of a register, comes first: `big` is the high one. */
export interface Order {
	readonly word: "big" | "little";
	readonly byte: "big" | "little";
}

export const BIG_ENDIAN: Order = { word: "big", byte: "big" };

const WORDS: Readonly<Record<ScalarType, 1 | 2 | 4>> = { u16: 1, i16: 1, u32: 2, i32: 2, u64: 4, i64: 4, f32: 2 };

/** How many registers the type takes. */
export function wordsOf(type: ScalarType): 1 | 2 | 4 {
	return WORDS[type];
}

/** The bits of the registers as one unsigned number, before any meaning: for sentinels. */
export function bitsOf(words: readonly number[], order: Order): bigint {
	return arrange(words, order).reduce((bits, word) => (bits << 16n) | BigInt(word), 0n);
}

/** The number in the registers; nothing for a float that is none (NaN, the infinities). */
export function decodeScalar(type: ScalarType, words: readonly number[], order: Order): Decimal | undefined {
	const bits = bitsOf(words, order);
	switch (type) {
		case "u16": case "u32": case "u64": return { digits: bits, decimals: 0 };
		case "i16": case "i32": case "i64": return { digits: BigInt.asIntN(16 * WORDS[type], bits), decimals: 0 };
		case "f32": return decimalFromFloat(floatFrom(Number(bits)));
	}
}

/** The mirror of decodeScalar(); nothing for what does not fit into the type. Whole types round halves away from zero. */
export function encodeScalar(type: ScalarType, value: Decimal, order: Order): number[] | undefined {
	const width = 16 * WORDS[type];
	if (type === "f32") {
		const number = Math.fround(Number(decimalText(value)));
		return Number.isFinite(number) ? arrange(split(BigInt(bitsOfFloat(number)), 2), order) : undefined;
	}
	const whole = roundTo(value, 0).digits;
	const signed = type === "i16" || type === "i32" || type === "i64";
	if ((signed ? BigInt.asIntN(width, whole) : BigInt.asUintN(width, whole)) !== whole) return undefined;
	return arrange(split(BigInt.asUintN(width, whole), WORDS[type]), order);
}

/** Into the standard's order or out of it: the way back is the same. */
function arrange(words: readonly number[], { word, byte }: Order): number[] {
	const swapped = words.map((each) => (byte === "big" ? each : ((each & 0xff) << 8) | (each >>> 8)));
	return word === "big" ? swapped : swapped.reverse();
}

function split(bits: bigint, words: number): number[] {
	return Array.from({ length: words }, (_, at) => Number((bits >> BigInt(16 * (words - 1 - at))) & 0xffffn));
}

const SCRATCH = new DataView(new ArrayBuffer(4));

function floatFrom(bits: number): number {
	SCRATCH.setUint32(0, bits);
	return SCRATCH.getFloat32(0);
}

function bitsOfFloat(number: number): number {
	SCRATCH.setFloat32(0, number);
	return SCRATCH.getUint32(0);
}

/** The shortest decimal that is this 32-bit float and no other: 0x41AB3333 is 21.4 and not 21.399999618530273. Nine digits always suffice (IEEE 754). */
function decimalFromFloat(float: number): Decimal | undefined {
	if (!Number.isFinite(float)) return undefined;
	for (let digits = 6; digits <= 9; digits++) {
		const text = float.toPrecision(digits);
		if (Math.fround(Number(text)) !== float && digits < 9) continue;
		// Number() drops the zeros that toPrecision() pads with
		const plain = numericFromText(String(Number(text)));
		return plain && decimalFrom(plain.text);
	}
	return undefined;
}
