import assert from "node:assert/strict";
import { test } from "node:test";
import { GatewayError } from "../../src/core/errors.js";
import { Refusal } from "../../src/north/conditions.js";
import type { Incoming, XepModule } from "../../src/north/module.js";
import { router } from "../../src/north/router.js";
import { parseStanza } from "../../src/xmpp/parser.js";
import { xml } from "../../src/xmpp/xml.js";
import { settle } from "../fakes/clock.js";
import { chat, DOMAIN, harness, iq, type Harness } from "./harness.js";
import { wing } from "./wing.js";

const ALICE = "alice@example.org/desk";
const BOB = "bob@partner.example/phone";
const MALLORY = "mallory@evil.example/x";
const WEATHER = `weather@${DOMAIN}`;
const STANZAS = "urn:ietf:params:xml:ns:xmpp-stanzas";
const PING = "<ping xmlns='urn:xmpp:ping'/>";

/** A module that counts how often it acts, and does what a test says. */
function acting(act: (n: number) => unknown = () => undefined): XepModule & { times: number } {
	const module: XepModule & { times: number } = {
		times: 0,
		routes: [{
			type: "set", xmlns: "test:act", name: "act", at: "both",
			async answer() {
				module.times++;
				await act(module.times);
				return xml("done", { xmlns: "test:act", n: String(module.times) });
			},
		}],
	};
	return module;
}

function error(type: string, condition: string): RegExp {
	return new RegExp(`^<(iq|message) type='error' .*<error type='${type}'><${condition} xmlns='${STANZAS}'/>`);
}

const KINDS: readonly (readonly [type: "get" | "set", payload: string])[] = [
	["get", PING], ["get", "<query xmlns='jabber:iq:last'/>"], ["get", "<query xmlns='jabber:iq:version'/>"], ["get", "<time xmlns='urn:xmpp:time'/>"],
	["get", "<vCard xmlns='vcard-temp'/>"], ["set", "<vCard xmlns='vcard-temp'><FN>x</FN></vCard>"],
	["get", "<query xmlns='http://jabber.org/protocol/disco#info'/>"], ["get", "<query xmlns='http://jabber.org/protocol/disco#items'/>"],
	["get", "<query xmlns='http://jabber.org/protocol/disco#info' node='x'/>"], ["get", "<query xmlns='http://jabber.org/protocol/disco#items' node='http://jabber.org/protocol/commands'/>"],
	["get", "<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='eu.siacs.conversations.axolotl.devicelist'/></pubsub>"],
	["set", "<pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='x'/></pubsub>"],
	["get", "<query xmlns='jabber:iq:register'/>"], ["set", "<query xmlns='jabber:iq:register'/>"], ["get", "<no xmlns='such:namespace'/>"], ["set", "<no xmlns='such:namespace'/>"],
	["set", "<act xmlns='test:act'/>"], ["get", ""], ["set", `${PING}${PING}`], ["get", "text only"],
];

test("a stranger gets byte for byte the same for a device that exists as for one that does not, whatever he asks", async () => {
	const h = wing({ devices: { weather: {}, heater: {} } }, {}, [acting()]);
	// Of equal length, so that only the name may differ: Bob may see the weather, and neither of these.
	for (const stranger of [MALLORY, BOB, "norma@example.org/x"]) {
		for (const [type, payload] of KINDS) {
			for (const resource of ["", "/thing", "/other"]) {
				const known = await h.ask(iq(type, stranger, `heater@${DOMAIN}${resource}`, payload));
				const unknown = await h.ask(iq(type, stranger, `reheat@${DOMAIN}${resource}`, payload));
				assert.deepEqual(known.map((reply) => reply.replaceAll("heater", "reheat")), unknown);
				assert.deepEqual(known, [`<iq type='error' to='${stranger}' from='heater@${DOMAIN}${resource}' id='q1'><error type='cancel'><service-unavailable xmlns='${STANZAS}'/></error></iq>`]);
				await h.clock.advance(1_000);
			}
		}
	}
});

test("a stranger gets silence for every message and presence, whether the device exists or not", async () => {
	const h = wing();
	for (const to of [WEATHER, `nothing@${DOMAIN}`, DOMAIN]) {
		for (const type of ["chat", "normal", "groupchat", "headline", "error"]) assert.deepEqual(await h.ask(`<message type='${type}' id='m' from='${MALLORY}' to='${to}'><body>set x 1</body></message>`), []);
		assert.deepEqual(await h.ask(chat(MALLORY, to, "x".repeat(10_001))), []);
		for (const type of ["subscribe", "subscribed", "unsubscribe", "unsubscribed", "probe", "unavailable", "error", undefined]) {
			assert.deepEqual(await h.ask(`<presence ${type === undefined ? "" : `type='${type}' `}from='${MALLORY}' to='${to}'/>`), []);
		}
	}
});

