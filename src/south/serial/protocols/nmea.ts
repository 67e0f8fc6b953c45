// NMEA 0183: satellite receivers, depth sounders, wind and compass instruments
// Source: E. S. Raymond, "NMEA Revealed", https://gpsd.gitlab.io/gpsd/NMEA.html (the standard itself is not public)
// Version: NMEA 0183 up to 4.11, as that document describes it

import type { UnixMillis } from "../../../core/clock.js";
import type { Unit } from "../../../core/unit.js";
import { unitFrom } from "../../../core/unit.js";
import { numericFromText } from "../../../core/value.js";
import { degreesFromMinutes } from "../../codec/places.js";
import { type Meaning, NOTHING } from "../../meaning.js";
import { DeviceBook, numeric, type Seen, text, truth } from "../device-book.js";
import { LineFramer } from "../lines.js";
import type { Cut, SerialProtocol, Talk, TalkOptions } from "../protocol.js";

type Fields = readonly string[];
/** What one kind of sentence says; its fields are counted from 1, as in the documents, for field 0 is its name. */
type Sentence = (fields: Fields) => readonly (Seen | undefined)[];

/** Receivers speak up to ten times a second; a journal needs a position a second. */
const SAME_SENTENCE = 900;
/** Kinds of sentences of one line; a talker that invents names is noise. */
const MAX_KINDS = 200;

/** A number in a field; nothing for an empty one. */
function number(point: string, raw: string | undefined, unit?: Unit, category?: "status"): Seen | undefined {
	const value = raw === undefined || raw === "" ? undefined : numericFromText(raw);
	return value && { point, as: numeric(unit, category), value };
}

/** A number with a letter behind it that turns its sign: W and S, or left. */
function turned(point: string, raw: string | undefined, letter: string | undefined, against: string): Seen | undefined {
	return number(point, raw && letter === against && !raw.startsWith("-") ? `-${raw}` : raw, "°");
}

/** Latitude and longitude, or neither. */
function position(f: Fields, at: number): readonly Seen[] {
	const latitude = degreesFromMinutes(f[at] ?? "", f[at + 1] ?? "");
	const longitude = degreesFromMinutes(f[at + 2] ?? "", f[at + 3] ?? "");
	if (!latitude || !longitude || !/[NS]/.test(f[at + 1]!) || !/[EW]/.test(f[at + 3]!)) return [];
	return [{ point: "latitude", as: numeric("°"), value: latitude }, { point: "longitude", as: numeric("°"), value: longitude }];
}

/** `220516` and day, month, year as ISO 8601; two digits of a year are of this century unless that is far ahead. */
function time(clock: string | undefined, day: string | undefined, month: string | undefined, year: string | undefined): Seen | undefined {
	const match = /^(\d\d)(\d\d)(\d\d)(\.\d{1,6})?$/.exec(clock ?? "");
	if (!match || !/^\d\d$/.test(day ?? "") || !/^\d\d$/.test(month ?? "") || !/^(\d\d){1,2}$/.test(year ?? "")) return undefined;
	const full = year!.length === 4 ? year! : `${Number(year) >= 80 ? "19" : "20"}${year!}`;
	const value = `${full}-${month!}-${day!}T${match[1]!}:${match[2]!}:${match[3]!}${/^\.0*$/.test(match[4] ?? ".") ? "" : match[4]!}Z`;
	return Number.isFinite(Date.parse(value)) ? { point: "time", as: text(), value } : undefined;
}

const yes = (point: string, value: boolean): Seen => ({ point, as: truth(), value });

/** The letters of XDR units. `P` is pascal or percent, by the type. */
const XDR_UNITS: Readonly<Record<string, Unit>> = { C: "°C", F: "°F", K: "K", D: "°", M: "m", V: "V", A: "A", B: "bar", P: "Pa", H: "Hz", N: "N", R: "rpm", l: "L", G: "g" };

