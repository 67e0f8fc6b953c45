// Sparkplug B: spBv1.0/<group>/<type>/<edge node>[/<device>]. Births say what there is, data what it says, deaths who is gone.
// Source: https://github.com/eclipse-sparkplug/sparkplug/tree/master/specification
// Version: Sparkplug 3.0.0 (section numbers below), and 2.2 where senders still speak it
//
// The address of a device is `<group>/<edge node>[/<device>]`; its points are its metrics, folders and all: `Inputs/A`.
// Members of a template instance are `<metric>/<member>`; data sets and arrays are JSON text.
//
// A node may wait until its primary host is there: then this gateway, where it has a host id, says so on `spBv1.0/STATE/<host id>` (section 6.4.27 and 5.3).
// The form of version 2.2, `STATE/<host id>`, is not spoken: it needs a will of its own, a connection has only one, and an ONLINE that outlives its host is worse than none.
//
// Above 300 lines: births, data, deaths and commands share one table of nodes.

import type { UnixMillis } from "../../core/clock.js";
import type { Announcement } from "../../core/device.js";
import { GatewayError, messageOf } from "../../core/errors.js";
import { checkValue, findPoint, isWritable, type Point } from "../../core/point.js";
import { type Unit, unitFrom } from "../../core/unit.js";
import { isNumeric, textOf, type Value } from "../../core/value.js";
import { isObject } from "../json.js";
import type { Message, OutMessage } from "../link.js";
import { type Meaning, type Misfit, NOTHING, type Presence, type Told } from "../meaning.js";
import type { Convention } from "./convention.js";
import { Payload } from "./payload.js";
import { quantityOf, wordsOf } from "./quantity.js";
import { type DataType, decodePayload, encodeCommand, INTEGERS, type Metric, type SparkplugPayload, valueFrom } from "./sparkplug-payload.js";
import { plausible } from "./times.js";

const NAMESPACE = "spBv1.0";
const REBIRTH = "Node Control/Rebirth";
/** Edge nodes of one broker, and the devices of one node: a large plant. */
const MAX_NODES = 1_000;
const MAX_DEVICES = 1_000;
/** Points of one device: the tags of a controller that people look at. */
const MAX_POINTS = 1_000;
const MAX_NAME = 128;
const MAX_ADDRESS = 256;
/** Messages of a node that pass before it is asked for births again: it may need a while, and one that never answers is not stormed. */
const FIRST_PATIENCE = 20;
const LAST_PATIENCE = 1_280;

/** What a birth, or a metric that came with its name, says of a metric. */
interface Defined {
	readonly name: string;
	readonly alias?: bigint;
	readonly type: DataType;
}

/** A node or a device of one. */
interface Thing {
	readonly address: string;
	readonly name: string;
	/** The last level of its topic; nothing for a node. */
	readonly device?: string;
	born: boolean;
	defined: Map<string, Defined>;
	byAlias: Map<bigint, Defined>;
	announcement: Announcement;
	said: "online" | "offline" | undefined;
}

interface Node {
	readonly group: string;
	readonly id: string;
	readonly thing: Thing;
	readonly devices: Map<string, Thing>;
	bdSeq: bigint | undefined;
	seq: number | undefined;
	/** The newest time that it stated: a command has to state one, and there is no clock here. */
	time: number | undefined;
	/** Messages since it was asked for births; nothing before the first time. */
	sinceAsked: number | undefined;
	patience: number;
	/** Why its births are needed, until they come. */
	owed: string | undefined;
}

/** What one message came to, collected while it is read. */
interface Findings {
	readonly announced: Announcement[];
	readonly told: Told[];
	readonly states: NonNullable<Meaning["states"]>[number][];
	readonly misfits: Misfit[];
	/** Why its births are needed. */
	rebirth: string | undefined;
}

export class Sparkplug implements Convention {
	readonly name = "sparkplug";
	readonly #nodes = new Map<string, Node>();
	/** Who has an address, by it in lower case. */
	readonly #byAddress = new Map<string, { readonly node: Node; readonly thing: Thing }>();
	readonly #host: string | undefined;
	/** When the present connection began: its birth and its will state the same time, by which nodes tell an old will from a new one. */
	#since: UnixMillis | undefined;