test("at the gateway's own address a stranger may ask what it is, and nothing else", async () => {
	const h = wing({}, {}, [acting()]);
	for (const [type, payload] of KINDS) {
		const [reply = "", ...more] = await h.ask(iq(type, MALLORY, DOMAIN, payload));
		assert.deepEqual(more, []);
		const isOpen = payload === PING || (payload.includes("disco#") && !payload.includes("node="));
		if (isOpen) assert.match(reply, /^<iq type='result'/);
		else if (payload.includes("node='")  && payload.includes("disco#")) assert.match(reply, error("cancel", "item-not-found"));
		else assert.match(reply, error("cancel", "service-unavailable"));
	}
});

test("G1: an iq is answered once, from the very address that was asked, with its id, to the full JID that asked", async () => {
	const h = wing();
	await h.report("weather", { temperature: "21.5" });
	for (const to of [WEATHER, `${WEATHER}/thing`, `${WEATHER}/other`, `Weather@${DOMAIN}/Thing`, DOMAIN, `${DOMAIN}/x`]) {
		assert.deepEqual(await h.ask(iq("get", ALICE, to, PING, "a&amp;b")), [`<iq type='result' to='${ALICE}' from='${to}' id='a&amp;b'/>`]);
	}
});

test("G2: who is let in gets service-unavailable for an unknown namespace, byte for byte as an unknown device", async () => {
	const h = wing();
	const known = await h.ask(iq("set", ALICE, WEATHER, "<no xmlns='such:namespace'/>"));
	const unknown = await h.ask(iq("set", ALICE, `nothing@${DOMAIN}`, "<no xmlns='such:namespace'/>"));
	assert.deepEqual(known.map((reply) => reply.replace("weather@", "nothing@")), unknown);
	assert.match(known[0] ?? "", error("cancel", "service-unavailable"));
});

test("jabber:iq:register at a device is service-unavailable", async () => {
	const h = wing();
	for (const type of ["get", "set"] as const) assert.match((await h.ask(iq(type, ALICE, WEATHER, "<query xmlns='jabber:iq:register'/>")))[0] ?? "", error("cancel", "service-unavailable"));
});

test("G3: an iq with no payload, or with two, is a bad-request", async () => {
	const h = wing();
	for (const payload of ["", "text", `${PING}${PING}`]) assert.match((await h.ask(iq("get", ALICE, WEATHER, payload)))[0] ?? "", error("modify", "bad-request"));
});

test("G4: an unsolicited iq result or error is answered by nothing, and handed to whoever waits for answers", async () => {
	const h = wing();
	for (const type of ["result", "error"]) assert.deepEqual(await h.ask(`<iq type='${type}' id='x' from='${ALICE}' to='${WEATHER}'/>`), []);
	assert.deepEqual(await h.ask(`<iq type='nonsense' id='x' from='${ALICE}' to='${WEATHER}'>${PING}</iq>`), []);
	assert.deepEqual(h.replies.map(({ attrs }) => attrs["type"]), ["result", "error"]);
});

test("G5: a message of type error or headline is answered by nothing; modules are told of errors", async () => {
	const bounced: string[] = [];
	const eager: XepModule = { message: ({ stanza }) => { throw new Error(`Cannot be reached: ${String(stanza)}`); }, bounced: ({ who }) => void bounced.push(who) };
	const h = harness(() => [eager]);
	for (const type of ["error", "headline"]) assert.deepEqual(await h.ask(`<message type='${type}' id='m' from='${ALICE}' to='${WEATHER}'><body>${"x".repeat(20_000)}</body></message>`), []);
	assert.deepEqual(bounced, ["alice@example.org"]);
	assert.deepEqual(h.complaints, []);
});

test("G15: the same set twice is executed once, and answered twice", async () => {
	const module = acting();
	const h = harness(() => [module]);
	const set = iq("set", ALICE, WEATHER, "<act xmlns='test:act'/>");
	const first = await h.ask(set);
	assert.deepEqual(await h.ask(set), first);
	assert.equal(module.times, 1);
});

test("G15: a set that is repeated while it is under way waits for the one answer", async () => {
	let finish = (): void => {};
	const module = acting(() => new Promise<void>((resolve) => { finish = resolve; }));
	const h = harness(() => [module]);
	const set = iq("set", ALICE, WEATHER, "<act xmlns='test:act'/>");
	await h.hear(set);
	await h.hear(set);
	assert.deepEqual(h.take(), []);
	finish();
	await settle();
	const replies = h.take();
	assert.equal(replies.length, 2);
	assert.equal(replies[0], replies[1]);
	assert.equal(module.times, 1);
});

