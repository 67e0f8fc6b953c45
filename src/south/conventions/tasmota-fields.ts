// What the fields of Tasmota's JSON are, by their names: units, categories, and which a command of the same name sets.
// Source: https://tasmota.github.io/docs/Commands/ · https://tasmota.github.io/docs/MQTT/ · tasmota/tasmota_xsns_sensor/*.ino ("JSON keys" of each sensor)

import type { Point } from "../../core/point.js";
import { type Unit, unitFrom } from "../../core/unit.js";
import { numericFromText, textOf, type Value } from "../../core/value.js";
import { truthOf } from "./learned.js";

/** Units that a message names for all its values. */
export interface MessageUnits {
	readonly temperature: Unit;
	readonly pressure: Unit;
	readonly speed: Unit;
}

export const METRIC: MessageUnits = { temperature: "°C", pressure: "hPa", speed: "km/h" };

/** `TempUnit`, `PressureUnit`, `SpeedUnit` as they stand beside the sensors of a message. */
export function messageUnits(named: (key: string) => unknown): MessageUnits {
	const unit = (key: string, fallback: Unit): Unit => {
		const text = named(key);
		return (typeof text === "string" ? unitFrom(text) : undefined) ?? fallback;
	};
	return { temperature: unit("TempUnit", METRIC.temperature), pressure: unit("PressureUnit", METRIC.pressure), speed: unit("SpeedUnit", METRIC.speed) };
}

type Measure = Unit | keyof MessageUnits;

/** By the last key, without the number behind it, in lower case. Keys that mean something else in one sensor are in IN_GROUP. */
const BY_KEY: Readonly<Record<string, Measure>> = {
	temperature: "temperature", dewpoint: "temperature", heatindex: "temperature", feelslike: "temperature", surfacetemperature: "temperature", objecttemperature: "temperature", ambienttemperature: "temperature",
	humidity: "%", moisture: "%", pressure: "pressure", seapressure: "pressure", qnh: "pressure", illuminance: "lx", infrared: "lx", uvindex: "UV index",
	carbondioxide: "ppm", eco2: "ppm", co2: "ppm", tvoc: "ppb", formaldehyde: "ppb", "pm1": "µg/m³", "pm2.5": "µg/m³", "pm4": "µg/m³", "pm10": "µg/m³", cf1: "µg/m³", "cf2.5": "µg/m³", cf10: "µg/m³",
	distance: "cm", weight: "kg", batteryvoltage: "V", battery: "%", batterypercentage: "%", conductivity: "µS/cm", noise: "%", airquality: "%", light: "%",
	power: "W", apparentpower: "VA", reactivepower: "VAr", activepower: "W", voltage: "V", current: "A", frequency: "Hz", phaseangle: "°",
	yesterday: "kWh", today: "kWh", exportactive: "kWh", importactive: "kWh", exportreactive: "kVArh", importreactive: "kVArh", energy: "kWh", voltagecharge: "V",
	rssi: "dBm", signal: "dBm", vcc: "V", uptimesec: "s", heap: "KiB", dimmer: "%", position: "%", target: "%", ct: "mired", speed: "speed",
	flowrate: "L/min", flow: "L/min", rotation: "°", longitude: "°", latitude: "°", altitude: "m", windspeed: "speed", windgust: "speed", rain: "mm", direction: "°",
};
/** What one group, the key before the last, calls otherwise. An empty unit is none. */
const IN_GROUP: Readonly<Record<string, Readonly<Record<string, Measure | "">>>> = {
	energy: { total: "kWh", period: "Wh", totaltariff: "kWh", exporttariff: "kWh", returned: "kWh" },
	wifi: { rssi: "%" },
	shutter: { direction: "", tilt: "", position: "%", target: "%" },
	irhvac: { temp: "°C" },
	opentherm: { tb: "°C", tdhw: "°C", dhws: "°C", tmax: "°C", tout: "°C", troom: "°C" },
	btmp: { req: "°C", act: "°C" },
	hwtmp: { req: "°C", act: "°C" },
	zbreceived: { power: "", dimmer: "", ct: "mired" },
	status: { power: "" },
};
/** The same on the top level: `speed` of a light's fading is none. */
const ON_TOP: Readonly<Record<string, Measure | "">> = { speed: "", total: "kWh", period: "Wh", target: "", position: "", direction: "", power: "" };

/** The key without its trailing number: `Temperature2` → `temperature`, but `PM10` stays. */
function plainKey(key: string): string {
	const folded = key.toLowerCase().replace(/(?:\[\d+\])+$/, "");
	return folded in BY_KEY ? folded : folded.replace(/[-_]?\d{1,3}$/, "");
}

/** Groups are sensors with a number or an address behind them: `DS18B20-1`, `Shutter1`. */
function plainGroup(group: string): string {
	const folded = group.toLowerCase();
	return folded in IN_GROUP ? folded : folded.replace(/[-_]?\d{1,3}$/, "");
}

