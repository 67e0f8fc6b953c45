import type { Millis, UnixMillis } from "./clock.js";

/** Is the device there? Presence in the gateway's own words; north/presence.ts turns it into RFC 6121 presence. */
export type Availability = "online" | "late" | "faulty" | "asleep" | "offline" | "unknown";

/** What a device, or somebody who knows it, says of its state: an availability topic, a last will, a description. */
export type Statement = "online" | "offline" | "asleep" | "faulty";

/** Everything that availability is judged by. */
export interface Evidence {
	/** Why the link is down; nothing while it is up. */
	readonly linkDown?: { readonly since: UnixMillis; readonly reason: string; /** Default: `LINK_GRACE`. */ readonly grace?: Millis };
	readonly said?: { readonly state: Statement; readonly at: UnixMillis; readonly reason?: string };
	/** The last live message; a retained one is no sign of life. */
	readonly heard?: UnixMillis;
	/** How often it should be heard from; nothing where silence is normal. */
	readonly every?: Millis;
	/** Has it been late since, and not yet been heard twice in its rhythm? */
	readonly irregular: boolean;
}

export interface Judgement {
	readonly availability: Availability;
	/** For people; nothing where the word says it all. */
	readonly reason?: string;
}

/** A silence of more than this many intervals is late: one lost message and some jitter are none. */
export const LATE_AFTER = 2.5;
/** And of more than this many is offline. */
export const OFFLINE_AFTER = 5;
/** What a device hangs on. */
export type LinkKind = "mqtt" | "serial";

/** A link that returns sooner than this has cost nobody his presence. For links of a kind that nobody has thought about. */
export const LINK_GRACE: Millis = 5_000;

/**
 * The same by the kind of link.
 *
 * mqtt: a broker that is restarted is back after one to three seconds, and a lost session is tried again after at most 1, 3
 * and 7 s. In 8 s the third attempt has been made, and its handshake is over.
 * serial: an adapter that is enumerated anew is back after two to three seconds, and the port is tried after 0.5, 1.5 and 3.5 s.
 */
export const LINK_GRACES: Readonly<Record<LinkKind, Millis>> = { mqtt: 8_000, serial: 5_000 };

export function graceOf(kind: LinkKind | undefined): Millis {
	return kind === undefined ? LINK_GRACE : LINK_GRACES[kind];
}

/**
 * Judge a device by what is known.
 *
 * An explicit word goes before silence, and offline before everything: only who said it can take it back. Down is told
 * at a threshold, up only after two messages in rhythm (`irregular`), so that a device on the edge does not flap.
 */
export function judge(evidence: Evidence, before: Availability, now: UnixMillis): Judgement {
	const { linkDown, said, heard, every, irregular } = evidence;
	if (linkDown) {
		if (now - linkDown.since < (linkDown.grace ?? LINK_GRACE) && before !== "unknown") return { availability: before };
		return { availability: "unknown", reason: linkDown.reason };
	}
	if (said && said.state !== "online") return { availability: said.state, ...(said.reason !== undefined && { reason: said.reason }) };
	// A word that it is there counts as its voice, and grows old like it.
	const last = Math.max(heard ?? -Infinity, said?.at ?? -Infinity);
	if (last === -Infinity) return { availability: "unknown", reason: before === "unknown" ? "not heard from yet" : "not heard since its link came back" };
	if (every === undefined) return { availability: "online" };
	const silence = Math.max(0, now - last); // the clock of this machine may be set back
	if (silence > OFFLINE_AFTER * every) return { availability: "offline", reason: `nothing heard for ${inWords(silence)}` };
	if (silence > LATE_AFTER * every) return { availability: "late", reason: `nothing heard for ${inWords(silence)}` };
	return irregular ? { availability: "late", reason: "heard again, not yet regularly" } : { availability: "online" };
}

/** Is somebody there to talk to? What presence says of it is `available` in any of its colours. */
export function isThere(availability: Availability): boolean {
	return availability !== "offline" && availability !== "unknown";
}

