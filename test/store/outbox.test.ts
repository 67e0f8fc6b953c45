import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import type { Letter, Waiting } from "../../src/core/outbox.js";
import { OutboxTable } from "../../src/store/outbox-table.js";
import { Sqlite } from "../../src/store/sqlite.js";
import { DATABASE_FILE } from "../../src/store/store.js";
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

test("when the outbox is full, whoever has most in it loses his oldest letters: nobody else's go", async (t) => {
	const store = await open(t, { folder: folderFor(t), outbox: { keep: 1e12, limit: 100_000 } });
	for (const id of ["a", "b", "c"]) await store.outbox.post(letter(id));
	await store.outbox.post(letter("j", { to: "juliet@example.org", urgent: true }));
	await Promise.all(Array.from({ length: 600 }, (_, n) => store.outbox.post(letter(`e${n}`, { to: "away@example.net", urgent: n === 0, body: "x".repeat(100) }))));
	await store.outbox.assign(["e598"], "s1");
	await store.outbox.post(letter("big", { to: "large@example.org", body: "x".repeat(3_000) })); // its own queue is no larger than his
	assert.equal(ids(await store.outbox.next("romeo@example.org", 9)), "a,b,c");
	assert.equal(ids(await store.outbox.next("juliet@example.org", 9)), "j");
	assert.equal(ids(await store.outbox.next("large@example.org", 9)), "big");
	const left = await store.outbox.next("away@example.net", 999);
	assert.deepEqual([left[0]!.id, left.at(-1)!.id, left.length + 1 + store.counters().lettersLost], ["e0", "e599", 600]);
	assert.deepEqual((await store.outbox.queues()).reduce((sum, { letters }) => sum + letters, 0), store.counters().letters);
});

test("queues of the same size lose the same: the limit may become a tenth", async (t) => {
	const folder = folderFor(t);
	const before = await open(t, { folder });
	for (let n = 0; n < 200; n++) await before.outbox.post(letter(`l${n}`, { to: `r${n % 4}@example.org`, body: "x".repeat(100) }));
	const after = await open(t, { folder, outbox: { keep: 1e12, limit: 8_000 } });
	await after.outbox.post(letter("new"));
	const queues = await after.outbox.queues();
	assert.deepEqual(queues.map(({ to }) => to), ["r0@example.org", "r1@example.org", "r2@example.org", "r3@example.org", "romeo@example.org"]);
	const sizes = queues.slice(0, 4).map(({ letters }) => letters);
	assert.ok(Math.max(...sizes) - Math.min(...sizes) <= 1 && sizes[0]! > 3, sizes.join());
	assert.equal(ids(await after.outbox.next("r3@example.org", 99)).split(",").at(-1), "l199");
});

test("devices may be left out of what is next, however many letters they have", async (t) => {
	const folder = folderFor(t);
	const store = await open(t, { folder });
	for (let n = 0; n < 50; n++) await store.outbox.post(letter(`l${n}`));
	await store.outbox.post(letter("p", { device: "pump" }));
	await store.close();
	const db = Sqlite.open(join(folder, DATABASE_FILE), () => true);
	t.after(() => db.close());
	const table = new OutboxTable(db);
	assert.equal(ids(table.next("romeo@example.org", 5, ["boiler"])), "p");
	assert.equal(ids(table.next("romeo@example.org", 5, ["boiler", "pump"])), "");
	assert.equal(ids(table.next("romeo@example.org", 2)), "l0,l1");
});

test("a letter and what was told by it, written in one turn, are one transaction: neither is there without the other", async (t) => {
	const store = await open(t, { folder: folderFor(t), thread: true });
	await store.outbox.post(letter("warm"));
	for (let n = 0; n < 20; n++) {
		if (n % 2 === 0) void store.outbox.post(letter(`busy ${n}`)); // a batch may be on its way already
		const before = store.counters().transactions;
		await Promise.all([store.outbox.post(letter(`l${n}`)), store.putWatch({ who: "romeo@example.org", device: "boiler", point: `p${n}` })]);
		assert.equal(store.counters().transactions, before + 1);
	}
});