/** The unit of a value by where it stands. `parts` is its path: `["BME280", "Temperature"]`. */
export function unitOf(parts: readonly string[], units: MessageUnits, isEnergyTopic: boolean): Unit | undefined {
	const last = parts.at(-1);
	if (last === undefined) return undefined;
	const key = plainKey(last);
	const before = parts.at(-2);
	const special: Measure | "" | undefined = before !== undefined ? own(own(IN_GROUP, plainGroup(before)) ?? {}, key) : isEnergyTopic && key === "power" ? "W" : own(ON_TOP, key);
	const found = special ?? own(BY_KEY, key);
	if (found === undefined || found === "") return undefined;
	return found === "temperature" || found === "pressure" || found === "speed" ? units[found] : found;
}

/** Settings and states of a device; what is not here is a measurement. */
const STATUS_KEYS = /^(?:power|dimmer|color|hsbcolor|white|ct|channel|scheme|fade|speed|ledtable|fanspeed|uptime|uptimesec|vcc|heap|sleep|sleepmode|loadavg|mqttcount|berry|hostname|ipaddress|restartreason|starttime|startuputc|bootcount|savecount|webservermode|battery|batterypercentage|batteryvoltage|switch|state|target|direction|linkquality)\d*(?:\[\d+\])*$/i;
const IDENTITY_KEYS = /^(?:id|module|version|ssid|bssid|apmac|mac|macaddress|device|name|ieeeaddr|manufacturer|modelid|fallbacktopic|grouptopic|ipaddress|hostname)$/i;

export function categoryOf(parts: readonly string[], isState: boolean): Point["category"] {
	const last = parts.at(-1) ?? "";
	if (IDENTITY_KEYS.test(last)) return "identity";
	if (isState || STATUS_KEYS.test(last) || parts[0]?.toLowerCase() === "wifi") return "status";
	return undefined;
}

/** Is this never to be told? Messages of the device itself about its secrets. */
export function isSecret(path: string): boolean {
	return /passw|\bpsk\b|mqttuser|apikey|secret/i.test(path);
}

/** The value that a member of the JSON has: `ON` and `OFF` are truths, numbers of a quantity may be written as text, an action stays a word. */
export function valueOf(said: Value, key: string, unit: Unit | undefined, words: readonly string[]): Value {
	if (typeof said !== "string") return said;
	const isPower = /^POWER\d*$/.test(key);
	if (isPower) return truthBy(said, words) ?? said;
	if (/^action$/i.test(key)) return said;
	if (said === "ON" || said === "OFF") return said === "ON";
	return unit === undefined ? said : (numericFromText(said) ?? said);
}

/** The device's own words for off and on, then the usual ones. */
export function truthBy(text: string, words: readonly string[]): boolean | undefined {
	const at = words.slice(0, 2).indexOf(text.trim());
	return at >= 0 ? at === 1 : truthOf(text);
}

/** What can be commanded by its name: `cmnd/…/<Command> <payload>`. */
export interface Setting {
	readonly point: Point;
	readonly write: (value: Value) => string;
}

const percent = { kind: "numeric", access: "rw", category: "status", unit: "%", min: 0, max: 100, step: 1, integer: true } as const;

/** Settings by the name of their command, without a number behind it. */
const SETTINGS: Readonly<Record<string, Point>> = {
	power: { kind: "boolean", access: "rw", category: "status" },
	dimmer: percent, white: percent, channel: percent,
	ct: { kind: "numeric", access: "rw", category: "status", unit: "mired", min: 153, max: 500, step: 1, integer: true },
	color: { kind: "text", access: "rw", category: "status", maxLength: 20 },
	hsbcolor: { kind: "text", access: "rw", category: "status", maxLength: 11 },
	scheme: { kind: "numeric", access: "rw", category: "status", min: 0, max: 12, integer: true },
	speed: { kind: "numeric", access: "rw", category: "status", min: 1, max: 40, integer: true },
	fade: { kind: "boolean", access: "rw", category: "status" },
	fanspeed: { kind: "numeric", access: "rw", category: "status", min: 0, max: 3, integer: true },
	// A shutter takes its time.
	shutterposition: { ...percent, timeout: 90_000 },
	shuttertilt: { kind: "numeric", access: "rw", category: "status", min: -90, max: 90, integer: true, timeout: 90_000 },
};

/** What a command of this name sets; nothing where there is no such command. */
export function settingOf(command: string): Setting | undefined {
	const point = own(SETTINGS, command.toLowerCase().replace(/\d{1,2}$/, ""));
	if (!point) return undefined;
	return { point, write: (value) => (typeof value === "boolean" ? (value ? "ON" : "OFF") : textOf(value)) };
}

function own<T>(table: Readonly<Record<string, T>>, key: string): T | undefined {
	return Object.hasOwn(table, key) ? table[key] : undefined;
}
