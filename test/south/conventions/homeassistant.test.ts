import assert from "node:assert/strict";
import { test } from "node:test";
import { LATE_AFTER } from "../../../src/core/availability.js";
import { longKey } from "../../../src/south/conventions/ha-abbreviations.js";
import { HomeAssistant } from "../../../src/south/conventions/homeassistant.js";
import { Chance, mutate, RUNS } from "../../fakes/fuzz.js";
import { message, readings, reasons, sent, statesOf, toldBy } from "./said.js";

const device = { identifiers: ["kiln-7"], name: "Kiln", manufacturer: "Acme", model: "K7", sw_version: "1.10" };
const topicOf = (component: string, object: string, node?: string): string => ["homeassistant", component, ...(node === undefined ? [] : [node]), object, "config"].join("/");

test("hear() makes one device of all configs with one identifier", () => {
	const ha = new HomeAssistant();
	ha.hear(message(topicOf("sensor", "temp", "kiln"), { device, state_topic: "kiln/state", value_template: "{{ value_json.t }}", unit_of_measurement: "°C", name: "Core temperature" }));
	const second = ha.hear(message(topicOf("switch", "heater", "kiln"), { device: { ids: "kiln-7" }, state_topic: "kiln/state", value_template: "{{ value_json.h }}", command_topic: "kiln/set" }));
	const announced = second?.announced?.[0];
	assert.deepEqual({ ...announced, points: Object.keys(announced?.points ?? {}) }, { address: "kiln-7", name: "Kiln", manufacturer: "Acme", model: "K7", firmware: "1.10", type: "switch", points: ["temp", "heater"] });
	assert.equal(announced?.points["temp"]?.label, "Core temperature");
	assert.deepEqual(toldBy(ha.hear(message("kiln/state", '{"t":21.50,"h":"ON"}'))), { "kiln-7 temp": "21.50", "kiln-7 heater": true });
});

test("hear() gives retained values and no sign of life, and knows nothing of a topic that no config named", () => {
	const ha = new HomeAssistant();
	assert.equal(ha.hear(message("kiln/state", "{}")), undefined);
	ha.hear(message(topicOf("sensor", "t"), { device, state_topic: "kiln/t" }));
	const retained = ha.hear(message("kiln/t", "warm", true));
	assert.deepEqual([readings(retained), retained?.heard], [{ t: "warm" }, undefined]);
	assert.deepEqual(ha.hear(message("homeassistant/status", "online")), {});
	assert.equal(ha.hear(message("homeassistant/sensor/config", "{}")), undefined);
});

test("filters() are the config topics and the topics of what was found, and say when they change", () => {
	const ha = new HomeAssistant({ prefix: "ha/disc" });
	assert.deepEqual(ha.filters(), ["ha/disc/+/+/config", "ha/disc/+/+/+/config"]);
	const config = { device, state_topic: "a/s", availability_topic: "a/up" };
	assert.equal(ha.hear(message("ha/disc/sensor/x/config", config))?.filters, true);
	assert.deepEqual(ha.filters().slice(2), ["a/s", "a/up"]);
	assert.equal(ha.hear(message("ha/disc/sensor/x/config", config))?.filters, undefined);
	assert.equal(ha.hear(message("ha/disc/sensor/y/config", { ...config, value_template: "{{ value }}" }))?.filters, undefined);
	assert.equal(ha.hear(message("ha/disc/sensor/y/config", { ...config, state_topic: "a/s2" }))?.filters, true);
	assert.deepEqual(ha.filters().slice(2).sort(), ["a/s", "a/s2", "a/up"]);
});

