import assert from "node:assert/strict";
import { setMaxListeners } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { afterEach, describe, test } from "node:test";
import type { Clock } from "../../../src/core/clock.js";
import { GatewayError } from "../../../src/core/errors.js";
import { MAX_PAYLOAD } from "../../../src/south/mqtt/frame-guard.js";
import { type Broker, type BrokerOptions, startBroker } from "../../../src/south/mqtt/broker.js";
import type { MqttOptions } from "../../../src/south/mqtt/options.js";
import { MqttLink } from "../../../src/south/mqtt/session.js";
import type { LinkState, Message, Packet } from "../../../src/south/link.js";

/** Real time, with pauses a hundred times shorter. */
const clock: Clock = {
	now: () => Date.now(),
	after: (span, run) => {
		const timer = setTimeout(run, span < 10_000 && span !== 2_000 ? span / 100 : span);
		return () => clearTimeout(timer);
	},
};

const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
	for (const end of ends.splice(0).reverse()) await end();
});

async function broker(options: Partial<BrokerOptions> = {}): Promise<Broker & { faults: string[] }> {
	const faults: string[] = [];
	const started = await startBroker({ id: "embedded", listen: "127.0.0.1:0", ...options }, clock, (where, reason) => faults.push(`${where}: ${reason}`));
	started.link.listen([]);
	ends.push(() => started.close());
	return { ...started, faults };
}

interface Running {
	readonly link: MqttLink;
	readonly packets: Packet[];
	readonly states: LinkState[];
	readonly faults: string[];
	/** Resolves when `is` holds; it is looked at whenever the link tells something. */
	until(is: () => boolean): Promise<void>;
	stop(): Promise<void>;
}

function run(url: string, options: Partial<MqttOptions> = {}, filters: readonly string[] = ["#"], hear: (packet: Packet) => void = (packet) => packet.taken()): Running {
	const link = new MqttLink("farm", { url, clientId: "jidway-test-farm", ...options }, clock, () => 0.5);
	link.listen(filters);
	const abort = new AbortController();
	const packets: Packet[] = [];
	const states: LinkState[] = [];
	const faults: string[] = [];
	const waiting = new Set<() => void>();
	const look = (): void => waiting.forEach((one) => one());
	const running = link.run({
		packet: (packet) => {
			packets.push(packet);
			hear(packet);
			look();
		},
		state: (state) => {
			states.push(state);
			look();
		},
		fault: (where, reason) => {
			faults.push(`${where}: ${reason}`);
			look();
		},
	}, abort.signal);
	const stop = async (): Promise<void> => {
		abort.abort();
		await running;
	};
	ends.push(stop);
	return {
		link, packets, states, faults, stop,
		until: (is) => new Promise((resolve, reject) => {
			const timer = setTimeout(() => reject(new Error(`Cannot wait any longer: ${JSON.stringify({ packets: packets.length, states, faults })}`)), 8_000);
			const one = (): void => {
				if (!is()) return;
				waiting.delete(one);
				clearTimeout(timer);
				resolve();
			};
			waiting.add(one);
			one();
		}),
	};
}

const never = new AbortController().signal;
setMaxListeners(1_000, never);
const isUp = (running: Running) => (): boolean => running.states.at(-1)?.up === true;
const message = (packet: Packet | undefined): Message => {
	assert.ok(packet?.body.kind === "message");
	return packet.body;
};
const text = (packet: Packet): string => Buffer.from(message(packet).payload).toString();
const out = (topic: string, payload: string | Uint8Array, retain = false) => ({ kind: "message", topic, payload, retain }) as const;

