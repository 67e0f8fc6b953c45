import { type Availability, Damper, graceOf, type Judgement, judge, LATE_AFTER, type LinkKind, type Statement } from "./availability.js";
import type { Millis, UnixMillis } from "./clock.js";
import type { Device } from "./device.js";
import { GatewayError } from "./errors.js";
import { checkValue, findPoint, isReadable, isStale, isWritable, type Point } from "./point.js";
import type { Reading } from "./reading.js";
import { isNumeric, sameValue, type Value } from "./value.js";

/** What one event changed. Modules of the north wing turn it into stanzas. */
export interface Change {
	readonly twin: Twin;
	/** Readings to be told: those whose value is not the one before; after the report policy also those that it repeats, with their old times. */
	readonly readings: readonly Reading[];
	/** The availability is not the one before, or it has begun or ceased to flap. */
	readonly availability: boolean;
	/** Points whose last value has become stale, or is fresh again, while it may be the same value. */
	readonly aged?: readonly string[];
}

/** A source clock may be this much ahead; what claims to be later than that does not hold back what comes after it. */
const CLOCK_TOLERANCE: Millis = 60_000;

/**
 * A late or a retained message must not overwrite what came after it. Only a time that a source states says what is late.
 *
 * @param upSince Since when the link is up: what a broker has retained may be newer than what was heard before.
 */
function isOlder(reading: Reading, before: Reading, upSince: UnixMillis, now: UnixMillis): boolean {
	if (before.received > now) return false; // the clock of this machine was set back
	if (reading.ageUnknown) return !before.ageUnknown && (before.received >= upSince || sameValue(before.value, reading.value));
	const isStated = reading.at !== reading.received;
	return isStated && reading.at < before.at && before.at <= before.received + CLOCK_TOLERANCE && now - before.received < STATED_TIME_LASTS;
}

/** A source whose clock fell back for good is believed again after this long. */
const STATED_TIME_LASTS: Millis = 15 * 60_000;
/** Two messages that follow each other sooner than this part of the rhythm are one sign of life. */
const ONE_BEAT = 0.25;

/** What the gateway knows of one device now: its last readings, and whether it is there. */
export class Twin {
	#device: Device;
	#last = new Map<string, Reading>();
	/** What the evidence says, and what is told of that: see `Damper`. */
	#judged: Judgement = { availability: "unknown", reason: "not heard from yet" };
	#shown: Judgement = this.#judged;
	readonly #damper = new Damper();
	#isFlapping = false;
	#since: UnixMillis;
	/** When its link came up. */
	#upSince: UnixMillis;
	#linkDown: { since: UnixMillis; reason: string; grace: Millis } | undefined;
	#said: { state: Statement; at: UnixMillis; reason?: string } | undefined;
	#heard: UnixMillis | undefined;
	#irregular = false;
	#listeners = new Set<(reading: Reading) => void>();

	constructor(device: Device, now: UnixMillis) {
		this.#device = device;
		this.#since = now;
		this.#upSince = now;
	}

	get device(): Device {
		return this.#device;
	}

	get availability(): Availability {
		return this.#shown.availability;
	}

	/** Why, for people; nothing where the word says it all. */
	get reason(): string | undefined {
		return this.#shown.reason;
	}

	/** It comes and goes so often that it is no longer told each time; `reason` says how often. */
	get flapping(): boolean {
		return this.#isFlapping;
	}

	/** When the availability became what it is. */
	get since(): UnixMillis {
		return this.#since;
	}

	/** The last live message. */
	get heard(): UnixMillis | undefined {
		return this.#heard;
	}

	/** The last reading of each point, in the order of the points. */
	get readings(): ReadonlyMap<string, Reading> {
		return this.#last;
	}

	/** Can a command reach it? Late and unknown devices are given the chance; the answer is theirs. */
	get reachable(): boolean {
		return this.#judged.availability !== "offline" && this.#linkDown === undefined;
	}

