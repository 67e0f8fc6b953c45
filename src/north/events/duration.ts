// XML Schema Part 2 §3.2.6: duration
// Source: https://www.w3.org/TR/xmlschema-2/#duration
import type { Millis } from "../../core/clock.js";

const DURATION = /^P(?=\d|T\d)(?:(\d{1,6})Y)?(?:(\d{1,6})M)?(?:(\d{1,9})D)?(?:T(?=\d)(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,9}(?:\.\d{1,9})?)S)?)?$/;
/** A year has 365 days here, and a month 30: no interval between events is meant to the day. */
const SPANS: readonly Millis[] = [365 * 86_400_000, 30 * 86_400_000, 86_400_000, 3_600_000, 60_000, 1_000];

/** `PT15M`, `P1DT0.5S`; whole milliseconds. Nothing for what is none, and for negative ones. */
export function parseXsDuration(text: string): Millis | undefined {
	const match = text.length > 64 ? null : DURATION.exec(text.trim());
	if (!match) return undefined;
	return Math.round(SPANS.reduce((sum, span, index) => sum + Number(match[index + 1] ?? 0) * span, 0));
}
