import assert from "node:assert/strict";
import { test } from "node:test";
import { GREENHOUSE } from "../../../firmware-sim/link-device.js";
import { numericFromText } from "../../../src/core/value.js";
import { encodeDeviceFrame } from "../../../src/south/serial/device-link-frames.js";
import { Chance, RUNS } from "../../fakes/fuzz.js";
import { Bench, type BenchOptions } from "./device-link-bench.js";

const FIRST = ["temperature 23.50", "humidity 61.3", "soil 44.2", "co2 612", "light 8400", "pressure 1013.2", "setpoint 21.0", "pump false", "vent closed"];
const number = (text: string) => numericFromText(text)!;

async function started(options: BenchOptions = {}): Promise<Bench> {
	const bench = new Bench(options);
	bench.device.start();
	await bench.clock.advance(200);
	bench.device.report();
	await bench.clock.advance(200);
	return bench;
}

test("a device is asked for its hello, its points and its readings, once each", async () => {
	const bench = await started();
	assert.equal(bench.sent, "hpwck");
	assert.equal(bench.device.welcomed, true);
	assert.deepEqual(bench.take(), FIRST);
	assert.equal(bench.device.waiting, 0, "the report was acknowledged");
	assert.deepEqual(bench.faults, []);
	assert.equal(bench.device.clock, bench.clock.now(), "it was told the time");
	bench.close();
	await bench.ended;
	assert.equal(bench.clock.pending > 0, true, "the device goes on");
	bench.device.stop();
	assert.equal(bench.clock.pending, 0, "the session has left no timer");
});

test("a device whose schema is known is not asked for its points again, after a restart or when the port is opened anew", async () => {
	const bench = await started();
	bench.sent = "";
	bench.close();
	bench.open();
	await bench.clock.advance(100);
	assert.equal(bench.sent, "hwc");
	bench.sent = "";
	await bench.clock.advance(120_000);
	bench.sent = "";
	bench.device.start();
	await bench.clock.advance(100);
	assert.equal(bench.sent, "wc");
	assert.equal(bench.session.counts.restarts, 1);
});

test("no reading of a device with another schema is read by the old one, even when its hello is lost", async () => {
	const bench = await started();
	bench.take();
	const others = GREENHOUSE.map((point) => (point.name === "temperature" ? { ...point, decimals: 1, start: 235 } : point));
	bench.wire.chances.toGateway = { cut: 1 };
	bench.device.start(others);
	await bench.clock.advance(500);
	bench.wire.chances.toGateway = {};
	bench.device.report();
	await bench.clock.advance(5_000);
	const told = bench.take();
	assert.ok(told.includes("temperature 23.5"), told.join());
	assert.ok(!told.some((each) => each === "temperature 2.35"), told.join());
	assert.equal(bench.session.counts.restarts, 1);
});

test("a device that only talks is understood, and another schema is not mistaken for the first", async () => {
	const bench = new Bench({ device: { listens: false, everySeconds: 10 } });
	bench.device.start();
	await bench.clock.advance(15_000);
	assert.deepEqual(bench.take(), FIRST);
	bench.sent = "";
	// Its hello is lost: until it is repeated nothing is read, for the checksum of a report knows its schema.
	bench.wire.chances.toGateway = { cut: 1 };
	bench.device.start(GREENHOUSE.map((point) => ({ ...point, ...(point.kind === "numeric" && { decimals: 0 }) })));
	await bench.clock.advance(5_000);
	bench.wire.chances.toGateway = {};
	await bench.clock.advance(40_000);
	assert.deepEqual(bench.take(), []);
	assert.ok(bench.faults.includes("a frame with a wrong checksum"));
	await bench.clock.advance(40_000);
	assert.ok(bench.take().includes("temperature 2350"));
	assert.equal(bench.sent, "", "it has no ear");
	const { points } = bench.dialect.announced()[0]!;
	assert.equal(points["pump"]?.access, "r", "and cannot be commanded");
});

test("a device that only talks and starts anew with the same points goes on being read", async () => {
	const bench = new Bench({ device: { listens: false, everySeconds: 10 } });
	bench.device.start();
	await bench.clock.advance(1_000_000);
	bench.take();
	bench.wire.once("toGateway", "cut");
	bench.wire.once("toGateway", "cut");
	bench.device.start();
	await bench.clock.advance(10_100);
	assert.deepEqual(bench.take(), FIRST);
});

test("a report is sent again until it is taken, and read once", async () => {
	const bench = await started({ hold: true });
	assert.deepEqual(bench.take(), FIRST);
	assert.equal(bench.device.waiting, 1, "nobody has taken it");
	await bench.clock.advance(10_000);
	assert.deepEqual(bench.take(), []);
	assert.ok(bench.session.counts.repeated >= 2, `${bench.session.counts.repeated}`);
	for (const taken of bench.untaken.splice(0)) taken();
	await bench.clock.advance(100);
	assert.equal(bench.device.waiting, 0);
});

