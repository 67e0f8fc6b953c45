import assert from "node:assert/strict";
import { test } from "node:test";
import type { Announcement } from "../../src/core/device.js";
import { ReportPolicy } from "../../src/core/report.js";
import type { XepModule } from "../../src/north/module.js";
import { DOMAIN, MemoryStore, presenceStanza, PUMP, RULES, WEATHER } from "./harness.js";
import { type Wing, wing } from "./wing.js";

const ALICE = "alice@example.org";
const BOB = "bob@partner.example";
const THING = `weather@${DOMAIN}/thing`;

function watched(...contacts: readonly string[]): Wing {
	return wing({ store: new MemoryStore(...contacts.map((contact) => ({ device: "weather", contact, from: true }))) });
}

/** `alice: away 21.5 °C` of each presence that was sent. */
function told(h: Wing): string[] {
	return h.take().map((stanza) => {
		const to = /to='([^@']+)/.exec(stanza)?.[1] ?? "";
		const show = /type='(\w+)'/.exec(stanza)?.[1] ?? /<show>(\w+)</.exec(stanza)?.[1] ?? "online";
		return `${to}: ${show} ${/<status>([^<]*)</.exec(stanza)?.[1] ?? ""}`.trim();
	});
}

test("each availability has its presence", async () => {
	const h = wing({ store: new MemoryStore({ device: "weather", contact: ALICE, from: true }), devices: { weather: { points: WEATHER, every: 60_000 } } });
	await h.connect();
	await h.clock.advance(5_000);
	assert.deepEqual(told(h), ["alice: unavailable not heard from yet"]);
	await h.report("weather", { temperature: "21.5" });
	assert.deepEqual(told(h), ["alice: online 21.5 °C"]);
	await h.clock.advance(151_000);
	await h.judge("weather");
	assert.deepEqual(told(h), ["alice: away nothing heard for 3 min"]);
	for (const [state, presence] of [["asleep", "alice: xa 21.5 °C"], ["faulty", "alice: dnd 21.5 °C"], ["offline", "alice: unavailable offline"]] as const) {
		await h.clock.advance(5_000);
		await h.state("weather", state);
		assert.deepEqual(told(h), [presence]);
	}
	await h.clock.advance(5_000);
	await h.change(h.twin("weather").link("the broker is gone", h.clock.now()));
	await h.clock.advance(5_000);
	await h.judge("weather");
	assert.deepEqual(told(h), ["alice: unavailable the broker is gone"]);
});

test("a status shows to each contact only what he may read, and is built once for all who may read the same", async () => {
	const h = wing({
		access: [...RULES, { who: "*@partner.example", role: "viewer", points: { weather: ["temperature"] } }],
		store: new MemoryStore(...["bob", "eve", "kim"].map((name) => ({ device: "weather", contact: `${name}@partner.example`, from: true })), { device: "weather", contact: ALICE, from: true }),
	});
	await h.report("weather", { temperature: "21.5", humidity: "45" });
	assert.deepEqual(told(h), ["bob: online 21.5 °C", "eve: online 21.5 °C", "kim: online 21.5 °C", "alice: online 21.5 °C · 45 %RH"]);
	await h.clock.advance(60_000);
	await h.report("weather", { humidity: "46" });
	await h.clock.advance(60_000);
	assert.deepEqual(told(h), ["alice: online 21.5 °C · 46 %RH"]);
});

test("an availability change is told at once, and the next one not before five seconds have passed, with the newest state only", async () => {
	const h = watched(ALICE);
	await h.report("weather", { temperature: "21.5" });
	assert.deepEqual(told(h), ["alice: online 21.5 °C"]);
	for (const state of ["offline", "online", "faulty", "asleep"] as const) {
		await h.clock.advance(500);
		await h.state("weather", state);
	}
	assert.deepEqual(told(h), []);
	await h.clock.advance(2_999);
	assert.deepEqual(told(h), []);
	await h.clock.advance(1);
	assert.deepEqual(told(h), ["alice: xa 21.5 °C"]);
	assert.equal(h.clock.pending, 0);
});

