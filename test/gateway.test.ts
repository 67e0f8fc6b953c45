import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { Access } from "../src/core/access.js";
import { LOCAL } from "../src/core/command.js";
import type { Announcement } from "../src/core/device.js";
import { GatewayError } from "../src/core/errors.js";
import { Registry } from "../src/core/registry.js";
import { numericFromText, textOf } from "../src/core/value.js";
import { startGateway } from "../src/gateway.js";
import type { XepModule } from "../src/north/module.js";
import type { Link, LinkEars, Outgoing, Packet } from "../src/south/link.js";
import type { Dialect, Meaning } from "../src/south/meaning.js";
import { Store } from "../src/store/store.js";
import { MemoryStream } from "../src/xmpp/memory.js";
import { FakeClock, settle } from "./fakes/clock.js";
import { MemoryLog } from "./fakes/log.js";

const BOILER: Announcement = {
	address: "b1", name: "Boiler",
	points: { setpoint: { kind: "numeric", access: "rw", unit: "°C", min: 5, max: 30 }, reset: { kind: "boolean", access: "w" }, flow: { kind: "numeric", access: "r" } },
};
const n = (text: string) => numericFromText(text)!;

/** A roof over a link, a dialect and a module that the test holds in its hands. */
async function roof(t: TestContext, module: XepModule = {}) {
	const folder = mkdtempSync(join(tmpdir(), "jidway-roof-"));
	const clock = new FakeClock();
	const log = new MemoryLog();
	const stream = new MemoryStream();
	const sent: Outgoing[] = [];
	let ears: LinkEars | undefined;
	let taken = 0;
	const hands = { meaning: {} as Meaning | (() => never), sending: async (_out: Outgoing): Promise<void> => undefined };
	const link: Link = {
		id: "farm",
		run: (given, signal) => {
			ears = given;
			given.state({ up: true });
			return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
		},
		send: async (out) => {
			sent.push(out);
			await hands.sending(out);
		},
	};
	const dialect: Dialect = {
		announced: () => [BOILER],
		decode: () => (typeof hands.meaning === "function" ? hands.meaning() : hands.meaning),
		encode: (address, point, value) => [{ kind: "line", text: `${address} ${point} ${textOf(value)}` }],
	};
	const store = await Store.open({ folder, clock, log, thread: false });
	const gateway = startGateway({
		domain: "things.example.org", name: "Test", roads: [{ link, dialect }], registry: new Registry(), store, stream, clock, log,
		access: new Access([{ who: "alice@example.org", role: "owner" }, { who: "bob@example.org", role: "viewer" }]),
		north: () => ({ modules: [module], router: { receive: () => undefined } }),
	});
	t.after(async () => {
		await gateway.stop();
		rmSync(folder, { recursive: true, force: true });
	});
	const hear = (meaning: Meaning | (() => never), retained = false): void => {
		hands.meaning = meaning;
		const packet: Packet = { body: { kind: "message", topic: "t", payload: new Uint8Array(), retained }, received: clock.now(), taken: () => void taken++ };
		ears!.packet(packet);
	};
	return { gateway, clock, log, stream, sent, hands, hear, ears: () => ears!, taken: () => taken, store };
}

const command = (point: string, value: Parameters<typeof textOf>[0], by = "alice@example.org") => ({ device: "b1", point, value, by });

test("a packet is taken after its readings are, and even when the dialect fails on it", async (t) => {
	const changes: string[] = [];
	const r = await roof(t, { changed: ({ twin, readings }) => void changes.push(`${twin.device.id} ${readings.map(({ value }) => textOf(value)).join(",")} taken:${r.taken()}`) });
	r.hear({ told: [{ address: "b1", point: "setpoint", value: n("21.50") }], heard: ["b1"] });
	r.hear(() => { throw new Error("a bug"); });
	assert.equal(r.taken(), 2);
	assert.equal(changes[0], "b1 21.50 taken:0");
	assert.match(r.log.lines.join("\n"), /error Cannot decode a message of link "farm": a bug/);
});

test("a value of a point that the device no longer has, and of a device that nobody announced, is left out", async (t) => {
	const r = await roof(t);
	r.hear({ told: [{ address: "b1", point: "gone", value: true }, { address: "nobody", point: "setpoint", value: n("1") }] });
	assert.equal(r.gateway.registry.byId("b1").readings.size, 0);
	assert.equal(r.gateway.registry.size, 1);
});

