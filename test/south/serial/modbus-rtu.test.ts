import assert from "node:assert/strict";
import { test } from "node:test";
import { GatewayError } from "../../../src/core/errors.js";
import { withCrc16 } from "../../../src/south/codec/crc.js";
import { hexOf } from "../../../src/south/serial/framer.js";
import { type Answer, AnswerReader, answerLength, buildRequest, frameGap, parseAnswer, parseRequest, type Request } from "../../../src/south/serial/modbus-rtu.js";
import { Chance, mutate, RUNS } from "../../fakes/fuzz.js";

const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex.replaceAll(" ", ""), "hex"));

// [what, request, as sent, answer, as received]
const ROWS: readonly (readonly [string, Request, string, Answer, string])[] = [
	["relays are read (Waveshare wiki)", { function: 1, unit: 1, first: 0, count: 8 }, "01 01 00 00 00 08 3D CC", { kind: "values", values: [1, 0, 0, 0, 0, 0, 0, 0] }, "01 01 01 01 90 48"],
	["ten coils come in two bytes", { function: 1, unit: 1, first: 0, count: 10 }, "01 01 00 00 00 0A BC 0D", { kind: "values", values: [1, 0, 1, 1, 0, 0, 1, 1, 1, 0] }, "01 01 02 CD 01 2C AC"],
	["temperature and humidity (XY-MD02)", { function: 4, unit: 1, first: 1, count: 2 }, "01 04 00 01 00 02 20 0B", { kind: "values", values: [0x131, 0x222] }, "01 04 04 01 31 02 22 2A CE"],
	["a voltage (Eastron)", { function: 4, unit: 1, first: 0, count: 2 }, "01 04 00 00 00 02 71 CB", { kind: "values", values: [0x4366, 0x3334] }, "01 04 04 43 66 33 34 1B 38"],
	["a pulse width (Eastron)", { function: 3, unit: 1, first: 12, count: 2 }, "01 03 00 0C 00 02 04 08", { kind: "values", values: [0x42c8, 0] }, "01 03 04 42 C8 00 00 6F B5"],
	["a relay goes on (Waveshare wiki)", { function: 5, unit: 1, first: 0, value: 1 }, "01 05 00 00 FF 00 8C 3A", { kind: "done" }, "01 05 00 00 FF 00 8C 3A"],
	["a relay goes off (Waveshare wiki)", { function: 5, unit: 1, first: 0, value: 0 }, "01 05 00 00 00 00 CD CA", { kind: "done" }, "01 05 00 00 00 00 CD CA"],
	["a register is written (application protocol, section 6.6)", { function: 6, unit: 17, first: 1, value: 3 }, "11 06 00 01 00 03 9A 9B", { kind: "done" }, "11 06 00 01 00 03 9A 9B"],
	["a baud rate is written (Eastron SDM120)", { function: 16, unit: 1, first: 28, values: [0x4000, 0] }, "01 10 00 1C 00 02 04 40 00 00 00 E7 36", { kind: "done" }, "01 10 00 1C 00 02 80 0E"],
	["all relays are written (Waveshare wiki)", { function: 15, unit: 1, first: 0, values: [1, 1, 1, 1, 1, 1, 1, 1] }, "01 0F 00 00 00 08 01 FF BE D5", { kind: "done" }, "01 0F 00 00 00 08 54 0D"],
	["an exception (simplymodbus.ca, exception codes)", { function: 1, unit: 10, first: 0x04a1, count: 1 }, "0A 01 04 A1 00 01 AC 63", { kind: "exception", code: 2, text: "exception 2: illegal data address" }, "0A 81 02 B0 53"],
];

