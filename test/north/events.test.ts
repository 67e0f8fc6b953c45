import assert from "node:assert/strict";
import { test } from "node:test";
import type { Points } from "../../src/core/point.js";
import { AFTER_LOSS, type Events, events, LEAST_INTERVAL } from "../../src/north/events/events.js";
import { NEURO_EVENTS } from "../../src/north/events/neuro-events.js";
import { MAX_OF_ONE, PAUSED_FOR } from "../../src/north/events/subscribers.js";
import { GONE_AFTER, WINDOW, Windows } from "../../src/north/window.js";
import { parseStanza } from "../../src/xmpp/parser.js";
import { xml } from "../../src/xmpp/xml.js";
import { DOMAIN, harness, type Harness, type HarnessOptions, iq, presenceStanza } from "./harness.js";

const BOILER: Points = {
	temperature: { kind: "numeric", access: "r", unit: "°C" },
	burner: { kind: "boolean", access: "rw" },
	mode: { kind: "enum", access: "rw", labels: ["auto", "off"], category: "status" },
	reset: { kind: "boolean", access: "w" },
};
const OP = "oscar@ops.example.org/desk";
const OSCAR = "oscar@ops.example.org";
const DEV = `boiler@${DOMAIN}/thing`;
const X = "urn:xmpp:iot:events";
const N = "urn:nf:iot:events:1.0";
const X_DATA = "urn:xmpp:iot:sensordata";
const N_DATA = "urn:nf:iot:sd:1.0";

let keys = 0;

interface Bench extends Harness {
	readonly events: Events;
	readonly windows: Windows;
}

/** @param answers Does everybody answer pings at once? */
async function bench({ answers = true, ...options }: HarnessOptions & { readonly answers?: boolean } = {}): Promise<Bench> {
	const parts: { events?: Events; windows?: Windows } = {};
	const h = harness((verbs) => {
		parts.windows = new Windows(answers ? { clock: verbs.clock, log: verbs.log, ask: async () => xml("iq") } : verbs);
		return [parts.events = events(verbs, { windows: parts.windows, newId: () => `key${++keys}` })];
	}, { devices: { boiler: BOILER, "pump-1": { flow: { kind: "numeric", access: "r" } } }, ...options });
	await h.report("boiler", { temperature: "71.5", burner: false });
	return Object.assign(h, { events: parts.events!, windows: parts.windows! });
}