	/** Its source describes it anew. Readings of points that it no longer has, or has of another kind, are dropped. */
	redefine(device: Device): void {
		for (const [name, point] of Object.entries(this.#device.points)) {
			if (!Object.hasOwn(device.points, name) || device.points[name]!.kind !== point.kind) this.#last.delete(name);
		}
		this.#device = device;
	}

	/** Readings of the past, from the store: values, but no sign of life and no confirmation. */
	restore(readings: readonly Reading[]): void {
		for (const reading of readings) {
			if (!Object.hasOwn(this.#device.points, reading.point)) continue;
			if (isNumeric(reading.value) === (this.#device.points[reading.point]!.kind === "numeric")) this.#last.set(reading.point, reading);
		}
	}

	/**
	 * Take readings in, and say what is new. The twin is the buffer: the newest reading wins.
	 *
	 * @param live False for retained messages: those give values, and no life.
	 */
	apply(readings: readonly Reading[], live: boolean, now: UnixMillis): Change {
		const changed: Reading[] = [];
		const aged: string[] = [];
		for (const reading of readings) {
			const before = this.#last.get(reading.point);
			if (before && isOlder(reading, before, this.#upSince, now)) continue;
			this.#last.set(reading.point, reading);
			if (!before || !sameValue(before.value, reading.value)) changed.push(reading);
			const point = this.#device.points[reading.point];
			if (before && isStale(point, before, now) !== isStale(point, reading, now)) aged.push(reading.point);
			if (live) for (const listen of [...this.#listeners]) listen(reading);
		}
		if (live) this.#hear(now);
		return { ...this.#change(changed, now), ...(aged.length > 0 && { aged }) };
	}

	/** A live message without a reading. */
	alive(now: UnixMillis): Change {
		this.#hear(now);
		return this.#change([], now);
	}

	/** An availability topic, a last will or a description speaks of this device. */
	say(state: Statement, reason: string | undefined, now: UnixMillis): Change {
		this.#said = { state, at: now, ...(reason !== undefined && { reason }) };
		return this.#change([], now);
	}

	/** Its link came up, or went down for a reason. What was known of its life ends with an outage that is longer than the grace of its kind. */
	link(down: string | undefined, now: UnixMillis, kind?: LinkKind): Change {
		if (down !== undefined) this.#linkDown ??= { since: now, reason: down, grace: graceOf(kind) };
		else if (this.#linkDown) {
			if (now - this.#linkDown.since >= this.#linkDown.grace) this.#heard = this.#said = undefined;
			this.#linkDown = undefined;
			this.#upSince = now;
		}
		return this.#change([], now);
	}

	/** What silence means by now. */
	judge(now: UnixMillis): Change {
		return this.#change([], now);
	}

	/** Every live reading from now on, until the answer is called. For who waits for a confirmation. */
	listen(hear: (reading: Reading) => void): () => void {
		this.#listeners.add(hear);
		return () => this.#listeners.delete(hear);
	}

	/** The point of this name. @throws {GatewayError} `unknown-point`. */
	point(name: string): readonly [name: string, point: Point] {
		const found = findPoint(this.#device.points, name);
		if (!found) throw new GatewayError("unknown-point", `Cannot find "${name}": ${this.#device.name} has no such point`); // which ones it has is not for everybody
		return found;
	}

	/** The point that may be read under this name. @throws {GatewayError} `unknown-point`, `not-readable`. */
	readable(name: string): readonly [name: string, point: Point] {
		const found = this.point(name);
		if (!isReadable(found[1])) throw new GatewayError("not-readable", `Cannot read "${found[0]}": it can only be set`);
		return found;
	}

	/** The point that may be set to this value. @throws {GatewayError} `unknown-point`, `not-writable`, `bad-value`. */
	writable(name: string, value: Value): readonly [name: string, point: Point] {
		const found = this.point(name);
		if (!isWritable(found[1])) throw new GatewayError("not-writable", `Cannot set "${found[0]}": it is read-only`);
		checkValue(found[0], found[1], value);
		return found;
	}

	#hear(now: UnixMillis): void {
		const every = this.#device.every;
		// Several messages of one moment, or one that tells values and life, are one beat.
		if (this.#heard !== undefined && every !== undefined && now >= this.#heard && now - this.#heard < ONE_BEAT * every) return;
		const inRhythm = this.#heard !== undefined && every !== undefined && now - this.#heard <= LATE_AFTER * every;
		if (inRhythm) this.#irregular = false;
		else if (this.#heard !== undefined && every !== undefined) this.#irregular = true;
		this.#heard = now;
	}

	#change(readings: readonly Reading[], now: UnixMillis): Change {
		if (this.#linkDown && this.#linkDown.since > now) this.#linkDown.since = now; // the clock was set back: the grace begins anew
		this.#judged = judge({
			irregular: this.#irregular,
			...(this.#linkDown && { linkDown: this.#linkDown }),
			...(this.#said && { said: this.#said }),
			...(this.#heard !== undefined && { heard: this.#heard }),
			...(this.#device.every !== undefined && { every: this.#device.every }),
		}, this.#judged.availability, now);
		const before = this.#shown;
		const wasFlapping = this.#isFlapping;
		this.#shown = this.#damper.damp(this.#judged, before.availability, now);
		this.#isFlapping = this.#damper.isFlapping;
		const isOther = before.availability !== this.#shown.availability;
		if (isOther) this.#since = now;
		return { twin: this, readings, availability: isOther || wasFlapping !== this.#isFlapping };
	}
}
