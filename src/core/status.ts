import type { Availability } from "./availability.js";
import type { Millis, UnixMillis } from "./clock.js";
import type { Outcome } from "./command.js";
import type { Fault } from "./errors.js";
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

/** What the database has done since the start, and what it is like. */
export interface StoreFigures {
	readonly written: number;
	readonly transactions: number;
	/** Readings that nobody waited for, lost for want of room while the disk took none. */
	readonly lost: number;
	/** Readings taken away because they were too old or too many. */
	readonly pruned: number;
	/** Readings in memory. */
	readonly waiting: number;
	readonly fileBytes: number;
	/** Written to its log: what wears an SD card. */
	readonly walBytes: number;
	/** The last transaction. */
	readonly lastCommit?: Millis;
	/** The source's time of the oldest reading. */
	readonly oldest: UnixMillis | undefined;
	/** In the outbox. */
	readonly letters: number;
	readonly lettersLost: number;
	readonly lettersExpired: number;
}

/** What has been counted since the start. What nobody counts is left out. */
export interface GatewayCounters {
	readonly availability?: Readonly<Record<Availability, number>>;
	/** Readings that came from devices, and those that the report policy let out. */
	readonly readings?: { readonly received: number; readonly told: number };
	/** Commands that have ended, by how: confirmed, sent, or the fault that ended them. */
	readonly commands?: Readonly<Partial<Record<Outcome["kind"] | Fault, number>>>;
	readonly store?: StoreFigures;
	readonly outbox?: {
		readonly delivered: number;
		/** Stanzas that were sent again. */
		readonly repeated: number;
		readonly givenUp: number;
		/** Stanzas on their way. */
		readonly underWay: number;
		/** When the oldest letter that waits happened. */
		readonly oldest?: UnixMillis;
	};
	readonly stanzas?: { readonly sent: number; readonly received: number };
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
	readonly counters?: GatewayCounters;
}

/** What is wrong now, a sentence each; none when all is well. */
export function troubles(status: GatewayStatus): string[] {
	return [
		...(status.uplink.up ? [] : [`uplink: ${status.uplink.reason}`]),
		...status.links.flatMap((link) => (link.up ? [] : [`link "${link.id}": ${link.reason}`])),
		...(status.store === undefined ? [] : [status.store]),
	];
}
