// Jidway compact device link: its frames, both directions
// Source: docs/device-link.md
// Version: 1

import type { Millis } from "../../core/clock.js";
import { type CborItem, decodeCbor, encodeCbor } from "../codec/cbor-items.js";
import { encodeCobs } from "../codec/cobs.js";
import { crcCcitt } from "../codec/crc-ccitt.js";
import { type LinkPoint, MAX_LINK_POINTS } from "./device-link-model.js";

export const LINK_VERSION = 1;
/** Type, sequence number, payload and checksum together; with COBS and the zero a frame has two bytes more (section 2). */
export const MAX_BODY_BYTES = 253;
const HEADER_BYTES = 2;
const CRC_BYTES = 2;
export const MIN_BODY_BYTES = HEADER_BYTES + CRC_BYTES;

/** Why a device does not do what it was told: section 7.2. */
export const REFUSALS = ["", "it has no such point", "the point cannot be set", "the value is out of range", "it is busy", "it failed", "it did not understand the command"] as const;

/** What a device says: section 4. */
export type DeviceFrame =
	| { readonly type: "hello"; readonly seq: number; readonly version: number; readonly fresh: boolean; readonly listens: boolean; readonly schema: number; readonly points: number; readonly ring: number; readonly everySeconds: number; readonly uid: string; readonly name: string; readonly model: string; readonly firmware: string }
	/** `seq` is the point's place in the schema; `payload` is what the id of the schema is the checksum of. */
	| { readonly type: "point"; readonly seq: number; readonly point: LinkPoint; readonly payload: Uint8Array }
	| { readonly type: "report"; readonly seq: number; readonly age: Millis; readonly values: readonly (bigint | undefined)[] }
	| { readonly type: "accepted"; readonly seq: number }
	/** `reason` is a place in REFUSALS, or a number that a later version knows. */
	| { readonly type: "refused"; readonly seq: number; readonly reason: number }
	| { readonly type: "pong"; readonly seq: number; readonly uptimeSeconds: number; readonly dropped: number; readonly broken: number };

/** What a gateway says: section 4. */
export type GatewayFrame =
	| { readonly type: "hello wanted"; readonly seq: number }
	/** Bit i: point i. */
	| { readonly type: "points wanted"; readonly seq: number; readonly mask: number }
	| { readonly type: "welcome"; readonly seq: number; readonly schema: number }
	/** Report `seq` was taken, and for each bit i of the mask report `seq` − 1 − i. */
	| { readonly type: "taken"; readonly seq: number; readonly mask: number }
	| { readonly type: "set"; readonly seq: number; readonly point: number; readonly value: bigint }
	| { readonly type: "ping"; readonly seq: number }
	| { readonly type: "clock"; readonly seq: number; readonly seconds: number; readonly millis: number };

/** Bytes that are no frame. */
export interface Broken {
	readonly type: "broken";
	readonly reason: string;
	/** Not its shape, but its checksum is wrong. */
	readonly checksum?: true;
}
/** A frame of the other direction, which half-duplex adapters echo, or of a later version. */
export interface Foreign {
	readonly type: "foreign";
}
export const FOREIGN: Foreign = { type: "foreign" };

const CODES = {
	hello: "H", point: "P", dense: "R", sparse: "D", accepted: "A", refused: "N", pong: "O",
	"hello wanted": "h", "points wanted": "p", welcome: "w", taken: "k", set: "s", ping: "i", clock: "c",
} as const;
const NAMES: ReadonlyMap<number, keyof typeof CODES> = new Map(keysOf(CODES).map((name) => [CODES[name].charCodeAt(0), name]));
function keysOf<K extends string>(object: Readonly<Record<K, unknown>>): readonly K[] {
	return Object.keys(object) as K[];
}

/** Is this the body of a report? Its checksum can be looked at only with its schema. */
export function isReport(body: Uint8Array): boolean {
	const name = NAMES.get(body[0] ?? 0);
	return name === "dense" || name === "sparse";
}

const FRESH = 1;
const LISTENS = 2;
const KINDS = ["numeric", "boolean", "enum"] as const;
const ACCESSES = ["r", "w", "rw"] as const; // the numbers on the wire are 1, 2 and 3
const MAX_UINT32 = 0xffff_ffff;
/** The numbers that a reading or a setting can be: 64 bits with their sign. */
const MIN_VALUE = -(2n ** 63n);
const MAX_VALUE = 2n ** 63n - 1n;
/** A device of 32-bit whole numbers has ten digits; with 64 bits it is nineteen. */
const MAX_DECIMALS = 18;
const MAX_TEXT_BYTES = 64;

