import assert from "node:assert/strict";
import { test } from "node:test";
import type { AccessRule } from "../../../src/core/access.js";
import type { Points } from "../../../src/core/point.js";
import { MAX_QUEUED, MAX_RUNNING } from "../../../src/north/readout/job.js";
import { LATE_BY, readout, type Readout, type ReadoutOptions } from "../../../src/north/readout/readout.js";
import { Windows } from "../../../src/north/window.js";
import { RequestError } from "../../../src/xmpp/requests.js";
import { xml } from "../../../src/xmpp/xml.js";
import { DOMAIN, harness, type Harness, type HarnessOptions, iq, presenceStanza, RULES } from "../harness.js";

const BOILER: Points = {
	temperature: { kind: "numeric", access: "r", unit: "°C" },
	setpoint: { kind: "numeric", access: "rw", unit: "°C", min: 20, max: 80 },
	burner: { kind: "boolean", access: "rw" },
	starts: { kind: "numeric", access: "r", integer: true, category: "computed" },
	mode: { kind: "enum", access: "rw", labels: ["auto", "off"], category: "status" },
	serial: { kind: "text", access: "r", category: "identity" },
	reset: { kind: "boolean", access: "w" },
};
const OP = "oscar@ops.example.org/desk";
const DEV = `boiler@${DOMAIN}/thing`;
const T0 = "2026-01-01T00:00:00Z";
const X = "urn:xmpp:iot:sensordata";
const N = "urn:nf:iot:sd:1.0";
/** One device with one value, for whom nothing matters but the order of things. */
const VALUE = `<numeric name='temperature' momentary='true' automaticReadout='true' value='71.50' unit='°C'/>`;
const FIELDS = (seqnr: string): string => `<fields xmlns='${X}' seqnr='${seqnr}' done='true'><node nodeId='boiler'><timestamp value='${T0}'>${VALUE}</timestamp></node></fields>`;

async function bench(options: HarnessOptions & ReadoutOptions = {}): Promise<Harness & { readonly readout: Readout }> {
	const { integers, legacyErrors, ...rest } = options;
	let made: Readout | undefined;
	// Everybody answers pings at once.
	const h = harness((verbs) => [made = readout(verbs, { windows: new Windows({ clock: verbs.clock, log: verbs.log, ask: async () => xml("iq") }), ...(integers && { integers }), ...(legacyErrors !== undefined && { legacyErrors }) })], { devices: { boiler: BOILER }, ...rest });
	await h.report("boiler", { temperature: "71.50" });
	return Object.assign(h, { readout: made! });
}

/** Ask, let pass what is due, and give all that was said; message ids are counted and left out here. */
async function exchange(h: Harness, stanza: string, ms = 0): Promise<string[]> {
	const said = await h.ask(stanza);
	await h.clock.advance(ms);
	return [...said, ...h.take()].map((text) => text.replace(/ id='readout-\d+'/, ""));
}

function req(attrs: string, children = "", from = OP, to = DEV): string {
	return iq("get", from, to, `<req xmlns='${X}' ${attrs}>${children}</req>`);
}

function nreq(attrs: string, children = "", from = OP, to = DEV, xmlns = N): string {
	return iq("get", from, to, `<req xmlns='${xmlns}' ${attrs}>${children}</req>`);
}

function result(payload: string, to = OP, from = DEV): string {
	return `<iq type='result' to='${to}' from='${from}' id='q1'>${payload}</iq>`;
}

function message(payload: string, to = OP, from = DEV): string {
	return `<message from='${from}' to='${to}'>${payload}<no-store xmlns='urn:xmpp:hints'/></message>`;
}

function error(type: string, condition: string, text: string, before = "", to = OP, from = DEV): string {
	return `<iq type='error' to='${to}' from='${from}' id='q1'>${before}<error type='${type}'><${condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/><text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>${text}</text></error></iq>`;
}

const rejected = (seqnr: string, text: string): string => `<rejected xmlns='${X}' seqnr='${seqnr}'><error>${text}</error></rejected>`;
const accepted = (seqnr: string, queued = false): string => result(`<accepted xmlns='${X}' seqnr='${seqnr}' queued='${queued}'/>`);

test("T1: a request for momentary values is accepted first, then answered with fields that are done", async () => {
	const h = await bench();
	assert.deepEqual(await h.ask(req("seqnr='7' momentary='true'")), [accepted("7")]);
	await h.clock.advance(0);
	assert.deepEqual(h.take().map((text) => text.replace(/ id='readout-\d+'/, "")), [message(FIELDS("7"))]);
	assert.equal(h.clock.pending, 0);
	assert.deepEqual(h.complaints, []);
});

test("T1 in the other vocabulary: what is known rides in the result, in the URN of the request", async () => {
	for (const xmlns of [N, "urn:nfi:iot:sd:1.0", "urn:ieee:iot:sd:1.0"]) {
		const h = await bench();
		assert.deepEqual(await exchange(h, nreq("id='a9' m='true'", "", OP, DEV, xmlns)), [
			result(`<resp xmlns='${xmlns}' id='a9'><ts v='${T0}'><q n='temperature' m='true' ar='true' v='71.50' u='°C'/></ts></resp>`),
		]);
	}
});

test("T2: an unknown node is item-not-found, and nothing else is said", async () => {
	const text = "Cannot find node &quot;kettle&quot;";
	const h = await bench();
	assert.deepEqual(await exchange(h, req("seqnr='7' momentary='true'", "<node nodeId='kettle'/>")), [error("cancel", "item-not-found", text, rejected("7", text))]);
	assert.deepEqual(await exchange(h, nreq("id='a' m='1'", "<nd id='kettle'/>")), [error("cancel", "item-not-found", text)]);
	for (const node of ["<node nodeId='boiler' sourceId='elsewhere'/>", "<node nodeId='boiler' cacheType='p1'/>"]) {
		const [said = ""] = await exchange(h, req("seqnr='7'", node));
		assert.match(said, /type='error'.*item-not-found/);
	}
});

