import assert from "node:assert/strict";
import { test } from "node:test";
import { chat } from "../../src/north/chat/chat.js";
import { type Courier, courier } from "../../src/north/courier.js";
import { type Watches, watches } from "../../src/north/watches.js";
import { parseStanza } from "../../src/xmpp/parser.js";
import { settle } from "../fakes/clock.js";
import { Chance } from "../fakes/fuzz.js";
import { MemoryOutbox } from "../fakes/outbox.js";
import { DOMAIN, type Harness, harness, type HarnessOptions, RULES } from "./harness.js";

const ALICE = "alice@example.org/phone";
const BOB = "bob@partner.example/desk";
const WEATHER = `weather@${DOMAIN}`;

interface Desk {
	readonly h: Harness;
	readonly outbox: MemoryOutbox;
	readonly watches: Watches;
	/** Types a line, and gives what is answered. */
	say(line: string, from?: string, to?: string, more?: string): Promise<string>;
	/** What was told since the last time; his client sends a receipt for each. */
	told(): Promise<string[]>;
}

let serial = 0;

function desk(outbox = new MemoryOutbox(), options: HarnessOptions = {}): Desk {
	const made: { watches?: Watches; courier?: Courier } = {};
	const h = harness((verbs) => {
		const newId = (): string => `s${++serial}`;
		made.courier = courier(verbs, { outbox, newId });
		made.watches = watches(verbs, { store: outbox, courier: made.courier });
		return [made.watches, made.courier, chat(verbs, { newId, watches: made.watches })];
	}, options);
	const told = async (): Promise<string[]> => {
		const bodies: string[] = [];
		await settle();
		for (let sent = h.take(); sent.length > 0; sent = h.take()) {
			for (const raw of sent) {
				const stanza = parseStanza(raw);
				const { from, to, id } = stanza.attrs;
				if (stanza.name !== "message" || !stanza.child("request")) continue;
				bodies.push(stanza.child("body")!.text());
				h.receive(`<message from='${to}/phone' to='${from}' id='r${++serial}'><received xmlns='urn:xmpp:receipts' id='${id}'/></message>`);
			}
			await settle();
		}
		return bodies;
	};
	return {
		h, outbox, watches: made.watches!, told,
		async say(line, from = ALICE, to = WEATHER, more = "") {
			await told();
			await h.hear(`<message type='chat' id='m${++serial}' from='${from}' to='${to}'><body>${line}</body>${more}</message>`);
			return h.take().map((raw) => parseStanza(raw).child("body")?.text()).find((body) => body !== undefined) ?? "";
		},
	};
}

/** A desk where the weather is known, and Alice watches. */
async function watching(line: string, options: HarnessOptions = {}): Promise<Desk> {
	const made = desk(undefined, options);
	await made.h.state("weather", "online");
	await made.h.report("weather", { temperature: "21.9", humidity: "45" });
	await made.say(line);
	return made;
}

test("watch answers with how and with the value, when it is on disk; each change then comes as a message", async () => {
	const { h, say, told, outbox } = await watching("hello");
	assert.equal(await say("watch temperature"), "watching temperature: every change comes as a message, at most one in 5 s; \"unwatch temperature\" ends it\ntemperature 21.9 °C");
	assert.equal(outbox.watches().find(({ point }) => point === "temperature")?.told?.at, h.clock.now());
	await h.clock.advance(6_000);
	await h.report("weather", { temperature: "22.5" });
	assert.deepEqual(await told(), ["temperature 22.5 °C (was 21.9)"]);
	await h.report("weather", { temperature: "22.5", humidity: "46" });
	await h.clock.advance(60_000);
	assert.deepEqual(await told(), []);
});

test("while the store is slow nobody is told that he watches", async () => {
	const { h, outbox, say } = await watching("hello");
	let write = (): void => {};
	outbox.until = new Promise((resolve) => (write = resolve));
	assert.equal(await say("watch temperature"), "");
	write();
	await settle();
	assert.match(h.take().join(), /watching temperature/);
	outbox.until = undefined;
	outbox.broken = true;
	assert.equal(await say("watch humidity"), "Cannot write to the outbox: the disk is full");
	assert.equal(await say("watch"), "You watch:\n  temperature");
});

