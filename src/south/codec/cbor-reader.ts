// RFC 8949: Concise Binary Object Representation (CBOR), as strangers write it: maps, floats, tags and endless lengths, in any form of a number
// Source: https://www.rfc-editor.org/rfc/rfc8949
// Version: December 2020

import { GatewayError } from "../../core/errors.js";
import { type Numeric, numericFromNumber, numericFromText } from "../../core/value.js";
import { decimalText } from "./decimal.js";

/** A number keeps its exact digits; one that is none (NaN, infinite, out of range) is `null`. */
export type Cbor = Numeric | string | boolean | null | Uint8Array | readonly Cbor[] | CborMap;

/** By key; an integer key as its digits: `-2`. Other keys are left out. */
export interface CborMap {
	readonly members: ReadonlyMap<string, Cbor>;
}

/** Deepest nesting; device messages have fewer than ten. The reader calls itself for each level. */
const MAX_DEPTH = 32;
/** The most items of one message: each costs some hundred bytes of memory. */
const MAX_ITEMS = 50_000;
/** Farthest exponent of a decimal fraction: as many digits as a value may have. */
const MAX_EXPONENT = 60n;

const strictUtf8 = new TextDecoder("utf-8", { fatal: true });

/** One item, which fills the bytes. @throws {GatewayError} `bad-payload` for what is cut off, too long, nested too deep or not well-formed. */
export function readCbor(bytes: Uint8Array): Cbor {
	const reader = new Reader(bytes);
	const item = reader.item(0);
	if (reader.at !== bytes.length) throw bad("more bytes follow it");
	return item;
}

export function isCborMap(item: Cbor | undefined): item is CborMap {
	return typeof item === "object" && item !== null && "members" in item;
}

function bad(reason: string): GatewayError {
	return new GatewayError("bad-payload", `Cannot read CBOR: ${reason}`);
}

class Reader {
	at = 0;
	readonly #bytes: Uint8Array;
	readonly #view: DataView;
	#items = 0;

	constructor(bytes: Uint8Array) {
		this.#bytes = bytes;
		this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
	}

