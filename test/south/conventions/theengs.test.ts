import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { PLANT, THERMOMETER, TheengsGateway } from "../../../firmware-sim/theengs-gateway.js";
import { GatewayError } from "../../../src/core/errors.js";
import type { Convention } from "../../../src/south/conventions/convention.js";
import { Theengs } from "../../../src/south/conventions/theengs.js";
import { Chance, mutate, RUNS } from "../../fakes/fuzz.js";
import { TestBroker, until } from "../../firmware-sim/broker.js";
import { FakeClock } from "../../firmware-sim/fake-clock.js";
import { Listener } from "./on-a-broker.js";
import { message, readings, reasons, statesOf, toldBy } from "./said.js";

const GATEWAY = "home/omg";
const BT = `${GATEWAY}/BTtoMQTT/A4C138005331`;
const id = "A4:C1:38:00:53:31";
const mac = "a4c138005331";

test("hear() makes a device of the id in the message, with the decoder's keys as points", () => {
	const meaning = new Theengs().hear(message(BT, { id, name: "Cellar", rssi: -70, brand: "Acme", model: "TH", model_id: "TH_1", type: "THB", tempc: 21.5, hum: 40, batt: 90, volt: 2.9, servicedata: "00" }));
	const { points, ...facts } = meaning!.announced![0]!;
	assert.deepEqual(facts, { address: mac, type: "sensor", name: "Cellar", manufacturer: "Acme", model: "TH_1" });
	assert.deepEqual(readings(meaning), { name: "Cellar", rssi: "-70", brand: "Acme", model: "TH", model_id: "TH_1", type: "THB", tempc: "21.5", hum: "40", batt: "90", volt: "2.9" });
	assert.deepEqual([points["batt"]?.category, points["brand"]?.category, points["tempc"]?.category, meaning?.heard], ["status", "identity", undefined, [mac]]);
});

const UNITS: readonly (readonly [key: string, unit: string | undefined])[] = [
	["tempc", "°C"], ["tempf", "°F"], ["tempc1", "°C"], ["tempf12", "°F"], ["tempc2_bbq", "°C"], ["hum", "%"], ["batt", "%"], ["volt", "V"], ["moi", "%"], ["lux", "lx"], ["fer", "µS/cm"], ["pres", "hPa"], ["power", "W"], ["energy", "kWh"], ["current", "A"], ["co2", "ppm"], ["voc", "ppb"], ["pm25", "µg/m³"], ["pm10", "µg/m³"],
	["accx", "m/s²"], ["rssi", "dBm"], ["txpower", "dBm"], ["distance", "m"], ["snr", "dB"], ["steps", undefined], ["unlocked", undefined], ["constructor", undefined],
];
test("units of the decoder's keys", () => {
	const points = new Theengs().hear(message(BT, Object.fromEntries(UNITS.map(([key]) => [key, 1]))))!.announced![0]!.points;
	assert.deepEqual(UNITS.map(([key]) => { const point = points[key]; return [key, point?.kind === "numeric" ? point.unit : "?"]; }), UNITS.map((row) => [...row]));
});

test("units stand in sibling keys too", () => {
	const { points } = new Theengs().hear(message(BT, { avg: 2, avgu: "kW", sum: 1, sumu: "kWh", weight: 70, unit: "lb", odd: 1, oddu: "furlong" }))!.announced![0]!;
	const unit = (key: string) => { const point = points[key]; return point?.kind === "numeric" ? point.unit : undefined; };
	assert.deepEqual(["avg", "sum", "weight", "odd"].map(unit), ["kW", "kWh", "lb", undefined]);
});

test("numbers that are sent as texts are numbers, and codes are not", () => {
	assert.deepEqual(new Theengs().hear(message(BT, { tempc: "19.20", hum: "nan", major: "7", model_id: "1234", batt: "" }))?.told?.map(({ point, value }) => [point, typeof value]), [["tempc", "object"], ["major", "string"], ["model_id", "string"]]);
});

const WHO: readonly (readonly [topic: string, json: object, told: Record<string, string | boolean>])[] = [
	[`${GATEWAY}/BTtoMQTT/4C33A6603C79`, { hum: 1 }, { "4c33a6603c79 hum": "1" }], [`${GATEWAY}/BTtoMQTT`, { id, hum: 1 }, { [`${mac} hum`]: "1" }],
	[`${GATEWAY}/LORAtoMQTT`, { from: "12AB", message: "hi" }, { "12AB from": "12AB", "12AB message": "hi" }], [`${GATEWAY}/LORAtoMQTT/node7`, { tempc: 5 }, { "node7 tempc": "5" }], [`${GATEWAY}/LORAtoMQTT`, { message: "hi" }, { "home/omg LORA/message": "hi" }],
	[`${GATEWAY}/433toMQTT`, { value: 1315156, protocol: 1 }, { "home/omg 433/value": "1315156", "home/omg 433/protocol": "1" }], [`${GATEWAY}/IRtoMQTT`, { value: 5, protocol_name: "NEC" }, { "home/omg IR/value": "5", "home/omg IR/protocol_name": "NEC" }],
	[`${GATEWAY}/RTL_433toMQTT/Acme/1/7`, { model: "Acme", channel: 1, id: 7, temperature_C: 3 }, { "Acme/1/7 temperature_C": "3" }],
	[`${GATEWAY}/SYStoMQTT`, { uptime: 60, mac: "02:00:5E:00:53:30", version: "1.7", retain: true, modules: ["BT"] }, { "home/omg uptime": "60", "home/omg version": "1.7" }],
];
for (const [topic, json, told] of WHO) {
	test(`hear() of ${topic} ${JSON.stringify(json)}`, () => assert.deepEqual(toldBy(new Theengs().hear(message(topic, json))), told));
}

