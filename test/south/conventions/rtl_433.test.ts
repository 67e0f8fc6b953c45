import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Rtl433Stick } from "../../../firmware-sim/rtl433.js";
import { GatewayError } from "../../../src/core/errors.js";
import type { Convention } from "../../../src/south/conventions/convention.js";
import { Rtl433 } from "../../../src/south/conventions/rtl_433.js";
import { Chance, mutate, RUNS } from "../../fakes/fuzz.js";
import { TestBroker, until } from "../../firmware-sim/broker.js";
import { FakeClock } from "../../firmware-sim/fake-clock.js";
import { Listener } from "./on-a-broker.js";
import { message, readings, reasons, toldBy } from "./said.js";

const EVENTS = "rtl_433/attic/events";

function event(json: object, retained = false) {
	return new Rtl433().hear(message(EVENTS, json, retained));
}

const ADDRESSES: readonly (readonly [json: object, address: string, aliases: readonly string[] | undefined])[] = [
	[{ model: "Acme-T1", channel: 2, id: 40, x: 1 }, "Acme-T1/2/40", undefined], [{ model: "Acme-T1", id: "0fe", x: 1 }, "Acme-T1/0fe", undefined], [{ model: "Acme-T1", channel: "A", x: 1 }, "Acme-T1/A", undefined],
	[{ model: "Acme-T1", x: 1 }, "Acme-T1", undefined], [{ id: 9, x: 1 }, "unknown/9", ["9"]], [{ type: "TPMS", model: "Acme", id: "a b", subtype: "s", x: 1 }, "Acme/a b", ["TPMS/Acme/s/a_b"]],
];
for (const [json, address, aliases] of ADDRESSES) {
	test(`hear() finds ${address}`, () => {
		const [announced] = event(json)!.announced!;
		assert.deepEqual([announced!.address, announced!.aliases], [address, aliases]);
	});
}

const UNITS: readonly (readonly [key: string, unit: string | undefined])[] = [
	["temperature_C", "°C"], ["temperature_F", "°F"], ["temperature_1_C", "°C"], ["temperature_2_F", "°F"], ["temperature_C_2", "°C"], ["humidity", "%"], ["humidity_1", "%"], ["moisture", "%"], ["uvi", "UV index"], ["pressure_hPa", "hPa"], ["pressure_kPa", "kPa"], ["pressure_PSI", "psi"], ["pressure_bar", "bar"],
	["wind_avg_m_s", "m/s"], ["wind_max_km_h", "km/h"], ["wind_avg_mi_h", "mph"], ["wind_dir_deg", "°"], ["rain_mm", "mm"], ["rain_in", "in"], ["rain_rate_mm_h", "mm/h"], ["rain_rate_in_h", "in/h"], ["light_lux", "lx"], ["power_W", "W"], ["energy_kWh", "kWh"], ["voltage_V", "V"], ["battery_mV", "mV"], ["current_A", "A"],
	["co2_ppm", "ppm"], ["pm2_5_ug_m3", "µg/m³"], ["noise", "dB"], ["rssi", "dB"], ["battery_ok", undefined], ["counter", undefined], ["depth_cm", "cm"], ["storm_dist_km", "km"], ["toString", undefined],
];
test("units stand in the endings of keys", () => {
	const points = event(Object.fromEntries([["model", "M"], ...UNITS.map(([key]) => [key, 1])]))!.announced![0]!.points;
	const found = UNITS.map(([key]) => {
		const point = points[key];
		return [key, point?.kind === "numeric" ? point.unit : "?"];
	});
	assert.deepEqual(found, UNITS.map((row) => [...row]));
});

test("hear() keeps digits, takes a time with an offset, and leaves out what is of the transmission", () => {
	const meaning = event({ time: "2025-10-09T08:53:20Z", model: "M", id: 1, temperature_C: 0, battery: "LOW", button: 3, mic: "CRC", mod: "ASK", freq: 433.9, data: "00ff", rows: [], codes: ["{1}"], humidity: null });
	assert.deepEqual(readings(meaning), { temperature_C: "0", battery: "LOW", button: "3" });
	assert.equal(meaning?.told?.[0]?.at, 1_760_000_000_000);
	for (const time of ["@0.12s", "2025-10-09 08:53:20", "2000-01-01T00:00:00Z"]) assert.equal(event({ time, model: "M", x: 1 })?.told?.[0]?.at, undefined, time);
	assert.equal(event({ time: "1760000000.250", model: "M", x: 1 })?.told?.[0]?.at, 1_760_000_000_250);
	assert.deepEqual(readings(new Rtl433().hear(message(EVENTS, '{"model":"M","x_C":20.50}'))), { x_C: "20.50" });
});

test("a retained transmission gives values, no life and no button", () => {
	const meaning = event({ model: "M", temperature_C: 1, button: 1, cmd: 2 }, true);
	assert.deepEqual([readings(meaning), meaning?.heard], [{ temperature_C: "1" }, undefined]);
});

