import assert from "node:assert/strict";
import { test } from "node:test";
import { GatewayError } from "../../../src/core/errors.js";
import { numericFromText, type Value } from "../../../src/core/value.js";
import { DeviceLinkDialect } from "../../../src/south/serial/device-link-dialect.js";
import type { LinkPoint, LinkSchema } from "../../../src/south/serial/device-link-model.js";
import { ReportWindow } from "../../../src/south/serial/device-link-window.js";

const number = (text: string): Value => numericFromText(text)!;
const point = (name: string, more: Partial<LinkPoint> = {}): LinkPoint => ({ name, kind: "numeric", access: "rw", decimals: 0, labels: [], ...more });
const SCHEMA: LinkSchema = {
	kind: "schema", id: 1, uid: "gh-1", name: "Greenhouse", listens: true, every: 60_000,
	points: [
		point("temp", { access: "r", decimals: 2, unit: "degC" }), point("Setpoint", { decimals: 1, unit: "°C", min: 50n, max: 350n }), point("pump", { kind: "boolean" }), point("vent", { kind: "enum", labels: ["closed", "open"] }),
		point("ring", { kind: "boolean", access: "w" }), point("blub", { access: "r", unit: "blub" }), point("total", { access: "r", decimals: 18 }),
	],
};
function learnt(schema = SCHEMA): DeviceLinkDialect {
	const dialect = new DeviceLinkDialect("port0");
	dialect.decode(schema, 0);
	return dialect;
}

test("a schema becomes an announcement, with units in our spelling and a grid that confirms", () => {
	const dialect = new DeviceLinkDialect("port0");
	assert.deepEqual(dialect.announced(), []);
	assert.deepEqual(dialect.decode({ kind: "pulse", alive: true }, 0), {}, "nobody is known yet");
	const { announced, misfits, heard } = dialect.decode(SCHEMA, 0);
	assert.deepEqual(announced, [{
		address: "gh-1", name: "Greenhouse", every: 60_000,
		points: {
			temp: { kind: "numeric", access: "r", unit: "°C" }, Setpoint: { kind: "numeric", access: "rw", unit: "°C", min: 5, max: 35, step: 0.1 }, pump: { kind: "boolean", access: "rw" },
			vent: { kind: "enum", access: "rw", labels: ["closed", "open"] }, ring: { kind: "boolean", access: "w" }, blub: { kind: "numeric", access: "r", integer: true }, total: { kind: "numeric", access: "r" },
		},
	}]);
	assert.deepEqual(heard, ["gh-1"]);
	assert.deepEqual(misfits, [{ where: "gh-1", reason: "blub has a unit that is not known: it is read without", sample: "blub" }]);
	assert.deepEqual(dialect.announced(), announced);
});

// [what, values, told]
const REPORTS = [
	["digits are kept", [2350n, 210n], ["temp 23.50", "Setpoint 21.0"]],
	["small and negative numbers", [-5n, 0n], ["temp -0.05", "Setpoint 0.0"]],
	["a boolean and an enum", [undefined, undefined, 1n, 1n], ["pump true", "vent open"]],
	["64 bits", [undefined, undefined, undefined, undefined, undefined, 2n ** 63n - 1n, -(2n ** 63n)], ["blub 9223372036854775807", "total -9.223372036854775808"]],
	["what cannot be read is not told", [undefined, undefined, undefined, undefined, 1n], []],
	["nothing", [], []],
] as const;
for (const [what, values, told] of REPORTS) {
	test(`a report: ${what}`, () => {
		const meaning = learnt().decode({ kind: "report", age: 0, values }, 1_000);
		assert.deepEqual(meaning.told?.map(({ point: name, value, at }) => `${name} ${typeof value === "object" ? value.text : String(value)}${at === undefined ? "" : " late"}`), told);
		assert.equal(meaning.misfits, undefined);
		assert.deepEqual(meaning.heard, ["gh-1"]);
	});
}

test("a report of a boolean that is 2 or of a label that is not there is a misfit, and the rest is told", () => {
	const { told, misfits } = learnt().decode({ kind: "report", age: 0, values: [1n, undefined, 2n, 2n] }, 0);
	assert.equal(told?.length, 1);
	assert.deepEqual(misfits?.map(({ reason }) => reason), ["pump is none of what it can be", "vent is none of what it can be"]);
});

test("a report that waited has the time at which it was taken", () => {
	assert.equal(learnt().decode({ kind: "report", age: 1_500, values: [1n] }, 10_000).told?.[0]?.at, 8_500);
});

