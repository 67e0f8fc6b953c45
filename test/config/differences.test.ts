import assert from "node:assert/strict";
import { test } from "node:test";
import { differenceLine, differences } from "../../src/config/differences.js";
import { parseConfig } from "../../src/config/load.js";

const BASE = `
uplink: { kind: component, domain: things.example.org, secret: hunter22 }
access: [{ who: alice@example.org, role: owner }]
links:
  - { id: farm, kind: mqtt, url: "mqtt://pi:oldword@broker:1883" }
  - { id: bus0, kind: serial, path: /dev/ttyUSB0, protocol: lines }
`;
const config = (text: string) => parseConfig(text, "jidway.yaml", {}).config;
const lines = (text: string): string[] => differences(config(BASE), config(text)).map(differenceLine);

test("a config does not differ from itself, in whatever order it is written", () => {
	assert.deepEqual(lines(BASE), []);
	assert.deepEqual(lines(`log: { level: info }\n${BASE}`), []);
});

for (const [what, from, to, wanted] of [
	["a value", "role: owner", "role: viewer", ["~ access[0].role: \"owner\" → \"viewer\""]],
	["a value that has a default", "protocol: lines", "protocol: lines, baud: 115200", ["~ links[bus0].baud: 9600 → 115200"]],
	["a secret", "hunter22", "hunter23", ["~ uplink.secret: (secret) → (secret)"]],
	["a password in an address", "oldword", "newword", ["~ links[farm].url: \"mqtt://pi:(secret)@broker:1883\" → \"mqtt://pi:(secret)@broker:1883\""]],
	["a key more", "broker:1883\"", "broker:1883\", password: verysecret", ["+ links[farm].password: (secret)"]],
] as const) {
	test(`${what} that differs is one line, without a secret`, () => assert.deepEqual(lines(BASE.replace(from, to)), wanted));
}

test("links are told apart by their ids: one that is taken out of the middle is one difference", () => {
	const without = BASE.split("\n").filter((line) => !line.includes("id: farm")).join("\n");
	const [line, ...others] = lines(without);
	assert.deepEqual(others, []);
	assert.match(line!, /^- links\[farm\]: \{/);
	assert.ok(!line!.includes("oldword"), line);
});

test("users of an embedded broker are never shown", () => {
	const [line] = lines(BASE.replace("url: \"mqtt://pi:oldword@broker:1883\"", "broker: { listen: \"127.0.0.1:1883\", users: { pi: verysecret } }")).filter((each) => each.startsWith("+"));
	assert.ok(line !== undefined && !line.includes("verysecret"), line);
});
