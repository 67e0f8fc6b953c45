// Home Assistant MQTT discovery: what each component has to read and to set.
// Source: https://www.home-assistant.io/integrations/mqtt/#configuration-via-mqtt-discovery , one page for each component
// Above 300 lines: one row for each component of the standard, which is only to be checked as a whole.
//
// The points of each; E is the entity's short name (ha-names.ts), a word alone is what the point is called where the
// device has one such entity, else it is `E.word`:
//
//   sensor, binary_sensor, number, select, text, switch, date, time, datetime          E
//   button E (press) · scene E (activate) · notify E · tag E · event E · device_automation `trigger`
//   siren             E, tone, duration, volume_level                 (write-only but E)
//   light             E, brightness, color_temp, effect, rgb … (ha-light.ts)
//   cover, valve      E (open, closed), position, tilt, moving (opening, closing, no); `stop` of E where there is one
//   lock              E (locked, unlocked, jammed), moving (locking, unlocking, opening, no)
//   climate           temperature, humidity, setpoint, setpoint_high, setpoint_low, target_humidity, mode, action, fan_mode, swing_mode, swing_horizontal_mode, preset_mode, power
//   water_heater      temperature, setpoint, mode, power
//   humidifier        E, humidity, target_humidity, mode, action
//   fan               E, speed, preset_mode, oscillation, direction
//   vacuum            E (cleaning …), battery, fan_speed, command     lawn_mower  E (mowing …), command
//   alarm_control_panel  E (disarmed, armed_away …), phase (arming, pending, disarming, no)
//   update            installed_version, latest_version, in_progress, install
//   device_tracker    E (home, not_home or a place), latitude, longitude, gps_accuracy
//   image, camera     none
//
// Above 300 lines: one table, with a function of some ten lines for each of its thirty rows.
//
// What is on its way (opening, locking, arming) has a point of its own, for it is no answer to a command: `set cover open`
// is confirmed by "open", and not refuted by "opening".

import { isNumeric } from "../../core/value.js";
import type { Json } from "../json.js";
import { isArray, isObject, parseJson } from "../json.js";
import { type Aspect, aspect, bound, key, memberReader, type Options, type Read, reader, refuse, type Wiring, writer } from "./ha-aspect.js";
import { boolean, type Codec, labels, Misread, numeric, words } from "./ha-codec.js";
import { light } from "./ha-light.js";
import { jsonText, saysNothing } from "./payload.js";

/** A component: what it is called where its entity has no name of its own, and how its aspects are made. */
export interface Component {
	readonly name: (options: Options) => string;
	/** Does it have several points? Then those of a device's only such entity have plain names. */
	readonly several?: true;
	aspects(options: Options): Aspect[];
}

/** Doors and shutters take their time. */
const MOVES_WITHIN = 90_000;
const LOCKS_WITHIN = 30_000;

/** Device classes of sensors whose values are no numbers. */
const WORDY = new Set(["timestamp", "date", "enum", "uptime"]);

function sensor(options: Options): Aspect[] {
	const unit = options.unit("unit_of_measurement");
	const deviceClass = options.text("device_class");
	const template = options.template("value_template");
	const choices = options.list("options");
	const isNumber = unit !== undefined || options.has("unit_of_measurement") || options.has("state_class") || options.has("suggested_display_precision") || (deviceClass !== undefined && !WORDY.has(deviceClass)) || (typeof template === "object" && template.numeric);
	const codec = choices.length > 0 ? labels({ labels: choices }) : isNumber && !WORDY.has(deviceClass ?? "") ? numeric({ unit }) : words();
	const wiring: Wiring = { read: ["state_topic", "value_template"] };
	return aspect(options, "", codec, codec.point.kind === "text" && isIdentity(options) ? { ...wiring, category: "identity" } : wiring);
}

