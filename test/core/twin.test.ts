import assert from "node:assert/strict";
import { test } from "node:test";
import { confirmation } from "../../src/core/confirmation.js";
import type { Announcement } from "../../src/core/device.js";
import type { Reading } from "../../src/core/reading.js";
import { Registry } from "../../src/core/registry.js";
import { numericFromText, textOf, type Value } from "../../src/core/value.js";
import { FakeClock } from "../fakes/clock.js";

const ANNOUNCEMENT: Announcement = { address: "0x01", name: "Boiler", every: 10_000, points: { setpoint: { kind: "numeric", access: "rw", unit: "°C", step: 0.5 }, output: { kind: "boolean", access: "rw" } } };

function twinAt(clock: FakeClock, announcement = ANNOUNCEMENT) {
	return new Registry().announce("bus", announcement, clock.now()).twin;
}

function reading(clock: FakeClock, point: string, value: Value, more: Partial<Reading> = {}): Reading {
	return { point, value, at: clock.now(), received: clock.now(), quality: "good", ...more };
}
const n = (text: string) => numericFromText(text)!;

test("Twin.apply() tells a change once, and keeps the newest digits", () => {
	const clock = new FakeClock();
	const twin = twinAt(clock);
	assert.equal(twin.apply([reading(clock, "setpoint", n("21.5"))], true, clock.now()).readings.length, 1);
	assert.equal(twin.apply([reading(clock, "setpoint", n("21.50"))], true, clock.now()).readings.length, 0);
	assert.equal(textOf(twin.readings.get("setpoint")!.value), "21.50");
});

test("Twin.apply() gives a retained message no life, and lets it overwrite nothing", async () => {
	const clock = new FakeClock();
	const twin = twinAt(clock);
	twin.apply([reading(clock, "setpoint", n("5"), { ageUnknown: true })], false, clock.now());
	assert.equal(twin.availability, "unknown");
	twin.apply([reading(clock, "setpoint", n("21"))], true, clock.now());
	assert.equal(twin.availability, "online");
	await clock.advance(1_000);
	twin.apply([reading(clock, "setpoint", n("5"), { ageUnknown: true })], false, clock.now());
	assert.equal(textOf(twin.readings.get("setpoint")!.value), "21");
});

test("a retained message may be newer than what was heard before its link came up, and then gives the value", async () => {
	const clock = new FakeClock();
	const twin = twinAt(clock);
	twin.apply([reading(clock, "setpoint", n("21"))], true, clock.now());
	await clock.advance(1_000);
	twin.link("is down", clock.now());
	await clock.advance(60_000);
	twin.link(undefined, clock.now());
	const change = twin.apply([reading(clock, "setpoint", n("19"), { ageUnknown: true })], false, clock.now());
	assert.deepEqual(change.readings.map(({ value, ageUnknown }) => [textOf(value), ageUnknown]), [["19", true]]);
	twin.apply([reading(clock, "setpoint", n("20"))], true, clock.now());
	twin.apply([reading(clock, "setpoint", n("19"), { ageUnknown: true })], false, clock.now());
	assert.equal(textOf(twin.readings.get("setpoint")!.value), "20");
});

test("a retained message that says what is known leaves it its time", async () => {
	const clock = new FakeClock();
	const twin = twinAt(clock);
	twin.restore([reading(clock, "setpoint", n("21"))]);
	await clock.advance(60_000);
	twin.link("is down", clock.now());
	twin.link(undefined, clock.now());
	twin.apply([reading(clock, "setpoint", n("21"), { ageUnknown: true })], false, clock.now());
	assert.equal(twin.readings.get("setpoint")!.ageUnknown, undefined);
});

test("Twin.apply() ignores what is older than what it has, but not after a source clock ran ahead", () => {
	const clock = new FakeClock();
	const twin = twinAt(clock);
	twin.apply([reading(clock, "setpoint", n("21"))], true, clock.now());
	twin.apply([reading(clock, "setpoint", n("19"), { at: clock.now() - 60_000 })], true, clock.now());
	assert.equal(textOf(twin.readings.get("setpoint")!.value), "21");
	twin.apply([reading(clock, "setpoint", n("22"), { at: clock.now() + 86_400_000 })], true, clock.now());
	twin.apply([reading(clock, "setpoint", n("23"))], true, clock.now());
	assert.equal(textOf(twin.readings.get("setpoint")!.value), "23");
});

