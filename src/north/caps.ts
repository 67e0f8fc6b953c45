// XEP-0115: Entity Capabilities
// Source: https://xmpp.org/extensions/xep-0115.html
// Version: 1.6.0 (2022-03-08)

import { createHash } from "node:crypto";
import { isWritable } from "../core/point.js";
import type { Twin } from "../core/twin.js";
import { type Element, xml } from "../xmpp/xml.js";
import type { Identity, Verbs, XepModule } from "./module.js";

export const NS_CAPS = "http://jabber.org/protocol/caps";

/** What disco#info says of an address. */
export interface Info {
	readonly identities: readonly Identity[];
	readonly features: readonly string[];
}

/** The capabilities of every address of this gateway. */
export interface Capabilities {
	/** Of a device; of the gateway itself where there is no twin. */
	of(twin: Twin | undefined): ClassInfo;
}

/** What all addresses of one class share. Contacts ask once for a class, and not for each device. */
export interface ClassInfo extends Info {
	/** The disco node that stands for exactly this: `<uri>#<ver>`. */
	readonly node: string;
	/** `<c/>`, as presence carries it. */
	readonly c: Element;
}

/**
 * The capabilities that all modules together make: one class for devices that can only be read, one for those that can be set, and the gateway.
 *
 * @param modules Called when somebody asks for the first time: by then all modules must be made.
 */
export function capabilities({ domain, name }: Pick<Verbs, "domain" | "name">, modules: () => readonly XepModule[]): Capabilities {
	const uri = `https://${domain}/caps`;
	// Not the name of the device: one hash for a fleet of thousands.
	const device = [{ category: "client", type: "bot", name: "IoT device" }];
	const gateway = [{ category: "component", type: "generic", name }, { category: "gateway", type: "iot", name }];
	const classes = new Map<string, ClassInfo>();

	function make(identities: readonly Identity[], features: readonly (readonly string[] | undefined)[]): ClassInfo {
		const info = { identities, features: [...new Set(features.flatMap((each) => each ?? []))].sort(byBytes) };
		const ver = verOf(info);
		return { ...info, node: `${uri}#${ver}`, c: xml("c", { xmlns: NS_CAPS, hash: "sha-1", node: uri, ver }) };
	}

	return {
		of(twin) {
			const kind = twin === undefined ? "gateway" : Object.values(twin.device.points).some(isWritable) ? "writable" : "readable";
			let found = classes.get(kind);
			if (found === undefined) {
				const features = modules().map((module) => module.features ?? {});
				found = kind === "gateway"
					? make(gateway, features.map((each) => each.gateway))
					: make(device, features.flatMap((each) => [each.device, kind === "writable" ? each.writableDevice : undefined]));
				classes.set(kind, found);
			}
			return found;
		},
	};
}

/** The verification string of §5.1, hashed with SHA-1 (the only hash that every client takes), base64. Without forms: we have none. */
export function verOf({ identities, features }: Info): string {
	const parts = [
		...identities.map(({ category, type, name }) => `${category}/${type}//${name}`).sort(byBytes),
		...[...features].sort(byBytes),
	];
	return createHash("sha1").update(parts.map((part) => `${part}<`).join("")).digest("base64");
}

/** §5.1: i;octet, which is not the order of UTF-16. */
function byBytes(a: string, b: string): number {
	return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
