// XEP-0202: Entity Time
// Source: https://xmpp.org/extensions/xep-0202.html
// Version: 2.0 (2009-09-11)

import type { UnixMillis } from "../core/clock.js";
import { xml } from "../xmpp/xml.js";
import type { Verbs, XepModule } from "./module.js";

export const NS_TIME = "urn:xmpp:time";

export interface TimeOptions {
	/** Minutes east of UTC at that moment, daylight saving included. Default: 0. */
	readonly offset?: (at: UnixMillis) => number;
}

/** Say what time it is at the gateway, and so at its devices. */
export function time({ clock }: Verbs, { offset = () => 0 }: TimeOptions = {}): XepModule {
	return {
		features: { device: [NS_TIME], gateway: [NS_TIME] },
		routes: [{
			type: "get", xmlns: NS_TIME, name: "time", at: "both",
			answer() {
				const now = clock.now();
				const utc = `${new Date(now).toISOString().slice(0, 19)}Z`;
				return xml("time", { xmlns: NS_TIME }, xml("tzo", {}, tzo(offset(now))), xml("utc", {}, utc));
			},
		}],
	};
}

/** `+02:00`, XEP-0082 §3.3. */
function tzo(minutes: number): string {
	const two = (number: number): string => String(number).padStart(2, "0");
	const span = Math.abs(Math.round(minutes));
	return `${minutes < 0 ? "-" : "+"}${two(Math.floor(span / 60))}:${two(span % 60)}`;
}