/** Let `ms` pass, and give the events said since the last time, without their ids. */
async function after(h: Harness, ms: number = LEAST_INTERVAL): Promise<string[]> {
	await h.clock.advance(ms);
	return h.take().filter((text) => text.startsWith("<message")).map((text) => text.replace(/^(<message[^>]*) id='[^']+'/, "$1"));
}

/** It comes back, from who got it. */
function bounce(event: string, { from, id }: { readonly from?: string; readonly id?: string } = {}): string {
	const { attrs } = parseStanza(event);
	return `<message type='error' from='${from ?? attrs["to"]}' to='${attrs["from"]}' id='${id ?? attrs["id"]}'><error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>`;
}

/** The temperatures that these events tell. */
function temperatures(said: readonly string[]): string[] {
	return said.flatMap((text) => [...text.matchAll(/(?:name|n)='temperature'[^>]* (?:value|v)='([^']*)'/g)].map((match) => match[1]!));
}

function sub(attrs: string, children = "", { from = OP, to = DEV, xmlns = X, id = "s1", type = "get" as "get" | "set" } = {}): string {
	return iq(type, from, to, `<subscribe xmlns='${xmlns}' ${attrs}>${children}</subscribe>`, id);
}

/** The same wish in each vocabulary. */
const DIALECTS = [
	{ name: "X", xmlns: X, data: X_DATA, id: "seqnr='7'", min: "minInterval", max: "maxInterval", by: (by: string) => `<field name='temperature' changedBy='${by}'/>`, momentary: "momentary='true'" },
	{ name: "N", xmlns: N, data: N_DATA, id: "id='7'", min: "minInt", max: "maxInt", by: (by: string) => `<f n='temperature' by='${by}'/>`, momentary: "m='true'" },
] as const;

test("subscribe is accepted in the sensor data namespace of its vocabulary, by get and by set, and `req` tells the values of now", async () => {
	const rows: readonly (readonly [attrs: string, children: string, xmlns: string, answer: string, event: string])[] = [
		["seqnr='007' momentary='true' req='true'", "<field name='Temperature' changedBy='0.5'/>", X, `<accepted xmlns='${X_DATA}' seqnr='007' queued='false'/>`,
			`<fields xmlns='${X_DATA}' seqnr='007' done='true'><node nodeId='boiler'><timestamp value='2026-01-01T00:00:00Z'><numeric name='temperature' momentary='true' automaticReadout='true' value='71.5' unit='°C'/></timestamp></node></fields>`],
		...NEURO_EVENTS.map((xmlns) => [`id='a&lt;9' m='1' req='1'`, "<f n='temperature' by='0.5'/>", xmlns, `<accepted xmlns='${xmlns.replace("events", "sd")}' id='a&lt;9'/>`,
			`<resp xmlns='${xmlns.replace("events", "sd")}' id='a&lt;9'><ts v='2026-01-01T00:00:00Z'><q n='temperature' m='true' ar='true' v='71.5' u='°C'/></ts></resp>`] as const),
	];
	for (const [attrs, children, xmlns, answer, event] of rows) {
		for (const type of ["get", "set"] as const) {
			const h = await bench();
			assert.deepEqual(await h.ask(sub(attrs, children, { xmlns, type })), [`<iq type='result' to='${OP}' from='${DEV}' id='s1'>${answer}</iq>`]);
			assert.deepEqual(await after(h, 0), [`<message from='${DEV}' to='${OP}'>${event}<no-store xmlns='urn:xmpp:hints'/></message>`]);
			await h.report("boiler", { temperature: "71.9" });
			assert.deepEqual(await after(h, 3_600_000), []);
		}
	}
});

for (const { name, xmlns, id, min, max, by, momentary } of DIALECTS) {
	test(`T9 ${name}: a change below the threshold is no event, one that reaches it is`, async () => {
		const h = await bench();
		await h.ask(sub(`${id} ${momentary}`, by("0.5"), { xmlns }));
		await h.report("boiler", { temperature: "71.9" });
		assert.deepEqual(await after(h, 60_000), []);
		await h.report("boiler", { temperature: "72.0" });
		assert.deepEqual(temperatures(await after(h)), ["72.0"]);
		await h.report("boiler", { temperature: "71.5" });
		assert.deepEqual(temperatures(await after(h)), ["71.5"], "measured from what was told last");
	});

	test(`T10 ${name}: within the minimum interval nothing is told, at the end of it the newest values`, async () => {
		const h = await bench();
		await h.ask(sub(`${id} ${momentary} ${min}='PT5S'`, by("0.5"), { xmlns }));
		await h.report("boiler", { temperature: "73" });
		assert.deepEqual(temperatures(await after(h, 0)), ["73"]);
		await h.clock.advance(1_000);
		await h.report("boiler", { temperature: "74" });
		await h.report("boiler", { temperature: "75" });
		assert.deepEqual(await after(h, 3_999), []);
		assert.deepEqual(temperatures(await after(h, 1)), ["75"]);
		assert.deepEqual(await after(h, 60_000), []);
	});

	test(`${name}: after the maximum interval the old values are told, with their old time`, async () => {
		const h = await bench();
		await h.ask(sub(`${id} ${momentary} ${max}='PT10M'`, by("0.5"), { xmlns }));
		assert.deepEqual(await after(h, 599_999), []);
		const [said = ""] = await after(h, 1);
		assert.ok(said.includes("'71.5'") && said.includes("'2026-01-01T00:00:00Z'"), said);
		assert.equal((await after(h, 1_800_000)).length, 3);
	});

	test(`T11 ${name}: who is unavailable is told nothing`, async () => {
		const h = await bench();
		await h.ask(sub(`${id} ${momentary} ${max}='PT10M'`, by("0.5"), { xmlns }));
		await h.hear(presenceStanza("unavailable", OP, `boiler@${DOMAIN}`));
		await h.report("boiler", { temperature: "80" });
		await h.report("boiler", { temperature: "90" });
		assert.deepEqual(await after(h, 3_600_000), []);
		await h.hear(presenceStanza(undefined, OP, `boiler@${DOMAIN}`));
		assert.deepEqual(temperatures(await after(h)), name === "X" ? ["90"] : [], "one event for whoever is back, if his subscription waited for him");
		assert.equal(h.events.size, name === "X" ? 1 : 0);
	});

	test(`T12 ${name}: the subscription ends with the presence subscription, whoever ends it`, async () => {
		for (const type of ["unsubscribe", "unsubscribed"]) {
			const h = await bench();
			await h.ask(sub(`${id} ${momentary}`, by("0.5"), { xmlns }));
			await h.hear(presenceStanza(type, OSCAR, `pump-1@${DOMAIN}`));
			assert.equal(h.events.size, 1, "of another device");
			await h.hear(presenceStanza(type, OSCAR, `boiler@${DOMAIN}`));
			assert.equal(h.events.size, 0);
			await h.report("boiler", { temperature: "90" });
			assert.deepEqual(await after(h, 3_600_000), []);
			assert.equal(h.clock.pending, 0);
		}
		const h = await bench();
		await h.ask(sub(`${id} ${momentary}`, by("0.5"), { xmlns }));
		h.events.gone(OSCAR, "boiler");
		assert.equal(h.events.size, 0, "an owner ended it");
	});

	test(`${name}: an event that comes back pauses or ends the subscription`, async () => {
		const h = await bench();
		await h.ask(sub(`${id} ${momentary}`, by("0.5"), { xmlns }));
		await h.report("boiler", { temperature: "80" });
		await h.clock.advance(LEAST_INTERVAL);
		const [event = ""] = h.take();
		await h.hear(bounce(event));
		await h.report("boiler", { temperature: "90" });
		assert.deepEqual(await after(h, 60_000), []);
		await h.hear(presenceStanza("probe", OSCAR, `boiler@${DOMAIN}`));
		assert.deepEqual(temperatures(await after(h)), name === "X" ? ["90"] : []);
	});

	test(`${name}: each field, node and address that he may not see is as one that does not exist`, async () => {
		const h = await bench({ access: [{ who: OSCAR, role: "viewer", points: { boiler: ["temperature"] } }] });
		const [field, node] = name === "X" ? ["<field name='burner'/>", "<node nodeId='pump-1'/>"] : ["<f n='burner'/>", "<nd id='pump-1'/>"];
		for (const stanza of [sub(`${id} req='true'`, field, { xmlns }), sub(`${id} req='true'`, node, { xmlns }), sub(`${id} req='true'`, node, { xmlns, to: DOMAIN })]) {
			const [answer = ""] = await h.ask(stanza);
			assert.match(answer, /<error type='cancel'><item-not-found /);
		}
		assert.match((await h.ask(sub(id, "", { xmlns, from: "mallory@example.org/x" })))[0]!, /<service-unavailable /);
		assert.equal(h.events.size, 0);
		await h.ask(sub(`${id} req='true'`, "", { xmlns }));
		const [said = ""] = await after(h, 0);
		assert.ok(said.includes("temperature") && !said.includes("burner"), said);
	});
}

test("a field without a change is told in X and is no event, in N each change of it is one", async () => {
	const rows = [[X, "seqnr='1' all='true'", "<field name='temperature' changedBy='1'/><field name='burner'/>", 0], [N, "id='1' all='true'", "<f n='temperature' by='1'/><f n='burner'/>", 1]] as const;
	for (const [xmlns, attrs, children, expected] of rows) {
		const h = await bench();
		await h.ask(sub(attrs, children, { xmlns }));
		await h.report("boiler", { burner: true });
		assert.equal((await after(h)).length, expected, xmlns);
		await h.report("boiler", { temperature: "99" });
		const [said = ""] = await after(h);
		assert.match(said, /burner.*true.*temperature.*99/);
	}
});

test("a subscription that gives no reason for an event means every change; one with a maximum interval alone means that", async () => {
	for (const { xmlns, id, max, momentary } of DIALECTS) {
		const h = await bench();
		await h.ask(sub(`${id} ${momentary}`, "", { xmlns }));
		await h.report("boiler", { temperature: "71.6" });
		assert.equal((await after(h)).length, 1);
		await h.report("boiler", { mode: "off" });
		assert.equal((await after(h)).length, 0, "not of this category");
		await h.ask(sub(`${id} ${momentary} ${max}='PT1M'`, "", { xmlns, id: "s2" }));
		await h.report("boiler", { temperature: "99" });
		assert.equal((await after(h, 59_999)).length, 0);
		assert.equal((await after(h, 1)).length, 1);
	}
});

test("up, down, booleans and labels: what a table says", async () => {
	const rows: readonly (readonly [field: string, report: Record<string, string | boolean>, events: number])[] = [
		["<field name='temperature' changedUp='1'/>", { temperature: "72.5" }, 1],
		["<field name='temperature' changedUp='1'/>", { temperature: "60" }, 0],
		["<field name='temperature' changedDown='1'/>", { temperature: "60" }, 1],
		["<field name='temperature' changedBy='50' changedUp='1'/>", { temperature: "80" }, 0],
		["<field name='temperature' changedBy='1' currentValue='71'/>", { temperature: "72" }, 1],
		["<field name='temperature' changeBy='1'/>", { temperature: "99" }, 1],
		["<field name='burner' changedBy='1'/>", { burner: true }, 1],
		["<field name='burner' changedUp='1' currentValue='0'/>", { burner: true }, 1],
		["<field name='burner' changedDown='1'/>", { burner: true }, 0],
		["<field name='mode' changedBy='1'/>", { mode: "off" }, 1],
	];
	for (const [field, report, expected] of rows) {
		const h = await bench();
		await h.ask(sub("seqnr='1' all='true'", field));
		await after(h);
		await h.report("boiler", report);
		assert.equal((await after(h)).length, expected, field);
	}
});

test("who has another value than there is, is told at once", async () => {
	const h = await bench();
	await h.ask(sub("id='1' m='true'", "<f n='burner' v='true' by='1'/>", { xmlns: N }));
	assert.match((await after(h)).join(), /<b n='burner' [^>]*v='false'/);
});

test("what cannot be understood is a bad request, which old clients see too", async () => {
	const h = await bench();
	const rows = [
		["seqnr='x'", ""], ["seqnr='1' minInterval='5'", ""], ["seqnr='1' maxInterval='-PT5S'", ""], ["seqnr='1' maxAge='PT'", ""], ["seqnr='1'", "<field/>"], ["seqnr='1'", "<node/>"],
		["seqnr='1'", "<field name='temperature' changedBy='0'/>"], ["seqnr='1'", "<field name='temperature' changedUp='-1'/>"], ["seqnr='1'", "<field name='temperature' changedDown='INF'/>"],
		["seqnr='1'", "<field name='temperature' changedBy='1' currentValue='warm'/>"], ["seqnr='1'", "<field name='burner' changedBy='1' currentValue='7'/>"], ["seqnr='1' momentary='perhaps'", ""],
	];
	for (const [attrs = "", children] of rows) {
		const [answer = ""] = await h.ask(sub(attrs, children));
		assert.match(answer, /^<iq type='error'.*<rejected xmlns='urn:xmpp:iot:sensordata' seqnr='[x1]'><error>Cannot .*<error type='modify'><bad-request /, attrs + children);
	}
	assert.match((await h.ask(sub("seqnr='1'", "", { to: DOMAIN })))[0]!, /<bad-request .*name its nodes/);
	assert.match((await h.ask(sub("id='1'", "", { to: DOMAIN, xmlns: N })))[0]!, /<accepted /);
	assert.equal(h.events.size, 0);
});

test("unsubscribe ends all that stands under the id: empty result, and for what there is not X the same, N item-not-found", async () => {
	const h = await bench();
	for (const { xmlns, id } of DIALECTS) {
		const end = (type: "get" | "set"): Promise<string[]> => h.ask(iq(type, OP, DEV, `<unsubscribe xmlns='${xmlns}' ${id}/>`, `u-${type}`));
		await h.ask(sub(id, "", { xmlns }));
		assert.equal(h.events.size, 1);
		assert.deepEqual(await end("get"), [`<iq type='result' to='${OP}' from='${DEV}' id='u-get'/>`]);
		assert.equal(h.events.size, 0);
		assert.match((await end("set"))[0]!, xmlns === X ? /^<iq type='result'[^>]*\/>$/ : /<item-not-found /);
	}
});

test("one subscription for each subscriber and device: a new one takes the place of the old", async () => {
	const h = await bench();
	await h.ask(sub("seqnr='1'", "<field name='temperature' changedBy='0.1'/>"));
	await h.ask(sub("seqnr='2'", "<field name='temperature' changedBy='0.1'/>", { id: "s2" }));
	await h.ask(sub("seqnr='1'", "<field name='temperature' changedBy='0.1'/>", { from: `${OSCAR}/phone` }));
	await h.ask(sub("id='3'", "<nd id='BOILER'/><f n='temperature' by='1'/>", { xmlns: N, to: DOMAIN, from: `${OSCAR}/phone`, id: "s3" }));
	assert.equal(h.events.size, 2);
	await h.report("boiler", { temperature: "90" });
	const said = await after(h);
	assert.equal(said.length, 2);
	assert.match(said[0]!, /to='oscar@ops.example.org\/desk'><fields [^>]*seqnr='2'/);
	assert.match(said[1]!, /from='things.example.org' to='oscar@ops.example.org\/phone'><resp [^>]*id='3'><nd id='BOILER'>/);
});

test("nodes are told one by one, each for itself, and an id that is used again begins anew", async () => {
	const h = await bench();
	const ask = (nodes: string, id: string): Promise<string[]> => h.ask(sub("seqnr='9' momentary='true'", nodes, { to: DOMAIN, id }));
	await ask("<node nodeId='boiler' sourceId='MeteringTopology'/><node nodeId='pump-1'/>", "s1");
	assert.equal(h.events.size, 2);
	await h.report("pump-1", { flow: "3.0" });
	const said = await after(h);
	assert.equal(said.length, 1);
	assert.ok(said[0]!.includes("<node nodeId='pump-1'>") && !said[0]!.includes("boiler"), said[0]);
	await ask("<node nodeId='boiler'/>", "s2");
	assert.equal(h.events.size, 1);
	await h.report("pump-1", { flow: "4.0" });
	assert.deepEqual(await after(h), []);
});

test("rights are looked at again for each event: what he may no longer read vanishes, and with all of it the subscription", async () => {
	const h = await bench();
	await h.ask(sub("seqnr='1' momentary='true'"));
	h.setRules([{ who: OSCAR, role: "viewer", points: { boiler: ["burner"] } }]);
	await h.report("boiler", { temperature: "90" });
	assert.deepEqual(await after(h), [], "a secret value makes no event");
	await h.report("boiler", { burner: true, temperature: "91" });
	const [said = ""] = await after(h);
	assert.ok(said.includes("burner") && !said.includes("temperature"), said);
	h.setRules([]);
	await h.report("boiler", { burner: false });
	assert.deepEqual(await after(h), []);
	assert.equal(h.events.size, 0);
	await h.ask(sub("seqnr='1'"));
	assert.equal(h.events.size, 0);
});

test("other rules end what nobody may see any more, without an event", async () => {
	const h = await bench();
	await h.ask(sub("seqnr='1' maxInterval='PT1H'"));
	h.setRules([]);
	for (const module of h.modules) module.accessChanged?.();
	assert.equal(h.events.size, 0);
	assert.equal(h.clock.pending, 0);
});

test("a removed device takes its subscriptions along, an offline one keeps them", async () => {
	for (const { xmlns, id } of DIALECTS) {
		const h = await bench();
		await h.ask(sub(id, "", { xmlns }));
		await h.state("boiler", "offline", "unplugged");
		assert.equal(h.events.size, 1);
		await h.remove("boiler");
		assert.equal(h.events.size, 0);
		assert.equal(h.clock.pending, 0);
	}
});

test("values that come one by one within a tenth of a second are at most two events", async () => {
	const h = await bench();
	await h.ask(sub("seqnr='1' momentary='true'"));
	for (let value = 1; value <= 50; value++) await h.report("boiler", { temperature: String(value) });
	assert.deepEqual(temperatures(await after(h, 60_000)), ["1", "50"]);
});

test("a heartbeat is not sent more often than once a second, whatever is asked for", async () => {
	const h = await bench();
	await h.ask(sub("seqnr='1' maxInterval='PT0S'"));
	assert.equal((await after(h, 10_000)).length, 10);
});

test("a value that becomes stale is told once, with its old time and a warning", async () => {
	const h = await bench();
	h.registry.report([{ points: ["boiler.temperature"], maxAge: 60_000 }]);
	for (const field of ["<field name='temperature' changedBy='1'/>", "<field name='burner' changedBy='1'/>"]) await h.ask(sub("seqnr='1'", field, { from: `${OSCAR}/${field.length}` }));
	await h.clock.advance(61_000);
	for (const module of h.modules) module.changed?.({ twin: h.twin("boiler"), readings: [], availability: false, aged: ["temperature"] });
	const said = await after(h);
	assert.equal(said.length, 1);
	assert.match(said[0]!, /<timestamp value='2026-01-01T00:00:00Z'><numeric name='temperature' [^>]*warning='true'/);
});

test("an event without a value is empty, and done", async () => {
	const h = await bench();
	await h.ask(sub("seqnr='1' req='true'", "", { to: `pump-1@${DOMAIN}` }));
	assert.deepEqual(await after(h, 0), [`<message from='pump-1@${DOMAIN}' to='${OP}'><fields xmlns='${X_DATA}' seqnr='1' done='true'/><no-store xmlns='urn:xmpp:hints'/></message>`]);
	await h.report("pump-1", { flow: "1" });
	assert.equal((await after(h)).length, 1);
});

test("a large device is told in stanzas below 9.5 kB, of which the last is done", async () => {
	const points: Points = Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`point ${index}`, { kind: "text", access: "r" } as const]));
	const h = await bench({ devices: { boiler: BOILER, "pump-1": points } });
	await h.report("pump-1", Object.fromEntries(Object.keys(points).map((name) => [name, "é".repeat(50)])));
	for (const { xmlns, id } of DIALECTS) {
		await h.ask(sub(`${id} req='true' all='true'`, "", { xmlns, to: `pump-1@${DOMAIN}` }));
		const said = await after(h);
		assert.ok(said.length >= 5, `${said.length}`);
		for (const [index, text] of said.entries()) {
			const isLast = index === said.length - 1;
			assert.ok(Buffer.byteLength(text) < 9_500, `${Buffer.byteLength(text)}`);
			assert.ok(xmlns === X ? text.includes(`done='${isLast}'`) : text.includes("more='true'") === !isLast, text.slice(0, 200));
		}
		assert.equal(new Set([...said.join("").matchAll(/'(point \d+)'/g)].map((match) => match[1])).size, 300);
		await h.ask(iq("get", OP, `pump-1@${DOMAIN}`, `<unsubscribe xmlns='${xmlns}' ${id}/>`));
	}
});

