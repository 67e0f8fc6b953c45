import assert from "node:assert/strict";
import type { LookupFunction } from "node:net";
import { type TestContext, test } from "node:test";
import { Component, type ComponentOptions } from "../../src/xmpp/component.js";
import { handshake } from "../../src/xmpp/component-connection.js";
import { xml } from "../../src/xmpp/xml.js";
import { FakeClock, settle } from "../fakes/clock.js";
import { FakeServer, Recorder, type ServerConnection } from "./fake-server.js";

const DOMAIN = "gw.plant.example";

interface Running {
	readonly component: Component;
	readonly told: Recorder;
	readonly clock: FakeClock;
	readonly stop: AbortController;
	readonly running: Promise<void>;
}

/** A component with a clock that stands still; it is stopped with the test. */
function start(t: TestContext, port: number, options: Partial<ComponentOptions> = {}): Running {
	const clock = new FakeClock();
	const stop = new AbortController();
	const told = new Recorder();
	const component = new Component({ domain: DOMAIN, host: "127.0.0.1", port, secret: "s3cr3t", clock, random: () => 0.5, ...options });
	const running = component.run(told.handlers, stop.signal);
	t.after(async () => {
		stop.abort();
		await settle();
		await clock.advance(5000);
		await running.catch(() => undefined);
		assert.equal(clock.pending, 0, "no timer is left");
	});
	return { component, told, clock, stop, running };
}

async function serve(t: TestContext): Promise<FakeServer> {
	const server = await FakeServer.start();
	t.after(() => server.stop());
	return server;
}

async function startOnline(t: TestContext, options: Partial<ComponentOptions> = {}): Promise<Running & { server: FakeServer; peer: ServerConnection }> {
	const server = await serve(t);
	const running = start(t, server.port, options);
	const peer = await server.connection(1);
	await peer.login();
	await running.told.online();
	return { ...running, server, peer };
}

test("handshake() gives the digest of the published vector", () => {
	assert.equal(handshake("a1b2c3d4", "s3cr3t"), "ae1d2c06525d076538ee1cf4ae577e3324dc6e2b");
});

test("a component says where it is going, logs in, and exchanges stanzas", async (t) => {
	const { component, told, peer, clock } = await startOnline(t);
	assert.equal(peer.text, "<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams' to='gw.plant.example'>"
		+ "<handshake>ae1d2c06525d076538ee1cf4ae577e3324dc6e2b</handshake>");
	assert.deepEqual(told.states.map(({ online }) => online), [false, true]);
	assert.deepEqual(told.last, { online: true, since: clock.now() });
	assert.equal(component.online, true);
	peer.write("<message from='ops@corp.example' to='pump@gw.plant.example'><body>status</body></message>");
	await told.heard(1);
	assert.equal(told.stanzas[0]?.child("body")?.text(), "status");
	assert.equal(component.send(xml("message", { from: "pump@gw.plant.example", to: "ops@corp.example" }, xml("body", {}, "a < b"))), true);
	await peer.heard("<message from='pump@gw.plant.example' to='ops@corp.example'><body>a &lt; b</body></message>");
});

test("a domain in capitals is sent as the server writes it", async (t) => {
	const server = await serve(t);
	start(t, server.port, { domain: "GW.Plant.Example" });
	await (await server.connection(1)).heard("to='gw.plant.example'>");
});

test("°C arrives whole wherever TCP cuts it", async (t) => {
	const { told, peer } = await startOnline(t);
	const bytes = Buffer.from("<message from='a@b.example' to='c@gw.plant.example'><body>21 °C</body></message>");
	for (let cut = bytes.indexOf("21"); cut <= bytes.indexOf("</body"); cut++) {
		const before = told.stanzas.length;
		peer.write(bytes.subarray(0, cut));
		await new Promise((resolve) => setImmediate(resolve));
		peer.write(bytes.subarray(cut));
		await told.heard(before + 1);
		assert.equal(told.stanzas.at(-1)?.child("body")?.text(), "21 °C", `cut at ${cut}`);
	}
});

