// RFC 6120 §8.2.3 and §10: every IQ get or set has exactly one answer; everything else has none, or is a module's business.
// Source: https://www.rfc-editor.org/rfc/rfc6120#section-8.2.3

import { createHash } from "node:crypto";
import { GATEWAY_ID } from "../core/access.js";
import type { Clock, Millis, UnixMillis } from "../core/clock.js";
import { GatewayError, messageOf } from "../core/errors.js";
import { errorReply, isRequest, payloadOf, resultReply } from "../xmpp/stanza.js";
import type { Element } from "../xmpp/xml.js";
import { type Address, isLetIn, resolve, whoOf } from "./addresses.js";
import { refuse, unavailableTo } from "./conditions.js";
import type { Incoming, Request, Route, Verbs, XepModule } from "./module.js";
import { type Rate, RateLimit } from "./rate.js";

export interface RouterOptions {
	/** An iq result or error: for whoever asked the question. */
	readonly reply?: (iq: Element) => void;
	/** Gateways with which topics are shared: they send more than people do, and have a flow control of their own. */
	readonly isPartner?: (who: string) => boolean;
}

/** The door of the north wing. */
export interface Router {
	/** Take a stanza from the uplink. Never throws; answers leave by `Verbs.say`. */
	receive(stanza: Element): void;
}

/** XEP-0184: Message Delivery Receipts */
const NS_RECEIPTS = "urn:xmpp:receipts";
/** Requests and messages of one bare JID: far more than a person types or a client asks at login. */
const ASKING: Rate = { burst: 100, perSecond: 20 };
/** Presence of one bare JID: one login is one probe for each device and resource. */
const PRESENCE: Rate = { burst: 20_000, perSecond: 200 };
/** Longest message body: longer than any chat line or form, shorter than what a slow parser could be kept busy with. */
const MAX_BODY = 10_000;
/** Requests under way at once: a command waits for up to ten seconds, and each holds its stanza. */
const MAX_UNDER_WAY = 2_000;

/**
 * Give each stanza to the module whose business it is. Strangers are told apart here, once for all modules: design §3.3.
 *
 * @throws {Error} when two modules answer the same request: a bug, found at the start.
 */
export function router(verbs: Verbs, modules: readonly XepModule[], { reply = () => {}, isPartner = () => false }: RouterOptions = {}): Router {
	const routes = tableOf(modules);
	const asking = new RateLimit(ASKING, verbs.clock);
	const presence = new RateLimit(PRESENCE, verbs.clock);
	const repeats = new Repeats(verbs.clock);
	let underWay = 0;

	function receive(stanza: Element): void {
		const { from = "", to = "", type } = stanza.attrs;
		const who = whoOf(from);
		const address = resolve(verbs, to);
		if (who === undefined || address === undefined) return verbs.log.debug({ from, to }, "a stanza without a usable address");
		const letIn = isLetIn(verbs, who, address.id, address.twin);
		switch (stanza.name) {
			case "iq":
				if (isRequest(stanza)) return hearRequest(stanza, who, address, letIn);
				if (type === "result" || type === "error") reply(stanza);
				return;
			case "message": return hearMessage(incoming(stanza, who, address, letIn));
			case "presence":
				if (!presence.take(who)) return;
				tell((module) => module.presence?.(incoming(stanza, who, address, letIn)));
				return;
			default: return;
		}
	}

	function hearRequest(iq: Element, who: string, address: Address, letIn: boolean): void {
		const allowed = isPartner(who) || asking.take(who);
		const payload = payloadOf(iq);
		const route = payload && findRoute(iq, payload, address);
		if (!letIn && (!allowed || route?.open !== true || address.id !== GATEWAY_ID)) {
			if (allowed) verbs.say(unavailableTo(iq));
			return;
		}
		if (!allowed) return void verbs.say(refuse(iq, new GatewayError("busy", "Cannot take this request: there were too many in too short a time; ask again in a few seconds")));
		if (payload === undefined) return void verbs.say(errorReply(iq, "modify", "bad-request", `Cannot read this request: it has ${iq.elements().length} payload elements, and must have one`));
		if (route === undefined) return void verbs.say(unavailableTo(iq));
		const { from = "", to = "" } = iq.attrs;
		const type = iq.attrs["type"] === "set" ? "set" : "get";
		const request: Request = { iq, type, payload, from, who, to, toBare: address.isBare, twin: address.twin };
		if (underWay >= MAX_UNDER_WAY) return void verbs.say(refuse(iq, new GatewayError("busy", "Cannot take this request: too many are under way; ask again in a few seconds")));
		underWay++;
		const answering = type === "set" ? repeats.once(iq, payload, () => answer(route, request)) : answer(route, request);
		void answering.then((answered) => {
			underWay--;
			verbs.say(answered);
		});
	}

	/** Never rejects. */
	async function answer(route: Route, request: Request): Promise<Element> {
		try {
			return resultReply(request.iq, await route.answer(request));
		} catch (error) {
			if (error instanceof GatewayError) return refuse(request.iq, error);
			verbs.log.error({ from: request.who, to: request.to, xmlns: route.xmlns, error: messageOf(error) }, "a module failed on a request");
			return errorReply(request.iq, "cancel", "internal-server-error");
		}
	}

	function findRoute(iq: Element, payload: Element, { id }: Address): Route | undefined {
		return routes.get(keyOf(payload))?.find(({ type, at }) => (type === "any" || type === iq.attrs["type"]) && (at === "both" || (at === "gateway") === (id === GATEWAY_ID)));
	}

	function hearMessage(heard: Incoming): void {
		const { stanza, who, letIn } = heard;
		const { type } = stanza.attrs;
		if (type === "error") return void tell((module) => module.bounced?.(heard));
		if (type === "headline") return; // RFC 6121 §5.2.2: no reply is expected
		// Receipts come as fast as letters leave.
		const isReceipt = stanza.child("received", NS_RECEIPTS) !== undefined && stanza.child("body") === undefined;
		const allowed = isReceipt || isPartner(who) || asking.take(who);
		if (!allowed) {
			if (letIn) verbs.say(refuse(stanza, new GatewayError("busy", "Cannot take this message: there were too many in too short a time; write again in a few seconds")));
			return;
		}
		if ((stanza.child("body")?.text().length ?? 0) > MAX_BODY) {
			if (letIn) verbs.say(errorReply(stanza, "modify", "policy-violation", `Cannot read this message: it is longer than ${MAX_BODY} characters`));
			return;
		}
		if (tell((module) => module.message?.(heard) === true)) return;
		if (type === "groupchat" && letIn) verbs.say(unavailableTo(stanza));
	}

	/** Let each module hear it, until one says that it was its own business. A module that fails does not silence the others. */
	function tell(hearing: (module: XepModule) => boolean | void): boolean {
		for (const module of modules) {
			try {
				if (hearing(module) === true) return true;
			} catch (error) {
				verbs.log.error({ error: messageOf(error) }, "a module failed on a stanza");
			}
		}
		return false;
	}

	return { receive };
}

