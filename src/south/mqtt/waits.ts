// Waiting for what may never come, always with an end.

import { GatewayError } from "../../core/errors.js";

/** Resolves when the signal aborts. */
export function aborted(signal: AbortSignal): Promise<void> {
	return new Promise((resolve) => {
		if (signal.aborted) resolve();
		else signal.addEventListener("abort", () => resolve(), { once: true });
	});
}

/** What a callback says, unless one of the signals aborts first: then the error that stands beside it. */
export function answered(start: (done: (error?: Error | null) => void) => void, ...unless: readonly (readonly [signal: AbortSignal, error: () => Error])[]): Promise<void> {
	return new Promise((resolve, reject) => {
		const stops = unless.map(([signal, error]) => [signal, () => end(error())] as const);
		const end = (error?: Error | null): void => {
			for (const [signal, stop] of stops) signal.removeEventListener("abort", stop);
			if (error) reject(error);
			else resolve();
		};
		for (const [signal, stop] of stops) {
			if (signal.aborted) return stop();
			signal.addEventListener("abort", stop, { once: true });
		}
		start(end);
	});
}

/** Lets so many in at once, and the others wait in their order. */
export class Window {
	#free: number;
	readonly #most: number;
	readonly #queue: (() => void)[] = [];

	/** @param most How many may wait. */
	constructor(size: number, most: number) {
		this.#free = size;
		this.#most = most;
	}

	/** Resolves when there is room; then leave() must follow. @throws {GatewayError} `busy` when too many wait; what `unless` says. */
	async enter(...unless: readonly (readonly [signal: AbortSignal, error: () => Error])[]): Promise<void> {
		if (this.#free > 0) {
			this.#free--;
			return;
		}
		if (this.#queue.length >= this.#most) throw new GatewayError("busy", `Cannot send: ${this.#most} messages wait already`);
		let admit = (): void => {};
		try {
			await answered((done) => {
				admit = () => done();
				this.#queue.push(admit);
			}, ...unless);
		} catch (error) {
			const at = this.#queue.indexOf(admit);
			if (at >= 0) this.#queue.splice(at, 1);
			throw error;
		}
	}

	leave(): void {
		const next = this.#queue.shift();
		if (next) next();
		else this.#free++;
	}
}
