// Bytes that the store writes to disk in a day, extrapolated from a short run: /proc/self/io counts what goes to the block layer.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { numericFromText } from "../../src/core/value.js";
import { Store } from "../../src/store/store.js";
import { FakeClock } from "../fakes/clock.js";

const log = { debug: () => undefined, info: () => undefined, warn: console.warn, error: console.error };
// Beside the sources: a folder for temporary files may be in memory, where nothing is written.
const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const written = (): number => Number(/^write_bytes: (\d+)/m.exec(readFileSync("/proc/self/io", "utf8"))?.[1] ?? 0);

for (const { rate, isAwaited, seconds } of [{ rate: 1, isAwaited: false, seconds: 3_600 }, { rate: 1, isAwaited: true, seconds: 3_600 }, { rate: 100, isAwaited: false, seconds: 600 }, { rate: 100, isAwaited: true, seconds: 120 }]) {
	const folder = mkdtempSync(join(ROOT, ".bench-"));
	try {
		const clock = new FakeClock();
		const store = await Store.open({ folder, clock, log, thread: false });
		const before = written();
		let count = 0;
		for (let tick = 0; tick < seconds * Math.min(rate, 50); tick++) {
			// At 100 readings a second, a tick of 20 ms has two of them.
			const entries = Array.from({ length: Math.max(1, rate / 50) }, () => {
				const now = clock.now();
				return { link: "farm", address: `d${count++ % 100}`, unit: "°C" as const, reading: { point: "temperature", value: numericFromText((20 + (count % 500) / 100).toFixed(2))!, at: now, received: now, quality: "good" as const } };
			});
			if (isAwaited) {
				await store.append(entries, { link: "farm", id: count % 65_535, hash: "0123456789abcdef" });
				store.release("farm", [count % 65_535]);
			} else store.note(entries);
			const next = 1_000 / Math.min(rate, 50);
			if (isAwaited) clock.jump(next);
			else await clock.advance(next);
		}
		await store.close();
		const bytes = written() - before;
		console.log(`${rate} readings/s ${isAwaited ? "acknowledged" : "nobody waits for"}: ${(bytes / count).toFixed(0)} bytes a reading, ${((bytes / seconds) * 86_400 / 1e6).toFixed(0)} MB a day`);
	} finally {
		rmSync(folder, { recursive: true, force: true });
	}
}
