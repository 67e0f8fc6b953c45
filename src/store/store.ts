// SQLite through libsql: prebuilt for every board that Jidway runs on, with no install script.
import { chmodSync, mkdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import Database from "libsql";
import type { Clock, Millis } from "../core/clock.js";
import type { Announcement } from "../core/device.js";
import { GatewayError, messageOf } from "../core/errors.js";
import type { Bucket, Extent, History, Row } from "../core/journal.js";
import type { Log } from "../core/log.js";
import type { Quality, Reading } from "../core/reading.js";
import type { Subscription, SubscriptionStore } from "../core/subscription.js";
import type { Twin } from "../core/twin.js";
import { isNumeric, numericFromText, textOf, type Value } from "../core/value.js";
import { MIGRATIONS } from "./migrations.js";

/** A twin as it was when it was last written. */
export interface StoredTwin {
	readonly link: string;
	readonly announcement: Announcement;
	readonly readings: readonly Reading[];
}

export interface StoreOptions {
	/** The data folder; made with mode 0700. */
	readonly folder: string;
	readonly clock: Clock;
	readonly log: Log;
	/** How long a twin may stay in memory before it is written. Default: 5 s. */
	readonly flushEvery?: Millis;
}

const FILE = "jidway.sqlite";
/** A device of which nothing was heard for so long, over all restarts, was taken away while nobody looked. */
const FORGET_AFTER: Millis = 30 * 86_400_000;

/** What survives a restart: subscriptions at once, twins within some seconds. */
export class Store implements SubscriptionStore, History {
	readonly #db: Database.Database;
	readonly #log: Log;
	readonly #clock: Clock;
	readonly #flushEvery: Millis;
	/** Twins that changed since they were written: at most one entry a device. */
	readonly #dirty = new Set<Twin>();
	readonly #removed = new Map<string, { link: string; address: string }>();
	/** Filters that changed since they were written: one entry a link. */
	readonly #filters = new Map<string, readonly string[]>();
	#cancelFlush: (() => void) | undefined;
	#fault: string | undefined;

	/** @throws {GatewayError} `store-failed` when there is no database to be had. */
	constructor({ folder, clock, log, flushEvery = 5_000 }: StoreOptions) {
		this.#log = log;
		this.#clock = clock;
		this.#flushEvery = flushEvery;
		const file = join(folder, FILE);
		try {
			mkdirSync(folder, { recursive: true, mode: 0o700 });
			this.#db = this.#open(file);
		} catch (error) {
			throw new GatewayError("store-failed", `Cannot open database "${file}": ${messageOf(error)}; check that "gateway: data:" names a folder that this user may write to`, { cause: error });
		}
	}

	/** Why the last write failed; nothing while all is well. */
	get fault(): string | undefined {
		return this.#fault;
	}

	#open(file: string): Database.Database {
		try {
			return this.#migrated(file);
		} catch (error) {
			if (!isDamage(error)) throw error;
			const aside = `${file}.damaged-${this.#clock.now()}`;
			renameSync(file, aside);
			for (const suffix of ["-wal", "-shm"]) {
				try {
					renameSync(file + suffix, aside + suffix);
				} catch (absent) {
					if ((absent as NodeJS.ErrnoException).code !== "ENOENT") throw absent;
				}
			}
			this.#log.error({ file, aside }, `Database is damaged (${messageOf(error)}): set aside as "${aside}", started anew`);
			return this.#migrated(file);
		}
	}

	#migrated(file: string): Database.Database {
		const db = new Database(file);
		try {
			chmodSync(file, 0o600);
			db.pragma("journal_mode = WAL");
			db.pragma("synchronous = FULL"); // a subscription that was answered must survive a power cut
			const health = db.prepare("PRAGMA quick_check(1)").all();
			if (JSON.stringify(health).toLowerCase().includes("\"ok\"") === false) throw Object.assign(new Error("a check of its pages failed"), { code: "SQLITE_CORRUPT" });
			const version = userVersion(db);
			if (version > MIGRATIONS.length) throw new Error(`it was written by a newer Jidway (schema ${version}, this one knows ${MIGRATIONS.length})`);
			for (let step = version; step < MIGRATIONS.length; step++) {
				db.exec(`BEGIN; ${MIGRATIONS[step]!}; PRAGMA user_version = ${step + 1}; COMMIT;`);
			}
			return db;
		} catch (error) {
			db.close();
			throw error;
		}
	}

	subscriptions(): readonly Subscription[] {
		return rows(this.#db.prepare("SELECT device, contact, can_see, sees, pending_in, pending_out FROM subscription ORDER BY device, contact")).map((row) => ({
			device: String(row["device"]), contact: String(row["contact"]),
			from: row["can_see"] === 1, to: row["sees"] === 1, pendingIn: row["pending_in"] === 1, pendingOut: row["pending_out"] === 1,
		}));
	}

	putSubscription({ device, contact, from, to, pendingIn, pendingOut }: Subscription): Promise<void> {
		return this.#write(() => {
			if (from || to || pendingIn || pendingOut) {
				this.#db.prepare("INSERT OR REPLACE INTO subscription (device, contact, can_see, sees, pending_in, pending_out) VALUES (?, ?, ?, ?, ?, ?)")
					.run(device, contact, Number(from), Number(to), Number(pendingIn), Number(pendingOut));
			} else this.#db.prepare("DELETE FROM subscription WHERE device = ? AND contact = ?").run(device, contact);
		});
	}

	/** The twins of the last run. A row that is not to be understood is left out, and said. */
	twins(): readonly StoredTwin[] {
		const readings = new Map<string, Reading[]>();
		for (const row of rows(this.#db.prepare("SELECT * FROM reading"))) {
			const reading = readingFrom(row);
			if (!reading) continue;
			const key = `${String(row["link"])}\n${String(row["address"])}`;
			readings.set(key, [...(readings.get(key) ?? []), reading]);
		}
		const oldest = this.#clock.now() - FORGET_AFTER;
		return rows(this.#db.prepare("SELECT link, address, announcement, seen FROM twin ORDER BY link, address")).flatMap((row) => {
			if (Number(row["seen"]) < oldest) return [];
			const link = String(row["link"]);
			const announcement = announcementFrom(String(row["announcement"]));
			if (announcement) return [{ link, announcement, readings: readings.get(`${link}\n${announcement.address}`) ?? [] }];
			this.#log.warn({ link, address: row["address"] }, "Stored device cannot be read and is left out");
			return [];
		});
	}

	/** The topic filters that a link listened to last: a durable session at a broker outlives this process. */
	filters(link: string): readonly string[] {
		return rows(this.#db.prepare("SELECT filter FROM filter WHERE link = ? ORDER BY filter"), link).map((row) => String(row["filter"]));
	}

	/** What it listens to now; written with the next flush. */
	setFilters(link: string, filters: readonly string[]): void {
		this.#filters.set(link, filters);
		this.#schedule();
	}

	/** Remember that a twin changed; it is written with the next flush. */
	touch(twin: Twin): void {
		this.#dirty.add(twin);
		this.#schedule();
	}

	/** Its source took it back. */
	forget(twin: Twin): void {
		const { link, source: { address } } = twin.device;
		this.#dirty.delete(twin);
		this.#removed.set(`${link}\n${address}`, { link, address });
		this.#schedule();
	}

	async rows(): Promise<readonly Row[]> {
		return [];
	}

	async buckets(): Promise<readonly Bucket[]> {
		return [];
	}

	async extent(): Promise<Extent> {
		return { rows: 0 };
	}

	/** Write what is only in memory. What fails stays there, and is tried again. */
	async flush(): Promise<void> {
		this.#cancelFlush?.();
		this.#cancelFlush = undefined;
		if (this.#dirty.size === 0 && this.#removed.size === 0 && this.#filters.size === 0) return;
		const twins = [...this.#dirty];
		const filters = [...this.#filters];
		const removed = [...this.#removed.values()];
		try {
			await this.#write(() => this.#transaction(() => {
				for (const { link, address } of removed) this.#erase(link, address);
				for (const twin of twins) this.#writeTwin(twin);
				for (const [link, wanted] of filters) this.#writeFilters(link, wanted);
			}));
			for (const [link, wanted] of filters) if (this.#filters.get(link) === wanted) this.#filters.delete(link);
			for (const twin of twins) this.#dirty.delete(twin);
			for (const { link, address } of removed) this.#removed.delete(`${link}\n${address}`);
		} catch (error) {
			if (!(error instanceof GatewayError)) throw error;
			this.#schedule();
		}
	}

	/** Let the file grow to so many pages of 4 KiB and no further: SQLite refuses beyond that as on a full disk. */
	limitPages(pages: number): void {
		this.#db.pragma(`max_page_count = ${Math.trunc(pages)}`);
	}

	/** Flush, and let go of the file. */
	async close(): Promise<void> {
		await this.flush();
		this.#cancelFlush?.();
		if (this.#fault === undefined) this.#db.pragma("wal_checkpoint(TRUNCATE)"); // libsql's close() leaves the log where it is
		this.#db.close();
	}

	#schedule(): void {
		this.#cancelFlush ??= this.#clock.after(this.#flushEvery, () => {
			this.#cancelFlush = undefined;
			void this.flush();
		});
	}

	#erase(link: string, address: string): void {
		this.#db.prepare("DELETE FROM twin WHERE link = ? AND address = ?").run(link, address);
		this.#db.prepare("DELETE FROM reading WHERE link = ? AND address = ?").run(link, address);
	}

	#writeFilters(link: string, filters: readonly string[]): void {
		this.#db.prepare("DELETE FROM filter WHERE link = ?").run(link);
		const insert = this.#db.prepare("INSERT OR IGNORE INTO filter (link, filter) VALUES (?, ?)");
		for (const filter of filters) insert.run(link, filter);
	}

	#writeTwin(twin: Twin): void {
		const { link, source } = twin.device;
		const { address } = source;
		this.#db.prepare("INSERT OR REPLACE INTO twin (link, address, announcement, seen) VALUES (?, ?, ?, ?)").run(link, address, JSON.stringify(source), Math.round(this.#clock.now()));
		this.#db.prepare("DELETE FROM reading WHERE link = ? AND address = ?").run(link, address);
		const insert = this.#db.prepare("INSERT INTO reading (link, address, point, value, kind, at, received, age_unknown, quality) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)");
		for (const { point, value, at, received, ageUnknown, quality } of twin.readings.values()) {
			insert.run(link, address, point, textOf(value), isNumeric(value) ? "numeric" : typeof value === "boolean" ? "boolean" : "text", Math.round(at), Math.round(received), Number(ageUnknown ?? false), quality);
		}
	}

	/** All of it, or nothing. */
	#transaction(work: () => void): void {
		this.#db.exec("BEGIN");
		try {
			work();
			this.#db.exec("COMMIT");
		} catch (error) {
			if (this.#db.inTransaction) this.#db.exec("ROLLBACK");
			throw error;
		}
	}

	/** Run one write, and keep the health of the store. */
	async #write(work: () => void): Promise<void> {
		try {
			work();
		} catch (error) {
			const reason = (error as { code?: string }).code === "SQLITE_FULL" ? "the disk is full: make room on it" : messageOf(error);
			if (this.#fault === undefined) this.#log.error({ reason }, `Cannot write to the database: ${reason}`);
			this.#fault = `the database cannot be written: ${reason}`;
			throw new GatewayError("store-failed", `Cannot write to the database: ${reason}`, { cause: error });
		}
		if (this.#fault !== undefined) this.#log.info({}, "The database can be written again");
		this.#fault = undefined;
	}
}

