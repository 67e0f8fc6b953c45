import { inWords } from "../core/availability.js";
import type { Millis, UnixMillis } from "../core/clock.js";
import { isStale, isWritable, type Point } from "../core/point.js";
import type { Reading } from "../core/reading.js";
import type { Twin } from "../core/twin.js";
import { textOf } from "../core/value.js";
import { formatDateTime } from "./readout/datetime.js";

/** More values than this do not fit into the line that a contact list shows. */
const MAX_VALUES = 4;
/** With so many measured values, settings and diagnostics are left out. */
const ENOUGH_MEASURED = 2;
/** Longest text of one value: a text point may hold a novel. */
const MAX_VALUE_CHARS = 40;
/** A value older than this says so: a stale value must never look fresh. */
const OLD_AFTER: Millis = 2 * 3_600_000;
const DAY: Millis = 24 * 3_600_000;

/**
 * What the `<status/>` of a device says to somebody who may read these points: why it is as it is, or else its last values,
 * `21.5 °C · 45 %RH`. Nothing where there is nothing to say.
 *
 * @param visible Names of points, in the order in which they shall appear.
 */
export function statusOf(twin: Twin, visible: readonly string[], now: UnixMillis): string | undefined {
	const { availability, reason } = twin;
	if (reason !== undefined) return reason;
	if (availability === "offline" || availability === "unknown") return availability;
	const known = visible.flatMap((name) => {
		const point = twin.device.points[name];
		const reading = twin.readings.get(name);
		return point && point.category !== "identity" && reading && reading.quality !== "error" ? [{ name, point, reading }] : [];
	});
	// What a device measures goes before how it is set: settings are shown where it measures little. On or off is no setting.
	const measured = known.filter(({ point }) => (point.category ?? "momentary") === "momentary" || (point.kind === "boolean" && isWritable(point)));
	const shown = (measured.length >= ENOUGH_MEASURED ? measured : known).slice(0, MAX_VALUES);
	const unitOf = (point: Point): string | undefined => (point.kind === "numeric" ? point.unit : undefined);
	const texts = shown.map(({ name, point, reading }) => {
		const unit = unitOf(point);
		// A unit says what is measured, unless two values share it.
		const isPlain = unit !== undefined && shown.every((other) => other.name === name || unitOf(other.point) !== unit);
		return `${isPlain ? "" : `${point.label ?? name} `}${valueText(reading)}${unit === undefined ? "" : ` ${unit}`}${ageOf(point, reading, now)}`;
	});
	return texts.length === 0 ? undefined : texts.join(" · ");
}

function valueText({ value }: Reading): string {
	if (typeof value === "boolean") return value ? "on" : "off";
	const text = textOf(value);
	return text.length > MAX_VALUE_CHARS ? `${text.slice(0, MAX_VALUE_CHARS)}…` : text;
}

function ageOf(point: Point, reading: Reading, now: UnixMillis): string {
	const { at, ageUnknown } = reading;
	const stale = isStale(point, reading, now);
	if (ageUnknown) return stale ? " (stale: age unknown)" : " (age unknown)";
	// A contact list shows this line for as long as nothing changes: an age would be wrong a minute later.
	if (stale) return ` (stale: of ${momentOf(at, now)})`;
	return now - at > OLD_AFTER ? ` (${inWords(now - at)} ago)` : "";
}

/** `14:05 UTC` within a day, else `2026-03-04`. */
function momentOf(at: UnixMillis, now: UnixMillis): string {
	const moment = formatDateTime(at);
	if (moment === undefined) return "an unknown time";
	return Math.abs(now - at) < DAY ? `${moment.slice(11, 16)} UTC` : moment.slice(0, 10);
}
