// Sparkplug B payloads: Protocol Buffers (proto2), read and written by hand, for they have twenty fields and come from strangers
// Source: https://github.com/eclipse-sparkplug/sparkplug/blob/master/specification/src/main/asciidoc/chapters/Sparkplug_6_Payloads.adoc, https://protobuf.dev/programming-guides/encoding/
// Version: Sparkplug 3.0.0
//
// Above 300 lines: nine message types, and what their values mean; reader, meaning and writer share the table of types.

import { GatewayError } from "../../core/errors.js";
import { numericFromNumber, numericFromText, type Value } from "../../core/value.js";

/** Data types by their number: Sparkplug 3.0.0, section 6.4.16. */
export const TYPES = [
	"Unknown", "Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64", "Float", "Double", "Boolean", "String", "DateTime", "Text",
	"UUID", "DataSet", "Bytes", "File", "Template", "PropertySet", "PropertySetList", "Int8Array", "Int16Array", "Int32Array", "Int64Array",
	"UInt8Array", "UInt16Array", "UInt32Array", "UInt64Array", "FloatArray", "DoubleArray", "BooleanArray", "StringArray", "DateTimeArray",
] as const;

export type DataType = (typeof TYPES)[number];

/** The integers, and how many bits they have: they travel as two's complement in fields that may be wider. */
export const INTEGERS: Readonly<Record<string, { readonly bits: 8 | 16 | 32 | 64; readonly signed: boolean }>> = {
	Int8: { bits: 8, signed: true }, Int16: { bits: 16, signed: true }, Int32: { bits: 32, signed: true }, Int64: { bits: 64, signed: true },
	UInt8: { bits: 8, signed: false }, UInt16: { bits: 16, signed: false }, UInt32: { bits: 32, signed: false }, UInt64: { bits: 64, signed: false },
};

/** What a `value` field carried, before its data type says what it means. */
export type Raw = bigint | number | boolean | string | Uint8Array | { readonly float: number } | { readonly dataset: Dataset } | { readonly template: Template };

export interface Metric {
	readonly name?: string;
	readonly alias?: bigint;
	/** Milliseconds since 1970. */
	readonly timestamp?: number;
	readonly type?: DataType;
	readonly isHistorical: boolean;
	readonly isNull: boolean;
	readonly properties: ReadonlyMap<string, Value>;
	readonly raw?: Raw;
}

export interface Dataset {
	readonly columns: readonly string[];
	readonly types: readonly DataType[];
	readonly rows: readonly (readonly (Raw | undefined)[])[];
}

export interface Template {
	readonly isDefinition: boolean;
	readonly metrics: readonly Metric[];
}

export interface SparkplugPayload {
	/** Milliseconds since 1970. */
	readonly timestamp?: number;
	/** 0 to 255. */
	readonly seq?: number;
	readonly uuid?: string;
	readonly metrics: readonly Metric[];
	/** Of metrics that could not be read: the others are. */
	readonly faults: readonly string[];
}

/** Metrics of one payload: the tags of a large controller. */
const MAX_METRICS = 5_000;
/** Templates in templates; more is a mistake of the sender or an attack on the stack. */
const MAX_DEPTH = 4;
const MAX_CELLS = 1_024;
const MAX_PROPERTIES = 64;

const strictUtf8 = new TextDecoder("utf-8", { fatal: true });

/** One field: its number, and what its wire type makes of the bytes. */
type Field = { readonly id: number; readonly varint: bigint } | { readonly id: number; readonly fixed: DataView } | { readonly id: number; readonly bytes: Uint8Array };

/**
 * The fields of a message, in their order. Unknown ones are the caller's business.
 *
 * @throws {GatewayError} `bad-payload` when a field is cut off, or of a wire type that proto2 no longer has.
 */
export function* fields(bytes: Uint8Array): Generator<Field, void> {
	for (let at = 0; at < bytes.length;) {
		const [key, afterKey] = varint(bytes, at);
		const id = Number(key >> 3n);
		if (id === 0 || id > 0x1fff_ffff) throw bad("a field has a number that cannot be");
		switch (Number(key & 7n)) {
			case 0: {
				const [value, end] = varint(bytes, afterKey);
				yield { id, varint: value };
				at = end;
				break;
			}
			case 1: at = fixedEnd(bytes, afterKey, 8); yield { id, fixed: new DataView(bytes.buffer, bytes.byteOffset + afterKey, 8) }; break;
			case 5: at = fixedEnd(bytes, afterKey, 4); yield { id, fixed: new DataView(bytes.buffer, bytes.byteOffset + afterKey, 4) }; break;
			case 2: {
				const [length, start] = varint(bytes, afterKey);
				if (length > BigInt(bytes.length - start)) throw bad("a field is longer than what is left");
				at = start + Number(length);
				yield { id, bytes: bytes.subarray(start, at) };
				break;
			}
			default: throw bad("a field has a wire type that is not known");
		}
	}
}

