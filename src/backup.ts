// The database of a gateway that does not run, as one file: out of the data folder, and into it.
import { join } from "node:path";
import type { UnixMillis } from "./core/clock.js";
import { GatewayError, messageOf } from "./core/errors.js";
import { copyDatabase } from "./store/database.js";
import { restoreDatabase } from "./store/restore.js";
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

/** Put a backup into the place of the database. @returns For people: what it has, and where the one before is. @throws {GatewayError} `store-failed`. */
export function restoreBackup(dataFolder: string, file: string, now: UnixMillis): string {
	const { facts: { readings, devices, subscriptions }, aside } = restoreDatabase(file, dataFolder, now);
	return `"${dataFolder}" has what "${file}" has: ${readings} readings, ${devices} devices, ${subscriptions} subscriptions${aside === undefined ? "" : `; what was there before is "${aside}"`}`;
}
