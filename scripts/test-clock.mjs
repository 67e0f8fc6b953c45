// Loaded before each test file (`--import`): notes when the file began and when it ended, so that a run that is broken off can tell too.

import { appendFileSync } from "node:fs";

const { JIDWAY_TEST_TIMES: times } = process.env;
const [, file] = process.argv;
// What a test starts in its turn is no test file.
if (times && /\.test\.(mjs|ts)$/.test(file ?? "")) {
	const note = (what) => appendFileSync(times, `${JSON.stringify({ pid: process.pid, file, what, at: Date.now() })}\n`);
	note("began");
	process.once("exit", () => note("ended"));
}
