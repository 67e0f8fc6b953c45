import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { textOf, type Value } from "../../../src/core/value.js";
import type { Message } from "../../../src/south/link.js";
import type { Meaning } from "../../../src/south/meaning.js";
import type { TopicPoint } from "../../../src/south/mqtt/topic-point.js";
import { type TopicRule, TopicRules } from "../../../src/south/mqtt/topics.js";
import { Chance, mutate, RUNS } from "../../fakes/fuzz.js";

const message = (topic: string, payload: string | Uint8Array, retained = false): Message => ({ kind: "message", topic, payload: Buffer.from(payload), retained });
const number = (text: string): Value => ({ text, number: Number(text) });

/** A reading as `address point=kind:value`. */
function told(meaning: Meaning | undefined): string[] | undefined {
	return meaning?.told?.map(({ address, point, value }) => `${address} ${point}=${typeof value === "object" ? "#" : typeof value === "string" ? "'" : ""}${textOf(value)}`);
}

const GREENHOUSE: TopicRule = {
	match: "sensors/{room}/{id}/state",
	device: "{room}-{id}",
	name: "Sensor {id} in {room}",
	every: 60_000,
	points: {
		temperature: { path: "temp", unit: "°C" },
		relay: { path: "relay", kind: "boolean", set: { topic: "sensors/{room}/{id}/set", payload: '{"relay":{value}}' } },
		reboot: { set: { topic: "sensors/{room}/{id}/cmd", payload: "reboot", qos: 0 } },
	},
	availability: { topic: "sensors/{room}/{id}/online", online: 1, offline: 0 },
};

