// Home Assistant MQTT discovery: what one config says, and the pieces that its points are made of.
// Source: https://www.home-assistant.io/integrations/mqtt/

import { GatewayError } from "../../core/errors.js";
import type { Access, Category, Point } from "../../core/point.js";
import { type Unit, unitFrom } from "../../core/unit.js";
import { numericFromText, textOf, type Value } from "../../core/value.js";
import { isArray, isNumber, isObject, type Json } from "../json.js";
import type { OutMessage } from "../link.js";
import { type Codec, type Heard, Misread } from "./ha-codec.js";
import { jsonText, type Payload } from "./payload.js";
import { compileTemplate, type Template } from "./template.js";

/** How a point is heard on one topic. */
export interface Read {
	readonly topic: string;
	read(payload: Payload): Heard;
	/** A retained message is not one of these: events are not states. */
	readonly liveOnly?: true;
}

/** One thing that an entity lets be read or set: it becomes one point. */
export interface Aspect {
	/** Empty for the main one, which has the entity's own name. */
	readonly name: string;
	readonly point: Point;
	readonly reads: readonly Read[];
	/** @throws {GatewayError} `bad-value`. */
	readonly encode?: (value: Value) => readonly OutMessage[];
}

/** One config with its keys written out. It collects what of it cannot be used. */
export class Options {
	readonly problems: string[] = [];
	readonly #config: Readonly<Record<string, Json>>;

	constructor(config: Readonly<Record<string, Json>>) {
		this.#config = config;
	}

	has(key: string): boolean {
		return this.#config[key] !== undefined && this.#config[key] !== null;
	}

	/** Is the key there, and null? By that a sender says "not this one". */
	isNull(key: string): boolean {
		return this.#config[key] === null;
	}

	raw(key: string): Json | undefined {
		return this.#config[key];
	}

