import assert from "node:assert/strict";
import { test } from "node:test";
import { GatewayError } from "../../../src/core/errors.js";
import type { Row } from "../../../src/core/journal.js";
import type { Points } from "../../../src/core/point.js";
import type { Reading } from "../../../src/core/reading.js";
import type { Unit } from "../../../src/core/unit.js";
import { numericFromText, type Value } from "../../../src/core/value.js";
import type { Verbs } from "../../../src/north/module.js";
import { readout } from "../../../src/north/readout/readout.js";
import { WINDOW, Windows } from "../../../src/north/window.js";
import { parseStanza } from "../../../src/xmpp/parser.js";
import { xml } from "../../../src/xmpp/xml.js";
import { FAKE_START } from "../../fakes/clock.js";
import { Chance, RUNS } from "../../fakes/fuzz.js";
import { DOMAIN, harness, type Harness, type HarnessOptions, iq } from "../harness.js";

const BOILER: Points = {
	temperature: { kind: "numeric", access: "r", unit: "°C" },
	setpoint: { kind: "numeric", access: "rw", unit: "°C", min: 20, max: 80 },
	burner: { kind: "boolean", access: "rw" },
	mode: { kind: "enum", access: "rw", labels: ["auto", "off"], category: "status" },
};
const OP = "oscar@ops.example.org/desk";
const DEV = `boiler@${DOMAIN}/thing`;
const X = "urn:xmpp:iot:sensordata";
const N = "urn:nf:iot:sd:1.0";
const NOON = FAKE_START - 12 * 3_600_000;
const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

/** @param answers Does everybody answer pings at once? */
function bench({ answers = true, ...options }: HarnessOptions & { readonly answers?: boolean } = {}, mostStored = 100_000): Harness & { readonly windows: Windows } {
	const made: { windows?: Windows } = {};
	const h = harness((verbs) => [readout(verbs, { mostStored, windows: made.windows = windowsOf(verbs, answers) })], { devices: { boiler: BOILER }, ...options });
	return Object.assign(h, { windows: made.windows! });
}

function windowsOf({ clock, log, ask }: Verbs, answers: boolean): Windows {
	return new Windows({ clock, log, ask: answers ? async () => xml("iq") : ask });
}

/** Put a reading into the journal; numbers are texts here. */
function keep(h: Harness, point: string, value: string | boolean, at: number, more: Partial<Reading> & { unit?: Unit } = {}, device = "boiler"): void {
	const { unit = "°C", ...rest } = more;
	const told: Value = typeof value === "boolean" ? value : (numericFromText(value) ?? value);
	h.history.add("test", device, { point, value: told, at, received: at, quality: "good", ...rest }, typeof told === "object" ? unit : undefined);
}

function req(attrs: string, children = "", from = OP, to = DEV): string {
	return iq("get", from, to, `<req xmlns='${X}' seqnr='7' ${attrs}>${children}</req>`);
}

function nreq(attrs: string, children = "", to = DEV): string {
	return iq("get", OP, to, `<req xmlns='${N}' id='a' ${attrs}>${children}</req>`);
}

/** Ask, let pass what is due, and give all that was said after the acceptance; what stands around the payload is left out. */
async function told(h: Harness, stanza: string, ms = 60_000): Promise<string[]> {
	await h.ask(stanza);
	await h.clock.advance(ms);
	return h.take().map((text) => text.replace(/^<message [^>]*>|<no-store xmlns='urn:xmpp:hints'\/><\/message>$/g, ""));
}

/** `moment name=value` of each field, in order. */
function fieldsOf(said: readonly string[]): string[] {
	return said.flatMap((text) => {
		let moment = "";
		return [...text.matchAll(/<(?:timestamp value|ts v)='([^']*)'|<(?:numeric|boolean|enum|string|q|b|e|s) (?:name|n)='([^']*)'[^>]*? (?:value|v)='([^']*)'/g)].flatMap(([, at, name, value]) => {
			if (at !== undefined) moment = at;
			return name === undefined ? [] : [`${moment.replace(/^2025-12-31T|Z$/g, "")} ${name}=${value}`];
		});
	});
}

