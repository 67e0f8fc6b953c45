// sd_notify(3), received as systemd receives it: datagrams on a unix socket. Node has none, so Python listens.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { jidwayCommand } from "./gateway-process.js";
import { freePort, makeFolder, removeFolder, waitUntil } from "./servers/processes.js";

const LISTENER = `
import socket, sys
listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
listener.bind(sys.argv[1])
print("listening", flush=True)
while True:
    print(listener.recv(4096).decode().replace("\\n", " "), flush=True)
`;

test("systemd is told that the gateway is ready, alive, reloading and stopping", { timeout: 60_000 }, async (t) => {
	const folder = makeFolder("notify");
	const socket = join(folder, "notify.sock");
	const listener = spawn("python3", ["-c", LISTENER, socket], { stdio: ["ignore", "pipe", "inherit"] });
	const said: string[] = [];
	listener.stdout.setEncoding("utf8").on("data", (text: string) => said.push(...text.trim().split("\n")));
	t.after(() => {
		listener.kill("SIGKILL");
		removeFolder(folder);
	});
	await waitUntil("the listener", () => said.includes("listening"), { withinMs: 15_000 });
	const config = join(folder, "jidway.yaml");
	writeFileSync(config, JSON.stringify({
		gateway: { data: join(folder, "data") }, uplink: { kind: "component", domain: "things.example.org", port: await freePort(), secret: "verysecret" },
		links: [{ id: "own", kind: "mqtt", broker: { listen: `127.0.0.1:${await freePort()}` } }], web: { listen: `127.0.0.1:${await freePort()}` },
	}));
	const gateway = spawn(process.execPath, [...jidwayCommand, "run", "-c", config], { cwd: folder, stdio: "ignore", env: { ...process.env, NOTIFY_SOCKET: socket, WATCHDOG_USEC: "1500000" } });
	t.after(() => void gateway.kill("SIGKILL"));
	const ended = new Promise<number | null>((resolve) => gateway.once("close", resolve));
	const count = (pattern: RegExp): number => said.filter((line) => pattern.test(line)).length;
	await waitUntil("READY=1", () => count(/READY=1/) === 1, { withinMs: 15_000 });
	assert.match(said.find((line) => line.includes("READY=1"))!, /STATUS=Jidway: 1 link, uplink things\.example\.org/);
	await waitUntil("three pings of the watchdog", () => count(/WATCHDOG=1/) >= 3, { withinMs: 15_000 });
	gateway.kill("SIGHUP");
	await waitUntil("RELOADING=1, then READY=1", () => count(/RELOADING=1/) === 1 && count(/READY=1/) === 2, { withinMs: 15_000 });
	gateway.kill("SIGTERM");
	await waitUntil("STOPPING=1", () => count(/STOPPING=1/) === 1, { withinMs: 15_000 });
	assert.equal(await ended, 0);
});
