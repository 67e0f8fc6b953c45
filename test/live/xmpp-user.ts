// A person's XMPP client for tests: plain TCP to a server on loopback. It has its own reader of XML, since src/xmpp must not vouch for itself.

import { connect, type Socket } from "node:net";
import { StringDecoder } from "node:string_decoder";
import { waitUntil } from "./servers/processes.js";
import type { Account, XmppServer } from "./servers/server.js";

/** An element as it was received. Prefixes are left in the name. */
export interface Xml {
	readonly name: string;
	readonly xmlns: string;
	readonly attrs: Readonly<Record<string, string>>;
	readonly children: readonly Xml[];
	/** Its own character data, decoded. */
	readonly text: string;
	/** The bytes of it, as they came. */
	readonly raw: string;
}

export interface User {
	/** Bare JID. */
	readonly jid: string;
	readonly full: string;
	/** Everything that was received and not yet taken by `next()`. */
	readonly unread: readonly Xml[];
	send(raw: string): void;
	/** Takes the first unread stanza for which this is true. @throws {Error} with what came instead, when the time is up */
	next(what: string, is: (stanza: Xml) => boolean, withinMs?: number): Promise<Xml>;
	/** Asks, and takes the answer (result or error) of exactly the one who was asked. */
	ask(type: "get" | "set", to: string, payload: string, withinMs?: number): Promise<Xml>;
	/** Sends the initial presence, and takes it as it comes back. */
	available(): Promise<void>;
	/** Subscribes, and takes what must come: `subscribed` of the bare JID, then the presence of the full one, which is the answer. */
	subscribe(jid: string): Promise<Xml>;
	/** Takes the next presence of a full JID that also matches. */
	presence(from: string, pattern?: RegExp, withinMs?: number): Promise<Xml>;
	/** Writes a chat message, and gives its id. */
	say(to: string, body: string, more?: string): string;
	/** Takes the next message with a body from there. */
	hear(from: string, pattern?: RegExp, withinMs?: number): Promise<Xml>;
	/** Ends the session politely. */
	leave(): Promise<void>;
}

const WITHIN_MS = 10_000;
const SASL = "urn:ietf:params:xml:ns:xmpp-sasl";

