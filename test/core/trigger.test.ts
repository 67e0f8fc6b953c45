import assert from "node:assert/strict";
import { test } from "node:test";
import { changeBetween, EventRule, type EventRuleOptions, isMet, magnitudeOf } from "../../src/core/trigger.js";
import { numericFromText, type Value } from "../../src/core/value.js";
import type { Trigger } from "../../src/core/watch.js";
import { Chance } from "../fakes/fuzz.js";

const T0 = 1_000_000;

function valueOf(text: string | boolean): Value {
	return typeof text === "boolean" ? text : (numericFromText(text) ?? text);
}

function at(point: string, text: string | boolean): { point: string; value: Value } {
	return { point, value: valueOf(text) };
}

function rule(triggers: Readonly<Record<string, Trigger>>, more: Omit<EventRuleOptions, "triggers"> = {}): EventRule {
	return new EventRule({ triggers: new Map(Object.entries(triggers)), ...more }, T0);
}

test("magnitudeOf() takes truths for 0 and 1, numbers and texts for themselves", () => {
	assert.deepEqual([true, false, "7.50", "heat"].map((each) => magnitudeOf(valueOf(each))), [1, 0, 7.5, "heat"]);
});

test("changeBetween() counts each change of a text as 1, in the direction of the alphabet", () => {
	assert.deepEqual([changeBetween("auto", "heat"), changeBetween("heat", "auto"), changeBetween("heat", "heat"), changeBetween(20, 17), changeBetween(1, "one")], [1, -1, 0, -3, 1]);
});

test("isMet() compares as a table says", () => {
	const rows: readonly (readonly [trigger: Trigger, told: string | boolean, now: string | boolean, met: boolean])[] = [
		[{ by: 0.5 }, "71.5", "71.9", false],
		[{ by: 0.5 }, "71.5", "72.0", true],
		[{ by: 0.5 }, "71.5", "71.0", true],
		[{ by: 0.1 }, "0.3", "0.2", true], // 0.09999999999999998
		[{ by: 0.1 }, "0.7", "0.8", true], // 0.10000000000000009
		[{ by: 0.1 }, "1000000.1", "1000000.2", true],
		[{ by: 0.001 }, "21.5", "21.5004", false],
		[{ up: 1 }, "5", "6", true],
		[{ up: 1 }, "5", "3", false],
		[{ down: 1 }, "5", "3", true],
		[{ down: 1 }, "5", "9", false],
		[{ up: 1, down: 4 }, "5", "3", false],
		[{ up: 1, down: 4 }, "5", "1", true],
		[{ by: 1, up: 9, down: 9 }, "5", "6", true],
		[{ by: 9, up: 1 }, "5", "6", false],
		[{ by: 1 }, false, true, true],
		[{ by: 1 }, true, true, false],
		[{ up: 1 }, true, false, false],
		[{ up: 1 }, false, true, true],
		[{ by: 1 }, "auto", "heat", true],
		[{ by: 2 }, "auto", "heat", false],
		[{ up: 1 }, "auto", "heat", true],
		[{ down: 1 }, "auto", "heat", false],
		[{}, "71.5", "71.50", false],
		[{}, "71.5", "71.6", true],
		[{}, false, true, true],
		[{}, "auto", "auto", false],
		[{}, "auto", "heat", true],
	];
	for (const [trigger, told, now, met] of rows) assert.equal(isMet(trigger, magnitudeOf(valueOf(told)), magnitudeOf(valueOf(now))), met, `${JSON.stringify(trigger)} ${told} -> ${now}`);
});

test("EventRule measures from what was told last, not from the value before (T9)", () => {
	const r = rule({ t: { by: 0.5 } }, { told: new Map([["t", valueOf("71.5")]]) });
	assert.equal(r.offer([at("t", "71.7")], T0 + 1), false);
	assert.equal(r.offer([at("t", "71.9")], T0 + 2), false);
	assert.equal(r.nextAt, undefined);
	assert.equal(r.offer([at("t", "72.0")], T0 + 3), true);
	r.fired([at("t", "72.0")], T0 + 3);
	assert.equal(r.offer([at("t", "71.6")], T0 + 4), false);
	assert.equal(r.offer([at("t", "71.5")], T0 + 5), true);
});

test("EventRule takes the first value of a point of which nothing was told for an event, unless `current` says otherwise", () => {
	assert.equal(rule({ t: { by: 5 } }).offer([at("t", "20")], T0), true);
	assert.equal(rule({ t: { by: 5, current: 18 } }).offer([at("t", "20")], T0), false);
	assert.equal(rule({ t: { by: 5, current: 18 } }, { told: new Map([["t", valueOf("10")]]) }).offer([at("t", "20")], T0), true);
});

