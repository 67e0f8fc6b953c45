import { chmodSync, closeSync, copyFileSync, existsSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { GatewayError, messageOf } from "../core/errors.js";
import { MIGRATIONS } from "./migrations.js";
import { Sqlite } from "./sqlite.js";
import { DATABASE_FILE } from "./store.js";

/** What is in a backup. */
export interface BackupFacts {
	readonly schema: number;
	readonly subscriptions: number;
	readonly devices: number;
	readonly readings: number;
}

/**
 * Put a backup in the place of the database, whole or not at all. The gateway must not run.
 *
 * @param now For the name of the file that is set aside.
 * @returns What was put there, and the name that the file has which was there before.
 * @throws {GatewayError} `store-failed` for a file that is no sound database of Jidway, or of a newer one; nothing has changed then.
 */
export function restoreDatabase(backup: string, folder: string, now: number): { readonly facts: BackupFacts; readonly aside?: string } {
	const file = join(folder, DATABASE_FILE);
	const coming = `${file}.restoring`;
	if (!existsSync(backup)) throw new GatewayError("store-failed", `Cannot restore from "${backup}": there is no such file`);
	try {
		mkdirSync(folder, { recursive: true, mode: 0o700 });
		removeAll(coming);
		// The copy is looked at, and not the backup: opening a database may write beside it.
		copyFileSync(backup, coming);
		chmodSync(coming, 0o600);
		const facts = factsOf(coming);
		sync(coming);
		const aside = setAside(file, `${file}.replaced-${now}`);
		renameSync(coming, file);
		sync(folder);
		return { facts, ...(aside !== undefined && { aside }) };
	} catch (error) {
		removeAll(coming);
		throw new GatewayError("store-failed", `Cannot restore from "${backup}": ${messageOf(error)}`, { cause: error });
	}
}

function factsOf(file: string): BackupFacts {
	let db: Sqlite | undefined;
	try {
		db = Sqlite.peek(file);
		db.check();
		const schema = db.version();
		const tables = db.number("SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name IN ('subscription', 'twin', 'reading', 'filter')");
		if (schema < 1 || tables < 4) throw new Error("found a database of something else, wanted one that \"jidway backup\" wrote");
		if (schema > MIGRATIONS.length) throw new Error(`it was written by a newer Jidway (schema ${schema}, this one knows ${MIGRATIONS.length}); install that one`);
		return {
			schema, subscriptions: db.number("SELECT count(*) FROM subscription"), devices: db.number("SELECT count(*) FROM twin"),
			readings: schema < 2 ? 0 : db.number("SELECT count(*) FROM entry") + db.number("SELECT count(*) FROM inbox WHERE series > 0"),
		};
	} finally {
		db?.close();
	}
}

/** The old one goes with its log: whatever was not written back from it is kept. */
function setAside(file: string, aside: string): string | undefined {
	let found: string | undefined;
	for (const suffix of ["", "-wal", "-shm"]) {
		if (!existsSync(file + suffix)) continue;
		renameSync(file + suffix, aside + suffix);
		found = aside;
	}
	return found;
}

function removeAll(file: string): void {
	for (const suffix of ["", "-wal", "-shm", "-journal"]) rmSync(file + suffix, { force: true });
}

/** On disk, not only in the memory of the system. */
function sync(path: string): void {
	const handle = openSync(path, "r");
	try {
		fsyncSync(handle);
	} finally {
		closeSync(handle);
	}
}
