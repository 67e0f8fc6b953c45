import type { Clock, Millis, UnixMillis } from "../core/clock.js";
import type { Letter } from "../core/outbox.js";
import type { Batch } from "./letter.js";

/**
 * A server that has a letter may find out only later that it cannot deliver it: when the session of his client, which the
 * network has lost, is not resumed. Servers wait for that for five minutes (ejabberd) to ten (Prosody).
 */
const MOST_LATE: Millis = 10 * 60_000;
/** Of everybody together; beyond it the oldest are believed to have arrived. */
const MOST_BYTES = 4_000_000;
/** What a letter costs beside its body. */
const LETTER_BYTES = 400;

interface Kept {
	readonly to: string;
	readonly batch: Batch;
	readonly bytes: number;
	readonly at: UnixMillis;
	/** How often it came back after it was proven. */
	returns: number;
}

/** Stanzas that a ping has proven, or will prove: should one come back, its letters are still known. In memory only, since they are as good as delivered. */
export class Proven {
	readonly #clock: Pick<Clock, "now">;
	/** In the order of time. */
	readonly #kept = new Map<string, Kept>();
	#bytes = 0;

	constructor(clock: Pick<Clock, "now">) {
		this.#clock = clock;
	}

	/** It leaves, or is proven. */
	keep(to: string, batch: Batch): void {
		const returns = this.#kept.get(batch.id)?.returns ?? 0;
		this.forget(batch.id);
		const bytes = batch.letters.reduce((sum: number, { body }: Letter) => sum + LETTER_BYTES + 2 * body.length, LETTER_BYTES);
		this.#kept.set(batch.id, { to, batch, bytes, at: this.#clock.now(), returns });
		this.#bytes += bytes;
		for (const [id, { at }] of this.#kept) {
			if (this.#bytes <= MOST_BYTES && !this.#isOver(at)) break;
			this.forget(id);
		}
	}

	/** The time begins anew. */
	refresh(id: string): void {
		const kept = this.#kept.get(id);
		if (kept) this.keep(kept.to, kept.batch);
	}

	/** The stanza with this id that went to him; nothing when it is too long ago. */
	find(to: string, id: string): Batch | undefined {
		const kept = this.#kept.get(id);
		return kept?.to === to && !this.#isOver(kept.at) ? kept.batch : undefined;
	}

	/** It came back. @returns How often it had before. */
	returned(id: string): number {
		const kept = this.#kept.get(id);
		return kept ? kept.returns++ : 0;
	}

	forget(id: string): void {
		const kept = this.#kept.get(id);
		if (!kept) return;
		this.#kept.delete(id);
		this.#bytes -= kept.bytes;
	}

	#isOver(at: UnixMillis): boolean {
		return this.#clock.now() - at > MOST_LATE;
	}
}