test("an empty config takes its entity back, and the last one its device", () => {
	const ha = new HomeAssistant();
	ha.hear(message(topicOf("sensor", "a"), { device, state_topic: "k/a" }));
	ha.hear(message(topicOf("sensor", "b"), { device, state_topic: "k/b" }));
	const first = ha.hear(message(topicOf("sensor", "a"), ""));
	assert.deepEqual(Object.keys(first?.announced?.[0]?.points ?? {}), ["b"]);
	assert.equal(first?.filters, true);
	assert.deepEqual(ha.hear(message(topicOf("sensor", "b"), ""))?.gone, ["kiln-7"]);
	assert.equal(ha.filters().length, 2);
	assert.equal(ha.command("kiln-7", "b", "x"), undefined);
	assert.deepEqual(ha.hear(message(topicOf("sensor", "b"), "")), {});
});

test("a config that moves to another device leaves the first one", () => {
	const ha = new HomeAssistant();
	ha.hear(message(topicOf("sensor", "a"), { device, state_topic: "k/a" }));
	const moved = ha.hear(message(topicOf("sensor", "a"), { device: { identifiers: "other" }, state_topic: "k/a" }));
	assert.deepEqual([moved?.gone, moved?.announced?.[0]?.address], [["kiln-7"], "other"]);
});

test("a config that cannot be read takes nothing back and is named", () => {
	const ha = new HomeAssistant();
	ha.hear(message(topicOf("sensor", "a"), { device, state_topic: "k/a" }));
	assert.match(reasons(ha.hear(message(topicOf("sensor", "a"), "{broken"))).join(), /Cannot read JSON/);
	assert.match(reasons(ha.hear(message(topicOf("sensor", "a"), "[]"))).join(), /no JSON object/);
	assert.deepEqual(readings(ha.hear(message("k/a", "1"))), { a: "1" });
});

test("a device of which nothing can be used is neither announced nor taken back", () => {
	const ha = new HomeAssistant();
	const meaning = ha.hear(message(topicOf("toaster", "a"), { device, state_topic: "k/a" }));
	assert.deepEqual([meaning?.announced, meaning?.gone, reasons(meaning)], [undefined, undefined, ['Cannot use a config: the component "toaster" is not known']]);
	assert.equal(ha.command("kiln-7", "a", true), undefined);
});

test("a device config shares its options, drops what has only a platform, and writes short keys and the base topic", () => {
	const ha = new HomeAssistant();
	const config = {
		"~": "plant/7", dev: { ids: ["plant-7"], cns: [["mac", "AA-BB-CC-00-11-22"]], mf: "Acme", mdl: "P", sw: 2, name: "Plant" }, o: { name: "maker" }, stat_t: "~/state", avty_t: "~/up", pl_avail: "1", pl_not_avail: "0", qos: 2,
		cmps: {
			power: { p: "sensor", val_tpl: "{{ value_json.p }}", unit_of_meas: "kW" },
			pump: { p: "switch", val_tpl: "{{ value_json.pump }}", cmd_t: "set/~", "~": "plant/7/pump", pl_on: 1, pl_off: 0 },
			old: { p: "sensor" },
			nothing: { val_tpl: "x" },
			strange: { p: "toaster", stat_t: "x" },
		},
	};
	const meaning = ha.hear(message("homeassistant/device/plant7/config", config, true));
	const announced = meaning?.announced?.[0];
	assert.deepEqual([announced?.address, announced?.aliases, announced?.firmware, Object.keys(announced?.points ?? {})], ["plant-7", ["aabbcc001122"], "2", ["power", "pump"]]);
	assert.deepEqual(reasons(meaning), ['Cannot use the component "nothing": it has no platform', 'Cannot use a config: the component "toaster" is not known']);
	assert.deepEqual(readings(ha.hear(message("plant/7/state", { p: 1.2, pump: 1 }))), { power: "1.2", pump: true });
	assert.deepEqual(sent(ha, "plant-7", "pump", true), ["set/plant/7/pump 1"]);
	assert.equal(ha.command("plant-7", "pump", true)?.[0]?.qos, 1);
	assert.deepEqual(statesOf(ha.hear(message("plant/7/up", "0", true))), { "plant-7": "offline" });
	const fewer = ha.hear(message("homeassistant/device/plant7/config", { ...config, cmps: { power: { p: "sensor" }, pump: config.cmps.pump } }));
	assert.deepEqual(Object.keys(fewer?.announced?.[0]?.points ?? {}), ["pump"]);
});

