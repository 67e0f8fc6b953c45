// Homie 3, 4 and 5: <domain>/<device>/<node>/<property>, with attributes that begin with `$`.
// Source: https://homieiot.github.io/specification/spec-core-v3_0_1/
// Source: https://homieiot.github.io/specification/spec-core-v4_0_0/
// Source: https://homieiot.github.io/specification/ (version 5: <domain>/5/<device>/$description)
//
// A point is named `node/property`. The address is the device's id, with the domain before it where that is not the configured one; `$mac` is an alias.
// `init` says nothing, for the description may be changing; ready → online, sleeping → asleep, lost and disconnected → offline, alert → faulty,
// as is a device of version 5 while any `$alert/…` of its stands. What holds for the root of a tree of version 5 holds for its children.
//
// Above 300 lines: the versions share the table of devices, their states and the way of a value; only how they describe properties differs.

import type { Statement } from "../../core/availability.js";
import type { Point } from "../../core/point.js";
import { numericFromText, type Value } from "../../core/value.js";
import { isNumber, isObject, type Json, type JsonObject } from "../json.js";
import type { Message, OutMessage } from "../link.js";
import { type Meaning, NOTHING } from "../meaning.js";
import type { Convention } from "./convention.js";
import { type Attributes, guessedPoint, pointOf, readAs, written } from "./homie-datatype.js";
import { Draft, out, type Spec, Thing, Things } from "./learned.js";
import { macAddress, Payload } from "./payload.js";
import { unitByName } from "./quantity.js";

/** Nodes, and properties, of one device; the largest known bridges have some hundred. */
const MAX_PARTS = 500;
/** Attributes that do not yet belong to anything, and values without a description, of one device. */
const MAX_ATTRIBUTES = 2_000;
const MAX_ATTRIBUTE = 2_048;
/** What a held value is counted for, most being short. */
const MAX_HELD_COST = 256;
const MAX_ALERTS = 32;
/** Instances of one node array of version 3. */
const MAX_INSTANCES = 64;
/** Other domains than the configured one that are listened to. */
const MAX_DOMAINS = 16;

/** All that is kept of descriptions and of values before their description, in bytes: some thousand devices as large as those in the field. */
const MAX_KEPT = 16_777_216;

/** Version 5 allows `[a-z0-9-]`; what is in the field is not as strict. */
const ID = /^[\w.:-]{1,100}$/;
/** So strict where nothing else says that it is Homie. */
const STRICT_ID = /^(?=.*[a-z])[a-z0-9-]{1,100}$/;
/** Device attributes that are worth a point, with what they are. */
const DEVICE_ATTRIBUTES: ReadonlyMap<string, Point> = new Map<string, Point>([
	...["$name", "$mac", "$localip", "$implementation", "$fw/name", "$fw/version"].map((name) => [name, { kind: "text", access: "r", category: "identity" }] as const),
	["$stats/uptime", { kind: "numeric", access: "r", category: "status", unit: "s" }],
	["$stats/signal", { kind: "numeric", access: "r", category: "status", unit: "%" }],
	["$stats/battery", { kind: "numeric", access: "r", category: "status", unit: "%" }],
	["$stats/cputemp", { kind: "numeric", access: "r", category: "status", unit: "°C" }],
	["$stats/cpuload", { kind: "numeric", access: "r", category: "status", unit: "%" }],
	["$stats/freeheap", { kind: "numeric", access: "r", category: "status", unit: "B" }],
	["$stats/supply", { kind: "numeric", access: "r", category: "status", unit: "V" }],
]);
const STATES: Readonly<Record<string, Statement>> = { ready: "online", sleeping: "asleep", disconnected: "offline", lost: "offline", alert: "faulty" };
const STATE_WORDS: ReadonlySet<string> = new Set(["init", ...Object.keys(STATES)]);

/** A device: what was said of it. It is announced once its state is another than `init` and its description whole. */
class HomieThing extends Thing {
	base = "";
	is5 = false;
	/** `$state`, as it was last said. */
	state = "";
	/** Version 3 and 4: `$nodes`, `led/$properties`, `led/power/$unit` … → text. */
	readonly attributes = new Map<string, string>();
	/** Properties by `node/property`. */
	properties = new Map<string, Point>();
	/** Described: in version 5 by `$description`, before by `$nodes`. */
	described = false;
	announced = false;
	/** Values of properties that are not described yet. */
	readonly held = new Map<string, Message>();
	readonly alerts = new Map<string, string>();
	root: string | undefined;
	/** Bytes counted for it. */
	kept = 0;
	readonly #guessed: boolean;

