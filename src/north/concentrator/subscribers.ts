// Neuro-Foundation Concentrator, "Subscriptions" and "Events": who is told what becomes of the nodes
// More than 300 lines: who is told, of what, and at which pace, is one state of each subscriber.
// Source: https://neuro-foundation.io/Concentrator.md
import { GATEWAY_ID } from "../../core/access.js";
import type { Millis } from "../../core/clock.js";
import type { Device } from "../../core/device.js";
import { GatewayError } from "../../core/errors.js";
import type { Twin } from "../../core/twin.js";
import { bare, resourcepart } from "../../xmpp/jid.js";
import { type Element, xml } from "../../xmpp/xml.js";
import type { Incoming, Request, Verbs } from "../module.js";
import type { Windows } from "../window.js";
import { type EventName, merged, type News, unsure } from "./news.js";
import { type Detail, nodeInfo, type NodeInfo, sightOf } from "./topology.js";

const NS_HINTS = "urn:xmpp:hints";

/** All accounts together: each event is looked at for each of them. */
export const MAX_SUBSCRIBERS = 500;
/** Of one account: its clients, in each vocabulary. */
export const MAX_OF_ACCOUNT = 20;
/** A gateway that restarts forgets its subscribers, so it promises no more than a day. In seconds. */
export const MAX_TTL = 86_400;
/** Nodes that one subscriber has still to be told of: as many as there can be devices. */
const MAX_NEWS = 10_000;
/** Stanzas in one turn of the loop, and the pause before the next ones. */
const AT_ONCE = 16;
const BETWEEN: Millis = 50;
/** The uplink has no room: it is tried again after this long. */
const RETRY: Millis = 1_000;
/** The subscriber has no room: it is looked again after this long, should nobody say that he has. */
const LOOK_AGAIN: Millis = 60_000;

/** Writes one event in one vocabulary; `node` is nothing for what was removed. */
export type EventEncoder = (news: News, id: string, node: NodeInfo | undefined) => Element;

/** What somebody wants to be told. */
export interface Wish {
	readonly events: ReadonlySet<EventName>;
	readonly detail: Detail;
	/** For how long, in seconds. */
	readonly ttl: number;
}

interface Subscriber {
	readonly jid: string;
	readonly who: string;
	readonly encode: EventEncoder;
	/** The gateway's address, as he wrote it last. */
	from: string;
	events: ReadonlySet<EventName>;
	detail: Detail;
	/** Begins the ids of its stanzas, `<key>-<number>`: nobody else can know it, and nobody sees what others get. */
	readonly id: string;
	/** Stanzas so far. */
	count: number;
	/** By node id, what was sent and may not have arrived, with the number of its stanza in his window; oldest first. Never more than are on their way. */
	readonly sent: Map<string, { readonly news: News; readonly number: number }>;
	/** By node id: the newest wins, so that an outage of a thousand devices, and their return, are no two thousand stanzas. */
	readonly news: Map<string, News>;
	isWaiting: boolean;
	cancelExpiry(): void;
	cancelTelling(): void;
}

/** Keeps the subscriptions to the nodes, in memory, and tells each subscriber of what he may see, at a pace that he can follow. */
export class Subscribers {
	readonly #verbs: Verbs;
	readonly #windows: Windows;
	readonly #newId: () => string;
	/** The rules by which each has been told so far. */
	#access: Verbs["access"];
	readonly #all = new Map<string, Subscriber>();
	/** How each device was described when it was last announced. */
	readonly #known = new WeakMap<Twin, Device>();