/** A diagnostic text that says who the device is. */
function isIdentity(options: Options): boolean {
	const names = ["object_id", "name", "unique_id"].map((name) => options.text(name)?.toLowerCase() ?? "");
	return options.text("entity_category") === "diagnostic" && names.some((name) => /(?:^|[_\s-])(?:mac|ip|ip_?address|mac_?address|serial|serial_?number|firmware|version|bssid|ssid|hostname|sw_?version|hw_?version)$/.test(name));
}

function onOff(options: Options): Codec {
	const on = options.text("payload_on") ?? "ON";
	const off = options.text("payload_off") ?? "OFF";
	return boolean({ on, off, heardOn: options.text("state_on") ?? on, heardOff: options.text("state_off") ?? off });
}

function switchable(options: Options): Aspect[] {
	return aspect(options, "", onOff(options), { read: ["state_topic", "value_template"], write: ["command_topic", "command_template"] });
}

function number(options: Options): Aspect[] {
	const codec = numeric({ unit: options.unit("unit_of_measurement"), min: options.number("min") ?? 1, max: options.number("max") ?? 100, step: options.number("step") ?? 1 });
	return aspect(options, "", codec, { read: ["state_topic", "value_template"], write: ["command_topic", "command_template"] });
}

function select(options: Options): Aspect[] {
	return aspect(options, "", labels({ labels: options.list("options") }), { read: ["state_topic", "value_template"], write: ["command_topic", "command_template"] });
}

function text(options: Options): Aspect[] {
	return aspect(options, "", words({ maxLength: options.number("max") ?? 255 }), { read: ["state_topic", "value_template"], write: ["command_topic", "command_template"] });
}

/** A thing that can only be told: one word that people say, one that is sent. */
function press(label: string, payloadKey: string, fallback: string): (options: Options) => Aspect[] {
	return (options) => aspect(options, "", labels({ labels: [label], sent: new Map([[label, options.text(payloadKey) ?? fallback]]) }), { write: ["command_topic", "command_template"] });
}

function siren(options: Options): Aspect[] {
	const codec = onOff(options);
	const on = options.text("payload_on") ?? "ON";
	const names = ["state", "tone", "duration", "volume_level"];
	// Without a template a siren is told in JSON.
	const bare = (member: string) => (value: Json): string => jsonText(object(member === "state" ? { state: value } : { state: on, [member]: value }));
	const sent = (member: string): Wiring => ({
		write: ["command_topic", "command_template"], names, bare: bare(member),
		variables: (value) => (member === "state" ? { state: value } : { value: on, state: on, [member]: value }),
	});
	const read = reader(options, "state_topic", "state_value_template", (word) => codec.decode(memberOr(word, "state")));
	const tones = options.list("available_tones");
	const off = options.has("command_off_template") ? writer(options, codec, "command_topic", "command_off_template", { names, variables: (value) => ({ state: value }) }) : undefined;
	const onward = writer(options, codec, "command_topic", "command_template", sent("state"));
	const encode = onward && off ? (value: Parameters<typeof onward>[0]) => (value === false ? off(value) : onward(value)) : onward;
	return [
		...bound(options, "", codec, read ? [read] : [], encode),
		...(tones.length > 0 ? aspect(options, "tone", labels({ labels: tones }), sent("tone")) : []),
		...(options.has("support_duration") && !options.flag("support_duration") ? [] : aspect(options, "duration", numeric({ unit: "s", min: 0, integer: true }), sent("duration"))),
		...(options.has("support_volume_set") && !options.flag("support_volume_set") ? [] : aspect(options, "volume_level", numeric({ min: 0, max: 1 }), sent("volume_level"))),
	];
}

function object(members: Readonly<Record<string, Json>>): Json {
	return Object.assign<Record<string, Json>, Readonly<Record<string, Json>>>(Object.create(null), members);
}

/** A payload that may be a word, or a JSON object with the word in it. */
function memberOr(word: string, member: string): string {
	if (!word.trimStart().startsWith("{")) return word;
	try {
		const json = key(member)(parseJson(word));
		return json === undefined || json === null ? "" : typeof json === "string" ? json : jsonText(json);
	} catch {
		return word;
	}
}