	item(depth: number): Cbor {
		if (depth > MAX_DEPTH) throw bad(`it is nested deeper than ${MAX_DEPTH}`);
		if (++this.#items > MAX_ITEMS) throw bad(`it has more than ${MAX_ITEMS} items`);
		const head = this.#take(1);
		const initial = this.#bytes[head]!;
		const major = initial >> 5;
		const low = initial & 0x1f;
		switch (major) {
			case 0: return integer(this.#argument(low));
			case 1: return integer(-1n - this.#argument(low));
			case 2: return low === ENDLESS ? this.#chunks(major) : this.#string(low);
			case 3: return text(low === ENDLESS ? this.#chunks(major) : this.#string(low));
			case 4: return this.#list(low, depth);
			case 5: return this.#map(low, depth);
			case 6: return this.#tagged(this.#argument(low), depth);
			default: return this.#simple(low);
		}
	}

	/** Move on by so many bytes. @returns Where they begin. */
	#take(length: number): number {
		if (length > this.#bytes.length - this.at) throw bad("it is cut off");
		const start = this.at;
		this.at += length;
		return start;
	}

	/** Section 3: below 24 the number itself, 24 to 27 one, two, four or eight bytes of it. */
	#argument(low: number): bigint {
		if (low < 24) return BigInt(low);
		switch (low) {
			case 24: return BigInt(this.#view.getUint8(this.#take(1)));
			case 25: return BigInt(this.#view.getUint16(this.#take(2)));
			case 26: return BigInt(this.#view.getUint32(this.#take(4)));
			case 27: return this.#view.getBigUint64(this.#take(8));
			default: throw bad("an item begins with a value that is reserved");
		}
	}

	#length(low: number): number {
		const length = this.#argument(low);
		if (length > BigInt(this.#bytes.length)) throw bad("it is cut off");
		return Number(length);
	}

	#string(low: number): Uint8Array {
		const length = this.#length(low);
		const start = this.#take(length);
		return this.#bytes.subarray(start, start + length);
	}

	/** Section 3.2.3: definite strings of the same kind, one behind the other. */
	#chunks(major: number): Uint8Array {
		const chunks: Uint8Array[] = [];
		while (!this.#isBreak()) {
			const initial = this.#bytes[this.#take(1)]!;
			if (initial >> 5 !== major || (initial & 0x1f) === ENDLESS) throw bad("a string has a part of another kind");
			if (++this.#items > MAX_ITEMS) throw bad(`it has more than ${MAX_ITEMS} items`);
			chunks.push(this.#string(initial & 0x1f));
		}
		const whole = new Uint8Array(chunks.reduce((length, chunk) => length + chunk.length, 0));
		let at = 0;
		for (const chunk of chunks) {
			whole.set(chunk, at);
			at += chunk.length;
		}
		return whole;
	}

	#list(low: number, depth: number): Cbor[] {
		const items: Cbor[] = [];
		if (low === ENDLESS) while (!this.#isBreak()) items.push(this.item(depth + 1));
		else for (let left = this.#length(low); left > 0; left--) items.push(this.item(depth + 1));
		return items;
	}

	#map(low: number, depth: number): CborMap {
		const members = new Map<string, Cbor>();
		const member = (): void => {
			const key = this.item(depth + 1);
			const value = this.item(depth + 1);
			if (typeof key === "string") members.set(key, value);
			else if (typeof key === "object" && key !== null && "text" in key) members.set(key.text, value);
		};
		if (low === ENDLESS) while (!this.#isBreak()) member();
		else for (let left = this.#length(low); left > 0; left--) member();
		return { members };
	}

	/** Big numbers and decimal fractions (sections 3.4.3, 3.4.4); of any other tag what it marks. */
	#tagged(tag: bigint, depth: number): Cbor {
		const item = this.item(depth + 1);
		if ((tag === 2n || tag === 3n) && item instanceof Uint8Array) {
			if (item.length > 32) return null;
			const bits = BigInt(item.length === 0 ? 0 : `0x${Buffer.from(item).toString("hex")}`);
			return integer(tag === 2n ? bits : -1n - bits);
		}
		if (tag === 4n && Array.isArray(item) && item.length === 2) {
			const [exponent, mantissa] = item.map(wholeOf);
			if (exponent === undefined || mantissa === undefined || exponent > MAX_EXPONENT || exponent < -MAX_EXPONENT) return null;
			return numericFromText(exponent >= 0n ? String(mantissa * 10n ** exponent) : decimalText({ digits: mantissa, decimals: Number(-exponent) })) ?? null;
		}
		return item;
	}

	#simple(low: number): Cbor {
		switch (low) {
			case 20: return false;
			case 21: return true;
			case 22: case 23: return null;
			case 24: this.#take(1); return null;
			case 25: return float(halfFrom(this.#view.getUint16(this.#take(2))));
			case 26: return single(this.#view.getFloat32(this.#take(4)));
			case 27: return float(this.#view.getFloat64(this.#take(8)));
			case ENDLESS: throw bad("an end stands where nothing began");
			default: if (low < 20) return null;
		}
		throw bad("an item begins with a value that is reserved");
	}

	#isBreak(): boolean {
		if (this.#bytes[this.at] !== 0xff) return false;
		this.at++;
		return true;
	}
}

const ENDLESS = 31;

function integer(value: bigint): Cbor {
	return numericFromText(String(value)) ?? null;
}

function wholeOf(item: Cbor): bigint | undefined {
	return typeof item === "object" && item !== null && "text" in item && /^-?\d+$/.test(item.text) ? BigInt(item.text) : undefined;
}

function text(bytes: Uint8Array): string {
	try {
		return strictUtf8.decode(bytes);
	} catch {
		throw bad("a text is not UTF-8");
	}
}

function float(value: number): Cbor {
	return numericFromNumber(value) ?? null;
}

/** The shortest digits that are this 32-bit float. */
function single(value: number): Cbor {
	for (let digits = 6; digits < 9; digits++) {
		const short = Number(value.toPrecision(digits));
		if (Math.fround(short) === value) return float(short);
	}
	return float(Number(value.toPrecision(9)));
}

/** IEEE 754 binary16, as appendix D has it. */
function halfFrom(bits: number): number {
	const sign = bits & 0x8000 ? -1 : 1;
	const exponent = (bits >> 10) & 0x1f;
	const fraction = bits & 0x3ff;
	if (exponent === 0) return sign * fraction * 2 ** -24;
	if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
	return sign * (1 + fraction / 1_024) * 2 ** (exponent - 15);
}