test("a device that flaps back within five seconds is worth no stanza", async () => {
	const h = watched(ALICE);
	await h.report("weather", { temperature: "21.5" });
	h.take();
	await h.state("weather", "offline");
	await h.state("weather", "online");
	await h.clock.advance(120_000);
	assert.deepEqual(told(h), []);
});

test("an explicit offline is told within ten seconds, whatever came before it", async () => {
	for (let wait = 0; wait <= 6_000; wait += 500) {
		const h = watched(ALICE);
		await h.report("weather", { temperature: "21.5" });
		await h.clock.advance(wait);
		await h.report("weather", { temperature: "22.5" });
		await h.state("weather", "offline", "switched off");
		await h.clock.advance(5_000);
		assert.equal(told(h).at(-1), "alice: unavailable switched off");
	}
});

test("a clock that was set back by hours holds back no availability and no values", async () => {
	const h = watched(ALICE);
	await h.report("weather", { temperature: "21.5" });
	h.clock.jump(-5 * 3_600_000);
	told(h);
	await h.state("weather", "offline", "switched off");
	await h.clock.advance(5_000);
	assert.deepEqual(told(h), ["alice: unavailable switched off"]);
	await h.state("weather", "online");
	await h.clock.advance(5_000);
	told(h);
	await h.report("weather", { humidity: "45" });
	await h.clock.advance(60_000);
	assert.equal(told(h).length, 1);
});

test("values alone are told once a minute, the newest, and only when the text is another", async () => {
	const h = watched(ALICE);
	await h.report("weather", { temperature: "21.0" });
	told(h);
	const seen: [second: number, text: string][] = [];
	for (let second = 1; second <= 200; second++) {
		await h.report("weather", { temperature: (21 + second / 100).toFixed(2) });
		await h.clock.advance(1_000);
		for (const text of told(h)) seen.push([second, text]);
	}
	assert.deepEqual(seen, [[5, "alice: online 21.05 °C"], [65, "alice: online 21.65 °C"], [125, "alice: online 22.25 °C"], [185, "alice: online 22.85 °C"]]);
	await h.clock.advance(600_000);
	told(h);
	await h.report("weather", { temperature: "24" });
	await h.clock.advance(60_000);
	assert.deepEqual(told(h), ["alice: online 24 °C"]);
	await h.report("weather", { temperature: "25" });
	await h.report("weather", { temperature: "24" });
	await h.clock.advance(60_000);
	assert.deepEqual(told(h), []);
});

test("a state that changed is told within five seconds, though a measured value was told just before", async () => {
	const h = wing({ store: new MemoryStore({ device: "pump-1", contact: ALICE, from: true }) });
	await h.report("pump-1", { flow: "3.0", running: false });
	await h.clock.advance(6_000);
	await h.report("pump-1", { flow: "3.2" });
	await h.clock.advance(6_000);
	told(h);
	await h.report("pump-1", { flow: "3.5" });
	await h.clock.advance(6_000);
	assert.deepEqual(told(h), []);
	await h.report("pump-1", { running: true });
	await h.clock.advance(5_000);
	assert.deepEqual(told(h), ["alice: online 3.5 L/min · running on"]);
	for (let second = 0; second < 20; second++) {
		await h.report("pump-1", { running: second % 2 === 0 });
		await h.clock.advance(1_000);
	}
	assert.ok(told(h).length <= 4);
});

test("values that come together in several messages make one status", async () => {
	const h = watched(ALICE);
	await h.report("weather", { temperature: "21.5" });
	await h.clock.advance(100_000);
	told(h);
	await h.report("weather", { temperature: "22.5" });
	await h.report("weather", { humidity: "45" });
	await h.clock.advance(1_000);
	assert.deepEqual(told(h), ["alice: online 22.5 °C · 45 %RH"]);
});

test("values that never pause are told all the same", async () => {
	const h = watched(ALICE);
	await h.report("weather", { temperature: "0" });
	told(h);
	for (let n = 1; n <= 30; n++) {
		await h.report("weather", { temperature: String(n) });
		await h.clock.advance(200);
	}
	assert.deepEqual(told(h), ["alice: online 25 °C"]);
});

