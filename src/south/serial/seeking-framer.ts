import { type BinaryFrame, type Framer, Noise } from "./framer.js";

/** What the frames of a binary protocol look like; one for each stream, for it may remember what it has added up. */
export interface FrameShape {
	/** Longest frame. */
	readonly maxBytes: number;
	/** The byte that every frame begins with. */
	readonly first: number;
	/**
	 * How long is the frame that begins at `at`, as far as `bytes[at..end)` tells?
	 *
	 * @returns 0 when none begins there; nothing when more bytes must tell.
	 */
	lengthAt(bytes: Uint8Array, at: number, end: number): number | undefined;
	/** Is `bytes[at..at + length)` well: its end, its checksum? In a time that does not depend on the length. */
	isWell(bytes: Uint8Array, at: number, length: number): boolean;
	/** What is wrong with a frame that is not well. */
	faultOf(frame: Uint8Array): { readonly reason: string; readonly checksum?: true };
	/** The bytes stand at other places now. */
	moved(): void;
}

/** Bytes are taken in so many at a time, beside a frame that waits: few enough for the cache, many enough to be worth the call. */
export const PIECE_BYTES = 4_096;

const NO_MESSAGE = "bytes that begin no message";

/**
 * Cuts binary frames out of a stream: looks for a start, waits for the length, checks. What fails is searched again from
 * the byte after its start, not after its end: a start byte inside noise must not swallow the frame behind it.
 *
 * Linear in the bytes: at each place at most one frame is checked, and noise is counted in runs.
 */
export class SeekingFramer implements Framer<BinaryFrame> {
	readonly #shape: FrameShape;
	readonly #bytes: Uint8Array;
	#start = 0;
	#end = 0;
	readonly #noise = new Noise();

	constructor(shape: FrameShape) {
		this.#shape = shape;
		this.#bytes = new Uint8Array(shape.maxBytes + PIECE_BYTES);
	}

	push(chunk: Uint8Array): readonly BinaryFrame[] {
		const found: BinaryFrame[] = [];
		for (let at = 0; at < chunk.length;) {
			this.#bytes.copyWithin(0, this.#start, this.#end);
			this.#end -= this.#start;
			this.#start = 0;
			this.#shape.moved();
			const taken = Math.min(chunk.length - at, this.#bytes.length - this.#end);
			this.#bytes.set(chunk.subarray(at, at + taken), this.#end);
			this.#end += taken;
			at += taken;
			this.#cut(found);
		}
		return found;
	}

	/** Nothing: adapters do not preserve silence, the length tells. */
	idle(): readonly BinaryFrame[] {
		return [];
	}

	#cut(found: BinaryFrame[]): void {
		const shape = this.#shape;
		const noise = this.#noise;
		const end = this.#end;
		const { first, maxBytes } = shape;
		const bytes = this.#bytes.subarray(0, end);
		let start = this.#start;
		/** Noise that is not yet noted begins here, and the piece that it belongs to ends there. */
		let run = start;
		let pieceEnd = run + noise.room;
		while (start < end) {
			if (bytes[start] !== first) {
				const next = bytes.indexOf(first, start + 1);
				start = next < 0 ? end : next;
				continue;
			}
			const waiting = end - start;
			const length = shape.lengthAt(bytes, start, end);
			let isBroken = false;
			if (length === undefined || length > waiting) {
				if ((length ?? 0) <= maxBytes && waiting < maxBytes) break;
			} else if (length > 0) {
				if (shape.isWell(bytes, start, length)) {
					noise.run(bytes, run, start, NO_MESSAGE, found);
					noise.tell(found);
					found.push({ kind: "frame", bytes: bytes.slice(start, start + length) });
					run = start += length;
					pieceEnd = run + noise.room;
					continue;
				}
				isBroken = true;
			}
			if (start >= pieceEnd) {
				noise.run(bytes, run, start, NO_MESSAGE, found);
				run = start;
				pieceEnd = run + noise.room;
			}
			// One reason for each piece of noise is enough, and costs more than finding that there is one.
			if (start === run && isBroken && noise.isEmpty) {
				const fault = shape.faultOf(bytes.slice(start, start + (length ?? 0)));
				noise.add(bytes, start, start + 1, fault.reason, fault.checksum);
				run++;
			}
			start++;
		}
		noise.run(bytes, run, start, NO_MESSAGE, found);
		this.#start = start;
	}
}

/** The same reason for each, so that a noisy line is one counted fault; the bytes are in its sample. */
export const WRONG_CHECKSUM = { reason: "a message with a wrong checksum", checksum: true } as const;
