import type { Millis, UnixMillis } from "./clock.js";
import { GatewayError } from "./errors.js";
import type { Reading } from "./reading.js";
import type { Unit } from "./unit.js";
import { isNumeric, textOf, type Value } from "./value.js";

/** May it be read, written, or both? A write-only point is a button. */
export type Access = "r" | "w" | "rw";

/** What sort of value it is: the field categories of XEP-0323 §3.1. */
export type Category = "momentary" | "peak" | "status" | "computed" | "identity";

/** Is a command done when a reading says so, or when it was sent (buttons, optimistic devices)? */
export type Confirm = "state" | "none";

interface PointBase {
	readonly access: Access;
	/** What people call it, where that is not its name. */
	readonly label?: string;
	/** Default: `momentary`. */
	readonly category?: Category;
	/** Default: `state` for what can be read, `none` for what cannot. */
	readonly confirm?: Confirm;
	/** How long a command waits for its confirmation. Default: 10 s. */
	readonly timeout?: Millis;
	/** A value that is older is stale; nothing where age does not matter. Laid on by the registry from the rules of `report:`. */
	readonly maxAge?: Millis;
}

export interface NumericPoint extends PointBase {
	readonly kind: "numeric";
	readonly unit?: Unit;
	/** Inclusive bounds of what may be set, in `unit`. */
	readonly min?: number;
	readonly max?: number;
	/** The grid of values, in `unit`: a reading within half a step of the wish confirms it. */
	readonly step?: number;
	/** Whole numbers only. */
	readonly integer?: boolean;
}
export interface BooleanPoint extends PointBase {
	readonly kind: "boolean";
}
export interface EnumPoint extends PointBase {
	readonly kind: "enum";
	readonly labels: readonly string[];
}
export interface TextPoint extends PointBase {
	readonly kind: "text";
	/** Longest text that may be set, in characters. Default: 255. */
	readonly maxLength?: number;
}

/** One thing that can be read or set on a device: a field in XEP-0323, a parameter in XEP-0325. */
export type Point = NumericPoint | BooleanPoint | EnumPoint | TextPoint;

/** What a config may say better than the source of a point does. */
export interface Refinement {
	readonly label?: string;
	readonly category?: Category;
	readonly confirm?: Confirm;
	readonly timeout?: Millis;
	/** May only take away: what the source cannot do stays impossible. */
	readonly access?: Access;
	readonly unit?: Unit;
	readonly min?: number;
	readonly max?: number;
	readonly step?: number;
	readonly integer?: boolean;
	readonly labels?: readonly string[];
}

/** The point with a refinement laid over it; what does not belong to its kind is left out. */
export function refined(point: Point, { label, category, confirm, timeout, access, unit, min, max, step, integer, labels }: Refinement): Point {
	const base = {
		...(label !== undefined && { label }), ...(category !== undefined && { category }), ...(confirm !== undefined && { confirm }), ...(timeout !== undefined && { timeout }),
		...(access !== undefined && point.access === "rw" && { access }),
	};
	switch (point.kind) {
		case "numeric": return { ...point, ...base, ...(unit !== undefined && { unit }), ...(min !== undefined && { min }), ...(max !== undefined && { max }), ...(step !== undefined && { step }), ...(integer !== undefined && { integer }) };
		case "enum": return { ...point, ...base, ...(labels !== undefined && { labels }) };
		case "boolean": case "text": return { ...point, ...base };
	}
}

/**
 * Is the last value of this point older than it may be? By the source's time; what has none, and may be of any age, is stale
 * where age matters. A source whose clock runs ahead makes nothing younger than its receipt. Further in the future than
 * `maxAge` lies what came before the clock of this machine was set back: its age is not known any more.
 */
export function isStale(point: Point | undefined, reading: Reading | undefined, now: UnixMillis): boolean {
	if (point?.maxAge === undefined || reading === undefined) return false;
	return reading.ageUnknown === true || Math.abs(now - Math.min(reading.at, reading.received)) > point.maxAge;
}

/** The points of a device by name, in the order in which its source lists them. */
export type Points = Readonly<Record<string, Point>>;

export function isReadable(point: Point): boolean {
	return point.access !== "w";
}

export function isWritable(point: Point): boolean {
	return point.access !== "r";
}

/** How a command to this point is confirmed: design §3.4. */
export function confirmOf(point: Point): Confirm {
	return point.confirm ?? (isReadable(point) ? "state" : "none");
}

/** The point that `name` means: names are the source's, matched without case. */
export function findPoint(points: Points, name: string): readonly [name: string, point: Point] | undefined {
	if (Object.hasOwn(points, name)) return [name, points[name]!];
	const folded = name.toLowerCase();
	return Object.entries(points).find(([key]) => key.toLowerCase() === folded);
}

/** What a point takes, for people: `15 to 30 °C`, `on or off`, `one of heat, off`. */
export function takes(point: Point): string {
	switch (point.kind) {
		case "numeric": {
			const unit = point.unit === undefined ? "" : ` ${point.unit}`;
			const what = point.integer ? "a whole number" : "a number";
			if (point.min !== undefined && point.max !== undefined) return `${plain(point.min)} to ${plain(point.max)}${unit}`;
			if (point.min !== undefined) return `${what} of at least ${plain(point.min)}${unit}`;
			if (point.max !== undefined) return `${what} of at most ${plain(point.max)}${unit}`;
			return unit === "" ? what : `${what} in${unit}`;
		}
		case "boolean": return "on or off";
		case "enum": return `one of ${point.labels.join(", ")}`;
		case "text": return `a text of at most ${point.maxLength ?? DEFAULT_TEXT_LENGTH} characters`;
	}
}

const DEFAULT_TEXT_LENGTH = 255;

/**
 * Check a value against the point that it is meant for.
 *
 * @throws {GatewayError} `bad-value` when the kind is wrong or the value lies outside what the point takes.
 */
export function checkValue(name: string, point: Point, value: Value): void {
	if (!fits(point, value)) throw new GatewayError("bad-value", `Cannot use "${textOf(value)}" for "${name}": it takes ${takes(point)}`);
}

function fits(point: Point, value: Value): boolean {
	switch (point.kind) {
		case "numeric":
			return isNumeric(value) && value.number >= (point.min ?? -Infinity) && value.number <= (point.max ?? Infinity) && (!point.integer || Number.isInteger(value.number));
		case "boolean": return typeof value === "boolean";
		case "enum": return typeof value === "string" && point.labels.includes(value);
		case "text": return typeof value === "string" && value.length <= (point.maxLength ?? DEFAULT_TEXT_LENGTH);
	}
}

function plain(number: number): string {
	return String(number);
}
