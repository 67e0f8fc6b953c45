import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { TasmotaPlug } from "../../../firmware-sim/tasmota-plug.js";
import { Tasmota } from "../../../src/south/conventions/tasmota.js";
import { Chance, mutate, RUNS } from "../../fakes/fuzz.js";
import { TestBroker, until } from "../../firmware-sim/broker.js";
import { Listener } from "./on-a-broker.js";
import { message, readings, reasons, sent, statesOf, toldBy } from "./said.js";

const CONFIG = {
	ip: "192.0.2.9", dn: "Hall", fn: ["Lamp", "Blind", null], hn: "hall-1", mac: "02005E53AA01", md: "Relay board", ofln: "Gone", onln: "Here", state: ["AUS", "AN", "UM", "HALT"], sw: "14.1.0", t: "hall",
	ft: "house/%prefix%/%topic%/", tp: ["cmnd", "stat", "tele"], rl: [2, 3, 3, 0], swc: [-1, 4], swn: [null, "Door"], btn: [1, 0], so: { "73": 1, "114": 1 }, lt_st: 2, sho: [0], sht: [[-90, 90, 100]], if: 0, ver: 1,
};
const PLAIN = { ...CONFIG, mac: "02005E53AA02", dn: "Fan", fn: ["Fan"], t: "fan", ft: "%topic%/%prefix%/", rl: [1, 0], swc: [-1], btn: [0], so: {}, lt_st: 0, sht: [], state: ["OFF", "ON", "TOGGLE", "HOLD"], ofln: "Offline", onln: "Online" };

function known(config: { readonly mac: string } = CONFIG): Tasmota {
	const tasmota = new Tasmota();
	tasmota.hear(message(`tasmota/discovery/${config.mac}/config`, config, true));
	return tasmota;
}

test("discovery announces relays, lights, shutters, buttons and switches, with the MAC as the address", () => {
	const meaning = new Tasmota().hear(message(`tasmota/discovery/${CONFIG.mac}/config`, CONFIG, true));
	const [announced] = meaning?.announced ?? [];
	assert.deepEqual({ ...announced, points: Object.keys(announced?.points ?? {}) }, {
		address: "02005e53aa01", aliases: ["house/tele/hall"], name: "Hall", model: "Relay board", firmware: "14.1.0", type: "light",
		points: ["POWER1", "Dimmer", "CT", "ShutterPosition1", "ShutterTilt1", "Button1.Action", "Switch2.Action", "dn", "md", "sw", "ip", "mac"],
	});
	assert.deepEqual(announced?.points["POWER1"], { kind: "boolean", access: "rw", category: "status", label: "Lamp" });
	assert.deepEqual(announced?.points["CT"], { kind: "numeric", access: "rw", category: "status", unit: "mired", min: 153, max: 500, step: 1, integer: true });
	assert.equal(announced?.points["Switch2.Action"]?.label, "Door");
	assert.equal(meaning?.filters, true);
	assert.equal(readings(meaning)["ip"], "192.0.2.9");
});

test("commands are published under the device's own prefix, in its own words", () => {
	const rows: readonly (readonly [Tasmota, string, string, boolean | number | string, string])[] = [
		[known(), "02005e53aa01", "POWER1", true, "house/cmnd/hall/POWER1 AN"],
		[known(), "02005e53aa01", "power1", false, "house/cmnd/hall/POWER1 AUS"],
		[known(), "02005e53aa01", "Dimmer", 40, "house/cmnd/hall/Dimmer 40"],
		[known(), "02005e53aa01", "CT", 300, "house/cmnd/hall/CT 300"],
		[known(), "02005e53aa01", "ShutterPosition1", 55, "house/cmnd/hall/ShutterPosition1 55"],
		[known(PLAIN), "02005e53aa02", "POWER", true, "fan/cmnd/POWER ON"],
	];
	for (const [tasmota, address, point, value, expected] of rows) assert.deepEqual(sent(tasmota, address, point, value), [expected], point);
	assert.throws(() => sent(known(), "02005e53aa01", "Dimmer", 101), { fault: "bad-value" });
	assert.throws(() => sent(known(), "02005e53aa01", "Button1.Action", "SINGLE"), { fault: "not-writable" });
	assert.equal(known().command("nobody", "POWER", true), undefined);
});

test("each kind of light has the commands of its kind", () => {
	for (const [subtype, points] of [[1, ["Dimmer"]], [2, ["Dimmer", "CT"]], [3, ["Dimmer", "Color", "HSBColor"]], [4, ["Dimmer", "Color", "HSBColor", "White"]], [5, ["Dimmer", "Color", "HSBColor", "White", "CT"]]] as const) {
		const meaning = new Tasmota().hear(message("tasmota/discovery/02005E53AA03/config", { ...PLAIN, rl: [2], lt_st: subtype }, true));
		assert.deepEqual(Object.entries(meaning?.announced?.[0]?.points ?? {}).filter(([, point]) => point.access === "rw").map(([name]) => name), ["POWER", ...points]);
	}
});

