import assert from "node:assert/strict";
import { test } from "node:test";
import type { Letter, Waiting } from "../../src/core/outbox.js";
import { FakeClock } from "../fakes/clock.js";
import { MemoryLog } from "../fakes/log.js";
import { folderFor, MODES, open } from "./open.js";

const letter = (id: string, over: Partial<Letter> = {}): Letter => ({ id, to: "romeo@example.org", device: "boiler", urgent: false, at: 5, body: `letter ${id}`, ...over });
const ids = (letters: readonly Waiting[]): string => letters.map(({ id }) => id).join();

for (const { thread, mode } of MODES) {
	test(`the outbox ${mode} gives urgent letters first, then by posting, and keeps each until it is acknowledged`, async (t) => {
		const folder = folderFor(t);
		const { outbox } = await open(t, { folder, thread });
		await Promise.all([letter("a"), letter("b", { at: 3 }), letter("c", { urgent: true }), letter("x", { to: "juliet@example.org", device: "" }), letter("a", { body: "again" })].map((each) => outbox.post(each)));
		assert.deepEqual((await outbox.next("romeo@example.org", 9)), [letter("c", { urgent: true }), letter("a"), letter("b", { at: 3 })]);
		assert.equal(ids(await outbox.next("romeo@example.org", 2)), "c,a");
		assert.deepEqual(await outbox.queues(), [{ to: "juliet@example.org", letters: 1, oldest: 5 }, { to: "romeo@example.org", letters: 3, oldest: 3 }]);
		await outbox.assign(["b", "c"], "s1");
		await outbox.assign(["a"], "s2");
		const again = (await open(t, { folder })).outbox;
		assert.deepEqual((await again.sent("romeo@example.org", 9)).map(({ id, batch }) => [id, batch]), [["a", "s2"], ["b", "s1"], ["c", "s1"]]);
		assert.equal(ids(await outbox.next("romeo@example.org", 9)), "");
		await outbox.acknowledged(["s1", "unknown"]);
		assert.equal(ids(await outbox.sent("romeo@example.org", 9)), "a");
		assert.deepEqual([await outbox.discard("juliet@example.org", "boiler"), await outbox.discard("juliet@example.org", ""), await outbox.discard("romeo@example.org")], [0, 1, 1]);
		assert.deepEqual(await outbox.queues(), []);
	});
}

test("beyond its bytes the outbox gives up the oldest letter that is not urgent, counted and said once", async (t) => {
	const log = new MemoryLog();
	const store = await open(t, { folder: folderFor(t), log, outbox: { keep: 1e12, limit: 5_000 } });
	await store.outbox.post(letter("u", { urgent: true, body: "x".repeat(800) }));
	for (const id of "abcdefgh") await store.outbox.post(letter(id, { body: "x".repeat(800) }));
	assert.equal(ids(await store.outbox.next("romeo@example.org", 99)), "u,e,f,g,h");
	assert.equal(store.counters().lettersLost, 4);
	assert.equal(log.lines.filter((line) => /The outbox is full/.test(line)).length, 1);
});

test("a letter that nobody took is given up when it is too old", async (t) => {
	const clock = new FakeClock();
	const store = await open(t, { folder: folderFor(t), clock, outbox: { keep: 3_600_000, limit: 1e6 } });
	await store.outbox.post(letter("a", { at: 0 }));
	await clock.advance(1_800_000);
	await store.outbox.post(letter("b"));
	await clock.advance(1_900_000);
	await clock.advance(60_000);
	assert.equal(ids(await store.outbox.next("romeo@example.org", 9)), "b");
	assert.equal(store.counters().lettersExpired, 1);
});
