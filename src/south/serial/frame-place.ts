// Where a point lies in a fixed binary frame, and what its bytes mean. Both directions; pure.

import type { Point } from "../../core/point.js";
import { isNumeric, numericFromText, type Value } from "../../core/value.js";
import { type ChecksumName, checksumLength, checksumOf } from "../codec/checksum.js";
import { type Decimal, decimalFrom, decimalText, roundTo, scaled, unscaled } from "../codec/decimal.js";
import { BIG_ENDIAN, decodeScalar, encodeScalar } from "../codec/scalar.js";
import { WindowChecksum } from "../codec/window-checksum.js";
import { type FrameShape, PIECE_BYTES, WRONG_CHECKSUM } from "./seeking-framer.js";
import type { Decoded } from "./register-place.js";

/** How a field lies in its bytes. `bcd`: two digits a byte. `hex` and `ascii`: texts. `bool`: any bit. `bits`: those of the mask, shifted down. */
export const BYTE_TYPES = ["u8", "i8", "u16", "i16", "u24", "i24", "u32", "i32", "u64", "i64", "f32", "bcd", "hex", "ascii", "bool", "bits"] as const;
export type ByteType = (typeof BYTE_TYPES)[number];

const WIDTHS: Readonly<Partial<Record<ByteType, number>>> = { u8: 1, i8: 1, bool: 1, bits: 1, u16: 2, i16: 2, u24: 3, i24: 3, u32: 4, i32: 4, f32: 4, u64: 8, i64: 8 };

/** How many bytes the type has; nothing where the place itself says it. */
export function widthOf(type: ByteType): number | undefined {
	return WIDTHS[type];
}

/** The place of one point in a frame. */
export interface FramePlace {
	/** Of its first byte, from 0; below 0 from the end: -1 is the last byte. */
	readonly byte: number;
	readonly bytes: number;
	readonly type: ByteType;
	readonly order: "big" | "little";
	/** For `bits`. */
	readonly mask: number;
	/** value = raw × scale + offset. */
	readonly scale: Decimal;
	readonly offset: Decimal;
	readonly decimals?: number;
	/** For enums: the label of each raw number. */
	readonly labels: ReadonlyMap<bigint, string>;
	/** Raw numbers with which the device says that it has no value. */
	readonly invalid: readonly bigint[];
	/** It is in the frame only when this is true of it. */
	readonly when?: { readonly byte: number; readonly is: Uint8Array } | { readonly lengths: readonly number[] };
	readonly set?: FrameTemplate;
}

/** The frame that sets a point: bytes, with the value and the checksum where they belong. */
export interface FrameTemplate {
	readonly parts: readonly (Uint8Array | "value" | "checksum")[];
	readonly type: ByteType;
	readonly order: "big" | "little";
	/** What a boolean becomes. */
	readonly on: number;
	readonly off: number;
}

/** What the frames of a device look like. */
export interface FrameFormat {
	readonly start: Uint8Array;
	/** The whole frame, start and checksum and end included: always the same, or what a field of it says and so many more. */
	readonly length: number | { readonly byte: number; readonly type: "u8" | "u16"; readonly order: "big" | "little"; readonly add: number };
	/** The only ones that occur; left out: any up to `max`. */
	readonly lengths?: readonly number[];
	readonly max: number;
	readonly end?: Uint8Array;
	/** Over `[from, to)`, standing at `at`; below 0 from the end. */
	readonly checksum: { readonly name: ChecksumName; readonly from: number; readonly to: number; readonly at: number; readonly order: "big" | "little" };
}

function placeIn(length: number, at: number): number {
	return at < 0 ? length + at : at;
}

/** The format as a framer needs it, for one stream. */
export function shapeOf({ start, length, lengths, max, end, checksum }: FrameFormat): FrameShape {
	const size = checksumLength(checksum.name);
	const sums = new WindowChecksum(checksum.name, max + PIECE_BYTES);
	const shortest = start.length + size + (end?.length ?? 0);
	const stored = (bytes: Uint8Array, at: number): number => (size === 1 ? bytes[at]! : checksum.order === "big" ? (bytes[at]! << 8) | bytes[at + 1]! : bytes[at]! | (bytes[at + 1]! << 8));
	return {
		maxBytes: max,
		first: start[0]!,
		lengthAt(bytes, at, to) {
			// The first is known to be there.
			for (let index = 1; index < start.length; index++) {
				if (at + index >= to) return undefined;
				if (bytes[at + index] !== start[index]) return 0;
			}
			let total: number;
			if (typeof length === "number") total = length;
			else {
				const from = at + length.byte;
				if (from + (length.type === "u8" ? 1 : 2) > to) return undefined;
				total = length.add + (length.type === "u8" ? bytes[from]! : length.order === "big" ? (bytes[from]! << 8) | bytes[from + 1]! : bytes[from]! | (bytes[from + 1]! << 8));
			}
			return total < shortest || total > max || (lengths && !lengths.includes(total)) ? 0 : total;
		},
		isWell(bytes, at, total) {
			if (end) for (let index = 0; index < end.length; index++) if (bytes[at + total - end.length + index] !== end[index]) return false;
			return size === 0 || stored(bytes, at + placeIn(total, checksum.at)) === sums.of(bytes, at + placeIn(total, checksum.from), at + placeIn(total, checksum.to));
		},
		moved: () => sums.reset(),
		faultOf(frame) {
			if (end?.some((byte, index) => frame[frame.length - end.length + index] !== byte)) return { reason: "a message without its end" };
			return WRONG_CHECKSUM;
		},
	};
}

