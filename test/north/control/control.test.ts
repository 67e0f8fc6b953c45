import assert from "node:assert/strict";
import { test } from "node:test";
import type { Command, Outcome } from "../../../src/core/command.js";
import { type Fault, GatewayError } from "../../../src/core/errors.js";
import type { Points } from "../../../src/core/point.js";
import { textOf } from "../../../src/core/value.js";
import { control, type ControlOptions } from "../../../src/north/control/control.js";
import { DOMAIN, harness, type Harness, type HarnessOptions, iq } from "../harness.js";

const BOILER: Points = {
	temperature: { kind: "numeric", access: "r", unit: "°C" },
	setpoint: { kind: "numeric", access: "rw", unit: "°C", min: 20, max: 80, label: "Set point" },
	level: { kind: "numeric", access: "rw", integer: true, min: 0, max: 10 },
	burner: { kind: "boolean", access: "rw" },
	mode: { kind: "enum", access: "rw", labels: ["auto", "off"] },
	note: { kind: "text", access: "rw", maxLength: 20 },
	reset: { kind: "boolean", access: "w" },
};
const OP = "oscar@ops.example.org/desk";
const DEV = `boiler@${DOMAIN}/thing`;
const X = "urn:xmpp:iot:control";
const N = "urn:nf:iot:ctr:1.0";
const OPERATOR = { who: "oscar@ops.example.org", role: "operator" } as const;

function bench(options: HarnessOptions & ControlOptions = {}): Harness {
	const { legacyErrors, ...rest } = options;
	return harness((verbs) => [control(verbs, { ...(legacyErrors !== undefined && { legacyErrors }) })], { devices: { boiler: BOILER, kettle: BOILER }, access: [OPERATOR], ...rest });
}

const set = (children: string, from = OP, to = DEV): string => iq("set", from, to, `<set xmlns='${X}'>${children}</set>`);
const nset = (children: string, xmlns = N, from = OP, to = DEV): string => iq("set", from, to, `<set xmlns='${xmlns}'>${children}</set>`);
const form = (fields: string): string => `<x xmlns='jabber:x:data' type='submit'>${fields}</x>`;
const field = (name: string, value: string): string => `<field var='${name}'><value>${value}</value></field>`;
const result = (payload: string, to = OP, from = DEV): string => `<iq type='result' to='${to}' from='${from}' id='q1'>${payload}</iq>`;
const OK = result(`<setResponse xmlns='${X}' responseCode='OK'/>`);

function refusal(type: string, condition: string, text: string, before: string, paramError: string): string {
	const stanzas = "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'";
	return `<iq type='error' to='${OP}' from='${DEV}' id='q1'>${before}<error type='${type}'><${condition} ${stanzas}/><text ${stanzas}>${text}</text>${paramError}</error></iq>`;
}

function done(h: Harness): string[] {
	return h.commands.map(({ device, point, value, by }) => `${device}.${point}=${textOf(value)} by ${by}`);
}

test("a set is carried out in the order of the document, and answered with success", async () => {
	const h = bench();
	assert.deepEqual(await h.ask(set("<double name='setpoint' value='68.50'/><boolean name='BURNER' value='1'/>")), [OK]);
	assert.deepEqual(done(h), ["boiler.setpoint=68.50 by oscar@ops.example.org", "boiler.burner=true by oscar@ops.example.org"]);
	for (const xmlns of [N, "urn:nfi:iot:ctr:1.0", "urn:ieee:iot:ctr:1.0"]) {
		const other = bench();
		assert.deepEqual(await other.ask(nset("<db n='setpoint' v='68.50'/><b n='burner' v='true'/>", xmlns)), [result(`<resp xmlns='${xmlns}'/>`)]);
		assert.deepEqual(done(other), done(h));
	}
	assert.deepEqual(h.complaints, []);
});

