// XML as XMPP uses it: elements, attributes and text; no comments, instructions, doctypes or CDATA.
// Source: https://www.rfc-editor.org/rfc/rfc6120 §4.8 (namespaces) and §11 (XML usage)

/** Attributes as somebody builds them; `undefined` is left out. */
export type Attrs = Readonly<Record<string, string | undefined>>;

/**
 * One XML element that never changes. Attribute values are strings, as on the wire.
 *
 * Namespaces: an element without an `xmlns` attribute has that of its parent, built or parsed alike.
 * The namespace of the stream's own stanzas (`jabber:component:accept`, `jabber:client`) is written `""`, so that a stanza
 * may move from one kind of stream to another.
 */
export class Element {
	/** The local name, without a prefix. */
	readonly name: string;
	/** `xmlns` is among them where the element declares one; use the property `xmlns` to ask for the namespace. */
	readonly attrs: Readonly<Record<string, string>>;
	readonly children: readonly (Element | string)[];
	/** Unknown until a parent that knows its own namespace takes the element in. */
	readonly #xmlns: string | undefined;

	/** Use `xml()`, which checks names; the parser comes here directly. */
	constructor(name: string, attrs: Readonly<Record<string, string>>, children: readonly (Element | string)[], inherited?: string) {
		const xmlns = attrs["xmlns"] ?? inherited;
		this.name = name;
		this.attrs = attrs;
		this.#xmlns = xmlns;
		this.children = xmlns !== undefined && children.some((child) => child instanceof Element && child.#xmlns === undefined)
			? children.map((child) => (child instanceof Element ? child.#within(xmlns) : child))
			: children;
	}

	/** The resolved namespace; `""` for a stanza and for what inherits from it. */
	get xmlns(): string {
		return this.#xmlns ?? "";
	}

	/** The first child element of that name, and of that namespace if one is given. */
	child(name: string, xmlns?: string): Element | undefined {
		for (const child of this.children) {
			if (child instanceof Element && child.name === name && (xmlns === undefined || child.xmlns === xmlns)) return child;
		}
		return undefined;
	}

	/** The child elements in their order, without the text between them. */
	elements(): Element[] {
		return this.children.filter((child) => child instanceof Element);
	}

	/** The text directly inside, without that of child elements. */
	text(): string {
		return this.children.filter((child) => typeof child === "string").join("");
	}

	/** As it goes on the wire: every text made harmless, `xmlns` wherever it differs from the parent's. */
	toString(): string {
		return this.#print("");
	}

	/** A copy that inherits `xmlns`, if it has no namespace yet: one part may be built into several parents. */
	#within(xmlns: string): Element {
		return this.#xmlns === undefined ? new Element(this.name, this.attrs, this.children, xmlns) : this;
	}

	#print(outer: string): string {
		const { name, xmlns } = this;
		let out = xmlns === outer ? `<${name}` : `<${name} xmlns='${escapeAttr(xmlns)}'`;
		for (const key of Object.keys(this.attrs)) {
			// Any other prefix was declared somewhere that is not printed here; a server closes the stream on it.
			if (key === "xmlns" || (key.includes(":") && key !== "xml:lang")) continue;
			out += ` ${key}='${escapeAttr(this.attrs[key]!)}'`;
		}
		if (this.children.length === 0) return `${out}/>`;
		out += ">";
		for (const child of this.children) out += typeof child === "string" ? escapeText(child) : child.#print(xmlns);
		return `${out}</${name}>`;
	}
}

const NAME = /^[A-Za-z_][\w.-]*$/;
const ATTRIBUTE_NAME = /^(?:xml:lang|[A-Za-z_][\w.-]*)$/;

/**
 * Build an element: `xml("iq", { type: "get", to, id }, xml("ping", { xmlns: "urn:xmpp:ping" }))`.
 * Attributes and children that are `undefined`, and empty texts, are left out.
 * @throws TypeError for a name that is no XML name: names are written by programmers, never taken from data.
 */
export function xml(name: string, attrs: Attrs = {}, ...children: readonly (Element | string | undefined)[]): Element {
	if (!NAME.test(name)) throw new TypeError(`Cannot name an element "${name}": found characters outside ${NAME.source}`);
	const given: Record<string, string> = {};
	for (const key of Object.keys(attrs)) {
		if (!ATTRIBUTE_NAME.test(key)) throw new TypeError(`Cannot name an attribute "${key}": found characters outside ${ATTRIBUTE_NAME.source}`);
		const value = attrs[key];
		if (value !== undefined) given[key] = value;
	}
	return new Element(name, given, children.filter((child): child is Element | string => child !== undefined && child !== ""));
}

/** What XML 1.0 §2.2 cannot carry at all: C0 controls but TAB LF CR, U+FFFE, U+FFFF and lone surrogates. One of them ends the stream of all devices. */
const UNCARRIABLE = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g;
const LONE_SURROGATE = /\p{Surrogate}/gu;
const NEEDS_WORK = /[&<>'"\r\u0000-\u0008\u000b\u000c\u000e-\u001f\ud800-\udfff\ufffe\uffff]/;
const NEEDS_WORK_IN_ATTRIBUTE = /[&<>'"\t\n\r\u0000-\u0008\u000b\u000c\u000e-\u001f\ud800-\udfff\ufffe\uffff]/;

const ENTITIES: Readonly<Record<string, string>> = {
	"&": "&amp;", "<": "&lt;", ">": "&gt;", "'": "&apos;", '"': "&quot;",
	// Raw, these would be normalised to LF in text and to a space in an attribute (XML 1.0 §2.11, §3.3.3).
	"\r": "&#13;", "\n": "&#10;", "\t": "&#9;",
};

/** Any string as XML text; what XML cannot carry is dropped, a lone surrogate becomes U+FFFD. */
export function escapeText(text: string): string {
	return NEEDS_WORK.test(text) ? wellFormed(text).replace(/[&<>'"\r]/g, (c) => ENTITIES[c]!) : text;
}

/** Any string as an attribute value, for either kind of quotation mark. */
export function escapeAttr(text: string): string {
	return NEEDS_WORK_IN_ATTRIBUTE.test(text) ? wellFormed(text).replace(/[&<>'"\t\n\r]/g, (c) => ENTITIES[c]!) : text;
}

function wellFormed(text: string): string {
	return text.replace(UNCARRIABLE, "").replace(LONE_SURROGATE, "\ufffd");
}
