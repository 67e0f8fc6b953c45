import type { Millis, UnixMillis } from "./clock.js";
import type { Value } from "./value.js";

/** When a new value of one field is an event: the attributes of XEP-0323 events and of the Neuro-Foundation's `<f/>`. */
export interface Trigger {
	/** The value that the subscriber has now; without it the first value is an event. */
	readonly current?: number;
	/** By at least so much, either way. Goes before `up` and `down`. */
	readonly by?: number;
	readonly up?: number;
	readonly down?: number;
}

/** A person watches a point from chat: `watch temperature by 0.5 every 10m`. */
export interface Watch {
	/** Bare JID. */
	readonly who: string;
	/** Device id. */
	readonly device: string;
	readonly point: string;
	/** Nothing: every change. */
	readonly by?: number;
	/** Also when nothing has changed for so long. */
	readonly every?: Millis;
	/** What he was told last, and when: so that a restart tells him nothing twice. */
	readonly told?: { readonly value: Value; readonly at: UnixMillis };
}

/** Where watches survive a restart. */
export interface WatchStore {
	watches(): readonly Watch[];
	/** Resolves when it is on disk; it replaces the one of the same person, device and point. @throws {GatewayError} `store-failed`. */
	putWatch(watch: Watch): Promise<void>;
	dropWatch(watch: Pick<Watch, "who" | "device" | "point">): Promise<void>;
}
