// What another config would change, value by value.
import type { Config } from "./schema.js";

/** One value that differs. */
export interface Difference {
	/** `links[farm].url`: what has an id is told by it, and not by its place in the list. */
	readonly path: readonly string[];
	/** As JSON; nothing where there is nothing. Secrets are never shown. */
	readonly before?: string;
	readonly after?: string;
}

/** Every value that differs between two configs, in the order of the keys. */
export function differences(before: Config, after: Config): Difference[] {
	return between(before, after, []);
}

/** `links[farm].url: "mqtt://a" → "mqtt://b"` */
export function differenceLine({ path, before, after }: Difference): string {
	const where = path.map((key, index) => (key.startsWith("[") || index === 0 ? key : `.${key}`)).join("");
	if (before === undefined) return `+ ${where}: ${after}`;
	if (after === undefined) return `- ${where}: ${before}`;
	return `~ ${where}: ${before} → ${after}`;
}

function between(before: unknown, after: unknown, path: readonly string[]): Difference[] {
	if (Array.isArray(before) && Array.isArray(after)) return between(byId(before), byId(after), path);
	if (isObject(before) && isObject(after)) {
		return [...new Set([...Object.keys(before), ...Object.keys(after)])].flatMap((key) => between(before[key], after[key], [...path, key]));
	}
	if (JSON.stringify(before) === JSON.stringify(after)) return [];
	return [{ path, ...(before !== undefined && { before: shown(before, path) }), ...(after !== undefined && { after: shown(after, path) }) }];
}

/** A list as an object, so that a new item in the middle is one difference. */
function byId(list: readonly unknown[]): Record<string, unknown> {
	return Object.fromEntries(list.map((item, index) => [`[${isObject(item) && typeof item["id"] === "string" ? item["id"] : index}]`, item]));
}

function isObject(node: unknown): node is Record<string, unknown> {
	return typeof node === "object" && node !== null && !Array.isArray(node);
}

const SECRET_KEYS: ReadonlySet<string> = new Set(["secret", "password"]);

/** Long enough to be recognised. */
const MAX_SHOWN = 120;

function shown(value: unknown, path: readonly string[]): string {
	if (isSecret(path)) return "(secret)";
	const text = JSON.stringify(value, (key, inner: unknown) => (SECRET_KEYS.has(key) || isUsers(key, inner) ? "(secret)" : typeof inner === "string" ? withoutPassword(inner) : inner));
	return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text;
}

function isSecret(path: readonly string[]): boolean {
	return SECRET_KEYS.has(path.at(-1) ?? "") || path.includes("users");
}

function isUsers(key: string, value: unknown): boolean {
	return key === "users" && isObject(value);
}

/** `mqtt://user:password@host` */
function withoutPassword(text: string): string {
	return text.replace(/^([a-z]+:\/\/[^:/?#@]*:)[^/?#]*@/i, "$1(secret)@");
}
