// rtl_433: <base>/<host>/events with one JSON object for each transmission, <base>/<host>/devices/<model>[/<channel>]/<id>/<key> with one value each.
// Source: https://github.com/merbanan/rtl_433/blob/master/docs/DATA_FORMAT.md, https://github.com/merbanan/rtl_433/blob/master/docs/OPERATION.md
//
// The address of a device is `<model>/<channel>/<id>`, of which some have only a part; a new battery gives many a new id. Points are the keys.

import type { Category, Point } from "../../core/point.js";
import type { Unit } from "../../core/unit.js";
import { isNumeric, numericFromText, type Value } from "../../core/value.js";
import { isNumber, isObject, type Json, type JsonObject } from "../json.js";
import type { Message, OutMessage } from "../link.js";
import { type Meaning, NOTHING } from "../meaning.js";
import type { Convention } from "./convention.js";
import { pointFor } from "./learned.js";
import { type Facts, joined, Observed, type Seen } from "./observed.js";
import { Payload, saysNothing } from "./payload.js";
import { timeFrom } from "./times.js";

/** Units by the ending of a key, longest first: the rule of the data format, and what decoders use beyond it. */
const SUFFIXES: readonly (readonly [ending: string, unit: Unit])[] = [
	["_ug_m3", "µg/m³"], ["_mg_m3", "mg/m³"], ["_mm_h", "mm/h"], ["_in_h", "in/h"], ["_mi_h", "mph"], ["_km_h", "km/h"], ["_W_m2", "W/m²"], ["_m_s", "m/s"],
	["_hPa", "hPa"], ["_kPa", "kPa"], ["_mbar", "mbar"], ["_bar", "bar"], ["_PSI", "psi"], ["_psi", "psi"], ["_inHg", "inHg"], ["_Pa", "Pa"],
	["_mph", "mph"], ["_kph", "km/h"], ["_kmh", "km/h"], ["_kt", "kn"], ["_lux", "lx"], ["_deg", "°"], ["_pct", "%"], ["_percent", "%"], ["_ppm", "ppm"], ["_ppb", "ppb"], ["_rpm", "rpm"],
	["_kWh", "kWh"], ["_MWh", "MWh"], ["_Wh", "Wh"], ["_kW", "kW"], ["_kVA", "kVA"], ["_VAR", "VAr"], ["_VA", "VA"], ["_W", "W"], ["_mV", "mV"], ["_mA", "mA"], ["_Ah", "Ah"], ["_V", "V"], ["_A", "A"],
	["_dBm", "dBm"], ["_dB", "dB"], ["_MHz", "MHz"], ["_kHz", "kHz"], ["_Hz", "Hz"], ["_km", "km"], ["_mm", "mm"], ["_cm", "cm"], ["_in", "in"], ["_ft", "ft"], ["_mi", "mi"],
	["_m3", "m³"], ["_ft3", "ft³"], ["_gal", "gal"], ["_L", "L"], ["_l", "L"], ["_kg", "kg"], ["_g", "g"], ["_lb", "lb"], ["_lbs", "lb"], ["_ms", "ms"], ["_min", "min"], ["_s", "s"], ["_m", "m"],
	["_C", "°C"], ["_F", "°F"], ["_K", "K"],
];

/** Keys without a unit in them. */
const KEYS: Readonly<Record<string, readonly [unit: Unit | undefined, category?: Category]>> = {
	humidity: ["%"], moisture: ["%"], uv: ["UV index"], uvi: ["UV index"], wind_dir: ["°"], rssi: ["dB", "status"], snr: ["dB", "status"], noise: ["dB", "status"],
	battery_ok: [undefined, "status"], battery: [undefined, "status"], battery_V: ["V", "status"], battery_mV: ["mV", "status"], battery_pct: ["%", "status"],
};

/** Of the message or of its reception, not of the device: they change with each, or are said by the address. */
const LEFT_OUT: ReadonlySet<string> = new Set(["time", "model", "type", "id", "channel", "subtype", "data", "raw", "raw_msg", "rows", "codes", "num_rows", "bits", "mic", "mod", "freq", "freq1", "freq2", "msg_type_raw", "protocol"]);
/** What a user has set on the device, or what state it says to be in. */
const STATUS = /(?:alarm|active|status|^state|_low|tamper|learn|test|setpoint|mode|meat|timer|startup|maybe)/;

/** An id above this is none of a sensor; the topic parts too. */
const MAX_PART = 64;

export class Rtl433 implements Convention {
	readonly name = "rtl_433";
	readonly #base: string;
	readonly #devices = new Observed();

	constructor(options: { readonly base?: string } = {}) {
		this.#base = options.base ?? "rtl_433";
	}

	filters(): readonly string[] {
		return [`${this.#base}/#`, `+/${this.#base}/#`];
	}

