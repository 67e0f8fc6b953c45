import assert from "node:assert/strict";
import { test } from "node:test";
import type { Announcement } from "../../../src/core/device.js";
import { judgeMessages } from "../../../src/decode-message.js";
import { buildConventions, CONVENTION_NAMES, isConventionName } from "../../../src/south/conventions/all.js";
import type { Message } from "../../../src/south/link.js";
import { message } from "./said.js";

test("buildConventions() without names makes all that are built, native ones before Home Assistant discovery", () => {
	const { conventions, notBuilt } = buildConventions();
	const names = conventions.map(({ name }) => name);
	assert.equal(names.at(-1), "homeassistant");
	assert.ok(names.includes("zigbee2mqtt"));
	assert.deepEqual(notBuilt, []);
});

test("buildConventions() makes those that are named, in its own order, and tells which are not built", () => {
	const { conventions, notBuilt } = buildConventions([...CONVENTION_NAMES, "homeassistant", "nonsense"]);
	const built = conventions.map(({ name }) => name);
	assert.deepEqual(built.slice(-2), ["homeassistant", "generic"]);
	assert.deepEqual([...built, ...notBuilt].sort(), [...CONVENTION_NAMES].sort());
	assert.deepEqual(buildConventions([]), { conventions: [], notBuilt: [] });
});

test("buildConventions() hands the options on", () => {
	const { conventions } = buildConventions(["homeassistant", "zigbee2mqtt"], { homeassistant: { prefix: "ha" }, zigbee2mqtt: { base: "zb" } });
	assert.deepEqual(conventions.flatMap((convention) => convention.filters()).sort(), ["ha/+/+/+/config", "ha/+/+/config", "zb/#"]);
});

test("isConventionName() knows every name and no other", () => {
	assert.ok(CONVENTION_NAMES.every(isConventionName));
	assert.ok(!isConventionName("zigbee"));
});

