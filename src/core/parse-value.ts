import { GatewayError } from "./errors.js";
import { checkValue, type EnumPoint, type NumericPoint, type Point, takes } from "./point.js";
import { type Unit, unitFrom } from "./unit.js";
import { numericFromNumber, numericFromText, type Value } from "./value.js";

const TRUE_WORDS: ReadonlySet<string> = new Set(["true", "on", "1", "yes", "open", "enable", "enabled"]);
const FALSE_WORDS: ReadonlySet<string> = new Set(["false", "off", "0", "no", "close", "closed", "disable", "disabled"]);

/**
 * What somebody typed for a point: `22.5`, `22,5 C`, `72 °F`, `50 %`, `on`, `Heat`.
 *
 * @throws {GatewayError} `bad-value` when it is nothing that the point takes, or could mean two things.
 */
export function parseValue(name: string, point: Point, text: string): Value {
	const typed = text.trim();
	const value = valueOf(name, point, typed);
	if (value === undefined) throw new GatewayError("bad-value", `Cannot use "${typed}" for "${name}": it takes ${takes(point)}`);
	checkValue(name, point, value);
	return value;
}

function valueOf(name: string, point: Point, typed: string): Value | undefined {
	switch (point.kind) {
		case "numeric": return numberOf(name, point, typed);
		case "boolean": return TRUE_WORDS.has(typed.toLowerCase()) ? true : FALSE_WORDS.has(typed.toLowerCase()) ? false : undefined;
		case "enum": return labelOf(point, typed);
		case "text": return typed;
	}
}

/** A label as it is written, else without case when that is one label only. */
function labelOf({ labels }: EnumPoint, typed: string): string | undefined {
	if (labels.includes(typed)) return typed;
	const near = labels.filter((label) => label.toLowerCase() === typed.toLowerCase());
	return near.length === 1 ? near[0] : undefined;
}

function numberOf(name: string, point: NumericPoint, typed: string): Value | undefined {
	const match = /^([+-]?[\d.,]+(?:[eE][+-]?\d+)?)\s*(.*)$/s.exec(typed);
	if (!match) return undefined;
	const [, digits = "", suffix = ""] = match;
	if (/,\d{3}$/.test(digits) && !digits.startsWith("0,") && !digits.startsWith("-0,")) {
		throw new GatewayError("bad-value", `Cannot use "${typed}" for "${name}": the comma could mean thousands or decimals; write ${digits.replace(",", ".")} or ${digits.replace(",", "")}`);
	}
	const number = numericFromText(digits.replace(",", "."));
	if (number === undefined || suffix === "") return number;
	const unit = unitFrom(suffix);
	if (unit === undefined || point.unit === undefined) return undefined;
	if (unit === point.unit || sameSign(unit, point.unit)) return number;
	const converted = convert(number.number, unit, point.unit);
	return converted === undefined ? undefined : numericFromNumber(converted, 2);
}

/** People write % for every kind of it. */
function sameSign(a: Unit, b: Unit): boolean {
	return a === "%" && b === "%RH";
}

/** The conversions that people expect of a thermostat; every other unit must be the point's own. */
function convert(number: number, from: Unit, to: Unit): number | undefined {
	const celsius = from === "°C" ? number : from === "°F" ? (number - 32) / 1.8 : from === "K" ? number - 273.15 : undefined;
	if (celsius === undefined) return undefined;
	return to === "°C" ? celsius : to === "°F" ? celsius * 1.8 + 32 : to === "K" ? celsius + 273.15 : undefined;
}
