// A journal of a million readings: how fast it is filled and paged through, what opening it costs, and that paging does not grow.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { numericFromText } from "../../src/core/value.js";
import { Store } from "../../src/store/store.js";
import { systemClock } from "../../src/system-clock.js";

const ALL = 1_000_000, BATCH = 5_000;
const log = { debug: () => undefined, info: () => undefined, warn: console.warn, error: console.error };
const folder = mkdtempSync(join(tmpdir(), "jidway-bench-"));
const options = { folder, clock: systemClock, log };
const span = { place: { link: "farm", address: "b1" }, points: ["t0", "t1", "t2", "t3"] };
try {
	const empty = performance.now();
	let store = await Store.open(options);
	const openedEmpty = performance.now() - empty;
	const filling = performance.now();
	const began = Date.now() - ALL;
	for (let first = 0; first < ALL; first += BATCH) {
		await store.append(Array.from({ length: BATCH }, (_, each) => ({ link: "farm", address: "b1", reading: { point: `t${each % 4}`, value: numericFromText("21.50")!, at: began + first + each, received: began + first + each, quality: "good" as const } })));
	}
	console.log(`filled: ${(ALL / ((performance.now() - filling) / 1_000)).toFixed(0)} readings/s, ${(store.counters().walBytes / ALL).toFixed(0)} bytes of log a reading`);
	await store.close();
	const full = performance.now();
	store = await Store.open(options);
	const openedFull = performance.now() - full;
	console.log(`opened in ${openedFull.toFixed(0)} ms, an empty one in ${openedEmpty.toFixed(0)} ms: ratio ${(openedFull / openedEmpty).toFixed(1)}`);
	globalThis.gc?.();
	const before = process.memoryUsage.rss();
	let peak = before, count = 0;
	const paging = performance.now();
	for (let after: string | undefined; ;) {
		const page = await store.rows(span, 1_000, after);
		count += page.length;
		peak = Math.max(peak, process.memoryUsage.rss());
		if (page.length < 1_000) break;
		after = page.at(-1)!.cursor;
	}
	console.log(`paged: ${count} rows, ${(count / ((performance.now() - paging) / 1_000)).toFixed(0)} rows/s, RSS ${(before / 1e6).toFixed(0)} MB, at most ${(peak / 1e6).toFixed(0)} MB`);
	const summing = performance.now();
	const buckets = await store.buckets(span, 100_000, 1_000);
	console.log(`summed up into ${buckets.length} buckets in ${(performance.now() - summing).toFixed(0)} ms`);
	await store.close();
	if (count !== ALL) process.exitCode = 1;
} finally {
	rmSync(folder, { recursive: true, force: true });
}
