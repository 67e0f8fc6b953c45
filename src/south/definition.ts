// What a model of device is, as data: the YAML files of devices/ and of the user's own folder.
// Above 300 lines: the keys of the file, what they mean and which of them contradict each other must be read side by side.

import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { isMap, isNode, isScalar, LineCounter, parseDocument } from "yaml";
import { z } from "zod";
import type { Millis } from "../core/clock.js";
import { parseDuration } from "../core/duration.js";
import { GatewayError, messageOf } from "../core/errors.js";
import { nearest } from "../core/nearest.js";
import type { Point } from "../core/point.js";
import { type Unit, unitFrom } from "../core/unit.js";
import { numericFromText } from "../core/value.js";
import { type Decimal, decimalFrom, decimalText } from "./codec/decimal.js";
import { CHECKSUM_NAMES, checksumLength } from "./codec/checksum.js";
import type { Separator } from "./codec/text-fields.js";
import { BYTE_TYPES, type FrameFormat, type FramePlace, type FrameTemplate, widthOf as bytesOf } from "./serial/frame-place.js";
import type { FrameModel } from "./serial/frame-talk.js";
import type { LinePlace } from "./serial/line-place.js";
import { lengthOf, type RegisterPlace } from "./serial/register-place.js";

/** What every definition says. */
interface DefinitionBase {
	/** Unique, lower case: what `devices:` of the config names. */
	readonly model: string;
	readonly manufacturer?: string;
	readonly name: string;
	readonly description?: string;
	/** Where the layout is published. */
	readonly source: { readonly document: string; readonly revision: string; readonly table: string; readonly url?: string };
	/** What sort of thing: sensor, switch, meter … */
	readonly type: string;
	/** How often it is asked, or speaks by itself. Left out where silence is normal. */
	readonly every?: Millis;
	/** The port settings as sold. */
	readonly serial?: { readonly baud: number; readonly parity?: "none" | "even" | "odd"; readonly data?: 7 | 8; readonly stop?: 1 | 2 };
	/** The file that it came from. */
	readonly file: string;
}

/** One point of a Modbus unit. */
export interface ModbusPoint {
	readonly point: Point;
	readonly at: RegisterPlace;
}

/** A device that is asked for registers. */
export interface ModbusDefinition extends DefinitionBase {
	readonly protocol: "modbus-rtu";
	readonly every: Millis;
	/** Most registers that it answers at once, and how many unused ones may be read between two used ones. */
	readonly request: { readonly registers: number; readonly gap: number };
	readonly points: Readonly<Record<string, ModbusPoint>>;
	readonly samples: readonly ModbusSample[];
}

/** Frames of a document or a real device, and what they mean. Hexadecimal, with their checksums. */
export type ModbusSample =
	| { readonly request: string; readonly response: string; readonly readings: Readonly<Record<string, string>> }
	/** A command, and the frame that it must become. */
	| { readonly set: Readonly<Record<string, string>>; readonly request: string };

/** One point of a device that speaks in lines. */
export interface LinePoint {
	readonly point: Point;
	readonly at: LinePlace;
}

/** A device that prints lines. */
export interface LineDefinition extends DefinitionBase {
	readonly protocol: "lines" | "json-lines";
	readonly separator?: Separator;
	/** Lines that are known to mean nothing: `*` stands for any characters. */
	readonly ignore: readonly string[];
	/** Point that says how often the device speaks, in its unit of time; wins over `every`. */
	readonly everyFrom?: string;
	/** What ends a line that is sent. */
	readonly lineEnd: "\n" | "\r\n" | "\r";
	readonly points: Readonly<Record<string, LinePoint>>;
	readonly samples: readonly LineSample[];
}

/** A line as the device printed it, or one that it must be sent. */
export type LineSample =
	| { readonly line: string; readonly readings: Readonly<Record<string, string>> }
	| { readonly set: Readonly<Record<string, string>>; readonly line: string };

/** A device that speaks in fixed binary frames. */
export interface FrameDefinition extends DefinitionBase, FrameModel {
	readonly protocol: "frames";
	readonly model: string;
	readonly manufacturer?: string;
	readonly type: string;
	readonly every?: Millis;
	readonly points: Readonly<Record<string, { readonly point: Point; readonly at: FramePlace }>>;
	readonly samples: readonly FrameSample[];
}

/** A frame as the device sent it, or one that it must be sent. Hexadecimal, with its checksum. */
export type FrameSample =
	| { readonly frame: string; readonly readings: Readonly<Record<string, string>> }
	| { readonly set: Readonly<Record<string, string>>; readonly frame: string };

/** A model of device as data. A protocol that is new gets a member here and a schema below. */
export type Definition = ModbusDefinition | LineDefinition | FrameDefinition;

