import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { HomieDevice } from "../../firmware-sim/homie-device.js";
import { TestBroker, until } from "./broker.js";
import { FakeClock } from "./fake-clock.js";

let broker: TestBroker;
before(async () => void (broker = await TestBroker.start()));
const sims: HomieDevice[] = [];
after(async () => {
	for (const sim of sims) await sim.crash();
	await broker.stop();
});

test("HomieDevice describes itself between init and ready: in attributes as version 4, in one JSON as version 5", async () => {
	for (const version of [4, 5] as const) {
		const device = new HomieDevice({ url: broker.url, id: `d${version}`, version, clock: new FakeClock() });
		sims.push(device);
		await device.start();
		const base = version === 5 ? "homie/5/d5" : "homie/d4";
		await until("ready", () => broker.texts(`${base}/$state`).join() === "init,ready");
		const retained = await broker.retained();
		assert.equal(retained.get(`${base}/climate/temperature`), "18.5");
		if (version === 4) assert.deepEqual(["$nodes", "heating/$properties", "heating/setpoint/$format", "heating/setpoint/$settable"].map((rest) => retained.get(`${base}/${rest}`)), ["heating,climate", "power,setpoint,mode", "5:30", "true"]);
		else assert.equal(JSON.parse(retained.get(`${base}/$description`) ?? "").nodes.heating.properties.mode.format, "eco,comfort,boost");
		await device.crash();
		await until("the will", () => broker.texts(`${base}/$state`).at(-1) === "lost");
	}
});

test("HomieDevice does what fits its format and refuses the rest, and warms up by itself", async () => {
	const clock = new FakeClock();
	const device = new HomieDevice({ url: broker.url, id: "oven", clock });
	sims.push(device);
	await device.start();
	const rows = [["heating/setpoint", "25", 0], ["heating/setpoint", "31", 1], ["heating/setpoint", "1e9", 1], ["heating/mode", "boost", 0], ["heating/mode", "off", 1], ["heating/power", "true", 0], ["heating/power", "ON", 1], ["climate/temperature", "20", 1]] as const;
	for (const [path, text, refused] of rows) {
		const { heard } = device;
		const [commands, before] = [heard.commands, heard.refused];
		await broker.send(`homie/oven/${path}/set`, text);
		await until(`${path} ${text}`, () => heard.commands > commands);
		assert.equal(heard.refused - before, refused, `${path} ${text}`);
	}
	clock.advance(10_050);
	assert.deepEqual(device.values, { "heating/power": "true", "heating/setpoint": "25.0", "heating/mode": "boost", "climate/temperature": "19.0" });
	await device.stop();
	await until("its farewell", () => broker.texts("homie/oven/$state").at(-1) === "disconnected");
});
