import assert from "node:assert/strict";
import { test } from "node:test";
import { LinkDevice, type LinkDeviceOptions } from "../../firmware-sim/link-device.js";
import { bytes, hex } from "./bytes.js";
import { FakeClock } from "./fake-clock.js";

/** The board of docs/device-link.md, section 10. */
const POINTS = [
	{ name: "temperature", kind: "numeric", access: "r", decimals: 2, unit: "°C", start: 2350 },
	{ name: "setpoint", kind: "numeric", access: "rw", decimals: 1, unit: "°C", min: 50, max: 350, step: 5, start: 210 },
	{ name: "pump", kind: "boolean", access: "rw", start: 0 },
	{ name: "vent", kind: "enum", access: "rw", labels: ["closed", "half", "open"], start: 1 },
] as const;
const WELCOME = "00 0A 77 03 1A 7D AE 20 BD 4D 01 00";

function board(options: Partial<LinkDeviceOptions> = {}): { readonly device: LinkDevice; readonly clock: FakeClock; heard(): string } {
	const clock = new FakeClock();
	const device = new LinkDevice({ clock, points: POINTS, everySeconds: 60, ...options });
	const said: number[] = [];
	device.transmit = (raw) => void said.push(...raw);
	device.start();
	return { device, clock, heard: () => hex(Uint8Array.from(said.splice(0))) };
}

test("LinkDevice speaks the conversation of the document byte by byte", () => {
	const { device, clock, heard } = board();
	assert.equal(heard(), "00 02 48 2D 8A 01 03 1A 7D AE 20 BD 04 08 18 3C 67 67 68 2D 30 30 31 37 6A 47 72 65 65 6E 68 6F 75 73 65 64 47 48 2D 31 65 31 2E 30 2E 30 FF A8 00");
	device.receive(bytes("00 06 70 02 0F 83 19 00"));
	assert.equal(heard(), "00 02 50 0E 88 6B 74 65 6D 70 65 72 61 74 75 72 65 0C 01 02 63 C2 B0 43 F6 F6 F6 6A 55 00 00 0D 50 01 88 68 73 65 74 70 6F 69 6E 74 0F 03 01 63 C2 B0 43 18 32 19 01 5E 05 BF 0F 00 00 0D 50 02 83 64 70 75 6D 70 01 03 46 B9 00 00 1E 50 03 86 64 76 65 6E 74 02 03 66 63 6C 6F 73 65 64 64 68 61 6C 66 64 6F 70 65 6E E4 86 00");
	device.receive(bytes(WELCOME));
	device.receive(bytes("00 08 63 04 82 1A 6B 49 D2 05 18 FA 95 56 00"));
	assert.equal(device.clock, 1_800_000_000_250);
	assert.equal(heard(), "");
	device.report();
	assert.equal(heard(), "02 52 02 85 06 19 09 2E 18 D2 04 01 2B 0F 00");
	device.receive(bytes("00 02 6B 01 03 A7 06 00"));
	assert.equal(device.waiting, 0);
	device.set("temperature", -125);
	device.report();
	heard();
	clock.advance(1_000);
	assert.equal(heard(), "00 0C 44 01 83 19 03 E8 01 38 7C F3 F9 00");
	device.receive(bytes("00 06 6B 01 01 84 16 00"));
	device.receive(bytes("00 09 73 07 82 01 18 E1 82 0D 00"));
	clock.advance(1);
	assert.equal(heard(), "00 05 41 07 53 15 00 04 44 02 83 06 02 18 E1 B8 C8 00");
	assert.equal(device.state["setpoint"], 225);
	device.receive(bytes("00 09 73 07 82 01 18 E1 82 0D 00"));
	assert.equal(heard(), "00 05 41 07 53 15 00", "the same command again is answered, and not carried out again");
	assert.equal(device.obeyed.length, 1);
	device.receive(bytes("00 0A 73 08 82 01 19 03 E7 B5 E0 00"));
	assert.equal(heard(), "00 06 4E 08 03 73 FA 00");
});

test("LinkDevice says nothing but hello before it is welcomed, every two seconds", () => {
	const { device, clock, heard } = board();
	device.report();
	device.receive(bytes("00 09 73 07 82 01 18 E1 82 0D 00"));
	const hello = heard().split(" 00 00 ");
	assert.equal(hello.length, 2, "its own, and the answer to a command");
	clock.advance(6_000);
	assert.equal(heard().split(" 00 00 ").length, 3);
	assert.deepEqual(device.obeyed, []);
	device.receive(bytes(WELCOME));
	assert.equal(device.welcomed, true);
	assert.match(heard(), /^02 52 /, "the report that waited comes now");
});

test("LinkDevice drops what has a wrong checksum, is cut or too long, and hears the next frame", () => {
	const { device, heard } = board();
	heard();
	device.receive(bytes("00 0A 77 03 1A 7D AE 20 BD 4D 02 00"));
	device.receive(bytes("00 0A 77 03 1A 7D 00"));
	device.receive(bytes(`00 ${"55 ".repeat(100)}00`));
	assert.equal(device.broken, 3);
	assert.equal(device.welcomed, false);
	device.receive(bytes(WELCOME));
	assert.equal(device.welcomed, true);
});

test("LinkDevice that is stuck accepts and does not move, that refuses says why, and that is silent says nothing", () => {
	const { device, clock, heard } = board();
	device.receive(bytes(WELCOME));
	heard();
	device.stuck.add("setpoint");
	device.receive(bytes("00 09 73 07 82 01 18 E1 82 0D 00"));
	clock.advance(1);
	assert.equal(device.state["setpoint"], 210);
	assert.match(heard(), /^00 05 41 07 53 15 00 02 52 .* 18 D2 /, "accepted, and the old value is told");
	device.start();
	device.receive(bytes(WELCOME));
	device.refuse = 5;
	heard();
	device.receive(bytes("00 09 73 07 82 01 18 E1 82 0D 00"));
	assert.match(heard(), /^00 06 4E 07 05 /);
	device.silent = true;
	device.receive(bytes("00 05 69 05 FC 18 00"));
	clock.advance(10_000);
	assert.equal(heard(), "");
});

test("LinkDevice leaves no timer when its power goes", () => {
	const { device, clock } = board();
	device.stop();
	assert.equal(clock.pending, 0);
});
