import type { Millis, UnixMillis } from "./clock.js";

/** Is the device there? Presence in the gateway's own words; north/presence.ts turns it into RFC 6121 presence. */
export type Availability = "online" | "late" | "faulty" | "asleep" | "offline" | "unknown";

/** What a device, or somebody who knows it, says of its state: an availability topic, a last will, a description. */
export type Statement = "online" | "offline" | "asleep" | "faulty";

/** Everything that availability is judged by. */
export interface Evidence {
	/** Why the link is down; nothing while it is up. */
	readonly linkDown?: { readonly since: UnixMillis; readonly reason: string };
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
/** A link that returns sooner than this has cost nobody his presence. */
export const LINK_GRACE: Millis = 5_000;

/**
 * Judge a device by what is known.
 *
 * An explicit word goes before silence, and offline before everything: only who said it can take it back. Down is told
 * at a threshold, up only after two messages in rhythm (`irregular`), so that a device on the edge does not flap.
 */
export function judge(evidence: Evidence, before: Availability, now: UnixMillis): Judgement {
	const { linkDown, said, heard, every, irregular } = evidence;
	if (linkDown) {
		if (now - linkDown.since < LINK_GRACE && before !== "unknown") return { availability: before };
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

/** A length of time for people: `45 s`, `12 min`, `3 h`, `2 d`. */
export function inWords(span: Millis): string {
	const seconds = Math.max(0, Math.round(span / 1_000));
	if (seconds < 120) return `${seconds} s`;
	if (seconds < 7_200) return `${Math.round(seconds / 60)} min`;
	if (seconds < 172_800) return `${Math.round(seconds / 3_600)} h`;
	return `${Math.round(seconds / 86_400)} d`;
}
