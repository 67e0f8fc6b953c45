// Every check of the project with one summary at the end: `node scripts/test.mjs [--quick | --long] [file…]`
//   --quick   typecheck, lint, unit tests; needs no Debian package
//   (none)    all that, and test/live: real servers and clients
//   --long    all of it, with FUZZ_RUNS=20000 and LONG=1
//   file…     only these files, without typecheck, lint and build

import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { basename, join, relative, resolve, sep } from "node:path";
import { guarded, installNodeModules, root, say, setup, SetupError, testPackages } from "./setup.mjs";
import { compileTests } from "./test-compile.mjs";

/** One test, or a file's worth of live ones: a hang is a failure of that test, and not of the run. */
const TEST_TIMEOUT_MS = 400_000;
/** Minutes after which a run is taken to hang. JIDWAY_TEST_MINUTES overrides. */
const minutes = { quick: 5, default: 12, long: 120 };
/** Test files side by side. Those against real servers mostly wait, and each has ports, folders and processes of its own. */
const concurrency = { unit: Math.max(2, availableParallelism()), live: Math.max(2, availableParallelism()) + 1 };
/** Begun before all others, so that none of them is left alone at the end: what "the slowest files" names. Nothing else depends on it. */
const longest = ["demo", "restarts", "ejabberd", "main-path", "uplink-faults-ejabberd", "uplink-faults", "full-disk", "servers", "serial-link", "protocols", "parser", "jidway-link", "decode"].map((name) => `${name}.test.ts`);

await guarded(main);

async function main() {
	const { mode, only } = parse(process.argv.slice(2));
	const files = only.length > 0 ? only : testFiles().filter((file) => mode !== "quick" || !isLive(file));
	const live = files.filter(isLive);
	const unit = files.filter((file) => !isLive(file));
	const env = { ...process.env, ...(mode === "long" && { FUZZ_RUNS: "20000", LONG: "1" }) };
	const times = startTimes();
	const watch = startWatchdog(Number(process.env.JIDWAY_TEST_MINUTES) || minutes[mode], times);
	const faults = [];
	const total = { passed: 0, failed: 0, skipped: [], empty: [] };
	let started = Date.now();
	let slowest = [];
	try {
		await installNodeModules();
		// They need neither the build nor Debian's packages, and leave a core idle now and then.
		const checks = only.length > 0 ? Promise.resolve([]) : checkSources(watch);
		await setup({ build: only.length === 0, debian: live.length > 0 ? testPackages : [], why: "the tests against real servers" });
		started = Date.now();
		watch.begin();
		const compiled = await compileTests([...unit, ...live]);
		try {
			for (const [what, list] of [["unit", unit], ["live", live]]) {
				if (list.length === 0 || watch.expired()) continue;
				say(`${what} tests: ${list.length} ${list.length === 1 ? "file" : "files"} …`);
				const { code, result } = await runTests([...compiled.sources].filter(([, source]) => list.includes(source)), concurrency[what], env, watch, times);
				if (result === undefined) faults.push(`the ${what} tests gave no result`);
				if (code !== 0 && !result?.failed) faults.push(`the ${what} tests ended with ${code}`);
				for (const key of Object.keys(total)) total[key] = Array.isArray(total[key]) ? [...total[key], ...(result?.[key] ?? [])] : total[key] + (result?.[key] ?? 0);
				if (what === "unit") faults.push(...(await checks));
			}
		} finally {
			compiled.remove();
		}
		if (unit.length === 0) faults.push(...(await checks));
	} catch (error) {
		await watch.endAll();
		throw error;
	} finally {
		watch.stop();
		slowest = times.ended().slice(0, 10);
		times.remove();
	}

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
	if (only.length === 0) say(`the slowest files: ${listed(slowest)}`);
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
	return readdirSync(folder, { recursive: true }).filter((name) => name.endsWith(".test.ts")).sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1)).map((name) => join(folder, name));
}

