// What every server of the tests can do, and the one way in which they are started.

import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { accepts, makeFolder, type Program, removeFolder, startProgram, tailOf, waitUntil } from "./processes.js";

/** A running server of our own. */
export interface Server {
	/** Its folder: configuration, data, log. */
	readonly dataDir: string;
	/** The process id; a new one after each `restart()`. */
	pid(): number;
	/** The last lines of its log. */
	logTail(lines?: number): string;
	/** Ends it politely (SIGTERM; SIGKILL after 5 s) and removes its folder. May be called twice. */
	stop(): Promise<void>;
	/** Ends it politely, but keeps the folder, so that `restart()` brings it back. */
	halt(): Promise<void>;
	/** Ends it if it runs, and starts it on the same ports with the same data. */
	restart(): Promise<void>;
	/** Ends it like a power failure (SIGKILL); `restart()` brings it back. */
	kill(): Promise<void>;
	/** Makes it a peer that is dead although its connections stand (SIGSTOP). */
	freeze(): void;
	/** Ends `freeze()`. */
	thaw(): void;
}

export interface ServerSpec {
	readonly name: string;
	readonly folder: string;
	readonly command: string;
	readonly args: readonly string[];
	readonly env?: Readonly<Record<string, string>>;
	/** It is ready when all of these accept connections … */
	readonly ports: readonly number[];
	/** … and its own output has this line. */
	readonly readyLine?: string;
	/** A log that it writes itself, beside its output. */
	readonly ownLog?: string;
	readonly startWithinMs: number;
}

/** An account on an XMPP server; the name is the localpart of its JID. */
export interface Account {
	readonly name: string;
	readonly password: string;
}

/** A component (XEP-0114) that may connect to an XMPP server. */
export interface ComponentAccess {
	readonly domain: string;
	readonly secret: string;
}

/** What Prosody and ejabberd are asked for in the same words. */
export interface XmppServerOptions {
	readonly components?: readonly ComponentAccess[];
	readonly users?: readonly Account[];
	/** The domain of the users; "localhost" if not given. */
	readonly host?: string;
	/** The domain of a conference service (XEP-0045); none if not given. */
	readonly rooms?: string;
	/** Serves BOSH (/http-bind) and WebSocket (/xmpp-websocket, or /ws on ejabberd) on `httpPort`, to pages of any origin. */
	readonly http?: boolean;
	/** Offers STARTTLS with a certificate signed by `caFile`; plain connections stay allowed. */
	readonly tls?: boolean;
}

/** An XMPP server of our own. All ports are of 127.0.0.1. */
export interface XmppServer extends Server {
	readonly host: string;
	readonly c2sPort: number;
	/** Open only if there are components. */
	readonly componentPort: number;
	/** Set if `http` was asked for. */
	readonly httpPort?: number;
	/** Set if `tls` was asked for. */
	readonly caFile?: string;
}

/** Makes the folder for a server. It is removed if what follows fails. */
export async function inNewFolder<T>(name: string, start: (folder: string) => Promise<T>): Promise<T> {
	const folder = makeFolder(name);
	try {
		return await start(folder);
	} catch (error) {
		removeFolder(folder);
		throw error;
	}
}

/**
 * Starts a server and waits until it is ready.
 * @throws {Error} with the end of its log, if it does not get ready in time
 */
export async function startServer(spec: ServerSpec): Promise<Server> {
	const output = join(spec.folder, "output.log");
	let program: Program | undefined;

	const logTail = (lines?: number): string => [output, ...(spec.ownLog === undefined ? [] : [spec.ownLog])].map((file) => tailOf(file, lines)).filter((text) => text !== "").join("\n");
	const start = async (): Promise<void> => {
		// Somebody else's server on our port would pass for ours.
		for (const port of spec.ports) if (await accepts(port)) throw new Error(`Cannot start ${spec.name}: port ${port} is taken`);
		const before = sizeOf(output); // The line must be of this start.
		const started = await startProgram(spec.command, spec.args, { cwd: spec.folder, logFile: output, ...(spec.env !== undefined && { env: spec.env }) });
		program = started;
		const closed = new Set(spec.ports);
		const ready = async (): Promise<boolean> => {
			if (spec.readyLine !== undefined && !readFileSync(output).subarray(before).includes(`${spec.readyLine}\n`)) return false;
			for (const port of closed) if (await accepts(port)) closed.delete(port);
			return closed.size === 0;
		};
		try {
			await waitUntil(`${spec.name} on ports ${spec.ports.join(", ")}`, ready, { withinMs: spec.startWithinMs, program: started, logTail });
		} catch (error) {
			await started.stop(500);
			throw error;
		}
	};
	const halt = async (): Promise<void> => program?.stop();
	await start();
	return {
		dataDir: spec.folder,
		pid: () => program?.pid ?? 0,
		logTail,
		halt,
		stop: async () => {
			await halt();
			removeFolder(spec.folder);
		},
		restart: async () => {
			await halt();
			await start();
		},
		kill: async () => {
			program?.signal("SIGKILL");
			await program?.ended;
		},
		freeze: () => program?.signal("SIGSTOP"),
		thaw: () => program?.signal("SIGCONT"),
	};
}

function sizeOf(file: string): number {
	return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}
