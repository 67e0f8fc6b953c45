import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { systemClock } from "../../../firmware-sim/clock.js";
import { SparkplugNode } from "../../../firmware-sim/sparkplug-node.js";
import { GatewayError } from "../../../src/core/errors.js";
import { type Numeric, numericFromText, type Value } from "../../../src/core/value.js";
import { Sparkplug } from "../../../src/south/conventions/sparkplug.js";
import type { Message } from "../../../src/south/link.js";
import type { Meaning } from "../../../src/south/meaning.js";
import { Chance, mutate, RUNS } from "../../fakes/fuzz.js";
import { TestBroker, until } from "../../firmware-sim/broker.js";
import { FakeClock } from "../../firmware-sim/fake-clock.js";
import { Listener } from "./on-a-broker.js";
import { numeric, readings, reasons, statesOf, toldBy } from "./said.js";
import { type Fields, metric, payload } from "./sparkplug-bytes.js";

const T = 1_760_000_000_000n;

function say(type: string, bytes: Uint8Array, { device, group = "G", node = "N", retained = false }: { device?: string; group?: string; node?: string; retained?: boolean } = {}): Message {
	return { kind: "message", topic: ["spBv1.0", group, type, node, ...(device === undefined ? [] : [device])].join("/"), payload: bytes, retained };
}

/** A node that was announced with bdSeq 5 and seq 0. */
function born(...metrics: readonly Fields[]): Sparkplug {
	const sparkplug = new Sparkplug();
	sparkplug.hear(say("NBIRTH", payload({ time: T, seq: 0 }, metric({ name: "bdSeq", type: 4, long: 5n }), metric({ name: "Node Control/Rebirth", type: 11, bool: false }), ...metrics)));
	return sparkplug;
}

function rebirths(meaning: Meaning | undefined): string[] {
	return (meaning?.send ?? []).map(({ topic }) => topic);
}

const ROWS: readonly (readonly [what: string, fields: Fields, value: string | boolean | undefined])[] = [
	["Int8 in its own width", { type: 1, int: 128n }, "-128"],
	["Int8 in 32 bits", { type: 1, int: 4_294_967_168n }, "-128"],
	["Int16 in 64 bits", { type: 2, long: 0xffff_ffff_ffff_8000n }, "-32768"],
	["Int32", { type: 3, int: 0xffff_ffffn }, "-1"],
	["Int64, exact", { type: 4, long: 0x8000_0000_0000_0001n }, "-9223372036854775807"],
	["UInt8", { type: 5, int: 255n }, "255"],
	["UInt16", { type: 6, int: 65_535n }, "65535"],
	["UInt32 in int_value", { type: 7, int: 4_294_967_295n }, "4294967295"],
	["UInt32 in long_value", { type: 7, long: 4_294_967_295n }, "4294967295"],
	["UInt64, exact", { type: 8, long: 18_446_744_073_709_551_615n }, "18446744073709551615"],
	["Float, its shortest digits", { type: 9, float: 12.1 }, "12.1"],
	["Float that is no number", { type: 9, float: NaN }, undefined],
	["Double", { type: 10, double: 0.1 }, "0.1"],
	["Boolean", { type: 11, bool: true }, true],
	["String", { type: 12, string: "lauft ❄" }, "lauft ❄"],
	["DateTime", { type: 13, long: 1_760_000_000_123n }, "2025-10-09T08:53:20.123Z"],
	["DateTime that no calendar has", { type: 13, long: 0x7fff_ffff_ffff_ffffn }, undefined],
	["Text", { type: 14, string: "long" }, "long"],
	["UUID", { type: 15, string: "f81d4fae-7dec-11d0-a765-00a0c91e6bf6" }, "f81d4fae-7dec-11d0-a765-00a0c91e6bf6"],
	["DataSet", { type: 16, dataset: { columns: ["t", "v"], types: [12, 3], rows: [["a", 1], ["b", -1]] } }, '[{"t":"a","v":1},{"t":"b","v":-1}]'],
	["Bytes", { type: 17, bytes: [1, 2] }, undefined],
	["File", { type: 18, bytes: [1, 2] }, undefined],
	["Int8Array", { type: 22, bytes: [1, 255] }, "[1,-1]"],
	["Int16Array", { type: 23, bytes: [1, 0, 0, 128] }, "[1,-32768]"],
	["UInt32Array", { type: 28, bytes: [255, 255, 255, 255] }, "[4294967295]"],
	["UInt64Array", { type: 29, bytes: [255, 255, 255, 255, 255, 255, 255, 255] }, "[18446744073709551615]"],
	["FloatArray", { type: 30, bytes: [0x9a, 0x99, 0x41, 0x41] }, "[12.1]"],
	["DoubleArray", { type: 31, bytes: [0, 0, 0, 0, 0, 0, 0xf8, 0x3f] }, "[1.5]"],
	["BooleanArray", { type: 32, bytes: [3, 0, 0, 0, 0b1010_0000] }, "[true,false,true]"],
	["StringArray", { type: 33, bytes: [0x61, 0, 0x62, 0x63, 0] }, '["a","bc"]'],
	["DateTimeArray", { type: 34, bytes: [0, 0, 0, 0, 0, 0, 0, 0] }, '["1970-01-01T00:00:00.000Z"]'],
	["no value", { type: 3 }, undefined],
	["null", { type: 3, int: 7n, isNull: true }, undefined],
	["a type of tomorrow", { type: 99, bytes: [1] }, undefined],
	["another value than its type", { type: 3, string: "7" }, undefined],
];
for (const [what, fields, value] of ROWS) {
	test(`hear() reads a metric: ${what}`, () => {
		const meaning = born().hear(say("DBIRTH", payload({ time: T, seq: 1 }, metric({ name: "x", ...fields }), metric({ name: "y", type: 11, bool: true })), { device: "D" }));
		assert.deepEqual(toldBy(meaning), { ...(value !== undefined && { "G/N/D x": value }), "G/N/D y": true });
	});
}

