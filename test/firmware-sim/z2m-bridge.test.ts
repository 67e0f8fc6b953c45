import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Z2mBridge, type Z2mOptions } from "../../firmware-sim/z2m-bridge.js";
import { TestBroker, until } from "./broker.js";
import { FakeClock } from "./fake-clock.js";

let broker: TestBroker;
let serial = 0;
before(async () => void (broker = await TestBroker.start()));
const sims: Z2mBridge[] = [];
after(async () => {
	for (const sim of sims) await sim.crash();
	await broker.stop();
});

interface Started {
	readonly sim: Z2mBridge;
	readonly clock: FakeClock;
	readonly base: string;
	/** Send something and give the bridge its time until the last text on `topic` fits. */
	tell(path: string, text: string, topic: string, fits: (text: string) => boolean): Promise<void>;
}

async function bridge(options: Partial<Z2mOptions> = {}): Promise<Started> {
	const clock = new FakeClock();
	const base = `z2m-${++serial}`;
	const sim = new Z2mBridge({ url: broker.url, base, clock, ...options });
	sims.push(sim);
	await sim.start();
	return {
		sim,
		clock,
		base,
		async tell(path, text, topic, fits) {
			await broker.send(`${base}/${path}`, text);
			await until(`${topic} after ${path} ${text}`, () => {
				clock.advance(20);
				return broker.texts(`${base}/${topic}`).some(fits);
			});
		},
	};
}

test("Z2mBridge leaves its state, info, devices and availabilities with the broker, and no device state", async () => {
	const { base } = await bridge();
	const retained = await broker.retained();
	assert.deepEqual(JSON.parse(retained.get(`${base}/bridge/state`) ?? ""), { state: "online" });
	assert.equal(JSON.parse(retained.get(`${base}/bridge/info`) ?? "").config.mqtt.base_topic, base);
	const devices = JSON.parse(retained.get(`${base}/bridge/devices`) ?? "");
	assert.deepEqual(devices.map((device: { friendly_name: string; type: string }) => [device.friendly_name, device.type]), [
		["Coordinator", "Coordinator"],
		["kitchen/bulb", "Router"],
		["Hall window", "EndDevice"],
	]);
	const [light] = devices[1].definition.exposes;
	assert.deepEqual(light.features.map((feature: { property: string }) => feature.property), ["state", "brightness", "color_temp"]);
	const contact = devices[2].definition.exposes.find((expose: { name: string }) => expose.name === "contact");
	assert.deepEqual([contact.value_on, contact.value_off], [false, true]);
	assert.equal(retained.get(`${base}/kitchen/bulb/availability`), '{"state":"online"}');
	assert.equal(retained.get(`${base}/Hall window/availability`), '{"state":"online"}');
	assert.equal(retained.has(`${base}/kitchen/bulb`), false);
});

// [what, topic below the base, payload, the bulb after it]
const COMMANDS = [
	["JSON on /set", "kitchen/bulb/set", '{"state":"ON"}', { state: "ON" }],
	["TOGGLE", "kitchen/bulb/set", '{"state":"TOGGLE"}', { state: "ON" }],
	["a bare word on /set", "kitchen/bulb/set", "ON", { state: "ON" }],
	["a raw value on /set/<key>", "kitchen/bulb/set/brightness", "77", { state: "ON", brightness: 77 }],
	["a bare word on /set/<key>", "kitchen/bulb/set/state", "on", { state: "ON" }],
	["brightness, which switches the light on", "kitchen/bulb/set", '{"brightness":12}', { state: "ON", brightness: 12 }],
	["two keys at once", "kitchen/bulb/set", '{"brightness":99,"color_temp":300}', { state: "ON", brightness: 99, color_temp: 300 }],
	["a colour that the lamp cannot do, taken to the nearest that it can", "kitchen/bulb/set", '{"color_temp":153}', { color_temp: 250 }],
	["the address instead of the name", "0x000b57fffeaa0002/set", '{"state":"ON"}', { state: "ON" }],
] as const;

for (const [what, path, payload, after] of COMMANDS) {
	test(`Z2mBridge understands ${what}, and says the whole state`, async () => {
		const { sim, tell } = await bridge();
		const wanted = { ...sim.state.bulb, ...after };
		await tell(path, payload, "kitchen/bulb", (text) => JSON.stringify({ ...JSON.parse(text), ...wanted }) === text);
		assert.deepEqual(sim.state.bulb, wanted);
	});
}

// [what, topic below the base, payload, what the log says]
const REFUSED = [
	["a device that is not there", "attic/set", '{"state":"ON"}', /^Entity 'attic' is unknown$/],
	["a key that the bulb does not have", "kitchen/bulb/set", '{"flavour":"mint"}', /^No converter available for 'flavour' \("mint"\)$/],
	["anything for the sensor", "Hall window/set", '{"contact":false}', /^No converter available for 'contact' \(false\)$/],
	["a brightness beyond 254", "kitchen/bulb/set", '{"brightness":255}', /^Publish 'set' 'brightness' to 'kitchen\/bulb' failed/],
	["no JSON", "kitchen/bulb/set", "{", /^Invalid message/],
] as const;

