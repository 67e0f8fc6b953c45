// RFC 8428: Sensor Measurement Lists (SenML), in JSON, the writing side
// Source: https://www.rfc-editor.org/rfc/rfc8428, units: https://www.iana.org/assignments/senml/senml.xhtml
// Version: August 2018, with RFC 8798 (more units)
import type { Unit } from "./core/unit.js";
import type { ExportItem, ExportWriter } from "./past.js";

/** The registered unit for each of ours that has one; the first of a pair where there are two. */
const UNITS: Readonly<Partial<Record<Unit, string>>> = {
	"m": "m", "kg": "kg", "g": "g", "s": "s", "A": "A", "K": "K", "cd": "cd", "Hz": "Hz", "rad": "rad", "N": "N", "Pa": "Pa", "J": "J", "W": "W", "V": "V", "Ω": "Ohm",
	"T": "T", "°C": "Cel", "lm": "lm", "lx": "lx", "m²": "m2", "m³": "m3", "L": "l", "m/s": "m/s", "m/s²": "m/s2", "W/m²": "W/m2", "bit": "bit", "bit/s": "bit/s",
	"pH": "pH", "dB": "dB", "%": "%", "%RH": "%RH", "1/min": "1/min", "B": "B", "VA": "VA", "VAr": "var", "S/cm": "S/cm",
	"ms": "ms", "min": "min", "h": "h", "MHz": "MHz", "kW": "kW", "kVA": "kVA", "kVAr": "kvar", "Ah": "Ah", "Wh": "Wh", "kWh": "kWh", "VArh": "varh", "kVArh": "kvarh",
	"KiB": "KiB", "GB": "GB", "Mbit/s": "Mbit/s", "B/s": "B/s", "MB/s": "MB/s", "mV": "mV", "mA": "mA", "dBm": "dBm", "µg/m³": "ug/m3", "mm/h": "mm/h", "ppm": "ppm", "ppb": "ppb",
	"°": "deg", "hPa": "hPa", "mm": "mm", "cm": "cm", "km": "km", "km/h": "km/h",
};

/**
 * One pack, a JSON array that is written record by record. Each device begins with its base name, `<domain>/<device>/`, and
 * its base time; a point is the name. Numbers keep the device's digits.
 */
export function senmlWriter(): ExportWriter {
	let base: { readonly name: string; time?: number } = { name: "" };
	let isFirst = true;
	let isNew = false;
	return {
		begin: "[", end: "\n]\n",
		item(item: ExportItem): string {
			if ("device" in item) {
				const at = item.jid.indexOf("@");
				base = { name: at < 0 ? `${senmlName(item.jid)}/` : `${senmlName(item.jid.slice(at + 1))}/${senmlName(item.jid.slice(0, at))}/` };
				isNew = true;
				return "";
			}
			const { point, at, value, kind, unit } = item;
			base.time ??= Math.floor(at / 1_000);
			const registered = UNITS[unit as Unit];
			const time = seconds(Math.round(at) - base.time * 1_000);
			const pairs = [
				...(isNew ? [`"bn":${JSON.stringify(base.name)}`, `"bt":${base.time}`] : []),
				`"n":${JSON.stringify(senmlName(point))}`,
				...(time === "0" ? [] : [`"t":${time}`]),
				...(registered === undefined ? [] : [`"u":${JSON.stringify(registered)}`]),
				kind === "numeric" ? `"v":${value}` : kind === "boolean" ? `"vb":${value}` : `"vs":${JSON.stringify(value)}`,
			];
			const text = `${isFirst ? "" : ","}\n{${pairs.join(",")}}`;
			isFirst = isNew = false;
			return text;
		},
	};
}

/**
 * A name of the characters that RFC 8428 section 4.5.1 allows. Any other is written as
 * `_xHHHH_`, its code in hexadecimal, as ISO 9075-14 writes names; so two names never become one.
 */
export function senmlName(text: string): string {
	return text.replace(/_(?=x[0-9A-F]{4,6}_)|[^A-Za-z0-9\-:./_]/gu, code);
}

function code(character: string): string {
	return `_x${character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0")}_`;
}

/** Milliseconds as seconds, exact, without needless digits: `1.25`. */
function seconds(ms: number): string {
	const text = (Math.abs(ms) / 1_000).toFixed(3).replace(/\.?0+$/, "");
	return ms < 0 ? `-${text}` : text;
}