test("a device that falls silent is late, then offline, and online again only after two messages in rhythm", async () => {
	const clock = new FakeClock();
	const twin = twinAt(clock);
	const seen: string[] = [];
	const judge = () => { if (twin.judge(clock.now()).availability) seen.push(twin.availability); };
	if (twin.alive(clock.now()).availability) seen.push(twin.availability);
	for (let second = 0; second < 60; second++) { await clock.advance(1_000); judge(); }
	if (twin.alive(clock.now()).availability) seen.push(twin.availability);
	await clock.advance(10_000);
	if (twin.alive(clock.now()).availability) seen.push(twin.availability);
	assert.deepEqual(seen, ["online", "late", "offline", "late", "online"]);
});

test("a link outage within the grace changes nothing; a longer one makes devices unknown until they are heard", async () => {
	const clock = new FakeClock();
	const twin = twinAt(clock);
	twin.say("online", undefined, clock.now());
	twin.link("the broker is gone", clock.now());
	await clock.advance(3_000);
	assert.equal(twin.judge(clock.now()).availability, false);
	twin.link(undefined, clock.now());
	assert.equal(twin.availability, "online");
	twin.link("the broker is gone", clock.now());
	await clock.advance(6_000);
	twin.judge(clock.now());
	assert.deepEqual([twin.availability, twin.reason], ["unknown", "the broker is gone"]);
	twin.link(undefined, clock.now());
	assert.equal(twin.availability, "unknown");
	twin.alive(clock.now());
	assert.equal(twin.availability, "online");
});

test("Registry.announce() refuses a second device with the id of another, naming both", () => {
	const registry = new Registry();
	registry.announce("bus", { ...ANNOUNCEMENT, address: "boiler" }, 0);
	assert.throws(() => registry.announce("farm", { ...ANNOUNCEMENT, address: "Boiler" }, 0), { name: "GatewayError", fault: "bad-config", message: /"boiler" of link "farm" \(Boiler\): link "bus" \(boiler\) has that id/ });
});

test("Registry.announce() renames and refines by the config, and finds a device by alias without case", () => {
	const registry = new Registry([{ id: "boiler", link: "bus", address: "0x01", name: "The boiler", points: { SETPOINT: { min: 10, max: 20 } } }]);
	const { twin, isNew } = registry.announce("bus", { ...ANNOUNCEMENT, aliases: ["Kitchen"] }, 0);
	assert.equal(isNew, true);
	assert.deepEqual([twin.device.id, twin.device.name], ["boiler", "The boiler"]);
	assert.throws(() => twin.writable("setpoint", n("25")), { fault: "bad-value", message: /10 to 20 °C/ });
	assert.equal(registry.byPlace("bus", "kitchen"), twin);
	assert.equal(registry.announce("bus", { ...ANNOUNCEMENT, address: "0X01" }, 0).twin, twin);
	assert.equal(registry.remove("bus", "0x01"), twin);
	assert.equal(registry.size, 0);
});

test("Registry.announce() keeps the id of a configured device for that device, whoever asks for it first", () => {
	const registry = new Registry([{ id: "pump", link: "farm", address: "0x01" }]);
	assert.throws(() => registry.announce("farm", { ...ANNOUNCEMENT, address: "Pump" }, 0), { fault: "bad-config", message: /"devices:" gives that id to another one/ });
	assert.equal(registry.announce("farm", ANNOUNCEMENT, 0).twin.device.id, "pump");
});

test("Registry.announce() makes one device of two that turn out to be the same, and says which is gone", () => {
	const registry = new Registry();
	const a = registry.announce("farm", { ...ANNOUNCEMENT, address: "a" }, 0).twin;
	const b = registry.announce("farm", { ...ANNOUNCEMENT, address: "b" }, 0).twin;
	const { twin, merged } = registry.announce("farm", { ...ANNOUNCEMENT, address: "a", aliases: ["b"] }, 0);
	assert.deepEqual([twin, merged, registry.size, registry.find("b"), registry.byPlace("farm", "b")], [a, [b], 1, undefined, a]);
});

test("Twin.redefine() drops the reading of a point that is of another kind now", () => {
	const clock = new FakeClock();
	const registry = new Registry();
	const { twin } = registry.announce("farm", ANNOUNCEMENT, 0);
	twin.apply([reading(clock, "setpoint", n("21")), reading(clock, "output", true)], true, clock.now());
	registry.announce("farm", { ...ANNOUNCEMENT, points: { setpoint: { kind: "enum", access: "rw", labels: ["auto"] }, output: { kind: "boolean", access: "r" } } }, 0);
	assert.deepEqual([...twin.readings.keys()], ["output"]);
});