const SINGLES: readonly (readonly [topic: string, payload: string, told: Record<string, string | boolean>])[] = [
	["rtl_433/attic/devices/Acme-T1/2/40/temperature_C", "21.50", { "Acme-T1/2/40 temperature_C": "21.50" }], ["rtl_433/devices/Acme/7/humidity", "40", { "Acme/7 humidity": "40" }],
	["home/rtl_433/Acme/C1/temperature_C", "7.1", { "Acme/C1 temperature_C": "7.1" }], ["rtl_433/attic/devices/Acme/7/battery", "OK", { "Acme/7 battery": "OK" }], ["rtl_433/attic/devices/Acme/7/code", "0012", { "Acme/7 code": "0012" }],
	["rtl_433/attic/devices/Acme/7/time", "2025-10-09T08:53:20Z", {}], ["rtl_433/attic/devices/Acme/7/id", "7", {}], ["rtl_433/attic/devices/Acme/7/humidity", "", {}], ["rtl_433/attic/devices/x", "1", {}], ["rtl_433/attic/states", '{"a":1}', {}], ["rtl_433/attic/availability", "online", {}],
	["rtl_433/attic/devices//x", "1", {}],
];
for (const [topic, payload, told] of SINGLES) {
	test(`hear() takes "${payload}" under ${topic}`, () => assert.deepEqual(toldBy(new Rtl433().hear(message(topic, payload))), told));
}

test("single values and whole events are one device, with one announcement for each new point", () => {
	const rtl = new Rtl433();
	assert.equal(rtl.hear(message(EVENTS, { model: "Acme", id: 7, temperature_C: 1 }))?.announced?.length, 1);
	assert.equal(rtl.hear(message("rtl_433/attic/devices/Acme/7/temperature_C", "2"))?.announced, undefined);
	assert.deepEqual(Object.keys(rtl.hear(message("rtl_433/attic/devices/Acme/7/humidity", "2"))?.announced?.[0]?.points ?? {}), ["temperature_C", "humidity"]);
	assert.equal(rtl.hear(message(EVENTS, { model: "Acme", id: 7, temperature_C: 3 }))?.announced, undefined);
});

test("hear() leaves other topics to others, and names what is no event", () => {
	assert.equal(new Rtl433().hear(message("x/y/rtl_433/events", {})), undefined);
	assert.match(reasons(new Rtl433().hear(message(EVENTS, "[1]"))).join(), /no object/);
	assert.deepEqual(event({ enabled: 1 }), {});
	assert.deepEqual(new Rtl433({ base: "radio/433" }).filters(), ["radio/433/#", "+/radio/433/#"]);
	assert.deepEqual(toldBy(new Rtl433({ base: "radio/433" }).hear(message("radio/433/h/events", { model: "M", x: 1 }))), { "M x": "1" });
});

test("a value that changes its kind is named, and 0, false and 1 are the same as ever", () => {
	const rtl = new Rtl433();
	const say = (x: unknown) => rtl.hear(message(EVENTS, { model: "M", x }));
	say(1);
	assert.match(reasons(say("open")).join(), /it was a number/);
	assert.deepEqual(readings(say(true)), { x: "1" });
});

test("of too many devices the one that was silent for longest goes", () => {
	const rtl = new Rtl433();
	for (let id = 0; id < 2_000; id++) assert.equal(rtl.hear(message(EVENTS, { model: "M", id, x: 1 }))?.gone, undefined);
	rtl.hear(message(EVENTS, { model: "M", id: 0, x: 1 }));
	assert.deepEqual(rtl.hear(message(EVENTS, { model: "M", id: 9_999, x: 1 }))?.gone, ["M/1"]);
});

test("command() knows its devices, of which none can be set", () => {
	const rtl: Convention = new Rtl433();
	rtl.hear(message(EVENTS, { model: "M", id: 1, x: 1 }));
	assert.equal(rtl.command("N/1", "x", true), undefined);
	assert.throws(() => rtl.command("M/1", "x", true), (error) => error instanceof GatewayError && error.fault === "not-writable");
});

test("hear() throws for no message", () => {
	const rtl = new Rtl433();
	const chance = new Chance(433);
	const whole = Buffer.from(JSON.stringify({ time: "2025-10-09T08:53:20Z", model: "Acme", id: 1, channel: "A", temperature_C: 20.5, battery_ok: 1, command: "open" }));
	for (let run = 0; run < RUNS; run++) rtl.hear({ kind: "message", topic: chance.pick([EVENTS, "rtl_433/a/devices/M/1/x_C", "rtl_433", "rtl_433//", "a/rtl_433/b"]), payload: mutate(chance, whole), retained: chance.int(2) === 0 });
});

let broker: TestBroker;
before(async () => void (broker = await TestBroker.start()));
after(async () => broker.stop());

for (const output of ["events", "devices"] as const) {
	test(`Rtl433Stick with ${output}: three devices are found and read`, async () => {
		const clock = new FakeClock();
		const site = await Listener.start(broker.url, new Rtl433());
		const sim = new Rtl433Stick({ url: broker.url, output, clock });
		try {
			await sim.start();
			await until("two devices", () => site.value("Example-WS5/201", "rain_mm") !== undefined && site.value("Example-TH/2/7", "temperature_F") !== undefined);
			clock.advance(16_000);
			await until("the next round", () => Number(site.value("Example-WS5/201", "rain_mm")) === sim.state.rain);
			assert.equal(Number(site.value("Example-WS5/201", "wind_avg_m_s")), sim.state.wind);
			assert.equal(site.value("Example-TH/2/7", "battery_ok"), "0");
			sim.press(3);
			await until("a button", () => site.value("Example-Remote/1f3c", "button") === "3");
			assert.equal(site.availability("Example-Remote/1f3c"), "online");
		} finally {
			await sim.crash();
			await site.stop();
		}
	});
}
