// What a person can type: design §3.4. Pure: a line in, what it asks for out; what exists is decided elsewhere.

/** One line of a person, understood as far as that goes without knowing the device. */
export type ChatLine =
	| { readonly word: "help" }
	| { readonly word: "status" }
	/** `what` is a point name, or empty for all. */
	| { readonly word: "read"; readonly what: string }
	/** `rest` begins with a point name; where that ends only the device knows. */
	| { readonly word: "set"; readonly rest: string }
	/** `:=` has said where the name ends. */
	| { readonly word: "assign"; readonly what: string; readonly value: string }
	| { readonly word: "devices"; readonly pattern: string }
	/** `rest` begins with a point name; empty: what is stored of each. */
	| { readonly word: "history"; readonly rest: string }
	/** `rest` begins with a point name; empty: what is watched already. */
	| { readonly word: "watch"; readonly rest: string }
	/** `what` is a point name, or empty for all. */
	| { readonly word: "unwatch"; readonly what: string }
	| { readonly word: "hello" }
	| { readonly word: "unknown"; readonly text: string };

/** The words that begin a line, for help and for the nearest one. */
export const DEVICE_WORDS = ["help", "status", "read", "set", "history", "watch", "unwatch"] as const;
export const GATEWAY_WORDS = ["help", "status", "devices", "watch"] as const;

const GREETINGS: ReadonlySet<string> = new Set(["hi", "hello", "hey", "hej", "hallo", "hola", "ciao", "salut", "bonjour", "moin", "servus"]);

/** Understand one line. Whatever does not begin with a known word is `unknown`, never an action. */
export function parseLine(line: string): ChatLine {
	const text = plain(line);
	const assign = /^(.+?)\s*:=\s*(.+)$/s.exec(text);
	if (assign) return { word: "assign", what: unquoted(assign[1]!), value: unquoted(assign[2]!) };
	const question = /^(.*?)\s*\?{1,2}$/s.exec(text);
	if (question && !/^(help|status|devices|history)\b/i.test(text)) return { word: "read", what: unquoted(question[1]!.replace(/^read\b\s*/i, "")) };
	const [, first = "", rest = ""] = /^(\S*)\s*(.*)$/s.exec(text) ?? [];
	switch (first.toLowerCase().replace(/^\//, "")) {
		case "help": case "help?": case "#": case "##": return { word: "help" };
		case "status": case "status?": return { word: "status" };
		case "read": case "get": return { word: "read", what: unquoted(rest) };
		case "set": return rest === "" ? { word: "unknown", text } : { word: "set", rest };
		case "history": return { word: "history", rest };
		case "watch": return { word: "watch", rest };
		case "unwatch": return { word: "unwatch", what: unquoted(rest) };
		case "devices": case "list": case "devices?": return { word: "devices", pattern: unquoted(rest) };
		default: return GREETINGS.has(first.toLowerCase().replace(/[!.,]+$/, "")) && rest === "" ? { word: "hello" } : { word: "unknown", text };
	}
}

/** Blanks of every kind become one, typographic quotes plain ones: phones write what they like. */
export function plain(line: string): string {
	return line.replace(/[\s\u00a0\u2000-\u200b\u202f\ufeff]+/g, " ").replace(/[\u201c\u201d\u201e\u00ab\u00bb]/g, "\"").replace(/[\u2018\u2019]/g, "'").trim();
}

function unquoted(text: string): string {
	const match = /^(["'])(.*)\1$/.exec(text.trim());
	return (match ? match[2]! : text).trim();
}

/**
 * Split `rest` after the longest of `names` that it begins with, without case; `to` and `=` between name and value are
 * swallowed. A quoted name is taken whole.
 */
export function splitName(rest: string, names: readonly string[]): readonly [name: string, value: string] | undefined {
	const quoted = /^"([^"]+)"\s*(.*)$/s.exec(rest);
	const text = quoted ? quoted[1]! : rest;
	const folded = text.toLowerCase();
	const name = names
		.filter((candidate) => folded.startsWith(candidate.toLowerCase()) && (quoted ? folded.length === candidate.length : /^(\s|=|$)/.test(text.slice(candidate.length))))
		.sort((a, b) => b.length - a.length)[0];
	if (name === undefined) return undefined;
	const value = (quoted ? quoted[2]! : text.slice(name.length)).trim();
	return [name, unquoted(value.replace(/^(=|to\s)\s*/i, ""))];
}
