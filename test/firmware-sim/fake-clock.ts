import type { SimClock } from "../../firmware-sim/clock.js";

/** Time that stands still until `advance()`. Timers of one moment run in the order in which they were set. */
export class FakeClock implements SimClock {
	#now = 1_700_000_000_000;
	#timers: { readonly due: number; readonly run: () => void }[] = [];

	now(): number {
		return this.#now;
	}

	after(ms: number, run: () => void): () => void {
		const timer = { due: this.#now + Math.max(0, ms), run };
		this.#timers.push(timer);
		return () => {
			this.#timers = this.#timers.filter((other) => other !== timer);
		};
	}

	advance(ms: number): void {
		const end = this.#now + ms;
		for (;;) {
			let next: { readonly due: number; readonly run: () => void } | undefined;
			for (const timer of this.#timers) if (timer.due <= end && (next === undefined || timer.due < next.due)) next = timer;
			if (next === undefined) break;
			const taken = next;
			this.#timers = this.#timers.filter((other) => other !== taken);
			this.#now = taken.due;
			taken.run();
		}
		this.#now = end;
	}

	get pending(): number {
		return this.#timers.length;
	}
}
