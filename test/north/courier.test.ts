import assert from "node:assert/strict";
import { test } from "node:test";
import type { Letter } from "../../src/core/outbox.js";
import { type Courier, courier } from "../../src/north/courier.js";
import { letterId } from "../../src/north/letter.js";
import { parseStanza } from "../../src/xmpp/parser.js";
import { FAKE_START, settle } from "../fakes/clock.js";
import { Chance } from "../fakes/fuzz.js";
import { MemoryOutbox } from "../fakes/outbox.js";
import { DOMAIN, type Harness, harness, type HarnessOptions } from "./harness.js";

const ALICE = "alice@example.org";
const BOB = "bob@partner.example";
const WEATHER = `weather@${DOMAIN}`;

interface Desk {
	readonly h: Harness;
	readonly courier: Courier;
	readonly outbox: MemoryOutbox;
}

let serial = 0;

/** A courier on this outbox. */
function desk(outbox = new MemoryOutbox(), options: HarnessOptions = {}): Desk {
	const made: { courier?: Courier } = {};
	const h = harness((verbs) => [made.courier = courier(verbs, { outbox, newId: () => `b${++serial}` })], options);
	return { h, courier: made.courier!, outbox };
}

let letters = 0;
function letter(body: string, more: Partial<Letter> = {}): Letter {
	return { id: `l${++letters}`, to: ALICE, device: "weather", urgent: false, at: FAKE_START, body, ...more };
}

interface Told { readonly id: string; readonly from: string; readonly to: string; readonly body: string; readonly raw: string }

/** The messages with a body among these stanzas. */
function told(stanzas: readonly string[]): Told[] {
	return stanzas.filter((raw) => raw.startsWith("<message")).map((raw) => {
		const stanza = parseStanza(raw);
		return { id: stanza.attrs["id"]!, from: stanza.attrs["from"]!, to: stanza.attrs["to"]!, body: stanza.child("body")?.text() ?? "", raw };
	});
}
const pings = (stanzas: readonly string[]): string[] => stanzas.filter((raw) => raw.includes("urn:xmpp:ping"));
const receipt = (of: Pick<Told, "id" | "from">, from = `${ALICE}/phone`): string => `<message from='${from}' to='${of.from}' id='r-${of.id}'><received xmlns='urn:xmpp:receipts' id='${of.id}'/></message>`;
const bounce = (of: Told, type: string, condition: string): string => `<message type='error' from='${of.to}' to='${of.from}' id='${of.id}'><error type='${type}'><${condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>`;

/** His server answers this ping. */
function pong(ping: string, error?: string): string {
	const { from, to, id } = parseStanza(ping).attrs;
	return error === undefined ? `<iq type='result' from='${to}' to='${from}' id='${id}'/>` : `<iq type='error' from='${to}' to='${from}' id='${id}'><error type='cancel'><${error} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>`;
}

/** Alice's client sends receipts, as the courier has found out. */
async function withReceipts(outbox?: MemoryOutbox): Promise<Desk> {
	const made = desk(outbox);
	await made.courier.post(letter("hello"));
	await settle();
	await made.h.hear(receipt(told(made.h.take())[0]!));
	made.h.take();
	return made;
}

test("a letter leaves as one chat message between bare JIDs, with a receipt request, an id for good and a hint to store it", async () => {
	const { h, courier: c } = desk();
	await c.post(letter("temperature 22.5 °C"));
	await settle();
	const [first, ...rest] = told(h.sent);
	assert.equal(first!.raw, `<message from='${WEATHER}' to='${ALICE}' type='chat' id='${first!.id}'><body>temperature 22.5 °C</body><request xmlns='urn:xmpp:receipts'/><origin-id xmlns='urn:xmpp:sid:0' id='${first!.id}'/><store xmlns='urn:xmpp:hints'/></message>`);
	assert.deepEqual(rest, []);
});

test("what leaves more than ten seconds after it happened carries the original time (XEP-0203)", async () => {
	for (const [age, isDelayed] of [[10_000, false], [10_001, true]] as const) {
		const { h, courier: c } = desk();
		await c.post(letter("x", { at: h.clock.now() - age }));
		await settle();
		assert.equal(told(h.sent)[0]!.raw.includes(`<delay xmlns='urn:xmpp:delay' from='${WEATHER}' stamp='${new Date(FAKE_START - age).toISOString()}'/>`), isDelayed);
	}
});

