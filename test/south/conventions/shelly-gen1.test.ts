import assert from "node:assert/strict";
import { test } from "node:test";
import { ShellyGen1 } from "../../../src/south/conventions/shelly-gen1.js";
import { Chance, mutate, RUNS } from "../../fakes/fuzz.js";
import { message, readings, reasons, sent, statesOf, toldBy } from "./said.js";

const topic = (rest: string): string => `shellies/shellyplug-s-AB12CD/${rest}`;

/** Topic below the id, payload, what it tells, and unit and category of its first point. */
const ROWS: readonly (readonly [string, string, Readonly<Record<string, string | boolean>>, (string | undefined)?, string?])[] = [
	["relay/0", "on", { "relay/0": true }, undefined, "status"], ["relay/1", "off", { "relay/1": false }, undefined, "status"],
	["relay/0/power", "12.30", { "relay/0/power": "12.30" }, "W"], ["relay/0/energy", "600", { "relay/0/energy": "600" }, "W*min"],
	["emeter/1/power", "-4.50", { "emeter/1/power": "-4.50" }, "W"], ["emeter/1/voltage", "231.0", { "emeter/1/voltage": "231.0" }, "V"], ["emeter/1/current", "0.20", { "emeter/1/current": "0.20" }, "A"],
	["emeter/1/pf", "0.97", { "emeter/1/pf": "0.97" }], ["emeter/1/reactive_power", "3", { "emeter/1/reactive_power": "3" }, "VAr"], ["emeter/1/total", "1234.5", { "emeter/1/total": "1234.5" }, "Wh"],
	["emeter/1/total_returned", "0.0", { "emeter/1/total_returned": "0.0" }, "Wh"], ["emeter/1/energy", "9", { "emeter/1/energy": "9" }, "W*min"],
	["temperature", "41.20", { temperature: "41.20" }, "°C", "status"], ["temperature_f", "106.16", { temperature_f: "106.16" }, "°F", "status"], ["overtemperature", "1", { overtemperature: true }, undefined, "status"],
	["input/0", "1", { "input/0": true }, undefined, "status"], ["longpush/0", "0", { "longpush/0": false }, undefined, "status"], ["input_event/0", '{"event":"SS","event_cnt":7}', { "input_event/0.event": "SS", "input_event/0.event_cnt": "7" }],
	["input_event/0", '{"event":"","event_cnt":0}', { "input_event/0.event_cnt": "0" }],
	["roller/0", "open", { "roller/0": "open" }, undefined, "status"], ["roller/0/pos", "35", { "roller/0/pos": "35" }, "%", "status"], ["roller/0/pos", "-1", {}], ["roller/0/stop_reason", "normal", { "roller/0/stop_reason": "normal" }, undefined, "status"],
	["light/0", "on", { "light/0": true }, undefined, "status"], ["light/0/status", '{"ison":true,"brightness":40,"mode":"white"}', { "light/0.ison": true, "light/0": true, "light/0.brightness": "40", "light/0.mode": "white" }],
	["color/0/status", '{"ison":false,"red":255,"gain":30}', { "color/0.ison": false, "color/0": false, "color/0.red": "255", "color/0.gain": "30" }],
	["sensor/temperature", "21.50", { "sensor/temperature": "21.50" }, "°C"], ["sensor/humidity", "55.0", { "sensor/humidity": "55.0" }, "%"], ["sensor/battery", "87", { "sensor/battery": "87" }, "%", "status"], ["sensor/lux", "300", { "sensor/lux": "300" }, "lx"],
	["sensor/flood", "false", { "sensor/flood": false }], ["sensor/state", "open", { "sensor/state": "open" }, undefined, "status"], ["sensor/tilt", "12", { "sensor/tilt": "12" }, "°"], ["sensor/vibration", "1", { "sensor/vibration": true }], ["sensor/act_reasons", '["sensor"]', { "sensor/act_reasons": '["sensor"]' }, undefined, "status"],
	["ext_temperature/1", "4.1", { "ext_temperature/1": "4.1" }, "°C"], ["ext_humidity/0", "61", { "ext_humidity/0": "61" }, "%"], ["adc/0", "1.2", { "adc/0": "1.2" }, "V"],
	["status", '{"motion":true,"timestamp":1700000000,"lux":12,"bat":80}', { motion: true, lux: "12", bat: "80" }],
	["info", '{"meters":[{"power":3.5,"is_valid":true,"total":60}],"emeters":[{"total":5.5}],"wifi_sta":{"rssi":-60},"mqtt_password":"x","time":"10:00"}', { "meters[0].power": "3.5", "meters[0].total": "60", "emeters[0].total": "5.5", "wifi_sta.rssi": "-60" }, "W"],
	["info", '{"thermostats":[{"pos":12.5,"target_t":{"value":21.5},"tmp":{"value":20.1}}]}', { "thermostats[0].pos": "12.5", "thermostats[0].target_t": "21.5", "thermostats[0].tmp.value": "20.1" }, "%"],
	["relay/0/power", "nan", {}], ["relay/0/power", "", {}],
];

