import assert from "node:assert/strict";
import { test } from "node:test";
import { GatewayError } from "../../../src/core/errors.js";
import { type Cbor, isCborMap, readCbor } from "../../../src/south/codec/cbor-reader.js";
import { Chance, mutate, RUNS } from "../../fakes/fuzz.js";

function bytes(hex: string): Uint8Array {
	return Buffer.from(hex.replaceAll(" ", ""), "hex");
}

/** Numbers as their digits, maps as objects. */
function plain(item: Cbor): unknown {
	if (Array.isArray(item)) return item.map(plain);
	if (isCborMap(item)) return Object.fromEntries([...item.members].map(([key, value]) => [key, plain(value)]));
	if (item instanceof Uint8Array) return `h'${Buffer.from(item).toString("hex")}'`;
	return typeof item === "object" && item !== null && "text" in item ? `#${item.text}` : item;
}

/** RFC 8949, appendix A, and what it leaves out. */
const ROWS: readonly (readonly [hex: string, item: unknown])[] = [
	["00", "#0"], ["17", "#23"], ["1818", "#24"], ["1903e8", "#1000"], ["1a000f4240", "#1000000"], ["1bffffffffffffffff", "#18446744073709551615"],
	["1800", "#0"], ["20", "#-1"], ["3903e7", "#-1000"], ["3bffffffffffffffff", "#-18446744073709551616"],
	["c249010000000000000000", "#18446744073709551616"], ["c349010000000000000000", "#-18446744073709551617"], ["c240", "#0"],
	["f90000", "#0"], ["f93c00", "#1"], ["f93e00", "#1.5"], ["f97bff", "#65504"], ["f90001", "#0.00000005960464477539063"], ["f9c400", "#-4"],
	["f97c00", null], ["f97e00", null], ["fa47c35000", "#100000"], ["fa41419 99a".replace(" ", ""), "#12.1"], ["fa7f800000", null], ["fb3ff199999999999a", "#1.1"], ["fbc010666666666666", "#-4.1"], ["fb7ff8000000000000", null],
	["f4", false], ["f5", true], ["f6", null], ["f7", null], ["f0", null], ["f8ff", null],
	["c482 21 19 6ab3", "#273.15"], ["c48220 18 71", "#11.3"], ["c48202 05", "#500"], ["c482 38 63 01", null], ["c1 1a514b67b0", "#1363896240"],
	["4401020304", "h'01020304'"], ["6449455446", "IETF"], ["62c3bc", "ü"], ["60", ""],
	["5f42010243030405ff", "h'0102030405'"], ["7f657374726561646d696e67ff", "streaming"], ["7fff", ""],
	["80", []], ["8301820203820405", ["#1", ["#2", "#3"], ["#4", "#5"]]], ["9f01820203 9f0405ffff", ["#1", ["#2", "#3"], ["#4", "#5"]]],
	["a0", {}], ["a201020304", { 1: "#2", 3: "#4" }], ["a121 62 626e", { "-2": "bn" }], ["bf616101ff", { a: "#1" }], ["a1 f5 01", {}], ["a2 6161 01 6161 02", { a: "#2" }],
];
for (const [hex, item] of ROWS) {
	test(`readCbor(${hex.replaceAll(" ", "")})`, () => assert.deepEqual(plain(readCbor(bytes(hex))), item));
}

const BAD: readonly (readonly [what: string, hex: string, reason: RegExp])[] = [
	["nothing", "", /cut off/], ["a number that is cut off", "1903", /cut off/], ["a text that is cut off", "6461", /cut off/], ["a list that is cut off", "8201", /cut off/], ["a map without its last value", "a101", /cut off/],
	["a length of 2^63 bytes", "5b7fffffffffffffff", /cut off/], ["a list of 2^40 items", "9b0000010000000000", /cut off/], ["reserved numbers", "1c", /reserved/], ["reserved floats", "fc", /reserved/],
	["an end of nothing", "ff", /nothing began/], ["chunks of another kind", "5f6161ff", /another kind/], ["chunks in chunks", "5f5f4101ffff", /another kind/], ["bytes behind it", "0000", /more bytes follow/], ["a text that is not UTF-8", "61ff", /UTF-8/],
	["lists in lists without end", "81".repeat(100), /deeper than 32/], ["tags on tags without end", "c1".repeat(100), /deeper than 32/],
];
for (const [what, hex, reason] of BAD) {
	test(`readCbor() refuses ${what}`, () => assert.throws(() => readCbor(bytes(hex)), (error) => error instanceof GatewayError && error.fault === "bad-payload" && reason.test(error.message)));
}

test("readCbor() takes at most 50 000 items, in a moment", () => {
	const began = performance.now();
	assert.throws(() => readCbor(new Uint8Array(1 << 20).fill(0).fill(0x9f, 0, 1)), /more than 50000 items/);
	assert.ok(performance.now() - began < 500);
});

test("readCbor() throws nothing but its own error, at every cut and for noise", () => {
	const whole = bytes("82 a4 21 66 6465763a61 3a 22 fb41d303a15b001062 23 61 56 00 61 78 bf 02 c48221196ab3 04 f5 08 5f 4101 4102 ff ff".replaceAll(" ", ""));
	const read = (part: Uint8Array): boolean => {
		try {
			readCbor(part);
			return true;
		} catch (error) {
			assert.ok(error instanceof GatewayError, String(error));
			return false;
		}
	};
	for (let cut = 0; cut < whole.length; cut++) assert.equal(read(whole.subarray(0, cut)), false);
	const chance = new Chance(17);
	let good = 0;
	for (let run = 0; run < RUNS; run++) good += Number(read(run % 3 === 0 ? chance.bytes(chance.int(40)) : mutate(chance, whole)));
	assert.ok(good > RUNS / 50, String(good));
});
