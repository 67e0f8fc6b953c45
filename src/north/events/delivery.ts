import { deadline, type Millis, pause } from "../../core/clock.js";
import { messageOf } from "../../core/errors.js";
import { isReadable } from "../../core/point.js";
import type { Reading } from "../../core/reading.js";
import { type Element, xml } from "../../xmpp/xml.js";
import type { Verbs } from "../module.js";
import { isWanted, momentOf, momentsOf } from "../readout/answer.js";
import { bytesOf, Pieces } from "../readout/pieces.js";
import { STANZA_BYTES } from "../readout/readout.js";
import { type Group, type Part, storedWanted } from "../readout/request.js";
import { partsWithStored } from "../readout/stored.js";
import { Turns } from "../turns.js";
import type { Window, Windows } from "../window.js";
import type { EventSubscription, Seen, Subscribers } from "./subscribers.js";

const NS_HINTS = "urn:xmpp:hints";

/** Whoever is behind gets so many readings in a stanza, and so many bytes. */
const READINGS_AT_ONCE = 10;
const BYTES_AT_ONCE = 6_000;
/** What is left of a stanza however long its addresses are. */
const LEAST_BYTES = 2_000;
/** After the stream refused a stanza. */
const RETRY: Millis = 1_000;
/** Stored values that ride with one event, some forty stanzas: beyond them it says how to read on. */
const MAX_PAST = 2_000;
/** Events with stored values under way, of one account and of all: each holds two stanzas and a page of the journal, some 100 kB. */
const PASTS_OF_ONE = 2;
const PASTS_OF_ALL = 100;
/** Who takes nothing for so long leaves his turn to others, and gets the event from its begin when he is back. */
const TAKEN_WITHIN: Millis = 5 * 60_000;

/** Brings events to their subscribers, at the pace at which they take them. */
export class Delivery {
	readonly #verbs: Pick<Verbs, "access" | "clock" | "history" | "log" | "online" | "registry" | "say">;
	readonly #windows: Windows;
	readonly #all: Subscribers;
	readonly #pasts = new Turns(PASTS_OF_ONE, PASTS_OF_ALL);

	constructor(verbs: Pick<Verbs, "access" | "clock" | "history" | "log" | "online" | "registry" | "say">, windows: Windows, all: Subscribers) {
		this.#verbs = verbs;
		this.#windows = windows;
		this.#all = all;
	}

	/** What he may see of it by now. Nothing: he has lost sight of all that he asked for. */
	look(subscription: EventSubscription): Seen | undefined {
		const { subscriber: { who }, names, request: { wish }, target: { twin: { device: { id, points } } } } = subscription;
		const { access } = this.#verbs;
		if (subscription.seen?.access === access && subscription.seen.points === points) return subscription.seen;
		const readable = names
			? names.filter((name) => Object.hasOwn(points, name) && isReadable(points[name]!) && access.mayRead(who, id, name))
			: access.readable(who, id, points);
		// A device whose points are not known yet may have some soon.
		if (readable.length === 0 && !(names === undefined && access.maySee(who, id, points))) return undefined;
		const told = readable.filter((name) => isWanted(wish, points[name]!));
		return (subscription.seen = { access, points, told, watched: new Set(names ? readable : told) });
	}

	/** An event has happened: what is to be told is what there is now. The subscription ends when he may see nothing of it. */
	event(subscription: EventSubscription): void {
		const { target: { twin }, rule } = subscription;
		const seen = this.look(subscription);
		if (!seen) return this.#all.remove(subscription);
		const now = this.#verbs.clock.now();
		rule.fired([...twin.readings.values()], now);
		subscription.eventAt = now;
		subscription.isLost = false;
		subscription.againAt = undefined;
		// Whoever takes it at once gets it as it is; for whoever is behind it is kept with what came before.
		this.#all.keep(subscription, seen.told.map((name) => twin.readings.get(name)).filter((reading) => reading !== undefined));
		subscription.owed = true;
		this.tell(subscription);
	}

