import { createInterface } from "node:readline";
import { isReadable, isWritable, takes } from "../core/point.js";
import { textOf } from "../core/value.js";
import { GatewayError } from "../core/errors.js";
import { type Judgement, judgeMessages } from "../decode-message.js";
import { answerLine, answerText, bytesOf, described, lastReadings, subjectOf } from "../decode-record.js";
import { judgeSerial, SERIAL_PROTOCOLS } from "../decode-serial.js";
import { table } from "./table.js";

/** What was given on the command line. */
export interface DecodeOptions {
	readonly topic?: string;
	readonly payload?: string;
	readonly hex?: string;
	readonly line?: string;
	readonly protocol?: string;
	readonly request?: string;
	readonly retained?: boolean;
}

/**
 * `jidway decode`: what would the gateway make of this message? Without one on the command line, of each JSON line on stdin.
 *
 * @returns The exit code: 0, or 1 when a line on stdin was no record.
 * @throws {GatewayError} `bad-request` for options that do not go together.
 */
export async function decode(options: DecodeOptions, json: boolean): Promise<number> {
	const { topic, payload, hex, line, protocol, request, retained } = options;
	if (topic === undefined && line === undefined && hex === undefined) {
		if (payload !== undefined || protocol !== undefined) throw new GatewayError("bad-request", "Cannot decode: say --topic with --payload or --hex, or --protocol with --line or --hex, or give JSON lines on stdin");
		return decodeLines();
	}
	let judgement: Judgement;
	if (topic !== undefined) {
		const body = hex === undefined ? Buffer.from(payload ?? "", "utf8") : bytesOf(hex);
		judgement = judgeMessages([{ kind: "message", topic, payload: body, retained: retained === true }]);
	} else {
		if (protocol === undefined) throw new GatewayError("bad-request", `Cannot decode: say --protocol, one of ${SERIAL_PROTOCOLS.join(", ")}, or --topic`);
		judgement = judgeSerial(protocol, { bytes: line === undefined ? bytesOf(hex!) : Buffer.from(line, "utf8"), ...(request !== undefined && { request: bytesOf(request) }) });
	}
	console.log(json ? answerText(judgement) : forPeople(judgement));
	return 0;
}

/** Each line by itself, answered in order. */
async function decodeLines(): Promise<number> {
	let good = true;
	for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
		if (line.trim() === "") continue;
		const answer = answerLine(line);
		good &&= answer.good;
		if (!process.stdout.write(`${answer.text}\n`)) await new Promise<void>((resolve) => process.stdout.once("drain", () => resolve()));
	}
	return good ? 0 : 1;
}

/** Who took it, which device, what it says, what it can be told, and what was not used and why. */
export function forPeople(judgement: Judgement): string {
	const { by, meanings } = judgement;
	const subject = subjectOf(judgement);
	const parts = [by.length === 0 ? "Taken by nobody" : `Taken by ${by.join(" and ")}`];
	const addresses = new Set([...(subject === undefined ? [] : [subject]), ...meanings.flatMap(({ told = [], announced = [], states = [] }) => [...told, ...announced, ...states].map(({ address }) => address))]);
	const readings = lastReadings(judgement);
	for (const address of addresses) {
		const device = described(judgement, address);
		const what = [device?.name, [device?.manufacturer, device?.model].filter(Boolean).join(" "), device?.firmware && `firmware ${device.firmware}`].filter(Boolean).join(", ");
		const state = meanings.flatMap(({ states = [] }) => states).filter((one) => one.address === address).at(-1);
		parts.push(`\nDevice ${address}${what === "" ? "" : ` (${what})`}${state ? `: ${state.state}${state.reason === undefined ? "" : `, ${state.reason}`}` : ""}`);
		const rows = readings.filter((one) => one.address === address).map(({ point, value, at }) => {
			const known = device?.points[point];
			return [`  ${point}`, `${textOf(value)}${known?.kind === "numeric" && known.unit !== undefined ? ` ${known.unit}` : ""}`, at === undefined ? "" : new Date(at).toISOString()];
		});
		if (rows.length > 0) parts.push(table(rows));
		const points = Object.entries(device?.points ?? {});
		const settable = points.filter(([, point]) => isWritable(point));
		if (settable.length > 0) parts.push(`  can be set:\n${table(settable.map(([name, point]) => [`    ${name}`, takes(point)]))}`);
		const silent = points.filter(([name, point]) => isReadable(point) && !readings.some((one) => one.address === address && one.point === name)).map(([name]) => name);
		if (silent.length > 0) parts.push(`  also has: ${silent.join(", ")}`);
	}
	const gone = meanings.flatMap((meaning) => meaning.gone ?? []);
	if (gone.length > 0) parts.push(`\nTaken back: ${gone.join(", ")}`);
	const misfits = meanings.flatMap((meaning) => meaning.misfits ?? []);
	if (misfits.length > 0) parts.push(`\nNot used:\n${table(misfits.map(({ where, reason }) => [`  ${where}`, reason]))}`);
	if (readings.length === 0) parts.push(`\nNo reading: ${whyNothing(judgement)}`);
	return parts.join("\n");
}

function whyNothing({ by, meanings }: Judgement): string {
	if (meanings.some(({ misfits = [] }) => misfits.length > 0)) return "what it carries could not be used, see above";
	if (by.length === 0) return "no convention knows such a topic and payload. A rule under \"topics:\" in the config says what it is";
	if (meanings.some(({ states = [] }) => states.length > 0)) return "it says whether the device is there";
	if (meanings.some(({ announced = [] }) => announced.length > 0)) return "it describes a device";
	if (meanings.some(({ gone = [] }) => gone.length > 0)) return "it takes a device back";
	return "it is a command, a request, or news of a bridge, or it carries no value";
}
