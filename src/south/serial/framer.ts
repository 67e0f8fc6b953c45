/** Bytes that the protocol forbids; they are dropped, and the next message is read all the same. */
export interface FramingFault {
	readonly kind: "fault";
	readonly reason: string;
	readonly sample: string;
	/** How many bytes were dropped; left out where nobody counted. */
	readonly count?: number;
	/** A message whose checksum is wrong, and not mere noise. */
	readonly checksum?: true;
}

/** One line cut out of a stream of bytes, or bytes that make none. */
export type Frame = { readonly kind: "frame"; readonly text: string } | FramingFault;

/** One binary message cut out of a stream of bytes, whole, or bytes that make none. */
export type BinaryFrame = { readonly kind: "frame"; readonly bytes: Uint8Array } | FramingFault;

/**
 * Cuts a stream of bytes into messages, one protocol each. Linear in the bytes, and of bounded memory whatever comes.
 *
 * The same frames come out wherever the stream is cut into chunks.
 */
export interface Framer<Cut = Frame | BinaryFrame> {
	push(chunk: Uint8Array): Iterable<Cut>;
	/** The line was silent for longer than the protocol allows inside a message. */
	idle(): Iterable<Cut>;
}

const MAX_SAMPLE_BYTES = 40;
/** Noise is told in pieces of so many bytes, so that endless noise neither waits nor makes a fault of each byte. */
const MAX_NOISE_BYTES = 4_096;

/** Collects bytes that are part of no message until somebody can be told: one fault for all of them. */
export class Noise {
	readonly #sample = new Uint8Array(MAX_SAMPLE_BYTES + 1);
	#count = 0;
	#reason: string | undefined;
	#checksum = false;

	/** `bytes[from..to)` are noise; the first reason of a piece is the one that is told. */
	add(bytes: Uint8Array, from: number, to: number, reason: string, checksum = false): void {
		const room = Math.min(to - from, Math.max(0, this.#sample.length - this.#count));
		for (let at = 0; at < room; at++) this.#sample[this.#count + at] = bytes[from + at]!;
		this.#count += to - from;
		this.#reason ??= reason;
		this.#checksum ||= checksum;
	}

	/** How many bytes more make it full. */
	get room(): number {
		return Math.max(1, MAX_NOISE_BYTES - this.#count);
	}

	get isEmpty(): boolean {
		return this.#count === 0;
	}

	get isFull(): boolean {
		return this.#count >= MAX_NOISE_BYTES;
	}

	/** What was collected, as a fault; nothing when there was none. */
	take(): FramingFault | undefined {
		if (this.#count === 0) return undefined;
		const fault: FramingFault = { kind: "fault", reason: this.#reason ?? "", sample: sampleOf(this.#sample.subarray(0, this.#count)), count: this.#count, ...(this.#checksum && { checksum: true }) };
		this.#count = 0;
		this.#reason = undefined;
		this.#checksum = false;
		return fault;
	}
}

/** Bytes for people: printable ASCII as it is, the rest in hexadecimal; cut short. */
export function sampleOf(bytes: Uint8Array): string {
	const shown = bytes.subarray(0, MAX_SAMPLE_BYTES);
	const printable = shown.every((byte) => byte >= 0x20 && byte < 0x7f);
	const text = printable ? String.fromCharCode(...shown) : hexOf(shown);
	return shown.length < bytes.length ? `${text} …` : text;
}

/** `01 04 FF`. */
export function hexOf(bytes: Uint8Array): string {
	return Array.from(bytes, (byte) => byte.toString(16).toUpperCase().padStart(2, "0")).join(" ");
}
