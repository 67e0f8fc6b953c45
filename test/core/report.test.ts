import assert from "node:assert/strict";
import { test } from "node:test";
import type { Points } from "../../src/core/point.js";
import type { Reading } from "../../src/core/reading.js";
import { Registry } from "../../src/core/registry.js";
import { ReportPolicy, type ReportRule, ruleOf } from "../../src/core/report.js";
import type { Change, Twin } from "../../src/core/twin.js";
import { isNumeric, numericFromText, textOf, type Value } from "../../src/core/value.js";
import { FAKE_START } from "../fakes/clock.js";

const POINTS: Points = {
	temperature: { kind: "numeric", access: "rw", unit: "°C" }, level: { kind: "numeric", access: "r" },
	on: { kind: "boolean", access: "rw" }, mode: { kind: "enum", access: "rw", labels: ["auto", "manual"] }, note: { kind: "text", access: "r" },
};
const S = 1_000;
const MIN = 60_000;

/** A registry, a policy and a clock, joined as the roof joins them. `told` is what left: `12 temperature=21.5@0 aged:level`, times in seconds. */
class Roof {
	now = FAKE_START;
	readonly told: string[] = [];
	readonly registry: Registry;
	readonly policy: ReportPolicy;
	readonly twins = new Map<string, Twin>();

	constructor(rules: readonly ReportRule[], ids: readonly string[] = ["d"], points: Points = POINTS) {
		this.registry = new Registry([], rules);
		this.policy = new ReportPolicy(rules);
		for (const id of ids) {
			const { twin } = this.registry.announce("farm", { address: id, points }, this.now);
			this.twins.set(id, twin);
			this.policy.follow(twin, this.now);
		}
	}

	get twin(): Twin {
		return this.twins.get("d")!;
	}

	rules(rules: readonly ReportRule[]): void {
		this.registry.report(rules);
		this.policy.replace(rules, this.now);
	}

	hear(values: Readonly<Record<string, Value>>, more: Partial<Reading> = {}, id = "d"): void {
		const readings = Object.entries(values).map(([point, value]): Reading => ({ point, value, at: this.now, received: this.now, quality: "good", ...more }));
		this.#tell(this.policy.take(this.twins.get(id)!.apply(readings, true, this.now), this.now));
	}

	/** Seconds pass, one at a time. */
	pass(seconds: number): void {
		for (let second = 0; second < seconds; second++) {
			this.now += S;
			this.tick();
		}
	}

	tick(): void {
		for (const change of this.policy.due(this.now)) if (change) this.#tell(change);
	}

	/** What left since the last time. */
	take(): string[] {
		return this.told.splice(0);
	}

	#tell({ twin, readings, aged }: Change): void {
		if (readings.length === 0 && aged === undefined) return;
		const time = (at: number): number => (at - FAKE_START) / S;
		const id = twin.device.id === "d" ? "" : `${twin.device.id}.`;
		this.told.push([String(time(this.now)), ...readings.map(({ point, value, at }) => `${id}${point}=${textOf(value)}@${time(at)}`), ...(aged ?? []).map((point) => `aged:${id}${point}`)].join(" "));
	}
}
const n = (text: string): Value => numericFromText(text)!;

test("ruleOf() takes the first rule that matches DEVICE.POINT; a star stands for any characters, dots included", () => {
	const rules: ReportRule[] = [{ points: ["boiler.*", "*.flow"], heartbeat: 1 }, { points: ["*.temperature"], heartbeat: 2 }, { points: ["*"], heartbeat: 3 }];
	for (const [device, point, heartbeat] of [
		["boiler", "temperature", 1], ["boiler", "a.b", 1], ["pump", "flow", 1], ["pump.2", "flow", 1], ["Pump", "inner.flow", 1], ["pump", "Temperature", 2], ["pump", "outer.temperature", 2], ["boiler2", "level", 3], ["pump", "temperatures", 3],
	] as const) assert.equal(ruleOf(rules, device, point)?.heartbeat, heartbeat, `${device}.${point}`);
	assert.equal(ruleOf([{ points: ["pump.temperature"] }], "pump", "temp"), undefined);
});