// [what, command, fault, how much was sent]
const REFUSED = [
	["by a viewer", command("setpoint", n("20"), "bob@example.org"), "forbidden"],
	["by a stranger", command("setpoint", n("20"), "mallory@example.org"), "forbidden"],
	["by somebody whose address only contains an owner's", command("setpoint", n("20"), "alice@example.org.evil.example"), "forbidden"],
	["out of range", command("setpoint", n("31")), "bad-value"],
	["of another kind", command("setpoint", true), "bad-value"],
	["to a read-only point", command("flow", n("1")), "not-writable"],
	["to an unknown point", command("nothing", n("1")), "unknown-point"],
	["to an unknown device", { ...command("setpoint", n("20")), device: "b2" }, "unknown-device"],
] as const;
for (const [what, wish, fault] of REFUSED) {
	test(`execute() refuses a command ${what}, and sends nothing`, async (t) => {
		const r = await roof(t);
		await assert.rejects(r.gateway.execute(wish), { name: "GatewayError", fault });
		assert.deepEqual(r.sent, []);
	});
}

test("execute() is confirmed by a live reading that comes after it", async (t) => {
	const r = await roof(t);
	const done = r.gateway.execute(command("setpoint", n("22")));
	await settle();
	assert.deepEqual(r.sent, [{ kind: "line", text: "b1 setpoint 22" }]);
	r.hear({ told: [{ address: "b1", point: "setpoint", value: n("22.0") }] }, true);
	await settle();
	r.hear({ told: [{ address: "b1", point: "setpoint", value: n("22.0") }] });
	const outcome = await done;
	assert.equal(outcome.kind === "confirmed" && textOf(outcome.reading.value), "22.0");
	assert.equal(r.clock.pending <= 3, true); // the silence watch, the next flush and the upkeep of the store, no timer of the command
});

test("execute() of a point that is not reported is sent, not confirmed", async (t) => {
	const r = await roof(t);
	assert.deepEqual(await r.gateway.execute(command("reset", true, LOCAL)), { kind: "sent" });
});

test("execute() fails at once when the link cannot send, and stops waiting for a confirmation", async (t) => {
	const r = await roof(t);
	r.hands.sending = async () => { throw new GatewayError("link-down", "Cannot publish: the broker is gone"); };
	await assert.rejects(r.gateway.execute(command("setpoint", n("22"))), { fault: "link-down", message: /the broker is gone/ });
	await settle();
	assert.equal(r.clock.pending <= 3, true);
});

test("execute() tells an offline device's asker so, without sending", async (t) => {
	const r = await roof(t);
	r.hear({ states: [{ address: "b1", state: "offline", reason: "last will" }] });
	await assert.rejects(r.gateway.execute(command("setpoint", n("22"))), { fault: "device-offline", message: /Boiler is offline \(last will\)/ });
	r.ears().state({ up: false, reason: "the broker is gone" });
	await assert.rejects(r.gateway.execute(command("setpoint", n("22"))), { fault: "device-offline", message: 'Cannot set "setpoint": its link "farm" is down' });
	assert.deepEqual(r.sent, []);
});

test("the bound of commands holds after commands that overlapped and ended", async (t) => {
	const r = await roof(t);
	const first = r.gateway.execute(command("setpoint", n("6")));
	const second = r.gateway.execute(command("setpoint", n("7")));
	await settle();
	r.hear({ told: [{ address: "b1", point: "setpoint", value: n("6") }], heard: ["b1"] });
	await first;
	r.hear({ told: [{ address: "b1", point: "setpoint", value: n("7") }], heard: ["b1"] });
	await second;
	const all = Array.from({ length: 40 }, () => r.gateway.execute(command("setpoint", n("20"))).then(() => "done", (error: GatewayError) => error.fault));
	await settle();
	assert.equal(r.sent.length, 2 + 32);
	await r.clock.advance(10_000);
	assert.equal((await Promise.all(all)).filter((end) => end === "busy").length, 8);
});

test("a device that is heard each time too late does not flap: it stays late, through the roof as in the twin", async (t) => {
	const seen: string[] = [];
	const r = await roof(t, { changed: ({ twin, availability }) => { if (availability) seen.push(twin.availability); } });
	r.hear({ announced: [{ ...BOILER, every: 60_000 }] });
	for (let beat = 0; beat < 8; beat++) {
		r.hear({ told: [{ address: "b1", point: "flow", value: n(String(beat)) }], heard: ["b1"] });
		await r.clock.advance(200_000);
	}
	assert.deepEqual(seen, ["online", "late"]);
	for (let beat = 0; beat < 3; beat++) {
		r.hear({ told: [{ address: "b1", point: "flow", value: n(String(beat)) }], heard: ["b1"] });
		await r.clock.advance(60_000);
	}
	assert.deepEqual(seen, ["online", "late", "online"]);
});

