import { readdirSync, readlinkSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { SerialPort } from "serialport";
import { type Clock, type Millis, pause } from "../../core/clock.js";
import { GatewayError } from "../../core/errors.js";
import type { LinkState } from "../link.js";

/** How a port is set: `8N1` is data 8, parity none, stop 1. */
export interface PortSettings {
	readonly path: string;
	readonly baud: number;
	/** Default: none. */
	readonly parity?: "none" | "even" | "odd";
	/** Default: 8. */
	readonly data?: 7 | 8;
	/** Default: 1. */
	readonly stop?: 1 | 2;
}

/** A port while it is open. */
export interface OpenPort {
	/** Resolves when the system took the bytes. @throws {GatewayError} `link-down`. */
	write(bytes: Uint8Array): Promise<void>;
	/** Whoever listens; bytes that come before somebody does are lost. */
	onData: (chunk: Uint8Array) => void;
}

/** Opens one port once: `serialPorts` below, or a test's own. */
export interface PortOpener {
	/**
	 * Open the port. `gone` is called once when it is lost, with a reason; not after `close()`.
	 *
	 * @throws {GatewayError} `link-down`, with what to do about it.
	 */
	open(settings: PortSettings, gone: (reason: string) => void): Promise<OpenPort & { close(): Promise<void> }>;
}

const FIRST_PAUSE: Millis = 500;
const LONGEST_PAUSE: Millis = 10_000;
/** A port that stayed open this long was well: the next trouble is a new one. */
const WELL_AFTER: Millis = 10_000;

/**
 * Hold a port open until `signal` aborts: open it, run a session on it, and open it again when it is lost. Never rejects
 * because of the port.
 *
 * @param session What is done on the open port; its signal aborts when the port is lost. When it ends by itself, the port is opened anew.
 */
export async function holdPort(opener: PortOpener, settings: PortSettings, clock: Clock, tell: (state: LinkState) => void, session: (port: OpenPort, signal: AbortSignal) => Promise<void>, signal: AbortSignal): Promise<void> {
	let wait = FIRST_PAUSE;
	while (!signal.aborted) {
		const lost = new AbortController();
		const stop = (): void => lost.abort();
		signal.addEventListener("abort", stop, { once: true });
		let cancelWell = (): void => {};
		let reason = `Cannot use "${settings.path}": the port was closed`;
		try {
			const port = await opener.open(settings, (why) => {
				reason = why;
				lost.abort();
			});
			cancelWell = clock.after(WELL_AFTER, () => { wait = FIRST_PAUSE; });
			try {
				if (signal.aborted) stop();
				if (!lost.signal.aborted) {
					tell({ up: true });
					await session(port, lost.signal);
				}
			} finally {
				lost.abort();
				await port.close();
			}
		} catch (error) {
			if (!(error instanceof GatewayError) || error.fault !== "link-down") throw error;
			reason = error.message;
		} finally {
			cancelWell();
			signal.removeEventListener("abort", stop);
		}
		if (signal.aborted) return;
		tell({ up: false, reason });
		await pause(clock, wait, signal);
		wait = Math.min(LONGEST_PAUSE, 2 * wait);
	}
}

/** How often to look whether the device node is still the one that was opened. */
const WATCH_EVERY: Millis = 1_000;

const CLOSE_WITHIN: Millis = 2_000;

/** The serial ports of this computer. */
export function serialPorts(clock: Clock): PortOpener {
	return {
		async open(settings, gone) {
			const { path } = settings;
			const before = identityOf(path);
			const port = new SerialPort({
				path, baudRate: settings.baud, parity: settings.parity ?? "none", dataBits: settings.data ?? 8, stopBits: settings.stop ?? 1, autoOpen: false,
				// A second program on the same line would take half of the bytes.
				lock: true,
				// Dropping DTR at close resets Arduino-like boards, each time the gateway restarts.
				hupcl: false,
			});
			let over = false;
			let cancelWatch = (): void => {};
			const lose = (reason: string): void => {
				if (over) return;
				over = true;
				cancelWatch();
				gone(reason);
			};
			// Without a listener an 'error' of the port would end the process.
			port.on("error", (error: Error) => lose(`Cannot use "${path}": ${error.message}`));
			port.on("close", () => lose(vanished(path)));
			await new Promise<void>((resolve, reject) => {
				port.open((error) => (error ? reject(new GatewayError("link-down", openFault(path, error.message, portsById()), { cause: error })) : resolve()));
			});
			// A tty that hung up reads as an endless file of nothing, for which the binding waits without end: the node tells.
			const watch = (): void => {
				if (identityOf(path) !== before) lose(vanished(path));
				else cancelWatch = clock.after(WATCH_EVERY, watch);
			};
			if (!over) cancelWatch = clock.after(WATCH_EVERY, watch);
			const open: OpenPort & { close(): Promise<void> } = {
				onData: () => {},
				write: (bytes) => new Promise((resolve, reject) => {
					const fail = (reason: string): void => {
						reject(new GatewayError("link-down", `Cannot write to "${path}": ${reason}`));
						lose(`Cannot use "${path}": ${reason}`);
					};
					if (over || !port.isOpen) return reject(new GatewayError("link-down", `Cannot write to "${path}": the port is closed`));
					port.write(Buffer.from(bytes), (error) => (error ? fail(error.message) : resolve()));
				}),
				close: () => new Promise((resolve) => {
					over = true;
					cancelWatch();
					if (!port.isOpen) return resolve();
					// A dying adapter may never answer; an error here means that it is closed.
					const cancel = clock.after(CLOSE_WITHIN, resolve);
					port.close(() => {
						cancel();
						resolve();
					});
				}),
			};
			port.on("data", (chunk: Buffer) => open.onData(chunk));
			return open;
		},
	};
}

/** Which device a path leads to: changes when another adapter, or the same one after it was pulled, takes the name. */
function identityOf(path: string): string | undefined {
	try {
		const { rdev, ino } = statSync(path);
		return `${rdev}:${ino}`;
	} catch {
		return undefined; // it is gone, or may not be looked at: both are told apart when it is opened again
	}
}

function vanished(path: string): string {
	return `Cannot use "${path}": the adapter is gone; it is used again as soon as it is back`;
}

const BY_ID = "/dev/serial/by-id";
/** More names than this help nobody. */
const MAX_NAMES = 8;

/** The adapters that are plugged in, by the names that stay; and what each is called now. */
export function portsById(folder = BY_ID): readonly { readonly stable: string; readonly now: string }[] {
	try {
		return readdirSync(folder).sort().slice(0, MAX_NAMES).map((name) => ({ stable: join(folder, name), now: basename(readlinkSync(join(folder, name))) }));
	} catch {
		return []; // no adapter, or a system without udev
	}
}

/** Why a port cannot be opened, and what to do about it, from what the system says. */
export function openFault(path: string, said: string, ports: ReturnType<typeof portsById>): string {
	const stable = ports.find((port) => port.now === basename(path))?.stable;
	if (/no such file|ENOENT|file not found/i.test(said)) {
		const changing = /tty(USB|ACM)\d+$/.test(path) ? " (a name like this changes when adapters are plugged in another order: use one of /dev/serial/by-id)" : "";
		const others = ports.length === 0 ? "no USB adapter is plugged in" : `plugged in are ${ports.map((port) => port.stable).join(", ")}`;
		return `Cannot open "${path}": there is no such port; is the adapter plugged in?${changing} At this moment ${others}`;
	}
	if (/permission denied|EACCES|EPERM/i.test(said)) {
		return `Cannot open "${path}": this user may not use it; run "sudo usermod -aG dialout $USER", then log in again (for a service: SupplementaryGroups=dialout)`;
	}
	if (/lock port|EBUSY|busy|temporarily unavailable/i.test(said)) {
		return `Cannot open "${path}": another program has it open; ModemManager, a second gateway, or a serial console? "sudo fuser -v ${path}" names it`;
	}
	if (/input\/output error|EIO|no such device|ENXIO|ENODEV/i.test(said)) return vanished(path);
	const hint = stable !== undefined && stable !== path ? `; its lasting name is ${stable}` : "";
	return `Cannot open "${path}": ${said.replace(/^Error:?\s*/, "")}${hint}`;
}
