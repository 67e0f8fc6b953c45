import assert from "node:assert/strict";
import { test } from "node:test";
import { Generic } from "../../../src/south/conventions/generic.js";
import { isQuantity, unitByName } from "../../../src/south/conventions/quantity.js";
import { buildConventions } from "../../../src/south/conventions/all.js";
import { MqttDialect } from "../../../src/south/mqtt/dialect.js";
import { TopicRules } from "../../../src/south/mqtt/topics.js";
import { endures } from "./fuzzed.js";
import { message, readings, reasons, statesOf, toldBy } from "./said.js";

const make = (): Generic => new Generic({ filters: ["#"] });

/** The values of one message with their units, and the device. */
function read(topic: string, payload: unknown): readonly [string | undefined, Record<string, string>] {
	const meaning = make().hear(message(topic, payload));
	const points = meaning?.announced?.[0]?.points ?? {};
	const values = Object.entries(readings(meaning)).map(([name, value]) => {
		const point = points[name];
		return [name, `${value}${point?.kind === "numeric" && point.unit !== undefined ? ` ${point.unit}` : ""}`] as const;
	});
	return [meaning?.told?.[0]?.address, Object.fromEntries(values)];
}

test("a bare value is named by the last level; its device is what stands before", () => {
	const rows: readonly (readonly [string, string, string, Record<string, string>])[] = [
		["house/attic/temperature", "21.50", "house/attic", { temperature: "21.50 °C" }], ["house/attic/HUMIDITY", "40", "house/attic", { HUMIDITY: "40 %" }],
		["house/attic/temperature/state", "21.5", "house/attic", { temperature: "21.5 °C" }], ["house/pump/rpm", "900", "house/pump", { rpm: "900" }],
		["house/gate", "closed", "house/gate", { gate: "closed" }], ["house/fan/state", "ON", "house/fan", { state: "true" }],
		["meter", "12", "meter", { value: "12" }], ["attic/probe/weight", "12,5 kg", "attic/probe", { weight: "12.5 kg" }], ["attic/probe/level_cm", "-3", "attic/probe", { level_cm: "-3 cm" }],
		["x/firmware", "1.10", "x/firmware", { firmware: "1.10" }], ["x/y/code", "0012", "x/y/code", { code: "0012" }],
	];
	for (const [topic, payload, device, told] of rows) assert.deepEqual(read(topic, payload), [device, told], `${topic} ${payload}`);
});

test("JSON is flattened, with the units that names and neighbours say", () => {
	const rows: readonly (readonly [string, unknown, string, Record<string, string>])[] = [
		["yard/station/state", { temp_c: 20.5, wind_speed_kmh: 12, pressure_hPa: 1001, totalkWh: "12.50", rssi: -70 }, "yard/station", { temp_c: "20.5 °C", wind_speed_kmh: "12 km/h", pressure_hPa: "1001 hPa", totalkWh: "12.50 kWh", rssi: "-70 dBm" }],
		["yard/station", { out: { temperature: 1, list: [1, 2] }, on: "ON", none: null, empty: "", lost: "unavailable" }, "yard/station", { "out.temperature": "1 °C", "out.list[0]": "1", "out.list[1]": "2", on: "true" }],
		["a/b", { temperature: 70.5, temperature_unit: "F", units: { flow: "L/min" }, flow: 3 }, "a/b", { temperature: "70.5 °F", flow: "3 L/min" }],
		["a/b", { readings: { Power: { Value: 5, Unit: "kW", Desc: "Power" }, Name: { Val: "x" } } }, "a/b", { "readings.Power": "5 kW", "readings.Name": "x" }],
		["a/b", [{ name: "flow", value: "3.5", unit: "L/min" }, { name: "p", value: 2, unit: "bar" }], "a/b", { flow: "3.5 L/min", p: "2 bar" }],
		["a/b/row", [1, 2.5], "a/b", { "row[0]": "1", "row[1]": "2.5" }],
		["a/b", { fw: "1.10", phone: "0049", imei: "3512", model: "12" }, "3512", { fw: "1.10", phone: "0049", imei: "3512", model: "12" }],
		["a/b", { value: 5, unit: "W" }, "a/b", { value: "5 W" }],
	];
	for (const [topic, payload, device, told] of rows) assert.deepEqual(read(topic, payload), [device, told], JSON.stringify(payload));
});

test("a message that names its device is of that device, whatever its topic", () => {
	const rows: readonly (readonly [object, string])[] = [
		[{ mac: "02:00:5E:00:53:01", id: "x1", t: 1 }, "02005e005301"], [{ serialNumber: "SN-77", t: 1 }, "SN-77"], [{ device_id: "probe 7", t: 1 }, "probe 7"], [{ sensor_id: 7, t: 1 }, "7"], [{ id: 4711, t: 1 }, "a/b"], [{ device: { x: 1 } }, "a/b"], [{ device: { name: "Foo", mac: "02005e005302" }, t: 1 }, "02005e005302"],
	];
	for (const [payload, device] of rows) assert.equal(read("a/b", payload)[0], device, JSON.stringify(payload));
});

test("a text of pairs is told pair by pair, and one of words is a text", () => {
	assert.deepEqual(read("p1/meter", "power_w=431,energy_kWh=12.5"), ["p1/meter", { power_w: "431 W", energy_kWh: "12.5 kWh" }]);
	for (const text of ["12:30", "http://example.org/a?b=1", "a=b", "note x=1 and more"]) assert.deepEqual(read("x/y/z", text)[1], { z: text }, text);
});

