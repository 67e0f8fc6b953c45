// Topic filters, found by level: MQTT Version 3.1.1, section 4.7.
// Source: https://docs.oasis-open.org/mqtt/mqtt/v3.1.1/os/mqtt-v3.1.1-os.html

interface Node {
	readonly next: Map<string, Node>;
	/** A filter ends here. */
	ends: boolean;
}

/** A set of topic filters that is asked in the time of one topic's levels, however many there are. */
export class FilterTree {
	readonly #root: Node = { next: new Map(), ends: false };

	constructor(filters: Iterable<string>) {
		for (const filter of filters) {
			let node = this.#root;
			for (const level of filter.split("/")) {
				let next = node.next.get(level);
				if (!next) node.next.set(level, next = { next: new Map(), ends: false });
				node = next;
			}
			node.ends = true;
		}
	}

	/** Does any filter match this topic? */
	matches(topic: string): boolean {
		return this.#find(this.#root, topic.split("/"), 0, true);
	}

	/** Does another filter of the set deliver everything that this one does? */
	covers(filter: string): boolean {
		return this.#find(this.#root, filter.split("/"), 0, false);
	}

	/** @param other The way here is not the one of the filter itself that was asked for. */
	#find(node: Node, levels: readonly string[], at: number, other: boolean): boolean {
		const level = levels[at];
		// A wildcard at the beginning does not match the topics of the broker itself (4.7.2).
		const wild = at > 0 || level?.startsWith("$") !== true;
		// `a/#` matches `a` as well.
		if (wild && node.next.get("#")?.ends && (other || level !== "#")) return true;
		if (level === undefined) return node.ends && other;
		if (level === "#") return false;
		const same = node.next.get(level);
		if (same && this.#find(same, levels, at + 1, other)) return true;
		const any = wild && level !== "+" ? node.next.get("+") : undefined;
		return any !== undefined && this.#find(any, levels, at + 1, true);
	}
}
