import assert from "node:assert/strict";
import { test } from "node:test";
import { Echoes } from "../../../src/south/mqtt/echoes.js";
import { FakeClock } from "../../fakes/clock.js";

const bytes = (text: string) => Buffer.from(text);

test("Echoes takes its own message once as ours, and the same word of a device after it as the device's", () => {
	const echoes = new Echoes(new FakeClock());
	assert.equal(echoes.isOurs("a/set", bytes("on")), false);
	echoes.expect("a/set", "on");
	assert.equal(echoes.isOurs("a/set", bytes("off")), false);
	assert.equal(echoes.isOurs("b/set", bytes("on")), false);
	assert.equal(echoes.isOurs("a/set", bytes("on")), true);
	assert.equal(echoes.isOurs("a/set", bytes("on")), false);
});

test("Echoes expects as many as were sent, for ten seconds, and keeps a bounded number", async () => {
	const clock = new FakeClock();
	const echoes = new Echoes(clock);
	echoes.expect("a", "1");
	echoes.expect("a", "1");
	assert.deepEqual([1, 2, 3].map(() => echoes.isOurs("a", bytes("1"))), [true, true, false]);
	echoes.expect("a", "2");
	await clock.advance(10_001);
	assert.equal(echoes.isOurs("a", bytes("2")), false);
	for (let at = 0; at < 5_000; at++) echoes.expect("a", String(at));
	assert.equal(echoes.isOurs("a", bytes("0")), false);
	assert.equal(echoes.isOurs("a", bytes("4999")), true);
});