for (const [what, path, payload, message] of REFUSED) {
	test(`Z2mBridge logs an error for ${what}, and changes nothing`, async () => {
		const { sim, tell } = await bridge();
		const before = sim.state;
		await tell(path, payload, "bridge/logging", (text) => message.test(JSON.parse(text).message));
		assert.deepEqual(sim.state, before);
	});
}

test("Z2mBridge answers /get with the state", async () => {
	const { base, tell } = await bridge();
	const before = broker.texts(`${base}/Hall window`).length;
	await tell("Hall window/get", '{"temperature":""}', "Hall window", () => broker.texts(`${base}/Hall window`).length === before + 1);
	assert.equal(broker.texts(`${base}/Hall window`).at(-1), '{"battery":97,"contact":true,"humidity":44.58,"linkquality":87,"temperature":21.37,"voltage":2985}');
});

test("a bulb without power stays as it is, and only the log tells; a dim one takes less than told", async () => {
	const { sim, tell, base } = await bridge();
	sim.stuck = true;
	await tell("kitchen/bulb/set", '{"state":"ON"}', "bridge/logging", (text) => JSON.parse(text).message.startsWith("Publish 'set' 'state' to 'kitchen/bulb' failed"));
	assert.equal(sim.state.bulb.state, "OFF");
	assert.equal(broker.texts(`${base}/kitchen/bulb`).length, 1);
	sim.stuck = false;
	sim.dimmest = 100;
	await tell("kitchen/bulb/set", '{"brightness":200}', "kitchen/bulb", (text) => JSON.parse(text).brightness === 100);
	assert.equal(sim.state.bulb.brightness, 100);
});

test("a rename empties the old retained topics, fills the new ones, and answers with the transaction", async () => {
	const { sim, base, tell } = await bridge();
	await tell("bridge/request/device/rename", '{"from":"kitchen/bulb","to":"Desk lamp","transaction":"t-1"}', "bridge/response/device/rename", (text) => text.includes("t-1"));
	assert.equal(broker.texts(`${base}/bridge/response/device/rename`)[0], '{"data":{"from":"kitchen/bulb","homeassistant_rename":false,"to":"Desk lamp"},"status":"ok","transaction":"t-1"}');
	const retained = await broker.retained();
	assert.equal(retained.has(`${base}/kitchen/bulb/availability`), false);
	assert.equal(retained.get(`${base}/Desk lamp/availability`), '{"state":"online"}');
	assert.equal(JSON.parse(retained.get(`${base}/bridge/devices`) ?? "")[1].friendly_name, "Desk lamp");
	await tell("Desk lamp/set", '{"state":"ON"}', "Desk lamp", (text) => JSON.parse(text).state === "ON");
	assert.equal(sim.names.bulb, "Desk lamp");
});

for (const [request, error] of [
	['{"from":"attic","to":"x"}', "Device 'attic' does not exist"],
	['{"from":"kitchen/bulb","to":"Hall window"}', "friendly_name 'Hall window' is already in use"],
	["{}", "Invalid payload"],
] as const) {
	test(`Z2mBridge refuses the rename ${request}`, async () => {
		const { sim, base, tell } = await bridge();
		await tell("bridge/request/device/rename", request, "bridge/response/device/rename", () => true);
		assert.deepEqual(JSON.parse(broker.texts(`${base}/bridge/response/device/rename`)[0] ?? ""), { data: {}, error, status: "error" });
		assert.deepEqual(sim.names, { bulb: "kitchen/bulb", sensor: "Hall window" });
	});
}

test("Z2mBridge.crash() leaves the bridge offline and its devices, as in life, online", async () => {
	const { sim, base } = await bridge();
	await sim.crash();
	await until("the will", () => broker.texts(`${base}/bridge/state`).at(-1) === '{"state":"offline"}');
	const retained = await broker.retained();
	assert.equal(retained.get(`${base}/bridge/state`), '{"state":"offline"}');
	assert.equal(retained.get(`${base}/kitchen/bulb/availability`), '{"state":"online"}');
});

test("Z2mBridge.stop() says offline itself", async () => {
	const { sim, base } = await bridge();
	await sim.stop();
	await until("offline", () => broker.texts(`${base}/bridge/state`).length === 2);
	assert.deepEqual(broker.texts(`${base}/bridge/state`), ['{"state":"online"}', '{"state":"offline"}']);
});

test("the sensor reports by itself, tells a window at once, and is silent while it is lost", async () => {
	const { sim, clock, base } = await bridge();
	const count = (): number => broker.texts(`${base}/Hall window`).length;
	clock.advance(15_000);
	await until("a report", () => count() === 2);
	sim.window(false);
	await until("the window", () => count() === 3);
	assert.equal(JSON.parse(broker.texts(`${base}/Hall window`).at(-1) ?? "").contact, false);
	sim.setAvailable("sensor", false);
	await until("offline", () => broker.texts(`${base}/Hall window/availability`).at(-1) === '{"state":"offline"}');
	clock.advance(60_000);
	sim.setAvailable("sensor", true);
	await until("online", () => broker.texts(`${base}/Hall window/availability`).at(-1) === '{"state":"online"}');
	assert.equal(count(), 3);
});
