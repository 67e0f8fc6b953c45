import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { SenmlSensor } from "../../../firmware-sim/senml-sensor.js";
import { GatewayError } from "../../../src/core/errors.js";
import type { Convention } from "../../../src/south/conventions/convention.js";
import { SenMl } from "../../../src/south/conventions/senml.js";
import type { Message } from "../../../src/south/link.js";
import type { Meaning } from "../../../src/south/meaning.js";
import { Chance, mutate, RUNS } from "../../fakes/fuzz.js";
import { TestBroker, until } from "../../firmware-sim/broker.js";
import { FakeClock } from "../../firmware-sim/fake-clock.js";
import { Listener } from "./on-a-broker.js";
import { message, reasons, toldBy } from "./said.js";

const JSON_TYPE = "application/senml+json";
const CBOR_TYPE = "application/senml+cbor; v=1";

function pack(records: unknown, contentType?: string, topic = "senml/pack"): Message {
	return { ...message(topic, records), ...(contentType !== undefined && { contentType }) };
}

function hear(records: unknown): Meaning | undefined {
	return new SenMl().hear(pack(records, JSON_TYPE));
}

const BN = "urn:dev:mac:02005efffe005310:";
const DEVICE = BN.slice(0, -1);

const ROWS: readonly (readonly [what: string, records: unknown, told: Record<string, string | boolean>])[] = [
	["a base name and names", [{ bn: BN, n: "temp", u: "Cel", v: 21.5 }, { n: "door", vb: false }, { n: "site", vs: "bed 7" }, { n: "blob", vd: "aGkg" }], { [`${DEVICE} temp`]: "21.5", [`${DEVICE} door`]: false, [`${DEVICE} site`]: "bed 7" }],
	["a base name that changes", [{ bn: "a/", n: "x", v: 1 }, { bn: "b/", n: "x", v: 2 }], { "a x": "1", "b x": "2" }],
	["a record with only base fields", [{ bn: BN, bu: "V" }, { n: "u1", v: 3.3 }], { [`${DEVICE} u1`]: "3.3" }],
	["a base value and a base sum", [{ bn: BN, n: "a", bv: 20.25, v: 1.5, bs: 100, s: 5 }, { n: "b", v: -0.05 }], { [`${DEVICE} a`]: "21.75", [`${DEVICE} a/sum`]: "105", [`${DEVICE} b`]: "20.20" }],
	["a sum alone", [{ bn: BN, n: "flow", u: "J", s: 12.5 }], { [`${DEVICE} flow/sum`]: "12.5" }],
	["a name alone", [{ n: DEVICE, u: "Cel", v: 21 }], { [`${DEVICE} ${DEVICE} Cel`]: "21" }],
	["records without names", [{ bn: DEVICE, u: "%RH", v: 20 }, { u: "lon", v: 24.1 }, { v: 7 }], { [`${DEVICE} ${DEVICE} %RH`]: "20", [`${DEVICE} ${DEVICE} lon`]: "24.1", [`${DEVICE} ${DEVICE}`]: "7" }],
	["one name in two units", [{ bn: BN, n: "pos", u: "lat", v: 60.1 }, { n: "pos", u: "m", v: 12 }], { [`${DEVICE} pos`]: "60.1", [`${DEVICE} pos m`]: "12" }],
	["whole names of urn:dev", [{ n: "urn:dev:ow:10e2073a01080099:voltage", v: 1 }, { n: "urn:dev:ow:10e2073a01080099_amps", v: 2 }, { n: "urn:dev:os:32473-1:x:temp", v: 3 }], { "urn:dev:ow:10e2073a01080099 voltage": "1", "urn:dev:ow:10e2073a01080099 amps": "2", "urn:dev:os:32473-1:x temp": "3" }],
	["whole names with a slash", [{ n: "room/north/temp", v: 1 }], { "room/north temp": "1" }],
	["a name of one word: the topic is the device", [{ n: "temp", v: 1 }], { "pack temp": "1" }],
	["null", [{ bn: BN, n: "a", v: 1 }, { n: "b", u: null, v: 2 }], {}],
	["a label of tomorrow that must be understood", [{ bn: BN, n: "a", v: 1, "new_": 2 }], {}],
	["a label of tomorrow that need not", [{ bn: BN, n: "a", v: 1, "new": 2 }], { [`${DEVICE} a`]: "1" }],
	["the known version", [{ bn: BN, bver: 10, n: "a", v: 1 }], { [`${DEVICE} a`]: "1" }],
	["a later version", [{ bn: BN, bver: 11, n: "a", v: 1 }], {}],
	["a value of the wrong kind", [{ bn: BN, n: "a", v: "1" }], {}],
];
for (const [what, records, told] of ROWS) {
	test(`hear() resolves ${what}`, () => {
		const meaning = hear(records);
		assert.deepEqual(toldBy(meaning), told);
		if (Object.keys(told).length === 0) assert.match(reasons(meaning).join(), /^Cannot read SenML/);
	});
}

