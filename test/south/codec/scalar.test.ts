import assert from "node:assert/strict";
import { test } from "node:test";
import { decimalFrom, decimalText } from "../../../src/south/codec/decimal.js";
import { BIG_ENDIAN, decodeScalar, encodeScalar, type Order, type ScalarType, wordsOf } from "../../../src/south/codec/scalar.js";
import { Chance, RUNS } from "../../fakes/fuzz.js";

const words = (hex: string): number[] => hex.split(" ").map((word) => parseInt(word, 16));
const LITTLE_WORDS: Order = { word: "little", byte: "big" };
const LITTLE_BYTES: Order = { word: "big", byte: "little" };
const ALL_LITTLE: Order = { word: "little", byte: "little" };

// [type, order, registers, number]
const ROWS: readonly (readonly [ScalarType, Order, string, string])[] = [
	["u16", BIG_ENDIAN, "0131", "305"],
	["u16", BIG_ENDIAN, "FFFF", "65535"],
	["u16", LITTLE_BYTES, "3101", "305"],
	["i16", BIG_ENDIAN, "FF33", "-205"],
	["i16", BIG_ENDIAN, "8000", "-32768"],
	["i16", BIG_ENDIAN, "7FFF", "32767"],
	["u32", BIG_ENDIAN, "0001 0000", "65536"],
	["u32", LITTLE_WORDS, "03E8 0000", "1000"],
	["u32", LITTLE_WORDS, "0000 FFFF", "4294901760"],
	["i32", BIG_ENDIAN, "FFFF FFFE", "-2"],
	["i32", BIG_ENDIAN, "8000 0000", "-2147483648"],
	["u64", BIG_ENDIAN, "FFFF FFFF FFFF FFFF", "18446744073709551615"],
	["i64", BIG_ENDIAN, "FFFF FFFF FFFF FFFF", "-1"],
	["f32", BIG_ENDIAN, "42C8 0000", "100"], // Eastron SDM320Y manual, holding registers
	["f32", BIG_ENDIAN, "4000 0000", "2"],
	["f32", BIG_ENDIAN, "41AB 3333", "21.4"],
	["f32", BIG_ENDIAN, "BF00 0000", "-0.5"],
	["f32", BIG_ENDIAN, "0000 0000", "0"],
	["f32", LITTLE_WORDS, "0000 42C8", "100"],
	["f32", ALL_LITTLE, "0000 C842", "100"],
	["f32", BIG_ENDIAN, "4366 3334", "230.20001"],
];

for (const [type, order, registers, number] of ROWS) {
	test(`${type} with words ${order.word} and bytes ${order.byte}: ${registers} is ${number}, both ways`, () => {
		const decoded = decodeScalar(type, words(registers), order);
		assert.equal(decoded && decimalText(decoded), number);
		assert.deepEqual(encodeScalar(type, decimalFrom(number)!, order), words(registers));
	});
}

test("decodeScalar() gives nothing for a float that is no number", () => {
	for (const registers of ["7FC0 0000", "7F80 0000", "FF80 0000", "FFFF FFFF"]) assert.equal(decodeScalar("f32", words(registers), BIG_ENDIAN), undefined, registers);
});

test("encodeScalar() gives nothing for what does not fit", () => {
	for (const [type, number] of [["u16", "65536"], ["u16", "-1"], ["i16", "32768"], ["i16", "-32769"], ["u32", "4294967296"], ["i32", "2147483648"], ["u64", "18446744073709551616"], ["f32", `1${"0".repeat(40)}`]] as const) {
		assert.equal(encodeScalar(type, decimalFrom(number)!, BIG_ENDIAN), undefined, `${type} ${number}`);
	}
});

test("encodeScalar() of what decodeScalar() says gives the same registers, whatever they hold", () => {
	const chance = new Chance(3);
	const types: readonly ScalarType[] = ["u16", "i16", "u32", "i32", "u64", "i64", "f32"];
	for (let run = 0; run < RUNS; run++) {
		const type = chance.pick(types);
		const order: Order = { word: chance.pick(["big", "little"]), byte: chance.pick(["big", "little"]) };
		const registers = Array.from({ length: wordsOf(type) }, () => chance.int(65_536));
		const number = decodeScalar(type, registers, order);
		if (number === undefined || (number.digits === 0n && type === "f32")) continue; // -0 has no digits of its own
		if (type === "f32" && Math.abs(Number(decimalText(number))) < 1e-30) continue; // below what 64 digits can say
		assert.deepEqual(encodeScalar(type, number, order), registers, `${type} ${decimalText(number)}`);
	}
});