test("a receipt from any resource of the receiver takes the letter off the disk; nobody else's does", async () => {
	const { h, courier: c, outbox } = desk();
	await c.post(letter("x"));
	await settle();
	const [sent] = told(h.take());
	for (const stranger of ["mallory@evil.example/x", "bob@partner.example/desk", "example.org", `alice@example.net/phone`]) {
		await h.hear(receipt(sent!, stranger));
		assert.equal(outbox.kept.length, 1, stranger);
	}
	await h.hear(receipt({ id: sent!.id, from: `pump-1@${DOMAIN}` })); // to a device that did not send it
	assert.equal(outbox.kept.length, 1);
	await h.hear(receipt(sent!, `${ALICE}/another`));
	await h.hear(receipt(sent!, `${ALICE}/phone`));
	assert.deepEqual(outbox.kept, []);
	assert.equal(c.counters().delivered, 1);
	assert.deepEqual(told(h.sent), []);
});

for (const [answer, isProof] of [[undefined, true], ["service-unavailable", true], ["feature-not-implemented", true], ["remote-server-not-found", false], ["remote-server-timeout", false]] as const) {
	test(`without receipts, ${answer ?? "a result"} to a ping behind the message ${isProof ? "proves" : "does not prove"} that the server has it`, async () => {
		const { h, courier: c, outbox } = desk();
		await c.post(letter("x"));
		await settle();
		const sent = h.take();
		assert.match(sent[0]!, /^<message/);
		assert.match(sent[1]!, new RegExp(`^<iq type='get' from='${WEATHER}' to='${ALICE}'.*urn:xmpp:ping`));
		await h.hear(pong(sent[1]!, answer));
		assert.equal(outbox.kept.length, isProof ? 0 : 1);
		await h.clock.advance(60_000);
		const again = told(h.take());
		assert.deepEqual(again.map(({ id, body }) => [id, body]), isProof ? [] : [[told(sent)[0]!.id, "x"]]);
	});
}

test("once he has sent a receipt nothing less counts: without one the same stanza is sent again after 60 s; when it misses its receipt twice, a ping must prove it", async () => {
	const { h, courier: c, outbox } = await withReceipts();
	await c.post(letter("x"));
	await settle();
	const [first] = told(h.sent);
	assert.deepEqual(pings(h.take()), []);
	await h.clock.advance(59_000);
	assert.deepEqual(h.take(), []);
	await h.clock.advance(1_000);
	const again = h.take();
	assert.deepEqual([told(again).map(({ id, body }) => [id, body]), pings(again)], [[[first!.id, "x"]], []]);
	await h.clock.advance(119_000);
	assert.deepEqual(h.take(), []);
	await h.clock.advance(1_000);
	const [ping, ...rest] = h.take();
	assert.deepEqual([pings([ping!]).length, rest, outbox.kept.length], [1, [], 1]);
	await h.hear(pong(ping!));
	assert.deepEqual(outbox.kept, []);
	await c.post(letter("y"));
	await settle();
	const [message, behind] = h.take();
	assert.equal(pings([behind!]).length, 1);
	await h.hear(receipt(told([message!])[0]!)); // the client is back that sends them
	await h.hear(pong(behind!));
	await c.post(letter("z"));
	await settle();
	assert.deepEqual(pings(h.take()), []);
	assert.equal(c.counters().repeated, 1);
});

test("a receipt for what nobody sent him proves nothing, and changes nothing: pings go on", async () => {
	const { h, courier: c, outbox } = desk();
	await c.post(letter("x"));
	await settle();
	const sent = h.take();
	await h.hear(receipt({ id: "invented", from: WEATHER }));
	await h.hear(receipt({ id: told(sent)[0]!.id, from: `pump-1@${DOMAIN}` }));
	await h.hear(pong(pings(sent)[0]!));
	assert.deepEqual(outbox.kept, []);
	await c.post(letter("y"));
	await settle();
	assert.equal(pings(h.take()).length, 1);
});

test("sixty letters arrive in a client without receipts after another client of his has sent one", async () => {
	const { h, courier: c, outbox } = await withReceipts();
	for (let n = 0; n < 60; n++) await c.post(letter(`n${n}`));
	const ids: string[] = [];
	for (let second = 0; second < 300; second++) {
		await settle();
		for (let sent = h.take(); sent.length > 0; sent = h.take()) {
			ids.push(...told(sent).map(({ id }) => id));
			for (const ping of pings(sent)) await h.hear(pong(ping));
		}
		await h.clock.advance(1_000);
	}
	assert.deepEqual([outbox.kept, ids.length - new Set(ids).size], [[], 1]); // one was sent again, to ask for him
});

