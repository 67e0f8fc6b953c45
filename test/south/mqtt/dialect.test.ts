import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Announcement } from "../../../src/core/device.js";
import { GatewayError } from "../../../src/core/errors.js";
import type { Point, Points } from "../../../src/core/point.js";
import type { Convention } from "../../../src/south/conventions/convention.js";
import type { Message, Packet } from "../../../src/south/link.js";
import type { Meaning } from "../../../src/south/meaning.js";
import { MqttDialect } from "../../../src/south/mqtt/dialect.js";
import { type TopicRule, TopicRules } from "../../../src/south/mqtt/topics.js";

/** A convention that says what the test wants for each topic. */
class Scripted implements Convention {
	readonly name: string;
	readonly #says: Readonly<Record<string, Meaning | (() => never)>>;
	readonly #filters: readonly string[];

	constructor(name: string, says: Readonly<Record<string, Meaning | (() => never)>>, filters: readonly string[] = []) {
		this.name = name;
		this.#says = says;
		this.#filters = filters;
	}

	filters(): string[] {
		return [...this.#filters];
	}

	hear(message: Message): Meaning | undefined {
		const said = this.#says[message.topic];
		return typeof said === "function" ? said() : said;
	}

	command(address: string, point: string): { kind: "message"; topic: string; payload: string }[] | undefined {
		if (point === "broken") throw new GatewayError("not-writable", "Cannot set");
		return address === "forgotten" ? undefined : [{ kind: "message", topic: `${this.name}/${address}/${point}`, payload: "" }];
	}
}

const packet = (topic: string, retained = false, payload = "1"): Packet => ({ body: { kind: "message", topic, payload: Buffer.from(payload), retained }, received: 0, taken: () => undefined });
const points = (...names: string[]): Record<string, Point> => Object.fromEntries(names.map((name) => [name, { kind: "boolean", access: "rw" } as const]));
const device = (address: string, names: string[], more: Partial<Announcement> = {}): Announcement => ({ address, points: points(...names), ...more });
const told = (address: string, ...names: string[]): NonNullable<Meaning["told"]> => names.map((point) => ({ address, point, value: true }));
const dialect = (conventions: readonly Convention[], rules: readonly TopicRule[] = []): MqttDialect => new MqttDialect(new TopicRules(rules), conventions);

describe("MqttDialect", () => {
	test("listens to each topic once, and to none that another filter covers", () => {
		const joined = dialect([new Scripted("a", {}, ["zigbee2mqtt/#", "homeassistant/#"]), new Scripted("b", {}, ["homeassistant/#", "zigbee2mqtt/lamp"])], [{ match: "s/{id}", device: "{id}" }]);
		assert.deepEqual(joined.filters(), ["s/+", "zigbee2mqtt/#", "homeassistant/#"]);
	});

	test("gives a message to its topic rule, and to no convention then", () => {
		const joined = dialect([new Scripted("a", { "s/1": { told: told("other", "x") } })], [{ match: "s/{id}", device: "{id}" }]);
		assert.deepEqual(joined.decode(packet("s/1")).told?.map(({ address }) => address), ["1"]);
		assert.deepEqual(joined.decode(packet("unknown")), {});
		assert.deepEqual(joined.decode({ body: { kind: "line", text: "x" }, received: 0, taken: () => undefined }), {});
	});

	test("passes on the time of receipt, what is due, and what a broker is told of the gateway: all births and farewells, and the first will", () => {
		const out = (text: string) => ({ kind: "message", topic: text, payload: "" }) as const;
		const heard: unknown[] = [];
		const timed = (name: string, hasWill: boolean): Convention => ({
			name, filters: () => [], command: () => undefined, hear: (_message, received) => void heard.push(received), due: (now) => [out(`${name} due ${now}`)],
			presence: (now) => ({ birth: [out(`${name} here ${now}`)], ...(hasWill && { will: out(`${name} lost`) }), farewell: (end) => [out(`${name} left ${end}`)] }),
		});
		const joined = dialect([new Scripted("plain", {}), timed("a", false), timed("b", true), timed("c", true)]);
		joined.decode({ ...packet("x"), received: 7 });
		assert.deepEqual(heard, [7, 7, 7]);
		assert.deepEqual(joined.due(5).map(({ topic }) => topic), ["a due 5", "b due 5", "c due 5"]);
		const presence = joined.presence(6);
		assert.deepEqual([presence?.birth.map(({ topic }) => topic), presence?.will?.topic, presence?.farewell(9).map(({ topic }) => topic)], [["a here 6", "b here 6", "c here 6"], "b lost", ["a left 9", "b left 9", "c left 9"]]);
		assert.equal(dialect([new Scripted("plain", {})]).presence(6), undefined);
	});

	test("knows the devices of rules without placeholders from the beginning", () => {
		const joined = dialect([], [{ match: "boiler", device: "boiler", points: { on: { kind: "boolean", path: "", set: { topic: "boiler/set", payload: "{value}" } } } }]);
		assert.deepEqual(joined.announced().map(({ address }) => address), ["boiler"]);
		assert.deepEqual(joined.encode("BOILER", "On", true), [{ kind: "message", topic: "boiler/set", payload: "true" }]);
	});

	test("hears a live message as life, and a retained one not", () => {
		const joined = dialect([new Scripted("a", { t: { told: told("d", "x"), heard: ["e"] } })]);
		assert.deepEqual(joined.decode(packet("t")).heard, ["d", "e"]);
		assert.equal(joined.decode(packet("t", true)).heard, undefined);
	});

	test("a convention that throws costs a misfit, and the others go on", () => {
		const joined = dialect([new Scripted("a", { t: () => { throw new TypeError("bug"); } }), new Scripted("b", { t: { told: told("d", "x") } })]);
		const meaning = joined.decode(packet("t"));
		assert.deepEqual(meaning.misfits, [{ where: "t", reason: "is not understood by a", sample: "bug: 1" }]);
		assert.equal(meaning.told?.length, 1);
	});

	test("passes on what is to be sent, what does not fit, and that filters changed", () => {
		const send = [{ kind: "message", topic: "get", payload: "" }] as const;
		const misfits = [{ where: "d", reason: "is odd", sample: "" }];
		assert.deepEqual(dialect([new Scripted("a", { t: { filters: true, send } }), new Scripted("b", { t: { misfits } })]).decode(packet("t")), { filters: true, send, misfits });
	});

	test("refuses commands to what it does not know", () => {
		const joined = dialect([new Scripted("a", { t: { announced: [device("d", ["x", "broken"]), device("forgotten", ["x"])] } })]);
		joined.decode(packet("t"));
		assert.throws(() => joined.encode("none", "x", true), { fault: "unknown-device" });
		// Who asks may not see all of them.
		assert.throws(() => joined.encode("d", "none", true), { fault: "unknown-point", message: 'Cannot find "none": "d" has no such point' });
		assert.throws(() => joined.encode("d", "broken", true), { fault: "not-writable" });
		assert.throws(() => joined.encode("forgotten", "x", true), { fault: "unknown-device" });
		assert.deepEqual(joined.encode("D", "X", true), [{ kind: "message", topic: "a/d/x", payload: "" }]);
	});
});

describe("MqttDialect makes one device of two conventions that name one address", () => {
	const native = (says: Record<string, Meaning> = {}): Scripted => new Scripted("native", { n: { announced: [device("Lamp", ["state", "power"], { aliases: ["0xAB"], model: "L1" })] }, both: { told: told("Lamp", "state") }, says: { states: [{ address: "Lamp", state: "offline" }] }, "n-gone": { gone: ["lamp"] }, ...says });
	const discovery = (): Scripted => new Scripted("ha", { h: { announced: [device("0xab", ["State", "effect"], { name: "Lamp in the hall", model: "other" })] }, both: { told: told("0xAB", "State", "effect") }, says: { states: [{ address: "0xab", state: "online" }] }, heard: { heard: ["0xab"] }, "h-gone": { gone: ["0xAB"] } });
	const merged: Announcement = { address: "Lamp", aliases: ["0xAB"], name: "Lamp in the hall", model: "L1", points: points("state", "power", "effect") };

	for (const order of [["n", "h"], ["h", "n"]]) {
		test(`whichever comes first (${order.join(", ")}): native first, the other adds what is not there`, () => {
			const joined = dialect([native(), discovery()]);
			joined.decode(packet(order[0]!));
			assert.deepEqual(joined.decode(packet(order[1]!)).announced, [merged]);
		});
	}

	test("each point is told by its owner alone, under the one address", () => {
		const joined = dialect([native(), discovery()]);
		joined.decode(packet("n"));
		joined.decode(packet("h"));
		assert.deepEqual(joined.decode(packet("both")), { told: [...told("Lamp", "state"), ...told("Lamp", "effect")], heard: ["Lamp"] });
		assert.deepEqual(joined.decode(packet("heard")), { heard: ["Lamp"] });
	});

	test("each point is set by its owner, at whatever address", () => {
		const joined = dialect([native(), discovery()]);
		joined.decode(packet("n"));
		joined.decode(packet("h"));
		assert.deepEqual(joined.encode("0xAB", "state", true), [{ kind: "message", topic: "native/Lamp/state", payload: "" }]);
		assert.deepEqual(joined.encode("lamp", "effect", true), [{ kind: "message", topic: "ha/0xab/effect", payload: "" }]);
	});

	test("the native one's word on availability counts", () => {
		const joined = dialect([native(), discovery()]);
		joined.decode(packet("n"));
		joined.decode(packet("h"));
		assert.deepEqual(joined.decode(packet("says")), { states: [{ address: "Lamp", state: "offline" }] });
		const silent = dialect([native({ says: {} }), discovery()]);
		silent.decode(packet("n"));
		silent.decode(packet("h"));
		assert.deepEqual(silent.decode(packet("says")), { states: [{ address: "Lamp", state: "online" }] });
	});

	test("what one takes back stays as the other describes it, until that one does too", () => {
		const joined = dialect([native(), discovery()]);
		joined.decode(packet("n"));
		joined.decode(packet("h"));
		assert.deepEqual(joined.decode(packet("n-gone")), { announced: [{ address: "0xab", name: "Lamp in the hall", model: "other", points: points("State", "effect") }] });
		assert.deepEqual(joined.decode(packet("h-gone")), { gone: ["0xab"] });
		assert.throws(() => joined.encode("lamp", "state", true), { fault: "unknown-device" });
	});

	test("a topic rule goes before both", () => {
		const joined = dialect([native(), discovery()], [{ match: "own/{id}", device: "{id}", points: { power: { path: "" , unit: "W" } } }]);
		joined.decode(packet("own/0xAB"));
		joined.decode(packet("n"));
		const meaning = joined.decode(packet("h"));
		assert.deepEqual([meaning.announced?.[0]?.address, meaning.announced?.[0]?.points["power"]?.kind], ["0xAB", "numeric"]);
	});

	test("a sender that joins thousands of devices under one alias is bounded", () => {
		const many = Array.from({ length: 3_000 }, (_, n) => device(`d${n}`, ["x"], { aliases: ["same"] }));
		const joined = dialect([new Scripted("a", { t: { announced: many } })]);
		const began = performance.now();
		const meaning = joined.decode(packet("t"));
		assert.ok(meaning.announced?.every(({ aliases = [] }) => aliases.length <= 16));
		assert.ok(performance.now() - began < 2_000);
	});
});

test("5000 devices are announced and told in well under a second each way", () => {
	const many = Array.from({ length: 5_000 }, (_, n) => device(`d${n}`, ["a", "b", "c"], { aliases: [`0x${n}`] }));
	const joined = dialect([new Scripted("a", { t: { announced: many }, u: { told: many.flatMap(({ address }) => told(address, "a", "b")) } })]);
	const began = performance.now();
	assert.equal(joined.decode(packet("t")).announced?.length, 5_000);
	assert.equal(joined.decode(packet("u")).told?.length, 10_000);
	assert.ok(performance.now() - began < 2_000);
});

test("a device that a native convention describes has not the points of Home Assistant discovery too, under other names", () => {
	const say = (name: string, topic: string, points: Points, extra: Partial<Convention> = {}): Convention => ({
		name, filters: () => [topic], command: () => [],
		hear: (message) => (message.topic === topic ? { announced: [{ address: "aabbcc", points }] } : undefined), ...extra,
	});
	const lamp: Points = { state: { kind: "boolean", access: "rw" } };
	const again: Points = { light: { kind: "boolean", access: "rw" } };
	const dialect = new MqttDialect(new TopicRules([]), [say("zigbee2mqtt", "native", lamp), say("homeassistant", "discovery", again, { echoes: true })]);
	const hear = (topic: string) => dialect.decode({ body: { kind: "message", topic, payload: new Uint8Array(), retained: true }, received: 0, taken: () => undefined }).announced?.map(({ points }) => Object.keys(points));
	assert.deepEqual(hear("discovery"), [["light"]]);
	assert.deepEqual(hear("native"), [["state"]]);
	assert.deepEqual(hear("discovery"), [["state"]]);
});
