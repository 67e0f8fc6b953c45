// `watch` in chat: somebody is told of a point, by letters, until he says `unwatch`. The conditions are those of event subscriptions.
// More than 300 lines: most of them are what a watch must survive (restarts, rules, removed devices), and belong together.

import type { Millis, UnixMillis } from "../core/clock.js";
import { GatewayError, messageOf } from "../core/errors.js";
import type { Letter } from "../core/outbox.js";
import { isReadable, type Point } from "../core/point.js";
import type { Reading } from "../core/reading.js";
import { EventRule } from "../core/trigger.js";
import type { Change, Twin } from "../core/twin.js";
import { sameValue, textOf } from "../core/value.js";
import type { Watch, WatchStore } from "../core/watch.js";
import type { Wish } from "./chat/wish.js";
import type { Courier } from "./courier.js";
import { letterId } from "./letter.js";
import type { Verbs, XepModule } from "./module.js";
import { availabilityText, endText, eventText, type Occasion, wishText } from "./watch-texts.js";

/** A watch speaks at most this often, with the newest value: more nobody reads, and each is written to disk. */
export const MIN_INTERVAL: Millis = 5_000;
/** Of one person. */
const MAX_OF_ONE = 100;
/** Of everybody: some 5 MB, and as many timers. */
const MAX_WATCHES = 10_000;
/** The availability of a device is told to who watches it at most this often: the newest. */
const AVAILABILITY_EVERY: Millis = 60_000;
/** How long it must have been so; a link or broker that restarts is back sooner. */
const SETTLED: Readonly<Record<"offline" | "unknown" | "there", Millis>> = { offline: 5_000, unknown: 60_000, there: 5_000 };
/** The outbox did not take a letter. */
const STORE_AGAIN: Millis = 5_000;
/** Whoever no rule names any more keeps his watches for so long: the rules may come back. */
const STRANGER_FOR: Millis = 7 * 86_400_000;
/** A reading that is not older is one of this moment, and none that the store has brought back. */
const LIVE: Millis = 5_000;
/** A source whose clock is further off than this is not believed when something happened. */
const CREDIBLE: Millis = 86_400_000;
/**
 * Under this name, which no point has, it is kept what somebody who watches a device was told last of its availability:
 * so that a restart tells him nothing twice.
 */
const AVAILABILITY = "";

export interface WatchesOptions {
	readonly store: WatchStore;
	readonly courier: Pick<Courier, "post" | "isBehind">;
}

/** What one person watches: for the doors. */
export interface OwnWatches {
	/** Begin, or change how. Resolves with what to answer when it is on disk. @throws {GatewayError} `store-failed`, `busy`. */
	begin(twin: Twin, point: string, wish: Wish): Promise<string>;
	/** End one, or all of a device. Resolves with what to answer. @throws {GatewayError} `store-failed`. */
	end(twin: Twin, point?: string): Promise<string>;
	/** A line each, of one device or of all; of what he may still read. */
	list(twin?: Twin): readonly string[];
}

export interface Watches extends XepModule {
	/** There is no such account any more: its watches end. @param who Bare JID. */
	gone(who: string): void;
	/** @param who Bare JID. */
	of(who: string): OwnWatches;
	/** How many there are. */
	readonly size: number;
}

export function watches(verbs: Verbs, options: WatchesOptions): Watches {
	return new AllWatches(verbs, options);
}

/** One watch, and what it needs to know between two events. */
interface Kept {
	watch: Watch;
	/** Nothing for the row of availability. */
	rule: EventRule | undefined;
	timer: (() => void) | undefined;
	/** A letter is being written. */
	isBusy: boolean;
	isGone: boolean;
	/** It is counted no more. */
	isForgotten: boolean;
	/** What the twin has was heard since the start, and is no older value that the store has brought back. */
	isLive: boolean;
}

/** A watch that begins, while it is being written. */
interface Opening {
	readonly who: string;
	readonly device: string;
	readonly isNew: boolean;
	readonly done: Promise<unknown>;
	/** The device is gone meanwhile, or has another id. */
	isLost: boolean;
}

