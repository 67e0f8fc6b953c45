import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { forPeople } from "../../src/cli/decode.js";
import { judgeMessages } from "../../src/decode-message.js";
import { answerLine, answerOf, judgeRecord } from "../../src/decode-record.js";
import { judgeSerial } from "../../src/decode-serial.js";
import { jsonText } from "../../src/south/conventions/payload.js";
import { isObject, parseJson } from "../../src/south/json.js";
import { message } from "../south/conventions/said.js";

function answer(record: object): Record<string, unknown> {
	return JSON.parse(answerLine(JSON.stringify(record)).text) as Record<string, unknown>;
}

test("a record is answered with device, readings, units and what can be set", () => {
	const got = answer({ id: "m1", transport: "mqtt", topic: "zigbee2mqtt/lamp", payload: '{"state":"ON","temperature":21.50}' });
	assert.deepEqual([got["id"], got["device"], got["by"]], ["m1", "lamp", ["zigbee2mqtt"]]);
	assert.deepEqual(got["fields"], [{ name: "state", value: "ON" }, { name: "temperature", value: 21.5, unit: "°C" }]);
	assert.deepEqual((got["controls"] as { name: string }[]).map(({ name }) => name), ["state"]);
});

test("digits are kept on the way out", () => {
	assert.match(answerLine('{"id":"m","transport":"mqtt","topic":"a/b/temperature","payload":"71.50"}').text, /"value":71\.50,/);
});

test("each record stands by itself, and what is to be heard first is not told", () => {
	const config = { topic: "homeassistant/sensor/probe/config", payload: '{"unique_id":"probe","name":"Outside","state_topic":"p/t","unit_of_measurement":"°F"}' };
	const state = { id: "m2", transport: "mqtt", topic: "p/t", payload: "70" };
	assert.deepEqual(answer({ ...state, before: [config] })["fields"], [{ name: "outside", value: 70, unit: "°F" }]);
	assert.notDeepEqual(answer(state)["by"], ["homeassistant"]);
	const described = answer({ id: "m3", ...config });
	assert.deepEqual((described["entities"] as object[]).map((one) => JSON.stringify(one)), ['{"component":"sensor","device":"probe","object_id":"probe","unique_id":"probe","state_topic":"p/t","points":["outside"]}']);
	assert.deepEqual(described["fields"], []);
});

test("a sequence is judged by what holds after its last message", () => {
	const got = answer({ id: "m", transport: "mqtt", topic: "wled/x/#", seq: [{ topic: "wled/x/g", payload: "5" }, { topic: "wled/x/g", payload: "9" }, { topic: "wled/x/status", payload: "offline" }] });
	assert.deepEqual((got["fields"] as { name: string; value: unknown }[]).find(({ name }) => name === "global_brightness")?.value, 9);
	assert.equal(got["online"], false);
});

test("an empty config takes back, whether what it declared was heard or not", () => {
	const topic = "homeassistant/sensor/probe/config";
	assert.equal(answer({ id: "m", topic, payload: "" })["removed"], true);
	const entity = (object: string): object => ({ topic: `homeassistant/sensor/${object}/config`, payload: JSON.stringify({ unique_id: object, state_topic: `p/${object}`, device: { ids: "d1" } }) });
	assert.equal(answer({ id: "m", topic: "homeassistant/sensor/a/config", payload: "", before: [entity("a"), entity("b")] })["removed"], true);
	assert.equal("removed" in answer({ id: "m", ...entity("c"), before: [entity("a")] }), false);
});

test("a series in one message is told whole", () => {
	const got = answer({ id: "m", transport: "mqtt", topic: "a/b", content_type: "application/senml+json", payload: '[{"bn":"probe","n":"t","u":"Cel","v":1,"t":1700000000},{"n":"t","u":"Cel","v":2,"t":1700000060}]' });
	assert.deepEqual((got["fields"] as { value: number; time: string }[]).map(({ value, time }) => [value, time]), [[1, "2023-11-14T22:13:20.000Z"], [2, "2023-11-14T22:14:20.000Z"]]);
});

