/** How often a fuzz test tries; the long test run raises it by FUZZ_RUNS. */
export const RUNS = Number(process.env["FUZZ_RUNS"] ?? 2000);

/** Chance with a seed (mulberry32): the same seed gives the same test. */
export class Chance {
	#state: number;

	constructor(seed: number) {
		this.#state = seed >>> 0;
	}

	/** 0 ≤ x < 1, like Math.random. */
	readonly random = (): number => {
		this.#state = (this.#state + 0x6d2b79f5) >>> 0;
		let t = this.#state;
		t = Math.imul(t ^ (t >>> 15), t | 1);
		t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
		return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
	};

	/** A whole number, 0 ≤ n < `below`. */
	int(below: number): number {
		return Math.floor(this.random() * below);
	}

	/** One of them. */
	pick<T>(from: readonly T[]): T {
		const item = from[this.int(from.length)];
		if (item === undefined) throw new RangeError("Cannot pick from an empty list");
		return item;
	}

	/** That many random bytes. */
	bytes(length: number): Uint8Array {
		return Uint8Array.from({ length }, () => this.int(256));
	}
}

/** Damage bytes in one to four places: a bit flipped, a byte replaced, a piece cut out, doubled or put in. */
export function mutate(chance: Chance, bytes: Uint8Array): Uint8Array {
	let out = [...bytes];
	for (let times = 1 + chance.int(4); times > 0; times--) {
		const at = chance.int(out.length + 1);
		const span = 1 + chance.int(8);
		const ways = [
			() => { if (at < out.length) out[at] = out[at]! ^ (1 << chance.int(8)); },
			() => { if (at < out.length) out[at] = chance.int(256); },
			() => { out.splice(at, span); },
			() => { out.splice(at, 0, ...out.slice(at, at + span)); },
			() => { out.splice(at, 0, ...chance.bytes(span)); },
			() => { out = out.slice(0, at); },
		];
		chance.pick(ways)();
	}
	return Uint8Array.from(out);
}
