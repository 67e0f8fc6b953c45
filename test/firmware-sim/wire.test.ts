import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { Wire, streamOf, type WireFault, type WireOptions } from "../../firmware-sim/wire.js";
import { bytes, hex } from "./bytes.js";
import { FakeClock } from "./fake-clock.js";

const ALL_FAULTS = { cut: 0.2, split: 0.3, late: 0.2, flip: 0.2, unplug: 0.02 };

/** What arrives at the device of 200 writes, with its times. */
function history(options: Omit<WireOptions, "clock">): string[] {
	const clock = new FakeClock();
	const begin = clock.now();
	const wire = new Wire({ clock, ...options });
	const arrived: string[] = [];
	wire.device.onData = (raw) => arrived.push(`${(clock.now() - begin).toFixed(3)} ${hex(raw)}`);
	wire.device.onPlug = (plugged) => arrived.push(`${(clock.now() - begin).toFixed(3)} ${plugged ? "in" : "out"}`);
	for (let index = 0; index < 200; index++) {
		wire.gateway.write(Uint8Array.of(index, 1, 2, 3, 4, 5, 6, 7));
		clock.advance(100);
	}
	clock.advance(10_000);
	return arrived;
}

/** One write with one fault; what arrives, by its time. */
function arrivals(fault: WireFault, sent: string, options: Partial<WireOptions> = {}): { readonly wire: Wire; readonly got: [number, string][] } {
	const clock = new FakeClock();
	const begin = clock.now();
	const wire = new Wire({ clock, ...options });
	const got: [number, string][] = [];
	wire.device.onData = (raw) => got.push([clock.now() - begin, hex(raw)]);
	wire.once("toDevice", fault);
	wire.gateway.write(bytes(sent));
	clock.advance(5000);
	return { wire, got };
}

test("a wire without faults delivers every byte, in order, both ways", () => {
	const clock = new FakeClock();
	const wire = new Wire({ clock });
	const heard: string[] = [];
	wire.device.onData = (raw) => heard.push(`device ${hex(raw)}`);
	wire.gateway.onData = (raw) => heard.push(`gateway ${hex(raw)}`);
	wire.gateway.write(bytes("01 02"));
	wire.gateway.write(bytes("03"));
	wire.device.write(bytes("04"));
	assert.deepEqual(heard, [], "not before its time");
	clock.advance(0);
	assert.deepEqual(heard.sort(), ["device 01 02", "device 03", "gateway 04"]);
});

test("the same seed gives the same faults at the same times, another seed others", () => {
	const first = history({ seed: 42, toDevice: ALL_FAULTS });
	assert.deepEqual(history({ seed: 42, toDevice: ALL_FAULTS }), first);
	assert.notDeepEqual(history({ seed: 43, toDevice: ALL_FAULTS }), first);
	assert.notDeepEqual(first, history({ seed: 42 }));
});

test("the chance of one fault does not move another", () => {
	const cuts = (options: Omit<WireOptions, "clock">): string[] => history(options).filter((line) => !line.endsWith("06 07")).map((line) => line.split(" ").slice(1).join(" "));
	assert.deepEqual(cuts({ seed: 5, toDevice: { cut: 0.2, late: 0.5 } }), cuts({ seed: 5, toDevice: { cut: 0.2 } }));
});

test("a cut loses the tail and nothing else", () => {
	for (let seed = 0; seed < 50; seed++) {
		const { wire, got } = arrivals("cut", "01 02 03 04 05 06 07 08", { seed });
		assert.equal(got.length, 1);
		assert.match("01 02 03 04 05 06 07 08", new RegExp(`^${got[0]?.[1]} `));
		assert.equal(wire.happened.cut, 1);
	}
});

test("a flip turns exactly one bit over", () => {
	const sent = "01 02 03 04 05 06 07 08";
	for (let seed = 0; seed < 50; seed++) {
		const got = bytes(arrivals("flip", sent, { seed }).got[0]?.[1] ?? "");
		const different = bytes(sent).reduce((sum, byte, index) => sum + ((byte ^ (got[index] ?? 0)).toString(2).match(/1/g)?.length ?? 0), 0);
		assert.equal(different, 1);
	}
});