test("a clock of this machine that is set back by an hour freezes no value and judges nobody", async () => {
	const clock = new FakeClock();
	const twin = twinAt(clock);
	twin.apply([reading(clock, "setpoint", n("20"))], true, clock.now());
	clock.jump(-3_600_000);
	twin.apply([reading(clock, "setpoint", n("21"))], true, clock.now());
	assert.equal(textOf(twin.readings.get("setpoint")!.value), "21");
	assert.equal(twin.judge(clock.now()).availability, false);
	assert.equal(twin.availability, "online");
});

test("a source whose clock falls back for good is believed again after a quarter of an hour", async () => {
	const clock = new FakeClock();
	const twin = twinAt(clock);
	const at1970 = { at: 1_000 };
	twin.apply([reading(clock, "setpoint", n("20"), { at: clock.now() - 500 })], true, clock.now());
	await clock.advance(60_000);
	twin.apply([reading(clock, "setpoint", n("21"), at1970)], true, clock.now());
	assert.equal(textOf(twin.readings.get("setpoint")!.value), "20");
	await clock.advance(15 * 60_000);
	twin.apply([reading(clock, "setpoint", n("22"), at1970)], true, clock.now());
	assert.equal(textOf(twin.readings.get("setpoint")!.value), "22");
});

test("confirmation() is not given by a reading of before the command, nor by one that is marked faulty", async () => {
	const clock = new FakeClock();
	const twin = twinAt(clock);
	twin.apply([reading(clock, "setpoint", n("20"), { at: clock.now() - 7_200_000 })], true, clock.now());
	const confirmed = confirmation(twin, "setpoint", n("22"), clock, 10_000, new AbortController().signal);
	const check = assert.rejects(confirmed, { fault: "device-timeout" });
	twin.apply([reading(clock, "setpoint", n("22"), { at: clock.now() - 3_600_000 })], true, clock.now());
	twin.apply([reading(clock, "setpoint", n("22"), { quality: "error" })], true, clock.now());
	await clock.advance(10_000);
	await check;
});

test("confirmation() resolves with a later live reading within half a step", async () => {
	const clock = new FakeClock();
	const twin = twinAt(clock);
	twin.apply([reading(clock, "setpoint", n("22"))], true, clock.now());
	const confirmed = confirmation(twin, "setpoint", n("22"), clock, 10_000, new AbortController().signal);
	twin.apply([reading(clock, "setpoint", n("22"), { ageUnknown: true })], false, clock.now());
	await clock.advance(2_000);
	twin.apply([reading(clock, "setpoint", n("22.2"))], true, clock.now());
	assert.equal(textOf((await confirmed).value), "22.2");
	assert.equal(clock.pending, 0);
});

test("confirmation() times out when only retained readings come, and says what the device said last", async () => {
	const clock = new FakeClock();
	const twin = twinAt(clock);
	twin.apply([reading(clock, "setpoint", n("20"))], true, clock.now());
	const confirmed = confirmation(twin, "setpoint", n("22"), clock, 10_000, new AbortController().signal);
	const check = assert.rejects(confirmed, { fault: "device-timeout", message: /no reading said 22 within 10 s, it last said 20/ });
	twin.apply([reading(clock, "setpoint", n("20"))], true, clock.now()); // the old value, which may have been under way
	await clock.advance(10_000);
	await check;
	assert.equal(clock.pending, 0);
});

test("confirmation() lets a lamp dim to its value, and differs when it settles elsewhere", async () => {
	const clock = new FakeClock();
	const twin = twinAt(clock);
	twin.apply([reading(clock, "setpoint", n("10"))], true, clock.now());
	const dimmed = confirmation(twin, "setpoint", n("30"), clock, 10_000, new AbortController().signal);
	for (const step of ["15", "20", "25", "30"]) {
		twin.apply([reading(clock, "setpoint", n(step))], true, clock.now());
		await clock.advance(1_000);
	}
	assert.equal(textOf((await dimmed).value), "30");
	const clamped = confirmation(twin, "setpoint", n("40"), clock, 10_000, new AbortController().signal);
	const check = assert.rejects(clamped, { fault: "device-differs", message: /told 40 and says 35/ });
	twin.apply([reading(clock, "setpoint", n("35"))], true, clock.now());
	await clock.advance(3_000);
	await check;
});

