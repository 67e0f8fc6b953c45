// The database of a gateway that does not run, as one file: out of the data folder, and into it.
import { chmodSync, closeSync, constants, copyFileSync, existsSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import type { UnixMillis } from "./core/clock.js";
import { GatewayError, messageOf } from "./core/errors.js";
import { copyDatabase } from "./store/database.js";
import { MIGRATIONS } from "./store/migrations.js";
import { Sqlite } from "./store/sqlite.js";
import { DATABASE_FILE } from "./store/store.js";

/** Copy the database of a data folder into a new file of mode 0600. @throws {GatewayError} `store-failed`. */
export function backupDatabase(dataFolder: string, file: string): void {
	try {
		copyDatabase(join(dataFolder, DATABASE_FILE), file);
	} catch (error) {
		const why = (error as NodeJS.ErrnoException).code === "EEXIST" ? "there is a file of this name; give another one" : messageOf(error);
		throw new GatewayError("store-failed", `Cannot write the backup "${file}": ${why}`, { cause: error });
	}
}

/**
 * Put a backup into the place of the database. It is checked and copied first; only then the database that is there is set
 * aside, so that at any moment a power cut leaves one that is whole.
 *
 * @returns Where the one before was set aside; nothing where there was none.
 * @throws {GatewayError} `store-failed`; then nothing has changed.
 */
export function restoreDatabase(dataFolder: string, file: string, now: UnixMillis): string | undefined {
	const target = join(dataFolder, DATABASE_FILE);
	const coming = `${target}.restoring`;
	try {
		if (!existsSync(file)) throw new Error("there is no such file");
		mkdirSync(dataFolder, { recursive: true, mode: 0o700 });
		rmSync(coming, { force: true });
		copyFileSync(file, coming, constants.COPYFILE_EXCL); // what is checked is what will be there
		chmodSync(coming, 0o600);
		check(coming);
		sync(coming);
		const aside = `${target}.before-restore-${new Date(now).toISOString().replace(/[:.]/g, "-")}`;
		const isReplaced = existsSync(target);
		// The log first: a database without its log is one of some moments ago, a log without its database is none.
		if (isReplaced) for (const suffix of ["-wal", "-shm", ""]) if (existsSync(target + suffix)) renameSync(target + suffix, aside + suffix);
		renameSync(coming, target);
		sync(dirname(target));
		return isReplaced ? aside : undefined;
	} catch (error) {
		for (const suffix of ["", "-wal", "-shm", "-journal"]) rmSync(coming + suffix, { force: true });
		throw new GatewayError("store-failed", `Cannot restore "${file}": ${messageOf(error)}`, { cause: error });
	}
}

/** @throws what is wrong with it, for people. */
function check(file: string): void {
	let db: Sqlite | undefined;
	try {
		db = Sqlite.peek(file);
		db.check();
	} catch (error) {
		db?.close();
		throw new Error(`it is no whole database (${messageOf(error)})`, { cause: error });
	}
	const version = db.version();
	db.close();
	if (version === 0) throw new Error("it is no backup of a gateway");
	if (version > MIGRATIONS.length) throw new Error(`it was written by a newer Jidway (schema ${version}, this one knows ${MIGRATIONS.length}); install that one`);
}

function sync(path: string): void {
	const handle = openSync(path, "r");
	try {
		fsyncSync(handle);
	} finally {
		closeSync(handle);
	}
}
