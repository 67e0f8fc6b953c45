// WLED: <device topic>/g, /c and /v say what a light strip shows, /status whether it is there.
// Source: https://kno.wled.ge/interfaces/mqtt/ and /interfaces/json-api/, /interfaces/http-api/
//
// The address is the device topic (`wled/` and the last six digits of the MAC address); the MAC address is its alias, where a message has it.

import type { Point } from "../../core/point.js";
import { numericFromText, textOf, type Value } from "../../core/value.js";
import { asValue, atPath, isNumber, isObject, type Json } from "../json.js";
import type { Message, OutMessage } from "../link.js";
import { type Meaning, NOTHING } from "../meaning.js";
import type { Convention } from "./convention.js";
import { Draft, out, pointFor, type Spec, Thing, Things } from "./learned.js";
import { macAddress, Payload, valueJson } from "./payload.js";

const BRIGHTNESS: Point = { kind: "numeric", access: "rw", min: 0, max: 255, integer: true, label: "Brightness" };
/** Members of the XML state, HTTP request API: what each is for people. −1 stands for none. */
const XML: Readonly<Record<string, string>> = {
	ac: "Brightness", ns: "Sync send", nr: "Sync receive", nl: "Nightlight", nd: "Nightlight duration", nt: "Nightlight target", fx: "Effect", sx: "Effect speed", ix: "Effect intensity",
	fp: "Palette", wv: "White", ps: "Preset", cy: "Preset cycle", ds: "Name", ss: "Main segment",
};
/** Members of the JSON API that are worth a point, with their units. */
const INFO: readonly (readonly [path: string, category: "identity" | "status", unit?: "mA" | "dBm" | "%" | "s" | "B"])[] = [
	["ver", "identity"], ["name", "identity"], ["mac", "identity"], ["brand", "identity"], ["product", "identity"], ["arch", "identity"], ["leds.count", "identity"], ["leds.pwr", "status", "mA"],
	["wifi.rssi", "status", "dBm"], ["wifi.signal", "status", "%"], ["uptime", "status", "s"], ["freeheap", "status", "B"],
];

export class Wled implements Convention {
	readonly name = "wled";
	readonly #prefix: string;
	readonly #strips = new Things((address) => new Thing(address));
	/** Device topic → address, where that is another. */
	readonly #byTopic = new Map<string, string>();

	constructor(options: { readonly prefix?: string } = {}) {
		this.#prefix = options.prefix ?? "wled";
	}

	filters(): readonly string[] {
		return ["g", "c", "v", "status", "json"].map((last) => `${this.#prefix}/+/${last}`);
	}

