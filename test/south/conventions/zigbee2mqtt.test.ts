import assert from "node:assert/strict";
import { test } from "node:test";
import { Zigbee2Mqtt } from "../../../src/south/conventions/zigbee2mqtt.js";
import { Chance, mutate, RUNS } from "../../fakes/fuzz.js";
import { message, readings, reasons, sent, statesOf } from "./said.js";

const lamp = {
	ieee_address: "0xAA00000000000001", friendly_name: "kitchen/lamp", type: "Router", manufacturer: "Acme", model_id: "L-1", software_build_id: "2.10",
	definition: {
		model: "L1", vendor: "Acme Lights", description: "a lamp",
		exposes: [
			{
				type: "light", features: [
					{ type: "binary", name: "state", property: "state", access: 7, value_on: "ON", value_off: "OFF", value_toggle: "TOGGLE" },
					{ type: "numeric", name: "brightness", property: "brightness", access: 7, value_min: 0, value_max: 254 },
					{ type: "composite", name: "color_xy", property: "color", access: 7, features: [{ type: "numeric", name: "x", property: "x", access: 7 }, { type: "numeric", name: "y", property: "y", access: 7 }] },
					{ type: "composite", name: "color_hs", property: "color", access: 7, features: [{ type: "numeric", name: "hue", property: "hue", access: 7 }, { type: "numeric", name: "saturation", property: "saturation", access: 7 }] },
				],
			},
			{ type: "enum", name: "effect", property: "effect", access: 2, values: ["blink", "okay"] },
			{ type: "numeric", name: "linkquality", property: "linkquality", access: 1, unit: "lqi", value_min: 0, value_max: 255 },
		],
	},
};
const valve = {
	ieee_address: "0xaa00000000000002", friendly_name: "valve", type: "EndDevice",
	definition: {
		model: "V2", vendor: "Acme", exposes: [
			{ type: "climate", features: [{ type: "numeric", name: "occupied_heating_setpoint", property: "occupied_heating_setpoint", access: 7, unit: "°C", value_min: 5, value_max: 30, value_step: 0.5, label: "Setpoint" }, { type: "enum", name: "system_mode", property: "system_mode", access: 7, values: ["heat", "off"] }] },
			{ type: "binary", name: "child_lock", property: "child_lock", access: 3, value_on: "LOCK", value_off: "UNLOCK" },
			{ type: "binary", name: "contact", property: "contact", access: 1, value_on: false, value_off: true },
			{ type: "numeric", name: "calibration", property: "calibration", access: 6, unit: "°C" },
			{ type: "enum", name: "action", property: "action", access: 1, values: ["single", "double"] },
			{ type: "list", name: "schedule", property: "schedule", access: 3, item_type: { type: "numeric" } },
			{ type: "text", name: "note", property: "note", access: 3 },
			{ type: "numeric", name: "odd", property: "odd", access: 1, unit: "furlong" },
			{ type: "switch", endpoint: "left", features: [{ type: "binary", name: "state", property: "state_left", endpoint: "left", access: 7, value_on: "ON", value_off: "OFF" }] },
			{ type: "enum", name: "speed", property: "speed", access: 3, values: [1, 2] },
			{ type: "numeric", name: "battery", property: "battery", access: 1, unit: "%", category: "diagnostic" },
			{ type: "numeric", name: "secret", property: "secret", access: 0 },
			{ type: "mystery", property: "mystery", access: 1 },
		],
	},
};
const coordinator = { ieee_address: "0xaa00000000000000", friendly_name: "Coordinator", type: "Coordinator", definition: null };
const DEVICES = message("zigbee2mqtt/bridge/devices", [coordinator, lamp, valve], true);

function known(): Zigbee2Mqtt {
	const z2m = new Zigbee2Mqtt();
	z2m.hear(DEVICES);
	return z2m;
}

