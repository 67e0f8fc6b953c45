import assert from "node:assert/strict";
import { test } from "node:test";
import { parseLine, splitName } from "../../../src/north/chat/grammar.js";
import { Chance, RUNS } from "../../fakes/fuzz.js";

// [what was typed, what it asks for]
const ROWS = [
	["help", { word: "help" }], ["HELP", { word: "help" }], ["#", { word: "help" }], ["/help", { word: "help" }],
	["status", { word: "status" }], ["Status?", { word: "status" }],
	["read", { word: "read", what: "" }], ["?", { word: "read", what: "" }], ["??", { word: "read", what: "" }], ["read temperature", { word: "read", what: "temperature" }], ["temperature?", { word: "read", what: "temperature" }], ["temperature ?", { word: "read", what: "temperature" }], ["read temperature?", { word: "read", what: "temperature" }], ["read \"color temp\"", { word: "read", what: "color temp" }],
	["set setpoint 22", { word: "set", rest: "setpoint 22" }], ["SET setpoint  22,5\u00a0C", { word: "set", rest: "setpoint 22,5 C" }], ["set", { word: "unknown", text: "set" }],
	["setpoint := 22", { word: "assign", what: "setpoint", value: "22" }], ["setpoint:=22 °C", { word: "assign", what: "setpoint", value: "22 °C" }], ["“color temp” := 250", { word: "assign", what: "color temp", value: "250" }],
	["devices", { word: "devices", pattern: "" }], ["devices pump-*", { word: "devices", pattern: "pump-*" }],
	["hi", { word: "hello" }], ["Hallo!", { word: "hello" }], ["hi set relay on", { word: "unknown", text: "hi set relay on" }],
	["on", { word: "unknown", text: "on" }], ["setpoint 22", { word: "unknown", text: "setpoint 22" }], ["sett setpoint 22", { word: "unknown", text: "sett setpoint 22" }], ["> set relay on", { word: "unknown", text: "> set relay on" }], ["", { word: "unknown", text: "" }],
] as const;
for (const [typed, meant] of ROWS) {
	test(`parseLine("${typed}") is ${meant.word}`, () => assert.deepEqual(parseLine(typed), meant));
}

// [what follows "set", names, name and value]
const SPLITS = [
	["setpoint 22", ["setpoint"], ["setpoint", "22"]], ["Setpoint to 22 °C", ["setpoint"], ["setpoint", "22 °C"]], ["setpoint = 22", ["setpoint"], ["setpoint", "22"]], ["setpoint=22", ["setpoint"], ["setpoint", "22"]],
	["color temp 250", ["color", "color temp"], ["color temp", "250"]], ["\"color temp\" 250", ["color", "color temp"], ["color temp", "250"]], ["name \"two words\"", ["name"], ["name", "two words"]],
	["setpoints 22", ["setpoint"], undefined], ["setpoint", ["setpoint"], ["setpoint", ""]], ["other 22", ["setpoint"], undefined], ["mode tomorrow", ["mode"], ["mode", "tomorrow"]],
] as const;
for (const [rest, names, expected] of SPLITS) {
	test(`splitName("${rest}") is ${expected === undefined ? "nothing" : expected.join(" := ")}`, () => assert.deepEqual(splitName(rest, names), expected));
}

test("parseLine() takes noise as nothing to do, in linear time", () => {
	const chance = new Chance(3);
	for (let run = 0; run < RUNS; run++) {
		const noise = Buffer.from(chance.bytes(chance.int(80))).toString("latin1");
		assert.ok(typeof parseLine(noise).word === "string");
	}
	for (const hostile of ["?", " ", "a ", ":=", "\"", "set "]) assert.ok(parseLine(hostile.repeat(3_000)).word.length > 0);
});
