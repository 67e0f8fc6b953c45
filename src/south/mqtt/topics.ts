// The `topics:` of an MQTT link: devices of which no convention speaks, as the config file describes them.

import type { Millis } from "../../core/clock.js";
import type { Announcement } from "../../core/device.js";
import { GatewayError, messageOf } from "../../core/errors.js";
import { checkValue, isWritable, type Point } from "../../core/point.js";
import { numericFromText, type Value } from "../../core/value.js";
import type { Convention } from "../conventions/convention.js";
import { asValue, atPath, decodeText, isArray, isObject, type Json, parseJson, scalars } from "../json.js";
import type { Message, OutMessage } from "../link.js";
import type { Meaning, Misfit, Told } from "../meaning.js";
import { type Captures, Template, TopicPattern, widest } from "./pattern.js";
import { isReadable, kindOf, kindOfValue, pointFrom, Setter, type TopicPoint, valueFor } from "./topic-point.js";

/** One entry of `topics:`. */
export interface TopicRule {
	/** Which topics: `sensors/{room}/{id}/state`. */
	readonly match: string;
	/** A template of the device's address: `{room}-{id}`. */
	readonly device: string;
	/** A template of the friendly name. */
	readonly name?: string;
	/**
	 * The points by name. Left out: every scalar of a JSON payload becomes a point, named by its path.
	 * A payload that is one bare value is the point named by the captures that `device` does not use (`home/{room}/{what}` with device `{room}`: by `what`), else the point `value`.
	 */
	readonly points?: Readonly<Record<string, TopicPoint>>;
	/** Where the device, or its last will, says whether it is there. The topic has at least the captures of `device`. */
	readonly availability?: { readonly topic: string; readonly online?: string | number | boolean; readonly offline?: string | number | boolean };
	/** How often the device should be heard from. */
	readonly every?: Millis;
}

/** As many as the registry takes. */
const MAX_DEVICES = 10_000;
const MAX_POINTS = 256;
/** Longest address: a localpart has at most 1023 bytes after escaping. */
const MAX_ADDRESS = 256;
const MAX_SAMPLE = 120;
/** Digits with zeros before them are a code and no number: 0012. */
const CODE = /^\s*[+-]?0\d/;

interface Rule {
	readonly pattern: TopicPattern;
	readonly device: Template;
	readonly name: Template | undefined;
	readonly every: Millis | undefined;
	/** Captures that the device template does not use: they name points. */
	readonly free: readonly string[];
	readonly points: readonly Declared[] | undefined;
	readonly availability: { readonly pattern: TopicPattern; readonly online: string; readonly offline: string } | undefined;
	/** Captures without which the device cannot be described. */
	readonly needs: readonly string[];
}

interface Declared {
	readonly name: string;
	readonly as: TopicPoint;
	readonly setter: Setter | undefined;
}

interface Known {
	readonly address: string;
	/** What the placeholders of each rule stood for. */
	readonly captures: Map<Rule, Captures>;
	readonly points: Map<string, { readonly name: string; readonly point: Point; readonly as: TopicPoint; readonly setter: Setter | undefined; readonly rule: Rule }>;
	announced: boolean;
	/** The last word of the availability topic, which may come before anything else. */
	said: "online" | "offline" | undefined;
}

/** All `topics:` of a link, as one more convention. The first rule that matches takes the message. */
export class TopicRules implements Convention {
	readonly name = "topics";
	readonly #rules: readonly Rule[];
	readonly #known = new Map<string, Known>();

	/** @throws {GatewayError} `bad-config`. */
	constructor(rules: readonly TopicRule[]) {
		this.#rules = rules.map(ruleFrom);
	}

