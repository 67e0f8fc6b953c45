import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { EspHomeNode } from "../../firmware-sim/esphome-node.js";
import { TestBroker, until } from "./broker.js";
import { FakeClock } from "./fake-clock.js";

let broker: TestBroker;
before(async () => void (broker = await TestBroker.start()));
const sims: EspHomeNode[] = [];
after(async () => {
	for (const sim of sims) await sim.crash();
	await broker.stop();
});

test("EspHomeNode leaves its states, obeys what makes sense, and measures by itself", async () => {
	const clock = new FakeClock();
	const node = new EspHomeNode({ url: broker.url, clock });
	sims.push(node);
	await node.start();
	const retained = await broker.retained();
	assert.equal(retained.get("pump-house/sensor/water_temperature/state"), "22.40");
	assert.equal(JSON.parse(retained.get("homeassistant/number/pump-house/flow_limit/config") ?? "").max, 20);
	assert.equal(JSON.parse(retained.get("esphome/discover/pump-house") ?? "").mac, "02005e530c01");
	const rows = [["switch/pump", "ON", "ON"], ["switch/pump", "TOGGLE", "OFF"], ["number/flow_limit", "7.5", "7.500000"], ["number/flow_limit", "21", undefined], ["light/lamp", '{"state":"ON","brightness":9}', '{"state":"ON","brightness":9,"color_mode":"brightness"}'], ["light/lamp", "{", undefined], ["button/restart", "PRESS", undefined]] as const;
	for (const [path, text, state] of rows) {
		const commands = node.heard.commands;
		await broker.send(`pump-house/${path}/command`, text);
		await until(`${path} ${text}`, () => node.heard.commands > commands && (state === undefined || broker.texts(`pump-house/${path}/state`).at(-1) === state));
	}
	assert.deepEqual(node.heard, { commands: 7, refused: 2, restarts: 1 });
	clock.advance(60_000);
	await until("a reading", () => broker.texts("pump-house/sensor/water_temperature/state").at(-1) === "22.50");
	await node.crash();
	await until("the will", () => broker.texts("pump-house/status").at(-1) === "offline");
});