test("messages of a device are read: state, sensors with their units, results", () => {
	const rows: readonly (readonly [string, unknown, Readonly<Record<string, string | boolean>>])[] = [
		["house/stat/hall/POWER1", "AN", { POWER1: true }],
		["house/stat/hall/RESULT", { POWER1: "AUS", Dimmer: 30 }, { POWER1: false, Dimmer: "30" }],
		["house/stat/hall/RESULT", { Shutter1: { Position: 20, Direction: 0, Target: 20, Tilt: 5 } }, { "Shutter1.Position": "20", "ShutterPosition1": "20", "Shutter1.Direction": "0", "Shutter1.Target": "20", "Shutter1.Tilt": "5", "ShutterTilt1": "5" }],
		["house/stat/hall/RESULT", { ShutterPosition1: 20 }, {}],
		["house/stat/hall/RESULT", { Command: "Unknown" }, {}],
		["house/stat/hall/RESULT", { Switch2: { Action: "ON" } }, { "Switch2.Action": "ON" }],
		["house/tele/hall/STATE", { Time: "2026-01-02T03:04:05", Uptime: "1T02:03:04", UptimeSec: 93784, Wifi: { RSSI: 70, Signal: -65 }, Fade: "OFF" }, { "Uptime": "1T02:03:04", "UptimeSec": "93784", "Wifi.RSSI": "70", "Wifi.Signal": "-65", "Fade": false }],
		["house/tele/hall/SENSOR", { Time: "2026-01-02T03:04:05", "DS18B20-1": { Id: "0A1B", Temperature: 21.50 }, "DS18B20-2": { Id: "0A1C", Temperature: "4.5" }, TempUnit: "C" }, { "DS18B20-1.Id": "0A1B", "DS18B20-1.Temperature": "21.5", "DS18B20-2.Id": "0A1C", "DS18B20-2.Temperature": "4.5" }],
		["house/stat/hall/STATUS8", { StatusSNS: { SHT3X: { Humidity: 51.0 } } }, { "SHT3X.Humidity": "51" }],
		["house/tele/hall/INFO1", { Info1: { Module: "Relay board", Version: "14.1.1" } }, { Module: "Relay board", Version: "14.1.1" }],
		["house/stat/hall/STATUS5", { StatusNET: { IPAddress: "192.0.2.9", WebPassword: "x" } }, { "StatusNET.IPAddress": "192.0.2.9" }],
	];
	const tasmota = known();
	for (const [topic, payload, expected] of rows) {
		const meaning = tasmota.hear(message(topic, payload));
		assert.deepEqual([readings(meaning), reasons(meaning), meaning?.heard], [expected, [], ["02005e53aa01"]], `${topic} ${JSON.stringify(payload)}`);
	}
});

test("units are the message's own, the sensor's, or the quantity's", () => {
	const rows: readonly (readonly [unknown, string, string | undefined])[] = [
		[{ BME280: { Temperature: 70.1 }, TempUnit: "F" }, "BME280.Temperature", "°F"], [{ BME280: { Temperature: 70.1 } }, "BME280.Temperature", "°C"], [{ BMP280: { Pressure: 753 }, PressureUnit: "mmHg" }, "BMP280.Pressure", "mmHg"],
		[{ BMP280: { SeaPressure: 1013 } }, "BMP280.SeaPressure", "hPa"], [{ ENERGY: { Total: 1 } }, "ENERGY.Total", "kWh"], [{ ENERGY: { Period: 1 } }, "ENERGY.Period", "Wh"], [{ ENERGY: { Power: [1, 2] } }, "ENERGY.Power[1]", "W"],
		[{ ENERGY: { Factor: 1 } }, "ENERGY.Factor", undefined], [{ ENERGY: { ApparentPower: 1 } }, "ENERGY.ApparentPower", "VA"], [{ SDS0X1: { "PM2.5": 3 } }, "SDS0X1.PM2.5", "µg/m³"], [{ PMS5003: { PM10: 3 } }, "PMS5003.PM10", "µg/m³"],
		[{ ANALOG: { Temperature2: 3 } }, "ANALOG.Temperature2", "°C"], [{ ANALOG: { A0: 3 } }, "ANALOG.A0", undefined], [{ SR04: { Distance: 3 } }, "SR04.Distance", "cm"], [{ "ATC-12ab34": { Battery: 90 } }, "ATC-12ab34.Battery", "%"],
		[{ MHZ19B: { CarbonDioxide: 500 } }, "MHZ19B.CarbonDioxide", "ppm"], [{ constructor: { toString: 1 } }, "constructor.toString", undefined],
	];
	for (const [payload, name, unit] of rows) {
		const point = known().hear(message("house/tele/hall/SENSOR", payload))?.announced?.[0]?.points[name];
		assert.equal(point?.kind, "numeric", name);
		assert.equal(point?.kind === "numeric" ? point.unit : "", unit, name);
	}
});