test("G15: another id, sender, address or content is another request, and so is the same after five minutes", async () => {
	const module = acting();
	const h = harness(() => [module]);
	const act = "<act xmlns='test:act'/>";
	for (const set of [
		iq("set", ALICE, WEATHER, act), iq("set", ALICE, WEATHER, act, "q2"), iq("set", "alice@example.org/phone", WEATHER, act), iq("set", ALICE, `${WEATHER}/thing`, act),
		iq("set", ALICE, WEATHER, "<act xmlns='test:act' x='2'/>"), iq("set", ALICE, WEATHER, "<act xmlns='test:act'>3</act>"),
	]) await h.hear(set);
	assert.equal(module.times, 6);
	await h.clock.advance(5 * 60_000);
	await h.hear(iq("set", ALICE, WEATHER, act));
	assert.equal(module.times, 7);
});

test("what repeats are known by is bounded: after 2000 others the first is forgotten", async () => {
	const module = acting();
	const h = harness(() => [module]);
	const act = (n: number): string => iq("set", ALICE, WEATHER, "<act xmlns='test:act'/>", `id${n}`);
	for (let n = 0; n <= 2_000; n++) {
		h.receive(act(n));
		if (n % 50 === 0) await h.clock.advance(5_000 / 2);
	}
	assert.equal(module.times, 2_001);
	await h.clock.advance(1_000);
	await h.hear(act(2_000));
	await h.hear(act(0));
	assert.equal(module.times, 2_002);
});

test("what a module throws becomes a stanza error: a fault with its text, a bug without any detail, and logged", async () => {
	const rows: readonly (readonly [Error, string])[] = [
		[new GatewayError("forbidden", "Cannot set \"speed\": no"), `<error type='cancel'><forbidden xmlns='${STANZAS}'/><text xmlns='${STANZAS}'>Cannot set &quot;speed&quot;: no</text></error>`],
		[new GatewayError("device-timeout", "slow"), `<error type='wait'><remote-server-timeout xmlns='${STANZAS}'/><text xmlns='${STANZAS}'>slow</text></error>`],
		[new Refusal("bad-value", "big", { before: [xml("no", { xmlns: "a:b" })], application: [xml("paramError", { xmlns: "c:d", var: "x" }, "big")] }),
			`<no xmlns='a:b'/><error type='modify'><bad-request xmlns='${STANZAS}'/><text xmlns='${STANZAS}'>big</text><paramError xmlns='c:d' var='x'>big</paramError></error>`],
		[new TypeError("undefined is not a function in /etc/secret"), `<error type='cancel'><internal-server-error xmlns='${STANZAS}'/></error>`],
	];
	for (const [thrown, expected] of rows) {
		const h = harness(() => [acting(() => { throw thrown; })]);
		assert.deepEqual(await h.ask(iq("set", ALICE, WEATHER, "<act xmlns='test:act'/>")), [`<iq type='error' to='${ALICE}' from='${WEATHER}' id='q1'>${expected}</iq>`]);
		assert.equal(h.complaints.length, thrown instanceof GatewayError ? 0 : 1);
	}
});

test("G22: a message body of more than 10 000 characters is a policy-violation, and no module hears it", async () => {
	const heard: Incoming[] = [];
	const h = harness(() => [{ message: (incoming) => { heard.push(incoming); return true; } }]);
	assert.match((await h.ask(chat(ALICE, WEATHER, "x".repeat(10_001))))[0] ?? "", error("modify", "policy-violation"));
	assert.equal(heard.length, 0);
	assert.deepEqual(await h.ask(chat(ALICE, WEATHER, "x".repeat(10_000))), []);
	assert.equal(heard.length, 1);
});

test("G23: a flood is answered by resource-constraint, other contacts are not affected, and it passes", async () => {
	const h = wing();
	for (let n = 0; n < 150; n++) h.receive(iq("get", ALICE, WEATHER, PING, `p${n}`));
	await settle();
	const replies = h.take();
	assert.equal(replies.filter((reply) => reply.includes("type='result'")).length, 100);
	assert.equal(replies.filter((reply) => error("wait", "resource-constraint").test(reply)).length, 50);
	assert.match((await h.ask(chat(ALICE, WEATHER, "help")))[0] ?? "", error("wait", "resource-constraint"));
	assert.match((await h.ask(iq("get", BOB, WEATHER, PING)))[0] ?? "", /type='result'/);
	await h.clock.advance(1_000);
	for (let n = 0; n < 30; n++) h.receive(iq("get", "alice@example.org/phone", WEATHER, PING, `r${n}`));
	await settle();
	assert.equal(h.take().filter((reply) => reply.includes("type='result'")).length, 20);
});

