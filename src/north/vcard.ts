// XEP-0054: vcard-temp
// Source: https://xmpp.org/extensions/xep-0054.html
// Version: 1.2 (2008-07-16)

import { GatewayError } from "../core/errors.js";
import { xml, type Element } from "../xmpp/xml.js";
import type { Verbs, XepModule } from "./module.js";

export const NS_VCARD = "vcard-temp";

/** The business card of a device: its name, what and whose make it is, and the id that its source gives it. */
export function vcard({ name }: Verbs): XepModule {
	return {
		features: { device: [NS_VCARD], gateway: [NS_VCARD] },
		routes: [
			{
				type: "get", xmlns: NS_VCARD, name: "vCard", at: "both",
				answer({ twin }) {
					if (!twin) return card(name, "The gateway of these devices");
					const { device } = twin;
					return card(device.name, `${device.type ?? "Device"} "${device.id}" of ${name}`,
						device.manufacturer === undefined ? undefined : xml("ORG", {}, xml("ORGNAME", {}, device.manufacturer)),
						device.model === undefined ? undefined : xml("TITLE", {}, device.model));
				},
			},
			{
				type: "set", xmlns: NS_VCARD, name: "vCard", at: "both",
				answer({ twin }) {
					throw new GatewayError("forbidden", `Cannot change the card of ${twin?.device.name ?? name}: it is made from what the device and the config say`);
				},
			},
		],
	};
}

function card(name: string, description: string, ...rest: readonly (Element | undefined)[]): Element {
	return xml("vCard", { xmlns: NS_VCARD }, xml("FN", {}, name), ...rest, xml("DESC", {}, description));
}
