import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ShellyPlug } from "../../../firmware-sim/shelly-plug.js";
import { Shelly } from "../../../src/south/conventions/shelly.js";
import { ShellyGen2 } from "../../../src/south/conventions/shelly-gen2.js";
import { Chance, mutate, RUNS } from "../../fakes/fuzz.js";
import { TestBroker, until } from "../../firmware-sim/broker.js";
import { Listener } from "./on-a-broker.js";
import { message, readings, reasons, sent, statesOf, toldBy } from "./said.js";

const ID = "shellypro2pm-02005e53cd01";
const notify = (params: object, method = "NotifyStatus", src = ID): object => ({ src, dst: `${src}/events`, method, params: { ts: 1_767_225_600.5, ...params } });

/** Component, what it says, what is told, and the units of that. */
const COMPONENTS: readonly (readonly [string, object, Readonly<Record<string, string | boolean>>, Readonly<Record<string, string>>])[] = [
	["switch:1", { id: 1, source: "init", output: true, apower: 8.2, voltage: 230.1, freq: 50, current: 0.05, pf: 0.7, aenergy: { total: 12.5, by_minute: [1, 2, 3], minute_ts: 5 }, temperature: { tC: 40.5, tF: 104.9 } },
		{ "switch:1.source": "init", "switch:1.output": true, "switch:1.apower": "8.2", "switch:1.voltage": "230.1", "switch:1.freq": "50", "switch:1.current": "0.05", "switch:1.pf": "0.7", "switch:1.aenergy.total": "12.5", "switch:1.temperature.tC": "40.5" },
		{ "switch:1.apower": "W", "switch:1.voltage": "V", "switch:1.freq": "Hz", "switch:1.current": "A", "switch:1.aenergy.total": "Wh", "switch:1.temperature.tC": "°C" }],
	["input:0", { id: 0, state: null }, {}, {}],
	["input:2", { id: 2, percent: 40.5 }, { "input:2.percent": "40.5" }, { "input:2.percent": "%" }],
	["cover:0", { id: 0, state: "stopped", current_pos: 60 }, { "cover:0.state": "stopped", "cover:0.current_pos": "60", "cover:0.pos": "60" }, { "cover:0.current_pos": "%", "cover:0.pos": "%" }],
	["cover:1", { id: 1, state: "opening", current_pos: null }, { "cover:1.state": "opening" }, {}],
	["light:0", { id: 0, output: false, brightness: 75 }, { "light:0.output": false, "light:0.brightness": "75" }, { "light:0.brightness": "%" }],
	["rgbw:0", { id: 0, output: true, rgb: [1, 2, 3], white: 9 }, { "rgbw:0.output": true, "rgbw:0.rgb[0]": "1", "rgbw:0.rgb[1]": "2", "rgbw:0.rgb[2]": "3", "rgbw:0.white": "9" }, {}],
	["temperature:100", { id: 100, tC: 21.4, tF: 70.5 }, { "temperature:100.tC": "21.4" }, { "temperature:100.tC": "°C" }],
	["humidity:0", { id: 0, rh: 48.5 }, { "humidity:0.rh": "48.5" }, { "humidity:0.rh": "%" }],
	["devicepower:0", { id: 0, battery: { V: 5.9, percent: 88 }, external: { present: false } }, { "devicepower:0.battery.V": "5.9", "devicepower:0.battery.percent": "88", "devicepower:0.external.present": false }, { "devicepower:0.battery.V": "V", "devicepower:0.battery.percent": "%" }],
	["em:0", { id: 0, a_current: 1, a_voltage: 230, a_act_power: -5.5, a_aprt_power: 7, a_pf: 0.8, a_freq: 50, n_current: null, total_act_power: 3 },
		{ "em:0.a_current": "1", "em:0.a_voltage": "230", "em:0.a_act_power": "-5.5", "em:0.a_aprt_power": "7", "em:0.a_pf": "0.8", "em:0.a_freq": "50", "em:0.total_act_power": "3" },
		{ "em:0.a_current": "A", "em:0.a_voltage": "V", "em:0.a_act_power": "W", "em:0.a_aprt_power": "VA", "em:0.a_freq": "Hz", "em:0.total_act_power": "W" }],
	["emdata:0", { id: 0, a_total_act_energy: 10.5, total_act: 20, total_act_ret: 1 }, { "emdata:0.a_total_act_energy": "10.5", "emdata:0.total_act": "20", "emdata:0.total_act_ret": "1" }, { "emdata:0.a_total_act_energy": "Wh", "emdata:0.total_act": "Wh", "emdata:0.total_act_ret": "Wh" }],
	["pm1:0", { id: 0, apower: 1.5, ret_aenergy: { total: 2 } }, { "pm1:0.apower": "1.5", "pm1:0.ret_aenergy.total": "2" }, { "pm1:0.apower": "W", "pm1:0.ret_aenergy.total": "Wh" }],
	["thermostat:0", { id: 0, enable: true, target_C: 21.5, current_C: 20.1, output: false }, { "thermostat:0.enable": true, "thermostat:0.target_C": "21.5", "thermostat:0.current_C": "20.1", "thermostat:0.output": false }, { "thermostat:0.target_C": "°C", "thermostat:0.current_C": "°C" }],
	["blutrv:200", { id: 200, target_C: 19, battery: 70, rssi: -60 }, { "blutrv:200.target_C": "19", "blutrv:200.battery": "70", "blutrv:200.rssi": "-60" }, { "blutrv:200.target_C": "°C", "blutrv:200.battery": "%", "blutrv:200.rssi": "dBm" }],
	["number:201", { id: 201, value: 4.5, source: "rpc" }, { "number:201.value": "4.5", "number:201.source": "rpc" }, {}],
	["boolean:200", { id: 200, value: true }, { "boolean:200.value": true }, {}],
	["sys", { mac: "02005E53CD01", uptime: 15, cfg_rev: 3, available_updates: { beta: { version: "1" } }, unixtime: 5 }, { "sys.mac": "02005E53CD01", "sys.uptime": "15" }, { "sys.uptime": "s" }],
	["wifi", { sta_ip: "192.0.2.5", status: "got ip", rssi: -55 }, { "wifi.sta_ip": "192.0.2.5", "wifi.status": "got ip", "wifi.rssi": "-55" }, { "wifi.rssi": "dBm" }],
];