// [address, point, value, what is sent or the fault]
const COMMANDS: readonly (readonly [string, string, Value, readonly [number, bigint] | string])[] = [
	["gh-1", "setpoint", number("22.5"), [1, 225n]],
	["gh-1", "Setpoint", number("22"), [1, 220n]],
	["gh-1", "Setpoint", number("22.45"), [1, 225n]],
	["gh-1", "Setpoint", number("-22.45"), [1, -225n]],
	["gh-1", "pump", true, [2, 1n]],
	["gh-1", "pump", false, [2, 0n]],
	["gh-1", "vent", "open", [3, 1n]],
	["gh-1", "ring", true, [4, 1n]],
	["gh-1", "vent", "half", "bad-value"],
	["gh-1", "pump", number("1"), "bad-value"],
	["gh-1", "Setpoint", "warm", "bad-value"],
	["gh-1", "Setpoint", number("9".repeat(30)), "bad-value"],
	["gh-1", "temp", number("1"), "not-writable"],
	["gh-1", "door", true, "unknown-point"],
	["gh-2", "pump", true, "unknown-device"],
];
for (const [address, name, value, wanted] of COMMANDS) {
	test(`a command: ${address} ${name} ${typeof value === "object" ? value.text : String(value)}`, () => {
		const dialect = learnt();
		if (typeof wanted === "string") assert.throws(() => dialect.encode(address, name, value), (error) => error instanceof GatewayError && error.fault === wanted && error.message.startsWith("Cannot "));
		else assert.deepEqual(dialect.encode(address, name, value), [{ kind: "setting", schema: 1, point: wanted[0], value: wanted[1] }]);
	});
}

test("a device without an address has that of its link, and one that takes its place makes it go", () => {
	const dialect = learnt({ ...SCHEMA, uid: "" });
	assert.equal(dialect.announced()[0]?.address, "port0");
	const meaning = dialect.decode({ ...SCHEMA, id: 2 }, 0);
	assert.deepEqual(meaning.gone, ["port0"]);
	assert.equal(meaning.announced?.[0]?.address, "gh-1");
	assert.equal(dialect.decode({ ...SCHEMA, id: 3 }, 0).gone, undefined, "the same device with other points stays");
});

test("what a device that only talks calls writable is read", () => {
	const [announced] = learnt({ ...SCHEMA, listens: false }).announced();
	assert.deepEqual(Object.values(announced!.points).map(({ access }) => access), Array.from({ length: 7 }, () => "r"));
});

test("a silent device is offline, and online with its next word", () => {
	const dialect = learnt();
	assert.deepEqual(dialect.decode({ kind: "pulse", alive: false, reason: "no answer" }, 0), { states: [{ address: "gh-1", state: "offline", reason: "no answer" }] });
	assert.deepEqual(dialect.decode({ kind: "pulse", alive: true }, 0), { heard: ["gh-1"], states: [{ address: "gh-1", state: "online" }] });
	assert.deepEqual(dialect.decode({ kind: "pulse", alive: true }, 0), { heard: ["gh-1"] });
});

// [first, what is heard, fates, lost, missing at the end]
const WINDOWS: readonly (readonly [number, readonly number[], string, number, number])[] = [
	[0, [0, 1, 2], "nnn", 0, 0],
	[254, [254, 255, 0, 1], "nnnn", 0, 0],
	[0, [0, 0, 1, 0, 1], "nrnrr", 0, 0],
	[0, [0, 3, 1, 2, 3], "nnnnr", 0, 0],
	[0, [2], "n", 0, 2],
	[5, [4, 3, 200], "sss", 0, 0],
	[0, [0, 64, 1, 0, 2], "nnnsn", 0, 61],
	[0, [1, 64, 65], "nnn", 1, 62],
	[0, [0, 127, 255], "nns", 63, 63],
	[0, [128], "s", 0, 0],
	[0, Array.from({ length: 600 }, (_, at) => at & 0xff), "n".repeat(600), 0, 0],
];
for (const [first, heard, fates, lost, missing] of WINDOWS) {
	test(`ReportWindow from ${first}: ${heard.slice(0, 6).join()}${heard.length > 6 ? " …" : ""}`, () => {
		const window = new ReportWindow(first);
		assert.equal(heard.map((seq) => window.hear(seq)).map((fate) => (typeof fate === "number" ? "n" : fate[0])).join(""), fates);
		assert.deepEqual([window.lost, window.missing], [lost, missing]);
	});
}

test("ReportWindow keeps what was taken apart from what was heard, and forgets what is 256 behind", () => {
	const window = new ReportWindow(0);
	const number = window.hear(0);
	assert.equal(typeof number, "number");
	assert.equal(window.isTaken(0), false);
	window.taken(Number(number));
	assert.equal(window.isTaken(0), true);
	for (let seq = 1; seq <= 256; seq++) window.hear(seq & 0xff);
	window.taken(Number(number));
	assert.equal(window.isTaken(0), false, "that is another report by now");
});
