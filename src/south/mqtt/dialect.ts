// What the messages of one MQTT link mean: `topics:` first, then the conventions, and each device once.

import type { UnixMillis } from "../../core/clock.js";
import type { Announcement } from "../../core/device.js";
import { GatewayError, messageOf } from "../../core/errors.js";
import type { Value } from "../../core/value.js";
import type { Convention } from "../conventions/convention.js";
import type { Message, Outgoing, OutMessage, Packet } from "../link.js";
import { type Dialect, type Meaning, type Misfit, NOTHING, type Presence, type Told } from "../meaning.js";
import { Announced, type Merged } from "./merge.js";
import { widest } from "./pattern.js";
import type { TopicRules } from "./topics.js";

/** Longest part of a payload that a misfit shows. */
const MAX_SAMPLE = 120;

type States = NonNullable<Meaning["states"]>[number][];

/** Joins the topic rules and the conventions of one link. */
export class MqttDialect implements Dialect {
	readonly #topics: TopicRules;
	/** By rank: topic rules, then the conventions as they were given. */
	readonly #sources: readonly Convention[];
	readonly #devices: Announced;
	/** Who has told of a device's availability: `source\naddress`. */
	readonly #speakers = new Set<string>();

	/** @param conventions By rank: native ones before Home Assistant discovery. */
	constructor(topics: TopicRules, conventions: readonly Convention[]) {
		this.#topics = topics;
		this.#sources = [topics, ...conventions];
		this.#devices = new Announced(new Set(this.#sources.flatMap((source, rank) => (source.echoes ? [rank] : []))));
	}

	announced(): readonly Announcement[] {
		return this.#topics.announced().flatMap((announcement) => this.#devices.put(0, announcement)?.announcement ?? []);
	}

	/** Each filter once, and none that another one covers: a broker may send a message once for each filter that it fits. */
	filters(): readonly string[] {
		return widest(this.#sources.flatMap((source) => source.filters()));
	}

	decode(packet: Packet): Meaning {
		const message = packet.body;
		if (message.kind !== "message") return NOTHING;
		const byTopics = this.#hear(this.#topics, message, packet.received);
		if (byTopics) return this.#joined([[0, byTopics]], message);
		// One message may speak to several: a native state topic is what Home Assistant discovery points to as well.
		const meanings: [number, Meaning][] = [];
		for (const [rank, source] of this.#sources.entries()) {
			const meaning = rank === 0 || (source.last && meanings.length > 0) ? undefined : this.#hear(source, message, packet.received);
			if (meaning) meanings.push([rank, meaning]);
		}
		return meanings.length === 0 ? NOTHING : this.#joined(meanings, message);
	}

	encode(address: string, point: string, value: Value): readonly Outgoing[] {
		const device = this.#devices.find(address);
		if (!device) throw new GatewayError("unknown-device", `Cannot find device "${address}"`);
		const owner = device.owners.get(point.toLowerCase());
		if (!owner) throw new GatewayError("unknown-point", `Cannot find "${point}": "${address}" has no such point`);
		const source = this.#sources[owner.source]!;
		const messages = source.command(owner.address, owner.point, value);
		if (!messages) throw new GatewayError("unknown-device", `Cannot find device "${owner.address}": ${source.name} has forgotten it`);
		return messages;
	}

	due(now: UnixMillis): readonly OutMessage[] {
		return this.#sources.flatMap((source) => source.due?.(now) ?? []);
	}

	/** All that the conventions tell; of several wills the first, for a connection has one. */
	presence(now: UnixMillis): Presence | undefined {
		const all = this.#sources.flatMap((source) => source.presence?.(now) ?? []);
		const will = all.find((one) => one.will)?.will;
		return all.length === 0 ? undefined : { birth: all.flatMap(({ birth }) => birth), ...(will && { will }), farewell: (end) => all.flatMap((one) => one.farewell(end)) };
	}

	/** A convention that throws for a message has a fault, which must not cost the others theirs. */
	#hear(source: Convention, message: Message, received: UnixMillis): Meaning | undefined {
		try {
			return source.hear(message, received);
		} catch (error) {
			return { misfits: [{ where: message.topic, reason: `is not understood by ${source.name}`, sample: `${messageOf(error)}: ${Buffer.from(message.payload.subarray(0, MAX_SAMPLE)).toString("utf8")}` }] };
		}
	}

	#joined(meanings: readonly (readonly [rank: number, meaning: Meaning])[], message: Message): Meaning {
		const announced = new Map<string, Announcement>();
		const gone: string[] = [];
		const told: Told[] = [];
		const states: States = [];
		const heard = new Map<string, string>();
		const misfits: Misfit[] = [];
		const send: OutMessage[] = [];
		const announce = (merged: Merged): void => {
			const { address } = merged.announcement;
			announced.delete(address.toLowerCase());
			announced.set(address.toLowerCase(), merged.announcement);
		};
		for (const [rank, meaning] of meanings) {
			for (const address of meaning.gone ?? []) {
				const removed = this.#devices.remove(rank, address);
				this.#speakers.delete(`${rank}\n${address.toLowerCase()}`);
				if (!removed || removed.left.length === 0) gone.push(removed?.address ?? address);
				else removed.left.forEach(announce);
			}
			for (const announcement of meaning.announced ?? []) {
				const merged = this.#devices.put(rank, announcement);
				if (merged) announce(merged);
				else misfits.push({ where: announcement.address, reason: "is a device too many", sample: announcement.name ?? "" });
			}
		}
		for (const [rank, meaning] of meanings) {
			for (const one of meaning.told ?? []) {
				const device = this.#devices.find(one.address);
				const owner = device?.owners.get(one.point.toLowerCase());
				if (owner && owner.source !== rank) continue; // the other source tells this point
				const address = device?.announcement.address ?? one.address;
				told.push({ ...one, address, point: owner?.point ?? one.point });
				heard.set(address.toLowerCase(), address);
			}
			for (const one of meaning.states ?? []) {
				const device = this.#devices.find(one.address);
				if (device) {
					this.#speakers.add(`${rank}\n${one.address.toLowerCase()}`);
					if (this.#speaksBefore(device, rank)) continue;
				}
				states.push({ ...one, address: device?.announcement.address ?? one.address });
			}
			for (const one of meaning.heard ?? []) {
				const address = this.#devices.find(one)?.announcement.address ?? one;
				heard.set(address.toLowerCase(), address);
			}
			misfits.push(...(meaning.misfits ?? []));
			send.push(...(meaning.send ?? []));
		}
		return {
			...(announced.size > 0 && { announced: [...announced.values()] }),
			...(gone.length > 0 && { gone }),
			...(told.length > 0 && { told }),
			...(states.length > 0 && { states }),
			// A retained message may be years old: it gives values, and no life.
			...(heard.size > 0 && !message.retained && { heard: [...heard.values()] }),
			...(misfits.length > 0 && { misfits }),
			...(meanings.some(([, meaning]) => meaning.filters) && { filters: true as const }),
			...(meanings.some(([, meaning]) => meaning.describes) && { describes: true as const }),
			...(send.length > 0 && { send }),
		};
	}

	/** Does a source of a higher rank tell the availability of this device? Then that one counts. */
	#speaksBefore(device: Merged, rank: number): boolean {
		const { address, aliases = [] } = device.announcement;
		return device.sources.some((source) => source < rank && [address, ...aliases].some((one) => this.#speakers.has(`${source}\n${one.toLowerCase()}`)));
	}
}
