// What a device says to a person. The first line is the answer; a value never stands without its age when it is old.
import { type Availability, inWords } from "../../core/availability.js";
import type { UnixMillis } from "../../core/clock.js";
import { confirmOf, isStale, type Point, type Points, takes } from "../../core/point.js";
import type { Reading } from "../../core/reading.js";
import type { Twin } from "../../core/twin.js";
import { textOf, type Value } from "../../core/value.js";

/** Lines that a phone can show; the rest is counted. */
const MAX_LINES = 40;

const WORDS: Readonly<Record<Availability, string>> = { online: "online", late: "late", faulty: "faulty", asleep: "asleep", offline: "offline", unknown: "unknown" };

/** `22.50 °C`, `on`, `heat` */
export function valueText(point: Point, value: Value): string {
	const unit = point.kind === "numeric" && point.unit !== undefined ? ` ${point.unit}` : "";
	return `${typeof value === "boolean" ? (value ? "on" : "off") : textOf(value)}${unit}`;
}

/** `temperature: 21.50 °C (12 s ago)`, and `temperature: 21.50 °C (stale: 25 min old)` where `report:` says how old it may be. */
export function readingLine(name: string, point: Point, reading: Reading | undefined, now: UnixMillis): string {
	if (!reading) return `${name}: no reading yet`;
	const stale = isStale(point, reading, now);
	const age = `${stale ? "stale: " : ""}${reading.ageUnknown ? "age unknown" : `${inWords(now - reading.at)} ${stale ? "old" : "ago"}`}`;
	return `${name}: ${valueText(point, reading.value)} (${age}${reading.quality === "error" ? ", marked faulty by the device" : ""})`;
}

/** The last readings of these points, a line each. */
export function readings(twin: Twin, names: readonly string[], now: UnixMillis): string {
	if (names.length === 0) return "There is nothing here that you may read";
	const stale = twin.availability === "offline" || twin.availability === "unknown" ? [`${twin.device.name} is ${WORDS[twin.availability]}; this is what it said last:`] : [];
	return bounded([...stale, ...names.map((name) => readingLine(name, twin.device.points[name]!, twin.readings.get(name), now))]);
}

/** Availability, its reason and age, and the last readings. */
export function deviceStatus(twin: Twin, names: readonly string[], now: UnixMillis, trouble: string | undefined): string {
	const { device, availability, reason } = twin;
	const model = [device.manufacturer, device.model].filter((part) => part !== undefined).join(" ");
	return bounded([
		`${device.name} is ${WORDS[availability]}${reason === undefined ? "" : `: ${reason}`}`,
		`since ${inWords(now - twin.since)}${twin.heard === undefined ? "" : `, last heard ${inWords(now - twin.heard)} ago`}${model === "" ? "" : `, ${model}`}`,
		...names.map((name) => readingLine(name, device.points[name]!, twin.readings.get(name), now)),
		...(trouble === undefined ? [] : [`The gateway: ${trouble}`]),
	]);
}

/** What this device understands from this person, with its real points and ranges. */
export function deviceHelp(twin: Twin, readable: readonly string[], settable: readonly string[]): string {
	const { device } = twin;
	const unit = (point: Point): string => (point.kind === "numeric" && point.unit !== undefined ? ` (${point.unit})` : "");
	return bounded([
		`${device.name} understands:`,
		"help · status",
		...(readable.length > 0 ? ["read [POINT], or POINT?", ...readable.map((name) => `  ${name}${unit(device.points[name]!)}`)] : []),
		...(readable.length > 0 ? ["history [POINT] [24h]"] : []),
		...watchHelp(device.points, readable),
		...(settable.length > 0 ? ["set POINT VALUE, or POINT := VALUE", ...settable.map((name) => `  ${name}: ${takes(device.points[name]!)}${confirmOf(device.points[name]!) === "none" ? "; not reported back" : ""}`)] : []),
	]);
}

/** With a point that moves, if there is one. */
function watchHelp(points: Points, readable: readonly string[]): string[] {
	const isMoving = (name: string): boolean => points[name]!.kind === "numeric" && points[name]!.category !== "identity";
	const name = readable.find(isMoving) ?? readable[0];
	return name === undefined ? [] : [`watch POINT [by DIFFERENCE] [every TIME] · unwatch [POINT] · watch`, `  watch ${name}${isMoving(name) ? " by 0.5" : ""} every 10m`];
}

/** Lines as one text, at most as many as a phone can show. */
export function bounded(lines: readonly string[]): string {
	if (lines.length <= MAX_LINES) return lines.join("\n");
	return [...lines.slice(0, MAX_LINES - 1), `… and ${lines.length - MAX_LINES + 1} more`].join("\n");
}