function rows(statement: { all(...values: unknown[]): unknown[] }, ...values: readonly string[]): Record<string, unknown>[] {
	return statement.all(...values).filter((row): row is Record<string, unknown> => typeof row === "object" && row !== null);
}

function userVersion(db: Database.Database): number {
	const found = db.prepare("PRAGMA user_version").get();
	return typeof found === "object" && found !== null && "user_version" in found ? Number(found.user_version) : 0;
}

function isDamage(error: unknown): boolean {
	const code = (error as { code?: string }).code;
	return code === "SQLITE_CORRUPT" || code === "SQLITE_NOTADB";
}

function readingFrom(row: Record<string, unknown>): Reading | undefined {
	const text = String(row["value"]);
	const value: Value | undefined = row["kind"] === "numeric" ? numericFromText(text) : row["kind"] === "boolean" ? text === "true" : text;
	const quality = QUALITIES.find((known) => known === row["quality"]);
	if (value === undefined || quality === undefined) return undefined;
	return { point: String(row["point"]), value, at: Number(row["at"]), received: Number(row["received"]), quality, ...(row["age_unknown"] === 1 && { ageUnknown: true as const }) };
}

const QUALITIES: readonly Quality[] = ["good", "estimate", "error"];

/** The file is ours, but it may be old or damaged: a device without an address or points is none. */
function announcementFrom(text: string): Announcement | undefined {
	try {
		const found: unknown = JSON.parse(text);
		if (typeof found !== "object" || found === null || !("address" in found) || !("points" in found)) return undefined;
		return typeof found.address === "string" && typeof found.points === "object" && found.points !== null ? (found as Announcement) : undefined;
	} catch (error) {
		if (error instanceof SyntaxError) return undefined;
		throw error;
	}
}
