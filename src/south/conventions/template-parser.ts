// The templates of Home Assistant (Jinja), the part that devices use: text → tree.
// Source: https://jinja.palletsprojects.com/en/stable/templates/ ; precedence as in Jinja's own parser.
// Above 300 lines: lexer and grammar know each other's every token.

import { numericFromText } from "../../core/value.js";
import type { Json } from "../json.js";

export type Expression =
	| { readonly kind: "literal"; readonly value: Json }
	| { readonly kind: "name"; readonly name: string }
	| { readonly kind: "get"; readonly of: Expression; readonly key: Expression }
	| { readonly kind: "slice"; readonly of: Expression; readonly from: Expression | undefined; readonly to: Expression | undefined }
	| { readonly kind: "apply"; readonly name: string; readonly of: Expression; readonly args: readonly Expression[] }
	| { readonly kind: "test"; readonly name: string; readonly of: Expression; readonly args: readonly Expression[]; readonly negated: boolean }
	| { readonly kind: "not" | "minus" | "plus"; readonly of: Expression }
	| { readonly kind: "and" | "or"; readonly left: Expression; readonly right: Expression }
	| { readonly kind: "math"; readonly operator: string; readonly left: Expression; readonly right: Expression }
	| { readonly kind: "compare"; readonly first: Expression; readonly rest: readonly { readonly operator: string; readonly than: Expression }[] }
	| { readonly kind: "choice"; readonly condition: Expression; readonly then: Expression; readonly otherwise: Expression | undefined }
	| { readonly kind: "list"; readonly items: readonly Expression[] }
	| { readonly kind: "map"; readonly entries: readonly (readonly [key: Expression, value: Expression])[] };

export type Part =
	| { readonly kind: "text"; readonly text: string }
	| { readonly kind: "print"; readonly value: Expression }
	| { readonly kind: "set"; readonly name: string; readonly value: Expression }
	| { readonly kind: "if"; readonly branches: readonly { readonly condition: Expression | undefined; readonly body: readonly Part[] }[] };

/** What a template may name. All that is not in here is refused by name. */
export interface Vocabulary {
	/** Variables that are given when it is rendered. */
	readonly names: ReadonlySet<string>;
	/** Filters by name, with the names of their arguments in order. */
	readonly filters: ReadonlyMap<string, readonly string[]>;
	/** Functions; each is a filter, applied to its first argument. */
	readonly functions: ReadonlyMap<string, string>;
	/** Methods; each is a filter, applied to its object. */
	readonly methods: ReadonlyMap<string, string>;
	readonly tests: ReadonlySet<string>;
}

/** Longest template; the longest that a known sender writes has some 2 000 characters. */
const MAX_LENGTH = 8_192;
/** Most nodes of one tree, by which its depth is bounded too: rendering calls itself. */
const MAX_NODES = 800;
/** Deepest nesting of brackets and blocks: parsing calls itself. */
const MAX_DEPTH = 40;

/** Why a template cannot be used, for people: `it calls "states"`. Never leaves this folder's template files. */
export class Refused extends Error {}

interface Token {
	/** What it is: a name, a text, a number, an operator, or one of the borders of the template. */
	readonly kind: "name" | "string" | "number" | "operator" | "text" | "open" | "close" | "end";
	readonly text: string;
}

const SPACE = /\s/;
const NAME = /[A-Za-z_][A-Za-z0-9_]*/y;
const NUMBER = /\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const OPERATOR = /\/\/|\*\*|==|!=|<=|>=|[-+*/%~<>()[\]{}.,:|=]/y;
const ESCAPES: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r", "\\": "\\", "'": "'", '"': '"' };

/** The tokens of a template, its plain text among them. Linear: each character is looked at once, or thrice at a border. */
function tokens(source: string): Token[] {
	const found: Token[] = [];
	let at = 0;
	let trimNext = false;
	while (at < source.length) {
		const open = nextOpen(source, at);
		let text = source.slice(at, open);
		if (trimNext) text = text.trimStart();
		// Jinja drops the line break after a block.
		else if (found.at(-1)?.text === "%}" && text.startsWith("\n")) text = text.slice(1);
		trimNext = false;
		if (open < source.length && source[open + 2] === "-") text = text.trimEnd();
		if (text !== "") found.push({ kind: "text", text });
		if (open >= source.length) break;
		const border = source.slice(open, open + 2);
		at = open + (source[open + 2] === "-" ? 3 : 2);
		if (border === "{#") {
			const end = source.indexOf("#}", at);
			if (end < 0) throw new Refused("a comment has no end");
			trimNext = source[end - 1] === "-";
			at = end + 2;
			continue;
		}
		found.push({ kind: "open", text: border });
		const close = border === "{{" ? "}}" : "%}";
		let braces = 0;
		for (;;) {
			while (at < source.length && SPACE.test(source[at]!)) at++;
			if (at >= source.length) throw new Refused(`a ${border} has no ${close}`);
			const dashed = source[at] === "-" && source.startsWith(close, at + 1);
			if (dashed || (braces === 0 && source.startsWith(close, at))) {
				found.push({ kind: "close", text: close });
				trimNext = dashed;
				at += dashed ? 3 : 2;
				break;
			}
			const token = tokenAt(source, at);
			if (token.token.text === "{" && token.token.kind === "operator") braces++;
			if (token.token.text === "}" && token.token.kind === "operator") braces--;
			found.push(token.token);
			at = token.end;
		}
	}
	found.push({ kind: "end", text: "" });
	return found;
}

