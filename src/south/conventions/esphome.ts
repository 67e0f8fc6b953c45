// ESPHome over MQTT: <prefix>/<component>/<object>/state, with sub-topics of climate, cover and fan, and <prefix>/status.
// Source: https://esphome.io/components/mqtt/
//
// The address is the topic prefix, the node's name by default; the MAC is an alias as soon as it is known, from `esphome/discover/<name>` or from a
// Home Assistant config that points to the node's topics. By it the device meets what other conventions call by its MAC, Home Assistant discovery above all.
// Such a config is also read for what the topics do not say: units, ranges, options, buttons, the names of node and points.
// A point is named by its object id, sub-topics behind a dot: `temperature`, `heater.target_temperature`, `lamp.brightness`; the component goes before it
// (`switch.pump`) where another has that name already. The shape of topics alone makes a device only of what is said now; what is retained waits for the node's status.
//
// Above 300 lines: three roads lead to the same points, and what waits for the node's word belongs to all of them.

import { type Point, refined } from "../../core/point.js";
import { unitFrom } from "../../core/unit.js";
import { numericFromText, textOf, type Value } from "../../core/value.js";
import { isArray, isNumber, isObject, type Json, scalars } from "../json.js";
import type { Message, OutMessage } from "../link.js";
import { type Meaning, NOTHING } from "../meaning.js";
import { isTopic } from "../mqtt/pattern.js";
import type { Convention } from "./convention.js";
import { ACTIONS, BUTTON, COMPONENTS, LIGHT_MEMBERS, type Topic } from "./esphome-component.js";
import { expandBase, expandDeviceKeys, expandKeys } from "./ha-abbreviations.js";
import { Draft, fitting, out, type Spec, Thing, Things, truthOf } from "./learned.js";
import { macAddress, Payload, saysNothing, wordIn } from "./payload.js";
import { unitByName } from "./quantity.js";

/** What waits for the status of its node: the retained states of a house. */
const MAX_HELD = 2_000;
const MAX_HELD_BYTES = 4_096;
const MAX_SAID = 2_000;
/** First levels that other dialects own, with topics of the same shape. */
const OTHERS = /^(?:homeassistant|zigbee2mqtt|homie|zwave|shellies|tele|stat|cmnd|tasmota|frigate|msh|owntracks|jidway|\$.*)$/;

interface Place {
	readonly prefix: string;
	readonly component: string;
	readonly object: string;
	/** Between the object id and the last level: `target_temperature`; "" where there is nothing. */
	readonly sub: string;
	readonly last: "state" | "command";
}

class Node extends Thing {
	/** Its own word, or a description, says that it is one: what is retained counts too. */
	sure = false;
	/** `switch/pump` → the name of its point. */
	readonly names = new Map<string, string>();
}

export class EspHome implements Convention {
	readonly name = "esphome";
	/** The shape of a topic alone is a guess, which anybody's format goes before. */
	readonly last?: true;
	readonly #guess: boolean;
	readonly #prefix: string;
	readonly #things = new Things((address) => new Node(address));
	/** By topic: states of nodes of which nobody has said yet that they are there. */
	readonly #held = new Map<string, Message>();
	/** `<prefix>/status` of somebody who may be a node. */
	readonly #said = new Map<string, boolean>();
	/** MAC → prefix. */
	readonly #byMac = new Map<string, string>();
	/** Config topic → prefix and point of a button that it made, to take it back. */
	readonly #buttons = new Map<string, readonly [prefix: string, point: string]>();

