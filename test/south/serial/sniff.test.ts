import assert from "node:assert/strict";
import { test } from "node:test";
import { parse } from "yaml";
import { SerialTalker, TALKER_NAMES } from "../../../firmware-sim/serial-talkers.js";
import { withCrc16 } from "../../../src/south/codec/crc.js";
import { best, guess, yamlOf } from "../../../src/south/serial/sniff.js";
import { FakeClock } from "../../fakes/clock.js";
import { Chance, RUNS } from "../../fakes/fuzz.js";

/** Some turns of a talker, as they are heard from the middle of a message on. */
function recording(name: (typeof TALKER_NAMES)[number], turns = 6): Uint8Array {
	const talker = new SerialTalker(name, { clock: new FakeClock() });
	talker.next();
	return Uint8Array.from(Array.from({ length: turns }, () => [...talker.next()]).flat().slice(7));
}

for (const name of TALKER_NAMES) {
	test(`guess() recognises ${name} from the middle of a message on`, () => {
		const [first] = guess(recording(name));
		assert.equal(first?.protocol, name);
		assert.ok(first.score > 0.5, `${first.score}: ${first.evidence}`);
	});
}

test("guess() recognises JSON lines, a Modbus line with another master, and plain lines", () => {
	const text = (line: string): Uint8Array => new TextEncoder().encode(line.repeat(5));
	assert.equal(guess(text('{"t":21.5,"h":40}\r\n'))[0]?.protocol, "json-lines");
	assert.equal(guess(text("21.5;40;1013\r\n"))[0]?.protocol, "lines");
	const modbus = [[1, 4, 0, 0, 0, 2], [1, 4, 4, 0x43, 0x66, 0x33, 0x34]].flatMap((frame) => [...withCrc16(Uint8Array.from(frame))]);
	assert.equal(guess(Uint8Array.from([...modbus, ...modbus]))[0]?.protocol, "modbus-rtu");
	assert.deepEqual(guess(new Uint8Array(0)), []);
});

test("best() takes the setting at which the bytes make sense, and not the one with most of them", () => {
	const chance = new Chance(8);
	const found = best([{ mode: { baud: 9_600 }, bytes: chance.bytes(5_000) }, { mode: { baud: 4_800 }, bytes: recording("nmea") }, { mode: { baud: 2_400 }, bytes: new Uint8Array(0) }]);
	assert.deepEqual([found?.protocol, found?.mode.baud], ["nmea", 4_800]);
});

test("guess() finds nothing surely in noise, and never throws", () => {
	const chance = new Chance(6);
	for (let run = 0; run < RUNS / 10; run++) {
		const [first] = guess(chance.bytes(chance.int(300)));
		assert.ok(first === undefined || first.score < 0.8, first?.evidence);
	}
});

test("yamlOf() prints a link that a config takes", () => {
	const found = best([{ mode: { baud: 9_600, parity: "even", data: 7 }, bytes: recording("dsmr") }]);
	assert.ok(found);
	assert.deepEqual(parse(yamlOf("/dev/ttyUSB0", found)), { links: [{ id: "serial0", kind: "serial", path: "/dev/ttyUSB0", baud: 9_600, parity: "even", data: 7, protocol: "dsmr" }], devices: [{ id: "serial0-device", link: "serial0" }] });
});
