// Shelly of the second generation and later (Plus, Pro, Gen3, Gen4): JSON-RPC notifications on <prefix>/events/rpc, components on <prefix>/status/<component>.
// Source: https://shelly-api-docs.shelly.cloud/gen2/ComponentsAndServices/Mqtt · https://shelly-api-docs.shelly.cloud/gen2/General/RPCProtocol · …/General/Notifications
//
// The address is the device's id (`shellyplus1pm-4417939341dc`), which is the prefix by default, `src` in its notifications, and what it answers to
// Shelly.GetDeviceInfo; the MAC in it is an alias. With a prefix of the user's, a device is asked for its id, and known by its prefix when it does not answer.
// A point is named `<component>.<member>`: `switch:0.output`. `cover:0.pos` sets what `cover:0.current_pos` says.
// What a script relays of a BLU sensor (a BTHome object with its address) is a device of its own.
//
// Above 300 lines: who a device is, is found out by every road on which it speaks; what its components are is in shelly-component.ts.

import type { Value } from "../../core/value.js";
import { isArray, isObject, type Json, type JsonObject, scalars } from "../json.js";
import type { Message, OutMessage } from "../link.js";
import { type Meaning, NOTHING } from "../meaning.js";
import type { Convention } from "./convention.js";
import { Draft, fitting, out, pointFor, Thing, Things, truthOf } from "./learned.js";
import { macAddress, Payload, wordIn } from "./payload.js";
import { componentOf, isTold, memberPoint, setterOf } from "./shelly-component.js";
import { unitByName } from "./quantity.js";

/** What the gateway calls itself in requests: answers come on `jidway/rpc`. */
const ME = "jidway";
const ID = /^shelly[a-z0-9]*-[0-9a-f]{12}$/i;
/** Components without a number. */
const SINGLE: ReadonlySet<string> = new Set(["sys", "wifi", "eth", "ble", "cloud", "mqtt", "ws", "knx", "matter", "bthome", "ui", "modbus", "plugs_ui", "script", "service"]);
/** Events that say something of the world; the others are the device's own administration. */
const ADMINISTRATION = /^(?:config_changed|component_added|component_removed|scheduled_restart|ota_\w+|sleep|online|offline)$/;
/** So many messages of a prefix without an answer, and its prefix is its name. */
const PATIENCE = 4;
const MAX_PREFIXES = 5_000;
const MAX_PREFIX = 200;
const MAX_EVENTS = 32;

class Gen2Thing extends Thing {
	prefix = "";
}

/** A prefix of which the id is not known yet. */
interface Stranger {
	messages: number;
	up: boolean | undefined;
}

export class ShellyGen2 implements Convention {
	readonly name = "shelly-gen2";
	readonly #guess: boolean;
	readonly #things = new Things((address) => new Gen2Thing(address));
	readonly #byPrefix = new Map<string, Gen2Thing>();
	readonly #strangers = new Map<string, Stranger>();

	/** @param options `guess`: take the prefix for the id at once. For one message alone. */
	constructor(options: { readonly guess?: boolean } = {}) {
		this.#guess = options.guess ?? false;
	}

