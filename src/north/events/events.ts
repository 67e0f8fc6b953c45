// Event subscriptions: the engine under both vocabularies, x-events.ts and neuro-events.ts.
// More than 300 lines: requests, conditions and who is there work on the same subscriptions, and are read together.
import { GATEWAY_ID } from "../../core/access.js";
import type { Millis } from "../../core/clock.js";
import { GatewayError } from "../../core/errors.js";
import { EventRule } from "../../core/trigger.js";
import type { Change, Twin } from "../../core/twin.js";
import { numericFromText, type Value } from "../../core/value.js";
import type { Trigger } from "../../core/watch.js";
import { resourcepart } from "../../xmpp/jid.js";
import { readError } from "../../xmpp/stanza.js";
import type { Element } from "../../xmpp/xml.js";
import { Refusal } from "../conditions.js";
import type { Incoming, Request, Route, Verbs, XepModule } from "../module.js";
import { type Planned, plan } from "../readout/answer.js";
import { NEURO_SENSOR_DATA, neuroSensorData } from "../readout/neuro-sensor-data.js";
import { short } from "../readout/nodes.js";
import type { Integers } from "../readout/request.js";
import { xep0323 } from "../readout/xep0323.js";
import { isNobody, type Windows } from "../window.js";
import { Delivery } from "./delivery.js";
import { NEURO_EVENTS, neuroEvents } from "./neuro-events.js";
import type { EventCodec, EventRequest } from "./request.js";
import { type EventSubscription, PAUSED_FOR, Subscribers } from "./subscribers.js";
import { xEvents } from "./x-events.js";

/** Two events of one subscription are never nearer: ten in a second are more than a screen shows, and values of one moment that come in several messages become one event. */
export const LEAST_INTERVAL: Millis = 100;
/** An event without a cause, at most so often. */
export const LEAST_HEARTBEAT: Millis = 1_000;
/** What came back is not told again sooner after the last event: a client that is there, and returns what it gets, sets no pace by that. */
export const AFTER_LOSS: Millis = 10_000;
const DAY: Millis = 86_400_000;

export interface EventsOptions {
	readonly windows: Windows;
	/** A fresh, unguessable id. */
	readonly newId: () => string;
	/** Whole numbers without a unit, as in readouts. Default: `numeric`. */
	readonly integers?: Integers;
	/** Errors in the form of XEP-0323 v0.2 beside those of RFC 6120. Default: true. */
	readonly legacyErrors?: boolean;
	/** Default: `LEAST_INTERVAL`. */
	readonly leastInterval?: Millis;
}

/** The module, and what tells it that somebody left. */
export interface Events extends XepModule {
	/** A full JID is not there any more; or a contact, as a bare JID, sees this device no longer, and is told nothing more of it (empty: the gateway). */
	gone(jid: string, device: string): void;
	/** How many there are. */
	readonly size: number;
}

/**
 * Tell subscribers of what they asked to be told of, in both vocabularies: the ProtoXEP "Internet of Things - Events", and the
 * Neuro-Foundation's event subscription. Who may subscribe is who may read; it is looked at again for each event.
 */
