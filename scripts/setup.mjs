// Makes a fresh clone runnable: npm packages, the build, Debian packages. Runs before anything is installed, hence only node: imports.
// As a command: `node scripts/setup.mjs [package…]`.

import { spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline/promises";
import { fileURLToPath } from "node:url";
import { dropStalePolicy, forbidStarts, policy } from "./policy-rc.mjs";

/** The folder of the clone, absolute, with no slash at its end. */
export const root = fileURLToPath(new URL("..", import.meta.url)).replace(/\/$/, "");

/** The Debian packages that the demonstration needs. */
export const demoPackages = ["prosody", "socat"];

/** The Debian packages that the tests against real servers and clients need. */
export const testPackages = ["prosody", "ejabberd", "mosquitto", "mosquitto-clients", "socat", "openssl", "python3-slixmpp", "systemd", "gcc", "g++", "libc6-dev"];

/** The daemons that some of these packages would start if nobody stopped them, with the pattern by which `pgrep -f` finds each. */
const daemons = { prosody: "/usr/bin/prosody", ejabberd: "beam.*ejabberd", mosquitto: "/usr/sbin/mosquitto" };

/** A failure whose message says what, why and how to mend; printed without a stack. */
export class SetupError extends Error {
	name = "SetupError";
}

/** Prints one line of progress. */
export function say(line) {
	process.stdout.write(`jidway: ${line}\n`);
}

/**
 * Makes the clone runnable: npm packages, the build, and the Debian packages named.
 * @param {{ debian?: string[], build?: boolean, why?: string }} wanted `why` completes "… is needed for"
 * @throws {SetupError} with what, why and how to mend
 */
export async function setup({ debian = [], build = true, why = "this command" } = {}) {
	const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
	if (major < 20 || (major === 20 && minor < 19)) throw new SetupError(`Cannot run on Node.js ${process.versions.node}: 20.19 or newer is wanted`);
	await installNodeModules();
	if (build) await buildDist();
	await installDebian(debian, why);
}

/** Runs `npm ci` unless node_modules already is what package-lock.json says. */
export async function installNodeModules() {
	if (nodeModulesAreCurrent()) return;
	say("installing npm packages (npm ci) …");
	const started = Date.now();
	const code = await run("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"]);
	if (code !== 0) throw new SetupError(`Cannot install the npm packages: "npm ci" ended with exit code ${code}; see the lines above, mend the network or the registry setting, and run this again`);
	say(`npm packages installed in ${seconds(started)}`);
}

/**
 * Whether each package of package-lock.json stands in node_modules in that version.
 * Contents and not file times: git and npm write both files in either order. npm writes the inner file last, so a broken-off `npm ci` has none.
 */
function nodeModulesAreCurrent() {
	const wanted = packagesOf(join(root, "package-lock.json"));
	const present = packagesOf(join(root, "node_modules", ".package-lock.json"));
	if (wanted === undefined || present === undefined) return false;
	const same = (path) => wanted[path] !== undefined && wanted[path].version === present[path]?.version && wanted[path].integrity === present[path]?.integrity;
	return (
		Object.keys(present).every(same) &&
		// An optional package that is absent is one for another processor.
		Object.keys(wanted).every((path) => path === "" || wanted[path].optional === true || same(path))
	);
}

function packagesOf(file) {
	try {
		return JSON.parse(readFileSync(file, "utf8")).packages;
	} catch {
		return undefined;
	}
}

/** Runs `npm run build` when dist/main.js is missing or older than anything in src/ or the compiler's settings. */
export async function buildDist() {
	const built = mtime(join(root, "dist", "main.js"));
	const changed = Math.max(newest(join(root, "src")), mtime(join(root, "tsconfig.json")), mtime(join(root, "tsconfig.build.json")));
	if (built > changed) return;
	say("building dist/ (npm run build) …");
	const started = Date.now();
	const code = await run("npm", ["run", "--silent", "build"]);
	if (code !== 0) throw new SetupError(`Cannot build: "npm run build" ended with exit code ${code}; the compiler's lines above say where`);
	say(`built in ${seconds(started)}`);
}

