// What would the gateway make of these bytes of a serial port? The framer and the dialect of the gateway itself, without a port.

import type { Announcement } from "./core/device.js";
import { GatewayError, messageOf } from "./core/errors.js";
import type { NumericPoint } from "./core/point.js";
import { unitFrom } from "./core/unit.js";
import type { Judgement } from "./decode-message.js";
import type { ScalarType } from "./south/codec/scalar.js";
import { ONE, ZERO } from "./south/codec/decimal.js";
import type { ModbusDefinition, ModbusPoint } from "./south/definition.js";
import type { Packet } from "./south/link.js";
import type { Dialect, Meaning, Misfit } from "./south/meaning.js";
import { SerialDialect } from "./south/serial/dialect.js";
import { hexOf } from "./south/serial/framer.js";
import { LineFramer } from "./south/serial/lines.js";
import { SERIAL_PROTOCOLS as TALKING } from "./south/serial/protocols/all.js";
import { isRead, parseAnswer, parseRequest, TABLE_OF } from "./south/serial/modbus-rtu.js";

/** What came from the port, and what is needed to understand it. */
export interface SerialInput {
	readonly bytes: Uint8Array;
	/** Modbus: what was asked. */
	readonly request?: Uint8Array;
	/** Modbus: what the registers mean. */
	readonly registers?: readonly { readonly name: string; readonly address: number; readonly type: string; readonly unit?: string; readonly scale?: number }[];
}

/** One protocol: makes packets of bytes, and the dialect that understands them. */
interface Road {
	readonly dialect: Dialect;
	readonly packets: readonly Packet["body"][];
	/** Bytes that made no packet. */
	readonly faults: readonly Misfit[];
}

/** The address of what has none of its own: in a gateway the id of the link. */
const LINK = "port";

/** To add a protocol: its line here. Names as a config has them, and those by which people know it. */
const ROADS: ReadonlyMap<string, (input: SerialInput) => Road> = new Map([
	["lines", (input: SerialInput) => lines(input, "lines")],
	["text-lines", (input: SerialInput) => lines(input, looksLikeJson(input.bytes) ? "json-lines" : "lines")],
	["json-lines", (input: SerialInput) => lines(input, "json-lines")],
	["modbus-rtu", modbus],
	...TALKING.flatMap(({ name, alias }) => [name, ...(alias === undefined ? [] : [alias])].map((each): [string, (input: SerialInput) => Road] => [each, (input) => talk(input, name)])),
]);

/** The protocols that can be judged. */
export const SERIAL_PROTOCOLS: readonly string[] = [...ROADS.keys()];

/** Judge bytes of a serial port. @throws {GatewayError} `bad-request` when there is no such protocol. */
export function judgeSerial(protocol: string, input: SerialInput, before: readonly SerialInput[] = []): Judgement {
	const road = ROADS.get(protocol);
	if (!road) throw new GatewayError("bad-request", `Cannot decode "${protocol}": it is none of the protocols that are built: ${SERIAL_PROTOCOLS.join(", ")}`);
	const { dialect, packets, faults } = road(input);
	const devices = new Map<string, Announcement>();
	const note = (announcements: readonly Announcement[] = []): void => announcements.forEach((one) => devices.set(one.address.toLowerCase(), one));
	const hear = (body: Packet["body"]): Meaning => {
		const meaning = dialect.decode({ body, received: 0, taken: () => undefined });
		note(meaning.announced);
		return meaning;
	};
	note(dialect.announced());
	for (const earlier of before) road(earlier).packets.forEach(hear);
	const meanings = packets.map(hear);
	return { by: packets.length > 0 ? [protocol] : [], meanings: [...meanings, ...(faults.length > 0 ? [{ misfits: faults }] : [])], devices };
}

/** A protocol that knows its devices by itself. A line may come without its end. */
function talk({ bytes }: SerialInput, protocol: string): Road {
	const dialect = new SerialDialect({ link: LINK, protocol, devices: [] });
	const framer = dialect.framer();
	const packets: Packet["body"][] = [];
	const faults: Misfit[] = [];
	for (const frame of framer.push(framer instanceof LineFramer ? Uint8Array.from([...bytes, 0x0a]) : bytes)) {
		if (frame.kind === "fault") faults.push({ where: LINK, reason: frame.reason, sample: frame.sample });
		else packets.push("text" in frame ? { kind: "line", text: frame.text } : { kind: "frame", bytes: frame.bytes });
	}
	return { dialect, packets, faults };
}

