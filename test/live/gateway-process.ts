// The real `jidway run` as a child process, with a config and a data folder of its own.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { get } from "node:http";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePort, makeFolder, type Program, removeFolder, startProgram, waitUntil } from "./servers/processes.js";

/** One line of the log. */
export interface LogLine {
	readonly level: string;
	readonly msg: string;
	readonly [fact: string]: unknown;
}

/** The end of one run of the command line. */
export interface CliResult {
	readonly code: number;
	readonly stdout: string;
	readonly stderr: string;
}

/** The config file, without what every test has alike: data folder and health port. */
export interface GatewayConfig {
	readonly uplink: { readonly domain: string; readonly port: number; readonly secret: string; readonly host?: string };
	readonly access?: readonly object[];
	readonly links: readonly object[];
	readonly devices?: readonly object[];
	/** Other top-level keys. */
	readonly more?: Readonly<Record<string, unknown>>;
	/** In place of a folder of its own; it is not removed. */
	readonly dataFolder?: string;
}

/** A gateway that runs, or ran. */
export interface GatewayProcess {
	readonly configFile: string;
	readonly dataFolder: string;
	/** Of the health server, on 127.0.0.1. */
	readonly webPort: number;
	pid(): number;
	/** All log lines since the first start, oldest first. */
	readonly logs: readonly LogLine[];
	/** Waits for a log line that matches, not before the `since`th. @throws {Error} with the log, when the time is up or the process ends */
	log(pattern: RegExp, withinMs?: number, since?: number): Promise<LogLine>;
	/** Waits until `/readyz` says 200: uplink online and every link up. */
	ready(withinMs?: number): Promise<void>;
	/** What `/readyz` says now. */
	health(): Promise<{ readonly code: number; readonly text: string }>;
	/** SIGTERM; it must end with exit code 0 within 5 s. Keeps the folder, so that `start()` brings it back. */
	stop(): Promise<void>;
	/** Ends it like a power failure. */
	kill(): Promise<void>;
	/** Starts it again with the same config and data. */
	start(): Promise<void>;
	/** Runs `jidway ARGS -c` with this config. */
	cli(...args: string[]): Promise<CliResult>;
	/** Ends it if it runs, removes its folder, and checks that no secret was ever written to its output. May be called twice. */
	remove(): Promise<void>;
}

const root = fileURLToPath(new URL("../..", import.meta.url));
const STOP_WITHIN_MS = 5_000;

/** How to run the command: as it is installed when dist/ is of these sources, else from the sources. */
export const jidwayCommand: readonly string[] = isBuilt() ? [join(root, "bin/jidway.js")] : ["--import", import.meta.resolve("tsx"), join(root, "src/main.ts")];

function isBuilt(): boolean {
	const built = statSync(join(root, "dist/main.js"), { throwIfNoEntry: false })?.mtimeMs;
	if (built === undefined) return false;
	return readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" }).every((name) => statSync(join(root, "src", name)).mtimeMs < built);
}

/** Runs `jidway ARGS` to its end. */
export async function jidway(args: readonly string[], cwd: string, withinMs = 30_000): Promise<CliResult> {
	return new Promise((resolve, reject) => {
		execFile(process.execPath, [...jidwayCommand, ...args], { cwd, timeout: withinMs, killSignal: "SIGKILL", maxBuffer: 16 * 1024 * 1024 }, (error, stdout, stderr) => {
			if (error === null) resolve({ code: 0, stdout, stderr });
			else if (typeof error.code === "number") resolve({ code: error.code, stdout, stderr });
			else reject(new Error(`Cannot run "jidway ${args.join(" ")}" within ${withinMs} ms\n${stdout}${stderr}`, { cause: error }));
		});
	});
}

