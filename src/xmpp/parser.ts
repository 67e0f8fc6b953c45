// RFC 6120 §4 and §11: XML streams, cut into stanzas; bounded, and linear in the bytes.
// Source: https://www.rfc-editor.org/rfc/rfc6120#section-11
import { StringDecoder } from "node:string_decoder";
import { type SaxesAttributeNS, SaxesParser, type SaxesTagNS } from "saxes";
import { XmppError } from "./error.js";
import { Element } from "./xml.js";

export const NS_STREAMS = "http://etherx.jabber.org/streams";

/** What a stanza may cost. Beyond it the stream is closed with `policy-violation`. */
export interface ParserLimits {
	/** Bytes of UTF-8 from one stanza's end to the next one's. */
	readonly stanzaBytes: number;
	/** Elements inside each other; the stanza itself is the first. */
	readonly depth: number;
	/** Elements in one stanza, at all depths together. */
	readonly elements: number;
	/** Attributes of one element, namespace declarations included. */
	readonly attributes: number;
}

/**
 * Half of Prosody's limit for a component: room for an avatar, none for a flood.
 * Depth: a form in a command in a forwarded archive message takes 10. Elements: a service with 5000 items takes 5002,
 * and each costs some 200 bytes of memory.
 */
export const DEFAULT_LIMITS: ParserLimits = { stanzaBytes: 256 * 1024, depth: 64, elements: 10_000, attributes: 100 };

/** The opening `<stream:stream>`. */
export interface StreamHeader {
	/** The default namespace, which is that of the stanzas: `jabber:component:accept`, `jabber:client`. */
	readonly namespace: string;
	readonly attrs: Readonly<Record<string, string>>;
}

/** What a stream consists of. What these throw comes out of `push()` as it is. */
export interface StreamEvents {
	open(header: StreamHeader): void;
	/** Any element directly in the stream: a stanza, or one of the stream's own such as `<error xmlns='http://etherx.jabber.org/streams'/>`. */
	stanza(stanza: Element): void;
	close(): void;
}

/** An element that is not complete yet. */
interface Opened {
	readonly name: string;
	readonly xmlns: string;
	readonly attrs: Record<string, string>;
	readonly children: (Element | string)[];
}

/**
 * Bytes are given to saxes in pieces of this many: a stanza cannot overshoot its limit by more, and a string that somebody keeps
 * (V8 cuts it out of its piece without copying) holds no more than this in memory.
 */
const PIECE_BYTES = 4096;

/** What may not begin a name (XML 1.0 §2.3), and no colon: saxes has checked everything else. */
const LOCAL_NAME = /^[^-.0-9:\u00b7\u0300-\u036f\u203f\u2040][^:]*$/;

/** One stream from its first byte to its last. A new connection takes a new parser. */
export class StreamParser {
	readonly #events: StreamEvents;
	readonly #limits: ParserLimits;
	readonly #decoder = new StringDecoder("utf8");
	readonly #saxes = new SaxesParser({ xmlns: true, position: false, defaultXMLVersion: "1.0", forceXMLVersion: true });
	readonly #open: Opened[] = [];
	/** Told only after saxes has returned: it is not re-entrant, and what a handler throws is no fault of the XML. */
	#ready: (() => void)[] = [];
	#namespace = "";
	#state: "header" | "stanzas" | "closed" = "header";
	#failure: XmppError | undefined;
	#elements = 0;
	/** Bytes since the last stanza ended, in the pieces before this one. */
	#bytes = 0;
	#piece = "";
	/** Characters of the whole stream: where this piece begins, and where the last stanza ended if that is in this piece. */
	#start = 0;
	#boundary = 0;

