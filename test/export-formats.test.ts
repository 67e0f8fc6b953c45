import assert from "node:assert/strict";
import { test } from "node:test";
import { csvLine } from "../src/csv.js";
import { EXPORT_FORMATS, type ExportFormat, exportWriter } from "../src/export-formats.js";
import { senmlName } from "../src/export-senml.js";
import type { ExportItem, PastRow } from "../src/past.js";
import { Chance, RUNS } from "./fakes/fuzz.js";

const AT = Date.UTC(2026, 0, 1);

function row(point: string, value: string, more: Partial<PastRow> = {}): PastRow {
	return { point, at: AT, received: AT + 40, value, kind: "numeric", quality: "good", ...more };
}

function written(format: ExportFormat, items: readonly ExportItem[]): string {
	const writer = exportWriter(format);
	return [writer.begin, ...items.map((item) => writer.item(item)), writer.end].join("");
}

const ITEMS: readonly ExportItem[] = [
	{ device: "room 1", jid: "room\\201@things.example.org" },
	row("temperature", "71.50", { unit: "°C" }),
	row("note", "a \"b\", c\nd", { kind: "text", at: AT + 1_250 }),
	row("relay", "true", { kind: "boolean", at: AT + 2_000, ageUnknown: true }),
	{ device: "pump", jid: "pump@things.example.org" },
	row("power factor", "0.0000001", { unit: "lqi", quality: "estimate", at: AT - 500 }),
];

test("CSV: RFC 4180 with a header, quotes doubled, lines end with CRLF", () => {
	assert.equal(written("csv", ITEMS), [
		"device,point,time,received,value,unit,quality,age_unknown",
		"room 1,temperature,2026-01-01T00:00:00.000Z,2026-01-01T00:00:00.040Z,71.50,°C,good,",
		"room 1,note,2026-01-01T00:00:01.250Z,2026-01-01T00:00:00.040Z,\"a \"\"b\"\", c\nd\",,good,",
		"room 1,relay,2026-01-01T00:00:02.000Z,2026-01-01T00:00:00.040Z,true,,good,true",
		"pump,power factor,2025-12-31T23:59:59.500Z,2026-01-01T00:00:00.040Z,0.0000001,lqi,estimate,",
		"",
	].join("\r\n"));
});

test("JSON: one object a line, with the digits as text", () => {
	const lines = written("json", ITEMS).trimEnd().split("\n");
	assert.equal(lines[0], "{\"device\":\"room 1\",\"point\":\"temperature\",\"time\":\"2026-01-01T00:00:00.000Z\",\"received\":\"2026-01-01T00:00:00.040Z\",\"value\":\"71.50\",\"kind\":\"numeric\",\"unit\":\"°C\",\"quality\":\"good\"}");
	assert.equal(lines.length, 4);
	assert.equal((JSON.parse(lines[2]!) as { age_unknown: boolean }).age_unknown, true);
});

test("SenML: one pack; base name and time at each device, the digits as JSON numbers, registered units and names", () => {
	assert.equal(written("senml", ITEMS), `[
{"bn":"things.example.org/room_x005C_201/","bt":1767225600,"n":"temperature","u":"Cel","v":71.50},
{"n":"note","t":1.25,"vs":"a \\"b\\", c\\nd"},
{"n":"relay","t":2,"vb":true},
{"bn":"things.example.org/pump/","bt":1767225599,"n":"power_x0020_factor","t":0.5,"v":0.0000001}
]
`);
	assert.equal(written("senml", []), "[\n]\n");
});

test("senmlName() makes two names of two names, of the characters of RFC 8428 alone", () => {
	const names = ["a b", "a_b", "a_x0020_b", "a_x005F_x0020_b", "é", "e", "😀", "a:b/c.d-e_f", "_", ""];
	const made = names.map(senmlName);
	assert.equal(new Set(made).size, names.length, made.join(" "));
	for (const name of made) assert.match(name, /^[A-Za-z0-9\-:./_]*$/);
	assert.equal(senmlName("a:b/c.d-e_f"), "a:b/c.d-e_f");
});

test("csvLine() quotes exactly what needs it", () => {
	for (const [field, text] of [["", ""], ["a", "a"], ["a b", "a b"], ["a,b", "\"a,b\""], ["\"", "\"\"\"\""], ["a\rb", "\"a\rb\""], ["é", "é"]] as const) assert.equal(csvLine([field, "x"]), `${text},x\r\n`);
});

test("whatever is exported, JSON and SenML can be parsed, and SenML gives back each time and value", () => {
	const chance = new Chance(46);
	for (let run = 0; run < RUNS / 10; run++) {
		const items = Array.from({ length: chance.int(8) }, (): ExportItem => {
			if (chance.int(4) === 0) return { device: "d", jid: chance.pick(["d@x.example", "d", "ü\\20@x.example"]) };
			const text = Buffer.from(chance.bytes(chance.int(12))).toString("latin1");
			return chance.int(2) === 0 ? row(text, text, { kind: "text", at: AT + chance.int(1e6) }) : row(text, `${chance.int(1e6)}.50`, { at: AT - chance.int(1e6) });
		});
		for (const format of EXPORT_FORMATS) {
			const text = written(format, [{ device: "d", jid: "d@x.example" }, ...items]);
			if (format === "json") for (const line of text.split("\n").filter((each) => each !== "")) JSON.parse(line);
			if (format !== "senml") continue;
			let base = 0;
			const found = (JSON.parse(text) as { bt?: number; t?: number; v?: number; vs?: string }[]).map(({ bt, t = 0, v, vs }) => [Math.round((base = bt ?? base) * 1_000 + t * 1_000), v ?? vs]);
			assert.deepEqual(found, items.filter((item) => "at" in item).map(({ at, value, kind }) => [at, kind === "numeric" ? Number(value) : value]));
		}
	}
});
