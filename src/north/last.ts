// XEP-0012: Last Activity
// Source: https://xmpp.org/extensions/xep-0012.html
// Version: 2.0 (2008-11-26)

import type { UnixMillis } from "../core/clock.js";
import { GatewayError } from "../core/errors.js";
import { xml } from "../xmpp/xml.js";
import type { Verbs, XepModule } from "./module.js";
import { isPresent } from "./ping.js";

export const NS_LAST = "jabber:iq:last";

/**
 * Say how long ago a device was heard from; at the gateway's own address, how long the gateway has been up.
 *
 * The bare JID of a device that is there answers 0, as a server does for a user who is online, and the full JID the length of the silence.
 */
export function last({ clock, status }: Verbs): XepModule {
	return {
		features: { device: [NS_LAST], gateway: [NS_LAST] },
		routes: [{
			type: "get", xmlns: NS_LAST, name: "query", at: "both",
			answer({ twin, toBare }) {
				const since = (moment: UnixMillis): string => String(Math.max(0, Math.floor((clock.now() - moment) / 1_000)));
				if (!twin) return xml("query", { xmlns: NS_LAST, seconds: since(status().started) });
				if (toBare && isPresent(twin)) return xml("query", { xmlns: NS_LAST, seconds: "0" });
				if (twin.heard === undefined) throw new GatewayError("device-offline", `Cannot say when ${twin.device.name} was last active: ${twin.reason ?? "it was not heard from since the gateway started"}`);
				return xml("query", { xmlns: NS_LAST, seconds: since(twin.heard) }, isPresent(twin) ? undefined : twin.reason);
			},
		}],
	};
}