test("components are told by notification and by status topic alike", () => {
	for (const [key, members, told, units] of COMPONENTS) {
		for (const [topic, payload] of [[`${ID}/events/rpc`, notify({ [key]: members })], [`${ID}/status/${key}`, members]] as const) {
			const meaning = new ShellyGen2().hear(message(topic, payload));
			assert.deepEqual([readings(meaning), reasons(meaning)], [told, []], topic);
			const points = meaning?.announced?.[0]?.points ?? {};
			const found = Object.entries(points).flatMap(([name, point]) => (name in told && point.kind === "numeric" && point.unit !== undefined ? [[name, point.unit]] : []));
			assert.deepEqual(Object.fromEntries(found), units, key);
		}
	}
});

test("commands are requests of the method that sets the member", () => {
	const shelly = new ShellyGen2();
	shelly.hear(message(`${ID}/events/rpc`, notify(Object.fromEntries(COMPONENTS.map(([key, members]) => [key, members])), "NotifyFullStatus")));
	const rows: readonly (readonly [string, boolean | number | string, string, object])[] = [
		["switch:1.output", true, "Switch.Set", { id: 1, on: true }], ["light:0.brightness", 30, "Light.Set", { id: 0, brightness: 30 }], ["rgbw:0.white", 12, "RGBW.Set", { id: 0, white: 12 }], ["cover:0.pos", 25, "Cover.GoToPosition", { id: 0, pos: 25 }],
		["cover:1.command", "open", "Cover.Open", { id: 1 }], ["cover:1.command", "stop", "Cover.Stop", { id: 1 }], ["thermostat:0.target_C", 20.5, "Thermostat.SetConfig", { id: 0, config: { target_C: 20.5 } }],
		["blutrv:200.target_C", 18.5, "BluTrv.Call", { id: 200, method: "TRV.SetTarget", params: { id: 0, target_C: 18.5 } }], ["number:201.value", 3, "Number.Set", { id: 201, value: 3 }], ["boolean:200.value", false, "Boolean.Set", { id: 200, value: false }],
	];
	for (const [point, value, method, params] of rows) {
		const [text = ""] = sent(shelly, ID, point, value);
		assert.deepEqual([text.slice(0, `${ID}/rpc`.length), JSON.parse(text.slice(`${ID}/rpc `.length))], [`${ID}/rpc`, { id: 1, src: "jidway", method, params }], point);
	}
	assert.throws(() => sent(shelly, ID, "switch:1.apower", 1), { fault: "not-writable" });
	assert.throws(() => sent(shelly, ID, "cover:0.pos", 101), { fault: "bad-value" });
	assert.equal(shelly.command("nobody", "switch:0.output", true), undefined);
});

