// RFC 6121 §4.2 and §4.4: presence to everybody who has subscribed. There is no broadcast form for a component: each contact is told by name.
// Source: https://www.rfc-editor.org/rfc/rfc6121#section-4
//
// Above 300 lines: when a contact is told, in which turn, and when not yet, are one queue.

import { GATEWAY_ID } from "../core/access.js";
import type { Availability } from "../core/availability.js";
import type { Millis, UnixMillis } from "../core/clock.js";
import { isWritable, type Point } from "../core/point.js";
import type { Reading } from "../core/reading.js";
import type { Subscription } from "../core/subscription.js";
import type { Twin } from "../core/twin.js";
import type { Element } from "../xmpp/xml.js";
import type { Verbs } from "./module.js";
import { isSame, stanzaOf, type Template } from "./presence-template.js";
import { Bucket, type Rate } from "./rate.js";
import type { Subscriptions } from "./subscriptions.js";
import type { Views } from "./views.js";

/** An availability that changes more often is told with its newest state only. An explicit offline must be told within 10 s. */
const AVAILABILITY_EVERY: Millis = 5_000;
/** Values in a status are a courtesy; who needs each one reads or watches the device. */
const VALUES_EVERY: Millis = 60_000;
/** Values that come together in several messages make one status. */
const VALUES_SETTLE: Millis = 1_000;
/**
 * What servers take from one component without throttling it.
 *
 * It is also what bounds the presences on their way to one contact. They have no window (window.ts): they go to his bare JID, for
 * which his server answers pings, and not to the clients that it hands them to. Where all of the pace is for him, a client that
 * acknowledges (XEP-0198) each half second has some hundred outstanding, and one that takes five seconds for it a thousand; who sees
 * no more than a thousand devices never has more, since each device is told once in a burst. A client that went without a word, or
 * that cannot take so much, fills its server's queue for it; ejabberd ends that session at 5 000, which takes 25 seconds and as many
 * devices, and what is told next is told to his next session. Answers to probes come on top, at half the pace.
 */
const PACE: Rate = { burst: 200, perSecond: 200 };
const TICK: Millis = 50;
/** Answers to probes have a pace of their own, the half of it: whoever asks without end, and may, holds up nothing but other answers. */
const ANSWERS_PACE: Rate = { burst: 200, perSecond: 100 };
/** Probes of one contact that wait for their answers: a login with ten thousand devices, twice. Beyond it the oldest question is forgotten, which its asker has forgotten too. */
const MAX_ANSWERS_OF_ONE = 20_000;
/** And of all contacts, some 10 MB. */
const MAX_ANSWERS = 100_000;
/** Words that wait for room on the stream, some 4 MB: the farewells of ten thousand devices. */
const MAX_WORDS = 20_000;
/** The stream had no room: it is asked again after this long. */
const FULL_AGAIN: Millis = 500;
/** A contact's server that cannot be reached is tried again after this long, and then half as often each time. */
const UNREACHABLE_FIRST: Millis = 60_000;
const UNREACHABLE_MOST: Millis = 3_600_000;
/**
 * Of a device that nobody has heard from, contacts are told after this long, or when it is heard. Their servers keep what
 * they were told before the uplink was lost or the gateway was killed (RFC 6121 has no end of a presence but the next one), so
 * a device that is well would be seen to go and come with each restart. Sessions with brokers are up after one to three
 * seconds, with what they retain, and a bus has been polled by then.
 */
const SETTLES_WITHIN: Millis = 5_000;

/** A state is told at the pace of availability: what a switch does, and what somebody has just set. */
function isState(point: Point | undefined): boolean {
	return point !== undefined && (point.kind === "boolean" || point.kind === "enum" || isWritable(point));
}

/** What is known of one contact of one device. */
interface Pair {
	/** What he was told last, in this session of the uplink. */
	told: Template | undefined;
	session: number;
	/** How often in a row his address was said not to exist. */
	missing: number;
}

