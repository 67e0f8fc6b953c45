import assert from "node:assert/strict";
import { test } from "node:test";
import type { Outcome } from "../../../src/core/command.js";
import { GatewayError } from "../../../src/core/errors.js";
import { numericFromText, textOf } from "../../../src/core/value.js";
import type { Points } from "../../../src/core/point.js";
import { chat } from "../../../src/north/chat/chat.js";
import type { OwnWatches } from "../../../src/north/watches.js";
import { DOMAIN, harness, type HarnessOptions } from "../harness.js";

const ALICE = "alice@example.org/phone";
const BOB = "bob@partner.example/desk";

function talk(options: HarnessOptions = {}) {
	let ids = 0;
	return harness((verbs) => [chat(verbs, { newId: () => `n${++ids}` })], options);
}

function message(from: string, to: string, body: string, more = "", attrs = "type='chat' id='m1'"): string {
	return `<message from='${from}' to='${to}' ${attrs}><body>${body}</body>${more}</message>`;
}

const at = (id: string) => `${id}@${DOMAIN}`;
const bodies = (sent: readonly string[]) => sent.flatMap((stanza) => /<body>(.*?)<\/body>/s.exec(stanza)?.[1] ?? []);

/** A device that obeys after `ms`. */
function obedient(h: { clock: { now(): number; after(ms: number, run: () => void): () => void } }, ms: number) {
	return (value: { value: Parameters<typeof textOf>[0]; point: string }): Promise<Outcome> => new Promise((resolve) => {
		h.clock.after(ms, () => resolve({ kind: "confirmed", reading: { point: value.point, value: value.value, at: h.clock.now(), received: h.clock.now(), quality: "good" } }));
	});
}

test("read answers with digits, unit and age, from the address that was asked, to the resource that asked", async () => {
	const h = talk();
	await h.report("weather", { temperature: "21.50", humidity: "45" });
	await h.clock.advance(12_000);
	assert.deepEqual(await h.ask(message(ALICE, at("weather"), "read temperature", "<thread>t1</thread>")), [`<message from='weather@${DOMAIN}' to='${ALICE}' type='chat' id='n1'><body>temperature: 21.50 °C (12 s ago)</body><thread>t1</thread></message>`]);
	assert.deepEqual(bodies(await h.ask(message(ALICE, `${at("weather")}/thing`, "?", "", "type='chat' id='m2'"))), ["temperature: 21.50 °C (12 s ago)\nhumidity: 45 %RH (12 s ago)"]);
});

test("a value of a device that is away never looks fresh", async () => {
	const h = talk();
	await h.report("weather", { temperature: "21.50" });
	await h.state("weather", "offline", "last will");
	assert.deepEqual(bodies(await h.ask(message(ALICE, at("weather"), "temperature?"))), ["Weather is offline; this is what it said last:\ntemperature: 21.50 °C (0 s ago)".replace("Weather", "weather")]);
});

test("a viewer of one point finds no other in any answer, and an invisible point reads like one that does not exist", async () => {
	const h = talk();
	await h.report("weather", { temperature: "21.50", humidity: "45" });
	for (const typed of ["read", "status", "help", "?"]) {
		const [answer = ""] = bodies(await h.ask(message(BOB, at("weather"), typed, "", `type='chat' id='${typed}'`)));
		assert.ok(answer.includes("temperature") && !answer.includes("humidity") && !answer.includes("45"), answer);
	}
	const [hidden = ""] = bodies(await h.ask(message(BOB, at("weather"), "read humidity", "", "type='chat' id='h'")));
	const [absent = ""] = bodies(await h.ask(message(BOB, at("weather"), "read humidita", "", "type='chat' id='a'")));
	assert.equal(hidden.replace("humidity", "X"), absent.replace("humidita", "X"));
});

test("set is confirmed in one message when the device is quick", async () => {
	const h = talk({ execute: (command) => obedient(h, 200)(command) });
	await h.hear(message(ALICE, at("pump-1"), "set speed 50 %"));
	assert.deepEqual(h.take(), []);
	await h.clock.advance(200);
	assert.deepEqual(bodies(h.take()), ["✓ speed is 50 %"]);
	assert.deepEqual(h.commands, [{ device: "pump-1", point: "speed", value: numericFromText("50"), by: "alice@example.org" }]);
});

