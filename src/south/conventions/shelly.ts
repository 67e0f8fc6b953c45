// Shelly, both generations: they share the topics below `shellies/`, where the second may be put by its user.
// Source: https://shelly-api-docs.shelly.cloud/

import type { Value } from "../../core/value.js";
import type { Message, OutMessage } from "../link.js";
import type { Meaning } from "../meaning.js";
import type { Convention } from "./convention.js";
import { ShellyGen1 } from "./shelly-gen1.js";
import { ShellyGen2 } from "./shelly-gen2.js";

export class Shelly implements Convention {
	readonly name = "shelly";
	/** The second first: its topics cannot be taken for the first's, the other way round they can. */
	readonly #generations: readonly Convention[];

	/** @param options `guess`: make a device of one message alone, without what a gateway would wait for. */
	constructor(options: { readonly guess?: boolean } = {}) {
		this.#generations = [new ShellyGen2(options), new ShellyGen1(options)];
	}

	filters(): readonly string[] {
		return this.#generations.flatMap((generation) => generation.filters());
	}

	hear(message: Message): Meaning | undefined {
		for (const generation of this.#generations) {
			const meaning = generation.hear(message);
			if (meaning) return meaning;
		}
		return undefined;
	}

	command(address: string, point: string, value: Value): readonly OutMessage[] | undefined {
		for (const generation of this.#generations) {
			const messages = generation.command(address, point, value);
			if (messages) return messages;
		}
		return undefined;
	}
}
