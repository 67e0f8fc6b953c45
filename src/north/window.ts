// How much may be on its way to one receiver. A server keeps what a slow client has not taken yet, and drops the client when
// that becomes too much: ejabberd at 5 000 stanzas that XEP-0198 has not acknowledged.
//
// XEP-0199: XMPP Ping
// Source: https://xmpp.org/extensions/xep-0199.html
// Version: 2.0.1
import type { Millis } from "../core/clock.js";
import { RequestError } from "../xmpp/requests.js";
import { xml } from "../xmpp/xml.js";
import type { Verbs } from "./module.js";
import { NS_PING } from "./ping.js";

/** Stanzas that may be on their way to one receiver: half of a thousand, since presence and answers come on top. */
export const WINDOW = 500;
/** So many stanzas after the last ping the next one goes out: a receiver that keeps up never sees the window full. */
const PING_EVERY = 100;
/** And after this long with anything on its way: who went without a word is noticed. More often would double the traffic of who gets little. */
const PING_AFTER: Millis = 30_000;
/** Without an answer for so long he is slow: nothing more is sent to him. */
export const SLOW_AFTER: Millis = 30_000;
/** And after so long he is gone. */
export const GONE_AFTER: Millis = 10 * 60_000;
/** A ping that could not be sent is tried again after this. */
const RETRY: Millis = 5_000;
/** Receivers of which anything is remembered, some 300 bytes each. */
const MAX_RECEIVERS = 20_000;

/** What may be sent to one receiver, whoever in this gateway sends it. */
export interface Window {
	/** How many stanzas more; 0 while he must take what there is. */
	readonly room: number;
	/** So many stanzas have left for him, from this address of ours. */
	sent(from: string, stanzas?: number): void;
	/** Run once, as soon as there is room after a time without. He may be gone before: then it never runs. The answer cancels. */
	whenRoom(run: () => void): () => void;
}

/** One receiver. Stanzas to him are counted from the first; a ping that is answered closes all before it. */
interface Receiver {
	readonly jid: string;
	/** An address of ours that he knows. */
	from: string;
	sent: number;
	/** He has taken all up to this one. */
	taken: number;
	/** The count when the last ping left. */
	pinged: number;
	isPinging: boolean;
	/** How long he has left pings unanswered. */
	silent: Millis;
	isSlow: boolean;
	/** He has answered a ping with a result: an answer of his server in his place can be told from his own. */
	answers: boolean;
	waiting: Set<() => void>;
	cancelTimer: (() => void) | undefined;
}

/** The windows of all receivers: full JIDs, and bare ones, for which the server answers. */
export class Windows {
	readonly #verbs: Pick<Verbs, "ask" | "clock" | "log">;
	readonly #receivers = new Map<string, Receiver>();
	readonly #listeners = new Set<(jid: string) => void>();

	constructor(verbs: Pick<Verbs, "ask" | "clock" | "log">) {
		this.#verbs = verbs;
	}

	/** The window to this JID. It is small and keeps nothing: get it anew, or hold it. */
	to(jid: string): Window {
		const receiver = (): Receiver | undefined => this.#receivers.get(jid);
		return {
			get room() {
				const known = receiver();
				if (!known) return WINDOW;
				return known.isSlow ? 0 : Math.max(0, WINDOW - (known.sent - known.taken));
			},
			sent: (from, stanzas = 1) => this.#sent(receiver() ?? this.#make(jid, from), from, stanzas),
			whenRoom: (run) => {
				const known = receiver();
				if (!known) return () => {}; // there was room all the time
				known.waiting.add(run);
				this.#watch(known);
				return () => known.waiting.delete(run);
			},
		};
	}

	/** What is on its way to him. */
	outstanding(jid: string): number {
		const known = this.#receivers.get(jid);
		return known ? known.sent - known.taken : 0;
	}

	/** Told of each receiver that does not exist any more, or has answered nothing for ten minutes. The answer ends that. */
	onGone(listener: (jid: string) => void): () => void {
		this.#listeners.add(listener);
		return () => this.#listeners.delete(listener);
	}

	/** He has acknowledged the last stanza that was sent to him, by a receipt or an IQ result: nothing is on its way any more. */
	received(jid: string): void {
		const known = this.#receivers.get(jid);
		if (known) this.#took(known, known.sent);
	}

