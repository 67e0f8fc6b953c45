import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import Database from "libsql";
import type { Announcement } from "../../src/core/device.js";
import { Registry } from "../../src/core/registry.js";
import { numericFromText, textOf } from "../../src/core/value.js";
import { Store } from "../../src/store/store.js";
import { FakeClock } from "../fakes/clock.js";
import { MemoryLog } from "../fakes/log.js";

const BOILER: Announcement = { address: "0x01", name: "Boiler", points: { setpoint: { kind: "numeric", access: "rw", unit: "°C" }, output: { kind: "boolean", access: "r" }, mode: { kind: "enum", access: "r", labels: ["heat"] } } };

function folderFor(t: TestContext): string {
	const folder = mkdtempSync(join(tmpdir(), "jidway-store-"));
	t.after(() => rmSync(folder, { recursive: true, force: true }));
	return join(folder, "data");
}

function open(folder: string, clock = new FakeClock(), log = new MemoryLog()): Store {
	return new Store({ folder, clock, log });
}

test("Store keeps subscriptions as soon as they are put, and drops those without any flag", async (t) => {
	const folder = folderFor(t);
	const store = open(folder);
	const flags = { from: true, to: false, pendingIn: false, pendingOut: true };
	await store.putSubscription({ device: "boiler", contact: "alice@example.org", ...flags });
	await store.putSubscription({ device: "", contact: "alice@example.org", ...flags, pendingIn: true });
	await store.putSubscription({ device: "boiler", contact: "bob@example.org", ...flags });
	await store.putSubscription({ device: "boiler", contact: "bob@example.org", from: false, to: false, pendingIn: false, pendingOut: false });
	// No close: what was answered must survive a crash.
	assert.deepEqual(open(folder).subscriptions(), [
		{ device: "", contact: "alice@example.org", ...flags, pendingIn: true },
		{ device: "boiler", contact: "alice@example.org", ...flags },
	]);
	await store.close();
});

test("Store brings twins back with their digits, kinds and times, as their source announced them", async (t) => {
	const folder = folderFor(t);
	const clock = new FakeClock();
	const store = open(folder, clock);
	const { twin } = new Registry([{ id: "heater", link: "farm", address: "0x01", name: "My heater" }]).announce("farm", BOILER, clock.now());
	const now = clock.now();
	twin.apply([
		{ point: "setpoint", value: numericFromText("22.50")!, at: now - 5, received: now, quality: "good" },
		{ point: "output", value: false, at: now, received: now, quality: "estimate" },
		{ point: "mode", value: "heat", at: now, received: now, quality: "good", ageUnknown: true },
	], true, now);
	store.touch(twin);
	await clock.advance(5_000);
	const [found] = open(folder).twins();
	assert.equal(found!.link, "farm");
	assert.deepEqual(found!.announcement, BOILER);
	assert.deepEqual(found!.readings.map((r) => [r.point, textOf(r.value), typeof r.value, r.at - now, r.quality, r.ageUnknown]), [
		["mode", "heat", "string", 0, "good", true], ["output", "false", "boolean", 0, "estimate", undefined], ["setpoint", "22.50", "object", -5, "good", undefined],
	]);
	store.forget(twin);
	await store.close();
	assert.deepEqual(open(folder).twins(), []);
});

test("Store keeps the topic filters of a link, newest set only", async (t) => {
	const folder = folderFor(t);
	const store = open(folder);
	store.setFilters("farm", ["b/#", "a/+", "b/#"]);
	store.setFilters("other", ["x"]);
	await store.flush();
	store.setFilters("farm", ["c/#"]);
	await store.flush();
	assert.deepEqual([open(folder).filters("farm"), open(folder).filters("other"), open(folder).filters("none")], [["c/#"], ["x"], []]);
	await store.close();
});

