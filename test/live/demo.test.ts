// The demo plays its scripted conversation, as `npm run demo -- --once` does, and leaves nothing behind.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { makeFolder, removeFolder } from "./servers/processes.js";
import { missing } from "./site.js";

const script = fileURLToPath(new URL("../../scripts/demo.mjs", import.meta.url));
/** What the issue promises for a second run. */
const WITHIN_MS = 120_000;

interface Ended {
	readonly code: number | null;
	readonly output: string;
}

/** Runs the demo with its temporary folders in `folder`; `onOutput` sees all that it has printed so far. */
async function demo(args: readonly string[], folder: string, onOutput: (output: string, kill: (signal: NodeJS.Signals) => void) => void = () => undefined): Promise<Ended> {
	const child = spawn(process.execPath, [script, ...args], { env: { ...process.env, TMPDIR: folder }, stdio: ["ignore", "pipe", "pipe"] });
	let output = "";
	for (const stream of [child.stdout, child.stderr]) {
		stream.setEncoding("utf8").on("data", (text: string) => {
			output += text;
			onOutput(output, (signal) => child.kill(signal));
		});
	}
	const timer = setTimeout(() => child.kill("SIGKILL"), WITHIN_MS);
	const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
	clearTimeout(timer);
	return { code, output };
}

/** Command lines that name the folder: what the demo has started runs with its files in there. */
function runningIn(folder: string): string[] {
	return readdirSync("/proc").filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid).flatMap((pid) => {
		try {
			const command = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
			return command.includes(folder) ? [command] : [];
		} catch {
			return []; // ended meanwhile
		}
	});
}

async function assertNothingLeft(folder: string): Promise<void> {
	// A killed process takes a moment to be gone.
	for (let looks = 0; looks < 40 && runningIn(folder).length > 0; looks++) await sleep(50);
	assert.deepEqual(runningIn(folder), [], "a process was left behind");
	// tsx keeps its cache of compiled files beside the demo's folders.
	assert.deepEqual(readdirSync(folder).filter((name) => name.startsWith("jidway-")), [], "a folder was left behind");
}

function emptyFolder(t: TestContext): string {
	const folder = makeFolder("demo-test");
	t.after(() => removeFolder(folder));
	return folder;
}

const skip = missing("prosody", "socat");

test("npm run demo -- --once talks to every device, finds every answer right, and leaves nothing behind", { skip, timeout: WITHIN_MS + 30_000 }, async (t) => {
	const folder = emptyFolder(t);
	const { code, output } = await demo(["--once"], folder);
	assert.equal(code, 0, output);
	assert.match(output, /^\d+ checks, 0 failed, \d+\.\d s$/m);
	assert.match(output, /thermostat → operator +✓ setpoint is 22\.00 °C/);
	assert.match(output, /saw → operator +✓ POWER is on/);
	assert.match(output, /valve → operator +✓ Setpoint\/Target is 60 %/);
	await assertNothingLeft(folder);
});

test("SIGTERM in the middle of the demo ends it at once, and leaves nothing behind", { skip, timeout: 60_000 }, async (t) => {
	const folder = emptyFolder(t);
	let killed = 0;
	const { code, output } = await demo(["--once"], folder, (printed, kill) => {
		if (killed > 0 || !printed.includes("set setpoint 22")) return;
		killed = Date.now();
		kill("SIGTERM");
	});
	assert.equal(code, 1, output);
	assert.ok(Date.now() - killed < 10_000, `it took ${Date.now() - killed} ms`);
	await assertNothingLeft(folder);
});