test("the answer waits for the device: a confirmed command is success, whatever happened before is silence", async () => {
	let confirm: (outcome: Outcome) => void = () => {};
	const h = bench({ execute: () => new Promise((resolve) => (confirm = resolve)) });
	assert.deepEqual(await h.ask(set("<boolean name='burner' value='true'/><int name='level' value='3'/>")), []);
	assert.equal(h.commands.length, 1, "the second waits for the first");
	confirm({ kind: "sent" });
	await h.clock.advance(0);
	assert.equal(h.commands.length, 2);
	assert.deepEqual(h.take(), []);
	confirm({ kind: "confirmed", reading: { point: "level", value: "3", at: 0, received: 0, quality: "good" } });
	await h.clock.advance(0);
	assert.deepEqual(h.take(), [OK]);
});

// [what, in X, in N, value as sent south; nothing when it is refused with bad-request]
const VALUES: readonly (readonly [string, string, string, string | undefined])[] = [
	["double", "<double name='setpoint' value='68.50'/>", "<db n='setpoint' v='68.50'/>", "68.50"],
	["C1: numeric", "<numeric name='setpoint' value='68.5'/>", "<q n='setpoint' v='68.5'/>", "68.5"],
	["C1: int for a double", "<int name='setpoint' value='68'/>", "<i n='setpoint' v='68'/>", "68"],
	["exponent", "<double name='setpoint' value='6.85e1'/>", "<db n='setpoint' v='6.85e1'/>", "68.5"],
	["long", "<long name='level' value='7'/>", "<l n='level' v='7'/>", "7"],
	["C1: double for an int, lossless", "<double name='level' value='7.0'/>", "<db n='level' v='7.0'/>", "7"],
	["C1: double for an int, lossy", "<double name='level' value='7.5'/>", "<db n='level' v='7.5'/>", undefined],
	["an int that is none", "<int name='level' value='7.0'/>", "<i n='level' v='7.0'/>", undefined],
	["boolean", "<boolean name='burner' value='false'/>", "<b n='burner' v='0'/>", "false"],
	["C1: bool of Smack", "<bool name='burner' value='true'/>", "<b n='burner' v='true'/>", "true"],
	["a boolean that is none", "<boolean name='burner' value='on'/>", "<b n='burner' v='on'/>", undefined],
	["an int for a boolean", "<int name='burner' value='1'/>", "<i n='burner' v='1'/>", undefined],
	["a string for a number", "<string name='setpoint' value='30'/>", "<s n='setpoint' v='30'/>", undefined],
	["a boolean for a number", "<boolean name='setpoint' value='1'/>", "<b n='setpoint' v='1'/>", undefined],
	["string for an enum", "<string name='mode' value='off'/>", "<s n='mode' v='off'/>", "off"],
	["C1: enum", "<enum name='mode' value='off'/>", "<e n='mode' v='off' t='Acme.Mode'/>", "off"],
	["an unknown label", "<string name='mode' value='Off'/>", "<e n='mode' v='Off' t='x'/>", undefined],
	["out of range", "<double name='setpoint' value='80.01'/>", "<db n='setpoint' v='80.01'/>", undefined],
	["below range", "<int name='level' value='-1'/>", "<i n='level' v='-1'/>", undefined],
	["NaN", "<double name='setpoint' value='NaN'/>", "<db n='setpoint' v='NaN'/>", undefined],
	["INF", "<double name='setpoint' value='INF'/>", "<db n='setpoint' v='INF'/>", undefined],
	["nothing", "<double name='setpoint' value=''/>", "<db n='setpoint' v=''/>", undefined],
	["hex", "<int name='level' value='0x7'/>", "<i n='level' v='0x7'/>", undefined],
	["text", "<string name='note' value='a&lt;b'/>", "<s n='note' v='a&lt;b'/>", "a<b"],
	["a long text", "<string name='note' value='123456789012345678901'/>", "<s n='note' v='123456789012345678901'/>", undefined],
	["C1: colour with a hash", "<color name='note' value='#FF8800'/>", "<cl n='note' v='#FF8800'/>", "FF8800"],
	["colour with alpha", "<color name='note' value='ff8800aa'/>", "<cl n='note' v='ff8800aa'/>", "ff8800aa"],
	["a colour that is none", "<color name='note' value='ff880'/>", "<cl n='note' v='ff880'/>", undefined],
	["date", "<date name='note' value='2026-02-28'/>", "<d n='note' v='2026-02-28'/>", "2026-02-28"],
	["a date that is none", "<date name='note' value='2026-02-29'/>", "<d n='note' v='2026-02-29'/>", undefined],
	["dateTime", "<dateTime name='note' value='2026-02-28T01:02:03'/>", "<dt n='note' v='2026-02-28T01:02:03'/>", "2026-02-28T01:02:03"],
	["time", "<time name='note' value='23:59:59'/>", "<t n='note' v='23:59:59'/>", "23:59:59"],
	["a time that is none", "<time name='note' value='24:00'/>", "<t n='note' v='24:00'/>", undefined],
	["duration", "<duration name='note' value='PT0.5S'/>", "<dr n='note' v='PT0.5S'/>", "PT0.5S"],
	["a duration that is none", "<duration name='note' value='P'/>", "<dr n='note' v='P'/>", undefined],
	["a number for a text", "<int name='note' value='1'/>", "<i n='note' v='1'/>", undefined],
	["a button", "<boolean name='reset' value='true'/>", "<b n='reset' v='true'/>", "true"],
];

