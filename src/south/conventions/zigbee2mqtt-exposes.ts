// Zigbee2MQTT: the `exposes` of a device as points.
// Source: https://www.zigbee2mqtt.io/guide/usage/exposes.html

import { GatewayError } from "../../core/errors.js";
import type { Access, Category, Point } from "../../core/point.js";
import { unitFrom } from "../../core/unit.js";
import { numericFromText, textOf, type Value } from "../../core/value.js";
import { isArray, isNumber, isObject, type Json, type JsonObject, parseJson } from "../json.js";
import { jsonText } from "./payload.js";

/** One property of a device: where it stands in the state, and what it takes. */
export interface Property {
	/** Keys from the top of the state: `["color", "x"]`. Joined with dots it is the point's name. */
	readonly path: readonly string[];
	readonly point: Point;
	/** Told on request only: a `/get` must follow a `/set`. */
	readonly onRequest: boolean;
	/** A one-off, such as a button press. */
	readonly event: boolean;
	/** It belongs to what the device is (light, cover …): a group of such devices has it too. */
	readonly shared: boolean;
	/** What the state says: a value, nothing, or why it fits nothing. */
	read(json: Json): Value | undefined | { readonly misfit: string };
	/** What is sent. @throws {GatewayError} `bad-value`. */
	write(value: Value): Json;
}

/** More properties than the largest devices have, some of which have a hundred. */
const MAX_PROPERTIES = 256;
/** Nesting: a specific type, its composite, and room. */
const MAX_DEPTH = 6;

// Access bits: https://www.zigbee2mqtt.io/guide/usage/exposes.html#access
const STATE = 1;
const SET = 2;
const GET = 4;

/** The specific types, which only hold generic ones. */
const SPECIFIC: ReadonlySet<string> = new Set(["switch", "light", "cover", "lock", "climate", "fan"]);
const DIAGNOSTIC: ReadonlySet<string> = new Set(["linkquality", "battery", "battery_low", "voltage_low", "last_seen"]);

export interface Exposed {
	/** By the point's name. */
	readonly properties: ReadonlyMap<string, Property>;
	/** `light`, `switch` …; `sensor` for what has none of them. */
	readonly type: string;
	/** Units that are not known, to be told once. */
	readonly problems: readonly string[];
}

/** All properties of a device. What cannot be one is left out. */
export function exposed(exposes: Json | undefined): Exposed {
	const properties = new Map<string, Property>();
	const problems: string[] = [];
	let type = "sensor";
	const walk = (entry: Json, prefix: readonly string[], inherited: number | undefined, shared: boolean, depth: number): void => {
		if (!isObject(entry) || depth > MAX_DEPTH || properties.size >= MAX_PROPERTIES) return;
		const kind = entry["type"];
		const bits = isNumber(entry["access"]) ? entry["access"].number : inherited;
		const features = isArray(entry["features"]) ? entry["features"] : [];
		if (typeof kind === "string" && SPECIFIC.has(kind)) {
			if (type === "sensor") type = kind;
			for (const feature of features) walk(feature, prefix, bits, true, depth + 1);
			return;
		}
		const own = entry["property"] ?? entry["name"];
		if (typeof own !== "string" || own === "" || own.length > 100) return;
		const path = [...prefix, own];
		if (kind === "composite" && features.length > 0) {
			for (const feature of features) walk(feature, path, bits, shared, depth + 1);
			return;
		}
		const name = path.join(".");
		if (properties.has(name)) return;
		const property = propertyOf(entry, kind, path, bits ?? STATE, shared, problems);
		if (property) properties.set(name, property);
	};
	for (const entry of isArray(exposes) ? exposes : []) walk(entry, [], undefined, false, 0);
	return { properties, type, problems };
}

