import { closeSync, existsSync, fsyncSync, openSync, statSync, unlinkSync } from "node:fs";
import { DescriptionTable } from "./description-table.js";
import { FileWalk } from "./file-walk.js";
import { JournalTables } from "./journal-tables.js";
import { readBuckets, readExtent, readRows, type Steps } from "./journal-reads.js";
import { OutboxTable } from "./outbox-table.js";
import type { Answer, Batch, Change, Figures, Limits, Loaded, Question, Times, Written } from "./protocol.js";
import { Retention } from "./retention.js";
import { Sqlite } from "./sqlite.js";
import { StateTables } from "./state-tables.js";
import { steadyStart } from "./steady-time.js";
import { WalMeter } from "./wal-meter.js";

/** The log is written back when it has so many frames, that is 4 MiB: pages that change often are then written once for many commits. */
const CHECKPOINT_FRAMES = 4_000;

/** Pages are not full: so much more than their rows, measured with letters of 60 to 1 000 bytes, takes at most what is no journal. */
const UNFILLED = 1.25;

/** The database of a gateway, synchronously: everything that knows SQL is below here. The same in a worker and without one. */
export class Database {
	readonly #db: Sqlite;
	readonly #journal: JournalTables;
	readonly #outbox: OutboxTable;
	readonly #state: StateTables;
	readonly #descriptions: DescriptionTable;
	readonly #retention: Retention;
	readonly #meter: WalMeter;
	readonly #file: string;
	/** The file was not checked when it was opened: this is done meanwhile. */
	#walk: FileWalk | undefined;
	/** It ended well the last time, and nothing was written since. */
	#isClean = false;
	#limits: Limits;
	#figures: Pick<Figures, "fileBytes" | "oldest"> = { fileBytes: 0, oldest: undefined };

	/** A file that was closed well is looked through later, see `look()`; any other one now. @throws What SQLite says: see `isDamage()`. */
	constructor(file: string, limits: Limits) {
		this.#file = file;
		this.#limits = limits;
		this.#db = Sqlite.open(file, (db) => (this.#isClean = wasClosedWell(db)));
		try {
			if (this.#isClean) this.#walk = new FileWalk(this.#db);
			// The inbox has no index by series: it is read once, and not for each of them.
			this.#db.run("DELETE FROM series WHERE id NOT IN (SELECT series FROM inbox) AND NOT EXISTS (SELECT 1 FROM entry WHERE series = id)");
			this.#journal = this.#db.transaction(() => new JournalTables(this.#db));
			this.#outbox = new OutboxTable(this.#db);
			this.#state = new StateTables(this.#db);
			this.#descriptions = new DescriptionTable(this.#db);
			this.#retention = new Retention(this.#db);
			this.#meter = new WalMeter(`${file}-wal`, this.#db.number("PRAGMA page_size"));
			this.#measure();
		} catch (error) {
			this.#db.close();
			throw error;
		}
	}

	load(now: number): Loaded {
		const series = this.#journal.series();
		const unread: string[] = [];
		const newest = this.#journal.newest ?? this.#db.all("SELECT posted FROM letter ORDER BY n DESC LIMIT 1").map(([posted]) => Number(posted))[0];
		return {
			last: this.#journal.last, series, ...(newest !== undefined && { newest }), unread, subscriptions: this.#state.subscriptions(), watches: this.#state.watches(unread),
			filters: this.#state.filters(), deliveries: this.#journal.deliveries, twins: this.#state.twins({ now, aged: steadyStart(now, newest) }, series, unread, this.#isClean),
		};
	}

	/** One transaction, on disk when it returns. */
	write(batch: Batch, now: number): Written {
		const started = performance.now();
		let changed: number[] = [];
		let committed = (): void => undefined;
		try {
			this.#db.transaction(() => {
				this.#unmark();
				committed = this.#journal.write(batch.rows, batch.series);
				changed = batch.changes.map((change) => this.#change(change, now));
				for (const { link, address } of batch.removed) this.#state.forget(link, address);
				for (const twin of batch.twins) this.#state.writeTwin(twin, now);
				for (const [link, filters] of batch.filters) this.#state.writeFilters(link, filters);
			});
		} catch (error) {
			this.#afterFailure();
			throw error;
		}
		committed();
		this.#isClean = false;
		const took = performance.now() - started;
		this.#meter.read();
		return { changed, took, figures: this.figures() };
	}