	filters(): string[] {
		return widest(this.#rules.flatMap((rule) => [rule.pattern.filter, ...(rule.availability ? [rule.availability.pattern.filter] : [])]));
	}

	/** Devices of rules without placeholders are known before they speak. */
	announced(): Announcement[] {
		return this.#rules.filter((rule) => rule.pattern.names.length === 0).flatMap((rule) => {
			const known = this.#device(rule.device.text);
			return known ? this.#join(known, rule, {}) ?? announcementOf(known) : [];
		});
	}

	hear(message: Message): Meaning | undefined {
		for (const rule of this.#rules) {
			const said = rule.availability?.pattern.match(message.topic);
			if (said) return this.#availability(rule, said, message);
			const captures = rule.pattern.match(message.topic);
			if (captures) return this.#values(rule, captures, message);
		}
		return undefined;
	}

	command(address: string, point: string, value: Value): readonly OutMessage[] | undefined {
		const known = this.#known.get(address.toLowerCase());
		if (!known) return undefined;
		const found = known.points.get(point.toLowerCase());
		if (!found) throw new GatewayError("unknown-point", `Cannot find "${point}": "${known.address}" has ${[...known.points.values()].map(({ name }) => name).join(", ") || "no points"}`);
		if (!isWritable(found.point) || !found.setter) throw new GatewayError("not-writable", `Cannot set "${found.name}": it is read-only; give it "set:" with a topic and a payload`);
		checkValue(found.name, found.point, value);
		return [found.setter.message(known.captures.get(found.rule) ?? {}, value)];
	}

	#values(rule: Rule, captures: Captures, message: Message): Meaning {
		if (message.payload.length === 0) return {}; // how MQTT clears a retained message
		const known = this.#device(rule.device.fill((name) => captures[name] ?? ""));
		const misfit = (where: string, reason: string, sample?: string): Misfit => ({ where, reason, sample: (sample ?? sampleOf(message.payload)).slice(0, MAX_SAMPLE) });
		if (!known) return { misfits: [misfit(message.topic, `makes a device too many (at most ${MAX_DEVICES}, addresses of at most ${MAX_ADDRESS} characters)`)] };
		let changed = this.#join(known, rule, captures) !== undefined;
		const told: Told[] = [];
		const misfits: Misfit[] = [];
		const tell = (name: string, said: Value, declared: Declared | undefined): void => {
			let entry = known.points.get(name.toLowerCase());
			if (!entry) {
				if (known.points.size >= MAX_POINTS) return void misfits.push(misfit(known.address, `has more than ${MAX_POINTS} points`, name));
				const as = declared?.as ?? {};
				entry = { name, as, point: pointFrom(as, kindOf(as) ?? kindOfValue(said)), setter: declared?.setter, rule };
				known.points.set(name.toLowerCase(), entry);
				changed = true;
			}
			const value = valueFor(entry.point, entry.as, said);
			if ("value" in value) told.push({ address: known.address, point: entry.name, value: value.value });
			else misfits.push(misfit(known.address, `"${entry.name}" ${value.reason}`));
		};
		const payload = payloadOf(message.payload);
		if ("reason" in payload) misfits.push(misfit(known.address, payload.reason));
		else if (rule.points) {
			for (const reason of sayDeclared(rule, rule.points, captures, payload.json, tell)) misfits.push(misfit(known.address, reason));
		} else sayAll(rule, captures, payload.json, tell);
		return {
			...(changed && { announced: [announcementOf(known)] }),
			...(told.length > 0 && { told }),
			...this.#introduce(known),
			...(!message.retained && { heard: [known.address] }),
			...(misfits.length > 0 && { misfits }),
		};
	}

	#availability(rule: Rule, captures: Captures, message: Message): Meaning {
		const availability = rule.availability!;
		const text = decodeText(message.payload)?.trim();
		if (text === "") return {};
		const state = text === availability.online ? "online" : text === availability.offline ? "offline" : undefined;
		const address = rule.device.fill((name) => captures[name] ?? "");
		if (state === undefined) return { misfits: [{ where: address, reason: `availability is neither "${availability.online}" nor "${availability.offline}"`, sample: sampleOf(message.payload) }] };
		const known = this.#device(address);
		if (!known) return {};
		known.said = state;
		if (known.announced) return { states: [{ address: known.address, state }] };
		if (!rule.needs.every((name) => captures[name] !== undefined)) return {};
		this.#join(known, rule, captures);
		return { announced: [announcementOf(known)], ...this.#introduce(known) };
	}

	/** What was said of a device before it was known, when it becomes known. */
	#introduce(known: Known): Pick<Meaning, "states"> {
		if (known.announced) return {};
		known.announced = true;
		return known.said === undefined ? {} : { states: [{ address: known.address, state: known.said }] };
	}

	#device(address: string): Known | undefined {
		const key = address.toLowerCase();
		const before = this.#known.get(key);
		if (before || this.#known.size >= MAX_DEVICES || address.length > MAX_ADDRESS) return before;
		const known: Known = { address, captures: new Map(), points: new Map(), announced: false, said: undefined };
		this.#known.set(key, known);
		return known;
	}

	/** The device is of this rule too: it has its points whose kind is known. @returns Nothing when that is not new. */
	#join(known: Known, rule: Rule, captures: Captures): Announcement | undefined {
		const isNew = !known.captures.has(rule);
		// Another spelling of the same address has other topics: the latest ones are where commands go.
		known.captures.set(rule, captures);
		if (!isNew) return undefined;
		for (const { name, as, setter } of rule.points ?? []) {
			const kind = kindOf(as);
			if (kind !== undefined && !known.points.has(name.toLowerCase())) known.points.set(name.toLowerCase(), { name, as, point: pointFrom(as, kind), setter, rule });
		}
		return announcementOf(known);
	}
}

function announcementOf(known: Known): Announcement {
	const rules = [...known.captures];
	const named = rules.find(([rule]) => rule.name !== undefined);
	const every = rules.find(([rule]) => rule.every !== undefined)?.[0].every;
	return {
		address: known.address,
		...(named && { name: named[0].name!.fill((name) => named[1][name] ?? "") }),
		...(every !== undefined && { every }),
		points: Object.fromEntries([...known.points.values()].map(({ name, point }) => [name, point])),
	};
}

