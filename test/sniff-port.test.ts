import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { parse } from "yaml";
import { every, systemClock } from "../firmware-sim/clock.js";
import { openPty } from "../firmware-sim/pty.js";
import { SerialTalker } from "../firmware-sim/serial-talkers.js";
import type { PortOpener, PortSettings } from "../src/south/serial/port.js";
import { sniffPort } from "../src/sniff-port.js";
import { systemClock as clockOfSystem } from "../src/system-clock.js";
import { FakeClock } from "./fakes/clock.js";
import { Chance } from "./fakes/fuzz.js";

test("sniffPort() recognises what speaks at a real port, and prints YAML for it", async () => {
	const pty = await openPty(join(tmpdir(), `jidway-sniff-${process.pid}`));
	const talker = new SerialTalker("vedirect", { clock: systemClock });
	const stop = every(systemClock, 40, () => void pty.stream.write(talker.next()));
	const printed: string[] = [];
	try {
		assert.equal(await sniffPort(pty.path, { seconds: 1, clock: clockOfSystem }, () => {}, (text) => printed.push(text)), 0);
	} finally {
		stop();
		await pty.close();
	}
	assert.deepEqual(parse(printed.join("")), { links: [{ id: "serial0", kind: "serial", path: pty.path, baud: 9_600, protocol: "vedirect" }], devices: [{ id: "serial0-device", link: "serial0" }] });
});

/** A port at which a talker speaks, and which hears noise at any other setting than its own. */
function portOf(talker: SerialTalker | undefined, clock: FakeClock): { readonly ports: PortOpener; readonly tried: PortSettings[] } {
	const tried: PortSettings[] = [];
	const chance = new Chance(2);
	return {
		tried,
		ports: {
			async open(settings) {
				tried.push(settings);
				const port = { onData: (_: Uint8Array): void => {}, write: async (): Promise<void> => {}, close: async (): Promise<void> => stop() };
				const stop = talker === undefined ? (): void => {} : every(clock, 1_000, () => port.onData(settings.baud === talker.baud ? talker.next() : chance.bytes(40).map((byte) => byte | 0x80)));
				return port;
			},
		},
	};
}

test("sniffPort() goes through the baud rates until one makes sense", async () => {
	const clock = new FakeClock();
	const { ports, tried } = portOf(new SerialTalker("jeelink", { clock }), clock);
	const [said, printed]: [string[], string[]] = [[], []];
	const done = sniffPort("/dev/ttyUSB0", { clock, ports }, (text) => said.push(text), (text) => printed.push(text));
	await clock.advance(60_000);
	assert.equal(await done, 0);
	assert.deepEqual(tried.map(({ baud }) => baud), [9_600, 115_200, 57_600]);
	assert.match(printed[0] ?? "", /baud: 57600\n {4}protocol: jeelink\n/);
	assert.match(said[0] ?? "", /^9600 8N1: \d+ bytes, nothing that makes sense$/);
});

test("sniffPort() says what silence can mean", async () => {
	const clock = new FakeClock();
	const said: string[] = [];
	const done = sniffPort("/dev/ttyUSB0", { clock, ports: portOf(undefined, clock).ports, seconds: 1 }, (text) => said.push(text), () => assert.fail("nothing to print"));
	await clock.advance(60_000);
	assert.equal(await done, 1);
	assert.match(said.at(-1) ?? "", /^Nothing was heard\. Modbus units, MH-Z19 and modems speak only when they are asked/);
});
