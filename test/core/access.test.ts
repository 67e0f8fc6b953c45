import assert from "node:assert/strict";
import { test } from "node:test";
import { Access, matches } from "../../src/core/access.js";
import type { Points } from "../../src/core/point.js";

const POINTS: Points = { temperature: { kind: "numeric", access: "r" }, relay: { kind: "boolean", access: "rw" }, reset: { kind: "boolean", access: "w" } };
const access = new Access([
	{ who: "mallory@ops.example.org", role: "none" },
	{ who: "alice@example.org", role: "owner" },
	{ who: "*@ops.example.org", role: "operator", devices: ["pump-*", "boiler"] },
	{ who: "bob@partner.example", role: "viewer", points: { weather: ["temperature"] } },
]);

// [who, device, point, may read, may set]
const ROWS = [
	["alice@example.org", "anything", "relay", true, true],
	["juliet@ops.example.org", "pump-1", "relay", true, true],
	["juliet@ops.example.org", "lamp", "relay", false, false],
	["juliet@ops.example.org.evil.example", "pump-1", "relay", false, false],
	["ops.example.org", "pump-1", "relay", false, false],
	["mallory@ops.example.org", "pump-1", "relay", false, false],
	["bob@partner.example", "weather", "temperature", true, false],
	["bob@partner.example", "weather", "relay", false, false],
	["bob@partner.example", "boiler", "temperature", false, false],
	["alice@other.example", "boiler", "relay", false, false],
	["xalice@example.org", "boiler", "relay", false, false],
] as const;
for (const [who, device, point, read, set] of ROWS) {
	test(`${who} ${read ? "may" : "may not"} read and ${set ? "may" : "may not"} set ${device}.${point}`, () => {
		assert.equal(access.mayRead(who, device, point), read);
		assert.equal(access.maySet(who, device, point), set);
	});
}

test("a rule that names devices and points speaks of what fits both", () => {
	const both = new Access([{ who: "a@b", role: "operator", devices: ["pump-1"], points: { "*": ["setpoint"] } }]);
	assert.deepEqual([both.maySet("a@b", "pump-1", "setpoint"), both.maySet("a@b", "pump-1", "reset"), both.maySet("a@b", "boiler", "setpoint")], [true, false, false]);
});

test("readable() and settable() list the points in their order, by what each point allows", () => {
	assert.deepEqual(access.readable("alice@example.org", "x", POINTS), ["temperature", "relay"]);
	assert.deepEqual(access.settable("alice@example.org", "x", POINTS), ["relay", "reset"]);
	assert.deepEqual(access.readable("bob@partner.example", "weather", POINTS), ["temperature"]);
	assert.deepEqual(access.settable("bob@partner.example", "weather", POINTS), []);
});

test("maySee() is true with one visible point, and for a device without points by its whole", () => {
	assert.equal(access.maySee("bob@partner.example", "weather", POINTS), true);
	assert.equal(access.maySee("bob@partner.example", "weather", {}), false);
	assert.equal(access.maySee("alice@example.org", "x", {}), true);
	assert.equal(access.knows("mallory@ops.example.org"), false);
	assert.equal(access.knows("juliet@ops.example.org"), true);
});

// [pattern, text, matches]
const PATTERNS = [
	["pump-*", "pump-1", true], ["pump-*", "PUMP-1", true], ["pump-*", "a-pump-1", false], ["*", "", true], ["*.temperature", "boiler.temperature", true], ["a*b*c", "a-b-b-c", true], ["a*b*c", "acb", false], ["ab*ba", "aba", false], ["a.c", "abc", false], ["", "x", false],
] as const;
for (const [pattern, text, expected] of PATTERNS) {
	test(`matches("${pattern}", "${text}") is ${expected}`, () => assert.equal(matches(pattern, text), expected));
}

test("matches() is linear on a hostile pattern", () => {
	assert.equal(matches(`${"a*".repeat(200)}b`, "a".repeat(20_000)), false);
});
