// Messages of no known dialect: what a JSON payload of unknown shape says.

import type { Point } from "../../core/point.js";
import { type Unit, unitFrom } from "../../core/unit.js";
import { isNumeric, type Value } from "../../core/value.js";
import { asValue, isArray, isNumber, isObject, type Json, type JsonObject } from "../json.js";
import { categoryByName, wordsOf, unitByName } from "./quantity.js";
import { type Place, plainNumber, truthWord } from "./generic-topic.js";
import { pointFor } from "./learned.js";
import { macAddress, saysNothing } from "./payload.js";
import { plausible, timeFrom } from "./times.js";

/** One value found in a message. */
export interface Finding {
	/** Nested keys joined by `.`, list elements as `[i]`. */
	readonly path: string;
	readonly value: Value;
	readonly point: Point;
}

/** Most values of one message, longest path, and the longest list that is no wave form. */
const MAX_FINDINGS = 200;
const MAX_PATH = 128;
const MAX_LIST = 32;
/** Longest text: what is longer is a picture or a certificate. */
const MAX_TEXT = 255;

const TIME_KEYS: ReadonlySet<string> = new Set(["time", "timestamp", "ts", "tst", "datetime", "date time", "date", "utc", "epoch", "sent at", "measured at", "created at", "recorded at", "observed at", "time stamp", "unixtime", "unix time", "received at", "last updated"]);
/** Members under which a value stands that says itself what it is. */
const VALUE_KEYS = ["value", "val", "v"];
const UNIT_KEYS = ["unit", "units", "u", "unit_of_measurement", "uom"];
const NAME_KEYS = ["name", "n", "key", "id", "type", "sensor", "label", "field", "parameter", "quantity"];

/** Every value of a message, with what its name and its neighbours say of it. Strings that are numbers are numbers, unless they name something. */
export function findings(json: Json): Finding[] {
	const found = new Map<string, Finding>();
	walk(json, "", "", found);
	return [...found.values()];
}

function put(found: Map<string, Finding>, path: string, key: string, json: Json, unit: Unit | undefined, label: string | undefined): void {
	if (found.size >= MAX_FINDINGS || found.has(path) || path.length > MAX_PATH) return;
	const category = categoryByName(key);
	const value = valueOf(json, category === "identity");
	if (value === undefined) return;
	const own = isNumeric(value) ? (unit ?? (category === "identity" ? undefined : unitByName(key))) : undefined;
	found.set(path, { path, value, point: pointFor(value, { ...(own !== undefined && { unit: own }), ...(category !== undefined && { category }), ...(label !== undefined && { label }) }) });
}

function valueOf(json: Json, isName: boolean): Value | undefined {
	const value = asValue(json);
	if (typeof value !== "string") return value;
	const text = value.trim();
	if (text === "" || text.length > MAX_TEXT || saysNothing(text)) return undefined;
	return isName ? value : (plainNumber(text) ?? truthWord(text) ?? value);
}

function walk(json: Json, path: string, key: string, found: Map<string, Finding>): void {
	if (found.size >= MAX_FINDINGS || path.length > MAX_PATH) return;
	if (isArray(json)) {
		if (json.length > MAX_LIST) return;
		json.forEach((one, index) => {
			// `[{"name":"temp","value":21.5}]`: the name says more than the place.
			const name = isObject(one) ? nameOf(one) : undefined;
			if (name === undefined) walk(one, `${path}[${index}]`, key, found);
			else walk(one, path === "" ? name : `${path}.${name}`, name, found);
		});
	} else if (isObject(json)) {
		const own = measured(json);
		if (own && path !== "") return put(found, path, key, own.value, own.unit, own.label);
		for (const [name, inner] of Object.entries(json)) {
			if (name === "" || isTime(name, path) || UNIT_NAME.test(name)) continue;
			const inside = path === "" ? name : `${path}.${name}`;
			if (isObject(inner) || isArray(inner)) walk(inner, inside, name, found);
			else put(found, inside, name, inner, unitBeside(json, name), undefined);
		}
	} else put(found, path, key, json, undefined, undefined);
}

/** `{"Val":5,"Unit":"W","Desc":"Power"}` is one value; an object with other members beside is more than that. */
function measured(json: JsonObject): { readonly value: Json; readonly unit: Unit | undefined; readonly label: string | undefined } | undefined {
	const keys = Object.keys(json);
	const value = keys.find((key) => VALUE_KEYS.includes(key.toLowerCase()));
	if (value === undefined || keys.length > 8) return undefined;
	const rest = keys.filter((key) => key !== value).map((key) => key.toLowerCase());
	if (!rest.every((key) => DESCRIPTION.has(key)) || isObject(json[value]) || isArray(json[value])) return undefined;
	const text = (names: readonly string[]): string | undefined => {
		const key = keys.find((one) => names.includes(one.toLowerCase()));
		const said = key === undefined ? undefined : json[key];
		return typeof said === "string" && said !== "" ? said : undefined;
	};
	const unit = text(UNIT_KEYS);
	const label = text(["desc", "description", "label"])?.slice(0, 100);
	return { value: json[value]!, unit: unit === undefined ? undefined : unitFrom(unit), label };
}

