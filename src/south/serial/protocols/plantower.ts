// Plantower PMS1003, 3003, 5003, 6003, 7003, A003 and their T and S variants; Honeywell HPM: dust sensors
// Source: Plantower "PMS5003 series data manual", appendix I; the other members of the family have the same frame
// Version: 2016 product data manual V2.3

import type { SerialProtocol } from "../protocol.js";
import { type FrameModel, FrameTalk } from "../frame-talk.js";
import { bytesFrom, field } from "./frame-fields.js";

/** The PMS3003 has 24 bytes and no counts, the others 32, those with more sensors 40. */
const COUNTS = { lengths: [32, 40] };

/**
 * 42 4D, length, words, sum of all bytes before, big-endian. The frame does not tell the model: what lies in the last words
 * of some (temperature, humidity, formaldehyde) needs a definition of that model.
 */
const MODEL: FrameModel = {
	manufacturer: "Plantower", type: "sensor",
	frame: { start: bytesFrom("424D"), length: { byte: 2, type: "u16", order: "big", add: 4 }, lengths: [24, 32, 40], max: 40, checksum: { name: "sum16", from: 0, to: -2, at: -2, order: "big" } },
	points: {
		"pm1.0": field(10, "u16", { unit: "µg/m³", label: "PM1" }),
		"pm2.5": field(12, "u16", { unit: "µg/m³", label: "PM2.5" }),
		"pm10": field(14, "u16", { unit: "µg/m³", label: "PM10" }),
		"pm1.0_cf1": field(4, "u16", { unit: "µg/m³", label: "PM1, factory calibration" }),
		"pm2.5_cf1": field(6, "u16", { unit: "µg/m³", label: "PM2.5, factory calibration" }),
		"pm10_cf1": field(8, "u16", { unit: "µg/m³", label: "PM10, factory calibration" }),
		"n0.3": field(16, "u16", { label: "Particles above 0.3 µm in 0.1 L", when: COUNTS }),
		"n0.5": field(18, "u16", { label: "Particles above 0.5 µm in 0.1 L", when: COUNTS }),
		"n1.0": field(20, "u16", { label: "Particles above 1 µm in 0.1 L", when: COUNTS }),
		"n2.5": field(22, "u16", { label: "Particles above 2.5 µm in 0.1 L", when: COUNTS }),
		"n5.0": field(24, "u16", { label: "Particles above 5 µm in 0.1 L", when: COUNTS }),
		"n10": field(26, "u16", { label: "Particles above 10 µm in 0.1 L", when: COUNTS }),
	},
};

export const PLANTOWER: SerialProtocol = {
	name: "plantower",
	title: "Plantower PMS dust sensor",
	modes: [{ baud: 9_600 }],
	claims: (cut) => cut.kind === "frame",
	talk: (options) => new FrameTalk(MODEL, options, false),
};
