// Tasmota: tasmota/discovery/<MAC>/config says how a device's topics are made, tele/… and stat/… what it says, cmnd/… what it is told.
// Source: https://tasmota.github.io/docs/MQTT/ · https://tasmota.github.io/docs/Commands/ · tasmota/tasmota_xdrv_driver/xdrv_12_discovery.ino
//
// The address of a discovered device is its MAC, its topic (`tele/<topic>`) an alias; of an undiscovered one the topic, with what stands before the prefix.
// A Zigbee or LoRaWAN device behind one is a device of its own, `<address>/<short address>`.
// `Time` is local time without a zone by default: it counts only where it carries an offset.
//
// Above 300 lines: discovery, routes and readings share one table of devices; what fields mean is in tasmota-fields.ts.

import type { Point } from "../../core/point.js";
import type { Unit } from "../../core/unit.js";
import { isNumeric, textOf, type Value } from "../../core/value.js";
import { asValue, isArray, isNumber, isObject, type Json, type JsonObject, parseJson } from "../json.js";
import type { Message, OutMessage } from "../link.js";
import { type Meaning, NOTHING } from "../meaning.js";
import { isTopic } from "../mqtt/pattern.js";
import type { Convention } from "./convention.js";
import { Draft, out, pointFor, type Spec, Thing, Things } from "./learned.js";
import { macAddress, Payload, wordIn } from "./payload.js";
import { categoryOf, isSecret, messageUnits, settingOf, truthBy, unitOf, valueOf } from "./tasmota-fields.js";
import { timeFrom } from "./times.js";

const DISCOVERY = "tasmota/discovery/";
/** What a device that nobody describes uses. */
const PREFIXES = ["cmnd", "stat", "tele"] as const;
const WORDS = ["OFF", "ON", "TOGGLE", "HOLD"];
/** Last wills of devices that are not known yet. */
const MAX_SAID = 2_000;
/** Fields of one message. The longest in the field, of a three-phase meter with tariffs, has some hundred. */
const MAX_FIELDS = 256;
/** Sub-devices in one message. */
const MAX_SUBS = 64;
/** The last level is the command that it answers, or the kind of message: in capitals. */
const RESPONSE = /^[A-Z][A-Z0-9_]{0,40}$/;
/** These are JSON; when they are not, the message was cut or mangled. */
const JSON_TOPIC = /^(?:STATE|SENSOR|ENERGY\d*|RESULT|STATUS\d*|INFO\d*|MARGINS|EVENT|DEEPSLEEP|HASS_STATE)$/;

class TasmotaThing extends Thing {
	/** Before the command: `cmnd/kitchen/`. */
	commands = "";
	bases: readonly string[] = [];
	words: readonly string[] = WORDS;
	online = "Online";
	offline = "Offline";
	/** It announced that it sleeps between measurements. */
	sleeps = false;
	readonly subs = new Set<TasmotaThing>();
}

export class Tasmota implements Convention {
	readonly name = "tasmota";
	readonly #guess: boolean;
	readonly #things = new Things((address) => new TasmotaThing(address));
	/** `tele/kitchen/` → whose it is. */
	readonly #routes = new Map<string, TasmotaThing>();
	/** Last wills that came before their device. */
	readonly #said = new Map<string, string>();

	/** @param options `guess`: make a device of an old message too. For one message alone; in a gateway it would make ghosts. */
	constructor(options: { readonly guess?: boolean } = {}) {
		this.#guess = options.guess ?? false;
	}

