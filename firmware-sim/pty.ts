import { spawn, type ChildProcessByStdio } from "node:child_process";
import { rm, stat } from "node:fs/promises";
import { Duplex, type Readable, type Writable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";

/** A serial port made of socat: what is written to `stream` is read from `path`, and the other way round. */
export interface Pty {
	/** What a gateway opens: a symbolic link to the pty. */
	readonly path: string;
	readonly stream: Duplex;
	/** Take it away, as when the USB plug is pulled: readers of `path` get an end, and the link is gone. */
	close(): Promise<void>;
}

/** A pty is there at once or never. */
const PATIENCE_MS = 5000;
const LOOK_MS = 10;

/**
 * Make a serial port at `path` for a gateway to open. Needs socat (Debian package `socat`).
 *
 * @throws {Error} when socat is missing or cannot make it.
 */
export async function openPty(path: string): Promise<Pty> {
	if (!/^[A-Za-z0-9/._-]+$/.test(path)) throw new Error(`Cannot make a pty at "${path}": found characters that socat takes for its own, wanted A-Z a-z 0-9 / . _ -`);
	await rm(path, { force: true }); // what a killed socat left behind
	const child = spawn("socat", ["-", `PTY,link=${path},raw,echo=0,mode=0660`], { stdio: ["pipe", "pipe", "ignore"] });
	const stream = streamOfChild(child);
	let failure: Error | undefined;
	const ended = new Promise<void>((resolve) => {
		child.once("error", (cause) => {
			failure = new Error(`Cannot make a pty at "${path}": socat did not start`, { cause });
			resolve();
		});
		child.once("exit", (code) => {
			failure ??= new Error(`Cannot make a pty at "${path}": socat ended with ${code}`);
			resolve();
		});
	});
	const close = async (): Promise<void> => {
		stream.destroy();
		child.kill();
		await ended;
		await rm(path, { force: true });
	};

	for (let waited = 0; failure === undefined && waited < PATIENCE_MS; waited += LOOK_MS) {
		if (await exists(path)) return { path, stream, close };
		await sleep(LOOK_MS);
	}
	await close();
	throw failure ?? new Error(`Cannot make a pty at "${path}": socat did not make it in time`);
}

async function exists(path: string): Promise<boolean> {
	return stat(path).then(
		() => true,
		() => false, // not yet
	);
}

function streamOfChild(child: ChildProcessByStdio<Writable, Readable, null>): Duplex {
	const stream = Duplex.from({ readable: child.stdout, writable: child.stdin });
	stream.on("error", () => stream.destroy()); // socat went away; its exit tells why
	return stream;
}
