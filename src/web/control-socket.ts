// The door for the command line: JSON lines over a unix socket that only the gateway's own user can open.
import { chmodSync, mkdirSync, unlinkSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { type Fault, GatewayError, messageOf } from "../core/errors.js";

/** What the command line may ask of the running gateway. */
export type ControlRequest =
	| { readonly ask: "status" }
	| { readonly ask: "devices"; readonly pattern?: string }
	| { readonly ask: "read"; readonly device: string; readonly point?: string }
	| { readonly ask: "set"; readonly device: string; readonly point: string; readonly value: string };

/** One of the two, a line. */
export type ControlAnswer = { readonly ok: unknown } | { readonly fault: Fault; readonly message: string };

/** A request or a command line has no reason to be longer. */
const MAX_LINE = 64 * 1024;
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
			socket.write(`${JSON.stringify(await answered(line, answer))}\n`);
		}
	}
}

async function answered(line: string, answer: (request: ControlRequest) => Promise<unknown>): Promise<ControlAnswer> {
	try {
		return { ok: await answer(requestFrom(line)) };
	} catch (error) {
		if (error instanceof GatewayError) return { fault: error.fault, message: error.message };
		return { fault: "bad-request", message: `Cannot answer: ${messageOf(error)}` };
	}
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
	if (ask === "devices") return { ask, ...(pattern !== undefined && { pattern }) };
	if (ask === "read" && device !== undefined) return { ask, device, ...(point !== undefined && { point }) };
	if (ask === "set" && device !== undefined && point !== undefined && value !== undefined) return { ask, device, point, value };
	throw new GatewayError("bad-request", `Cannot understand the request: "${line.slice(0, 80)}"`);
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
		socket.on("error", (error: NodeJS.ErrnoException) => {
			const why = error.code === "EACCES" ? "it belongs to another user; run this as the user of the gateway" : "no gateway is running with this config; start one with \"jidway run\"";
			fail(new GatewayError("link-down", `Cannot reach the gateway at "${path}": ${why}`, { cause: error }));
		});
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