test("a birth announces node and device, with units, facts, and what can be set", () => {
	const sparkplug = new Sparkplug();
	const node = sparkplug.hear(say("NBIRTH", payload({ time: T, seq: 0 },
		metric({ name: "bdSeq", type: 4, long: 0n }), metric({ name: "Node Control/Rebirth", type: 11, bool: false }), metric({ name: "Node Control/Scan Rate", type: 4, long: 3_000n }),
		metric({ name: "Properties/Hardware Make", type: 12, string: "Acme" }), metric({ name: "Properties/fw_version", type: 12, string: "2.1" }), metric({ name: "Supply Voltage", type: 9, float: 12.5 }))));
	assert.deepEqual(statesOf(node), { "G/N": "online" });
	const { points, ...facts } = node!.announced![0]!;
	assert.deepEqual(facts, { address: "G/N", name: "N", manufacturer: "Acme", firmware: "2.1" });
	assert.deepEqual(points["Supply Voltage"], { kind: "numeric", access: "r", unit: "V" });
	assert.deepEqual(points["Node Control/Rebirth"], { kind: "boolean", access: "rw", category: "status", confirm: "none" });
	assert.equal(points["Properties/Hardware Make"]?.category, "identity");
	assert.equal("bdSeq" in points, false);
	const device = sparkplug.hear(say("DBIRTH", payload({ time: T, seq: 1 },
		metric({ name: "Outputs/Level", type: 2, int: 5n, properties: [["engUnit", "l/min"]] }), metric({ name: "Inputs/Level", type: 2, int: 5n }),
		metric({ name: "Gain", type: 9, float: 1, properties: [["readOnly", false]] }), metric({ name: "Outputs/Locked", type: 11, bool: true, properties: [["readOnly", true]] }), metric({ name: "Zone Setpoint", type: 10, double: 20.5 })), { device: "D" }));
	const access = Object.fromEntries(Object.entries(device!.announced![0]!.points).map(([name, point]) => [name, point.access]));
	assert.deepEqual(access, { "Outputs/Level": "rw", "Inputs/Level": "r", Gain: "rw", "Outputs/Locked": "r", "Zone Setpoint": "rw" });
	assert.deepEqual(device!.announced![0]!.points["Outputs/Level"], { kind: "numeric", access: "rw", category: "status", unit: "L/min", integer: true, min: -32768, max: 32767 });
});

test("the same birth again announces nothing again, and another one does", () => {
	const sparkplug = born();
	const birth = (seq: number, name: string): Meaning | undefined => sparkplug.hear(say("DBIRTH", payload({ time: T, seq }, metric({ name, type: 11, bool: true })), { device: "D" }));
	assert.equal(birth(1, "a")?.announced?.length, 1);
	assert.equal(birth(2, "a")?.announced, undefined);
	assert.deepEqual(Object.keys(birth(3, "b")?.announced?.[0]?.points ?? {}), ["b"]);
});