function varint(bytes: Uint8Array, start: number): [value: bigint, end: number] {
	const first = bytes[start];
	if (first !== undefined && first < 0x80) return [BigInt(first), start + 1];
	let value = 0n;
	for (let at = start, shift = 0n; at < bytes.length; at++, shift += 7n) {
		if (shift > 63n) throw bad("a number has more than ten bytes");
		const byte = bytes[at]!;
		value |= BigInt(byte & 0x7f) << shift;
		if (byte < 0x80) return [BigInt.asUintN(64, value), at + 1];
	}
	throw bad("it ends inside a number");
}

function fixedEnd(bytes: Uint8Array, start: number, length: number): number {
	if (start + length > bytes.length) throw bad("it ends inside a number");
	return start + length;
}

function bad(reason: string): GatewayError {
	return new GatewayError("bad-payload", `Cannot read a Sparkplug payload: ${reason}`);
}

/** Read a payload. A metric that cannot be read does not cost the others. @throws {GatewayError} `bad-payload` when the payload itself cannot be read. */
export function decodePayload(bytes: Uint8Array): SparkplugPayload {
	let timestamp: number | undefined;
	let seq: number | undefined;
	let uuid: string | undefined;
	const metrics: Metric[] = [];
	const faults: string[] = [];
	for (const field of fields(bytes)) {
		if (field.id === 1 && "varint" in field) timestamp = Number(field.varint);
		else if (field.id === 3 && "varint" in field) seq = Number(field.varint);
		else if (field.id === 4 && "bytes" in field) uuid = textOf(field.bytes);
		else if (field.id === 2 && "bytes" in field) {
			if (metrics.length + faults.length >= MAX_METRICS) throw bad(`it has more than ${MAX_METRICS} metrics`);
			try {
				metrics.push(metricFrom(field.bytes, 0));
			} catch (error) {
				if (!(error instanceof GatewayError)) throw error;
				faults.push(error.message);
			}
		}
	}
	return { metrics, faults, ...(timestamp !== undefined && { timestamp }), ...(seq !== undefined && { seq }), ...(uuid !== undefined && { uuid }) };
}

function metricFrom(bytes: Uint8Array, depth: number): Metric {
	const metric: { name?: string; alias?: bigint; timestamp?: number; type?: DataType; isHistorical: boolean; isNull: boolean; properties: ReadonlyMap<string, Value>; raw?: Raw } = { isHistorical: false, isNull: false, properties: NO_PROPERTIES };
	for (const field of fields(bytes)) {
		if ("varint" in field) {
			switch (field.id) {
				case 2: metric.alias = field.varint; break;
				case 3: metric.timestamp = Number(field.varint); break;
				case 4: metric.type = typeFrom(field.varint); break;
				case 5: metric.isHistorical = field.varint !== 0n; break;
				case 7: metric.isNull = field.varint !== 0n; break;
				case 10: case 11: metric.raw = field.varint; break;
				case 14: metric.raw = field.varint !== 0n; break;
			}
		} else if ("fixed" in field) {
			if (field.id === 12 && field.fixed.byteLength === 4) metric.raw = { float: field.fixed.getFloat32(0, true) };
			else if (field.id === 13 && field.fixed.byteLength === 8) metric.raw = field.fixed.getFloat64(0, true);
		} else {
			switch (field.id) {
				case 1: metric.name = textOf(field.bytes); break;
				case 9: metric.properties = propertiesFrom(field.bytes); break;
				case 15: metric.raw = textOf(field.bytes); break;
				case 16: metric.raw = field.bytes; break;
				case 17: metric.raw = { dataset: datasetFrom(field.bytes) }; break;
				case 18: metric.raw = { template: templateFrom(field.bytes, depth + 1) }; break;
			}
		}
	}
	return metric;
}

const NO_PROPERTIES: ReadonlyMap<string, Value> = new Map();

