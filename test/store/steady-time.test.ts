import assert from "node:assert/strict";
import { test } from "node:test";
import { SteadyTime } from "../../src/store/steady-time.js";
import type { Store } from "../../src/store/store.js";
import { FakeClock } from "../fakes/clock.js";
import { entry, folderFor, open } from "./open.js";

const HOUR = 3_600_000, DAY = 24 * HOUR, YEAR = 365 * DAY;
const START = Date.UTC(2026, 0, 1);
const span = { place: { link: "farm", address: "b1" }, points: ["t"] };

/** A wall clock that can be set, and the time that really passes. */
function times(wall = START) {
	let passed = 0;
	const clock = { wall, pass(span: number) { passed += span; clock.wall += span; } };
	return { clock, steady: (newest?: number) => new SteadyTime(() => clock.wall, () => passed, newest) };
}

const STEPS: readonly (readonly [name: string, steps: readonly (readonly [set: number, pass: number, wanted: number])[]])[] = [
	["goes with a clock that is never set", [[0, 0, START], [0, HOUR, START + HOUR], [0, DAY, START + HOUR + DAY]]],
	["stands still at a step ahead, and then goes 24 times as fast until it is there", [[30 * DAY, 0, START], [0, HOUR, START + DAY], [0, DAY, START + 25 * DAY], [0, 6 * HOUR, START + 31 * DAY], [0, HOUR, START + 31 * DAY + 8 * HOUR]]],
	["goes back with a clock that was ahead for a while", [[YEAR, 0, START], [0, HOUR, START + DAY], [-YEAR, 0, START + HOUR], [0, HOUR, START + 2 * HOUR]]],
	["goes back at once with a clock that is set back", [[-YEAR, 0, START - YEAR], [0, HOUR, START - YEAR + HOUR]]],
	["believes a clock that stays ahead for three days", [[56 * YEAR, 2 * DAY, START + 48 * DAY], [0, DAY, START + 56 * YEAR + 3 * DAY]]],
];
for (const [name, steps] of STEPS) {
	test(`SteadyTime ${name}`, () => {
		const { clock, steady } = times();
		const time = steady();
		for (const [set, pass, wanted] of steps) {
			clock.wall += set;
			clock.pass(pass);
			assert.equal(time.now() - START, wanted - START);
		}
	});
}

test("SteadyTime begins an hour after the last reading, and no later than now", () => {
	const { clock, steady } = times();
	assert.equal(steady(START - YEAR).now(), START - YEAR + HOUR);
	assert.equal(steady(START - 1).now(), START);
	assert.equal(steady(START + YEAR).now(), START);
	clock.pass(HOUR);
	assert.equal(steady().now(), START + HOUR);
});

/** A store whose wall clock can be set without that any time passes. */
async function set(t: Parameters<typeof folderFor>[0], start: number, folder = folderFor(t)) {
	const clock = new FakeClock(start);
	let jumped = 0;
	const store = await open(t, { folder, clock, elapsed: () => clock.now() - jumped });
	return { store, clock, folder, jump(by: number) { jumped += by; clock.jump(by); } };
}

const letter = (at: number) => ({ id: `letter-${at}`, to: "alice@example.org", device: "b1", urgent: true, at, body: "{}" });
const left = async (store: Store) => ({ rows: (await store.extent(span)).rows, letters: (await store.outbox.next("alice@example.org", 9)).length });

test("a wall clock that is a year ahead for a while takes no reading and no letter away", async (t) => {
	const { store, clock, jump } = await set(t, START);
	await store.append([entry("1", clock.now())]);
	await store.outbox.post(letter(clock.now()));
	await store.emptyInbox();
	jump(YEAR);
	await store.append([entry("2", clock.now(), { point: "u" })]);
	await clock.advance(20 * 60_000);
	jump(-YEAR);
	await store.append([entry("3", clock.now(), { point: "u" })]);
	await clock.advance(20 * 60_000);
	assert.deepEqual(await left(store), { rows: 1, letters: 1 });
});

test("what was heard before a board without a clock knew the time is kept when it does, over a restart, and grows old in the end", async (t) => {
	const { store, clock, jump, folder } = await set(t, 1_000);
	await store.append([entry("1", clock.now())]);
	await store.outbox.post(letter(clock.now()));
	jump(START);
	await store.emptyInbox();
	await clock.advance(20 * 60_000);
	assert.deepEqual(await left(store), { rows: 1, letters: 1 });
	await store.close();
	const again = await set(t, clock.now(), folder);
	await again.clock.advance(20 * 60_000);
	assert.deepEqual(await left(again.store), { rows: 1, letters: 1 });
	await again.clock.advance(4 * DAY);
	assert.deepEqual(await left(again.store), { rows: 0, letters: 0 });
});

test("a machine that was off for long makes nothing old by its start", async (t) => {
	const before = await set(t, START);
	await before.store.append([entry("1", START)]);
	await before.store.outbox.post(letter(START));
	await before.store.emptyInbox();
	await before.store.close();
	const { store, clock } = await set(t, START + YEAR, before.folder);
	await store.append([entry("2", clock.now(), { point: "u" })]);
	await clock.advance(20 * 60_000);
	assert.deepEqual(await left(store), { rows: 1, letters: 1 });
});
