import assert from "node:assert/strict";
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, rmdirSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import Database from "libsql";
import type { Announcement } from "../../src/core/device.js";
import { Registry } from "../../src/core/registry.js";
import { textOf } from "../../src/core/value.js";
import { InlinePort, type Port, ThreadPort } from "../../src/store/port.js";
import type { Store } from "../../src/store/store.js";
import { FAKE_START, FakeClock, settle } from "../fakes/clock.js";
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
	await assert.rejects(store.backup(join(folder, "backup.sqlite")), { fault: "store-failed", message: /Cannot write the backup .*the disk is full/ }, "a backup without what could not be written would look whole");
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
	const times = { now: 1_000, aged: 1_000 };
	const rows = (from: number, count: number) => {
		const numbers = Float64Array.from({ length: count }, (_, each) => from + each);
		return { seq: numbers, series: numbers.map(() => 1), at: numbers, received: numbers, flags: new Uint8Array(count), value: [...numbers].map(String) };
	};
	const batch = (from: number, count: number) => ({ rows: rows(from, count), series: [{ id: 1, link: "farm", address: "b1", point: "t", kind: 0, unit: "" }], changes: [], twins: [], removed: [], filters: [] });
	await port.request({ kind: "open", file, limits: { keep, limit: 1e9, outbox: { keep, limit: 1e9 } }, ...times });
	for (const [from, count] of [[1, 10], [1, 10], [5, 10]] as const) assert.equal((await port.request({ kind: "write", batch: batch(from, count), ...times })).kind, "written");
	const answer = await port.request({ kind: "ask", ...times, question: { kind: "rows", limit: 100, wanted: { series: [{ id: 1, point: 0, kind: 0, unit: "" }], points: ["t"], from: 0, to: 1_000, unwritten: rows(10, 10) } } });
	assert.deepEqual(answer.kind === "rows" && [...answer.rows.seq], Array.from({ length: 19 }, (_, each) => each + 1));
	await port.request({ kind: "close", isClean: true, ...times });
});

/** A database that was closed well, and has pages in its journal that cannot be: it is found out after it was opened. */
async function damaged(t: TestContext, folder: string): Promise<string> {
	const before = await open(t, { folder, keep });
	await before.putSubscription({ device: "boiler", contact: "alice@example.org", ...flags });
	await before.append(Array.from({ length: 10_000 }, (_, each) => entry("old", each)));
	await before.emptyInbox();
	await before.close();
	const file = join(folder, "jidway.sqlite");
	const bytes = readFileSync(file);
	for (let page = bytes.length / 1_024 - 100; page < bytes.length / 1_024; page += 7) bytes.fill(0x5a, page * 1_024, (page + 1) * 1_024);
	writeFileSync(file, bytes);
	return file;
}

test("Store tells of a damaged file also when the new one cannot be made at once", async (t) => {
	const folder = folderFor(t);
	const file = await damaged(t, folder);
	const log = new MemoryLog();
	let freshened = 0;
	const store = await open(t, { folder, log, keep, thread: false, onFresh: () => void freshened++ });
	mkdirSync(`${file}-journal`); // SQLite cannot make a file beside this
	await assert.rejects(store.outbox.queues(), { fault: "store-failed" });
	assert.deepEqual([freshened, readdirSync(folder).filter((name) => /damaged-\d+$/.test(name)).length], [0, 1]);
	rmdirSync(`${file}-journal`);
	await store.append([entry("1", 1)]);
	assert.equal(freshened, 1);
	assert.equal(log.lines.filter((line) => /error Database is damaged .* set aside as ".*damaged-\d+", started anew/.test(line)).length, 1);
	await store.close();
	const again = await open(t, { folder, keep });
	assert.deepEqual(again.subscriptions().map(({ contact }) => contact), ["alice@example.org"]);
	assert.equal(await valuesOf(again), "1");
});

test("Store puts a damaged file back at its start when there can be no new one: the next start finds it again", async (t) => {
	const folder = folderFor(t);
	await (await open(t, { folder })).close();
	const file = join(folder, "jidway.sqlite");
	const text = "this is no database, it is a text that is long enough to be read as one".repeat(50);
	writeFileSync(file, text);
	mkdirSync(`${file}-journal`);
	await assert.rejects(open(t, { folder }), { fault: "store-failed" });
	assert.equal(readFileSync(file, "utf8"), text);
	rmdirSync(`${file}-journal`);
	const log = new MemoryLog();
	await open(t, { folder, log });
	assert.match(log.lines.join("\n"), /error Database is damaged .* set aside as/);
});

const REQUESTS: readonly (readonly [name: string, ask: (store: Store) => unknown])[] = [
	["a changed config", (store) => store.configure({ keep })],
	["a bound of its pages", (store) => store.limitPages(1e6)],
	["the emptying of its inbox", (store) => store.emptyInbox()],
	["a question", (store) => store.outbox.queues()],
];
for (const [name, ask] of REQUESTS) {
	test(`Store gives a new file what it knows when ${name} brings damage to light`, async (t) => {
		const folder = folderFor(t);
		await damaged(t, folder);
		const log = new MemoryLog();
		const store = await open(t, { folder, log, keep, thread: false });
		await ask(store);
		await store.flush();
		assert.equal(log.lines.filter((line) => /error Database is damaged .* set aside as/.test(line)).length, 1);
		await store.close();
		assert.deepEqual((await open(t, { folder, keep })).subscriptions().map(({ contact }) => contact), ["alice@example.org"]);
	});
}