interface Phases {
	readonly settled: ReadonlyMap<string, string>;
	readonly passing: ReadonlyMap<string, string>;
	readonly sent: ReadonlyMap<string, string>;
	readonly labels: readonly string[];
	/** The name of the point for what is on its way. */
	readonly phase: string;
	readonly wiring: Wiring;
}

/** A state that takes time: one point for where it stands, one for where it is going. */
function phased(options: Options, { settled, passing, sent, labels: all, phase, wiring }: Phases): Aspect[] {
	const main = labels({ labels: all, heard: settled, sent, ignored: new Set(passing.keys()) });
	const going = labels({ labels: [...new Set(passing.values()), "no"], heard: new Map([...passing, ...[...settled.keys()].map((word) => [word, "no"] as const)]) });
	const { write, ...reading } = wiring;
	return [
		...aspect(options, "", main, sent.size > 0 ? wiring : reading),
		...(passing.size > 0 && reading.read ? aspect(options, phase, going, { read: reading.read, category: "status" }) : []),
	];
}

/** What is sent for the labels: a payload of null means that there is no such command. */
function commands(options: Options, table: readonly (readonly [label: string, key: string, fallback?: string])[]): Map<string, string> {
	const sent = new Map<string, string>();
	for (const [label, payloadKey, fallback] of table) {
		const payload = options.isNull(payloadKey) ? undefined : (options.text(payloadKey) ?? fallback);
		if (payload !== undefined) sent.set(label, payload);
	}
	return sent;
}

function cover(options: Options): Aspect[] {
	const ends = [options.number("position_closed") ?? 0, options.number("position_open") ?? 100] as const;
	const position = numeric({ unit: "%", min: 0, max: 100, step: 2, ends });
	const inObject: Codec = { ...position, decode: (heard) => position.decode(memberOr(heard, "position")) };
	const tilt = numeric({ unit: "%", min: 0, max: 100, step: 2, ends: [options.number("tilt_min") ?? 0, options.number("tilt_max") ?? 100] });
	const names = ["position", "position_open", "position_closed", "tilt_position", "tilt_min", "tilt_max"];
	const variables = (value: Json): Record<string, Json> => ({ position: value, tilt_position: value });
	const sent = options.has("command_topic") ? commands(options, [["open", "payload_open", "OPEN"], ["closed", "payload_close", "CLOSE"]]) : new Map<string, string>();
	return [
		...coverState(options, sent, position),
		...stopButton(options, options.isNull("payload_stop") ? undefined : (options.text("payload_stop") ?? "STOP")),
		...aspect(options, "position", inObject, { read: ["position_topic", "position_template"], write: ["set_position_topic", "set_position_template"], names, variables, timeout: MOVES_WITHIN }),
		...aspect(options, "tilt", tilt, { read: ["tilt_status_topic", "tilt_status_template"], write: ["tilt_command_topic", "tilt_command_template"], names, variables, timeout: MOVES_WITHIN, optimistic: options.flag("tilt_optimistic") || options.flag("optimistic") }),
	];
}

/** Open or closed: as its topic says, else as its position does. Stopped on the way is open. */
function coverState(options: Options, sent: ReadonlyMap<string, string>, position: Codec): Aspect[] {
	if (!options.has("state_topic") && options.has("position_topic")) {
		const read = reader(options, "position_topic", "position_template", (text) => {
			const heard = position.decode(memberOr(text, "position"));
			return isNumeric(heard) ? (heard.number === 0 ? "closed" : "open") : undefined;
		});
		const codec = labels({ labels: ["open", "closed"], sent });
		return bound(options, "", codec, read ? [read] : [], sent.size > 0 ? writer(options, codec, "command_topic", undefined) : undefined, { timeout: MOVES_WITHIN });
	}
	const word = (stateKey: string, fallback: string): string => options.text(stateKey) ?? fallback;
	return phased(options, {
		settled: new Map([[word("state_stopped", "stopped"), "open"], [word("state_closed", "closed"), "closed"], [word("state_open", "open"), "open"]]),
		passing: new Map([[word("state_opening", "opening"), "opening"], [word("state_closing", "closing"), "closing"]]),
		sent, labels: ["open", "closed"], phase: "moving",
		wiring: { read: ["state_topic", "value_template"], write: ["command_topic"], timeout: MOVES_WITHIN },
	});
}