test("serial records name their protocol", () => {
	assert.deepEqual(answer({ id: "m", transport: "serial", family: "text-lines", line: "a=21.5 b=40" })["fields"], [{ name: "a", value: 21.5 }, { name: "b", value: 40 }]);
	assert.deepEqual(answer({ id: "m", transport: "serial", family: "text-lines", line: '{"t":1}' })["fields"], [{ name: "t", value: 1 }]);
	assert.deepEqual(answer({ id: "m", transport: "serial", family: "modbus-rtu", frame_hex: "01 04 02 ff 38 00 00", request_hex: "01 04 00 02 00 01 90 0a" })["fields"], []); // its checksum is wrong
	assert.match(String(answer({ id: "m", transport: "serial", family: "telepathy", line: "x" })["error"]), /none of the protocols/);
});

test("a Modbus answer is understood with its question and a register map", () => {
	const registers = [{ name: "level", address: 2, type: "int16", unit: "cm", scale: 0.1 }];
	const judged = judgeSerial("modbus-rtu", { bytes: Buffer.from("010402ff38f912", "hex"), request: Buffer.from("010400020001900a", "hex"), registers });
	const text = jsonText(answerOf(judged));
	assert.match(text, /"device":"1".*"name":"level","value":-20\.0,"unit":"cm"/);
});

test("what is no record is an answer with an error", () => {
	for (const line of ["", "{", "[]", "5", '{"transport":"serial"}', '{"transport":"mqtt"}', '{"topic":"a","payload_hex":"0g"}', '{"family":"lines"}']) {
		const { text, good } = answerLine(line);
		assert.ok(!good && "error" in JSON.parse(text), line);
	}
});

test("judgeRecord() takes a record as its sender published it: live, whatever its retain flag", () => {
	const record = parseJson('{"topic":"zwave/a/37/0/currentValue","payload":"true","retain":true}');
	assert.ok(isObject(record));
	assert.deepEqual(judgeRecord(record).meanings[0]?.heard, ["zwave/a"]);
});

test("people read who took it, what it says, what can be set, and why not", () => {
	const rows: readonly (readonly [string, string, RegExp])[] = [
		["zwave/kitchen/49/0/Air_temperature", "21.5", /^Taken by zwave\n\nDevice zwave\/kitchen\n {2}49\/0\/Air_temperature +21\.5 °C/],
		["wled/x/status", "offline", /Device wled\/x \(.*\): offline[\s\S]*can be set:[\s\S]*global_brightness +0 to 255[\s\S]*No reading: it says whether the device is there/],
		["N/p/grid/30/Ac/Power", "{", /Not used:\n.*JSON[\s\S]*No reading: what it carries could not be used/],
		["$SYS/broker/uptime", "5", /^Taken by nobody\n\nNo reading: no convention knows/],
		["wled/x/api", "FX=1", /^Taken by wled[^\n]*\n\nNo reading: it is a command/],
	];
	for (const [topic, payload, expected] of rows) assert.match(forPeople(judgeMessages([message(topic, payload)])), expected, topic);
});

/** Run the program as a person does. */
async function jidway(args: readonly string[], input = ""): Promise<{ readonly code: number | null; readonly out: string; readonly err: string }> {
	const child = spawn(process.execPath, ["--import", "tsx", fileURLToPath(new URL("../../src/main.ts", import.meta.url)), "decode", ...args]);
	let [out, err] = ["", ""];
	child.stdout.on("data", (chunk: Buffer) => void (out += chunk.toString()));
	child.stderr.on("data", (chunk: Buffer) => void (err += chunk.toString()));
	child.stdin.end(input);
	const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
	return { code, out, err };
}

test("jidway decode: exit codes are 0, 1 for a line that is no record, 2 for options that do not go together", async () => {
	const [one, json, lines, broken, wrong] = await Promise.all([
		jidway(["--topic", "a/b/temperature", "--payload", "21.5"]), jidway(["--topic", "a/b/temperature", "--hex", "32312e35", "--json"]),
		jidway([], '{"id":"1","topic":"a/b/x","payload":"1"}\n\n{"id":"2","topic":"a/b/y","payload":"2"}\n'), jidway([], "nonsense\n"), jidway(["--line", "x"]),
	]);
	assert.deepEqual([one.code, one.out.includes("temperature  21.5 °C")], [0, true]);
	assert.deepEqual([json.code, (JSON.parse(json.out) as { device: string }).device], [0, "a/b"]);
	assert.deepEqual([lines.code, lines.out.trim().split("\n").map((line) => (JSON.parse(line) as { id: string }).id)], [0, ["1", "2"]]);
	assert.deepEqual([broken.code, "error" in (JSON.parse(broken.out) as object)], [1, true]);
	assert.deepEqual([wrong.code, wrong.out, /--protocol/.test(wrong.err)], [2, "", true]);
});
