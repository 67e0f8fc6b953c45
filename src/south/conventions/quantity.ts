// What the name of a value says of it, where no message and no description does: the one table of such guesses.
// An exact list: no unit is better than a wrong one. `devices:` and `refine` of the config overrule it, and a value is never looked at.

import type { Category } from "../../core/point.js";
import type { Unit } from "../../core/unit.js";

export interface Quantity {
	readonly unit?: Unit;
	readonly category?: Category;
}

/** Who gave the name. `scripts` are those that decode uplinks of sensors: nearly all they name is measured, and in the units of the field. */
export type Namer = "anybody" | "scripts";

/** Longest name that is looked at. */
const MAX_NAME = 100;

/** Units that stand behind a name: `temp_c`, `energy_kWh`, `pressure-hPa`. By the last word, in lower case. */
const SUFFIXES: Readonly<Record<string, Unit>> = {
	c: "°C", degc: "°C", celsius: "°C", f: "°F", degf: "°F", fahrenheit: "°F", k: "K", kelvin: "K", pct: "%", percent: "%", percentage: "%", perc: "%",
	v: "V", volt: "V", volts: "V", mv: "mV", millivolt: "mV", millivolts: "mV", a: "A", amp: "A", amps: "A", ampere: "A", ma: "mA", milliamps: "mA", w: "W", watt: "W", watts: "W", kw: "kW", va: "VA", kva: "kVA", var: "VAr",
	wh: "Wh", kwh: "kWh", mwh: "MWh", ah: "Ah", mah: "mAh", hz: "Hz", khz: "kHz", mhz: "MHz", pa: "Pa", hpa: "hPa", kpa: "kPa", mbar: "mbar", bar: "bar", psi: "psi", mmhg: "mmHg", inhg: "inHg",
	lux: "lx", lx: "lx", ppm: "ppm", ppb: "ppb", ugm3: "µg/m³", m3: "m³", m3h: "m³/h", liters: "L", litres: "L", liter: "L", litre: "L", ml: "mL", lpm: "L/min",
	mm: "mm", cm: "cm", km: "km", meters: "m", metres: "m", inches: "in", feet: "ft", kmh: "km/h", kph: "km/h", mph: "mph", mps: "m/s", knots: "kn", kn: "kn", deg: "°", degrees: "°",
	db: "dB", dba: "dBA", dbm: "dBm", ms: "ms", millis: "ms", sec: "s", secs: "s", seconds: "s", minutes: "min", mins: "min", hours: "h", days: "d", rpm: "rpm", ohm: "Ω", ohms: "Ω", kg: "kg", kohm: "kΩ", kbps: "kbit/s", bytes: "B", kib: "KiB", mib: "MiB",
};
/** Suffixes of one letter and such that are words count only behind the quantity that they belong to: `temp_c` and `phase_c`. */
const ONLY_BEHIND: Readonly<Record<string, RegExp>> = {
	c: /temp|dew|heat|chill/, f: /temp|dew|heat|chill/, k: /temp|color|colour/, v: /volt|batt?|supply|vcc|vdd|u$|vin|vout|adc/, a: /curr|amp|load|charge|i$/, w: /pow|load|solar|pv|watt/, ma: /curr|load/, mm: /rain|precip|dist|level|depth|snow|height/, ms: /time|dur|latency|uptime|ping|interval|delay/, deg: /wind|dir|angle|heading|tilt|lat|lon|roll|pitch|yaw|azimuth|course/,
};

