import type { Letter, Queue, Waiting } from "../core/outbox.js";
import type { Sqlite } from "./sqlite.js";

/** What a letter costs beside its texts: its row, and its place in two indexes. */
const LETTER_BYTES = 150;
const BYTES = `length(id) + length(receiver) + length(device) + length(CAST(body AS BLOB)) + ${LETTER_BYTES}`;
const COLUMNS = "id, receiver, device, point, urgent, at, body, batch";

/** One condition each, so that each has its index. */
const UNSENT = "batch IS NULL";
const SENT = "batch IS NOT NULL";

/** What one receiver has waiting. */
interface Share {
	letters: number;
	bytes: number;
}

/** Letters, until they have arrived. */
export class OutboxTable {
	readonly #db: Sqlite;
	/** By receiver. As many as somebody posts to: some hundred, each with letters in the table. */
	readonly #shares = new Map<string, Share>();
	#bytes = 0;
	#letters = 0;
	#lost = 0;
	#expired = 0;

	constructor(db: Sqlite) {
		this.#db = db;
		this.count();
	}

	get letters(): number {
		return this.#letters;
	}

	/** What all of them take, roughly. */
	get bytes(): number {
		return this.#bytes;
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
		this.#shares.clear();
		this.#bytes = this.#letters = 0;
		for (const [receiver, letters, bytes] of this.#db.all(`SELECT receiver, count(*), sum(${BYTES}) FROM letter GROUP BY receiver`)) this.#add(String(receiver), Number(letters), Number(bytes));
	}

	post({ id, to, device, point, urgent, at, body }: Letter, now: number, limit: number): number {
		const posted = this.#db.run("INSERT OR IGNORE INTO letter (id, receiver, device, point, urgent, at, posted, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", id, to, device, point ?? null, Number(urgent), Math.round(at), Math.round(now), body);
		if (posted === 0) return 0;
		this.#add(to, 1, this.#db.number(`SELECT ${BYTES} FROM letter WHERE id = ?`, id));
		while (this.#bytes > limit && this.#letters > 1) this.#evict(id, limit);
		return 1;
	}

	assign(ids: readonly string[], batch: string): number {
		return this.#db.run("UPDATE letter SET batch = ? WHERE id IN (SELECT value FROM json_each(?))", batch, JSON.stringify(ids));
	}

	acknowledged(batches: readonly string[]): number {
		return this.#delete("batch IN (SELECT value FROM json_each(?))", JSON.stringify(batches));
	}

	discard(to: string, device: string | undefined): number {
		return device === undefined ? this.#delete("receiver = ?", to) : this.#delete("receiver = ? AND device = ?", to, device);
	}

	/** Give up what was posted before. */
	expire(before: number): void {
		if (this.#letters === 0) return;
		// They stand in the order of posting: the first one tells whether there is anything to do.
		if (this.#db.number("SELECT posted FROM letter ORDER BY n LIMIT 1") >= before) return;
		this.#expired += this.#delete("posted < ?", Math.round(before));
	}

	/** @param except Devices whose letters are left out. */
	next(to: string, limit: number, except: readonly string[] = []): readonly Waiting[] {
		if (except.length === 0) return this.#db.all(`SELECT ${COLUMNS} FROM letter WHERE receiver = ? AND ${UNSENT} ORDER BY urgent DESC, n LIMIT ?`, to, limit).map(waiting);
		return this.#db.all(`SELECT ${COLUMNS} FROM letter WHERE receiver = ? AND ${UNSENT} AND device NOT IN (SELECT value FROM json_each(?)) ORDER BY urgent DESC, n LIMIT ?`, to, JSON.stringify(except), limit).map(waiting);
	}

	sent(to: string, limit: number): readonly Waiting[] {
		return this.#db.all(`SELECT ${COLUMNS} FROM letter WHERE receiver = ? AND ${SENT} ORDER BY n LIMIT ?`, to, limit).map(waiting);
	}

	queues(): readonly Queue[] {
		return this.#db.all("SELECT receiver, count(*), min(at) FROM letter GROUP BY receiver ORDER BY receiver").map(([to, letters, oldest]) => ({ to: String(to), letters: Number(letters), oldest: Number(oldest) }));
	}

	/** Make room from the largest queue, so that who is away costs his own letters and nobody else's, until another queue is the largest. */
	#evict(id: string, limit: number): void {
		const [first, second] = this.#largest(id);
		if (first === undefined) return;
		const [receiver, share] = first;
		do {
			const oldest = this.#oldest(receiver, id);
			if (oldest === undefined) return;
			this.#db.run("DELETE FROM letter WHERE n = ?", oldest.n);
			this.#add(receiver, -1, -oldest.bytes);
			this.#lost++;
		} while (this.#bytes > limit && share.letters > 0 && share.bytes >= (second?.[1].bytes ?? 0));
	}

	/** The two largest queues, of those in which is more than the letter that was just posted: that one goes last. */
	#largest(id: string): readonly [string, Share][] {
		const newest = String(this.#db.all("SELECT receiver FROM letter WHERE id = ?", id)[0]?.[0] ?? "");
		let first: [string, Share] | undefined;
		let second: [string, Share] | undefined;
		for (const each of this.#shares) {
			if (each[1].letters < (each[0] === newest ? 2 : 1)) continue;
			if (first === undefined || each[1].bytes > first[1].bytes) [first, second] = [each, first];
			else if (second === undefined || each[1].bytes > second[1].bytes) second = each;
		}
		return [first, second].filter((each) => each !== undefined);
	}

	/** The letter that a receiver can do without first: the oldest that is not urgent. Two questions for each, since an index has either what was sent or what was not; named, since SQLite would rather look through all receivers' letters. */
	#oldest(receiver: string, id: string): { readonly n: number; readonly bytes: number } | undefined {
		for (const urgent of [0, 1]) {
			const found = ([[UNSENT, "letter_next"], [SENT, "letter_sent"]] as const).flatMap(([state, index]) => this.#db.all(`SELECT n, ${BYTES} FROM letter INDEXED BY ${index} WHERE receiver = ? AND ${state} AND urgent = ? AND id <> ? ORDER BY n LIMIT 1`, receiver, urgent, id));
			const [oldest] = found.map(([n, bytes]) => ({ n: Number(n), bytes: Number(bytes) })).sort((a, b) => a.n - b.n);
			if (oldest) return oldest;
		}
		return undefined;
	}

	/** Counted before, by the index: a count of the whole outbox for each acknowledgement would take longer the more there is in it. */
	#delete(where: string, ...words: readonly (string | number)[]): number {
		const shares = this.#db.all(`SELECT receiver, count(*), sum(${BYTES}) FROM letter WHERE ${where} GROUP BY receiver`, ...words);
		if (shares.length === 0) return 0;
		const gone = this.#db.run(`DELETE FROM letter WHERE ${where}`, ...words);
		for (const [receiver, letters, bytes] of shares) this.#add(String(receiver), -Number(letters), -Number(bytes));
		return gone;
	}

	#add(receiver: string, letters: number, bytes: number): void {
		const share = this.#shares.get(receiver) ?? { letters: 0, bytes: 0 };
		share.letters += letters;
		share.bytes += bytes;
		this.#letters += letters;
		this.#bytes += bytes;
		if (share.letters > 0) this.#shares.set(receiver, share);
		else this.#shares.delete(receiver);
	}
}

function waiting([id, to, device, point, urgent, at, body, batch]: readonly unknown[]): Waiting {
	return { id: String(id), to: String(to), device: String(device), ...(point !== null && { point: String(point) }), urgent: urgent === 1, at: Number(at), body: String(body), ...(batch !== null && { batch: String(batch) }) };
}