test("C1: a value is taken in every type that loses nothing, and refused in every other", async () => {
	for (const [what, x, n, value] of VALUES) {
		for (const stanza of [set(x), nset(n)]) {
			const h = bench();
			const [said = ""] = await h.ask(stanza);
			assert.deepEqual(h.commands.map((command) => textOf(command.value)), value === undefined ? [] : [value], what);
			assert.match(said, value === undefined ? /type='error'.*<error type='modify'><bad-request.*<paramError / : /type='result'/, what);
		}
	}
});

test("an unknown parameter is item-not-found, with the parameter named, and nothing is written", async () => {
	const h = bench();
	const text = "Cannot find parameter &quot;colour&quot;";
	assert.deepEqual(await h.ask(set("<boolean name='burner' value='true'/><string name='colour' value='red'/>")), [
		refusal("cancel", "item-not-found", text, `<setResponse xmlns='${X}' responseCode='NotFound'/>`, `<paramError xmlns='${X}' var='colour'>${text}</paramError>`),
	]);
	assert.deepEqual(await h.ask(nset("<b n='burner' v='true'/><s n='colour' v='red'/>")), [
		refusal("cancel", "item-not-found", text, "", `<paramError xmlns='${N}' var='colour' n='colour'>${text}</paramError>`),
	]);
	assert.deepEqual(h.commands, []);
});

test("out of range is bad-request with the range, and the valid parameter before it is not written", async () => {
	const h = bench();
	const text = "Cannot use &quot;81&quot; for &quot;setpoint&quot;: it takes 20 to 80 °C";
	assert.deepEqual(await h.ask(set("<boolean name='burner' value='true'/><double name='setpoint' value='81'/>")), [
		refusal("modify", "bad-request", text, `<setResponse xmlns='${X}' responseCode='OtherError'/>`, `<paramError xmlns='${X}' var='setpoint'>${text}</paramError>`),
	]);
	assert.deepEqual(h.commands, []);
});

test("C2: the answer of version 0.2 can be switched off", async () => {
	const [said = ""] = await bench({ legacyErrors: false }).ask(set("<double name='setpoint' value='81'/>"));
	assert.ok(!said.includes("setResponse") && said.includes("bad-request"));
});

test("a read-only point is not-allowed", async () => {
	const h = bench();
	assert.match((await h.ask(set("<double name='temperature' value='30'/>")))[0]!, /<error type='cancel'><not-allowed .*it is read-only.*<paramError /);
	assert.deepEqual(h.commands, []);
});

test("a set that is malformed is bad-request, and nothing is written", async () => {
	const h = bench();
	for (const children of [
		"<boolean name='burner' value='true'/><text name='note' value='x'/>",
		"<boolean name='burner' value='true'/><boolean xmlns='urn:example' name='burner' value='false'/>",
		"<boolean name='burner'/>", "<boolean value='true'/>", "<node/>",
		form("<field><value>1</value></field>"), form(field("burner", "1") + field("burner", "0")), form("<field var='burner'><value>1</value><value>0</value></field>"),
		"<x xmlns='jabber:x:data' type='cancel'/>", "<x xmlns='jabber:x:data' type='form'/>", "<x xmlns='jabber:x:data'/>",
		"<boolean name='burner' value='true'/>".repeat(65),
	]) {
		assert.match((await h.ask(set(children)))[0]!, /type='error'.*<bad-request /, children);
	}
	assert.deepEqual(h.commands, []);
});

