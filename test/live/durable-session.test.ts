// What a broker keeps for the gateway is the gateway's alone; what the gateway says itself is nobody's answer.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { startMqttDevice, type MqttDevice } from "./mqtt-device.js";
import { startProsody } from "./servers/prosody.js";
import { waitUntil } from "./servers/processes.js";
import { missing, mqttLink, type Site, startSite, state } from "./site.js";

const SHARED = { match: "shared/{id}", device: "{id}", points: { relay: { path: "", kind: "boolean", set: { topic: "shared/{id}", payload: "{value}" } } } };
const LOOSE = { match: "loose/#", device: "loose", points: { relay: { path: "", kind: "boolean", set: { topic: "loose/set", payload: "{value}" }, timeout: "1s" } } };

describe("the gateway's session at a broker", { skip: missing("prosody", "mosquitto") }, () => {
	let site: Site;
	let device: MqttDevice;
	before(async () => {
		site = await startSite(startProsody, { links: (url) => [mqttLink(url, { topics: [...(mqttLink(url) as { topics: object[] }).topics, SHARED, LOOSE] })] });
		device = await startMqttDevice(site.broker.url, ["loose/set"]);
	});
	after(async () => {
		await device?.stop();
		await site?.end();
	});
	const temperature = async () => JSON.parse((await site.gateway.cli("read", "room-9", "temperature", "--json")).stdout)[0]?.value;

	test("\"check --online\" takes nothing that was kept for the gateway while it was away, and unsubscribes nothing", async () => {
		await site.device.say("sensors/room-9/state", state("20.50"));
		await waitUntil("the device", async () => (await site.gateway.cli("devices", "room-9", "--json")).stdout.includes("room-9"), { withinMs: 10_000 });
		await site.gateway.stop();
		await site.device.say("sensors/room-9/state", state("21.50"));
		const { code, stdout } = await site.gateway.cli("check", "--online");
		assert.equal(code, 0, stdout);
		await site.device.say("sensors/room-9/state", state("22.50"));
		await site.gateway.start();
		await site.gateway.ready();
		await waitUntil("the last value that was kept", async () => (await temperature()) === "22.50", { withinMs: 10_000 });
	});

	test("a command that is heard again on its own topic confirms nothing, and is no sign of life", async () => {
		await site.device.say("loose/state", "false");
		await waitUntil("the device", async () => (await site.gateway.cli("read", "loose", "--json")).stdout.includes("\"false\""), { withinMs: 10_000 });
		const { code, stderr } = await site.gateway.cli("set", "loose", "relay", "on");
		assert.equal(code, 1);
		assert.match(stderr, /Cannot confirm "relay" of loose: no reading said true within 1 s/);
		assert.equal(await device.next(), "loose/set true");
		assert.equal(JSON.parse((await site.gateway.cli("read", "loose", "relay", "--json")).stdout)[0].value, "false");
	});

	test("a point whose commands go where its state is heard is sent, and not called confirmed", async () => {
		await site.device.say("shared/lamp", "false");
		await waitUntil("the device", async () => (await site.gateway.cli("read", "lamp", "--json")).stdout.includes("\"false\""), { withinMs: 10_000 });
		const { code, stdout } = await site.gateway.cli("set", "lamp", "relay", "on");
		assert.equal(code, 0);
		assert.match(stdout, /sent; this device does not report "relay"/);
	});

	test("a second gateway on the same data is refused before it takes over anything of the first", async () => {
		const since = site.gateway.logs.length;
		const { code, stderr } = await site.gateway.cli("run");
		assert.equal(code, 1);
		assert.match(stderr, /another gateway uses/);
		assert.deepEqual(site.gateway.logs.slice(since).filter(({ level }) => level !== "info").map(({ msg }) => msg), []);
		assert.equal((await site.gateway.health()).code, 200);
	});
});
