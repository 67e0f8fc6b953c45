// Ruuvi Gateway: <prefix>/<gateway MAC>/<tag MAC> with the advertisement as the tag sent it, <prefix>/<gateway MAC>/gw_status.
// Source: https://docs.ruuvi.com/gw-data-formats/mqtt-time-stamped-data-from-bluetooth-sensors, https://docs.ruuvi.com/communication/bluetooth-advertisements
// Version: data formats 3, 5, 6, C5 and E1
//
// The address of a tag is its MAC; the gateway is a device of its own, and only relays.

import type { Unit } from "../../core/unit.js";
import type { Category, Point } from "../../core/point.js";
import { type Numeric, numericFromNumber, type Value } from "../../core/value.js";
import { isNumber, isObject, type JsonObject } from "../json.js";
import type { Message, OutMessage } from "../link.js";
import { type Meaning, NOTHING } from "../meaning.js";
import type { Convention } from "./convention.js";
import { joined, Observed, type Seen } from "./observed.js";
import { macAddress, Payload } from "./payload.js";
import { timeFrom } from "./times.js";

/** Tags whose last measurement and relay are remembered. */
const MAX_TAGS = 2_000;
/** An advertisement has 31 bytes, an extended one 255. */
const MAX_ADVERTISEMENT = 512;
const MANUFACTURER_DATA = 0xff;
/** Ruuvi Innovations Ltd. */
const COMPANY = 0x0499;

interface Heard {
	/** Number of its last measurement: each is sent several times, and by several gateways. */
	sequence: number | undefined;
	format: number | undefined;
	gateway: string | undefined;
	isOffline: boolean;
}

export class Ruuvi implements Convention {
	readonly name = "ruuvi";
	readonly #prefix: string;
	readonly #devices = new Observed(MAX_TAGS);
	readonly #tags = new Map<string, Heard>();

	constructor(options: { readonly prefix?: string } = {}) {
		this.#prefix = options.prefix ?? "ruuvi";
	}

	filters(): readonly string[] {
		return [`${this.#prefix}/+/+`];
	}

	hear(message: Message): Meaning | undefined {
		const levels = message.topic.split("/");
		const gateway = levels.length < 2 ? undefined : macAddress(levels.at(-2)!);
		if (gateway === undefined) return undefined;
		if (levels.at(-1) === "gw_status") return this.#status(gateway, message);
		const tag = macAddress(levels.at(-1)!);
		if (tag === undefined) return undefined;
		const payload = new Payload(message);
		const json = payload.json;
		const isOurs = levels.slice(0, -2).join("/") === this.#prefix;
		if (!isObject(json) || (typeof json["data"] !== "string" && json["gw_mac"] === undefined)) {
			return isOurs ? { misfits: [{ where: tag, reason: payload.fault ?? "Cannot read a Ruuvi message: it has no data", sample: payload.sample }] } : undefined;
		}
		return this.#tag(gateway, tag, json, message, payload);
	}

	command(address: string, point: string): readonly OutMessage[] | undefined {
		return this.#devices.refuse(macAddress(address) ?? address, point);
	}

