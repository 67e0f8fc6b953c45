import assert from "node:assert/strict";
import { test } from "node:test";
import { parseXsDuration } from "../../src/north/events/duration.js";
import { type Events, events } from "../../src/north/events/events.js";
import { NEURO_EVENTS } from "../../src/north/events/neuro-events.js";
import { NS_EVENTS } from "../../src/north/events/x-events.js";
import { Windows } from "../../src/north/window.js";
import { type Element, xml } from "../../src/xmpp/xml.js";
import { Chance, RUNS } from "../fakes/fuzz.js";
import { DOMAIN, harness, iq, presenceStanza } from "./harness.js";

const ATTRS = ["seqnr", "id", "nodeId", "name", "n", "currentValue", "v", "changedBy", "by", "changedUp", "up", "changedDown", "dn", "minInterval", "minInt", "maxInterval", "maxInt", "maxAge", "req", "momentary", "all", "m", "h", "s"];
/** What fits the attribute, so that many requests get past the door. */
const FITTING: Readonly<Record<string, readonly string[]>> = {
	seqnr: ["7", "8"], id: ["weather", "a9"], nodeId: ["weather", "pump-1"], name: ["temperature", "flow", "mode"], n: ["temperature", "running"], currentValue: ["1"], v: ["1"], req: ["true", "0"], momentary: ["1"], all: ["true"], m: ["1"], h: ["1"], s: ["0"],
	...Object.fromEntries(["changedBy", "by", "changedUp", "up", "changedDown", "dn"].map((name) => [name, ["1", "0.5", "1e2"]])),
	...Object.fromEntries(["minInterval", "minInt", "maxInterval", "maxInt", "maxAge"].map((name) => [name, ["PT1S", "PT5M", "P1D", "PT0.01S", "P900000Y"]])),
};
const VALUES = ["", "1", "true", "-7", "NaN", "INF", "1e999", "P", "PT", "-PT5S", "PT99999999999S", "P1Y2M3DT4H5M6.789S", "weather", "__proto__", "constructor", "é\ud83d\ude00", "a".repeat(300)];

function random(chance: Chance, xmlns: string, depth = 0): Element {
	const attrs: Record<string, string> = depth === 0 || chance.int(8) === 0 ? { xmlns } : {};
	const required = chance.int(16) === 0 ? [] : ["seqnr", "id", "nodeId", "name", "n"];
	for (const name of [...required, ...Array.from({ length: chance.int(4) }, () => chance.pick(ATTRS))]) attrs[name] = chance.pick(chance.int(24) === 0 ? VALUES : (FITTING[name] ?? VALUES));
	const children = depth < 2 ? Array.from({ length: chance.int(4) }, () => random(chance, chance.int(8) === 0 ? "urn:example" : xmlns, depth + 1)) : [];
	return xml(depth === 0 ? chance.pick(["subscribe", "subscribe", "subscribe", "unsubscribe"]) : chance.pick(["node", "field", "nd", "f", "x"]), attrs, ...children, chance.int(4) === 0 ? "text" : undefined);
}

test("parseXsDuration() reads what the schema allows, and nothing else", () => {
	const rows: readonly (readonly [string, number | undefined])[] = [
		["PT15M", 900_000], ["PT5S", 5_000], ["P1D", 86_400_000], ["PT0.5S", 500], ["PT0S", 0], ["P1DT2H", 93_600_000], [" PT1H ", 3_600_000], ["P1Y", 31_536_000_000], ["P1M", 2_592_000_000], ["PT1H30M15.25S", 5_415_250],
		["", undefined], ["P", undefined], ["PT", undefined], ["P1DT", undefined], ["1S", undefined], ["PT5", undefined], ["-PT5S", undefined], ["PT.5S", undefined], ["PT5M1H", undefined], ["P1S", undefined], ["pt5s", undefined], [`PT${"1".repeat(80)}S`, undefined],
	];
	for (const [text, span] of rows) assert.equal(parseXsDuration(text), span, text);
});

test("every request has one answer, every event is well formed and whole, and nothing stays behind", async () => {
	const chance = new Chance(41);
	let keys = 0;
	let made: Events | undefined;
	const h = harness((verbs) => [made = events(verbs, { windows: new Windows({ clock: verbs.clock, log: verbs.log, ask: async () => xml("iq") }), newId: () => `key${++keys}` })]);
	let accepted = 0;
	let told = 0;
	for (let run = 0; run < RUNS; run++) {
		const from = `alice@example.org/${chance.int(5)}`;
		const to = chance.pick([`weather@${DOMAIN}`, `pump-1@${DOMAIN}/thing`, DOMAIN]);
		const [answer = "", ...more] = await h.ask(iq(chance.pick(["get", "set"]), from, to, random(chance, chance.pick([NS_EVENTS, ...NEURO_EVENTS])).toString(), `q${run}`));
		assert.deepEqual(more.filter((text) => text.startsWith("<iq")), [], "one answer");
		assert.match(answer, /^<iq type='(?:result|error)'/);
		if (answer.includes("<accepted ")) accepted++;
		await h.report("weather", { temperature: String(chance.int(30)), humidity: String(chance.int(5)) });
		if (chance.int(2) === 0) await h.report("pump-1", { running: chance.int(2) === 0, mode: chance.pick(["auto", "manual"]) });
		if (chance.int(20) === 0) await h.hear(presenceStanza([undefined, "probe", "unavailable"][chance.int(3)], from, `weather@${DOMAIN}`));
		await h.clock.advance(chance.int(3_000));
		for (const text of h.take()) {
			assert.match(text, /^<message [^>]+><(?:fields|resp) .*<no-store xmlns='urn:xmpp:hints'\/><\/message>$/);
			assert.doesNotMatch(text, /done='false'|more='true'/);
			told++;
		}
		assert.ok(made!.size <= 10, "two devices, five clients");
	}
	assert.deepEqual(h.complaints, []);
	assert.ok(accepted > RUNS / 5 && told > RUNS / 5, `${accepted} ${told}`);
	h.close();
	await h.clock.advance(60_000); // the last pings
	assert.equal(h.clock.pending, 0);
});