export function events(verbs: Verbs, { windows, newId, integers = "numeric", legacyErrors = true, leastInterval = LEAST_INTERVAL }: EventsOptions): Events {
	const { clock } = verbs;
	const all = new Subscribers();
	const deliver = new Delivery(verbs, windows, all);

	// ---- Requests ----

	function subscribe(request: Request, codec: EventCodec): Element {
		try {
			return accept(request, codec);
		} catch (error) {
			if (!(error instanceof GatewayError)) throw error;
			throw new Refusal(error.fault, error.message, { before: codec.data.rejected(request.payload, error.message) });
		}
	}

	function accept(request: Request, codec: EventCodec): Element {
		const { payload, from, who, to, twin } = request;
		const wanted = codec.parse(payload);
		const { wish } = wanted;
		if (!twin && wish.nodes.length === 0 && codec.needsNodes) throw new GatewayError("bad-request", "Cannot subscribe to the gateway itself: name its nodes, or ask a device");
		const isNothing = !twin && wish.nodes.length === 0;
		// Of several nodes each may have some of the fields only; who has none of them has nothing to tell.
		const planned = isNothing ? [] : plan(wish, request, codec.data, verbs).filter(({ names }) => names?.length !== 0);
		const subscriber = { from, who, to, id: idOf(request) };
		const made = planned.map((target) => make(subscriber, codec, wanted, target));
		// A subscription under an id that he uses already takes the place of all that it stood for: so clients begin anew.
		const replaced = new Set([...sameId(from, subscriber.id, codec, wish.key), ...planned.flatMap(({ twin: its }) => all.find(from, its) ?? [])]);
		all.checkRoom(who, made.length - replaced.size);
		for (const old of replaced) all.remove(old);
		for (const subscription of made) {
			all.add(subscription);
			// By a timer, even of no time: what is accepted must be on its way before its values are.
			arm(subscription);
		}
		isThere(request);
		return codec.data.accepted(wish.id, false);
	}

	function make(subscriber: EventSubscription["subscriber"], codec: EventCodec, request: EventRequest, target: Planned): EventSubscription {
		const { names, twin } = target;
		const triggers = new Map<string, Trigger>();
		// Changes are measured from what he has; if he does not say, from what there is (both texts).
		const told = new Map([...twin.readings].map(([name, { value }]): [string, Value] => [name, value]));
		for (const name of names ?? []) {
			const field = request.fields.get(name.toLowerCase());
			const trigger = field?.trigger ?? (request.plainFieldsTrigger ? {} : undefined);
			if (trigger) triggers.set(name, trigger);
			if (field?.current !== undefined) told.set(name, currentOf(twin, name, field.current));
		}
		// Whoever gives no reason at all for an event cannot mean that there is none.
		const otherwise = triggers.size === 0 && request.maxInterval === undefined ? {} : undefined;
		const minInterval = Math.max(leastInterval, request.minInterval ?? 0);
		const rule = new EventRule({
			triggers, told, atOnce: request.now,
			...(otherwise && { otherwise }),
			minInterval,
			...(request.maxInterval !== undefined && { maxInterval: Math.max(LEAST_HEARTBEAT, request.maxInterval) }),
		}, clock.now());
		// He may be behind already.
		rule.offer((names ?? []).flatMap((name) => twin.readings.get(name) ?? []), clock.now());
		return {
			subscriber, codec, request, target, names, rule, minInterval, key: newId(), sent: 0, returned: 0, eventAt: undefined, isLost: false, againAt: undefined,
			paused: false, owed: false, behind: false, backlog: new Map(), seen: undefined, timer: undefined, waiting: undefined,
		};
	}

	function unsubscribe(request: Request, codec: EventCodec): undefined {
		const { id, key } = codec.parseEnd(request.payload);
		const ended = sameId(request.from, idOf(request), codec, key);
		if (ended.length === 0 && codec.strictEnd) throw new GatewayError("unknown-point", `Cannot end subscription "${short(id)}": there is none of this id`);
		for (const subscription of ended) all.remove(subscription);
		isThere(request);
	}

	function sameId(from: string, id: string, { xmlns }: EventCodec, key: string): EventSubscription[] {
		return all.at(from).filter(({ subscriber, codec, request }) => subscriber.id === id && codec.xmlns === xmlns && request.wish.key === key);
	}

	// ---- Conditions ----

	function changed({ twin, readings, aged = [] }: Change): void {
		if (readings.length === 0 && aged.length === 0) return;
		for (const subscription of [...all.of(twin)]) {
			const seen = deliver.look(subscription);
			if (!seen) {
				all.remove(subscription);
				continue;
			}
			const isDue = subscription.rule.offer(readings.filter(({ point }) => seen.watched.has(point)), clock.now(), aged.filter((point) => seen.watched.has(point)));
			if (isDue && !subscription.paused) event(subscription);
			else arm(subscription);
		}
	}

	function event(subscription: EventSubscription): void {
		deliver.event(subscription);
		if (all.has(subscription)) arm(subscription);
	}

	/** Wait for what time alone brings: the end of the minimum interval, the heartbeat, the time for what was missed. */
	function arm(subscription: EventSubscription): void {
		const soonest = Math.min(subscription.rule.nextAt ?? Infinity, subscription.againAt ?? Infinity);
		const at = soonest === Infinity ? undefined : soonest;
		if (subscription.paused || (at !== undefined && subscription.timer?.at === at)) return;
		if (at === undefined) {
			subscription.timer?.cancel();
			subscription.timer = undefined;
			return;
		}
		setTimer(subscription, at, () => {
			if (subscription.rule.isDue(clock.now()) || clock.now() >= (subscription.againAt ?? Infinity)) event(subscription);
			else arm(subscription); // the clock was set, or it is more than a day away
		});
	}

	function setTimer(subscription: EventSubscription, at: number, run: () => void): void {
		subscription.timer?.cancel();
		const cancel = clock.after(Math.min(DAY, Math.max(0, at - clock.now())), () => {
			subscription.timer = undefined;
			run();
		});
		subscription.timer = { at, cancel };
	}

	// ---- Who is there ----

	/**
	 * He is not there: his subscriptions wait for him, or end. A subscriber counts as there until something says otherwise.
	 *
	 * @param isLost What was sent to him has not arrived: he is owed an event.
	 */
	function away(subscriptions: readonly EventSubscription[], isLost: boolean): void {
		for (const subscription of subscriptions) {
			if (subscription.codec.away === "removed") {
				all.remove(subscription);
				continue;
			}
			if (isLost) subscription.isLost = true;
			if (subscription.paused) continue;
			all.pause(subscription);
			subscription.waiting?.();
			subscription.waiting = undefined;
			subscription.againAt = undefined;
			setTimer(subscription, clock.now() + PAUSED_FOR, () => all.remove(subscription));
		}
	}

	/** Something comes from him: what he has missed is told in one event. A server probes in the name of his bare JID. */
	function back({ from }: Pick<Incoming, "from">): void {
		for (const subscription of all.pausedOf(from)) {
			all.resume(subscription);
			subscription.timer?.cancel();
			subscription.timer = undefined;
			const { owed, isLost, eventAt, minInterval, rule } = subscription;
			const now = clock.now();
			if (owed || isLost) {
				const span = isLost ? Math.max(AFTER_LOSS, minInterval) : minInterval;
				// A last event in the future: the clock was set back.
				subscription.againAt = eventAt === undefined ? now : Math.min(now, eventAt) + span;
			}
			if (rule.isDue(now) || now >= (subscription.againAt ?? Infinity)) event(subscription);
			else arm(subscription);
		}
	}

	/** Who asks is there; his answer goes ahead of what he has missed. */
	function isThere(request: Request): void {
		if (all.pausedOf(request.from).length > 0) clock.after(0, () => back(request));
	}

	/** Of this JID, and to do with this device. */
	function concerned(jid: string, device: string): EventSubscription[] {
		return all.select(jid).filter((subscription) => isAbout(subscription, device));
	}

	function gone(jid: string, device: string): void {
		if (resourcepart(jid) !== "") return away(concerned(jid, device), false);
		for (const subscription of concerned(jid, device)) all.remove(subscription);
	}

	windows.onGone((jid) => away(all.at(jid), true));
	const codecs = [
		xEvents(xep0323({ integers, legacyErrors })),
		...NEURO_EVENTS.map((xmlns, index) => neuroEvents(xmlns, neuroSensorData({ xmlns: NEURO_SENSOR_DATA[index]!, integers }))),
	];
	const features = codecs.map(({ xmlns }) => xmlns);
	return {
		features: { device: features, gateway: features },
		// The texts say get and set, and their own examples the other one.
		routes: codecs.flatMap((codec): Route[] => [
			{ type: "any", xmlns: codec.xmlns, name: "subscribe", at: "both", answer: (request) => subscribe(request, codec) },
			{ type: "any", xmlns: codec.xmlns, name: "unsubscribe", at: "both", answer: (request) => unsubscribe(request, codec) },
		]),
		changed,
		// An offline device keeps its subscriptions: where it is its own XMPP client it forgets them with its power, but here nothing is forgotten.
		removed(twin: Twin) {
			for (const subscription of [...all.of(twin)]) all.remove(subscription);
		},
		bounced({ stanza, from, id }) {
			// Whatever else came back, a letter to his account perhaps, says nothing of this client.
			if (!all.hasReturned(from, stanza.attrs["id"] ?? "")) return;
			away(all.at(from).filter((subscription) => isAbout(subscription, id)), true);
			// An event to nobody; anything else may be between him and this device alone, as when he blocks it.
			const { condition } = readError(stanza);
			if (condition === "service-unavailable" || isNobody(condition)) windows.gone(from);
		},
		presence({ stanza, from, who, id }) {
			switch (stanza.attrs["type"]) {
				case undefined: case "probe": return back({ from });
				case "unavailable": case "error": return away(concerned(from, id), false);
				// The one way or the other: they no longer see each other.
				case "unsubscribe": case "unsubscribed": return gone(who, id);
				default: return;
			}
		},
		accessChanged() {
			for (const subscription of [...all.all()]) if (!deliver.look(subscription)) all.remove(subscription);
		},
		connected() {
			// What was on its way when the stream broke may be lost: the newest values are told again.
			for (const subscription of [...all.all()]) {
				if (!subscription.paused && windows.outstanding(subscription.subscriber.from) > 0) event(subscription);
				else deliver.tell(subscription);
			}
		},
		closing() {
			for (const subscription of [...all.all()]) all.remove(subscription);
		},
		gone,
		get size() {
			return all.size;
		},
	};
}

/** Has it to do with this device? Through the gateway's address too, since that is where he may have asked. */
function isAbout({ subscriber, target: { twin } }: EventSubscription, device: string): boolean {
	return subscriber.id === device || twin.device.id === device;
}

function idOf({ twin }: Request): string {
	return twin?.device.id ?? GATEWAY_ID;
}

/** @throws {GatewayError} `bad-request` where the point takes no such value. */
function currentOf(twin: Twin, name: string, text: string): Value {
	const point = twin.device.points[name]!;
	const value = point.kind === "numeric" ? numericFromText(text) : point.kind === "boolean" ? TRUTHS.get(text.trim()) : text;
	if (value === undefined) throw new GatewayError("bad-request", `Cannot measure changes of "${short(name)}" from "${short(text)}": it is ${point.kind}`);
	return value;
}

/** A double in the one vocabulary, a text in the other. */
const TRUTHS: ReadonlyMap<string, boolean> = new Map([["0", false], ["0.0", false], ["false", false], ["1", true], ["1.0", true], ["true", true]]);
