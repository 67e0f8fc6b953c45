import assert from "node:assert/strict";
import { test } from "node:test";
import { numericFromText, textOf, type Value } from "../../../src/core/value.js";
import { GatewayError } from "../../../src/core/errors.js";
import { type Definition, parseDefinition } from "../../../src/south/definition.js";
import { SerialDialect } from "../../../src/south/serial/dialect.js";
import { checkSamples } from "../../../src/south/serial/samples.js";
import { Chance, mutate, RUNS } from "../../fakes/fuzz.js";

const YAML = `
model: acme-f1
name: Tank probe with a pump
source: { document: manual, revision: "1", table: "2" }
type: sensor
protocol: frames
every: 1s
frame: { start: "5A A5", length: { byte: 2, type: u8, add: 4 }, lengths: [14, 16], max: 16, checksum: { name: crc16-modbus, from: 2, order: little } }
poll: { every: 5s, request: "5A A5 01 00" }
points:
  level: { unit: mm, at: { byte: 3, type: u16, invalid: [0xFFFF] } }
  temperature: { unit: "°C", at: { byte: 5, type: i16, order: little, scale: 0.1 } }
  pump: { kind: boolean, access: rw, at: { byte: 7, type: bits, mask: 4 }, set: { frame: "5A A5 02 {value} {checksum}", on: 255 } }
  mode: { kind: enum, access: rw, at: { byte: 8, type: u8, labels: { 0: "off", 1: auto, 2: manual } }, set: { frame: "5A A5 03 {value} {checksum}" } }
  limit: { unit: mm, access: rw, min: 0, max: 5000, at: { byte: 9, type: u16 }, set: { frame: "5A A5 04 {value} {checksum}" } }
  pressure: { unit: Pa, at: { byte: 12, type: u16, when: { length: 16 } } }
samples:
  - frame: "5A A5 0A 01 F4 E7 FF 04 01 13 88 42 7B 5A"
    readings: { level: "500", temperature: "-2.5", pump: "true", mode: auto, limit: "5000" }
  - set: { pump: "true" }
    frame: "5A A5 02 FF B0 C1"
`;

function definitionOf(text: string): Definition {
	const parsed = parseDefinition(text, "f.yaml");
	return "definition" in parsed ? parsed.definition : assert.fail(parsed.faults.map(({ message }) => message).join("\n"));
}

const crc = (bytes: readonly number[]): number[] => {
	let sum = 0xffff;
	for (const byte of bytes) {
		sum ^= byte;
		for (let bit = 0; bit < 8; bit++) sum = sum & 1 ? (sum >> 1) ^ 0xa001 : sum >> 1;
	}
	return [sum & 255, sum >> 8];
};
/** A frame of the device: everything between the start and the checksum. */
const frame = (...body: readonly number[]): Uint8Array => Uint8Array.from([0x5a, 0xa5, ...body, ...crc(body)]);

/** The samples with checksums that are right. */
const GOOD = YAML.replace("42 7B 5A", `${Buffer.from(frame(0x0a, 1, 0xf4, 0xe7, 0xff, 4, 1, 0x13, 0x88, 0x42).subarray(11)).toString("hex")}`).replace("B0 C1", Buffer.from(crc([2, 255])).toString("hex"));

function hear(dialect: SerialDialect, ...chunks: readonly Uint8Array[]): { readonly told: Record<string, string>; readonly faults: readonly string[] } {
	const framer = dialect.framer();
	const told: Record<string, string> = {};
	const faults: string[] = [];
	for (const cut of chunks.flatMap((chunk) => [...framer.push(chunk)])) {
		if (cut.kind === "fault") faults.push(cut.reason);
		else for (const one of dialect.decode({ body: "bytes" in cut ? cut : { kind: "line", text: cut.text }, received: 0, taken: () => {} }).told ?? []) told[one.point] = textOf(one.value);
	}
	return { told, faults };
}

const dialectOf = (text: string): SerialDialect => new SerialDialect({ link: "tank0", protocol: "frames", devices: [{ definition: definitionOf(text) }] });

test("a definition of frames alone makes a device: known before it speaks, asked, read, and its samples right", () => {
	const definition = definitionOf(GOOD);
	assert.deepEqual(checkSamples(definition), []);
	const dialect = dialectOf(GOOD);
	assert.deepEqual(dialect.announced().map(({ address, model, every, points }) => [address, model, every, Object.keys(points)]), [["tank0", "acme-f1", 5_000, ["level", "temperature", "pump", "mode", "limit", "pressure"]]]);
	assert.deepEqual(dialect.questions, [{ out: { kind: "frame", bytes: Uint8Array.of(0x5a, 0xa5, 1, 0) }, every: 5_000 }]);
	const long = frame(0x0c, 0, 1, 10, 0, 0, 2, 0, 9, 0, 0xff, 0xfe);
	assert.deepEqual(hear(dialect, long).told, { level: "1", temperature: "1.0", pump: "false", mode: "manual", limit: "9", pressure: "65534" });
	assert.equal(dialect.decode({ body: { kind: "frame", bytes: long }, received: 0, taken: () => {} }).announced, undefined, "announced once");
});

test("a sentinel is no reading, and an unknown label a misfit", () => {
	const dialect = dialectOf(GOOD);
	const meaning = dialect.decode({ body: { kind: "frame", bytes: frame(0x0a, 0xff, 0xff, 0, 0, 0, 7, 0, 9, 0) }, received: 0, taken: () => {} });
	assert.deepEqual(meaning.told?.map(({ point }) => point), ["temperature", "pump", "limit"]);
	assert.deepEqual(meaning.misfits?.map(({ reason }) => reason), ["mode reads a number that no label names"]);
});