/** What the frame says of the point; nothing when the point is not in it, or has no value. */
export function decodeField(point: Point, place: FramePlace, frame: Uint8Array): Decoded | undefined {
	const { when } = place;
	if (when && "lengths" in when && !when.lengths.includes(frame.length)) return undefined;
	if (when && "byte" in when && when.is.some((byte, index) => frame[placeIn(frame.length, when.byte) + index] !== byte)) return undefined;
	const from = placeIn(frame.length, place.byte);
	if (from < 0 || from + place.bytes > frame.length) return undefined;
	const bytes = frame.slice(from, from + place.bytes);
	if (place.type === "ascii" || place.type === "hex") {
		const text = place.type === "hex" ? hexText(bytes) : String.fromCharCode(...bytes).replace(/[\u0000 ]+$/, "");
		return /[^\u0020-\u007e]/.test(text) ? { problem: "holds bytes that are no text" } : { value: text };
	}
	if (place.order === "little") bytes.reverse();
	const bits = bytes.reduce((all, byte) => (all << 8n) | BigInt(byte), 0n);
	if (place.invalid.includes(bits)) return undefined; // the device says that it has no value
	const raw = numberOf(place, bits, bytes);
	if (raw === undefined) return { problem: place.type === "bcd" ? "has digits above 9" : "is no number (NaN or infinite)" };
	switch (point.kind) {
		case "boolean": return { value: raw.digits !== 0n };
		case "enum": {
			const label = place.labels.get(raw.digits);
			return label === undefined ? { problem: "reads a number that no label names" } : { value: label };
		}
		case "numeric": {
			const exact = scaled(raw, place.scale, place.offset);
			const value = numericFromText(decimalText(place.decimals === undefined ? exact : roundTo(exact, place.decimals)));
			return value ? { value } : { problem: "has too many digits" };
		}
		case "text": return { value: decimalText(raw) };
	}
}

/** `58d9`: how people write the id of a sensor. */
export function hexText(bytes: Uint8Array): string {
	return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function numberOf({ type, mask }: FramePlace, bits: bigint, bytes: Uint8Array): Decimal | undefined {
	switch (type) {
		case "f32": return decodeScalar("f32", [Number(bits >> 16n), Number(bits & 0xffffn)], BIG_ENDIAN);
		case "bcd": return decimalFrom(hexText(bytes)); // hexadecimal digits above 9 are no decimal number
		case "bits": return { digits: (bits & BigInt(mask)) >> BigInt(31 - Math.clz32(mask & -mask)), decimals: 0 };
		case "i8": case "i16": case "i24": case "i32": case "i64": return { digits: BigInt.asIntN(8 * bytes.length, bits), decimals: 0 };
		default: return { digits: bits, decimals: 0 };
	}
}

/** The mirror of decodeField(): the frame that sets the point, or why there is none. */
export function encodeFrame(point: Point, place: FramePlace, value: Value, checksum: FrameFormat["checksum"]): { readonly bytes: Uint8Array } | { readonly problem: string } {
	const { set } = place;
	if (!set) return { problem: "its definition has no frame that sets it" };
	const raw = rawOf(point, place, set, value);
	if ("problem" in raw) return raw;
	const out: number[] = [];
	for (const part of set.parts) {
		if (part === "value") out.push(...raw.bytes);
		else if (part === "checksum") {
			const made = checksumOf(checksum.name, Uint8Array.from(out.slice(Math.max(0, checksum.from))));
			if (checksumLength(checksum.name) === 1) out.push(made);
			else out.push(...(checksum.order === "big" ? [made >>> 8, made & 0xff] : [made & 0xff, made >>> 8]));
		} else out.push(...part);
	}
	return { bytes: Uint8Array.from(out) };
}

function rawOf(point: Point, place: FramePlace, set: FrameTemplate, value: Value): { readonly bytes: readonly number[] } | { readonly problem: string } {
	let raw: Decimal | undefined;
	switch (point.kind) {
		case "boolean":
			if (typeof value !== "boolean") return { problem: "it takes on or off" };
			raw = { digits: BigInt(value ? set.on : set.off), decimals: 0 };
			break;
		case "enum": {
			const found = [...place.labels].find(([, label]) => label === value)?.[0];
			if (found === undefined) return { problem: `it takes one of ${[...place.labels.values()].join(", ")}` };
			raw = { digits: found, decimals: 0 };
			break;
		}
		case "numeric": {
			const wished = isNumeric(value) ? decimalFrom(value.text) : undefined;
			if (!wished) return { problem: "it takes a number" };
			raw = unscaled(wished, place.scale, place.offset, set.type === "f32" ? 6 : 0);
			break;
		}
		case "text": return { problem: "a frame takes no text" };
	}
	const width = widthOf(set.type) ?? 1;
	let bits: bigint;
	if (set.type === "f32") {
		const words = encodeScalar("f32", raw, BIG_ENDIAN);
		if (!words) return { problem: "it does not fit into the f32 of the device" };
		bits = (BigInt(words[0]!) << 16n) | BigInt(words[1]!);
	} else {
		const isSigned = set.type.startsWith("i");
		bits = BigInt.asUintN(8 * width, raw.digits);
		if ((isSigned ? BigInt.asIntN(8 * width, raw.digits) : bits) !== raw.digits) return { problem: `it does not fit into the ${set.type} of the device` };
	}
	const bytes = Array.from({ length: width }, (_, index) => Number((bits >> BigInt(8 * (width - 1 - index))) & 0xffn));
	return { bytes: set.order === "big" ? bytes : bytes.reverse() };
}
