import { inWords } from "../core/availability.js";
import type { GatewayStatus } from "../core/status.js";
import { ask } from "./ask.js";
import { table } from "./table.js";

/** `jidway status`: uplink, links, store, and what could not be used. */
export async function status(configFile: string, json: boolean): Promise<void> {
	const found = (await ask(configFile, { ask: "status" })) as GatewayStatus & { troubles: readonly string[] };
	if (json) return console.log(JSON.stringify(found, undefined, 2));
	console.log(table([
		["uplink", found.uplink.up ? "online" : found.uplink.reason],
		...found.links.map((link) => [`link ${link.id}`, link.up ? "up" : link.reason]),
		["store", found.store ?? "writes"],
		["devices", String(found.devices)],
		["running for", inWords(Date.now() - found.started)],
	]));
	if (found.faults.length > 0) console.log(`\nCould not be used:\n${table(found.faults.map(({ where, reason, count, sample }) => [`${count}×`, where, reason, sample]))}`);
}
