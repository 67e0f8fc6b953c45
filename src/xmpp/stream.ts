import type { Element } from "./xml.js";

/** Time as the streams use it; the gateway's own clock has this shape. Milliseconds. */
export interface StreamClock {
	now(): number;
	/** Call `run` once after `ms`; the answer cancels that. */
	after(ms: number, run: () => void): () => void;
}

/** `reason` is for people: what, why, and how to mend it. `retryAt` is a moment of the clock; `permanent` waits for a human. */
export type StreamState =
	| { readonly online: true; readonly since: number }
	| { readonly online: false; readonly reason: string; readonly retryAt?: number; readonly permanent: boolean };

/** What a stream tells. Neither may throw: an error of theirs ends `run()` with it. */
export interface StreamHandlers {
	/** One stanza, in the order of arrival. */
	stanza(stanza: Element): void;
	/** Every change, and nothing but changes. */
	state(state: StreamState): void;
}

/** A road to an XMPP server: component (XEP-0114), client, compact or in-memory; who uses it cannot tell. */
export interface Stream {
	/** Is there a server that takes stanzas now? */
	readonly online: boolean;
	/** Connect, and again whenever the connection is lost; ends when `signal` aborts or after `close()`. Once per stream. */
	run(handlers: StreamHandlers, signal: AbortSignal): Promise<void>;
	/**
	 * Hand over a stanza, or the ready text of one (well-formed, escaped, in the stream's own namespace).
	 * `false`: not taken, because the stream is offline or too far behind; the caller decides what to keep. Never throws.
	 */
	send(stanza: Element | string): boolean;
	/** Resolves as soon as the road has room again; at once while offline. */
	drained(): Promise<void>;
	/** Send what is buffered, say good-bye and end, within two seconds. */
	close(): Promise<void>;
}
