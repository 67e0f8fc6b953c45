// A journal of a million readings: how fast it is filled and paged through, what opening it costs beside an empty one, that paging does not grow, and what it
// means for who writes at the same time. Goals: opened within 0.3 s more than an empty one, 100 000 rows/s of one point, 50 000 of twenty, appends within 50 ms.
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Span } from "../../src/core/journal.js";
import { numericFromText } from "../../src/core/value.js";
import { Store } from "../../src/store/store.js";
import { systemClock } from "../../src/system-clock.js";

const ALL = 1_000_000, BATCH = 5_000, PAGE = 1_000;
const log = { debug: () => undefined, info: () => undefined, warn: console.warn, error: console.error };
const folder = mkdtempSync(join(tmpdir(), "jidway-bench-"));
const optionsFor = (name: string) => ({ folder: join(folder, name), clock: systemClock, log });
const twenty = Array.from({ length: 20 }, (_, each) => `t${each}`);
const spans: readonly (readonly [string, Span])[] = [["one point", { place: { link: "farm", address: "one" }, points: ["t0"] }], ["20 points", { place: { link: "farm", address: "twenty" }, points: twenty }]];
const numeric = numericFromText("21.50")!;
const began = Date.now() - ALL;
const reading = (point: string, at: number) => ({ point, value: numeric, at, received: at, quality: "good" as const });
const say = (what: string, figure: string): void => console.log(`${what.padEnd(28)} ${figure}`);
const perSecond = (count: number, ms: number): string => `${Math.round((count * 1_000) / ms)}/s`;
const megabytes = (bytes: number): string => `${Math.round(bytes / 1e6)} MB`;

async function fill(): Promise<void> {
	const store = await Store.open(optionsFor("full"));
	const since = performance.now();
	for (let first = 0; first < ALL; first += BATCH) {
		await store.append(Array.from({ length: BATCH }, (_, each) => ({
			link: "farm", address: each % 2 === 0 ? "one" : "twenty", reading: reading(each % 2 === 0 ? "t0" : twenty[(each >> 1) % 20]!, began + first + each),
		})));
	}
	const took = performance.now() - since;
	await store.close();
	say("filled", `${perSecond(ALL, took)}, ${megabytes(statSync(join(folder, "full", "jidway.sqlite")).size)}`);
}

/** @returns The least of some times, in ms: what it costs without what else the machine does. */
async function openingOf(name: string): Promise<number> {
	let least = Infinity;
	for (let round = 0; round < 3; round++) {
		const since = performance.now();
		const store = await Store.open(optionsFor(name));
		least = Math.min(least, performance.now() - since);
		await store.close();
	}
	return least;
}

async function page(store: Store, what: string, span: Span): Promise<number> {
	globalThis.gc?.();
	const before = process.memoryUsage.rss();
	let peak = before, count = 0, slowest = 0;
	let isDone = false;
	// Somebody who writes meanwhile, a reading every 20 ms.
	const writing = (async () => {
		for (let each = 0; !isDone; each++) {
			const since = performance.now();
			await store.append([{ link: "farm", address: "other", reading: reading("t0", began + each) }]);
			slowest = Math.max(slowest, performance.now() - since);
			await sleep(20);
		}
	})();
	const since = performance.now();
	for (let after: string | undefined; ;) {
		const rows = await store.rows(span, PAGE, after);
		count += rows.length;
		peak = Math.max(peak, process.memoryUsage.rss());
		if (rows.length < PAGE) break;
		after = rows.at(-1)!.cursor;
	}
	const took = performance.now() - since;
	isDone = true;
	await writing;
	say(`paged through ${what}`, `${count} rows, ${perSecond(count, took)}; RSS ${megabytes(before)}, at most ${megabytes(peak)}; slowest append meanwhile ${slowest.toFixed(0)} ms`);
	return count;
}

try {
	await fill();
	await (await Store.open(optionsFor("empty"))).close();
	const [empty, full] = [await openingOf("empty"), await openingOf("full")];
	say("opened", `in ${full.toFixed(0)} ms, an empty one in ${empty.toFixed(0)} ms: ${(full - empty).toFixed(0)} ms more`);
	const store = await Store.open(optionsFor("full"));
	let count = 0;
	for (const [what, span] of spans) count += await page(store, what, span);
	for (const [what, span] of spans) {
		const since = performance.now();
		const buckets = await store.buckets(span, 100_000, PAGE);
		say(`summed up ${what}`, `into ${buckets.length} buckets in ${(performance.now() - since).toFixed(0)} ms`);
	}
	await store.close();
	if (count !== ALL) throw new Error(`found ${count} rows, wanted ${ALL}`);
} finally {
	rmSync(folder, { recursive: true, force: true });
}
