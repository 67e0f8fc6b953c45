import type { Millis, UnixMillis } from "../core/clock.js";

/** Times faster than the clock of the machine runs, at most: what was off for a month has made up for it after a good day. */
const CATCH_UP = 24;
/** A wall clock that stays ahead for so long is believed. Boards without a clock of their own start in 1970. */
const BELIEVED_AFTER: Millis = 3 * 86_400_000;
/** A start follows the last reading so closely: what is later than that may be a mistake of the wall clock. */
const AFTER_NEWEST: Millis = 3_600_000;

/**
 * The time by which things grow old: the wall clock's, but never in leaps.
 *
 * A board without a clock of its own starts somewhere in the past, and a wrong server of time is believed for a while. Were age taken from
 * the wall clock alone, the next second would make everything too old to be kept. So this time follows a step ahead slowly, and a step back at once.
 */
export class SteadyTime {
	readonly #wall: () => UnixMillis;
	readonly #elapsed: () => Millis;
	#now: UnixMillis;
	/** Of `elapsed`, when it was looked at last. */
	#seen: Millis;
	/** For how long the wall clock has been ahead. */
	#behind: Millis = 0;

	/**
	 * @param elapsed Grows with the time that passes, and by nothing else; from any beginning.
	 * @param newest When the last thing was written that can grow old.
	 */
	constructor(wall: () => UnixMillis, elapsed: () => Millis, newest?: UnixMillis) {
		this.#wall = wall;
		this.#elapsed = elapsed;
		this.#now = steadyStart(wall(), newest);
		this.#seen = elapsed();
	}

	now(): UnixMillis {
		const seen = this.#elapsed();
		const passed = Math.max(0, seen - this.#seen);
		this.#seen = seen;
		const wall = this.#wall();
		const reached = this.#now + CATCH_UP * passed;
		this.#behind = wall <= reached ? 0 : this.#behind + passed;
		this.#now = this.#behind >= BELIEVED_AFTER ? wall : Math.min(wall, reached);
		return this.#now;
	}
}

/** Where it begins, at a start. */
export function steadyStart(now: UnixMillis, newest: UnixMillis | undefined): UnixMillis {
	return newest === undefined ? now : Math.min(now, newest + AFTER_NEWEST);
}
