// The uplink's server is there no more, and nobody says so; or nobody knows where it is.
// The component runs in this process with a clock twenty times as fast, for its watchdog takes two minutes.

import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import type { LookupFunction } from "node:net";
import { Component, type ComponentOptions } from "../../src/xmpp/component.js";
import type { StreamClock, StreamState } from "../../src/xmpp/stream.js";
import { waitUntil } from "./servers/processes.js";
import { startProsody } from "./servers/prosody.js";
import type { XmppServer } from "./servers/server.js";
import { ASKED, DOMAIN, missing, ROMEO, SECRET } from "./site.js";
import { type SilentProxy, startSilentProxy } from "./soak/silent-proxy.js";
import { login } from "./xmpp-user.js";

const SPEED = 20;
const began = Date.now();
const fast: StreamClock = {
	now: () => began + (Date.now() - began) * SPEED,
	after: (span, run) => {
		const timer = setTimeout(run, span / SPEED);
		return () => clearTimeout(timer);
	},
};

describe("the uplink", { skip: missing("prosody") }, () => {
	let server: XmppServer;
	let proxy: SilentProxy;
	const ends: (() => Promise<unknown>)[] = [];
	before(async () => {
		// Without this Prosody refuses the new connection for as long as it believes in the old one.
		server = await startProsody({ ...ASKED, extra: "component_conflict_resolve = \"kick_old\"" });
		proxy = await startSilentProxy(server.componentPort);
	});
	afterEach(async () => {
		for (const end of ends.splice(0).reverse()) await end();
		proxy.cut();
	});
	after(async () => {
		await proxy?.stop();
		await server?.stop();
	});

	function run(options: Partial<ComponentOptions> = {}) {
		const component = new Component({ domain: DOMAIN, host: "127.0.0.1", port: proxy.port, secret: SECRET, clock: fast, random: () => 0.5, ...options });
		const states: StreamState[] = [];
		const stop = new AbortController();
		const running = component.run({ stanza: () => undefined, state: (state) => void states.push(state) }, stop.signal);
		ends.push(async () => {
			stop.abort();
			await running;
		});
		const until = (what: string, is: () => boolean, withinMs = 15_000): Promise<void> => waitUntil(what, is, { withinMs, logTail: () => JSON.stringify(states, undefined, "\t") });
		return { component, states, until, online: () => until("the uplink", () => component.online) };
	}

	test("whose server has vanished without closing is noticed within 150 s by two pings, and opened anew", async () => {
		const { component, states, until, online } = run();
		await online();
		const since = fast.now();
		proxy.hold();
		proxy.forget();
		await until("the watchdog", () => states.some((state) => !state.online && /two pings were not answered/.test(state.reason)));
		const took = fast.now() - since;
		assert.ok(took <= 155_000, `it took ${took} ms`);
		await online();
		const romeo = await login(server, ROMEO);
		component.send(`<message from='${DOMAIN}' to='${romeo.full}' type='chat'><body>back</body></message>`);
		await romeo.hear(DOMAIN, /^back$/);
		await romeo.leave();
	});

	test("on which packets are lost for twenty seconds loses no stanza, and nobody is told that it was offline", async () => {
		const { component, states, online } = run();
		await online();
		const romeo = await login(server, ROMEO);
		proxy.hold();
		for (let count = 0; count < 100; count++) assert.ok(component.send(`<message from='${DOMAIN}' to='${romeo.full}' type='chat'><body>${count}</body></message>`));
		await new Promise((resolve) => setTimeout(resolve, 20_000 / SPEED));
		proxy.release();
		for (let count = 0; count < 100; count++) await romeo.hear(DOMAIN, new RegExp(`^${count}$`));
		assert.deepEqual(states.filter((state) => !state.online).length, 1, "\"connecting\", and no loss");
		await romeo.leave();
	});

	test("that connects to a machine which takes the connection and says nothing gives up after 20 s, and is online when that is over", async () => {
		proxy.hold();
		const { states, until, online } = run();
		await until("a timeout", () => states.some((state) => !state.online && /something listens there and says nothing/.test(state.reason)));
		proxy.release();
		await online();
	});

	test("whose server's name DNS does not tell says so, tries again, and is online as soon as DNS has returned", async () => {
		let answer: NodeJS.ErrnoException | undefined = Object.assign(new Error("getaddrinfo EAI_AGAIN"), { code: "EAI_AGAIN" });
		let asked = 0;
		const lookup: LookupFunction = (_host, options, done) => {
			asked++;
			if (answer) done(answer, []);
			else if (options.all === true) done(null, [{ address: "127.0.0.1", family: 4 }]);
			else done(null, "127.0.0.1", 4);
		};
		const { states, until, online } = run({ host: "xmpp.corp.example", lookup });
		await until("what is wrong", () => states.some((state) => !state.online && /^Cannot look up the XMPP server "xmpp\.corp\.example:\d+": DNS does not answer/.test(state.reason)));
		answer = Object.assign(new Error("getaddrinfo ENOTFOUND"), { code: "ENOTFOUND" });
		await until("another reason", () => states.some((state) => !state.online && /DNS knows no such name/.test(state.reason)));
		assert.ok(states.every((state) => state.online || !state.permanent), "a name that is not found may be found tomorrow");
		const before = asked;
		await until("another attempt", () => asked > before);
		answer = undefined;
		await online();
	});
});