test("T3: a stranger learns of a device exactly as much as of one that does not exist", async () => {
	const h = await bench();
	const to = `nothing@${DOMAIN}/thing`;
	const [known = ""] = await exchange(h, req("seqnr='7'", "", "mallory@evil.example/x"));
	const [unknown = ""] = await exchange(h, req("seqnr='7'", "", "mallory@evil.example/x", to));
	assert.match(known, /service-unavailable/);
	assert.equal(known.replace(DEV, to), unknown);
});

test("T4: a readout in three seconds is queued, started, and then told", async () => {
	const h = await bench();
	assert.deepEqual(await exchange(h, req("seqnr='7' momentary='1' when='2026-01-01T00:00:03Z'"), 2_999), [accepted("7", true)]);
	await h.clock.advance(1);
	assert.deepEqual(h.take().map((text) => text.replace(/ id='readout-\d+'/, "")), [message(`<started xmlns='${X}' seqnr='7'/>`), message(FIELDS("7"))]);
	assert.deepEqual(await exchange(h, nreq("id='a' m='1' when='2026-01-01T00:00:06.000'"), 3_000), [
		result(`<accepted xmlns='${N}' id='a' queued='true'/>`),
		message(`<started xmlns='${N}' id='a'/>`),
		message(`<resp xmlns='${N}' id='a'><ts v='${T0}'><q n='temperature' m='true' ar='true' v='71.50' u='°C'/></ts></resp>`),
	]);
	assert.equal(h.clock.pending, 0);
});

test("T4: a time that is past is now, and one beyond 24 hours is refused", async () => {
	const h = await bench();
	assert.deepEqual(await exchange(h, req("seqnr='7' momentary='1' when='2020-01-01T00:00:00'")), [accepted("7"), message(FIELDS("7"))]);
	const [said = ""] = await exchange(h, req("seqnr='8' when='2026-01-02T00:00:00.001Z'"));
	assert.match(said, /bad-request.*at most 24 hours ahead/);
	assert.equal(h.clock.pending, 0);
});

test("T5: a cancelled readout says nothing afterwards, in either vocabulary", async () => {
	for (const [type, payload, answer] of [
		["get", `<cancel xmlns='${X}' seqnr='7'/>`, result(`<cancelled xmlns='${X}' seqnr='7'/>`)],
		["set", `<cancel xmlns='${N}' id='7'/>`, `<iq type='result' to='${OP}' from='${DEV}' id='q1'/>`],
		["get", `<cancel xmlns='${N}' id='7'/>`, `<iq type='result' to='${OP}' from='${DEV}' id='q1'/>`], // IoTGateway
	] as const) {
		const h = await bench();
		await h.ask(payload.includes(X) ? req("seqnr='7' when='2026-01-01T00:00:03Z'") : nreq("id='7' when='2026-01-01T00:00:03Z'"));
		assert.deepEqual(await exchange(h, iq(type, OP, DEV, payload), 10_000), [answer]);
		assert.equal(h.clock.pending, 0);
		assert.deepEqual(await exchange(h, iq(type, OP, DEV, payload)), [answer], "cancelling what is not there is true as well");
	}
});

test("T5: only the asker's own readout is cancelled", async () => {
	const h = await bench();
	await h.ask(req("seqnr='7' when='2026-01-01T00:00:03Z'"));
	await h.ask(iq("get", "oscar@ops.example.org/phone", DEV, `<cancel xmlns='${X}' seqnr='7'/>`));
	await h.ask(iq("get", OP, DEV, `<cancel xmlns='${X}' seqnr='8'/>`));
	await h.ask(iq("set", OP, DEV, `<cancel xmlns='${N}' id='7'/>`));
	await h.clock.advance(3_000);
	assert.equal(h.take().length, 2);
});

test("T6: one seqnr from two resources is two readouts", async () => {
	const h = await bench();
	for (const from of ["oscar@ops.example.org/desk", "oscar@ops.example.org/phone"]) await h.hear(req("seqnr='7'", "", from));
	await h.clock.advance(0);
	const said = h.take();
	assert.equal(said.length, 4);
	assert.equal(said.filter((text) => text.includes(`to='oscar@ops.example.org/phone'`)).length, 2);
});

test("T7: a seqnr that is under way is refused, and works again when that readout has ended", async () => {
	const h = await bench();
	const text = "Cannot read twice as &quot;007&quot;: that readout is under way";
	await h.ask(req("seqnr='7' when='2026-01-01T00:00:03Z'"));
	const [said = ""] = await exchange(h, req("seqnr='007'"));
	assert.ok(said.includes("<conflict xmlns=") && said.includes(rejected("007", text)), said);
	await h.clock.advance(3_000);
	h.take();
	assert.deepEqual(await exchange(h, req("seqnr='7'")), [accepted("7"), message(FIELDS("7"))]);
});

test("T8: a resp that says no `more` is the only answer", async () => {
	const h = await bench();
	const said = await exchange(h, nreq("id='a' m='true' s='true'"), 60_000);
	assert.equal(said.length, 1);
	assert.ok(!said[0]!.includes("more"));
});

test("T13: truth is written as 1 or true in a request, and other words are bad-request", async () => {
	const h = await bench();
	for (const truth of ["1", "true"]) {
		assert.deepEqual(await exchange(h, req(`seqnr='7' momentary='${truth}'`)), [accepted("7"), message(FIELDS("7"))]);
		const [said = ""] = await exchange(h, nreq(`id='7' m='${truth}'`));
		assert.match(said, /v='71\.50'/);
	}
	for (const word of ["yes", "TRUE", ""]) assert.match((await exchange(h, req(`seqnr='7' momentary='${word}'`)))[0]!, /modify.*bad-request/);
});

test("T14: digits stay as the device sent them", async () => {
	const h = await bench();
	for (const digits of ["10.00", "-0.50", "0.0000001", "71"]) {
		await h.report("boiler", { temperature: digits });
		assert.ok((await exchange(h, req("seqnr='7' momentary='1'")))[1]!.includes(`value='${digits}'`), digits);
		assert.ok((await exchange(h, nreq("id='7' m='1'")))[0]!.includes(`v='${digits}'`), digits);
	}
});

