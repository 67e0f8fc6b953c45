// The simulated devices of one topic tree each: a light strip, a phone, a mesh node and a recorder.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { FrigateNvr } from "../../firmware-sim/frigate-nvr.js";
import { MeshtasticNode } from "../../firmware-sim/meshtastic-node.js";
import { OwnTracksPhone } from "../../firmware-sim/owntracks-phone.js";
import { WledStrip } from "../../firmware-sim/wled-strip.js";
import { TestBroker, until } from "./broker.js";
import { FakeClock } from "./fake-clock.js";

let broker: TestBroker;
before(async () => void (broker = await TestBroker.start()));
after(() => broker.stop());

test("WledStrip shines as it is told, in words, numbers and calls, and reports each time", async () => {
	const sim = new WledStrip({ url: broker.url });
	await sim.start();
	const reported = (): string | undefined => broker.texts(`${sim.topic}/g`).at(-1);
	for (const [topic, text, brightness] of [["", "60", 60], ["", "OFF", 0], ["", "T", 60], ["/api", "A=9&FX=7", 9], ["/api", '{"on":false}', 0], ["/api", '{"bri":300}', 255], ["", "ON", 255]] as const) {
		await broker.send(`${sim.topic}${topic}`, text);
		await until(`${topic} ${text}`, () => reported() === String(brightness));
	}
	await broker.send(`${sim.topic}/col`, "#00ff00");
	await until("green", () => broker.texts(`${sim.topic}/c`).at(-1) === "#00FF00");
	assert.match(broker.texts(`${sim.topic}/v`).at(-1) ?? "", /<ac>255<\/ac><cl>0<\/cl><cl>255<\/cl>.*<fx>7<\/fx>/);
	await sim.crash();
	await until("the will", () => broker.texts(`${sim.topic}/status`).at(-1) === "offline");
});

test("OwnTracksPhone says where it is, crosses its region, and answers a command", async () => {
	const clock = new FakeClock();
	const sim = new OwnTracksPhone({ url: broker.url, clock });
	await sim.start();
	sim.walk();
	await until("the event", () => broker.texts(`${sim.base}/event`).length === 1);
	await until("the location", () => broker.texts(sim.base).length === 2);
	const [, there] = broker.texts(sim.base).map((text) => JSON.parse(text) as { lat: number; tst: number; inregions: string[] });
	assert.deepEqual([there?.lat.toFixed(4), there?.tst, there?.inregions], ["45.4484", Math.floor(clock.now() / 1000), []]);
	await broker.send(`${sim.base}/cmd`, "junk");
	await broker.send(`${sim.base}/cmd`, '{"_type":"cmd","action":"reportLocation"}');
	await until("the answer", () => broker.texts(sim.base).length === 3);
	assert.deepEqual(sim.done, ["reportLocation"]);
	await sim.crash();
	await until("the will", () => broker.texts(sim.base).at(-1)?.includes("lwt") === true);
});

test("MeshtasticNode tells each packet with its own number, and sends only what is from itself", async () => {
	const sim = new MeshtasticNode({ url: broker.url, root: "msh/X" });
	await sim.start();
	sim.weather(4);
	const topic = `msh/X/2/json/LongFast/${sim.id}`;
	await until("four packets", () => broker.texts(topic).length === 4);
	assert.equal(new Set(broker.texts(topic).map((text) => (JSON.parse(text) as { id: number }).id)).size, 4);
	await broker.send("msh/X/2/json/mqtt/", '{"from":5,"type":"sendtext","payload":"no"}');
	await broker.send("msh/X/2/json/mqtt/", `{"from":${0xaabbccdd},"type":"sendtext","payload":"yes"}`);
	await until("the text", () => sim.sent.length === 1);
	assert.deepEqual(sim.sent, [{ to: 0xffffffff, text: "yes" }]);
	await sim.stop();
	await until("the farewell", () => broker.texts(`msh/X/2/stat/${sim.id}`).at(-1) === "offline");
});

test("FrigateNvr switches its features, and tells of a visitor on three topics", async () => {
	const sim = new FrigateNvr({ url: broker.url });
	await sim.start();
	await broker.send("frigate/yard/detect/set", "off");
	await broker.send("frigate/yard/snapshots/set", "OFF");
	await until("the switch", () => broker.texts("frigate/yard/snapshots/state").at(-1) === "OFF");
	assert.deepEqual([sim.state.features["yard/detect"], sim.state.features["yard/snapshots"], sim.state.features["gate/snapshots"]], [true, false, true]);
	sim.visit();
	await until("the event", () => broker.texts("frigate/events").length === 1);
	assert.deepEqual([broker.texts("frigate/gate/motion").at(-1), broker.texts("frigate/gate/person").at(-1)], ["ON", "1"]);
	sim.stuck = true;
	await broker.send("frigate/yard/snapshots/set", "ON");
	await sim.crash();
	await until("the will", () => broker.texts("frigate/available").at(-1) === "offline");
	assert.equal(sim.state.features["yard/snapshots"], false);
});
