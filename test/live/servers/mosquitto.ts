// Mosquitto 2.0, as packaged by Debian, run from a folder of its own.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeCertificate } from "./certificate.js";
import { freePort, runCommand } from "./processes.js";
import { type Account, inNewFolder, type Server, startServer } from "./server.js";

export interface MosquittoOptions {
	/** Those who may connect; everybody if not given. */
	readonly users?: readonly Account[];
	/** Serves TLS in place of plain TCP, with a certificate signed by `caFile`. */
	readonly tls?: boolean;
	/** Keeps retained messages and sessions over `restart()`. */
	readonly persistence?: boolean;
	/** Lines for the end of mosquitto.conf. */
	readonly extra?: string;
}

export interface Mosquitto extends Server {
	/** On 127.0.0.1; stays the same over `restart()`. */
	readonly port: number;
	/** mqtt://127.0.0.1:PORT, or mqtts:// with `tls`. */
	readonly url: string;
	/** Set if `tls` was asked for. */
	readonly caFile?: string;
}

/** Starts Mosquitto on loopback. */
export async function startMosquitto(options: MosquittoOptions = {}): Promise<Mosquitto> {
	return inNewFolder("mosquitto", async (folder) => {
		const port = await freePort();
		const certificate = options.tls === true ? makeCertificate(folder, ["localhost"]) : undefined;
		const lines = [
			// As root, mosquitto becomes this user before it reads the files; its own user may not enter the folder.
			...(process.getuid?.() === 0 ? ["user root"] : []),
			`listener ${port} 127.0.0.1`,
			"log_dest stderr",
			"connection_messages true",
			"set_tcp_nodelay true",
			`persistence ${options.persistence === true}`,
			...(options.persistence === true ? [`persistence_location ${folder}/`, "autosave_interval 1"] : []),
			`allow_anonymous ${options.users === undefined}`,
			...(certificate === undefined ? [] : [`cafile ${certificate.caFile}`, `certfile ${certificate.certFile}`, `keyfile ${certificate.keyFile}`]),
		];
		if (options.users !== undefined) {
			const passwords = join(folder, "passwords");
			writeFileSync(passwords, "", { mode: 0o600 });
			for (const { name, password } of options.users) runCommand("mosquitto_passwd", ["-b", passwords, name, password]);
			lines.push(`password_file ${passwords}`);
		}
		const config = join(folder, "mosquitto.conf");
		writeFileSync(config, `${lines.join("\n")}\n${options.extra ?? ""}\n`, { mode: 0o600 });
		const server = await startServer({ name: "Mosquitto", folder, command: "/usr/sbin/mosquitto", args: ["-c", config], ports: [port], startWithinMs: 10_000 });
		return { ...server, port, url: `${certificate === undefined ? "mqtt" : "mqtts"}://127.0.0.1:${port}`, ...(certificate !== undefined && { caFile: certificate.caFile }) };
	});
}
