import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { EspHomeNode } from "../../../firmware-sim/esphome-node.js";
import type { Point } from "../../../src/core/point.js";
import { EspHome } from "../../../src/south/conventions/esphome.js";
import { HomeAssistant } from "../../../src/south/conventions/homeassistant.js";
import { Chance, mutate, RUNS } from "../../fakes/fuzz.js";
import { TestBroker, until } from "../../firmware-sim/broker.js";
import { Listener } from "./on-a-broker.js";
import { message, readings, reasons, sent, statesOf, toldBy } from "./said.js";

/** Topic below the node, payload, what it tells. */
const ROWS: readonly (readonly [string, string, Readonly<Record<string, string | boolean>>])[] = [
	["sensor/water_level/state", "41.50", { water_level: "41.50" }], ["sensor/broken/state", "nan", {}], ["sensor/last_boot/state", "2026-01-02 03:04:05", { last_boot: "2026-01-02 03:04:05" }], ["text_sensor/version/state", "1.10", { version: "1.10" }],
	["binary_sensor/door/state", "ON", { door: true }], ["switch/pump/state", "OFF", { pump: false }], ["number/limit/state", "12.500000", { limit: "12.500000" }], ["select/program/state", "Eco", { program: "Eco" }], ["text/note/state", "7", { note: "7" }],
	["light/lamp/state", '{"state":"ON","brightness":128,"color_mode":"rgb","color":{"r":255,"g":0,"b":7},"effect":"None","unknown":1}', { "lamp": true, "lamp.brightness": "128", "lamp.color_mode": "rgb", "lamp.color.r": "255", "lamp.color.g": "0", "lamp.color.b": "7", "lamp.effect": "None" }],
	["light/relay/state", "ON", { relay: true }],
	["fan/vent/state", "ON", { vent: true }], ["fan/vent/speed_level/state", "3", { "vent.speed_level": "3" }], ["fan/vent/oscillation/state", "oscillate_on", { "vent.oscillation": true }], ["fan/vent/oscillation/state", "oscillate_off", { "vent.oscillation": false }],
	["cover/blind/state", "opening", { blind: "opening" }], ["cover/blind/position/state", "40", { "blind.position": "40" }], ["cover/blind/tilt/state", "10", { "blind.tilt": "10" }],
	["lock/gate/state", "LOCKED", { gate: "LOCKED" }],
	["climate/hall/mode/state", "heat", { "hall.mode": "heat" }], ["climate/hall/target_temperature/state", "21.5", { "hall.target_temperature": "21.5" }], ["climate/hall/current_temperature/state", "20.4", { "hall.current_temperature": "20.4" }], ["climate/hall/action/state", "heating", { "hall.action": "heating" }],
	["event/bell/state", '{"event_type":"press"}', { bell: "press" }],
];

function known(): EspHome {
	const esphome = new EspHome();
	for (const [rest, payload] of ROWS) esphome.hear(message(`shed/${rest}`, payload));
	return esphome;
}

test("each component tells its values", () => {
	const esphome = new EspHome();
	for (const [rest, payload, told] of ROWS) {
		const meaning = esphome.hear(message(`shed/${rest}`, payload));
		assert.deepEqual([readings(meaning), reasons(meaning)], [told, []], rest);
	}
});

test("points have kinds, access and units by their component", () => {
	const points: Record<string, Point> = {};
	const esphome = new EspHome();
	for (const [rest, payload] of ROWS) Object.assign(points, esphome.hear(message(`shed/${rest}`, payload))?.announced?.[0]?.points);
	assert.deepEqual(points["pump"], { kind: "boolean", access: "rw", category: "status" });
	assert.deepEqual(points["door"], { kind: "boolean", access: "r", category: "status" });
	assert.deepEqual(points["hall.target_temperature"], { kind: "numeric", access: "rw", category: "status", unit: "°C" });
	assert.deepEqual(points["blind.command"], { kind: "enum", access: "w", labels: ["OPEN", "CLOSE", "STOP"] });
	assert.deepEqual([points["last_boot"]?.kind, points["water_level"]?.kind, points["version"]?.kind], ["text", "numeric", "text"]);
});

