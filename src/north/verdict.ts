// RFC 6120 §8.3.3: what an error says of a receiver, who may be a person, a room or another gateway.
// Source: https://www.rfc-editor.org/rfc/rfc6120#section-8.3.3

import { RequestError } from "../xmpp/requests.js";
import { type Condition, readError } from "../xmpp/stanza.js";
import type { Element } from "../xmpp/xml.js";

/** His account is gone. `service-unavailable` is not among them, since it is also said of who is offline. */
const GONE: ReadonlySet<Condition> = new Set<Condition>(["gone", "jid-malformed"]);
/** There is no such account now: a room or a server that is starting says so, too. */
const MISSING: Condition = "item-not-found";
/** He, or his server, will never take this one. */
const REFUSED: ReadonlySet<Condition> = new Set<Condition>([
	"bad-request", "feature-not-implemented", "forbidden", "not-acceptable", "not-allowed", "not-authorized", "policy-violation", "redirect", "registration-required", "subscription-required", "unexpected-request",
]);
/** Said by servers on the way: his own was not reached. */
const NOT_REACHED: ReadonlySet<Condition> = new Set<Condition>(["remote-server-not-found", "remote-server-timeout", "internal-server-error", "resource-constraint"]);

/**
 * - `gone`: there is nobody any more.
 * - `missing`: there is nobody now; when it is said again and again, he is gone.
 * - `refused`: this one will never be taken.
 * - `unreached`: no way led to his server; it is tried again later.
 * - `later`: it was not taken now, because of him or because of who sent it; it is tried again later.
 */
export type Fate = "gone" | "missing" | "refused" | "unreached" | "later";

/** A message came back: what becomes of it? */
export function verdictOf(bounce: Element): { readonly fate: Fate; readonly condition: Condition; readonly text: string } {
	const { type, condition, text } = readError(bounce);
	return { fate: fateOf(type, condition), condition, text: text.slice(0, 200) };
}

function fateOf(type: string, condition: Condition): Fate {
	if (NOT_REACHED.has(condition)) return "unreached";
	if (type === "wait") return "later";
	if (GONE.has(condition)) return "gone";
	if (condition === MISSING) return "missing";
	return REFUSED.has(condition) ? "refused" : "later";
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
