import type { SerialProtocol } from "../protocol.js";
import { AT_MODEM } from "./at-modem.js";
import { CUL } from "./cul.js";
import { DSMR } from "./dsmr.js";
import { FIRMATA } from "./firmata.js";
import { JEELINK } from "./jeelink.js";
import { KISS } from "./kiss.js";
import { MHZ19 } from "./mhz19.js";
import { MYSENSORS } from "./mysensors.js";
import { NMEA } from "./nmea.js";
import { PLANTOWER } from "./plantower.js";
import { RFLINK } from "./rflink.js";
import { SDS011 } from "./sds011.js";
import { VEDIRECT } from "./vedirect.js";

/** The serial protocols that know their devices without a definition. To add one: its module, and its name here and in config/schema.ts. */
export const SERIAL_PROTOCOLS: readonly SerialProtocol[] = [NMEA, DSMR, VEDIRECT, SDS011, PLANTOWER, MHZ19, MYSENSORS, RFLINK, JEELINK, CUL, FIRMATA, KISS, AT_MODEM];

const BY_NAME = new Map(SERIAL_PROTOCOLS.map((protocol) => [protocol.name, protocol]));

/** Nothing for `lines`, `modbus-rtu` and the others that need the config's word for their devices. */
export function serialProtocol(name: string): SerialProtocol | undefined {
	return BY_NAME.get(name);
}