test("stored values ride with an event as far back as maxAge says, where they are asked for", async () => {
	for (const [attrs, xmlns, expected] of [["seqnr='1' all='true' maxAge='PT5M'", X, /historical\w*='true'[^>]* value='60'/], ["id='1' all='true' maxAge='PT5M'", N, /<q n='temperature' h='true' [^>]*v='60'/], ["seqnr='1' all='true'", X, undefined], ["seqnr='1' momentary='true' maxAge='PT5M'", X, undefined]] as const) {
		const h = await bench();
		const { link, source: { address } } = h.twin("boiler").device;
		const at = h.clock.now();
		for (const [minutes, text] of [[-10, "50"], [-2, "60"]] as const) {
			const reading = { point: "temperature", value: { text, number: Number(text) }, at: at + minutes * 60_000, received: at, quality: "good" } as const;
			h.history.add(link, address, reading, "°C");
		}
		await h.ask(sub(attrs, xmlns === X ? "<field name='temperature' changedBy='1'/>" : "<f n='temperature' by='1'/>", { xmlns }));
		await h.report("boiler", { temperature: "80" });
		const said = (await after(h)).join("\n");
		assert.ok(said.includes("'80'") && !said.includes("'50'"), said);
		if (expected) assert.match(said, expected);
		else assert.ok(!said.includes("'60'"));
	}
});

