import assert from "node:assert/strict";
import { test } from "node:test";
import { GATEWAY_ID } from "../../src/core/access.js";
import type { Subscription } from "../../src/core/subscription.js";
import { settle } from "../fakes/clock.js";
import { DOMAIN, MemoryStore, presenceStanza, PUMP, RULES, WEATHER } from "./harness.js";
import { wing } from "./wing.js";

const ALICE = "alice@example.org";
const BOB = "bob@partner.example";
const MALLORY = "mallory@evil.example";
const WEATHER_JID = `weather@${DOMAIN}`;
const THING = `${WEATHER_JID}/thing`;

/** Caps change with the modules: what matters here is that they are there. */
function plain(stanzas: readonly string[]): string[] {
	return stanzas.map((stanza) => stanza.replace(/<c xmlns='http:\/\/jabber.org\/protocol\/caps' hash='sha-1' node='[^']+' ver='[^']{28}'\/>/, "<c/>"));
}

const from = (device: string, contact: string): Pick<Subscription, "device" | "contact" | "from"> => ({ device, contact, from: true });

test("PR1: who has a rule and subscribes to an unknown device is told unsubscribed, as for one that he may not see", async () => {
	const h = wing();
	for (const device of ["nothing", "pump-1"]) {
		assert.deepEqual(await h.ask(presenceStanza("subscribe", BOB, `${device}@${DOMAIN}`)), [`<presence type='unsubscribed' from='${device}@${DOMAIN}' to='${BOB}'/>`]);
	}
});

test("PR1: a total stranger who subscribes hears nothing, whether the device exists or not", async () => {
	const h = wing();
	for (const to of [`nothing@${DOMAIN}`, WEATHER_JID, DOMAIN]) assert.deepEqual(await h.ask(presenceStanza("subscribe", MALLORY, to)), []);
});

test("PR2: an allowed subscribe is answered by subscribed from the bare address, then presence from the full one", async () => {
	const h = wing();
	await h.report("weather", { temperature: "21.50", humidity: "45" });
	assert.deepEqual(plain(await h.ask(presenceStanza("subscribe", ALICE, WEATHER_JID))), [
		`<presence type='subscribed' from='${WEATHER_JID}' to='${ALICE}'/>`,
		`<presence from='${THING}' to='${ALICE}'><status>21.50 °C · 45 %RH</status><c/></presence>`,
	]);
	assert.deepEqual(h.store.subscriptions(), [{ device: "weather", contact: ALICE, from: true, to: false, pendingIn: false, pendingOut: false }]);
});

test("PR2: the gateway itself can be subscribed to by anybody with a rule", async () => {
	const h = wing();
	assert.deepEqual(plain(await h.ask(presenceStanza("subscribe", BOB, DOMAIN))), [
		`<presence type='subscribed' from='${DOMAIN}' to='${BOB}'/>`,
		`<presence from='${DOMAIN}/thing' to='${BOB}'><c/></presence>`,
	]);
});

test("a subscription is on disk before it is answered", async () => {
	const h = wing();
	let written = (): void => {};
	h.store.until = new Promise((resolve) => { written = resolve; });
	assert.deepEqual(await h.ask(presenceStanza("subscribe", ALICE, WEATHER_JID)), []);
	written();
	await settle();
	assert.equal(h.take().length, 2);
});

test("a subscription that the store does not take is not answered, and is logged", async () => {
	const h = wing();
	h.store.broken = true;
	assert.deepEqual(await h.ask(presenceStanza("subscribe", ALICE, WEATHER_JID)), []);
	assert.match(h.complaints[0] ?? "", /Cannot change a subscription.*disk is full/);
	h.store.broken = false;
	assert.equal((await h.ask(presenceStanza("subscribe", ALICE, WEATHER_JID))).length, 2);
});

test("PR3: a repeated subscribe is answered again, and writes nothing", async () => {
	const h = wing();
	const first = await h.ask(presenceStanza("subscribe", ALICE, WEATHER_JID));
	assert.deepEqual(await h.ask(presenceStanza("subscribe", ALICE, WEATHER_JID)), first);
	assert.equal(h.store.writes.length, 1);
});

