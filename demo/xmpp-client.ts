// A person's chat program, as small as it can be: plain TCP to a server on loopback, SASL PLAIN, one resource, a roster, messages with receipts.

import { randomUUID } from "node:crypto";
import { connect, type Socket } from "node:net";
import { child, escape, type Stanza, stanzaParser, textOf } from "./stanza.js";

export interface Login {
	readonly port: number;
	readonly domain: string;
	readonly user: string;
	readonly password: string;
	readonly resource: string;
}

export interface Contact {
	readonly jid: string;
	readonly name: string;
	readonly group: string;
}

/** Stanzas kept for those who ask later; the scripted conversation has some two hundred. */
const MAX_KEPT = 5_000;
const ANSWER_WITHIN_MS = 10_000;

/** One session of one person. */
export class XmppClient {
	/** Everything that came, in order. */
	readonly heard: Stanza[] = [];
	/** Called with every stanza that comes. */
	onStanza: (stanza: Stanza) => void = () => undefined;

	readonly #login: Login;
	readonly #socket: Socket;
	readonly #waiting = new Set<() => void>();
	#parser = stanzaParser((stanza) => this.#receive(stanza));
	#ended: Error | undefined;

	private constructor(login: Login, socket: Socket) {
		this.#login = login;
		this.#socket = socket;
		socket.setEncoding("utf8"); // keeps a letter together that two packets have cut
		socket.on("data", (text: string) => {
			try {
				this.#parser.write(text);
			} catch (error) {
				socket.destroy(error instanceof Error ? error : undefined);
			}
		});
		socket.on("error", (error) => void (this.#ended ??= error));
		socket.on("close", () => {
			this.#ended ??= new Error("the server closed the connection");
			for (const look of this.#waiting) look();
		});
	}

	/** Logs in; says nothing of presence yet. @throws {Error} when the server does not let us in. */
	static async login(login: Login): Promise<XmppClient> {
		const client = new XmppClient(login, connect({ host: "127.0.0.1", port: login.port, noDelay: true }));
		try {
			await client.#enter();
			return client;
		} catch (error) {
			client.#socket.destroy();
			throw new Error(`Cannot log in as "${login.user}@${login.domain}": ${error instanceof Error ? error.message : String(error)}`, { cause: error });
		}
	}

	get bare(): string {
		return `${this.#login.user}@${this.#login.domain}`;
	}

	get full(): string {
		return `${this.bare}/${this.#login.resource}`;
	}

	/** How much has come so far: a point in time for `until()`. */
	get mark(): number {
		return this.heard.length;
	}

	send(xml: string): void {
		this.#socket.write(xml);
	}

	/**
	 * The first stanza that fits, of those that came after `since` or are still to come.
	 * @throws {Error} "Cannot wait any longer for …" when the time is up or the stream has ended
	 */
	async until(what: string, fits: (stanza: Stanza) => boolean, { withinMs = ANSWER_WITHIN_MS, since = this.mark }: { withinMs?: number; since?: number } = {}): Promise<Stanza> {
		return new Promise((resolve, reject) => {
			let from = since;
			const finish = (settle: () => void): void => {
				clearTimeout(timer);
				this.#waiting.delete(look);
				settle();
			};
			const look = (): void => {
				const found = this.heard.slice(from).find(fits);
				from = this.heard.length;
				if (found !== undefined) finish(() => resolve(found));
				else if (this.#ended !== undefined) finish(() => reject(new Error(`Cannot wait any longer for ${what}: ${this.#ended?.message}`)));
			};
			const timer = setTimeout(() => finish(() => reject(new Error(`Cannot wait any longer for ${what}: ${withinMs} ms have passed`))), withinMs);
			this.#waiting.add(look);
			look();
		});
	}

	/** Asks, and gives the answer, be it a result or an error. Without `to`: our own server. */
	async ask(type: "get" | "set", to: string | undefined, payload: string): Promise<Stanza> {
		const id = randomUUID();
		const since = this.mark;
		this.send(`<iq type='${type}' id='${id}'${to === undefined ? "" : ` to='${escape(to)}'`}>${payload}</iq>`);
		// Matched by peer and id: anybody could guess an id.
		return this.until(`an answer of ${to ?? this.#login.domain}`, ({ name, attrs }) => name === "iq" && attrs["id"] === id && (to === undefined || attrs["from"] === to), { since });
	}

	/** Writes a line, as a person does: with a wish for a receipt and a chat state. The message's id is the answer. */
	chat(to: string, text: string): string {
		const id = randomUUID();
		this.send(`<message type='chat' id='${id}' to='${escape(to)}'><body>${escape(text)}</body><request xmlns='urn:xmpp:receipts'/><active xmlns='http://jabber.org/protocol/chatstates'/></message>`);
		return id;
	}

	/** Fetches the contact list. Only who has done so is told what becomes of subscriptions (RFC 6121 §2.2). */
	async roster(): Promise<readonly Contact[]> {
		const answer = await this.ask("get", undefined, "<query xmlns='jabber:iq:roster'/>");
		const items = (child(answer, "query")?.children ?? []).filter((item) => typeof item !== "string");
		return items.map((item) => ({ jid: item.attrs["jid"] ?? "", name: item.attrs["name"] ?? "", group: textOf(child(item, "group")) }));
	}

	/** Puts a contact into the roster and asks to see its presence. Its answer is a stanza of its own. */
	async add({ jid, name, group }: Contact): Promise<void> {
		const answer = await this.ask("set", undefined, `<query xmlns='jabber:iq:roster'><item jid='${escape(jid)}' name='${escape(name)}'><group>${escape(group)}</group></item></query>`);
		if (answer.attrs["type"] !== "result") throw new Error(`Cannot put "${jid}" into the roster: ${explain(answer)}`);
		this.send(`<presence type='subscribe' to='${escape(jid)}'/>`);
	}

	/** Says good-bye and closes. */
	async close(): Promise<void> {
		if (this.#socket.destroyed) return;
		const closed = new Promise<void>((resolve) => this.#socket.once("close", () => resolve()));
		this.#socket.end("<presence type='unavailable'/></stream:stream>");
		const timer = setTimeout(() => this.#socket.destroy(), 1_000);
		await closed;
		clearTimeout(timer);
	}

	async #enter(): Promise<void> {
		const { user, password, resource } = this.#login;
		const features = { withinMs: ANSWER_WITHIN_MS, since: 0 };
		this.#header();
		await this.until("the server's features", ({ name }) => name === "features", features);
		const since = this.mark;
		this.send(`<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>${Buffer.from(`\0${user}\0${password}`).toString("base64")}</auth>`);
		const outcome = await this.until("the answer to our password", ({ name }) => name === "success" || name === "failure", { since });
		if (outcome.name === "failure") throw new Error(`refused: ${explain(outcome)}`);
		const again = this.mark;
		this.#parser = stanzaParser((stanza) => this.#receive(stanza));
		this.#header();
		await this.until("the server's features", ({ name }) => name === "features", { since: again });
		const bound = await this.ask("set", undefined, `<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>${escape(resource)}</resource></bind>`);
		if (bound.attrs["type"] !== "result") throw new Error(`no resource: ${explain(bound)}`);
	}

	#header(): void {
		this.send(`<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0' to='${escape(this.#login.domain)}'>`);
	}

	#receive(stanza: Stanza): void {
		if (this.heard.length >= MAX_KEPT) this.#socket.destroy(new Error(`more than ${MAX_KEPT} stanzas came`));
		this.heard.push(stanza);
		this.#answer(stanza);
		this.onStanza(stanza);
		for (const look of [...this.#waiting]) look();
	}

	/** RFC 6120 §8.2.3: every request gets an answer; RFC 6121 §3.1.4: and so does a device that wants to see us. */
	#answer({ name, attrs, ...stanza }: Stanza): void {
		const { type, from = "", id = "" } = attrs;
		if (name === "presence" && type === "subscribe") this.send(`<presence type='subscribed' to='${escape(from)}'/>`);
		if (name !== "iq" || (type !== "get" && type !== "set")) return;
		const isPush = child({ name, attrs, ...stanza }, "query", "jabber:iq:roster") !== undefined;
		const error = "<error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>";
		const to = from === "" ? "" : ` to='${escape(from)}'`;
		this.send(isPush ? `<iq type='result' id='${escape(id)}'${to}/>` : `<iq type='error' id='${escape(id)}'${to}>${error}</iq>`);
	}
}

/** The condition and the text of an error, for people. */
export function explain(stanza: Stanza): string {
	const error = child(stanza, "error") ?? stanza;
	const [condition] = error.children.filter((each) => typeof each !== "string");
	const text = textOf(child(error, "text"));
	return `${condition?.name ?? "unknown"}${text === "" ? "" : ` (${text})`}`;
}
