// RFC 6121: XMPP Instant Messaging and Presence, sections 3 (subscriptions) and 4 (presence), for a component that speaks for each device.
// Source: https://www.rfc-editor.org/rfc/rfc6121
//
// All `subscribe*` stanzas have bare addresses, availability comes from the full JID `<id>@<domain>/thing`.

import { GATEWAY_ID } from "../core/access.js";
import type { Millis, UnixMillis } from "../core/clock.js";
import { GatewayError, messageOf } from "../core/errors.js";
import type { Subscription } from "../core/subscription.js";
import type { Twin } from "../core/twin.js";
import { readError } from "../xmpp/stanza.js";
import { xml } from "../xmpp/xml.js";
import { isLetIn, jidOf } from "./addresses.js";
import { Broadcast } from "./broadcast.js";
import type { Capabilities } from "./caps.js";
import type { Incoming, Verbs, XepModule } from "./module.js";
import type { Changed, Subscriptions } from "./subscriptions.js";
import { Views } from "./views.js";

/** Questions that wait for an owner: a page of them is more than he will answer, and strangers can ask without end. */
const MAX_PENDING = 1_000;
/** Who was denied is not heard again for this long: servers repeat the question at every login. */
const DENIED_FOR: Millis = 24 * 3_600_000;
const MAX_DENIED = 1_000;
/** An address that was said not to exist this often in a row is dropped: once may be a server that is starting. */
const MAX_MISSING = 3;

export interface PresenceOptions {
	readonly subscriptions: Subscriptions;
	readonly capabilities: Capabilities;
	/** A contact no longer listens to a device: end what was promised to him. A bare JID means all his resources. `device` is empty for the gateway. */
	readonly onContactGone?: (jid: string, device: string) => void;
	/** Somebody without access asks to see a device. Once for each question, after it is on disk. */
	readonly onAsked?: (subscription: Subscription) => void;
}

/** The module, and what an owner can do about subscriptions. `device` is an id, `contact` a normalised bare JID. */
export interface Presence extends XepModule {
	/** @throws {GatewayError} `bad-request` when he has not asked, `forbidden` when no rule lets him see the device, `store-failed`. */
	approve(device: string, contact: string): Promise<void>;
	/** He is told no, and not heard again for a day. @throws {GatewayError} `bad-request` when he has not asked, `store-failed`. */
	deny(device: string, contact: string): Promise<void>;
	/** End it from our side, whatever there is. @throws {GatewayError} `store-failed`; he sees nothing any more all the same. */
	cancel(device: string, contact: string): Promise<void>;
	/** The rules are others now: answer whoever has asked and may see by now, and tell everybody who sees another picture. */
	accessChanged(): void;
}

