// Readings are written where they arrive, into one growing table: a commit dirties its last page and no other. An index over a thousand series would dirty a page of each.
// From there they are moved in large chunks, sorted, into the table that the past is read from.
import type { Delivery } from "../core/journal.js";
import { type Columns, type Series } from "./protocol.js";
import type { Sqlite } from "./sqlite.js";

/** Rows moved in one transaction: some 10 ms on a desktop, which is how long a batch may have to wait. */
const CHUNK = 5_000;
/** The inbox is emptied when it holds so many, so that each series has several rows to move into one page. */
const FULL = 20_000;
/** … or when its oldest is older than this. */
const OLD = 15 * 60_000;

/** The tables of the journal, but for reading the past. */
export class JournalTables {
	readonly #db: Sqlite;
	readonly #open = new Map<string, Delivery & { readonly seq: number }>();
	#last: number;
	#moved: number;
	#inbox: number;
	#oldest: number | undefined;
	/** Up to here rows of the inbox are in `late`. */
	#indexed = 0;
	/** The inbox is being emptied up to here. */
	#emptyTo = 0;

	constructor(db: Sqlite) {
		this.#db = db;
		db.exec("CREATE TEMP TABLE late (series INTEGER NOT NULL, at INTEGER NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (series, at, seq)) STRICT, WITHOUT ROWID");
		this.#moved = db.number("SELECT value FROM meta WHERE key = 'moved'");
		this.#last = Math.max(this.#moved, db.number("SELECT max(seq) FROM inbox"));
		this.#inbox = db.number("SELECT count(*) FROM inbox");
		this.#age();
		for (const [link, id, hash] of db.all("SELECT link, id, hash FROM delivery")) this.#arrived(0, JSON.stringify([link, id, hash]));
		for (const [seq, series, value] of db.all("SELECT seq, series, value FROM inbox WHERE series <= 0 ORDER BY seq")) {
			if (series === 0) this.#arrived(Number(seq), String(value));
			else this.#released(String(value));
		}
	}

	/** The newest row. */
	get last(): number {
		return this.#last;
	}

	/** Up to here rows are in `entry`, the later ones in `inbox`. */
	get moved(): number {
		return this.#moved;
	}

	/** When the last row was received, or the last chunk was. */
	get newest(): number | undefined {
		const [row] = [...this.#db.all("SELECT received FROM inbox ORDER BY seq DESC LIMIT 1"), ...this.#db.all("SELECT received FROM era ORDER BY seq DESC LIMIT 1")];
		return row && Number(row[0]);
	}

	get inbox(): number {
		return this.#inbox;
	}

	/** When the oldest row of the inbox was received. */
	get oldest(): number | undefined {
		return this.#oldest;
	}

	get deliveries(): readonly Delivery[] {
		return [...this.#open.values()].map(({ link, id, hash }) => ({ link, id, hash }));
	}

	/** Bring `late` up to date: the keys of the readings in the inbox, by series and time. It is in memory, so it costs the disk nothing, and it is only made for who reads the past. */
	indexInbox(): void {
		if (this.#indexed >= this.#last) return;
		this.#db.run("INSERT INTO late (series, at, seq) SELECT series, at, seq FROM inbox WHERE seq > ? AND series > 0", this.#indexed);
		this.#indexed = this.#last;
	}

	series(): Series[] {
		return this.#db.all("SELECT id, link, address, point, kind, unit FROM series").map(([id, link, address, point, kind, unit]) => ({
			id: Number(id), link: String(link), address: String(address), point: String(point), kind: Number(kind), unit: String(unit),
		}));
	}

	/** Inside a transaction: rows that are there already, since an answer was lost, are left out. @returns What is to be called when it is committed. */
	write(rows: Columns, series: readonly Series[]): () => void {
		for (const { id, link, address, point, kind, unit } of series) this.#db.run("INSERT OR IGNORE INTO series (id, link, address, point, kind, unit) VALUES (?, ?, ?, ?, ?, ?)", id, link, address, point, kind, unit);
		let first = 0;
		while (first < rows.seq.length && rows.seq[first]! <= this.#last) first++;
		for (let row = first; row < rows.seq.length; row++) {
			this.#db.run("INSERT INTO inbox (seq, series, at, received, flags, value) VALUES (?, ?, ?, ?, ?, ?)", rows.seq[row]!, rows.series[row]!, rows.at[row]!, rows.received[row]!, rows.flags[row]!, rows.value[row]!);
		}
		return () => {
			const count = rows.seq.length - first;
			if (count === 0) return;
			this.#last = rows.seq[rows.seq.length - 1]!;
			this.#inbox += count;
			this.#oldest ??= rows.received[first]!;
			for (let row = first; row < rows.seq.length; row++) {
				if (rows.series[row] === 0) this.#arrived(rows.seq[row]!, rows.value[row]!);
				else if (rows.series[row] === -1) this.#released(rows.value[row]!);
			}
		};
	}

	/** Move a chunk when it is time. @returns Is there more to do? */
	move(now: number): boolean {
		if (this.#inbox === 0) return false;
		if (this.#emptyTo <= this.#moved) {
			const age = now - (this.#oldest ?? now);
			if (this.#inbox < FULL && age < OLD && age >= 0) return false;
			this.#emptyTo = this.#last;
		}
		const db = this.#db;
		const to = Math.min(this.#emptyTo, db.number("SELECT seq FROM inbox ORDER BY seq LIMIT 1 OFFSET ?", CHUNK - 1) || this.#emptyTo);
		const moved = db.transaction(() => {
			db.run("INSERT OR IGNORE INTO entry (series, at, seq, received, flags, value) SELECT series, at, seq, received, flags, value FROM inbox WHERE seq <= ? AND series > 0 ORDER BY series, at, seq", to);
			db.run("INSERT OR REPLACE INTO era (seq, received) SELECT seq, received FROM inbox WHERE seq <= ? ORDER BY seq DESC LIMIT 1", to);
			const count = db.run("DELETE FROM inbox WHERE seq <= ?", to);
			db.run("INSERT OR REPLACE INTO meta (key, value) VALUES ('moved', ?)", to);
			db.run("DELETE FROM delivery");
			for (const { seq, link, id, hash } of this.#open.values()) if (seq <= to) db.run("INSERT OR REPLACE INTO delivery (link, id, hash) VALUES (?, ?, ?)", link, id, hash);
			return count;
		});
		this.#moved = to;
		this.#inbox -= moved;
		if (this.#indexed > 0) db.run("DELETE FROM late WHERE seq <= ?", to);
		this.#age();
		return this.#moved < this.#emptyTo;
	}

	#age(): void {
		this.#oldest = this.#inbox === 0 ? undefined : this.#db.number("SELECT received FROM inbox ORDER BY seq LIMIT 1");
	}

	#arrived(seq: number, text: string): void {
		const [link, id, hash] = listFrom(text);
		this.#open.set(`${String(link)}\n${String(id)}`, { seq, link: String(link), id: Number(id), hash: String(hash) });
	}

	#released(text: string): void {
		const [link, ids] = listFrom(text);
		if (Array.isArray(ids)) for (const id of ids) this.#open.delete(`${String(link)}\n${String(id)}`);
		else for (const [key, delivery] of this.#open) if (delivery.link === link) this.#open.delete(key);
	}
}

function listFrom(text: string): readonly unknown[] {
	const found: unknown = JSON.parse(text);
	return Array.isArray(found) ? found : [];
}
