// Zigbee2MQTT: <base>/bridge/devices says which devices there are, <base>/<friendly name> what they say.
// Source: https://www.zigbee2mqtt.io/guide/usage/mqtt_topics_and_messages.html
//
// The address of a device is its IEEE address; `<base>/<friendly name>` is an alias, for a bare name could be another dialect's too.
//
// Above 300 lines: devices and groups share one table of names, and each of the eight kinds of topic is a few lines.

import type { Announcement } from "../../core/device.js";
import { GatewayError } from "../../core/errors.js";
import { checkValue, findPoint, isWritable, type Point } from "../../core/point.js";
import type { Value } from "../../core/value.js";
import { isArray, isNumber, isObject, type Json, type JsonObject } from "../json.js";
import type { Message, OutMessage } from "../link.js";
import { type Meaning, type Misfit, NOTHING, type Told } from "../meaning.js";
import type { Convention } from "./convention.js";
import { jsonText, Payload } from "./payload.js";
import { exposed, type Property } from "./zigbee2mqtt-exposes.js";
import { guessedExposes } from "./zigbee2mqtt-guess.js";

/** A Zigbee network has some hundred devices, and no adapter carries a thousand. */
const MAX_DEVICES = 2_000;
/** States that came before the list that names their devices: the retained ones of a whole house, at most once. */
const MAX_HELD = 500;
const MAX_HELD_BYTES = 8_192;

interface Thing {
	readonly address: string;
	readonly isGroup: boolean;
	readonly name: string;
	readonly announcement: Announcement;
	readonly properties: ReadonlyMap<string, Property>;
	/** What its availability topic last said. */
	said: "online" | "offline" | undefined;
	/** What the members of its composites last were: they are told together. */
	readonly parts: Map<string, Json>;
}

export class Zigbee2Mqtt implements Convention {
	readonly name = "zigbee2mqtt";
	readonly #base: string;
	readonly #guess: boolean;
	#things = new Map<string, Thing>();
	#byName = new Map<string, Thing>();
	#groups: readonly JsonObject[] = [];
	#bridge: "online" | "offline" | undefined;
	readonly #held = new Map<string, Message>();

	/** @param options `guess`: make a device of a state that no list has named, with what such states usually mean. For one message alone; in a gateway it would make ghosts of old topics. */
	constructor(options: { readonly base?: string; readonly guess?: boolean } = {}) {
		this.#base = options.base ?? "zigbee2mqtt";
		this.#guess = options.guess ?? false;
	}

	/** All of it: friendly names may have any number of levels. What is no device's is dropped by its topic alone. */
	filters(): readonly string[] {
		return [`${this.#base}/#`];
	}