test("PR4: a subscribe to a resource is a subscribe to the device", async () => {
	const h = wing();
	const bare = await h.ask(presenceStanza("subscribe", ALICE, WEATHER_JID));
	assert.deepEqual(await h.ask(presenceStanza("subscribe", `${ALICE}/desk`, `${WEATHER_JID}/xyz`)), bare);
});

test("PR5: a stranger's question is stored and told once; approved, it is answered to the bare contact", async () => {
	const asked: Subscription[] = [];
	const h = wing({}, { onAsked: (subscription) => void asked.push(subscription) });
	for (let times = 0; times < 4; times++) assert.deepEqual(await h.ask(presenceStanza("subscribe", `${MALLORY}/x`, WEATHER_JID)), []);
	assert.deepEqual(asked, [{ device: "weather", contact: MALLORY, from: false, to: false, pendingIn: true, pendingOut: false }]);
	assert.equal(h.store.writes.length, 1);
	await assert.rejects(h.presence.approve("weather", MALLORY), { fault: "forbidden" });
	h.setRules([...RULES, { who: MALLORY, role: "viewer" }]);
	await h.presence.approve("weather", MALLORY);
	assert.deepEqual(plain(h.take()), [
		`<presence type='subscribed' from='${WEATHER_JID}' to='${MALLORY}'/>`,
		`<presence type='unavailable' from='${THING}' to='${MALLORY}'><status>not heard from yet</status></presence>`,
	]);
	await assert.rejects(h.presence.approve("weather", MALLORY), { fault: "bad-request" });
});

test("PR5: a question that is repeated while the first is being stored is one question", async () => {
	const asked: Subscription[] = [];
	const h = wing({}, { onAsked: (subscription) => void asked.push(subscription) });
	let written = (): void => {};
	h.store.until = new Promise((resolve) => { written = resolve; });
	for (let times = 0; times < 3; times++) await h.hear(presenceStanza("subscribe", MALLORY, WEATHER_JID));
	written();
	await settle();
	assert.deepEqual([asked.length, h.store.writes.length, h.subscriptions.pending], [1, 1, 1]);
});

test("PR5: questions are stored for devices that exist, and for no others", async () => {
	const h = wing();
	for (const to of [WEATHER_JID, DOMAIN, `nothing@${DOMAIN}`]) await h.hear(presenceStanza("subscribe", MALLORY, to));
	assert.deepEqual(h.store.writes.map(({ device }) => device), ["weather", GATEWAY_ID]);
});

test("no more than a thousand questions are stored, however many strangers ask", async () => {
	const h = wing();
	for (let n = 0; n < 1_100; n++) h.receive(presenceStanza("subscribe", `s${n}@evil.example`, WEATHER_JID));
	await settle();
	assert.equal(h.subscriptions.pending, 1_000);
	assert.equal(h.store.writes.length, 1_000);
	assert.deepEqual(h.take(), []);
});

test("a rule that was added answers who has asked", async () => {
	const h = wing();
	await h.hear(presenceStanza("subscribe", MALLORY, WEATHER_JID));
	h.setRules([...RULES, { who: MALLORY, role: "viewer" }]);
	h.presence.accessChanged();
	await settle();
	assert.equal(h.take()[0], `<presence type='subscribed' from='${WEATHER_JID}' to='${MALLORY}'/>`);
});

test("PR6: a probe is answered to exactly the address that asked", async () => {
	const h = wing({ store: new MemoryStore(from("weather", ALICE)) });
	await h.report("weather", { temperature: "21.5" });
	h.take();
	for (const asker of [ALICE, `${ALICE}/desk`]) {
		assert.deepEqual(plain(await h.ask(presenceStanza("probe", asker, WEATHER_JID))), [`<presence from='${THING}' to='${asker}'><status>21.5 °C</status><c/></presence>`]);
	}
	assert.equal(h.store.writes.length, 0);
});

