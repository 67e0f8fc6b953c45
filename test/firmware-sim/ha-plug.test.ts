import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { HaPlug, type HaPlugOptions } from "../../firmware-sim/ha-plug.js";
import { TestBroker, until } from "./broker.js";
import { FakeClock } from "./fake-clock.js";

let broker: TestBroker;
let serial = 0;
before(async () => void (broker = await TestBroker.start()));
const sims: HaPlug[] = [];
after(async () => {
	for (const sim of sims) await sim.crash();
	await broker.stop();
});

async function plug(options: Partial<HaPlugOptions> = {}): Promise<{ readonly sim: HaPlug; readonly clock: FakeClock; readonly base: string }> {
	const clock = new FakeClock();
	const sim = new HaPlug({ url: broker.url, node: `plug-${++serial}`, clock, ...options });
	sims.push(sim);
	await sim.start();
	return { sim, clock, base: `plugs/${sim.node}` };
}

async function command(sim: HaPlug, text: string): Promise<void> {
	const before = sim.heard.commands;
	await broker.send(`plugs/${sim.node}/cmd`, text);
	await until(`${sim.node} to hear ${text}`, () => sim.heard.commands > before);
}

const STATE = /^\{"relay":"(ON|OFF)","power":[0-9]+\.[0-9]{2},"energy":[0-9]+\.[0-9]{3},"voltage":[0-9]+\.[0-9]\}$/;

test("HaPlug leaves four descriptions with abbreviated keys and one device, and does not leave its state", async () => {
	const { sim, base } = await plug();
	const retained = await broker.retained();
	const configs = ["switch/?/relay", "sensor/?/power", "sensor/?/energy", "sensor/?/voltage"].map((path) =>
		JSON.parse(retained.get(`homeassistant/${path.replace("?", sim.node)}/config`) ?? ""),
	);
	for (const config of configs) {
		assert.equal(config["~"], base);
		assert.equal(config.stat_t, "~/state");
		assert.equal(config.avty_t, "~/avail");
		assert.deepEqual(config.dev, configs[0].dev);
	}
	assert.equal(new Set(configs.map((config) => config.uniq_id)).size, 4);
	assert.deepEqual([configs[0].cmd_t, configs[0].pl_on, configs[0].val_tpl], ["~/cmd", "ON", "{{ value_json.relay }}"]);
	assert.deepEqual([configs[2].unit_of_meas, configs[2].stat_cla, configs[2].dev_cla], ["kWh", "total_increasing", "energy"]);
	assert.equal(retained.get(`${base}/avail`), "online");
	assert.equal(retained.has(`${base}/state`), false);
});

test("HaPlug switches on, off and over, and says JSON that keeps its digits", async () => {
	const { sim, clock, base } = await plug({ load: 60 });
	for (const [text, on, power] of [["ON", true, "60.00"], ["OFF", false, "0.00"], ["TOGGLE", true, "60.00"]] as const) {
		await command(sim, text);
		clock.advance(50);
		assert.equal(sim.state.on, on);
		await until(text, () => broker.texts(`${base}/state`).at(-1)?.includes(`"power":${power},`) === true);
	}
	for (const text of broker.texts(`${base}/state`)) assert.match(text, STATE);
});

test("HaPlug counts the energy of its load: 60 W for an hour is 0.06 kWh", async () => {
	const { sim, clock } = await plug({ load: 60, period: 10_000_000 });
	const before = sim.state.energy;
	sim.press();
	clock.advance(3_600_000);
	assert.ok(Math.abs(sim.state.energy - before - 0.06) < 0.001, String(sim.state.energy - before));
});

test("HaPlug reports every ten seconds by itself", async () => {
	const { clock, base } = await plug();
	clock.advance(30_000);
	await until("three more", () => broker.texts(`${base}/state`).length === 4);
});

test("HaPlug ignores what it does not know, and when stuck everything", async () => {
	const { sim, clock } = await plug();
	await command(sim, "on");
	sim.stuck = true;
	await command(sim, "ON");
	clock.advance(1000);
	assert.equal(sim.state.on, false);
	assert.deepEqual(sim.heard, { commands: 2, refused: 1 });
});

test("HaPlug.crash() lets the broker say offline", async () => {
	const { sim, base } = await plug();
	await sim.crash();
	await until("the will", () => broker.texts(`${base}/avail`).at(-1) === "offline");
	assert.equal((await broker.retained()).get(`${base}/avail`), "offline");
});

test("HaPlug.stop() says offline itself", async () => {
	const { sim, base } = await plug();
	await sim.stop();
	await until("offline", () => broker.texts(`${base}/avail`).at(-1) === "offline");
	assert.deepEqual(broker.texts(`${base}/avail`), ["online", "offline"]);
});

test("HaPlug.stop() ends though the broker is gone, and may be called twice", async () => {
	const other = await TestBroker.start();
	const sim = new HaPlug({ url: other.url, clock: new FakeClock() });
	await sim.start();
	await other.stop();
	await sim.stop();
	await sim.stop();
	assert.equal(sim.connected, false);
});
