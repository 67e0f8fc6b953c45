import assert from "node:assert/strict";
import { test } from "node:test";
import { GatewayError } from "../../../src/core/errors.js";
import { NEURO_SENSOR_DATA, neuroSensorData } from "../../../src/north/readout/neuro-sensor-data.js";
import { readout } from "../../../src/north/readout/readout.js";
import { xep0323 } from "../../../src/north/readout/xep0323.js";
import { type Element, xml } from "../../../src/xmpp/xml.js";
import { Chance, RUNS } from "../../fakes/fuzz.js";
import { harness, iq } from "../harness.js";

const NAMES = ["req", "node", "field", "nd", "f", "cancel", "x"];
const ATTRS = ["seqnr", "id", "nodeId", "sourceId", "cacheType", "src", "pt", "name", "n", "momentary", "all", "m", "h", "historicalDay", "from", "to", "when"];
/** What fits the attribute, so that half of the requests get past the door. */
const FITTING: Readonly<Record<string, readonly string[]>> = {
	seqnr: ["7", "+07"], id: ["weather", "a9"], nodeId: ["weather", "WEATHER"], name: ["temperature", "humidity"], n: ["temperature"], momentary: ["1", "true"], all: ["true"], m: ["1", "0"], h: ["true"], historicalDay: ["1"],
	from: ["2025-01-01T00:00:00Z"], to: ["2026-01-01T00:00:01"], when: ["2026-01-01T00:00:01Z", "2030-01-01T00:00:01Z"],
};
const VALUES = ["", "1", "true", "yes", "7", "-7", "+07", "99999999999999999999", "weather", "WEATHER", "temperature", "humidity", "__proto__", "constructor", "\u0130", "é\ud83d\ude00", "2026-01-01T00:00:01Z", "2026-13-01T00:00:00Z", "9999-12-31T23:59:59+14:00", "a".repeat(300)];

function random(chance: Chance, xmlns: string, depth = 0): Element {
	const attrs: Record<string, string> = depth === 0 || chance.int(8) === 0 ? { xmlns } : {};
	const required = chance.int(16) === 0 ? [] : ["seqnr", "id", "nodeId", "name", "n"];
	for (const name of [...required, ...Array.from({ length: chance.int(4) }, () => chance.pick(ATTRS))]) attrs[name] = chance.pick(chance.int(16) === 0 ? VALUES : (FITTING[name] ?? VALUES));
	const children = depth < 2 ? Array.from({ length: chance.int(4) }, () => random(chance, chance.int(8) === 0 ? "urn:example" : xmlns, depth + 1)) : [];
	return xml(depth === 0 ? "req" : chance.pick(NAMES), attrs, ...children, chance.int(4) === 0 ? "text" : undefined);
}

test("parse() of both vocabularies throws nothing but GatewayError, and names each field once", () => {
	const chance = new Chance(1);
	const codecs = [xep0323({ integers: "int", legacyErrors: true }), ...NEURO_SENSOR_DATA.map((xmlns) => neuroSensorData({ xmlns, integers: "int" }))];
	let understood = 0;
	for (let run = 0; run < RUNS; run++) {
		const codec = chance.pick(codecs);
		const payload = random(chance, codec.xmlns);
		try {
			const { id, fields, when } = codec.parse(payload);
			understood++;
			assert.ok(id === payload.attrs["seqnr"] || id === payload.attrs["id"]);
			assert.equal(new Set(fields.map((name) => name.toLowerCase())).size, fields.length);
			assert.ok(when === undefined || Number.isFinite(when));
		} catch (error) {
			assert.ok(error instanceof GatewayError, String(error));
			assert.ok(error.message.startsWith("Cannot ") && error.message.length < 300, error.message);
		}
	}
	assert.ok(understood > RUNS / 4, `${understood}`);
});

test("every request has one answer, and every accepted readout comes to its end", async () => {
	const chance = new Chance(2);
	const h = harness((verbs) => [readout(verbs)]);
	await h.report("weather", { temperature: "21.50" });
	for (let run = 0; run < RUNS / 10; run++) {
		const xmlns = chance.pick(["urn:xmpp:iot:sensordata", ...NEURO_SENSOR_DATA]);
		const to = chance.pick(["weather@things.example.org", "things.example.org/x"]);
		const said = await h.ask(iq("get", "alice@example.org/pc", to, random(chance, xmlns).toString(), String(run)));
		assert.equal(said.length, 1, said.join("\n"));
		assert.match(said[0]!, /^<iq type='(?:result|error)'/);
		await h.clock.advance(24 * 3_600_000);
		for (const text of h.take()) assert.match(text, /^<message /);
	}
	assert.equal(h.clock.pending, 0);
	assert.deepEqual(h.complaints, []);
});