test("without room in his window an event waits; meanwhile readings gather, and go ten in a stanza, newest last", async () => {
	const h = await bench({ answers: false });
	await h.ask(sub("seqnr='1' momentary='true'", "<field name='temperature' changedBy='0.1'/>"));
	h.windows.to(OP).sent(DEV, WINDOW);
	h.take();
	for (let value = 1; value <= 250; value++) {
		await h.report("boiler", { temperature: String(value) });
		await h.clock.advance(LEAST_INTERVAL);
	}
	assert.deepEqual(h.take().filter((text) => text.startsWith("<message")), []);
	h.windows.received(OP);
	const said = await after(h, 0);
	assert.equal(said.length, 10);
	assert.deepEqual(said.map((text) => text.includes("done='true'")), [...Array.from({ length: 9 }, () => false), true]);
	for (const text of said) {
		assert.ok(Buffer.byteLength(text) <= 6_500);
		assert.equal(temperatures([text]).length, 10);
	}
	assert.deepEqual(temperatures(said), Array.from({ length: 100 }, (_, index) => String(151 + index)), "a hundred are kept, the newest");
	await h.report("boiler", { temperature: "7" });
	assert.deepEqual(temperatures(await after(h)), ["7"]);
});

test("no receiver has more than the window on its way, however much happens", async () => {
	const h = await bench({ answers: false });
	await h.ask(sub("seqnr='1' momentary='true'"));
	for (let value = 1; value <= 1_200; value++) {
		await h.report("boiler", { temperature: String(value) });
		await h.clock.advance(100);
	}
	for (let value = 1; value <= 500; value++) await h.report("boiler", { temperature: String(value) });
	assert.ok(h.windows.outstanding(OP) <= WINDOW, `${h.windows.outstanding(OP)}`);
	assert.ok(h.sent.filter((text) => text.startsWith("<message")).length <= WINDOW);
});

