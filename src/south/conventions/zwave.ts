// Z-Wave JS UI: <prefix>/[<location>/]<node>/<class>/endpoint_<n>/<property>[/<key>] says a value, <node>/status whether the node is there.
// Source: https://zwave-js.github.io/zwave-js-ui/#/usage/setup?id=gateway and /guide/mqtt
//
// The address of a node is `zwave/` and its topic: the node number counts within one network only, and a bare name could be another dialect's.

import type { Category, Point } from "../../core/point.js";
import { type Unit, unitFrom } from "../../core/unit.js";
import { isNumeric, type Value } from "../../core/value.js";
import { asValue, isArray, isNumber, isObject, type Json, type JsonObject, scalars } from "../json.js";
import type { Message, OutMessage } from "../link.js";
import { type Meaning, NOTHING } from "../meaning.js";
import type { Convention } from "./convention.js";
import { Draft, out, pointFor, type Spec, Thing, Things, truthOf } from "./learned.js";
import { Payload, valueJson } from "./payload.js";
import { plausible } from "./times.js";
import { CLASS_NAMES, CLASS_NUMBERS, isWritableValue, unitOfValue } from "./zwave-classes.js";

/** A node with more values than that is no node. */
const MAX_HINTS = 400;

/** What a value is, as its whole description says it. */
interface Hint {
	readonly unit?: Unit;
	readonly label?: string;
	readonly min?: number;
	readonly max?: number;
	readonly writable: boolean;
}

class Node extends Thing {
	/** By class number, endpoint, property and key. */
	readonly hints = new Map<string, Hint>();
	/** Did its status topic say that it is gone? */
	dead = false;
}

/** Where a value topic points: what comes before is the node. */
interface Place {
	readonly node: string;
	readonly cls: number;
	readonly endpoint: string;
	/** Property and key, as the topic has them. */
	readonly path: readonly string[];
	/** The class and the endpoint as the topic has them. */
	readonly head: string;
}

export class ZWave implements Convention {
	readonly name = "zwave";
	readonly #prefix: string;
	readonly #nodes = new Things((address) => new Node(address));

	constructor(options: { readonly prefix?: string } = {}) {
		this.#prefix = options.prefix ?? "zwave";
	}

	filters(): readonly string[] {
		return [`${this.#prefix}/#`];
	}

	hear(message: Message): Meaning | undefined {
		if (!message.topic.startsWith(`${this.#prefix}/`)) return undefined;
		const levels = message.topic.slice(this.#prefix.length + 1).split("/");
		if (levels[0] === "_CLIENTS") return this.#gateway(levels, message);
		if (levels[0] === "_EVENTS" || levels.at(-1) === "set") return NOTHING;
		const draft = new Draft(message);
		const place = placeOf(levels);
		const node = this.#nodes.take(`zwave/${place?.node ?? levels.slice(0, -1).join("/")}`);
		if (!node || (!place && levels.length < 2)) return NOTHING;
		const payload = new Payload(message);
		if (payload.empty) return NOTHING;
		if (place) this.#value(draft, node, place, levels, payload);
		else {
			switch (levels.at(-1)) {
				case "status": this.#status(draft, node, payload); break;
				case "nodeinfo": this.#info(draft, node, payload); break;
				case "lastActive": draft.hear(node); break;
				default: return NOTHING;
			}
		}
		return draft.finish();
	}

	command(address: string, point: string, value: Value): readonly OutMessage[] | undefined {
		return this.#nodes.get(address)?.command(point, value);
	}

	/** `_CLIENTS/ZWAVE_GATEWAY-<name>/status`: while the gateway is gone nothing is heard of its nodes. */
	#gateway(levels: readonly string[], message: Message): Meaning {
		if (levels.length !== 3 || levels[2] !== "status" || !levels[1]!.startsWith("ZWAVE_GATEWAY-")) return NOTHING;
		const { value } = bodyOf(new Payload(message));
		if (typeof value !== "boolean") return NOTHING;
		const draft = new Draft(message);
		const gateway = this.#nodes.take(`zwave/${levels[1]}`);
		if (gateway) {
			gateway.know({ type: "gateway" });
			draft.touch(gateway);
			draft.say(gateway.address, value ? "online" : "offline");
		}
		for (const node of this.#nodes.values()) {
			if (node === gateway) continue;
			if (!value) draft.say(node.address, "offline", "the Z-Wave gateway is offline");
			else if (!node.dead) draft.say(node.address, "online");
		}
		return draft.finish();
	}

