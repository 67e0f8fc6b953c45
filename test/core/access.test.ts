import assert from "node:assert/strict";
import { test } from "node:test";
import { Access, type AccessRule, matches, type Role } from "../../src/core/access.js";
import type { Points } from "../../src/core/point.js";
import { Chance, RUNS } from "../fakes/fuzz.js";
import { PlainAccess } from "./plain-access.js";

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

test("what is remembered says the same as the rules asked anew, for any rules, people, devices and points, in any order", () => {
	const chance = new Chance(40_004);
	const ids = ["pump-1", "Pump-2", "boiler", "", "pump", "ump-1", "boiler-pump-1"];
	const names = ["temperature", "relay", "Reset", "", "relay.2"];
	const people = ["alice@example.org", "bob@example.org", "bob@ops.example.org", "example.org", "@example.org", "a@example.org@example.org"];
	const some = <T>(from: readonly T[], most: number): T[] => Array.from({ length: chance.int(most + 1) }, () => chance.pick(from));
	const patterns = (of: readonly string[]): string[] => [...of, "*", "p*", "*1", "P*-*", "*o*", "**", "r*.*"];
	const rule = (): AccessRule => ({
		who: chance.pick([...people, "*@example.org", "*@ops.example.org", "*@"]), role: chance.pick<Role>(["none", "viewer", "operator", "owner"]),
		...(chance.int(2) === 0 && { devices: some(patterns(ids), 2) }),
		...(chance.int(2) === 0 && { points: Object.fromEntries(some(patterns(ids), 2).map((id) => [id, some(patterns(names), 2)])) }),
	});
	const shapes = Array.from({ length: 6 }, (): Points => Object.fromEntries(some(names, 4).map((name) => [name, { kind: "boolean", access: chance.pick(["r", "w", "rw"] as const) }])));
	let seen = 0;
	for (let run = 0; run < RUNS / 10; run++) {
		const rules = Array.from({ length: chance.int(6) }, rule);
		const [plain, real] = [new PlainAccess(rules), new Access(rules)];
		for (let question = 0; question < 60; question++) {
			// One shape is that of many devices, and a device comes to have another one.
			const [who, id, name, points] = [chance.pick(people), chance.pick(ids), chance.pick(names), chance.pick(shapes)];
			const said = (of: Access | PlainAccess): unknown[] => [
				of.role(who, id, name), of.mayRead(who, id, name), of.maySet(who, id, name), of.maySee(who, id, points), of.readable(who, id, points), of.settable(who, id, points), of.knows(who),
			];
			assert.deepEqual(said(real), said(plain), JSON.stringify({ rules, who, id, name, points }));
			if (plain.maySee(who, id, points)) seen++;
		}
	}
	assert.ok(seen > RUNS / 10, `${seen} seen`);
});

test("more people and devices than are remembered are judged like the first", () => {
	const many = new Access([{ who: "*@example.org", role: "viewer", devices: ["*7"] }]);
	for (let n = 0; n < 2_500; n++) assert.equal(many.maySee(`p${n}@example.org`, `pump-${n}`, POINTS), n % 10 === 7);
	for (let n = 0; n < 120_000; n++) assert.equal(many.maySee("alice@example.org", `pump-${n}`, POINTS), n % 10 === 7);
});
