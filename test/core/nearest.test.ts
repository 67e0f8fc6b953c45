import assert from "node:assert/strict";
import { test } from "node:test";
import { nearest } from "../../src/core/nearest.js";
import { Chance, RUNS } from "../fakes/fuzz.js";

// [word, known, nearest]
const ROWS = [
	["sercet", ["secret", "port"], "secret"], ["buad", ["baud", "data"], "baud"], ["stauts", ["status", "set"], "status"], ["hlep", ["help", "set"], "help"], ["xyzzy", ["help", "set"], undefined], ["HELP", ["help"], "help"], ["dance", ["help", "status", "read", "set"], undefined], ["x".repeat(5_000), ["x"], undefined],
] as const;
for (const [word, known, expected] of ROWS) {
	test(`nearest("${word.slice(0, 10)}") is ${expected}`, () => assert.equal(nearest(word, known), expected));
}

test("nearest() compares at most 500 of the words, however many there are, and none whose length cannot be near", () => {
	const lamps = Array.from({ length: 10_000 }, (_, i) => `lamp-${String(i).padStart(4, "0")}`);
	let compared = 0;
	const counting = (): number => (compared++, 9);
	assert.equal(nearest("lomp-12345", [...lamps, "x", "a much longer name"], counting), undefined);
	assert.ok(compared > 0 && compared <= 500, `${compared} were compared`);
	compared = 0;
	assert.equal(nearest("lamp", ["lamp-0001-in-the-hall", "l", "x".repeat(61), ...lamps], counting), undefined);
	assert.equal(compared, 0);
});

test("nearest() finds the word itself in any case, and what is near in a list of 500, wherever they stand", () => {
	const many = Array.from({ length: 10_000 }, (_, i) => `lamp-${String(i).padStart(4, "0")}`);
	assert.equal(nearest("KETTLE-01", [...many, "kettle-01"]), "kettle-01");
	assert.equal(nearest("kettel-01", [...many.slice(0, 499), "kettle-01"]), "kettle-01");
	assert.equal(nearest("kettel", [...many, "kettle"]), "kettle", "others are too long to be it");
});

test("nearest() skips by length nothing that comparing would have found", () => {
	const chance = new Chance(11);
	const word = (): string => Array.from({ length: 1 + chance.int(7) }, () => chance.pick(["a", "b", "c"])).join("");
	for (let run = 0; run < Math.min(RUNS, 2_000); run++) {
		const [asked, known] = [word(), Array.from({ length: 1 + chance.int(12) }, word)];
		const longest = Math.max(1, Math.floor(Math.min(asked.length, 9) / 3));
		const distances = known.map((one) => slowDistance(asked, one));
		const least = Math.min(...distances);
		assert.equal(nearest(asked, known), least <= longest ? known[distances.indexOf(least)] : undefined, `${asked} in ${known.join(" ")}`);
	}
});

/** By its definition, without a table. */
function slowDistance(a: string, b: string): number {
	if (a === "" || b === "") return a.length + b.length;
	if (a[0] === b[0]) return slowDistance(a.slice(1), b.slice(1));
	const swap = a.length > 1 && b.length > 1 && a[0] === b[1] && a[1] === b[0] ? slowDistance(a.slice(2), b.slice(2)) : Infinity;
	return 1 + Math.min(slowDistance(a.slice(1), b), slowDistance(a, b.slice(1)), slowDistance(a.slice(1), b.slice(1)), swap);
}