test("a config without a device block is its node's, else its own", () => {
	const address = (topic: string, config: object): string | undefined => new HomeAssistant().hear(message(topic, config))?.announced?.[0]?.address;
	assert.equal(address(topicOf("switch", "test"), { unique_id: "relay_1", state_topic: "r/s" }), "relay_1");
	assert.equal(address(topicOf("switch", "test"), { state_topic: "r/s" }), "test");
	assert.equal(address(topicOf("switch", "test", "node9"), { unique_id: "relay_1", state_topic: "r/s" }), "node9");
	assert.equal(address(topicOf("switch", "test"), { device: { connections: [["mac", "AA:BB:CC:DD:EE:FF"]] }, state_topic: "r/s" }), "aabbccddeeff");
});

test("a device of Zigbee2MQTT has its native address among its aliases, and one with a MAC that in one spelling", () => {
	const aliases = (block: object): readonly string[] | undefined => new HomeAssistant().hear(message(topicOf("sensor", "a"), { device: block, state_topic: "k/a" }))?.announced?.[0]?.aliases;
	assert.deepEqual(aliases({ identifiers: ["zigbee2mqtt_0x00158d0001abcdef"] }), ["0x00158d0001abcdef"]);
	assert.deepEqual(aliases({ identifiers: ["tasmota"], connections: [["mac", "A0:B1:C2:D3:E4:F5"]] }), ["a0b1c2d3e4f5"]);
	assert.deepEqual(aliases({ identifiers: "A0B1C2D3E4F5" }), undefined);
	assert.deepEqual(aliases({ identifiers: "A0:B1:C2:D3:E4:F5" }), ["a0b1c2d3e4f5"]);
});

const AVAILABLE: readonly (readonly [what: string, config: object, said: readonly (readonly [string, string, Record<string, string>])[]])[] = [
	["a topic", { availability_topic: "k/up" }, [["k/up", "online", { "kiln-7": "online" }], ["k/up", "offline", { "kiln-7": "offline" }], ["k/up", "perhaps", { "kiln-7": "offline" }]]],
	["its own words", { availability_topic: "k/up", payload_available: "yes", payload_not_available: "no" }, [["k/up", "no", { "kiln-7": "offline" }], ["k/up", "yes", { "kiln-7": "online" }]]],
	["a template", { availability_topic: "k/up", availability_template: "{{ value_json.state }}" }, [["k/up", '{"state":"offline"}', { "kiln-7": "offline" }]]],
	["a list, the latest", { availability: [{ topic: "k/1" }, { t: "k/2", val_tpl: "{{ value_json.s }}", pl_avail: "up" }] }, [["k/1", "offline", { "kiln-7": "offline" }], ["k/2", '{"s":"up"}', { "kiln-7": "online" }], ["k/1", "offline", { "kiln-7": "offline" }]]],
	["a list, all", { availability: [{ topic: "k/1" }, { topic: "k/2" }], availability_mode: "all" }, [["k/1", "online", {}], ["k/2", "online", { "kiln-7": "online" }], ["k/1", "offline", { "kiln-7": "offline" }], ["k/2", "online", { "kiln-7": "offline" }]]],
	["a list, any", { availability: [{ topic: "k/1" }, { topic: "k/2" }], availability_mode: "any" }, [["k/1", "offline", { "kiln-7": "offline" }], ["k/2", "online", { "kiln-7": "online" }], ["k/1", "online", { "kiln-7": "online" }]]],
];
for (const [what, config, said] of AVAILABLE) {
	test(`availability by ${what}`, () => {
		const ha = new HomeAssistant();
		ha.hear(message(topicOf("sensor", "a"), { device, state_topic: "k/a", ...config }));
		for (const [topic, payload, states] of said) assert.deepEqual(statesOf(ha.hear(message(topic, payload, true))), states, `${topic} ${payload}`);
	});
}

