// RFC 6120 §8.3: Stanza Errors
// Source: https://www.rfc-editor.org/rfc/rfc6120#section-8.3

import { type Fault, GatewayError } from "../core/errors.js";
import { type Condition, errorElement, errorReply, type ErrorType } from "../xmpp/stanza.js";
import { type Element, xml } from "../xmpp/xml.js";

/** The only place where a fault of ours becomes a condition of RFC 6120 §8.3.3. `forbidden` is of type cancel as in XEP-0323 and XEP-0325. */
export const CONDITION_OF: Readonly<Record<Fault, readonly [ErrorType, Condition]>> = {
	"unknown-device": ["cancel", "item-not-found"],
	"unknown-point": ["cancel", "item-not-found"],
	"not-writable": ["cancel", "not-allowed"],
	"not-readable": ["cancel", "not-allowed"],
	"bad-value": ["modify", "bad-request"],
	"bad-request": ["modify", "bad-request"],
	"forbidden": ["cancel", "forbidden"],
	"busy": ["wait", "resource-constraint"],
	"conflict": ["cancel", "conflict"],
	"device-offline": ["wait", "recipient-unavailable"],
	"device-timeout": ["wait", "remote-server-timeout"],
	"device-differs": ["modify", "not-acceptable"],
	"device-refused": ["modify", "not-acceptable"],
	"link-down": ["wait", "internal-server-error"],
	"not-implemented": ["cancel", "feature-not-implemented"],
	"bad-frame": ["wait", "internal-server-error"],
	"bad-payload": ["wait", "internal-server-error"],
	"bad-config": ["cancel", "internal-server-error"],
	"store-failed": ["wait", "internal-server-error"],
};

/** A fault together with what a XEP wants to see in its error stanza. */
export class Refusal extends GatewayError {
	/** Ahead of `<error/>`: `<rejected/>`, `<setResponse/>`. */
	readonly before: readonly Element[];
	/** Inside `<error/>`, after the condition: `<paramError/>`, `<unsupported/>`. */
	readonly application: readonly Element[];

	constructor(fault: Fault, message: string, parts: { readonly before?: readonly Element[]; readonly application?: readonly Element[] } = {}) {
		super(fault, message);
		this.before = parts.before ?? [];
		this.application = parts.application ?? [];
	}
}

/** A disco or pubsub node that nobody here knows. */
export function unknownNode(node: string): GatewayError {
	return new GatewayError("unknown-point", `Cannot find node "${node}"`);
}

/** A longer text helps nobody, and may be an echo of what the asker sent. */
const MAX_TEXT = 500;

/** The stanza error that a fault becomes: what `message` says goes to the contact. */
export function refuse(stanza: Element, error: GatewayError): Element {
	const [type, condition] = CONDITION_OF[error.fault];
	const text = error.message.length > MAX_TEXT ? `${error.message.slice(0, MAX_TEXT)}…` : error.message;
	if (!(error instanceof Refusal)) return errorReply(stanza, type, condition, text);
	const { from, to, id } = stanza.attrs;
	return xml(stanza.name, { type: "error", to: from, from: to, id }, ...error.before, errorElement(type, condition, text, ...error.application));
}

/** What a stranger is told, whatever he asked, and whether or not there is such a device: design §3.3. */
export function unavailableTo(stanza: Element): Element {
	return errorReply(stanza, "cancel", "service-unavailable");
}
