// What is wrong with what comes in is one kind of fault for each device, topic and reason: nothing that a sender can vary stands in where and reason.

import assert from "node:assert/strict";
import { connect } from "node:net";
import { describe, test } from "node:test";
import { type CountedFault, FaultCounter } from "../../../src/core/fault-counter.js";
import { GatewayError } from "../../../src/core/errors.js";
import { buildConventions, CONVENTION_NAMES } from "../../../src/south/conventions/all.js";
import type { Convention } from "../../../src/south/conventions/convention.js";
import type { Message } from "../../../src/south/link.js";
import { startBroker } from "../../../src/south/mqtt/broker.js";
import { MqttDialect } from "../../../src/south/mqtt/dialect.js";
import { type TopicRule, TopicRules } from "../../../src/south/mqtt/topics.js";
import { systemClock } from "../../../src/system-clock.js";
import { FakeClock } from "../../fakes/clock.js";

const FIELD: TopicRule = { match: "field/{id}", device: "{id}", points: { temp: { path: "temp", unit: "°C" }, mode: { kind: "enum", labels: ["heat", "off"], path: "mode" } }, availability: { topic: "field/{id}/lwt" } };

/** What the log says of these messages of one link. */
function linesOf(dialect: MqttDialect, messages: readonly (Pick<Message, "topic" | "payload"> & Partial<Message>)[]): CountedFault[] {
	const lines: CountedFault[] = [];
	const counter = new FaultCounter(new FakeClock(), (fault) => lines.push(fault));
	for (const message of messages) {
		for (const { where, reason, sample } of dialect.decode({ body: { kind: "message", retained: false, ...message }, received: 0, taken: () => undefined }).misfits ?? []) counter.count(where, reason, sample);
	}
	return lines;
}

const hundred = (of: (i: number) => string | Uint8Array): Uint8Array[] => Array.from({ length: 100 }, (_, i) => Buffer.from(of(i)));
const WHOLE = JSON.stringify({ temp: 21.5, mode: "heat", list: [1, 2, { "a key": "with a longer text in it, so that there are a hundred places to cut it" }], more: [true, null, "x"] });
/** Each is broken at another place. */
const CUT = hundred((i) => WHOLE.slice(0, i + 2));
/** Each has another character that does not belong there. */
const GARBLED = hundred((i) => `{"temp": ${String.fromCodePoint(0x4e00 + i)}${i}}`);
const DEEP = hundred((i) => "[".repeat(65 + i));
const LONG = [0, 1, 2].map((i) => Buffer.from(`[${" ".repeat(1_048_576 + i)}`));