describe("MqttLink with a broker", () => {
	test("carries messages both ways, and tells retained ones from live ones", async () => {
		const { port } = await broker();
		const a = run(`mqtt://127.0.0.1:${port}`, { clientId: "a" }, ["sensors/+/state"]);
		await a.until(isUp(a));
		await a.link.send(out("sensors/1/state", "21.50", true), never);
		await a.until(() => a.packets.length === 1);
		assert.deepEqual([message(a.packets[0]).topic, text(a.packets[0]!), message(a.packets[0]).retained], ["sensors/1/state", "21.50", false]);
		const b = run(`mqtt://127.0.0.1:${port}`, { clientId: "b" }, ["sensors/#"]);
		await b.until(() => b.packets.length === 1);
		assert.equal(message(b.packets[0]).retained, true);
	});

	test("subscribes and unsubscribes while it runs", async () => {
		const { port } = await broker();
		const a = run(`mqtt://127.0.0.1:${port}`, {}, ["one"]);
		await a.until(isUp(a));
		a.link.listen(["two", "end"]);
		a.link.listen(["two", "three", "end"]);
		await a.link.send(out("end", ""), never).then(() => a.until(() => a.packets.some((packet) => message(packet).topic === "end")));
		for (const topic of ["one", "two", "three", "end"]) await a.link.send(out(topic, topic), never);
		await a.until(() => a.packets.filter((packet) => message(packet).topic === "end").length === 2);
		assert.deepEqual(a.packets.map(text), ["", "two", "three", "end"]);
	});

	test("subscribes to a thousand filters", async () => {
		const { port } = await broker();
		const a = run(`mqtt://127.0.0.1:${port}`, {}, Array.from({ length: 1_000 }, (_, n) => `s/${n}`));
		await a.until(isUp(a));
		await a.link.send(out("s/999", "x"), never);
		await a.until(() => a.packets.length === 1);
	});

	test("names a filter that is none, and listens to the others", async () => {
		const { port } = await broker();
		const a = run(`mqtt://127.0.0.1:${port}`, {}, []);
		await a.until(isUp(a));
		a.link.listen(["a#", "ok"]);
		assert.deepEqual(a.faults, ["a#: is no MQTT topic filter"]);
	});

	test("keeps 500 messages in flight: a commit of 20 ms costs far less than one after the other", async () => {
		const { port } = await broker();
		let inFlight = 0;
		let most = 0;
		const a = run(`mqtt://127.0.0.1:${port}`, {}, ["burst"], (packet) => {
			most = Math.max(most, ++inFlight);
			setTimeout(() => {
				inFlight--;
				packet.taken();
			}, 20);
		});
		await a.until(isUp(a));
		const began = performance.now();
		await Promise.all(Array.from({ length: 500 }, (_, n) => a.link.send(out("burst", String(n)), never)));
		await a.until(() => a.packets.length === 500);
		assert.deepEqual(a.packets.map(text), Array.from({ length: 500 }, (_, n) => String(n)));
		assert.ok(most > 10, `at most ${most} were in flight`);
		assert.ok(performance.now() - began < 500 * 20 / 3, `took ${performance.now() - began} ms`);
	});

	test("stops reading when a thousand packets wait to be taken over, and goes on then", async () => {
		const { port } = await broker();
		const held: Packet[] = [];
		const a = run(`mqtt://127.0.0.1:${port}`, { clientId: "a" }, ["flood"], (packet) => held.push(packet));
		const b = run(`mqtt://127.0.0.1:${port}`, { clientId: "b" }, []);
		await a.until(isUp(a));
		await b.until(isUp(b));
		for (let n = 0; n < 1_500; n++) await b.link.send({ ...out("flood", String(n)), qos: 0 }, never);
		await a.until(() => held.length === 1_000);
		await new Promise((resolve) => void setTimeout(resolve, 50));
		assert.equal(held.length, 1_000);
		while (held.length < 1_500) {
			const taken = held.splice(0).map((packet) => packet.taken()).length;
			if (a.packets.length === 1_500) break;
			await a.until(() => held.length > 0 || taken === 0);
		}
		assert.deepEqual(a.packets.map(text), Array.from({ length: 1_500 }, (_, n) => String(n)));
	});

	test("sends a large message, and refuses one above 1 MiB", async () => {
		const { port } = await broker();
		const a = run(`mqtt://127.0.0.1:${port}`);
		await a.until(isUp(a));
		await a.link.send(out("big", new Uint8Array(MAX_PAYLOAD)), never);
		await a.until(() => a.packets.length === 1);
		assert.equal(message(a.packets[0]).payload.length, MAX_PAYLOAD);
		await assert.rejects(a.link.send(out("big", new Uint8Array(MAX_PAYLOAD + 1)), never), { fault: "bad-value" });
	});

	test("refuses to publish to what is no topic, without losing the connection", async () => {
		const { port } = await broker();
		const a = run(`mqtt://127.0.0.1:${port}`);
		await a.until(isUp(a));
		for (const topic of ["", "a/+", "a/#", "a\0b", "x".repeat(65_536)]) await assert.rejects(a.link.send(out(topic, "x"), never), { fault: "bad-value" });
		await a.link.send(out("a", "x"), never);
		assert.equal(a.states.length, 1);
	});

	test("comes back after the broker was away, and subscribes again", async () => {
		const first = await broker();
		const a = run(`mqtt://127.0.0.1:${first.port}`, {}, ["t"]);
		await a.until(isUp(a));
		await first.close();
		await a.until(() => a.states.at(-1)?.up === false);
		await assert.rejects(a.link.send(out("t", "lost"), never), (error: unknown) => error instanceof GatewayError && error.fault === "link-down");
		await broker({ listen: `127.0.0.1:${first.port}` });
		await a.until(isUp(a));
		await a.link.send(out("t", "back"), never);
		await a.until(() => a.packets.length === 1);
		assert.deepEqual(a.packets.map(text), ["back"]);
	});

	test("a packet that breaks its taker is counted and acknowledged", async () => {
		const { port } = await broker();
		const a = run(`mqtt://127.0.0.1:${port}`, {}, ["t"], (packet) => {
			if (text(packet) === "poison") throw new Error("broken");
			packet.taken();
		});
		await a.until(isUp(a));
		await a.link.send(out("t", "poison"), never);
		await a.link.send(out("t", "next"), never);
		await a.until(() => a.packets.length === 2);
		assert.deepEqual(a.faults, ["t: could not be taken over"]);
	});

	test("stops with a DISCONNECT, within two seconds", async () => {
		const wire = await fakeBroker((socket, bytes) => {
			if (bytes[0] === 0x10) socket.write(Buffer.from([0x20, 2, 0, 0]));
			if (bytes[0] === 0x82) socket.write(Buffer.from([0x90, 3, bytes[2]!, bytes[3]!, 1]));
		});
		const a = run(`mqtt://127.0.0.1:${wire.port}`);
		await a.until(isUp(a));
		const began = performance.now();
		await a.stop();
		assert.ok(performance.now() - began < 2_500);
		assert.equal(wire.received.at(-1)?.toString("hex"), "e000");
	});
});

