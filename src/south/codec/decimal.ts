/** An exact decimal number: `digits` × 10^-`decimals`. 23.40 is 2340 with two decimals, and stays so. */
export interface Decimal {
	readonly digits: bigint;
	/** 0 to 64. */
	readonly decimals: number;
}

export const ZERO: Decimal = { digits: 0n, decimals: 0 };
export const ONE: Decimal = { digits: 1n, decimals: 0 };

/** Longer ones are no numbers of a device; the same bound as for a value's text. */
const MAX_DIGITS = 64;
const PLAIN = /^([+-]?)(\d+)(?:\.(\d+))?$/;

/** A decimal from plain digits; nothing for exponents, NaN, or more than 64 digits. */
export function decimalFrom(text: string): Decimal | undefined {
	if (text.length > MAX_DIGITS + 2) return undefined;
	const match = PLAIN.exec(text);
	if (!match) return undefined;
	const [, sign, whole, fraction = ""] = match;
	const digits = BigInt(whole! + fraction);
	return { digits: sign === "-" ? -digits : digits, decimals: fraction.length };
}

/** Plain digits, with as many decimals as it has. */
export function decimalText({ digits, decimals }: Decimal): string {
	const sign = digits < 0n ? "-" : "";
	const plain = (digits < 0n ? -digits : digits).toString().padStart(decimals + 1, "0");
	return decimals === 0 ? sign + plain : `${sign}${plain.slice(0, -decimals)}.${plain.slice(-decimals)}`;
}

/** The same number with exactly that many decimals, halves away from zero. */
export function roundTo({ digits, decimals }: Decimal, wanted: number): Decimal {
	if (wanted >= decimals) return { digits: digits * 10n ** BigInt(wanted - decimals), decimals: wanted };
	return { digits: divideRounded(digits, 10n ** BigInt(decimals - wanted)), decimals: wanted };
}

/** raw × scale + offset, exact: 450 × 0.1 is 45.0. */
export function scaled(raw: Decimal, scale: Decimal, offset: Decimal): Decimal {
	const product = { digits: raw.digits * scale.digits, decimals: raw.decimals + scale.decimals };
	if (offset.digits === 0n && offset.decimals <= product.decimals) return product;
	const decimals = Math.max(product.decimals, offset.decimals);
	return { digits: roundTo(product, decimals).digits + roundTo(offset, decimals).digits, decimals };
}

/**
 * The mirror of scaled(): (value − offset) ÷ scale with `decimals` decimals, halves away from zero.
 *
 * @param scale Not zero.
 */
export function unscaled(value: Decimal, scale: Decimal, offset: Decimal, decimals = 0): Decimal {
	const common = Math.max(value.decimals, offset.decimals);
	const difference = roundTo(value, common).digits - roundTo(offset, common).digits;
	// difference·10^-common ÷ (scale·10^-s) = difference·10^(s+decimals) ÷ (scale·10^common), in units of 10^-decimals
	const over = difference * 10n ** BigInt(scale.decimals + decimals);
	return { digits: divideRounded(over, scale.digits * 10n ** BigInt(common)), decimals };
}

function divideRounded(over: bigint, under: bigint): bigint {
	const negative = over < 0n !== under < 0n;
	const [a, b] = [over < 0n ? -over : over, under < 0n ? -under : under];
	const rounded = (2n * a + b) / (2n * b);
	return negative ? -rounded : rounded;
}
