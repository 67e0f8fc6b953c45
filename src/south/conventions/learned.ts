// Devices of which a convention learns by listening: points are announced when they are first seen or described, and anew only when something changed.

import type { Statement } from "../../core/availability.js";
import type { Millis } from "../../core/clock.js";
import type { Announcement } from "../../core/device.js";
import { GatewayError } from "../../core/errors.js";
import { type Category, checkValue, isWritable, type Point } from "../../core/point.js";
import type { Unit } from "../../core/unit.js";
import { isNumeric, numericFromText, textOf, type Value } from "../../core/value.js";
import type { Message, OutMessage } from "../link.js";
import type { Meaning, Misfit, Told } from "../meaning.js";
import { saysNothing } from "./payload.js";

/** As many as one broker of a large site has; the registry takes more from all conventions together. */
const MAX_THINGS = 5_000;
/** The largest in the field, a multi-phase meter that was asked for its whole status, tells some two hundred. */
export const MAX_POINTS = 400;
/** Longest name of a point, address or fact; longer ones are noise. */
export const MAX_NAME = 200;
const MAX_ALIASES = 8;
/** Longest text that is a value; the longest in the field, a JSON of a Homie property, has some thousand characters. */
const MAX_TEXT = 8_192;
/** How much of a payload a misfit shows. */
const MAX_SAMPLE = 120;

/** What a point is, and what makes it take a value. */
export interface Spec {
	readonly point: Point;
	readonly send?: (value: Value) => readonly OutMessage[];
}

export interface Facts {
	readonly name?: string | undefined;
	readonly manufacturer?: string | undefined;
	readonly model?: string | undefined;
	readonly firmware?: string | undefined;
	readonly type?: string | undefined;
	/** How often it should be heard from. */
	readonly every?: Millis | undefined;
}

interface Entry extends Spec {
	readonly name: string;
}

/** One device, as far as it has been heard of. */
export class Thing {
	readonly address: string;
	readonly #points = new Map<string, Entry>();
	readonly #aliases = new Map<string, string>();
	#facts: Facts = {};
	/** Does the last announcement no longer hold? */
	changed = true;

	constructor(address: string) {
		this.address = address;
	}

	/** Is what is known of it still too little to announce? */
	get withheld(): boolean {
		return false;
	}

	/** The point of this name, in whatever case. */
	entry(name: string): Entry | undefined {
		return this.#points.get(name.toLowerCase());
	}