test("stored values are told in both vocabularies with their own time, unit, digits and flags, and one category", async () => {
	const h = bench();
	keep(h, "temperature", "70.10", NOON, { unit: "°F" });
	keep(h, "burner", true, NOON);
	keep(h, "mode", "auto", NOON + 250, { ageUnknown: true });
	keep(h, "temperature", "71.50", NOON + MINUTE, { quality: "error" });
	assert.deepEqual(await told(h, req("historical='true'")), [
		`<fields xmlns='${X}' seqnr='7' done='true'><node nodeId='boiler'>` +
		"<timestamp value='2025-12-31T12:00:00Z'><numeric name='temperature' historicalOther='true' automaticReadout='true' value='70.10' unit='°F'/><boolean name='burner' historicalOther='true' automaticReadout='true' value='true'/></timestamp>" +
		"<timestamp value='2025-12-31T12:00:00.250Z'><enum name='mode' historicalOther='true' automaticReadout='true' timeOffset='true' value='auto' dataType='mode'/></timestamp>" +
		"<timestamp value='2025-12-31T12:01:00Z'><numeric name='temperature' historicalOther='true' automaticReadout='true' error='true' value='71.50' unit='°C'/></timestamp></node></fields>",
	]);
	assert.deepEqual(await told(h, nreq("h='1'", "<f n='temperature'/>")), [
		`<resp xmlns='${N}' id='a'><ts v='2025-12-31T12:00:00Z'><q n='temperature' h='true' ar='true' v='70.10' u='°F'/></ts><ts v='2025-12-31T12:01:00Z'><q n='temperature' h='true' ar='true' er='true' v='71.50' u='°C'/></ts></resp>`,
	]);
	assert.deepEqual(h.complaints, []);
});

test("the window takes in both its ends; from later than to is an empty window", async () => {
	const h = bench();
	for (let minute = 0; minute < 6; minute++) keep(h, "temperature", `${minute}`, NOON + minute * MINUTE);
	const rows = [
		["", "0 1 2 3 4 5"],
		["from='2025-12-31T12:02:00Z'", "2 3 4 5"],
		["to='2025-12-31T12:02:00Z'", "0 1 2"],
		["from='2025-12-31T13:01:00+01:00' to='2025-12-31T12:03:59.999'", "1 2 3"],
		["from='2025-12-31T12:02:00Z' to='2025-12-31T12:02:00Z'", "2"],
		["from='2025-12-31T12:03:00Z' to='2025-12-31T12:02:00Z'", ""],
	] as const;
	for (const [attrs, values] of rows) {
		for (const stanza of [req(`historical='1' ${attrs}`), nreq(`h='1' ${attrs}`)]) assert.equal(fieldsOf(await told(h, stanza)).map((field) => field.split("=")[1]).join(" "), values, attrs);
	}
});

test("the present and the past come together, and no key (node, field, timestamp) twice", async () => {
	const h = bench();
	keep(h, "temperature", "70", NOON);
	keep(h, "temperature", "70.5", NOON);
	keep(h, "setpoint", "60", NOON);
	keep(h, "temperature", "71", FAKE_START);
	await h.report("boiler", { temperature: "71" });
	for (const stanza of [req("momentary='1' historical='1'"), nreq("m='1' h='1'"), nreq("all='1'")]) {
		const said = await told(h, stanza);
		assert.deepEqual(fieldsOf(said), ["2026-01-01T00:00:00 temperature=71", "12:00:00 temperature=70.5", "12:00:00 setpoint=60"]);
		assert.match(said[0]!, / (?:momentary|m)='true'[^>]*>.* (?:historicalOther|h)='true'/);
	}
	assert.deepEqual(fieldsOf(await told(h, req("momentary='1' from='2025-12-31T12:00:00Z'"))), ["2026-01-01T00:00:00 temperature=71"]);
});

