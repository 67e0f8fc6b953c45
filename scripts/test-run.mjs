// Runs test files that are compiled, each in a process of its own, in the order given: `node scripts/test-run.mjs ORDERS`, for scripts/test.mjs alone;
// ORDERS is a file of JSON: { concurrency, timeout, files: [compiled, source][] }.
// Not by `node --test`, which sorts the files by name: the longest one would be the last to begin.

import { readFileSync } from "node:fs";
import { run } from "node:test";
import report from "./test-reporter.mjs";

const { concurrency, timeout, files } = JSON.parse(readFileSync(process.argv[2], "utf8"));
const sources = new Map(files);
const events = run({ files: [...sources.keys()], concurrency, timeout });
events.on("test:fail", () => (process.exitCode = 1));
events.compose((source) => report(named(source))).pipe(process.stdout);

/** The events with the names of the sources. */
async function* named(source) {
	for await (const event of source) {
		const file = sources.get(event.data?.file);
		const name = sources.get(event.data?.name);
		yield file === undefined && name === undefined ? event : { ...event, data: { ...event.data, ...(file !== undefined && { file }), ...(name !== undefined && { name }) } };
	}
}
