// XEP-0326: Internet of Things - Concentrators
// Source: https://xmpp.org/extensions/xep-0326.html
// Version: 0.4 (2017-05-20), Retracted; its successor is in neuro-concentrator.ts. Only what reads the tree.
import { type Fault, GatewayError } from "../../core/errors.js";
import { type Element, xml } from "../../xmpp/xml.js";
import { Refusal } from "../conditions.js";
import type { Request, Route, Verbs } from "../module.js";
import { formatDateTime } from "../readout/datetime.js";
import { DATA_SOURCE, parseNode } from "../readout/nodes.js";
import { checkSource, detailOf, nodeInfo, type NodeInfo, nodesFor, twinOf, wholeList } from "./topology.js";

export const NS_CONCENTRATORS = "urn:xmpp:iot:concentrators";

type Result = "OK" | "NotFound" | "InsufficientPrivileges" | "NotImplemented" | "OtherError";

const NOT_IMPLEMENTED = [
	"getRootDataSources", "getChildDataSources", "containsNode", "containsNodes", "getNodes", "getAllNodes", "getNodeInheritance", "getAncestors",
	"getIndices", "getNodesFromIndex", "getNodesFromIndices", "getAllIndexValues", "getNodeParametersForEdit", "setNodeParametersAfterEdit",
	"getCommonNodeParametersForEdit", "setCommonNodeParametersAfterEdit", "getAddableNodeTypes", "getParametersForNewNode", "createNewNode", "destroyNode",
	"getNodeCommands", "getCommandParameters", "executeNodeCommand", "executeNodeQuery", "abortNodeQuery", "getCommonNodeCommands", "getCommonCommandParameters",
	"executeCommonNodeCommand", "executeCommonNodeQuery", "abortCommonNodeQuery", "moveNodeUp", "moveNodeDown", "moveNodesUp", "moveNodesDown",
	"subscribe", "unsubscribe", "getDatabases", "getDatabaseReadoutParameters", "startDatabaseReadout",
] as const;

/** The five operations that read the tree, each in an element of its own: `<getNodeResponse result='OK'/>`. */
export function xep0326(verbs: Verbs): Route[] {
	type Content = { readonly attrs?: Readonly<Record<string, string | undefined>>; readonly children?: readonly Element[] };
	const answers: Readonly<Record<string, (request: Request) => Content>> = {
		getCapabilities: () => ({ children: Object.keys(answers).map((name) => xml("value", {}, name)) }),
		getAllDataSources: () => ({ children: [xml("dataSource", { sourceId: DATA_SOURCE, name: "Devices", hasChildren: "false" })] }),
		getRootNodes({ payload, who }) {
			checkSource(payload.attrs["sourceId"]);
			const detail = detailOf(payload);
			return { children: wholeList(nodes(who, (twin) => node(nodeInfo(twin, who, detail, verbs))), "list the devices page by page by service discovery, and ask for each with getNode") };
		},
		getChildNodes({ payload, who }) {
			twinOf(parseNode(payload), who, verbs);
			detailOf(payload);
			return {};
		},
		getNode({ payload, who }) {
			const info = nodeInfo(twinOf(parseNode(payload), who, verbs), who, detailOf(payload), verbs);
			return { attrs: attrsOf(info), children: childrenOf(info) };
		},
	};

	function* nodes(who: string, make: (twin: ReturnType<typeof twinOf>) => Element): Generator<Element> {
		for (const twin of nodesFor(who, verbs)) yield make(twin);
	}

	function node(info: NodeInfo): Element {
		return xml("node", { xmlns: NS_CONCENTRATORS, ...attrsOf(info) }, ...childrenOf(info));
	}

	const route = (type: Route["type"], name: string, answer: (request: Request) => Content): Route => ({
		type, xmlns: NS_CONCENTRATORS, name, at: "gateway",
		answer(request) {
			try {
				const { attrs = {}, children = [] } = answer(request);
				return response(name, "OK", attrs, children);
			} catch (error) {
				if (!(error instanceof GatewayError)) throw error;
				throw new Refusal(error.fault, error.message, { before: [response(name, resultOf(error.fault))] });
			}
		},
	});
	return [
		...Object.entries(answers).map(([name, answer]) => route("get", name, answer)),
		...NOT_IMPLEMENTED.map((name) => route("any", name, () => {
			throw new GatewayError("not-implemented", `Cannot do "${name}": getCapabilities says what can be done here`);
		})),
	];
}

function response(name: string, result: Result, attrs: Readonly<Record<string, string | undefined>> = {}, children: readonly Element[] = []): Element {
	return xml(`${name}Response`, { xmlns: NS_CONCENTRATORS, result, ...attrs }, ...children);
}

function attrsOf({ id, name, type, state, isReadable, isControllable, changed }: NodeInfo): Record<string, string | undefined> {
	return {
		nodeId: id, sourceId: DATA_SOURCE, displayName: name, nodeType: type, state, hasChildren: "false",
		// Commands are not offered in this vocabulary.
		isReadable: String(isReadable), isControllable: String(isControllable), hasCommands: "false", lastChanged: formatDateTime(changed),
	};
}

function childrenOf({ parameters, messages }: NodeInfo): Element[] {
	return [
		...parameters.map(({ type, ...attrs }) => xml(type, attrs)),
		...messages.map(({ at, type, text }) => xml("message", { timestamp: formatDateTime(at) ?? "1970-01-01T00:00:00Z", type }, text)),
	];
}

function resultOf(fault: Fault): Result {
	switch (fault) {
		case "unknown-device": case "unknown-point": return "NotFound";
		case "forbidden": return "InsufficientPrivileges";
		case "not-implemented": return "NotImplemented";
		default: return "OtherError";
	}
}
