import assert from "node:assert/strict";
import { test } from "node:test";
import { parseValue } from "../../src/core/parse-value.js";
import { checkValue, type Point } from "../../src/core/point.js";
import { GatewayError } from "../../src/core/errors.js";
import { textOf } from "../../src/core/value.js";
import { Chance, mutate, RUNS } from "../fakes/fuzz.js";

const SETPOINT: Point = { kind: "numeric", access: "rw", unit: "°C", min: 5, max: 30 };
const LEVEL: Point = { kind: "numeric", access: "rw", unit: "%", min: 0, max: 100, integer: true };
const HUMIDITY: Point = { kind: "numeric", access: "rw", unit: "%RH" };
const PLUG: Point = { kind: "boolean", access: "rw" };
const MODE: Point = { kind: "enum", access: "rw", labels: ["heat", "Cool", "off", "OFF"] };

// [point, what was typed, what it means]
const GOOD: readonly (readonly [Point, string, string | boolean])[] = [
	[SETPOINT, "22", "22"], [SETPOINT, "22.50", "22.50"], [SETPOINT, "22,5", "22.5"], [SETPOINT, "22,5 C", "22.5"], [SETPOINT, "22 °C", "22"], [SETPOINT, "72F", "22.22"], [SETPOINT, "295.15 K", "22.00"],
	[LEVEL, "50 %", "50"], [LEVEL, "50%", "50"], [HUMIDITY, "45 %", "45"],
	[PLUG, "on", true], [PLUG, "OFF", false], [PLUG, "1", true], [PLUG, "no", false],
	[MODE, "HEAT", "heat"], [MODE, "cool", "Cool"], [MODE, "off", "off"], [MODE, "OFF", "OFF"],
];
for (const [point, typed, meant] of GOOD) {
	test(`parseValue() takes "${typed}" for ${point.kind} as ${meant}`, () => {
		const value = parseValue("p", point, typed);
		assert.equal(typeof meant === "boolean" ? value : textOf(value), meant);
	});
}

// [point, what was typed, what the error says]
const BAD: readonly (readonly [Point, string, RegExp])[] = [
	[SETPOINT, "31", /"31" for "p": it takes 5 to 30 °C/], [SETPOINT, "warm", /takes 5 to 30 °C/], [SETPOINT, "22 V", /takes 5 to 30 °C/], [SETPOINT, "1e999", /takes/],
	[SETPOINT, "22,500", /write 22\.500 or 22500/], [LEVEL, "50.5", /takes 0 to 100 %/], [PLUG, "maybe", /takes on or off/], [MODE, "Off", /takes one of heat, Cool, off, OFF/], [MODE, "dry", /one of/],
];
for (const [point, typed, says] of BAD) {
	test(`parseValue() refuses "${typed}" for ${point.kind}`, () => assert.throws(() => parseValue("p", point, typed), { name: "GatewayError", fault: "bad-value", message: says }));
}

test("parseValue() throws nothing but GatewayError, and gives only what the point takes, whatever is typed", () => {
	const chance = new Chance(23);
	const free: Point = { kind: "numeric", access: "rw" };
	const text: Point = { kind: "text", access: "rw" };
	const points = [SETPOINT, LEVEL, HUMIDITY, PLUG, MODE, free, text];
	const typed = [...GOOD.map(([, said]) => said), ...BAD.map(([, said]) => said), "__proto__", "constructor", "1e309 °C", "-0", "+.", ",", ".5", "5.", "1,2,3", "١٢", "½", "\u0000", "9".repeat(5_000), `${"1".repeat(400)} F`, "1 ".repeat(2_000)];
	const letters = [..."0123456789.,+-eE %°CFK\t\nonOFheat", "\u0000", "\u{1f321}", "\ud800"];
	let taken = 0;
	for (let run = 0; run < RUNS; run++) {
		const said = [
			() => Buffer.from(mutate(chance, Buffer.from(chance.pick(typed)))).toString("utf8"),
			() => Array.from({ length: chance.int(20) }, () => chance.pick(letters)).join(""),
			() => Buffer.from(chance.bytes(chance.int(30))).toString("latin1"),
		][chance.int(3)]!();
		const point = chance.pick(points);
		try {
			checkValue("p", point, parseValue("p", point, said));
			taken++;
		} catch (error) {
			if (!(error instanceof GatewayError) || error.fault !== "bad-value") throw new Error(`${JSON.stringify(said)} for ${point.kind}`, { cause: error });
		}
	}
	assert.ok(taken > RUNS / 20, `only ${taken} were values at all`);
});

test("parseValue() takes time in proportion to what is typed", () => {
	const began = performance.now();
	for (const part of ["1", ",", "1,", "1 ", "e", "°", "+", "\n"]) assert.throws(() => parseValue("p", SETPOINT, part.repeat(200_000)), GatewayError);
	assert.ok(performance.now() - began < 2_000);
});