test("who is away is asked with the oldest letter alone; when he is back, what he does not acknowledge within a while is sent again", async () => {
	const { h, courier: c, outbox } = await withReceipts();
	for (let n = 0; n < 5; n++) {
		await c.post(letter(`n${n}`));
		await settle();
	}
	const all = told(h.take());
	assert.equal(all.length, 5);
	await h.clock.advance(60_000);
	const [probe, ...rest] = told(h.take());
	assert.deepEqual([probe!.id, rest], [all[0]!.id, []]);
	await h.hear(receipt(all[0]!));
	await h.clock.advance(2_000);
	await h.hear(receipt(all[1]!)); // his client takes what the server kept, one by one
	await h.clock.advance(9_000);
	assert.deepEqual(told(h.take()), []);
	await h.clock.advance(1_000);
	assert.deepEqual(told(h.take()).map(({ id }) => id), all.slice(2).map(({ id }) => id)); // overtaken: lost
	for (const each of all.slice(2)) await h.hear(receipt(each));
	assert.deepEqual(outbox.kept, []);
});

// [type, condition, what becomes of the letters that wait for him]
const BOUNCES = [
	["cancel", "gone", "all gone"], ["modify", "jid-malformed", "all gone"],
	["auth", "forbidden", "this one gone"], ["cancel", "not-allowed", "this one gone"], ["modify", "not-acceptable", "this one gone"], ["modify", "policy-violation", "this one gone"], ["auth", "subscription-required", "this one gone"],
	["wait", "remote-server-timeout", "later"], ["wait", "resource-constraint", "later"], ["wait", "recipient-unavailable", "later"], ["cancel", "remote-server-not-found", "later"], ["cancel", "service-unavailable", "later"], ["wait", "item-not-found", "later"], ["cancel", "item-not-found", "later"], ["cancel", "undefined-condition", "later"],
] as const;
for (const [type, condition, fate] of BOUNCES) {
	test(`a bounce of ${type} ${condition}: ${fate}`, async () => {
		const { h, courier: c, outbox } = desk();
		await c.post(letter("first"));
		await settle();
		await c.post(letter("second", { device: "pump-1" }));
		await settle();
		const sent = h.take();
		const [first] = told(sent);
		await h.hear(bounce(first!, type, condition));
		for (let asked = pings(sent); asked.length > 0; asked = pings(h.take())) for (const ping of asked) await h.hear(pong(ping)); // his server is there: that says nothing of what it has refused
		assert.equal(outbox.kept.some(({ body }) => body === "first"), fate === "later");
		if (fate === "all gone") assert.deepEqual(outbox.kept, []);
		if (fate !== "later") assert.equal(h.complaints.length, 1);
		h.take();
		await h.clock.advance(59_000);
		assert.deepEqual(told(h.take()), []);
		await h.clock.advance(2_000);
		assert.deepEqual(told(h.take()).map(({ id }) => id), fate === "later" ? [first!.id] : []);
		assert.equal(c.counters().givenUp, fate === "all gone" ? outbox.posted.length : fate === "later" ? 0 : 1);
	});
}

test("an account is gone when its server says so three times in a row and for an hour: then what is meant for it ends", async () => {
	const gone: string[] = [];
	const outbox = new MemoryOutbox();
	const made: { courier?: Courier } = {};
	const h = harness((verbs) => [made.courier = courier(verbs, { outbox, newId: () => `b${++serial}`, onGone: (who) => void gone.push(who) })]);
	for (let n = 0; n < 30; n++) await made.courier!.post(letter(`n${n}`, { urgent: true }));
	await settle();
	let bounces = 0;
	const bounceAll = async (): Promise<void> => {
		for (let sent = told(h.take()); sent.length > 0; sent = told(h.take())) for (const each of sent) await h.hear(bounce(each, "cancel", "item-not-found"));
		bounces++;
	};
	await bounceAll();
	await h.clock.advance(60_000);
	for (const each of told(h.take())) await h.hear(receipt(each)); // the room is there
	for (let sent = told(h.take()); sent.length > 0; sent = told(h.take())) for (const each of sent) await h.hear(receipt(each));
	assert.deepEqual([outbox.kept, gone, made.courier!.counters().givenUp], [[], [], 0]);
	await made.courier!.post(letter("x"));
	await settle();
	const begin = h.clock.now();
	bounces = 0;
	await bounceAll();
	while (outbox.kept.length > 0) {
		assert.deepEqual([gone, h.clock.now() - begin < 7_200_000], [[], true]);
		await h.clock.advance(60_000);
		if (told(h.sent).length > 0) await bounceAll();
	}
	assert.ok(bounces >= 3 && h.clock.now() - begin >= 3_600_000);
	assert.deepEqual([gone, made.courier!.counters().givenUp], [[ALICE], 1]);
});

