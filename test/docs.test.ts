import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";

const read = (path: string) => readFileSync(new URL(`../${path}`, import.meta.url), "utf8");

/** All property names of a JSON schema, at every depth. */
function* keysOf(schema: unknown): Generator<string> {
	if (typeof schema !== "object" || schema === null) return;
	for (const [key, value] of Object.entries(schema)) {
		if (key === "properties" && typeof value === "object" && value !== null) yield* Object.keys(value);
		yield* keysOf(value);
	}
}

test("docs/config.md speaks of every key of the config file", () => {
	const text = read("docs/config.md");
	const keys = new Set(keysOf(JSON.parse(read("jidway.schema.json"))));
	assert.deepEqual([...keys].filter((key) => !new RegExp(`[\`.{ ]${key}[\`\\]:.,]`).test(text)), []);
});

test("every file that README.md and docs name by a link is there", () => {
	for (const file of ["README.md", "docs/config.md", "devices/README.md"]) {
		const folder = file.includes("/") ? file.slice(0, file.lastIndexOf("/") + 1) : "";
		for (const [, path] of read(file).matchAll(/\]\((?!https?:)([^)#]+)\)/g)) assert.ok(existsSync(new URL(`../${folder}${path}`, import.meta.url)), `${file} → ${path}`);
	}
});

test("doap.xml and the table of README.md name the same XEPs", () => {
	const inTable = [...read("README.md").matchAll(/^\| ((?:\d{4}(?:, )?)+) \|/gm)].flatMap((match) => match[1]!.split(", "));
	const inDoap = [...read("doap.xml").matchAll(/xep-(\d{4})\.html/g)].map((match) => match[1]!);
	// What is only refused politely is in the table, for people, and not in the list of what is implemented.
	assert.deepEqual(inDoap, inTable.filter((xep) => !["0060", "0163", "0077", "0384"].includes(xep)));
});
