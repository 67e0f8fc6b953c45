// AT modems: signal, network, battery and position of GSM, LTE and NB-IoT modules
// Source: 3GPP TS 27.007 sections 7.2, 8.4, 8.5, 10.1.22; SIMCom "SIM7000 Series AT Command Manual", +CGNSINF; u-blox and Quectel share the standard ones
// Version: TS 27.007 V17.4.0; SIMCom V1.06

import type { Millis } from "../../../core/clock.js";
import type { Point } from "../../../core/point.js";
import type { Unit } from "../../../core/unit.js";
import { numericFromText } from "../../../core/value.js";
import { shifted } from "../../codec/places.js";
import { type Meaning, NOTHING } from "../../meaning.js";
import { DeviceBook, numeric, type Seen, text, truth } from "../device-book.js";
import { LineFramer } from "../lines.js";
import type { Cut, Question, SerialProtocol, Talk, TalkOptions } from "../protocol.js";

/** Signal and position change slowly; a modem that is asked more often has less time for its own work. */
const EVERY: Millis = 60_000;
const QUESTIONS = ["AT", "AT+CGMM", "AT+CSQ", "AT+CREG?", "AT+CBC", "AT+CGNSINF"];

const REGISTRATION: Point = { kind: "enum", access: "r", category: "status", labels: ["not registered", "home", "searching", "denied", "unknown", "roaming", "home, SMS only", "roaming, SMS only", "emergency only"] };

type Read = (fields: readonly string[]) => readonly (Seen | undefined)[];

function number(point: string, raw: string | undefined, unit?: Unit, category?: "status"): Seen | undefined {
	const value = raw === undefined || raw === "" ? undefined : numericFromText(raw);
	return value && { point, as: numeric(unit, category), value };
}

/** `stat` of `n,stat,…` (answer to a question) or `stat,…` (told by itself). */
const registered = (point: string): Read => (f) => {
	const raw = f.length > 1 && /^[0-5]$/.test(f[0]!) && /^\d$/.test(f[1]!) ? f[1] : f[0];
	const label = REGISTRATION.kind === "enum" && /^\d$/.test(raw ?? "") ? REGISTRATION.labels[Number(raw)] : undefined;
	return label === undefined ? [] : [{ point, as: REGISTRATION, value: label }];
};

function coordinate(point: string, raw: string | undefined, most: number): Seen | undefined {
	const seen = number(point, raw, "°");
	return seen && typeof seen.value === "object" && Math.abs(seen.value.number) <= most ? seen : undefined;
}

/** yyyyMMddhhmmss.sss in UTC. */
function utc(raw: string | undefined): Seen | undefined {
	const match = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(?:\.\d+)?$/.exec(raw ?? "");
	if (!match) return undefined;
	const value = `${match[1]!}-${match[2]!}-${match[3]!}T${match[4]!}:${match[5]!}:${match[6]!}Z`;
	return Number.isFinite(Date.parse(value)) && Number(match[1]) >= 2000 ? { point: "time", as: text(), value } : undefined;
}

