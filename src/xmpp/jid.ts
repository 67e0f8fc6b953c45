// RFC 7622: XMPP Address Format, and XEP-0106: JID Escaping
// Source: https://www.rfc-editor.org/rfc/rfc7622 , https://xmpp.org/extensions/xep-0106.html
// Version: XEP-0106 1.1 (2007-06-18)

/** An address in its parts, each normalised; a part that is absent is `""`. */
export interface Jid {
	readonly local: string;
	readonly domain: string;
	readonly resource: string;
}

/** RFC 7622 §3.1: each part in octets of UTF-8. */
export const MAX_PART_BYTES = 1023;
/** Three parts and two separators. */
const MAX_JID_CHARS = 3 * MAX_PART_BYTES + 2;

/** Controls, invisible and private characters, and spaces: none may be in an address that people compare by eye. */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Z}\ufffe\uffff]/u;
/** RFC 7622 §3.3.1. */
const NOT_IN_LOCAL = /["&'/:<>@]/;
/** What no host name has, in ASCII; beyond ASCII the server decides. */
const NOT_IN_DOMAIN = /[\u0000-,/:-@[-`{-\u007f]/;
const IPV6 = /^\[[0-9a-f:.]+\]$/;
const NOT_IN_RESOURCE = /[\p{Cc}\p{Cs}\ufffe\uffff]/u;

/**
 * `Lamp-1@Things.example.org/thing` → `{ local: "lamp-1", domain: "things.example.org", resource: "thing" }`; `undefined` if it is no address.
 *
 * A pragmatic profile: local and domain are lower-cased and NFC, and refuse what RFC 7622 refuses in ASCII and every invisible character.
 * Full-width and compatibility characters are left as they are: they compare unequal to their plain twins, which can only deny.
 */
export function parseJid(text: string): Jid | undefined {
	if (text.length > MAX_JID_CHARS) return undefined;
	const slash = text.indexOf("/");
	const address = slash < 0 ? text : text.slice(0, slash);
	const at = address.indexOf("@");
	const local = at < 0 ? "" : fold(address.slice(0, at));
	const domain = fold(address.slice(at + 1)).replace(/\.$/, ""); // RFC 7622 §3.2: a final dot is no part of it
	const resource = slash < 0 ? "" : text.slice(slash + 1).normalize("NFC");
	if (at >= 0 && !isLocal(local)) return undefined;
	if (!isDomain(domain)) return undefined;
	if (slash >= 0 && (!fits(resource) || NOT_IN_RESOURCE.test(resource))) return undefined;
	return { local, domain, resource };
}

/** The parts as one address again. */
export function formatJid({ local, domain, resource }: Jid): string {
	return `${local === "" ? "" : `${local}@`}${domain}${resource === "" ? "" : `/${resource}`}`;
}

/** `lamp-1@things.example.org/thing` → `lamp-1@things.example.org`, as written: for what a server has already normalised. */
export function bare(jid: string): string {
	const slash = jid.indexOf("/");
	return slash < 0 ? jid : jid.slice(0, slash);
}

/** `lamp-1@things.example.org/thing` → `lamp-1`, as written; `""` for a domain. */
export function localpart(jid: string): string {
	const address = bare(jid);
	return address.slice(0, Math.max(0, address.indexOf("@")));
}

/** `lamp-1@things.example.org/thing` → `things.example.org`, as written. */
export function domainpart(jid: string): string {
	const address = bare(jid);
	return address.slice(address.indexOf("@") + 1);
}

/** `lamp-1@things.example.org/thing` → `thing`; `""` for a bare JID. */
export function resourcepart(jid: string): string {
	const slash = jid.indexOf("/");
	return slash < 0 ? "" : jid.slice(slash + 1);
}

/** Do both name one account, however they are written? What is no address equals nothing, not even itself. */
export function sameBare(a: string, b: string): boolean {
	const one = parseJid(a);
	const other = parseJid(b);
	return one !== undefined && other !== undefined && one.local === other.local && one.domain === other.domain;
}

/** Do both name one address, resource included? */
export function sameJid(a: string, b: string): boolean {
	const one = parseJid(a);
	const other = parseJid(b);
	return one !== undefined && other !== undefined && one.local === other.local && one.domain === other.domain && one.resource === other.resource;
}

/** XEP-0106 §4.2. */
const ESCAPES = new Map([
	[" ", "\\20"], ['"', "\\22"], ["&", "\\26"], ["'", "\\27"], ["/", "\\2f"], [":", "\\3a"], ["<", "\\3c"], [">", "\\3e"], ["@", "\\40"], ["\\", "\\5c"],
]);
const UNESCAPES = new Map([...ESCAPES].map(([plain, code]) => [code, plain]));
/** A backslash is escaped only where it would otherwise read as an escape (§4.2, note). */
const TO_ESCAPE = /[ "&'/:<>@]|\\(?=20|22|26|27|2f|3a|3c|3e|40|5c)/g;
const TO_UNESCAPE = /\\(?:20|22|26|27|2f|3a|3c|3e|40|5c)/g;

/**
 * Any id as a localpart: `zigbee2mqtt/0x00158D` → `zigbee2mqtt\2f0x00158d`. Lower-cased; spaces at either end are dropped (XEP-0106 §4.1 forbids them).
 * `undefined` where no localpart can carry it: nothing is left, a control character, or more than 1023 bytes.
 */
export function escapeLocal(id: string): string | undefined {
	const local = fold(id.replace(/^ +| +$/g, "")).replace(TO_ESCAPE, (c) => ESCAPES.get(c)!);
	return isLocal(local) ? local : undefined;
}

/** The id that a localpart stands for: `boiler\201` → `boiler 1`. */
export function unescapeLocal(local: string): string {
	return local.replace(TO_UNESCAPE, (code) => UNESCAPES.get(code)!);
}

function fold(text: string): string {
	return text.normalize("NFC").toLowerCase().normalize("NFC");
}

function fits(part: string): boolean {
	return part !== "" && (part.length * 3 <= MAX_PART_BYTES || new TextEncoder().encode(part).length <= MAX_PART_BYTES);
}

function isLocal(part: string): boolean {
	return fits(part) && !NOT_IN_LOCAL.test(part) && !INVISIBLE.test(part);
}

function isDomain(part: string): boolean {
	if (!fits(part)) return false;
	if (part.startsWith("[")) return IPV6.test(part);
	return !NOT_IN_DOMAIN.test(part) && !INVISIBLE.test(part) && part.split(".").every((label) => label !== "" && label.length <= 63);
}