function nextOpen(source: string, from: number): number {
	for (let at = source.indexOf("{", from); at >= 0; at = source.indexOf("{", at + 1)) {
		const next = source[at + 1];
		if (next === "{" || next === "%" || next === "#") return at;
	}
	return source.length;
}

function tokenAt(source: string, at: number): { readonly token: Token; readonly end: number } {
	const char = source[at]!;
	if (char === "'" || char === '"') {
		let text = "";
		for (let end = at + 1; end < source.length; end++) {
			const next = source[end]!;
			if (next === char) return { token: { kind: "string", text }, end: end + 1 };
			if (next === "\\") {
				const escaped = source[++end] ?? "";
				text += ESCAPES[escaped] ?? `\\${escaped}`;
			} else text += next;
		}
		throw new Refused("a text has no closing quote");
	}
	for (const [kind, pattern] of [["name", NAME], ["number", NUMBER], ["operator", OPERATOR]] as const) {
		pattern.lastIndex = at;
		const match = pattern.exec(source);
		if (match) return { token: { kind, text: match[0] }, end: at + match[0].length };
	}
	throw new Refused(`it contains ${JSON.stringify(char)}`);
}

/** Parse a template. @throws {Refused} with what it uses that is not in the vocabulary. */
export function parseTemplate(source: string, vocabulary: Vocabulary): readonly Part[] {
	if (source.length > MAX_LENGTH) throw new Refused(`it is longer than ${MAX_LENGTH} characters`);
	const parser = new Parser(tokens(source), vocabulary);
	return parser.all();
}

class Parser {
	readonly #tokens: readonly Token[];
	readonly #vocabulary: Vocabulary;
	readonly #set = new Set<string>();
	#at = 0;
	#nodes = 0;
	#depth = 0;

	constructor(tokens: readonly Token[], vocabulary: Vocabulary) {
		this.#tokens = tokens;
		this.#vocabulary = vocabulary;
	}

