import type { Millis } from "../core/clock.js";
import { messageOf } from "../core/errors.js";
import type { Outbox } from "../core/outbox.js";
import type { Verbs } from "./module.js";

/** The store did not take it. */
const AGAIN: Millis = 5_000;

/** Takes delivered stanzas off the disk: many at once while the store is slow, and again when it fails. */
export class Sweeper {
	readonly #verbs: Pick<Verbs, "clock" | "log">;
	readonly #outbox: Pick<Outbox, "acknowledged">;
	/** Delivered, and not yet gone from the disk. Bounded by what is on its way: nothing new leaves while the store fails. */
	readonly #delivered = new Set<string>();
	#isBusy = false;
	#sweeping: Promise<void> = Promise.resolve();
	#isClosed = false;

	constructor(verbs: Pick<Verbs, "clock" | "log">, outbox: Pick<Outbox, "acknowledged">) {
		this.#verbs = verbs;
		this.#outbox = outbox;
	}

	get size(): number {
		return this.#delivered.size;
	}

	/** Is it delivered, whatever the disk says? */
	has(batch: string): boolean {
		return this.#delivered.has(batch);
	}

	add(batch: string): void {
		this.#delivered.add(batch);
		if (!this.#isBusy) this.#sweeping = this.#sweep();
	}

	/** Resolves when all that was delivered by now is off the disk, or is never taken off it any more. */
	swept(): Promise<void> {
		return this.#sweeping;
	}

	/** What is still on the disk then is sent once more after the next start, with the same id. */
	close(): void {
		this.#isClosed = true;
	}

	async #sweep(): Promise<void> {
		this.#isBusy = true;
		while (this.#delivered.size > 0) {
			const some = [...this.#delivered];
			try {
				await this.#outbox.acknowledged(some);
				for (const batch of some) this.#delivered.delete(batch);
			} catch (error) {
				if (this.#isClosed) break;
				this.#verbs.log.warn({ err: error }, `Cannot take ${some.length} delivered stanza(s) off the outbox: ${messageOf(error)}`);
				await new Promise<void>((resolve) => void this.#verbs.clock.after(AGAIN, resolve));
			}
		}
		this.#isBusy = false;
	}
}