const SENTENCES: Readonly<Record<string, Sentence>> = {
	// time, latitude, N/S, longitude, E/W, quality, satellites, HDOP, altitude, M, geoid separation, M
	GGA: (f) => {
		const fix = /^[1-9]$/.test(f[6] ?? "");
		return [
			...(fix ? position(f, 2) : []), number("fix_quality", f[6], undefined, "status"), number("satellites", f[7], undefined, "status"),
			...(fix ? [number("hdop", f[8], undefined, "status"), f[10] === "M" ? number("altitude", f[9], "m") : undefined, f[12] === "M" ? number("geoid_separation", f[11], "m") : undefined] : []),
		];
	},
	GNS: (f) => {
		const fix = /[^N]/.test(f[6] ?? "");
		return [...(fix ? position(f, 2) : []), number("satellites", f[7], undefined, "status"), ...(fix ? [number("hdop", f[8], undefined, "status"), number("altitude", f[9], "m"), number("geoid_separation", f[10], "m")] : [])];
	},
	// time, status, latitude, N/S, longitude, E/W, speed, course, date, variation, E/W
	RMC: (f) => {
		const [, clock, status, , , , , speed, course, date = "", variation, side] = f;
		const told = /^\d{6}$/.test(date) ? time(clock, date.slice(0, 2), date.slice(2, 4), date.slice(4)) : undefined;
		if (status !== "A" && status !== "V") return [];
		return [yes("valid", status === "A"), ...(status === "A" ? [...position(f, 3), number("speed", speed, "kn"), number("course", course, "°"), turned("variation", variation, side, "W"), told] : [])];
	},
	GLL: (f) => (f[6] === "V" ? [yes("valid", false)] : [...position(f, 1), f[6] === "A" ? yes("valid", true) : undefined]),
	// course, T, course, M, speed, N, speed, K: before version 2.3 without the letters
	VTG: (f) => (f[2] === "T" || f[4] === "M" || f[6] === "N"
		? [number("course_true", f[1], "°"), number("course_magnetic", f[3], "°"), number("speed", f[5], "kn"), number("speed_kmh", f[7], "km/h")]
		: [number("course_true", f[1], "°"), number("course_magnetic", f[2], "°"), number("speed", f[3], "kn"), number("speed_kmh", f[4], "km/h")]),
	GSA: (f) => [number("fix_type", f[2], undefined, "status"), number("pdop", f[15], undefined, "status"), number("hdop", f[16], undefined, "status"), number("vdop", f[17], undefined, "status")],
	GSV: (f) => [number("satellites_in_view", f[3], undefined, "status")],
	ZDA: (f) => [time(f[1], f[2], f[3], f[4])],
	HDT: (f) => [number("heading_true", f[1], "°")],
	HDM: (f) => [number("heading_magnetic", f[1], "°")],
	HDG: (f) => [number("heading_magnetic", f[1], "°"), turned("deviation", f[2], f[3], "W"), turned("variation", f[4], f[5], "W")],
	THS: (f) => (f[2] === "V" ? [] : [number("heading_true", f[1], "°")]),
	ROT: (f) => (f[2] === "A" ? [number("rate_of_turn", f[1])] : []),
	RSA: (f) => (f[2] === "A" ? [number("rudder_angle", f[1], "°")] : []),
	MTW: (f) => [number("water_temperature", f[1], f[2] === "F" ? "°F" : "°C")],
	MTA: (f) => [number("air_temperature", f[1], f[2] === "F" ? "°F" : "°C")],
	MMB: (f) => [f[4] === "B" && f[3] !== "" ? number("pressure", f[3], "bar") : number("pressure", f[1], "inHg")],
	MHU: (f) => [number("relative_humidity", f[1], "%"), number("dew_point", f[3], "°C")],
	// pressure inHg, I, bar, B, air °C, C, water °C, C, relative %, absolute %, dew point °C, C, wind true °, T, magnetic °, M, kn, N, m/s, M
	MDA: (f) => [
		number("pressure", f[3], "bar"), number("air_temperature", f[5], "°C"), number("water_temperature", f[7], "°C"), number("relative_humidity", f[9], "%"), number("dew_point", f[11], "°C"),
		number("wind_direction_true", f[13], "°"), number("wind_direction_magnetic", f[15], "°"), f[19] ? number("wind_speed", f[19], "m/s") : number("wind_speed", f[17], "kn"),
	],
	// angle, R or T, speed, unit, status
	MWV: (f) => {
		const unit = { K: "km/h", M: "m/s", N: "kn", S: "mph" }[f[4] ?? ""] as Unit | undefined;
		const which = f[2] === "T" ? "true" : f[2] === "R" ? "apparent" : undefined;
		return f[5] === "V" || which === undefined ? [] : [number(`wind_angle_${which}`, f[1], "°"), number(`wind_speed_${which}`, f[3], unit)];
	},
	MWD: (f) => [number("wind_direction_true", f[1], "°"), number("wind_direction_magnetic", f[3], "°"), f[7] ? number("wind_speed", f[7], "m/s") : number("wind_speed", f[5], "kn")],
	VWR: (f) => [turned("wind_angle_apparent", f[1], f[2], "L"), number("wind_speed_apparent", f[3], "kn")],
	VWT: (f) => [turned("wind_angle_true", f[1], f[2], "L"), number("wind_speed_true", f[3], "kn")],
	// the same depth in feet, metres and fathoms: of three numbers one point
	DBT: (f) => [depth("depth", f)],
	DBK: (f) => [depth("depth_below_keel", f)],
	DBS: (f) => [depth("depth_below_surface", f)],
	DPT: (f) => [number("depth", f[1], "m"), number("transducer_offset", f[2], "m", "status")],
	VHW: (f) => [number("heading_true", f[1], "°"), number("heading_magnetic", f[3], "°"), number("water_speed", f[5], "kn"), number("water_speed_kmh", f[7], "km/h")],
	VLW: (f) => [number("water_distance_total", f[1]), number("water_distance", f[3])],
	RPM: (f) => (f[5] === "V" ? [] : [number(`rpm_${f[1] === "S" ? "shaft" : "engine"}_${f[2] ?? ""}`, f[3], "rpm")]),
	XDR: (f) => {
		const seen: (Seen | undefined)[] = [];
		for (let at = 1; at + 3 < f.length && at < 80; at += 4) {
			const [kind = "", value = "", unit = "", name = ""] = f.slice(at, at + 4);
			const point = /^[\w.#-]{1,40}$/.test(name) ? name : `xdr_${kind}_${(at + 3) / 4}`;
			seen.push(number(point, value, kind === "H" && unit === "P" ? "%" : unit === "P" && kind !== "P" ? "%" : (XDR_UNITS[unit] ?? unitFrom(unit))));
		}
		return seen;
	},
	TXT: () => [],
};

function depth(point: string, f: Fields): Seen | undefined {
	if (f[3] && f[4] === "M") return number(point, f[3], "m");
	return f[1] && f[2] === "f" ? number(point, f[1], "ft") : undefined;
}

/** Its parts, when the checksum is right or there is none; a text otherwise. */
function sentenceOf(line: string): { readonly talker: string; readonly kind: string; readonly fields: Fields; readonly checked: boolean } | string | undefined {
	const match = /^[^$!]{0,120}([$!])([A-Z]{2})([A-Z]{3}|P?[A-Z]{3,8}),([^*$!]*)(?:\*([0-9A-Fa-f]{2}))?\s*$/.exec(line);
	if (!match) return line.includes("$") || line.includes("!") ? "a sentence that is none" : undefined;
	const [, , talker, kind, rest, told] = match;
	const body = `${talker!}${kind!},${rest!}`;
	if (told !== undefined) {
		let sum = 0;
		for (let at = 0; at < body.length; at++) sum ^= body.charCodeAt(at);
		if (sum !== parseInt(told, 16)) return `the checksum is ${told}, and its characters make ${sum.toString(16).toUpperCase().padStart(2, "0")}`;
	}
	return { talker: talker!, kind: kind!, fields: [`${talker!}${kind!}`, ...rest!.split(",")], checked: told !== undefined };
}

class NmeaTalk implements Talk {
	readonly lineEnd = "\r\n";
	readonly #options: TalkOptions;
	readonly #book = new DeviceBook();
	/** When each kind of sentence was last read. */
	readonly #read = new Map<string, UnixMillis>();

	constructor(options: TalkOptions) {
		this.#options = options;
	}

	framer(): LineFramer {
		return new LineFramer();
	}

	decode(cut: Cut, received: UnixMillis): Meaning {
		if (cut.kind !== "line") return NOTHING;
		const { address, every } = this.#options;
		const sentence = sentenceOf(cut.text);
		if (sentence === undefined || typeof sentence === "string") return { misfits: [{ where: address, reason: sentence ?? "a line that is no sentence", sample: cut.text.slice(0, 120) }] };
		const { talker, kind, fields, checked } = sentence;
		const read = SENTENCES[kind];
		// AIS, proprietary sentences, and what nobody has written down here: no fault, and no reading.
		if (!read || talker.startsWith("P") || !Object.hasOwn(SENTENCES, kind) || cut.text.includes("!")) return this.#alive();
		if (!checked && fields.length < 3) return this.#alive();
		const name = kind === "XDR" ? `${talker}${kind}${fields[4] ?? ""}` : `${talker}${kind}${kind === "MWV" ? (fields[2] ?? "") : ""}`;
		const last = this.#read.get(name);
		if (last !== undefined && received >= last && received - last < SAME_SENTENCE) return this.#alive();
		const seen = read(fields).filter((one) => one !== undefined);
		if (seen.length === 0) return this.#alive();
		if (this.#read.size < MAX_KINDS && received > 0) this.#read.set(name, received);
		return this.#book.hear({ address, type: "sensor", ...(every !== undefined && { every }) }, seen);
	}

	#alive(): Meaning {
		return this.#book.find(this.#options.address) ? { heard: [this.#options.address] } : NOTHING;
	}
}

export const NMEA: SerialProtocol = {
	name: "nmea",
	alias: "nmea0183",
	title: "NMEA 0183 instrument",
	modes: [{ baud: 9_600 }, { baud: 4_800 }, { baud: 38_400 }, { baud: 115_200 }],
	claims: (cut) => cut.kind === "line" && /^[$!][A-Z]{5,10},.*\*[0-9A-F]{2}$/.test(cut.text) && typeof sentenceOf(cut.text) === "object",
	talk: (options) => new NmeaTalk(options),
};
