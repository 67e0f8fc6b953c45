// XEP-0092: Software Version
// Source: https://xmpp.org/extensions/xep-0092.html
// Version: 1.1 (2007-02-15)

import { xml } from "../xmpp/xml.js";
import type { XepModule } from "./module.js";

export const NS_VERSION = "jabber:iq:version";

export interface VersionOptions {
	/** The gateway's own software: `Jidway`, `0.1.0`. */
	readonly software: string;
	readonly version: string;
	/** Left out: nobody is told. */
	readonly os?: string;
}

/** Say what runs: a device's own firmware where its source states it, the gateway's software otherwise. */
export function version({ software, version, os }: VersionOptions): XepModule {
	return {
		features: { device: [NS_VERSION], gateway: [NS_VERSION] },
		routes: [{
			type: "get", xmlns: NS_VERSION, name: "query", at: "both",
			answer({ twin }) {
				const device = twin?.device;
				const says = device?.firmware === undefined
					? { name: software, version, os }
					: { name: [device.manufacturer, device.model].filter((part) => part !== undefined).join(" ") || device.name, version: device.firmware, os: `${software} ${version}` };
				return xml("query", { xmlns: NS_VERSION }, xml("name", {}, says.name), xml("version", {}, says.version), says.os === undefined ? undefined : xml("os", {}, says.os));
			},
		}],
	};
}
