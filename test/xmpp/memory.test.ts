import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryStream } from "../../src/xmpp/memory.js";
import { xml } from "../../src/xmpp/xml.js";
import { settle } from "../fakes/clock.js";
import { Recorder } from "./fake-server.js";

test("MemoryStream keeps what is sent and tells what is heard, until its signal aborts", async () => {
	const stream = new MemoryStream(5);
	const told = new Recorder();
	const stop = new AbortController();
	assert.equal(stream.send("<presence/>"), false, "it does not run yet");
	const running = stream.run(told.handlers, stop.signal);
	assert.deepEqual(told.states, [{ online: true, since: 5 }]);
	assert.equal(stream.send(xml("presence", { to: "a@b" })), true);
	assert.equal(stream.send("<message/>"), true);
	assert.deepEqual(stream.sent, ["<presence to='a@b'/>", "<message/>"]);
	stream.hear("<iq type='get'/>");
	stream.hear(xml("message"));
	assert.deepEqual(told.stanzas.map(String), ["<iq type='get'/>", "<message/>"]);
	stop.abort();
	await running;
	assert.equal(told.last?.online, false);
	assert.equal(stream.send("<presence/>"), false);
	assert.throws(() => stream.hear("<message/>"));
});

test("MemoryStream takes nothing while offline", async () => {
	const stream = new MemoryStream();
	const told = new Recorder();
	const running = stream.run(told.handlers, new AbortController().signal);
	stream.setOffline("cut", true);
	assert.equal(stream.send("<presence/>"), false);
	stream.setOnline(9);
	assert.equal(stream.send("<presence/>"), true);
	assert.deepEqual(told.states.slice(1), [{ online: false, reason: "cut", permanent: true }, { online: true, since: 9 }]);
	await stream.close();
	await running;
});

test("MemoryStream takes nothing while full, and drained() waits for that", async () => {
	const stream = new MemoryStream();
	const running = stream.run(new Recorder().handlers, new AbortController().signal);
	stream.fill();
	assert.equal(stream.send("<presence/>"), false);
	let drained = false;
	const waiting = stream.drained().then(() => { drained = true; });
	await settle();
	assert.equal(drained, false);
	stream.drain();
	await waiting;
	assert.equal(stream.send("<presence/>"), true);
	await stream.close();
	await running;
});
