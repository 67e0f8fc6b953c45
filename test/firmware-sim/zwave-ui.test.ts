import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { PLUG, ZwaveUi } from "../../firmware-sim/zwave-ui.js";
import { TestBroker, until } from "./broker.js";
import { FakeClock } from "./fake-clock.js";

let broker: TestBroker;
before(async () => void (broker = await TestBroker.start()));
after(() => broker.stop());

const BASE = `zwave/${PLUG.replace(" ", "_")}/switch_binary/endpoint_0`;

test("ZwaveUi leaves its values, does what targetValue/set says, and says so on both topics", async () => {
	const clock = new FakeClock();
	const sim = new ZwaveUi({ url: broker.url, clock });
	await sim.start();
	assert.deepEqual(JSON.parse((await broker.retained()).get(`${BASE}/currentValue`) ?? ""), { time: clock.now(), value: false });
	await broker.send(`${BASE}/targetValue/set`, "maybe");
	await broker.send(`${BASE}/targetValue/set`, '{"value":true}');
	await until("the plug to be on", () => (clock.advance(200), sim.state.on));
	await until("both to say so", () => ["currentValue", "targetValue"].every((name) => broker.texts(`${BASE}/${name}`).at(-1)?.includes("true")));
	sim.stuck = true;
	await broker.send(`${BASE}/targetValue/set`, "false");
	clock.advance(500);
	assert.equal(sim.state.on, true);
	await sim.crash();
	await until("the will", () => broker.texts("zwave/_CLIENTS/ZWAVE_GATEWAY-sim/status").at(-1) === '{"value":false}');
});
