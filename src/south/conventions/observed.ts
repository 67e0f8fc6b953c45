// Devices that nobody describes: they are what they say. Kept for the conventions of radio sensors and of plain measurement lists.

import type { Announcement } from "../../core/device.js";
import { GatewayError } from "../../core/errors.js";
import { findPoint, type Point } from "../../core/point.js";
import { isNumeric, numericFromNumber, textOf, type Value } from "../../core/value.js";
import type { Meaning, Misfit, Told } from "../meaning.js";

/** What a message says of its device, besides values. */
export type Facts = Omit<Announcement, "points">;

/** One value of a message, and what sort of point it is of. */
export interface Seen extends Omit<Told, "address"> {
	readonly as: Point;
}

/** Sensors of one link; a radio in a town hears more, which are strangers. */
const MAX_DEVICES = 2_000;
/** As many as one JSON message can make. */
const MAX_POINTS = 256;
/** Longest address: a localpart has at most 1023 bytes after escaping. */
const MAX_ADDRESS = 256;
const MAX_NAME = 128;

interface Known {
	facts: Facts;
	/** Without a prototype: a sender may name a point `constructor`. */
	readonly points: Record<string, Point>;
}

/** The devices that one convention has heard. When there are too many, the one that was silent for longest goes. */
export class Observed {
	/** By address in lower case, the one heard last at the end. */
	readonly #devices = new Map<string, Known>();
	readonly #byAlias = new Map<string, string>();
	readonly #limit: number;

	constructor(limit = MAX_DEVICES) {
		this.#limit = limit;
	}

	/** Take in what a message says. A device is announced when it is new, and again when a point or a fact of it is. */
	see(facts: Facts, seen: readonly Seen[]): Meaning {
		const key = this.#keyOf(facts.address);
		if (facts.address === "" || facts.address.length > MAX_ADDRESS) return { misfits: [{ where: facts.address.slice(0, MAX_NAME), reason: `Cannot use a device: its address has not 1 to ${MAX_ADDRESS} characters`, sample: "" }] };
		const before = this.#devices.get(key);
		const known: Known = before ?? { facts, points: Object.create(null) };
		let changed = before === undefined;
		if (before) {
			const merged = { ...before.facts, ...facts, address: before.facts.address };
			if (JSON.stringify(merged) !== JSON.stringify(before.facts)) {
				known.facts = merged;
				changed = true;
			}
		}
		const told: Told[] = [];
		const misfits: Misfit[] = [];
		const { address } = known.facts;
		for (const { as, ...one } of seen) {
			const found = findPoint(known.points, one.point);
			const name = found?.[0] ?? one.point;
			const point = found?.[1];
			if (!point && (name === "" || name.length > MAX_NAME || Object.keys(known.points).length >= MAX_POINTS)) {
				misfits.push({ where: address, reason: `Cannot take another point: a device has at most ${MAX_POINTS}, with names of at most ${MAX_NAME} characters`, sample: name.slice(0, MAX_NAME) });
				continue;
			}
			const value = point ? fitted(one.value, point) : one.value;
			if (value === undefined) {
				misfits.push({ where: address, reason: `Cannot read "${name}": it was ${point?.kind === "numeric" ? "a number" : "on or off"}, and is now another kind of value`, sample: textOf(one.value).slice(0, MAX_NAME) });
				continue;
			}
			if (!point || unitOf(as) !== unitOf(point) && as.kind === point.kind && unitOf(as) !== undefined) {
				known.points[name] = as;
				changed = true;
			}
			told.push({ ...one, address, point: name, value });
		}
		this.#devices.delete(key);
		this.#devices.set(key, known);
		for (const alias of known.facts.aliases ?? []) if (!this.#devices.has(alias.toLowerCase())) this.#byAlias.set(alias.toLowerCase(), key);
		const gone = this.#shrink();
		return {
			...(changed && { announced: [{ ...known.facts, points: { ...known.points } }] }), ...(told.length > 0 && { told }), ...(misfits.length > 0 && { misfits }), ...(gone.length > 0 && { gone }),
		};
	}

	/** The device of this address or alias. */
	find(address: string): Announcement | undefined {
		const known = this.#devices.get(this.#keyOf(address));
		return known && { ...known.facts, points: known.points };
	}

	/** For conventions whose devices take no commands. @throws {GatewayError} `unknown-point`, `not-writable`, for a device that is known. */
	refuse(address: string, point: string): undefined {
		const device = this.find(address);
		if (!device) return undefined;
		const found = findPoint(device.points, point);
		if (!found) throw new GatewayError("unknown-point", `Cannot find "${point}": ${device.name ?? device.address} has ${Object.keys(device.points).join(", ") || "no points"}`);
		throw new GatewayError("not-writable", `Cannot set "${found[0]}": it is read-only`);
	}

	#keyOf(address: string): string {
		const key = address.toLowerCase();
		return this.#byAlias.get(key) ?? key;
	}

	#shrink(): string[] {
		const gone: string[] = [];
		while (this.#devices.size > this.#limit) {
			const [key, { facts }] = this.#devices.entries().next().value!;
			this.#devices.delete(key);
			for (const alias of facts.aliases ?? []) if (this.#byAlias.get(alias.toLowerCase()) === key) this.#byAlias.delete(alias.toLowerCase());
			gone.push(facts.address);
		}
		return gone;
	}
}

/** The value in the kind of the point; nothing when it has no place there. Senders write 0 and false for the same. */
function fitted(value: Value, point: Point): Value | undefined {
	switch (point.kind) {
		case "numeric": return isNumeric(value) ? value : typeof value === "boolean" ? numericFromNumber(Number(value)) : undefined;
		case "boolean": return typeof value === "boolean" ? value : isNumeric(value) && (value.number === 0 || value.number === 1) ? value.number === 1 : undefined;
		case "enum": case "text": return textOf(value);
	}
}

function unitOf(point: Point): string | undefined {
	return point.kind === "numeric" ? point.unit : undefined;
}

/** Meanings of several parts of one message as one. */
export function joined(meanings: readonly Meaning[], live: boolean): Meaning {
	const announced = new Map(meanings.flatMap((one) => one.announced ?? []).map((one) => [one.address, one]));
	const gone = meanings.flatMap((one) => one.gone ?? []);
	const told = meanings.flatMap((one) => one.told ?? []);
	const states = meanings.flatMap((one) => one.states ?? []);
	const misfits = meanings.flatMap((one) => one.misfits ?? []);
	const heard = live ? [...new Set([...announced.keys(), ...told.map((one) => one.address), ...meanings.flatMap((one) => one.heard ?? [])])] : [];
	return {
		...(announced.size > 0 && { announced: [...announced.values()] }), ...(gone.length > 0 && { gone }), ...(told.length > 0 && { told }),
		...(states.length > 0 && { states }), ...(heard.length > 0 && { heard }), ...(misfits.length > 0 && { misfits }),
	};
}