	constructor(events: StreamEvents, limits: Partial<ParserLimits> = {}) {
		this.#events = events;
		this.#limits = { ...DEFAULT_LIMITS, ...limits };
		const saxes = this.#saxes;
		saxes.on("xmldecl", ({ encoding }) => {
			if (encoding !== undefined && encoding.toLowerCase() !== "utf-8") throw new XmppError("unsupported-encoding", `Cannot read the stream: found encoding "${encoding}", wanted UTF-8`);
		});
		saxes.on("opentag", (tag) => this.#opened(tag));
		saxes.on("closetag", () => this.#closed());
		saxes.on("text", (text) => this.#text(text));
		saxes.on("cdata", (text) => this.#text(text));
		saxes.on("comment", () => refuse("a comment"));
		saxes.on("doctype", () => refuse("a document type declaration"));
		saxes.on("processinginstruction", () => refuse("a processing instruction"));
		saxes.on("error", ({ message }) => {
			throw new XmppError("not-well-formed", `Cannot read the stream: found XML that is not well-formed (${message.replace(/\.$/, "")})`);
		});
	}

	/**
	 * Take the next bytes, cut anywhere. Stanzas that are complete are told before a fault behind them is thrown.
	 * @throws XmppError with the condition to close the stream with; the parser is of no use afterwards and throws it again.
	 */
	push(chunk: Uint8Array): void {
		for (let at = 0; at < chunk.length; at += PIECE_BYTES) {
			if (this.#failure !== undefined) throw this.#failure;
			if (this.#state === "closed") return; // nothing after </stream:stream> means anything
			this.#read(this.#decoder.write(chunk.subarray(at, at + PIECE_BYTES)));
			const ready = this.#ready;
			this.#ready = [];
			for (const tell of ready) tell();
		}
		if (this.#failure !== undefined) throw this.#failure;
	}

	#read(decoded: string): void {
		// Keep-alive space between stanzas is not shown to saxes, which would collect it until the next stanza.
		const text = this.#state === "stanzas" && this.#bytes === 0 ? decoded.replace(/^[ \t\r\n]+/, "") : decoded;
		this.#piece = text;
		this.#boundary = this.#start;
		try {
			this.#saxes.write(text);
			if (this.#state === "closed") return;
			const rest = text.slice(this.#boundary - this.#start);
			const between = this.#state === "stanzas" && this.#bytes === 0 && this.#open.length === 0 && /^[ \t\r\n]*$/.test(rest);
			if (!between) this.#count(rest);
		} catch (error) {
			this.#failure = error instanceof XmppError ? error : new XmppError("not-well-formed", `Cannot read the stream: ${String(error)}`, { cause: error });
		}
		this.#start += text.length;
	}

	#count(text: string): void {
		this.#bytes += Buffer.byteLength(text);
		if (this.#bytes > this.#limits.stanzaBytes) tooMuch(`more than ${this.#limits.stanzaBytes} bytes`);
	}

	#opened(tag: SaxesTagNS): void {
		if (this.#state === "header") return this.#openStream(tag);
		// saxes takes `<p:>`, `<p:1>` and `<:a>`, whose local names could not be printed again (Namespaces in XML 1.0 §4).
		if (!LOCAL_NAME.test(tag.local)) throw new XmppError("not-well-formed", `Cannot read the stream: found the name "${tag.name.slice(0, 100)}", wanted one with a name on both sides of a colon`);
		const depth = this.#open.length + 1;
		if (depth > this.#limits.depth) tooMuch(`more than ${this.#limits.depth} elements inside each other`);
		if (++this.#elements > this.#limits.elements) tooMuch(`more than ${this.#limits.elements} elements`);
		const parent = this.#open.at(-1);
		const xmlns = tag.uri === this.#namespace ? "" : tag.uri;
		const attrs = this.#attrs(tag.attributes);
		if (xmlns !== (parent?.xmlns ?? "")) attrs["xmlns"] = xmlns;
		this.#open.push({ name: tag.local, xmlns, attrs, children: [] });
	}

	#openStream(tag: SaxesTagNS): void {
		if (tag.local !== "stream" || tag.uri !== NS_STREAMS) {
			throw new XmppError("invalid-namespace", `Cannot read the stream: found <${tag.name}> in namespace "${tag.uri}", wanted <stream:stream> in "${NS_STREAMS}"`);
		}
		const header = { namespace: tag.attributes["xmlns"]?.value ?? "", attrs: this.#attrs(tag.attributes) };
		this.#namespace = header.namespace;
		this.#state = "stanzas";
		this.#restart();
		this.#ready.push(() => this.#events.open(header));
	}

	#closed(): void {
		const done = this.#open.pop();
		if (done === undefined) {
			this.#state = "closed";
			this.#ready.push(() => this.#events.close());
			return;
		}
		const parent = this.#open.at(-1);
		const element = new Element(done.name, done.attrs, done.children, parent?.xmlns ?? "");
		if (parent !== undefined) return void parent.children.push(element);
		this.#restart();
		this.#ready.push(() => this.#events.stanza(element));
	}

	/** A stanza ends here, just behind its `>`; the next one's limits begin. */
	#restart(): void {
		const position = this.#saxes.position;
		this.#count(this.#piece.slice(this.#boundary - this.#start, position - this.#start));
		this.#boundary = position;
		this.#bytes = 0;
		this.#elements = 0;
	}

	#text(text: string): void {
		const parent = this.#open.at(-1);
		if (parent !== undefined) parent.children.push(text);
		else if (/[^ \t\r\n]/.test(text)) {
			throw new XmppError(this.#state === "header" ? "not-well-formed" : "bad-format", "Cannot read the stream: found text between elements, wanted white space at most");
		}
	}

	/** Without declarations of namespaces, which are resolved. */
	#attrs(from: Record<string, SaxesAttributeNS>): Record<string, string> {
		const attrs: Record<string, string> = {};
		let count = 0;
		for (const name of Object.keys(from)) {
			if (++count > this.#limits.attributes) tooMuch(`more than ${this.#limits.attributes} attributes on one element`);
			const attribute = from[name];
			if (attribute !== undefined && attribute.prefix !== "xmlns" && name !== "xmlns") attrs[name] = attribute.value;
		}
		return attrs;
	}
}

/**
 * One stanza from its text, as a component would hear it: what has no namespace is in that of the stream.
 * @throws XmppError if it is not exactly one well-formed stanza within the limits.
 */
export function parseStanza(text: string, limits: Partial<ParserLimits> = {}): Element {
	const found: Element[] = [];
	const parser = new StreamParser({ open: () => undefined, stanza: (stanza) => found.push(stanza), close: () => undefined }, limits);
	parser.push(Buffer.from(`<stream:stream xmlns='jabber:component:accept' xmlns:stream='${NS_STREAMS}'>`));
	parser.push(Buffer.from(text));
	parser.push(Buffer.from("</stream:stream>"));
	const stanza = found[0];
	if (stanza === undefined || found.length > 1) throw new XmppError("bad-format", `Cannot read a stanza: found ${found.length} elements, wanted one`);
	return stanza;
}

function refuse(what: string): never {
	throw new XmppError("restricted-xml", `Cannot read the stream: found ${what}, which RFC 6120 §11.1 forbids`);
}

function tooMuch(what: string): never {
	throw new XmppError("policy-violation", `Cannot take a stanza: it has ${what}`);
}