test("an undefined entity ends the stream with not-well-formed, and the component comes back", async (t) => {
	const { component, told, peer, server, clock } = await startOnline(t);
	peer.write("<message from='a@b.example' to='c@gw.plant.example'><body>&foo;</body></message>");
	await peer.heard("<stream:error><not-well-formed xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>");
	const { reason, permanent } = await told.failed();
	assert.match(reason, /undefined entity/);
	assert.equal(permanent, false);
	assert.equal(component.online, false);
	await clock.advance(1000);
	await (await server.connection(2)).login();
	await told.online();
});

test("a stanza above the limit ends the stream with policy-violation, and the component comes back", async (t) => {
	const { told, peer, server, clock } = await startOnline(t, { limits: { stanzaBytes: 20_000 } });
	peer.write(`<message from='a@b.example' to='c@gw.plant.example'><body>${"x".repeat(30_000)}`);
	await peer.heard("<policy-violation");
	assert.match((await told.failed()).reason, /more than 20000 bytes/);
	await clock.advance(1000);
	await (await server.connection(2)).login();
	await told.online();
});

test("send() makes control characters and lone surrogates harmless", async (t) => {
	const { component, peer } = await startOnline(t);
	component.send(xml("message", { to: "a@b.example", from: `x\u0001@${DOMAIN}` }, xml("body", {}, "ok\u0000\u0008\ud800\uffff!")));
	await peer.heard(`<message to='a@b.example' from='x@${DOMAIN}'><body>ok\ufffd!</body></message>`);
});

test("send() while offline returns false and throws nothing", async (t) => {
	const server = await serve(t);
	const { component } = start(t, server.port);
	assert.equal(component.send(xml("presence", { from: DOMAIN, to: "a@b.example" })), false);
	assert.equal(component.send("<presence/>"), false);
	await component.drained();
	const unstarted = new Component({ domain: DOMAIN, host: "127.0.0.1", port: 1, secret: "s", clock: new FakeClock(), random: () => 0 });
	assert.equal(unstarted.send("<presence/>"), false);
	await unstarted.close();
});

test("stanzas of one turn leave in one write, in their order", async (t) => {
	const { component, peer } = await startOnline(t);
	let chunks = 0;
	let arrived = "";
	peer.socket.on("data", (chunk: Buffer) => {
		chunks += 1;
		arrived += chunk.toString();
	});
	const stanzas = Array.from({ length: 100 }, (_, n) => `<message to='a@b.example' from='${DOMAIN}' id='${n}'/>`);
	for (const stanza of stanzas) component.send(stanza);
	await peer.heard("id='99'/>");
	assert.equal(arrived, stanzas.join(""));
	assert.equal(chunks, 1);
});