test("bridge/devices announces every device but the coordinator, with its points", () => {
	const meaning = new Zigbee2Mqtt().hear(DEVICES);
	assert.deepEqual(meaning?.announced?.map(({ address, name, aliases, manufacturer, model, firmware, type }) => ({ address, name, aliases, manufacturer, model, firmware, type })), [
		{ address: "0xAA00000000000001", name: "kitchen/lamp", aliases: ["zigbee2mqtt/kitchen/lamp"], manufacturer: "Acme Lights", model: "L1", firmware: "2.10", type: "light" },
		{ address: "0xaa00000000000002", name: "valve", aliases: ["zigbee2mqtt/valve"], manufacturer: "Acme", model: "V2", firmware: undefined, type: "climate" },
	]);
	assert.deepEqual(meaning?.announced?.[0]?.points, {
		"state": { kind: "boolean", access: "rw" },
		"brightness": { kind: "numeric", access: "rw", min: 0, max: 254 },
		"color.x": { kind: "numeric", access: "rw" }, "color.y": { kind: "numeric", access: "rw" }, "color.hue": { kind: "numeric", access: "rw" }, "color.saturation": { kind: "numeric", access: "rw" },
		"effect": { kind: "enum", access: "w", labels: ["blink", "okay"] },
		"linkquality": { kind: "numeric", access: "r", category: "status", unit: "lqi", min: 0, max: 255 },
	});
	assert.deepEqual(meaning?.announced?.[1]?.points["occupied_heating_setpoint"], { kind: "numeric", access: "rw", label: "Setpoint", unit: "°C", min: 5, max: 30, step: 0.5 });
	assert.deepEqual(meaning?.announced?.[1]?.points["speed"], { kind: "enum", access: "rw", labels: ["1", "2"] });
	assert.deepEqual(Object.keys(meaning?.announced?.[1]?.points ?? {}), ["occupied_heating_setpoint", "system_mode", "child_lock", "contact", "calibration", "action", "schedule", "note", "odd", "state_left", "speed", "battery"]);
	assert.deepEqual(reasons(meaning), ['Cannot use the unit "furlong" of "odd": it is not known']);
});

const HEARD: readonly (readonly [what: string, topic: string, payload: unknown, told: Record<string, string | boolean>])[] = [
	["a state", "kitchen/lamp", '{"state":"ON","brightness":50,"color":{"x":0.30,"y":0.2},"linkquality":99,"update":{"state":"idle"}}', { "state": true, "brightness": "50", "color.x": "0.30", "color.y": "0.2", "linkquality": "99" }],
	["a part of a state", "kitchen/lamp", { brightness: 51 }, { brightness: "51" }],
	["nulls", "valve", { occupied_heating_setpoint: null, system_mode: null, contact: null, note: null }, {}],
	["words for truths", "valve", { child_lock: "UNLOCK", contact: false, state_left: "ON" }, { child_lock: false, contact: false, state_left: true }],
	["numbers in quotes", "valve", { occupied_heating_setpoint: "21.50" }, { occupied_heating_setpoint: "21.50" }],
	["a list and a number as label", "valve", '{"schedule":[1,2.50],"speed":2}', { schedule: "[1,2.50]", speed: "2" }],
	["an action", "valve", { action: "single" }, { action: "single" }],
	["an empty action", "valve", { action: "" }, {}],
	["an attribute", "valve/occupied_heating_setpoint", "21.50", { occupied_heating_setpoint: "21.50" }],
	["an attribute that is a word", "valve/child_lock", "LOCK", { child_lock: true }],
	["an attribute that is a truth", "valve/contact", "true", { contact: true }],
	["a nested attribute", "kitchen/lamp/color-x", "0.5", { "color.x": "0.5" }],
	["an attribute that nobody knows", "valve/mystery", "5", {}],
	["a device by its address", "0xAA00000000000001", { state: "OFF" }, { state: false }],
	["an empty state", "valve", "", {}],
];
for (const [what, topic, payload, told] of HEARD) {
	test(`hear() understands ${what}`, () => {
		const meaning = known().hear(message(`zigbee2mqtt/${topic}`, payload));
		assert.deepEqual(readings(meaning), told);
		assert.deepEqual(reasons(meaning), []);
	});
}

for (const topic of ["valve/set", "valve/get", "valve/set/child_lock", "kitchen/lamp/set", "bridge/logging", "bridge/response/device/rename", "bridge/info", "bridge/event", "bridge/request/permit_join", "unknown/thing"]) {
	test(`hear() takes nothing from ${topic}`, () => assert.deepEqual(known().hear(message(`zigbee2mqtt/${topic}`, { state: "ON", child_lock: "LOCK" })), {}));
}

