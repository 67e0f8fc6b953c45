/**
 * How a lost connection is to be treated: `transient` mends itself, `conflict` waits for the server to notice that our old connection is dead,
 * `configuration` waits for a human.
 */
export type FaultKind = "transient" | "conflict" | "configuration";

const SECOND = 1000;
/** A human needs minutes to mend a configuration; a server's log should not fill with us meanwhile. */
const CONFIGURATION_DELAY = 60 * SECOND;
const LONGEST = 60 * SECOND;
/** Prosody keeps the old connection of a component (`kick_new`) until it has noticed that it is dead. */
const CONFLICT_SHORTEST = 5 * SECOND;

/**
 * Milliseconds until the next attempt, after `failures` attempts in a row that failed before this one (0 for the first).
 * Exponential with full jitter, so that a fleet does not come back in step: 0 to 1 s, 0 to 2 s, … 0 to 60 s; a conflict 5 to 10 s, … 5 to 60 s.
 */
export function retryDelay(kind: FaultKind, failures: number, random: () => number): number {
	switch (kind) {
		case "transient":
			return Math.round(random() * Math.min(LONGEST, SECOND * 2 ** failures));
		case "conflict":
			return Math.round(CONFLICT_SHORTEST + random() * (Math.min(LONGEST, 2 * CONFLICT_SHORTEST * 2 ** failures) - CONFLICT_SHORTEST));
		case "configuration":
			return CONFIGURATION_DELAY;
		default:
			return kind satisfies never;
	}
}