	/** The source describes a point: what was thought of it before is over. @returns Nothing when it is a point too many. */
	declare(name: string, spec: Spec): Entry | undefined {
		const before = this.entry(name);
		if (!before && (this.#points.size >= MAX_POINTS || name === "" || name.length > MAX_NAME)) return undefined;
		const entry: Entry = { ...spec, name: before?.name ?? name };
		this.#points.set(name.toLowerCase(), entry);
		if (!before || JSON.stringify(before.point) !== JSON.stringify(spec.point)) this.changed = true;
		return entry;
	}

	/** A point is seen: it is what it was, or when it is new what `spec` says. */
	see(name: string, spec: Spec): Entry | undefined {
		return this.entry(name) ?? this.declare(name, spec);
	}

	pointNames(): string[] {
		return [...this.#points.values()].map(({ name }) => name);
	}

	drop(name: string): void {
		if (this.#points.delete(name.toLowerCase())) this.changed = true;
	}

	/** Learn facts; what is not said stays as it was. */
	know(facts: Facts): void {
		for (const key of ["name", "manufacturer", "model", "firmware", "type"] as const) {
			const fact = facts[key]?.trim();
			if (fact === undefined || fact === "" || fact.length > MAX_NAME || fact === this.#facts[key]) continue;
			this.#facts = { ...this.#facts, [key]: fact };
			this.changed = true;
		}
		if (facts.every === undefined || facts.every === this.#facts.every) return;
		this.#facts = { ...this.#facts, every: facts.every };
		this.changed = true;
	}

	alias(address: string | undefined): void {
		if (address === undefined || address === "" || address.length > MAX_NAME || this.#aliases.size >= MAX_ALIASES) return;
		const key = address.toLowerCase();
		if (key === this.address.toLowerCase() || this.#aliases.has(key)) return;
		this.#aliases.set(key, address);
		this.changed = true;
	}

	get aliases(): Iterable<string> {
		return this.#aliases.values();
	}

	get announcement(): Announcement {
		const { name, manufacturer, model, firmware, type, every } = this.#facts;
		return {
			address: this.address,
			...(this.#aliases.size > 0 && { aliases: [...this.#aliases.values()] }),
			...(name !== undefined && { name }), ...(manufacturer !== undefined && { manufacturer }), ...(model !== undefined && { model }), ...(firmware !== undefined && { firmware }), ...(type !== undefined && { type }), ...(every !== undefined && { every }),
			points: Object.fromEntries([...this.#points.values()].map(({ name: point, point: as }) => [point, as])),
		};
	}

	/** What makes a point take a value. @throws {GatewayError} `unknown-point`, `not-writable`, `bad-value`. */
	command(point: string, value: Value): readonly OutMessage[] {
		const entry = this.entry(point);
		if (!entry) throw new GatewayError("unknown-point", `Cannot find "${point}": ${this.address} has ${[...this.#points.values()].map(({ name }) => name).join(", ") || "no points"}`);
		if (!isWritable(entry.point) || !entry.send) throw new GatewayError("not-writable", `Cannot set "${entry.name}": it is read-only`);
		checkValue(entry.name, entry.point, value);
		return entry.send(value);
	}
}

/** A bounded table of things, by address. `T` is what a convention keeps of each. */
export class Things<T extends Thing> {
	readonly #byAddress = new Map<string, T>();
	readonly #make: (address: string) => T;

	constructor(make: (address: string) => T) {
		this.#make = make;
	}

	get(address: string): T | undefined {
		return this.#byAddress.get(address.toLowerCase());
	}

	/** The thing of this address, made when it is new. @returns Nothing when it is one too many, or the address is none. */
	take(address: string): T | undefined {
		const before = this.get(address);
		if (before || address === "" || address.length > MAX_NAME || this.#byAddress.size >= MAX_THINGS) return before;
		const made = this.#make(address);
		this.#byAddress.set(address.toLowerCase(), made);
		return made;
	}

	get size(): number {
		return this.#byAddress.size;
	}

	/** The thing of this address, from now on the last one of values(). */
	renew(address: string): T | undefined {
		const thing = this.get(address);
		if (!thing) return undefined;
		this.#byAddress.delete(address.toLowerCase());
		this.#byAddress.set(address.toLowerCase(), thing);
		return thing;
	}

	delete(address: string): boolean {
		return this.#byAddress.delete(address.toLowerCase());
	}

	values(): IterableIterator<T> {
		return this.#byAddress.values();
	}
}

/** What one message means, while it is being found out. */
export class Draft {
	readonly #message: Message;
	readonly #touched = new Set<Thing>();
	readonly #heard = new Set<string>();
	readonly #told: Told[] = [];
	/** By address: the last word counts. */
	readonly #states = new Map<string, NonNullable<Meaning["states"]>[number]>();
	readonly #misfits: Misfit[] = [];
	readonly #gone: string[] = [];
	readonly #send: OutMessage[] = [];
	#filters = false;
	#describes = false;

	constructor(message: Message) {
		this.#message = message;
	}

	get retained(): boolean {
		return this.#message.retained;
	}

	/** The thing was spoken of: it is announced when it changed. */
	touch(thing: Thing): void {
		this.#touched.add(thing);
	}

	/** It spoke itself. */
	hear(thing: Thing): void {
		this.#touched.add(thing);
		if (!this.#message.retained) this.#heard.add(thing.address);
	}

	/** A value of a point, which becomes what `spec` says when it is new. A value that says that there is none tells nothing. */
	tell(thing: Thing, name: string, said: Value, spec: Spec, at?: number): void {
		this.hear(thing);
		if (typeof said === "string" && spec.point.kind !== "text" && saysNothing(said)) return;
		const entry = thing.see(name, spec);
		if (!entry) return this.misfit(thing.address, `Cannot take another point: a device has at most ${MAX_POINTS}, with names of at most ${MAX_NAME} characters`);
		const value = fitting(entry.point, said);
		if (typeof value === "string" && value.length > MAX_TEXT) this.misfit(thing.address, `Cannot take "${entry.name}": a text of more than ${MAX_TEXT} characters`);
		else if (value === undefined) this.misfit(thing.address, `Cannot read "${entry.name}": it is no ${KIND_WORDS[entry.point.kind]}`);
		else this.#told.push({ address: thing.address, point: entry.name, value, ...(at !== undefined && { at }) });
	}

	say(address: string, state: Statement, reason?: string): void {
		this.#states.set(address, { address, state, ...(reason !== undefined && { reason }) });
	}

	gone(address: string): void {
		this.#gone.push(address);
	}

	/** @param reason Without anything that a sender can vary: faults are counted by it, and the payload is their sample. */
	misfit(where: string, reason: string): void {
		this.#misfits.push({ where, reason, sample: new TextDecoder().decode(this.#message.payload.subarray(0, MAX_SAMPLE)) });
	}

	send(topic: string, payload: string): void {
		this.#send.push({ kind: "message", topic, payload });
	}

	filters(): void {
		this.#filters = true;
	}

	/** A part of a description. */
	describes(): void {
		this.#describes = true;
	}

	finish(): Meaning {
		const announced = [...this.#touched].filter((thing) => thing.changed && !thing.withheld);
		for (const thing of announced) thing.changed = false;
		return {
			...(announced.length > 0 && { announced: announced.map((thing) => thing.announcement) }), ...(this.#gone.length > 0 && { gone: this.#gone }),
			...(this.#told.length > 0 && { told: this.#told }), ...(this.#states.size > 0 && { states: [...this.#states.values()] }), ...(this.#heard.size > 0 && { heard: [...this.#heard] }),
			...(this.#misfits.length > 0 && { misfits: this.#misfits }), ...(this.#filters && { filters: true as const }), ...(this.#describes && { describes: true as const }), ...(this.#send.length > 0 && { send: this.#send }),
		};
	}
}

const KIND_WORDS = { numeric: "number", boolean: "truth", enum: "label of it", text: "text" } as const;

const TRUE_WORDS: ReadonlySet<string> = new Set(["true", "on", "1", "yes"]);
const FALSE_WORDS: ReadonlySet<string> = new Set(["false", "off", "0", "no"]);

/** The truth that a word says, in any case: `ON`, `true`, `1` and their opposites. */
export function truthOf(word: string): boolean | undefined {
	const folded = word.trim().toLowerCase();
	return TRUE_WORDS.has(folded) ? true : FALSE_WORDS.has(folded) ? false : undefined;
}

/** What was said as a value of this point; nothing when it is none. */
export function fitting(point: Point, said: Value): Value | undefined {
	switch (point.kind) {
		case "numeric": return isNumeric(said) ? said : typeof said === "string" ? numericFromText(said) : numericFromText(said ? "1" : "0");
		case "boolean": return typeof said === "boolean" ? said : truthOf(textOf(said));
		case "enum": {
			const text = textOf(said);
			return point.labels.find((label) => label === text) ?? point.labels.find((label) => label.toLowerCase() === text.trim().toLowerCase());
		}
		case "text": return textOf(said);
	}
}

/** The read-only point that a value alone shows, with what else is known of it. */
export function pointFor(said: Value, { unit, category, label }: { readonly unit?: Unit | undefined; readonly category?: Category | undefined; readonly label?: string | undefined } = {}): Point {
	const base = { access: "r" as const, ...(category !== undefined && { category }), ...(label !== undefined && { label }) };
	if (isNumeric(said)) return { kind: "numeric", ...base, ...(unit !== undefined && { unit }) };
	return { kind: typeof said === "boolean" ? "boolean" : "text", ...base };
}

/** A message that makes a device do something. */
export function out(topic: string, payload: string): readonly OutMessage[] {
	return [{ kind: "message", topic, payload }];
}
