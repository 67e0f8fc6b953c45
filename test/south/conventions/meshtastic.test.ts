import assert from "node:assert/strict";
import { test } from "node:test";
import { FIELD_NODE, MeshtasticNode } from "../../../firmware-sim/meshtastic-node.js";
import { Meshtastic } from "../../../src/south/conventions/meshtastic.js";
import { TestBroker, until } from "../../firmware-sim/broker.js";
import { endures } from "./fuzzed.js";
import { Listener } from "./on-a-broker.js";
import { message, readings, reasons, sent, statesOf, toldBy } from "./said.js";

const TOPIC = "msh/EU_868/2/json/Ops/!0a0b0c0d";
let serial = 1;
const packet = (type: string, payload: unknown, more: object = {}): object => ({ from: 0x11223344, id: serial++, type, payload, timestamp: 1_700_000_000, ...more });

test("the device is who sent the packet, and not the gateway of the topic", () => {
	const meaning = new Meshtastic().hear(message(TOPIC, packet("telemetry", { battery_level: 101, voltage: 4.2, uptime_seconds: 60, air_util_tx: 0.5, channel_utilization: 2.25, time: 1 }, { rssi: -90, snr: 6.5 })));
	assert.deepEqual(toldBy(meaning), { "!11223344 battery_level": "101", "!11223344 voltage": "4.2", "!11223344 uptime_seconds": "60", "!11223344 air_util_tx": "0.5", "!11223344 channel_utilization": "2.25", "!11223344 rssi": "-90", "!11223344 snr": "6.5" });
	assert.equal(meaning?.told?.[0]?.at, 1_700_000_000_000);
});

test("positions are whole numbers of 1e-7 degrees, and keep their digits", () => {
	const meaning = new Meshtastic().hear(message(TOPIC, packet("position", { latitude_i: -339000000, longitude_i: 1512000, altitude: 5, time: 9 })));
	assert.deepEqual(readings(meaning), { latitude: "-33.9000000", longitude: "0.1512000", altitude: "5" });
	assert.equal(meaning?.announced?.[0]?.points["latitude"]?.kind === "numeric" && meaning.announced[0].points["latitude"].unit, "°");
});

test("packets of each kind", () => {
	const rows: readonly (readonly [string, unknown, Record<string, string>])[] = [
		["nodeinfo", { id: "!11223344", longname: "Hill", shortname: "HL", hardware: 9, role: 2 }, { id: "!11223344", longname: "Hill", shortname: "HL", hardware: "9", role: "2" }],
		["telemetry", { temperature: 21.5, relative_humidity: 40, barometric_pressure: 1001.5, ch1_voltage: 5.1, ch1_current: 20 }, { temperature: "21.5", relative_humidity: "40", barometric_pressure: "1001.5", ch1_voltage: "5.1", ch1_current: "20" }],
		["text", { text: "hello" }, { text: "hello" }], ["text", "hello", { text: "hello" }], ["", { battery_level: 5 }, { battery_level: "5" }],
		["neighborinfo", { node_id: 1, neighbors_count: 2, neighbors: [{ node_id: 3 }] }, { node_id: "1", neighbors_count: "2" }],
		["traceroute", { route: ["a", "b"] }, {}],
	];
	for (const [type, payload, told] of rows) assert.deepEqual(readings(new Meshtastic().hear(message(TOPIC, packet(type, payload)))), told, type);
	assert.equal(new Meshtastic().hear(message(TOPIC, packet("nodeinfo", { longname: "Hill" })))?.announced?.[0]?.name, "Hill");
});

test("a packet that comes through two gateways is told once", () => {
	const mesh = new Meshtastic();
	const same = packet("text", "hello");
	assert.deepEqual(readings(mesh.hear(message(TOPIC, same))), { text: "hello" });
	assert.deepEqual(readings(mesh.hear(message("msh/EU_868/2/json/Ops/!0a0b0c0e", same))), {});
});

