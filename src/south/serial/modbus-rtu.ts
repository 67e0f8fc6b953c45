// MODBUS RTU: requests and answers of functions 1 to 6, 15, 16 and 23
// Source: MODBUS Application Protocol Specification V1.1b3, sections 6.1 to 6.6, 6.11, 6.12, 6.17 and 7;
//         MODBUS over Serial Line Specification and Implementation Guide V1.02, section 2.5.1 (framing, silences)
// Version: V1.1b3 (2012-04-26), V1.02 (2006-12-20)
// Above 300 lines: what is built and what is parsed must be read side by side.

import { GatewayError } from "../../core/errors.js";
import { crc16, hasCrc16, withCrc16 } from "../codec/crc.js";
import type { OutRegisters, Table } from "../link.js";

/** Read `count` coils (1), discrete inputs (2), holding (3) or input registers (4). */
export interface ReadRequest {
	readonly function: 1 | 2 | 3 | 4;
	readonly unit: number;
	readonly first: number;
	readonly count: number;
}
/** Write one coil (5: 0 or 1) or register (6). */
export interface WriteOneRequest {
	readonly function: 5 | 6;
	readonly unit: number;
	readonly first: number;
	readonly value: number;
}
/** Write several coils (15) or registers (16). */
export interface WriteManyRequest {
	readonly function: 15 | 16;
	readonly unit: number;
	readonly first: number;
	readonly values: readonly number[];
}
/** Write several registers, and read several in the same transaction: the write comes first (section 6.17). */
export interface ReadWriteRequest {
	readonly function: 23;
	readonly unit: number;
	/** What is read. */
	readonly first: number;
	readonly count: number;
	/** What is written, from register `to` on. */
	readonly to: number;
	readonly values: readonly number[];
}
export type Request = ReadRequest | WriteOneRequest | WriteManyRequest | ReadWriteRequest;

/** What a unit says to a request. */
export type Answer =
	| { readonly kind: "values"; readonly values: readonly number[] }
	/** It did what it was told. */
	| { readonly kind: "done" }
	| { readonly kind: "exception"; readonly code: number; readonly text: string };

/** Section 4.1 of the serial line guide: 256 bytes with address and checksum. */
export const MAX_FRAME_BYTES = 256;
/** Sections 6.1 and 6.3: what fits into a frame. */
export const MAX_READ_BITS = 2_000;
export const MAX_READ_REGISTERS = 125;
/** Sections 6.11 and 6.12. */
const MAX_WRITE_BITS = 1_968;
const MAX_WRITE_REGISTERS = 123;
/** Section 6.17. */
const MAX_READ_WRITE_REGISTERS = 121;
/** Section 6.5: a coil is FF00 or 0000. */
const COIL_ON = 0xff00;
const EXCEPTION = 0x80;

export const READ_FUNCTION: Readonly<Record<Table, ReadRequest["function"]>> = { coil: 1, discrete: 2, holding: 3, input: 4 };
export const TABLE_OF: Readonly<Record<ReadRequest["function"], Table>> = { 1: "coil", 2: "discrete", 3: "holding", 4: "input" };

/** Section 7. */
const EXCEPTIONS: Readonly<Record<number, string>> = {
	1: "illegal function", 2: "illegal data address", 3: "illegal data value", 4: "server device failure", 5: "acknowledge, still at work",
	6: "server device busy", 8: "memory parity error", 10: "gateway path unavailable", 11: "gateway target device failed to respond",
};

export function isRead(request: Request): request is ReadRequest {
	return request.function <= 4;
}

/** Does its answer carry values? */
export function isTold(request: Request): request is ReadRequest | ReadWriteRequest {
	return isRead(request) || request.function === 23;
}

/** The request that writes these: function 5 or 6 for one value, unless the unit knows only 15 and 16, or wants it in one with the reading back. */
export function writeRequest(out: OutRegisters): Request {
	const { unit, first, values } = out;
	const coil = out.table === "coil";
	if (out.together === true && !coil) return { function: 23, unit, first, count: values.length, to: first, values };
	if (values.length !== 1 || out.multiple === true) return { function: coil ? 15 : 16, unit, first, values };
	return { function: coil ? 5 : 6, unit, first, value: values[0]! };
}

function isBits(code: number): boolean {
	return code === 1 || code === 2 || code === 15;
}

