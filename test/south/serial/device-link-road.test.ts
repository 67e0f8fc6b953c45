import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { LinkDevice } from "../../../firmware-sim/link-device.js";
import { planGateway } from "../../../src/assemble.js";
import { parseConfig } from "../../../src/config/load.js";
import { numericFromText, textOf } from "../../../src/core/value.js";
import { LOCAL } from "../../../src/core/command.js";
import { startGateway } from "../../../src/gateway.js";
import type { OpenPort } from "../../../src/south/serial/port.js";
import { MemoryStream } from "../../../src/xmpp/memory.js";
import { FakeClock } from "../../fakes/clock.js";
import { MemoryLog } from "../../fakes/log.js";

test("a board on a link of the protocol cobs-cbor is announced, read with its digits, and obeys until confirmed", async () => {
	const folder = mkdtempSync(join(tmpdir(), "jidway-board-"));
	const clock = new FakeClock();
	const board = new LinkDevice({ clock, everySeconds: 5 });
	const port: OpenPort & { close(): Promise<void> } = { onData: () => undefined, write: async (bytes) => board.receive(bytes), close: async () => undefined };
	board.transmit = (bytes) => port.onData(bytes);
	const loaded = parseConfig(`
gateway: { data: ${folder} }
uplink: { kind: component, domain: things.example.org, secret: x }
links: [{ id: board, kind: serial, path: /dev/ttyUSB0, protocol: cobs-cbor }]
`, join(folder, "jidway.yaml"), {});
	const open = await planGateway(loaded).open({ clock, log: new MemoryLog(), random: () => 0.5, newId: () => "id", version: "0", ports: { open: async () => port }, stream: () => new MemoryStream() });
	const gateway = startGateway(open.parts);
	try {
		await clock.advance(100);
		board.start();
		await clock.advance(10_000);
		const [twin] = [...gateway.registry.all()];
		assert.ok(twin);
		assert.equal(twin.availability, "online");
		const settable = Object.entries(twin.device.points).find(([, point]) => point.kind === "numeric" && point.access === "rw");
		assert.ok(settable && settable[1].kind === "numeric");
		const wish = numericFromText(String(settable[1].min ?? 10))!;
		const done = gateway.execute({ device: twin.device.id, point: settable[0], value: wish, by: LOCAL });
		await clock.advance(8_000);
		const outcome = await done;
		assert.equal(outcome.kind, "confirmed");
		assert.ok(outcome.kind === "confirmed" && textOf(outcome.reading.value).includes("."), "the digits of its scale are kept");
		assert.equal(board.obeyed.length, 1);
	} finally {
		board.stop();
		await gateway.stop();
		rmSync(folder, { recursive: true, force: true });
	}
});