/** Logs in with SASL PLAIN, binds the resource and fetches the roster, so that the server passes subscriptions on. Says no presence yet. */
export async function login(server: Pick<XmppServer, "host" | "c2sPort">, account: Account, resource = "desk"): Promise<User> {
	const jid = `${account.name}@${server.host}`;
	const unread: Xml[] = [];
	let over: string | undefined;
	let count = 0;
	const socket: Socket = connect({ host: "127.0.0.1", port: server.c2sPort, noDelay: true });
	let reader = new Reader((stanza) => void unread.push(stanza));
	const decoder = new StringDecoder("utf8");
	socket.on("data", (chunk) => reader.push(decoder.write(chunk)));
	socket.on("error", (error) => void (over ??= error.message));
	socket.on("close", () => void (over ??= "the server closed the connection"));
	const logTail = (): string => `${jid}/${resource}${over === undefined ? "" : ` (${over})`} has unread:\n${unread.map(({ raw }) => raw.slice(0, 2_000)).join("\n")}`;
	const take = (is: (stanza: Xml) => boolean): Xml | undefined => {
		const at = unread.findIndex(is);
		return at < 0 ? undefined : unread.splice(at, 1)[0];
	};
	const next = async (what: string, is: (stanza: Xml) => boolean, withinMs = WITHIN_MS): Promise<Xml> => {
		let found: Xml | undefined;
		await waitUntil(what, () => (found = take(is)) !== undefined || over !== undefined, { withinMs, logTail });
		if (found === undefined) throw new Error(`Cannot wait for ${what}: ${over ?? ""}\n${logTail()}`);
		return found;
	};
	const send = (raw: string): void => void socket.write(raw);
	const ask = async (type: "get" | "set", to: string, payload: string, withinMs?: number): Promise<Xml> => {
		const id = `ask-${++count}`;
		send(`<iq type='${type}' id='${id}'${to === "" ? "" : ` to='${escape(to)}'`}>${payload}</iq>`);
		return next(`the answer of ${to === "" ? "the server" : to} to ${payload.slice(0, 200)}`, ({ name, attrs }) => name === "iq" && attrs["id"] === id && (attrs["type"] === "result" || attrs["type"] === "error") && (to === "" || attrs["from"] === to), withinMs);
	};
	const header = `<?xml version='1.0'?><stream:stream to='${server.host}' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>`;
	const features = (): Promise<Xml> => next("the features of the stream", ({ name }) => name === "stream:features");
	try {
		await new Promise<void>((resolve, reject) => socket.once("connect", resolve).once("error", reject));
		send(header);
		await features();
		send(`<auth xmlns='${SASL}' mechanism='PLAIN'>${Buffer.from(`\0${account.name}\0${account.password}`).toString("base64")}</auth>`);
		const answer = await next("the login", ({ xmlns }) => xmlns === SASL);
		if (answer.name !== "success") throw new Error(`Cannot log in as ${jid}: ${answer.raw}`);
		reader = new Reader((stanza) => void unread.push(stanza)); // a new stream begins
		send(header);
		await features();
		const bound = await ask("set", "", `<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>${escape(resource)}</resource></bind>`);
		if (bound.attrs["type"] !== "result") throw new Error(`Cannot bind ${resource}: ${bound.raw}`);
		await ask("get", "", "<query xmlns='jabber:iq:roster'/>");
	} catch (error) {
		socket.destroy();
		throw error;
	}

	const full = `${jid}/${resource}`;
	const presence = (from: string, pattern = /(?:)/, withinMs?: number): Promise<Xml> => next(`a presence of ${from} like ${String(pattern)}`, ({ name, attrs, raw }) => name === "presence" && attrs["from"] === from && pattern.test(raw), withinMs);
	return {
		jid, full, unread, send, next, ask, presence,
		available: async () => {
			send("<presence/>");
			await presence(full);
		},
		subscribe: async (device) => {
			send(`<presence type='subscribe' to='${escape(device)}' id='sub-${++count}'/>`);
			await next(`"subscribed" of ${device}`, ({ name, attrs }) => name === "presence" && attrs["type"] === "subscribed" && attrs["from"] === device);
			return next(`the presence of ${device}`, ({ name, attrs }) => name === "presence" && attrs["from"]?.startsWith(`${device}/`) === true);
		},
		say: (to, body, more = "") => {
			const id = `said-${++count}`;
			send(`<message type='chat' id='${id}' to='${escape(to)}'><body>${escape(body)}</body>${more}</message>`);
			return id;
		},
		hear: (from, pattern = /(?:)/, withinMs) => next(`a message of ${from} like ${String(pattern)}`, (stanza) => stanza.name === "message" && stanza.attrs["from"] === from && find(stanza, "body") !== undefined && pattern.test(find(stanza, "body")!.text), withinMs),
		leave: async () => {
			if (over !== undefined) return;
			socket.end("</stream:stream>");
			await waitUntil(`${full} to leave`, () => over !== undefined, { withinMs: WITHIN_MS, logTail }).finally(() => socket.destroy());
		},
	};
}

/** The first element of this name (and namespace) anywhere inside. */
export function find(within: Xml, name: string, xmlns?: string): Xml | undefined {
	for (const child of within.children) {
		if (child.name === name && (xmlns === undefined || child.xmlns === xmlns)) return child;
		const deeper = find(child, name, xmlns);
		if (deeper) return deeper;
	}
	return undefined;
}

/** All elements of this name anywhere inside, in the order of the document. */
export function findAll(within: Xml, name: string): Xml[] {
	return within.children.flatMap((child) => [...(child.name === name ? [child] : []), ...findAll(child, name)]);
}

