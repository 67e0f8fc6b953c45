// The templates of Home Assistant (Jinja), the part that devices use: tree + message → text.
// Source: https://www.home-assistant.io/docs/configuration/templating/ and https://jinja.palletsprojects.com/en/stable/templates/
//
// Ours, and not Jinja's: a number keeps the digits of its sender (`{{ value_json.t }}` of 21.50 is 21.50), and a whole
// result of arithmetic is written without a point (`{{ 10 / 2 }}` is 5, where Python says 5.0).
//
// Above 300 lines: half of them are the table of filters, a line each.

import { type Numeric, numericFromNumber, numericFromText } from "../../core/value.js";
import { isArray, isNumber, isObject, type Json } from "../json.js";
import { jsonText } from "./payload.js";
import { type Expression, type Part, parseTemplate, Refused, type Vocabulary } from "./template-parser.js";

/** A template that can be used. */
export interface Template {
	/**
	 * The text that it makes, trimmed as Home Assistant does.
	 *
	 * @returns Nothing where it cannot be worked out: arithmetic with what is missing, a text where a number should be.
	 */
	render(variables: Readonly<Record<string, Json | undefined>>): string | undefined;
	/** Does it surely make a number? It ends in a filter that does. */
	readonly numeric: boolean;
	/** Does it read `value_json`? Then a payload that is not JSON is a fault. */
	readonly wantsJson: boolean;
}

/** More text than that is made by no honest template: payloads are bounded, and so is what `~`, `replace` and `join` build of them. */
const MAX_WORK = 4 * 1_048_576;
/** And its own lists and maps are tables of words, not more. */
const MAX_HELD = 20_000;

/** A value while it is worked out; `undefined` is Jinja's. */
type Working = Json | undefined;

/** Jinja would throw; here the rendering has no result. One object, for it is thrown often. */
class Failed extends Error {}
const FAILED = new Failed("no result");
function fail(): never {
	throw FAILED;
}

/** What a template may use by default. */
const VALUE_NAMES = ["value", "value_json", "this", "entity_id", "name"];

/**
 * Make a template ready, or say why it cannot be used.
 *
 * @param names Further variables that are given to render(): `position`, `brightness` …
 * @returns The template, or the reason, for people: `it calls states()`.
 */
export function compileTemplate(source: string, names: readonly string[] = []): Template | string {
	try {
		const vocabulary: Vocabulary = { names: new Set([...VALUE_NAMES, ...names]), filters: FILTER_PARAMETERS, functions: FUNCTIONS, methods: METHODS, tests: TESTS };
		const parts = parseTemplate(source, vocabulary);
		const only = parts.filter((part) => part.kind !== "text" || part.text.trim() !== "");
		const last = only.length === 1 ? only[0] : undefined;
		return {
			numeric: last?.kind === "print" && last.value.kind === "apply" && NUMERIC_FILTERS.has(last.value.name),
			wantsJson: source.includes("value_json"),
			render: (variables) => new Rendering(variables).all(parts),
		};
	} catch (error) {
		if (error instanceof Refused) return error.message;
		throw error;
	}
}

class Rendering {
	readonly #names = new Map<string, Working>();
	/** How much the lists and maps hold that the template itself made: one that holds itself twice, again and again, would have no end. */
	readonly #weights = new WeakMap<object, number>();
	#work = 0;

	constructor(variables: Readonly<Record<string, Json | undefined>>) {
		for (const [name, value] of Object.entries(variables)) this.#names.set(name, value);
	}

	all(parts: readonly Part[]): string | undefined {
		try {
			const text: string[] = [];
			this.#parts(parts, text);
			return text.join("").trim();
		} catch (error) {
			if (error === FAILED) return undefined;
			throw error;
		}
	}

	#parts(parts: readonly Part[], into: string[]): void {
		for (const part of parts) {
			if (part.kind === "text") into.push(part.text);
			else if (part.kind === "print") into.push(this.#made(written(this.value(part.value))));
			else if (part.kind === "set") this.#names.set(part.name, this.value(part.value));
			else {
				const branch = part.branches.find(({ condition }) => condition === undefined || isTrue(this.value(condition)));
				if (branch) this.#parts(branch.body, into);
			}
		}
	}

