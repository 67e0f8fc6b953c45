import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../../fakes/clock.js";
import { GatewayError } from "../../../src/core/errors.js";
import { Twin } from "../../../src/core/twin.js";
import { textOf, type Value } from "../../../src/core/value.js";
import { type Definition, loadDefinitions, parseDefinition } from "../../../src/south/definition.js";
import type { Packet } from "../../../src/south/link.js";
import type { Meaning } from "../../../src/south/meaning.js";
import { SerialDialect } from "../../../src/south/serial/dialect.js";
import { Chance, RUNS } from "../../fakes/fuzz.js";

const definitions = loadDefinitions(["devices"]);
const probe = definitions.get("xy-md02")!;
const relays = definitions.get("waveshare-modbus-rtu-relay-8ch")!;
const sensor = definitions.get("jidway-air-sensor")!;

const packet = (body: Packet["body"]): Packet => ({ body, received: 0, taken: () => {} });
const line = (text: string): Packet => packet({ kind: "line", text });
const told = (meaning: Meaning): Record<string, string> => Object.fromEntries((meaning.told ?? []).map(({ point, value }) => [point, textOf(value)]));
const number = (text: string): Value => ({ text, number: Number(text) });
const fault = (wished: string, text?: RegExp) => (error: unknown): boolean => error instanceof GatewayError && error.fault === wished && (text?.test(error.message) ?? true);

function lineDefinition(rest: string): Definition {
	const parsed = parseDefinition(`model: m\nname: N\ntype: sensor\nsource: { document: doc, revision: r, table: t }\n${rest}`, "x");
	return "definition" in parsed ? parsed.definition : assert.fail(JSON.stringify(parsed.faults));
}

// ---- Modbus

test("SerialDialect announces the configured units, and hands their plan to the link", () => {
	const dialect = new SerialDialect({ link: "bus0", protocol: "modbus-rtu", devices: [{ address: "17", definition: probe, every: 2_000 }, { address: "2", definition: relays }] });
	const [first, second] = dialect.announced();
	assert.deepEqual([first?.address, first?.model, first?.type, first?.every, Object.keys(first?.points ?? {})], ["17", "xy-md02", "sensor", 2_000, ["temperature", "humidity", "temperature_correction", "humidity_correction"]]);
	assert.deepEqual([second?.address, second?.manufacturer, second?.every], ["2", "Waveshare", 5_000]);
	assert.deepEqual(dialect.polls.map(({ unit, every, reads }) => [unit, every, reads.length]), [[17, 2_000, 2], [2, 5_000, 1]]);
});

test("SerialDialect decodes the points that a packet holds whole, of the right unit and table", () => {
	const dialect = new SerialDialect({ link: "bus0", protocol: "modbus-rtu", devices: [{ address: "1", definition: probe }] });
	assert.deepEqual(told(dialect.decode(packet({ kind: "registers", unit: 1, table: "input", first: 1, values: [0xff33, 546] }))), { temperature: "-20.5", humidity: "54.6" });
	assert.deepEqual(told(dialect.decode(packet({ kind: "registers", unit: 1, table: "input", first: 2, values: [546] }))), { humidity: "54.6" });
	assert.deepEqual(told(dialect.decode(packet({ kind: "registers", unit: 1, table: "holding", first: 1, values: [1, 2] }))), {});
	assert.deepEqual(dialect.decode(packet({ kind: "registers", unit: 9, table: "input", first: 1, values: [1, 2] })), {});
	assert.deepEqual(dialect.decode(packet({ kind: "silence", unit: 9, alive: false, reason: "no answer" })), {});
});

