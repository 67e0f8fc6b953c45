/** One message cut out of a stream of bytes, or bytes that make none. */
export type Frame =
	| { readonly kind: "frame"; readonly text: string }
	/** Bytes that the protocol forbids; they are dropped, and the next message is read all the same. */
	| { readonly kind: "fault"; readonly reason: string; readonly sample: string };

/**
 * Cuts a stream of bytes into messages, one protocol each. Linear in the bytes, and of bounded memory whatever comes.
 *
 * The same frames come out wherever the stream is cut into chunks.
 */
export interface Framer {
	push(chunk: Uint8Array): Iterable<Frame>;
	/** The line was silent for longer than the protocol allows inside a message. */
	idle(): Iterable<Frame>;
}

/** Bytes for people: printable ASCII as it is, the rest in hexadecimal; cut short. */
export function sampleOf(bytes: Uint8Array): string {
	const shown = bytes.subarray(0, MAX_SAMPLE_BYTES);
	const printable = shown.every((byte) => byte >= 0x20 && byte < 0x7f);
	const text = printable ? String.fromCharCode(...shown) : hexOf(shown);
	return shown.length < bytes.length ? `${text} …` : text;
}

const MAX_SAMPLE_BYTES = 40;

/** `01 04 FF`. */
export function hexOf(bytes: Uint8Array): string {
	return Array.from(bytes, (byte) => byte.toString(16).toUpperCase().padStart(2, "0")).join(" ");
}
