import type { Millis, UnixMillis } from "./clock.js";
import type { Reading } from "./reading.js";
import type { Unit } from "./unit.js";
import type { Value } from "./value.js";

/** Where a device is: its link, and what the source itself calls it. Survives a change of its id. */
export interface Place {
	readonly link: string;
	readonly address: string;
}

/** One reading of one device, as the journal keeps it. */
export interface Entry extends Place {
	readonly reading: Reading;
	/** Of the point at that moment: a later refinement of the point does not change the past. */
	readonly unit?: Unit;
}

/** A QoS 1 message as its broker knows it: MQTT 3.1.1 §4.3.2. A redelivery has the same id, topic and payload. */
export interface Delivery {
	readonly link: string;
	readonly id: number;
	/** Of topic and payload. */
	readonly hash: string;
}

/** Takes readings for good. */
export interface Journal {
	/**
	 * Resolves when the readings, and the memory of the message that brought them, are on disk. While the disk is full it waits.
	 *
	 * @throws {GatewayError} `store-failed` when the journal was closed before they were written.
	 */
	append(entries: readonly Entry[], delivery?: Delivery): Promise<void>;
	/** The same for readings that nobody waits for: written within `history: flush`. Beyond its bound the oldest are lost, counted and said. */
	note(entries: readonly Entry[]): void;
}

/** What of the past is wanted: readings of these points with `from` ≤ source time < `to`. */
export interface Span {
	readonly place: Place;
	/** Exact names of points. */
	readonly points: readonly string[];
	readonly from?: UnixMillis;
	readonly to?: UnixMillis;
}

/** A row of the journal. Rows are ordered by source time, ties by arrival. */
export interface Row {
	readonly reading: Reading;
	readonly unit?: Unit;
	/** Where a next page goes on: pass it as `after`. Opaque. */
	readonly cursor: string;
}

/** The readings of one point in one stretch of time. */
export interface Bucket {
	readonly point: string;
	/** Its beginning: a multiple of its width. */
	readonly at: UnixMillis;
	readonly count: number;
	readonly unit?: Unit;
	/** Of the numbers in it; nothing where there are none. `mean` has one decimal more than they have. */
	readonly numbers?: { readonly min: Value; readonly mean: Value; readonly max: Value };
	/** The last value, of any kind. */
	readonly last: Value;
	/** The source time of that one. */
	readonly lastAt: UnixMillis;
}

/** How much there is. */
export interface Extent {
	readonly rows: number;
	/** Source times of the oldest and the newest. */
	readonly first?: UnixMillis;
	readonly last?: UnixMillis;
}

/** Reads the past. What is in memory still is in it too. @throws {GatewayError} `store-failed` from each. */
export interface History {
	/** A page, oldest first; fewer than `limit` (at most 1 000) rows are the last. */
	rows(span: Span, limit: number, after?: string): Promise<readonly Row[]>;
	/** Ordered by time, then by point in the order of `span.points`; at most `limit` (at most 1 000), from the beginning. */
	buckets(span: Span, width: Millis, limit: number): Promise<readonly Bucket[]>;
	extent(span: Span): Promise<Extent>;
}
