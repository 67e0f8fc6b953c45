// Shelly of the first generation: shellies/<id>/<what>, one plain value for each topic, and JSON on `info` and `status`.
// Source: https://shelly-api-docs.shelly.cloud/gen1/#mqtt-support
//
// The address is the id, which a user may have changed and which may then hold `/`; the MAC of its announcement is an alias.
// A point is named by its topic below the id (`relay/0`, `sensor/temperature`), members of a JSON by their path (`meters[0].power`, `light/0.brightness`).

import type { Point } from "../../core/point.js";
import type { Unit } from "../../core/unit.js";
import { numericFromText, textOf, type Value } from "../../core/value.js";
import { isArray, isObject, type Json, scalars } from "../json.js";
import type { Message, OutMessage } from "../link.js";
import { type Meaning, NOTHING } from "../meaning.js";
import type { Convention } from "./convention.js";
import { Draft, fitting, out, pointFor, type Spec, Thing, Things, truthOf } from "./learned.js";
import { macAddress, Payload, wordIn } from "./payload.js";

const BASE = "shellies/";
/** Presence of devices that have not spoken yet. */
const MAX_SAID = 2_000;

/** What a topic below the id can be: what comes before it is the id. */
const KNOWN = /^(?:relay|emeter|meter|roller|light|color|white|input|input_event|longpush|thermostat|adc|ext_temperature|ext_temperature_f|ext_humidity|ext_switch)\/\d+(?:\/.+)?$|^sensor\/[a-z0-9_]+$|^(?:temperature|temperature_f|overtemperature|temperature_status|voltage|total_power|status|info|settings|online|announce|command|motion|vibration|ext_temperatures|ext_humidities|charger|battery|lux|overload)$/;

type Kind = "number" | "truth" | "text";
type Row = readonly [pattern: RegExp, kind: Kind, unit?: Unit | undefined, category?: Point["category"]];

/** Topics of one plain value. The first that fits; the energy of relays, lights and rollers is in watt-minutes, the totals of meters in watt-hours. */
const TOPICS: readonly Row[] = [
	[/^(?:relay|light|color|white|roller|emeter|meter)\/\d+\/power$|^total_power$/, "number", "W"],
	[/^(?:relay|light|color|white|roller|meter|emeter)\/\d+\/(?:returned_)?energy$/, "number", "W*min"],
	[/^emeter\/\d+\/total(?:_returned)?$/, "number", "Wh"],
	[/^emeter\/\d+\/voltage$|^voltage$|^adc\/\d+$/, "number", "V"],
	[/^emeter\/\d+\/current$/, "number", "A"],
	[/^emeter\/\d+\/reactive_power$/, "number", "VAr"],
	[/^emeter\/\d+\/pf$/, "number"],
	[/^relay\/\d+\/overpower_value$/, "number", "W", "status"],
	[/^temperature$/, "number", "°C", "status"],
	[/^temperature_f$/, "number", "°F", "status"],
	[/^sensor\/temperature$|^ext_temperature\/\d+$/, "number", "°C"],
	[/^ext_temperature_f\/\d+$/, "number", "°F"],
	[/^sensor\/humidity$|^ext_humidity\/\d+$/, "number", "%"],
	[/^(?:sensor\/)?battery$/, "number", "%", "status"],
	[/^(?:sensor\/)?lux$/, "number", "lx"],
	[/^sensor\/tilt$/, "number", "°"],
	[/^sensor\/(?:concentration|gas_concentration)$/, "number", "ppm"],
	[/^sensor\/(?:flood|smoke|motion|vibration|ext_power|charger|active)$|^(?:motion|vibration|charger)$/, "truth"],
	[/^(?:overtemperature|overload)$|^(?:input|longpush|ext_switch)\/\d+$/, "truth", undefined, "status"],
	[/^sensor\/error$/, "text", undefined, "status"],
];

