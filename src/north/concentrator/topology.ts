// XEP-0326 and its successor: the tree of nodes. Ours is flat, one node for each device, in one data source.
import type { UnixMillis } from "../../core/clock.js";
import type { Availability } from "../../core/availability.js";
import type { Device } from "../../core/device.js";
import { GatewayError } from "../../core/errors.js";
import type { Twin } from "../../core/twin.js";
import { isNumeric, textOf } from "../../core/value.js";
import type { Element } from "../../xmpp/xml.js";
import { jidOf } from "../addresses.js";
import { booleanFrom } from "../forms.js";
import type { Verbs } from "../module.js";
import { DATA_SOURCE, type NodeRef, short, targetsOf } from "../readout/nodes.js";

/** How a node is. We have no operator who signs, so nothing is ever signed. */
export type NodeState = "None" | "Information" | "WarningUnsigned" | "ErrorUnsigned";

/** One thing that is known of a node, and is no reading of it. */
export interface NodeParameter {
	/** Both vocabularies call it by this element. */
	readonly type: "boolean" | "double" | "string";
	readonly id: string;
	readonly name: string;
	readonly value: string;
}

/** Why a node is not as it should be. */
export interface NodeMessage {
	readonly at: UnixMillis;
	readonly type: "Information" | "Warning" | "Error";
	readonly text: string;
}

/** One device, as one asker may see it. */
export interface NodeInfo {
	readonly id: string;
	readonly name: string;
	/** Opaque to clients: `jidway.device.climate`. */
	readonly type: string;
	readonly state: NodeState;
	readonly isReadable: boolean;
	/** Then it has the command that sets it, too. */
	readonly isControllable: boolean;
	readonly changed: UnixMillis;
	readonly parameters: readonly NodeParameter[];
	readonly messages: readonly NodeMessage[];
}

/** What is wanted beside the node itself. */
export interface Detail {
	readonly parameters: boolean;
	readonly messages: boolean;
}

/** The least of what every node is. */
export const BASE_TYPE = "jidway.device";
export const READABLE = "jidway.readable";
export const CONTROLLABLE = "jidway.controllable";

/**
 * Longest list of nodes in one answer, some 200 of them. Neither vocabulary knows pages, and servers commonly refuse stanzas from
 * 128 or 256 kB on; a whole fleet in one stanza would also hold up everything behind it.
 */
export const MAX_LIST_BYTES = 60_000;

const STATE_OF: Readonly<Record<Availability, NodeState>> = {
	online: "None", asleep: "Information", late: "WarningUnsigned", unknown: "WarningUnsigned", faulty: "ErrorUnsigned", offline: "ErrorUnsigned",
};
const MESSAGE_TYPE: Readonly<Record<NodeState, NodeMessage["type"]>> = { None: "Information", Information: "Information", WarningUnsigned: "Warning", ErrorUnsigned: "Error" };

type Known = Pick<Verbs, "domain" | "registry" | "access">;

/** The device of a node. @throws {GatewayError} `unknown-device` for one that is not there, or not for this asker, or in another source. */
export function twinOf(ref: NodeRef, who: string, verbs: Known): Twin {
	const [target] = targetsOf({ twin: undefined, who }, [ref], verbs);
	if (target === undefined) throw new GatewayError("unknown-device", `Cannot find node "${short(ref.id)}"`);
	return target.twin;
}

/** Is there such a node for him? */
export function hasNode(ref: NodeRef, who: string, verbs: Known): boolean {
	try {
		twinOf(ref, who, verbs);
		return true;
	} catch (error) {
		if (error instanceof GatewayError) return false;
		throw error;
	}
}

/** Every device that he may see. */
export function* nodesFor(who: string, { registry, access }: Known): Iterable<Twin> {
	for (const twin of registry.all()) if (access.maySee(who, twin.device.id, twin.device.points)) yield twin;
}

/** @throws {GatewayError} `unknown-device` for any name but that of the one data source. */
export function checkSource(source: string | undefined): void {
	if (source !== DATA_SOURCE) throw new GatewayError("unknown-device", `Cannot find data source "${short(source ?? "")}": there is "${DATA_SOURCE}"`);
}

/** What he may know of a device. It must be one that he may see. */
export function nodeInfo(twin: Twin, who: string, { parameters, messages }: Detail, verbs: Known): NodeInfo {
	const { device } = twin;
	const state = STATE_OF[twin.availability];
	const visible = verbs.access.readable(who, device.id, device.points);
	return {
		id: device.id, name: device.name, type: typeOf(device), state, changed: twin.since,
		isReadable: visible.length > 0,
		isControllable: verbs.access.settable(who, device.id, device.points).length > 0,
		parameters: parameters ? parametersOf(twin, visible, verbs.domain) : [],
		messages: messages ? messagesOf(twin, state) : [],
	};
}