	/** A word; numbers and truths as Python writes them, since that is what templates give. */
	text(key: string): string | undefined {
		return wordOf(this.#config[key]);
	}

	number(key: string): number | undefined {
		const value = this.#config[key];
		if (isNumber(value)) return value.number;
		return typeof value === "string" ? numericFromText(value)?.number : undefined;
	}

	flag(key: string): boolean {
		const value = this.#config[key];
		return value === true || (typeof value === "string" && ["true", "on", "yes", "1"].includes(value.toLowerCase())) || (isNumber(value) && value.number !== 0);
	}

	/** A list of words; a single word is a list of one. */
	list(key: string): string[] {
		const value = this.#config[key];
		const all = isArray(value) ? value : value === undefined || value === null ? [] : [value];
		return all.slice(0, MAX_LIST).map(wordOf).filter((word) => word !== undefined);
	}

	topic(key: string): string | undefined {
		const topic = this.#config[key];
		if (typeof topic !== "string" || topic === "") return undefined;
		if (topic.length <= MAX_TOPIC && !/[\0#+]/.test(topic)) return topic;
		this.problem(`Cannot use ${key}: "${topic.slice(0, 60)}" is no topic`);
		return undefined;
	}

	/** The template of this key; nothing when there is none, `broken` (and a problem) when it cannot be used. */
	template(key: string, names: readonly string[] = []): Template | "broken" | undefined {
		const source = this.#config[key];
		if (typeof source !== "string" || source.trim() === "") return undefined;
		const template = compileTemplate(source, names);
		if (typeof template !== "string") return template;
		this.problem(`Cannot use ${key}: ${template}`);
		return "broken";
	}

	unit(key: string): Unit | undefined {
		const text = this.text(key);
		if (text === undefined || text.trim() === "") return undefined;
		const unit = unitFrom(text);
		if (unit === undefined) this.problem(`Cannot use ${key}: the unit "${text.slice(0, 30)}" is not known`);
		return unit;
	}

	problem(reason: string): void {
		if (!this.problems.includes(reason) && this.problems.length < MAX_PROBLEMS) this.problems.push(reason);
	}
}

/** More labels than that are offered to nobody. */
const MAX_LIST = 300;
/** MQTT 3.1.1 allows 65 535 bytes; nobody uses a tenth of that, and each is kept. */
const MAX_TOPIC = 1_024;
/** One config tells so many of its faults. */
const MAX_PROBLEMS = 8;

function wordOf(value: Json | undefined): string | undefined {
	if (typeof value === "string") return value;
	if (typeof value === "boolean") return value ? "True" : "False";
	return isNumber(value) ? value.text : undefined;
}

/** Where and how an aspect is heard and told: names of keys. */
export interface Wiring {
	readonly read?: readonly [topic: string, template?: string];
	readonly write?: readonly [topic: string, template?: string];
	/** Variables of its command template beside `value`. */
	readonly names?: readonly string[];
	/** What they are for a value. Default: each is the value. */
	readonly variables?: (value: Json) => Readonly<Record<string, Json>>;
	readonly category?: Category;
	readonly label?: string;
	/** Moving things take longer than 10 s. */
	readonly timeout?: number;
	/** What is sent where there is no template. Default: the value as text. */
	readonly bare?: (value: Json) => string;
	/** The device says that this one is not reported. */
	readonly optimistic?: boolean;
	readonly liveOnly?: true;
}

/** An aspect as its keys say; none when neither of its topics is there. */
export function aspect(options: Options, name: string, codec: Codec, wiring: Wiring): Aspect[] {
	const read = wiring.read && reader(options, wiring.read[0], wiring.read[1], (text) => codec.decode(text));
	const encode = wiring.write && writer(options, codec, wiring.write[0], wiring.write[1], wiring);
	// One topic for both: only the command itself would be heard there, and confirm itself.
	const isShared = read !== undefined && wiring.write !== undefined && options.topic(wiring.write[0]) === read.topic;
	return bound(options, name, codec, read ? [wiring.liveOnly ? { ...read, liveOnly: true } : read] : [], encode, isShared ? { ...wiring, optimistic: true } : wiring);
}

/** Put an aspect together from its halves; none when it has neither. */
export function bound(options: Options, name: string, codec: Codec, reads: readonly Read[], encode: Aspect["encode"] | undefined, wiring: Wiring = {}): Aspect[] {
	if (reads.length === 0 && !encode) return [];
	const access: Access = reads.length === 0 ? "w" : encode ? "rw" : "r";
	const category = wiring.category ?? categoryOf(options);
	const optimistic = wiring.optimistic ?? options.flag("optimistic");
	const point: Point = {
		...codec.point,
		access,
		...(category !== undefined && { category }),
		...(wiring.label !== undefined && { label: wiring.label }),
		...(wiring.timeout !== undefined && access === "rw" && { timeout: wiring.timeout }),
		...(optimistic && access === "rw" && { confirm: "none" as const }),
	};
	return [{ name, point, reads, ...(encode && { encode }) }];
}

function categoryOf(options: Options): Category | undefined {
	return options.has("entity_category") ? "status" : undefined;
}

/** How a topic is read: its template, then the codec. */
export function reader(options: Options, topicKey: string, templateKey: string | undefined, decode: (text: string) => Heard): Read | undefined {
	const topic = options.topic(topicKey);
	const template = templateKey === undefined ? undefined : options.template(templateKey);
	if (topic === undefined || template === "broken") return undefined;
	if (template === undefined) return { topic, read: (payload) => decode(payload.text) };
	return {
		topic,
		read(payload) {
			const json = template.wantsJson ? payload.json : undefined;
			if (template.wantsJson && json === undefined) return payload.empty ? undefined : new Misread(payload.fault ?? "Cannot read JSON");
			const text = template.render({ value: payload.text, value_json: json });
			return text === undefined ? undefined : decode(text);
		},
	};
}

/** How a value is told on a topic. */
export function writer(options: Options, codec: Codec, topicKey: string, templateKey: string | undefined, wiring: Wiring = {}): Aspect["encode"] | undefined {
	const topic = options.topic(topicKey);
	const names = wiring.names ?? [];
	const template = templateKey === undefined ? undefined : options.template(templateKey, names);
	if (topic === undefined || template === "broken") return undefined;
	return (value) => {
		const word = codec.encode(value) ?? refuse(value);
		if (template === undefined) return [out(options, topic, wiring.bare ? wiring.bare(word) : plainText(word))];
		const more = wiring.variables ? wiring.variables(word) : Object.fromEntries(names.map((name) => [name, word]));
		const payload = template.render({ value: word, ...more });
		if (payload === undefined) throw new GatewayError("bad-value", `Cannot send "${textOf(value)}": ${templateKey} makes nothing of it`);
		return [out(options, topic, payload)];
	};
}

export function refuse(value: Value): never {
	throw new GatewayError("bad-value", `Cannot send "${textOf(value)}": the device has no command for it`);
}

export function plainText(json: Json): string {
	return typeof json === "string" ? json : jsonText(json);
}

/** A message to the device, with the retain flag and the QoS that its config asks for. */
export function out(options: Options, topic: string, payload: string): OutMessage {
	const qos = options.number("qos");
	return { kind: "message", topic, payload, ...(options.flag("retain") && { retain: true }), ...(qos !== undefined && { qos: qos === 0 ? 0 as const : 1 as const }) };
}

/** Read one member of a JSON payload: what `pick` finds in it, as text for the codec. */
export function memberReader(options: Options, topicKey: string, pick: (json: Json) => Json | undefined, codec: Codec): Read[] {
	const topic = options.topic(topicKey);
	if (topic === undefined) return [];
	return [{
		topic,
		read(payload) {
			if (payload.empty) return undefined;
			if (payload.json === undefined) return new Misread(payload.fault ?? "Cannot read JSON");
			const found = pick(payload.json);
			const text = wordOf(found);
			return text === undefined ? undefined : codec.decode(text);
		},
	}];
}

/** A member of an object, by name. */
export function key(name: string): (json: Json) => Json | undefined {
	return (json) => (isObject(json) ? json[name] : undefined);
}

