// One queue, one state, and what ends it well or badly: apart they would share every field, which is why it is above 300 lines.
import { type Clock, type Millis, pause, type UnixMillis } from "../core/clock.js";
import { GatewayError } from "../core/errors.js";
import type { Delivery, Entry } from "../core/journal.js";
import type { Log } from "../core/log.js";
import type { Twin } from "../core/twin.js";
import { textOf } from "../core/value.js";
import { cureFor, type Port } from "./port.js";
import { type Answer, type Batch, type Change, columnsOf, type Columns, type Figures } from "./protocol.js";
import { flagsOf, whole } from "./row.js";
import type { SeriesBook } from "./series-book.js";
import { type Taken, WaitingRows } from "./waiting-rows.js";
import { packed, WaitingTwins } from "./waiting-twins.js";

/** Rows in one transaction: after an outage the next ones follow at once. */
const MOST_ROWS = 5_000;
/** After a failure it is tried again this often. */
const RETRY: Millis = 1_000;

export interface WriterOptions {
	readonly port: Port;
	readonly clock: Clock;
	readonly log: Log;
	readonly book: SeriesBook;
	readonly tick: Millis;
	readonly flush: Millis;
	/** Write at once, in the call itself. */
	readonly isInline: boolean;
	/** The number of the newest row in the file. */
	readonly last: number;
	/** The messages that are in the file already. */
	readonly deliveries: readonly Delivery[];
	readonly figures: Figures;
	/** The time by which things grow old. */
	aged(): UnixMillis;
	/** The file was damaged, and is a new one: what it must have is to be given again. */
	fresh(aside: string, reason: string): void;
}

interface Waiter {
	readonly upTo: number;
	/** Nothing once it was let go of. */
	delivery: Delivery | undefined;
	resolve(): void;
	reject(error: Error): void;
}

interface Asked {
	readonly change: Change;
	resolve(changed: number): void;
	/** Nothing for what is written anew into a fresh file: it is tried until it is done. */
	readonly reject?: (error: Error) => void;
}

interface Sealed {
	readonly batch: Batch;
	readonly taken: Taken;
	readonly asked: readonly Asked[];
	readonly twins: readonly Twin[];
}

/** Collects what is to be written, and writes it as few transactions: one at a time, and one a tick. */
export class Writer {
	readonly #options: WriterOptions;
	readonly #rows = new WaitingRows();
	readonly #twins = new WaitingTwins();
	readonly #filters = new Map<string, readonly string[]>();
	readonly #deliveries = new Map<string, Map<number, string>>();
	#waiters: Waiter[] = [];
	#asked: Asked[] = [];
	#seq: number;
	#flush: Millis;
	#busy: Promise<boolean> | undefined;
	#sealed: Sealed | undefined;
	#sentAt = -Infinity;
	#cancelTick: (() => void) | undefined;
	#cancelFlush: (() => void) | undefined;
	#isClosed = false;
	#fault: string | undefined;
	#lossIsSaid = false;
	figures: Figures;
	transactions = 0;
	written = 0;
	lastTook: number | undefined;

	constructor(options: WriterOptions) {
		this.#options = options;
		this.#seq = options.last;
		this.#flush = options.flush;
		this.figures = options.figures;
		for (const { link, id, hash } of options.deliveries) this.#delivered(link).set(id, hash);
	}

	get fault(): string | undefined {
		return this.#fault;
	}

	get lost(): number {
		return this.#rows.lost;
	}

	/** Rows in memory. */
	get waiting(): number {
		return this.#rows.size + (this.#sealed?.taken.rows.length ?? 0);
	}

	set flushEvery(flush: Millis) {
		this.#flush = flush;
		this.#cancelFlush?.();
		this.#cancelFlush = undefined;
		this.#wake();
	}