interface FakeBroker {
	readonly port: number;
	readonly received: Buffer[];
	readonly sockets: Socket[];
}

/** A broker whose every byte is the test's. */
async function fakeBroker(answer: (socket: Socket, bytes: Buffer) => void): Promise<FakeBroker> {
	const received: Buffer[] = [];
	const sockets: Socket[] = [];
	const server: Server = createServer((socket) => {
		sockets.push(socket);
		socket.on("error", () => undefined);
		socket.on("data", (bytes) => {
			for (const packet of split(bytes)) {
				received.push(packet);
				answer(socket, packet);
			}
		});
	});
	await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
	ends.push(async () => {
		for (const socket of sockets) socket.destroy();
		await new Promise((resolve) => void server.close(resolve));
	});
	const address = server.address();
	assert.ok(typeof address === "object" && address !== null);
	return { port: address.port, received, sockets };
}

/** Packets of less than 128 bytes, which are all that these tests send. */
function split(bytes: Buffer): Buffer[] {
	const packets: Buffer[] = [];
	for (let at = 0; at < bytes.length; at += 2 + bytes[at + 1]!) packets.push(bytes.subarray(at, at + 2 + bytes[at + 1]!));
	return packets;
}

function publish(id: number, topic: string, payload: string, flags = 0x32): Buffer {
	const body = Buffer.concat([Buffer.from([0, topic.length]), Buffer.from(topic), Buffer.from([id >> 8, id & 255]), Buffer.from(payload)]);
	return Buffer.concat([Buffer.from([flags, body.length]), body]);
}

