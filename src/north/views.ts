import { GATEWAY_ID } from "../core/access.js";
import type { Millis, UnixMillis } from "../core/clock.js";
import type { Points } from "../core/point.js";
import type { Subscription } from "../core/subscription.js";
import type { Twin } from "../core/twin.js";
import { fullJidOf } from "./addresses.js";
import type { Capabilities } from "./caps.js";
import type { Verbs } from "./module.js";
import { isPresent } from "./ping.js";
import { available, type Template, unavailable } from "./presence-template.js";
import { statusOf } from "./status.js";

/** Sets of points that a device is seen by: as many as there are kinds of rules about it. More are a sign that rules came and went. */
const MAX_GROUPS = 100;

/** A status says how old its values are: it is made anew after this long, even if nothing has changed. */
const FRESH_FOR: Millis = 60_000;

/** Which points a contact may read, while the points and the rules stay as they are. */
interface Sight {
	readonly points: Points;
	readonly access: Verbs["access"];
	/** Nothing: he may not see the device at all. */
	readonly visible: readonly string[] | undefined;
	readonly group: string;
}

interface DeviceViews {
	version: number;
	readonly groups: Map<string, { readonly template: Template; readonly version: number; readonly points: Points; readonly at: UnixMillis }>;
}

/** How the presence of each device looks to each contact: built once for all who may read the same points. */
export class Views {
	readonly #verbs: Verbs;
	readonly #capabilities: Capabilities;
	readonly #sights = new WeakMap<Subscription, Sight>();
	readonly #devices = new Map<string, DeviceViews>();

	constructor(verbs: Verbs, capabilities: Capabilities) {
		this.#verbs = verbs;
		this.#capabilities = capabilities;
	}

	/** What this contact is to be told now. Nothing for a device whose id no JID can carry. */
	of(subscription: Subscription): Template | undefined {
		const { device, contact } = subscription;
		if (device === GATEWAY_ID) return this.#verbs.access.knows(contact) ? this.#gateway() : this.unavailable(device);
		const twin = this.#verbs.registry.find(device);
		const sight = twin && this.#sightOf(subscription, twin);
		if (!twin || !sight?.visible) return this.unavailable(device);
		const { groups, version } = this.#device(device);
		const now = this.#verbs.clock.now();
		const found = groups.get(sight.group);
		if (found && found.version === version && found.points === sight.points && Math.abs(now - found.at) < FRESH_FOR) return found.template;
		const template = this.#build(twin, sight.visible, now);
		if (!template) return undefined;
		if (groups.size >= MAX_GROUPS) groups.clear();
		groups.set(sight.group, { template, version, points: sight.points, at: now });
		return template;
	}

	/** As `of()` for somebody to whom the device, or the gateway, is not there. */
	unavailable(device: string, status?: string): Template | undefined {
		const from = fullJidOf(this.#verbs.domain, device);
		return from === undefined ? undefined : unavailable(from, status);
	}

	/** The device may look different now. */
	changed(id: string): void {
		const views = this.#devices.get(id);
		if (views) views.version++;
	}

	/** The device is gone. */
	forget(id: string): void {
		this.#devices.delete(id);
	}

	#device(id: string): DeviceViews {
		let views = this.#devices.get(id);
		if (!views) this.#devices.set(id, views = { version: 0, groups: new Map() });
		return views;
	}

	#sightOf(subscription: Subscription, twin: Twin): Sight {
		const { access } = this.#verbs;
		const { id, points } = twin.device;
		const known = this.#sights.get(subscription);
		if (known && known.points === points && known.access === access) return known;
		const visible = access.maySee(subscription.contact, id, points) ? access.readable(subscription.contact, id, points) : undefined;
		const sight = { points, access, visible, group: visible?.join("\n") ?? "" };
		this.#sights.set(subscription, sight);
		return sight;
	}

	#build(twin: Twin, visible: readonly string[], now: UnixMillis): Template | undefined {
		const from = fullJidOf(this.#verbs.domain, twin.device.id);
		if (from === undefined) return undefined;
		const status = statusOf(twin, visible, now);
		return isPresent(twin) ? available(from, twin.availability, status, this.#capabilities.of(twin).c) : unavailable(from, status);
	}

	#gateway(): Template | undefined {
		const from = fullJidOf(this.#verbs.domain, GATEWAY_ID);
		return from === undefined ? undefined : available(from, "online", undefined, this.#capabilities.of(undefined).c);
	}
}
