import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { GatewayError } from "../../src/core/errors.js";
import { type Definition, type DefinitionFault, loadDefinitions, parseDefinition } from "../../src/south/definition.js";
import { Chance, mutate, RUNS } from "../fakes/fuzz.js";

const HEAD = `model: acme-th10
name: Acme TH10
type: sensor
source: { document: Acme TH10 manual, revision: C, table: "4.2" }
`;
const MODBUS = `${HEAD}protocol: modbus-rtu
every: 10s
points:
  temperature: { unit: celsius, at: { table: input, register: 0x10, type: i16, scale: 0.1, invalid: [-32768, "0x7FFF"] } }
  mode: { kind: enum, access: rw, at: { table: holding, register: 1, type: u16, labels: { 0: off, 1: heat } } }
samples:
  - { request: 01 04 00 10 00 01 30 0F, response: 01 04 02 00 EA 38 BF, readings: { temperature: "23.4" } }
`;
const LINES = `${HEAD}protocol: lines
points:
  temperature: { unit: "°C", at: { key: temp } }
  relay: { kind: boolean, access: rw, at: { field: 2, on: OPEN, off: SHUT }, set: { line: "R {value}" } }
samples:
  - { line: temp=1, readings: { temperature: "1" } }
`;

function definitionOf(text: string): Definition {
	const parsed = parseDefinition(text, "x.yaml");
	return "definition" in parsed ? parsed.definition : assert.fail(JSON.stringify(parsed.faults));
}
function faultsOf(text: string): readonly DefinitionFault[] {
	const parsed = parseDefinition(text, "x.yaml");
	return "faults" in parsed ? parsed.faults : assert.fail("it is taken");
}

test("parseDefinition() reads a Modbus definition: units, spans, sentinels, labels, and the step of what can be set", () => {
	const definition = definitionOf(MODBUS.replace("kind: enum, access: rw", "kind: enum, access: rw, label: Mode") + `\n`);
	assert.ok(definition.protocol === "modbus-rtu");
	assert.equal(definition.every, 10_000);
	assert.deepEqual(definition.request, { registers: 125, gap: 8 });
	const { temperature, mode } = definition.points;
	assert.deepEqual(temperature?.point, { kind: "numeric", access: "r", unit: "°C" });
	assert.deepEqual(temperature?.at.invalid, [0x8000n, 0x7fffn]);
	assert.deepEqual(temperature?.at.scale, { digits: 1n, decimals: 1 });
	assert.deepEqual(mode?.point, { kind: "enum", access: "rw", label: "Mode", labels: ["off", "heat"] });
	const set = definitionOf(MODBUS.replace("unit: celsius", "unit: celsius, access: rw").replace("table: input", "table: holding"));
	assert.ok(set.protocol === "modbus-rtu" && set.points["temperature"]?.point.kind === "numeric");
	assert.equal(set.points["temperature"].point.step, 0.1);
});

test("parseDefinition() reads a line definition", () => {
	const definition = definitionOf(LINES);
	assert.ok(definition.protocol === "lines");
	assert.deepEqual([definition.every, definition.lineEnd, definition.ignore], [undefined, "\n", []]);
	assert.deepEqual(definition.points["relay"]?.at.where, { field: 2 });
	assert.equal(definition.points["relay"]?.at.set, "R {value}");
});