/**
 * A request as it goes onto the wire. Numbers big-endian, checksum low byte first:
 *
 *     1 to 4  unit:1  function:1  first:2  count:2                             crc:2
 *     5, 6    unit:1  function:1  first:2  value:2                             crc:2
 *     15, 16  unit:1  function:1  first:2  count:2  byteCount:1  values        crc:2
 *     23      unit:1  function:1  first:2  count:2  to:2  count:2  byteCount:1  values  crc:2
 *
 * @throws {GatewayError} `bad-value` when the standard has no frame for it.
 */
export function buildRequest(request: Request): Uint8Array {
	check(request);
	const { unit, first } = request;
	const head = (second: number): number[] => [unit, request.function, first >>> 8, first & 0xff, second >>> 8, second & 0xff];
	switch (request.function) {
		case 1: case 2: case 3: case 4: return withCrc16(Uint8Array.from(head(request.count)));
		case 5: return withCrc16(Uint8Array.from(head(request.value === 0 ? 0 : COIL_ON)));
		case 6: return withCrc16(Uint8Array.from(head(request.value)));
		case 15: case 16: {
			const packed = isBits(request.function) ? packBits(request.values) : request.values.flatMap((value) => [value >>> 8, value & 0xff]);
			return withCrc16(Uint8Array.from([...head(request.values.length), packed.length, ...packed]));
		}
		case 23: {
			const { count, to, values } = request;
			return withCrc16(Uint8Array.from([...head(count), to >>> 8, to & 0xff, values.length >>> 8, values.length & 0xff, 2 * values.length, ...values.flatMap((value) => [value >>> 8, value & 0xff])]));
		}
	}
}

function check(request: Request): void {
	const count = "count" in request ? request.count : "values" in request ? request.values.length : 1;
	const limit = { 1: MAX_READ_BITS, 2: MAX_READ_BITS, 3: MAX_READ_REGISTERS, 4: MAX_READ_REGISTERS, 5: 1, 6: 1, 15: MAX_WRITE_BITS, 16: MAX_WRITE_REGISTERS, 23: MAX_READ_REGISTERS }[request.function];
	const values = "values" in request ? request.values : "value" in request ? [request.value] : [];
	const highest = request.function === 5 || request.function === 15 ? 1 : 0xffff;
	const whole = (number: number, low: number, high: number): boolean => Number.isInteger(number) && number >= low && number <= high;
	const writesWell = request.function !== 23 || (whole(request.values.length, 1, MAX_READ_WRITE_REGISTERS) && whole(request.to, 0, 65_536 - request.values.length));
	if (!writesWell || !whole(request.unit, 1, 255) || !whole(count, 1, limit) || !whole(request.first, 0, 65_536 - count) || !values.every((value) => whole(value, 0, highest))) {
		throw new GatewayError("bad-value", `Cannot build a request of function ${request.function} for unit ${request.unit}: ${count} from ${request.first} with values up to ${highest} is not possible`);
	}
}

/**
 * The mirror of buildRequest(): for samples, and for who listens to another master.
 *
 * @throws {GatewayError} `bad-frame`.
 */
export function parseRequest(frame: Uint8Array): Request {
	const bad = (why: string): GatewayError => new GatewayError("bad-frame", `Cannot read a Modbus request of ${frame.length} bytes: ${why}`);
	if (frame.length < 8 || frame.length > MAX_FRAME_BYTES) throw bad("it has 8 to 256");
	if (!hasCrc16(frame)) throw bad(crcText(frame));
	const [unit, code] = [frame[0]!, frame[1]!];
	const [first, second] = [word(frame, 2), word(frame, 4)];
	const request = ((): Request | undefined => {
		switch (code) {
			case 1: case 2: case 3: case 4: return frame.length === 8 ? { function: code, unit, first, count: second } : undefined;
			case 5: return frame.length === 8 && (second === 0 || second === COIL_ON) ? { function: code, unit, first, value: second === 0 ? 0 : 1 } : undefined;
			case 6: return frame.length === 8 ? { function: code, unit, first, value: second } : undefined;
			case 15: case 16: {
				const bytes = code === 15 ? Math.ceil(second / 8) : 2 * second;
				if (frame[6] !== bytes || frame.length !== 9 + bytes) return undefined;
				return { function: code, unit, first, values: code === 15 ? unpackBits(frame, 7, second) : unpackWords(frame, 7, second) };
			}
			case 23: {
				if (frame.length < 13 || frame.length !== 13 + frame[10]! || word(frame, 8) * 2 !== frame[10]) return undefined;
				return { function: code, unit, first, count: second, to: word(frame, 6), values: unpackWords(frame, 11, word(frame, 8)) };
			}
			default: return undefined;
		}
	})();
	if (!request) throw bad(`function ${code} has none of this length`);
	try {
		check(request);
	} catch (error) {
		throw new GatewayError("bad-frame", `Cannot read a Modbus request of ${frame.length} bytes: its numbers are out of range`, { cause: error });
	}
	return request;
}