	/** @param options `host`: the id by which nodes know this gateway as their primary host; left out, nobody is told of it. */
	constructor(options: { readonly host?: string } = {}) {
		this.#host = options.host;
	}

	/** All of the namespace: births, data and deaths of every group. */
	filters(): readonly string[] {
		return [`${NAMESPACE}/#`];
	}

	presence(now: UnixMillis): Presence | undefined {
		if (this.#host === undefined) return undefined;
		this.#since = now;
		return { birth: [this.#state(true, now)], will: this.#state(false, now), farewell: (end) => [this.#state(false, end)] };
	}

	#state(online: boolean, timestamp: UnixMillis): OutMessage {
		return { kind: "message", topic: `${NAMESPACE}/STATE/${this.#host}`, payload: JSON.stringify({ online, timestamp }), qos: 1, retain: true };
	}

	/** Somebody says that we are gone: the will of a connection that the broker gave up late. Nodes must hear at once that it is not so. */
	#stillHere(message: Message): Meaning {
		if (message.retained || this.#since === undefined || message.topic !== `${NAMESPACE}/STATE/${this.#host}`) return NOTHING;
		const { json } = new Payload(message);
		return isObject(json) && json["online"] === false ? { send: [this.#state(true, this.#since)] } : NOTHING;
	}

	hear(message: Message): Meaning | undefined {
		const [namespace, group, type, id, device, ...more] = message.topic.split("/");
		if (namespace !== NAMESPACE) return undefined;
		if (group === "STATE") return this.#stillHere(message);
		// Commands are none of ours when others send them.
		if (!group || !id || more.length > 0 || !type || !/^[ND](?:BIRTH|DATA|DEATH)$/.test(type)) return NOTHING;
		if (type.startsWith("D") !== Boolean(device)) return NOTHING;
		const address = [group, id, ...(device ? [device] : [])].join("/");
		let payload: SparkplugPayload;
		try {
			payload = decodePayload(message.payload);
			if (payload.uuid === "SPBV1.0_COMPRESSED") throw new GatewayError("bad-payload", "Cannot read a Sparkplug payload: it is compressed; switch compression off at its sender");
		} catch (error) {
			return { misfits: [{ where: address, reason: messageOf(error), sample: sampleOf(message) }] };
		}
		const live = !message.retained;
		if (type === "NDEATH") return live ? this.#nodeDeath(group, id, payload) : NOTHING;
		const found: Findings = { announced: [], told: [], states: [], misfits: payload.faults.map((reason) => ({ where: address, reason, sample: sampleOf(message) })), rebirth: undefined };
		const node = this.#nodes.get(`${group}/${id}`) ?? this.#newNode(group, id);
		const thing = !node ? undefined : device ? (node.devices.get(device) ?? this.#newDevice(node, device)) : node.thing;
		if (!node || !thing) return { misfits: [{ where: address, reason: "is a Sparkplug node or device too many", sample: "" }] };
		if (live) this.#follow(node, type, payload, found);
		switch (type) {
			case "NBIRTH": if (live) this.#reborn(node, payload, found); this.#birth(thing, payload, found); break;
			case "DBIRTH":
				this.#birth(thing, payload, found);
				if (!node.thing.born) found.rebirth = "its edge node was not announced";
				break;
			case "NDATA": case "DDATA": this.#data(thing, payload, found); break;
			case "DDEATH":
				thing.born = false;
				if (live) this.#say(thing, "offline", "its edge node cannot reach it", found);
				break;
		}
		if (live && type.endsWith("BIRTH")) this.#say(thing, "online", undefined, found);
		return this.#meaning(node, thing, found, message, type !== "DDEATH");
	}

	command(address: string, point: string, value: Value): readonly OutMessage[] | undefined {
		const owner = this.#byAddress.get(address.toLowerCase());
		if (!owner) return undefined;
		const { node, thing } = owner;
		const found = findPoint(thing.announcement.points, point);
		const defined = found && thing.defined.get(found[0]);
		if (!found) throw new GatewayError("unknown-point", `Cannot find "${point}": ${thing.name} has ${Object.keys(thing.announcement.points).slice(0, 20).join(", ") || "no points"}`);
		if (!defined || !isWritable(found[1])) throw new GatewayError("not-writable", `Cannot set "${found[0]}": it is read-only`);
		checkValue(found[0], found[1], value);
		return [this.#command(node, thing, defined, value)];
	}

	#command(node: Node, thing: Thing, { name, alias, type }: Defined, value: Value): OutMessage {
		// A rebirth is asked for by its name, whatever the alias: section 5.10.
		const payload = encodeCommand([{ name, type, value, ...(alias !== undefined && name !== REBIRTH && { alias }) }], node.time);
		const topic = [NAMESPACE, node.group, thing.device === undefined ? "NCMD" : "DCMD", node.id, ...(thing.device === undefined ? [] : [thing.device])].join("/");
		return { kind: "message", topic, payload, qos: 0 };
	}

	#newNode(group: string, id: string): Node | undefined {
		const address = `${group}/${id}`;
		if (this.#nodes.size >= MAX_NODES || address.length > MAX_ADDRESS) return undefined;
		const node: Node = { group, id, thing: newThing(address, id), devices: new Map(), bdSeq: undefined, seq: undefined, time: undefined, sinceAsked: undefined, patience: 0, owed: undefined };
		this.#nodes.set(address, node);
		this.#byAddress.set(address.toLowerCase(), { node, thing: node.thing });
		return node;
	}

	#newDevice(node: Node, device: string): Thing | undefined {
		const address = `${node.thing.address}/${device}`;
		if (node.devices.size >= MAX_DEVICES || address.length > MAX_ADDRESS) return undefined;
		const thing = newThing(address, device, device);
		node.devices.set(device, thing);
		this.#byAddress.set(address.toLowerCase(), { node, thing });
		return thing;
	}

	/** Time and sequence number: each message of a node, its devices' too, counts on by one, from 255 to 0 (section 6.4.5). */
	#follow(node: Node, type: string, payload: SparkplugPayload, found: Findings): void {
		const time = payload.timestamp === undefined ? undefined : plausible(payload.timestamp);
		if (time !== undefined && time > (node.time ?? 0)) node.time = time;
		if (node.sinceAsked !== undefined) node.sinceAsked++;
		const { seq } = payload;
		if (seq === undefined) return;
		const before = node.seq;
		node.seq = seq;
		if (type === "NBIRTH" || before === undefined || !node.thing.born) return;
		// The same number again is the same message again.
		if (seq !== before && seq !== (before + 1) % 256) found.rebirth = "a message is missing, by the numbers of its messages";
	}

	/** A node that was started anew has lost its devices, until it announces each again; one that was only asked has the same bdSeq. */
	#reborn(node: Node, payload: SparkplugPayload, found: Findings): void {
		const bdSeq = bdSeqOf(payload);
		node.owed = undefined;
		const isNewSession = node.bdSeq !== undefined && bdSeq !== undefined && bdSeq !== node.bdSeq;
		node.bdSeq = bdSeq;
		for (const device of node.devices.values()) {
			device.born = false;
			if (isNewSession && device.said === "online") this.#say(device, "offline", "its edge node was started anew and has not announced it", found);
		}
	}

	/** A death belongs to the birth with its number: the will of an earlier session may come late (section 6.4.8). */
	#nodeDeath(group: string, id: string, payload: SparkplugPayload): Meaning {
		const node = this.#nodes.get(`${group}/${id}`);
		const reason = "its edge node is offline";
		if (!node) return { states: [{ address: `${group}/${id}`, state: "offline", reason: "the edge node lost its connection" }] };
		const bdSeq = bdSeqOf(payload);
		if (node.bdSeq !== undefined && bdSeq !== undefined && bdSeq !== node.bdSeq) return NOTHING;
		const found: Findings = { announced: [], told: [], states: [], misfits: [], rebirth: undefined };
		this.#say(node.thing, "offline", "the edge node lost its connection", found);
		node.thing.born = false;
		for (const device of node.devices.values()) {
			device.born = false;
			this.#say(device, "offline", reason, found);
		}
		return { states: found.states };
	}

	#say(thing: Thing, state: "online" | "offline", reason: string | undefined, found: Findings): void {
		thing.said = state;
		found.states.push({ address: thing.address, state, ...(reason !== undefined && { reason }) });
	}

