// A device on MQTT that a test holds by the hand: it says what it is told to say, and obeys when it is told to.

import { connectAsync } from "mqtt";
import { waitUntil } from "./servers/processes.js";

export interface MqttDevice {
	/** Messages to it, oldest first, as "topic payload". */
	readonly heard: readonly string[];
	/** Publishes, at QoS 1 unless said otherwise, and waits until the broker has it. */
	say(topic: string, payload: string | Buffer, retain?: boolean, qos?: 0 | 1): Promise<void>;
	/** Waits for the next message to it that was not yet waited for. */
	next(withinMs?: number): Promise<string>;
	stop(): Promise<void>;
}

/** Connects to a broker on loopback, and comes back when that does. @param topics what it listens to */
export async function startMqttDevice(url: string, topics: readonly string[] = []): Promise<MqttDevice> {
	const client = await connectAsync(url, { protocolVersion: 4, reconnectPeriod: 200, connectTimeout: 5_000 });
	client.on("error", () => undefined); // It tries again; who waits in vain fails.
	const heard: string[] = [];
	let taken = 0;
	client.on("message", (topic, payload) => void heard.push(`${topic} ${payload.toString("utf8")}`));
	if (topics.length > 0) await client.subscribeAsync([...topics], { qos: 1 });
	return {
		heard,
		say: async (topic, payload, retain = false, qos = 1) => void (await client.publishAsync(topic, payload, { qos, retain })),
		next: async (withinMs = 10_000) => {
			await waitUntil(`a message to ${topics.join(", ")}`, () => heard.length > taken, { withinMs, logTail: () => heard.join("\n") });
			return heard[taken++] ?? "";
		},
		stop: () => client.endAsync(true),
	};
}