test("data with only aliases mean what the birth said, alias 0 too, and those of the node are not those of its device", () => {
	const sparkplug = born(metric({ name: "Load", alias: 0n, type: 9, float: 1 }));
	sparkplug.hear(say("DBIRTH", payload({ time: T, seq: 1 }, metric({ name: "Speed", alias: 0n, type: 3, int: 1n }), metric({ name: "Run", alias: 2n, type: 11, bool: false })), { device: "D" }));
	assert.deepEqual(toldBy(sparkplug.hear(say("DDATA", payload({ time: T, seq: 2 }, metric({ alias: 0n, type: 3, int: 9n }), metric({ alias: 2n, bool: true })), { device: "D" }))), { "G/N/D Speed": "9", "G/N/D Run": true });
	assert.deepEqual(toldBy(sparkplug.hear(say("NDATA", payload({ time: T, seq: 3 }, metric({ alias: 0n, float: 2.5 }))))), { "G/N Load": "2.5" });
});

test("a metric's own time goes before the payload's; an impossible one is none", () => {
	const sparkplug = born(metric({ name: "a", type: 3, int: 0n }));
	const at = (time: bigint | undefined, own: bigint | undefined): number | undefined => sparkplug.hear(say("NDATA", payload({ ...(time !== undefined && { time }) }, metric({ name: "a", type: 3, int: 1n, ...(own !== undefined && { time: own }) }))))?.told?.[0]?.at;
	assert.equal(at(T, T - 5n), Number(T - 5n));
	assert.equal(at(T, undefined), Number(T));
	assert.equal(at(12n, undefined), undefined);
	assert.equal(at(0xffff_ffff_ffff_ffffn, undefined), undefined);
});

test("a historical value is told with its time, and without one not at all", () => {
	const sparkplug = born(metric({ name: "a", type: 3, int: 0n }));
	const told = (own?: bigint) => sparkplug.hear(say("NDATA", payload({ time: T }, metric({ name: "a", type: 3, int: 1n, historical: true, ...(own !== undefined && { time: own }) }))))?.told;
	assert.equal(told(T - 60_000n)?.[0]?.at, Number(T - 60_000n));
	assert.equal(told(), undefined);
});

test("the quality property of OPC makes a reading good, an estimate or an error", () => {
	const sparkplug = born(metric({ name: "a", type: 3, int: 0n }));
	const quality = (code: number) => sparkplug.hear(say("NDATA", payload({ time: T }, metric({ name: "a", type: 3, int: 1n, properties: [["Quality", code]] }))))?.told?.[0]?.quality;
	assert.deepEqual([192, 64, 0, 500].map(quality), [undefined, "estimate", "error", "error"]);
});

test("members of a template instance are points; its definition is none", () => {
	const sparkplug = new Sparkplug();
	const members = [metric({ name: "Bool", type: 11, bool: true }), metric({ name: "Inner", type: 19, template: { metrics: [metric({ name: "Deep", type: 3, int: 4n })] } })];
	const meaning = sparkplug.hear(say("NBIRTH", payload({ time: T, seq: 0 }, metric({ name: "Type", type: 19, template: { definition: true, metrics: members } }), metric({ name: "One", alias: 7n, type: 19, template: { metrics: members } }))));
	assert.deepEqual(toldBy(meaning), { "G/N One/Bool": true, "G/N One/Inner/Deep": "4" });
	assert.deepEqual(toldBy(sparkplug.hear(say("NDATA", payload({ time: T, seq: 1 }, metric({ alias: 7n, template: { metrics: [metric({ name: "Bool", type: 11, bool: false })] } }))))), { "G/N One/Bool": false });
});

test("a metric that cannot be read does not cost the others, and is named", () => {
	const broken = Uint8Array.from([0x12, 4, 0x0a, 9, 0x61, 0x62]); // a name of nine bytes in a metric of four
	const whole = payload({ time: T, seq: 1 }, metric({ name: "a", type: 3, int: 1n }));
	const meaning = born().hear(say("NDATA", Uint8Array.from([...broken, ...whole])));
	assert.deepEqual(toldBy(meaning), { "G/N a": "1" });
	assert.match(reasons(meaning).join(), /a field is longer than what is left/);
});

