import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeCobs, encodeCobs } from "../../../src/south/codec/cobs.js";
import { Chance, mutate, RUNS } from "../../fakes/fuzz.js";

const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex.replaceAll(" ", ""), "hex"));
const hex = (raw: Uint8Array): string => Buffer.from(raw).toString("hex");
/** 01 02 … of that length, without zeros. */
const run = (from: number, to: number): string => Array.from({ length: to - from + 1 }, (_, at) => (from + at).toString(16).padStart(2, "0")).join("");

// [what, message, encoded]: the examples of Wikipedia, "Consistent Overhead Byte Stuffing", and of section 3 of the paper
const ROWS = [
	["nothing", "", "01"],
	["a zero", "00", "01 01"],
	["two zeros", "00 00", "01 01 01"],
	["a zero between zeros", "00 11 00", "01 02 11 01"],
	["a zero inside", "11 22 00 33", "03 11 22 02 33"],
	["no zero", "11 22 33 44", "05 11 22 33 44"],
	["zeros at the end", "11 00 00 00", "02 11 01 01 01"],
	["the packet of the paper", "45 00 00 2c 4c 79 00 00 40 06 4f 37", "02 45 01 04 2c 4c 79 01 05 40 06 4f 37"],
	["254 bytes: a full block, and none behind it", run(1, 254), `ff ${run(1, 254)}`],
	["a zero and 254 bytes", `00 ${run(1, 254)}`, `01 ff ${run(1, 254)}`],
	["255 bytes", run(1, 255), `ff ${run(1, 254)} 02 ff`],
	["254 bytes and a zero", `${run(1, 254)} 00`, `ff ${run(1, 254)} 01 01`],
	["253 bytes, a zero and one more", `${run(3, 255)} 00 01`, `fe ${run(3, 255)} 02 01`],
] as const;

for (const [what, message, encoded] of ROWS) {
	test(`encodeCobs() and decodeCobs(): ${what}`, () => {
		assert.equal(hex(encodeCobs(bytes(message))), encoded.replaceAll(" ", ""));
		assert.equal(hex(decodeCobs(bytes(encoded)) ?? bytes("dead")), message.replaceAll(" ", ""));
	});
}

for (const [what, encoded] of [["a block that is cut short", "05 11 22 33"], ["a code alone", "02"], ["a zero inside", "03 11 00"], ["a zero as code", "02 11 00"]] as const) {
	test(`decodeCobs() refuses ${what}`, () => assert.equal(decodeCobs(bytes(encoded)), undefined));
}

test("decodeCobs() is the mirror of encodeCobs() for any bytes, and no zero is left", () => {
	const chance = new Chance(11);
	for (let times = 0; times < RUNS; times++) {
		const message = chance.bytes(chance.int(600)).map((byte) => (chance.int(4) === 0 ? 0 : byte));
		const encoded = encodeCobs(message);
		assert.ok(!encoded.includes(0));
		assert.ok(encoded.length <= message.length + 1 + Math.floor(message.length / 254));
		assert.deepEqual(decodeCobs(encoded), message);
		const damaged = decodeCobs(mutate(chance, encoded));
		assert.ok(damaged === undefined || damaged.length < encoded.length + 40);
	}
});
