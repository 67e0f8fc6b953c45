// The whole of what others see of the database, one short method each: above 300 lines for its docstrings.
import { createHash } from "node:crypto";
import { join } from "node:path";
import type { Clock, Millis } from "../core/clock.js";
import { GatewayError, messageOf } from "../core/errors.js";
import type { Bucket, Delivery, Entry, Extent, History, Journal, Row, Span } from "../core/journal.js";
import type { Log } from "../core/log.js";
import type { Letter, Outbox, Queue, Waiting } from "../core/outbox.js";
import type { Subscription, SubscriptionStore } from "../core/subscription.js";
import type { Twin } from "../core/twin.js";
import type { Watch, WatchStore } from "../core/watch.js";
import type { Description } from "./description-table.js";
import { cureFor, InlinePort, type Port, ThreadPort } from "./port.js";
import { type Answer, type Change, entered, type Figures, type Job, type Limits, type Loaded, type Question, type Request, type StoredTwin, type Times, type Wanted } from "./protocol.js";
import { readingFrom, unitOf } from "./row.js";
import { SeriesBook } from "./series-book.js";
import { codeOf } from "./sqlite.js";
import { SteadyTime } from "./steady-time.js";
import { Writer } from "./writer.js";

export type { StoredTwin } from "./protocol.js";

/** The database in the data folder. */
export const DATABASE_FILE = "jidway.sqlite";
const DAY: Millis = 86_400_000;
const DEFAULTS: Limits & { readonly flush: Millis } = { keep: 30 * DAY, limit: 512e6, flush: 5_000, outbox: { keep: 7 * DAY, limit: 64e6 } };
/** How often upkeep is looked after when nothing is written. */
const TEND_EVERY: Millis = 60_000;
/** A disk that hangs for so long does not hold up the end of the gateway; what is not written by then is refused. */
const CLOSE_WITHIN: Millis = 1_500;
/** A request is made again when the file was set aside under it, and no more often. */
const MOST_TRIES = 3;

/** What may change while it runs. */
export interface StoreSettings {
	/** How old readings become. Default: 30 d. */
	readonly keep?: Millis;
	/** How large the database becomes, in bytes of pages in use. Default: 512 MB. */
	readonly limit?: number;
	/** How long readings that nobody waits for, and twins, may stay in memory. Default: 5 s. */
	readonly flush?: Millis;
	/** Default: 7 d, 64 MB. */
	readonly outbox?: { readonly keep: Millis; readonly limit: number };
}

export interface StoreOptions extends StoreSettings {
	/** The data folder; made with mode 0700. */
	readonly folder: string;
	readonly clock: Clock;
	readonly log: Log;
	/** Grows with the time that passes, and by nothing else: a step of the wall clock makes nothing old then. Default: `clock` is believed. */
	readonly elapsed?: () => Millis;
	/** Transactions do not follow each other faster. Default: 20 ms. */
	readonly tick?: Millis;
	/** False: no worker, everything is done in the calls themselves. For tests on a clock that stands still, and short commands. */
	readonly thread?: boolean;
	/** The file was damaged while it was in use and is a new one: touch every twin. */
	readonly onFresh?: () => void;
	/** For a test that takes the thread away. */
	readonly onPort?: (port: Port) => void;
}

/** Figures for a page of metrics. */
export interface StoreCounters extends Figures {
	/** Readings written since the start. */
	readonly written: number;
	readonly transactions: number;
	/** Readings lost for want of room while the disk took none. */
	readonly lost: number;
	/** Readings in memory. */
	readonly waiting: number;
	/** The last transaction, in ms. */
	readonly lastCommit?: Millis;
}

/** What survives a restart. Nothing here waits for the disk on the main thread once it is open. */
export class Store implements SubscriptionStore, WatchStore, Journal, History {
	readonly outbox: Outbox;
	readonly #port: Port;
	readonly #clock: Clock;
	readonly #steady: SteadyTime;
	readonly #log: Log;
	readonly #file: string;
	readonly #book: SeriesBook;
	readonly #writer: Writer;
	readonly #onFresh: () => void;
	readonly #subscriptions: Map<string, Subscription>;
	readonly #watches: Map<string, Watch>;
	readonly #filters: Map<string, readonly string[]>;
	/** Hashes of the descriptions that are written, by link and topic. */
	readonly #described = new Map<string, string>();
	#twins: readonly StoredTwin[];
	#limits: Limits;
	#cancelTend: (() => void) | undefined;
	#isBoundSaid = false;
	#isLetterLossSaid = false;
	#closed: Promise<void> | undefined;

