import assert from "node:assert/strict";
import { test } from "node:test";
import { memory, ModbusBus, type ModbusUnit } from "../../../firmware-sim/modbus-slave.js";
import { RelayBoard } from "../../../firmware-sim/relay-board.js";
import { plugIn, Wire, type WireOptions } from "../../../firmware-sim/wire.js";
import { GatewayError } from "../../../src/core/errors.js";
import type { OutRegisters, Registers, Silence } from "../../../src/south/link.js";
import { Bus } from "../../../src/south/serial/bus.js";
import type { PollPlan } from "../../../src/south/serial/plan.js";
import { FakeClock } from "../../fakes/clock.js";

/** A bus on a simulated line, and what was said on it. */
class Bench {
	readonly clock = new FakeClock();
	readonly heard: (Registers | Silence)[] = [];
	readonly faults: string[] = [];
	/** Every frame that the bus sent: when, and what. */
	readonly sent: { readonly at: number; readonly hex: string }[] = [];
	/** Requests that were sent while an answer could still come. */
	overlaps = 0;
	/** How far the wall clock was set, in ms. */
	jumped = 0;
	readonly bus: Bus;
	readonly wire: Wire;
	readonly end = new AbortController();
	readonly over: Promise<void>;
	/** The shortest silence between what was heard and what was said next, in ms. */
	shortest = Infinity;
	#waitingUntil = 0;
	#heardAt = -Infinity;

