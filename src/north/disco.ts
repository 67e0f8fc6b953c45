// XEP-0030: Service Discovery, with the pages of XEP-0059
// Source: https://xmpp.org/extensions/xep-0030.html , https://xmpp.org/extensions/xep-0059.html
// Version: XEP-0030 2.5rc3 (2017-10-03), XEP-0059 1.0 (2006-09-20)

import { GatewayError } from "../core/errors.js";
import { type Element, xml } from "../xmpp/xml.js";
import { jidOf } from "./addresses.js";
import { type Capabilities, type Info, NS_CAPS } from "./caps.js";
import { unknownNode } from "./conditions.js";
import type { DiscoItem, DiscoNode, Request, Verbs, XepModule } from "./module.js";

export const NS_DISCO_INFO = "http://jabber.org/protocol/disco#info";
export const NS_DISCO_ITEMS = "http://jabber.org/protocol/disco#items";
export const NS_RSM = "http://jabber.org/protocol/rsm";

/** Items in one answer: some 20 kB. Who wants more asks for the next page. */
const MAX_ITEMS = 200;

export interface DiscoOptions {
	readonly capabilities: Capabilities;
	/** Whose nodes are to be found, in this order. */
	readonly modules: () => readonly XepModule[];
}

/** Say what an address is and can do; at the gateway's own address, which devices there are for the asker. */
export function disco(verbs: Verbs, { capabilities, modules }: DiscoOptions): XepModule {
	/** @throws {GatewayError} for a node that no module knows, or of which the asker may not know. */
	function nodeOf(request: Request, node: string): DiscoNode {
		// A stranger, who may ask what the gateway is, has not been let in to its nodes.
		if (request.twin !== undefined || verbs.access.knows(request.who)) {
			for (const module of modules()) {
				const found = module.node?.(request, node);
				if (found) return found;
			}
		}
		throw unknownNode(node);
	}

	/** Exactly what the asker may see, in an order that pages can rely on. */
	function devicesFor(who: string): DiscoItem[] {
		const items: (DiscoItem & { readonly id: string })[] = [];
		for (const { device: { id, name, points } } of verbs.registry.all()) {
			const jid = verbs.access.maySee(who, id, points) ? jidOf(verbs.domain, id) : undefined;
			if (jid !== undefined) items.push({ id, jid, name });
		}
		return items.sort((a, b) => (a.id < b.id ? -1 : 1));
	}

	return {
		features: { device: [NS_DISCO_INFO, NS_DISCO_ITEMS, NS_CAPS], gateway: [NS_DISCO_INFO, NS_DISCO_ITEMS, NS_CAPS, NS_RSM] },
		routes: [
			{
				type: "get", xmlns: NS_DISCO_INFO, name: "query", at: "both", open: true,
				answer(request) {
					const { node } = request.payload.attrs;
					const own = capabilities.of(request.twin);
					return infoElement(node, node === undefined || node === own.node ? own : nodeOf(request, node));
				},
			},
			{
				type: "get", xmlns: NS_DISCO_ITEMS, name: "query", at: "both", open: true,
				answer(request) {
					const { node } = request.payload.attrs;
					const items = node !== undefined ? nodeOf(request, node).items : request.twin ? [] : devicesFor(request.who);
					const { shown, set } = page(items, request.payload.child("set", NS_RSM));
					return xml("query", { xmlns: NS_DISCO_ITEMS, node }, ...shown.map(({ jid, node, name }) => xml("item", { jid, node, name })), set);
				},
			},
		],
	};
}

function infoElement(node: string | undefined, { identities, features }: Info): Element {
	return xml("query", { xmlns: NS_DISCO_INFO, node },
		...identities.map(({ category, type, name }) => xml("identity", { category, type, name })),
		...features.map((feature) => xml("feature", { var: feature })));
}

/**
 * XEP-0059 §2: the page that `asked` describes, and the `<set/>` that describes it in return. Without a question the first page,
 * described only if it is not the whole.
 *
 * @throws {GatewayError} `bad-request` for a `<max/>` that is no number; `unknown-point` for an item that is not there (§2.5).
 */
function page(items: readonly DiscoItem[], asked: Element | undefined): { readonly shown: readonly DiscoItem[]; readonly set: Element | undefined } {
	if (asked === undefined && items.length <= MAX_ITEMS) return { shown: items, set: undefined };
	const max = Math.min(MAX_ITEMS, maxOf(asked?.child("max")?.text()));
	const after = asked?.child("after")?.text();
	const before = asked?.child("before")?.text();
	const end = before === undefined || before === "" ? items.length : indexOf(items, before);
	const start = after !== undefined && after !== "" ? indexOf(items, after) + 1 : before !== undefined ? Math.max(0, end - max) : 0;
	const shown = items.slice(start, Math.min(end, start + max));
	const [first, last] = [shown[0], shown[shown.length - 1]];
	return { shown, set: xml("set", { xmlns: NS_RSM },
		first && xml("first", { index: String(start) }, uidOf(first)),
		last && xml("last", {}, uidOf(last)),
		xml("count", {}, String(items.length))) };
}

function maxOf(text: string | undefined): number {
	if (text === undefined) return MAX_ITEMS;
	if (!/^\d{1,9}$/.test(text)) throw new GatewayError("bad-request", `Cannot use "${text}" as <max/>: it must be a whole number`);
	return Number(text);
}

function uidOf({ jid, node }: DiscoItem): string {
	return node === undefined ? jid : `${jid} ${node}`;
}

function indexOf(items: readonly DiscoItem[], uid: string): number {
	const index = items.findIndex((item) => uidOf(item) === uid);
	if (index < 0) throw unknownNode(uid);
	return index;
}