test("two nodes of which one is invalid: nothing is written", async () => {
	const h = bench({ devices: { boiler: BOILER, valve: { burner: { kind: "boolean", access: "rw" } } } });
	const nodes = "<node nodeId='boiler'/><node nodeId='valve'/>";
	for (const [children, condition] of [
		[`${nodes}<double name='setpoint' value='30'/>`, "item-not-found"],
		["<node nodeId='boiler'/><node nodeId='absent'/><boolean name='burner' value='1'/>", "item-not-found"],
		[`${nodes}<boolean name='burner' value='2'/>`, "bad-request"],
	] as const) {
		assert.match((await h.ask(set(children, OP, DOMAIN)))[0]!, new RegExp(condition), children);
	}
	assert.deepEqual(h.commands, []);
	assert.deepEqual(await h.ask(set(`${nodes}<boolean name='burner' value='1'/>`, OP, DOMAIN)), [OK.replace(DEV, DOMAIN)]);
	assert.deepEqual(done(h), ["boiler.burner=true by oscar@ops.example.org", "valve.burner=true by oscar@ops.example.org"]);
});

test("a device's own address takes its own node and no other; the gateway's takes none without a node", async () => {
	const h = bench();
	assert.deepEqual(await h.ask(set("<node nodeId='boiler'/><boolean name='burner' value='1'/>")), [OK]);
	assert.match((await h.ask(set("<node nodeId='kettle'/><boolean name='burner' value='1'/>")))[0]!, /item-not-found/);
	assert.match((await h.ask(set("<boolean name='burner' value='1'/>", OP, DOMAIN)))[0]!, /bad-request/);
	assert.equal(h.commands.length, 1);
});

test("C6: who may do a part has that part done and listed; who may do nothing is forbidden", async () => {
	const access = [
		{ who: "oscar@ops.example.org", role: "operator", points: { boiler: ["burner"], valve: ["burner"] } },
		{ who: "oscar@ops.example.org", role: "viewer" },
	] as const;
	const h = bench({ access, devices: { boiler: BOILER, kettle: BOILER, valve: BOILER } });
	assert.deepEqual(await h.ask(set("<double name='setpoint' value='30'/><boolean name='burner' value='1'/>")), [
		result(`<setResponse xmlns='${X}' responseCode='OK'><parameter name='burner'/></setResponse>`),
	]);
	assert.deepEqual(await h.ask(nset("<db n='setpoint' v='30'/><b n='burner' v='0'/>")), [result(`<resp xmlns='${N}'><p n='burner'/></resp>`)]);
	assert.deepEqual(done(h), ["boiler.burner=true by oscar@ops.example.org", "boiler.burner=false by oscar@ops.example.org"]);
	h.commands.length = 0;
	const nodes = "<node nodeId='boiler'/><node nodeId='kettle'/><node nodeId='valve' sourceId='MeteringTopology'/>";
	assert.deepEqual(await h.ask(set(`${nodes}<double name='setpoint' value='30'/><boolean name='burner' value='1'/>`, OP, DOMAIN)), [
		result(`<setResponse xmlns='${X}' responseCode='OK'><node nodeId='boiler'/><node nodeId='valve' sourceId='MeteringTopology'/><parameter name='burner'/></setResponse>`, OP, DOMAIN),
	]);
	assert.deepEqual(done(h), ["boiler.burner=true by oscar@ops.example.org", "valve.burner=true by oscar@ops.example.org"]);
	h.commands.length = 0;
	assert.match((await h.ask(set("<double name='setpoint' value='30'/>")))[0]!, /<setResponse xmlns='urn:xmpp:iot:control' responseCode='InsufficientPrivileges'\/><error type='cancel'><forbidden /);
	assert.match((await h.ask(nset("<db n='setpoint' v='30'/>")))[0]!, /'q1'><error type='cancel'><forbidden /);
	assert.deepEqual(h.commands, []);
});

