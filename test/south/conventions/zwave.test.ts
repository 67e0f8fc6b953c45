import assert from "node:assert/strict";
import { test } from "node:test";
import { MOTION, PLUG, ZwaveUi } from "../../../firmware-sim/zwave-ui.js";
import { ZWave } from "../../../src/south/conventions/zwave.js";
import { TestBroker, until } from "../../firmware-sim/broker.js";
import { endures } from "./fuzzed.js";
import { Listener } from "./on-a-broker.js";
import { message, numeric, readings, reasons, sent, statesOf, toldBy } from "./said.js";

const AT = 1_700_000_000_000;

test("a value comes in three forms, on named and on numbered topics", () => {
	const rows: readonly (readonly [string, unknown, string, string | boolean, string | undefined])[] = [
		["attic/probe/sensor_multilevel/endpoint_1/Air_temperature", { time: AT, value: 19.5 }, "sensor_multilevel/1/Air_temperature", "19.5", "°C"],
		["attic/probe/sensor_multilevel/endpoint_1/Humidity", "41.0", "sensor_multilevel/1/Humidity", "41.0", "%"],
		["attic/probe/49/0/Illuminance", "120", "49/0/Illuminance", "120", "lx"],
		["pump/meter/endpoint_0/value/66049", { value: 55.25 }, "meter/0/value/66049", "55.25", "W"],
		["pump/50/0/value/66561", "231.5", "50/0/value/66561", "231.5", "V"],
		["pump/meter/endpoint_0/value/131073", "7", "meter/0/value/131073", "7", "m³"],
		["pump/meter/endpoint_0/value/66305", "7", "meter/0/value/66305", "7", undefined],
		["lamp/37/0/currentValue", "true", "37/0/currentValue", true, undefined],
		["lock/battery/endpoint_0/level", { time: AT, value: 80 }, "battery/0/level", "80", "%"],
		["remote/central_scene/endpoint_0/scene/001", { time: AT, value: 0 }, "central_scene/0/scene/001", "0", undefined],
	];
	for (const [topic, payload, point, value, unit] of rows) {
		const meaning = new ZWave().hear(message(`zwave/${topic}`, payload));
		assert.deepEqual(readings(meaning), { [point]: value }, topic);
		const what = meaning?.announced?.[0]?.points[point];
		assert.equal(what?.kind === "numeric" ? what.unit : undefined, unit, topic);
	}
});

test("the node is what stands before the class, with its location; the time is the value's own", () => {
	const meaning = new ZWave().hear(message("zwave/first floor/bath/sensor_multilevel/endpoint_0/Humidity", { time: AT, value: 55 }));
	assert.deepEqual(toldBy(meaning), { "zwave/first floor/bath sensor_multilevel/0/Humidity": "55" });
	assert.equal(meaning?.told?.[0]?.at, AT);
	assert.deepEqual(meaning?.heard, ["zwave/first floor/bath"]);
});

test("a whole description gives unit, label, range and access, and describes anew what was seen before", () => {
	const zwave = new ZWave();
	zwave.hear(message("zwave/valve/67/0/setpoint/1", "20.5"));
	const whole = { commandClass: 67, endpoint: 0, property: "setpoint", propertyKey: 1, unit: "°F", label: "Setpoint (Heating)", min: 40, max: 90, writeable: true, value: 68.5 };
	const meaning = zwave.hear(message("zwave/valve/67/0/setpoint/1", whole));
	assert.deepEqual(meaning?.announced?.[0]?.points, { "67/0/setpoint/1": { kind: "numeric", access: "rw", label: "Setpoint (Heating)", unit: "°F", min: 40, max: 90 } });
	const info = new ZWave();
	info.hear(message("zwave/probe/sensor_multilevel/endpoint_0/Air_temperature", "70.1"));
	const again = info.hear(message("zwave/probe/nodeinfo", { id: 3, values: { "49-0-Air temperature": { commandClass: 49, endpoint: 0, property: "Air temperature", unit: "°F", label: "Air" } } }));
	assert.deepEqual(again?.announced?.[0]?.points["sensor_multilevel/0/Air_temperature"], { kind: "numeric", access: "r", label: "Air", unit: "°F" });
});

test("members of a composite value are told each, and none of them is set", () => {
	const meaning = new ZWave().hear(message("zwave/bulb/51/0/currentColor", { time: AT, value: { red: 255, green: 0 } }));
	assert.deepEqual(readings(meaning), { "51/0/currentColor.red": "255", "51/0/currentColor.green": "0" });
	assert.ok(Object.values(meaning?.announced?.[0]?.points ?? {}).every(({ access }) => access === "r"));
});

