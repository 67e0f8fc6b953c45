// What must arrive: letters wait on disk until their receiver has acknowledged them.
// More than 300 lines: the life of a letter is one story, and is told in one place.
//
// XEP-0184: Message Delivery Receipts
// Source: https://xmpp.org/extensions/xep-0184.html
// Version: 1.4.0
// XEP-0199 tells what a client that sends no receipts cannot: an answer to a ping that left after a message on the same
// stream proves that the receiver's server has the message (RFC 6120 §10.1: in order).

import type { Millis } from "../core/clock.js";
import { messageOf } from "../core/errors.js";
import type { Letter, Outbox, Queue, Waiting } from "../core/outbox.js";
import type { Condition } from "../xmpp/stanza.js";
import { xml } from "../xmpp/xml.js";
import { jidOf, whoOf } from "./addresses.js";
import { Lane, MAX_WINDOW, type Sent, URGENT_ROOM, waitAfter } from "./lane.js";
import { type Batch, compose, MAX_LETTERS, mayHear, NS_RECEIPTS, stanzaOf } from "./letter.js";
import type { Incoming, Verbs, XepModule } from "./module.js";
import { NS_PING } from "./ping.js";
import { Proven } from "./proven.js";
import { Sweeper } from "./sweeper.js";
import { reachOf, verdictOf } from "./verdict.js";

/** Letters read at once for one receiver, some hundred bytes each: of a fleet whose devices speak in turn, enough that ten of one device ride together. */
const PAGE = 2_000;
/** More than one receiver can have in stanzas: for reading all of them. Some hundred bytes each. */
const ALL_SENT = (MAX_WINDOW + URGENT_ROOM) * MAX_LETTERS;
/** Receivers for whom letters are read and written at the same time: bounds the memory, whatever waits. */
const WORKERS = 4;
/** The stream had no room: it is asked again after this long. */
const FULL_AGAIN: Millis = 500;
/** The store did not take or give something. */
const STORE_AGAIN: Millis = 5_000;
/** His server must say so often in a row, and for so long, that there is no such account: a server or a room that is starting says it too. */
const MAX_MISSING = 3;
const MISSING_FOR: Millis = 3_600_000;
/** A receipt or presence of his ends the wait, but not more often than this: one letter may be refused while others are taken. */
const BACK_EVERY: Millis = 10_000;
/** Receivers remembered while they have nothing to receive. */
const MAX_IDLE = 1_000;

export interface CourierOptions {
	readonly outbox: Outbox;
	/** There is no such account any more, and its letters are discarded: what would write others ends. Bare JID. */
	readonly onGone?: (who: string) => void;
	/** A fresh, unguessable stanza id. */
	readonly newId: () => string;
}

/** Since the start of the gateway. */
export interface CourierCounters {
	/** Letters that their receivers, or their receivers' servers, have. */
	readonly delivered: number;
	/** Stanzas sent again. */
	readonly repeated: number;
	/** Letters that nobody will take, or may read any more. */
	readonly givenUp: number;
	/** Stanzas on their way. */
	readonly underWay: number;
}

export interface Courier extends XepModule {
	/** See to it that the letter arrives. Resolves when it is on disk. @throws {GatewayError} `store-failed`. */
	post(letter: Letter): Promise<void>;
	/** Has he letters, of this device or of any, that he has not acknowledged yet? Then what only repeats should not be added. */
	isBehind(to: string, device?: string): boolean;
	counters(): CourierCounters;
	/** What waits, by receiver. @throws {GatewayError} `store-failed`. */
	queues(): Promise<readonly Queue[]>;
}

/** Deliver letters: oldest first, urgent ones ahead, no faster than each receiver acknowledges them. */
export function courier(verbs: Verbs, options: CourierOptions): Courier {
	return new Rounds(verbs, options);
}

