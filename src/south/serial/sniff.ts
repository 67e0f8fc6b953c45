// What speaks on a serial port? Pure: bytes in, guesses with their evidence out.

import { hasCrc16 } from "../codec/crc.js";
import { fieldsOf, keyValues, numericFromField } from "../codec/text-fields.js";
import { isObject, parseJson } from "../json.js";
import { hexOf, sampleOf } from "./framer.js";
import { LineFramer } from "./lines.js";
import type { PortMode } from "./protocol.js";
import { SERIAL_PROTOCOLS, serialProtocol } from "./protocols/all.js";

/** One answer, the better the higher its score. */
export interface Guess {
	/** What a config calls it; nothing when only its framing can be seen. */
	readonly protocol: string | undefined;
	/** 0 to 1: which part of the bytes it explains. */
	readonly score: number;
	/** For people: what was seen. */
	readonly evidence: string;
}

/** What was heard at one setting of the port. */
export interface Heard {
	readonly mode: PortMode;
	readonly bytes: Uint8Array;
}

/** Settings to try, the most usual first. */
export const MODES: readonly PortMode[] = [{ baud: 9_600 }, { baud: 115_200 }, { baud: 57_600 }, { baud: 38_400 }, { baud: 19_200 }, { baud: 4_800 }, { baud: 2_400 }, { baud: 9_600, parity: "even", data: 7 }, { baud: 9_600, parity: "even" }, { baud: 230_400 }];

/** Two messages by chance in one recording are one in a million where there is a checksum. */
const ENOUGH = 2;
const GOOD = 0.5;
/** A recording of some seconds; more teaches nothing. */
const MAX_BYTES = 65_536;

/** What the bytes may be, the best guess first; none for silence. */
export function guess(heard: Uint8Array): readonly Guess[] {
	const bytes = heard.subarray(0, MAX_BYTES);
	if (bytes.length === 0) return [];
	const guesses = [...SERIAL_PROTOCOLS.flatMap(({ name }) => ofProtocol(name, bytes) ?? []), ...[modbus(bytes), ...lines(bytes)].filter((one) => one !== undefined)];
	return guesses.sort((a, b) => b.score - a.score);
}

/** The best of several recordings: which setting, and what is spoken there. Nothing when none makes sense. */
export function best(recordings: readonly Heard[]): (Guess & { readonly mode: PortMode }) | undefined {
	return recordings.flatMap(({ mode, bytes }) => guess(bytes).slice(0, 1).map((one) => ({ ...one, mode }))).sort((a, b) => b.score - a.score)[0];
}

function ofProtocol(name: string, bytes: Uint8Array): Guess | undefined {
	const protocol = serialProtocol(name)!;
	const framer = protocol.talk({ link: "port", address: "port" }).framer();
	let [count, explained, first] = [0, 0, ""];
	// A line may be under way when the recording ends; it is not counted.
	for (const frame of framer.push(bytes)) {
		if (frame.kind === "fault") continue;
		const cut = "text" in frame ? { kind: "line" as const, text: frame.text } : { kind: "frame" as const, bytes: frame.bytes };
		if (!protocol.claims(cut)) continue;
		count++;
		explained += "text" in frame ? frame.text.length + 2 : frame.bytes.length;
		if (first === "") first = "text" in frame ? frame.text.slice(0, 60) : hexOf(frame.bytes.subarray(0, 16));
	}
	const score = Math.min(1, explained / bytes.length);
	if (count === 0 || (count < ENOUGH && score < GOOD)) return undefined;
	// A protocol of its own says more than lines in general do.
	return { protocol: name, score: Math.min(1, score + 0.05), evidence: `${count} ${count === 1 ? "message" : "messages"} of ${protocol.title}, the first: ${first}` };
}

