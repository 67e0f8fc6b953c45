// What would the gateway make of this MQTT message? The code of the gateway itself, without a gateway around it.

import type { Announcement } from "./core/device.js";
import { buildConventions } from "./south/conventions/all.js";
import type { Convention } from "./south/conventions/convention.js";
import { type EntityFacts, HomeAssistant } from "./south/conventions/homeassistant.js";
import type { Message } from "./south/link.js";
import type { Meaning } from "./south/meaning.js";
import { MqttDialect } from "./south/mqtt/dialect.js";
import { TopicRules } from "./south/mqtt/topics.js";

/** What came of one message, or of several that belong together. */
export interface Judgement {
	/** The conventions, or the protocol, that took it; empty when it is nobody's. */
	readonly by: readonly string[];
	/** In the order of the messages. */
	readonly meanings: readonly Meaning[];
	/** Every device that was described, by its address in lower case: these messages and those that were heard first. */
	readonly devices: ReadonlyMap<string, Announcement>;
	/** What Home Assistant discovery declared in these messages. */
	readonly entities?: readonly EntityFacts[];
	/** Did they take something back that was declared: an entity, or a whole device? */
	readonly takenBack?: boolean;
}

/**
 * Judge MQTT messages by all conventions that are built, each made afresh.
 *
 * @param before What is to be heard first: descriptions, births.
 */
export function judgeMessages(messages: readonly Message[], before: readonly Message[] = []): Judgement {
	const takers = new Set<string>();
	const { conventions } = buildConventions(undefined, { guess: true });
	const dialect = new MqttDialect(new TopicRules([]), conventions.map((convention) => watched(convention, takers)));
	const devices = new Map<string, Announcement>();
	const hear = (message: Message): Meaning => {
		const meaning = dialect.decode({ body: message, received: 0, taken: () => undefined });
		for (const announcement of meaning.announced ?? []) devices.set(announcement.address.toLowerCase(), announcement);
		return meaning;
	};
	for (const message of before) hear(message);
	takers.clear();
	const assistant = conventions.find((convention) => convention instanceof HomeAssistant);
	const known = new Set(assistant?.entities().map(keyOf));
	const meanings = messages.map(hear);
	const left = assistant?.entities() ?? [];
	// What is declared anew has another key for a moment: only what became fewer was taken back.
	return { by: [...takers], meanings, devices, entities: left.filter((entity) => !known.has(keyOf(entity))), takenBack: left.length < known.size || meanings.some(({ gone = [] }) => gone.length > 0) };
}

function keyOf(entity: EntityFacts): string {
	return JSON.stringify(entity);
}

/** The same convention, and a note of whether it took anything. */
function watched(convention: Convention, takers: Set<string>): Convention {
	return {
		name: convention.name,
		...(convention.echoes && { echoes: true as const }), ...(convention.last && { last: true as const }),
		filters: () => convention.filters(),
		command: (address, point, value) => convention.command(address, point, value),
		hear(message) {
			const meaning = convention.hear(message);
			if (meaning) takers.add(convention.name);
			return meaning;
		},
	};
}