	/** @param options `discovery`: the prefix of Home Assistant discovery. `guess`: make a device of an old state too. For one message alone; in a gateway it would make ghosts. */
	constructor(options: { readonly discovery?: string; readonly guess?: boolean } = {}) {
		this.#guess = options.guess ?? false;
		if (this.#guess) this.last = true;
		this.#prefix = options.discovery ?? "homeassistant";
	}

	/** Prefixes of one and of two levels. */
	filters(): readonly string[] {
		const shapes = [...COMPONENTS].flatMap(([component, topics]) => {
			const subs = [...topics.keys()].some((sub) => sub !== "");
			return [`${component}/+/state`, ...(subs ? [`${component}/+/+/state`] : [])];
		});
		return [...["+", "+/+"].flatMap((prefix) => [...shapes, "status"].map((shape) => `${prefix}/${shape}`)), "esphome/discover/+", `${this.#prefix}/+/+/+/config`, `${this.#prefix}/+/+/config`];
	}

	hear(message: Message): Meaning | undefined {
		const { topic } = message;
		const draft = new Draft(message);
		if (topic.startsWith("esphome/discover/")) return this.#discovered(topic.slice("esphome/discover/".length), message, draft);
		if (topic.startsWith(`${this.#prefix}/`)) return topic.endsWith("/config") ? this.#configured(message, draft) : undefined;
		if (topic.endsWith("/status")) return this.#status(topic.slice(0, -"/status".length), message, draft);
		if (topic.endsWith("/debug")) return this.#things.get(topic.slice(0, -"/debug".length)) ? NOTHING : undefined;
		const place = placeOf(topic);
		if (!place || OTHERS.test(topic.split("/", 1)[0]!)) return undefined;
		if (place.last === "command") return this.#things.get(place.prefix) ? NOTHING : undefined;
		const known = this.#things.get(place.prefix);
		if (message.retained && !known?.sure && !this.#said.has(place.prefix) && !this.#guess) {
			this.#hold(message);
			return NOTHING;
		}
		const node = this.#take(place.prefix, draft);
		if (node) this.#state(node, place, message, draft);
		return draft.finish();
	}

	command(address: string, point: string, value: Value): readonly OutMessage[] | undefined {
		return this.#things.get(address)?.command(point, value);
	}

	#hold(message: Message): void {
		if (message.payload.length === 0 || message.payload.length > MAX_HELD_BYTES) return;
		this.#held.delete(message.topic);
		this.#held.set(message.topic, message);
		if (this.#held.size > MAX_HELD) this.#held.delete(this.#held.keys().next().value!);
	}

	#take(prefix: string, draft: Draft): Node | undefined {
		const known = this.#things.get(prefix);
		const node = known ?? this.#things.take(prefix);
		if (!node) draft.misfit(prefix, "Cannot take another device: there are too many");
		else if (!known) {
			const up = this.#said.get(prefix);
			this.#said.delete(prefix);
			if (up !== undefined) draft.say(prefix, up ? "online" : "offline");
			if (up !== undefined) this.#ensure(node, draft);
		}
		return node;
	}