test("SerialDialect encodes what it would decode, and refuses the rest", () => {
	const dialect = new SerialDialect({ link: "bus0", protocol: "modbus-rtu", devices: [{ address: "1", definition: probe }, { address: "2", definition: relays }] });
	assert.deepEqual(dialect.encode("2", "Relay3", true), [{ kind: "registers", unit: 2, table: "coil", first: 2, values: [1] }]);
	assert.deepEqual(dialect.encode("1", "temperature_correction", number("-1.5")), [{ kind: "registers", unit: 1, table: "holding", first: 0x103, values: [0xfff1] }]);
	assert.throws(() => dialect.encode("1", "temperature", number("1")), fault("not-writable"));
	assert.throws(() => dialect.encode("1", "pressure", number("1")), fault("unknown-point", /xy-md02 has temperature, humidity/));
	assert.throws(() => dialect.encode("3", "relay1", true), fault("unknown-device"));
	assert.throws(() => dialect.encode("2", "relay1", number("1")), fault("bad-value"));
	assert.throws(() => dialect.encode("1", "temperature_correction", number("4000")), fault("bad-value", /does not fit into the i16/));
});

test("a Modbus unit is offline with the third miss, online with the next answer, and an exception is an answer", () => {
	const dialect = new SerialDialect({ link: "bus0", protocol: "modbus-rtu", devices: [{ address: "1", definition: probe }] });
	const silence = (alive: boolean): Meaning => dialect.decode(packet({ kind: "silence", unit: 1, alive, reason: alive ? "exception 6: server device busy" : "no answer within 300 ms" }));
	const answer = (): Meaning => dialect.decode(packet({ kind: "registers", unit: 1, table: "input", first: 1, values: [1, 2] }));
	assert.deepEqual([silence(false), silence(false)], [{}, {}]);
	assert.deepEqual(answer().states, undefined);
	assert.deepEqual([silence(false), silence(false)], [{}, {}]);
	const offline = { states: [{ address: "1", state: "offline", reason: "no answer within 300 ms" }] };
	assert.deepEqual([silence(false), silence(false)], [offline, offline]);
	const back = silence(true);
	assert.deepEqual([back.heard, back.states], [["1"], [{ address: "1", state: "online" }]]);
	assert.equal(back.misfits?.[0]?.reason, "exception 6: server device busy");
	assert.deepEqual(answer().states, undefined);
});

test("a twin that hears this dialect is offline while the unit is silent, and late before it is online again", async () => {
	const clock = new FakeClock();
	const dialect = new SerialDialect({ link: "bus0", protocol: "modbus-rtu", devices: [{ address: "1", definition: probe }] });
	const [announcement] = dialect.announced();
	assert.ok(announcement);
	const twin = new Twin({ ...announcement, id: "probe", name: "Probe", link: "bus0", source: announcement }, clock.now());
	const hear = (body: Packet["body"]): void => {
		const meaning = dialect.decode(packet(body));
		if (meaning.heard) twin.alive(clock.now());
		for (const { state, reason } of meaning.states ?? []) twin.say(state, reason, clock.now());
	};
	const after: string[] = [];
	const answer = { kind: "registers", unit: 1, table: "input", first: 1, values: [1, 2] } as const;
	const silence = { kind: "silence", unit: 1, alive: false, reason: "no answer within 300 ms" } as const;
	for (const [body, wait] of [[answer, 10_000], [answer, 3_000], [silence, 3_000], [silence, 3_000], [silence, 20_000], [silence, 40_000], [answer, 10_000], [answer, 0]] as const) {
		hear(body);
		after.push(twin.availability);
		await clock.advance(wait);
	}
	assert.deepEqual(after, ["online", "online", "online", "online", "offline", "offline", "late", "online"]);
});

test("a unit that was never there is offline and not for ever unknown", () => {
	const dialect = new SerialDialect({ link: "bus0", protocol: "modbus-rtu", devices: [{ address: "1", definition: probe }] });
	const [announcement] = dialect.announced();
	assert.ok(announcement);
	const twin = new Twin({ ...announcement, id: "probe", name: "Probe", link: "bus0", source: announcement }, 0);
	for (let miss = 0; miss < 3; miss++) for (const { state, reason } of dialect.decode(packet({ kind: "silence", unit: 1, alive: false, reason: "no answer within 300 ms" })).states ?? []) twin.say(state, reason, miss);
	assert.deepEqual([twin.availability, twin.reason], ["offline", "no answer within 300 ms"]);
});

