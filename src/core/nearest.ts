/** Longer words are not compared: the table grows with the product of the lengths. */
const MAX_WORD = 60;

/** A gateway has up to 10 000 devices, and a hint is not worth half a second in which nothing else happens: this many are compared in some 30 ms. */
const MAX_COMPARED = 500;

/**
 * The word that was most likely meant: at most a third of its letters wrong, missing, added or swapped with a neighbour; nothing when none is near.
 * Of the words whose length can be near, the first 500 are compared; the same word in another case is found among all.
 */
export function nearest(word: string, known: readonly string[], distance: (a: string, b: string) => number = editDistance): string | undefined {
	const folded = word.toLowerCase();
	if (folded.length > MAX_WORD) return undefined;
	let best: string | undefined;
	let least = Math.max(1, Math.floor(Math.min(folded.length, 9) / 3)) + 1;
	let compared = 0;
	for (const candidate of known) {
		// Each letter more or less is one step away.
		if (candidate.length > MAX_WORD || Math.abs(candidate.length - folded.length) >= least) continue;
		const other = candidate.toLowerCase();
		if (other === folded) return candidate;
		if (compared++ >= MAX_COMPARED) continue;
		const away = distance(folded, other);
		if (away < least) [best, least] = [candidate, away];
	}
	return best;
}

/** Damerau-Levenshtein distance, optimal string alignment: a swap of neighbours costs one. */
function editDistance(a: string, b: string): number {
	let beforeLast: number[] = [];
	let last = Array.from({ length: b.length + 1 }, (_, column) => column);
	for (let row = 1; row <= a.length; row++) {
		const current = [row];
		for (let column = 1; column <= b.length; column++) {
			const same = a[row - 1] === b[column - 1];
			let cost = Math.min(last[column]! + 1, current[column - 1]! + 1, last[column - 1]! + (same ? 0 : 1));
			if (row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]) cost = Math.min(cost, beforeLast[column - 2]! + 1);
			current.push(cost);
		}
		[beforeLast, last] = [last, current];
	}
	return last[b.length]!;
}
