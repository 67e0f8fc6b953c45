// OpenMQTTGateway and Theengs Gateway: <base>/<gateway>/<radio>toMQTT[/<id>], <base>/<gateway>/LWT.
// Source: https://docs.openmqttgateway.com/use/ble.html, https://docs.openmqttgateway.com/use/rf.html, https://decoder.theengs.io/participate/adding-decoders.html
//
// The address of a Bluetooth or LoRa device is the id that it states, twelve hex digits where it is a MAC, of RTL_433toMQTT that of the rtl_433 convention.
// Codes without a sender (433, IR) are points of the gateway `<base>/<gateway>`: `433/value`. Points are the keys of the decoder.

import type { Category, Point } from "../../core/point.js";
import { type Unit, unitFrom } from "../../core/unit.js";
import { numericFromText, textOf, type Value } from "../../core/value.js";
import { asValue, isNumber, isObject, type Json, type JsonObject } from "../json.js";
import type { Message, OutMessage } from "../link.js";
import { type Meaning, NOTHING } from "../meaning.js";
import type { Convention } from "./convention.js";
import { pointFor } from "./learned.js";
import { type Facts, joined, Observed, type Seen } from "./observed.js";
import { macAddress, Payload, saysNothing } from "./payload.js";
import { rtlReadings } from "./rtl_433.js";
import { timeFrom } from "./times.js";

/** Private addresses change every quarter of an hour: passers-by push each other out. */
const MAX_DEVICES = 2_000;
const MAX_GATEWAYS = 200;

/** Units and categories by key; the first that matches. A digit behind it numbers the probe: `tempc2`. */
const KEYS: readonly (readonly [key: RegExp, unit: Unit | undefined, category?: Category])[] = [
	[/^(?:[a-z]*_)?tempc\d*(?:_.*)?$|^(?:int|ext|target|bbq|otemp|dewp?)[a-z]*c\d*$/, "°C"], [/^(?:[a-z]*_)?tempf\d*(?:_.*)?$|^(?:int|ext|target|bbq|otemp|dewp?)[a-z]*f\d*$/, "°F"],
	[/^(?:lowbatt|low_batt|charging|plugged|locked|tamper|problem|mode|state|status|error|alarm|light_mode|shake|vibration|water_leak|power_off)$/, undefined, "status"],
	[/^hum\d*$|^humidity$/, "%"], [/^batt(?:ery)?\d*$/, "%", "status"], [/^volt(?:age)?\d*$/, "V", "status"], [/^moi(?:sture)?$/, "%"], [/^lux$/, "lx"], [/^fer$/, "µS/cm"], [/^cond(?:uctivity)?$/, "µS/cm"],
	[/^pres(?:s|sure)?$/, "hPa"], [/^power$/, "W"], [/^energy$/, "kWh"], [/^current$/, "A"], [/^co2$/, "ppm"], [/^t?voc$/, "ppb"], [/^(?:formal|hcho|for)$/, "mg/m³"], [/^pm(?:1|25|2_5|4|10)$/, "µg/m³"],
	[/^acc[xyz]$/, "m/s²"], [/^gyr?[xyz]$/, "°/s"], [/^mag[xyz]$/, "µT"], [/^(?:pitch|roll|angle|rot)$/, "°"], [/^(?:impedance|imp)$/, "Ω"], [/^hr$|^bpm$/, "1/min"], [/^noise$/, "dBA"],
	[/^rssi$/, "dBm", "status"], [/^snr$/, "dB", "status"], [/^distance$/, "m", "status"], [/^tx_?power$/, "dBm", "status"], [/^(?:pferror|packetSize|mac_type|adv_type|length|delay|bits|repeat|raw_?len)$/, undefined, "status"], [/^mhz$/, "MHz", "status"],
	[/^(?:brand|model|model_id|type|name|mfid|uuid|major|minor|from|to|cidc|acts|cont|track|ctrl|prmac|encr|device|version|uuid128)$/, undefined, "identity"],
	[/^(?:uptime)$/, "s", "status"], [/^(?:freemem|minfreemem)$/, "B", "status"], [/^(?:temp(?:c)?)$/, "°C"],
];

