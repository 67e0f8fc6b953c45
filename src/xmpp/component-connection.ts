// XEP-0114: Jabber Component Protocol; and XEP-0199: XMPP Ping, as a watchdog
// Source: https://xmpp.org/extensions/xep-0114.html , https://xmpp.org/extensions/xep-0199.html
// Version: XEP-0114 1.6 (2012-01-25), XEP-0199 2.0.1 (2019-03-26)
import { createHash } from "node:crypto";
import { connect, type LookupFunction, type Socket } from "node:net";
import {
	closedFault, type Fault, networkFault, NS_STREAM_ERRORS, type Phase, type Place, streamErrorFault, timeoutFault, unreadableFault, wrongPortFault,
} from "./component-faults.js";
import { XmppError } from "./error.js";
import { NS_STREAMS, type ParserLimits, StreamParser } from "./parser.js";
import type { StreamClock } from "./stream.js";
import { type Element, escapeAttr } from "./xml.js";

export const NS_COMPONENT = "jabber:component:accept";

/** Connect, header and handshake together. A Pi on a bad mobile link was seen to need 8 s. */
const OPENING_MS = 20_000;
/** Saying good-bye: what is buffered has this long to leave. */
const CLOSING_MS = 2_000;
/** Shorter than the 60 s after which the most impatient NATs forget a connection. */
const KEEP_ALIVE_MS = 45_000;
const PING_EVERY_MS = 60_000;
const PING_DEADLINE_MS = 30_000;
const PING_MISSES = 2;
/** What is sent in one turn of the loop is one write; a write of this size gains nothing by growing. */
const WRITE_CHARS = 48 * 1024;
/** Some 10 000 stanzas. Whoever is further ahead of the server than this must keep its stanzas itself. */
const MAX_BEHIND = 4 * 1024 * 1024;
const STANZAS: ReadonlySet<string> = new Set(["message", "presence", "iq"]);

/** What one connection needs to know. */
export interface ConnectionOptions extends Place {
	readonly secret: string;
	readonly clock: StreamClock;
	readonly limits: Partial<ParserLimits>;
	readonly lookup: LookupFunction | undefined;
}

/** What one connection tells; after `ended` nothing. What `stanza` throws ends the connection and is told as `broken`. */
export interface ConnectionEvents {
	online(): void;
	stanza(stanza: Element): void;
	broken(error: unknown): void;
	ended(fault: Fault): void;
}

/** The answer to a stream id: lower-case hex of SHA-1 over id and secret (XEP-0114 §3). */
export function handshake(id: string, secret: string): string {
	return createHash("sha1").update(id + secret, "utf8").digest("hex");
}

/** One TCP connection as a component, from the first attempt to its end. */
export class ComponentConnection {
	readonly #options: ConnectionOptions;
	readonly #events: ConnectionEvents;
	readonly #socket: Socket;
	readonly #parser: StreamParser;
	readonly #timers = { opening: none, closing: none, keepAlive: none, ping: none };
	#phase: Phase = "connecting";
	#fault: Fault | undefined;
	/** The last bytes have been handed over: nothing may follow `</stream:stream>`. */
	#ending = false;
	#ended = false;
	#pending: string[] = [];
	#pendingChars = 0;
	#flushing = false;
	#waiting: (() => void)[] = [];
	#wroteAt: number;
	/** When the operating system last took something from us: a slow road is not a dead one. */
	#progressAt: number;
	#pings = 0;
	#misses = 0;