	/** Tell the event that is owed, if there is one and he can take it; else as soon as he can. */
	tell(subscription: EventSubscription): void {
		const { subscriber: { from }, request: { wish, maxAge } } = subscription;
		if (!subscription.owed || subscription.paused || subscription.waiting) return;
		if (!this.#verbs.online()) return void (subscription.behind = true); // once it is, somebody asks again
		const window = this.#windows.to(from);
		if (window.room === 0) return this.#wait(subscription, (run) => window.whenRoom(run));
		if (storedWanted(wish) !== undefined && maxAge !== undefined) return this.#tellWithPast(subscription, maxAge);
		for (const { stanza, told } of this.#stanzasOf(subscription)) {
			if (window.room === 0) return this.#wait(subscription, (run) => window.whenRoom(run));
			if (!this.#say(subscription, stanza)) return this.#wait(subscription, (run) => this.#verbs.clock.after(RETRY, run));
			// Should the rest have to wait, only that is told then.
			this.#all.drop(subscription, told);
		}
		subscription.owed = subscription.behind = false;
		this.#all.clear(subscription);
	}

	/** Until then newer readings join the event that is owed. */
	#wait(subscription: EventSubscription, until: (run: () => void) => () => void): void {
		subscription.behind = true;
		subscription.waiting = until(() => {
			subscription.waiting = undefined;
			this.tell(subscription);
		});
	}

	/** One event: the last part is `done`. With each stanza what of the backlog is in it. */
	#stanzasOf(subscription: EventSubscription): { readonly stanza: string; readonly told: readonly string[] }[] {
		const { subscriber: { who }, codec: { data }, target, backlog, behind } = subscription;
		const { access, clock } = this.#verbs;
		const told = new Set(this.look(subscription)?.told);
		const isPresent = (reading: Reading): boolean => target.twin.readings.get(reading.point) === reading;
		const groupsOf = (some: readonly Reading[]): Group[] => [
			...momentsOf(target, some.filter((reading) => !isPresent(reading)), who, access),
			...momentsOf(target, some.filter(isPresent), who, access, clock.now()),
		];
		const kept = [...backlog].filter(([, { point }]) => told.has(point));
		const readings = kept.map(([, reading]) => reading);
		const most = behind ? BYTES_AT_ONCE : STANZA_BYTES;
		if (readings.length <= READINGS_AT_ONCE) {
			// Nearly every event is one small stanza: nothing of it is measured but the whole.
			const whole = this.#stanza(subscription, { kind: "fields", groups: groupsOf(readings), done: true });
			if (bytesOf(whole) <= most) return [{ stanza: whole, told: [] }];
		}
		const budget = this.#budgetOf(subscription, most);
		const atOnce = behind ? READINGS_AT_ONCE : readings.length;
		const parts: Part[] = [];
		for (let first = 0; first < readings.length; first += atOnce) {
			const pieces = new Pieces(data, budget);
			for (const group of groupsOf(readings.slice(first, first + atOnce))) parts.push(...pieces.add(group));
			parts.push(...pieces.end());
		}
		// One failure at most, and last.
		const event = parts.filter(({ kind }, index) => kind === "fields" || index === parts.length - 1);
		const keys = new Map(kept.map(([key, reading]) => [`${momentOf(reading)} ${reading.point}`, key]));
		return event.map((part, index) => {
			const isLast = index === event.length - 1;
			if (part.kind !== "fields") return { stanza: this.#stanza(subscription, part), told: [] };
			const inside = part.groups.flatMap(({ timestamp, fields }) => fields.flatMap(({ name }) => keys.get(`${timestamp} ${name}`) ?? []));
			return { stanza: this.#stanza(subscription, { ...part, done: isLast }), told: inside };
		});
	}

	/** Stored values ride along: as with a readout, they come a page at a time, in his turn. Newer events wait for the end of it. */
	#tellWithPast(subscription: EventSubscription, maxAge: Millis): void {
		const stop = new AbortController();
		const end = this.#pasts.take(subscription.subscriber.who, () => void this.#past(subscription, maxAge, stop.signal).then((isTold) => {
			if (stop.signal.aborted) return;
			end();
			subscription.waiting = undefined;
			if (!isTold) subscription.owed = subscription.behind = true;
			this.tell(subscription);
		}));
		subscription.waiting = () => {
			stop.abort();
			end();
			subscription.owed = true;
		};
	}

	/** Never rejects. @returns Was all of it told? What cannot be told at all counts as told: it could not be the next time either. */
	async #past(subscription: EventSubscription, maxAge: Millis, signal: AbortSignal): Promise<boolean> {
		const { subscriber: { who }, codec: { data }, request: { wish }, target, names } = subscription;
		const { clock, log, access } = this.#verbs;
		subscription.owed = subscription.behind = false;
		this.#all.clear(subscription);
		if (!this.look(subscription)) {
			this.#all.remove(subscription);
			return true;
		}
		try {
			const wanted = { ...wish, from: clock.now() - maxAge };
			for await (const part of partsWithStored(wanted, [{ ...target, names }], who, data, this.#budgetOf(subscription, STANZA_BYTES), MAX_PAST, this.#verbs)) {
				// A part that was made by other rules is not told by these.
				const mayGo = (): boolean => !signal.aborted && this.#verbs.access === access;
				if (!(await this.#sayAtLast(subscription, this.#stanza(subscription, part), mayGo, signal))) return false;
			}
		} catch (error) {
			log.error({ device: target.twin.device.id, error: messageOf(error) }, "an event with stored values failed");
		}
		return true;
	}

	/** Say one part as soon as he, and the stream, can take it. @returns Not when that takes too long, the stream is lost, or it may not go any more. */
	async #sayAtLast(subscription: EventSubscription, stanza: string, mayGo: () => boolean, signal: AbortSignal): Promise<boolean> {
		const { clock } = this.#verbs;
		const window = this.#windows.to(subscription.subscriber.from);
		const patience = deadline(clock, TAKEN_WITHIN, signal);
		try {
			while (mayGo() && this.#verbs.online() && !patience.signal.aborted) {
				if (window.room === 0) await room(window, patience.signal);
				else if (this.#say(subscription, stanza)) return true;
				else await pause(clock, RETRY, patience.signal);
			}
			return false;
		} finally {
			patience.dispose();
		}
	}

	#say({ subscriber: { from, to } }: EventSubscription, stanza: string): boolean {
		if (!this.#verbs.say(stanza)) return false;
		this.#windows.to(from).sent(to);
		return true;
	}

	#stanza(subscription: EventSubscription, part: Part): string {
		const { subscriber: { from, to }, codec: { data }, request: { wish }, key } = subscription;
		return message(from, to, `${key}-${++subscription.sent}`, data.part(wish.id, part)).toString();
	}

	/** What is left for nodes and fields of so many bytes. */
	#budgetOf({ subscriber: { from, to }, codec: { data }, request: { wish }, key }: EventSubscription, most: number): number {
		const around = bytesOf(message(from, to, `${key}-000000000`, data.part(wish.id, { kind: "fields", groups: [], done: false })).toString());
		return Math.max(LEAST_BYTES, most - around);
	}
}

/** Resolves when there is room again, or when `signal` aborts. */
function room(window: Window, signal: AbortSignal): Promise<void> {
	return new Promise((resolve) => {
		const done = (): void => {
			cancel();
			signal.removeEventListener("abort", done);
			resolve();
		};
		const cancel = window.whenRoom(done);
		signal.addEventListener("abort", done, { once: true });
	});
}

/** To the full JID, and for nobody's archive: the values are old tomorrow. */
function message(to: string, from: string, id: string, payload: Element): Element {
	return xml("message", { from, to, id }, payload, xml("no-store", { xmlns: NS_HINTS }));
}
