import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { HaClimate, type HaClimateOptions } from "../../firmware-sim/ha-climate.js";
import { TestBroker, until } from "./broker.js";
import { FakeClock } from "./fake-clock.js";

let broker: TestBroker;
let serial = 0;
before(async () => void (broker = await TestBroker.start()));
const sims: HaClimate[] = [];
after(async () => {
	for (const sim of sims) await sim.crash();
	await broker.stop();
});

/** A thermostat of its own name, started. */
async function thermostat(options: Partial<HaClimateOptions> = {}): Promise<{ readonly sim: HaClimate; readonly clock: FakeClock; readonly base: string }> {
	const clock = new FakeClock();
	const sim = new HaClimate({ url: broker.url, node: `climate-${++serial}`, clock, ...options });
	sims.push(sim);
	await sim.start();
	return { sim, clock, base: `thermostat/${sim.node}` };
}

async function command(sim: HaClimate, topic: string, text: string): Promise<void> {
	const before = sim.heard.commands;
	await broker.send(`thermostat/${sim.node}/${topic}`, text);
	await until(`${sim.node} to hear ${text}`, () => sim.heard.commands > before);
}

test("HaClimate leaves its two descriptions, its availability and its states with the broker", async () => {
	const { sim, base } = await thermostat();
	const retained = await broker.retained();
	const climate = JSON.parse(retained.get(`homeassistant/climate/${sim.node}/config`) ?? "");
	assert.equal(climate.temperature_command_topic, `${base}/setpoint/set`);
	assert.equal(climate.temperature_state_topic, `${base}/setpoint`);
	assert.equal(climate.mode_command_topic, `${base}/mode/set`);
	assert.deepEqual([climate.min_temp, climate.max_temp, climate.temp_step], [5, 30, 0.5]);
	const sensor = JSON.parse(retained.get(`homeassistant/sensor/${sim.node}/current_temperature/config`) ?? "");
	assert.equal(sensor.state_topic, climate.current_temperature_topic);
	assert.deepEqual(sensor.device, climate.device);
	assert.equal(retained.get(climate.availability_topic), "online");
	assert.equal(retained.get(`${base}/setpoint`), "21.00");
	assert.equal(retained.get(`${base}/current_temperature`), "19.60");
	assert.equal(retained.get(`${base}/mode`), "heat");
	assert.equal(retained.get(`${base}/action`), "heating");
});

test("HaClimate takes a setpoint after its delay, and says it with two digits", async () => {
	const { sim, clock, base } = await thermostat({ delay: 700 });
	await command(sim, "setpoint/set", "22");
	clock.advance(699);
	assert.equal(sim.state.setpoint, 21);
	clock.advance(1);
	assert.equal(sim.state.setpoint, 22);
	await until("the setpoint", () => broker.texts(`${base}/setpoint`).at(-1) === "22.00");
});

test("HaClimate rounds a setpoint to half degrees", async () => {
	const { sim, clock } = await thermostat();
	await command(sim, "setpoint/set", "22.3");
	clock.advance(200);
	assert.equal(sim.state.setpoint, 22.5);
});

for (const [topic, text] of [["setpoint/set", "31"], ["setpoint/set", "4.9"], ["setpoint/set", "warm"], ["setpoint/set", ""], ["setpoint/set", "1e1"], ["mode/set", "cool"]] as const) {
	test(`HaClimate ignores ${JSON.stringify(text)} on ${topic}`, async () => {
		const { sim, clock } = await thermostat();
		await command(sim, topic, text);
		clock.advance(1000);
		assert.deepEqual([sim.state.setpoint, sim.state.mode, sim.heard.refused], [21, "heat", 1]);
	});
}

test("the room goes to the setpoint and stays there, and cools when the mode is off", async () => {
	const { sim, clock, base } = await thermostat();
	await command(sim, "setpoint/set", "23");
	clock.advance(300_000);
	for (let minute = 0; minute < 10; minute++) {
		clock.advance(60_000);
		assert.ok(Math.abs(sim.state.temperature - 23) < 0.4, `${sim.state.temperature} after minute ${minute}`);
	}
	await command(sim, "mode/set", "off");
	clock.advance(1000);
	assert.equal(sim.state.action, "off");
	clock.advance(1_200_000);
	assert.ok(sim.state.temperature < 18, String(sim.state.temperature));
	await until("the mode", () => broker.texts(`${base}/mode`).at(-1) === "off");
	await until("the action", () => broker.texts(`${base}/action`).at(-1) === "off");
});

test("a HaClimate that is stuck hears and does nothing, and one with a clamp takes another value than told", async () => {
	const { sim, clock, base } = await thermostat();
	sim.stuck = true;
	await command(sim, "setpoint/set", "25");
	clock.advance(5000);
	assert.equal(sim.state.setpoint, 21);
	assert.deepEqual(broker.texts(`${base}/setpoint`), ["21.00"]);
	sim.stuck = false;
	sim.clamp = { low: 16, high: 22 };
	await command(sim, "setpoint/set", "25");
	clock.advance(200);
	assert.equal(sim.state.setpoint, 22);
	await until("the setpoint", () => broker.texts(`${base}/setpoint`).at(-1) === "22.00");
});

test("HaClimate.crash() lets the broker say offline; start() brings it back online", async () => {
	const { sim, base } = await thermostat();
	await sim.crash();
	await until("the will", () => broker.texts(`${base}/status`).at(-1) === "offline");
	assert.equal((await broker.retained()).get(`${base}/status`), "offline");
	await sim.start();
	await until("online", () => broker.texts(`${base}/status`).at(-1) === "online");
});

test("HaClimate.stop() says offline itself, once", async () => {
	const { sim, base } = await thermostat();
	await sim.stop();
	await until("offline", () => broker.texts(`${base}/status`).length === 2);
	assert.deepEqual(broker.texts(`${base}/status`), ["online", "offline"]);
	assert.equal(sim.connected, false);
});

test("HaClimate.blink() brings the will and then the device itself, with its setpoint kept", async () => {
	const { sim, base } = await thermostat();
	sim.turn(24);
	sim.blink();
	await until("offline and online", () => broker.texts(`${base}/status`).join() === "online,offline,online");
	await until("the setpoint again", () => broker.texts(`${base}/setpoint`).at(-1) === "24.00");
});

test("HaClimate announces itself again when Home Assistant is born", async () => {
	const { sim } = await thermostat();
	const topic = `homeassistant/climate/${sim.node}/config`;
	await until("the first description", () => broker.texts(topic).length === 1);
	await broker.send("homeassistant/status", "online");
	await until("the second description", () => broker.texts(topic).length === 2);
});

test("a HaClimate that is stopped leaves no timer behind", async () => {
	const { sim, clock } = await thermostat();
	await command(sim, "setpoint/set", "22");
	await sim.stop();
	assert.equal(clock.pending, 0);
});
