// RFC 8428: Sensor Measurement Lists (SenML), in JSON and in CBOR
// Source: https://www.rfc-editor.org/rfc/rfc8428, units: https://www.iana.org/assignments/senml/senml.xhtml
// Version: August 2018, with RFC 8798 (more units), RFC 9100 (versions) and RFC 9193 (content formats)
//
// The address of a device is the base name without its trailing `:` or `/`, a point is what stands behind it. A record without a name of its own is
// named by the whole name and its unit. A sum is `<name>/sum`. A quantity that comes in a second unit is a second point, `<name> <unit>`.
// SenML has no topics of its own: a message is known by its content type, or by its shape.

import type { UnixMillis } from "../../core/clock.js";
import type { Unit } from "../../core/unit.js";
import { messageOf } from "../../core/errors.js";
import { type Numeric, numericFromNumber, numericFromText, textOf, type Value } from "../../core/value.js";
import { decimalFrom, decimalText, scaled } from "../codec/decimal.js";
import { type Cbor, isCborMap, readCbor } from "../codec/cbor-reader.js";
import { isArray, isNumber, isObject } from "../json.js";
import type { Message, OutMessage } from "../link.js";
import type { Meaning } from "../meaning.js";
import type { Convention } from "./convention.js";
import { pointFor } from "./learned.js";
import { joined, Observed, type Seen } from "./observed.js";
import { Payload } from "./payload.js";
import { plausible } from "./times.js";

/** Records of one pack; a day of minutes has 1440. */
const MAX_RECORDS = 5_000;
/** Times from here on are Unix seconds; below they are relative to now: section 4.5.3. */
const FIRST_ABSOLUTE = 2 ** 28;
/** The version that this reader knows: section 4.4. Later ones are sums of features (RFC 9100), none of which changes how a record is read. */
const VERSION = 10;

/** Labels of CBOR by their number: section 6, table 6; RFC 9193, section 3. */
const CBOR_LABELS: Readonly<Record<string, string>> = {
	"-1": "bver", "-2": "bn", "-3": "bt", "-4": "bu", "-5": "bv", "-6": "bs", 0: "n", 1: "u", 2: "v", 3: "vs", 4: "vb", 5: "s", 6: "t", 7: "ut", 8: "vd",
};
const LABELS: ReadonlySet<string> = new Set(Object.values(CBOR_LABELS));

/** The registered units, and what they are here. What is missing has no unit of ours: the value keeps its number. */
const UNITS: Readonly<Record<string, Unit>> = {
	"m": "m", "kg": "kg", "g": "g", "s": "s", "A": "A", "K": "K", "cd": "cd", "Hz": "Hz", "rad": "rad", "N": "N", "Pa": "Pa", "J": "J", "W": "W", "V": "V", "Ohm": "Ω",
	"T": "T", "Cel": "°C", "lm": "lm", "lx": "lx", "m2": "m²", "m3": "m³", "l": "L", "m/s": "m/s", "m/s2": "m/s²", "W/m2": "W/m²", "bit": "bit", "bit/s": "bit/s",
	"lat": "°", "lon": "°", "pH": "pH", "dB": "dB", "%": "%", "%RH": "%", "%EL": "%", "EL": "s", "1/min": "1/min", "B": "B", "VA": "VA", "var": "VAr",
	// Secondary units: RFC 8798, section 3.
	"ms": "ms", "min": "min", "h": "h", "MHz": "MHz", "kW": "kW", "kVA": "kVA", "kvar": "kVAr", "Ah": "Ah", "Wh": "Wh", "kWh": "kWh", "varh": "VArh", "kvarh": "kVArh",
	"KiB": "KiB", "GB": "GB", "Mbit/s": "Mbit/s", "B/s": "B/s", "MB/s": "MB/s", "mV": "mV", "mA": "mA", "dBm": "dBm", "ug/m3": "µg/m³", "mm/h": "mm/h", "ppm": "ppm", "ppb": "ppb",
	"deg": "°", "hPa": "hPa", "mm": "mm", "cm": "cm", "km": "km", "km/h": "km/h",
};

/** A record of either form, by the labels of JSON. */
type Pack = ReadonlyMap<string, Value | null>;

