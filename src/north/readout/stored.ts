// XEP-0323: Internet of Things - Sensor Data, §3.2: historical values; and `h` of the Neuro-Foundation.
// Source: https://xmpp.org/extensions/xep-0323.html
// Version: 0.6 (2017-05-20)
import type { Millis, UnixMillis } from "../../core/clock.js";
import { GatewayError } from "../../core/errors.js";
import type { Bucket, Row, Span } from "../../core/journal.js";
import type { Point } from "../../core/point.js";
import type { Unit } from "../../core/unit.js";
import { isNumeric, type Value } from "../../core/value.js";
import type { Verbs } from "../module.js";
import { FIRST_MOMENT, flagsOf, groupsOf, momentOf, type Planned } from "./answer.js";
import { formatDateTime } from "./datetime.js";
import { Pieces } from "./pieces.js";
import { type Category, type Flag, type Group, type Part, type Period, type ReadoutCodec, type ReadoutRequest, storedWanted } from "./request.js";

/** Stored values that one request gets (S12): some fifteen hundred stanzas. It is told how to go on. */
export const MAX_STORED = 100_000;
/** Rows in memory for one readout: what some four stanzas carry. */
const PAGE = 250;
/** Points of one query. Of so many there are at least two moments on a page of buckets, so that paging goes on. */
const POINTS_AT_ONCE = 200;
const BUCKETS_PAGE = 500;

const SECOND: Millis = 1_000;
const DAY: Millis = 86_400_000;
/** What is asked of the journal; weeks begin on Monday, and months have no width: they are made of days. */
const WIDTH: Readonly<Record<Period, Millis>> = {
	historicalSecond: SECOND, historicalMinute: 60 * SECOND, historicalHour: 3_600 * SECOND, historicalDay: DAY,
	historicalWeek: DAY, historicalMonth: DAY, historicalQuarter: DAY, historicalYear: DAY,
};

type Past = Pick<Verbs, "access" | "clock" | "registry" | "history">;

/** What one value of the past is told with. */
interface Stored {
	readonly value: Value;
	readonly unit: Unit | undefined;
	readonly flags: readonly Flag[];
}

/** The stored values of one moment, by point. */
interface Moment {
	readonly timestamp: string;
	readonly values: ReadonlyMap<string, Stored>;
}

/**
 * The answer with stored values in it, in pieces that fit into a stanza each: device by device, the present before the past.
 *
 * The past is fetched a page at a time, while what came before is sent; what the asker may see is decided anew for each page.
 *
 * @param budget Bytes of each piece, without what stands around its nodes.
 * @param most Stored values in all; beyond them the answer says how to go on.
 */
export async function* partsWithStored(wish: ReadoutRequest, planned: readonly Planned[], who: string, codec: ReadoutCodec, budget: number, most: number, verbs: Past): AsyncGenerator<Part> {
	const pieces = new Pieces(codec, budget);
	const category = storedWanted(wish) ?? "historical";
	let left = most;
	for (const target of planned) {
		const { node, twin: { device: { id: device } } } = target;
		const fail = (text: string): void => void pieces.failures.unshift({ node, device, timestamp: formatDateTime(verbs.clock.now()) ?? FIRST_MOMENT, text });
		const told = new Map<string, string>();
		for (const group of groupsOf(wish, [target], who, verbs, pieces.failures)) {
			for (const { name } of group.fields) told.set(name, group.timestamp);
			yield* pieces.add(group);
		}
		try {
			for await (const moment of moments(wish, category, target, who, verbs)) {
				const group = groupOf(moment, category, target, told);
				left -= group.fields.length;
				if (left < 0) {
					fail(`Cannot send more than ${most} stored values at once: go on with from="${moment.timestamp}"${planned.length > 1 ? ", one node at a time" : ""}`);
					break;
				}
				yield* pieces.add(group);
			}
		} catch (error) {
			if (!(error instanceof GatewayError)) throw error;
			fail(error.message);
			break; // the next device would fail alike
		}
		if (left < 0) break;
	}
	yield* pieces.end();
}

/** A value that was told as present is not told again: (node, field, timestamp) is the key of a field. */
function groupOf({ timestamp, values }: Moment, category: Category, { twin: { device }, node }: Planned, told: ReadonlyMap<string, string>): Group {
	return {
		node, device: device.id, timestamp,
		fields: [...values].filter(([name]) => told.get(name) !== timestamp).flatMap(([name, { value, unit, flags }]) => {
			const point = device.points[name];
			return point ? [{ name, value, point: pointOf(point, value, unit), category, flags, writable: false }] : [];
		}),
	};
}

/** The point as it was: its unit may be another one today. */
function pointOf(point: Point, value: Value, unit: Unit | undefined): Point {
	return isNumeric(value) ? { kind: "numeric", access: "r", ...(unit !== undefined && { unit }) } : point;
}