test("the time of a message is its own, where it can be true", () => {
	for (const [time, at] of [["2024-05-01T10:00:00Z", Date.UTC(2024, 4, 1, 10)], [1_700_000_000, 1_700_000_000_000], [1_700_000_000_123, 1_700_000_000_123], ["2024-05-01 10:00:00", undefined], [5, undefined]] as const) {
		assert.equal(make().hear(message("a/b", { ts: time, x: 1 }))?.told?.[0]?.at, at, String(time));
	}
});

test("words of presence are statements, on topics of presence", () => {
	const rows: readonly (readonly [string, unknown, Record<string, string>])[] = [
		["a/b/status", "offline", { "a/b": "offline" }], ["a/b/LWT", "Online", { "a/b": "online" }], ["a/b/online", "0", { "a/b": "offline" }], ["a/b/connected", "true", { "a/b": "online" }], ["a/b/status", { state: "offline" }, { "a/b": "offline" }],
		["a/b/state", "true", {}], ["a/b/mode", "offline", {}],
	];
	for (const [topic, payload, states] of rows) assert.deepEqual(statesOf(make().hear(message(topic, payload))), states, topic);
});

test("wishes, chatter, pictures and broken JSON tell nothing", () => {
	for (const topic of ["lamp/set", "lamp/set/brightness", "cmnd/lamp/POWER", "lamp/cmd", "x/bridge/state", "x/log", "$SYS/broker/uptime"]) assert.equal(make().hear(message(topic, "1"))?.told, undefined, topic);
	assert.equal(make().hear({ kind: "message", topic: "a/picture", payload: Uint8Array.of(0xff, 0xd8, 0xff), retained: false })?.told, undefined);
	assert.equal(make().hear(message("a/b", "x".repeat(300)))?.told, undefined);
	assert.deepEqual(reasons(make().hear(message("a/b", '{"t":1'))).length, 1);
});

test("without a filter it hears nothing, and takes no command", () => {
	assert.equal(new Generic().hear(message("a/b", "1")), undefined);
	assert.deepEqual(new Generic().filters(), []);
	assert.equal(new Generic({ filters: ["home/#"] }).hear(message("away/b", "1")), undefined);
	const heard = make();
	heard.hear(message("a/b/temperature", "1"));
	assert.throws(() => heard.command("a/b", "temperature", "x"), { fault: "not-writable" });
});

test("it is there only when it is named, and asked only for what no other took", () => {
	assert.ok(!buildConventions().conventions.some(({ name }) => name === "generic"));
	const dialect = new MqttDialect(new TopicRules([]), buildConventions(["zigbee2mqtt", "zwave", "generic"]).conventions);
	const decode = (topic: string, payload: unknown): Record<string, string | boolean> => toldBy(dialect.decode({ body: message(topic, payload), received: 0, taken: () => undefined }));
	assert.deepEqual(decode("zwave/lamp/37/0/currentValue", "true"), { "zwave/lamp 37/0/currentValue": true });
	assert.deepEqual(decode("attic/probe/temperature", "3"), { "attic/probe temperature": "3" });
	assert.ok(dialect.filters().includes("#"));
});

test("unitByName() knows suffixes and plain words, and guesses nothing else", () => {
	const rows: readonly (readonly [string, string | undefined])[] = [
		["temp_c", "°C"], ["outdoorTempF", "°F"], ["phase_c", undefined], ["energy_kWh", "kWh"], ["pressureHPa", "hPa"], ["batteryVoltage", "V"], ["battery_mv", "mV"], ["powerW", "W"], ["power1", "W"], ["co2", "ppm"], ["PM2.5", undefined], ["pm2_5", "µg/m³"],
		["energy", undefined], ["distance", undefined], ["speed", undefined], ["count", undefined], ["a.b.temperature", "°C"], ["uptime_s", undefined], ["uptime_seconds", "s"], ["wind_dir_deg", "°"], ["x", undefined],
	];
	for (const [name, unit] of rows) assert.equal(unitByName(name), unit, name);
	assert.ok(isQuantity("Temperature") && isQuantity("energy") && !isQuantity("kitchen") && !isQuantity("lamp"));
});

test("one megabyte of JSON and of noise is read in linear time, and makes few points", () => {
	const wide = JSON.stringify(Object.fromEntries(Array.from({ length: 50_000 }, (_, i) => [`key${i}`, i])));
	const deep = `${"[".repeat(60)}1${"]".repeat(60)}`;
	const started = process.cpuUsage(); // of this process alone: the machine may have other work
	for (const payload of [wide, deep, "[".repeat(1_000_000), `{"a":"${"x".repeat(1_000_000)}"}`, `[${"1,".repeat(400_000)}1]`, "9".repeat(1_000_000)]) {
		assert.ok((make().hear(message("a/b", payload))?.told ?? []).length <= 200);
	}
	assert.ok(process.cpuUsage(started).user < 5e6);
});

test("hear() endures noise", () => endures(make, [
	message("a/b/temperature", "21.5"), message("a/b", { temp_c: 1, list: [1, { a: 2 }], ts: 1_700_000_000, mac: "02:00:5e:00:53:01" }), message("a/b", [{ name: "x", value: 1, unit: "W" }]), message("a/b/status", "online"), message("a/b/x", "12 %"),
]));
