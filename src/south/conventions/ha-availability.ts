// Home Assistant MQTT discovery: availability topics.
// Source: https://www.home-assistant.io/integrations/mqtt/#using-availability-topics

import { isArray, isObject, type Json } from "../json.js";
import { expandKeys } from "./ha-abbreviations.js";
import { Options } from "./ha-aspect.js";
import type { Payload } from "./payload.js";

/** One topic that says whether an entity is available. */
export interface Source {
	readonly topic: string;
	/** Equal for equal sources: nearly all entities of a device share theirs. */
	readonly key: string;
	/** Nothing where the payload is neither word. */
	verdict(payload: Payload): boolean | undefined;
}

export interface AvailabilityRule {
	readonly mode: "all" | "any" | "latest";
	readonly sources: readonly Source[];
}

/** More topics than that decide about no entity. */
const MAX_SOURCES = 16;

/** The availability part of a config: `availability_topic`, or the list `availability`. */
export function availabilityRule(options: Options): AvailabilityRule | undefined {
	const json = options.raw("availability");
	const entries: readonly Json[] = isArray(json) ? json : isObject(json) ? [json] : [];
	const sources = entries.slice(0, MAX_SOURCES).map((entry) => (isObject(entry) ? source(options, new Options(expandKeys(entry)), "topic", "value_template") : undefined));
	if (options.has("availability_topic")) sources.push(source(options, options, "availability_topic", "availability_template"));
	const usable = sources.filter((one) => one !== undefined);
	if (usable.length === 0) return undefined;
	const mode = options.text("availability_mode");
	return { mode: mode === "all" || mode === "any" ? mode : "latest", sources: usable };
}

function source(options: Options, entry: Options, topicKey: string, templateKey: string): Source | undefined {
	const topic = entry.topic(topicKey);
	const template = entry.template(templateKey);
	if (entry !== options) for (const problem of entry.problems) options.problem(`availability: ${problem}`);
	if (topic === undefined || template === "broken") return undefined;
	const up = entry.text("payload_available") ?? "online";
	const down = entry.text("payload_not_available") ?? "offline";
	return {
		topic,
		key: [topic, entry.text(templateKey) ?? "", up, down].join("\n"),
		verdict(payload) {
			const text = template ? template.render({ value: payload.text, value_json: template.wantsJson ? payload.json : undefined }) : payload.text;
			return text === up ? true : text === down ? false : undefined;
		},
	};
}

/**
 * Is a device there, by what its entities' sources said? It is when any entity is available, and is not when all that
 * are decided are not. An entity with the mode `all` is decided by one "no", or when all have said yes.
 */
export function combined(rules: readonly (AvailabilityRule | undefined)[], verdicts: ReadonlyMap<string, { readonly up: boolean; readonly at: number }>): boolean | undefined {
	let found: boolean | undefined;
	for (const rule of rules) {
		const up = rule && decided(rule, verdicts);
		if (up === true) return true;
		if (up === false) found = false;
	}
	return found;
}

function decided({ mode, sources }: AvailabilityRule, verdicts: ReadonlyMap<string, { readonly up: boolean; readonly at: number }>): boolean | undefined {
	const said = sources.map(({ key }) => verdicts.get(key)).filter((verdict) => verdict !== undefined);
	if (said.length === 0) return undefined;
	switch (mode) {
		case "all": return said.some(({ up }) => !up) ? false : said.length === sources.length ? true : undefined;
		case "any": return said.some(({ up }) => up);
		case "latest": return said.reduce((a, b) => (b.at > a.at ? b : a)).up;
	}
}