test("events of buttons are told, those of its own administration and of the past are not", () => {
	const shelly = new ShellyGen2();
	const event = (component: string, name: string): object => notify({ events: [{ component, id: 0, event: name, ts: 1 }] }, "NotifyEvent");
	assert.deepEqual(readings(shelly.hear(message(`${ID}/events/rpc`, event("input:0", "long_push")))), { "input:0.event": "long_push" });
	for (const name of ["config_changed", "ota_progress", "scheduled_restart"]) assert.equal(shelly.hear(message(`${ID}/events/rpc`, event("sys", name)))?.told, undefined, name);
	assert.equal(shelly.hear(message(`${ID}/events/rpc`, event("input:0", "long_push"), true))?.told, undefined);
});

test("the id is the source of a notification, whatever the prefix; the MAC in it is an alias", () => {
	const meaning = new ShellyGen2().hear(message("shellies/workshop/events/rpc", notify({ "switch:0": { id: 0, output: true } })));
	assert.deepEqual([meaning?.announced?.[0]?.address, meaning?.announced?.[0]?.aliases], [ID, ["shellies/workshop", "02005e53cd01"]]);
});

test("a device with a prefix of the user's is asked for its id, and is known by its prefix when it does not answer", () => {
	const shelly = new ShellyGen2();
	const first = shelly.hear(message("shellies/workshop/status/switch:0", { id: 0, output: true }));
	assert.deepEqual([first?.announced, first?.send?.map(({ topic, payload }) => [topic, JSON.parse(String(payload))])], [undefined, [["shellies/workshop/rpc", { id: "shellies/workshop", src: "jidway", method: "Shelly.GetDeviceInfo" }]]]);
	const answered = shelly.hear(message("jidway/rpc", { id: "shellies/workshop", src: ID, dst: "jidway", result: { id: ID, name: "Saw", mac: "02005E53CD01", model: "SPSW", gen: 2, ver: "1.5", app: "Pro2PM" } }));
	assert.deepEqual({ ...answered?.announced?.[0], points: undefined, aliases: undefined }, { address: ID, name: "Saw", manufacturer: "Shelly", model: "Pro2PM", firmware: "1.5", points: undefined, aliases: undefined });
	assert.deepEqual(toldBy(shelly.hear(message("shellies/workshop/status/switch:0", { id: 0, output: true }))), { [`${ID} switch:0.output`]: true });
	const silent = new ShellyGen2();
	const meanings = Array.from({ length: 6 }, () => silent.hear(message("attic/status/switch:0", { id: 0, output: true })));
	assert.deepEqual(meanings.map((meaning) => meaning?.announced?.[0]?.address), [undefined, undefined, undefined, undefined, "attic", undefined]);
	assert.deepEqual(silent.hear(message("attic/events/rpc", notify({ "switch:0": { id: 0, output: false } })))?.gone, ["attic"]);
});

test("answers that nobody asked for, refusals and requests of others are no readings", () => {
	const shelly = new ShellyGen2();
	assert.deepEqual(shelly.hear(message("jidway/rpc", { id: "x", src: ID, result: { "switch:0": { output: true } } })), {});
	assert.deepEqual(reasons(shelly.hear(message("jidway/rpc", { id: 1, src: ID, error: { code: -103, message: "Invalid argument" } }))), ["Cannot do it: the device refused"]);
	for (const topic of [`${ID}/rpc`, `${ID}/command/switch:0`, `${ID}/response/rpc`]) assert.deepEqual(shelly.hear(message(topic, { id: 1, src: ID, result: { was_on: true } })), {}, topic);
	assert.equal(shelly.hear(message("other/status/thing", { a: 1 })), undefined);
	assert.equal(shelly.hear(message("other/online", "true")), undefined);
});