test("S7: each kind of value has its element, one category and its flags", async () => {
	const rows: readonly (readonly [string, string | boolean, string, string])[] = [
		["temperature", "71.5", "<numeric name='temperature' momentary='true' automaticReadout='true' value='71.5' unit='°C'/>", "<q n='temperature' m='true' ar='true' v='71.5' u='°C'/>"],
		["setpoint", "68", "<numeric name='setpoint' momentary='true' automaticReadout='true' value='68' writable='true' unit='°C'/>", "<q n='setpoint' m='true' ar='true' v='68' ctr='true' u='°C'/>"],
		["burner", true, "<boolean name='burner' momentary='true' automaticReadout='true' value='true' writable='true'/>", "<b n='burner' m='true' ar='true' v='true' ctr='true'/>"],
		["starts", "12", "<numeric name='starts' computed='true' automaticReadout='true' value='12' unit=''/>", "<q n='starts' c='true' ar='true' v='12'/>"],
		["mode", "auto", "<enum name='mode' status='true' automaticReadout='true' value='auto' writable='true' dataType='mode'/>", "<e n='mode' s='true' ar='true' v='auto' ctr='true' t='mode'/>"],
		["serial", "A&B", "<string name='serial' identity='true' automaticReadout='true' value='A&amp;B'/>", "<s n='serial' i='true' ar='true' v='A&amp;B'/>"],
	];
	for (const [point, value, x, n] of rows) {
		const h = await bench();
		await h.report("boiler", { [point]: value });
		assert.ok((await exchange(h, req("seqnr='7' all='1'", `<field name='${point}'/>`)))[1]!.includes(`<timestamp value='${T0}'>${x}</timestamp>`), point);
		assert.ok((await exchange(h, nreq("id='7' m='1' s='1' c='1' i='1'", `<f n='${point}'/>`)))[0]!.includes(`<ts v='${T0}'>${n}</ts>`), point);
	}
});

test("S7: whole numbers without a unit are int for Smack where the deployment says so", async () => {
	const rows = [
		["starts", "12", "<int name='starts' computed='true' automaticReadout='true' value='12'/>", "<i n='starts' c='true' ar='true' v='12'/>"],
		["starts", "-2147483648", "<int ", "<i "],
		["starts", "2147483648", "<long ", "<l "],
		["starts", "12.0", "<numeric ", "<q "],
		["starts", "1234567890123456789", "<numeric ", "<q "],
		["temperature", "12", "<numeric ", "<q "],
	] as const;
	for (const [point, value, x, n] of rows) {
		const h = await bench({ integers: "int" });
		await h.report("boiler", { [point]: value });
		assert.ok((await exchange(h, req("seqnr='7' all='1'", `<field name='${point}'/>`)))[1]!.includes(`${x}`), value);
		assert.ok((await exchange(h, nreq("id='7' m='1' s='1' c='1' i='1'", `<f n='${point}'/>`)))[0]!.includes(`${n}`), value);
	}
});

test("the quality of a reading is told: estimated, in error, or of unknown age", async () => {
	const rows = [
		[{ quality: "estimate" }, "automaticEstimate='true'", "ae='true'"],
		[{ quality: "error" }, "automaticReadout='true' error='true'", "ar='true' er='true'"],
		[{ ageUnknown: true, retained: true }, "automaticReadout='true' timeOffset='true'", "ar='true' of='true'"],
	] as const;
	for (const [more, x, n] of rows) {
		const h = await bench();
		await h.report("boiler", { setpoint: "60" }, more);
		assert.ok((await exchange(h, req("seqnr='7'", "<field name='setpoint'/>")))[1]!.includes(` momentary='true' ${x} value='60'`));
		assert.ok((await exchange(h, nreq("id='7'", "<f n='setpoint'/>")))[0]!.includes(` m='true' ${n} v='60'`));
	}
});

test("S5: times are UTC with Z and at most three digits; readings of one moment stand together, oldest first", async () => {
	const h = await bench();
	await h.report("boiler", { setpoint: "60" }, { at: Date.UTC(2026, 0, 1) + 250 });
	await h.report("boiler", { burner: false }, { at: Date.UTC(2025, 11, 31, 23) });
	await h.report("boiler", { mode: "off" });
	const [, said = ""] = await exchange(h, req("seqnr='7' all='1'"));
	assert.deepEqual([...said.matchAll(/value='(\d{4}-[^']*)'|name='(\w+)'/g)].map(([, at, name]) => at ?? name),
		["2025-12-31T23:00:00Z", "burner", "2026-01-01T00:00:00Z", "temperature", "mode", "2026-01-01T00:00:00.250Z", "setpoint"]);
});

test("a time that no calendar has is replaced by that of receipt, and flagged", async () => {
	for (const at of [9e15, -9e15, Number.NaN, Date.UTC(10_000, 0, 1)]) {
		const h = await bench({ devices: { boiler: BOILER } });
		await h.report("boiler", { setpoint: "60" }, { at });
		const [, said = ""] = await exchange(h, req("seqnr='7'", "<field name='setpoint'/>"));
		assert.ok(said.includes(`<timestamp value='${T0}'><numeric name='setpoint' momentary='true' automaticReadout='true' timeOffset='true'`), said);
	}
});

test("categories are a union; none at all means momentary values, or the fields that are named", async () => {
	const rows = [
		["", "", ["temperature"]],
		["momentary='false'", "", ["temperature"]],
		["status='1'", "", ["mode"]],
		["status='1' identity='1' momentary='1'", "", ["temperature", "mode", "serial"]],
		["all='1'", "", ["temperature", "starts", "mode", "serial"]],
		["", "<field name='MODE'/><field name='mode'/>", ["mode"]],
		["momentary='1'", "<field name='mode'/>", []],
		["historical='1'", "", []],
		["historicalDay='true'", "", []],
		["historicalDay='true' status='true'", "", ["mode"]],
		["peak='true'", "", []],
	] as const;
	for (const [attrs, fields, names] of rows) {
		const h = await bench();
		await h.report("boiler", { starts: "3", mode: "auto", serial: "B-1" });
		const said = await exchange(h, req(`seqnr='7' ${attrs}`, fields));
		assert.deepEqual([...said[1]!.matchAll(/ name='(\w+)'/g)].map(([, name]) => name), names, attrs);
		assert.equal(said.length, 2);
		if (names.length === 0) assert.equal(said[1], message(`<fields xmlns='${X}' seqnr='7' done='true'/>`));
	}
	const h = await bench();
	assert.deepEqual(await exchange(h, nreq("id='7' h='true'")), [result(`<accepted xmlns='${N}' id='7'/>`), message(`<resp xmlns='${N}' id='7'/>`)]);
});

