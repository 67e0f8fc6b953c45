import type { Statement } from "../core/availability.js";
import type { UnixMillis } from "../core/clock.js";
import type { Announcement } from "../core/device.js";
import type { Quality } from "../core/reading.js";
import type { Value } from "../core/value.js";
import type { Outgoing, OutMessage, Packet } from "./link.js";

/** A value of a point of a device that the link calls `address`. */
export interface Told {
	readonly address: string;
	readonly point: string;
	readonly value: Value;
	/** The source's own time, where it states one that can be true. */
	readonly at?: UnixMillis;
	/** Default: `good`. */
	readonly quality?: Quality;
}

/** Why a packet, or a part of it, means nothing. */
export interface Misfit {
	/** Whose: an address, else a topic or a line's beginning. */
	readonly where: string;
	readonly reason: string;
	readonly sample: string;
}

/** What one packet means, in the gateway's words. Announcements count before readings, readings before statements. */
export interface Meaning {
	/** Devices that are new, or described anew. */
	readonly announced?: readonly Announcement[];
	/** Addresses of devices that their source took back. */
	readonly gone?: readonly string[];
	readonly told?: readonly Told[];
	readonly states?: readonly { readonly address: string; readonly state: Statement; readonly reason?: string }[];
	/** Addresses of devices that were heard, live, whether or not they told a value. */
	readonly heard?: readonly string[];
	readonly misfits?: readonly Misfit[];
	/** The dialect wants to hear other topics from now on: `Dialect.filters()` has changed. */
	readonly filters?: true;
	/** It says what a device is made of, and announced nothing yet: a description in several messages. It is heard again at the next start, as announcements are. */
	readonly describes?: true;
	/** What must be said in return: a state request, a rebirth. */
	readonly send?: readonly OutMessage[];
}

/** What a broker is told of this gateway itself, for devices that wait until somebody is there. */
export interface Presence {
	/** After each connection, when everything is listened to. */
	readonly birth: readonly OutMessage[];
	/** What the broker says when the connection breaks. A connection has at most one. */
	readonly will?: OutMessage;
	/** Before the gateway itself ends the connection. */
	farewell(now: UnixMillis): readonly OutMessage[];
}

/** Nothing: a packet that is nobody's business. */
export const NOTHING: Meaning = {};

/** Turns packets of one link into meaning, and commands into what the link sends. No I/O and no clock: the same packets, the same meanings. */
export interface Dialect {
	/** The devices that are known without a word from them. */
	announced(): readonly Announcement[];
	/** Never throws for what a packet carries: that is a misfit. */
	decode(packet: Packet): Meaning;
	/** The mirror of decode(). @throws {GatewayError} `unknown-device`, `unknown-point`, `not-writable`, `bad-value`. */
	encode(address: string, point: string, value: Value): readonly Outgoing[];
	/** Topic filters to listen to; links without topics have none. */
	filters?(): readonly string[];
	/** What has to be said by now without anybody's having spoken. To be asked every second while the link is up. */
	due?(now: UnixMillis): readonly OutMessage[];
	/** A connection to the broker begins: what it is told of the gateway. */
	presence?(now: UnixMillis): Presence | undefined;
}