function mtime(path) {
	return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

/** The newest change below a folder; the folders count too, because a file that is gone changes only its folder. */
function newest(folder) {
	let latest = mtime(folder);
	for (const entry of existsSync(folder) ? readdirSync(folder, { withFileTypes: true, recursive: true }) : []) {
		latest = Math.max(latest, mtime(join(entry.parentPath ?? entry.path, entry.name)));
	}
	return latest;
}

/** Those of the named Debian packages that are not installed. */
export function missingDebian(packages) {
	if (packages.length === 0) return [];
	const query = spawnSync("dpkg-query", ["-W", "-f", "${Package} ${db:Status-Status}\n", ...packages], { encoding: "utf8" });
	if (query.error !== undefined) return packages;
	const installed = new Set(query.stdout.split("\n").filter((line) => line.endsWith(" installed")).map((line) => line.split(" ")[0]));
	return packages.filter((name) => !installed.has(name));
}

/**
 * Installs the missing ones of the named Debian packages, and starts none of their services.
 * On a terminal it asks first; without root it prints the command and fails; as root without a terminal it installs.
 * @param {string} why completes "needed for …"
 * @throws {SetupError}
 */
export async function installDebian(packages, why = "this command") {
	if (process.getuid?.() === 0 && dropStalePolicy()) say(`removed ${policy}, left behind by a setup that was killed`);
	const missing = missingDebian(packages);
	if (missing.length === 0) return;
	const names = missing.join(" ");
	const command = `sudo apt-get install --no-install-recommends ${names}`;
	if (spawnSync("apt-get", ["--version"]).error !== undefined) {
		throw new SetupError(`Cannot install ${names}, needed for ${why}: this system has no apt-get. Install the same programs by this system's own means, or use Debian 12`);
	}
	if (process.getuid?.() !== 0) {
		const services = missing.filter((name) => name in daemons);
		const stop = services.length === 0 ? "" : `\nDebian starts a service with it, which Jidway does not use. To stop that:\n\n    sudo systemctl disable --now ${services.join(" ")}\n`;
		throw new SetupError(`Cannot go on without the Debian packages ${names}: they are needed for ${why}, and only root may install them. Run this once, and then the same command again:\n\n    ${command}\n${stop}`);
	}
	if (onTerminal() && !(await consent(missing, why))) throw new SetupError(`Cannot go on without the Debian packages ${names}, needed for ${why}. To install them yourself: ${command}`);

	const started = Date.now();
	const running = runningDaemons();
	say(`installing Debian packages ${missing.join(", ")} …`);
	await withServicesHeldBack(async (stopped) => {
		const known = hasPackageLists();
		if (!known) await aptUpdate();
		let { code, tail } = await aptInstall(missing);
		if (code !== 0 && known && !stopped()) {
			// The package lists may name versions that the mirrors no longer keep.
			await aptUpdate();
			({ code, tail } = await aptInstall(missing));
		}
		if (code !== 0) {
			throw new SetupError(`Cannot install the Debian packages ${names}, needed for ${why}: apt-get ended with exit code ${code}:\n${tail}\nMend what it says (network, /etc/apt/sources.list, a broken dpkg: "dpkg --configure -a"), and run this again`);
		}
	});
	const still = missingDebian(missing);
	if (still.length > 0) throw new SetupError(`Cannot use the Debian packages ${still.join(" ")}: apt-get reported success, dpkg-query does not know them as installed. Try: ${command}`);
	const ours = runningDaemons().filter((line) => !running.includes(line));
	if (ours.length > 0) throw new SetupError(`Cannot vouch for this machine: installing ${names} started a service although policy-rc.d forbade it: ${ours.join("; ")}. Stop it with "systemctl stop NAME"`);
	say(`Debian packages installed in ${seconds(started)}; no service was started`);
}

/** Whether somebody sits there who can answer a question. */
export function onTerminal() {
	return process.stdin.isTTY === true && process.stdout.isTTY === true && (process.env.CI ?? "") === "";
}

async function consent(missing, why) {
	const services = missing.filter((name) => name in daemons);
	process.stdout.write(
		`jidway: ${why} needs Debian packages that are not installed: ${missing.join(" ")}\n` +
			"jidway: no service will be started now, and no file of theirs in /etc is changed.\n" +
			(services.length > 0 && existsSync("/run/systemd/system") ? `jidway: Debian starts ${services.join(", ")} at the next boot, unless you say: systemctl disable ${services.join(" ")}\n` : ""),
	);
	const lines = createInterface({ input: process.stdin, output: process.stdout });
	// A terminal without a person at it would wait for ever.
	const tooLong = new Promise((resolve) => setTimeout(() => resolve("no answer"), 120_000).unref());
	const closed = new Promise((resolve) => lines.once("close", () => resolve("")));
	try {
		const answer = await Promise.race([lines.question(`jidway: install ${missing.join(" ")}? [y/N] `), closed, tooLong]);
		return /^y(es)?$/i.test(answer.trim());
	} finally {
		lines.close();
	}
}

function hasPackageLists() {
	try {
		return readdirSync("/var/lib/apt/lists").some((name) => /_Packages(\.|$)/.test(name));
	} catch {
		return false;
	}
}

async function aptUpdate() {
	say("fetching Debian's package lists (apt-get update) …");
	// Its failure shows in the install that follows.
	await apt(["update"]);
}

async function aptInstall(packages) {
	return apt(["install", "--yes", "--no-install-recommends", "-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold", ...packages]);
}

/** Runs apt-get and shows how far it is with what was asked for; other lines are kept for the error. */
async function apt(args) {
	const lines = [];
	const keep = (line) => {
		lines.push(line);
		if (lines.length > 15) lines.shift(); // Enough to hold apt's own "E:" lines and dpkg's above them.
		if (/^(Need to get|Waiting for)/.test(line) || (/^Setting up /.test(line) && args.includes(line.split(" ")[2]))) process.stdout.write(`    ${line}\n`);
	};
	// needrestart would restart services whose libraries were renewed.
	const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive", NEEDRESTART_SUSPEND: "1", LC_ALL: "C.UTF-8" };
	const code = await run("apt-get", ["-q", "-o", "DPkg::Lock::Timeout=300", "-o", "Acquire::Retries=2", ...args], { env, line: keep });
	return { code, tail: lines.map((line) => `    ${line}`).join("\n") };
}

/** Runs `work` while /usr/sbin/policy-rc.d, by which Debian's packages ask whether to start a service, answers "no" (101). */
async function withServicesHeldBack(work) {
	// Not at once: what dpkg is setting up would still start its service. apt-get stops at the next safe point.
	let stoppedBy;
	const onSignal = (signal) => {
		stoppedBy = signal;
		for (const child of children) child.kill("SIGINT");
	};
	const signals = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 };
	for (const signal of Object.keys(signals)) process.on(signal, onSignal);
	// After SIGHUP there is no terminal to write to, which is no reason to leave the policy behind.
	const onLostTerminal = () => {};
	process.stdout.on("error", onLostTerminal);
	const restore = forbidStarts();
	process.on("exit", restore); // what is thrown elsewhere ends the process without coming by here
	try {
		return await work(() => stoppedBy !== undefined);
	} finally {
		restore();
		process.off("exit", restore);
		for (const signal of Object.keys(signals)) process.off(signal, onSignal);
		if (stoppedBy !== undefined) {
			say("installing was broken off; what dpkg had begun is finished by: dpkg --configure -a");
			process.exit(signals[stoppedBy]);
		}
		process.stdout.off("error", onLostTerminal);
	}
}

