import { GatewayError } from "../../src/core/errors.js";
import type { Letter, Outbox, Queue, Waiting } from "../../src/core/outbox.js";
import type { Watch, WatchStore } from "../../src/core/watch.js";

/** An outbox and watches in memory, as if on a disk: what is in it outlives who uses it. Small, slow and right. test/store holds the real one to the same words. */
export class MemoryOutbox implements Outbox, WatchStore {
	/** In the order of posting. */
	readonly kept: Waiting[] = [];
	readonly #watches = new Map<string, Watch>();
	/** Every letter that was ever posted, once. */
	readonly posted: Letter[] = [];
	/** Every watch that was written, in order. */
	readonly written: Watch[] = [];
	/** The most letters that one call gave: nobody may read everything. */
	mostRead = 0;
	broken = false;
	/** Only watches cannot be written. */
	watchesBroken = false;
	/** While set, a call ends only with it. */
	until: Promise<void> | undefined;

	async post(letter: Letter): Promise<void> {
		await this.#open();
		if (this.kept.some(({ id }) => id === letter.id)) return;
		this.kept.push(letter);
		this.posted.push(letter);
	}

	async next(to: string, limit: number, except: readonly string[] = []): Promise<readonly Waiting[]> {
		await this.#open();
		const waiting = this.kept.filter((letter) => letter.to === to && letter.batch === undefined && !except.includes(letter.device));
		return this.#page([...waiting.filter(({ urgent }) => urgent), ...waiting.filter(({ urgent }) => !urgent)], limit);
	}

	async sent(to: string, limit: number): Promise<readonly Waiting[]> {
		await this.#open();
		return this.#page(this.kept.filter((letter) => letter.to === to && letter.batch !== undefined), limit);
	}

	async assign(ids: readonly string[], batch: string): Promise<void> {
		await this.#open();
		for (const [at, letter] of this.kept.entries()) if (ids.includes(letter.id)) this.kept[at] = { ...letter, batch };
	}

	async acknowledged(batches: readonly string[]): Promise<void> {
		await this.#open();
		this.#drop((letter) => letter.batch !== undefined && batches.includes(letter.batch));
	}

	async discard(to: string, device?: string): Promise<number> {
		await this.#open();
		return this.#drop((letter) => letter.to === to && (device === undefined || letter.device === device));
	}

	async queues(): Promise<readonly Queue[]> {
		await this.#open();
		return [...new Set(this.kept.map(({ to }) => to))].map((to) => {
			const letters = this.kept.filter((letter) => letter.to === to);
			return { to, letters: letters.length, oldest: Math.min(...letters.map(({ at }) => at)) };
		});
	}

	watches(): readonly Watch[] {
		return [...this.#watches.values()];
	}

	async putWatch(watch: Watch): Promise<void> {
		await this.#open();
		if (this.watchesBroken) throw new GatewayError("store-failed", "Cannot write the watch: the disk is full");
		this.written.push(watch);
		this.#watches.set(keyOf(watch), watch);
	}

	async dropWatch(watch: Pick<Watch, "who" | "device" | "point">): Promise<void> {
		await this.#open();
		this.#watches.delete(keyOf(watch));
	}

	async #open(): Promise<void> {
		await this.until;
		if (this.broken) throw new GatewayError("store-failed", "Cannot write to the outbox: the disk is full");
	}

	#page(letters: readonly Waiting[], limit: number): readonly Waiting[] {
		const page = letters.slice(0, limit);
		this.mostRead = Math.max(this.mostRead, page.length);
		return page;
	}

	#drop(isGone: (letter: Waiting) => boolean): number {
		const left = this.kept.filter((letter) => !isGone(letter));
		return this.kept.splice(0, this.kept.length, ...left).length - left.length;
	}
}

function keyOf({ who, device, point }: Pick<Watch, "who" | "device" | "point">): string {
	return JSON.stringify([who, device, point]);
}
