import { numericFromText, textOf, type Value } from "../../core/value.js";
import { GatewayError, messageOf } from "../../core/errors.js";
import type { Point } from "../../core/point.js";
import type { Definition, FrameSample, LineSample, ModbusSample } from "../definition.js";
import type { Outgoing, Packet } from "../link.js";
import { hexOf } from "./framer.js";
import { SerialDialect } from "./dialect.js";
import { buildRequest, isRead, parseAnswer, parseRequest, TABLE_OF, writeRequest } from "./modbus-rtu.js";

type Sample = ModbusSample | LineSample | FrameSample;

const SAMPLE_LINK = "sample";

/**
 * Decode what a definition holds as samples, and encode what they set.
 *
 * @returns One line for each sample that does not say what the definition claims; nothing when all do.
 */
export function checkSamples(definition: Definition): readonly string[] {
	const samples: readonly Sample[] = definition.samples;
	return samples.flatMap((sample, index) => {
		try {
			return problemsOf(definition, sample).map((problem) => `${definition.model}, sample ${index + 1}: ${problem}`);
		} catch (error) {
			return [`${definition.model}, sample ${index + 1}: ${messageOf(error)}`];
		}
	});
}

function problemsOf(definition: Definition, sample: Sample): string[] {
	// Address 0 never answers, so a sample that cannot be read has some unit nevertheless.
	const unit = "request" in sample ? (bytesOf(sample.request)[0] ?? 1) : 1;
	const address = definition.protocol === "modbus-rtu" ? String(unit) : SAMPLE_LINK;
	const dialect = new SerialDialect({ link: SAMPLE_LINK, protocol: definition.protocol, devices: [{ address, definition }] });
	if ("set" in sample) {
		const said = Object.entries(sample.set).flatMap(([name, text]) => dialect.encode(address, name, valueFor(definition.points[name]?.point, text))).map(wireOf);
		const wished = "request" in sample ? hexOf(bytesOf(sample.request)) : "frame" in sample ? hexOf(bytesOf(sample.frame)) : sample.line;
		return said.length === 1 && said[0] === wished ? [] : [`it sends "${said.join('", "')}", not "${wished}"`];
	}
	const problem = "frame" in sample ? frameProblem(dialect, bytesOf(sample.frame)) : undefined;
	if (problem !== undefined) return [problem];
	const meaning = dialect.decode(packetOf(sample));
	const told = new Map((meaning.told ?? []).map(({ point, value }) => [point, textOf(value)]));
	const problems = Object.entries(sample.readings).filter(([name, text]) => told.get(name) !== text).map(([name, text]) => `${name} is ${told.get(name) ?? "not in it"}, not ${text}`);
	return [...problems, ...(meaning.misfits ?? []).map(({ reason }) => reason)];
}

/** Is it one whole frame, as the definition has it? */
function frameProblem(dialect: SerialDialect, bytes: Uint8Array): string | undefined {
	const cut = [...dialect.framer().push(bytes)];
	const [first] = cut;
	if (first === undefined) return "it is shorter than its frame";
	return cut.length > 1 || first.kind === "fault" || !("bytes" in first) || first.bytes.length !== bytes.length ? `it is no frame: ${first.kind === "fault" ? first.reason : "it is longer than its frame"}` : undefined;
}

function packetOf(sample: Exclude<Sample, { readonly set: unknown }>): Packet {
	const rest = { received: 0, taken: () => {} };
	if ("line" in sample) return { body: { kind: "line", text: sample.line }, ...rest };
	if ("frame" in sample) return { body: { kind: "frame", bytes: bytesOf(sample.frame) }, ...rest };
	const request = parseRequest(bytesOf(sample.request));
	const answer = parseAnswer(bytesOf(sample.response), request);
	if (!isRead(request) || answer.kind !== "values") throw new GatewayError("bad-frame", "Cannot read values from it: it is a write or an exception");
	return { body: { kind: "registers", unit: request.unit, table: TABLE_OF[request.function], first: request.first, values: answer.values }, ...rest };
}

/** What leaves the port, as a sample writes it. */
function wireOf(out: Outgoing): string {
	switch (out.kind) {
		case "line": return out.text;
		case "message": return out.topic;
		case "frame": return hexOf(out.bytes);
		case "setting": return `${out.point} = ${out.value}`;
		case "registers": return hexOf(buildRequest(writeRequest(out)));
	}
}

function valueFor(point: Point | undefined, text: string): Value {
	if (point?.kind === "boolean") return text === "true";
	return (point?.kind === "numeric" ? numericFromText(text) : undefined) ?? text;
}

function bytesOf(hex: string): Uint8Array {
	return Uint8Array.from(hex.replaceAll(" ", "").match(/../g) ?? [], (pair) => parseInt(pair, 16));
}