test("PR7: a probe of a stranger is answered by nothing", async () => {
	const h = wing();
	for (const to of [WEATHER_JID, DOMAIN, `nothing@${DOMAIN}`]) assert.deepEqual(await h.ask(presenceStanza("probe", MALLORY, to)), []);
});

test("PR7: a probe of somebody whose access was taken away is answered by nothing", async () => {
	const h = wing({ store: new MemoryStore(from("weather", MALLORY), from("pump-1", BOB)) });
	assert.deepEqual(await h.ask(presenceStanza("probe", MALLORY, WEATHER_JID)), []);
	assert.deepEqual(await h.ask(presenceStanza("probe", BOB, `pump-1@${DOMAIN}`)), []);
});

test("a probe of somebody who may see the device, and never subscribed, is one of a shared roster group: he is told from now on", async () => {
	const h = wing();
	assert.equal((await h.ask(presenceStanza("probe", `${ALICE}/desk`, WEATHER_JID))).length, 1);
	assert.equal(h.subscriptions.get("weather", ALICE)?.from, true);
	await h.report("weather", { temperature: "21.5" });
	assert.deepEqual(plain(h.take()), [`<presence from='${THING}' to='${ALICE}'><status>21.5 °C</status><c/></presence>`]);
});

test("PR8: a probe of a device that is offline is answered by unavailable, with the reason", async () => {
	const h = wing({ store: new MemoryStore(from("weather", ALICE)) });
	await h.state("weather", "offline", "battery is empty");
	assert.deepEqual(await h.ask(presenceStanza("probe", ALICE, WEATHER_JID)), [`<presence type='unavailable' from='${THING}' to='${ALICE}'><status>battery is empty</status></presence>`]);
});

test("PR9: unsubscribe is answered by unavailable, and nothing follows", async () => {
	const gone: string[] = [];
	const h = wing({ store: new MemoryStore(from("weather", ALICE)) }, { onContactGone: (jid, device) => void gone.push(`${jid} ${device}`) });
	assert.deepEqual(await h.ask(presenceStanza("unsubscribe", ALICE, WEATHER_JID)), [`<presence type='unavailable' from='${THING}' to='${ALICE}'/>`]);
	assert.deepEqual(gone, [`${ALICE} weather`]);
	await h.report("weather", { temperature: "21.5" });
	await h.state("weather", "offline");
	await h.connect();
	assert.deepEqual(h.take(), []);
	assert.equal(h.store.kept.size, 0);
	assert.deepEqual(await h.ask(presenceStanza("unsubscribe", ALICE, WEATHER_JID)), []);
});

test("PR9: unsubscribe counts even when the store fails", async () => {
	const h = wing({ store: new MemoryStore(from("weather", ALICE)) });
	h.store.broken = true;
	assert.equal((await h.ask(presenceStanza("unsubscribe", ALICE, WEATHER_JID))).length, 1);
	await h.report("weather", { temperature: "21.5" });
	assert.deepEqual(h.take(), []);
	assert.match(h.complaints[0] ?? "", /back after the next start/);
});

test("unsubscribe right after subscribe wins, however slow the store is", async () => {
	const h = wing();
	let written = (): void => {};
	h.store.until = new Promise((resolve) => { written = resolve; });
	await h.hear(presenceStanza("subscribe", ALICE, WEATHER_JID));
	await h.hear(presenceStanza("unsubscribe", ALICE, WEATHER_JID));
	written();
	await settle();
	assert.deepEqual(h.take().map((stanza) => /type='(\w+)'/.exec(stanza)?.[1]), ["subscribed", "unavailable", "unavailable"]);
	assert.equal(h.subscriptions.get("weather", ALICE), undefined);
});

test("PR10: an unsolicited subscribed changes nothing", async () => {
	const h = wing();
	assert.deepEqual(await h.ask(presenceStanza("subscribed", ALICE, WEATHER_JID)), []);
	assert.deepEqual(h.store.writes, []);
});

