/** Time as a simulated device sees it; any clock of this shape will do, so that a test can hold it still. */
export interface SimClock {
	/** Milliseconds since 1970-01-01T00:00:00Z. */
	now(): number;
	/** Call `run` once after `ms`; the answer cancels that. */
	after(ms: number, run: () => void): () => void;
}

/** The clock of this machine: for the demo and for a simulator that runs alone. */
export const systemClock: SimClock = {
	now: () => Date.now(),
	after(ms, run) {
		const timer = setTimeout(run, ms);
		return () => clearTimeout(timer);
	},
};

/** Call `run` every `ms` until the answer is called. */
export function every(clock: SimClock, ms: number, run: () => void): () => void {
	let cancel = clock.after(ms, tick);
	let over = false;
	function tick(): void {
		cancel = clock.after(ms, tick);
		run();
		if (over) cancel();
	}
	return () => {
		over = true;
		cancel();
	};
}

/** The timers of one device: all of them stop when its power goes. */
export class Timers {
	readonly #pending = new Set<() => void>();

	after(clock: SimClock, ms: number, run: () => void): void {
		const cancel = clock.after(ms, () => {
			this.#pending.delete(cancel);
			run();
		});
		this.#pending.add(cancel);
	}

	every(clock: SimClock, ms: number, run: () => void): void {
		this.#pending.add(every(clock, ms, run));
	}

	stop(): void {
		for (const cancel of this.#pending) cancel();
		this.#pending.clear();
	}
}
