import assert from "node:assert/strict";
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { isNumeric, textOf } from "../../src/core/value.js";
import type { Store } from "../../src/store/store.js";
import { folderFor, open } from "./open.js";

const ROUNDS = process.env["LONG"] === "1" ? 200 : 12;
const root = fileURLToPath(new URL("../../", import.meta.url));

test(`what was said to be on disk is there once after kill -9, ${ROUNDS} times`, { timeout: 390_000 }, async (t) => {
	const appender = await compiled(t);
	const folder = folderFor(t);
	const said = new Set<number>();
	let next = 1;
	let child = spawned(appender, folder);
	t.after(() => child.kill("SIGKILL"));
	let seed = 20_260_101;
	const random = (): number => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647;
	for (let round = 0; round < ROUNDS; round++) {
		const dying = child;
		child = spawned(appender, folder); // it starts up while this one lives
		for (const number of await killed(dying, next, 5 + random() * 150)) said.add(number);
		const store = await open(t, { folder, keep: 1e14, thread: false });
		let newest = 0;
		for (const point of ["t", "noted"]) {
			const found = await all(store, point);
			const kept = new Set(found);
			assert.equal(kept.size, found.length, `twice in round ${round}: ${point}`);
			assert.deepEqual([...said].filter((number) => !kept.has(number)), [], `missing in round ${round}: ${point}`);
			newest = Math.max(newest, ...found.slice(-100));
		}
		// Each message that was taken is known, unless it was let go of.
		const delivered = new Set(store.delivered("farm").map(({ hash }) => Number(hash)));
		assert.deepEqual([...said].slice(-50).filter((number) => !delivered.has(number)), [], `message forgotten in round ${round}`);
		next = Math.max(next, newest) + 1;
		await store.close();
	}
	assert.ok(said.size > ROUNDS * 10, `only ${said.size} readings`);
});

/** The appender and the store's thread as plain JavaScript, beside each other: with tsx a process would take longer to start than it lives. */
async function compiled(t: TestContext): Promise<string> {
	const cache = join(root, "node_modules", ".cache"); // below it packages are found
	mkdirSync(cache, { recursive: true });
	const folder = mkdtempSync(join(cache, "jidway-kill-"));
	t.after(() => rmSync(folder, { recursive: true, force: true }));
	const requireHere = createRequire(join(root, "package.json"));
	const esbuild: { build(options: object): Promise<unknown> } = createRequire(requireHere.resolve("tsx/package.json"))("esbuild"); // the one that tsx compiles with
	await esbuild.build({
		entryPoints: { appender: join(root, "test/store/appender.ts"), worker: join(root, "src/store/worker.ts") },
		outdir: folder, bundle: true, packages: "external", format: "esm", platform: "node", target: `node${process.versions.node}`, logLevel: "error",
	});
	writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module" }));
	return join(folder, "appender.js");
}

type Child = ChildProcessByStdio<Writable, Readable, null>;

function spawned(appender: string, folder: string): Child {
	return spawn(process.execPath, [appender, folder], { stdio: ["pipe", "pipe", "inherit"] });
}

/** Let it append from this number, kill it `after` ms after its first word, and give what it said. */
async function killed(child: Child, first: number, after: number): Promise<number[]> {
	child.stdin.write(String(first));
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
