import assert from "node:assert/strict";
import { test } from "node:test";
import { VenusOs } from "../../../firmware-sim/venus-os.js";
import { isNumeric } from "../../../src/core/value.js";
import { Victron } from "../../../src/south/conventions/victron.js";
import type { OutMessage } from "../../../src/south/link.js";
import { FakeClock } from "../../firmware-sim/fake-clock.js";
import { TestBroker, until } from "../../firmware-sim/broker.js";
import { endures } from "./fuzzed.js";
import { Listener } from "./on-a-broker.js";
import { message, readings, reasons, sent, statesOf, toldBy } from "./said.js";

test("a value is a point of its service, with the unit of its path", () => {
	const rows: readonly (readonly [string, unknown, string, string | undefined])[] = [
		["grid/30/Ac/L1/Power", 215.5, "215.5", "W"], ["vebus/261/Ac/Out/L2/V", 229.9, "229.9", "V"], ["vebus/261/Ac/ActiveIn/L1/S", 10, "10", "VA"], ["battery/512/Soc", 71.5, "71.5", "%"], ["battery/512/TimeToGo", 3600, "3600", "s"],
		["battery/512/Capacity", 98, "98", "Ah"], ["tank/3/Capacity", 0.2, "0.2", "m³"], ["tank/3/Level", 55, "55", "%"], ["solarcharger/1/Yield/User", 12.5, "12.5", "kWh"], ["grid/30/Ac/Energy/Forward", 1234.5, "1234.5", "kWh"],
		["temperature/22/Temperature", 21, "21", "°C"], ["gps/0/Position/Latitude", 45.25, "45.25", "°"], ["gps/0/Speed", 2, "2", "m/s"], ["vebus/261/State", 9, "9", undefined], ["system/0/Dc/Battery/Current", -4.5, "-4.5", "A"], ["evcharger/40/Mode", 1, "1", undefined],
	];
	for (const [path, value, text, unit] of rows) {
		const meaning = new Victron().hear(message(`N/p1/${path}`, { value }));
		const [service, instance, ...rest] = path.split("/");
		assert.deepEqual(toldBy(meaning), { [`gx/p1/${service}/${instance} ${rest.join("/")}`]: text }, path);
		const point = meaning?.announced?.[0]?.points[rest.join("/")];
		assert.equal(point?.kind === "numeric" ? point.unit : undefined, unit, path);
	}
});

test("names and models are facts of the device", () => {
	const gx = new Victron();
	gx.hear(message("N/p1/solarcharger/1/ProductName", { value: "MPPT 150/35" }));
	const meaning = gx.hear(message("N/p1/solarcharger/1/CustomName", { value: "Roof" }));
	assert.deepEqual([meaning?.announced?.[0]?.name, meaning?.announced?.[0]?.model, meaning?.announced?.[0]?.manufacturer], ["Roof", "MPPT 150/35", "Victron Energy"]);
});

test("no value is none: null, and the empty message of what has left", () => {
	const gx = new Victron();
	assert.equal(gx.hear(message("N/p1/grid/30/Ac/Power", { value: null }))?.announced, undefined);
	gx.hear(message("N/p1/grid/30/Ac/Power", { value: 5 }));
	assert.equal(gx.hear(message("N/p1/grid/30/Ac/Power", { value: null }))?.told, undefined);
	assert.deepEqual(statesOf(gx.hear(message("N/p1/grid/30/Ac/Power", ""))), { "gx/p1/grid/30": "offline" });
	assert.deepEqual(statesOf(gx.hear(message("N/p1/grid/30/Connected", { value: 1 }))), { "gx/p1/grid/30": "online" });
	assert.deepEqual(readings(gx.hear(message("N/p1/settings/0/Settings/Proxy", { value: "" }))), { "Settings/Proxy": "" });
});

test("what is no value tells nothing: snapshots' ends, requests, wishes, broken ones", () => {
	for (const [topic, payload] of [["N/p1/full_publish_completed", { value: 1 }], ["R/p1/keepalive", ""], ["W/p1/vebus/1/Mode", { value: 3 }], ["N/p1/grid/30/Ac/Power", "{"], ["N/p1/grid/30/Ac/Power", "[1]"], ["N/p1/grid/x/Ac/Power", { value: 1 }]] as const) {
		assert.equal(new Victron().hear(message(topic, payload))?.told, undefined, topic);
	}
	assert.match(reasons(new Victron().hear(message("N/p1/grid/30/Ac/Power", { v: 1 }))).join(), /no "value"/);
	assert.equal(new Victron().hear(message("X/p1/grid/30/Ac/Power", { value: 1 })), undefined);
});