test("what is taken after the device has started anew acknowledges nothing of its new life", async () => {
	const bench = await started({ hold: true, device: { everySeconds: 0 } });
	const old = bench.untaken.splice(0);
	bench.device.start();
	await bench.clock.advance(200);
	bench.device.report();
	await bench.clock.advance(200);
	for (const taken of old) taken();
	await bench.clock.advance(500);
	assert.equal(bench.device.waiting, 1, "number 0 again, and not the same");
	for (const taken of bench.untaken) taken();
	await bench.clock.advance(500);
	assert.equal(bench.device.waiting, 0);
});

test("a device whose reports are all broken is asked for its hello once a second, not at the speed of the line", async () => {
	const bench = await started({ device: { everySeconds: 0 } });
	bench.sent = "";
	bench.wire.gateway.onData = (bytes) => {
		// The last byte before the zero is the checksum's: only those of reports are broken.
		const damaged = Uint8Array.from(bytes);
		if (bytes[0] !== 0) damaged[bytes.length - 2]! ^= 0x40;
		bench.session.hear(damaged);
	};
	for (let each = 0; each < 10; each++) {
		bench.device.set("co2", each);
		bench.device.report();
		await bench.clock.advance(1_000);
	}
	const asked = bench.sent.match(/h/g)?.length ?? 0;
	assert.ok(asked >= 5 && asked <= 12, `${asked}`);
});

test("an acknowledgement that is lost is said again when the report comes again", async () => {
	const bench = await started();
	bench.take();
	bench.device.set("co2", 700);
	bench.wire.once("toDevice", "cut");
	bench.device.report();
	await bench.clock.advance(500);
	assert.deepEqual(bench.take(), ["co2 700"]);
	assert.equal(bench.device.waiting, 1);
	await bench.clock.advance(1_500);
	assert.equal(bench.device.waiting, 0);
	assert.deepEqual(bench.take(), []);
});

test("reports of an outage come afterwards with the time at which they were taken, as many as the device keeps", async () => {
	const bench = await started({ device: { ring: 4, everySeconds: 0 } });
	bench.take();
	bench.close();
	const times: number[] = [];
	for (let each = 0; each < 6; each++) {
		await bench.clock.advance(60_000);
		bench.device.set("co2", 700 + each);
		bench.device.report();
		times.push(bench.clock.now());
	}
	await bench.clock.advance(60_000);
	bench.open();
	await bench.clock.advance(2_000);
	assert.deepEqual(bench.told.map(({ point, at }) => [point, at]), times.slice(2).map((at) => ["co2", at]));
	assert.deepEqual(bench.take(), ["co2 702", "co2 703", "co2 704", "co2 705"]);
	assert.equal(bench.device.dropped, 2);
	assert.equal(bench.device.waiting, 0);
});

test("reports that never come are counted when they can no longer come", async () => {
	const bench = await started({ device: { ring: 1, everySeconds: 0 } });
	for (let each = 0; each < 100; each++) {
		if (each < 3) bench.wire.once("toGateway", "cut");
		bench.device.set("co2", each);
		bench.device.report();
		await bench.clock.advance(10);
	}
	assert.equal(bench.session.counts.lost, 4, "three that were cut, and the one that the last of them ran into");
	assert.equal(bench.session.counts.reports, 97);
});

test("a device whose numbers ran on while the wire was cut behind the adapter is followed again", async () => {
	for (const missed of [10, 100, 130, 200, 250, 300]) {
		const bench = await started({ device: { everySeconds: 0, ring: 4 } });
		bench.take();
		bench.wire.unplug();
		for (let each = 0; each < missed; each++) {
			bench.device.set("co2", each);
			bench.device.report();
			await bench.clock.advance(50);
		}
		bench.wire.replug();
		await bench.clock.advance(60_000);
		assert.deepEqual(bench.take(), [4, 3, 2, 1].map((back) => `co2 ${missed - back}`), `${missed}`);
		assert.equal(bench.device.waiting, 0);
	}
});

test("a command is accepted, done, and told by a reading", async () => {
	const bench = await started();
	bench.take();
	const done = bench.command(bench.dialect.encode("gh-0017", "setpoint", number("22.5")));
	await bench.clock.advance(100);
	assert.equal(await done, "accepted");
	assert.deepEqual(bench.device.obeyed, [["setpoint", 225]]);
	assert.deepEqual(bench.take(), ["setpoint 22.5"]);
});

test("a command or its answer that is lost is repeated, and carried out once", async () => {
	for (const direction of ["toDevice", "toGateway"] as const) {
		const bench = await started();
		bench.wire.once(direction, "cut");
		const done = bench.command(bench.dialect.encode("gh-0017", "pump", true));
		await bench.clock.advance(1_500);
		assert.equal(await done, "accepted", direction);
		assert.deepEqual(bench.device.obeyed, [["pump", 1]], direction);
	}
});