test("hear() leaves other topics to others", () => {
	for (const topic of ["zigbee2mqtt", "zigbee2mqttx/valve", "home/valve"]) assert.equal(known().hear(message(topic, "{}")), undefined);
	const other = new Zigbee2Mqtt({ base: "home/zb" });
	assert.deepEqual(other.filters(), ["home/zb/#"]);
	assert.equal(other.hear(message("home/zb/bridge/devices", [lamp]))?.announced?.length, 1);
});

test("a live message is a sign of life, a retained one is none; and a retained action is none", () => {
	const z2m = known();
	assert.deepEqual(z2m.hear(message("zigbee2mqtt/valve", {}))?.heard, ["0xaa00000000000002"]);
	const retained = z2m.hear(message("zigbee2mqtt/valve", { action: "single", battery: 5 }, true));
	assert.deepEqual([retained?.heard, readings(retained)], [undefined, { battery: "5" }]);
});

test("what does not fit is named, and the rest is taken", () => {
	const meaning = known().hear(message("zigbee2mqtt/valve", { occupied_heating_setpoint: "warm", contact: "ajar", battery: 80 }));
	assert.deepEqual([readings(meaning), reasons(meaning)], [{ battery: "80" }, ['Cannot read "occupied_heating_setpoint": not a number', 'Cannot read "contact": neither true nor false']]);
	assert.match(reasons(known().hear(message("zigbee2mqtt/valve", "{oops"))).join(), /Cannot read JSON/);
	assert.match(reasons(known().hear(message("zigbee2mqtt/bridge/devices", "{}"))).join(), /is no list/);
});

for (const [last_seen, at] of [["2026-01-01T01:00:00+01:00", Date.UTC(2026, 0, 1)], ["2026-01-01T00:00:00.000Z", Date.UTC(2026, 0, 1)], [Date.UTC(2026, 0, 1), Date.UTC(2026, 0, 1)], ["2026-01-01T00:00:00", undefined], [12, undefined], ["yesterday", undefined], [null, undefined]] as const) {
	test(`last_seen ${String(last_seen)} is the time of the reading where it can be one`, () => assert.equal(known().hear(message("zigbee2mqtt/valve", { battery: 5, last_seen }))?.told?.[0]?.at, at));
}

test("availability has two forms", () => {
	const z2m = known();
	assert.deepEqual(statesOf(z2m.hear(message("zigbee2mqtt/valve/availability", "offline", true))), { "0xaa00000000000002": "offline" });
	assert.deepEqual(statesOf(z2m.hear(message("zigbee2mqtt/kitchen/lamp/availability", { state: "online" }, true))), { "0xAA00000000000001": "online" });
	assert.deepEqual(z2m.hear(message("zigbee2mqtt/valve/availability", "perhaps")), {});
});

test("nothing is there while the bridge is offline, and all is as it was when it returns", () => {
	const z2m = known();
	assert.deepEqual(z2m.hear(message("zigbee2mqtt/bridge/state", "online")), {});
	z2m.hear(message("zigbee2mqtt/valve/availability", "offline"));
	const down = z2m.hear(message("zigbee2mqtt/bridge/state", { state: "offline" }));
	assert.deepEqual(down?.states?.map(({ state, reason }) => `${state}: ${reason}`), ["offline: the bridge is offline", "offline: the bridge is offline"]);
	assert.deepEqual(statesOf(z2m.hear(message("zigbee2mqtt/kitchen/lamp/availability", "online"))), { "0xAA00000000000001": "offline" });
	assert.deepEqual(statesOf(z2m.hear(message("zigbee2mqtt/bridge/state", "online"))), { "0xAA00000000000001": "online", "0xaa00000000000002": "offline" });
});

test("devices that are named while the bridge is offline are offline", () => {
	const z2m = new Zigbee2Mqtt();
	z2m.hear(message("zigbee2mqtt/bridge/state", "offline", true));
	assert.deepEqual(statesOf(z2m.hear(DEVICES)), { "0xAA00000000000001": "offline", "0xaa00000000000002": "offline" });
});

