// The door for the command line: JSON lines over a unix socket that only the gateway's own user can open.
import { chmodSync, mkdirSync, unlinkSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { type Fault, GatewayError, messageOf } from "../core/errors.js";

/** What the command line may ask of the running gateway. */
export type ControlRequest =
	| { readonly ask: "status" }
	/** What would this config file change? */
	| { readonly ask: "diff"; readonly file: string }
	| { readonly ask: "devices"; readonly pattern?: string }
	| { readonly ask: "read"; readonly device: string; readonly point?: string }
	| { readonly ask: "set"; readonly device: string; readonly point: string; readonly value: string }
	/** Streams the readings of a point, or buckets of so many milliseconds. `from` ≤ source time < `to`, in milliseconds since 1970. */
	| { readonly ask: "history"; readonly device: string; readonly point: string; readonly from?: number; readonly to?: number; readonly bucket?: number }
	/** Streams the readings of everything, of a device, or of one of its points. */
	| { readonly ask: "export"; readonly device?: string; readonly point?: string; readonly from?: number; readonly to?: number }
	/** An absolute path; the gateway writes it. */
	| { readonly ask: "backup"; readonly file: string };

/** One of the two, a line. Before it a stream has any number of lines `{"item": …}`. */
export type ControlAnswer = { readonly ok: unknown } | { readonly fault: Fault; readonly message: string };

/** A request or a command line has no reason to be longer. */
const MAX_LINE = 64 * 1024;
/** Items are collected to so much, in characters, before they are written: one page of the journal. */
const WRITE_AT_ONCE = 64 * 1024;
/** A reader that takes nothing for so long is given up: it is a pager that somebody forgot. */
const READER_WAITS_MS = 3_600_000;
/** Command lines at the same time. */
const MAX_CLIENTS = 16;
const FILE = "jidway.sock";
/** sun_path of unix(7) holds 108 bytes with its end. */
const MAX_PATH = 107;

export function socketPath(dataFolder: string): string {
	return join(dataFolder, FILE);
}

/**
 * Answer command lines until `close()`.
 *
 * The folder is made, with mode 0700, if it is not there.
 *
 * @throws {GatewayError} `bad-config` for a folder that cannot have one, `busy` when it cannot be made now, or another gateway answers on it.
 */
export async function serveControl(dataFolder: string, answer: (request: ControlRequest) => Promise<unknown>): Promise<{ close(): Promise<void> }> {
	const path = socketPath(dataFolder);
	if (Buffer.byteLength(path) > MAX_PATH) throw new GatewayError("bad-config", `Cannot make socket "${path}": a path may have ${MAX_PATH} bytes; choose a shorter "gateway: data:"`);
	mkdirSync(dataFolder, { recursive: true, mode: 0o700 });
	if (await answers(path)) throw new GatewayError("busy", `Cannot start: another gateway uses "${dataFolder}"; stop it, or choose another "gateway: data:"`);
	try {
		unlinkSync(path); // left behind by a crash: nobody answered
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw new GatewayError("busy", `Cannot make socket "${path}": ${messageOf(error)}`, { cause: error });
	}
	const clients = new Set<Socket>();
	const server = createServer((socket) => {
		clients.add(socket);
		socket.on("close", () => clients.delete(socket));
		socket.on("error", () => socket.destroy());
		serveClient(socket, answer).catch(() => socket.destroy()); // it hung up in the middle of an answer
	});
	server.maxConnections = MAX_CLIENTS;
	await new Promise<void>((resolve, reject) => {
		server.on("error", (error) => reject(new GatewayError("busy", `Cannot make socket "${path}": ${error.message}`, { cause: error })));
		server.listen(path, resolve);
	});
	chmodSync(path, 0o600); // until then the folder, which is 0700, keeps others out
	return {
		close: () => new Promise((resolve) => {
			server.close(() => resolve());
			for (const socket of clients) socket.destroy();
		}),
	};
}

async function serveClient(socket: Socket, answer: (request: ControlRequest) => Promise<unknown>): Promise<void> {
	let pending = "";
	for await (const chunk of socket.setEncoding("utf8").iterator({ destroyOnReturn: false }) as AsyncIterable<string>) {
		pending += chunk;
		if (pending.length > MAX_LINE) return void socket.destroy();
		let end: number;
		while ((end = pending.indexOf("\n")) >= 0) {
			const line = pending.slice(0, end);
			pending = pending.slice(end + 1);
			if (!socket.writable) return;
			const last = await answered(line, answer, (text) => written(socket, text));
			if (!socket.writable) return;
			await written(socket, `${JSON.stringify(last)}\n`);
		}
	}
}

/** @param write Resolves when there is room for more; rejects when the reader has hung up. */
async function answered(line: string, answer: (request: ControlRequest) => Promise<unknown>, write: (text: string) => Promise<void>): Promise<ControlAnswer> {
	try {
		const found = await answer(requestFrom(line));
		if (!isStream(found)) return { ok: found };
		let pending = "";
		for await (const item of found) {
			pending += `${JSON.stringify({ item })}\n`;
			if (pending.length < WRITE_AT_ONCE) continue;
			await write(pending); // when it rejects, the stream is told that nobody reads on
			pending = "";
		}
		if (pending !== "") await write(pending);
		return { ok: null };
	} catch (error) {
		if (error instanceof GatewayError) return { fault: error.fault, message: error.message };
		return { fault: "bad-request", message: `Cannot answer: ${messageOf(error)}` };
	}
}

function isStream(found: unknown): found is AsyncIterable<unknown> {
	return typeof found === "object" && found !== null && Symbol.asyncIterator in found;
}

/** Write, and wait until the reader has taken most of it. */
async function written(socket: Socket, text: string): Promise<void> {
	if (!socket.writable) throw new Error("hung up");
	if (socket.write(text)) return;
	socket.setTimeout(READER_WAITS_MS, () => socket.destroy());
	await new Promise<void>((resolve, reject) => {
		const gone = (): void => reject(new Error("hung up"));
		socket.once("close", gone);
		socket.once("drain", () => {
			socket.off("close", gone);
			resolve();
		});
	});
	socket.setTimeout(0);
	socket.removeAllListeners("timeout");
}

/** @throws {GatewayError} `bad-request` */
export function requestFrom(line: string): ControlRequest {
	let found: unknown;
	try {
		found = JSON.parse(line);
	} catch (error) {
		throw new GatewayError("bad-request", `Cannot understand the request: ${messageOf(error)}`, { cause: error });
	}
	const text = (key: string): string | undefined => {
		const value = typeof found === "object" && found !== null ? (found as Record<string, unknown>)[key] : undefined;
		return typeof value === "string" ? value : undefined;
	};
	const [ask, device, point, value, pattern] = [text("ask"), text("device"), text("point"), text("value"), text("pattern")];
	if (ask === "status") return { ask };
	const file = text("file");
	if (ask === "diff" && file !== undefined) return { ask, file };
	if (ask === "devices") return { ask, ...(pattern !== undefined && { pattern }) };
	if (ask === "read" && device !== undefined) return { ask, device, ...(point !== undefined && { point }) };
	if (ask === "set" && device !== undefined && point !== undefined && value !== undefined) return { ask, device, point, value };
	if (ask === "backup" && file !== undefined) return { ask, file };
	const number = (key: string): { readonly [key: string]: number } => {
		const value = typeof found === "object" && found !== null ? (found as Record<string, unknown>)[key] : undefined;
		return typeof value === "number" && Number.isFinite(value) ? { [key]: value } : {};
	};
	const window = { ...number("from"), ...number("to") };
	const { bucket } = number("bucket");
	if (ask === "history" && device !== undefined && point !== undefined && (bucket === undefined || bucket >= 1)) return { ask, device, point, ...window, ...(bucket !== undefined && { bucket }) };
	if (ask === "export") return { ask, ...window, ...(device !== undefined && { device }), ...(point !== undefined && { point }) };
	throw new GatewayError("bad-request", `Cannot understand the request: "${line.slice(0, 80)}"`);
}

/**
 * Ask the running gateway for a stream: item after item, at the pace of the reader.
 *
 * @throws {GatewayError} what the gateway says, also in the middle; `link-down` when none runs or it ends; `device-timeout`.
 */
export async function* streamGateway(dataFolder: string, request: ControlRequest, withinMs: number, signal?: AbortSignal): AsyncGenerator<unknown> {
	const path = socketPath(dataFolder);
	const socket = connect(path);
	let why: Error | undefined;
	let isWaiting = true;
	const abort = (): void => void socket.destroy();
	signal?.addEventListener("abort", abort, { once: true });
	socket.setTimeout(withinMs, () => {
		if (!isWaiting) return; // it is the reader that takes its time
		why = new GatewayError("device-timeout", `Cannot get an answer: the gateway at "${path}" said nothing for ${withinMs / 1_000} s`);
		socket.destroy();
	});
	try {
		socket.write(`${JSON.stringify(request)}\n`);
		let pending = "";
		for await (const chunk of socket.setEncoding("utf8") as AsyncIterable<string>) {
			isWaiting = false;
			const lines = (pending + chunk).split("\n");
			pending = lines.pop() ?? "";
			for (const line of lines) {
				const found = JSON.parse(line) as ControlAnswer | { readonly item: unknown };
				if ("item" in found) yield found.item;
				else if ("ok" in found) return;
				else throw new GatewayError(found.fault, found.message);
			}
			isWaiting = true;
		}
	} catch (error) {
		if (error instanceof GatewayError) throw error;
		if (why === undefined && !signal?.aborted) throw unreachable(path, error);
	} finally {
		signal?.removeEventListener("abort", abort);
		socket.destroy();
	}
	if (signal?.aborted) throw new GatewayError("link-down", "Cannot go on: stopped");
	throw why ?? new GatewayError("link-down", `Cannot get an answer: the gateway at "${path}" closed the socket`);
}

function unreachable(path: string, error: unknown): GatewayError {
	const why = (error as NodeJS.ErrnoException).code === "EACCES" ? "it belongs to another user; run this as the user of the gateway" : "no gateway is running with this config; start one with \"jidway run\"";
	return new GatewayError("link-down", `Cannot reach the gateway at "${path}": ${why}`, { cause: error });
}

/** Does a gateway run with this data folder? */
export function isRunning(dataFolder: string): Promise<boolean> {
	return answers(socketPath(dataFolder));
}

/** Ask the running gateway. @throws {GatewayError} what the gateway says; `link-down` when none runs. */
export function askGateway(dataFolder: string, request: ControlRequest, withinMs: number): Promise<unknown> {
	const path = socketPath(dataFolder);
	return new Promise((resolve, reject) => {
		const socket = connect(path);
		const fail = (error: GatewayError): void => {
			socket.destroy();
			reject(error);
		};
		socket.setTimeout(withinMs, () => fail(new GatewayError("device-timeout", `Cannot get an answer: the gateway at "${path}" said nothing for ${withinMs / 1_000} s`)));
		socket.on("error", (error) => fail(unreachable(path, error)));
		socket.on("connect", () => socket.write(`${JSON.stringify(request)}\n`));
		let heard = "";
		socket.setEncoding("utf8").on("data", (chunk: string) => {
			heard += chunk;
			const end = heard.indexOf("\n");
			if (end < 0) return;
			socket.destroy();
			const found = JSON.parse(heard.slice(0, end)) as ControlAnswer;
			if ("ok" in found) resolve(found.ok);
			else reject(new GatewayError(found.fault, found.message));
		});
		socket.on("close", () => fail(new GatewayError("link-down", `Cannot get an answer: the gateway at "${path}" closed the socket`)));
	});
}

function answers(path: string): Promise<boolean> {
	return new Promise((resolve) => {
		const socket = connect(path);
		socket.once("connect", () => {
			socket.destroy();
			resolve(true);
		});
		// Somebody else's socket is in use, too.
		socket.once("error", (error: NodeJS.ErrnoException) => resolve(error.code === "EACCES"));
	});
}
