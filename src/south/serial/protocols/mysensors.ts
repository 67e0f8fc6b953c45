// MySensors serial gateway
// Source: MySensors "Serial Protocol 2.x", https://www.mysensors.org/download/serial_api_20; type numbers after MyMessage.h
// Version: 2.3

import { GatewayError } from "../../../core/errors.js";
import type { Point } from "../../../core/point.js";
import type { Unit } from "../../../core/unit.js";
import { numericFromText, textOf, type Value } from "../../../core/value.js";
import type { Outgoing } from "../../link.js";
import { type Meaning, NOTHING } from "../../meaning.js";
import { DeviceBook, type Facts, numeric, type Seen, text } from "../device-book.js";
import { LineFramer } from "../lines.js";
import type { Cut, Question, SerialProtocol, Talk, TalkOptions } from "../protocol.js";

/** What a value of a type is. `set`: the controller sets it; only what a presented actuator has, or reports itself. */
interface Type {
	readonly name: string;
	readonly unit?: Unit;
	readonly as?: "truth" | "text" | "position";
	readonly min?: number;
	readonly max?: number;
	readonly labels?: readonly string[];
	readonly status?: true;
}

const t = (name: string, unit?: Unit, more: Omit<Type, "name" | "unit"> = {}): Type => ({ name, ...(unit !== undefined && { unit }), ...more });

/** By number: mysensors_data_t. */
const TYPES: readonly Type[] = [
	t("V_TEMP", "°C"), t("V_HUM", "%"), t("V_STATUS", undefined, { as: "truth", status: true }), t("V_PERCENTAGE", "%", { min: 0, max: 100, status: true }), t("V_PRESSURE", "hPa"),
	t("V_FORECAST", undefined, { as: "text" }), t("V_RAIN", "mm"), t("V_RAINRATE", "mm/h"), t("V_WIND", "m/s"), t("V_GUST", "m/s"), t("V_DIRECTION", "°"), t("V_UV"), t("V_WEIGHT", "kg"), t("V_DISTANCE", "m"),
	t("V_IMPEDANCE", "Ω"), t("V_ARMED", undefined, { as: "truth", status: true }), t("V_TRIPPED", undefined, { as: "truth" }), t("V_WATT", "W"), t("V_KWH", "kWh"), t("V_SCENE_ON", undefined, { as: "text" }), t("V_SCENE_OFF", undefined, { as: "text" }),
	t("V_HVAC_FLOW_STATE", undefined, { labels: ["Off", "HeatOn", "CoolOn", "AutoChangeOver"] }), t("V_HVAC_SPEED", undefined, { labels: ["Min", "Normal", "Max", "Auto"] }), t("V_LIGHT_LEVEL", "%"),
	t("V_VAR1", undefined, { as: "text" }), t("V_VAR2", undefined, { as: "text" }), t("V_VAR3", undefined, { as: "text" }), t("V_VAR4", undefined, { as: "text" }), t("V_VAR5", undefined, { as: "text" }),
	t("V_UP", undefined, { as: "text" }), t("V_DOWN", undefined, { as: "text" }), t("V_STOP", undefined, { as: "text" }), t("V_IR_SEND", undefined, { as: "text" }), t("V_IR_RECEIVE", undefined, { as: "text" }),
	t("V_FLOW", "L/min"), t("V_VOLUME", "m³"), t("V_LOCK_STATUS", undefined, { as: "truth", status: true }), t("V_LEVEL"), t("V_VOLTAGE", "V"), t("V_CURRENT", "A"),
	t("V_RGB", undefined, { as: "text", status: true }), t("V_RGBW", undefined, { as: "text", status: true }), t("V_ID", undefined, { as: "text" }), t("V_UNIT_PREFIX", undefined, { as: "text" }),
	t("V_HVAC_SETPOINT_COOL", "°C", { status: true }), t("V_HVAC_SETPOINT_HEAT", "°C", { status: true }), t("V_HVAC_FLOW_MODE", undefined, { labels: ["Auto", "ContinuousOn", "PeriodicOn"] }),
	t("V_TEXT", undefined, { as: "text" }), t("V_CUSTOM", undefined, { as: "text" }), t("V_POSITION", undefined, { as: "position" }), t("V_IR_RECORD", undefined, { as: "text" }),
	t("V_PH", "pH"), t("V_ORP", "mV"), t("V_EC", "µS/cm"), t("V_VAR", "VAr"), t("V_VA", "VA"), t("V_POWER_FACTOR"), t("V_MULTI_MESSAGE", undefined, { as: "text" }),
];