test("S8: a long history comes page by page, in full stanzas below 10 000 bytes, each value once and in order", async () => {
	const h = bench();
	for (let n = 0; n < 3_000; n++) keep(h, n % 3 === 0 ? "setpoint" : "temperature", `${n}.50`, NOON + Math.floor(n / 2) * 1_000);
	const limits: number[] = [];
	const { rows } = h.history;
	h.history.rows = (span, limit, after) => {
		limits.push(limit);
		return rows.call(h.history, span, limit, after);
	};
	for (const [stanza, ends] of [[req("historical='1'"), /done='false'/], [nreq("h='1'"), /more='true'/]] as const) {
		limits.length = 0;
		const said = await told(h, stanza);
		assert.deepEqual(limits, Array(13).fill(250));
		assert.ok(said.length > 15);
		for (const text of said) assert.ok(Buffer.byteLength(text) < 9_500);
		for (const text of said.slice(0, -1)) assert.ok(Buffer.byteLength(text) > 8_800 && ends.test(text), `${Buffer.byteLength(text)}`);
		assert.doesNotMatch(said.at(-1)!, ends);
		const values = fieldsOf(said).map((field) => Number(field.split("=")[1]));
		// Of two values of one point and one moment the last one is told.
		assert.deepEqual(values, Array.from({ length: 3_000 }, (_, n) => n + 0.5).filter((_, n) => n % 2 === 1 || n % 3 === 0 || (n + 1) % 3 === 0));
	}
	assert.equal(h.clock.pending, 0);
});

test("T5: a cancel ends it at any page, also while that is being read", async () => {
	for (const [cancel, ask] of [[`<cancel xmlns='${X}' seqnr='7'/>`, req("historical='1'")], [`<cancel xmlns='${N}' id='a'/>`, nreq("h='1'")]] as const) {
		for (let page = 0; page < 5; page++) {
			const h = bench();
			for (let n = 0; n < 1_000; n++) keep(h, "temperature", `${n}`, NOON + n);
			let open = (): void => {};
			const { rows } = h.history;
			let asked = 0;
			h.history.rows = async (span, limit, after) => {
				if (asked++ === page) await new Promise<void>((resolve) => (open = resolve));
				return rows.call(h.history, span, limit, after);
			};
			await h.hear(ask);
			await h.clock.advance(1_000);
			assert.match((await h.ask(iq("set", OP, DEV, cancel).replace("type='set'", ask.includes(X) ? "type='get'" : "type='set'")))[0]!, /type='result'/);
			open();
			await h.clock.advance(60_000);
			assert.deepEqual(h.take(), [], `page ${page}`);
			assert.equal(asked, page + 1);
			assert.equal(h.clock.pending, 0);
		}
	}
});

test("T4: a scheduled history sees the journal of its time", async () => {
	const h = bench();
	keep(h, "temperature", "70", NOON);
	await h.ask(req("historical='1' when='2026-01-01T00:00:03Z' from='2025-12-31T12:00:00Z'"));
	keep(h, "temperature", "71", FAKE_START + 1_000, { unit: "°C" });
	await h.clock.advance(3_000);
	const said = h.take();
	assert.match(said[0]!, /<started /);
	assert.deepEqual(fieldsOf(said), ["12:00:00 temperature=70", "2026-01-01T00:00:01 temperature=71"]);
});