test("units of the registry are ours, others are none", () => {
	const units = [["Cel", "°C"], ["%RH", "%"], ["%EL", "%"], ["lat", "°"], ["Ohm", "Ω"], ["m3", "m³"], ["var", "VAr"], ["kWh", "kWh"], ["ug/m3", "µg/m³"], ["/", undefined], ["count", undefined], ["constructor", undefined]] as const;
	for (const [code, unit] of units) {
		const point = hear([{ bn: BN, n: "x", u: code, v: 1 }])?.announced?.[0]?.points["x"];
		assert.equal(point?.kind === "numeric" ? point.unit : "?", unit, code);
	}
});

test("times: absolute ones are told, oldest first; those relative to now count from the receipt of a live message, and where nobody knows it those of the past are an estimate", () => {
	const base = 1_760_000_000;
	const told = (records: unknown) => hear(records)?.told?.map(({ value, at, quality }) => [typeof value === "object" ? value.text : value, at === undefined ? undefined : at / 1_000 - base, quality]);
	assert.deepEqual(told([{ bn: BN, bt: base, n: "a", v: 1 }, { n: "a", t: -20.5, v: 2 }, { n: "a", t: -10, v: 3 }]), [["2", -20.5, undefined], ["3", -10, undefined], ["1", 0, undefined]]);
	assert.deepEqual(told([{ bn: BN, n: "a", t: base + 5, v: 1 }]), [["1", 5, undefined]]);
	assert.deepEqual(told([{ bn: BN, n: "a", t: -5, v: 1 }, { n: "a", v: 2 }, { n: "a", t: -9, v: 3 }]), [["3", undefined, "estimate"], ["1", undefined, "estimate"], ["2", undefined, undefined]]);
	const received = Date.UTC(2026, 0, 1);
	const RELATIVE = [{ bn: BN, n: "a", t: -5, v: 1 }, { n: "a", v: 2 }, { n: "a", t: -9.5, v: 3 }];
	for (const [retained, rows] of [[false, [["3", -9_500, undefined], ["1", -5_000, undefined], ["2", undefined, undefined]]], [true, [["3", undefined, "estimate"], ["1", undefined, "estimate"], ["2", undefined, undefined]]]] as const) {
		const meaning = new SenMl().hear({ ...pack(RELATIVE), retained }, received);
		assert.deepEqual(meaning?.told?.map(({ value, at, quality }) => [typeof value === "object" ? value.text : value, at === undefined ? undefined : at - received, quality]), rows);
	}
	assert.deepEqual(told([{ bn: BN, bt: 2 ** 28, n: "a", v: 1 }]), [["1", undefined, undefined]], "1978 is no time of a device");
});

test("the update time is how often the device should be heard from", () => {
	assert.equal(hear([{ bn: BN, n: "a", v: 1, ut: 300 }])?.announced?.[0]?.every, 300_000);
});

test("without a content type only what looks like SenML is taken, on whatever topic", () => {
	const takes = (records: unknown, topic = "any/where") => new SenMl().hear(pack(records, undefined, topic)) !== undefined;
	assert.equal(takes([{ bn: BN, n: "a", v: 1 }]), true);
	assert.equal(takes([{ n: "a", vb: true }, { n: "b", v: 1 }]), true);
	for (const other of [[], [1], {}, [{ n: 1, v: 2 }], [{ name: "a", v: 1 }], [{ n: "a" }], [{ n: "a", v: 1 }, 7], [{ n: "a", v: "x" }], [{ v: 1 }], [{ n: "a", v: 1, x: 1, y: 2, z: 3 }], "text", '[{"n":"a",', ""]) assert.equal(takes(other), false, JSON.stringify(other));
	assert.match(reasons(new SenMl().hear({ ...message("t", "{"), contentType: JSON_TYPE })).join(), /Cannot read JSON/);
	assert.match(reasons(new SenMl().hear({ ...message("t", {}), contentType: JSON_TYPE })).join(), /no list of records/);
});

/** [{-2: "dev:", -3: 1.76e9, 0: "t", 1: "Cel", 2: 21.5, 6: -10}, {0: "on", 4: true}, {0: "s", 3: "x"}, {0: "f", 2: 4([-2, 27315])}, {0: "j", 5: 7}, {0: "d", 8: h'01'}] */
const CBOR = Buffer.from("86 a6 21 64 6465763a 22 1a 68e77800 00 61 74 01 63 43656c 02 f9 4d60 06 29 a2 00 62 6f6e 04 f5 a2 00 61 73 03 61 78 a2 00 61 66 02 c4 82 21 19 6ab3 a2 00 61 6a 05 07 a2 00 61 64 08 41 01".replaceAll(" ", ""), "hex");

