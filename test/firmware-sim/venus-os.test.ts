import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { VenusOs } from "../../firmware-sim/venus-os.js";
import { TestBroker, until } from "./broker.js";
import { FakeClock } from "./fake-clock.js";

let broker: TestBroker;
before(async () => void (broker = await TestBroker.start()));
after(() => broker.stop());

test("VenusOs is silent until it is asked, tells all, and is silent again a minute later", async (t) => {
	const clock = new FakeClock();
	const sim = new VenusOs({ url: broker.url, clock, portal: "aa" });
	t.after(() => sim.stop()); // whatever fails: a device that stays keeps the process
	await sim.start();
	const said = (): number => broker.heard.filter(({ topic }) => topic.startsWith("N/aa/")).length;
	clock.advance(10_000);
	assert.equal(said(), 0);
	await broker.send("R/aa/keepalive", "");
	await until("the end of the snapshot", () => broker.texts("N/aa/full_publish_completed").length === 1);
	assert.deepEqual(broker.texts("N/aa/settings/0/Settings/LEDs/Enable"), ['{"max":1,"min":0,"value":1}']);
	const snapshot = said();
	clock.advance(5_000);
	await until("five measurements", () => said() === snapshot + 5);
	clock.advance(600_000);
	await until("those of the minute", () => said() >= snapshot + 59);
	assert.ok(said() <= snapshot + 60);
	await broker.send("R/aa/keepalive", '{"keepalive-options":["suppress-republish"]}');
	await until("the question", () => sim.asked === 2);
	assert.equal(broker.texts("N/aa/full_publish_completed").length, 1);
	await sim.stop();
});

test("VenusOs takes what is writable and in range, and nothing else", async (t) => {
	const sim = new VenusOs({ url: broker.url, clock: new FakeClock(), portal: "bb" });
	t.after(() => sim.stop());
	await sim.start();
	for (const [path, text] of [["settings/0/Settings/LEDs/Enable", '{"value":2}'], ["vebus/276/Ac/Out/L1/P", '{"value":2}'], ["vebus/276/Mode", "junk"], ["vebus/276/Mode", '{"value":1}']] as const) await broker.send(`W/bb/${path}`, text);
	await until("the mode", () => broker.texts("N/bb/vebus/276/Mode").at(-1) === '{"value":1}');
	assert.deepEqual([sim.state["settings/0/Settings/LEDs/Enable"], sim.state["vebus/276/Ac/Out/L1/P"], sim.state["vebus/276/Mode"]], [1, 412, 1]);
	sim.sunset();
	await until("the charger to be gone", () => broker.texts("N/bb/solarcharger/279/Yield/Power").at(-1) === "");
	await sim.stop();
});
