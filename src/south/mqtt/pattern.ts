// The grammar of `topics:`. MQTT Version 3.1.1, section 4.7: topic names and topic filters.
// Source: https://docs.oasis-open.org/mqtt/mqtt/v3.1.1/os/mqtt-v3.1.1-os.html

import { GatewayError } from "../../core/errors.js";
import { FilterTree } from "./filter-tree.js";

/** What the placeholders of a pattern stood for in one topic, by name. */
export type Captures = Readonly<Record<string, string>>;

interface Level {
	readonly kind: "literal" | "capture" | "rest";
	/** The literal; of a capture what stands before it in its level. */
	readonly text: string;
	/** Nothing for `+` and `#`, which capture nothing. */
	readonly name?: string;
	/** What stands behind a capture in its level. */
	readonly after?: string;
}

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
const PLACEHOLDER = /\{([A-Za-z_][A-Za-z0-9_]*)(?:\.\.\.)?\}/g;
/** UTF-8 strings of MQTT carry their length in 16 bits: section 1.5.3. */
const MAX_TOPIC_BYTES = 65_535;

/**
 * One `match:`, such as `sensors/{room}/{id}/state`.
 *
 * `{name}` is one level or a part of one (`zigbee_{id}`), `{name...}` at the end is one level or more; `+` and `#` match the same and keep nothing.
 */
export class TopicPattern {
	readonly filter: string;
	readonly names: readonly string[];
	readonly #levels: readonly Level[];

	/** @throws {GatewayError} `bad-config`. */
	constructor(pattern: string) {
		this.#levels = pattern.split("/").map((text, at, all) => levelFrom(pattern, text, at === all.length - 1));
		this.names = this.#levels.flatMap((level) => level.name ?? []);
		const twice = this.names.find((name, at) => this.names.indexOf(name) !== at);
		if (twice !== undefined) throw wrong(pattern, `{${twice}} stands in it twice; give each its own name`);
		this.filter = this.#levels.map((level) => level.kind === "literal" ? level.text : level.kind === "rest" ? "#" : "+").join("/");
		if (!isFilter(this.filter)) throw wrong(pattern, `"${this.filter}" is no MQTT topic filter`);
	}

	/** The captures of a topic; nothing when it is not of this pattern. Captures are never empty and hold no wildcard. */
	match(topic: string): Captures | undefined {
		const levels = topic.split("/");
		const pattern = this.#levels;
		const last = pattern[pattern.length - 1]!;
		if (last.kind === "rest" ? levels.length < pattern.length : levels.length !== pattern.length) return undefined;
		// Section 4.7.2: a wildcard does not match the topics of the broker itself.
		if (topic.startsWith("$") && (pattern[0]!.kind !== "literal")) return undefined;
		const captures: Record<string, string> = Object.create(null);
		for (const [at, level] of pattern.entries()) {
			const found = level.kind === "rest" ? levels.slice(at).join("/") : levels[at]!;
			if (level.kind === "literal") {
				if (found !== level.text) return undefined;
				continue;
			}
			const after = level.after ?? "";
			if (!found.startsWith(level.text) || !found.endsWith(after) || found.length <= level.text.length + after.length) {
				if (level.name === undefined && found === "") continue;
				return undefined;
			}
			const capture = found.slice(level.text.length, found.length - after.length);
			if (!isSafe(capture)) return undefined;
			if (level.name !== undefined) captures[level.name] = capture;
		}
		return captures;
	}
}