test("a payload that cannot be read, or is compressed, is a misfit that says so", () => {
	assert.match(reasons(new Sparkplug().hear(say("NDATA", Uint8Array.from([0x0a])))).join(), /ends inside a number/);
	const compressed = Uint8Array.from([0x22, 18, ...Buffer.from("SPBV1.0_COMPRESSED")]);
	assert.match(reasons(new Sparkplug().hear(say("NBIRTH", compressed))).join(), /switch compression off/);
});

test("a gap in the sequence asks for a rebirth, a repeated number does not, and 255 is followed by 0", () => {
	const data = (sparkplug: Sparkplug, seq: number) => rebirths(sparkplug.hear(say("NDATA", payload({ time: T, seq }, metric({ name: "a", type: 3, int: 1n })))));
	const sparkplug = born(metric({ name: "a", type: 3, int: 0n }));
	assert.deepEqual([data(sparkplug, 1), data(sparkplug, 1), data(sparkplug, 2)], [[], [], []]);
	assert.deepEqual(data(sparkplug, 4), ["spBv1.0/G/NCMD/N"]);
	const last = born(metric({ name: "a", type: 3, int: 0n }));
	for (let seq = 1; seq < 256; seq++) assert.deepEqual(data(last, seq), []);
	assert.deepEqual(data(last, 0), []);
});

test("a message of a gap is told all the same, and the rebirth is a command by name without an alias", () => {
	const sparkplug = born(metric({ name: "a", type: 3, int: 0n }));
	const meaning = sparkplug.hear(say("NDATA", payload({ time: T, seq: 9 }, metric({ name: "a", type: 3, int: 3n }))));
	assert.deepEqual(readings(meaning), { a: "3" });
	const { payload: bytes, qos, retain } = meaning!.send![0]!;
	assert.deepEqual([Buffer.from(bytes), qos, retain], [Buffer.from(payload({ time: T }, metric({ name: "Node Control/Rebirth", time: T, type: 11, bool: true }))), 0, undefined]);
});

test("data of an unknown alias, or before a birth, ask for a rebirth; what has a name is told, what has none is not", () => {
	const sparkplug = new Sparkplug();
	const nameless = sparkplug.hear(say("DDATA", payload({ time: T, seq: 4 }, metric({ alias: 3n, type: 3, int: 1n })), { device: "D" }));
	assert.deepEqual([toldBy(nameless), nameless?.announced, rebirths(nameless)], [{}, undefined, ["spBv1.0/G/NCMD/N"]]);
	const named = new Sparkplug().hear(say("DDATA", payload({ time: T, seq: 4 }, metric({ name: "a", type: 3, int: 1n })), { device: "D" }));
	assert.deepEqual([toldBy(named), Object.keys(named?.announced?.[0]?.points ?? {}), rebirths(named)], [{ "G/N/D a": "1" }, ["a"], ["spBv1.0/G/NCMD/N"]]);
	const unknown = born().hear(say("NDATA", payload({ time: T, seq: 1 }, metric({ alias: 99n, type: 3, int: 1n }))));
	assert.deepEqual(rebirths(unknown), ["spBv1.0/G/NCMD/N"]);
});

test("a node is asked again only after 20, 40, 80 … of its messages, as long as no birth comes", () => {
	const sparkplug = new Sparkplug();
	const asked: number[] = [];
	for (let message = 0; message < 400; message++) {
		const meaning = sparkplug.hear(say("NDATA", payload({ time: T }, metric({ alias: 1n, type: 3, int: 1n }))));
		if (rebirths(meaning).length > 0) asked.push(message);
	}
	assert.deepEqual(asked, [0, 20, 60, 140, 300]);
});

test("a retained message gives values, and neither life nor a rebirth", () => {
	const meaning = new Sparkplug().hear(say("NBIRTH", payload({ time: T, seq: 3 }, metric({ name: "a", type: 3, int: 1n })), { retained: true }));
	assert.deepEqual([toldBy(meaning), meaning?.heard, meaning?.states, meaning?.send], [{ "G/N a": "1" }, undefined, undefined, undefined]);
});

