import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { CobsFramer } from "../../../src/south/serial/device-link-framer.js";
import type { BinaryFrame } from "../../../src/south/serial/framer.js";
import { decodeDeviceFrame, decodeGatewayFrame, type DeviceFrame, encodeDeviceFrame, encodeGatewayFrame, encodePoint, type GatewayFrame, MAX_BODY_BYTES } from "../../../src/south/serial/device-link-frames.js";
import type { LinkPoint } from "../../../src/south/serial/device-link-model.js";
import { crc32 } from "../../../src/south/codec/crc32.js";
import { Chance, mutate, RUNS } from "../../fakes/fuzz.js";

const SCHEMA = 0x7dae20bd;
const POINTS = 4;
const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex.replaceAll(" ", ""), "hex"));
const hex = (raw: Uint8Array): string => Buffer.from(raw).toString("hex");

function framed(...chunks: readonly Uint8Array[]): BinaryFrame[] {
	const framer = new CobsFramer();
	return [...chunks.flatMap((chunk) => [...framer.push(chunk)]), ...framer.idle()];
}
function bodyOf(frame: Uint8Array): Uint8Array {
	const [found] = framed(frame);
	assert.equal(found?.kind, "frame");
	return found?.kind === "frame" ? found.bytes : new Uint8Array();
}

const point = (name: string, kind: LinkPoint["kind"], access: LinkPoint["access"], more: Partial<LinkPoint> = {}): LinkPoint => ({ name, kind, access, decimals: 0, labels: [], ...more });
const BOARD: readonly LinkPoint[] = [
	point("temperature", "numeric", "r", { decimals: 2, unit: "°C" }),
	point("setpoint", "numeric", "rw", { decimals: 1, unit: "°C", min: 50n, max: 350n, step: 5n }),
	point("pump", "boolean", "rw"),
	point("vent", "enum", "rw", { labels: ["closed", "half", "open"] }),
];
const announced = (index: number): DeviceFrame => ({ type: "point", seq: index, point: BOARD[index]!, payload: encodePoint(BOARD[index]!) });

// The conversation of docs/device-link.md, section 10, as jidway_link.h has it.
const DEVICE_ROWS: readonly (readonly [string, DeviceFrame])[] = [
	["0002482d8a01031a7dae20bd0408183c6767682d303031376a477265656e686f7573656447482d3165312e302e30ffa800", { type: "hello", seq: 0, version: 1, fresh: true, listens: true, schema: SCHEMA, points: 4, ring: 8, everySeconds: 60, uid: "gh-0017", name: "Greenhouse", model: "GH-1", firmware: "1.0.0" }],
	["0002500e886b74656d70657261747572650c010263c2b043f6f6f66a5500", announced(0)],
	["000d50018868736574706f696e740f030163c2b043183219015e05bf0f00", announced(1)],
	["000d5002836470756d70010346b900", announced(2)],
	["001e5003866476656e74020366636c6f7365646468616c66646f70656ee48600", announced(3)],
	["025202850619092e18d204012b0f00", { type: "report", seq: 0, age: 0, values: [2350n, 210n, 0n, 1n] }],
	["000c4401831903e801387cf3f900", { type: "report", seq: 1, age: 1000, values: [-125n, undefined, undefined, undefined] }],
	["00054107531500", { type: "accepted", seq: 7 }],
	["04440283060218e1b8c800", { type: "report", seq: 2, age: 0, values: [undefined, 225n, undefined, undefined] }],
	["00064e080373fa00", { type: "refused", seq: 8, reason: 3 }],
	["00064f0583183d0103305800", { type: "pong", seq: 5, uptimeSeconds: 61, dropped: 0, broken: 0 }],
];
const GATEWAY_ROWS: readonly (readonly [string, GatewayFrame])[] = [
	["000568018fad00", { type: "hello wanted", seq: 1 }],
	["000670020f831900", { type: "points wanted", seq: 2, mask: 15 }],
	["000a77031a7dae20bd4d0100", { type: "welcome", seq: 3, schema: SCHEMA }],
	["00086304821a6b49d20518fa955600", { type: "clock", seq: 4, seconds: 1_800_000_000, millis: 250 }],
	["00026b0103a70600", { type: "taken", seq: 0, mask: 0 }],
	["00066b0101841600", { type: "taken", seq: 1, mask: 1 }],
	["00066b0203f10700", { type: "taken", seq: 2, mask: 3 }],
	["00097307820118e1820d00", { type: "set", seq: 7, point: 1, value: 225n }],
	["000a730882011903e7b5e000", { type: "set", seq: 8, point: 1, value: 999n }],
	["00056905fc1800", { type: "ping", seq: 5 }],
];