	/** Discovery, both usual orders of prefix and topic, and what discovery tells of others. */
	filters(): readonly string[] {
		return [`${DISCOVERY}+/config`, `${DISCOVERY}+/sensors`, "tele/#", "stat/#", "+/tele/+", "+/stat/+", ...[...this.#routes.keys()].filter((base) => !/^(?:(?:tele|stat)\/|[^/]+\/(?:tele|stat)\/$)/.test(base)).map((base) => `${base}+`)];
	}

	hear(message: Message): Meaning | undefined {
		const { topic } = message;
		const draft = new Draft(message);
		if (topic.startsWith(DISCOVERY)) {
			const [mac, what, more] = topic.slice(DISCOVERY.length).split("/");
			if (more !== undefined || mac === undefined) return undefined;
			if (what === "config") this.#config(mac, message, draft);
			else if (what === "sensors") this.#sensors(mac, message, draft);
			else return undefined;
			return draft.finish();
		}
		const cut = topic.lastIndexOf("/");
		const last = topic.slice(cut + 1);
		const base = topic.slice(0, cut + 1);
		const known = this.#routes.get(base);
		if (known) {
			this.#spoken(known, last, message, draft);
			return draft.finish();
		}
		return this.#stranger(base, last, message, draft);
	}

	command(address: string, point: string, value: Value): readonly OutMessage[] | undefined {
		return this.#things.get(address)?.command(point, value);
	}

	/** A topic that discovery has not told of: it is read by its default words. */
	#stranger(base: string, last: string, message: Message, draft: Draft): Meaning | undefined {
		const levels = base.slice(0, -1).split("/");
		const at = levels.findIndex((level) => PREFIXES.some((prefix) => prefix === level));
		if (at < 0 || levels.length < 2 || levels.some((level) => level === "")) return undefined;
		// `%topic%/%prefix%/` where the prefix is the last of them, else `…/%prefix%/%topic%/`.
		if (levels[at] === "cmnd") return NOTHING;
		if (!RESPONSE.test(last)) return undefined;
		const above = this.#routes.get(`${levels.slice(0, -1).join("/")}/`);
		if (above) { // SetOption89: tele/<bridge>/<Zigbee device>/SENSOR
			this.#behind(above, levels.at(-1)!, message, draft);
			return draft.finish();
		}
		if (last === "LWT" && !this.#guess) {
			const key = base;
			this.#said.delete(key);
			this.#said.set(key, new Payload(message).text.trim());
			if (this.#said.size > MAX_SAID) this.#said.delete(this.#said.keys().next().value!);
			const known = this.#things.get(addressOf(levels, at));
			if (known) this.#will(known, this.#said.get(key)!, draft);
			return draft.finish();
		}
		if (message.retained && !this.#guess && !this.#things.get(addressOf(levels, at))) return NOTHING;
		const thing = this.#things.take(addressOf(levels, at));
		if (!thing) {
			draft.misfit(message.topic, "Cannot take another device: there are too many");
			return draft.finish();
		}
		if (thing.commands === "") {
			thing.commands = `${levels.with(at, "cmnd").join("/")}/`;
			const will = this.#said.get(`${levels.with(at, "tele").join("/")}/`);
			if (will !== undefined) this.#will(thing, will, draft);
		}
		this.#spoken(thing, last, message, draft);
		return draft.finish();
	}

	#config(topicMac: string, message: Message, draft: Draft): void {
		const payload = new Payload(message);
		const address = macAddress(topicMac) ?? topicMac;
		const before = this.#things.get(address);
		if (payload.empty) {
			if (!before) return;
			for (const one of [before, ...before.subs]) {
				this.#things.delete(one.address);
				draft.gone(one.address);
			}
			for (const base of before.bases) this.#routes.delete(base);
			return draft.filters();
		}
		const config = payload.json;
		if (!isObject(config)) return draft.misfit(message.topic, payload.fault ?? "Cannot use a discovery message: it is no JSON object");
		const topic = wordIn(config["t"]);
		const full = wordIn(config["ft"]) ?? "%prefix%/%topic%/";
		if (topic === undefined || !full.includes("%prefix%")) return draft.misfit(message.topic, "Cannot use a discovery message: it names no topic");
		const prefixes = PREFIXES.map((word, at) => (isArray(config["tp"]) ? wordIn(config["tp"][at]) : undefined) ?? word);
		const [commands, ...bases] = prefixes.map((prefix) => baseOf(full, prefix, topic, wordIn(config["hn"]) ?? "", address));
		// They are listened to, and commands are sent there: a wildcard would be everybody's.
		if (commands === undefined || ![commands, ...bases].every(isTopic)) return draft.misfit(message.topic, "Cannot use a discovery message: what it names is no topic");
		const thing = this.#things.take(address);
		if (!thing) return draft.misfit(message.topic, "Cannot take another device: there are too many");
		// What was heard before discovery went by its topic.
		for (const base of bases) {
			const levels = base.slice(0, -1).split("/");
			const at = levels.findIndex((level) => PREFIXES.some((word) => word === level));
			const stranger = at < 0 ? undefined : this.#things.get(addressOf(levels, at));
			if (stranger && stranger !== thing && this.#things.delete(stranger.address)) draft.gone(stranger.address);
		}
		if (bases.join() !== thing.bases.join()) {
			for (const base of thing.bases) this.#routes.delete(base);
			for (const base of bases) this.#routes.set(base, thing);
			thing.bases = bases;
			draft.filters();
		}
		thing.commands = commands;
		thing.words = isArray(config["state"]) ? config["state"].map((word) => wordIn(word) ?? "") : WORDS;
		thing.online = wordIn(config["onln"]) ?? "Online";
		thing.offline = wordIn(config["ofln"]) ?? "Offline";
		thing.sleeps = isNumber(config["dslp"]) && config["dslp"].number === 1;
		const friendly = isArray(config["fn"]) ? config["fn"] : [];
		thing.know({ name: wordIn(config["dn"]) ?? wordIn(friendly[0]), model: wordIn(config["md"]), firmware: wordIn(config["sw"]) });
		thing.alias(bases[1]!.slice(0, -1));
		this.#declare(thing, config, friendly);
		draft.hear(thing);
		for (const key of ["dn", "md", "sw", "ip", "mac"]) {
			const said = wordIn(config[key]);
			if (said !== undefined) draft.tell(thing, key, said, { point: { kind: "text", access: "r", category: "identity" } });
		}
		const will = this.#said.get(bases[1]!);
		if (will !== undefined) this.#will(thing, will, draft);
		this.#said.delete(bases[1]!);
	}

	/** The points that discovery announces: relays, lights, shutters, fan, buttons and switches. */
	#declare(thing: TasmotaThing, config: JsonObject, friendly: readonly Json[]): void {
		const relays = numbersIn(config["rl"]);
		const options = isObject(config["so"]) ? config["so"] : {};
		const option = (name: string): boolean => isNumber(options[name]) && options[name].number === 1;
		const number = (key: string): number => (isNumber(config[key]) ? config[key].number : 0);
		const used = relays.flatMap((relay, at) => (relay === 1 || relay === 2 ? [at] : []));
		const label = (at: number): { readonly label?: string } => {
			const name = wordIn(friendly[at]);
			return name === undefined ? {} : { label: name };
		};
		const declare = (command: string, more: Partial<Pick<Point, "label">> = {}): void => {
			const setting = settingOf(command);
			if (setting) thing.declare(command, { point: { ...setting.point, ...more }, send: (value) => out(`${thing.commands}${command}`, this.#written(thing, setting.write(value))) });
		};
		const single = relays.filter((relay) => relay !== 0).length === 1;
		for (const at of used) declare(single ? "POWER" : `POWER${at + 1}`, label(at));
		const lights = used.filter((at) => relays[at] === 2);
		if (option("68")) for (const [nth] of lights.entries()) declare(`Dimmer${nth + 1}`);
		else if (lights.length > 0) for (const command of LIGHT_COMMANDS[number("lt_st")] ?? []) declare(command);
		const tilts = isArray(config["sht"]) ? config["sht"] : [];
		for (let nth = 0; nth < Math.floor(relays.filter((relay) => relay === 3).length / 2); nth++) {
			declare(`ShutterPosition${nth + 1}`);
			const limits = numbersIn(tilts[nth]);
			if (limits[0] !== limits[1]) declare(`ShutterTilt${nth + 1}`);
		}
		if (number("if") === 1) declare("FanSpeed");
		const action: Spec = { point: { kind: "text", access: "r" } };
		const names = isArray(config["swn"]) ? config["swn"] : [];
		if (option("73")) numbersIn(config["btn"]).forEach((there, at) => there === 1 && thing.declare(`Button${at + 1}.Action`, action));
		if (option("114")) numbersIn(config["swc"]).forEach((mode, at) => {
			const name = wordIn(names[at]);
			if (mode >= 0) thing.declare(`Switch${at + 1}.Action`, { point: { ...action.point, ...(name !== undefined && { label: name }) } });
		});
		thing.know({ type: lights.length > 0 ? "light" : relays.includes(3) ? "cover" : used.length > 0 ? "switch" : "sensor" });
	}

	/** The device's own words for on and off: it understands the usual ones too. */
	#written(thing: TasmotaThing, text: string): string {
		const at = text === "OFF" ? 0 : text === "ON" ? 1 : -1;
		return at < 0 ? text : thing.words[at] || text;
	}

	#sensors(topicMac: string, message: Message, draft: Draft): void {
		const payload = new Payload(message);
		if (payload.empty) return;
		const address = macAddress(topicMac) ?? topicMac;
		const json = mended(payload);
		const sensors = isObject(json) ? json["sn"] : undefined;
		if (!isObject(sensors)) return void (json === undefined && draft.misfit(message.topic, payload.fault ?? "Cannot read it"));
		const thing = this.#guess ? this.#things.take(address) : this.#things.get(address);
		if (thing) this.#fields(thing, sensors, "SENSOR", draft);
	}

	/** One message of a device. */
	#spoken(thing: TasmotaThing, last: string, message: Message, draft: Draft): void {
		const payload = new Payload(message);
		if (last === "LWT") return this.#will(thing, payload.text.trim(), draft);
		if (payload.empty) return;
		if (/^POWER\d*$/.test(last)) {
			draft.hear(thing);
			return this.#power(thing, last, payload.text, draft);
		}
		const json = mended(payload);
		if (!isObject(json)) {
			if (JSON_TOPIC.test(last)) draft.misfit(thing.address, payload.fault ?? `Cannot read ${last}: it is no JSON object`);
			return;
		}
		draft.hear(thing);
		if (last === "DEEPSLEEP") {
			thing.sleeps = true;
			return draft.say(thing.address, "asleep", "it sleeps between measurements");
		}
		if (last === "RESULT" && json["Command"] !== undefined) return;
		this.#fields(thing, json, last, draft);
	}

	#will(thing: TasmotaThing, word: string, draft: Draft): void {
		const state = word === thing.online ? "online" : word === thing.offline ? (thing.sleeps ? "asleep" : "offline") : undefined;
		if (state === undefined) return;
		if (this.#guess) draft.touch(thing);
		draft.say(thing.address, state, state === "asleep" ? "it sleeps between measurements" : undefined);
		for (const sub of thing.subs) draft.say(sub.address, state === "asleep" ? "offline" : state, state === "online" ? undefined : `${thing.address} is ${state}`);
	}

	#power(thing: TasmotaThing, key: string, text: string, draft: Draft): void {
		// One relay is POWER for some commands and POWER1 for others.
		const other = key === "POWER" ? "POWER1" : key === "POWER1" ? "POWER" : key;
		const name = thing.entry(key) || !thing.entry(other) ? key : other;
		draft.tell(thing, name, truthBy(text, thing.words) ?? text, this.#spec(thing, name, true, [name], truthBy(text, thing.words) ?? false, {}));
	}

	/** The fields of a JSON message. */
	#fields(thing: TasmotaThing, whole: JsonObject, last: string, draft: Draft): void {
		const json = unwrapped(whole);
		const units = messageUnits((key) => json[key]);
		const at = timeFrom(json["Time"]);
		const isState = !/^(?:SENSOR|ENERGY\d*|STATUS(?:8|10))$/.test(last);
		this.#facts(thing, whole, json);
		for (const [key, member] of Object.entries(json)) {
			if (isObject(member) && SUB_KEYS.has(key)) this.#subs(thing, key, member, draft);
		}
		for (const [parts, value] of fieldsOf(json)) {
			const top = parts[0]!;
			const name = parts.join(".");
			if (NO_FIELD.has(name) || SUB_KEYS.has(top) || isSecret(name)) continue;
			// What somebody pressed long ago is no news.
			if (draft.retained && (parts.at(-1) === "Action" || /Received$/.test(top))) continue;
			if (parts.length === 1 && /^POWER\d*$/.test(top)) {
				this.#power(thing, top, textOf(value), draft);
				continue;
			}
			if (/^ShutterPosition\d+$/.test(name)) continue; // an acknowledgement: the position comes when the shutter moves
			this.#tell(thing, parts, value, isState, unitOf(parts, units, /^ENERGY/.test(last)), at, draft);
			const shutter = /^Shutter(\d+)$/i.exec(top);
			if (shutter && parts.length === 2) this.#shutter(thing, shutter[1]!, parts[1]!, value, draft);
		}
	}

	#tell(thing: TasmotaThing, parts: readonly string[], said: Value, isState: boolean, unit: Unit | undefined, at: number | undefined, draft: Draft): void {
		const value = valueOf(said, parts.at(-1)!, unit, thing.words);
		const name = parts.join(".");
		draft.tell(thing, name, value, this.#spec(thing, name, isState, parts, value, unit === undefined ? {} : { unit }), at);
	}

	/** What a field is when it is seen for the first time. */
	#spec(thing: TasmotaThing, name: string, isState: boolean, parts: readonly string[], value: Value, more: Parameters<typeof pointFor>[1]): Spec {
		const channel = /^Channel\[(\d)\]$/.exec(name);
		const command = channel ? `Channel${Number(channel[1]) + 1}` : name;
		const setting = isState && parts.length === 1 && thing.commands !== "" ? settingOf(command) : undefined;
		// CT of a light without white is no setting of it, and a speed as text is a wind's.
		if (setting && (setting.point.kind !== "numeric" || isNumeric(value)) && (setting.point.kind !== "boolean" || typeof value === "boolean")) {
			return { point: setting.point, send: (wish) => out(`${thing.commands}${command}`, this.#written(thing, setting.write(wish))) };
		}
		const category = categoryOf(parts, isState);
		return { point: pointFor(value, { ...more, ...(category !== undefined && { category }) }) };
	}

	/** `Shutter1.Position` is what `ShutterPosition1` sets. */
	#shutter(thing: TasmotaThing, nth: string, what: string, value: Value, draft: Draft): void {
		const command = what === "Position" ? `ShutterPosition${nth}` : what === "Tilt" && thing.entry(`ShutterTilt${nth}`) ? `ShutterTilt${nth}` : undefined;
		const setting = command === undefined ? undefined : settingOf(command);
		if (command !== undefined && setting) draft.tell(thing, command, value, { point: setting.point, send: (wish) => out(`${thing.commands}${command}`, setting.write(wish)) });
	}

	#facts(thing: TasmotaThing, whole: JsonObject, json: JsonObject): void {
		const firmware = isObject(whole["StatusFWR"]) ? wordIn(whole["StatusFWR"]["Version"]) : wordIn(json["Version"]);
		const network = isObject(whole["StatusNET"]) ? wordIn(whole["StatusNET"]["Mac"]) : undefined;
		thing.know({ firmware, model: wordIn(json["Module"]) });
		if (network !== undefined) thing.alias(macAddress(network));
	}

