import type { Clock } from "../../src/core/clock.js";

interface Timer {
	readonly due: number;
	readonly run: () => void;
}

/** 2026-01-01T00:00:00Z: a start that looks like a time, so that seconds and milliseconds cannot be mixed up unseen. */
export const FAKE_START = Date.UTC(2026, 0, 1);

/** A clock that stands still until a test moves it. */
export class FakeClock implements Clock {
	#now: number;
	readonly #timers = new Set<Timer>();

	constructor(start: number = FAKE_START) {
		this.#now = start;
	}

	now(): number {
		return this.#now;
	}

	after(span: number, run: () => void): () => void {
		const timer = { due: this.#now + Math.max(0, span), run };
		this.#timers.add(timer);
		return () => void this.#timers.delete(timer);
	}

	/** How many timers wait: a test of leaks. */
	get pending(): number {
		return this.#timers.size;
	}

	/** When the next timer is due; `undefined` if none waits. */
	get next(): number | undefined {
		return this.#first()?.due;
	}

	/** Move the time by `ms`. Timers run in the order they are due (then of their making), each at its own time, promises settled between them. */
	async advance(ms: number): Promise<void> {
		const end = this.#now + ms;
		await settle();
		for (let timer = this.#first(); timer !== undefined && timer.due <= end; timer = this.#first()) {
			this.#timers.delete(timer);
			this.#now = Math.max(this.#now, timer.due);
			timer.run();
			await settle();
		}
		this.#now = end;
	}

	/** Set the wall clock, as NTP does: timers keep their distance. */
	jump(ms: number): void {
		const timers = [...this.#timers];
		this.#timers.clear();
		this.#now += ms;
		for (const { due, run } of timers) this.#timers.add({ due: due + ms, run });
	}

	#first(): Timer | undefined {
		let first: Timer | undefined;
		for (const timer of this.#timers) if (first === undefined || timer.due < first.due) first = timer;
		return first;
	}
}

/** Let promises and immediates run that are ready now, several layers deep. No real time passes. */
export async function settle(): Promise<void> {
	for (let turn = 0; turn < 3; turn++) await new Promise<void>((resolve) => void setImmediate(resolve));
}
