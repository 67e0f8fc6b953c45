import { existsSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { backupDatabase } from "../backup.js";
import { dataFolderOf } from "../config/load.js";
import { GatewayError } from "../core/errors.js";
import { askGateway, isRunning } from "../web/control-socket.js";

/** A large journal on a slow card takes its time. */
const WRITTEN_WITHIN_MS = 3_600_000;

/** `jidway backup FILE`: through the running gateway, else from its data folder. @throws {GatewayError} */
export async function backup(configFile: string, file: string): Promise<void> {
	const folder = dataFolderOf(configFile, process.env);
	const path = resolve(file);
	// What is there already would be taken for the backup, if the gateway writes where only it can see.
	if (existsSync(path)) throw new GatewayError("store-failed", `Cannot write "${path}": there is a file of this name; give another one`);
	const runs = await isRunning(folder);
	if (runs) await askGateway(folder, { ask: "backup", file: path }, WRITTEN_WITHIN_MS);
	else backupDatabase(folder, path);
	const size = statSync(path, { throwIfNoEntry: false })?.size;
	// A service may have a /tmp of its own (PrivateTmp of systemd), and folders that it cannot write to.
	if (size === undefined) throw new GatewayError("store-failed", `Cannot find the backup "${path}": the gateway has written it, but to a folder that only it sees; name a file in "${folder}"`);
	console.log(`${path}: ${size} bytes, from ${runs ? "the running gateway" : `"${folder}"`}`);
}