describe("TopicRules of the manual's example", () => {
	test("announce the device with its first message, and only then", () => {
		const rules = new TopicRules([GREENHOUSE]);
		assert.deepEqual(rules.filters(), ["sensors/+/+/state", "sensors/+/+/online"]);
		assert.deepEqual(rules.hear(message("sensors/Hall/7/state", '{"temp":71.50,"relay":1,"rssi":-60}')), {
			announced: [{
				address: "Hall-7", name: "Sensor 7 in Hall", every: 60_000,
				points: { temperature: { kind: "numeric", access: "r", unit: "°C" }, relay: { kind: "boolean", access: "rw" }, reboot: { kind: "text", access: "w" } },
			}],
			told: [{ address: "Hall-7", point: "temperature", value: number("71.50") }, { address: "Hall-7", point: "relay", value: true }],
			heard: ["Hall-7"],
		});
		assert.deepEqual(rules.hear(message("sensors/Hall/7/state", '{"temp":21}', true)), { told: [{ address: "Hall-7", point: "temperature", value: number("21") }] });
	});

	test("tell availability, and remember it until the device is known", () => {
		const anonymous = new TopicRules([{ ...GREENHOUSE, match: "sensors/{room}/{id}/{what}", availability: { topic: "sensors/{room}/{id}/online" }, points: { x: { set: { topic: "{room}/{id}/{what}", payload: "{value}" } } } }]);
		assert.deepEqual(anonymous.hear(message("sensors/hall/7/online", "offline", true)), {});
		assert.deepEqual(anonymous.hear(message("sensors/hall/7/state", "1"))?.states, [{ address: "hall-7", state: "offline" }]);
		const rules = new TopicRules([GREENHOUSE]);
		const first = rules.hear(message("sensors/hall/7/online", "1", true));
		assert.deepEqual([first?.announced?.[0]?.address, first?.states, first?.heard], ["hall-7", [{ address: "hall-7", state: "online" }], undefined]);
		assert.deepEqual(rules.hear(message("sensors/hall/7/online", " 0\n")), { states: [{ address: "hall-7", state: "offline" }] });
		assert.deepEqual(rules.hear(message("sensors/hall/7/online", "")), {});
		assert.deepEqual(rules.hear(message("sensors/hall/7/online", "yes"))?.misfits, [{ where: "hall-7", reason: 'availability is neither "1" nor "0"', sample: "yes" }]);
	});

	test("count what does not fit, and tell the rest", () => {
		const rules = new TopicRules([GREENHOUSE]);
		const rows: [string | Uint8Array, string[] | undefined, string[] | undefined][] = [
			['{"temp":"21.5 C","relay":true}', ["hall-7 relay=true"], ['"temperature" is not a number']],
			['{"temp":"21.5"}', ["hall-7 temperature=#21.5"], undefined],
			['{"temp":true}', undefined, ['"temperature" is not a number']],
			['{"temp":1e999}', undefined, ['"temperature" is not a number']],
			['{"temp":null,"relay":"maybe"}', undefined, ['"relay" is neither on nor off']],
			['{"relay":"ON"}', ["hall-7 relay=true"], undefined],
			["{}", undefined, undefined],
			["21.5", undefined, ["is not JSON"]],
			["hello", undefined, ["is not JSON"]],
			["null", undefined, undefined],
			[Uint8Array.of(0xff), undefined, ["is not UTF-8 text"]],
			['{"temp":21', undefined, ["Cannot read JSON: its syntax is broken"]],
		];
		for (const [payload, readings, reasons] of rows) {
			const meaning = rules.hear(message("sensors/hall/7/state", payload));
			assert.deepEqual(told(meaning), readings, String(payload));
			assert.deepEqual(meaning?.misfits?.map(({ reason }) => reason), reasons, String(payload));
			assert.ok(meaning?.misfits?.every(({ where }) => where === "hall-7") ?? true);
			assert.deepEqual(meaning?.heard, ["hall-7"]);
		}
	});

	test("a retained message that was cleared tells nothing, and makes no device", () => {
		assert.deepEqual(new TopicRules([GREENHOUSE]).hear(message("sensors/hall/7/state", "")), {});
	});

	test("make commands", () => {
		const rules = new TopicRules([GREENHOUSE]);
		assert.equal(rules.command("hall-7", "relay", true), undefined);
		rules.hear(message("sensors/Hall/7/state", "{}"));
		assert.deepEqual(rules.command("hall-7", "RELAY", false), [{ kind: "message", topic: "sensors/Hall/7/set", payload: '{"relay":false}' }]);
		assert.deepEqual(rules.command("hall-7", "reboot", ""), [{ kind: "message", topic: "sensors/Hall/7/cmd", payload: "reboot", qos: 0 }]);
		assert.throws(() => rules.command("hall-7", "temperature", number("1")), { fault: "not-writable" });
		assert.throws(() => rules.command("hall-7", "none", true), { fault: "unknown-point" });
		assert.throws(() => rules.command("hall-7", "relay", "on"), { fault: "bad-value" });
	});
});

