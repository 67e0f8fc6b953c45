// Zigbee2MQTT: what a state means of which no list has said anything. For those who ask about one message alone.
// The units are those that Zigbee2MQTT's own converters give to properties of these names.

import { isArray, isNumber, isObject, type Json } from "../json.js";

const UNITS: Readonly<Record<string, string>> = {
	temperature: "°C", device_temperature: "°C", local_temperature: "°C", soil_temperature: "°C", external_temperature: "°C", cpu_temperature: "°C",
	current_heating_setpoint: "°C", occupied_heating_setpoint: "°C", occupied_cooling_setpoint: "°C", max_temperature_limit: "°C", min_temperature_limit: "°C", max_temperature: "°C", min_temperature: "°C", local_temperature_calibration: "°C", comfort_temperature: "°C", eco_temperature: "°C",
	humidity: "%", soil_moisture: "%", battery: "%", position: "%", tilt: "%", valve_position: "%", pi_heating_demand: "%",
	pressure: "hPa", illuminance: "lx", illuminance_lux: "lx", co2: "ppm", pm25: "µg/m³", pm10: "µg/m³", voc: "ppb", formaldehyd: "mg/m³", noise: "dBA",
	power: "W", power_reactive: "VAr", power_apparent: "VA", current: "A", energy: "kWh", produced_energy: "kWh", ac_frequency: "Hz",
	color_temp: "mired", color_temp_startup: "mired", linkquality: "lqi", elapsed: "ms", occupancy_timeout: "s", countdown: "s", duration: "s", angle: "°",
};

/** What can be set on nearly every device that has it. */
const SETTABLE: ReadonlySet<string> = new Set(["state", "brightness", "color_temp", "position", "tilt", "color", "current_heating_setpoint", "occupied_heating_setpoint", "system_mode", "child_lock", "led_indication", "power_on_behavior", "power_outage_memory", "motion_sensitivity", "indicator_mode", "countdown"]);

/** The `exposes` that a state like this one could have come from. */
export function guessedExposes(state: Readonly<Record<string, Json>>): Json {
	return Object.entries(state).filter(([name]) => name !== "last_seen").map(([name, value]) => entryOf(name, value, state, SETTABLE.has(name.replace(/_(?:l\d|left|right|center|top|bottom)$/, "")))).filter((entry) => entry !== undefined);
}

function entryOf(name: string, value: Json, state: Readonly<Record<string, Json>>, settable: boolean): Json | undefined {
	const access = numeric(settable ? 3 : 1);
	if (isNumber(value)) {
		const unit = unitOf(name, value, state);
		const top = name === "brightness" ? { value_min: numeric(0), value_max: numeric(254) } : unit === "%" ? { value_min: numeric(0), value_max: numeric(100) } : {};
		return object({ type: "numeric", property: name, access, ...(unit !== undefined && { unit }), ...top });
	}
	if (typeof value === "boolean") return object({ type: "binary", property: name, access, value_on: true, value_off: false });
	if (typeof value === "string") {
		if (["OPEN", "CLOSE", "STOP"].includes(value)) return object({ type: "enum", property: name, access, values: ["OPEN", "CLOSE", "STOP"] });
		// Without the list nobody knows which word is true: they stay words.
		if (value === "ON" || value === "OFF") return object({ type: "enum", property: name, access, values: ["ON", "OFF", "TOGGLE"] });
		if (value === "LOCK" || value === "UNLOCK") return object({ type: "enum", property: name, access, values: ["LOCK", "UNLOCK"] });
		return object({ type: "text", property: name, access });
	}
	if (isArray(value)) return object({ type: "list", property: name, access });
	if (!isObject(value)) return undefined;
	return object({ type: "composite", property: name, access, features: Object.entries(value).map(([key, inner]) => entryOf(key, inner, {}, settable)).filter((entry) => entry !== undefined) });
}

function unitOf(name: string, value: Json, state: Readonly<Record<string, Json>>): string | undefined {
	// Millivolts of a battery, volts of a socket: what stands beside it tells which.
	if (name === "voltage") return state["battery"] !== undefined ? "mV" : state["power"] !== undefined || state["current"] !== undefined || state["energy"] !== undefined ? "V" : undefined;
	// Older versions gave the raw, logarithmic measure beside the lux.
	if (name === "illuminance" && isNumber(state["illuminance_lux"]) && isNumber(value) && state["illuminance_lux"].number !== value.number) return undefined;
	return Object.hasOwn(UNITS, name) ? UNITS[name] : undefined;
}

function numeric(number: number): Json {
	return { text: String(number), number };
}

function object(members: Readonly<Record<string, Json>>): Json {
	return Object.assign<Record<string, Json>, Readonly<Record<string, Json>>>(Object.create(null), members);
}
