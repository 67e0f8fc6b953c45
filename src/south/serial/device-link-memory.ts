// Jidway compact device link: which reports were taken before, beyond one opening of the port and one run of the gateway
// Source: docs/device-link.md
// Version: 1
import { createHash } from "node:crypto";
import type { Millis, UnixMillis } from "../../core/clock.js";
import type { Memory, Remembered } from "../link.js";

/** How far two tellings of one report may differ in the moment that they speak of: a crystal of 100 ppm over some hours, and the way over the line. */
const SAME_MOMENT: Millis = 2_000;

interface Known {
	readonly sum: string;
	readonly at: UnixMillis;
	taken: boolean;
	/** Tellings that wait for the first one to be taken. */
	readonly waiting: (() => void)[];
}

/** Tells a report that is sent again, as its acknowledgement was lost, from a new one of the same number: 256 at most, for numbers have eight bits. */
export class ReportMemory {
	readonly #known = new Map<number, Known>();

	constructor(memory?: Memory) {
		for (const { id, hash } of memory?.delivered ?? []) {
			const [sum = "", at = ""] = hash.split("@");
			this.#known.set(id, { sum, at: Number(at), taken: true, waiting: [] });
		}
	}

	/**
	 * A report that is new to its session.
	 *
	 * @param at The moment that its values are of: the same on each telling, as the age grows with the time.
	 * @param taken Called when its readings are safe: at once where they are already.
	 * @returns Nothing for one that was heard before; else how to remember it, and what to call when its readings are safe.
	 */
	hear(seq: number, values: readonly (bigint | undefined)[], at: UnixMillis, taken: () => void): (Remembered & { taken(): void }) | undefined {
		const sum = createHash("sha256").update(values.map((value) => value ?? "-").join()).digest("base64");
		const before = this.#known.get(seq);
		if (before?.sum === sum && Math.abs(before.at - at) <= SAME_MOMENT) {
			if (before.taken) taken();
			else before.waiting.push(taken);
			return undefined;
		}
		const known: Known = { sum, at, taken: false, waiting: [taken] };
		this.#known.set(seq, known);
		return {
			id: seq, hash: `${sum}@${Math.round(at)}`,
			taken: () => {
				known.taken = true;
				for (const tell of known.waiting.splice(0)) tell();
			},
		};
	}

	/** The device has started anew, and tells nothing of its life before again. */
	forget(): void {
		this.#known.clear();
	}
}
