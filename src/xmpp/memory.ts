import { parseStanza } from "./parser.js";
import type { Stream, StreamHandlers, StreamState } from "./stream.js";
import type { Element } from "./xml.js";

/** A stream without a server: what is sent is kept, what is heard is said by hand. The second implementation, for tests and for a dry run. */
export class MemoryStream implements Stream {
	/** Every stanza sent, as text, in order. Whoever holds the stream may empty it. */
	readonly sent: string[] = [];
	#state: StreamState;
	#handlers: StreamHandlers | undefined;
	#end: (() => void) | undefined;
	#closed = false;
	#full = false;
	#waiting: (() => void)[] = [];

	/** Online from the start, since the moment `since`. */
	constructor(since = 0) {
		this.#state = { online: true, since };
	}

	get online(): boolean {
		return this.#state.online && !this.#closed && this.#handlers !== undefined;
	}

	run(handlers: StreamHandlers, signal: AbortSignal): Promise<void> {
		if (this.#handlers !== undefined) throw new Error("Cannot run the stream: it is running or has run, and runs once");
		this.#handlers = handlers;
		if (this.#closed) return Promise.resolve();
		return new Promise((resolve) => {
			const end = (): void => {
				signal.removeEventListener("abort", end);
				if (this.#closed) return;
				this.#closed = true;
				this.drain();
				handlers.state({ online: false, reason: "The gateway has closed the stream", permanent: false });
				resolve();
			};
			this.#end = end;
			signal.addEventListener("abort", end, { once: true });
			handlers.state(this.#state);
			if (signal.aborted) end();
		});
	}

	send(stanza: Element | string): boolean {
		if (!this.online || this.#full) return false;
		this.sent.push(typeof stanza === "string" ? stanza : stanza.toString());
		return true;
	}

	drained(): Promise<void> {
		if (!this.#full || !this.online) return Promise.resolve();
		return new Promise((resolve) => void this.#waiting.push(resolve));
	}

	async close(): Promise<void> {
		this.#end?.();
		this.#closed = true;
		await Promise.resolve();
	}

	/** Let the stream hear a stanza, or the text of one. */
	hear(stanza: Element | string): void {
		if (this.#handlers === undefined || !this.online) throw new Error("Cannot hear a stanza: the stream is not running or not online");
		this.#handlers.stanza(typeof stanza === "string" ? parseStanza(stanza) : stanza);
	}

	/** Cut the connection. */
	setOffline(reason = "Cannot reach the XMPP server: cut by hand", permanent = false): void {
		this.#change({ online: false, reason, permanent });
		this.#wake();
	}

	/** Mend it. */
	setOnline(since = 0): void {
		this.#change({ online: true, since });
	}

	/** Take nothing more until `drain()`: a server that does not read. */
	fill(): void {
		this.#full = true;
	}

	/** Take stanzas again. */
	drain(): void {
		this.#full = false;
		this.#wake();
	}

	#change(state: StreamState): void {
		this.#state = state;
		if (!this.#closed) this.#handlers?.state(state);
	}

	#wake(): void {
		const waiting = this.#waiting;
		this.#waiting = [];
		for (const resolve of waiting) resolve();
	}
}
