// Devices that nobody describes: they are what they say. Kept for the conventions of radio sensors and of plain measurement lists.

import type { Announcement } from "../../core/device.js";
import type { Point } from "../../core/point.js";
import { textOf } from "../../core/value.js";
import type { OutMessage } from "../link.js";
import type { Meaning, Misfit, Told } from "../meaning.js";
import { fitting, MAX_NAME, MAX_POINTS, Thing, Things } from "./learned.js";

/** What a message says of its device, besides values. */
export type Facts = Omit<Announcement, "points">;

/** One value of a message, and what sort of point it is of. */
export interface Seen extends Omit<Told, "address"> {
	readonly as: Point;
}

/** Sensors of one link; a radio in a town hears more, which are strangers. */
const MAX_DEVICES = 2_000;
/** How much of a value a misfit shows. */
const MAX_SAMPLE = 120;

/** The devices that one convention has heard. When there are too many, the one that was silent for longest goes. */
export class Observed {
	/** The one heard last at the end. */
	readonly #things = new Things((address) => new Thing(address));
	readonly #byAlias = new Map<string, string>();
	readonly #limit: number;

	constructor(limit = MAX_DEVICES) {
		this.#limit = limit;
	}

	/** Take in what a message says. A device is announced when it is new, and again when a point or a fact of it is. */
	see(facts: Facts, seen: readonly Seen[]): Meaning {
		const thing = this.#things.renew(this.#keyOf(facts.address)) ?? this.#things.take(facts.address);
		if (!thing) return { misfits: [{ where: facts.address.slice(0, MAX_NAME), reason: `Cannot use a device: its address has not 1 to ${MAX_NAME} characters`, sample: "" }] };
		thing.know(facts);
		for (const alias of facts.aliases ?? []) {
			thing.alias(alias);
			if (!this.#things.get(alias)) this.#byAlias.set(alias.toLowerCase(), thing.address);
		}
		const told: Told[] = [];
		const misfits: Misfit[] = [];
		const { address } = thing;
		for (const { as, ...one } of seen) {
			const known = thing.entry(one.point);
			const value = known ? fitting(known.point, one.value) : one.value;
			if (known && value === undefined) {
				misfits.push({ where: address, reason: `Cannot read "${known.name}": it was ${known.point.kind === "numeric" ? "a number" : "on or off"}, and is now another kind of value`, sample: textOf(one.value).slice(0, MAX_SAMPLE) });
				continue;
			}
			// A unit that is said later, or another one.
			const isSame = known && (known.point.kind !== as.kind || unitOf(as) === undefined || unitOf(as) === unitOf(known.point));
			const entry = isSame ? known : thing.declare(one.point, { point: as });
			if (!entry || value === undefined) misfits.push({ where: address, reason: `Cannot take another point: a device has at most ${MAX_POINTS}, with names of at most ${MAX_NAME} characters`, sample: one.point.slice(0, MAX_SAMPLE) });
			else told.push({ ...one, address, point: entry.name, value });
		}
		const announced = thing.changed ? [thing.announcement] : [];
		thing.changed = false;
		const gone = this.#shrink();
		return { ...(announced.length > 0 && { announced }), ...(told.length > 0 && { told }), ...(misfits.length > 0 && { misfits }), ...(gone.length > 0 && { gone }) };
	}

	/** The device of this address or alias. */
	find(address: string): Thing | undefined {
		return this.#things.get(this.#keyOf(address));
	}

	/** For conventions whose devices take no commands. @throws {GatewayError} `unknown-point`, `not-writable`, for a device that is known. */
	refuse(address: string, point: string): readonly OutMessage[] | undefined {
		return this.find(address)?.command(point, false);
	}

	#keyOf(address: string): string {
		return this.#byAlias.get(address.toLowerCase()) ?? address;
	}

	#shrink(): string[] {
		const gone: string[] = [];
		while (this.#things.size > this.#limit) {
			const { address, aliases } = this.#things.values().next().value!;
			this.#things.delete(address);
			for (const alias of aliases) if (this.#byAlias.get(alias.toLowerCase()) === address) this.#byAlias.delete(alias.toLowerCase());
			gone.push(address);
		}
		return gone;
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