/** The bytes from which the rest was decoded, keys of other fields, and times. */
const LEFT_OUT: ReadonlySet<string> = new Set(["id", "mac", "servicedata", "servicedatauuid", "manufacturerdata", "raw", "rawdata", "time", "unixtime", "UTCtime", "timestamp", "hex", "origin"]);

/** What a gateway says of itself; the rest of its long report is its settings. */
const SYSTEM: ReadonlySet<string> = new Set(["uptime", "version", "freemem", "rssi", "SSID", "ip", "env", "board", "tempc", "temp"]);

const RADIO = /^[A-Za-z0-9_]{1,20}toMQTT$/;
/** Other dialects have an LWT of the same look. */
const OTHERS: ReadonlySet<string> = new Set(["tele", "stat", "cmnd", "tasmota", "homeassistant"]);

interface Gateway {
	readonly address: string;
	readonly devices: Set<string>;
	offline: boolean;
}

export class Theengs implements Convention {
	readonly name = "theengs";
	readonly #base: string;
	readonly #devices = new Observed(MAX_DEVICES);
	readonly #gateways = new Map<string, Gateway>();

	constructor(options: { readonly base?: string } = {}) {
		this.#base = options.base ?? "home";
	}

	filters(): readonly string[] {
		const kinds = ["BTtoMQTT", "433toMQTT", "IRtoMQTT", "LORAtoMQTT", "RTL_433toMQTT", "SYStoMQTT", "RFtoMQTT", "PilighttoMQTT"];
		return [`${this.#base}/+/LWT`, ...kinds.flatMap((kind) => [`+/+/${kind}`, `+/+/${kind}/#`])];
	}

	hear(message: Message): Meaning | undefined {
		const [base, name, kind, ...rest] = message.topic.split("/");
		if (!base || !name || !kind || OTHERS.has(base)) return undefined;
		const address = `${base}/${name}`;
		if (kind === "LWT" && rest.length === 0) return base === this.#base || this.#gateways.has(address) ? this.#will(address, name, message) : undefined;
		if (!RADIO.test(kind)) return undefined;
		const payload = new Payload(message);
		const json = payload.json;
		if (!isObject(json)) return payload.empty ? NOTHING : { misfits: [{ where: message.topic, reason: payload.fault ?? "Cannot read a message: it is no object", sample: payload.sample }] };
		const gateway = this.#gateway(address);
		switch (kind) {
			case "BTtoMQTT": case "LORAtoMQTT": return this.#sensor(gateway, name, kind, rest, json, message);
			case "RTL_433toMQTT": {
				const { facts, seen } = rtlReadings(json, message.retained);
				return this.#by(gateway, facts, seen, message);
			}
			case "SYStoMQTT": return this.#system(gateway, name, json, message);
			default: return this.#code(gateway, name, kind.slice(0, -"toMQTT".length), json, message);
		}
	}

	command(address: string, point: string): readonly OutMessage[] | undefined {
		return this.#devices.refuse(macAddress(address) ?? address, point);
	}