/** Something that makes a definition unusable. */
export interface DefinitionFault {
	readonly file: string;
	readonly line: number;
	readonly column: number;
	/** What, why, and what was probably meant. */
	readonly message: string;
}

// ---- the file -------------------------------------------------------------------------------------------------------

const duration = z.string().transform((text, context): Millis => {
	const span = parseDuration(text) ?? 0;
	if (span >= 100) return span; // a bus that is asked more often does nothing else
	context.addIssue({ code: "custom", message: `"${text}" is no length of time of at least 100ms; write 500ms, 5s, 15m or 24h` });
	return z.NEVER;
});

const unit = z.string().transform((text, context): Unit => {
	const found = unitFrom(text);
	if (found !== undefined) return found;
	context.addIssue({ code: "custom", message: `"${text}" is no known unit; src/core/unit.ts lists them` });
	return z.NEVER;
});

const decimal = z.union([z.number(), z.string()]).transform((text, context): Decimal => {
	const numeric = numericFromText(String(text));
	const found = numeric && decimalFrom(numeric.text);
	if (found) return found;
	context.addIssue({ code: "custom", message: `"${String(text)}" is no decimal number` });
	return z.NEVER;
});

const pointKeys = {
	kind: z.enum(["numeric", "boolean", "enum", "text"]).default("numeric"),
	unit: unit.optional(),
	access: z.enum(["r", "w", "rw"]).default("r"),
	label: z.string().min(1).max(100).optional(),
	category: z.enum(["momentary", "peak", "status", "computed", "identity"]).optional(),
	confirm: z.enum(["state", "none"]).optional(),
	timeout: duration.optional(),
	min: z.number().optional(),
	max: z.number().optional(),
	step: z.number().positive().optional(),
	integer: z.boolean().optional(),
	labels: z.array(z.string().min(1)).min(1).max(200).optional(),
};
const numberKeys = { scale: decimal.optional(), offset: decimal.optional(), decimals: z.int().min(0).max(12).optional() };
const registerKeys = {
	table: z.enum(["holding", "input", "coil", "discrete"]),
	register: z.int().min(0).max(65_535),
	type: z.enum(["u16", "i16", "u32", "i32", "u64", "i64", "f32", "bool", "bits"]),
	word_order: z.enum(["big", "little"]).default("big"),
	byte_order: z.enum(["big", "little"]).default("big"),
	mask: z.int().min(1).max(65_535).optional(),
	...numberKeys,
	labels: z.record(z.string().regex(/^-?\d{1,10}$/, "must be a whole number"), z.string().min(1)).optional(),
	invalid: z.array(z.union([z.int(), z.string().regex(/^0x[0-9a-fA-F]{1,16}$/, "must be a whole number or a text like 0x7FFF")])).default([]),
	multiple: z.boolean().default(false),
	together: z.boolean().optional(),
};
const wordKeys = {
	key: z.string().min(1).max(64).optional(),
	field: z.int().min(1).max(256).optional(),
	path: z.string().min(1).max(128).optional(),
	on: z.string().min(1).optional(),
	off: z.string().min(1).optional(),
	...numberKeys,
	labels: z.record(z.string(), z.string().min(1)).optional(),
	invalid: z.array(z.string()).default([]),
};
const setKeys = { line: z.string().min(1).max(1_000) };
const sourceKeys = { document: z.string().min(3), revision: z.string().min(1), table: z.string().min(1), url: z.url().optional() };
const serialKeys = { baud: z.int().min(50).max(4_000_000), parity: z.enum(["none", "even", "odd"]).optional(), data: z.union([z.literal(7), z.literal(8)]).optional(), stop: z.union([z.literal(1), z.literal(2)]).optional() };
const requestKeys = { registers: z.int().min(1).max(125).default(125), gap: z.int().min(0).max(64).default(8) };
// Digits are kept: 23.40 without quotes would lose its last one before anybody could see it.
const readings = z.record(z.string(), z.union([z.string(), z.boolean().transform(String)], "must be written in quotes, so that its digits are kept"));
const hex = z.string().regex(/^[0-9a-fA-F]{2}( ?[0-9a-fA-F]{2})*$/, "must be bytes in hexadecimal: 01 04 00 01");
const modbusSampleKeys = { request: hex, response: hex.optional(), readings: readings.optional(), set: readings.optional() };
const lineSampleKeys = { line: z.string().min(1), readings: readings.optional(), set: readings.optional() };

