// KISS TNCs, AX.25 frames, APRS
// Source: M. Chepponis and P. Karn, "The KISS TNC", http://www.ax25.net/kiss.aspx; AX.25 Link Access Protocol 2.2, section 3; APRS Protocol Reference 1.0.1
// Version: APRS101 (2000-08-29)

import type { Unit } from "../../../core/unit.js";
import { numericFromNumber, numericFromText } from "../../../core/value.js";
import { degreesFromMinutes, shifted } from "../../codec/places.js";
import { type Meaning, NOTHING } from "../../meaning.js";
import { DeviceBook, numeric, type Seen, text } from "../device-book.js";
import { type BinaryFrame, type Framer, sampleOf } from "../framer.js";
import type { Cut, SerialProtocol, Talk, TalkOptions } from "../protocol.js";

const [FEND, FESC, TFEND, TFESC] = [0xc0, 0xdb, 0xdc, 0xdd];
/** Ten addresses and 256 bytes of information make 330; some TNCs send more. */
const MAX_FRAME_BYTES = 1_024;

/** Cuts out what stands between two FEND, and takes the escapes away. */
export class KissFramer implements Framer<BinaryFrame> {
	readonly #bytes = new Uint8Array(MAX_FRAME_BYTES);
	#length = 0;
	#escaped = false;
	#isOpen = false;
	#bad: string | undefined;
	#skipped = 0;