/** The checksum of reports starts behind the id of their schema, so that no report is read with the wrong one: section 3.2. */
function startOf(name: keyof typeof CODES, schema: number | undefined): number | undefined {
	if (name !== "dense" && name !== "sparse") return undefined;
	return crcCcitt(Uint8Array.of((schema ?? 0) >>> 24, (schema ?? 0) >>> 16, (schema ?? 0) >>> 8, schema ?? 0));
}

function seal(name: keyof typeof CODES, seq: number, payload: Uint8Array, schema?: number): Uint8Array {
	const body = new Uint8Array(HEADER_BYTES + payload.length + CRC_BYTES);
	body[0] = CODES[name].charCodeAt(0);
	body[1] = seq;
	body.set(payload, HEADER_BYTES);
	const crc = crcCcitt(body.subarray(0, body.length - CRC_BYTES), startOf(name, schema));
	body[body.length - 2] = crc >>> 8;
	body[body.length - 1] = crc;
	const encoded = encodeCobs(body);
	// A zero at the end, and one before what is not a report: it ends what a cut frame or noise has begun (section 2).
	const before = startOf(name, schema) === undefined ? 1 : 0;
	const frame = new Uint8Array(before + encoded.length + 1);
	frame.set(encoded, before);
	return frame;
}

type Opened = Broken | { readonly name: keyof typeof CODES; readonly seq: number; readonly payload: Uint8Array; readonly items: readonly CborItem[] };

function open(body: Uint8Array, schema?: number): Opened | Foreign {
	if (body.length < MIN_BODY_BYTES) return { type: "broken", reason: "a frame that is too short" };
	const name = NAMES.get(body[0]!);
	if (crcCcitt(body, name && startOf(name, schema)) !== 0) return { type: "broken", reason: "a frame with a wrong checksum", checksum: true };
	if (!name) return FOREIGN;
	const payload = body.subarray(HEADER_BYTES, body.length - CRC_BYTES);
	const items = decodeCbor(payload);
	return items ? { name, seq: body[1]!, payload, items } : { type: "broken", reason: "a frame whose payload is not the CBOR of this link" };
}

const misfit = (what: string): Broken => ({ type: "broken", reason: `a ${what} frame that is not as the protocol has it` });

/** A whole number of at most `max`; nothing for anything else. */
function uint(item: CborItem | undefined, max: number): number | undefined {
	return typeof item === "bigint" && item >= 0n && item <= BigInt(max) ? Number(item) : undefined;
}
function value(item: CborItem | undefined): bigint | undefined {
	return typeof item === "bigint" && item >= MIN_VALUE && item <= MAX_VALUE ? item : undefined;
}
/** A text without control characters, for people will see it. */
function text(item: CborItem | undefined): string | undefined {
	return typeof item === "string" && item.length <= MAX_TEXT_BYTES && !/[\u0000-\u001f\u007f-\u009f]/.test(item) ? item : undefined;
}
/** The items of a list that is all there is. */
function list([head, ...items]: readonly CborItem[]): readonly CborItem[] | undefined {
	return typeof head === "object" && head !== null && head.list === items.length ? items : undefined;
}

/** @param schema The id of the schema that reports are told by. */
export function encodeDeviceFrame(frame: DeviceFrame, schema?: number): Uint8Array {
	switch (frame.type) {
		case "hello": {
			const { version, fresh, listens, points, ring, everySeconds, uid, name, model, firmware } = frame;
			const flags = (fresh ? FRESH : 0) | (listens ? LISTENS : 0);
			return seal("hello", frame.seq, encodeCbor([{ list: 10 }, version, flags, frame.schema, points, ring, everySeconds, uid, name, model, firmware]));
		}
		case "point": return seal("point", frame.seq, frame.payload);
		case "report": {
			const said = frame.values.flatMap((each, index) => (each === undefined ? [] : [index]));
			const mask = said.reduce((bits, index) => (bits | (1 << index)) >>> 0, 0);
			const dense = encodeCbor([{ list: 1 + frame.values.length }, frame.age, ...frame.values.map((each) => each ?? null)]);
			const sparse = encodeCbor([{ list: 2 + said.length }, frame.age, mask, ...said.map((index) => frame.values[index]!)]);
			return sparse.length < dense.length ? seal("sparse", frame.seq, sparse, schema) : seal("dense", frame.seq, dense, schema);
		}
		case "accepted": return seal("accepted", frame.seq, encodeCbor([]));
		case "refused": return seal("refused", frame.seq, encodeCbor([frame.reason]));
		case "pong": return seal("pong", frame.seq, encodeCbor([{ list: 3 }, frame.uptimeSeconds, frame.dropped, frame.broken]));
	}
}

