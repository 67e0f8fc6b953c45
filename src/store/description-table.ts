import type { Sqlite } from "./sqlite.js";

/** What a topic said about devices: a discovery config, a list of devices, a birth. */
export interface Description {
	readonly link: string;
	readonly topic: string;
	readonly payload: Uint8Array;
	readonly retained: boolean;
}

/** Descriptions of all links together, in bytes: some thousands of discovery configs, or the largest device lists of several bridges. */
const MAX_BYTES = 32 * 1_048_576;

/** The messages by which devices were described: after a restart a broker hands out first what it has kept for us, and says only then what that means. */
export class DescriptionTable {
	readonly #db: Sqlite;
	/** What all of them take. */
	#bytes = 0;

	constructor(db: Sqlite) {
		this.#db = db;
		this.count();
	}

	get bytes(): number {
		return this.#bytes;
	}

	/** Count anew: after a transaction that did not come to its end. */
	count(): void {
		this.#bytes = this.#db.number("SELECT sum(length(payload) + length(topic)) FROM description");
	}

	/** In the order in which they came last. */
	of(link: string): Description[] {
		return this.#db.all("SELECT topic, payload, retained FROM description WHERE link = ? ORDER BY n", link)
			.flatMap(([topic, payload, retained]) => (payload instanceof Uint8Array ? [{ link, topic: String(topic), payload: new Uint8Array(payload), retained: retained === 1 }] : []));
	}

	/** @returns 0 when there is no room for it. */
	put({ link, topic, payload, retained }: Description): number {
		const size = payload.length + topic.length;
		this.drop(link, topic);
		if (this.#bytes + size > MAX_BYTES) return 0;
		this.#bytes += size;
		return this.#db.run("INSERT INTO description (link, topic, payload, retained) VALUES (?, ?, ?, ?)", link, topic, Buffer.from(payload), Number(retained));
	}

	drop(link: string, topic: string): number {
		this.#bytes -= this.#db.number("SELECT length(payload) + length(topic) FROM description WHERE link = ? AND topic = ?", link, topic);
		return this.#db.run("DELETE FROM description WHERE link = ? AND topic = ?", link, topic);
	}
}