async function* moments(wish: ReadoutRequest, category: "historical" | Period, { twin, names }: Planned, who: string, verbs: Past): AsyncGenerator<Moment> {
	/** What of the device he may see now; nothing when it is gone. */
	const readable = (): ReadonlySet<string> => {
		const { id, points } = twin.device;
		return new Set(verbs.registry.find(id) === twin ? verbs.access.readable(who, id, points) : []);
	};
	const wanted = [...readable()].filter((name) => names === undefined || names.includes(name));
	const { link, source: { address } } = twin.device;
	for (let first = 0; first < wanted.length; first += POINTS_AT_ONCE) {
		const span: Span = {
			place: { link, address }, points: wanted.slice(first, first + POINTS_AT_ONCE),
			...(wish.from !== undefined && { from: wish.from }),
			// Both ends belong to the window: IoTGateway keeps what is in [from, to].
			...(wish.to !== undefined && { to: wish.to + 1 }),
		};
		yield* category === "historical" ? each(span, readable, verbs) : ofPeriod(category, span, readable, verbs);
	}
}

/** Every stored value. Of several of one point and one moment the last that came: one key, one field. */
async function* each(span: Span, readable: () => ReadonlySet<string>, { history }: Past): AsyncGenerator<Moment> {
	let after: string | undefined;
	let timestamp = "";
	let values = new Map<string, Stored>();
	for (;;) {
		const rows: readonly Row[] = await history.rows(span, PAGE, after);
		const visible = readable();
		if (visible.size === 0) return;
		for (const name of values.keys()) if (!visible.has(name)) values.delete(name);
		for (const { reading, unit } of rows) {
			const at = momentOf(reading);
			if (at !== timestamp) {
				if (values.size > 0) yield { timestamp, values };
				timestamp = at;
				values = new Map();
			}
			if (visible.has(reading.point)) values.set(reading.point, { value: reading.value, unit, flags: flagsOf(reading) });
		}
		if (rows.length < PAGE) break;
		after = rows.at(-1)!.cursor;
	}
	if (values.size > 0) yield { timestamp, values };
}

/**
 * Of each period that has ended, and in which there was a value, the last one, with its own time: what a meter reader finds at
 * the end of the month.
 */
async function* ofPeriod(period: Period, span: Span, readable: () => ReadonlySet<string>, { history, clock }: Past): AsyncGenerator<Moment> {
	const until = Math.min((span.to ?? Infinity) - 1, clock.now());
	let from = span.from;
	let end = -Infinity;
	/** Of the period that ends at `end`, by point. */
	let lasts = new Map<string, Bucket>();
	for (;;) {
		const buckets: readonly Bucket[] = await history.buckets({ ...span, ...(from !== undefined && { from }) }, WIDTH[period], BUCKETS_PAGE);
		const last = buckets.at(-1);
		const visible = readable();
		if (visible.size === 0) return;
		for (const name of lasts.keys()) if (!visible.has(name)) lasts.delete(name);
		const isMore = buckets.length === BUCKETS_PAGE && last !== undefined && buckets[0]!.at < last.at;
		for (const bucket of buckets) {
			if (isMore && bucket.at === last.at) break; // its other points may be on the next page
			const its = endOf(period, bucket.at);
			if (its > until) break;
			if (its !== end) {
				yield* byMoment(lasts);
				end = its;
				lasts = new Map();
			}
			if (visible.has(bucket.point)) lasts.set(bucket.point, bucket);
		}
		if (!isMore || endOf(period, last.at) > until) break;
		from = last.at;
	}
	yield* byMoment(lasts);
}

/** Values by their own time, which lies in their period: no point has one time twice. A time that no calendar has is left out, since two such would be one. */
function byMoment(lasts: ReadonlyMap<string, Bucket>): Iterable<Moment> {
	const found = new Map<string, Map<string, Stored>>();
	for (const { point, unit, last, lastAt } of [...lasts.values()].sort((a, b) => a.lastAt - b.lastAt)) {
		const timestamp = formatDateTime(lastAt);
		if (timestamp === undefined) continue;
		const values = found.get(timestamp) ?? new Map<string, Stored>();
		found.set(timestamp, values.set(point, { value: last, unit, flags: ["automaticReadout"] }));
	}
	return [...found].map(([timestamp, values]) => ({ timestamp, values }));
}

/** When the period ends that `at` is in, in UTC. */
function endOf(period: Period, at: UnixMillis): UnixMillis {
	const date = new Date(at);
	const [year, month] = [date.getUTCFullYear(), date.getUTCMonth()];
	const next = (): UnixMillis => Math.floor(at / WIDTH[period]) * WIDTH[period] + WIDTH[period];
	switch (period) {
		case "historicalSecond": case "historicalMinute": case "historicalHour": case "historicalDay": return next();
		case "historicalWeek": return next() + ((7 - date.getUTCDay()) % 7) * DAY; // the end of its Sunday
		case "historicalMonth": return Date.UTC(year, month + 1, 1);
		case "historicalQuarter": return Date.UTC(year, month - (month % 3) + 3, 1);
		case "historicalYear": return Date.UTC(year + 1, 0, 1);
	}
}
