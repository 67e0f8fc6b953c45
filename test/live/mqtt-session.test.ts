// The MQTT session against Mosquitto: what only a broker of somebody else can vouch for.

import assert from "node:assert/strict";
import { setMaxListeners } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { afterEach, describe, test } from "node:test";
import type { Clock } from "../../src/core/clock.js";
import type { LinkState, Packet } from "../../src/south/link.js";
import type { MqttOptions } from "../../src/south/mqtt/options.js";
import { MqttLink } from "../../src/south/mqtt/session.js";
import { startMosquitto } from "./servers/mosquitto.js";
import { waitUntil } from "./servers/processes.js";

/** Real time, with shorter pauses between attempts. */
const clock: Clock = {
	now: () => Date.now(),
	after: (span, run) => {
		const timer = setTimeout(run, span > 2_000 && span < 20_000 ? 1_000 : span);
		return () => clearTimeout(timer);
	},
};
const never = new AbortController().signal;
setMaxListeners(1_000, never);
const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
	for (const end of ends.splice(0).reverse()) await end();
});

function run(options: Partial<MqttOptions> & { url: string }, filters: readonly string[], hear: (packet: Packet) => void = (packet) => packet.taken()) {
	const link = new MqttLink("farm", { clientId: "jidway-live-farm", ...options }, clock, () => 0);
	link.listen(filters);
	const abort = new AbortController();
	const texts: string[] = [];
	const packets: Packet[] = [];
	const states: LinkState[] = [];
	const ended = link.run({
		packet: (packet) => {
			assert.ok(packet.body.kind === "message");
			packets.push(packet);
			texts.push(`${packet.body.retained ? "retained " : ""}${Buffer.from(packet.body.payload).toString()}`);
			hear(packet);
		},
		state: (state) => void states.push(state),
		fault: (where, reason) => assert.fail(`${where}: ${reason}`),
	}, abort.signal);
	const stop = async (): Promise<void> => {
		abort.abort();
		await ended;
	};
	ends.push(stop);
	const until = (what: string, is: () => boolean): Promise<void> => waitUntil(what, is, { withinMs: 15_000, logTail: () => JSON.stringify({ texts, states }) });
	return { link, texts, packets, states, stop, until, up: () => until("the link", () => states.at(-1)?.up === true) };
}

const out = (topic: string, payload: string, retain = false) => ({ kind: "message", topic, payload, retain }) as const;

describe("MqttLink with Mosquitto", { skip: existsSync("/usr/sbin/mosquitto") ? false : "needs Mosquitto: apt install mosquitto" }, () => {
	for (const version of [4, 5] as const) {
		test(`version ${version}: 300 messages at once go both ways, in order, whatever window the broker has`, async () => {
			const { url, stop } = await startMosquitto();
			ends.push(stop);
			const a = run({ url, version }, ["burst"], (packet) => void setTimeout(packet.taken, 20));
			await a.up();
			const wanted = Array.from({ length: 300 }, (_, n) => String(n));
			await Promise.all(wanted.map((text) => a.link.send(out("burst", text), never)));
			await a.until("300 messages", () => a.texts.length === 300);
			assert.deepEqual(a.texts, wanted);
			assert.equal(a.states.length, 1);
		});

		test(`version ${version}: what was not taken over before the end comes again, what was does not`, async () => {
			const { url, stop } = await startMosquitto();
			ends.push(stop);
			const first = run({ url, version }, ["t"], () => undefined);
			const sender = run({ url, version, clientId: "sender" }, []);
			await first.up();
			await sender.up();
			await first.link.send(out("t", "a"), never); // the subscription stands when this one is confirmed
			for (const text of ["b", "c"]) await sender.link.send(out("t", text), never);
			await first.until("3 messages", () => first.texts.length === 3);
			first.packets[0]!.taken();
			await first.link.send(out("fence", ""), never);
			await first.stop();
			await sender.link.send(out("t", "while away"), never);
			const second = run({ url, version }, ["t"]);
			await second.until("what was left", () => second.texts.length === 3);
			await second.link.send(out("t", "end"), never);
			await second.until("the end", () => second.texts.includes("end"));
			assert.deepEqual(second.texts, ["b", "c", "while away", "end"]);
		});

		test(`version ${version}: comes back after a restart of the broker, with what was left and with retained messages`, async () => {
			const { url, restart, stop } = await startMosquitto({ persistence: true });
			ends.push(stop);
			const a = run({ url, version }, ["t", "kept"]);
			await a.up();
			await a.link.send(out("kept", "21.5", true), never);
			await a.link.send(out("t", "before"), never);
			await a.until("2 messages", () => a.texts.length === 2);
			await restart();
			await a.until("a loss", () => a.states.length >= 2);
			await a.up();
			await a.link.send(out("t", "after"), never);
			await a.until("all", () => a.texts.includes("after") && a.texts.includes("retained 21.5"));
			assert.deepEqual(a.states.map((state) => state.up), [true, false, true]);
		});
	}

	test("tells a wrong password from a server that is not there", async () => {
		const { url, stop } = await startMosquitto({ users: [{ name: "romeo", password: "secret" }] });
		ends.push(stop);
		for (const version of [4, 5] as const) {
			const wrong = run({ url, version, username: "romeo", password: "wrong" }, []);
			await wrong.until("a refusal", () => wrong.states.length > 0);
			assert.match(JSON.stringify(wrong.states[0]), /username:.*password:/);
			await wrong.stop();
			const right = run({ url, version, username: "romeo", password: "secret" }, []);
			await right.up();
			await right.stop();
		}
	});

	test("trusts a broker's certificate by its authority and its name, and nothing else", async () => {
		const { url, caFile, port, stop } = await startMosquitto({ tls: true });
		ends.push(stop);
		assert.ok(caFile !== undefined);
		const ca = readFileSync(caFile);
		const good = run({ url, ca }, ["t"]);
		await good.up();
		await good.link.send(out("t", "x"), never);
		await good.until("a message", () => good.texts.length === 1);
		const rows: [MqttOptions, RegExp][] = [
			[{ url, clientId: "a" }, /unknown issuer; give the certificate of its authority as \\"ca:\\"/],
			[{ url: `mqtts://127.1:${port}`, ca, clientId: "b" }, /is for another name than that in mqtts:\/\/127\.1/],
			[{ url: `mqtt://127.0.0.1:${port}`, clientId: "c" }, /does it want TLS|a port for TLS wants mqtts/],
		];
		for (const [options, wanted] of rows) {
			const bad = run(options, []);
			await bad.until("a refusal", () => bad.states.length > 0);
			assert.match(JSON.stringify(bad.states[0]), wanted);
			await bad.stop();
		}
		const blind = run({ url, insecure: true, clientId: "d" }, []);
		await blind.up();
	});

	test("says so when another client takes its id", async () => {
		const { url, stop } = await startMosquitto();
		ends.push(stop);
		const first = run({ url, version: 5 }, []);
		await first.up();
		const second = run({ url, version: 5 }, []);
		await second.up();
		await first.until("the loss", () => first.states.length > 1);
		assert.match(JSON.stringify(first.states[1]), /another client has/);
	});
});