test("NDEATH takes the node and its devices away, DDEATH one device, and births bring them back", () => {
	const sparkplug = born();
	for (const device of ["D", "E"]) sparkplug.hear(say("DBIRTH", payload({ time: T }, metric({ name: "a", type: 11, bool: true })), { device }));
	assert.deepEqual(statesOf(sparkplug.hear(say("DDEATH", payload({ time: T }), { device: "D" }))), { "G/N/D": "offline" });
	assert.deepEqual(sparkplug.hear(say("NDEATH", payload({ time: T }, metric({ name: "bdSeq", type: 4, long: 4n })))), {}, "the will of an earlier session");
	assert.deepEqual(statesOf(sparkplug.hear(say("NDEATH", payload({ time: T }, metric({ name: "bdSeq", type: 8, long: 5n }))))), { "G/N": "offline", "G/N/D": "offline", "G/N/E": "offline" });
	assert.deepEqual(statesOf(sparkplug.hear(say("NBIRTH", payload({ time: T, seq: 0 }, metric({ name: "bdSeq", type: 4, long: 6n }))))), { "G/N": "online" });
	assert.deepEqual(statesOf(sparkplug.hear(say("DBIRTH", payload({ time: T, seq: 1 }, metric({ name: "a", type: 11, bool: true })), { device: "D" }))), { "G/N/D": "online" });
	assert.deepEqual(statesOf(new Sparkplug().hear(say("NDEATH", payload({ time: T })))), { "G/N": "offline" });
});

test("a node that was started anew without a death has lost its devices until each is announced; one that was asked has not", () => {
	const sparkplug = born();
	sparkplug.hear(say("DBIRTH", payload({ time: T, seq: 1 }, metric({ name: "a", type: 11, bool: true })), { device: "D" }));
	const birth = (bdSeq: bigint) => statesOf(sparkplug.hear(say("NBIRTH", payload({ time: T, seq: 0 }, metric({ name: "bdSeq", type: 4, long: bdSeq })))));
	assert.deepEqual(birth(5n), { "G/N": "online" });
	assert.deepEqual(birth(6n), { "G/N/D": "offline", "G/N": "online" });
});

test("commands, host states, and what is no topic of the namespace tell nothing", () => {
	const sparkplug = new Sparkplug();
	const bytes = payload({ time: T }, metric({ name: "a", type: 11, bool: true }));
	for (const [type, device] of [["NCMD", undefined], ["DCMD", "D"], ["NDATA", "D"], ["DDATA", undefined], ["XDATA", undefined]] as const) assert.deepEqual(sparkplug.hear(say(type, bytes, { ...(device !== undefined && { device }) })), {}, type);
	for (const topic of ["spBv1.0/STATE/host", "spBv1.0/G/NDATA", "spBv1.0/G/DDATA/N/D/x", "spBv1.0/G/NDATA/"]) assert.deepEqual(sparkplug.hear({ kind: "message", topic, payload: Buffer.from('{"online":true}'), retained: true }), {}, topic);
	assert.equal(sparkplug.hear({ kind: "message", topic: "STATE/host", payload: Buffer.from("ONLINE"), retained: true }), undefined);
	assert.deepEqual(sparkplug.filters(), ["spBv1.0/#"]);
});

const WISHES: readonly (readonly [type: number, birth: Fields, wish: Value, sent: Fields | undefined])[] = [
	[1, { int: 0n }, numeric("-128"), { int: 0xffff_ff80n }],
	[3, { int: 0n }, numeric("-5"), { int: 0xffff_fffbn }],
	[3, { int: 0n }, numeric("2147483648"), undefined],
	[3, { int: 0n }, numeric("1.5"), undefined],
	[4, { long: 0n }, numeric("-9223372036854775808"), { long: 0x8000_0000_0000_0000n }],
	[5, { int: 0n }, numeric("256"), undefined],
	[7, { long: 0n }, numeric("4294967295"), { long: 4_294_967_295n }],
	[8, { long: 0n }, numeric("18446744073709551615"), { long: 18_446_744_073_709_551_615n }],
	[8, { long: 0n }, numeric("18446744073709551616"), undefined],
	[8, { long: 0n }, numeric("-1"), undefined],
	[9, { float: 0 }, numeric("21.5"), { float: 21.5 }],
	[9, { float: 0 }, numeric("1" + "0".repeat(40)), undefined],
	[10, { double: 0 }, numeric("0.1"), { double: 0.1 }],
	[11, { bool: false }, true, { bool: true }],
	[11, { bool: false }, numeric("1"), undefined],
	[12, { string: "" }, "auf", { string: "auf" }],
	[13, { long: 0n }, "2025-10-09T08:53:20.123Z", { long: 1_760_000_000_123n }],
	[13, { long: 0n }, "yesterday", undefined],
];
for (const [type, birth, wish, sent] of WISHES) {
	const text = typeof wish === "object" ? wish.text : String(wish);
	test(`command() ${sent ? "writes" : "refuses"} ${text} for data type ${type}`, () => {
		const sparkplug = born();
		sparkplug.hear(say("DBIRTH", payload({ time: T, seq: 1 }, metric({ name: "Outputs/x", type, ...birth })), { device: "D" }));
		if (sent === undefined) {
			assert.throws(() => sparkplug.command("G/N/D", "Outputs/x", wish), (error) => error instanceof GatewayError && error.fault === "bad-value");
			return;
		}
		const [out] = sparkplug.command("g/n/d", "outputs/X", wish)!;
		assert.deepEqual([out!.topic, out!.qos, Buffer.from(out!.payload)], ["spBv1.0/G/DCMD/N/D", 0, Buffer.from(payload({ time: T }, metric({ name: "Outputs/x", time: T, type, ...sent })))]);
	});
}