/** One value with everything that the base fields add to it: section 4.6. */
interface Resolved {
	readonly base: string;
	readonly name: string;
	readonly unit: string | undefined;
	readonly value: Value | undefined;
	readonly sum: Numeric | undefined;
	/** Seconds. */
	readonly time: number;
	readonly update: number | undefined;
}

export class SenMl implements Convention {
	readonly name = "senml";
	readonly #filters: readonly string[];
	readonly #devices = new Observed();

	/** @param options `topics`: filters of where SenML is sent. Whatever else the link hears is known by its shape. */
	constructor(options: { readonly topics?: readonly string[] } = {}) {
		this.#filters = options.topics ?? ["senml/#", "+/senml", "+/+/senml", "channels/+/messages/#"];
	}

	filters(): readonly string[] {
		return this.#filters;
	}

	hear(message: Message, received?: UnixMillis): Meaning | undefined {
		const type = message.contentType?.split(";")[0]!.trim().toLowerCase();
		const first = message.payload[0];
		if (first === undefined) return undefined;
		const isJson = type === "application/senml+json" || type === "application/sensml+json";
		const isCbor = type === "application/senml+cbor" || type === "application/sensml+cbor";
		const sample = (): string => (isCbor ? Buffer.from(message.payload.subarray(0, 60)).toString("hex") : new Payload(message).sample);
		const fault = (reason: string): Meaning => ({ misfits: [{ where: message.topic, reason, sample: sample() }] });
		let records: readonly Pack[] | undefined;
		if (isCbor || (!isJson && first >= 0x80 && first <= 0x9f)) {
			try {
				records = cborRecords(message.payload);
			} catch (error) {
				return isCbor ? fault(messageOf(error)) : undefined;
			}
		} else if (isJson || first === 0x5b || first <= 0x20) {
			const payload = new Payload(message);
			if (!isJson && payload.json === undefined) return undefined;
			if (isJson && payload.fault !== undefined) return fault(payload.fault);
			records = jsonRecords(payload);
		}
		const isCertain = isJson || isCbor;
		if (!records) return isCertain ? fault("Cannot read SenML: it is no list of records") : undefined;
		if (!isCertain && !looksLikeSenMl(records)) return undefined;
		if (records.length > MAX_RECORDS) return fault(`Cannot read SenML: more than ${MAX_RECORDS} records`);
		const resolved = resolve(records);
		return typeof resolved === "string" ? fault(resolved) : this.#told(resolved, message, message.retained ? undefined : received);
	}

	command(address: string, point: string): readonly OutMessage[] | undefined {
		return this.#devices.refuse(address, point);
	}

