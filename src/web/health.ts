import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { GatewayError } from "../core/errors.js";
import { type GatewayStatus, troubles } from "../core/status.js";

/** What a monitor may ask: design §3.5. */
export interface HealthServer {
	readonly port: number;
	close(): Promise<void>;
}

/**
 * Serve `/healthz` (200 while the process answers) and `/readyz` (200 when the uplink is online and every link up, else 503
 * with the reasons, a line each).
 *
 * @param listen `host:port`
 * @throws {GatewayError} `busy` when the port cannot be had.
 */
export async function serveHealth(listen: string, status: () => GatewayStatus): Promise<HealthServer> {
	const at = listen.lastIndexOf(":");
	const host = listen.slice(0, at).replace(/^\[|\]$/g, "");
	const server = createServer({ requestTimeout: 5_000, headersTimeout: 5_000, maxHeaderSize: 8_192 }, (request, response) => {
		const say = (code: number, text: string): void => void response.writeHead(code, { "content-type": "text/plain; charset=utf-8", "cache-control": "no-store", connection: "close" }).end(request.method === "HEAD" ? "" : text);
		if (request.method !== "GET" && request.method !== "HEAD") return say(405, "Cannot do that here: only GET\n");
		const path = (request.url ?? "").split("?")[0];
		if (path === "/healthz") return say(200, "alive\n");
		if (path !== "/readyz") return say(404, "Cannot find that: there are /healthz and /readyz\n");
		const wrong = troubles(status());
		return wrong.length === 0 ? say(200, "ready\n") : say(503, `${wrong.join("\n")}\n`);
	});
	server.maxConnections = 50; // a monitor needs one; more is a flood
	await listening(server, host, Number(listen.slice(at + 1)), listen);
	return {
		port: (server.address() as AddressInfo).port,
		close: () => new Promise((resolve) => {
			server.close(() => resolve());
			server.closeAllConnections();
		}),
	};
}

function listening(server: Server, host: string, port: number, listen: string): Promise<void> {
	return new Promise((resolve, reject) => {
		server.on("error", (error: NodeJS.ErrnoException) => {
			const why = error.code === "EADDRINUSE" ? "another program listens there; choose another port under \"web: listen:\"" : error.message;
			reject(new GatewayError("busy", `Cannot listen on ${listen}: ${why}`, { cause: error }));
		});
		server.listen(port, host, () => resolve());
	});
}
