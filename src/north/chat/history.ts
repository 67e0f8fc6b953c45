// What a device was like, for people: `history POINT [24h]`. Few readings are told one by one, many as steps.
import { deadline, type Millis, type UnixMillis } from "../../core/clock.js";
import { parseDuration } from "../../core/duration.js";
import { GatewayError } from "../../core/errors.js";
import type { Bucket, Extent, Row, Span } from "../../core/journal.js";
import type { Point } from "../../core/point.js";
import type { Twin } from "../../core/twin.js";
import { isNumeric, sameValue, textOf, type Value } from "../../core/value.js";
import type { Verbs } from "../module.js";
import { bounded, valueText } from "./texts.js";

/** So many readings are told one by one. */
const MAX_ROWS = 40;
/** So many steps stand on a phone's screen. */
const MAX_STEPS = 24;
/** Of a point that has no numbers its changes are told; of more readings than that the last of each step. */
const MAX_SCANNED = 100_000;
const PAGE = 1_000;
const DEFAULT_SPAN: Millis = 24 * 3_600_000;
/** Whoever asked has gone for a coffee. */
const ANSWER_WITHIN: Millis = 120_000;

const MINUTE: Millis = 60_000;
const HOUR: Millis = 60 * MINUTE;
const DAY: Millis = 24 * HOUR;
/** Widths of steps that people count in. */
const WIDTHS: readonly Millis[] = [1_000, 5_000, 10_000, 30_000, ...[1, 2, 5, 10, 15, 30].map((n) => n * MINUTE), ...[1, 2, 3, 6, 12].map((n) => n * HOUR), ...[1, 2, 7, 14, 30, 90, 365].map((n) => n * DAY)];
const BARS = "▁▂▃▄▅▆▇█";

/** Histories that are read for one person at the same time: he reads one after the other. */
const MAX_OF_ONE = 2;
/** And for everybody: the journal answers one question after the other, and what is in its queue holds up letters. */
const MAX_AT_ONCE = 16;

/** Who has the journal read. A question counts until the journal has really ended it, whatever was told meanwhile. */
export class HistoryTurns {
	readonly #open = new Map<string, number>();
	#all = 0;

