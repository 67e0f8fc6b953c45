import assert from "node:assert/strict";
import { test } from "node:test";
import { CHECKSUM_NAMES, type ChecksumName, checksumLength, checksumOf } from "../../../src/south/codec/checksum.js";
import { degreesFromMinutes, shifted, signed } from "../../../src/south/codec/places.js";

/** The check values of the catalogue, of "123456789"; the sums by hand. */
const CHECKS: Readonly<Record<ChecksumName, number>> = {
	none: 0, sum8: 0xdd, "sum8-negative": 0x23, "sum8-inverse": 0x22, sum16: 0x01dd, xor8: 0x31, crc8: 0xf4, "crc8-nrsc": 0xf7, "crc8-maxim": 0xa1, "crc16-modbus": 0x4b37, "crc16-arc": 0xbb3d, "crc16-ccitt": 0x29b1, "crc16-xmodem": 0x31c3,
};

for (const name of CHECKSUM_NAMES) {
	test(`checksumOf() ${name} of "123456789" is the catalogue's, and covers only what it is told to`, () => {
		assert.equal(checksumOf(name, new TextEncoder().encode("123456789")), CHECKS[name]);
		assert.equal(checksumOf(name, new TextEncoder().encode("xx123456789y"), 2, 11), CHECKS[name]);
		assert.ok(CHECKS[name] < 256 ** Math.max(1, checksumLength(name)));
	});
}

test("degreesFromMinutes() keeps the precision of the minutes, and refuses what is beyond the poles", () => {
	const rows = [["5133.82", "N", "51.5636667"], ["00042.24", "W", "-0.7040"], ["0000.0000", "N", "0.000000"], ["9000.00", "S", "-90.0000"], ["9000.01", "N", undefined], ["18000.0", "E", "180.000"], ["18000.1", "E", undefined], ["5160.00", "N", undefined], ["5133.82", "X", undefined], ["", "N", undefined], ["33", "S", undefined]] as const;
	for (const [raw, letter, wished] of rows) assert.equal(degreesFromMinutes(raw, letter)?.text, wished, `${raw} ${letter}`);
});

test("shifted() moves the point and keeps the digits; signed() is two's complement", () => {
	assert.deepEqual([shifted("12530", 3)?.text, shifted("-420", 3)?.text, shifted("000012.340")?.text, shifted("0", 1)?.text, shifted("1e3", 1), shifted("", 1)], ["12.530", "-0.420", "12.340", "0.0", undefined, undefined]);
	assert.deepEqual([signed(0x7f, 8), signed(0x80, 8), signed(0xffff, 16)], [127, -128, -1]);
});
