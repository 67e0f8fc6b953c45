// What must be known of a message before its body is read as a command: standards 6.11 and 6.19.
import type { Element } from "../../xmpp/xml.js";

const NS_DELAY = "urn:xmpp:delay";
const NS_CORRECT = "urn:xmpp:message-correct:0";
const NS_FALLBACK = "urn:xmpp:fallback:0";
const NS_REPLY = "urn:xmpp:reply:0";

/** Elements that carry an encrypted message: XEP-0384 in its versions, XEP-0373, XEP-0027, and XEP-0380 which announces any. */
const ENCRYPTED: ReadonlySet<string> = new Set([
	"encrypted eu.siacs.conversations.axolotl", "encrypted urn:xmpp:omemo:1", "encrypted urn:xmpp:omemo:2", "openpgp urn:xmpp:openpgp:0", "x jabber:x:encrypted", "encryption urn:xmpp:eme:0",
]);

/** Is the body only a fallback for what cannot be read here? It must never be taken for a command. */
export function isEncrypted(message: Element): boolean {
	return message.elements().some(({ name, xmlns }) => ENCRYPTED.has(`${name} ${xmlns}`));
}

/** Was the message held back on its way (XEP-0203)? What was wished then may not be wished now. */
export function isDelayed(message: Element): boolean {
	return message.child("delay", NS_DELAY) !== undefined || message.child("x", "jabber:x:delay") !== undefined;
}

/** Does it change an earlier message (XEP-0308)? */
export function isCorrection(message: Element): boolean {
	return message.child("replace", NS_CORRECT) !== undefined;
}

/** The body without the quotation that a reply carries for older clients (XEP-0461, XEP-0428). Positions count code points. */
export function bodyOf(message: Element): string {
	const body = message.child("body")?.text() ?? "";
	const fallback = message.elements().find(({ name, xmlns, attrs }) => name === "fallback" && xmlns === NS_FALLBACK && attrs["for"] === NS_REPLY);
	if (!fallback) return body;
	const range = fallback.child("body");
	const points = [...body];
	const start = position(range?.attrs["start"], 0, points.length);
	const end = position(range?.attrs["end"], points.length, points.length);
	return points.slice(0, start).concat(points.slice(Math.max(start, end))).join("");
}

function position(text: string | undefined, absent: number, most: number): number {
	return text !== undefined && /^\d{1,6}$/.test(text) ? Math.min(Number(text), most) : absent;
}