// [what, text, what stands at the place that is told, message]
const FAULTS: readonly (readonly [string, string, string, RegExp])[] = [
	["an unknown key, with the nearest known one", MODBUS.replace("register: 0x10", "regster: 0x10"), "regster", /Cannot use "points\.temperature\.at\.regster": there is no such key; did you mean "register"/],
	["an unknown key at the top", MODBUS.replace("every:", "evry: 1s\nevery:"), "evry", /"evry": there is no such key; did you mean "every"/],
	["a key that is missing", MODBUS.replace("every: 10s\n", ""), "model", /Cannot find "every": it is required/],
	["a definition without a source", MODBUS.replace(/source: .*\n/, ""), "model", /Cannot find "source"/],
	["a definition without samples", MODBUS.replace(/samples:[^]*/, ""), "model", /Cannot find "samples"/],
	["an unknown unit", MODBUS.replace("celsius", "bananas"), "bananas", /"points\.temperature\.unit": "bananas" is no known unit/],
	["a span without a unit", MODBUS.replace("10s", "10"), "10", /every/],
	["a span of nothing", MODBUS.replace("10s", "1ms"), "1ms", /no length of time of at least 100ms/],
	["a protocol that is not built", MODBUS.replace("modbus-rtu", "profibus"), "profibus", /protocol/],
	["readings without quotes, whose digits would be lost", MODBUS.replace('"23.4"', "23.40"), "23.40", /must be written in quotes/],
	["a scale of zero", MODBUS.replace("scale: 0.1", "scale: 0"), "0,", /multiplied by zero/],
	["a table that cannot be written", MODBUS.replace("unit: celsius", "access: rw"), "rw,", /the table "input" cannot be written/],
	["a coil that is a number", MODBUS.replace("table: input", "table: coil"), "i16", /a coil is one bit/],
	["a boolean that is a number", MODBUS.replace("unit: celsius", "kind: boolean"), "i16", /a boolean is bool or bits/],
	["bits without a mask", MODBUS.replace("type: i16", "type: bits"), "bits", /bits need a mask/],
	["an enum without labels", MODBUS.replace(/, labels: \{ 0: off, 1: heat \}/, ""), "enum", /an enum needs labels/],
	["a unit on what is no number", MODBUS.replace("kind: enum,", "kind: enum, unit: V,"), "V,", /a point of kind enum has none/],
	["a sample of a point that is not there", MODBUS.replace('temperature: "23.4"', 'humidity: "23.4"'), "{ request", /there is no point "humidity"/],
	["a register beyond the last", MODBUS.replace("register: 0x10, type: i16", "register: 65535, type: i32"), "65535", /beyond register 65535/],
	["two names that differ in case alone", MODBUS.replace("mode:", "Temperature: { at: { table: input, register: 3, type: u16 } }\n  mode:"), "{ at:", /differs from "temperature" in case alone/],
	["a name that people cannot type", MODBUS.replace("mode: {", '"m m": {'), "{ kind: enum", /a point's name is a letter/],
	["a key that occurs twice", MODBUS.replace("every: 10s", "every: 10s\nevery: 11s"), "every: 11s", /unique/],
	["written together with what cannot be written", MODBUS.replace("type: i16", "type: i16, together: true"), "true", /function 23 writes and reads holding registers/],
	["what is no YAML", "model: [", "", /Cannot read "x\.yaml"/],
	["a tag, for a definition is data only", MODBUS.replace("10s", "!!js/function 10s"), "!!js/function", /Cannot read "x\.yaml": Unresolved tag/],
	["two places in one", LINES.replace("key: temp", "key: temp, field: 1"), "{ key", /one of key, field and path, and has 2/],
	["a JSON path on lines that are none", LINES.replace("key: temp", "path: temp"), "{ path", /these lines are none/],
	["a point to be written that nothing sets", LINES.replace(', set: { line: "R {value}" }', ""), "{ kind: boolean", /needs set/],
	["a read-only point that something sets", LINES.replace("access: rw", "access: r"), "{ line:", /the point is read-only/],
	["on without off", LINES.replace(", off: SHUT", ""), "{ field", /on and off are given together/],
	["a rhythm from what is no time", LINES.replace("protocol: lines", "protocol: lines\nevery_from: temperature"), "temperature", /names no numeric point with a unit of time/],
];

for (const [what, text, place, message] of FAULTS) {
	test(`parseDefinition() refuses ${what}, and says where`, () => {
		const faults = faultsOf(text);
		assert.match(faults[0]!.message, message);
		const pointed = (text.split("\n")[faults[0]!.line - 1] ?? "").slice(faults[0]!.column - 1);
		assert.ok(pointed.startsWith(place), `line ${faults[0]!.line}, column ${faults[0]!.column}: "${pointed}"`);
		assert.equal(faults.length, 1, JSON.stringify(faults));
	});
}

test("parseDefinition() tells all faults of a file at once", () => {
	assert.equal(faultsOf(MODBUS.replace("celsius", "bananas").replace("0x10", "-1").replace("type: sensor", "type: 7")).length, 3);
});

test("parseDefinition() throws for no text", () => {
	const chance = new Chance(8);
	const whole = new TextEncoder().encode(MODBUS + LINES.slice(0, 200));
	for (let run = 0; run < RUNS / 4; run++) parseDefinition(new TextDecoder().decode(mutate(chance, whole.subarray(0, 100 + chance.int(whole.length)))), "x.yaml");
	parseDefinition("a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c,*c,*c,*c,*c,*c]", "x.yaml");
	assert.match(faultsOf(`# ${"x".repeat(300_000)}`)[0]!.message, /more than 262144 characters/);
});

test("loadDefinitions() reads folders, the later ones first in right, and tells the faults of all files with their places", () => {
	const folder = mkdtempSync(join(tmpdir(), "jidway-definitions-"));
	try {
		const [ours, theirs] = [join(folder, "ours"), join(folder, "theirs")];
		for (const each of [ours, theirs]) mkdirSync(each);
		writeFileSync(join(ours, "a.yaml"), MODBUS);
		writeFileSync(join(ours, "README.md"), "no definition");
		writeFileSync(join(theirs, "b.yml"), LINES.replace("name: Acme TH10", "name: My TH10"));
		assert.deepEqual([...loadDefinitions([ours]).values()].map((each) => each.name), ["Acme TH10"]);
		assert.deepEqual([...loadDefinitions([ours, theirs]).values()].map((each) => each.name), ["My TH10"]);
		writeFileSync(join(theirs, "c.yaml"), LINES.replace("key: temp", "kye: temp"));
		writeFileSync(join(ours, "d.yaml"), MODBUS);
		assert.throws(() => loadDefinitions([ours, theirs, join(folder, "none")]), (error) => {
			assert.ok(error instanceof GatewayError && error.fault === "bad-config" && Array.isArray(error.cause));
			const lines = error.message.split("\n");
			assert.equal(lines[0], `${join(ours, "d.yaml")}:1:1: Cannot use model "acme-th10": "${join(ours, "a.yaml")}" defines it already`);
			assert.equal(lines[1], `${join(theirs, "c.yaml")}:7:36: Cannot use "points.temperature.at.kye": there is no such key; did you mean "key"`);
			assert.match(lines[2] ?? "", /none:1:1: Cannot read the folder/);
			assert.equal(error.cause.length, 3);
			return true;
		});
	} finally {
		rmSync(folder, { recursive: true });
	}
});
