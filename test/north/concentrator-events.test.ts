import assert from "node:assert/strict";
import { test } from "node:test";
import type { Points } from "../../src/core/point.js";
import { concentrator } from "../../src/north/concentrator/concentrator.js";
import { MAX_OF_ACCOUNT, MAX_SUBSCRIBERS } from "../../src/north/concentrator/subscribers.js";
import { Windows } from "../../src/north/window.js";
import { parseStanza } from "../../src/xmpp/parser.js";
import { DOMAIN, harness, type Harness, type HarnessOptions, iq, presenceStanza, PUMP, RULES, WEATHER } from "./harness.js";

const N = "urn:nf:iot:concentrator:1.0";
const ALICE = "alice@example.org/pc";
const BOB = "bob@partner.example/desk";
const T0 = "2026-01-01T00:00:00Z";
const DAY = 86_400;

let keys = 0;

type Bench = Harness & { readonly windows: Windows };

function bench(options: HarnessOptions = {}): Bench {
	const made: { windows?: Windows } = {};
	const h = harness((verbs) => [concentrator(verbs, { windows: (made.windows = new Windows(verbs)), newId: () => `key${++keys}` })], options);
	return Object.assign(h, { windows: made.windows! });
}

/** How many timers wait, but for those that ask whether what was sent has arrived. */
function timers(h: Bench): number {
	for (const jid of [ALICE, "alice@example.org/phone", BOB]) h.windows.received(jid);
	return h.clock.pending;
}

let count = 0;
/** Gives the condition of the error; nothing for success. */
async function subscribe(h: Harness, attrs = "", from = ALICE, name = "subscribe", xmlns = N): Promise<string | undefined> {
	const ttl = attrs.includes("ttl=") || name !== "subscribe" ? "" : "ttl='600'";
	const src = attrs.includes("src=") ? "" : "src='MeteringTopology'";
	const said = await h.ask(iq("set", from, DOMAIN, `<${name} xmlns='${xmlns}' ${src} ${ttl} ${attrs}/>`, `s${++count}`));
	assert.equal(said.length, 1, said.join("\n"));
	return parseStanza(said[0]!).child("error")?.elements()[0]?.name;
}