/** The daemons running on this machine, as "pid command line". */
function runningDaemons() {
	return Object.values(daemons).flatMap((pattern) => (spawnSync("pgrep", ["-a", "-f", pattern], { encoding: "utf8" }).stdout ?? "").split("\n").filter((line) => line !== "" && !line.includes("setup.mjs")));
}

const children = new Set();

/** Runs a command in the clone and gives its exit code. Output goes to the terminal, or line by line to `line`. */
async function run(command, args, { env = process.env, line } = {}) {
	const child = spawn(command, args, { cwd: root, env, stdio: ["ignore", line ? "pipe" : "inherit", line ? "pipe" : "inherit"] });
	children.add(child);
	child.once("close", () => children.delete(child));
	if (line) for (const stream of [child.stdout, child.stderr]) createLines(stream, line);
	return new Promise((resolve, reject) => {
		child.once("error", (error) => reject(new SetupError(`Cannot run "${command}": ${error.message}`)));
		child.once("close", (code, signal) => resolve(code ?? `signal ${signal}`));
	});
}

function createLines(stream, line) {
	let rest = "";
	stream.setEncoding("utf8");
	stream.on("data", (text) => {
		const parts = (rest + text).split(/[\r\n]+/);
		rest = parts.pop().slice(-4096); // apt's progress bars have no end of line; a line longer than this helps nobody.
		for (const part of parts) if (part !== "") line(part);
	});
}

function seconds(started) {
	return `${((Date.now() - started) / 1000).toFixed(1)} s`;
}

/** Runs `main`, prints a SetupError without a stack, and sets the exit code. */
export async function guarded(main) {
	try {
		await main();
	} catch (error) {
		process.stderr.write(error instanceof SetupError ? `jidway: ${error.message}\n` : `${error?.stack ?? error}\n`);
		process.exitCode = 1;
	}
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
	await guarded(() => setup({ debian: process.argv.slice(2), why: "what you asked for" }));
}
