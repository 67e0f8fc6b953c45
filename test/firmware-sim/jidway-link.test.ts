import assert from "node:assert/strict";
import { after, test } from "node:test";
import { CobsFramer } from "../../src/south/serial/device-link-framer.js";
import { decodeDeviceFrame, decodeGatewayFrame, type DeviceFrame, encodeGatewayFrame, encodePoint, type GatewayFrame } from "../../src/south/serial/device-link-frames.js";
import { encodeCobs } from "../../src/south/codec/cobs.js";
import { crcCcitt } from "../../src/south/codec/crc-ccitt.js";
import { crc32 } from "../../src/south/codec/crc32.js";
import type { LinkPoint } from "../../src/south/serial/device-link-model.js";
import { Chance, mutate, RUNS } from "../fakes/fuzz.js";
import { compile, openWorkshop, run } from "./c-programs.js";

const workshop = openWorkshop();
after(() => workshop.clear());
const PROBE = workshop.build("test/firmware-sim/jidway_link_probe.c");
const GREENHOUSE = workshop.build("firmware-sim/examples/greenhouse.c");

const MAX_VALUE = 2n ** 31n - 1n;
const hexOf = (raw: Uint8Array): string => Buffer.from(raw).toString("hex");
const textWord = (text: string): string => (text === "" ? "-" : Buffer.from(text).toString("hex"));
const numberWord = (value: bigint | undefined): string => (value === undefined ? "x" : String(value));
const feed = (frame: GatewayFrame, now: number): string => `feed ${hexOf(encodeGatewayFrame(frame))} ${now}`;

/** What the probe needs to be this board. */
function boardLines(points: readonly LinkPoint[], { every = 60, listens = true } = {}): string[] {
	return [
		`board ${textWord("gh-0017")} ${textWord("Greenhouse")} ${textWord("GH-1")} ${textWord("1.0.0")} ${every} ${listens ? 1 : 0}`,
		...points.map(({ name, kind, access, decimals, unit = "", min, max, step, labels }) =>
			`point ${textWord(name)} ${["numeric", "boolean", "enum"].indexOf(kind)} ${["r", "w", "rw"].indexOf(access) + 1} ${decimals} ${textWord(unit)} ${numberWord(min)} ${numberWord(max)} ${numberWord(step)} ${textWord(labels.join("|"))}`),
	];
}

function probe(...lines: readonly string[]): string[] {
	return run(PROBE, `${lines.join("\n")}\n`).split("\n").slice(0, -1);
}

/** The frames in what the probe has sent. */
function framesOf(lines: readonly string[], schema: number, points: number): (DeviceFrame | { readonly type: "broken" | "foreign" | "fault" })[] {
	const framer = new CobsFramer();
	const wire = Buffer.from(lines.filter((line) => line.startsWith("sent ")).map((line) => line.slice(5)).join(""), "hex");
	return [...framer.push(wire)].map((frame) => (frame.kind === "fault" ? { type: "fault" } : decodeDeviceFrame(frame.bytes, schema, points)));
}

const point = (name: string, kind: LinkPoint["kind"], access: LinkPoint["access"], more: Partial<LinkPoint> = {}): LinkPoint => ({ name, kind, access, decimals: 0, labels: [], ...more });
const BOARD: readonly LinkPoint[] = [
	point("temperature", "numeric", "r", { decimals: 2, unit: "°C" }),
	point("setpoint", "numeric", "rw", { decimals: 1, unit: "°C", min: 50n, max: 350n, step: 5n }),
	point("pump", "boolean", "rw"),
	point("vent", "enum", "rw", { labels: ["closed", "half", "open"] }),
];
const SCHEMA = crc32(...BOARD.map(encodePoint));
const WELCOME: GatewayFrame = { type: "welcome", seq: 0, schema: SCHEMA };