function typeFrom(number: bigint): DataType {
	return TYPES[Number(number)] ?? "Unknown";
}

/** PropertySet: keys and values stand in two lists of one length. Sets inside of sets are left out. */
function propertiesFrom(bytes: Uint8Array): ReadonlyMap<string, Value> {
	const keys: string[] = [];
	const values: (Value | undefined)[] = [];
	for (const field of fields(bytes)) {
		if (!("bytes" in field) || keys.length > MAX_PROPERTIES || values.length > MAX_PROPERTIES) continue;
		if (field.id === 1) keys.push(textOf(field.bytes));
		else if (field.id === 2) values.push(propertyFrom(field.bytes));
	}
	return new Map(keys.flatMap((key, at) => (values[at] === undefined ? [] : [[key, values[at]]])));
}

function propertyFrom(bytes: Uint8Array): Value | undefined {
	let type: DataType = "Unknown";
	let raw: Raw | undefined;
	for (const field of fields(bytes)) {
		if ("varint" in field) {
			if (field.id === 1) type = typeFrom(field.varint);
			else if (field.id === 2 && field.varint !== 0n) return undefined;
			else if (field.id === 3 || field.id === 4) raw = field.varint;
			else if (field.id === 7) raw = field.varint !== 0n;
		} else if ("fixed" in field) {
			if (field.id === 5 && field.fixed.byteLength === 4) raw = { float: field.fixed.getFloat32(0, true) };
			else if (field.id === 6 && field.fixed.byteLength === 8) raw = field.fixed.getFloat64(0, true);
		} else if (field.id === 8) raw = textOf(field.bytes);
	}
	return raw === undefined ? undefined : valueFrom(type, raw);
}

function datasetFrom(bytes: Uint8Array): Dataset {
	const columns: string[] = [];
	const types: DataType[] = [];
	const rows: (readonly (Raw | undefined)[])[] = [];
	let cells = 0;
	for (const field of fields(bytes)) {
		if (field.id === 2 && "bytes" in field) columns.push(textOf(field.bytes));
		else if (field.id === 3 && "varint" in field) types.push(typeFrom(field.varint));
		else if (field.id === 3 && "bytes" in field) for (let at = 0; at < field.bytes.length;) {
			const [type, end] = varint(field.bytes, at);
			types.push(typeFrom(type));
			at = end;
		}
		else if (field.id === 4 && "bytes" in field) {
			const row = [...fields(field.bytes)].flatMap((element) => (element.id === 1 && "bytes" in element ? [cellFrom(element.bytes)] : []));
			cells += row.length + 1;
			rows.push(row);
		}
		if (columns.length > MAX_CELLS || types.length > MAX_CELLS || cells > MAX_CELLS) throw bad(`a data set has more than ${MAX_CELLS} cells`);
	}
	return { columns, types, rows };
}

function cellFrom(bytes: Uint8Array): Raw | undefined {
	let raw: Raw | undefined;
	for (const field of fields(bytes)) {
		if ("varint" in field) raw = field.id === 5 ? field.varint !== 0n : field.varint;
		else if ("fixed" in field) raw = field.fixed.byteLength === 4 ? { float: field.fixed.getFloat32(0, true) } : field.fixed.getFloat64(0, true);
		else if (field.id === 6) raw = textOf(field.bytes);
	}
	return raw;
}

function templateFrom(bytes: Uint8Array, depth: number): Template {
	if (depth > MAX_DEPTH) throw bad(`templates stand in templates deeper than ${MAX_DEPTH}`);
	let isDefinition = false;
	const metrics: Metric[] = [];
	for (const field of fields(bytes)) {
		if (field.id === 5 && "varint" in field) isDefinition = field.varint !== 0n;
		else if (field.id === 2 && "bytes" in field) {
			if (metrics.length >= MAX_CELLS) throw bad(`a template has more than ${MAX_CELLS} metrics`);
			metrics.push(metricFrom(field.bytes, depth));
		}
	}
	return { isDefinition, metrics };
}

function textOf(bytes: Uint8Array): string {
	try {
		return strictUtf8.decode(bytes);
	} catch {
		throw bad("a text is not UTF-8");
	}
}

/**
 * A raw value in the words of the gateway: integers with every digit, cut to the width of their type; times as ISO 8601; data sets and arrays as JSON text.
 *
 * @returns Nothing for what is no value: bytes, files, templates, floats that are no numbers, times that no calendar has, and what is not of its type.
 */
