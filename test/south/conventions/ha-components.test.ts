import assert from "node:assert/strict";
import { test } from "node:test";
import type { Value } from "../../../src/core/value.js";
import { COMPONENTS } from "../../../src/south/conventions/ha-components.js";
import { HomeAssistant } from "../../../src/south/conventions/homeassistant.js";
import { message, readings, reasons, sent } from "./said.js";

interface Row {
	readonly component: string;
	readonly what: string;
	readonly config: object;
	/** Point → `access kind unit min..max/step labels`, as far as there is any. */
	readonly points: Readonly<Record<string, string>>;
	/** Topic, payload, readings; a text among them is a misfit. */
	readonly heard?: readonly (readonly [topic: string, payload: unknown, told: Readonly<Record<string, string | boolean>> | RegExp])[];
	readonly sends?: readonly (readonly [point: string, value: Value | number, messages: readonly string[] | RegExp])[];
}

const ROWS: readonly Row[] = [
	{
		component: "sensor", what: "with a unit", config: { unique_id: "t", state_topic: "d/t", unit_of_measurement: "°C", device_class: "temperature" },
		points: { temp: "r numeric °C" },
		heard: [["d/t", "21.50", { temp: "21.50" }], ["d/t", "unavailable", {}], ["d/t", "nan", {}], ["d/t", "", {}], ["d/t", "warm", /Cannot read "temp": not a number/]],
	},
	{
		component: "sensor", what: "with an unknown unit", config: { state_topic: "d/t", unit_of_measurement: "furlong" },
		points: { temp: "r numeric" }, heard: [["d/t", "3", { temp: "3" }]],
	},
	{ component: "sensor", what: "of words", config: { state_topic: "d/t", value_template: "{{ value_json.s }}" }, points: { temp: "r text" }, heard: [["d/t", { s: "washing" }, { temp: "washing" }], ["d/t", {}, {}], ["d/t", "x", /Cannot read "temp": Cannot read JSON/], ["d/t", { s: "x".repeat(300) }, /longer than 255/]] },
	{ component: "sensor", what: "that its template makes a number", config: { state_topic: "d/t", value_template: "{{ value_json.s | float }}" }, points: { temp: "r numeric" }, heard: [["d/t", { s: "1.50" }, { temp: "1.50" }]] },
	{ component: "sensor", what: "of options", config: { state_topic: "d/t", device_class: "enum", options: ["wet", "dry"] }, points: { temp: "r enum wet,dry" }, heard: [["d/t", "wet", { temp: "wet" }], ["d/t", "Dry", { temp: "dry" }], ["d/t", "moist", /none of wet, dry/]] },
	{ component: "sensor", what: "of a time", config: { state_topic: "d/t", device_class: "timestamp" }, points: { temp: "r text" }, heard: [["d/t", "2026-01-01T00:00:00Z", { temp: "2026-01-01T00:00:00Z" }]] },
	{ component: "sensor", what: "whose template is beyond us", config: { state_topic: "d/t", value_template: "{{ states('x') }}" }, points: {}, heard: [] },
	{
		component: "binary_sensor", what: "with its own words", config: { state_topic: "d/b", payload_on: "open", payload_off: "closed", device_class: "door" },
		points: { temp: "r boolean" }, heard: [["d/b", "open", { temp: true }], ["d/b", "closed", { temp: false }], ["d/b", "ajar", /neither "open" nor "closed"/]],
	},
	{ component: "binary_sensor", what: "of truths", config: { state_topic: "d/b", payload_on: true, payload_off: false, value_template: "{{ value_json.occupancy }}" }, points: { temp: "r boolean" }, heard: [["d/b", { occupancy: true }, { temp: true }], ["d/b", { occupancy: null }, {}]] },
	{
		component: "switch", what: "that reports", config: { state_topic: "d/s", command_topic: "d/c", state_on: "1", state_off: "0", payload_on: "on", payload_off: "off" },
		points: { temp: "rw boolean" }, heard: [["d/s", "1", { temp: true }]], sends: [["temp", true, ["d/c on"]], ["temp", false, ["d/c off"]], ["temp", "on", /takes on or off/]],
	},
	{ component: "switch", what: "without a state", config: { command_topic: "d/c" }, points: { temp: "w boolean" }, sends: [["temp", true, ["d/c ON"]]] },
	{ component: "switch", what: "that is optimistic", config: { state_topic: "d/s", command_topic: "d/c", optimistic: true, command_template: '{"r":"{{ value }}"}' }, points: { temp: "rw boolean unconfirmed" }, sends: [["temp", true, ['d/c {"r":"ON"}']]] },
	{
		component: "number", what: "with its range", config: { state_topic: "d/n", command_topic: "d/c", min: "5", max: 30, step: 0.5, unit_of_measurement: "°C", command_template: '{"v": {{ value }}}' },
		points: { temp: "rw numeric °C 5..30/0.5" }, heard: [["d/n", "21.5", { temp: "21.5" }], ["d/n", "None", {}]], sends: [["temp", 22, ['d/c {"v": 22}']], ["temp", 31, /takes 5 to 30/]],
	},
	{ component: "number", what: "by default", config: { command_topic: "d/c" }, points: { temp: "w numeric 1..100/1" } },
	{ component: "select", what: "", config: { state_topic: "d/o", command_topic: "d/c", options: ["a", "b"] }, points: { temp: "rw enum a,b" }, heard: [["d/o", "b", { temp: "b" }], ["d/o", "c", /none of a, b/]], sends: [["temp", "a", ["d/c a"]], ["temp", "c", /one of a, b/]] },
	{ component: "text", what: "", config: { state_topic: "d/x", command_topic: "d/c", max: 20 }, points: { temp: "rw text" }, heard: [["d/x", "hello", { temp: "hello" }]], sends: [["temp", "hi", ["d/c hi"]]] },
	{ component: "date", what: "", config: { state_topic: "d/x", command_topic: "d/c" }, points: { temp: "rw text" }, sends: [["temp", "2026-01-01", ["d/c 2026-01-01"]]] },
	{ component: "notify", what: "", config: { command_topic: "d/c" }, points: { temp: "w text" }, sends: [["temp", "hi", ["d/c hi"]]] },
	{ component: "button", what: "", config: { command_topic: "d/c", payload_press: "go", retain: true }, points: { temp: "w enum press" }, sends: [["temp", "press", ["d/c go"]]] },
	{ component: "scene", what: "", config: { command_topic: "d/c" }, points: { temp: "w enum activate" }, sends: [["temp", "activate", ["d/c ON"]]] },
	{
		component: "siren", what: "in JSON", config: { state_topic: "d/s", command_topic: "d/c", available_tones: ["bell", "horn"], support_volume_set: false },
		points: { temp: "rw boolean", tone: "w enum bell,horn", duration: "w numeric s 0.." },
		heard: [["d/s", '{"state":"ON","tone":"bell"}', { temp: true }], ["d/s", "OFF", { temp: false }]],
		sends: [["temp", true, ['d/c {"state":"ON"}']], ["tone", "bell", ['d/c {"state":"ON","tone":"bell"}']], ["duration", 5, ['d/c {"state":"ON","duration":5}']]],
	},
	{ component: "siren", what: "by templates", config: { command_topic: "d/c", command_template: "{{ value }}:{{ tone }}", command_off_template: "STOP", available_tones: ["bell"], support_duration: false, support_volume_set: false }, points: { temp: "w boolean", tone: "w enum bell" }, sends: [["temp", false, ["d/c STOP"]], ["tone", "bell", ["d/c ON:bell"]]] },
	{
		component: "light", what: "by topics",
		config: { state_topic: "d/s", command_topic: "d/c", brightness_state_topic: "d/bs", brightness_command_topic: "d/bc", brightness_scale: 100, color_temp_state_topic: "d/cts", color_temp_command_topic: "d/ctc", rgb_state_topic: "d/rs", rgb_command_topic: "d/rc", rgb_command_template: "#{{ red }}.{{ green }}.{{ blue }}", effect_command_topic: "d/fc", effect_state_topic: "d/fs", effect_list: ["rainbow"], white_command_topic: "d/wc", color_mode_state_topic: "d/cm", min_mireds: 150 },
		points: { temp: "rw boolean", brightness: "rw numeric 0..100/1", color_temp: "rw numeric mired 150..500", rgb: "rw text", white: "w numeric 0..255", effect: "rw enum rainbow", color_mode: "r text" },
		heard: [["d/s", "ON", { temp: true }], ["d/bs", "50", { brightness: "50" }], ["d/cts", "370", { color_temp: "370" }], ["d/rs", "255,0,10", { rgb: "255,0,10" }], ["d/rs", "red", /not as its config says/], ["d/fs", "rainbow", { effect: "rainbow" }], ["d/cm", "rgb", { color_mode: "rgb" }]],
		sends: [["temp", false, ["d/c OFF"]], ["brightness", 40, ["d/bc 40"]], ["brightness", 40.5, /takes 0 to 100/], ["rgb", "1,2,3", ["d/rc #1.2.3"]], ["rgb", "blue", /has no command/], ["effect", "rainbow", ["d/fc rainbow"]]],
	},
	{
		component: "light", what: "in JSON", config: { schema: "json", state_topic: "d/s", command_topic: "d/c", brightness: true, supported_color_modes: ["color_temp", "rgb", "xy"], effect: true, effect_list: ["e"], brightness_scale: 254 },
		points: { temp: "rw boolean", brightness: "rw numeric 0..254/1", color_temp: "rw numeric mired 153..500", rgb: "rw text", xy: "rw text", effect: "rw enum e", color_mode: "r text" },
		heard: [["d/s", { state: "ON", brightness: 120, color: { r: 255, g: 1, b: 2 }, color_mode: "rgb" }, { temp: true, brightness: "120", rgb: "255,1,2", color_mode: "rgb" }], ["d/s", { state: "OFF" }, { temp: false }], ["d/s", { color: { x: 0.3, y: 0.25 } }, { xy: "0.3,0.25" }]],
		sends: [["temp", true, ['d/c {"state":"ON"}']], ["temp", false, ['d/c {"state":"OFF"}']], ["brightness", 7, ['d/c {"state":"ON","brightness":7}']], ["xy", "0.3,0.25", ['d/c {"state":"ON","color":{"x":0.3,"y":0.25}}']], ["effect", "e", ['d/c {"state":"ON","effect":"e"}']]],
	},
	{
		component: "light", what: "by templates", config: { schema: "template", state_topic: "d/s", command_topic: "d/c", command_on_template: "on,{{ brightness|d }},{{ red|d }}-{{ green|d }}-{{ blue|d }}", command_off_template: "off", state_template: "{{ value.split(',')[0] }}", brightness_template: "{{ value.split(',')[1] }}", red_template: "{{ value.split(',')[2].split('-')[0] }}", green_template: "{{ value.split(',')[2].split('-')[1] }}", blue_template: "{{ value.split(',')[2].split('-')[2] }}" },
		points: { temp: "rw boolean", brightness: "rw numeric 0..255", rgb: "rw text" },
		heard: [["d/s", "on,255,1-2-3", { temp: true, brightness: "255", rgb: "1,2,3" }]],
		sends: [["temp", true, ["d/c on,,--"]], ["temp", false, ["d/c off"]], ["brightness", 9, ["d/c on,9,--"]], ["rgb", "1,2,3", ["d/c on,,1-2-3"]]],
	},
	{
		component: "cover", what: "with position and tilt",
		config: { state_topic: "d/s", command_topic: "d/c", position_topic: "d/p", set_position_topic: "d/sp", set_position_template: '{"pos": {{ position }}}', tilt_status_topic: "d/ts", tilt_command_topic: "d/tc", tilt_min: 0, tilt_max: 180 },
		points: { temp: "rw enum open,closed", moving: "r enum opening,closing,no", stop: "w enum stop", position: "rw numeric % 0..100/2", tilt: "rw numeric % 0..100/2" },
		heard: [["d/s", "open", { temp: "open", moving: "no" }], ["d/s", "opening", { moving: "opening" }], ["d/s", "stopped", { temp: "open", moving: "no" }], ["d/p", "42", { position: "42" }], ["d/p", '{"position":30}', { position: "30" }], ["d/ts", "90", { tilt: "50" }]],
		sends: [["temp", "open", ["d/c OPEN"]], ["temp", "closed", ["d/c CLOSE"]], ["stop", "stop", ["d/c STOP"]], ["position", 30, ['d/sp {"pos": 30}']], ["tilt", 50, ["d/tc 90"]]],
	},
	{
		component: "cover", what: "that only knows its position, upside down", config: { command_topic: "d/c", position_topic: "d/p", position_open: 0, position_closed: 255, payload_stop: null },
		points: { temp: "rw enum open,closed", position: "r numeric % 0..100/2" }, heard: [["d/p", "255", { temp: "closed", position: "0" }], ["d/p", "0", { temp: "open", position: "100" }]],
	},
	{
		component: "valve", what: "that is open or closed", config: { state_topic: "d/s", command_topic: "d/c", payload_stop: "HALT" }, points: { temp: "rw enum open,closed", moving: "r enum opening,closing,no", stop: "w enum stop" },
		heard: [["d/s", "closed", { temp: "closed", moving: "no" }], ["d/s", "closing", { moving: "closing" }]], sends: [["temp", "closed", ["d/c CLOSE"]], ["stop", "stop", ["d/c HALT"]]],
	},
	{ component: "valve", what: "with a position", config: { state_topic: "d/s", command_topic: "d/c", reports_position: true }, points: { temp_position: "", position: "rw numeric % 0..100/2" }, heard: [["d/s", "30", { position: "30" }], ["d/s", { position: 31, state: "opening" }, { position: "31" }], ["d/s", "opening", {}]], sends: [["position", 5, ["d/c 5"]]] },
	{
		component: "lock", what: "", config: { state_topic: "d/s", command_topic: "d/c", payload_open: "OPEN" }, points: { temp: "rw enum locked,unlocked,jammed,open", moving: "r enum locking,unlocking,opening,no" },
		heard: [["d/s", "LOCKED", { temp: "locked", moving: "no" }], ["d/s", "UNLOCKING", { moving: "unlocking" }], ["d/s", "JAMMED", { temp: "jammed", moving: "no" }]],
		sends: [["temp", "locked", ["d/c LOCK"]], ["temp", "open", ["d/c OPEN"]], ["temp", "jammed", /has no command/]],
	},
	{
		component: "climate", what: "of everything",
		config: {
			current_temperature_topic: "d/ct", temperature_state_topic: "d/ts", temperature_command_topic: "d/tc", min_temp: "5", max_temp: 35, temp_step: 0.5, mode_state_topic: "d/ms", mode_command_topic: "d/mc", modes: ["heat", "off"], action_topic: "d/a",
			fan_mode_state_topic: "d/fs", fan_mode_command_topic: "d/fc", swing_mode_command_topic: "d/wc", preset_mode_state_topic: "d/ps", preset_mode_command_topic: "d/pc", preset_modes: ["eco"], power_command_topic: "d/pw", current_humidity_topic: "d/ch", target_humidity_command_topic: "d/hc", max_humidity: 70,
			temperature_high_command_topic: "d/thc", temperature_low_state_topic: "d/tls",
		},
		points: {
			temperature: "r numeric °C", humidity: "r numeric %", setpoint: "rw numeric °C 5..35/0.5", setpoint_high: "w numeric °C 5..35/0.5", setpoint_low: "r numeric °C 5..35/0.5", target_humidity: "w numeric % 0..70", mode: "rw enum heat,off", action: "r text",
			fan_mode: "rw enum auto,low,medium,high", swing_mode: "w enum on,off", preset_mode: "rw enum none,eco", power: "w boolean",
		},
		heard: [["d/ct", "19.50", { temperature: "19.50" }], ["d/ts", "21.0", { setpoint: "21.0" }], ["d/ms", "heat", { mode: "heat" }], ["d/ms", "dry", /none of heat, off/], ["d/a", "idle", { action: "idle" }], ["d/ps", "None", { preset_mode: "none" }], ["d/ps", "eco", { preset_mode: "eco" }]],
		sends: [["setpoint", 22, ["d/tc 22"]], ["setpoint", 36, /takes 5 to 35 °C/], ["mode", "off", ["d/mc off"]], ["preset_mode", "eco", ["d/pc eco"]], ["power", true, ["d/pw ON"]], ["temperature", 5, /it is read-only/]],
	},
	{ component: "climate", what: "in Fahrenheit", config: { temperature_unit: "F", current_temperature_topic: "d/ct", temperature_command_topic: "d/tc" }, points: { temperature: "r numeric °F", setpoint: "w numeric °F 45..95" } },
	{ component: "water_heater", what: "", config: { current_temperature_topic: "d/ct", temperature_state_topic: "d/ts", temperature_command_topic: "d/tc", mode_command_topic: "d/mc", modes: ["eco", "off"], min_temp: 30, max_temp: 65 }, points: { temperature: "r numeric °C", setpoint: "rw numeric °C 30..65", mode: "w enum eco,off" }, sends: [["setpoint", 50, ["d/tc 50"]]] },
	{
		component: "humidifier", what: "", config: { state_topic: "d/s", command_topic: "d/c", target_humidity_state_topic: "d/hs", target_humidity_command_topic: "d/hc", min_humidity: 30, current_humidity_topic: "d/ch", mode_state_topic: "d/ms", mode_command_topic: "d/mc", modes: ["auto"], action_topic: "d/a" },
		points: { temp: "rw boolean", humidity: "r numeric %", target_humidity: "rw numeric % 30..100", mode: "rw enum auto", action: "r text" }, heard: [["d/ch", "41", { humidity: "41" }]], sends: [["target_humidity", 45, ["d/hc 45"]]],
	},
	{
		component: "fan", what: "", config: { state_topic: "d/s", command_topic: "d/c", percentage_state_topic: "d/ps", percentage_command_topic: "d/pc", speed_range_min: 1, speed_range_max: 4, preset_mode_command_topic: "d/mc", preset_modes: ["sleep"], oscillation_state_topic: "d/os", oscillation_command_topic: "d/oc", direction_state_topic: "d/ds", direction_command_topic: "d/dc", payload_direction_reverse: "back" },
		points: { temp: "rw boolean", speed: "rw numeric % 0..100/25", preset_mode: "w enum none,sleep", oscillation: "rw boolean", direction: "rw enum forward,reverse" },
		heard: [["d/ps", "2", { speed: "50" }], ["d/os", "oscillate_on", { oscillation: true }], ["d/ds", "back", { direction: "reverse" }]], sends: [["speed", 75, ["d/pc 3"]], ["speed", 0, ["d/pc 0"]], ["oscillation", false, ["d/oc oscillate_off"]], ["direction", "reverse", ["d/dc back"]]],
	},
	{
		component: "vacuum", what: "", config: { state_topic: "d/s", command_topic: "d/c", fan_speed_list: ["min", "max"], set_fan_speed_topic: "d/f", supported_features: ["start", "return_home"] },
		points: { temp: "r enum cleaning,docked,paused,idle,returning,error", battery: "r numeric %", fan_speed: "rw enum min,max", command: "w enum start,return_to_base" },
		heard: [["d/s", { state: "docked", battery_level: 80, fan_speed: "min" }, { temp: "docked", battery: "80", fan_speed: "min" }]], sends: [["command", "return_to_base", ["d/c return_to_base"]], ["fan_speed", "max", ["d/f max"]]],
	},
	{ component: "lawn_mower", what: "", config: { activity_state_topic: "d/s", dock_command_topic: "d/d", start_mowing_command_topic: "d/m" }, points: { temp: "r enum mowing,paused,docked,returning,error", command: "w enum start_mowing,dock" }, heard: [["d/s", "mowing", { temp: "mowing" }]], sends: [["command", "dock", ["d/d dock"]], ["command", "start_mowing", ["d/m start_mowing"]]] },
	{
		component: "alarm_control_panel", what: "", config: { state_topic: "d/s", command_topic: "d/c", supported_features: ["arm_away"] }, points: { temp: "rw enum disarmed,armed_home,armed_away,armed_night,armed_vacation,armed_custom_bypass,triggered", phase: "r enum arming,pending,disarming,no" },
		heard: [["d/s", "arming", { phase: "arming" }], ["d/s", "armed_away", { temp: "armed_away", phase: "no" }], ["d/s", "triggered", { temp: "triggered", phase: "no" }]], sends: [["temp", "armed_away", ["d/c ARM_AWAY"]], ["temp", "disarmed", ["d/c DISARM"]], ["temp", "armed_home", /has no command/]],
	},
	{ component: "alarm_control_panel", what: "that asks for a code", config: { state_topic: "d/s", command_topic: "d/c", code: "REMOTE_CODE" }, points: { temp: "r enum disarmed,armed_home,armed_away,armed_night,armed_vacation,armed_custom_bypass,triggered", phase: "r enum arming,pending,disarming,no" } },
	{
		component: "update", what: "in JSON", config: { state_topic: "d/s", command_topic: "d/c", payload_install: "go", value_template: "{{ value_json.update | tojson }}" }, points: { installed_version: "r text", latest_version: "r text", in_progress: "r boolean", install: "w enum install" },
		heard: [["d/s", { update: { installed_version: "1.0", latest_version: "1.1", in_progress: false } }, { installed_version: "1.0", latest_version: "1.1", in_progress: false }]], sends: [["install", "install", ["d/c go"]]],
	},
	{ component: "update", what: "in plain words", config: { state_topic: "d/s", latest_version_topic: "d/l" }, points: { installed_version: "r text", latest_version: "r text", in_progress: "r boolean" }, heard: [["d/s", "1.0", { installed_version: "1.0" }], ["d/l", "1.2", { latest_version: "1.2" }]] },
	{ component: "event", what: "", config: { state_topic: "d/e", event_types: ["single", "double"] }, points: { temp: "r enum single,double" }, heard: [["d/e", { event_type: "double", x: 1 }, { temp: "double" }], ["d/e", "", {}], ["d/e", "double", /not JSON with an event_type/]] },
	{ component: "tag", what: "", config: { topic: "d/tag", value_template: "{{ value_json.uid }}" }, points: { temp: "r text" }, heard: [["d/tag", { uid: "04A1" }, { temp: "04A1" }]] },
	{ component: "device_automation", what: "", config: { automation_type: "trigger", topic: "d/a", payload: "single", type: "button_short_press", subtype: "button_1" }, points: { trigger: "r text" }, heard: [["d/a", "single", { trigger: "button_1 button_short_press" }], ["d/a", "double", {}]] },
	{ component: "device_tracker", what: "", config: { state_topic: "d/s", payload_home: "yes", json_attributes_topic: "d/j" }, points: { temp: "r text", latitude: "r numeric °", longitude: "r numeric °", gps_accuracy: "r numeric m" }, heard: [["d/s", "yes", { temp: "home" }], ["d/s", "office", { temp: "office" }], ["d/j", { latitude: 52.50, longitude: 13.4 }, { latitude: "52.5", longitude: "13.4" }]] },
	{ component: "camera", what: "", config: { topic: "d/i" }, points: {} },
	{ component: "image", what: "", config: { image_topic: "d/i" }, points: {} },
];