/** Members of `info` and `status` by their last keys, in which lists have no numbers. */
const MEMBERS: readonly (readonly [pattern: RegExp, unit: Unit])[] = [
	[/(?:^|\.)(?:power|total_power)$/, "W"],
	[/emeters\.(?:total|total_returned)$/, "Wh"],
	[/(?:^|\.)(?:energy|total|returned_energy|meters\.counters)$/, "W*min"],
	[/(?:^|\.)voltage$/, "V"], [/(?:^|\.)current$/, "A"], [/(?:^|\.)reactive(?:_power)?$/, "VAr"],
	[/tC$|^temperature$|target_t$|target_t\.value_op$|thermostats\.tmp\.value$/, "°C"], [/tF$/, "°F"],
	[/(?:^|\.)(?:hum\.value|humidity|bat|bat\.value|battery|brightness|gain|current_pos|thermostats\.pos)$/, "%"],
	[/(?:^|\.)(?:lux|lux\.value)$/, "lx"], [/rssi$/, "dBm"], [/(?:^|\.)(?:uptime|total_work_time|timer_duration|timer_remaining)$/, "s"],
	[/(?:^|\.)(?:ram_total|ram_free|fs_size|fs_free)$/, "B"], [/(?:^|\.)tilt$/, "°"], [/(?:^|\.)temp$/, "K"], [/concentration\.ppm$/, "ppm"],
];
const MEASURED = /(?:power|pf|current|voltage|energy|total|returned|reactive|motion|vibration|lux|tmp|hum|tC|tF|hwID|temperature|humidity|flood|smoke|event_cnt)/;
const IDENTITY = /^(?:mac|hwID|model|id|ip|wifi_sta\.ip|wifi_sta\.ssid|fw_ver|serial)$/;
/** A list index in a name. */
const INDEX = /\[\d+\]|\.\d+(?=\.|$)/g;

const BATTERY = ["sensor/battery", "battery", "bat", "bat.value"];

class Gen1Thing extends Thing {
	asked = false;
}

export class ShellyGen1 implements Convention {
	readonly name = "shelly-gen1";
	readonly #guess: boolean;
	readonly #things = new Things((address) => new Gen1Thing(address));
	/** What `online` said of who has not spoken yet: it is retained, and may be of a device long gone. */
	readonly #said = new Map<string, boolean>();

	/** @param options `guess`: make a device of an old message too. For one message alone; in a gateway it would make ghosts. */
	constructor(options: { readonly guess?: boolean } = {}) {
		this.#guess = options.guess ?? false;
	}

	filters(): readonly string[] {
		return [`${BASE}#`];
	}

	hear(message: Message): Meaning | undefined {
		if (!message.topic.startsWith(BASE)) return undefined;
		const rest = message.topic.slice(BASE.length);
		const draft = new Draft(message);
		if (rest === "command") return NOTHING;
		if (rest === "announce") return this.#announced(undefined, message, draft);
		const place = this.#place(rest);
		if (!place) return undefined;
		const [id, what] = place;
		if (what === "announce") return this.#announced(id, message, draft);
		if (/(?:^|\/)(?:command|set)(?:\/.*)?$/.test(what)) return NOTHING;
		if (what === "online") return this.#online(id, message, draft);
		if (message.retained && !this.#guess && !this.#things.get(id)) return NOTHING;
		const thing = this.#take(id, draft);
		if (thing) this.#spoken(thing, what, message, draft);
		return draft.finish();
	}

	command(address: string, point: string, value: Value): readonly OutMessage[] | undefined {
		return this.#things.get(address)?.command(point, value);
	}

	/** The id, and the topic below it: the longest id that is known, else what stands before the first topic that a Shelly has. */
	#place(rest: string): readonly [id: string, what: string] | undefined {
		const cuts: number[] = [];
		for (let cut = rest.indexOf("/"); cut >= 0 && cuts.length < 8; cut = rest.indexOf("/", cut + 1)) cuts.push(cut);
		const known = [...cuts].reverse().find((cut) => this.#things.get(rest.slice(0, cut)));
		const cut = known ?? cuts.find((one) => KNOWN.test(rest.slice(one + 1)));
		return cut === undefined || cut === 0 ? undefined : [rest.slice(0, cut), rest.slice(cut + 1)];
	}

	#take(id: string, draft: Draft): Gen1Thing | undefined {
		const thing = this.#things.take(id);
		if (!thing) {
			draft.misfit(id, "Cannot take another device: there are too many");
			return undefined;
		}
		if (!thing.asked) {
			thing.asked = true;
			// Once, for the MAC, the model, and the points that it has not told of yet.
			if (!draft.retained) for (const word of ["announce", "update"]) draft.send(`${BASE}${id}/command`, word);
			const up = this.#said.get(id);
			if (up !== undefined) this.#sayUp(id, thing, up, draft);
			this.#said.delete(id);
		}
		return thing;
	}