test("a device that its reader has blocked holds up only itself, and is tried with one stanza, ever more seldom", async () => {
	const { h, courier: c, outbox } = desk();
	for (let n = 0; n < 5; n++) {
		await c.post(letter(`blocked ${n}`));
		await settle();
	}
	const tries: number[] = [];
	const others: string[] = [];
	for (let second = 0; second < 4 * 3_600; second += 10) {
		if (second % 600 === 0) await c.post(letter(`other ${second}`, { device: "pump-1" }));
		if (second % 600 === 300) await c.post(letter(`blocked, too ${second}`, { urgent: second === 300 }));
		await settle();
		for (let sent = h.take(); sent.length > 0; sent = h.take()) {
			for (const each of told(sent)) {
				if (each.from === WEATHER) await h.hear(bounce(each, "cancel", "service-unavailable"));
				else others.push(each.body);
				if (each.from === WEATHER) tries.push(second);
			}
			for (const ping of pings(sent)) await h.hear(pong(ping));
		}
		await h.clock.advance(10_000);
	}
	assert.equal(others.length, 24);
	assert.equal(new Set(others).size, 24);
	assert.ok(!outbox.kept.some(({ device }) => device === "pump-1"));
	assert.deepEqual(tries.map((at) => Math.round(at / 60)), [0, 0, 0, 0, 0, 1, 3, 7, 15, 31, 63, 123, 183]);
	assert.equal(c.isBehind(ALICE, "weather"), true);
	assert.equal(c.isBehind(ALICE, "pump-1"), false);
	await h.hear(`<presence type='probe' from='${ALICE}' to='${WEATHER}'/>`); // and is no longer blocked
	for (let sent = told(h.take()); sent.length > 0; sent = told(h.take())) for (const each of sent) await h.hear(receipt(each));
	assert.deepEqual(outbox.kept, []);
});

test("a thousand letters of a blocked device do not stand before those of others", async () => {
	const { h, courier: c, outbox } = desk();
	await c.post(letter("first"));
	await settle();
	await h.hear(bounce(told(h.take())[0]!, "cancel", "service-unavailable"));
	for (let n = 0; n < 2_100; n++) await outbox.post(letter(`n${n}`));
	await c.post(letter("of another", { device: "pump-1" }));
	await settle();
	assert.deepEqual(told(h.take()).map(({ body }) => body), ["of another"]);
});

test("when two devices come back, he is away: one stanza at a time asks for him; one of a third device asks soon", async () => {
	const { h, courier: c, outbox } = desk();
	const bounced: string[] = [];
	const refuse = async (): Promise<void> => {
		for (let sent = told(h.take()); sent.length > 0; sent = told(h.take())) for (const each of sent) {
			bounced.push(each.body);
			await h.hear(bounce(each, "cancel", "service-unavailable"));
		}
	};
	for (let n = 0; n < 4; n++) await c.post(letter(`n${n}`, { device: n % 2 === 0 ? "weather" : "pump-1" }));
	await settle();
	await refuse();
	bounced.length = 0;
	await h.clock.advance(59_000);
	await refuse();
	assert.deepEqual(bounced, []);
	await h.clock.advance(2_000);
	await refuse();
	assert.equal(bounced.length, 1);
	for (let minute = 0; minute < 60; minute++) {
		await h.clock.advance(60_000);
		await refuse();
	}
	const before = bounced.length;
	await c.post(letter("new", { device: "boiler", point: "temperature" }));
	await settle();
	await h.clock.advance(10_000);
	assert.deepEqual(told(h.sent).map(({ body }) => body), ["new"]);
	for (let sent = told(h.take()); sent.length > 0; sent = told(h.take())) for (const each of sent) await h.hear(receipt(each));
	await h.clock.advance(3_600_000);
	for (let sent = told(h.take()); sent.length > 0; sent = told(h.take())) for (const each of sent) await h.hear(receipt(each));
	assert.deepEqual([outbox.kept, before <= 5], [[], true]);
});

