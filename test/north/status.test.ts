import assert from "node:assert/strict";
import { test } from "node:test";
import type { Points } from "../../src/core/point.js";
import type { Reading } from "../../src/core/reading.js";
import { statusOf } from "../../src/north/status.js";
import { harness, PUMP, WEATHER } from "./harness.js";

/** What the status says of these values, to somebody who may read `visible`. */
async function status(points: Points, values: Readonly<Record<string, string | boolean>>, more: Partial<Reading> & { readonly later?: number } = {}, visible = Object.keys(points)): Promise<string | undefined> {
	const { later = 0, ...rest } = more;
	const h = harness(() => [], { devices: { d: points } });
	await h.report("d", values, rest);
	return statusOf(h.twin("d"), visible, h.clock.now() + later);
}

const TWO_TEMPERATURES: Points = { flow: { kind: "numeric", access: "r", unit: "°C" }, return: { kind: "numeric", access: "r", unit: "°C", label: "Return" }, level: { kind: "numeric", access: "r" } };

test("statusOf() shows last values with the device's own digits, units for names, on and off, in the order of the points", async () => {
	assert.equal(await status(WEATHER, { humidity: "45", temperature: "21.50" }), "21.50 °C · 45 %RH");
	assert.equal(await status(PUMP, { mode: "auto", running: true, speed: "40", flow: "3.2" }), "3.2 L/min · 40 % · running on · mode auto");
	assert.equal(await status(TWO_TEMPERATURES, { flow: "60", return: "40", level: "3" }), "flow 60 °C · Return 40 °C · level 3");
});

test("statusOf() shows only what may be seen, four values at most, and no long text", async () => {
	assert.equal(await status(WEATHER, { temperature: "21.5", humidity: "45" }, {}, ["humidity"]), "45 %RH");
	assert.equal(await status(WEATHER, { temperature: "21.5" }, {}, []), undefined);
	assert.equal(await status(TWO_TEMPERATURES, { flow: "60", return: "40" }, {}, ["flow"]), "60 °C");
	const many = Object.fromEntries(Array.from({ length: 9 }, (_, n) => [`p${n}`, { kind: "boolean", access: "r" } as const]));
	assert.equal(await status(many, Object.fromEntries(Object.keys(many).map((name) => [name, false]))), "p0 off · p1 off · p2 off · p3 off");
	assert.equal(await status({ note: { kind: "text", access: "r" } }, { note: "x".repeat(1_000) }), `note ${"x".repeat(40)}…`);
});

test("statusOf() leaves out identities and errors, and says how old an old value is", async () => {
	assert.equal(await status({ serial: { kind: "text", access: "r", category: "identity" }, ...WEATHER }, { serial: "A1", temperature: "21.5" }), "21.5 °C");
	assert.equal(await status(WEATHER, { temperature: "21.5" }, { quality: "error" }), undefined);
	assert.equal(await status(WEATHER, { temperature: "21.5" }, { ageUnknown: true }), "21.5 °C (age unknown)");
	assert.equal(await status(WEATHER, { temperature: "21.5" }, { later: 3 * 3_600_000 }), "21.5 °C (3 h ago)");
	assert.equal(await status(WEATHER, { temperature: "21.5" }, { later: 2 * 3_600_000 }), "21.5 °C");
});

test("statusOf() says why before it says what", async () => {
	const h = harness(() => []);
	assert.equal(statusOf(h.twin("weather"), ["temperature"], h.clock.now()), "not heard from yet");
	await h.report("weather", { temperature: "21.5" });
	await h.state("weather", "faulty", "sensor is wet");
	assert.equal(statusOf(h.twin("weather"), ["temperature"], h.clock.now()), "sensor is wet");
	await h.state("weather", "offline");
	assert.equal(statusOf(h.twin("weather"), ["temperature"], h.clock.now()), "offline");
});

test("statusOf() marks what is older than it may be, with the moment that it is of", async () => {
	const aged = async (values: Readonly<Record<string, string>>, later: number, more: Partial<Reading> = {}): Promise<string | undefined> => {
		const h = harness(() => [], { devices: { d: WEATHER } });
		h.registry.report([{ points: ["*.temperature"], maxAge: 600_000 }, { points: ["*"], maxAge: 4 * 3_600_000 }]);
		await h.report("d", values, more);
		return statusOf(h.twin("d"), Object.keys(WEATHER), h.clock.now() + later);
	};
	const values = { temperature: "21.5", humidity: "45" };
	assert.equal(await aged(values, 600_000), "21.5 °C · 45 %RH");
	assert.equal(await aged(values, 600_001), "21.5 °C (stale: of 00:00 UTC) · 45 %RH");
	assert.equal(await aged(values, 3 * 3_600_000), "21.5 °C (stale: of 00:00 UTC) · 45 %RH (3 h ago)");
	assert.equal(await aged(values, 48 * 3_600_000), "21.5 °C (stale: of 2026-01-01) · 45 %RH (stale: of 2026-01-01)");
	assert.equal(await aged({ temperature: "21.5" }, 0, { ageUnknown: true }), "21.5 °C (stale: age unknown)");
	assert.equal(await aged({ temperature: "21.5" }, 0, { at: -9e15 }), "21.5 °C (stale: of an unknown time)");
});
