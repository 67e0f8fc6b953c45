// XEP-0060: Publish-Subscribe, as far as every contact is asked by chat clients
// Source: https://xmpp.org/extensions/xep-0060.html
// Version: 1.30

import { GatewayError } from "../core/errors.js";
import { type Element, xml } from "../xmpp/xml.js";
import { Refusal, unknownNode } from "./conditions.js";
import type { XepModule } from "./module.js";

export const NS_PUBSUB = "http://jabber.org/protocol/pubsub";
const NS_PUBSUB_ERRORS = "http://jabber.org/protocol/pubsub#errors";

/** What a request needs, in the words of §10 (feature summary). */
const FEATURES: Readonly<Record<string, string>> = {
	"publish": "publish", "subscribe": "subscribe", "unsubscribe": "subscribe", "create": "create-nodes", "retract": "retract-items", "options": "subscription-options",
	"subscriptions": "retrieve-subscriptions", "affiliations": "retrieve-affiliations", "default": "retrieve-default-sub",
};

/**
 * Say at once that there are no nodes here: chat clients ask every contact for avatars and device lists, and Conversations
 * holds back its messages until it has an answer.
 */
export function pubsub(): XepModule {
	return { routes: [{ type: "any", xmlns: NS_PUBSUB, name: "pubsub", at: "both", answer: ({ type, payload }) => { throw refusalOf(type, payload); } }] };
}

function refusalOf(type: "get" | "set", payload: Element): GatewayError {
	const [asked] = payload.elements();
	if (!asked) return new GatewayError("bad-request", "Cannot read this request: it asks for nothing");
	if (type === "get" && asked.name === "items") {
		const { node } = asked.attrs;
		return node === undefined
			? new Refusal("bad-request", "Cannot find items: no node is named", { application: [xml("nodeid-required", { xmlns: NS_PUBSUB_ERRORS })] })
			: unknownNode(node);
	}
	const feature = Object.hasOwn(FEATURES, asked.name) ? FEATURES[asked.name] : undefined;
	return new Refusal("not-implemented", `Cannot ${asked.name} here: there are no nodes`, feature === undefined ? {} : { application: [xml("unsupported", { xmlns: NS_PUBSUB_ERRORS, feature })] });
}
