import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import mqtt from "mqtt";
import type { Memory, Packet } from "../../../src/south/link.js";
import { startBroker } from "../../../src/south/mqtt/broker.js";
import { systemClock } from "../../../src/system-clock.js";

/** A broker on a free port, a gateway that takes packets when it is told to, and a client that keeps what is not acknowledged. */
async function site(t: TestContext, memory?: Memory, filters: readonly string[] = ["farm/#"]) {
	const broker = await startBroker({ id: "farm", listen: "127.0.0.1:0", ...(memory && { memory }) }, systemClock, (where, reason) => assert.fail(`${where} ${reason}`));
	const heard: Packet[] = [];
	const stop = new AbortController();
	let arrived = (): void => {};
	broker.link.listen(filters);
	const running = broker.link.run({ packet: (packet) => { heard.push(packet); arrived(); }, state: () => undefined, fault: (where, reason) => assert.fail(`${where} ${reason}`) }, stop.signal);
	const client = await mqtt.connectAsync(`mqtt://127.0.0.1:${broker.port}`, { clientId: "probe", reconnectPeriod: 0 });
	t.after(async () => {
		stop.abort();
		client.end(true);
		await running;
		await broker.close();
	});
	const until = async (count: number): Promise<void> => {
		while (heard.length < count) await new Promise<void>((resolve) => (arrived = resolve));
	};
	return { broker, client, heard, until };
}

const text = ({ body }: Packet): string => (body.kind === "message" ? `${body.retained ? "retained " : ""}${body.topic} ${Buffer.from(body.payload).toString()}` : body.kind);
const settled = async (work: Promise<unknown>): Promise<boolean> => Promise.race([work.then(() => true), new Promise<boolean>((resolve) => setTimeout(() => resolve(false), 50))]);

test("a client's QoS 1 message is acknowledged when it was taken, and not before; many are in flight", async (t) => {
	const { client, heard, until } = await site(t);
	const sent = ["1", "2", "3"].map((payload) => client.publishAsync("farm/a", payload, { qos: 1 }));
	await until(3);
	assert.deepEqual(heard.map(text), ["farm/a 1", "farm/a 2", "farm/a 3"]);
	assert.equal(await settled(Promise.race(sent)), false);
	heard[1]!.taken();
	heard[2]!.taken();
	assert.equal(await settled(Promise.race(sent)), false, "acknowledgements keep the order of arrival");
	heard[0]!.taken();
	await Promise.all(sent);
});

test("a message that no filter wants is acknowledged at once, and QoS 0 needs nobody", async (t) => {
	const { client, heard, until } = await site(t);
	await client.publishAsync("other/a", "1", { qos: 1 });
	await client.publishAsync("farm/a", "0", { qos: 0 });
	await until(1);
	heard[0]!.taken();
	await client.publishAsync("other/a", "2", { qos: 1 });
	assert.deepEqual(heard.map(text), ["farm/a 0"]);
	assert.equal(heard[0]!.delivery, undefined);
});

test("what an earlier run took, and its client sends again, is acknowledged and not heard", async (t) => {
	const first = await site(t);
	const sent = first.client.publishAsync("farm/a", "21.5", { qos: 1 });
	await first.until(1);
	first.heard[0]!.taken();
	await sent;
	const delivered = [first.heard[0]!.delivery!];
	const next = await site(t, { delivered, release: () => undefined });
	const { messageId, ...rest } = { cmd: "publish" as const, topic: "farm/a", payload: Buffer.from("21.5"), qos: 1 as const, retain: false, messageId: Number(first.client.getLastMessageId()) };
	const acknowledged = new Promise<void>((resolve) => void next.client.on("packetreceive", (packet) => { if (packet.cmd === "puback" && packet.messageId === messageId) resolve(); }));
	next.client.stream.write(encoded({ ...rest, messageId, dup: true }));
	await acknowledged;
	assert.deepEqual(next.heard.map(text), []);
	next.client.stream.write(encoded({ ...rest, messageId, dup: false }));
	await next.until(1);
	next.heard[0]!.taken();
});

test("retained messages are told when a filter begins to want them", async (t) => {
	const { broker, client, heard, until } = await site(t, undefined, []);
	await client.publishAsync("farm/a", "21", { qos: 1, retain: true });
	assert.equal(heard.length, 0);
	broker.link.listen(["farm/+"]);
	await until(1);
	assert.deepEqual(heard.map(text), ["retained farm/a 21"]);
});