	/** `ZbReceived`: what devices behind this one said, by their short address or name. */
	#subs(thing: TasmotaThing, key: string, members: JsonObject, draft: Draft): void {
		for (const [id, about] of Object.entries(members).slice(0, MAX_SUBS)) if (isObject(about)) this.#sub(thing, wordIn(about["Device"]) ?? id, key, about, draft);
	}

	#behind(thing: TasmotaThing, id: string, message: Message, draft: Draft): void {
		const payload = new Payload(message);
		const json = mended(payload);
		if (!isObject(json)) return void (payload.empty || draft.misfit(thing.address, payload.fault ?? "Cannot read it"));
		const key = Object.keys(json).find((one) => SUB_KEYS.has(one));
		const members = key === undefined ? undefined : json[key];
		if (key !== undefined && isObject(members)) this.#subs(thing, key, members, draft);
		else this.#sub(thing, id, "ZbReceived", json, draft);
	}

	#sub(thing: TasmotaThing, id: string, key: string, about: JsonObject, draft: Draft): void {
		const sub = this.#things.take(`${thing.address}/${id}`);
		if (!sub) return;
		thing.subs.add(sub);
		sub.know({ name: wordIn(about["Name"]), model: wordIn(about["ModelId"]), manufacturer: wordIn(about["Manufacturer"]) });
		sub.alias(wordIn(about["IEEEAddr"])?.toLowerCase());
		draft.hear(thing);
		const units = messageUnits(() => undefined);
		for (const [parts, value] of fieldsOf(about)) if (!SUB_FACTS.has(parts[0]!)) this.#tell(sub, parts, value, false, unitOf([key, ...parts], units, false), undefined, draft);
	}
}

