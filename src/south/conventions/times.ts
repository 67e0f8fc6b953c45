import { type Json, isNumber } from "../json.js";
import type { UnixMillis } from "../../core/clock.js";

/** A clock that was never set says 1970 or the year of the firmware; nothing here is older than the gateway's own kind. */
const EARLIEST = Date.UTC(2015, 0, 1);
const LATEST = Date.UTC(2100, 0, 1);
/** ISO 8601 with its offset: a local time without one is no time. */
const ISO = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:?\d\d)$/;
/** Whole or fractional Unix seconds, as a text. */
const SECONDS = /^\d{9,10}(?:\.\d{1,9})?$/;

/** A time that a source states, when it can be true: after 2015 and before 2100. */
export function plausible(time: number): UnixMillis | undefined {
	return time >= EARLIEST && time < LATEST ? Math.trunc(time) : undefined;
}

/** A time as text: ISO 8601 with an offset, or Unix seconds. Digits finer than milliseconds are cut. */
export function timeFrom(json: Json | undefined): UnixMillis | undefined {
	if (isNumber(json)) return plausible(json.number * 1_000);
	if (typeof json !== "string") return undefined;
	if (SECONDS.test(json)) return plausible(Number(json) * 1_000);
	if (!ISO.test(json)) return undefined;
	return plausible(Date.parse(json.replace(" ", "T").replace(/(\.\d{3})\d+/, "$1")));
}