describe("a hundred differently broken payloads of one device on one topic are one line", () => {
	const topicsOfSenders = ["field/a", "homeassistant/sensor/a/config", "zigbee2mqtt/bridge/devices", "tele/plug/SENSOR", "senml/a", "v1/devices/me/telemetry", "shellies/announce", "ruuvi/AA:BB:CC:DD:EE:FF/11:22:33:44:55:66", "rtl_433/a/events", "wled/a/v", "owntracks/romeo/phone", "N/0123456789ab/battery/0/Soc", "frigate/events", "msh/2/json/LongFast/!a1b2c3d4", "home/a/BTtoMQTT/112233445566", "v3/app@tenant/devices/a/up", "application/1/device/0123456789abcdef/event/up", "zwave/node/status"];
	for (const [what, payloads] of [["cut off", CUT], ["garbled", GARBLED], ["too deep", DEEP], ["too long", LONG]] as const) {
		for (const topic of topicsOfSenders) {
			test(`${what}, on ${topic}`, () => {
				const dialect = new MqttDialect(new TopicRules([FIELD]), buildConventions(CONVENTION_NAMES).conventions);
				const lines = linesOf(dialect, payloads.map((payload) => ({ topic, payload })));
				assert.ok(lines.length <= 1, lines.map(({ where, reason }) => `${where}: ${reason}`).join("\n"));
			});
		}
	}

	test("of topics that the config describes there is that one line, with the device and a sample", () => {
		const lines = linesOf(new MqttDialect(new TopicRules([FIELD]), []), CUT.map((payload) => ({ topic: "field/a", payload })));
		assert.deepEqual(lines.map(({ where, sample }) => [where, sample]), [["a", '{"']]);
	});

	const values: readonly (readonly [string, string, (i: number) => string, readonly (readonly [string, string])[]])[] = [
		["a number that is none", "field/a", (i) => `{"temp":"warm ${i}"}`, []],
		["a word that is none of the labels", "field/a", (i) => `{"mode":"dry ${i}"}`, []],
		["an availability that is neither", "field/a/lwt", (i) => `perhaps ${i}`, []],
		["a state that Homie does not know", "homie/a/$state", (i) => `odd-${i}`, [["homie/a/$homie", "4.0.0"]]],
		["a value that Homie cannot read", "homie/a/n/t", (i) => `warm ${i}`, [["homie/a/$homie", "4.0.0"], ["homie/a/$nodes", "n"], ["homie/a/n/$properties", "t"], ["homie/a/n/t/$datatype", "float"], ["homie/a/$state", "ready"]]],
		["a text that is too long", "homie/a/n/t", (i) => "x".repeat(9_000 + i), [["homie/a/$homie", "4.0.0"], ["homie/a/$nodes", "n"], ["homie/a/n/$properties", "t"], ["homie/a/n/t/$datatype", "string"], ["homie/a/$state", "ready"]]],
		["the error of a Shelly device", "jidway/rpc", (i) => JSON.stringify({ id: "shellyplus1-a", src: "shellyplus1-a", error: { code: -103, message: `no ${i}` } }), []],
		["a brightness of WLED", "wled/a/g", (i) => `bright ${i}`, [["wled/a/status", "online"], ["wled/a/c", "#FF8000"]]],
		["an advertisement that is none of Ruuvi's", "ruuvi/AA:BB:CC:DD:EE:FF/11:22:33:44:55:66", (i) => JSON.stringify({ data: `1BFF9904${(0x10 + i).toString(16)}${"00".repeat(i)}`, rssi: -60 }), []],
		["SenML that must be understood and is not", "senml/a", (i) => JSON.stringify([{ bn: "urn:dev:a", n: "t", v: 1, [`needed${i}_`]: 1 }]), []],
		["SenML of another version", "senml/a", (i) => JSON.stringify([{ bn: "urn:dev:a", bver: 100 + i, n: "t", v: 1 }]), []],
	];
	for (const [what, topic, payload, before] of values) {
		test(what, () => {
			const dialect = new MqttDialect(new TopicRules([FIELD]), buildConventions(CONVENTION_NAMES.filter((name) => name !== "generic")).conventions);
			for (const message of [{ topic: "field/a", payload: '{"temp":21,"mode":"heat"}' }, ...before.map(([at, said]) => ({ topic: at, payload: said }))]) linesOf(dialect, [{ topic: message.topic, payload: Buffer.from(message.payload) }]);
			const lines = linesOf(dialect, hundred(payload).map((each) => ({ topic, payload: each, ...(topic.startsWith("senml/") && { contentType: "application/senml+json" }) })));
			assert.deepEqual(lines.length, 1, lines.map(({ where, reason }) => `${where}: ${reason}`).join("\n") || "nothing was said");
		});
	}

	test("a Sparkplug payload of noise has as many lines as it can be broken in ways", () => {
		const field = (i: number): Uint8Array => Uint8Array.of(0x12, 100 + (i % 20), ...new Uint8Array(i % 17)); // metrics cut off
		const wire = (i: number): Uint8Array => Uint8Array.of(...[(i % 10) * 8 + 15 + 80, 1]); // wire type 7
		for (const noise of [field, wire]) {
			const lines = linesOf(new MqttDialect(new TopicRules([]), buildConventions(["sparkplug"]).conventions), hundred(noise).map((payload) => ({ topic: "spBv1.0/g/NDATA/n", payload })));
			assert.deepEqual(lines.length, 1, lines.map(({ where, reason }) => `${where}: ${reason}`).join("\n"));
		}
	});

	test("a convention that throws with what it was told", () => {
		const thrower: Convention = { name: "odd", filters: () => ["#"], command: () => undefined, hear: ({ payload }) => { throw new GatewayError("bad-payload", `Cannot read "${Buffer.from(payload).toString()}"`); } };
		const lines = linesOf(new MqttDialect(new TopicRules([]), [thrower]), CUT.map((payload) => ({ topic: "t", payload })));
		assert.deepEqual(lines.map(({ where, reason }) => [where, reason]), [["t", "is not understood by odd"]]);
		assert.match(lines[0]!.sample, /Cannot read/);
	});
});