test("hear() reads CBOR by its content type and by its shape, with the digits of decimal fractions", () => {
	for (const contentType of [CBOR_TYPE, undefined]) {
		const meaning = new SenMl().hear({ kind: "message", topic: "x", payload: CBOR, retained: false, ...(contentType !== undefined && { contentType }) });
		assert.deepEqual(toldBy(meaning), { "dev t": "21.5", "dev on": true, "dev s": "x", "dev f": "273.15", "dev j/sum": "7" });
		assert.equal(meaning?.told?.find(({ point }) => point === "t")?.at, (0x68e77800 - 10) * 1_000);
	}
	assert.match(reasons(new SenMl().hear({ kind: "message", topic: "x", payload: CBOR.subarray(0, 20), retained: false, contentType: CBOR_TYPE })).join(), /cut off/);
	assert.equal(new SenMl().hear({ kind: "message", topic: "x", payload: CBOR.subarray(0, 20), retained: false }), undefined);
});

test("the same pack again announces nothing again; retained packs give no life", () => {
	const senml = new SenMl();
	const one = pack([{ bn: BN, n: "a", v: 1 }], JSON_TYPE);
	assert.deepEqual(senml.hear(one)?.heard, [DEVICE]);
	const again = senml.hear({ ...one, retained: true });
	assert.deepEqual([again?.announced, again?.heard, again?.told?.length], [undefined, undefined, 1]);
});

test("command() knows its devices, of which none can be set", () => {
	const senml: Convention = new SenMl();
	senml.hear(pack([{ bn: BN, n: "a", v: 1 }], JSON_TYPE));
	assert.equal(senml.command("other", "a", "x"), undefined);
	for (const [point, fault] of [["a", "not-writable"], ["b", "unknown-point"]] as const) assert.throws(() => senml.command(DEVICE, point, "x"), (error) => error instanceof GatewayError && error.fault === fault);
});

test("a pack has at most 5000 records", () => {
	assert.match(reasons(hear(Array.from({ length: 5_001 }, () => ({ n: "a", v: 1 })))).join(), /more than 5000 records/);
});

test("hear() throws for no payload, cut at every byte or damaged", () => {
	const text = Buffer.from(JSON.stringify([{ bn: BN, bt: 1.76e9, bu: "V", n: "a", v: 1.5 }, { n: "b", t: 5, vs: "x" }, { n: "c", vb: true, s: 2 }]));
	const senml = new SenMl();
	for (const whole of [text, CBOR]) for (let cut = 0; cut < whole.length; cut++) for (const contentType of [JSON_TYPE, CBOR_TYPE]) senml.hear({ kind: "message", topic: "x", payload: whole.subarray(0, cut), retained: false, contentType });
	const chance = new Chance(5);
	let told = 0;
	for (let run = 0; run < RUNS; run++) {
		const contentType = [JSON_TYPE, CBOR_TYPE, undefined][run % 3];
		told += senml.hear({ kind: "message", topic: "x", payload: run % 5 === 0 ? chance.bytes(chance.int(60)) : mutate(chance, chance.pick([text, CBOR])), retained: false, ...(contentType !== undefined && { contentType }) })?.told?.length ?? 0;
	}
	assert.ok(told > RUNS / 20, String(told));
});

let broker: TestBroker;
before(async () => void (broker = await TestBroker.start()));
after(async () => broker.stop());

for (const form of ["json", "cbor"] as const) {
	test(`SenmlSensor in ${form} is found and read, with the times of its samples`, async () => {
		const clock = new FakeClock();
		const site = await Listener.start(broker.url, new SenMl());
		const sim = new SenmlSensor({ url: broker.url, form, clock, urn: `urn:dev:mac:02005efffe00531${form === "json" ? 1 : 2}` });
		try {
			await sim.start();
			await until("the first pack", () => site.value(sim.urn, "pump") === "false");
			clock.advance(30_000);
			await until("three samples", () => site.twins.get(sim.urn)?.readings.get("soil-temp")?.at === clock.now());
			assert.equal(Number(site.value(sim.urn, "soil-temp")), sim.state.temperature);
			assert.equal(Number(site.value(sim.urn, "moisture")), sim.state.moisture);
			assert.deepEqual([site.value(sim.urn, "site"), site.availability(sim.urn), site.announced.get(sim.urn)], ["bed 7", "online", 1]);
		} finally {
			await sim.crash();
			await site.stop();
		}
	});
}