function rank(name) {
	const place = longest.indexOf(basename(name));
	return place < 0 ? longest.length : place;
}

function isLive(file) {
	return file.startsWith(join(root, "test", "live") + sep);
}

/** Typecheck and lint side by side; what they say is shown only if they fail. Gives the faults. */
async function checkSources(watch) {
	say("typecheck and lint, beside what follows …");
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

/** Runs test files, given as [compiled, source], and gives the exit code and what the reporter counted. */
async function runTests(files, concurrency, env, watch, times) {
	const folder = mkdtempSync(join(tmpdir(), "jidway-result-"));
	const resultFile = join(folder, "result.json");
	const orders = join(folder, "orders.json");
	writeFileSync(orders, JSON.stringify({ concurrency, timeout: TEST_TIMEOUT_MS, files }));
	const args = ["--enable-source-maps", "--import", join(root, "scripts", "test-clock.mjs"), join(root, "scripts", "test-run.mjs"), orders];
	for (const [compiled, source] of files) times.names.set(compiled, source);
	try {
		const code = await start(args, { stdio: ["ignore", "inherit", "inherit"], env: { ...env, JIDWAY_TEST_RESULT: resultFile, JIDWAY_TEST_TIMES: times.file } }, watch);
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

/** Ends what runs when the time is up, and when this process is asked to end. The time counts from `begin()`. */
function startWatchdog(limit, times) {
	const groups = new Set();
	const hung = new Set();
	let timer;
	let expired = "";
	const endAll = async () => {
		// First politely: a test file ends its servers then.
		for (const name of ["SIGTERM", "SIGKILL"]) {
			for (const group of groups) killGroup(group, name);
			if (groups.size > 0) await new Promise((done) => setTimeout(done, 3000));
		}
	};
	const expire = () => {
		const running = times.running();
		for (const { file } of running) hung.add(file);
		expired = `the checks took longer than ${limit} ${limit === 1 ? "minute" : "minutes"}; still running: ${running.length > 0 ? listed(running) : "no test file"}`;
		say(`ended until then: ${listed(times.ended())}`);
		say(expired);
		void endAll();
	};
	const onSignal = (name) => {
		void endAll();
		setTimeout(() => process.exit(name === "SIGINT" ? 130 : 143), 3500);
	};
	for (const name of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(name, onSignal);
	return { groups, hung, endAll, expired: () => expired, begin: () => (timer = setTimeout(expire, limit * 60_000)), stop: () => clearTimeout(timer) };
}

/** What scripts/test-clock.mjs has noted of each test file; `names` are compiled file → source. */
function startTimes() {
	const folder = mkdtempSync(join(tmpdir(), "jidway-times-"));
	const file = join(folder, "times");
	const names = new Map();
	const all = () => {
		const notes = (existsSync(file) ? readFileSync(file, "utf8") : "").split("\n").filter((line) => line !== "").map((line) => JSON.parse(line));
		return notes.filter(({ what }) => what === "began").map((began) => {
			const ended = notes.find(({ what, pid }) => what === "ended" && pid === began.pid);
			return { file: relative(root, names.get(began.file) ?? began.file), pid: began.pid, ended: ended !== undefined, seconds: ((ended?.at ?? Date.now()) - began.at) / 1000 };
		});
	};
	return {
		file,
		names,
		/** The slowest first. */
		ended: () => all().filter(({ ended }) => ended).sort((a, b) => b.seconds - a.seconds),
		/** One that was killed has not noted its end. */
		running: () => all().filter(({ ended, pid }) => !ended && existsSync(`/proc/${pid}`)),
		remove: () => rmSync(folder, { recursive: true, force: true }),
	};
}

/** `12.3 s test/core/value.test.ts, …`. */
function listed(files) {
	return files.map(({ file, seconds }) => `${seconds.toFixed(1)} s ${file}`).join(", ");
}

function killGroup(group, name) {
	try {
		process.kill(-group, name);
	} catch (error) {
		if (error.code !== "ESRCH") throw error;
	}
}
