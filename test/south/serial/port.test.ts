import assert from "node:assert/strict";
import { mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { GatewayError } from "../../../src/core/errors.js";
import type { LinkState } from "../../../src/south/link.js";
import { holdPort, type OpenPort, openFault, type PortOpener, portsById, serialPorts } from "../../../src/south/serial/port.js";
import { FakeClock } from "../../fakes/clock.js";

const PORTS = [{ stable: "/dev/serial/by-id/usb-FTDI_FT232R-if00-port0", now: "ttyUSB1" }];

// [path, what the system says, what people are told]
const FAULTS = [
	["/dev/ttyUSB0", "Error: No such file or directory, cannot open /dev/ttyUSB0", /is the adapter plugged in\? \(a name like this changes .*\) At this moment plugged in are \/dev\/serial\/by-id\/usb-FTDI_FT232R-if00-port0$/],
	["/dev/serial/by-id/usb-X", "Error: No such file or directory, cannot open /dev/serial/by-id/usb-X", /is the adapter plugged in\? At this moment plugged in are/],
	["/dev/ttyUSB1", "Error: Permission denied, cannot open /dev/ttyUSB1", /sudo usermod -aG dialout \$USER/],
	["/dev/ttyUSB1", "Error Resource temporarily unavailable Cannot lock port", /another program has it open; ModemManager, .*sudo fuser -v \/dev\/ttyUSB1/],
	["/dev/ttyUSB1", "Error: Device or resource busy, cannot open /dev/ttyUSB1", /another program has it open/],
	["/dev/ttyUSB1", "Error: Input/output error, cannot open /dev/ttyUSB1", /the adapter is gone; it is used again as soon as it is back/],
	["/dev/ttyUSB1", "Error: Inappropriate ioctl for device, cannot open", /^Cannot open "\/dev\/ttyUSB1": Inappropriate ioctl for device, cannot open; its lasting name is \/dev\/serial\/by-id/],
] as const;

for (const [path, said, told] of FAULTS) {
	test(`openFault() tells what to do about "${said}"`, () => assert.match(openFault(path, said, PORTS), told));
}

test("openFault() says so when no adapter is plugged in at all", () => assert.match(openFault("/dev/ttyACM0", "No such file or directory", []), /At this moment no USB adapter is plugged in$/));

test("portsById() reads the lasting names without udev, and none where there is no folder", () => {
	const folder = mkdtempSync(join(tmpdir(), "jidway-by-id-"));
	try {
		symlinkSync("../../ttyUSB0", join(folder, "usb-1a86_USB_Serial-if00-port0"));
		assert.deepEqual(portsById(folder), [{ stable: join(folder, "usb-1a86_USB_Serial-if00-port0"), now: "ttyUSB0" }]);
		assert.deepEqual(portsById(join(folder, "none")), []);
	} finally {
		rmSync(folder, { recursive: true });
	}
});

test("serialPorts() refuses a path that is no port, with link-down and not with the end of the process", async () => {
	for (const path of ["/nowhere/ttyUSB0", "/dev/null", tmpdir()]) {
		await assert.rejects(serialPorts(new FakeClock()).open({ path, baud: 9_600 }, () => assert.fail("gone")), (error) => error instanceof GatewayError && error.fault === "link-down" && error.message.startsWith(`Cannot open "${path}": `), path);
	}
});

/** A port that opens when it may, and is lost when the test says so. */
class FakePorts implements PortOpener {
	there = true;
	opened = 0;
	closed = 0;
	lose: (reason: string) => void = () => {};

	async open(_settings: unknown, gone: (reason: string) => void): Promise<OpenPort & { close(): Promise<void> }> {
		if (!this.there) throw new GatewayError("link-down", "Cannot open it: not there");
		this.opened++;
		this.lose = gone;
		return { onData: () => {}, write: async () => {}, close: async () => void this.closed++ };
	}
}

const untilAborted = (_port: OpenPort, signal: AbortSignal): Promise<void> => new Promise((resolve) => (signal.aborted ? resolve() : signal.addEventListener("abort", () => resolve(), { once: true })));

test("holdPort() opens again after half a second, then more and more rarely, at least every ten seconds", async () => {
	const clock = new FakeClock();
	const ports = new FakePorts();
	const states: LinkState[] = [];
	const end = new AbortController();
	const attempts: number[] = [];
	const over = holdPort({ open: (...given) => { attempts.push(clock.now()); return ports.open(...given); } }, { path: "p", baud: 9_600 }, clock, (state) => states.push(state), untilAborted, end.signal);
	await clock.advance(20_000);
	ports.there = false;
	ports.lose("Cannot use it: pulled out");
	await clock.advance(60_000);
	assert.deepEqual(states.slice(0, 3), [{ up: true }, { up: false, reason: "Cannot use it: pulled out" }, { up: false, reason: "Cannot open it: not there" }]);
	assert.deepEqual(attempts.slice(1, 9).map((at, index) => at - (index === 0 ? attempts[0]! + 20_000 : attempts[index]!)), [500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000, 10_000]);
	ports.there = true;
	await clock.advance(10_000);
	assert.deepEqual(states.at(-1), { up: true });
	await clock.advance(20_000);
	ports.lose("Cannot use it: pulled out again");
	await clock.advance(500);
	assert.equal(ports.opened, 3, "a port that was well is opened again soon");
	end.abort();
	await over;
	assert.deepEqual([ports.opened, ports.closed], [3, 3]);
	assert.equal(clock.pending, 0, "no timer is left");
	assert.deepEqual(states.at(-1), { up: true }, "an end that was wished is no loss");
});

test("holdPort() does not open in a hurry a port that is lost as soon as it opens", async () => {
	const clock = new FakeClock();
	const ports = new FakePorts();
	const end = new AbortController();
	const over = holdPort({ open: async (settings, gone) => { const port = await ports.open(settings, gone); gone("Cannot use it: lost"); return port; } }, { path: "p", baud: 9_600 }, clock, () => {}, untilAborted, end.signal);
	await clock.advance(60_000);
	assert.ok(ports.opened < 12, `${ports.opened} times in a minute`);
	assert.equal(ports.opened, ports.closed);
	end.abort();
	await clock.advance(0);
	await over;
});