	/** Count a text that was made; too much of it is refused. */
	#made(text: string): string {
		this.#work += text.length;
		if (this.#work > MAX_WORK) fail();
		return text;
	}

	#held<T extends readonly Json[] | { readonly [key: string]: Json }>(made: T): T {
		let weight = 1;
		for (const item of Object.values(made)) weight += typeof item === "string" ? item.length : typeof item === "object" && item !== null ? (this.#weights.get(item) ?? 1) : 1;
		if (weight > MAX_HELD) fail();
		this.#weights.set(made, weight);
		return made;
	}

	value(node: Expression): Working {
		switch (node.kind) {
			case "literal": return node.value;
			case "name": return this.#names.get(node.name);
			case "get": return member(this.value(node.of), this.value(node.key));
			case "slice": return this.#slice(node);
			case "apply": return this.#apply(node);
			case "test": return test(node.name, this.value(node.of), node.args.map((arg) => this.value(arg))) !== node.negated;
			case "not": return !isTrue(this.value(node.of));
			case "minus": return negated(numberOf(this.value(node.of)));
			case "plus": return numberOf(this.value(node.of));
			case "and": {
				const left = this.value(node.left);
				return isTrue(left) ? this.value(node.right) : left;
			}
			case "or": {
				const left = this.value(node.left);
				return isTrue(left) ? left : this.value(node.right);
			}
			case "math": return this.#math(node.operator, this.value(node.left), this.value(node.right));
			case "compare": return this.#compare(node);
			case "choice": {
				if (isTrue(this.value(node.condition))) return this.value(node.then);
				return node.otherwise === undefined ? undefined : this.value(node.otherwise);
			}
			case "list": return this.#held(node.items.map((item) => this.value(item) ?? null));
			case "map": {
				const map: Record<string, Json> = Object.create(null);
				for (const [key, value] of node.entries) map[keyOf(this.value(key))] = this.value(value) ?? null;
				return this.#held(map);
			}
		}
	}

	#slice(node: Expression & { readonly kind: "slice" }): Working {
		const of = this.value(node.of);
		const from = node.from === undefined ? 0 : numberOf(this.value(node.from)).number;
		const to = node.to === undefined ? undefined : numberOf(this.value(node.to)).number;
		if (typeof of === "string") return this.#made(of.slice(from, to));
		return isArray(of) ? of.slice(from, to) : fail();
	}

	#math(operator: string, left: Working, right: Working): Working {
		if (operator === "~") return this.#made(written(left) + written(right));
		if (operator === "+" && typeof left === "string" && typeof right === "string") return this.#made(left + right);
		if (operator === "+" && isArray(left) && isArray(right)) return this.#held([...left, ...right]);
		return calculated(operator, numberOf(left).number, numberOf(right).number);
	}

	#compare(node: Expression & { readonly kind: "compare" }): boolean {
		let left = this.value(node.first);
		for (const { operator, than } of node.rest) {
			const right = this.value(than);
			if (!compared(operator, left, right)) return false;
			left = right;
		}
		return true;
	}

	#apply(node: Expression & { readonly kind: "apply" }): Working {
		const filter = FILTERS.get(node.name);
		if (!filter) fail();
		const args = node.args.map((arg) => this.value(arg));
		const result = filter.run(this.value(node.of), args);
		if (typeof result === "string") this.#made(result);
		if (isArray(result) && (this.#work += result.length) > MAX_WORK) fail();
		return result;
	}
}

/** `str()` of Python. */
function written(value: Working): string {
	if (value === undefined) return "";
	if (value === null) return "None";
	if (typeof value === "string") return value;
	if (typeof value === "boolean") return value ? "True" : "False";
	return jsonText(value);
}

function keyOf(value: Working): string {
	return isNumber(value) ? String(value.number) : written(value);
}

function isTrue(value: Working): boolean {
	if (value === undefined || value === null || value === "" || value === false) return false;
	if (isNumber(value)) return value.number !== 0;
	if (isArray(value)) return value.length > 0;
	return isObject(value) ? Object.keys(value).length > 0 : true;
}

function member(of: Working, key: Working): Working {
	if (isArray(of)) {
		const index = isNumber(key) ? key.number : typeof key === "string" && /^\d+$/.test(key) ? Number(key) : fail();
		return of.at(index);
	}
	if (isObject(of)) return of[keyOf(key)];
	if (typeof of === "string" && isNumber(key)) return of.at(key.number);
	return fail();
}