function incoming(stanza: Element, who: string, { id, jid, twin }: Address, letIn: boolean): Incoming {
	const { from = "", to = "" } = stanza.attrs;
	return { stanza, from, who, to, jid, id, twin, letIn };
}

function keyOf({ xmlns, name }: { readonly xmlns: string; readonly name: string }): string {
	return `${name} ${xmlns}`;
}

function tableOf(modules: readonly XepModule[]): ReadonlyMap<string, readonly Route[]> {
	const table = new Map<string, Route[]>();
	for (const route of modules.flatMap((module) => module.routes ?? [])) {
		const same = table.get(keyOf(route)) ?? [];
		const rival = same.find(({ type, at }) => (type === route.type || type === "any" || route.type === "any") && (at === route.at || at === "both" || route.at === "both"));
		if (rival) throw new Error(`Cannot add a second answer to <${route.name} xmlns='${route.xmlns}'/>: found ${rival.type} at ${rival.at} already`);
		table.set(keyOf(route), [...same, route]);
	}
	return table;
}

/** As long as a server may take to deliver again what it could not be sure of. */
const REPEATS_FOR: Millis = 5 * 60_000;
/** Answers kept, a few hundred bytes each. */
const MAX_REPEATS = 2_000;

/** A set that is delivered twice is executed once, and answered twice: a replay must not switch anything again. */
class Repeats {
	readonly #clock: Clock;
	readonly #answers = new Map<string, { readonly at: UnixMillis; readonly reply: Promise<Element> }>();

	constructor(clock: Clock) {
		this.#clock = clock;
	}

	once({ attrs: { from = "", to = "", id } }: Element, payload: Element, run: () => Promise<Element>): Promise<Element> {
		if (id === undefined) return run();
		const now = this.#clock.now();
		for (const [key, { at }] of this.#answers) {
			if (now - at < REPEATS_FOR && this.#answers.size < MAX_REPEATS) break;
			this.#answers.delete(key);
		}
		// With the payload: an id that a client uses again with other content is another request.
		const key = createHash("sha1").update([from, to, id, payload.toString()].join("\0")).digest("base64");
		const before = this.#answers.get(key);
		if (before) return before.reply;
		const reply = run();
		this.#answers.set(key, { at: now, reply });
		return reply;
	}
}
