import type { Millis } from "./clock.js";

const SPANS: Readonly<Record<string, Millis>> = { ms: 1, s: 1_000, m: 60_000, min: 60_000, h: 3_600_000, d: 86_400_000 };

/**
 * A length of time in milliseconds, from `500ms`, `5s`, `1.5h`, `15m` or `15min`, `1d`; nothing when it is none.
 *
 * Before the unit at most nine digits, and three behind the point: what is longer is a mistake of whoever wrote it.
 */
export function parseDuration(text: string): Millis | undefined {
	const match = /^(\d{1,9}(?:\.\d{1,3})?)\s*(ms|s|m|min|h|d)$/.exec(text.trim());
	return match ? Number(match[1]) * SPANS[match[2]!]! : undefined;
}