	/** A birth says all that there is: what it does not name is gone. */
	#birth(thing: Thing, payload: SparkplugPayload, found: Findings): void {
		thing.born = true;
		thing.defined = new Map();
		thing.byAlias = new Map();
		const points: Record<string, Point> = Object.create(null); // a metric may be named `constructor`
		const told: Told[] = [];
		for (const metric of payload.metrics) {
			if (metric.name === undefined) continue;
			const defined: Defined = { name: metric.name, type: metric.type ?? "Unknown", ...(metric.alias !== undefined && { alias: metric.alias }) };
			if (metric.alias !== undefined) thing.byAlias.set(metric.alias, defined);
			this.#take(thing, metric, defined, payload, points, told, found);
		}
		found.told.push(...told);
		this.#announce(thing, { ...factsOf(thing, told), points: { ...points } }, found);
	}

	#data(thing: Thing, payload: SparkplugPayload, found: Findings): void {
		const points: Record<string, Point> = Object.assign<Record<string, Point>, Readonly<Record<string, Point>>>(Object.create(null), thing.announcement.points);
		const before = Object.keys(points).length;
		let unknown = 0;
		for (const metric of payload.metrics) {
			const defined = metric.alias !== undefined && metric.name === undefined ? thing.byAlias.get(metric.alias) : metric.name !== undefined ? (thing.defined.get(metric.name) ?? { name: metric.name, type: metric.type ?? "Unknown" }) : undefined;
			if (!defined) unknown++;
			else this.#take(thing, metric, defined, payload, points, found.told, found);
		}
		if (unknown > 0) {
			found.rebirth = thing.born ? "metrics have an alias that no birth gave" : "it was not announced, and its metrics have no names";
			found.misfits.push({ where: thing.address, reason: `Cannot read metrics: ${found.rebirth}`, sample: `${unknown} of ${payload.metrics.length}` });
		} else if (!thing.born) found.rebirth = "it was not announced";
		if (Object.keys(points).length > before) this.#announce(thing, { ...thing.announcement, points: { ...points } }, found);
	}

	/** One metric of a birth or of data: its point, where it is new, and its value. A template is its members. */
	#take(thing: Thing, metric: Metric, defined: Defined, payload: SparkplugPayload, points: Record<string, Point>, told: Told[], found: Findings): void {
		const { name } = defined;
		if (name.toLowerCase() === "bdseq") return;
		const type = metric.type ?? defined.type;
		if (type === "Template") {
			const template = typeof metric.raw === "object" && "template" in metric.raw ? metric.raw.template : undefined;
			// A definition has no readings: section 6.4.16.
			if (!template || template.isDefinition || metric.isNull) return;
			for (const member of template.metrics) {
				if (member.name === undefined) continue;
				const timestamp = member.timestamp ?? metric.timestamp;
				this.#take(thing, { ...member, isHistorical: metric.isHistorical, ...(timestamp !== undefined && { timestamp }) }, { name: `${name}/${member.name}`, type: member.type ?? "Unknown" }, payload, points, told, found);
			}
			return;
		}
		const value = metric.isNull || metric.raw === undefined ? undefined : valueFrom(type, metric.raw);
		const point = points[name] ?? pointFor(name, type, metric, value);
		if (!point) return;
		if (!Object.hasOwn(points, name)) {
			if (name === "" || name.length > MAX_NAME || Object.keys(points).length >= MAX_POINTS) {
				found.misfits.push({ where: thing.address, reason: `Cannot take another metric: a device has at most ${MAX_POINTS}, with names of at most ${MAX_NAME} characters`, sample: name.slice(0, MAX_NAME) });
				return;
			}
			points[name] = point;
		}
		if (!thing.defined.has(name)) thing.defined.set(name, defined);
		if (value === undefined) return;
		if (!fits(value, point)) {
			found.misfits.push({ where: thing.address, reason: `Cannot read "${name}": it is ${type} now, and was another type`, sample: textOf(value).slice(0, MAX_NAME) });
			return;
		}
		const time = metric.timestamp ?? (metric.isHistorical ? undefined : payload.timestamp);
		const at = time === undefined ? undefined : plausible(time);
		// A value of the past that does not say of when would look like one of now.
		if (metric.isHistorical && at === undefined) return;
		const quality = qualityOf(metric);
		told.push({ address: thing.address, point: name, value, ...(at !== undefined && { at }), ...(quality !== undefined && { quality }) });
	}

	#announce(thing: Thing, announcement: Announcement, found: Findings): void {
		const isSame = JSON.stringify(announcement) === JSON.stringify(thing.announcement) && thing.said !== undefined;
		thing.announcement = announcement;
		if (!isSame) found.announced.push(announcement);
	}

	#meaning(node: Node, thing: Thing, found: Findings, message: Message, alive: boolean): Meaning {
		const { announced, told, states, misfits, rebirth } = found;
		if (!message.retained) node.owed = rebirth ?? node.owed;
		const send = node.owed === undefined || message.retained ? undefined : this.#ask(node);
		if (send) misfits.push({ where: thing.address, reason: `was asked for its births anew: ${node.owed}`, sample: "" });
		return {
			...(announced.length > 0 && { announced }), ...(told.length > 0 && { told }), ...(states.length > 0 && { states }),
			...(!message.retained && alive && { heard: [thing.address] }), ...(misfits.length > 0 && { misfits }), ...(send && { send: [send] }),
		};
	}

	/** Ask a node for its births, unless it was asked a short while ago: after 20 messages again, then after 40, 80 … */
	#ask(node: Node): OutMessage | undefined {
		if (node.sinceAsked !== undefined && node.sinceAsked < node.patience) return undefined;
		const isQuietFor = node.sinceAsked ?? 0;
		node.patience = isQuietFor > 2 * LAST_PATIENCE ? FIRST_PATIENCE : Math.min(LAST_PATIENCE, Math.max(FIRST_PATIENCE, 2 * node.patience));
		node.sinceAsked = 0;
		return this.#command(node, node.thing, { name: REBIRTH, type: "Boolean" }, true);
	}
}