/** What may stand beside a value that describes itself. */
const DESCRIPTION: ReadonlySet<string> = new Set([...UNIT_KEYS, ...NAME_KEYS, "cat", "category", "desc", "description", "time", "timestamp", "ts", "t", "min", "max", "precision", "class", "device_class", "quality"]);

function nameOf(json: JsonObject): string | undefined {
	if (!measured(json)) return undefined;
	for (const wanted of NAME_KEYS) {
		const key = Object.keys(json).find((one) => one.toLowerCase() === wanted);
		const said = key === undefined ? undefined : json[key];
		if (typeof said === "string" && said !== "" && said.length <= 60) return said;
	}
	return undefined;
}

const UNIT_NAME = /^(?:units?|temp_?unit|.{1,40}_units?|.{1,40}Units?)$/i;

/** `temperature_unit`, `temperatureUnit`, `units.temperature`, or `unit` beside one value. */
function unitBeside(json: JsonObject, name: string): Unit | undefined {
	const beside = [`${name}_unit`, `${name}Unit`, `${name}_units`, ...(wordsOf(name).startsWith("temp") ? ["TempUnit", "temp_unit", "temperature_unit"] : [])];
	for (const key of beside) if (typeof json[key] === "string") return unitFrom(json[key]);
	const units = json["units"] ?? json["unit"];
	if (isObject(units) && typeof units[name] === "string") return unitFrom(units[name]);
	if (typeof units !== "string") return undefined;
	const numbers = Object.values(json).filter((one) => isNumber(one)).length;
	return numbers === 1 ? unitFrom(units) : undefined;
}

function isTime(name: string, path: string): boolean {
	return path === "" && TIME_KEYS.has(wordsOf(name));
}

/** Keys that name the device of a message, the surest first: addresses and serial numbers, then ids. */
const IDENTITIES = [
	["mac", "mac address", "macaddress", "eui", "dev eui", "deveui", "deviceeui", "ieee", "ieee address", "ieeeaddr", "bssid"], ["serial", "serial number", "serialnumber", "sn", "imei", "uuid", "guid"],
	["device id", "deviceid", "dev id", "devid", "unique id", "uid", "node id", "nodeid", "sensor id", "sensorid", "station id", "client id", "id"], ["device", "device name", "devicename", "node", "station", "hostname"],
];

/** Who speaks, where the message says it: identity before topic. */
export function identityIn(json: Json): string | undefined {
	if (!isObject(json)) return undefined;
	const members = new Map(Object.entries(json).map(([key, value]) => [wordsOf(key), value]));
	for (const group of IDENTITIES) {
		for (const key of group) {
			const said = members.get(key);
			// A number alone as an id is the name of a message as often as of a device.
			const text = typeof said === "string" ? said.trim() : isNumber(said) && (group === IDENTITIES[1] || key.startsWith("device") || key.startsWith("node") || key.startsWith("sensor") || key.startsWith("station")) ? said.text : undefined;
			if (text !== undefined && text.length >= 2 && text.length <= 100 && !saysNothing(text) && !/[\u0000-\u001f\u007f]/.test(text)) return macAddress(text) ?? text;
			if (text !== undefined && text.length === 1 && /[0-9a-z]/i.test(text) && group === IDENTITIES[2] && key !== "id") return text;
		}
	}
	// `{"device":{"mac":"…"}, …}`
	const inner = members.get("device");
	return isObject(inner) ? identityIn(inner) : undefined;
}

export function nameIn(json: Json): string | undefined {
	if (isObject(json) && isObject(json["device"]) && typeof json["device"]["name"] === "string") return json["device"]["name"];
	const said = isObject(json) ? (json["friendly_name"] ?? json["friendlyName"] ?? json["device_name"] ?? json["deviceName"] ?? json["name"]) : undefined;
	return typeof said === "string" ? said : undefined;
}

/** The time that a message states for itself: ISO 8601 with its offset, seconds or milliseconds. */
export function timeIn(json: Json): number | undefined {
	if (!isObject(json)) return undefined;
	for (const [key, said] of Object.entries(json)) {
		if (!TIME_KEYS.has(wordsOf(key))) continue;
		const at = isNumber(said) && said.number > 1e11 ? plausible(said.number) : timeFrom(said);
		if (at !== undefined) return at;
	}
	return undefined;
}

/** `{"state":"online"}`, on a topic of presence or with nothing beside it. */
export function presenceIn(json: JsonObject, place: Place): { readonly key: string; readonly up: boolean } | undefined {
	for (const [key, said] of Object.entries(json)) {
		if (typeof said !== "string" || !["state", "status", "availability", "connection", "presence", "online"].includes(key.toLowerCase())) continue;
		const folded = said.toLowerCase();
		const up = folded === "online" || folded === "connected" ? true : folded === "offline" || folded === "disconnected" ? false : undefined;
		if (up !== undefined && (place.last !== "" || Object.keys(json).length <= 3 || key.toLowerCase() !== "state")) return { key, up };
	}
	return undefined;
}
