import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { GatewayError } from "../../src/core/errors.js";
import { textOf } from "../../src/core/value.js";
import { asValue, atPath, decodeText, isArray, isNumber, isObject, type Json, MAX_JSON_LENGTH, parseJson, scalars } from "../../src/south/json.js";
import { Chance, mutate, RUNS } from "../fakes/fuzz.js";

/** What JSON.stringify shows of a Json, with numbers as their digits. */
function shown(json: Json | undefined): unknown {
	if (isNumber(json)) return `#${json.text}`;
	if (isArray(json)) return json.map(shown);
	if (isObject(json)) return Object.fromEntries(Object.entries(json).map(([key, value]) => [key, shown(value)]));
	return json;
}

const GOOD: [string, unknown][] = [
	["21.50", "#21.50"],
	["-0.0", "#-0.0"],
	["1e3", "#1000"],
	["1E-3", "#0.001"],
	["12345678901234567890", "#12345678901234567890"],
	["  true\r\n", true],
	["null", null],
	['"\\u00b0C \\"x\\" \\\\"', '°C "x" \\'],
	["[]", []],
	["{}", {}],
	['{"a":{"b":[1.0,"x",null,false]}}', { a: { b: ["#1.0", "x", null, false] } }],
	['{"a":1,"a":{"b":2}}', { a: { b: "#2" } }],
	['{"text":"x","number":1}', { text: "x", number: "#1" }],
	['{"":"empty"}', { "": "empty" }],
	["1e400", "1e400"],
	["9".repeat(65), "9".repeat(65)],
	["[".repeat(64) + "]".repeat(64), JSON.parse("[".repeat(64) + "]".repeat(64))],
	[`"${"[{".repeat(100)}\\"["`, `${"[{".repeat(100)}"[`],
];

const BAD: (string | Uint8Array)[] = [
	"", " ", "ON", "nan", "NaN", "+1", "01", ".5", "1.", "1 2", "{", "[1", "[1,]", '{"a"}', '{"a":}', "{'a':1}", '"\n"', '"x', "tru", "undefined", "[1]]", "// x",
	"[".repeat(65) + "]".repeat(65), "[".repeat(1_000_000), '{"a":'.repeat(100_000), `[${" ".repeat(MAX_JSON_LENGTH)}]`,
	Uint8Array.of(0xff), Uint8Array.of(0x22, 0xc3, 0x22), Uint8Array.of(0x22, 0xed, 0xa0, 0x80, 0x22),
];

describe("parseJson()", () => {
	for (const [text, wanted] of GOOD) {
		test(`reads ${text.slice(0, 40)}`, () => {
			assert.deepEqual(shown(parseJson(text)), wanted);
			assert.deepEqual(shown(parseJson(Buffer.from(text))), wanted);
		});
	}

	test("refuses what is no JSON, is too long or too deep", () => {
		for (const text of BAD) assert.throws(() => parseJson(text), (error: unknown) => error instanceof GatewayError && error.fault === "bad-payload" && error.message.length < 300, String(text).slice(0, 40));
	});

	test("gives objects without a prototype, whatever their keys", () => {
		const json = parseJson('{"__proto__":{"polluted":true},"constructor":1}');
		assert.ok(isObject(json));
		assert.deepEqual(Object.keys(json), ["__proto__", "constructor"]);
		assert.equal(Object.getPrototypeOf(json), null);
		assert.equal(json["toString"], undefined);
		assert.equal(Reflect.get({}, "polluted"), undefined);
	});

	test("tells an object with the members of a number from a number", () => {
		const json = parseJson('{"text":"<x/>","number":{}}');
		assert.equal(isNumber(json), false);
		assert.equal(asValue(json), undefined);
	});

	test("agrees with JSON.parse() on what is JSON, and never throws anything but bad-payload", () => {
		const chance = new Chance(0x15011);
		for (let n = 0; n < RUNS; n++) {
			const bytes = mutate(chance, Buffer.from(chance.pick(GOOD)[0]));
			let wanted: unknown;
			let isGood = true;
			try {
				wanted = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
			} catch {
				isGood = false;
			}
			try {
				const json = parseJson(bytes);
				assert.ok(isGood, `took ${Buffer.from(bytes).toString("latin1")}`);
				compare(json, wanted);
			} catch (error) {
				assert.ok(error instanceof GatewayError && error.fault === "bad-payload", String(error));
				assert.ok(!isGood || /deeper/.test(error.message), `refused ${Buffer.from(bytes).toString("latin1")}: ${error.message}`);
			}
		}
	});

	test("takes a megabyte of brackets, quotes or digits in linear time", () => {
		for (const text of [`[${"1,".repeat(300_000)}1]`, `"${"\\\"".repeat(500_000)}"`, `{${Array.from({ length: 60_000 }, (_, n) => `"a${n % 3}":${n}`).join()}}`, "1".repeat(1_000_000)]) {
			const began = performance.now();
			parseJson(text);
			assert.ok(performance.now() - began < 3_000);
		}
	});
});

