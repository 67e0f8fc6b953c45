import { type Numeric, numericFromText } from "../../core/value.js";
import { decimalFrom, decimalText, roundTo } from "./decimal.js";

/**
 * A number with its decimal point moved to the left: 12530 by three places is 12.530. Leading zeros go, all other digits stay.
 *
 * @returns Nothing for what is no plain decimal number.
 */
export function shifted(raw: string | number | bigint, places = 0): Numeric | undefined {
	const decimal = decimalFrom(String(raw).trim());
	return decimal && numericFromText(decimalText({ digits: decimal.digits, decimals: decimal.decimals + places }));
}

/** Decimals of a degree that no receiver goes beyond: a centimetre. */
const DEGREE_DECIMALS = 7;

/**
 * Degrees from the `ddmm.mmmm` of NMEA 0183 and APRS: 5133.82 N is 51.563667.
 *
 * @param hemisphere N, S, E or W.
 * @returns Nothing for what is none, or lies beyond the pole or the date line.
 */
export function degreesFromMinutes(raw: string, hemisphere: string): Numeric | undefined {
	const north = hemisphere === "N" || hemisphere === "S";
	const match = (north ? /^(\d{1,2})(\d\d(?:\.\d{0,10})?)$/ : /^(\d{1,3})(\d\d(?:\.\d{0,10})?)$/).exec(raw);
	if (!match || !/^[NSEW]$/.test(hemisphere)) return undefined;
	const minutes = decimalFrom(match[2]!.replace(/\.$/, ""));
	if (!minutes || Number(match[2]) >= 60) return undefined;
	const own = minutes.decimals + 2;
	const decimals = Math.max(own, DEGREE_DECIMALS);
	const scale = 10n ** BigInt(decimals);
	const fraction = roundTo({ digits: (minutes.digits * scale * 10n) / 60n, decimals: minutes.decimals + decimals + 1 }, decimals);
	let digits = BigInt(match[1]!) * scale + fraction.digits;
	if (digits > (north ? 90n : 180n) * scale) return undefined;
	let kept = decimals;
	for (; kept > own && digits % 10n === 0n; kept--) digits /= 10n;
	if (hemisphere === "S" || hemisphere === "W") digits = -digits;
	return numericFromText(decimalText({ digits, decimals: kept }));
}

/** Two's complement of so many bits. */
export function signed(raw: number, bits: number): number {
	return raw >= 2 ** (bits - 1) ? raw - 2 ** bits : raw;
}