test("what is set becomes a frame with its checksum, and what does not fit is refused", () => {
	const dialect = dialectOf(GOOD);
	const sent = (point: string, value: Value): number[] => dialect.encode("tank0", point, value).flatMap((out) => (out.kind === "frame" ? [...out.bytes] : []));
	const number = (text: string): Value => numericFromText(text) ?? assert.fail();
	assert.deepEqual(sent("pump", true), [0x5a, 0xa5, 2, 255, ...crc([2, 255])]);
	assert.deepEqual(sent("pump", false), [0x5a, 0xa5, 2, 0, ...crc([2, 0])]);
	assert.deepEqual(sent("mode", "manual"), [0x5a, 0xa5, 3, 2, ...crc([3, 2])]);
	assert.deepEqual(sent("LIMIT", number("5000")), [0x5a, 0xa5, 4, 0x13, 0x88, ...crc([4, 0x13, 0x88])]);
	const fault = (wished: string) => (error: unknown): boolean => error instanceof GatewayError && error.fault === wished;
	assert.throws(() => sent("limit", number("70000")), fault("bad-value"));
	assert.throws(() => sent("mode", "fast"), fault("bad-value"));
	assert.throws(() => sent("level", number("1")), fault("not-writable"));
	assert.throws(() => sent("nothing", true), fault("unknown-point"));
	assert.throws(() => dialect.encode("other", "pump", true), fault("unknown-device"));
});

test("frames are found in noise, after a false start, and the same wherever the stream is cut", () => {
	const good = frame(0x0a, 1, 0xf4, 0xe7, 0xff, 4, 1, 0x13, 0x88, 0);
	const stream = Uint8Array.from([0, 0x5a, 0x5a, 0xa5, 0x0a, ...good, 0x5a, 0xa5, 99, ...good, 0x5a, 0xa5, 0x0a, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 0, ...good]);
	const count = (...chunks: readonly Uint8Array[]): number => chunks.flatMap(((framer) => (chunk: Uint8Array) => [...framer.push(chunk)])(dialectOf(GOOD).framer())).filter(({ kind }) => kind === "frame").length;
	assert.equal(count(stream), 3);
	const whole = hear(dialectOf(GOOD), stream);
	assert.deepEqual(whole.faults, ["bytes that begin no message", "bytes that begin no message", whole.faults[2]]);
	assert.match(whole.faults[2] ?? "", /^a message with a wrong checksum/);
	for (let at = 0; at <= stream.length; at++) assert.deepEqual(hear(dialectOf(GOOD), stream.subarray(0, at), stream.subarray(at)), whole, `cut at ${at}`);
});

test("no damaged frame throws", () => {
	const chance = new Chance(17);
	const dialect = dialectOf(GOOD);
	const good = frame(0x0a, 1, 0xf4, 0xe7, 0xff, 4, 1, 0x13, 0x88, 0);
	for (let run = 0; run < RUNS; run++) {
		hear(dialect, mutate(chance, good), good);
		dialect.decode({ body: { kind: "frame", bytes: chance.bytes(chance.int(20)) }, received: 0, taken: () => {} });
	}
});

/** [what is changed, into what, what is said] */
const FAULTS: readonly (readonly [string, string, RegExp])[] = [
	["lengths: [14, 16]", "lenghts: [14, 16]", /did you mean "lengths"/],
	["name: crc16-modbus", "name: crc17", /frame.checksum.name/],
	["byte: 3, type: u16, invalid", "byte: 15, type: u16, invalid", /it reaches beyond the 16 bytes of the frame/],
	["type: bits, mask: 4", "type: bits", /bits need a mask/],
	["type: bits, mask: 4", "type: u8", /a boolean is bool or bits/],
	["{value} {checksum}\", on", "{vaule} {checksum}\", on", /neither bytes in hexadecimal nor \{value\}/],
	["when: { length: 16 }", "when: { byte: 1 }", /byte and is are given together/],
	["start: \"5A A5\"", "start: \"5A A\"", /must be bytes in hexadecimal/],
	["access: rw, min: 0", "min: 0", /the point is read-only/],
	["level: { unit: mm, at: { byte: 3, type: u16, invalid: [0xFFFF] } }", "level: { unit: mm }", /needs at: where it lies/],
];
for (const [before, after, said] of FAULTS) {
	test(`a definition of frames with ${after.slice(0, 50)} is refused, with the place and why`, () => {
		assert.ok(GOOD.includes(before), before);
		const parsed = parseDefinition(GOOD.replace(before, after), "f.yaml");
		assert.ok("faults" in parsed);
		assert.ok(parsed.faults.some(({ message }) => said.test(message)), parsed.faults.map(({ message }) => message).join("\n"));
		assert.ok(parsed.faults.every(({ line }) => line > 1));
	});
}

test("the config is told when a link of frames has no definition, or one of another protocol", () => {
	assert.throws(() => new SerialDialect({ link: "a", protocol: "frames", devices: [] }), /one device with a definition/);
	assert.throws(() => new SerialDialect({ link: "a", protocol: "nmea", devices: [{ definition: definitionOf(GOOD) }] }), /it speaks frames, and the link nmea, whose devices need no definition/);
	assert.throws(() => new SerialDialect({ link: "a", protocol: "morse", devices: [] }), /there is no protocol "morse"/);
});