/** A probe that waits for its answer. */
interface Answer {
	readonly device: string;
	readonly contact: string;
	/** The address that asked. */
	readonly to: string;
}

interface Settling {
	/** No more than there are subscriptions. */
	readonly waiting: Set<Subscription>;
	cancel: (() => void) | undefined;
}

/** When something was told of one device. */
interface Told {
	availability: Availability | undefined;
	availabilityAt: UnixMillis;
	/** A state has changed since it was told last. */
	stateChanged: boolean;
	valuesAt: UnixMillis;
	at: UnixMillis;
	due: UnixMillis;
	cancel: (() => void) | undefined;
}

/** Tells contacts how a device is: the newest state only, at a bearable pace, and to each no more than he may see. */
export class Broadcast {
	readonly #verbs: Verbs;
	readonly #subscriptions: Subscriptions;
	readonly #views: Views;
	readonly #pairs = new WeakMap<Subscription, Pair>();
	readonly #devices = new Map<string, Told>();
	/** Who waits to be told: no more than there are subscriptions, since each is in it once. What he is told is decided when his turn comes. */
	readonly #urgent = new Set<Subscription>();
	readonly #burst = new Set<Subscription>();
	/** Answers to probes, by contact, each contact in turn: who asks for thousands does not hold up who asks for one. */
	readonly #answers = new Map<string, Map<string, Answer>>();
	#answersWaiting = 0;
	/** What is to be said in this order, whatever else is: the state of a subscription is kept by both sides, and must be the same. */
	readonly #words = new Set<{ readonly stanza: Element | string }>();
	/** Who is not told yet that nothing is known. Nothing: that time is over. */
	#settling: Settling | undefined;
	readonly #pace: Bucket;
	readonly #answersPace: Bucket;
	readonly #unreachable = new Map<string, { failures: number; isWaiting: boolean; cancel: () => void }>();
	#cancelTick: (() => void) | undefined;
	#session = 0;
	#closed = false;

	constructor(verbs: Verbs, subscriptions: Subscriptions, views: Views) {
		this.#verbs = verbs;
		this.#subscriptions = subscriptions;
		this.#views = views;
		this.#pace = new Bucket(PACE, verbs.clock.now());
		this.#answersPace = new Bucket(ANSWERS_PACE, verbs.clock.now());
	}

	/** Told of each contact that no rule names any more, after the last word to him. */
	onStranger: (subscription: Subscription) => void = () => {};

