// Messages as JSON lines, for programs: a record of what a sender published in, what the gateway makes of it out.

import type { Announcement } from "./core/device.js";
import { GatewayError, messageOf } from "./core/errors.js";
import { isReadable, isWritable, type Point } from "./core/point.js";
import { type Judgement, judgeMessages } from "./decode-message.js";
import { judgeSerial, type SerialInput } from "./decode-serial.js";
import { isArray, isNumber, isObject, type Json, type JsonObject, parseJson } from "./south/json.js";
import type { Message } from "./south/link.js";
import type { Meaning } from "./south/meaning.js";
import { jsonText } from "./south/conventions/payload.js";

/** Longest list of messages in one record. */
const MAX_MESSAGES = 10_000;

/** Judge one line. Never throws: what is no record is an answer with `error`. */
export function answerLine(line: string): { readonly text: string; readonly good: boolean } {
	let id: Json | undefined;
	try {
		const record = parseJson(line);
		if (!isObject(record)) throw new GatewayError("bad-request", "Cannot read a record: it is no JSON object");
		id = record["id"];
		return { text: jsonText(answerOf(judgeRecord(record), id)), good: true };
	} catch (error) {
		return { text: jsonText(object({ id, fields: [], error: messageOf(error) })), good: false };
	}
}

/** Judge what one record says, by itself. @throws {GatewayError} `bad-request`. */
export function judgeRecord(record: JsonObject): Judgement {
	const before = list(record["before"]).filter(isObject);
	if (record["transport"] === "serial" || (record["topic"] === undefined && record["seq"] === undefined)) {
		const protocol = text(record["protocol"]) ?? text(record["family"]);
		if (protocol === undefined) throw new GatewayError("bad-request", "Cannot read a record: it has neither a topic nor a protocol");
		return judgeSerial(protocol, serialInput(record), before.map(serialInput));
	}
	return judgeMessages(messagesOf(record), before.flatMap(messagesOf));
}

/** What a record publishes, in order. A record tells the message as its sender publishes it: who listens hears it live, whatever its retain flag. */
function messagesOf(record: JsonObject): Message[] {
	if (record["seq"] !== undefined) return list(record["seq"]).slice(0, MAX_MESSAGES).filter(isObject).flatMap(messagesOf);
	const topic = text(record["topic"]);
	if (topic === undefined) throw new GatewayError("bad-request", "Cannot read a record: it has no topic");
	const contentType = text(record["content_type"]);
	const hex = text(record["payload_hex"]);
	const payload = hex === undefined ? Buffer.from(text(record["payload"]) ?? "", "utf8") : bytesOf(hex);
	return [{ kind: "message", topic, payload, retained: false, ...(contentType !== undefined && { contentType }) }];
}

function serialInput(record: JsonObject): SerialInput {
	const [line, hex, request] = [text(record["line"]), text(record["frame_hex"]) ?? text(record["hex"]), text(record["request_hex"])];
	if (line === undefined && hex === undefined) throw new GatewayError("bad-request", "Cannot read a record: it has neither line nor frame_hex");
	const map = isObject(record["register_map"]) ? list(record["register_map"]["registers"]).filter(isObject) : [];
	const registers = map.flatMap((entry) => {
		const [name, address, type, unit, scale] = [text(entry["name"]), entry["address"], text(entry["type"]), text(entry["unit"]), entry["scale"]];
		return name !== undefined && isNumber(address) && type !== undefined ? [{ name, address: address.number, type, ...(unit !== undefined && { unit }), ...(isNumber(scale) && { scale: scale.number }) }] : [];
	});
	return { bytes: line !== undefined ? Buffer.from(line, "utf8") : bytesOf(hex!), ...(request !== undefined && { request: bytesOf(request) }), ...(registers.length > 0 && { registers }) };
}

/** Bytes written in hexadecimal, blanks between them or not. @throws {GatewayError} `bad-request`. */
export function bytesOf(hex: string): Uint8Array {
	const plain = hex.replace(/\s+/g, "");
	if (!/^(?:[0-9a-f]{2})*$/i.test(plain)) throw new GatewayError("bad-request", `Cannot read "${hex.slice(0, 40)}": bytes are written as pairs of hexadecimal digits`);
	return Buffer.from(plain, "hex");
}

/** Whom the messages speak of: who tells most, else who is described, else who is there or gone. */
export function subjectOf({ meanings }: Judgement): string | undefined {
	const counts = new Map<string, number>();
	for (const { told = [] } of meanings) for (const { address } of told) counts.set(address, (counts.get(address) ?? 0) + 1);
	const most = [...counts].sort(([, a], [, b]) => b - a)[0]?.[0];
	const last = <T>(pick: (meaning: Meaning) => readonly T[] | undefined): T | undefined => meanings.flatMap((meaning) => pick(meaning) ?? []).at(-1);
	return most ?? last((meaning) => meaning.announced?.slice(0, 1))?.address ?? last((meaning) => meaning.states?.slice(0, 1))?.address ?? last((meaning) => meaning.heard?.slice(0, 1)) ?? last((meaning) => meaning.gone);
}