test("by: only what has moved so far, from what was told last, either way", async () => {
	const { h, told } = await watching("watch temperature by 0,5 K");
	const heard: string[] = [];
	for (const value of ["22.1", "22.3", "22.4", "22.8", "22.0", "21.9"]) {
		await h.clock.advance(6_000);
		await h.report("weather", { temperature: value });
		heard.push(...(await told()));
	}
	assert.deepEqual(heard, ["temperature 22.4 °C (was 21.9)", "temperature 21.9 °C (was 22.4)"]);
});

test("a point that changes a hundred times a second is told every five seconds, the newest value", async () => {
	const { h, told, outbox } = await watching("watch temperature");
	const heard: string[] = [];
	for (let n = 0; n < 1_000; n++) {
		await h.report("weather", { temperature: `${100 + n}` });
		if (n % 50 === 0) heard.push(...(await told()));
		await h.clock.advance(10);
	}
	await h.clock.advance(5_000);
	heard.push(...(await told()));
	assert.equal(heard.length, 2);
	assert.match(heard.at(-1)!, /^temperature 1099 °C/);
	assert.equal(outbox.posted.length, 2);
});

test("a change that has gone back within the interval is told as that", async () => {
	const { h, told } = await watching("watch temperature");
	await h.report("weather", { temperature: "30" });
	await h.report("weather", { temperature: "21.9" });
	await h.clock.advance(5_000);
	assert.deepEqual(await told(), ["temperature 21.9 °C, changed and back again"]);
});

test("every: an unchanged value is told as unchanged, with the old time, and the message is of now", async () => {
	const { h, told, outbox } = await watching("watch temperature every 10 min");
	await h.clock.advance(600_000);
	assert.deepEqual(await told(), ["temperature 21.9 °C, unchanged (of 2026-01-01 00:00:00 UTC)"]);
	assert.equal(outbox.posted[0]!.at, h.clock.now());
	await h.clock.advance(300_000);
	await h.report("weather", { temperature: "22" });
	assert.deepEqual(await told(), ["temperature 22 °C (was 21.9)"]);
	await h.clock.advance(599_000);
	assert.deepEqual(await told(), []);
	await h.clock.advance(1_000);
	assert.deepEqual(await told(), ["temperature 22 °C, unchanged (of 2026-01-01 00:15:00 UTC)"]);
});

test("what only repeats is not piled up for who is away, or while the uplink is down; what is new is", async () => {
	const { h, outbox } = await watching("watch temperature every 1m");
	h.disconnect();
	await h.clock.advance(3_600_000);
	await h.report("weather", { temperature: "25" });
	await h.clock.advance(3_600_000);
	assert.deepEqual(outbox.posted.map(({ body }) => body), ["temperature 25 °C (was 21.9)"]);
});

test("a late, a faulty and a stale value say so, and the message carries the time at which it happened", async () => {
	const { h, told, outbox } = await watching("watch temperature");
	h.registry.report([{ points: ["weather.temperature"], maxAge: 600_000 }]);
	await h.clock.advance(3_600_000);
	await h.report("weather", { temperature: "23" }, { at: h.clock.now() - 1_200_000, received: h.clock.now() });
	assert.deepEqual(await told(), ["temperature 23 °C (was 21.9; of 2026-01-01 00:40:00 UTC; stale)"]);
	assert.equal(outbox.posted[0]!.at, h.clock.now() - 1_200_000);
	await h.clock.advance(10_000);
	await h.report("weather", { temperature: "-127" }, { quality: "error" });
	assert.deepEqual(await told(), ["temperature -127 °C (was 23; marked faulty by the device)"]);
	await h.clock.advance(16 * 60_000);
	await h.report("weather", { temperature: "24" }, { at: 0 }); // a clock that was never set
	assert.deepEqual(await told(), ["temperature 24 °C (was -127; of 1970-01-01 00:00:00 UTC; stale)"]);
	assert.equal(outbox.posted.at(-1)!.at, h.clock.now());
});