/** What each kind of child can be told: mysensors_sensor_t, by number, as places in TYPES. */
const SETTABLE: Readonly<Record<number, readonly number[]>> = {
	0: [15], 1: [15], 2: [15], 3: [2], 4: [2, 3], 5: [29, 30, 31, 3], 14: [2, 21, 45], 19: [36], 20: [32], 21: [3, 2], 24: [24, 25, 26, 27, 28], 25: [19, 20], 26: [2, 40], 27: [2, 41], 28: [40], 29: [2, 21, 22, 44, 45, 46], 32: [15], 33: [15], 34: [15], 36: [47], 42: [2],
};
/** Names of what presents itself; the ones that are nodes themselves. */
const NODES: Readonly<Record<number, string>> = { 17: "ARDUINO_NODE", 18: "ARDUINO_REPEATER_NODE" };
const [PRESENTATION, SET, INTERNAL] = [0, 1, 3];
/** Child that stands for the node itself; node that stands for all, and for those without an id. */
const ALL = 255;
const GATEWAY = 0;
/** Longest payload: MAX_PAYLOAD of the 2.x protocol is 25 bytes, a version to come may have more. */
const MAX_PAYLOAD = 200;

function pointOf({ unit, as, min, max, labels, status }: Type, writable: boolean): Point {
	const base = { access: writable ? "rw" as const : "r" as const, ...((status || writable) && { category: "status" as const }) };
	if (labels) return { kind: "enum", ...base, labels };
	if (as === "truth") return { kind: "boolean", ...base };
	if (as === "text") return { kind: "text", ...base, ...(writable && { maxLength: 25 }) };
	return { kind: "numeric", ...base, ...(unit !== undefined && { unit }), ...(min !== undefined && { min }), ...(max !== undefined && { max }) };
}

class MySensorsTalk implements Talk {
	readonly #options: TalkOptions;
	readonly #book = new DeviceBook();
	/** Kinds of the children that presented themselves, by `node;child`. */
	readonly #kinds = new Map<string, number>();
	/** Asked for its version, a gateway shows that it is one; asked for presentation, all nodes that listen describe themselves. */
	readonly questions: readonly Question[] = [{ out: { kind: "line", text: "0;255;3;0;2;" } }, { out: { kind: "line", text: "255;255;3;0;19;" } }];

	constructor(options: TalkOptions) {
		this.#options = options;
	}

	framer(): LineFramer {
		return new LineFramer();
	}

	decode(cut: Cut): Meaning {
		if (cut.kind !== "line") return NOTHING;
		const match = /^(\d{1,3});(\d{1,3});([0-4]);([01]);(\d{1,3});(.*)$/s.exec(cut.text);
		const [node = 0, child = 0, command = 0, , type = 0] = match?.slice(1, 6).map(Number) ?? [];
		if (!match || node > ALL || child > ALL || type > ALL) return { misfits: [{ where: this.#options.address, reason: "a line that is no message", sample: cut.text.slice(0, 120) }] };
		const payload = match[6]!.slice(0, MAX_PAYLOAD);
		if (node === ALL) return NOTHING; // a node that has no id yet
		const facts = this.#facts(node);
		switch (command) {
			case PRESENTATION: return child === ALL ? this.#node(facts, type, payload) : this.#child(facts, node, child, type, payload);
			case SET: return this.#set(facts, node, child, type, payload);
			case INTERNAL: return this.#internal(facts, type, payload);
			default: return node === GATEWAY || !this.#book.find(facts.address) ? NOTHING : { heard: [facts.address] }; // a question to the controller, or a firmware
		}
	}

	encode(address: string, name: string, value: Value): readonly Outgoing[] {
		const match = /^child(\d{1,3})\.(V_[A-Z0-9_]+)$/i.exec(name);
		const type = TYPES.findIndex((each) => each.name === match?.[2]?.toUpperCase());
		const known = TYPES[type];
		if (!match || !known) throw new GatewayError("unknown-point", `Cannot set "${name}": points of a node are called child0.V_STATUS`);
		const own = `${this.#options.link}-`;
		const node = address.startsWith(own) ? address.slice(own.length) : address;
		if (!/^\d{1,3}$/.test(node)) throw new GatewayError("unknown-device", `Cannot set "${name}": "${address}" is no node of this gateway`);
		const word = typeof value === "boolean" ? (value ? "1" : "0") : textOf(value);
		if ((known.as === "truth") !== (typeof value === "boolean")) throw new GatewayError("bad-value", `Cannot use "${word}" for "${name}": it takes ${known.as === "truth" ? "on or off" : "a value"}`);
		if (/[\u0000-\u001f\u007f]/.test(word) || word.length > MAX_PAYLOAD) throw new GatewayError("bad-value", `Cannot use a text for "${name}": it takes no control characters, and at most ${MAX_PAYLOAD} others`);
		// With an acknowledgement the node sends the value back, and that confirms it.
		return [{ kind: "line", text: `${node};${match[1]!};1;1;${type};${word}` }];
	}

	/** Nodes have small numbers: with the link before it, an id is of this gateway alone. */
	#facts(node: number): Facts {
		const { link, address: port } = this.#options;
		if (node === GATEWAY) return { address: `${link}-gateway`, aliases: [String(node), port], name: "MySensors gateway", type: "gateway" };
		const address = `${link}-${node}`;
		return { address, aliases: [String(node)], name: this.#book.find(address)?.name ?? `Node ${node}`, type: "sensor" };
	}

	#node(facts: Facts, type: number, payload: string): Meaning {
		const kind = NODES[type];
		return this.#book.hear(facts, [
			...(kind === undefined ? [] : [{ point: "node_type", as: text("identity"), value: kind }]),
			...(payload === "" ? [] : [{ point: "protocol_version", as: text("identity"), value: payload }]),
		]);
	}