	/** Prefixes of one level, those below `shellies/`, and the deeper ones that were heard of. */
	filters(): readonly string[] {
		const shapes = ["events/rpc", "online", "status/+", "announce"];
		const deep = [...this.#byPrefix.keys(), ...this.#strangers.keys()].filter((prefix) => prefix.includes("/") && !prefix.startsWith("shellies/"));
		return [...shapes.map((shape) => `+/${shape}`), ...shapes.map((shape) => `shellies/+/${shape}`), "+/+/events/rpc", `${ME}/rpc`, "shelly-blu/events/+", ...deep.flatMap((prefix) => [`${prefix}/online`, `${prefix}/status/+`])];
	}

	hear(message: Message): Meaning | undefined {
		const { topic } = message;
		const draft = new Draft(message);
		if (topic === `${ME}/rpc`) return this.#answered(message, draft);
		const [prefix, what] = split(topic);
		if (prefix === "" || prefix.length > MAX_PREFIX) return this.#relayed(message, draft);
		switch (what.split("/")[0]) {
			case "events": return this.#notified(prefix, message, draft);
			case "status": return this.#status(prefix, what.slice("status/".length), message, draft);
			case "online": return this.#online(prefix, message, draft);
			case "announce": return this.#introduced(prefix, message, draft);
			// Requests to devices, and their answers to others.
			case "rpc": case "command": case "response": return this.#byPrefix.has(prefix) || ID.test(lastLevel(prefix)) ? NOTHING : undefined;
			default: return this.#relayed(message, draft);
		}
	}

	command(address: string, point: string, value: Value): readonly OutMessage[] | undefined {
		return this.#things.get(address)?.command(point, value);
	}

	/** The device of a prefix: by its id where that is known. Nothing while it has still to answer who it is. */
	#thing(prefix: string, id: string | undefined, draft: Draft): Gen2Thing | undefined {
		const known = this.#byPrefix.get(prefix);
		const name = id ?? (ID.test(lastLevel(prefix)) ? lastLevel(prefix) : undefined);
		if (known && (name === undefined || known.address.toLowerCase() === name.toLowerCase())) return known;
		const address = name ?? (this.#guess || this.#patienceIsOver(prefix, draft) ? prefix : undefined);
		if (address === undefined) return undefined;
		const thing = this.#things.take(address);
		if (!thing || (!this.#byPrefix.has(prefix) && this.#byPrefix.size >= MAX_PREFIXES)) {
			draft.misfit(prefix, "Cannot take another device: there are too many");
			return undefined;
		}
		if (known) { // it was known by its prefix, and now by its id
			this.#things.delete(known.address);
			draft.gone(known.address);
		}
		if (thing.prefix !== "" && thing.prefix !== prefix) this.#byPrefix.delete(thing.prefix);
		thing.prefix = prefix;
		if (prefix.includes("/")) thing.alias(prefix); // one word could be another dialect's name too
		thing.alias(macAddress(/[0-9a-f]{12}$/i.exec(address)?.[0] ?? ""));
		thing.know({ manufacturer: "Shelly" });
		this.#byPrefix.set(prefix, thing);
		const stranger = this.#strangers.get(prefix);
		this.#strangers.delete(prefix);
		if (stranger?.up !== undefined) draft.say(thing.address, stranger.up ? "online" : "offline");
		draft.touch(thing);
		if (prefix.includes("/")) draft.filters();
		if (!draft.retained && !known) {
			this.#ask(prefix, "Shelly.GetStatus", draft);
			if (stranger === undefined) this.#ask(prefix, "Shelly.GetDeviceInfo", draft);
		}
		return thing;
	}

	/** Somebody speaks whose id is not known: ask, and wait for a few messages. */
	#patienceIsOver(prefix: string, draft: Draft): boolean {
		const stranger = this.#stranger(prefix);
		if (draft.retained) return false;
		stranger.messages++;
		if (stranger.messages === 1) this.#ask(prefix, "Shelly.GetDeviceInfo", draft);
		return stranger.messages > PATIENCE;
	}

	#stranger(prefix: string): Stranger {
		const known = this.#strangers.get(prefix);
		if (known) return known;
		const stranger: Stranger = { messages: 0, up: undefined };
		this.#strangers.set(prefix, stranger);
		if (this.#strangers.size > MAX_PREFIXES) this.#strangers.delete(this.#strangers.keys().next().value!);
		return stranger;
	}

	#ask(prefix: string, method: string, draft: Draft): void {
		draft.send(`${prefix}/rpc`, `{"id":${JSON.stringify(prefix)},"src":"${ME}","method":"${method}"}`);
	}

	/** `<prefix>/events/rpc`: NotifyStatus is what changed, NotifyFullStatus all, NotifyEvent what happened. */
	#notified(prefix: string, message: Message, draft: Draft): Meaning | undefined {
		const payload = new Payload(message);
		const json = payload.json;
		const method = isObject(json) ? wordIn(json["method"]) : undefined;
		const src = isObject(json) ? wordIn(json["src"]) : undefined;
		if (!isObject(json) || method === undefined || src === undefined) {
			if (this.#byPrefix.has(prefix)) draft.misfit(prefix, payload.fault ?? "Cannot use a notification: it has no method");
			return draft.finish();
		}
		const params = json["params"];
		const thing = this.#thing(prefix, src, draft);
		if (!thing || !isObject(params)) return draft.finish();
		draft.hear(thing);
		if (method === "NotifyStatus" || method === "NotifyFullStatus") this.#components(thing, params, draft);
		else if (method === "NotifyEvent" && !message.retained) this.#events(thing, params["events"], draft);
		return draft.finish();
	}