test("a stream that is full is tried again, and one that was down tells the newest values", async () => {
	const h = await bench();
	await h.ask(sub("seqnr='1' momentary='true'"));
	h.room = false;
	await h.report("boiler", { temperature: "80" });
	assert.deepEqual(await after(h, 500), []);
	h.room = true;
	assert.deepEqual(temperatures(await after(h, 1_000)), ["80"]);
	h.disconnect();
	await h.report("boiler", { temperature: "81" });
	await h.clock.advance(5_000);
	await h.report("boiler", { temperature: "82" });
	await h.connect();
	assert.deepEqual(temperatures(await after(h)).slice(-2), ["81", "82"]);
});

test("what was on its way when the stream broke is told again", async () => {
	const h = await bench({ answers: false });
	await h.ask(sub("seqnr='1' momentary='true'"));
	await h.report("boiler", { temperature: "80" });
	assert.equal((await after(h)).length, 1);
	h.disconnect();
	await h.connect();
	assert.deepEqual(temperatures(await after(h)), ["80"]);
});

test("a paused subscription ends after a day", async () => {
	const h = await bench();
	await h.ask(sub("seqnr='1'"));
	await h.hear(presenceStanza("unavailable", OP, DEV));
	await h.clock.advance(PAUSED_FOR);
	assert.equal(h.events.size, 0);
	assert.equal(h.clock.pending, 0);
});

