import { connect, type MqttClient } from "mqtt";
import { systemClock, type SimClock } from "./clock.js";
import { type MqttOptions, soon } from "./mqtt-node.js";

/** What a bridge or a server does with its broker: like `MqttNode`, but its will may be missing, in bytes, or not retained, and new with each connection. */
export interface PublisherRole {
	readonly clientId: string;
	/** What the broker says when it vanishes; asked for anew before each connect. */
	will?(): { readonly topic: string; readonly payload: string | Uint8Array; readonly retain: boolean };
	readonly subscriptions?: readonly string[];
	/** What it says after each connect. */
	announce?(): void;
	hear?(topic: string, payload: Uint8Array): void;
}

const PATIENCE_MS = 10_000;
/** Between the end of a connection and the next try. */
const RETRY_MS = 1_000;

/** A connection that says bytes. */
export class Publisher {
	readonly #options: MqttOptions;
	readonly #role: PublisherRole;
	#client: MqttClient | undefined;

	constructor(options: MqttOptions, role: PublisherRole) {
		this.#options = options;
		this.#role = role;
	}

	get clock(): SimClock {
		return this.#options.clock ?? systemClock;
	}

	get connected(): boolean {
		return this.#client?.connected ?? false;
	}

	/** Connect and announce. @throws {Error} when the broker does not answer within ten seconds. */
	async start(): Promise<void> {
		await this.crash();
		const { url, username, password, keepalive = 15 } = this.#options;
		const will = this.#role.will?.();
		const client = connect(url, {
			clientId: this.#role.clientId, clean: true, keepalive, protocolVersion: 4, reconnectPeriod: 0, connectTimeout: PATIENCE_MS, queueQoSZero: false,
			...(will && { will: { topic: will.topic, payload: Buffer.from(will.payload), retain: will.retain, qos: 1 as const } }),
			...(username !== undefined && { username }), ...(password !== undefined && { password }),
		});
		this.#client = client;
		client.on("message", (topic, payload) => this.#role.hear?.(topic, payload));
		await new Promise<void>((resolve, reject) => {
			const patience = setTimeout(() => reject(new Error(`Cannot connect "${this.#role.clientId}" to "${url}": the broker did not answer`)), PATIENCE_MS);
			client.once("connect", () => {
				clearTimeout(patience);
				resolve();
			});
			client.on("error", () => undefined); // said by the time that runs out
		});
		if (this.#role.subscriptions) await client.subscribeAsync([...this.#role.subscriptions], { qos: 1 });
		// A new will needs a new connection: the library would reuse the old one.
		client.once("close", () => void (this.#client === client && this.clock.after(RETRY_MS, () => this.#client === client && void this.start().catch(() => undefined))));
		this.#role.announce?.();
	}

	/** Say something now; without a connection it is lost. */
	say(topic: string, payload: string | Uint8Array, retain = false): void {
		if (this.connected) this.#client?.publish(topic, Buffer.from(payload), { retain, qos: 0 });
	}

	/** Go away politely, with a last word: no will. */
	async stop(farewell: readonly { readonly topic: string; readonly payload: string | Uint8Array; readonly retain?: boolean }[] = []): Promise<void> {
		const client = this.#client;
		this.#client = undefined;
		if (client === undefined) return;
		if (client.connected) await Promise.all(farewell.map(({ topic, payload, retain }) => client.publishAsync(topic, Buffer.from(payload), { retain: retain ?? false, qos: 1 }))).catch(() => undefined);
		await client.endAsync();
	}

	/** Vanish: the broker speaks the will. Stays away until `start()`. */
	async crash(): Promise<void> {
		const client = this.#client;
		this.#client = undefined;
		if (client === undefined) return;
		client.stream.destroy();
		await soon(client.endAsync(true));
	}
}