export function valueFrom(type: DataType, raw: Raw): Value | undefined {
	const integer = INTEGERS[type];
	if (integer) {
		const bits = typeof raw === "bigint" ? raw : typeof raw === "boolean" ? BigInt(raw) : undefined;
		return bits === undefined ? undefined : numericFromText(String(integer.signed ? BigInt.asIntN(integer.bits, bits) : BigInt.asUintN(integer.bits, bits)));
	}
	switch (type) {
		case "Float": case "Double": case "Unknown": {
			if (typeof raw === "number") return numericFromNumber(raw);
			if (typeof raw === "object" && "float" in raw) return floatFrom(raw.float);
			if (typeof raw === "bigint") return numericFromText(String(raw));
			return type === "Unknown" && (typeof raw === "boolean" || typeof raw === "string") ? raw : undefined;
		}
		case "Boolean": return typeof raw === "boolean" ? raw : typeof raw === "bigint" ? raw !== 0n : undefined;
		case "String": case "Text": case "UUID": return typeof raw === "string" ? raw : undefined;
		case "DateTime": return typeof raw === "bigint" ? timeText(raw) : undefined;
		case "DataSet": return typeof raw === "object" && "dataset" in raw ? datasetText(raw.dataset) : undefined;
		case "Int8Array": case "Int16Array": case "Int32Array": case "Int64Array": case "UInt8Array": case "UInt16Array": case "UInt32Array": case "UInt64Array":
		case "FloatArray": case "DoubleArray": case "BooleanArray": case "StringArray": case "DateTimeArray":
			return raw instanceof Uint8Array ? arrayText(type, raw) : undefined;
		case "Bytes": case "File": case "Template": case "PropertySet": case "PropertySetList": return undefined;
		default: return undefined;
	}
}

/** The shortest digits that are this 32-bit float: 12.1 and not 12.100000381469727. */
export function floatFrom(float: number): Value | undefined {
	for (let digits = 6; digits < 9; digits++) {
		const short = Number(float.toPrecision(digits));
		if (Math.fround(short) === float) return numericFromNumber(short);
	}
	return numericFromNumber(Number(float.toPrecision(9)));
}

function timeText(millis: bigint): string | undefined {
	const time = new Date(Number(BigInt.asIntN(64, millis)));
	return Number.isNaN(time.getTime()) ? undefined : time.toISOString();
}

/** Longest text of a table or an array: what a person can look at, and a stanza can carry. */
const MAX_TEXT = 2_048;

/** Rows as JSON objects by column. */
function datasetText({ columns, types, rows }: Dataset): string | undefined {
	const text = `[${rows.map((row) => `{${columns.map((column, at) => `${JSON.stringify(column)}:${jsonOf(row[at] === undefined ? undefined : valueFrom(types[at] ?? "Unknown", row[at]))}`).join(",")}}`).join(",")}]`;
	return text.length <= MAX_TEXT ? text : undefined;
}

/** Arrays are packed, little-endian: Sparkplug 3.0.0, section 6.4.17. */
function arrayText(type: DataType, bytes: Uint8Array): string | undefined {
	const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
	const member = type.slice(0, -"Array".length);
	const items: (Value | undefined)[] = [];
	if (bytes.length > MAX_TEXT) return undefined;
	if (member === "Boolean") {
		const count = bytes.length >= 4 ? view.getUint32(0, true) : 0;
		if (count > (bytes.length - 4) * 8) return undefined;
		for (let at = 0; at < count; at++) items.push((bytes[4 + (at >> 3)]! & (0x80 >> (at & 7))) !== 0);
	} else if (member === "String") {
		let start = 0;
		for (const [at, byte] of bytes.entries()) {
			if (byte !== 0) continue;
			items.push(textOf(bytes.subarray(start, at)));
			start = at + 1;
		}
	} else {
		const width = member === "Double" || member === "DateTime" ? 8 : member === "Float" ? 4 : INTEGERS[member]!.bits / 8;
		for (let at = 0; at + width <= bytes.length; at += width) {
			if (member === "Float") items.push(floatFrom(view.getFloat32(at, true)));
			else if (member === "Double") items.push(numericFromNumber(view.getFloat64(at, true)));
			else {
				const bits = width === 8 ? view.getBigUint64(at, true) : BigInt(width === 4 ? view.getUint32(at, true) : width === 2 ? view.getUint16(at, true) : view.getUint8(at));
				items.push(valueFrom(member === "DateTime" ? "DateTime" : TYPES.find((known) => known === member) ?? "Unknown", bits));
			}
		}
	}
	const text = `[${items.map(jsonOf).join(",")}]`;
	return text.length <= MAX_TEXT ? text : undefined;
}