test("what the asker may see is decided anew for each page, and a device that is gone tells nothing more", async () => {
	const rows: readonly (readonly [string, (h: Harness) => void, (names: readonly string[]) => void])[] = [
		["a point is taken from him", (h) => h.setRules([{ who: "oscar@ops.example.org", role: "viewer", points: { boiler: ["temperature"] } }]), (names) => assert.ok(!names.slice(300).includes("setpoint") && names.includes("setpoint") && names.length > 500)],
		["all is taken from him", (h) => h.setRules([]), (names) => assert.ok(names.length > 0 && names.length < 300)],
		["the device is removed", (h) => void h.registry.remove("test", "boiler"), (names) => assert.ok(names.length > 0 && names.length < 300)],
	];
	for (const [what, change, check] of rows) {
		const h = bench();
		for (let n = 0; n < 1_000; n++) keep(h, n % 2 === 0 ? "setpoint" : "temperature", `${n}`, NOON + n * 1_000);
		const { rows: read } = h.history;
		let page = 0;
		h.history.rows = async (span, limit, after) => {
			if (page++ === 1) change(h);
			return read.call(h.history, span, limit, after);
		};
		const said = await told(h, req("historical='1'"));
		check(fieldsOf(said).map((field) => field.split(/[ =]/)[1]!));
		assert.match(said.at(-1)!, /done='true'/, what);
		assert.equal(h.clock.pending, 0);
	}
});

test("who may see one point finds the past of no other in any stanza", async () => {
	const h = bench({ access: [{ who: "bob@partner.example", role: "viewer", points: { boiler: ["temperature"] } }] });
	for (let n = 0; n < 10; n++) for (const [point, value] of [["temperature", "4"], ["setpoint", "66"], ["burner", true]] as const) keep(h, point, value, NOON + n * MINUTE);
	const said = await told(h, req("all='1' historicalMinute='1'", "", "bob@partner.example/phone"));
	assert.equal(fieldsOf(said).length, 10);
	assert.ok(!/setpoint|66|burner/.test(said.join("")));
});

test("S12: one request gets so many values and no more, and is told where to go on; nothing is lost between the two", async () => {
	const most = 10_000;
	const h = bench({}, most);
	const total = most + 1_000;
	const rowAt = (n: number): Row => ({ reading: { point: "temperature", value: numericFromText(String(n))!, at: NOON + n, received: NOON + n, quality: "good" }, cursor: String(n) });
	h.history.rows = async ({ from = NOON }, limit, after) => {
		const first = after === undefined ? Math.max(0, from - NOON) : Number(after) + 1;
		return Array.from({ length: Math.max(0, Math.min(limit, total - first)) }, (_, n) => rowAt(first + n));
	};
	let count = 0;
	let last = "";
	await h.ask(req("historical='1'"));
	for (let turns = 0; turns < 2_000 && h.clock.pending > 0; turns++) {
		await h.clock.advance(50);
		for (const text of h.take()) {
			count += fieldsOf([text]).length;
			last = text;
		}
	}
	assert.equal(count, most);
	const from = /<failure [^>]*done='true'><error nodeId='boiler' timestamp='[^']*'>Cannot send more than 10000 stored values at once: go on with from=&quot;([^&]*)&quot;<\/error>/.exec(last)?.[1] ?? assert.fail(last);
	assert.equal(Date.parse(from), NOON + most);
	assert.equal(fieldsOf(await told(h, req(`historical='1' from='${from}'`))).length, 1_000);
});

