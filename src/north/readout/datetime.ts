// XEP-0082: XMPP Date and Time Profiles; XML Schema Part 2 §3.2.7
// Source: https://xmpp.org/extensions/xep-0082.html
// Version: 1.1.1
import type { UnixMillis } from "../../core/clock.js";

const DATE_TIME = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,18}))?(?:(Z)|([+-])(\d\d):(\d\d))?$/;
/** Years of four digits: what every reader of xs:dateTime understands. */
const FIRST: UnixMillis = -62_135_596_800_000; // 0001-01-01T00:00:00Z
const LAST: UnixMillis = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

/**
 * A moment as peers write it, to the millisecond. Without a zone it is taken as UTC: slixmpp sends none at all, IoTGateway none for local times.
 *
 * @returns Nothing for what is no moment: `2026-02-30T00:00:00Z`, a date alone, an offset beyond 14 hours.
 */
export function parseDateTime(text: string): UnixMillis | undefined {
	const match = text.length > 64 ? null : DATE_TIME.exec(text.trim());
	if (!match) return undefined;
	const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(1, 7).map(Number);
	const offset = Number(match[10] ?? 0) * 60 + Number(match[11] ?? 0);
	if (hour > 23 || minute > 59 || second > 59 || Number(match[11] ?? 0) > 59 || offset > 14 * 60) return undefined;
	const date = new Date(0);
	date.setUTCFullYear(year, month - 1, day);
	if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return undefined;
	date.setUTCHours(hour, minute, second, Number((match[7] ?? "0").slice(0, 3).padEnd(3, "0")));
	return date.getTime() - (match[9] === "-" ? -offset : offset) * 60_000;
}

/** `2026-03-04T05:06:07.250Z`; whole seconds without a fraction. Nothing for what four digits of a year cannot say. */
export function formatDateTime(at: UnixMillis): string | undefined {
	if (!(at >= FIRST && at <= LAST)) return undefined;
	return new Date(at).toISOString().replace(".000Z", "Z");
}