test("what announces itself is listened to in places of its own: no filter is of wildcards alone, and none of a beginning that is anybody's is open to its end", () => {
	for (const { name, filters } of buildConventions().conventions.map((convention) => ({ name: convention.name, filters: convention.filters() }))) {
		for (const filter of filters) {
			const words = filter.split("/").filter((level) => level !== "+" && level !== "#");
			assert.ok(words.length > 0, `${name}: ${filter}`);
			// `+/+/BTtoMQTT/#` is Theengs' own word; `+/status/#` would be anybody's.
			if (filter.startsWith("+/") && filter.endsWith("/#")) assert.match(filter, /toMQTT\/#$|\/rtl_433\/#$/, name);
		}
	}
});

test("a status that has a format of its own is not taken for a node's of ESPHome, even where messages are judged alone", () => {
	assert.deepEqual(judgeMessages([message("wled/shelf/status", "online")]).by, ["wled"]);
	assert.deepEqual(judgeMessages([message("node/status", "online")]).by, ["esphome"]);
});

/** Messages in which a sender's word stands wherever a sender may put one. */
function messagesWith(word: string): Message[] {
	return [
		message("homeassistant/device/x/config", { dev: { ids: ["x"] }, cmps: { [word]: { p: "sensor", name: word, state_topic: "q/r", unique_id: word } } }), message("q/r", "5"),
		message("zigbee2mqtt/bridge/devices", [{ ieee_address: "0x1", friendly_name: word, type: "Router", definition: { exposes: [{ type: "numeric", name: word, property: word, access: 1 }] } }]), message(`zigbee2mqtt/${word}`, { [word]: 5 }),
		message(`zwave/${word}/49/0/${word}`, { value: 5 }), message(`N/p/${word}/0/${word}`, { value: 5 }), message(`wled/${word}/g`, "5"), message(`owntracks/u/${word}`, { _type: "status", iOS: { [word]: 5 } }),
		message("msh/2/json/x/!0a0b0c0d", { id: 1, from: 1, type: "telemetry", payload: { [word]: 5 } }), message("frigate/stats", { detectors: { [word]: { inference_speed: 5 } }, cameras: { [word]: { camera_fps: 5 } } }),
		message(`home/g/BTtoMQTT/${word}`, { id: word, [word]: 5 }), message("rtl_433/h/events", { model: word, id: 1, [word]: 5 }), message(`rtl_433/h/devices/${word}/1/${word}`, "5"),
		message("v3/a@b/devices/d/up", { end_device_ids: { device_id: word }, uplink_message: { decoded_payload: { [word]: 5 } } }), message("application/1/device/0200000000000001/event/up", { object: { [word]: 5 } }),
		...["Cel", "K"].map((u) => message("senml/x", [{ bn: "a:", n: word, u, v: 5 }])), message("senml/x", [{ bn: `urn:dev:${word}:b:`, n: word, u: "Cel", v: 5 }]), message(`tele/${word}/SENSOR`, { [word]: { [word]: 5 } }), message(`shellies/${word}/relay/0`, "on"),
		message("shellyplus1-020000000001/events/rpc", { src: "shellyplus1-020000000001", method: "NotifyStatus", params: { [word]: { [word]: 5 }, "switch:0": { [word]: 5 } } }), message(`${word}/sensor/${word}/state`, "5"), message("x/y", `{"${word}":5}`), message(`x/${word}`, "5"),
	];
}

for (const word of ["__proto__", "constructor", "hasOwnProperty", "toString"]) {
	test(`a sender may name everything "${word}"`, () => {
		for (const convention of buildConventions(undefined, { guess: true }).conventions) {
			const devices = new Map<string, Announcement>();
			let points = 0;
			for (const one of messagesWith(word)) {
				const meaning = convention.hear(one);
				for (const device of meaning?.announced ?? []) {
					assert.ok(Object.values(device.points).every((point) => typeof point.kind === "string"), convention.name);
					devices.set(device.address.toLowerCase(), device);
				}
				for (const { address, point } of meaning?.told ?? []) {
					assert.ok(Object.hasOwn(devices.get(address.toLowerCase())?.points ?? {}, point), `${convention.name}: ${one.topic} tells ${point}`);
					points++;
				}
			}
			assert.ok(points > 0 || ["sparkplug", "ruuvi", "homie", "shelly-gen1"].includes(convention.name), convention.name);
		}
		assert.equal(Object.getOwnPropertyDescriptor(Object.prototype, "kind"), undefined);
	});
}

test("a description that names wildcards gets no command sent and no topic heard", () => {
	const { conventions } = buildConventions();
	const described = [
		message("tasmota/discovery/020000000001/config", { t: "+", ft: "%prefix%/%topic%/", tp: ["cmnd", "+", "#"], rl: [1], state: ["OFF", "ON"], mac: "020000000001" }), message("tasmota/discovery/020000000002/config", { t: "#", ft: "%topic%/%prefix%/", tp: ["cmnd", "stat", "tele"], rl: [1] }),
		message("homeassistant/switch/x/config", { command_topic: "+/switch/x/command", state_topic: "+/switch/x/state", device: { identifiers: ["020000000003"], manufacturer: "espressif" } }), message("homeassistant/button/x/config", { command_topic: "#/button/x/command", device: { identifiers: ["020000000003"], manufacturer: "espressif" } }),
		message("shellies/announce", { id: "+", model: "X" }), message("shellies/announce", { id: "a/b/#", model: "X" }),
	];
	const before = conventions.map((convention) => convention.filters().length);
	for (const convention of conventions) {
		for (const { announced = [], send = [] } of described.map((one) => convention.hear(one) ?? {})) {
			assert.deepEqual(send, [], convention.name);
			for (const { address, points } of announced) assert.deepEqual(Object.values(points).filter(({ access }) => access !== "r"), [], `${convention.name} ${address}`);
		}
	}
	assert.deepEqual(conventions.map((convention) => convention.filters().length), before);
});
