// Two conventions that name one address make one device: design §3.3.

import type { Announcement } from "../../core/device.js";
import type { Point } from "../../core/point.js";

/** As many as the registry takes, from two conventions each. */
const MAX_RECORDS = 20_000;
/** No device is announced by more conventions, or under more names of one: what joins more is a mistake of a sender. */
const MAX_GROUP = 16;

/** The topic rules of the config come first, and name single points: they are no native description of a device. */
const TOPIC_RULES = 0;

/** What one source says of one device. Sources are numbered by rank: the lower number is believed first. */
interface Entry {
	readonly source: number;
	readonly announcement: Announcement;
	readonly order: number;
}

/** One device as all its sources together describe it. */
export interface Merged {
	readonly announcement: Announcement;
	/** Who has a point, by its name in lower case: the source, and its own names of device and point. */
	readonly owners: ReadonlyMap<string, { readonly source: number; readonly address: string; readonly point: string }>;
	/** All that speak of it, by rank. */
	readonly sources: readonly number[];
}

/** The devices of one link, found by any of their addresses. */
export class Announced {
	readonly #records = new Map<string, Entry>();
	readonly #byAddress = new Map<string, Set<string>>();
	/** Merged descriptions, made when asked for, by the key of any record of theirs. */
	readonly #merged = new Map<string, Merged>();
	#order = 0;
	readonly #echoes: ReadonlySet<number>;

	/** @param echoes Sources that describe again what others describe natively. */
	constructor(echoes: ReadonlySet<number> = new Set()) {
		this.#echoes = echoes;
	}

	/** A source describes a device. @returns The device as it is now; nothing when there are too many. */
	put(source: number, announcement: Announcement): Merged | undefined {
		const key = keyOf(source, announcement.address);
		const before = this.#records.get(key);
		if (!before && this.#records.size >= MAX_RECORDS) return undefined;
		if (before) this.#unlink(key, before);
		this.#records.set(key, { source, announcement, order: before?.order ?? this.#order++ });
		for (const address of addressesOf(announcement)) {
			const keys = this.#byAddress.get(address) ?? new Set();
			this.#byAddress.set(address, keys.add(key));
		}
		for (const other of this.#groupOf(key)) this.#merged.delete(other);
		return this.#mergedOf(key);
	}

	/** A source takes a device back. @returns What is left of it: nothing, or what the others say. */
	remove(source: number, address: string): { readonly left: readonly Merged[]; readonly address: string } | undefined {
		const key = keyOf(source, address);
		const record = this.#records.get(key);
		if (!record) return undefined;
		const merged = this.#mergedOf(key);
		const group = this.#groupOf(key);
		for (const other of group) this.#merged.delete(other);
		this.#unlink(key, record);
		this.#records.delete(key);
		const left = new Set(group.filter((other) => other !== key).map((other) => this.#mergedOf(other)));
		return { left: [...left], address: merged.announcement.address };
	}

	/** The device that has this address, of whichever source. */
	find(address: string): Merged | undefined {
		const key = this.#byAddress.get(address.toLowerCase())?.values().next().value;
		return key === undefined ? undefined : this.#mergedOf(key);
	}

	#unlink(key: string, record: Entry): void {
		for (const other of this.#groupOf(key)) this.#merged.delete(other);
		for (const address of addressesOf(record.announcement)) {
			const keys = this.#byAddress.get(address);
			keys?.delete(key);
			if (keys?.size === 0) this.#byAddress.delete(address);
		}
	}

	/** All records that share an address with this one, or with one that does. */
	#groupOf(key: string): string[] {
		const group = [key];
		for (const one of group) {
			for (const address of addressesOf(this.#records.get(one)!.announcement)) {
				for (const other of this.#byAddress.get(address) ?? []) {
					if (group.length >= MAX_GROUP) return group;
					if (!group.includes(other)) group.push(other);
				}
			}
		}
		return group;
	}

	#mergedOf(key: string): Merged {
		const known = this.#merged.get(key);
		if (known) return known;
		const group = this.#groupOf(key);
		const merged = merge(group.map((one) => this.#records.get(one)!), this.#echoes);
		for (const one of group) this.#merged.set(one, merged);
		return merged;
	}
}

function merge(records: readonly Entry[], echoes: ReadonlySet<number>): Merged {
	const ranked = [...records].sort((a, b) => a.source - b.source || a.order - b.order);
	const all = ranked.map((record) => record.announcement);
	const address = all[0]!.address;
	const aliases = new Map<string, string>();
	const owners = new Map<string, { source: number; address: string; point: string }>();
	const points: [string, Point][] = [];
	const isNative = ranked.some(({ source, announcement }) => source !== TOPIC_RULES && !echoes.has(source) && Object.keys(announcement.points).length > 0);
	for (const { source, announcement } of ranked) {
		for (const alias of [announcement.address, ...(announcement.aliases ?? [])]) if (alias.toLowerCase() !== address.toLowerCase() && !aliases.has(alias.toLowerCase())) aliases.set(alias.toLowerCase(), alias);
		if (isNative && echoes.has(source)) continue; // the same things under other names
		for (const [name, point] of Object.entries(announcement.points)) {
			if (owners.has(name.toLowerCase())) continue;
			owners.set(name.toLowerCase(), { source, address: announcement.address, point: name });
			points.push([name, point]);
		}
	}
	const first = <K extends keyof Announcement>(key: K): { [P in K]?: NonNullable<Announcement[K]> } => {
		const found = all.find((announcement) => announcement[key] !== undefined)?.[key];
		const one: { [P in K]?: NonNullable<Announcement[K]> } = {};
		if (found !== undefined && found !== null) one[key] = found;
		return one;
	};
	return {
		announcement: {
			address,
			...(aliases.size > 0 && { aliases: [...aliases.values()] }),
			...first("name"), ...first("manufacturer"), ...first("model"), ...first("firmware"), ...first("type"), ...first("every"),
			points: Object.fromEntries(points),
		},
		owners,
		sources: [...new Set(ranked.map((record) => record.source))],
	};
}

function keyOf(source: number, address: string): string {
	return `${source}\n${address.toLowerCase()}`;
}

function addressesOf(announcement: Announcement): Set<string> {
	return new Set([announcement.address, ...(announcement.aliases ?? [])].map((address) => address.toLowerCase()));
}
