import type { DeviceRow } from "../local.js";
import { ask } from "./ask.js";
import { table } from "./table.js";

/** `jidway devices [PATTERN]`: what the running gateway knows. */
export async function devices(configFile: string, pattern: string | undefined, json: boolean): Promise<void> {
	const rows = (await ask(configFile, { ask: "devices", ...(pattern !== undefined && { pattern }) })) as readonly DeviceRow[];
	if (json) return console.log(JSON.stringify(rows, undefined, 2));
	if (rows.length === 0) return console.log(pattern === undefined ? "No devices yet: they appear when their link hears them" : `No device matches "${pattern}"`);
	console.log(table([["DEVICE", "NAME", "STATE", "LINK", "ADDRESS", "XMPP ADDRESS"], ...rows.map((row) => [row.id, row.name, row.availability, row.link, row.address, row.jid])]));
}
