// The broker goes, or is heard no more, or cannot be found: what it keeps for the gateway comes once, whatever happens between.
// What is told here is what the link hands over; that it is in the journal once is for test/live/soak.test.ts.

import assert from "node:assert/strict";
import dns from "node:dns";
import { setMaxListeners } from "node:events";
import { afterEach, describe, mock, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { Clock } from "../../src/core/clock.js";
import type { LinkState, Packet } from "../../src/south/link.js";
import { MqttLink } from "../../src/south/mqtt/session.js";
import { type Mosquitto, startMosquitto } from "./servers/mosquitto.js";
import { waitUntil } from "./servers/processes.js";
import { missing } from "./site.js";
import { Publisher } from "./soak/publisher.js";
import { type SilentProxy, startSilentProxy } from "./soak/silent-proxy.js";

/** Real time, with shorter pauses between attempts. */
const clock: Clock = {
	now: () => Date.now(),
	after: (span, run) => {
		const timer = setTimeout(run, span > 1_500 && span < 20_000 ? 1_000 : span);
		return () => clearTimeout(timer);
	},
};

describe("a link to a broker", { skip: missing("mosquitto") }, () => {
	const ends: (() => unknown)[] = [];
	afterEach(async () => {
		mock.restoreAll();
		for (const end of ends.splice(0).reverse()) await end();
	});

	async function start(): Promise<{ broker: Mosquitto; proxy: SilentProxy }> {
		const broker = await startMosquitto({ persistence: true, extra: "max_queued_messages 0" });
		ends.push(broker.stop);
		const proxy = await startSilentProxy(broker.port);
		ends.push(proxy.stop);
		return { broker, proxy };
	}

	/** The link takes each message over as a slow disk would: some time after it came. */
	function listen(url: string) {
		const link = new MqttLink("farm", { clientId: "jidway-live-farm", url }, clock, () => 0);
		link.listen(["count"]);
		const abort = new AbortController();
		setMaxListeners(2_000, abort.signal);
		const texts: string[] = [];
		const states: LinkState[] = [];
		const running = link.run({
			packet: (packet: Packet) => {
				assert.ok(packet.body.kind === "message");
				texts.push(Buffer.from(packet.body.payload).toString());
				setTimeout(packet.taken, 15);
			},
			state: (state) => void states.push(state),
			fault: (where, reason) => assert.fail(`${where}: ${reason}`),
		}, abort.signal);
		ends.push(async () => {
			abort.abort();
			await running;
		});
		const until = (what: string, is: () => boolean, withinMs = 15_000): Promise<void> => waitUntil(what, is, { withinMs, logTail: () => JSON.stringify({ states, texts: texts.length }) });
		return { texts, states, until, up: () => until("the link", () => states.at(-1)?.up === true) };
	}

	/** Publishes a number every few milliseconds, and keeps those that the broker has acknowledged. */
	function count(port: number) {
		const acknowledged: string[] = [];
		const sent: string[] = [];
		const device = new Publisher({ port, clientId: "counter", connected: () => undefined });
		device.start();
		ends.push(() => device.cut(true));
		const timer = setInterval(() => {
			const text = String(sent.length);
			if (device.publish("count", text, false, (isAcknowledged) => void (isAcknowledged && acknowledged.push(text)))) sent.push(text);
		}, 4);
		ends.push(() => clearInterval(timer));
		return {
			acknowledged, sent,
			rest: async () => {
				clearInterval(timer);
				await waitUntil("the broker's answers", () => device.unanswered === 0, { withinMs: 5_000 });
			},
		};
	}

	/** What was acknowledged to the device came once, and what was sent at most once. */
	function assertOnce(texts: readonly string[], { acknowledged, sent }: { readonly acknowledged: readonly string[]; readonly sent: readonly string[] }): void {
		const heard = new Set(texts);
		assert.ok(acknowledged.length > 200, `only ${acknowledged.length} were acknowledged`);
		assert.deepEqual(acknowledged.filter((text) => !heard.has(text)), [], "acknowledged and missing");
		assert.deepEqual(texts.filter((text, at) => texts.indexOf(text) !== at), [], "twice");
		assert.deepEqual(texts.filter((text) => !sent.includes(text)), []);
	}

	test("that restarts twice under load goes on with its session: what was acknowledged to a device comes once", async () => {
		const { broker } = await start();
		const farm = listen(broker.url);
		await farm.up();
		const device = count(broker.port);
		await farm.until("a beginning", () => farm.texts.length > 50);
		for (let round = 0; round < 2; round++) {
			await broker.restart();
			const before = farm.texts.length;
			await farm.until("the link after a restart", () => farm.texts.length > before + 50);
		}
		await device.rest();
		await farm.until("all that was acknowledged", () => new Set(farm.texts).size >= device.acknowledged.length);
		await sleep(300);
		assertOnce(farm.texts, device);
	});

	test("on which packets are lost for three seconds stays up, and everything comes once", async () => {
		const { broker, proxy } = await start();
		const farm = listen(`mqtt://127.0.0.1:${proxy.port}`);
		await farm.up();
		const device = count(broker.port);
		await farm.until("a beginning", () => farm.texts.length > 50);
		proxy.hold();
		await sleep(3_000);
		proxy.release();
		await device.rest();
		await farm.until("all that was acknowledged", () => new Set(farm.texts).size >= device.acknowledged.length);
		assertOnce(farm.texts, device);
		assert.deepEqual(farm.states.map(({ up }) => up), [true]);
	});

	test("that is cut five times while messages and acknowledgements are on their way brings each once", async () => {
		const { broker, proxy } = await start();
		const farm = listen(`mqtt://127.0.0.1:${proxy.port}`);
		await farm.up();
		const device = count(broker.port);
		for (let round = 0; round < 5; round++) {
			const before = farm.texts.length;
			await farm.until("some messages", () => farm.texts.length > before + 40 + 7 * round);
			proxy.cut();
		}
		await device.rest();
		await farm.until("all that was acknowledged", () => new Set(farm.texts).size >= device.acknowledged.length);
		await sleep(300);
		assertOnce(farm.texts, device);
	});

	test("that vanished without closing is noticed by the keep-alive of 30 s, and opened anew; everything comes once", { skip: process.env["LONG"] === "1" ? false : "takes a minute: LONG=1", timeout: 120_000 }, async () => {
		const { broker, proxy } = await start();
		const farm = listen(`mqtt://127.0.0.1:${proxy.port}`);
		await farm.up();
		const device = count(broker.port);
		await farm.until("a beginning", () => farm.texts.length > 50);
		proxy.hold();
		proxy.forget();
		await farm.until("the loss", () => farm.states.at(-1)?.up === false, 70_000);
		await farm.up();
		await device.rest();
		await farm.until("all that was acknowledged", () => new Set(farm.texts).size >= device.acknowledged.length, 30_000);
		assertOnce(farm.texts, device);
	});

	test("whose name DNS does not tell says so, and is up as soon as DNS has returned", async () => {
		const { broker } = await start();
		let isThere = false;
		const real = dns.lookup;
		mock.method(dns, "lookup", (host: string, options: dns.LookupAllOptions, done: (error: NodeJS.ErrnoException | null, found?: unknown, family?: number) => void) => {
			if (host !== "broker.corp.example") return real(host, options, done);
			if (!isThere) return void setImmediate(done, Object.assign(new Error("getaddrinfo EAI_AGAIN broker.corp.example"), { code: "EAI_AGAIN", syscall: "getaddrinfo", hostname: host }));
			return real("127.0.0.1", options, done);
		});
		const farm = listen(`mqtt://broker.corp.example:${broker.port}`);
		await farm.until("what is wrong", () => farm.states.some((state) => !state.up && /DNS/.test(state.reason)));
		isThere = true;
		await farm.up();
	});
});