	constructor(options: ConnectionOptions, events: ConnectionEvents) {
		this.#options = options;
		this.#events = events;
		const { host, port, lookup, clock } = options;
		this.#wroteAt = this.#progressAt = clock.now();
		this.#parser = new StreamParser({
			open: ({ namespace, attrs }) => this.#opened(namespace, attrs["id"]),
			stanza: (stanza) => this.#heard(stanza),
			close: () => this.#end(closedFault(options, this.#phase)),
		}, options.limits);
		this.#timers.opening = clock.after(OPENING_MS, () => {
			this.#end(timeoutFault(options, this.#phase));
			this.#socket.destroy();
		});
		this.#socket = connect({ host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: PING_EVERY_MS, ...(lookup !== undefined && { lookup }) });
		this.#socket
			.on("connect", () => this.#greet())
			.on("data", (chunk) => this.#data(chunk))
			.on("drain", () => this.#wake())
			.on("error", (error) => { this.#fault ??= networkFault(options, error, this.#phase); })
			.on("close", () => this.#closed());
	}

	get online(): boolean {
		return this.#phase === "online" && this.#fault === undefined;
	}

	/** Is nothing of this connection left? */
	get ended(): boolean {
		return this.#ended;
	}

	send(text: string): boolean {
		if (!this.online || this.#pendingChars + this.#socket.writableLength + text.length > MAX_BEHIND) return false;
		this.#pending.push(text);
		this.#pendingChars += text.length;
		if (this.#pendingChars >= WRITE_CHARS) this.#flush();
		else if (!this.#flushing) {
			this.#flushing = true;
			setImmediate(() => this.#flush());
		}
		return true;
	}

	drained(): Promise<void> {
		if (!this.online || !this.#socket.writableNeedDrain) return Promise.resolve();
		return new Promise((resolve) => void this.#waiting.push(resolve));
	}

	/** End for `fault`, with everything buffered and `</stream:stream>` sent, as far as two seconds allow. */
	close(fault: Fault): void {
		this.#end(fault);
	}

	#greet(): void {
		this.#phase = "header";
		this.#write(`<?xml version='1.0'?><stream:stream xmlns='${NS_COMPONENT}' xmlns:stream='${NS_STREAMS}' to='${escapeAttr(this.#options.domain)}'>`);
	}

	#data(chunk: Uint8Array): void {
		if (this.#fault !== undefined) return;
		try {
			this.#parser.push(chunk);
		} catch (error) {
			if (error instanceof XmppError) {
				this.#end(unreadableFault(this.#options, error, this.#phase), `<stream:error><${error.condition} xmlns='${NS_STREAM_ERRORS}'/></stream:error>`);
			} else {
				this.#end({ kind: "transient", reason: "Cannot go on with the stream: a stanza could not be handled" });
				this.#events.broken(error);
			}
		}
	}

	#opened(namespace: string, id: string | undefined): void {
		if (namespace !== NS_COMPONENT) return this.#end(wrongPortFault(this.#options, namespace === "" ? "no namespace" : namespace));
		this.#phase = "handshake";
		// Without an id an error follows: the server has no such component.
		if (id !== undefined) this.#write(`<handshake>${handshake(id, this.#options.secret)}</handshake>`);
	}

	#heard(element: Element): void {
		if (this.#fault !== undefined) return;
		if (element.name === "error" && element.xmlns === NS_STREAMS) return this.#end(streamErrorFault(this.#options, element, this.#phase));
		if (this.#phase === "handshake") {
			if (element.name === "handshake") this.#login();
			return;
		}
		if (element.xmlns !== "" || !STANZAS.has(element.name)) return; // no stanza: nobody could answer it
		if (!this.#isOwnPing(element)) this.#events.stanza(element);
	}

	#login(): void {
		this.#timers.opening();
		this.#phase = "online";
		this.#keepAlive(KEEP_ALIVE_MS);
		this.#timers.ping = this.#options.clock.after(PING_EVERY_MS, () => this.#ping());
		this.#events.online();
	}

	#write(text: string): void {
		this.#wroteAt = this.#options.clock.now();
		this.#socket.write(text, () => { this.#progressAt = this.#options.clock.now(); });
	}

	#flush(): void {
		this.#flushing = false;
		const text = this.#take();
		if (text !== "" && !this.#ending) this.#write(text);
	}

	#take(): string {
		const text = this.#pending.join("");
		this.#pending = [];
		this.#pendingChars = 0;
		return text;
	}

	/** NATs forget a silent connection; a space is no stanza (RFC 6120 §4.6.1). */
	#keepAlive(ms: number): void {
		this.#timers.keepAlive = this.#options.clock.after(ms, () => {
			const left = KEEP_ALIVE_MS - (this.#options.clock.now() - this.#wroteAt);
			if (left <= 0) this.#write(" ");
			this.#keepAlive(left > 0 && left <= KEEP_ALIVE_MS ? left : KEEP_ALIVE_MS);
		});
	}

	/** A ping to ourselves: the server must take it and hand it back, which proves the road both ways. A component does not know its server's own domain. */
	#ping(): void {
		const { domain, clock } = this.#options;
		const sentAt = clock.now();
		const address = escapeAttr(domain);
		this.#pings += 1;
		this.send(`<iq type='get' id='watchdog-${this.#pings}' from='${address}' to='${address}'><ping xmlns='urn:xmpp:ping'/></iq>`);
		this.#timers.ping = clock.after(PING_DEADLINE_MS, () => {
			const moving = this.#socket.writableLength > 0 && this.#progressAt > sentAt; // our ping still waits in a queue that moves
			if (!moving) this.#misses += 1;
			if (this.#misses < PING_MISSES) return this.#ping();
			this.#end(timeoutFault(this.#options, "online"));
			this.#socket.destroy();
		});
	}

	/** Whatever comes back under the id of our ping: the ping itself, or a server's own answer to it. */
	#isOwnPing({ name, attrs: { id, from, to } }: Element): boolean {
		const { domain, clock } = this.#options;
		if (name !== "iq" || id === undefined || !id.startsWith("watchdog-") || from !== domain || to !== domain) return false;
		if (id !== `watchdog-${this.#pings}`) return true;
		this.#misses = 0;
		this.#timers.ping();
		this.#timers.ping = clock.after(PING_EVERY_MS, () => this.#ping());
		return true;
	}

	#end(fault: Fault, last = ""): void {
		if (this.#ending || this.#ended) return;
		this.#ending = true;
		this.#fault ??= fault;
		const { opening, keepAlive, ping } = this.#timers;
		for (const cancel of [opening, keepAlive, ping]) cancel();
		this.#wake();
		if (this.#phase === "connecting") return void this.#socket.destroy();
		this.#timers.closing = this.#options.clock.after(CLOSING_MS, () => this.#socket.destroy());
		this.#socket.end(`${this.#take()}${last}</stream:stream>`);
	}

	#closed(): void {
		if (this.#ended) return;
		this.#ended = true;
		for (const cancel of Object.values(this.#timers)) cancel();
		this.#fault ??= closedFault(this.#options, this.#phase);
		this.#wake();
		this.#events.ended(this.#fault);
	}

	#wake(): void {
		const waiting = this.#waiting;
		this.#waiting = [];
		for (const resolve of waiting) resolve();
	}
}

function none(): void {
	// the timer that was never set
}
