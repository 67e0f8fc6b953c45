import type { LinkCounters } from "../../core/status.js";
import { type FramingFault, hexOf } from "./framer.js";

/** Bytes of noise that are kept to be looked at. */
const MAX_NOISE_SAMPLE = 32;
/** So many bytes are judged together: above four fifths of noise a line is suspect, below one fifth it is well again. */
const WINDOW = 2_048;
const [SUSPECT, WELL] = [0.8, 0.2];
/** Longest message of a protocol that does not say it. */
const LONGEST = 512;

/** Counts what passes over a serial line, and notices when it is the wrong line, or the wrong baud rate. */
export class LineMeter {
	readonly #about: string;
	readonly #longest: number;
	#bytes = 0;
	#frames = 0;
	#resyncs = 0;
	#checksumErrors = 0;
	#noise = 0;
	#lastNoise: string | undefined;
	#suspicion: string | undefined;
	#sinceFrame = 0;
	#window = { bytes: 0, noise: 0, frames: 0 };
	/** The latest bytes, for when the framer itself shows none. */
	#latest: Uint8Array = new Uint8Array(0);

	/** @param about What the port is set to: `at 9600 baud, 8N1`. */
	constructor(about: string, longest = LONGEST) {
		this.#about = about;
		this.#longest = longest;
	}

	/** Bytes came in. Call it before their frames. */
	chunk(chunk: Uint8Array): void {
		this.#bytes += chunk.length;
		this.#sinceFrame += chunk.length;
		this.#window.bytes += chunk.length;
		this.#latest = chunk.subarray(-MAX_NOISE_SAMPLE);
	}

	frame(): void {
		this.#frames++;
		this.#window.frames++;
		this.#sinceFrame = 0;
	}

	fault({ count = 0, checksum }: Pick<FramingFault, "count" | "checksum">): void {
		this.#resyncs++;
		if (checksum) this.#checksumErrors++;
		this.#noise += count;
		this.#window.noise += count;
		this.#lastNoise = hexOf(this.#latest);
	}

	/**
	 * Is the line suspect now? Call it after the frames of a chunk.
	 *
	 * @returns The suspicion, once when it arises.
	 */
	judge(): string | undefined {
		const { bytes, noise, frames } = this.#window;
		const none = this.#sinceFrame > 2 * this.#longest;
		const before = this.#suspicion;
		if (none || (bytes >= WINDOW && noise > SUSPECT * bytes)) {
			this.#lastNoise ??= hexOf(this.#latest);
			const what = this.#frames === 0 ? `${this.#bytes} bytes and not one message` : none ? `${this.#sinceFrame} bytes since the last message` : "nearly nothing but noise";
			this.#suspicion ??= `${what} ${this.#about}: the baud rate or the parity is probably wrong, or another device is there than the protocol says, or two wires are swapped; "jidway serial sniff" tries what fits`;
		} else if (bytes >= WINDOW ? noise < WELL * bytes && frames > 0 : before !== undefined && frames > 2 && noise < WELL * bytes) this.#suspicion = undefined;
		if (bytes >= WINDOW) this.#window = { bytes: 0, noise: 0, frames: 0 };
		return before === undefined ? this.#suspicion : undefined;
	}

	get counters(): LinkCounters {
		return {
			bytes: this.#bytes, frames: this.#frames, resyncs: this.#resyncs, checksumErrors: this.#checksumErrors, noise: this.#noise,
			...(this.#lastNoise !== undefined && { lastNoise: this.#lastNoise }), ...(this.#suspicion !== undefined && { suspicion: this.#suspicion }),
		};
	}

	/** Has any message ever come? Before, noise is the tail of what was under way when the port was opened. */
	get hasFrames(): boolean {
		return this.#frames > 0;
	}
}
