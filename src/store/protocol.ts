// What the facade and the keeper of the file say to each other. Compact: one message a batch, numbers in typed arrays, since the main thread pays for each object that is cloned.
import type { Millis, UnixMillis } from "../core/clock.js";
import type { Announcement } from "../core/device.js";
import type { Bucket, Delivery, Extent } from "../core/journal.js";
import type { Letter, Queue, Waiting } from "../core/outbox.js";
import type { Reading } from "../core/reading.js";
import type { Subscription } from "../core/subscription.js";
import type { Watch } from "../core/watch.js";
import type { Description } from "./description-table.js";

/** A twin as it was when it was last written, with what the journal knows since. */
export interface StoredTwin {
	readonly link: string;
	readonly address: string;
	/** Nothing for one that the journal has readings of, and that ended before it was written: its description may be known elsewhere. */
	readonly announcement?: Announcement;
	readonly readings: readonly Reading[];
}

/** How the value of a row is to be read. */
export const NUMERIC = 0, BOOLEAN = 1, TEXT = 2;

/** One point of one device in one kind and one unit. */
export interface Series {
	readonly id: number;
	readonly link: string;
	readonly address: string;
	readonly point: string;
	readonly kind: number;
	readonly unit: string;
}

/** Rows of the journal as parallel columns, ordered by `seq`. Series 0 and -1 are of messages: see migrations.ts. */
export interface Columns {
	readonly seq: Float64Array;
	readonly series: Float64Array;
	readonly at: Float64Array;
	readonly received: Float64Array;
	readonly flags: Uint8Array;
	readonly value: readonly string[];
}

/** One change that somebody waits for. */
export type Change =
	| { readonly kind: "subscription"; readonly subscription: Subscription }
	| { readonly kind: "watch"; readonly watch: Watch }
	| { readonly kind: "drop-watch"; readonly watch: Pick<Watch, "who" | "device" | "point"> }
	| { readonly kind: "post"; readonly letter: Letter }
	| { readonly kind: "assign"; readonly ids: readonly string[]; readonly batch: string }
	| { readonly kind: "acknowledged"; readonly batches: readonly string[] }
	| { readonly kind: "discard"; readonly to: string; readonly device?: string }
	| { readonly kind: "describe"; readonly description: Description }
	| { readonly kind: "drop-description"; readonly link: string; readonly topic: string };

/** All that goes into one transaction. */
export interface Batch {
	readonly rows: Columns;
	readonly series: readonly Series[];
	readonly changes: readonly Change[];
	readonly twins: readonly { readonly link: string; readonly address: string; readonly announcement: string; readonly readings: readonly Reading[] }[];
	readonly removed: readonly { readonly link: string; readonly address: string }[];
	readonly filters: readonly (readonly [link: string, filters: readonly string[]])[];
}

/** Rows of the past: those of the file, and those given along that are in no file yet. */
export interface Wanted {
	readonly series: readonly { readonly id: number; readonly point: number; readonly kind: number; readonly unit: string }[];
	readonly points: readonly string[];
	/** From ≤ time < to. */
	readonly from: number;
	readonly to: number;
	readonly unwritten: Columns;
}

export type Question =
	| { readonly kind: "rows"; readonly wanted: Wanted; readonly limit: number; readonly after?: readonly [at: number, seq: number] }
	| { readonly kind: "buckets"; readonly wanted: Wanted; readonly limit: number; readonly width: Millis }
	| { readonly kind: "extent"; readonly wanted: Wanted }
	| { readonly kind: "next"; readonly to: string; readonly limit: number; readonly except?: readonly string[] }
	| { readonly kind: "sent"; readonly to: string; readonly limit: number }
	| { readonly kind: "queues" }
	| { readonly kind: "descriptions"; readonly link: string };

export interface Limits {
	readonly keep: Millis;
	/** Bytes of pages in use. */
	readonly limit: number;
	readonly outbox: { readonly keep: Millis; readonly limit: number };
}

