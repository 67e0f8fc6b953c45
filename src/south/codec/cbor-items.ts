// RFC 8949: Concise Binary Object Representation (CBOR), the items that a small device needs: integers, texts, booleans, null and lists
// Source: https://www.rfc-editor.org/rfc/rfc8949
// Version: December 2020; only the shortest form of a number is written or taken (section 4.2.1)

/** A scalar, or the head of a list whose items follow it. */
export type CborItem = bigint | string | boolean | null | { readonly list: number };

const UNSIGNED = 0;
const NEGATIVE = 1;
const TEXT = 3;
const LIST = 4;
const SIMPLE = 7;
const FALSE = 20;
const TRUE = 21;
const NULL = 22;
/** From here on the low five bits say how many bytes of number follow: 1, 2, 4 or 8 (section 3). */
const ONE_BYTE = 24;
const MAX_UINT64 = 0xffff_ffff_ffff_ffffn;

const utf8 = new TextEncoder();
const strictUtf8 = new TextDecoder("utf-8", { fatal: true });

/** Items one behind the other, in the shortest form. @throws {RangeError} for an integer of more than 64 bits: a mistake of the caller. */
export function encodeCbor(items: Iterable<CborItem | number>): Uint8Array {
	const out: number[] = [];
	for (const item of items) {
		if (item === null) out.push((SIMPLE << 5) | NULL);
		else if (typeof item === "boolean") out.push((SIMPLE << 5) | (item ? TRUE : FALSE));
		else if (typeof item === "string") {
			const bytes = utf8.encode(item);
			pushHead(out, TEXT, BigInt(bytes.length));
			for (const byte of bytes) out.push(byte);
		} else if (typeof item === "object") pushHead(out, LIST, BigInt(item.list));
		else {
			const integer = BigInt(item);
			if (integer < 0n) pushHead(out, NEGATIVE, -1n - integer);
			else pushHead(out, UNSIGNED, integer);
		}
	}
	return Uint8Array.from(out);
}

function pushHead(out: number[], major: number, argument: bigint): void {
	if (argument > MAX_UINT64) throw new RangeError(`Cannot write ${argument} as CBOR: it has more than 64 bits`);
	if (argument < BigInt(ONE_BYTE)) {
		out.push((major << 5) | Number(argument));
		return;
	}
	const power = argument < 0x100n ? 0 : argument < 0x1_0000n ? 1 : argument < 0x1_0000_0000n ? 2 : 3;
	out.push((major << 5) | (ONE_BYTE + power));
	for (let byte = (1 << power) - 1; byte >= 0; byte--) out.push(Number((argument >> BigInt(8 * byte)) & 0xffn));
}

/**
 * The mirror of encodeCbor(): all items of the bytes.
 *
 * @returns Nothing when an item is cut off, of another kind (maps, tags, floats, byte strings, endless lists) or not in its shortest form, or a text is no UTF-8.
 */
export function decodeCbor(bytes: Uint8Array): CborItem[] | undefined {
	const items: CborItem[] = [];
	for (let at = 0; at < bytes.length;) {
		const major = bytes[at]! >> 5;
		const low = bytes[at]! & 0x1f;
		at++;
		if (major === SIMPLE) {
			if (low < FALSE || low > NULL) return undefined;
			items.push(low === NULL ? null : low === TRUE);
			continue;
		}
		const length = low < ONE_BYTE ? 0 : low <= ONE_BYTE + 3 ? 1 << (low - ONE_BYTE) : Infinity;
		if (at + length > bytes.length) return undefined;
		const argument = length === 0 ? BigInt(low) : argumentOf(bytes.subarray(at, at + length));
		if (argument === undefined) return undefined;
		at += length;
		if (major === UNSIGNED) items.push(argument);
		else if (major === NEGATIVE) items.push(-1n - argument);
		else if (major === LIST && argument <= BigInt(bytes.length)) items.push({ list: Number(argument) });
		else if (major === TEXT && argument <= BigInt(bytes.length - at)) {
			const text = textOf(bytes.subarray(at, at + Number(argument)));
			if (text === undefined) return undefined;
			items.push(text);
			at += Number(argument);
		} else return undefined;
	}
	return items;
}

/** The number in these 1, 2, 4 or 8 bytes, high byte first; nothing when fewer bytes would have done. */
function argumentOf(bytes: Uint8Array): bigint | undefined {
	let argument = 0n;
	for (const byte of bytes) argument = (argument << 8n) | BigInt(byte);
	const least = bytes.length === 1 ? BigInt(ONE_BYTE) : 1n << BigInt(4 * bytes.length);
	return argument < least ? undefined : argument;
}

function textOf(bytes: Uint8Array): string | undefined {
	try {
		return strictUtf8.decode(bytes);
	} catch {
		return undefined;
	}
}
