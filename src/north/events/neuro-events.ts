// Neuro-Foundation Event Subscription; once IEEE P1451.99
// Source: https://neuro-foundation.io/SensorDataEventSubscription.md
// Version: urn:nfi:iot:events:1.0, and the same names under urn:nf and urn:ieee
import type { ReadoutCodec } from "../readout/request.js";
import { type EventCodec, parseEvents } from "./request.js";

/** In the order of `NEURO_SENSOR_DATA`: each speaks its own sensor data. */
export const NEURO_EVENTS = ["urn:nf:iot:events:1.0", "urn:nfi:iot:events:1.0", "urn:ieee:iot:events:1.0"] as const;

/** The vocabulary of the Neuro-Foundation. */
export function neuroEvents(xmlns: string, data: ReadoutCodec): EventCodec {
	return {
		xmlns,
		data,
		away: "removed", // "Automatic unsubscription": unreachable, or offline
		strictEnd: true, // the text is silent; IoTGateway answers item-not-found
		needsNodes: false, // "Concentrators should interpret this as an empty request"
		// The text is silent on an `<f/>` that says no more than its name. IoTGateway takes each change of it for an event, and
		// its clients know no other server: an event too many is less than one that never comes.
		parse: (payload) => parseEvents(payload, data, true, {
			field: "f", name: "n", current: "v", by: ["by"], up: "up", down: "dn", minInterval: "minInt", maxInterval: ["maxInt"],
		}),
		parseEnd: (payload) => data.parseCancel(payload),
	};
}
