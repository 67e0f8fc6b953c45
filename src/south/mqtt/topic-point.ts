// One point of a `topics:` rule: what a payload says of it, and the payload that sets it.

import type { Millis } from "../../core/clock.js";
import { GatewayError } from "../../core/errors.js";
import { type Category, type Confirm, type Point, takes } from "../../core/point.js";
import type { Unit } from "../../core/unit.js";
import { isNumeric, numericFromText, textOf, type Value } from "../../core/value.js";
import { isArray, isObject, type Json, parseJson } from "../json.js";
import type { OutMessage } from "../link.js";
import { type Captures, isTopic, Template } from "./pattern.js";

/** How a point is set. */
export interface TopicSet {
	/** A template of the captures: `sensors/{room}/{id}/set`. */
	readonly topic: string;
	/** A template of `{value}` and the captures: `{value}`, `{"relay":{value}}`. In JSON, texts are quoted and escaped; elsewhere the value is plain text. */
	readonly payload: string;
	readonly retain?: boolean;
	readonly qos?: 0 | 1;
}

/** One point as the config file declares it. All keys are optional: a kind is guessed from the other keys, else from the first value. */
export interface TopicPoint {
	/** Where in a JSON payload: `temp`, `AM2301.Temperature`, `list[0].power`; `""` is the whole payload. Left out: the member of the point's own name, or the whole of a payload that is one bare value. With `set` and no path the point can only be set. */
	readonly path?: string;
	readonly kind?: "numeric" | "boolean" | "enum" | "text";
	readonly unit?: Unit;
	readonly labels?: readonly string[];
	readonly min?: number;
	readonly max?: number;
	readonly step?: number;
	readonly integer?: boolean;
	readonly label?: string;
	readonly confirm?: Confirm;
	readonly timeout?: Millis;
	readonly category?: Category;
	/** What the device says and takes for on and off, beside true, 1 and on. */
	readonly on?: string | number | boolean;
	readonly off?: string | number | boolean;
	readonly set?: TopicSet;
}

/** Longest text that is a reading: what is longer is a picture or a mistake. */
const MAX_TEXT = 4_096;

const TRUE = new Set(["true", "1", "on"]);
const FALSE = new Set(["false", "0", "off"]);

/** The kind that a declaration means; nothing when only a value can tell. */
export function kindOf(declared: TopicPoint): Point["kind"] | undefined {
	if (declared.kind !== undefined) return declared.kind;
	if (declared.labels !== undefined) return "enum";
	if (declared.on !== undefined || declared.off !== undefined) return "boolean";
	if (declared.unit !== undefined || declared.min !== undefined || declared.max !== undefined || declared.step !== undefined || declared.integer !== undefined) return "numeric";
	// A button has no value that could tell.
	return isReadable(declared) ? undefined : "text";
}

export function isReadable(declared: TopicPoint): boolean {
	return declared.set === undefined || declared.path !== undefined;
}

/** The kind of a point that nobody declared. */
export function kindOfValue(value: Value): Point["kind"] {
	return isNumeric(value) ? "numeric" : typeof value === "boolean" ? "boolean" : "text";
}

export function pointFrom(declared: TopicPoint, kind: Point["kind"]): Point {
	const { unit, labels, min, max, step, integer, label, confirm, timeout, category } = declared;
	const base = {
		access: declared.set === undefined ? "r" as const : isReadable(declared) ? "rw" as const : "w" as const,
		...(label !== undefined && { label }),
		...(confirm !== undefined && { confirm }),
		...(timeout !== undefined && { timeout }),
		...(category !== undefined && { category }),
	};
	switch (kind) {
		case "numeric":
			return { ...base, kind, ...(unit !== undefined && { unit }), ...(min !== undefined && { min }), ...(max !== undefined && { max }), ...(step !== undefined && { step }), ...(integer !== undefined && { integer }) };
		case "enum": return { ...base, kind, labels: labels ?? [] };
		case "boolean": return { ...base, kind };
		case "text": return { ...base, kind };
	}
}

