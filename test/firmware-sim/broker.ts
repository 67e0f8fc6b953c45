import assert from "node:assert/strict";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { Aedes } from "aedes";
import { soon } from "../../firmware-sim/mqtt-node.js";
import { inOrder } from "../../src/south/mqtt/broker.js";
import { connect, type MqttClient } from "mqtt";

export interface Heard {
	readonly topic: string;
	readonly text: string;
	readonly retain: boolean;
}

/** A broker in this process, on a port of its own, with somebody who listens to everything. */
export class TestBroker {
	readonly url: string;
	readonly heard: Heard[] = [];
	readonly #end: () => Promise<void>;
	readonly #listener: MqttClient;
	#ends = 0;

	private constructor(url: string, listener: MqttClient, end: () => Promise<void>) {
		this.url = url;
		this.#end = end;
		this.#listener = listener;
		listener.on("message", (topic, payload, packet) => this.heard.push({ topic, text: payload.toString("utf8"), retain: packet.retain }));
	}

	static async start(): Promise<TestBroker> {
		// As in the embedded broker: sessions end with their connection, and messages arrive in their order.
		const aedes = await Aedes.createBroker({
			concurrency: 0, // no queue in which a message could be overtaken
			preConnect: (_client, packet, done) => {
				Object.assign(packet, { clean: true });
				done(null, true);
			},
		});
		inOrder(aedes);
		const sockets = new Set<Socket>();
		const server = createServer((socket) => {
			socket.setNoDelay(true); // or every acknowledgement waits 40 ms for company
			sockets.add(socket);
			socket.once("close", () => sockets.delete(socket));
			aedes.handle(socket);
		});
		await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
		const { port } = server.address() as AddressInfo;
		const url = `mqtt://127.0.0.1:${port}`;
		const listener = connect(url, { clientId: "listener", reconnectPeriod: 0 });
		await new Promise<void>((resolve) => listener.once("connect", () => resolve()));
		await listener.subscribeAsync("#", { qos: 1 });
		return new TestBroker(url, listener, async () => {
			await soon(listener.endAsync(true));
			for (const socket of sockets) socket.destroy();
			await soon(new Promise<void>((resolve) => aedes.close(() => resolve())));
			await soon(new Promise<void>((resolve) => server.close(() => resolve())));
		});
	}

	stop(): Promise<void> {
		return this.#end();
	}

	async send(topic: string, text: string): Promise<void> {
		await this.#listener.publishAsync(topic, text, { qos: 1 });
	}

	/** What somebody gets who comes now: the retained messages, by topic. */
	async retained(): Promise<Map<string, string>> {
		// The broker hands them out in the order in which they came, so that one put there now is the last.
		const end = `test/end-${++this.#ends}`;
		await this.#listener.publishAsync(end, "end", { qos: 1, retain: true });
		const latecomer = connect(this.url, { clientId: end, reconnectPeriod: 0 });
		const found = new Map<string, string>();
		latecomer.on("message", (topic, payload, packet) => {
			if (packet.retain) found.set(topic, payload.toString("utf8"));
		});
		await new Promise<void>((resolve) => latecomer.once("connect", () => resolve()));
		await latecomer.subscribeAsync("#", { qos: 1 });
		await until("the retained messages", () => found.has(end));
		await soon(latecomer.endAsync(true));
		return found;
	}

	/** The texts that were heard live on a topic, in order. */
	texts(topic: string): string[] {
		return this.heard.filter((one) => one.topic === topic).map((one) => one.text);
	}
}

/** Wait until it is so: at most two seconds. */
export async function until(what: string, so: () => boolean): Promise<void> {
	for (let waited = 0; waited < 2000; waited += 5) {
		if (so()) return;
		await sleep(5);
	}
	assert.fail(`waited two seconds for ${what}`);
}