test("what came before the list waits for it", () => {
	const z2m = new Zigbee2Mqtt();
	assert.deepEqual(z2m.hear(message("zigbee2mqtt/valve", { battery: 77 }, true)), {});
	assert.deepEqual(z2m.hear(message("zigbee2mqtt/valve/availability", "offline", true)), {});
	const meaning = z2m.hear(DEVICES);
	assert.deepEqual([readings(meaning), statesOf(meaning), meaning?.heard], [{ battery: "77" }, { "0xaa00000000000002": "offline" }, undefined]);
	assert.deepEqual(readings(z2m.hear(DEVICES)), {});
});

test("a retained state that waited does not look new with a live list", () => {
	const z2m = new Zigbee2Mqtt();
	z2m.hear(message("zigbee2mqtt/valve", { battery: 77 }, true));
	assert.deepEqual(readings(z2m.hear({ ...DEVICES, retained: false })), {});
});

test("a list that says the same announces nothing; a new name, a new device and a lost one are told", () => {
	const z2m = known();
	assert.equal(z2m.hear(DEVICES)?.announced, undefined);
	const next = z2m.hear(message("zigbee2mqtt/bridge/devices", [{ ...lamp, friendly_name: "hall lamp" }, { ...valve, ieee_address: "0xaa03", friendly_name: "0xaa03" }]));
	assert.deepEqual([next?.announced?.map(({ address, name }) => `${address} ${name ?? "-"}`), next?.gone], [["0xAA00000000000001 hall lamp", "0xaa03 -"], ["0xaa00000000000002"]]);
	assert.deepEqual(readings(z2m.hear(message("zigbee2mqtt/hall lamp", { state: "ON" }))), { state: true });
	assert.deepEqual(readings(z2m.hear(message("zigbee2mqtt/kitchen/lamp", { state: "ON" }))), {});
	assert.deepEqual(sent(z2m, "0xAA00000000000001", "state", true), ['zigbee2mqtt/hall lamp/set {"state":"ON"}']);
});

test("a group is a device that has what its members are", () => {
	const z2m = known();
	const meaning = z2m.hear(message("zigbee2mqtt/bridge/groups", [{ id: 4, friendly_name: "all lamps", members: [{ ieee_address: "0xaa00000000000001", endpoint: 1 }, { ieee_address: "0xgone" }] }, { id: 5, friendly_name: "none", members: [] }]));
	assert.deepEqual(meaning?.announced?.map(({ address, name, type, points }) => [address, name, type, Object.keys(points)]), [["group_4", "all lamps", "light", ["state", "brightness", "color.x", "color.y", "color.hue", "color.saturation"]], ["group_5", "none", undefined, []]]);
	assert.deepEqual(readings(z2m.hear(message("zigbee2mqtt/all lamps", { state: "OFF" }))), { state: false });
	assert.deepEqual(sent(z2m, "group_4", "brightness", 9), ['zigbee2mqtt/all lamps/set {"brightness":9}']);
	assert.deepEqual(z2m.hear(DEVICES)?.gone, undefined);
	assert.deepEqual(z2m.hear(message("zigbee2mqtt/bridge/groups", []))?.gone, ["group_4", "group_5"]);
});

const COMMANDS: readonly (readonly [address: string, point: string, value: boolean | string | number, messages: readonly string[] | RegExp])[] = [
	["0xaa00000000000001", "state", true, ['zigbee2mqtt/kitchen/lamp/set {"state":"ON"}']],
	["0xAA00000000000001", "STATE", false, ['zigbee2mqtt/kitchen/lamp/set {"state":"OFF"}']],
	["0xaa00000000000001", "effect", "blink", ['zigbee2mqtt/kitchen/lamp/set {"effect":"blink"}']],
	["0xaa00000000000001", "color.x", 0.25, ['zigbee2mqtt/kitchen/lamp/set {"color":{"x":0.25}}']],
	["zigbee2mqtt/valve", "child_lock", true, ['zigbee2mqtt/valve/set {"child_lock":"LOCK"}']],
	["0xaa00000000000002", "occupied_heating_setpoint", 21.5, ['zigbee2mqtt/valve/set {"occupied_heating_setpoint":21.5}']],
	["0xaa00000000000002", "occupied_heating_setpoint", 31, /takes 5 to 30 °C/],
	["0xaa00000000000002", "calibration", 1, ['zigbee2mqtt/valve/set {"calibration":1}', 'zigbee2mqtt/valve/get {"calibration":""}']],
	["0xaa00000000000002", "speed", "2", ['zigbee2mqtt/valve/set {"speed":2}']],
	["0xaa00000000000002", "schedule", "[1,2.50]", ['zigbee2mqtt/valve/set {"schedule":[1,2.50]}']],
	["0xaa00000000000002", "schedule", "[1", /it takes JSON/],
	["0xaa00000000000002", "note", 'say "hi"', ['zigbee2mqtt/valve/set {"note":"say \\"hi\\""}']],
	["0xaa00000000000002", "contact", true, /it is read-only/],
	["0xaa00000000000002", "nothing", true, /Cannot find "nothing"/],
	["valve", "note", "x", []],
];
for (const [address, point, value, messages] of COMMANDS) {
	test(`command() of ${point} := ${String(value)} to ${address}`, () => {
		if (messages instanceof RegExp) assert.throws(() => sent(known(), address, point, value), messages);
		else assert.deepEqual(sent(known(), address, point, value), messages);
	});
}