function summary(point: object): string {
	const { access, kind, unit, min, max, step, labels, confirm } = { access: "", kind: "", unit: undefined, min: undefined, max: undefined, step: undefined, labels: undefined, confirm: undefined, ...point };
	const range = min === undefined && max === undefined ? "" : `${min ?? ""}..${max ?? ""}${step === undefined ? "" : `/${step}`}`;
	return [access, kind, unit, range, Array.isArray(labels) ? String(labels) : "", confirm === "none" ? "unconfirmed" : ""].filter((part) => part !== undefined && part !== "").join(" ");
}

for (const { component, what, config, points, heard = [], sends = [] } of ROWS) {
	test(`a ${component} ${what} has the points that its config says, hears them and is told`, () => {
		const convention = new HomeAssistant();
		const meaning = convention.hear(message(`homeassistant/${component}/n1/temp/config`, { device: { identifiers: ["dev1"], name: "Thing" }, ...config }, true));
		const announced = meaning?.announced?.[0];
		assert.equal(announced?.address, "dev1");
		const wanted = Object.fromEntries(Object.entries(points).filter(([, expected]) => expected !== ""));
		assert.deepEqual(Object.fromEntries(Object.entries(announced.points).map(([name, point]) => [name, summary(point)])), wanted);
		for (const [topic, payload, told] of heard) {
			assert.ok(convention.filters().includes(topic), `listens to ${topic}`);
			const said = convention.hear(message(topic, payload));
			if (told instanceof RegExp) assert.match(reasons(said).join("; "), told);
			else {
				assert.deepEqual(readings(said), told);
				assert.deepEqual(reasons(said), []);
			}
			assert.deepEqual(said?.heard, ["dev1"]);
		}
		for (const [point, value, messages] of sends) {
			if (messages instanceof RegExp) assert.throws(() => sent(convention, "dev1", point, value), messages);
			else assert.deepEqual(sent(convention, "DEV1", point, value), messages);
		}
	});
}

test("every component that discovery knows has a row here or shares the builder of one that has", () => {
	const rows = new Set(ROWS.map(({ component }) => component));
	const alike: Readonly<Record<string, string>> = { datetime: "date", time: "date" };
	assert.deepEqual([...COMPONENTS.keys()].filter((name) => !rows.has(alike[name] ?? name)), []);
});