	constructor(units: (clock: FakeClock) => readonly ModbusUnit[], polls: readonly PollPlan[], wire: Partial<WireOptions> = {}, turnaround = 5) {
		// The line knows nothing of wall clocks.
		const steady = { now: () => this.clock.now() - this.jumped, after: (ms: number, run: () => void) => this.clock.after(ms, run) };
		this.wire = new Wire({ clock: steady, baud: 9_600, ...wire });
		plugIn(new ModbusBus({ clock: this.clock, units: units(this.clock), turnaround }), this.wire);
		this.bus = new Bus({
			clock: this.clock, baud: 9_600, polls,
			write: async (bytes) => {
				if (this.clock.now() < this.#waitingUntil) this.overlaps++;
				this.#waitingUntil = this.clock.now() + 300;
				this.shortest = Math.min(this.shortest, this.clock.now() - this.#heardAt);
				this.sent.push({ at: this.clock.now(), hex: Buffer.from(bytes).toString("hex") });
				this.wire.gateway.write(bytes);
			},
			hear: (body) => this.heard.push(body),
			fault: (where, reason) => this.faults.push(`${where}: ${reason}`),
		});
		this.wire.gateway.onData = (bytes) => {
			this.#waitingUntil = 0;
			this.#heardAt = this.clock.now();
			this.bus.hear(bytes);
		};
		this.over = this.bus.run(this.end.signal);
	}

	send(out: Partial<OutRegisters> & { readonly unit: number }): Promise<void> {
		return this.bus.send({ kind: "registers", table: "holding", first: 0, values: [1], ...out }, new AbortController().signal);
	}

	async stop(): Promise<void> {
		this.end.abort();
		await this.over;
		await this.clock.advance(1_000);
	}

	times(unit: number): number[] {
		return this.sent.filter(({ hex }) => hex.startsWith(unit.toString(16).padStart(2, "0"))).map(({ at }) => at);
	}
}

const holding = (unit: number, every: number, count = 1): PollPlan => ({ unit, every, reads: [{ request: { function: 3, unit, first: 0, count } }] });
const cells = (address: number, silent = false): ModbusUnit => ({ address, silent, holdingRegisters: new Map([[0, memory(address)], [1, memory(0)]]) });
const fault = (wished: string) => (error: unknown): boolean => error instanceof GatewayError && error.fault === wished;

test("Bus: twenty units are polled in their rhythm, commands go first, and nothing overlaps", async () => {
	const numbers = Array.from({ length: 20 }, (_, index) => index + 1);
	const bench = new Bench(() => numbers.map((number) => cells(number)), numbers.map((number) => holding(number, 1_000)));
	await bench.clock.advance(5_000);
	let latest = 0;
	for (let round = 0; round < 40; round++) {
		const before = bench.sent.length;
		let at: number | undefined;
		const asked = bench.clock.now();
		const done = bench.send({ unit: 1 + (round % 20), first: 1, values: [round] }).then(() => { at = bench.clock.now(); });
		await bench.clock.advance(137);
		await done;
		latest = Math.max(latest, at! - asked);
		// at most the poll that was under way, then the command
		assert.ok(bench.sent.slice(before, before + 2).some(({ hex }) => hex.slice(2, 4) === "06"), `round ${round}`);
	}
	await bench.clock.advance(2_000);
	assert.equal(bench.overlaps, 0);
	assert.ok(bench.shortest >= 3.5 && bench.shortest < 10, `${bench.shortest} ms between two frames; 3.5 characters are 3.6 ms`);
	assert.deepEqual(bench.faults, []);
	assert.ok(latest < 100, `a command took ${latest} ms`);
	assert.ok(bench.heard.every((body) => body.kind === "registers"));
	for (const number of numbers) {
		const polls = bench.heard.filter((body) => body.kind === "registers" && body.unit === number && body.first === 0);
		assert.ok(polls.length >= 12 && polls.length <= 13, `unit ${number}: ${polls.length} polls in 12.5 s`);
	}
	await bench.stop();
	assert.equal(bench.clock.pending, 0, "no timer is left");
});

test("Bus: polls keep their rhythm without drift", async () => {
	const bench = new Bench(() => [cells(1)], [holding(1, 1_000)]);
	await bench.clock.advance(100_500);
	const times = bench.times(1);
	assert.equal(times.length, 101);
	assert.ok(Math.abs(times[100]! - times[0]! - 100_000) < 20, `${times[100]! - times[0]!} ms for a hundred seconds`);
	await bench.stop();
});

test("Bus: every unit has its turn on a line that cannot keep up", async () => {
	const numbers = [1, 2, 3, 4, 5, 6];
	const bench = new Bench(() => numbers.map((number) => cells(number)), numbers.map((number) => holding(number, 100)), {}, 60);
	await bench.clock.advance(20_000);
	const counts = numbers.map((number) => bench.times(number).length);
	assert.ok(Math.max(...counts) - Math.min(...counts) <= 1, counts.join(" "));
	await bench.stop();
});

test("Bus: a unit that does not answer is certain within ten seconds, then asked more and more slowly, and starves nobody", async () => {
	const bench = new Bench(() => [cells(1), cells(2, true)], [holding(1, 1_000), holding(2, 1_000)]);
	await bench.clock.advance(10_000);
	const silences = bench.heard.filter((body) => body.kind === "silence");
	assert.ok(silences.length >= 3, `${silences.length} silences in ten seconds`);
	assert.deepEqual(silences[0], { kind: "silence", unit: 2, alive: false, reason: "no answer within 300 ms" });
	await bench.clock.advance(290_000);
	assert.ok(bench.times(2).length < 25, `${bench.times(2).length} requests to a dead unit in five minutes`);
	const last = bench.times(2).slice(-2);
	assert.ok(last[1]! - last[0]! >= 59_000 && last[1]! - last[0]! <= 62_000, "in the end once a minute");
	assert.ok(bench.times(1).length >= 290, `${bench.times(1).length} of 300 polls of the living unit`);
	await bench.stop();
});

test("Bus: a unit that answers again is polled in its rhythm at once", async () => {
	let dead = true;
	const unit: ModbusUnit = { ...cells(2), get silent() { return dead; } };
	const bench = new Bench(() => [unit], [holding(2, 1_000)]);
	await bench.clock.advance(30_000);
	dead = false;
	await bench.clock.advance(65_000);
	const answers = bench.heard.filter((body) => body.kind === "registers");
	assert.ok(answers.length >= 5, `${answers.length} answers`);
	await bench.stop();
});

test("Bus: one lost answer costs a retry and no silence", async () => {
	const bench = new Bench(() => [cells(1)], [holding(1, 5_000)]);
	bench.wire.once("toGateway", "cut");
	await bench.clock.advance(2_000);
	assert.deepEqual(bench.heard, [{ kind: "registers", unit: 1, table: "holding", first: 0, values: [1] }]);
	assert.deepEqual(bench.faults, ["unit 1: bytes that are no answer"]);
	await bench.stop();
});

test("Bus: an answer that comes too late is never taken for that of another question to the same unit", async () => {
	const plan: PollPlan = { unit: 1, every: 2_000, reads: [0, 1].map((first) => ({ request: { function: 3, unit: 1, first, count: 1 } })) };
	const unit: ModbusUnit = { address: 1, holdingRegisters: new Map([[0, memory(111)], [1, memory(222)]]) };
	for (const lateness of [310, 350, 400, 450, 500]) {
		const bench = new Bench(() => [unit], [plan], { lateness: [lateness, lateness] });
		for (let times = 0; times < 4; times++) bench.wire.once("toGateway", "late");
		await bench.clock.advance(12_000);
		assert.ok(bench.heard.some((body) => body.kind === "registers" && body.first === 1));
		for (const body of bench.heard) if (body.kind === "registers") assert.equal(body.values[0], body.first === 0 ? 111 : 222, `late by ${lateness} ms`);
		await bench.stop();
	}
});

for (const echo of [false, true]) {
	test(`Bus: a relay is switched and read back at once${echo ? ", on a line that echoes" : ""}`, async () => {
		const board = (clock: FakeClock): RelayBoard => new RelayBoard({ clock });
		let relays: RelayBoard | undefined;
		const bench = new Bench((clock) => [(relays = board(clock))], [{ unit: 1, every: 60_000, reads: [{ request: { function: 1, unit: 1, first: 0, count: 8 } }] }], { echo });
		const done = bench.send({ unit: 1, table: "coil", first: 2, values: [1] });
		await bench.clock.advance(1_000);
		await done;
		assert.equal(relays?.state[2], true);
		assert.ok(bench.heard.some((body) => body.kind === "registers" && body.table === "coil" && body.first === 2 && body.values[0] === 1));
		assert.deepEqual(bench.faults, []);
		await bench.stop();
	});

	test(`Bus: a dead unit confirms nothing${echo ? ", though the line echoes the command" : ""}`, async () => {
		const bench = new Bench(() => [cells(1), cells(2, true)], [holding(1, 1_000)], { echo });
		const done = assert.rejects(bench.send({ unit: 2 }), fault("device-timeout"));
		await bench.clock.advance(5_000);
		await done;
		assert.ok(bench.heard.some((body) => body.kind === "silence" && body.unit === 2));
		await bench.stop();
	});
}

test("Bus: the very first command of an echoing line, without any poll before, is confirmed by the unit and not by its echo", async () => {
	const bench = new Bench(() => [cells(1)], [], { echo: true });
	const done = bench.send({ unit: 1, first: 1, values: [7] });
	await bench.clock.advance(1_000);
	await done;
	assert.deepEqual(bench.heard, [{ kind: "registers", unit: 1, table: "holding", first: 1, values: [7] }]);
	await bench.stop();
});

test("Bus: on an echoing line without any poll before, a dead unit confirms nothing by its echo", async () => {
	const bench = new Bench(() => [cells(1, true)], [], { echo: true });
	const done = assert.rejects(bench.send({ unit: 1, first: 1, values: [7] }), (error) => fault("device-timeout")(error) && /only the echo of the request/.test(String(error)));
	await bench.clock.advance(5_000);
	await done;
	await bench.stop();
});

test("Bus: several registers and `multiple` go by function 16, several coils by 15", async () => {
	const unit: ModbusUnit = { ...cells(1), coils: new Map([[0, memory(false)], [1, memory(false)]]) };
	const bench = new Bench(() => [unit], []);
	const all = Promise.all([bench.send({ unit: 1, values: [1, 2] }), bench.send({ unit: 1, values: [3], multiple: true }), bench.send({ unit: 1, table: "coil", values: [1, 1] })]);
	await bench.clock.advance(3_000);
	await all;
	assert.deepEqual(bench.sent.map(({ hex }) => parseInt(hex.slice(2, 4), 16)).filter((code) => code > 4), [16, 16, 15]);
	await bench.stop();
});

test("Bus: what is to be written and read back together goes by function 23, and tells what the unit took in the one answer", async () => {
	const clamped = memory(20);
	const setpoint = { read: clamped.read, write: (value: number) => clamped.write?.(Math.min(value, 30)) };
	for (const echo of [false, true]) {
		const bench = new Bench(() => [{ address: 1, holdingRegisters: new Map([[3, setpoint], [4, memory(0)]]) }], [], { echo });
		const done = bench.send({ unit: 1, first: 3, values: [99, 7], together: true });
		await bench.clock.advance(1_000);
		await done;
		assert.deepEqual(bench.sent.map(({ hex }) => hex.slice(0, -4)), ["01170003000200030002040063" + "0007"]);
		assert.deepEqual(bench.heard, [{ kind: "registers", unit: 1, table: "holding", first: 3, values: [30, 7] }]);
		await bench.stop();
	}
});

test("Bus: a unit that does not know function 23 refuses, and a silent one is asked twice", async () => {
	const bench = new Bench(() => [{ ...cells(1), functions: [3, 6, 16] }, cells(2, true)], []);
	const refused = assert.rejects(bench.send({ unit: 1, together: true }), (error) => fault("device-refused")(error) && /exception 1: illegal function/.test(String(error)));
	const silent = assert.rejects(bench.send({ unit: 2, together: true }), fault("device-timeout"));
	await bench.clock.advance(5_000);
	await Promise.all([refused, silent]);
	assert.deepEqual([1, 2].map((unit) => bench.times(unit).length), [1, 2]);
	await bench.stop();
});

test("Bus: a late answer to one write of function 23 is not taken for that to the next one of the same register", async () => {
	for (const lateness of [310, 350, 400, 450, 500]) {
		const bench = new Bench(() => [cells(1)], [], { lateness: [lateness, lateness] });
		for (let times = 0; times < 2; times++) bench.wire.once("toGateway", "late");
		const writes = [7, 8].map((value) => bench.send({ unit: 1, values: [value], together: true }));
		await bench.clock.advance(5_000);
		await Promise.all(writes);
		assert.deepEqual(bench.heard.map((body) => body.kind === "registers" && body.values[0]), [7, 8], `late by ${lateness} ms`);
		await bench.stop();
	}
});

test("Bus: a refused write names the exception, and is not tried again", async () => {
	const unit: ModbusUnit = { address: 1, holdingRegisters: new Map([[0, { read: () => 5, write: () => 3 as const }]]) };
	const bench = new Bench(() => [unit], [holding(1, 10_000)]);
	await bench.clock.advance(1_000);
	const done = assert.rejects(bench.send({ unit: 1 }), (error) => fault("device-refused")(error) && /holding 0 of unit 1: it answered with exception 3: illegal data value/.test(String(error)));
	await bench.clock.advance(1_000);
	await done;
	assert.equal(bench.sent.filter(({ hex }) => hex.slice(2, 4) === "06").length, 1);
	await bench.stop();
});

test("Bus: a unit that refuses the unused registers between is asked without them from then on", async () => {
	const unit: ModbusUnit = { address: 1, holdingRegisters: new Map([[0, memory(1)], [3, memory(2)]]) };
	const parts = [0, 3].map((first) => ({ function: 3, unit: 1, first, count: 1 }) as const);
	const bench = new Bench(() => [unit], [{ unit: 1, every: 1_000, reads: [{ request: { function: 3, unit: 1, first: 0, count: 4 }, parts }] }]);
	await bench.clock.advance(2_500);
	assert.deepEqual(bench.heard.map((body) => (body.kind === "registers" ? `${body.first}=${body.values.join()}` : body.reason)), ["0=1", "3=2", "0=1", "3=2", "0=1", "3=2"]);
	await bench.stop();
});

test("Bus: an exception is an answer: the unit lives, and its other registers are read", async () => {
	const unit: ModbusUnit = { address: 1, holdingRegisters: new Map([[0, memory(1)]]) };
	const bench = new Bench(() => [unit], [{ unit: 1, every: 1_000, reads: [{ request: { function: 3, unit: 1, first: 9, count: 1 } }, { request: { function: 3, unit: 1, first: 0, count: 1 } }] }]);
	await bench.clock.advance(900);
	assert.deepEqual(bench.heard, [
		{ kind: "silence", unit: 1, alive: true, reason: "exception 2: illegal data address (holding 9 to 9)" },
		{ kind: "registers", unit: 1, table: "holding", first: 0, values: [1] },
	]);
	await bench.stop();
});

test("Bus: the 33rd waiting command is busy, a cancelled one is not sent, and the end refuses the rest", async () => {
	const bench = new Bench(() => [cells(1)], [holding(1, 1_000)]);
	await bench.clock.advance(500);
	const waiting = Array.from({ length: 31 }, (_, index) => bench.send({ unit: 1, first: 1, values: [index] }).catch((error: unknown) => error));
	const cancelled = new AbortController();
	const gone = assert.rejects(bench.bus.send({ kind: "registers", unit: 1, table: "holding", first: 1, values: [4711] }, cancelled.signal), /not wanted any more/);
	await assert.rejects(bench.send({ unit: 1 }), fault("busy"));
	cancelled.abort(new Error("not wanted any more"));
	await gone;
	await bench.clock.advance(100);
	await bench.stop();
	const ends = await Promise.all(waiting);
	assert.ok(ends.some((end) => end === undefined) && ends.filter((end) => fault("link-down")(end)).length > 20);
	assert.ok(!bench.sent.some(({ hex }) => hex.includes((4711).toString(16).padStart(4, "0"))));
	await assert.rejects(bench.send({ unit: 1 }), fault("link-down"));
	assert.equal(bench.clock.pending, 0, "no timer is left");
});

test("Bus: a wall clock that is set back or forth stops no poll", async () => {
	const bench = new Bench(() => [cells(1)], [holding(1, 1_000)]);
	await bench.clock.advance(5_000);
	for (const jump of [-86_400_000, 400 * 86_400_000]) {
		bench.clock.jump(jump);
		bench.jumped += jump;
		const before = bench.sent.length;
		await bench.clock.advance(10_000);
		assert.ok(bench.sent.length - before >= 8, `${bench.sent.length - before} polls in ten seconds after a jump of ${jump} ms`);
		assert.ok(bench.heard.every((body) => body.kind === "registers"));
	}
	await bench.stop();
});

test("Bus: on a line with every fault there is, each value that is heard is true and every command ends", async () => {
	const bench = new Bench(() => [cells(1), cells(2)], [holding(1, 500), holding(2, 500)], { seed: 7, toGateway: { cut: 0.1, flip: 0.1, split: 0.2, late: 0.1 }, toDevice: { cut: 0.05, flip: 0.05 }, unpluggedFor: 100 });
	let ended = 0;
	for (let round = 0; round < 60; round++) {
		void bench.send({ unit: 1 + (round % 2), first: 1, values: [round] }).then(() => ended++, () => ended++);
		await bench.clock.advance(1_000);
	}
	await bench.clock.advance(10_000);
	assert.equal(ended, 60);
	const read = bench.heard.filter((body) => body.kind === "registers" && body.first === 0);
	assert.ok(read.length > 60);
	for (const body of read) if (body.kind === "registers") assert.deepEqual(body.values, [body.unit]);
	await bench.stop();
});