test("Store.close() leaves a damaged file where it is, says so, and the next start names where it went", async (t) => {
	const folder = folderFor(t);
	await damaged(t, folder);
	const log = new MemoryLog();
	await (await open(t, { folder, log, keep, thread: false })).close();
	assert.match(log.lines.join("\n"), /error Cannot close the database well: .* checked at the next start/);
	assert.deepEqual(readdirSync(folder).filter((name) => name.includes("damaged")), []);
	await open(t, { folder, log, keep });
	assert.match(log.lines.join("\n"), /error Database is damaged .* set aside as/);
});

test("Store.close() ends within some seconds when the disk hangs, and refuses who waits", async (t) => {
	const clock = new FakeClock();
	const store = await open(t, { folder: folderFor(t), thread: true, clock, tick: 0, onPort: (port) => {
		const real = port.request.bind(port);
		port.request = (request) => (request.kind === "write" ? new Promise(() => undefined) : real(request));
	} });
	const waiting = assert.rejects(store.append([entry("1", 1)], { link: "farm", id: 7, hash: "aa" }), { fault: "store-failed" });
	const asked = assert.rejects(store.putWatch({ who: "a@example.org", device: "d", point: "p" }), { fault: "store-failed" });
	const closed = store.close();
	await clock.advance(4_000);
	await Promise.all([closed, waiting, asked]);
});

test("Store.close() writes everything to a disk that is slow and does not hang", async (t) => {
	const folder = folderFor(t);
	const clock = new FakeClock();
	const store = await open(t, { folder, clock, keep, onPort: (port) => {
		const real = port.request.bind(port);
		port.request = (request) => (request.kind === "write" ? new Promise((resolve) => void clock.after(1_000, () => resolve(real(request)))) : real(request));
	} });
	store.note(Array.from({ length: 12_000 }, (_, each) => entry("1", each)));
	const closed = store.close();
	await clock.advance(10_000);
	await closed;
	assert.equal((await (await open(t, { folder, keep })).extent(span)).rows, 12_000);
});

test("Store.close() names a damaged file that was set aside when there was no new one until then", async (t) => {
	const folder = folderFor(t);
	const file = await damaged(t, folder);
	const log = new MemoryLog();
	const store = await open(t, { folder, log, keep });
	mkdirSync(`${file}-journal`);
	await assert.rejects(store.outbox.queues(), { fault: "store-failed" });
	await store.close();
	assert.match(log.lines.join("\n"), /error Database is damaged .* set aside as ".*damaged-\d+", and no new one could be made/);
});

test("Store.close() does not wait for a thread that is down", async (t) => {
	const log = new MemoryLog();
	const ports: ThreadPort[] = [];
	const store = await open(t, { folder: folderFor(t), thread: true, log, clock: new FakeClock(), onPort: (port: Port) => void (port instanceof ThreadPort && ports.push(port)) });
	await ports[0]!.kill();
	await eventually(() => log.lines.length > 0);
	await store.close(); // the clock stands still: no restart comes to its help
	assert.match(log.lines.join("\n"), /The thread of the database ended/);
});

test("Store has room for descriptions again after a full disk refused many", async (t) => {
	const store = await open(t, { folder: folderFor(t), clock: new FakeClock(), keep, thread: false });
	await store.limitPages(20);
	const describe = async (): Promise<void> => {
		store.describe("farm", { topic: "homeassistant/sensor/a/config", payload: new Uint8Array(1_000_000), retained: true });
		await settle();
	};
	for (let each = 0; each < 40; each++) await describe();
	await store.limitPages(1e6);
	await describe();
	assert.deepEqual((await store.descriptions("farm")).map(({ payload }) => payload.length), [1_000_000]);
});

test("Store lets go of all messages of a link, also of those that are not on disk yet", async (t) => {
	const folder = folderFor(t);
	const clock = new FakeClock();
	const store = await open(t, { folder, clock, keep, thread: false });
	await store.limitPages(20);
	const waiting = store.append([entry("y".repeat(100_000), 1)], { link: "farm", id: 7, hash: "aa" });
	const other = store.append([], { link: "other", id: 7, hash: "bb" });
	store.release("farm", "all");
	await store.limitPages(1e6);
	await clock.advance(2_000);
	await Promise.all([waiting, other]);
	await store.flush();
	for (const each of [store, await open(t, { folder, keep })]) assert.deepEqual([each.delivered("farm"), each.delivered("other")], [[], [{ id: 7, hash: "bb" }]]);
});

test("a database that was closed well is not so any more after whatever is written, be it no reading", async (t) => {
	const folder = folderFor(t);
	const marks = (): number => {
		const db = new Database(join(folder, "jidway.sqlite"));
		const rows = db.prepare("SELECT value FROM meta WHERE key = 'clean'").raw().all();
		db.close();
		return rows.length;
	};
	const before = await open(t, { folder, keep });
	await before.append([entry("1", 1)]);
	await before.close();
	assert.equal(marks(), 1);
	const store = await open(t, { folder, keep });
	assert.equal(marks(), 1);
	await store.putSubscription({ device: "boiler", contact: "alice@example.org", ...flags });
	assert.equal(marks(), 0);
	await store.close();
	assert.equal(marks(), 1);
});

test("a start is quick with many series whose readings are in the inbox", async (t) => {
	const folder = folderFor(t);
	const before = await open(t, { folder, keep });
	await before.append(Array.from({ length: 19_000 }, (_, each) => entry("1", FAKE_START, { address: `device-${each}` })));
	await before.close();
	const started = performance.now();
	await open(t, { folder, keep });
	const took = performance.now() - started;
	assert.ok(took < 2_000, `${took} ms`);
});

function garble(file: string): void {
	const length = readFileSync(file).length;
	const handle = openSync(file, "r+");
	writeSync(handle, Buffer.alloc(length, 0x5a), 0, length, 0);
	closeSync(handle);
}