const hexBytes = hex.transform((text) => bytesFromHex(text));
const rawNumber = z.union([z.int(), z.string().regex(/^0x[0-9a-fA-F]{1,16}$/, "must be a whole number or a text like 0x7FFF")]);
const order = z.enum(["big", "little"]);
const frameKeys = {
	start: hexBytes,
	length: z.union([z.int().min(2).max(1_024), z.strictObject({ byte: z.int().min(0).max(255), type: z.enum(["u8", "u16"]).default("u8"), order: order.default("big"), add: z.int().min(-8).max(64).default(0) })]),
	lengths: z.array(z.int().min(2).max(1_024)).min(1).max(20).optional(),
	max: z.int().min(2).max(1_024).default(256),
	end: hexBytes.optional(),
	checksum: z.strictObject({ name: z.enum(CHECKSUM_NAMES), from: z.int().min(-1_024).max(1_024).default(0), to: z.int().min(-1_024).max(1_024).optional(), at: z.int().min(-1_024).max(1_024).optional(), order: order.default("big") }).optional(),
};
const byteKeys = {
	byte: z.int().min(-1_024).max(1_023),
	bytes: z.int().min(1).max(64).optional(),
	type: z.enum(BYTE_TYPES),
	order: order.default("big"),
	mask: z.int().min(1).max(0xffff_ffff).optional(),
	...numberKeys,
	labels: z.record(z.string().regex(/^-?\d{1,10}$/, "must be a whole number"), z.string().min(1)).optional(),
	invalid: z.array(rawNumber).default([]),
	when: z.strictObject({ byte: z.int().min(-1_024).max(1_023).optional(), is: hexBytes.optional(), length: z.union([z.int(), z.array(z.int()).min(1)]).optional() }).optional(),
};
const frameSetKeys = { frame: z.string().min(2).max(1_000), type: z.enum(BYTE_TYPES).optional(), order: order.default("big"), on: z.int().min(0).default(1), off: z.int().min(0).default(0) };
const frameSampleKeys = { frame: hex, readings: readings.optional(), set: readings.optional() };

const commonKeys = {
	model: z.string().regex(/^[a-z0-9][a-z0-9.-]*$/, "must be made of a-z, 0-9, dots and -").max(63),
	manufacturer: z.string().min(1).max(100).optional(),
	name: z.string().min(1).max(100),
	description: z.string().max(1_000).optional(),
	source: z.strictObject(sourceKeys),
	type: z.string().regex(/^[a-z-]+$/, "must be a word like sensor, switch or meter"),
	serial: z.strictObject(serialKeys).optional(),
};
const modbusKeys = {
	...commonKeys,
	protocol: z.literal("modbus-rtu"),
	every: duration,
	request: z.strictObject(requestKeys).prefault({}),
	points: z.record(z.string(), z.strictObject({ ...pointKeys, at: z.strictObject(registerKeys) })),
	samples: z.array(z.strictObject(modbusSampleKeys)).min(1, "must hold at least one sample"),
};
const lineKeys = {
	...commonKeys,
	protocol: z.enum(["lines", "json-lines"]),
	every: duration.optional(),
	every_from: z.string().optional(),
	separator: z.enum([",", ";", "tab", "blank"]).optional(),
	ignore: z.array(z.string().min(1).max(200)).max(50).default([]),
	line_end: z.enum(["lf", "crlf", "cr"]).default("lf"),
	points: z.record(z.string(), z.strictObject({ ...pointKeys, at: z.strictObject(wordKeys), set: z.strictObject(setKeys).optional() })),
	samples: z.array(z.strictObject(lineSampleKeys)).min(1, "must hold at least one sample"),
};
const framesKeys = {
	...commonKeys,
	protocol: z.literal("frames"),
	every: duration.optional(),
	frame: z.strictObject(frameKeys),
	identity: z.strictObject({ byte: z.int().min(0).max(1_023), bytes: z.int().min(1).max(16) }).optional(),
	poll: z.strictObject({ every: duration, request: hexBytes }).optional(),
	points: z.record(z.string(), z.strictObject({ ...pointKeys, at: z.strictObject(byteKeys).optional(), set: z.strictObject(frameSetKeys).optional() })),
	samples: z.array(z.strictObject(frameSampleKeys)).min(1, "must hold at least one sample"),
};
const schema = z.discriminatedUnion("protocol", [z.strictObject(modbusKeys), z.strictObject(lineKeys), z.strictObject(framesKeys)]);
type Raw = z.output<typeof schema>;
type RawModbus = Extract<Raw, { protocol: "modbus-rtu" }>;
type RawFrames = Extract<Raw, { protocol: "frames" }>;
type RawLine = Exclude<Raw, RawModbus | RawFrames>;
type Path = readonly PropertyKey[];
type Complain = (path: Path, message: string) => void;

