import type { Bucket, Extent } from "../core/journal.js";
import { isNumeric, numericFromNumber, numericFromText, type Numeric, type Value } from "../core/value.js";
import type { JournalTables } from "./journal-tables.js";
import { columnsOf, type Columns, type Entered, entered, type Wanted } from "./protocol.js";
import { unitOf, valueFrom } from "./row.js";
import type { Sqlite } from "./sqlite.js";

/** A page as the contract of History bounds it. */
const MAX_ROWS = 1_000;
/** Rows read in one go, some ten milliseconds; then whoever wants to write may. */
const SLICE = 4_000;
/** Rows in memory at a time, all series together. */
const MOST_HELD = 8_000;
/** Rows of one series that are read first: each time after that there are twice as many. */
const LEAST = 8;
/** Rows counted in one go. */
const COUNT_SLICE = 50_000;

/** Rows keep their key when they are moved from the one table to the other: whatever is moved between two pages, each is found once. */
const PAGE = `
	SELECT at, seq, received, flags, value FROM entry WHERE series = ? AND at >= ? AND (at > ? OR seq > ?) AND at < ? AND seq <= ?
	UNION ALL
	SELECT late.at, late.seq, received, flags, value FROM late CROSS JOIN inbox ON inbox.seq = late.seq WHERE late.series = ? AND late.at >= ? AND (late.at > ? OR late.seq > ?) AND late.at < ? AND late.seq <= ?
	ORDER BY 1, 2 LIMIT ?`;

/** Work that can be put down between two steps: it yields when others should have their turn. */
export type Steps<Result> = Generator<undefined, Result, undefined>;

/** One series, page by page. */
class SeriesReader {
	#page: readonly (readonly unknown[])[] = [];
	#next = 0;
	#isLast = false;
	head: Entered | undefined;

	/**
	 * @param size Rows of the first page.
	 * @param most Rows of any page.
	 * @param last Rows that came later are left out.
	 */
	constructor(private readonly db: Sqlite, private readonly id: number, private size: number, private readonly most: number, private cursor: readonly [number, number], private readonly to: number, private readonly last: number) {}

	/** @returns How many rows were read from the file. */
	advance(): number {
		let read = 0;
		if (this.#next === this.#page.length && !this.#isLast) {
			const where = [this.id, this.cursor[0], ...this.cursor, this.to, this.last];
			this.#page = this.db.all(PAGE, ...where, ...where, this.size);
			this.#isLast = this.#page.length < this.size;
			this.#next = 0;
			this.size = Math.min(this.most, 2 * this.size);
			read = this.#page.length;
			const end = this.#page.at(-1);
			if (end) this.cursor = [Number(end[0]), Number(end[1])];
		}
		const row = this.#page[this.#next++];
		this.head = row && { series: this.id, at: Number(row[0]), seq: Number(row[1]), received: Number(row[2]), flags: Number(row[3]), value: String(row[4]) };
		if (!row) this.#next = this.#page.length;
		return read;
	}
}

/** The rows that are in no table yet. */
function unwritten(journal: JournalTables, wanted: Wanted, after: readonly [number, number]): Entered[] {
	const found: Entered[] = [];
	for (let row = 0; row < wanted.unwritten.seq.length; row++) if (wanted.unwritten.seq[row]! > journal.last) found.push(entered(wanted.unwritten, row));
	return found.filter(({ at, seq }) => at < wanted.to && (at > after[0] || (at === after[0] && seq > after[1]))).sort((a, b) => a.at - b.at || a.seq - b.seq);
}

/** All rows that are wanted, oldest first: what was there when it was asked for, whatever is moved meanwhile. */
function* stream(db: Sqlite, journal: JournalTables, wanted: Wanted, after: readonly [number, number], expected: number): Generator<Entered | undefined, void, undefined> {
	journal.indexInbox();
	const last = journal.last;
	const late = unwritten(journal, wanted, after);
	const most = Math.max(LEAST, Math.floor(MOST_HELD / Math.max(1, wanted.series.length)));
	const size = Math.min(most, Math.max(LEAST, Math.ceil((1.2 * expected) / Math.max(1, wanted.series.length))));
	const readers: SeriesReader[] = [];
	let read = 0;
	for (const { id } of wanted.series) {
		const reader = new SeriesReader(db, id, size, most, after, wanted.to, last);
		read += reader.advance();
		if (reader.head) readers.push(reader);
		if (read >= SLICE) {
			read = 0;
			yield undefined;
		}
	}
	let nextLate = 0;
	for (;;) {
		let best: SeriesReader | undefined;
		for (const reader of readers) if (reader.head && (!best?.head || before(reader.head, best.head))) best = reader;
		const row = late[nextLate];
		if (row && (!best?.head || before(row, best.head))) {
			nextLate++;
			yield row;
		} else if (best?.head) {
			yield best.head;
			read += best.advance();
		} else return;
		if (read >= SLICE) {
			read = 0;
			yield undefined;
		}
	}
}

function before(a: Entered, b: Entered): boolean {
	return a.at < b.at || (a.at === b.at && a.seq < b.seq);
}