describe("TopicRules without points", () => {
	const rows: [match: string, device: string, topic: string, payload: string, readings: string[] | undefined][] = [
		["s/{id}", "{id}", "s/7", '{"t":21.50,"on":true,"n":{"x":"y"},"l":[1]}', ["7 t=#21.50", "7 on=true", "7 n.x='y", "7 l[0]=#1"]],
		["s/{id}", "{id}", "s/7", "21.50", ["7 value=#21.50"]],
		["s/{id}", "{id}", "s/7", " 21.5\n", ["7 value=#21.5"]],
		["s/{id}", "{id}", "s/7", "+5", ["7 value=#5"]],
		["s/{id}", "{id}", "s/7", "0012", ["7 value='0012"]],
		["s/{id}", "{id}", "s/7", "ON", ["7 value='ON"]],
		["s/{id}", "{id}", "s/7", "true", ["7 value=true"]],
		["s/{id}", "{id}", "s/7", '"quoted"', ["7 value='quoted"]],
		["s/{id}", "{id}", "s/7", "null", undefined],
		["home/{room}/{what}", "{room}", "home/hall/humidity", "40", ["hall humidity=#40"]],
		["home/{room}/{what}", "{room}", "home/hall/env", '{"t":1,"l":[2]}', ["hall env.t=#1", "hall env.l[0]=#2"]],
		["home/{room}/{what}", "{room}", "home/hall/list", "[7]", ["hall list[0]=#7"]],
		["home/{room}/{a}/{b}", "{room}", "home/hall/x/y", "1", ["hall x.y=#1"]],
		["home/{room}/{what...}", "{room}", "home/hall/x/y", "1", ["hall x/y=#1"]],
	];
	for (const [match, device, topic, payload, readings] of rows) test(`${match}: ${topic} ${JSON.stringify(payload)}`, () => assert.deepEqual(told(new TopicRules([{ match, device }]).hear(message(topic, payload))), readings));

	test("announce anew for each new point, keep its kind, and count what no longer fits", () => {
		const rules = new TopicRules([{ match: "s/{id}", device: "{id}" }]);
		assert.deepEqual(rules.hear(message("s/7", '{"a":1}'))?.announced?.[0]?.points, { a: { kind: "numeric", access: "r" } });
		assert.equal(rules.hear(message("s/7", '{"a":2}'))?.announced, undefined);
		assert.deepEqual(rules.hear(message("s/7", '{"a":3,"b":"x"}'))?.announced?.[0]?.points, { a: { kind: "numeric", access: "r" }, b: { kind: "text", access: "r" } });
		const odd = rules.hear(message("s/7", '{"a":"broken","b":4}'));
		assert.deepEqual([told(odd), odd?.misfits?.[0]?.reason], [["7 b='4"], '"a" is not a number']);
	});

	test("join topics of one device, whatever their case", () => {
		const rules = new TopicRules([{ match: "a/{id}", device: "{id}" }, { match: "b/{id}/{what}", device: "{id}", points: { Lamp: { path: "", on: "ON", off: "OFF", set: { topic: "b/{id}/Lamp/set", payload: "{value}" } } } }]);
		rules.hear(message("a/X", "1"));
		const both = rules.hear(message("b/x/Lamp", "ON"));
		assert.deepEqual([both?.announced?.[0]?.address, Object.keys(both?.announced?.[0]?.points ?? {}), told(both)], ["X", ["value", "Lamp"], ["X Lamp=true"]]);
		assert.deepEqual(rules.command("X", "lamp", true), [{ kind: "message", topic: "b/x/Lamp/set", payload: "ON" }]);
	});

	test("bound the points and the devices that a sender can make", () => {
		const rules = new TopicRules([{ match: "s/{id}", device: "{id}" }, { match: "t/{id}/{what}", device: "{id}" }]);
		for (let n = 0; n < 256; n++) rules.hear(message(`t/7/p${n}`, "1"));
		assert.deepEqual(rules.hear(message("t/7/more", "1"))?.misfits?.map(({ reason }) => reason), ["has more than 256 points"]);
		assert.match(rules.hear(message(`s/${"x".repeat(257)}`, "1"))?.misfits?.[0]?.reason ?? "", /device too many/);
		for (let n = 0; n < 10_000; n++) rules.hear(message(`s/d${n}`, "1"));
		assert.match(rules.hear(message("s/last", "1"))?.misfits?.[0]?.reason ?? "", /device too many/);
		assert.deepEqual(told(rules.hear(message("s/d1", "2"))), ["d1 value=#2"]);
	});
});