	private constructor({ clock, log, tick = 20, thread = true, flush = DEFAULTS.flush, elapsed = () => clock.now(), onFresh }: StoreOptions, file: string, limits: Limits, port: Port, loaded: Loaded, figures: Figures) {
		this.#port = port;
		this.#clock = clock;
		this.#steady = new SteadyTime(() => clock.now(), elapsed, loaded.newest);
		this.#log = log;
		this.#file = file;
		this.#limits = limits;
		this.#onFresh = onFresh ?? (() => undefined);
		this.#book = new SeriesBook();
		this.#book.load(loaded.series);
		this.#subscriptions = new Map(loaded.subscriptions.map((each) => [subscriptionKey(each), each]));
		this.#watches = new Map(loaded.watches.map((each) => [watchKey(each), each]));
		const filters = new Map<string, string[]>();
		for (const [link, filter] of loaded.filters) filters.set(link, [...(filters.get(link) ?? []), filter]);
		this.#filters = filters;
		this.#twins = loaded.twins;
		this.#writer = new Writer({
			port, clock, log, book: this.#book, tick, flush, isInline: !thread, last: loaded.last, deliveries: loaded.deliveries, figures,
			aged: () => this.#steady.now(),
			fresh: (aside, reason) => this.#fresh(aside, reason),
		});
		this.outbox = outboxOf((change) => this.#change(change), (question) => this.#ask(question));
		this.#tendLater();
	}

	/**
	 * Open the database, or make one. A damaged one is set aside and named in the log.
	 *
	 * @throws {GatewayError} `store-failed` when there is no database to be had.
	 */
	static async open(options: StoreOptions): Promise<Store> {
		const { folder, clock, log, thread = true, keep = DEFAULTS.keep, limit = DEFAULTS.limit, outbox = DEFAULTS.outbox } = options;
		const file = join(folder, DATABASE_FILE);
		const limits = { keep, limit, outbox };
		const known: { store?: Store } = {}; // what a thread that is started again must be told
		const opening = (): Request => ({ kind: "open", file, limits: known.store ? known.store.#limits : limits, now: clock.now(), aged: clock.now() });
		const port = thread ? new ThreadPort({ clock, log, open: opening, reopened: (loaded) => {
			if (loaded.aside && known.store) known.store.#fresh(loaded.aside.file, loaded.aside.reason);
		} }) : new InlinePort();
		options.onPort?.(port);
		const answer = await port.request(opening());
		if (answer.kind !== "loaded") {
			await port.request({ kind: "close", isClean: false, now: clock.now(), aged: clock.now() });
			await port.end();
			throw new GatewayError("store-failed", `Cannot open database "${file}": ${answer.kind === "failed" ? answer.reason : answer.kind}; check that "gateway: data:" names a folder that this user may write to`);
		}
		const { loaded, figures } = answer;
		if (loaded.aside) log.error({ file, aside: loaded.aside.file }, `Database is damaged (${loaded.aside.reason}): set aside as "${loaded.aside.file}", started anew`);
		for (const text of loaded.unread) log.warn({ file }, text);
		return (known.store = new Store(options, file, limits, port, loaded, figures));
	}

	/** Why the last write failed, and what to do about it; nothing while all is well. */
	get fault(): string | undefined {
		return this.#writer.fault ?? this.#port.fault;
	}

	/** Cheap: as of the last transaction. */
	counters(): StoreCounters {
		const { figures, written, transactions, lost, waiting, lastTook } = this.#writer;
		return { ...figures, written, transactions, lost, waiting, ...(lastTook !== undefined && { lastCommit: lastTook }) };
	}

	subscriptions(): readonly Subscription[] {
		return [...this.#subscriptions.values()];
	}

	async putSubscription(subscription: Subscription): Promise<void> {
		await this.#change({ kind: "subscription", subscription });
		const { from, to, pendingIn, pendingOut } = subscription;
		if (from || to || pendingIn || pendingOut) this.#subscriptions.set(subscriptionKey(subscription), subscription);
		else this.#subscriptions.delete(subscriptionKey(subscription));
	}

	watches(): readonly Watch[] {
		return [...this.#watches.values()];
	}

	async putWatch(watch: Watch): Promise<void> {
		await this.#change({ kind: "watch", watch });
		this.#watches.set(watchKey(watch), watch);
	}

	async dropWatch(watch: Pick<Watch, "who" | "device" | "point">): Promise<void> {
		await this.#change({ kind: "drop-watch", watch });
		this.#watches.delete(watchKey(watch));
	}

	/** The twins of the last run. They are handed over: a second call gives none. */
	twins(): readonly StoredTwin[] {
		const twins = this.#twins;
		this.#twins = [];
		return twins;
	}

	/** Remember that a twin changed; it is written with a later flush. */
	touch(twin: Twin): void {
		this.#writer.touch(twin);
	}

	/** Its source took it back. */
	forget(twin: Twin): void {
		this.#writer.forget(twin);
	}

	/** The topic filters that a link listened to last: a durable session at a broker outlives this process. */
	filters(link: string): readonly string[] {
		return this.#filters.get(link) ?? [];
	}

	/** What it listens to now; written with the next transaction. */
	setFilters(link: string, filters: readonly string[]): void {
		const before = this.#filters.get(link);
		const after = [...new Set(filters)].sort();
		if (before && before.length === after.length && before.every((filter, index) => filter === after[index])) return;
		this.#filters.set(link, after);
		this.#writer.setFilters(link, after);
	}

	/** What topics of a link said about devices, in the order in which they said it. @throws {GatewayError} `store-failed`. */
	async descriptions(link: string): Promise<readonly Description[]> {
		const answer = await this.#ask({ kind: "descriptions", link });
		if (answer.kind !== "descriptions") throw unexpected(answer);
		for (const { topic, payload } of answer.descriptions) this.#described.set(`${link}\n${topic}`, hashOf(payload));
		return answer.descriptions;
	}

	/** A link is gone for good: what was remembered for it is not needed any more. Its readings stay in the journal. */
	forgetLink(link: string): void {
		this.setFilters(link, []);
		this.release(link, "all");
		for (const key of this.#described.keys()) {
			if (!key.startsWith(`${link}\n`)) continue;
			this.#described.delete(key);
			this.#change({ kind: "drop-description", link, topic: key.slice(link.length + 1) }).catch(() => undefined);
		}
	}

	/** Remember what a topic said about devices; an empty payload takes it back. What it said before is not written again. */
	describe(link: string, { topic, payload, retained }: Omit<Description, "link">): void {
		const key = `${link}\n${topic}`;
		const hash = hashOf(payload);
		if (payload.length === 0) {
			if (this.#described.delete(key)) this.#change({ kind: "drop-description", link, topic }).catch(() => undefined);
			return;
		}
		if (this.#described.get(key) === hash) return;
		this.#described.set(key, hash);
		// Where it cannot be written it is heard again from the broker; the fault itself is said elsewhere.
		this.#change({ kind: "describe", description: { link, topic, payload, retained } }).then(
			(room) => { if (room === 0) this.#log.warn({ link, topic }, "A description of a device is not kept: there are too many; after a restart its first readings may be lost"); },
			() => this.#described.delete(key),
		);
	}

	append(entries: readonly Entry[], delivery?: Delivery): Promise<void> {
		return this.#writer.append(entries, delivery);
	}

	note(entries: readonly Entry[]): void {
		this.#writer.note(entries);
	}

	/** Messages whose readings are on disk, and whose acknowledgement their broker may not have: it may send them again. */
	delivered(link: string): readonly { readonly id: number; readonly hash: string }[] {
		return this.#writer.deliveries(link);
	}

	/** These messages will not come again, or are new ones when they do. Written with the next transaction. */
	release(link: string, ids: readonly number[] | "all"): void {
		this.#writer.release(link, ids);
	}

	/** @throws {GatewayError} `bad-request` for a cursor that is none of ours, `store-failed`. */
	async rows(span: Span, limit: number, after?: string): Promise<readonly Row[]> {
		const wanted = this.#wanted(span);
		const cursor = after === undefined ? undefined : cursorFrom(after);
		if (wanted.series.length === 0) return [];
		const answer = await this.#ask({ kind: "rows", wanted, limit, ...(cursor && { after: cursor }) });
		if (answer.kind !== "rows") throw unexpected(answer);
		return Array.from(answer.rows.value, (_, index): Row => {
			const row = entered(answer.rows, index);
			const { point, kind, unit: text } = this.#book.byId(row.series);
			const unit = unitOf(text);
			return { reading: readingFrom(point, kind, row), cursor: `${row.at}.${row.seq}`, ...(unit !== undefined && { unit }) };
		});
	}

	/** @throws {GatewayError} `bad-request` for a width that is no positive number of milliseconds, `store-failed`. */
	async buckets(span: Span, width: Millis, limit: number): Promise<readonly Bucket[]> {
		if (!(width >= 1)) throw new GatewayError("bad-request", `Cannot sum up the past in steps of ${width} ms: found ${width}, wanted at least 1`);
		const wanted = this.#wanted(span);
		if (wanted.series.length === 0) return [];
		const answer = await this.#ask({ kind: "buckets", wanted, width, limit });
		if (answer.kind !== "buckets") throw unexpected(answer);
		return answer.buckets;
	}

	/** @throws {GatewayError} `store-failed`. */
	async extent(span: Span): Promise<Extent> {
		const wanted = this.#wanted(span);
		if (wanted.series.length === 0) return { rows: 0 };
		const answer = await this.#ask({ kind: "extent", wanted });
		if (answer.kind !== "extent") throw unexpected(answer);
		return answer.extent;
	}

	/** What a changed config says; what it leaves out is the default. */
	configure({ keep = DEFAULTS.keep, limit = DEFAULTS.limit, flush = DEFAULTS.flush, outbox = DEFAULTS.outbox }: StoreSettings): void {
		this.#limits = { keep, limit, outbox };
		this.#isBoundSaid = false;
		this.#writer.flushEvery = flush;
		void this.#request({ kind: "configure", limits: this.#limits });
	}

	/** Write all that is in memory. What fails stays there, and is tried again. */
	flush(): Promise<void> {
		return this.#writer.flush();
	}

	/** Resolves when every batch that was sent has been answered. */
	settled(): Promise<void> {
		return this.#writer.settled();
	}

	/** A sound copy in a new file of mode 0600, while everything goes on. @throws {GatewayError} `store-failed`, also when there is such a file. */
	async backup(file: string): Promise<void> {
		await this.flush();
		// What could not be written would be missing, and the backup would look whole.
		if (this.fault !== undefined) throw new GatewayError("store-failed", `Cannot write the backup "${file}": ${this.fault}`);
		try {
			await this.#port.copy(this.#file, file);
		} catch (error) {
			const code = codeOf(error);
			throw new GatewayError("store-failed", `Cannot write the backup "${file}": ${code === "EEXIST" ? "there is a file of this name; give another one" : cureFor(code, messageOf(error))}`, { cause: error });
		}
	}

	/** Let the file grow to so many pages of 4 KiB and no further: SQLite refuses beyond that as on a full disk. */
	async limitPages(pages: number): Promise<void> {
		await this.#request({ kind: "limit-pages", pages });
	}

	/** Move all rows into the table that the past is read from, however few they are. */
	async emptyInbox(): Promise<void> {
		await this.#request({ kind: "tend", isWhole: true });
	}

	/** Write everything, and let go of the file. Whoever still waits is refused. */
	close(): Promise<void> {
		return (this.#closed ??= this.#close());
	}

	async #close(): Promise<void> {
		this.#cancelTend?.();
		const isClean = await this.#writer.close(CLOSE_WITHIN);
		// Not awaited yet: a thread that hangs answers when it is ended.
		const closing = this.#port.request({ kind: "close", isClean, ...this.#times() });
		await this.#port.end();
		const answer = await closing;
		if (answer.kind === "fresh") this.#log.error({ file: this.#file, aside: answer.aside }, `Database is damaged (${answer.reason}): set aside as "${answer.aside}", and no new one could be made`);
		if (answer.kind === "failed") this.#log.error({ file: this.#file, reason: answer.reason }, `Cannot close the database well: ${cureFor(answer.code, answer.reason)}; it is checked at the next start`);
	}

	#times(): Times {
		return { now: this.#clock.now(), aged: this.#steady.now() };
	}

	/** What everybody but the writer asks of the file. When it turns out to be a new one, what is known here goes into it, and it is asked again. */
	async #request(job: Job): Promise<Answer> {
		for (let tries = 1; ; tries++) {
			const answer = await this.#port.request({ ...job, ...this.#times() });
			if (answer.kind === "fresh") this.#fresh(answer.aside, answer.reason);
			const isAgain = answer.kind === "fresh" || (answer.kind === "failed" && answer.code === "SQLITE_ABORT");
			if (!isAgain || tries >= MOST_TRIES) return answer;
		}
	}

	async #change(change: Change): Promise<number> {
		const changed = await this.#writer.change(change);
		const { lettersLost } = this.#writer.figures;
		if (lettersLost > 0 && !this.#isLetterLossSaid) {
			this.#isLetterLossSaid = true;
			this.#log.error({ lost: lettersLost }, "The outbox is full: the oldest letters that are not urgent are given up");
		}
		return changed;
	}

	async #ask(question: Question): Promise<Answer> {
		const answer = await this.#request({ kind: "ask", question });
		if (answer.kind === "failed" || answer.kind === "fresh") throw new GatewayError("store-failed", `Cannot read the database: ${answer.kind === "failed" ? cureFor(answer.code, answer.reason) : answer.reason}`);
		return answer;
	}

	#wanted({ place, points, from = -Infinity, to = Infinity }: Span): Wanted {
		const series = this.#book.wanted(place, points);
		const bounded = (time: number): number => Math.min(Number.MAX_SAFE_INTEGER, Math.max(-Number.MAX_SAFE_INTEGER, Math.ceil(time)));
		return { series, points, from: bounded(from), to: bounded(to), unwritten: this.#writer.unwritten(new Set(series.map(({ id }) => id))) };
	}

	/** The file is a new one: what is known here goes into it. */
	#fresh(aside: string, reason: string): void {
		this.#log.error({ file: this.#file, aside }, `Database is damaged (${reason}): set aside as "${aside}", started anew with what is in memory; its history and its outbox are in the old file only`);
		this.#writer.restore([
			...[...this.#subscriptions.values()].map((subscription): Change => ({ kind: "subscription", subscription })),
			...[...this.#watches.values()].map((watch): Change => ({ kind: "watch", watch })),
		], this.#filters);
		this.#described.clear(); // they are heard again when the broker tells them again
		this.#onFresh();
	}

	#tendLater(): void {
		this.#cancelTend = this.#clock.after(TEND_EVERY, () => {
			this.#tendLater();
			this.#sayPruned();
			void this.#request({ kind: "tend", isWhole: false }).then((answer) => {
				if (answer.kind === "done" && answer.figures) this.#writer.figures = answer.figures;
			});
		});
	}

	#sayPruned(): void {
		const { isBounded, oldest, pruned } = this.#writer.figures;
		if (!isBounded || this.#isBoundSaid) return;
		this.#isBoundSaid = true;
		this.#log.warn({ pruned }, `The history is as large as "history: limit" lets it be: the oldest readings are deleted${oldest === undefined ? "" : `, it begins at ${new Date(oldest).toISOString()} now`}`);
	}
}