test("a command out of range, to what cannot be set, and to what refuses, is refused with the device's reason", async () => {
	const bench = await started();
	const schema = bench.news.find((news) => news.kind === "schema")!.id;
	for (const [point, value, reason] of [[6, 351n, "the value is out of range"], [6, 49n, "the value is out of range"], [8, 3n, "the value is out of range"], [0, 1n, "the point cannot be set"], [31, 1n, "it has no such point"], [6, 2n ** 40n, "the value is out of range"]] as const) {
		const done = bench.command([{ kind: "setting", schema, point, value }]);
		await bench.clock.advance(100);
		assert.equal(await done, `Cannot set a point on "/dev/ttyS0": the device says that ${reason}`);
	}
	bench.device.refuse = 4;
	const busy = bench.command(bench.dialect.encode("gh-0017", "pump", true));
	await bench.clock.advance(100);
	assert.equal(await busy, 'Cannot set a point on "/dev/ttyS0": the device says that it is busy');
	bench.device.refuse = 77;
	const strange = bench.command(bench.dialect.encode("gh-0017", "pump", true));
	await bench.clock.advance(100);
	assert.equal(await strange, 'Cannot set a point on "/dev/ttyS0": the device says that it refuses for reason 77');
	assert.deepEqual(bench.device.obeyed, []);
});

test("commands are sent one at a time and in their order, and of too many the last are refused", async () => {
	const bench = await started();
	const setpoints = Array.from({ length: 20 }, (_, at) => `${10 + at}.0`);
	const all = setpoints.map((each) => bench.command(bench.dialect.encode("gh-0017", "setpoint", number(each))));
	await bench.clock.advance(1_000);
	const ends = await Promise.all(all);
	assert.deepEqual(ends.slice(0, 17), Array.from({ length: 17 }, () => "accepted"));
	assert.match(ends[17]!, /16 commands wait already; try again later$/);
	assert.deepEqual(bench.device.obeyed.map(([, value]) => value), setpoints.slice(0, 17).map((each) => Number(each) * 10));
});

test("a command ends: without an answer, given up, or with the port", async () => {
	const bench = await started();
	bench.device.silent = true;
	const pump = bench.dialect.encode("gh-0017", "pump", true);
	const unanswered = bench.command(pump);
	await bench.clock.advance(4_100);
	assert.equal(await unanswered, 'Cannot set a point on "/dev/ttyS0": the device did not answer 4 times');
	const gate = new AbortController();
	const [first, second] = [bench.command(pump, gate.signal), bench.command(pump, gate.signal)];
	gate.abort(new Error("enough"));
	assert.deepEqual([await first, await second], ["enough", "enough"]);
	const third = bench.command(pump);
	bench.close();
	assert.equal(await third, 'Cannot set a point on "/dev/ttyS0": the port was closed');
	const late = bench.command(pump, AbortSignal.abort(new Error("too late")));
	assert.equal(await late, "too late");
});

test("a device that starts anew while a command is under way fails it, for nobody knows whether it was done", async () => {
	const bench = await started();
	bench.wire.once("toGateway", "cut");
	const done = bench.command(bench.dialect.encode("gh-0017", "pump", true));
	await bench.clock.advance(300);
	bench.device.start();
	await bench.clock.advance(300);
	assert.equal(await done, 'Cannot set a point on "/dev/ttyS0": the device has just started anew');
	await bench.clock.advance(5_000);
	assert.equal(bench.device.obeyed.length, 1, "and it is not repeated");
	assert.equal(bench.session.counts.restarts, 1);
});

test("a command in the words of an earlier schema is not sent", async () => {
	const bench = await started();
	const pump = bench.dialect.encode("gh-0017", "pump", true);
	bench.device.start([...GREENHOUSE].reverse());
	await bench.clock.advance(500);
	assert.match(await bench.command(pump), /the device that has it is not there now$/);
});

test("a silent device is asked, then said to be offline, and is online with its next word", async () => {
	const bench = await started({ device: { everySeconds: 0 } });
	bench.sent = "";
	await bench.clock.advance(3_600_000);
	assert.ok((bench.sent.match(/i/g)?.length ?? 0) > 100, "it was pinged");
	assert.ok(!bench.news.some((news) => news.kind === "pulse" && !news.alive), "and answered");
	bench.device.silent = true;
	await bench.clock.advance(40_000);
	const last = bench.news.at(-1)!;
	assert.deepEqual(last, { kind: "pulse", alive: false, reason: "no answer to 3 questions" });
	assert.deepEqual(bench.dialect.decode(last, 0), { states: [{ address: "gh-0017", state: "offline", reason: "no answer to 3 questions" }] });
	bench.device.silent = false;
	await bench.clock.advance(31_000);
	const alive = bench.news.at(-1)!;
	assert.equal(alive.kind === "pulse" && alive.alive, true);
});