test("commands go to the topic beside the state, as the component takes them", () => {
	const rows: readonly (readonly [string, boolean | number | string, string])[] = [
		["pump", true, "switch/pump/command ON"], ["limit", 3.5, "number/limit/command 3.5"], ["program", "Eco", "select/program/command Eco"], ["lamp", false, 'light/lamp/command {"state":"OFF"}'], ["lamp.brightness", 10, 'light/lamp/command {"state":"ON","brightness":10}'],
		["lamp.effect", 'a"b', 'light/lamp/command {"state":"ON","effect":"a\\"b"}'], ["relay", true, "light/relay/command ON"], ["vent", true, "fan/vent/command ON"], ["vent.oscillation", false, "fan/vent/oscillation/command oscillate_off"], ["vent.speed_level", 2, "fan/vent/speed_level/command 2"],
		["blind.command", "STOP", "cover/blind/command STOP"], ["blind.position", 55, "cover/blind/position/command 55"], ["gate", "UNLOCKED", "lock/gate/command UNLOCK"], ["hall.mode", "off", "climate/hall/mode/command off"], ["hall.target_temperature", 19, "climate/hall/target_temperature/command 19"],
	];
	for (const [point, value, expected] of rows) assert.deepEqual(sent(known(), "shed", point, value), [`shed/${expected}`], point);
	assert.throws(() => sent(known(), "shed", "water_level", 1), { fault: "not-writable" });
	assert.throws(() => sent(known(), "shed", "blind.position", 101), { fault: "bad-value" });
	assert.equal(known().command("nobody", "pump", true), undefined);
});

test("two components of one name are told apart", () => {
	const esphome = new EspHome();
	esphome.hear(message("shed/sensor/pump/state", "1.5"));
	assert.deepEqual(readings(esphome.hear(message("shed/switch/pump/state", "ON"))), { "switch.pump": true });
	assert.deepEqual(sent(esphome, "shed", "switch.pump", false), ["shed/switch/pump/command OFF"]);
});

test("a prefix may have levels, and components in them", () => {
	const esphome = new EspHome();
	assert.deepEqual(toldBy(esphome.hear(message("site/shed/sensor/level/state", "1"))), { "site/shed level": "1" });
	assert.deepEqual(toldBy(esphome.hear(message("sensor/shed/sensor/level/state", "1"))), { "sensor/shed level": "1" });
});

test("what is retained waits for the node's own word", () => {
	const esphome = new EspHome();
	assert.deepEqual(esphome.hear(message("shed/sensor/level/state", "1.50", true)), {});
	const meaning = esphome.hear(message("shed/status", "online", true));
	assert.deepEqual([readings(meaning), statesOf(meaning), meaning?.heard], [{ level: "1.50" }, { shed: "online" }, undefined]);
	const first = new EspHome();
	assert.equal(first.hear(message("shed/status", "online", true)), undefined);
	const state = first.hear(message("shed/sensor/level/state", "1.50", true));
	assert.deepEqual([readings(state), statesOf(state)], [{ level: "1.50" }, { shed: "online" }]);
	const other = new EspHome();
	assert.equal(other.hear(message("shed/status", "offline", true)), undefined);
	assert.deepEqual(statesOf(other.hear(message("shed/sensor/level/state", "1"))), { shed: "offline" });
});

test("topics of the same shape that are others' make no node", () => {
	const esphome = new EspHome();
	for (const topic of ["homeassistant/sensor/x/state", "zigbee2mqtt/switch/x/state", "sensor/x/state", "shed/robot/x/state", "shed//sensor/state", "shed/sensor//state", "a/status", "shed/sensor/x/y/state"]) assert.equal(esphome.hear(message(topic, "1")), undefined, topic);
	assert.equal(esphome.hear(message("shed/status", "starting")), undefined);
	assert.deepEqual(known().hear(message("shed/debug", "\u001b[0;36m[D] x\u001b[0m")), {});
	assert.deepEqual(known().hear(message("shed/switch/pump/command", "ON")), {});
});

test("esphome/discover gives the MAC as an alias, and facts", () => {
	const meaning = new EspHome().hear(message("esphome/discover/shed", { ip: "192.0.2.4", name: "shed", mac: "02005e53ff01", version: "2026.3.1", platform: "ESP32", board: "esp32dev", friendly_name: "Tool shed" }, true));
	assert.deepEqual({ ...meaning?.announced?.[0], points: undefined }, { address: "shed", aliases: ["02005e53ff01"], name: "Tool shed", manufacturer: "ESPHome", model: "ESP32 esp32dev", firmware: "2026.3.1", points: undefined });
	assert.equal(readings(meaning)["ip"], "192.0.2.4");
});

const dev = { ids: "02005e53ff01", name: "shed", sw: "2026.3.1 (ESPHome)", mdl: "esp32dev", mf: "Espressif" };
const config = (component: string, object: string, more: object): ReturnType<typeof message> => message(`homeassistant/${component}/shed/${object}/config`, { dev, ...more }, true);