test("a module that fails silences neither the others nor the gateway", async (t) => {
	const r = await roof(t, { changed: () => { throw new Error("a bug"); } });
	r.hear({ told: [{ address: "b1", point: "setpoint", value: n("21") }], heard: ["b1"] });
	assert.equal(r.taken(), 1);
	assert.match(r.log.lines.join("\n"), /error A part of the gateway failed: a bug/);
});

test("execute() bounds the commands on their way to one device", async (t) => {
	const r = await roof(t);
	const all = Array.from({ length: 40 }, (_, index) => r.gateway.execute(command("setpoint", n(String(5 + index % 20)))).then(() => "done", (error: GatewayError) => error.fault));
	await settle();
	assert.equal(r.sent.length, 32);
	await r.clock.advance(10_000);
	const ends = await Promise.all(all);
	assert.equal(ends.filter((end) => end === "busy").length, 8);
	assert.equal(ends.filter((end) => end === "device-timeout").length, 32);
});

test("stop() lets modules say good-bye while the stream is open, ends pending commands, and writes the twins", async (t) => {
	const said: string[] = [];
	const r = await roof(t, { closing: () => void said.push(`online:${r.stream.online}`) });
	r.hear({ told: [{ address: "b1", point: "setpoint", value: n("21.50") }] });
	const pending = assert.rejects(r.gateway.execute(command("setpoint", n("25"))), { fault: "link-down" });
	await settle();
	await r.gateway.stop();
	await pending;
	assert.deepEqual(said, ["online:true"]);
	await assert.rejects(r.store.append([], { link: "farm", id: 1, hash: "" }), /closed/);
	await r.gateway.ended;
});

test("status() says which road is down and why, and counts what could not be used once a kind", async (t) => {
	const r = await roof(t);
	assert.deepEqual(r.gateway.status().links.map(({ id, up }) => [id, up]), [["farm", true]]);
	r.stream.setOffline("Cannot reach the XMPP server: refused");
	r.ears().state({ up: false, reason: "Cannot reach the broker: refused" });
	for (let i = 0; i < 1_000; i++) r.hear({ misfits: [{ where: "b1", reason: "is no number", sample: "x" }] });
	const status = r.gateway.status();
	assert.equal(status.uplink.up === false && status.uplink.reason, "Cannot reach the XMPP server: refused");
	assert.deepEqual(status.faults.map(({ where, reason, count, sample }) => [where, reason, count, sample]), [["farm: b1", "is no number", 1_000, "x"]]);
	assert.equal(r.log.lines.filter((line) => line.includes("is no number")).length, 1);
});

test("a device is known by what its topics said in an earlier run, before its link is opened: what a broker has kept for us comes first", async (t) => {
	const folder = mkdtempSync(join(tmpdir(), "jidway-roof-"));
	t.after(() => rmSync(folder, { recursive: true, force: true }));
	const clock = new FakeClock();
	const log = new MemoryLog();
	const run = async (script: (hear: (topic: string, payload: string, retained: boolean) => void, devices: () => string[]) => void): Promise<void> => {
		const store = await Store.open({ folder, clock, log, thread: false });
		let ears: LinkEars | undefined;
		const link: Link = {
			id: "farm", send: async () => undefined,
			run: (given, signal) => {
				ears = given;
				return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
			},
		};
		const dialect: Dialect = {
			announced: () => [], encode: () => [],
			decode: ({ body }) => {
				if (body.kind !== "message") return {};
				const text = Buffer.from(body.payload).toString();
				if (body.topic === "config") return text === "" ? { gone: ["b1"] } : { announced: [{ ...BOILER, name: text }] };
				return { told: [{ address: "b1", point: "setpoint", value: n(text) }] };
			},
		};
		const gateway = startGateway({
			domain: "things.example.org", name: "Test", roads: [{ link, dialect, described: await store.descriptions("farm") }], registry: new Registry(), store, stream: new MemoryStream(), clock, log,
			access: new Access([]), north: () => ({ modules: [], router: { receive: () => undefined } }),
		});
		script((topic, payload, retained) => ears!.packet({ body: { kind: "message", topic, payload: Buffer.from(payload), retained }, received: clock.now(), taken: () => undefined }), () => [...gateway.registry.all()].map(({ device }) => device.name));
		await settle();
		await gateway.stop();
	};
	await run((hear) => {
		hear("config", "Boiler one", true);
		hear("config", "Boiler two", false);
	});
	await run((hear, devices) => {
		assert.deepEqual(devices(), ["Boiler two"]);
		hear("config", "", false);
		assert.deepEqual(devices(), []);
	});
	await run((_hear, devices) => assert.deepEqual(devices(), []));
});