function numberOf(value: Working): Numeric {
	if (isNumber(value)) return value;
	if (typeof value === "boolean") return { text: value ? "1" : "0", number: value ? 1 : 0 };
	return fail();
}

function negated(value: Numeric): Numeric {
	if (value.number === 0) return value;
	return { text: value.text.startsWith("-") ? value.text.slice(1) : `-${value.text}`, number: -value.number };
}

function calculated(operator: string, left: number, right: number): Numeric {
	switch (operator) {
		case "+": return made(left + right);
		case "-": return made(left - right);
		case "*": return made(left * right);
		case "/": return made(left / right);
		case "//": return made(Math.floor(left / right));
		case "%": return made(left - right * Math.floor(left / right));
		case "**": return made(left ** right);
		default: return fail();
	}
}

function made(number: number): Numeric {
	return numericFromNumber(number) ?? fail();
}

function equal(left: Working, right: Working): boolean {
	if (isNumber(left) || isNumber(right)) {
		const [a, b] = [left, right].map((value) => (isNumber(value) ? value.number : typeof value === "boolean" ? Number(value) : NaN));
		return a === b;
	}
	if (isArray(left) && isArray(right) && left.length === 0) return right.length === 0;
	return left === right;
}

function compared(operator: string, left: Working, right: Working): boolean {
	switch (operator) {
		case "==": return equal(left, right);
		case "!=": return !equal(left, right);
		case "in": return contains(right, left);
		case "not in": return !contains(right, left);
		default: {
			if (typeof left === "string" && typeof right === "string") return ordered(operator, left < right ? -1 : left > right ? 1 : 0);
			return ordered(operator, numberOf(left).number - numberOf(right).number);
		}
	}
}

function ordered(operator: string, sign: number): boolean {
	switch (operator) {
		case "<": return sign < 0;
		case "<=": return sign <= 0;
		case ">": return sign > 0;
		default: return sign >= 0;
	}
}

function contains(all: Working, one: Working): boolean {
	if (typeof all === "string") return typeof one === "string" ? all.includes(one) : fail();
	if (isArray(all)) return all.some((item) => equal(item, one));
	return isObject(all) ? keyOf(one) in all : fail();
}

const TESTS: ReadonlySet<string> = new Set(["defined", "undefined", "none", "number", "integer", "float", "string", "mapping", "boolean", "true", "false", "sequence", "iterable", "odd", "even", "eq", "equalto", "in", "divisibleby"]);

function test(name: string, value: Working, args: readonly Working[]): boolean {
	switch (name) {
		case "defined": return value !== undefined;
		case "undefined": return value === undefined;
		case "none": return value === null;
		case "number": return isNumber(value) || typeof value === "boolean";
		case "integer": return isNumber(value) && !value.text.includes(".");
		case "float": return isNumber(value) && value.text.includes(".");
		case "string": return typeof value === "string";
		case "mapping": return isObject(value);
		case "boolean": return typeof value === "boolean";
		case "true": return value === true;
		case "false": return value === false;
		case "sequence": case "iterable": return typeof value === "string" || isArray(value) || isObject(value);
		case "odd": return Math.abs(numberOf(value).number % 2) === 1;
		case "even": return numberOf(value).number % 2 === 0;
		case "divisibleby": return numberOf(value).number % numberOf(args[0]).number === 0;
		case "in": return contains(args[0], value);
		default: return equal(value, args[0]);
	}
}

/** A number, or a text that is one: what `float` and `int` take. */
function loose(value: Working): Numeric | undefined {
	if (isNumber(value)) return value;
	if (typeof value === "boolean") return numberOf(value);
	return typeof value === "string" ? numericFromText(value) : undefined;
}

function whole(value: Working): Numeric | undefined {
	const number = loose(value);
	return number === undefined ? undefined : number.text.includes(".") ? made(Math.trunc(number.number)) : number;
}

/** The given fallback, or no result at all. */
function orElse(found: Numeric | undefined, fallback: readonly Working[]): Working {
	return found ?? (fallback.length > 0 && fallback[0] !== undefined ? fallback[0] : fail());
}

