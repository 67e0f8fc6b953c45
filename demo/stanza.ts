// XML as the demo's XMPP client sees it. Its own, and nothing of src/xmpp: a codec must not vouch for itself.

import { SaxesParser } from "saxes";

/** One element, with its namespace resolved. */
export interface Stanza {
	readonly name: string;
	readonly xmlns: string;
	readonly attrs: Readonly<Record<string, string>>;
	readonly children: readonly (Stanza | string)[];
}

/** The first child of this name (and namespace). */
export function child(stanza: Stanza | undefined, name: string, xmlns?: string): Stanza | undefined {
	return stanza?.children.find((each): each is Stanza => typeof each !== "string" && each.name === name && (xmlns === undefined || each.xmlns === xmlns));
}

/** All elements below, at whatever depth, in document order. */
export function descendants(stanza: Stanza): Stanza[] {
	return stanza.children.flatMap((each) => (typeof each === "string" ? [] : [each, ...descendants(each)]));
}

/** All text within; "" where there is none. */
export function textOf(stanza: Stanza | undefined): string {
	return stanza === undefined ? "" : stanza.children.map((each) => (typeof each === "string" ? each : textOf(each))).join("");
}

/** A text as XML content, or as the value of an attribute in single quotes. */
export function escape(text: string): string {
	return text.replace(/[&<>'"]/g, (sign) => `&#${sign.charCodeAt(0)};`);
}

interface Growing extends Stanza {
	readonly children: (Growing | string)[];
}

/** Cuts an XMPP stream into stanzas. Throws what saxes throws, as XMPP wants strict XML. */
export function stanzaParser(onStanza: (stanza: Stanza) => void): { write(text: string): void } {
	const parser = new SaxesParser({ xmlns: true });
	const open: Growing[] = [];
	parser.on("opentag", ({ local, uri, attributes }) => {
		const attrs = Object.fromEntries(Object.values(attributes).map(({ name, value }) => [name, value]));
		const element: Growing = { name: local, xmlns: uri, attrs, children: [] };
		// The stream itself is never kept as a parent: it would hold every stanza of the session.
		if (open.length > 1) open.at(-1)?.children.push(element);
		open.push(element);
	});
	parser.on("text", (text) => void (open.length > 1 && open.at(-1)?.children.push(text)));
	parser.on("closetag", () => {
		const element = open.pop();
		if (open.length === 1 && element !== undefined) onStanza(element);
	});
	parser.on("error", (error) => {
		throw error;
	});
	return { write: (text) => void parser.write(text) };
}