	#tag(gateway: string, tag: string, json: JsonObject, message: Message, payload: Payload): Meaning {
		const advertised = typeof json["data"] === "string" ? ruuviData(json["data"]) : undefined;
		const decoded = advertised && decode(advertised);
		const found = decoded ?? decodedKeys(json);
		// Other makers' advertisements pass through too.
		if (advertised && !decoded) return { misfits: [{ where: tag, reason: "Cannot read the advertisement: its data format is not known, or too short", sample: payload.sample }] };
		if (!found || found.values.length === 0) return NOTHING;
		const heard = this.#tags.get(tag) ?? { sequence: undefined, format: undefined, gateway: undefined, isOffline: false };
		this.#remember(tag, heard);
		heard.gateway = gateway;
		const states = heard.isOffline && !message.retained ? [{ address: tag, state: "online" as const }] : [];
		if (states.length > 0) heard.isOffline = false;
		const alive: Meaning = { states, ...(this.#devices.find(tag) && { heard: [tag] }) };
		// A receiver of E1 should leave format 6, which is the same with less.
		if (found.format === 6 && heard.format === 0xe1) return joined([alive], !message.retained);
		if (found.sequence !== undefined && found.sequence === heard.sequence && found.format === heard.format) return joined([alive], !message.retained);
		heard.sequence = found.sequence;
		heard.format = found.format;
		const at = timeFrom(json["ts"]) ?? timeFrom(json["gwts"]);
		const values = [...found.values, ...(isNumber(json["rssi"]) ? [["rssi", json["rssi"], "dBm", "status"] as const] : [])];
		const seen = values.map(([point, value, unit, category]): Seen => ({ point, value, as: pointFor(value, unit, category), ...(at !== undefined && { at }) }));
		const facts = { address: tag, manufacturer: "Ruuvi", model: found.format === 6 || found.format === 0xe1 ? "Ruuvi Air" : "RuuviTag", type: "sensor" };
		return joined([this.#devices.see(facts, seen), { states }], !message.retained);
	}

	/** What the gateway, or its last will, says of itself: without it nothing of its tags is heard. */
	#status(gateway: string, message: Message): Meaning {
		const payload = new Payload(message);
		const word = isObject(payload.json) ? payload.json["state"] : payload.text.trim();
		if (word !== "online" && word !== "offline") return NOTHING;
		const own = this.#devices.see({ address: gateway, manufacturer: "Ruuvi", model: "Ruuvi Gateway" }, []);
		const states: NonNullable<Meaning["states"]>[number][] = [{ address: gateway, state: word }];
		for (const [tag, heard] of this.#tags) {
			if (heard.gateway !== gateway || heard.isOffline === (word === "offline")) continue;
			heard.isOffline = word === "offline";
			states.push({ address: tag, state: word, ...(word === "offline" && { reason: "its gateway is offline" }) });
		}
		return { ...own, states };
	}

	#remember(tag: string, heard: Heard): void {
		this.#tags.delete(tag);
		this.#tags.set(tag, heard);
		if (this.#tags.size > MAX_TAGS) this.#tags.delete(this.#tags.keys().next().value!);
	}
}

type Named = readonly [point: string, value: Value, unit?: Unit | undefined, category?: Category | undefined];

interface Decoded {
	readonly format: number;
	readonly values: readonly Named[];
	readonly sequence?: number;
}

/** What Ruuvi put into an advertisement: a list of length, type and data (Bluetooth Core, volume 3, part C, section 11). */
function ruuviData(hex: string): Uint8Array | undefined {
	if (hex.length > 2 * MAX_ADVERTISEMENT || !/^(?:[0-9a-f]{2})+$/i.test(hex)) return undefined;
	const bytes = Buffer.from(hex, "hex");
	for (let at = 0; at < bytes.length;) {
		const length = bytes[at]!;
		if (length === 0) return undefined;
		const part = bytes.subarray(at + 1, at + 1 + length);
		if (part[0] === MANUFACTURER_DATA && part.length >= 4 && part.readUInt16LE(1) === COMPANY) return part.subarray(3);
		at += 1 + length;
	}
	return undefined;
}

/** raw × step + offset, with as many decimals as the step has. */
function fixed(raw: number, step: number, decimals: number, offset = 0): Numeric | undefined {
	return numericFromNumber(raw * step + offset, decimals);
}

/** The values of a table whose raw one is none of those that mean "not available". */
function present(rows: readonly (readonly [point: string, value: Numeric | boolean | undefined, isThere: boolean, unit?: Unit | undefined, category?: Category | undefined])[]): Named[] {
	return rows.flatMap(([point, value, isThere, unit, category]) => (isThere && value !== undefined ? [[point, value, unit, category] as const] : []));
}

function decode(data: Uint8Array): Decoded | undefined {
	const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
	switch (data[0]) {
		case 0x03: return data.length >= 14 ? format3(view) : undefined;
		case 0x05: return data.length >= 24 ? format5(view, 13, true) : undefined;
		case 0xc5: return data.length >= 18 ? format5(view, 7, false) : undefined;
		case 0x06: return data.length >= 20 ? format6(view) : undefined;
		case 0xe1: return data.length >= 40 ? formatE1(view) : undefined;
		default: return undefined;
	}
}

/** RAWv1: temperature as sign and magnitude, whole degrees and hundredths. */
function format3(view: DataView): Decoded {
	const degrees = view.getUint8(2);
	const magnitude = (degrees & 0x7f) + view.getUint8(3) / 100;
	return {
		format: 3,
		values: present([
			["temperature", fixed(degrees & 0x80 ? -magnitude : magnitude, 1, 2), view.getUint8(3) < 100, "°C"],
			["humidity", fixed(view.getUint8(1), 0.5, 1), view.getUint8(1) <= 200, "%"],
			["pressure", fixed(view.getUint16(4), 1, 0, 50_000), true, "Pa"],
			...acceleration(view, 6),
			["voltage", fixed(view.getUint16(12), 0.001, 3), true, "V", "status"],
		]),
	};
}

/** RAWv2, and C5, which is the same without acceleration. */
function format5(view: DataView, power: number, withAcceleration: boolean): Decoded {
	const info = view.getUint16(power);
	const sequence = view.getUint16(power + 3);
	return {
		format: view.getUint8(0), ...(sequence !== 0xffff && { sequence }),
		values: [...climate(view), ...present([
			...(withAcceleration ? acceleration(view, 7) : []),
			["voltage", fixed(info >> 5, 0.001, 3, 1.6), info >> 5 !== 2047, "V", "status"],
			["txPower", fixed(info & 31, 2, 0, -40), (info & 31) !== 31, "dBm", "status"],
			["movementCounter", fixed(view.getUint8(power + 2), 1, 0), view.getUint8(power + 2) !== 255],
			["measurementSequenceNumber", fixed(sequence, 1, 0), sequence !== 0xffff],
		])],
	};
}

/** Air quality in a short advertisement; light on a logarithmic scale. */
function format6(view: DataView): Decoded {
	const light = view.getUint8(13);
	const sequence = view.getUint8(15);
	return {
		format: 6, sequence,
		values: [...climate(view), ...present([
			["pm25", fixed(view.getUint16(7), 0.1, 1), view.getUint16(7) !== 0xffff, "µg/m³"],
			["co2", fixed(view.getUint16(9), 1, 0), view.getUint16(9) !== 0xffff, "ppm"],
			...gases(view, 11, 16),
			["luminosity", fixed(Math.exp((light * Math.log(65_536)) / 254) - 1, 1, 2), light !== 255, "lx"],
			["measurementSequenceNumber", fixed(sequence, 1, 0), true],
			["calibrationInProgress", (view.getUint8(16) & 1) === 1, true, undefined, "status"],
		])],
	};
}

/** Air quality in an extended advertisement. */
function formatE1(view: DataView): Decoded {
	const light = (view.getUint8(19) << 16) | view.getUint16(20);
	const sequence = (view.getUint8(25) << 16) | view.getUint16(26);
	const dust = (point: string, at: number) => [point, fixed(view.getUint16(at), 0.1, 1), view.getUint16(at) !== 0xffff, "µg/m³"] as const;
	return {
		format: 0xe1, ...(sequence !== 0xffffff && { sequence }),
		values: [...climate(view), ...present([
			dust("pm1", 7), dust("pm25", 9), dust("pm4", 11), dust("pm10", 13),
			["co2", fixed(view.getUint16(15), 1, 0), view.getUint16(15) !== 0xffff, "ppm"],
			...gases(view, 17, 28),
			["luminosity", fixed(light, 0.01, 2), light !== 0xffffff, "lx"],
			["measurementSequenceNumber", fixed(sequence, 1, 0), sequence !== 0xffffff],
			["calibrationInProgress", (view.getUint8(28) & 1) === 1, true, undefined, "status"],
		])],
	};
}

/** The first three of every format since RAWv2. */
function climate(view: DataView): Named[] {
	return present([
		["temperature", fixed(view.getInt16(1), 0.005, 3), view.getInt16(1) !== -0x8000, "°C"],
		["humidity", fixed(view.getUint16(3), 0.0025, 4), view.getUint16(3) !== 0xffff, "%"],
		["pressure", fixed(view.getUint16(5), 1, 0, 50_000), view.getUint16(5) !== 0xffff, "Pa"],
	]);
}

function acceleration(view: DataView, from: number) {
	return ["accelX", "accelY", "accelZ"].map((point, axis) => [point, fixed(view.getInt16(from + 2 * axis), 0.001, 3), view.getInt16(from + 2 * axis) !== -0x8000, "g"] as const);
}

/** Indexes of nine bits, the lowest in the flags. */
function gases(view: DataView, from: number, flags: number) {
	return [["voc", 0, 6], ["nox", 1, 7]].map(([point, at, bit]) => {
		const index = (view.getUint8(from + Number(at)) << 1) | ((view.getUint8(flags) >> Number(bit)) & 1);
		return [String(point), fixed(index, 1, 0), index !== 511] as const;
	});
}

/** Keys that some gateways add beside the data, already decoded. */
const DECODED: Readonly<Record<string, readonly [unit: Unit | undefined, category?: Category]>> = {
	temperature: ["°C"], humidity: ["%"], pressure: ["Pa"], accelX: ["g"], accelY: ["g"], accelZ: ["g"], voltage: ["V", "status"], txPower: ["dBm", "status"],
	movementCounter: [undefined], measurementSequenceNumber: [undefined],
	// Ruuvi's own names for what formats 6 and E1 carry.
	"PM1.0": ["µg/m³"], "PM2.5": ["µg/m³"], "PM4.0": ["µg/m³"], "PM10.0": ["µg/m³"], CO2: ["ppm"], VOC: [undefined], NOx: [undefined], luminosity: ["lx"],
};

function decodedKeys(json: JsonObject): Decoded | undefined {
	const format = json["dataFormat"];
	const values = Object.entries(DECODED).flatMap(([key, [unit, category]]): Named[] => {
		const value = json[key];
		return isNumber(value) ? [[key, value, unit, category]] : [];
	});
	const sequence = json["measurementSequenceNumber"];
	return values.length === 0 ? undefined : { format: isNumber(format) ? format.number : 0, values, ...(isNumber(sequence) && { sequence: sequence.number }) };
}

function pointFor(value: Value, unit: Unit | undefined, category: Category | undefined): Point {
	const base = { access: "r" as const, ...(category !== undefined && { category }) };
	return typeof value === "boolean" ? { kind: "boolean", ...base } : { kind: "numeric", ...base, ...(unit !== undefined && { unit }) };
}