/** What he sees of the description of a device, in a form that can be compared; nothing where he may not see it. */
export function sightOf({ id, name, type, manufacturer, model, firmware, points }: Device, who: string, { access }: Pick<Verbs, "access">): string | undefined {
	if (!access.maySee(who, id, points)) return undefined;
	const described = (names: readonly string[]): unknown[] => names.map((point) => [point, points[point]]);
	return JSON.stringify([id, name, type, manufacturer, model, firmware, described(access.readable(who, id, points)), described(access.settable(who, id, points))]);
}

/** The classes and interfaces from which a node derives, itself left out. */
export function inheritanceOf({ type, isReadable, isControllable }: NodeInfo): { readonly classes: readonly string[]; readonly interfaces: readonly string[] } {
	return { classes: type === BASE_TYPE ? [] : [BASE_TYPE], interfaces: [...(isReadable ? [READABLE] : []), ...(isControllable ? [CONTROLLABLE] : [])] };
}

/** Is it of one of these types, or of one that derives from them? */
export function derivesFrom(info: NodeInfo, types: ReadonlySet<string>): boolean {
	const { classes, interfaces } = inheritanceOf(info);
	return [info.type, ...classes, ...interfaces].some((type) => types.has(type));
}

/**
 * The nodes of an answer, whole or not at all: a list that was cut would be taken for the whole.
 *
 * @throws {GatewayError} `busy` when they take more than 60 000 bytes.
 */
export function wholeList(nodes: Iterable<Element>, cure: string): Element[] {
	const list: Element[] = [];
	let bytes = 0;
	for (const node of nodes) {
		bytes += Buffer.byteLength(node.toString());
		if (bytes > MAX_LIST_BYTES) throw new GatewayError("busy", `Cannot tell so many nodes in one answer: they take more than ${MAX_LIST_BYTES} bytes; ${cure}`);
		list.push(node);
	}
	return list;
}

/** An xs:boolean attribute. @throws {GatewayError} `bad-request` for what is none. */
export function flagOf({ attrs }: Element, name: string, fallback = false): boolean {
	const text = attrs[name];
	if (text === undefined) return fallback;
	const flag = booleanFrom(text);
	if (flag === undefined) throw new GatewayError("bad-request", `Cannot read ${name}="${short(text)}": it takes true or false`);
	return flag;
}

/** What of each node a request wants. @throws {GatewayError} `bad-request`. */
export function detailOf(payload: Element): Detail {
	return { parameters: flagOf(payload, "parameters"), messages: flagOf(payload, "messages") };
}

/** A device says of what sort it is in its own words: what is no name becomes hyphens, and a long one is cut. */
function typeOf({ type }: Device): string {
	const own = type?.toLowerCase().slice(0, 40).replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "");
	return own === undefined || own === "" ? BASE_TYPE : `${BASE_TYPE}.${own}`;
}

function parametersOf(twin: Twin, visible: readonly string[], domain: string): NodeParameter[] {
	const { device } = twin;
	const text = (id: string, name: string, value: string | undefined): NodeParameter[] => (value === undefined ? [] : [{ type: "string", id, name, value }]);
	const fixed = [
		...text("jid", "XMPP address", jidOf(domain, device.id)),
		...text("manufacturer", "Manufacturer", device.manufacturer),
		...text("model", "Model", device.model),
		...text("firmware", "Firmware", device.firmware),
		...text("availability", "Availability", twin.availability),
	];
	const taken = new Set(fixed.map(({ id }) => id));
	const identity = visible.flatMap((id): NodeParameter[] => {
		const point = device.points[id]!;
		const value = twin.readings.get(id)?.value;
		if (point.category !== "identity" || value === undefined || taken.has(id)) return [];
		return [{ type: typeof value === "boolean" ? "boolean" : isNumeric(value) ? "double" : "string", id, name: point.label ?? id, value: textOf(value) }];
	});
	return [...fixed, ...identity];
}

function messagesOf({ reason, availability, since }: Twin, state: NodeState): NodeMessage[] {
	if (reason === undefined && state === "None") return [];
	return [{ at: since, type: MESSAGE_TYPE[state], text: reason ?? availability }];
}
