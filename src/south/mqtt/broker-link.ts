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
/** Messages of one client, and of all, that may wait to be taken over, and their bytes: then a client is sent away, and comes back with what it has. */
const MAX_OF_ONE = 4_000;
const MAX_BYTES_OF_ONE = 8 * MAX_PAYLOAD;
const MAX_OF_ALL = 20_000;
const MAX_BYTES_OF_ALL = 64 * MAX_PAYLOAD;

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

/** The last message of one number of one client. */
interface Known {
	readonly hash: string;
	/** Where the store remembers it. */
	readonly slot: number;
	taken: boolean;
	readonly waiting: (() => void)[];
}

/** What of one client waits to be taken over. */
interface Waiting {
	readonly queue: { isDone: boolean; readonly done: () => void }[];
	count: number;
	bytes: number;
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
	/** Messages that were taken over, or are being, by client and number; the oldest first. */
	readonly #known = new Map<string, Known>();
	/** Places in the store that hold nothing. */
	readonly #free: number[];
	readonly #memory: Memory | undefined;
	/** Messages from before the gateway listened: no more than clients send without an acknowledgement. */
	readonly #early: (() => void)[] = [];
	/** What may be acknowledged of each client, in the order of arrival. */
	readonly #waiting = new Map<string, Waiting>();
	#count = 0;
	#bytes = 0;

	/** @param memory Messages of an earlier run that their senders may repeat. */
	constructor(id: string, clock: Clock, hands: BrokerHands, memory?: Memory) {
		this.id = id;
		this.#clock = clock;
		this.#hands = hands;
		this.#memory = memory;
		for (const { id: slot, hash } of memory?.delivered ?? []) this.#known.set(hash.slice(0, KEY_LENGTH), { hash, slot, taken: true, waiting: [] });
		const used = new Set([...this.#known.values()].map(({ slot }) => slot));
		this.#free = Array.from({ length: MAX_REMEMBERED }, (_, slot) => slot).filter((slot) => !used.has(slot));
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
		const waiting = this.#waiting.get(client) ?? { queue: [], count: 0, bytes: 0 };
		const isWanted = isTopic(message.topic) && this.#tree?.matches(message.topic) !== false;
		if (!isWanted && waiting.queue.length === 0) return done();
		if (waiting.count >= MAX_OF_ONE || waiting.bytes + bytes > MAX_BYTES_OF_ONE || this.#count >= MAX_OF_ALL || this.#bytes + bytes > MAX_BYTES_OF_ALL) {
			return message.qos === 0 ? done() : done(new Error("sends faster than the gateway can write"));
		}
		waiting.count++;
		waiting.bytes += bytes;
		this.#count++;
		this.#bytes += bytes;
		this.#waiting.set(client, waiting);
		const { queue } = waiting;
		const place = { isDone: false, done: () => done() };
		queue.push(place);
		const taken = (): void => {
			if (place.isDone) return;
			place.isDone = true;
			waiting.count--;
			waiting.bytes -= bytes;
			this.#count--;
			this.#bytes -= bytes;
			while (queue[0]?.isDone) queue.shift()!.done();
			if (queue.length === 0) this.#waiting.delete(client);
		};
		if (isWanted) this.#take(client, message, taken);
		else taken();
	}

	#take(client: string, message: Published, done: () => void): void {
		const { topic, payload, qos, messageId, dup } = message;
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
			const key = digest(`${client}\0${messageId}`).slice(0, KEY_LENGTH);
			const hash = key + digest(`${topic}\0`, payload);
			const before = this.#known.get(key);
			// A client may use one number for everything: only what it says to be a repetition, of the last message of that number, is one.
			if (dup && before?.hash === hash) return void (before.taken ? done() : before.waiting.push(done));
			const known: Known = { hash, slot: before?.slot ?? this.#freeSlot(), taken: false, waiting: [done] };
			this.#known.delete(key);
			this.#known.set(key, known);
			delivery = { id: known.slot, hash };
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

	/** A place in the store; the oldest message that was taken over makes room. */
	#freeSlot(): number {
		const free = this.#free.pop();
		if (free !== undefined) return free;
		for (const [key, { taken, slot }] of this.#known) {
			if (!taken) continue;
			this.#known.delete(key);
			this.#memory?.release([slot]);
			return slot;
		}
		return MAX_REMEMBERED + this.#known.size; // more are under way than are remembered: a place for as long as it takes
	}
}

/** How much of a hash tells client and number. */
const KEY_LENGTH = 16;

function digest(...parts: readonly (string | Uint8Array)[]): string {
	const hash = createHash("sha256");
	for (const part of parts) hash.update(part);
	return hash.digest("base64");
}