	#components(thing: Gen2Thing, all: JsonObject, draft: Draft): void {
		for (const [key, component] of Object.entries(all)) if (isObject(component)) this.#component(thing, key, component, draft);
	}

	#component(thing: Gen2Thing, key: string, members: JsonObject, draft: Draft): void {
		const component = componentOf(key);
		if (!component) return;
		const { type, index } = component;
		if (index !== undefined && type === "cover") this.#settable(thing, key, type, index, "command");
		for (const [path, value] of scalars(members)) {
			if (!isTold(path)) continue;
			const setter = index === undefined ? undefined : this.#settable(thing, key, type, index, path);
			// A member of another kind than its method takes is a reading of it all the same.
			if (setter !== undefined && fitting(setter, value) !== undefined) draft.tell(thing, `${key}.${path}`, value, { point: setter });
			else draft.tell(thing, `${key}.${path}`, value, { point: memberPoint(type, path, value) });
			if (index !== undefined && type === "cover" && path === "current_pos") {
				const pos = this.#settable(thing, key, type, index, "pos");
				if (pos) draft.tell(thing, `${key}.pos`, value, { point: pos });
			}
		}
		if (type === "sys") thing.alias(macAddress(wordIn(members["mac"]) ?? ""));
	}

	/** Declare what a method sets. */
	#settable(thing: Gen2Thing, key: string, type: string, index: number, path: string): ReturnType<typeof memberPoint> | undefined {
		const name = `${key}.${path}`;
		const known = thing.entry(name);
		if (known) return known.point;
		const setter = setterOf(type, path);
		if (!setter) return undefined;
		thing.declare(name, {
			point: setter.point,
			send: (value) => {
				const { method, params } = setter.request(index, value);
				return out(`${thing.prefix}/rpc`, `{"id":1,"src":"${ME}","method":"${method}","params":${params}}`);
			},
		});
		return setter.point;
	}

	#events(thing: Gen2Thing, events: Json | undefined, draft: Draft): void {
		for (const one of isArray(events) ? events.slice(0, MAX_EVENTS) : []) {
			if (!isObject(one)) continue;
			const component = wordIn(one["component"]);
			const event = wordIn(one["event"]);
			if (component === undefined || event === undefined || ADMINISTRATION.test(event) || !componentOf(component)) continue;
			draft.tell(thing, `${component}.event`, event, { point: { kind: "text", access: "r" } });
		}
	}

	#status(prefix: string, key: string, message: Message, draft: Draft): Meaning | undefined {
		const component = componentOf(key);
		if (!component || (component.index === undefined && !SINGLE.has(key))) return undefined;
		const sure = this.#byPrefix.has(prefix) || component.index !== undefined || ID.test(lastLevel(prefix));
		if (!sure && !this.#guess) return undefined;
		const payload = new Payload(message);
		const json = payload.json;
		if (payload.empty) return NOTHING;
		if (!isObject(json)) {
			if (!this.#byPrefix.has(prefix)) return undefined;
			draft.misfit(prefix, payload.fault ?? `Cannot read "${key}": it is no JSON object`);
			return draft.finish();
		}
		if (message.retained && !this.#guess && !this.#byPrefix.has(prefix)) return NOTHING;
		const thing = this.#thing(prefix, undefined, draft);
		if (thing) {
			draft.hear(thing);
			this.#component(thing, key, json, draft);
		}
		return draft.finish();
	}

	#online(prefix: string, message: Message, draft: Draft): Meaning | undefined {
		const up = truthOf(new Payload(message).text);
		if (up === undefined) return undefined;
		const known = this.#byPrefix.get(prefix);
		if (known) draft.say(known.address, up ? "online" : "offline");
		else if (this.#guess && ID.test(lastLevel(prefix))) draft.say(lastLevel(prefix), up ? "online" : "offline");
		else if (ID.test(lastLevel(prefix)) || this.#strangers.has(prefix)) {
			this.#stranger(prefix).up = up;
			if (up && !message.retained) this.#ask(prefix, "Shelly.GetDeviceInfo", draft);
		} else return undefined;
		return draft.finish();
	}

	/** `<prefix>/announce`: the answer to the command `announce`. */
	#introduced(prefix: string, message: Message, draft: Draft): Meaning | undefined {
		const json = new Payload(message).json;
		if (!isObject(json) || json["gen"] === undefined) return undefined;
		this.#info(prefix === "shellies" ? undefined : prefix, json, draft);
		return draft.finish();
	}

	/** What answers Shelly.GetDeviceInfo. Without a prefix it is only of a device that is known. */
	#info(prefix: string | undefined, json: JsonObject, draft: Draft): void {
		const id = wordIn(json["id"]);
		if (id === undefined) return;
		const thing = prefix === undefined ? this.#things.get(id) : this.#thing(prefix, id, draft);
		if (!thing) return;
		thing.know({ name: wordIn(json["name"]), model: wordIn(json["app"]) ?? wordIn(json["model"]), firmware: wordIn(json["ver"]) });
		thing.alias(macAddress(wordIn(json["mac"]) ?? ""));
		draft.hear(thing);
		for (const key of ["model", "mac", "ver", "app"]) {
			const text = wordIn(json[key]);
			if (text !== undefined) draft.tell(thing, key, text, { point: { kind: "text", access: "r", category: "identity" } });
		}
	}

	/** An answer to a request of ours: its id is the prefix that was asked. */
	#answered(message: Message, draft: Draft): Meaning {
		const json = new Payload(message).json;
		if (!isObject(json)) return NOTHING;
		const src = wordIn(json["src"]);
		const prefix = wordIn(json["id"]);
		const result = json["result"];
		const error = json["error"];
		if (isObject(error) && src !== undefined) draft.misfit(src, "Cannot do it: the device refused");
		// Anybody may publish here: only who was asked is believed.
		if (prefix === undefined || src === undefined || !isObject(result) || !(this.#strangers.has(prefix) || this.#byPrefix.has(prefix))) return draft.finish();
		if (result["gen"] !== undefined) this.#info(prefix, result, draft);
		else {
			const thing = this.#thing(prefix, src, draft);
			if (thing) {
				draft.hear(thing);
				this.#components(thing, result, draft);
			}
		}
		return draft.finish();
	}

	/** What a script relays of a Bluetooth sensor. */
	#relayed(message: Message, draft: Draft): Meaning | undefined {
		if (!message.topic.startsWith("shelly-blu/") && !this.#guess) return undefined;
		const json = /^\s*\{/.test(new Payload(message).text) ? new Payload(message).json : undefined;
		if (!isObject(json) || json["BTHome_version"] === undefined) return undefined;
		const address = macAddress(wordIn(json["address"]) ?? "");
		const thing = address === undefined ? undefined : this.#things.take(address);
		if (!thing) return NOTHING;
		thing.know({ manufacturer: "Shelly", name: wordIn(json["local_name"]), model: wordIn(json["model"]) });
		draft.hear(thing);
		for (const [path, value] of scalars(json)) {
			if (/^(?:encryption|BTHome_version|pid|address|local_name|model)$/.test(path)) continue;
			const button = /^button/.test(path);
			if (button && message.retained) continue;
			const unit = typeof value === "object" ? unitByName(path) : undefined;
			draft.tell(thing, path, value, { point: pointFor(value, { ...(unit !== undefined && { unit }), ...(/^(?:battery|rssi)$/.test(path) && { category: "status" }) }) });
		}
		return draft.finish();
	}
}

const SHAPE = /^(.+?)\/(events\/rpc|response\/rpc|status\/[^/]+|online|announce|rpc|command(?:\/[^/]+)?)$/;

/** The prefix, and what comes after it. */
function split(topic: string): readonly [prefix: string, what: string] {
	const match = topic.length > 1_000 ? null : SHAPE.exec(topic);
	return match ? [match[1]!, match[2]!] : ["", ""];
}

function lastLevel(prefix: string): string {
	return prefix.slice(prefix.lastIndexOf("/") + 1);
}
