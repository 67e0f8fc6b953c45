/** A report may come this many numbers late, when it is sent again: a device drops what is older (docs/device-link.md, section 6.2). */
export const WINDOW = 64;
/** Sequence numbers are one byte. */
const NUMBERS = 256;

type Fate = "unseen" | "heard" | "taken";

/**
 * Which reports of a device were heard and which were taken, by their sequence numbers of eight bits.
 *
 * A report is new once. Numbers that are missing may still come while they are in the window, and are lost when they leave it.
 */
export class ReportWindow {
	readonly #fates = new Array<Fate>(NUMBERS).fill("unseen");
	/** Sequence numbers without their end: the low eight bits are those on the wire. */
	readonly #first: number;
	#highest: number;
	/** Numbers that left the window unseen. */
	lost = 0;
	/** Reports that came more than once. */
	repeated = 0;

	/** @param first The lowest number that can still come: a device says it in its hello. */
	constructor(first: number) {
		this.#first = NUMBERS + first;
		this.#highest = this.#first - 1;
	}

	/** A report was heard. A number: it is new, and this is what taken() wants. `repeated`: it was heard before. `stray`: its number is none that this device can send now. */
	hear(seq: number): number | "repeated" | "stray" {
		const ahead = (seq - this.#highest) & (NUMBERS - 1);
		const number = ahead < NUMBERS / 2 ? this.#highest + ahead : this.#highest + ahead - NUMBERS;
		if (number <= this.#highest - WINDOW || number < this.#first) return "stray";
		while (this.#highest < number) this.#advance();
		if (this.#fates[seq] !== "unseen") {
			this.repeated++;
			return "repeated";
		}
		this.#fates[seq] = "heard";
		return number;
	}

	/** The readings of a report are safe. @param number What hear() said. */
	taken(number: number): void {
		if (this.#highest - number < NUMBERS) this.#fates[number & (NUMBERS - 1)] = "taken";
	}

	isTaken(seq: number): boolean {
		return this.#fates[seq & (NUMBERS - 1)] === "taken";
	}

	/** Numbers that were passed over and may still come. */
	get missing(): number {
		let missing = 0;
		for (let each = Math.max(this.#first, this.#highest - WINDOW + 1); each <= this.#highest; each++) if (this.#fates[each & (NUMBERS - 1)] === "unseen") missing++;
		return missing;
	}

	#advance(): void {
		this.#highest++;
		const leaves = this.#highest - WINDOW;
		if (leaves >= this.#first && this.#fates[leaves & (NUMBERS - 1)] === "unseen") this.lost++;
		this.#fates[this.#highest & (NUMBERS - 1)] = "unseen";
	}
}
