// RFC 6120 §8.3.3: what an error says of a receiver, who may be a person, a room or another gateway.
// Source: https://www.rfc-editor.org/rfc/rfc6120#section-8.3.3

import { RequestError } from "../xmpp/requests.js";
import { type Condition, readError } from "../xmpp/stanza.js";
import type { Element } from "../xmpp/xml.js";

/** His account is gone. `service-unavailable` is not among them, since it is also said of who is offline. */
const GONE: ReadonlySet<Condition> = new Set<Condition>(["gone", "item-not-found", "jid-malformed"]);
/** He, or his server, will never take this one. */
const REFUSED: ReadonlySet<Condition> = new Set<Condition>([
	"bad-request", "feature-not-implemented", "forbidden", "not-acceptable", "not-allowed", "not-authorized", "policy-violation", "redirect", "registration-required", "subscription-required", "unexpected-request",
]);
/** Said by servers on the way: his own was not reached. */
const NOT_REACHED: ReadonlySet<Condition> = new Set<Condition>(["remote-server-not-found", "remote-server-timeout", "internal-server-error", "resource-constraint"]);

/** A message came back. Is there nobody any more, will this one never be taken, or is it tried again later? */
export function verdictOf(bounce: Element): { readonly fate: "gone" | "refused" | "later"; readonly condition: Condition; readonly text: string } {
	const { type, condition, text } = readError(bounce);
	const fate = type === "wait" ? "later" : GONE.has(condition) ? "gone" : REFUSED.has(condition) ? "refused" : "later";
	return { fate, condition, text: text.slice(0, 200) };
}

/**
 * What a ping without a result says: an answer of any kind is his server's, unless it says that it was not reached. `later`
 * is a reason on our side: too many questions at once, or no stream.
 */
export function reachOf(error: unknown): "reached" | "not reached" | "later" {
	if (!(error instanceof RequestError)) throw error;
	if (error.answer !== undefined) return error.type === "wait" || NOT_REACHED.has(error.condition) ? "not reached" : "reached";
	return error.condition === "remote-server-timeout" ? "not reached" : "later";
}