function newThing(address: string, name: string, device?: string): Thing {
	return { address, name, ...(device !== undefined && { device }), born: false, defined: new Map(), byAlias: new Map(), announcement: { address, name, points: {} }, said: undefined };
}

function bdSeqOf(payload: SparkplugPayload): bigint | undefined {
	const raw = payload.metrics.find(({ name }) => name === "bdSeq")?.raw;
	return typeof raw === "bigint" ? raw : undefined;
}

/** What `Properties/…` say of the device itself, in the words that the specification's examples use. */
function factsOf(thing: Thing, told: readonly Told[]): Omit<Announcement, "points"> {
	const word = (pattern: RegExp): string | undefined => {
		const value = told.find(({ point, value }) => typeof value === "string" && value !== "" && pattern.test(wordsOf(point)))?.value;
		return typeof value === "string" ? value.slice(0, 200) : undefined;
	};
	const manufacturer = word(/^properties (?:.* )?(?:hardware make|hw make|manufacturer|make|vendor)$/);
	const model = word(/^properties (?:.* )?(?:hardware model|hw model|model)$/);
	const firmware = word(/^properties (?:.* )?(?:firmware|fw|software|sw)(?: version)?$/);
	return { address: thing.address, name: thing.name, ...(manufacturer !== undefined && { manufacturer }), ...(model !== undefined && { model }), ...(firmware !== undefined && { firmware }) };
}