test("a time counts when it says its zone, and not when it is local", () => {
	const tasmota = known();
	const at = (time: string): number | undefined => tasmota.hear(message("house/tele/hall/SENSOR", { Time: time, SHT3X: { Humidity: 1 } }))?.told?.[0]?.at;
	assert.equal(at("2026-01-02T03:04:05+01:00"), Date.UTC(2026, 0, 2, 2, 4, 5));
	assert.equal(at("2026-01-02T03:04:05"), undefined);
	assert.equal(at("1970-01-01T00:00:09+00:00"), undefined);
});

test("the last will is in the device's own words, and a sleeper is asleep", () => {
	const tasmota = known();
	assert.deepEqual(statesOf(tasmota.hear(message("house/tele/hall/LWT", "Here", true))), { "02005e53aa01": "online" });
	assert.deepEqual(statesOf(tasmota.hear(message("house/tele/hall/LWT", "Gone"))), { "02005e53aa01": "offline" });
	assert.deepEqual(statesOf(tasmota.hear(message("house/tele/hall/LWT", "Offline"))), {});
	tasmota.hear(message("house/stat/hall/DEEPSLEEP", { DeepSleep: { Epoch: 1 } }));
	assert.deepEqual(statesOf(tasmota.hear(message("house/tele/hall/LWT", "Gone"))), { "02005e53aa01": "asleep" });
});

test("a last will that came before its device is told with it", () => {
	const tasmota = new Tasmota();
	assert.deepEqual(tasmota.hear(message("fan/tele/LWT", "Offline", true)), {});
	assert.deepEqual(statesOf(tasmota.hear(message(`tasmota/discovery/${PLAIN.mac}/config`, PLAIN, true))), { "02005e53aa02": "offline" });
});

test("without discovery the topic is the address, in any order of its parts", () => {
	for (const [topic, address, command] of [
		["tele/pump/STATE", "pump", "cmnd/pump/POWER ON"], ["pump/tele/STATE", "pump", "pump/cmnd/POWER ON"], ["stat/barn/pump/RESULT", "barn/pump", "cmnd/barn/pump/POWER ON"], ["farm/tele/barn/pump/STATE", "farm/barn/pump", "farm/cmnd/barn/pump/POWER ON"],
	] as const) {
		const tasmota = new Tasmota();
		assert.deepEqual(toldBy(tasmota.hear(message(topic, { POWER: "OFF" }))), { [`${address} POWER`]: false }, topic);
		assert.deepEqual(sent(tasmota, address, "POWER", true), [command]);
	}
});

test("an old message of a stranger makes no device, and commands of others are no readings", () => {
	const tasmota = new Tasmota();
	assert.deepEqual(tasmota.hear(message("tele/ghost/SENSOR", { SHT3X: { Humidity: 1 } }, true)), {});
	for (const topic of ["cmnd/pump/POWER", "pump/cmnd/POWER", "house/cmnd/hall/POWER"]) assert.deepEqual(tasmota.hear(message(topic, "ON")), {}, topic);
	for (const topic of ["tele/pump/lower", "home/light/STATE", "stat"]) assert.equal(tasmota.hear(message(topic, "{}")), undefined, topic);
});

test("discovery takes over what was known by its topic", () => {
	const tasmota = new Tasmota();
	tasmota.hear(message("fan/tele/STATE", { POWER: "ON" }));
	const meaning = tasmota.hear(message(`tasmota/discovery/${PLAIN.mac}/config`, PLAIN));
	assert.deepEqual([meaning?.gone, meaning?.announced?.[0]?.address], [["fan"], "02005e53aa02"]);
	assert.deepEqual(tasmota.hear(message(`tasmota/discovery/${PLAIN.mac}/config`, ""))?.gone, ["02005e53aa02"]);
});

test("a device is announced anew only when a point is new", () => {
	const tasmota = known();
	const sensor = { SHT3X: { Humidity: 51.5 } };
	assert.equal(tasmota.hear(message("house/tele/hall/SENSOR", sensor))?.announced?.length, 1);
	assert.equal(tasmota.hear(message("house/tele/hall/SENSOR", sensor))?.announced, undefined);
	assert.equal(tasmota.hear(message(`tasmota/discovery/${CONFIG.mac}/config`, CONFIG))?.announced, undefined);
});