test("command() uses the alias alone where the birth gave one, and the topic of the node for its own metrics", () => {
	const sparkplug = born(metric({ name: "Outputs/Fan", alias: 8n, type: 11, bool: false }));
	const [out] = sparkplug.command("G/N", "Outputs/Fan", true)!;
	assert.deepEqual([out!.topic, Buffer.from(out!.payload)], ["spBv1.0/G/NCMD/N", Buffer.from(payload({ time: T }, metric({ alias: 8n, time: T, type: 11, bool: true })))]);
});

test("command() knows who and what it does not know, and what is read-only", () => {
	const sparkplug = born(metric({ name: "Inputs/a", type: 11, bool: true }));
	const fault = (point: string) => { try { sparkplug.command("G/N", point, true); } catch (error) { return error instanceof GatewayError ? error.fault : undefined; } return undefined; };
	assert.equal(sparkplug.command("G/X", "a", true), undefined);
	assert.deepEqual([fault("nothing"), fault("Inputs/a")], ["unknown-point", "not-writable"]);
});

test("nodes, devices and metrics are bounded, and what is too much is named", () => {
	const sparkplug = new Sparkplug();
	const many = Array.from({ length: 1_200 }, (_, at) => metric({ name: `m${at}`, type: 11, bool: true }));
	const meaning = sparkplug.hear(say("NBIRTH", payload({ time: T }, ...many)));
	assert.deepEqual([Object.keys(meaning!.announced![0]!.points).length, meaning!.told!.length, meaning!.misfits!.length], [1_000, 1_000, 200]);
	for (let at = 0; at < 1_000; at++) sparkplug.hear(say("NBIRTH", payload({}), { node: `n${at}` }));
	assert.match(reasons(sparkplug.hear(say("NBIRTH", payload({}), { node: "more" }))).join(), /too many/);
	const flood = payload({}, ...Array.from({ length: 5_001 }, () => metric({ alias: 1n })));
	assert.match(reasons(sparkplug.hear(say("NDATA", flood))).join(), /more than 5000 metrics/);
});

test("templates in templates end at the fourth", () => {
	let inner = metric({ name: "x", type: 3, int: 1n });
	for (let depth = 0; depth < 6; depth++) inner = metric({ name: "t", type: 19, template: { metrics: [inner] } });
	assert.match(reasons(new Sparkplug().hear(say("NBIRTH", payload({ time: T }, inner)))).join(), /deeper than 4/);
});

test("hear() throws for no payload, cut at every byte or damaged", () => {
	const whole = payload({ time: T, seq: 1 }, metric({ name: "a", alias: 1n, type: 9, float: 1, properties: [["engUnit", "V"], ["Quality", 192]] }), metric({ name: "s", type: 16, dataset: { columns: ["c"], types: [3], rows: [[1]] } }), metric({ name: "t", type: 19, template: { metrics: [metric({ name: "m", type: 3, int: 1n })] } }));
	for (let cut = 0; cut < whole.length; cut++) born().hear(say("NBIRTH", whole.subarray(0, cut)));
	const chance = new Chance(81);
	const sparkplug = born();
	let told = 0;
	for (let run = 0; run < RUNS; run++) {
		const bytes = run % 4 === 0 ? chance.bytes(chance.int(80)) : mutate(chance, whole);
		const meaning = sparkplug.hear(say(chance.pick(["NBIRTH", "NDATA", "NDEATH", "DBIRTH", "DDATA", "DDEATH"]), bytes, { ...(chance.int(2) === 0 && { device: "D" }) }));
		told += meaning?.told?.length ?? 0;
		for (const { value } of meaning?.told ?? []) if (typeof value === "object") assert.ok(isDecimal(value), JSON.stringify(value));
	}
	assert.ok(told > RUNS / 20, String(told));
});

