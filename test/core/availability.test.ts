import assert from "node:assert/strict";
import { test } from "node:test";
import { type Availability, CALM_AFTER, Damper, type Evidence, FLAP_DOWN_AFTER, FLAP_UP_AFTER, type Judgement, judge, MAX_FLAPS } from "../../src/core/availability.js";

const NOW = 1_000_000;
// [what, evidence, before, availability, reason]
const ROWS: readonly (readonly [string, Partial<Evidence>, Availability, Availability, RegExp | undefined])[] = [
	["nothing heard and nothing said", {}, "unknown", "unknown", /not heard from yet/],
	["heard, and silence is normal", { heard: 1 }, "unknown", "online", undefined],
	["said to be online", { said: { state: "online", at: NOW } }, "unknown", "online", undefined],
	["said to be offline, though heard", { said: { state: "offline", at: 0, reason: "last will" }, heard: NOW }, "online", "offline", /last will/],
	["said to be asleep", { said: { state: "asleep", at: 0 }, heard: NOW }, "online", "asleep", undefined],
	["heard in its rhythm", { heard: NOW - 2_000, every: 1_000 }, "online", "online", undefined],
	["said to be online long ago, and never heard in its rhythm", { said: { state: "online", at: NOW - 6_000 }, every: 1_000 }, "online", "offline", /nothing heard for 6 s/],
	["heard in what a clock set back calls the future", { heard: NOW + 3_600_000, every: 1_000 }, "online", "online", undefined],
	["not heard since an outage", {}, "online", "unknown", /not heard since its link came back/],
	["late", { heard: NOW - 2_600, every: 1_000 }, "online", "late", /nothing heard for 3 s/],
	["silent for long", { heard: NOW - 5_100, every: 1_000 }, "late", "offline", /nothing heard for 5 s/],
	["heard once after a silence", { heard: NOW, every: 1_000, irregular: true }, "offline", "late", /not yet regularly/],
	["link down within the grace", { linkDown: { since: NOW - 4_000, reason: "gone" }, heard: NOW }, "online", "online", undefined],
	["link down for longer", { linkDown: { since: NOW - 6_000, reason: "gone" }, said: { state: "online", at: NOW } }, "online", "unknown", /gone/],
	["link down for longer than the grace of its kind", { linkDown: { since: NOW - 6_000, reason: "gone", grace: 8_000 }, heard: NOW }, "online", "online", undefined],
	["link never up", { linkDown: { since: NOW, reason: "is being opened" } }, "unknown", "unknown", /is being opened/],
];
for (const [what, evidence, before, availability, reason] of ROWS) {
	test(`judge(): ${what} → ${availability}`, () => {
		const found = judge({ irregular: false, ...evidence }, before, NOW);
		assert.equal(found.availability, availability);
		if (reason) assert.match(found.reason ?? "", reason);
		else assert.equal(found.reason, undefined);
	});
}

const HERE: Judgement = { availability: "online" };
const GONE: Judgement = { availability: "offline", reason: "last will" };

/** A damper that is judged once a second; `words` is what is told, with the second at which it changed. */
function damped(states: (second: number) => Judgement, seconds: number): string[] {
	const damper = new Damper();
	let shown: Judgement = { availability: "unknown" };
	const words: string[] = [];
	for (let second = 0; second < seconds; second++) {
		const before = shown;
		shown = damper.damp(states(second), before.availability, NOW + second * 1_000);
		if (shown.availability !== before.availability) words.push(`${second} ${shown.availability}${shown.reason === undefined ? "" : `: ${shown.reason}`}`);
	}
	return words;
}

test("Damper: six changes in ten minutes are told, the seventh makes the device late, with the count", () => {
	const words = damped((second) => (Math.floor(second / 20) % 2 === 0 ? HERE : GONE), 143);
	assert.deepEqual(words, ["0 online", "20 offline: last will", "40 online", "60 offline: last will", "80 online", "100 offline: last will", "120 online", "140 late: flapping ×7 in 10 min"]);
});

test("Damper: changes that lie further apart than ten minutes hold are told for ever", () => {
	assert.equal(damped((second) => (Math.floor(second / 110) % 2 === 0 ? HERE : GONE), 3_300).length, 30);
});

test("Damper: while it flaps short absences are hidden, a lasting one is told after four seconds, and the return from it after thirty", () => {
	const flaps = (second: number): Judgement => (second < 21 && Math.floor(second / 3) % 2 === 1 ? GONE : HERE);
	const words = damped((second) => (second < 60 ? flaps(second) : second < 80 ? GONE : HERE), 260);
	assert.deepEqual(words.slice(-4), ["21 online", `${60 + FLAP_DOWN_AFTER / 1_000} offline: last will; flapping ×7 in 10 min`, `${80 + FLAP_UP_AFTER / 1_000} late: flapping ×8 in 10 min`, `${80 + CALM_AFTER / 1_000} online`].map((line, at) => (at === 0 ? words.at(-4) : line)));
	assert.ok(words.every((line) => !/^2[2-9] |^[345]\d /.test(line)), words.join("\n"));
});

test("Damper: a device that was never there before does not flap by being found, and unknown is gone", () => {
	const damper = new Damper();
	const unknown: Judgement = { availability: "unknown", reason: "not heard from yet" };
	assert.equal(damper.damp(unknown, "unknown", NOW), unknown);
	for (let change = 0; change <= MAX_FLAPS; change++) {
		const judged = change % 2 === 0 ? HERE : unknown;
		assert.equal(damper.damp(judged, "online", NOW + change), judged, `change ${change}`);
	}
	assert.equal(damper.damp(unknown, "online", NOW + 100).availability, "late");
	assert.equal(damper.isFlapping, true);
});

test("Damper: counts no more than two hundred, and says so; a clock set back by a day ends nothing and lasts for no day", () => {
	const damper = new Damper();
	for (let change = 0; change < 1_000; change++) damper.damp(change % 2 === 0 ? GONE : HERE, "late", NOW + change * 100);
	const later = NOW + 100_000;
	assert.equal(damper.damp(HERE, "late", later).reason, "flapping ×200 or more in 10 min");
	const back = later - 86_400_000;
	assert.equal(damper.damp(HERE, "late", back).availability, "late");
	assert.equal(damper.damp(HERE, "late", back + CALM_AFTER).availability, "online");
	assert.equal(damper.isFlapping, false);
});