	/** @param now What relative times count from; nothing for a message that was kept for nobody knows how long. */
	#told(records: readonly Resolved[], message: Message, now: UnixMillis | undefined): Meaning {
		const byDevice = new Map<string, { every: number | undefined; readonly seen: Seen[] }>();
		// Oldest first, so that the newest is what is known at the end; of one time in the order of the pack.
		for (const record of [...records].sort((a, b) => a.time - b.time)) {
			const [address, name] = placed(record, message.topic);
			if (address === "") continue;
			const device = byDevice.get(address) ?? { every: undefined, seen: [] };
			byDevice.set(address, device);
			if (record.update !== undefined && record.update > 0 && record.update < 1e7) device.every = Math.round(record.update * 1_000);
			const at = timeOf(record.time, now);
			const unit = record.unit !== undefined && Object.hasOwn(UNITS, record.unit) ? UNITS[record.unit] : undefined;
			const take = (point: string, value: Value): void => {
				const as = pointFor(value, { unit, ...(typeof value !== "object" && { category: "status" as const }) });
				// A value of the past of which nobody can say when it was.
				device.seen.push({ point: this.#named(address, point, record.unit, unit, device.seen), as, value, ...(at !== undefined && { at }), ...(at === undefined && record.time < 0 && { quality: "estimate" as const }) });
			};
			if (record.value !== undefined) take(name, record.value);
			if (record.sum !== undefined) take(`${name}/sum`, record.sum);
		}
		const meanings = [...byDevice].map(([address, { every, seen }]) => this.#devices.see({ address, ...(every !== undefined && { every }) }, seen));
		return joined(meanings, !message.retained);
	}

	/** The point of a quantity in one unit: the first unit has the name alone. */
	#named(address: string, name: string, code: string | undefined, unit: Unit | undefined, seen: readonly Seen[]): string {
		const known = this.#devices.find(address)?.entry(name)?.point ?? seen.find(({ point }) => point === name)?.as;
		const other = known?.kind === "numeric" ? known.unit : undefined;
		return known && code !== undefined && unit !== undefined && other !== undefined && other !== unit ? `${name} ${code}` : name;
	}
}

/** Times below 2^28 are relative to the moment of sending, which is that of receipt as far as one can know; 0 is now itself: section 4.5.3. */
function timeOf(seconds: number, now: UnixMillis | undefined): UnixMillis | undefined {
	if (seconds >= FIRST_ABSOLUTE) return plausible(seconds * 1_000);
	return now === undefined || seconds === 0 ? undefined : plausible(now + seconds * 1_000);
}

function jsonRecords(payload: Payload): Pack[] | undefined {
	const json = payload.json;
	if (!isArray(json) || json.length === 0) return undefined;
	const records: Pack[] = [];
	for (const record of json) {
		if (!isObject(record)) return undefined;
		records.push(new Map(Object.entries(record).map(([key, value]) => [key, isNumber(value) || typeof value === "string" || typeof value === "boolean" ? value : null])));
	}
	return records;
}

/** @throws {GatewayError} `bad-payload`. */
function cborRecords(bytes: Uint8Array): Pack[] | undefined {
	const list = readCbor(bytes);
	if (!Array.isArray(list) || list.length === 0) return undefined;
	const records: Pack[] = [];
	for (const record of list) {
		if (!isCborMap(record)) return undefined;
		records.push(new Map([...record.members].map(([key, value]) => [Object.hasOwn(CBOR_LABELS, key) ? CBOR_LABELS[key]! : key, plainOf(value)])));
	}
	return records;
}

/** Bytes as JSON has them: base64 for URLs (section 5). */
function plainOf(value: Cbor): Value | null {
	if (value instanceof Uint8Array) return Buffer.from(value).toString("base64url");
	return typeof value !== "object" || value === null ? value : "text" in value ? value : null;
}

const VALUES = ["v", "vs", "vb", "vd", "s"];
/** Labels of the base fields, and of what is no value. */
const KINDS: Readonly<Record<string, "string" | "boolean" | "number">> = { bn: "string", n: "string", bu: "string", u: "string", vs: "string", vd: "string", vb: "boolean", v: "number", s: "number", bt: "number", t: "number", bv: "number", bs: "number", bver: "number", ut: "number" };

/** Without a content type: nothing but records of SenML, the first with a name, some with values. */
function looksLikeSenMl(records: readonly Pack[]): boolean {
	const first = records[0]!;
	if (typeof first.get("bn") !== "string" && typeof first.get("n") !== "string") return false;
	if (!records.some((record) => VALUES.some((key) => record.has(key)))) return false;
	return records.every((record) => [...record].every(([key, value]) => isOfKind(key, value)) && [...record.keys()].filter((key) => !LABELS.has(key)).length <= 2);
}

function isOfKind(key: string, value: Value | null): boolean {
	const kind = Object.hasOwn(KINDS, key) ? KINDS[key] : undefined;
	return kind === undefined || (kind === "number" ? typeof value === "object" && value !== null : typeof value === kind);
}

/** The records with their base fields: section 4.6. @returns A text instead when the pack has to be refused whole. */
function resolve(records: readonly Pack[]): Resolved[] | string {
	const resolved: Resolved[] = [];
	let [base, unit, time]: [string, string | undefined, number] = ["", undefined, 0];
	let [value, sum]: [Numeric | undefined, Numeric | undefined] = [undefined, undefined];
	for (const record of records) {
		// What must be understood and is not: section 4.4.
		const unknown = [...record.keys()].find((key) => key.endsWith("_"));
		if (unknown !== undefined) return "Cannot read SenML: it needs a field ending in _, which is not known here";
		const wrong = [...record].find(([key, one]) => !isOfKind(key, one));
		if (wrong) return "Cannot read SenML: a field is of the wrong kind";
		const version = numberOf(record.get("bver"));
		// RFC 9100: versions above ten are sets of features, of which secondary units (2^4) is the only one that matters here, and is known.
		if (version !== undefined && version.number > VERSION && version.number !== 26) return `Cannot read SenML: it is of a version above ${VERSION}, which is the one known here`;
		base = wordOf(record.get("bn")) ?? base;
		unit = wordOf(record.get("bu")) ?? unit;
		time = numberOf(record.get("bt"))?.number ?? time;
		value = numberOf(record.get("bv")) ?? value;
		sum = numberOf(record.get("bs")) ?? sum;
		const name = wordOf(record.get("n")) ?? "";
		const own = numberOf(record.get("v"));
		const text = wordOf(record.get("vs"));
		const truth = record.get("vb");
		const ownSum = numberOf(record.get("s"));
		// A base value alone is a value too, where the record has no other: section 4.1.
		const found = own !== undefined ? added(own, value) : text !== undefined ? text : typeof truth === "boolean" ? truth : undefined;
		if (found === undefined && ownSum === undefined) continue;
		resolved.push({ base, name, unit: wordOf(record.get("u")) ?? unit, value: found, sum: ownSum && added(ownSum, sum), time: time + (numberOf(record.get("t"))?.number ?? 0), update: numberOf(record.get("ut"))?.number });
	}
	return resolved;
}

function added(own: Numeric, base: Numeric | undefined): Numeric {
	if (!base || base.number === 0) return own;
	const [a, b] = [decimalFrom(own.text), decimalFrom(base.text)];
	const exact = a && b ? numericFromText(decimalText(scaled(a, { digits: 1n, decimals: 0 }, b))) : undefined;
	return exact ?? numericFromNumber(own.number + base.number) ?? own;
}

/** Which device a record is of, and what of it. */
function placed({ base, name, unit }: Resolved, topic: string): readonly [address: string, point: string] {
	const whole = base + name;
	const trimmed = base.replace(/[:/.\-_]+$/, "");
	if (base !== "" && name !== "") return trimmed === "" ? split(name, topic) : [trimmed, name];
	if (base === "") {
		const found = split(whole, topic);
		if (found[1] !== "") return found;
	}
	return [trimmed === "" ? whole : trimmed, unit === undefined ? whole : `${whole} ${unit}`];
}

/** Parts of a device's own name behind `urn:dev:`, by its kind: RFC 9039, section 4. */
const URN_PARTS: Readonly<Record<string, number>> = { mac: 4, ow: 4, org: 5, os: 5, ops: 6 };

/** A whole name as device and point: `urn:dev:mac:0024befffe804ff1:temp`, `urn:dev:ow:10e2073a01080063_temp`, `room/temp`; a name of one word is a point of the topic's device. */
function split(name: string, topic: string): readonly [address: string, point: string] {
	if (/^urn:dev:/i.test(name)) {
		const parts = name.split(":");
		const sort = parts[2]?.toLowerCase() ?? "";
		const own = Object.hasOwn(URN_PARTS, sort) ? URN_PARTS[sort]! : parts.length;
		if (parts.length > own) return [parts.slice(0, own).join(":"), parts.slice(own).join(":")];
		const cut = name.indexOf("_");
		return cut < 0 ? [name, ""] : [name.slice(0, cut), name.slice(cut + 1)];
	}
	const cut = Math.max(name.lastIndexOf("/"), name.lastIndexOf(":"));
	if (cut > 0 && cut < name.length - 1) return [name.slice(0, cut), name.slice(cut + 1)];
	const device = topic.split("/").filter((level) => !/^(?:senml|messages|channels)$/i.test(level)).join("/");
	return [device === "" ? topic : device, name];
}

function wordOf(value: Value | null | undefined): string | undefined {
	return typeof value === "string" ? textOf(value) : undefined;
}

function numberOf(value: Value | null | undefined): Numeric | undefined {
	return typeof value === "object" && value !== null ? value : undefined;
}