test("a field is found as it is written before without case", async () => {
	const h = await bench({ devices: { boiler: { ...BOILER, T: { kind: "text", access: "r" }, t: { kind: "text", access: "r" } } } });
	await h.report("boiler", { T: "upper", t: "lower" });
	for (const [name, value] of [["T", "upper"], ["t", "lower"], ["TEMPERATURE", "71.50"]] as const) {
		assert.ok((await exchange(h, req("seqnr='7'", `<field name='${name}'/>`)))[1]!.includes(`value='${value}'`), name);
	}
});

test("an offline device is read from memory, with the time of then", async () => {
	const h = await bench();
	await h.clock.advance(3_600_000);
	await h.state("boiler", "offline", "last will");
	assert.deepEqual(await exchange(h, req("seqnr='7' momentary='1'")), [accepted("7"), message(FIELDS("7"))]);
});

test("a device that was never heard is a failure, with node and time, and no fields", async () => {
	const h = await bench({ devices: { boiler: BOILER, cold: BOILER }, access: [{ who: "oscar@ops.example.org", role: "operator" }] });
	const to = `cold@${DOMAIN}`;
	const text = "Cannot read &quot;cold&quot;: not heard from yet";
	assert.deepEqual(await exchange(h, req("seqnr='7' momentary='1'", "", OP, to)), [
		result(`<accepted xmlns='${X}' seqnr='7' queued='false'/>`, OP, to),
		message(`<failure xmlns='${X}' seqnr='7' done='true'><error nodeId='cold' timestamp='${T0}'>${text}</error></failure>`, OP, to),
	]);
	assert.deepEqual(await exchange(h, nreq("id='7' m='1'", "", OP, to)), [
		result(`<resp xmlns='${N}' id='7'><ts v='${T0}'><err>${text}</err></ts></resp>`, OP, to),
	]);
});

test("S3: data goes first and is not done, the one failure goes last and is", async () => {
	const h = await bench();
	const text = "Cannot read &quot;setpoint&quot; of &quot;boiler&quot;: no value yet";
	assert.deepEqual(await exchange(h, req("seqnr='7'", "<field name='temperature'/><field name='setpoint'/>")), [
		accepted("7"),
		message(FIELDS("7").replace("done='true'", "done='false'")),
		message(`<failure xmlns='${X}' seqnr='7' done='true'><error nodeId='boiler' timestamp='${T0}'>${text}</error></failure>`),
	]);
	assert.deepEqual(await exchange(h, nreq("id='7'", "<f n='temperature'/><f n='setpoint'/>")), [
		result(`<accepted xmlns='${N}' id='7'/>`),
		message(`<resp xmlns='${N}' id='7' more='true'><ts v='${T0}'><q n='temperature' m='true' ar='true' v='71.50' u='°C'/></ts></resp>`),
		message(`<resp xmlns='${N}' id='7'><ts v='${T0}'><err>${text}</err></ts></resp>`),
	]);
});

test("S4: the refusal of old clients can be switched off", async () => {
	const h = await bench({ legacyErrors: false });
	assert.deepEqual(await exchange(h, req("seqnr='7'", "<field name='x'/>")), [error("cancel", "item-not-found", "Cannot find field &quot;x&quot;")]);
});

test("a write-only point is no field, and its viewer is told why", async () => {
	const h = await bench();
	assert.match((await exchange(h, req("seqnr='7'", "<field name='reset'/>")))[0]!, /not-allowed.*it can only be set/);
});

const BOB: readonly AccessRule[] = [{ who: "bob@partner.example", role: "viewer", points: { weather: ["temperature"] } }];
const WEATHER: Points = { temperature: { kind: "numeric", access: "rw", unit: "°C" }, secret: { kind: "numeric", access: "rw" } };

