import { decodeCobs } from "../codec/cobs.js";
import { MAX_BODY_BYTES, MIN_BODY_BYTES } from "./device-link-frames.js";
import { type BinaryFrame, type Framer, sampleOf } from "./framer.js";

/** A body with its COBS code. Frames are never longer, so that no block of COBS is ever full. */
const MAX_ENCODED_BYTES = MAX_BODY_BYTES + 1;

/**
 * Cuts a stream of bytes into COBS frames that end in a zero: what comes out is the body, with its checksum unchecked.
 *
 * Linear in the bytes, and never holds more than one frame.
 */
export class CobsFramer implements Framer<BinaryFrame> {
	readonly #encoded = new Uint8Array(MAX_ENCODED_BYTES);
	#length = 0;
	/** Bytes above the longest frame. */
	#excess = 0;

	push(chunk: Uint8Array): readonly BinaryFrame[] {
		const found: BinaryFrame[] = [];
		const encoded = this.#encoded;
		let length = this.#length;
		for (let at = 0; at < chunk.length; at++) {
			const byte = chunk[at]!;
			if (byte === 0) {
				this.#length = length;
				const frame = this.#take();
				if (frame) found.push(frame);
				length = 0;
			} else if (length < MAX_ENCODED_BYTES) encoded[length++] = byte;
			else this.#excess++;
		}
		this.#length = length;
		return found;
	}

	/** Nothing: a device may pause inside a frame, and the next zero tells. */
	idle(): readonly BinaryFrame[] {
		return [];
	}

	#take(): BinaryFrame | undefined {
		const encoded = this.#encoded.subarray(0, this.#length);
		const excess = this.#excess;
		this.#length = 0;
		this.#excess = 0;
		if (encoded.length === 0) return undefined; // a zero more, to end what noise has begun
		const fault = (reason: string): BinaryFrame => ({ kind: "fault", reason, sample: sampleOf(encoded), count: encoded.length + excess });
		if (excess > 0) return fault(`more than ${MAX_ENCODED_BYTES} bytes without the end of a frame; is the baud rate right?`);
		const bytes = decodeCobs(encoded);
		if (!bytes) return fault("bytes that are no COBS frame; is the baud rate right?");
		return bytes.length < MIN_BODY_BYTES ? fault("a frame that is too short") : { kind: "frame", bytes };
	}
}