const SUB_KEYS: ReadonlySet<string> = new Set(["ZbReceived", "ZbInfo", "LwReceived"]);
const SUB_FACTS: ReadonlySet<string> = new Set(["Device", "Name", "ModelId", "Manufacturer", "IEEEAddr", "Endpoint", "Endpoints", "Group", "Config"]);
const NO_FIELD: ReadonlySet<string> = new Set(["Time", "TempUnit", "PressureUnit", "SpeedUnit", "Epoch"]);
/** By the light subtype `lt_st`: 1 dimmer, 2 white with temperature, 3 RGB, 4 RGBW, 5 RGB and white with temperature. */
const LIGHT_COMMANDS: Readonly<Record<number, readonly string[]>> = {
	1: ["Dimmer"], 2: ["Dimmer", "CT"], 3: ["Dimmer", "Color", "HSBColor"], 4: ["Dimmer", "Color", "HSBColor", "White"], 5: ["Dimmer", "Color", "HSBColor", "White", "CT"],
};

/** The address of an undiscovered device: its topic, and what stands before the prefix. */
function addressOf(levels: readonly string[], at: number): string {
	return levels.toSpliced(at, 1).join("/");
}

function baseOf(full: string, prefix: string, topic: string, host: string, mac: string): string {
	const base = full.replaceAll("%prefix%", prefix).replaceAll("%topic%", topic).replaceAll("%hostname%", host).replaceAll("%id%", mac.slice(-6).toUpperCase());
	return base.endsWith("/") ? base : `${base}/`;
}

