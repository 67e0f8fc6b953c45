// Noise on a serial line, and what it costs each framer: for protocols.test.ts and the bench.

import { CobsFramer } from "../../../src/south/serial/device-link-framer.js";
import { SerialDialect } from "../../../src/south/serial/dialect.js";
import { shapeOf } from "../../../src/south/serial/frame-place.js";
import type { Framer } from "../../../src/south/serial/framer.js";
import { LineFramer } from "../../../src/south/serial/lines.js";
import { SERIAL_PROTOCOLS } from "../../../src/south/serial/protocols/all.js";
import { SeekingFramer } from "../../../src/south/serial/seeking-framer.js";
import { Chance } from "../../fakes/fuzz.js";

export interface NoiseFramer {
	readonly name: string;
	/** With which its messages begin. */
	readonly start: number;
	readonly framer: () => Framer;
	/** How many times the usual bound it may take, with the reason beside it; left out for 1. */
	readonly costly?: number;
}

/** The bytes with which messages begin; text protocols begin with a letter. */
const STARTS: Readonly<Record<string, number>> = { nmea: 0x24, dsmr: 0x2f, vedirect: 0x0d, sds011: 0xaa, plantower: 0x42, mhz19: 0xff, firmata: 0xf0, kiss: 0xc0 };

/** A format whose checks cost most: a CRC over long frames of any length. */
const LONG_FRAMES = shapeOf({
	start: Uint8Array.of(0xa5), length: { byte: 1, type: "u8", order: "big", add: 0 }, max: 255,
	checksum: { name: "crc16-modbus", from: 0, to: -2, at: -2, order: "little" },
});

/** Each framer there is, of protocols and of definitions. */
export function noiseFramers(): readonly NoiseFramer[] {
	return [
		{ name: "plain lines", start: 0x41, framer: () => new LineFramer() },
		...SERIAL_PROTOCOLS.map(({ name }) => ({ name, start: STARTS[name] ?? 0x4f, framer: () => new SerialDialect({ link: "port", protocol: name, devices: [] }).framer(), ...(name === "firmata" && { costly: 3 }) })), // three bytes of noise are often a message of Firmata: 160 000 of them in 5 MB
		{ name: "frames by definition", start: 0xa5, framer: () => new SeekingFramer(LONG_FRAMES), costly: 3 }, // a CRC at each byte
		{ name: "cobs-cbor", start: 0x01, framer: () => new CobsFramer() },
	];
}

const CHUNK_BYTES = 65_536;

/** Chunks of noise: what a wrong baud rate makes, with and without line ends and zeros, and one byte again and again. */
export function noises(start: number): Readonly<Record<"random" | "random, no line end" | "starts" | "no start", Uint8Array>> {
	const chance = new Chance(3);
	const random = Uint8Array.from({ length: CHUNK_BYTES }, () => chance.int(256));
	return {
		random,
		"random, no line end": random.map((byte) => (byte === 0x0a || byte === 0x0d ? 0x55 : byte)),
		starts: new Uint8Array(CHUNK_BYTES).fill(start),
		"no start": new Uint8Array(CHUNK_BYTES).fill(start === 0x55 ? 0x56 : 0x55),
	};
}

/** Milliseconds of this process, the machine's other work left out, for so many bytes of the noise. */
export function time(make: () => Framer, chunk: Uint8Array, bytes: number): number {
	const framer = make();
	const begin = process.cpuUsage();
	for (let at = 0; at < bytes; at += chunk.length) for (const _ of framer.push(chunk)) { /* each cut is made when it is asked for */ }
	return process.cpuUsage(begin).user / 1e3;
}
