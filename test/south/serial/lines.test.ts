import assert from "node:assert/strict";
import { test } from "node:test";
import type { Frame } from "../../../src/south/serial/framer.js";
import { LineFramer, MAX_LINE_BYTES } from "../../../src/south/serial/lines.js";
import { Chance, mutate, RUNS } from "../../fakes/fuzz.js";

const BAUD = "a line that is no text; is the baud rate right?";
const LONG = "a line of more than 4096 bytes; is the baud rate right?";

function framed(...chunks: readonly Uint8Array[]): Frame[] {
	const framer = new LineFramer();
	return chunks.flatMap((chunk) => [...framer.push(chunk)]);
}
const bytes = (latin1: string): Uint8Array => Uint8Array.from(Buffer.from(latin1, "latin1"));
const shown = (frames: readonly Frame[]): string[] => frames.map((frame) => (frame.kind === "frame" ? frame.text : `! ${frame.reason}`));

// [what, bytes as Latin-1, frames]
const ROWS = [
	["LF", "a=1\nb=2\n", ["a=1", "b=2"]],
	["CR LF", "a=1\r\nb=2\r\n", ["a=1", "b=2"]],
	["CR", "a=1\rb=2\r", ["a=1", "b=2"]],
	["empty lines", "\r\n\r\n  \r\na=1\n\n", ["a=1"]],
	["an unfinished line", "a=1\nb=", ["a=1"]],
	["a tab inside", "1\t2\n", ["1\t2"]],
	["blanks at the ends, kept", " a \n", [" a "]],
	["UTF-8", "t=21 \xc2\xb0C\n", ["t=21 °C"]],
	["Latin-1, as simple boards print degrees", "t=21 \xb0C\n", ["t=21 °C"]],
	["NUL of a break", "\0\0a=1\0\n", ["a=1"]],
	["control characters", "a=\x1b1\nb=2\n", [`! ${BAUD}`, "b=2"]],
	["DEL", "a\x7f\nb=2\n", [`! ${BAUD}`, "b=2"]],
	["what neither UTF-8 nor Latin-1 has a letter for", "\x80\x9f\xff\nb=2\n", [`! ${BAUD}`, "b=2"]],
	["the longest line", `${"x".repeat(MAX_LINE_BYTES)}\n`, ["x".repeat(MAX_LINE_BYTES)]],
	["one byte more", `${"x".repeat(MAX_LINE_BYTES + 1)}\nb=2\n`, [`! ${LONG}`, "b=2"]],
] as const;

for (const [what, stream, frames] of ROWS) {
	test(`LineFramer: ${what}, wherever the stream is cut`, () => {
		const whole = bytes(stream);
		assert.deepEqual(shown(framed(whole)), frames);
		const step = whole.length > 1_000 ? 97 : 1;
		for (let cut = 0; cut <= whole.length; cut += step) assert.deepEqual(shown(framed(whole.subarray(0, cut), whole.subarray(cut))), frames, `cut at ${cut}`);
		if (step === 1) assert.deepEqual(shown(framed(...Array.from(whole, (byte) => Uint8Array.of(byte)))), frames, "byte by byte");
	});
}

test("LineFramer gives the same frames for noise however it is cut, and none longer than its bound", () => {
	const chance = new Chance(5);
	const good = bytes("co2=612 pm2.5=4.1\r\ntemp=21.34 \xc2\xb0C\r\n");
	for (let run = 0; run < RUNS; run++) {
		const noise = mutate(chance, good);
		const cut = chance.int(noise.length + 1);
		const frames = framed(noise);
		assert.deepEqual(framed(noise.subarray(0, cut), noise.subarray(cut)), frames);
		for (const frame of frames) if (frame.kind === "frame") assert.doesNotMatch(frame.text, /[\u0000-\u0008\u000a-\u001f\u007f]/);
	}
});

test("LineFramer takes 5 MB without a line end in time that grows with the bytes, and says so once", () => {
	const framer = new LineFramer();
	const chunk = new Uint8Array(64 * 1024).fill(0x55);
	const take = (chunks: number): number => {
		const begin = process.hrtime.bigint();
		for (let count = 0; count < chunks; count++) assert.deepEqual([...framer.push(chunk)], []);
		return Number(process.hrtime.bigint() - begin) / 1e6;
	};
	take(8);
	const [early, late] = [take(40), take(40)];
	// 5 MB take some 20 ms; ReadlineParser takes 11 s. What a quadratic parser needs grows with what came before.
	assert.ok(late < 4 * early + 50, `${early} ms, then ${late} ms`);
	assert.ok(early + late < 1_000, `${early + late} ms for 5 MB`);
	assert.deepEqual(shown([...framer.push(bytes("\nb=2\n"))]), [`! ${LONG}`, "b=2"]);
});
