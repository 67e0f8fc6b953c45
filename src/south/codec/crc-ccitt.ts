// CRC-16/IBM-3740, also called CCITT-FALSE: polynomial 0x1021, start 0xFFFF, not reflected, no final XOR
// Source: G. Cook, "Catalogue of parametrised CRC algorithms", https://reveng.sourceforge.io/crc-catalogue/16.htm#crc.cat.crc-16-ibm-3740
// Version: check value of "123456789" is 0x29B1

const START = 0xffff;
const TABLE = Uint16Array.from({ length: 256 }, (_, byte) => {
	let crc = byte << 8;
	for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
	return crc & 0xffff;
});

/**
 * The checksum of the bytes. On the wire its high byte goes first, and then the checksum of a message that ends in its own is 0.
 *
 * @param start The checksum of what was before these bytes, where they are a continuation.
 */
export function crcCcitt(bytes: Uint8Array, start = START): number {
	let crc = start;
	for (const byte of bytes) crc = ((crc << 8) & 0xffff) ^ TABLE[(crc >>> 8) ^ byte]!;
	return crc;
}