class Rounds implements Courier {
	readonly #verbs: Verbs;
	readonly #outbox: Outbox;
	readonly #onGone: (who: string) => void;
	readonly #newId: () => string;
	readonly #lanes = new Map<string, Lane>();
	/** Lanes that want a round, each once. */
	readonly #ready = new Set<Lane>();
	#workers = 0;
	readonly #sweeper: Sweeper;
	readonly #proven: Proven;
	#session = 0;
	#isClosed = false;
	#delivered = 0;
	#repeated = 0;
	#givenUp = 0;

	constructor(verbs: Verbs, { outbox, newId, onGone = () => {} }: CourierOptions) {
		this.#verbs = verbs;
		this.#outbox = outbox;
		this.#sweeper = new Sweeper(verbs, outbox);
		this.#proven = new Proven(verbs.clock);
		this.#newId = newId;
		this.#onGone = onGone;
	}

	async post(given: Letter): Promise<void> {
		const letter = { ...given, to: whoOf(given.to) ?? given.to };
		await this.#outbox.post(letter);
		const lane = this.#lane(letter.to);
		lane.more = true;
		lane.urgent ||= letter.urgent;
		if (lane.isByDevices && !lane.troubled.includes(letter.device)) this.#back(lane, true);
		this.#wake(lane);
	}

	isBehind(to: string, device?: string): boolean {
		const lane = this.#lanes.get(to);
		return (device === undefined ? lane?.isBehind : lane?.isBehindWith(device)) ?? false;
	}

