// JSON from devices: RFC 8259, bounded, and with the digits of every number.
// The only file that knows the parser: JSON.parse() of Node 20 turns 21.50 into 21.5.

import { parse } from "lossless-json";
import { GatewayError } from "../core/errors.js";
import { type Numeric, numericFromText, type Value } from "../core/value.js";

/**
 * A parsed message. Its objects have no prototype, so that no key of a sender can be taken for one of ours, and so that
 * an object with the members `text` and `number` is never taken for a number: tell them apart with isObject() and isNumber().
 */
export type Json = Numeric | string | boolean | null | readonly Json[] | JsonObject;
export interface JsonObject {
	readonly [key: string]: Json;
}

/** Longest message. The largest in the field, a Zigbee2MQTT device list, has some 300 KiB. */
export const MAX_JSON_LENGTH = 1_048_576;
/** Deepest nesting. The parser calls itself for each level; device messages have fewer than ten. */
export const MAX_JSON_DEPTH = 64;
/** Most points that one message makes: a device with more is a mistake of the sender. */
const MAX_SCALARS = 256;
/** Longest path that becomes the name of a point. */
const MAX_PATH = 128;

const strictUtf8 = new TextDecoder("utf-8", { fatal: true });

/** The bytes as UTF-8 text, without a byte order mark; nothing when they are none. */
export function decodeText(bytes: Uint8Array): string | undefined {
	try {
		return strictUtf8.decode(bytes);
	} catch {
		return undefined;
	}
}

/**
 * Parse a message. Of keys that occur twice the last wins; a number that no device can mean (`1e400`, more than 64 digits)
 * stays the text that it was.
 *
 * @throws {GatewayError} `bad-payload` for what is not UTF-8 or not JSON, longer than 1 MiB or nested deeper than 64. Its message holds nothing of the sender,
 *   for faults are counted by it; where the syntax is broken says the `cause`.
 */
export function parseJson(bytes: Uint8Array | string): Json {
	if (bytes.length > MAX_JSON_LENGTH) throw new GatewayError("bad-payload", `Cannot read JSON: longer than ${MAX_JSON_LENGTH} bytes`);
	const text = typeof bytes === "string" ? bytes : decodeText(bytes);
	if (text === undefined) throw new GatewayError("bad-payload", "Cannot read JSON: not UTF-8 text");
	if (isTooDeep(text)) throw new GatewayError("bad-payload", `Cannot read JSON: nested deeper than ${MAX_JSON_DEPTH}`);
	let parsed: unknown;
	try {
		parsed = parse(text, null, { parseNumber: (digits) => new Digits(digits), onDuplicateKey: ({ newValue }) => newValue });
	} catch (error) {
		throw new GatewayError("bad-payload", "Cannot read JSON: its syntax is broken", { cause: error });
	}
	return jsonOf(parsed);
}

/** A number between the parser and jsonOf(): a class of its own, for nothing that a sender writes becomes one. */
class Digits {
	readonly text: string;

	constructor(text: string) {
		this.text = text;
	}
}

function jsonOf(parsed: unknown): Json {
	if (parsed instanceof Digits) return numericFromText(parsed.text) ?? parsed.text;
	if (typeof parsed === "string" || typeof parsed === "boolean" || parsed === null) return parsed;
	if (Array.isArray(parsed)) return parsed.map(jsonOf);
	const object: Record<string, Json> = Object.create(null);
	if (typeof parsed === "object") for (const [key, value] of Object.entries(parsed)) object[key] = jsonOf(value);
	return object;
}

/** Brackets outside of strings, counted in one pass before the parser sees them. */
function isTooDeep(text: string): boolean {
	let depth = 0;
	let quoted = false;
	for (let at = 0; at < text.length; at++) {
		const char = text.charCodeAt(at);
		if (quoted) {
			if (char === BACKSLASH) at++;
			else if (char === QUOTE) quoted = false;
		} else if (char === QUOTE) quoted = true;
		else if (char === BRACE_OPEN || char === BRACKET_OPEN) {
			if (++depth > MAX_JSON_DEPTH) return true;
		} else if (char === BRACE_CLOSE || char === BRACKET_CLOSE) depth--;
	}
	return false;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const BRACKET_OPEN = 0x5b;
const BRACKET_CLOSE = 0x5d;
const BRACE_OPEN = 0x7b;
const BRACE_CLOSE = 0x7d;

export function isArray(json: Json | undefined): json is readonly Json[] {
	return Array.isArray(json);
}

export function isObject(json: Json | undefined): json is JsonObject {
	return typeof json === "object" && json !== null && Object.getPrototypeOf(json) === null;
}

export function isNumber(json: Json | undefined): json is Numeric {
	return typeof json === "object" && json !== null && !Array.isArray(json) && Object.getPrototypeOf(json) !== null;
}

/**
 * What stands at `path`: `temp`, `AM2301.Temperature`, `list[0].power`; the empty path is the whole.
 *
 * A key that contains a dot or a bracket is found too: the longest key that the path begins with is tried first.
 */
export function atPath(json: Json | undefined, path: string): Json | undefined {
	if (path === "") return json;
	if (isArray(json)) {
		const index = /^\[(\d{1,7})\]/.exec(path);
		if (!index) return undefined;
		return atPath(json[Number(index[1])], afterStep(path, index[0].length));
	}
	if (!isObject(json)) return undefined;
	for (let end = path.length; end > 0; end--) {
		const next = path[end];
		if (next !== undefined && next !== "." && next !== "[") continue;
		const found = json[path.slice(0, end)];
		if (found === undefined) continue;
		const inside = atPath(found, afterStep(path, end));
		if (inside !== undefined) return inside;
	}
	return undefined;
}

function afterStep(path: string, end: number): string {
	return path.slice(path[end] === "." ? end + 1 : end);
}

/** A scalar as the value of a point; nothing for `null`, lists and objects. */
export function asValue(json: Json | undefined): Value | undefined {
	if (typeof json === "string" || typeof json === "boolean") return json;
	return isNumber(json) ? json : undefined;
}

/**
 * Every scalar with its path, in the order of the message: nested keys joined by `.`, list elements as `[i]`; a message that is itself a scalar has the path "".
 *
 * At most 256; of two with one path the first; what has a path longer than 128 characters is left out.
 */
export function* scalars(json: Json): Generator<readonly [path: string, value: Value], void> {
	const seen = new Set<string>();
	for (const found of walk(json, "")) {
		if (seen.has(found[0])) continue;
		if (seen.size >= MAX_SCALARS) return;
		seen.add(found[0]);
		yield found;
	}
}

function* walk(json: Json, path: string): Generator<readonly [string, Value], void> {
	if (path.length > MAX_PATH) return;
	const value = asValue(json);
	if (value !== undefined) yield [path, value];
	else if (isArray(json)) for (let i = 0; i < json.length; i++) yield* walk(json[i]!, `${path}[${i}]`);
	else if (isObject(json)) for (const [key, inner] of Object.entries(json)) if (key !== "") yield* walk(inner, path === "" ? key : `${path}.${key}`);
}