for (const [raw, frame] of DEVICE_ROWS) {
	test(`encodeDeviceFrame() and decodeDeviceFrame(): ${frame.type} ${frame.seq} is ${raw}`, () => {
		assert.deepEqual(decodeDeviceFrame(bodyOf(bytes(raw)), SCHEMA, POINTS), frame);
		// A report that is sent again has one more zero before it.
		assert.equal(hex(encodeDeviceFrame(frame, SCHEMA)).replace(/^00/, ""), raw.replace(/^00/, ""));
		assert.deepEqual(decodeGatewayFrame(bodyOf(bytes(raw))).type, frame.type === "report" ? "broken" : "foreign");
	});
}
for (const [raw, frame] of GATEWAY_ROWS) {
	test(`encodeGatewayFrame() and decodeGatewayFrame(): ${frame.type} ${frame.seq} is ${raw}`, () => {
		assert.deepEqual(decodeGatewayFrame(bodyOf(bytes(raw))), frame);
		assert.equal(hex(encodeGatewayFrame(frame)), raw);
		assert.deepEqual(decodeDeviceFrame(bodyOf(bytes(raw)), SCHEMA, POINTS), { type: "foreign" });
	});
}

test("the example of docs/device-link.md shows exactly these frames", () => {
	const text = readFileSync(new URL("../../../docs/device-link.md", import.meta.url), "utf8");
	const shown = [...text.matchAll(/^ {4}[<>] ((?:[0-9a-f]{2} ?)+)/gm)].map((match) => match[1]!.replaceAll(" ", ""));
	for (const raw of [...DEVICE_ROWS, ...GATEWAY_ROWS].map(([each]) => each)) assert.ok(shown.includes(raw), raw);
	assert.equal(shown.length, DEVICE_ROWS.length + GATEWAY_ROWS.length);
});

test("the id of the schema is the checksum of its announcements", () => assert.equal(crc32(...BOARD.map(encodePoint)), SCHEMA));

test("a report is refused by the checksum when it is read by another schema", () => {
	const body = bodyOf(bytes("025202850619092e18d204012b0f00"));
	for (let bit = 0; bit < 32; bit++) assert.deepEqual(decodeDeviceFrame(body, (SCHEMA ^ (1 << bit)) >>> 0, POINTS), { type: "broken", reason: "a frame with a wrong checksum", checksum: true });
	assert.equal(decodeDeviceFrame(body).type, "broken", "and without any");
});

const STREAM = bytes([...DEVICE_ROWS, ...GATEWAY_ROWS].map(([raw]) => raw).join(""));

test("CobsFramer finds the same frames wherever the stream is cut", () => {
	const whole = framed(STREAM);
	assert.equal(whole.length, DEVICE_ROWS.length + GATEWAY_ROWS.length);
	for (let cut = 0; cut <= STREAM.length; cut++) assert.deepEqual(framed(STREAM.subarray(0, cut), STREAM.subarray(cut)), whole, `cut at ${cut}`);
	assert.deepEqual(framed(...Array.from(STREAM, (byte) => Uint8Array.of(byte))), whole);
});

test("CobsFramer begins in the middle with the next frame", () => {
	const whole = framed(STREAM);
	for (let from = 0; from <= STREAM.length; from++) {
		const frames = framed(STREAM.subarray(from)).filter((frame) => frame.kind === "frame");
		const sound = frames.filter((frame) => frame.kind === "frame" && (decodeDeviceFrame(frame.bytes, SCHEMA, POINTS).type !== "broken"));
		assert.ok(sound.every((frame) => whole.some((other) => other.kind === "frame" && frame.kind === "frame" && hex(other.bytes) === hex(frame.bytes))), `from ${from}`);
	}
});

test("CobsFramer takes a frame of the greatest length, refuses a longer one, and reads on", () => {
	const fill = (length: number): Uint8Array => Uint8Array.of((length & 0xff) + 1, ...new Uint8Array(length).fill(0x55), 0);
	const [longest] = framed(fill(MAX_BODY_BYTES));
	assert.equal(longest?.kind === "frame" && longest.bytes.length, MAX_BODY_BYTES);
	const frames = framed(fill(MAX_BODY_BYTES + 1), bytes("00054107531500"));
	assert.deepEqual(frames.map((frame) => (frame.kind === "fault" ? frame.reason : hex(frame.bytes))), ["more than 254 bytes without the end of a frame; is the baud rate right?", "41075315"]);
});

