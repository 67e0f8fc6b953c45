// Checksums of serial frames, by name
// Source: the CRCs after G. Cook, "Catalogue of parametrised CRC algorithms", https://reveng.sourceforge.io/crc-catalogue/
// Version: each with its check value of "123456789" in checksum.test.ts

import { crc16 } from "./crc.js";
import { crcCcitt } from "./crc-ccitt.js";

/** What a definition may name. `bytes` is how many it takes in a frame. */
interface Checksum {
	readonly bytes: 1 | 2;
	of(bytes: Uint8Array, from: number, to: number): number;
}

function sum(bytes: Uint8Array, from: number, to: number): number {
	let total = 0;
	for (let at = from; at < to; at++) total += bytes[at]!;
	return total;
}

function xor(bytes: Uint8Array, from: number, to: number): number {
	let all = 0;
	for (let at = from; at < to; at++) all ^= bytes[at]!;
	return all;
}

/** CRC-8 with its polynomial the usual way round (MSB first). */
function crc8(polynomial: number, start: number): Checksum["of"] {
	const table = Uint8Array.from({ length: 256 }, (_, byte) => {
		let crc = byte;
		for (let bit = 0; bit < 8; bit++) crc = crc & 0x80 ? (crc << 1) ^ polynomial : crc << 1;
		return crc & 0xff;
	});
	return (bytes, from, to) => {
		let crc = start;
		for (let at = from; at < to; at++) crc = table[crc ^ bytes[at]!]!;
		return crc;
	};
}

/** CRC-8/MAXIM-DOW: 0x31 reflected, as 1-Wire has it. */
function crc8Maxim(bytes: Uint8Array, from: number, to: number): number {
	let crc = 0;
	for (let at = from; at < to; at++) {
		crc ^= bytes[at]!;
		for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x8c : crc >>> 1;
	}
	return crc;
}

const smbus = crc8(0x07, 0);
const nrsc = crc8(0x31, 0xff);

/** CRC-16/ARC: 0x8005 reflected, start 0; what DSMR P1 telegrams end in. */
export function crc16Arc(bytes: Uint8Array, from = 0, to = bytes.length): number {
	let crc = 0;
	for (let at = from; at < to; at++) crc = (crc >>> 8) ^ ARC[(crc ^ bytes[at]!) & 0xff]!;
	return crc;
}

const ARC = Uint16Array.from({ length: 256 }, (_, byte) => {
	let crc = byte;
	for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xa001 : crc >>> 1;
	return crc;
});

const CHECKSUMS = {
	none: { bytes: 1, of: () => 0 },
	sum8: { bytes: 1, of: (...what) => sum(...what) & 0xff },
	/** What makes the sum of all zero. */
	"sum8-negative": { bytes: 1, of: (...what) => -sum(...what) & 0xff },
	"sum8-inverse": { bytes: 1, of: (...what) => ~sum(...what) & 0xff },
	sum16: { bytes: 2, of: (...what) => sum(...what) & 0xffff },
	xor8: { bytes: 1, of: xor },
	/** 0x07, start 0 (SMBus). */
	crc8: { bytes: 1, of: smbus },
	/** 0x31, start 0xFF (Sensirion). */
	"crc8-nrsc": { bytes: 1, of: nrsc },
	"crc8-maxim": { bytes: 1, of: crc8Maxim },
	"crc16-modbus": { bytes: 2, of: crc16 },
	"crc16-arc": { bytes: 2, of: crc16Arc },
	/** CCITT-FALSE: 0x1021, start 0xFFFF. */
	"crc16-ccitt": { bytes: 2, of: (bytes, from, to) => crcCcitt(bytes.subarray(from, to)) },
	/** 0x1021, start 0. */
	"crc16-xmodem": { bytes: 2, of: (bytes, from, to) => crcCcitt(bytes.subarray(from, to), 0) },
} as const satisfies Readonly<Record<string, Checksum>>;

export type ChecksumName = keyof typeof CHECKSUMS;

export const CHECKSUM_NAMES = Object.keys(CHECKSUMS) as readonly ChecksumName[];

/** How many bytes it takes in a frame; `none` takes none. */
export function checksumLength(name: ChecksumName): 0 | 1 | 2 {
	return name === "none" ? 0 : CHECKSUMS[name].bytes;
}

/** The checksum of `bytes[from..to)`. */
export function checksumOf(name: ChecksumName, bytes: Uint8Array, from = 0, to = bytes.length): number {
	return CHECKSUMS[name].of(bytes, from, to);
}
