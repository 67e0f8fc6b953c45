// Home Assistant MQTT discovery: lights, in their three schemas.
// Source: https://www.home-assistant.io/integrations/light.mqtt/

import { isNumeric, type Value } from "../../core/value.js";
import { isNumber, isObject, type Json } from "../json.js";
import type { OutMessage } from "../link.js";
import { type Aspect, aspect, bound, key, memberReader, Options, out, reader, refuse } from "./ha-aspect.js";
import { boolean, type Codec, labels, numeric, words } from "./ha-codec.js";
import { jsonText } from "./payload.js";

/** Points of a light: its own name (on or off), `brightness`, `color_temp`, `effect`, `color_mode`, and its colour as `rgb`, `rgbw`, `rgbww`, `hs` or `xy` ("255,0,0"), `white`. */
export function light(options: Options): Aspect[] {
	switch (options.text("schema")) {
		case "json": return jsonLight(options);
		case "template": return templateLight(options);
		default: return topicLight(options);
	}
}

/** A colour is one point, since its parts are told together: numbers with commas between them. */
const COLORS: Readonly<Record<string, { readonly pattern: RegExp; readonly parts: readonly string[]; readonly names: readonly string[] }>> = {
	rgb: color(3, ["r", "g", "b"], ["red", "green", "blue"]),
	rgbw: color(4, ["r", "g", "b", "w"], ["red", "green", "blue", "white"]),
	rgbww: color(5, ["r", "g", "b", "c", "w"], ["red", "green", "blue", "cold_white", "warm_white"]),
	hs: color(2, ["h", "s"], ["hue", "sat"]),
	xy: color(2, ["x", "y"], ["x", "y"]),
};

function color(count: number, parts: readonly string[], names: readonly string[]): { readonly pattern: RegExp; readonly parts: readonly string[]; readonly names: readonly string[] } {
	return { pattern: new RegExp(`^\\s*\\d{1,4}(?:\\.\\d{1,20})?(?:\\s*,\\s*\\d{1,4}(?:\\.\\d{1,20})?){${count - 1}}\\s*$`), parts, names };
}

function numbersOf(text: string): Json[] {
	return text.split(",").map((part) => numeric({}).decode(part)).filter((part) => isNumeric(part));
}

function brightnessCodec(options: Options): Codec {
	return numeric({ min: 0, max: options.number("brightness_scale") ?? 255, step: 1, integer: true });
}

function colorTempCodec(options: Options): Codec {
	if (options.flag("color_temp_kelvin")) return numeric({ unit: "K", min: options.number("min_kelvin") ?? 2000, max: options.number("max_kelvin") ?? 6535, integer: true });
	return numeric({ unit: "mired", min: options.number("min_mireds") ?? 153, max: options.number("max_mireds") ?? 500, integer: true });
}

function topicLight(options: Options): Aspect[] {
	const on = options.text("payload_on") ?? "ON";
	const off = options.text("payload_off") ?? "OFF";
	const brightness = aspect(options, "brightness", brightnessCodec(options), { read: ["brightness_state_topic", "brightness_value_template"], write: ["brightness_command_topic", "brightness_command_template"] });
	const effects = options.list("effect_list");
	const effect = effects.length > 0 ? labels({ labels: effects }) : words();
	const stateTemplate = options.has("state_value_template") ? "state_value_template" : "value_template";
	return [
		...aspect(options, "", boolean({ on, off }), { read: ["state_topic", stateTemplate], write: ["command_topic"] }),
		...brightness,
		...aspect(options, "color_temp", colorTempCodec(options), { read: ["color_temp_state_topic", "color_temp_value_template"], write: ["color_temp_command_topic", "color_temp_command_template"] }),
		...Object.entries(COLORS).flatMap(([mode, { pattern, names }]) => aspect(options, mode, words({ pattern }), {
			read: [`${mode}_state_topic`, `${mode}_value_template`],
			write: [`${mode}_command_topic`, `${mode}_command_template`],
			names,
			variables: (value) => Object.fromEntries(numbersOf(String(value)).map((part, at) => [names[at] ?? "", part])),
		})),
		...aspect(options, "white", numeric({ min: 0, max: options.number("white_scale") ?? 255, integer: true }), { write: ["white_command_topic"] }),
		...aspect(options, "effect", effect, { read: ["effect_state_topic", "effect_value_template"], write: ["effect_command_topic", "effect_command_template"] }),
		...aspect(options, "color_mode", words(), { read: ["color_mode_state_topic", "color_mode_value_template"], category: "status" }),
	];
}