function stopButton(options: Options, payload: string | undefined): Aspect[] {
	return payload === undefined ? [] : aspect(options, "stop", labels({ labels: ["stop"], sent: new Map([["stop", payload]]) }), { write: ["command_topic"] });
}

function valve(options: Options): Aspect[] {
	const ends = [options.number("position_closed") ?? 0, options.number("position_open") ?? 100] as const;
	const moving = new Map([[options.text("state_opening") ?? "opening", "opening"], [options.text("state_closing") ?? "closing", "closing"]]);
	const topic = options.topic("command_topic");
	const halt = stopButton(options, options.text("payload_stop"));
	if (options.flag("reports_position")) {
		const position = numeric({ unit: "%", min: 0, max: 100, step: 2, ends });
		const codec: Codec = { ...position, decode: (text) => (moving.has(memberOr(text, "state")) && memberOr(text, "position") === text ? undefined : position.decode(memberOr(text, "position"))) };
		return [...aspect(options, "position", codec, { read: ["state_topic", "value_template"], write: ["command_topic", "command_template"], names: ["position", "position_open", "position_closed"], variables: (value) => ({ position: value }), timeout: MOVES_WITHIN }), ...halt];
	}
	const sent = topic !== undefined ? commands(options, [["open", "payload_open", "OPEN"], ["closed", "payload_close", "CLOSE"]]) : new Map<string, string>();
	const state = phased(options, {
		settled: new Map([[options.text("state_open") ?? "open", "open"], [options.text("state_closed") ?? "closed", "closed"]]),
		passing: moving, sent, labels: ["open", "closed"], phase: "moving",
		wiring: { read: ["state_topic", "value_template"], write: ["command_topic", "command_template"], timeout: MOVES_WITHIN },
	});
	return [...state, ...halt];
}

function lock(options: Options): Aspect[] {
	const sent = options.has("command_topic") ? commands(options, [["locked", "payload_lock", "LOCK"], ["unlocked", "payload_unlock", "UNLOCK"], ["open", "payload_open"]]) : new Map<string, string>();
	const opens = options.has("payload_open") || options.has("state_open");
	const settled = new Map([[options.text("state_locked") ?? "LOCKED", "locked"], [options.text("state_unlocked") ?? "UNLOCKED", "unlocked"], [options.text("state_jammed") ?? "JAMMED", "jammed"]]);
	if (opens) settled.set(options.text("state_open") ?? "OPEN", "open");
	return phased(options, {
		settled, sent, phase: "moving",
		labels: ["locked", "unlocked", "jammed", ...(opens ? ["open"] : [])],
		passing: new Map([[options.text("state_locking") ?? "LOCKING", "locking"], [options.text("state_unlocking") ?? "UNLOCKING", "unlocking"], [options.text("state_opening") ?? "OPENING", "opening"]]),
		wiring: { read: ["state_topic", "value_template"], write: ["command_topic", "command_template"], names: ["code"], variables: () => ({ code: null }), timeout: LOCKS_WITHIN },
	});
}

const ALARM_COMMANDS = [
	["disarmed", "payload_disarm", "DISARM", ""], ["armed_home", "payload_arm_home", "ARM_HOME", "arm_home"], ["armed_away", "payload_arm_away", "ARM_AWAY", "arm_away"],
	["armed_night", "payload_arm_night", "ARM_NIGHT", "arm_night"], ["armed_vacation", "payload_arm_vacation", "ARM_VACATION", "arm_vacation"],
	["armed_custom_bypass", "payload_arm_custom_bypass", "ARM_CUSTOM_BYPASS", "arm_custom_bypass"], ["triggered", "payload_trigger", "TRIGGER", "trigger"],
] as const;

