// What is on its way to one receiver of letters: how much at once, and what is sent again when. Pure but for the clock's "now".
import type { Millis, UnixMillis } from "../core/clock.js";

/** Stanzas on their way to a receiver of whom nothing is known yet. */
const FIRST_WINDOW = 20;
/**
 * And to one who keeps up. Far below the 5 000 at which ejabberd drops a client, and with the 500 of subscriptions below a
 * thousand; bounds what is on disk in batches, too.
 */
export const MAX_WINDOW = 256;
/** What is urgent does not wait for a full window: so many more. */
export const URGENT_ROOM = 10;
/** A receipt should be here by then; then twice as long each time. */
const RECEIPT_WITHIN: Millis = 60_000;
const MOST_PATIENCE: Millis = 3_600_000;
/** After a receipt the others are waited for: a client that comes back acknowledges one by one what its server kept. */
const SETTLE: Millis = 10_000;

/** A stanza that is on disk as sent, or about to be. */
export interface Sent {
	readonly batch: string;
	readonly device: string;
	/** How many letters are in it. */
	letters: number;
	/** It is on its way; otherwise it must be sent, or sent again. */
	out: boolean;
	/** Its number on this lane, anew each time. */
	seq: number;
	at: UnixMillis;
	times: number;
}

/** One receiver. */
export class Lane {
	readonly to: string;
	/** In the order in which they were first sent. */
	readonly #sent = new Map<string, Sent>();
	#out = 0;
	#seq = 0;
	#window = FIRST_WINDOW;
	/** The latest stanza that was acknowledged, and when. */
	#ackedSeq = 0;
	#ackedAt: UnixMillis = -Infinity;
	/** How often the oldest was sent again in vain. */
	#repeats = 0;
	/** His client sends receipts: from now on nothing less proves that he has a letter. */
	receipts = false;
	/** There may be letters that are in no stanza yet; urgent ones. */
	more = true;
	urgent = true;
	/** The session of the uplink that `out` is true of. */
	session = -1;
	/** Everything that is on disk as sent is known here. */
	isRead = false;
	/** How often in a row he could not be reached. */
	failures = 0;
	isBusy = false;
	isPinging = false;
	/** Ends the pause in which nothing is sent to him. */
	pause: (() => void) | undefined;
	/** Ends the wait for the next repetition. */
	timer: (() => void) | undefined;
	triedAt: UnixMillis = -Infinity;

	constructor(to: string) {
		this.to = to;
	}

	get room(): number {
		return this.#window - this.#out;
	}

	get isIdle(): boolean {
		return this.#sent.size === 0 && !this.more && !this.urgent && !this.isBusy && !this.isPinging && this.pause === undefined;
	}

	/** Is there anything that he has not acknowledged? */
	get isBehind(): boolean {
		return this.#sent.size > 0 || this.more;
	}

	/** The number of the last stanza that left. */
	get seq(): number {
		return this.#seq;
	}

	get(batch: string): Sent | undefined {
		return this.#sent.get(batch);
	}

	/** A stanza is on disk as sent. One that is known already stays as it is. */
	add(batch: string, device: string, letters: number, times = 0): void {
		if (!this.#sent.has(batch)) this.#sent.set(batch, { batch, device, letters, out: false, seq: 0, at: -Infinity, times });
	}

	/** It left. */
	left(sent: Sent, now: UnixMillis): void {
		if (!sent.out) this.#out++;
		Object.assign(sent, { out: true, seq: ++this.#seq, at: now, times: sent.times + 1 });
		this.triedAt = now;
	}

	/** It did not arrive, as far as is known: it will be sent again. */
	returned(sent: Sent): void {
		if (!sent.out) return;
		sent.out = false;
		this.#out--;
	}

	/** A new session of the uplink: whatever was on its way may be lost. */
	restart(session: number): void {
		this.session = session;
		for (const sent of this.#sent.values()) this.returned(sent);
		this.#repeats = 0;
		this.#window = this.failures > 0 ? 1 : FIRST_WINDOW;
	}

	/** He could not be reached: one stanza tries the road first. */
	shrink(): void {
		this.failures++;
		this.#window = 1;
	}

	/** He has it. */
	acknowledged(sent: Sent, now: UnixMillis): void {
		this.forget(sent);
		this.#ackedSeq = Math.max(this.#ackedSeq, sent.seq);
		this.#ackedAt = now;
		this.#repeats = 0;
		this.failures = 0;
		this.#window = Math.min(MAX_WINDOW, this.#window + 1);
	}

	/** It is nobody's business any more. */
	forget(sent: Sent): void {
		this.returned(sent);
		this.#sent.delete(sent.batch);
	}

	/** What must be sent, or sent again, in order. */
	waiting(): Sent[] {
		return [...this.#sent.values()].filter(({ out }) => !out);
	}

	/** All that are in a stanza, in order. */
	all(): Iterable<Sent> {
		return this.#sent.values();
	}

	/** What is on its way, up to this number. */
	out(upTo = this.#seq): Sent[] {
		return [...this.#sent.values()].filter(({ out, seq }) => out && seq <= upTo);
	}

	/**
	 * Take back what is overdue, so that it is sent again. A stanza that later ones have overtaken is lost, since a stream keeps
	 * the order. When none came through, he is probably away and his server keeps them: the oldest alone asks for him, ever
	 * more seldom, and not each of them fills his archive.
	 */
	takeBack(now: UnixMillis): void {
		if (!this.receipts || this.#out === 0) return;
		const out = this.out();
		// What is yet to come was before the clock was set back.
		this.#ackedAt = Math.min(this.#ackedAt, now);
		for (const sent of out) sent.at = Math.min(sent.at, now);
		if (now - this.#ackedAt < SETTLE) return;
		const lost = out.filter(({ seq, at }) => seq < this.#ackedSeq && now - at >= RECEIPT_WITHIN);
		for (const sent of lost) this.returned(sent);
		const oldest = out[0];
		if (lost.length > 0 || oldest === undefined || now - oldest.at < this.#patience()) return;
		this.returned(oldest);
		this.#repeats++;
	}

	/** When `takeBack()` may have something to do; nothing while nothing is on its way. */
	nextAt(): UnixMillis | undefined {
		if (!this.receipts || this.#out === 0) return undefined;
		let oldest: Sent | undefined;
		let first = Infinity;
		for (const sent of this.#sent.values()) {
			if (!sent.out) continue;
			if (oldest === undefined) first = (oldest = sent).at + this.#patience();
			if (sent.seq < this.#ackedSeq) first = Math.min(first, sent.at + RECEIPT_WITHIN);
		}
		return Math.max(first, this.#ackedAt + SETTLE);
	}

	#patience(): Millis {
		return Math.min(MOST_PATIENCE, RECEIPT_WITHIN * 2 ** this.#repeats);
	}
}
