// Child processes that cannot outlive the test: started in a group and folder of their own, awaited with a deadline, gone when this process is.

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { closeSync, existsSync, fstatSync, mkdtempSync, openSync, readSync, rmSync } from "node:fs";
import { connect, createServer, type ListenOptions } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";

/** A child process with its own group. */
export interface Program {
	readonly pid: number;
	/** Settles when the process is gone; says how it ended, as "exit code 1" or "signal SIGKILL". */
	readonly ended: Promise<string>;
	/** The pipes, if `pipes` was asked for. */
	readonly stdin: Writable | null;
	readonly stdout: Readable | null;
	/** False from the moment that its end was seen. */
	running(): boolean;
	/** Sends a signal to the whole group; one that is gone is no error. */
	signal(name: NodeJS.Signals): void;
	/** SIGTERM, SIGKILL after `graceMs`, and waits until it is gone. */
	stop(graceMs?: number): Promise<void>;
}

export interface ProgramOptions {
	readonly cwd: string;
	/** Receives stderr, and stdout unless `pipes` is set; appended to. */
	readonly logFile: string;
	readonly env?: Readonly<Record<string, string>>;
	/** Stdin and stdout become pipes. */
	readonly pipes?: boolean;
}

const programs = new Set<Program>();
const folders = new Set<string>();
const givenPorts = new Set<number>();
let guarded = false;

/**
 * Starts a program, and makes sure that it ends with this process: by a hook on exit, and by the kernel if this process is killed.
 * @throws {Error} if it cannot be started
 */
export async function startProgram(command: string, args: readonly string[], options: ProgramOptions): Promise<Program> {
	guard();
	const log = openSync(options.logFile, "a");
	// setpriv becomes the program itself, with the order that the kernel kill it when its parent is gone.
	const tied = existsSync("/usr/bin/setpriv");
	const argv = tied ? ["/usr/bin/setpriv", "--pdeathsig", "KILL", command, ...args] : [command, ...args];
	let child: ChildProcess;
	try {
		child = spawn(argv[0] ?? command, argv.slice(1), {
			cwd: options.cwd,
			detached: true,
			stdio: options.pipes === true ? ["pipe", "pipe", log] : ["ignore", log, log],
			env: { ...process.env, ...options.env },
		});
		await new Promise<void>((resolve, reject) => {
			child.once("spawn", resolve);
			child.once("error", (error) => reject(new Error(`Cannot start "${command}": ${error.message}`)));
		});
	} finally {
		closeSync(log);
	}
	const { pid } = child;
	if (pid === undefined) throw new Error(`Cannot start "${command}": no process id`);

	let alive = true;
	const signal = (name: NodeJS.Signals): void => {
		try {
			process.kill(-pid, name);
		} catch (error) {
			if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
		}
	};
	const ended = new Promise<string>((resolve) => {
		child.once("exit", (code, by) => {
			alive = false;
			programs.delete(program);
			signal("SIGKILL"); // Children that it left behind.
			resolve(by === null ? `exit code ${code}` : `signal ${by}`);
		});
	});
	// A program that dies while bytes are on their way to it is the subject of many tests, and no error of theirs.
	child.stdin?.on("error", () => undefined);
	const program: Program = {
		pid,
		ended,
		stdin: child.stdin,
		stdout: child.stdout,
		running: () => alive,
		signal,
		stop: async (graceMs = 5000) => {
			if (!alive) return;
			signal("SIGTERM");
			signal("SIGCONT"); // A frozen process acts on SIGTERM only once thawed.
			const timer = setTimeout(() => signal("SIGKILL"), graceMs);
			await ended;
			clearTimeout(timer);
		},
	};
	programs.add(program);
	return program;
}

/**
 * Runs a command to its end and gives its output.
 * @throws {Error} with the output, if it fails or takes longer than 30 s
 */
export function runCommand(command: string, args: readonly string[]): string {
	const done = spawnSync(command, args, { encoding: "utf8", timeout: 30_000, stdio: ["ignore", "pipe", "pipe"] });
	if (done.error !== undefined) throw new Error(`Cannot run "${command}": ${done.error.message}`);
	if (done.status !== 0) throw new Error(`Cannot run "${command} ${args.join(" ")}": exit code ${done.status}: ${done.stderr}${done.stdout}`);
	return done.stdout;
}