test("a point that the source adds later is shown to who may read it", async () => {
	const h = wing({ store: new MemoryStore({ device: "weather", contact: ALICE, from: true }, { device: "weather", contact: BOB, from: true }) });
	await h.report("weather", { temperature: "21.5" });
	await h.clock.advance(60_000);
	told(h);
	await h.announce("weather", { ...WEATHER, wind: { kind: "numeric", access: "r", unit: "m/s" } });
	await h.report("weather", { wind: "3" });
	await h.clock.advance(60_000);
	assert.deepEqual(told(h), ["alice: online 21.5 °C · 3 m/s"]);
});

test("who subscribes again is told the present, and not what was so when he left", async () => {
	const h = watched(ALICE);
	await h.report("weather", { temperature: "21.5" });
	await h.hear(presenceStanza("unsubscribe", ALICE, `weather@${DOMAIN}`));
	await h.report("weather", { temperature: "30.5" });
	told(h);
	await h.hear(presenceStanza("subscribe", ALICE, `weather@${DOMAIN}`));
	assert.deepEqual(told(h), ["alice: subscribed", "alice: online 30.5 °C"]);
});

test("a value that nothing renews does not look fresh to who comes later", async () => {
	const h = watched(ALICE);
	await h.report("weather", { temperature: "21.5" });
	await h.clock.advance(3 * 3_600_000);
	told(h);
	await h.hear(presenceStanza("probe", ALICE, `weather@${DOMAIN}`));
	assert.deepEqual(told(h), ["alice: online 21.5 °C (3 h ago)"]);
});

test("a reading of a device that nobody watches costs no timer", async () => {
	const h = wing();
	for (let n = 0; n < 10; n++) await h.report("weather", { temperature: String(n) });
	assert.equal(h.clock.pending, 0);
	assert.deepEqual(h.take(), []);
});

test("a burst goes out at two hundred a second, and what changes meanwhile goes ahead of it, once", async () => {
	const devices: Record<string, Omit<Announcement, "address">> = {};
	for (let n = 0; n < 1_000; n++) devices[`d${n}`] = { points: WEATHER };
	const h = wing({ devices, store: new MemoryStore(...Object.keys(devices).map((device) => ({ device, contact: ALICE, from: true })), { device: "", contact: ALICE, from: true }), online: false });
	for (const twin of h.registry.all()) twin.say("online", undefined, h.clock.now());
	await h.connect();
	assert.equal(h.sent.length, 200);
	assert.match(h.sent[0] ?? "", new RegExp(`from='${DOMAIN}/thing'`));
	await h.state("d900", "faulty");
	await h.clock.advance(1_000);
	assert.ok(h.sent.length >= 395 && h.sent.length <= 405, `${h.sent.length} in the first second`);
	assert.ok(h.sent.slice(200, 205).some((stanza) => stanza.includes("from='d900@")), "the change goes ahead");
	await h.clock.advance(4_000);
	assert.equal(h.sent.length, 1_001);
	assert.equal(h.sent.filter((stanza) => stanza.includes("from='d900@")).length, 1);
	assert.equal(h.clock.pending, 0);
});

test("what waits is told as it is when its turn comes, and not at all after an unsubscribe", async () => {
	const devices: Record<string, Omit<Announcement, "address">> = {};
	for (let n = 0; n < 300; n++) devices[`d${n}`] = { points: WEATHER };
	const h = wing({ devices, store: new MemoryStore(...Object.keys(devices).map((device) => ({ device, contact: ALICE, from: true }))), online: false });
	for (const twin of h.registry.all()) twin.say("online", undefined, h.clock.now());
	await h.connect();
	h.take();
	await h.report("d298", { temperature: "1" });
	await h.report("d298", { temperature: "2" });
	await h.hear(presenceStanza("unsubscribe", ALICE, `d299@${DOMAIN}`));
	h.take();
	await h.clock.advance(2_000);
	const sent = h.take();
	assert.equal(sent.length, 99);
	assert.deepEqual(sent.filter((stanza) => stanza.includes("'d298@")).map((stanza) => /<status>(.*)<\/status>/.exec(stanza)?.[1]), ["2 °C"]);
	assert.ok(!sent.some((stanza) => stanza.includes("'d299@")));
});