function compare(json: Json, wanted: unknown): void {
	if (isNumber(json)) assert.ok(Object.is(json.number, wanted) || json.number === wanted);
	else if (isArray(json)) {
		assert.ok(Array.isArray(wanted) && wanted.length === json.length);
		json.forEach((item, at) => compare(item, wanted[at]));
	} else if (isObject(json)) {
		assert.ok(typeof wanted === "object" && wanted !== null);
		assert.deepEqual(Object.keys(json).sort(), Object.keys(wanted).sort());
		for (const [key, value] of Object.entries(json)) compare(value, Object.getOwnPropertyDescriptor(wanted, key)?.value);
	} else if (typeof wanted !== "number") assert.equal(json, wanted); // else a number that nobody can mean, kept as its text
}

describe("atPath()", () => {
	const json = parseJson('{"temp":21.5,"AM2301":{"Temperature":"x"},"list":[{"power":3},[4]],"a.b":{"c.d":5,"c":{"e":6}},"a":{"b":{"z":7}},"k[0]":8,"":9}');
	const rows: [string, unknown][] = [
		["temp", "#21.5"], ["AM2301.Temperature", "x"], ["list[0].power", "#3"], ["list[1][0]", "#4"], ["a.b.c.d", "#5"], ["a.b.c.e", "#6"], ["a.b.z", "#7"], ["k[0]", "#8"],
		["none", undefined], ["temp.x", undefined], ["list[2]", undefined], ["list.0", undefined], ["list[-1]", undefined], ["toString", undefined], ["list.length", undefined], ["temp.text", undefined], [".", undefined], ["list[9999999]", undefined],
	];
	for (const [path, wanted] of rows) test(`finds ${JSON.stringify(wanted)} at "${path}"`, () => assert.deepEqual(shown(atPath(json, path)), wanted));
	test('gives the whole at ""', () => assert.equal(atPath(json, ""), json));
});

describe("scalars()", () => {
	const rows: [string, string[]][] = [
		["21.50", ["=21.50"]],
		['{"a":1,"b":{"c":true,"d":null,"e":"x"},"l":[2,{"m":3}]}', ["a=1", "b.c=true", "b.e=x", "l[0]=2", "l[1].m=3"]],
		['{"a.b":1,"a":{"b":2}}', ["a.b=1"]],
		["null", []], ["[]", []], ["[[],{}]", []], ['{"":1}', []],
		[`{"${"k".repeat(129)}":1,"s":2}`, ["s=2"]],
	];
	for (const [text, wanted] of rows) test(`flattens ${text.slice(0, 60)}`, () => assert.deepEqual([...scalars(parseJson(text))].map(([path, value]) => `${path}=${textOf(value)}`), wanted));

	test("ends after 256", () => assert.equal([...scalars(parseJson(`[${"1,".repeat(300)}1]`))].length, 256));

	test("gives paths that atPath() finds again", () => {
		const chance = new Chance(7);
		for (let n = 0; n < RUNS / 10; n++) {
			const json = parseJson(JSON.stringify(anything(chance, 4)));
			for (const [path, value] of scalars(json)) assert.deepEqual(asValue(atPath(json, path)), value);
		}
	});
});

function anything(chance: Chance, depth: number): unknown {
	const kind = chance.int(depth === 0 ? 4 : 6);
	switch (kind) {
		case 0: return chance.int(1_000) / 8;
		case 1: return chance.int(2) === 0;
		case 2: return "text";
		case 3: return null;
		case 4: return Array.from({ length: chance.int(4) }, () => anything(chance, depth - 1));
		default: return Object.fromEntries(Array.from({ length: chance.int(4) }, (_, n) => [`k${n}`, anything(chance, depth - 1)]));
	}
}

describe("decodeText()", () => {
	test("takes UTF-8 and nothing else", () => {
		assert.equal(decodeText(Buffer.from("21,5 °C")), "21,5 °C");
		assert.equal(decodeText(Buffer.from("\ufeffx")), "x");
		for (const bytes of [[0xff], [0xc3], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80]]) assert.equal(decodeText(Uint8Array.from(bytes)), undefined);
	});
});
