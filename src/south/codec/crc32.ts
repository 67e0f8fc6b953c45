// CRC-32/ISO-HDLC, that of Ethernet and ZIP: polynomial 0x04C11DB7 reflected (0xEDB88320), start and final XOR 0xFFFFFFFF
// Source: G. Cook, "Catalogue of parametrised CRC algorithms", https://reveng.sourceforge.io/crc-catalogue/17plus.htm#crc.cat.crc-32-iso-hdlc
// Version: check value of "123456789" is 0xCBF43926

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
	let crc = byte;
	for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
	return crc >>> 0;
});

/** The checksum of the bytes, as if all parts were one. */
export function crc32(...parts: readonly Uint8Array[]): number {
	let crc = 0xffffffff;
	for (const part of parts) for (const byte of part) crc = (crc >>> 8) ^ TABLE[(crc ^ byte) & 0xff]!;
	return (crc ^ 0xffffffff) >>> 0;
}