function outboxOf(change: (change: Change) => Promise<number>, ask: (question: Question) => Promise<Answer>): Outbox {
	const letters = async (question: Question): Promise<readonly Waiting[]> => {
		const answer = await ask(question);
		if (answer.kind !== "letters") throw unexpected(answer);
		return answer.letters;
	};
	return {
		post: async (letter: Letter) => void (await change({ kind: "post", letter })),
		next: (to, limit, except) => letters({ kind: "next", to, limit, ...(except && { except }) }),
		sent: (to, limit) => letters({ kind: "sent", to, limit }),
		assign: async (ids, batch) => void (await change({ kind: "assign", ids, batch })),
		acknowledged: async (batches) => void (await change({ kind: "acknowledged", batches })),
		discard: (to, device) => change({ kind: "discard", to, ...(device !== undefined && { device }) }),
		async queues(): Promise<readonly Queue[]> {
			const answer = await ask({ kind: "queues" });
			if (answer.kind !== "queues") throw unexpected(answer);
			return answer.queues;
		},
	};
}

function subscriptionKey({ device, contact }: Subscription): string {
	return `${device}\n${contact}`;
}

function watchKey({ who, device, point }: Pick<Watch, "who" | "device" | "point">): string {
	return `${who}\n${device}\n${point}`;
}

function cursorFrom(text: string): readonly [at: number, seq: number] {
	const match = /^(-?\d{1,16})\.(\d{1,16})$/.exec(text);
	if (!match) throw new GatewayError("bad-request", `Cannot go on after "${text.slice(0, 40)}": found no cursor of a row`);
	return [Number(match[1]), Number(match[2])];
}

function unexpected(answer: Answer): GatewayError {
	return new GatewayError("store-failed", `Cannot read the database: unexpected answer "${answer.kind}"`);
}

function hashOf(payload: Uint8Array): string {
	return createHash("sha256").update(payload).digest("base64");
}