describe("the embedded broker", () => {
	/** CONNECT of MQTT 3.1.1 with a user and a password; resolves when the broker has closed the connection. */
	async function login(port: number, clientId: string, password: string): Promise<Buffer> {
		const text = (said: string): Buffer => Buffer.concat([Buffer.from([said.length >> 8, said.length & 0xff]), Buffer.from(said)]);
		const body = Buffer.concat([text("MQTT"), Buffer.from([4, 0xc2, 0, 60]), text(clientId), text("romeo"), text(password)]);
		const socket = connect(port, "127.0.0.1");
		const answer: Buffer[] = [];
		socket.on("data", (chunk) => answer.push(chunk));
		socket.on("error", () => undefined);
		socket.write(Buffer.concat([Buffer.from([0x10, body.length]), body]));
		await new Promise((resolve) => socket.once("close", resolve));
		return Buffer.concat(answer);
	}

	test("a hundred refused logins from one address are one line, whatever they call themselves", async () => {
		const lines: CountedFault[] = [];
		const counter = new FaultCounter(new FakeClock(), (fault) => lines.push(fault));
		const broker = await startBroker({ id: "embedded", listen: "127.0.0.1:0", users: { romeo: "right" } }, systemClock, (where, reason, sample) => counter.count(where, reason, sample));
		try {
			for (let i = 0; i < 100; i += 10) {
				const answers = await Promise.all(Array.from({ length: 10 }, (_, each) => login(broker.port, `stranger-${i + each}`, `wrong-${i + each}`)));
				for (const answer of answers) assert.deepEqual([...answer], [0x20, 2, 0, 4]);
			}
			assert.deepEqual(lines.map(({ where, reason }) => [where, reason]), [["127.0.0.1", "wrong user name or password"]]);
			assert.match(lines[0]!.sample, /stranger-\d/);
			assert.doesNotMatch(JSON.stringify(counter.all()), /wrong-\d|right"/);
			assert.equal(counter.all()[0]!.count, 100);
		} finally {
			await broker.close();
		}
	});

	test("messages that are too large are one line, whatever their size and topic", async () => {
		const lines: CountedFault[] = [];
		const counter = new FaultCounter(new FakeClock(), (fault) => lines.push(fault));
		const broker = await startBroker({ id: "embedded", listen: "127.0.0.1:0" }, systemClock, (where, reason, sample) => counter.count(where, reason, sample));
		try {
			for (let i = 0; i < 5; i++) {
				const socket = connect(broker.port, "127.0.0.1");
				socket.on("error", () => undefined);
				socket.write(Buffer.from([0x30, 0x80 + i, 0x80, 0x80, 0x01, 0, 3, 0x74, 0x2f, 0x30 + i])); // PUBLISH of 2 MiB and i bytes on "t/i"
				socket.resume();
				await new Promise((resolve) => socket.once("close", resolve));
			}
			assert.deepEqual(lines.filter(({ reason }) => /large/.test(reason)).map(({ where, reason, sample }) => [where, reason, sample]), [["127.0.0.1", "a message is too large: at most 1048576 bytes are taken", '2097152 bytes on "t/0"']]);
		} finally {
			await broker.close();
		}
	});
});
