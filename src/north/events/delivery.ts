import type { Millis } from "../../core/clock.js";
import { messageOf } from "../../core/errors.js";
import { isReadable } from "../../core/point.js";
import type { Reading } from "../../core/reading.js";
import { type Element, xml } from "../../xmpp/xml.js";
import type { Verbs } from "../module.js";
import { isWanted, momentsOf } from "../readout/answer.js";
import { bytesOf, Pieces } from "../readout/pieces.js";
import { STANZA_BYTES } from "../readout/readout.js";
import { type Group, type Part, storedWanted } from "../readout/request.js";
import { partsWithStored } from "../readout/stored.js";
import type { Windows } from "../window.js";
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

/** Brings events to their subscribers, at the pace at which they take them. */
export class Delivery {
	readonly #verbs: Pick<Verbs, "access" | "clock" | "history" | "log" | "online" | "registry" | "say">;
	readonly #windows: Windows;
	readonly #all: Subscribers;
	#sent = 0;

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
		rule.fired([...twin.readings.values()], this.#verbs.clock.now());
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
		if (storedWanted(wish) !== undefined && maxAge !== undefined) return void this.#tellWithPast(subscription, maxAge);
		if (!this.#say(subscription, this.#stanzasOf(subscription))) return this.#wait(subscription, (run) => this.#verbs.clock.after(RETRY, run));
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

	/** One event: the last part is `done`. */
	#stanzasOf(subscription: EventSubscription): string[] {
		const { subscriber: { who }, codec: { data }, target, backlog, behind } = subscription;
		const { access, clock } = this.#verbs;
		const told = new Set(this.look(subscription)?.told);
		const isPresent = (reading: Reading): boolean => target.twin.readings.get(reading.point) === reading;
		const groupsOf = (some: readonly Reading[]): Group[] => [
			...momentsOf(target, some.filter((reading) => !isPresent(reading)), who, access),
			...momentsOf(target, some.filter(isPresent), who, access, clock.now()),
		];
		const readings = [...backlog.values()].filter(({ point }) => told.has(point));
		const most = behind ? BYTES_AT_ONCE : STANZA_BYTES;
		if (readings.length <= READINGS_AT_ONCE) {
			// Nearly every event is one small stanza: nothing of it is measured but the whole.
			const whole = this.#stanza(subscription, { kind: "fields", groups: groupsOf(readings), done: true });
			if (bytesOf(whole) <= most) return [whole];
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
		return event.map((part, index) => this.#stanza(subscription, part.kind === "fields" ? { ...part, done: index === event.length - 1 } : part));
	}

	/** Stored values ride along: as with a readout, they come a page at a time. Newer events wait for the end of it. */
	async #tellWithPast(subscription: EventSubscription, maxAge: Millis): Promise<void> {
		const { subscriber: { who }, codec: { data }, request: { wish }, target, names } = subscription;
		const { clock, log } = this.#verbs;
		let isCancelled = false;
		let isTold = true;
		subscription.waiting = () => void (isCancelled = true);
		subscription.owed = subscription.behind = false;
		this.#all.clear(subscription);
		try {
			const wanted = { ...wish, from: clock.now() - maxAge };
			for await (const part of partsWithStored(wanted, [{ ...target, names }], who, data, this.#budgetOf(subscription, STANZA_BYTES), MAX_PAST, this.#verbs)) {
				if (isCancelled) return;
				isTold = this.#say(subscription, [this.#stanza(subscription, part)]);
				if (!isTold) break;
			}
		} catch (error) {
			log.error({ device: target.twin.device.id, error: messageOf(error) }, "an event with stored values failed");
		}
		if (isCancelled) return;
		subscription.waiting = undefined;
		if (!isTold) {
			subscription.owed = true;
			return this.#wait(subscription, (run) => clock.after(RETRY, run));
		}
		this.tell(subscription);
	}

	#say({ subscriber: { from, to } }: EventSubscription, stanzas: readonly string[]): boolean {
		const window = this.#windows.to(from);
		for (const stanza of stanzas) {
			if (!this.#verbs.say(stanza)) return false;
			window.sent(to);
		}
		return true;
	}

	#stanza({ subscriber: { from, to }, codec: { data }, request: { wish } }: EventSubscription, part: Part): string {
		return message(from, to, `event-${++this.#sent}`, data.part(wish.id, part)).toString();
	}

	/** What is left for nodes and fields of so many bytes. */
	#budgetOf({ subscriber: { from, to }, codec: { data }, request: { wish } }: EventSubscription, most: number): number {
		const around = bytesOf(message(from, to, "event-000000000", data.part(wish.id, { kind: "fields", groups: [], done: false })).toString());
		return Math.max(LEAST_BYTES, most - around);
	}
}

/** To the full JID, and for nobody's archive: the values are old tomorrow. */
function message(to: string, from: string, id: string, payload: Element): Element {
	return xml("message", { from, to, id }, payload, xml("no-store", { xmlns: NS_HINTS }));
}
