import type { Verbs, XepModule } from "../module.js";
import type { Windows } from "../window.js";
import { NEURO_CONCENTRATOR, neuroConcentrator } from "./neuro-concentrator.js";
import { Subscribers } from "./subscribers.js";
import { NS_CONCENTRATORS, xep0326 } from "./xep0326.js";

export interface ConcentratorOptions {
	/** How much may be on its way to each subscriber; shared with everything else that is sent to him. */
	readonly windows: Windows;
	/** A fresh, unguessable id. */
	readonly newId: () => string;
}

/**
 * The gateway as one thing of many: its devices as nodes, in the vocabulary of the Neuro-Foundation, and to read in that of XEP-0326.
 *
 * Only at the gateway's own address: a client that finds a concentrator at a device's address takes it for nothing else. Who may
 * not see a device is not told of it, by no list, no answer and no event.
 */
export function concentrator(verbs: Verbs, { windows, newId }: ConcentratorOptions): XepModule {
	const subscribers = new Subscribers(verbs, windows, newId);
	return {
		features: { gateway: [...NEURO_CONCENTRATOR, NS_CONCENTRATORS] },
		routes: [...NEURO_CONCENTRATOR.flatMap((xmlns) => neuroConcentrator(verbs, { xmlns, subscribers, session: newId })), ...xep0326(verbs)],
		changed(change) {
			if (change.availability) subscribers.changed(change.twin);
		},
		added: (twin) => subscribers.added(twin),
		removed: (twin) => subscribers.removed(twin),
		accessChanged: () => subscribers.accessChanged(),
		bounced: (heard) => subscribers.bounced(heard),
		presence(heard) {
			const { type } = heard.stanza.attrs;
			if (type === "unavailable" || type === "error") subscribers.gone(heard);
		},
		connected: () => subscribers.connected(),
		disconnected: () => subscribers.disconnected(),
		closing: () => subscribers.close(),
	};
}