	hear(message: Message): Meaning | undefined {
		const levels = message.topic.split("/");
		const base = this.#base.split("/");
		const start = [0, 1].find((at) => base.every((level, index) => levels[at + index] === level));
		if (start === undefined) return undefined;
		const rest = levels.slice(start + base.length);
		const payload = new Payload(message);
		// The host is left out by some, as in the documentation's own examples.
		const kind = rest[0] === "events" || rest[0] === "states" || rest[0] === "devices" ? 0 : 1;
		switch (rest[kind]) {
			case "events": return rest.length === kind + 1 ? this.#event(message, payload) : NOTHING;
			case "states": case "availability": return NOTHING;
			case "devices": return this.#single(rest.slice(kind + 1), message, payload);
			default: return this.#single(rest, message, payload);
		}
	}

	command(address: string, point: string): readonly OutMessage[] | undefined {
		return this.#devices.refuse(address, point);
	}

	#event(message: Message, payload: Payload): Meaning {
		const json = payload.json;
		if (!isObject(json)) return { misfits: [{ where: message.topic, reason: payload.fault ?? "Cannot read an rtl_433 event: it is no object", sample: payload.sample }] };
		// Without any word of who sent it, it is the receiver's own report.
		if (partOf(json["model"]) === undefined && partOf(json["id"]) === undefined) return NOTHING;
		const { facts, seen } = rtlReadings(json, message.retained);
		return joined([this.#devices.see(facts, seen)], !message.retained);
	}

	/** One value under the topic of its device: the last level is the key. */
	#single(levels: readonly string[], message: Message, payload: Payload): Meaning {
		const key = levels.at(-1) ?? "";
		const path = levels.slice(0, -1);
		if (path.length === 0 || path.length > 6 || path.some((part) => part === "" || part.length > MAX_PART)) return NOTHING;
		if (payload.empty || LEFT_OUT.has(key)) return NOTHING;
		if (isObject(payload.json)) {
			// Some put the whole event under the device.
			return partOf(payload.json["model"]) === undefined ? NOTHING : this.#event(message, payload);
		}
		const seen = readingOf(key, valueFrom(key, payload.text.trim()), message.retained);
		return seen ? joined([this.#devices.see({ address: path.join("/"), model: path[0]!, type: "sensor" }, [seen])], !message.retained) : NOTHING;
	}
}

/** What one transmission says, and of whom. */
export function rtlReadings(json: JsonObject, retained: boolean): { readonly facts: Facts; readonly seen: readonly Seen[] } {
	const model = partOf(json["model"]);
	const parts = [model ?? "unknown", partOf(json["channel"]), partOf(json["id"])].filter((part) => part !== undefined);
	// The default topic of single values has these two more, and other characters replaced.
	const path = [partOf(json["type"]), model, partOf(json["subtype"]), partOf(json["channel"]), partOf(json["id"])].flatMap((part) => part?.replace(/[^-\w]/g, "_") ?? []).join("/");
	const address = parts.join("/");
	const at = timeFrom(json["time"]);
	const seen = Object.entries(json).flatMap(([key, value]) => readingOf(key, typeof value === "string" || typeof value === "boolean" || isNumber(value) ? value : undefined, retained, at) ?? []);
	return { facts: { address, ...(path !== address && path !== "" && { aliases: [path] }), ...(model !== undefined && { model }), type: "sensor" }, seen };
}

function partOf(json: Json | undefined): string | undefined {
	const text = isNumber(json) ? json.text : typeof json === "string" ? json.trim() : "";
	return text === "" || text.length > MAX_PART ? undefined : text;
}

/** A bare value: a number where it is one, unless it is a code (`0e12`, `007`). */
function valueFrom(key: string, text: string): Value {
	const number = /^-?(?:0|[1-9]\d*)(?:\.\d+)?$/.test(text) && !/^(?:code|rolling|mcode)$/.test(key) ? numericFromText(text) : undefined;
	return number ?? text;
}

/** Events of remotes: of what is retained nobody knows when it was pressed. */
const EVENTS: ReadonlySet<string> = new Set(["button", "cmd", "command", "event", "code", "tristate", "rolling", "switch1", "switch2", "switch3", "switch4", "switch5"]);

function readingOf(key: string, value: Value | undefined, retained: boolean, at?: number): Seen | undefined {
	if (value === undefined || LEFT_OUT.has(key) || (typeof value === "string" && saysNothing(value)) || (retained && EVENTS.has(key))) return undefined;
	return { point: key, value, as: rtlPoint(key, value), ...(at !== undefined && { at }) };
}

/** The point of a key: its unit from the table, else from its ending. */
export function rtlPoint(key: string, value: Value): Point {
	const known = Object.hasOwn(KEYS, key) ? KEYS[key] : undefined;
	const plain = key.replace(/_?\d+(?=_[A-Za-z]+$|$)/, "");
	const unit = known ? known[0] : (Object.hasOwn(KEYS, plain) ? KEYS[plain]![0] : SUFFIXES.find(([ending]) => key.endsWith(ending) || plain.endsWith(ending))?.[1]);
	const category = known?.[1] ?? (STATUS.test(key) || !isNumeric(value) ? "status" : undefined);
	return pointFor(value, { unit, category });
}