test("a device that is found after its availability topic spoke is told at once", () => {
	const ha = new HomeAssistant();
	ha.hear(message(topicOf("sensor", "a"), { device, state_topic: "k/a", availability_topic: "hub/up" }));
	ha.hear(message("hub/up", "offline", true));
	const late = ha.hear(message(topicOf("sensor", "b"), { device: { ids: "late" }, state_topic: "k/b", availability_topic: "hub/up" }));
	assert.deepEqual(statesOf(late), { late: "offline" });
});

test("expire_after is when silence is late", () => {
	const announced = new HomeAssistant().hear(message(topicOf("sensor", "a"), { device, state_topic: "k/a", expire_after: 300 }))?.announced?.[0];
	assert.equal((announced?.every ?? 0) * LATE_AFTER, 300_000);
});

test("an event and a trigger are never told by a retained message", () => {
	const ha = new HomeAssistant();
	ha.hear(message(topicOf("event", "press"), { device, state_topic: "k/e" }));
	assert.deepEqual(readings(ha.hear(message("k/e", { event_type: "single" }, true))), {});
	assert.deepEqual(readings(ha.hear(message("k/e", { event_type: "single" }))), { press: "single" });
});

test("triggers of a device are one point", () => {
	const ha = new HomeAssistant();
	const trigger = { device, automation_type: "trigger", topic: "k/action", type: "action" };
	ha.hear(message(topicOf("device_automation", "single"), { ...trigger, payload: "single", subtype: "single" }));
	const meaning = ha.hear(message(topicOf("device_automation", "double"), { ...trigger, payload: "double", subtype: "double" }));
	assert.deepEqual(Object.keys(meaning?.announced?.[0]?.points ?? {}), ["trigger"]);
	assert.deepEqual(readings(ha.hear(message("k/action", "double"))), { trigger: "double" });
});

const LIGHT = { state_topic: "k/s", command_topic: "k/c", brightness_state_topic: "k/bs", brightness_command_topic: "k/bc" };
const NAMED: readonly (readonly [what: string, configs: readonly (readonly [component: string, object: string, config: object])[], points: readonly string[]])[] = [
	["the device's name is taken off in front", [["sensor", "x", { object_id: "kiln_core_temperature", state_topic: "k" }]], ["core_temperature"]],
	["the default entity id has its domain taken off", [["sensor", "x", { default_entity_id: "sensor.kiln_humidity", state_topic: "k" }]], ["humidity"]],
	["the device's id is taken off behind", [["sensor", "temp_kiln-7", { state_topic: "k" }]], ["temp"]],
	["an opaque id is passed over for the name", [["sensor", "0x00158d0001abcdef", { name: "PI heating demand", state_topic: "k" }]], ["pi_heating_demand"]],
	["a sensor with no name at all is what it measures", [["sensor", "kiln", { device_class: "power", state_topic: "k" }]], ["power"]],
	["a thing with the device's own name is called what it is", [["light", "kiln", LIGHT]], ["light", "brightness"]],
	["of two such entities each has its name before the word", [["light", "upper", LIGHT], ["light", "lower", LIGHT]], ["upper", "upper.brightness", "lower", "lower.brightness"]],
	["a word that another point has gets the entity's name", [["sensor", "brightness", { state_topic: "k" }], ["light", "lamp", LIGHT]], ["brightness", "lamp", "lamp.brightness"]],
	["of two entities with one name the second gets its component", [["switch", "power", { state_topic: "k" }], ["sensor", "power", { state_topic: "k" }]], ["power_switch", "power"]],
	["letters of all alphabets stay", [["sensor", "Wärme Küche", { state_topic: "k" }]], ["wärme_küche"]],
];
for (const [what, configs, points] of NAMED) {
	test(`point names: ${what}, in any order`, () => {
		for (const order of [configs, [...configs].reverse()]) {
			const ha = new HomeAssistant();
			let names: string[] = [];
			for (const [component, object, config] of order) names = Object.keys(ha.hear(message(topicOf(component, object), { device, ...config }))?.announced?.[0]?.points ?? {});
			assert.deepEqual(names.sort(), [...points].sort());
		}
	});
}