function propertyOf(entry: JsonObject, kind: Json | undefined, path: readonly string[], bits: number, shared: boolean, problems: string[]): Property | undefined {
	const readable = (bits & (STATE | GET)) !== 0;
	const access: Access | undefined = (bits & SET) === 0 ? (readable ? "r" : undefined) : readable ? "rw" : "w";
	if (access === undefined) return undefined;
	const name = path.join(".");
	const label = entry["label"];
	const category: Category | undefined = entry["category"] === "diagnostic" || entry["category"] === "config" || DIAGNOSTIC.has(name) ? "status" : undefined;
	const base = { access, ...(typeof label === "string" && label.toLowerCase().replace(/\W+/g, "_") !== name && { label: label.slice(0, 100) }), ...(category !== undefined && { category }) };
	const facts = { path, onRequest: (bits & STATE) === 0 && (bits & GET) !== 0, event: name === "action", shared };
	switch (kind) {
		case "numeric": {
			const text = entry["unit"];
			const unit = typeof text === "string" && text !== "" ? unitFrom(text) : undefined;
			if (unit === undefined && typeof text === "string" && text.trim() !== "") problems.push(`Cannot use the unit "${text.slice(0, 30)}" of "${name}": it is not known`);
			const bound = (key: string): number | undefined => (isNumber(entry[key]) ? entry[key].number : undefined);
			const [min, max, step] = [bound("value_min"), bound("value_max"), bound("value_step")];
			return {
				...facts,
				point: { kind: "numeric", ...base, ...(unit !== undefined && { unit }), ...(min !== undefined && { min }), ...(max !== undefined && { max }), ...(step !== undefined && step > 0 && { step }) },
				read: (json) => (isNumber(json) ? json : typeof json === "string" ? (json.trim() === "" ? undefined : (numericFromText(json) ?? { misfit: "not a number" })) : json === null ? undefined : { misfit: "not a number" }),
				write: (value) => (typeof value === "object" ? value : unfit(name, value)),
			};
		}
		case "binary": {
			const [on, off] = [entry["value_on"] ?? true, entry["value_off"] ?? false];
			// `contact` has value_on false: "open" is its alarm. Where the device itself writes truths, they stay what it wrote.
			return { ...facts, point: { kind: "boolean", ...base }, ...(typeof on === "boolean" && typeof off === "boolean" ? binary(name, true, false) : binary(name, on, off)) };
		}
		case "enum": {
			const values = new Map((isArray(entry["values"]) ? entry["values"] : []).map((value) => [wordOf(value), value] as const));
			return {
				...facts,
				point: { kind: "enum", ...base, labels: [...values.keys()] },
				read: (json) => (json === null || json === "" ? undefined : isArray(json) || isObject(json) ? { misfit: "not a word" } : wordOf(json)),
				write: (value) => values.get(textOf(value)) ?? unfit(name, value),
			};
		}
		case "text": return {
			...facts,
			point: { kind: "text", ...base },
			read: (json) => (json === null ? undefined : isArray(json) || isObject(json) ? jsonText(json) : wordOf(json)),
			write: (value) => textOf(value),
		};
		case "list": case "composite": return {
			...facts,
			point: { kind: "text", ...base, maxLength: 4_096 },
			read: (json) => (json === null ? undefined : jsonText(json)),
			write: (value) => {
				try {
					return parseJson(textOf(value));
				} catch (error) {
					throw new GatewayError("bad-value", `Cannot use "${textOf(value).slice(0, 60)}" for "${name}": it takes JSON`, { cause: error });
				}
			},
		};
		default: return undefined;
	}
}

function binary(name: string, on: Json, off: Json): Pick<Property, "read" | "write"> {
	const [onWord, offWord] = [wordOf(on), wordOf(off)];
	return {
		read(json) {
			if (json === null || json === "") return undefined;
			const word = wordOf(json);
			if (word === onWord) return true;
			if (word === offWord) return false;
			const folded = word.toLowerCase();
			if (folded === onWord.toLowerCase()) return true;
			return folded === offWord.toLowerCase() ? false : { misfit: `neither ${onWord} nor ${offWord}` };
		},
		write: (value) => (typeof value === "boolean" ? (value ? on : off) : unfit(name, value)),
	};
}

function wordOf(json: Json): string {
	return typeof json === "string" ? json : jsonText(json);
}

function unfit(name: string, value: Value): never {
	throw new GatewayError("bad-value", `Cannot use "${textOf(value)}" for "${name}": the device has no such value`);
}