test("confirmation() ends with its signal and leaves no timer", async () => {
	const clock = new FakeClock();
	const stop = new AbortController();
	const confirmed = confirmation(twinAt(clock), "setpoint", n("30"), clock, 10_000, stop.signal);
	const check = assert.rejects(confirmed, /stopping/);
	stop.abort(new Error("stopping"));
	await check;
	assert.equal(clock.pending, 0);
});

test("an MQTT session may be away for eight seconds and a serial port for five, and a clock that is set back makes no outage shorter", async () => {
	for (const [kind, grace] of [["mqtt", 8_000], ["serial", 5_000], [undefined, 5_000]] as const) {
		const clock = new FakeClock();
		const twin = twinAt(clock, { address: "a", points: ANNOUNCEMENT.points });
		twin.alive(clock.now());
		twin.link("it is gone", clock.now(), kind);
		clock.jump(-3_600_000);
		twin.judge(clock.now());
		await clock.advance(grace - 1);
		assert.equal(twin.judge(clock.now()).availability, false, kind);
		await clock.advance(1);
		assert.equal(twin.judge(clock.now()).availability, true, kind);
		assert.equal(twin.availability, "unknown");
	}
});

test("a flapping device is late, says how often, is commanded all the same, and tells the beginning and the end as changes", async () => {
	const clock = new FakeClock();
	const twin = twinAt(clock, { address: "a", points: ANNOUNCEMENT.points });
	const seen: string[] = [];
	const note = ({ availability }: { readonly availability: boolean }) => { if (availability) seen.push(twin.availability); };
	note(twin.alive(clock.now()));
	for (let flap = 0; flap < 8; flap++) {
		await clock.advance(1_000);
		note(twin.say(flap % 2 === 0 ? "offline" : "online", "last will", clock.now()));
	}
	assert.deepEqual(seen, ["online", "offline", "online", "offline", "online", "offline", "online", "late"]);
	assert.deepEqual([twin.reason, twin.flapping, twin.reachable], ["flapping ×8 in 10 min", true, true]);
	await clock.advance(1_000);
	note(twin.say("offline", "last will", clock.now()));
	assert.deepEqual([twin.availability, twin.reachable], ["late", false]);
	await clock.advance(5_000);
	note(twin.judge(clock.now()));
	assert.deepEqual([twin.availability, twin.reason], ["offline", "last will; flapping ×9 in 10 min"]);
	await clock.advance(120_000);
	note(twin.judge(clock.now()));
	assert.deepEqual([seen.slice(8), twin.reason, twin.flapping], [["offline", "offline"], "last will", false]);
});

test("after a restart restored values give no life, and a retained word of an availability topic does", () => {
	const clock = new FakeClock();
	const twin = twinAt(clock);
	twin.restore([reading(clock, "setpoint", n("21"))]);
	assert.equal(twin.judge(clock.now()).availability, false);
	assert.deepEqual([twin.availability, twin.reason, twin.heard], ["unknown", "not heard from yet", undefined]);
	twin.apply([reading(clock, "setpoint", n("21"))], false, clock.now());
	assert.equal(twin.availability, "unknown");
	twin.say("online", undefined, clock.now());
	assert.equal(twin.availability, "online");
});

test("Registry.report() says how old values may be, for devices that are there and for those that come, and takes it back", () => {
	const registry = new Registry([{ id: "boiler", link: "bus", address: "0x01", points: { setpoint: { min: 10 } } }], [{ points: ["boiler.setpoint"], maxAge: 1_000 }]);
	const { twin } = registry.announce("bus", ANNOUNCEMENT, 0);
	const ages = () => Object.values(twin.device.points).map(({ maxAge }) => maxAge);
	assert.deepEqual(ages(), [1_000, undefined]);
	assert.equal(registry.isNamed(twin), true);
	const { device } = twin;
	registry.report([{ points: ["*.setpoint"], maxAge: 1_000 }]);
	assert.equal(twin.device, device);
	registry.report([{ points: ["*.setpoint"], heartbeat: 5 }, { points: ["*"], maxAge: 2_000 }]);
	assert.deepEqual(ages(), [undefined, 2_000]);
	assert.equal(registry.isNamed(twin), true);
	registry.report([]);
	assert.deepEqual(ages(), [undefined, undefined]);
	assert.deepEqual(Object.keys(twin.device.points["setpoint"]!).sort(), ["access", "kind", "min", "step", "unit"]);
});