function lines({ bytes }: SerialInput, protocol: "lines" | "json-lines"): Road {
	const packets: Packet["body"][] = [];
	const faults: Misfit[] = [];
	for (const frame of new LineFramer().push(Uint8Array.from([...bytes, 0x0a]))) {
		if (frame.kind === "frame") packets.push({ kind: "line", text: frame.text });
		else faults.push({ where: LINK, reason: frame.reason, sample: frame.sample });
	}
	return { dialect: new SerialDialect({ link: LINK, protocol, devices: [] }), packets, faults };
}

function looksLikeJson(bytes: Uint8Array): boolean {
	return bytes.find((byte) => byte > 0x20) === 0x7b;
}

/** An answer, with its question and a register map; anything else on a Modbus line tells nothing. */
function modbus({ bytes, request, registers = [] }: SerialInput): Road {
	const asked = request ?? bytes;
	const unit = asked[0] ?? 0;
	const nothing = (reason: string): Road => ({ dialect: new SerialDialect({ link: LINK, protocol: "modbus-rtu", devices: [] }), packets: [], faults: [{ where: `unit ${unit}`, reason, sample: hexOf(bytes.subarray(0, 40)) }] });
	try {
		const question = parseRequest(asked);
		if (!request) return nothing(`a request of function ${question.function}: it tells nothing of the unit`);
		const answer = parseAnswer(bytes, question);
		if (answer.kind === "exception") return nothing(answer.text);
		if (answer.kind === "done" || !isRead(question)) return nothing("a command was taken; it tells no value");
		const table = TABLE_OF[question.function];
		const definition = definitionOf(table, registers);
		const dialect = new SerialDialect({ link: LINK, protocol: "modbus-rtu", devices: registers.length === 0 ? [] : [{ address: String(unit), definition }] });
		return { dialect, packets: [{ kind: "registers", unit, table, first: question.first, values: answer.values }], faults: registers.length === 0 ? nothing("what the registers mean stands in a definition, and there is none").faults : [] };
	} catch (error) {
		return nothing(messageOf(error));
	}
}

const TYPES: Readonly<Record<string, ScalarType>> = { int16: "i16", uint16: "u16", int32: "i32", uint32: "u32", int64: "i64", uint64: "u64", float32: "f32", i16: "i16", u16: "u16", i32: "i32", u32: "u32", i64: "i64", u64: "u64", f32: "f32", float: "f32" };

function definitionOf(table: "coil" | "discrete" | "input" | "holding", registers: NonNullable<SerialInput["registers"]>): ModbusDefinition {
	const points: Record<string, ModbusPoint> = {};
	for (const { name, address, type, unit, scale } of registers) {
		const [, word, end] = /^([a-z]+\d*)([bl]e)?$/.exec(type) ?? [];
		const bit = table === "coil" || table === "discrete";
		const known = unit === undefined ? undefined : unitFrom(unit);
		const point: NumericPoint = { kind: "numeric", access: "r", ...(known !== undefined && { unit: known }) };
		points[name] = {
			point: bit ? { kind: "boolean", access: "r" } : point,
			at: {
				table, register: address, type: bit ? "bool" : (TYPES[word ?? ""] ?? "u16"), order: { word: end === "le" ? "little" : "big", byte: "big" }, mask: 0xffff,
				scale: scale === undefined ? ONE : scaleOf(scale), offset: ZERO, labels: new Map(), invalid: [], multiple: false,
			},
		};
	}
	return { model: "unknown", name: "unknown", source: { document: "command line", revision: "", table: "" }, type: "sensor", file: "", protocol: "modbus-rtu", every: 60_000, request: { registers: 125, gap: 0 }, points, samples: [] };
}

function scaleOf(scale: number): { readonly digits: bigint; readonly decimals: number } {
	const decimals = Math.max(0, (String(scale).split(".")[1] ?? "").length);
	return { digits: BigInt(Math.round(scale * 10 ** decimals)), decimals };
}