	constructor(verbs: Verbs, windows: Windows, newId: () => string) {
		this.#verbs = verbs;
		this.#windows = windows;
		this.#newId = newId;
		this.#access = verbs.access;
		windows.onGone((jid) => this.#dropAll(jid));
		for (const twin of verbs.registry.all()) this.#known.set(twin, twin.device);
	}

	get size(): number {
		return this.#all.size;
	}

	/** Take a subscription, or renew one and add to it. @throws {GatewayError} `busy`. */
	subscribe({ from, who, to }: Pick<Request, "from" | "who" | "to">, xmlns: string, { events, detail, ttl }: Wish, encode: EventEncoder): void {
		const key = keyOf(from, xmlns);
		let subscriber = this.#all.get(key);
		if (subscriber === undefined) {
			if (events.size === 0) return;
			if (this.#all.size >= MAX_SUBSCRIBERS) throw new GatewayError("busy", `Cannot subscribe: there are ${MAX_SUBSCRIBERS} subscribers already; try again later`);
			if ([...this.#all.values()].filter((other) => other.who === who).length >= MAX_OF_ACCOUNT) throw new GatewayError("busy", `Cannot subscribe: you have ${MAX_OF_ACCOUNT} subscriptions already; end one`);
			subscriber = { jid: from, who, encode, from: to, events, detail, id: this.#newId(), count: 0, sent: new Map(), news: new Map(), isWaiting: false, cancelExpiry: () => {}, cancelTelling: () => {} };
			this.#all.set(key, subscriber);
		}
		subscriber.from = to;
		subscriber.events = new Set([...subscriber.events, ...events]);
		subscriber.detail = { parameters: subscriber.detail.parameters || detail.parameters, messages: subscriber.detail.messages || detail.messages };
		subscriber.cancelExpiry();
		subscriber.cancelExpiry = this.#verbs.clock.after(ttl * 1_000, () => this.#drop(key));
	}

	/** Without an event left there is no subscription. To end what is not there is no fault: it is as true afterwards. */
	unsubscribe({ from }: Pick<Request, "from">, xmlns: string, events: ReadonlySet<EventName>): void {
		const key = keyOf(from, xmlns);
		const subscriber = this.#all.get(key);
		if (subscriber === undefined) return;
		subscriber.events = new Set([...subscriber.events].filter((event) => !events.has(event)));
		if (subscriber.events.size === 0) this.#drop(key);
	}

	/** A device is new, or was described anew: to each what it is for him. */
	added(twin: Twin): void {
		const before = this.#known.get(twin);
		this.#known.set(twin, twin.device);
		const at = this.#verbs.clock.now();
		for (const [key, subscriber] of this.#all) {
			const saw = before && sightOf(before, subscriber.who, this.#verbs);
			const sees = sightOf(twin.device, subscriber.who, this.#verbs);
			if (saw === sees) continue;
			if (saw === undefined) this.#tell(key, subscriber, twin.device.id, { event: "nodeAdded", at });
			else if (sees === undefined) this.#tell(key, subscriber, before!.id, { event: "nodeRemoved", at });
			else {
				const isUntold = subscriber.news.get(before!.id)?.event === "nodeAdded";
				if (before!.id !== twin.device.id) subscriber.news.delete(before!.id);
				this.#tell(key, subscriber, twin.device.id, isUntold ? { event: "nodeAdded", at } : { event: "nodeUpdated", at, before: before!.id });
			}
		}
	}

	/** Its availability is another one now. */
	changed(twin: Twin): void {
		this.#ofDevice(twin, "nodeStatusChanged");
	}

	removed(twin: Twin): void {
		this.#ofDevice(twin, "nodeRemoved");
	}

	/** A stanza came back. Whatever is no event of ours to this client, a letter to his account perhaps, says nothing of him. */
	bounced({ stanza, from, id: ours }: Pick<Incoming, "stanza" | "from" | "id">): void {
		const { id = "" } = stanza.attrs;
		if (ours === GATEWAY_ID && [...this.#all.values()].some((subscriber) => subscriber.jid === from && id.startsWith(`${subscriber.id}-`))) this.#dropAll(from);
	}

	/** A presence says that he is gone. */
	gone({ from, id }: Pick<Incoming, "from" | "id">): void {
		if (id !== GATEWAY_ID) return;
		for (const [key, { jid }] of this.#all) if (jid === from || (resourcepart(from) === "" && bare(jid) === from)) this.#drop(key);
	}

	/** The rules are others: what comes into somebody's sight by them is new for him, what leaves it is gone. */
	accessChanged(): void {
		const before = this.#access;
		this.#access = this.#verbs.access;
		const at = this.#verbs.clock.now();
		for (const [key, subscriber] of this.#all) {
			if (!this.#verbs.access.knows(subscriber.who)) {
				this.#drop(key);
				continue;
			}
			for (const { device: { id, points } } of this.#verbs.registry.all()) {
				const saw = before.maySee(subscriber.who, id, points);
				if (saw !== this.#verbs.access.maySee(subscriber.who, id, points)) this.#tell(key, subscriber, id, { event: saw ? "nodeRemoved" : "nodeAdded", at });
			}
		}
	}

	/** What became of the nodes meanwhile is told now, and again what may have been lost with the stream. */
	connected(): void {
		for (const [key, subscriber] of this.#all) {
			this.#settle(subscriber);
			const { sent, news, events } = subscriber;
			const later = [...news];
			news.clear();
			for (const [id, { news: lost }] of sent) news.set(id, lost);
			for (const [id, each] of later) {
				const lost = news.get(id);
				news.delete(id);
				news.set(id, lost ? unsure(lost, each, events) : each);
			}
			sent.clear();
			this.#begin(key, subscriber);
		}
	}

	/** What he has taken is not told again. */
	#settle({ jid, sent }: Subscriber): void {
		const { taken } = this.#windows.to(jid);
		for (const [id, { number }] of sent) {
			if (number > taken) return;
			sent.delete(id);
		}
	}

	disconnected(): void {
		for (const subscriber of this.#all.values()) {
			subscriber.cancelTelling();
			subscriber.cancelTelling = () => {};
		}
	}

	close(): void {
		for (const key of [...this.#all.keys()]) this.#drop(key);
	}

	#ofDevice(twin: Twin, event: "nodeStatusChanged" | "nodeRemoved"): void {
		const { id, points } = twin.device;
		const at = this.#verbs.clock.now();
		for (const [key, subscriber] of this.#all) {
			if (this.#verbs.access.maySee(subscriber.who, id, points)) this.#tell(key, subscriber, id, { event, at });
		}
	}

	#tell(key: string, subscriber: Subscriber, id: string, news: News): void {
		if (!subscriber.events.has(news.event)) return;
		const next = merged(subscriber.news.get(id), news, subscriber.events);
		if (next === undefined) subscriber.news.delete(id);
		else subscriber.news.set(id, next);
		if (subscriber.news.size > MAX_NEWS) {
			this.#verbs.log.warn({ subscriber: subscriber.jid, news: subscriber.news.size }, "A subscriber to the nodes is too far behind, and is no longer told");
			return this.#drop(key);
		}
		this.#begin(key, subscriber);
	}

	#begin(key: string, subscriber: Subscriber): void {
		if (subscriber.news.size === 0 || subscriber.isWaiting || !this.#verbs.online()) return;
		this.#later(key, subscriber, 0);
	}

	#later(key: string, subscriber: Subscriber, span: Millis): void {
		subscriber.isWaiting = true;
		const cancel = this.#verbs.clock.after(span, () => {
			subscriber.isWaiting = false;
			subscriber.cancelTelling = () => {};
			this.#send(key, subscriber);
		});
		subscriber.cancelTelling = () => {
			subscriber.isWaiting = false;
			cancel();
		};
	}

	#send(key: string, subscriber: Subscriber): void {
		const { news, sent, who, jid, from, events } = subscriber;
		if (!this.#verbs.access.knows(who)) return this.#drop(key); // the rules are others now
		this.#settle(subscriber);
		const window = this.#windows.to(jid);
		for (const [id, each] of [...first(news, Math.min(AT_ONCE, window.room))]) {
			const stanza = this.#stanza(subscriber, id, each);
			if (stanza && !this.#verbs.say(stanza)) {
				if (this.#verbs.online()) this.#later(key, subscriber, RETRY);
				return;
			}
			news.delete(id);
			if (!stanza) continue;
			const lost = sent.get(id)?.news;
			sent.delete(id);
			sent.set(id, { news: lost ? unsure(lost, each, events) : each, number: window.sent(from) });
		}
		if (news.size === 0) return;
		if (window.room > 0) return this.#later(key, subscriber, BETWEEN);
		this.#later(key, subscriber, LOOK_AGAIN);
		const cancelLooking = subscriber.cancelTelling;
		const cancelWaiting = window.whenRoom(() => {
			cancelLooking();
			this.#begin(key, subscriber);
		});
		subscriber.cancelTelling = () => {
			cancelLooking();
			cancelWaiting();
		};
	}

	/** Nothing for what he does not want any more, or may not see any more. */
	#stanza(subscriber: Subscriber, id: string, news: News): Element | undefined {
		const { jid, who, from, events, detail, encode } = subscriber;
		if (!events.has(news.event)) return undefined;
		const twin = news.event === "nodeRemoved" ? undefined : this.#verbs.registry.find(id);
		if (news.event !== "nodeRemoved" && (!twin || !this.#verbs.access.maySee(who, id, twin.device.points))) return undefined;
		const payload = encode(news, id, twin && nodeInfo(twin, who, detail, this.#verbs));
		return xml("message", { from, to: jid, id: `${subscriber.id}-${++subscriber.count}` }, payload, xml("no-store", { xmlns: NS_HINTS }));
	}

	/** In every vocabulary. */
	#dropAll(jid: string): void {
		for (const [key, subscriber] of this.#all) if (subscriber.jid === jid) this.#drop(key);
	}

	#drop(key: string): void {
		const subscriber = this.#all.get(key);
		if (subscriber === undefined) return;
		this.#all.delete(key);
		subscriber.cancelExpiry();
		subscriber.cancelTelling();
	}
}

function keyOf(jid: string, xmlns: string): string {
	return `${jid}\n${xmlns}`;
}

function* first<T>(items: Iterable<T>, limit: number): Generator<T> {
	let count = 0;
	for (const item of items) {
		if (count++ >= limit) return;
		yield item;
	}
}
