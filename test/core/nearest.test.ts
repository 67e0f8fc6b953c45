import assert from "node:assert/strict";
import { test } from "node:test";
import { nearest } from "../../src/core/nearest.js";

// [word, known, nearest]
const ROWS = [
	["sercet", ["secret", "port"], "secret"], ["buad", ["baud", "data"], "baud"], ["stauts", ["status", "set"], "status"], ["hlep", ["help", "set"], "help"], ["xyzzy", ["help", "set"], undefined], ["HELP", ["help"], "help"], ["dance", ["help", "status", "read", "set"], undefined], ["x".repeat(5_000), ["x"], undefined],
] as const;
for (const [word, known, expected] of ROWS) {
	test(`nearest("${word.slice(0, 10)}") is ${expected}`, () => assert.equal(nearest(word, known), expected));
}