/** Answer subscriptions and probes, and tell subscribers how each device is. */
export function presence(verbs: Verbs, { subscriptions, capabilities, onContactGone = () => {}, onAsked = () => {} }: PresenceOptions): Presence {
	const broadcast = new Broadcast(verbs, subscriptions, new Views(verbs, capabilities));
	const denied = new Map<string, UnixMillis>();
	broadcast.onStranger = forget;
	let underWay = 0;

	function say(type: "subscribed" | "unsubscribed" | "unsubscribe", from: string, to: string): void {
		broadcast.word(xml("presence", { type, from, to }));
	}

	/** Change a subscription because of a stanza: what fails is logged, and not answered. */
	function change(device: string, contact: string, decide: (before: Subscription) => Subscription, then: (changed: Changed) => void, ended = (): void => {}): void {
		subscriptions.change(device, contact, decide).then((changed) => {
			if (changed.failure !== undefined) verbs.log.error({ device, contact, error: messageOf(changed.failure) }, "Cannot forget a subscription: it will be back after the next start");
			then(changed);
		}).catch((error: unknown) => {
			verbs.log.error({ device, contact, error: messageOf(error) }, "Cannot change a subscription");
		}).finally(ended);
	}

	// ---- Inbound: RFC 6121 §3 ----

	function subscribe({ who, id, jid, twin, letIn }: Incoming): void {
		if (letIn) {
			return change(id, who, (before) => ({ ...before, from: true, pendingIn: false }), ({ after }) => {
				say("subscribed", jid, who);
				broadcast.tell(after);
			});
		}
		const known = subscriptions.get(id, who);
		if (id !== GATEWAY_ID && !twin && known?.from) return; // its source has not announced it yet, as after a start: he has not lost it
		// Whoever has a rule for something is told no, so that his client does not ask for ever; to a stranger nothing is here.
		if (verbs.access.knows(who)) say("unsubscribed", jid, who);
		if (id !== GATEWAY_ID && !twin) return;
		if (!known?.from && (known?.pendingIn || isDenied(id, who) || subscriptions.pending + underWay >= MAX_PENDING)) return;
		underWay++;
		change(id, who, (before) => ({ ...before, from: false, pendingIn: true }), ({ before, after }) => {
			if (!before.pendingIn) onAsked(after);
		}, () => void underWay--);
	}

	function unsubscribe({ who, id, letIn }: Incoming): void {
		change(id, who, (before) => ({ ...before, from: false, pendingIn: false }), ({ before }) => {
			if (!before.from && !before.pendingIn) return;
			onContactGone(who, id);
			// RFC 6121 §3.3.3; to a stranger nothing is here.
			if (letIn) broadcast.tellUnavailable(before);
		});
	}

	/**
	 * No rule names him any more, and he has been told that nothing is there: that was the last word to him. He counts as
	 * somebody who has asked, so that a rule brings him back.
	 */
	function forget({ device, contact }: Subscription): void {
		if (verbs.access.knows(contact)) return;
		change(device, contact, (before) => (before.from ? { ...before, from: false, pendingIn: subscriptions.pending < MAX_PENDING } : before), ({ before }) => {
			if (before.from) onContactGone(contact, device);
		});
	}

	/** Whoever has asked and may see by now. */
	function answerAsked(asked: Iterable<Subscription>): void {
		for (const { device, contact, pendingIn } of [...asked]) {
			if (!pendingIn || !isLetIn(verbs, contact, device, verbs.registry.find(device))) continue;
			approve(device, contact).catch((error: unknown) => verbs.log.error({ device, contact, error: messageOf(error) }, "Cannot approve a subscription"));
		}
	}

	function probe({ from, who, id, letIn }: Incoming): void {
		if (!letIn) return;
		broadcast.reachable(who);
		const subscription = subscriptions.get(id, who);
		if (subscription?.from) {
			broadcast.found(subscription);
			return broadcast.answer(subscription, from);
		}
		// His server believes that he has subscribed, and he may: a shared roster group makes such contacts without a handshake.
		change(id, who, (before) => ({ ...before, from: true, pendingIn: false }), ({ after }) => broadcast.answer(after, from));
	}

	/** §3.1.6: without a question of ours it means nothing. */
	function subscribed({ who, id }: Incoming): void {
		change(id, who, (before) => (before.pendingOut ? { ...before, to: true, pendingOut: false } : before), () => {});
	}

	function unsubscribed({ who, id }: Incoming): void {
		change(id, who, (before) => ({ ...before, to: false, pendingOut: false }), () => {});
	}

	/** One of our presences came back. Nothing is ever said to it. */
	function bounced({ who, id, stanza }: Incoming): void {
		const subscription = subscriptions.get(id, who);
		if (!subscription?.from) return;
		const { condition } = readError(stanza);
		if (condition === "remote-server-not-found" || condition === "remote-server-timeout") return broadcast.unreachable(subscription);
		if (condition !== "item-not-found" && condition !== "gone") return;
		if (broadcast.missing(subscription) < MAX_MISSING) return;
		verbs.log.info({ device: id, contact: who, condition }, "a contact is gone, and no longer told");
		change(id, who, (before) => ({ ...before, from: false }), () => onContactGone(who, id));
	}

	function isDenied(device: string, contact: string): boolean {
		const until = denied.get(`${device}\n${contact}`);
		return until !== undefined && verbs.clock.now() < until;
	}

	// ---- What an owner does ----

	function addressOf(device: string): string {
		const jid = jidOf(verbs.domain, device);
		if (jid === undefined) throw new GatewayError("unknown-device", `Cannot find device "${device}": no address can carry this id`);
		return jid;
	}

	function checkAsked(device: string, contact: string): void {
		if (!subscriptions.get(device, contact)?.pendingIn) throw new GatewayError("bad-request", `Cannot answer "${contact}": he has not asked to see "${device}"`);
	}

	async function approve(device: string, contact: string): Promise<void> {
		const jid = addressOf(device);
		checkAsked(device, contact);
		if (!isLetIn(verbs, contact, device, verbs.registry.find(device))) {
			throw new GatewayError("forbidden", `Cannot approve "${contact}": no access rule lets him see "${device}"; add one first`);
		}
		const { after } = await subscriptions.change(device, contact, (before) => ({ ...before, from: true, pendingIn: false }));
		say("subscribed", jid, contact);
		broadcast.tell(after);
	}

	async function deny(device: string, contact: string): Promise<void> {
		const jid = addressOf(device);
		checkAsked(device, contact);
		denied.delete(`${device}\n${contact}`);
		denied.set(`${device}\n${contact}`, verbs.clock.now() + DENIED_FOR);
		if (denied.size > MAX_DENIED) denied.delete(denied.keys().next().value!);
		await subscriptions.change(device, contact, (before) => ({ ...before, pendingIn: false }));
		say("unsubscribed", jid, contact);
	}

	async function cancel(device: string, contact: string): Promise<void> {
		const jid = addressOf(device);
		const { before, failure } = await subscriptions.change(device, contact, withNothing);
		if (before.from || before.pendingIn) farewell(jid, before);
		if (failure !== undefined) throw failure;
	}

	/** RFC 6121 §3.2: first nothing is there any more, then it is over. */
	function farewell(jid: string, before: Subscription): void {
		if (before.from) broadcast.tellUnavailable(before);
		say("unsubscribed", jid, before.contact);
		if (before.to || before.pendingOut) say("unsubscribe", jid, before.contact);
		onContactGone(before.contact, before.device);
	}

	return {
		approve, deny, cancel,
		accessChanged() {
			answerAsked(subscriptions.all());
			broadcast.everybody();
		},

		presence(incoming) {
			const { stanza, from, who, id } = incoming;
			switch (stanza.attrs["type"]) {
				case "subscribe": return subscribe(incoming);
				case "unsubscribe": return unsubscribe(incoming);
				case "subscribed": return subscribed(incoming);
				case "unsubscribed": return unsubscribed(incoming);
				case "probe": return probe(incoming);
				case "error": return bounced(incoming);
				case "unavailable": return onContactGone(from, id);
				case undefined: return broadcast.reachable(who);
				default: return;
			}
		},
		changed: ({ twin, readings }) => broadcast.changed(twin, readings),
		added(twin) {
			// The rules may have changed while the gateway was stopped.
			if (verbs.online()) answerAsked(subscriptions.of(twin.device.id));
			// Its contacts have been told that it is not there, and nothing else is known yet.
			if (twin.availability !== "unknown") broadcast.changed(twin);
		},
		/** Deleted: §3.2 for everybody who sees it. What cannot be said now is said as `unavailable` in the next session. */
		removed(twin: Twin) {
			const { id } = twin.device;
			const jid = jidOf(verbs.domain, id);
			broadcast.forget(id);
			if (jid === undefined || !verbs.online()) return;
			for (const subscription of subscriptions.of(id)) {
				if (subscription.from && isLetIn(verbs, subscription.contact, id, twin)) farewell(jid, subscription);
				change(id, subscription.contact, withNothing, () => {});
			}
		},
		connected() {
			broadcast.connected();
			answerAsked(subscriptions.all());
		},
		closing: () => broadcast.closing(),
	};
}

function withNothing({ device, contact }: Subscription): Subscription {
	return { device, contact, from: false, to: false, pendingIn: false, pendingOut: false };
}