export type Job =
	| { readonly kind: "open"; readonly file: string; readonly limits: Limits }
	| { readonly kind: "write"; readonly batch: Batch }
	| { readonly kind: "ask"; readonly question: Question }
	| { readonly kind: "tend"; readonly isWhole: boolean }
	| { readonly kind: "configure"; readonly limits: Limits }
	| { readonly kind: "limit-pages"; readonly pages: number }
	| { readonly kind: "close"; readonly isClean: boolean };

export interface Times {
	/** The wall clock. */
	readonly now: UnixMillis;
	/** By this things grow old: see steady-time.ts. */
	readonly aged: UnixMillis;
}

export type Request = Job & Times;

/** What is known when the file is open. */
export interface Loaded {
	/** Set when the file that was there was damaged. */
	readonly aside?: { readonly file: string; readonly reason: string };
	readonly last: number;
	/** When the last row was received, or the last letter posted where there are no rows. */
	readonly newest?: UnixMillis;
	readonly series: readonly Series[];
	readonly subscriptions: readonly Subscription[];
	readonly watches: readonly Watch[];
	readonly filters: readonly (readonly [link: string, filter: string])[];
	readonly deliveries: readonly Delivery[];
	readonly twins: readonly StoredTwin[];
	/** Sentences about what could not be read. */
	readonly unread: readonly string[];
}

/** What the file is like now. */
export interface Figures {
	readonly fileBytes: number;
	readonly walBytes: number;
	readonly pruned: number;
	readonly oldest: UnixMillis | undefined;
	readonly inbox: number;
	readonly letters: number;
	readonly lettersLost: number;
	readonly lettersExpired: number;
	/** The file is at its limit, and old rows were taken away for that. */
	readonly isBounded: boolean;
}

export interface Written {
	/** For each change: how many rows of it. */
	readonly changed: readonly number[];
	readonly figures: Figures;
	/** How long the transaction took, in ms. */
	readonly took: number;
}

/** One by kind of request. */
export type Answer =
	| { readonly kind: "loaded"; readonly loaded: Loaded; readonly figures: Figures }
	| { readonly kind: "written"; readonly written: Written }
	| { readonly kind: "rows"; readonly rows: Columns }
	| { readonly kind: "buckets"; readonly buckets: readonly Bucket[] }
	| { readonly kind: "extent"; readonly extent: Extent }
	| { readonly kind: "letters"; readonly letters: readonly Waiting[] }
	| { readonly kind: "queues"; readonly queues: readonly Queue[] }
	| { readonly kind: "descriptions"; readonly descriptions: readonly Description[] }
	| { readonly kind: "done"; readonly figures?: Figures }
	/** The file is damaged: it was set aside, a new one is open, and what was asked was not done. */
	| { readonly kind: "fresh"; readonly aside: string; readonly reason: string }
	| { readonly kind: "failed"; readonly code: string; readonly reason: string };

/** Rows while they wait. */
export interface Entered {
	readonly seq: number;
	readonly series: number;
	readonly at: number;
	readonly received: number;
	readonly flags: number;
	readonly value: string;
}

export function columnsOf(rows: readonly Entered[]): Columns {
	const count = rows.length;
	const columns = { seq: new Float64Array(count), series: new Float64Array(count), at: new Float64Array(count), received: new Float64Array(count), flags: new Uint8Array(count), value: new Array<string>(count) };
	for (let row = 0; row < count; row++) {
		const { seq, series, at, received, flags, value } = rows[row]!;
		columns.seq[row] = seq;
		columns.series[row] = series;
		columns.at[row] = at;
		columns.received[row] = received;
		columns.flags[row] = flags;
		columns.value[row] = value;
	}
	return columns;
}

export function entered(columns: Columns, row: number): Entered {
	return { seq: columns.seq[row]!, series: columns.series[row]!, at: columns.at[row]!, received: columns.received[row]!, flags: columns.flags[row]!, value: columns.value[row]! };
}
