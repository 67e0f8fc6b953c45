// Every check of the project with one summary at the end: `node scripts/test.mjs [--quick | --long] [file…]`
//   --quick   typecheck, lint, unit tests; needs no Debian package
//   (none)    all that, and test/live: real servers and clients
//   --long    all of it, with FUZZ_RUNS=20000 and LONG=1
//   file…     only these files, without typecheck, lint and build

import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative, resolve, sep } from "node:path";
import { guarded, root, say, setup, SetupError, testPackages } from "./setup.mjs";

/** Minutes after which a run is taken to hang. JIDWAY_TEST_MINUTES overrides. */
/** One test, or a file's worth of live ones: a hang is a failure of that test, and not of the run. */
const TEST_TIMEOUT_MS = 400_000;
const minutes = { quick: 5, default: 12, long: 120 };

await guarded(main);

async function main() {
	const { mode, only } = parse(process.argv.slice(2));
	const files = only.length > 0 ? only : testFiles().filter((file) => mode !== "quick" || !isLive(file));
	const live = files.filter(isLive);
	const unit = files.filter((file) => !isLive(file));
	await setup({ build: only.length === 0, debian: live.length > 0 ? testPackages : [], why: "the tests against real servers" });

	const env = { ...process.env, ...(mode === "long" && { FUZZ_RUNS: "20000", LONG: "1" }) };
	const started = Date.now();
	const watch = startWatchdog(Number(process.env.JIDWAY_TEST_MINUTES) || minutes[mode]);
	const faults = [];
	if (only.length === 0) faults.push(...(await checkSources(watch)));
	const total = { passed: 0, failed: 0, skipped: [], empty: [] };
	for (const [what, list, concurrency] of [["unit", unit, 2], ["live", live, 1]]) {
		if (list.length === 0 || watch.expired()) continue;
		say(`${what} tests: ${list.length} ${list.length === 1 ? "file" : "files"} …`);
		const { code, result } = await runTests(list, concurrency, env, watch);
		if (result === undefined) faults.push(`the ${what} tests gave no result`);
		if (code !== 0 && !result?.failed) faults.push(`the ${what} tests ended with ${code}`);
		for (const key of Object.keys(total)) total[key] = Array.isArray(total[key]) ? [...total[key], ...(result?.[key] ?? [])] : total[key] + (result?.[key] ?? 0);
	}
	watch.stop();

	for (const file of total.empty) faults.push(`${relative(root, resolve(root, file))} declares no test`);
	for (const { file, name, why } of total.skipped) {
		say(`skipped: ${relative(root, file)}: ${name}${why === "" ? "" : `: ${why}`}`);
		// Only a test that asks for --long may be passed over, and then not by --long; and what needs root where nobody is.
		if (/\bneeds root\b/.test(why) && process.getuid?.() !== 0) continue;
		if (mode !== "quick" && (mode === "long" || !/\bLONG\b/.test(why))) faults.push(`"${name}" was skipped, and not for want of LONG`);
	}
	if (total.passed + total.failed === 0) faults.push("no test was run");
	if (watch.expired()) faults.push(watch.expired());
	total.failed += watch.hung.size; // The runner, ended itself, has not counted them.
	for (const fault of faults) say(`fault: ${fault}`);
	say(`ended after ${((Date.now() - started) / 1000).toFixed(0)} s`);
	if (faults.length > 0 || total.failed > 0) process.exitCode = 1;
	say(`${total.passed} passed, ${total.failed} failed${total.skipped.length > 0 ? `, ${total.skipped.length} skipped` : ""}`);
}

function parse(args) {
	const flags = args.filter((arg) => arg.startsWith("-"));
	const unknown = flags.find((flag) => flag !== "--quick" && flag !== "--long");
	if (unknown !== undefined || flags.length > 1) throw new SetupError(`Cannot understand "${args.join(" ")}": found ${unknown ?? "two modes"}; wanted: [--quick | --long] [file…]`);
	const only = args.filter((arg) => !arg.startsWith("-")).map((file) => resolve(file));
	for (const file of only) if (!existsSync(file)) throw new SetupError(`Cannot find the test file "${file}"`);
	return { mode: flags[0]?.slice(2) ?? "default", only };
}