const READERS: Readonly<Record<string, Read>> = {
	// 0 to 31: −113 dBm and two more for each; 99 unknown. From 100 on: TD-SCDMA, −116 dBm and one for each; 199 unknown.
	"+CSQ": (f) => {
		const [signal, errors] = [/^\d{1,3}$/.test(f[0] ?? "") ? Number(f[0]) : NaN, f[1]];
		const dbm = signal <= 31 ? 2 * signal - 113 : signal >= 100 && signal <= 191 ? signal - 216 : undefined;
		return [dbm === undefined ? undefined : { point: "signal", as: numeric("dBm", "status"), value: shifted(dbm) }, errors === undefined || !/^[0-7]$/.test(errors) ? undefined : number("bit_error_rate", errors, undefined, "status")];
	},
	"+CREG": registered("registration"), "+CGREG": registered("registration_gprs"), "+CEREG": registered("registration_lte"),
	// charging, percent, millivolt
	"+CBC": (f) => (f.length >= 3
		? [number("battery", f[1], "%", "status"), number("battery_voltage", f[2], "mV", "status"), /^[0-2]$/.test(f[0]!) ? { point: "charging", as: truth(), value: f[0] === "1" } : undefined]
		: [/^\d\.\d+V?$/.test(f[0] ?? "") ? number("battery_voltage", f[0]!.replace("V", ""), "V", "status") : number("battery", f[1], "%", "status")]),
	// run, fix, time, latitude, longitude, altitude, speed, course, mode, –, HDOP, PDOP, VDOP, –, in view, used
	"+CGNSINF": (f) => {
		if (f[1] !== "1") return f[0] === "1" || f[0] === "0" ? [{ point: "fix", as: truth(), value: false }] : [];
		const [latitude, longitude] = [coordinate("latitude", f[3], 90), coordinate("longitude", f[4], 180)];
		if (!latitude || !longitude) return [];
		return [{ point: "fix", as: truth(), value: true }, latitude, longitude, number("altitude", f[5], "m"), number("speed", f[6], "km/h"), number("course", f[7], "°"), number("hdop", f[10], undefined, "status"), number("pdop", f[11], undefined, "status"), number("vdop", f[12], undefined, "status"), number("satellites_in_view", f[14], undefined, "status"), number("satellites", f[15], undefined, "status"), utc(f[2])];
	},
	"+COPS": (f) => [f[2] === undefined || f[2] === "" ? undefined : { point: "operator", as: text(), value: f[2].slice(0, 60) }],
	"+CCLK": () => [],
	"+CPIN": (f) => [/^[A-Z0-9 -]{3,20}$/.test(f[0] ?? "") ? { point: "sim", as: text(), value: f[0]! } : undefined],
	// a message came: where it lies; its text is nobody's reading
	"+CMTI": (f) => [number("sms_index", f[1], undefined, "status")],
	"+CPSI": (f) => [f[0] ? { point: "network", as: text(), value: f[0].slice(0, 40) } : undefined],
};

/** Commas inside of quotation marks separate nothing. */
function fieldsOf(rest: string): string[] {
	const fields: string[] = [];
	let field = "";
	let quoted = false;
	for (const char of rest) {
		if (char === '"') quoted = !quoted;
		else if (char === "," && !quoted) {
			fields.push(field.trim());
			field = "";
		} else field += char;
	}
	return [...fields, field.trim()];
}

class AtTalk implements Talk {
	readonly lineEnd = "\r";
	readonly #options: TalkOptions;
	readonly #book = new DeviceBook();
	readonly questions: readonly Question[];

	constructor(options: TalkOptions) {
		this.#options = options;
		this.questions = QUESTIONS.map((line) => ({ out: { kind: "line", text: line }, every: options.every ?? EVERY }));
	}

	framer(): LineFramer {
		return new LineFramer();
	}

	decode(cut: Cut): Meaning {
		if (cut.kind !== "line") return NOTHING;
		const { address, every = EVERY } = this.#options;
		const match = /^(\+[A-Z]{2,12}):\s?(.*)$/.exec(cut.text.trim());
		const read = match && Object.hasOwn(READERS, match[1]!) ? READERS[match[1]!] : undefined;
		// Results, echoes, banners and what comes by itself: signs of life at most.
		if (!read) return this.#book.find(address) ? { heard: [address] } : NOTHING;
		const seen = read(fieldsOf(match![2]!)).filter((one) => one !== undefined);
		return seen.length === 0 ? NOTHING : this.#book.hear({ address, name: "Modem", type: "gateway", every }, seen);
	}
}

export const AT_MODEM: SerialProtocol = {
	name: "at",
	alias: "at-modem",
	title: "AT modem",
	modes: [{ baud: 115_200 }, { baud: 9_600 }],
	claims: (cut) => cut.kind === "line" && /^(\+C[A-Z]{2,10}: |\+CME ERROR|AT\+|RDY$|SMS Ready|Call Ready)/.test(cut.text),
	talk: (options) => new AtTalk(options),
};