	append(entries: readonly Entry[], delivery?: Delivery): Promise<void> {
		if (entries.length === 0 && !delivery) return Promise.resolve();
		if (this.#isClosed) return Promise.reject(closed());
		for (const entry of entries) this.#rows.await(this.#row(entry));
		if (delivery) this.#message(0, [delivery.link, delivery.id, delivery.hash]);
		const promise = new Promise<void>((resolve, reject) => this.#waiters.push({ upTo: this.#seq, delivery, resolve, reject }));
		this.#wake();
		return promise;
	}

	note(entries: readonly Entry[]): void {
		if (entries.length === 0 || this.#isClosed) return;
		this.#sayLoss(this.#rows.note(entries.map((entry) => this.#row(entry))));
		this.#wake();
	}

	change(change: Change): Promise<number> {
		if (this.#isClosed) return Promise.reject(closed());
		const promise = new Promise<number>((resolve, reject) => this.#asked.push({ change, resolve, reject }));
		this.#wake();
		return promise;
	}

	touch(twin: Twin): void {
		this.#twins.touch(twin);
		this.#wake();
	}

	forget(twin: Twin): void {
		this.#twins.forget(twin);
		this.#wake();
	}

	setFilters(link: string, filters: readonly string[]): void {
		this.#filters.set(link, filters);
		this.#wake();
	}

	deliveries(link: string): readonly { readonly id: number; readonly hash: string }[] {
		return [...(this.#deliveries.get(link) ?? [])].map(([id, hash]) => ({ id, hash }));
	}

	release(link: string, ids: readonly number[] | "all"): void {
		const known = this.#deliveries.get(link);
		if (ids === "all") {
			// Those that are on their way, too.
			const pending = this.#waiters.filter(({ delivery }) => delivery?.link === link);
			if (pending.length === 0 && !known?.size) return;
			for (const waiter of pending) waiter.delivery = undefined;
			known?.clear();
			this.#message(-1, [link, "all"]);
		} else {
			const gone = ids.filter((id) => known?.delete(id));
			if (gone.length === 0) return;
			this.#message(-1, [link, gone]);
		}
		this.#wake();
	}

	/** Rows of these series that are in memory still. */
	unwritten(ids: ReadonlySet<number>): Columns {
		const sealed = this.#sealed?.taken.rows.filter(({ series }) => ids.has(series)) ?? [];
		return columnsOf([...sealed, ...this.#rows.of(ids)]);
	}

	/** Put into a fresh file what must be in it, and is in memory. */
	restore(changes: readonly Change[], filters: ReadonlyMap<string, readonly string[]>): void {
		this.#options.book.forgetSaved();
		this.#asked = [...changes.map((change) => ({ change, resolve: () => undefined })), ...this.#asked];
		for (const [link, wanted] of filters) if (!this.#filters.has(link)) this.#filters.set(link, wanted);
		for (const [link, known] of this.#deliveries) for (const [id, hash] of known) this.#message(0, [link, id, hash]);
		this.#wake();
	}

	/** Write all that is in memory. What fails stays there, and is tried again. */
	async flush(): Promise<void> {
		do {
			const isDone = await (this.#busy ?? this.#send(true));
			if (!isDone) return;
		} while (this.#busy || this.#hasWork(true));
	}

	/** Resolves when nothing is on its way. */
	async settled(): Promise<void> {
		while (this.#busy) await this.#busy;
	}

	/**
	 * Write all that is in memory, and no more.
	 *
	 * @param within A disk that ends no transaction for so long hangs: it is given up.
	 * @returns Is everything on disk?
	 */
	async close(within: Millis): Promise<boolean> {
		this.#isClosed = true;
		const done = new AbortController();
		const flushed = this.flush().then(() => done.abort());
		for (let before = -1; !done.signal.aborted && before < this.transactions;) {
			before = this.transactions;
			await Promise.race([flushed, pause(this.#options.clock, within, done.signal)]);
		}
		done.abort();
		const hung = this.#sealed;
		this.#cancelTick?.();
		this.#cancelFlush?.();
		for (const { reject } of this.#waiters.splice(0)) reject(closed());
		for (const { reject } of [...(hung?.asked ?? []), ...this.#asked.splice(0)]) reject?.(closed());
		return hung === undefined && !this.#hasWork(true);
	}

	#hasWork(isEverything: boolean): boolean {
		return this.#rows.size > 0 || this.#asked.length > 0 || this.#filters.size > 0 || (isEverything ? this.#twins.all : this.#twins.size) > 0;
	}

	/** See to it that what waits is written in time. */
	#wake(): void {
		if (this.#busy || this.#isClosed) return;
		const { clock, tick, isInline } = this.#options;
		// What waits for a disk that takes nothing is tried again once in a while; who asks anew is answered at once.
		const isAsked = this.#fault === undefined ? this.#asked.length > 0 : this.#asked.some(({ reject }) => reject !== undefined);
		const isUrgent = isAsked || (this.#waiters.length > 0 && this.#fault === undefined) || (this.#rows.size >= MOST_ROWS && this.#fault === undefined);
		if (isUrgent && !this.#cancelTick) {
			const wait = isInline ? 0 : Math.min(tick, this.#sentAt + tick - clock.now());
			const send = (): void => {
				this.#cancelTick = undefined;
				if (!this.#busy) void this.#send(false);
			};
			if (isInline) return send();
			if (wait > 0) this.#cancelTick = clock.after(wait, send);
			else {
				const immediate = setImmediate(send); // what else this turn of the loop brings goes along
				this.#cancelTick = () => clearImmediate(immediate);
			}
		}
		if (!this.#cancelFlush && (this.#hasWork(true) || this.#waiters.length > 0)) {
			this.#cancelFlush = clock.after(this.#fault === undefined ? this.#flush : RETRY, () => {
				this.#cancelFlush = undefined;
				if (!this.#busy) void this.#send(false, true);
				else this.#isFlushDue = true;
			});
		}
	}

	/** The flush came while a batch was on its way: twins ride with the next. */
	#isFlushDue = false;

	/** One transaction. @returns Is it on disk? */
	#send(isEverything: boolean, isFlush = isEverything): Promise<boolean> {
		this.#cancelTick?.();
		this.#cancelTick = undefined;
		const { port, clock, book } = this.#options;
		const now = clock.now();
		const taken = this.#rows.take(MOST_ROWS);
		const withTwins = isFlush || this.#isFlushDue;
		this.#isFlushDue = false;
		const { twins, removed } = withTwins ? this.#twins.take(now, isEverything) : { twins: [], removed: [] };
		const asked = this.#asked.splice(0);
		const filters = [...this.#filters];
		this.#filters.clear();
		if (taken.rows.length === 0 && asked.length === 0 && filters.length === 0 && twins.length === 0 && removed.length === 0) {
			this.#wakeForLater();
			return Promise.resolve(true);
		}
		const batch = { rows: columnsOf(taken.rows), series: book.takeUnsaved(), changes: asked.map(({ change }) => change), twins: twins.map(packed), removed, filters };
		this.#sealed = { batch, taken, asked, twins };
		this.#sentAt = now;
		const busy = port.request({ kind: "write", batch, now, aged: this.#options.aged() }).then((answer) => this.#answered(answer, withTwins));
		this.#busy = busy;
		return busy;
	}

	#wakeForLater(): void {
		if (this.#twins.all > 0 || this.#waiters.length > 0) this.#wake();
	}

	#answered(answer: Answer, withTwins: boolean): boolean {
		const sealed = this.#sealed!;
		this.#sealed = undefined;
		this.#busy = undefined;
		if (answer.kind === "written") {
			const { changed, figures, took } = answer.written;
			this.figures = figures;
			this.lastTook = took;
			this.transactions++;
			this.#done(sealed);
			for (const [index, { resolve }] of sealed.asked.entries()) resolve(changed[index] ?? 0);
			// A site of many devices has more twins than fit into one transaction.
			if (withTwins && this.#twins.size > 0) this.#isFlushDue = true;
			if (this.#isFlushDue && this.#hasWork(false)) void this.#send(false, true);
			else this.#wake();
			return true;
		}
		this.#sayLoss(this.#rows.putBack(sealed.taken));
		this.#twins.putBack(sealed.twins, sealed.batch.removed);
		this.#options.book.putBack(sealed.batch.series);
		for (const [link, filters] of sealed.batch.filters) if (!this.#filters.has(link)) this.#filters.set(link, filters);
		if (answer.kind === "fresh") {
			this.#asked = [...sealed.asked, ...this.#asked];
			this.#options.fresh(answer.aside, answer.reason);
			this.#wake();
			return true;
		}
		const { code, reason } = answer.kind === "failed" ? answer : { code: "", reason: `unexpected answer ${answer.kind}` };
		this.#failed(cureFor(code, reason), sealed.asked);
		return false;
	}

	#done({ taken }: Sealed): void {
		if (this.#fault !== undefined) {
			this.#options.log.info({}, "The database can be written again");
			this.#fault = undefined;
			this.#lossIsSaid = false;
		}
		const last = taken.rows.at(-1)?.seq ?? 0;
		for (const { series } of taken.rows) if (series > 0) this.written++;
		let count = 0;
		while (count < this.#waiters.length && this.#waiters[count]!.upTo <= last) count++;
		for (const { delivery, resolve } of this.#waiters.splice(0, count)) {
			if (delivery) this.#delivered(delivery.link).set(delivery.id, delivery.hash);
			resolve();
		}
	}

	#failed(reason: string, asked: readonly Asked[]): void {
		if (this.#fault === undefined) this.#options.log.error({ reason }, `Cannot write to the database: ${reason}`);
		this.#fault = `the database cannot be written: ${reason}`;
		const error = new GatewayError("store-failed", `Cannot write to the database: ${reason}`);
		this.#asked = [...asked.filter(({ reject }) => !reject), ...this.#asked];
		for (const { reject } of asked) reject?.(error);
		this.#cancelFlush?.();
		this.#cancelFlush = undefined;
		this.#wake();
	}

	#sayLoss(lost: number): void {
		if (lost === 0 || this.#lossIsSaid) return;
		this.#lossIsSaid = true;
		this.#options.log.error({ lost: this.#rows.lost }, "Readings are lost that nobody waited for: the database could not be written for too long, and the oldest in memory make room");
	}

	#delivered(link: string): Map<number, string> {
		let known = this.#deliveries.get(link);
		if (!known) this.#deliveries.set(link, (known = new Map()));
		return known;
	}

	#row(entry: Entry): { seq: number; series: number; at: number; received: number; flags: number; value: string } {
		const { reading } = entry;
		this.#twins.journaled(reading);
		return { seq: ++this.#seq, series: this.#options.book.idOf(entry), at: whole(reading.at, reading.received), received: whole(reading.received, 0), flags: flagsOf(reading), value: textOf(reading.value) };
	}

	/** A row about messages: see migrations.ts. */
	#message(series: 0 | -1, facts: readonly unknown[]): void {
		const now = Math.round(this.#options.clock.now());
		this.#rows.await({ seq: ++this.#seq, series, at: now, received: now, flags: 0, value: JSON.stringify(facts) });
	}
}

function closed(): GatewayError {
	return new GatewayError("store-failed", "Cannot write to the database: it is closed");
}
