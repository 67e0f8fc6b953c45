// ProtoXEP: Internet of Things - Events
// Source: https://xmpp.org/extensions/inbox/iot-events.html
// Version: 0.0.1 (2014-08-13); its successor is in neuro-events.ts
import type { ReadoutCodec } from "../readout/request.js";
import { type EventCodec, parseEvents } from "./request.js";

export const NS_EVENTS = "urn:xmpp:iot:events";

/** The vocabulary of the XSF. */
export function xEvents(data: ReadoutCodec): EventCodec {
	return {
		xmlns: NS_EVENTS,
		data,
		away: "paused", // §3: conditions are only evaluated while the subscriber is online, and once he comes online
		strictEnd: false, // §3.3: "regardless if the subscription existed or not"
		needsNodes: true, // §3.2: bad-request is for "a device behind a concentrator, without including node information"
		// §3.4: a field without a change is asked for, and makes no event. Example 9 writes `changeBy` and `maxInternval`.
		parse: (payload) => parseEvents(payload, data, false, {
			field: "field", name: "name", current: "currentValue", by: ["changedBy", "changeBy"], up: "changedUp", down: "changedDown",
			minInterval: "minInterval", maxInterval: ["maxInterval", "maxInternval"],
		}),
		parseEnd: (payload) => data.parseCancel(payload),
	};
}