test("a stream that has no room is asked again, and nothing is lost", async () => {
	const h = watched(ALICE, BOB);
	h.room = false;
	await h.report("weather", { temperature: "21.5" });
	assert.deepEqual(told(h), []);
	h.room = true;
	await h.clock.advance(500);
	assert.deepEqual(told(h), ["alice: online 21.5 °C", "bob: online 21.5 °C"]);
});

test("while the uplink is down nothing waits: the next session begins with the present", async () => {
	const h = watched(ALICE);
	h.disconnect();
	await h.report("weather", { temperature: "21.5" });
	await h.state("weather", "faulty");
	assert.equal(h.clock.pending, 0);
	await h.connect();
	assert.deepEqual(told(h), ["alice: dnd 21.5 °C"]);
});

test("a contact whose server cannot be reached is left alone for a minute, then for longer, and told at once when he is heard", async () => {
	const bounce = presenceStanza("error", ALICE, THING, "<error type='wait'><remote-server-timeout xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>");
	const h = watched(ALICE, BOB);
	await h.report("weather", { temperature: "21.5" });
	h.take();
	await h.hear(bounce);
	await h.state("weather", "faulty");
	await h.clock.advance(59_000);
	assert.deepEqual(told(h), ["bob: dnd 21.5 °C"]);
	await h.clock.advance(1_000);
	assert.deepEqual(told(h), ["alice: dnd 21.5 °C"]);
	await h.hear(bounce);
	await h.clock.advance(119_000);
	assert.deepEqual(told(h), []);
	await h.hear(presenceStanza(undefined, `${ALICE}/desk`, THING));
	assert.deepEqual(told(h), ["alice: dnd 21.5 °C"]);
	assert.equal(h.clock.pending, 0);
});

test("the presences of one moment that bounce together count as one failure", async () => {
	const h = wing({ store: new MemoryStore({ device: "weather", contact: ALICE, from: true }, { device: "pump-1", contact: ALICE, from: true }) });
	await h.connect();
	h.take();
	for (const device of ["weather", "pump-1"]) await h.hear(presenceStanza("error", ALICE, `${device}@${DOMAIN}/thing`, "<error type='cancel'><remote-server-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"));
	await h.clock.advance(60_000);
	assert.equal(h.take().length, 2);
});

test("who loses access is told unavailable, once, and nothing after that", async () => {
	const h = watched(ALICE, BOB);
	await h.report("weather", { temperature: "21.5" });
	told(h);
	h.setRules(RULES.filter(({ who }) => who !== BOB));
	h.presence.accessChanged();
	assert.deepEqual(told(h), ["bob: unavailable"]);
	await h.state("weather", "faulty");
	await h.clock.advance(5_000);
	assert.deepEqual(told(h), ["alice: dnd 21.5 °C"]);
});

test("G7: a device that gets a point to set announces other capabilities with its next presence", async () => {
	const control: XepModule = { features: { writableDevice: ["urn:xmpp:iot:control"] } };
	const h = wing({ store: new MemoryStore({ device: "weather", contact: ALICE, from: true }) }, {}, [control]);
	await h.report("weather", { temperature: "21.5" });
	const ver = (): string | undefined => /ver='([^']+)'/.exec(h.take().at(-1) ?? "")?.[1];
	const before = ver();
	await h.announce("weather", { ...WEATHER, heater: PUMP["running"]! });
	await h.clock.advance(60_000);
	const after = ver();
	assert.ok(before !== undefined && after !== undefined && before !== after, `${before} ${after}`);
});

