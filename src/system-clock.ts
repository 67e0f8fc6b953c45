import type { Clock } from "./core/clock.js";

/** The time of this machine. Only main.ts and the command line use it. */
export const systemClock: Clock = {
	now: Date.now,
	after(span, run) {
		// A longer delay than a 32-bit number of milliseconds would fire at once.
		const timer = setTimeout(run, Math.min(Math.max(0, span), 2 ** 31 - 1));
		return () => clearTimeout(timer);
	},
};