test("C6: what is told as done was done everywhere: a parameter that one of the nodes forbids is left out at all", async () => {
	const h = bench({ access: [{ who: "oscar@ops.example.org", role: "operator", points: { boiler: ["burner", "setpoint"], kettle: ["burner"] } }, { who: "oscar@ops.example.org", role: "viewer" }] });
	assert.deepEqual(await h.ask(set("<node nodeId='boiler'/><node nodeId='kettle'/><double name='setpoint' value='30'/><boolean name='burner' value='1'/>", OP, DOMAIN)), [
		result(`<setResponse xmlns='${X}' responseCode='OK'><node nodeId='boiler'/><node nodeId='kettle'/><parameter name='burner'/></setResponse>`, OP, DOMAIN),
	]);
	assert.deepEqual(done(h), ["boiler.burner=true by oscar@ops.example.org", "kettle.burner=true by oscar@ops.example.org"]);
});

test("a stranger is told what he is told of a device that does not exist, and a viewer of one point finds no other", async () => {
	const h = bench({ access: [OPERATOR, { who: "bob@partner.example", role: "viewer", points: { boiler: ["temperature"] } }] });
	const stranger = "mallory@evil.example/x";
	const [known = ""] = await h.ask(set("<boolean name='burner' value='1'/>", stranger));
	const [unknown = ""] = await h.ask(set("<boolean name='burner' value='1'/>", stranger, `absent@${DOMAIN}/thing`));
	assert.match(known, /service-unavailable/);
	assert.equal(known.replaceAll("boiler", "absent"), unknown);
	const bob = "bob@partner.example/phone";
	const [hidden = ""] = await h.ask(set("<boolean name='burner' value='1'/>", bob));
	const [absent = ""] = await h.ask(set("<boolean name='absent' value='1'/>", bob));
	assert.match(hidden, /item-not-found/);
	assert.equal(hidden.replaceAll("burner", "absent"), absent);
	assert.match((await h.ask(set("<double name='temperature' value='1'/>", bob)))[0]!, /forbidden/);
	const [noForm = ""] = await h.ask(iq("get", bob, DEV, `<getForm xmlns='${X}'/>`));
	assert.match(noForm, /not-allowed.*nothing on it can be set/);
	assert.deepEqual(h.commands, []);
});

test("what goes wrong at the device is told with its condition, and the rest is not done", async () => {
	const rows: readonly (readonly [Fault, string, string, string])[] = [
		["device-timeout", "wait", "remote-server-timeout", "OtherError"],
		["device-differs", "modify", "not-acceptable", "OtherError"],
		["device-refused", "modify", "not-acceptable", "OtherError"],
		["device-offline", "wait", "recipient-unavailable", "OtherError"],
		["link-down", "wait", "internal-server-error", "OtherError"],
		["busy", "wait", "resource-constraint", "Locked"],
	];
	for (const [fault, type, condition, code] of rows) {
		const h = bench({
			execute: async ({ point }: Command) => {
				if (point === "setpoint") throw new GatewayError(fault, "Cannot set it: no");
				return { kind: "sent" };
			},
		});
		const text = "Cannot set it: no; done before: &quot;burner&quot; of &quot;boiler&quot;";
		assert.deepEqual(await h.ask(set("<boolean name='burner' value='1'/><double name='setpoint' value='30'/><int name='level' value='1'/>")), [
			refusal(type, condition, text, `<setResponse xmlns='${X}' responseCode='${code}'/>`, `<paramError xmlns='${X}' var='setpoint'>${text}</paramError>`),
		], fault);
		assert.deepEqual(h.commands.map(({ point }) => point), ["burner", "setpoint"]);
	}
});

test("a set in a message is ignored, with no answer to anybody", async () => {
	const h = bench();
	for (const from of [OP, "mallory@evil.example/x"]) {
		for (const [type, child] of [["", `<set xmlns='${X}'><boolean name='burner' value='true'/></set>`], [" type='chat'", `<set xmlns='${N}'><b n='burner' v='1'/></set>`]] as const) {
			assert.deepEqual(await h.ask(`<message from='${from}' to='${DEV}'${type}>${child}</message>`), []);
		}
	}
	assert.deepEqual(h.commands, []);
});