	push(chunk: Uint8Array): readonly BinaryFrame[] {
		const found: BinaryFrame[] = [];
		for (let at = 0; at < chunk.length; at++) {
			const byte = chunk[at]!;
			if (byte === FEND) {
				if (this.#skipped > 0) found.push({ kind: "fault", reason: "bytes outside of a frame", sample: "", count: this.#skipped });
				if (this.#bad !== undefined) found.push({ kind: "fault", reason: this.#bad, sample: sampleOf(this.#bytes.subarray(0, this.#length)), count: this.#length });
				else if (this.#length > 0) found.push({ kind: "frame", bytes: this.#bytes.slice(0, this.#length) });
				this.#skipped = this.#length = 0;
				this.#isOpen = true;
				this.#escaped = false;
				this.#bad = undefined;
			} else if (!this.#isOpen) this.#skipped++;
			else if (this.#length === MAX_FRAME_BYTES) this.#bad ??= `a frame of more than ${MAX_FRAME_BYTES} bytes; is the baud rate right?`;
			else if (this.#escaped) {
				this.#escaped = false;
				if (byte !== TFEND && byte !== TFESC) this.#bad ??= "a frame with an escape that is none";
				this.#bytes[this.#length++] = byte === TFEND ? FEND : FESC;
			} else if (byte === FESC) this.#escaped = true;
			else this.#bytes[this.#length++] = byte;
		}
		return found;
	}

	/** Nothing: a frame ends in FEND. */
	idle(): readonly BinaryFrame[] {
		return [];
	}
}

/** A call sign with its SSID, `W2GMD-6`; nothing for bytes that are none. */
function callOf(bytes: Uint8Array): string | undefined {
	const letters = String.fromCharCode(...bytes.subarray(0, 6).map((byte) => byte >>> 1)).trimEnd();
	const ssid = (bytes[6]! >>> 1) & 0x0f;
	return /^[A-Z0-9]{1,6}$/.test(letters) ? `${letters}${ssid === 0 ? "" : `-${ssid}`}` : undefined;
}

/** Source and text of a UI frame: destination, source, up to eight digipeaters, 03 F0, text. */
function frameOf(bytes: Uint8Array): { readonly source: string; readonly info: string } | undefined {
	let end = 0;
	while (end + 7 <= bytes.length && end < 70 && (bytes[end + 6]! & 1) === 0) end += 7;
	end += 7;
	if (end < 14 || end + 2 > bytes.length || bytes[end] !== 0x03 || bytes[end + 1] !== 0xf0) return undefined;
	const source = callOf(bytes.subarray(7, 14));
	return source === undefined ? undefined : { source, info: new TextDecoder("utf-8").decode(bytes.subarray(end + 2)).replace(/[\u0000-\u001f\u007f-\u009f]+/g, " ").trim() };
}

function put(seen: Seen[], point: string, value: Seen["value"], unit?: Unit): void {
	if (value !== undefined) seen.push({ point, as: numeric(unit), value });
}

/** What follows a position: course and speed, altitude, and words. */
function extension(seen: Seen[], rest: string): void {
	const heading = /^(\d{3})\/(\d{3})/.exec(rest);
	if (heading && Number(heading[1]) <= 360 && Number(heading[1]) > 0) {
		put(seen, "course", shifted(Number(heading[1])), "°");
		put(seen, "speed", shifted(Number(heading[2])), "kn");
	}
	const altitude = /\/A=(-?\d{5,6})/.exec(rest);
	if (altitude) put(seen, "altitude", shifted(Number(altitude[1])), "ft");
	const comment = rest.replace(/^\d{3}\/\d{3}/, "").replace(/\/A=-?\d{5,6}/, "").trim();
	if (comment !== "") seen.push({ point: "comment", as: text(), value: comment.slice(0, 255) });
}

/** Chapter 8 and 9: `ddmm.mmN/dddmm.mmW` + symbol, or thirteen characters of base 91. The digits of an ambiguous position are blanks. */
function position(seen: Seen[], body: string): void {
	const plain = /^([\d ]{4}\.[\d ]{2})([NS])(.)([\d ]{5}\.[\d ]{2})([EW])(.)(.*)$/s.exec(body);
	if (plain) {
		const latitude = degreesFromMinutes(plain[1]!.replaceAll(" ", "0"), plain[2]!);
		const longitude = degreesFromMinutes(plain[4]!.replaceAll(" ", "0"), plain[5]!);
		if (!latitude || !longitude) return;
		put(seen, "latitude", latitude, "°");
		put(seen, "longitude", longitude, "°");
		if (plain[6] === "_") weather(seen, plain[7]!);
		else extension(seen, plain[7]!);
		return;
	}
	const packed = /^[!-~]([!-{]{4})([!-{]{4})([!-~])([ -{]{3})(.*)$/s.exec(body);
	if (!packed) return;
	const base91 = (digits: string): number => [...digits].reduce((all, digit) => all * 91 + digit.charCodeAt(0) - 33, 0);
	const latitude = 90 - base91(packed[1]!) / 380_926;
	const longitude = -180 + base91(packed[2]!) / 190_463;
	if (Math.abs(latitude) > 90 || Math.abs(longitude) > 180) return;
	put(seen, "latitude", numericFromNumber(latitude, 5), "°");
	put(seen, "longitude", numericFromNumber(longitude, 5), "°");
	if (packed[3] === "_") weather(seen, packed[5]!);
	else extension(seen, packed[5]!);
}

/** Chapter 12: a letter and its digits each. Dots and blanks: no value. */
const WEATHER: Readonly<Record<string, { readonly point: string; readonly unit?: Unit; readonly places?: number; readonly digits: number }>> = {
	c: { point: "wind_direction", unit: "°", digits: 3 }, s: { point: "wind_speed", unit: "mph", digits: 3 }, g: { point: "wind_gust", unit: "mph", digits: 3 }, t: { point: "temperature", unit: "°F", digits: 3 },
	r: { point: "rain_1h", unit: "in", places: 2, digits: 3 }, p: { point: "rain_24h", unit: "in", places: 2, digits: 3 }, P: { point: "rain_since_midnight", unit: "in", places: 2, digits: 3 },
	h: { point: "humidity", unit: "%", digits: 2 }, b: { point: "pressure", unit: "hPa", places: 1, digits: 5 }, L: { point: "luminosity", unit: "W/m²", digits: 3 },
};

function weather(seen: Seen[], body: string): void {
	const wind = /^(\d{3})\/(\d{3})/.exec(body);
	if (wind) {
		put(seen, "wind_direction", shifted(Number(wind[1])), "°");
		put(seen, "wind_speed", shifted(Number(wind[2])), "mph");
	}
	let at = wind ? 7 : 0;
	while (at < body.length) {
		const key = WEATHER[body[at]!];
		const digits = key && body.slice(at + 1, at + 1 + key.digits);
		if (!key || !digits || !/^[-\d. ]+$/.test(digits) || digits.length < key.digits) break;
		if (/^-?\d+$/.test(digits)) put(seen, key.point, shifted(key.point === "humidity" && digits === "00" ? 100 : Number(digits), key.places ?? 0), key.unit);
		at += 1 + key.digits;
	}
}

/** Chapter 13: T#number, five analogue values, eight bits. Without PARM, UNIT and EQNS they have no unit. */
function telemetry(seen: Seen[], body: string): void {
	const parts = body.split(",");
	const sequence = /^#(\d{1,5}|MIC)$/.exec(parts[0] ?? "");
	if (!sequence) return;
	if (sequence[1] !== "MIC") seen.push({ point: "sequence", as: numeric(undefined, "status"), value: shifted(sequence[1]!) });
	parts.slice(1, 6).forEach((part, index) => put(seen, `analog${index + 1}`, numericFromText(part)));
	const bits = /^[01]{1,8}/.exec(parts[6] ?? "");
	[...(bits?.[0] ?? "")].forEach((bit, index) => seen.push({ point: `digital${index + 1}`, as: { kind: "boolean", access: "r" }, value: bit === "1" }));
}

function read(info: string): Seen[] {
	const seen: Seen[] = [{ point: "info", as: text(), value: info.slice(0, 255) }];
	switch (info[0]) {
		case "!": case "=": position(seen, info.slice(1)); break;
		case "/": case "@": position(seen, info.slice(8)); break; // after a time of seven characters
		case ";": position(seen, info.slice(18)); break; // an object: name, alive, time
		case "_": weather(seen, info.slice(9)); break;
		case "T": telemetry(seen, info.slice(1)); break;
		case ">": seen.push({ point: "status", as: text(), value: info.slice(1, 256).trim() }); break;
		default: break;
	}
	return seen;
}

class KissTalk implements Talk {
	readonly #options: TalkOptions;
	readonly #book = new DeviceBook();

	constructor(options: TalkOptions) {
		this.#options = options;
	}

	framer(): Framer {
		return new KissFramer();
	}

	decode(cut: Cut): Meaning {
		// The low four bits of the first byte are the command: 0 is data, the rest are settings of the TNC.
		if (cut.kind !== "frame" || (cut.bytes[0]! & 0x0f) !== 0) return NOTHING;
		const frame = frameOf(cut.bytes.subarray(1));
		if (!frame) return { misfits: [{ where: this.#options.address, reason: "a frame that is no AX.25 UI frame", sample: sampleOf(cut.bytes) }] };
		if (frame.info === "") return NOTHING;
		// What an object or an item says is of something else than who sent it.
		const object = /^;([^*_]{9})[*_]/.exec(frame.info)?.[1]?.trim();
		const address = object ? `${frame.source}/${object}` : frame.source;
		return this.#book.hear({ address, name: object ?? frame.source, type: "sensor" }, read(frame.info));
	}
}

export const KISS: SerialProtocol = {
	name: "kiss",
	alias: "kiss-ax25",
	title: "KISS TNC with AX.25",
	longest: MAX_FRAME_BYTES,
	many: true,
	modes: [{ baud: 9_600 }, { baud: 1_200 }, { baud: 19_200 }, { baud: 38_400 }, { baud: 115_200 }],
	claims: (cut) => cut.kind === "frame" && (cut.bytes[0]! & 0x0f) === 0 && frameOf(cut.bytes.subarray(1)) !== undefined,
	talk: (options) => new KissTalk(options),
};
