// The log file of SQLite: https://www.sqlite.org/fileformat2.html#walformat
import { closeSync, openSync, readSync } from "node:fs";

const HEADER_BYTES = 32, FRAME_HEADER_BYTES = 24;

/**
 * Counts what is written to the log of a database. SQLite does not tell, and the size of the file does not either, for it is written over from its beginning.
 *
 * Frames of the present round carry the salts of the header. The file has no locks of SQLite on it, so that it can be opened beside it.
 */
export class WalMeter {
	readonly #file: string;
	readonly #frameBytes: number;
	#handle: number | undefined;
	#salts = "";
	#frames = 0;
	#bytes = 0;

	constructor(file: string, pageBytes: number) {
		this.#file = file;
		this.#frameBytes = FRAME_HEADER_BYTES + pageBytes;
	}

	/** Frames since the log was begun anew. */
	get frames(): number {
		return this.#frames;
	}

	/** Bytes written since the meter was made. */
	get bytes(): number {
		return this.#bytes;
	}

	/** Look again, after a transaction. */
	read(): void {
		try {
			this.#handle ??= openSync(this.#file, "r");
			const salts = this.#salted(16);
			if (salts !== this.#salts) {
				this.#salts = salts;
				this.#frames = 0;
			}
			const before = this.#frames;
			let step = 1;
			while (this.#isWritten(this.#frames + step - 1)) {
				this.#frames += step;
				step *= 2;
			}
			for (; step > 1; step /= 2) if (this.#isWritten(this.#frames + step / 2 - 1)) this.#frames += step / 2;
			this.#bytes += (this.#frames - before) * this.#frameBytes;
		} catch (error) {
			if ((error as NodeJS.ErrnoException).code === undefined) throw error; // a figure is missing: no reason to stop
		}
	}

	close(): void {
		if (this.#handle !== undefined) closeSync(this.#handle);
		this.#handle = undefined;
	}

	#isWritten(frame: number): boolean {
		return this.#salts !== "" && this.#salted(HEADER_BYTES + frame * this.#frameBytes + 8) === this.#salts;
	}

	#salted(position: number): string {
		const salts = Buffer.alloc(8);
		return readSync(this.#handle!, salts, 0, 8, position) === 8 ? salts.toString("latin1") : "";
	}
}
