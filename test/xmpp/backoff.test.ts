import assert from "node:assert/strict";
import { test } from "node:test";
import { type FaultKind, retryDelay } from "../../src/xmpp/backoff.js";

/** [kind, random, delays after 0, 1, 2 … failures] */
const ROWS: readonly (readonly [FaultKind, number, readonly number[]])[] = [
	["transient", 0, [0, 0, 0, 0, 0, 0, 0, 0]],
	["transient", 0.5, [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]],
	["transient", 0.999_999, [1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]],
	["conflict", 0, [5000, 5000, 5000, 5000]],
	["conflict", 0.999_999, [10_000, 20_000, 40_000, 60_000, 60_000]],
	["configuration", 0, [60_000, 60_000]],
	["configuration", 0.999_999, [60_000, 60_000]],
];

for (const [kind, random, delays] of ROWS) {
	test(`retryDelay() of a ${kind} fault with random ${random} is ${delays.join(", ")} ms`, () => {
		assert.deepEqual(delays.map((_, failures) => retryDelay(kind, failures, () => random)), delays);
	});
}

test("retryDelay() stays at its longest after any number of failures", () => {
	assert.equal(retryDelay("transient", 100_000, () => 0.5), 30_000);
});
