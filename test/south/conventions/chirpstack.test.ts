import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ChirpStackServer } from "../../../firmware-sim/lorawan-servers.js";
import { GatewayError } from "../../../src/core/errors.js";
import { ChirpStack } from "../../../src/south/conventions/chirpstack.js";
import type { Convention } from "../../../src/south/conventions/convention.js";
import type { Meaning } from "../../../src/south/meaning.js";
import { Chance, mutate, RUNS } from "../../fakes/fuzz.js";
import { TestBroker, until } from "../../firmware-sim/broker.js";
import { FakeClock } from "../../firmware-sim/fake-clock.js";
import { Listener } from "./on-a-broker.js";
import { message, readings, reasons, statesOf } from "./said.js";

const EUI = "02005e0000530077";
const head = { deduplicationId: "d", time: "2025-10-09T08:53:20.123456789+00:00", deviceInfo: { deviceName: "Silo", deviceProfileName: "Probe", devEui: EUI.toUpperCase(), tags: { a: "b" } } };

function event(kind: string, json: object, { id = EUI, retained = false } = {}): Meaning | undefined {
	return new ChirpStack().hear(message(`application/7/device/${id}/event/${kind}`, json, retained));
}

test("an uplink is what the codec says, with the server's time and the best reception", () => {
	const meaning = event("up", { ...head, fCnt: 4, fPort: 2, data: "qg==", object: { temperature: "21.50", gps: { latitude: 1.5 }, leak: "false", door: null, list: [1, 2] }, rxInfo: [{ rssi: -97, snr: 4.2 }, { rssi: -60, snr: 9 }] });
	const { points, ...facts } = meaning!.announced![0]!;
	assert.deepEqual(facts, { address: EUI, name: "Silo", model: "Probe" });
	assert.deepEqual(readings(meaning), { temperature: "21.50", "gps.latitude": "1.5", leak: false, "list[0]": "1", "list[1]": "2", rssi: "-60", snr: "9", fCnt: "4", fPort: "2" });
	assert.equal(points["temperature"]?.kind === "numeric" && points["temperature"].unit, "°C");
	assert.deepEqual([meaning?.told?.[0]?.at, meaning?.heard], [1_760_000_000_123, [EUI]]);
});

test("without a codec the bytes are told as they are", () => {
	for (const object of [undefined, {}, null]) assert.deepEqual(readings(event("up", { ...head, data: "qg==", object })), { data: "qg==" });
	assert.deepEqual(readings(event("up", { ...head })), {});
});

test("the spelling of ChirpStack 3 is understood", () => {
	const meaning = event("up", { applicationID: "7", deviceName: "Silo", devEUI: EUI, objectJSON: '{"t":1.50}', rxInfo: [{ rssi: -90, loRaSNR: 3, time: "2025-10-09T08:53:20Z" }], fCnt: 1 });
	assert.deepEqual([readings(meaning), meaning?.told?.[0]?.at], [{ t: "1.50", rssi: "-90", snr: "3", fCnt: "1" }, 1_760_000_000_000]);
	assert.equal(event("up", { devEUI: "AgBeAABTAHc=", object: { t: 1 } })?.announced?.[0]?.address, EUI, "an id in base64: that of the topic");
	assert.deepEqual(readings(event("up", { devEUI: EUI, objectJSON: "{broken", data: "AA==" })), { data: "AA==" });
});

const STATUS: readonly (readonly [what: string, json: object, told: Record<string, string | boolean>])[] = [
	["a level", { margin: 10, batteryLevel: 88.3 }, { batteryLevel: "88.3", margin: "10" }], ["mains", { margin: 10, externalPowerSource: true, batteryLevel: 0 }, { margin: "10", externalPowerSource: true }], ["no level", { margin: 10, batteryLevelUnavailable: true, batteryLevel: 0 }, { margin: "10" }],
	["version 3, not known", { margin: 1, battery: 255 }, { margin: "1" }],
];
for (const [what, json, told] of STATUS) {
	test(`a status with ${what}`, () => assert.deepEqual(readings(event("status", { ...head, ...json })), told));
}

test("a location is three points; a join says that the device is there", () => {
	assert.deepEqual(readings(event("location", { ...head, location: { latitude: 1.5, longitude: -2, altitude: 3, source: "GEO" } })), { "location.latitude": "1.5", "location.longitude": "-2", "location.altitude": "3" });
	assert.deepEqual(statesOf(event("join", head)), { [EUI]: "online" });
	assert.deepEqual(event("ack", head)?.heard, [EUI]);
	assert.deepEqual(readings(event("integration", { ...head, object: { x: 1 } })), { x: "1" });
});

test("logs, sent downlinks and commands tell nothing, and are no life", () => {
	for (const kind of ["log", "txack"]) assert.deepEqual([event(kind, { ...head, level: "ERROR" })?.told, event(kind, head)?.heard], [undefined, undefined]);
	assert.deepEqual(event("tomorrow", head), {});
	assert.deepEqual(new ChirpStack().hear(message(`application/7/device/${EUI}/command/down`, { data: "AA==" })), {});
	for (const topic of ["application/7/gateway/x/event/up", "application//device/x/event/up", "other/7/device/x/event/up"]) assert.equal(new ChirpStack().hear(message(topic, {})), undefined);
});

test("Protocol Buffers are named, with the cure", () => {
	const meaning = new ChirpStack().hear({ kind: "message", topic: `application/7/device/${EUI}/event/up`, payload: Buffer.from([0x0a, 0x24, 0xff]), retained: false });
	assert.match(reasons(meaning).join(), /has to send JSON/);
});

test("command() knows its devices, of which none can be set", () => {
	const server: Convention = new ChirpStack();
	server.hear(message(`application/7/device/${EUI}/event/status`, { ...head, margin: 1 }));
	assert.equal(server.command("other", "x", true), undefined);
	assert.throws(() => server.command(EUI, "margin", true), (error) => error instanceof GatewayError && error.fault === "not-writable");
});

test("hear() throws for no message", () => {
	const server = new ChirpStack();
	const chance = new Chance(4);
	const whole = Buffer.from(JSON.stringify({ ...head, object: { t: 1, l: [{ a: "1" }] }, objectJSON: "{}", rxInfo: [{ rssi: 1 }], margin: 1, batteryLevel: 2, location: { latitude: 1 } }));
	for (let run = 0; run < RUNS; run++) server.hear({ kind: "message", topic: `application/7/device/${EUI}/event/${chance.pick(["up", "status", "join", "location", "log", "integration"])}`, payload: mutate(chance, whole), retained: false });
});

let broker: TestBroker;
before(async () => void (broker = await TestBroker.start()));
after(async () => broker.stop());

test("ChirpStackServer: its sensor joins and is read", async () => {
	const clock = new FakeClock();
	const site = await Listener.start(broker.url, new ChirpStack());
	const sim = new ChirpStackServer({ url: broker.url, clock });
	try {
		await sim.start();
		await until("the first uplink", () => site.value(sim.devEui, "temperature") === "18.75");
		assert.deepEqual([site.value(sim.devEui, "humidity"), site.value(sim.devEui, "leak"), site.value(sim.devEui, "door"), site.availability(sim.devEui)], ["60.5", "false", undefined, "online"]);
		clock.advance(60_000);
		await until("the second", () => site.value(sim.devEui, "fCnt") === "1");
		assert.equal(Number(site.value(sim.devEui, "temperature")), sim.state.temperature);
		sim.status();
		await until("its battery", () => site.value(sim.devEui, "batteryLevel") === "91.3");
	} finally {
		await sim.crash();
		await site.stop();
	}
});
