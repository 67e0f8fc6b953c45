import assert from "node:assert/strict";
import { test } from "node:test";
import { InFlight } from "../../../src/south/mqtt/in-flight.js";
import { Chance, RUNS } from "../../fakes/fuzz.js";

const bytes = (text: string): Uint8Array => Buffer.from(text);

test("an id whose acknowledgement has arrived is free: a DUP of it is a new message", () => {
	const sent: number[] = [];
	const inFlight = new InFlight();
	inFlight.open(true, (id) => sent.push(id));
	inFlight.arrived(1, false, "t", bytes("21"))?.taken();
	assert.equal(inFlight.arrived(1, true, "t", bytes("21")), undefined);
	assert.deepEqual(sent, [1, 1]);
	inFlight.pong(); // the answer to a ping from before says nothing of it
	assert.equal(inFlight.arrived(1, true, "t", bytes("21")), undefined);
	inFlight.ping();
	inFlight.pong();
	assert.notEqual(inFlight.arrived(1, true, "t", bytes("21")), undefined);
});

test("the same payload without DUP, on another topic or under another id is a new message", () => {
	const inFlight = new InFlight();
	inFlight.open(true, () => undefined);
	inFlight.arrived(1, false, "t", bytes("21"))?.taken();
	assert.notEqual(inFlight.arrived(1, false, "t", bytes("21")), undefined);
	assert.notEqual(inFlight.arrived(1, true, "u", bytes("21")), undefined);
	assert.notEqual(inFlight.arrived(2, true, "u", bytes("21")), undefined);
});

test("topic and payload do not run into each other", () => {
	const inFlight = new InFlight();
	inFlight.open(true, () => undefined);
	inFlight.arrived(1, false, "ab", bytes("c"))?.taken();
	assert.notEqual(inFlight.arrived(1, true, "a", bytes("bc")), undefined);
});

test("whatever the order of taking over, acknowledgements keep the order of arrival, and each comes once", () => {
	const chance = new Chance(11);
	for (let n = 0; n < RUNS / 20; n++) {
		const sent: number[] = [];
		const inFlight = new InFlight();
		inFlight.open(false, (id) => sent.push(id));
		const waiting: (() => void)[] = [];
		const count = 1 + chance.int(40);
		for (let id = 1; id <= count; id++) {
			waiting.push(inFlight.arrived(id, false, "t", bytes(String(id)))!.taken);
			if (chance.int(2) === 0) waiting.splice(chance.int(waiting.length), 1)[0]!();
		}
		while (waiting.length > 0) waiting.splice(chance.int(waiting.length), 1)[0]!();
		assert.deepEqual(sent, Array.from({ length: count }, (_, at) => at + 1));
	}
});

test("remembers a bounded number of messages", () => {
	const inFlight = new InFlight();
	inFlight.open(true, () => undefined);
	for (let id = 1; id <= 5_000; id++) inFlight.arrived(id, false, "t", bytes("x"))?.taken();
	assert.notEqual(inFlight.arrived(1, true, "t", bytes("x")), undefined);
	assert.equal(inFlight.arrived(4_999, true, "t", bytes("x")), undefined);
});