test("an id that no address can carry is told to nobody, and breaks nothing", async () => {
	const h = wing({ devices: { "a\u0007b": WEATHER, weather: WEATHER }, store: new MemoryStore({ device: "a\u0007b", contact: ALICE, from: true }, { device: "weather", contact: ALICE, from: true }) });
	await h.connect();
	await h.report("a\u0007b", { temperature: "1" });
	await h.remove("a\u0007b");
	await h.clock.advance(5_000);
	assert.equal(h.take().length, 1);
	h.close();
	assert.deepEqual(h.complaints, []);
});

/** What alice is told, second by second: `12 away flapping ×7 in 10 min`. */
async function seconds(h: Wing, count: number, each: (second: number) => Promise<void>): Promise<string[]> {
	const seen: string[] = [];
	for (let second = 1; second <= count; second++) {
		await each(second);
		await h.clock.advance(1_000);
		await h.judge("weather");
		for (const line of told(h)) seen.push(`${second} ${line.replace("alice: ", "")}`);
	}
	return seen;
}

test("after the start nobody is told that a device is not there before it had the time to be heard", async () => {
	const h = watched(ALICE, BOB);
	h.disconnect();
	await h.connect();
	assert.deepEqual(told(h), []);
	await h.clock.advance(2_000);
	// A retained value is no life, and worth no stanza.
	await h.report("weather", { temperature: "20.0" }, { retained: true, ageUnknown: true });
	await h.clock.advance(2_000);
	assert.deepEqual(told(h), []);
	await h.report("weather", { temperature: "21.5" });
	assert.deepEqual(told(h), ["alice: online 21.5 °C", "bob: online 21.5 °C"]);
	await h.clock.advance(60_000);
	assert.deepEqual(told(h), []);
	assert.equal(h.clock.pending, 0);
});

test("what is still unknown five seconds after the start is told so, once, also of a device that is not there at all", async () => {
	const h = wing({ store: new MemoryStore({ device: "weather", contact: ALICE, from: true }, { device: "lost", contact: ALICE, from: true }), online: false });
	await h.connect();
	await h.clock.advance(4_999);
	assert.deepEqual(told(h), []);
	await h.clock.advance(1);
	assert.deepEqual(told(h), ["alice: unavailable not heard from yet", "alice: unavailable"]);
	await h.clock.advance(60_000);
	assert.deepEqual(told(h), []);
	await h.report("weather", { temperature: "21.5" });
	assert.deepEqual(told(h), ["alice: online 21.5 °C"]);
});

test("a restart that finds a device explicitly offline tells so at once, and who asks is answered at once", async () => {
	const h = watched(ALICE);
	h.disconnect();
	h.twin("weather").say("offline", "last will", h.clock.now());
	await h.connect();
	assert.deepEqual(told(h), ["alice: unavailable last will"]);
	const young = watched(ALICE);
	young.disconnect();
	await young.connect();
	await young.hear(presenceStanza("probe", ALICE, `weather@${DOMAIN}`));
	assert.deepEqual(told(young), ["alice: unavailable not heard from yet"]);
});

test("an uplink that comes back while a link is down does not send devices away that come back within five seconds", async () => {
	const h = watched(ALICE);
	await h.report("weather", { temperature: "21.5" });
	h.disconnect();
	h.twin("weather").link("its link \"farm\" is down", h.clock.now());
	await h.clock.advance(60_000);
	await h.judge("weather");
	h.take();
	await h.connect();
	assert.equal(h.twin("weather").availability, "unknown");
	await h.clock.advance(3_000);
	h.twin("weather").link(undefined, h.clock.now());
	await h.report("weather", { temperature: "21.5" });
	assert.deepEqual(told(h), ["alice: online 21.5 °C"]);
	// Lost again: now he knows better, and is told.
	await h.change(h.twin("weather").link("its link \"farm\" is down", h.clock.now()));
	await h.clock.advance(6_000);
	await h.judge("weather");
	assert.deepEqual(told(h), ["alice: unavailable its link &quot;farm&quot; is down"]);
	h.close();
	assert.equal(h.clock.pending, 0);
});