test("a colour is told whole, with what its other half last was", () => {
	const z2m = known();
	z2m.hear(message("zigbee2mqtt/kitchen/lamp", { color: { x: 0.3, y: 0.4, hue: 20, saturation: 90 } }));
	assert.deepEqual(sent(z2m, "0xaa00000000000001", "color.x", 0.25), ['zigbee2mqtt/kitchen/lamp/set {"color":{"x":0.25,"y":0.4}}']);
});

test("with `guess` a state alone makes a device, with the units that such states usually have", () => {
	const z2m = new Zigbee2Mqtt({ guess: true });
	const meaning = z2m.hear(message("zigbee2mqtt/hall", { temperature: 21.5, voltage: 3000, battery: 90, state: "ON", color: { x: 0.1 } }));
	const points = meaning?.announced?.[0]?.points ?? {};
	assert.deepEqual(Object.entries(points).map(([name, point]) => `${name} ${point.access} ${"unit" in point ? point.unit : point.kind}`), ["temperature r °C", "voltage r mV", "battery r %", "state rw enum", "color.x rw numeric"]);
	assert.deepEqual(readings(meaning), { "temperature": "21.5", "voltage": "3000", "battery": "90", "state": "ON", "color.x": "0.1" });
	assert.deepEqual(statesOf(z2m.hear(message("zigbee2mqtt/hall/availability", { state: "offline" }))), { hall: "offline" });
	assert.deepEqual(readings(z2m.hear(message("zigbee2mqtt/hall/power", "0"))), { power: "0" });
	assert.deepEqual(new Set(z2m.hear(DEVICES)?.gone), new Set(["hall"]));
});

test("hear() throws nothing for damaged lists and states, and a long list costs no more than its length", () => {
	const chance = new Chance(3);
	const seeds = [DEVICES, message("zigbee2mqtt/bridge/groups", [{ id: 1, friendly_name: "g", members: [{ ieee_address: "0xaa00000000000001" }] }]), message("zigbee2mqtt/kitchen/lamp", { state: "ON", color: { x: 1 }, last_seen: 5 }), message("zigbee2mqtt/valve/availability", { state: "online" }), message("zigbee2mqtt/bridge/state", "offline")];
	for (const guess of [false, true]) {
		const z2m = new Zigbee2Mqtt({ guess });
		for (let run = 0; run < RUNS / 4; run++) {
			const seed = chance.pick(seeds);
			z2m.hear({ ...seed, payload: chance.int(4) === 0 ? seed.payload : mutate(chance, seed.payload), retained: chance.int(2) === 0 });
		}
	}
	const many = message("zigbee2mqtt/bridge/devices", Array.from({ length: 900 }, (_, i) => ({ ...lamp, ieee_address: `0x${i}`, friendly_name: `lamp ${i}` })));
	const started = process.hrtime.bigint();
	assert.equal(new Zigbee2Mqtt().hear(many)?.announced?.length, 900);
	assert.ok(Number(process.hrtime.bigint() - started) < 2e9);
});

test("a list of more devices than a network has is cut, and named", () => {
	const many = message("zigbee2mqtt/bridge/devices", Array.from({ length: 2_001 }, (_, i) => ({ ieee_address: `0x${i}`, type: "Router" })));
	const meaning = new Zigbee2Mqtt().hear(many);
	assert.equal(meaning?.announced?.length, 2_000);
	assert.match(reasons(meaning).join(), /more than 2000/);
});