// [what, rule, values one second after the other, those that are told]
const DEADBANDS: readonly (readonly [string, Partial<ReportRule>, readonly Value[], readonly string[]])[] = [
	["no deadband: every change", {}, [n("1"), n("1.0"), n("1.1"), n("1.1")], ["1", "1.1"]],
	["absolute, and exactly as much is enough", { deadband: { absolute: 0.2 } }, [n("21.1"), n("21.2"), n("21.3"), n("21.2"), n("21.11"), n("21.10")], ["21.1", "21.3", "21.10"]],
	["a slow drift adds up", { deadband: { absolute: 0.5 } }, Array.from({ length: 21 }, (_, step) => n((20 + step / 10).toFixed(1))), ["20.0", "20.5", "21.0", "21.5", "22.0"]],
	["percent of what was told", { deadband: { percent: 5 } }, [n("100"), n("104.9"), n("95.1"), n("105"), n("110.2"), n("110.25")], ["100", "105", "110.25"]],
	["percent of a negative number", { deadband: { percent: 10 } }, [n("-10"), n("-10.9"), n("-11")], ["-10", "-11"]],
	["percent of nothing is any change", { deadband: { percent: 50 } }, [n("0"), n("0.001"), n("0.0014"), n("0.0015")], ["0", "0.001", "0.0015"]],
	["other kinds have no deadband", { deadband: { absolute: 5 } }, [true, false, false, true], ["true", "false", "true"]],
];
for (const [what, rule, values, expected] of DEADBANDS) {
	test(`take(): ${what}`, () => {
		const roof = new Roof([{ points: ["d.*"], ...rule }]);
		for (const value of values) {
			roof.hear({ [isNumeric(value) ? "temperature" : "on"]: value });
			roof.pass(1);
		}
		assert.deepEqual(roof.take().map((line) => line.replace(/^.*=(.*)@.*$/, "$1")), expected);
	});
}

test("take() lets everything pass where there is no rule, the very same change, and availability always", () => {
	const roof = new Roof([]);
	const change = roof.twin.apply([{ point: "level", value: n("1"), at: roof.now, received: roof.now, quality: "good" }], true, roof.now);
	assert.equal(roof.policy.take(change, roof.now), change);
	const ruled = new Roof([{ points: ["d.temperature"], deadband: { absolute: 10 } }]);
	ruled.hear({ temperature: n("20"), level: n("1") });
	ruled.hear({ temperature: n("21"), level: n("2") });
	assert.deepEqual(ruled.take(), ["0 temperature=20@0 level=1@0", "0 level=2@0"]);
	assert.equal(ruled.policy.take(ruled.twin.say("offline", undefined, ruled.now), ruled.now).availability, true);
});

test("what comes too early is told at the end of the interval, the newest only, with its own time", () => {
	const roof = new Roof([{ points: ["d.*"], minInterval: 10 * S }]);
	roof.hear({ level: n("1") });
	for (const value of ["2", "3", "4"]) {
		roof.pass(2);
		roof.hear({ level: n(value) });
	}
	roof.pass(30);
	roof.hear({ level: n("5") });
	assert.deepEqual(roof.take(), ["0 level=1@0", "10 level=4@6", "36 level=5@36"]);
});

test("a switch that flips back within the interval is worth nothing, and one that does not is told at its end", () => {
	const roof = new Roof([{ points: ["d.*"], minInterval: 10 * S }]);
	roof.hear({ on: true, mode: "auto" });
	roof.pass(1);
	roof.hear({ on: false, mode: "manual" });
	roof.pass(1);
	roof.hear({ on: true });
	roof.pass(60);
	assert.deepEqual(roof.take(), ["0 on=true@0 mode=auto@0", "10 mode=manual@1"]);
});

test("a value that comes back into the deadband before the interval is over is not told", () => {
	const roof = new Roof([{ points: ["d.*"], deadband: { absolute: 1 }, minInterval: 10 * S }]);
	for (const value of ["20", "22", "20.5"]) {
		roof.hear({ temperature: n(value) });
		roof.pass(1);
	}
	roof.pass(60);
	assert.deepEqual(roof.take(), ["0 temperature=20@0"]);
});

test("a heartbeat repeats the newest value with the time that its source gave it, and begins anew with whatever is told", () => {
	const roof = new Roof([{ points: ["d.temperature"], deadband: { absolute: 1 }, heartbeat: 15 * MIN }]);
	roof.hear({ temperature: n("20") });
	roof.pass(5 * 60);
	roof.hear({ temperature: n("20.3") });
	roof.pass(20 * 60);
	roof.hear({ temperature: n("22") });
	roof.pass(31 * 60);
	assert.deepEqual(roof.take(), ["0 temperature=20@0", "900 temperature=20.3@300", "1500 temperature=22@1500", "2400 temperature=22@1500", "3300 temperature=22@1500"]);
});