test("what of a config cannot be used is named, once, and the rest of it is used", () => {
	const ha = new HomeAssistant();
	const meaning = ha.hear(message(topicOf("climate", "c"), { device, current_temperature_topic: "k/ct", current_temperature_template: "{{ states('x') }}", temperature_command_topic: "k/+/set", mode_command_topic: "k/m" }));
	assert.deepEqual(reasons(meaning), ["Cannot use current_temperature_template: it calls states() (climate c)", 'Cannot use temperature_command_topic: "k/+/set" is no topic (climate c)']);
	assert.deepEqual(Object.keys(meaning?.announced?.[0]?.points ?? {}), ["mode"]);
	assert.deepEqual(reasons(ha.hear(message(topicOf("sensor", "s"), { device, state_topic: "k/s", unit_of_measurement: "furlong" }))), ['Cannot use unit_of_measurement: the unit "furlong" is not known (sensor s)']);
});

test("entity_category makes a point a status, and an address of its own an identity", () => {
	const ha = new HomeAssistant();
	ha.hear(message(topicOf("sensor", "rssi"), { device, state_topic: "k/r", unit_of_measurement: "dBm", entity_category: "diagnostic" }));
	const points = ha.hear(message(topicOf("sensor", "ip"), { device, object_id: "kiln_ip", state_topic: "k/i", entity_category: "diagnostic" }))?.announced?.[0]?.points;
	assert.deepEqual([points?.["rssi"]?.category, points?.["ip"]?.category], ["status", "identity"]);
});

test("command() throws for what is no point, is not writable, or has no such value; and knows nothing of other devices", () => {
	const ha = new HomeAssistant();
	ha.hear(message(topicOf("sensor", "a"), { device, state_topic: "k/a" }));
	ha.hear(message(topicOf("number", "n"), { device, command_topic: "k/n" }));
	assert.throws(() => ha.command("kiln-7", "zz", true), { fault: "unknown-point" });
	assert.throws(() => ha.command("kiln-7", "a", true), { fault: "not-writable" });
	assert.throws(() => ha.command("kiln-7", "n", "many"), { fault: "bad-value" });
	assert.equal(ha.command("somebody", "a", true), undefined);
});

test("entities() says what was declared", () => {
	const ha = new HomeAssistant();
	ha.hear(message(topicOf("switch", "test"), { "~": "room/relay", uniq_id: "relay_1", stat_t: "~/state", cmd_t: "~/set" }));
	assert.deepEqual(ha.entities(), [{ component: "switch", device: "relay_1", object_id: "test", unique_id: "relay_1", state_topic: "room/relay/state", command_topic: "room/relay/set", points: ["test"] }]);
});

test("the short keys are those of Home Assistant", () => {
	const rows: readonly (readonly [string, string])[] = [["stat_t", "state_topic"], ["pl_arm_nite", "payload_arm_night"], ["hum_state_tpl", "target_humidity_state_template"], ["fanspd_lst", "fan_speed_list"], ["pr_mode_val_tpl", "preset_mode_value_template"], ["clr_temp_k", "color_temp_kelvin"], ["evt_typ", "event_types"], ["l_ver_t", "latest_version_topic"], ["def_ent_id", "default_entity_id"], ["pos", "reports_position"]];
	for (const [short, long] of rows) assert.equal(longKey(short), long);
	assert.equal(longKey("constructor"), undefined);
});

