import type { Clock, Millis, UnixMillis } from "../core/clock.js";

/** So many in a burst, and so many a second in the long run. */
export interface Rate {
	readonly burst: number;
	readonly perSecond: number;
}

/** A token bucket: full at first. */
export class Bucket {
	readonly #rate: Rate;
	#tokens: number;
	#at: UnixMillis;

	constructor(rate: Rate, now: UnixMillis) {
		this.#rate = rate;
		this.#tokens = rate.burst;
		this.#at = now;
	}

	/** Take one token, if there is one. */
	take(now: UnixMillis): boolean {
		this.#fill(now);
		if (this.#tokens < 1) return false;
		this.#tokens--;
		return true;
	}

	/** How long until the next token; 0 if there is one. */
	wait(now: UnixMillis): Millis {
		this.#fill(now);
		return this.#tokens >= 1 ? 0 : Math.ceil((1_000 * (1 - this.#tokens)) / this.#rate.perSecond);
	}

	#fill(now: UnixMillis): void {
		// A clock that was set back gives nothing, and takes nothing.
		const passed = Math.max(0, now - this.#at);
		this.#tokens = Math.min(this.#rate.burst, this.#tokens + (passed * this.#rate.perSecond) / 1_000);
		this.#at = now;
	}
}

/** Names remembered at most, some 2 MB; who floods from more than that many names is the server's business. */
const MAX_NAMES = 10_000;

/** One bucket per name. Of too many names the one that was silent longest is forgotten, and starts anew. */
export class RateLimit {
	readonly #rate: Rate;
	readonly #clock: Clock;
	readonly #buckets = new Map<string, Bucket>();

	constructor(rate: Rate, clock: Clock) {
		this.#rate = rate;
		this.#clock = clock;
	}

	/** May this one go on? */
	take(name: string): boolean {
		const now = this.#clock.now();
		const bucket = this.#buckets.get(name) ?? new Bucket(this.#rate, now);
		this.#buckets.delete(name); // the order of the map is the order of the last use
		this.#buckets.set(name, bucket);
		if (this.#buckets.size > MAX_NAMES) this.#buckets.delete(this.#buckets.keys().next().value!);
		return bucket.take(now);
	}

	get size(): number {
		return this.#buckets.size;
	}
}