/** By the words of a name; the first that matches. Energy alone is not here: Wh and kWh are as common. */
const RULES: readonly (readonly [words: RegExp, unit: Unit, namer?: Namer])[] = [
	[/(?:^| )(?:temperature|temp|dewpoint|dew point|airtemp|watertemp) ?\d*$|^tempc$/, "°C"], [/^tempf$/, "°F"],
	[/(?:^| )(?:humidity|hum|humid|relative humidity|rh|soil moisture|moisture|battery level|battery percent|battery percentage|soc|state of charge|battery) ?\d*$/, "%"],
	[/(?:^| )(?:voltage|volts|vbat|vbatt|vcc)(?: ?\d{1,2}| [abc]| l[123])?$/, "V"], [/(?:^| )(?:current|amperage)(?: ?\d{1,2}| [abc]| l[123])?$/, "A"],
	[/(?:^| )apparent power(?: [abc]| l[123])?$/, "VA"], [/(?:^| )reactive power(?: [abc]| l[123])?$/, "VAr"], [/(?:^| )(?:active |real )?power(?: ?\d{1,2}| [abc]| l[123])?$/, "W"], [/(?:^| )frequency$/, "Hz"],
	[/(?:^| )(?:barometric pressure|air pressure|atmospheric pressure|barometer|sea level pressure|baro|pressure)$/, "hPa"],
	[/(?:^| )(?:illuminance|lux|illumination)$/, "lx"], [/(?:^| )(?:e?co2|carbon dioxide)$/, "ppm"], [/(?:^| )pm ?(?:1|2 5|25|4|10)(?: 0)?$/, "µg/m³"],
	[/(?:^| )(?:rssi|wifi signal|signal strength)$/, "dBm"], [/(?:^| )snr$/, "dB"], [/(?:^| )(?:latitude|longitude|lat|lon|lng|wind direction|wind dir|winddir|heading|azimuth|sun elevation|solar elevation)$/, "°"], [/(?:^| )altitude$/, "m"],
	[/\buvi?( index)?$/, "UV index", "scripts"],
	[/\brssi\b/, "dBm", "scripts"], [/\bsnr\b/, "dB", "scripts"],
	[/\b(bat|batt|battery) voltage$/, "V", "scripts"], [/\b(bat|batt|battery)( level| percent(age)?| pct| soc| capacity)?$/, "%", "scripts"],
	[/\b(temp|temperature)( [a-z]*)? ?f\d*$|\btempf|\bfahrenheit\b/, "°F", "scripts"], [/\b(temp|temps|temperature|dewpoint|dew point|celsius)\d*\b|\btempc/, "°C", "scripts"],
	[/\b(humidity|hum|humi|rh)\d*\b|\bmoist(ure)?\d*\b|\bvwc\b|\bleaf wetness\b/, "%", "scripts"],
	[/\bwind\b.*\bdir(ection)?\b/, "°", "scripts"], [/\bwind\b.*\b(speed|gust|avg|max)\b/, "m/s", "scripts"],
	[/\b(rain|rainfall)\b.*\b(rate|intensity|hourly)\b/, "mm/h", "scripts"], [/\b(rain|rainfall|precipitation)\b/, "mm", "scripts"],
	[/\b(pressure|barometer|barometric)\b/, "hPa", "scripts"], [/\bco2\b|\bcarbon dioxide\b/, "ppm", "scripts"], [/\bpm ?(1|2 5|25|4|10)( ?0)?\b/, "µg/m³", "scripts"],
	[/\b(illum|light intensity|light)$/, "lx", "scripts"], [/\b(long|tilt|angle|pitch|roll)$/, "°", "scripts"], [/\balt$/, "m", "scripts"],
	[/\b(distance|water level|liquid level)$|\bmm$/, "mm", "scripts"], [/\b(conductivity|ec)\d*$/, "µS/cm", "scripts"], [/\bph\d*$/, "pH", "scripts"],
	[/\bvoltage\d*$|\bvolts?$/, "V", "scripts"], [/\bmv$/, "mV", "scripts"], [/\bma$/, "mA", "scripts"], [/\bcurrent\d*$|\bamps?$/, "A", "scripts"], [/\bwatts?$/, "W", "scripts"], [/\bla?eq$/, "dB", "scripts"],
];

/** What scripts count, judge or set has a number and no unit, whatever else its name holds. */
const UNITLESS = /\b(alarm|status|istatus|mode|type|flag|threshold|calibration|valid|err|error|fault|trend|trigger|event|enabled?|detected|position)\b|\b(version|serial|sn|id|model|name|firmware|hardware|imei|iccid|ext)$|\b(count|counter|pulses?|total count|seq|sequence|index|nr)$/;
const UV_INDEX = /\buvi? index$/;

const IDENTITY = /^(?:id|uid|uuid|guid|mac|mac address|serial|serial number|sn|imei|imsi|iccid|eui|dev ?eui|model|model id|model name|product|product id|name|friendly name|device|device id|device name|dev id|node id|sensor id|hostname|host|fw|firmware|firmware version|fw version|sw|sw version|software|hw|hw version|hardware|version|ver|ip|ip address|ssid|bssid|vendor|manufacturer|brand|phone|key|token|type|channel id)$|(?:^| )(?:serial|serial number|mac|version|imei|uuid|address|addr)$/;
const STATUS = /^(?:rssi|linkquality|lqi|snr|uptime|status|state|mode|heap|free heap|freeheap|wifi|signal|online|error|errors|fault|alarm|ready|count of resets)$|(?:^| )(?:uptime|rssi|status|state|mode|heap|version|error|errors|alarm)$|^(?:battery|batt|bat|soc|vbat|battery level|battery voltage)$/;
const IDENTITY_IN_SCRIPTS = /\b(version|serial|sn|id|model|name|firmware|hardware|imei|iccid|ext)$/;
const STATUS_IN_SCRIPTS = /\b(alarm|status|istatus|mode|type|flag|threshold|calibration|valid|err|error|fault|trend|trigger|event|enabled?|detected|position|rssi|snr)\b|\b(bat|batt|battery|vbat|vdd)( voltage)? mv$|\b(bat|batt|battery|vbat|supply)( voltage)?( volts?| v)$|\bvbat$|\b(bat|batt|battery)( voltage| level| percent(age)?| pct| soc| capacity)?$|\bsoc$/;

