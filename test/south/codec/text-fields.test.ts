import assert from "node:assert/strict";
import { test } from "node:test";
import { fieldsOf, keyValues, numericFromField, truthFromField } from "../../../src/south/codec/text-fields.js";
import { Chance, RUNS } from "../../fakes/fuzz.js";

// [line, pairs, rest]
const PAIRS: readonly (readonly [string, Readonly<Record<string, string>>, readonly string[]])[] = [
	["co2=612 pm2.5=4.1 temp=21.34 hum=45.2 interval=1", { co2: "612", "pm2.5": "4.1", temp: "21.34", hum: "45.2", interval: "1" }, []],
	["temp: 21.5 C, hum: 45 %", { temp: "21.5", hum: "45" }, ["C", "%"]],
	["T:21.5;H:45;", { T: "21.5", H: "45" }, []],
	["temp = 21.5 hum =45", { temp: "21.5", hum: "45" }, []],
	["temp=21,5 hum=45,0", { temp: "21,5", hum: "45,0" }, []],
	["a=1,b=2", { a: "1", b: "2" }, []],
	["a=1&b=2|c=3", { a: "1", b: "2", c: "3" }, []],
	["DATA a=1", { a: "1" }, ["DATA"]],
	["a= b=2", { a: "", b: "2" }, []],
	["a=1 a=2", { a: "1" }, []],
	["url=http://x/?a", { url: "http://x/?a" }, []],
	["time=12:30:05", { time: "12:30:05" }, []],
	["__proto__=1", { ["__proto__"]: "1" } as Record<string, string>, []],
];

for (const [line, pairs, rest] of PAIRS) {
	test(`keyValues() reads "${line}"`, () => {
		const read = keyValues(line);
		assert.deepEqual([...(read?.pairs ?? [])], line.startsWith("__proto__") ? [["__proto__", "1"]] : Object.entries(pairs));
		assert.deepEqual(read?.rest, rest);
	});
}

test("keyValues() finds no pair in prose, rows and times", () => {
	for (const line of ["", "ready", "21.5,45.2", "12:30:05", "= 5", "AirSensor v1.3 (c) Example Instruments"]) assert.equal(keyValues(line), undefined, line);
});

test("keyValues() keeps at most 64 pairs, and takes as long as the line is", () => {
	assert.equal(keyValues(Array.from({ length: 500 }, (_, index) => `k${index}=1`).join(" "))?.pairs.size, 64);
	const time = (line: string): number => {
		const begin = process.cpuUsage(); // of this process alone: the machine may have other work
		for (let times = 0; times < 20; times++) keyValues(line);
		return process.cpuUsage(begin).user * 1e3;
	};
	for (const unit of ["a", "=", ":", "a=", " ", ", "]) {
		time(unit.repeat(100_000 / unit.length)); // warm
		const [short, long] = [time(unit.repeat(20_000 / unit.length)), time(unit.repeat(200_000 / unit.length))];
		// Ten times the line; quadratic would be a hundred times the time.
		assert.ok(long < 60 * short + 20e6, `${JSON.stringify(unit)}: ${short} ns, ${long} ns`);
	}
});

// [line, separator, fields]
const FIELDS = [
	["21.5,45.2", undefined, ["21.5", "45.2"]],
	["21,5;45,2", undefined, ["21,5", "45,2"]],
	["21.5\t45.2", undefined, ["21.5", "45.2"]],
	["  21.5   45.2 ", undefined, ["21.5", "45.2"]],
	['"a b", 1', undefined, ["a b", "1"]],
	["1,,3", ",", ["1", "", "3"]],
	["1 2,3", "blank", ["1", "2,3"]],
	["7", undefined, ["7"]],
] as const;

for (const [line, separator, fields] of FIELDS) {
	test(`fieldsOf() cuts ${JSON.stringify(line)}`, () => assert.deepEqual(fieldsOf(line, separator), fields));
}

// [word, unit, number]
const NUMBERS = [
	["21.50", undefined, "21.50"], ["21,50", undefined, "21.50"], ["-3", undefined, "-3"], ["+3.0", undefined, "3.0"], ["1.5e3", undefined, "1500"], [".5", undefined, "0.5"],
	["21.5C", "°C", "21.5"], ["45 %", "%", "45"], ["21.5C", undefined, undefined], ["21.5C", "V", undefined], ["1,234,567", undefined, undefined], ["1,234.5", undefined, undefined],
	["nan", undefined, undefined], ["", undefined, undefined], ["--", undefined, undefined], ["0x1F", undefined, undefined], ["12:30", undefined, undefined],
] as const;

for (const [word, unit, number] of NUMBERS) {
	test(`numericFromField() makes ${number ?? "nothing"} of "${word}"${unit ? ` in ${unit}` : ""}`, () => assert.equal(numericFromField(word, unit)?.text, number));
}

test("truthFromField() knows on and off, true and false, yes and no", () => {
	assert.deepEqual(["on", "OFF", "True", "false", "yes", "no", "1", "maybe", "constructor"].map(truthFromField), [true, false, true, false, true, false, undefined, undefined, undefined]);
});

test("no text makes the tokenisers throw", () => {
	const chance = new Chance(4);
	const alphabet = "ab1.,;=:| \t\"%-e\u00b0";
	for (let run = 0; run < RUNS; run++) {
		const line = Array.from({ length: chance.int(60) }, () => alphabet[chance.int(alphabet.length)]).join("");
		keyValues(line);
		fieldsOf(line);
		const number = numericFromField(line, "°C");
		if (number) assert.match(number.text, /^-?\d+(\.\d+)?$/);
	}
});
