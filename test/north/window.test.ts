import assert from "node:assert/strict";
import { test } from "node:test";
import { GONE_AFTER, PINGS_OF_ALL, PINGS_OF_ONE, SLOW_AFTER, WINDOW, Windows } from "../../src/north/window.js";
import { parseStanza } from "../../src/xmpp/parser.js";
import { xml } from "../../src/xmpp/xml.js";
import { settle } from "../fakes/clock.js";
import { DOMAIN, harness, type Harness } from "./harness.js";

const HIM = "alice@example.org/pc";
const US = `weather@${DOMAIN}/thing`;

interface Bench extends Harness {
	readonly windows: Windows;
	/** Those who were found to be gone. */
	readonly gone: string[];
	/** Answer the ping that waits. */
	answer(payload?: string): Promise<void>;
	pings(): number;
}

function bench(): Bench {
	const made: { windows?: Windows } = {};
	const h = harness((verbs) => {
		const windows = (made.windows = new Windows(verbs));
		return [{ connected: () => windows.connected() }];
	});
	const windows = made.windows!;
	const gone: string[] = [];
	windows.onGone((jid) => gone.push(jid));
	let answered = 0;
	return Object.assign(h, {
		windows, gone,
		pings: () => h.sent.filter((text) => text.includes("urn:xmpp:ping")).length,
		async answer(condition?: string) {
			const ping = h.sent.filter((text) => text.includes("urn:xmpp:ping"))[answered++];
			const id = /id='([^']+)'/.exec(ping ?? "")?.[1];
			assert.ok(id !== undefined, "there is a ping to answer");
			const error = condition === undefined ? "" : `<error type='cancel'><${condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>`;
			await h.hear(`<iq type='${condition === undefined ? "result" : "error"}' id='${id}' from='${HIM}' to='${US}'>${error}</iq>`);
		},
	});
}

test("a receiver of whom nothing is known has the whole window, and asking costs nothing", () => {
	const h = bench();
	assert.equal(h.windows.to(HIM).room, WINDOW);
	assert.equal(h.windows.outstanding(HIM), 0);
	assert.equal(h.clock.pending, 0);
});

test("a ping leaves with the hundredth stanza, from the address that sent it, and only one at a time", async () => {
	const h = bench();
	const window = h.windows.to(HIM);
	for (let count = 0; count < 99; count++) window.sent(US);
	assert.equal(h.pings(), 0);
	for (let count = 0; count < 300; count++) window.sent(US);
	assert.equal(h.pings(), 1);
	assert.match(h.sent[0]!, new RegExp(`<iq type='get' from='${US}' to='${HIM}' id='[^']+'><ping xmlns='urn:xmpp:ping'/></iq>`));
	assert.equal(window.room, WINDOW - 399);
	await h.answer();
	assert.equal(h.windows.outstanding(HIM), 299, "it closes what was sent before it");
	assert.equal(h.pings(), 2);
	await h.answer();
	assert.equal(h.windows.outstanding(HIM), 0);
	assert.equal(h.clock.pending, 0);
});

test("one stanza alone is asked after within half a minute", async () => {
	const h = bench();
	h.windows.to(HIM).sent(US);
	await h.clock.advance(29_999);
	assert.equal(h.pings(), 0);
	await h.clock.advance(1);
	assert.equal(h.pings(), 1);
	await h.answer();
	await h.clock.advance(3_600_000);
	assert.equal(h.pings(), 1, "nothing on its way: nothing is asked");
});

test("a full window has no room; who waits has his turn when the ping is answered, as far as it goes", async () => {
	const h = bench();
	const window = h.windows.to(HIM);
	window.sent(US, WINDOW);
	assert.equal(window.room, 0);
	const turns: number[] = [];
	for (let count = 0; count < 3; count++) {
		window.whenRoom(() => {
			turns.push(count);
			window.sent(US, WINDOW / 2);
		});
	}
	const cancel = window.whenRoom(() => turns.push(99));
	cancel();
	await settle();
	assert.deepEqual(turns, []);
	await h.answer();
	assert.deepEqual(turns, [0, 1]);
	await h.answer();
	assert.deepEqual(turns, [0, 1, 2]);
});

test("a client that knows no ping has answered all the same", async () => {
	for (const condition of ["feature-not-implemented", "service-unavailable", "forbidden", "not-allowed", "policy-violation"]) {
		const h = bench();
		h.windows.to(HIM).sent(US, WINDOW);
		await h.answer(condition);
		assert.equal(h.windows.outstanding(HIM), 0, condition);
		assert.deepEqual(h.gone, []);
	}
});

