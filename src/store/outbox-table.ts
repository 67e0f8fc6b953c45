import type { Letter, Queue, Waiting } from "../core/outbox.js";
import type { Sqlite } from "./sqlite.js";

/** What a letter costs beside its texts: its row, and its place in two indexes. */
const LETTER_BYTES = 150;
const BYTES = `length(id) + length(receiver) + length(device) + length(CAST(body AS BLOB)) + ${LETTER_BYTES}`;
const COLUMNS = "id, receiver, device, point, urgent, at, body, batch";

/** Letters, until they have arrived. */
export class OutboxTable {
	readonly #db: Sqlite;
	#bytes: number;
	#letters: number;
	#lost = 0;
	#expired = 0;

	constructor(db: Sqlite) {
		this.#db = db;
		this.#bytes = 0;
		this.#letters = 0;
		this.count();
	}

	get letters(): number {
		return this.#letters;
	}

	/** Letters given up for want of room. */
	get lost(): number {
		return this.#lost;
	}

	/** Letters given up because of their age. */
	get expired(): number {
		return this.#expired;
	}

	/** Count anew: after a transaction that did not come to its end. */
	count(): void {
		this.#bytes = this.#db.number(`SELECT sum(${BYTES}) FROM letter`);
		this.#letters = this.#db.number("SELECT count(*) FROM letter");
	}

	post({ id, to, device, point, urgent, at, body }: Letter, now: number, limit: number): number {
		const posted = this.#db.run("INSERT OR IGNORE INTO letter (id, receiver, device, point, urgent, at, posted, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", id, to, device, point ?? null, Number(urgent), Math.round(at), Math.round(now), body);
		if (posted === 0) return 0;
		this.#letters++;
		this.#bytes += this.#db.number(`SELECT ${BYTES} FROM letter WHERE id = ?`, id);
		while (this.#bytes > limit && this.#letters > 1) {
			// The one that was just posted goes last, however urgent the others are.
			const [oldest] = this.#db.all(`SELECT n, ${BYTES} FROM letter WHERE id <> ? ORDER BY urgent, n LIMIT 1`, id);
			if (!oldest) break;
			this.#db.run("DELETE FROM letter WHERE n = ?", Number(oldest[0]));
			this.#letters--;
			this.#bytes -= Number(oldest[1]);
			this.#lost++;
		}
		return 1;
	}

	assign(ids: readonly string[], batch: string): number {
		return this.#db.run("UPDATE letter SET batch = ? WHERE id IN (SELECT value FROM json_each(?))", batch, JSON.stringify(ids));
	}

	acknowledged(batches: readonly string[]): number {
		const all = JSON.stringify(batches);
		// Counted before, by the index: a count of the whole outbox for each acknowledgement would take longer the more there is in it.
		const [found] = this.#db.all(`SELECT count(*), sum(${BYTES}) FROM letter WHERE batch IN (SELECT value FROM json_each(?))`, all);
		const gone = this.#db.run("DELETE FROM letter WHERE batch IN (SELECT value FROM json_each(?))", all);
		this.#letters -= gone;
		this.#bytes -= Number(found?.[1] ?? 0);
		return gone;
	}

	discard(to: string, device: string | undefined): number {
		return this.#gone(device === undefined ? this.#db.run("DELETE FROM letter WHERE receiver = ?", to) : this.#db.run("DELETE FROM letter WHERE receiver = ? AND device = ?", to, device));
	}

	/** Give up what was posted before. */
	expire(before: number): void {
		if (this.#letters === 0) return;
		// They stand in the order of posting: the first one tells whether there is anything to do.
		if (this.#db.number("SELECT posted FROM letter ORDER BY n LIMIT 1") >= before) return;
		const gone = this.#db.run("DELETE FROM letter WHERE posted < ?", Math.round(before));
		this.#expired += this.#gone(gone);
	}

	next(to: string, limit: number): readonly Waiting[] {
		return this.#db.all(`SELECT ${COLUMNS} FROM letter WHERE receiver = ? AND batch IS NULL ORDER BY urgent DESC, n LIMIT ?`, to, limit).map(waiting);
	}

	sent(to: string, limit: number): readonly Waiting[] {
		return this.#db.all(`SELECT ${COLUMNS} FROM letter WHERE receiver = ? AND batch IS NOT NULL ORDER BY n LIMIT ?`, to, limit).map(waiting);
	}

	queues(): readonly Queue[] {
		return this.#db.all("SELECT receiver, count(*), min(at) FROM letter GROUP BY receiver ORDER BY receiver").map(([to, letters, oldest]) => ({ to: String(to), letters: Number(letters), oldest: Number(oldest) }));
	}

	#gone(count: number): number {
		if (count > 0) this.count();
		return count;
	}
}

function waiting([id, to, device, point, urgent, at, body, batch]: readonly unknown[]): Waiting {
	return { id: String(id), to: String(to), device: String(device), ...(point !== null && { point: String(point) }), urgent: urgent === 1, at: Number(at), body: String(body), ...(batch !== null && { batch: String(batch) }) };
}
