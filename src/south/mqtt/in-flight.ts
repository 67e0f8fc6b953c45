// QoS 1 messages between their arrival and their acknowledgement.
// MQTT Version 3.1.1, sections 4.3.2 (QoS 1), 4.4 (redelivery) and 4.6 (order of acknowledgements).
// Source: https://docs.oasis-open.org/mqtt/mqtt/v3.1.1/os/mqtt-v3.1.1-os.html

import { createHash } from "node:crypto";
import type { Memory, Remembered } from "../link.js";

/** Acknowledged messages that are remembered: more than any broker keeps in flight at once. */
const MAX_REMEMBERED = 2_000;

interface Entry {
	readonly id: number;
	readonly hash: string;
	taken: boolean;
	/** The acknowledgement left on a connection of which no later word has come back. */
	acknowledged: boolean;
	/** A ping was sent after the acknowledgement. */
	pinged: boolean;
}

/**
 * Acknowledges in the order of arrival [MQTT-4.6.0-2], each message only when it was taken over, on the connection that it came by last.
 *
 * It outlives connections, and by what the store remembers also this process: what is redelivered although it was taken over, since the
 * acknowledgement was lost, is acknowledged again and dropped; what is redelivered while it is still being taken over is not delivered twice.
 */
export class InFlight {
	/** Of this connection, in the order of arrival, not acknowledged yet. */
	#waiting: Entry[] = [];
	/** The last message of each id, the latest last. */
	readonly #remembered = new Map<number, Entry>();
	#send: ((id: number) => void) | undefined;
	readonly #memory: Memory | undefined;

	/** @param memory What an earlier process took over, and whose acknowledgement it may have lost. */
	constructor(memory?: Memory) {
		this.#memory = memory;
		// Acknowledged, as far as is known: the first ping of a connection that did not bring them again says that the broker has no more of them.
		for (const { id, hash } of memory?.delivered ?? []) this.#remember({ id, hash, taken: true, acknowledged: true, pinged: false });
	}

	/** A connection begins. @param resumed False when the broker has no session: its ids begin anew. @param send Sends a PUBACK on this connection. */
	open(resumed: boolean, send: (id: number) => void): void {
		this.#waiting = [];
		if (!resumed && this.#remembered.size > 0) {
			this.#remembered.clear();
			this.#memory?.release("all");
		}
		this.#send = send;
	}

	/** The connection is gone. What is taken from now on is acknowledged when the broker sends it again. */
	close(): void {
		this.#waiting = [];
		this.#send = undefined;
	}

	/** A message arrived. @returns How it is to be remembered, and what to call when it was taken over; nothing for one that must not be delivered again. */
	arrived(id: number, dup: boolean, topic: string, payload: Uint8Array): (Remembered & { taken(): void }) | undefined {
		const hash = createHash("sha256").update(topic).update("\0").update(payload).digest("base64");
		const before = this.#remembered.get(id);
		if (dup && before?.hash === hash) {
			before.acknowledged = false;
			before.pinged = false;
			if (!this.#waiting.includes(before)) this.#waiting.push(before);
			this.#flush();
			return undefined;
		}
		const entry: Entry = { id, hash, taken: false, acknowledged: false, pinged: false };
		this.#remember(entry);
		this.#waiting.push(entry);
		return {
			id, hash,
			taken: () => {
				entry.taken = true;
				this.#flush();
			},
		};
	}

	/** A PINGREQ leaves: what was acknowledged before it has reached the broker when its answer comes. */
	ping(): void {
		for (const entry of this.#remembered.values()) if (entry.acknowledged) entry.pinged = true;
	}

	/** A PINGRESP came. Ids whose acknowledgement arrived are free for other messages, and a DUP of theirs is no repetition of ours. */
	pong(): void {
		const free: number[] = [];
		for (const [id, entry] of this.#remembered) {
			if (!entry.acknowledged || !entry.pinged) continue;
			this.#remembered.delete(id);
			free.push(id);
		}
		if (free.length > 0) this.#memory?.release(free);
	}

	#flush(): void {
		if (!this.#send) return;
		let count = 0;
		while (this.#waiting[count]?.taken) {
			const entry = this.#waiting[count++]!;
			entry.acknowledged = true;
			this.#send(entry.id);
		}
		if (count > 0) this.#waiting.splice(0, count);
	}

	#remember(entry: Entry): void {
		this.#remembered.delete(entry.id);
		this.#remembered.set(entry.id, entry);
		if (this.#remembered.size <= MAX_REMEMBERED) return;
		for (const [id, old] of this.#remembered) {
			if (!old.acknowledged) continue;
			this.#remembered.delete(id);
			this.#memory?.release([id]);
			return;
		}
	}
}