test("a request of somebody who was away brings back what he has elsewhere, after its own answer", async () => {
	const h = await bench();
	await h.ask(sub("seqnr='1' momentary='true'"));
	await h.hear(presenceStanza("unavailable", OP, DEV));
	await h.report("boiler", { temperature: "80" });
	const [answer, ...rest] = await h.ask(sub("seqnr='2'", "", { to: `pump-1@${DOMAIN}` }));
	assert.match(answer ?? "", /<accepted /);
	assert.deepEqual(rest, []);
	assert.deepEqual(temperatures(await after(h)), ["80"]);
});

test("one account has so many subscriptions and no more, over all its clients", async () => {
	const names = Array.from({ length: MAX_OF_ONE / 2 }, (_, index) => `d${index}`);
	const h = await bench({ devices: { boiler: BOILER, ...Object.fromEntries(names.map((name) => [name, { flow: { kind: "numeric", access: "r" } } satisfies Points])) }, access: [{ who: OSCAR, role: "viewer" }] });
	const nodes = names.map((name) => `<node nodeId='${name}'/>`).join("");
	for (const resource of ["a", "b"]) assert.match((await h.ask(sub("seqnr='1'", nodes, { to: DOMAIN, from: `${OSCAR}/${resource}` })))[0]!, /<accepted /);
	assert.equal(h.events.size, MAX_OF_ONE);
	assert.match((await h.ask(sub("seqnr='1'")))[0]!, /<error type='wait'><resource-constraint .*end some first/);
	assert.match((await h.ask(sub("seqnr='2'", "<node nodeId='d7'/>", { to: DOMAIN, from: `${OSCAR}/a` })))[0]!, /<accepted /, "to change one needs no more room");
});

test("both addresses announce every vocabulary, and closing leaves nothing behind", async () => {
	const h = await bench();
	const features = [X, ...NEURO_EVENTS];
	assert.deepEqual(h.modules[0]!.features, { device: features, gateway: features });
	await h.ask(sub("seqnr='1' maxInterval='PT1M'"));
	h.close();
	assert.equal(h.events.size, 0);
	assert.equal(h.clock.pending, 0);
});

test("only an event of ours to exactly this client counts as one that came back, and only once", async () => {
	const other = `${OSCAR}/phone`;
	const rows: readonly (readonly [what: string, row: { readonly from?: string; readonly id?: string }])[] = [
		["a letter to the account", { from: OSCAR, id: "letter-1" }], ["an event, from the account", { from: OSCAR }], ["another client's", { from: other }],
		["a guess", { id: "event-1" }], ["a number that was never given", { id: "key-99999" }], ["no number", { id: "key" }],
	];
	for (const { xmlns, id, momentary, by } of DIALECTS) {
		for (const [what, row] of rows) {
			const h = await bench();
			await h.ask(sub(`${id} ${momentary} req='true'`, by("0.1"), { xmlns }));
			await h.ask(sub(`${id} ${momentary}`, by("0.1"), { xmlns, from: other, id: "s2" }));
			await h.clock.advance(LEAST_INTERVAL);
			const [event = ""] = h.take();
			const key = parseStanza(event).attrs["id"]!.replace(/-\d+$/, "");
			await h.hear(bounce(event, { ...row, ...(row.id !== undefined && { id: row.id.replace("key", key) }) }));
			await h.report("boiler", { temperature: "90" });
			assert.equal((await after(h)).length, 2, `${xmlns}: ${what}`);
			assert.equal(h.events.size, 2, `${xmlns}: ${what}`);
		}
	}
	const h = await bench();
	await h.ask(sub("seqnr='1' momentary='true' req='true'"));
	await h.clock.advance(LEAST_INTERVAL);
	const [event = ""] = h.take();
	await h.hear(bounce(event));
	await h.hear(presenceStanza(undefined, OP, `boiler@${DOMAIN}`));
	assert.equal((await after(h, AFTER_LOSS)).length, 1);
	await h.hear(bounce(event));
	await h.report("boiler", { temperature: "90" });
	assert.equal((await after(h)).length, 1, "the same stanza comes back once");
});