test("a watcher is told once that the device is away and once that it is back; a flapping one is told its newest state once a minute", async () => {
	const { h, told } = await watching("watch temperature");
	await h.clock.advance(60_000);
	await h.state("weather", "offline", "last will");
	await h.clock.advance(5_000);
	assert.deepEqual(await told(), ["weather is offline: last will"]);
	await h.state("weather", "online");
	for (let n = 0; n < 20; n++) {
		await h.clock.advance(1_000);
		await h.state("weather", n % 2 === 0 ? "offline" : "online");
	}
	assert.deepEqual(await told(), []);
	await h.clock.advance(60_000);
	assert.match((await told()).join("|"), /^weather is back: [^|]*$/);
	await h.clock.advance(1_200_000);
	assert.deepEqual(await told(), []);
});

test("a link that is back within a minute is no news; one that stays away is, once per device", async () => {
	const { h, told, say } = await watching("watch temperature");
	await say("watch humidity");
	await h.clock.advance(60_000);
	const link = async (down?: string): Promise<void> => h.change(h.twin("weather").link(down, h.clock.now()));
	await link("its link \"farm\" is down");
	await h.clock.advance(6_000);
	await h.judge("weather");
	await h.clock.advance(30_000);
	await link();
	await h.state("weather", "online");
	await h.clock.advance(120_000);
	assert.deepEqual(await told(), []);
	await link("its link \"farm\" is down");
	await h.clock.advance(6_000);
	await h.judge("weather");
	await h.clock.advance(120_000);
	assert.deepEqual(await told(), ["weather is unknown: its link \"farm\" is down"]);
});

test("watch lists his own, unwatch ends one or all, and nobody else's", async () => {
	const { h, say, told, watches: w, outbox } = await watching("watch temperature by 0.5 K every 90 min");
	await say("watch humidity");
	await say("watch temperature", BOB);
	assert.equal(await say("watch"), "You watch:\n  temperature by 0.5 °C every 90 min\n  humidity");
	assert.equal(await say("watch", BOB), "You watch:\n  temperature");
	assert.equal(await say("watch", ALICE, DOMAIN), "You watch:\n  weather: temperature by 0.5 °C every 90 min\n  weather: humidity");
	assert.equal(await say("unwatch pressure"), "You do not watch \"pressure\"; you watch temperature, humidity");
	assert.equal(await say("unwatch HUMIDITY"), "no longer watching humidity");
	assert.equal(await say("weather unwatch", ALICE, DOMAIN), "no longer watching temperature");
	assert.equal(await say("unwatch"), "You watch nothing of weather");
	assert.equal(await say("watch"), "You watch nothing here; \"watch POINT\" tells you of its changes");
	assert.equal(w.size, 1);
	assert.deepEqual(outbox.watches().map(({ who, point }) => [who, point]), [["bob@partner.example", "temperature"], ["bob@partner.example", ""]]);
	await h.clock.advance(6_000);
	await h.report("weather", { temperature: "30", humidity: "1" });
	assert.deepEqual(await told(), ["temperature 30 °C (was 21.9)"]);
});

// [what is typed, what is answered]
const REFUSED = [
	["watch temprature", "Cannot watch \"temprature\": no such point; did you mean \"temperature\"?"],
	["watch temperature by x", "Cannot watch \"temperature\" by \"x\": it takes a number"],
	["watch temperature by -1", "Cannot watch \"temperature\" by \"-1\": it takes a number above 0"],
	["watch temperature by 0", "Cannot watch \"temperature\" by \"0\": it takes a number above 0"],
	["watch temperature by 5 bar", "Cannot watch \"temperature\" by \"5 bar\": it is measured in °C"],
	["watch temperature by 1,500", "Cannot watch \"temperature\" by \"1,500\": the comma could mean thousands or decimals; write 1.500 or 1500"],
	["watch temperature every 9s", "Cannot watch \"temperature\" every 9s: it takes 10s to 7d"],
	["watch temperature every 8d", "Cannot watch \"temperature\" every 8d: it takes 10s to 7d"],
	["watch temperature every now", "Cannot watch \"temperature\" every \"now\": it takes a time such as 30s, 10m or 2h"],
	["watch temperature often", "Cannot watch \"temperature\": found \"often\"; write \"watch temperature\", \"watch temperature every 10m\" or \"watch temperature by 0.5\""],
	["watch temperature by", "Cannot watch \"temperature\": found \"by\"; write \"watch temperature\", \"watch temperature every 10m\" or \"watch temperature by 0.5\""],
] as const;
for (const [line, answer] of REFUSED) {
	test(`"${line}" is refused with how to mend it`, async () => {
		const { say, watches: w } = desk();
		assert.equal(await say(line), answer);
		assert.equal(w.size, 0);
	});
}

