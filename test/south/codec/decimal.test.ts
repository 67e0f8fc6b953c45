import assert from "node:assert/strict";
import { test } from "node:test";
import { type Decimal, decimalFrom, decimalText, roundTo, scaled, unscaled } from "../../../src/south/codec/decimal.js";
import { Chance, RUNS } from "../../fakes/fuzz.js";

const decimal = (text: string): Decimal => decimalFrom(text) ?? assert.fail(`no decimal: ${text}`);

// [raw, scale, offset, value]
const SCALED = [
	["234", "0.1", "0", "23.4"],
	["450", "0.1", "0", "45.0"],
	["-205", "0.1", "0", "-20.5"],
	["3", "0.1", "0", "0.3"], // 0.30000000000000004 in floats
	["1", "0.001", "0", "0.001"],
	["0", "0.01", "0", "0.00"],
	["65535", "0.1", "0", "6553.5"],
	["100", "1", "-40", "60"],
	["250", "0.1", "-40", "-15.0"],
	["25", "1", "-273.15", "-248.15"],
	["12", "10", "0", "120"],
	["5", "0.5", "0.25", "2.75"],
	["18446744073709551615", "0.001", "0", "18446744073709551.615"],
] as const;

for (const [raw, scale, offset, value] of SCALED) {
	test(`scaled() makes ${value} of ${raw} × ${scale} + ${offset}, and unscaled() goes back`, () => {
		assert.equal(decimalText(scaled(decimal(raw), decimal(scale), decimal(offset))), value);
		assert.equal(decimalText(unscaled(decimal(value), decimal(scale), decimal(offset))), raw);
	});
}

// [value, decimals, rounded]
const ROUNDED = [
	["0.05", 1, "0.1"], ["-0.05", 1, "-0.1"], ["0.049", 1, "0.0"], ["-0.04", 1, "0.0"], ["2.5", 0, "3"], ["1.005", 2, "1.01"], ["7", 2, "7.00"], ["230.20001", 2, "230.20"],
] as const;

for (const [value, decimals, rounded] of ROUNDED) {
	test(`roundTo() makes ${rounded} of ${value} with ${decimals} decimals`, () => assert.equal(decimalText(roundTo(decimal(value), decimals)), rounded));
}

test("unscaled() takes the nearest whole number, halves away from zero", () => {
	assert.equal(decimalText(unscaled(decimal("21.55"), decimal("0.1"), decimal("0"))), "216");
	assert.equal(decimalText(unscaled(decimal("-21.55"), decimal("0.1"), decimal("0"))), "-216");
	assert.equal(decimalText(unscaled(decimal("21.54"), decimal("0.1"), decimal("0"))), "215");
	assert.equal(decimalText(unscaled(decimal("10"), decimal("3"), decimal("0"), 2)), "3.33");
	assert.equal(decimalText(unscaled(decimal("10"), decimal("-2"), decimal("0"))), "-5");
});

test("decimalFrom() takes plain digits alone", () => {
	for (const text of ["", " 1", "1e3", "NaN", ".5", "5.", "1,5", "0x10", "--1", "1.2.3", "9".repeat(70)]) assert.equal(decimalFrom(text), undefined, text);
	assert.equal(decimalText(decimal("+007.10")), "7.10");
	assert.equal(decimalText(decimal("-0.5")), "-0.5");
});

test("scaled() and unscaled() are each other's mirror for any raw number", () => {
	const chance = new Chance(2);
	for (let run = 0; run < RUNS; run++) {
		const raw = { digits: BigInt(chance.int(2 ** 31)) - 2n ** 30n, decimals: 0 };
		const scale = { digits: BigInt(1 + chance.int(999)), decimals: chance.int(5) };
		const offset = { digits: BigInt(chance.int(2000) - 1000), decimals: chance.int(3) };
		assert.deepEqual(unscaled(scaled(raw, scale, offset), scale, offset), raw);
	}
});