test("the subscriptions of an account end and are counted whichever of its addresses asked, its bare one too", async () => {
	for (const type of ["unsubscribe", "unsubscribed"]) {
		const h = await bench();
		for (const from of [OSCAR, OP]) await h.ask(sub("seqnr='1' momentary='true'", "", { from, id: from }));
		assert.equal(h.events.size, 2);
		await h.hear(presenceStanza(type, OSCAR, `boiler@${DOMAIN}`));
		assert.equal(h.events.size, 0, type);
	}
	const names = Array.from({ length: MAX_OF_ONE }, (_, index) => `d${index}`);
	const h = await bench({ devices: { boiler: BOILER, ...Object.fromEntries(names.map((name) => [name, { flow: { kind: "numeric", access: "r" } } satisfies Points])) }, access: [{ who: OSCAR, role: "viewer" }] });
	await h.ask(sub("seqnr='1'", "", { from: OSCAR }));
	const nodes = (some: readonly string[]): string => some.map((name) => `<node nodeId='${name}'/>`).join("");
	const half = MAX_OF_ONE / 2;
	assert.match((await h.ask(sub("seqnr='1'", nodes(names.slice(0, half)), { to: DOMAIN, id: "s2" })))[0]!, /<accepted /);
	assert.match((await h.ask(sub("seqnr='1'", nodes(names.slice(half)), { to: DOMAIN, from: `${OSCAR}/b`, id: "s3" })))[0]!, /<resource-constraint /);
	assert.match((await h.ask(sub("seqnr='1'", nodes(names.slice(half + 1)), { to: DOMAIN, from: `${OSCAR}/b`, id: "s3" })))[0]!, /<accepted /);
	assert.match((await h.ask(sub("seqnr='2'", "", { from: `${OSCAR}/c`, id: "s4" })))[0]!, /<resource-constraint /);
});

for (const { name, xmlns, id, min, momentary, by } of DIALECTS) {
	test(`${name}: who is away and back in turn gets no event sooner than the minimum interval says, nor sooner than ten seconds after one that came back`, async () => {
		for (const [interval, span] of [["PT1H", 3_600_000], ["PT1S", AFTER_LOSS]] as const) {
			const h = await bench();
			await h.ask(sub(`${id} ${momentary} ${min}='${interval}' req='true'`, by("0.1"), { xmlns }));
			const times: number[] = [];
			for (let round = 0; round < 300; round++) {
				await h.clock.advance(round < 100 ? 10 : span / 100);
				const [event] = h.take().filter((text) => text.startsWith("<message"));
				if (event) times.push(h.clock.now());
				if (event) await h.hear(bounce(event));
				await h.hear(presenceStanza(undefined, OP, `boiler@${DOMAIN}`));
			}
			if (name === "N") {
				assert.equal(times.length, 1, "it has ended");
				continue;
			}
			assert.ok(times.length >= 2 && times.length <= 4, `${times.length}`);
			for (const [index, at] of times.entries()) assert.ok(index === 0 || at - times[index - 1]! >= span - 10, `${interval}: ${at - times[index - 1]!} ms`);
		}
	});
}

test("who says that he is gone, and is back at once, has no more room than before", async () => {
	const h = await bench({ answers: false });
	await h.ask(sub("seqnr='1' momentary='true'"));
	await h.report("boiler", { temperature: "1" });
	await h.clock.advance(LEAST_INTERVAL);
	const [event = ""] = h.take();
	h.windows.to(OP).sent(DEV, WINDOW - 1);
	await h.hear(bounce(event));
	await h.hear(presenceStanza(undefined, OP, `boiler@${DOMAIN}`));
	await h.report("boiler", { temperature: "5" });
	assert.deepEqual(await after(h, AFTER_LOSS), []);
	h.windows.received(OP);
	assert.deepEqual(temperatures(await after(h, 0)), ["5"], "and is told once he has taken what there was");
});

/** The stream takes so many stanzas, and then no more. */
function roomFor(h: Harness, stanzas: number): void {
	const push = h.sent.push.bind(h.sent);
	h.sent.push = (...texts) => {
		if (--stanzas === 0) h.room = false;
		return push(...texts);
	};
}

test("an event of several stanzas that is stopped in the middle goes on where it was, by the stream and by the window", async () => {
	const points: Points = Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`point ${index}`, { kind: "text", access: "r" } as const]));
	const names = (said: readonly string[]): string[] => [...said.join("").matchAll(/'(point \d+)'/g)].map((match) => match[1]!);
	for (const by of ["stream", "window"]) {
		const h = await bench({ devices: { boiler: BOILER, "pump-1": points }, answers: false });
		await h.report("pump-1", Object.fromEntries(Object.keys(points).map((name) => [name, "é".repeat(50)])));
		await h.ask(sub("seqnr='1' req='true' all='true'", "", { to: `pump-1@${DOMAIN}` }));
		if (by === "window") h.windows.to(OP).sent(DEV, WINDOW - 2);
		h.take();
		if (by === "stream") roomFor(h, 2);
		const said = await after(h, 0);
		assert.equal(said.length, 2, by);
		h.room = true;
		h.windows.received(OP);
		const rest = await after(h, 1_000);
		assert.equal(new Set(names([...said, ...rest])).size, 300, by);
		assert.equal(names([...said, ...rest]).length, 300, `${by}: each is told once`);
		assert.deepEqual([...said, ...rest].map((text) => text.includes("done='true'")), [...said, ...rest].map((_, index, all) => index === all.length - 1));
	}
});