	hear(message: Message): Meaning | undefined {
		if (!message.topic.startsWith(`${this.#base}/`)) return undefined;
		const rest = message.topic.slice(this.#base.length + 1);
		if (rest.startsWith("bridge/")) {
			switch (rest) {
				case "bridge/devices": return this.#devices(message);
				case "bridge/groups": return this.#groupList(message);
				case "bridge/state": return this.#bridgeState(message);
				default: return NOTHING;
			}
		}
		if (/\/(?:set|get)(?:\/[^/]+)?$/.test(rest) && !this.#byName.has(rest)) return NOTHING;
		return this.#spoken(rest, message) ?? (this.#guess ? this.#guessed(rest, message) : this.#hold(rest, message));
	}

	command(address: string, point: string, value: Value): readonly OutMessage[] | undefined {
		const thing = this.#things.get(address.toLowerCase()) ?? (address.startsWith(`${this.#base}/`) ? this.#byName.get(address.slice(this.#base.length + 1)) : undefined);
		if (!thing) return undefined;
		const found = findPoint(thing.announcement.points, point);
		const property = found && thing.properties.get(found[0]);
		if (!found || !property) throw new GatewayError("unknown-point", `Cannot find "${point}": ${thing.name} has ${Object.keys(thing.announcement.points).join(", ") || "no points"}`);
		if (!isWritable(found[1])) throw new GatewayError("not-writable", `Cannot set "${found[0]}": it is read-only`);
		checkValue(found[0], found[1], value);
		const topic = `${this.#base}/${thing.name}`;
		const messages: OutMessage[] = [{ kind: "message", topic: `${topic}/set`, payload: jsonText(this.#wish(thing, property, property.write(value))) }];
		if (property.onRequest) messages.push({ kind: "message", topic: `${topic}/get`, payload: jsonText(nested(property.path, "")) });
		return messages;
	}

	/** What is sent for a property: a composite goes whole, with what its other members last were. */
	#wish(thing: Thing, property: Property, json: Json): Json {
		if (property.path.length < 2) return nested(property.path, json);
		const parent = property.path.slice(0, -1);
		const members: Record<string, Json> = Object.create(null);
		for (const [name, sibling] of thing.properties) {
			const known = thing.parts.get(name);
			const isSibling = sibling.path.length === property.path.length && parent.every((key, at) => sibling.path[at] === key);
			// A colour is told as x and y or as hue and saturation, not as both.
			if (isSibling && known !== undefined && isWritable(sibling.point) && alike(sibling, property)) members[sibling.path.at(-1)!] = known;
		}
		members[property.path.at(-1)!] = json;
		return nested(parent, members);
	}

	#devices(message: Message): Meaning {
		const payload = new Payload(message);
		const list = payload.json;
		if (!isArray(list)) return { misfits: [{ where: message.topic, reason: payload.fault ?? "Cannot use the device list: it is no list", sample: payload.sample }] };
		const misfits: Misfit[] = [];
		const things: Thing[] = [];
		for (const entry of list) {
			if (!isObject(entry) || entry["type"] === "Coordinator") continue;
			const address = entry["ieee_address"];
			if (typeof address !== "string" || address === "" || address.length > 100) continue;
			if (things.length >= MAX_DEVICES) {
				misfits.push({ where: message.topic, reason: `Cannot take all devices: there are more than ${MAX_DEVICES}`, sample: payload.sample });
				break;
			}
			things.push(this.#device(entry, address, misfits));
		}
		return this.#settle([...things, ...this.#groupThings(things)], message, misfits);
	}

	#device(entry: JsonObject, address: string, misfits: Misfit[]): Thing {
		const definition = isObject(entry["definition"]) ? entry["definition"] : undefined;
		const { properties, type, problems } = exposed(definition?.["exposes"]);
		const name = wordOf(entry["friendly_name"]) ?? address;
		for (const reason of problems) misfits.push({ where: address, reason, sample: name });
		const facts = {
			manufacturer: wordOf(definition?.["vendor"]) ?? wordOf(entry["manufacturer"]),
			model: wordOf(definition?.["model"]) ?? wordOf(entry["model_id"]),
			firmware: wordOf(entry["software_build_id"]),
		};
		const announcement: Announcement = { address, ...(name !== address && { name, aliases: [`${this.#base}/${name}`] }), ...present(facts), type, points: pointsOf(properties) };
		return this.#kept({ address, isGroup: false, name, announcement, properties, said: undefined, parts: new Map() });
	}

	#groupList(message: Message): Meaning {
		const payload = new Payload(message);
		const list = payload.json;
		if (!isArray(list)) return { misfits: [{ where: message.topic, reason: payload.fault ?? "Cannot use the group list: it is no list", sample: payload.sample }] };
		this.#groups = list.filter((entry) => isObject(entry)).slice(0, MAX_DEVICES);
		const devices = [...this.#things.values()].filter(({ isGroup }) => !isGroup);
		return this.#settle([...devices, ...this.#groupThings(devices)], message, []);
	}

	/** Groups as devices: they have what their members are (lights, covers …), not what those measure. */
	#groupThings(devices: readonly Thing[]): Thing[] {
		const byAddress = new Map(devices.map((thing) => [thing.address.toLowerCase(), thing]));
		return this.#groups.flatMap((entry) => {
			const id = isNumber(entry["id"]) ? entry["id"].text : undefined;
			const name = wordOf(entry["friendly_name"]);
			if (id === undefined || name === undefined) return [];
			const properties = new Map<string, Property>();
			let type: string | undefined;
			for (const member of isArray(entry["members"]) ? entry["members"] : []) {
				const address = isObject(member) ? member["ieee_address"] : undefined;
				const device = typeof address === "string" ? byAddress.get(address.toLowerCase()) : undefined;
				if (!device) continue;
				type ??= device.announcement.type;
				for (const [point, property] of device.properties) if (property.shared && !properties.has(point)) properties.set(point, property);
			}
			const address = `group_${id}`;
			const announcement: Announcement = { address, name, aliases: [`${this.#base}/${name}`], model: "Group", ...(type !== undefined && { type }), points: pointsOf(properties) };
			return [this.#kept({ address, isGroup: true, name, announcement, properties, said: undefined, parts: new Map() })];
		});
	}

	/** A thing that was known before keeps what was said of it. */
	#kept(thing: Thing): Thing {
		const before = this.#things.get(thing.address.toLowerCase());
		return before ? { ...thing, said: before.said, parts: before.parts } : thing;
	}