for (const type of [undefined, "probe"] as const) {
	test(`${type ?? "available"} presence ends the wait of letters; other kinds do not`, async () => {
		const { h, courier: c } = desk();
		await c.post(letter("x"));
		await settle();
		await h.hear(bounce(told(h.take())[0]!, "wait", "remote-server-timeout"));
		await h.clock.advance(30_000);
		h.take();
		for (const other of ["unavailable", "subscribe", "error"]) await h.hear(`<presence type='${other}' from='${ALICE}' to='${WEATHER}'/>`);
		assert.deepEqual(told(h.take()), []);
		await h.hear(`<presence${type === undefined ? "" : ` type='${type}'`} from='${ALICE}' to='${WEATHER}'/>`);
		assert.equal(told(h.take()).length, 1);
	});
}

// [how long after the ping it comes back, does the letter go again?]
for (const [minutes, isAgain] of [[1, true], [9, true], [11, false]] as const) {
	test(`a letter that comes back ${minutes} minutes after a ping has proven it ${isAgain ? "is written down again, and goes again with the same id" : "is believed to have arrived"}`, async () => {
		const { h, courier: c, outbox } = desk();
		const one = letter("alarm", { urgent: true, point: "temperature" });
		await c.post(one);
		await settle();
		const sent = h.take();
		await h.hear(pong(pings(sent)[0]!));
		assert.deepEqual(outbox.kept, []);
		await h.clock.advance(minutes * 60_000);
		if (isAgain) outbox.broken = true;
		await h.hear(bounce(told(sent)[0]!, "cancel", "service-unavailable"));
		outbox.broken = false;
		await h.clock.advance(5_000);
		assert.deepEqual(outbox.kept, isAgain ? [{ ...one, batch: told(sent)[0]!.id }] : []);
		await h.clock.advance(61_000);
		const again = told(h.take());
		assert.deepEqual(again.map(({ id }) => id), isAgain ? [told(sent)[0]!.id] : []);
		for (const each of again) await h.hear(receipt(each));
		assert.deepEqual(outbox.kept, []);
	});
}

test("a letter that comes back each time after a ping has proven it goes ever more seldom", async () => {
	const { h, courier: c } = desk();
	await c.post(letter("x"));
	await settle();
	const times: number[] = [];
	for (let second = 0; second < 1_000; second++) {
		for (let sent = h.take(); sent.length > 0; sent = h.take()) {
			for (const ping of pings(sent)) await h.hear(pong(ping));
			for (const each of told(sent)) await h.hear(bounce(each, "cancel", "service-unavailable"));
			if (told(sent).length > 0) times.push(second);
		}
		await h.clock.advance(1_000);
	}
	assert.deepEqual(times, [0, 60, 180, 420, 900]);
});

test("of a stanza that goes again, what he may no longer read is left out, and the rest goes with the same id", async () => {
	const { h, courier: c, outbox } = desk(undefined, { online: false });
	h.setRules([{ who: BOB, role: "viewer" }]);
	for (const [body, point] of [["t1", "temperature"], ["h1", "humidity"], ["t2", "temperature"]] as const) await c.post(letter(body, { to: BOB, point }));
	await h.connect();
	const [first] = told(h.take());
	h.disconnect();
	h.setRules([{ who: BOB, role: "viewer", points: { weather: ["temperature"] } }]);
	await h.connect();
	const [again, ...rest] = told(h.take());
	assert.deepEqual([again!.id, again!.body.split("\n").map((line) => line.split(": ").at(-1)), rest], [first!.id, ["t1", "t2"], []]);
	await h.hear(receipt(again!, BOB));
	assert.deepEqual([outbox.kept, c.counters().delivered, c.counters().givenUp], [[], 2, 1]);
});

test("a bounce that somebody else invents changes nothing", async () => {
	const { h, courier: c, outbox } = desk();
	await c.post(letter("x"));
	await settle();
	const [sent] = told(h.take());
	await h.hear(bounce({ ...sent!, to: "mallory@evil.example/x" }, "cancel", "gone"));
	await h.hear(bounce({ ...sent!, from: `pump-1@${DOMAIN}` }, "cancel", "gone"));
	assert.equal(outbox.kept.length, 1);
});

