// Home Assistant MQTT discovery: values as words on topics.
// Source: https://www.home-assistant.io/integrations/mqtt/

import type { BooleanPoint, EnumPoint, NumericPoint, Point, TextPoint } from "../../core/point.js";
import type { Unit } from "../../core/unit.js";
import { isNumeric, numericFromNumber, numericFromText, type Value } from "../../core/value.js";
import type { Json } from "../json.js";
import { saysNothing } from "./payload.js";

/** What a payload tells one point: a value, nothing, or why it fits nothing. */
export type Heard = Value | undefined | Misread;
export class Misread {
	readonly reason: string;

	constructor(reason: string) {
		this.reason = reason;
	}
}

/** The words of one kind of value: what a point takes, and how it is written on the topics. */
export interface Codec {
	readonly point: Unbound<NumericPoint> | Unbound<BooleanPoint> | Unbound<EnumPoint> | Unbound<TextPoint>;
	decode(text: string): Heard;
	/** What stands for the value in a payload; nothing when it cannot be told to the device. */
	encode(value: Value): Json | undefined;
}
type Unbound<P extends Point> = Omit<P, "access">;

export interface NumericWords {
	readonly unit?: Unit | undefined;
	readonly min?: number | undefined;
	readonly max?: number | undefined;
	readonly step?: number | undefined;
	readonly integer?: boolean;
	/** The device's own ends of the scale, where they are not 0 and 100 %. */
	readonly ends?: readonly [zero: number, hundred: number];
}

export function numeric({ unit, min, max, step, integer, ends }: NumericWords): Codec {
	const scaled = ends && (ends[0] !== 0 || ends[1] !== 100) && ends[0] !== ends[1] ? ends : undefined;
	return {
		point: {
			kind: "numeric",
			...(unit !== undefined && { unit }), ...(min !== undefined && { min }), ...(max !== undefined && { max }),
			...(step !== undefined && step > 0 && { step }), ...(integer && { integer }),
		},
		decode(text) {
			if (saysNothing(text)) return undefined;
			const value = numericFromText(text);
			if (!value) return new Misread("not a number");
			if (!scaled) return value;
			return numericFromNumber(((value.number - scaled[0]) * 100) / (scaled[1] - scaled[0]), 0);
		},
		encode(value) {
			if (!isNumeric(value)) return undefined;
			if (!scaled) return value;
			return numericFromNumber(scaled[0] + (value.number * (scaled[1] - scaled[0])) / 100, 0);
		},
	};
}

export interface BooleanWords {
	/** What is sent. */
	readonly on: string;
	readonly off: string;
	/** What is heard, where it is something else. */
	readonly heardOn?: string | undefined;
	readonly heardOff?: string | undefined;
}

export function boolean({ on, off, heardOn = on, heardOff = off }: BooleanWords): Codec {
	const same = heardOn.toLowerCase() === heardOff.toLowerCase();
	return {
		point: { kind: "boolean" },
		decode(text) {
			if (text === heardOn) return true;
			if (text === heardOff) return false;
			const folded = text.trim().toLowerCase();
			if (!same && folded === heardOn.toLowerCase()) return true;
			if (!same && folded === heardOff.toLowerCase()) return false;
			return saysNothing(text) ? undefined : new Misread(`neither "${heardOn}" nor "${heardOff}"`);
		},
		encode: (value) => (typeof value === "boolean" ? (value ? on : off) : undefined),
	};
}

export interface LabelWords {
	readonly labels: readonly string[];
	/** What is heard for a label, where that is not the label itself. */
	readonly heard?: ReadonlyMap<string, string>;
	/** What is sent for a label. Default: the label; a label without a word cannot be set. */
	readonly sent?: ReadonlyMap<string, string>;
	/** Words that are heard and tell nothing of this point. */
	readonly ignored?: ReadonlySet<string>;
}

export function labels({ labels: all, heard, sent, ignored }: LabelWords): Codec {
	const distinct = [...new Set(all)];
	const folded = new Map(distinct.map((label) => [label.toLowerCase(), label]));
	return {
		point: { kind: "enum", labels: distinct },
		decode(text) {
			const found = heard?.get(text) ?? (distinct.includes(text) ? text : undefined);
			if (found !== undefined) return found;
			if (ignored?.has(text)) return undefined;
			const near = folded.get(text.trim().toLowerCase());
			if (near !== undefined) return near;
			return saysNothing(text) ? undefined : new Misread(`none of ${distinct.slice(0, 8).join(", ")}`);
		},
		encode: (value) => (typeof value !== "string" ? undefined : sent ? sent.get(value) : value),
	};
}

/** Longest text that becomes a reading: Home Assistant's own limit. */
const MAX_TEXT = 255;

/** A text; `pattern` is what it must look like, to be heard or sent. */
export function words({ maxLength, pattern }: { readonly maxLength?: number | undefined; readonly pattern?: RegExp } = {}): Codec {
	return {
		point: { kind: "text", ...(maxLength !== undefined && { maxLength: Math.min(maxLength, MAX_TEXT) }) },
		decode(text) {
			if (saysNothing(text)) return undefined;
			if (text.length > MAX_TEXT) return new Misread(`longer than ${MAX_TEXT} characters`);
			return pattern && !pattern.test(text) ? new Misread("not as its config says") : text;
		},
		encode: (value) => (typeof value === "string" && (!pattern || pattern.test(value)) ? value : undefined),
	};
}
