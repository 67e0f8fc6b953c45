// A value that is older than `report:` allows never looks fresh, through whichever door it is seen.
import assert from "node:assert/strict";
import { test } from "node:test";
import { chat } from "../../src/north/chat/chat.js";
import { readout } from "../../src/north/readout/readout.js";
import { chat as line, DOMAIN, harness, iq } from "./harness.js";

const ALICE = "alice@example.org/phone";
const THING = `weather@${DOMAIN}/thing`;

async function weather(minutes: number, retained = false) {
	let ids = 0;
	const h = harness((verbs) => [chat(verbs, { newId: () => `n${++ids}` }), readout(verbs)]);
	h.registry.report([{ points: ["*.temperature"], maxAge: 20 * 60_000 }]);
	await h.report("weather", { temperature: "21.50", humidity: "45" }, retained ? { retained, ageUnknown: true } : {});
	await h.clock.advance(minutes * 60_000);
	return h;
}
const body = (sent: readonly string[]): string => sent.map((stanza) => /<body>(.*?)<\/body>/s.exec(stanza)?.[1] ?? "").join("");

// [minutes, retained, chat, flags in XEP-0323, flags of the Neuro-Foundation]
const ROWS: readonly (readonly [number, boolean, string, string, string])[] = [
	[20, false, "20 min ago", "automaticReadout='true'", "ar='true'"],
	[25, false, "stale: 25 min old", "automaticReadout='true' warning='true'", "ar='true' w='true'"],
	[0, true, "stale: age unknown", "automaticReadout='true' timeOffset='true' warning='true'", "ar='true' of='true' w='true'"],
];
for (const [minutes, retained, age, x, n] of ROWS) {
	test(`a value of ${retained ? "unknown age" : `${minutes} minutes ago`} is "${age}" in chat, ${x} and ${n} in stanzas, with its own time`, async () => {
		const h = await weather(minutes, retained);
		assert.equal(body(await h.ask(line(ALICE, `weather@${DOMAIN}`, "read temperature"))), `${retained ? "weather is unknown; this is what it said last:\n" : ""}temperature: 21.50 °C (${age})`);
		assert.match(body(await h.ask(line(ALICE, `weather@${DOMAIN}`, "status").replace("m1", "m2"))), new RegExp(`\ntemperature: 21\\.50 °C \\(${age}\\)\nhumidity: 45 %RH \\((?!stale)`));
		await h.ask(iq("get", ALICE, THING, "<req xmlns='urn:xmpp:iot:sensordata' seqnr='1' momentary='true'/>"));
		await h.clock.advance(0);
		const told = h.take().join("");
		assert.ok(told.includes(`<timestamp value='2026-01-01T00:00:00Z'><numeric name='temperature' momentary='true' ${x} value='21.50' unit='°C'/>`), told);
		assert.ok(!/name='humidity'[^>]*warning/.test(told), told);
		const neuro = (await h.ask(iq("get", ALICE, THING, "<req xmlns='urn:nf:iot:sd:1.0' id='1' m='true'/>"))).join("");
		assert.ok(neuro.includes(`<ts v='2026-01-01T00:00:00Z'><q n='temperature' m='true' ${n} v='21.50' u='°C'/>`), neuro);
	});
}
