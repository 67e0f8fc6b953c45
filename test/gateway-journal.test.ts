import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { Access } from "../src/core/access.js";
import type { Announcement } from "../src/core/device.js";
import { Registry } from "../src/core/registry.js";
import { numericFromText, textOf } from "../src/core/value.js";
import { startGateway } from "../src/gateway.js";
import type { Link, LinkEars } from "../src/south/link.js";
import type { Dialect, Meaning, Told } from "../src/south/meaning.js";
import { Store } from "../src/store/store.js";
import { MemoryStream } from "../src/xmpp/memory.js";
import { FakeClock, settle } from "./fakes/clock.js";
import { MemoryLog } from "./fakes/log.js";

const device = (address: string): Announcement => ({ address, points: { t: { kind: "numeric", access: "r" } } });
const told = (text: string, more: Partial<Told> = {}): Told => ({ address: "b1", point: "t", value: numericFromText(text)!, ...more });

/** A roof over a link with two devices, and a journal that can be read. */
async function roof(t: TestContext, more: readonly Announcement[] = []) {
	const folder = mkdtempSync(join(tmpdir(), "jidway-journal-"));
	const clock = new FakeClock();
	const log = new MemoryLog();
	let meaning: Meaning = {};
	let ears: LinkEars | undefined;
	const link: Link = {
		id: "farm", send: async () => undefined,
		run: (given, signal) => {
			ears = given;
			given.state({ up: true });
			return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
		},
	};
	const dialect: Dialect = { announced: () => [device("b1"), device("b2"), ...more], decode: () => meaning, encode: () => [] };
	const store = await Store.open({ folder, clock, log, thread: false });
	const gateway = startGateway({
		domain: "things.example.org", name: "Test", roads: [{ link, dialect }], registry: new Registry(), store, stream: new MemoryStream(), clock, log,
		access: new Access([]), north: () => ({ modules: [], router: { receive: () => undefined } }),
	});
	t.after(async () => {
		await gateway.stop();
		rmSync(folder, { recursive: true, force: true });
	});
	const taken: number[] = [];
	const hear = (id: number | undefined, readings: readonly Told[], retained = false): void => {
		meaning = { told: readings };
		ears!.packet({ body: { kind: "message", topic: "t", payload: new Uint8Array(), retained }, received: clock.now(), ...(id !== undefined && { delivery: { id, hash: String(id) } }), taken: () => void taken.push(id ?? 0) });
	};
	const journal = async (address = "b1"): Promise<string[]> => {
		await store.flush();
		return (await store.rows({ place: { link: "farm", address }, points: ["t"] }, 100)).map(({ reading }) => `${textOf(reading.value)}${reading.ageUnknown ? " of unknown age" : ""}`);
	};
	return { gateway, clock, store, hear, taken, journal };
}

test("every live reading is journaled, also one that says what the one before said", async (t) => {
	const r = await roof(t);
	for (const id of [1, 2, undefined]) {
		r.hear(id, [told("21")]);
		await r.clock.advance(1_000);
	}
	assert.deepEqual(await r.journal(), ["21", "21", "21"]);
	assert.deepEqual(r.taken, [1, 2, 0]);
});

test("what is told twice with the times of its source is one reading each, and its repetition is acknowledged", async (t) => {
	const r = await roof(t);
	const pack = [1, 2, 3].map((at) => told(String(at), { at: r.clock.now() - 10_000 + at }));
	for (const id of [1, 2, undefined]) {
		r.hear(id, pack);
		await r.clock.advance(100);
	}
	assert.deepEqual(await r.journal(), ["1", "2", "3"]);
	assert.deepEqual(r.taken, [1, 2, 0]);
});

test("a retained copy is journaled only where nothing is known of the point", async (t) => {
	const r = await roof(t);
	r.hear(undefined, [told("5")], true);
	r.hear(undefined, [told("21")]);
	r.hear(undefined, [told("21")], true);
	r.hear(undefined, [told("5")], true);
	assert.deepEqual(await r.journal(), ["5 of unknown age", "21"]);
});

test("while the disk is full nothing is acknowledged, not even what repeats a reading that waits", async (t) => {
	const r = await roof(t);
	await r.clock.advance(6_000);
	await r.store.limitPages(1);
	for (let id = 1; id <= 400; id++) r.hear(id, [told(String(id), { at: r.clock.now() - 100_000 + id })]);
	const before = r.taken.length;
	r.hear(1_000, [told("400", { at: r.clock.now() - 100_000 + 400 })]);
	await r.clock.advance(3_000);
	assert.ok(before < 400, "the disk is full");
	assert.ok(!r.taken.includes(1_000), "what it repeats is in memory alone");
	await r.store.limitPages(100_000);
	await r.clock.advance(3_000);
	assert.ok(r.taken.includes(1_000));
	assert.equal((await r.journal()).length, 100);
});

test("a bug at one device does not cost another its reading, which is acknowledged", async (t) => {
	const r = await roof(t);
	r.gateway.registry.byId("b2").apply = () => { throw new Error("a bug"); };
	r.hear(1, [told("1"), told("2", { address: "b2" })]);
	await settle();
	assert.deepEqual(await r.journal(), ["1"]);
	assert.deepEqual(r.taken, [1]);
});