test("periods: of each that has ended the last value, with its own time", async () => {
	const days = (...texts: readonly string[]): string[] => texts.map((text) => `${text}T00:00:00`);
	// 2025-12-31 is a Wednesday.
	const rows: readonly (readonly [string, number, readonly string[]])[] = [
		["historicalSecond", 400, ["2025-12-31T23:59:57", "2025-12-31T23:59:58", "2025-12-31T23:59:59", "2026-01-01T00:00:00"]],
		["historicalMinute", 25_000, ["2025-12-31T23:57:00", "2025-12-31T23:58:00", "2025-12-31T23:59:00", "2026-01-01T00:00:00"]],
		["historicalHour", 25 * MINUTE, ["2025-12-31T21:00:00", "2025-12-31T22:00:00", "2025-12-31T23:00:00", "2026-01-01T00:00:00"]],
		["historicalDay", 10 * 60 * MINUTE, days("2025-12-29", "2025-12-30", "2025-12-31", "2026-01-01")],
		["historicalWeek", 3 * DAY, days("2025-12-08", "2025-12-15", "2025-12-22", "2025-12-29")],
		["historicalMonth", 9 * DAY, days("2025-10-01", "2025-11-01", "2025-12-01", "2026-01-01")],
		["historicalQuarter", 25 * DAY, days("2025-04-01", "2025-07-01", "2025-10-01", "2026-01-01")],
		["historicalYear", 100 * DAY, days("2023-01-01", "2024-01-01", "2025-01-01", "2026-01-01")],
	];
	for (const [period, every, ends] of rows) {
		const h = bench();
		const times = Array.from({ length: 20 }, (_, n) => FAKE_START - 1 - (19 - n) * every);
		times.forEach((at, n) => keep(h, "temperature", `${n}`, at));
		keep(h, "temperature", "99", FAKE_START); // of a period that has not ended
		const said = await told(h, req(`${period}='true'`), 0);
		const found = fieldsOf(said).map((field) => (/^\d\d:/.test(field) ? `2025-12-31T${field}` : field));
		const expected = ends.map((end) => {
			const n = times.findLastIndex((at) => at < Date.parse(`${end}Z`));
			return `${new Date(times[n]!).toISOString().replace(/(\.000)?Z$/, "")} temperature=${n}`;
		});
		assert.deepEqual(found.slice(-4), expected, period);
		assert.equal([...said.join("").matchAll(new RegExp(`<numeric name='temperature' ${period}='true' automaticReadout='true' value=`, "g"))].length, found.length);
	}
	// The finest of several; each stored value where that is asked for too; a period that is cut by the window has its last value all the same.
	const h = bench();
	for (let n = 0; n < 240; n++) keep(h, "temperature", `${n}`, NOON + n * MINUTE);
	assert.equal(fieldsOf(await told(h, req("historicalHour='1' historicalDay='1'"))).length, 4);
	assert.equal(fieldsOf(await told(h, req("historicalOther='1' historicalDay='1'"))).length, 240);
	assert.deepEqual(fieldsOf(await told(h, req("historicalHour='1' from='2025-12-31T12:30:00Z' to='2025-12-31T15:00:00Z'"))), ["12:59:00 temperature=59", "13:59:00 temperature=119", "14:59:00 temperature=179"]);
});

test("periods: each point has its own time, in order, and a value that is told as present is not told again", async () => {
	const h = bench();
	keep(h, "temperature", "1", NOON + 50 * MINUTE);
	keep(h, "setpoint", "2", NOON + 20 * MINUTE);
	keep(h, "temperature", "3", NOON + 70 * MINUTE);
	assert.deepEqual(fieldsOf(await told(h, req("historicalHour='1'"))), ["12:20:00 setpoint=2", "12:50:00 temperature=1", "13:10:00 temperature=3"]);
	await h.report("boiler", { temperature: "3" }, { at: NOON + 70 * MINUTE });
	assert.deepEqual(fieldsOf(await told(h, req("historicalHour='1' momentary='1'"))).filter((field) => field.includes("temperature")), ["13:10:00 temperature=3", "12:50:00 temperature=1"]);
});

test("periods of many points come page by page, each once", async () => {
	const points = Object.fromEntries(Array.from({ length: 90 }, (_, n): [string, Points[string]] => [`p${n}`, { kind: "numeric", access: "r" }]));
	const h = bench({ devices: { boiler: points } });
	for (let hour = 0; hour < 12; hour++) for (const point of Object.keys(points)) keep(h, point, `${hour}`, NOON + hour * 60 * MINUTE);
	const found = fieldsOf(await told(h, req("historicalHour='1'")));
	assert.equal(found.length, 12 * 90);
	assert.equal(new Set(found).size, found.length);
	assert.deepEqual(found, [...found].sort((a, b) => Date.parse(at(a)) - Date.parse(at(b))));
	function at(field: string): string {
		const [moment = ""] = field.split(" ");
		return /^\d\d:/.test(moment) ? `2025-12-31T${moment}Z` : `${moment}Z`;
	}
});

