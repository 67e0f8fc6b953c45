import assert from "node:assert/strict";
import { test } from "node:test";
import { createLog, Stdout } from "../src/log.js";

test("no secret reaches a log line: not as a value, not inside a text, not in an error, not escaped", () => {
	let out = "";
	const secret = "s3cr\"et\\x";
	const log = createLog({ level: "debug", secrets: [secret, "ab"], to: { write: (line) => void (out += line) } });
	log.info({ secret: "other", nested: { password: "hidden" } }, `Cannot connect with ${secret}`);
	log.error({ err: new Error(`handshake with ${secret} failed`) }, "failed");
	assert.equal(out.includes("s3cr"), false, out);
	assert.equal(out.includes("other") || out.includes("hidden"), false, out);
	assert.equal(out.split("\n").filter(Boolean).every((line) => typeof JSON.parse(line) === "object"), true);
	assert.match(out, /"level":"info"/);
	assert.equal(out.includes("[redacted]"), true);
});

test("a log that cannot be written ends nothing, and says later how many lines were lost", () => {
	let isFull = false;
	let out = "";
	const log = createLog({ level: "info", secrets: [], to: new Stdout((text) => {
		if (isFull) throw Object.assign(new Error("no space left on device"), { code: "ENOSPC" });
		out += text;
	}) });
	log.info({}, "one");
	isFull = true;
	log.info({}, "two");
	log.info({}, "three");
	isFull = false;
	log.info({}, "four");
	assert.deepEqual(out.trim().split("\n").map((line) => JSON.parse(line).msg), ["one", "2 log lines could not be written", "four"]);
});