/** Every event that is due, as `to: event id`; `texts` gives them whole. */
async function texts(h: Harness): Promise<string[]> {
	await h.clock.advance(0);
	return h.take().map((text) => text.replace(/^(<message[^>]*) id='[^']+'/, "$1"));
}

async function events(h: Harness): Promise<string[]> {
	return (await texts(h)).map((text) => {
		const stanza = parseStanza(text);
		const [event] = stanza.elements();
		assert.equal(stanza.name, "message");
		return `${stanza.attrs["to"]}: ${event?.name} ${event?.attrs["id"]}${event?.attrs["state"] === undefined ? "" : ` ${event.attrs["state"]}`}`;
	});
}

function message(payload: string, to = ALICE): string {
	return `<message from='${DOMAIN}' to='${to}'>${payload}<no-store xmlns='urn:xmpp:hints'/></message>`;
}

test("a device that goes offline is a nodeStatusChanged; its reason comes with it when messages were asked for", async () => {
	const h = bench();
	assert.equal(await subscribe(h), undefined);
	assert.equal(await subscribe(h, "messages='true'", "alice@example.org/phone"), undefined);
	await h.clock.advance(1_500);
	await h.state("weather", "offline", "lost power");
	const ts = "2026-01-01T00:00:01.500Z";
	const head = `<nodeStatusChanged xmlns='${N}' id='weather' src='MeteringTopology' state='ErrorUnsigned' ts='${ts}'`;
	assert.deepEqual(await texts(h), [message(`${head}/>`), message(`${head}><message timestamp='${ts}' type='Error'>lost power</message></nodeStatusChanged>`, "alice@example.org/phone")]);
	await h.report("weather", { temperature: "1" });
	assert.deepEqual(await events(h), [], "a reading is no change of the node");
	h.close();
	assert.equal(timers(h), 0);
});

test("an event is in the URN of its subscription", async () => {
	const h = bench();
	await subscribe(h, "", ALICE, "subscribe", "urn:nfi:iot:concentrator:1.0");
	await h.state("weather", "offline");
	assert.match((await texts(h))[0]!, /<nodeStatusChanged xmlns='urn:nfi:iot:concentrator:1\.0' /);
});

test("a new device is a nodeAdded with what was asked for, one described anew a nodeUpdated, one that was taken back a nodeRemoved", async () => {
	const h = bench();
	await subscribe(h, "parameters='true'");
	const node = (name: string, kind: string): string => ` xmlns='${N}' id='well' src='MeteringTopology' nodeType='jidway.device' displayName='${name}' state='WarningUnsigned' hasChildren='false' isReadable='true' isControllable='${kind}' hasCommands='${kind}' lastChanged='${T0}'`;
	const parameters = `<string id='jid' name='XMPP address' value='well@${DOMAIN}'/><string id='availability' name='Availability' value='unknown'/>`;
	await h.announce("well", { name: "Well", points: WEATHER });
	assert.deepEqual(await texts(h), [message(`<nodeAdded${node("Well", "false")} ts='${T0}'>${parameters}</nodeAdded>`)]);
	await h.announce("well", { name: "Well", points: WEATHER });
	assert.deepEqual(await texts(h), [], "the same description is no news");
	await h.announce("well", { name: "Well 2", points: PUMP });
	assert.deepEqual(await texts(h), [message(`<nodeUpdated${node("Well 2", "true")} oid='well' ts='${T0}'>${parameters}</nodeUpdated>`)]);
	await h.remove("well");
	assert.deepEqual(await texts(h), [message(`<nodeRemoved xmlns='${N}' id='well' src='MeteringTopology' ts='${T0}'/>`)]);
});

test("each is told of what he may see: a device that comes into his sight is added for him, one that leaves it is removed", async () => {
	const h = bench();
	await subscribe(h, "", BOB);
	await h.state("pump-1", "offline");
	await h.announce("pump-2", PUMP);
	await h.remove("pump-2");
	assert.deepEqual(await events(h), [], "Bob may see the weather's temperature, and nothing else");
	await h.announce("weather", { points: { humidity: WEATHER["humidity"]! } });
	assert.deepEqual(await events(h), [`${BOB}: nodeRemoved weather`]);
	await h.announce("weather", { points: { ...WEATHER, wind: WEATHER["humidity"]! } });
	assert.deepEqual(await events(h), [`${BOB}: nodeAdded weather WarningUnsigned`]);
	await h.announce("weather", { points: WEATHER });
	assert.deepEqual(await events(h), [], "a point that he may not see has gone");
	h.setRules(RULES.filter(({ who }) => !who.startsWith("bob")).concat({ who: "bob@partner.example", role: "viewer", devices: ["pump-1"] }));
	await h.state("weather", "offline");
	await h.state("pump-1", "online");
	assert.deepEqual(await events(h), [`${BOB}: nodeStatusChanged pump-1 None`]);
	h.setRules([]);
	await h.state("pump-1", "offline");
	assert.deepEqual(await events(h), []);
	h.close();
	assert.equal(timers(h), 0);
});

test("what was seen when it happened, and may not be seen when it is told, is not told", async () => {
	const h = bench();
	await subscribe(h, "", BOB);
	await h.state("weather", "offline");
	h.setRules([{ who: "bob@partner.example", role: "viewer", devices: ["pump-1"] }]);
	assert.deepEqual(await events(h), []);
});

test("ttl: 0, none, a negative or what is no number is bad-request, more than a day too; after it no event comes, unless it was renewed", async () => {
	const h = bench();
	for (const ttl of ["ttl='0'", "ttl=''", "ttl='-5'", "ttl='1.5'", "ttl='x'", "ttl='99999999999'", `ttl='${DAY + 1}'`]) assert.equal(await subscribe(h, ttl), "bad-request", ttl);
	const none = await h.ask(iq("set", ALICE, DOMAIN, `<subscribe xmlns='${N}' src='MeteringTopology'/>`, "none"));
	assert.match(none[0]!, /<bad-request /);
	assert.equal(timers(h), 0);
	await subscribe(h, "ttl='10'");
	await h.clock.advance(9_000);
	await h.state("weather", "offline");
	assert.equal((await events(h)).length, 1);
	await subscribe(h, "ttl='10'");
	await h.clock.advance(9_999);
	await h.state("weather", "online");
	assert.equal((await events(h)).length, 1, "it was renewed");
	await h.clock.advance(2);
	await h.state("weather", "offline");
	assert.deepEqual(await events(h), []);
	assert.equal(timers(h), 0);
	assert.equal(await subscribe(h, `ttl='${DAY}'`), undefined);
});

test("subscriptions add to each other, and unsubscribe takes away the events that it names, or all", async () => {
	const h = bench();
	const none = ["nodeAdded", "nodeUpdated", "nodeStatusChanged", "nodeRemoved", "nodeMovedUp", "nodeMovedDown"];
	const only = (...events: string[]): string => none.map((name) => `${name}='${events.includes(name)}'`).join(" ");
	await subscribe(h, only("nodeStatusChanged"));
	await h.announce("well", WEATHER);
	await h.state("weather", "offline");
	assert.deepEqual(await events(h), [`${ALICE}: nodeStatusChanged weather ErrorUnsigned`]);
	await subscribe(h, only("nodeRemoved"));
	await h.remove("well");
	await h.state("weather", "online");
	assert.deepEqual(await events(h), [`${ALICE}: nodeRemoved well`, `${ALICE}: nodeStatusChanged weather None`]);
	assert.equal(await subscribe(h, only("nodeStatusChanged"), ALICE, "unsubscribe"), undefined);
	await h.state("weather", "offline");
	assert.deepEqual(await events(h), []);
	assert.equal(await subscribe(h, "", ALICE, "unsubscribe"), undefined);
	await h.announce("well", WEATHER);
	await h.remove("well");
	assert.deepEqual(await events(h), []);
	assert.equal(timers(h), 0);
	assert.equal(await subscribe(h, "", ALICE, "unsubscribe"), undefined, "it is as true the second time");
	assert.equal(await subscribe(h, only(), ALICE), undefined);
	assert.equal(timers(h), 0, "to nothing is no subscription");
});

test("a wrong source is item-not-found, a past that is not kept feature-not-implemented", async () => {
	const h = bench();
	assert.equal(await subscribe(h, "src='Other'"), "item-not-found");
	assert.equal(await subscribe(h, "src=''"), "item-not-found");
	assert.equal(await subscribe(h, "src='Other'", ALICE, "unsubscribe"), "item-not-found");
	assert.equal(await subscribe(h, "nodeAdded='maybe'"), "bad-request");
	assert.equal(await subscribe(h, `getEventsSince='${T0}'`), "feature-not-implemented");
	assert.equal(timers(h), 0);
});

test("who is gone is told nothing: unavailable, an event that came back from himself; another resource is", async () => {
	const tablet = "alice@example.org/tablet";
	const bounce = (from: string, id = "its", to = DOMAIN): string => `<message type='error' from='${from}' to='${to}' id='${id}'><error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>`;
	const rows: readonly (readonly [string, readonly string[]])[] = [
		[presenceStanza("unavailable", ALICE, DOMAIN), [tablet]],
		[presenceStanza("unavailable", ALICE, `weather@${DOMAIN}`), [ALICE, tablet]],
		[presenceStanza("error", "alice@example.org", DOMAIN), []],
		[bounce(ALICE), [tablet]],
		[bounce(ALICE, "its", `weather@${DOMAIN}/thing`), [ALICE, tablet]],
		[bounce(ALICE, "letter-1"), [ALICE, tablet]],
		[bounce(tablet), [ALICE, tablet]],
		[bounce("alice@example.org"), [ALICE, tablet]],
		[bounce("mallory@evil.example/pc"), [ALICE, tablet]],
		[presenceStanza(undefined, ALICE, DOMAIN), [ALICE, tablet]],
	];
	for (const [stanza, left] of rows) {
		const h = bench();
		await subscribe(h);
		await subscribe(h, "", tablet);
		await h.state("pump-1", "offline");
		await h.clock.advance(0);
		const [event = ""] = h.take();
		assert.equal(parseStanza(event).attrs["to"], ALICE);
		await h.hear(stanza.replace("id='its'", `id='${parseStanza(event).attrs["id"]}'`));
		await h.state("weather", "offline");
		assert.deepEqual(await events(h), left.map((jid) => `${jid}: nodeStatusChanged weather ErrorUnsigned`), stanza);
	}
});

test("the subscriptions of one account, and of all, are bounded", async () => {
	const rules = [...RULES, { who: "*@crowd.example", role: "viewer" } as const];
	const h = bench({ access: rules });
	for (let index = 0; index < MAX_OF_ACCOUNT; index++) assert.equal(await subscribe(h, "", `alice@example.org/${index}`), undefined);
	assert.equal(await subscribe(h, "", "alice@example.org/more"), "resource-constraint");
	assert.equal(await subscribe(h, "", "alice@example.org/0"), undefined, "a renewal is none more");
	for (let index = MAX_OF_ACCOUNT; index < MAX_SUBSCRIBERS; index++) assert.equal(await subscribe(h, "", `a${index}@crowd.example/x`), undefined);
	assert.equal(await subscribe(h, "", "last@crowd.example/x"), "resource-constraint");
	await subscribe(h, "", "alice@example.org/0", "unsubscribe");
	assert.equal(await subscribe(h, "", "last@crowd.example/x"), undefined);
	h.close();
	assert.equal(timers(h), 0);
});

const fleet = (size: number): Record<string, Points> => Object.fromEntries(Array.from({ length: size }, (_, index) => [`n${index}`, WEATHER]));

test("what happens to one node before it is told is one event: the newest", async () => {
	const h = bench();
	await subscribe(h);
	await h.state("weather", "offline");
	await h.state("weather", "online");
	await h.announce("well", WEATHER);
	await h.announce("well", PUMP);
	await h.state("well", "online");
	await h.announce("gone", WEATHER);
	await h.remove("gone");
	await h.announce("weather", PUMP);
	await h.state("weather", "faulty");
	await h.remove("pump-1");
	await h.announce("pump-1", PUMP);
	assert.deepEqual(await events(h), [`${ALICE}: nodeUpdated weather ErrorUnsigned`, `${ALICE}: nodeAdded well None`, `${ALICE}: nodeUpdated pump-1 WarningUnsigned`]);
});

test("an outage of a whole fleet is told at a pace, and never more than 500 ahead of a ping that comes back", async () => {
	const h = bench({ devices: fleet(1_200) });
	await subscribe(h, "ttl='3600'");
	for (let index = 0; index < 1_200; index++) h.modules[0]!.changed!(h.twin(`n${index}`).say("offline", undefined, h.clock.now()));
	await h.clock.advance(0);
	const told = h.take();
	assert.equal(told.length, 16);
	for (let round = 0; round < 20 && told.length < 1_200; round++) {
		await h.clock.advance(3_000);
		const said = h.take();
		told.push(...said.filter((text) => text.startsWith("<message")));
		if (round === 0) assert.equal(told.length, 500);
		const pings = said.filter((text) => text.startsWith("<iq"));
		assert.ok(pings.every((ping) => ping.includes("<ping xmlns='urn:xmpp:ping'/>") && ping.includes(`to='${ALICE}'`)));
		for (const ping of pings) await h.hear(`<iq type='result' from='${ALICE}' to='${DOMAIN}' id='${parseStanza(ping).attrs["id"]}'/>`);
	}
	assert.equal(told.length, 1_200);
	assert.equal(new Set(told.map((text) => / id='(n\d+)'/.exec(text)?.[1])).size, 1_200);
	assert.deepEqual(h.complaints, []);
});

test("a subscriber who answers no ping is told no more than 500 events, and none when he is gone", async () => {
	const h = bench({ devices: fleet(600) });
	await subscribe(h, "ttl='3600'");
	for (let index = 0; index < 600; index++) h.modules[0]!.changed!(h.twin(`n${index}`).say("offline", undefined, h.clock.now()));
	await h.clock.advance(700_000);
	assert.equal(h.take().filter((text) => text.startsWith("<message")).length, 500);
	assert.equal(timers(h), 0, "his subscription has ended");
});

test("other rules are news: what comes into sight is added, what leaves it is removed, who has no rule left is told nothing", async () => {
	const h = bench();
	await subscribe(h, "", BOB);
	await subscribe(h);
	h.setRules([{ who: "alice@example.org", role: "owner" }, { who: "bob@partner.example", role: "operator", devices: ["pump-1"] }]);
	h.modules[0]!.accessChanged!();
	assert.deepEqual(await events(h), [`${BOB}: nodeRemoved weather`, `${BOB}: nodeAdded pump-1 WarningUnsigned`]);
	h.setRules([{ who: "bob@partner.example", role: "operator", devices: ["pump-1"] }]);
	h.modules[0]!.accessChanged!();
	await h.state("pump-1", "offline");
	assert.deepEqual(await events(h), [`${BOB}: nodeStatusChanged pump-1 ErrorUnsigned`]);
	h.close();
});

test("what happened while the uplink was down, or had no room, is told when it is back: each node once, as it is then", async () => {
	const h = bench();
	await subscribe(h);
	h.disconnect();
	await h.state("weather", "offline");
	await h.state("weather", "online");
	await h.announce("well", WEATHER);
	await h.remove("pump-1");
	assert.deepEqual(await events(h), []);
	await h.connect();
	assert.deepEqual(await events(h), [`${ALICE}: nodeStatusChanged weather None`, `${ALICE}: nodeAdded well WarningUnsigned`, `${ALICE}: nodeRemoved pump-1`]);
	h.room = false;
	await h.state("weather", "offline");
	await h.clock.advance(5_000);
	assert.deepEqual(await events(h), []);
	h.room = true;
	await h.clock.advance(1_000);
	assert.deepEqual(await events(h), [`${ALICE}: nodeStatusChanged weather ErrorUnsigned`]);
});

test("what was on its way when the stream broke is told again, as it is by then; what was taken is not", async () => {
	const h = bench();
	await subscribe(h);
	await h.state("weather", "offline");
	assert.equal((await events(h)).length, 1);
	h.windows.received(ALICE);
	await h.remove("pump-1");
	await h.announce("well", WEATHER);
	await h.announce("tank", WEATHER);
	await h.announce("pond", WEATHER);
	assert.equal((await events(h)).length, 4);
	await h.state("well", "online");
	assert.deepEqual(await events(h), [`${ALICE}: nodeStatusChanged well None`]);
	h.disconnect();
	await h.remove("tank");
	await h.state("pond", "online");
	await h.connect();
	assert.deepEqual(await events(h), [`${ALICE}: nodeRemoved pump-1`, `${ALICE}: nodeAdded well None`, `${ALICE}: nodeRemoved tank`, `${ALICE}: nodeAdded pond None`], "who has heard of the tank must hear that it is gone");
	h.windows.received(ALICE);
	h.disconnect();
	await h.connect();
	assert.deepEqual(await events(h), []);
});

test("the id of an event is told to nobody else, and says nothing of what others get", async () => {
	const h = bench();
	await subscribe(h);
	await subscribe(h, "", BOB);
	for (const state of ["offline", "online", "offline"] as const) {
		await h.state("pump-1", state);
		await h.clock.advance(0);
	}
	await h.state("weather", "offline");
	await h.clock.advance(0);
	const ids = h.take().map((text) => parseStanza(text)).map(({ attrs }) => [attrs["to"], attrs["id"]?.replace(/^key\d+-/, "")]);
	assert.deepEqual(ids, [[ALICE, "1"], [ALICE, "2"], [ALICE, "3"], [ALICE, "4"], [BOB, "1"]]);
});
