import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { parseDocument, visit } from "yaml";
import { isReadable, isWritable, type Point } from "../src/core/point.js";
import { numericFromText, sameValue, textOf, type Value } from "../src/core/value.js";
import { type Definition, loadDefinitions } from "../src/south/definition.js";
import type { Outgoing, Packet } from "../src/south/link.js";
import { SerialDialect } from "../src/south/serial/dialect.js";
import { LineFramer } from "../src/south/serial/lines.js";
import { checkSamples } from "../src/south/serial/samples.js";

const FOLDER = "devices";
const definitions = loadDefinitions([FOLDER]);

/** Values to try on a point: both ends of what it takes, the middle, and one step more. */
function valuesFor(point: Point): readonly Value[] {
	switch (point.kind) {
		case "boolean": return [true, false];
		case "enum": return point.labels;
		case "text": return ["a", "two words"];
		case "numeric": {
			const { min = 0, max = 100, step = 1 } = point;
			const decimals = point.integer ? 0 : (String(step).split(".")[1]?.length ?? 0);
			return [min, max, (min + max) / 2, min + step].map((number) => numericFromText(number.toFixed(decimals)) ?? assert.fail());
		}
	}
}

/** What a device that takes the command says then, read back as Modbus does, or printed in the next line. */
function echoOf(out: Outgoing, place: unknown): Packet["body"] {
	switch (out.kind) {
		case "registers": return { kind: "registers", unit: out.unit, table: out.table, first: out.first, values: out.values };
		case "message": return assert.fail("a serial device sends no message");
		case "setting": return assert.fail("a board that describes itself has no definition");
		case "frame": return assert.fail("how a device of frames says what it was set to is not in its definition");
		case "line": {
			const word = out.text.slice(out.text.lastIndexOf(" ") + 1);
			return { kind: "line", text: typeof place === "object" && place !== null && "key" in place ? `${String(place.key)}=${word}` : word };
		}
	}
}

/** What README.md says of a definition: a row of its table. */
function rowOf({ model, manufacturer, name, type, protocol, source }: Definition): string {
	const what = manufacturer === undefined ? name : `${manufacturer}: ${name}`;
	const named = `${source.document}, ${source.revision}`;
	return `| [${model}](${model}.yaml) | ${what} | ${type} | ${protocol} | ${source.url === undefined ? named : `[${named}](${source.url})`} |`;
}

test("the catalogue holds at least 40 definitions, and every file in it but the README is one", () => {
	const files = readdirSync(FOLDER).filter((name) => name !== "README.md");
	assert.ok(files.length >= 40);
	assert.equal(files.length, definitions.size);
});

test("devices/README.md lists every definition as it is, and no other", () => {
	const rows = readFileSync(`${FOLDER}/README.md`, "utf8").split("\n").filter((line) => line.startsWith("| ["));
	const wished = [...definitions.values()].map(rowOf);
	assert.deepEqual(wished.filter((row) => !rows.includes(row)), [], "add these rows to the table of devices/README.md");
	assert.deepEqual(rows.filter((row) => !wished.includes(row)), [], "take these rows out of the table of devices/README.md");
});

for (const definition of definitions.values()) {
	test(`${definition.model}: the file is named after the model, and is data only`, () => {
		assert.equal(definition.file, `${FOLDER}/${definition.model}.yaml`);
		const document = parseDocument(readFileSync(definition.file, "utf8"));
		visit(document, { Node: (_, node) => assert.equal(node.tag?.startsWith("!") ?? false, false), Alias: () => assert.fail("an alias") });
	});

	test(`${definition.model}: the source is named`, () => {
		const { document, revision, table } = definition.source;
		for (const part of [document, revision, table]) assert.doesNotMatch(part, /^(todo|unknown|\?+|n\/?a)$/i);
	});

	test(`${definition.model}: the samples say what they claim`, () => assert.deepEqual(checkSamples(definition), []));

	test(`${definition.model}: each kind of point that can be read is in a sample`, () => {
		const shown = new Set(definition.samples.flatMap((sample) => Object.keys("readings" in sample ? sample.readings : sample.set)));
		assert.ok(shown.size > 0);
		const kinds = (names: Iterable<string>): Set<string> => new Set([...names].map((name) => definition.points[name]!.point.kind));
		const readable = Object.entries(definition.points).filter(([, { point }]) => isReadable(point)).map(([name]) => name);
		assert.deepEqual(kinds(readable), kinds(readable.filter((name) => shown.has(name))), "without a sample");
	});

	test(`${definition.model}: its lines are lines`, () => {
		for (const sample of definition.samples) {
			if ("line" in sample) assert.deepEqual([...new LineFramer().push(Buffer.from(`${sample.line}
`))], [{ kind: "frame", text: sample.line }]);
		}
	});

	test(`${definition.model}: numbers that may be set have bounds, and floats are rounded to what the device measures`, () => {
		for (const [name, { point, at }] of Object.entries(definition.points)) {
			if (point.kind !== "numeric") continue;
			if (isWritable(point)) assert.ok(point.min !== undefined && point.max !== undefined, `${name} takes anything`);
			if ("type" in at && at.type === "f32") assert.ok(at.decimals !== undefined, `${name} shows the noise of its float`);
		}
	});

	for (const [name, { point, at }] of Object.entries(definition.points)) {
		if (!isWritable(point) || !isReadable(point) || definition.protocol === "frames") continue;
		test(`${definition.model}: ${name} is read back as it was set`, () => {
			const dialect = new SerialDialect({ link: "l", protocol: definition.protocol, devices: [{ address: "1", definition }] });
			for (const value of valuesFor(point)) {
				const [out, ...more] = dialect.encode("1", name, value);
				assert.ok(out && more.length === 0);
				const meaning = dialect.decode({ body: echoOf(out, "where" in at ? at.where : undefined), received: 0, taken: () => {} });
				const told = meaning.told?.find((each) => each.point === name)?.value;
				assert.ok(told !== undefined && sameValue(told, value), `${textOf(value)} is read back as ${told === undefined ? "nothing" : textOf(told)}`);
			}
		});
	}
}