/** So many devices, each with a past of some twenty stanzas. */
async function withPast(count: number): Promise<Bench & { readonly most: () => number }> {
	const devices = Object.fromEntries(Array.from({ length: count }, (_, index) => [`d${index}`, { t: { kind: "text", access: "r" } } satisfies Points]));
	const h = await bench({ devices: { boiler: BOILER, ...devices }, answers: false });
	for (const id of Object.keys(devices)) {
		const { link, source: { address } } = h.twin(id).device;
		for (let n = 0; n < 200; n++) h.history.add(link, address, { point: "t", value: `${n} ${"x".repeat(900)}`, at: h.clock.now() - 1_000_000 + n, received: h.clock.now(), quality: "good" });
		await h.report(id, { t: "now" });
	}
	let open = 0;
	let most = 0;
	const rows = h.history.rows.bind(h.history);
	h.history.rows = async (...asked) => {
		most = Math.max(most, ++open);
		await new Promise<void>((resolve) => void h.clock.after(20, resolve)); // a journal takes a moment
		open--;
		return rows(...asked);
	};
	return Object.assign(h, { most: () => most });
}

test("events with stored values wait for room before each part, and two at a time are read for one account", async () => {
	const h = await withPast(40);
	const nodes = Array.from({ length: 40 }, (_, index) => `<nd id='d${index}'/>`).join("");
	await h.ask(sub("id='1' m='true' h='true' maxAge='P1D' req='true'", nodes, { xmlns: N, to: DOMAIN, from: "alice@example.org/pc" }));
	const said: string[] = [];
	const messages = async (ms: number): Promise<void> => {
		await h.clock.advance(ms);
		said.push(...h.take().filter((text) => text.startsWith("<message")));
	};
	await messages(5_000);
	assert.equal(said.length, WINDOW);
	assert.equal(h.most(), 2);
	for (let round = 0; round < 4; round++) {
		h.windows.received("alice@example.org/pc");
		await messages(5_000);
	}
	const told = [...said.join("").matchAll(/ v='(\d+) x/g)];
	assert.equal(told.length, 40 * 200, "all of the past, and nothing twice");
	assert.equal(said.filter((text) => !text.includes("more='true'")).length, 40, "each event has its end");
});

test("an event with stored values that the stream refuses in the middle goes on where it was; other rules stop it", async () => {
	for (const { rules, whole } of [{ rules: false, whole: true }, { rules: true, whole: false }]) {
		const h = await withPast(1);
		await h.ask(sub("id='1' m='true' h='true' maxAge='P1D' req='true'", "<f n='t'/>", { xmlns: N, to: `d0@${DOMAIN}`, from: "alice@example.org/pc" }));
		roomFor(h, 3);
		const said = await after(h, 500);
		assert.equal(said.length, 3);
		h.room = true;
		if (rules) h.setRules([{ who: "alice@example.org", role: "viewer", points: { d0: ["nothing"] } }]);
		const rest = await after(h, 2_000);
		const told = [...[...said, ...rest].join("").matchAll(/ v='(\d+) x/g)].map((match) => match[1]);
		if (whole) assert.deepEqual(told, Array.from({ length: 200 }, (_, index) => String(index)));
		else {
			assert.deepEqual(rest, []);
			assert.equal(h.events.size, 0);
		}
	}
});

test("who answers no ping for ten minutes is away: X waits for him, N has ended", async () => {
	for (const { name, xmlns, id, momentary, by } of DIALECTS) {
		const h = await bench({ answers: false });
		await h.ask(sub(`${id} ${momentary} req='true'`, by("0.1"), { xmlns }));
		assert.equal((await after(h, 0)).length, 1);
		await h.clock.advance(30_000 + GONE_AFTER);
		h.take();
		await h.report("boiler", { temperature: "90" });
		assert.deepEqual(await after(h), [], name);
		assert.equal(h.events.size, name === "X" ? 1 : 0);
		await h.hear(presenceStanza(undefined, OP, `boiler@${DOMAIN}`));
		assert.deepEqual(temperatures(await after(h)), name === "X" ? ["90"] : []);
	}
});

test("the id of an event is unguessable, and says nothing of what others get", async () => {
	const h = await bench();
	const clients = ["a", "b"].map((name) => `${OSCAR}/${name}`);
	for (const from of clients) await h.ask(sub("seqnr='1' momentary='true'", "", { from, id: from }));
	await h.ask(sub("seqnr='1' momentary='true'", "", { from: clients[1]!, to: `pump-1@${DOMAIN}`, id: "p" }));
	for (const value of ["1", "2"]) {
		await h.report("pump-1", { flow: value });
		await h.clock.advance(LEAST_INTERVAL);
	}
	await h.report("boiler", { temperature: "90" });
	await h.clock.advance(LEAST_INTERVAL);
	const ids = h.take().map((text) => parseStanza(text).attrs["id"]!.split("-"));
	assert.deepEqual(ids.map(([, number]) => number), ["1", "2", "1", "1"]);
	assert.equal(new Set(ids.map(([key]) => key)).size, 3, "a key of newId() for each subscription");
});