function alarm(options: Options): Aspect[] {
	const features = options.has("supported_features") ? new Set(options.list("supported_features")) : undefined;
	const offered = ALARM_COMMANDS.filter(([, , , feature]) => feature === "" || features === undefined || features.has(feature));
	const sent = options.has("command_topic") ? commands(options, offered.map(([label, payloadKey, fallback]) => [label, payloadKey, fallback] as const)) : new Map<string, string>();
	// A code that the panel itself checks is nobody's here to give; one that Home Assistant would check has its place in our access rules.
	if (options.text("code")?.startsWith("REMOTE_CODE")) {
		const needed = (name: string): boolean => !options.has(name) || options.flag(name);
		if (needed("code_disarm_required")) sent.delete("disarmed");
		if (needed("code_arm_required")) for (const label of [...sent.keys()]) if (label.startsWith("armed_")) sent.delete(label);
		if (needed("code_trigger_required")) sent.delete("triggered");
		options.problem("Cannot arm or disarm: the panel asks for a code that its config does not tell");
	}
	return phased(options, {
		settled: new Map(ALARM_COMMANDS.map(([label]) => [label, label])),
		passing: new Map([["arming", "arming"], ["pending", "pending"], ["disarming", "disarming"]]),
		sent, labels: ALARM_COMMANDS.map(([label]) => label), phase: "phase",
		wiring: { read: ["state_topic", "value_template"], write: ["command_topic", "command_template"], names: ["action", "code"], variables: (value) => ({ action: value, code: null }), timeout: MOVES_WITHIN },
	});
}

function temperatures(options: Options): Codec {
	const unit = options.text("temperature_unit")?.toUpperCase() === "F" ? "°F" as const : "°C" as const;
	const [low, high] = unit === "°F" ? [45, 95] : [7, 35];
	return numeric({ unit, min: options.number("min_temp") ?? low, max: options.number("max_temp") ?? high, step: options.number("temp_step") });
}

function modes(options: Options, listKey: string, fallback: readonly string[], heard?: ReadonlyMap<string, string>): Codec {
	const list = options.list(listKey);
	return labels({ labels: [...(heard?.values() ?? []), ...(list.length > 0 ? list : fallback)], ...(heard && { heard }) });
}

const NO_PRESET = new Map([["None", "none"]]);
const CLIMATE_MODES = ["auto", "off", "cool", "heat", "dry", "fan_only"];
const HEATER_MODES = ["off", "eco", "electric", "gas", "heat_pump", "high_demand", "performance"];

/** A state and its command, by the one naming habit that nearly all of them follow. */
function pair(options: Options, name: string, prefix: string, codec: Codec, template = "state_template"): Aspect[] {
	return aspect(options, name, codec, { read: [`${prefix}_state_topic`, `${prefix}_${template}`], write: [`${prefix}_command_topic`, `${prefix}_command_template`] });
}

function current(options: Options, name: string, unit: "°C" | "°F" | "%"): Aspect[] {
	return aspect(options, name, numeric({ unit }), { read: [`current_${name}_topic`, `current_${name}_template`] });
}

function humidityTarget(options: Options): Aspect[] {
	return pair(options, "target_humidity", "target_humidity", numeric({ unit: "%", min: options.number("min_humidity") ?? 0, max: options.number("max_humidity") ?? 100 }));
}

function power(options: Options): Aspect[] {
	return pair(options, "power", "power", boolean({ on: options.text("payload_on") ?? "ON", off: options.text("payload_off") ?? "OFF" }));
}

