import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32 } from "../../../src/south/codec/crc32.js";
import { crcCcitt } from "../../../src/south/codec/crc-ccitt.js";
import { Chance } from "../../fakes/fuzz.js";

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);

test("crcCcitt() has the check value of the catalogue", () => {
	assert.equal(crcCcitt(ascii("123456789")), 0x29b1);
	assert.equal(crcCcitt(new Uint8Array()), 0xffff);
	assert.equal(crcCcitt(ascii("A")), 0xb915);
});

test("crcCcitt() goes on from an earlier part, and is 0 over a message that ends in its own", () => {
	assert.equal(crcCcitt(ascii("6789"), crcCcitt(ascii("12345"))), 0x29b1);
	assert.equal(crcCcitt(Uint8Array.of(...ascii("123456789"), 0x29, 0xb1)), 0);
});

test("crcCcitt() finds every one and every two flipped bits in a frame of 253 bytes", () => {
	const frame = new Chance(3).bytes(253);
	const right = crcCcitt(frame);
	const chance = new Chance(4);
	for (let bit = 0; bit < 253 * 8; bit++) {
		const other = chance.int(253 * 8);
		const damaged = frame.slice();
		damaged[bit >> 3]! ^= 1 << (bit & 7);
		assert.notEqual(crcCcitt(damaged), right);
		if (other === bit) continue;
		damaged[other >> 3]! ^= 1 << (other & 7);
		assert.notEqual(crcCcitt(damaged), right, `bits ${bit} and ${other}`);
	}
});

test("crc32() has the check value of the catalogue, whole or in parts", () => {
	assert.equal(crc32(ascii("123456789")), 0xcbf43926);
	assert.equal(crc32(ascii("1234"), ascii(""), ascii("56789")), 0xcbf43926);
	assert.equal(crc32(), 0);
});