/** Folders of what can be set, by custom: the protocol itself does not say which metrics take commands. */
const SETTABLE = /^(?:outputs?|node control|device control|controls?|commands?|setpoints?|settings?|config|configuration)\//i;
const SETPOINT = /(?:^|\/)(?:[^/]*[ _])?(?:set[ _]?point|target)(?:[ _][^/]*)?$/i;
/** They do something, and report nothing. */
const BUTTON = /^(?:node|device) control\/(?:rebirth|reboot|next server|restart)$/i;
/** A name alone says the unit only of what is nearly always measured in one. */
const PLAIN_UNITS: ReadonlySet<Unit> = new Set(["V", "A", "°C", "%", "rpm"]);

/** The point that a metric is; nothing for what has no value to show: bytes, files, and types that are not known. */
function pointFor(name: string, type: DataType, metric: Metric, value: Value | undefined): Point | undefined {
	const kind = kindOf(type, value);
	if (!kind) return undefined;
	const readOnly = property(metric, "readonly");
	const isScalar = type !== "DataSet" && !type.endsWith("Array") && type !== "Unknown";
	const writable = isScalar && (readOnly === false || (readOnly === undefined && (SETTABLE.test(name) || SETPOINT.test(name))));
	const label = property(metric, "displayname") ?? property(metric, "documentation");
	const category = /^properties\//i.test(name) ? "identity" as const : writable || kind !== "numeric" ? "status" as const : undefined;
	const base = {
		access: writable ? "rw" as const : "r" as const, ...(category !== undefined && { category }),
		...(typeof label === "string" && label !== "" && label.length <= MAX_NAME && { label }), ...(writable && BUTTON.test(name) && { confirm: "none" as const }),
	};
	if (kind !== "numeric") return { kind, ...base };
	const stated = property(metric, "engunit") ?? property(metric, "engineeringunits") ?? property(metric, "unit") ?? property(metric, "units");
	const guessed = quantityOf(name).unit;
	const unit = typeof stated === "string" && stated !== "" ? unitFrom(stated) : category === "identity" || guessed === undefined || !PLAIN_UNITS.has(guessed) ? undefined : guessed;
	const integer = INTEGERS[type];
	return { kind, ...base, ...(unit !== undefined && { unit }), ...(integer && { integer: true }), ...(writable && spanOf(type, metric)) };
}

