import type { Announcement } from "../core/device.js";
import type { Reading } from "../core/reading.js";
import type { Subscription } from "../core/subscription.js";
import { isNumeric } from "../core/value.js";
import type { Watch } from "../core/watch.js";
import type { Batch, Series, StoredTwin, Times } from "./protocol.js";
import { readingFrom, readingFromWords, wordsOf } from "./row.js";
import type { Sqlite } from "./sqlite.js";

/** A device of which nothing was heard for so long, over all restarts, was taken away while nobody looked. */
const FORGET_AFTER = 30 * 86_400_000;
/** A source clock may be this much ahead; what claims to be later is not taken for the newest. */
const CLOCK_TOLERANCE = 60_000;

/** Subscriptions, watches, twins and filters: what is read once, at the start. */
export class StateTables {
	readonly #db: Sqlite;

	constructor(db: Sqlite) {
		this.#db = db;
	}

	subscriptions(): Subscription[] {
		return this.#db.all("SELECT device, contact, can_see, sees, pending_in, pending_out FROM subscription ORDER BY device, contact").map(([device, contact, from, to, pendingIn, pendingOut]) => ({
			device: String(device), contact: String(contact), from: from === 1, to: to === 1, pendingIn: pendingIn === 1, pendingOut: pendingOut === 1,
		}));
	}

	putSubscription({ device, contact, from, to, pendingIn, pendingOut }: Subscription): number {
		if (!from && !to && !pendingIn && !pendingOut) return this.#db.run("DELETE FROM subscription WHERE device = ? AND contact = ?", device, contact);
		return this.#db.run("INSERT OR REPLACE INTO subscription (device, contact, can_see, sees, pending_in, pending_out) VALUES (?, ?, ?, ?, ?, ?)", device, contact, Number(from), Number(to), Number(pendingIn), Number(pendingOut));
	}

	/** Those that can be read; a sentence for each that cannot. */
	watches(unread: string[]): Watch[] {
		return this.#db.all("SELECT who, device, point, watch FROM watch ORDER BY who, device, point").flatMap(([who, device, point, text]) => {
			const found = watchFrom(String(text));
			if (found) return [{ ...found, who: String(who), device: String(device), point: String(point) }];
			unread.push(`Stored watch of "${String(who)}" on "${String(device)}" cannot be read and is left out`);
			return [];
		});
	}

	putWatch(watch: Watch): number {
		return this.#db.run("INSERT OR REPLACE INTO watch (who, device, point, watch) VALUES (?, ?, ?, ?)", watch.who, watch.device, watch.point, JSON.stringify(watch));
	}

	dropWatch({ who, device, point }: Pick<Watch, "who" | "device" | "point">): number {
		return this.#db.run("DELETE FROM watch WHERE who = ? AND device = ? AND point = ?", who, device, point);
	}

	filters(): (readonly [string, string])[] {
		return this.#db.all("SELECT link, filter FROM filter ORDER BY link, filter").map(([link, filter]) => [String(link), String(filter)]);
	}

	writeFilters(link: string, filters: readonly string[]): void {
		this.#db.run("DELETE FROM filter WHERE link = ?", link);
		for (const filter of filters) this.#db.run("INSERT OR IGNORE INTO filter (link, filter) VALUES (?, ?)", link, filter);
	}

	forget(link: string, address: string): void {
		this.#db.run("DELETE FROM twin WHERE link = ? AND address = ?", link, address);
		this.#db.run("DELETE FROM reading WHERE link = ? AND address = ?", link, address);
	}

	writeTwin({ link, address, announcement, readings }: Batch["twins"][number], now: number): void {
		this.#db.run("INSERT OR REPLACE INTO twin (link, address, announcement, seen) VALUES (?, ?, ?, ?)", link, address, announcement, Math.round(now));
		this.#db.run("DELETE FROM reading WHERE link = ? AND address = ?", link, address);
		for (const reading of readings) this.#db.run("INSERT OR REPLACE INTO reading (link, address, point, value, kind, at, received, age_unknown, quality) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", link, address, ...wordsOf(reading));
	}

	/**
	 * The twins of the last run, with what the journal has that is newer: twins are written seldom, and one that was heard first before a crash not at all.
	 *
	 * @param isComplete It ended well, and the twins have it all.
	 */
	twins({ now, aged }: Times, series: readonly Series[], unread: string[], isComplete: boolean): StoredTwin[] {
		const readings = new Map<string, Map<string, Reading>>();
		for (const [link, address, ...words] of this.#db.all("SELECT link, address, point, value, kind, at, received, age_unknown, quality FROM reading")) {
			const reading = readingFromWords(words);
			const key = keyOf({ link: String(link), address: String(address) });
			if (reading) readings.set(key, (readings.get(key) ?? new Map<string, Reading>()).set(reading.point, reading));
		}
		const found = new Map<string, Omit<StoredTwin, "readings">>();
		const forgotten = new Set<string>();
		for (const [link, address, text, seen] of this.#db.all("SELECT link, address, announcement, seen FROM twin ORDER BY link, address")) {
			const place = { link: String(link), address: String(address) };
			const announcement = announcementFrom(String(text));
			if (Number(seen) < aged - FORGET_AFTER) forgotten.add(keyOf(place));
			else if (announcement) found.set(keyOf(place), { ...place, announcement });
			else unread.push(`Stored device "${place.address}" of link "${place.link}" cannot be read and is left out`);
		}
		for (const [{ link, address, point, kind }, row] of isComplete ? [] : this.#newest(series, now)) {
			const key = keyOf({ link, address });
			if (forgotten.has(key)) continue;
			if (!found.has(key)) found.set(key, { link, address });
			const points = found.get(key)!.announcement?.points;
			if (points && !Object.hasOwn(points, point)) continue;
			const reading = readingFrom(point, kind, row);
			if (points && isNumeric(reading.value) !== (points[point]!.kind === "numeric")) continue;
			const mine = readings.get(key) ?? new Map<string, Reading>();
			const before = mine.get(point);
			if (!before || (reading.received >= before.received && (reading.at >= before.at || reading.at === reading.received))) readings.set(key, mine.set(point, reading));
		}
		return [...found].map(([key, twin]) => ({ ...twin, readings: [...(readings.get(key)?.values() ?? [])] }));
	}

	/** The newest rows of each series: one from `entry`, then those of the inbox in their order. */
	*#newest(series: readonly Series[], now: number): Generator<readonly [Series, { at: number; received: number; flags: number; value: string }]> {
		const rowOf = ([at, received, flags, value]: readonly unknown[]) => ({ at: Number(at), received: Number(received), flags: Number(flags), value: String(value) });
		for (const each of series) {
			const [row] = this.#db.all("SELECT at, received, flags, value FROM entry WHERE series = ? AND at <= ? ORDER BY at DESC, seq DESC LIMIT 1", each.id, now + CLOCK_TOLERANCE);
			if (row) yield [each, rowOf(row)];
		}
		const byId = new Map(series.map((each) => [each.id, each]));
		for (const [id, ...row] of this.#db.all("SELECT series, at, received, flags, value FROM inbox WHERE series > 0 ORDER BY seq")) {
			const each = byId.get(Number(id));
			if (each) yield [each, rowOf(row)];
		}
	}
}

function keyOf({ link, address }: { readonly link: string; readonly address: string }): string {
	return `${link}\n${address}`;
}

/** The file is ours, but it may be old or damaged: a device without an address or points is none. */
function announcementFrom(text: string): Announcement | undefined {
	const found = parsed(text);
	if (typeof found !== "object" || found === null || !("address" in found) || !("points" in found)) return undefined;
	return typeof found.address === "string" && typeof found.points === "object" && found.points !== null ? (found as Announcement) : undefined;
}

function watchFrom(text: string): Watch | undefined {
	const found = parsed(text);
	return typeof found === "object" && found !== null && "who" in found ? (found as Watch) : undefined;
}

function parsed(text: string): unknown {
	try {
		return JSON.parse(text);
	} catch (error) {
		if (error instanceof SyntaxError) return undefined;
		throw error;
	}
}