test("jidway_link.h compiles without a warning as C99 and as C++11, for the smallest board and the largest, and so does the sketch", () => {
	const warnings = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror", "-Ifirmware-sim", "-fsyntax-only"];
	for (const size of [[], ["-DJIDWAY_LINK_POINTS=1", "-DJIDWAY_LINK_RING=1", "-DJIDWAY_LINK_BODY=64"], ["-DJIDWAY_LINK_POINTS=32", "-DJIDWAY_LINK_RING=32", "-DJIDWAY_LINK_BODY=253"]]) {
		assert.equal(compile("gcc", ["-x", "c", "-std=c99", ...warnings, ...size, "-"], '#include "jidway_link.h"\n'), "");
		assert.equal(compile("g++", ["-x", "c++", "-std=c++11", ...warnings, ...size, "-"], '#include "jidway_link.h"\n'), "");
	}
	assert.match(compile("gcc", ["-x", "c", "-std=c99", ...warnings, "-DJIDWAY_LINK_POINTS=33", "-"], '#include "jidway_link.h"\n'), /must be 1 to 32/);
	const arduino = "#include <stddef.h>\n#include <stdint.h>\nenum { A0, A1, OUTPUT, LOW = 0, HIGH = 1 };\nuint32_t millis();\nint analogRead(uint8_t);\nint digitalRead(uint8_t);\nvoid digitalWrite(uint8_t, uint8_t);\nvoid pinMode(uint8_t, uint8_t);\nstruct Port { void begin(long); int available(); int read(); size_t write(const uint8_t *, size_t); };\nextern Port Serial;\n";
	assert.equal(compile("g++", ["-x", "c++", "-std=c++11", "-Wall", "-Wextra", "-Werror", "-Ifirmware-sim", "-fsyntax-only", "-"], `${arduino}#include "firmware-sim/examples/greenhouse.ino"\n`), "");
});

test("the conversation of docs/device-link.md is spoken byte by byte", () => {
	const lines = probe(
		...boardLines(BOARD), "init 1000",
		feed({ type: "hello wanted", seq: 1 }, 1000), "poll 1000",
		feed({ type: "points wanted", seq: 2, mask: 15 }, 1000), "poll 1000",
		feed(WELCOME, 1000), feed({ type: "clock", seq: 4, seconds: 1_800_000_000, millis: 250 }, 1000),
		"set 0 2350", "set 1 210", "set 2 0", "set 3 1", "report 1000", "poll 1000", feed({ type: "taken", seq: 0, mask: 0 }, 1010),
		"set 0 -125", "report 1020", "poll 1020", "poll 2020", feed({ type: "taken", seq: 1, mask: 1 }, 2030),
		feed({ type: "set", seq: 7, point: 1, value: 225n }, 2040), "poll 2040", feed({ type: "taken", seq: 2, mask: 3 }, 2045), feed({ type: "set", seq: 8, point: 1, value: 999n }, 2050), "poll 2050",
		feed({ type: "ping", seq: 5 }, 62_000), "poll 62000", "state 62000",
	);
	assert.deepEqual(lines, [
		`init 1 ${0x7dae20bd}`,
		"sent 0002482d8a01031a7dae20bd0408183c6767682d303031376a477265656e686f7573656447482d3165312e302e30ffa800",
		"sent 0002500e886b74656d70657261747572650c010263c2b043f6f6f66a5500", "sent 000d50018868736574706f696e740f030163c2b043183219015e05bf0f00", "sent 000d5002836470756d70010346b900", "sent 001e5003866476656e74020366636c6f7365646468616c66646f70656ee48600",
		"sent 025202850619092e18d204012b0f00",
		"sent 044401830601387c7b8a00", // the document begins with its repetition, for there the gateway did not hear it
		"sent 000c4401831903e801387cf3f900",
		"command 1 225", "sent 00054107531500", "sent 04440283060218e1b8c800", "sent 00064e080373fa00", "sent 00064f0583183d0103305800",
		"state 1 0 0 0 1800000061",
	]);
});