	/** Tell one contact now, out of turn; while the stream has no room he waits. */
	tell(subscription: Subscription): void {
		const template = this.#views.of(subscription);
		if (!template) return;
		if (this.#words.size === 0 && this.#verbs.say(stanzaOf(template, subscription.contact))) return this.#keep(subscription, template);
		if (!this.#verbs.online()) return; // the next session begins with everybody
		this.#pair(subscription).told = undefined;
		this.#urgent.add(subscription);
		this.#soon();
	}

	/** Tell the one address that asked, in turn: its own contact knows no more than before. */
	answer({ device, contact }: Subscription, to: string): void {
		const own = this.#answers.get(contact) ?? new Map<string, Answer>();
		const key = `${device}\n${to}`;
		if (own.delete(key)) this.#answersWaiting--;
		else if (own.size >= MAX_ANSWERS_OF_ONE || this.#answersWaiting >= MAX_ANSWERS) {
			const [oldest] = own.keys();
			if (oldest === undefined) return;
			own.delete(oldest);
			this.#answersWaiting--;
		}
		own.set(key, { device, contact, to });
		this.#answersWaiting++;
		this.#answers.set(contact, own);
		if (!this.#cancelTick) this.#drain();
	}

	/** `unavailable` to one contact now: he, or the device, is about to be gone. */
	tellUnavailable(subscription: Subscription): void {
		const template = this.#views.unavailable(subscription.device);
		if (template) this.word(stanzaOf(template, subscription.contact));
	}

	/** Say this now; while the stream has no room it waits, before all that is not said yet. While the uplink is down it is lost. */
	word(stanza: Element | string): void {
		if ((this.#words.size === 0 && this.#verbs.say(stanza)) || !this.#verbs.online() || this.#words.size >= MAX_WORDS) return;
		this.#words.add({ stanza });
		this.#soon();
	}

	/** Something of this device may look different. O(1) where nobody has subscribed. A value that has aged is told like any value. */
	changed(twin: Twin, readings: readonly Reading[] = []): void {
		const { id, points } = twin.device;
		this.#views.changed(id);
		if (this.#subscriptions.watchers(id).size === 0 || this.#closed) return;
		const told = this.#device(id);
		told.stateChanged ||= readings.some(({ point }) => isState(points[point]));
		if (this.#verbs.online()) this.#plan(id, told, this.#dueOf(twin, told, VALUES_SETTLE));
	}

	/** The device is gone: forget what was planned. */
	forget(id: string): void {
		this.#devices.get(id)?.cancel?.();
		this.#devices.delete(id);
		this.#views.forget(id);
	}

	/** A new session of the uplink: nobody knows anything. The gateway's own contacts first. */
	connected(): void {
		this.#session++;
		for (const { cancel } of this.#unreachable.values()) cancel();
		this.#unreachable.clear();
		this.#settled();
		const settling: Settling = { waiting: new Set(), cancel: undefined };
		settling.cancel = this.#verbs.clock.after(SETTLES_WITHIN, () => {
			settling.cancel = undefined;
			this.#settled();
			this.#drain();
		});
		this.#settling = settling;
		// What is held back now counts as told: the first word is another one.
		for (const [id, told] of this.#devices) if (this.#availabilityOf(id) === "unknown") told.availability = "unknown";
		this.everybody();
		// Everybody has been told something: there is nothing to wait for.
		if (this.#burst.size === 0 && settling.waiting.size === 0) this.#settled();
	}

	/** Contacts of devices that nothing is known of are told so from now on. */
	#settled(): void {
		const settling = this.#settling;
		this.#settling = undefined;
		settling?.cancel?.();
		for (const subscription of settling?.waiting ?? []) this.#burst.add(subscription);
	}

	/** Is he not to be told yet that nothing is known? */
	#isHeld(subscription: Subscription): boolean {
		const { device } = subscription;
		if (!this.#settling || device === GATEWAY_ID || this.#pair(subscription).told !== undefined) return false;
		// What the source has not announced yet may be there in a moment, too.
		return this.#availabilityOf(device) === "unknown";
	}

	#availabilityOf(id: string): Availability {
		return this.#verbs.registry.find(id)?.availability ?? "unknown";
	}

	/** Everybody whose picture is not the present one is told: after a change of access, or of everything. */
	everybody(): void {
		for (const watcher of this.#subscriptions.watchers(GATEWAY_ID)) this.#burst.add(watcher);
		for (const subscription of this.#subscriptions.all()) if (subscription.from) this.#burst.add(subscription);
		this.#drain();
	}

	/** Last words: at once, to everybody who may believe that something is there. */
	closing(): void {
		this.#closed = true;
		this.#cancelTick?.();
		for (const { stanza } of this.#words) this.#verbs.say(stanza);
		this.#words.clear();
		this.#settling?.cancel?.();
		for (const { cancel } of this.#devices.values()) cancel?.();
		for (const { cancel } of this.#unreachable.values()) cancel();
		for (const subscription of this.#subscriptions.all()) {
			if (!subscription.from || this.#pair(subscription).told?.available === false) continue;
			const template = this.#views.unavailable(subscription.device, "the gateway was stopped");
			if (template) this.#verbs.say(stanzaOf(template, subscription.contact));
		}
	}

	/** His server cannot be reached: leave him alone for a while, then try again. */
	unreachable(subscription: Subscription): void {
		const { contact } = subscription;
		this.#pair(subscription).told = undefined;
		const before = this.#unreachable.get(contact);
		if (this.#closed || before?.isWaiting) return; // the other devices' presences of the same moment come back too
		const failures = (before?.failures ?? 0) + 1;
		const span = Math.min(UNREACHABLE_MOST, UNREACHABLE_FIRST * 2 ** (failures - 1));
		const entry = { failures, isWaiting: true, cancel: (): void => {} };
		entry.cancel = this.#verbs.clock.after(span, () => {
			entry.isWaiting = false;
			this.#queueAll(contact);
		});
		this.#unreachable.set(contact, entry);
	}

	/** He, or his server for him, was heard. */
	reachable(contact: string): void {
		const found = this.#unreachable.get(contact);
		if (!found) return;
		found.cancel();
		this.#unreachable.delete(contact);
		this.#queueAll(contact);
	}

	/** His address was said not to exist. @returns How often in a row. */
	missing(subscription: Subscription): number {
		return ++this.#pair(subscription).missing;
	}

	/** He was heard as somebody who is there. */
	found(subscription: Subscription): void {
		this.#pair(subscription).missing = 0;
	}

	// ---- When ----

	#dueOf(twin: Twin, told: Told, settle: Millis): UnixMillis {
		const now = this.#verbs.clock.now();
		// A moment that is yet to come was before the clock was set back: it holds back nothing.
		const after = (moment: UnixMillis, span: Millis): UnixMillis => (moment > now ? now : moment + span);
		if (twin.availability !== told.availability) return Math.max(now, after(told.availabilityAt, AVAILABILITY_EVERY));
		return Math.max(now + settle, after(told.at, AVAILABILITY_EVERY), told.stateChanged && !twin.flapping ? now : after(told.valuesAt, VALUES_EVERY));
	}

	#plan(id: string, told: Told, due: UnixMillis): void {
		const now = this.#verbs.clock.now();
		if (told.cancel && told.due <= due) return;
		told.cancel?.();
		told.cancel = undefined;
		if (due <= now) return this.#publish(id, told);
		told.due = due;
		told.cancel = this.#verbs.clock.after(due - now, () => {
			told.cancel = undefined;
			const twin = this.#verbs.registry.find(id);
			// What it was planned for may have passed by now.
			if (twin) this.#plan(id, told, this.#dueOf(twin, told, 0));
		});
	}

	#publish(id: string, told: Told): void {
		const twin = this.#verbs.registry.find(id);
		if (!twin || !this.#verbs.online()) return;
		let isNew = false;
		for (const watcher of this.#subscriptions.watchers(id)) {
			if (this.#isHeld(watcher)) {
				this.#settling?.waiting.add(watcher);
				continue;
			}
			if (isSame(this.#pair(watcher).told, this.#views.of(watcher))) continue;
			isNew = true;
			this.#urgent.add(watcher);
		}
		const changed = told.availability !== twin.availability;
		told.availability = twin.availability;
		told.stateChanged = false;
		if (!isNew) return;
		told.at = this.#verbs.clock.now();
		if (changed) told.availabilityAt = told.at;
		else told.valuesAt = told.at;
		this.#drain();
	}

	// ---- In turn ----

	#drain(): void {
		this.#cancelTick?.();
		this.#cancelTick = undefined;
		if (this.#closed) return;
		if (!this.#verbs.online()) {
			// The next session begins with everybody.
			this.#urgent.clear();
			this.#burst.clear();
			this.#answers.clear();
			this.#answersWaiting = 0;
			this.#words.clear();
			return;
		}
		const waits = [this.#sayWords(), this.#tellAll(this.#urgent) ?? this.#tellAll(this.#burst), this.#answerAll()].filter((wait) => wait !== undefined);
		if (waits.length > 0) this.#later(Math.min(...waits));
	}

	/** Say one stanza, if its turn has come. @returns How long to wait before it is tried again; nothing when it was said. */
	#say(stanza: string, pace: Bucket): Millis | undefined {
		const { clock } = this.#verbs;
		const wait = pace.wait(clock.now());
		if (wait > 0) return Math.max(wait, TICK);
		// What is to go first has not gone.
		if (this.#words.size > 0 || !this.#verbs.say(stanza)) return FULL_AGAIN;
		pace.take(clock.now());
		return undefined;
	}

	#sayWords(): Millis | undefined {
		for (const word of this.#words) {
			if (!this.#verbs.say(word.stanza)) return FULL_AGAIN;
			this.#words.delete(word);
		}
		return undefined;
	}

	/** One answer to each contact in turn. */
	#answerAll(): Millis | undefined {
		for (const [contact, own] of this.#answers) {
			const [next] = own;
			if (next) {
				const [key, { device, to }] = next;
				// As it is now; and not to who has unsubscribed meanwhile.
				const subscription = this.#subscriptions.get(device, contact);
				const template = subscription?.from ? this.#views.of(subscription) : undefined;
				const wait = template ? this.#say(stanzaOf(template, to), this.#answersPace) : undefined;
				if (wait !== undefined) return wait;
				own.delete(key);
				this.#answersWaiting--;
			}
			// Behind all others, where this walk finds him again.
			this.#answers.delete(contact);
			if (own.size > 0) this.#answers.set(contact, own);
		}
		return undefined;
	}

	#tellAll(queue: Set<Subscription>): Millis | undefined {
		for (const waiting of queue) {
			if (this.#isHeld(waiting)) {
				this.#settling?.waiting.add(waiting);
				queue.delete(waiting);
				continue;
			}
			const subscription = this.#subscriptions.get(waiting.device, waiting.contact);
			const template = subscription?.from && !this.#unreachable.get(subscription.contact)?.isWaiting ? this.#views.of(subscription) : undefined;
			if (!subscription || !template || isSame(this.#pair(subscription).told, template)) {
				queue.delete(waiting);
				continue;
			}
			const wait = this.#say(stanzaOf(template, waiting.contact), this.#pace);
			if (wait !== undefined) return wait;
			this.#keep(subscription, template);
			queue.delete(waiting);
			if (!this.#verbs.access.knows(subscription.contact)) this.onStranger(subscription);
		}
		return undefined;
	}

	/** The stream had no room. */
	#soon(): void {
		if (!this.#cancelTick && !this.#closed) this.#later(FULL_AGAIN);
	}

	#later(span: Millis): void {
		this.#cancelTick = this.#verbs.clock.after(span, () => this.#drain());
	}

	#queueAll(contact: string): void {
		for (const subscription of this.#subscriptions.all()) if (subscription.from && subscription.contact === contact) this.#burst.add(subscription);
		this.#drain();
	}

	#keep(subscription: Subscription, template: Template): void {
		this.#pair(subscription).told = template;
		const twin = this.#verbs.registry.find(subscription.device);
		if (twin) this.#device(subscription.device, twin.availability);
	}

	/** @param availability What a contact was told just now. Nothing: a change of it may be what brought us here. */
	#device(id: string, availability?: Availability): Told {
		let told = this.#devices.get(id);
		if (!told) this.#devices.set(id, told = { availability, availabilityAt: -Infinity, stateChanged: false, valuesAt: -Infinity, at: -Infinity, due: 0, cancel: undefined });
		return told;
	}

	#pair(subscription: Subscription): Pair {
		let pair = this.#pairs.get(subscription);
		if (!pair) this.#pairs.set(subscription, pair = { told: undefined, session: this.#session, missing: 0 });
		if (pair.session !== this.#session) {
			pair.told = undefined;
			pair.session = this.#session;
		}
		return pair;
	}
}