test("status and node info say whether a node is there; one that sleeps is", () => {
	const rows: readonly (readonly [unknown, string | undefined])[] = [
		["true", "online"], ["false", "offline"], [{ value: true, status: "Alive" }, "online"], [{ value: true, status: "Asleep" }, "asleep"], [{ value: false, status: "Dead" }, "offline"], [{ status: "Dead" }, "offline"], [{ value: "?" }, undefined],
	];
	for (const [payload, state] of rows) assert.equal(statesOf(new ZWave().hear(message("zwave/a/status", payload)))["zwave/a"], state, JSON.stringify(payload));
	const info = new ZWave().hear(message("zwave/shed/motion/nodeinfo", { id: 9, name: "motion", manufacturer: "Acme", productLabel: "M-1", firmwareVersion: "1.10", status: "Asleep", available: true }));
	assert.deepEqual(statesOf(info), { "zwave/shed/motion": "asleep" });
	assert.deepEqual(readings(info), { id: "9", manufacturer: "Acme", productLabel: "M-1", firmwareVersion: "1.10", status: "Asleep" });
	assert.deepEqual([info?.announced?.[0]?.model, info?.announced?.[0]?.firmware], ["M-1", "1.10"]);
});

test("the gateway's own status holds for all nodes, and brings no dead one back", () => {
	const zwave = new ZWave();
	zwave.hear(message("zwave/a/status", "true"));
	zwave.hear(message("zwave/b/status", "false"));
	assert.deepEqual(statesOf(zwave.hear(message("zwave/_CLIENTS/ZWAVE_GATEWAY-x/status", { value: false }))), { "zwave/ZWAVE_GATEWAY-x": "offline", "zwave/a": "offline", "zwave/b": "offline" });
	assert.deepEqual(statesOf(zwave.hear(message("zwave/_CLIENTS/ZWAVE_GATEWAY-x/status", { value: true }))), { "zwave/ZWAVE_GATEWAY-x": "online", "zwave/a": "online" });
});

test("what is no reading tells nothing", () => {
	for (const [topic, payload] of [["zwave/a/lastActive", { value: AT }], ["zwave/a/37/0/targetValue/set", "true"], ["zwave/_EVENTS/x/node/value", "{}"], ["zwave/_CLIENTS/ZWAVE_GATEWAY-x/api/getNodes", "{}"], ["zwave/a/37/0/currentValue", ""], ["zwave/a/37/0/currentValue", { value: null }]] as const) {
		assert.equal(new ZWave().hear(message(topic, payload))?.told, undefined, topic);
	}
	assert.equal(new ZWave().hear(message("elsewhere/a/37/0/currentValue", "true")), undefined);
	assert.match(reasons(new ZWave().hear(message("zwave/a/nodeinfo", "[1]"))).join(), /no object/);
});

test("a command goes to the target of what is read", () => {
	const zwave = new ZWave();
	zwave.hear(message("zwave/lamp/switch_multilevel/endpoint_0/currentValue", "0"));
	assert.deepEqual(sent(zwave, "zwave/lamp", "switch_multilevel/0/currentValue", 42), ["zwave/lamp/switch_multilevel/endpoint_0/targetValue/set 42"]);
	assert.throws(() => zwave.command("zwave/lamp", "switch_multilevel/0/currentValue", numeric("100")), { fault: "bad-value" });
	assert.throws(() => zwave.command("zwave/lamp", "nothing", true), { fault: "unknown-point" });
	assert.equal(zwave.command("zwave/other", "x", true), undefined);
});

for (const payloads of ["time-value", "whole", "value"] as const) {
	for (const named of [true, false]) {
		test(`the simulated plug obeys, with payloads "${payloads}" on ${named ? "named" : "numbered"} topics`, async () => {
			const broker = await TestBroker.start();
			const site = await Listener.start(broker.url, new ZWave());
			const sim = new ZwaveUi({ url: broker.url, payloads, named, delay: 5 });
			try {
				await sim.start();
				const [plug, motion] = [`zwave/${PLUG.replace(" ", "_")}`, `zwave/${MOTION}`];
				const head = named ? ["switch_binary/0", "sensor_multilevel/0"] as const : ["37/0", "49/0"] as const;
				await until("the temperature", () => site.value(motion, `${head[1]}/Air_temperature`) === "21.5");
				assert.equal(site.availability(motion), "asleep");
				await site.set(plug, `${head[0]}/currentValue`, true);
				assert.equal(sim.state.on, true);
				await site.set(plug, `${head[0]}/currentValue`, false);
				sim.lose();
				await until("the plug to be gone", () => site.availability(plug) === "offline");
				await sim.crash();
				await until("the gateway to be gone", () => site.availability(motion) === "offline");
				assert.deepEqual(site.misfits, []);
			} finally {
				await sim.crash();
				await site.stop();
				await broker.stop();
			}
		});
	}
}

test("hear() endures noise", () => endures(() => new ZWave(), [
	message("zwave/a b/sensor_multilevel/endpoint_0/Air_temperature", { time: AT, value: 21.5 }), message("zwave/a b/37/0/currentValue", { commandClass: 37, endpoint: 0, property: "currentValue", value: true, writeable: true, unit: "x" }),
	message("zwave/a b/nodeinfo", { id: 3, status: "Alive", values: [{ commandClass: 49, endpoint: 0, property: "Air temperature", unit: "°C" }] }), message("zwave/a b/status", { value: true, status: "Asleep" }), message("zwave/_CLIENTS/ZWAVE_GATEWAY-x/status", { value: false }),
]));