// [what is typed, by, every]
const WISHES = [
	["watch temperature", undefined, undefined], ["WATCH Temperature BY 0.5", 0.5, undefined], ["watch temperature by 0,25 °C every 1,5h", 0.25, 5_400_000],
	["watch temperature every 10 minutes by 1", 1, 600_000], ["watch temperature by 9 °F", 5, undefined], ["watch temperature every 10s", undefined, 10_000], ["watch temperature every 7 days", undefined, 604_800_000],
] as const;
for (const [line, by, every] of WISHES) {
	test(`"${line}" is understood`, async () => {
		const { say, outbox } = desk();
		assert.match(await say(line), /^watching temperature/);
		const kept = outbox.watches().find(({ point }) => point === "temperature");
		assert.deepEqual([kept?.by, kept?.every], [by, every]);
	});
}

test("by is only for numbers, and says so", async () => {
	const { say } = desk();
	assert.equal(await say("watch running by 1", ALICE, `pump-1@${DOMAIN}`), "Cannot watch \"running\" by \"1\": it is no number; write \"watch running\" to be told of every change");
});

test("help names watch with a real point", async () => {
	const { say } = desk();
	assert.match(await say("help", BOB), /\n {2}watch temperature by 0\.5 every 10m/);
});

test("a delayed message begins no watch", async () => {
	const { say, watches: w } = desk();
	assert.match(await say("watch temperature", ALICE, WEATHER, "<delay xmlns='urn:xmpp:delay' stamp='2026-01-01T00:00:00Z'/>"), /delayed/);
	assert.equal(w.size, 0);
});

test("who may not read a point cannot watch it; a watch whose right is gone is silent and unlisted, and speaks again when it is back", async () => {
	const { h, say, told } = desk();
	assert.equal((await say("watch humidity", BOB)).replace("humidity", "X"), (await say("watch humidita", BOB)).replace("humidita", "X"));
	await h.report("weather", { temperature: "20" });
	await say("watch temperature every 1m", BOB);
	h.setRules([{ who: "bob@partner.example", role: "viewer", points: { weather: ["humidity"] } }]);
	await h.clock.advance(600_000);
	await h.report("weather", { temperature: "30" });
	await h.clock.advance(600_000);
	assert.deepEqual(await told(), []);
	assert.equal(await say("watch", BOB), "You watch nothing here; \"watch POINT\" tells you of its changes");
	h.setRules(RULES);
	await h.clock.advance(60_000);
	assert.deepEqual(await told(), ["temperature 30 °C (was 20; of 2026-01-01 00:10:00 UTC)"]);
});

test("a removed device takes its watches with it; what was posted still arrives", async () => {
	const { h, told, watches: w, outbox } = await watching("watch temperature");
	await h.clock.advance(6_000);
	h.room = false;
	await h.report("weather", { temperature: "30" });
	await h.remove("weather");
	assert.deepEqual([w.size, outbox.watches(), h.clock.pending > 0], [0, [], true]);
	h.room = true;
	await h.clock.advance(1_000);
	assert.deepEqual((await told()).map((text) => text.split("\n").map((line) => line.replace(/^.*UTC: /, "")).join("|")), ["temperature 30 °C (was 21.9)", "weather is no longer here; the watch of temperature has ended"]);
});

test("whoever watched a device that is gone is told once for each point that he may read, whatever the disk says at first", async () => {
	const { h, told, say, watches: w, outbox } = await watching("watch temperature");
	await say("watch humidity");
	await say("watch temperature", BOB);
	h.setRules([...RULES.filter(({ who }) => who !== "bob@partner.example"), { who: "bob@partner.example", role: "viewer", points: { weather: ["humidity"] } }]);
	outbox.broken = true;
	await h.remove("weather");
	outbox.broken = false;
	await h.clock.advance(60_000);
	assert.deepEqual((await told()).flatMap((text) => text.split("\n").map((line) => line.replace(/^.*UTC: /, ""))), ["weather is no longer here; the watch of temperature has ended", "weather is no longer here; the watch of humidity has ended"]);
	assert.deepEqual([w.size, outbox.watches(), outbox.posted.length], [0, [], 2]);
});

