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
	push(chunk: Uint8Array): readonly Cut[];
	/** The line was silent for longer than the protocol allows inside a message. */
	idle(): readonly Cut[];
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

	/** `bytes[from..to)` are noise, for one reason; each piece that is full by then is told. Where pieces end does not depend on how the stream came in. */
	run(bytes: Uint8Array, from: number, to: number, reason: string, told: FramingFault[] | BinaryFrame[]): void {
		for (let at = from; at < to;) {
			const next = Math.min(to, at + this.room);
			this.add(bytes, at, next, reason);
			at = next;
			if (this.isFull) this.tell(told);
		}
	}

	/** Tells what was collected, if anything was. */
	tell(told: FramingFault[] | BinaryFrame[]): void {
		const fault = this.take();
		if (fault) told.push(fault);
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

const HEX: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).toUpperCase().padStart(2, "0"));
const ASCII: readonly string[] = Array.from({ length: 128 }, (_, byte) => String.fromCharCode(byte));

/** Bytes for people: printable ASCII as it is, the rest in hexadecimal; cut short. */
export function sampleOf(bytes: Uint8Array): string {
	const length = Math.min(bytes.length, MAX_SAMPLE_BYTES);
	let text = "";
	for (let at = 0; at < length; at++) {
		const byte = bytes[at]!;
		if (byte < 0x20 || byte >= 0x7f) {
			text = hexOf(bytes, length);
			break;
		}
		text += ASCII[byte]!;
	}
	return length < bytes.length ? `${text} …` : text;
}

/** `01 04 FF`. */
export function hexOf(bytes: Uint8Array, length = bytes.length): string {
	let text = length > 0 ? HEX[bytes[0]!]! : "";
	for (let at = 1; at < length; at++) text += ` ${HEX[bytes[at]!]!}`;
	return text;
}