test("online is told of who has spoken, and of who speaks later", () => {
	const shelly = new ShellyGen2();
	assert.deepEqual(statesOf(shelly.hear(message(`${ID}/online`, "false", true))), {});
	assert.deepEqual(statesOf(shelly.hear(message(`${ID}/status/switch:0`, { id: 0, output: true }))), { [ID]: "offline" });
	assert.deepEqual(statesOf(shelly.hear(message(`${ID}/online`, "true"))), { [ID]: "online" });
});

test("a BLU sensor that a script relays is a device of its own", () => {
	const meaning = new ShellyGen2().hear(message("shelly-blu/events/02:00:5e:53:ee:01", { BTHome_version: 2, encryption: false, pid: 9, battery: 77, temperature: 20.5, rssi: -70, address: "02:00:5e:53:ee:01" }));
	assert.deepEqual(toldBy(meaning), { "02005e53ee01 battery": "77", "02005e53ee01 temperature": "20.5", "02005e53ee01 rssi": "-70" });
});

test("both generations share shellies/: each takes its own", () => {
	const shelly = new Shelly();
	assert.deepEqual(toldBy(shelly.hear(message("shellies/old/relay/0", "on"))), { "old relay/0": true });
	assert.deepEqual(toldBy(shelly.hear(message(`shellies/${ID}/status/switch:0`, { id: 0, output: true }))), { [`${ID} switch:0.output`]: true });
	assert.deepEqual(sent(shelly, "old", "relay/0", false), ["shellies/old/relay/0/command off"]);
	assert.match(sent(shelly, ID, "switch:0.output", false)[0]!, /^shellies\/.*\/rpc \{.*"on":false/);
});

test("hear() throws for nothing, whatever the bytes", () => {
	const chance = new Chance(14);
	const shelly = new Shelly();
	for (let run = 0; run < RUNS; run++) {
		const [key, members] = chance.pick(COMPONENTS);
		const [topic, payload] = chance.pick([[`${ID}/events/rpc`, notify({ [key]: members })], [`pre/fix/status/${key}`, members], ["jidway/rpc", { id: "pre/fix", src: ID, result: { gen: 2, id: ID } }], [`${ID}/online`, true]] as const);
		shelly.hear({ kind: "message", topic, payload: chance.int(4) > 0 ? mutate(chance, Buffer.from(JSON.stringify(payload))) : Buffer.from(JSON.stringify(payload)), retained: chance.int(4) === 0 });
	}
});

let broker: TestBroker;
before(async () => void (broker = await TestBroker.start()));
after(() => broker.stop());

for (const prefix of [undefined, "shellies/bench"]) {
	test(`a simulated plug with ${prefix ?? "its own"} prefix is announced, read, commanded until confirmed, and missed`, async () => {
		const id = prefix === undefined ? "shellyplugsg3-02005e530b01" : "shellyplugsg3-02005e530b02";
		const plug = new ShellyPlug({ url: broker.url, id, ...(prefix !== undefined && { prefix }) });
		const site = await Listener.start(broker.url, new Shelly());
		await plug.start();
		try {
			await until("its status and name", () => site.value(id, "switch:0.output") === "false" && site.twins.get(id)?.device.name === "Workbench");
			assert.equal(site.twins.get(id)?.availability, "online");
			assert.equal((await site.set(id, "switch:0.output", true))?.value, true);
			assert.equal(plug.on, true);
			await until("its power", () => site.value(id, "switch:0.apower") === "60.0");
			plug.press();
			await until("the button", () => site.value(id, "switch:0.output") === "false");
			assert.deepEqual([plug.heard.refused, site.misfits], [0, []]);
			await plug.crash();
			await until("the will", () => site.twins.get(id)?.availability === "offline");
		} finally {
			await site.stop();
			await plug.crash();
		}
	});
}
