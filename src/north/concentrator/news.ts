// Neuro-Foundation Concentrator, "Events": what became of one node, and how two such things become one
// Source: https://neuro-foundation.io/Concentrator.md
import type { UnixMillis } from "../../core/clock.js";

/** What can be subscribed to. Our nodes have no order of their own, so none ever moves. */
export const EVENTS = ["nodeAdded", "nodeUpdated", "nodeStatusChanged", "nodeRemoved", "nodeMovedUp", "nodeMovedDown"] as const;
export type EventName = (typeof EVENTS)[number];

/** Something that became of one node; told as the node is when it is told. */
export interface News {
	readonly event: "nodeAdded" | "nodeUpdated" | "nodeStatusChanged" | "nodeRemoved";
	readonly at: UnixMillis;
	/** The id of a node that had another one before. */
	readonly before?: string;
}

/** Two things that became of one node, as the one that he is told. */
export function merged(before: News | undefined, next: News, events: ReadonlySet<EventName>): News | undefined {
	if (before === undefined) return next;
	if (next.event === "nodeRemoved") return before.event === "nodeAdded" ? undefined : next;
	if (before.event === "nodeAdded") return { ...before, at: next.at };
	if (before.event === "nodeRemoved" && next.event === "nodeAdded" && events.has("nodeUpdated")) return { event: "nodeUpdated", at: next.at }; // he has it still
	if (before.event !== "nodeUpdated") return next;
	if (next.event === "nodeStatusChanged") return { ...before, at: next.at }; // the node that is told has its state
	return { ...next, ...(before.before !== undefined && { before: before.before }) };
}

/** The same, when nobody knows whether the first was heard: right for whoever has heard it, and for whoever has not. */
export function unsure(sent: News, next: News, events: ReadonlySet<EventName>): News {
	if (sent.event === "nodeRemoved") return next;
	return merged(sent, next, events) ?? next; // added, then removed: he may have it
}