test("CobsFramer takes 5 MB without a zero in time that grows with the bytes, and says so once", () => {
	const framer = new CobsFramer();
	const chunk = new Uint8Array(64 * 1024).fill(0x55);
	const take = (chunks: number): number => {
		const begin = process.hrtime.bigint();
		for (let count = 0; count < chunks; count++) assert.deepEqual([...framer.push(chunk)], []);
		return Number(process.hrtime.bigint() - begin) / 1e6;
	};
	take(8);
	const [early, late] = [take(40), take(40)];
	assert.ok(late < 4 * early + 50, `${early} ms, then ${late} ms`);
	assert.ok(early + late < 1_000, `${early + late} ms for 5 MB`);
	assert.equal([...framer.push(Uint8Array.of(0))].length, 1);
	assert.deepEqual([...framer.push(Uint8Array.of(0, 0, 0))], []);
});

/** A body with a right checksum, whatever is in it. */
function sealed(type: string, seq: number, payload: Uint8Array): Uint8Array {
	const wire = encodeDeviceFrame({ type: "point", seq, point: BOARD[2]!, payload: payload });
	const body = bodyOf(wire);
	body[0] = type.charCodeAt(0);
	let crc = 0xffff;
	for (const byte of body.subarray(0, -2)) {
		crc ^= byte << 8;
		for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1) & 0xffff;
	}
	body.set([crc >> 8, crc & 0xff], body.length - 2);
	return body;
}

// [what, type, payload]: right checksums, wrong contents
const MISFITS = [
	["a hello of no list", "H", "01"], ["a hello that is too short", "H", "8601020300 00 00"], ["a hello of 33 points", "H", "8a0102001821000060606060"], ["a hello without points", "H", "8a01020000000060606060"],
	["a hello of a number as name", "H", "8a01020001000060016060"], ["a hello with a control character", "H", "8a010200010000610160 6060"],
	["a point without a name", "P", "83600101"], ["a point of kind 3", "P", "8361610301"], ["a point of access 0", "P", "8361610100"], ["a point of access 4", "P", "8361610104"],
	["a number without its decimals", "P", "8361610001"], ["a number of 19 decimals", "P", "88616100011360f6f6f6"], ["a step of 0", "P", "88616100010060f6f600"], ["an enum without labels", "P", "8361610201"], ["an enum with an empty label", "P", "846161020160"], ["an enum with two labels alike", "P", "85616102016161 6161"],
	["an answer with something", "A", "00"], ["a refusal without a reason", "N", ""], ["a pong of two", "O", "820101"], ["a float", "O", "83fb3ff199999999999a0101"],
] as const;
for (const [what, type, payload] of MISFITS) {
	test(`decodeDeviceFrame() refuses ${what}`, () => assert.equal(decodeDeviceFrame(sealed(type, 1, bytes(payload)), SCHEMA, POINTS).type, "broken"));
}

test("decodeDeviceFrame() takes a hello and a numeric point that a later version 1 made longer", () => {
	assert.equal(decodeDeviceFrame(sealed("H", 0, bytes("8c0102000100006060606001f6"))).type, "hello");
	assert.equal(decodeDeviceFrame(sealed("P", 0, bytes("89616100010060f6f6f66162"))).type, "point");
	assert.equal(decodeDeviceFrame(sealed("Z", 0, bytes("89616100010060f6f6f66162"))).type, "foreign", "and a frame that is not known is nobody's business");
});

const REPORTS = [["values too few", [1n]], ["values too many", [1n, 1n, 1n, 1n, 1n]]] as const;
for (const [what, values] of REPORTS) {
	test(`decodeDeviceFrame() refuses a report of ${what}`, () => {
		assert.equal(decodeDeviceFrame(bodyOf(encodeDeviceFrame({ type: "report", seq: 0, age: 0, values }, SCHEMA)), SCHEMA, POINTS).type, "broken");
	});
}

function anyValue(chance: Chance): bigint {
	const wide = BigInt(chance.int(2 ** 32)) << BigInt(chance.int(31));
	return chance.pick([BigInt(chance.int(24)), BigInt(chance.int(256)), BigInt(chance.int(65_536)), wide, 2n ** 63n - 1n, 0n]) * (chance.int(2) === 0 ? -1n : 1n);
}

test("decodeDeviceFrame() and decodeGatewayFrame() are the mirrors of their encoders", () => {
	const chance = new Chance(31);
	for (let times = 0; times < RUNS; times++) {
		const count = 1 + chance.int(24);
		const schema = chance.int(2 ** 32);
		const values = Array.from({ length: count }, () => (chance.int(3) === 0 ? undefined : anyValue(chance)));
		const report: DeviceFrame = { type: "report", seq: chance.int(256), age: chance.pick([0, 1, 300, 70_000, 2 ** 32 - 1]), values };
		assert.deepEqual(decodeDeviceFrame(bodyOf(encodeDeviceFrame(report, schema)), schema, count), report);
		const set: GatewayFrame = { type: "set", seq: chance.int(256), point: chance.int(32), value: anyValue(chance) };
		assert.deepEqual(decodeGatewayFrame(bodyOf(encodeGatewayFrame(set))), set);
	}
});