	/** A Bluetooth or LoRa device: by the id that it states, else by its topic, else by who sent the text. */
	#sensor(gateway: Gateway, name: string, kind: string, rest: readonly string[], json: JsonObject, message: Message): Meaning {
		const id = wordOf(json["id"]) ?? wordOf(json["mac"]) ?? (rest.length > 0 && rest[0] !== "" ? rest.join("/") : undefined) ?? wordOf(json["from"]);
		if (id === undefined) return this.#code(gateway, name, kind.slice(0, -"toMQTT".length), json, message);
		const address = macAddress(id) ?? id;
		const label = wordOf(json["name"]);
		const brand = wordOf(json["brand"]);
		const model = wordOf(json["model_id"]) ?? wordOf(json["model"]);
		// `GENERIC` is what the decoder says of beacons of no maker.
		const facts: Facts = { address, type: "sensor", ...(label !== undefined && { name: label }), ...(brand !== undefined && brand !== "GENERIC" && { manufacturer: brand }), ...(model !== undefined && { model }) };
		return this.#by(gateway, facts, readings(json, "", message.retained), message);
	}

	/** A code without a sender: what the gateway's receiver heard last. Of a retained one nobody knows when it was pressed. */
	#code(gateway: Gateway, name: string, radio: string, json: JsonObject, message: Message): Meaning {
		if (message.retained) return NOTHING;
		return joined([this.#devices.see({ address: gateway.address, name, type: "gateway" }, readings(json, `${radio}/`, false))], true);
	}

	#system(gateway: Gateway, name: string, json: JsonObject, message: Message): Meaning {
		const mac = macAddress(wordOf(json["mac"]) ?? "");
		const version = wordOf(json["version"]);
		const facts: Facts = { address: gateway.address, name, type: "gateway", ...(mac !== undefined && { aliases: [mac] }), ...(version !== undefined && { firmware: version }) };
		const own: JsonObject = Object.assign(Object.create(null), Object.fromEntries(Object.entries(json).filter(([key]) => SYSTEM.has(key))));
		return joined([this.#devices.see(facts, readings(own, "", message.retained))], !message.retained);
	}

	#by(gateway: Gateway, facts: Facts, seen: readonly Seen[], message: Message): Meaning {
		const isBack = !message.retained && [...this.#gateways.values()].some((one) => one.offline && one.devices.has(facts.address));
		for (const one of this.#gateways.values()) one.devices.delete(facts.address);
		gateway.devices.add(facts.address);
		if (gateway.devices.size > MAX_DEVICES) gateway.devices.delete(gateway.devices.values().next().value!);
		return joined([this.#devices.see(facts, seen), ...(isBack ? [{ states: [{ address: facts.address, state: "online" as const }] }] : []), { heard: [facts.address] }], !message.retained);
	}

	/** Without its gateway nothing of a device is heard: those that it heard last are offline with it. */
	#will(address: string, name: string, message: Message): Meaning {
		const word = new Payload(message).text.trim().toLowerCase();
		if (word !== "online" && word !== "offline") return NOTHING;
		const gateway = this.#gateway(address);
		const isNews = gateway.offline !== (word === "offline");
		gateway.offline = word === "offline";
		const behind = isNews ? [...gateway.devices].map((one) => ({ address: one, state: word, ...(word === "offline" && { reason: "its gateway is offline" }) }) as const) : [];
		const own = this.#devices.see({ address, name, type: "gateway" }, []);
		return { ...own, states: [{ address, state: word }, ...behind] };
	}

	#gateway(address: string): Gateway {
		const gateway = this.#gateways.get(address) ?? { address, devices: new Set<string>(), offline: false };
		if (this.#gateways.size < MAX_GATEWAYS) this.#gateways.set(address, gateway);
		return gateway;
	}
}

function readings(json: JsonObject, prefix: string, retained: boolean): Seen[] {
	const at = timeFrom(json["unixtime"]) ?? timeFrom(json["UTCtime"]) ?? timeFrom(json["timestamp"]);
	return Object.entries(json).flatMap(([key, one]): Seen[] => {
		const value = LEFT_OUT.has(key) ? undefined : valueOf(key, one);
		if (value === undefined || (retained && (key === "value" || key === "message"))) return [];
		return [{ point: prefix + key, value, as: pointOfKey(key, value, json), ...(at !== undefined && { at }) }];
	});
}

/** Old versions send numbers as texts; what says who the device is stays text. */
function valueOf(key: string, json: Json): Value | undefined {
	const value = asValue(json);
	if (typeof value !== "string") return value;
	if (saysNothing(value)) return undefined;
	const isIdentity = KEYS.find(([pattern]) => pattern.test(key))?.[2] === "identity";
	return isIdentity || !/^-?(?:0|[1-9]\d*)(?:\.\d+)?$/.test(value) ? value : (numericFromText(value) ?? value);
}

function pointOfKey(key: string, value: Value, json: JsonObject): Point {
	const known = KEYS.find(([pattern]) => pattern.test(key));
	// A key and `u` is the unit of that key; `unit` is that of the weight.
	const stated = wordOf(json[`${key}u`]) ?? (key === "weight" || key === "value" ? wordOf(json["unit"]) : undefined);
	const unit = stated === undefined ? known?.[1] : unitFrom(stated);
	const category = known?.[2] ?? (typeof value === "object" ? undefined : "status");
	return pointFor(value, { unit, category });
}

function wordOf(json: Json | undefined): string | undefined {
	if (isNumber(json)) return json.text;
	return typeof json === "string" && json.trim() !== "" ? textOf(json.trim()).slice(0, 100) : undefined;
}