export function escape(text: string): string {
	return text.replace(/[&<>'"]/g, (char) => `&#${char.charCodeAt(0)};`);
}

const ENTITIES: Readonly<Record<string, string>> = { lt: "<", gt: ">", amp: "&", quot: "\"", apos: "'" };

function unescape(text: string): string {
	return text.replace(/&(?:#x([0-9a-f]+)|#(\d+)|(\w+));/gi, (whole, hex: string | undefined, decimal: string | undefined, name: string | undefined) => {
		if (hex !== undefined) return String.fromCodePoint(Number.parseInt(hex, 16));
		if (decimal !== undefined) return String.fromCodePoint(Number(decimal));
		return ENTITIES[name ?? ""] ?? whole;
	});
}

interface Open {
	readonly name: string;
	readonly xmlns: string;
	readonly attrs: Record<string, string>;
	readonly children: Xml[];
	text: string;
	/** Where it begins in the text of its stanza. */
	readonly at: number;
}

const TAG = /<(\/?)([^\s<>/?!]+)((?:[^<>"'/]|"[^"]*"|'[^']*'|\/(?!>))*)(\/?)>/y;

/** Cuts a stream of a server that writes no comments, CDATA or DTD, as none of ours does. */
class Reader {
	readonly #told: (stanza: Xml) => void;
	#pending = "";
	#stanza = "";
	readonly #open: Open[] = [];
	#streamNs: string | undefined;

	constructor(told: (stanza: Xml) => void) {
		this.#told = told;
	}

	push(text: string): void {
		this.#pending += text;
		for (;;) {
			const start = this.#pending.indexOf("<");
			if (start < 0) return;
			const before = this.#pending.slice(0, start);
			if (this.#pending.startsWith("<?", start)) {
				const end = this.#pending.indexOf("?>", start);
				if (end < 0) return;
				this.#pending = this.#pending.slice(end + 2);
				continue;
			}
			TAG.lastIndex = start;
			const tag = TAG.exec(this.#pending);
			if (tag === null) return;
			this.#pending = this.#pending.slice(TAG.lastIndex);
			const inner = this.#open.at(-1);
			if (inner) {
				inner.text += unescape(before);
				this.#stanza += before;
			}
			this.#tag(tag[0], tag[1] === "/", tag[2] ?? "", tag[3] ?? "", tag[4] === "/");
		}
	}

	#tag(raw: string, isEnd: boolean, name: string, rest: string, isEmpty: boolean): void {
		if (isEnd) {
			if (name !== "stream:stream") this.#close(raw);
			return;
		}
		const attrs: Record<string, string> = {};
		for (const [, key = "", double, single] of rest.matchAll(/([^\s=]+)\s*=\s*(?:"([^"]*)"|'([^']*)')/g)) attrs[key] = unescape(double ?? single ?? "");
		if (name === "stream:stream") {
			this.#streamNs = attrs["xmlns"] ?? "";
			return;
		}
		if (this.#open.length === 0) this.#stanza = "";
		this.#open.push({ name, attrs, xmlns: attrs["xmlns"] ?? this.#open.at(-1)?.xmlns ?? this.#streamNs ?? "", children: [], text: "", at: this.#stanza.length });
		if (isEmpty) this.#close(raw);
		else this.#stanza += raw;
	}

	#close(raw: string): void {
		const done = this.#open.pop();
		if (done === undefined) throw new Error(`Cannot read the stream: found ${raw}, and nothing is open`);
		this.#stanza += raw;
		const { name, xmlns, attrs, children, text, at } = done;
		const element: Xml = { name, xmlns, attrs, children, text, raw: this.#stanza.slice(at) };
		const parent = this.#open.at(-1);
		if (parent) parent.children.push(element);
		else this.#told(element);
	}
}
