import assert from "node:assert/strict";
import { test } from "node:test";
import { crc16, hasCrc16, withCrc16 } from "../../../src/south/codec/crc.js";
import { Chance, RUNS } from "../../fakes/fuzz.js";

const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex.replaceAll(" ", ""), "hex"));

// [what, bytes, checksum as it is sent: low byte first]
const ROWS = [
	["the example of the serial line guide, section 6.2.2: 02 07 gives 1241, low byte first", "02 07", "41 12"],
	["a relay switched on (Waveshare wiki)", "01 05 00 00 FF 00", "8C 3A"],
	["a voltage (Eastron manual)", "01 04 04 43 66 33 34", "1B 38"],
	["a temperature below zero (XY-MD02 manual)", "01 04 02 FF 33", "B8 D5"],
	["the check value of CRC-16/MODBUS over the ASCII digits 1 to 9: 0x4B37", "31 32 33 34 35 36 37 38 39", "37 4B"],
] as const;

for (const [what, body, sum] of ROWS) {
	test(`withCrc16() and hasCrc16() agree with ${what}`, () => {
		assert.deepEqual(withCrc16(bytes(body)), bytes(`${body} ${sum}`));
		assert.ok(hasCrc16(bytes(`${body} ${sum}`)));
		assert.ok(!hasCrc16(bytes(`${body} ${sum.split(" ").reverse().join("")}`)), "the bytes of the checksum swapped");
	});
}

test("hasCrc16() refuses every frame with one bit turned over", () => {
	const frame = bytes("01 04 04 01 31 02 22 2A CE");
	for (let bit = 0; bit < frame.length * 8; bit++) {
		const damaged = frame.slice();
		damaged[bit >> 3]! ^= 1 << (bit & 7);
		assert.ok(!hasCrc16(damaged), `bit ${bit}`);
	}
});

test("crc16() over a part is crc16() over a copy of that part, and nothing shorter than three bytes has a checksum", () => {
	const chance = new Chance(1);
	for (let run = 0; run < RUNS; run++) {
		const frame = chance.bytes(chance.int(40));
		const from = chance.int(frame.length + 1);
		const to = from + chance.int(frame.length - from + 1);
		assert.equal(crc16(frame, from, to), crc16(frame.slice(from, to)));
		if (to - from < 3) assert.ok(!hasCrc16(frame, from, to));
	}
});