function testFiles() {
	const folder = join(root, "test");
	if (!existsSync(folder)) return [];
	return readdirSync(folder, { recursive: true }).filter((name) => name.endsWith(".test.ts")).sort().map((name) => join(folder, name));
}

function isLive(file) {
	return file.startsWith(join(root, "test", "live") + sep);
}

/** Typecheck and lint side by side; what they say is shown only if they fail. Gives the faults. */
async function checkSources(watch) {
	say("typecheck and lint …");
	const checks = [
		["typecheck", ["node_modules/typescript/bin/tsc", "--noEmit", "--pretty", String(process.stdout.isTTY === true)]],
		["lint", ["node_modules/eslint/bin/eslint.js", "--max-warnings", "0", "."]],
	];
	const faults = await Promise.all(
		checks.map(async ([name, args]) => {
			const output = [];
			const code = await start(args, { stdio: ["ignore", "pipe", "pipe"] }, watch, (chunk) => output.push(chunk));
			if (code === 0) return [];
			process.stdout.write(Buffer.concat(output));
			return [`${name} failed (npm run ${name})`];
		}),
	);
	return faults.flat();
}

/** Runs test files, and gives the exit code and what the reporter counted. */
async function runTests(files, concurrency, env, watch) {
	const folder = mkdtempSync(join(tmpdir(), "jidway-result-"));
	const resultFile = join(folder, "result.json");
	const args = ["--import", "tsx", "--test", `--test-concurrency=${concurrency}`, `--test-timeout=${TEST_TIMEOUT_MS}`, "--test-reporter", join(root, "scripts", "test-reporter.mjs"), "--test-reporter-destination", "stdout", ...files.map((file) => relative(root, file))];
	try {
		const code = await start(args, { stdio: ["ignore", "inherit", "inherit"], env: { ...env, JIDWAY_TEST_RESULT: resultFile } }, watch);
		return { code, result: existsSync(resultFile) ? JSON.parse(readFileSync(resultFile, "utf8")) : undefined };
	} finally {
		rmSync(folder, { recursive: true, force: true });
	}
}

/** Runs node in a process group of its own, known to the watchdog. Gives the exit code. */
async function start(args, options, watch, data) {
	const child = spawn(process.execPath, args, { cwd: root, detached: true, ...options });
	watch.groups.add(child.pid);
	if (data) for (const stream of [child.stdout, child.stderr]) stream.on("data", data);
	return new Promise((done, reject) => {
		child.once("error", reject);
		child.once("close", (code, signal) => {
			watch.groups.delete(child.pid);
			done(code ?? signal);
		});
	});
}

/** Ends what runs when the time is up, and when this process is asked to end. */
function startWatchdog(limit) {
	const groups = new Set();
	const hung = new Set();
	let expired = "";
	const endAll = async () => {
		// First politely: a test file ends its servers then.
		for (const name of ["SIGTERM", "SIGKILL"]) {
			for (const group of groups) killGroup(group, name);
			await new Promise((done) => setTimeout(done, 3000));
		}
	};
	const timer = setTimeout(() => {
		for (const file of [...groups].flatMap(filesOf)) hung.add(file);
		expired = `the checks took longer than ${limit} ${limit === 1 ? "minute" : "minutes"}; still running: ${hung.size > 0 ? [...hung].join(", ") : "no test file"}`;
		say(expired);
		void endAll();
	}, limit * 60_000);
	const onSignal = (name) => {
		void endAll();
		setTimeout(() => process.exit(name === "SIGINT" ? 130 : 143), 3500);
	};
	for (const name of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(name, onSignal);
	return { groups, hung, expired: () => expired, stop: () => clearTimeout(timer) };
}

function killGroup(group, name) {
	try {
		process.kill(-group, name);
	} catch (error) {
		if (error.code !== "ESRCH") throw error;
	}
}

/** The test files that a process group has open: each runs in a process of its own, and its name is the last argument. */
function filesOf(group) {
	const { stdout } = spawnSync("ps", ["-eo", "pgid=,args="], { encoding: "utf8" });
	return (stdout ?? "").split("\n").flatMap((line) => {
		const words = line.trim().split(/\s+/);
		return Number(words[0]) === group && !words.includes("--test") && words.at(-1)?.endsWith(".test.ts") ? [relative(root, resolve(root, words.at(-1)))] : [];
	});
}
