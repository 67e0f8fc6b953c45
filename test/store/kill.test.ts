import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { isNumeric, textOf } from "../../src/core/value.js";
import type { Store } from "../../src/store/store.js";
import { folderFor, open } from "./open.js";

const ROUNDS = process.env["LONG"] === "1" ? 200 : 20;
const APPENDER = fileURLToPath(new URL("./appender.ts", import.meta.url));

test(`what was said to be on disk is there once after kill -9, ${ROUNDS} times`, { timeout: 390_000 }, async (t) => {
	const folder = folderFor(t);
	const said = new Set<number>();
	let next = 1;
	let seed = 20_260_101;
	const random = (): number => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647;
	for (let round = 0; round < ROUNDS; round++) {
		for (const number of await killed(folder, next, 5 + random() * 150)) said.add(number);
		const store = await open(t, { folder, keep: 1e14, thread: false });
		const found = await all(store, "t");
		assert.equal(new Set(found).size, found.length, `twice in round ${round}`);
		const kept = new Set(found);
		assert.deepEqual([...said].filter((number) => !kept.has(number)), [], `missing in round ${round}`);
		// Each message that was taken is known, unless it was let go of.
		const delivered = new Set(store.delivered("farm").map(({ hash }) => Number(hash)));
		assert.deepEqual([...said].slice(-50).filter((number) => !delivered.has(number)), [], `message forgotten in round ${round}`);
		next = Math.max(next, ...found.slice(-100)) + 1;
		await store.close();
	}
	assert.ok(said.size > ROUNDS * 10, `only ${said.size} readings`);
});

/** Start the appender, kill it `after` ms after its first word, and give what it said. */
async function killed(folder: string, first: number, after: number): Promise<number[]> {
	const child = spawn(process.execPath, ["--import", "tsx", APPENDER, folder, String(first)], { stdio: ["ignore", "pipe", "inherit"] });
	let text = "";
	child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
		if (text === "") setTimeout(() => child.kill("SIGKILL"), after);
		text += chunk;
	});
	await new Promise((resolve) => child.once("close", resolve));
	return text.slice(0, text.lastIndexOf("\n") + 1).split("\n").filter((line) => line !== "").map(Number);
}

async function all(store: Store, point: string): Promise<number[]> {
	const found: number[] = [];
	for (let after: string | undefined; ;) {
		const page = await store.rows({ place: { link: "farm", address: "b1" }, points: [point] }, 1_000, after);
		for (const { reading: { value } } of page) found.push(isNumeric(value) ? value.number : Number(textOf(value)));
		if (page.length < 1_000) return found;
		after = page.at(-1)!.cursor;
	}
}
