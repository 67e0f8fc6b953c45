// The demo: everything on this machine alone, with a page to look at, or with --once a conversation that checks itself.

import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { accepts, freePort, makeFolder, removeFolder } from "../test/live/servers/processes.js";
import { playOnce } from "./once.js";
import { servePage } from "./page.js";
import { startStage } from "./stage.js";

const USAGE = `npm run demo              starts everything on this machine alone, and shows a page with a chat
npm run demo -- --once    plays a scripted conversation instead, and checks every answer: exit 0 or 1

  --port N    the page's port on 127.0.0.1 (default: 8620, or another if that is taken)
  --help      this text`;

const USUAL_PORT = 8620;
const folder = fileURLToPath(new URL("../.demo", import.meta.url));

/** Runs the demo. @returns the exit code */
export async function demo(args: readonly string[]): Promise<number> {
	const { values, error } = parse(args);
	if (values === undefined) {
		console.error(`Cannot understand "${args.join(" ")}": ${error}\n\n${USAGE}`);
		return 2;
	}
	if (values.help) {
		console.log(USAGE);
		return 0;
	}
	const stop = new AbortController();
	for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => stop.abort(signal));
	return values.once ? once(stop.signal) : show(values.port, stop.signal);
}

function parse(args: readonly string[]): { values?: { once: boolean; help: boolean; port?: number }; error?: string } {
	try {
		const { values } = parseArgs({ args: [...args], options: { once: { type: "boolean", default: false }, help: { type: "boolean", short: "h", default: false }, port: { type: "string" } } });
		const { once, help, port } = values;
		if (port !== undefined && !(/^\d{1,5}$/.test(port) && Number(port) >= 1 && Number(port) <= 65_535)) return { error: `"--port ${port}" is no port: wanted 1 to 65535` };
		return { values: { once, help, ...(port !== undefined && { port: Number(port) }) } };
	} catch (error) {
		return { error: error instanceof Error ? error.message : String(error) };
	}
}

/** The scripted conversation, in a folder of its own: it may run beside the page. */
async function once(stop: AbortSignal): Promise<number> {
	const work = makeFolder("once");
	try {
		return await playOnce(work, stop);
	} finally {
		removeFolder(work);
	}
}

async function show(wanted: number | undefined, stop: AbortSignal): Promise<number> {
	const running = otherDemo();
	if (running !== undefined) {
		console.error(`Cannot start the demo: one is running already (process ${running.pid}), at ${running.url}\nStop it with Ctrl-C in its terminal, or: kill ${running.pid}`);
		return 1;
	}
	if (wanted !== undefined && (await accepts(wanted))) {
		console.error(`Cannot serve the page: port ${wanted} is taken; choose another with --port`);
		return 1;
	}
	const port = wanted ?? ((await accepts(USUAL_PORT)) ? await freePort() : USUAL_PORT);
	const url = `http://127.0.0.1:${port}/`;
	rmSync(folder, { recursive: true, force: true });
	mkdirSync(folder, { mode: 0o700 });
	writeFileSync(join(folder, "running"), `${process.pid} ${url}\n`);
	try {
		console.log("Starting, on 127.0.0.1 alone:\n");
		const stage = await startStage(folder, (line) => console.log(`  ${line}`), stop);
		const page = await servePage(stage, port).catch(async (error: unknown) => {
			await stage.stop();
			throw error;
		});
		try {
			console.log(`  the page, with Converse        ${url}\n\nIts config, ${stage.configFile}:\n\n${stage.config.replace(/^/gm, "    ").replace(/secret: "[^"]*"/, "secret: …")}`);
			console.log(whatToTry(url));
			const end = await Promise.race([stage.broken, new Promise<undefined>((resolve) => (stop.aborted ? resolve(undefined) : stop.addEventListener("abort", () => resolve(undefined), { once: true })))]);
			if (end === undefined) console.log("\nStopping …");
			else console.error(`\nCannot go on: ${end}. The gateway's last lines:\n${stage.gatewayLog()}\n\nStopping …`);
			return end === undefined ? 0 : 1;
		} finally {
			await page.close();
			await stage.stop();
		}
	} catch (error) {
		if (!stop.aborted) throw error;
		return 0;
	} finally {
		rmSync(folder, { recursive: true, force: true });
		console.log("Nothing is left behind.");
	}
}

function whatToTry(url: string): string {
	return `Open ${url} and try:

  1. write to the thermostat:       set setpoint 22
  2. pull the serial adapter out:   a button on the page; two contacts go offline, and say why
  3. from a second terminal:        npx jidway devices -c .demo/jidway.yaml

Stop with Ctrl-C; nothing is left behind then.`;
}

/** The demo that runs in this clone, if one does. */
function otherDemo(): { readonly pid: number; readonly url: string } | undefined {
	try {
		const [pid = "", url = ""] = readFileSync(join(folder, "running"), "utf8").trim().split(" ");
		// A process id is given out again: it must be a demo that has it now.
		return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("demo") ? { pid: Number(pid), url } : undefined;
	} catch {
		return undefined; // no such file, or no such process
	}
}