// [what, devices, protocol, message]
const MISPLACED = [
	["a definition of another protocol", [{ address: "1", definition: sensor }], "modbus-rtu", /it speaks lines, and the link modbus-rtu/],
	["a unit without a number", [{ address: "probe", definition: probe }], "modbus-rtu", /the number of the unit, 1 to 247, not "probe"/],
	["a unit without an address", [{ definition: probe }], "modbus-rtu", /the number of the unit/],
	["two units of one number", [{ address: "1", definition: probe }, { address: "01", definition: relays }], "modbus-rtu", /unit 1 is there twice/],
	["a unit without a definition", [{ address: "1" }], "modbus-rtu", /needs a definition/],
	["two devices on a line of text", [{ definition: sensor }, { address: "x" }], "lines", /there is one device on a line of text/],
] as const;

for (const [what, devices, protocol, message] of MISPLACED) {
	test(`SerialDialect refuses ${what}`, () => assert.throws(() => new SerialDialect({ link: "bus0", protocol, devices }), fault("bad-config", message)));
}

test("a sentinel, an unknown label and NaN are misfits, and the other points are told", () => {
	const definition = lineDefinition(`protocol: modbus-rtu
every: 1s
points:
  a: { at: { table: input, register: 0, type: i16, invalid: [-32768] } }
  b: { kind: enum, at: { table: input, register: 1, type: u16, labels: { 0: off, 5: heat } } }
  c: { at: { table: input, register: 2, type: f32 } }
  d: { kind: boolean, at: { table: input, register: 4, type: bits, mask: 0x10 } }
  e: { at: { table: input, register: 4, type: bits, mask: 0x0F00, scale: 0.5 } }
samples: [{ request: "01", response: "01", readings: { a: "1" } }]`);
	const dialect = new SerialDialect({ link: "b", protocol: "modbus-rtu", devices: [{ address: "1", definition }] });
	const decode = (values: readonly number[]): Meaning => dialect.decode(packet({ kind: "registers", unit: 1, table: "input", first: 0, values }));
	assert.deepEqual(told(decode([7, 5, 0x3f80, 0, 0x0510])), { a: "7", b: "heat", c: "1", d: "true", e: "2.5" });
	const bad = decode([0x8000, 4, 0x7fc0, 0, 0]);
	assert.deepEqual(told(bad), { d: "false", e: "0.0" });
	assert.deepEqual(bad.misfits?.map(({ reason }) => reason), ["a reads 0x8000, with which the device says that it has no value", "b reads a number that no label names", "c is no number (NaN or infinite)"]);
});

// ---- lines

test("a line device tells its points, ignores its banner, and counts what it does not know", () => {
	const dialect = new SerialDialect({ link: "usb0", protocol: "lines", devices: [{ definition: sensor }] });
	assert.equal(dialect.announced()[0]?.address, "usb0");
	assert.deepEqual(told(dialect.decode(line("co2=612 pm2.5=4.1 temp=21.34 hum=45.2 interval=1"))), { co2: "612", pm25: "4.1", temperature: "21.34", humidity: "45.2", interval: "1" });
	for (const text of ["AirSensor v1.3 (c) Example Instruments", "sensors: SCD41 PMS5003", "ready", "OK INTERVAL 2", "ERR"]) assert.deepEqual(dialect.decode(line(text)), { heard: ["usb0"] }, text);
	const odd = dialect.decode(line("co2=nan temp=21.34 noise"));
	assert.deepEqual(told(odd), { temperature: "21.34" });
	assert.deepEqual(odd.misfits, [{ where: "usb0", reason: "co2 is no number", sample: "co2=nan temp=21.34 noise" }]);
	assert.equal(dialect.decode(line("panic at 0x4000")).misfits?.[0]?.reason, "a line without any of its points");
	assert.deepEqual(dialect.encode("usb0", "interval", number("2")), [{ kind: "line", text: "INTERVAL 2" }]);
});