test("a gateway says whether it is there", () => {
	assert.deepEqual(statesOf(new Meshtastic().hear(message("msh/EU_868/2/stat/!0A0B0C0D", "online", true))), { "!0a0b0c0d": "online" });
});

test("what is no packet tells nothing", () => {
	for (const [topic, payload] of [["msh/EU_868/2/json/mqtt/", packet("sendtext", "x")], ["msh/EU_868/2/e/Ops/!0a0b0c0d", "\u0001"], ["msh/EU_868/2/map/", "x"], [TOPIC, ""], [TOPIC, packet("sendtext", "x")], ["msh/EU_868/2/stat/!0a0b0c0d", "hm"]] as const) {
		assert.equal(new Meshtastic().hear(message(topic, payload))?.told, undefined, topic);
	}
	assert.match(reasons(new Meshtastic().hear(message(TOPIC, { type: "text", payload: "x" }))).join(), /no sender/);
	assert.match(reasons(new Meshtastic().hear(message(TOPIC, "{"))).join(), /JSON/);
	assert.equal(new Meshtastic().hear(message("other/2/json/Ops/!0a0b0c0d", packet("text", "x"))), undefined);
});

test("filters() takes the JSON packets of any region, and not the encrypted ones", () => {
	assert.ok(new Meshtastic().filters().includes("msh/+/2/json/+/+"));
	assert.ok(new Meshtastic().filters().every((filter) => !filter.includes("/e/") && !filter.endsWith("#")));
});

test("the simulated gateway sends a text to the node that it hears", async () => {
	const broker = await TestBroker.start();
	const site = await Listener.start(broker.url, new Meshtastic());
	const sim = new MeshtasticNode({ url: broker.url });
	const field = `!${FIELD_NODE.toString(16).padStart(8, "0")}`;
	try {
		await sim.start();
		await until("the field node", () => site.value(field, "latitude") === "48.1234567");
		assert.equal(site.twins.get(field)?.device.name, "Field east");
		sim.uplink = false;
		assert.equal(await site.set(field, "send_text", "silence"), undefined, "sent, and nobody says it back");
		await until("the text on the radio", () => sim.sent.length === 1);
		sim.uplink = true;
		await site.set(field, "send_text", "hello");
		await until("the gateway's word", () => site.value(field, "send_text") === "hello");
		assert.equal((await site.set(field, "send_text", "come home"))?.value, "come home", "from now on it is waited for");
		assert.deepEqual(sim.sent, ["silence", "hello", "come home"].map((text) => ({ to: FIELD_NODE, text })));
		sim.stuck = true;
		await assert.rejects(site.set(field, "send_text", "lost", 100), { fault: "device-timeout" });
		sim.weather(3.5);
		await until("the weather", () => site.value(field, "temperature") === "3.5");
		await sim.crash();
		await until("the will", () => site.availability(sim.id) === "offline");
		assert.deepEqual(site.misfits, []);
	} finally {
		await sim.crash();
		await site.stop();
		await broker.stop();
	}
});

test("a text that no radio packet holds is refused", () => {
	const mesh = new Meshtastic();
	mesh.hear(message(TOPIC, packet("text", "x")));
	assert.deepEqual(sent(mesh, "!11223344", "send_text", "hi"), ['msh/EU_868/2/json/mqtt/ {"from":168496141,"to":287454020,"type":"sendtext","payload":"hi"}']);
	assert.throws(() => sent(mesh, "!11223344", "send_text", "x".repeat(201)), { fault: "bad-value" });
	assert.throws(() => sent(mesh, "!11223344", "text", "x"), { fault: "not-writable" });
});

test("hear() endures noise", () => endures(() => new Meshtastic(), [message(TOPIC, packet("position", { latitude_i: 1, longitude_i: 2 }, { rssi: -1 })), message(TOPIC, packet("text", "x")), message(TOPIC, packet("nodeinfo", { longname: "A" })), message("msh/2/stat/!0a0b0c0d", "online")]));
