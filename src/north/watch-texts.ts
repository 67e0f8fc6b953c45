// What somebody who watches a point is told, in words. A value never looks newer than it is: times are written out, since a letter may be read days later.
import type { Millis, UnixMillis } from "../core/clock.js";
import { isStale, type Point } from "../core/point.js";
import type { Reading } from "../core/reading.js";
import type { Twin } from "../core/twin.js";
import { isNumeric, textOf, type Value } from "../core/value.js";
import { valueText } from "./chat/texts.js";
import { whenOf } from "./letter.js";

/** A text point may hold a novel. */
const MAX_VALUE_CHARS = 200;
/** A value older than this says of when it is. */
const OLD_AFTER: Millis = 60_000;

/** Why somebody is told: a change since he was told last, a change that has gone back, or because it was time. */
export type Occasion = "first" | "changed" | "back" | "unchanged";

/** `temperature 22.5 °C (was 21.9)`, `temperature 22.5 °C, unchanged (of 2026-01-01 00:00:05 UTC)` */
export function eventText(name: string, point: Point, reading: Reading, occasion: Occasion, before: Value | undefined, twin: Twin, now: UnixMillis): string {
	const { availability } = twin;
	const details = [
		...(occasion === "changed" && before !== undefined ? [`was ${clipped(isNumeric(before) ? textOf(before) : valueText(point, before))}`] : []),
		...(reading.ageUnknown ? ["age unknown"] : now - reading.at > OLD_AFTER ? [`of ${whenOf(reading.at)}`] : []),
		...(isStale(point, reading, now) ? ["stale"] : []),
		...(reading.quality === "error" ? ["marked faulty by the device"] : []),
		...(availability === "offline" || availability === "unknown" ? [`${twin.device.name} is ${availability}`] : []),
	];
	const tail = occasion === "unchanged" ? ", unchanged" : occasion === "back" ? ", changed and back again" : "";
	return `${name} ${clipped(valueText(point, reading.value))}${tail}${details.length === 0 ? "" : ` (${details.join("; ")})`}`;
}

/** `weather is offline: last will`, `weather is back: online` */
export function availabilityText({ device, availability, reason }: Twin): string {
	const isAway = availability === "offline" || availability === "unknown";
	return `${device.name} is ${isAway ? availability : `back: ${availability}`}${reason === undefined ? "" : `${isAway ? ":" : ","} ${reason}`}`;
}

/** `weather is no longer here; the watch of temperature has ended` */
export function endText({ device }: Twin, point: string): string {
	return `${device.name} is no longer here; the watch of ${point} has ended`;
}

/** `temperature by 0.5 °C every 10 min`, as it may be typed again. */
export function wishText(name: string, point: Point | undefined, { by, every }: { readonly by?: number; readonly every?: Millis }): string {
	const unit = point?.kind === "numeric" && point.unit !== undefined ? ` ${point.unit}` : "";
	return `${name}${by === undefined ? "" : ` by ${by}${unit}`}${every === undefined ? "" : ` every ${spanText(every)}`}`;
}

/** Exactly, in the largest unit that does it. */
function spanText(span: Millis): string {
	for (const [unit, length] of [["d", 86_400_000], ["h", 3_600_000], ["min", 60_000]] as const) if (span % length === 0) return `${span / length} ${unit}`;
	return `${span / 1_000} s`;
}

function clipped(text: string): string {
	return text.length > MAX_VALUE_CHARS ? `${[...text.slice(0, MAX_VALUE_CHARS)].slice(0, -1).join("")}…` : text;
}