test("a line device whose rhythm is set is announced with it", () => {
	const dialect = new SerialDialect({ link: "usb0", protocol: "lines", devices: [{ address: "air", definition: sensor }] });
	assert.equal(dialect.announced()[0]?.every, 1_000);
	assert.equal(dialect.decode(line("co2=1 interval=1")).announced, undefined);
	assert.deepEqual(dialect.decode(line("co2=1 interval=30")).announced?.map(({ address, every }) => [address, every]), [["air", 30_000]]);
	assert.equal(dialect.decode(line("co2=1 interval=30")).announced, undefined);
	assert.equal(dialect.announced()[0]?.every, 30_000);
	assert.equal(dialect.decode(line("co2=1 interval=0")).announced, undefined);
});

test("fields, own words, labels and scales of a line go both ways", () => {
	const definition = lineDefinition(`protocol: lines
separator: ";"
line_end: crlf
points:
  level: { unit: m, access: rw, at: { field: 2, scale: 0.01 }, set: { line: "L {value}" } }
  valve: { kind: boolean, access: rw, at: { field: 3, on: OPEN, off: SHUT }, set: { line: "V {value}" } }
  mode: { kind: enum, access: rw, at: { field: 4, labels: { A: auto, M: manual } }, set: { line: "M {value}" } }
  note: { kind: text, access: rw, at: { field: 5, invalid: ["-"] }, set: { line: "N {value}" } }
samples: [{ line: x, readings: { mode: auto } }]`);
	const dialect = new SerialDialect({ link: "l", protocol: "lines", devices: [{ definition }] });
	assert.equal(dialect.lineEnd, "\r\n");
	assert.deepEqual(told(dialect.decode(line("T1;450;OPEN;M;hello"))), { level: "4.50", valve: "true", mode: "manual", note: "hello" });
	assert.deepEqual(dialect.decode(line("T1;4x0;AJAR;Q;-")).misfits?.map(({ reason }) => reason), ['level is no number', 'valve is neither on nor off', 'mode is none of its labels', 'note says that it has no value']);
	const sent = (point: string, value: Value): unknown => dialect.encode("l", point, value).map((out) => (out.kind === "line" ? out.text : out.kind));
	assert.deepEqual([sent("level", number("4.5")), sent("valve", false), sent("mode", "auto"), sent("note", "a b")], [["L 450"], ["V SHUT"], ["M A"], ["N a b"]]);
	assert.throws(() => sent("note", "x\nREBOOT"), fault("bad-value", /no control characters/));
	assert.throws(() => sent("mode", "eco"), fault("bad-value"));
});

test("JSON lines are read by paths with their digits, and a text cannot break out of its quotes", () => {
	const definition = lineDefinition(`protocol: json-lines
points:
  temperature: { unit: "°C", at: { path: env.t } }
  relay: { kind: boolean, access: rw, at: { path: relay }, set: { line: '{"relay":{value}}' } }
  note: { kind: text, access: rw, at: { path: note }, set: { line: '{"note":"{value}"}' } }
samples: [{ line: x, readings: { note: a } }]`);
	const dialect = new SerialDialect({ link: "l", protocol: "json-lines", devices: [{ definition }] });
	assert.deepEqual(told(dialect.decode(line('{"env":{"t":21.50},"relay":true,"note":"a"}'))), { temperature: "21.50", relay: "true", note: "a" });
	for (const text of ["{", "[1]", "7", "", '{"env":']) assert.equal(dialect.decode(line(text)).misfits?.length, 1, text);
	const sent = (point: string, value: Value): unknown => dialect.encode("l", point, value).map((out) => (out.kind === "line" ? out.text : out.kind));
	assert.deepEqual(sent("relay", true), ['{"relay":true}']);
	assert.deepEqual(sent("note", 'a","relay":true,"x":"'), [String.raw`{"note":"a\",\"relay\":true,\"x\":\""}`]);
});