	#child(facts: Facts, node: number, child: number, kind: number, payload: string): Meaning {
		this.#kinds.set(`${node};${child}`, kind); // bounded: 255 × 255 at most, and as many come only from noise
		const points = (SETTABLE[kind] ?? []).map((type): Seen => this.#seen(child, TYPES[type]!, true, payload));
		return this.#book.hear(facts, points);
	}

	#seen(child: number, type: Type, writable: boolean, label = ""): Seen {
		const point = pointOf(type, writable);
		return { point: `child${child}.${type.name}`, as: { ...point, ...(label !== "" && { label: label.slice(0, 60) }) }, value: undefined };
	}

	#set(facts: Facts, node: number, child: number, number: number, payload: string): Meaning {
		const type = TYPES[number];
		const name = `child${child}.${type?.name ?? `V_${number}`}`;
		if (payload === "") return { heard: [facts.address] };
		if (!type) return this.#book.hear(facts, [{ point: name, as: text("momentary"), value: payload }]);
		if (type.as === "position") {
			const parts = payload.split(",").map((part) => numericFromText(part));
			if (parts.length < 2 || parts.some((part) => part === undefined)) return this.#misfit(facts, `${name} is no position`, payload);
			return this.#book.hear(facts, (["latitude", "longitude", "altitude"] as const).slice(0, parts.length).map((part, at) => ({ point: `${name}.${part}`, as: numeric(part === "altitude" ? "m" : "°"), value: parts[at] })));
		}
		const known = this.#book.find(facts.address)?.points[name];
		const kind = this.#kinds.get(`${node};${child}`);
		const point = known ?? pointOf(type, kind !== undefined && (SETTABLE[kind] ?? []).includes(number));
		const value = valueOf(point, payload);
		return value === undefined ? this.#misfit(facts, `${name} is no ${point.kind} value`, payload) : this.#book.hear(facts, [{ point: name, as: point, value }]);
	}

	#internal(facts: Facts, type: number, payload: string): Meaning {
		const one = (point: string, as: Point, value: Value | undefined): Meaning => (value === undefined || value === "" ? NOTHING : this.#book.hear(facts, [{ point, as, value }]));
		const gateway = facts.type === "gateway";
		switch (type) {
			case 0: return one("battery_level", numeric("%", "status"), /^\d{1,3}$/.test(payload) && Number(payload) <= 100 ? numericFromText(payload) : undefined);
			case 2: return gateway ? one("version", text("identity"), payload) : NOTHING;
			case 11: return gateway || payload === "" ? NOTHING : this.#book.hear({ ...facts, name: payload, model: payload }, [{ point: "sketch_name", as: text("identity"), value: payload }]);
			case 12: return gateway || payload === "" ? NOTHING : this.#book.hear({ ...facts, firmware: payload }, [{ point: "sketch_version", as: text("identity"), value: payload }]);
			case 14: return gateway ? { ...this.#book.hear(facts, []), states: [{ address: facts.address, state: "online" }] } : NOTHING;
			case 22: return one("heartbeat", numeric("ms", "status"), /^\d{1,10}$/.test(payload) ? numericFromText(payload) : undefined);
			default: return this.#book.find(facts.address) ? { heard: [facts.address] } : NOTHING;
		}
	}

	#misfit(facts: Facts, reason: string, sample: string): Meaning {
		return { misfits: [{ where: facts.address, reason, sample: sample.slice(0, 120) }] };
	}
}

function valueOf(point: Point, payload: string): Value | undefined {
	switch (point.kind) {
		case "numeric": return numericFromText(payload);
		case "boolean": return /^(1|true|on)$/i.test(payload) ? true : /^(0|false|off)$/i.test(payload) ? false : undefined;
		case "enum": return point.labels.find((label) => label.toLowerCase() === payload.toLowerCase());
		case "text": return payload;
	}
}

export const MYSENSORS: SerialProtocol = {
	name: "mysensors",
	title: "MySensors serial gateway",
	many: true,
	modes: [{ baud: 115_200 }, { baud: 38_400 }],
	claims: (cut) => cut.kind === "line" && /^\d{1,3};\d{1,3};[0-4];[01];\d{1,3};/.test(cut.text),
	talk: (options) => new MySensorsTalk(options),
};
