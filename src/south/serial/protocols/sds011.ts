// Nova Fitness SDS011, SDS021 and kin: dust sensors
// Source: Nova Fitness "Laser PM2.5 Sensor specification, model SDS011", section "UART communication protocol"
// Version: V1.3 (2015-10-09)

import type { SerialProtocol } from "../protocol.js";
import { type FrameModel, FrameTalk } from "../frame-talk.js";
import { bytesFrom, field } from "./frame-fields.js";

/** AA C0 pm2.5:2 pm10:2 id:2 sum AB, little-endian; C5 in the place of C0 answers a command, and has no readings. */
const MODEL: FrameModel = {
	manufacturer: "Nova Fitness", model: "SDS011", type: "sensor",
	frame: { start: bytesFrom("AA"), length: 10, max: 10, end: bytesFrom("AB"), checksum: { name: "sum8", from: 2, to: 8, at: 8, order: "big" } },
	identity: { byte: 6, bytes: 2 },
	points: {
		pm25: field(2, "u16", { unit: "µg/m³", places: 1, order: "little", label: "PM2.5", when: { byte: 1, is: bytesFrom("C0") } }),
		pm10: field(4, "u16", { unit: "µg/m³", places: 1, order: "little", label: "PM10", when: { byte: 1, is: bytesFrom("C0") } }),
	},
};

export const SDS011: SerialProtocol = {
	name: "sds011",
	title: "SDS011 dust sensor",
	modes: [{ baud: 9_600 }],
	claims: (cut) => cut.kind === "frame",
	talk: (options) => new FrameTalk(MODEL, options, false),
};
