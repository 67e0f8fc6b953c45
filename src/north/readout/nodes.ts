// XEP-0323, XEP-0325 and XEP-0326: which device a request speaks of
import { GatewayError } from "../../core/errors.js";
import type { Twin } from "../../core/twin.js";
import type { Element } from "../../xmpp/xml.js";
import type { Request, Verbs } from "../module.js";

/** A device as a request names it, and as the answer repeats it. */
export interface NodeRef {
	readonly id: string;
	/** `sourceId` or `src`. */
	readonly source?: string;
	/** `cacheType` or `pt`. */
	readonly partition?: string;
}

/** The only data source: XEP-0326 wants one of this name for sensors and actuators. */
export const DATA_SOURCE = "MeteringTopology";
/** More than any readout of a small gateway names; the stanza's own limit lies near. */
export const MAX_NAMES = 1_000;

/**
 * A `<node nodeId sourceId cacheType/>`, or `<nd id src pt/>` of the other vocabulary.
 *
 * @throws {GatewayError} `bad-request` when the id is missing.
 */
export function parseNode({ name, attrs }: Element): NodeRef {
	const [id, source, partition] = name === "nd" ? [attrs["id"], attrs["src"], attrs["pt"]] : [attrs["nodeId"], attrs["sourceId"], attrs["cacheType"]];
	if (id === undefined) throw new GatewayError("bad-request", `Cannot read <${name}/>: found no ${name === "nd" ? "id" : "nodeId"}`);
	return { id, ...(source !== undefined && { source }), ...(partition !== undefined && { partition }) };
}

/** One device that a request is about, with the name that the request gave it. */
export interface Target {
	readonly twin: Twin;
	/** Nothing where the request came to the device's own address and named no node. */
	readonly node: NodeRef | undefined;
}

/**
 * The devices that a request names, each once, in its order. At a device's own address no node means that device.
 *
 * At the gateway no node gives none: what that means differs between the vocabularies.
 *
 * @throws {GatewayError} `unknown-device` for a node that does not exist, or not for this asker: the two are told apart by nothing.
 */
export function targetsOf(request: Pick<Request, "twin" | "who">, nodes: readonly NodeRef[], { registry, access }: Pick<Verbs, "registry" | "access">): readonly Target[] {
	if (nodes.length === 0) return request.twin ? [{ twin: request.twin, node: undefined }] : [];
	const targets = new Map<Twin, Target>();
	for (const node of nodes) {
		const twin = request.twin ? (isNamed(request.twin, node) ? request.twin : undefined) : registry.find(node.id);
		if (!twin || !isOurs(node) || !access.maySee(request.who, twin.device.id, twin.device.points)) {
			throw new GatewayError("unknown-device", `Cannot find node "${short(node.id)}"`);
		}
		if (!targets.has(twin)) targets.set(twin, { twin, node });
	}
	return [...targets.values()];
}

function isNamed(twin: Twin, node: NodeRef): boolean {
	return twin.device.id === node.id.toLowerCase();
}

/** There is one data source and no partition; an empty name means the default (XEP-0326). */
function isOurs({ source = "", partition = "" }: NodeRef): boolean {
	return (source === "" || source === DATA_SOURCE) && partition === "";
}

/** A name from outside, cut for a message. */
export function short(name: string): string {
	return name.length <= 64 ? name : `${name.slice(0, 64)}…`;
}