test("who cannot be reached is tried with one stanza, ever more seldom; his presence ends the wait", async () => {
	const { h, courier: c, outbox } = desk();
	for (let n = 0; n < 4; n++) {
		await c.post(letter(`n${n}`));
		await settle();
	}
	for (const each of told(h.take())) await h.hear(bounce(each, "wait", "remote-server-timeout"));
	for (const minutes of [1, 2, 4]) {
		await h.clock.advance(minutes * 60_000 - 1_000);
		assert.deepEqual(told(h.take()), []);
		await h.clock.advance(1_000);
		const tried = told(h.take());
		assert.equal(tried.length, 1);
		await h.hear(bounce(tried[0]!, "wait", "remote-server-timeout"));
		h.take();
	}
	await h.clock.advance(11_000);
	await h.hear(`<presence from='${ALICE}/phone' to='${WEATHER}'/>`);
	for (let rounds = 0; rounds < 6; rounds++) for (const each of told(h.take())) await h.hear(receipt(each));
	assert.deepEqual(outbox.kept, []);
});

test("when several letters of a device wait, ten or 6 kB ride in one stanza, each line with its time; devices are not mixed", async () => {
	const { h, courier: c, outbox } = desk(undefined, { online: false });
	for (let n = 0; n < 12; n++) {
		await c.post(letter(`n${n}`, { at: FAKE_START + n * 1_000 }));
		await c.post(letter(`m${n}`, { device: "pump-1" }));
	}
	for (let n = 0; n < 3; n++) await c.post(letter("k".repeat(2_500), { device: "boiler" }));
	assert.deepEqual(h.take(), []);
	await h.connect();
	const sent = told(h.take());
	assert.deepEqual(sent.map(({ from, body }) => [from.split("@")[0], body.split("\n").length]), [["weather", 10], ["pump-1", 10], ["weather", 2], ["pump-1", 2], ["boiler", 2], ["boiler", 1]]);
	assert.ok(sent[0]!.body.startsWith("2026-01-01 00:00:00 UTC: n0\n2026-01-01 00:00:01 UTC: n1\n"), sent[0]!.body);
	assert.equal(new Set(outbox.kept.map(({ batch }) => batch)).size, 6);
});

test("oldest first, urgent ones ahead, alone, and even when the window is full", async () => {
	const { h, courier: c } = desk(undefined, { online: false });
	await c.post(letter("old"));
	await c.post(letter("alarm", { urgent: true }));
	await c.post(letter("older alarm", { urgent: true, device: "pump-1" }));
	await h.connect();
	assert.deepEqual(told(h.take()).map(({ body }) => body), ["alarm", "older alarm", "old"]);
	for (let n = 0; n < 40; n++) {
		await c.post(letter(`n${n}`));
		await settle();
	}
	assert.equal(told(h.take()).length, 17, "the first window is 20");
	await c.post(letter("fire", { urgent: true }));
	await settle();
	assert.deepEqual(told(h.take()).map(({ body }) => body), ["fire"]);
});

test("kill -9 between writing down which stanza a letter rides in and sending it: the next one sends that stanza", async () => {
	const outbox = new MemoryOutbox();
	const first = desk(outbox);
	first.h.room = false; // it was about to leave
	await first.courier.post(letter("x"));
	await settle();
	const { batch } = outbox.kept[0]!;
	assert.ok(batch);
	assert.deepEqual(first.h.sent, []);
	const second = desk(outbox, { online: false });
	await second.courier.post(letter("y"));
	await second.h.connect();
	const sent = told(second.h.take());
	assert.deepEqual(sent.map(({ id, body }) => [id === batch, body]), [[true, "x"], [false, "y"]]);
	for (const each of sent) await second.h.hear(receipt(each));
	assert.deepEqual(outbox.kept, []);
});

test("kill -9 after sending: the same stanza, id and body, comes again after the start, and once more per connection until it is acknowledged", async () => {
	const outbox = new MemoryOutbox();
	const first = desk(outbox, { online: false });
	for (let n = 0; n < 3; n++) await first.courier.post(letter(`n${n}`));
	await first.h.connect();
	const [sent] = told(first.h.take());
	const second = desk(outbox, { online: false });
	for (let connection = 0; connection < 2; connection++) {
		await second.h.connect();
		const again = told(second.h.take());
		assert.deepEqual(again.map(({ id, body }) => [id, body]), [[sent!.id, sent!.body]]);
		second.h.disconnect();
	}
});

