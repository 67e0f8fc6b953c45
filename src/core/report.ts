// What leaves the gateway: deadband, heartbeat, age and pace of each point. The journal keeps every reading regardless.
// Above 300 lines: what is told at once and what time brings are one decision, and must not be made in two places.
import { matches } from "./access.js";
import type { Millis, UnixMillis } from "./clock.js";
import type { Device } from "./device.js";
import { isStale } from "./point.js";
import type { Reading } from "./reading.js";
import type { Change, Twin } from "./twin.js";
import { isNumeric, sameValue } from "./value.js";

/** How small a change is none: in the unit of the point, or in percent of the value that was told last. */
export type Deadband = { readonly absolute: number } | { readonly percent: number };

/** One rule of `report:`. */
export interface ReportRule {
	/** Patterns `DEVICE.POINT`; `*` matches any characters, dots included. */
	readonly points: readonly string[];
	/** A number that differs by less than this from the one that was told last is not told. Other kinds have every change told. */
	readonly deadband?: Deadband;
	/** A value that nobody was told for so long is told again, with the time that its source gave it. */
	readonly heartbeat?: Millis;
	/** A point is told at most so often; what comes too early is told at the end of the interval, the newest only. */
	readonly minInterval?: Millis;
	/** A value that is older than this is stale: see `isStale()`. */
	readonly maxAge?: Millis;
}

/** The rule that speaks of this point: the first that matches. */
export function ruleOf(rules: readonly ReportRule[], device: string, point: string): ReportRule | undefined {
	const name = `${device}.${point}`;
	return rules.find(({ points }) => points.some((pattern) => matches(pattern, name)));
}

/** One point with a rule. */
interface Track {
	readonly point: string;
	readonly rule: ReportRule;
	/** What was told last; nothing before the first time. */
	told: Reading | undefined;
	/** When: heartbeat and interval count from here. Before the first time: when the point was first seen. */
	since: UnixMillis;
	/** It was told as stale. */
	stale: boolean;
	/** Somebody has set it: until then every value that differs is told. */
	wanted: { readonly from: UnixMillis; readonly until: UnixMillis } | undefined;
}

/** One device with such points. */
interface Entry {
	readonly twin: Twin;
	device: Device;
	tracks: Map<string, Track>;
	/** The earliest moment at which time may change something; perhaps too early, never too late. */
	due: UnixMillis;
	/** Where it waits for that. */
	slot: Set<Entry> | undefined;
}

/** The rule of a point that has lost its own: what was held back is told, and then it is forgotten. */
const NO_RULE: ReportRule = { points: [] };
/** Seconds ahead that the queue knows. What is due later is looked at once in so long, and put back. */
const SLOTS = 256;
const SECOND: Millis = 1_000;
/** Devices that are looked at without a pause: a millisecond or two, where each has ten points. */
const AT_ONCE = 250;
/** As in `sameValue()`: 21.3 differs from 21.1 by 0.2, whatever binary fractions say. */
const ROUNDING = 1e-9;

/**
 * Decides what of each change is told, and when something is to be told because of the time.
 *
 * `take()` looks at the readings whose value changed (`Twin.apply()` has no others), in O(1) for each. All else is read off
 * the twin when its time has come: a heartbeat and the end of an interval tell the newest reading, with its own time. That
 * a stale point is fresh again though its value is the same is known by the twin itself, and comes in `Change.aged`.
 *
 * A point without a rule has every change told, and costs nothing.
 */
export class ReportPolicy {
	#rules: readonly ReportRule[];
	readonly #entries = new Map<Twin, Entry>();
	/** A wheel of seconds: an entry waits in slot `second % SLOTS`. One entry is in one slot at most. */
	readonly #wheel: Set<Entry>[] = Array.from({ length: SLOTS }, () => new Set<Entry>());
	/** The last second that was looked at. */
	#second: number | undefined;

	constructor(rules: readonly ReportRule[] = []) {
		this.#rules = rules;
	}