test("nothing that comes makes the decoders throw, and damage is never read as a report", () => {
	const chance = new Chance(32);
	const report = bodyOf(bytes("025202850619092e18d204012b0f00"));
	const sound = JSON.stringify(decodeDeviceFrame(report, SCHEMA, POINTS), (_, value: unknown) => (typeof value === "bigint" ? String(value) : value));
	for (let times = 0; times < RUNS; times++) {
		for (const frame of framed(mutate(chance, STREAM), chance.bytes(chance.int(40)), Uint8Array.of(0))) {
			if (frame.kind === "fault") continue;
			decodeGatewayFrame(frame.bytes);
			const heard = decodeDeviceFrame(frame.bytes, SCHEMA, POINTS);
			if (heard.type === "report" && heard.seq === 0) assert.equal(JSON.stringify(heard, (_, value: unknown) => (typeof value === "bigint" ? String(value) : value)), sound);
		}
		// Any payload with a right checksum.
		decodeDeviceFrame(sealed(chance.pick(["H", "P", "A", "N", "O"]), 0, chance.int(2) === 0 ? chance.bytes(chance.int(30)) : mutate(chance, encodePoint(BOARD[chance.int(4)]!))), SCHEMA, POINTS);
	}
});

test("no one and no two flipped bits of a report on the wire make another report", () => {
	const wire = bytes("00 025202850619092e18d204012b0f00");
	const [right] = framed(wire);
	for (let first = 0; first < wire.length * 8; first++) {
		for (let second = first; second < wire.length * 8; second++) {
			const damaged = wire.slice();
			damaged[first >> 3]! ^= 1 << (first & 7);
			if (second !== first) damaged[second >> 3]! ^= 1 << (second & 7);
			for (const frame of framed(damaged)) {
				if (frame.kind === "fault" || (right?.kind === "frame" && hex(frame.bytes) === hex(right.bytes))) continue;
				assert.equal(decodeDeviceFrame(frame.bytes, SCHEMA, POINTS).type, "broken", `bits ${first} and ${second}`);
			}
		}
	}
});

/** Bytes on the wire of one reading, framing and all, over a day of a device whose values walk. */
function bytesPerReading(fields: readonly (readonly [low: number, high: number, step: number])[], seed: number): number {
	const chance = new Chance(seed);
	const values = fields.map(([low, high]) => Math.round((low + high) / 2));
	let total = 0;
	const reports = 1_000;
	for (let seq = 0; seq < reports; seq++) {
		for (const [index, [low, high, step]] of fields.entries()) values[index] = Math.min(high, Math.max(low, values[index]! + chance.int(2 * step + 1) - step));
		total += encodeDeviceFrame({ type: "report", seq: seq & 0xff, age: 0, values: values.map(BigInt) }, SCHEMA).length;
	}
	return total / reports / fields.length;
}

const TEMPERATURE = [-2_000, 4_000, 12] as const;
const HUMIDITY = [200, 990, 6] as const;
const PERCENT = [0, 100, 1] as const;
const PPM = [400, 2_000, 15] as const;
const PRESSURE = [9_700, 10_400, 2] as const;
const LUX = [0, 90_000, 300] as const;
const SWITCH = [0, 1, 1] as const;
const VOLT = [2_250, 2_400, 5] as const;
const AMPERE = [0, 16_000, 40] as const;
const WATT = [0, 36_000, 90] as const;
const METER = [12_000_000, 12_100_000, 10] as const;

// [device, fields, at most]: the figures of docs/device-link.md, section 8
const FIGURES = [
	["room sensor, 3 fields", [TEMPERATURE, HUMIDITY, PERCENT], 5.4],
	["power meter, 4 fields", [VOLT, AMPERE, WATT, METER], 5.6],
	["air quality, 6 fields", [TEMPERATURE, HUMIDITY, PPM, PRESSURE, PERCENT, PERCENT], 4.1],
	["greenhouse, 9 fields", [TEMPERATURE, HUMIDITY, HUMIDITY, PPM, LUX, PRESSURE, HUMIDITY, SWITCH, SWITCH], 3.6],
	["power meter of 3 phases, 10 fields", [VOLT, VOLT, VOLT, AMPERE, AMPERE, AMPERE, WATT, WATT, WATT, METER], 4.1],
] as const;
for (const [what, fields, most] of FIGURES) {
	test(`a report of a ${what}, takes at most ${most} bytes a reading with its frame`, (t) => {
		const measured = bytesPerReading(fields, 5);
		t.diagnostic(`${measured.toFixed(2)} bytes a reading`);
		assert.ok(measured <= most && measured > most - 0.3, `${measured}`);
		if (fields.length >= 6) assert.ok(measured <= 5.5);
	});
}
