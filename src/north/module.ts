import type { Access } from "../core/access.js";
import type { Clock } from "../core/clock.js";
import type { Command, Outcome } from "../core/command.js";
import type { History } from "../core/journal.js";
import type { Log } from "../core/log.js";
import type { Registry } from "../core/registry.js";
import type { GatewayStatus } from "../core/status.js";
import type { Change, Twin } from "../core/twin.js";
import type { Question } from "../xmpp/requests.js";
import type { Element } from "../xmpp/xml.js";

/** What the roof hands to a module: verbs, never a link and never the stream. */
export interface Verbs {
	/** The component's domain: a device is `<id>@<domain>`. */
	readonly domain: string;
	/** What people call this gateway. */
	readonly name: string;
	readonly registry: Registry;
	/** The rules of this moment: another object after the config has changed. */
	readonly access: Access;
	readonly clock: Clock;
	readonly log: Log;
	/** Send a stanza, or drop it while the uplink is down: false then. Strings are ready-made stanzas. */
	say(stanza: Element | string): boolean;
	/** Is the uplink online? */
	online(): boolean;
	/** Ask somebody, and wait for the result. @throws {RequestError} for an error, and for no answer within `timeoutMs` (30 s) or while offline. */
	ask(question: Question, options?: { readonly timeoutMs?: number; readonly signal?: AbortSignal }): Promise<Element>;
	/** The past, as far as the journal keeps it. What an asker may see of it is the module's business. */
	readonly history: History;
	/** How the gateway itself is. */
	status(): GatewayStatus;
	/**
	 * Run a command to its end: the one path of every door.
	 *
	 * @throws {GatewayError} any fault of design §3.4; nothing was sent when it is `unknown-…`, `not-writable`, `bad-value`, `forbidden` or `busy`.
	 */
	execute(command: Command): Promise<Outcome>;
}

/** An iq request that has passed the door: well formed, and from somebody who may know that the address exists. */
export interface Request {
	readonly iq: Element;
	readonly type: "get" | "set";
	readonly payload: Element;
	/** The asker's full JID, as the server states it. */
	readonly from: string;
	/** The asker's bare JID, normalised: what access is decided by. */
	readonly who: string;
	/** The address that was asked, as written. */
	readonly to: string;
	/** Was the bare address asked, and not a resource? */
	readonly toBare: boolean;
	/** The device that was asked; nothing for the gateway itself. */
	readonly twin: Twin | undefined;
}

/** One kind of iq request that a module answers. */
export interface Route {
	readonly type: "get" | "set" | "any";
	readonly xmlns: string;
	readonly name: string;
	/** Which addresses answer it. */
	readonly at: "device" | "gateway" | "both";
	/** Answered to people without an access rule too. Only at the gateway's own address. */
	readonly open?: true;
	/** The payload of the result, or nothing for an empty result. A thrown GatewayError becomes a stanza error. */
	answer(request: Request): Promise<Element | undefined> | Element | undefined;
}

/** A message or presence for a device or the gateway, from anybody: see `letIn`. */
export interface Incoming {
	readonly stanza: Element;
	readonly from: string;
	readonly who: string;
	readonly to: string;
	/** The bare JID of `to`, normalised. */
	readonly jid: string;
	/** The device id that `to` names, unescaped; empty for the gateway itself. */
	readonly id: string;
	/** Nothing for the gateway itself, and for a device that does not exist. */
	readonly twin: Twin | undefined;
	/** May the sender know that the address exists? If not, nothing may come back that differs from silence. */
	readonly letIn: boolean;
}

/** What a disco node is, and what it lists (XEP-0030 §3.2, §4.2). */
export interface DiscoNode {
	readonly identities: readonly Identity[];
	readonly features: readonly string[];
	readonly items: readonly DiscoItem[];
}

/** Of the registry of disco categories; without `xml:lang`, which some clients leave out of the caps hash. */
export interface Identity {
	readonly category: string;
	readonly type: string;
	readonly name: string;
}

export interface DiscoItem {
	readonly jid: string;
	readonly node?: string;
	readonly name?: string;
}

/** One XEP or feature: what it tells of itself, what it answers, what it sends of its own accord. */
export interface XepModule {
	/** Namespaces that disco#info announces (XEP-0030). */
	readonly features?: { readonly device?: readonly string[]; readonly writableDevice?: readonly string[]; readonly gateway?: readonly string[] };
	readonly routes?: readonly Route[];
	/** A disco node of this module's; nothing when the node is none of its own. The asker has been let in. */
	node?(request: Request, node: string): DiscoNode | undefined;
	/** A message. True when it was this module's business, and nobody else's. */
	message?(incoming: Incoming): boolean;
	/** A message of ours came back: of type error, and never answered. */
	bounced?(incoming: Incoming): void;
	presence?(incoming: Incoming): void;
	/** Something became different south of here, as far as the report policy lets it out. */
	changed?(change: Change): void;
	/** A device is new, or its source described it anew. */
	added?(twin: Twin): void;
	/** The device gets another id: `from` is the one it had. Comes before `removed()`, which tells of the old one; `added()` follows under the new one. */
	renamed?(from: string, twin: Twin): void;
	/** Its source took the device back: it is no longer in the registry. */
	removed?(twin: Twin): void;
	/** The uplink came online, again or for the first time. */
	connected?(): void;
	/** The rules are others now: `Verbs.access` is. */
	accessChanged?(): void;
	/** The uplink was lost: what was on its way may be lost with it. */
	disconnected?(): void;
	/** Last words before the stream closes. Bounded by the caller. */
	closing?(): void;
}