function climate(options: Options): Aspect[] {
	const degrees = temperatures(options);
	const unit = options.text("temperature_unit")?.toUpperCase() === "F" ? "°F" : "°C";
	return [
		...current(options, "temperature", unit), ...current(options, "humidity", "%"),
		...pair(options, "setpoint", "temperature", degrees), ...pair(options, "setpoint_high", "temperature_high", degrees), ...pair(options, "setpoint_low", "temperature_low", degrees),
		...humidityTarget(options),
		...pair(options, "mode", "mode", modes(options, "modes", CLIMATE_MODES)),
		...aspect(options, "action", words(), { read: ["action_topic", "action_template"], category: "status" }),
		...pair(options, "fan_mode", "fan_mode", modes(options, "fan_modes", ["auto", "low", "medium", "high"])),
		...pair(options, "swing_mode", "swing_mode", modes(options, "swing_modes", ["on", "off"])),
		...pair(options, "swing_horizontal_mode", "swing_horizontal_mode", modes(options, "swing_horizontal_modes", ["on", "off"])),
		...pair(options, "preset_mode", "preset_mode", modes(options, "preset_modes", [], NO_PRESET), "value_template"),
		...power(options),
	];
}

function waterHeater(options: Options): Aspect[] {
	const fahrenheit = options.text("temperature_unit")?.toUpperCase() === "F";
	const setpoint = numeric({ unit: fahrenheit ? "°F" : "°C", min: options.number("min_temp") ?? (fahrenheit ? 110 : 43.3), max: options.number("max_temp") ?? (fahrenheit ? 140 : 60), step: options.number("temp_step") });
	return [...current(options, "temperature", fahrenheit ? "°F" : "°C"), ...pair(options, "setpoint", "temperature", setpoint), ...pair(options, "mode", "mode", modes(options, "modes", HEATER_MODES)), ...power(options)];
}

function humidifier(options: Options): Aspect[] {
	return [
		...aspect(options, "", onOff(options), { read: ["state_topic", "state_value_template"], write: ["command_topic", "command_template"] }),
		...current(options, "humidity", "%"), ...humidityTarget(options),
		...pair(options, "mode", "mode", modes(options, "modes", [])),
		...aspect(options, "action", words(), { read: ["action_topic", "action_template"], category: "status" }),
	];
}

function fan(options: Options): Aspect[] {
	const low = options.number("speed_range_min") ?? 1;
	const high = options.number("speed_range_max") ?? 100;
	const forward = options.text("payload_direction_forward") ?? "forward";
	const reverse = options.text("payload_direction_reverse") ?? "reverse";
	return [
		...aspect(options, "", boolean({ on: options.text("payload_on") ?? "ON", off: options.text("payload_off") ?? "OFF" }), { read: ["state_topic", options.has("state_value_template") ? "state_value_template" : "value_template"], write: ["command_topic", "command_template"] }),
		...pair(options, "speed", "percentage", numeric({ unit: "%", min: 0, max: 100, step: 100 / Math.max(1, high - low + 1), ends: [low - 1, high] }), "value_template"),
		...pair(options, "preset_mode", "preset_mode", modes(options, "preset_modes", [], options.has("preset_modes") ? NO_PRESET : undefined), "value_template"),
		...pair(options, "oscillation", "oscillation", boolean({ on: options.text("payload_oscillation_on") ?? "oscillate_on", off: options.text("payload_oscillation_off") ?? "oscillate_off" }), "value_template"),
		...pair(options, "direction", "direction", labels({ labels: ["forward", "reverse"], heard: new Map([[forward, "forward"], [reverse, "reverse"]]), sent: new Map([["forward", forward], ["reverse", reverse]]) }), "value_template"),
	];
}