function textFor(value: Working): string {
	return value === undefined ? "" : written(value);
}

interface Filter {
	readonly parameters: readonly string[];
	run(value: Working, args: readonly Working[]): Working;
}

/** What can be applied to a value. To add one: a line here; it is a filter at once, and a function or method where those tables say so. */
const FILTERS: ReadonlyMap<string, Filter> = new Map<string, Filter>(Object.entries({
	int: { parameters: ["default", "base"], run: (value, args) => isNumber(args[1]) && typeof value === "string" ? based(value, args[1].number, args) : orElse(whole(value), args) },
	float: { parameters: ["default"], run: (value, args) => orElse(loose(value), args) },
	bool: { parameters: ["default"], run: (value, args) => truth(value) ?? (args.length > 0 ? args[0] : fail()) },
	round: { parameters: ["precision", "method", "default"], run: rounded },
	default: { parameters: ["default_value", "boolean"], run: otherwise },
	d: { parameters: ["default_value", "boolean"], run: otherwise },
	iif: { parameters: ["if_true", "if_false", "if_none"], run: (value, args) => value === null && args.length > 2 ? args[2] : isTrue(value) ? (args.length > 0 ? args[0] : true) : (args.length > 1 ? args[1] : false) },
	is_defined: { parameters: [], run: (value) => value === undefined ? fail() : value },
	is_number: { parameters: [], run: (value) => loose(value) !== undefined },
	lower: { parameters: [], run: (value) => textFor(value).toLowerCase() },
	upper: { parameters: [], run: (value) => textFor(value).toUpperCase() },
	capitalize: { parameters: [], run: (value) => capital(textFor(value)) },
	title: { parameters: [], run: (value) => textFor(value).split(" ").map(capital).join(" ") },
	trim: { parameters: ["chars"], run: (value) => textFor(value).trim() },
	string: { parameters: [], run: textFor },
	replace: { parameters: ["old", "new"], run: (value, args) => replaced(textFor(value), textFor(args[0]), textFor(args[1])) },
	split: { parameters: ["sep"], run: (value, args) => (args.length > 0 ? textFor(value).split(textFor(args[0])) : textFor(value).trim().split(/\s+/)) },
	startswith: { parameters: ["prefix"], run: (value, args) => textFor(value).startsWith(textFor(args[0])) },
	endswith: { parameters: ["suffix"], run: (value, args) => textFor(value).endsWith(textFor(args[0])) },
	tojson: { parameters: [], run: (value) => value === undefined ? fail() : jsonText(value) },
	to_json: { parameters: [], run: (value) => value === undefined ? fail() : jsonText(value) },
	abs: { parameters: [], run: (value) => { const number = numberOf(value); return number.number < 0 ? negated(number) : number; } },
	multiply: { parameters: ["amount", "default"], run: (value, args) => arithmetic("*", value, args) },
	divide: { parameters: ["amount", "default"], run: (value, args) => arithmetic("/", value, args) },
	add: { parameters: ["amount", "default"], run: (value, args) => arithmetic("+", value, args) },
	bitwise_and: { parameters: ["other"], run: (value, args) => made(numberOf(value).number & numberOf(args[0]).number) },
	bitwise_or: { parameters: ["other"], run: (value, args) => made(numberOf(value).number | numberOf(args[0]).number) },
	min: { parameters: [], run: (value, args) => extreme(value, args, Math.min) },
	max: { parameters: [], run: (value, args) => extreme(value, args, Math.max) },
	sum: { parameters: [], run: (value) => made(listOf(value).reduce<number>((sum, item) => sum + numberOf(item).number, 0)) },
	length: { parameters: [], run: (value) => made(lengthOf(value)) },
	count: { parameters: [], run: (value) => made(lengthOf(value)) },
	first: { parameters: [], run: (value) => typeof value === "string" ? value.at(0) : listOf(value).at(0) },
	last: { parameters: [], run: (value) => typeof value === "string" ? value.at(-1) : listOf(value).at(-1) },
	join: { parameters: ["d"], run: (value, args) => listOf(value).map(written).join(textFor(args[0])) },
	list: { parameters: [], run: (value) => isArray(value) ? value : isObject(value) ? Object.keys(value) : [...textFor(value)] },
	get: { parameters: ["key", "default"], run: (value, args) => isObject(value) ? (value[keyOf(args[0])] ?? (args.length > 1 ? args[1] : null)) : fail() },
} satisfies Record<string, Filter>));

