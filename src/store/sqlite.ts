// SQLite through libsql: prebuilt for every board that Jidway runs on, with no install script.
import { chmodSync } from "node:fs";
import Database from "libsql";
import { MIGRATIONS } from "./migrations.js";

/** What a row is made of: the columns in their order. */
export type Cells = readonly unknown[];
type Value = string | number | null | Buffer;

/** Small pages: a commit of some readings dirties one, and what is written to the card is pages. Measured at two readings a commit: 5.3 kB of it against 8.3 kB with 4 KiB. */
const PAGE_BYTES = 1_024;

/** A database file, its statements prepared once. */
export class Sqlite {
	readonly #db: Database.Database;
	readonly #statements = new Map<string, Database.Statement>();

	private constructor(db: Database.Database) {
		this.#db = db;
	}

	/**
	 * Open a file and bring it to the newest schema.
	 *
	 * @param isTrusted Tells of a file of the newest schema whether its check may be left out now.
	 * @throws What SQLite says, and for a schema of a newer Jidway.
	 */
	static open(file: string, isTrusted: (db: Sqlite) => boolean): Sqlite {
		const db = new Database(file);
		const sqlite = new Sqlite(db);
		try {
			chmodSync(file, 0o600);
			sqlite.#page();
			sqlite.all("PRAGMA journal_mode = WAL");
			db.exec("PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0; PRAGMA temp_store = MEMORY"); // what was answered must survive a power cut; checkpoints are upkeep
			const version = sqlite.version();
			if (version !== MIGRATIONS.length || !isTrusted(sqlite)) sqlite.check();
			if (version > MIGRATIONS.length) throw new Error(`it was written by a newer Jidway (schema ${version}, this one knows ${MIGRATIONS.length})`);
			for (let step = version; step < MIGRATIONS.length; step++) sqlite.transaction(() => db.exec(`${MIGRATIONS[step]!}; PRAGMA user_version = ${step + 1}`));
			return sqlite;
		} catch (error) {
			db.close();
			throw error;
		}
	}

	/** Open a file to look at it, as it is. */
	static peek(file: string): Sqlite {
		return new Sqlite(new Database(file));
	}

	/** @throws `SQLITE_CORRUPT` when SQLite finds a page that cannot be. */
	check(): void {
		const health = this.all("PRAGMA quick_check(1)");
		if (health[0]?.[0] !== "ok") throw Object.assign(new Error("a check of its pages failed"), { code: "SQLITE_CORRUPT" });
	}

	/** The schema's number; 0 for an empty file. */
	version(): number {
		return this.number("PRAGMA user_version");
	}

	/** Every row. A statement that may give many has a LIMIT. */
	all(sql: string, ...values: readonly Value[]): Cells[] {
		return this.#prepared(sql).raw().all([...values]).filter((row): row is unknown[] => Array.isArray(row));
	}

	/** The first cell of the first row; 0 where there is none. */
	number(sql: string, ...values: readonly Value[]): number {
		return Number(this.all(sql, ...values)[0]?.[0] ?? 0);
	}

	/** @returns How many rows it changed. */
	run(sql: string, ...values: readonly Value[]): number {
		return this.#prepared(sql).run([...values]).changes;
	}

	exec(sql: string): void {
		this.#db.exec(sql);
	}

	/** All of it, or nothing. */
	transaction<Result>(work: () => Result): Result {
		this.#db.exec("BEGIN");
		try {
			const result = work();
			this.#db.exec("COMMIT");
			return result;
		} catch (error) {
			if (this.#db.inTransaction) this.#db.exec("ROLLBACK");
			throw error;
		}
	}

	/** Write the log back into the file as far as nobody reads it, or wholly with `TRUNCATE`. */
	checkpoint(mode: "PASSIVE" | "TRUNCATE"): void {
		this.all(`PRAGMA wal_checkpoint(${mode})`);
	}

	close(): void {
		this.#statements.clear();
		this.#db.close();
	}

	/** The size of pages can only be changed outside of the log, by writing the file anew. Where that cannot be done now, it is the next time. */
	#page(): void {
		if (this.number("PRAGMA page_size") === PAGE_BYTES) return;
		try {
			if (this.number("PRAGMA page_count") > 0) this.all("PRAGMA journal_mode = DELETE");
			this.#db.exec(`PRAGMA page_size = ${PAGE_BYTES}`);
			if (this.number("PRAGMA page_count") > 0) this.#db.exec("VACUUM");
		} catch (error) {
			if (!/^SQLITE_(BUSY|FULL)/.test(codeOf(error))) throw error;
		}
	}

	#prepared(sql: string): Database.Statement {
		let statement = this.#statements.get(sql);
		if (!statement) this.#statements.set(sql, (statement = this.#db.prepare(sql)));
		return statement;
	}
}

/** Is the file itself broken, so that nothing will mend it? */
export function isDamage(error: unknown): boolean {
	const code = codeOf(error);
	return code.startsWith("SQLITE_CORRUPT") || code === "SQLITE_NOTADB";
}

/** SQLite's name of what went wrong; empty where it is not of SQLite. */
export function codeOf(error: unknown): string {
	return typeof error === "object" && error !== null && "code" in error ? String(error.code) : "";
}