/**
 * Waits until `ready` gives true.
 * @param what completes "Cannot wait any longer for …"
 * @param logTail what to show if it fails
 * @throws {Error} if the program ends first, or the time is up
 */
export async function waitUntil(what: string, ready: () => boolean | Promise<boolean>, options: { withinMs: number; program?: Program; logTail?: () => string }): Promise<void> {
	const deadline = Date.now() + options.withinMs;
	const shown = (): string => (options.logTail === undefined ? "" : `\n${options.logTail()}`);
	while (!(await ready())) {
		if (options.program?.running() === false) throw new Error(`Cannot wait any longer for ${what}: the program ended with ${await options.program.ended}${shown()}`);
		if (Date.now() > deadline) throw new Error(`Cannot wait any longer for ${what}: ${options.withinMs} ms have passed${shown()}`);
		await sleep(20);
	}
}

/** Whether something accepts TCP connections on this port of 127.0.0.1. */
export async function accepts(port: number): Promise<boolean> {
	return new Promise((resolve) => {
		const socket = connect({ host: "127.0.0.1", port });
		socket.setTimeout(1000, () => {
			socket.destroy();
			resolve(false);
		});
		socket.once("connect", () => {
			socket.destroy();
			resolve(true);
		});
		socket.once("error", () => resolve(false));
	});
}

/**
 * A TCP port of 127.0.0.1 on which nobody listens, and which neither this process nor another that runs has been given before.
 * Taken from below the range of ports for outgoing connections: there, somebody's connection could take it while a server restarts.
 */
export async function freePort(): Promise<number> {
	const first = 20_000;
	const count = 12_000;
	// Processes that run at the same time begin their search at different places.
	for (let step = 0; step < count; step++) {
		const port = first + ((process.pid * 61 + step) % count);
		if (givenPorts.has(port)) continue;
		givenPorts.add(port);
		if ((await listens({ host: "127.0.0.1", port, exclusive: true }, "close")) && (await claimed(port))) return port;
	}
	throw new Error(`Cannot find a free TCP port: all of ${first} to ${first + count - 1} are taken`);
}

/** Claims a port among all processes that ask here: by an abstract socket of Linux, which the kernel takes away when the process ends. */
async function claimed(port: number): Promise<boolean> {
	return process.platform !== "linux" || listens({ path: `\0jidway-port-${port}` }, "keep");
}

async function listens(where: ListenOptions, then: "close" | "keep"): Promise<boolean> {
	return new Promise((resolve) => {
		const server = createServer().unref();
		server.once("error", () => resolve(false));
		server.listen(where, () => (then === "close" ? server.close(() => resolve(true)) : resolve(true)));
	});
}

/** A new folder that is removed at the latest when this process ends. */
export function makeFolder(name: string): string {
	guard();
	const folder = mkdtempSync(join(tmpdir(), `jidway-${name}-`));
	folders.add(folder);
	return folder;
}

/** Removes a folder made by `makeFolder()`. */
export function removeFolder(folder: string): void {
	if (folders.delete(folder)) rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
}

/** The last lines of a file; "" if there is none. Reads at most 64 KiB. */
export function tailOf(file: string, lines = 30): string {
	if (!existsSync(file)) return "";
	const handle = openSync(file, "r");
	try {
		const { size } = fstatSync(handle);
		const bytes = Buffer.alloc(Math.min(size, 65_536));
		const read = readSync(handle, bytes, 0, bytes.length, size - bytes.length);
		return bytes.toString("utf8", 0, read).trimEnd().split("\n").slice(-lines).join("\n");
	} finally {
		closeSync(handle);
	}
}

/** Cleans up when this process exits. Upon a signal too, unless somebody else handles it and will exit in his own time. */
function guard(): void {
	if (guarded) return;
	guarded = true;
	process.on("exit", () => {
		for (const program of programs) program.signal("SIGKILL");
		for (const folder of folders) rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
	});
	for (const [name, number] of [["SIGINT", 2], ["SIGTERM", 15], ["SIGHUP", 1]] as const) {
		process.on(name, () => {
			if (process.listenerCount(name) === 1) process.exit(128 + number);
		});
	}
}