	*ask(question: Question): Steps<Answer> {
		switch (question.kind) {
			case "rows": return { kind: "rows", rows: yield* readRows(this.#db, this.#journal, question.wanted, question.limit, question.after) };
			case "buckets": return { kind: "buckets", buckets: yield* readBuckets(this.#db, this.#journal, question.wanted, question.width, question.limit) };
			case "extent": return { kind: "extent", extent: yield* readExtent(this.#db, this.#journal, question.wanted) };
			case "next": return { kind: "letters", letters: this.#outbox.next(question.to, question.limit, question.except) };
			case "sent": return { kind: "letters", letters: this.#outbox.sent(question.to, question.limit) };
			case "descriptions": return { kind: "descriptions", descriptions: this.#descriptions.of(question.link) };
			case "queues": return { kind: "queues", queues: this.#outbox.queues() };
		}
	}

	/** One step of upkeep, some ms long. @returns Is there more to do? */
	tend(times: Times): boolean {
		const { now, aged } = times;
		this.#unmark();
		this.#isClean = false;
		if (this.#meter.frames >= CHECKPOINT_FRAMES) this.#checkpoint();
		if (this.#journal.move(now)) {
			this.#meter.read();
			return true;
		}
		const { keep, limit, outbox } = this.#limits;
		this.#outbox.expire(Math.round(aged - outbox.keep));
		// The limit is of the journal: what else is in the file has its own.
		const isMore = this.#retention.step(times, keep, limit + UNFILLED * (this.#outbox.bytes + this.#descriptions.bytes));
		this.#meter.read();
		if (!isMore) this.#measure();
		return isMore;
	}

	/** One step of looking through the file. @returns Is there more to do? @throws `SQLITE_CORRUPT` when a page cannot be. */
	look(): boolean {
		if (!this.#walk?.step()) this.#walk = undefined;
		return this.#walk !== undefined;
	}

	/** Move a chunk out of the inbox, however little there is. @returns Is there more? */
	empty(): boolean {
		this.#unmark();
		this.#isClean = false;
		return this.#journal.move(Infinity);
	}

	configure(limits: Limits): void {
		this.#limits = limits;
	}

	figures(): Figures {
		return {
			...this.#figures, walBytes: this.#meter.bytes, pruned: this.#retention.pruned, isBounded: this.#retention.isBounded, inbox: this.#journal.inbox,
			oldest: this.#figures.oldest ?? this.#journal.oldest, letters: this.#outbox.letters, lettersLost: this.#outbox.lost, lettersExpired: this.#outbox.expired,
		};
	}

	limitPages(pages: number): void {
		const bytes = this.#db.number("PRAGMA page_size");
		this.#db.all(`PRAGMA max_page_count = ${Math.max(1, Math.trunc((pages * 4_096) / bytes))}`);
	}

	/** The next start checks the file as a whole. */
	distrust(): void {
		this.#db.run("DELETE FROM meta WHERE key = 'clean'");
	}

	/** Let go of the file. After a clean end the twins are known to be as new as the journal. */
	close(isClean: boolean): void {
		if (isClean) {
			const last = this.#journal.last;
			if (last > 0) this.#db.run("INSERT OR REPLACE INTO meta (key, value) VALUES ('clean', ?)", last);
			this.#db.checkpoint("TRUNCATE"); // libsql's close() leaves the log where it is
		}
		this.#meter.close();
		this.#db.close();
	}

	/** From the first write on, a power cut is no good end any more. */
	#unmark(): void {
		if (this.#isClean) this.distrust();
	}

	#change(change: Change, now: number): number {
		switch (change.kind) {
			case "subscription": return this.#state.putSubscription(change.subscription);
			case "watch": return this.#state.putWatch(change.watch);
			case "drop-watch": return this.#state.dropWatch(change.watch);
			case "post": return this.#outbox.post(change.letter, now, this.#limits.outbox.limit);
			case "assign": return this.#outbox.assign(change.ids, change.batch);
			case "acknowledged": return this.#outbox.acknowledged(change.batches);
			case "describe": return this.#descriptions.put(change.description);
			case "drop-description": return this.#descriptions.drop(change.link, change.topic);
			case "discard": return this.#outbox.discard(change.to, change.device);
		}
	}

	/** What was counted in a transaction that is no more is counted again; and on a full disk the log may be written over once it is written back. */
	#afterFailure(): void {
		try {
			this.#outbox.count();
			this.#descriptions.count();
			this.#checkpoint();
		} catch {
			return; // the error that is told is the first
		}
	}

	#checkpoint(): void {
		this.#db.checkpoint("PASSIVE");
		this.#meter.read();
	}

	#measure(): void {
		this.#figures = { fileBytes: statSync(this.#file).size, oldest: this.#retention.oldest };
	}
}

/** Is the newest row of the journal older than the last clean end? */
function wasClosedWell(db: Sqlite): boolean {
	return db.number("SELECT value FROM meta WHERE key = 'clean'") >= Math.max(1, db.number("SELECT max(seq) FROM inbox"), db.number("SELECT value FROM meta WHERE key = 'moved'"));
}

/** Copy a database, while it is written to, into a new file of mode 0600. @throws EEXIST when there is one, and what SQLite says. */
export function copyDatabase(from: string, to: string): void {
	if (!existsSync(from)) throw new Error(`there is no database "${from}"`);
	closeSync(openSync(to, "wx", 0o600));
	try {
		const db = Sqlite.peek(from);
		try {
			db.run("VACUUM INTO ?", to);
		} finally {
			db.close();
		}
		const copy = openSync(to, "r+");
		try {
			fsyncSync(copy);
		} finally {
			closeSync(copy);
		}
	} catch (error) {
		unlinkSync(to);
		throw error;
	}
}