	all(): Part[] {
		const parts = this.#parts();
		if (this.#peek().kind !== "end") throw new Refused(`a {% ${this.#tokens[this.#at + 1]?.text ?? ""} %} has no beginning`);
		return parts;
	}

	/** Up to the end, or before a `{%` that closes or continues the block around it. */
	#parts(): Part[] {
		const parts: Part[] = [];
		for (;;) {
			const token = this.#peek();
			if (token.kind === "end") return parts;
			if (token.kind === "open" && token.text === "{%") {
				const word = this.#tokens[this.#at + 1]!.text;
				if (word === "elif" || word === "else" || word === "endif") return parts;
			}
			this.#at++;
			this.#count();
			if (token.kind === "text") parts.push({ kind: "text", text: token.text });
			else if (token.text === "{{") {
				parts.push({ kind: "print", value: this.#expression() });
				this.#close("}}");
			} else parts.push(this.#block());
		}
	}

	#block(): Part {
		const word = this.#next().text;
		if (word === "set") {
			const name = this.#next();
			if (name.kind !== "name") throw new Refused("it sets something without a name");
			if (!this.#takes("=")) throw new Refused('it uses {% set %} for more than "name = value"');
			const value = this.#expression();
			this.#close("%}");
			this.#set.add(name.text);
			return { kind: "set", name: name.text, value };
		}
		if (word !== "if") throw new Refused(`it uses {% ${word} %}`);
		return this.#nested(() => {
			const branches: { condition: Expression | undefined; body: Part[] }[] = [];
			let condition: Expression | undefined = this.#expression();
			for (;;) {
				this.#close("%}");
				branches.push({ condition, body: this.#parts() });
				if (this.#next().kind === "end") throw new Refused("an {% if %} has no {% endif %}");
				const next = this.#next().text;
				if (next === "endif") {
					this.#close("%}");
					return { kind: "if", branches };
				}
				if (next === "elif") condition = this.#expression();
				else if (condition === undefined) throw new Refused("an {% if %} has two {% else %}");
				else condition = undefined;
			}
		});
	}

	#expression(): Expression {
		return this.#nested(() => {
			let value = this.#or();
			while (this.#takes("if")) {
				const condition = this.#or();
				const otherwise: Expression | undefined = this.#takes("else") ? this.#expression() : undefined;
				value = this.#node({ kind: "choice", condition, then: value, otherwise });
			}
			return value;
		});
	}

	#or(): Expression {
		let left = this.#and();
		while (this.#takes("or")) left = this.#node({ kind: "or", left, right: this.#and() });
		return left;
	}

	#and(): Expression {
		let left = this.#not();
		while (this.#takes("and")) left = this.#node({ kind: "and", left, right: this.#not() });
		return left;
	}

	#not(): Expression {
		if (this.#takes("not")) return this.#nested(() => this.#node({ kind: "not", of: this.#not() }));
		const first = this.#sum();
		const rest: { operator: string; than: Expression }[] = [];
		for (;;) {
			const token = this.#peek();
			const comparing = token.kind === "operator" && ["==", "!=", "<", "<=", ">", ">="].includes(token.text);
			if (comparing) {
				this.#at++;
				rest.push({ operator: token.text, than: this.#sum() });
			} else if (this.#takes("in")) rest.push({ operator: "in", than: this.#sum() });
			else if (this.#isWord("not") && this.#isWord("in", 1)) {
				this.#at += 2;
				rest.push({ operator: "not in", than: this.#sum() });
			} else return rest.length === 0 ? first : this.#node({ kind: "compare", first, rest });
		}
	}

	#sum(): Expression {
		return this.#chain(["+", "-"], () => this.#chain(["~"], () => this.#chain(["*", "/", "//", "%"], () => this.#power())));
	}

	#power(): Expression {
		return this.#chain(["**"], () => this.#unary(true));
	}

	#chain(operators: readonly string[], next: () => Expression): Expression {
		let left = next();
		for (;;) {
			const token = this.#peek();
			if (token.kind !== "operator" || !operators.includes(token.text)) return left;
			this.#at++;
			left = this.#node({ kind: "math", operator: token.text, left, right: next() });
		}
	}

	#unary(filtered: boolean): Expression {
		let value: Expression;
		if (this.#takes("-")) value = this.#nested(() => this.#node({ kind: "minus", of: this.#unary(false) }));
		else if (this.#takes("+")) value = this.#nested(() => this.#node({ kind: "plus", of: this.#unary(false) }));
		else value = this.#primary();
		value = this.#postfix(value);
		return filtered ? this.#filters(value) : value;
	}

	#primary(): Expression {
		const token = this.#next();
		if (token.kind === "string") {
			let text = token.text;
			while (this.#peek().kind === "string") text += this.#next().text;
			return this.#node({ kind: "literal", value: text });
		}
		if (token.kind === "number") {
			const value = numericFromText(token.text);
			if (!value) throw new Refused(`it contains the number ${token.text}`);
			return this.#node({ kind: "literal", value });
		}
		if (token.kind === "name") return this.#named(token.text);
		if (token.text === "(") {
			const value = this.#expression();
			if (!this.#takes(",")) {
				this.#expect(")");
				return value;
			}
			return this.#node({ kind: "list", items: [value, ...this.#items(")")] });
		}
		if (token.text === "[") return this.#node({ kind: "list", items: this.#items("]") });
		if (token.text === "{") {
			const entries: (readonly [Expression, Expression])[] = [];
			while (!this.#takes("}")) {
				const key = this.#expression();
				this.#expect(":");
				entries.push([key, this.#expression()]);
				if (!this.#takes(",") && this.#peek().text !== "}") throw new Refused("a map has no end");
			}
			return this.#node({ kind: "map", entries });
		}
		throw new Refused(token.kind === "end" || token.kind === "close" ? "it ends too early" : `it has ${JSON.stringify(token.text)} where a value should be`);
	}

	#named(name: string): Expression {
		if (name === "true" || name === "True") return this.#node({ kind: "literal", value: true });
		if (name === "false" || name === "False") return this.#node({ kind: "literal", value: false });
		if (name === "none" || name === "None") return this.#node({ kind: "literal", value: null });
		if (this.#peek().text === "(" && this.#peek().kind === "operator") {
			const filter = this.#vocabulary.functions.get(name);
			if (filter === undefined) throw new Refused(`it calls ${name}()`);
			this.#at++;
			const args = this.#arguments(this.#vocabulary.filters.get(filter) ?? []);
			const [of, ...others] = args;
			if (!of) throw new Refused(`it calls ${name}() with nothing`);
			return this.#node({ kind: "apply", name: filter, of, args: others });
		}
		if (!this.#set.has(name) && !this.#vocabulary.names.has(name)) throw new Refused(`it reads "${name}"`);
		return this.#node({ kind: "name", name });
	}

	#postfix(of: Expression): Expression {
		let value = of;
		for (;;) {
			if (this.#takes(".")) {
				const key = this.#next();
				if (key.kind !== "name" && key.kind !== "number") throw new Refused("it has a dot without a name");
				if (key.kind === "name" && this.#peek().kind === "operator" && this.#peek().text === "(") {
					const filter = this.#vocabulary.methods.get(key.text);
					if (filter === undefined) throw new Refused(`it calls .${key.text}()`);
					this.#at++;
					value = this.#node({ kind: "apply", name: filter, of: value, args: this.#arguments([]) });
				} else value = this.#node({ kind: "get", of: value, key: this.#node({ kind: "literal", value: key.text }) });
			} else if (this.#takes("[")) {
				const from = this.#peek().text === ":" && this.#peek().kind === "operator" ? undefined : this.#expression();
				if (this.#takes(":")) {
					const to = this.#peek().text === "]" && this.#peek().kind === "operator" ? undefined : this.#expression();
					value = this.#node({ kind: "slice", of: value, from, to });
				} else value = this.#node({ kind: "get", of: value, key: from! });
				this.#expect("]");
			} else return value;
		}
	}

	#filters(of: Expression): Expression {
		let value = of;
		for (;;) {
			if (this.#takes("|")) {
				const name = this.#next().text;
				const parameters = this.#vocabulary.filters.get(name);
				if (!parameters) throw new Refused(`it uses the filter "${name}"`);
				const args = this.#takes("(") ? this.#arguments(parameters) : [];
				value = this.#postfix(this.#node({ kind: "apply", name, of: value, args }));
			} else if (this.#takes("is")) {
				const negated = this.#takes("not");
				const name = this.#next().text.toLowerCase();
				if (!this.#vocabulary.tests.has(name)) throw new Refused(`it uses the test "${name}"`);
				const next = this.#peek();
				const args = this.#takes("(") ? this.#arguments([]) : next.kind === "string" || next.kind === "number" ? [this.#primary()] : [];
				value = this.#node({ kind: "test", name, of: value, args, negated });
			} else return value;
		}
	}

	/** After an opening bracket: `a, b, name=c)`. Named ones are put in their place. */
	#arguments(parameters: readonly string[]): Expression[] {
		const args: Expression[] = [];
		while (!this.#takes(")")) {
			const name = this.#peek();
			const after = this.#tokens[this.#at + 1];
			if (name.kind === "name" && after?.kind === "operator" && after.text === "=") {
				this.#at += 2;
				const place = parameters.indexOf(name.text);
				if (place < 0 || place < args.length) throw new Refused(`it uses the argument "${name.text}"`);
				while (args.length < place) args.push({ kind: "literal", value: null });
			}
			args.push(this.#expression());
			if (!this.#takes(",") && this.#peek().text !== ")") throw new Refused("a bracket has no end");
		}
		return args;
	}

	#items(end: string): Expression[] {
		const items: Expression[] = [];
		while (!this.#takes(end)) {
			items.push(this.#expression());
			if (!this.#takes(",") && this.#peek().text !== end) throw new Refused("a list has no end");
		}
		return items;
	}

	#peek(): Token {
		return this.#tokens[this.#at] ?? this.#tokens[this.#tokens.length - 1]!;
	}

	#next(): Token {
		const token = this.#peek();
		this.#at++;
		return token;
	}

	#isWord(text: string, ahead = 0): boolean {
		const token = this.#tokens[this.#at + ahead];
		return token?.kind === "name" && token.text === text;
	}

	/** Take the operator or word if it is next. */
	#takes(text: string): boolean {
		const token = this.#peek();
		if (token.text !== text || (token.kind !== "operator" && token.kind !== "name")) return false;
		this.#at++;
		return true;
	}

	#expect(text: string): void {
		if (!this.#takes(text)) throw new Refused(`it has ${JSON.stringify(this.#peek().text)} where "${text}" should be`);
	}

	#close(border: string): void {
		const token = this.#next();
		if (token.kind !== "close" || token.text !== border) throw new Refused(`it has ${JSON.stringify(token.text)} where "${border}" should be`);
	}

	#count(): void {
		if (++this.#nodes > MAX_NODES) throw new Refused(`it has more than ${MAX_NODES} parts`);
	}

	#node(node: Expression): Expression {
		this.#count();
		return node;
	}

	#nested<T>(parse: () => T): T {
		if (++this.#depth > MAX_DEPTH) throw new Refused(`it is nested deeper than ${MAX_DEPTH}`);
		const value = parse();
		this.#depth--;
		return value;
	}
}