test("a device of another version is named, and nothing else is believed of it", () => {
	const bench = new Bench();
	bench.session.hear(encodeDeviceFrame({ type: "hello", seq: 0, version: 2, fresh: true, listens: true, schema: 1, points: 1, ring: 0, everySeconds: 0, uid: "", name: "", model: "", firmware: "" }));
	assert.deepEqual(bench.news, []);
	assert.deepEqual(bench.faults, ["a device that speaks version 2 of the link; this gateway speaks version 1"]);
});

test("two points of one name are a fault that names them", async () => {
	const bench = new Bench();
	bench.device.start([{ name: "Temp", kind: "numeric", access: "r", start: 1 }, { name: "temp", kind: "numeric", access: "r", start: 2 }]);
	await bench.clock.advance(3_000);
	assert.ok(bench.faults.includes("a device that has two points of one name"));
	assert.deepEqual(bench.take(), []);
});

test("the echo of a half-duplex adapter is not taken for a device", async () => {
	const bench = await started({ wire: { echo: true } });
	assert.deepEqual(bench.take(), FIRST);
	bench.device.silent = true;
	await bench.clock.advance(60_000);
	assert.ok(bench.news.some((news) => news.kind === "pulse" && !news.alive));
	assert.deepEqual(bench.faults, []);
});

test("a stuck port gets a bounded number of bytes", async () => {
	const bench = new Bench();
	let bytes = 0;
	const { DeviceLinkSession } = await import("../../../src/south/serial/device-link-session.js");
	const stuck = new DeviceLinkSession({ path: "x", clock: bench.clock, schemas: new Map(), write: (chunk) => ((bytes += chunk.length), new Promise(() => undefined)), hear: () => undefined, fault: () => undefined });
	const port = new AbortController();
	const run = stuck.run(port.signal);
	await bench.clock.advance(3 * 3_600_000);
	assert.ok(bytes > 500 && bytes <= 1_024, `${bytes}`);
	port.abort();
	await run;
});

test("schemas are remembered by the link, at most eight", async () => {
	const bench = await started();
	for (let each = 0; each < 20; each++) {
		bench.device.start([{ name: `p${each}`, kind: "boolean", access: "r", start: 1 }]);
		await bench.clock.advance(500);
	}
	assert.equal(bench.schemas.size, 8);
	assert.deepEqual([...bench.schemas.values()].map(([point]) => point?.name), ["p12", "p13", "p14", "p15", "p16", "p17", "p18", "p19"]);
});

/** A device that changes, reports and starts anew on a bad wire: what is told must be what it was, at its time, once. */
async function weather(seed: number, steps: number): Promise<{ told: number; wrong: string[]; bench: Bench }> {
	const faults = { cut: 0.05, split: 0.2, late: 0.05, flip: 0.05 };
	const bench = new Bench({ device: { everySeconds: 0, ring: 32 }, wire: { seed, baud: 115_200, toGateway: faults, toDevice: faults, lateness: [20, 80] } });
	const chance = new Chance(seed);
	const truth = new Map<string, Set<string>>();
	const say = (name: string, value: string): void => void (truth.get(name) ?? truth.set(name, new Set()).get(name)!).add(value);
	for (const each of FIRST) say(...(each.split(" ") as [string, string]));
	bench.device.start();
	for (let step = 0; step < steps; step++) {
		const celsius = chance.int(8_000) - 3_000;
		const co2 = chance.int(5_000);
		bench.device.set("temperature", celsius);
		say("temperature", (celsius / 100).toFixed(2));
		if (chance.int(2) === 0) {
			bench.device.set("co2", co2);
			say("co2", String(co2));
		}
		bench.device.report();
		if (chance.int(100) === 0) bench.device.start();
		await bench.clock.advance(chance.int(400));
	}
	bench.wire.chances.toGateway = bench.wire.chances.toDevice = {};
	await bench.clock.advance(60_000);
	const told = bench.take();
	return { told: told.length, wrong: told.filter((each) => !truth.get(each.split(" ")[0]!)?.has(each.split(" ")[1]!)), bench };
}

test("on a wire that cuts, splits, delays and flips no wrong reading is told, and every report arrives unless the device lost it", async () => {
	for (const seed of [1, 2, 3]) {
		const { told, wrong, bench } = await weather(seed, Math.ceil(RUNS / 20));
		assert.deepEqual(wrong, [], `seed ${seed}`);
		assert.ok(told > RUNS / 20, `${told}`);
		assert.equal(bench.device.waiting, 0);
		assert.ok(bench.session.counts.broken > 5);
		assert.equal(bench.device.welcomed, true);
	}
});