	counters(): CourierCounters {
		let underWay = 0;
		for (const lane of this.#lanes.values()) underWay += lane.out().length;
		return { delivered: this.#delivered, repeated: this.#repeated, givenUp: this.#givenUp, underWay };
	}

	queues(): Promise<readonly Queue[]> {
		return this.#outbox.queues();
	}

	connected(): void {
		this.#session++;
		for (const lane of this.#lanes.values()) {
			lane.pause?.();
			lane.pause = undefined;
		}
		void this.#begin(this.#session);
	}

	disconnected(): void {
		for (const lane of this.#lanes.values()) this.#rest(lane);
	}

	closing(): void {
		this.#isClosed = true;
		this.#sweeper.close();
		this.disconnected();
	}

	/** A receipt counts from the bare JID that the letter went to, at the address that it came from. */
	message({ stanza, who, jid }: Incoming): boolean {
		const received = stanza.child("received", NS_RECEIPTS);
		if (!received || stanza.child("body")) return false;
		const id = received.attrs["id"] ?? "";
		const lane = this.#lanes.get(who);
		const sent = lane?.get(id);
		const known = sent ?? this.#proven.find(who, id); // an answer to a ping may have been faster
		if (!lane || !known || jidOf(this.#verbs.domain, known.device) !== jid) return true;
		lane.receipts = true;
		this.#proven.forget(id);
		this.#back(lane);
		if (sent) this.#arrived(lane, [sent]);
		return true;
	}

	bounced({ stanza, who, jid }: Incoming): void {
		const id = stanza.attrs["id"] ?? "";
		const lane = this.#lanes.get(who);
		const sent = lane?.get(id);
		const late = sent ? undefined : this.#proven.find(who, id);
		const device = sent?.device ?? late?.device;
		if (device === undefined || jidOf(this.#verbs.domain, device) !== jid) return;
		const { fate, condition, text } = verdictOf(stanza);
		if (late) {
			if (fate === "refused" || fate === "gone") this.#proven.forget(id);
			if (fate === "refused" || fate === "gone") return void this.#verbs.log.warn({ to: who, device, condition, text }, `Cannot deliver ${late.letters.length} letter(s) to ${who}, as its server finds out: ${condition}`);
			return void this.#comesBack(who, late);
		}
		if (!lane || !sent) return;
		if (fate === "gone") return void this.#gone(lane, condition);
		if (fate === "refused") {
			this.#verbs.log.warn({ to: who, device, condition, text }, `Cannot deliver ${sent.letters} letter(s) to ${who}: ${condition}`);
			this.#giveUp(lane, sent);
			return this.#wake(lane);
		}
		lane.returned(sent);
		if (fate === "missing") return this.#missing(lane, condition);
		if (fate === "unreached") return this.#unreachable(lane, condition);
		const isByDevices = lane.refuse(device, this.#verbs.clock.now());
		if (isByDevices) this.#unreachable(lane, condition, true);
		else this.#wake(lane);
	}

	/** He is there, or his server asks for us because he comes: what waits because he could not be reached is tried at once. */
	presence({ stanza, who }: Incoming): void {
		const lane = this.#lanes.get(who);
		const { type } = stanza.attrs;
		if (!lane || (type !== undefined && type !== "probe")) return;
		lane.release(this.#verbs.clock.now(), BACK_EVERY);
		this.#back(lane);
		this.#wake(lane);
	}

	/** He was heard himself, or may be reached in another way: it is no use to wait any longer. */
	#back(lane: Lane, isSoon = false): void {
		if (!lane.pause || lane.failures === 0) return;
		const passed = this.#verbs.clock.now() - lane.triedAt;
		if (passed < 0 || passed >= BACK_EVERY) this.#resume(lane);
		else if (isSoon) this.#pause(lane, BACK_EVERY - passed);
	}

	/** A ping has proven it, and then it came back: its letters are written down again, in the same stanza. */
	async #comesBack(to: string, batch: Batch): Promise<void> {
		const failures = this.#proven.returned(batch.id);
		while (!this.#isClosed) {
			try {
				await this.#sweeper.swept();
				await Promise.all([...batch.letters.map((letter) => this.#outbox.post(letter)), this.#outbox.assign(batch.letters.map(({ id }) => id), batch.id)]);
				const lane = this.#lane(to);
				lane.add(batch.id, batch.device, batch.letters.length, 1);
				lane.refuse(batch.device, this.#verbs.clock.now(), failures);
				return this.#wake(lane);
			} catch (error) {
				this.#verbs.log.warn({ to, err: error }, `Cannot keep ${batch.letters.length} letter(s) to ${to} that came back: ${messageOf(error)}`);
				await new Promise<void>((resolve) => void this.#verbs.clock.after(STORE_AGAIN, resolve));
			}
		}
	}

	// ---- In turn ----

	async #begin(session: number): Promise<void> {
		try {
			for (const { to } of await this.#outbox.queues()) {
				const lane = this.#lane(to);
				lane.more = lane.urgent = true;
			}
		} catch (error) {
			this.#verbs.log.warn({ err: error }, `Cannot read the outbox: ${messageOf(error)}`);
			this.#verbs.clock.after(STORE_AGAIN, () => {
				if (session === this.#session && !this.#isClosed) void this.#begin(session);
			});
		}
		if (session !== this.#session) return;
		for (const lane of this.#lanes.values()) if (lane.isBehind || lane.urgent) this.#wake(lane);
	}

	#lane(to: string): Lane {
		let lane = this.#lanes.get(to);
		if (!lane) {
			if (this.#lanes.size >= MAX_IDLE) this.#prune();
			this.#lanes.set(to, lane = new Lane(to));
		}
		return lane;
	}

	#prune(): void {
		for (const [to, lane] of this.#lanes) {
			if (!lane.isIdle) continue;
			this.#rest(lane);
			this.#lanes.delete(to);
		}
	}

	#isOpen(lane: Lane): boolean {
		return !this.#isClosed && lane.pause === undefined && this.#verbs.online() && this.#lanes.get(lane.to) === lane;
	}

	#wake(lane: Lane): void {
		if (!this.#isOpen(lane)) return;
		this.#ready.add(lane);
		if (this.#workers < WORKERS) void this.#work();
	}

	async #work(): Promise<void> {
		this.#workers++;
		for (let lane = this.#nextReady(); lane; lane = this.#nextReady()) {
			this.#ready.delete(lane);
			lane.isBusy = true;
			try {
				await this.#round(lane);
			} catch (error) {
				// What was read or written in part is read again.
				lane.more = lane.urgent = true;
				lane.isRead = false;
				this.#verbs.log.warn({ to: lane.to, err: error }, `Cannot deliver letters to ${lane.to} now: ${messageOf(error)}`);
				this.#pause(lane, STORE_AGAIN);
			}
			lane.isBusy = false;
			this.#plan(lane);
		}
		this.#workers--;
	}

	#nextReady(): Lane | undefined {
		for (const lane of this.#ready) if (!lane.isBusy) return lane;
		return undefined;
	}

	/** Send what one receiver may be sent now. @throws {GatewayError} `store-failed`. */
	async #round(lane: Lane): Promise<void> {
		if (!this.#isOpen(lane)) return;
		const session = this.#session;
		if (lane.session !== session) lane.restart(session);
		if (!lane.isRead) {
			const sent = batchesOf(await this.#outbox.sent(lane.to, ALL_SENT));
			if (session !== this.#session) return this.#wake(lane);
			for (const { id, device, letters } of sent) if (!this.#sweeper.has(id)) lane.add(id, device, letters.length, 1);
			lane.isRead = true;
		}
		lane.takeBack(this.#verbs.clock.now());
		if (lane.urgent) await this.#fresh(lane, true);
		if (this.#isOpen(lane)) await this.#again(lane, lane.waiting());
		if (this.#isOpen(lane) && lane.more && lane.room > 0 && lane.waiting().length === 0) await this.#fresh(lane, false);
		// One device in trouble holds up only itself, so that it comes last.
		if (this.#isOpen(lane)) await this.#again(lane, lane.tries(this.#verbs.clock.now()));
		this.#ping(lane);
	}

	/** What was sent before, and must be sent again: the same letters, with the same id. */
	async #again(lane: Lane, all: readonly Sent[]): Promise<void> {
		const waiting = all.slice(0, Math.max(0, lane.room));
		if (waiting.length === 0) return;
		const still = new Set(waiting);
		let most = this.#sweeper.size * MAX_LETTERS;
		for (const sent of lane.all()) {
			most += sent.letters;
			still.delete(sent);
			if (still.size === 0) break;
		}
		let found = byId(await this.#outbox.sent(lane.to, Math.min(most, ALL_SENT)));
		// The outbox may have them in another order, urgent ones for example: then all of them are read.
		if (waiting.some((sent) => found.get(sent.batch)?.letters.length !== sent.letters)) found = byId(await this.#outbox.sent(lane.to, ALL_SENT));
		for (const sent of waiting) {
			if (!this.#isOpen(lane)) return;
			if (lane.get(sent.batch) !== sent) continue; // acknowledged meanwhile
			const batch = found.get(sent.batch);
			if (batch === undefined) {
				lane.forget(sent); // the outbox was full, and has let it go
				this.#proven.forget(sent.batch);
			} else if (!this.#send(lane, sent, batch)) return;
		}
		if (lane.waiting().length > 0 && lane.room > 0) this.#wake(lane);
	}

	/** What was never sent. It is on disk in which stanza it goes before it goes. */
	async #fresh(lane: Lane, isUrgent: boolean): Promise<void> {
		const room = lane.room + (isUrgent ? URGENT_ROOM : 0);
		if (room <= 0) return;
		const session = this.#session;
		const limit = Math.min(PAGE, room * MAX_LETTERS);
		if (isUrgent) lane.urgent = false;
		else lane.more = false; // before it is asked: what is posted meanwhile sets it again
		const except = lane.troubled;
		const page = await this.#outbox.next(lane.to, limit, except);
		const own = except.length === 0 ? page : page.filter(({ device }) => !except.includes(device));
		const wanted = isUrgent ? own.filter(({ urgent }) => urgent) : own;
		if (own.length === 0 && page.length > 0) return; // nothing but letters of devices in trouble: they wake it when that ends
		const heard = wanted.filter((letter) => mayHear(this.#verbs, letter));
		const batches = compose(heard, room, this.#newId);
		if (page.length === limit || batches.reduce((sum, { letters }) => sum + letters.length, 0) < heard.length) {
			lane.more = true;
			if (isUrgent && wanted.length === page.length) lane.urgent = true;
		}
		await Promise.all([this.#withhold(lane, wanted.filter((letter) => !heard.includes(letter))), ...batches.map(({ id, letters }) => this.#outbox.assign(letters.map((letter) => letter.id), id))]);
		for (const { id, device, letters } of batches) lane.add(id, device, letters.length);
		for (const batch of batches) {
			const sent = lane.get(batch.id);
			if (session !== this.#session || !this.#isOpen(lane)) return;
			if (sent && !lane.troubled.includes(sent.device) && !this.#send(lane, sent, batch)) return;
		}
		if (lane.urgent || (lane.more && lane.room > 0)) this.#wake(lane);
	}

	/** He may no longer read them: they go unsent. */
	async #withhold(lane: Lane, letters: readonly Waiting[]): Promise<void> {
		if (letters.length === 0) return;
		const id = this.#newId();
		await this.#outbox.assign(letters.map((letter) => letter.id), id);
		await this.#outbox.acknowledged([id]);
		this.#givenUp += letters.length;
		this.#verbs.log.info({ to: lane.to, letters: letters.length }, `${lane.to} may no longer read ${letters.length} letter(s) that waited: discarded`);
	}

	/** @returns False when there is no room now: it stays what it is, and is tried again. */
	#send(lane: Lane, sent: Sent, { id, device, letters }: Batch): boolean {
		const { domain, clock } = this.#verbs;
		// What he may not read any more is left out; the rest goes under the same id.
		const batch: Batch = { id, device, letters: letters.filter((letter) => mayHear(this.#verbs, letter)) };
		const hidden = letters.length - batch.letters.length;
		if (hidden > sent.hidden) this.#verbs.log.info({ to: lane.to, device, letters: hidden }, `${lane.to} may no longer read ${hidden} letter(s) that were on their way: discarded`);
		const stanza = stanzaOf(domain, lane.to, batch, clock.now());
		sent.letters = letters.length;
		if (stanza === undefined) {
			this.#giveUp(lane, sent);
			return true;
		}
		sent.hidden = hidden;
		if (!this.#verbs.say(stanza)) {
			if (this.#verbs.online()) this.#pause(lane, FULL_AGAIN);
			return false;
		}
		if (sent.times > 0) this.#repeated++;
		lane.left(sent, clock.now());
		this.#proven.keep(lane.to, batch);
		return true;
	}

	// ---- What proves that it arrived ----

	/** Where no receipt comes: ask his server, behind the last stanza. One question at a time. */
	#ping(lane: Lane): void {
		if (lane.receipts || lane.isPinging || this.#isClosed || !this.#verbs.online()) return;
		const out = lane.out();
		const from = jidOf(this.#verbs.domain, out.at(-1)?.device ?? "");
		if (out.length === 0 || from === undefined) return;
		const session = this.#session;
		const upTo = lane.seq;
		lane.isPinging = true;
		void this.#verbs.ask({ type: "get", from, to: lane.to, payload: xml("ping", { xmlns: NS_PING }) }).then(() => "reached" as const, reachOf).then((reach) => {
			lane.isPinging = false;
			if (session !== this.#session || this.#lanes.get(lane.to) !== lane) return;
			if (lane.receipts) return;
			if (reach === "later") return lane.pause ? undefined : this.#pause(lane, FULL_AGAIN);
			const proven = lane.out(upTo);
			if (reach === "reached") {
				for (const { batch } of proven) this.#proven.refresh(batch);
				this.#arrived(lane, proven);
				return this.#ping(lane); // for what left meanwhile
			}
			for (const sent of proven) lane.returned(sent);
			this.#unreachable(lane, "no answer to a ping");
		});
	}

	#arrived(lane: Lane, all: readonly Sent[]): void {
		const now = this.#verbs.clock.now();
		for (const sent of all) {
			lane.acknowledged(sent, now);
			this.#delivered += sent.letters - sent.hidden;
			this.#givenUp += sent.hidden;
			this.#sweeper.add(sent.batch);
		}
		this.#wake(lane);
	}

	#giveUp(lane: Lane, sent: Sent): void {
		this.#givenUp += sent.letters;
		lane.forget(sent);
		this.#proven.forget(sent.batch);
		this.#sweeper.add(sent.batch);
	}

	/** There is no such account, it is said; perhaps it is only not there yet. */
	#missing(lane: Lane, condition: Condition): void {
		if (lane.pause && lane.failures > 0) return; // the other stanzas of the same moment come back too
		const now = this.#verbs.clock.now();
		if (lane.missing++ === 0 || lane.missingSince > now) lane.missingSince = now;
		if (lane.missing >= MAX_MISSING && now - lane.missingSince >= MISSING_FOR) return void this.#gone(lane, condition);
		this.#unreachable(lane, condition);
	}

	/** There is no such account any more. */
	async #gone(lane: Lane, condition: Condition): Promise<void> {
		this.#rest(lane);
		this.#lanes.delete(lane.to);
		this.#onGone(lane.to);
		try {
			const letters = await this.#outbox.discard(lane.to);
			this.#givenUp += letters;
			this.#verbs.log.warn({ to: lane.to, condition, letters }, `Cannot deliver letters to ${lane.to}: its server says ${condition}; ${letters} discarded`);
		} catch (error) {
			this.#verbs.log.warn({ to: lane.to, err: error }, `Cannot discard the letters to ${lane.to}: ${messageOf(error)}`);
		}
	}

	#unreachable(lane: Lane, why: string, isByDevices = false): void {
		if (lane.pause && lane.failures > 0) return; // the other stanzas of the same moment come back too
		lane.shrink();
		lane.isByDevices = isByDevices;
		const span = waitAfter(lane.failures);
		this.#verbs.log.info({ to: lane.to, why, again: span }, `Cannot reach ${lane.to} now: ${why}; its letters wait`);
		this.#pause(lane, span);
	}

	// ---- When ----

	#pause(lane: Lane, span: Millis): void {
		if (this.#isClosed) return;
		lane.pause?.();
		lane.pause = this.#verbs.clock.after(span, () => this.#resume(lane));
	}

	#resume(lane: Lane): void {
		lane.pause?.();
		lane.pause = undefined;
		lane.isByDevices = false;
		this.#wake(lane);
	}

	#plan(lane: Lane): void {
		lane.timer?.();
		lane.timer = undefined;
		const at = lane.nextAt(this.#verbs.clock.now());
		if (at === undefined || !this.#isOpen(lane)) return;
		lane.timer = this.#verbs.clock.after(Math.max(0, at - this.#verbs.clock.now()), () => this.#wake(lane));
	}

	#rest(lane: Lane): void {
		lane.pause?.();
		lane.timer?.();
		lane.pause = lane.timer = undefined;
		this.#ready.delete(lane);
	}
}

/** Letters by the stanza that they are in, in the order of their first ones. */
function batchesOf(letters: readonly Waiting[]): Batch[] {
	const found = new Map<string, { id: string; device: string; letters: Letter[] }>();
	for (const letter of letters) {
		if (letter.batch === undefined) continue;
		const batch = found.get(letter.batch) ?? { id: letter.batch, device: letter.device, letters: [] };
		batch.letters.push(letter);
		found.set(letter.batch, batch);
	}
	return [...found.values()];
}

function byId(letters: readonly Waiting[]): Map<string, Batch> {
	return new Map(batchesOf(letters).map((batch) => [batch.id, batch]));
}
