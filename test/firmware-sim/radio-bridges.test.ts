import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ChirpStackServer, ThingsStackServer } from "../../firmware-sim/lorawan-servers.js";
import { Rtl433Stick } from "../../firmware-sim/rtl433.js";
import { RuuviGateway } from "../../firmware-sim/ruuvi-gateway.js";
import { SenmlSensor } from "../../firmware-sim/senml-sensor.js";
import { TheengsGateway } from "../../firmware-sim/theengs-gateway.js";
import { TestBroker, until } from "./broker.js";
import { FakeClock } from "./fake-clock.js";

let broker: TestBroker;
before(async () => void (broker = await TestBroker.start()));
after(async () => broker.stop());

test("RuuviGateway relays an advertisement of 31 bytes for each tag, and leaves its state", async () => {
	const sim = new RuuviGateway({ url: broker.url, clock: new FakeClock() });
	await sim.start();
	await until("a tag", () => broker.texts("ruuvi/02:00:5E:00:53:20/C2:00:5E:00:53:21").length === 1);
	const { data, ts } = JSON.parse(broker.texts("ruuvi/02:00:5E:00:53:20/C2:00:5E:00:53:21")[0]!);
	assert.match(data, /^0201061BFF990405[0-9A-F]{34}C2005E005321$/);
	assert.equal(ts, "1700000000");
	assert.equal((await broker.retained()).get("ruuvi/02:00:5E:00:53:20/gw_status"), '{"state":"online"}');
	await sim.stop();
	assert.equal((await broker.retained()).get("ruuvi/02:00:5E:00:53:20/gw_status"), '{"state":"offline"}');
});

test("TheengsGateway leaves its LWT, and says ids with colons under topics without", async () => {
	const sim = new TheengsGateway({ url: broker.url, clock: new FakeClock() });
	await sim.start();
	await until("the plant", () => broker.texts("home/TheengsGateway/BTtoMQTT/C47C8D005332").length === 1);
	assert.equal(JSON.parse(broker.texts("home/TheengsGateway/BTtoMQTT/C47C8D005332")[0]!).id, "C4:7C:8D:00:53:32");
	assert.equal((await broker.retained()).get("home/TheengsGateway/LWT"), "online");
	await sim.crash();
	await until("the will", () => broker.texts("home/TheengsGateway/LWT").at(-1) === "offline");
});

test("Rtl433Stick repeats each transmission three times, in one topic or in many", async () => {
	const clock = new FakeClock();
	const events = new Rtl433Stick({ url: broker.url, host: "a", clock });
	await events.start();
	await until("two times three", () => broker.texts("rtl_433/a/events").length === 6);
	assert.equal(JSON.parse(broker.texts("rtl_433/a/events")[0]!).time, "2023-11-14T22:13:20Z");
	await events.crash();
	const devices = new Rtl433Stick({ url: broker.url, host: "b", output: "devices", clock });
	await devices.start();
	await until("single values", () => broker.texts("rtl_433/b/devices/Example-TH/2/7/temperature_F").length === 3);
	await devices.crash();
});

test("SenmlSensor sends one pack for three samples, in JSON or in CBOR", async () => {
	const clock = new FakeClock();
	const json = new SenmlSensor({ url: broker.url, clock });
	await json.start();
	clock.advance(30_000);
	const topic = `senml/${json.urn.replaceAll(":", "-")}`;
	await until("two packs", () => broker.texts(topic).length === 2);
	const records = JSON.parse(broker.texts(topic)[1]!);
	assert.deepEqual(records.map(({ n, t }: { n: string; t?: number }) => [n, t]), [["soil-temp", -20], ["soil-temp", -10], ["soil-temp", 0], ["moisture", undefined], ["pump", undefined], ["site", undefined]]);
	await json.crash();
	const cbor = new SenmlSensor({ url: broker.url, clock, form: "cbor", urn: "urn:dev:mac:02005efffe005399" });
	await cbor.start();
	await until("a pack", () => broker.texts("senml/urn-dev-mac-02005efffe005399").length === 1);
	assert.equal(broker.texts("senml/urn-dev-mac-02005efffe005399")[0]!.includes("soil-temp"), true);
	await cbor.crash();
});

test("both network servers join before their first uplink", async () => {
	const clock = new FakeClock();
	for (const sim of [new ThingsStackServer({ url: broker.url, clock }), new ChirpStackServer({ url: broker.url, clock })]) {
		const from = broker.heard.length;
		await sim.start();
		await until("an uplink", () => broker.heard.slice(from).some(({ topic }) => topic.endsWith("/up")));
		assert.deepEqual(broker.heard.slice(from).map(({ topic }) => topic.split("/").at(-1)), ["join", "up"]);
		await sim.crash();
	}
});
