import { inWords } from "../core/availability.js";
import type { GatewayStatus, LinkCounters } from "../core/status.js";
import { ask } from "./ask.js";
import { table } from "./table.js";

/** `jidway status`: uplink, links, store, and what could not be used. */
export async function status(configFile: string, json: boolean): Promise<void> {
	const found = (await ask(configFile, { ask: "status" })) as GatewayStatus & { troubles: readonly string[] };
	if (json) return console.log(JSON.stringify(found, undefined, 2));
	console.log(table([
		["uplink", found.uplink.up ? "online" : found.uplink.reason],
		...found.links.map((link) => [`link ${link.id}`, `${link.up ? "up" : link.reason}${link.counters === undefined ? "" : `; ${counted(link.counters)}`}`]),
		["store", `${found.store ?? "writes"}${stored(found)}`],
		...outbox(found),
		["devices", String(found.devices)],
		["running for", inWords(Date.now() - found.started)],
	]));
	if (found.faults.length > 0) console.log(`\nCould not be used:\n${table(found.faults.map(({ where, reason, count, sample }) => [`${count}×`, where, reason, sample]))}`);
}

/** `; 1200 readings written, 3 MB, from 2 d ago on` */
function stored({ counters }: GatewayStatus): string {
	const store = counters?.store;
	if (!store) return "";
	return [
		`; ${store.written} readings written, ${store.waiting} waiting, ${(store.fileBytes / 1e6).toFixed(1)} MB`,
		...(store.oldest === undefined ? [] : [`the oldest ${inWords(Date.now() - store.oldest)} old`]),
		...(store.lost === 0 ? [] : [`${store.lost} lost for want of room`]),
	].join(", ");
}

function outbox({ counters }: GatewayStatus): string[][] {
	if (!counters?.outbox || !counters.store) return [];
	const { delivered, repeated, givenUp, underWay } = counters.outbox;
	return [["outbox", `${counters.store.letters} letters waiting, ${underWay} messages on their way, ${delivered} delivered, ${repeated} repeated, ${givenUp} given up`]];
}

/** `1200 messages of 64000 bytes, 3 times lost the beginning (2 wrong checksums), 40 bytes of noise, the last: 55 AA`. */
export function counted({ bytes, frames, resyncs, checksumErrors, noise, lastNoise, suspicion }: LinkCounters): string {
	const trouble = resyncs === 0 ? "" : `, ${resyncs} times lost the beginning (${checksumErrors} wrong checksums), ${noise} bytes of noise${lastNoise === undefined ? "" : `, the last: ${lastNoise}`}`;
	return `${frames} messages of ${bytes} bytes${trouble}${suspicion === undefined ? "" : `. ${suspicion}`}`;
}
