import type { Times } from "./protocol.js";
import type { Sqlite } from "./sqlite.js";

/** Rows looked at in one step. */
const SLICE = 2_000;
/** How often the whole journal is looked through for rows that are too old. */
const PASS_EVERY = 10 * 60_000;
/** At its limit the journal is made smaller by this part, so that it is not looked through for each new row. */
const ROOM = 0.05;

/** One walk through all series. */
interface Pass {
	/** Rows that were received, and were true, before this are old. */
	readonly before: number;
	/** Only rows that arrived before this one. */
	readonly upTo: number;
	readonly forRoom: boolean;
	readonly series: readonly number[];
	next: number;
	/** In the present series: first what is older than `before`, then what claims to be of the future. */
	part: "old" | "future";
	cursor: readonly [at: number, seq: number];
}

/**
 * Takes the oldest rows away, in small steps.
 *
 * The age of a row is that of the younger of its two times: a source whose clock says 1970 is not believed, nor is one that is ahead of now.
 */
export class Retention {
	readonly #db: Sqlite;
	#pass: Pass | undefined;
	#lastPass: number | undefined;
	#pruned = 0;
	#eras = 1;
	#isBounded = false;
	#gone = 0;

	constructor(db: Sqlite) {
		this.#db = db;
	}

	/** Rows taken away since the start. */
	get pruned(): number {
		return this.#pruned;
	}

	/** Rows were taken away for want of room. */
	get isBounded(): boolean {
		return this.#isBounded;
	}

	/** When the oldest rows of `entry` were received, roughly. */
	get oldest(): number | undefined {
		const [found] = this.#db.all("SELECT received FROM era ORDER BY seq LIMIT 1");
		return found && Number(found[0]);
	}

	/** Bytes of pages in use. */
	get bytes(): number {
		const db = this.#db;
		return (db.number("PRAGMA page_count") - db.number("PRAGMA freelist_count")) * db.number("PRAGMA page_size");
	}

	/**
	 * One step.
	 *
	 * @param times By `aged` rows are old, by `now` they are of the future.
	 * @param limit Of all bytes of pages in use.
	 * @returns Is there more to do?
	 */
	step(times: Times, keep: number, limit: number): boolean {
		const { now, aged } = times;
		this.#pass ??= this.#begin(times, keep, limit);
		if (!this.#pass) return false;
		if (this.#walk(this.#pass, now)) return true;
		const { forRoom, upTo } = this.#pass;
		this.#pass = undefined;
		if (!forRoom) {
			this.#db.run("DELETE FROM era WHERE received < ?", Math.round(aged - keep));
			return this.bytes > limit;
		}
		// What was found too little of is looked for further on.
		if (this.#gone === 0) this.#eras *= 2;
		else {
			this.#eras = 1;
			this.#isBounded = true;
		}
		this.#db.run("DELETE FROM era WHERE seq <= ?", this.#gone === 0 ? -1 : upTo);
		return this.bytes > limit * (1 - ROOM) && this.#db.number("SELECT count(*) FROM era") > 0 && this.#eras < 1e6;
	}

	#begin({ now, aged }: Times, keep: number, limit: number): Pass | undefined {
		const series = (): number[] => this.#db.all("SELECT id FROM series ORDER BY id").map(([id]) => Number(id));
		const start = { next: 0, part: "old", cursor: [-Number.MAX_SAFE_INTEGER, -1] } as const;
		if (this.bytes > (this.#eras > 1 ? limit * (1 - ROOM) : limit)) {
			const eras = this.#db.number("SELECT count(*) FROM era");
			const [last] = this.#db.all("SELECT seq, received FROM era ORDER BY seq LIMIT 1 OFFSET ?", Math.max(0, Math.min(eras - 1, Math.ceil(eras * ROOM) * this.#eras - 1)));
			this.#gone = 0;
			if (last) return { ...start, before: Number(last[1]) + 1, upTo: Number(last[0]), forRoom: true, series: series() };
		}
		if (this.#lastPass !== undefined && now - this.#lastPass < PASS_EVERY && now >= this.#lastPass) return undefined;
		this.#lastPass = now;
		return { ...start, before: Math.round(aged - keep), upTo: Number.MAX_SAFE_INTEGER, forRoom: false, series: series() };
	}

	/** @returns Is there more of this pass? */
	#walk(pass: Pass, now: number): boolean {
		const series = pass.series[pass.next];
		if (series === undefined) return false;
		const end = pass.part === "old" ? pass.before : Number.MAX_SAFE_INTEGER;
		const rows = this.#db.all("SELECT at, seq, received FROM entry WHERE series = ? AND (at, seq) > (?, ?) AND at < ? ORDER BY at, seq LIMIT ?", series, ...pass.cursor, end, SLICE)
			.map(([at, seq, received]) => ({ at: Number(at), seq: Number(seq), received: Number(received) }));
		const last = rows.at(-1);
		const isOld = ({ at, seq, received }: { at: number; seq: number; received: number }): boolean =>
			seq <= pass.upTo && (at < pass.before || at > now) && (received < pass.before || (received > now && at <= now));
		const old = rows.filter(isOld);
		if (last && old.length > 0) {
			this.#db.transaction(() => {
				if (old.length === rows.length) this.#db.run("DELETE FROM entry WHERE series = ? AND (at, seq) > (?, ?) AND (at, seq) <= (?, ?)", series, ...pass.cursor, last.at, last.seq);
				else for (const { at, seq } of old) this.#db.run("DELETE FROM entry WHERE series = ? AND at = ? AND seq = ?", series, at, seq);
			});
			this.#pruned += old.length;
			this.#gone += old.length;
		}
		if (last && rows.length === SLICE) pass.cursor = [last.at, last.seq];
		else if (pass.part === "old") {
			pass.part = "future";
			pass.cursor = [now, Number.MAX_SAFE_INTEGER];
		} else {
			pass.part = "old";
			pass.cursor = [-Number.MAX_SAFE_INTEGER, -1];
			pass.next++;
		}
		return true;
	}
}