function isDecimal(value: Numeric): boolean {
	return numericFromText(value.text)?.text === value.text && Number.isFinite(value.number);
}

test("a payload of 1 MiB of noise costs less than a second", () => {
	const noise = new Uint8Array(1 << 20).fill(0x08);
	const began = performance.now();
	new Sparkplug().hear(say("NDATA", noise));
	assert.ok(performance.now() - began < 1_000);
});

let broker: TestBroker;
const ends: (() => Promise<void>)[] = [];
before(async () => void (broker = await TestBroker.start()));
after(async () => {
	for (const end of ends.reverse()) await end();
	await broker.stop();
});

for (const aliases of [true, false]) {
	test(`SparkplugNode ${aliases ? "with" : "without"} aliases: found, read, commanded until confirmed, and gone with its will`, async () => {
		const node = `press-${aliases ? 1 : 2}`;
		const site = await Listener.start(broker.url, new Sparkplug());
		// By this machine's clock: a reading that says it is older than the command confirms nothing.
		const sim = new SparkplugNode({ url: broker.url, node, aliases, clock: systemClock, delay: 5, period: 1_000_000 });
		ends.push(() => sim.crash(), () => site.stop());
		await sim.start();
		const device = `Plant/${node}/valve`;
		await until("the births", () => site.value(device, "Turns") !== undefined);
		assert.equal(site.value(device, "Turns"), "9007199254740993");
		assert.deepEqual([site.availability(`Plant/${node}`), site.availability(device)], ["online", "online"]);
		sim.report();
		await until("a count", () => site.value(device, "Turns") === "9007199254740994");
		assert.equal((await site.set(device, "Outputs/Open", true))?.value, true);
		await site.set(device, "Setpoint/Target", -40);
		sim.stuck = true;
		await assert.rejects(site.set(device, "Outputs/Open", false, 100), (error) => error instanceof GatewayError && error.fault === "device-timeout");
		assert.deepEqual([sim.state.open, sim.state.target], [true, -40]);
		sim.pullDevice(true);
		await until("the death of the device", () => site.availability(device) === "offline");
		sim.pullDevice(false);
		await until("its birth", () => site.availability(device) === "online");
		await sim.crash();
		await until("the will", () => site.availability(`Plant/${node}`) === "offline" && site.availability(device) === "offline");
		await site.stop(); // or it would ask the next test's node for births too
	});
}

test("a number that can be set has the engineering range that its sender states, else what its type can hold", () => {
	const span = (type: number, properties: readonly (readonly [string, number])[]): unknown => {
		const point = new Sparkplug().hear(say("NBIRTH", payload({ time: T, seq: 0 }, metric({ name: "Outputs/x", type, ...(type === 9 ? { float: 1 } : { int: 1n }), properties }))))?.announced?.[0]?.points["Outputs/x"];
		return point?.kind === "numeric" ? [point.min, point.max] : point;
	};
	const stated = (low: number, high: number) => [["engLow", low], ["engHigh", high]] as const;
	assert.deepEqual(span(3, []), [-(2 ** 31), 2 ** 31 - 1]);
	assert.deepEqual(span(3, stated(-5, 60)), [-5, 60]);
	assert.deepEqual(span(5, stated(-5, 600)), [0, 255], "a range that the type cannot hold is cut");
	assert.deepEqual(span(9, stated(0, 100)), [0, 100]);
	assert.deepEqual([span(9, []), span(9, stated(0, 0))], [[undefined, undefined], [undefined, undefined]]);
});