test("a bare nan is no value, and a message that was cut off is a misfit", () => {
	const tasmota = known();
	const meaning = tasmota.hear(message("house/tele/hall/SENSOR", '{"DHT11":{"Temperature":nan,"Humidity":44.0},"TempUnit":"C"}'));
	assert.deepEqual([readings(meaning), reasons(meaning)], [{ "DHT11.Humidity": "44.0" }, []]);
	assert.equal(reasons(tasmota.hear(message("house/tele/hall/SENSOR", '{"DHT11":{"Temperature":nan,"Hum'))).length, 1);
	assert.equal(reasons(tasmota.hear(message("house/tele/hall/STATE", "[1]"))).length, 1);
});

test("what a button did long ago is no news", () => {
	const tasmota = known();
	assert.deepEqual(readings(tasmota.hear(message("house/stat/hall/RESULT", { Button1: { Action: "DOUBLE" } }, true))), {});
	assert.deepEqual(readings(tasmota.hear(message("house/stat/hall/RESULT", { Button1: { Action: "DOUBLE" } }))), { "Button1.Action": "DOUBLE" });
});

test("what is behind a Zigbee bridge is a device of its own, and away with it", () => {
	const tasmota = known(PLAIN);
	const meaning = tasmota.hear(message("fan/tele/SENSOR", { ZbReceived: { "0x2A1F": { Device: "0x2A1F", Name: "Cellar", Temperature: 12.25, Power: 1, Endpoint: 1, LinkQuality: 80 } } }));
	assert.deepEqual(toldBy(meaning), { "02005e53aa02/0x2A1F Temperature": "12.25", "02005e53aa02/0x2A1F Power": "1", "02005e53aa02/0x2A1F LinkQuality": "80" });
	assert.equal(meaning?.announced?.find(({ address }) => address.endsWith("0x2A1F"))?.name, "Cellar");
	assert.deepEqual(statesOf(tasmota.hear(message("fan/tele/LWT", "Offline"))), { "02005e53aa02": "offline", "02005e53aa02/0x2A1F": "offline" });
});

test("hear() throws for nothing, whatever the bytes", () => {
	const chance = new Chance(12);
	const seeds: readonly (readonly [string, string])[] = [
		[`tasmota/discovery/${CONFIG.mac}/config`, JSON.stringify(CONFIG)], [`tasmota/discovery/${CONFIG.mac}/sensors`, '{"sn":{"ENERGY":{"Power":[1,2]}}}'], ["house/tele/hall/SENSOR", '{"DS18B20":{"Temperature":nan}}'],
		["tele/x/STATE", '{"POWER":"ON","Channel":[1,2]}'], ["stat/x/RESULT", '{"ZbReceived":{"0x1":{"Power":1}}}'], ["x/tele/LWT", "Online"],
	];
	const tasmota = new Tasmota();
	for (let run = 0; run < RUNS; run++) {
		const [topic, text] = chance.pick(seeds);
		tasmota.hear({ kind: "message", topic, payload: chance.int(4) > 0 ? mutate(chance, Buffer.from(text)) : Buffer.from(text), retained: chance.int(2) === 0 });
	}
});

let broker: TestBroker;
before(async () => void (broker = await TestBroker.start()));
after(() => broker.stop());

for (const [fullTopic, mac] of [["%prefix%/%topic%/", "02005E530A01"], ["%topic%/%prefix%/", "02005E530A02"], ["site/%prefix%/a/%topic%", "02005E530A03"]] as const) {
	test(`a simulated plug with FullTopic ${fullTopic} is announced, read, commanded until confirmed, and missed`, async () => {
		const plug = new TasmotaPlug({ url: broker.url, fullTopic, mac, topic: `plug_${mac.slice(-4)}` });
		await plug.start();
		const site = await Listener.start(broker.url, new Tasmota());
		const address = mac.toLowerCase();
		try {
			await until("its will and its meter", () => site.twins.get(address)?.availability === "online" && site.value(address, "ENERGY.Power") === "0");
			assert.equal((await site.set(address, "POWER", true))?.value, true);
			assert.equal(plug.on, true);
			await site.set(address, "POWER", false);
			plug.press();
			await until("the button", () => site.value(address, "POWER") === "true");
			assert.deepEqual([site.misfits, site.announced.get(address)! <= 4], [[], true]);
			await plug.crash();
			await until("the will", () => site.twins.get(address)?.availability === "offline");
		} finally {
			await site.stop();
			await plug.crash();
		}
	});
}