test("a heartbeat keeps to the interval, and what the store gave back is repeated with its old time", () => {
	const roof = new Roof([{ points: ["d.*"], heartbeat: 5 * S, minInterval: 20 * S }]);
	roof.twin.restore([{ point: "level", value: n("7"), at: FAKE_START - 3_600 * S, received: FAKE_START - 3_600 * S, quality: "good" }]);
	roof.policy.follow(roof.twin, roof.now);
	roof.pass(50);
	assert.deepEqual(roof.take(), ["20 level=7@-3600", "40 level=7@-3600"]);
});

test("a value is told as stale once it is older than it may be, and as fresh again though it is the same", () => {
	const roof = new Roof([{ points: ["d.temperature"], maxAge: 10 * MIN }]);
	roof.hear({ temperature: n("20"), level: n("1") });
	roof.pass(599);
	roof.hear({ temperature: n("20") });
	roof.pass(700);
	assert.deepEqual(roof.take(), ["0 temperature=20@0 level=1@0", "1200 aged:temperature"]);
	roof.hear({ temperature: n("20") });
	roof.pass(700);
	roof.hear({ temperature: n("21") });
	assert.deepEqual(roof.take(), ["1299 aged:temperature", "1900 aged:temperature", "1999 temperature=21@1999 aged:temperature"]);
});

test("what is of unknown age, or was old when it came, is stale at once; a source clock that runs ahead makes nothing younger", () => {
	const rules = [{ points: ["d.*"], maxAge: 10 * MIN }];
	const unknown = new Roof(rules);
	unknown.hear({ temperature: n("20") }, { ageUnknown: true });
	unknown.hear({ temperature: n("20") });
	assert.deepEqual(unknown.take(), ["0 temperature=20@0 aged:temperature", "0 aged:temperature"]);
	const old = new Roof(rules);
	old.hear({ temperature: n("20") }, { at: FAKE_START - 11 * MIN });
	assert.deepEqual(old.take(), ["0 temperature=20@-660 aged:temperature"]);
	const ahead = new Roof(rules);
	ahead.hear({ temperature: n("20") }, { at: FAKE_START + 24 * 60 * MIN });
	ahead.pass(602);
	assert.deepEqual(ahead.take(), ["0 temperature=20@86400", "601 aged:temperature"]);
});

test("a value from the store that was old before the restart is told as stale though nothing comes in", () => {
	const roof = new Roof([{ points: ["d.*"], maxAge: 10 * MIN }]);
	roof.twin.restore([{ point: "level", value: n("7"), at: FAKE_START - 30 * MIN, received: FAKE_START - 30 * MIN, quality: "good" }]);
	roof.policy.follow(roof.twin, roof.now);
	roof.pass(60);
	assert.deepEqual(roof.take(), ["1 aged:level"]);
});

test("expect(): what somebody has set is told however little it differs, also when the device had said it before", () => {
	const roof = new Roof([{ points: ["d.*"], deadband: { absolute: 1 } }]);
	roof.hear({ temperature: n("20") });
	roof.hear({ temperature: n("20.1") });
	roof.pass(1);
	roof.policy.expect(roof.twin, "temperature", roof.now, 10 * S);
	roof.pass(1);
	roof.hear({ temperature: n("20.2") });
	roof.pass(20);
	roof.hear({ temperature: n("20.3") });
	roof.pass(1);
	roof.policy.expect(roof.twin, "temperature", roof.now, 10 * S);
	roof.hear({ temperature: n("20.3") });
	roof.pass(60);
	roof.hear({ temperature: n("20.4") });
	roof.pass(60);
	assert.deepEqual(roof.take(), ["0 temperature=20@0", "2 temperature=20.2@2", "33 temperature=20.3@23"]);
});