test("a schema and 2 000 reports that the board encodes are decoded as they were meant", () => {
	const chance = new Chance(41);
	const boards = 20;
	for (let each = 0; each < boards; each++) {
		const count = 1 + chance.int(32);
		const points = Array.from({ length: count }, (_, index): LinkPoint => {
			const access = chance.pick(["r", "w", "rw"] as const);
			const bound = (): bigint => BigInt(chance.int(2 ** 32)) - 2n ** 31n + 1n;
			switch (chance.pick(["numeric", "boolean", "enum"] as const)) {
				case "numeric": return point(`n${index}`, "numeric", access, { decimals: chance.int(10), ...(chance.int(2) === 0 && { unit: chance.pick(["°C", "%RH", "µg/m³"]) }), ...(chance.int(2) === 0 && { min: bound() }), ...(chance.int(2) === 0 && { max: bound() }), ...(chance.int(2) === 0 && { step: BigInt(1 + chance.int(100_000)) }) });
				case "boolean": return point(`b${index}`, "boolean", access);
				case "enum": return point(`e${index}`, "enum", access, { labels: Array.from({ length: 1 + chance.int(8) }, (_unused, at) => `label ${at}`.slice(0, 6 + at)) .map((label, at) => `${label}${at}`) });
			}
		});
		const schema = crc32(...points.map(encodePoint));
		const lines = [...boardLines(points), "init 0", "poll 0", feed({ type: "points wanted", seq: 0, mask: 0xffff_ffff }, 0), "poll 0", feed({ type: "welcome", seq: 0, schema }, 0)];
		const expected: DeviceFrame[] = [];
		for (let report = 0; report < Math.max(1, RUNS / boards); report++) {
			const at = report * 1_000;
			const values: (bigint | undefined)[] = points.map(() => (chance.int(4) === 0 ? undefined : chance.pick([0n, BigInt(chance.int(24)), BigInt(-chance.int(300)), BigInt(chance.int(70_000)), BigInt(chance.int(2 ** 32)) - MAX_VALUE, MAX_VALUE, -MAX_VALUE])));
			if (!values.some((value) => value !== undefined)) values[0] = 1n;
			const age = chance.pick([0, 0, chance.int(500), 900]);
			values.forEach((value, index) => void (value !== undefined && lines.push(`set ${index} ${value}`)));
			lines.push(`report ${at}`, `poll ${at + age}`, feed({ type: "taken", seq: report & 0xff, mask: 0 }, at + age));
			expected.push({ type: "report", seq: report & 0xff, age, values });
		}
		const answers = probe(...lines, "state 0");
		assert.equal(answers[0], `init 1 ${schema}`, "the id of the schema");
		const [hello, ...rest] = framesOf(answers, schema, count);
		assert.equal(hello?.type === "hello" && hello.schema === schema && hello.points === count && hello.fresh && hello.listens && hello.ring, 8);
		assert.deepEqual(rest.slice(0, count).map((frame) => frame.type === "point" && frame.point), points);
		assert.deepEqual(rest.slice(count), expected);
		assert.equal(answers.at(-1), "state 1 0 0 0 0");
	}
});