for (const [what, request, sent, answer, received] of ROWS) {
	test(`Modbus: ${what}, there and back`, () => {
		assert.deepEqual(buildRequest(request), bytes(sent));
		assert.deepEqual(parseRequest(bytes(sent)), request);
		assert.deepEqual(parseAnswer(bytes(received), request), answer);
		if (answer.kind !== "exception") assert.equal(answerLength(request), bytes(received).length);
	});

	test(`AnswerReader: ${what}, at every cut, behind noise, and behind an echo`, () => {
		const frame = bytes(received);
		const noise = bytes("00 FF 01 04 55");
		const echo = bytes(sent);
		const oneWay = request.function === 5 || request.function === 6; // only known echoes can be told from answers
		for (const [before, echoes, heard] of [[new Uint8Array(0), false, false], [noise, false, false], [echo, oneWay ? true : undefined, true], [Uint8Array.of(...noise, ...echo), oneWay ? true : undefined, true]] as const) {
			const stream = Uint8Array.of(...before, ...frame);
			for (let cut = 0; cut <= stream.length; cut++) {
				const reader = new AnswerReader(request, echo, echoes);
				const early = reader.push(stream.subarray(0, cut));
				assert.equal(early !== undefined, cut === stream.length, `complete at ${cut}`);
				assert.deepEqual(early ?? reader.push(stream.subarray(cut)), answer, `cut at ${cut}`);
				assert.equal(reader.heardEcho, heard);
				assert.equal(reader.noise.count, before.length - (heard ? echo.length : 0));
			}
		}
	});
}

// [what, request, answer of something else]
const OTHERS: readonly (readonly [string, Request, string])[] = [
	["of another unit", { function: 4, unit: 2, first: 1, count: 2 }, "01 04 04 01 31 02 22 2A CE"],
	["to another function", { function: 3, unit: 1, first: 1, count: 2 }, "01 04 04 01 31 02 22 2A CE"],
	["with fewer values", { function: 4, unit: 1, first: 1, count: 3 }, "01 04 04 01 31 02 22 2A CE"],
	["with more values", { function: 4, unit: 1, first: 1, count: 1 }, "01 04 04 01 31 02 22 2A CE"],
	["about another register", { function: 6, unit: 17, first: 2, value: 3 }, "11 06 00 01 00 03 9A 9B"],
	["about another value", { function: 6, unit: 17, first: 1, value: 4 }, "11 06 00 01 00 03 9A 9B"],
	["with a wrong checksum", { function: 4, unit: 1, first: 1, count: 2 }, "01 04 04 01 31 02 22 2A CF"],
	["cut short", { function: 4, unit: 1, first: 1, count: 2 }, "01 04 04 01 31 02 22 2A"],
	["of one byte", { function: 4, unit: 1, first: 1, count: 2 }, "01"],
	["of nothing", { function: 4, unit: 1, first: 1, count: 2 }, ""],
];

for (const [what, request, frame] of OTHERS) {
	test(`parseAnswer() refuses an answer ${what}, and AnswerReader passes over it`, () => {
		assert.throws(() => parseAnswer(bytes(frame), request), (error) => error instanceof GatewayError && error.fault === "bad-frame");
		const reader = new AnswerReader(request, buildRequest(request), false);
		assert.equal(reader.push(bytes(frame)), undefined);
		assert.equal(reader.finish(), undefined);
	});
}

test("AnswerReader finds an exception inside what seemed to be the beginning of an answer, when nothing more comes", () => {
	const request = { function: 1, unit: 10, first: 0, count: 320 } as const;
	const reader = new AnswerReader(request, buildRequest(request), false);
	assert.equal(reader.push(bytes("0A 01 28 0A 81 02 B0 53")), undefined);
	assert.deepEqual(reader.finish(), { kind: "exception", code: 2, text: "exception 2: illegal data address" });
});

test("buildRequest() refuses what the standard has no frame for", () => {
	const refused: readonly Request[] = [
		{ function: 3, unit: 0, first: 0, count: 1 }, { function: 3, unit: 256, first: 0, count: 1 }, { function: 3, unit: 1, first: 0, count: 126 }, { function: 3, unit: 1, first: 0, count: 0 },
		{ function: 1, unit: 1, first: 0, count: 2001 }, { function: 4, unit: 1, first: 65_535, count: 2 }, { function: 4, unit: 1, first: -1, count: 1 }, { function: 6, unit: 1, first: 0, value: 65_536 },
		{ function: 6, unit: 1, first: 0, value: 1.5 }, { function: 5, unit: 1, first: 0, value: 2 }, { function: 16, unit: 1, first: 0, values: [] }, { function: 16, unit: 1, first: 0, values: Array.from({ length: 124 }, () => 0) },
		{ function: 15, unit: 1, first: 0, values: [2] },
	];
	for (const request of refused) assert.throws(() => buildRequest(request), (error) => error instanceof GatewayError && error.fault === "bad-value", JSON.stringify(request));
});

