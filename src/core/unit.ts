/**
 * Units of measure as they are written on the wire (`unit='°C'` in XEP-0323). Closed: add here, and nowhere else.
 *
 * The symbols are those of the SI brochure, and for what it lacks those that the devices' own conventions use.
 */
export const UNITS = [
	"°C", "°F", "K", "%", "%RH", "V", "mV", "kV", "A", "mA", "W", "mW", "kW", "MW", "VA", "kVA", "VAr", "kVAr", "Wh", "kWh", "MWh", "VAh", "VArh", "kVArh", "Ah", "mAh", "W*min",
	"J", "kJ", "MJ", "GJ", "Hz", "kHz", "MHz", "GHz", "Pa", "hPa", "kPa", "mbar", "bar", "mmHg", "psi", "inHg",
	"lx", "lm", "cd", "UV index", "W/m²", "ppm", "ppb", "µg/m³", "mg/m³", "g/m³", "m³", "L", "mL", "gal", "ft³", "CCF", "m³/h", "m³/min", "L/min", "L/h", "mL/s", "gal/min", "ft³/min",
	"mm", "cm", "m", "km", "in", "ft", "yd", "mi", "mm/h", "mm/d", "in/h", "in/d", "mm/s", "m/s", "km/h", "mph", "kn", "ft/s", "m/s²",
	"°", "rad", "°/s", "g", "kg", "mg", "µg", "t", "oz", "lb", "dB", "dBA", "dBm", "lqi", "mired",
	"µs", "ms", "s", "min", "h", "d", "w", "month", "a", "rpm", "Ω", "kΩ", "S/cm", "mS/cm", "µS/cm", "pH", "T", "µT", "G",
	"bit", "kbit", "Mbit", "Gbit", "B", "kB", "MB", "GB", "TB", "KiB", "MiB", "GiB", "bit/s", "kbit/s", "Mbit/s", "Gbit/s", "B/s", "kB/s", "MB/s", "KiB/s", "MiB/s",
	"m²", "cm²", "km²", "ha", "N", "Nm", "Bq/m³", "CFU", "1/min", "EUR", "EUR/kWh", "µmol/m²/s", "mol/L", "mg/dL", "mmol/L", "kcal",
] as const;

export type Unit = (typeof UNITS)[number];

const KNOWN: ReadonlySet<string> = new Set(UNITS);

/** Other spellings in the field, in the lower case where case carries no meaning. */
const ALIASES: Readonly<Record<string, Unit>> = {
	"c": "°C", "degc": "°C", "celsius": "°C", "deg c": "°C", "℃": "°C", "ºc": "°C", "cel": "°C", "°c": "°C",
	"f": "°F", "degf": "°F", "fahrenheit": "°F", "℉": "°F", "ºf": "°F", "°f": "°F",
	"kelvin": "K", "percent": "%", "pct": "%", "%rh": "%RH", "rh": "%RH", "% rh": "%RH",
	"volt": "V", "volts": "V", "v": "V", "amp": "A", "ampere": "A", "amps": "A", "a": "A", "watt": "W", "watts": "W", "w": "W", "kw": "kW",
	"kwh": "kWh", "wh": "Wh", "kva": "kVA", "va": "VA", "kvarh": "kVArh", "var": "VAr", "kvar": "kVAr", "w-min": "W*min", "wmin": "W*min",
	"hz": "Hz", "khz": "kHz", "mhz": "MHz", "pa": "Pa", "hpa": "hPa", "kpa": "kPa", "lux": "lx", "deg": "°", "º": "°",
	"ug/m3": "µg/m³", "μg/m³": "µg/m³", "μg/m3": "µg/m³", "µg/m3": "µg/m³", "ug/m³": "µg/m³", "mg/m3": "mg/m³", "m3": "m³", "m3/h": "m³/h", "m2": "m²", "w/m2": "W/m²", "umol/m2/s": "µmol/m²/s", "μmol/m²/s": "µmol/m²/s",
	"l": "L", "liter": "L", "litre": "L", "l/min": "L/min", "l/h": "L/h", "ml": "mL", "μs/cm": "µS/cm", "us/cm": "µS/cm", "μs": "µs", "us": "µs", "μt": "µT", "ut": "µT",
	"sec": "s", "second": "s", "seconds": "s", "minute": "min", "minutes": "min", "mins": "min", "hour": "h", "hours": "h", "hr": "h", "day": "d", "days": "d",
	"kmh": "km/h", "kph": "km/h", "mps": "m/s", "knot": "kn", "knots": "kn", "kt": "kn", "ohm": "Ω", "kohm": "kΩ", "mireds": "mired", "€": "EUR", "€/kwh": "EUR/kWh", "ft3": "ft³", "uv": "UV index",
};

/** The unit that a text names, in our spelling; nothing when it is none of ours. */
export function unitFrom(text: string): Unit | undefined {
	const trimmed = text.trim();
	if (isUnit(trimmed)) return trimmed;
	return ALIASES[trimmed.toLowerCase()];
}

function isUnit(text: string): text is Unit {
	return KNOWN.has(text);
}
