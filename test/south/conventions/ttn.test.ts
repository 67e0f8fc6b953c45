import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ThingsStackServer } from "../../../firmware-sim/lorawan-servers.js";
import { GatewayError } from "../../../src/core/errors.js";
import type { Convention } from "../../../src/south/conventions/convention.js";
import { TheThingsStack } from "../../../src/south/conventions/ttn.js";
import { Chance, mutate, RUNS } from "../../fakes/fuzz.js";
import { TestBroker, until } from "../../firmware-sim/broker.js";
import { FakeClock } from "../../firmware-sim/fake-clock.js";
import { Listener } from "./on-a-broker.js";
import { message, readings, reasons, statesOf } from "./said.js";

const TOPIC = "v3/plant@acme/devices/silo/up";
const EUI = "02005e0000530099";
const ids = { end_device_ids: { device_id: "silo", dev_eui: EUI.toUpperCase(), application_ids: { application_id: "plant" } }, received_at: "2025-10-09T08:53:20.123456789Z" };

function up(uplink_message: object, more: object = {}) {
	return new TheThingsStack().hear(message(TOPIC, { ...ids, uplink_message, ...more }));
}

/** What was told, without what the server adds. */
function decoded(decoded_payload: unknown): Record<string, string | boolean> {
	return readings(up({ decoded_payload }));
}

const ROWS: readonly (readonly [what: string, payload: unknown, told: Record<string, string | boolean>])[] = [
	["numbers, truths and texts", { temperature: 21.5, open: true, mode: "eco" }, { temperature: "21.5", open: true, mode: "eco" }],
	["nested objects and lists", { a: { b: { c: 1 } }, probes: [{ t: 1 }, { t: 2 }], raw: [7, 8] }, { "a.b.c": "1", "probes[0].t": "1", "probes[1].t": "2", "raw[0]": "7", "raw[1]": "8" }],
	["numbers and truths as texts", { t: "21.50", on: "TRUE", off: "false", code: "007", serial: "123" }, { t: "21.50", on: true, off: false, code: "007", serial: "123" }],
	["no values", { a: null, b: "", c: "nan", d: "unknown" }, {}],
	["probes that are not there", { TempC_DS: 327.67, temp2: -327.68, hum: 6553.5, distance: 327.67 }, { distance: "327.67" }],
	["a list of measurements", { valid: true, messages: [{ measurementId: "4097", type: "Air Temperature", measurementValue: 1.8 }, [{ measurementId: 4101, type: "Barometric Pressure", measurementValue: 97520 }]] }, { valid: true, "Air Temperature": "1.8", "Barometric Pressure": "97520" }],
	["values with their units", { soil: { value: 4, unit: "kPa" } }, { soil: "4" }],
];
for (const [what, payload, told] of ROWS) {
	test(`hear() reads ${what}`, () => assert.deepEqual(decoded(payload), told));
}

test("units come from the sibling, the measurement's number, or the name", () => {
	const { points } = up({ decoded_payload: { soil: { value: 4, unit: "kPa" }, m: [{ measurementId: "4101", type: "Barometric Pressure", measurementValue: 97520 }], temp: 1, BatV: 3 } })!.announced![0]!;
	assert.deepEqual(Object.fromEntries(Object.entries(points).map(([name, point]) => [name, point.kind === "numeric" ? point.unit : undefined])), { soil: "kPa", "Barometric Pressure": "Pa", temp: "°C", BatV: "V" });
});

test("the device is its DevEUI, whatever the topic, named by its id, with what its version says", () => {
	const meaning = up({ decoded_payload: { t: 1 }, f_port: 2, f_cnt: 7, version_ids: { brand_id: "acme", model_id: "probe", firmware_version: "1.3" }, rx_metadata: [{ rssi: -101, snr: -2 }, { rssi: -88, snr: 7.5 }, { rssi: null }], last_battery_percentage: { value: 91.5 } });
	const { points, ...facts } = meaning!.announced![0]!;
	assert.deepEqual(facts, { address: EUI, name: "silo", manufacturer: "acme", model: "probe", firmware: "1.3" });
	assert.deepEqual(readings(meaning), { t: "1", rssi: "-88", snr: "7.5", f_cnt: "7", f_port: "2", last_battery_percentage: "91.5" });
	assert.deepEqual([meaning?.told?.[0]?.at, points["rssi"]?.category, meaning?.heard], [1_760_000_000_123, "status", [EUI]]);
	const nameless = new TheThingsStack().hear(message("v3/plant/devices/pump/up", { uplink_message: { decoded_payload: { t: 1 } } }));
	assert.equal(nameless?.announced?.[0]?.address, "plant/pump");
});