test("a device that flaps is away with the count as its reason, costs no presence each time, and is itself again two minutes after the last one", async () => {
	const h = watched(ALICE);
	await h.report("weather", { temperature: "21.5" });
	await h.clock.advance(60_000);
	told(h);
	const flapping = await seconds(h, 295, async (second) => {
		if (second % 10 === 0) await h.state("weather", "offline", "last will");
		if (second % 10 === 2) await h.state("weather", "online");
	});
	const away = flapping.filter((line) => line.includes("away"));
	assert.match(away[0] ?? "", /^\d+ away flapping ×7 in 10 min$/);
	assert.ok(Number((away[0] ?? "").split(" ")[0]) <= 45, flapping.join("\n"));
	assert.equal(flapping.at(-1), away.at(-1));
	assert.ok(flapping.length <= 8, flapping.join("\n"));
	const calm = await seconds(h, 130, async () => {});
	assert.deepEqual(calm.filter((line) => !line.includes("away")).map((line) => line.replace(/^\d+ /, "")), ["online 21.5 °C"]);
});

test("a flapping device with values and states is told at most once a minute while it flaps", async () => {
	const h = wing({ store: new MemoryStore({ device: "weather", contact: ALICE, from: true }), devices: { weather: PUMP } });
	await h.report("weather", { running: true });
	for (let flap = 0; flap < 8; flap++) {
		await h.clock.advance(3_000);
		await h.state("weather", flap % 2 === 0 ? "offline" : "online");
	}
	await h.clock.advance(5_000);
	told(h);
	const seen = await seconds(h, 120, async (second) => {
		await h.state("weather", second % 2 === 0 ? "online" : "offline");
		await h.report("weather", { running: second % 4 < 2, flow: String(second) });
	});
	assert.ok(seen.length <= 2, seen.join("\n"));
	assert.ok(seen.every((line) => /away flapping ×\d+( or more)? in 10 min$/.test(line)), seen.join("\n"));
});

test("an explicit offline that stays is told within ten seconds, however much the device flapped before it", async () => {
	for (let flaps = 1; flaps <= 12; flaps++) {
		for (const gap of [300, 1_700, 4_900, 7_000]) {
			const h = watched(ALICE);
			await h.report("weather", { temperature: "21.5" });
			for (let flap = 0; flap < flaps; flap++) {
				await h.clock.advance(gap);
				await h.state("weather", flap % 2 === flaps % 2 ? "online" : "offline", "last will");
				await h.judge("weather");
			}
			assert.equal(h.twin("weather").reachable, false);
			const seen: string[] = [];
			for (let second = 0; second < 10; second++) {
				seen.push(...told(h));
				await h.clock.advance(1_000);
				await h.judge("weather");
			}
			seen.push(...told(h));
			assert.match(seen.at(-1) ?? "", /^alice: unavailable last will/, `${flaps} flaps, every ${gap} ms: ${seen.join(", ")}`);
		}
	}
});

test("a status says that a value has become stale, of which moment it is, and when it is fresh again", async () => {
	const h = watched(ALICE);
	const rules = [{ points: ["weather.temperature"], maxAge: 600_000 }];
	h.registry.report(rules);
	const policy = new ReportPolicy(rules);
	const pass = async (): Promise<void> => { for (const change of policy.due(h.clock.now())) if (change) for (const module of h.modules) module.changed?.(change); };
	policy.follow(h.twin("weather"), h.clock.now());
	await h.report("weather", { temperature: "21.5" });
	told(h);
	const seen: string[] = [];
	for (let second = 1; second <= 660; second++) {
		await h.clock.advance(1_000);
		await pass();
		seen.push(...told(h).map((line) => `${second} ${line}`));
	}
	assert.deepEqual(seen, ["602 alice: online 21.5 °C (stale: of 00:00 UTC)"]);
	await h.clock.advance(60_000);
	const change = h.twin("weather").apply([{ ...h.twin("weather").readings.get("temperature")!, at: h.clock.now(), received: h.clock.now() }], true, h.clock.now());
	assert.deepEqual([change.readings, change.aged], [[], ["temperature"]]);
	for (const module of h.modules) module.changed?.(policy.take(change, h.clock.now()));
	await h.clock.advance(60_000);
	assert.deepEqual(told(h), ["alice: online 21.5 °C"]);
});

