import type { Announcement } from "../core/device.js";
import type { Reading } from "../core/reading.js";
import type { Twin } from "../core/twin.js";
import type { Batch } from "./protocol.js";

/** A twin whose readings are all in the journal is written this seldom: writing it at each flush would cost a card more than all readings do. */
const SELDOM = 5 * 60_000;
/** Written in one transaction: each is turned into JSON on the main thread. */
const MOST = 100;

/** Twins, and places that are no more, on their way into the file: at most one of each device. */
export class WaitingTwins {
	readonly #dirty = new Set<Twin>();
	/** Changed, and the journal knows it. */
	readonly #later = new Set<Twin>();
	readonly #removed = new Map<string, { readonly link: string; readonly address: string }>();
	readonly #written = new WeakMap<Twin, { readonly source: Announcement; readonly at: number }>();
	readonly #journaled = new WeakSet<Reading>();

	get size(): number {
		return this.#dirty.size + this.#removed.size;
	}

	/** Also those that can wait for long. */
	get all(): number {
		return this.size + this.#later.size;
	}

	/** The journal takes this reading: whoever restores the twin finds it there. */
	journaled(reading: Reading): void {
		this.#journaled.add(reading);
	}

	touch(twin: Twin): void {
		this.#dirty.add(twin);
	}

	forget(twin: Twin): void {
		const { link, source: { address } } = twin.device;
		this.#dirty.delete(twin);
		this.#later.delete(twin);
		this.#removed.set(`${link}\n${address}`, { link, address });
	}

	/** What is to be written now. */
	take(now: number, isEverything: boolean): { readonly twins: readonly Twin[]; readonly removed: Batch["removed"] } {
		for (const twin of this.#later) {
			const before = this.#written.get(twin);
			if (!isEverything && before && now - before.at < SELDOM && now >= before.at) continue;
			this.#later.delete(twin);
			this.#dirty.add(twin);
		}
		const twins: Twin[] = [];
		for (const twin of this.#dirty) {
			if (twins.length >= MOST) break;
			this.#dirty.delete(twin);
			if (isEverything || this.#isDue(twin, now)) twins.push(twin);
			else this.#later.add(twin);
		}
		for (const twin of twins) this.#written.set(twin, { source: twin.device.source, at: now });
		const removed = [...this.#removed.values()];
		this.#removed.clear();
		return { twins, removed };
	}

	putBack(twins: readonly Twin[], removed: Batch["removed"]): void {
		for (const twin of twins) {
			this.#written.delete(twin);
			// One that was taken away meanwhile stays away.
			if (!this.#removed.has(`${twin.device.link}\n${twin.device.source.address}`)) this.#dirty.add(twin);
		}
		for (const place of removed) this.#removed.set(`${place.link}\n${place.address}`, place);
	}

	#isDue(twin: Twin, now: number): boolean {
		const before = this.#written.get(twin);
		if (!before || before.source !== twin.device.source || now - before.at >= SELDOM || now < before.at) return true;
		for (const reading of twin.readings.values()) if (reading.received > before.at && !this.#journaled.has(reading)) return true;
		return false;
	}
}

/** As it goes into the file. */
export function packed(twin: Twin): Batch["twins"][number] {
	const { link, source } = twin.device;
	return { link, address: source.address, announcement: JSON.stringify(source), readings: [...twin.readings.values()] };
}