	/** `shellies/announce`, which all share, or `shellies/<id>/announce`. */
	#announced(id: string | undefined, message: Message, draft: Draft): Meaning | undefined {
		const payload = new Payload(message);
		const json = payload.json;
		if (payload.empty) return NOTHING;
		if (!isObject(json)) {
			draft.misfit(message.topic, payload.fault ?? "Cannot use an announcement: it is no JSON object");
			return draft.finish();
		}
		if (json["gen"] !== undefined) return undefined; // the second generation says it there too
		const said = wordIn(json["id"]);
		const address = id ?? said;
		// Commands are sent to the topic below it.
		if (address === undefined || (id === undefined && !/^[^/+#\0]+$/.test(address))) return NOTHING;
		if (message.retained && !this.#guess && !this.#things.get(address)) return NOTHING;
		const known = this.#things.get(address);
		const thing = this.#things.take(address);
		if (!thing) return NOTHING;
		if (!known) {
			thing.asked = true;
			if (!message.retained) draft.send(`${BASE}${address}/command`, "update");
		}
		draft.hear(thing);
		thing.know({ model: wordIn(json["model"]), firmware: wordIn(json["fw_ver"]), manufacturer: "Shelly" });
		thing.alias(macAddress(wordIn(json["mac"]) ?? ""));
		for (const key of ["model", "mac", "ip", "fw_ver"]) {
			const text = wordIn(json[key]);
			if (text !== undefined) draft.tell(thing, key, text, { point: { kind: "text", access: "r", category: "identity" } });
		}
		if (typeof json["new_fw"] === "boolean") draft.tell(thing, "new_fw", json["new_fw"], { point: { kind: "boolean", access: "r", category: "status" } });
		return draft.finish();
	}

	#online(id: string, message: Message, draft: Draft): Meaning {
		const up = truthOf(new Payload(message).text);
		if (up === undefined) return NOTHING;
		const thing = this.#things.get(id);
		if (this.#guess || thing) this.#sayUp(id, thing, up, draft);
		else {
			this.#said.delete(id);
			this.#said.set(id, up);
			if (this.#said.size > MAX_SAID) this.#said.delete(this.#said.keys().next().value!);
		}
		return draft.finish();
	}

	/** What runs on a battery is away between two measurements. */
	#sayUp(id: string, thing: Gen1Thing | undefined, up: boolean, draft: Draft): void {
		const battery = BATTERY.some((name) => thing?.entry(name));
		draft.say(thing?.address ?? id, up ? "online" : battery ? "asleep" : "offline", !up && battery ? "it sleeps between measurements" : undefined);
	}

	#spoken(thing: Gen1Thing, what: string, message: Message, draft: Draft): void {
		const payload = new Payload(message);
		draft.hear(thing);
		const text = payload.text.trim();
		if (text === "") return;
		const event = /^(?:input_event|longpush)\/\d+$/.test(what);
		if (event && message.retained) return; // pressed long ago
		const json = /^[[{]/.test(text) ? payload.json : undefined;
		if (/^[[{]/.test(text) && json === undefined) return draft.misfit(thing.address, payload.fault ?? `Cannot read "${what}"`);
		if (isObject(json)) return this.#members(thing, what, json, draft);
		const power = /^(relay|light|color|white)\/\d+$/.test(what);
		if (power) return this.#switched(thing, what, text, draft);
		const spec = this.#specOf(thing, what, text);
		if (/^roller\/\d+\/pos$/.test(what) && text === "-1") return; // not calibrated
		draft.tell(thing, what, isArray(json) ? text : (fitting(spec.point, text) ?? text), spec);
	}

	/** on, off, or overpower: off, for it took too much. */
	#switched(thing: Gen1Thing, what: string, text: string, draft: Draft): void {
		const spec: Spec = { point: { kind: "boolean", access: "rw", category: "status" }, send: (value) => out(`${BASE}${thing.address}/${what}/command`, value === true ? "on" : "off") };
		const over = `${what}/overpower`;
		if (text === "overpower" || thing.entry(over)) draft.tell(thing, over, text === "overpower", { point: { kind: "boolean", access: "r", category: "status" } });
		draft.tell(thing, what, text === "overpower" ? false : text, spec);
	}

	/** What a topic of one plain value is. */
	#specOf(thing: Gen1Thing, what: string, text: string): Spec {
		const topic = `${BASE}${thing.address}/`;
		if (/^roller\/\d+$/.test(what)) return { point: { kind: "enum", access: "rw", category: "status", labels: ["open", "close", "stop"] }, send: (value) => out(`${topic}${what}/command`, textOf(value)) };
		if (/^roller\/\d+\/pos$/.test(what)) return { point: { ...PERCENT, timeout: 90_000 }, send: (value) => out(`${topic}${what.replace(/pos$/, "command/pos")}`, textOf(value)) };
		const row = TOPICS.find(([pattern]) => pattern.test(what));
		if (row) {
			const [, kind, unit, category] = row;
			const base = { access: "r" as const, ...(category !== undefined && { category }) };
			return { point: kind === "number" ? { kind: "numeric", ...base, ...(unit !== undefined && { unit }) } : { kind: kind === "truth" ? "boolean" : "text", ...base } };
		}
		const number = numericFromText(text);
		const truth = /^(?:true|false|on|off)$/.test(text) ? truthOf(text) : undefined;
		return { point: pointFor(number ?? truth ?? text, typeof number === "object" ? {} : { category: "status" }) };
	}

	/** A JSON: `info`, `status` and `settings` are the device's own, others are below their topic. */
	#members(thing: Gen1Thing, what: string, json: Json, draft: Draft): void {
		const own = /^(?:info|status|settings)$/.test(what);
		const where = own ? "" : what.replace(/\/status$/, "");
		if (own && isObject(json)) {
			thing.alias(macAddress(wordIn(json["mac"]) ?? ""));
			thing.know({ firmware: isObject(json["update"]) ? wordIn(json["update"]["old_version"]) : undefined });
		}
		for (const [path, value] of scalars(json)) {
			const short = path.replace(/(^|\.)target_t\.value$/, "$1target_t");
			const name = where === "" ? short : `${where}.${short}`;
			if (value === "" || /(?:^|\.)(?:time|unixtime|is_valid|timestamp)$/.test(path) || /passw|login/i.test(path)) continue;
			draft.tell(thing, name, value, this.#memberSpec(thing, what, short, value));
			if (path === "ison" && where !== "") this.#switched(thing, where, textOf(value), draft);
		}
	}

	#memberSpec(thing: Gen1Thing, what: string, path: string, value: Value): Spec {
		const topic = `${BASE}${thing.address}/`;
		const target = /^thermostats\[(\d+)\]\.target_t$/.exec(path);
		if (target) return { point: { kind: "numeric", access: "rw", category: "status", unit: "°C", min: 4, max: 31, step: 0.1 }, send: (wish) => out(`${topic}thermostat/${target[1]}/command/target_t`, textOf(wish)) };
		const lamp = /^(?:light|color|white)\/\d+\/status$/.test(what) ? LAMP.get(path) : undefined;
		if (lamp) return { point: lamp, send: (wish) => out(`${topic}${what.replace(/status$/, "set")}`, `{"${path}":${typeof wish === "string" ? JSON.stringify(wish) : textOf(wish)}}`) };
		const plain = path.replace(INDEX, "");
		const unit = typeof value === "object" ? MEMBERS.find(([pattern]) => pattern.test(plain))?.[1] : undefined;
		const category = IDENTITY.test(plain) ? "identity" as const : MEASURED.test(plain) && !/^(?:tmp|temperature|overtemperature)/.test(plain) ? undefined : "status" as const;
		return { point: pointFor(value, { ...(unit !== undefined && { unit }), ...(category !== undefined && { category }) }) };
	}
}

const PERCENT = { kind: "numeric", access: "rw", category: "status", unit: "%", min: 0, max: 100, integer: true } as const;
const LEVEL = { kind: "numeric", access: "rw", category: "status", min: 0, max: 255, integer: true } as const;
/** What `…/set` of a lamp takes. */
const LAMP: ReadonlyMap<string, Point> = new Map(Object.entries<Point>({
	brightness: PERCENT, gain: PERCENT, red: LEVEL, green: LEVEL, blue: LEVEL, white: LEVEL,
	temp: { kind: "numeric", access: "rw", category: "status", unit: "K", min: 2_700, max: 6_500, integer: true },
	effect: { kind: "numeric", access: "rw", category: "status", min: 0, max: 6, integer: true },
	transition: { kind: "numeric", access: "rw", category: "status", unit: "ms", min: 0, max: 5_000, integer: true },
	mode: { kind: "enum", access: "rw", category: "status", labels: ["white", "color"] },
}));