test("a Home Assistant config of a node adds units, ranges, options, buttons and the MAC", () => {
	const esphome = new EspHome();
	esphome.hear(config("sensor", "level", { name: "Level", unit_of_meas: "cm", stat_cla: "measurement", stat_t: "shed/sensor/level/state" }));
	esphome.hear(config("number", "limit", { min: 1, max: 9, step: 0.5, stat_t: "~/state", cmd_t: "~/command", "~": "shed/number/limit" }));
	esphome.hear(config("select", "program", { options: ["Eco", "Fast"], stat_t: "shed/select/program/state", cmd_t: "shed/select/program/command" }));
	const meaning = esphome.hear(config("button", "restart", { name: "Restart", cmd_t: "shed/button/restart/command" }));
	assert.deepEqual({ ...meaning?.announced?.[0] }, {
		address: "shed", aliases: ["02005e53ff01"], name: "shed", manufacturer: "Espressif", model: "esp32dev", firmware: "2026.3.1 (ESPHome)",
		points: {
			level: { kind: "numeric", access: "r", label: "Level", unit: "cm" }, limit: { kind: "numeric", access: "rw", category: "status", min: 1, max: 9, step: 0.5 },
			program: { kind: "enum", access: "rw", category: "status", labels: ["Eco", "Fast"] }, restart: { kind: "enum", access: "w", label: "Restart", labels: ["PRESS"] },
		},
	});
	assert.deepEqual(sent(esphome, "shed", "restart", "PRESS"), ["shed/button/restart/command PRESS"]);
	assert.deepEqual(Object.keys(esphome.hear(message("homeassistant/button/shed/restart/config", "", true))?.announced?.[0]?.points ?? {}), ["level", "limit", "program"]);
	assert.equal(new EspHome().hear(message("homeassistant/switch/x/config", { dev: { ids: "x", mf: "Acme" }, stat_t: "shed/switch/x/state" })), undefined);
});

test("hear() throws for nothing, whatever the bytes", () => {
	const chance = new Chance(15);
	const esphome = new EspHome();
	const seeds = [...ROWS.map(([rest, payload]) => [`shed/${rest}`, payload] as const), ["shed/status", "online"] as const, ["esphome/discover/shed", '{"mac":"02005e53ff01"}'] as const, ["homeassistant/number/x/config", JSON.stringify({ dev, min: 1, options: [1, "a"], stat_t: "shed/number/limit/state" })] as const];
	for (let run = 0; run < RUNS; run++) {
		const [topic, payload] = chance.pick(seeds);
		const name = chance.int(5) === 0 ? Buffer.from(mutate(chance, Buffer.from(topic))).toString("latin1") : topic;
		esphome.hear({ kind: "message", topic: name, payload: chance.int(3) > 0 ? mutate(chance, Buffer.from(payload)) : Buffer.from(payload), retained: chance.int(2) === 0 });
	}
});

let broker: TestBroker;
before(async () => void (broker = await TestBroker.start()));
after(() => broker.stop());

for (const discovery of [true, false]) {
	test(`a simulated node ${discovery ? "that Home Assistant knows too is one device" : "by its topics alone"}: announced, read, commanded until confirmed, and missed`, async () => {
		const mac = discovery ? "02005e530c01" : "02005e530c02";
		const node = new EspHomeNode({ url: broker.url, node: `pumps-${discovery ? 1 : 2}`, mac, discovery });
		await node.start();
		const site = await Listener.start(broker.url, new EspHome(), new HomeAssistant());
		const address = node.node;
		try {
			await until("its state", () => site.twins.get(address)?.availability === "online" && site.value(address, "water_temperature") === "22.40" && site.value(address, "lamp") === "false");
			assert.deepEqual([...site.twins.keys()].filter((one) => one === address || one === mac), [address]);
			const points = (): Readonly<Record<string, Point>> => site.twins.get(address)!.device.points;
			const water = points()["water_temperature"];
			assert.equal(water?.kind === "numeric" && water.unit, "°C");
			assert.equal((await site.set(address, "pump", true))?.value, true);
			assert.equal(node.pump, true);
			await site.set(address, "flow_limit", 7.5);
			await site.set(address, "lamp.brightness", 40);
			if (discovery) {
				await until("all configs", () => points()["restart"] !== undefined);
				const limit = points()["flow_limit"];
				assert.deepEqual(limit?.kind === "numeric" && [limit.min, limit.max, limit.unit], [0, 20, "L/min"]);
				await site.set(address, "restart", "PRESS");
				await until("the button", () => node.heard.restarts === 1);
			}
			assert.deepEqual([node.heard.refused, site.misfits], [0, []]);
			await node.crash();
			await until("the will", () => site.twins.get(address)?.availability === "offline");
		} finally {
			await site.stop();
			await node.crash();
		}
	});
}
