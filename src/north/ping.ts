// XEP-0199: XMPP Ping
// Source: https://xmpp.org/extensions/xep-0199.html
// Version: 2.0.1 (2019-03-26)

import { GatewayError } from "../core/errors.js";
import type { Twin } from "../core/twin.js";
import type { XepModule } from "./module.js";

export const NS_PING = "urn:xmpp:ping";

/** Answer pings: the bare JID always, since the gateway answers; the full JID only while the device is there. */
export function ping(): XepModule {
	return {
		features: { device: [NS_PING], gateway: [NS_PING] },
		routes: [{
			type: "get", xmlns: NS_PING, name: "ping", at: "both", open: true,
			answer({ twin, toBare }) {
				if (twin && !toBare && !isPresent(twin)) throw new GatewayError("device-offline", `Cannot reach ${twin.device.name}: it is ${twin.availability}`);
				return undefined;
			},
		}],
	};
}

/** Is the full JID of the device available, as its presence says? */
export function isPresent({ availability }: Twin): boolean {
	return availability !== "offline" && availability !== "unknown";
}
