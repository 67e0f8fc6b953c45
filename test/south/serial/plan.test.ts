import assert from "node:assert/strict";
import { test } from "node:test";
import { type ModbusDefinition, parseDefinition } from "../../../src/south/definition.js";
import { pollPlan } from "../../../src/south/serial/plan.js";

/** A definition with u16 points at these places; `w` is write-only. */
function definitionOf(places: readonly string[], request = ""): ModbusDefinition {
	const points = places.map((place, index) => {
		const [table, register, type = "u16", access = "r"] = place.split(" ");
		const kind = type === "bool" ? "boolean" : "numeric";
		return `  p${index}: { kind: ${kind}, access: ${access}, at: { table: ${table}, register: ${register}, type: ${type} } }\n`;
	});
	const parsed = parseDefinition(`model: m\nname: N\ntype: sensor\nsource: { document: doc, revision: r, table: t }\nprotocol: modbus-rtu\nevery: 5s\n${request}points:\n${points.join("")}samples: [{ set: { p0: "1" }, request: "01" }]\n`, "x");
	return "definition" in parsed && parsed.definition.protocol === "modbus-rtu" ? parsed.definition : assert.fail(JSON.stringify(parsed));
}

// [what, places, request, reads as function:first+count, with the parts in brackets]
const ROWS: readonly (readonly [string, readonly string[], string, readonly string[]])[] = [
	["neighbours are one request, in whatever order they are listed", ["input 2", "input 1"], "", ["4:1+2"]],
	["a gap of eight is read over", ["input 0", "input 9"], "", ["4:0+10 [4:0+1 4:9+1]"]],
	["a gap of nine is not", ["input 0", "input 10"], "", ["4:0+1", "4:10+1"]],
	["no gap where the definition allows none", ["input 0", "input 2"], "request: { gap: 0 }\n", ["4:0+1", "4:2+1"]],
	["long numbers keep together", ["holding 0 f32", "holding 2 u64"], "", ["3:0+6"]],
	["125 registers are the most", ["holding 0", ...Array.from({ length: 63 }, (_, index) => `holding ${index * 2} u32`)], "", ["3:0+124", "3:124+2"]],
	["the definition's bound", ["holding 0 f32", "holding 2 f32", "holding 4 f32"], "request: { registers: 5 }\n", ["3:0+4", "3:4+2"]],
	["each table for itself, bits by their own bound", ["coil 0 bool", "coil 7 bool", "discrete 0 bool", "holding 0", "input 0"], "", ["1:0+8 [1:0+1 1:7+1]", "2:0+1", "4:0+1", "3:0+1"]],
	["two points in one register are read once", ["input 0 u32", "input 1", "input 0"], "", ["4:0+2"]],
	["what cannot be read is not asked for", ["holding 0 u16 w", "holding 1 u16 rw"], "", ["3:1+1"]],
];

for (const [what, places, request, reads] of ROWS) {
	test(`pollPlan(): ${what}`, () => {
		const plan = pollPlan(definitionOf(places, request), 17);
		const shown = (read: { readonly function: number; readonly first: number; readonly count: number }): string => `${read.function}:${read.first}+${read.count}`;
		assert.deepEqual(plan.reads.map(({ request, parts }) => shown(request) + (parts ? ` [${parts.map(shown).join(" ")}]` : "")), reads);
		assert.ok(plan.reads.every(({ request, parts }) => request.unit === 17 && (parts ?? []).every((part) => part.unit === 17)));
		assert.equal(plan.every, 5_000);
	});
}