/**
 * The mirror of encodeDeviceFrame(), from the body of a frame: COBS and the zero are off.
 *
 * @param schema The id of the schema by which reports are read, and `points` how many it has. Without one, a report has a wrong checksum.
 */
export function decodeDeviceFrame(body: Uint8Array, schema?: number, points = 0): DeviceFrame | Broken | Foreign {
	const opened = open(body, schema);
	if ("type" in opened) return opened;
	const { name, seq, payload, items } = opened;
	switch (name) {
		case "hello": return helloOf(seq, items) ?? misfit(name);
		case "point": {
			const point = pointOf(items);
			return point && seq < MAX_LINK_POINTS ? { type: name, seq, point, payload: payload.slice() } : misfit(name);
		}
		case "dense": {
			const [age, ...values] = list(items) ?? [];
			const millis = uint(age, MAX_UINT32);
			const known = values.map((each) => (each === null ? undefined : value(each)));
			if (millis === undefined || values.length !== points || values.some((each, index) => each !== null && known[index] === undefined)) return misfit("report");
			return { type: "report", seq, age: millis, values: known };
		}
		case "sparse": return sparseOf(seq, items, points) ?? misfit("report");
		case "accepted": return items.length === 0 ? { type: name, seq } : misfit(name);
		case "refused": {
			const reason = uint(items[0], 255);
			return reason !== undefined && items.length === 1 ? { type: name, seq, reason } : misfit(name);
		}
		case "pong": {
			const [uptimeSeconds, dropped, broken] = (list(items) ?? []).map((item) => uint(item, MAX_UINT32));
			return uptimeSeconds !== undefined && dropped !== undefined && broken !== undefined ? { type: name, seq, uptimeSeconds, dropped, broken } : misfit(name);
		}
		case "hello wanted": case "points wanted": case "welcome": case "taken": case "set": case "ping": case "clock": return FOREIGN;
	}
}

function helloOf(seq: number, items: readonly CborItem[]): DeviceFrame | undefined {
	const fields = list(items);
	const version = uint(fields?.[0], 255);
	if (!fields || version === undefined) return undefined;
	// Of another version only the number is known: section 9.
	if (version !== LINK_VERSION) return { type: "hello", seq, version, fresh: true, listens: false, schema: 0, points: 0, ring: 0, everySeconds: 0, uid: "", name: "", model: "", firmware: "" };
	const [flags, schema, points, ring, everySeconds] = [uint(fields[1], 255), uint(fields[2], MAX_UINT32), uint(fields[3], MAX_LINK_POINTS), uint(fields[4], 32), uint(fields[5], MAX_UINT32)];
	const [uid, name, model, firmware] = fields.slice(6, 10).map(text);
	if (flags === undefined || schema === undefined || points === undefined || points === 0 || ring === undefined || everySeconds === undefined) return undefined;
	if (uid === undefined || name === undefined || model === undefined || firmware === undefined) return undefined;
	return { type: "hello", seq, version, fresh: (flags & FRESH) !== 0, listens: (flags & LISTENS) !== 0, schema, points, ring, everySeconds, uid, name, model, firmware };
}

function sparseOf(seq: number, items: readonly CborItem[], points: number): DeviceFrame | undefined {
	const [age, bits, ...said] = list(items) ?? [];
	const [millis, mask] = [uint(age, MAX_UINT32), uint(bits, MAX_UINT32)];
	if (millis === undefined || mask === undefined || mask >= 2 ** points) return undefined;
	const values: (bigint | undefined)[] = [];
	let next = 0;
	for (let index = 0; index < points; index++) {
		const told = (mask & (1 << index)) !== 0 ? value(said[next++]) : undefined;
		if ((mask & (1 << index)) !== 0 && told === undefined) return undefined;
		values.push(told);
	}
	return next === said.length ? { type: "report", seq, age: millis, values } : undefined;
}

