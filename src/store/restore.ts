import { chmodSync, closeSync, constants, copyFileSync, existsSync, fsyncSync, linkSync, mkdirSync, openSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { GatewayError, messageOf } from "../core/errors.js";
import { MIGRATIONS } from "./migrations.js";
import { codeOf, isDamage, Sqlite } from "./sqlite.js";
import { DATABASE_FILE } from "./store.js";

/** What SQLite has beside a database. */
const LOGS = ["-wal", "-shm", "-journal"] as const;

/** What is in a backup. */
export interface BackupFacts {
	readonly schema: number;
	readonly subscriptions: number;
	readonly devices: number;
	readonly readings: number;
}

/**
 * Put a backup in the place of the database, whole or not at all: at each moment there is the old one or the new one, also for a power cut. The gateway must not run.
 *
 * @param now For the name of the file that is set aside.
 * @returns What was put there, and the name that the file has which was there before.
 * @throws {GatewayError} `store-failed` for a file that is no sound database of Jidway, or of a newer one, or has a log beside it; nothing has changed then.
 */
export function restoreDatabase(backup: string, folder: string, now: number): { readonly facts: BackupFacts; readonly aside?: string } {
	const file = join(folder, DATABASE_FILE);
	const coming = `${file}.restoring`;
	if (!existsSync(backup)) throw new GatewayError("store-failed", `Cannot restore from "${backup}": there is no such file`);
	if (sizeOf(`${backup}-wal`) > 0) throw new GatewayError("store-failed", `Cannot restore from "${backup}": found its log "${backup}-wal" beside it, wanted a backup, which has none; copy it with "jidway backup", and restore that`);
	try {
		mkdirSync(folder, { recursive: true, mode: 0o700 });
		removeAll(coming);
		// The copy is looked at, and not the backup: opening a database may write beside it.
		copyFileSync(backup, coming);
		chmodSync(coming, 0o600);
		const facts = factsOf(coming);
		sync(coming);
		for (const suffix of LOGS) rmSync(coming + suffix, { force: true });
		const aside = replace(file, coming, `${file}.replaced-${now}`, folder);
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

/** @returns The name that the old one has now. */
function replace(file: string, coming: string, aside: string, folder: string): string | undefined {
	const hasOld = existsSync(file);
	if (hasOld) {
		writeBack(file);
		keep(file, aside);
	}
	try {
		// A log that could not be written back is of a damaged database, and must not lie beside the new one.
		if (existsSync(`${file}-wal`)) renameSync(`${file}-wal`, `${aside}-wal`);
		rmSync(`${file}-shm`, { force: true });
		sync(folder);
		renameSync(coming, file);
	} catch (error) {
		if (existsSync(`${aside}-wal`)) renameSync(`${aside}-wal`, `${file}-wal`);
		if (hasOld) rmSync(aside, { force: true });
		throw error;
	}
	sync(folder);
	return hasOld ? aside : undefined;
}

/** The log of the old one goes into its file, as far as that can be read. */
function writeBack(file: string): void {
	if (sizeOf(`${file}-wal`) > 0) {
		try {
			const db = Sqlite.peek(file);
			try {
				db.checkpoint("TRUNCATE");
			} finally {
				db.close();
			}
		} catch (error) {
			if (!isDamage(error)) throw error;
		}
	}
	if (existsSync(`${file}-wal`) && sizeOf(`${file}-wal`) === 0) rmSync(`${file}-wal`);
}

/** Give a file a second name, or a copy where its disk has no second names. */
function keep(file: string, name: string): void {
	try {
		linkSync(file, name);
	} catch (error) {
		if (!["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"].includes(codeOf(error))) throw error;
		try {
			copyFileSync(file, name, constants.COPYFILE_EXCL);
			sync(name);
		} catch (second) {
			if (codeOf(second) !== "EEXIST") rmSync(name, { force: true });
			throw second;
		}
	}
}

function sizeOf(file: string): number {
	return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}

function removeAll(file: string): void {
	for (const suffix of ["", ...LOGS]) rmSync(file + suffix, { force: true });
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