/** Which keys there are at a path: for "did you mean". */
function keysAt(path: Path, protocol: unknown): readonly string[] {
	const modbus = protocol === "modbus-rtu";
	const [first, , third] = path;
	if (protocol === "frames" && first !== "source" && first !== "serial") return frameKeysAt(path);
	if (first === undefined) return Object.keys(modbus ? modbusKeys : lineKeys);
	if (first === "source") return Object.keys(sourceKeys);
	if (first === "serial") return Object.keys(serialKeys);
	if (first === "request") return Object.keys(requestKeys);
	if (first === "samples") return Object.keys(modbus ? modbusSampleKeys : lineSampleKeys);
	if (third === "at") return Object.keys(modbus ? registerKeys : wordKeys);
	if (third === "set") return Object.keys(setKeys);
	return [...Object.keys(pointKeys), "at", ...(modbus ? [] : ["set"])];
}

function frameKeysAt([first, second, third, fourth]: Path): readonly string[] {
	if (first === undefined) return Object.keys(framesKeys);
	if (first === "frame") return second === "checksum" ? ["name", "from", "to", "at", "order"] : second === "length" ? ["byte", "type", "order", "add"] : Object.keys(frameKeys);
	if (first === "identity") return ["byte", "bytes"];
	if (first === "poll") return ["every", "request"];
	if (first === "samples") return Object.keys(frameSampleKeys);
	if (third === "at") return fourth === "when" ? ["byte", "is", "length"] : Object.keys(byteKeys);
	return third === "set" ? Object.keys(frameSetKeys) : [...Object.keys(pointKeys), "at", "set"];
}

/** The largest published register maps have a few hundred lines. */
const MAX_FILE_BYTES = 256 * 1024;

/** Read one definition, or say all that is wrong with it. Never throws for what the text holds. */
export function parseDefinition(text: string, file: string): { readonly definition: Definition } | { readonly faults: readonly DefinitionFault[] } {
	const faults: DefinitionFault[] = [];
	const lines = new LineCounter();
	const fault = (offset: number, message: string): void => {
		const { line, col } = lines.linePos(offset);
		faults.push({ file, line, column: col, message });
	};
	if (text.length > MAX_FILE_BYTES) return { faults: [{ file, line: 1, column: 1, message: `Cannot use "${file}": it has more than ${MAX_FILE_BYTES} characters` }] };
	const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
	for (const problem of [...document.errors, ...document.warnings]) fault(problem.pos[0], `Cannot read "${file}": ${problem.message.split("\n")[0] ?? ""}`);
	if (faults.length > 0) return { faults };
	/** Where the node at the path begins, or the nearest one above it that exists; with a key, where that key of it begins. */
	const at = (path: Path, key?: string): number => {
		let length = path.length;
		while (length > 0 && document.getIn(path.slice(0, length), true) === undefined) length--;
		const node: unknown = length === 0 ? document.contents : document.getIn(path.slice(0, length), true);
		const pair = key !== undefined && isMap(node) ? node.items.find((item) => isScalar(item.key) && String(item.key.value) === key) : undefined;
		const found = pair?.key ?? node;
		return isNode(found) ? (found.range?.[0] ?? 0) : 0;
	};
	let data: unknown;
	try {
		data = document.toJS({ maxAliasCount: 20 });
	} catch (error) {
		return { faults: [{ file, line: 1, column: 1, message: `Cannot read "${file}": ${messageOf(error)}` }] };
	}
	const protocol = typeof data === "object" && data !== null && "protocol" in data ? data.protocol : undefined;
	const parsed = schema.safeParse(data);
	if (!parsed.success) {
		const { issues } = parsed.error;
		const misspelt = new Set<string>();
		for (const issue of issues) {
			if (issue.code !== "unrecognized_keys") continue;
			for (const key of issue.keys) {
				const meant = nearest(key, keysAt(issue.path, protocol));
				fault(at(issue.path, key), `Cannot use "${[...issue.path, key].join(".")}": there is no such key${meant === undefined ? "" : `; did you mean "${meant}"`}`);
				if (meant !== undefined) misspelt.add([...issue.path, meant].join("."));
			}
		}
		for (const issue of issues) {
			const where = issue.path.join(".");
			const given = document.getIn(issue.path, true) !== undefined;
			if (issue.code === "unrecognized_keys" || (!given && misspelt.has(where))) continue;
			fault(at(issue.path), `Cannot ${given ? "use" : "find"} "${where || file}": ${given ? issue.message.replace(/^Invalid (input|option): /, "") : "it is required"}`);
		}
		return { faults };
	}
	const complain: Complain = (path, message) => fault(at(path), `Cannot use "${path.join(".")}": ${message}`);
	const raw = parsed.data;
	const definition = raw.protocol === "modbus-rtu" ? modbusDefinition(raw, file, complain) : raw.protocol === "frames" ? frameDefinition(raw, file, complain) : lineDefinition(raw, file, complain);
	return faults.length > 0 ? { faults } : { definition };
}

// ---- what the keys mean, and which contradict each other ---------------------------------------------------------------

