// Winsen MH-Z19, MH-Z19B and kin: CO₂ sensors
// Source: Winsen "Intelligent infrared CO2 module (model MH-Z19B) user's manual", section "Serial port output (UART)"
// Version: V1.6

import type { Millis } from "../../../core/clock.js";
import type { SerialProtocol } from "../protocol.js";
import { type FrameModel, FrameTalk } from "../frame-talk.js";
import { bytesFrom, field } from "./frame-fields.js";

/** The sensor measures each 5 s; asking faster gives the same value. */
const EVERY: Millis = 10_000;

/**
 * FF 86 co2:2 temperature + 40, three more, what makes the sum of bytes 1 to 8 zero. It speaks only when it is asked.
 * Its writes are not offered: automatic calibration and the zero point spoil a sensor when they are set by chance.
 */
const MODEL: FrameModel = {
	manufacturer: "Winsen", type: "sensor",
	frame: { start: bytesFrom("FF"), length: 9, max: 9, checksum: { name: "sum8-negative", from: 1, to: 8, at: 8, order: "big" } },
	poll: { every: EVERY, request: bytesFrom("FF 01 86 00 00 00 00 00 79") },
	points: {
		co2: field(2, "u16", { unit: "ppm", label: "CO₂", when: { byte: 1, is: bytesFrom("86") } }),
		// not in the data sheet, and a degree or two above that of the room
		temperature: field(4, "u8", { unit: "°C", offset: { digits: -40n, decimals: 0 }, when: { byte: 1, is: bytesFrom("86") }, invalid: [0n] }),
	},
};

export const MHZ19: SerialProtocol = {
	name: "mhz19",
	title: "MH-Z19 CO₂ sensor",
	modes: [{ baud: 9_600 }],
	claims: (cut) => cut.kind === "frame" && cut.bytes[1] === 0x86,
	talk: (options) => new FrameTalk(MODEL, options, false),
};