test("2 000 frames that the gateway encodes are carried out as they were meant", () => {
	const chance = new Chance(42);
	const lines = [...boardLines(BOARD), "init 0", "poll 0", feed(WELCOME, 0)];
	const expected: string[] = [];
	let last: { readonly seq: number; readonly answer: DeviceFrame } | undefined;
	const answers: DeviceFrame[] = [];
	for (let times = 0; times < RUNS; times++) {
		const seq = chance.int(2) === 0 ? chance.int(256) : (last?.seq ?? 0);
		const wish = { point: chance.int(5), value: chance.pick([BigInt(chance.int(2)), BigInt(chance.int(3)), BigInt(50 + chance.int(300)), BigInt(chance.int(400)), BigInt(-chance.int(400)), MAX_VALUE, -MAX_VALUE - 1n, 2n ** 32n + 1n, -(2n ** 40n), 2n ** 63n - 1n]) };
		if (last?.seq !== seq) {
			const bounds = [undefined, [50n, 350n], [0n, 1n], [0n, 2n]][wish.point];
			const reason = wish.point > 3 ? 1 : !bounds ? 2 : wish.value < bounds[0]! || wish.value > bounds[1]! ? 3 : 0;
			if (reason === 0) expected.push(`command ${wish.point} ${wish.value}`);
			last = { seq, answer: reason === 0 ? { type: "accepted", seq } : { type: "refused", seq, reason } };
		}
		lines.push(feed({ type: "set", seq, ...wish }, times));
		lines.push(`poll ${times}`, feed({ type: "taken", seq: 255, mask: 0xffff_ffff }, times), feed({ type: "ping", seq: times & 0xff }, times), `poll ${times}`);
		answers.push(last.answer);
	}
	const said = probe(...lines);
	assert.deepEqual(said.filter((line) => line.startsWith("command")), expected);
	assert.ok(expected.length > RUNS / 25, `${expected.length}`);
	const frames = framesOf(said, SCHEMA, BOARD.length);
	assert.deepEqual(frames.filter((frame) => frame.type === "accepted" || frame.type === "refused"), answers);
	assert.deepEqual(frames.filter((frame) => frame.type === "pong").map((frame) => frame.type === "pong" && frame.seq), Array.from({ length: RUNS }, (_, times) => times & 0xff));
	assert.ok(!frames.some((frame) => frame.type === "broken" || frame.type === "fault"));
});

test("the board tells the time that it was told, across the end of its counter", () => {
	const near = 2 ** 32 - 1_500;
	const clock = feed({ type: "clock", seq: 0, seconds: 1_800_000_000, millis: 999 }, near);
	assert.deepEqual(probe(...boardLines(BOARD), `init ${near}`, feed(WELCOME, near), "state 0", clock, `state ${near}`, `state ${near + 1}`, "state 0", "state 1000").filter((line) => line.startsWith("state")).map((line) => line.split(" ").at(-1)), ["0", "1800000000", "1800000001", "1800000002", "1800000003"]);
});

test("a report that is not taken is sent again, after a second, two, four, and to the end at thirty, across the end of the counter", () => {
	const from = 2 ** 32 - 3_000;
	const lines = [...boardLines(BOARD), `init ${from}`, "poll 4294964296", feed(WELCOME, from), "set 0 1", `report ${from}`];
	const span = 120_000;
	for (let ms = 0; ms <= span; ms += 100) lines.push(`poll ${(from + ms) % 2 ** 32}`);
	const ages = framesOf(probe(...lines), SCHEMA, BOARD.length).flatMap((frame) => (frame.type === "report" ? [frame.age] : []));
	assert.deepEqual(ages, [0, 1_000, 3_000, 7_000, 15_000, 31_000, 61_000, 91_000]);
});

test("of more reports than the ring holds the oldest give way, and the hello says which number comes first", () => {
	const lines = [...boardLines(BOARD), "init 0"];
	for (let each = 0; each < 300; each++) lines.push(`set 0 ${each}`, `report ${each}`);
	const said = probe(...lines, "poll 2000", feed(WELCOME, 2000), "poll 2000", "state 2000");
	const [hello, ...reports] = framesOf(said, SCHEMA, BOARD.length);
	assert.deepEqual(reports.map((frame) => frame.type === "report" && [frame.seq, frame.values[0]]), Array.from({ length: 8 }, (_, at) => [(292 + at) & 0xff, BigInt(292 + at)]));
	assert.equal(hello?.type === "hello" && hello.seq, 292 & 0xff);
	assert.equal(said.at(-1), "state 1 8 292 0 0");
});