export function* readRows(db: Sqlite, journal: JournalTables, wanted: Wanted, limit: number, after?: readonly [number, number]): Steps<Columns> {
	const rows: Entered[] = [];
	const most = Math.min(MAX_ROWS, limit);
	if (most > 0) {
		for (const row of stream(db, journal, wanted, later([wanted.from, -1], after), most)) {
			if (!row) yield;
			else if (rows.push(row) >= most) break;
		}
	}
	return columnsOf(rows);
}

function later(a: readonly [number, number], b: readonly [number, number] | undefined): readonly [number, number] {
	return b && (b[0] > a[0] || (b[0] === a[0] && b[1] > a[1])) ? b : a;
}

/** The readings of one point in one stretch of time, while they are added up. */
class Sum {
	#count = 0;
	#numbers = 0;
	#sum = 0;
	#decimals = 0;
	#min: Numeric | undefined;
	#max: Numeric | undefined;
	#last: Value = "";
	#lastAt = 0;
	#unit = "";

	constructor(private readonly point: string, private readonly at: number) {}

	add(value: Value, at: number, unit: string): void {
		this.#count++;
		this.#last = value;
		this.#lastAt = at;
		this.#unit = unit;
		if (!isNumeric(value)) return;
		this.#numbers++;
		this.#sum += value.number;
		const dot = value.text.indexOf(".");
		if (dot >= 0) this.#decimals = Math.max(this.#decimals, value.text.length - dot - 1);
		if (!this.#min || value.number < this.#min.number) this.#min = value;
		if (!this.#max || value.number >= this.#max.number) this.#max = value;
	}

	get bucket(): Bucket {
		const unit = unitOf(this.#unit);
		const mean = numericFromNumber(this.#sum / this.#numbers, this.#decimals + 1) ?? numericFromText("0")!;
		return {
			point: this.point, at: this.at, count: this.#count, last: this.#last, lastAt: this.#lastAt, ...(unit !== undefined && { unit }),
			...(this.#min && this.#max && { numbers: { min: this.#min, max: this.#max, mean } }),
		};
	}
}

export function* readBuckets(db: Sqlite, journal: JournalTables, wanted: Wanted, width: number, limit: number): Steps<readonly Bucket[]> {
	const most = Math.min(MAX_ROWS, limit);
	const done: Bucket[] = [];
	const byId = new Map(wanted.series.map((series) => [series.id, series]));
	let sums = new Map<number, Sum>();
	let at = -Infinity;
	const close = (): void => {
		for (const [, sum] of [...sums].sort(([a], [b]) => a - b)) done.push(sum.bucket);
		sums = new Map();
	};
	if (most <= 0) return done;
	for (const row of stream(db, journal, wanted, [wanted.from, -1], Infinity)) {
		if (!row) {
			yield;
			continue;
		}
		const start = Math.floor(row.at / width) * width;
		if (start !== at) {
			close();
			if (done.length >= most) return done.slice(0, most);
			at = start;
		}
		const { point, kind, unit } = byId.get(row.series)!;
		let sum = sums.get(point);
		if (!sum) sums.set(point, (sum = new Sum(wanted.points[point]!, start)));
		sum.add(valueFrom(kind, row.value), row.at, unit);
	}
	close();
	return done.slice(0, most);
}

export function* readExtent(db: Sqlite, journal: JournalTables, wanted: Wanted): Steps<Extent> {
	journal.indexInbox();
	const start = [wanted.from, -1] as const;
	const moved = journal.moved;
	const late = unwritten(journal, wanted, start);
	let rows = late.length;
	const ends: number[] = late.length > 0 ? [late[0]!.at, late.at(-1)!.at] : [];
	for (const { id } of wanted.series) {
		const [count, first, last] = db.all("SELECT count(*), min(at), max(at) FROM late WHERE series = ? AND at >= ? AND at < ? AND seq > ?", id, wanted.from, wanted.to, moved)[0]!;
		rows += Number(count);
		if (Number(count) > 0) ends.push(Number(first), Number(last));
	}
	for (const { id } of wanted.series) {
		let cursor: readonly [number, number] = start;
		for (;;) {
			const end = db.all("SELECT at, seq FROM entry WHERE series = ? AND (at, seq) > (?, ?) AND at < ? AND seq <= ? ORDER BY at, seq LIMIT 1 OFFSET ?", id, ...cursor, wanted.to, moved, COUNT_SLICE - 1)[0];
			if (!end) break;
			if (cursor === start) ends.push(db.number("SELECT at FROM entry WHERE series = ? AND (at, seq) > (?, ?) AND seq <= ? ORDER BY at, seq LIMIT 1", id, ...cursor, moved));
			rows += COUNT_SLICE;
			cursor = [Number(end[0]), Number(end[1])];
			ends.push(cursor[0]);
			yield;
		}
		const [count, first, last] = db.all("SELECT count(*), min(at), max(at) FROM entry WHERE series = ? AND (at, seq) > (?, ?) AND at < ? AND seq <= ?", id, ...cursor, wanted.to, moved)[0]!;
		rows += Number(count);
		if (Number(count) > 0) ends.push(Number(first), Number(last));
		yield;
	}
	return { rows, ...(ends.length > 0 && { first: Math.min(...ends), last: Math.max(...ends) }) };
}
