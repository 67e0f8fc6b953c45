import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { RuuviGateway } from "../../../firmware-sim/ruuvi-gateway.js";
import { GatewayError } from "../../../src/core/errors.js";
import type { Convention } from "../../../src/south/conventions/convention.js";
import { Ruuvi } from "../../../src/south/conventions/ruuvi.js";
import type { Meaning } from "../../../src/south/meaning.js";
import { Chance, mutate, RUNS } from "../../fakes/fuzz.js";
import { TestBroker, until } from "../../firmware-sim/broker.js";
import { FakeClock } from "../../firmware-sim/fake-clock.js";
import { Listener } from "./on-a-broker.js";
import { message, readings, reasons, statesOf } from "./said.js";

const GATEWAY = "02:00:5E:00:53:01";
const TAG = "CB:B8:33:4C:88:4F";
const tag = "cbb8334c884f";

/** An advertisement with this in its manufacturer data. */
function advert(data: string, company = "9904"): string {
	const length = (data.length / 2 + 3).toString(16).padStart(2, "0");
	return `020106${length}ff${company}${data}`;
}

function said(data: string | undefined, more: object = {}, { topic = `ruuvi/${GATEWAY}/${TAG}`, retained = false } = {}) {
	return message(topic, { gw_mac: GATEWAY, aoa: [], gwts: "1760000001", ts: "1760000000", coords: "", ...(data !== undefined && { data: advert(data) }), ...more }, retained);
}

/** The test vectors of the formats' own documents: valid, largest, smallest, not available. */
const ROWS: readonly (readonly [what: string, data: string, told: Record<string, string | boolean>])[] = [
	["3, valid", "03291a1ece1efc18f94202ca0b53", { temperature: "26.30", humidity: "20.5", pressure: "102766", accelX: "-1.000", accelY: "-1.726", accelZ: "0.714", voltage: "2.899" }],
	["3, below zero", "0300ff630000ffff00000000 0001".replace(" ", ""), { temperature: "-127.99", humidity: "0.0", pressure: "50000", accelX: "-0.001", accelY: "0.000", accelZ: "0.000", voltage: "0.001" }],
	["5, valid", "0512fc5394c37c0004fffc040cac364200cdcbb8334c884f", { temperature: "24.300", humidity: "53.4900", pressure: "100044", accelX: "0.004", accelY: "-0.004", accelZ: "1.036", voltage: "2.977", txPower: "4", movementCounter: "66", measurementSequenceNumber: "205" }],
	["5, largest", "057ffffffefffe7fff7fff7fffffdefefffecbb8334c884f", { temperature: "163.835", humidity: "163.8350", pressure: "115534", accelX: "32.767", accelY: "32.767", accelZ: "32.767", voltage: "3.646", txPower: "20", movementCounter: "254", measurementSequenceNumber: "65534" }],
	["5, smallest", "058001000000008001800180010000000000cbb8334c884f", { temperature: "-163.835", humidity: "0.0000", pressure: "50000", accelX: "-32.767", accelY: "-32.767", accelZ: "-32.767", voltage: "1.600", txPower: "-40", movementCounter: "0", measurementSequenceNumber: "0" }],
	["5, not available", "058000ffffffff800080008000ffffffffffffffffffffff", {}],
	["C5", "c512fc5394c37cac364200cdcbb8334c884f", { temperature: "24.300", humidity: "53.4900", pressure: "100044", voltage: "2.977", txPower: "4", movementCounter: "66", measurementSequenceNumber: "205" }],
	["6, valid", "06170c5668c79e007000c90501d9ffcd004c884f", { temperature: "29.500", humidity: "55.3000", pressure: "101102", pm25: "11.2", co2: "201", voc: "10", nox: "2", luminosity: "13026.67", measurementSequenceNumber: "205", calibrationInProgress: false }],
	["6, largest", "067fff9c40fffe27109c40fafafeffff074c884f", { temperature: "163.835", humidity: "100.0000", pressure: "115534", pm25: "1000.0", co2: "40000", voc: "500", nox: "500", luminosity: "65535.00", measurementSequenceNumber: "255", calibrationInProgress: true }],
	["6, not available", "068000ffffffffffffffffffffffffffffffffff", { measurementSequenceNumber: "255", calibrationInProgress: true }],
	["6, the ninth bits", "06170c5668c79e007000c90501d9ffcdc04c884f", { temperature: "29.500", humidity: "55.3000", pressure: "101102", pm25: "11.2", co2: "201", voc: "11", nox: "3", luminosity: "13026.67", measurementSequenceNumber: "205", calibrationInProgress: false }],
	["E1, valid", "e1170c5668c79e0065007004bd11ca00c90a0213e0acffffffdecdee10ffffffffffcbb8334c884f", { temperature: "29.500", humidity: "55.3000", pressure: "101102", pm1: "10.1", pm25: "11.2", pm4: "121.3", pm10: "455.4", co2: "201", voc: "20", nox: "4", luminosity: "13027.00", measurementSequenceNumber: "14601710", calibrationInProgress: false }],
	["E1, not available", "e18000ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff", { calibrationInProgress: true }],
];
for (const [format, data, told] of ROWS) {
	test(`hear() reads data format ${format}`, () => {
		const meaning = new Ruuvi().hear(said(data));
		assert.deepEqual(readings(meaning), told);
		for (const one of meaning?.told ?? []) assert.deepEqual([one.address, one.at], [tag, 1_760_000_000_000]);
	});
}