/** How many bytes the answer has, unless it is an exception: those have five. */
export function answerLength(request: Request): number {
	return isTold(request) ? 5 + (isBits(request.function) ? Math.ceil(request.count / 8) : 2 * request.count) : 8;
}

const EXCEPTION_LENGTH = 5;

/**
 * What a unit answers to `request`:
 *
 *     1 to 4, 23  unit:1  function:1  byteCount:1  values  crc:2
 *     5, 6        the request again
 *     15, 16      unit:1  function:1  first:2  count:2     crc:2
 *     exception   unit:1  function + 0x80:1  code:1        crc:2
 *
 * @throws {GatewayError} `bad-frame` when it is short, long, damaged, or the answer to something else.
 */
export function parseAnswer(frame: Uint8Array, request: Request): Answer {
	const bad = (why: string): GatewayError => new GatewayError("bad-frame", `Cannot read the answer of unit ${request.unit} to function ${request.function}: ${why}`);
	const length = expectedLength(frame, request);
	if (length === undefined) throw bad("it begins as the answer to something else");
	if (frame.length !== length) throw bad(`it has ${frame.length} bytes, not ${length}`);
	if (!hasCrc16(frame)) throw bad(crcText(frame));
	if (frame[1] === (request.function | EXCEPTION)) {
		const code = frame[2]!;
		return { kind: "exception", code, text: `exception ${code}: ${EXCEPTIONS[code] ?? "unknown to the standard"}` };
	}
	if (!isTold(request)) {
		const said = word(frame, 4);
		const wished = "values" in request ? request.values.length : request.function === 5 ? (request.value === 0 ? 0 : COIL_ON) : request.value;
		if (word(frame, 2) !== request.first || said !== wished) throw bad(`it says register ${word(frame, 2)} and ${said}, not ${request.first} and ${wished}`);
		return { kind: "done" };
	}
	return { kind: "values", values: isBits(request.function) ? unpackBits(frame, 3, request.count) : unpackWords(frame, 3, request.count) };
}

/** The length of the answer that begins here, as far as its first three bytes tell; nothing when none does. Bytes that are still to come fit. */
function expectedLength(bytes: Uint8Array, request: Request): number | undefined {
	const [unit, code, third] = [bytes[0], bytes[1], bytes[2]];
	if (unit !== undefined && unit !== request.unit) return undefined;
	if (code === (request.function | EXCEPTION)) return EXCEPTION_LENGTH;
	if (code !== undefined && code !== request.function) return undefined;
	const length = answerLength(request);
	return isTold(request) && third !== undefined && third !== length - 5 ? undefined : length;
}

function crcText(frame: Uint8Array): string {
	const found = frame[frame.length - 2]! | (frame[frame.length - 1]! << 8);
	return `its checksum is ${hex4(found)}, and its bytes make ${hex4(crc16(frame, 0, frame.length - 2))}`;
}

function hex4(number: number): string {
	return `0x${number.toString(16).toUpperCase().padStart(4, "0")}`;
}

function word(bytes: Uint8Array, at: number): number {
	return (bytes[at]! << 8) | bytes[at + 1]!;
}

/** Section 6.1: the first one is the lowest bit of the first byte. */
function unpackBits(bytes: Uint8Array, at: number, count: number): number[] {
	return Array.from({ length: count }, (_, bit) => (bytes[at + (bit >>> 3)]! >>> (bit & 7)) & 1);
}

function packBits(values: readonly number[]): number[] {
	const packed: number[] = Array.from({ length: Math.ceil(values.length / 8) }, () => 0);
	values.forEach((value, bit) => { if (value !== 0) packed[bit >>> 3]! |= 1 << (bit & 7); });
	return packed;
}

function unpackWords(bytes: Uint8Array, at: number, count: number): number[] {
	return Array.from({ length: count }, (_, index) => word(bytes, at + 2 * index));
}

