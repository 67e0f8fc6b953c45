// How much may be on its way to one receiver. A server keeps what a slow client has not taken yet, and drops the client when
// that becomes too much: ejabberd at 5 000 stanzas that XEP-0198 has not acknowledged.
// More than 300 lines: the life of a receiver, between here, slow, gone and offline, is one state machine.
//
// XEP-0199: XMPP Ping
// Source: https://xmpp.org/extensions/xep-0199.html
// Version: 2.0.1
import type { Millis } from "../core/clock.js";
import { bare } from "../xmpp/jid.js";
import { RequestError, RESERVED } from "../xmpp/requests.js";
import { xml } from "../xmpp/xml.js";
import type { Verbs } from "./module.js";
import { NS_PING } from "./ping.js";
import { Turns } from "./turns.js";

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
/** Pings without an answer, to all clients of one account: its silent ones must not take the questions of all others. */
export const PINGS_OF_ONE = 4;
/** And to all accounts together: most of the questions that may be open are left for the rest of the gateway. */
export const PINGS_OF_ALL = RESERVED;
/** Too many questions are open: a ping is tried again after this. */
const RETRY: Millis = 5_000;
/** Receivers of which anything is remembered, some 300 bytes each. */
const MAX_RECEIVERS = 20_000;

/** What may be sent to one receiver, whoever in this gateway sends it. */
export interface Window {
	/** How many stanzas more; 0 while he must take what there is. */
	readonly room: number;
	/** He has taken all stanzas up to the one of this number; of whom nothing is known, nothing is on its way. */
	readonly taken: number;
	/** So many stanzas have left for him, from this address of ours. Gives the number of the last one. */
	sent(from: string, stanzas?: number): number;
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
	/** A ping waits for its turn, its answer, or the stream. */
	isPinging: boolean;
	/** Ends all of that. */
	stopPinging: (() => void) | undefined;
	/** How long he has left pings unanswered. */
	silent: Millis;
	isSlow: boolean;
	/** He has answered a ping with a result: an answer of his server in his place can be told from his own. */
	answers: boolean;
	/** Somebody else has found out that he is gone, and nothing was sent since. What was on its way still counts: he may be back at once. */
	isAway: boolean;
	waiting: Set<() => void>;
	cancelTimer: (() => void) | undefined;
}

/** The windows of all receivers: full JIDs, and bare ones, for which the server answers. */
export class Windows {
	readonly #verbs: Pick<Verbs, "ask" | "clock" | "log">;
	readonly #receivers = new Map<string, Receiver>();
	readonly #listeners = new Set<(jid: string) => void>();
	/** Those who have missed no ping yet, and those who have: who answers at once does not wait for who may never answer. */
	readonly #turns = new Turns(PINGS_OF_ONE / 2, PINGS_OF_ALL / 2);
	readonly #slowTurns = new Turns(PINGS_OF_ONE / 2, PINGS_OF_ALL / 2);
	/** Whose ping waits for the stream. */
	readonly #offline = new Set<Receiver>();
	/** Numbers begin above all that were ever given, so that of a receiver who was forgotten none comes twice. */
	#floor = 0;
	/** How often the stream has come online. */
	#connections = 0;

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
			get taken() {
				return receiver()?.taken ?? Infinity;
			},
			sent: (from, stanzas = 1) => this.#sent(receiver() ?? this.#make(jid, from), from, stanzas),
			whenRoom: (run) => {
				const known = receiver();
				if (!known) return () => {}; // there was room all the time
				let isWanted = true;
				const once = (): void => void (isWanted && run());
				known.waiting.add(once);
				this.#watch(known);
				return () => {
					isWanted = false;
					known.waiting.delete(once);
				};
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

	/**
	 * He is gone, as somebody else has found out. What was on its way is counted still: a client that says so itself, and is
	 * back at once, has no more room than before.
	 */
	gone(jid: string): void {
		const known = this.#receivers.get(jid);
		if (known && known.sent === known.taken) this.#forget(known);
		else if (known) {
			this.#rest(known);
			Object.assign(known, { silent: 0, isSlow: false, answers: false, isAway: true });
		}
		this.#tell(jid);
	}

	/** The stream is online: who could not be asked meanwhile is asked now. */
	connected(): void {
		this.#connections++;
		const waiting = [...this.#offline];
		this.#offline.clear();
		for (const receiver of waiting) this.#ping(receiver);
	}

	#tell(jid: string): void {
		for (const listener of [...this.#listeners]) listener(jid);
	}

	/** Nothing is asked of him, and nobody waits for him any more. */
	#rest(receiver: Receiver): void {
		receiver.cancelTimer?.();
		receiver.cancelTimer = undefined;
		receiver.stopPinging?.();
		receiver.stopPinging = undefined;
		receiver.isPinging = false;
		this.#offline.delete(receiver);
		receiver.waiting.clear();
	}

	#forget(receiver: Receiver): void {
		this.#rest(receiver);
		this.#receivers.delete(receiver.jid);
		this.#floor = Math.max(this.#floor, receiver.sent);
	}

	#make(jid: string, from: string): Receiver {
		if (this.#receivers.size >= MAX_RECEIVERS) this.#evict();
		const made: Receiver = { jid, from, sent: this.#floor, taken: this.#floor, pinged: this.#floor, isPinging: false, stopPinging: undefined, silent: 0, isSlow: false, answers: false, isAway: false, waiting: new Set(), cancelTimer: undefined };
		this.#receivers.set(jid, made);
		return made;
	}

	/** The oldest one to whom nothing is on its way, or who is gone; else the oldest one. Who waits for him is told: of him nothing is known now. */
	#evict(): void {
		let [out] = this.#receivers.values();
		for (const receiver of this.#receivers.values()) {
			if (receiver.sent !== receiver.taken && !receiver.isAway) continue;
			out = receiver;
			break;
		}
		if (!out) return;
		for (const run of out.waiting) this.#verbs.clock.after(0, run);
		this.#forget(out);
	}

	#sent(receiver: Receiver, from: string, stanzas: number): number {
		receiver.from = from;
		receiver.sent += stanzas;
		receiver.isAway = false;
		this.#watch(receiver);
		return receiver.sent;
	}

