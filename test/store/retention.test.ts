import assert from "node:assert/strict";
import { test } from "node:test";
import { textOf } from "../../src/core/value.js";
import type { Store } from "../../src/store/store.js";
import { FAKE_START, FakeClock } from "../fakes/clock.js";
import { MemoryLog } from "../fakes/log.js";
import { entry, folderFor, open } from "./open.js";

const DAY = 86_400_000;
const span = { place: { link: "farm", address: "b1" }, points: ["t"] };
const valuesOf = async (store: Store): Promise<string> => (await store.rows(span, 1_000)).map(({ reading }) => textOf(reading.value)).join();
const tend = async (store: Store, clock: FakeClock): Promise<void> => {
	await store.emptyInbox();
	await clock.advance(11 * 60_000);
};

test("a row goes when both of its times are old; a clock that says 1970 or 2099 neither takes it away nor keeps it", async (t) => {
	const clock = new FakeClock();
	const store = await open(t, { folder: folderFor(t), clock, keep: 10 * DAY, thread: false });
	const now = FAKE_START;
	await store.append([
		entry("1", now), entry("2", 0, { received: now }), entry("3", Date.UTC(2099, 0, 1), { received: now }), entry("4", now - 20 * DAY, { received: now }),
		entry("5", now - 20 * DAY), // its receipt is as old
		entry("6", now + 5, { received: 0 }), // this machine had no time yet
	]);
	await tend(store, clock);
	assert.equal(await valuesOf(store), "2,4,1,6,3");
	clock.jump(9 * DAY);
	await store.append([entry("7", clock.now())]);
	await tend(store, clock);
	assert.equal(await valuesOf(store), "2,4,1,6,7,3");
	clock.jump(1.9 * DAY);
	await tend(store, clock);
	assert.equal(await valuesOf(store), "7");
	assert.equal(store.counters().pruned, 6);
});

test("beyond its limit the journal loses its oldest rows of every series, and says so once", async (t) => {
	const clock = new FakeClock();
	const log = new MemoryLog();
	const limit = 600_000;
	const store = await open(t, { folder: folderFor(t), clock, log, limit, keep: 1e14, thread: false });
	for (let chunk = 0; chunk < 60; chunk++) {
		await store.append(Array.from({ length: 1_000 }, (_, each) => entry("21.50", clock.now() + each, { address: each % 2 === 0 ? "b1" : "b2", received: clock.now() })));
		await store.emptyInbox();
		await clock.advance(60_000);
	}
	const { pruned, fileBytes } = store.counters();
	assert.ok(pruned > 10_000, `${pruned} deleted`);
	assert.ok(fileBytes < 1.3 * limit, `${fileBytes} bytes`);
	for (const address of ["b1", "b2"]) {
		const { rows, first, last } = await store.extent({ place: { link: "farm", address }, points: ["t"] });
		assert.ok(rows > 2_000 && first! > FAKE_START + 10 * 60_000 && last! >= FAKE_START + 59 * 60_000, `${address}: ${rows} rows from ${first} to ${last}`);
	}
	assert.equal(log.lines.filter((line) => /the oldest readings are deleted, it begins at 2026-/.test(line)).length, 1);
});

test("letters and descriptions take no room from the journal: its limit is its own", async (t) => {
	const clock = new FakeClock();
	const store = await open(t, { folder: folderFor(t), clock, limit: 200_000, keep: 1e14, thread: false });
	await store.append(Array.from({ length: 500 }, (_, each) => entry("21.50", clock.now() + each)));
	await Promise.all(Array.from({ length: 2_000 }, (_, each) => store.outbox.post({ id: `letter-${each}`, to: "alice@example.org", device: "b1", urgent: false, at: each, body: "x".repeat(300) })));
	store.describe("farm", { topic: "homeassistant/sensor/a/config", payload: new Uint8Array(500_000), retained: true });
	await tend(store, clock);
	await tend(store, clock);
	assert.deepEqual([(await store.extent(span)).rows, store.counters().pruned, store.counters().letters], [500, 0, 2_000]);
});
