import { randomUUID } from "node:crypto";
import { resolve } from "node:path";
import { loadGateway } from "../assemble.js";
import { messageOf } from "../core/errors.js";
import { createLog } from "../log.js";
import { systemClock } from "../system-clock.js";
import { askGateway, isRunning } from "../web/control-socket.js";
import type { GatewayStatus } from "../core/status.js";
import { packageVersion } from "./version.js";

/** The gateway reads the file and its definitions. */
const ASK_WITHIN_MS = 20_000;
/** How long `--online` waits for a server, a broker or a port to say yes: longer than each of them waits for its own answer. */
const TRY_WITHIN_MS = 25_000;

export interface CheckOptions {
	/** Also try what the config names, without starting a gateway. */
	readonly online?: boolean;
	/** Also ask the running gateway what it would change. */
	readonly diff?: boolean;
}

/**
 * `jidway check`: validate offline, and what the options say.
 *
 * @returns The exit code: 0, or 1 when something that was tried failed.
 * @throws {ConfigError} with every fault.
 */
export async function check(configFile: string, { online = false, diff = false }: CheckOptions, stop: AbortSignal): Promise<number> {
	const loaded = loadGateway(configFile, process.env);
	const { config } = loaded;
	for (const warning of loaded.warnings) console.log(`warning: ${warning}`);
	console.log(`${configFile}: good: ${config.links.length} ${config.links.length === 1 ? "link" : "links"}, ${config.devices.length} configured ${config.devices.length === 1 ? "device" : "devices"}, ${config.access.length} access ${config.access.length === 1 ? "rule" : "rules"}`);
	if (diff) {
		const lines = (await askGateway(loaded.dataFolder, { ask: "diff", file: resolve(configFile) }, ASK_WITHIN_MS)) as readonly string[];
		for (const line of lines) console.log(line);
	}
	if (!online) return 0;
	// Two components of one domain would throw each other out: only when nobody listens there is none.
	if (await isRunning(loaded.dataFolder)) return report((await askGateway(loaded.dataFolder, { ask: "status" }, ASK_WITHIN_MS)) as GatewayStatus);
	const probe = await loaded.probe({ clock: systemClock, random: Math.random, newId: randomUUID, log: createLog({ level: "silent", secrets: loaded.secrets }), version: packageVersion() });
	const ended = new AbortController();
	const signal = AbortSignal.any([stop, ended.signal]);
	try {
		const links = probe.links.map((link) => tried(`link "${link.id}"`, (tell) => link.run({ packet: () => undefined, fault: () => undefined, state: tell }, signal)));
		const uplink = tried(`uplink ${config.uplink.domain} at ${config.uplink.host}:${config.uplink.port}`, (tell) => probe.stream.run({ stanza: () => undefined, state: (state) => {
			if (state.online) tell({ up: true });
			else if (state.retryAt !== undefined) tell({ up: false, reason: state.reason }); // before that it only says that it is connecting
		} }, signal));
		const results = await Promise.all([uplink, ...links]);
		return results.every(Boolean) ? 0 : 1;
	} finally {
		await probe.stream.close();
		ended.abort();
		await probe.close();
	}
}

/** Run something until it first says that it is up, or why not. */
async function tried(what: string, run: (tell: (state: { readonly up: true } | { readonly up: false; readonly reason: string }) => void) => Promise<void>): Promise<boolean> {
	const [good, text] = await new Promise<readonly [boolean, string]>((resolve) => {
		const timer = setTimeout(() => resolve([false, `said nothing within ${TRY_WITHIN_MS / 1_000} s`]), TRY_WITHIN_MS);
		const end = (good: boolean, text: string): void => {
			clearTimeout(timer);
			resolve([good, text]);
		};
		run((state) => end(state.up, state.up ? "works" : state.reason)).catch((error: unknown) => end(false, messageOf(error)));
	});
	console.log(`${good ? "good" : "FAILED"}: ${what}: ${text}`);
	return good;
}

function report(status: GatewayStatus): number {
	console.log("A gateway is running with this config; this is how it is:");
	const all = [{ what: "uplink", ...status.uplink }, ...status.links.map((link) => ({ what: `link "${link.id}"`, ...link }))];
	for (const each of all) console.log(`${each.up ? "good" : "FAILED"}: ${each.what}: ${each.up ? "works" : each.reason}`);
	if (status.store !== undefined) console.log(`FAILED: ${status.store}`);
	return all.every(({ up }) => up) && status.store === undefined ? 0 : 1;
}
