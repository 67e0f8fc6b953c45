// Commands to simulated devices until their own state says so: the conventions whose devices have no file of their own for it.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { systemClock } from "../../../firmware-sim/clock.js";
import { HaClimate } from "../../../firmware-sim/ha-climate.js";
import { HaPlug } from "../../../firmware-sim/ha-plug.js";
import { Shelly25 } from "../../../firmware-sim/shelly-25.js";
import { Z2mBridge } from "../../../firmware-sim/z2m-bridge.js";
import { isNumeric, type Value } from "../../../src/core/value.js";
import { HomeAssistant } from "../../../src/south/conventions/homeassistant.js";
import { Shelly } from "../../../src/south/conventions/shelly.js";
import { Zigbee2Mqtt } from "../../../src/south/conventions/zigbee2mqtt.js";
import type { Convention } from "../../../src/south/conventions/convention.js";
import { TestBroker, until } from "../../firmware-sim/broker.js";
import { Listener } from "./on-a-broker.js";

let broker: TestBroker;
before(async () => void (broker = await TestBroker.start()));
after(() => broker.stop());

interface Sim {
	stuck: boolean;
	start(): Promise<void>;
	crash(): Promise<void>;
}

type Commands = readonly (readonly [point: string, value: Value | number])[];

/** Every command is confirmed by a reading with its value; the last one is not, once the device is stuck; and the will is heard. */
async function obeys(sim: Sim, convention: Convention, pick: (site: Listener) => string | undefined, commands: Commands): Promise<void> {
	const site = await Listener.start(broker.url, convention);
	try {
		await sim.start();
		await until("the device", () => pick(site) !== undefined && commands.every(([point]) => site.value(pick(site)!, point) !== undefined));
		const address = pick(site)!;
		for (const [point, value] of commands) {
			const said = (await site.set(address, point, value))?.value;
			assert.equal(said !== undefined && isNumeric(said) ? said.number : said, value, point);
		}
		sim.stuck = true;
		const [point, value] = commands[0]!;
		const other = typeof value === "boolean" ? !value : typeof value === "number" ? value - 1 : value;
		await assert.rejects(site.set(address, point, other, 150), { fault: "device-timeout" });
		assert.deepEqual(site.misfits.filter((misfit) => !/stuck|Timeout|failed/i.test(misfit)), []);
		await sim.crash();
		await until("the will", () => site.availability(address) === "offline");
	} finally {
		await sim.crash();
		await site.stop();
	}
}

/** The address of the first device that has this point. */
const having = (point: string) => (site: Listener): string | undefined => [...site.twins].find(([, { device }]) => Object.hasOwn(device.points, point))?.[0];

test("Zigbee2MQTT: a bulb is switched, dimmed and coloured until it says so", () =>
	obeys(new Z2mBridge({ url: broker.url, delay: 5, period: 1_000_000, clock: systemClock }), new Zigbee2Mqtt(), having("brightness"), [["state", true], ["brightness", 120], ["color_temp", 300]]));

test("Home Assistant discovery: a plug is switched until it says so", () =>
	obeys(new HaPlug({ url: broker.url, delay: 5, clock: systemClock }), new HomeAssistant(), having("relay"), [["relay", true]]));

test("Home Assistant discovery: a thermostat takes a setpoint and a mode until it says so", () =>
	obeys(new HaClimate({ url: broker.url, delay: 5, clock: systemClock }), new HomeAssistant(), having("mode"), [["setpoint", 23], ["mode", "heat"]]));

test("Shelly of the first generation: both relays are switched until they say so", () =>
	obeys(new Shelly25({ url: broker.url, clock: systemClock }), new Shelly(), having("relay/0"), [["relay/0", true], ["relay/1", true], ["relay/1", false]]));

test("Shelly of the first generation: a blind is driven until it is there", () =>
	obeys(new Shelly25({ url: broker.url, clock: systemClock, mode: "roller", id: "shellyswitch25-AB12CE", travel: 50 }), new Shelly(), having("roller/0/pos"), [["roller/0/pos", 70], ["roller/0", "close"], ["roller/0", "stop"]]));