test("a board that is not welcomed sends no report, obeys no command, and says hello every two seconds", () => {
	const set = feed({ type: "set", seq: 1, point: 2, value: 1n }, 100);
	const lines = [...boardLines(BOARD), "init 0", "set 0 1", "report 0", set, ...Array.from({ length: 61 }, (_, at) => `poll ${at * 100}`)];
	const said = probe(...lines, feed({ type: "welcome", seq: 0, schema: SCHEMA ^ 1 }, 6_100), "poll 6100", "state 6100");
	assert.ok(!said.some((line) => line.startsWith("command")));
	assert.deepEqual(framesOf(said, SCHEMA, BOARD.length).map((frame) => frame.type), Array.from({ length: 5 }, () => "hello"), "at 0, 2, 4, 6 s, and for a welcome that is not its own");
});

test("a board without a receive line says what it is each minute, and sends each report once", () => {
	const lines = [...boardLines(BOARD, { listens: false }), "init 0"];
	for (let ms = 0; ms < 130_000; ms += 1_000) lines.push(...(ms % 50_000 === 0 ? [`set 0 ${ms}`, `report ${ms}`] : []), `poll ${ms}`);
	const said = framesOf(probe(...lines), SCHEMA, BOARD.length).map((frame) => frame.type[0]).join("");
	assert.equal(said, "hpppprr" + "hppppr" + "hpppp");
});

test("an announcement that does not fit is refused at the start", () => {
	const labels = Array.from({ length: 12 }, (_, at) => `label${at + 10}`);
	for (const [length, fits] of [[32, 1], [120, 1], [127, 0]] as const) {
		assert.deepEqual(probe(...boardLines([point("n".repeat(length), "enum", "r", { labels: [...labels, "x".repeat(length === 127 ? 30 : 1)] })]), "init 0").map((line) => line.slice(0, 6)), [`init ${fits}`], `${length}`);
	}
	assert.match(compile("gcc", ["-x", "c", "-std=c99", "-Ifirmware-sim", "-fsyntax-only", "-DJIDWAY_LINK_BODY=40", "-"], '#include "jidway_link.h"\n'), /hold a full report/);
});

test("the board hears the same wherever the stream begins, once it has heard a zero", () => {
	const stream = Buffer.concat([WELCOME, { type: "set", seq: 1, point: 2, value: 1n }, { type: "ping", seq: 9 }].map((frame) => encodeGatewayFrame(frame as GatewayFrame)));
	for (let from = 0; from <= stream.length; from++) {
		const tail = stream.subarray(from).toString("hex");
		const said = probe(...boardLines(BOARD), "init 0", feed(WELCOME, 0), ...(tail === "" ? [] : [`feed ${tail} 0`]), feed({ type: "set", seq: 2, point: 3, value: 2n }, 1), "poll 1");
		assert.equal(said.filter((line) => line.startsWith("command")).at(-1), "command 3 2", `from ${from}`);
	}
});

test("noise makes neither the library leave its memory nor a command happen that nobody gave", () => {
	const chance = new Chance(43);
	const good = Buffer.concat([WELCOME, { type: "points wanted", seq: 1, mask: 15 }, { type: "set", seq: 1, point: 2, value: 1n }, { type: "taken", seq: 0, mask: 7 }, { type: "clock", seq: 0, seconds: 1, millis: 1 }, { type: "ping", seq: 0 }, { type: "hello wanted", seq: 0 }].map((frame) => encodeGatewayFrame(frame as GatewayFrame)));
	const lines = [...boardLines(BOARD), "init 0"];
	for (let times = 0; times < RUNS; times++) {
		lines.push(`feed 00${hexOf(mutate(chance, good)) || "00"}00 ${times * 10}`, `set 0 ${times}`, `report ${times * 10}`, `poll ${times * 10}`);
		if (times % 10 === 0) lines.push(`feed ${hexOf(chance.bytes(1 + chance.int(100)))}00 ${times * 10}`);
	}
	const commands = probe(...lines).filter((line) => line.startsWith("command"));
	assert.deepEqual([...new Set(commands)], ["command 2 1"]);
});

