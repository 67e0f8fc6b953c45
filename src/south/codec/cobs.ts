// COBS: Consistent Overhead Byte Stuffing, which takes every zero out of a message so that a zero can end it
// Source: S. Cheshire, M. Baker, "Consistent Overhead Byte Stuffing", IEEE/ACM Transactions on Networking 7(2), http://www.stuartcheshire.org/papers/COBSforToN.pdf
// Version: April 1999

/** The code of a block of 254 bytes with no zero behind it. */
const FULL_BLOCK = 0xff;

/** The message without zeros, one byte longer for every 254 begun; the zero that ends it is not part of it. */
export function encodeCobs(message: Uint8Array): Uint8Array {
	const out = new Uint8Array(message.length + Math.ceil((message.length + 1) / 254));
	let code = 0; // where the code of the open block stands
	let at = 1;
	for (let from = 0; from < message.length; from++) {
		const byte = message[from]!;
		if (byte !== 0) out[at++] = byte;
		// A full block at the very end is followed by nothing: its zero is the one that the message does not have.
		if (byte === 0 || (at - code === FULL_BLOCK && from + 1 < message.length)) {
			out[code] = at - code;
			code = at++;
		}
	}
	out[code] = at - code;
	return out.subarray(0, at);
}

/** The mirror of encodeCobs(); nothing when there is a zero in it or its last block is cut short. */
export function decodeCobs(encoded: Uint8Array): Uint8Array | undefined {
	const out = new Uint8Array(encoded.length);
	let length = 0;
	for (let at = 0; at < encoded.length;) {
		const code = encoded[at]!;
		const end = at + code;
		if (code === 0 || end > encoded.length) return undefined;
		for (at++; at < end; at++) {
			const byte = encoded[at]!;
			if (byte === 0) return undefined;
			out[length++] = byte;
		}
		if (code !== FULL_BLOCK && end < encoded.length) out[length++] = 0;
	}
	return out.subarray(0, length);
}