test("a host states itself with one time in birth and will, contradicts who says that it is gone, and states its end", () => {
	const state = (online: boolean, timestamp: number) => ({ kind: "message", topic: "spBv1.0/STATE/green", payload: JSON.stringify({ online, timestamp }), qos: 1, retain: true });
	const said = (host: string, text: string, retained = false) => ({ kind: "message", topic: `spBv1.0/STATE/${host}`, payload: Buffer.from(text), retained }) as const;
	const began = Number(T);
	const sparkplug = new Sparkplug({ host: "green" });
	assert.deepEqual(sparkplug.hear(said("green", '{"online":false,"timestamp":1}')), {}, "not connected yet");
	const presence = sparkplug.presence(began);
	assert.deepEqual([presence?.birth, presence?.will, presence?.farewell(began + 9)], [[state(true, began)], state(false, began), [state(false, began + 9)]]);
	assert.deepEqual(sparkplug.hear(said("green", '{"online":false,"timestamp":1}')), { send: [state(true, began)] });
	for (const other of [said("green", '{"online":true,"timestamp":1}'), said("green", '{"online":false}', true), said("green", "OFFLINE"), said("red", '{"online":false}')]) assert.deepEqual(sparkplug.hear(other), {});
	assert.equal(new Sparkplug().presence(began), undefined, "without a host id nobody is told");
});

test("SparkplugNode that waits for its primary host is silent until the gateway is there, and again when it has gone", async () => {
	const sim = new SparkplugNode({ url: broker.url, node: "press-4", host: "green", clock: systemClock, delay: 5, period: 1_000_000 });
	ends.push(() => sim.crash());
	await sim.start();
	sim.report();
	const deaf = await Listener.start(broker.url, new Sparkplug());
	ends.push(() => deaf.stop());
	assert.deepEqual([sim.waiting, deaf.twins.size], [true, 0]);
	const site = await Listener.start(broker.url, new Sparkplug({ host: "green" }));
	const device = "Plant/press-4/valve";
	await until("its births", () => site.value(device, "Turns") !== undefined);
	assert.equal((await site.set(device, "Outputs/Open", true))?.value, true);
	await broker.send("spBv1.0/STATE/green", '{"online":false,"timestamp":1760000000000}'); // the will of a connection long gone
	await until("the contradiction", () => broker.texts("spBv1.0/STATE/green").at(-1)?.includes("true") === true && broker.texts("spBv1.0/STATE/green").length === 3);
	assert.equal(sim.waiting, false);
	await site.stop();
	await until("silence", () => sim.waiting && deaf.availability(device) === "offline");
	assert.match((await broker.retained()).get("spBv1.0/STATE/green") ?? "", /^\{"online":false,"timestamp":\d{13}\}$/);
	await deaf.stop(); // or it would ask the next test's node for births too
});

test("SparkplugNode that was announced before the gateway came is asked for its births, and after a loss again", async () => {
	const sim = new SparkplugNode({ url: broker.url, node: "press-3", clock: new FakeClock() });
	ends.push(() => sim.crash());
	await sim.start();
	const site = await Listener.start(broker.url, new Sparkplug());
	ends.push(() => site.stop());
	sim.report();
	await until("a rebirth", () => sim.heard.rebirths === 1);
	await until("its values", () => site.value("Plant/press-3/valve", "Outputs/Open") === "false");
	assert.equal(site.availability("Plant/press-3/valve"), "online");
	sim.lose = 1;
	// Not at once: it was asked a moment ago, and twenty of its messages have to pass.
	for (let times = 0; times < 12; times++) sim.report();
	await until("another rebirth", () => sim.heard.rebirths === 2);
	for (let times = 0; times < 12; times++) sim.report();
	await until("the last count", () => site.value("Plant/press-3/valve", "Turns") === String(sim.state.turns));
	assert.equal(sim.heard.rebirths, 2);
});

for (const name of ["__proto__", "constructor", "toString"]) {
	test(`a metric may be named "${name}"`, () => {
		const sparkplug = new Sparkplug();
		const meaning = sparkplug.hear(say("NBIRTH", payload({ time: T, seq: 0 }, metric({ name: "bdSeq", type: 4, long: 5n }), metric({ name, type: 11, bool: true }))));
		assert.deepEqual(Object.entries(meaning?.announced?.[0]?.points ?? {}).map(([point, { kind }]) => [point, kind]), [[name, "boolean"]]);
		assert.deepEqual(Object.entries(readings(meaning)), [[name, true]]);
		assert.deepEqual(Object.entries(readings(sparkplug.hear(say("NDATA", payload({ time: T, seq: 1 }, metric({ name, type: 11, bool: false })))))), [[name, false]]);
	});
}
