/** Longer words are not compared: the table grows with the product of the lengths. */
const MAX_WORD = 60;

/** The word that was most likely meant: at most a third of its letters wrong, missing, added or swapped with a neighbour; nothing when none is near. */
export function nearest(word: string, known: readonly string[]): string | undefined {
	const folded = word.toLowerCase();
	if (folded.length > MAX_WORD) return undefined;
	let best: string | undefined;
	let least = Math.max(1, Math.floor(Math.min(folded.length, 9) / 3)) + 1;
	for (const candidate of known) {
		if (candidate.length > MAX_WORD) continue;
		const away = distance(folded, candidate.toLowerCase());
		if (away < least) [best, least] = [candidate, away];
	}
	return best;
}

/** Damerau-Levenshtein distance, optimal string alignment: a swap of neighbours costs one. */
function distance(a: string, b: string): number {
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