test("a tag is announced once, by its MAC, with units", () => {
	const ruuvi = new Ruuvi();
	const [announced] = ruuvi.hear(said(ROWS[2]![1], { rssi: -60 }))!.announced!;
	assert.deepEqual([announced!.address, announced!.manufacturer, announced!.model, announced!.type], [tag, "Ruuvi", "RuuviTag", "sensor"]);
	const units = Object.fromEntries(Object.entries(announced!.points).map(([name, point]) => [name, point.kind === "numeric" ? point.unit : point.kind]));
	assert.deepEqual(units, { temperature: "°C", humidity: "%", pressure: "Pa", accelX: "g", accelY: "g", accelZ: "g", voltage: "V", txPower: "dBm", movementCounter: undefined, measurementSequenceNumber: undefined, rssi: "dBm" });
	assert.equal(ruuvi.hear(said(ROWS[3]![1], { rssi: -61 }))?.announced, undefined);
});

test("the same measurement, repeated or through another gateway, is life and not told again", () => {
	const ruuvi = new Ruuvi();
	ruuvi.hear(said(ROWS[2]![1]));
	const again = ruuvi.hear(said(ROWS[2]![1], { rssi: -80 }, { topic: `ruuvi/02:00:5E:00:53:02/${TAG}` }));
	assert.deepEqual(again, { heard: [tag] });
});

test("who sends format E1 is not read in format 6", () => {
	const ruuvi = new Ruuvi();
	ruuvi.hear(said(ROWS[11]![1]));
	assert.deepEqual(ruuvi.hear(said(ROWS[7]![1])), { heard: [tag] });
});

test("without a time of the gateway there is none; a retained message gives no life", () => {
	const meaning = new Ruuvi().hear(said(ROWS[2]![1], { ts: undefined, gwts: undefined, cnt: "338" }, { retained: true }));
	assert.deepEqual([meaning?.told?.[0]?.at, meaning?.heard], [undefined, undefined]);
});

test("keys that a gateway has decoded are read where the data are not there", () => {
	const meaning = new Ruuvi().hear(said(undefined, { dataFormat: 5, temperature: 21.345, humidity: 40, movementCounter: 7, rssi: -50, id: TAG }));
	assert.deepEqual(readings(meaning), { temperature: "21.345", humidity: "40", movementCounter: "7", rssi: "-50" });
});

const NOTHING_IN_IT: readonly (readonly [what: string, said: object, misfit: RegExp | undefined])[] = [
	["another maker", { data: advert("0512fc", "4c00") }, undefined], ["data that are no hex", { data: "02010x" }, undefined], ["a length beyond the end", { data: "ff01" }, undefined], ["empty data", { data: "" }, undefined],
	["an unknown format", { data: advert("0855aa55aa") }, /data format is not known, or too short/], ["a format that is cut off", { data: advert("0512fc5394") }, /data format is not known, or too short/], ["endless data", { data: "00".repeat(3_000) }, undefined],
];
for (const [what, json, misfit] of NOTHING_IN_IT) {
	test(`hear() tells nothing of ${what}`, () => {
		const meaning = new Ruuvi().hear(said(undefined, json));
		assert.deepEqual([meaning?.told, meaning?.announced], [undefined, undefined]);
		if (misfit) assert.match(reasons(meaning).join(), misfit);
		else assert.equal(meaning?.misfits, undefined);
	});
}