test("a device config of too many components is cut, and named", () => {
	const cmps = Object.fromEntries(Array.from({ length: 600 }, (_, i) => [`c${i}`, { p: "sensor", stat_t: `k/${i}` }]));
	const meaning = new HomeAssistant().hear(message("homeassistant/device/x/config", { dev: { ids: "x" }, cmps }));
	assert.equal(Object.keys(meaning?.announced?.[0]?.points ?? {}).length, 500);
	assert.match(reasons(meaning).join(), /it has more than 500 components/);
});

test("a device of too many entities is cut, and named, whatever they are called", () => {
	const ha = new HomeAssistant();
	const started = process.hrtime.bigint();
	let last;
	for (let i = 0; i <= 600; i++) last = ha.hear(message(topicOf("sensor", `s${i}`), { device, object_id: "same", state_topic: `k/${i}` }));
	assert.match(reasons(last).join(), /Cannot take another entity of "kiln-7": it has 600 already/);
	assert.equal(Object.keys(last?.announced?.[0]?.points ?? {}).length, 600);
	assert.ok(Number(process.hrtime.bigint() - started) < 10e9);
});

test("hear() throws nothing for damaged configs and states", () => {
	const chance = new Chance(5);
	const seeds = [
		message(topicOf("light", "l"), { device, schema: "json", ...LIGHT, supported_color_modes: ["rgb"], effect_list: ["a"], availability: [{ topic: "k/up", value_template: "{{ value_json.state }}" }] }),
		message(topicOf("climate", "c"), { device, temperature_state_topic: "k/s", temperature_state_template: "{{ value_json.t|float }}", modes: ["a"], min_temp: "5", mode_command_topic: "k/m", mode_state_topic: "k/s" }),
		message("homeassistant/device/d/config", { dev: device, o: {}, "~": "k", stat_t: "~/s", cmps: { a: { p: "sensor", val_tpl: "{{ value_json.a[0] }}" }, b: { p: "cover", pos_t: "~/s", set_pos_t: "~/c" }, c: { p: "update" } } }),
		message("k/s", { state: "ON", t: 5, a: [1], color: { r: 1, g: 2, b: 3 } }), message("k/up", { state: "online" }),
	];
	const ha = new HomeAssistant();
	for (let run = 0; run < RUNS; run++) {
		const seed = chance.pick(seeds);
		ha.hear({ ...seed, payload: chance.int(4) === 0 ? seed.payload : mutate(chance, seed.payload), retained: chance.int(2) === 0 });
		for (const { device: address, points } of run % 50 === 0 ? ha.entities() : []) {
			for (const point of points) {
				try {
					ha.command(address, point, chance.pick([true, "a", "50", { text: "5", number: 5 }]));
				} catch (error) {
					assert.ok(error instanceof Error && "fault" in error, String(error));
				}
			}
		}
	}
});

test("a config that is said again, as a broker does with each new session, says nothing new", () => {
	const ha = new HomeAssistant();
	const [topic, config] = [topicOf("sensor", "temp"), { device, state_topic: "kiln/t", name: "T" }];
	assert.equal(ha.hear(message(topic, config, true))?.announced?.length, 1);
	assert.deepEqual(ha.hear(message(topic, config, true)), {});
	assert.deepEqual(readings(ha.hear(message("kiln/t", "5"))), { temp: "5" });
	assert.equal(ha.hear(message(topic, { ...config, name: "U" }, true))?.announced?.length, 1);
	assert.deepEqual(ha.hear(message(topic, "", true))?.gone, ["kiln-7"]);
	assert.equal(ha.hear(message(topic, config, true))?.announced?.length, 1);
});

test("a device keeps at most 64 names, however often its config brings others", () => {
	const ha = new HomeAssistant();
	let aliases = 0;
	for (let at = 0; at < 100; at++) aliases = ha.hear(message(topicOf("sensor", "temp"), { device: { ...device, identifiers: ["kiln-7", `other-${at}`] }, state_topic: "kiln/t" }))?.announced?.[0]?.aliases?.length ?? 0;
	assert.equal(aliases, 64);
});