test("a server that does not read is not buffered for without end: send() returns false, drained() waits, the watchdog cuts", async (t) => {
	const { component, told, peer, clock } = await startOnline(t);
	peer.socket.pause();
	const stanza = `<message to='a@b.example' from='${DOMAIN}'><body>${"x".repeat(10_000)}</body></message>`;
	let taken = 0;
	while (component.send(stanza)) {
		taken++;
		if (taken % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
	}
	assert.ok(taken * stanza.length < 64 * 1024 * 1024, `took ${taken} stanzas`);
	let drained = false;
	const waiting = component.drained().then(() => { drained = true; });
	await settle();
	assert.equal(drained, false);
	await clock.advance(180_000);
	assert.match((await told.failed()).reason, /two pings were not answered/);
	await waiting;
});

test("drained() resolves when a slow server has caught up", async (t) => {
	const { component, peer } = await startOnline(t);
	peer.socket.pause();
	const stanza = `<message to='a@b.example' from='${DOMAIN}'><body>${"x".repeat(10_000)}</body></message>`;
	while (component.send(stanza)) continue;
	peer.socket.resume();
	await component.drained();
	assert.equal(component.send(stanza), true);
});

test("a name that DNS does not know now is looked up again until it is known", async (t) => {
	const server = await serve(t);
	let known = false;
	const lookup: LookupFunction = (hostname, _options, callback) => {
		if (known) callback(null, [{ address: "127.0.0.1", family: 4 }]);
		else callback(Object.assign(new Error(`getaddrinfo ENOTFOUND ${hostname}`), { code: "ENOTFOUND" }), []);
	};
	const { told, clock } = start(t, server.port, { host: "xmpp.example.org", lookup });
	for (let attempt = 1; attempt <= 10; attempt++) {
		const { reason, retryAt } = await told.failed(attempt);
		assert.match(reason, /Cannot find the XMPP server "xmpp\.example\.org:\d+": DNS knows no such name/);
		known = attempt === 10;
		await clock.advance(retryAt - clock.now());
	}
	await (await server.connection(1)).login();
	await told.online();
});

test("a refused connection is told with the lines that mend it, and tried again at growing intervals", async (t) => {
	const gone = await FakeServer.start();
	await gone.stop();
	const { told, clock } = start(t, gone.port);
	const delays: number[] = [];
	for (let attempt = 1; attempt <= 8; attempt++) {
		const { reason, retryAt, permanent } = await told.failed(attempt);
		assert.match(reason, /connection refused.*Prosody: component_ports = \{ \d+ \}; ejabberd:/);
		assert.equal(permanent, false);
		delays.push(retryAt - clock.now());
		await clock.advance(retryAt - clock.now());
	}
	assert.deepEqual(delays, [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
	const { retryAt } = await told.failed(9);
	const back = await FakeServer.start(gone.port);
	t.after(() => back.stop());
	await clock.advance(retryAt - clock.now());
	await (await back.connection(1)).login();
	await told.online();
});

test("a wrong secret is told as permanent, without the secret, and tried once a minute", async (t) => {
	const server = await serve(t);
	const { told, clock } = start(t, server.port, { secret: "wr0ng-s3cr3t" });
	const peer = await server.connection(1);
	await peer.heard("to='gw.plant.example'>");
	peer.header();
	await peer.heard("</handshake>");
	peer.error("not-authorized", "Given token does not match calculated token");
	const { reason, retryAt, permanent } = await told.failed();
	assert.match(reason, /the secret is wrong.*component_secret.*ejabberd/);
	assert.equal(reason.includes("wr0ng-s3cr3t"), false);
	assert.equal(permanent, true);
	assert.equal(retryAt - clock.now(), 60_000);
	await clock.advance(59_000);
	assert.equal(server.connections.length, 1);
	await clock.advance(1000);
	await server.connection(2);
});

/** [stream error, text of the server, what people read, permanent, next attempt in ms with random 0.5] */
const ERRORS = [
	["host-unknown", "gw.plant.example does not match any configured external components", /no such component.*Component "gw\.plant\.example"/, true, 60_000],
	["host-unknown", "This server does not serve gw.plant.example", /port is one for clients/, true, 60_000],
	["improper-addressing", "A 'to' attribute is required", /no such component/, true, 60_000],
	["invalid-namespace", "Unsupported", /component port/, true, 60_000],
	["conflict", "Component already connected", /the name is in use/, false, 7500],
	["system-shutdown", "Received SIGTERM", /ended the stream with system-shutdown/, false, 500],
] as const;

for (const [condition, text, words, permanent, delay] of ERRORS) {
	test(`before the login, ${condition} ("${text.slice(0, 30)}…") is explained and tried again in ${delay} ms`, async (t) => {
		const server = await serve(t);
		const { told, clock } = start(t, server.port);
		const peer = await server.connection(1);
		await peer.heard("to='gw.plant.example'>");
		peer.header();
		peer.error(condition, text);
		const failure = await told.failed();
		assert.match(failure.reason, words);
		assert.match(failure.reason, /^Cannot /);
		assert.equal(failure.permanent, permanent);
		assert.equal(failure.retryAt - clock.now(), delay);
	});
}

/** [what listens there, what it says, what people read] */
const STRANGERS = [
	["a port for clients", "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' id='1' version='1.0'>", /found jabber:client/],
	["a web server", "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n<html>", /does not speak XMPP/],
	["a page", "<html><head/></html>", /does not speak XMPP/],
] as const;

for (const [what, says, words] of STRANGERS) {
	test(`${what} instead of the component port is a configuration error`, async (t) => {
		const server = await serve(t);
		const { told } = start(t, server.port);
		const peer = await server.connection(1);
		await peer.heard("to='gw.plant.example'>");
		peer.write(says);
		const failure = await told.failed();
		assert.match(failure.reason, words);
		assert.equal(failure.permanent, true);
	});
}

test("a port that says nothing is left after 20 s", async (t) => {
	const server = await serve(t);
	const { told, clock } = start(t, server.port);
	await (await server.connection(1)).heard("to='gw.plant.example'>");
	await clock.advance(19_999);
	assert.equal(told.states.length, 1);
	await clock.advance(1);
	assert.match((await told.failed()).reason, /says nothing; is it the component port\?/);
});

test("a connection that is closed before the login is no login", async (t) => {
	const server = await serve(t);
	const { told } = start(t, server.port);
	const peer = await server.connection(1);
	await peer.heard("to='gw.plant.example'>");
	peer.socket.end();
	assert.match((await told.failed()).reason, /closed before the login/);
});

test("a component whose ping comes back stays, and nobody hears of the ping", async (t) => {
	const { told, peer, clock } = await startOnline(t);
	for (let n = 1; n <= 5; n++) {
		await clock.advance(60_000);
		const ping = `<iq type='get' id='watchdog-${n}' from='gw.plant.example' to='gw.plant.example'><ping xmlns='urn:xmpp:ping'/></iq>`;
		await peer.heard(ping);
		// Odd: the server hands it back. Even: the server answers itself.
		peer.write(n % 2 === 1 ? ping : `<iq type='result' id='watchdog-${n}' from='gw.plant.example' to='gw.plant.example'/>`);
		peer.write(`<message from='a@b.example' to='${DOMAIN}'/>`);
		await told.heard(n);
	}
	assert.deepEqual(told.states.map(({ online }) => online), [false, true]);
	assert.deepEqual([...new Set(told.stanzas.map(({ name }) => name))], ["message"]);
});

test("single pings that are lost, each followed by one that is answered, do not cut the connection", async (t) => {
	const { component, told, peer, clock } = await startOnline(t);
	for (let n = 2; n <= 8; n += 2) {
		await clock.advance(90_000);
		await peer.heard(`watchdog-${n}'`);
		peer.write(`<iq type='result' id='watchdog-${n}' from='gw.plant.example' to='gw.plant.example'/><message from='a@b.example' to='${DOMAIN}'/>`);
		await told.heard(n / 2);
		assert.equal(component.online, true);
	}
});

test("an answer to the ping from anybody else does not count", async (t) => {
	const { told, peer, clock } = await startOnline(t);
	await clock.advance(60_000);
	await peer.heard("watchdog-1");
	peer.write(`<iq type='result' id='watchdog-1' from='mallory@evil.example' to='${DOMAIN}'/>`);
	await told.heard(1);
	await clock.advance(60_000);
	assert.match((await told.failed()).reason, /two pings/);
});

test("a server that falls silent is noticed within two minutes, and the component comes back", async (t) => {
	const { component, told, server, clock } = await startOnline(t);
	await clock.advance(119_999);
	assert.equal(component.online, true);
	await clock.advance(1);
	assert.equal(component.online, false);
	assert.match((await told.failed()).reason, /two pings were not answered/);
	await clock.advance(1000);
	await (await server.connection(2)).login();
	await told.online();
});

test("45 s of silence are broken by a space", async (t) => {
	const { peer, clock } = await startOnline(t);
	const { length } = peer.text;
	await clock.advance(44_000);
	assert.equal(peer.text.length, length);
	await clock.advance(1000);
	await peer.until("a space", () => peer.text.slice(length) === " ");
});

/** [what the server does, words] */
const ENDINGS = [
	["closes the stream", (peer: ServerConnection) => peer.write("</stream:stream>"), /closed the stream/],
	["cuts the connection", (peer: ServerConnection) => void peer.socket.end(), /closed the stream/],
	["resets the connection", (peer: ServerConnection) => void peer.socket.resetAndDestroy(), /ECONNRESET/],
	["reports a stream error", (peer: ServerConnection) => peer.error("invalid-from"), /refused the sender/],
	["gives the name to another", (peer: ServerConnection) => peer.error("conflict", "Replaced by new connection"), /another connection took the name/],
] as const;

for (const [what, act, words] of ENDINGS) {
	test(`a server that ${what} is connected to again`, async (t) => {
		const { told, peer, server, clock } = await startOnline(t);
		act(peer);
		const { reason, retryAt, permanent } = await told.failed();
		assert.match(reason, words);
		assert.equal(permanent, false);
		await peer.gone();
		await clock.advance(retryAt - clock.now());
		await (await server.connection(2)).login();
		await told.online();
	});
}

test("a connection that does not last does not start the back-off anew; one that lasts a minute does", async (t) => {
	const { told, server, clock } = await startOnline(t);
	const delays: number[] = [];
	for (let n = 1; n <= 5; n++) {
		if (n === 5) {
			await clock.advance(60_000);
			(await server.connection(n)).write("<iq type='result' id='watchdog-1' from='gw.plant.example' to='gw.plant.example'/>");
		}
		const before = told.states.length;
		(await server.connection(n)).write("</stream:stream>");
		const { retryAt } = await told.failed(before);
		delays.push(retryAt - clock.now());
		await clock.advance(retryAt - clock.now());
		await (await server.connection(n + 1)).login();
		await told.online();
	}
	assert.deepEqual(delays, [500, 1000, 2000, 4000, 500]);
});

test("close() sends what is buffered, says good-bye, and run() ends", async (t) => {
	const { component, told, peer, running } = await startOnline(t);
	component.send(`<presence type='unavailable' from='${DOMAIN}' to='a@b.example'/>`);
	const closing = component.close();
	assert.equal(component.send("<presence/>"), false);
	await peer.heard(`<presence type='unavailable' from='${DOMAIN}' to='a@b.example'/></stream:stream>`);
	await closing;
	await running;
	assert.equal(told.last?.online, false);
});

test("the end of the signal ends run(), while connected and while waiting", async (t) => {
	const connected = await startOnline(t);
	connected.stop.abort();
	await connected.running;
	assert.match(connected.peer.text, /<\/stream:stream>$/);
	const gone = await FakeServer.start();
	await gone.stop();
	const waiting = start(t, gone.port);
	await waiting.told.failed();
	waiting.stop.abort();
	await waiting.running;
});

test("close() of a server that does not read ends after two seconds", async (t) => {
	const { component, peer, clock } = await startOnline(t);
	peer.socket.pause();
	while (component.send(`<message to='a@b.example' from='${DOMAIN}'><body>${"x".repeat(10_000)}</body></message>`)) continue;
	let closed = false;
	const closing = component.close().then(() => { closed = true; });
	await clock.advance(1999);
	assert.equal(closed, false);
	await clock.advance(1);
	await closing;
});

test("what a handler throws comes out of run(), and the connection is closed", async (t) => {
	const server = await serve(t);
	const clock = new FakeClock();
	const told = new Recorder();
	const component = new Component({ domain: DOMAIN, host: "127.0.0.1", port: server.port, secret: "s3cr3t", clock, random: () => 0 });
	const running = component.run({ state: told.handlers.state, stanza: () => { throw new RangeError("a bug"); } }, new AbortController().signal);
	const peer = await server.connection(1);
	await peer.login();
	await told.online();
	peer.write("<message/>");
	await assert.rejects(running, new RangeError("a bug"));
	await peer.gone();
	assert.equal(component.online, false);
	assert.throws(() => component.run(told.handlers, new AbortController().signal), /runs once/);
});