test("G23: a stranger who floods gets silence beyond the limit, whether the device exists or not", async () => {
	for (const to of [WEATHER, `nothing@${DOMAIN}`]) {
		const h = wing();
		for (let n = 0; n < 150; n++) h.receive(iq("get", MALLORY, to, PING, `p${n}`));
		await settle();
		assert.equal(h.sent.length, 100);
	}
});

test("G23: a stranger who floods with messages gets silence", async () => {
	const h = wing();
	for (let n = 0; n < 150; n++) h.receive(chat(MALLORY, WEATHER, "hi"));
	await settle();
	assert.deepEqual(h.sent, []);
});

test("a partner is not limited as people are", async () => {
	const heard: string[] = [];
	const h = harness(() => []);
	const partners = router(h.verbs, [{ message: ({ who }) => { heard.push(who); return true; } }], { isPartner: (who) => who === "partner.example" });
	for (let n = 0; n < 500; n++) partners.receive(parseStanza(chat("partner.example", DOMAIN, "x")));
	for (let n = 0; n < 500; n++) partners.receive(parseStanza(chat(ALICE, DOMAIN, "x")));
	assert.deepEqual([heard.filter((who) => who === "partner.example").length, heard.length], [500, 600]);
});

test("one login of a fleet's watcher, a probe for each of a thousand devices, is answered whole", async () => {
	const h = wing({ devices: Object.fromEntries(Array.from({ length: 1_000 }, (_, n) => [`d${n}`, {}])) });
	for (let n = 0; n < 1_000; n++) h.receive(`<presence type='probe' from='${ALICE}' to='d${n}@${DOMAIN}'/>`);
	await h.clock.advance(10_000); // a hundred a second, after the first two hundred
	assert.equal(h.sent.length, 1_000);
});

test("a groupchat message that no module claims is service-unavailable to who is let in", async () => {
	const h = wing();
	const groupchat = (who: string): string => `<message type='groupchat' id='m' from='${who}' to='${WEATHER}'><body>hi</body></message>`;
	assert.match((await h.ask(groupchat(ALICE)))[0] ?? "", error("cancel", "service-unavailable"));
	const claimed = harness(() => [{ message: () => true }]);
	assert.deepEqual(await claimed.ask(groupchat(ALICE)), []);
});

test("a module that fails on a message or presence does not silence the others", async () => {
	const heard: string[] = [];
	const h = harness(() => [
		{ message: () => { throw new Error("bug"); }, presence: () => { throw new Error("bug"); } },
		{ message: () => { heard.push("message"); return true; }, presence: () => void heard.push("presence") },
	]);
	await h.hear(chat(ALICE, WEATHER, "hi"));
	await h.hear(`<presence from='${ALICE}' to='${WEATHER}'/>`);
	assert.deepEqual(heard, ["message", "presence"]);
	assert.equal(h.complaints.length, 2);
});

test("nothing is ever said from an address of another domain, or to one that is none", async () => {
	const h = wing();
	for (const [from, to] of [[ALICE, "weather@other.example"], [ALICE, "other.example"], [ALICE, ""], ["", WEATHER], ["@", WEATHER], [ALICE, `weather@sub.${DOMAIN}`]] as const) {
		for (const stanza of [iq("get", from, to, PING), chat(from, to, "hi"), `<presence type='subscribe' from='${from}' to='${to}'/>`, `<presence type='probe' from='${from}' to='${to}'/>`]) assert.deepEqual(await h.ask(stanza), []);
	}
});

test("an iq to an address that no device can have is answered as an unknown device is", async () => {
	const h = wing();
	for (const local of ["a b", "weather\\5c", "\\20", "x".repeat(1_024)]) {
		assert.deepEqual(await h.ask(iq("get", ALICE, `${local}@${DOMAIN}`, PING)), [`<iq type='error' to='${ALICE}' from='${local}@${DOMAIN}' id='q1'><error type='cancel'><service-unavailable xmlns='${STANZAS}'/></error></iq>`]);
	}
});

test("router() refuses two modules that answer the same request", () => {
	const h: Harness = harness(() => []);
	const route = { xmlns: "a:b", name: "q", answer: () => undefined } as const;
	const build = (...routes: readonly Pick<NonNullable<XepModule["routes"]>[number], "type" | "at">[]): unknown => router(h.verbs, [{ routes: routes.map((each) => ({ ...route, ...each })) }]);
	assert.throws(() => build({ type: "get", at: "both" }, { type: "any", at: "device" }), /Cannot add a second answer to <q xmlns='a:b'\/>/);
	assert.ok(build({ type: "get", at: "device" }, { type: "get", at: "gateway" }, { type: "set", at: "both" }));
});