const CONNACK = (present: boolean): Buffer => Buffer.from([0x20, 2, present ? 1 : 0, 0]);
const acks = (wire: FakeBroker): number[] => wire.received.filter((packet) => packet[0] === 0x40).map((packet) => packet.readUInt16BE(2));

/** Everything that was sent before has arrived. */
async function fence(running: Running, wire: FakeBroker): Promise<void> {
	await running.link.send({ ...out("fence", ""), qos: 0 }, never);
	await waitFor(() => wire.received.some((packet) => packet[0] === 0x30));
}

describe("MqttLink and acknowledgements", () => {
	test("acknowledges only what was taken over, in the order of arrival [MQTT-4.6.0-2]", async () => {
		const wire = await fakeBroker((socket, bytes) => {
			if (bytes[0] === 0x10) socket.write(Buffer.concat([CONNACK(true), publish(1, "t", "a"), publish(2, "t", "b"), publish(3, "t", "c")]));
			if (bytes[0] === 0x82) socket.write(Buffer.from([0x90, 3, bytes[2]!, bytes[3]!, 1]));
		});
		const a = run(`mqtt://127.0.0.1:${wire.port}`, {}, ["t"], () => undefined);
		await a.until(() => a.packets.length === 3);
		assert.equal(a.states[0]?.up, true);
		a.packets[1]!.taken();
		a.packets[1]!.taken();
		await fence(a, wire);
		assert.deepEqual(acks(wire), []);
		a.packets[0]!.taken();
		await waitFor(() => acks(wire).length === 2);
		a.packets[2]!.taken();
		await waitFor(() => acks(wire).length === 3);
		assert.deepEqual(acks(wire), [1, 2, 3]);
	});

	test("acknowledges a redelivery again and drops it; taken() of a former connection does nothing on its own", async () => {
		let connections = 0;
		const wire = await fakeBroker((socket, bytes) => {
			if (bytes[0] === 0x82) socket.write(Buffer.from([0x90, 3, bytes[2]!, bytes[3]!, 1]));
			if (bytes[0] !== 0x10) return;
			const first = [publish(7, "t", "taken"), publish(8, "t", "waiting"), publish(9, "t", "other")];
			const second = [publish(7, "t", "taken", 0x3a), publish(8, "t", "waiting", 0x3a), publish(9, "t", "new with an old id", 0x3a)];
			socket.write(Buffer.concat([CONNACK(connections > 0), ...(connections++ === 0 ? first : second)]));
		});
		const a = run(`mqtt://127.0.0.1:${wire.port}`, {}, ["t"], () => undefined);
		await a.until(() => a.packets.length === 3);
		a.packets[0]!.taken();
		await waitFor(() => acks(wire).length === 1);
		wire.sockets[0]!.destroy();
		await a.until(() => a.packets.length === 4);
		assert.deepEqual(a.packets.map(text), ["taken", "waiting", "other", "new with an old id"]);
		await waitFor(() => acks(wire).length === 2);
		a.packets[2]!.taken(); // its id belongs to another message now
		a.packets[3]!.taken();
		await fence(a, wire);
		assert.deepEqual(acks(wire), [7, 7]);
		a.packets[1]!.taken(); // came again while it was being taken over: acknowledged where it came last
		await waitFor(() => acks(wire).length === 4);
		assert.deepEqual(acks(wire), [7, 7, 8, 9]);
	});

	test("delivers everything again to a session that the broker has forgotten", async () => {
		let connections = 0;
		const wire = await fakeBroker((socket, bytes) => {
			if (bytes[0] === 0x82) socket.write(Buffer.from([0x90, 3, bytes[2]!, bytes[3]!, 1]));
			if (bytes[0] === 0x10) socket.write(Buffer.concat([CONNACK(false), publish(7, "t", "same", connections++ === 0 ? 0x32 : 0x3a)]));
		});
		const a = run(`mqtt://127.0.0.1:${wire.port}`, {}, ["t"]);
		await waitFor(() => acks(wire).length === 1);
		wire.sockets[0]!.destroy();
		await a.until(() => a.packets.length === 2);
	});

	test("leaves out a message above 1 MiB: counted, acknowledged, and the next one comes", async () => {
		const big = Buffer.alloc(3 * MAX_PAYLOAD, "x");
		const body = Buffer.concat([Buffer.from([0, 1]), Buffer.from("t"), Buffer.from([0, 5]), big]);
		const length = Buffer.from([body.length % 128 | 128, Math.floor(body.length / 128) % 128 | 128, Math.floor(body.length / 16_384) % 128 | 128, Math.floor(body.length / 2_097_152)]);
		const wire = await fakeBroker((socket, bytes) => {
			if (bytes[0] === 0x10) socket.write(CONNACK(true));
			if (bytes[0] === 0x82) socket.write(Buffer.concat([Buffer.from([0x90, 3, bytes[2]!, bytes[3]!, 1, 0x32]), length, body, publish(6, "t", "next")]));
		});
		const a = run(`mqtt://127.0.0.1:${wire.port}`, {}, ["t"]);
		await a.until(() => a.packets.length === 1);
		assert.deepEqual(a.packets.map(text), ["next"]);
		assert.deepEqual(a.faults, ["t: is a message that is too large: at most 1048576 bytes are taken"]);
		await waitFor(() => acks(wire).length === 2);
		assert.deepEqual(acks(wire).sort(), [5, 6]);
	});

	test("a malformed packet ends the connection, and not the link", async () => {
		let connections = 0;
		const wire = await fakeBroker((socket, bytes) => {
			if (bytes[0] === 0x82) socket.write(Buffer.from([0x90, 3, bytes[2]!, bytes[3]!, 1]));
			if (bytes[0] === 0x10) socket.write(Buffer.concat([CONNACK(false), connections++ === 0 ? Buffer.from([0xf0, 0xff, 0xff, 0xff, 0xff, 0xff]) : publish(1, "t", "ok")]));
		});
		const a = run(`mqtt://127.0.0.1:${wire.port}`, {}, ["t"]);
		await a.until(() => a.packets.length === 1);
		assert.deepEqual(a.states.map((state) => state.up), [true, false, true]);
	});

	test("a message on its way when the connection ends is link-down, and is not sent later", async () => {
		let connections = 0;
		const wire = await fakeBroker((socket, bytes) => {
			if (bytes[0] === 0x10) {
				connections++;
				socket.write(CONNACK(true));
			}
			if (bytes[0] === 0x82) socket.write(Buffer.from([0x90, 3, bytes[2]!, bytes[3]!, 1]));
			if (bytes[0] === 0x32) socket.destroy();
		});
		const a = run(`mqtt://127.0.0.1:${wire.port}`, {}, ["t"]);
		await a.until(isUp(a));
		await assert.rejects(a.link.send(out("t", "on"), never), { fault: "link-down" });
		await waitFor(() => connections === 2);
		await a.until(isUp(a));
		await fence(a, wire);
		assert.equal(wire.received.filter((packet) => packet[0]! >> 4 === 3).length, 2);
	});

	test("a message that the broker never confirms ends with its signal", async () => {
		const wire = await fakeBroker((socket, bytes) => {
			if (bytes[0] === 0x10) socket.write(CONNACK(true));
			if (bytes[0] === 0x82) socket.write(Buffer.from([0x90, 3, bytes[2]!, bytes[3]!, 1]));
		});
		const a = run(`mqtt://127.0.0.1:${wire.port}`, {}, ["t"]);
		await a.until(isUp(a));
		const limit = new AbortController();
		const sent = a.link.send(out("t", "on"), limit.signal);
		await waitFor(() => wire.received.some((packet) => packet[0] === 0x32));
		limit.abort();
		await assert.rejects(sent, { fault: "device-timeout" });
	});

	test("names the filters that the broker refuses", async () => {
		const wire = await fakeBroker((socket, bytes) => {
			if (bytes[0] === 0x10) socket.write(CONNACK(false));
			if (bytes[0] === 0x82) socket.write(Buffer.from([0x90, 4, bytes[2]!, bytes[3]!, 1, 0x80]));
		});
		const a = run(`mqtt://127.0.0.1:${wire.port}`, {}, ["t", "secret/#"]);
		await a.until(() => a.faults.length === 1);
		assert.match(a.faults[0]!, /^secret\/#: is a topic filter that the broker refuses/);
		await a.link.send({ ...out("t", ""), qos: 0 }, never);
	});

	test("says that it is there when all is listened to, before anything else; its will speaks when the line breaks, its farewell when it leaves", async () => {
		const { port } = await broker();
		const listener = run(`mqtt://127.0.0.1:${port}`, { clientId: "listener" }, ["here/#"]);
		await listener.until(isUp(listener));
		let connections = 0;
		const presence = () => {
			const number = ++connections;
			return { birth: [out("here/me", `on ${number}`, true)], will: out("here/me", `lost ${number}`, true), farewell: () => [out("here/me", `left ${number}`, true)] };
		};
		const sockets: Socket[] = [];
		const road = createServer((socket) => {
			sockets.push(socket, socket.pipe(connect(port, "127.0.0.1")).on("error", () => undefined));
			socket.on("error", () => undefined);
			(sockets.at(-1) as Socket).pipe(socket);
		});
		await new Promise<void>((resolve) => road.listen(0, "127.0.0.1", resolve));
		ends.push(async () => void road.close());
		const address = road.address();
		const a = run(`mqtt://127.0.0.1:${typeof address === "object" ? address?.port : 0}`, { clientId: "a", presence }, ["here/me"]);
		await a.until(isUp(a));
		await a.link.send(out("here/first", "command"), never);
		await listener.until(() => listener.packets.length === 2);
		for (const socket of sockets.splice(0)) socket.destroy();
		await listener.until(() => listener.packets.length === 4);
		await a.stop();
		await listener.until(() => listener.packets.length === 5);
		assert.deepEqual(listener.packets.map((packet) => `${message(packet).topic} ${text(packet)}`), ["here/me on 1", "here/first command", "here/me lost 1", "here/me on 2", "here/me left 2"]);
		assert.deepEqual(a.faults, []);
	});

	test("unsubscribes what an earlier run wanted and this one does not", async () => {
		const wire = await fakeBroker((socket, bytes) => {
			if (bytes[0] === 0x10) socket.write(CONNACK(true));
			if (bytes[0] === 0x82) socket.write(Buffer.from([0x90, 3, bytes[2]!, bytes[3]!, 1]));
			if (bytes[0] === 0xa2) socket.write(Buffer.from([0xb0, 2, bytes[2]!, bytes[3]!]));
		});
		const a = run(`mqtt://127.0.0.1:${wire.port}`, { before: ["old", "t"] }, ["t"]);
		await a.until(isUp(a));
		await a.link.send({ ...out("fence", ""), qos: 0 }, never);
		assert.deepEqual(wire.received.filter((packet) => packet[0] === 0xa2).map((packet) => packet.toString("utf8", 6)), ["old"]);
	});
});

async function waitFor(is: () => boolean): Promise<void> {
	for (const end = Date.now() + 8_000; !is();) {
		assert.ok(Date.now() < end, "Cannot wait any longer");
		await new Promise((resolve) => void setTimeout(resolve, 5));
	}
}

describe("MqttLink without a broker", () => {
	test("says what is wrong and how to mend it, without the password", async () => {
		const { port, faults } = await broker({ users: { romeo: "secret" } });
		const silent = await fakeBroker((socket) => void socket.end());
		const rows: [string, Partial<MqttOptions>, RegExp][] = [
			[`mqtt://romeo:wr0ng@127.0.0.1:${port}`, {}, /Cannot use mqtt:\/\/127\.0\.0\.1:\d+: the broker does not accept the user name or password; correct "username:" and "password:" \(reason code 4\)/],
			[`mqtt://127.0.0.1:${port}`, { version: 5, username: "romeo", password: "secret" }, /does not accept MQTT 5; set "version: 4"/],
			["mqtt://127.0.0.1:1", {}, /nothing listens there; is the broker running, and is the port right \(ECONNREFUSED\)/],
			["mqtt://broker.invalid", {}, /(no host of this name|could not be looked up)/],
			[`mqtts://127.0.0.1:${port}`, {}, /mqtts:\/\/127\.0\.0\.1/],
			[`ws://127.0.0.1:${silent.port}/mqtt`, {}, /ws:\/\/127\.0\.0\.1/],
			[`mqtt://127.0.0.1:${silent.port}`, {}, /closed the connection at once; is that an MQTT port, and does it want TLS/],
			[`mqtts://127.0.0.1:${port}`, { ca: Buffer.from("no certificate") }, /Cannot use mqtts/],
		];
		for (const [url, options, wanted] of rows) {
			const a = run(url, options);
			await a.until(() => a.states.length > 0);
			const state = a.states[0]!;
			assert.ok(!state.up);
			assert.match(state.reason, wanted);
			assert.doesNotMatch(state.reason, /wr0ng|secret/);
			await a.stop();
		}
		assert.ok(faults.some((fault) => /unacceptable protocol version/.test(fault)), faults.join("\n"));
	});

	test("refuses an address that is none", () => {
		for (const url of ["", "farm", "http://127.0.0.1", "mqtt:", "mqtt://"]) assert.throws(() => new MqttLink("farm", { url, clientId: "x" }, clock, () => 0), { fault: "bad-config" });
	});

	test("refuses to send before it runs, and other things than messages", async () => {
		const link = new MqttLink("farm", { url: "mqtt://127.0.0.1:1", clientId: "x" }, clock, () => 0);
		await assert.rejects(link.send(out("t", ""), never), { fault: "link-down" });
		await assert.rejects(link.send({ kind: "line", text: "x" }, never), { fault: "not-implemented" });
	});

	test("tries again ever more seldom, and at last every 30 to 60 seconds", async () => {
		const pauses: number[] = [];
		const abort = new AbortController();
		const counting: Clock = {
			now: () => 0,
			after: (span, run) => {
				if (span !== 20_000) pauses.push(span);
				if (pauses.length === 9) abort.abort();
				const timer = setTimeout(run, span === 20_000 ? span : 0);
				return () => clearTimeout(timer);
			},
		};
		const link = new MqttLink("farm", { url: "mqtt://127.0.0.1:1", clientId: "x" }, counting, () => 0);
		const states: LinkState[] = [];
		await link.run({ packet: () => undefined, fault: () => undefined, state: (state) => states.push(state) }, abort.signal);
		assert.deepEqual(pauses, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
		assert.equal(states.length, 1);
	});
});

describe("startBroker()", () => {
	test("hands out retained, plain and acknowledged messages in their order, each once, whatever filters overlap", async () => {
		const { port } = await broker();
		const listener = run(`mqtt://127.0.0.1:${port}`, { clientId: "listener" }, ["a/#", "+/+", "#"]);
		await listener.until(() => listener.states.length > 0);
		const talker = run(`mqtt://127.0.0.1:${port}`, { clientId: "talker" }, []);
		await talker.until(() => talker.states.length > 0);
		await listener.link.send({ kind: "message", topic: "ready", payload: "1" }, new AbortController().signal);
		await listener.until(() => listener.packets.length > 0);
		const sent = Array.from({ length: 60 }, (_, at) => ({ kind: "message" as const, topic: `a/${at}`, payload: String(at), retain: at % 3 === 0, qos: at % 2 === 0 ? 0 as const : 1 as const }));
		await Promise.all(sent.map((out) => talker.link.send(out, new AbortController().signal)));
		await listener.until(() => listener.packets.length >= 61);
		await new Promise((resolve) => setTimeout(resolve, 50));
		const topics = listener.packets.slice(1).map(({ body }) => (body.kind === "message" ? body.topic : ""));
		assert.deepEqual([...topics].sort(), sent.map(({ topic }) => topic).sort());
	});

	test("is open to others only with users", async () => {
		for (const listen of ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"]) await assert.rejects(startBroker({ id: "embedded", listen }, clock, () => undefined), (error: unknown) => error instanceof GatewayError && error.fault === "bad-config" && /without users/.test(error.message));
		for (const listen of ["", "1883", "localhost", "127.0.0.1:99999", "a b:1"]) await assert.rejects(startBroker({ id: "embedded", listen }, clock, () => undefined), /wanted HOST:PORT/);
		await broker({ listen: "0.0.0.0:0", users: { romeo: "x" } });
		await broker({ listen: "localhost:0" });
	});

	test("says when the port is taken", async () => {
		const { port } = await broker();
		await assert.rejects(startBroker({ id: "embedded", listen: `127.0.0.1:${port}` }, clock, () => undefined), /another program listens there, perhaps a broker such as Mosquitto; use that one by "url:", or take another port/);
	});

	test("admits its users by their passwords, and nobody else", async () => {
		const { port } = await broker({ users: { romeo: "secret", "": "x" } });
		const admitted: [string, Partial<MqttOptions>, boolean][] = [
			[`mqtt://127.0.0.1:${port}`, { username: "romeo", password: "secret" }, true],
			[`mqtt://127.0.0.1:${port}`, { username: "romeo", password: "secret2" }, false],
			[`mqtt://127.0.0.1:${port}`, { username: "julia", password: "" }, false],
			[`mqtt://127.0.0.1:${port}`, { username: "constructor", password: "" }, false],
			[`mqtt://127.0.0.1:${port}`, {}, false],
		];
		for (const [url, { username, password }, expected] of admitted) {
			const a = run(url, { ...(username !== undefined && { username }), ...(password !== undefined && { password }) });
			await a.until(() => a.states.length > 0);
			assert.equal(a.states[0]?.up, expected, `${url} ${username}`);
			await a.stop();
		}
	});

	test("refuses MQTT 5 with CONNACK return code 1 and closes", async () => {
		const { port } = await broker();
		const socket = connect(port, "127.0.0.1");
		socket.write(Buffer.from("101000044d515454050200000000037a7a7a".padEnd(36, "0"), "hex"));
		const chunks: Buffer[] = [];
		for await (const chunk of socket) chunks.push(chunk as Buffer);
		assert.equal(Buffer.concat(chunks).toString("hex"), "20020001");
	});

	test("drops a client whose message is above the limit, and keeps the others", async () => {
		const { port, faults } = await broker();
		const a = run(`mqtt://127.0.0.1:${port}`);
		await a.until(isUp(a));
		const socket = connect(port, "127.0.0.1");
		socket.on("error", () => undefined);
		socket.write(Buffer.from("100e00044d51545404020000000278780000".slice(0, 32), "hex"));
		await new Promise((resolve) => void socket.once("data", resolve));
		socket.write(Buffer.from([0x30, 0xff, 0xff, 0xff, 0x7f, 0, 1, 0x74]));
		await new Promise((resolve) => void socket.once("close", resolve));
		assert.equal(faults[0], "127.0.0.1: a message is too large: at most 1048576 bytes are taken");
		await a.link.send(out("t", "x"), never);
		assert.equal(a.states.length, 1);
	});

	test("lets in no more clients than it may", async () => {
		const { port } = await broker({ maxClients: 1 });
		const a = run(`mqtt://127.0.0.1:${port}`, { clientId: "a" });
		await a.until(isUp(a));
		const b = run(`mqtt://127.0.0.1:${port}`, { clientId: "b" });
		await b.until(() => b.states.length > 0);
		assert.equal(b.states[0]?.up, false);
	});

	test("refuses a certificate that is none", async () => {
		await assert.rejects(startBroker({ id: "embedded", listen: "127.0.0.1:0", tls: { cert: Buffer.from("x"), key: Buffer.from("y") } }, clock, () => undefined), /Cannot use the broker's "tls:"/);
	});
});
