import assert from "node:assert/strict";
import { test } from "node:test";
import { Subscriptions } from "../../src/north/subscriptions.js";
import { settle } from "../fakes/clock.js";
import { MemoryStore } from "./harness.js";

test("Subscriptions begins with what the store kept, and knows who watches", () => {
	const found = new Subscriptions(new MemoryStore({ device: "a", contact: "x@y", from: true }, { device: "a", contact: "z@y", pendingIn: true }, { device: "b", contact: "x@y", to: true }));
	assert.deepEqual([...found.watchers("a")].map(({ contact }) => contact), ["x@y"]);
	assert.deepEqual([found.watchers("b").size, found.watchers("c").size, found.pending, found.of("a").length, [...found.all()].length], [0, 0, 1, 2, 3]);
});

test("Subscriptions counts the questions that wait, whatever becomes of them", async () => {
	const subscriptions = new Subscriptions(new MemoryStore());
	for (const contact of ["x@y", "z@y"]) await subscriptions.change("a", contact, (before) => ({ ...before, pendingIn: true }));
	await subscriptions.change("a", "x@y", (before) => ({ ...before, from: true, pendingIn: false }));
	assert.equal(subscriptions.pending, 1);
	await subscriptions.change("a", "z@y", (before) => ({ ...before, pendingIn: false }));
	assert.equal(subscriptions.pending, 0);
});

test("change() takes changes of one pair in turn, and those of others at once", async () => {
	const store = new MemoryStore();
	const subscriptions = new Subscriptions(store);
	let written = (): void => {};
	store.until = new Promise((resolve) => { written = resolve; });
	const seen: string[] = [];
	for (const [contact, from] of [["x@y", true], ["x@y", false], ["z@y", true]] as const) {
		void subscriptions.change("a", contact, (before) => {
			seen.push(`${contact} ${before.from}`);
			return { ...before, from };
		});
	}
	await settle();
	assert.deepEqual(seen, ["x@y false", "z@y false"]);
	written();
	await settle();
	assert.deepEqual(seen, ["x@y false", "z@y false", "x@y true"]);
	assert.equal(subscriptions.get("a", "x@y"), undefined);
	assert.deepEqual([...store.kept.keys()], ["a z@y"]);
});

test("change() that the store refuses changes nothing, unless somebody was to lose sight of a device", async () => {
	const store = new MemoryStore({ device: "a", contact: "x@y", from: true });
	const subscriptions = new Subscriptions(store);
	store.broken = true;
	await assert.rejects(subscriptions.change("a", "z@y", (before) => ({ ...before, from: true })), { fault: "store-failed" });
	assert.equal(subscriptions.get("a", "z@y"), undefined);
	const { failure } = await subscriptions.change("a", "x@y", (before) => ({ ...before, from: false }));
	assert.match(failure?.message ?? "", /disk is full/);
	assert.equal(subscriptions.watchers("a").size, 0);
});

test("change() that changes nothing writes nothing", async () => {
	const store = new MemoryStore({ device: "a", contact: "x@y", from: true });
	const subscriptions = new Subscriptions(store);
	const before = subscriptions.get("a", "x@y");
	assert.equal((await subscriptions.change("a", "x@y", (now) => ({ ...now, from: true }))).after, before);
	assert.deepEqual(store.writes, []);
});

test("a store that hangs does not fill the memory with changes that wait for it", async () => {
	const store = new MemoryStore();
	const subscriptions = new Subscriptions(store);
	store.until = new Promise(() => {});
	for (let n = 0; n < 5_000; n++) void subscriptions.change("a", `${n}@y`, (before) => ({ ...before, pendingIn: true }));
	await assert.rejects(subscriptions.change("a", "one@more", (before) => ({ ...before, from: true })), { fault: "busy" });
});