test("devices that change places take their watches with them: nothing ends, and nothing is told of the other", async () => {
	const points = { t: { kind: "numeric", access: "r" } } as const;
	const { h, say, told, watches: w, outbox } = desk(undefined, { devices: { a: points, b: points } });
	for (const id of ["a", "b"]) {
		await h.state(id, "online");
		await h.report(id, { t: id === "a" ? "1" : "2" });
	}
	await say("watch t every 1d", ALICE, `a@${DOMAIN}`);
	await say("watch t by 5", ALICE, `b@${DOMAIN}`);
	await h.clock.advance(10_000);
	const [a, b] = [h.twin("a"), h.twin("b")];
	h.registry.configure([{ link: "test", address: "a", id: "b" }, { link: "test", address: "b", id: "a" }]);
	for (const twin of [a, b]) {
		const from = twin.device.id;
		for (const module of h.modules) module.renamed?.(from, twin);
		for (const module of h.modules) module.removed?.(twin);
		h.registry.free(twin);
	}
	for (const address of ["a", "b"]) {
		const { twin } = h.registry.announce("test", { address, points }, h.clock.now());
		for (const module of h.modules) module.added?.(twin);
	}
	await settle();
	assert.deepEqual([a.device.id, b.device.id, w.size], ["b", "a", 2]);
	assert.deepEqual(outbox.watches().map(({ device, point, by, every }) => [device, point, by, every]).sort(), [["a", "", undefined, undefined], ["a", "t", 5, undefined], ["b", "", undefined, undefined], ["b", "t", undefined, 86_400_000]]);
	assert.deepEqual(await told(), []);
	await h.report("b", { t: "1.5" });
	await h.report("a", { t: "2.5" });
	assert.deepEqual(await told(), ["t 1.5 (was 1)"]);
	await h.remove("a");
	assert.equal(w.size, 1, "the registry knows it under its address");
});

test("a device that has lost its id and gets no other takes its watches with it, and not those of who has its id now", async () => {
	const points = { t: { kind: "numeric", access: "r" } } as const;
	const { h, say, told, watches: w, outbox } = desk(undefined, { devices: { a: points, b: points } });
	await say("watch t", ALICE, `a@${DOMAIN}`);
	await say("watch t", BOB, `b@${DOMAIN}`);
	await say("watch t", ALICE, `b@${DOMAIN}`);
	const a = h.twin("a");
	for (const event of ["renamed", "removed", "free", "b gets the id", "removed"] as const) {
		if (event === "renamed") for (const module of h.modules) module.renamed?.("a", a);
		else if (event === "removed") for (const module of h.modules) module.removed?.(a);
		else if (event === "free") h.registry.free(a);
		else {
			const b = h.twin("b");
			for (const module of h.modules) module.renamed?.("b", b);
			for (const module of h.modules) module.removed?.(b);
			h.registry.free(b);
			h.registry.configure([{ link: "test", address: "b", id: "a" }]);
			for (const module of h.modules) module.added?.(h.registry.announce("test", { address: "b", points }, h.clock.now()).twin);
		}
		await settle();
	}
	assert.deepEqual(await told(), ["a is no longer here; the watch of t has ended"]);
	assert.equal(w.size, 1);
	assert.deepEqual(outbox.watches().map(({ who, device, point }) => [who, device, point]).sort(), [["alice@example.org", "a", ""], ["alice@example.org", "a", "t"]]);
});

test("when the rules come back, a watch tells at once what has changed meanwhile, and nothing that has gone back", async () => {
	const { h, say, told } = desk();
	await h.report("weather", { temperature: "20" });
	await say("watch temperature", BOB);
	await h.clock.advance(10_000);
	for (const [meanwhile, expected] of [[["30", "20"], []], [["30"], ["temperature 30 °C (was 20)"]]] as const) {
		h.setRules(RULES.filter(({ who }) => who !== "bob@partner.example"));
		for (const module of h.modules) module.accessChanged?.();
		for (const value of meanwhile) await h.report("weather", { temperature: value });
		await h.clock.advance(20_000);
		assert.deepEqual(await told(), []);
		h.setRules(RULES);
		for (const module of h.modules) module.accessChanged?.();
		assert.deepEqual(await told(), expected);
	}
});

