import assert from "node:assert/strict";
import { test } from "node:test";
import { settle } from "../fakes/clock.js";
import { Chance, RUNS } from "../fakes/fuzz.js";
import { chat, DOMAIN, iq, MemoryStore, presenceStanza, PUMP, WEATHER } from "./harness.js";
import { type Wing, wing } from "./wing.js";

const ALICE = "alice@example.org";
/** Without any rule; refused by name; with a rule for another device. */
const STRANGERS = ["mallory@evil.example", "norma@example.org", "bob@partner.example"];
const TYPES = ["subscribe", "subscribed", "unsubscribe", "unsubscribed", "probe", "unavailable", "error", "invisible", "available"];
const ADDRESSES = [`pump-1@${DOMAIN}`, `pump-1@${DOMAIN}/thing`, `PUMP-1@${DOMAIN}/x`];
const ERRORS = ["", ...["gone", "item-not-found", "remote-server-timeout", "forbidden"].map((name) => `<error type='cancel'><${name} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>`)];
const PAYLOADS = ["<ping xmlns='urn:xmpp:ping'/>", "<query xmlns='jabber:iq:last'/>", "<query xmlns='http://jabber.org/protocol/disco#info'/>", "<vCard xmlns='vcard-temp'/>", "", "<a xmlns='b:c'/><d xmlns='e:f'/>"];

/** Being available is not written down. */
function typeOf(type: string): string | undefined {
	return type === "available" ? undefined : type;
}

function strangersStanza(chance: Chance): string {
	const sender = chance.pick(STRANGERS) + chance.pick(["", "/desk", "/x"]);
	const to = chance.pick(ADDRESSES);
	switch (chance.int(8)) {
		case 0: return iq(chance.pick(["get", "set"]), sender, to, chance.pick(PAYLOADS), `i${chance.int(3)}`);
		case 1: return chat(sender, to, chance.pick(["help", "set speed 1", "x".repeat(10_001)]));
		default: return presenceStanza(typeOf(chance.pick(TYPES)), sender, to, chance.pick(ERRORS));
	}
}

/** What happens to the device, and between it and its owner, while strangers try. */
async function life(h: Wing, exists: boolean, what: number, chance: Chance): Promise<void> {
	switch (what) {
		case 0: return exists ? h.report("pump-1", { speed: String(chance.int(100)) }) : undefined;
		case 1: return exists ? h.state("pump-1", chance.pick(["online", "offline", "faulty", "asleep"])) : undefined;
		case 2: return h.hear(presenceStanza(typeOf(chance.pick(TYPES)), ALICE, chance.pick(ADDRESSES), chance.pick(ERRORS)));
		case 3: return h.disconnect();
		case 4: return h.connect();
		case 5: h.store.broken = !h.store.broken; return;
		case 6: h.room = !h.room; return;
		case 7: return h.presence.accessChanged();
		default: return h.clock.advance(chance.int(70_000));
	}
}

test("random stanzas crash nothing, and tell a stranger the same of a device that exists as of one that does not", async () => {
	for (let seed = 0; seed < Math.max(20, RUNS / 40); seed++) {
		const worlds = [wing(), wing({ devices: { weather: WEATHER } })] as const;
		const order = new Chance(seed);
		const history: string[] = [];
		for (let step = 0; step < 60; step++) {
			const isStranger = order.int(3) > 0;
			const stanza = strangersStanza(order);
			const what = order.int(12);
			const lifeSeed = order.int(1e9);
			history.push(isStranger ? stanza : `life ${what}`);
			for (const [index, h] of worlds.entries()) {
				if (isStranger) await h.hear(stanza);
				else await life(h, index === 0, what, new Chance(lifeSeed));
			}
			const [here, not] = worlds.map((h) => h.take().filter((sent) => !sent.includes(`to='${ALICE}`)));
			assert.deepEqual(here, not, `seed ${seed}, after ${history.join("\n")}`);
		}
		for (const h of worlds) {
			h.close();
			await settle();
			assert.equal(h.clock.pending, 0);
			assert.ok(h.complaints.every((line) => line.includes("the disk is full")), h.complaints.join("\n"));
		}
	}
});

test("whatever order subscription stanzas come in, memory and store agree, and nobody is told who has not subscribed", async () => {
	const contacts = [ALICE, "oscar@ops.example.org"];
	for (let seed = 0; seed < Math.max(20, RUNS / 40); seed++) {
		const h = wing({ store: new MemoryStore(), devices: { "pump-1": PUMP } });
		const chance = new Chance(seed);
		const asked = new Set<string>();
		for (let step = 0; step < 40; step++) {
			const contact = chance.pick(contacts);
			const type = chance.pick(TYPES);
			// A probe of somebody who may see the device makes him a subscriber too.
			if (type === "subscribe" || type === "probe") asked.add(contact);
			h.receive(presenceStanza(typeOf(type), contact, chance.pick(ADDRESSES), chance.pick(ERRORS)));
			if (chance.int(3) === 0) await settle();
			if (chance.int(4) === 0) await h.report("pump-1", { speed: String(step) });
			for (const stanza of h.take()) assert.ok([...asked].some((who) => stanza.includes(`to='${who}`)), `seed ${seed}: ${stanza}`);
		}
		await settle();
		assert.deepEqual([...h.subscriptions.all()].map((each) => JSON.stringify(each)).sort(), h.store.subscriptions().map((each) => JSON.stringify(each)).sort());
		assert.deepEqual(new Set([...h.subscriptions.watchers("pump-1")].map(({ contact }) => contact)), new Set(h.store.subscriptions().filter((each) => each.from).map(({ contact }) => contact)));
	}
});