test("EventRule: a point without a trigger is never an event", () => {
	const r = rule({ t: { by: 1 } }, { told: new Map([["t", valueOf("1")]]) });
	assert.equal(r.offer([at("other", "1"), at("other", "1000")], T0), false);
	assert.equal(r.offer([at("other", "1"), at("t", "2")], T0), true);
	assert.equal(rule({ t: { by: 1 } }, { otherwise: {} }).offer([at("other", "1")], T0), true, "unless there is one for all others");
});

test("EventRule: a value that becomes stale is an event for whoever waits for changes of it, and for nobody else", () => {
	const r = rule({ t: { by: 1 } }, { told: new Map([["t", valueOf("1")]]) });
	assert.equal(r.offer([], T0, ["other"]), false);
	assert.equal(r.offer([], T0, ["t"]), true);
});

test("EventRule: the first event waits for nothing, the next one for the end of the minimum interval (T10)", () => {
	const r = rule({ t: { by: 1 } }, { minInterval: 5_000, told: new Map([["t", valueOf("1")]]) });
	assert.equal(r.offer([at("t", "2")], T0 + 10), true);
	r.fired([at("t", "2")], T0 + 10);
	assert.equal(r.offer([at("t", "3")], T0 + 1_000), false);
	assert.equal(r.suppressed, true);
	assert.equal(r.nextAt, T0 + 5_010);
	assert.equal(r.isDue(T0 + 5_009), false);
	assert.equal(r.isDue(T0 + 5_010), true);
	r.fired([at("t", "3")], T0 + 5_010);
	assert.equal(r.nextAt, undefined);
});

test("EventRule: a pulse within the minimum interval is an event at the end of it", () => {
	const r = rule({ door: { by: 1 } }, { minInterval: 1_000, toldAt: T0, told: new Map([["door", false]]) });
	assert.equal(r.offer([at("door", true)], T0 + 100), false);
	assert.equal(r.offer([at("door", false)], T0 + 200), false);
	assert.equal(r.isDue(T0 + 1_000), true);
});

test("EventRule: after the maximum interval an event is due anyway, counted from the last one", () => {
	const r = rule({ t: { by: 1 } }, { maxInterval: 60_000, told: new Map([["t", valueOf("1")]]) });
	assert.equal(r.nextAt, T0 + 60_000);
	assert.equal(r.offer([at("t", "1.1")], T0 + 59_999), false);
	assert.equal(r.isDue(T0 + 60_000), true);
	r.fired([at("t", "1.1")], T0 + 60_000);
	assert.equal(r.nextAt, T0 + 120_000);
	assert.equal(r.offer([at("t", "2.1")], T0 + 70_000), true);
	r.fired([at("t", "2.1")], T0 + 70_000);
	assert.equal(r.nextAt, T0 + 130_000);
});

test("EventRule: a maximum below the minimum waits for the minimum", () => {
	const r = rule({}, { minInterval: 10_000, maxInterval: 1_000, toldAt: T0 });
	assert.equal(r.nextAt, T0 + 10_000);
});

test("EventRule: a clock that is set back begins the intervals anew", () => {
	const r = rule({ t: { by: 1 } }, { minInterval: 5_000, maxInterval: 60_000, toldAt: T0, told: new Map([["t", valueOf("1")]]) });
	assert.equal(r.offer([at("t", "9")], T0 - 3_600_000), false);
	assert.equal(r.nextAt, T0 - 3_600_000 + 5_000);
});

test("EventRule: whatever is offered, events keep their distance, and what was told is within `by` of what is", () => {
	const chance = new Chance(9);
	for (let run = 0; run < 200; run++) {
		const minInterval = chance.int(5_000);
		const by = (1 + chance.int(20)) / 10;
		const r = rule({ t: { by } }, { minInterval });
		let told: number | undefined;
		let last: number | undefined;
		let now = T0;
		let value = 20;
		for (let step = 0; step < 50; step++) {
			now += chance.int(2_000);
			value = Math.round((value + chance.random() * 2 - 1) * 10) / 10;
			const reading = at("t", value.toFixed(1));
			if (r.offer([reading], now)) {
				if (last !== undefined) assert.ok(now - last >= minInterval);
				r.fired([reading], now);
				told = value;
				last = now;
			} else if (!r.suppressed) assert.ok(told !== undefined && Math.abs(value - told) < by);
		}
	}
});
