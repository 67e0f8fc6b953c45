import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { parseDefinition } from "../../../src/south/definition.js";
import { checkSamples } from "../../../src/south/serial/samples.js";

function problems(model: string, before: string, after: string): readonly string[] {
	const text = readFileSync(`devices/${model}.yaml`, "utf8");
	assert.ok(text.includes(before));
	const parsed = parseDefinition(text.replace(before, after), "x.yaml");
	return "definition" in parsed ? checkSamples(parsed.definition) : assert.fail(JSON.stringify(parsed.faults));
}

// [what, model, before, after, problem]
const WRONG = [
	["a reading that is not so", "xy-md02", 'temperature: "-20.5"', 'temperature: "-20.50"', /^xy-md02, sample 3: temperature is -20\.5, not -20\.50$/],
	["a reading that is not in it", "xy-md02", '"-20.5" }', '"-20.5", humidity: "1" }', /sample 3: humidity is not in it, not 1$/],
	["a wrong type", "xy-md02", "register: 0x0001, type: i16", "register: 0x0001, type: u16", /sample 3: temperature is 6533\.1, not -20\.5$/],
	["a wrong register", "xy-md02", "register: 0x0002", "register: 0x0003", /humidity is not in it/],
	["a damaged response", "xy-md02", "2A CE", "2A CF", /sample 2: .*checksum is 0xCF2A, and its bytes make 0xCE2A/],
	["a damaged request", "xy-md02", "20 0B", "20 0C", /sample 2: .*checksum/],
	["a command that becomes another frame", "waveshare-modbus-rtu-relay-8ch", "register: 0, type: bool", "register: 9, type: bool", /it sends "01 05 00 09 FF 00 5C 38", not "01 05 00 00 FF 00 8C 3A"/],
	["a line without the point", "jidway-air-sensor", "key: co2", "key: co", /co2 is not in it/],
	["a line that sets something else", "jidway-air-sensor", 'line: "INTERVAL {value}"', 'line: "EVERY {value}"', /it sends "EVERY 2", not "INTERVAL 2"/],
] as const;

for (const [what, model, before, after, problem] of WRONG) {
	test(`checkSamples() finds ${what}`, () => assert.match(problems(model, before, after).join("\n"), problem));
}