/** What can be set: the engineering range where the sender states one, else what the type can hold; a number in 64 bits or with a fraction has no bounds worth saying. */
function spanOf(type: DataType, metric: Metric): { readonly min?: number; readonly max?: number } {
	const integer = INTEGERS[type];
	const held = !integer || integer.bits >= 64 ? undefined : integer.signed ? [-(2 ** (integer.bits - 1)), 2 ** (integer.bits - 1) - 1] as const : [0, 2 ** integer.bits - 1] as const;
	const [low, high] = [property(metric, "englow"), property(metric, "enghigh")];
	const stated = low !== undefined && high !== undefined && isNumeric(low) && isNumeric(high) && low.number < high.number ? [low.number, high.number] as const : undefined;
	const [min, max] = stated && held ? [Math.max(stated[0], held[0]), Math.min(stated[1], held[1])] : (stated ?? held ?? []);
	return min === undefined || max === undefined || min > max ? {} : { min, max };
}

function kindOf(type: DataType, value: Value | undefined): "numeric" | "boolean" | "text" | undefined {
	if (INTEGERS[type] || type === "Float" || type === "Double") return "numeric";
	if (type === "Boolean") return "boolean";
	if (type === "String" || type === "Text" || type === "UUID" || type === "DateTime" || type === "DataSet" || type.endsWith("Array")) return "text";
	if (type !== "Unknown" || value === undefined) return undefined;
	return isNumeric(value) ? "numeric" : typeof value === "boolean" ? "boolean" : "text";
}

function fits(value: Value, point: Point): boolean {
	return isNumeric(value) ? point.kind === "numeric" : typeof value === "boolean" ? point.kind === "boolean" : point.kind === "text";
}

function property(metric: Metric, name: string): Value | undefined {
	for (const [key, value] of metric.properties) if (key.toLowerCase().replace(/[ _]/g, "") === name) return value;
	return undefined;
}

/** OPC quality codes in the property `Quality`: 192 and above good, 64 and above uncertain, below and 500 (stale) bad. */
function qualityOf(metric: Metric): Told["quality"] {
	const code = property(metric, "quality");
	if (code === undefined || !isNumeric(code)) return undefined;
	return code.number >= 500 || code.number < 64 ? "error" : code.number < 192 ? "estimate" : undefined;
}

function sampleOf(message: Message): string {
	return Buffer.from(message.payload.subarray(0, 60)).toString("hex");
}