test("a code that is retained was pressed nobody knows when", () => {
	assert.deepEqual(new Theengs().hear(message(`${GATEWAY}/433toMQTT`, { value: 1 }, true)), {});
});

test("a gateway that is offline takes along what it heard last, until that is heard again", () => {
	const theengs = new Theengs();
	const will = (word: string, base = GATEWAY) => theengs.hear(message(`${base}/LWT`, word, true));
	theengs.hear(message(BT, { id, hum: 1 }));
	theengs.hear(message("home/other/BTtoMQTT/x", { id: "AA:BB:CC:00:00:01", hum: 1 }));
	assert.deepEqual(statesOf(will("offline")), { [GATEWAY]: "offline", [mac]: "offline" });
	assert.deepEqual(statesOf(will("offline")), { [GATEWAY]: "offline" });
	assert.deepEqual(statesOf(theengs.hear(message("home/other/BTtoMQTT/x", { id, hum: 2 }))), { [mac]: "online" });
	assert.deepEqual(statesOf(will("online")), { [GATEWAY]: "online" });
	assert.deepEqual(will("perhaps"), {});
});

test("hear() leaves topics of other dialects to others", () => {
	for (const [topic, text] of [["tele/x/LWT", "online"], ["stat/x/BTtoMQTT", "{}"], ["plant/x/LWT", "online"], ["home/x/state", "{}"], ["home/x", "online"], ["home/x/commands/MQTTtoBT", "{}"]] as const) assert.equal(new Theengs().hear(message(topic, text)), undefined, topic);
	assert.match(reasons(new Theengs().hear(message(BT, "{"))).join(), /Cannot read JSON/);
	assert.deepEqual(new Theengs().hear(message(BT, "", true)), {});
	assert.ok(new Theengs().filters().includes("+/+/BTtoMQTT/#"));
});

test("command() knows its devices, of which none can be set", () => {
	const theengs: Convention = new Theengs();
	theengs.hear(message(BT, { id, hum: 1 }));
	assert.equal(theengs.command("other", "hum", true), undefined);
	assert.throws(() => theengs.command(id, "hum", true), (error) => error instanceof GatewayError && error.fault === "not-writable");
});

test("hear() throws for no message", () => {
	const theengs = new Theengs();
	const chance = new Chance(7);
	const whole = Buffer.from(JSON.stringify({ id, rssi: -70, tempc: "21.5", avg: 1, avgu: "kW", open: true, model: "Acme", from: "x" }));
	for (let run = 0; run < RUNS; run++) theengs.hear({ kind: "message", topic: `home/omg/${chance.pick(["BTtoMQTT/x", "433toMQTT", "LORAtoMQTT", "RTL_433toMQTT/a", "SYStoMQTT", "LWT", "toMQTT"])}`, payload: mutate(chance, whole), retained: chance.int(2) === 0 });
});

let broker: TestBroker;
before(async () => void (broker = await TestBroker.start()));
after(async () => broker.stop());

test("TheengsGateway is found with what it hears, read, and offline by its will", async () => {
	const clock = new FakeClock();
	const site = await Listener.start(broker.url, new Theengs());
	const sim = new TheengsGateway({ url: broker.url, clock });
	const [thermometer, plant] = [THERMOMETER, PLANT].map((one) => one.replaceAll(":", "").toLowerCase());
	try {
		await sim.start();
		await until("both", () => site.value(thermometer!, "hum") !== undefined && site.value(plant!, "moi") !== undefined);
		clock.advance(10_000);
		await until("the next", () => Number(site.value(thermometer!, "tempc")) === sim.state.temperature);
		assert.equal(site.value(plant!, "fer"), "214");
		sim.press(5_393);
		await until("a code", () => site.value(sim.topic, "433/value") === "5393");
		assert.equal(site.twins.get(sim.topic)?.device.firmware, "v1.7.0");
		await sim.crash();
		await until("the will", () => [sim.topic, thermometer!, plant!].every((one) => site.availability(one) === "offline"));
	} finally {
		await sim.crash();
		await site.stop();
	}
});