test("who is not found, or has answered pings and now his server answers for him, is gone", async () => {
	for (const condition of ["recipient-unavailable", "remote-server-not-found", "remote-server-timeout", "item-not-found", "gone", "jid-malformed"]) {
		const h = bench();
		h.windows.to(HIM).sent(US, 100);
		await h.answer(condition);
		assert.deepEqual(h.gone, [HIM], condition);
		assert.equal(h.windows.to(HIM).room, WINDOW, "and nothing is on its way");
		assert.equal(h.clock.pending, 0);
	}
	const h = bench();
	h.windows.to(HIM).sent(US, 100);
	await h.answer();
	h.windows.to(HIM).sent(US, 100);
	await h.answer("service-unavailable");
	assert.deepEqual(h.gone, [HIM]);
});

test("who does not answer is slow after half a minute, gets nothing, and is believed again when he answers", async () => {
	const h = bench();
	const window = h.windows.to(HIM);
	window.sent(US, 100);
	await h.clock.advance(SLOW_AFTER - 1);
	assert.equal(window.room, WINDOW - 100);
	await h.clock.advance(1);
	assert.equal(window.room, 0);
	let turns = 0;
	window.whenRoom(() => turns++);
	assert.equal(h.pings(), 2);
	await h.hear(`<iq type='result' id='ask-2' from='${HIM}' to='${US}'/>`);
	assert.equal(turns, 1);
	assert.equal(window.room, WINDOW);
	assert.deepEqual(h.gone, []);
});

test("who answers nothing for ten minutes is gone, after few pings", async () => {
	const h = bench();
	h.windows.to(HIM).sent(US, 100);
	await h.clock.advance(GONE_AFTER - 1);
	assert.deepEqual(h.gone, []);
	await h.clock.advance(1);
	assert.deepEqual(h.gone, [HIM]);
	assert.ok(h.pings() <= 6, `${h.pings()}`);
	assert.equal(h.clock.pending, 0);
	assert.equal(h.windows.outstanding(HIM), 0);
});

test("while the stream is down nobody is blamed: the ping is tried again", async () => {
	const h = bench();
	h.disconnect();
	h.windows.to(HIM).sent(US, 100);
	await h.clock.advance(20 * 60_000);
	assert.deepEqual(h.gone, []);
	await h.connect();
	await h.clock.advance(5_000);
	assert.equal(h.pings(), 1);
	await h.answer();
	assert.equal(h.windows.outstanding(HIM), 0);
});

test("a receipt closes the window as a ping does", async () => {
	const h = bench();
	const window = h.windows.to(HIM);
	window.sent(US, WINDOW);
	let turns = 0;
	window.whenRoom(() => turns++);
	h.windows.received(HIM);
	assert.equal(turns, 1);
	assert.equal(window.room, WINDOW);
	await h.answer();
	assert.equal(h.clock.pending, 0);
});

test("what is remembered is bounded: an idle receiver is forgotten before a busy one", async () => {
	const h = bench();
	h.windows.to("busy@example.org/x").sent(US, 7);
	h.windows.to(HIM).sent(US);
	h.windows.received(HIM);
	h.windows.to(HIM).sent(US);
	h.windows.received(HIM);
	for (let count = 0; count < 19_999; count++) h.windows.to(`u${count}@example.org/x`).sent(US);
	assert.equal(h.windows.outstanding("u19998@example.org/x"), 1);
	assert.equal(h.windows.outstanding("busy@example.org/x"), 7);
	h.windows.to("one@example.org/more").sent(US);
	assert.equal(h.windows.outstanding("busy@example.org/x"), 0, "of busy ones only the oldest is left");
	assert.equal(h.clock.pending, 20_000);
});

/** Those who are asked by these stanzas. */
function asked(said: readonly string[]): string[] {
	return said.filter((text) => text.includes("urn:xmpp:ping")).map((text) => / to='([^']+)'/.exec(text)![1]!);
}

test("one account has few pings open, the clients of others are asked all the same", async () => {
	const h = bench();
	for (let count = 0; count < 1_001; count++) h.windows.to(`eve@evil.example/r${count}`).sent(US);
	await h.clock.advance(30_000);
	assert.equal(h.requests.size, PINGS_OF_ONE / 2);
	await h.clock.advance(30_000);
	assert.equal(h.requests.size, PINGS_OF_ONE);
	h.take();
	h.windows.to(HIM).sent(US, 100);
	assert.deepEqual(asked(h.sent), [HIM]);
	await h.clock.advance(3_600_000);
	assert.ok(h.requests.size <= PINGS_OF_ONE + 1, `${h.requests.size}`);
	assert.ok(h.gone.includes("eve@evil.example/r0"), "her silent ones are found out, one after the other");
});