function jsonOf(value: Value | undefined): string {
	if (value === undefined) return "null";
	return typeof value === "object" ? value.text : JSON.stringify(value);
}

/** One metric of a command: known by its alias where its birth gave one, else by its name. Never both (section 6.4.6). */
export interface Wish {
	readonly name?: string;
	readonly alias?: bigint;
	readonly type: DataType;
	readonly value: Value;
}

/**
 * The payload of an NCMD or DCMD.
 *
 * @param timestamp Milliseconds since 1970; left out when nobody knows.
 * @throws {GatewayError} `bad-value` when the value does not fit into its type.
 */
export function encodeCommand(wishes: readonly Wish[], timestamp: number | undefined): Uint8Array {
	const out: number[] = [];
	if (timestamp !== undefined) pushVarint(out, 1, BigInt(timestamp));
	for (const { name, alias, type, value } of wishes) {
		const metric: number[] = [];
		if (name !== undefined && alias === undefined) pushBytes(metric, 1, new TextEncoder().encode(name));
		if (alias !== undefined) pushVarint(metric, 2, alias);
		if (timestamp !== undefined) pushVarint(metric, 3, BigInt(timestamp));
		pushVarint(metric, 4, BigInt(TYPES.indexOf(type)));
		pushValue(metric, type, value, name ?? `alias ${alias}`);
		pushBytes(out, 2, Uint8Array.from(metric));
	}
	return Uint8Array.from(out);
}

function pushValue(out: number[], type: DataType, value: Value, name: string): void {
	const misfit = (): GatewayError => new GatewayError("bad-value", `Cannot send "${typeof value === "object" ? value.text : value}" for "${name}": it is no ${type}`);
	const integer = INTEGERS[type];
	if (integer) {
		if (typeof value !== "object" || !/^-?\d+(?:\.0*)?$/.test(value.text)) throw misfit();
		const whole = BigInt(value.text.replace(/\..*$/, ""));
		if ((integer.signed ? BigInt.asIntN(integer.bits, whole) : BigInt.asUintN(integer.bits, whole)) !== whole) throw misfit();
		// Up to 32 bits in int_value, UInt32 and wider ones in long_value: section 6.4.16.
		pushVarint(out, integer.bits === 64 || type === "UInt32" ? 11 : 10, BigInt.asUintN(integer.bits === 64 ? 64 : 32, whole));
		return;
	}
	if (type === "Boolean") {
		if (typeof value !== "boolean") throw misfit();
		pushVarint(out, 14, BigInt(value));
	} else if (type === "Float" || type === "Double") {
		if (typeof value !== "object") throw misfit();
		const view = new DataView(new ArrayBuffer(8));
		if (type === "Float" && !Number.isFinite(Math.fround(value.number))) throw misfit();
		if (type === "Float") view.setFloat32(0, value.number, true);
		else view.setFloat64(0, value.number, true);
		const width = type === "Float" ? 4 : 8;
		out.push(type === "Float" ? (12 << 3) | 5 : (13 << 3) | 1, ...new Uint8Array(view.buffer, 0, width));
	} else if (type === "String" || type === "Text" || type === "UUID") {
		if (typeof value !== "string") throw misfit();
		pushBytes(out, 15, new TextEncoder().encode(value));
	} else if (type === "DateTime") {
		const time = typeof value === "string" ? Date.parse(value) : NaN;
		if (!(time >= 0)) throw misfit();
		pushVarint(out, 11, BigInt(time));
	} else throw misfit();
}

function pushVarint(out: number[], id: number, value: bigint): void {
	pushNumber(out, BigInt(id << 3));
	pushNumber(out, value);
}

function pushBytes(out: number[], id: number, bytes: Uint8Array): void {
	pushNumber(out, BigInt((id << 3) | 2));
	pushNumber(out, BigInt(bytes.length));
	for (const byte of bytes) out.push(byte);
}

function pushNumber(out: number[], value: bigint): void {
	let rest = value;
	for (; rest > 0x7fn; rest >>= 7n) out.push(Number(rest & 0x7fn) | 0x80);
	out.push(Number(rest));
}
