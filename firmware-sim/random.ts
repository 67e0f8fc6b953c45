/** Chance that repeats: the same seed gives the same numbers in [0, 1), on every machine. */
export function seeded(seed: number): () => number {
	let state = seed >>> 0;
	// A Weyl sequence (step: 2^32 divided by the golden ratio), mixed by the 32-bit finaliser of MurmurHash3.
	return () => {
		state = (state + 0x9e3779b9) >>> 0;
		let mixed = state;
		mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
		mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
		return ((mixed ^ (mixed >>> 16)) >>> 0) / 2 ** 32;
	};
}

/** One step of a random walk: from `value` by at most `step`, and never out of [`low`, `high`]. */
export function wander(chance: () => number, value: number, step: number, low: number, high: number): number {
	return Math.min(high, Math.max(low, value + (chance() * 2 - 1) * step));
}
