import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { GatewayError, messageOf } from "../core/errors.js";
import { type GatewayStatus, troubles } from "../core/status.js";
import { METRICS_TYPE } from "./metrics.js";

/** What a monitor may ask: design §3.5. */
export interface HealthServer {
	readonly port: number;
	close(): Promise<void>;
}

/**
 * Serve `/healthz` (200 while the process answers) and `/readyz` (200 when the uplink is online and every link up, else 503
 * with the reasons, a line each), and `/metrics` where there are any.
 *
 * @param listen `host:port`
 * @param metrics The page of metrics: see `metricsPage()`.
 * @throws {GatewayError} `busy` when the port cannot be had.
 */
export async function serveHealth(listen: string, status: () => GatewayStatus, metrics?: () => string): Promise<HealthServer> {
	const at = listen.lastIndexOf(":");
	const host = listen.slice(0, at).replace(/^\[|\]$/g, "");
	const answer = (path: string): readonly [code: number, text: string, type?: string] => {
		if (path === "/healthz") return [200, "alive\n"];
		if (path === "/metrics" && metrics) return [200, metrics(), METRICS_TYPE];
		if (path !== "/readyz") return [404, `Cannot find that: there are /healthz${metrics ? ", /readyz and /metrics" : " and /readyz"}\n`];
		const wrong = troubles(status());
		return wrong.length === 0 ? [200, "ready\n"] : [503, `${wrong.join("\n")}\n`];
	};
	const server = createServer({ requestTimeout: 5_000, headersTimeout: 5_000, maxHeaderSize: 8_192 }, (request, response) => {
		const say = (code: number, text: string, type = "text/plain; charset=utf-8"): void => void response.writeHead(code, { "content-type": type, "cache-control": "no-store", connection: "close" }).end(request.method === "HEAD" ? "" : text);
		if (request.method !== "GET" && request.method !== "HEAD") return say(405, "Cannot do that here: only GET\n");
		try {
			say(...answer((request.url ?? "").split("?")[0] ?? ""));
		} catch (error) {
			say(500, `Cannot tell: ${messageOf(error)}\n`); // a bug, which must not end the gateway
		}
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
