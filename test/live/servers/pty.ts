// Serial ports made of software: pseudo-terminals of socat, that can be pulled out and put back.

import { closeSync, constants, existsSync, openSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Duplex } from "node:stream";
import { makeFolder, type Program, removeFolder, startProgram, tailOf, waitUntil } from "./processes.js";

/** A serial port, and what is at the other end of its cable. */
export interface Pty {
	/** What the gateway opens: a link to the device node. */
	readonly path: string;
	/** The device's end. Bytes written while the port is unplugged are lost, as on a cut cable. Never ends before `stop()`. */
	readonly peer: Duplex;
	/** Pulls the adapter: the path vanishes, and whoever has it open gets an error or an end. */
	unplug(): Promise<void>;
	/** Puts it back under the same path. */
	replug(): Promise<void>;
	/** Removes it all. May be called twice. */
	stop(): Promise<void>;
}

/** Two serial ports joined by a null-modem cable. */
export interface PtyPair extends Omit<Pty, "path" | "peer"> {
	readonly a: string;
	readonly b: string;
}

/** Starts one serial port whose other end is a stream. */
export async function startPty(): Promise<Pty> {
	const folder = makeFolder("pty");
	const path = join(folder, "ttyUSB0");
	let plugged: Plugged | undefined;
	const peer = new Duplex({
		write: (chunk: Buffer, _encoding, done) => {
			const stdin = plugged?.program.stdin;
			if (stdin?.writable !== true) done();
			else stdin.write(chunk, () => done()); // An error here is the plug being pulled.
		},
		read: () => plugged?.program.stdout?.resume(),
	});
	const replug = async (): Promise<void> => {
		if (plugged !== undefined) return;
		plugged = await plug(folder, [path], ["STDIO"]);
		const { stdout } = plugged.program;
		stdout?.on("data", (chunk: Buffer) => {
			if (!peer.push(chunk)) stdout.pause();
		});
	};
	const unplug = async (): Promise<void> => {
		await plugged?.pull();
		plugged = undefined;
	};
	const stop = async (): Promise<void> => {
		await unplug();
		peer.destroy();
		removeFolder(folder);
	};
	await orElse(replug, stop);
	return { path, peer, unplug, replug, stop };
}

/** Starts two serial ports, each the other's far end. */
export async function startPtyPair(): Promise<PtyPair> {
	const folder = makeFolder("pty");
	const a = join(folder, "ttyUSB0");
	const b = join(folder, "ttyUSB1");
	let plugged: Plugged | undefined;
	const replug = async (): Promise<void> => {
		plugged ??= await plug(folder, [a, b], []);
	};
	const unplug = async (): Promise<void> => {
		await plugged?.pull();
		plugged = undefined;
	};
	const stop = async (): Promise<void> => {
		await unplug();
		removeFolder(folder);
	};
	await orElse(replug, stop);
	return { a, b, unplug, replug, stop };
}

interface Plugged {
	readonly program: Program;
	pull(): Promise<void>;
}

async function plug(folder: string, paths: readonly string[], others: readonly string[]): Promise<Plugged> {
	const log = join(folder, "socat.log");
	const program = await startProgram("socat", [...paths.map((path) => `PTY,link=${path},rawer`), ...others], { cwd: folder, logFile: log, pipes: true });
	// Held open on our side too: else socat would see the end of the line, and leave, whenever the gateway closes its port.
	const held: number[] = [];
	const pull = async (): Promise<void> => {
		await program.stop(1000);
		for (const handle of held.splice(0)) closeSync(handle);
		for (const path of paths) rmSync(path, { force: true }); // A killed socat leaves its link behind.
	};
	try {
		await waitUntil(`socat to make ${paths.join(" and ")}`, () => paths.every((path) => existsSync(path)), { withinMs: 5000, program, logTail: () => tailOf(log) });
		for (const path of paths) held.push(openSync(path, constants.O_RDWR | constants.O_NOCTTY | constants.O_NONBLOCK));
	} catch (error) {
		await pull();
		throw error;
	}
	return { program, pull };
}

async function orElse(work: () => Promise<void>, undo: () => Promise<void>): Promise<void> {
	try {
		await work();
	} catch (error) {
		await undo();
		throw error;
	}
}