/** Two of the longest frames: an echo and its answer, or as much noise. */
const MAX_WAITING_BYTES = 2 * MAX_FRAME_BYTES;

/**
 * Finds the answer to one request in what comes in: skips the echo of the request itself (half-duplex adapters hear what
 * they say) and noise before the answer. Linear in the bytes: each place where an answer could begin is tried once.
 */
export class AnswerReader {
	readonly #request: Request;
	readonly #sent: Uint8Array;
	readonly #bytes = new Uint8Array(MAX_WAITING_BYTES);
	/** What waits is #bytes[#start..#end). */
	#start = 0;
	#end = 0;
	#echo: "open" | "heard" | "none";
	readonly #noise: number[] = [];
	#noiseCount = 0;

	/** @param echoes Is it known that this line echoes? It matters for functions 5 and 6, whose answer looks like their echo. */
	constructor(request: Request, sent: Uint8Array, echoes: boolean | undefined) {
		this.#request = request;
		this.#sent = sent;
		this.#echo = echoes === true || !(request.function === 5 || request.function === 6) ? "open" : "none";
	}

	/** The own request came back before the answer. */
	get heardEcho(): boolean {
		return this.#echo === "heard";
	}

	/** How many bytes were neither echo nor answer, and the first of them. */
	get noise(): { readonly count: number; readonly sample: Uint8Array } {
		return { count: this.#noiseCount, sample: Uint8Array.from(this.#noise) };
	}

	/** The answer, as soon as it is complete; what comes behind it is lost. */
	push(chunk: Uint8Array): Answer | undefined {
		for (let at = 0; at < chunk.length; at += MAX_FRAME_BYTES) {
			const piece = chunk.subarray(at, at + MAX_FRAME_BYTES);
			this.#bytes.copyWithin(0, this.#start, this.#end);
			this.#end -= this.#start;
			this.#start = 0;
			// What waits is shorter than one frame: an answer or an echo that is not complete. With one piece it fits.
			this.#bytes.set(piece, this.#end);
			this.#end += piece.length;
			const answer = this.#search(false);
			if (answer) return answer;
		}
		return undefined;
	}

	/** Nothing more will come: look once more behind what only seemed to be the beginning of an answer. */
	finish(): Answer | undefined {
		return this.#search(true);
	}

	#search(final: boolean): Answer | undefined {
		while (this.#start < this.#end) {
			const here = this.#bytes.subarray(this.#start, this.#end);
			const echoing = this.#echo === "open" && startsWith(here, this.#sent);
			if (echoing && here.length >= this.#sent.length) {
				this.#echo = "heard";
				this.#start += this.#sent.length;
				continue;
			}
			const length = expectedLength(here, this.#request);
			if (length !== undefined && length <= here.length && hasCrc16(here, 0, length)) {
				const answer = this.#answerIn(here.slice(0, length));
				if (answer) return answer;
			}
			// The beginning of an echo or of an answer: the next bytes tell.
			if (!final && (echoing || (length !== undefined && length > here.length))) return undefined;
			if (this.#noise.length < MAX_NOISE_SAMPLE) this.#noise.push(here[0]!);
			this.#noiseCount++;
			this.#start++;
		}
		return undefined;
	}

	#answerIn(frame: Uint8Array): Answer | undefined {
		try {
			return parseAnswer(frame, this.#request);
		} catch (error) {
			if (!(error instanceof GatewayError)) throw error;
			return undefined; // well-formed, and the answer to something else
		}
	}
}

const MAX_NOISE_SAMPLE = 32;

/** Does one begin as the other does, as far as both go? */
function startsWith(bytes: Uint8Array, other: Uint8Array): boolean {
	const length = Math.min(bytes.length, other.length);
	for (let at = 0; at < length; at++) if (bytes[at] !== other[at]) return false;
	return true;
}

/** How long so many bytes take on the wire, in ms: a start bit, the data, parity and stop bits for each. */
export function transmissionTime(bytes: number, baud: number, bitsPerByte: number): number {
	return (bytes * bitsPerByte * 1_000) / baud;
}

/** The silence between two frames, in ms: 3.5 characters, and 1.75 ms above 19 200 baud (serial line guide, section 2.5.1.1). */
export function frameGap(baud: number, bitsPerByte: number): number {
	return baud > 19_200 ? 1.75 : Math.max(1.75, transmissionTime(3.5, baud, bitsPerByte));
}
