// RFC 6120 §8: XML Stanzas
// Source: https://www.rfc-editor.org/rfc/rfc6120#section-8
import { type Element, xml } from "./xml.js";

export const NS_STANZAS = "urn:ietf:params:xml:ns:xmpp-stanzas";

/** RFC 6120 §8.3.2: what the sender may do about it. */
export type ErrorType = "auth" | "cancel" | "continue" | "modify" | "wait";

const ERROR_TYPES: ReadonlySet<string> = new Set<ErrorType>(["auth", "cancel", "continue", "modify", "wait"]);

/** RFC 6120 §8.3.3, all of them. */
export const CONDITIONS = [
	"bad-request", "conflict", "feature-not-implemented", "forbidden", "gone", "internal-server-error", "item-not-found",
	"jid-malformed", "not-acceptable", "not-allowed", "not-authorized", "policy-violation", "recipient-unavailable", "redirect",
	"registration-required", "remote-server-not-found", "remote-server-timeout", "resource-constraint", "service-unavailable",
	"subscription-required", "undefined-condition", "unexpected-request",
] as const;

/** What went wrong, in the words of RFC 6120 §8.3.3. */
export type Condition = (typeof CONDITIONS)[number];

/** Does this stanza ask for an answer? Everything else is never answered with an IQ (RFC 6120 §8.2.3). */
export function isRequest({ name, attrs }: Element): boolean {
	return name === "iq" && (attrs["type"] === "get" || attrs["type"] === "set");
}

/** The one payload element of an IQ get or set; `undefined` if there is none or more than one, which is a `bad-request` (RFC 6120 §8.2.3). */
export function payloadOf(iq: Element): Element | undefined {
	const elements = iq.elements();
	return elements.length === 1 ? elements[0] : undefined;
}

/** The answer to an IQ: from the address that was asked, to the full JID that asked, with the same id. */
export function resultReply(iq: Element, ...payload: readonly (Element | undefined)[]): Element {
	return xml(iq.name, replyAttrs(iq, "result"), ...payload);
}

/**
 * The refusal of any stanza, with `before` (application elements such as `<rejected/>`, or the payload) ahead of `<error/>`,
 * where slixmpp and Clayster look for them. Never call it for a stanza of type error (RFC 6120 §8.3.1).
 */
export function errorReply(stanza: Element, type: ErrorType, condition: Condition, text?: string, ...before: readonly (Element | undefined)[]): Element {
	return xml(stanza.name, replyAttrs(stanza, "error"), ...before, errorElement(type, condition, text));
}

/** `<error/>` itself, with application-specific conditions after the defined one (RFC 6120 §8.3.4). */
export function errorElement(type: ErrorType, condition: Condition, text?: string, ...application: readonly Element[]): Element {
	return xml("error", { type },
		xml(condition, { xmlns: NS_STANZAS }),
		text === undefined ? undefined : xml("text", { xmlns: NS_STANZAS }, text),
		...application);
}

/** What a stanza of type error says; a missing or unknown condition is `undefined-condition` (RFC 6120 §8.3.3.21). */
export function readError(stanza: Element): { readonly type: ErrorType; readonly condition: Condition; readonly text: string } {
	const error = stanza.child("error");
	const type = error?.attrs["type"];
	return {
		type: isErrorType(type) ? type : "cancel",
		condition: CONDITIONS.find((condition) => error?.child(condition, NS_STANZAS) !== undefined) ?? "undefined-condition",
		text: error?.child("text", NS_STANZAS)?.text() ?? "",
	};
}

function isErrorType(type: string | undefined): type is ErrorType {
	return type !== undefined && ERROR_TYPES.has(type);
}

function replyAttrs({ attrs }: Element, type: string): Record<string, string | undefined> {
	return { type, to: attrs["from"], from: attrs["to"], id: attrs["id"] };
}
