import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { GatewayError } from "../../src/core/errors.js";
import { askGateway, type ControlRequest, isRunning, requestFrom, serveControl, socketPath, streamGateway } from "../../src/web/control-socket.js";
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

test("streamGateway() gets item after item, at the pace of its reader, and the fault that came in the middle", async (t) => {
	let made = 0;
	const folder = await serve(t, async (request) => (async function* () {
		for (; made < 20_000; made++) yield { n: made, filler: "é".repeat(100) };
		if (request.ask === "export") throw new GatewayError("store-failed", "Cannot read the journal: the disk is gone");
	})());
	let count = 0;
	for await (const item of streamGateway(folder, { ask: "history", device: "a", point: "b" }, 5_000)) {
		assert.equal((item as { n: number }).n, count);
		if (++count === 100) {
			await new Promise((resolve) => setTimeout(resolve, 50));
			assert.ok(made < 10_000, `the reader has taken 100, and ${made} were made`); // sockets hold some hundred kB
		}
	}
	assert.equal(count, 20_000);
	await assert.rejects(async () => {
		for await (const _ of streamGateway(folder, { ask: "export" }, 1_000)) continue;
	}, { fault: "store-failed", message: "Cannot read the journal: the disk is gone" });
});

test("a reader that hangs up, or is stopped, ends the stream in the gateway, and others are answered", async (t) => {
	for (const how of ["hangs up", "is stopped"]) {
		let ended = (): void => {};
		const end = new Promise<void>((resolve) => (ended = resolve));
		const folder = await serve(t, async (request) => {
			if (request.ask === "status") return 1;
			return (async function* () {
				try {
					for (;;) yield "x".repeat(1_000);
				} finally {
					ended();
				}
			})();
		});
		const stop = new AbortController();
		const read = async (): Promise<void> => {
			let count = 0;
			for await (const _ of streamGateway(folder, { ask: "export" }, 1_000, stop.signal)) {
				if (++count < 10) continue;
				if (how === "hangs up") return;
				stop.abort();
			}
		};
		if (how === "hangs up") await read();
		else await assert.rejects(read(), { message: "Cannot go on: stopped" });
		await end;
		assert.equal(await askGateway(folder, { ask: "status" }, 1_000), 1);
	}
});

test("streamGateway() says that no gateway runs, and when one says nothing", async (t) => {
	const none = async (folder: string, withinMs: number): Promise<void> => {
		for await (const _ of streamGateway(folder, { ask: "export" }, withinMs)) assert.fail();
	};
	await assert.rejects(none("/nonexistent", 1_000), { fault: "link-down", message: /no gateway is running with this config/ });
	const silent = await serve(t, () => new Promise(() => undefined));
	await assert.rejects(none(silent, 30), { fault: "device-timeout", message: /said nothing for 0\.03 s/ });
	assert.deepEqual([await isRunning(silent), await isRunning("/nonexistent")], [true, false]);
});
