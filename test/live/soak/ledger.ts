// What the devices sent, and what their broker took from them. The broker's PUBACK is the only promise that counts.

/** A reading's number in the journal: which device, and its how-manieth. */
export const SEQUENCES = 1_000_000;

export interface Comparison {
	/** Acknowledged to the device and not in the journal. */
	readonly missing: readonly number[];
	/** In the journal more than once. */
	readonly twice: readonly number[];
	/** In the journal and never sent. */
	readonly strange: readonly number[];
	/** Never acknowledged to the device, and in the journal all the same: as it may be. */
	readonly unpromised: number;
	/** In a stretch of time for which the broker itself promises nothing, and not once in the journal. */
	readonly loose: number;
}

/** One line for each reading: `device × SEQUENCES + sequence`. */
export class Ledger {
	/** When it was acknowledged; 0 while it is not. */
	readonly #sent = new Map<number, number>();
	readonly #last = new Map<number, number>();
	readonly #loose: { from: number; to: number }[] = [];
	acknowledged = 0;

	get sent(): number {
		return this.#sent.size;
	}

	/** What the device said last and the broker took. */
	last(device: number): number | undefined {
		return this.#last.get(device);
	}

	/** Every reading of this device that its broker took, in the order of sending. */
	of(device: number): readonly number[] {
		return [...this.#sent].filter(([code, at]) => at > 0 && Math.floor(code / SEQUENCES) === device).map(([code]) => code);
	}

	send(code: number): void {
		this.#sent.set(code, 0);
	}

	acknowledge(code: number, now: number): void {
		this.#sent.set(code, now);
		this.acknowledged++;
		const device = Math.floor(code / SEQUENCES);
		if (code > (this.#last.get(device) ?? 0)) this.#last.set(device, code);
	}

	/** The broker dies without saving: what it acknowledged in this time may be lost, and what it forgot to have delivered may come again. */
	forgive(from: number, to: number): void {
		this.#loose.push({ from, to });
	}

	compare(journal: Iterable<number>): Comparison {
		const counts = new Map<number, number>();
		for (const code of journal) counts.set(code, (counts.get(code) ?? 0) + 1);
		const isLoose = (at: number): boolean => this.#loose.some(({ from, to }) => at >= from && at <= to);
		const missing: number[] = [];
		const twice: number[] = [];
		let unpromised = 0;
		let loose = 0;
		for (const [code, at] of this.#sent) {
			const count = counts.get(code) ?? 0;
			if (isLoose(at)) {
				if (count !== 1) loose++;
				continue;
			}
			if (count === 0 && at > 0) missing.push(code);
			if (count > 1) twice.push(code);
			if (count > 0 && at === 0) unpromised++;
		}
		return { missing, twice, strange: [...counts.keys()].filter((code) => !this.#sent.has(code)), unpromised, loose };
	}
}

/** "7:12" for the twelfth reading of device 7. */
export function nameOf(code: number): string {
	return `${Math.floor(code / SEQUENCES)}:${code % SEQUENCES}`;
}
