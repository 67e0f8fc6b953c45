// What the points of a device are called that Home Assistant discovery described: short, and the same whatever the order of its configs.

import type { Aspect } from "./ha-aspect.js";
import { slug } from "./payload.js";

/** What an entity can be called by. */
export interface Nameable {
	readonly component: string;
	/** What it is called where it has no name of its own: `light`, `temperature`. */
	readonly fallback: string;
	readonly several: boolean;
	/** Its ids and its name, the best first: `default_entity_id` without its domain, `object_id`, the topic's object id, `name`. */
	readonly ids: readonly string[];
	readonly aspects: readonly Aspect[];
	/** Tells it from all others of the device. */
	readonly key: string;
}

/** A device is known to have these names; what an entity has of them in front or behind says nothing. */
export interface Surnames {
	readonly names: readonly string[];
}

/** All triggers of a device share one point. */
const SHARED = "device_automation";

/**
 * Name every aspect of every entity.
 *
 * The main aspect has the entity's short name, others a word of their own (`setpoint`), with the entity before it
 * (`upstairs.setpoint`) where the device has several such entities or the word is another point's name. Of two
 * entities with one name the second gets its component behind it: `power`, `power_switch`.
 */
export function pointNames(entities: Iterable<Nameable>, surnames: Surnames): ReadonlyMap<Aspect, string> {
	const prefixes = [...new Set(surnames.names.map(slug))].filter((name) => name.length > 0).sort((a, b) => b.length - a.length || (a < b ? -1 : 1));
	const sorted = [...entities].sort((a, b) => Number(a.several) - Number(b.several) || (a.component < b.component ? -1 : a.component > b.component ? 1 : a.key < b.key ? -1 : 1));
	const perComponent = new Map<string, number>();
	for (const { component } of sorted) perComponent.set(component, (perComponent.get(component) ?? 0) + 1);
	const taken = new Set<string>();
	const names = new Map<Aspect, string>();
	const counts = new Map<string, number>();
	const take = (wanted: string): string => {
		let name = wanted;
		while (taken.has(name)) {
			const count = (counts.get(wanted) ?? 1) + 1;
			counts.set(wanted, count);
			name = `${wanted}_${count}`;
		}
		taken.add(name);
		return name;
	};
	for (const entity of sorted) {
		if (entity.component === SHARED) {
			for (const aspect of entity.aspects) names.set(aspect, entity.fallback);
			taken.add(entity.fallback);
			continue;
		}
		const short = shortName(entity, prefixes);
		const own = taken.has(short) && entity.aspects.some(({ name }) => name === "") ? `${short}_${entity.component}` : short;
		const plain = perComponent.get(entity.component) === 1 && entity.aspects.every(({ name }) => name === "" || !taken.has(name));
		for (const aspect of entity.aspects) names.set(aspect, take(aspect.name === "" ? own : plain ? aspect.name : `${own}.${aspect.name}`));
	}
	return names;
}

/** The first of its ids that says something once the device's own names are taken off. */
function shortName(entity: Nameable, prefixes: readonly string[]): string {
	for (const id of entity.ids) {
		const whole = slug(id);
		const short = without(whole, prefixes);
		if (short !== "" && !isOpaque(short)) return short;
	}
	return slug(entity.fallback);
}

function without(name: string, prefixes: readonly string[]): string {
	for (const prefix of prefixes) {
		if (name === prefix) return "";
		if (name.startsWith(`${prefix}_`)) return name.slice(prefix.length + 1);
		if (name.endsWith(`_${prefix}`)) return name.slice(0, -prefix.length - 1);
	}
	return name;
}

/** A number or a row of hex digits is an address, and no name. */
function isOpaque(name: string): boolean {
	return /^[0-9_]+$/.test(name) || (/^(?:0x)?[0-9a-f]{6,}$/.test(name) && /\d/.test(name));
}
