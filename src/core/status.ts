import type { UnixMillis } from "./clock.js";
import type { CountedFault } from "./fault-counter.js";

/** Is a road open, and if not: what, why and how to mend it. */
export type RoadStatus = { readonly up: true; readonly since: UnixMillis } | { readonly up: false; readonly since: UnixMillis; readonly reason: string };

/** What has passed over a serial line since the start of the gateway. */
export interface LinkCounters {
	readonly bytes: number;
	/** Whole messages. */
	readonly frames: number;
	/** How often the beginning of a message had to be searched anew. */
	readonly resyncs: number;
	readonly checksumErrors: number;
	/** Bytes that were part of no message. */
	readonly noise: number;
	/** The last of them, in hexadecimal. */
	readonly lastNoise?: string;
	/** What is probably wrong, when there is much noise and hardly a message: for people, with the cure. */
	readonly suspicion?: string;
}

/** How the gateway itself is: for `status`, `/readyz` and the log. */
export interface GatewayStatus {
	readonly started: UnixMillis;
	readonly uplink: RoadStatus;
	readonly links: readonly ({ readonly id: string; readonly counters?: LinkCounters } & RoadStatus)[];
	/** Why nothing can be stored; nothing while all is well. */
	readonly store?: string;
	readonly devices: number;
	/** What came in and could not be used, counted; the latest last. */
	readonly faults: readonly CountedFault[];
}

/** What is wrong now, a sentence each; none when all is well. */
export function troubles(status: GatewayStatus): string[] {
	return [
		...(status.uplink.up ? [] : [`uplink: ${status.uplink.reason}`]),
		...status.links.flatMap((link) => (link.up ? [] : [`link "${link.id}": ${link.reason}`])),
		...(status.store === undefined ? [] : [status.store]),
	];
}
