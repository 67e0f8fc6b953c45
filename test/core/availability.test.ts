import assert from "node:assert/strict";
import { test } from "node:test";
import { type Availability, type Evidence, judge } from "../../src/core/availability.js";

const NOW = 1_000_000;
// [what, evidence, before, availability, reason]
const ROWS: readonly (readonly [string, Partial<Evidence>, Availability, Availability, RegExp | undefined])[] = [
	["nothing heard and nothing said", {}, "unknown", "unknown", /not heard from yet/],
	["heard, and silence is normal", { heard: 1 }, "unknown", "online", undefined],
	["said to be online", { said: { state: "online", at: NOW } }, "unknown", "online", undefined],
	["said to be offline, though heard", { said: { state: "offline", at: 0, reason: "last will" }, heard: NOW }, "online", "offline", /last will/],
	["said to be asleep", { said: { state: "asleep", at: 0 }, heard: NOW }, "online", "asleep", undefined],
	["heard in its rhythm", { heard: NOW - 2_000, every: 1_000 }, "online", "online", undefined],
	["said to be online long ago, and never heard in its rhythm", { said: { state: "online", at: NOW - 6_000 }, every: 1_000 }, "online", "offline", /nothing heard for 6 s/],
	["heard in what a clock set back calls the future", { heard: NOW + 3_600_000, every: 1_000 }, "online", "online", undefined],
	["not heard since an outage", {}, "online", "unknown", /not heard since its link came back/],
	["late", { heard: NOW - 2_600, every: 1_000 }, "online", "late", /nothing heard for 3 s/],
	["silent for long", { heard: NOW - 5_100, every: 1_000 }, "late", "offline", /nothing heard for 5 s/],
	["heard once after a silence", { heard: NOW, every: 1_000, irregular: true }, "offline", "late", /not yet regularly/],
	["link down within the grace", { linkDown: { since: NOW - 4_000, reason: "gone" }, heard: NOW }, "online", "online", undefined],
	["link down for longer", { linkDown: { since: NOW - 6_000, reason: "gone" }, said: { state: "online", at: NOW } }, "online", "unknown", /gone/],
	["link never up", { linkDown: { since: NOW, reason: "is being opened" } }, "unknown", "unknown", /is being opened/],
];
for (const [what, evidence, before, availability, reason] of ROWS) {
	test(`judge(): ${what} → ${availability}`, () => {
		const found = judge({ irregular: false, ...evidence }, before, NOW);
		assert.equal(found.availability, availability);
		if (reason) assert.match(found.reason ?? "", reason);
		else assert.equal(found.reason, undefined);
	});
}