type Tell = (name: string, said: Value, declared: Declared | undefined) => void;

/** No declaration: everything that is a value is told. */
function sayAll(rule: Rule, captures: Captures, json: Json, tell: Tell): void {
	const base = rule.free.map((name) => captures[name]).join(".");
	for (const [path, said] of scalars(json)) {
		const name = [base, path].filter((part) => part !== "").join(path.startsWith("[") ? "" : ".");
		const guessed = typeof said === "string" && path === "" && !CODE.test(said) ? numericFromText(said) : undefined;
		tell(name === "" ? "value" : name, guessed ?? said, undefined);
	}
}

/** What is declared is told, and nothing else. A member that is missing or null tells nothing. @returns Why the payload does not fit. */
function sayDeclared(rule: Rule, points: readonly Declared[], captures: Captures, json: Json, tell: Tell): string[] {
	const base = rule.free.map((name) => captures[name]).join(".").toLowerCase();
	const bare = !isObject(json) && !isArray(json);
	const readable = points.filter(({ as }) => isReadable(as));
	const pathless = readable.filter(({ as }) => as.path === undefined);
	const reasons: string[] = [];
	let fitting = 0;
	for (const declared of readable) {
		const { name, as } = declared;
		let found: Json | undefined;
		if (as.path !== undefined) {
			if (bare && as.path !== "") continue;
			found = atPath(json, as.path);
		} else if (base !== "") {
			const folded = name.toLowerCase();
			if (folded === base) found = json;
			else if (folded.startsWith(`${base}.`)) found = atPath(json, name.slice(base.length + 1));
			else fitting++; // another topic is where this point is told
		} else if (bare) {
			if (pathless.length > 1) continue;
			found = json;
		} else found = atPath(json, name);
		fitting++;
		const said = asValue(found);
		if (said !== undefined) tell(name, said, declared);
		else if (found !== undefined && found !== null) reasons.push(`"${name}" is ${isArray(found) ? "a list" : "an object"}, and no value; give it the path of one`);
	}
	if (reasons.length > 0) return reasons;
	if (fitting > 0 || readable.length === 0 || json === null) return [];
	return [pathless.length > 1 ? "is one bare value for several points; give them paths, or topics of their own" : "is not JSON"];
}

/** The payload as JSON; plain text that is no JSON is a text. */
function payloadOf(payload: Uint8Array): { readonly json: Json } | { readonly reason: string } {
	const text = decodeText(payload);
	if (text === undefined) return { reason: "is not UTF-8 text" };
	try {
		return { json: parseJson(text) };
	} catch (error) {
		return /^\s*[[{]/.test(text) ? { reason: messageOf(error) } : { json: text };
	}
}

function sampleOf(payload: Uint8Array): string {
	return Buffer.from(payload.subarray(0, MAX_SAMPLE)).toString("utf8");
}

function ruleFrom(rule: TopicRule): Rule {
	const pattern = new TopicPattern(rule.match);
	const device = new Template(rule.device, pattern.names);
	if (rule.device.trim() === "") throw new GatewayError("bad-config", `Cannot use topic rule "${rule.match}": its device is empty; give it a template such as "{id}"`);
	const name = rule.name === undefined ? undefined : new Template(rule.name, pattern.names);
	const seen = new Set<string>();
	const points = rule.points && Object.entries(rule.points).map(([point, as]): Declared => {
		if (seen.has(point.toLowerCase())) throw new GatewayError("bad-config", `Cannot use topic rule "${rule.match}": point "${point}" stands in it twice, for case does not count`);
		seen.add(point.toLowerCase());
		if (as.kind === "enum" && (as.labels ?? []).length === 0) throw new GatewayError("bad-config", `Cannot use point "${point}" of topic rule "${rule.match}": an enum needs labels`);
		// Where the device is told on the topic that is listened to, only the command itself would be heard there.
		const isShared = as.set !== undefined && as.set.topic === rule.match && as.confirm === undefined;
		return { name: point, as: isShared ? { ...as, confirm: "none" } : as, setter: as.set && new Setter(as, as.set, pattern.names) };
	});
	return {
		pattern, device, name, points,
		every: rule.every,
		free: pattern.names.filter((capture) => !device.names.includes(capture)),
		availability: rule.availability && availabilityFrom(rule, rule.availability, device),
		needs: [...device.names, ...(name?.names ?? []), ...(points ?? []).flatMap((point) => point.setter?.names ?? [])],
	};
}

function availabilityFrom(rule: TopicRule, availability: NonNullable<TopicRule["availability"]>, device: Template): NonNullable<Rule["availability"]> {
	const pattern = new TopicPattern(availability.topic);
	const missing = device.names.find((name) => !pattern.names.includes(name));
	if (missing !== undefined) throw new GatewayError("bad-config", `Cannot use availability topic "${availability.topic}" of topic rule "${rule.match}": it lacks {${missing}}, without which nobody knows whose it is`);
	return { pattern, online: String(availability.online ?? "online"), offline: String(availability.offline ?? "offline") };
}
