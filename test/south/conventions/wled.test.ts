import assert from "node:assert/strict";
import { test } from "node:test";
import { WledStrip } from "../../../firmware-sim/wled-strip.js";
import { Wled } from "../../../src/south/conventions/wled.js";
import { TestBroker, until } from "../../firmware-sim/broker.js";
import { endures } from "./fuzzed.js";
import { Listener } from "./on-a-broker.js";
import { message, readings, reasons, sent, statesOf, toldBy } from "./said.js";

test("brightness, colour and status are told of the device topic", () => {
	const strip = new Wled();
	assert.deepEqual(toldBy(strip.hear(message("wled/0a0b0c/g", "64"))), { "wled/0a0b0c global_brightness": "64", "wled/0a0b0c on": true });
	assert.deepEqual(readings(strip.hear(message("wled/0a0b0c/g", "0"))), { global_brightness: "0", on: false });
	assert.deepEqual(readings(strip.hear(message("wled/0a0b0c/c", "#10FF0020"))), { color: "#10FF0020" });
	assert.deepEqual(statesOf(strip.hear(message("wled/0a0b0c/status", "offline", true))), { "wled/0a0b0c": "offline" });
});

test("the XML state is told member by member, and -1 is none", () => {
	const meaning = new Wled().hear(message("wled/x/v", "<?xml version=\"1.0\" ?><vs><ac>12</ac><cl>1</cl><cl>2</cl><cl>3</cl><fx>9</fx><wv>-1</wv><ds>Sofa</ds></vs>"));
	assert.deepEqual(readings(meaning), { ac: "12", fx: "9", ds: "Sofa", "cl[0]": "1", "cl[1]": "2", "cl[2]": "3" });
	assert.equal(meaning?.announced?.[0]?.name, "Sofa");
});

test("the JSON state names the device by its MAC address, and its topic is an alias", () => {
	const strip = new Wled();
	const json = { state: { on: true, bri: 7, ps: -1, pl: 3 }, info: { ver: "0.15.0", name: "Sofa", mac: "02005e0053aa", leds: { count: 30, pwr: 120 }, wifi: { rssi: -60, signal: 80 }, uptime: 5 } };
	const meaning = strip.hear(message("wled/0053aa/json", json));
	assert.deepEqual(meaning?.announced?.map(({ address, aliases, name, firmware }) => [address, aliases, name, firmware]), [["02005e0053aa", ["wled/0053aa"], "Sofa", "0.15.0"]]);
	assert.deepEqual(readings(meaning), { "state.on": true, "state.bri": "7", "state.pl": "3", "info.ver": "0.15.0", "info.name": "Sofa", "info.mac": "02005e0053aa", "info.leds.count": "30", "info.leds.pwr": "120", "info.wifi.rssi": "-60", "info.wifi.signal": "80", "info.uptime": "5" });
	assert.deepEqual(toldBy(strip.hear(message("wled/0053aa/g", "7"))), { "02005e0053aa global_brightness": "7", "02005e0053aa on": true });
	assert.deepEqual(sent(strip, "wled/0053aa", "state.bri", 9), ['wled/0053aa/api {"bri":9}']);
	assert.deepEqual(statesOf(strip.hear(message("wled/0053aa/status", "online"))), { "02005e0053aa": "online" });
});

test("a strip that is known by its topic first keeps that address", () => {
	const strip = new Wled();
	strip.hear(message("wled/0053aa/g", "1"));
	const meaning = strip.hear(message("wled/0053aa/info", { mac: "02005e0053aa", ver: "1" }));
	assert.deepEqual(meaning?.announced?.map(({ address, aliases }) => [address, aliases]), [["wled/0053aa", ["02005e0053aa"]]]);
});

test("wishes are no readings, and what is out of range is a misfit", () => {
	for (const topic of ["wled/x", "wled/x/col", "wled/x/api", "wled/all", "wled/all/api"]) assert.equal(new Wled().hear(message(topic, "T"))?.told, undefined, topic);
	assert.equal(new Wled().hear(message("other/x/g", "1")), undefined);
	assert.match(reasons(new Wled().hear(message("wled/x/g", "256"))).join(), /brightness/);
	assert.match(reasons(new Wled().hear(message("wled/x/c", "red"))).join(), /color/);
	assert.match(reasons(new Wled().hear(message("wled/x/json", "[]"))).join(), /no object/);
});

test("commands take the words that the strip understands", () => {
	const strip = new Wled();
	strip.hear(message("wled/x/g", "1"));
	assert.deepEqual(sent(strip, "wled/x", "on", false), ["wled/x OFF"]);
	assert.deepEqual(sent(strip, "wled/x", "global_brightness", 200), ["wled/x 200"]);
	assert.deepEqual(sent(strip, "wled/x", "color", "#00FF00"), ["wled/x/col #00FF00"]);
	assert.deepEqual(sent(strip, "wled/x", "fx", 73), ["wled/x/api FX=73"]);
	assert.throws(() => sent(strip, "wled/x", "global_brightness", 300), { fault: "bad-value" });
	assert.equal(strip.command("wled/y", "on", true), undefined);
});

test("the simulated strip obeys, and its will is heard", async () => {
	const broker = await TestBroker.start();
	const site = await Listener.start(broker.url, new Wled());
	const sim = new WledStrip({ url: broker.url });
	try {
		await sim.start();
		await until("the strip", () => site.availability(sim.topic) === "online" && site.twins.get(sim.topic)?.device.name === "Shelf");
		await site.set(sim.topic, "global_brightness", 40);
		await site.set(sim.topic, "on", false);
		await site.set(sim.topic, "on", true);
		await site.set(sim.topic, "color", "#0000FF");
		await site.set(sim.topic, "fx", 73);
		await site.set(sim.topic, "ps", 4);
		assert.deepEqual(sim.state, { brightness: 40, color: "#0000FF", effect: 73 });
		await sim.crash();
		await until("the will", () => site.availability(sim.topic) === "offline");
		assert.deepEqual(site.misfits, []);
	} finally {
		await sim.crash();
		await site.stop();
		await broker.stop();
	}
});

test("hear() endures noise", () => endures(() => new Wled(), [
	message("wled/x/g", "128"), message("wled/x/c", "#FF0000"), message("wled/x/v", "<vs><ac>1</ac><cl>2</cl><ds>A</ds></vs>"), message("wled/x/status", "online"),
	message("wled/x/json", { state: { on: true, bri: 1 }, info: { mac: "02005e0053aa", leds: { count: 3 } } }),
]));
