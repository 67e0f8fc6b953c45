import type { Millis } from "../../core/clock.js";
import { messageOf } from "../../core/errors.js";
import type { Point } from "../../core/point.js";
import { type Unit, unitFrom } from "../../core/unit.js";
import { isNumeric, numericFromText, textOf, type Value } from "../../core/value.js";
import { fieldsOf, keyValues, numericFromField, truthFromField } from "../codec/text-fields.js";
import { categoryByName, wordsOf, unitByName } from "../conventions/quantity.js";
import { saysNothing } from "../conventions/payload.js";
import { isObject, parseJson, scalars } from "../json.js";
import type { Line } from "../link.js";
import { type Meaning, type Misfit, NOTHING } from "../meaning.js";
import { DeviceBook, type Facts, numeric, type Seen } from "./device-book.js";

/** A board with more values in its lines than this should have a definition; one with endless new names is noise. */
const MAX_POINTS = 64;
/** What `<` and its like would do in a stanza is nobody's wish, though they are escaped. */
const POINT_NAME = /^[^\u0000-\u0020"'<>&=][^\u0000-\u001f"'<>&=]{0,63}$/;
/** Keys that say which board speaks, the surest first. */
const IDENTITY = ["node_id", "nodeid", "device_id", "deviceid", "sensor_id", "sensorid", "node", "device", "id", "name"];
const MAX_IDENTITY = 64;

/** One value of a line. */
interface Word {
	readonly value: Value;
	readonly unit?: Unit;
}

/**
 * The device of a line of text for which there is no definition: its points are what its lines say.
 *
 * JSON objects give a point for each scalar, `key=value` and `name: 12.3 unit` lines one for each key, and rows of numbers
 * one for each column: by the names of a header line, else `value[0]`, `value[1]` … What a point once was it stays: a word in
 * the place of a number is a misfit. Units stand behind the number or at the end of the name; nothing is guessed from a value.
 * The mirror is missing: nothing is known of what such a device understands.
 */
export class GenericLines {
	readonly address: string;
	readonly #json: boolean;
	readonly #every: Millis | undefined;
	readonly #book = new DeviceBook();
	/** Points of each board, and how many names are one too many. */
	readonly #points = new Map<string, Map<string, Point>>();
	/** Names of columns, from a header line. */
	#header: readonly string[] | undefined;
	/** The first board that named itself: it is what the config means by the device of this port. */
	#first: string | undefined;

	constructor(address: string, json: boolean, every?: Millis) {
		this.address = address;
		this.#json = json;
		this.#every = every;
	}

	decode({ text }: Line): Meaning {
		const misfit = (reason: string): Misfit => ({ where: this.address, reason, sample: text.slice(0, 200) });
		const radio = nodeOf(text);
		if (radio) return this.#book.hear({ address: radio.node, name: `Node ${radio.node}`, type: "sensor" }, [{ point: "rssi", as: numeric("dBm", "status"), value: radio.rssi }]);
		let found: ReadonlyMap<string, Word> | undefined;
		try {
			found = this.#json || text.trimStart().startsWith("{") ? jsonWords(text) : this.#words(text);
		} catch (error) {
			return { heard: this.#known(), misfits: [misfit(messageOf(error))] };
		}
		// A banner, a prompt, a log line: not worth a device, and no fault of one that is known.
		if (!found) return { heard: this.#known(), misfits: [misfit(this.#json ? "a JSON line that is no object" : "neither key=value nor a row of numbers")] };
		const identity = identityOf(found);
		const address = identity ?? this.address;
		const points = this.#points.get(address) ?? new Map<string, Point>();
		const seen: Seen[] = [];
		const misfits: Misfit[] = [];
		for (const [name, word] of found) {
			const known = points.get(name);
			const as = known ?? pointOf(name, word);
			if (as.kind !== kindOf(word.value)) misfits.push(misfit(`${name} is no ${as.kind} value any more`));
			else if (!known && (name === "__proto__" || !POINT_NAME.test(name) || points.size >= MAX_POINTS)) misfits.push(misfit("has a name that cannot be a point, or one point too many"));
			else {
				points.set(name, as);
				seen.push({ point: name, as, value: word.value });
			}
		}
		if (seen.length === 0 && points.size === 0) return misfits.length > 0 ? { misfits } : NOTHING;
		this.#points.set(address, points); // bounded by the book: it takes no more devices than it has room for
		const meaning = this.#book.hear(this.#facts(address, identity !== undefined), seen);
		return misfits.length > 0 ? { ...meaning, misfits: [...(meaning.misfits ?? []), ...misfits] } : meaning;
	}

	#facts(address: string, isNamed: boolean): Facts {
		if (isNamed) this.#first ??= address;
		return { address, type: "sensor", ...(isNamed && address === this.#first && { aliases: [this.address] }), ...(this.#every !== undefined && { every: this.#every }) };
	}

	/** Nobody is heard before there is a device. */
	#known(): readonly string[] {
		return this.#book.find(this.address) ? [this.address] : [];
	}

	/** Nothing for a line in which nothing is a number or a truth: that is prose. */
	#words(text: string): ReadonlyMap<string, Word> | undefined {
		const keyed = namedWords(text) ?? pairWords(text);
		if (keyed) return keyed;
		const fields = fieldsOf(text);
		const numbers = fields.map((field) => (saysNothing(field) ? null : numericFromField(field)));
		if (fields.length > MAX_POINTS || numbers.includes(undefined) || numbers.every((number) => number === null)) {
			if (isHeader(fields)) this.#header = fields;
			return undefined;
		}
		const names = this.#header?.length === numbers.length ? this.#header : numbers.map((_, index) => `value[${index}]`);
		return new Map(numbers.flatMap((value, index): [string, Word][] => (value ? [[names[index]!, wordOf(names[index]!, value)]] : [])));
	}
}

/** `OK 5 1 2 3 (-43)`: what an RFM12 receiver prints of a node. What its bytes mean, only the node's own program tells. */
function nodeOf(text: string): { readonly node: string; readonly rssi: Value | undefined } | undefined {
	const match = /^OK (\d{1,3})(?: \d{1,3}){1,66} \((-?\d{1,3})\)$/.exec(text.trim());
	return match ? { node: match[1]!, rssi: numericFromText(match[2]!.replace(/^-0$/, "0")) } : undefined;
}

/** Names of columns: words, more than one, none a number, each once. */
function isHeader(fields: readonly string[]): boolean {
	return fields.length > 1 && fields.length <= MAX_POINTS && new Set(fields).size === fields.length && fields.every((field) => /^[A-Za-z_][\w .%/()°-]{0,40}$/.test(field) && !saysNothing(field)) && fields.some((field) => field.length < 20);
}

function identityOf(found: Map<string, Word> | ReadonlyMap<string, Word>): string | undefined {
	for (const key of IDENTITY) {
		for (const [name, { value }] of found) {
			if (name.toLowerCase() !== key || typeof value === "boolean") continue;
			const identity = textOf(value).trim();
			if (identity !== "" && identity.length <= MAX_IDENTITY && !/[\u0000-\u001f\u007f]/.test(identity)) return identity;
		}
	}
	return undefined;
}

function kindOf(value: Value): "numeric" | "boolean" | "text" {
	return isNumeric(value) ? "numeric" : typeof value === "boolean" ? "boolean" : "text";
}

function pointOf(name: string, { value, unit }: Word): Point {
	const category = categoryByName(name);
	const base = { access: "r" as const, ...(category !== undefined && { category }) };
	const kind = kindOf(value);
	return kind === "numeric" ? { kind, ...base, ...(unit !== undefined && { unit }) } : { kind, ...base };
}

/** A number has the unit behind it, else the one in its name. */
function wordOf(name: string, value: Value, behind?: Unit): Word {
	const unit = isNumeric(value) && categoryByName(name) !== "identity" ? (behind ?? compoundUnit(name) ?? unitByName(name)) : undefined;
	return { value, ...(unit !== undefined && { unit }) };
}

/** `wind_m_s` is m/s: units of several words at the end of a name. */
function compoundUnit(name: string): Unit | undefined {
	const words = wordsOf(name).split(" ");
	for (const count of [3, 2]) {
		const unit = words.length > count ? unitFrom(words.slice(-count).join("/")) : undefined;
		if (unit !== undefined) return unit;
	}
	return undefined;
}

function jsonWords(text: string): ReadonlyMap<string, Word> | undefined {
	const json = parseJson(text);
	if (!isObject(json)) return undefined;
	const found = new Map<string, Word>();
	for (const [path, value] of scalars(json)) {
		if (typeof value === "string" && saysNothing(value)) continue;
		// "19.2" is a number that was printed with quotes; "007" and a version are not.
		const number = typeof value === "string" && categoryByName(path) !== "identity" && /^-?(0|[1-9]\d{0,14})(\.\d{1,15})?$/.test(value) ? numericFromText(value) : undefined;
		found.set(path, wordOf(path, number ?? value));
	}
	return found;
}

/** `Soil moisture: 45 %, Air temp: 21.5 C`: names may have blanks where commas or bars part the values. */
function namedWords(text: string): ReadonlyMap<string, Word> | undefined {
	const parts = text.split(/[;|\t]|,(?!\d)| {2,}/).map((part) => part.trim()).filter((part) => part !== "");
	if (parts.length === 0 || parts.length > MAX_POINTS) return undefined;
	const found = new Map<string, Word>();
	for (const part of parts) {
		const match = /^([A-Za-z][^:=]{0,40})[:=]\s*([-+]?[\d.,]{1,24})\s*([^\d\s:=][^\s:=]{0,7})?$/.exec(part);
		const value = match && numericFromField(match[2]!);
		const unit = match?.[3] === undefined ? undefined : unitFrom(match[3]);
		if (!match || !value || (match[3] !== undefined && unit === undefined)) return undefined;
		const name = match[1]!.trim();
		if (!found.has(name)) found.set(name, wordOf(name, value, unit));
	}
	return withMonitorUnits(found);
}

function pairWords(text: string): ReadonlyMap<string, Word> | undefined {
	const keyed = keyValues(text);
	if (!keyed) return undefined;
	const found = new Map<string, Word>();
	for (const [key, word] of keyed.pairs) {
		if (word === "" || saysNothing(word)) continue;
		const joined = unitFrom(word.replace(/^[-+.,\d ]+/, ""));
		const behind = keyed.behind.get(key);
		const number = categoryByName(key) === "identity" && /^0\d/.test(word) ? undefined : numericFromField(word, joined);
		found.set(key, wordOf(key, number ?? truthFromField(word) ?? word, joined ?? (behind === undefined ? undefined : unitFrom(behind))));
	}
	return [...found.values()].some(({ value }) => typeof value !== "string") ? withMonitorUnits(found) : undefined;
}

/** Lines of an energy monitor of OpenEnergyMonitor have Vrms or several channels: P1, ct1 are W, E1 Wh, and Vrms V. */
function withMonitorUnits(found: Map<string, Word>): ReadonlyMap<string, Word> {
	const names = [...found.keys()];
	if (!names.some((name) => /^vrms$/i.test(name)) || !names.some((name) => /^(?:ct|p)1$/i.test(name))) return found;
	for (const [name, { value }] of found) {
		const unit = /^vrms$/i.test(name) ? "V" : /^(?:ct|p)\d$/i.test(name) ? "W" : /^e\d$/i.test(name) ? "Wh" : undefined;
		if (unit !== undefined && isNumeric(value)) found.set(name, { value, unit });
	}
	return found;
}