type RawPoint = z.output<z.ZodObject<typeof pointKeys>>;

function pointOf(raw: RawPoint, labels: readonly string[], step: number | undefined, path: Path, complain: Complain): Point {
	const { access, label, category, confirm, timeout } = raw;
	const base = { access, ...(label !== undefined && { label }), ...(category && { category }), ...(confirm && { confirm }), ...(timeout !== undefined && { timeout }) };
	const numericOnly = (["unit", "min", "max", "step", "integer"] as const).filter((key) => raw[key] !== undefined);
	if (raw.kind !== "numeric") for (const key of numericOnly) complain([...path, key], `a point of kind ${raw.kind} has none`);
	if (raw.min !== undefined && raw.max !== undefined && raw.min > raw.max) complain([...path, "min"], `it is above max, ${raw.max}`);
	switch (raw.kind) {
		case "numeric": {
			const { unit, min, max, integer } = raw;
			const grid = raw.step ?? (access === "r" ? undefined : step);
			return { kind: "numeric", ...base, ...(unit && { unit }), ...(min !== undefined && { min }), ...(max !== undefined && { max }), ...(grid !== undefined && { step: grid }), ...(integer !== undefined && { integer }) };
		}
		case "boolean": return { kind: "boolean", ...base };
		case "enum": {
			const all = raw.labels ?? labels;
			if (all.length === 0) complain([...path, "kind"], "an enum needs labels, one for each of its values");
			return { kind: "enum", ...base, labels: [...new Set(all)] };
		}
		case "text": return { kind: "text", ...base };
	}
}

/** Point names are shown to people, typed by them, and keys of objects. */
const POINT_NAME = /^[A-Za-z][A-Za-z0-9_.-]{0,63}$/;

function baseOf(raw: Raw, file: string, complain: Complain): DefinitionBase {
	const seen = new Map<string, string>();
	if (Object.keys(raw.points).length === 0) complain(["points"], "it must hold at least one point");
	for (const name of Object.keys(raw.points)) {
		const twin = seen.get(name.toLowerCase());
		if (twin !== undefined) complain(["points", name], `it differs from "${twin}" in case alone`);
		seen.set(name.toLowerCase(), name);
		if (!POINT_NAME.test(name)) complain(["points", name], "a point's name is a letter and up to 63 letters, digits, dots, - and _");
	}
	raw.samples.forEach((sample, index) => {
		const told = { ...sample.readings, ...sample.set };
		if (sample.readings && sample.set) complain(["samples", index], "a sample has readings or set, not both");
		if (Object.keys(told).length === 0) complain(["samples", index], "a sample must name at least one reading, or what it sets");
		for (const name of Object.keys(told)) if (!Object.hasOwn(raw.points, name)) complain(["samples", index], `there is no point "${name}"`);
	});
	const { model, manufacturer, name, description, source, type, every, serial } = raw;
	const { url, ...named } = source;
	return {
		model, name, type, file, source: { ...named, ...(url !== undefined && { url }) },
		...(manufacturer !== undefined && { manufacturer }), ...(description !== undefined && { description }), ...(every !== undefined && { every }),
		...(serial && { serial: { baud: serial.baud, ...(serial.parity && { parity: serial.parity }), ...(serial.data && { data: serial.data }), ...(serial.stop && { stop: serial.stop }) } }),
	};
}

const NOTHING_ADDED: Decimal = { digits: 0n, decimals: 0 };
const UNSCALED: Decimal = { digits: 1n, decimals: 0 };

