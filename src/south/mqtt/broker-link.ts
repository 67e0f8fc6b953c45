// The road to the devices that are clients of the embedded broker: in this process, so that a client's PUBACK can wait for its readings.
// MQTT Version 3.1.1, sections 4.3.2 (QoS 1), 4.4 (redelivery) and 4.6 (order).
// Source: https://docs.oasis-open.org/mqtt/mqtt/v3.1.1/os/mqtt-v3.1.1-os.html

import { createHash } from "node:crypto";
import type { Clock } from "../../core/clock.js";
import { GatewayError, messageOf } from "../../core/errors.js";
import type { Link, LinkEars, Memory, Outgoing, Packet, Remembered } from "../link.js";
import { MAX_PAYLOAD } from "./frame-guard.js";
import { FilterTree } from "./filter-tree.js";
import { isFilter, isTopic } from "./pattern.js";
import { aborted, answered } from "./waits.js";

/** Messages of clients that are remembered, so that a repetition is known: some seconds of a busy fleet, and what it sends again after a restart. */
const MAX_REMEMBERED = 2_000;
/** Messages of all clients that may wait to be taken over, and their bytes: then clients are sent away, and come back with what they have. */
const MAX_UNTAKEN = 5_000;
const MAX_UNTAKEN_BYTES = 16 * MAX_PAYLOAD;

/** What a client publishes. */
export interface Published {
	readonly topic: string;
	readonly payload: Uint8Array;
	readonly qos: 0 | 1 | 2;
	/** Of QoS 1 and 2: the client's own number for it. */
	readonly messageId?: number;
	/** The client has sent it before. */
	readonly dup: boolean;
}

/** What the link needs of its broker. */
export interface BrokerHands {
	publish(message: { readonly topic: string; readonly payload: string | Uint8Array; readonly qos: 0 | 1; readonly retain: boolean }, done: (error?: Error) => void): void;
	/** The retained messages that match any of these filters. */
	retained(filters: readonly string[]): AsyncIterable<{ readonly topic: string; readonly payload: Uint8Array }>;
}

interface Known {
	taken: boolean;
	readonly waiting: (() => void)[];
}

/** Hears what clients publish before they are acknowledged, and nothing that was published here. */
export class BrokerLink implements Link {
	readonly id: string;
	readonly #clock: Clock;
	readonly #hands: BrokerHands;
	#ears: LinkEars | undefined;
	#filters: ReadonlySet<string> = new Set();
	/** Nothing: it is not known yet what will be listened to. */
	#tree: FilterTree | undefined;
	/** Messages that were taken over, or are being, by their hash; the oldest first. */
	readonly #known = new Map<string, Known>();
	#untaken = 0;
	#untakenBytes = 0;
	/** Where in the store the next one is remembered: a ring of MAX_REMEMBERED. */
	#slot: number;
	/** Messages from before the gateway listened: no more than clients send without an acknowledgement. */
	readonly #early: (() => void)[] = [];
	/** Of each client what may be acknowledged, in the order of arrival; and what waits. */
	readonly #queues = new Map<string, { isDone: boolean; readonly done: () => void }[]>();

	/** @param memory Messages of an earlier run that their senders may repeat. */
	constructor(id: string, clock: Clock, hands: BrokerHands, memory?: Memory) {
		this.id = id;
		this.#clock = clock;
		this.#hands = hands;
		for (const { hash } of memory?.delivered ?? []) this.#known.set(hash, { taken: true, waiting: [] });
		this.#slot = this.#known.size % MAX_REMEMBERED;
	}