test("set that takes longer is told as pending, and that message is corrected (XEP-0308)", async () => {
	const h = talk({ execute: (command) => obedient(h, 4_000)(command) });
	await h.hear(message(ALICE, at("pump-1"), "speed := 50"));
	await h.clock.advance(4_000);
	assert.deepEqual(h.take(), [
		`<message from='pump-1@${DOMAIN}' to='${ALICE}' type='chat' id='n1'><body>setting speed to 50 % …</body></message>`,
		`<message from='pump-1@${DOMAIN}' to='${ALICE}' type='chat' id='n2'><body>✓ speed is 50 %</body><replace xmlns='urn:xmpp:message-correct:0' id='n1'/></message>`,
	]);
});

test("set to a device that does not report the point says sent, and a timeout says why", async () => {
	const sent = talk();
	assert.deepEqual(bodies(await sent.ask(message(ALICE, at("pump-1"), "set running on"))), ["running: on sent; this device does not report it"]);
	const silent = talk({ execute: async () => { throw new GatewayError("device-timeout", "Cannot confirm \"speed\" of pump-1: no reading said 50 within 10 s"); } });
	assert.deepEqual(bodies(await silent.ask(message(ALICE, at("pump-1"), "set speed 50"))), ["✗ Cannot confirm &quot;speed&quot; of pump-1: no reading said 50 within 10 s"]);
});

// [what, who, what was typed, what is said]
const REFUSALS = [
	["out of range", ALICE, "set speed 200", /Cannot use &quot;200&quot; for &quot;speed&quot;: it takes 0 to 100 %/],
	["of another kind", ALICE, "set running maybe", /takes on or off/],
	["without a value", ALICE, "set speed", /the value is missing/],
	["of a read-only point", ALICE, "set flow 3", /&quot;flow&quot;: it is read-only/],
	["of an unknown point", ALICE, "set spede 3", /no such point; did you mean &quot;speed&quot;\?/],
	["in a word that is not known", ALICE, "sett speed 50", /I do not understand &quot;sett speed 50&quot;; did you mean &quot;set&quot;\? Type &quot;help&quot;/],
	["as a bare point name", ALICE, "speed", /did you mean &quot;read speed&quot; or &quot;set speed VALUE&quot;\?/],
] as const;
for (const [what, who, typed, says] of REFUSALS) {
	test(`a wish ${what} is answered and executes nothing`, async () => {
		const h = talk();
		const [answer = ""] = bodies(await h.ask(message(who, at("pump-1"), typed)));
		assert.match(answer, says);
		assert.deepEqual(h.commands, []);
	});
}

test("a viewer who sets is told so, and nothing is executed", async () => {
	const h = talk({ access: [{ who: "bob@partner.example", role: "viewer" }] });
	assert.deepEqual(bodies(await h.ask(message(BOB, at("pump-1"), "set speed 50"))), ["Cannot set &quot;speed&quot;: you may read pump-1, not command it"]);
	assert.deepEqual(h.commands, []);
});

test("strangers hear nothing: no answer and no receipt, whatever they write to", async () => {
	const h = talk();
	for (const to of [at("pump-1"), at("nobody"), DOMAIN]) {
		for (const from of ["mallory@evil.example/x", "norma@example.org/x", "pump-1@alice.example.org/x"]) {
			assert.deepEqual(await h.ask(message(from, to, "status", "<request xmlns='urn:xmpp:receipts'/>")), []);
		}
	}
	assert.deepEqual(await h.ask(message(BOB, at("pump-1"), "status")), []);
	assert.deepEqual(h.commands, []);
});