	/** The list has changed: who is new or another, and who is gone. */
	#settle(things: readonly Thing[], message: Message, misfits: Misfit[]): Meaning {
		const before = this.#things;
		this.#things = new Map(things.map((thing) => [thing.address.toLowerCase(), thing]));
		this.#byName = new Map();
		for (const thing of [...this.#things.values()].reverse()) {
			// Devices before groups, and a name before the address of another.
			this.#byName.set(thing.name, thing);
		}
		for (const thing of this.#things.values()) if (!this.#byName.has(thing.address)) this.#byName.set(thing.address, thing);
		const changed = [...this.#things].filter(([key, thing]) => !isSame(before.get(key)?.announcement, thing.announcement)).map(([, thing]) => thing);
		const gone = [...before].filter(([key]) => !this.#things.has(key)).map(([, { address }]) => address);
		const told: Told[] = [];
		const states = this.#bridge === "offline" ? changed.map((thing) => this.#stateOf(thing)) : [];
		for (const [rest, held] of this.#held) {
			// A held value is as old as it was: with a live list it would look new.
			const meaning = held.retained && !message.retained ? undefined : this.#spoken(rest, held);
			if (this.#resolves(rest)) this.#held.delete(rest);
			told.push(...(meaning?.told ?? []));
			states.push(...(meaning?.states ?? []));
			misfits.push(...(meaning?.misfits ?? []));
		}
		return {
			...(changed.length > 0 && { announced: changed.map(({ announcement }) => announcement) }), ...(gone.length > 0 && { gone }),
			...(told.length > 0 && { told }), ...(states.length > 0 && { states }), ...(misfits.length > 0 && { misfits }),
		};
	}

	#bridgeState(message: Message): Meaning {
		const state = stateWord(new Payload(message));
		if (state === undefined) return NOTHING;
		const returned = this.#bridge === "offline" && state === "online";
		const known = [...this.#things.values()];
		this.#bridge = state;
		if (this.#guess && known.length === 0) return { states: [{ address: "bridge", state }] };
		if (state === "offline" || returned) return known.length === 0 ? NOTHING : { states: known.map((thing) => this.#stateOf(thing)) };
		return NOTHING;
	}

	/** What holds for a thing: nothing is there while the bridge is not. */
	#stateOf(thing: Thing): NonNullable<Meaning["states"]>[number] {
		if (this.#bridge === "offline") return { address: thing.address, state: "offline", reason: "the bridge is offline" };
		return thing.said === "offline" ? { address: thing.address, state: "offline", reason: "Zigbee2MQTT cannot reach it" } : { address: thing.address, state: "online" };
	}

	/** What a device's own topic says; nothing for a topic of nobody. */
	#spoken(rest: string, message: Message): Meaning | undefined {
		const thing = this.#byName.get(rest);
		if (thing) return this.#state(thing, message);
		const cut = rest.lastIndexOf("/");
		const owner = cut < 0 ? undefined : this.#byName.get(rest.slice(0, cut));
		if (!owner) return undefined;
		const last = rest.slice(cut + 1);
		return last === "availability" ? this.#availability(owner, message) : this.#attribute(owner, last, message);
	}

	#resolves(rest: string): boolean {
		return this.#byName.has(rest) || this.#byName.has(rest.slice(0, Math.max(0, rest.lastIndexOf("/"))));
	}

	/** A topic of a device that no list has named yet waits for the list. */
	#hold(rest: string, message: Message): Meaning {
		if (message.payload.length > 0 && message.payload.length <= MAX_HELD_BYTES) {
			this.#held.delete(rest);
			this.#held.set(rest, message);
			if (this.#held.size > MAX_HELD) this.#held.delete(this.#held.keys().next().value!);
		}
		return NOTHING;
	}

	#guessed(rest: string, message: Message): Meaning {
		const { json, text } = new Payload(message);
		const cut = rest.lastIndexOf("/");
		const isState = isObject(json);
		if ((!isState && cut < 0) || this.#things.size >= MAX_DEVICES) return NOTHING;
		const name = isState && !rest.endsWith("/availability") ? rest : rest.slice(0, cut);
		const last = rest.slice(cut + 1);
		const state = name === rest && isState ? json : last === "availability" ? {} : { [last]: json ?? text };
		const { properties, type } = exposed(guessedExposes(state));
		const thing: Thing = { address: name, isGroup: false, name, announcement: { address: name, type, points: pointsOf(properties) }, properties, said: undefined, parts: new Map() };
		this.#things.set(name.toLowerCase(), thing);
		this.#byName.set(name, thing);
		const meaning = this.#spoken(rest, message) ?? NOTHING;
		// It stays a guess: the next message may show more of it.
		this.#byName.delete(name);
		return { announced: [thing.announcement], ...meaning };
	}

	#availability(thing: Thing, message: Message): Meaning {
		const state = stateWord(new Payload(message));
		if (state === undefined) return NOTHING;
		thing.said = state;
		return { states: [this.#stateOf(thing)] };
	}

	#state(thing: Thing, message: Message): Meaning {
		const payload = new Payload(message);
		if (payload.empty) return NOTHING; // a retained state that was taken back: the old topic of a renamed device
		const json = payload.json;
		if (!isObject(json)) return { misfits: [{ where: thing.address, reason: payload.fault ?? "Cannot read the state: it is no object", sample: payload.sample }] };
		const at = timeOf(json["last_seen"]);
		const told: Told[] = [];
		const misfits: Misfit[] = [];
		for (const [point, property] of thing.properties) {
			const found = inside(json, property.path);
			if (found === undefined || (property.event && message.retained)) continue;
			if (property.path.length > 1 && found !== null) thing.parts.set(point, found);
			this.#take(thing, point, property, found, at, payload, told, misfits);
		}
		return this.#meaning(thing, message, told, misfits);
	}

	/** Output mode "attribute": a topic for each property, `color-x` for what is nested. */
	#attribute(thing: Thing, last: string, message: Message): Meaning {
		const found = [...thing.properties].find(([, { path }]) => path.join("-") === last);
		if (!found || (found[1].event && message.retained)) return NOTHING;
		const payload = new Payload(message);
		const told: Told[] = [];
		const misfits: Misfit[] = [];
		const [point, property] = found;
		if (!payload.empty) this.#take(thing, point, property, payload.text, undefined, payload, told, misfits);
		return this.#meaning(thing, message, told, misfits);
	}

	#take(thing: Thing, point: string, property: Property, json: Json, at: number | undefined, payload: Payload, told: Told[], misfits: Misfit[]): void {
		const value = property.read(json);
		if (value === undefined || (property.event && value === "")) return;
		if (typeof value === "object" && "misfit" in value) misfits.push({ where: thing.address, reason: `Cannot read "${point}": ${value.misfit}`, sample: payload.sample });
		else told.push({ address: thing.address, point, value, ...(at !== undefined && { at }) });
	}

	#meaning(thing: Thing, message: Message, told: readonly Told[], misfits: readonly Misfit[]): Meaning {
		return { ...(told.length > 0 && { told }), ...(misfits.length > 0 && { misfits }), ...(!message.retained && { heard: [thing.address] }) };
	}
}

function wordOf(json: Json | undefined): string | undefined {
	return typeof json === "string" && json.trim() !== "" ? json.slice(0, 200) : undefined;
}

function present<F extends Readonly<Record<string, string | undefined>>>(facts: F): { readonly [key in keyof F]?: string } {
	const found: { [key in keyof F]?: string } = {};
	for (const key in facts) if (facts[key] !== undefined) found[key] = facts[key];
	return found;
}

function pointsOf(properties: ReadonlyMap<string, Property>): Record<string, Point> {
	return Object.fromEntries([...properties].map(([name, { point }]) => [name, point]));
}

function isSame(a: Announcement | undefined, b: Announcement): boolean {
	return a !== undefined && JSON.stringify(a) === JSON.stringify(b);
}

/** `online`, or `{"state":"online"}`. */
function stateWord(payload: Payload): "online" | "offline" | undefined {
	const json = payload.json;
	const word = isObject(json) ? json["state"] : payload.text.trim();
	return word === "online" || word === "offline" ? word : undefined;
}

function inside(json: Json, path: readonly string[]): Json | undefined {
	let found: Json | undefined = json;
	for (const key of path) found = isObject(found) ? found[key] : undefined;
	return found;
}

function nested(path: readonly string[], json: Json): Json {
	return path.reduceRight<Json>((value, key) => Object.assign<Record<string, Json>, Record<string, Json>>(Object.create(null), { [key]: value }), json);
}

const COLOR_PAIRS = [["x", "y"], ["hue", "saturation"], ["h", "s"], ["r", "g", "b"]];

/** May the two members of a composite be told together? */
function alike(a: Property, b: Property): boolean {
	const [left, right] = [a.path.at(-1)!, b.path.at(-1)!];
	const pair = COLOR_PAIRS.find((names) => names.includes(right));
	return a.path[0] !== "color" || pair === undefined || pair.includes(left);
}

const EARLIEST = Date.UTC(2015, 0, 1);
const LATEST = Date.UTC(2100, 0, 1);

/** `last_seen`: ISO 8601 with its offset, or milliseconds, by a setting of the bridge. A local time without offset is none. */
function timeOf(json: Json | undefined): number | undefined {
	const time = isNumber(json) ? json.number : typeof json === "string" && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:?\d\d)$/.test(json) ? Date.parse(json) : NaN;
	return time >= EARLIEST && time < LATEST ? time : undefined;
}