	async run(ears: LinkEars, signal: AbortSignal): Promise<void> {
		if (signal.aborted) return;
		this.#ears = ears;
		ears.state({ up: true });
		void this.#tellRetained([...this.#filters]);
		for (const take of this.#early.splice(0)) take();
		await aborted(signal);
		this.#ears = undefined;
	}

	async send(out: Outgoing, signal: AbortSignal): Promise<void> {
		if (out.kind !== "message") throw new GatewayError("not-implemented", `Cannot send a ${out.kind} to link "${this.id}": it is an MQTT link, which takes messages`);
		if (!isTopic(out.topic)) throw new GatewayError("bad-value", `Cannot publish to "${out.topic.slice(0, 120)}": it is no MQTT topic`);
		await answered((done) => this.#hands.publish({ topic: out.topic, payload: out.payload, qos: out.qos ?? 1, retain: out.retain ?? false }, done),
			[signal, () => new GatewayError("device-timeout", `Cannot publish to "${out.topic}": the broker did not take it in time`)]);
	}

	listen(filters: readonly string[]): void {
		const before = this.#filters;
		this.#filters = new Set(filters.filter(isFilter));
		this.#tree = new FilterTree(this.#filters);
		const more = [...this.#filters].filter((filter) => !before.has(filter));
		if (this.#ears && more.length > 0) void this.#tellRetained(more);
	}

	/** A client publishes. @param done Called once, when the client may be acknowledged: in the order of its messages, of any QoS. With an error it must go. */
	hear(client: string, message: Published, done: (error?: Error) => void): void {
		const bytes = message.payload.length;
		if (this.#untaken >= MAX_UNTAKEN || this.#untakenBytes + bytes > MAX_UNTAKEN_BYTES) return done(new Error("sends faster than the gateway can write"));
		this.#untaken++;
		this.#untakenBytes += bytes;
		const queue = this.#queues.get(client) ?? [];
		const place = { isDone: false, done: () => done() };
		queue.push(place);
		this.#queues.set(client, queue);
		this.#take(client, message, () => {
			if (place.isDone) return;
			place.isDone = true;
			this.#untaken--;
			this.#untakenBytes -= bytes;
			while (queue[0]?.isDone) queue.shift()!.done();
			if (queue.length === 0 && this.#queues.get(client) === queue) this.#queues.delete(client);
		});
	}

	#take(client: string, message: Published, done: () => void): void {
		const { topic, payload, qos, messageId, dup } = message;
		if (!isTopic(topic) || this.#tree?.matches(topic) === false) return done();
		const ears = this.#ears;
		if (!ears) {
			// Nobody listens yet, or any more: what is not acknowledged comes again.
			if (qos > 0) this.#early.push(() => this.#take(client, message, done));
			else done();
			return;
		}
		let delivery: Remembered | undefined;
		let taken = done;
		if (qos > 0 && messageId !== undefined) {
			const hash = createHash("sha256").update(`${client}\0${messageId}\0${topic}\0`).update(payload).digest("base64");
			const before = dup ? this.#known.get(hash) : undefined;
			if (before) return void (before.taken ? done() : before.waiting.push(done));
			const known: Known = { taken: false, waiting: [done] };
			this.#remember(hash, known);
			delivery = { id: this.#slot, hash };
			this.#slot = (this.#slot + 1) % MAX_REMEMBERED;
			taken = () => {
				known.taken = true;
				for (const tell of known.waiting.splice(0)) tell();
			};
		}
		this.#tell(ears, { body: { kind: "message", topic, payload, retained: false }, received: this.#clock.now(), ...(delivery && { delivery }), taken });
	}

	#tell(ears: LinkEars, packet: Packet & { readonly body: { readonly kind: "message" } }): void {
		try {
			ears.packet(packet);
		} catch (error) {
			// A message that breaks something would be sent again, and break it, for ever.
			ears.fault(packet.body.topic, "could not be taken over", messageOf(error));
			packet.taken();
		}
	}

	async #tellRetained(filters: readonly string[]): Promise<void> {
		if (filters.length === 0) return;
		try {
			for await (const { topic, payload } of this.#hands.retained(filters)) {
				if (!this.#ears) return;
				this.#tell(this.#ears, { body: { kind: "message", topic, payload, retained: true }, received: this.#clock.now(), taken: () => undefined });
			}
		} catch (error) {
			this.#ears?.fault(this.id, "cannot read the retained messages", messageOf(error));
		}
	}

	#remember(hash: string, known: Known): void {
		this.#known.delete(hash);
		this.#known.set(hash, known);
		if (this.#known.size <= MAX_REMEMBERED) return;
		for (const [oldest, { taken }] of this.#known) {
			if (!taken) continue;
			this.#known.delete(oldest);
			return;
		}
	}
}