	/** He is gone, as somebody else has found out: what was on its way is nowhere. */
	gone(jid: string): void {
		this.#forget(jid);
		for (const listener of [...this.#listeners]) listener(jid);
	}

	#forget(jid: string): void {
		const known = this.#receivers.get(jid);
		if (!known) return;
		known.cancelTimer?.();
		known.waiting.clear();
		this.#receivers.delete(jid);
	}

	#make(jid: string, from: string): Receiver {
		if (this.#receivers.size >= MAX_RECEIVERS) this.#evict();
		const made: Receiver = { jid, from, sent: 0, taken: 0, pinged: 0, isPinging: false, silent: 0, isSlow: false, answers: false, waiting: new Set(), cancelTimer: undefined };
		this.#receivers.set(jid, made);
		return made;
	}

	/** The oldest one to whom nothing is on its way; else the oldest one. */
	#evict(): void {
		for (const { jid, sent, taken } of this.#receivers.values()) {
			if (sent === taken) return this.#forget(jid);
		}
		const [oldest] = this.#receivers.keys();
		if (oldest !== undefined) this.#forget(oldest);
	}

	#sent(receiver: Receiver, from: string, stanzas: number): void {
		receiver.from = from;
		receiver.sent += stanzas;
		this.#watch(receiver);
	}

	/** See to it that a ping is under way, or will be. */
	#watch(receiver: Receiver): void {
		if (receiver.isPinging || receiver.sent === receiver.taken) return;
		if (receiver.sent - receiver.pinged >= PING_EVERY || receiver.waiting.size > 0) return this.#ping(receiver);
		receiver.cancelTimer ??= this.#verbs.clock.after(PING_AFTER, () => this.#ping(receiver));
	}

	#ping(receiver: Receiver): void {
		receiver.cancelTimer?.();
		receiver.cancelTimer = undefined;
		receiver.isPinging = true;
		const count = receiver.sent;
		receiver.pinged = count;
		// Twice as long each time: an answer that takes a minute is an answer too.
		const patience = Math.min(Math.max(SLOW_AFTER, receiver.silent), GONE_AFTER - receiver.silent);
		this.#verbs.ask({ type: "get", from: receiver.from, to: receiver.jid, payload: xml("ping", { xmlns: NS_PING }) }, { timeoutMs: patience }).then(
			() => {
				receiver.answers = true;
				this.#answered(receiver, count);
			},
			(error: unknown) => this.#refused(receiver, count, patience, error),
		);
	}

	#refused(receiver: Receiver, count: number, patience: Millis, error: unknown): void {
		if (error instanceof RequestError && error.answer !== undefined) {
			if (isNobody(error.condition) || (error.condition === "service-unavailable" && receiver.answers)) return this.#gone(receiver, error.condition);
			return this.#answered(receiver, count); // he knows no ping, and has taken it
		}
		if (!this.#isKnown(receiver)) return;
		receiver.isPinging = false;
		if (error instanceof RequestError && error.condition === "remote-server-timeout") {
			receiver.silent += patience;
			if (receiver.silent >= GONE_AFTER) return this.#gone(receiver, "no answer to pings");
			if (!receiver.isSlow) this.#verbs.log.info({ jid: receiver.jid, outstanding: receiver.sent - receiver.taken }, "a receiver is slow: nothing more is sent to it until it answers");
			receiver.isSlow = true;
			return this.#ping(receiver);
		}
		// The stream is down, or too many are asked at once: that says nothing of him.
		receiver.cancelTimer = this.#verbs.clock.after(RETRY, () => this.#ping(receiver));
	}

	#answered(receiver: Receiver, count: number): void {
		receiver.isPinging = false;
		this.#took(receiver, count);
	}

	#took(receiver: Receiver, count: number): void {
		if (!this.#isKnown(receiver)) return;
		receiver.taken = Math.max(receiver.taken, count);
		receiver.silent = 0;
		receiver.isSlow = false;
		if (receiver.sent === receiver.taken) {
			receiver.cancelTimer?.();
			receiver.cancelTimer = undefined;
		}
		const waiting = [...receiver.waiting];
		for (const run of waiting) {
			if (receiver.sent - receiver.taken >= WINDOW || !this.#isKnown(receiver)) break;
			if (receiver.waiting.delete(run)) run();
		}
		this.#watch(receiver);
	}

	#gone(receiver: Receiver, why: string): void {
		if (!this.#isKnown(receiver)) return;
		this.#verbs.log.info({ jid: receiver.jid, why }, "a receiver is gone");
		this.gone(receiver.jid);
	}

	#isKnown(receiver: Receiver): boolean {
		return this.#receivers.get(receiver.jid) === receiver;
	}
}

/**
 * Does this answer say that there is nobody? `service-unavailable` says that too, but also that a client knows no ping
 * (RFC 6121 §8.5.3.2.3, XEP-0199 §4.1): of who has answered pings before it means the first.
 */
export function isNobody(condition: string): boolean {
	return NOBODY.has(condition);
}

const NOBODY: ReadonlySet<string> = new Set(["recipient-unavailable", "remote-server-not-found", "remote-server-timeout", "item-not-found", "gone", "jid-malformed"]);
