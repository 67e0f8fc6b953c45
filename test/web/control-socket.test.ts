import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { GatewayError } from "../../src/core/errors.js";
import { askGateway, type ControlRequest, requestFrom, serveControl, socketPath } from "../../src/web/control-socket.js";
import { Chance, RUNS } from "../fakes/fuzz.js";

async function serve(t: TestContext, answer: (request: ControlRequest) => Promise<unknown>): Promise<string> {
	const folder = mkdtempSync(join(tmpdir(), "jidway-sock-"));
	const server = await serveControl(folder, answer);
	t.after(async () => {
		await server.close();
		rmSync(folder, { recursive: true, force: true });
	});
	return folder;
}

test("askGateway() gets the answer, and the gateway's own fault with its message", async (t) => {
	const folder = await serve(t, async (request) => {
		if (request.ask === "read") throw new GatewayError("unknown-device", `Cannot find device "${request.device}"`);
		return { asked: request };
	});
	assert.deepEqual(await askGateway(folder, { ask: "set", device: "a", point: "b", value: "1" }, 1_000), { asked: { ask: "set", device: "a", point: "b", value: "1" } });
	await assert.rejects(askGateway(folder, { ask: "read", device: "x" }, 1_000), { name: "GatewayError", fault: "unknown-device", message: "Cannot find device \"x\"" });
});

test("the socket is for its own user alone", async (t) => {
	const folder = await serve(t, async () => 1);
	assert.equal(statSync(socketPath(folder)).mode & 0o777, 0o600);
});

test("askGateway() says that no gateway runs, and how to start one", async () => {
	await assert.rejects(askGateway("/nonexistent", { ask: "status" }, 1_000), { fault: "link-down", message: /no gateway is running with this config; start one with "jidway run"/ });
});

test("serveControl() refuses a second gateway in one folder, and takes over a socket that a crash left behind", async (t) => {
	const folder = await serve(t, async () => 1);
	await assert.rejects(serveControl(folder, async () => 2), { fault: "busy", message: /another gateway uses/ });
	const other = mkdtempSync(join(tmpdir(), "jidway-sock-"));
	t.after(() => rmSync(other, { recursive: true, force: true }));
	writeFileSync(socketPath(other), "");
	const server = await serveControl(other, async () => 3);
	assert.equal(await askGateway(other, { ask: "status" }, 1_000), 3);
	await server.close();
});

test("serveControl() hangs up on a line without end, and goes on for others", async (t) => {
	const folder = await serve(t, async () => 1);
	await new Promise<void>((resolve) => {
		const socket = connect(socketPath(folder));
		socket.on("error", () => undefined);
		socket.on("close", () => resolve());
		socket.write("x".repeat(200_000));
	});
	assert.equal(await askGateway(folder, { ask: "status" }, 1_000), 1);
});

test("requestFrom() throws nothing but GatewayError", () => {
	const chance = new Chance(5);
	for (const line of ["", "null", "1", "[]", "{}", "{\"ask\":\"read\"}", "{\"ask\":\"set\",\"device\":1}", "{\"ask\":\"__proto__\"}"]) assert.throws(() => requestFrom(line), { name: "GatewayError", fault: "bad-request" });
	for (let run = 0; run < RUNS; run++) assert.throws(() => requestFrom(Buffer.from(chance.bytes(chance.int(40))).toString("latin1")), { name: "GatewayError" });
});
