// CRC-16/MODBUS: polynomial 0x8005 reflected (0xA001), start 0xFFFF, no final XOR
// Source: MODBUS over Serial Line Specification and Implementation Guide V1.02, section 6.2.2 "CRC Generation"
// Version: V1.02 (2006-12-20)

const TABLE = Uint16Array.from({ length: 256 }, (_, byte) => {
	let crc = byte;
	for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xa001 : crc >>> 1;
	return crc;
});

/** The checksum of `bytes[from..to)`; on the wire its low byte goes first. */
export function crc16(bytes: Uint8Array, from = 0, to = bytes.length): number {
	let crc = 0xffff;
	for (let at = from; at < to; at++) crc = (crc >>> 8) ^ TABLE[(crc ^ bytes[at]!) & 0xff]!;
	return crc;
}

/** The same bytes with their checksum behind them. */
export function withCrc16(bytes: Uint8Array): Uint8Array {
	const crc = crc16(bytes);
	const out = new Uint8Array(bytes.length + 2);
	out.set(bytes);
	out[bytes.length] = crc & 0xff;
	out[bytes.length + 1] = crc >>> 8;
	return out;
}

/** Do `bytes[from..to)` end in the checksum of what is before? */
export function hasCrc16(bytes: Uint8Array, from = 0, to = bytes.length): boolean {
	return to - from > 2 && crc16(bytes, from, to - 2) === (bytes[to - 2]! | (bytes[to - 1]! << 8));
}
