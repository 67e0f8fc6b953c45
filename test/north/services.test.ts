import assert from "node:assert/strict";
import { test } from "node:test";
import { time } from "../../src/north/time.js";
import { version } from "../../src/north/version.js";
import { DOMAIN, harness, iq, WEATHER } from "./harness.js";
import { wing } from "./wing.js";

const ALICE = "alice@example.org/desk";
const JID = `weather@${DOMAIN}`;
const FULL = `${JID}/thing`;
const STANZAS = "urn:ietf:params:xml:ns:xmpp-stanzas";
const PING = "<ping xmlns='urn:xmpp:ping'/>";
const LAST = "<query xmlns='jabber:iq:last'/>";
const VERSION = "<query xmlns='jabber:iq:version'/>";
const PUBSUB = "http://jabber.org/protocol/pubsub";

/** What stands inside the one reply. */
function inside([reply = "", ...more]: readonly string[]): string {
	assert.deepEqual(more, []);
	return reply.replace(/^<iq type='\w+' to='[^']*' from='[^']*' id='[^']*'>?/, "").replace(/<\/iq>$/, "").replace(/<text .*<\/text>/, "");
}

function failed(type: string, condition: string, more = ""): string {
	return `<error type='${type}'><${condition} xmlns='${STANZAS}'/>${more}</error>`;
}

test("ping: the bare address always answers, the full one only while the device is there", async () => {
	const h = wing();
	assert.equal(inside(await h.ask(iq("get", ALICE, JID, PING))), "/>");
	assert.equal(inside(await h.ask(iq("get", ALICE, FULL, PING))), failed("wait", "recipient-unavailable"));
	await h.report("weather", { temperature: "21.5" });
	assert.equal(inside(await h.ask(iq("get", ALICE, FULL, PING))), "/>");
	await h.state("weather", "offline");
	assert.equal(inside(await h.ask(iq("get", ALICE, JID, PING))), "/>");
	assert.equal(inside(await h.ask(iq("get", ALICE, FULL, PING))), failed("wait", "recipient-unavailable"));
	assert.equal(inside(await h.ask(iq("set", ALICE, JID, PING))), failed("cancel", "service-unavailable"));
});

test("last activity: the bare address of a device that is there says 0, its full one the silence, one that is gone the silence and why", async () => {
	const h = wing();
	assert.equal(inside(await h.ask(iq("get", ALICE, JID, LAST))), failed("wait", "recipient-unavailable"));
	await h.report("weather", { temperature: "21.5" });
	await h.clock.advance(12_700);
	assert.equal(inside(await h.ask(iq("get", ALICE, JID, LAST))), "<query xmlns='jabber:iq:last' seconds='0'/>");
	assert.equal(inside(await h.ask(iq("get", ALICE, FULL, LAST))), "<query xmlns='jabber:iq:last' seconds='12'/>");
	await h.state("weather", "offline", "switched off");
	assert.equal(inside(await h.ask(iq("get", ALICE, JID, LAST))), "<query xmlns='jabber:iq:last' seconds='12'>switched off</query>");
	assert.equal(inside(await h.ask(iq("get", ALICE, DOMAIN, LAST))), "<query xmlns='jabber:iq:last' seconds='12'/>");
});

test("G20: last activity tells a stranger what an unknown device tells him", async () => {
	const h = wing();
	await h.report("weather", { temperature: "21.5" });
	for (const to of [JID, FULL, `nothing@${DOMAIN}`, DOMAIN]) assert.equal(inside(await h.ask(iq("get", "mallory@evil.example/x", to, LAST))), failed("cancel", "service-unavailable"));
});

test("version: the gateway's software, or the firmware that the source states", async () => {
	const h = wing({ devices: { weather: WEATHER, plug: { points: {}, manufacturer: "Acme", model: "P-1", firmware: "2.4" }, lamp: { name: "Lamp", points: {}, firmware: "9" } } });
	const own = "<query xmlns='jabber:iq:version'><name>Jidway</name><version>0.1.0</version></query>";
	assert.equal(inside(await h.ask(iq("get", ALICE, JID, VERSION))), own);
	assert.equal(inside(await h.ask(iq("get", ALICE, DOMAIN, VERSION))), own);
	assert.equal(inside(await h.ask(iq("get", ALICE, `plug@${DOMAIN}/thing`, VERSION))), "<query xmlns='jabber:iq:version'><name>Acme P-1</name><version>2.4</version><os>Jidway 0.1.0</os></query>");
	assert.equal(inside(await h.ask(iq("get", ALICE, `lamp@${DOMAIN}`, VERSION))), "<query xmlns='jabber:iq:version'><name>Lamp</name><version>9</version><os>Jidway 0.1.0</os></query>");
	const told = harness(() => [version({ software: "Jidway", version: "0.1.0", os: "Linux" })]);
	assert.match(inside(await told.ask(iq("get", ALICE, DOMAIN, VERSION))), /<os>Linux<\/os>/);
});

