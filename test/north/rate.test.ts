import assert from "node:assert/strict";
import { test } from "node:test";
import { Bucket, RateLimit } from "../../src/north/rate.js";
import { FakeClock } from "../fakes/clock.js";

test("Bucket gives a burst, then so many a second, and saves up no more than a burst", () => {
	const bucket = new Bucket({ burst: 3, perSecond: 2 }, 0);
	const taken = (now: number): number => {
		let count = 0;
		while (bucket.take(now)) count++;
		return count;
	};
	assert.deepEqual([0, 0, 499, 500, 1_000, 60_000].map(taken), [3, 0, 0, 1, 1, 3]);
});

test("Bucket says how long to wait for the next one", () => {
	const bucket = new Bucket({ burst: 1, perSecond: 4 }, 0);
	assert.equal(bucket.wait(0), 0);
	bucket.take(0);
	assert.deepEqual([bucket.wait(0), bucket.wait(100), bucket.wait(250)], [250, 150, 0]);
});

test("Bucket gives nothing for a clock that was set back, and goes on from there", () => {
	const bucket = new Bucket({ burst: 1, perSecond: 1 }, 1_000_000);
	bucket.take(1_000_000);
	assert.equal(bucket.take(5_000), false);
	assert.equal(bucket.take(6_000), true);
});

test("RateLimit keeps names apart, and remembers ten thousand of them at most", () => {
	const limit = new RateLimit({ burst: 1, perSecond: 0.001 }, new FakeClock());
	assert.deepEqual([limit.take("a"), limit.take("a"), limit.take("b")], [true, false, true]);
	for (let n = 0; n < 20_000; n++) limit.take(`s${n}`);
	assert.equal(limit.size, 10_000);
});