/** A device that comes and goes more often than this within `FLAP_WINDOW` is flapping: every ninety seconds or so. */
export const MAX_FLAPS = 6;
export const FLAP_WINDOW: Millis = 10 * 60_000;
/** It has calmed down when it neither came nor went for so long: longer than between two changes of what counts as flapping. */
export const CALM_AFTER: Millis = 2 * 60_000;
/** While it flaps, an absence is told when it lasts so long. An explicit offline must be told within 10 s, and its presence may have to wait for 5 s of them behind the one before. */
export const FLAP_DOWN_AFTER: Millis = 4_000;
/** And a return from an absence that was told, when it lasts so long: whoever is away more than he is there is not told as coming and going. */
export const FLAP_UP_AFTER: Millis = 30_000;
/** More changes than this are not counted. */
const MAX_COUNTED = 200;

/**
 * Hides the coming and going of one device: while it flaps it is `late`, with how often it came and went as the reason.
 *
 * An absence that lasts is told all the same. Nothing is counted before it was there, or said not to be, for the first time.
 */
export class Damper {
	#wasThere: boolean | undefined;
	#changes: UnixMillis[] | undefined;
	#isFlapping = false;

	get isFlapping(): boolean {
		return this.#isFlapping;
	}

	/** @param shown What was told before. */
	damp(judged: Judgement, shown: Availability, now: UnixMillis): Judgement {
		const there = isThere(judged.availability);
		if (this.#wasThere === undefined && judged.availability === "unknown") return judged;
		const began = this.#note(there, now);
		if (!this.#isFlapping) return judged;
		const changes = this.#recent(now);
		const lasts = now - (changes.at(-1) ?? -Infinity);
		if (lasts >= CALM_AFTER) {
			this.#isFlapping = false;
			this.#changes = undefined;
			return judged;
		}
		const flapping = `flapping ×${changes.length}${changes.length >= MAX_COUNTED ? " or more" : ""} in ${inWords(FLAP_WINDOW)}`;
		if (there && (began || isThere(shown) || lasts >= FLAP_UP_AFTER)) return { availability: "late", reason: flapping };
		if (there) return { availability: shown, reason: flapping };
		if (began || (isThere(shown) && lasts < FLAP_DOWN_AFTER)) return { availability: "late", reason: flapping };
		return { availability: judged.availability, reason: `${judged.reason ?? judged.availability}; ${flapping}` };
	}

	/** @returns Has it begun to flap by this? */
	#note(there: boolean, now: UnixMillis): boolean {
		const isChange = this.#wasThere !== undefined && this.#wasThere !== there;
		this.#wasThere = there;
		if (!isChange) return false;
		const changes = this.#recent(now);
		changes.push(now);
		if (changes.length > MAX_COUNTED) changes.shift();
		if (this.#isFlapping || changes.length <= MAX_FLAPS) return false;
		this.#isFlapping = true;
		return true;
	}

	/** Those of the last minutes, oldest first. What lies ahead was before the clock was set back, and is as good as now. */
	#recent(now: UnixMillis): UnixMillis[] {
		const changes = (this.#changes ??= []);
		for (let at = changes.length - 1; at >= 0 && changes[at]! > now; at--) changes[at] = now;
		while (changes.length > 0 && now - changes[0]! >= FLAP_WINDOW) changes.shift();
		return changes;
	}
}

/** A length of time for people: `45 s`, `12 min`, `3 h`, `2 d`. */
export function inWords(span: Millis): string {
	const seconds = Math.max(0, Math.round(span / 1_000));
	if (seconds < 120) return `${seconds} s`;
	if (seconds < 7_200) return `${Math.round(seconds / 60)} min`;
	if (seconds < 172_800) return `${Math.round(seconds / 3_600)} h`;
	return `${Math.round(seconds / 86_400)} d`;
}
