import type { Sqlite } from "./sqlite.js";

/** Rows read in one step: some milliseconds. */
const SLICE = 5_000;
const START = [-Number.MAX_SAFE_INTEGER, -1] as const;

/**
 * Reads every row of the journal, a slice at a time, so that SQLite comes to a page that cannot be; all other tables are read when the file is opened.
 *
 * It finds less than `quick_check`, which also looks at pages that no table has; but that cannot be put down, and takes seconds for a full journal on a card.
 */
export class FileWalk {
	readonly #db: Sqlite;
	readonly #series: number[];
	#cursor: readonly [at: number, seq: number] = START;

	constructor(db: Sqlite) {
		this.#db = db;
		this.#series = db.all("SELECT id FROM series").map(([id]) => Number(id));
	}

	/** @returns Is there more to read? @throws `SQLITE_CORRUPT`. */
	step(): boolean {
		for (let left = SLICE; left > 0;) {
			const series = this.#series.at(-1);
			if (series === undefined) return false;
			const rows = "FROM entry WHERE series = ? AND at >= ? AND (at > ? OR seq > ?) ORDER BY at, seq LIMIT";
			const after = [series, this.#cursor[0], ...this.#cursor];
			// To add them up each row is read whole.
			const [count] = this.#db.all(`SELECT count(*), total(length(value) + received + flags) FROM (SELECT value, received, flags ${rows} ?)`, ...after, left)[0]!;
			const [last] = Number(count) < left ? [] : this.#db.all(`SELECT at, seq ${rows} 1 OFFSET ?`, ...after, left - 1);
			if (last) this.#cursor = [Number(last[0]), Number(last[1])];
			else {
				this.#series.pop();
				this.#cursor = START;
			}
			left -= Math.max(1, Number(count));
		}
		return true;
	}
}
