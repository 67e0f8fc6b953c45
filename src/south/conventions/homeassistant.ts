// Home Assistant MQTT discovery: devices that describe themselves under <prefix>/…/config.
// Source: https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery
//
// Above 300 lines: what is kept of a device, and how its messages find it, is one subject. What a config says
// is in ha-components.ts, ha-light.ts and ha-aspect.ts, its keys in ha-abbreviations.ts, its points' names in ha-names.ts.

import { LATE_AFTER } from "../../core/availability.js";
import type { Announcement } from "../../core/device.js";
import { GatewayError } from "../../core/errors.js";
import { findPoint, type Point, checkValue, isWritable } from "../../core/point.js";
import type { Value } from "../../core/value.js";
import { isArray, isObject, type Json, type JsonObject } from "../json.js";
import type { Message, OutMessage } from "../link.js";
import { type Meaning, type Misfit, NOTHING, type Told } from "../meaning.js";
import type { Convention } from "./convention.js";
import { expandBase, expandDeviceKeys, expandKeys } from "./ha-abbreviations.js";
import { type Aspect, Options, type Read } from "./ha-aspect.js";
import { Misread } from "./ha-codec.js";
import { type AvailabilityRule, type Source, availabilityRule, combined } from "./ha-availability.js";
import { COMPONENTS, isTakenBack } from "./ha-components.js";
import { type Nameable, pointNames } from "./ha-names.js";
import { macAddress, Payload, slug } from "./payload.js";

/** More entities than any house: a sender of endless new configs is a fault. The registry holds half as many devices. */
const MAX_ENTITIES = 20_000;
/** Entities of one device, all of which are named anew with each config; the largest known has some hundred. */
const MAX_PER_DEVICE = 600;
/** Names under which a device is found: its identifiers and connections. Each of its configs could bring others. */
const MAX_IDS = 64;
/** Components of one device config; the largest known has some eighty. */
const MAX_COMPONENTS = 500;

/** What one config message, or one component of it, declared: for those who ask what the gateway made of it. */
export interface EntityFacts {
	readonly component: string;
	readonly device: string;
	readonly unique_id?: string;
	readonly object_id?: string;
	readonly state_topic?: string;
	readonly command_topic?: string;
	/** The names of its points. */
	readonly points: readonly string[];
}

interface Entity extends Nameable {
	readonly options: Options;
	readonly objectId: string;
	readonly rule: AvailabilityRule | undefined;
	readonly every: number | undefined;
}

interface Known {
	readonly address: string;
	/** Every id and normalised connection, lower case. */
	readonly ids: Set<string>;
	readonly aliases: Set<string>;
	/** Names that its entities may carry in front. */
	readonly surnames: Set<string>;
	/** Was it told of? What was not need not be taken back. */
	announced: boolean;
	facts: { readonly name?: string; readonly manufacturer?: string; readonly model?: string; readonly firmware?: string };
	readonly entities: Map<string, Entity>;
	/** The aspect of each point; several where a point is told by several triggers. */
	readonly bound: Map<string, Aspect[]>;
	points: Record<string, Point>;
	/** Topic → what it tells. */
	readers: Map<string, { readonly point: string; readonly read: Read }[]>;
	sources: Map<string, Source>;
	/** What each source last said, by its key; and when, counted. */
	readonly verdicts: Map<string, { readonly up: boolean; readonly at: number }>;
}

/** What names the device of a config. */
interface Owner {
	readonly ids: readonly string[];
	readonly macs: readonly string[];
	readonly surnames: readonly string[];
	readonly facts: Known["facts"];
}

export class HomeAssistant implements Convention {
	readonly name = "homeassistant";
	readonly echoes = true;
	readonly #prefix: string;
	readonly #guess: boolean;
	readonly #byId = new Map<string, Known>();
	/** Config topic → what it said, and the devices and entity keys that it made. */
	readonly #configs = new Map<string, { readonly text: string; readonly made: readonly (readonly [Known, string])[] }>();
	readonly #byTopic = new Map<string, Set<Known>>();
	/** The last word of each availability topic: a device that is found later is not told again. */
	readonly #lastSaid = new Map<string, Payload>();
	#entities = 0;
	#count = 0;

