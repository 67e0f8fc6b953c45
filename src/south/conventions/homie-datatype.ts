// What a Homie property is, and how its values are written.
// Source: https://homieiot.github.io/specification/spec-core-v4_0_0/ ("Properties", "Payload"), https://homieiot.github.io/specification/ (version 5.0, "Property attributes", "Formats")

import type { Point } from "../../core/point.js";
import { type Unit, unitFrom } from "../../core/unit.js";
import { textOf, type Value } from "../../core/value.js";
import { fitting, pointFor } from "./learned.js";

/** The attributes of a property, as texts: v5 writes them in JSON, v3 and v4 on a topic each. */
export interface Attributes {
	readonly name?: string | undefined;
	readonly datatype?: string | undefined;
	readonly format?: string | undefined;
	readonly unit?: string | undefined;
	readonly settable: boolean;
	readonly retained: boolean;
}

const MAX_LABELS = 100;

/** The point that a property is; `problem` says what of its attributes makes no sense. */
export function pointOf({ name, datatype, format, unit, settable, retained }: Attributes): { readonly point: Point; readonly problem?: string } {
	const measured = unit === undefined ? {} : unitOf(unit);
	const base = {
		access: settable ? "rw" as const : "r" as const,
		...(name !== undefined && name !== "" && { label: name }),
		// What is settable and not retained is a push: the device need not say it back.
		...(settable && !retained && { confirm: "none" as const }),
	};
	const status = { ...base, category: "status" as const };
	const point = ((): Point => {
		switch (datatype) {
			case "integer": case "float": case "percent": {
				const unitPart = datatype === "percent" ? { unit: "%" as const } : "unit" in measured ? { unit: measured.unit } : {};
				return { kind: "numeric", ...(settable ? status : base), ...unitPart, ...rangeFrom(format), ...(datatype === "integer" && { integer: true }) };
			}
			case "boolean": return { kind: "boolean", ...status };
			case "enum": {
				const labels = [...new Set((format ?? "").split(",").slice(0, MAX_LABELS))].filter((label) => label !== "");
				return labels.length === 0 ? { kind: "text", ...status } : { kind: "enum", ...status, labels };
			}
			// string, color, datetime, duration, json, and words that no version knows
			default: return { kind: "text", ...status, ...(datatype === "json" && { maxLength: 4_096 }) };
		}
	})();
	return { point, ...("problem" in measured && { problem: measured.problem }) };
}

/** A property of which nothing is known but a value. */
export function guessedPoint(value: Value, unit: Unit | undefined): Point {
	return pointFor(value, { ...(typeof value !== "object" && { category: "status" }), ...(unit !== undefined && { unit }) });
}

/** What is published to `/set`. */
export function written(point: Point, value: Value): string {
	return point.kind === "text" && value === "" ? "\0" : textOf(value);
}

/** What a payload says; nothing where it is no value of the point. Version 5 writes the empty string as one zero byte. */
export function readAs(point: Point, text: string): Value | undefined {
	return fitting(point, text === "\0" ? "" : text);
}

/** `min:max`, in version 5 `min:max:step`, with open sides. Colour formats and the like are none. */
function rangeFrom(format: string | undefined): { readonly min?: number; readonly max?: number; readonly step?: number } {
	const parts = format?.split(":") ?? [];
	if (parts.length < 2 || parts.length > 3) return {};
	const [min, max, step] = parts.map((part) => (part.trim() === "" ? undefined : Number(part)));
	if ([min, max, step].some((bound) => bound !== undefined && !Number.isFinite(bound))) return {};
	if (min !== undefined && max !== undefined && min > max) return {};
	return { ...(min !== undefined && { min }), ...(max !== undefined && { max }), ...(step !== undefined && step > 0 && { step }) };
}

/** Units as devices write them: `°` comes through wrong encodings as `Â°`, `&deg;` and U+FFFD; `#` counts. */
function unitOf(text: string): { readonly unit: Unit } | { readonly problem: string } | Record<string, never> {
	const mended = text.trim().replace("Â", "").replace(/&deg;|�/, "°");
	if (mended === "" || mended === "#") return {};
	const unit = unitFrom(mended);
	return unit === undefined ? { problem: `Cannot use the unit "${text.slice(0, 40)}"` } : { unit };
}