test("a split write arrives whole, in at most eight pieces, with at most the gap between two", () => {
	const sent = "01 02 03 04 05 06 07 08 09 0A 0B 0C";
	let splits = 0;
	for (let seed = 0; seed < 50; seed++) {
		const { got } = arrivals("split", sent, { seed, pieceGap: 7 });
		assert.equal(got.map(([, piece]) => piece).join(" "), sent);
		assert.ok(got.length <= 8);
		got.forEach(([at], index) => assert.ok(at - (got[index - 1]?.[0] ?? 0) <= 7));
		if (got.length > 1) splits++;
	}
	assert.ok(splits > 30);
});

test("a late write is late by the time that was asked for, and what follows waits behind it", () => {
	const clock = new FakeClock();
	const begin = clock.now();
	const wire = new Wire({ clock, lateness: [300, 300] });
	const got: [number, string][] = [];
	wire.device.onData = (raw) => got.push([clock.now() - begin, hex(raw)]);
	wire.once("toDevice", "late");
	wire.gateway.write(bytes("01"));
	wire.gateway.write(bytes("02"));
	clock.advance(1000);
	assert.deepEqual(got, [[300, "01"], [300, "02"]]);
});

test("with a baud rate bytes take their time: eight bytes at 9600 baud are there after 8.3 ms", () => {
	const clock = new FakeClock();
	const wire = new Wire({ clock, baud: 9600 });
	let heard = 0;
	wire.device.onData = (raw) => (heard += raw.length);
	wire.gateway.write(new Uint8Array(8));
	clock.advance(8.3);
	assert.equal(heard, 0);
	clock.advance(0.1);
	assert.equal(heard, 8);
});

test("with echo the gateway hears what it said before the answer", () => {
	const clock = new FakeClock();
	const wire = new Wire({ clock, echo: true });
	const heard: string[] = [];
	wire.gateway.onData = (raw) => heard.push(hex(raw));
	wire.device.onData = () => wire.device.write(bytes("AA"));
	wire.gateway.write(bytes("01 02"));
	clock.advance(10);
	assert.deepEqual(heard, ["01 02", "AA"]);
});

test("without the plug nothing arrives, not even what was on the way; both ends are told", () => {
	const clock = new FakeClock();
	const wire = new Wire({ clock });
	const heard: string[] = [];
	wire.device.onData = (raw) => heard.push(hex(raw));
	wire.gateway.onPlug = (plugged) => heard.push(`gateway ${plugged}`);
	wire.device.onPlug = (plugged) => heard.push(`device ${plugged}`);
	wire.gateway.write(bytes("01"));
	wire.unplug(500);
	wire.gateway.write(bytes("02"));
	clock.advance(499);
	assert.equal(wire.plugged, false);
	clock.advance(1);
	wire.gateway.write(bytes("03"));
	clock.advance(1);
	assert.deepEqual(heard, ["gateway false", "device false", "gateway true", "device true", "03"]);
});

test("streamOf() is closed by unplugging", async () => {
	const clock = new FakeClock();
	const wire = new Wire({ clock });
	const stream = streamOf(wire.gateway);
	wire.device.onData = (raw) => wire.device.write(raw);
	stream.write(bytes("01 02"));
	clock.advance(1);
	const [answer] = await once(stream, "data");
	assert.equal(hex(answer), "01 02");
	const closed = once(stream, "close");
	wire.unplug();
	await closed;
	assert.equal(stream.destroyed, true);
});

test("a wire keeps no more than 64 KiB waiting", () => {
	const clock = new FakeClock();
	const wire = new Wire({ clock });
	let heard = 0;
	wire.device.onData = (raw) => (heard += raw.length);
	for (let index = 0; index < 100; index++) wire.gateway.write(new Uint8Array(1024));
	clock.advance(1);
	assert.equal(heard, 65_536);
});
