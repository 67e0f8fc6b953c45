import assert from "node:assert/strict";
import { closeSync, openSync, readdirSync, readFileSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Announcement } from "../../src/core/device.js";
import { Registry } from "../../src/core/registry.js";
import { textOf } from "../../src/core/value.js";
import { InlinePort, type Port, ThreadPort } from "../../src/store/port.js";
import type { Store } from "../../src/store/store.js";
import { FakeClock } from "../fakes/clock.js";
import { MemoryLog } from "../fakes/log.js";
import { entry, eventually, folderFor, MODES, open } from "./open.js";

const BOILER: Announcement = { address: "b1", name: "Boiler", points: { t: { kind: "numeric", access: "rw" } } };
const flags = { from: true, to: false, pendingIn: false, pendingOut: false };
const span = { place: { link: "farm", address: "b1" }, points: ["t"] };
const keep = 1e14;
const valuesOf = async (store: Store): Promise<string> => (await store.rows(span, 1_000)).map(({ reading }) => textOf(reading.value)).join();

test("Store sets a damaged database aside, says so, and starts anew", async (t) => {
	const folder = folderFor(t);
	await (await open(t, { folder })).close();
	writeFileSync(join(folder, "jidway.sqlite"), "this is no database, it is a text that is long enough to be read as one".repeat(50));
	const log = new MemoryLog();
	const store = await open(t, { folder, log });
	assert.deepEqual(store.subscriptions(), []);
	assert.match(log.lines.join("\n"), /error Database is damaged .* set aside as .*jidway\.sqlite\.damaged-\d+/);
	assert.equal(readdirSync(folder).some((name) => name.includes("damaged")), true);
});

test("Store finds damage beyond the first page, too", async (t) => {
	const folder = folderFor(t);
	const store = await open(t, { folder });
	await Promise.all(Array.from({ length: 400 }, (_, each) => store.putSubscription({ device: "boiler", contact: `${each}@example.org`, ...flags })));
	await store.close();
	const file = join(folder, "jidway.sqlite");
	const bytes = readFileSync(file);
	bytes.fill(0x5a, 4_096);
	writeFileSync(file, bytes);
	const log = new MemoryLog();
	assert.deepEqual((await open(t, { folder, log })).subscriptions(), []);
	assert.match(log.lines.join("\n"), /error Database is damaged/);
});

for (const { thread, mode } of MODES) {
	test(`Store ${mode} that was closed well looks through its journal when it is open: damage in it is found, and what else there was is kept`, async (t) => {
		const folder = folderFor(t);
		const before = await open(t, { folder, keep });
		await before.putSubscription({ device: "boiler", contact: "alice@example.org", ...flags });
		await before.append(Array.from({ length: 20_000 }, (_, each) => entry("old", each)));
		await before.emptyInbox();
		await before.close();
		const file = join(folder, "jidway.sqlite");
		const bytes = readFileSync(file);
		for (let page = bytes.length / 1_024 - 200; page < bytes.length / 1_024; page += 7) bytes.fill(0x5a, page * 1_024, (page + 1) * 1_024);
		writeFileSync(file, bytes);
		const log = new MemoryLog();
		const store = await open(t, { folder, thread, log, keep });
		// Whoever asks for anything next brings it to light: these ask for what is sound.
		await eventually(() => {
			store.outbox.queues().catch(() => undefined);
			return log.lines.some((line) => /error Database is damaged .* set aside as/.test(line));
		});
		assert.deepEqual(store.subscriptions().map(({ contact }) => contact), ["alice@example.org"]);
		await store.close();
		assert.deepEqual((await open(t, { folder, keep })).subscriptions().map(({ contact }) => contact), ["alice@example.org"]);
	});

	test(`Store ${mode} that is damaged while it runs starts anew with all that is in memory, and nobody who waits is refused`, async (t) => {
		const folder = folderFor(t);
		const log = new MemoryLog();
		let freshened = 0;
		const store = await open(t, { folder, thread, log, keep, onFresh: () => void freshened++ });
		await store.putSubscription({ device: "boiler", contact: "alice@example.org", ...flags });
		await store.putWatch({ who: "alice@example.org", device: "boiler", point: "t" });
		store.setFilters("farm", ["a/#"]);
		await store.append([entry("1", 1)], { link: "farm", id: 7, hash: "aa" });
		const { file, wal } = { file: join(folder, "jidway.sqlite"), wal: join(folder, "jidway.sqlite-wal") };
		// More than SQLite keeps in memory: what it has there is not read again.
		for (let first = 0; first < 80_000; first += 5_000) await store.append(Array.from({ length: 5_000 }, (_, each) => entry("old", first + each)));
		for (const each of [file, wal]) garble(each);
		await store.extent(span);
		await store.append([entry("2", 2)], { link: "farm", id: 8, hash: "bb" });
		await store.putSubscription({ device: "boiler", contact: "bob@example.org", ...flags });
		store.note([entry("3", 3)]);
		await store.flush();
		assert.equal(freshened, 1);
		assert.equal(log.lines.filter((line) => /error Database is damaged .* set aside as/.test(line)).length, 1);
		assert.equal(readdirSync(folder).filter((name) => /damaged-\d+(-\d+)?$/.test(name)).length, 1);
		await store.close();
		const again = await open(t, { folder, keep });
		assert.deepEqual(again.subscriptions().map(({ contact }) => contact), ["alice@example.org", "bob@example.org"]);
		assert.deepEqual([again.watches().length, again.filters("farm"), again.delivered("farm")], [1, ["a/#"], [{ id: 7, hash: "aa" }, { id: 8, hash: "bb" }]]);
		assert.equal(await valuesOf(again), "2,3");
	});
}