test("subscribed answers a question of the device, unsubscribed ends what it had, and neither is answered", async () => {
	const h = wing({ store: new MemoryStore({ device: "weather", contact: ALICE, pendingOut: true, from: true }) });
	assert.deepEqual(await h.ask(presenceStanza("subscribed", ALICE, WEATHER_JID)), []);
	assert.deepEqual(h.subscriptions.get("weather", ALICE), { device: "weather", contact: ALICE, from: true, to: true, pendingIn: false, pendingOut: false });
	assert.deepEqual(await h.ask(presenceStanza("unsubscribed", ALICE, WEATHER_JID)), []);
	assert.deepEqual(h.subscriptions.get("weather", ALICE), { device: "weather", contact: ALICE, from: true, to: false, pendingIn: false, pendingOut: false });
	await h.hear(presenceStanza("unsubscribed", ALICE, WEATHER_JID));
	assert.equal(h.store.writes.length, 2);
});

test("PR11: after a crash every contact is told anew, those of the gateway first", async () => {
	const h = wing({ store: new MemoryStore(from("weather", ALICE), from("pump-1", ALICE), from("weather", BOB), from(GATEWAY_ID, BOB), from("lost", ALICE)), online: false });
	await h.report("weather", { temperature: "21.5", humidity: "45" });
	await h.connect();
	await h.clock.advance(5_000);
	assert.deepEqual(plain(h.take()), [
		`<presence from='${DOMAIN}/thing' to='${BOB}'><c/></presence>`,
		`<presence from='${THING}' to='${ALICE}'><status>21.5 °C · 45 %RH</status><c/></presence>`,
		`<presence from='${THING}' to='${BOB}'><status>21.5 °C</status><c/></presence>`,
		`<presence type='unavailable' from='pump-1@${DOMAIN}/thing' to='${ALICE}'><status>not heard from yet</status></presence>`,
		`<presence type='unavailable' from='lost@${DOMAIN}/thing' to='${ALICE}'/>`,
	]);
	h.disconnect();
	await h.connect();
	await h.clock.advance(5_000);
	assert.equal(h.take().length, 5);
	assert.equal(h.clock.pending, 0);
});

test("PR12: at the end unavailable goes to everybody, before the stream closes", async () => {
	const h = wing({ store: new MemoryStore(from("weather", ALICE), from("weather", BOB), from(GATEWAY_ID, BOB)) });
	await h.report("weather", { temperature: "21.5" });
	await h.connect();
	h.take();
	h.close();
	assert.deepEqual(h.take().sort(), [
		`<presence type='unavailable' from='${DOMAIN}/thing' to='${BOB}'><status>the gateway was stopped</status></presence>`,
		`<presence type='unavailable' from='${THING}' to='${ALICE}'><status>the gateway was stopped</status></presence>`,
		`<presence type='unavailable' from='${THING}' to='${BOB}'><status>the gateway was stopped</status></presence>`,
	]);
	assert.equal(h.clock.pending, 0);
});

test("PR13: a denied question is answered by unsubscribed, never by presence, and is not heard again for a day", async () => {
	const asked: Subscription[] = [];
	const h = wing({}, { onAsked: (subscription) => void asked.push(subscription) });
	await h.hear(presenceStanza("subscribe", MALLORY, WEATHER_JID));
	await h.presence.deny("weather", MALLORY);
	assert.deepEqual(h.take(), [`<presence type='unsubscribed' from='${WEATHER_JID}' to='${MALLORY}'/>`]);
	assert.deepEqual(await h.ask(presenceStanza("subscribe", MALLORY, WEATHER_JID)), []);
	assert.equal(asked.length, 1);
	await h.clock.advance(24 * 3_600_000);
	await h.hear(presenceStanza("subscribe", MALLORY, WEATHER_JID));
	assert.equal(asked.length, 2);
	await h.report("weather", { temperature: "21.5" });
	assert.deepEqual(h.take(), []);
});

test("PR14: a presence of type error is never answered", async () => {
	const h = wing({ store: new MemoryStore(from("weather", ALICE)) });
	for (const condition of ["remote-server-not-found", "item-not-found", "service-unavailable", "forbidden"]) {
		for (const sender of [ALICE, MALLORY]) {
			assert.deepEqual(await h.ask(presenceStanza("error", sender, THING, `<error type='cancel'><${condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>`)), []);
		}
	}
});