const FILTER_PARAMETERS: ReadonlyMap<string, readonly string[]> = new Map([...FILTERS].map(([name, { parameters }]) => [name, parameters]));
const NUMERIC_FILTERS: ReadonlySet<string> = new Set(["int", "float", "round", "abs", "multiply", "divide", "add", "bitwise_and", "bitwise_or", "min", "max", "sum", "length", "count"]);
const FUNCTIONS: ReadonlyMap<string, string> = new Map(["int", "float", "bool", "iif", "is_number", "min", "max", "round"].map((name) => [name, name]));
const METHODS: ReadonlyMap<string, string> = new Map([["get", "get"], ["lower", "lower"], ["upper", "upper"], ["strip", "trim"], ["title", "title"], ["capitalize", "capitalize"], ["replace", "replace"], ["split", "split"], ["startswith", "startswith"], ["endswith", "endswith"]]);

function otherwise(value: Working, [fallback, evenFalse]: readonly Working[]): Working {
	const absent = value === undefined || (isTrue(evenFalse) && !isTrue(value));
	return absent ? (fallback ?? "") : value;
}

function rounded(value: Working, [precision, method, fallback]: readonly Working[]): Working {
	const number = loose(value);
	if (!number) return fallback ?? fail();
	const decimals = isNumber(precision) ? precision.number : 0;
	if (!Number.isInteger(decimals) || Math.abs(decimals) > 15) return fail();
	const scale = 10 ** decimals;
	const moved = method === "floor" ? Math.floor(number.number * scale) / scale : method === "ceil" ? Math.ceil(number.number * scale) / scale : decimals < 0 ? Math.round(number.number * scale) / scale : number.number;
	return numericFromNumber(moved, Math.max(0, decimals)) ?? fail();
}

function based(text: string, base: number, args: readonly Working[]): Working {
	const digits = base === 16 ? text.trim().replace(/^0x/i, "") : text.trim();
	const known = base === 16 ? /^[0-9a-f]{1,12}$/i : base === 2 ? /^[01]{1,48}$/ : base === 8 ? /^[0-7]{1,16}$/ : /^-?\d{1,15}$/;
	return known.test(digits) ? made(Number.parseInt(digits, base === 16 || base === 2 || base === 8 ? base : 10)) : orElse(undefined, args);
}

const TRUE_WORDS = ["true", "yes", "on", "enable", "1"];
const FALSE_WORDS = ["false", "no", "off", "disable", "0"];

function truth(value: Working): boolean | undefined {
	if (typeof value === "boolean") return value;
	if (isNumber(value)) return value.number !== 0;
	const word = typeof value === "string" ? value.trim().toLowerCase() : "";
	return TRUE_WORDS.includes(word) ? true : FALSE_WORDS.includes(word) ? false : undefined;
}

function capital(text: string): string {
	return text.slice(0, 1).toUpperCase() + text.slice(1).toLowerCase();
}

function replaced(text: string, old: string, by: string): string {
	if (old === "") return fail();
	const pieces = text.split(old);
	if (text.length + pieces.length * by.length > MAX_WORK) fail();
	return pieces.join(by);
}

function arithmetic(operator: string, value: Working, [amount, fallback]: readonly Working[]): Working {
	const number = loose(value);
	if (!number) return fallback ?? fail();
	return calculated(operator, number.number, (loose(amount) ?? fail()).number);
}

function extreme(value: Working, args: readonly Working[], pick: (...numbers: number[]) => number): Numeric {
	const numbers = (args.length > 0 ? [value, ...args] : listOf(value)).map(numberOf);
	if (numbers.length === 0) fail();
	const found = numbers.map(({ number }) => number).reduce((a, b) => pick(a, b));
	return numbers.find(({ number }) => number === found) ?? fail();
}

function listOf(value: Working): readonly Json[] {
	return isArray(value) ? value : fail();
}

function lengthOf(value: Working): number {
	if (typeof value === "string" || isArray(value)) return value.length;
	return isObject(value) ? Object.keys(value).length : fail();
}
