import type { UnixMillis } from "./clock.js";
import type { Value } from "./value.js";

/** How far a value can be trusted: the QoS flags of XEP-0323 §3.2 that a gateway can know of. */
export type Quality = "good" | "estimate" | "error";

/** One value of one point at one moment. */
export interface Reading {
	readonly point: string;
	readonly value: Value;
	/** The source's own time; the time of receipt where the source states none. */
	readonly at: UnixMillis;
	readonly received: UnixMillis;
	/** A retained message without a time of its own: `at` is when it was received, and the value may be months older. */
	readonly ageUnknown?: true;
	readonly quality: Quality;
}