test("G11 a receipt is given once, with the same type and the id copied; not without an id, not for groupchat, not for a delayed message", async () => {
	const h = talk();
	const request = "<request xmlns='urn:xmpp:receipts'/>";
	assert.equal((await h.ask(message(ALICE, at("weather"), "hi", request)))[0], `<message from='weather@${DOMAIN}' to='${ALICE}' type='chat' id='n1'><received xmlns='urn:xmpp:receipts' id='m1'/></message>`);
	assert.equal((await h.ask(message(ALICE, at("weather"), "hi", request, "type='chat'"))).some((stanza) => stanza.includes("received")), false);
	assert.equal((await h.ask(message(ALICE, at("weather"), "hi", request, "type='groupchat' id='m2'"))).some((stanza) => stanza.includes("received")), false);
	assert.equal((await h.ask(message(ALICE, at("weather"), "hi", `${request}<delay xmlns='urn:xmpp:delay' stamp='2026-01-01T00:00:00Z'/>`, "type='chat' id='m3'"))).some((stanza) => stanza.includes("received")), false);
	assert.deepEqual(await h.ask(`<message from='${ALICE}' to='${at("weather")}' type='chat' id='r'><received xmlns='urn:xmpp:receipts' id='n1'/></message>`), []);
});

test("G12 a delayed set is refused with the reason, a delayed question is answered", async () => {
	const h = talk();
	const delay = "<delay xmlns='urn:xmpp:delay' stamp='2025-12-31T23:00:00Z'/>";
	assert.match(bodies(await h.ask(message(ALICE, at("pump-1"), "set speed 50", delay)))[0]!, /delayed on its way, so nothing was set/);
	assert.match(bodies(await h.ask(message(ALICE, at("pump-1"), "speed?", delay, "type='chat' id='m2'")))[0]!, /speed: no reading yet/);
	assert.deepEqual(h.commands, []);
});

test("G13 a correction executes nothing, and says so", async () => {
	const h = talk();
	assert.deepEqual(bodies(await h.ask(message(ALICE, at("pump-1"), "set speed 50", "<replace xmlns='urn:xmpp:message-correct:0' id='m0'/>"))), ["Corrections are not executed: send it as a new message"]);
	assert.deepEqual(h.commands, []);
});

test("G14 an encrypted message executes nothing, and is answered in clear once a day", async () => {
	const h = talk();
	const omemo = "<encrypted xmlns='eu.siacs.conversations.axolotl'/>";
	assert.match(bodies(await h.ask(message(ALICE, at("pump-1"), "set speed 50", omemo)))[0]!, /switch off OMEMO/);
	assert.deepEqual(await h.ask(message(ALICE, at("pump-1"), "set speed 50", omemo, "type='chat' id='m2'")), []);
	assert.equal((await h.ask(`<message from='${ALICE}' to='${at("weather")}' type='chat' id='m3'><openpgp xmlns='urn:xmpp:openpgp:0'/></message>`)).length, 1);
	await h.clock.advance(25 * 3_600_000);
	assert.equal((await h.ask(message(ALICE, at("pump-1"), "set speed 50", omemo, "type='chat' id='m4'"))).length, 1);
	assert.deepEqual(h.commands, []);
});

test("the same message delivered twice is executed once", async () => {
	const h = talk();
	await h.hear(message(ALICE, at("pump-1"), "set speed 50"));
	await h.hear(message(ALICE, at("pump-1"), "set speed 50"));
	assert.equal(h.commands.length, 1);
});

test("a reply's quotation is not taken for the command (XEP-0461)", async () => {
	const h = talk();
	const body = "&gt; set speed 10\nset speed 50";
	await h.hear(message(ALICE, at("pump-1"), body, "<fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:reply:0'><body start='0' end='15'/></fallback>"));
	assert.deepEqual(h.commands.map(({ value }) => textOf(value)), ["50"]);
});

test("several lines are refused, so that nothing is executed by half", async () => {
	const h = talk();
	assert.match(bodies(await h.ask(message(ALICE, at("pump-1"), "set speed 50\nset running on")))[0]!, /one line in each message/);
	assert.deepEqual(h.commands, []);
});

test("messages of type error and headline, and without a body, are never answered", async () => {
	const h = talk();
	for (const type of ["error", "headline"]) assert.deepEqual(await h.ask(message(ALICE, at("pump-1"), "status", "", `type='${type}' id='m1'`)), []);
	assert.deepEqual(await h.ask(`<message from='${ALICE}' to='${at("pump-1")}' type='chat'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>`), []);
});

