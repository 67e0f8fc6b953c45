import assert from "node:assert/strict";
import { test } from "node:test";
import { numericFromNumber, numericFromText, sameValue, textOf } from "../../src/core/value.js";

// [what the source wrote, what goes on the wire]
const KEPT = [
	["71.50", "71.50"], ["-0.0", "-0.0"], ["+5", "5"], ["007", "7"], ["1e3", "1000"], ["1.50e1", "15.0"], ["1e-7", "0.0000001"], ["-2.5E-3", "-0.0025"], [".5", "0.5"], ["5.", "5"], [" 21.5 ", "21.5"], ["123456789012345678901", "123456789012345678901"], ["0e99", "0"],
] as const;
for (const [written, kept] of KEPT) {
	test(`numericFromText() keeps the digits of "${written}" as ${kept}`, () => {
		assert.equal(numericFromText(written)?.text, kept);
		assert.equal(numericFromText(written)?.number, Number(written));
	});
}

for (const written of ["", " ", "nan", "NaN", "inf", "-Infinity", "0x1F", "12 V", "1,5", "1.2.3", "--1", "1e999", "1e", ".", "+", "9".repeat(65), `1${"0".repeat(400)}`]) {
	test(`numericFromText() finds no number in "${written.slice(0, 20)}"`, () => assert.equal(numericFromText(written), undefined));
}

test("numericFromNumber() rounds to the decimals asked for, and has no -0.00", () => {
	assert.equal(numericFromNumber(23.400000000000002, 1)?.text, "23.4");
	assert.equal(numericFromNumber(-0.001, 2)?.text, "0.00");
	assert.equal(numericFromNumber(1e-7)?.text, "0.0000001");
	assert.equal(numericFromNumber(Number.NaN), undefined);
	assert.equal(numericFromNumber(Infinity, 1), undefined);
});

test("sameValue() compares numbers by value within half a step, and kinds strictly", () => {
	const n = (text: string) => numericFromText(text)!;
	assert.equal(sameValue(n("22"), n("22.00")), true);
	assert.equal(sameValue(n("22.2"), n("22"), 0.5), true);
	assert.equal(sameValue(n("22.3"), n("22"), 0.5), false);
	assert.equal(sameValue(true, "true"), false);
	assert.equal(sameValue("heat", "heat"), true);
	assert.equal(textOf(n("22.00")), "22.00");
});