describe("a point of TopicRules", () => {
	const one = (point: TopicPoint, payload: string): string => {
		const meaning = new TopicRules([{ match: "d", device: "d", points: { p: point } }]).hear(message("d", payload));
		return meaning?.told ? told(meaning)!.join().slice(4) : meaning?.misfits?.[0]?.reason ?? "nothing";
	};
	const rows: [TopicPoint, string, string][] = [
		[{}, "21.5", "#21.5"], [{}, '{"p":21.5}', "#21.5"], [{}, '{"q":21.5}', "nothing"], [{}, "x", "'x"], [{ path: "" }, "x", "'x"], [{ path: "a.b" }, '{"a":{"b":true}}', "true"], [{ path: "a.b" }, '{"a.b":1}', "#1"],
		[{ unit: "°C" }, "x", '"p" is not a number'], [{ min: 0 }, "7", "#7"], [{ integer: true }, "7.5", "#7.5"], [{ kind: "numeric" }, '"7,5"', '"p" is not a number'], [{ kind: "numeric" }, "false", '"p" is not a number'],
		[{ kind: "boolean" }, "1", "true"], [{ kind: "boolean" }, "0", "false"], [{ kind: "boolean" }, "Off", "false"], [{ kind: "boolean" }, "TRUE", "true"], [{ kind: "boolean" }, "2", '"p" is neither on nor off'],
		[{ on: "open", off: "shut" }, "open", "true"], [{ on: "open", off: "shut" }, "shut", "false"], [{ on: "open" }, "off", "false"], [{ on: 0, off: 1 }, "0", "true"], [{ on: 0, off: 1 }, "1", "false"], [{ on: false, off: true }, "false", "true"],
		[{ labels: ["heat", "off"] }, "HEAT", "'heat"], [{ labels: ["heat", "off"] }, "cool", '"p" is not one of heat, off'], [{ kind: "enum", labels: ["1", "2"] }, "2", "'2"],
		[{ kind: "text" }, "21.50", "'21.50"], [{ kind: "text" }, "x".repeat(4_097), '"p" is a text of more than 4096 characters'],
	];
	for (const [point, payload, wanted] of rows) test(`${JSON.stringify(point)} takes ${payload.slice(0, 30)} for ${wanted}`, () => assert.equal(one(point, payload), wanted));

	test("several points without a path are not told by one bare value", () => {
		const meaning = new TopicRules([{ match: "d", device: "d", points: { p: {}, q: {} } }]).hear(message("d", "1"));
		assert.deepEqual([meaning?.told, meaning?.misfits?.map(({ reason }) => reason)], [undefined, ["is one bare value for several points; give them paths, or topics of their own"]]);
	});

	test("is found by the capture that names it, and others are left alone", () => {
		const rules = new TopicRules([{ match: "home/{room}/{what}", device: "{room}", points: { Temp: { unit: "°C" }, "env.hum": { unit: "%" } } }]);
		assert.deepEqual(told(rules.hear(message("home/hall/temp", "21"))), ["hall Temp=#21"]);
		assert.deepEqual(told(rules.hear(message("home/hall/env", '{"hum":40,"x":1}'))), ["hall env.hum=#40"]);
		const other = rules.hear(message("home/hall/other", "5"));
		assert.deepEqual([other?.told, other?.misfits], [undefined, undefined]);
	});
});

describe("the payload that sets a point", () => {
	const rows: [payload: string, point: TopicPoint, value: Value, wanted: string][] = [
		["{value}", { kind: "numeric" }, number("22.50"), "22.50"],
		["{value}", { kind: "boolean" }, true, "true"],
		["{value}", { on: "ON", off: "OFF" }, false, "OFF"],
		["{value}", { kind: "text" }, 'say "x"', 'say "x"'],
		["SET {value}!", { kind: "text" }, "a\\b", "SET a\\b!"],
		['{"v":{value}}', { kind: "numeric" }, number("22.50"), '{"v":22.50}'],
		['{"v":{value}}', { kind: "boolean" }, true, '{"v":true}'],
		['{"v":{value}}', { on: 1, off: 0 }, true, '{"v":1}'],
		['{"v":{value}}', { on: "ON", off: "OFF" }, true, '{"v":"ON"}'],
		['{"v":{value}}', { kind: "text" }, '"},{"', '{"v":"\\"},{\\""}'],
		['{"v":"{value}"}', { kind: "text" }, '"},{"', '{"v":"\\"},{\\""}'],
		['{"v":"{value}"}', { kind: "numeric" }, number("5"), '{"v":"5"}'],
		['{"\\"":"{value}"}', { kind: "text" }, '"', '{"\\"":"\\""}'],
		['[{value},"{id}",{id}]', { kind: "numeric" }, number("5"), '[5,"d\\"1","d\\"1"]'],
		["{id}:{value}", { kind: "text" }, "{id}", 'd"1:{id}'],
	];
	for (const [payload, point, value, wanted] of rows) {
		test(`${payload} with ${textOf(value)}`, () => {
			const rules = new TopicRules([{ match: "s/{id}", device: "{id}", points: { p: { ...point, path: "p", set: { topic: "s/{id}/set", payload, retain: true } } } }]);
			rules.hear(message('s/d"1', "{}"));
			assert.deepEqual(rules.command('d"1', "p", value), [{ kind: "message", topic: 's/d"1/set', payload: wanted, retain: true }]);
		});
	}

	test("keeps to the range and the labels of the point", () => {
		const set = { topic: "set", payload: "{value}" };
		const rules = new TopicRules([{ match: "d", device: "d", points: { n: { path: "n", min: 5, max: 30, set }, e: { path: "e", labels: ["a"], set } } }]);
		rules.announced();
		assert.throws(() => rules.command("d", "n", number("31")), { fault: "bad-value" });
		assert.throws(() => rules.command("d", "e", "b"), { fault: "bad-value" });
		assert.deepEqual(rules.command("d", "e", "a"), [{ kind: "message", topic: "set", payload: "a" }]);
	});
});

