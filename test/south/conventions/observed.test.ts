import assert from "node:assert/strict";
import { test } from "node:test";
import { pointFor } from "../../../src/south/conventions/learned.js";
import { joined, Observed, type Seen } from "../../../src/south/conventions/observed.js";
import { plausible, timeFrom } from "../../../src/south/conventions/times.js";
import type { Unit } from "../../../src/core/unit.js";
import type { Value } from "../../../src/core/value.js";
import { numeric, readings, reasons } from "./said.js";

function seen(point: string, value: Value, unit?: Unit): Seen {
	return { point, value, as: pointFor(value, { unit }) };
}

test("see() announces a device when it is new, has a new point or fact, or another unit, and not else", () => {
	const observed = new Observed();
	const announces = (facts: object, ...all: Seen[]) => observed.see({ address: "A", ...facts }, all).announced?.length ?? 0;
	assert.equal(announces({}, seen("t", numeric("1"))), 1);
	assert.equal(announces({}, seen("T", numeric("2"))), 0);
	assert.equal(announces({ name: "n" }, seen("t", numeric("2"))), 1);
	assert.equal(announces({}, seen("t", numeric("2"))), 0, "what it once said holds");
	assert.equal(announces({}, seen("t", numeric("2"), "°C")), 1);
	assert.equal(announces({}, seen("t", numeric("2"))), 0);
	assert.equal(announces({}, seen("u", true)), 1);
});

test("see() keeps the name and the kind of a point: 0, 1, false and true are one, other kinds are misfits", () => {
	const observed = new Observed();
	observed.see({ address: "A" }, [seen("On", true), seen("n", numeric("5")), seen("s", "x")]);
	const again = observed.see({ address: "a" }, [seen("ON", numeric("0")), seen("N", true), seen("S", numeric("7.0"))]);
	assert.deepEqual(readings(again), { On: false, n: "1", s: "7.0" });
	const wrong = observed.see({ address: "A" }, [seen("on", numeric("2")), seen("n", "five")]);
	assert.deepEqual([readings(wrong), reasons(wrong).length], [{}, 2]);
});

test("see() finds a device by its alias", () => {
	const observed = new Observed();
	observed.see({ address: "A", aliases: ["B"] }, []);
	assert.deepEqual(observed.see({ address: "b" }, [seen("x", true)]).told?.[0]?.address, "A");
	assert.equal(observed.find("B")?.address, "A");
});

test("see() bounds points, names and addresses", () => {
	const observed = new Observed();
	const many = observed.see({ address: "A" }, Array.from({ length: 444 }, (_, at) => seen(`p${at}`, true)));
	assert.deepEqual([many.told?.length, many.misfits?.length], [400, 44]);
	assert.equal(observed.see({ address: "B" }, [seen("n".repeat(201), true), seen("", true)]).misfits?.length, 2);
	for (const address of ["", "x".repeat(300)]) assert.equal(observed.see({ address }, []).announced, undefined);
});

test("joined() is one meaning of several; what is not live is not heard", () => {
	const a = { announced: [{ address: "A", points: {} }], heard: ["B"] };
	assert.deepEqual(joined([a, {}], true), { announced: a.announced, heard: ["A", "B"] });
	assert.deepEqual(joined([a], false), { announced: a.announced });
});

const TIMES: readonly (readonly [what: string, said: string, time: number | undefined])[] = [
	["nanoseconds", "2025-10-09T08:53:20.123456789Z", 1_760_000_000_123], ["an offset", "2025-10-09T10:53:20+02:00", 1_760_000_000_000], ["a blank", "2025-10-09 08:53:20Z", 1_760_000_000_000], ["seconds", "1760000000.5", 1_760_000_000_500],
	["a local time", "2025-10-09T08:53:20", undefined], ["a time of 2003", "2003-10-09T08:53:20Z", undefined], ["a time of 2300", "2300-10-09T08:53:20Z", undefined], ["a day that is none", "2025-13-49T08:53:20Z", undefined], ["words", "now", undefined],
];
for (const [what, text, time] of TIMES) {
	test(`timeFrom() of ${what}`, () => assert.equal(timeFrom(text), time));
}

test("plausible() takes times after 2015 and before 2100", () => {
	assert.deepEqual([plausible(Date.UTC(2015, 0, 1) - 1), plausible(NaN), plausible(Infinity), plausible(1_760_000_000_000.7)], [undefined, undefined, undefined, 1_760_000_000_000]);
});