test("replace(): new rules hold from now on, what was told stays told, and what the old ones held back is told", () => {
	const roof = new Roof([{ points: ["d.*"], deadband: { absolute: 5 }, maxAge: MIN }]);
	roof.hear({ temperature: n("20"), level: n("1") });
	roof.hear({ temperature: n("22"), level: n("1.5") });
	roof.pass(90);
	assert.deepEqual(roof.take(), ["0 temperature=20@0 level=1@0", "61 aged:temperature aged:level"]);
	roof.rules([{ points: ["*.temperature"], deadband: { absolute: 1 } }]);
	roof.pass(10);
	assert.deepEqual(roof.take(), ["91 temperature=22@0 level=1.5@0 aged:temperature aged:level"]);
	roof.hear({ temperature: n("22.5"), level: n("1.6") });
	assert.deepEqual(roof.take(), ["100 level=1.6@100"]);
	roof.rules([]);
	roof.pass(1);
	assert.deepEqual(roof.take(), ["101 temperature=22.5@100"]);
	roof.hear({ temperature: n("22.6") });
	assert.deepEqual(roof.take(), ["101 temperature=22.6@101"]);
	roof.rules([{ points: ["d.temperature"], maxAge: MIN, heartbeat: 10 * MIN }]);
	roof.pass(62);
	assert.deepEqual(roof.take(), []); // nothing has been heard of it under these rules, and nothing was asked for it
	roof.policy.follow(roof.twin, roof.now);
	roof.pass(2);
	assert.deepEqual(roof.take(), ["164 aged:temperature"]);
});

test("a device that is described anew keeps what was told, and one that is gone is told nothing more of", () => {
	const roof = new Roof([{ points: ["d.*"], deadband: { absolute: 1 }, heartbeat: MIN, maxAge: MIN }]);
	roof.hear({ temperature: n("20"), level: n("3") });
	roof.registry.announce("farm", { address: "d", points: { temperature: POINTS["temperature"]!, extra: { kind: "boolean", access: "r" } } }, roof.now);
	roof.policy.follow(roof.twin, roof.now);
	roof.hear({ temperature: n("20.5"), extra: true });
	roof.pass(60);
	assert.deepEqual(roof.take(), ["0 temperature=20@0 level=3@0", "0 extra=true@0", "60 temperature=20.5@0 extra=true@0"]);
	roof.policy.forget(roof.twin);
	roof.pass(300);
	assert.deepEqual(roof.take(), []);
});

test("a clock that is set back holds back nothing for longer than the rules say, and tells no more often", () => {
	const roof = new Roof([{ points: ["d.level"], minInterval: 10 * S }, { points: ["d.temperature"], heartbeat: MIN, maxAge: 10 * MIN }]);
	roof.pass(1);
	roof.hear({ level: n("1"), temperature: n("20") });
	roof.pass(1);
	roof.hear({ level: n("2") });
	roof.take();
	roof.now -= 3_600 * S;
	roof.hear({ level: n("3") });
	roof.pass(61);
	// The temperature lies an hour ahead now: nobody knows how old it is.
	assert.deepEqual(roof.take(), ["-3597 aged:temperature", "-3588 level=3@-3598", "-3537 temperature=20@1"]);
	roof.hear({ temperature: n("20") });
	assert.deepEqual(roof.take(), ["-3537 aged:temperature"]);
});

test("a clock that jumps ahead by a year is one second's work, and nothing is told twice", () => {
	const roof = new Roof([{ points: ["d.*"], heartbeat: MIN, maxAge: 10 * MIN }]);
	roof.hear({ level: n("1") });
	roof.pass(1);
	roof.now += 365 * 24 * 3_600 * S;
	roof.pass(59);
	assert.deepEqual(roof.take().map((line) => line.replace(/^\d+ /, "")), ["level=1@0", "level=1@0 aged:level"]);
});

test("due() that is given up half way goes on with the next call", () => {
	const ids = Array.from({ length: 50 }, (_, index) => `d${index}`);
	const roof = new Roof([{ points: ["*"], heartbeat: MIN }], ids);
	for (const id of ids) roof.hear({ level: n("1") }, {}, id);
	roof.take();
	roof.pass(59);
	const seen = new Set<string>();
	for (let round = 0; round < 10; round++) {
		roof.now += S;
		let count = 0;
		for (const change of roof.policy.due(roof.now)) {
			if (!change) continue;
			const { twin } = change;
			assert.ok(!seen.has(twin.device.id), `${twin.device.id} twice`);
			seen.add(twin.device.id);
			if (++count === 5) break;
		}
	}
	assert.equal(seen.size, 50);
});

/** Mulberry32. */
function seeded(seed: number): () => number {
	let state = seed;
	return () => {
		state = (state + 0x6d2b79f5) | 0;
		let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
		mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
		return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
	};
}