test("hear() leaves what is not of a gateway to others, and names what is broken", () => {
	const ruuvi = new Ruuvi();
	assert.equal(ruuvi.hear(message("ruuvi/x/y", {})), undefined);
	assert.equal(ruuvi.hear(message(`other/${GATEWAY}/${TAG}`, { v: 1 })), undefined);
	assert.deepEqual(readings(ruuvi.hear(said(ROWS[6]![1], {}, { topic: `plant/${GATEWAY}/${TAG}` })))["pressure"], "100044");
	assert.match(reasons(ruuvi.hear(message(`ruuvi/${GATEWAY}/${TAG}`, "{"))).join(), /Cannot read JSON/);
	assert.deepEqual(ruuvi.filters(), ["ruuvi/+/+"]);
});

test("a gateway that is offline takes its tags along, until they are heard", () => {
	const ruuvi = new Ruuvi();
	ruuvi.hear(said(ROWS[2]![1]));
	const status = (state: string): Meaning | undefined => ruuvi.hear(message(`ruuvi/${GATEWAY}/gw_status`, { state }, true));
	assert.deepEqual(statesOf(status("online")), { "02005e005301": "online" });
	assert.deepEqual(statesOf(status("offline")), { "02005e005301": "offline", [tag]: "offline" });
	assert.deepEqual(statesOf(status("online")), { "02005e005301": "online", [tag]: "online" });
	status("offline");
	assert.deepEqual(statesOf(ruuvi.hear(said(ROWS[3]![1], {}, { topic: `ruuvi/02:00:5E:00:53:02/${TAG}` }))), { [tag]: "online" });
	assert.deepEqual(status("perhaps"), {});
});

test("command() knows its tags, in any spelling of the MAC, and none can be set", () => {
	const ruuvi: Convention = new Ruuvi();
	ruuvi.hear(said(ROWS[2]![1]));
	assert.equal(ruuvi.command("other", "x", true), undefined);
	assert.throws(() => ruuvi.command(TAG, "temperature", true), (error) => error instanceof GatewayError && error.fault === "not-writable");
	assert.throws(() => ruuvi.command(tag, "nothing", true), (error) => error instanceof GatewayError && error.fault === "unknown-point");
});

test("hear() throws for no advertisement, cut at every byte or damaged", () => {
	const ruuvi = new Ruuvi();
	for (const [, data] of ROWS) for (let cut = 0; cut <= data.length; cut += 2) ruuvi.hear(said(data.slice(0, cut)));
	const chance = new Chance(3);
	for (let run = 0; run < RUNS; run++) {
		const bytes = run % 3 === 0 ? chance.bytes(chance.int(60)) : mutate(chance, Buffer.from(advert(chance.pick(ROWS)[1]), "hex"));
		for (const { value } of ruuvi.hear(said(undefined, { data: Buffer.from(bytes).toString("hex") }))?.told ?? []) if (typeof value === "object") assert.ok(Number.isFinite(value.number));
	}
});

let broker: TestBroker;
before(async () => void (broker = await TestBroker.start()));
after(async () => broker.stop());

test("RuuviGateway is found with its two tags, read, and offline by its will", async () => {
	const clock = new FakeClock();
	const site = await Listener.start(broker.url, new Ruuvi());
	const sim = new RuuviGateway({ url: broker.url, clock });
	try {
		await sim.start();
		await until("both tags", () => site.value("c2005e005321", "voltage") === "2.950" && site.value("c2005e005322", "luminosity") === "266.43");
		assert.deepEqual([site.value("c2005e005322", "voc"), site.value("c2005e005322", "nox"), site.value("c2005e005321", "accelZ")], ["101", "1", "1.012"]);
		clock.advance(10_000);
		sim.shake();
		await until("a move", () => site.value("c2005e005321", "movementCounter") === "1");
		assert.equal(Number(site.value("c2005e005321", "temperature")), sim.state.temperature);
		assert.equal(Number(site.value("c2005e005322", "co2")), sim.state.co2);
		assert.equal(site.availability("c2005e005321"), "online");
		await sim.crash();
		await until("the will", () => site.availability("c2005e005321") === "offline" && site.availability("02005e005320") === "offline");
	} finally {
		await sim.crash();
		await site.stop();
	}
});
