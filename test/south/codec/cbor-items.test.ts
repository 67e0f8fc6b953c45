import assert from "node:assert/strict";
import { test } from "node:test";
import { type CborItem, decodeCbor, encodeCbor } from "../../../src/south/codec/cbor-items.js";
import { Chance, mutate, RUNS } from "../../fakes/fuzz.js";

const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex.replaceAll(" ", ""), "hex"));
const hex = (raw: Uint8Array): string => Buffer.from(raw).toString("hex");

// [items, bytes]: the examples of RFC 8949, appendix A, that these items cover
const ROWS: readonly (readonly [readonly CborItem[], string])[] = [
	[[0n], "00"], [[1n], "01"], [[10n], "0a"], [[23n], "17"], [[24n], "1818"], [[25n], "1819"], [[100n], "1864"], [[1000n], "1903e8"], [[1000000n], "1a000f4240"],
	[[1000000000000n], "1b000000e8d4a51000"], [[18446744073709551615n], "1bffffffffffffffff"], [[-18446744073709551616n], "3bffffffffffffffff"],
	[[-1n], "20"], [[-10n], "29"], [[-100n], "3863"], [[-1000n], "3903e7"],
	[[255n], "18ff"], [[256n], "190100"], [[65535n], "19ffff"], [[65536n], "1a00010000"], [[4294967295n], "1affffffff"], [[4294967296n], "1b0000000100000000"], [[-24n], "37"], [[-25n], "3818"],
	[[false], "f4"], [[true], "f5"], [[null], "f6"],
	[[""], "60"], [["a"], "6161"], [["IETF"], "6449455446"], [["\"\\"], "62225c"], [["ü"], "62c3bc"], [["水"], "63e6b0b4"], [["°C"], "63c2b043"],
	[[{ list: 0 }], "80"], [[{ list: 3 }, 1n, 2n, 3n], "83010203"], [[{ list: 3 }, 1n, { list: 2 }, 2n, 3n, { list: 2 }, 4n, 5n], "8301820203820405"],
	[[], ""], [["a".repeat(24)], `7818${"61".repeat(24)}`],
];

for (const [items, raw] of ROWS) {
	test(`encodeCbor() and decodeCbor(): ${raw.slice(0, 40)}`, () => {
		assert.equal(hex(encodeCbor(items)), raw);
		assert.deepEqual(decodeCbor(bytes(raw)), items);
		for (let cut = 1; cut < raw.length / 2; cut++) {
			const cutOff = decodeCbor(bytes(raw).subarray(0, cut));
			assert.ok(cutOff === undefined || cutOff.length < items.length, `cut at ${cut}`);
		}
	});
}

const REFUSED = [
	["a float", "fb3ff199999999999a"], ["a half float", "f93c00"], ["undefined", "f7"], ["a simple value", "f0"], ["a map", "a0"], ["a tag", "c074"], ["a byte string", "4101"],
	["an endless list", "9f00ff"], ["an endless text", "7f6161ff"], ["a break", "ff"], ["a reserved length", "1c"], ["23 in two bytes", "1817"], ["255 in three", "1900ff"], ["65535 in five", "1a0000ffff"],
	["32 bits in nine", "1b00000000ffffffff"], ["a text that is no UTF-8", "62c328"], ["a text longer than the rest", "6461"], ["a text of 2^64 bytes", "7bffffffffffffffff"], ["a list of 2^64 items", "9bffffffffffffffff"], ["a list longer than the rest can be", "9818"],
] as const;

for (const [what, raw] of REFUSED) test(`decodeCbor() refuses ${what}`, () => assert.equal(decodeCbor(bytes(raw)), undefined));

test("encodeCbor() refuses an integer of more than 64 bits", () => {
	assert.throws(() => encodeCbor([2n ** 64n]), RangeError);
	assert.throws(() => encodeCbor([-(2n ** 64n) - 1n]), RangeError);
});

test("decodeCbor() takes no bytes but those that encodeCbor() writes, and throws for none", () => {
	const chance = new Chance(21);
	const good = bytes(`8a${"1903e8"}${"3863"}63c2b043f6f51a000f4240`);
	for (let times = 0; times < RUNS; times++) {
		const raw = chance.int(2) === 0 ? mutate(chance, good) : chance.bytes(chance.int(20));
		const items = decodeCbor(raw);
		if (items) assert.equal(hex(encodeCbor(items)), hex(raw));
	}
});