	/**
	 * Begin one, and give what ends it.
	 *
	 * @param who Bare JID.
	 * @throws {GatewayError} `busy`.
	 */
	begin(who: string): () => void {
		const own = this.#open.get(who) ?? 0;
		if (own >= MAX_OF_ONE) throw new GatewayError("busy", `Cannot read a history now: ${MAX_OF_ONE} of yours are being read; wait for their answers`);
		if (this.#all >= MAX_AT_ONCE) throw new GatewayError("busy", `Cannot read a history now: ${MAX_AT_ONCE} are being read for others; try again in a minute`);
		this.#open.set(who, own + 1);
		this.#all++;
		return () => {
			this.#all--;
			const left = this.#open.get(who)! - 1;
			if (left === 0) this.#open.delete(who);
			else this.#open.set(who, left);
		};
	}
}

/** For whom the journal is read. */
export interface Asker {
	/** Bare JID. */
	readonly who: string;
	readonly histories: HistoryTurns;
}

/** What is said while the journal is read, and then. */
export interface Told {
	/** What is under way, as far as it is known by now. */
	readonly text: string;
	/** Never rejects. */
	readonly ending: Promise<string>;
}

/**
 * The history of one point.
 *
 * @param typed What stands behind the point's name: a length of time, or nothing.
 * @throws {GatewayError} `bad-request`, `busy`.
 */
export function pointHistory(verbs: Verbs, twin: Twin, name: string, asker: Asker, typed: string): Told {
	const span = typed === "" ? DEFAULT_SPAN : parseDuration(typed.replace(/^(?:for|of|since|last)\s+(?:the\s+)?(?:last\s+)?/i, ""));
	if (span === undefined || span <= 0) throw new GatewayError("bad-request", `Cannot read "${typed.slice(0, 60)}": write how far back, such as "history ${name} 24h" or "history ${name} 7d"`);
	return asked(verbs, asker, `reading the history of ${name} …`, async (say, signal) => {
		const { link, source: { address } } = twin.device;
		const now = verbs.clock.now();
		const all: Span = { place: { link, address }, points: [name] };
		const wanted: Span = { ...all, from: now - span, to: now + 1 };
		const found = await verbs.history.extent(wanted);
		signal.throwIfAborted();
		const head = `${name} of ${twin.device.name}, last ${spanText(span)}`;
		let lines: readonly string[];
		if (found.rows === 0 || found.first === undefined || found.last === undefined) {
			const whole = await verbs.history.extent(all);
			lines = [`${head}: nothing. ${whole.rows === 0 ? "Nothing of it is stored yet" : `There are ${grouped(whole.rows)} readings of it, ${reach(whole)}`}`];
		} else {
			say(`reading ${grouped(found.rows)} values of ${name} …`);
			lines = found.rows <= MAX_ROWS ? rowLines(head, span, await verbs.history.rows(wanted, MAX_ROWS)) : await manyLines({ verbs, signal }, head, span, { ...wanted, from: found.first }, { ...found, first: found.first, last: found.last });
		}
		// The journal took its time, and rights may have changed.
		if (verbs.registry.find(twin.device.id) !== twin || !verbs.access.mayRead(asker.who, twin.device.id, name)) return `Cannot read "${name}": no such point`;
		return lines.join("\n");
	});
}

/** What the journal has of each point that he may read. @throws {GatewayError} `busy`. */
export function historyOverview(verbs: Verbs, twin: Twin, asker: Asker): Told {
	const { id, link, points, source: { address } } = twin.device;
	const names = verbs.access.readable(asker.who, id, points);
	return asked(verbs, asker, "looking through the journal …", async (_, signal) => {
		const found: [name: string, extent: Extent][] = [];
		for (const name of names.slice(0, MAX_ROWS)) {
			found.push([name, await verbs.history.extent({ place: { link, address }, points: [name] })]);
			signal.throwIfAborted();
		}
		// The journal took its time, and rights may have changed.
		const isTheSame = verbs.registry.find(id) === twin;
		const lines = found.filter(([name, { rows }]) => rows > 0 && isTheSame && verbs.access.mayRead(asker.who, id, name)).map(([name, extent]) => `${name}: ${grouped(extent.rows)} ${extent.rows === 1 ? "reading" : "readings"}, ${reach(extent)}`);
		if (lines.length === 0) return `Nothing of ${twin.device.name} is stored yet`;
		return bounded([`Stored of ${twin.device.name}; "history POINT 24h" shows it:`, ...lines, ...(names.length > MAX_ROWS ? [`… and ${names.length - MAX_ROWS} more points`] : [])]);
	});
}

/** Where the journal is read, and until when. */
interface Reading {
	readonly verbs: Verbs;
	readonly signal: AbortSignal;
}

/** @param find Looks at the signal between two questions: when it has aborted, nobody waits for the answer any more. @throws {GatewayError} `busy`. */
function asked(verbs: Verbs, { who, histories }: Asker, first: string, find: (say: (text: string) => void, signal: AbortSignal) => Promise<string>): Told {
	const ended = histories.begin(who);
	let text = first;
	const { signal, dispose } = deadline(verbs.clock, ANSWER_WITHIN);
	const late = new Promise<string>((resolve) => signal.addEventListener("abort", () => resolve(`That takes longer than ${ANSWER_WITHIN / 1_000} s: ask for a shorter time`), { once: true }));
	const answer = find((progress) => (text = progress), signal).catch((error: unknown) => {
		if (signal.aborted) return late;
		if (error instanceof GatewayError) return error.message;
		verbs.log.error({ err: error }, "A history failed for a reason of ours");
		return "Cannot read the history: the gateway failed; its log says more";
	}).finally(ended);
	return {
		get text() {
			return text;
		},
		ending: Promise.race([answer, late]).finally(dispose),
	};
}

function rowLines(head: string, span: Millis, rows: readonly Row[]): string[] {
	const numbers = rows.map(({ reading: { value } }) => (isNumeric(value) ? value.number : undefined));
	return [
		`${head}: ${rows.length} ${rows.length === 1 ? "reading" : "readings"}, times in UTC`,
		...sparkline(numbers),
		...rows.map(({ reading, unit }) => `${clock(reading.at, span, 1_000)}  ${shown(reading.value, unit)}${reading.ageUnknown ? " (age unknown)" : ""}${reading.quality === "error" ? " (marked faulty by the device)" : ""}`),
	];
}

async function manyLines({ verbs, signal }: Reading, head: string, span: Millis, wanted: Span, { rows, first, last }: Extent & { readonly first: UnixMillis; readonly last: UnixMillis }): Promise<string[]> {
	const width = WIDTHS.find((each) => Math.floor(last / each) - Math.floor(first / each) < MAX_STEPS) ?? Math.ceil((last - first + 1) / (MAX_STEPS - 1));
	const buckets = await verbs.history.buckets(wanted, width, MAX_STEPS + 1);
	signal.throwIfAborted();
	const what = `${head}: ${grouped(rows)} readings`;
	if (buckets.every(({ numbers }) => numbers === undefined) && rows <= MAX_SCANNED) return changeLines({ verbs, signal }, what, span, wanted);
	const steps: (number | undefined)[] = [];
	const begin = Math.floor(first / width);
	for (const { at, numbers } of buckets) if (numbers && isNumeric(numbers.mean)) steps[at / width - begin] = numbers.mean.number;
	return [
		`${what}, min · mean · max in steps of ${spanText(width)}, times in UTC`,
		...sparkline(Array.from({ length: Math.min(steps.length, MAX_STEPS + 1) }, (_, step) => steps[step])),
		...buckets.map((bucket) => `${clock(bucket.at, span, width)}  ${bucketText(bucket)}`),
	];
}

function bucketText({ numbers, last, unit, count }: Bucket): string {
	if (!numbers) return `${shown(last, unit)} (the last of ${grouped(count)})`;
	return `${textOf(numbers.min)} · ${textOf(numbers.mean)} · ${textOf(numbers.max)}${unit === undefined ? "" : ` ${unit}`}`;
}

/** Of what has no numbers, what it became and when; the newest when there are many. */
async function changeLines({ verbs, signal }: Reading, what: string, span: Millis, wanted: Span): Promise<string[]> {
	const lines: string[] = [];
	let count = 0;
	let before: Value | undefined;
	let after: string | undefined;
	for (;;) {
		const rows: readonly Row[] = await verbs.history.rows(wanted, PAGE, after);
		signal.throwIfAborted();
		for (const { reading: { value, at }, unit } of rows) {
			if (before !== undefined && sameValue(before, value)) continue;
			if (before !== undefined) count++;
			before = value;
			lines.push(`${clock(at, span, 1_000)}  ${shown(value, unit)}`);
			if (lines.length > MAX_ROWS) lines.shift();
		}
		if (rows.length < PAGE) break;
		after = rows.at(-1)!.cursor;
	}
	return [`${what}, ${grouped(count)} ${count === 1 ? "change" : "changes"}${count + 1 > lines.length ? `, the last ${lines.length}` : ""}, times in UTC`, ...lines];
}

/** Nothing for less than three numbers: that is no shape. A gap is a gap. */
function sparkline(numbers: readonly (number | undefined)[]): string[] {
	const known = numbers.filter((number) => number !== undefined);
	if (known.length < 3) return [];
	const [min, max] = [Math.min(...known), Math.max(...known)];
	return [numbers.map((number) => (number === undefined ? "·" : max === min ? BARS[3]! : BARS[Math.min(7, Math.floor(((number - min) / (max - min)) * 8))]!)).join("")];
}

function shown(value: Value, unit: Bucket["unit"]): string {
	const point: Point = isNumeric(value) ? { kind: "numeric", access: "r", ...(unit !== undefined && { unit }) } : typeof value === "boolean" ? { kind: "boolean", access: "r" } : { kind: "text", access: "r" };
	const text = valueText(point, value);
	return text.length <= 200 ? text : `${[...text.slice(0, 200)].slice(0, 100).join("")}…`;
}

/** The date where the clock alone does not say which day. */
function clock(at: UnixMillis, span: Millis, width: Millis): string {
	const text = isoOf(at);
	const time = width % MINUTE === 0 ? text.slice(11, 16) : text.slice(11, 19);
	if (span <= DAY) return time;
	return width % DAY === 0 ? text.slice(0, 10) : `${text.slice(0, 10)} ${time}`;
}

/** A source may state a time that no calendar has. */
function isoOf(at: UnixMillis): string {
	const date = new Date(at);
	return Number.isNaN(date.getTime()) || date.getUTCFullYear() > 9_999 || date.getUTCFullYear() < 0 ? "????-??-??T??:??:??Z" : date.toISOString();
}

function reach({ first = 0, last = 0 }: Extent): string {
	const [from, to] = [first, last].map((at) => isoOf(at).slice(0, 16).replace("T", " "));
	return `from ${from} to ${to} UTC`;
}

/** `24 h`, `7 d`, `90 s`: as it was asked for. */
function spanText(span: Millis): string {
	for (const [unit, name] of [[DAY, "d"], [HOUR, "h"], [MINUTE, "min"], [1_000, "s"]] as const) {
		if (span % unit === 0 && (unit !== DAY || span > DAY)) return `${span / unit} ${name}`;
	}
	return `${span / 1_000} s`;
}

/** `1 200 000` */
function grouped(count: number): string {
	return String(count).replace(/\B(?=(\d{3})+$)/g, "\u00a0");
}