function modbusDefinition(raw: RawModbus, file: string, complain: Complain): ModbusDefinition {
	const points: Record<string, ModbusPoint> = {};
	for (const [name, { at, ...rest }] of Object.entries(raw.points)) {
		const path = ["points", name];
		const scale = at.scale ?? UNSCALED;
		if (scale.digits === 0n) complain([...path, "at", "scale"], "nothing can be multiplied by zero and read back");
		const place: RegisterPlace = {
			table: at.table, register: at.register, type: at.type, order: { word: at.word_order, byte: at.byte_order }, mask: at.mask ?? 0xffff, scale, offset: at.offset ?? NOTHING_ADDED,
			...(at.decimals !== undefined && { decimals: at.decimals }),
			labels: new Map(Object.entries(at.labels ?? {}).map(([number, label]) => [BigInt(number), label])),
			invalid: at.invalid.map((bits) => BigInt.asUintN(16 * Math.max(1, widthOf(at.type)), BigInt(bits))),
			multiple: at.multiple,
			...(at.together && { together: true as const }),
		};
		const oneBit = at.table === "coil" || at.table === "discrete";
		if (oneBit && at.type !== "bool") complain([...path, "at", "type"], `a ${at.table} is one bit: its type is bool`);
		if (rest.kind === "text") complain([...path, "kind"], "registers hold no text");
		if (rest.kind === "boolean" && at.type !== "bool" && at.type !== "bits") complain([...path, "at", "type"], "a boolean is bool or bits");
		if (rest.kind !== "boolean" && at.type === "bool") complain([...path, "at", "type"], `bool makes a boolean, and the point is ${rest.kind}`);
		if ((at.type === "bits") !== (at.mask !== undefined)) complain([...path, "at", at.mask === undefined ? "type" : "mask"], "bits need a mask, and only they have one");
		if (rest.access !== "r" && (at.table === "input" || at.table === "discrete")) complain([...path, "access"], `a register of the table "${at.table}" cannot be written`);
		if (rest.access !== "r" && at.type === "bits") complain([...path, "access"], "bits of a register cannot be written: the other bits would be lost");
		if (at.together && (at.table !== "holding" || rest.access !== "rw")) complain([...path, "at", "together"], "function 23 writes and reads holding registers: the table is holding, and the access rw");
		if (at.together && at.multiple) complain([...path, "at", "together"], "a write is by function 16 (multiple) or by 23 (together)");
		if (rest.labels !== undefined) complain([...path, "labels"], "of registers, labels belong into at: a number for each");
		if (rest.kind === "enum" && at.type === "f32") complain([...path, "at", "type"], "an enum is a whole number");
		if (at.register + lengthOf(place) > 65_536) complain([...path, "at", "register"], "it reaches beyond register 65535");
		points[name] = { point: pointOf(rest, [...place.labels.values()], at.type === "f32" ? undefined : Math.abs(Number(decimalText(scale))), path, complain), at: place };
	}
	const samples = raw.samples.flatMap((sample, index): ModbusSample[] => {
		if (sample.set) return [{ set: sample.set, request: sample.request }];
		if (sample.response !== undefined) return [{ request: sample.request, response: sample.response, readings: sample.readings ?? {} }];
		complain(["samples", index], "readings need the response that they are in");
		return [];
	});
	return { ...baseOf(raw, file, complain), protocol: "modbus-rtu", every: raw.every, request: raw.request, points, samples };
}

function widthOf(type: RegisterPlace["type"]): number {
	return type === "u64" || type === "i64" ? 4 : type === "u32" || type === "i32" || type === "f32" ? 2 : 1;
}

const LINE_ENDS = { lf: "\n", crlf: "\r\n", cr: "\r" } as const;

function lineDefinition(raw: RawLine, file: string, complain: Complain): LineDefinition {
	const points: Record<string, LinePoint> = {};
	for (const [name, { at, set, ...rest }] of Object.entries(raw.points)) {
		const path = ["points", name];
		const scale = at.scale ?? UNSCALED;
		if (scale.digits === 0n) complain([...path, "at", "scale"], "nothing can be multiplied by zero and read back");
		const given = [at.key, at.field, at.path].filter((each) => each !== undefined).length;
		if (given !== 1) complain([...path, "at"], `it takes one of key, field and path, and has ${given}`);
		if (given === 1 && (at.path !== undefined) !== (raw.protocol === "json-lines")) complain([...path, "at"], raw.protocol === "json-lines" ? "in JSON a point stands at a path" : "a path leads through JSON, and these lines are none");
		if ((at.on === undefined) !== (at.off === undefined)) complain([...path, "at"], "on and off are given together");
		if (rest.access !== "r" && set === undefined) complain(path, "a point that can be written needs set: the line that sets it");
		if (rest.access === "r" && set !== undefined) complain([...path, "set"], "the point is read-only: say access: rw");
		if (set && rest.kind !== "boolean" && !set.line.includes("{value}")) complain([...path, "set", "line"], "it has no {value} in it");
		if (set && /[\r\n]/.test(set.line)) complain([...path, "set", "line"], "it is more than one line");
		const labels = new Map(Object.entries(at.labels ?? {}));
		points[name] = {
			point: pointOf(rest, [...labels.values()], scale.digits === 1n && scale.decimals === 0 ? undefined : Math.abs(Number(decimalText(scale))), path, complain),
			at: {
				where: at.key !== undefined ? { key: at.key } : at.field !== undefined ? { field: at.field } : { path: at.path ?? "" },
				scale, offset: at.offset ?? NOTHING_ADDED, labels, invalid: at.invalid,
				...(at.decimals !== undefined && { decimals: at.decimals }), ...(at.on !== undefined && { on: at.on }), ...(at.off !== undefined && { off: at.off }), ...(set && { set: set.line }),
			},
		};
	}
	const rhythm = raw.every_from === undefined ? undefined : points[raw.every_from]?.point;
	if (raw.every_from !== undefined && (rhythm?.kind !== "numeric" || rhythm.unit === undefined || millisPer(rhythm.unit) === undefined)) complain(["every_from"], "it names no numeric point with a unit of time");
	const samples = raw.samples.map(({ line, readings, set }): LineSample => (set ? { set, line } : { line, readings: readings ?? {} }));
	return {
		...baseOf(raw, file, complain), protocol: raw.protocol, points, samples, ignore: raw.ignore, lineEnd: LINE_ENDS[raw.line_end],
		...(raw.separator !== undefined && { separator: raw.separator === "tab" ? "\t" : raw.separator }), ...(raw.every_from !== undefined && { everyFrom: raw.every_from }),
	};
}

