// The components of an ESPHome node: what their topics say, and which of them take commands.
// Source: https://esphome.io/components/mqtt/ · https://esphome.io/components/climate/ … ("MQTT" of each component) · esphome/components/mqtt/mqtt_*.cpp

import type { Point } from "../../core/point.js";
import { textOf, type Value } from "../../core/value.js";

/** A topic below `<prefix>/<component>/<object>/`, which says or takes one value. */
export interface Topic {
	readonly point: Point;
	/** What is published to `…/command`; nothing where the value is its own text. */
	readonly write?: (value: Value) => string;
	/** What a state says; left out where it is read as the kind of the point says. */
	readonly read?: (text: string) => Value;
}

const onOff = (value: Value): string => (value === true ? "ON" : "OFF");
const truth: Point = { kind: "boolean", access: "rw", category: "status" };
const shown: Point = { kind: "text", access: "r", category: "status" };
const choice: Point = { kind: "text", access: "rw", category: "status" };
const celsius: Point = { kind: "numeric", access: "rw", category: "status", unit: "°C" };
const percent: Point = { kind: "numeric", access: "rw", category: "status", unit: "%", min: 0, max: 100, integer: true, timeout: 90_000 };
const action = (...labels: string[]): Topic => ({ point: { kind: "enum", access: "w", labels } });

/** The state of a component, by the path between its object id and `/state`; "" is its own. `number` of a sensor is found by its value. */
export const COMPONENTS: ReadonlyMap<string, ReadonlyMap<string, Topic>> = new Map(Object.entries<Readonly<Record<string, Topic>>>({
	sensor: { "": { point: { kind: "numeric", access: "r" } } },
	text_sensor: { "": { point: shown } },
	binary_sensor: { "": { point: { kind: "boolean", access: "r", category: "status" } } },
	switch: { "": { point: truth, write: onOff } },
	number: { "": { point: { kind: "numeric", access: "rw", category: "status" } } },
	select: { "": { point: choice } },
	text: { "": { point: choice } },
	button: {},
	event: {},
	light: { "": { point: truth, write: (value) => `{"state":"${onOff(value)}"}` } },
	fan: {
		"": { point: truth, write: onOff },
		oscillation: { point: truth, write: (value) => (value === true ? "oscillate_on" : "oscillate_off"), read: (text) => text.replace(/^oscillate_/, "") },
		speed_level: { point: { kind: "numeric", access: "rw", category: "status", min: 0, max: 100, integer: true } },
		speed: { point: choice }, direction: { point: { kind: "enum", access: "rw", category: "status", labels: ["forward", "reverse"] } }, preset_mode: { point: choice },
	},
	cover: { "": { point: shown }, position: { point: percent }, tilt: { point: percent } },
	valve: { "": { point: shown }, position: { point: percent } },
	lock: { "": { point: { kind: "enum", access: "rw", category: "status", labels: ["LOCKED", "UNLOCKED", "JAMMED", "LOCKING", "UNLOCKING", "NONE"] }, write: (value) => (value === "LOCKED" ? "LOCK" : "UNLOCK") } },
	climate: {
		mode: { point: choice }, action: { point: shown }, target_temperature: { point: celsius }, target_temperature_low: { point: celsius }, target_temperature_high: { point: celsius },
		current_temperature: { point: { kind: "numeric", access: "r", unit: "°C" } }, current_humidity: { point: { kind: "numeric", access: "r", unit: "%" } }, target_humidity: { point: { kind: "numeric", access: "rw", category: "status", unit: "%" } },
		fan_mode: { point: choice }, swing_mode: { point: choice }, preset: { point: choice }, custom_fan_mode: { point: choice }, custom_preset: { point: choice }, away: { point: truth, write: onOff },
	},
	alarm_control_panel: { "": { point: shown } },
	date: { "": { point: shown } }, time: { "": { point: shown } }, datetime: { "": { point: shown } }, update: { "": { point: shown } },
}).map(([component, topics]) => [component, new Map(Object.entries(topics))]));

/** What is commanded without a state of its own, by component: the word after the object id, and its topic. */
export const ACTIONS: ReadonlyMap<string, Topic> = new Map([
	["cover", action("OPEN", "CLOSE", "STOP")],
	["valve", action("OPEN", "CLOSE", "STOP", "TOGGLE")],
]);

export const BUTTON = action("PRESS");

const channel: Point = { kind: "numeric", access: "r", category: "status", min: 0, max: 255 };

/** Members of a light's JSON that can be set, with what is published. Changing one turns the light on. */
export const LIGHT_MEMBERS: ReadonlyMap<string, Topic> = new Map<string, Topic>([
	["brightness", { point: { kind: "numeric", access: "rw", category: "status", min: 0, max: 255, integer: true }, write: (value) => `{"state":"ON","brightness":${textOf(value)}}` }],
	["color_temp", { point: { kind: "numeric", access: "rw", category: "status", unit: "mired" }, write: (value) => `{"state":"ON","color_temp":${textOf(value)}}` }],
	["white_value", { point: { kind: "numeric", access: "rw", category: "status", min: 0, max: 255, integer: true }, write: (value) => `{"state":"ON","white_value":${textOf(value)}}` }],
	["effect", { point: choice, write: (value) => `{"state":"ON","effect":${JSON.stringify(textOf(value))}}` }],
	["color_mode", { point: shown }],
	...["r", "g", "b", "w", "c"].map((name) => [`color.${name}`, { point: channel }] as const),
]);
