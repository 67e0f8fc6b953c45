import { capabilities } from "../../src/north/caps.js";
import { disco } from "../../src/north/disco.js";
import { last } from "../../src/north/last.js";
import type { XepModule } from "../../src/north/module.js";
import { ping } from "../../src/north/ping.js";
import { type Presence, presence, type PresenceOptions } from "../../src/north/presence.js";
import { pubsub } from "../../src/north/pubsub.js";
import { Subscriptions } from "../../src/north/subscriptions.js";
import { time } from "../../src/north/time.js";
import { vcard } from "../../src/north/vcard.js";
import { version } from "../../src/north/version.js";
import { type Harness, harness, type HarnessOptions } from "./harness.js";

/** A harness with presence, discovery and the small services, joined as the roof joins them. */
export interface Wing extends Harness {
	readonly presence: Presence;
	readonly subscriptions: Subscriptions;
}

export function wing(options: HarnessOptions = {}, hooks: Pick<PresenceOptions, "onAsked" | "onContactGone"> = {}, more: readonly XepModule[] = []): Wing {
	const parts: { presence?: Presence; subscriptions?: Subscriptions } = {};
	const made = harness((verbs, store) => {
		const capable = capabilities(verbs, () => modules);
		parts.subscriptions = new Subscriptions(store);
		parts.presence = presence(verbs, { subscriptions: parts.subscriptions, capabilities: capable, ...hooks });
		const modules: XepModule[] = [
			parts.presence, disco(verbs, { capabilities: capable, modules: () => modules }), ping(), last(verbs),
			version({ software: "Jidway", version: "0.1.0" }), time(verbs), vcard(verbs), pubsub(), ...more,
		];
		return modules;
	}, options);
	return Object.assign(made, { presence: parts.presence!, subscriptions: parts.subscriptions! });
}
