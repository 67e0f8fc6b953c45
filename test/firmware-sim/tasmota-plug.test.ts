import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { TasmotaPlug } from "../../firmware-sim/tasmota-plug.js";
import { TestBroker, until } from "./broker.js";
import { FakeClock } from "./fake-clock.js";

let broker: TestBroker;
before(async () => void (broker = await TestBroker.start()));
const sims: TasmotaPlug[] = [];
after(async () => {
	for (const sim of sims) await sim.crash();
	await broker.stop();
});

test("TasmotaPlug leaves its discovery and its will, answers commands on stat, and reports each TelePeriod", async () => {
	const clock = new FakeClock();
	const plug = new TasmotaPlug({ url: broker.url, clock, load: 36 });
	sims.push(plug);
	await plug.start();
	const retained = await broker.retained();
	const config = JSON.parse(retained.get("tasmota/discovery/02005E530A01/config") ?? "");
	assert.deepEqual([config.t, config.ft, config.rl[0], config.tp], ["plug_530a01", "%prefix%/%topic%/", 1, ["cmnd", "stat", "tele"]]);
	assert.equal(JSON.parse(retained.get("tasmota/discovery/02005E530A01/sensors") ?? "").sn.ENERGY.Power, 0);
	for (const [text, word] of [["ON", "ON"], ["", "ON"], ["TOGGLE", "OFF"], ["1", "ON"]] as const) {
		const before = broker.texts("stat/plug_530a01/POWER").length;
		await broker.send("cmnd/plug_530a01/POWER", text);
		await until(`the answer to "${text}"`, () => broker.texts("stat/plug_530a01/POWER").length > before);
		assert.equal(broker.texts("stat/plug_530a01/POWER").at(-1), word);
	}
	await broker.send("cmnd/plug_530a01/Nonsense", "1");
	await until("the refusal", () => broker.texts("stat/plug_530a01/RESULT").at(-1) === '{"Command":"Unknown"}');
	clock.advance(300_000);
	await until("a report", () => broker.texts("tele/plug_530a01/SENSOR").length === 2);
	const { ENERGY } = JSON.parse(broker.texts("tele/plug_530a01/SENSOR").at(-1)!);
	assert.deepEqual([ENERGY.Power, ENERGY.Total], [36, 3.503]);
	assert.match(broker.texts("tele/plug_530a01/STATE").at(-1)!, /"Uptime":"0T00:0(?:4:59|5:00)","UptimeSec":(?:299|300),/);
	await plug.crash();
	await until("the will", () => broker.texts("tele/plug_530a01/LWT").at(-1) === "Offline");
});
