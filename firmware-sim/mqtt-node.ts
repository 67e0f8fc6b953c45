import { connect, type MqttClient } from "mqtt";
import { systemClock, type SimClock } from "./clock.js";

/** What every MQTT simulator takes: where the broker is. */
export interface MqttOptions {
	/** `mqtt://127.0.0.1:1883` */
	readonly url: string;
	readonly username?: string;
	readonly password?: string;
	/** Seconds; the broker gives the node up after one and a half of them. Default 15, as much firmware has it. */
	readonly keepalive?: number;
	/** For the device's own timing. The MQTT library keeps its own time. Default: the clock of this machine. */
	readonly clock?: SimClock;
}

/** One message to publish. Without `retain` and `qos` it is as telemetry goes: QoS 0, not retained. */
export interface Said {
	readonly topic: string;
	/** Bytes, where its protocol is no text. */
	readonly text: string | Uint8Array;
	readonly retain?: boolean;
	readonly qos?: 0 | 1;
}

/** What the broker says when a device vanishes. */
export interface Will {
	readonly topic: string;
	readonly text: string | Uint8Array;
	/** Default true. */
	readonly retain?: boolean;
}

/** What a device does with its network stack. */
export interface NodeRole {
	readonly clientId: string;
	/** What the broker says when the node vanishes; asked for anew before each connect where it is another each time. */
	readonly will?: Will | (() => Will);
	readonly subscriptions?: readonly string[];
	/** What it says after each connect, in this order: descriptions, availability, state. Or it says them itself. */
	announce?(): readonly Said[] | void;
	/** What it says before it goes away by itself. */
	farewell?(): readonly Said[];
	hear?(topic: string, text: string, bytes: Uint8Array): void;
}

/** How long `start()` tries before it gives up, and `stop()` before it cuts the line; by real time, as the library keeps it. */
const PATIENCE_MS = 10_000;

/** Wait for an end that the library does not always tell: two seconds, by real time. */
export async function soon(end: Promise<unknown>): Promise<void> {
	let timer: NodeJS.Timeout | undefined;
	await Promise.race([end, new Promise<void>((resolve) => (timer = setTimeout(resolve, 2_000)))]);
	clearTimeout(timer);
}

/** The network stack of a small device: clean session, last will, keep-alive, and a new try each second. */
export class MqttNode {
	readonly #options: MqttOptions;
	readonly #role: NodeRole;
	#client: MqttClient | undefined;

	constructor(options: MqttOptions, role: NodeRole) {
		this.#options = options;
		this.#role = role;
	}

	get clock(): SimClock {
		return this.#options.clock ?? systemClock;
	}

	get connected(): boolean {
		return this.#client?.connected ?? false;
	}

	/**
	 * Connect and announce; after that it reconnects by itself.
	 *
	 * @throws {Error} when the broker has not taken the first announcement within ten seconds.
	 */
	async start(): Promise<void> {
		await this.crash();
		const { url, username, password, keepalive = 15 } = this.#options;
		const { clientId } = this.#role;
		const client = connect(url, {
			clientId,
			clean: true,
			keepalive,
			protocolVersion: 4,
			reconnectPeriod: 1000,
			connectTimeout: PATIENCE_MS,
			queueQoSZero: false, // a small device has no memory for what it measured while it was offline
			...this.#will(),
			...(username !== undefined && { username }),
			...(password !== undefined && { password }),
		});
		this.#client = client;
		client.on("error", () => undefined); // refused or not there: it tries again in a second
		client.on("message", (topic, payload) => this.#role.hear?.(topic, payload.toString("utf8"), payload));
		// The library connects again with the options that it finds then.
		client.on("close", () => void (this.#client === client && Object.assign(client.options, this.#will())));
		await new Promise<void>((resolve, reject) => {
			const patience = setTimeout(() => reject(new Error(`Cannot announce "${clientId}" at "${url}": the broker did not answer`)), PATIENCE_MS);
			client.on("connect", () => {
				this.#announce(client).then(
					() => {
						clearTimeout(patience);
						resolve();
					},
					() => undefined, // the line fell while it spoke: the next connect announces again
				);
			});
		}).catch(async (error: unknown) => {
			await this.crash();
			throw error;
		});
	}

	/** Say something now; when there is no connection it is lost, as on a device. */
	say(said: Said): void {
		const client = this.#client;
		if (client?.connected) client.publish(said.topic, bytesOf(said), { retain: said.retain ?? false, qos: said.qos ?? 0 });
	}

	/** Say everything again that is said after a connect. */
	announceAgain(): void {
		for (const said of this.#role.announce?.() ?? []) this.say(said);
	}

	/** Go away politely: farewell, DISCONNECT, no will. A broker that does not answer is left without. */
	async stop(): Promise<void> {
		const client = this.#client;
		this.#client = undefined;
		if (client === undefined) return;
		const leave = async (): Promise<void> => {
			await Promise.all((this.#role.farewell?.() ?? []).map((said) => publish(client, { ...said, qos: 1 })));
			await client.endAsync();
		};
		const lost = new Promise<void>((resolve) => client.once("close", () => resolve())); // the end of leave() too
		const patience = setTimeout(() => client.stream.destroy(), PATIENCE_MS);
		// A farewell that the broker did not take is no fault of the device: the will says it instead.
		if (client.connected) await Promise.race([leave().catch(() => undefined), lost]);
		clearTimeout(patience);
		await soon(client.endAsync(true));
	}

	/** Vanish: the socket dies without DISCONNECT, so that the broker speaks the will. Stays away until `start()`. */
	async crash(): Promise<void> {
		const client = this.#client;
		this.#client = undefined;
		if (client === undefined) return;
		client.stream.destroy();
		await soon(client.endAsync(true));
	}

	/** The network blinks: the socket dies, and the device comes back by itself about a second later. */
	blink(): void {
		this.#client?.stream.destroy();
	}

	#will(): { will?: { topic: string; payload: Buffer; retain: boolean; qos: 1 } } {
		const { will } = this.#role;
		const said = typeof will === "function" ? will() : will;
		return said ? { will: { topic: said.topic, payload: Buffer.from(said.text), retain: said.retain ?? true, qos: 1 } } : {};
	}

	async #announce(client: MqttClient): Promise<void> {
		const { subscriptions = [] } = this.#role;
		if (subscriptions.length > 0) await client.subscribeAsync([...subscriptions], { qos: 1 });
		// One after the other: a broker may let QoS 0 overtake QoS 1, and a state before its description helps nobody.
		for (const said of this.#role.announce?.() ?? []) await publish(client, said);
	}
}

function publish(client: MqttClient, said: Said): Promise<unknown> {
	return client.publishAsync(said.topic, bytesOf(said), { retain: said.retain ?? false, qos: said.qos ?? 0 });
}

function bytesOf({ text }: Said): string | Buffer {
	return typeof text === "string" ? text : Buffer.from(text);
}