test("a journal that cannot be read is a failure at the end, and what is present was told before it", async () => {
	const h = bench();
	await h.report("boiler", { temperature: "71.50" });
	h.history.rows = async () => {
		throw new GatewayError("store-failed", "Cannot read the journal: the disk is gone");
	};
	const said = await told(h, req("all='1'"));
	assert.deepEqual(fieldsOf(said), ["2026-01-01T00:00:00 temperature=71.50"]);
	assert.match(said[1]!, /<failure [^>]*done='true'><error nodeId='boiler'[^>]*>Cannot read the journal: the disk is gone<\/error>/);
	const [resp = ""] = (await told(h, nreq("h='1'"))).slice(-1);
	assert.match(resp, /^<resp [^>]*id='a'><ts v='[^']*'><err>Cannot read the journal/);
	h.history.rows = async () => {
		throw new Error("a bug");
	};
	await told(h, req("historical='1'"));
	assert.equal(h.complaints.length, 1);
	assert.equal(h.clock.pending, 0);
});

/** A journal that never ends. */
function endless(h: Harness): void {
	h.history.rows = async (_span, limit, after = "0") => Array.from({ length: limit }, (_, n) => ({ reading: { point: "temperature", value: numericFromText("21.5")!, at: NOON + Number(after) + n, received: NOON, quality: "good" as const }, cursor: String(Number(after) + n + 1) }));
}

test("readouts of one reader fill half of his window together: he is pinged, and whatever he answers he has taken them", async () => {
	const answers = [
		["result", `<iq type='result' id='ID' from='${OP}' to='${DEV}'/>`, true],
		["an error", `<iq type='error' id='ID' from='${OP}' to='${DEV}'><error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>`, true],
		["nothing", undefined, false],
	] as const;
	for (const [what, answer, goesOn] of answers) {
		const h = bench({ answers: false });
		endless(h);
		for (const seqnr of [1, 2, 3]) await h.ask(req("historical='1'").replace("seqnr='7'", `seqnr='${seqnr}'`));
		await h.clock.advance(20_000);
		const said = h.take().map((text) => parseStanza(text));
		const [ping, ...more] = said.filter(({ name }) => name === "iq");
		assert.deepEqual([ping!.attrs["type"], ping!.attrs["from"], ping!.attrs["to"], ping!.elements()[0]?.xmlns, more.length], ["get", DEV, OP, "urn:xmpp:ping", 0]);
		const full = said.length - 1;
		// Each may be at its last stanza when the half is full.
		assert.ok(full >= WINDOW / 2 && full <= WINDOW / 2 + 2, `${full}`);
		assert.equal(h.windows.outstanding(OP), full);
		if (answer !== undefined) await h.hear(answer.replace("ID", ping!.attrs["id"]!));
		await h.clock.advance(8 * MINUTE);
		const later = h.take().filter((text) => text.startsWith("<message")).length;
		if (goesOn) assert.ok(later > 50 && h.windows.outstanding(OP) <= full, `${what}: ${later}`);
		else assert.equal(later, 0, what);
		await h.clock.advance(20 * MINUTE);
		assert.equal(h.clock.pending, 0, "he is gone, and nobody waits for him");
		h.close();
	}
});

test("a short readout is an answer: nobody is pinged for it, and it waits for no window", async () => {
	const h = bench({ answers: false });
	for (let n = 0; n < 700; n++) keep(h, "temperature", `${n}`, NOON + n);
	assert.equal(fieldsOf(await told(h, req("historical='1'"))).length, 700);
	assert.deepEqual([h.windows.outstanding(OP), h.clock.pending], [0, 0]);
	h.windows.to(OP).sent(DEV, WINDOW);
	assert.equal(fieldsOf(await told(h, req("historical='1'"), 1_000)).length, 700);
});