test("Store says when the disk is full, goes on, keeps what it could not write, and says when it can again", async (t) => {
	const folder = folderFor(t);
	const clock = new FakeClock();
	const log = new MemoryLog();
	const store = await open(t, { folder, clock, log, keep, thread: false });
	// SQLite's own limit gives the very error that a full disk gives (SQLITE_FULL).
	await store.limitPages(20);
	const registry = new Registry();
	for (let device = 0; device < 200; device++) store.touch(registry.announce("farm", { ...BOILER, address: `device-${device}`, name: "x".repeat(500) }, clock.now()).twin);
	await clock.advance(5_000);
	assert.match(store.fault ?? "", /the disk is full: make room on it/);
	let isTaken = false;
	const waiting = store.append([entry("y".repeat(100_000), 1)], { link: "farm", id: 7, hash: "aa" }).then(() => (isTaken = true));
	await assert.rejects(store.putSubscription({ device: "boiler", contact: "alice@example.org", ...flags }), { name: "GatewayError", fault: "store-failed" });
	store.note([entry("5.0", 2)]);
	await clock.advance(3_000);
	assert.equal(isTaken, false);
	assert.match(await valuesOf(store), /^y+,5\.0$/); // what is in memory is history already
	assert.deepEqual(store.delivered("farm"), []);
	assert.equal(log.lines.filter((line) => line.startsWith("error")).length, 1);
	assert.match(log.lines[0]!, /^error Cannot write to the database: the disk is full/);
	await store.limitPages(100_000);
	await clock.advance(5_000);
	await waiting;
	assert.equal(store.fault, undefined);
	assert.match(log.lines.at(-1)!, /can be written again/);
	await store.close();
	const again = await open(t, { folder, clock, keep });
	assert.deepEqual([again.twins().length, again.delivered("farm")], [200, [{ id: 7, hash: "aa" }]]);
	assert.match(await valuesOf(again), /^y+,5\.0$/);
});

test("Store bounds the readings that nobody waits for while the disk is full: the oldest go, counted and said once", async (t) => {
	const clock = new FakeClock();
	const log = new MemoryLog();
	const store = await open(t, { folder: folderFor(t), clock, log, keep, thread: false });
	await store.limitPages(20);
	store.note([entry("z".repeat(100_000), 0)]);
	await clock.advance(5_000);
	assert.match(store.fault ?? "", /disk is full/);
	for (let each = 0; each < 120_000; each += 100) store.note(Array.from({ length: 100 }, (_, row) => entry(String(each + row), each + row + 1)));
	const { lost, waiting } = store.counters();
	assert.ok(waiting <= 50_000 && lost + waiting === 120_001, `${lost} lost, ${waiting} waiting`);
	assert.equal(log.lines.filter((line) => /Readings are lost/.test(line)).length, 1);
	await store.limitPages(1e6);
	await clock.advance(2_000);
	await store.flush();
	assert.equal(store.fault, undefined);
	const { rows, last } = await store.extent(span);
	assert.deepEqual([rows, last], [waiting, 120_000]);
});

test("Store goes on when its thread dies: what was under way is written once, and nobody is refused", async (t) => {
	const folder = folderFor(t);
	const log = new MemoryLog();
	const ports: ThreadPort[] = [];
	const store = await open(t, { folder, thread: true, log, keep, onPort: (port: Port) => void (port instanceof ThreadPort && ports.push(port)) });
	const appended: Promise<void>[] = [];
	for (let each = 1; each <= 60; each++) {
		appended.push(store.append([entry(String(each), each)], { link: "farm", id: each, hash: "h" }));
		if (each === 20) void ports[0]!.kill();
		await new Promise((resolve) => setTimeout(resolve, 2));
	}
	await Promise.all(appended);
	await eventually(() => log.lines.length > 0);
	assert.match(log.lines.join("\n"), /error The thread of the database ended/);
	assert.equal(await valuesOf(store), Array.from({ length: 60 }, (_, each) => each + 1).join());
	assert.equal(store.delivered("farm").length, 60);
	assert.equal(store.fault, undefined);
});

test("a batch that is sent twice is written once, and one that goes on where it ended is written from there", async (t) => {
	const port = new InlinePort();
	const file = join(folderFor(t), "jidway.sqlite");
	const now = 1_000;
	const rows = (from: number, count: number) => {
		const numbers = Float64Array.from({ length: count }, (_, each) => from + each);
		return { seq: numbers, series: numbers.map(() => 1), at: numbers, received: numbers, flags: new Uint8Array(count), value: [...numbers].map(String) };
	};
	const batch = (from: number, count: number) => ({ rows: rows(from, count), series: [{ id: 1, link: "farm", address: "b1", point: "t", kind: 0, unit: "" }], changes: [], twins: [], removed: [], filters: [] });
	await port.request({ kind: "open", file, limits: { keep, limit: 1e9, outbox: { keep, limit: 1e9 } }, now });
	for (const [from, count] of [[1, 10], [1, 10], [5, 10]] as const) assert.equal((await port.request({ kind: "write", batch: batch(from, count), now })).kind, "written");
	const answer = await port.request({ kind: "ask", now, question: { kind: "rows", limit: 100, wanted: { series: [{ id: 1, point: 0, kind: 0, unit: "" }], points: ["t"], from: 0, to: 1_000, unwritten: rows(10, 10) } } });
	assert.deepEqual(answer.kind === "rows" && [...answer.rows.seq], Array.from({ length: 19 }, (_, each) => each + 1));
	await port.request({ kind: "close", isClean: true, now });
});

function garble(file: string): void {
	const length = readFileSync(file).length;
	const handle = openSync(file, "r+");
	writeSync(handle, Buffer.alloc(length, 0x5a), 0, length, 0);
	closeSync(handle);
}
