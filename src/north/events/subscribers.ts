import type { Access } from "../../core/access.js";
import type { Millis, UnixMillis } from "../../core/clock.js";
import { GatewayError } from "../../core/errors.js";
import type { Points } from "../../core/point.js";
import type { Reading } from "../../core/reading.js";
import type { EventRule } from "../../core/trigger.js";
import type { Twin } from "../../core/twin.js";
import { resourcepart } from "../../xmpp/jid.js";
import type { Target } from "../readout/nodes.js";
import type { EventCodec, EventRequest } from "./request.js";

/** Subscriptions of one account, over all its clients: a screen for each of two thousand devices. */
export const MAX_OF_ONE = 2_000;
/** All accounts together, some 30 MB: a rule for `*@domain` lets in more of them than anybody counts. */
export const MAX_OF_ALL = 20_000;
/** A client with a new resource at each login never comes back to what was paused. */
export const PAUSED_FOR: Millis = 24 * 3_600_000;
/** Readings that wait for room, of one subscription; the oldest are dropped. */
export const MAX_BACKLOG = 100;
/** And of all subscriptions together, some 20 MB. */
const MAX_BACKLOGS = 100_000;

/** Who has subscribed, and where. */
export interface Subscriber {
	/** His full JID. */
	readonly from: string;
	/** His bare JID, normalised. */
	readonly who: string;
	/** The address that he asked, from which events come. */
	readonly to: string;
	/** The device that this address names, or `GATEWAY_ID`. */
	readonly id: string;
}

/** One subscriber and one device: there is one subscription for the two, the last one. */
export interface EventSubscription {
	readonly subscriber: Subscriber;
	readonly codec: EventCodec;
	readonly request: EventRequest;
	readonly target: Target;
	/** What was asked for by name; nothing for all that he may read. */
	readonly names: readonly string[] | undefined;
	readonly rule: EventRule;
	/** Two events are never nearer than this. */
	readonly minInterval: Millis;
	/** Begins the ids of its stanzas, `<key>-<number>`: nobody else can know it, and nobody sees what others get. */
	readonly key: string;
	/** Stanzas so far. */
	sent: number;
	/** The last of them that came back. */
	returned: number;
	/** When an event happened last; nothing: there was none yet. */
	eventAt: UnixMillis | undefined;
	/** What was sent has not arrived. */
	isLost: boolean;
	/** He is back, and what he has missed is told then, and not before. */
	againAt: UnixMillis | undefined;
	/** He is not there: conditions are looked at, and nothing is told. */
	paused: boolean;
	/** An event has happened, and was not told yet. */
	owed: boolean;
	/** He could not take an event when it was due. */
	behind: boolean;
	/** What the owed event tells, by point and moment, oldest first. */
	readonly backlog: Map<string, Reading>;
	/** What he may see, as long as the rules and the points are these. */
	seen: Seen | undefined;
	/** For the next event, or the end of the pause. */
	timer: Timer | undefined;
	/** For room in his window, or on the stream. */
	waiting: (() => void) | undefined;
}

/** What of a device somebody may see. */
export interface Seen {
	readonly access: Access;
	readonly points: Points;
	/** What an event tells: what he asked for, may read, and wants by its category. */
	readonly told: readonly string[];
	/** What may make an event. A field that was named may, though its category keeps it out of it. */
	readonly watched: ReadonlySet<string>;
}

export interface Timer {
	readonly at: number;
	cancel(): void;
}

/** All subscriptions, with their bounds. In memory: a restart loses them, as the texts allow. */
export class Subscribers {
	readonly #byTwin = new Map<Twin, Set<EventSubscription>>();
	/** By full JID, then by device. */
	readonly #byJid = new Map<string, Map<Twin, EventSubscription>>();
	/** The full JIDs of each account. */
	readonly #jids = new Map<string, Set<string>>();
	readonly #byKey = new Map<string, EventSubscription>();
	/** By full JID too. Each presence looks here, so that it must cost nothing where there are none. */
	readonly #paused = new Map<string, Set<EventSubscription>>();
	#size = 0;
	#backlogs = 0;

	get size(): number {
		return this.#size;
	}

	/** Every subscription to a device. */
	of(twin: Twin): ReadonlySet<EventSubscription> {
		return this.#byTwin.get(twin) ?? NONE;
	}