	/** The node is one: what was retained of it before is told now. */
	#ensure(node: Node, draft: Draft): void {
		if (node.sure) return;
		node.sure = true;
		draft.touch(node);
		for (const [topic, held] of this.#held) {
			if (!topic.startsWith(`${node.address}/`)) continue;
			const place = placeOf(topic);
			if (place?.prefix !== node.address) continue;
			this.#held.delete(topic);
			// A held value is as old as it was: with a live word it would look new.
			if (draft.retained) this.#state(node, place, held, draft);
		}
	}

	#known(node: Node, mac: string | undefined): void {
		if (mac === undefined) return;
		node.alias(mac);
		if (this.#byMac.size < MAX_SAID || this.#byMac.has(mac)) this.#byMac.set(mac, node.address);
	}

	#status(prefix: string, message: Message, draft: Draft): Meaning | undefined {
		const word = new Payload(message).text.trim();
		if (prefix === "" || OTHERS.test(prefix.split("/", 1)[0]!) || (word !== "online" && word !== "offline")) return undefined;
		const up = word === "online";
		const isNode = this.#things.get(prefix) !== undefined || [...this.#held.keys()].some((topic) => topic.startsWith(`${prefix}/`) && placeOf(topic)?.prefix === prefix);
		if (!isNode && !this.#guess) {
			this.#said.delete(prefix);
			this.#said.set(prefix, up);
			if (this.#said.size > MAX_SAID) this.#said.delete(this.#said.keys().next().value!);
			return undefined; // it may be anybody's
		}
		if (!this.#guess) {
			const node = this.#take(prefix, draft);
			if (!node) return draft.finish();
			this.#ensure(node, draft);
			if (up) draft.hear(node); // offline is said by the broker
		}
		draft.say(prefix, up ? "online" : "offline");
		return draft.finish();
	}

	/** `esphome/discover/<name>`: the prefix is the name, unless its user has chosen another. */
	#discovered(name: string, message: Message, draft: Draft): Meaning | undefined {
		const payload = new Payload(message);
		if (name === "" || name.includes("/")) return undefined;
		if (payload.empty) return NOTHING;
		const json = payload.json;
		if (!isObject(json)) {
			draft.misfit(message.topic, payload.fault ?? "Cannot use a description: it is no JSON object");
			return draft.finish();
		}
		const mac = macAddress(wordIn(json["mac"]) ?? "");
		const node = (mac === undefined ? undefined : this.#things.get(this.#byMac.get(mac) ?? "")) ?? this.#take(name, draft);
		if (!node) return draft.finish();
		this.#ensure(node, draft);
		this.#known(node, mac);
		const model = [wordIn(json["platform"]), wordIn(json["board"])].filter((part) => part !== undefined).join(" ");
		node.know({ name: wordIn(json["friendly_name"]), firmware: wordIn(json["version"]), model, manufacturer: "ESPHome" });
		draft.touch(node);
		for (const key of ["ip", "mac", "version", "platform", "board", "project_name", "project_version"]) {
			const text = wordIn(json[key]);
			if (text !== undefined) draft.tell(node, key, text, { point: { kind: "text", access: "r", category: "identity" } });
		}
		return draft.finish();
	}

	/** A Home Assistant config whose topics are a node's: what it adds to what the topics say. The device itself is its convention's business. */
	#configured(message: Message, draft: Draft): Meaning | undefined {
		const payload = new Payload(message);
		const button = this.#buttons.get(message.topic);
		if (payload.empty && button) {
			this.#buttons.delete(message.topic);
			const node = this.#things.get(button[0]);
			if (!node) return undefined;
			node.drop(button[1]);
			draft.touch(node);
			return draft.finish();
		}
		const json = payload.json;
		if (!isObject(json)) return undefined;
		const config = expandBase(expandKeys(json));
		const device = isObject(config["device"]) ? expandDeviceKeys(config["device"]) : {};
		const component = message.topic.split("/")[1]!;
		const place = [config["state_topic"], config["command_topic"], config["mode_state_topic"], config["position_topic"]].map((topic) => (typeof topic === "string" ? placeOf(topic) : undefined)).find((one) => one !== undefined);
		const firmware = wordIn(device["sw_version"]);
		// Other firmware makes such topics too.
		if (!place || place.component !== component || !(firmware?.toLowerCase().includes("esphome") || /espressif|esphome/i.test(wordIn(device["manufacturer"]) ?? ""))) return undefined;
		const node = this.#take(place.prefix, draft);
		if (!node) return draft.finish();
		this.#ensure(node, draft);
		const ids = isArray(device["identifiers"]) ? device["identifiers"] : [device["identifiers"]];
		for (const id of ids.slice(0, 4)) this.#known(node, macAddress(wordIn(id) ?? ""));
		node.know({ name: wordIn(device["name"]), manufacturer: wordIn(device["manufacturer"]), model: wordIn(device["model"]), firmware });
		this.#described(node, place, config, message.topic);
		draft.touch(node);
		return draft.finish();
	}

	#described(node: Node, place: Place, config: { readonly [key: string]: Json }, topic: string): void {
		const label = wordIn(config["name"]);
		const named = label === undefined ? {} : { label };
		if (place.component === "button") {
			const name = this.#nameOf(node, place);
			node.declare(name, this.#spec(place, { ...BUTTON, point: { ...BUTTON.point, ...named } }));
			if (this.#buttons.size < MAX_HELD || this.#buttons.has(topic)) this.#buttons.set(topic, [place.prefix, name]);
			return;
		}
		const own = COMPONENTS.get(place.component)?.get("");
		if (!own || place.sub !== "") return;
		const options = isArray(config["options"]) ? config["options"].filter((option) => typeof option === "string").slice(0, 200) : [];
		const number = (key: string): number | undefined => (isNumber(config[key]) ? config[key].number : undefined);
		const unit = unitFrom(wordIn(config["unit_of_measurement"]) ?? "");
		const [min, max, step] = [number("min"), number("max"), number("step")];
		const base: Point = own.point.kind === "text" && options.length > 0 ? { kind: "enum", access: own.point.access, category: "status", labels: options } : own.point;
		const point = refined(base, { ...named, ...(unit !== undefined && { unit }), ...(min !== undefined && { min }), ...(max !== undefined && { max }), ...(step !== undefined && step > 0 && { step }) });
		// A text sensor is a sensor here: without a unit only its value tells which it is.
		if (place.component !== "sensor" || unit !== undefined || config["state_class"] !== undefined) node.declare(this.#nameOf(node, place), this.#spec(place, { ...own, point }));
		const action = ACTIONS.get(place.component);
		if (action) node.declare(`${this.#nameOf(node, place)}.command`, this.#spec(place, action));
	}

	/** The object id, with its component before it where another component was first. */
	#nameOf(node: Node, { component, object }: Place): string {
		const key = `${component}/${object}`;
		const known = node.names.get(key);
		if (known !== undefined) return known;
		const name = node.entry(object) || [...node.names.values()].includes(object) ? `${component}.${object}` : object;
		if (node.names.size < MAX_HELD) node.names.set(key, name);
		return name;
	}

	#spec({ prefix, component, object, sub }: Place, topic: Topic): Spec {
		const where = [prefix, component, object, ...(sub === "" ? [] : [sub])].join("/");
		return { point: topic.point, ...(topic.point.access !== "r" && { send: (value: Value) => out(`${where}/command`, topic.write?.(value) ?? textOf(value)) }) };
	}

	#state(node: Node, place: Place, message: Message, draft: Draft): void {
		const payload = new Payload(message);
		if (payload.empty) return;
		draft.hear(node);
		const { component, sub } = place;
		const name = this.#nameOf(node, place);
		const text = payload.text;
		if (component === "light" && sub === "") return this.#light(node, place, name, payload, draft);
		if (component === "event") {
			const json = payload.json;
			const event = isObject(json) ? wordIn(json["event_type"]) : undefined;
			if (event !== undefined && !message.retained) draft.tell(node, name, event, { point: { kind: "text", access: "r" } });
			return;
		}
		const topic = COMPONENTS.get(component)?.get(sub);
		if (!topic) return;
		const action = sub === "" ? ACTIONS.get(component) : undefined;
		if (action) node.see(`${name}.command`, this.#spec(place, action));
		const full = sub === "" ? name : `${name}.${sub}`;
		if (saysNothing(text)) return;
		// A sensor without a unit may say a time or a word.
		const said = component === "sensor" ? numericFromText(text) ?? text : topic.read?.(text) ?? text;
		const unit = topic.point.kind === "numeric" && topic.point.unit === undefined && component === "sensor" ? unitByName(place.object) : undefined;
		const point: Point = component === "sensor" && typeof said === "string" ? { kind: "text", access: "r", category: "status" } : refined(topic.point, unit === undefined ? {} : { unit });
		const spec = this.#spec(place, { ...topic, point });
		draft.tell(node, full, fitting(point, said) ?? said, spec);
	}

	/** A light says all in one JSON: the point of the light is its state. */
	#light(node: Node, place: Place, name: string, payload: Payload, draft: Draft): void {
		const own = COMPONENTS.get("light")!.get("")!;
		const json = payload.json;
		if (!isObject(json)) {
			const on = truthOf(payload.text);
			if (on === undefined) draft.misfit(node.address, payload.fault ?? `Cannot read "${name}"`);
			else draft.tell(node, name, on, this.#spec(place, { ...own, write: (value) => (value === true ? "ON" : "OFF") }));
			return;
		}
		for (const [path, value] of scalars(json)) {
			const member = LIGHT_MEMBERS.get(path);
			if (path === "state") draft.tell(node, name, value, this.#spec(place, own));
			else if (member) draft.tell(node, `${name}.${path}`, value, this.#spec(place, member));
		}
	}
}

/** A topic of the shape of ESPHome's. The component is the last level that can be one, for a prefix may have any. */
function placeOf(topic: string): Place | undefined {
	const levels = topic.split("/");
	const last = levels.at(-1);
	// A description may name anything, and commands are sent to what comes of it.
	if ((last !== "state" && last !== "command") || levels.length < 4 || levels.length > 10 || !isTopic(topic)) return undefined;
	for (const at of [levels.length - 4, levels.length - 3]) {
		const component = levels[at]!;
		const topics = at > 0 ? COMPONENTS.get(component) : undefined;
		const sub = levels.slice(at + 2, -1).join("/");
		if (!topics || (sub !== "" && !topics.has(sub))) continue;
		const prefix = levels.slice(0, at).join("/");
		const object = levels[at + 1]!;
		if (object === "" || levels.slice(0, at).some((level) => level === "")) return undefined;
		return { prefix, component, object, sub, last };
	}
	return undefined;
}