test("a contact whose address does not exist is dropped after three bounces in a row, and not before", async () => {
	const bounce = presenceStanza("error", ALICE, THING, "<error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>");
	const h = wing({ store: new MemoryStore(from("weather", ALICE)) });
	await h.hear(bounce);
	await h.hear(bounce);
	await h.hear(presenceStanza("probe", ALICE, WEATHER_JID));
	await h.hear(bounce);
	await h.hear(bounce);
	assert.equal(h.subscriptions.get("weather", ALICE)?.from, true);
	await h.hear(bounce);
	assert.equal(h.subscriptions.get("weather", ALICE), undefined);
});

test("PR15: a resource that becomes unavailable is named to who promised it something, and the others are not", async () => {
	const gone: string[] = [];
	const h = wing({ store: new MemoryStore(from("weather", ALICE)) }, { onContactGone: (jid, device) => void gone.push(`${jid} ${device}`) });
	await h.hear(presenceStanza("unavailable", `${ALICE}/desk`, WEATHER_JID));
	assert.deepEqual(gone, [`${ALICE}/desk weather`]);
	assert.equal(h.subscriptions.get("weather", ALICE)?.from, true);
});

test("PR16: an address is the same device however it is written", async () => {
	const h = wing({ devices: { "weather": WEATHER, "boiler 1": PUMP } });
	const answers = await h.ask(presenceStanza("subscribe", ALICE, `WEATHER@Things.Example.ORG`));
	assert.equal(answers[0], `<presence type='subscribed' from='${WEATHER_JID}' to='${ALICE}'/>`);
	assert.deepEqual(await h.ask(presenceStanza("subscribe", "Alice@EXAMPLE.org", WEATHER_JID)), answers);
	assert.equal((await h.ask(presenceStanza("subscribe", ALICE, `Boiler\\201@${DOMAIN}`)))[0], `<presence type='subscribed' from='boiler\\201@${DOMAIN}' to='${ALICE}'/>`);
	assert.deepEqual([...h.store.kept.keys()], [`weather ${ALICE}`, `boiler 1 ${ALICE}`]);
});

test("PR17: cancelled from our side: unavailable, then unsubscribed, then the device's own subscription", async () => {
	const h = wing({ store: new MemoryStore({ device: "weather", contact: ALICE, from: true, to: true }, from("weather", BOB)) });
	await h.presence.cancel("weather", ALICE);
	assert.deepEqual(h.take(), [
		`<presence type='unavailable' from='${THING}' to='${ALICE}'/>`,
		`<presence type='unsubscribed' from='${WEATHER_JID}' to='${ALICE}'/>`,
		`<presence type='unsubscribe' from='${WEATHER_JID}' to='${ALICE}'/>`,
	]);
	h.store.broken = true;
	await assert.rejects(h.presence.cancel("weather", BOB), { fault: "store-failed" });
	assert.equal(h.take().length, 2);
});

test("PR17: a device that was removed says unavailable, then unsubscribed, to those who may see it", async () => {
	const h = wing({ store: new MemoryStore(from("weather", ALICE), from("weather", MALLORY), { device: "weather", contact: "s@evil.example", pendingIn: true }) });
	await h.remove("weather");
	assert.deepEqual(h.take(), [`<presence type='unavailable' from='${THING}' to='${ALICE}'/>`, `<presence type='unsubscribed' from='${WEATHER_JID}' to='${ALICE}'/>`]);
	assert.equal(h.store.kept.size, 0);
});

test("a device that its source has not announced yet loses no subscriber who asks again", async () => {
	const h = wing({ store: new MemoryStore(from("later", ALICE)) });
	assert.deepEqual(await h.ask(presenceStanza("subscribe", ALICE, `later@${DOMAIN}`)), []);
	assert.equal(h.subscriptions.get("later", ALICE)?.from, true);
	await h.announce("later", WEATHER);
	await h.report("later", { temperature: "21.5" });
	assert.equal(h.take().length, 1);
});