test("getForm is answered with a bare form of what the asker may set", async () => {
	const h = bench();
	await h.report("boiler", { setpoint: "68.50", mode: "auto" });
	const expected = `<x xmlns='jabber:x:data' type='form'><title>boiler</title>`
		+ `<page xmlns='http://jabber.org/protocol/xdata-layout' label='boiler'><fieldref var='setpoint'/><fieldref var='level'/><fieldref var='burner'/><fieldref var='mode'/><fieldref var='note'/><fieldref var='reset'/></page>`
		+ `<field var='xdd session' type='hidden'><value>SESSION</value></field>`
		+ `<field var='setpoint' type='text-single' label='Set point (°C)'><desc>20 to 80 °C</desc><value>68.50</value><validate xmlns='http://jabber.org/protocol/xdata-validate' datatype='xs:double'><range min='20' max='80'/></validate><notSame xmlns='urn:xmpp:xdata:dynamic'/></field>`
		+ `<field var='level' type='text-single' label='level'><desc>0 to 10</desc><validate xmlns='http://jabber.org/protocol/xdata-validate' datatype='xs:int'><range min='0' max='10'/></validate><notSame xmlns='urn:xmpp:xdata:dynamic'/></field>`
		+ `<field var='burner' type='boolean' label='burner'><desc>on or off</desc><validate xmlns='http://jabber.org/protocol/xdata-validate' datatype='xs:boolean'><basic/></validate><notSame xmlns='urn:xmpp:xdata:dynamic'/></field>`
		+ `<field var='mode' type='list-single' label='mode'><desc>one of auto, off</desc><value>auto</value><option label='auto'><value>auto</value></option><option label='off'><value>off</value></option><validate xmlns='http://jabber.org/protocol/xdata-validate' datatype='xs:string'><basic/></validate><notSame xmlns='urn:xmpp:xdata:dynamic'/></field>`
		+ `<field var='note' type='text-single' label='note'><desc>a text of at most 20 characters</desc><validate xmlns='http://jabber.org/protocol/xdata-validate' datatype='xs:string'><basic/></validate><notSame xmlns='urn:xmpp:xdata:dynamic'/></field>`
		+ `<field var='reset' type='boolean' label='reset'><desc>on or off</desc><validate xmlns='http://jabber.org/protocol/xdata-validate' datatype='xs:boolean'><basic/></validate><notSame xmlns='urn:xmpp:xdata:dynamic'/></field></x>`;
	for (const [stanza, from] of [
		[iq("get", OP, DEV, `<getForm xmlns='${X}'/>`), DEV],
		[iq("get", OP, DEV, `<getForm xmlns='${N}'><nd id='boiler'/></getForm>`), DEV],
		[iq("get", OP, DOMAIN, `<getForm xmlns='${X}'><node nodeId='boiler'/></getForm>`), DOMAIN],
		[iq("set", OP, DEV, `<submit xmlns='urn:xmpp:xdata:dynamic'><x xmlns='jabber:x:data' type='submit'/></submit>`), DEV],
	] as const) {
		const said = await h.ask(stanza);
		assert.deepEqual(said.map((text) => text.replace(/(<field var='xdd session' type='hidden'><value>)[^<]+/, "$1SESSION")), [result(expected, OP, from)]);
	}
	assert.match((await h.ask(iq("get", OP, DOMAIN, `<getForm xmlns='${X}'><node nodeId='boiler'/><node nodeId='kettle'/></getForm>`)))[0]!, /feature-not-implemented/);
	assert.deepEqual(await h.ask(iq("set", OP, DEV, `<cancel xmlns='urn:xmpp:xdata:dynamic'><x xmlns='jabber:x:data' type='submit'/></cancel>`)), [result("").replace("></iq>", "/>")]);
});

