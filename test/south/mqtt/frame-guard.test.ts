import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { FrameGuard, type Oversized } from "../../../src/south/mqtt/frame-guard.js";
import { Chance, mutate, RUNS } from "../../fakes/fuzz.js";

const LIMIT = 20;

/** What comes out when the bytes come in these pieces. */
function through(pieces: readonly Uint8Array[], limit = LIMIT): { passed: string; oversized: Oversized[]; error: string | undefined } {
	const oversized: Oversized[] = [];
	let error: string | undefined;
	const guard = new FrameGuard((one) => oversized.push(one), limit);
	guard.on("error", (cause) => (error = cause.message));
	const passed: Buffer[] = [];
	guard.on("data", (chunk: Buffer) => passed.push(chunk));
	for (const piece of pieces) guard._transform(Buffer.from(piece), "binary", () => undefined);
	for (let chunk: unknown; (chunk = guard.read()) !== null;) passed.push(Buffer.from(chunk as Buffer));
	return { passed: Buffer.concat(passed).toString("hex"), oversized, error };
}

const publish = (flags: number, topic: string, rest: number): Buffer => {
	const body = Buffer.concat([Buffer.from([topic.length >> 8, topic.length & 255]), Buffer.from(topic), flags & 6 ? Buffer.from([1, 2]) : Buffer.alloc(0), Buffer.alloc(rest, "x")]);
	const length = body.length < 128 ? [body.length] : [body.length % 128 | 128, body.length >> 7];
	return Buffer.concat([Buffer.from([0x30 | flags, ...length]), body]);
};
const PING = Buffer.from([0xd0, 0]);
const SMALL = publish(2, "t", 15);
const BIG0 = publish(0, "topic", 200);
const BIG1 = publish(2, "topic", 200);
const BARE = Buffer.from([0x32, 21, 0, 30, ...Buffer.alloc(19, "t")]); // its topic is said to be longer than the packet

describe("FrameGuard", () => {
	const rows: [name: string, packets: Buffer[], passed: Buffer[], oversized: Oversized[]][] = [
		["passes small packets", [PING, SMALL, PING], [PING, SMALL, PING], []],
		["leaves out a large one of QoS 0", [PING, BIG0, SMALL], [PING, SMALL], [{ topic: "topic", bytes: 207, qos: 0 }]],
		["leaves out a large one of QoS 1, and says its id", [BIG1, BIG1, PING], [PING], [{ topic: "topic", bytes: 209, qos: 1, messageId: 258 }, { topic: "topic", bytes: 209, qos: 1, messageId: 258 }]],
		["leaves out one that is all topic", [BARE, PING], [PING], [{ topic: "t".repeat(19), bytes: 21, qos: 1 }]],
	];
	for (const [name, packets, passed, oversized] of rows) {
		const bytes = Buffer.concat(packets);
		const wanted = { passed: Buffer.concat(passed).toString("hex"), oversized, error: undefined };
		test(`${name}, cut anywhere`, () => {
			for (let cut = 0; cut <= bytes.length; cut++) assert.deepEqual(through([bytes.subarray(0, cut), bytes.subarray(cut)]), wanted, `cut at ${cut}`);
			assert.deepEqual(through([...bytes].map((byte) => Uint8Array.of(byte))), wanted);
		});
	}

	test("ends the stream for a large packet that is no PUBLISH", async () => {
		const guard = new FrameGuard(() => undefined, LIMIT);
		const failed = new Promise<Error>((resolve) => void guard.once("error", resolve));
		guard.write(Buffer.from([0x90, 0x80, 0x01]));
		assert.match((await failed).message, /128 bytes that is no PUBLISH/);
	});

	test("leaves a length of five bytes to the parser", () => assert.equal(through([Buffer.from([0x30, 0xff, 0xff, 0xff, 0xff])]).passed, "30ffffffff"));

	test("lets nothing above the limit pass, however it is damaged and cut", () => {
		const chance = new Chance(0x6a4d);
		const whole = Buffer.concat([PING, SMALL, BIG1, PING, BIG0, SMALL]);
		for (let n = 0; n < RUNS; n++) {
			const bytes = Buffer.from(mutate(chance, whole));
			const cut = chance.int(bytes.length + 1);
			const once = through([bytes]);
			const twice = through([bytes.subarray(0, cut), bytes.subarray(cut)]);
			if (once.error === undefined) assert.deepEqual(twice, once);
			assert.ok(once.passed.length / 2 <= bytes.length);
		}
	});
});