function vacuum(options: Options): Aspect[] {
	const state = labels({ labels: ["cleaning", "docked", "paused", "idle", "returning", "error"] });
	const speeds = options.list("fan_speed_list");
	const speed = speeds.length > 0 ? labels({ labels: speeds }) : words();
	const battery = numeric({ unit: "%" });
	const sent = commands(options, [["start", "payload_start", "start"], ["pause", "payload_pause", "pause"], ["stop", "payload_stop", "stop"], ["return_to_base", "payload_return_to_base", "return_to_base"], ["clean_spot", "payload_clean_spot", "clean_spot"], ["locate", "payload_locate", "locate"]]);
	const features = options.has("supported_features") ? new Set(options.list("supported_features")) : undefined;
	if (features) for (const label of [...sent.keys()]) if (!features.has(label === "return_to_base" ? "return_home" : label)) sent.delete(label);
	return [
		...bound(options, "", state, memberReader(options, "state_topic", key("state"), state), undefined),
		...bound(options, "battery", battery, memberReader(options, "state_topic", key("battery_level"), battery), undefined, { category: "status" }),
		...(speeds.length > 0 || options.has("set_fan_speed_topic") ? bound(options, "fan_speed", speed, memberReader(options, "state_topic", key("fan_speed"), speed), writer(options, speed, "set_fan_speed_topic", undefined)) : []),
		...(sent.size > 0 ? aspect(options, "command", labels({ labels: [...sent.keys()], sent }), { write: ["command_topic"] }) : []),
		...aspect(options, "send", words(), { write: ["send_command_topic"] }),
	];
}

const MOWER_COMMANDS = ["start_mowing", "pause", "dock"];

function mower(options: Options): Aspect[] {
	const encoders = new Map(MOWER_COMMANDS.map((command) => [command, writer(options, labels({ labels: [command] }), `${command}_command_topic`, `${command}_command_template`)] as const).filter(([, encode]) => encode !== undefined));
	return [
		...aspect(options, "", labels({ labels: ["mowing", "paused", "docked", "returning", "error"] }), { read: ["activity_state_topic", "activity_value_template"] }),
		...(encoders.size > 0 ? bound(options, "command", labels({ labels: [...encoders.keys()] }), [], (value) => (typeof value === "string" ? encoders.get(value) : undefined)?.(value) ?? refuse(value)) : []),
	];
}

function update(options: Options): Aspect[] {
	const inState = (member: string, codec: Codec, plain: boolean): Read | undefined => reader(options, "state_topic", "value_template", (text) => {
		if (text.trimStart().startsWith("{")) return codec.decode(memberOr(text, member).replace(/^true$/, "True").replace(/^false$/, "False"));
		return plain ? codec.decode(text) : undefined;
	});
	const text = words();
	const truth = boolean({ on: "True", off: "False" });
	const installed = inState("installed_version", text, true);
	const latest = [reader(options, "latest_version_topic", "latest_version_template", (word) => text.decode(word)), inState("latest_version", text, false)].filter((read) => read !== undefined);
	const progress = inState("in_progress", truth, false);
	return [
		...bound(options, "installed_version", text, installed ? [installed] : [], undefined, { category: "identity" }),
		...bound(options, "latest_version", text, latest, undefined, { category: "status" }),
		...bound(options, "in_progress", truth, progress ? [progress] : [], undefined, { category: "status" }),
		...(options.has("payload_install") ? aspect(options, "install", labels({ labels: ["install"], sent: new Map([["install", options.text("payload_install") ?? ""]]) }), { write: ["command_topic", "command_template"] }) : []),
	];
}

/** One-off: told when it happens, and never by a retained message. */
function event(options: Options): Aspect[] {
	const types = options.list("event_types");
	const codec = types.length > 0 ? labels({ labels: types }) : words();
	const read = reader(options, "state_topic", "value_template", (text) => (saysNothing(text) ? undefined : text.trimStart().startsWith("{") ? codec.decode(memberOr(text, "event_type")) : new Misread("not JSON with an event_type")));
	return bound(options, "", codec, read ? [{ ...read, liveOnly: true }] : [], undefined);
}

function tag(options: Options): Aspect[] {
	return aspect(options, "", words(), { read: ["topic", "value_template"], liveOnly: true });
}

