import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { connect, type MqttClient } from "mqtt";
import { SparkplugNode } from "../../firmware-sim/sparkplug-node.js";
import { TestBroker, until } from "./broker.js";
import { FakeClock } from "./fake-clock.js";

let broker: TestBroker;
let listener: MqttClient;
const heard: { readonly type: string; readonly bytes: Buffer; readonly retain: boolean }[] = [];
before(async () => {
	broker = await TestBroker.start();
	listener = connect(broker.url, { clientId: "bytes", reconnectPeriod: 0 });
	listener.on("message", (topic, bytes, packet) => heard.push({ type: topic.split("/")[2]!, bytes, retain: packet.retain }));
	await new Promise<void>((resolve) => listener.once("connect", () => resolve()));
	await listener.subscribeAsync("spBv1.0/#", { qos: 1 });
});
after(async () => {
	await listener.endAsync(true);
	await broker.stop();
});

/** The sequence number, which stands last: field 3, a varint. */
function seqOf(bytes: Buffer): number {
	return bytes.at(-2)! >= 0x80 ? (bytes.at(-2)! & 0x7f) | (bytes.at(-1)! << 7) : bytes.at(-1)!;
}

test("SparkplugNode is born before its device, counts on, and dies with the number of its session, nothing of it retained", async () => {
	const clock = new FakeClock();
	const sim = new SparkplugNode({ url: broker.url, clock });
	await sim.start();
	sim.report();
	await until("births and data", () => heard.length === 4);
	assert.deepEqual(heard.map(({ type, bytes }) => [type, seqOf(bytes)]), [["NBIRTH", 0], ["DBIRTH", 1], ["NDATA", 2], ["DDATA", 3]]);
	assert.ok(heard[1]!.bytes.includes(Buffer.from("Outputs/Open")) && !heard[3]!.bytes.includes(Buffer.from("Turns")), "data carry only aliases");
	const bdSeq = (bytes: Buffer): number => bytes[bytes.indexOf("bdSeq") + bytes.subarray(bytes.indexOf("bdSeq")).indexOf(0x58) + 1]!; // field 11
	await sim.crash();
	await until("the will", () => heard.at(-1)?.type === "NDEATH");
	await sim.start();
	await until("the next birth", () => heard.filter(({ type }) => type === "NBIRTH").length === 2);
	assert.deepEqual(heard.filter(({ type }) => type === "NBIRTH" || type === "NDEATH").map(({ type, bytes }) => [type, bdSeq(bytes)]), [["NBIRTH", 0], ["NDEATH", 0], ["NBIRTH", 1]]);
	await sim.stop();
	await until("its own death", () => heard.at(-1)?.type === "NDEATH");
	assert.equal(heard.some(({ retain }) => retain), false);
	assert.equal((await broker.retained()).has("spBv1.0/Plant/NDEATH/press-1"), false);
});

test("SparkplugNode answers a rebirth, obeys its device's commands, and refuses others", async () => {
	const clock = new FakeClock();
	const sim = new SparkplugNode({ url: broker.url, node: "press-9", aliases: false, clock });
	await sim.start();
	const births = heard.length;
	// {metrics: [{name: "Node Control/Rebirth", datatype: 11, boolean_value: true}]}
	listener.publish("spBv1.0/Plant/NCMD/press-9", Buffer.concat([Buffer.from([0x12, 26, 0x0a, 20]), Buffer.from("Node Control/Rebirth"), Buffer.from([0x20, 11, 0x70, 1])]));
	await until("a rebirth", () => sim.heard.rebirths === 1 && heard.length >= births + 2);
	listener.publish("spBv1.0/Plant/DCMD/press-9/valve", Buffer.concat([Buffer.from([0x12, 18, 0x0a, 12]), Buffer.from("Outputs/Open"), Buffer.from([0x20, 11, 0x70, 1])]));
	await until("a command", () => sim.heard.commands === 2);
	clock.advance(60);
	assert.equal(sim.state.open, true);
	listener.publish("spBv1.0/Plant/DCMD/press-9/valve", Buffer.concat([Buffer.from([0x12, 3, 0x0a, 1]), Buffer.from("x")]));
	await until("a refusal", () => sim.heard.refused === 1);
	await sim.crash();
});
