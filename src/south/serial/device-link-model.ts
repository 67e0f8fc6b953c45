import type { Millis } from "../../core/clock.js";

// What the compact device link carries, between its session and its dialect: docs/device-link.md. Numbers are still whole
// numbers here, as the device has them; what they mean stands in its schema.

/** Most points of one device: the mask of a sparse report has 32 bits. */
export const MAX_LINK_POINTS = 32;

/** One point as the device announces it: section 5. */
export interface LinkPoint {
	readonly name: string;
	readonly kind: "numeric" | "boolean" | "enum";
	readonly access: "r" | "w" | "rw";
	/** How many of the digits stand behind the decimal point: 2350 with two decimals is 23.50. 0 for what is not numeric. */
	readonly decimals: number;
	/** As the device writes it: it need not be one of ours. */
	readonly unit?: string;
	/** Scaled, as the readings are. */
	readonly min?: bigint;
	readonly max?: bigint;
	readonly step?: bigint;
	/** Empty for what is no enum. */
	readonly labels: readonly string[];
}

/** A whole schema: the device has said all of it, and its checksum is right. */
export interface LinkSchema {
	readonly kind: "schema";
	/** CRC-32 of its points as they were announced: section 5.2. */
	readonly id: number;
	/** Empty where the device has none. */
	readonly uid: string;
	readonly name?: string;
	readonly model?: string;
	readonly firmware?: string;
	/** How often it means to report; left out where silence is normal. */
	readonly every?: Millis;
	/** It has a receive line: its points can be set. */
	readonly listens: boolean;
	readonly points: readonly LinkPoint[];
}

/** One report: a value for some of the points, in the order of the schema. */
export interface LinkReport {
	readonly kind: "report";
	/** How long before its sending the values were taken. 0: they are of now. */
	readonly age: Millis;
	/** As many as the schema has points; nothing where the device says nothing. */
	readonly values: readonly (bigint | undefined)[];
}

/** A sign of life without a value, or its end. */
export type LinkPulse = { readonly kind: "pulse"; readonly alive: true } | { readonly kind: "pulse"; readonly alive: false; readonly reason: string };

/** What the session hears. */
export type LinkNews = LinkSchema | LinkReport | LinkPulse;

/** One point to be set, for the session to send. */
export interface LinkSetting {
	readonly kind: "setting";
	/** The schema that `point` counts in: a device that has another by now is not commanded. */
	readonly schema: number;
	readonly point: number;
	readonly value: bigint;
}