test("Store keeps its folder at 0700 and its file at 0600", async (t) => {
	const folder = folderFor(t);
	const store = open(folder);
	assert.equal(statSync(folder).mode & 0o777, 0o700);
	assert.equal(statSync(join(folder, "jidway.sqlite")).mode & 0o777, 0o600);
	await store.close();
});

test("Store sets a damaged database aside, says so, and starts anew", async (t) => {
	const folder = folderFor(t);
	await open(folder).close();
	writeFileSync(join(folder, "jidway.sqlite"), "this is no database, it is a text that is long enough to be read as one".repeat(50));
	const log = new MemoryLog();
	const store = open(folder, new FakeClock(), log);
	assert.deepEqual(store.subscriptions(), []);
	assert.match(log.lines.join("\n"), /error Database is damaged .* set aside as .*jidway\.sqlite\.damaged-\d+/);
	assert.equal(readdirSync(folder).some((name) => name.includes("damaged")), true);
	await store.close();
});

test("Store finds damage beyond the first page, too", async (t) => {
	const folder = folderFor(t);
	const clock = new FakeClock();
	const store = open(folder, clock);
	for (let contact = 0; contact < 400; contact++) await store.putSubscription({ device: "boiler", contact: `${contact}@example.org`, from: true, to: false, pendingIn: false, pendingOut: false });
	await store.close();
	const file = join(folder, "jidway.sqlite");
	const bytes = readFileSync(file);
	bytes.fill(0x5a, 4_096);
	writeFileSync(file, bytes);
	const log = new MemoryLog();
	const anew = open(folder, clock, log);
	assert.deepEqual(anew.subscriptions(), []);
	assert.match(log.lines.join("\n"), /error Database is damaged/);
	await anew.close();
});

test("Store forgets a device of which nothing was heard for a month, over all restarts", async (t) => {
	const folder = folderFor(t);
	const clock = new FakeClock();
	const store = open(folder, clock);
	store.touch(new Registry().announce("farm", BOILER, clock.now()).twin);
	await store.close();
	clock.jump(29 * 86_400_000);
	assert.equal(open(folder, clock).twins().length, 1);
	clock.jump(2 * 86_400_000);
	assert.equal(open(folder, clock).twins().length, 0);
});

test("Store refuses a database of a newer Jidway, and leaves it as it is", async (t) => {
	const folder = folderFor(t);
	await open(folder).close();
	const db = new Database(join(folder, "jidway.sqlite"));
	db.exec("PRAGMA user_version = 99");
	db.close();
	assert.throws(() => open(folder), { name: "GatewayError", fault: "store-failed", message: /written by a newer Jidway \(schema 99/ });
});

test("Store says when the disk is full, goes on, keeps what it could not write, and says when it can again", async (t) => {
	const folder = folderFor(t);
	const clock = new FakeClock();
	const log = new MemoryLog();
	const store = open(folder, clock, log);
	// SQLite's own limit gives the very error that a full disk gives (SQLITE_FULL).
	store.limitPages(12);
	const registry = new Registry();
	for (let device = 0; device < 200; device++) {
		const { twin } = registry.announce("farm", { ...BOILER, address: `device-${device}`, name: "x".repeat(500) }, clock.now());
		store.touch(twin);
	}
	await clock.advance(5_000);
	assert.match(store.fault ?? "", /the disk is full: make room on it/);
	await assert.rejects(async () => {
		for (let contact = 0; contact < 2_000; contact++) await store.putSubscription({ device: "boiler", contact: `${contact}@example.org`, from: true, to: false, pendingIn: false, pendingOut: false });
	}, { name: "GatewayError", fault: "store-failed" });
	assert.match(log.lines[0]!, /^error Cannot write to the database: the disk is full/);
	store.limitPages(100_000);
	await clock.advance(5_000);
	assert.equal(store.fault, undefined);
	assert.equal(store.twins().length, 200);
	assert.match(log.lines.at(-1)!, /can be written again/);
	await store.close();
});
