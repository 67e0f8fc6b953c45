// Z-Wave: what the command classes carry, for payloads that say no unit.
// Source: Silicon Labs SDS13781 "Z-Wave Application Command Class Specification", and SDS13812 for sensor types and meter scales

import type { Unit } from "../../core/unit.js";

/** The classes that have values, by number, as Z-Wave JS UI writes them into named topics. */
export const CLASS_NAMES: ReadonlyMap<number, string> = new Map([
	[32, "basic"], [37, "switch_binary"], [38, "switch_multilevel"], [39, "switch_all"], [43, "scene_activation"], [44, "scene_actuator_conf"], [48, "sensor_binary"], [49, "sensor_multilevel"],
	[50, "meter"], [51, "switch_color"], [53, "meter_pulse"], [60, "meter_tbl_config"], [61, "meter_tbl_monitor"], [62, "meter_tbl_push"], [64, "thermostat_mode"], [66, "thermostat_operating_state"], [67, "thermostat_setpoint"],
	[68, "thermostat_fan_mode"], [69, "thermostat_fan_state"], [70, "climate_control_schedule"], [71, "thermostat_setback"], [76, "door_lock_logging"], [78, "schedule_entry_lock"], [91, "central_scene"],
	[98, "door_lock"], [99, "user_code"], [100, "humidity_control_setpoint"], [102, "barrier_operator"], [104, "humidity_control_setpoint_state"], [106, "window_covering"], [108, "supervision"], [109, "humidity_control_mode"],
	[110, "humidity_control_operating_state"], [111, "entry_control"], [112, "configuration"], [113, "notification"], [114, "manufacturer_specific"], [115, "powerlevel"], [117, "protection"], [118, "lock"], [121, "sound_switch"], [128, "battery"], [129, "clock"], [132, "wake_up"],
	[134, "version"], [135, "indicator"], [138, "time"], [139, "time_parameters"], [142, "multi_channel_association"], [155, "association_command_configuration"], [156, "sensor_alarm"],
]);

/** The same, by name; and the names that Z-Wave JS has for some of them. */
export const CLASS_NUMBERS: ReadonlyMap<string, number> = new Map([
	...[...CLASS_NAMES].map(([number, name]) => [name, number] as const),
	["binary_switch", 37], ["multilevel_switch", 38], ["binary_sensor", 48], ["multilevel_sensor", 49], ["color_switch", 51], ["alarm", 113], ["user_codes", 99],
]);

/** Multilevel Sensor: the unit of scale 0, which is what Z-Wave JS prefers unless its user says otherwise. By the words of the sensor type. */
const SENSORS: readonly (readonly [words: RegExp, unit: Unit])[] = [
	[/^(?:air|water|soil|outside|target|boiler|dhw|tank|top|condenser|evaporator|discharge|return air|supply air|exhaust|domestic hot water|hot water)(?: \w+){0,2} temperature$|^temperature|^dew ?point/, "°C"],
	[/^(?:relative |soil |target )?humidity|^(?:soil )?moisture|^smoke density/, "%"],
	[/^(?:illuminance|luminance)/, "lx"], [/^ultraviolet/, "UV index"], [/^power$/, "W"], [/^voltage$/, "V"], [/^current$/, "A"],
	[/^(?:velocity|wind speed)$/, "m/s"], [/^(?:direction|rotation angle|angle position)$/, "°"], [/^(?:atmospheric|barometric|air) pressure$/, "kPa"], [/^solar radiation$/, "W/m²"],
	[/^rain rate$/, "mm/h"], [/^tide level$/, "m"], [/^weight$/, "kg"], [/^(?:carbon dioxide|co2)/, "ppm"], [/^air flow$/, "m³/h"], [/^tank capacity$/, "L"], [/^distance$/, "m"],
	[/^(?:particulate matter|pm ?(?:2 ?5|10))/, "µg/m³"], [/^volatile organic compound/, "ppm"], [/^(?:loudness|noise)/, "dB"], [/^frequency$/, "Hz"], [/^rssi/, "dBm"],
];

/** Meter: scales by type. Type 1 is electricity, 2 gas, 3 water, 4 heating, 5 cooling. */
const METERS: Readonly<Record<number, readonly (Unit | undefined)[]>> = {
	1: ["kWh", undefined, "W", undefined, "V", "A", undefined, "kVAr", "kVArh"],
	2: ["m³", "ft³"],
	3: ["m³", "ft³", "gal"],
	4: ["kWh"],
	5: ["kWh"],
};

/** The unit that the standard gives a value; nothing where it has none or leaves it to the device. */
export function unitOfValue(cls: number, path: readonly string[]): Unit | undefined {
	const [property = "", key = ""] = path;
	switch (cls) {
		case 49: {
			const words = property.slice(0, 60).replace(/[^A-Za-z0-9]+/g, " ").trim().toLowerCase();
			return SENSORS.find(([pattern]) => pattern.test(words))?.[1];
		}
		case 50: {
			// The key is type × 65536 + scale × 256 + rate (import or export).
			if (property !== "value" || !/^\d{5,7}$/.test(key)) return undefined;
			return METERS[Number(key) >> 16]?.[(Number(key) >> 8) & 0xff];
		}
		case 67: return property === "setpoint" ? "°C" : undefined;
		case 100: return property === "setpoint" ? "%" : undefined;
		case 128: return property === "level" ? "%" : undefined;
		case 132: return property === "wakeUpInterval" ? "s" : undefined;
		default: return undefined;
	}
}

/** Properties that may be set, by class: where no description says so. */
const WRITABLE: Readonly<Record<number, readonly string[]>> = {
	32: ["currentValue", "targetValue"], 37: ["currentValue", "targetValue"], 38: ["currentValue", "targetValue"], 51: ["targetColor", "hexColor"], 64: ["mode"], 67: ["setpoint"], 68: ["mode", "off"],
	98: ["targetMode"], 100: ["setpoint"], 102: ["targetState"], 106: ["currentValue", "targetValue"], 109: ["mode"], 118: ["locked"], 121: ["volume", "toneId", "defaultVolume", "defaultToneId"], 132: ["wakeUpInterval"],
};

export function isWritableValue(cls: number, property: string): boolean {
	return WRITABLE[cls]?.includes(property) ?? false;
}
