// A broker hands a message to everybody who listens to its topic, the sender included (MQTT 3.1.1 section 3.3.5; No Local is of
// version 5 alone). Our own command, heard again, must neither confirm itself nor pass for a sign of life.

import { createHash } from "node:crypto";
import type { Clock, Millis, UnixMillis } from "../../core/clock.js";
import type { Link } from "../link.js";
import { covers } from "./pattern.js";

/** As long as a busy broker may take to hand it back. */
const EXPECTED_FOR: Millis = 10_000;
/** Commands within that time; the oldest are forgotten first. */
const MAX_EXPECTED = 1_000;

/** What we published ourselves and will hear again. */
export class Echoes {
	readonly #clock: Clock;
	/** How often each is still expected, and until when. */
	readonly #expected = new Map<string, { times: number; until: UnixMillis }>();

	constructor(clock: Clock) {
		this.#clock = clock;
	}

	/** This leaves now, and comes back. */
	expect(topic: string, payload: string | Uint8Array): void {
		const key = keyOf(topic, payload);
		const before = this.#expected.get(key);
		this.#expected.delete(key);
		this.#expected.set(key, { times: (before?.times ?? 0) + 1, until: this.#clock.now() + EXPECTED_FOR });
		if (this.#expected.size > MAX_EXPECTED) this.#expected.delete(this.#expected.keys().next().value!);
	}

	/** Is it one of ours? The next one like it is somebody's own word. */
	isOurs(topic: string, payload: Uint8Array): boolean {
		if (this.#expected.size === 0) return false;
		const key = keyOf(topic, payload);
		const found = this.#expected.get(key);
		if (!found) return false;
		if (--found.times === 0) this.#expected.delete(key);
		return found.until >= this.#clock.now();
	}
}

/** The same link, deaf to what it says itself. */
export function withoutEchoes(link: Link, clock: Clock): Link {
	const echoes = new Echoes(clock);
	let filters: readonly string[] = [];
	return {
		id: link.id,
		run: (ears, signal) => link.run({
			...ears,
			packet(packet) {
				const { body } = packet;
				if (body.kind === "message" && !body.retained && echoes.isOurs(body.topic, body.payload)) packet.taken();
				else ears.packet(packet);
			},
		}, signal),
		send(out, signal) {
			if (out.kind === "message" && filters.some((filter) => covers(filter, out.topic))) echoes.expect(out.topic, out.payload);
			return link.send(out, signal);
		},
		listen(wanted) {
			filters = wanted;
			link.listen?.(wanted);
		},
	};
}

function keyOf(topic: string, payload: string | Uint8Array): string {
	return createHash("sha1").update(topic).update("\0").update(payload).digest("base64");
}