	constructor(address: string, guessed: boolean) {
		super(address);
		this.#guessed = guessed;
	}

	/** What is described while it says `init` may be half of it. */
	override get withheld(): boolean {
		return !this.announced || (this.state === "init" && !this.#guessed);
	}
}

export class Homie implements Convention {
	readonly name = "homie";
	readonly #domain: string;
	readonly #guess: boolean;
	/** Other domains in which somebody speaks Homie. */
	readonly #domains = new Set<string>();
	readonly #things = new Things((address) => new HomieThing(address, this.#guess));
	/** By the address of their root. */
	readonly #children = new Map<string, Set<HomieThing>>();
	#kept = 0;

	/** @param options `guess`: make a device of a value that nothing describes. For one message alone; in a gateway it would make ghosts of old topics. */
	constructor(options: { readonly domain?: string; readonly guess?: boolean } = {}) {
		this.#domain = options.domain ?? "homie";
		this.#guess = options.guess ?? false;
	}

	/** The own domain, and what tells of others: `$homie` of version 3 and 4, and `$state` of version 5, which names its version in the topic. */
	filters(): readonly string[] {
		return [`${this.#domain}/#`, "+/+/$homie", "+/5/+/$state", "+/5/+/$description", ...[...this.#domains].map((domain) => `${domain}/#`)];
	}

	hear(message: Message): Meaning | undefined {
		const draft = new Draft(message);
		const place = this.#place(message, draft);
		if (!place) return undefined;
		const [domain, is5, id, rest] = place;
		if (id.startsWith("$") || rest.length === 0 || !ID.test(id)) return NOTHING; // $broadcast, and version 3's $stats of the broker
		const known = this.#things.get(domain === this.#domain ? id : `${domain}/${id}`);
		if (!known && message.payload.length === 0) return NOTHING; // what is already gone
		const thing = known ?? this.#things.take(domain === this.#domain ? id : `${domain}/${id}`);
		if (!thing) {
			draft.misfit(message.topic, "Cannot take another device: there are too many");
			return draft.finish();
		}
		thing.is5 ||= is5;
		// A device may be moved to another version: the last one counts for commands.
		if (thing.base === "" || is5 === thing.is5) thing.base = `${domain}/${is5 ? "5/" : ""}${id}`;
		this.#spoken(thing, rest, message, draft);
		return draft.finish();
	}

	command(address: string, point: string, value: Value): readonly OutMessage[] | undefined {
		return this.#things.get(address)?.command(point, value);
	}

	/** Whose topic it is: its domain, whether it is of version 5, the device, and what comes after it. */
	#place(message: Message, draft: Draft): readonly [domain: string, is5: boolean, id: string, rest: readonly string[]] | undefined {
		const { topic } = message;
		const levels = topic.split("/");
		const own = [this.#domain, ...this.#domains].find((domain) => topic.startsWith(`${domain}/`));
		const learned = own ?? this.#learned(levels, draft);
		if (learned === undefined) return undefined;
		const tail = topic.slice(learned.length + 1).split("/");
		if (tail[0] === "5" && tail.length > 2) return [learned, true, tail[1]!, tail.slice(2)];
		return [learned, false, tail[0]!, tail.slice(1)];
	}

	/** A domain that was not known shows itself by an attribute that only Homie has. */
	#learned(levels: readonly string[], draft: Draft): string | undefined {
		const [domain, five, id, last] = levels;
		if (domain === undefined || !ID.test(domain)) return undefined;
		const attribute = levels.length === 3 && levels[2] === "$homie" && five !== undefined && ID.test(five);
		const version5 = five === "5" && id !== undefined && levels.length >= 4 && (last === "$state" || last === "$description" || (this.#guess && levels.length <= 6 && [domain, ...levels.slice(2)].every((level) => level.startsWith("$") || STRICT_ID.test(level))));
		if ((!attribute && !version5) || this.#domains.size >= MAX_DOMAINS) return undefined;
		this.#domains.add(domain);
		draft.filters();
		return domain;
	}

	#spoken(thing: HomieThing, rest: readonly string[], message: Message, draft: Draft): void {
		const payload = new Payload(message);
		const [first, second, third] = rest;
		if (first === "$state" && rest.length === 1) return this.#state(thing, payload, draft);
		if (first === "$description" && thing.is5) return this.#description(thing, payload, draft);
		if (first === "$homie" && payload.empty) return this.#gone(thing, draft);
		if (first === "$alert" && rest.length === 2) return this.#alert(thing, second!, payload, draft);
		if (first!.startsWith("$") && first !== "$nodes") return this.#attribute(thing, rest.join("/"), payload, draft);
		const last = rest.at(-1)!;
		if (first === "$nodes" || (last.startsWith("$") && last !== "$target")) {
			if (!thing.is5) this.#described(thing, rest.join("/"), payload, draft);
			return;
		}
		if (rest.length === 2) return this.#value(thing, `${first}/${second}`, message, payload, draft);
		if (rest.length === 3 && third === "$target") this.#target(thing, `${first}/${second}`, payload, draft);
		// All else is `…/set`, which is said to devices.
	}

	#state(thing: HomieThing, payload: Payload, draft: Draft): void {
		if (payload.empty) return this.#gone(thing, draft);
		const word = payload.text.trim();
		if (!STATE_WORDS.has(word)) return draft.misfit(thing.address, "Cannot use the state: it is none of Homie's");
		thing.state = word;
		if (word !== "lost") draft.hear(thing); // that is said by the broker
		this.#settle(thing, draft);
		this.#judge(thing, draft);
		for (const child of this.#children.get(thing.address) ?? []) if (child !== thing) this.#judge(child, draft);
	}

	/** What holds for a device by all that was said. */
	#judge(thing: HomieThing, draft: Draft): void {
		if (!thing.announced && !this.#guess) return;
		const root = thing.root === undefined ? undefined : this.#things.get(thing.root);
		const above = root && STATES[root.state];
		if (above === "offline" || above === "asleep") return draft.say(thing.address, above, `${root!.address} is ${root!.state}`);
		const own = STATES[thing.state] ?? (this.#guess && thing.state === "init" ? "online" : undefined);
		const alert = thing.alerts.values().next().value;
		if (alert !== undefined && own !== "offline" && own !== "asleep") return draft.say(thing.address, "faulty", alert.slice(0, 200));
		if (own !== undefined) draft.say(thing.address, own, thing.state === "ready" ? undefined : thing.state);
	}

	#alert(thing: HomieThing, id: string, payload: Payload, draft: Draft): void {
		if (payload.empty) thing.alerts.delete(id);
		else if (thing.alerts.size < MAX_ALERTS || thing.alerts.has(id)) thing.alerts.set(id, payload.text.slice(0, MAX_ATTRIBUTE));
		if (!thing.announced && !this.#guess) return;
		draft.tell(thing, `$alert/${id}`, payload.text.slice(0, MAX_ATTRIBUTE), { point: ALERT });
		thing.announced = true;
		this.#judge(thing, draft);
	}

	/** A device is taken back: its state, its description or its version is empty. */
	#gone(thing: HomieThing, draft: Draft): void {
		this.#things.delete(thing.address);
		this.#belong(thing, undefined);
		this.#kept -= thing.kept;
		if (thing.announced) draft.gone(thing.address);
	}

	/** Each has one root at most: there are never more children than things. */
	#belong(thing: HomieThing, root: string | undefined): void {
		const before = thing.root === undefined ? undefined : this.#children.get(thing.root);
		before?.delete(thing);
		if (thing.root !== undefined && before?.size === 0) this.#children.delete(thing.root);
		thing.root = root;
		if (root === undefined) return;
		const children = this.#children.get(root) ?? new Set();
		this.#children.set(root, children.add(thing));
	}

	#attribute(thing: HomieThing, name: string, payload: Payload, draft: Draft): void {
		const text = payload.text.trim();
		const point = DEVICE_ATTRIBUTES.get(name);
		if (payload.empty || !point || text.length > MAX_ATTRIBUTE) return;
		if (name === "$name") thing.know({ name: text });
		if (name === "$implementation") thing.know({ model: text });
		if (name === "$fw/version") thing.know({ firmware: text });
		if (name === "$mac") thing.alias(macAddress(text));
		if (thing.announced || this.#guess) this.#tell(thing, name, text, { point }, draft);
		else this.#hold(thing, name, { kind: "message", topic: "", payload: Buffer.from(text), retained: true });
	}

	#tell(thing: HomieThing, name: string, said: Value, spec: Spec, draft: Draft): void {
		draft.tell(thing, name, said, spec);
		if (this.#guess) thing.announced = true;
	}

	/** One attribute of version 3 or 4: of a node, or of a property. */
	#described(thing: HomieThing, path: string, payload: Payload, draft: Draft): void {
		draft.describes();
		const { attributes } = thing;
		const { text } = payload;
		const size = path.length + text.length;
		const isNew = !attributes.has(path);
		// With each new session a broker tells all again.
		if (!payload.empty && attributes.get(path) === text.trim()) return;
		if (payload.empty) attributes.delete(path);
		else if (text.length > MAX_ATTRIBUTE || (isNew && (attributes.size >= MAX_ATTRIBUTES || !this.#keep(thing, size)))) return draft.misfit(thing.address, `Cannot take the attribute "${path.slice(0, 100)}": it is too long, or there are too many`);
		else attributes.set(path, text.trim());
		const problem = path.endsWith("/$unit") ? pointOf({ datatype: "float", unit: text, settable: false, retained: true }).problem : undefined;
		if (problem !== undefined) draft.misfit(thing.address, `${problem} of "${path.slice(0, -"/$unit".length)}"`);
		if (path === "$nodes") thing.described = !payload.empty;
		this.#settle(thing, draft);
	}

	/** Version 5: everything in one JSON. */
	#description(thing: HomieThing, payload: Payload, draft: Draft): void {
		if (payload.empty) return this.#gone(thing, draft);
		const json = payload.json;
		if (!isObject(json)) return draft.misfit(thing.address, payload.fault ?? "Cannot use a description: it is no JSON object");
		const properties = new Map<string, Point>();
		for (const [node, about] of membersOf(json["nodes"])) {
			for (const [property, attributes] of membersOf(about["properties"])) {
				const name = `${node}/${property}`;
				if (properties.size >= MAX_PARTS) break;
				const { point, problem } = pointOf(attributesOf(attributes));
				if (problem !== undefined) draft.misfit(thing.address, `${problem} of "${name}"`);
				properties.set(name, point);
			}
		}
		thing.properties = properties;
		thing.described = true;
		thing.know({ name: textIn(json["name"]) });
		const root = textIn(json["root"]) ?? textIn(json["parent"]);
		const prefix = thing.address.slice(0, Math.max(0, thing.address.lastIndexOf("/") + 1));
		this.#belong(thing, root === undefined ? undefined : `${prefix}${root}`);
		draft.hear(thing);
		const name = textIn(json["name"]);
		if (this.#guess && name !== undefined) this.#tell(thing, "$name", name, { point: DEVICE_ATTRIBUTES.get("$name")! }, draft);
		this.#settle(thing, draft);
	}

	/** What is described now becomes the device's points, unless the device itself says that it is not done. */
	#settle(thing: HomieThing, draft: Draft): void {
		if (!this.#guess && (!thing.described || thing.state === "" || thing.state === "init")) return;
		if (!thing.is5) {
			const properties = propertiesOf(thing.attributes);
			if (!properties && !this.#guess) return;
			if (properties) thing.properties = properties;
		}
		for (const [name, point] of thing.properties) thing.declare(name, this.#spec(thing, name, point));
		if (thing.described) for (const name of thing.pointNames()) if (!name.includes("$") && !thing.properties.has(name)) thing.drop(name);
		const first = !thing.announced;
		thing.announced = true;
		draft.touch(thing);
		if (first) for (const [id, text] of thing.alerts) draft.tell(thing, `$alert/${id}`, text, { point: ALERT });
		if (first && !this.#guess) this.#judge(thing, draft);
		for (const [name, held] of thing.held) {
			const attribute = DEVICE_ATTRIBUTES.get(name);
			if (!attribute && !thing.properties.has(name)) continue;
			thing.held.delete(name);
			if (attribute) draft.tell(thing, name, new Payload(held).text, { point: attribute });
			// A held value is as old as it was: with a live description it would look new.
			else if (!held.retained || draft.retained) this.#value(thing, name, held, new Payload(held), draft);
		}
	}

	#spec(thing: HomieThing, name: string, point: Point): Spec {
		return { point, send: (value) => out(`${thing.base}/${name}/set`, written(point, value)) };
	}

	#hold(thing: HomieThing, name: string, message: Message): void {
		if (message.payload.length > MAX_HELD_COST || (!thing.held.has(name) && (thing.held.size >= MAX_PARTS || !this.#keep(thing, name.length + MAX_HELD_COST)))) return;
		thing.held.set(name, message);
	}

	/** Is there room for so much more of this device? It is counted until the device is taken back. */
	#keep(thing: HomieThing, size: number): boolean {
		if (this.#kept + size > MAX_KEPT) return false;
		this.#kept += size;
		thing.kept += size;
		return true;
	}

	#value(thing: HomieThing, name: string, message: Message, payload: Payload, draft: Draft): void {
		if (payload.empty) return; // how a broker forgets it
		const point = thing.announced ? thing.entry(name)?.point : undefined;
		if (point) {
			// What is not retained by declaration is an event; an old one is none.
			if (message.retained && point.confirm === "none") return;
			const value = readAs(point, payload.text);
			return draft.tell(thing, name, value ?? payload.text, { point });
		}
		if (!this.#guess) return this.#hold(thing, name, message);
		const text = payload.text;
		const said = text === "true" ? true : text === "false" ? false : numericFromText(text) ?? text;
		this.#tell(thing, name, said, { point: guessedPoint(said, typeof said === "object" ? unitByName(name) : undefined) }, draft);
	}

	/** Version 5: the value that the device is on its way to. */
	#target(thing: HomieThing, name: string, payload: Payload, draft: Draft): void {
		const point = thing.announced ? thing.entry(name)?.point : undefined;
		if (!point || payload.empty) return;
		const { confirm: _, ...rest } = point;
		const target: Point = { ...rest, access: "r", category: "status" };
		draft.tell(thing, `${name}/$target`, readAs(target, payload.text) ?? payload.text, { point: target });
	}
}

const ALERT: Point = { kind: "text", access: "r", category: "status" };

/** Version 3 and 4: the properties of all nodes; nothing while a part of the description is still to come. */
function propertiesOf(attributes: ReadonlyMap<string, string>): Map<string, Point> | undefined {
	const nodes = listOf(attributes.get("$nodes"));
	if (!attributes.has("$nodes")) return undefined;
	const properties = new Map<string, Point>();
	for (const listed of nodes) {
		const isArray = listed.endsWith("[]");
		const node = isArray ? listed.slice(0, -2) : listed;
		const members = attributes.get(`${node}/$properties`);
		if (members === undefined) return undefined;
		for (const property of listOf(members)) {
			const of = (attribute: string): string | undefined => attributes.get(`${node}/${property}/$${attribute}`);
			if (of("datatype") === undefined) return undefined;
			const { point } = pointOf({ name: of("name"), datatype: of("datatype"), format: of("format"), unit: of("unit"), settable: of("settable") === "true", retained: of("retained") !== "false" });
			for (const instance of isArray ? instancesOf(node, attributes.get(`${node}/$array`)) : [node]) if (properties.size < MAX_PARTS) properties.set(`${instance}/${property}`, point);
		}
	}
	return properties;
}

/** Version 3: `lights[]` with the range `0-2` is `lights_0`, `lights_1` and `lights_2`. */
function instancesOf(node: string, range: string | undefined): string[] {
	const [, from, to] = /^(\d{1,6})-(\d{1,6})$/.exec(range ?? "") ?? [];
	if (from === undefined || to === undefined) return [];
	return Array.from({ length: Math.max(0, Math.min(MAX_INSTANCES, Number(to) - Number(from) + 1)) }, (_, at) => `${node}_${Number(from) + at}`);
}

function listOf(text: string | undefined): string[] {
	return (text ?? "").split(",").map((part) => part.trim()).filter((part) => part !== "").slice(0, MAX_PARTS);
}

function membersOf(json: Json | undefined): (readonly [string, JsonObject])[] {
	if (!isObject(json)) return [];
	return Object.entries(json).slice(0, MAX_PARTS).flatMap(([id, about]) => (isObject(about) && ID.test(id) ? [[id, about] as const] : []));
}

function attributesOf(json: JsonObject): Attributes {
	return { name: textIn(json["name"]), datatype: textIn(json["datatype"]), format: textIn(json["format"]), unit: textIn(json["unit"]), settable: json["settable"] === true, retained: json["retained"] !== false };
}

function textIn(json: Json | undefined): string | undefined {
	return isNumber(json) ? json.text : typeof json === "string" ? json.slice(0, MAX_ATTRIBUTE) : undefined;
}