test("while the uplink is down nothing is said, and nothing is kept in memory", async () => {
	const { h, courier: c, outbox } = desk(undefined, { online: false });
	for (let n = 0; n < 50; n++) await c.post(letter(`n${n}`));
	await h.clock.advance(3_600_000);
	assert.deepEqual([h.sent, outbox.mostRead, h.clock.pending], [[], 0, 0]);
});

test("when the stream has no room, it is asked again, and nothing is lost", async () => {
	const { h, courier: c, outbox } = desk();
	h.room = false;
	await c.post(letter("x"));
	await settle();
	assert.deepEqual(h.sent, []);
	h.room = true;
	await h.clock.advance(500);
	const [sent] = told(h.take());
	await h.hear(receipt(sent!));
	assert.deepEqual(outbox.kept, []);
	assert.equal(c.counters().repeated, 0);
});

test("a letter about what he may no longer read is discarded unsent: a point, a device, after a restart too", async () => {
	const outbox = new MemoryOutbox();
	const { h, courier: c } = desk(outbox, { online: false });
	await c.post(letter("t", { point: "temperature", id: letterId("temperature", 1), to: BOB }));
	await c.post(letter("h", { point: "humidity", id: letterId("humidity", 1), to: BOB }));
	await c.post(letter("p", { id: letterId("", 1), to: BOB, device: "pump-1" }));
	await c.post(letter("gone", { point: "flow", id: letterId("flow", 1), device: "removed-device" }));
	await h.connect();
	assert.deepEqual(told(h.take()).map(({ body }) => body).sort(), ["gone", "t"]); // what a device that is gone has said is still news
	assert.deepEqual(outbox.kept.map(({ body }) => body).sort(), ["gone", "t"]);
	assert.equal(c.counters().givenUp, 2);
	h.disconnect();
	h.setRules([]);
	await h.connect();
	await h.clock.advance(1_000);
	assert.deepEqual([told(h.take()), outbox.kept], [[], []]);
});

test("while the store fails nothing is sent that is not written down, and it goes on by itself", async () => {
	const outbox = new MemoryOutbox();
	const { h, courier: c } = desk(outbox, { online: false });
	await c.post(letter("x"));
	outbox.broken = true;
	await assert.rejects(c.post(letter("y")), /disk is full/);
	await h.connect();
	await h.clock.advance(60_000);
	assert.deepEqual(h.take(), []);
	outbox.broken = false;
	await h.clock.advance(5_000);
	const [sent] = told(h.take());
	assert.equal(sent!.body, "x");
	outbox.broken = true;
	await h.hear(receipt(sent!)); // delivered, and the disk does not take it
	outbox.broken = false;
	await h.clock.advance(60_000);
	assert.deepEqual([outbox.kept, told(h.take())], [[], []]);
});

test("a thousand letters to a receiver who acknowledges slowly: in order, a bounded number at once, read in pages", async () => {
	const outbox = new MemoryOutbox();
	const { h, courier: c } = desk(outbox, { online: false });
	const devices = Object.fromEntries(Array.from({ length: 5 }, (_, n) => [`d${n}`, { flow: { kind: "numeric", access: "r" } as const }]));
	for (const [id, points] of Object.entries(devices)) await h.announce(id, points);
	for (let n = 0; n < 1_000; n++) await c.post(letter(`n${n}`, { device: `d${n % 5}`, at: FAKE_START + n }));
	await h.connect();
	const heard = new Map<string, number[]>();
	const under: Told[] = [];
	let most = 0;
	for (let second = 0; second < 200 && outbox.kept.length > 0; second++) {
		under.push(...told(h.take()));
		most = Math.max(most, under.length);
		for (const each of under.splice(0, 2)) { // two receipts a second
			for (const line of each.body.split("\n")) heard.set(each.from, [...(heard.get(each.from) ?? []), Number(line.split(": n").at(-1))]);
			await h.hear(receipt(each));
		}
		await h.clock.advance(1_000);
	}
	assert.deepEqual(outbox.kept, []);
	assert.equal(c.counters().delivered, 1_000);
	assert.equal(c.counters().repeated, 0);
	for (const numbers of heard.values()) assert.deepEqual(numbers, [...numbers].sort((a, b) => a - b));
	assert.equal([...heard.values()].flat().length, 1_000);
	assert.ok(most >= 20 && most <= 100, `${most} at once`);
	assert.ok(outbox.mostRead <= 266 * 10, `${outbox.mostRead} read at once`);
});