/** Units whose own capitals would be taken for the beginning of a word: `energy_kWh`, `totalkWh`, `pressureHPa`. */
const CAPITALS = /(?:[^A-Za-z]|[a-z])(kWh|KWH|KWh|MWh|kW|KW|hPa|HPa|kPa|KPa|mV|mA|mAh|dBm|dBA|dB|kHz|MHz|kVA|Wh|Ah)$/;
/** Units that scripts put behind a name as a capital letter: `ADC_CH0V`. */
const LETTER = /[a-z0-9_]([VAW])$/;

/** The words of a name, lower case: `PM2_5` → `pm2 5`, `outdoorTempC` → `outdoor temp c`; `pH` stays whole. */
export function wordsOf(name: string): string {
	return name.slice(0, MAX_NAME).replace(/([a-z]{2}|\d)([A-Z])/g, "$1 $2").replace(/[^\p{L}\p{N}²³%°]+/gu, " ").trim().toLowerCase();
}

/** The part of a path that names: `env.outdoor.temp_c` is `temp_c`, and `probe.temperature.value` is `temperature`. */
function lastOf(path: string): string {
	const parts = path.slice(-2 * MAX_NAME).replace(/\[\d+\]/g, "").split(/[./]/).filter((part) => part !== "");
	return (parts.filter((part) => !/^(?:value|val|\d+)$/i.test(part)).at(-1) ?? parts.at(-1) ?? path).slice(0, MAX_NAME);
}

/** The unit that a name says; nothing for one that says none. */
export function unitByName(path: string, namer: Namer = "anybody"): Unit | undefined {
	const last = lastOf(path);
	const words = wordsOf(last);
	const isScripts = namer === "scripts";
	if (isScripts && UNITLESS.test(words) && !UV_INDEX.test(words)) return undefined;
	const capitals = CAPITALS.exec(last)?.[1];
	if (capitals !== undefined) return SUFFIXES[capitals.toLowerCase()];
	const parts = words.split(" ");
	const suffix = parts.at(-1)!;
	const before = parts.slice(0, -1).join("");
	if (before !== "" && Object.hasOwn(SUFFIXES, suffix)) {
		const guard = Object.hasOwn(ONLY_BEHIND, suffix) ? ONLY_BEHIND[suffix] : undefined;
		if (!guard || guard.test(before)) return SUFFIXES[suffix];
	}
	const found = RULES.find(([pattern, , only]) => (only === undefined || isScripts) && pattern.test(words))?.[1];
	const letter = found === undefined && isScripts ? LETTER.exec(last)?.[1] : undefined;
	return found ?? (letter === undefined ? undefined : SUFFIXES[letter.toLowerCase()]);
}

/** What sort of value a name says that it is. */
export function categoryByName(path: string, namer: Namer = "anybody"): Category | undefined {
	const words = wordsOf(lastOf(path));
	if (namer === "scripts") return STATUS_IN_SCRIPTS.test(words) ? "status" : IDENTITY_IN_SCRIPTS.test(words) ? "identity" : undefined;
	return IDENTITY.test(words) ? "identity" : STATUS.test(words) ? "status" : undefined;
}

/** Both, of a name that a script gave: `TempC_SHT`, `Air Temperature`, `gps.latitude`, `battery_voltage`. */
export function quantityOf(path: string): Quantity {
	const unit = unitByName(path, "scripts");
	const category = categoryByName(path, "scripts");
	return { ...(unit !== undefined && { unit }), ...(category !== undefined && { category }) };
}

/** Is it the name of something measured? Then it is no device. */
export function isQuantity(level: string): boolean {
	return unitByName(level) !== undefined || /^(?:energy|contact|motion|occupancy|presence|door|window|relay|switch|light|brightness|gas|smoke|water|leak|rain|wind|wind speed|noise|sound|distance|level|flow|weight|ph|tds|counter|count|uv|uv index|value|power factor|vibration|battery)$/.test(wordsOf(level));
}