test("answers to probes go out at their own pace, each asker in turn, as it is by then; who unsubscribes meanwhile gets none", async () => {
	const devices: Record<string, Omit<Announcement, "address">> = { weather: { points: WEATHER } };
	for (let n = 0; n < 2_000; n++) devices[`d${n}`] = { points: WEATHER };
	const h = wing({ devices, store: new MemoryStore(...Object.keys(devices).map((device) => ({ device, contact: ALICE, from: true })), { device: "weather", contact: BOB, from: true }) });
	for (const twin of h.registry.all()) twin.say("online", undefined, h.clock.now());
	await h.connect();
	await h.clock.advance(60_000);
	h.take();
	for (let n = 0; n < 2_000; n++) h.receive(presenceStanza("probe", `${ALICE}/desk`, `d${n}@${DOMAIN}`));
	assert.equal(h.take().length, 200);
	h.receive(presenceStanza("probe", `${ALICE}/desk`, `d1999@${DOMAIN}`)); // a second time: one answer
	h.receive(presenceStanza("probe", `${BOB}/desk`, `weather@${DOMAIN}`));
	await h.hear(presenceStanza("unsubscribe", ALICE, `d1998@${DOMAIN}`));
	await h.clock.advance(100);
	assert.ok(h.take().some((stanza) => stanza.includes(`to='${BOB}/desk'`)), "Bob does not wait for all of Alice's");
	// A change is not held up either.
	await h.state("d7", "faulty");
	assert.ok(h.take().some((stanza) => stanza.includes("from='d7@") && stanza.includes("<show>dnd</show>")));
	await h.state("d1900", "faulty");
	await h.clock.advance(1_000);
	h.take();
	await h.clock.advance(30_000);
	const late = h.take();
	const of = (id: string): string[] => late.filter((stanza) => stanza.includes(`from='${id}@`) && stanza.includes(`to='${ALICE}/desk'`));
	assert.ok(late.length > 1_500 && late.length < 1_800, `${late.length}`);
	assert.deepEqual([of("d1900").length, of("d1998").length, of("d1999").length], [1, 0, 1]);
	assert.match(of("d1900")[0]!, /<show>dnd<\/show>/);
	assert.equal(h.clock.pending, 0);
});

test("probes of one contact that wait for an answer are bounded, and forgotten with the session", async () => {
	const h = watched(ALICE);
	h.room = false;
	for (let n = 0; n < 20_500; n++) {
		h.receive(presenceStanza("probe", `${ALICE}/r${n}`, `weather@${DOMAIN}`));
		if (n % 500 === 0) await h.clock.advance(2_500); // no faster than the door lets through
	}
	h.room = true;
	await h.clock.advance(300_000);
	const said = h.take().filter((stanza) => stanza.includes(`to='${ALICE}/r`));
	assert.equal(said.length, 20_000);
	assert.ok(said.at(-1)!.includes("/r20499'"));
	for (let n = 0; n < 500; n++) h.receive(presenceStanza("probe", `${ALICE}/r${n}`, `weather@${DOMAIN}`));
	h.take();
	h.disconnect();
	await h.clock.advance(1_000);
	await h.connect();
	await h.clock.advance(10_000);
	assert.ok(!h.take().some((stanza) => stanza.includes(`to='${ALICE}/`)));
});