	#value(draft: Draft, node: Node, place: Place, levels: readonly string[], payload: Payload): void {
		const { value, at, whole } = bodyOf(payload);
		if (whole) hint(node, whole);
		draft.hear(node);
		const name = [place.head, ...place.path].join("/");
		const topic = `${this.#prefix}/${levels.join("/")}`;
		const tell = (point: string, said: Value, target: string): void => {
			const spec = specOf(node, place, said, target);
			if (whole && node.entry(point)) node.declare(point, spec);
			draft.tell(node, point, said, spec, at);
		};
		const scalar = asValue(value);
		if (scalar !== undefined) tell(name, scalar, topic);
		// A duration or a colour: its members are what is measured, and it is set as a whole, which is not offered.
		else if (value !== undefined && value !== null) for (const [path, part] of scalars(value)) if (path !== "") tell(`${name}.${path}`, part, "");
	}

	/** `true`, `false`, or `{"value":true,"status":"Asleep"}`. A node that sleeps is there. */
	#status(draft: Draft, node: Node, payload: Payload): void {
		const json = payload.json;
		const { value, at } = bodyOf(payload);
		const word = isObject(json) && typeof json["status"] === "string" ? json["status"] : undefined;
		const up = typeof value === "boolean" ? value : typeof value === "string" ? truthOf(value) : undefined;
		draft.touch(node);
		if (word !== undefined) draft.tell(node, "status", word, { point: { kind: "text", access: "r", category: "status" } }, at);
		this.#stand(draft, node, word, up);
	}

	#stand(draft: Draft, node: Node, word: string | undefined, up: boolean | undefined): void {
		const folded = word?.toLowerCase();
		if (folded === "asleep" && up !== false) draft.say(node.address, "asleep");
		else if (up === false || folded === "dead") draft.say(node.address, "offline", "Z-Wave JS cannot reach it");
		else if (up === true || folded === "alive" || folded === "awake") draft.say(node.address, "online");
		else return;
		node.dead = up === false || folded === "dead";
	}

	#info(draft: Draft, node: Node, payload: Payload): void {
		const json = payload.json;
		if (!isObject(json)) return draft.misfit(node.address, payload.fault ?? "Cannot read the node info: it is no object");
		const text = (key: string): string | undefined => (typeof json[key] === "string" ? json[key] : undefined);
		draft.hear(node);
		node.know({ name: text("name"), manufacturer: text("manufacturer"), model: text("productLabel") ?? text("productDescription"), firmware: text("firmwareVersion") });
		for (const key of ["id", "manufacturer", "productLabel", "productDescription", "firmwareVersion"]) {
			const value = asValue(json[key]);
			if (value !== undefined && value !== "") draft.tell(node, key, value, { point: pointFor(value, { category: "identity" }) });
		}
		const status = text("status");
		if (status !== undefined) draft.tell(node, "status", status, { point: { kind: "text", access: "r", category: "status" } });
		const values = isArray(json["values"]) ? json["values"] : isObject(json["values"]) ? Object.values(json["values"]) : [];
		for (const one of values) if (isObject(one)) hint(node, one);
		for (const one of values) if (isObject(one)) this.#redeclare(node, one);
		const available = json["available"];
		this.#stand(draft, node, status, typeof available === "boolean" ? available : undefined);
	}

	/** What was seen before it was described is described now. */
	#redeclare(node: Node, one: JsonObject): void {
		const key = keyOfValue(one);
		const found = key === undefined ? undefined : node.hints.get(key);
		if (!found || key === undefined) return;
		const [cls, endpoint, ...path] = key.split("/");
		for (const head of [`${CLASS_NAMES.get(Number(cls)) ?? cls}/${endpoint}`, `${cls}/${endpoint}`]) {
			const entry = node.entry([head, ...path].join("/"));
			if (entry) node.declare(entry.name, { ...entry, point: described(entry.point, found) });
		}
	}
}