test("the normalized payload is told where the decoder has no such value, with the units of its schema", () => {
	const meaning = up({ decoded_payload: { temperature: 21.5 }, normalized_payload: [{ air: { temperature: 21.5, relativeHumidity: 40 }, battery: 3.1 }, { soil: { moisture: 7 } }] });
	assert.deepEqual(readings(meaning), { temperature: "21.5", "air.relativeHumidity": "40", battery: "3.1", "soil.moisture": "7" });
	const point = meaning!.announced![0]!.points["battery"];
	assert.equal(point?.kind === "numeric" && point.unit, "V");
});

test("without a decoder the bytes are told as they are", () => {
	assert.deepEqual(readings(up({ frm_payload: "qg==" })), { frm_payload: "qg==" });
	assert.deepEqual(readings(up({ frm_payload: "qg==", decoded_payload: {} })), { frm_payload: "qg==" });
});

test("a join says that the device is there; downlinks and what the server does tell nothing", () => {
	const hear = (event: string) => new TheThingsStack().hear(message(`v3/plant@acme/devices/silo/${event}`, { ...ids, join_accept: {} }));
	assert.deepEqual(statesOf(hear("join")), { [EUI]: "online" });
	for (const event of ["down/queued", "down/push", "down/sent", "down/ack", "down/nack", "down/failed", "service/data", "location/solved"]) assert.deepEqual(hear(event), {}, event);
	for (const topic of ["v3/x/gateways/g/up", "v2/a/devices/d/up", "v3/plant/devices/silo"]) assert.equal(new TheThingsStack().hear(message(topic, {})), undefined);
});

test("hear() names what is broken, and announces once", () => {
	assert.match(reasons(new TheThingsStack().hear(message(TOPIC, "{"))).join(), /Cannot read JSON/);
	const ttn = new TheThingsStack();
	const one = message(TOPIC, { ...ids, uplink_message: { decoded_payload: { t: 1 } } });
	ttn.hear(one);
	const again = ttn.hear({ ...one, retained: true });
	assert.deepEqual([again?.announced, again?.heard], [undefined, undefined]);
});

test("command() knows its devices, of which none can be set", () => {
	const ttn: Convention = new TheThingsStack();
	ttn.hear(message(TOPIC, { ...ids, uplink_message: { decoded_payload: { t: 1 } } }));
	assert.equal(ttn.command("other", "t", true), undefined);
	assert.throws(() => ttn.command(EUI.toUpperCase(), "t", true), (error) => error instanceof GatewayError && error.fault === "not-writable");
});

test("hear() throws for no message, and makes at most 256 points of one", () => {
	assert.equal(Object.keys(up({ decoded_payload: Object.fromEntries(Array.from({ length: 400 }, (_, at) => [`v${at}`, at])) })!.announced![0]!.points).length, 256);
	const ttn = new TheThingsStack();
	const chance = new Chance(3);
	const whole = Buffer.from(JSON.stringify({ ...ids, uplink_message: { decoded_payload: { a: [{ measurementId: "4097", measurementValue: 1 }], t: "1" }, normalized_payload: [{ air: { temperature: 1 } }], rx_metadata: [{ rssi: -1 }], frm_payload: "qg==" } }));
	for (let run = 0; run < RUNS; run++) ttn.hear({ kind: "message", topic: TOPIC, payload: mutate(chance, whole), retained: false });
});

let broker: TestBroker;
before(async () => void (broker = await TestBroker.start()));
after(async () => broker.stop());

test("ThingsStackServer: its sensor joins, is read, and a downlink is no reading", async () => {
	const clock = new FakeClock();
	const site = await Listener.start(broker.url, new TheThingsStack());
	const sim = new ThingsStackServer({ url: broker.url, clock });
	const eui = sim.devEui.toLowerCase();
	try {
		await sim.start();
		await until("the first uplink", () => site.value(eui, "TempC_Probe") === "18.75");
		assert.deepEqual([site.value(eui, "Lid_status"), site.value(eui, "TempC_DS"), site.value(eui, "rssi"), site.availability(eui)], ["CLOSED", undefined, "-88", "online"]);
		sim.queued();
		clock.advance(60_000);
		await until("the second", () => site.value(eui, "f_cnt") === "1");
		assert.equal(Number(site.value(eui, "TempC_Probe")), sim.state.temperature);
		assert.equal(site.twins.get(eui)?.device.model, "probe-2");
	} finally {
		await sim.crash();
		await site.stop();
	}
});
