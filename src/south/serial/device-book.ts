import type { UnixMillis } from "../../core/clock.js";
import type { Announcement } from "../../core/device.js";
import type { Access, Category, Point } from "../../core/point.js";
import type { Unit } from "../../core/unit.js";
import { isNumeric, type Value } from "../../core/value.js";
import type { Meaning, Misfit, Told } from "../meaning.js";

/** A value as a message has it, and what sort of point it makes. */
export interface Seen {
	readonly point: string;
	readonly as: Point;
	/** Nothing: the point exists, and has no value now. */
	readonly value: Value | undefined;
	readonly at?: UnixMillis;
}

/** What is known of a device beside its points. */
export type Facts = Omit<Announcement, "points">;

/** Radio gateways hear the neighbours too, and noise now and then has a new number; more than this is no household. */
const MAX_DEVICES = 500;
/** The richest of these devices, a three-phase meter, has some sixty. */
const MAX_POINTS = 256;

/** The devices of a line that does not describe them: their points are what was seen of them. */
export class DeviceBook {
	readonly #devices = new Map<string, { facts: Facts; points: Record<string, Point>; said: string }>();

	/** The device was heard, with these values. It is announced when it, a point or a fact is new. */
	hear(facts: Facts, seen: readonly Seen[]): Meaning {
		const { address } = facts;
		let device = this.#devices.get(address);
		if (!device) {
			if (this.#devices.size >= MAX_DEVICES) return { misfits: [{ where: address, reason: `one device too many: ${MAX_DEVICES} were heard on this line`, sample: "" }] };
			device = { facts, points: Object.create(null) as Record<string, Point>, said: "" };
			this.#devices.set(address, device);
		}
		device.facts = { ...device.facts, ...facts };
		const told: Told[] = [];
		const misfits: Misfit[] = [];
		for (const { point, as, value, at } of seen) {
			const known = device.points[point];
			if (known && known.kind !== as.kind) {
				misfits.push({ where: address, reason: `${point} is no ${known.kind} value any more`, sample: value === undefined || isNumeric(value) ? (value?.text ?? "") : String(value) });
				continue;
			}
			if (!known && Object.keys(device.points).length >= MAX_POINTS) {
				misfits.push({ where: address, reason: `one point too many: ${MAX_POINTS} were seen`, sample: point });
				continue;
			}
			device.points[point] = as;
			if (value !== undefined) told.push({ address, point, value, ...(at !== undefined && { at }) });
		}
		const announcement: Announcement = { ...device.facts, points: { ...device.points } };
		const said = JSON.stringify(announcement);
		const isNew = said !== device.said;
		device.said = said;
		return { ...(isNew && { announced: [announcement] }), heard: [address], ...(told.length > 0 && { told }), ...(misfits.length > 0 && { misfits }) };
	}

	/** The last announcement of a device that was heard. */
	find(address: string): Announcement | undefined {
		const device = this.#devices.get(address);
		return device && { ...device.facts, points: device.points };
	}
}

/** Two meanings of one packet as one. */
export function joined(...meanings: readonly Meaning[]): Meaning {
	const all = <K extends "announced" | "gone" | "told" | "states" | "heard" | "misfits">(key: K): NonNullable<Meaning[K]>[number][] => meanings.flatMap((meaning): readonly NonNullable<Meaning[K]>[number][] => meaning[key] ?? []);
	const [announced, gone, told, states, heard, misfits] = [all("announced"), all("gone"), all("told"), all("states"), all("heard"), all("misfits")];
	return {
		...(announced.length > 0 && { announced }), ...(gone.length > 0 && { gone }), ...(told.length > 0 && { told }), ...(states.length > 0 && { states }),
		...(heard.length > 0 && { heard }), ...(misfits.length > 0 && { misfits }),
	};
}

/** A numeric point that is read. */
export function numeric(unit?: Unit, category?: Category, access: Access = "r"): Point {
	return { kind: "numeric", access, ...(unit !== undefined && { unit }), ...(category !== undefined && { category }) };
}

export function text(category: Category = "status"): Point {
	return { kind: "text", access: "r", category };
}

export function truth(category: Category = "status"): Point {
	return { kind: "boolean", access: "r", category };
}
