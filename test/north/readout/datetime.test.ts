import assert from "node:assert/strict";
import { test } from "node:test";
import { formatDateTime, parseDateTime } from "../../../src/north/readout/datetime.js";

test("parseDateTime() reads what peers write, and takes a missing zone for UTC", () => {
	const rows: readonly (readonly [string, number])[] = [
		["2026-03-04T05:06:07Z", Date.UTC(2026, 2, 4, 5, 6, 7)],
		["2026-03-04T05:06:07", Date.UTC(2026, 2, 4, 5, 6, 7)],
		[" 2026-03-04T05:06:07.25Z ", Date.UTC(2026, 2, 4, 5, 6, 7, 250)],
		["2026-03-04T05:06:07.1239999Z", Date.UTC(2026, 2, 4, 5, 6, 7, 123)],
		["2026-03-04T05:06:07+02:30", Date.UTC(2026, 2, 4, 2, 36, 7)],
		["2026-03-04T05:06:07-01:00", Date.UTC(2026, 2, 4, 6, 6, 7)],
		["2024-02-29T00:00:00Z", Date.UTC(2024, 1, 29)],
		["0001-01-01T00:00:00Z", -62_135_596_800_000],
	];
	for (const [text, at] of rows) assert.equal(parseDateTime(text), at, text);
});

test("parseDateTime() refuses what is no moment", () => {
	for (const text of ["", "now", "2026-03-04", "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z", "2026-01-00T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z", "2026-01-01T00:00:60Z",
		"2026-01-01T00:00:00+15:00", "2026-01-01T00:00:00+00:60", "2026-01-01T00:00:00z", "2026-01-01 00:00:00Z", "12026-01-01T00:00:00Z", `2026-01-01T00:00:00.${"0".repeat(60)}Z`]) {
		assert.equal(parseDateTime(text), undefined, text);
	}
});

test("formatDateTime() writes UTC with Z and at most three digits, for years of four", () => {
	assert.equal(formatDateTime(Date.UTC(2026, 2, 4, 5, 6, 7)), "2026-03-04T05:06:07Z");
	assert.equal(formatDateTime(Date.UTC(2026, 2, 4, 5, 6, 7, 50)), "2026-03-04T05:06:07.050Z");
	assert.equal(formatDateTime(-62_135_596_800_000), "0001-01-01T00:00:00Z");
	assert.equal(formatDateTime(Date.UTC(9999, 11, 31, 23, 59, 59, 999)), "9999-12-31T23:59:59.999Z");
	for (const at of [-62_135_596_800_001, Date.UTC(10_000, 0, 1), Number.NaN, Infinity, 1e17]) assert.equal(formatDateTime(at), undefined);
});
