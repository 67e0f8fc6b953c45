// A disk that takes 15 ms for each sync, 1 000 readings a second, each acknowledged when it is on disk: the store in its thread beside a commit on the main thread.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { fileURLToPath } from "node:url";
import Database from "libsql";
import { numericFromText } from "../../src/core/value.js";
import { Store } from "../../src/store/store.js";
import { systemClock } from "../../src/system-clock.js";

const RATE = 1_000, SECONDS = 6, WARM_UP = 1;
const SELF = fileURLToPath(import.meta.url);
const log = { debug: () => undefined, info: () => undefined, warn: console.warn, error: console.error };

interface Measured {
	readonly rate: number;
	readonly delay: number;
	readonly durable: number;
}

type Commit = (id: number) => Promise<void>;

async function measure(commit: Commit): Promise<Measured> {
	const delays = monitorEventLoopDelay({ resolution: 1 });
	const spans: number[] = [];
	let sent = 0;
	let started = performance.now();
	let isWarm = false;
	const under = new Set<Promise<void>>();
	await new Promise<void>((resolve) => {
		const timer = setInterval(() => {
			const elapsed = (performance.now() - started) / 1_000;
			if (!isWarm && elapsed >= WARM_UP) {
				isWarm = true;
				started = performance.now();
				sent = 0;
				spans.length = 0;
				delays.enable();
				return;
			}
			if (isWarm && elapsed >= SECONDS) {
				clearInterval(timer);
				return resolve();
			}
			while (sent < elapsed * RATE && under.size < 2_000) {
				const begun = performance.now();
				const done: Promise<void> = commit(++sent & 0xffff).then(() => {
					spans.push(performance.now() - begun);
					under.delete(done);
				});
				under.add(done);
				if (performance.now() - begun > 5) break;
			}
		}, 2);
	});
	delays.disable();
	await Promise.all(under);
	spans.sort((a, b) => a - b);
	return { rate: sent / ((performance.now() - started) / 1_000), delay: delays.percentile(99) / 1e6, durable: spans[Math.floor(spans.length * 0.99)] ?? Infinity };
}

async function child(kind: string, folder: string): Promise<Measured> {
	if (kind === "naive") {
		const db = new Database(join(folder, "naive.sqlite"));
		db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE reading (at INTEGER, value TEXT)");
		const insert = db.prepare("INSERT INTO reading VALUES (?, ?)");
		return measure(async (id) => void insert.run(Date.now(), String(id)));
	}
	const store = await Store.open({ folder, clock: systemClock, log });
	const measured = await measure((id) => {
		const now = Date.now();
		return store.append([{ link: "farm", address: `d${id % 200}`, unit: "°C", reading: { point: "temperature", value: numericFromText("21.50")!, at: now, received: now, quality: "good" } }], { link: "farm", id, hash: "0123456789abcdef" }).then(() => store.release("farm", [id]));
	});
	const { transactions, written, walBytes } = store.counters();
	console.error(`  ${kind}: ${(written / transactions).toFixed(1)} readings a transaction, ${(walBytes / written).toFixed(0)} bytes of log a reading`);
	await store.close();
	return measured;
}

function run(kind: string, shim: string): Measured {
	const folder = mkdtempSync(join(tmpdir(), "jidway-bench-"));
	try {
		const { stdout, status, stderr } = spawnSync(process.execPath, ["--import", "tsx", SELF, kind, folder], { encoding: "utf8", env: { ...process.env, LD_PRELOAD: shim, SLOW_FSYNC_MS: "15" }, timeout: 60_000 });
		process.stderr.write(stderr);
		if (status !== 0) throw new Error(`the child "${kind}" ended with ${status}`);
		const found: Measured = JSON.parse(stdout.trim().split("\n").at(-1)!);
		return found;
	} finally {
		rmSync(folder, { recursive: true, force: true });
	}
}

const [kind, folder] = process.argv.slice(2);
if (kind !== undefined && folder !== undefined) console.log(JSON.stringify(await child(kind, folder)));
else {
	const made = mkdtempSync(join(tmpdir(), "jidway-shim-"));
	try {
		const shim = join(made, "slow-fsync.so");
		execFileSync("gcc", ["-shared", "-fPIC", "-O2", "-o", shim, fileURLToPath(new URL("./slow-fsync.c", import.meta.url)), "-ldl"]);
		const naive = run("naive", shim);
		const ours = run("ours", shim);
		for (const [name, { rate, delay, durable }] of [["commit on the main thread", naive], ["store", ours]] as const) console.log(`${name}: ${rate.toFixed(0)} readings/s, loop delay p99 ${delay.toFixed(1)} ms, durable p99 ${durable.toFixed(0)} ms`);
		console.log(`ratio of rates ${(ours.rate / naive.rate).toFixed(1)}, of loop delays ${(ours.delay / naive.delay).toFixed(3)}`);
		console.log(ours.delay < 10 && ours.rate > 0.95 * RATE ? "goal met: loop delay p99 below 10 ms at 1 000 readings/s with 15 ms a sync" : "GOAL MISSED: loop delay p99 below 10 ms at 1 000 readings/s with 15 ms a sync");
		if (!(ours.delay < 10)) process.exitCode = 1;
	} finally {
		rmSync(made, { recursive: true, force: true });
	}
}
