import { resolve } from "node:path";
import { restoreBackup } from "../backup.js";
import { dataFolderOf } from "../config/load.js";
import { GatewayError } from "../core/errors.js";
import { isRunning } from "../web/control-socket.js";

/** `jidway restore FILE`: the gateway must not run. @throws {GatewayError} `busy` when it does. */
export async function restore(configFile: string, file: string): Promise<void> {
	const folder = dataFolderOf(configFile, process.env);
	if (await isRunning(folder)) throw new GatewayError("busy", `Cannot restore "${file}": the gateway is running; stop it first, and start it again afterwards`);
	console.log(restoreBackup(folder, resolve(file), Date.now()));
}