test("chat states are only for who sends them (XEP-0085)", async () => {
	const h = talk();
	assert.match((await h.ask(message(ALICE, at("weather"), "hi", "<active xmlns='http://jabber.org/protocol/chatstates'/>")))[0]!, /<active xmlns='http:\/\/jabber.org\/protocol\/chatstates'\/>/);
	assert.doesNotMatch((await h.ask(message(ALICE, at("weather"), "hi", "", "type='chat' id='m2'")))[0]!, /chatstates/);
});

test("the gateway lists exactly the devices that the asker may see, and passes on what begins with one", async () => {
	const h = talk({ execute: (command) => obedient(h, 100)(command) });
	await h.report("weather", { temperature: "21.50" });
	assert.deepEqual(bodies(await h.ask(message(ALICE, DOMAIN, "devices"))), ["weather: online\npump-1: unknown"]);
	assert.deepEqual(bodies(await h.ask(message(BOB, DOMAIN, "devices", "", "type='chat' id='m2'"))), ["weather: online"]);
	assert.deepEqual(bodies(await h.ask(message(ALICE, DOMAIN, "devices pump", "", "type='chat' id='m3'"))), ["pump-1: unknown"]);
	assert.deepEqual(bodies(await h.ask(message(ALICE, DOMAIN, "weather read temperature", "", "type='chat' id='m4'"))), ["temperature: 21.50 °C (0 s ago)"]);
	await h.hear(message(ALICE, DOMAIN, "pump-1 set speed 50", "", "type='chat' id='m5'"));
	await h.clock.advance(100);
	assert.deepEqual(bodies(h.take()), ["✓ speed is 50 %"]);
	assert.match(bodies(await h.ask(message(BOB, DOMAIN, "pump-1 status", "", "type='chat' id='m6'")))[0]!, /I do not understand/);
});

test("the gateway's trouble is told whole to who may see everything, and without hosts and paths to who may see a part", async () => {
	const h = talk();
	Object.assign(h.verbs, { status: () => ({ started: h.clock.now(), uplink: { up: true, since: 0 }, links: [{ id: "farm", up: false, since: 0, reason: "Cannot reach mqtt://10.1.2.3" }], devices: 2, faults: [], store: "the database cannot be written: the disk is full" }) });
	assert.match(bodies(await h.ask(message(ALICE, DOMAIN, "status")))[0]!, /has trouble:\nlink &quot;farm&quot;: Cannot reach mqtt:\/\/10\.1\.2\.3\nthe database cannot be written: the disk is full/);
	assert.match(bodies(await h.ask(message(ALICE, at("weather"), "status", "", "type='chat' id='m2'")))[0]!, /The gateway: the database cannot be written: the disk is full/);
	const [part = ""] = bodies(await h.ask(message(BOB, DOMAIN, "status", "", "type='chat' id='m3'")));
	assert.match(part, /has trouble:\n1 link is down\nthe database\n1 devices/);
	assert.doesNotMatch(bodies(await h.ask(message(BOB, at("weather"), "status", "", "type='chat' id='m4'")))[0]!, /database/);
});