test("who is named by no rule for a week loses his watches; at the start at once", async () => {
	const outbox = new MemoryOutbox();
	const { h, say, watches: w } = desk(outbox);
	const without = RULES.filter(({ who }) => who !== "bob@partner.example");
	const access = (rules: typeof RULES): void => {
		h.setRules(rules);
		for (const module of h.modules) module.accessChanged?.();
	};
	await say("watch temperature", BOB);
	access(without);
	await h.clock.advance(6.9 * 86_400_000);
	access(RULES);
	await h.clock.advance(2 * 86_400_000);
	assert.equal(w.size, 1);
	access(without);
	await h.clock.advance(7 * 86_400_000);
	assert.deepEqual([w.size, outbox.watches(), h.clock.pending], [0, [], 0]);
	access(RULES);
	await say("watch temperature", BOB);
	await say("watch temperature");
	const next = desk(outbox, { online: false, access: without });
	await next.h.connect();
	assert.deepEqual([next.watches.size, outbox.watches().map(({ who }) => who)], [1, ["alice@example.org", "alice@example.org"]]);
	next.watches.gone("alice@example.org");
	await settle();
	assert.deepEqual([next.watches.size, outbox.watches()], [0, []]);
});

test("a change after the clock was set back is told", async () => {
	for (const isRestarted of [false, true]) {
		const outbox = new MemoryOutbox();
		let d = desk(outbox);
		await d.h.report("weather", { temperature: "21" });
		await d.say("watch temperature");
		await d.h.clock.advance(10_000);
		await d.h.report("weather", { temperature: "22" });
		assert.equal((await d.told()).length, 1);
		if (isRestarted) {
			d = desk(outbox);
			await d.h.clock.advance(10_000);
		}
		d.h.clock.jump(-3_000);
		await d.h.clock.advance(500);
		await d.h.report("weather", { temperature: "80" });
		await d.h.clock.advance(10_000);
		assert.match((await d.told()).join("|"), /^temperature 80 °C \(was 22[^|]*$/);
	}
});

test("a hundred watches are the most of one person however fast he types them", async () => {
	const points = Object.fromEntries(Array.from({ length: 150 }, (_, n) => [`p${n}`, { kind: "numeric", access: "r" } as const]));
	const { h, watches: w, outbox } = desk(undefined, { devices: { weather: points } });
	let write = (): void => {};
	outbox.until = new Promise((resolve) => (write = resolve));
	const begun = Object.keys(points).map((point) => w.of("alice@example.org").begin(h.twin("weather"), point, {}));
	write();
	const results = await Promise.allSettled(begun);
	assert.deepEqual([w.size, results.filter(({ status }) => status === "rejected").length], [100, 50]);
});

test("what is typed or happens while a watch is being written counts: unwatch ends it, and a device that goes keeps none", async () => {
	for (const isRemoved of [false, true]) {
		const { h, watches: w, outbox } = desk();
		const own = w.of("alice@example.org");
		const twin = h.twin("weather");
		let write = (): void => {};
		outbox.until = new Promise((resolve) => (write = resolve));
		const begun = own.begin(twin, "temperature", {});
		const ended = isRemoved ? h.remove("weather").then(() => "removed") : own.end(twin, "temperature");
		await settle();
		outbox.until = undefined;
		write();
		if (isRemoved) await assert.rejects(begun, /"weather" is no longer here/);
		else assert.match(await begun, /^watching temperature/);
		assert.equal(await ended, isRemoved ? "removed" : "no longer watching temperature");
		await settle();
		assert.deepEqual([w.size, outbox.watches()], [0, []]);
	}
});

test("a letter is not posted again when only what was told could not be kept: it may have arrived by then", async () => {
	const { h, told, outbox } = await watching("watch temperature");
	await h.clock.advance(10_000);
	outbox.watchesBroken = true;
	await h.report("weather", { temperature: "30" });
	assert.deepEqual(await told(), ["temperature 30 °C (was 21.9)"]);
	await h.clock.advance(60_000);
	assert.deepEqual(await told(), []);
	outbox.watchesBroken = false;
	await h.clock.advance(5_000);
	assert.equal(outbox.posted.length, 1);
	const told30 = outbox.watches().find(({ point }) => point === "temperature")?.told?.value;
	assert.equal(typeof told30 === "object" ? told30.text : told30, "30");
});

test("a device that is blocked does not silence the repetitions of another", async () => {
	const { h, say, outbox } = await watching("watch temperature every 1h");
	await h.state("pump-1", "online");
	await h.report("pump-1", { flow: "3" });
	await h.clock.advance(90_000);
	await say("watch flow every 1h", ALICE, `pump-1@${DOMAIN}`);
	const flows: string[] = [];
	for (let minute = 0; minute < 300; minute++) {
		await h.clock.advance(60_000);
		for (const raw of h.take()) {
			const { from, to, id } = parseStanza(raw).attrs;
			if (!raw.includes("<request")) continue;
			if (from === WEATHER) await h.hear(`<message type='error' from='${to}' to='${from}' id='${id}'><error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>`);
			else {
				flows.push(raw);
				await h.hear(`<message from='${to}/phone' to='${from}' id='r${++serial}'><received xmlns='urn:xmpp:receipts' id='${id}'/></message>`);
			}
		}
	}
	assert.equal(flows.length, 5);
	assert.equal(outbox.kept.filter(({ device }) => device === "weather").length, 1);
});

test("one person keeps a hundred watches at most", async () => {
	const points = Object.fromEntries(Array.from({ length: 101 }, (_, n) => [`p${n}`, { kind: "numeric", access: "r" } as const]));
	const { h, say, watches: w } = desk(undefined, { devices: { weather: points } });
	for (let n = 0; n < 100; n++) {
		await h.clock.advance(1_000); // nobody types faster
		assert.match(await say(`watch p${n}`), /^watching/);
	}
	assert.match(await say("watch p100"), /^Cannot watch "p100": you watch 100 points already/);
	assert.match(await say("watch p99 every 1h"), /^watching p99 every 1 h/);
	assert.equal(w.size, 100);
});

test("after a restart nothing is told twice, and what happened meanwhile is told once", async () => {
	const outbox = new MemoryOutbox();
	const first = desk(outbox);
	await first.h.state("weather", "online");
	await first.h.report("weather", { temperature: "21.9" });
	await first.say("watch temperature every 1h");
	await first.h.clock.advance(6_000);
	await first.h.report("weather", { temperature: "22.5" });
	assert.deepEqual(await first.told(), ["temperature 22.5 °C (was 21.9)"]);
	for (const [value, expected] of [["22.5", []], ["23", ["temperature 23 °C (was 22.5; weather is unknown)"]], ["23", []]] as const) {
		const next = desk(outbox, { online: false });
		await next.h.clock.advance(60_000);
		next.h.twin("weather").restore([{ point: "temperature", value: { text: value, number: Number(value) }, at: next.h.clock.now(), received: next.h.clock.now(), quality: "good" }]);
		await next.h.connect();
		assert.deepEqual(await next.told(), expected);
		await next.h.state("weather", "online");
		await next.h.clock.advance(120_000);
		assert.deepEqual(await next.told(), [], "it is online, as it was");
	}
});

test("a value from before what was told, as a store may bring it back after kill -9, is no news", async () => {
	const outbox = new MemoryOutbox();
	const first = desk(outbox);
	await first.h.report("weather", { temperature: "20" });
	const before = [...first.h.twin("weather").readings.values()];
	await first.say("watch temperature every 10m");
	await first.h.clock.advance(6_000);
	await first.h.report("weather", { temperature: "25" });
	assert.deepEqual(await first.told(), ["temperature 25 °C (was 20)"]);
	const second = desk(outbox, { online: false });
	second.h.twin("weather").restore(before);
	await second.h.clock.advance(30_000);
	await second.h.connect();
	await second.h.clock.advance(900_000);
	assert.deepEqual(await second.told(), []);
	await second.h.report("weather", { temperature: "24" });
	assert.match((await second.told()).join("|"), /^temperature 24 °C \(was 25[^|]*$/);
});

test("an availability that was told survives a restart: offline is told once, back is told once", async () => {
	const outbox = new MemoryOutbox();
	const first = desk(outbox);
	await first.h.state("weather", "online");
	await first.say("watch temperature");
	await first.h.clock.advance(60_000);
	await first.h.state("weather", "offline");
	await first.h.clock.advance(10_000);
	assert.deepEqual(await first.told(), ["weather is offline"]);
	const second = desk(outbox, { online: false });
	await second.h.clock.advance(200_000);
	await second.h.state("weather", "offline");
	await second.h.connect();
	await second.h.clock.advance(200_000);
	assert.deepEqual(await second.told(), []);
	const third = desk(outbox, { online: false });
	await third.h.clock.advance(600_000);
	await third.h.connect();
	await third.h.state("weather", "online");
	await third.h.clock.advance(10_000);
	assert.deepEqual(await third.told(), ["weather is back: online"]);
	await third.h.clock.advance(200_000);
	assert.deepEqual(await third.told(), []);
});

test("a crash between the letter and what was told posts no second letter", async () => {
	const outbox = new MemoryOutbox();
	const first = desk(outbox);
	await first.h.report("weather", { temperature: "20" });
	await first.say("watch temperature");
	await first.h.clock.advance(6_000);
	first.h.disconnect();
	const before = outbox.watches();
	await first.h.report("weather", { temperature: "25" });
	for (const watch of before) await outbox.putWatch(watch); // as if the crash had come before it was kept
	const second = desk(outbox, { online: false });
	await second.h.clock.advance(30_000);
	second.h.twin("weather").restore([...first.h.twin("weather").readings.values()]);
	await second.h.connect();
	assert.equal((await second.told()).length, 1);
	assert.equal(outbox.posted.length, 1);
});

test("a letter that the store did not take is posted when it does", async () => {
	const { h, told, outbox } = await watching("watch temperature");
	await h.clock.advance(6_000);
	outbox.broken = true;
	await h.report("weather", { temperature: "25" });
	outbox.broken = false;
	await h.report("weather", { temperature: "26" });
	await h.clock.advance(10_000);
	assert.deepEqual(await told(), ["temperature 26 °C (was 21.9)"]);
});

for (const seed of [5, 6]) {
	test(`whatever restarts, breaks and comes back, the last thing told of a watched point is its last value, and no letter repeats one before (seed ${seed})`, async () => {
		const chance = new Chance(seed);
		const outbox = new MemoryOutbox();
		let d = desk(outbox);
		await d.h.report("weather", { temperature: "0" });
		await d.say("watch temperature");
		let value = 0;
		const values: string[] = [];
		for (let step = 0; step < 150; step++) {
			switch (chance.int(8)) {
				case 0: d.h.disconnect(); break;
				case 1: await d.h.connect(); break;
				case 2: {
					const before = [...d.h.twin("weather").readings.values()];
					const now = d.h.clock.now();
					d.h.disconnect();
					d = desk(outbox, { online: false });
					await d.h.clock.advance(Math.max(0, now - d.h.clock.now()) + 10_000);
					d.h.twin("weather").restore(before);
					await d.h.connect();
					break;
				}
				case 3: outbox.broken = !outbox.broken; break;
				default: await d.h.report("weather", { temperature: String(++value) });
			}
			await d.h.clock.advance(chance.int(8_000));
			values.push(...(await d.told()));
		}
		outbox.broken = false;
		await d.h.connect();
		for (let n = 0; n < 20; n++) {
			await d.h.clock.advance(30_000);
			values.push(...(await d.told()));
		}
		const numbers = outbox.posted.filter(({ body }) => body.startsWith("temperature")).map(({ body }) => Number(/temperature (\d+)/.exec(body)![1]));
		assert.ok(numbers.length > 10);
		assert.deepEqual(numbers, [...new Set(numbers)].sort((a, b) => a - b));
		assert.equal(numbers.at(-1), value);
		assert.deepEqual(outbox.kept, []);
	});
}