	/** @param options `guess`: an empty config takes back what nobody has seen here. For one message alone. */
	constructor(options: { readonly prefix?: string; readonly guess?: boolean } = {}) {
		this.#prefix = options.prefix ?? "homeassistant";
		this.#guess = options.guess ?? false;
	}

	filters(): readonly string[] {
		return [`${this.#prefix}/+/+/config`, `${this.#prefix}/+/+/+/config`, ...this.#byTopic.keys()];
	}

	/** What was declared and is still there. */
	entities(): EntityFacts[] {
		return [...new Set(this.#byId.values())].flatMap((known) => [...known.entities.values()].map((entity) => factsOf(known, entity)));
	}

	hear(message: Message): Meaning | undefined {
		const place = this.#configPlace(message.topic);
		if (place) return this.#configured(message, place);
		const known = this.#byTopic.get(message.topic);
		if (known) return this.#told(message, known);
		return message.topic === `${this.#prefix}/status` ? NOTHING : undefined;
	}

	command(address: string, point: string, value: Value): readonly OutMessage[] | undefined {
		const known = this.#byId.get(address.toLowerCase());
		if (!known) return undefined;
		const found = findPoint(known.points, point);
		if (!found) throw new GatewayError("unknown-point", `Cannot find "${point}": ${known.address} has ${Object.keys(known.points).join(", ") || "no points"}`);
		const encode = known.bound.get(found[0])?.find((aspect) => aspect.encode)?.encode;
		if (!encode || !isWritable(found[1])) throw new GatewayError("not-writable", `Cannot set "${found[0]}": it is read-only`);
		checkValue(found[0], found[1], value);
		return encode(value);
	}

	/** `<prefix>/<component>/[<node>/]<object>/config`, else nothing. */
	#configPlace(topic: string): { readonly component: string; readonly node: string | undefined; readonly object: string } | undefined {
		if (!topic.startsWith(`${this.#prefix}/`) || !topic.endsWith("/config")) return undefined;
		const levels = topic.slice(this.#prefix.length + 1).split("/");
		if (levels.length < 3 || levels.length > 4) return undefined;
		return { component: levels[0]!, node: levels.length === 4 ? levels[1]! : undefined, object: levels[levels.length - 2]! };
	}

	#configured(message: Message, place: { readonly component: string; readonly node: string | undefined; readonly object: string }): Meaning {
		const { topic } = message;
		const payload = new Payload(message);
		const touched = new Set<Known>();
		const misfits: Misfit[] = [];
		const before = this.#configs.get(topic);
		// With each new session a broker tells all again.
		if (before !== undefined && before.text === payload.text) return NOTHING;
		const formerly = before?.made ?? [];
		let made: readonly (readonly [Known, string])[] = [];
		const misfit = (reason: string, where = topic): void => void misfits.push({ where, reason, sample: payload.sample });
		const json = payload.empty ? undefined : payload.json;
		if (!payload.empty && !isObject(json)) {
			// What cannot be read takes nothing back.
			misfit(payload.fault ?? "Cannot use a config: it is no JSON object");
			return { misfits };
		}
		if (payload.empty && formerly.length === 0 && this.#guess) return { gone: [place.node ?? place.object] };
		for (const [known, key] of formerly) {
			if (known.entities.delete(key)) this.#entities--;
			touched.add(known);
		}
		if (isObject(json)) made = this.#declared(json, topic, place, touched, misfit);
		if (made.length > 0) this.#configs.set(topic, { text: payload.text, made });
		else this.#configs.delete(topic);
		return this.#settled([...touched], misfits);
	}

	/** Take the entities of a config in. */
	#declared(json: JsonObject, topic: string, place: { readonly component: string; readonly node: string | undefined; readonly object: string }, touched: Set<Known>, misfit: (reason: string, where?: string) => void): (readonly [Known, string])[] {
		const config = expandBase(expandKeys(json));
		const owner = ownerOf(config, place.component === "device" ? undefined : place.node, place.object);
		const known = this.#device(owner);
		const made: (readonly [Known, string])[] = [];
		const add = (component: string, object: string, own: Record<string, Json>): void => {
			const kind = COMPONENTS.get(component);
			if (!kind) return misfit(`Cannot use a config: the component "${component.slice(0, 40)}" is not known`, known.address);
			if (this.#entities >= MAX_ENTITIES) return misfit(`Cannot take another entity: there are ${MAX_ENTITIES} already`);
			if (known.entities.size >= MAX_PER_DEVICE) return misfit(`Cannot take another entity of "${known.address}": it has ${MAX_PER_DEVICE} already`, known.address);
			const options = new Options(own);
			const expires = options.number("expire_after");
			const key = `${topic}#${object}`;
			const rule = availabilityRule(options);
			const entity: Entity = {
				component, objectId: object, key, options, rule,
				fallback: kind.name(options), several: kind.several ?? false, aspects: kind.aspects(options),
				ids: [options.text("default_entity_id")?.replace(/^[a-z_]+\./, ""), options.text("object_id"), object, options.text("name")].filter((id) => id !== undefined),
				every: expires !== undefined && expires > 0 ? (expires * 1_000) / LATE_AFTER : undefined,
			};
			for (const reason of options.problems) misfit(`${reason} (${component} ${object})`, known.address);
			known.entities.set(key, entity);
			this.#entities++;
			made.push([known, key]);
		};
		touched.add(known);
		if (place.component !== "device") add(place.component, place.object, config);
		else {
			const components = isObject(config["components"]) ? Object.entries(config["components"]) : [];
			if (components.length === 0) misfit("Cannot use a device config: it has no components", known.address);
			const { components: _, ...shared } = config;
			for (const [id, component] of components.slice(0, MAX_COMPONENTS)) {
				if (!isObject(component) || isTakenBack(component)) continue;
				const own = expandKeys(component);
				const platform = own["platform"];
				if (typeof platform !== "string") misfit(`Cannot use the component "${id}": it has no platform`, known.address);
				else add(platform, id, expandBase(Object.assign<Record<string, Json>, object, object>(Object.create(null), shared, own)));
			}
			if (components.length > MAX_COMPONENTS) misfit(`Cannot use all of a device config: it has more than ${MAX_COMPONENTS} components`, known.address);
		}
		return made;
	}

	/** The device of these ids: the one that has any of them already, else a new one. */
	#device(owner: Owner): Known {
		const ids = [...owner.ids.map((id) => id.toLowerCase()), ...owner.macs];
		const address = owner.ids[0] ?? owner.macs[0]!;
		const found = ids.map((id) => this.#byId.get(id)).find((known) => known !== undefined);
		const known: Known = found ?? { address, ids: new Set(), aliases: new Set(), surnames: new Set(), announced: false, facts: {}, entities: new Map(), bound: new Map(), points: {}, readers: new Map(), sources: new Map(), verdicts: new Map() };
		for (const id of ids) {
			if (this.#byId.has(id) || known.ids.size >= MAX_IDS) continue;
			this.#byId.set(id, known);
			known.ids.add(id);
		}
		for (const id of [...owner.ids, ...owner.macs, ...owner.ids.flatMap(nativeIds)]) if (id.toLowerCase() !== known.address.toLowerCase() && known.aliases.size < MAX_IDS) known.aliases.add(id);
		for (const name of owner.surnames) if (known.surnames.size < MAX_IDS) known.surnames.add(name);
		known.facts = { ...known.facts, ...owner.facts };
		return known;
	}

	/** Name the points of what was touched anew, and say what came of it. */
	#settled(touched: readonly Known[], misfits: readonly Misfit[]): Meaning {
		const announced: Announcement[] = [];
		const gone: string[] = [];
		const states: NonNullable<Meaning["states"]>[number][] = [];
		const dropped = new Set<string>();
		const added = new Set<string>();
		for (const known of touched) {
			this.#unlisten(known, dropped);
			if (known.entities.size === 0) {
				for (const id of known.ids) this.#byId.delete(id);
				if (known.announced) gone.push(known.address);
				continue;
			}
			known.announced = true;
			bind(known);
			this.#listen(known, added);
			announced.push(announcementOf(known));
			const state = this.#judged(known);
			if (state) states.push(state);
		}
		for (const topic of dropped) if (!this.#byTopic.has(topic)) this.#lastSaid.delete(topic);
		const same = dropped.size === added.size && [...dropped].every((topic) => added.has(topic));
		return {
			...(announced.length > 0 && { announced }), ...(gone.length > 0 && { gone }), ...(states.length > 0 && { states }),
			...(misfits.length > 0 && { misfits }), ...(!same && { filters: true as const }),
		};
	}

	#listen(known: Known, added: Set<string>): void {
		for (const topic of topicsOf(known)) {
			const all = this.#byTopic.get(topic);
			if (all) all.add(known);
			else {
				this.#byTopic.set(topic, new Set([known]));
				added.add(topic);
			}
		}
		for (const source of known.sources.values()) {
			const said = this.#lastSaid.get(source.topic);
			if (said && !known.verdicts.has(source.key)) this.#heed(known, source, said);
		}
	}

	#unlisten(known: Known, dropped: Set<string>): void {
		for (const topic of topicsOf(known)) {
			const all = this.#byTopic.get(topic);
			if (!all?.delete(known) || all.size > 0) continue;
			this.#byTopic.delete(topic);
			dropped.add(topic);
		}
	}

	#heed(known: Known, source: Source, payload: Payload): void {
		const up = source.verdict(payload);
		if (up !== undefined) known.verdicts.set(source.key, { up, at: ++this.#count });
	}

	#judged(known: Known): { readonly address: string; readonly state: "online" | "offline"; readonly reason?: string } | undefined {
		const up = combined([...known.entities.values()].map(({ rule }) => rule), known.verdicts);
		if (up === undefined) return undefined;
		return up ? { address: known.address, state: "online" } : { address: known.address, state: "offline", reason: "its availability topic says so" };
	}

	#told(message: Message, devices: ReadonlySet<Known>): Meaning {
		const payload = new Payload(message);
		const told: Told[] = [];
		const heard: string[] = [];
		const misfits: Misfit[] = [];
		const states: NonNullable<Meaning["states"]>[number][] = [];
		for (const known of devices) {
			const { address } = known;
			const readers = known.readers.get(message.topic) ?? [];
			if (readers.length > 0 && !message.retained) heard.push(address);
			for (const { point, read } of readers) {
				if (read.liveOnly && message.retained) continue;
				const value = read.read(payload);
				if (value instanceof Misread) misfits.push({ where: address, reason: `Cannot read "${point}": ${value.reason}`, sample: payload.sample });
				else if (value !== undefined) told.push({ address, point, value });
			}
			const sources = [...known.sources.values()].filter(({ topic }) => topic === message.topic);
			if (sources.length === 0) continue;
			this.#lastSaid.set(message.topic, payload);
			for (const source of sources) this.#heed(known, source, payload);
			const state = this.#judged(known);
			if (state) states.push(state);
		}
		return { ...(told.length > 0 && { told }), ...(states.length > 0 && { states }), ...(heard.length > 0 && { heard }), ...(misfits.length > 0 && { misfits }) };
	}
}

function topicsOf(known: Known): Set<string> {
	return new Set([...known.readers.keys(), ...[...known.sources.values()].map(({ topic }) => topic)]);
}

/** Make points, readers and sources of a device's entities. */
function bind(known: Known): void {
	const names = pointNames(known.entities.values(), { names: [...known.surnames, ...known.ids] });
	known.bound.clear();
	known.points = Object.create(null); // a component may be named `constructor`
	known.readers = new Map();
	known.sources = new Map();
	for (const entity of known.entities.values()) {
		for (const source of entity.rule?.sources ?? []) known.sources.set(source.key, source);
		for (const aspect of entity.aspects) {
			const point = names.get(aspect)!;
			const others = known.bound.get(point);
			if (others) others.push(aspect);
			else known.bound.set(point, [aspect]);
			known.points[point] ??= labelled(aspect, entity, point);
			for (const read of aspect.reads) {
				const readers = known.readers.get(read.topic);
				if (readers) readers.push({ point, read });
				else known.readers.set(read.topic, [{ point, read }]);
			}
		}
	}
	for (const key of known.verdicts.keys()) if (!known.sources.has(key)) known.verdicts.delete(key);
}

/** The entity's name is the label of its main point, where it says more than the point's name. */
function labelled(aspect: Aspect, entity: Entity, point: string): Point {
	const name = entity.options.text("name");
	return aspect.name === "" && name !== undefined && name !== "" && slug(name) !== point ? { ...aspect.point, label: name.slice(0, 100) } : aspect.point;
}

/** What a device is, by the component that says most of it. */
const TYPES = ["climate", "water_heater", "light", "cover", "valve", "lock", "fan", "humidifier", "vacuum", "lawn_mower", "alarm_control_panel", "siren", "switch", "device_tracker", "sensor", "binary_sensor"];

function announcementOf(known: Known): Announcement {
	const components = new Set([...known.entities.values()].map(({ component }) => component));
	const type = TYPES.find((one) => components.has(one));
	const rhythms = [...known.entities.values()].map(({ every }) => every).filter((every) => every !== undefined);
	return {
		address: known.address,
		...(known.aliases.size > 0 && { aliases: [...known.aliases] }),
		...known.facts,
		...(type !== undefined && { type: type === "binary_sensor" ? "sensor" : type }),
		points: { ...known.points },
		...(rhythms.length > 0 && { every: Math.min(...rhythms) }),
	};
}

function factsOf(known: Known, entity: Entity): EntityFacts {
	const { options } = entity;
	const facts: Record<string, string> = {};
	for (const name of ["unique_id", "state_topic", "command_topic"]) {
		const text = options.text(name);
		if (text !== undefined) facts[name] = text;
	}
	return { component: entity.component, device: known.address, object_id: entity.objectId, ...facts, points: [...known.bound].filter(([, aspects]) => aspects.some((aspect) => entity.aspects.includes(aspect))).map(([point]) => point) };
}

/** Whose config it is: its device block, else its node, else the entity itself. */
function ownerOf(config: Readonly<Record<string, Json>>, node: string | undefined, object: string): Owner {
	const block = config["device"];
	const device = isObject(block) ? new Options(expandDeviceKeys(block)) : new Options({});
	const ids = idList(device.raw("identifiers"));
	const macs = connections(device.raw("connections"));
	const named = new Options(config);
	const name = device.text("name");
	const fallback = named.text("unique_id") ?? object;
	const own = ids.length + macs.length > 0 ? ids : [isObject(block) ? (name ?? node ?? fallback) : (node ?? fallback)];
	const shown = { name: name ?? (isObject(block) || node !== undefined ? undefined : named.text("name")), manufacturer: device.text("manufacturer"), model: device.text("model") ?? device.text("model_id"), firmware: device.text("sw_version") };
	return {
		ids: own, macs: [...new Set([...macs, ...own.map(macAddress).filter((mac) => mac !== undefined)])],
		surnames: [name, node].filter((surname) => surname !== undefined),
		facts: Object.fromEntries(Object.entries(shown).filter(([, text]) => text !== undefined && text !== "").map(([fact, text]) => [fact, text?.slice(0, 200)])),
	};
}

/** Identifiers are a word or a list of words; longer ones than 200 characters are none. */
function idList(json: Json | undefined): string[] {
	const all = isArray(json) ? json.slice(0, 16) : json === undefined ? [] : [json];
	return all.map((one) => (isArray(one) ? one.filter((part) => typeof part === "string").join("_") : new Options({ id: one }).text("id") ?? "")).map((id) => id.trim()).filter((id) => id !== "" && id.length <= 200);
}

function connections(json: Json | undefined): string[] {
	if (!isArray(json)) return [];
	const pairs = json.every((one) => typeof one === "string") ? [json] : json.slice(0, 16);
	return pairs.map((pair) => (isArray(pair) && typeof pair[1] === "string" ? (macAddress(pair[1]) ?? pair[1].trim().toLowerCase()) : "")).filter((id) => id !== "" && id.length <= 200);
}

/** The addresses under which other conventions know the device of this identifier. */
function nativeIds(id: string): string[] {
	const zigbee = /^zigbee2mqtt_(.+)$/.exec(id)?.[1];
	return zigbee === undefined ? [] : [zigbee];
}