test("no word of a device tells a viewer of one point that another one exists, by its name, its label or its spelling", async () => {
	const points: Points = { temperature: { kind: "numeric", access: "r" }, TEMPERATURE: { kind: "numeric", access: "r" }, doorCode: { kind: "text", access: "rw", label: "Front door" } };
	let ids = 0;
	const own: OwnWatches = { begin: async () => "", list: () => [], end: async (_, point) => `You do not watch "${point ?? ""}"` };
	const h = harness((verbs) => [chat(verbs, { newId: () => `n${++ids}`, watches: { of: () => own } })], { devices: { weather: points } });
	await h.report("weather", { temperature: "1", doorCode: "4711" });
	const answer = async (line: string, to: string): Promise<string> => bodies(await h.ask(message(BOB, to, line, "", `type='chat' id='t${++ids}'`))).join("\n");
	const words = ["read X", "X?", "watch X", "watch X every 10m", "unwatch X", "history X", "history X 24h", "set X 1", "X := 1", "status X", "X", "help X"];
	for (const [to, before] of [[at("weather"), ""], [DOMAIN, "weather "]] as const) {
		for (const word of words) {
			await h.clock.advance(1_000); // no more than twenty lines a second
			const absent = await answer(before + word.replace("X", "frobozz"), to);
			for (const hidden of ["doorCode", "DOORCODE", "front door", "Front door"]) {
				// Of two words the one that stands for a name is repeated in some answers, the first in others.
				const plain = (text: string): string => text.replaceAll(hidden, "frobozz").replaceAll(hidden.split(" ")[0]!, "frobozz").replaceAll(hidden.toLowerCase(), "frobozz");
				assert.equal(plain(await answer(before + word.replace("X", hidden), to)), absent, `${before}${word} with ${hidden}`);
			}
		}
		// What is hidden does not stand in the way of what is not.
		assert.match(await answer(`${before}read Temperature`, to), /^temperature: 1 /);
	}
});

test("a gateway of many devices asks the rules of those that a line can mean, and of no other", async () => {
	const devices = Object.fromEntries(Array.from({ length: 500 }, (_, n): [string, Points] => [`d${n}`, { t: { kind: "numeric", access: "r" } }]));
	const h = talk({ devices, access: [{ who: "alice@example.org", role: "owner" }] });
	let asked = 0;
	const { maySee } = h.access;
	h.access.maySee = (...about) => {
		asked++;
		return maySee.apply(h.access, about);
	};
	for (const [row, line] of ["hello", "help", "d77 status", "\"d77\" read t"].entries()) {
		await h.ask(message(ALICE, DOMAIN, line, "", `type='chat' id='g${row}'`));
		assert.ok(asked <= 3, `${line}: ${asked} questions`);
		asked = 0;
	}
	assert.match(bodies(await h.ask(message(ALICE, DOMAIN, "devices", "", "type='chat' id='all'")))[0]!, /^d0: unknown/);
});

test("a thread and an id are repeated up to 256 characters, and an id of any length is remembered", async () => {
	const h = talk({ execute: async () => ({ kind: "sent" }) });
	const long = "t".repeat(257);
	const [short = ""] = await h.ask(message(ALICE, at("weather"), "hello", `<thread>${long.slice(1)}</thread>`, "type='chat' id='a'"));
	assert.ok(short.includes(`<thread>${long.slice(1)}</thread>`));
	const [cut = ""] = await h.ask(message(ALICE, at("weather"), "hello", `<thread>${long}</thread>`, "type='chat' id='b'"));
	assert.match(cut, /Hello, this is weather/);
	assert.ok(!cut.includes("<thread"));
	const twice = message(ALICE, at("pump-1"), "set speed 50", "<request xmlns='urn:xmpp:receipts'/>", `type='chat' id='${long}'`);
	await h.hear(twice);
	await h.hear(twice);
	assert.equal(h.commands.length, 1);
	assert.ok(h.take().every((stanza) => !stanza.includes(long)));
});

test("what a person typed is repeated in part, however long it is, and so is a list of names", async () => {
	const same = Object.fromEntries(Array.from({ length: 100 }, (_, n): [string, { name: string; points: Points }] => [`device-${n}`, { name: "sensor", points: { t: { kind: "numeric", access: "r" } } }]));
	const h = talk({ devices: same, access: [{ who: "alice@example.org", role: "owner" }] });
	const long = "x".repeat(5_000);
	for (const [row, [to, line]] of [[at("device-1"), `read ${long}`], [at("device-1"), `watch ${long}`], [at("device-1"), `set ${long} 1`], [DOMAIN, `devices ${long}`], [DOMAIN, long], [DOMAIN, "sensor read"]].entries()) {
		const [answer = ""] = bodies(await h.ask(message(ALICE, to!, line!, "", `type='chat' id='l${row}'`)));
		assert.ok(answer.length > 10 && answer.length < 500, `${line!.slice(0, 20)}: ${answer.length} characters`);
	}
});
