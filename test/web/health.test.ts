import assert from "node:assert/strict";
import { test } from "node:test";
import type { GatewayStatus } from "../../src/core/status.js";
import { serveHealth } from "../../src/web/health.js";

const WELL: GatewayStatus = { started: 0, uplink: { up: true, since: 0 }, links: [{ id: "farm", up: true, since: 0 }], devices: 1, faults: [] };

test("/healthz is 200 while the process answers; /readyz is 503 with every reason until all is well", async (t) => {
	let status: GatewayStatus = { ...WELL, uplink: { up: false, since: 0, reason: "wrong secret" }, links: [{ id: "farm", up: false, since: 0, reason: "refused" }], store: "the disk is full" };
	const server = await serveHealth("127.0.0.1:0", () => status);
	t.after(() => server.close());
	const get = async (path: string, method = "GET") => {
		const response = await fetch(`http://127.0.0.1:${server.port}${path}`, { method });
		return [response.status, await response.text()];
	};
	assert.deepEqual(await get("/healthz"), [200, "alive\n"]);
	assert.deepEqual(await get("/readyz"), [503, "uplink: wrong secret\nlink \"farm\": refused\nthe disk is full\n"]);
	status = WELL;
	assert.deepEqual(await get("/readyz?x=1"), [200, "ready\n"]);
	assert.equal((await get("/"))[0], 404);
	assert.equal((await get("/healthz", "POST"))[0], 405);
});

test("serveHealth() says that the port is taken, and what to change", async (t) => {
	const server = await serveHealth("127.0.0.1:0", () => WELL);
	t.after(() => server.close());
	await assert.rejects(serveHealth(`127.0.0.1:${server.port}`, () => WELL), { name: "GatewayError", fault: "busy", message: /another program listens there; choose another port under "web: listen:"/ });
});
