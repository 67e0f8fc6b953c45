import assert from "node:assert/strict";
import { test } from "node:test";
import { parseDuration } from "../../src/core/duration.js";

const ROWS: readonly (readonly [text: string, span: number | undefined])[] = [
	["500ms", 500], ["5s", 5_000], ["15m", 900_000], ["15min", 900_000], ["24h", 86_400_000], ["1d", 86_400_000], ["1.5h", 5_400_000], [" 2 s ", 2_000], ["0s", 0], ["999999999ms", 999_999_999],
	["", undefined], ["5", undefined], ["s", undefined], ["-5s", undefined], ["5S", undefined], ["5 weeks", undefined], ["1e3s", undefined], [".5s", undefined], ["1.2345s", undefined], ["1234567890s", undefined], ["5s 3ms", undefined],
];
for (const [text, span] of ROWS) {
	test(`parseDuration("${text}")`, () => assert.equal(parseDuration(text), span));
}