/** The place of a value topic, named (`switch_binary/endpoint_0/currentValue`) or by numbers (`37/0/currentValue`). */
function placeOf(levels: readonly string[]): Place | undefined {
	for (let at = 1; at + 2 < levels.length; at++) {
		const [cls, end] = [levels[at]!, levels[at + 1]!];
		const number = CLASS_NUMBERS.get(cls) ?? (/^\d{1,3}$/.test(cls) ? Number(cls) : undefined);
		const endpoint = /^(?:endpoint_)?(\d{1,3})$/.exec(end)?.[1];
		if (number === undefined || endpoint === undefined || !CLASS_NAMES.has(number)) continue;
		return { node: levels.slice(0, at).join("/"), cls: number, endpoint, path: levels.slice(at + 2), head: `${cls}/${endpoint}` };
	}
	return undefined;
}

/** The three forms of a payload: `{"time":…,"value":…}`, the whole description with `value`, or the bare value. */
function bodyOf(payload: Payload): { readonly value: Json | undefined; readonly at?: number; readonly whole?: JsonObject } {
	const json = payload.json;
	if (json === undefined) return { value: payload.text };
	if (!isObject(json) || !("value" in json)) return { value: json };
	const stamp = json["time"] ?? json["lastUpdate"];
	const at = isNumber(stamp) ? plausible(stamp.number) : undefined;
	return { value: json["value"], ...(at !== undefined && { at }), ...("commandClass" in json && { whole: json }) };
}

function keyOfValue(json: JsonObject): string | undefined {
	const [cls, endpoint, property, key] = [json["commandClass"], json["endpoint"], wordOf(json["property"]), wordOf(json["propertyKey"])];
	if (!isNumber(cls) || property === undefined) return undefined;
	return [cls.text, isNumber(endpoint) ? endpoint.text : "0", property, ...(key === undefined ? [] : [key])].map(asLevel).join("/");
}

function hint(node: Node, json: JsonObject): void {
	const key = keyOfValue(json);
	if (key === undefined || (node.hints.size >= MAX_HINTS && !node.hints.has(key))) return;
	const [unit, label, min, max] = [json["unit"], json["label"], json["min"], json["max"]];
	const known = typeof unit === "string" ? unitFrom(unit) : undefined;
	node.hints.set(key, {
		...(known !== undefined && { unit: known }), ...(typeof label === "string" && label !== "" && { label: label.slice(0, 100) }),
		...(isNumber(min) && { min: min.number }), ...(isNumber(max) && { max: max.number }),
		writable: json["writeable"] === true || json["writable"] === true,
	});
}

/** Topics have no blanks: `Air temperature` is `Air_temperature` there. */
function asLevel(text: string): string {
	return text.replace(/\//g, "-").replace(/\s/g, "_");
}

function specOf(node: Node, place: Place, said: Value, topic: string): Spec {
	const known = node.hints.get([place.cls, place.endpoint, ...place.path].join("/"));
	const unit = known?.unit ?? unitOfValue(place.cls, place.path);
	const category: Category | undefined = STATUS_CLASSES.has(place.cls) ? "status" : undefined;
	const base = pointFor(said, { ...(unit !== undefined && { unit }), ...(category !== undefined && { category }) });
	const target = topic === "" ? undefined : targetOf(place, topic);
	const writable = target !== undefined && (known?.writable || isWritableValue(place.cls, place.path[0] ?? ""));
	const point: Point = writable ? { ...base, access: "rw", ...(place.cls === MULTILEVEL_SWITCH && base.kind === "numeric" && { min: 0, max: 99, integer: true }) } : base;
	return {
		point: known ? described(point, known) : point,
		...(writable && { send: (value: Value) => out(`${target}/set`, isNumeric(value) || typeof value === "boolean" ? valueJson(value) : value) }),
	};
}

const MULTILEVEL_SWITCH = 38;
/** Battery, configuration, and the like: how the node is, not what it measures. */
const STATUS_CLASSES: ReadonlySet<number> = new Set([112, 114, 115, 117, 128, 132, 134]);

function described(point: Point, { unit, label, min, max, writable }: Hint): Point {
	const named = { ...point, ...(label !== undefined && { label }) };
	if (named.kind !== "numeric") return named;
	return { ...named, ...(unit !== undefined && { unit }), ...(writable && min !== undefined && { min }), ...(writable && max !== undefined && { max }) };
}

/** `currentValue` is read and `targetValue` written. */
function targetOf(place: Place, topic: string): string {
	return place.path[0] === "currentValue" ? topic.replace(/currentValue(?=(?:\/[^/]*)?$)/, "targetValue") : topic;
}

function wordOf(json: Json | undefined): string | undefined {
	return isNumber(json) ? json.text : typeof json === "string" && json !== "" ? json : undefined;
}