test("a thousand letters to a receiver without receipts: proven by one ping at a time, never more than the window before its answer", async () => {
	const outbox = new MemoryOutbox();
	const { h, courier: c } = desk(outbox, { online: false });
	for (let n = 0; n < 1_000; n++) await c.post(letter(`n${n}`, { device: "weather", urgent: n % 7 === 0, at: FAKE_START + n }));
	for (let n = 0; n < 300; n++) await c.post(letter("k".repeat(6_000)));
	await h.connect();
	let asked = 0;
	for (let rounds = 0; rounds < 100 && outbox.kept.length > 0; rounds++) {
		const sent = h.take();
		assert.ok(told(sent).length <= 266, `${told(sent).length} at once`);
		const open = pings(sent);
		assert.equal(open.length, 1);
		asked++;
		await h.clock.advance(300);
		await h.hear(pong(open[0]!));
	}
	assert.deepEqual(outbox.kept, []);
	assert.deepEqual([c.counters().delivered, c.counters().repeated], [1_300, 0]);
	assert.ok(asked < 12, `${asked} pings`);
});

test("a clock that is set back does not stop the repetitions", async () => {
	const { h, courier: c } = await withReceipts();
	await c.post(letter("x"));
	await settle();
	h.take();
	h.clock.jump(-86_400_000);
	await h.clock.advance(121_000);
	assert.equal(told(h.take()).length, 1);
});

for (const seed of [1, 2, 3, 4]) {
	test(`no letter is lost and none is told twice, by id, under crashes, lost connections, slow receipts and a stream without room (seed ${seed})`, async () => {
		const chance = new Chance(seed);
		const outbox = new MemoryOutbox();
		const posted: string[] = [];
		const seen = new Map<string, string>(); // stanza id → body: the receiver tells by it that he has this one
		const lines: string[] = [];
		let { h, courier: c } = desk(outbox);
		let receipts: Told[] = [];
		const take = (isWorking: boolean): void => {
			for (const stanza of h.take()) {
				if (pings([stanza]).length > 0) {
					if (isWorking && chance.int(3) > 0) h.receive(pong(stanza));
					continue;
				}
				const [heard] = told([stanza]);
				if (!heard || !isWorking) continue; // lost on its way
				const before = seen.get(heard.id);
				if (before === undefined) lines.push(...heard.body.split("\n").map((line) => line.split(": ").at(-1)!));
				else assert.equal(heard.body, before, "a repetition is the same");
				seen.set(heard.id, heard.body);
				receipts.push(heard);
			}
		};
		for (let step = 0; step < 400; step++) {
			for (let n = chance.int(4); n > 0; n--) {
				const body = `n${posted.length}`;
				posted.push(body);
				await c.post(letter(body, { device: chance.pick(["weather", "pump-1"]), urgent: chance.int(10) === 0, at: h.clock.now() }));
			}
			switch (chance.int(12)) {
				case 0: // the stream is lost, with what was on its way
					take(chance.int(2) === 0);
					receipts = [];
					h.disconnect();
					await h.clock.advance(chance.int(90_000));
					await h.connect();
					break;
				case 1: { // kill -9
					take(chance.int(2) === 0);
					receipts = [];
					h.disconnect();
					({ h, courier: c } = desk(outbox, { online: false }));
					await h.connect();
					break;
				}
				case 2: h.room = !h.room; break;
				default: await h.clock.advance(chance.int(30_000));
			}
			if (chance.int(6) > 0) await settle(); // else what was begun is still under way
			take(true);
			receipts = receipts.filter((each) => {
				if (chance.int(3) === 0) return true; // later
				if (chance.int(8) > 0) h.receive(receipt(each)); // else the receipt is lost
				return false;
			});
		}
		h.room = true;
		for (let hour = 0; hour < 60 && outbox.kept.length > 0; hour++) {
			await settle();
			take(true);
			for (const each of receipts.splice(0)) await h.hear(receipt(each));
			await h.clock.advance(120_000);
		}
		assert.deepEqual(outbox.kept, []);
		assert.deepEqual([...lines].sort(), [...posted].sort());
	});
}