/** All triggers of a device are one point: `button_1 button_short_press`, or only the subtype where the type says no more than "action". */
function trigger(options: Options): Aspect[] {
	const type = options.text("type") ?? "trigger";
	const subtype = options.text("subtype") ?? "";
	const value = type === "action" && subtype !== "" ? subtype : `${subtype} ${type}`.trim();
	const payload = options.text("payload");
	const read = reader(options, "topic", "value_template", (text) => (text !== "" && (payload === undefined || text === payload) ? value : undefined));
	return bound(options, "", words(), read ? [{ ...read, liveOnly: true }] : [], undefined);
}

function tracker(options: Options): Aspect[] {
	const home = options.text("payload_home") ?? "home";
	const away = options.text("payload_not_home") ?? "not_home";
	const reset = options.text("payload_reset") ?? "None";
	const place = words();
	const read = reader(options, "state_topic", "value_template", (text) => (text === home ? "home" : text === away ? "not_home" : text === reset ? undefined : place.decode(text)));
	const member = (name: string, attribute: string, codec: Codec): Aspect[] => options.has("json_attributes_template") ? [] : bound(options, name, codec, memberReader(options, "json_attributes_topic", key(attribute), codec), undefined);
	return [
		...bound(options, "", place, read ? [read] : [], undefined),
		...member("latitude", "latitude", numeric({ unit: "°" })), ...member("longitude", "longitude", numeric({ unit: "°" })), ...member("gps_accuracy", "gps_accuracy", numeric({ unit: "m" })),
	];
}

const called = (word: string) => (): string => word;
/** A sensor without a name is what it measures. */
const measured = (word: string) => (options: Options): string => options.text("device_class") ?? word;

/** Every component that discovery knows. To add one: a line here, and its function above. */
export const COMPONENTS: ReadonlyMap<string, Component> = new Map<string, Component>(Object.entries({
	alarm_control_panel: { name: called("alarm"), several: true, aspects: alarm },
	binary_sensor: { name: measured("state"), aspects: switchable },
	button: { name: measured("press"), aspects: press("press", "payload_press", "PRESS") },
	camera: { name: called("camera"), aspects: () => [] },
	climate: { name: called("climate"), several: true, aspects: climate },
	cover: { name: called("cover"), several: true, aspects: cover },
	date: { name: called("date"), aspects: text },
	datetime: { name: called("datetime"), aspects: text },
	device_automation: { name: called("trigger"), aspects: trigger },
	device_tracker: { name: called("location"), several: true, aspects: tracker },
	event: { name: called("event"), aspects: event },
	fan: { name: called("fan"), several: true, aspects: fan },
	humidifier: { name: called("humidifier"), several: true, aspects: humidifier },
	image: { name: called("image"), aspects: () => [] },
	lawn_mower: { name: called("mower"), several: true, aspects: mower },
	light: { name: called("light"), several: true, aspects: light },
	lock: { name: called("lock"), several: true, aspects: lock },
	notify: { name: called("message"), aspects: text },
	number: { name: measured("number"), aspects: number },
	scene: { name: called("scene"), aspects: press("activate", "payload_on", "ON") },
	select: { name: called("select"), aspects: select },
	sensor: { name: measured("value"), aspects: sensor },
	siren: { name: called("siren"), several: true, aspects: siren },
	switch: { name: measured("switch"), aspects: switchable },
	tag: { name: called("tag"), aspects: tag },
	text: { name: called("text"), aspects: text },
	time: { name: called("time"), aspects: text },
	update: { name: called("update"), several: true, aspects: update },
	vacuum: { name: called("vacuum"), several: true, aspects: vacuum },
	valve: { name: called("valve"), several: true, aspects: valve },
	water_heater: { name: called("water_heater"), several: true, aspects: waterHeater },
} satisfies Record<string, Component>));

/** Does the JSON say that a component of a device config is taken back? It has nothing but its platform then. */
export function isTakenBack(component: Json): boolean {
	return isObject(component) && !isArray(component) && Object.keys(component).every((name) => name === "platform" || name === "p");
}