test("a rule without placeholders is a device from the beginning", () => {
	const rules = new TopicRules([{ match: "boiler/state", device: "boiler", points: { t: { unit: "°C" } } }, { match: "s/{id}", device: "{id}" }]);
	assert.deepEqual(rules.announced(), [{ address: "boiler", points: { t: { kind: "numeric", access: "r", unit: "°C" } } }]);
});

test("the first rule that matches takes the message", () => {
	const rules = new TopicRules([{ match: "s/special", device: "one" }, { match: "s/{id}", device: "{id}" }]);
	assert.deepEqual(told(rules.hear(message("s/special", "1"))), ["one value=#1"]);
	assert.deepEqual(told(rules.hear(message("s/x", "1"))), ["x value=#1"]);
	assert.equal(rules.hear(message("t/x", "1")), undefined);
});

describe("TopicRules refuse", () => {
	const bad: [TopicRule, RegExp][] = [
		[{ match: "a/{id", device: "x" }, /no placeholder/],
		[{ match: "a/{id}", device: "{no}" }, /\{no\} is not in the topic pattern/],
		[{ match: "a/{id}", device: " " }, /its device is empty/],
		[{ match: "a/{id}", device: "{id}", name: "{x}" }, /\{x\} is not in/],
		[{ match: "a/{id}", device: "{id}", points: { a: {}, A: {} } }, /stands in it twice/],
		[{ match: "a/{id}", device: "{id}", points: { a: { kind: "enum" } } }, /an enum needs labels/],
		[{ match: "a/{id}", device: "{id}", points: { a: { set: { topic: "a/{x}", payload: "" } } } }, /\{x\} is not in/],
		[{ match: "a/{id}", device: "{id}", points: { a: { set: { topic: "a/+", payload: "" } } } }, /it is no MQTT topic/],
		[{ match: "a/{id}", device: "{id}", points: { a: { set: { topic: "a", payload: "{valu}" } } } }, /\{valu\} is not in/],
		[{ match: "a/{id}", device: "{id}", availability: { topic: "a/online" } }, /lacks \{id\}/],
	];
	for (const [rule, wanted] of bad) test(String(wanted), () => assert.throws(() => new TopicRules([rule]), (error: unknown) => error instanceof Error && "fault" in error && error.fault === "bad-config" && wanted.test(error.message)));
});

test("TopicRules never throw for what a message carries", () => {
	const chance = new Chance(0x70b1c);
	const rules = new TopicRules([GREENHOUSE, { match: "{a}/{rest...}", device: "{a}" }]);
	const payloads = ['{"temp":21.5,"relay":true,"x":{"y":[1,2]}}', "ON", "1", "null", '"x"'];
	const topics = ["sensors/hall/7/state", "sensors/hall/7/online", "a/b/c"];
	for (let n = 0; n < RUNS; n++) {
		const topic = Buffer.from(mutate(chance, Buffer.from(chance.pick(topics)))).toString();
		const meaning = rules.hear(message(topic, mutate(chance, Buffer.from(chance.pick(payloads))), chance.int(2) === 0));
		for (const { value } of meaning?.told ?? []) assert.ok(typeof value !== "object" || (typeof value.text === "string" && Number.isFinite(value.number)));
	}
});