	hear(message: Message): Meaning | undefined {
		if (!message.topic.startsWith(`${this.#prefix}/`)) return undefined;
		const [strip, last, ...more] = message.topic.slice(this.#prefix.length + 1).split("/");
		const payload = new Payload(message);
		// `wled/all` is the group; the bare topic, /col and /api are what others wish.
		if (strip === undefined || strip === "" || last === undefined || more.length > 0 || payload.empty) return NOTHING;
		const draft = new Draft(message);
		const topic = `${this.#prefix}/${strip}`;
		switch (last) {
			case "g": case "c": case "v": {
				const thing = this.#strip(topic);
				if (!thing) return NOTHING;
				if (last === "g") this.#brightness(draft, thing, topic, payload.text);
				else if (last === "c") this.#color(draft, thing, topic, payload.text.trim());
				else this.#xml(draft, thing, payload.text);
				break;
			}
			case "status": {
				const word = payload.text.trim();
				const thing = word === "online" || word === "offline" ? this.#strip(topic) : undefined;
				if (!thing || (word !== "online" && word !== "offline")) return NOTHING;
				draft.touch(thing);
				draft.say(thing.address, word);
				break;
			}
			case "json": case "state": case "info": this.#json(draft, topic, last, payload); break;
			default: return NOTHING;
		}
		return draft.finish();
	}

	command(address: string, point: string, value: Value): readonly OutMessage[] | undefined {
		return (this.#strips.get(address) ?? this.#strips.get(this.#byTopic.get(address.toLowerCase()) ?? ""))?.command(point, value);
	}

	#strip(topic: string, mac?: string): Thing | undefined {
		const known = this.#strips.get(this.#byTopic.get(topic.toLowerCase()) ?? topic);
		const thing = known ?? this.#strips.take(mac ?? topic);
		if (!thing) return undefined;
		if (!known) {
			if (mac !== undefined && this.#byTopic.size < MAX_TOPICS) this.#byTopic.set(topic.toLowerCase(), mac);
			thing.know({ manufacturer: "WLED", type: "light" });
			thing.declare("on", { point: { kind: "boolean", access: "rw", label: "Power" }, send: (value) => out(topic, value === true ? "ON" : "OFF") });
			thing.declare("global_brightness", { point: BRIGHTNESS, send: (value) => out(topic, textOf(value)) });
			thing.declare("color", { point: { kind: "text", access: "rw", maxLength: 9, label: "Color" }, send: (value) => out(`${topic}/col`, textOf(value)) });
			// By the names under which the XML state says them back.
			thing.declare("fx", { point: { kind: "numeric", access: "rw", category: "status", min: 0, max: 255, integer: true, label: XML["fx"]! }, send: (value) => out(`${topic}/api`, `FX=${textOf(value)}`) });
			thing.declare("ps", { point: { kind: "numeric", access: "rw", category: "status", min: 1, max: 250, integer: true, label: XML["ps"]! }, send: (value) => out(`${topic}/api`, `PL=${textOf(value)}`) });
		}
		thing.alias(topic);
		thing.alias(mac);
		return thing;
	}

	/** The master brightness; 0 is off. */
	#brightness(draft: Draft, thing: Thing, topic: string, text: string): void {
		const value = numericFromText(text);
		draft.hear(thing);
		if (!value || value.number < 0 || value.number > 255) return draft.misfit(topic, "Cannot read the brightness: it is no number from 0 to 255");
		draft.tell(thing, "global_brightness", value, { point: BRIGHTNESS });
		draft.tell(thing, "on", value.number > 0, { point: { kind: "boolean", access: "rw" } });
	}

	/** `#RRGGBB`, or `#WWRRGGBB` when there is white in it. */
	#color(draft: Draft, thing: Thing, topic: string, text: string): void {
		draft.hear(thing);
		if (/^#[0-9a-f]{6}(?:[0-9a-f]{2})?$/i.test(text)) draft.tell(thing, "color", text, { point: { kind: "text", access: "rw" } });
		else draft.misfit(topic, "Cannot read the color: it is neither #RRGGBB nor #WWRRGGBB");
	}

	#xml(draft: Draft, thing: Thing, text: string): void {
		draft.hear(thing);
		const colors: string[] = [];
		for (const [, tag, content] of text.slice(0, MAX_XML).matchAll(/<([a-z]{2})>([^<]{0,64})<\/[a-z]{2}>/g)) {
			const said = content!.trim();
			if (tag === "cl" && colors.length < 3) colors.push(said);
			const label = XML[tag!];
			if (label === undefined || said === "" || said === "-1") continue;
			const value: Value = tag === "ds" ? said : (numericFromText(said) ?? said);
			if (tag === "ds") thing.know({ name: said });
			draft.tell(thing, tag!, value, { point: pointFor(value, { label, category: tag === "ds" ? "identity" : "status" }) });
		}
		colors.forEach((said, index) => draft.tell(thing, `cl[${index}]`, said, { point: { kind: "numeric", access: "r", category: "status" } }));
	}

	/** The state and info objects of the JSON API, as bridges publish them. */
	#json(draft: Draft, topic: string, last: string, payload: Payload): void {
		const json = payload.json;
		if (!isObject(json)) return draft.misfit(topic, payload.fault ?? "Cannot read the state: it is no object");
		const [state, info]: (Json | undefined)[] = last === "state" ? [json, undefined] : last === "info" ? [undefined, json] : [json["state"], json["info"]];
		const mac = isObject(info) && typeof info["mac"] === "string" ? macAddress(info["mac"]) : undefined;
		const thing = this.#strip(topic, mac);
		if (!thing) return;
		draft.hear(thing);
		const text = (path: string): string | undefined => {
			const found = atPath(info, path);
			return typeof found === "string" ? found : undefined;
		};
		thing.know({ name: text("name"), model: text("product"), firmware: text("ver") });
		const tell = (name: string, found: Json | undefined, spec: (value: Value) => Spec): void => {
			const value = asValue(found);
			if (value === undefined || value === "" || (isNumber(found) && found.number === -1)) return;
			draft.tell(thing, name, value, spec(value));
		};
		const set = (key: string) => (value: Value): readonly OutMessage[] => out(`${topic}/api`, `{"${key}":${valueJson(value)}}`);
		if (isObject(state)) {
			tell("state.on", state["on"], () => ({ point: { kind: "boolean", access: "rw", category: "status" }, send: set("on") }));
			tell("state.bri", state["bri"], () => ({ point: { ...BRIGHTNESS, category: "status" }, send: set("bri") }));
			for (const key of ["ps", "pl"]) tell(`state.${key}`, state[key], (value) => ({ point: pointFor(value, { category: "status", label: XML[key] ?? "Playlist" }) }));
		}
		for (const [path, category, unit] of INFO) tell(`info.${path}`, atPath(info, path), (value) => ({ point: pointFor(value, { category, ...(unit !== undefined && { unit }) }) }));
	}
}

/** Topics of strips that are known by another address; there is one for each. */
const MAX_TOPICS = 5_000;
/** The whole state has some 400 characters. */
const MAX_XML = 4_096;
