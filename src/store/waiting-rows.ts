import type { Entered } from "./protocol.js";

/** Readings that nobody waits for, kept while the disk takes none: about an hour of a small site, and 16 MB of a Pi's memory. */
const MAX_NOTED = 50_000;
const MAX_NOTED_BYTES = 16e6;
/** What a row costs beside its text, in the heap. */
const ROW_BYTES = 120;

/** What was taken for one batch. */
export interface Taken {
	readonly rows: readonly Entered[];
	readonly awaited: readonly Entered[];
	readonly noted: readonly Entered[];
}

/** Rows that are not written yet, in the order of arrival. Those that somebody waits for are bounded by who sends them, the others here: the oldest go. */
export class WaitingRows {
	#awaited: Entered[] = [];
	#noted: Entered[] = [];
	#bytes = 0;
	#lost = 0;

	get size(): number {
		return this.#awaited.length + this.#noted.length;
	}

	/** Rows that were dropped for want of room. */
	get lost(): number {
		return this.#lost;
	}

	await(row: Entered): void {
		this.#awaited.push(row);
	}

	/** @returns How many had to go for it. */
	note(rows: readonly Entered[]): number {
		for (const row of rows) {
			this.#noted.push(row);
			this.#bytes += bytesOf(row);
		}
		return this.#trim();
	}

	/** The first ones: a later row must never be written before an earlier one. */
	take(most: number): Taken {
		const rows: Entered[] = [];
		let a = 0, n = 0;
		while (rows.length < most) {
			const awaited = this.#awaited[a], noted = this.#noted[n];
			if (awaited && (!noted || awaited.seq < noted.seq)) {
				rows.push(awaited);
				a++;
			} else if (noted) {
				rows.push(noted);
				this.#bytes -= bytesOf(noted);
				n++;
			} else break;
		}
		return { rows, awaited: this.#awaited.splice(0, a), noted: this.#noted.splice(0, n) };
	}

	/** They were not written. @returns How many had to go. */
	putBack({ awaited, noted }: Taken): number {
		this.#awaited = awaited.concat(this.#awaited);
		this.#noted = noted.concat(this.#noted);
		for (const row of noted) this.#bytes += bytesOf(row);
		return this.#trim();
	}

	/** All of them that are of these series. */
	of(ids: ReadonlySet<number>): Entered[] {
		return [...this.#awaited.filter(({ series }) => ids.has(series)), ...this.#noted.filter(({ series }) => ids.has(series))];
	}

	#trim(): number {
		if (this.#noted.length <= MAX_NOTED && this.#bytes <= MAX_NOTED_BYTES) return 0;
		// A tenth at once: moving the rest for each row would be slow.
		let gone = 0;
		while (gone < this.#noted.length && (this.#noted.length - gone > MAX_NOTED * 0.9 || this.#bytes > MAX_NOTED_BYTES * 0.9)) this.#bytes -= bytesOf(this.#noted[gone++]!);
		this.#noted.splice(0, gone);
		this.#lost += gone;
		return gone;
	}
}

function bytesOf({ value }: Entered): number {
	return ROW_BYTES + 2 * value.length;
}
