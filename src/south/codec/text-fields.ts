import type { Unit } from "../../core/unit.js";
import { unitFrom } from "../../core/unit.js";
import { type Numeric, numericFromText } from "../../core/value.js";

/** What a line of `key=value` or `key: value` pairs says. */
export interface Pairs {
	readonly pairs: ReadonlyMap<string, string>;
	/** Words that belong to no pair: units after a blank, a record's name. */
	readonly rest: readonly string[];
	/** The word right behind the value of a key, `C` in `temp: 21.5 C`: perhaps its unit. */
	readonly behind: ReadonlyMap<string, string>;
}

const KEY = /^[A-Za-z_][A-Za-z0-9_.%/#-]*$/;
/** More is no line of readings, and keeps one line from making a table without end. */
const MAX_PAIRS = 64;

/**
 * Read `key=value` and `key:value` pairs, separated by blanks, commas, semicolons, bars or ampersands.
 *
 * `temp=21,5` has a decimal comma: a comma before a digit separates nothing, since no key begins with a digit.
 * The first of two pairs with one key counts. Linear in the line.
 *
 * @returns Nothing when there is no pair at all.
 */
export function keyValues(line: string): Pairs | undefined {
	const pairs = new Map<string, string>();
	const rest: string[] = [];
	const behind = new Map<string, string>();
	let key: string | undefined;
	/** The key whose value was the last word. */
	let last: string | undefined;
	const put = (value: string): void => {
		if (key !== undefined && !pairs.has(key) && pairs.size < MAX_PAIRS) pairs.set(key, value);
		last = value === "" ? undefined : key;
		key = undefined;
	};
	for (const word of words(line)) {
		const at = word.search(/[=:]/);
		const name = at === -1 ? "" : word.slice(0, at);
		if (at === 0 && rest.length > 0 && key === undefined && KEY.test(rest.at(-1)!)) { // `temp = 21.5`
			key = rest.pop()!;
			if (word.length > 1) put(word.slice(1));
		} else if (at > 0 && KEY.test(name)) {
			put("");
			key = name;
			if (at + 1 < word.length) put(word.slice(at + 1));
		} else if (key !== undefined) put(word);
		else {
			if (last !== undefined) behind.set(last, word);
			last = undefined;
			rest.push(word);
		}
	}
	put("");
	return pairs.size === 0 ? undefined : { pairs, rest, behind };
}

function* words(line: string): Iterable<string> {
	let start = 0;
	for (let at = 0; at <= line.length; at++) {
		const char = line[at];
		const ends = char === undefined || char === " " || char === "\t" || char === ";" || char === "|" || char === "&" || (char === "," && !isDigit(line[at + 1]));
		if (!ends) continue;
		if (at > start) yield line.slice(start, at);
		start = at + 1;
	}
}

function isDigit(char: string | undefined): boolean {
	return char !== undefined && char >= "0" && char <= "9";
}

/** What separates the fields of a line. `blank` is any run of blanks and tabs. */
export type Separator = "," | ";" | "\t" | "blank";

/** The fields of a line, trimmed, without quotation marks around them. Without a separator the line itself tells: `;`, else tab, else `,`, else blanks. */
export function fieldsOf(line: string, separator?: Separator): string[] {
	const by = separator ?? (line.includes(";") ? ";" : line.includes("\t") ? "\t" : line.includes(",") ? "," : "blank");
	const parts = by === "blank" ? line.trim().split(/[ \t]+/) : line.split(by);
	return parts.map((part) => {
		const text = part.trim();
		return text.length >= 2 && text.startsWith('"') && text.endsWith('"') ? text.slice(1, -1) : text;
	});
}

/**
 * A number as people print it into a line: `21.5`, `21,5`, `21.5C`, `45 %`.
 *
 * @param unit What a text behind the number must mean, if there is one.
 * @returns Nothing for what is no number, or has another unit behind it.
 */
export function numericFromField(text: string, unit?: Unit): Numeric | undefined {
	const end = endOfNumber(text);
	const number = numericFromText(text.slice(0, end).replace(/^([^.,]*),([^.,]*)$/, "$1.$2"));
	if (number === undefined) return undefined;
	const behind = text.slice(end).trim();
	if (behind === "") return number;
	return unit !== undefined && unitFrom(behind) === unit ? number : undefined;
}

function endOfNumber(text: string): number {
	let at = 0;
	while (at < text.length && "+-.,0123456789 ".includes(text[at]!)) at++;
	if ((text[at] === "e" || text[at] === "E") && /^[eE][+-]?\d/.test(text.slice(at, at + 3))) {
		at += 2;
		while (isDigit(text[at])) at++;
	}
	return at;
}

/** Words that mean yes or no when nobody declared others. Zero and one are left to the caller: they are numbers too. */
const TRUTHS: Readonly<Record<string, boolean>> = { true: true, false: false, on: true, off: false, yes: true, no: false };

/** A truth as people print it; nothing for other words. */
export function truthFromField(text: string): boolean | undefined {
	const folded = text.toLowerCase();
	return Object.hasOwn(TRUTHS, folded) ? TRUTHS[folded] : undefined;
}