/** The payload that announces a point: section 5.1. */
export function encodePoint({ name, kind, access, decimals, unit, min, max, step, labels }: LinkPoint): Uint8Array {
	const head = [name, KINDS.indexOf(kind), ACCESSES.indexOf(access) + 1];
	const tail = kind === "enum" ? labels : kind === "boolean" ? [] : [decimals, unit ?? "", min ?? null, max ?? null, step ?? null];
	return encodeCbor([{ list: head.length + tail.length }, ...head, ...tail]);
}

function pointOf(items: readonly CborItem[]): LinkPoint | undefined {
	const fields = list(items);
	if (!fields) return undefined;
	const [name, kind, access] = [text(fields[0]), KINDS[uint(fields[1], 255) ?? -1], ACCESSES[(uint(fields[2], 255) ?? 0) - 1]];
	if (name === undefined || name === "" || kind === undefined || access === undefined) return undefined;
	const tail = fields.slice(3);
	switch (kind) {
		case "numeric": {
			const [decimals, unit] = [uint(tail[0], MAX_DECIMALS), text(tail[1])];
			const [min, max, step] = tail.slice(2, 5).map((item) => (item === null ? null : value(item)));
			if (decimals === undefined || unit === undefined || min === undefined || max === undefined || step === undefined || (step !== null && step <= 0n)) return undefined;
			return { name, kind, access, decimals, labels: [], ...(unit !== "" && { unit }), ...(min !== null && { min }), ...(max !== null && { max }), ...(step !== null && { step }) };
		}
		case "boolean": return { name, kind, access, decimals: 0, labels: [] };
		case "enum": {
			const labels = tail.map(text).filter((label) => label !== undefined);
			return labels.length > 0 && labels.length === tail.length && !labels.includes("") && new Set(labels).size === labels.length ? { name, kind, access, decimals: 0, labels } : undefined;
		}
	}
}

export function encodeGatewayFrame(frame: GatewayFrame): Uint8Array {
	switch (frame.type) {
		case "hello wanted": case "ping": return seal(frame.type, frame.seq, encodeCbor([]));
		case "points wanted": case "taken": return seal(frame.type, frame.seq, encodeCbor([frame.mask]));
		case "welcome": return seal(frame.type, frame.seq, encodeCbor([frame.schema]));
		case "set": return seal(frame.type, frame.seq, encodeCbor([{ list: 2 }, frame.point, frame.value]));
		case "clock": return seal(frame.type, frame.seq, encodeCbor([{ list: 2 }, frame.seconds, frame.millis]));
	}
}

/** The mirror of encodeGatewayFrame(), from the body of a frame: for tools and tests, for a gateway hears none. */
export function decodeGatewayFrame(body: Uint8Array): GatewayFrame | Broken | Foreign {
	const opened = open(body);
	if ("type" in opened) return opened;
	const { name, seq, items } = opened;
	switch (name) {
		case "hello wanted": case "ping": return items.length === 0 ? { type: name, seq } : misfit(name);
		case "points wanted": case "taken": case "welcome": {
			const bits = uint(items[0], MAX_UINT32);
			if (bits === undefined || items.length !== 1) return misfit(name);
			return name === "welcome" ? { type: name, seq, schema: bits } : { type: name, seq, mask: bits };
		}
		case "set": {
			const fields = list(items);
			const [point, wish] = [uint(fields?.[0], MAX_LINK_POINTS - 1), value(fields?.[1])];
			return point !== undefined && wish !== undefined && fields?.length === 2 ? { type: name, seq, point, value: wish } : misfit(name);
		}
		case "clock": {
			const fields = list(items);
			const [seconds, millis] = [uint(fields?.[0], MAX_UINT32), uint(fields?.[1], 999)];
			return seconds !== undefined && millis !== undefined && fields?.length === 2 ? { type: name, seq, seconds, millis } : misfit(name);
		}
		case "hello": case "point": case "dense": case "sparse": case "accepted": case "refused": case "pong": return FOREIGN;
	}
}