/** Makes the folder and the config of a gateway; `start()` runs it. */
export async function newGateway({ uplink, access = [], links, devices = [], more = {}, dataFolder: givenFolder }: GatewayConfig): Promise<GatewayProcess> {
	const folder = makeFolder("gateway");
	const webPort = await freePort();
	const dataFolder = givenFolder ?? join(folder, "data");
	const configFile = join(folder, "jidway.yaml");
	const stderrFile = join(folder, "stderr.log");
	// JSON is YAML.
	const config = { gateway: { id: "live", name: "Live", data: dataFolder }, uplink: { kind: "component", host: "127.0.0.1", ...uplink }, access, links, devices, web: { listen: `127.0.0.1:${webPort}` }, ...more };
	writeFileSync(configFile, JSON.stringify(config, undefined, "\t"), { mode: 0o600 });

	const logs: LogLine[] = [];
	let output = "";
	let program: Program | undefined;
	let closed: Promise<void> = Promise.resolve();
	let isRemoved = false;
	const errors = (): string => (existsSync(stderrFile) ? readFileSync(stderrFile, "utf8") : "");
	const logTail = (): string => [...logs.slice(-40).map((line) => JSON.stringify(line)), errors()].join("\n");

	const start = async (): Promise<void> => {
		const started = await startProgram(process.execPath, [...jidwayCommand, "run", "-c", configFile], { cwd: folder, logFile: stderrFile, pipes: true });
		program = started;
		let rest = "";
		started.stdout?.setEncoding("utf8").on("data", (text: string) => {
			output += text;
			const lines = (rest + text).split("\n");
			rest = lines.pop() ?? "";
			for (const line of lines) logs.push(JSON.parse(line) as LogLine); // each line of the log is JSON, or the test fails
		});
		closed = new Promise((resolve) => started.stdout?.once("close", resolve));
	};
	const stop = async (): Promise<void> => {
		if (program?.running() !== true) return;
		const running = program;
		const began = Date.now();
		process.kill(running.pid, "SIGTERM");
		await waitUntil("the gateway to end after SIGTERM", () => !running.running(), { withinMs: STOP_WITHIN_MS + 1_000, logTail });
		const took = Date.now() - began;
		const how = await running.ended;
		await closed;
		assert.equal(how, "exit code 0", `the gateway must end well after SIGTERM\n${logTail()}`);
		assert.ok(took < STOP_WITHIN_MS, `the gateway must end within ${STOP_WITHIN_MS} ms after SIGTERM; it took ${took}`);
	};
	return {
		configFile, dataFolder, webPort, logs, start, stop,
		pid: () => program?.pid ?? 0,
		log: async (pattern, withinMs = 15_000, since = 0) => {
			const found = (): LogLine | undefined => logs.slice(since).find(({ msg }) => pattern.test(msg));
			await waitUntil(`a log line like ${String(pattern)}`, () => found() !== undefined, { withinMs, logTail, ...(program && { program }) });
			return found()!;
		},
		ready: async (withinMs = 20_000) => {
			let last = "";
			await waitUntil("the gateway to be ready", async () => {
				const said = await readHealth(webPort);
				last = said.text;
				return said.code === 200;
			}, { withinMs, ...(program && { program }), logTail: () => `/readyz: ${last}\n${logTail()}` });
		},
		health: () => readHealth(webPort),
		kill: async () => {
			program?.signal("SIGKILL");
			await program?.ended;
			await closed;
		},
		cli: (...args) => jidway([...args, "-c", configFile], folder),
		remove: async () => {
			if (isRemoved) return;
			isRemoved = true;
			try {
				await stop();
			} finally {
				program?.signal("SIGKILL");
				const said = output + errors();
				removeFolder(folder);
				for (const secret of secretsIn(config)) assert.ok(!said.includes(secret), `a secret of the config stands in the output:\n${said.split("\n").find((line) => line.includes(secret)) ?? ""}`);
			}
		},
	};
}

/** What stands under `secret` and `password`, anywhere. */
function secretsIn(node: unknown): string[] {
	if (typeof node !== "object" || node === null) return [];
	return Object.entries(node).flatMap(([key, value]: [string, unknown]) => ((key === "secret" || key === "password") && typeof value === "string" ? [value] : secretsIn(value)));
}

async function readHealth(port: number): Promise<{ code: number; text: string }> {
	return new Promise((resolve) => {
		const request = get({ host: "127.0.0.1", port, path: "/readyz", agent: false, timeout: 2_000 }, (response) => {
			let text = "";
			response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk)).once("close", () => resolve({ code: response.statusCode ?? 0, text }));
		});
		request.once("timeout", () => request.destroy());
		request.once("error", (error) => resolve({ code: 0, text: error.message })); // nobody listens yet
	});
}
