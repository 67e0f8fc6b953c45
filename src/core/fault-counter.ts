import type { Clock, Millis, UnixMillis } from "./clock.js";

/** One kind of fault of one source, counted. */
export interface CountedFault {
	/** Whose: a device's address, a topic, a port. */
	readonly where: string;
	readonly reason: string;
	/** The last thing that showed it, cut short. */
	readonly sample: string;
	readonly count: number;
	readonly first: UnixMillis;
	readonly last: UnixMillis;
}

/** Distinct faults kept; a sender that invents new ones without end pushes out the oldest. */
const MAX_KINDS = 1_000;
/** The same fault is told again after this long, with its count. */
const TELL_EVERY: Millis = 10 * 60_000;
const MAX_SAMPLE = 120;

/** Counts what is wrong with what comes in, so that one bad sender gives one line and not a flood. */
export class FaultCounter {
	readonly #clock: Clock;
	readonly #tell: (fault: CountedFault) => void;
	readonly #faults = new Map<string, CountedFault & { told: UnixMillis }>();

	/** @param tell Called for the first fault of a kind, and for a later one after ten minutes. */
	constructor(clock: Clock, tell: (fault: CountedFault) => void) {
		this.#clock = clock;
		this.#tell = tell;
	}

	count(where: string, reason: string, sample: string): void {
		const now = this.#clock.now();
		const key = `${where}\n${reason}`;
		const before = this.#faults.get(key);
		const due = before === undefined || now - before.told >= TELL_EVERY;
		const fault = { where, reason, sample: sample.slice(0, MAX_SAMPLE), count: (before?.count ?? 0) + 1, first: before?.first ?? now, last: now, told: due ? now : before.told };
		this.#faults.delete(key); // the order of the map is the order of the last occurrence
		this.#faults.set(key, fault);
		if (this.#faults.size > MAX_KINDS) this.#faults.delete(this.#faults.keys().next().value!);
		if (due) this.#tell(fault);
	}

	/** All kinds, the latest last. */
	all(): readonly CountedFault[] {
		return [...this.#faults.values()].map(({ told: _, ...fault }) => fault);
	}
}