test("each topic tells its values, with unit and category", () => {
	for (const [rest, payload, told, unit, category] of ROWS) {
		const meaning = new ShellyGen1().hear(message(topic(rest), payload));
		assert.deepEqual([readings(meaning), reasons(meaning)], [told, []], `${rest} ${payload}`);
		const name = Object.keys(told)[0];
		const point = name === undefined ? undefined : meaning?.announced?.[0]?.points[name];
		if (point && Object.keys(told).length === 1) assert.deepEqual([point.kind === "numeric" ? point.unit : undefined, point.category], [unit, category], rest);
	}
});

test("units of info: watt-minutes of meters, watt-hours of energy meters", () => {
	const points = new ShellyGen1().hear(message(topic("info"), '{"meters":[{"power":1,"total":2}],"emeters":[{"total":3}],"tmp":{"tC":4,"tF":39},"bat":{"value":5,"voltage":6}}'))?.announced?.[0]?.points ?? {};
	assert.deepEqual(Object.entries(points).map(([name, point]) => [name, point.kind === "numeric" ? point.unit : undefined]), [["meters[0].power", "W"], ["meters[0].total", "W*min"], ["emeters[0].total", "Wh"], ["tmp.tC", "°C"], ["tmp.tF", "°F"], ["bat.value", "%"], ["bat.voltage", "V"]]);
});

test("commands go where each topic takes them", () => {
	const shelly = new ShellyGen1();
	for (const [rest, payload] of ROWS) shelly.hear(message(topic(rest), payload));
	const id = "shellyplug-s-ab12cd";
	const rows: readonly (readonly [string, boolean | number | string, string])[] = [
		["relay/0", true, "relay/0/command on"], ["light/0", false, "light/0/command off"], ["roller/0", "close", "roller/0/command close"], ["roller/0/pos", 70, "roller/0/command/pos 70"],
		["light/0.brightness", 55, 'light/0/set {"brightness":55}'], ["light/0.mode", "color", 'light/0/set {"mode":"color"}'], ["color/0.red", 12, 'color/0/set {"red":12}'], ["thermostats[0].target_t", 19.5, "thermostat/0/command/target_t 19.5"],
	];
	for (const [point, value, expected] of rows) assert.deepEqual(sent(shelly, id, point, value), [topic(expected)], point);
	assert.throws(() => sent(shelly, id, "relay/0/power", 1), { fault: "not-writable" });
	assert.throws(() => sent(shelly, id, "roller/0/pos", 101), { fault: "bad-value" });
	assert.equal(shelly.command("nobody", "relay/0", true), undefined);
});

test("overpower is off, and said until it is over", () => {
	const shelly = new ShellyGen1();
	assert.deepEqual(readings(shelly.hear(message(topic("relay/0"), "overpower"))), { "relay/0/overpower": true, "relay/0": false });
	assert.deepEqual(readings(shelly.hear(message(topic("relay/0"), "on"))), { "relay/0/overpower": false, "relay/0": true });
});