/** A frame with a right checksum, whatever is in it. */
function sealed(type: string, seq: number, payload: Uint8Array): { readonly body: Uint8Array; readonly wire: string } {
	const bare = Uint8Array.of(type.charCodeAt(0), seq, ...payload);
	const crc = crcCcitt(bare);
	const body = Uint8Array.of(...bare, crc >>> 8, crc & 0xff);
	return { body, wire: `00${hexOf(encodeCobs(body))}00` };
}

// payloads of a command that the board does not understand, or only a careless one
for (const payload of ["", "82", "8202", "820218", "82021900", "821a0000", "83020101", "81", "02", "82180201", "82021801", "8202f5", "82026161", "820201f6", "82021b00000001", "82021b0000000000000001", "98020201"]) {
	test(`a command with the payload ${payload || "of nothing"} is answered with reason 6, and not carried out`, () => {
		const { body, wire } = sealed("s", 3, Uint8Array.from(Buffer.from(payload, "hex")));
		assert.equal(decodeGatewayFrame(body).type, "broken");
		const said = probe(...boardLines(BOARD), "init 0", "poll 0", feed(WELCOME, 0), `feed ${wire} 0`, "poll 0");
		assert.deepEqual(framesOf(said, SCHEMA, BOARD.length).slice(1), [{ type: "refused", seq: 3, reason: 6 }]);
	});
}

test("of 2 000 commands of any payload and a right checksum the board carries out those that the gateway's own decoder reads", () => {
	const chance = new Chance(45);
	const lines = [...boardLines(BOARD.map((each) => (each.name === "setpoint" ? point("setpoint", "numeric", "rw") : each))), "init 0"];
	const schema = crc32(...BOARD.map((each) => encodePoint(each.name === "setpoint" ? point("setpoint", "numeric", "rw") : each)));
	lines.push(feed({ type: "welcome", seq: 0, schema }, 0));
	const expected: string[] = [];
	for (let times = 0; times < RUNS; times++) {
		const payload = chance.int(3) === 0 ? chance.bytes(chance.int(12)) : Uint8Array.of(0x82, 1, chance.pick([0x18, 0x19, 0x1a, 0x1b, 0x38, 0x39, 0x3a, 0x3b, chance.int(256)]), ...chance.bytes(chance.int(10)).map((byte) => (chance.int(3) === 0 ? 0 : byte)));
		const { body, wire } = sealed("s", times & 0xff, payload);
		const read = decodeGatewayFrame(body);
		if (read.type === "set" && ((read.point === 1 && read.value <= MAX_VALUE && read.value >= -MAX_VALUE) || (read.point === 2 && read.value >= 0n && read.value <= 1n) || (read.point === 3 && read.value >= 0n && read.value <= 2n))) expected.push(`command ${read.point} ${read.value}`);
		lines.push(`feed ${wire} ${times}`, `poll ${times}`);
	}
	assert.ok(expected.length > RUNS / 50, `${expected.length}`);
	assert.deepEqual(probe(...lines).filter((line) => line.startsWith("command")), expected);
});

test("the example swallows megabytes of noise and of damaged frames", () => {
	const chance = new Chance(44);
	const frames = (): Uint8Array => Buffer.concat([WELCOME, { type: "points wanted", seq: 1, mask: chance.int(512) }, { type: "set", seq: chance.int(256), point: chance.int(10), value: BigInt(chance.int(400)) }, { type: "taken", seq: chance.int(256), mask: chance.int(256) }].map((frame) => encodeGatewayFrame(frame as GatewayFrame)));
	const pieces: Uint8Array[] = [];
	for (let times = 0; times < RUNS * 4; times++) pieces.push(chance.int(3) === 0 ? chance.bytes(chance.int(80)) : mutate(chance, frames()));
	assert.equal(run(GREENHOUSE, Buffer.concat([...pieces, new Uint8Array(1_000_000).fill(0x55), new Uint8Array(1_000)]), "--fuzz"), "");
});
