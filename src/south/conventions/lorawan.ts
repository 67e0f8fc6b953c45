// What the decoder scripts of LoRaWAN devices make of an uplink: JSON of any shape. Shared by the network servers' conventions.

import type { UnixMillis } from "../../core/clock.js";
import type { Unit } from "../../core/unit.js";
import { unitFrom } from "../../core/unit.js";
import { isNumeric, numericFromText, type Value } from "../../core/value.js";
import { asValue, isArray, isNumber, isObject, type Json, parseJson } from "../json.js";
import { pointFor } from "./learned.js";
import type { Seen } from "./observed.js";
import { saysNothing } from "./payload.js";
import { type Quantity, quantityOf } from "./quantity.js";

/** Most values of one uplink: LoRaWAN carries 242 bytes. */
const MAX_VALUES = 256;
const MAX_PATH = 128;

/** What 16 bits and two decimals make of "no probe": 0x7FFF and 0x8000, in whole, tenths and hundredths. */
const NO_PROBE: ReadonlySet<number> = new Set([327.67, -327.68, 327.68, 3276.7, -3276.8, 32767, -32768, 655.35, 6553.5]);

/** SenseCAP numbers its measurements, and some names say another unit elsewhere: https://sensecap-docs.seeed.cc/measurement_list.html. */
const MEASUREMENTS: Readonly<Record<string, Unit>> = { 4097: "°C", 4098: "%", 4099: "lx", 4100: "ppm", 4101: "Pa", 4102: "°C", 4103: "%", 4104: "°", 4105: "m/s", 4106: "pH", 4110: "%", 4113: "mm", 4190: "UV index", 5100: "lqi" };

/** Every value of a decoded uplink, by its path; the names of a list of measurements are theirs. */
export function scriptReadings(json: Json, at: UnixMillis | undefined, quantity: (path: string) => Quantity = quantityOf): Seen[] {
	const found = new Map<string, Seen>();
	for (const [path, value, stated] of walk(json, "")) {
		if (found.size >= MAX_VALUES) break;
		if (path === "" || found.has(path)) continue;
		const named = quantity(path);
		const real = valueOf(value, named);
		if (real === undefined) continue;
		const unit = stated ?? named.unit;
		if (isNumeric(real) && (unit === "°C" || unit === "%") && NO_PROBE.has(real.number)) continue;
		const category = named.category ?? (isNumeric(real) ? undefined : "status");
		found.set(path, { point: path, value: real, as: pointFor(real, { unit, category }), ...(at !== undefined && { at }) });
	}
	return [...found.values()];
}

function* walk(json: Json, path: string): Generator<readonly [path: string, value: Value, unit?: Unit | undefined], void> {
	if (path.length > MAX_PATH) return;
	const value = asValue(json);
	if (value !== undefined) yield [path, value];
	else if (isArray(json)) for (const [at, item] of json.entries()) yield* walk(item, measurementOf(item) === undefined && !isArray(item) ? `${path}[${at}]` : path);
	else if (isObject(json)) {
		const measurement = measurementOf(json);
		if (measurement !== undefined) {
			const id = json["measurementId"];
			const code = isNumber(id) ? id.text : typeof id === "string" ? id : "";
			const one = asValue(json["measurementValue"]);
			if (one !== undefined) yield [measurement, one, Object.hasOwn(MEASUREMENTS, code) ? MEASUREMENTS[code] : undefined];
			return;
		}
		const unit = json["unit"];
		if (typeof unit === "string" && asValue(json["value"]) !== undefined) {
			yield [path === "" ? "value" : path, asValue(json["value"])!, unitFrom(unit)];
			return;
		}
		for (const [key, inner] of Object.entries(json)) if (key !== "") yield* walk(inner, path === "" ? key : `${path}.${key}`);
	}
}

/** `{"measurementId":"4097","type":"Air Temperature","measurementValue":1.8}`: its name. */
function measurementOf(json: Json): string | undefined {
	if (!isObject(json) || json["measurementValue"] === undefined) return undefined;
	const name = json["type"] ?? json["measurementId"];
	return typeof name === "string" && name !== "" ? name : isNumber(name) ? name.text : undefined;
}

/** Scripts write numbers and truths as texts. */
function valueOf(value: Value, { category }: Quantity): Value | undefined {
	if (typeof value !== "string") return value;
	if (saysNothing(value)) return undefined;
	if (/^(?:true|false)$/i.test(value)) return value.toLowerCase() === "true";
	return category !== "identity" && /^-?(?:0|[1-9]\d*)(?:\.\d+)?$/.test(value) ? (numericFromText(value) ?? value) : value;
}

/** The best reception among the gateways that heard an uplink. */
export function receptionReadings(list: Json | undefined, snrKeys: readonly string[], at: UnixMillis | undefined): Seen[] {
	if (!isArray(list)) return [];
	const best = list.slice(0, MAX_VALUES).filter((one) => isObject(one)).map((one) => ({ rssi: one["rssi"], snr: snrKeys.map((key) => one[key]).find(isNumber) }))
		.filter((one) => isNumber(one.rssi)).sort((a, b) => numberOf(b.rssi) - numberOf(a.rssi))[0];
	return best ? [...statusReading("rssi", best.rssi, at, "dBm"), ...statusReading("snr", best.snr, at, "dB")] : [];
}

function numberOf(json: Json | undefined): number {
	return isNumber(json) ? json.number : -Infinity;
}

/** One scalar that the server adds: a counter, a margin. */
export function statusReading(point: string, json: Json | undefined, at: UnixMillis | undefined, unit?: Unit): Seen[] {
	const value = asValue(json);
	return value === undefined ? [] : [{ point, value, as: pointFor(value, { unit, category: "status" }), ...(at !== undefined && { at }) }];
}

/** JSON inside of a JSON text, as ChirpStack 3 sends it; nothing when it is none. */
export function innerJson(json: Json | undefined): Json | undefined {
	if (typeof json !== "string") return undefined;
	try {
		return parseJson(json);
	} catch {
		return undefined;
	}
}