class AllWatches implements Watches {
	readonly #verbs: Verbs;
	readonly #store: WatchStore;
	readonly #courier: Pick<Courier, "post" | "isBehind">;
	/** By device, then by person and point. */
	readonly #byDevice = new Map<string, Map<string, Kept>>();
	readonly #counts = new Map<string, number>();
	readonly #openings = new Set<Opening>();
	/** Watches of devices that get another id, until they have it. */
	readonly #moving = new Map<Twin, { readonly kept: readonly Kept[]; isLeft: boolean }>();
	/** Who is named by no rule any more, and how to go on with him. */
	readonly #strangers = new Map<string, () => void>();
	#isStarted = false;
	#isClosed = false;

	constructor(verbs: Verbs, { store, courier }: WatchesOptions) {
		this.#verbs = verbs;
		this.#store = store;
		this.#courier = courier;
		for (const watch of store.watches()) this.#keep(watch, false);
	}

	get size(): number {
		let size = 0;
		for (const count of this.#counts.values()) size += count;
		return size;
	}

	of(who: string): OwnWatches {
		return {
			begin: (twin, point, wish) => this.#begin(who, twin, point, wish),
			end: (twin, point) => this.#end(who, twin, point),
			list: (twin) => this.#list(who, twin),
		};
	}

	async #begin(who: string, twin: Twin, point: string, wish: Wish): Promise<string> {
		const { id, points } = twin.device;
		const known = this.#get(who, id, point);
		// Those that are being written count: they may come faster than the disk takes them.
		const begun = [...this.#openings].filter(({ isNew }) => isNew);
		if (!known && (this.#counts.get(who) ?? 0) + begun.filter((each) => each.who === who).length >= MAX_OF_ONE) throw new GatewayError("busy", `Cannot watch "${point}": you watch ${MAX_OF_ONE} points already; "unwatch" ends those of a device`);
		if (!known && this.size + begun.length >= MAX_WATCHES) throw new GatewayError("busy", `Cannot watch "${point}": ${MAX_WATCHES} watches are the most that this gateway keeps`);
		const now = this.#verbs.clock.now();
		const value = twin.readings.get(point)?.value;
		// What he sees in the answer is what he was told.
		const watch: Watch = { who, device: id, point, ...wish, ...(value !== undefined && { told: { value, at: now } }) };
		const writing = [this.#store.putWatch(watch)];
		const isFirst = !this.#get(who, id, AVAILABILITY);
		const presence: Watch = { who, device: id, point: AVAILABILITY, told: { value: twin.availability, at: now } };
		if (isFirst) writing.push(this.#store.putWatch(presence));
		const done = Promise.all(writing);
		const opening: Opening = { who, device: id, isNew: !known, done, isLost: false };
		this.#openings.add(opening);
		try {
			await done;
		} finally {
			this.#openings.delete(opening);
		}
		if (opening.isLost) {
			await Promise.all([watch, presence].map((each) => this.#store.dropWatch(each)));
			throw new GatewayError("unknown-device", `Cannot watch "${point}": "${id}" is no longer here`);
		}
		this.#keep(watch, true);
		if (isFirst && !this.#get(who, id, AVAILABILITY)) this.#keep(presence, true);
		this.added(twin);
		const current = twin.readings.get(point);
		const placed = points[point];
		const text = current && placed ? eventText(point, placed, current, "first", undefined, twin, now) : `${point}: no reading yet`;
		return `watching ${wishText(point, placed, wish)}: ${wish.by === undefined ? "every change" : "such a change"} comes as a message, at most one in ${MIN_INTERVAL / 1_000} s; "unwatch ${point}" ends it\n${text}`;
	}

	async #end(who: string, twin: Twin, point?: string): Promise<string> {
		const { id, name } = twin.device;
		// He may say it while what he began is still being written.
		await Promise.allSettled([...this.#openings].filter((each) => each.who === who && each.device === id).map(({ done }) => done));
		const own = this.#ofOne(who, id).filter(({ watch }) => watch.point !== AVAILABILITY);
		const ended = own.filter(({ watch }) => point === undefined || watch.point === point);
		if (ended.length === 0) return point === undefined ? `You watch nothing of ${name}` : `You do not watch "${point}"${own.length === 0 ? "" : `; you watch ${own.map(({ watch }) => watch.point).join(", ")}`}`;
		const presence = ended.length === own.length ? this.#get(who, id, AVAILABILITY) : undefined;
		await this.#drop(presence ? [...ended, presence] : ended);
		return `no longer watching ${ended.map(({ watch }) => watch.point).join(", ")}`;
	}

	#list(who: string, twin?: Twin): readonly string[] {
		const { access, registry } = this.#verbs;
		const devices = twin ? [twin.device.id] : [...this.#byDevice.keys()];
		return devices.flatMap((id) => this.#ofOne(who, id).filter(({ watch: { point } }) => point !== AVAILABILITY && access.mayRead(who, id, point)).map(({ watch }) => {
			const text = wishText(watch.point, registry.find(id)?.device.points[watch.point], watch);
			return twin ? text : `${id}: ${text}`;
		}));
	}

	changed({ twin, readings, availability }: Change): void {
		const kept = this.#byDevice.get(twin.device.id);
		if (!kept) return;
		const now = this.#verbs.clock.now();
		for (const each of kept.values()) {
			const reading = readings.find(({ point }) => point === each.watch.point);
			if (reading && Math.abs(now - reading.received) <= LIVE) each.isLive = true;
			if (each.rule === undefined ? availability : reading !== undefined) this.#consider(each);
		}
	}

	/** A device is there, or is described anew: what has changed since its watchers were told last? */
	added(twin: Twin): void {
		this.#arrive(twin);
		for (const each of this.#byDevice.get(twin.device.id)?.values() ?? []) {
			// "Not heard from yet" is how every device begins.
			if (each.rule || twin.availability !== "unknown") this.#consider(each);
		}
	}

	connected(): void {
		this.#look();
		if (!this.#isStarted) for (const who of this.#strangers.keys()) this.gone(who);
		this.#isStarted = true;
		this.#considerAll();
	}

	/** Who may read again is told what has changed meanwhile. */
	accessChanged(): void {
		this.#look();
		this.#considerAll();
	}

	#considerAll(): void {
		for (const id of [...this.#byDevice.keys()]) {
			const twin = this.#verbs.registry.find(id);
			if (twin) this.added(twin);
		}
	}

	/** Who is named by no rule at all? */
	#look(): void {
		const { access, clock } = this.#verbs;
		for (const [who, cancel] of this.#strangers) {
			if (!access.knows(who) && this.#counts.has(who)) continue;
			cancel();
			this.#strangers.delete(who);
		}
		for (const who of this.#counts.keys()) if (!access.knows(who) && !this.#strangers.has(who)) this.#strangers.set(who, clock.after(STRANGER_FOR, () => this.gone(who)));
	}

	gone(who: string): void {
		this.#strangers.get(who)?.();
		this.#strangers.delete(who);
		const kept = [...this.#byDevice.keys()].flatMap((id) => this.#ofOne(who, id));
		if (kept.length > 0) void this.#drop(kept).catch((error: unknown) => this.#verbs.log.warn({ err: error, who }, `Cannot forget what ${who} watched: ${messageOf(error)}`));
	}

	/** Its watches go with the device; several may change places, so that they wait outside until it has its new id. */
	renamed(from: string, twin: Twin): void {
		this.#lose(from);
		const kept = [...(this.#byDevice.get(from)?.values() ?? [])];
		if (kept.length === 0) return;
		this.#byDevice.delete(from);
		this.#moving.set(twin, { kept, isLeft: false });
		for (const each of kept) each.timer?.();
		void Promise.all(kept.map(({ watch }) => this.#store.dropWatch(watch))).catch((error: unknown) => this.#verbs.log.warn({ err: error, device: from }, `Cannot forget who watched "${from}" under its old id: ${messageOf(error)}`));
	}

	#arrive(twin: Twin): void {
		const moving = this.#moving.get(twin);
		if (!moving) return;
		this.#moving.delete(twin);
		const device = twin.device.id;
		const there = this.#byDevice.get(device) ?? new Map<string, Kept>();
		this.#byDevice.set(device, there);
		for (const kept of moving.kept) {
			if (kept.isGone) continue;
			kept.watch = { ...kept.watch, device };
			there.set(`${kept.watch.who}\n${kept.watch.point}`, kept);
			void this.#save(kept);
		}
		if (there.size === 0) this.#byDevice.delete(device);
	}

	#lose(device: string): void {
		for (const opening of this.#openings) if (opening.device === device) opening.isLost = true;
	}

	/** Its source took it back: whoever watched it has nothing to wait for, and is told so. What was posted already still arrives. */
	removed(twin: Twin): void {
		const { id } = twin.device;
		this.#lose(id);
		const moving = this.#moving.get(twin);
		if (moving && !moving.isLeft) return void (moving.isLeft = true); // of its old id
		this.#moving.delete(twin); // where it should have gone, it has not come: somebody else may have its id by now
		const kept = moving?.kept ?? [...(this.#byDevice.get(id)?.values() ?? [])];
		if (kept.length > 0) void this.#endAll(twin, kept, this.#verbs.clock.now());
	}

	/** Say that they have ended, and forget them; both are written in one turn. */
	async #endAll(twin: Twin, all: readonly Kept[], at: UnixMillis): Promise<void> {
		const { access, clock, log } = this.#verbs;
		const letters = all.filter(({ watch: { who, device, point } }) => point !== AVAILABILITY && access.mayRead(who, device, point)).map(({ watch: { who, device, point } }): Letter => ({
			id: letterId("removed", who, device, point, at), to: who, device, point, urgent: false, at, body: endText(twin, point),
		}));
		for (const kept of all) this.#forget(kept);
		let todo: (() => Promise<void>)[] = [...letters.map((letter) => () => this.#courier.post(letter)), ...all.map(({ watch }) => async () => {
			if (!this.#get(watch.who, watch.device, watch.point)) await this.#store.dropWatch(watch); // else it has begun anew meanwhile
		})];
		while (todo.length > 0 && !this.#isClosed) {
			const results = await Promise.allSettled(todo.map((each) => each()));
			const failed = results.find((result) => result.status === "rejected");
			if (!failed) return;
			log.warn({ err: failed.reason, device: twin.device.id }, `Cannot tell now who watched "${twin.device.id}" that it is gone: ${messageOf(failed.reason)}`);
			todo = todo.filter((_, index) => results[index]!.status === "rejected");
			await new Promise<void>((resolve) => void clock.after(STORE_AGAIN, resolve));
		}
	}

	closing(): void {
		this.#isClosed = true;
		for (const cancel of this.#strangers.values()) cancel();
		for (const kept of this.#byDevice.values()) for (const each of kept.values()) each.timer?.();
	}

	// ---- One watch ----

	#consider(kept: Kept): void {
		kept.timer?.();
		kept.timer = undefined;
		if (kept.isBusy || kept.isGone || this.#isClosed) return; // who is busy looks again afterwards
		const twin = this.#verbs.registry.find(kept.watch.device);
		if (!twin) return; // `added()` goes on when it is there again
		if (kept.rule) this.#considerPoint(kept, kept.rule, twin);
		else this.#considerAvailability(kept, twin);
	}

	#considerPoint(kept: Kept, rule: EventRule, twin: Twin): void {
		const { watch } = kept;
		const now = this.#verbs.clock.now();
		const point = Object.hasOwn(twin.device.points, watch.point) ? twin.device.points[watch.point] : undefined;
		// Of what he may not read he has no news; when he may again, it is compared with what he was told: `accessChanged()`.
		if (!this.#verbs.access.mayRead(watch.who, watch.device, watch.point)) return this.#plan(kept, watch.every === undefined ? undefined : now + watch.every);
		const last = twin.readings.get(watch.point);
		const reading = last && !kept.isLive && isBefore(last, watch, now) ? undefined : last;
		const isDue = reading === undefined ? rule.isDue(now) : rule.offer([reading], now);
		if (isDue) {
			// What is not there now passes in silence: it speaks again when that has changed.
			if (point === undefined || reading === undefined || !isReadable(point)) rule.fired([], now);
			// What only repeats is for who listens: it must not push what is new out of the outbox.
			else if (!rule.suppressed && isSame(watch, reading) && (!this.#verbs.online() || this.#courier.isBehind(watch.who, watch.device))) rule.fired([], now);
			else return void this.#tellPoint(kept, rule, twin, point, reading);
		}
		this.#plan(kept, rule.nextAt);
	}

	async #tellPoint(kept: Kept, rule: EventRule, twin: Twin, point: Point, reading: Reading): Promise<void> {
		const { watch } = kept;
		const { told } = watch;
		const now = this.#verbs.clock.now();
		const occasion: Occasion = told === undefined ? "first" : !isSame(watch, reading) ? "changed" : rule.suppressed ? "back" : "unchanged";
		// When it happened; a repetition happens now, and its text says of when the value is.
		const isCredible = reading.at <= reading.received && reading.at >= reading.received - CREDIBLE;
		const at: UnixMillis = occasion === "unchanged" || !isCredible ? now : reading.at;
		rule.fired([reading], now); // what comes from now on is measured from here
		await this.#tell(kept, {
			// The same facts after a crash between the letter and what was told give the same letter.
			point: watch.point, id: letterId(watch.point, watch.who, watch.device, told?.at ?? 0, told ? textOf(told.value) : "", occasion, reading.at, textOf(reading.value)),
			to: watch.who, device: watch.device, urgent: false, at,
			body: eventText(watch.point, point, reading, occasion, told?.value, twin, now),
		}, { ...watch, told: { value: reading.value, at: now } });
	}

	#considerAvailability(kept: Kept, twin: Twin): void {
		const { watch } = kept;
		const { availability, since } = twin;
		const now = this.#verbs.clock.now();
		const toldAt = watch.told?.at ?? -Infinity;
		const told = watch.told === undefined ? availability : textOf(watch.told.value);
		if (isAway(told) === isAway(availability)) return;
		// What is yet to come was before the clock was set back.
		const from = (moment: UnixMillis, span: Millis): UnixMillis => (moment > now ? now : moment + span);
		const due = Math.max(from(since, SETTLED[availability === "offline" || availability === "unknown" ? availability : "there"]), from(toldAt, AVAILABILITY_EVERY));
		if (due > now) return this.#plan(kept, due);
		if (!this.#verbs.access.maySee(watch.who, watch.device, twin.device.points)) return;
		void this.#tell(kept, {
			id: letterId("", watch.who, watch.device, told, toldAt, availability),
			to: watch.who, device: watch.device, urgent: false, at: Math.min(since, now),
			body: availabilityText(twin),
		}, { ...watch, told: { value: availability, at: now } });
	}

	/** Post the letter, and keep what was told; both are written in one turn, and by one transaction where the store has one. */
	async #tell(kept: Kept, letter: Letter, next: Watch): Promise<void> {
		const before = kept.watch;
		kept.isBusy = true;
		const [posted, written] = await Promise.allSettled([this.#courier.post(letter), this.#store.putWatch(next)]);
		kept.isBusy = false;
		if (posted.status === "rejected") {
			this.#verbs.log.warn({ err: posted.reason, to: letter.to, device: letter.device }, `Cannot tell ${letter.to} of "${letter.device}" now: ${messageOf(posted.reason)}`);
			if (kept.rule) kept.rule = this.#ruleOf(before);
			return this.#plan(kept, this.#verbs.clock.now() + STORE_AGAIN);
		}
		// Its device may have another id by now.
		if (kept.watch.told === before.told) kept.watch = { ...kept.watch, ...(next.told && { told: next.told }) };
		// The letter is on its way, and must not be written again: it may have arrived by then.
		if (written.status === "rejected") void this.#saveLater(kept, written.reason);
		else if (kept.watch.device !== before.device) void this.#save(kept);
		this.#consider(kept);
	}

	/** Write it down as it is, until the disk takes it. */
	async #save(kept: Kept): Promise<void> {
		try {
			await this.#store.putWatch(kept.watch);
			// It may have ended, or gone elsewhere, meanwhile: what is written last counts.
			if (kept.isGone && !this.#get(kept.watch.who, kept.watch.device, kept.watch.point)) await this.#store.dropWatch(kept.watch);
		} catch (error) {
			await this.#saveLater(kept, error);
		}
	}

	async #saveLater(kept: Kept, error: unknown): Promise<void> {
		const { who, device } = kept.watch;
		this.#verbs.log.warn({ err: error, who, device }, `Cannot keep what ${who} was told of "${device}": ${messageOf(error)}`);
		await new Promise<void>((resolve) => void this.#verbs.clock.after(STORE_AGAIN, resolve));
		if (!kept.isGone && !this.#isClosed) await this.#save(kept);
	}

	#plan(kept: Kept, at: UnixMillis | undefined): void {
		kept.timer?.();
		kept.timer = undefined;
		if (at === undefined || this.#isClosed || kept.isGone) return;
		kept.timer = this.#verbs.clock.after(Math.max(0, at - this.#verbs.clock.now()), () => this.#consider(kept));
	}

	// ---- All of them ----

	#get(who: string, device: string, point: string): Kept | undefined {
		return this.#byDevice.get(device)?.get(`${who}\n${point}`);
	}

	#ofOne(who: string, device: string): Kept[] {
		return [...(this.#byDevice.get(device)?.values() ?? [])].filter(({ watch }) => watch.who === who);
	}

	#keep(watch: Watch, isLive: boolean): void {
		const { who, device, point } = watch;
		this.#forget(this.#get(who, device, point));
		let kept = this.#byDevice.get(device);
		if (!kept) this.#byDevice.set(device, kept = new Map());
		kept.set(`${who}\n${point}`, { watch, rule: point === AVAILABILITY ? undefined : this.#ruleOf(watch), timer: undefined, isBusy: false, isGone: false, isForgotten: false, isLive });
		if (point !== AVAILABILITY) this.#counts.set(who, (this.#counts.get(who) ?? 0) + 1);
	}

	#forget(kept: Kept | undefined): void {
		if (!kept) return;
		const { who, device, point } = kept.watch;
		kept.timer?.();
		kept.isGone = true;
		if (kept.isForgotten) return;
		kept.isForgotten = true;
		const others = this.#byDevice.get(device);
		if (others?.get(`${who}\n${point}`) === kept) others.delete(`${who}\n${point}`);
		if (others?.size === 0) this.#byDevice.delete(device);
		if (point === AVAILABILITY) return;
		const left = (this.#counts.get(who) ?? 1) - 1;
		if (left > 0) this.#counts.set(who, left);
		else this.#counts.delete(who);
	}

	/** On disk before it counts; meanwhile they are silent. @throws {GatewayError} `store-failed`: they go on. */
	async #drop(all: readonly Kept[]): Promise<void> {
		for (const kept of all) {
			kept.timer?.();
			kept.isGone = true;
		}
		try {
			await Promise.all(all.map(({ watch }) => this.#store.dropWatch(watch)));
		} catch (error) {
			for (const kept of all) {
				kept.isGone = false;
				this.#consider(kept);
			}
			throw error;
		}
		for (const kept of all) this.#forget(kept);
	}

	#ruleOf({ point, by, every, told }: Watch): EventRule {
		return new EventRule({
			triggers: new Map([[point, by === undefined ? {} : { by }]]),
			minInterval: MIN_INTERVAL,
			...(every !== undefined && { maxInterval: every }),
			...(told !== undefined && { told: new Map([[point, told.value]]), toldAt: told.at }),
		}, this.#verbs.clock.now());
	}
}

function isSame({ told }: Watch, { value }: Reading): boolean {
	return told !== undefined && sameValue(told.value, value);
}

/** A value older than the one that was told: after a kill -9 the store may bring back one from before. */
function isBefore(reading: Reading, watch: Watch, now: UnixMillis): boolean {
	return watch.told !== undefined && watch.told.at <= now && reading.received < watch.told.at && !isSame(watch, reading);
}

function isAway(availability: string): boolean {
	return availability === "offline" || availability === "unknown";
}