test("who sees one point of a device finds no other in any stanza, and asks for it as for one that is not there", async () => {
	const h = await bench({ devices: { boiler: BOILER, weather: WEATHER, hidden: WEATHER }, access: BOB });
	await h.report("weather", { temperature: "4.20", secret: "42" });
	await h.report("hidden", { temperature: "9.99", secret: "43" });
	const bob = "bob@partner.example/phone";
	const said: string[] = [];
	for (const to of [`weather@${DOMAIN}`, DOMAIN]) {
		for (const children of ["", "<node nodeId='weather'/>", "<node nodeId='WEATHER'/>", "<field name='temperature'/>"]) said.push(...await exchange(h, req("seqnr='7' all='1'", children, bob, to)));
		for (const children of ["", "<nd id='weather'/>"]) said.push(...await exchange(h, nreq("id='7' all='1'", children, bob, to)));
	}
	assert.equal(said.filter((text) => text.includes("4.20")).length, 11);
	assert.ok(!said.some((text) => /secret|42'|9\.99|hidden|boiler|writable|ctr/.test(text)), said.join("\n"));
	for (const [there, not] of [
		[req("seqnr='7'", "<field name='secret'/>", bob, `weather@${DOMAIN}`), req("seqnr='7'", "<field name='absent'/>", bob, `weather@${DOMAIN}`)],
		[nreq("id='7'", "<f n='secret'/>", bob, `weather@${DOMAIN}`), nreq("id='7'", "<f n='absent'/>", bob, `weather@${DOMAIN}`)],
		[req("seqnr='7'", "<node nodeId='weather'/><field name='secret'/>", bob, DOMAIN), req("seqnr='7'", "<node nodeId='weather'/><field name='absent'/>", bob, DOMAIN)],
		[req("seqnr='7'", "<node nodeId='hidden'/>", bob, DOMAIN), req("seqnr='7'", "<node nodeId='absent'/>", bob, DOMAIN)],
		[nreq("id='7'", "<nd id='hidden'/>", bob, DOMAIN), nreq("id='7'", "<nd id='absent'/>", bob, DOMAIN)],
	] as const) {
		const [a, b] = [await exchange(h, there), await exchange(h, not)];
		assert.equal(a.length, 1);
		assert.match(a[0]!, /item-not-found/);
		assert.deepEqual(a.map((text) => text.replaceAll("secret", "absent").replaceAll("hidden", "absent")), b);
	}
});

test("the gateway's own address reads by node, everything for XEP-0323 without one, and nothing for the other vocabulary", async () => {
	const h = await bench({ devices: { boiler: BOILER, weather: WEATHER }, access: [{ who: "oscar@ops.example.org", role: "operator" }] });
	await h.report("weather", { temperature: "4.20" });
	const temperature = "<numeric name='temperature' momentary='true' automaticReadout='true' value='4.20' writable='true' unit='°C'/>";
	const both = `<node nodeId='boiler'><timestamp value='${T0}'>${VALUE}</timestamp></node><node nodeId='weather'><timestamp value='${T0}'>${temperature}</timestamp></node>`;
	assert.equal((await exchange(h, req("seqnr='7' momentary='1'", "", OP, DOMAIN)))[1], message(`<fields xmlns='${X}' seqnr='7' done='true'>${both}</fields>`, OP, DOMAIN));
	assert.deepEqual(await exchange(h, nreq("id='7' m='1'", "", OP, DOMAIN)), [result(`<resp xmlns='${N}' id='7'/>`, OP, DOMAIN)]);
	const nd = "<q n='temperature' m='true' ar='true' v='4.20' ctr='true' u='°C'/>";
	assert.deepEqual(await exchange(h, nreq("id='7' m='1'", "<nd id='weather' src='MeteringTopology'/>", OP, DOMAIN)), [
		result(`<resp xmlns='${N}' id='7'><nd id='weather' src='MeteringTopology'><ts v='${T0}'>${nd}</ts></nd></resp>`, OP, DOMAIN),
	]);
	// A field that only one of them has is no mistake.
	assert.ok((await exchange(h, req("seqnr='7'", "<field name='secret'/><field name='temperature'/>", OP, DOMAIN)))[1]!.includes(both));
});

test("S9: a seqnr that is no whole number is bad-request, with or without it in the refusal", async () => {
	const h = await bench();
	for (const seqnr of ["x", "", "1.5", "0x7", "1e3", "9".repeat(21), `${" ".repeat(32)}1`]) {
		assert.match((await exchange(h, req(`seqnr='${seqnr}'`)))[0]!, /type='error'.*<error type='modify'><bad-request/);
		assert.match((await exchange(h, iq("get", OP, DEV, `<cancel xmlns='${X}' seqnr='${seqnr}'/>`)))[0]!, /bad-request/);
	}
	assert.match((await exchange(h, req("momentary='1'")))[0]!, /<rejected xmlns='urn:xmpp:iot:sensordata'><error>/);
	assert.match((await exchange(h, nreq("m='1'")))[0]!, /bad-request/);
	assert.match((await exchange(h, nreq(`id='${"a".repeat(257)}'`)))[0]!, /bad-request/);
	// S8: what is repeated has a bound, also in the refusal.
	assert.ok((await exchange(h, req(`seqnr='${" ".repeat(5_000)}1'`)))[0]!.length < 1_000);
	assert.ok((await exchange(h, req(`seqnr='${" ".repeat(31)}1'`)))[0]!.includes(`<accepted xmlns='${X}' seqnr='${" ".repeat(31)}1'`));
	await h.clock.advance(100);
	// S1: echoed as it came.
	assert.ok((await exchange(h, req("seqnr='+007'")))[0]!.includes("seqnr='+007'"));
});

test("a node or field without a name, and a time that is none, are bad-request", async () => {
	const h = await bench();
	for (const [attrs, children] of [["", "<node/>"], ["", "<field/>"], ["from='yesterday'", ""], ["to='2026-02-30T00:00:00Z'", ""], ["when='2026-01-01'", ""]] as const) {
		assert.match((await exchange(h, req(`seqnr='7' ${attrs}`, children)))[0]!, /bad-request/, attrs + children);
	}
	assert.match((await exchange(h, req("seqnr='7'", "<field name='a'/>".repeat(1_001))))[0]!, /at most 1000/);
	// Unknown attributes and elements are nobody's fault.
	assert.equal((await exchange(h, req("seqnr='7' userToken='x' colour='red'", "<colour xmlns='urn:example'/><shade/>"))).length, 2);
});

test("S8: a large readout is cut into stanzas below 10 000 bytes, `done` only on the last", async () => {
	const points = Object.fromEntries(Array.from({ length: 400 }, (_, n): [string, Points[string]] => [`température-${n}`, { kind: "numeric", access: "rw", unit: "°C" }]));
	const h = await bench({ devices: { boiler: { ...BOILER, ...points } } });
	await h.report("boiler", Object.fromEntries(Object.keys(points).map((name) => [name, "21.50"])));
	for (const said of [await exchange(h, req("seqnr='7' momentary='1'")), await exchange(h, nreq("id='7' m='1'"))]) {
		const parts = said.slice(1);
		assert.ok(parts.length > 3, String(parts.length));
		for (const part of parts) assert.ok(Buffer.byteLength(part) < 9_600);
		assert.ok(Buffer.byteLength(parts[0]!) > 8_000, "stanzas are filled");
		const names = parts.flatMap((part) => [...part.matchAll(/ (?:name|n)='([^']*)'/g)].map(([, name]) => name));
		assert.deepEqual(names, ["temperature", ...Object.keys(points)]);
		const ends = parts.map((part) => /done='(\w+)'/.exec(part)?.[1] ?? String(!part.includes("more='true'")));
		assert.deepEqual(ends, parts.map((_, n) => String(n === parts.length - 1)));
	}
	assert.equal(h.clock.pending, 0);
});

test("a value that fits into no stanza is a failure by itself, and the rest is told", async () => {
	const h = await bench();
	await h.report("boiler", { serial: "é".repeat(6_000) });
	const said = await exchange(h, req("seqnr='7' all='1'"));
	assert.equal(said[1], message(FIELDS("7").replace("done='true'", "done='false'")));
	assert.match(said[2]!, /<failure .* done='true'><error nodeId='boiler' timestamp='[^']*'>Cannot send &quot;serial&quot;/);
	assert.equal(said.length, 3);
});

test("many failures are one stanza below 10 000 bytes that says how many are left out", async () => {
	const devices = Object.fromEntries(Array.from({ length: 300 }, (_, n) => [`cold-${n}`, BOILER]));
	const h = await bench({ devices: { ...devices, boiler: BOILER }, access: [{ who: "oscar@ops.example.org", role: "operator" }] });
	const said = await exchange(h, req("seqnr='7' momentary='1'", "", OP, DOMAIN), 1_000);
	assert.equal(said.length, 3);
	assert.ok(Buffer.byteLength(said[2]!) < 10_000);
	assert.match(said[2]!, /there are \d+ more<\/error><\/failure>/);
});

test("a fleet is told a few stanzas a turn, and a cancel in between ends it", async () => {
	const points = Object.fromEntries(Array.from({ length: 3_000 }, (_, n): [string, Points[string]] => [`p${n}`, { kind: "numeric", access: "r", unit: "°C" }]));
	const h = await bench({ devices: { boiler: { ...BOILER, ...points } } });
	await h.report("boiler", Object.fromEntries(Object.keys(points).map((name) => [name, "21.50"])));
	assert.equal((await exchange(h, req("seqnr='7' momentary='1'"))).length, 17);
	await h.hear(iq("get", OP, DEV, `<cancel xmlns='${X}' seqnr='7'/>`));
	h.take();
	await h.clock.advance(60_000);
	assert.deepEqual(h.take(), []);
	assert.equal(h.clock.pending, 0);
});

test("readouts that fall due while the uplink is down, or has no room, are told when it is back, eight at a time, and an hour later not any more", async () => {
	const outage = async (ms: number): Promise<Harness> => {
		const h = await bench();
		for (let seqnr = 1; seqnr <= 12; seqnr++) await h.ask(req(`seqnr='${seqnr}' when='2026-01-01T00:00:03Z'`));
		await h.clock.advance(2_500);
		h.disconnect();
		h.take();
		await h.clock.advance(ms);
		assert.deepEqual(h.take(), []);
		await h.connect();
		await h.clock.advance(10);
		return h;
	};
	const back = await outage(1_000);
	const said = back.take().map((text) => text.replace(/ id='readout-\d+'/, ""));
	assert.equal(said.filter((text) => text.includes("<started")).length, 12);
	for (let seqnr = 1; seqnr <= 12; seqnr++) assert.ok(said.includes(message(FIELDS(String(seqnr)))), String(seqnr));
	assert.equal(back.clock.pending, 0);

	const late = await outage(LATE_BY + 1_000);
	assert.deepEqual(late.take(), []);
	assert.deepEqual(await exchange(late, req("seqnr='7'")), [accepted("7"), message(FIELDS("7"))], "it is forgotten");

	const full = await bench();
	await full.ask(req("seqnr='7' when='2026-01-01T00:00:03Z'"));
	full.room = false;
	await full.clock.advance(10_000);
	full.room = true;
	await full.clock.advance(1_000);
	assert.deepEqual(full.take().map((text) => text.replace(/ id='readout-\d+'/, "")), [message(`<started xmlns='${X}' seqnr='7'/>`), message(FIELDS("7"))]);
	await full.ask(req("seqnr='8' when='2026-01-01T00:01:00Z'"));
	full.room = false;
	await full.clock.advance(3_600_000);
	assert.equal(full.clock.pending, 0, "a stream that never has room is given up");
});

test("a readout that the end of the uplink interrupts is not gone on with, and the ones behind it wait for the next uplink", async () => {
	const points = Object.fromEntries(Array.from({ length: 3_000 }, (_, n): [string, Points[string]] => [`p${n}`, { kind: "numeric", access: "r", unit: "°C" }]));
	const h = await bench({ devices: { boiler: { ...BOILER, ...points } } });
	await h.report("boiler", Object.fromEntries(Object.keys(points).map((name) => [name, "21.50"])));
	for (let seqnr = 1; seqnr <= MAX_RUNNING + 3; seqnr++) await h.hear(req(`seqnr='${seqnr}' momentary='1'`));
	await h.clock.advance(10);
	h.disconnect();
	await h.clock.advance(1_000);
	h.take();
	await h.connect();
	await h.clock.advance(60_000);
	const ended = h.take().filter((text) => text.includes("done='true'")).map((text) => /seqnr='(\d+)'/.exec(text)![1]);
	assert.deepEqual(ended.sort(), ["10", "11", "9"]);
});

test("nine readouts of one account at once: the ninth waits for its turn and is started", async () => {
	const points = Object.fromEntries(Array.from({ length: 3_000 }, (_, n): [string, Points[string]] => [`p${n}`, { kind: "numeric", access: "r", unit: "°C" }]));
	const h = await bench({ devices: { boiler: { ...BOILER, ...points } } });
	await h.report("boiler", Object.fromEntries(Object.keys(points).map((name) => [name, "21.50"])));
	for (let seqnr = 1; seqnr <= MAX_RUNNING + 1; seqnr++) await h.hear(req(`seqnr='${seqnr}' momentary='1'`));
	assert.deepEqual(h.take().map((text) => text.includes("queued='true'")), [...Array<boolean>(MAX_RUNNING).fill(false), true]);
	await h.clock.advance(60_000);
	const said = h.take();
	assert.equal(said.filter((text) => text.includes("<started")).length, 1);
	assert.equal(said.filter((text) => text.includes("done='true'")).length, MAX_RUNNING + 1);
	assert.equal(h.clock.pending, 0);
});

test("S12: an account schedules 32 readouts, and another one is not held back by it", async () => {
	const h = await bench({ access: [...RULES, { who: "other@ops.example.org", role: "viewer" }] });
	for (let seqnr = 1; seqnr <= MAX_QUEUED; seqnr++) await h.hear(req(`seqnr='${seqnr}' when='2026-01-01T01:00:00Z'`, "", `oscar@ops.example.org/r${seqnr}`));
	h.take();
	assert.match((await exchange(h, req("seqnr='99' when='2026-01-01T01:00:00Z'")))[0]!, /resource-constraint.*32 of yours are waiting/);
	assert.match((await exchange(h, req("seqnr='99' when='2026-01-01T01:00:00Z'", "", "other@ops.example.org/x")))[0]!, /queued='true'/);
	assert.equal((await exchange(h, req("seqnr='99'"))).length, 2, "reading now is not scheduling");
});

test("S11: a bounce, an unavailable presence and gone() drop what the requester waits for", async () => {
	const later = "seqnr='7' when='2026-01-01T00:00:03Z'";
	const leave: readonly ((h: Harness & { readout: Readout }) => Promise<void> | void)[] = [
		(h) => h.hear(`<message type='error' from='${OP}' to='${DEV}'><error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>`),
		(h) => h.hear(presenceStanza("unavailable", OP, DEV)),
		(h) => h.hear(presenceStanza("unavailable", "oscar@ops.example.org", DEV)),
		(h) => h.hear(`<message type='error' from='${OP}' to='boiler@${DOMAIN}' id='x'><error type='cancel'><recipient-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>`),
		(h) => h.readout.gone(OP, "boiler"),
		(h) => h.readout.gone("oscar@ops.example.org", "boiler"),
		(h) => {
			// Nobody is asked for by name: whoever has no rule any more is a stranger.
			h.setRules(RULES.filter(({ who }) => who !== "oscar@ops.example.org"));
			for (const module of h.modules) module.accessChanged?.();
		},
		(h) => h.close(),
	];
	for (const [row, how] of leave.entries()) {
		const h = await bench();
		await h.ask(req(later));
		await how(h);
		await h.connect();
		assert.equal(h.clock.pending, 0, String(row));
		await h.clock.advance(10_000);
		assert.deepEqual(h.take(), [], String(row));
	}
	const h = await bench();
	await h.ask(req(later));
	await h.hear(presenceStanza("unavailable", "oscar@ops.example.org/phone", DEV));
	await h.hear(presenceStanza("unavailable", OP, `other@${DOMAIN}`));
	h.readout.gone("oscar@ops.example.org/phone", "boiler");
	h.readout.gone(OP, "other");
	h.readout.gone("oscar@ops.example.org", "");
	// A letter that bounces, which went to the account: this client is there.
	await h.hear(`<message type='error' from='oscar@ops.example.org' to='boiler@${DOMAIN}'><error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>`);
	for (const module of h.modules) module.accessChanged?.();
	await h.clock.advance(3_000);
	assert.equal(h.take().length, 2);
});

test("a scheduled readout sees the world of its time: device, points and rights", async () => {
	const later = req("seqnr='7' when='2026-01-01T00:00:03Z'", "<field name='setpoint'/>");
	const gone = await bench();
	await gone.ask(later);
	await gone.remove("boiler");
	await gone.clock.advance(3_000);
	assert.deepEqual(gone.take(), []);

	const blind = await bench();
	const { ask, clock } = { ask: blind.ask.bind(blind), clock: blind.clock };
	await ask(later);
	await blind.announce("boiler", { temperature: BOILER["temperature"]! });
	await clock.advance(3_000);
	const said = blind.take();
	assert.equal(said.length, 2);
	assert.match(said[1]!, /<failure [^>]*done='true'><error nodeId='boiler' timestamp='2026-01-01T00:00:03Z'>Cannot find field &quot;setpoint&quot;/);
});

// What the clients of standards send, as they send it.
test("requests of slixmpp, Smack, Clayster and IoTGateway are understood as they are written", async () => {
	const rows: readonly (readonly [string, string, readonly RegExp[]])[] = [
		["slixmpp", `<iq type='get' id='1' from='${OP}' to='${DEV}'><req xmlns='${X}' seqnr='1' momentary='true'><field name='temperature'/></req></iq>`, [/id='1'><accepted xmlns='urn:xmpp:iot:sensordata' seqnr='1' queued='false'\/>/, /<fields [^>]*done='true'>/]],
		["slixmpp, scheduled without a zone", `<iq type='get' id='2' from='${OP}' to='${DEV}'><req xmlns='${X}' seqnr='2' momentary='true' when='2026-01-01T00:00:05'/></iq>`, [/queued='true'/, /<started /, /<fields /]],
		["Smack", `<iq type='get' id='s1' from='${OP}' to='${DEV}'><req xmlns='${X}' seqnr='1872640203' momentary='true'/></iq>`, [/<accepted/, /<timestamp value='2026-01-01T00:00:00Z'>/]],
		["Clayster", `<iq type='get' id='c1' from='${OP}' to='${DEV}'><req xmlns='${X}' seqnr='3' momentary='true' peak='true' historical='true' from='2025-12-01T00:00:00' serviceToken='' deviceToken='' userToken=''><node nodeId='boiler'/></req></iq>`, [/<accepted/, /<fields [^>]*done='true'><node nodeId='boiler'>/]],
		["IoTGateway", `<iq type='get' id='w1' from='${OP}' to='${DEV}'><req xmlns='${N}' id='0123456789abcdef0123456789abcdef' m='true' s='true' from='2025-01-01T00:00:00.000' to='2026-06-01T12:00:00.000Z'/></iq>`, [/<resp xmlns='urn:nf:iot:sd:1\.0' id='0123456789abcdef0123456789abcdef'><ts v='2026-01-01T00:00:00Z'><q /]],
		["IoTGateway, all", `<iq type='get' id='w2' from='${OP}' to='${DEV}'><req xmlns='urn:ieee:iot:sd:1.0' id='a' all='true'/></iq>`, [/<accepted xmlns='urn:ieee:iot:sd:1\.0' id='a'\/>/, /<resp xmlns='urn:ieee:iot:sd:1\.0'/]],
	];
	for (const [client, stanza, expected] of rows) {
		const h = await bench();
		const said = await exchange(h, stanza, 10_000);
		assert.equal(said.length, expected.length, `${client}: ${said.join("\n")}`);
		expected.forEach((pattern, n) => assert.match(said[n]!, pattern, client));
	}
});

test("rules that change during a readout hold for all that is told after it: a device, a point, a failure; and it ends", async () => {
	const devices = Object.fromEntries(Array.from({ length: 400 }, (_, n): [string, Points] => [`d${n}`, { t: { kind: "text", access: "r" }, u: { kind: "text", access: "r" } }]));
	const who = "oscar@ops.example.org";
	for (const later of [[{ who, role: "viewer", devices: ["d1"] }], [{ who, role: "viewer", points: { "d*": ["u"] } }], [{ who, role: "none", devices: ["d3*"] }, { who, role: "viewer" }]] as const satisfies readonly (readonly AccessRule[])[]) {
		const h = await bench({ devices: { boiler: BOILER, ...devices }, access: [{ who, role: "viewer" }] });
		for (const id of Object.keys(devices)) await h.report(id, { t: `t-${id}-${"x".repeat(1_200)}`, ...(id !== "d399" && { u: `u-${id}` }) });
		await h.ask(req("seqnr='7' momentary='1'", "<field name='t'/><field name='u'/>", OP, DOMAIN));
		await h.clock.advance(10);
		const before = h.take().length;
		assert.ok(before > 5);
		h.room = false; // what is in hand was made under the old rules
		await h.clock.advance(1_000);
		h.setRules(later);
		for (const module of h.modules) module.accessChanged?.();
		h.room = true;
		await h.clock.advance(60_000);
		const said = h.take();
		assert.match(said.at(-1)!, /done='true'/);
		const told = new Set([...said.join("").matchAll(/nodeId='(d\d+)'[^]*?<\/node>/g)].map(([, id]) => id!));
		for (const id of told) assert.ok(h.access.maySee(who, id, devices[id]!), id);
		for (const [, name, id] of said.join("").matchAll(/ value='([tu])-(d\d+)/g)) assert.ok(h.access.mayRead(who, id!, name!), `${name} of ${id}`);
		// d399 has no value of `u`: that is said to who may know.
		assert.equal(said.join("").includes("Cannot read"), h.access.mayRead(who, "d399", "u"));
		assert.equal(h.clock.pending, 0);
	}
});

test("a reader whom the gateway cannot ask, since it asks too many others, is waited for and gets the whole", async () => {
	const devices = Object.fromEntries(Array.from({ length: 400 }, (_, n): [string, Points] => [`d${n}`, { t: { kind: "text", access: "r" } }]));
	let isFull = true;
	const h = harness((verbs) => [readout(verbs, { windows: new Windows({ clock: verbs.clock, log: verbs.log, ask: async () => {
		if (isFull) throw new RequestError("wait", "resource-constraint", "Cannot ask: 1000 questions wait already");
		return xml("iq");
	} }) })], { devices });
	for (const id of Object.keys(devices)) await h.report(id, { t: "x".repeat(5_000) });
	await h.ask(req("seqnr='7' momentary='1'", "", "alice@example.org/desk", DOMAIN));
	await h.clock.advance(900_000);
	assert.equal(h.take().length, 250, "half of the window, and no more");
	isFull = false;
	await h.clock.advance(60_000);
	assert.match(h.take().at(-1)!, /done='true'/);
	assert.equal(h.clock.pending, 0);
});

test("readouts of many accounts of one domain leave room for those of others, scheduled ones also for those of now", async () => {
	const access: AccessRule[] = [{ who: "*@crowd.example", role: "viewer" }, { who: "*@example.org", role: "viewer" }, { who: "*@third.example", role: "viewer" }, { who: "*@fourth.example", role: "viewer" }];
	const h = await bench({ access });
	const schedule = async (domain: string): Promise<number> => {
		let count = 0;
		for (let n = 0; n < 400; n++) if ((await h.ask(req(`seqnr='${n}' when='2026-01-01T23:00:00Z'`, "", `u${n % 20}@${domain}/r`)))[0]!.includes("queued='true'")) count++;
		await h.clock.advance(60_000);
		return count;
	};
	assert.deepEqual([await schedule("crowd.example"), await schedule("example.org"), await schedule("third.example"), await schedule("fourth.example")], [250, 250, 250, 0]);
	assert.equal((await exchange(h, req("seqnr='999'", "", "u99@fourth.example/r"))).length, 2);
});

test("stanza ids are those that the gateway gives", async () => {
	let ids = 0;
	const h = harness((verbs) => [readout(verbs, { newId: () => `fresh-${++ids}` })], { devices: { boiler: BOILER } });
	await h.report("boiler", { temperature: "1" });
	await h.ask(req("seqnr='7'"));
	await h.clock.advance(0);
	assert.match(h.take()[0]!, / id='fresh-1'/);
});

test("a field of a fleet asks the rules about that field alone", async () => {
	const points = Object.fromEntries(Array.from({ length: 20 }, (_, n): [string, Points[string]] => [`p${n}`, { kind: "numeric", access: "r" }]));
	const h = await bench({ devices: { boiler: BOILER, ...Object.fromEntries(Array.from({ length: 50 }, (_, n): [string, Points] => [`d${n}`, points])) }, access: [{ who: "oscar@ops.example.org", role: "viewer" }] });
	let asked = 0;
	const { mayRead } = h.access;
	h.access.mayRead = (...about) => {
		asked++;
		return mayRead.apply(h.access, about);
	};
	h.receive(req("seqnr='7'", "<field name='P7'/>", OP, DOMAIN));
	assert.equal(asked, 50);
});
