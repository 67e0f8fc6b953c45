// Node's own "spec" report without its closing counts; what was counted goes to the file named by JIDWAY_TEST_RESULT, for scripts/test.mjs to add up.

import { writeFileSync } from "node:fs";
import { Readable } from "node:stream";
import { spec as Spec } from "node:test/reporters";

const closing = /^(tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) [\d.]+$/;

export default async function* report(source) {
	const result = { passed: 0, failed: 0, skipped: [], empty: [] };
	// At the exit, and not after the last event: a run that is broken off has counted something too.
	process.once("exit", () => writeFileSync(process.env.JIDWAY_TEST_RESULT, JSON.stringify(result)));
	async function* counted() {
		for await (const event of source) {
			if (event.type === "test:diagnostic" && event.data.nesting === 0 && closing.test(event.data.message)) continue;
			count(event, result);
			yield event;
		}
	}
	yield* Readable.from(counted()).compose(new Spec());
}

function count({ type, data }, result) {
	if ((type !== "test:pass" && type !== "test:fail") || data.details?.type === "suite") return;
	const { name, file = "" } = data;
	// A file in which nothing was declared is reported as one test with the file's name.
	if (type === "test:pass" && data.nesting === 0 && file !== "" && (name === file || file.endsWith(`/${name}`))) result.empty.push(name);
	else if (data.skip !== undefined && data.skip !== false) result.skipped.push({ file, name, why: data.skip === true ? "" : String(data.skip) });
	else if (data.todo !== undefined && data.todo !== false) result.skipped.push({ file, name, why: data.todo === true ? "todo" : `todo: ${data.todo}` });
	else if (type === "test:pass") result.passed += 1;
	else result.failed += 1;
}