test("what the gateway publishes reaches clients, and is not heard by itself", async (t) => {
	const { broker, client, heard } = await site(t);
	await client.subscribeAsync("farm/set");
	const got = new Promise<string>((resolve) => void client.once("message", (topic, payload) => resolve(`${topic} ${payload.toString()}`)));
	await broker.link.send({ kind: "message", topic: "farm/set", payload: "on" }, new AbortController().signal);
	assert.equal(await got, "farm/set on");
	assert.equal(heard.length, 0);
});

test("clients that send more than can be written are sent away, and do not cost the others their place", async (t) => {
	const { broker, heard } = await site(t);
	const ends: (Error | undefined)[] = [];
	const publish = (client: string, messageId: number, topic = "farm/a", qos: 0 | 1 = 1): void => broker.link.hear(client, { topic, payload: Buffer.from("1"), qos, messageId, dup: false }, (error) => ends.push(error));
	for (let each = 1; each <= 4_100; each++) publish("flood", each);
	assert.deepEqual([heard.length, ends.length], [4_000, 100]);
	assert.ok(ends.every((error) => error instanceof Error));
	ends.length = 0;
	publish("flood", 4_101, "farm/a", 0);
	assert.deepEqual(ends.splice(0), [undefined], "what nobody waits for is dropped, and no reason to go");
	publish("other", 1);
	publish("third", 1, "not/wanted");
	assert.deepEqual([heard.length, ends.splice(0)], [4_001, [undefined]]);
	for (const packet of heard) packet.taken();
	assert.deepEqual([ends.length, ends.filter((error) => error === undefined).length], [4_001, 4_001]);
});

test("a client that has one number for everything loses nothing: a repetition is of the last message alone", async (t) => {
	const { broker, heard } = await site(t);
	const said: string[] = [];
	const publish = (payload: string, dup: boolean): void => {
		broker.link.hear("board", { topic: "farm/a", payload: Buffer.from(payload), qos: 1, messageId: 1, dup }, () => said.push(payload));
		for (const packet of heard) packet.taken();
	};
	publish("21.5", false);
	publish("21.6", false);
	publish("21.5", true); // its first sending was lost on the way
	publish("21.5", true);
	assert.deepEqual(heard.map(text), ["farm/a 21.5", "farm/a 21.6", "farm/a 21.5"]);
	assert.deepEqual(said, ["21.5", "21.6", "21.5", "21.5"]);
});

/** MQTT 3.1.1 section 3.3: a PUBLISH by hand, for MQTT.js chooses DUP and the number itself. */
function encoded({ topic, payload, messageId, dup }: { readonly topic: string; readonly payload: Buffer; readonly messageId: number; readonly dup: boolean }): Buffer {
	const name = Buffer.from(topic);
	const body = Buffer.concat([Buffer.from([name.length >> 8, name.length & 255]), name, Buffer.from([messageId >> 8, messageId & 255]), payload]);
	return Buffer.concat([Buffer.from([0x32 | (dup ? 8 : 0), body.length]), body]);
}

test("the embedded broker says from its first client on that the gateway is there, and to all at its end that it is not", async () => {
	const say = (text: string) => ({ kind: "message", topic: "here", payload: text, retain: true }) as const;
	const broker = await startBroker({ id: "farm", listen: "127.0.0.1:0", presence: () => ({ birth: [say("on")], farewell: () => [say("off")] }) }, systemClock, (where, reason) => assert.fail(`${where} ${reason}`));
	broker.link.listen([]);
	const client = await mqtt.connectAsync(`mqtt://127.0.0.1:${broker.port}`, { reconnectPeriod: 0 });
	const heard: string[] = [];
	const closed = new Promise<void>((resolve) => client.once("close", () => resolve()));
	const first = new Promise<void>((resolve) => client.on("message", (_topic, payload, { retain }) => {
		heard.push(`${payload.toString()}${retain ? " retained" : ""}`);
		resolve();
	}));
	await client.subscribeAsync("here", { qos: 1 });
	await first;
	await broker.close();
	await closed;
	assert.deepEqual(heard, ["on retained", "off"]);
	client.end(true);
});
