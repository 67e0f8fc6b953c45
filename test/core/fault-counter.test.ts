import assert from "node:assert/strict";
import { test } from "node:test";
import { type CountedFault, FaultCounter } from "../../src/core/fault-counter.js";
import { FakeClock } from "../fakes/clock.js";

test("FaultCounter tells a fault once, again after ten minutes with its count, and keeps a short sample", async () => {
	const clock = new FakeClock();
	const told: CountedFault[] = [];
	const counter = new FaultCounter(clock, (fault) => told.push(fault));
	for (let i = 0; i < 500; i++) counter.count("farm: sensors/a", "is no JSON", "x".repeat(10_000));
	assert.deepEqual(told.map(({ count, sample }) => [count, sample.length]), [[1, 120]]);
	await clock.advance(10 * 60_000);
	counter.count("farm: sensors/a", "is no JSON", "y");
	assert.deepEqual(told.map(({ count }) => count), [1, 501]);
	assert.equal(counter.all().length, 1);
});

test("FaultCounter forgets the oldest kinds, not the newest, when a sender invents them without end", () => {
	const counter = new FaultCounter(new FakeClock(), () => undefined);
	for (let i = 0; i < 3_000; i++) counter.count(`topic ${i}`, "is no JSON", "");
	assert.equal(counter.all().length, 1_000);
	assert.equal(counter.all().at(-1)!.where, "topic 2999");
});
