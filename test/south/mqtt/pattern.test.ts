import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { covers, isFilter, isTopic, Template, TopicPattern, widest } from "../../../src/south/mqtt/pattern.js";
import { Chance, RUNS } from "../../fakes/fuzz.js";

describe("TopicPattern", () => {
	const rows: [pattern: string, filter: string, topic: string, captures: object | undefined][] = [
		["sensors/{room}/{id}/state", "sensors/+/+/state", "sensors/hall/7/state", { room: "hall", id: "7" }],
		["sensors/{room}/{id}/state", "sensors/+/+/state", "sensors/hall/7/8/state", undefined],
		["sensors/{room}/{id}/state", "sensors/+/+/state", "sensors//7/state", undefined],
		["sensors/{room}/{id}/state", "sensors/+/+/state", "Sensors/hall/7/state", undefined],
		["tele/{id}/{what...}", "tele/+/#", "tele/a/b/c", { id: "a", what: "b/c" }],
		["tele/{id}/{what...}", "tele/+/#", "tele/a", undefined],
		["tele/{id}/{what...}", "tele/+/#", "tele/a/", undefined],
		["{all...}", "#", "a/b", { all: "a/b" }],
		["{all...}", "#", "$SYS/broker", undefined],
		["{first}/x", "+/x", "$SYS/x", undefined],
		["$SYS/{what...}", "$SYS/#", "$SYS/broker/uptime", { what: "broker/uptime" }],
		["zigbee_{id}/state", "+/state", "zigbee_12/state", { id: "12" }],
		["zigbee_{id}/state", "+/state", "zwave_12/state", undefined],
		["zigbee_{id}/state", "+/state", "zigbee_/state", undefined],
		["a/{id}.json", "a/+", "a/x.json", { id: "x" }],
		["a/{id}.json", "a/+", "a/.json", undefined],
		["a/+/{id}/#", "a/+/+/#", "a/anything/x/y/z", { id: "x" }],
		["a/+/b", "a/+/b", "a//b", {}],
		["boiler/state", "boiler/state", "boiler/state", {}],
		["a/{id}", "a/+", "a/+", undefined],
		["a/{id}", "a/+", "a/x#", undefined],
		["a/{id}", "a/+", "a/x\0", undefined],
	];
	for (const [text, filter, topic, captures] of rows) {
		test(`"${text}" ${captures ? "matches" : "does not match"} "${topic.replace("\0", "NUL")}"`, () => {
			const pattern = new TopicPattern(text);
			assert.equal(pattern.filter, filter);
			const found = pattern.match(topic);
			assert.deepEqual(found && { ...found }, captures);
		});
	}

	test("refuses what is no pattern, and says why", () => {
		const bad: [string, RegExp][] = [
			["", /no MQTT topic filter/], ["a/{id", /no placeholder/], ["a/id}", /without \{/], ["a/{}", /no placeholder/], ["a/{a b}", /no placeholder/], ["a/{a}{b}", /more than one/], ["a/{a}/{a}", /twice/],
			["a/{rest...}/b", /last level/], ["a/x{rest...}", /last level/], ["a/b+", /wildcard/], ["#/a", /wildcard/], ["a/#b", /wildcard/], ["a/{b}+", /wildcard/], ["a\0", /no MQTT topic filter/],
		];
		for (const [text, wanted] of bad) assert.throws(() => new TopicPattern(text), (error: unknown) => error instanceof Error && "fault" in error && error.fault === "bad-config" && wanted.test(error.message), text);
	});

	test("a capture named like a member of every object is a capture", () => {
		const found = new TopicPattern("a/{__proto__}").match("a/x");
		assert.deepEqual(Object.entries(found ?? {}), [["__proto__", "x"]]);
	});
});

describe("Template", () => {
	test("fills in captures", () => assert.equal(new Template("{room}-{id}", ["room", "id"]).fill((name) => name.toUpperCase()), "ROOM-ID"));
	test("refuses a name that the pattern lacks", () => assert.throws(() => new Template("{room}-{no}", ["room"]), /\{no\} is not in the topic pattern, which has \{room\}/));

	const bad = ["", "a+b", "#", "a\0b"];
	for (const capture of bad) test(`makes no topic with ${JSON.stringify(capture)}`, () => assert.throws(() => new Template("a/{x}/set", ["x"]).topic({ x: capture }), { fault: "bad-value" }));
	test("makes a topic with the rest of another one", () => assert.equal(new Template("a/{x...}/set", ["x"]).topic({ x: "b/c" }), "a/b/c/set"));
	test("makes no topic of more than 65535 bytes", () => assert.throws(() => new Template("{x}", ["x"]).topic({ x: "é".repeat(32_768) }), { fault: "bad-value" }));
	test("makes no topic with a capture that is not known", () => assert.throws(() => new Template("{x}", ["x"]).topic({}), { fault: "bad-value" }));
});

test("isFilter() and isTopic() are those of MQTT 3.1.1 section 4.7", () => {
	for (const filter of ["#", "+", "a/#", "a/+/b", "/", "//", "$SYS/#", "+/+/#", "a b"]) assert.ok(isFilter(filter), filter);
	for (const filter of ["", "a#", "a/#/b", "#/", "a+", "+a/b", "a\0", "x".repeat(65_536)]) assert.ok(!isFilter(filter), filter.slice(0, 10));
	for (const topic of ["a", "/", "a//b", "$x"]) assert.ok(isTopic(topic), topic);
	for (const topic of ["", "+", "a/#", "a\0", "é".repeat(32_768)]) assert.ok(!isTopic(topic), topic.slice(0, 10));
});

describe("covers()", () => {
	const yes: [string, string][] = [["#", "a/b"], ["#", "+"], ["a/#", "a"], ["a/#", "a/b/+"], ["a/#", "a/#"], ["+/b", "a/b"], ["a/+", "a/+"], ["+/#", "a/#"], ["+/#", "a"], ["a/+/#", "a/b/#"], ["$SYS/#", "$SYS/x"]];
	const no: [string, string][] = [["a", "b"], ["a/+", "a/b/c"], ["a/+", "a"], ["a/+", "a/#"], ["a/b", "a/+"], ["a/+", "#"], ["#", "$SYS/x"], ["+/x", "$SYS/x"], ["a/b/#", "a/#"], ["a/+/#", "a/#"]];
	for (const [wide, narrow] of yes) test(`"${wide}" covers "${narrow}"`, () => assert.ok(covers(wide, narrow)));
	for (const [wide, narrow] of no) test(`"${wide}" does not cover "${narrow}"`, () => assert.ok(!covers(wide, narrow)));

	test("never covers a filter of whose topics it would miss one", () => {
		const chance = new Chance(41);
		const level = (wild: boolean): string => chance.pick(wild ? ["a", "b", "+", "", "$s"] : ["a", "b", "", "$s"]);
		const filter = (): string => Array.from({ length: 1 + chance.int(3) }, () => level(true)).join("/") + chance.pick(["", "/#"]);
		for (let n = 0; n < RUNS; n++) {
			const [wide, narrow] = [filter(), filter()];
			const topic = Array.from({ length: 1 + chance.int(4) }, () => level(false)).join("/");
			if (covers(wide, narrow) && delivers(narrow, topic)) assert.ok(delivers(wide, topic), `${wide} covers ${narrow}, but not ${topic}`);
		}
	});
});

/** Section 4.7, word by word, as a regular expression. */
function delivers(filter: string, topic: string): boolean {
	if (topic.startsWith("$") && /^[+#]/.test(filter)) return false;
	const source = filter.split("/").map((level) => level === "+" ? "[^/]*" : level.replace("$", "\\$")).join("/");
	return new RegExp(`^${source.endsWith("/#") ? `${source.slice(0, -2)}(/.*)?` : source}$`).test(topic);
}

test("widest() keeps what nothing covers, each once, in order", () => {
	assert.deepEqual(widest(["b/x", "a/#", "a/1", "b/x", "a/+/c", "+/y", "b/y"]), ["b/x", "a/#", "+/y"]);
	assert.deepEqual(widest(["#", "$SYS/x", "a"]), ["#", "$SYS/x"]);
	assert.deepEqual(widest(["a/#", "a/#"]), ["a/#"]);
});

test("widest() of 10 000 topics with a few wildcards is quick", () => {
	const began = performance.now();
	assert.equal(widest([...Array.from({ length: 10_000 }, (_, n) => `tele/${n}/state`), "stat/#", "homie/+/+/+", "x/#"]).length, 10_003);
	assert.ok(performance.now() - began < 1_000);
});