test("an announcement gives model, firmware and the MAC as an alias", () => {
	const meaning = new ShellyGen1().hear(message("shellies/announce", { id: "shellyplug-s-AB12CD", model: "SHPLG-S", mac: "02005E53AB12", ip: "192.0.2.7", new_fw: false, fw_ver: "1.14" }));
	assert.deepEqual({ ...meaning?.announced?.[0], points: undefined }, { address: "shellyplug-s-AB12CD", aliases: ["02005e53ab12"], manufacturer: "Shelly", model: "SHPLG-S", firmware: "1.14", points: undefined });
	assert.equal(new ShellyGen1().hear(message("shellies/announce", { id: "shellyplus1-02005e53ab13", gen: 2 })), undefined);
});

test("a device that is new is asked once who it is", () => {
	const shelly = new ShellyGen1();
	assert.deepEqual(shelly.hear(message(topic("relay/0"), "on"))?.send?.map(({ topic: to, payload }) => [to, payload]), [[topic("command"), "announce"], [topic("command"), "update"]]);
	assert.equal(shelly.hear(message(topic("relay/0"), "off"))?.send, undefined);
});

test("online is told of who has spoken, and what runs on a battery is asleep", () => {
	const shelly = new ShellyGen1();
	assert.deepEqual(shelly.hear(message(topic("online"), "false", true)), {});
	assert.deepEqual(statesOf(shelly.hear(message(topic("relay/0"), "on"))), { "shellyplug-s-AB12CD": "offline" });
	assert.deepEqual(statesOf(shelly.hear(message(topic("online"), "true"))), { "shellyplug-s-AB12CD": "online" });
	shelly.hear(message("shellies/shellyht-1/sensor/battery", "90"));
	assert.deepEqual(statesOf(shelly.hear(message("shellies/shellyht-1/online", "false"))), { "shellyht-1": "asleep" });
});

test("an id may have slashes, and a known one is found whatever its topic", () => {
	const shelly = new ShellyGen1();
	assert.deepEqual(toldBy(shelly.hear(message("shellies/barn/left/emeter/0/power", "1"))), { "barn/left emeter/0/power": "1" });
	assert.deepEqual(toldBy(shelly.hear(message("shellies/barn/left/novelty", "7"))), { "barn/left novelty": "7" });
	assert.equal(shelly.hear(message("shellies/stranger/novelty", "7")), undefined);
});

test("commands on the bus, old messages of strangers and pressed buttons of the past tell nothing", () => {
	const shelly = new ShellyGen1();
	for (const rest of ["relay/0/command", "light/0/set", "roller/0/command/pos", "command"]) assert.deepEqual(shelly.hear(message(topic(rest), "on")), {}, rest);
	assert.deepEqual(shelly.hear(message("shellies/command", "announce")), {});
	assert.deepEqual(shelly.hear(message(topic("relay/0"), "on", true)), {});
	shelly.hear(message(topic("relay/0"), "on"));
	assert.equal(shelly.hear(message(topic("input_event/0"), '{"event":"S","event_cnt":1}', true))?.told, undefined);
	assert.equal(reasons(shelly.hear(message(topic("info"), '{"meters":[{'))).length, 1);
});

test("hear() throws for nothing, whatever the bytes", () => {
	const chance = new Chance(13);
	const shelly = new ShellyGen1();
	for (let run = 0; run < RUNS; run++) {
		const [rest, payload] = chance.pick(ROWS);
		const name = chance.int(5) === 0 ? Buffer.from(mutate(chance, Buffer.from(topic(rest)))).toString("latin1") : topic(rest);
		shelly.hear({ kind: "message", topic: name, payload: chance.int(3) > 0 ? mutate(chance, Buffer.from(payload)) : Buffer.from(payload), retained: chance.int(4) === 0 });
	}
});