test("damaged frames make parseAnswer() and parseRequest() throw GatewayError alone, and AnswerReader never a wrong value", () => {
	const chance = new Chance(6);
	for (let run = 0; run < RUNS; run++) {
		const [, request, sent, answer, received] = chance.pick(ROWS);
		const damaged = mutate(chance, bytes(received));
		for (const parse of [() => parseAnswer(damaged, request), () => parseRequest(damaged)]) {
			try {
				parse();
			} catch (error) {
				assert.ok(error instanceof GatewayError && error.fault === "bad-frame", String(error));
			}
		}
		const reader = new AnswerReader(request, bytes(sent), false);
		const found = reader.push(damaged) ?? reader.finish();
		// Four random errors in a row pass a 16-bit checksum once in 65 536; what is found must be the answer itself.
		if (found?.kind === answer.kind) assert.deepEqual(found, answer);
	}
});

test("AnswerReader takes megabytes of noise in time that grows with the bytes", () => {
	const request = { function: 3, unit: 1, first: 0, count: 125 } as const;
	const reader = new AnswerReader(request, buildRequest(request), undefined);
	const chunk = bytes("01 03 FA ".repeat(1_365)); // an answer seems to begin at every third byte
	const take = (chunks: number): number => {
		const begin = process.hrtime.bigint();
		for (let count = 0; count < chunks; count++) assert.equal(reader.push(chunk), undefined);
		return Number(process.hrtime.bigint() - begin) / 1e6;
	};
	take(20);
	const [early, late] = [take(60), take(60)];
	assert.ok(late < 4 * early + 50, `${early} ms, then ${late} ms`);
	assert.ok(reader.noise.count > 500_000 && reader.noise.sample.length === 32);
});

test("frameGap() is 3.5 characters, and 1.75 ms above 19 200 baud", () => {
	assert.equal(frameGap(115_200, 10), 1.75);
	assert.equal(frameGap(9_600, 11).toFixed(2), "4.01");
	assert.equal(frameGap(1_200, 11).toFixed(1), "32.1");
});

test("function 23 is built, read back and answered as the standard's own example has it", () => {
	// Section 6.17: read six registers from 3, write three from 14; here with unit 17 and checksums
	const request: Request = { function: 23, unit: 17, first: 3, count: 6, to: 14, values: [0xff, 0xff, 0xff] };
	const built = buildRequest(request);
	assert.equal(hexOf(built.subarray(0, -2)), "11 17 00 03 00 06 00 0E 00 03 06 00 FF 00 FF 00 FF");
	assert.deepEqual(parseRequest(built), request);
	const answer = withCrc16(Uint8Array.from([0x11, 0x17, 0x0c, 0, 0xfe, 0x0a, 0xcd, 0, 1, 0, 3, 0, 0x0d, 0, 0xff]));
	assert.deepEqual(parseAnswer(answer, request), { kind: "values", values: [0xfe, 0x0acd, 1, 3, 0x0d, 0xff] });
	const exception = parseAnswer(withCrc16(Uint8Array.of(0x11, 0x97, 2)), request);
	assert.deepEqual(exception, { kind: "exception", code: 2, text: "exception 2: illegal data address" });
	for (const bad of [{ ...request, values: [] }, { ...request, count: 126 }, { ...request, values: Array.from({ length: 122 }, () => 0) }, { ...request, to: 65_535 }]) assert.throws(() => buildRequest(bad), { fault: "bad-value" });
	for (let length = 0; length < built.length; length++) assert.throws(() => parseRequest(built.subarray(0, length)), { fault: "bad-frame" });
});
