// Neuro-Foundation Concentrator, the successor of XEP-0326; once IEEE P1451.99
// Source: https://neuro-foundation.io/Concentrator.md
// Version: urn:nfi:iot:concentrator:1.0 (2025-08-13), and the same names under urn:nf (2024-08-06) and urn:ieee
import { GatewayError } from "../../core/errors.js";
import { type Element, xml } from "../../xmpp/xml.js";
import type { Request, Route, Verbs } from "../module.js";
import { formatDateTime } from "../readout/datetime.js";
import { DATA_SOURCE, MAX_NAMES, type NodeRef, parseNode, short } from "../readout/nodes.js";
import { checkCommand, commandForm, executeForm, SET } from "./node-commands.js";
import { type EventName, EVENTS } from "./news.js";
import { type EventEncoder, MAX_TTL, type Subscribers } from "./subscribers.js";
import { checkSource, derivesFrom, type Detail, detailOf, flagOf, hasNode, inheritanceOf, nodeInfo, type NodeInfo, type NodeMessage, nodesFor, twinOf, wholeList } from "./topology.js";

/** In the order in which a client should prefer them. */
export const NEURO_CONCENTRATOR = ["urn:nf:iot:concentrator:1.0", "urn:nfi:iot:concentrator:1.0", "urn:ieee:iot:concentrator:1.0"] as const;

/** Operations that change the tree, that ask of several nodes what they have in common, that run for long, or that listen in. */
const NOT_IMPLEMENTED = [
	"getNodeParametersForEdit", "setNodeParametersAfterEdit", "getCommonNodeParametersForEdit", "setCommonNodeParametersAfterEdit",
	"getAddableNodeTypes", "getParametersForNewNode", "createNewNode", "destroyNode", "moveNodeUp", "moveNodeDown", "moveNodesUp", "moveNodesDown",
	"executeNodeQuery", "abortNodeQuery", "getCommonNodeCommands", "getCommonCommandParameters", "executeCommonNodeCommand", "executeCommonNodeQuery", "abortCommonNodeQuery",
	"registerSniffer", "unregisterSniffer",
] as const;

/** What to do about a list that is too long. */
const FEWER = "list the devices page by page by service discovery, and ask for some of them at a time with getNodes";

export interface NeuroConcentratorOptions {
	/** One of `NEURO_CONCENTRATOR`: an answer speaks as its request did. */
	readonly xmlns: string;
	readonly subscribers: Subscribers;
	/** Tells one form from another. */
	readonly session: () => string;
}

type Answer = Route["answer"];

/** The operations of one URN, at the gateway's own address. */
export function neuroConcentrator(verbs: Verbs, { xmlns, subscribers, session }: NeuroConcentratorOptions): Route[] {
	const told = (name: string, info: NodeInfo, more: Readonly<Record<string, string | undefined>> = {}): Element => nodeElement(xmlns, name, info, more);
	const list = (infos: Iterable<NodeInfo>): Element => xml("nodeInfos", { xmlns }, ...wholeList(each(infos, (info) => told("nodeInfo", info)), FEWER));
	const sources = (): Element => xml("dataSources", { xmlns }, xml("dataSource", { src: DATA_SOURCE, name: "Devices", hasChildren: "false" }));
	const byAddress = ({ payload, who }: Request): ReturnType<typeof twinOf> => twinOf(refOf(payload), who, verbs);

	function* all(who: string, detail: Detail, types: ReadonlySet<string>): Iterable<NodeInfo> {
		for (const twin of nodesFor(who, verbs)) {
			const info = nodeInfo(twin, who, detail, verbs);
			if (types.size === 0 || derivesFrom(info, types)) yield info;
		}
	}

	/** Ours are all roots, in no tree. */
	function nodesOf({ payload, who }: Request, types: ReadonlySet<string> = new Set()): Element {
		checkSource(payload.attrs["src"]);
		return list(all(who, detailOf(payload), types));
	}

	const encode: EventEncoder = (news, id, node) => {
		const ts = formatDateTime(news.at);
		if (node === undefined) return xml(news.event, { xmlns, id, src: DATA_SOURCE, ts });
		if (news.event === "nodeStatusChanged") return xml(news.event, { xmlns, id, src: DATA_SOURCE, state: node.state, ts }, ...node.messages.map(messageElement));
		return told(news.event, node, { oid: news.event === "nodeUpdated" ? (news.before ?? id) : undefined, ts });
	};

	const get: Readonly<Record<string, Answer>> = {
		getCapabilities: () => xml("strings", { xmlns }, ...[...Object.keys(get), ...Object.keys(set)].map((name) => xml("value", {}, name))),
		getAllDataSources: sources,
		getRootDataSources: sources,
		getChildDataSources({ payload }) {
			checkSource(payload.attrs["src"]);
			return xml("dataSources", { xmlns });
		},
		containsNode: ({ payload, who }) => xml("bool", { xmlns }, String(hasNode(refOf(payload), who, verbs))),
		containsNodes: ({ payload, who }) => xml("bools", { xmlns }, ...refsOf(payload).map((ref) => xml("bool", {}, String(hasNode(ref, who, verbs))))),
		getNode: (request) => told("nodeInfo", nodeInfo(byAddress(request), request.who, detailOf(request.payload), verbs)),
		getNodes({ payload, who }) {
			const detail = detailOf(payload);
			return list(each(refsOf(payload), (ref) => nodeInfo(twinOf(ref, who, verbs), who, detail, verbs)));
		},
		getAllNodes: (request) => nodesOf(request, typesOf(request.payload)),
		getRootNodes: (request) => nodesOf(request),
		getChildNodes(request) {
			byAddress(request);
			detailOf(request.payload);
			return xml("nodeInfos", { xmlns });
		},
		getAncestors: (request) => list([nodeInfo(byAddress(request), request.who, detailOf(request.payload), verbs)]),
		getNodeInheritance(request) {
			const { classes, interfaces } = inheritanceOf(nodeInfo(byAddress(request), request.who, { parameters: false, messages: false }, verbs));
			const values = (names: readonly string[]): Element[] => names.map((name) => xml("value", {}, name));
			return xml("inheritance", { xmlns }, xml("baseClasses", {}, ...values(classes)), interfaces.length > 0 ? xml("interfaces", {}, ...values(interfaces)) : undefined);
		},
		getNodeCommands(request) {
			const { isControllable } = nodeInfo(byAddress(request), request.who, { parameters: false, messages: false }, verbs);
			// IoTGateway speaks nf and ieee, and reads an unknown type as one without parameters; the schema of nfi has another spelling.
			const type = xmlns.startsWith("urn:nfi:") ? "Parameterized" : "Parametrized";
			return xml("commands", { xmlns }, isControllable ? xml("command", { command: SET, name: "Set values", type }) : undefined);
		},
		getCommandParameters(request) {
			const twin = byAddress(request);
			checkCommand(request.payload.attrs["command"]);
			return commandForm(twin, request.who, session(), verbs);
		},
	};
	const set: Readonly<Record<string, Answer>> = {
		async executeNodeCommand(request) {
			const twin = byAddress(request);
			checkCommand(request.payload.attrs["command"]);
			await executeForm(request.payload, twin, request.who, session(), verbs);
			return undefined;
		},
		subscribe(request) {
			const { payload } = request;
			checkSource(payload.attrs["src"]);
			if (payload.attrs["getEventsSince"] !== undefined) throw new GatewayError("not-implemented", "Cannot tell events of the past: subscribe without getEventsSince, then ask for the nodes");
			subscribers.subscribe(request, xmlns, { events: eventsOf(payload), detail: detailOf(payload), ttl: ttlOf(payload) }, encode);
			return undefined;
		},
		unsubscribe(request) {
			checkSource(request.payload.attrs["src"]);
			subscribers.unsubscribe(request, xmlns, eventsOf(request.payload));
			return undefined;
		},
	};

	const routes = (type: Route["type"], answers: Readonly<Record<string, Answer>>): Route[] => Object.entries(answers).map(([name, answer]): Route => ({ type, xmlns, name, at: "gateway", answer }));
	return [...routes("get", get), ...routes("set", set), ...NOT_IMPLEMENTED.map((name): Route => ({ type: "any", xmlns, name, at: "gateway", answer: () => {
		throw new GatewayError("not-implemented", `Cannot do "${name}": getCapabilities says what can be done here`);
	} }))];
}

