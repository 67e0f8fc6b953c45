// When a value is worth telling: the conditions of event subscriptions, and of `watch` in chat.
import type { Millis, UnixMillis } from "./clock.js";
import type { Reading } from "./reading.js";
import { isNumeric, type Value } from "./value.js";
import type { Trigger } from "./watch.js";

/** What can be compared: a number, or a text of which only sameness and order count. */
export type Magnitude = number | string;

/** A truth counts as 0 or 1, a number as itself, whatever its unit; a text as itself. */
export function magnitudeOf(value: Value): Magnitude {
	if (typeof value === "boolean") return value ? 1 : 0;
	return isNumeric(value) ? value.number : value;
}

/** Differences are taken of decimal digits: 72.0 is 0.5 above 71.5, whatever doubles make of it. */
const EXACT = 1e-9;

/** How far it is from `before` to `after`. Of texts each change is 1, upwards when the new one comes later in the alphabet. */
export function changeBetween(before: Magnitude, after: Magnitude): number {
	if (typeof before === "number" && typeof after === "number") return after - before;
	if (before === after) return 0;
	return String(after) > String(before) ? 1 : -1;
}

/**
 * Is the way from what was told to what is now far enough? `by` goes before `up` and `down`; a trigger without any of them
 * is met by each change. "At least" and not "more than", as the text has it: a boolean changes by 1 and is watched by 1.
 */
export function isMet({ by, up, down }: Trigger, told: Magnitude, now: Magnitude): boolean {
	const change = changeBetween(told, now);
	const slack = EXACT * Math.max(1, ...[told, now].map((one) => (typeof one === "number" ? Math.abs(one) : 1)));
	const rise = by ?? up;
	const fall = by ?? down;
	if (rise === undefined && fall === undefined) return typeof told === "number" && typeof now === "number" ? Math.abs(change) > slack : change !== 0;
	if (change > 0) return rise !== undefined && change >= rise - slack;
	return change < 0 && fall !== undefined && -change >= fall - slack;
}

export interface EventRuleOptions {
	/** By point. */
	readonly triggers: ReadonlyMap<string, Trigger>;
	/** For points without an entry; nothing: those never make an event. */
	readonly otherwise?: Trigger;
	/** Two events are never nearer than this. */
	readonly minInterval?: Millis;
	/** An event anyway, when there was none for so long. */
	readonly maxInterval?: Millis;
	/** What the subscriber has: goes before `Trigger.current`. The first value of a point of which he has nothing is an event. */
	readonly told?: ReadonlyMap<string, Value>;
	/** When he was told something last; nothing: never, so that the first event need not wait. */
	readonly toldAt?: UnixMillis;
	/** The first event is due at once, without a cause. */
	readonly atOnce?: boolean;
}

/**
 * One subscription's conditions, without a timer of its own: offer it what is new, ask `nextAt` when to come again, and
 * say `fired` with what was told.
 *
 * A trigger that falls into the minimum interval is remembered, and is due at the end of it with the values of then, even
 * if they have gone back by then: that something moved is the news.
 */
export class EventRule {
	readonly #options: EventRuleOptions;
	readonly #told = new Map<string, Magnitude>();
	#suppressed = false;
	/** The last event; before the first one the begin, from which the maximum interval counts. */
	#since: UnixMillis;
	#isFirst: boolean;

	constructor(options: EventRuleOptions, now: UnixMillis) {
		this.#options = options;
		this.#since = options.toldAt ?? now;
		this.#isFirst = options.toldAt === undefined;
		this.#suppressed = options.atOnce ?? false;
		for (const [point, { current }] of options.triggers) if (current !== undefined) this.#told.set(point, current);
		for (const [point, value] of options.told ?? []) this.#told.set(point, magnitudeOf(value));
	}

	/**
	 * Look at what is new. True when an event is due at once.
	 *
	 * @param aged Points whose value has become stale, or is fresh again: for whoever waits for a change of them that is news, since no change may come.
	 */
	offer(readings: readonly Pick<Reading, "point" | "value">[], now: UnixMillis, aged: readonly string[] = []): boolean {
		if (!this.#suppressed) this.#suppressed = readings.some((reading) => this.#isTrigger(reading)) || aged.some((point) => this.#triggerOf(point) !== undefined);
		return this.isDue(now);
	}

	/** A trigger has come, and nobody was told yet: what a subscriber who was away is owed. */
	get suppressed(): boolean {
		return this.#suppressed;
	}

	/** Is an event due? */
	isDue(now: UnixMillis): boolean {
		if (now < this.#since) this.#since = now; // the clock was set back: intervals begin anew, and are not waited for twice
		return now >= (this.nextAt ?? Infinity);
	}

	/** When an event will be due if nothing else happens; in the past when it is due already. Nothing: not before a trigger comes. */
	get nextAt(): UnixMillis | undefined {
		const { minInterval = 0, maxInterval } = this.#options;
		const earliest = this.#isFirst ? this.#since : this.#since + minInterval;
		if (this.#suppressed) return earliest;
		return maxInterval === undefined ? undefined : Math.max(earliest, this.#since + maxInterval);
	}

	/** An event was told, with these values among others: from now on changes are measured from them. */
	fired(values: readonly Pick<Reading, "point" | "value">[], now: UnixMillis): void {
		for (const { point, value } of values) if (this.#triggerOf(point)) this.#told.set(point, magnitudeOf(value));
		this.#suppressed = false;
		this.#isFirst = false;
		this.#since = now;
	}

	#isTrigger({ point, value }: Pick<Reading, "point" | "value">): boolean {
		const trigger = this.#triggerOf(point);
		if (trigger === undefined) return false;
		const told = this.#told.get(point);
		return told === undefined || isMet(trigger, told, magnitudeOf(value));
	}

	#triggerOf(point: string): Trigger | undefined {
		return this.#options.triggers.get(point) ?? this.#options.otherwise;
	}
}