test("time: UTC with Z, and the offset that was handed in", async () => {
	for (const [offset, tzo] of [[undefined, "+00:00"], [120, "+02:00"], [-570, "-09:30"], [-30, "-00:30"], [840, "+14:00"]] as const) {
		const h = harness((verbs) => [time(verbs, offset === undefined ? {} : { offset: () => offset })]);
		await h.clock.advance(5_999);
		assert.equal(inside(await h.ask(iq("get", ALICE, JID, "<time xmlns='urn:xmpp:time'/>"))), `<time xmlns='urn:xmpp:time'><tzo>${tzo}</tzo><utc>2026-01-01T00:00:05Z</utc></time>`);
	}
});

test("vCard: name, make and the source's id; nobody may set it", async () => {
	const h = wing({ devices: { weather: { points: WEATHER, name: "Roof & sky", manufacturer: "Acme", model: "TH-10", type: "sensor" }, plain: {} } });
	const get = "<vCard xmlns='vcard-temp'/>";
	for (const to of [JID, FULL]) {
		assert.equal(inside(await h.ask(iq("get", ALICE, to, get))),
			"<vCard xmlns='vcard-temp'><FN>Roof &amp; sky</FN><ORG><ORGNAME>Acme</ORGNAME></ORG><TITLE>TH-10</TITLE><DESC>sensor &quot;weather&quot; of Greenhouse</DESC></vCard>");
	}
	assert.equal(inside(await h.ask(iq("get", ALICE, `plain@${DOMAIN}`, get))), "<vCard xmlns='vcard-temp'><FN>plain</FN><DESC>Device &quot;plain&quot; of Greenhouse</DESC></vCard>");
	assert.match(inside(await h.ask(iq("get", ALICE, DOMAIN, get))), /<FN>Greenhouse<\/FN>/);
	for (const to of [JID, DOMAIN]) assert.equal(inside(await h.ask(iq("set", ALICE, to, "<vCard xmlns='vcard-temp'><FN>x</FN></vCard>"))), failed("cancel", "forbidden"));
});

test("G17: pubsub items of any node are item-not-found at once", async () => {
	const h = wing();
	for (const node of ["eu.siacs.conversations.axolotl.devicelist", "urn:xmpp:avatar:metadata", "constructor"]) {
		for (const to of [JID, FULL, DOMAIN]) {
			h.receive(iq("get", ALICE, to, `<pubsub xmlns='${PUBSUB}'><items node='${node}'/></pubsub>`));
			await Promise.resolve();
		}
	}
	assert.equal(h.clock.pending, 0);
	await h.clock.advance(0);
	const replies = h.take();
	assert.equal(replies.length, 9);
	for (const reply of replies) assert.equal(inside([reply]), failed("cancel", "item-not-found"));
});

test("pubsub: what is not there says which feature is missing", async () => {
	const h = wing();
	const missing = (feature: string): string => failed("cancel", "feature-not-implemented", `<unsupported xmlns='${PUBSUB}#errors' feature='${feature}'/>`);
	const rows = [
		["set", "<publish node='x'/>", missing("publish")], ["set", "<subscribe node='x' jid='alice@example.org'/>", missing("subscribe")], ["set", "<create node='x'/>", missing("create-nodes")],
		["get", "<subscriptions/>", missing("retrieve-subscriptions")], ["get", "<affiliations/>", missing("retrieve-affiliations")], ["set", "<constructor/>", failed("cancel", "feature-not-implemented")],
		["get", "<items/>", failed("modify", "bad-request", `<nodeid-required xmlns='${PUBSUB}#errors'/>`)], ["get", "", failed("modify", "bad-request")],
	] as const;
	for (const [type, content, expected] of rows) assert.equal(inside(await h.ask(iq(type, ALICE, JID, `<pubsub xmlns='${PUBSUB}'>${content}</pubsub>`))), expected);
});