test("a portal is asked for all when it is new, kept awake every thirty seconds, and asked for all again after a silence", () => {
	const gx = new Victron();
	const text = (out: readonly OutMessage[]): readonly string[] => out.map(({ topic, payload }) => `${topic} ${typeof payload === "string" ? payload : ""}`);
	const hear = (topic: string, at: number, retained = false): readonly string[] => text(gx.hear(message(topic, { value: 1 }, retained), at)?.send ?? []);
	const stay = 'R/p1/keepalive {"keepalive-options":["suppress-republish"]}';
	assert.deepEqual(text(gx.due(1_000)), []);
	assert.deepEqual(hear("N/p1/system/0/Serial", 10_000), ["R/p1/keepalive "]);
	for (let at = 10_000; at < 40_000; at += 1_000) {
		assert.deepEqual(hear("N/p1/grid/30/Ac/Power", at), []);
		assert.deepEqual(text(gx.due(at)), []);
	}
	assert.deepEqual(text(gx.due(40_000)), [stay]);
	assert.deepEqual(text(gx.due(40_001)), []);
	assert.deepEqual(text(gx.due(70_000)), [stay]);
	assert.deepEqual(text(gx.due(100_000)), ["R/p1/keepalive "], "its last word was at 39 s");
	hear("N/p1/grid/30/Ac/Power", 100_500);
	assert.deepEqual(text(gx.due(90_000)), [stay], "a clock that was set back");
	assert.deepEqual(hear("N/p2/system/0/Serial", 91_000, true), ["R/p2/keepalive "], "a retained one is a name, and no life");
	assert.deepEqual(text(gx.due(92_000)), ["R/p2/keepalive "]);
});

test("settings and known switches are written, within their bounds, and nothing else", () => {
	const gx = new Victron();
	gx.hear(message("N/p1/settings/0/Settings/Level", { value: 1, min: 0, max: 4 }));
	gx.hear(message("N/p1/vebus/261/Mode", { value: 3 }));
	gx.hear(message("N/p1/vebus/261/State", { value: 3 }));
	assert.deepEqual(sent(gx, "gx/p1/settings/0", "Settings/Level", 4), ['W/p1/settings/0/Settings/Level {"value":4}']);
	assert.deepEqual(sent(gx, "gx/p1/vebus/261", "mode", 1), ['W/p1/vebus/261/Mode {"value":1}']);
	assert.throws(() => sent(gx, "gx/p1/settings/0", "Settings/Level", 5), { fault: "bad-value" });
	assert.throws(() => sent(gx, "gx/p1/vebus/261", "State", 1), { fault: "not-writable" });
	assert.equal(gx.command("gx/p9/vebus/261", "Mode", true), undefined);
});

test("the simulated GX wakes, obeys, stays awake, and its charger leaves", async () => {
	const broker = await TestBroker.start();
	const site = await Listener.start(broker.url, new Victron());
	const clock = new FakeClock();
	const sim = new VenusOs({ url: broker.url, clock });
	try {
		await sim.start();
		const at = (rest: string): string => `gx/${sim.portal}/${rest}`;
		clock.advance(5_000);
		assert.equal(broker.heard.filter(({ topic }) => topic.startsWith("N/")).length, 0); // nobody has asked
		sim.wake();
		await until("all values", () => site.value(at("solarcharger/279"), "Yield/Power") === "655");
		assert.equal(site.twins.get(at("solarcharger/279"))?.device.name, "Roof");
		await site.set(at("vebus/276"), "Mode", 1);
		assert.equal(sim.state["vebus/276/Mode"], 1);
		await site.set(at("settings/0"), "Settings/LEDs/Enable", 0);
		await site.set(at("system/0"), "Relay/0/State", 1);
		const begin = Date.now();
		for (let second = 5; second <= 150; second += 5) {
			const before = broker.heard.length;
			const { asked } = sim;
			clock.advance(5_000);
			await until("five more measurements", () => broker.heard.filter(({ topic }, index) => index >= before && topic.endsWith("Dc/0/Voltage")).length >= 5);
			site.tick(begin + second * 1_000);
			if (second % 30 === 0) await until("the next question", () => sim.asked === asked + 1);
		}
		sim.sunset();
		await until("the charger to be gone", () => site.availability(at("solarcharger/279")) === "offline");
		assert.deepEqual(site.misfits, []);
	} finally {
		await sim.crash();
		await site.stop();
		await broker.stop();
	}
});

test("a list is told by its elements", () => {
	const told = new Victron().hear(message("N/p1/vebus/261/Devices", { value: [3, "a"] }))?.told ?? [];
	assert.deepEqual(told.map(({ point, value }) => [point, isNumeric(value) ? value.text : value]), [["Devices[0]", "3"], ["Devices[1]", "a"]]);
});

test("hear() endures noise", () => endures(() => new Victron(), [message("N/p1/grid/30/Ac/Power", { value: 936.5 }), message("N/p1/settings/0/Settings/A", { value: 1, min: 0, max: 1 }), message("N/p1/vebus/1/Devices", { value: [1, { a: 2 }] }), message("N/p1/full_publish_completed", { value: 1 })]));