	/** Those of exactly this address. */
	at(jid: string): EventSubscription[] {
		return [...(this.#byJid.get(jid)?.values() ?? [])];
	}

	/** Those of one full JID; or of a bare one and of every resource of it. */
	select(jid: string): EventSubscription[] {
		return this.#addressesOf(jid).flatMap((each) => this.at(each));
	}

	/** Of those the ones that wait for their subscriber. */
	pausedOf(jid: string): EventSubscription[] {
		return this.#addressesOf(jid).flatMap((each) => [...(this.#paused.get(each) ?? [])]);
	}

	#addressesOf(jid: string): string[] {
		return resourcepart(jid) === "" ? [...new Set([jid, ...(this.#jids.get(jid) ?? [])])] : [jid];
	}

	pause(subscription: EventSubscription): void {
		const { from } = subscription.subscriber;
		subscription.paused = true;
		this.#paused.set(from, (this.#paused.get(from) ?? new Set()).add(subscription));
	}

	resume(subscription: EventSubscription): void {
		subscription.paused = false;
		deleteFrom(this.#paused, subscription.subscriber.from, subscription);
	}

	/** A stanza came back to us from this address. Is it one of ours to him, and later than what came back before? Its error is believed once. */
	hasReturned(from: string, id: string): boolean {
		const [, key, number] = /^(.+)-(\d{1,15})$/.exec(id) ?? [];
		const subscription = key === undefined ? undefined : this.#byKey.get(key);
		if (subscription?.subscriber.from !== from || Number(number) <= subscription.returned || Number(number) > subscription.sent) return false;
		subscription.returned = Number(number);
		return true;
	}

	*all(): Iterable<EventSubscription> {
		for (const own of this.#byJid.values()) yield* own.values();
	}

	/** @throws {GatewayError} `busy` when there is no room for so many more of his. */
	checkRoom(who: string, more: number): void {
		if (more > 0 && this.select(who).length + more > MAX_OF_ONE) throw new GatewayError("busy", `Cannot subscribe to ${more} devices: at most ${MAX_OF_ONE} subscriptions of one account; end some first`);
		if (more > 0 && this.#size + more > MAX_OF_ALL) throw new GatewayError("busy", `Cannot subscribe: there are ${MAX_OF_ALL} subscriptions; try again later`);
	}

	/** In place of the one that he has to the same device, which the caller has removed. */
	add(subscription: EventSubscription): void {
		const { subscriber: { from, who }, target: { twin } } = subscription;
		const own = this.#byJid.get(from) ?? new Map<Twin, EventSubscription>();
		this.#byJid.set(from, own.set(twin, subscription));
		this.#byTwin.set(twin, (this.#byTwin.get(twin) ?? new Set()).add(subscription));
		this.#jids.set(who, (this.#jids.get(who) ?? new Set()).add(from));
		this.#byKey.set(subscription.key, subscription);
		this.#size++;
	}

	find(from: string, twin: Twin): EventSubscription | undefined {
		return this.#byJid.get(from)?.get(twin);
	}

	has(subscription: EventSubscription): boolean {
		return this.find(subscription.subscriber.from, subscription.target.twin) === subscription;
	}

	remove(subscription: EventSubscription): void {
		if (!this.has(subscription)) return;
		const { subscriber: { from, who }, target: { twin } } = subscription;
		subscription.timer?.cancel();
		subscription.waiting?.();
		this.clear(subscription);
		deleteFrom(this.#byJid, from, twin);
		deleteFrom(this.#byTwin, twin, subscription);
		if (!this.#byJid.has(from)) deleteFrom(this.#jids, who, from);
		this.#byKey.delete(subscription.key);
		deleteFrom(this.#paused, from, subscription);
		this.#size--;
	}

	/** What was told of the owed event: the rest of it is told later. */
	drop({ backlog }: EventSubscription, keys: Iterable<string>): void {
		for (const key of keys) if (backlog.delete(key)) this.#backlogs--;
	}

	/** Readings that the next event tells: newest wins. The last `keep` of them stay whatever the bounds are. */
	keep(subscription: EventSubscription, readings: readonly Reading[]): void {
		const { backlog } = subscription;
		if (this.#backlogs >= MAX_BACKLOGS) this.clear(subscription);
		const before = backlog.size;
		for (const reading of readings) {
			const key = `${reading.at} ${reading.point}`;
			backlog.delete(key);
			backlog.set(key, reading);
		}
		const most = Math.max(MAX_BACKLOG, readings.length);
		for (const key of backlog.keys()) {
			if (backlog.size <= most) break;
			backlog.delete(key);
		}
		this.#backlogs += backlog.size - before;
	}

	clear({ backlog }: EventSubscription): void {
		this.#backlogs -= backlog.size;
		backlog.clear();
	}
}

const NONE: ReadonlySet<EventSubscription> = new Set();

function deleteFrom<K, V>(map: Map<K, { delete(value: V): boolean; readonly size: number }>, key: K, value: V): void {
	const inner = map.get(key);
	inner?.delete(value);
	if (inner?.size === 0) map.delete(key);
}