/** What a payload's scalar says of a point, or why it says nothing. */
export function valueFor(point: Point, declared: TopicPoint, said: Value): { readonly value: Value } | { readonly reason: string } {
	const text = textOf(said).trim();
	switch (point.kind) {
		case "numeric": {
			const value = isNumeric(said) ? said : typeof said === "string" ? numericFromText(said) : undefined;
			return value === undefined ? { reason: "is not a number" } : { value };
		}
		case "boolean": {
			if (declared.on !== undefined && text === String(declared.on)) return { value: true };
			if (declared.off !== undefined && text === String(declared.off)) return { value: false };
			const folded = text.toLowerCase();
			if (TRUE.has(folded)) return { value: true };
			if (FALSE.has(folded)) return { value: false };
			return { reason: "is neither on nor off" };
		}
		case "enum": {
			const label = point.labels.find((one) => one === text) ?? point.labels.find((one) => one.toLowerCase() === text.toLowerCase());
			return label === undefined ? { reason: `is not ${takes(point)}` } : { value: label };
		}
		case "text": {
			const value = textOf(said);
			return value.length > MAX_TEXT ? { reason: `is a text of more than ${MAX_TEXT} characters` } : { value };
		}
	}
}

/** Makes the message that sets a point. Compiled once, so that a wrong template is an error of the config file. */
export class Setter {
	readonly #topic: Template;
	readonly #payload: Template;
	readonly #isJson: boolean;
	readonly #set: TopicSet;
	readonly #declared: TopicPoint;

	/** @throws {GatewayError} `bad-config`. */
	constructor(declared: TopicPoint, set: TopicSet, known: readonly string[]) {
		this.#declared = declared;
		this.#set = set;
		this.#topic = new Template(set.topic, known);
		// A wrong topic shall not wait for the first command.
		if (!isTopic(this.#topic.fill(() => "x"))) throw new GatewayError("bad-config", `Cannot publish to "${set.topic}": it is no MQTT topic; it must be whole, without + and #`);
		this.#payload = new Template(set.payload, ["value", ...known]);
		this.#isJson = isJsonTemplate(this.#payload);
	}

	/** The captures that the topic or the payload needs. */
	get names(): readonly string[] {
		return [...this.#topic.names, ...this.#payload.names.filter((name) => name !== "value")];
	}

	/** @throws {GatewayError} `bad-value`. */
	message(captures: Captures, value: Value): OutMessage {
		const { retain, qos } = this.#set;
		const said = typeof value === "boolean" ? (value ? this.#declared.on : this.#declared.off) ?? value : value;
		const payload = this.#payload.fill((name, at) => {
			const filling = name === "value" ? said : captures[name];
			if (filling === undefined) throw new GatewayError("bad-value", `Cannot make a payload of "${this.#payload.text}": {${name}} is not known yet`);
			return this.#isJson ? inJson(filling, isQuoted(this.#payload.text, at)) : plain(filling);
		});
		return { kind: "message", topic: this.#topic.topic(captures), payload, ...(retain !== undefined && { retain }), ...(qos !== undefined && { qos }) };
	}
}

type Filling = Value | number;

function plain(filling: Filling): string {
	return typeof filling === "number" ? String(filling) : textOf(filling);
}

function inJson(filling: Filling, quoted: boolean): string {
	const text = plain(filling);
	if (quoted) return JSON.stringify(text).slice(1, -1);
	return typeof filling === "string" ? JSON.stringify(text) : text;
}

/** Is the template a JSON object or list, once its placeholders are filled? A bare `{value}` is not. */
function isJsonTemplate(template: Template): boolean {
	let filled: Json;
	try {
		filled = parseJson(template.fill(() => "0"));
	} catch {
		return false;
	}
	return isObject(filled) || isArray(filled);
}

/** Does the place stand inside a JSON string? */
function isQuoted(json: string, at: number): boolean {
	let quoted = false;
	for (let i = 0; i < at; i++) {
		if (json[i] === "\\") i++;
		else if (json[i] === '"') quoted = !quoted;
	}
	return quoted;
}