	/**
	 * Other rules from now on. What they would not have held back is told by the next `due()`.
	 *
	 * The points' own `maxAge` is the registry's business: tell it first.
	 */
	replace(rules: readonly ReportRule[], now: UnixMillis): void {
		this.#rules = rules;
		for (const entry of this.#entries.values()) this.#resolve(entry, now);
	}

	/** A device is new, is described anew, or got values from the store: those age, and are repeated, though nothing comes in. */
	follow(twin: Twin, now: UnixMillis): void {
		if (this.#rules.length === 0 && !this.#entries.has(twin)) return;
		this.#schedule(this.#entryOf(twin, now), now);
	}

	/** The device is gone. */
	forget(twin: Twin): void {
		const entry = this.#entries.get(twin);
		entry?.slot?.delete(entry);
		this.#entries.delete(twin);
	}

	/**
	 * Somebody has set this point: for so long every value that differs from the told one is told, however small the difference,
	 * since whoever has set something wants to see it. The interval is kept all the same.
	 */
	expect(twin: Twin, point: string, now: UnixMillis, within: Millis): void {
		if (this.#rules.length === 0) return;
		const entry = this.#entryOf(twin, now);
		const track = entry.tracks.get(point);
		if (!track) return;
		track.wanted = { from: now, until: now + within };
		// The device may report just what was held back before: that is no change, and comes to light then.
		this.#schedule(entry, now + within);
	}

	/** What of a change is told now. `availability` passes. */
	take(change: Change, now: UnixMillis): Change {
		const { twin, readings, availability } = change;
		if (this.#rules.length === 0 && this.#entries.size === 0) return change;
		const entry = this.#entryOf(twin, now);
		const { points } = twin.device;
		const told: Reading[] = [];
		const aged: string[] = [];
		let due = Infinity;
		for (const reading of readings) {
			const track = entry.tracks.get(reading.point);
			if (!track) {
				told.push(reading);
				continue;
			}
			if (track.since > now) track.since = now; // the clock was set back
			if (isNews(track, reading, isKeen(track, now)) && mayBeTold(track, now)) {
				tell(track, reading, now);
				told.push(reading);
			}
			if (this.#ages(track, twin, now)) aged.push(reading.point);
			due = Math.min(due, dueOf(track, reading, points[reading.point]?.maxAge));
		}
		for (const point of change.aged ?? []) {
			const track = entry.tracks.get(point);
			if (!track || aged.includes(point)) continue;
			if (this.#ages(track, twin, now)) aged.push(point);
			due = Math.min(due, this.#dueOf(track, twin));
		}
		if (due < entry.due) this.#schedule(entry, due);
		return { twin, readings: told, availability, ...(aged.length > 0 && { aged }) };
	}

	/**
	 * What time brings: ends of intervals, heartbeats, points that have become stale. Ask once a second.
	 *
	 * One at a time; what is left when the asker stops comes with the next call. Nothing, now and then, is a good moment to let
	 * others go ahead: ten thousand heartbeats may be due in one second.
	 */
	*due(now: UnixMillis): Generator<Change | undefined> {
		let looks = 0;
		const second = Math.floor(now / SECOND);
		if (this.#second !== undefined && second < this.#second) this.#setBack(second);
		const before = this.#second ?? second - SLOTS;
		for (let at = Math.max(before + 1, second - SLOTS + 1); at <= second; at++) {
			const slot = this.#wheel[at % SLOTS]!;
			if (slot.size === 0) continue;
			this.#wheel[at % SLOTS] = new Set();
			this.#second = at;
			try {
				for (const entry of slot) {
					slot.delete(entry);
					entry.slot = undefined;
					const change = entry.due > now ? undefined : this.#evaluate(entry, now);
					this.#place(entry, second);
					if (change) yield change;
					if (++looks % AT_ONCE === 0) yield undefined;
				}
			} finally {
				for (const entry of slot) this.#place(entry, at);
			}
		}
		this.#second = second;
	}

	#evaluate(entry: Entry, now: UnixMillis): Change | undefined {
		const { twin, tracks } = entry;
		if (entry.device !== twin.device) this.#resolve(entry, now);
		const readings: Reading[] = [];
		const aged: string[] = [];
		entry.due = Infinity;
		for (const track of tracks.values()) {
			const reading = twin.readings.get(track.point);
			if (reading) {
				if (track.since > now) track.since = now;
				const isRepeated = now - track.since >= (track.rule.heartbeat ?? Infinity);
				// What was never told, and is not news either, came from the store: contacts have been shown it as it is.
				if ((isRepeated || (track.told && isNews(track, reading, isAnswer(track, reading) || now >= (track.wanted?.until ?? Infinity)))) && mayBeTold(track, now)) {
					tell(track, reading, now);
					readings.push(reading);
				}
				if (!isKeen(track, now)) track.wanted = undefined;
				if (this.#ages(track, twin, now)) aged.push(track.point);
			}
			if (track.rule === NO_RULE) tracks.delete(track.point);
			else entry.due = Math.min(entry.due, this.#dueOf(track, twin));
		}
		if (tracks.size === 0 && this.#rules.length === 0) this.forget(twin);
		return readings.length === 0 && aged.length === 0 ? undefined : { twin, readings, availability: false, ...(aged.length > 0 && { aged }) };
	}

	/** Is it stale now, and was not told so, or the other way round? Then it will be told. */
	#ages(track: Track, twin: Twin, now: UnixMillis): boolean {
		const stale = isStale(twin.device.points[track.point], twin.readings.get(track.point), now);
		if (stale === track.stale) return false;
		track.stale = stale;
		return true;
	}

	#dueOf(track: Track, twin: Twin): UnixMillis {
		const reading = twin.readings.get(track.point);
		return reading ? dueOf(track, reading, twin.device.points[track.point]?.maxAge) : Infinity;
	}

	#entryOf(twin: Twin, now: UnixMillis): Entry {
		let entry = this.#entries.get(twin);
		if (!entry) {
			this.#entries.set(twin, entry = { twin, device: twin.device, tracks: new Map(), due: Infinity, slot: undefined });
			this.#resolve(entry, now);
		} else if (entry.device !== twin.device) this.#resolve(entry, now);
		return entry;
	}

	/** Which rule each point has: asked once, until the rules or the device are others. What was told stays told. */
	#resolve(entry: Entry, now: UnixMillis): void {
		const { twin, tracks: before } = entry;
		entry.device = twin.device;
		entry.tracks = new Map();
		for (const point of Object.keys(twin.device.points)) {
			const known = before.get(point);
			const rule = ruleOf(this.#rules, twin.device.id, point) ?? (known && NO_RULE);
			if (rule) entry.tracks.set(point, known ? { ...known, rule } : { point, rule, told: undefined, since: now, stale: false, wanted: undefined });
		}
		if (entry.tracks.size > 0 || this.#rules.length === 0) this.#schedule(entry, -Infinity);
	}

	// ---- The wheel ----

	#schedule(entry: Entry, due: UnixMillis): void {
		if (entry.slot && due >= entry.due) return;
		entry.due = Math.min(due, entry.due);
		this.#place(entry, this.#second);
	}

	/** @param after The last second that is over. */
	#place(entry: Entry, after: number | undefined): void {
		entry.slot?.delete(entry);
		entry.slot = undefined;
		if (entry.due === Infinity || this.#entries.get(entry.twin) !== entry) return;
		// Before the first call any slot will do: that one looks at all of them.
		const second = after === undefined ? 0 : Math.min(Math.max(Math.ceil(entry.due / SECOND), after + 1), after + SLOTS - 1);
		entry.slot = this.#wheel[second % SLOTS]!;
		entry.slot.add(entry);
	}

	/** The clock was set back: moments that are yet to come were before that. */
	#setBack(second: number): void {
		for (const entry of this.#entries.values()) {
			entry.due = -Infinity;
			this.#place(entry, second - 1);
		}
		this.#second = second - 1;
	}
}

function tell(track: Track, reading: Reading, now: UnixMillis): void {
	track.told = reading;
	track.since = now;
}

function mayBeTold({ told, rule, since }: Track, now: UnixMillis): boolean {
	return told === undefined || now - since >= (rule.minInterval ?? 0);
}

/** Does somebody wait for what he has set? */
function isKeen({ wanted }: Track, now: UnixMillis): boolean {
	return wanted !== undefined && now >= wanted.from && now < wanted.until;
}

/** Was it heard after that? */
function isAnswer({ wanted }: Track, { received }: Reading): boolean {
	return wanted !== undefined && received >= wanted.from;
}

/** Is it news to who knows what was told? `keen`: however little differs. */
function isNews({ told, rule: { deadband } }: Track, { value, quality }: Reading, keen: boolean): boolean {
	if (!told || told.quality !== quality) return true;
	if (sameValue(told.value, value)) return false;
	if (!deadband || !isNumeric(value) || !isNumeric(told.value) || keen) return true;
	const least = "absolute" in deadband ? deadband.absolute : Math.abs(told.value.number) * deadband.percent / 100;
	return Math.abs(value.number - told.value.number) >= least - ROUNDING * Math.max(1, Math.abs(told.value.number));
}

/** When time may change something for this point next, its newest reading being this one. */
function dueOf(track: Track, reading: Reading, maxAge: Millis | undefined): UnixMillis {
	const { told, rule: { heartbeat = Infinity, minInterval = 0 }, since, stale, wanted } = track;
	const interval = told && isNews(track, reading, isAnswer(track, reading)) ? since + minInterval : Infinity;
	const repeat = since + Math.max(heartbeat, minInterval);
	const ageing = stale || maxAge === undefined ? Infinity : reading.ageUnknown ? -Infinity : Math.min(reading.at, reading.received) + maxAge + 1;
	return Math.min(interval, repeat, ageing, wanted?.until ?? Infinity);
}
