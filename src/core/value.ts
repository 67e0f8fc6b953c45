/** A number, and the digits in which its source wrote it: `71.50` stays `71.50`. */
export interface Numeric {
	/** Plain decimal digits, no exponent: what goes onto the wire. */
	readonly text: string;
	readonly number: number;
}

/** What a point can be: a number with its digits, a truth, or a text (an enum label is a text). */
export type Value = Numeric | boolean | string;

/** No sender has a reason for more digits; a longer one is noise. */
const MAX_DIGITS = 64;
const DECIMAL = /^([+-]?)(\d+)(?:\.(\d*))?(?:[eE]([+-]?\d{1,3}))?$|^([+-]?)\.(\d+)(?:[eE]([+-]?\d{1,3}))?$/;

/**
 * A number from its text, with its digits kept; exponents are written out (`1e-7` → `0.0000001`).
 *
 * @returns Nothing for what is not one finite decimal number: `NaN`, `inf`, `0x1F`, `12 V`, more than 64 digits.
 */
export function numericFromText(text: string): Numeric | undefined {
	const trimmed = text.length > 2 * MAX_DIGITS ? text : text.trim();
	if (trimmed.length === 0 || trimmed.length > MAX_DIGITS) return undefined;
	const match = DECIMAL.exec(trimmed);
	if (!match) return undefined;
	const number = Number(trimmed);
	if (!Number.isFinite(number)) return undefined;
	const sign = (match[1] ?? match[5]) === "-" ? "-" : "";
	const whole = match[2] ?? "0";
	const fraction = match[3] ?? match[6] ?? "";
	const exponent = Number(match[4] ?? match[7] ?? 0);
	if (Math.abs(exponent) > MAX_DIGITS) return number === 0 ? { text: "0", number } : undefined;
	const shifted = shift(whole, fraction, exponent);
	return { text: sign + shifted, number };
}

/** Move the decimal point by `exponent` places without touching a digit. */
function shift(whole: string, fraction: string, exponent: number): string {
	const digits = whole + fraction;
	const point = whole.length + exponent;
	const padded = point <= 0 ? "0".repeat(1 - point) + digits : digits.padEnd(point, "0");
	const at = point <= 0 ? 1 : point;
	const left = padded.slice(0, at).replace(/^0+(?=\d)/, "");
	const right = padded.slice(at);
	return right === "" ? left : `${left}.${right}`;
}

/**
 * A number that was calculated here, rounded to `decimals` places when given.
 *
 * @returns Nothing for NaN and the infinities: those are no values.
 */
export function numericFromNumber(number: number, decimals?: number): Numeric | undefined {
	if (!Number.isFinite(number)) return undefined;
	if (decimals !== undefined && Math.abs(number) < 1e15) {
		const text = number.toFixed(Math.min(20, Math.max(0, decimals)));
		return { text: Number(text) === 0 ? text.replace("-", "") : text, number: Number(text) };
	}
	return numericFromText(String(number));
}

export function isNumeric(value: unknown): value is Numeric {
	return typeof value === "object" && value !== null && "number" in value && "text" in value;
}

/** The value as text, as XEP-0323 and people write it. */
export function textOf(value: Value): string {
	return isNumeric(value) ? value.text : String(value);
}

/** Do two values say the same? `step` is the grid of the point: readings closer than half of it are equal. */
export function sameValue(a: Value, b: Value, step = 0): boolean {
	if (isNumeric(a) && isNumeric(b)) return Math.abs(a.number - b.number) <= step / 2 + 1e-9 * Math.max(1, Math.abs(b.number));
	return a === b;
}