test("a viewer of what can be set is forbidden the form", async () => {
	const h = bench({ access: [{ who: "oscar@ops.example.org", role: "viewer" }] });
	assert.match((await h.ask(iq("get", OP, DEV, `<getForm xmlns='${X}'/>`)))[0]!, /<forbidden /);
});

test("a form that is submitted in part sets that part", async () => {
	const h = bench();
	assert.deepEqual(await h.ask(set(form(field("xdd session", "s1") + field("FORM_TYPE", "x") + field("burner", "1") + "<field var='level'/>" + field("setpoint", " 30.0 ")))), [OK]);
	assert.deepEqual(done(h), ["boiler.burner=true by oscar@ops.example.org", "boiler.setpoint=30.0 by oscar@ops.example.org"]);
	assert.match((await h.ask(set(form(field("level", "x")))))[0]!, /<setResponse xmlns='urn:xmpp:iot:control' responseCode='FormError'\/>.*bad-request/);
});

test("a form with nothing but its session, or no parameter at all, is success and does nothing", async () => {
	const h = bench();
	assert.deepEqual(await h.ask(set(form(field("xdd session", "s1")))), [OK]);
	assert.deepEqual(await h.ask(nset(form(""))), [result(`<resp xmlns='${N}'/>`)]);
	assert.deepEqual(await h.ask(set("")), [OK]);
	assert.deepEqual(h.commands, []);
});

test("the same set delivered twice is carried out once and answered twice", async () => {
	const h = bench();
	await h.hear(set("<boolean name='burner' value='true'/>"));
	await h.hear(set("<boolean name='burner' value='true'/>"));
	assert.deepEqual(h.take(), [OK, OK]);
	assert.equal(h.commands.length, 1);
});

// What the clients of standards send, as they send it.
test("requests of slixmpp, Smack, Clayster and IoTGateway are understood as they are written", async () => {
	const rows: readonly (readonly [string, string, readonly string[], RegExp | undefined])[] = [
		["slixmpp", `<iq type='set' id='5' from='${OP}' to='${DEV}'><set xmlns='${X}'><node nodeId='boiler'/><int name='level' value='4'/><string name='mode' value='off'/></set></iq>`, ["level=4", "mode=off"], /id='5'><setResponse xmlns='urn:xmpp:iot:control' responseCode='OK'\/>/],
		["slixmpp, refused: it sees setResponse only", `<iq type='set' id='6' from='${OP}' to='${DEV}'><set xmlns='${X}'><int name='level' value='44'/></set></iq>`, [], /type='error'.*id='6'><setResponse xmlns='urn:xmpp:iot:control' responseCode='OtherError'\/><error/],
		["Smack", `<iq type='set' id='s2' from='${OP}' to='${DEV}'><set xmlns='${X}'><bool name='burner' value='true'/><int name='level' value='4'/></set></iq>`, ["burner=true", "level=4"], /id='s2'><setResponse xmlns='urn:xmpp:iot:control'/],
		["Clayster", `<message from='${OP}' to='${DEV}'><set xmlns='${X}' xml:lang='en'><boolean name='burner' value='true'/></set></message>`, [], undefined],
		["IoTGateway", `<iq type='set' id='w3' from='${OP}' to='${DEV}'><set xmlns='${N}' st='' dt='' ut=''><e n='mode' v='off' t='Acme.Devices.Mode'/></set></iq>`, ["mode=off"], /id='w3'><resp xmlns='urn:nf:iot:ctr:1\.0'\/>/],
		["IoTGateway, by form", `<iq type='set' id='w4' from='${OP}' to='${DEV}'><set xmlns='${N}'><x xmlns='jabber:x:data' type='submit'><field var='xdd session' type='hidden'><value>1</value></field><field var='setpoint' type='text-single'><value>30</value></field></x></set></iq>`, ["setpoint=30"], /<resp /],
	];
	for (const [client, stanza, commands, expected] of rows) {
		const h = bench();
		const said = await h.ask(stanza);
		assert.deepEqual(h.commands.map(({ point, value }) => `${point}=${textOf(value)}`), commands, client);
		if (expected) assert.match(said.join(""), expected, client);
		else assert.deepEqual(said, [], client);
	}
});