function refOf({ attrs: { id, src, pt } }: Element): NodeRef {
	if (id === undefined) throw new GatewayError("bad-request", "Cannot find a node: found no id");
	return { id, ...(src !== undefined && { source: src }), ...(pt !== undefined && { partition: pt }) };
}

function refsOf(payload: Element): NodeRef[] {
	const elements = payload.elements().filter(({ name, xmlns }) => name === "nd" && xmlns === payload.xmlns);
	if (elements.length > MAX_NAMES) throw new GatewayError("bad-request", `Cannot look for ${elements.length} nodes at once: at most ${MAX_NAMES}`);
	return elements.map(parseNode);
}

function typesOf(payload: Element): ReadonlySet<string> {
	return new Set(payload.elements().filter(({ name, xmlns }) => name === "onlyIfDerivedFrom" && xmlns === payload.xmlns).map((element) => element.text().trim()));
}

function eventsOf(payload: Element): ReadonlySet<EventName> {
	return new Set(EVENTS.filter((event) => flagOf(payload, event, true)));
}

/** xs:positiveInteger, in seconds. */
function ttlOf({ attrs: { ttl } }: Element): number {
	const seconds = /^\s*\+?\d{1,9}\s*$/.test(ttl ?? "") ? Number(ttl) : 0;
	if (seconds < 1) throw new GatewayError("bad-request", `Cannot read ttl="${short(ttl ?? "")}": it takes a number of seconds, at least 1`);
	if (seconds > MAX_TTL) throw new GatewayError("bad-value", `Cannot subscribe for ${seconds} s: at most ${MAX_TTL} s, that is a day; renew it before`);
	return seconds;
}

function nodeElement(xmlns: string, name: string, info: NodeInfo, more: Readonly<Record<string, string | undefined>>): Element {
	const { id, type, name: displayName, state, isReadable, isControllable, changed, parameters, messages } = info;
	return xml(name, {
		xmlns, id, src: DATA_SOURCE, nodeType: type, displayName, state, hasChildren: "false",
		isReadable: String(isReadable), isControllable: String(isControllable), hasCommands: String(isControllable), lastChanged: formatDateTime(changed), ...more,
	}, ...parameters.map(({ type: kind, ...attrs }) => xml(kind, attrs)), ...messages.map(messageElement));
}

function messageElement({ at, type, text }: NodeMessage): Element {
	return xml("message", { timestamp: formatDateTime(at) ?? "1970-01-01T00:00:00Z", type }, text);
}

function* each<T, U>(items: Iterable<T>, make: (item: T) => U): Generator<U> {
	for (const item of items) yield make(item);
}
