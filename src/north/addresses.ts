// Design §3.3: a device is <id>@<domain>, its full JID always <id>@<domain>/thing, and the gateway is the domain itself.

import { GATEWAY_ID } from "../core/access.js";
import type { Twin } from "../core/twin.js";
import { bare, domainpart, escapeLocal, formatJid, parseJid, resourcepart, unescapeLocal } from "../xmpp/jid.js";
import type { Verbs } from "./module.js";

/** The one resource of every device: constant, since Smack reads full JIDs only and people's clients remember it. */
export const RESOURCE = "thing";

/** What a `to` means. */
export interface Address {
	/** The device id, unescaped; `GATEWAY_ID` for the gateway itself. */
	readonly id: string;
	/** The bare JID, normalised. */
	readonly jid: string;
	readonly isBare: boolean;
	/** Nothing for the gateway itself, and for a device that does not exist. */
	readonly twin: Twin | undefined;
}

/** The bare JID of a device, or of the gateway for `GATEWAY_ID`; nothing where no JID can carry the id. */
export function jidOf(domain: string, id: string): string | undefined {
	if (id === GATEWAY_ID) return domain;
	const local = escapeLocal(id);
	return local === undefined ? undefined : `${local}@${domain}`;
}

/** The full JID from which presence comes. */
export function fullJidOf(domain: string, id: string): string | undefined {
	const jid = jidOf(domain, id);
	return jid === undefined ? undefined : `${jid}/${RESOURCE}`;
}

/** What `to` means; nothing for an address of another domain, in whose name the gateway must not even say no. */
export function resolve({ domain, registry }: Pick<Verbs, "domain" | "registry">, to: string): Address | undefined {
	const isBare = resourcepart(to) === "";
	const jid = parseJid(to);
	if (jid === undefined) {
		// The server let it pass, so it may be answered; no device of ours can be meant.
		return domainpart(to).toLowerCase() === domain && bare(to) !== domain ? { id: unescapeLocal(bare(to)), jid: bare(to), isBare, twin: undefined } : undefined;
	}
	if (jid.domain !== domain) return undefined;
	const id = jid.local === "" ? GATEWAY_ID : unescapeLocal(jid.local);
	// A device has one address: what escapes more than XEP-0106 §4.2 asks for would never match its presence.
	const twin = id !== GATEWAY_ID && escapeLocal(id) === jid.local ? registry.find(id) : undefined;
	return { id, jid: formatJid({ ...jid, resource: "" }), isBare, twin };
}

/** The bare JID of whoever sent this, normalised: what access is decided by. Nothing for what is no address. */
export function whoOf(from: string): string | undefined {
	const jid = parseJid(from);
	return jid && formatJid({ ...jid, resource: "" });
}

/** May he know that this address exists? */
export function isLetIn({ access }: Pick<Verbs, "access">, who: string, id: string, twin: Twin | undefined): boolean {
	if (id === GATEWAY_ID) return access.knows(who);
	return twin !== undefined && access.maySee(who, twin.device.id, twin.device.points);
}
