// The page of the demo: static files, Converse from node_modules, the physical truth as server-sent events, and the chat's WebSocket passed through to Prosody.
// One port for all of it, so that one `ssh -L` shows the demo of another machine.

import { createReadStream, statSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { connect, type Socket } from "node:net";
import { extname, join, normalize, sep } from "node:path";
import type { Duplex } from "node:stream";
import { fileURLToPath } from "node:url";
import { domain, jidOf, things } from "./config.js";
import { ACTIONS } from "./house.js";
import type { Stage } from "./stage.js";

/** Nothing is fetched from elsewhere: Converse would show logos from its own site. */
const policy = "default-src 'self'; connect-src 'self' ws:; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; script-src 'self' 'wasm-unsafe-eval'; frame-ancestors 'self'";

/** How often the truth is looked at. */
const LOOK_EVERY_MS = 250;
/** Browsers that watch at the same time. */
const MAX_WATCHERS = 20;
/** The longest body of a request is the name of an action. */
const MAX_BODY = 100;

const own = fileURLToPath(new URL(".", import.meta.url));
const converse = fileURLToPath(new URL("../node_modules/converse.js/dist/", import.meta.url));
const files: Readonly<Record<string, string>> = { "/": "page.html", "/page.css": "page.css", "/page.js": "page.js", "/chat": "chat.html", "/chat.css": "chat.css", "/chat.js": "chat.js" };
const types: Readonly<Record<string, string>> = {
	".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".json": "application/json",
	".svg": "image/svg+xml", ".png": "image/png", ".ico": "image/x-icon", ".ttf": "font/ttf", ".wasm": "application/wasm", ".mp3": "audio/mpeg", ".ogg": "audio/ogg",
};

/** Serves the page on 127.0.0.1. @throws {Error} when the port is taken */
export async function servePage(stage: Stage, port: number): Promise<{ close(): Promise<void> }> {
	const watchers = new Set<ServerResponse>();
	const piped = new Set<Duplex>();
	const server = createServer((request, response) => {
		answer(stage, watchers, request, response).catch((error: unknown) => {
			response.statusCode = 500;
			response.end(error instanceof Error ? error.message : String(error));
		});
	});
	server.on("upgrade", (request: IncomingMessage, socket: Socket, head: Buffer) => {
		if (request.url !== "/xmpp-websocket" || !isOurs(request)) return void socket.destroy();
		for (const end of passOn(request, socket, head, stage.webSocketPort)) {
			piped.add(end);
			end.once("close", () => piped.delete(end));
		}
	});
	await listen(server, port);
	const looking = setInterval(() => show(stage, watchers), LOOK_EVERY_MS);
	return {
		close: () => new Promise((resolve) => {
			clearInterval(looking);
			server.close(() => resolve());
			server.closeAllConnections();
			for (const end of piped) end.destroy();
		}),
	};
}

async function answer(stage: Stage, watchers: Set<ServerResponse>, request: IncomingMessage, response: ServerResponse): Promise<void> {
	const path = new URL(request.url ?? "/", "http://localhost").pathname;
	if (!isOurs(request)) return end(response, 403, "This page is for this machine alone");
	if (path === "/act" && request.method === "POST") return act(stage, request, response);
	if (request.method !== "GET") return end(response, 405, "Wanted GET");
	if (path === "/session") return json(response, { jid: `${stage.operator.user}@${domain}`, password: stage.operator.password, open: jidOf("thermostat"), things });
	if (path === "/truth") return watch(stage, watchers, response);
	const file = files[path] !== undefined ? join(own, files[path]) : path.startsWith("/converse/") ? join(converse, normalize(path.slice("/converse".length))) : undefined;
	if (file === undefined || !(file.startsWith(own) || file.startsWith(converse)) || file.includes(`${sep}..`) || !statSync(file, { throwIfNoEntry: false })?.isFile()) return end(response, 404, `There is no ${path}`);
	response.writeHead(200, { "content-type": types[extname(file)] ?? "application/octet-stream", "cache-control": path.startsWith("/converse/") ? "max-age=3600" : "no-store", "x-content-type-options": "nosniff", "content-security-policy": policy });
	createReadStream(file).on("error", () => response.destroy()).pipe(response);
}

/** A page of somebody else in the same browser must get neither the password nor a button: he cannot give this name, nor this origin. */
function isOurs({ headers }: IncomingMessage): boolean {
	const isLocal = (host: string): boolean => /^(127\.0\.0\.1|localhost)(:\d+)?$/.test(host);
	return isLocal(headers.host ?? "") && (headers.origin === undefined || headers.origin === `http://${headers.host ?? ""}`);
}

async function act(stage: Stage, request: IncomingMessage, response: ServerResponse): Promise<void> {
	let body = "";
	for await (const chunk of request.setEncoding("utf8") as AsyncIterable<string>) {
		body += chunk;
		if (body.length > MAX_BODY) return end(response, 413, "Too long");
	}
	const action = ACTIONS.find((known) => known === body);
	if (action === undefined) return end(response, 400, `There is no action "${body}"`);
	await stage.house.act(action);
	end(response, 204, "");
}

function watch(stage: Stage, watchers: Set<ServerResponse>, response: ServerResponse): void {
	if (watchers.size >= MAX_WATCHERS) return end(response, 503, "Too many windows watch already");
	response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
	response.write(`data: ${JSON.stringify(stage.house.state)}\n\n`);
	watchers.add(response);
	response.on("close", () => watchers.delete(response));
}

function show(stage: Stage, watchers: ReadonlySet<ServerResponse>): void {
	const event = `data: ${JSON.stringify(stage.house.state)}\n\n`;
	// Whoever does not read misses some: the next one is whole again.
	for (const watcher of watchers) if (!watcher.writableNeedDrain) watcher.write(event);
}

/** Gives the upgrade request to Prosody as it came, and from then on only carries bytes. */
function passOn(request: IncomingMessage, socket: Socket, head: Buffer, port: number): readonly Duplex[] {
	const upstream = connect({ host: "127.0.0.1", port }, () => {
		const headers = request.rawHeaders.flatMap((name, index) => (index % 2 === 0 ? [`${name}: ${request.rawHeaders[index + 1] ?? ""}`] : []));
		upstream.write(`GET /xmpp-websocket HTTP/1.1\r\n${headers.join("\r\n")}\r\n\r\n`);
		upstream.write(head);
		upstream.pipe(socket).pipe(upstream);
	});
	for (const [end, other] of [[socket, upstream], [upstream, socket]] as const) {
		end.on("error", () => other.destroy());
		end.on("close", () => other.destroy());
	}
	return [socket, upstream];
}

function json(response: ServerResponse, body: unknown): void {
	response.writeHead(200, { "content-type": "application/json", "cache-control": "no-store" });
	response.end(JSON.stringify(body));
}

function end(response: ServerResponse, status: number, text: string): void {
	response.writeHead(status, { "content-type": "text/plain; charset=utf-8" });
	response.end(status === 204 ? undefined : text);
}

async function listen(server: Server, port: number): Promise<void> {
	await new Promise<void>((resolve, reject) => {
		server.once("error", (error) => reject(new Error(`Cannot serve the page on port ${port}: ${error.message}`)));
		server.listen({ host: "127.0.0.1", port }, resolve);
	});
}
