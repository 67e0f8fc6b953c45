// RFC 6121 §4.7: Presence Syntax
// Source: https://www.rfc-editor.org/rfc/rfc6121#section-4.7

import type { Availability } from "../core/availability.js";
import { type Element, escapeAttr, xml } from "../xmpp/xml.js";

/** A presence stanza that lacks only its `to`: built once for all who see the same of a device. */
export interface Template {
	readonly head: string;
	readonly tail: string;
	readonly available: boolean;
}

/** RFC 6121 §4.7.2.1, design §3.3. Offline and unknown devices have no available presence. */
const SHOW: Readonly<Record<Availability, string | undefined>> = { online: undefined, late: "away", asleep: "xa", faulty: "dnd", offline: undefined, unknown: undefined };

/** The presence of a device that is there. @param c `<c/>` of XEP-0115. */
export function available(from: string, availability: Availability, status: string | undefined, c: Element): Template {
	return templateOf(from, true, [element("show", SHOW[availability]), element("status", status), c]);
}

/** The presence of a device that is not there, or not for this contact. */
export function unavailable(from: string, status?: string): Template {
	return templateOf(from, false, [element("status", status)]);
}

export function stanzaOf({ head, tail }: Template, to: string): string {
	return head + escapeAttr(to) + tail;
}

/** Would the same contact be told the same? */
export function isSame(a: Template | undefined, b: Template | undefined): boolean {
	return a === b || (a !== undefined && b !== undefined && a.tail === b.tail && a.head === b.head);
}

function element(name: string, text: string | undefined): Element | undefined {
	return text === undefined ? undefined : xml(name, {}, text);
}

function templateOf(from: string, isAvailable: boolean, children: readonly (Element | undefined)[]): Template {
	const content = children.filter((child) => child !== undefined).join("");
	return {
		head: `<presence${isAvailable ? "" : " type='unavailable'"} from='${escapeAttr(from)}' to='`,
		tail: content === "" ? "'/>" : `'>${content}</presence>`,
		available: isAvailable,
	};
}
