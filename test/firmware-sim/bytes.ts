/** "01 04 …" → bytes. */
export function bytes(hex: string): Uint8Array {
	return Uint8Array.from(Buffer.from(hex.replaceAll(" ", ""), "hex"));
}

/** Bytes → "01 04 …". */
export function hex(raw: Uint8Array): string {
	return Buffer.from(raw).toString("hex").toUpperCase().replace(/(..)(?=.)/g, "$1 ");
}