test("what a stream without room refuses is said later, in its order: an answer to a probe, to a subscribe, the farewell of a device", async () => {
	const h = wing({ store: new MemoryStore({ device: "weather", contact: ALICE, from: true }, { device: "weather", contact: BOB, from: true, to: true }) });
	await h.state("weather", "online");
	await h.connect();
	await h.clock.advance(10_000);
	h.take();
	h.room = false;
	await h.hear(presenceStanza("probe", `${ALICE}/new`, `weather@${DOMAIN}`));
	await h.hear(presenceStanza("subscribe", ALICE, `pump-1@${DOMAIN}`));
	h.room = true;
	await h.clock.advance(500);
	const short = (stanza: string): string => `${/type='(\w+)'/.exec(stanza)?.[1] ?? "available"} ${/from='([^@]+)@/.exec(stanza)![1]} ${/to='([^@]+)@[^/']+(\/\w+)?/.exec(stanza)!.slice(1).join("")}`;
	assert.deepEqual(h.take().map(short), ["subscribed pump-1 alice", "unavailable pump-1 alice", "available weather alice/new"]);
	h.room = false;
	await h.remove("weather");
	h.room = true;
	await h.clock.advance(500);
	assert.deepEqual(h.take().map(short), ["unavailable weather alice", "unsubscribed weather alice", "unavailable weather bob", "unsubscribed weather bob", "unsubscribe weather bob"]);
	assert.equal(h.clock.pending, 0);
	h.room = false;
	await h.hear(presenceStanza("unsubscribe", ALICE, `pump-1@${DOMAIN}`));
	h.room = true;
	h.close();
	assert.deepEqual(h.take().map(short), ["unavailable pump-1 alice"], "before the end at the latest");
});

test("whom no rule names any more hears one last word of each device, in no later session another one, and is back when a rule is", async () => {
	const store = new MemoryStore(...["weather", "gone-1", ""].map((device) => ({ device, contact: BOB, from: true })), { device: "weather", contact: ALICE, from: true });
	const gone: string[] = [];
	const h = wing({ store }, { onContactGone: (jid, device) => gone.push(`${jid} ${device}`) });
	const ofBob = (): string[] => h.take().filter((stanza) => stanza.includes(BOB)).map((stanza) => `${/type='(\w+)'/.exec(stanza)?.[1] ?? "available"} ${/from='([^'/]+)/.exec(stanza)![1]}`).sort();
	await h.state("weather", "online");
	await h.connect();
	await h.clock.advance(10_000);
	h.take();
	h.setRules(RULES.filter(({ who }) => who !== BOB));
	h.presence.accessChanged();
	await h.clock.advance(10_000);
	assert.deepEqual(ofBob(), [`unavailable ${DOMAIN}`, `unavailable weather@${DOMAIN}`], "of gone-1 he knows it already");
	for (let session = 0; session < 3; session++) {
		h.disconnect();
		await h.connect();
		await h.state("weather", session === 1 ? "online" : "offline");
		await h.clock.advance(10_000);
		assert.deepEqual(ofBob(), session === 0 ? [`unavailable gone-1@${DOMAIN}`] : [], String(session));
	}
	assert.deepEqual(gone.sort(), [`${BOB} `, `${BOB} gone-1`, `${BOB} weather`]);
	assert.ok([...store.kept.values()].every(({ contact, from, pendingIn }) => (contact === BOB ? !from && pendingIn : from)));
	await h.state("weather", "online");
	h.setRules(RULES);
	h.presence.accessChanged();
	await h.clock.advance(10_000);
	assert.deepEqual(ofBob(), [`available ${DOMAIN}`, `available weather@${DOMAIN}`, `subscribed ${DOMAIN}`, `subscribed weather@${DOMAIN}`]);

	// The rules may have changed while the gateway was stopped, and a device is announced after the uplink is there.
	const later = wing({ devices: {}, store: new MemoryStore({ device: "weather", contact: BOB, pendingIn: true }, { device: "", contact: BOB, pendingIn: true }) });
	await later.connect();
	assert.deepEqual(later.take().filter((stanza) => stanza.includes("'subscribed'")).length, 1);
	await later.announce("weather", WEATHER);
	assert.deepEqual(later.take().filter((stanza) => stanza.includes("'subscribed'")).length, 1);
});

test("a viewer of a point that its device has not announced yet keeps his subscription", async () => {
	const h = wing({ devices: { weather: {} }, store: new MemoryStore({ device: "weather", contact: BOB, from: true }) });
	await h.connect();
	await h.clock.advance(10_000);
	assert.equal(h.subscriptions.get("weather", BOB)?.from, true);
	await h.announce("weather", WEATHER);
	await h.state("weather", "online");
	await h.clock.advance(10_000);
	assert.match(h.take().at(-1)!, /^<presence from='weather@/);
});
