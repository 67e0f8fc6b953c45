// Messages of no known dialect: what the name of a value says of it. An exact list: no unit is better than a wrong one.

import type { Category } from "../../core/point.js";
import type { Unit } from "../../core/unit.js";

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
	c: /temp|dew|heat|chill/, f: /temp|dew|heat|chill/, k: /temp|color|colour/, v: /volt|batt|supply|vcc|vdd|u$|vin|vout|adc/, a: /curr|amp|load|charge|i$/, w: /pow|load|solar|pv|watt/, ma: /curr|load/, mm: /rain|precip|dist|level|depth|snow|height/, ms: /time|dur|latency|uptime|ping|interval|delay/, deg: /wind|dir|angle|heading|tilt|lat|lon|roll|pitch|yaw|azimuth|course/,
};

/** Names that go with one unit in nearly every sender's mouth. By the last words. */
const NAMES: readonly (readonly [words: RegExp, unit: Unit])[] = [
	[/(?:^| )(?:temperature|temp|dewpoint|dew point|airtemp|watertemp) ?\d*$/, "°C"],
	[/(?:^| )(?:humidity|hum|humid|relative humidity|rh|soil moisture|moisture|battery level|battery percent|battery percentage|soc|state of charge|battery) ?\d*$/, "%"],
	[/(?:^| )(?:voltage|volts|vbat|vbatt|vcc)(?: ?\d{1,2}| [abc]| l[123])?$/, "V"], [/(?:^| )(?:current|amperage)(?: ?\d{1,2}| [abc]| l[123])?$/, "A"],
	[/(?:^| )apparent power$/, "VA"], [/(?:^| )reactive power$/, "VAr"], [/(?:^| )(?:active |real )?power(?: ?\d{1,2}| [abc]| l[123])?$/, "W"], [/(?:^| )frequency$/, "Hz"],
	[/(?:^| )(?:barometric pressure|air pressure|atmospheric pressure|barometer|sea level pressure|baro|pressure)$/, "hPa"],
	[/(?:^| )(?:illuminance|lux|illumination)$/, "lx"], [/(?:^| )(?:co2|eco2|carbon dioxide)$/, "ppm"], [/(?:^| )pm ?(?:1|2 5|25|4|10)(?: 0)?$/, "µg/m³"],
	[/(?:^| )rssi$/, "dBm"], [/(?:^| )snr$/, "dB"], [/(?:^| )(?:latitude|longitude|lat|lon|lng|wind direction|wind dir|winddir|heading|azimuth)$/, "°"], [/(?:^| )altitude$/, "m"],
];

const IDENTITY = /^(?:id|uid|uuid|guid|mac|mac address|serial|serial number|sn|imei|imsi|iccid|eui|dev ?eui|model|model id|model name|product|product id|name|friendly name|device|device id|device name|dev id|node id|sensor id|hostname|host|fw|firmware|firmware version|fw version|sw|sw version|software|hw|hw version|hardware|version|ver|ip|ip address|ssid|bssid|vendor|manufacturer|brand|phone|key|token|type|channel id)$|(?:^| )(?:serial|serial number|mac|version|imei|uuid|address|addr)$/;
const STATUS = /^(?:rssi|linkquality|lqi|snr|uptime|status|state|mode|heap|free heap|freeheap|wifi|signal|online|error|errors|fault|alarm|ready|count of resets)$|(?:^| )(?:uptime|rssi|status|state|mode|heap|version|error|errors|alarm)$|^(?:battery|batt|bat|soc|vbat|battery level|battery voltage)$/;

/** The words of a key, lower case: `PM2_5` → `pm2 5`, `outdoorTempC` → `outdoor temp c`. */
export function keyWords(key: string): string {
	return key.slice(0, 100).replace(/([a-z\d])([A-Z])/g, "$1 $2").replace(/[^\p{L}\p{N}²³%°]+/gu, " ").trim().toLowerCase();
}

/** The last member of a path counts: `env.outdoor.temp_c` is `temp_c`. */
function lastOf(path: string): string {
	return path.replace(/\[\d+\]/g, "").split(/[./]/).filter((part) => part !== "").at(-1) ?? path;
}

/** Units whose own capitals would be taken for the beginning of a word: `energy_kWh`, `totalkWh`, `pressureHPa`. */
const CAPITALS = /(?:[^A-Za-z]|[a-z])(kWh|KWH|KWh|MWh|kW|KW|hPa|HPa|kPa|KPa|mV|mA|mAh|dBm|dBA|dB|kHz|MHz|kVA|Wh|Ah)$/;

/** The unit that a name says; nothing for one that says none. */
export function unitByKey(path: string): Unit | undefined {
	const last = lastOf(path).slice(0, 100);
	const capitals = CAPITALS.exec(last)?.[1];
	if (capitals !== undefined) return SUFFIXES[capitals === "MWh" ? "mwh" : capitals.toLowerCase()];
	const words = keyWords(last);
	const parts = words.split(" ");
	const suffix = parts.at(-1)!;
	const before = parts.slice(0, -1).join("");
	if (before !== "" && Object.hasOwn(SUFFIXES, suffix)) {
		const guard = Object.hasOwn(ONLY_BEHIND, suffix) ? ONLY_BEHIND[suffix] : undefined;
		if (!guard || guard.test(before)) return SUFFIXES[suffix];
	}
	if (/^tempc$/.test(words)) return "°C";
	if (/^tempf$/.test(words)) return "°F";
	return NAMES.find(([pattern]) => pattern.test(words))?.[1];
}

/** Is it the name of something measured? Then it is no device. */
export function isQuantity(level: string): boolean {
	const words = keyWords(level);
	return unitByKey(level) !== undefined || /^(?:energy|contact|motion|occupancy|presence|door|window|relay|switch|light|brightness|gas|smoke|water|leak|rain|wind|wind speed|noise|sound|distance|level|flow|weight|ph|tds|counter|count|uv|uv index|value|power factor|vibration|battery)$/.test(words);
}

/** What sort of value a name says that it is. */
export function categoryByKey(path: string): Category | undefined {
	const words = keyWords(lastOf(path));
	return IDENTITY.test(words) ? "identity" : STATUS.test(words) ? "status" : undefined;
}