/** The description of an address, whichever of its names it is. */
export function described({ devices }: Judgement, address: string): Announcement | undefined {
	const folded = address.toLowerCase();
	return devices.get(folded) ?? [...devices.values()].find(({ aliases = [] }) => aliases.some((alias) => alias.toLowerCase() === folded));
}

/** One reading of a judgement. */
export type JudgedReading = NonNullable<Meaning["told"]>[number];

/** The readings of each point of each device, in the order in which they came first: all of the last message that told it, for one message may tell a series. */
export function lastReadings({ meanings }: Judgement): JudgedReading[] {
	const last = new Map<string, { readonly meaning: Meaning; readonly readings: JudgedReading[] }>();
	for (const meaning of meanings) {
		for (const one of meaning.told ?? []) {
			const key = `${one.address}\n${one.point}`;
			const before = last.get(key);
			if (before?.meaning === meaning) before.readings.push(one);
			else last.set(key, { meaning, readings: [one] });
		}
	}
	return [...last.values()].flatMap(({ readings }) => readings);
}

/** A judgement as one line of JSON. */
export function answerText(judgement: Judgement): string {
	return jsonText(answerOf(judgement));
}

/** A judgement as one JSON object. */
export function answerOf(judgement: Judgement, id?: Json): Json {
	const { meanings, entities = [] } = judgement;
	const subject = subjectOf(judgement);
	const device = subject === undefined ? undefined : described(judgement, subject);
	const unitOf = (address: string, point: string): string | undefined => {
		const found = described(judgement, address)?.points[point];
		return found?.kind === "numeric" ? found.unit : undefined;
	};
	const fields = lastReadings(judgement).map(({ address, point, value, at }) => object({
		name: point, value, unit: unitOf(address, point), time: at === undefined ? undefined : isoTime(at), device: address === subject ? undefined : address,
	}));
	const states = meanings.flatMap((meaning) => meaning.states ?? []);
	const state = states.filter(({ address }) => address === subject).at(-1) ?? (fields.length === 0 ? states.at(-1) : undefined);
	const announced = new Map(meanings.flatMap((meaning) => meaning.announced ?? []).map((announcement) => [announcement.address, announcement]));
	const controls = device === undefined ? [] : Object.entries(device.points).filter(([, point]) => isWritable(point)).map(([name, point]) => pointJson(name, point));
	const misfits = meanings.flatMap((meaning) => meaning.misfits ?? []).map(({ where, reason }) => object({ where, reason }));
	return object({
		id, by: judgement.by.length === 0 ? undefined : [...judgement.by], device: subject, name: device?.name, manufacturer: device?.manufacturer, model: device?.model, firmware: device?.firmware,
		fields,
		online: state === undefined ? undefined : state.state !== "offline",
		controls: controls.length === 0 ? undefined : controls,
		devices: announced.size === 0 ? undefined : [...announced.values()].map(({ address, name, model, points }) => object({ device: address, name, model, properties: Object.entries(points).map(([point, what]) => pointJson(point, what)) })),
		entities: entities.length === 0 ? undefined : entities.map((facts) => object({ ...facts, points: [...facts.points] })),
		removed: (judgement.takenBack ?? meanings.some(({ gone = [] }) => gone.length > 0)) ? true : undefined,
		misfits: misfits.length === 0 ? undefined : misfits,
	});
}

function pointJson(name: string, point: Point): JsonObject {
	const range = point.kind === "numeric" ? { unit: point.unit, min: point.min, max: point.max, step: point.step } : point.kind === "enum" ? { values: [...point.labels] } : {};
	return object({ name, type: point.kind, label: point.label, ...range, readable: isReadable(point), writable: isWritable(point) });
}

function isoTime(at: number): string | undefined {
	const date = new Date(at);
	return Number.isNaN(date.getTime()) ? undefined : date.toISOString();
}

/** A JSON object of what is there. */
function object(members: Readonly<Record<string, Json | number | undefined>>): JsonObject {
	const made: Record<string, Json> = Object.create(null);
	for (const [key, value] of Object.entries(members)) {
		if (value === undefined) continue;
		made[key] = typeof value === "number" ? { text: String(value), number: value } : value;
	}
	return made;
}

function text(json: Json | undefined): string | undefined {
	return typeof json === "string" ? json : undefined;
}

function list(json: Json | undefined): readonly Json[] {
	return isArray(json) ? json : [];
}