function jsonLight(options: Options): Aspect[] {
	const modes = new Set(options.list("supported_color_modes"));
	for (const mode of ["hs", "rgb", "xy", "color_temp", "brightness"]) if (options.flag(mode)) modes.add(mode);
	const topic = options.topic("command_topic");
	const state = boolean({ on: "ON", off: "OFF" });
	const send = (members: Readonly<Record<string, Json>>): OutMessage[] => topic === undefined ? [] : [out(options, topic, objectText({ state: "ON", ...members }))];
	const member = (name: string, codec: Codec): Aspect[] => bound(options, name, codec, memberReader(options, "state_topic", key(name), codec), topic === undefined ? undefined : (value) => send({ [name]: codec.encode(value) ?? refuse(value) }));
	const aspects: Aspect[] = bound(options, "", state, memberReader(options, "state_topic", key("state"), state), topic === undefined ? undefined : (value) => send({ state: state.encode(value) ?? refuse(value) }));
	if ([...modes].some((mode) => mode !== "onoff")) aspects.push(...member("brightness", brightnessCodec(options)));
	if (modes.has("color_temp")) aspects.push(...member("color_temp", colorTempCodec(options)));
	for (const [mode, { pattern, parts }] of Object.entries(COLORS)) {
		if (!modes.has(mode)) continue;
		const codec = words({ pattern });
		const encode = (value: Value): OutMessage[] => {
			const numbers = numbersOf(String(codec.encode(value) ?? refuse(value)));
			return send({ color: record(parts.map((part, at) => [part, numbers[at] ?? null])) });
		};
		const pick = (json: Json): Json | undefined => joined(key("color")(json), parts);
		aspects.push(...bound(options, mode, codec, memberReader(options, "state_topic", pick, codec), topic === undefined ? undefined : encode));
	}
	if (modes.has("white")) aspects.push(...bound(options, "white", numeric({ min: 0, max: options.number("white_scale") ?? 255, integer: true }), [], topic === undefined ? undefined : (value) => send({ white: isNumeric(value) ? value : refuse(value) })));
	const effects = options.list("effect_list");
	if (options.flag("effect") || effects.length > 0) aspects.push(...member("effect", effects.length > 0 ? labels({ labels: effects }) : words()));
	if (modes.size > 1) aspects.push(...bound(options, "color_mode", words(), memberReader(options, "state_topic", key("color_mode"), words()), undefined, { category: "status" }));
	return aspects;
}

function record(entries: readonly (readonly [string, Json])[]): Json {
	return Object.assign<Record<string, Json>, Record<string, Json>>(Object.create(null), Object.fromEntries(entries));
}

function objectText(members: Readonly<Record<string, Json>>): string {
	return jsonText(record(Object.entries(members)));
}

/** The parts of a colour as one text; nothing unless all are there. */
function joined(json: Json | undefined, parts: readonly string[]): string | undefined {
	if (!isObject(json)) return undefined;
	const numbers = parts.map((part) => json[part]).filter((part) => isNumber(part));
	return numbers.length === parts.length ? numbers.map(({ text }) => text).join(",") : undefined;
}

const TEMPLATE_NAMES = ["state", "brightness", "color_temp", "red", "green", "blue", "hue", "sat", "effect", "flash", "transition"];

function templateLight(options: Options): Aspect[] {
	const topic = options.topic("command_topic");
	const on = options.template("command_on_template", TEMPLATE_NAMES);
	const off = options.template("command_off_template", TEMPLATE_NAMES);
	const turn = (members: Readonly<Record<string, Json>>, value: Value): OutMessage[] => {
		const template = members["state"] === "off" ? off : on;
		if (topic === undefined || template === undefined || template === "broken") return refuse(value);
		return [out(options, topic, template.render(members) ?? refuse(value))];
	};
	const usable = topic !== undefined && on !== undefined && on !== "broken" && off !== undefined && off !== "broken";
	const state = boolean({ on: "on", off: "off" });
	const half = (name: string, template: string, codec: Codec): Aspect[] => {
		if (!options.has(template)) return [];
		const read = reader(options, "state_topic", template, (text) => codec.decode(text));
		return bound(options, name, codec, read ? [read] : [], usable ? (value) => turn({ state: "on", [name]: codec.encode(value) ?? refuse(value) }, value) : undefined);
	};
	const read = options.has("state_template") ? reader(options, "state_topic", "state_template", (text) => state.decode(text)) : undefined;
	const effects = options.list("effect_list");
	const parts = ["red", "green", "blue"].map((part) => options.has(`${part}_template`) ? reader(options, "state_topic", `${part}_template`, (text) => numeric({}).decode(text)) : undefined);
	const codec = words({ pattern: COLORS["rgb"]!.pattern });
	const [red, green, blue] = parts;
	const rgb = red && green && blue ? bound(options, "rgb", codec, [{
		topic: red.topic,
		read(payload) {
			const numbers = [red, green, blue].map((part) => part.read(payload)).filter((part) => isNumeric(part));
			return numbers.length === 3 ? numbers.map(({ text }) => text).join(",") : undefined;
		},
	}], usable ? (value) => {
		const numbers = numbersOf(String(codec.encode(value) ?? refuse(value)));
		return turn({ state: "on", red: numbers[0] ?? null, green: numbers[1] ?? null, blue: numbers[2] ?? null }, value);
	} : undefined) : [];
	return [
		...bound(options, "", state, read ? [read] : [], usable ? (value) => turn({ state: state.encode(value) ?? refuse(value) }, value) : undefined),
		...half("brightness", "brightness_template", numeric({ min: 0, max: 255, integer: true })),
		...half("color_temp", "color_temp_template", colorTempCodec(options)),
		...half("effect", "effect_template", effects.length > 0 ? labels({ labels: effects }) : words()),
		...rgb,
	];
}
