// The past as the command line asks for it: streams, a page of the journal at a time, at the pace of whoever reads.
import type { Millis, UnixMillis } from "./core/clock.js";
import type { History, Row, Span } from "./core/journal.js";
import type { Quality } from "./core/reading.js";
import type { Registry } from "./core/registry.js";
import type { Twin } from "./core/twin.js";
import { isNumeric, textOf, type Value } from "./core/value.js";
import { deviceNamed, pointNamed } from "./local-names.js";
import type { ControlRequest } from "./web/control-socket.js";

/** What keeps the past. */
export interface Past extends History {
	/** Write all that is kept into one new file. @throws {GatewayError} `store-failed`. */
	backup(file: string): Promise<void>;
}

/** A stored reading. */
export interface PastRow {
	readonly point: string;
	readonly at: UnixMillis;
	readonly received: UnixMillis;
	/** The device's digits. */
	readonly value: string;
	readonly kind: "numeric" | "boolean" | "text";
	readonly unit?: string;
	readonly quality: Quality;
	readonly ageUnknown?: true;
}

/** The stored readings of one point in one stretch of time. */
export interface PastBucket {
	readonly at: UnixMillis;
	readonly count: number;
	/** Of the numbers; nothing where there are none. */
	readonly min?: string;
	readonly mean?: string;
	readonly max?: string;
	readonly last: string;
	readonly unit?: string;
}

/** What an export is made of: a device, and then its readings, oldest first. */
export type ExportItem = { readonly device: string; readonly jid: string } | PastRow;

/** Text for what comes; `end` is what stands behind the last. */
export interface ExportWriter {
	readonly begin: string;
	item(item: ExportItem): string;
	readonly end: string;
}

/** Rows in memory for one reader. */
const PAGE = 500;

/** Every row, or the buckets, of one point. @throws {GatewayError} `unknown-device`, `unknown-point`, `store-failed`. */
export function pastOf(history: History, registry: Registry, { device, point, bucket, ...window }: Extract<ControlRequest, { readonly ask: "history" }>): AsyncGenerator<PastRow | PastBucket> {
	const twin = deviceNamed(registry, device);
	const span = spanOf(twin, [pointNamed(twin, point)[0]], window);
	return bucket === undefined ? rowsOf(history, span) : bucketsOf(history, span, bucket);
}

/** Everything of every device, of one, or of one point of it. @throws {GatewayError} */
export async function* exportOf(history: History, registry: Registry, jidOf: (id: string) => string, { device, point, ...window }: Extract<ControlRequest, { readonly ask: "export" }>): AsyncGenerator<ExportItem> {
	const twins = device === undefined ? [...registry.all()].sort((a, b) => (a.device.id < b.device.id ? -1 : 1)) : [deviceNamed(registry, device)];
	for (const twin of twins) {
		const points = point === undefined ? Object.keys(twin.device.points) : [pointNamed(twin, point)[0]];
		if (points.length === 0) continue;
		yield { device: twin.device.id, jid: jidOf(twin.device.id) };
		yield* rowsOf(history, spanOf(twin, points, window));
	}
}

function spanOf({ device: { link, source: { address } } }: Twin, points: readonly string[], { from, to }: { readonly from?: UnixMillis; readonly to?: UnixMillis }): Span {
	return { place: { link, address }, points, ...(from !== undefined && { from }), ...(to !== undefined && { to }) };
}

async function* rowsOf(history: History, span: Span): AsyncGenerator<PastRow> {
	let after: string | undefined;
	for (;;) {
		const rows: readonly Row[] = await history.rows(span, PAGE, after);
		for (const { reading: { point, at, received, value, quality, ageUnknown }, unit } of rows) {
			yield { point, at, received, value: textOf(value), kind: kindOf(value), quality, ...(unit !== undefined && { unit }), ...(ageUnknown && { ageUnknown }) };
		}
		if (rows.length < PAGE) return;
		after = rows.at(-1)!.cursor;
	}
}

async function* bucketsOf(history: History, span: Span, width: Millis): AsyncGenerator<PastBucket> {
	let from = span.from;
	for (;;) {
		const buckets = await history.buckets({ ...span, ...(from !== undefined && { from }) }, width, PAGE);
		for (const { at, count, numbers, last, unit } of buckets) {
			yield { at, count, last: textOf(last), ...(numbers && { min: textOf(numbers.min), mean: textOf(numbers.mean), max: textOf(numbers.max) }), ...(unit !== undefined && { unit }) };
		}
		if (buckets.length < PAGE) return;
		from = buckets.at(-1)!.at + width; // one point has one bucket at a time
	}
}

function kindOf(value: Value): PastRow["kind"] {
	if (isNumeric(value)) return "numeric";
	return typeof value === "boolean" ? "boolean" : "text";
}