	/** See to it that a ping is under way, or will be. */
	#watch(receiver: Receiver): void {
		if (receiver.isPinging || receiver.sent === receiver.taken) return;
		if (receiver.sent - receiver.pinged >= PING_EVERY || receiver.waiting.size > 0) return this.#ping(receiver);
		receiver.cancelTimer ??= this.#verbs.clock.after(PING_AFTER, () => this.#ping(receiver));
	}

	/** As soon as it is its turn. */
	#ping(receiver: Receiver): void {
		receiver.cancelTimer?.();
		receiver.cancelTimer = undefined;
		receiver.isPinging = true;
		const stop = new AbortController();
		const turns = receiver.silent > 0 ? this.#slowTurns : this.#turns;
		const end = turns.take(bare(receiver.jid), () => this.#ask(receiver, stop.signal));
		receiver.stopPinging = () => {
			end();
			stop.abort();
		};
	}

	#ask(receiver: Receiver, signal: AbortSignal): void {
		const count = receiver.sent;
		receiver.pinged = count;
		const connection = this.#connections;
		// Twice as long each time: an answer that takes a minute is an answer too.
		const patience = Math.min(Math.max(SLOW_AFTER, receiver.silent), GONE_AFTER - receiver.silent);
		this.#verbs.ask({ type: "get", from: receiver.from, to: receiver.jid, payload: xml("ping", { xmlns: NS_PING }) }, { timeoutMs: patience, signal }).then(
			() => {
				if (signal.aborted) return;
				receiver.answers = true;
				this.#answered(receiver, count);
			},
			(error: unknown) => {
				if (!signal.aborted) this.#refused(receiver, { count, patience, connection, signal }, error);
			},
		);
	}

	#refused(receiver: Receiver, { count, patience, connection, signal }: { readonly count: number; readonly patience: Millis; readonly connection: number; readonly signal: AbortSignal }, error: unknown): void {
		if (error instanceof RequestError && error.answer !== undefined) {
			if (isNobody(error.condition) || (error.condition === "service-unavailable" && receiver.answers)) return this.#gone(receiver, error.condition);
			return this.#answered(receiver, count); // he knows no ping, and has taken it
		}
		if (error instanceof RequestError && error.condition === "remote-server-timeout") {
			receiver.silent += patience;
			if (receiver.silent >= GONE_AFTER) return this.#gone(receiver, "no answer to pings");
			if (!receiver.isSlow) this.#verbs.log.info({ jid: receiver.jid, outstanding: receiver.sent - receiver.taken }, "a receiver is slow: nothing more is sent to it until it answers");
			receiver.isSlow = true;
			receiver.stopPinging?.();
			return this.#ping(receiver);
		}
		// What else stops it is on our side, and says nothing of him.
		if (error instanceof RequestError && error.condition === "recipient-unavailable") {
			receiver.stopPinging?.();
			if (connection === this.#connections) this.#offline.add(receiver);
			else this.#ping(receiver); // the stream is another one by now
			return;
		}
		// Too many are asked at once. It keeps its turn: no other of ours would fare better.
		receiver.cancelTimer = this.#verbs.clock.after(RETRY, () => {
			receiver.cancelTimer = undefined;
			this.#ask(receiver, signal);
		});
	}

	#answered(receiver: Receiver, count: number): void {
		receiver.stopPinging?.();
		receiver.stopPinging = undefined;
		receiver.isPinging = false;
		this.#took(receiver, count);
	}

	#took(receiver: Receiver, count: number): void {
		if (!this.#isKnown(receiver)) return;
		receiver.taken = Math.max(receiver.taken, count);
		receiver.silent = 0;
		receiver.isSlow = false;
		if (receiver.sent === receiver.taken && !receiver.isPinging) {
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
		this.#forget(receiver);
		this.#tell(receiver.jid);
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