function bytesFromHex(text: string): Uint8Array {
	return Uint8Array.from(text.replaceAll(" ", "").match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

function frameDefinition(raw: RawFrames, file: string, complain: Complain): FrameDefinition {
	const { start, length, lengths, end, checksum } = raw.frame;
	const name = checksum?.name ?? "none";
	const size = checksumLength(name);
	const at = checksum?.at ?? -(size + (end?.length ?? 0));
	const to = checksum?.to ?? at;
	const max = typeof length === "number" ? length : Math.max(raw.frame.max, ...(lengths ?? []));
	const smallest = typeof length === "number" ? length : Math.min(...(lengths ?? [start.length + size + (end?.length ?? 0) + 1]));
	const placeIn = (place: number): number => (place < 0 ? smallest + place : place);
	if (smallest < start.length + size + (end?.length ?? 0)) complain(["frame", "length"], "start, checksum and end take more than that");
	if (typeof length !== "number" && length.byte >= smallest) complain(["frame", "length", "byte"], "it lies beyond the smallest frame");
	if (size > 0 && (placeIn(at) < 0 || placeIn(at) + size > smallest)) complain(["frame", "checksum", "at"], "it lies outside of the frame");
	if (size > 0 && placeIn(checksum?.from ?? 0) >= placeIn(to)) complain(["frame", "checksum", "from"], "it covers nothing");
	if (raw.identity && raw.identity.byte + raw.identity.bytes > smallest) complain(["identity"], "it lies outside of the frame");
	const frame: FrameFormat = { start, length, max, checksum: { name, from: checksum?.from ?? 0, to, at, order: checksum?.order ?? "big" }, ...(lengths && { lengths }), ...(end && { end }) };
	const points: Record<string, { readonly point: Point; readonly at: FramePlace }> = {};
	for (const [name, { at: place, set, ...rest }] of Object.entries(raw.points)) {
		const path = ["points", name];
		const type = place?.type ?? "u8";
		const bytes = bytesOf(type) ?? place?.bytes ?? 1;
		const scale = place?.scale ?? UNSCALED;
		const labels = new Map(Object.entries(place?.labels ?? {}).map(([number, label]) => [BigInt(number), label]));
		if (scale.digits === 0n) complain([...path, "at", "scale"], "nothing can be multiplied by zero and read back");
		if (place === undefined && rest.access !== "w") complain(path, "a point that can be read needs at: where it lies in the frame");
		if (place && (place.byte < 0 ? -place.byte > max || place.byte + bytes > 0 : place.byte + bytes > max)) complain([...path, "at", "byte"], `it reaches beyond the ${max} bytes of the frame`);
		if (place && bytesOf(type) !== undefined && place.bytes !== undefined && place.bytes !== bytes) complain([...path, "at", "bytes"], `${type} has ${bytes}`);
		if (place && bytesOf(type) === undefined && place.bytes === undefined) complain([...path, "at", "type"], `${type} needs bytes: how many there are`);
		if (place && (type === "bits") !== (place.mask !== undefined)) complain([...path, "at", place.mask === undefined ? "type" : "mask"], "bits need a mask, and only they have one");
		if ((rest.kind === "text") !== (type === "ascii" || type === "hex") && place) complain([...path, "kind"], "a text is ascii or hex, and nothing else is");
		if (rest.kind === "boolean" && place && type !== "bool" && type !== "bits") complain([...path, "at", "type"], "a boolean is bool or bits");
		if (rest.kind !== "boolean" && type === "bool" && place) complain([...path, "at", "type"], `bool makes a boolean, and the point is ${rest.kind}`);
		if (rest.labels !== undefined) complain([...path, "labels"], "of frames, labels belong into at: a number for each");
		const when = place?.when;
		if (when && (when.byte === undefined) !== (when.is === undefined)) complain([...path, "at", "when"], "byte and is are given together");
		if (when && (when.byte === undefined) === (when.length === undefined)) complain([...path, "at", "when"], "it takes either byte and is, or length");
		if ((rest.access === "r") !== (set === undefined)) complain(path, rest.access === "r" ? "the point is read-only: say access: rw" : "a point that can be written needs set: the frame that sets it");
		const template = set && templateOf(set, type, (message) => complain([...path, "set", "frame"], message), rest.kind !== "boolean" || set.frame.includes("{value}"));
		points[name] = {
			point: pointOf(rest, [...labels.values()], type === "f32" ? undefined : Math.abs(Number(decimalText(scale))), path, complain),
			at: {
				byte: place?.byte ?? 0, bytes, type, order: place?.order ?? "big", mask: place?.mask ?? 0xff, scale, offset: place?.offset ?? NOTHING_ADDED, labels,
				invalid: (place?.invalid ?? []).map((bits) => BigInt.asUintN(8 * bytes, BigInt(bits))),
				...(place?.decimals !== undefined && { decimals: place.decimals }),
				...(when?.byte !== undefined && when.is !== undefined && { when: { byte: when.byte, is: when.is } }),
				...(when?.length !== undefined && { when: { lengths: [when.length].flat() } }),
				...(template && { set: template }),
			},
		};
	}
	const samples = raw.samples.map(({ frame: bytes, readings, set }): FrameSample => (set ? { set, frame: bytes } : { frame: bytes, readings: readings ?? {} }));
	return { ...baseOf(raw, file, complain), protocol: "frames", frame, points, samples, ...(raw.identity && { identity: raw.identity }), ...(raw.poll && { poll: raw.poll }) };
}

/** `A0 01 {value} {checksum}`. */
function templateOf({ frame, type, order, on, off }: z.output<z.ZodObject<typeof frameSetKeys>>, at: FramePlace["type"], complain: (message: string) => void, needsValue: boolean): FrameTemplate {
	const parts = frame.trim().split(/\s+/).map((part): Uint8Array | "value" | "checksum" => {
		if (part === "{value}") return "value";
		if (part === "{checksum}") return "checksum";
		if (!/^([0-9a-fA-F]{2})+$/.test(part)) complain(`"${part.slice(0, 20)}" is neither bytes in hexadecimal nor {value} nor {checksum}`);
		return bytesFromHex(part);
	});
	const width = type ?? at;
	if (needsValue && !parts.includes("value")) complain("it has no {value} in it");
	if (bytesOf(width) === undefined) complain(`a value of type ${width} cannot be written: say type: u8 or another number`);
	return { parts, type: width === "bool" || width === "bits" ? "u8" : width, order, on, off };
}

/** How long one of the unit is; nothing for what is no unit of time. */
export function millisPer(unit: Unit): Millis | undefined {
	return unit === "ms" || unit === "s" || unit === "min" || unit === "h" ? parseDuration(`1${unit}`) : undefined;
}

// ---- folders ---------------------------------------------------------------------------------------------------------

/**
 * All definitions of some folders (`*.yaml`, `*.yml`), by model. A later folder overrides an earlier one.
 *
 * @throws {GatewayError} `bad-config` with one line for each fault of each file; its cause is the list of DefinitionFault.
 */
export function loadDefinitions(folders: readonly string[]): Map<string, Definition> {
	const definitions = new Map<string, Definition>();
	const faults: DefinitionFault[] = [];
	for (const folder of folders) {
		const here = new Map<string, Definition>();
		for (const file of filesOf(folder, faults)) {
			const text = textOfFile(file, faults);
			const parsed = text === undefined ? { faults: [] } : parseDefinition(text, file);
			if ("faults" in parsed) {
				faults.push(...parsed.faults);
				continue;
			}
			const twin = here.get(parsed.definition.model);
			if (twin) faults.push({ file, line: 1, column: 1, message: `Cannot use model "${parsed.definition.model}": "${twin.file}" defines it already` });
			here.set(parsed.definition.model, parsed.definition);
		}
		for (const [model, definition] of here) definitions.set(model, definition);
	}
	if (faults.length > 0) throw new GatewayError("bad-config", faults.map(({ file, line, column, message }) => `${file}:${line}:${column}: ${message}`).join("\n"), { cause: faults });
	return definitions;
}

function filesOf(folder: string, faults: DefinitionFault[]): string[] {
	try {
		return readdirSync(folder).filter((name) => /\.ya?ml$/.test(name)).sort().map((name) => join(folder, name));
	} catch (error) {
		faults.push({ file: folder, line: 1, column: 1, message: `Cannot read the folder "${folder}": ${messageOf(error)}` });
		return [];
	}
}

function textOfFile(file: string, faults: DefinitionFault[]): string | undefined {
	try {
		if (statSync(file).size <= MAX_FILE_BYTES) return readFileSync(file, "utf8");
		faults.push({ file, line: 1, column: 1, message: `Cannot use "${file}": it has more than ${MAX_FILE_BYTES} bytes` });
	} catch (error) {
		faults.push({ file, line: 1, column: 1, message: `Cannot read "${file}": ${messageOf(error)}` });
	}
	return undefined;
}
