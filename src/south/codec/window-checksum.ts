// Checksums of many overlapping windows of the same bytes, each in a time that does not depend on its length: where noise is full of start
// bytes, a frame may begin at each of them.

import { type ChecksumName, checksumOf } from "./checksum.js";

/** As the catalogue has them: those of checksum.ts, which all end without an exclusive or. */
interface Crc {
	readonly bits: 8 | 16;
	readonly polynomial: number;
	readonly reflected: boolean;
	readonly start: number;
}

const CRCS: ReadonlyMap<ChecksumName, Crc> = new Map<ChecksumName, Crc>([
	["crc8", { bits: 8, polynomial: 0x07, reflected: false, start: 0 }],
	["crc8-nrsc", { bits: 8, polynomial: 0x31, reflected: false, start: 0xff }],
	["crc8-maxim", { bits: 8, polynomial: 0x8c, reflected: true, start: 0 }],
	["crc16-modbus", { bits: 16, polynomial: 0xa001, reflected: true, start: 0xffff }],
	["crc16-arc", { bits: 16, polynomial: 0xa001, reflected: true, start: 0 }],
	["crc16-ccitt", { bits: 16, polynomial: 0x1021, reflected: false, start: 0xffff }],
	["crc16-xmodem", { bits: 16, polynomial: 0x1021, reflected: false, start: 0 }],
]);

const SUMS: ReadonlyMap<ChecksumName, (total: number) => number> = new Map<ChecksumName, (total: number) => number>([
	["sum8", (total) => total & 0xff],
	["sum8-negative", (total) => -total & 0xff],
	["sum8-inverse", (total) => ~total & 0xff],
	["sum16", (total) => total & 0xffff],
]);

/** The longest window, 2^13 - 1 bytes, takes so many powers of two. */
const POWERS = 13;

/**
 * The checksum of `bytes[from..to)`, from what it is of `bytes[0..from)` and `bytes[0..to)`.
 *
 * A sum is their difference. A CRC is linear: the later state, less the earlier one carried over as many zero bytes as there are between.
 */
export class WindowChecksum {
	readonly #name: ChecksumName;
	readonly #sum: ((total: number) => number) | undefined;
	readonly #crc: (Crc & Tables) | undefined;
	/** The state before each byte of `[#from..#to]`, counted from `#from`. */
	readonly #before: Uint32Array;
	#from = 0;
	#to = 0;
	#last = -1;
	/** What `#length` zero bytes make of a state. */
	readonly #table = new Uint16Array(512);
	#length = -1;

	/** @param room How many bytes there are at most. */
	constructor(name: ChecksumName, room: number) {
		this.#name = name;
		this.#before = new Uint32Array(room + 1);
		this.#sum = SUMS.get(name);
		const crc = CRCS.get(name);
		this.#crc = crc && { ...crc, ...tablesOf(crc) };
	}

	/** The bytes are others now, or more. */
	reset(): void {
		this.#from = this.#to = 0;
	}

	of(bytes: Uint8Array, from: number, to: number): number {
		const before = this.#before;
		if (from < this.#from || to > this.#to || from > to || to - from >= 1 << POWERS) {
			const mayAsk = this.#sum || this.#crc || this.#name === "xor8";
			if (!mayAsk || from > to || to - from >= 1 << POWERS || to > bytes.length || bytes.length >= before.length || (from < this.#from && this.#to > 0)) return checksumOf(this.#name, bytes, from, to);
			this.#fill(bytes, from);
		}
		if (this.#sum) return this.#sum(before[to]! - before[from]!);
		const crc = this.#crc;
		if (!crc) return before[to]! ^ before[from]!;
		const state = before[from]! ^ crc.start;
		if (to - from !== this.#length) return before[to]! ^ carried(crc.powers, state, this.#meet(crc, to - from));
		return before[to]! ^ this.#table[state & 0xff]! ^ this.#table[256 + (state >>> 8)]!;
	}

	/** A length that comes twice in a row gets a table of its own: frames of one length, and noise of one byte, ask for it again and again. */
	#meet(crc: Crc & Tables, length: number): number {
		if (length === this.#last) {
			this.#length = length;
			for (let byte = 0; byte < 256; byte++) {
				this.#table[byte] = carried(crc.powers, byte, length);
				this.#table[256 + byte] = carried(crc.powers, byte << 8, length);
			}
		}
		this.#last = length;
		return length;
	}

	/** Goes through all that is there; what lies before the first window that is asked for need not be gone through. */
	#fill(bytes: Uint8Array, from: number): void {
		const before = this.#before;
		const crc = this.#crc;
		if (this.#to === 0 || from > this.#to) {
			this.#from = this.#to = from;
			before[from] = 0;
		}
		const begin = this.#to;
		let state = before[begin]!;
		if (crc) for (let at = begin; at < bytes.length; at++) before[at + 1] = state = step(crc, state, bytes[at]!);
		else if (this.#sum) for (let at = begin; at < bytes.length; at++) before[at + 1] = state += bytes[at]!;
		else for (let at = begin; at < bytes.length; at++) before[at + 1] = state ^= bytes[at]!;
		this.#to = bytes.length;
	}
}

interface Tables {
	/** What each byte makes of an empty state. */
	readonly bytes: Uint16Array;
	/** What 1, 2, 4 … zero bytes make of a state: of its low byte, then of its high byte. */
	readonly powers: Uint16Array;
}

function step({ bits, reflected, bytes }: Crc & Pick<Tables, "bytes">, state: number, byte: number): number {
	if (reflected) return (state >>> 8) ^ bytes[(state ^ byte) & 0xff]!;
	return bits === 8 ? bytes[state ^ byte]! : ((state << 8) & 0xffff) ^ bytes[(state >>> 8) ^ byte]!;
}

/** What so many zero bytes make of a state. */
function carried(powers: Uint16Array, state: number, length: number): number {
	for (let table = 0; length > 0; table += 512, length >>>= 1) if (length & 1) state = powers[table + (state & 0xff)]! ^ powers[table + 256 + (state >>> 8)]!;
	return state;
}

function tablesOf(crc: Crc): Tables {
	const { bits, polynomial, reflected } = crc;
	const [top, mask] = [1 << (bits - 1), (1 << bits) - 1];
	const bytes = Uint16Array.from({ length: 256 }, (_, byte) => {
		let state = reflected ? byte : byte << (bits - 8);
		for (let bit = 0; bit < 8; bit++) state = reflected ? (state & 1 ? (state >>> 1) ^ polynomial : state >>> 1) : state & top ? (state << 1) ^ polynomial : state << 1;
		return state & mask;
	});
	const powers = new Uint16Array(POWERS * 512);
	for (let byte = 0; byte < 256; byte++) {
		powers[byte] = step({ ...crc, bytes }, byte, 0);
		if (bits === 16) powers[256 + byte] = step({ ...crc, bytes }, byte << 8, 0);
	}
	for (let at = 512; at < powers.length; at++) powers[at] = carried(powers.subarray(at - (at % 512) - 512), powers[at - 512]!, 1);
	return { bytes, powers };
}
