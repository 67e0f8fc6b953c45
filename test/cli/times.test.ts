import assert from "node:assert/strict";
import { test } from "node:test";
import { durationFrom, windowFrom } from "../../src/cli/times.js";

const NOW = Date.UTC(2026, 0, 2);

test("windowFrom() reads lengths of time and times; without a zone they are UTC", () => {
	for (const [options, from, to] of [
		[{}, undefined, undefined],
		[{ since: "24h" }, "2026-01-01T00:00:00Z", undefined],
		[{ since: "2026-01-01" }, "2026-01-01T00:00:00Z", undefined],
		[{ from: "2026-01-01T05:06", to: "2026-01-01 05:06:07.250" }, "2026-01-01T05:06:00Z", "2026-01-01T05:06:07.250Z"],
		[{ from: "2026-01-01T05:06:07+02:00" }, "2026-01-01T03:06:07Z", undefined],
	] as const) {
		const found = windowFrom(options, NOW);
		assert.deepEqual([found.from, found.to], [from, to].map((text) => (text === undefined ? undefined : Date.parse(text))), JSON.stringify(options));
	}
});

test("windowFrom() and durationFrom() refuse what is no time, and say what is one", () => {
	for (const [options, message] of [
		[{ since: "1h", from: "2026-01-01" }, /--since and --from together/],
		[{ from: "yesterday" }, /Cannot read --from "yesterday": it takes a time such as/],
		[{ from: "2026-02-30" }, /2026-02-30/], [{ to: "2026-01-01T25:00" }, /--to/], [{ since: "soon" }, /or a length of time such as 24h/],
		[{ from: "2026-01-02", to: "2026-01-01" }, /it is not after 2026-01-02/],
	] as const) assert.throws(() => windowFrom(options, NOW), { fault: "bad-request", message });
	assert.equal(durationFrom("--bucket", "1h"), 3_600_000);
	for (const text of ["", "0s", "1", "h", "-1h"]) assert.throws(() => durationFrom("--bucket", text), { fault: "bad-request", message: /it takes a length of time/ });
});
