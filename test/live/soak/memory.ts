// How much memory a process takes, second by second.

import { readFileSync } from "node:fs";

export interface Sample {
	readonly at: number;
	readonly pid: number;
	/** Resident set, in MB. */
	readonly rss: number;
}

/** Samples once a second whatever process `pid` names then. */
export class MemoryWatch {
	readonly samples: Sample[] = [];
	readonly #timer: NodeJS.Timeout;

	constructor(pid: () => number) {
		this.#timer = setInterval(() => {
			const rss = residentMegabytes(pid());
			if (rss !== undefined) this.samples.push({ at: Date.now(), pid: pid(), rss });
		}, 1_000);
	}

	stop(): void {
		clearInterval(this.#timer);
	}

	/** Medians of the four quarters of the time in which the process of now has run, between these times. */
	quarters(from: number, to: number): readonly number[] {
		const pid = this.samples.at(-1)?.pid;
		const life = this.samples.filter((sample) => sample.pid === pid && sample.at >= from && sample.at <= to).map(({ rss }) => rss);
		const quarter = life.length / 4;
		return [0, 1, 2, 3].map((at) => median(life.slice(Math.floor(at * quarter), Math.floor((at + 1) * quarter))));
	}

	get peak(): number {
		return Math.max(0, ...this.samples.map(({ rss }) => rss));
	}
}

/** Of Linux. */
export function residentMegabytes(pid: number): number | undefined {
	try {
		const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
		return kilobytes === undefined ? undefined : Number(kilobytes) / 1024;
	} catch {
		return undefined; // it has ended
	}
}

function median(values: readonly number[]): number {
	return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
