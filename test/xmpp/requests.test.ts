import assert from "node:assert/strict";
import { test } from "node:test";
import { RequestError, Requests } from "../../src/xmpp/requests.js";
import { parseStanza } from "../../src/xmpp/parser.js";
import { xml } from "../../src/xmpp/xml.js";
import { FakeClock } from "../fakes/clock.js";

const question = { type: "get", from: "pump@gw.plant.example/thing", to: "Ops@corp.example/pc", payload: xml("query", { xmlns: "http://jabber.org/protocol/disco#info" }) } as const;

function setUp(limit?: number) {
	const clock = new FakeClock();
	const sent: string[] = [];
	let ids = 0;
	const line = { online: true };
	const requests = new Requests({
		clock,
		send: (stanza) => {
			if (line.online) sent.push(stanza.toString());
			return line.online;
		},
		newId: () => `q${++ids}`,
		...(limit !== undefined && { limit }),
	});
	return { clock, sent, requests, line };
}

const refusal = (condition: string) => (error: unknown): boolean => error instanceof RequestError && error.condition === condition && error.message.startsWith("Cannot ask");

test("ask() sends the question and gives the result of the address that was asked", async () => {
	const { sent, requests, clock } = setUp();
	const asking = requests.ask(question);
	assert.deepEqual(sent, ["<iq type='get' from='pump@gw.plant.example/thing' to='Ops@corp.example/pc' id='q1'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>"]);
	const answer = parseStanza("<iq type='result' id='q1' from='ops@corp.example/pc' to='pump@gw.plant.example/thing'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>");
	assert.equal(requests.take(answer), true);
	assert.equal(await asking, answer);
	assert.equal(requests.take(answer), false, "a second answer is nobody's");
	assert.equal(requests.size, 0);
	assert.equal(clock.pending, 0);
});

/** [what, stanza]: none of them answers the question with id q1 */
const STRANGERS = [
	["another domain", "<iq type='result' id='q1' from='ops@evil.example/pc' to='pump@gw.plant.example/thing'/>"],
	["another resource", "<iq type='result' id='q1' from='ops@corp.example/other' to='pump@gw.plant.example/thing'/>"],
	["the bare JID", "<iq type='result' id='q1' from='ops@corp.example' to='pump@gw.plant.example/thing'/>"],
	["the server", "<iq type='error' id='q1' from='corp.example' to='pump@gw.plant.example/thing'><error type='cancel'/></iq>"],
	["nobody", "<iq type='result' id='q1' to='pump@gw.plant.example/thing'/>"],
	["the right address, to another device", "<iq type='result' id='q1' from='ops@corp.example/pc' to='valve@gw.plant.example/thing'/>"],
	["the right address, with another id", "<iq type='result' id='q2' from='ops@corp.example/pc' to='pump@gw.plant.example/thing'/>"],
	["the right address, asking", "<iq type='get' id='q1' from='ops@corp.example/pc' to='pump@gw.plant.example/thing'/>"],
	["the right address, as a message", "<message type='error' id='q1' from='ops@corp.example/pc' to='pump@gw.plant.example/thing'/>"],
] as const;

for (const [what, text] of STRANGERS) {
	test(`take() does not take an answer from ${what}`, async () => {
		const { requests, clock } = setUp();
		const asking = requests.ask(question, { timeoutMs: 1000 });
		assert.equal(requests.take(parseStanza(text)), false);
		assert.equal(requests.size, 1);
		await Promise.all([assert.rejects(asking, refusal("remote-server-timeout")), clock.advance(1000)]);
	});
}

test("ask() rejects with the condition of an error stanza", async () => {
	const { requests } = setUp();
	const asking = requests.ask(question);
	requests.take(parseStanza("<iq type='error' id='q1' from='ops@corp.example/pc' to='pump@gw.plant.example/thing'><error type='auth'><forbidden xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"));
	await assert.rejects(asking, (error) => refusal("forbidden")(error) && error instanceof RequestError && error.type === "auth" && error.answer?.name === "iq");
});

test("ask() gives up at its deadline and not before", async () => {
	const { requests, clock } = setUp();
	const asking = requests.ask(question);
	await clock.advance(29_999);
	assert.equal(requests.size, 1);
	await Promise.all([assert.rejects(asking, refusal("remote-server-timeout")), clock.advance(1)]);
	assert.equal(requests.size, 0);
});

test("ask() while offline rejects at once and keeps nothing", async () => {
	const { requests, line, clock } = setUp();
	line.online = false;
	await assert.rejects(requests.ask(question), refusal("recipient-unavailable"));
	assert.deepEqual([requests.size, clock.pending], [0, 0]);
});

test("ask() refuses more questions than the limit", async () => {
	const { requests } = setUp(2);
	const two = [requests.ask(question), requests.ask(question)];
	await assert.rejects(requests.ask(question), refusal("resource-constraint"));
	const failed = Promise.all(two.map((asking) => assert.rejects(asking, refusal("recipient-unavailable"))));
	requests.failAll("the stream was lost");
	await failed;
	assert.equal(requests.size, 0);
});

test("ask() ends when its signal aborts, and before it sends if that was earlier", async () => {
	const { requests, sent, clock } = setUp();
	const stop = new AbortController();
	const asking = requests.ask(question, { signal: stop.signal });
	stop.abort();
	await assert.rejects(asking, refusal("undefined-condition"));
	await assert.rejects(requests.ask(question, { signal: stop.signal }), refusal("undefined-condition"));
	assert.deepEqual([sent.length, clock.pending], [1, 0]);
});

test("a fifth of the questions is kept for those that ask for it", async () => {
	const { requests } = setUp(10);
	const refused = async (reserved: boolean): Promise<void> => assert.rejects(requests.ask(question, { reserved }), refusal("resource-constraint"));
	const open = Array.from({ length: 8 }, () => requests.ask(question));
	await refused(false);
	for (let count = 0; count < 2; count++) open.push(requests.ask(question, { reserved: true }));
	await refused(true);
	const failed = Promise.all(open.map((asking) => assert.rejects(asking, refusal("recipient-unavailable"))));
	requests.failAll("the stream was lost");
	await failed;
});
