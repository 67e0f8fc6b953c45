import { type BinaryFrame, type Framer, Noise } from "./framer.js";

/** What the frames of a binary protocol look like. */
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
	/** Is `bytes[at..at + length)` well: its end, its checksum? */
	isWell(bytes: Uint8Array, at: number, length: number): boolean;
	/** What is wrong with a frame that is not well. */
	faultOf(frame: Uint8Array): { readonly reason: string; readonly checksum?: true };
}

/**
 * Cuts binary frames out of a stream: looks for a start, waits for the length, checks. What fails is searched again from
 * the byte after its start, not after its end: a start byte inside noise must not swallow the frame behind it.
 *
 * Linear in the bytes: at each place at most one frame of bounded length is checked.
 */
export class SeekingFramer implements Framer<BinaryFrame> {
	readonly #shape: FrameShape;
	readonly #bytes: Uint8Array;
	#start = 0;
	#end = 0;
	readonly #noise = new Noise();

	constructor(shape: FrameShape) {
		this.#shape = shape;
		this.#bytes = new Uint8Array(2 * shape.maxBytes);
	}

	*push(chunk: Uint8Array): Iterable<BinaryFrame> {
		for (let at = 0; at < chunk.length;) {
			if (this.#start > 0) {
				this.#bytes.copyWithin(0, this.#start, this.#end);
				this.#end -= this.#start;
				this.#start = 0;
			}
			const taken = Math.min(chunk.length - at, this.#bytes.length - this.#end);
			this.#bytes.set(chunk.subarray(at, at + taken), this.#end);
			this.#end += taken;
			at += taken;
			yield* this.#cut();
		}
	}

	/** Nothing: adapters do not preserve silence, the length tells. */
	idle(): Iterable<BinaryFrame> {
		return [];
	}

	*#cut(): Iterable<BinaryFrame> {
		const { first, maxBytes } = this.#shape;
		while (this.#start < this.#end) {
			const from = this.#start;
			while (this.#start < this.#end && this.#bytes[this.#start] !== first) this.#start++;
			if (this.#start > from) yield* this.#drop(from, "bytes that begin no message");
			if (this.#start === this.#end) return;
			const waiting = this.#end - this.#start;
			const length = this.#shape.lengthAt(this.#bytes, this.#start, this.#end);
			let fault: ReturnType<FrameShape["faultOf"]> | undefined;
			if (length === undefined || length > waiting) {
				if ((length ?? 0) <= maxBytes && waiting < maxBytes) return;
			} else if (length > 0) {
				if (this.#shape.isWell(this.#bytes, this.#start, length)) {
					const noise = this.#noise.take();
					if (noise) yield noise;
					yield { kind: "frame", bytes: this.#bytes.slice(this.#start, this.#start + length) };
					this.#start += length;
					continue;
				}
				// One reason for each piece of noise is enough, and costs more than finding that there is one.
				if (this.#noise.isEmpty) fault = this.#shape.faultOf(this.#bytes.slice(this.#start, this.#start + length));
			}
			this.#start++;
			yield* this.#drop(this.#start - 1, fault?.reason ?? "bytes that begin no message", fault?.checksum);
		}
	}

	/** Everything from there to the present start is noise. */
	*#drop(from: number, reason: string, checksum?: true): Iterable<BinaryFrame> {
		// Byte by byte where a piece ends, so that pieces do not depend on how the stream came in.
		for (let at = from; at < this.#start;) {
			const to = Math.min(this.#start, at + this.#noise.room);
			this.#noise.add(this.#bytes, at, to, reason, checksum);
			at = to;
			const piece = this.#noise.isFull ? this.#noise.take() : undefined;
			if (piece) yield piece;
		}
	}
}

/** The same reason for each, so that a noisy line is one counted fault; the bytes are in its sample. */
export const WRONG_CHECKSUM = { reason: "a message with a wrong checksum", checksum: true } as const;