test("a reader who is gone, and an uplink that is lost, end a readout that is under way", async () => {
	for (const end of [(h: ReturnType<typeof bench>) => h.windows.gone(OP), (h: Harness) => h.disconnect()]) {
		const h = bench({ answers: false });
		endless(h);
		await h.ask(req("historical='1'"));
		await h.clock.advance(1_000);
		end(h);
		await h.connect();
		h.take();
		await h.clock.advance(20_000);
		assert.deepEqual(h.take().filter((text) => text.startsWith("<message")), []);
	}
});

test("an uplink that takes no more is waited for, and given up after a minute", async () => {
	const h = bench();
	for (let n = 0; n < 200; n++) keep(h, "temperature", `${n}`, NOON + n);
	await h.ask(req("historical='1'"));
	h.room = false;
	await h.clock.advance(30_000);
	h.room = true;
	await h.clock.advance(1_000);
	assert.equal(fieldsOf(h.take()).length, 200);
	await h.ask(req("historical='1'"));
	h.room = false;
	await h.clock.advance(61_000);
	h.room = true;
	await h.clock.advance(61_000);
	assert.deepEqual(h.take(), []);
	assert.equal(h.clock.pending, 0);
});

test("whatever is in the journal and whatever is asked: it ends, within its window, in time and with no key twice", async () => {
	const chance = new Chance(44);
	const h = bench();
	const texts = ["1.0", "on", "", "é", "<&'>", "x".repeat(12_000), "0.00", "-7"];
	for (let n = 0; n < 700; n++) keep(h, chance.pick(Object.keys(BOILER).concat("gone")), chance.int(4) === 0 ? chance.int(2) === 0 : chance.pick(texts), chance.int(50) === 0 ? chance.pick([0, -1e15, 9e15, FAKE_START + DAY]) : NOON + chance.int(40) * MINUTE, { received: FAKE_START });
	const categories = ["historical", "historicalOther", "historicalSecond", "historicalMinute", "historicalHour", "historicalDay", "historicalWeek", "historicalMonth", "historicalQuarter", "historicalYear", "all", "momentary"];
	await h.report("boiler", { temperature: "21.5" }, { at: NOON });
	for (let run = 0; run < RUNS / 10; run++) {
		const [from, to] = [0, 1].map(() => new Date(NOON + (chance.int(60) - 10) * MINUTE).toISOString());
		const window = `${chance.int(2) === 0 ? `from='${from}' ` : ""}${chance.int(2) === 0 ? `to='${to}' ` : ""}`;
		const fields = Array.from({ length: chance.int(3) }, () => chance.pick(Object.keys(BOILER)));
		const isX = chance.int(2) === 0;
		const wanted = isX ? Array.from(new Set([chance.pick(categories), chance.pick(categories)]), (name) => `${name}='1'`).join(" ") : chance.pick(["h='1'", "h='1' m='1'", "all='1'"]);
		const said = await told(h, isX ? req(`${wanted} ${window}`, fields.map((name) => `<field name='${name}'/>`).join("")) : nreq(`${wanted} ${window}`, fields.map((name) => `<f n='${name}'/>`).join("")), 5_000);
		const keys = fieldsOf(said).map((field) => field.split("=")[0]!);
		assert.equal(new Set(keys).size, keys.length, `${wanted} ${window}`);
		for (const text of said) assert.ok(Buffer.byteLength(text) < 9_600);
		// What rides in the result of the iq was taken by told(); what came in messages has an end.
		if (said.length > 0) assert.match(said.at(-1)!, isX ? /^<[^>]*done='true'/ : /^<resp (?!.*more=)/);
	}
	assert.equal(h.clock.pending, 0);
	assert.deepEqual(h.complaints, []);
});