// ---- lines without a definition

// [what, protocol, lines, readings, points]
const GENERIC = [
	["key=value pairs", "lines", "temp=21.50 hum=45 fan=on state=ok", { temp: "21.50", hum: "45", fan: "true", state: "ok" }],
	["key: value pairs with units", "lines", "temp: 21.5C, hum: 45 %", { temp: "21.5", hum: "45" }],
	["a row of numbers", "lines", "21.50;45,0", { "value[0]": "21.50", "value[1]": "45.0" }],
	["a row with a word in it", "lines", "21.50;warm", undefined],
	["a row of numbers with commas", "lines", "21.50,45.0", { "value[0]": "21.50", "value[1]": "45.0" }],
	["a JSON object", "json-lines", '{"t":21.50,"in":{"h":45},"ok":true,"s":"x"}', { t: "21.50", "in.h": "45", ok: "true", s: "x" }],
	["prose", "lines", "AirSensor v1.3 (c) Example Instruments", undefined],
	["prose with a colon", "lines", "sensors: SCD41 PMS5003", undefined],
	["a name that would reach the prototype", "lines", "__proto__=1", {}],
	["JSON that is none", "json-lines", "{temp:1}", undefined],
] as const;

for (const [what, protocol, text, readings] of GENERIC) {
	test(`a line without a definition: ${what}`, () => {
		const dialect = new SerialDialect({ link: "usb0", protocol, devices: [] });
		assert.deepEqual(dialect.announced(), []);
		const meaning = dialect.decode(line(text));
		assert.deepEqual(told(meaning), readings ?? {});
		assert.equal(meaning.misfits === undefined, readings !== undefined && Object.keys(readings).length > 0);
		assert.deepEqual(meaning.announced?.map(({ address, points }) => [address, Object.keys(points)]), readings && Object.keys(readings).length > 0 ? [["usb0", Object.keys(readings)]] : undefined);
		assert.equal(Object.getPrototypeOf(meaning.announced?.[0]?.points ?? {}), Object.prototype);
	});
}

test("a device without a definition grows with its lines to 64 points, keeps their kinds, and cannot be set", () => {
	const dialect = new SerialDialect({ link: "usb0", protocol: "lines", devices: [{ address: "board", every: 5_000 }] });
	assert.deepEqual(dialect.decode(line("temp=1")).announced?.[0], { address: "board", type: "sensor", every: 5_000, points: { temp: { kind: "numeric", access: "r", unit: "°C" } } });
	assert.deepEqual(Object.keys(dialect.decode(line("temp=2 hum=3")).announced?.[0]?.points ?? {}), ["temp", "hum"]);
	const changed = dialect.decode(line("temp=broken hum=4"));
	assert.deepEqual([changed.announced, told(changed), changed.misfits?.[0]?.reason], [undefined, { hum: "4" }, "temp is no numeric value any more"]);
	assert.throws(() => dialect.encode("board", "temp", number("1")), fault("not-writable"));
	for (let name = 0; name < 200; name++) dialect.decode(line(`k${name}=1`));
	const full = dialect.decode(line("one.more=1 temp=5"));
	assert.deepEqual([full.announced, told(full)], [undefined, { temp: "5" }]);
});

test("no line makes the dialect throw", () => {
	const chance = new Chance(9);
	const alphabet = 'ab1.,;=:| \t"%-e°{}[]_\\';
	const dialects = [new SerialDialect({ link: "a", protocol: "lines", devices: [] }), new SerialDialect({ link: "b", protocol: "json-lines", devices: [] }), new SerialDialect({ link: "c", protocol: "lines", devices: [{ definition: sensor }] })];
	for (let run = 0; run < RUNS; run++) {
		const text = Array.from({ length: chance.int(40) }, () => alphabet[chance.int(alphabet.length)]).join("");
		for (const dialect of dialects) dialect.decode(line(chance.pick([text, `co2=${text}`, `{"a":${text}}`])));
	}
});
