// What may follow `watch POINT`: `by 0.5 K every 10m`. Pure.
import type { Millis } from "../../core/clock.js";
import { parseDuration } from "../../core/duration.js";
import { GatewayError } from "../../core/errors.js";
import type { Point } from "../../core/point.js";
import { type Unit, unitFrom } from "../../core/unit.js";
import { numericFromText } from "../../core/value.js";

/** When somebody wants to be told of a point; nothing: of every change. */
export interface Wish {
	/** In the unit of the point; positive. */
	readonly by?: number;
	readonly every?: Millis;
}

/** More often is a stream of readings, not a conversation. */
const MIN_EVERY: Millis = 10_000;
/** Timers end at 24 days. */
const MAX_EVERY: Millis = 7 * 86_400_000;
const WORDS: Readonly<Record<string, string>> = { sec: "s", second: "s", seconds: "s", mins: "min", minute: "min", minutes: "min", hr: "h", hour: "h", hours: "h", day: "d", days: "d" };

/**
 * Read what was typed behind the name of a point: `by 0,5 °C`, `every 10 min`, both in any order, or nothing.
 *
 * @throws {GatewayError} `bad-value` for anything else, and for what the point cannot be watched by.
 */
export function parseWish(name: string, point: Point, text: string): Wish {
	const wish: { by?: number; every?: Millis } = {};
	let words: string[] = [];
	for (const word of text.trim().split(/\s+/).reverse()) {
		const key = word.toLowerCase();
		if ((key !== "by" && key !== "every") || words.length === 0 || wish[key] !== undefined) {
			words = [word, ...words];
			continue;
		}
		wish[key] = key === "by" ? differenceOf(name, point, words.join(" ")) : spanOf(name, words.join(" "));
		words = [];
	}
	const rest = words.join(" ");
	if (rest !== "") throw new GatewayError("bad-value", `Cannot watch "${name}": found "${rest.slice(0, 60)}"; write "watch ${name}", "watch ${name} every 10m"${point.kind === "numeric" ? ` or "watch ${name} by 0.5"` : ""}`);
	return wish;
}

function differenceOf(name: string, point: Point, typed: string): number {
	const fault = (why: string): GatewayError => new GatewayError("bad-value", `Cannot watch "${name}" by "${typed.slice(0, 60)}": ${why}`);
	if (point.kind !== "numeric") throw fault(`it is no number; write "watch ${name}" to be told of every change`);
	const [, digits = "", suffix = ""] = /^([+-]?[\d.,]+)\s*(.*)$/s.exec(typed) ?? [];
	if (/,\d{3}$/.test(digits) && !/^[+-]?0,/.test(digits)) throw fault(`the comma could mean thousands or decimals; write ${digits.replace(",", ".")} or ${digits.replace(",", "")}`);
	const number = numericFromText(digits.replace(",", "."))?.number;
	if (number === undefined) throw fault("it takes a number");
	const unit = suffix === "" ? undefined : unitFrom(suffix);
	const factor = suffix === "" || (unit !== undefined && unit === point.unit) ? 1 : unit === undefined || point.unit === undefined ? undefined : factorOf(unit, point.unit);
	if (factor === undefined) throw fault(point.unit === undefined ? "it has no unit" : `it is measured in ${point.unit}`);
	if (!(number > 0)) throw fault("it takes a number above 0");
	return Number((number * factor).toPrecision(12));
}

/** Differences, not values: 1 K is 1 °C. */
function factorOf(from: Unit, to: Unit): number | undefined {
	if (from === "%" && to === "%RH") return 1;
	const isKelvin = (unit: Unit): boolean => unit === "°C" || unit === "K";
	if (isKelvin(from)) return isKelvin(to) ? 1 : to === "°F" ? 1.8 : undefined;
	return from === "°F" && isKelvin(to) ? 1 / 1.8 : undefined;
}

function spanOf(name: string, typed: string): Millis {
	const [, digits = "", unit = ""] = /^([\d.,]+)\s*([a-z]*)$/i.exec(typed) ?? [];
	const span = parseDuration(`${digits.replace(",", ".")}${WORDS[unit.toLowerCase()] ?? unit.toLowerCase()}`);
	if (span === undefined) throw new GatewayError("bad-value", `Cannot watch "${name}" every "${typed.slice(0, 60)}": it takes a time such as 30s, 10m or 2h`);
	if (span < MIN_EVERY || span > MAX_EVERY) throw new GatewayError("bad-value", `Cannot watch "${name}" every ${typed}: it takes 10s to 7d`);
	return span;
}
