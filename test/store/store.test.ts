import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import Database from "libsql";
import type { Announcement } from "../../src/core/device.js";
import { Registry } from "../../src/core/registry.js";
import { numericFromText, textOf } from "../../src/core/value.js";
import { MIGRATIONS } from "../../src/store/migrations.js";
import { restoreDatabase } from "../../src/store/restore.js";
import { FakeClock } from "../fakes/clock.js";
import { entry, folderFor, MODES, open } from "./open.js";

const BOILER: Announcement = { address: "0x01", name: "Boiler", points: { setpoint: { kind: "numeric", access: "rw", unit: "°C" }, output: { kind: "boolean", access: "r" }, mode: { kind: "enum", access: "r", labels: ["heat"] } } };
const flags = { from: true, to: false, pendingIn: false, pendingOut: true };
const span = { place: { link: "farm", address: "b1" }, points: ["t"] };

for (const { thread, mode } of MODES) {
	test(`Store ${mode} keeps subscriptions as soon as they are put, and drops those without any flag`, async (t) => {
		const folder = folderFor(t);
		const store = await open(t, { folder, thread });
		await store.putSubscription({ device: "boiler", contact: "alice@example.org", ...flags });
		await store.putSubscription({ device: "", contact: "alice@example.org", ...flags, pendingIn: true });
		await store.putSubscription({ device: "boiler", contact: "bob@example.org", ...flags });
		await store.putSubscription({ device: "boiler", contact: "bob@example.org", from: false, to: false, pendingIn: false, pendingOut: false });
		const wanted = [{ device: "", contact: "alice@example.org", ...flags, pendingIn: true }, { device: "boiler", contact: "alice@example.org", ...flags }];
		// No close: what was answered must survive a crash.
		assert.deepEqual((await open(t, { folder })).subscriptions(), wanted);
		assert.deepEqual([...store.subscriptions()].sort((a, b) => (a.device < b.device ? -1 : 1)), wanted);
	});

	test(`Store ${mode} keeps watches, with what was told last`, async (t) => {
		const folder = folderFor(t);
		const store = await open(t, { folder, thread });
		const watch = { who: "alice@example.org", device: "boiler", point: "setpoint", by: 0.5, told: { value: numericFromText("21.50")!, at: 5 } };
		await store.putWatch({ who: "alice@example.org", device: "boiler", point: "setpoint" });
		await store.putWatch(watch);
		await store.putWatch({ who: "bob@example.org", device: "boiler", point: "setpoint", every: 60_000 });
		await store.dropWatch({ who: "bob@example.org", device: "boiler", point: "setpoint" });
		assert.deepEqual(store.watches(), [watch]);
		assert.deepEqual((await open(t, { folder })).watches(), [watch]);
	});

	test(`Store ${mode} keeps the topic filters of a link, newest set only`, async (t) => {
		const folder = folderFor(t);
		const store = await open(t, { folder, thread });
		store.setFilters("farm", ["b/#", "a/+", "b/#"]);
		store.setFilters("other", ["x"]);
		await store.flush();
		store.setFilters("farm", ["c/#"]);
		await store.flush();
		const again = await open(t, { folder });
		assert.deepEqual([again.filters("farm"), again.filters("other"), again.filters("none")], [["c/#"], ["x"], []]);
	});

	test(`Store ${mode} keeps messages until they are let go of, with their readings or without`, async (t) => {
		const folder = folderFor(t);
		const store = await open(t, { folder, thread });
		await store.append([entry("1.50", 1_000)], { link: "farm", id: 7, hash: "aa" });
		await store.append([], { link: "farm", id: 8, hash: "bb" });
		await store.append([], { link: "other", id: 7, hash: "cc" });
		await store.append([], { link: "farm", id: 8, hash: "dd" }); // the id was used anew
		assert.deepEqual(store.delivered("farm"), [{ id: 7, hash: "aa" }, { id: 8, hash: "dd" }]);
		store.release("farm", [7, 99]);
		await store.flush();
		const again = await open(t, { folder });
		assert.deepEqual([again.delivered("farm"), again.delivered("other")], [[{ id: 8, hash: "dd" }], [{ id: 7, hash: "cc" }]]);
		store.release("farm", "all");
		await store.flush();
		assert.deepEqual((await open(t, { folder })).delivered("farm"), []);
	});

	test(`Store ${mode} copies itself while it runs into a new file that only its user may read, and is restored from it`, async (t) => {
		const folder = folderFor(t);
		const store = await open(t, { folder, thread, keep: 1e14 });
		await store.putSubscription({ device: "boiler", contact: "alice@example.org", ...flags });
		store.note([entry("71.50", 1_000)]);
		const backup = join(folder, "backup.sqlite");
		await store.backup(backup);
		assert.equal(statSync(backup).mode & 0o777, 0o600);
		await assert.rejects(store.backup(backup), { fault: "store-failed", message: /there is a file of this name/ });
		await store.putSubscription({ device: "boiler", contact: "bob@example.org", ...flags });
		await store.close();
		const { facts, aside } = restoreDatabase(backup, folder, 5);
		assert.deepEqual(facts, { schema: MIGRATIONS.length, subscriptions: 1, devices: 0, readings: 1 });
		assert.match(aside!, /jidway\.sqlite\.replaced-5$/);
		const again = await open(t, { folder, thread, keep: 1e14 });
		assert.deepEqual(again.subscriptions().map(({ contact }) => contact), ["alice@example.org"]);
		assert.deepEqual((await again.rows(span, 10)).map(({ reading }) => textOf(reading.value)), ["71.50"]);
	});

	test(`Store ${mode} refuses who waits when it is closed, and says so`, async (t) => {
		const store = await open(t, { folder: folderFor(t), thread });
		await store.close();
		await assert.rejects(store.append([entry("1", 1)]), { fault: "store-failed", message: /it is closed/ });
		await assert.rejects(store.putWatch({ who: "a@example.org", device: "d", point: "p" }), { fault: "store-failed" });
	});

	test(`Store ${mode} refuses a database of a newer Jidway, and leaves it as it is`, async (t) => {
		const folder = folderFor(t);
		await (await open(t, { folder })).close();
		const db = new Database(join(folder, "jidway.sqlite"));
		db.exec("PRAGMA user_version = 99");
		db.close();
		await assert.rejects(open(t, { folder, thread }), { name: "GatewayError", fault: "store-failed", message: /written by a newer Jidway \(schema 99/ });
	});
}

test("Store brings twins back with their digits, kinds and times, as their source announced them", async (t) => {
	const folder = folderFor(t);
	const clock = new FakeClock();
	const store = await open(t, { folder, clock, thread: false });
	const { twin } = new Registry([{ id: "heater", link: "farm", address: "0x01", name: "My heater" }]).announce("farm", BOILER, clock.now());
	const now = clock.now();
	twin.apply([
		{ point: "setpoint", value: numericFromText("22.50")!, at: now - 5, received: now, quality: "good" },
		{ point: "output", value: false, at: now, received: now, quality: "estimate" },
		{ point: "mode", value: "heat", at: now, received: now, quality: "good", ageUnknown: true },
	], true, now);
	store.touch(twin);
	await clock.advance(5_000);
	const [found] = (await open(t, { folder, clock })).twins();
	assert.equal(found!.link, "farm");
	assert.deepEqual(found!.announcement, BOILER);
	assert.deepEqual([...found!.readings].sort((a, b) => (a.point < b.point ? -1 : 1)).map((r) => [r.point, textOf(r.value), typeof r.value, r.at - now, r.quality, r.ageUnknown]), [
		["mode", "heat", "string", 0, "good", true], ["output", "false", "boolean", 0, "estimate", undefined], ["setpoint", "22.50", "object", -5, "good", undefined],
	]);
	store.forget(twin);
	await store.close();
	assert.deepEqual((await open(t, { folder })).twins(), []);
});

test("Store brings back what the journal knows better than the twins that were written last", async (t) => {
	const folder = folderFor(t);
	const clock = new FakeClock();
	const store = await open(t, { folder, clock, thread: false });
	const { twin } = new Registry().announce("farm", BOILER, clock.now());
	const now = clock.now();
	const hear = async (point: string, value: string | boolean, at = clock.now()): Promise<void> => {
		const given = entry(value, at, { point, address: "0x01", received: clock.now() });
		twin.apply([given.reading], true, clock.now());
		store.touch(twin);
		await store.append([given]);
	};
	await hear("setpoint", "20.0");
	await clock.advance(6_000);
	await hear("setpoint", "21.00");
	await hear("output", true);
	await hear("setpoint", "5", now - 60_000); // late: not what it is now
	await store.append([entry("9", clock.now(), { point: "gone", address: "0x01" })]);
	const [found] = (await open(t, { folder, clock, thread: false })).twins();
	assert.deepEqual(found!.readings.map(({ point, value }) => [point, textOf(value)]).sort(), [["output", "true"], ["setpoint", "21.00"]]);
});

test("Store brings back the readings of a place whose twin was not written yet, by its address", async (t) => {
	const folder = folderFor(t);
	const store = await open(t, { folder, keep: 1e14 });
	await store.append([entry("20.0", 5, { point: "setpoint", address: "0x01" }), entry("21.0", 9, { point: "setpoint", address: "0x01" }), entry(true, 9, { point: "output", address: "0x01" })]);
	// No close: it was killed before the first flush.
	const [found, ...others] = (await open(t, { folder, keep: 1e14 })).twins();
	assert.deepEqual([found!.link, found!.address, found!.announcement, others], ["farm", "0x01", undefined, []]);
	assert.deepEqual(found!.readings.map(({ point, value }) => [point, textOf(value)]).sort(), [["output", "true"], ["setpoint", "21.0"]]);
});

test("Store writes a twin seldom whose readings are all in the journal, and at once when it is described anew", async (t) => {
	const folder = folderFor(t);
	const clock = new FakeClock();
	const store = await open(t, { folder, clock, thread: false });
	const registry = new Registry();
	const { twin } = registry.announce("farm", BOILER, clock.now());
	const stored = (): string[] => {
		const db = new Database(join(folder, "jidway.sqlite"));
		const rows = db.prepare("SELECT value FROM reading").raw().all().map((row) => String((row as unknown[])[0]));
		db.close();
		return rows;
	};
	const hear = async (value: string): Promise<void> => {
		const given = entry(value, clock.now(), { point: "setpoint", address: "0x01" });
		twin.apply([given.reading], true, clock.now());
		store.touch(twin);
		store.note([given]);
		await clock.advance(5_000);
	};
	await hear("1");
	assert.deepEqual(stored(), ["1"]);
	await hear("2");
	assert.deepEqual(stored(), ["1"]);
	registry.announce("farm", { ...BOILER, name: "Kettle" }, clock.now());
	await hear("3");
	assert.deepEqual(stored(), ["3"]);
	await hear("4");
	await clock.advance(5 * 60_000);
	assert.deepEqual(stored(), ["4"]);
});

test("Store keeps its folder at 0700 and its file at 0600", async (t) => {
	const folder = folderFor(t);
	await open(t, { folder });
	assert.equal(statSync(folder).mode & 0o777, 0o700);
	assert.equal(statSync(join(folder, "jidway.sqlite")).mode & 0o777, 0o600);
});

test("Store migrates a database of version 1 with all that is in it, into small pages", async (t) => {
	const folder = folderFor(t);
	mkdirSync(folder);
	const file = join(folder, "jidway.sqlite");
	const old = new Database(file);
	old.exec(`PRAGMA journal_mode = WAL; ${MIGRATIONS[0]!}; PRAGMA user_version = 1`);
	old.exec(`INSERT INTO subscription VALUES ('boiler', 'alice@example.org', 1, 0, 0, 1);
		INSERT INTO twin VALUES ('farm', '0x01', '${JSON.stringify(BOILER)}', ${new FakeClock().now()});
		INSERT INTO reading VALUES ('farm', '0x01', 'setpoint', '22.50', 'numeric', 5, 6, 0, 'good');
		INSERT INTO filter VALUES ('farm', 'a/#')`);
	old.close();
	const store = await open(t, { folder });
	assert.deepEqual(store.subscriptions(), [{ device: "boiler", contact: "alice@example.org", ...flags }]);
	assert.deepEqual(store.filters("farm"), ["a/#"]);
	assert.deepEqual(store.twins().map(({ announcement, readings }) => [announcement, readings.map(({ value }) => textOf(value))]), [[BOILER, ["22.50"]]]);
	await store.append([entry("1", 1)]);
	await store.close();
	const db = new Database(file);
	assert.deepEqual([db.pragma("user_version"), db.pragma("page_size")].flat().map((row) => Object.values(row as object)[0]), [MIGRATIONS.length, 1_024]);
	db.close();
});

test("Store forgets a device of which nothing was heard for a month, over all restarts", async (t) => {
	const folder = folderFor(t);
	const clock = new FakeClock();
	const store = await open(t, { folder, clock, thread: false });
	store.touch(new Registry().announce("farm", BOILER, clock.now()).twin);
	await store.close();
	clock.jump(29 * 86_400_000);
	assert.equal((await open(t, { folder, clock })).twins().length, 1);
	clock.jump(2 * 86_400_000);
	assert.equal((await open(t, { folder, clock })).twins().length, 0);
});

const UNSOUND: readonly (readonly [name: string, make: (file: string) => void, reason: RegExp])[] = [
	["that is a text", (file) => writeFileSync(file, "this is no database".repeat(100)), /not a database/],
	["that is empty", (file) => writeFileSync(file, ""), /a database of something else/],
	["of something else", (file) => new Database(file).exec("CREATE TABLE song (name TEXT)"), /a database of something else/],
	["of a newer Jidway", (file) => new Database(file).exec("PRAGMA user_version = 99; CREATE TABLE subscription (a); CREATE TABLE twin (a); CREATE TABLE reading (a); CREATE TABLE filter (a)"), /newer Jidway \(schema 99/],
];
for (const [name, make, reason] of UNSOUND) {
	test(`restoreDatabase() refuses a file ${name}, and changes nothing`, async (t) => {
		const folder = folderFor(t);
		await (await open(t, { folder })).close();
		const before = readFileSync(join(folder, "jidway.sqlite"));
		const backup = join(folder, "backup");
		make(backup);
		assert.throws(() => restoreDatabase(backup, folder, 5), { fault: "store-failed", message: reason });
		assert.deepEqual(readFileSync(join(folder, "jidway.sqlite")), before);
		assert.deepEqual(readdirSync(folder).filter((file) => /restoring|replaced/.test(file)), []);
	});
}

test("restoreDatabase() refuses a backup with damaged pages", async (t) => {
	const folder = folderFor(t);
	const store = await open(t, { folder, thread: false });
	for (let each = 0; each < 100; each++) store.note([entry(String(each), each)]);
	await store.close();
	const backup = join(folder, "backup");
	copyFileSync(join(folder, "jidway.sqlite"), backup);
	const bytes = readFileSync(backup);
	bytes.fill(0x5a, 1_024);
	writeFileSync(backup, bytes);
	assert.throws(() => restoreDatabase(backup, folder, 5), { fault: "store-failed", message: /malformed|check of its pages/ });
});

test("restoreDatabase() leaves the old database where it was when it fails at the last moment", async (t) => {
	const folder = folderFor(t);
	const store = await open(t, { folder, thread: false });
	await store.backup(join(folder, "backup"));
	await store.putSubscription({ device: "boiler", contact: "alice@example.org", ...flags });
	await store.close();
	rmSync(join(folder, "jidway.sqlite-shm"), { force: true });
	mkdirSync(join(folder, "jidway.sqlite-shm")); // cannot be taken away
	assert.throws(() => restoreDatabase(join(folder, "backup"), folder, 5), { fault: "store-failed" });
	assert.deepEqual(readdirSync(folder).filter((file) => /restoring|replaced/.test(file)), []);
	rmdirSync(join(folder, "jidway.sqlite-shm"));
	assert.equal((await open(t, { folder })).subscriptions().length, 1);
});

test("restoreDatabase() leaves no log of the old database beside the new one, and the old one is whole without it", async (t) => {
	const folder = folderFor(t);
	const store = await open(t, { folder, thread: false });
	await store.backup(join(folder, "backup"));
	await store.putSubscription({ device: "boiler", contact: "alice@example.org", ...flags });
	const killed = join(folder, "killed");
	mkdirSync(killed);
	for (const suffix of ["", "-wal"]) copyFileSync(join(folder, `jidway.sqlite${suffix}`), join(killed, `jidway.sqlite${suffix}`));
	const { aside } = restoreDatabase(join(folder, "backup"), killed, 5);
	assert.deepEqual(readdirSync(killed).sort(), ["jidway.sqlite", "jidway.sqlite.replaced-5"]);
	assert.equal((await open(t, { folder: killed })).subscriptions().length, 0);
	const old = new Database(aside!);
	assert.equal(old.prepare("SELECT * FROM subscription").raw().all().length, 1);
	old.close();
});

test("restoreDatabase() refuses a database with its log beside it: what is in the log would be lost", async (t) => {
	const folder = folderFor(t);
	const store = await open(t, { folder, thread: false });
	await store.putSubscription({ device: "boiler", contact: "alice@example.org", ...flags });
	for (const suffix of ["", "-wal"]) copyFileSync(join(folder, `jidway.sqlite${suffix}`), join(folder, `copy${suffix}`));
	assert.throws(() => restoreDatabase(join(folder, "copy"), join(folder, "new"), 5), { fault: "store-failed", message: /found its log ".*copy-wal" beside it, wanted a backup/ });
	assert.equal(readdirSync(folder).includes("new"), false);
});