/** Requests and answers of a Modbus line that somebody else is the master of. */
function modbus(bytes: Uint8Array): Guess | undefined {
	let [count, explained, first] = [0, 0, ""];
	for (let at = 0; at + 5 <= bytes.length;) {
		const code = bytes[at + 1]!;
		const third = bytes[at + 2]!;
		const lengths = code >= 1 && code <= 4 ? [8, 5 + third] : code === 5 || code === 6 ? [8] : code === 15 || code === 16 ? [8, 9 + (bytes[at + 6] ?? 0)] : (code & 0x80) !== 0 && (code & 0x7f) <= 23 ? [5] : [];
		const length = lengths.find((each) => at + each <= bytes.length && hasCrc16(bytes, at, at + each));
		if (length === undefined) at++;
		else {
			if (first === "") first = hexOf(bytes.subarray(at, at + Math.min(length, 16)));
			count++;
			explained += length;
			at += length;
		}
	}
	return count < ENOUGH ? undefined : { protocol: "modbus-rtu", score: Math.min(1, explained / bytes.length + 0.05), evidence: `${count} frames with a right CRC-16 of Modbus, the first: ${first}; another master asks on this line already` };
}

function lines(bytes: Uint8Array): readonly Guess[] {
	const framer = new LineFramer();
	const texts: string[] = [];
	for (const frame of framer.push(bytes)) if (frame.kind === "frame") texts.push(frame.text);
	// The first one was under way when the recording began.
	const whole = texts.length > 2 ? texts.slice(1) : texts;
	if (whole.length === 0) return [];
	const share = (all: readonly string[]): number => Math.min(1, all.reduce((sum, text) => sum + text.length + 2, 0) / bytes.length);
	const printable = bytes.filter((byte) => (byte >= 0x20 && byte < 0x7f) || byte === 0x09 || byte === 0x0a || byte === 0x0d).length / bytes.length;
	const json = whole.filter(isJson);
	const paired = whole.filter((text) => !isJson(text) && keyValues(text) !== undefined);
	const rows = whole.filter((text) => keyValues(text) === undefined && fieldsOf(text).length > 1 && fieldsOf(text).every((field) => numericFromField(field) !== undefined));
	const found: Guess[] = [];
	if (json.length > 0) found.push({ protocol: "json-lines", score: share(json), evidence: `${json.length} lines of JSON, the first: ${json[0]!.slice(0, 60)}` });
	if (paired.length + rows.length > 0) found.push({ protocol: "lines", score: share([...paired, ...rows]) * printable, evidence: `${paired.length} lines of key and value, ${rows.length} rows of numbers, the first: ${(paired[0] ?? rows[0]!).slice(0, 60)}` });
	// Lines of something: the baud rate is right, if most of it can be printed.
	if (printable > 0.9) found.push({ protocol: "lines", score: 0.3 * printable, evidence: `${whole.length} lines of text, the first: ${sampleOf(new TextEncoder().encode(whole[0]!.slice(0, 60)))}` });
	return found;
}

function isJson(text: string): boolean {
	if (!text.trimStart().startsWith("{")) return false;
	try {
		return isObject(parseJson(text));
	} catch {
		return false;
	}
}

/** Lines for the config. */
export function yamlOf(path: string, { protocol, evidence, mode }: Guess & { readonly mode: PortMode }, id = "serial0"): string {
	const lines = [
		"links:",
		`  # ${evidence.replace(/[^\u0020-\uffff]/g, " ")}`,
		`  - id: ${id}`,
		"    kind: serial",
		`    path: ${path}`,
		`    baud: ${mode.baud}`,
		...(mode.parity === undefined || mode.parity === "none" ? [] : [`    parity: ${mode.parity}`]),
		...(mode.data === undefined || mode.data === 8 ? [] : [`    data: ${mode.data}`]),
		`    protocol: ${protocol ?? "lines"}`,
	];
	if (protocol === "modbus-rtu") lines.push("devices:", "  # one entry for each unit: its number, and a model of devices/", `  - { id: unit1, link: ${id}, address: 1, definition: MODEL }`);
	else if (protocol !== undefined && !serialProtocol(protocol)?.many) lines.push("devices: # a name of your own, if you wish", `  - { id: ${id}-device, link: ${id} }`);
	return `${lines.join("\n")}\n`;
}
