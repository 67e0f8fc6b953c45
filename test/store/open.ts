// What the tests of the store share.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { Entry } from "../../src/core/journal.js";
import type { Unit } from "../../src/core/unit.js";
import { numericFromText } from "../../src/core/value.js";
import { Store, type StoreOptions } from "../../src/store/store.js";
import { systemClock } from "../../src/system-clock.js";
import { FakeClock } from "../fakes/clock.js";
import { MemoryLog } from "../fakes/log.js";

/** A folder that is gone when the test is. */
export function folderFor(t: TestContext): string {
	const folder = mkdtempSync(join(tmpdir(), "jidway-store-"));
	t.after(() => rmSync(folder, { recursive: true, force: true }));
	return join(folder, "data");
}

/** Both ways to run the same database. In a worker time is real, without one it is the test's. */
export const MODES = [{ thread: false, mode: "without a worker" }, { thread: true, mode: "in a worker" }] as const;

/** A store that is closed when the test ends, if the test has not. */
export async function open(t: TestContext, options: Partial<StoreOptions> & { readonly folder: string }): Promise<Store> {
	const store = await Store.open({ clock: options.thread ? systemClock : new FakeClock(), log: new MemoryLog(), tick: 5, thread: false, ...options });
	t.after(() => store.close());
	return store;
}

/** A reading of point `point` at `at`, received when it was made unless said otherwise. */
export function entry(value: string | boolean, at: number, { point = "t", address = "b1", received = at, unit }: { point?: string; address?: string; received?: number; unit?: Unit } = {}): Entry {
	return { link: "farm", address, reading: { point, value: typeof value === "string" ? numericFromText(value) ?? value : value, at, received, quality: "good" }, ...(unit !== undefined && { unit }) };
}

/** Is it so within some seconds? */
export async function eventually(what: () => boolean, within = 10_000): Promise<void> {
	for (let waited = 0; !what(); waited += 20) {
		if (waited > within) throw new Error(`Cannot wait any longer than ${within} ms for ${what.toString()}`);
		await new Promise((resolve) => setTimeout(resolve, 20));
	}
}