function levelFrom(pattern: string, text: string, isLast: boolean): Level {
	if (text === "+") return { kind: "capture", text: "" };
	if (text === "#" && isLast) return { kind: "rest", text: "" };
	const open = text.indexOf("{");
	if (open < 0) {
		if (/[}+#]/.test(text)) throw wrong(pattern, `"${text}" holds ${text.includes("}") ? "a } without {" : "a wildcard beside other characters"}`);
		return { kind: "literal", text };
	}
	const close = text.indexOf("}", open);
	const inside = close < 0 ? text : text.slice(open + 1, close);
	const rest = inside.endsWith("...");
	const name = rest ? inside.slice(0, -3) : inside;
	const before = text.slice(0, open);
	const after = close < 0 ? "" : text.slice(close + 1);
	if (close < 0 || !NAME.test(name)) throw wrong(pattern, `"${text}" is no placeholder; wanted {name}, of letters, digits and _`);
	if (/[{}+#]/.test(before + after)) throw wrong(pattern, `"${text}" holds more than one placeholder or a wildcard; a level takes one`);
	if (rest && (!isLast || before !== "" || after !== "")) throw wrong(pattern, `{${name}...} must be the whole of the last level`);
	return rest ? { kind: "rest", text: "", name } : { kind: "capture", text: before, name, after };
}

function wrong(pattern: string, why: string): GatewayError {
	return new GatewayError("bad-config", `Cannot use topic pattern "${pattern}": ${why}`);
}

/** A text with placeholders, such as `{room}-{id}`. */
export class Template {
	readonly text: string;
	readonly names: readonly string[];

	/** @throws {GatewayError} `bad-config` for a placeholder that is not in `known`. */
	constructor(text: string, known: readonly string[]) {
		this.text = text;
		this.names = [...text.matchAll(PLACEHOLDER)].map((found) => found[1]!);
		const unknown = this.names.find((name) => !known.includes(name));
		if (unknown !== undefined) throw new GatewayError("bad-config", `Cannot use template "${text}": {${unknown}} is not in the topic pattern, which has ${known.map((name) => `{${name}}`).join(", ") || "none"}`);
	}

	/** The text with what `of` gives for each name, and where in the text it stands. */
	fill(of: (name: string, at: number) => string): string {
		return this.text.replace(PLACEHOLDER, (_all, name: string, at: number) => of(name, at));
	}

	/** The topic to publish to. @throws {GatewayError} `bad-value` where that would be no topic. */
	topic(captures: Captures): string {
		const topic = this.fill((name) => {
			const capture = captures[name];
			if (capture === undefined || !isSafe(capture)) throw new GatewayError("bad-value", `Cannot make a topic of "${this.text}": {${name}} is ${capture === undefined ? "not known yet" : "empty or holds a wildcard"}`);
			return capture;
		});
		if (!isTopic(topic)) throw new GatewayError("bad-value", `Cannot publish to "${topic.slice(0, 120)}": it is no MQTT topic`);
		return topic;
	}
}

/** A slash is a capture's only when the capture was several levels, and then it belongs there. */
function isSafe(capture: string): boolean {
	return capture !== "" && !/[+#\0]/.test(capture);
}

/** May this be published to? Section 4.7.3. */
export function isTopic(topic: string): boolean {
	return topic !== "" && !/[+#\0]/.test(topic) && isShort(topic);
}

/** May this be subscribed to? Sections 4.7.1 and 4.7.3. */
export function isFilter(filter: string): boolean {
	if (filter === "" || filter.includes("\0") || !isShort(filter)) return false;
	const levels = filter.split("/");
	return levels.every((level, at) => level === "+" || (level === "#" && at === levels.length - 1) || !/[+#]/.test(level));
}

function isShort(text: string): boolean {
	return text.length <= MAX_TOPIC_BYTES / 3 || Buffer.byteLength(text) <= MAX_TOPIC_BYTES;
}

/** Does the filter `wide` deliver everything that the filter `narrow` does? */
export function covers(wide: string, narrow: string): boolean {
	const a = wide.split("/");
	const b = narrow.split("/");
	if (narrow.startsWith("$") && (a[0] === "+" || a[0] === "#")) return false;
	for (const [at, level] of a.entries()) {
		if (level === "#") return true; // `a/#` also matches `a`, so nothing of b is left out
		const other = b[at];
		if (other === undefined || other === "#" || (level !== other && (level !== "+"))) return false;
	}
	return a.length === b.length;
}

/** The same filters, each once, without those that another one covers. In the given order. */
export function widest(filters: Iterable<string>): string[] {
	const all = [...new Set(filters)];
	const tree = new FilterTree(all);
	return all.filter((filter) => !tree.covers(filter));
}