test("all accounts together have so many pings open; who answers does not wait for those who never do", async () => {
	const h = bench();
	for (let count = 0; count < 600; count++) h.windows.to(`u${count}@crowd.example/x`).sent(US, 100);
	assert.equal(h.requests.size, PINGS_OF_ALL / 2);
	let most = 0;
	for (let second = 0; second < 240; second++) {
		await h.clock.advance(1_000);
		most = Math.max(most, h.requests.size);
	}
	assert.equal(most, PINGS_OF_ALL);
	h.take();
	h.windows.to(HIM).sent(US, 100);
	await h.clock.advance(SLOW_AFTER);
	assert.ok(asked(h.sent).includes(HIM));
});

test("a turn that is not needed any more is free: of who is gone, and of who is forgotten", async () => {
	const h = bench();
	const jids = ["a", "b", "c"].map((name) => `alice@example.org/${name}`);
	for (const jid of jids) h.windows.to(jid).sent(US, 100);
	assert.deepEqual(asked(h.take()), jids.slice(0, 2));
	h.windows.gone(jids[0]!);
	assert.deepEqual(asked(h.take()), [jids[2]!]);
	await settle();
	assert.equal(h.requests.size, 2);
});

test("too many questions of our own are no silence of his: he is neither slow nor gone, and asked again", async () => {
	const h = bench();
	const open = Array.from({ length: 1_000 }, (_, index) => h.requests.ask({ type: "get", from: US, to: `u${index}@elsewhere.example`, payload: xml("x") }, { timeoutMs: 20 * 60_000, reserved: true }).catch(() => {}));
	h.windows.to(HIM).sent(US, 100);
	h.windows.to("alice@example.org/phone").sent(US, 100);
	await h.clock.advance(15 * 60_000);
	assert.deepEqual(h.gone, []);
	assert.equal(h.windows.to(HIM).room, WINDOW - 100);
	h.take();
	await h.clock.advance(5 * 60_000 + 5_000);
	assert.deepEqual(asked(h.sent).sort(), [HIM, "alice@example.org/phone"].sort());
	await Promise.all(open);
});

test("while the stream is down nothing is asked again until it is back, then everybody in turn", async () => {
	let attempts = 0;
	const h = bench();
	const ask = h.verbs.ask;
	Object.assign(h.verbs, { ask: (...args: Parameters<typeof ask>) => (attempts++, ask(...args)) });
	h.disconnect();
	const jids = Array.from({ length: 500 }, (_, index) => `u${index}@example.org/x`);
	for (const jid of jids) h.windows.to(jid).sent(US);
	await h.clock.advance(3_600_000);
	assert.equal(attempts, 500, "each once");
	await h.connect();
	for (let round = 0; round < 10 && h.requests.size > 0; round++) {
		for (const text of h.take()) {
			const { from, to, id } = parseStanza(text).attrs;
			await h.hear(`<iq type='result' id='${id}' from='${to}' to='${from}'/>`);
		}
	}
	for (const jid of jids) assert.equal(h.windows.outstanding(jid), 0, jid);
	assert.equal(attempts, 1_000);
	h.windows.to(HIM).sent(US, 100);
	h.disconnect();
	await h.connect();
	assert.equal(asked(h.take()).filter((jid) => jid === HIM).length, 2, "the stream went and came between a question and its end");
});

test("what somebody else says of him leaves what is on its way: he has no new window by that", async () => {
	const h = bench();
	h.windows.to(HIM).sent(US, WINDOW);
	h.windows.gone(HIM);
	assert.deepEqual(h.gone, [HIM]);
	assert.equal(h.windows.to(HIM).room, 0);
	assert.equal(h.clock.pending, 0, "nothing is asked of who is gone");
	let turns = 0;
	h.windows.to(HIM).whenRoom(() => turns++);
	await h.answer();
	await h.answer();
	assert.equal(turns, 1);
	assert.equal(h.windows.to(HIM).room, WINDOW);
});

test("who waits for a receiver that is forgotten has his turn", async () => {
	const h = bench();
	const window = h.windows.to(HIM);
	window.sent(US, WINDOW);
	let turns = 0;
	window.whenRoom(() => turns++);
	window.whenRoom(() => turns++)();
	for (let count = 0; count < 20_000; count++) h.windows.to(`u${count}@example.org/x`).sent(US);
	await h.clock.advance(0);
	assert.equal(turns, 1);
	const before = h.windows.to("new@example.org/x").sent(US);
	assert.ok(before > WINDOW, "the number of a stanza comes only once");
});
