// The gateway is away, and its broker keeps what devices say meanwhile. Those that are announced by retained messages are known only
// after what was kept has been delivered: it must be in the journal all the same.

import assert from "node:assert/strict";
import { afterEach, describe, test } from "node:test";
import { newGateway } from "./gateway-process.js";
import { startMosquitto } from "./servers/mosquitto.js";
import { freePort, waitUntil } from "./servers/processes.js";
import { DOMAIN, missing, SECRET } from "./site.js";
import { POINT } from "./soak/fleet.js";
import { readJournal } from "./soak/journal.js";
import { startMqttDevice } from "./mqtt-device.js";

interface Row {
	readonly convention: string;
	/** Retained: what announces the device. */
	readonly announced: readonly (readonly [topic: string, payload: string])[];
	readonly topic: string;
	readonly payload: (code: number) => string;
}

const rows: readonly Row[] = [
	{
		convention: "zigbee2mqtt",
		announced: [
			["zigbee2mqtt/bridge/state", "{\"state\":\"online\"}"],
			["zigbee2mqtt/bridge/devices", JSON.stringify([{
				ieee_address: "0x00158d0000000001", friendly_name: "Counter", type: "EndDevice", supported: true, interview_completed: true,
				definition: { vendor: "Acme", model: "COUNTER-1", description: "Counter", exposes: [{ type: "numeric", name: POINT, property: POINT, access: 1 }] },
			}])],
		],
		topic: "zigbee2mqtt/Counter", payload: (code) => `{"${POINT}":${code}}`,
	},
	{
		convention: "homeassistant",
		announced: [["homeassistant/sensor/acme1/config", JSON.stringify({ name: POINT, object_id: POINT, unique_id: "acme1_count", state_topic: "acme/1/state", value_template: `{{ value_json.${POINT} }}`, device: { identifiers: ["acme1"], name: "Counter" } })]],
		topic: "acme/1/state", payload: (code) => `{"${POINT}":${code}}`,
	},
	{
		convention: "homie",
		announced: [
			["homie/acme2/$homie", "4.0.0"], ["homie/acme2/$name", "Counter"], ["homie/acme2/$nodes", "meter"], ["homie/acme2/meter/$name", "Meter"], ["homie/acme2/meter/$type", "meter"],
			["homie/acme2/meter/$properties", POINT], [`homie/acme2/meter/${POINT}/$name`, POINT], [`homie/acme2/meter/${POINT}/$datatype`, "integer"], ["homie/acme2/$state", "ready"],
		],
		topic: `homie/acme2/meter/${POINT}`, payload: String,
	},
];
/** More than one of each device, and fewer than the broker sends without an acknowledgement. */
const KEPT = 15;

describe("what a broker kept while the gateway was away", { skip: missing("mosquitto") }, () => {
	const ends: (() => unknown)[] = [];
	afterEach(async () => {
		for (const end of ends.splice(0).reverse()) await end();
	});

	for (const { convention, announced, topic, payload } of rows) {
		for (const how of ["was stopped", "was killed"] as const) {
			test(`is in the journal, once each, when it ${how}: ${convention}`, async () => {
				const broker = await startMosquitto();
				ends.push(broker.stop);
				const device = await startMqttDevice(broker.url);
				ends.push(device.stop);
				for (const [at, text] of announced) await device.say(at, text, true);
				const gateway = await newGateway({
					uplink: { domain: DOMAIN, port: await freePort(), secret: SECRET },
					links: [{ id: "farm", kind: "mqtt", url: broker.url, conventions: [convention] }],
					more: { history: { flush: "1s" } },
				});
				ends.push(gateway.remove);
				const codes = (): number[] => readJournal(gateway.dataFolder).map(({ code }) => code).filter((code) => code > 100).sort((a, b) => a - b);
				await gateway.start();
				await gateway.log(/^Found /);
				let code = 1_000;
				await waitUntil("the first readings", async () => {
					await device.say(topic, payload(code += 1));
					return codes().length > 2;
				}, { withinMs: 15_000 });
				const before = new Set(codes());
				if (how === "was stopped") await gateway.stop();
				else await gateway.kill();
				const kept = Array.from({ length: KEPT }, (_, at) => 2_000 + at);
				for (const each of kept) await device.say(topic, payload(each));
				await gateway.start();
				await waitUntil("a reading after the restart", async () => {
					await device.say(topic, payload(code += 1));
					return codes().includes(code - 1) && !before.has(code - 1);
				}, { withinMs: 15_000 });
				assert.deepEqual(codes().filter((each) => each >= 2_000), kept);
			});
		}
	}
});