test("whatever comes when: never more often than the interval, never another time than the source's, and in the end everybody knows the last value", () => {
	for (let seed = 1; seed <= 60; seed++) {
		const random = seeded(seed);
		const pick = <T>(...choices: readonly T[]): T => choices[Math.floor(random() * choices.length)]!;
		const absolute = pick(undefined, 0.5, 2);
		const minInterval = pick(0, 3 * S, 30 * S);
		const heartbeat = pick(undefined, 20 * S, 5 * MIN);
		const rule: ReportRule = { points: ["*"], minInterval, ...(absolute !== undefined && { deadband: { absolute } }), ...(heartbeat !== undefined && { heartbeat }), maxAge: pick(10 * S, 2 * MIN) };
		const points: Points = { level: { kind: "numeric", access: "r" }, on: { kind: "boolean", access: "r" } };
		const registry = new Registry([], [rule]);
		const policy = new ReportPolicy([rule]);
		const { twin } = registry.announce("farm", { address: "d", points }, FAKE_START);
		const known = new Map<string, { reading: Reading; when: number }>();
		const stale = new Map<string, boolean>();
		const heard = new Map<string, Set<number>>([["level", new Set()], ["on", new Set()]]);
		let elapsed = 0; // true time, whatever the clock says
		let now = FAKE_START;
		const told = (change: Change): void => {
			for (const reading of change.readings) {
				const before = known.get(reading.point);
				const context = `seed ${seed}, ${reading.point}, ${elapsed}`;
				assert.ok(heard.get(reading.point)!.has(reading.at), `${context}: a time of its own`);
				if (before) assert.ok(elapsed - before.when >= minInterval, `${context}: after ${elapsed - before.when} ms`);
				known.set(reading.point, { reading, when: elapsed });
			}
			for (const point of change.aged ?? []) stale.set(point, !(stale.get(point) ?? false));
		};
		const step = (span: number): void => {
			elapsed += span;
			now += span;
			if (elapsed % S === 0) for (const change of policy.due(now)) if (change) told(change);
		};
		let level = 20;
		for (let turn = 0; turn < 1_500; turn++) {
			step(250);
			if (random() < 0.002) now -= Math.floor(random() * 600) * S;
			if (random() < 0.3) continue;
			level += (random() - 0.5) * pick(0.1, 1);
			const value = pick<Value>(n(level.toFixed(2)), random() < 0.5);
			const point = isNumeric(value) ? "level" : "on";
			heard.get(point)!.add(now);
			told(policy.take(twin.apply([{ point, value, at: now, received: now, quality: "good" }], true, now), now));
		}
		for (let turn = 0; turn < 60 * 4 + 20 * 60 * 4; turn++) step(250);
		for (const [point, { reading }] of known) {
			const last = twin.readings.get(point)!;
			if (isNumeric(reading.value) && isNumeric(last.value)) assert.ok(Math.abs(reading.value.number - last.value.number) < (heartbeat === undefined ? (absolute ?? 1e-9) : 1e-9), `seed ${seed}: ${textOf(reading.value)} ${textOf(last.value)}`);
			else assert.equal(reading.value, last.value, `seed ${seed}`);
			assert.equal(stale.get(point), true, `seed ${seed}: ${point} is stale at last`);
		}
	}
});

test("ten thousand devices with ten points: a quiet second asks next to none of them, and a reading costs no search", () => {
	const points: Points = Object.fromEntries(Array.from({ length: 10 }, (_, index) => [`p${index}`, { kind: "numeric", access: "r" } as const]));
	let asked = 0;
	const ids = Array.from({ length: 10_000 }, (_, index) => `d${index}`);
	const rules: ReportRule[] = [{ points: ["*"], deadband: { absolute: 1 }, heartbeat: 3_600 * S, maxAge: 2 * 3_600 * S }];
	const registry = new Registry([], rules);
	const policy = new ReportPolicy(rules);
	const twins = ids.map((address) => registry.announce("farm", { address, points }, FAKE_START).twin);
	for (const twin of twins) {
		policy.take(twin.apply(Object.keys(points).map((point) => ({ point, value: n("1"), at: FAKE_START, received: FAKE_START, quality: "good" as const })), true, FAKE_START), FAKE_START);
		// From here on each look at a device is seen.
		const { readings } = twin;
		Object.defineProperty(twin, "readings", { get: () => { asked++; return readings; } });
	}
	let pauses = 0;
	for (const change of policy.due(FAKE_START + S)) {
		assert.equal(change, undefined);
		pauses++;
	}
	assert.equal(pauses, 40, "others may go ahead after every 250 devices");
	asked = 0;
	for (let second = 2; second <= 200; second++) for (const change of policy.due(FAKE_START + second * S)) assert.fail(change?.twin.device.id);
	assert.equal(asked, 0);
});
