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
/** A receipt should be here by then; the second time twice as long. */
const RECEIPT_WITHIN: Millis = 60_000;
/** Receipts of one stanza that are missed before something else must prove it: he may use another client by now, or his client tells none of what it had before. */
const MOST_MISSES = 2;
/** After a receipt the others are waited for: a client that comes back acknowledges one by one what its server kept. */
const SETTLE: Millis = 10_000;

/** Who could not be reached is tried again after this long, and then half as often each time. */
const AGAIN_FIRST: Millis = 60_000;
const AGAIN_MOST: Millis = 3_600_000;

/** How long to wait after so many failures in a row. */
export function waitAfter(failures: number): Millis {
	return Math.min(AGAIN_MOST, AGAIN_FIRST * 2 ** Math.min(failures - 1, 20));
}

/** One device of which he takes nothing: he has blocked it, or he is away. */
interface Trouble {
	failures: number;
	/** When it failed last, and until when nothing of it is sent. */
	at: UnixMillis;
	until: UnixMillis;
	/** He has acknowledged nothing of anybody since it began: it may be that he is away. */
	isNew: boolean;
}

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
	/** How often its receipt was waited for in vain. */
	misses: number;
	/** How many of its letters he may not read any more. */
	hidden: number;
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
	/** By device. As many as he has stanzas of. */
	readonly #troubles = new Map<string, Trouble>();
	/** His client sends receipts: nothing less proves that he has a letter, until one misses its receipt again and again. */
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
	/** How often in a row his server said that there is no such account, and since when. */
	missing = 0;
	missingSince: UnixMillis = -Infinity;
	/** The pause is because of several devices: another one may get through. */
	isByDevices = false;
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

	/** Is there anything of this device? What another one cannot deliver is not its business. */
	isBehindWith(device: string): boolean {
		if (this.more || this.#troubles.has(device)) return true;
		for (const sent of this.#sent.values()) if (!this.#troubles.has(sent.device)) return true;
		return false;
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
		if (!this.#sent.has(batch)) this.#sent.set(batch, { batch, device, letters, out: false, seq: 0, at: -Infinity, times, misses: 0, hidden: 0 });
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
		this.release(Infinity);
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
		for (const trouble of this.#troubles.values()) trouble.isNew = false;
		this.failures = this.missing = 0;
		this.#window = Math.min(MAX_WINDOW, this.#window + 1);
	}

	/** It is nobody's business any more. */
	forget(sent: Sent): void {
		this.returned(sent);
		this.#sent.delete(sent.batch);
		if (this.#troubles.delete(sent.device)) this.more = this.urgent = true; // its letters were left out
	}

	/** What must be sent, or sent again, in order; nothing of devices in trouble. */
	waiting(): Sent[] {
		return [...this.#sent.values()].filter(({ out, device }) => !out && !this.#troubles.has(device));
	}

	/** Of each device in trouble whose time has come one stanza, that tries the road: first the one that was tried longest ago. */
	tries(now: UnixMillis): Sent[] {
		const found: Sent[] = [];
		for (const [device, { until }] of [...this.#troubles].sort(([, a], [, b]) => a.at - b.at)) {
			if (until > now) continue;
			const own = [...this.#sent.values()].filter((sent) => sent.device === device);
			if (own[0] && !own.some(({ out }) => out)) found.push(own[0]);
		}
		return found;
	}

	/** Devices of which nothing new is sent now. */
	get troubled(): readonly string[] {
		return [...this.#troubles.keys()];
	}

	/** A stanza of this device came back, for the first time or after so many failures. @returns May it be that he is away: nothing of another device came through since either? */
	refuse(device: string, now: UnixMillis, failures = 0): boolean {
		let trouble = this.#troubles.get(device);
		if (!trouble) this.#troubles.set(device, trouble = { failures, at: now, until: -Infinity, isNew: true });
		// The other stanzas of the same moment come back too.
		if (trouble.until <= now || trouble.at > now) Object.assign(trouble, { failures: trouble.failures + 1, at: now, until: now + waitAfter(trouble.failures + 1) });
		return [...this.#troubles.values()].filter(({ isNew }) => isNew).length > 1;
	}

	/** Devices in trouble may be tried again, if they failed at least so long ago. */
	release(now: UnixMillis, atLeast: Millis = 0): void {
		for (const trouble of this.#troubles.values()) if (now - trouble.at >= atLeast || now < trouble.at) trouble.until = -Infinity;
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
	 * the order. When none came through, he is probably away and his server keeps them: the oldest alone asks for him,
	 * and not each of them fills his archive.
	 */
	takeBack(now: UnixMillis): void {
		// What is yet to come was before the clock was set back.
		for (const trouble of this.#troubles.values()) if (trouble.at > now) Object.assign(trouble, { at: now, until: now + waitAfter(trouble.failures) });
		if (!this.receipts || this.#out === 0) return;
		const out = this.out();
		this.#ackedAt = Math.min(this.#ackedAt, now);
		for (const sent of out) sent.at = Math.min(sent.at, now);
		if (now - this.#ackedAt < SETTLE) return;
		const lost = out.filter(({ seq, at }) => seq < this.#ackedSeq && now - at >= RECEIPT_WITHIN);
		for (const sent of lost) this.#missed(sent);
		const oldest = out[0];
		if (lost.length > 0 || oldest === undefined || now - oldest.at < patienceFor(oldest)) return;
		this.#missed(oldest);
	}

	/** It goes again; or, when that was no use, it stays and a ping must prove it. */
	#missed(sent: Sent): void {
		sent.misses++;
		if (sent.misses < MOST_MISSES) this.returned(sent);
		else this.receipts = false;
	}

	/** When there may be something to do: for `takeBack()`, or for `tries()`; nothing while all is well. */
	nextAt(now: UnixMillis): UnixMillis | undefined {
		let next = Infinity;
		// One whose time has come waits for room, which wakes whoever asks here.
		for (const [device, { until }] of this.#troubles) if (until > now && this.#hasWaiting(device)) next = Math.min(next, until);
		if (this.receipts && this.#out > 0) next = Math.min(next, this.#receiptsAt());
		return next === Infinity ? undefined : next;
	}

	#receiptsAt(): UnixMillis {
		let oldest: Sent | undefined;
		let first = Infinity;
		for (const sent of this.#sent.values()) {
			if (!sent.out) continue;
			if (oldest === undefined) first = (oldest = sent).at + patienceFor(sent);
			if (sent.seq < this.#ackedSeq) first = Math.min(first, sent.at + RECEIPT_WITHIN);
		}
		return Math.max(first, this.#ackedAt + SETTLE);
	}

	#hasWaiting(device: string): boolean {
		for (const sent of this.#sent.values()) if (sent.device === device && sent.out) return false;
		return true;
	}
}

function patienceFor({ misses }: Sent): Millis {
	return RECEIPT_WITHIN * 2 ** Math.min(misses, MOST_MISSES);
}
