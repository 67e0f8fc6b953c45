// The list of what this gateway can do on XMPP. A new XEP is one file in north/ and one line here.
import type { Outbox } from "./core/outbox.js";
import type { GatewayCounters } from "./core/status.js";
import type { SubscriptionStore } from "./core/subscription.js";
import type { WatchStore } from "./core/watch.js";
import { capabilities } from "./north/caps.js";
import { chat } from "./north/chat/chat.js";
import { concentrator } from "./north/concentrator/concentrator.js";
import { control } from "./north/control/control.js";
import { courier } from "./north/courier.js";
import { disco } from "./north/disco.js";
import { events } from "./north/events/events.js";
import { last } from "./north/last.js";
import type { Verbs, XepModule } from "./north/module.js";
import { ping } from "./north/ping.js";
import { presence } from "./north/presence.js";
import { pubsub } from "./north/pubsub.js";
import { readout } from "./north/readout/readout.js";
import { type Router, router } from "./north/router.js";
import { Subscriptions } from "./north/subscriptions.js";
import { time } from "./north/time.js";
import { vcard } from "./north/vcard.js";
import { version } from "./north/version.js";
import { watches } from "./north/watches.js";
import { Windows } from "./north/window.js";
import { Requests } from "./xmpp/requests.js";

export interface NorthOptions {
	readonly store: SubscriptionStore & WatchStore & { readonly outbox: Outbox };
	/** A fresh, unguessable stanza id. */
	readonly newId: () => string;
	/** Of the gateway's software. */
	readonly version: string;
	/** Minutes east of UTC at a moment. */
	readonly utcOffset: (at: number) => number;
}

/** The north wing, as the roof sees it. */
export interface NorthWing {
	readonly modules: readonly XepModule[];
	readonly router: Router;
	/** Figures of the outbox. */
	letters(): Omit<NonNullable<GatewayCounters["outbox"]>, "oldest">;
}

/** Build the north wing: the modules, and the router that gives each stanza to one of them. */
export function northWing(roof: Omit<Verbs, "ask">, { store, newId, version: software, utcOffset }: NorthOptions): NorthWing {
	const requests = new Requests({ clock: roof.clock, newId, send: (stanza) => roof.say(stanza) });
	const verbs: Verbs = { ...roof, get access() { return roof.access; }, ask: (question, options) => requests.ask(question, options) };
	const windows = new Windows({ clock: roof.clock, log: roof.log, ask: (question, options) => requests.ask(question, { ...options, reserved: true }) });
	const letters = courier(verbs, { outbox: store.outbox, newId, onGone: (who) => watching.gone(who) });
	const watching = watches(verbs, { store, courier: letters });
	const all = (): readonly XepModule[] => modules;
	const caps = capabilities(verbs, all);
	const sensorData = readout(verbs, { windows, newId });
	const subscribed = events(verbs, { windows, newId });
	const modules: readonly XepModule[] = [
		watching,
		letters,
		presence(verbs, { subscriptions: new Subscriptions(store), capabilities: caps, onContactGone: (jid, device) => { sensorData.gone(jid, device); subscribed.gone(jid, device); } }),
		disco(verbs, { capabilities: caps, modules: all }),
		sensorData,
		subscribed,
		control(verbs),
		concentrator(verbs, { windows, newId }),
		chat(verbs, { newId, watches: watching }),
		ping(),
		version({ software: "Jidway", version: software }),
		time(verbs, { offset: utcOffset }),
		last(verbs),
		vcard(verbs),
		pubsub(),
		{ connected: () => windows.connected(), disconnected: () => requests.failAll("the uplink was lost") },
	];
	return { modules, letters: () => letters.counters(), router: router(verbs, modules, { reply: (iq) => void requests.take(iq) }) };
}

