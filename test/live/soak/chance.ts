// Chance that can be repeated.

/** Numbers 0 ≤ x < 1 from a seed: mulberry32. */
export function seeded(seed: number): () => number {
	let state = seed >>> 0;
	return () => {
		state = (state + 0x6d2b79f5) >>> 0;
		let mixed = Math.imul(state ^ (state >>> 15), state | 1);
		mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
		return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
	};
}

/** The same items in another order. */
export function shuffled<Item>(items: readonly Item[], chance: () => number): Item[] {
	const left = [...items];
	return items.map(() => left.splice(Math.floor(chance() * left.length), 1)[0]!);
}