function numbersIn(json: Json | undefined): number[] {
	return isArray(json) ? json.slice(0, 64).map((one) => (isNumber(one) ? one.number : 0)) : [];
}

/** INFO and STATUS put what others say openly into one object. */
function unwrapped(json: JsonObject): JsonObject {
	for (const key of ["StatusSNS", "StatusSTS", "Info1", "Info2", "Info3"]) {
		const inner = json[key];
		if (isObject(inner)) return inner;
	}
	return json;
}

/** The payload as JSON; a bare `nan` or `inf`, which a sensor without a value makes, is null. */
function mended(payload: Payload): Json | undefined {
	if (payload.json !== undefined || !/nan|inf/i.test(payload.text)) return payload.json;
	try {
		return parseJson(payload.text.replace(/([:[,] ?)-?(?:nan|inf)(?= ?[,}\]])/gi, "$1null"));
	} catch {
		return undefined; // it was not that: the fault of the first reading is told
	}
}

/** Every value with the keys that lead to it; an element of a list is named with the list: `Voltage[0]`. */
function* fieldsOf(json: JsonObject): Generator<readonly [parts: readonly string[], value: Value], void> {
	let left = MAX_FIELDS;
	function* walk(inner: Json, parts: readonly string[]): Generator<readonly [readonly string[], Value], void> {
		if (left <= 0) return;
		const value = asValue(inner);
		if (value !== undefined) {
			left--;
			yield [parts, value];
		} else if (isArray(inner)) for (const [at, one] of inner.entries()) yield* walk(one, [...parts.slice(0, -1), `${parts.at(-1)}[${at}]`]);
		else if (isObject(inner)) for (const [key, one] of Object.entries(inner)) if (key !== "") yield* walk(one, [...parts, key]);
	}
	for (const [key, member] of Object.entries(json)) if (key !== "") yield* walk(member, [key]);
}
