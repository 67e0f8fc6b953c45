// Messages of no known dialect: JSON of unknown shape, and bare values. Guesses well, and never wildly.
//
// It is asked last, and only for what no other convention took. In a gateway it listens to nothing that its owner did not name:
// every topic of a broker would make ghosts of whatever passes there.

import { isNumeric, type Value } from "../../core/value.js";
import { MAX_JSON_LENGTH, decodeText, isArray, isObject, parseJson } from "../json.js";
import type { Message, OutMessage } from "../link.js";
import { type Meaning, NOTHING } from "../meaning.js";
import { covers } from "../mqtt/pattern.js";
import type { Convention } from "./convention.js";
import { findings, identityIn, nameIn, presenceIn, timeIn } from "./generic-json.js";
import { bareValue, pairsIn, type Place, placeOf, presenceWord } from "./generic-topic.js";
import { Draft, Thing, Things } from "./learned.js";

/** Longest bare value; what is longer is a document. */
const MAX_TEXT = 255;

export class Generic implements Convention {
	readonly name = "generic";
	readonly last = true;
	readonly #filters: readonly string[];
	readonly #things = new Things((address) => new Thing(address));

	/** @param options `filters`: what it listens to; left out, nothing. `guess`: for one message alone, whatever its topic. */
	constructor(options: { readonly filters?: readonly string[]; readonly guess?: boolean } = {}) {
		this.#filters = options.guess ? ["#"] : (options.filters ?? []);
	}

	filters(): readonly string[] {
		return this.#filters;
	}

	hear(message: Message): Meaning | undefined {
		if (!this.#filters.some((filter) => covers(filter, message.topic))) return undefined;
		const place = placeOf(message.topic);
		if (message.payload.length === 0 || message.topic.startsWith("$")) return undefined;
		if (!place || message.payload.length > MAX_JSON_LENGTH) return NOTHING;
		const text = decodeText(message.payload);
		if (text === undefined) return NOTHING; // a picture, or a format that says nothing of itself
		const draft = new Draft(message);
		if (/^\s*[{[]/.test(text)) this.#json(draft, place, text, message.topic);
		else this.#bare(draft, place, text.trim());
		return draft.finish();
	}

	/** There is none: nothing is known of what such a device understands. */
	command(address: string, point: string, value: Value): readonly OutMessage[] | undefined {
		return this.#things.get(address)?.command(point, value);
	}

	#json(draft: Draft, place: Place, text: string, topic: string): void {
		let json;
		try {
			json = parseJson(text);
		} catch (error) {
			return draft.misfit(topic, error instanceof Error ? error.message : "Cannot read JSON");
		}
		const one = isArray(json) && json.length === 1 && isObject(json[0]) ? json[0] : json;
		const said = isObject(one) ? presenceIn(one, place) : undefined;
		const found = said === undefined ? findings(one) : findings(one).filter(({ path }) => path !== said.key);
		if (found.length === 0 && said === undefined) return;
		// A row of numbers is what the last level names.
		const row = isArray(one) && one.every((each) => !isObject(each) && !isArray(each));
		const thing = this.#things.take(identityIn(one) ?? (row ? place.whole : place.device));
		if (!thing) return draft.misfit(topic, "Cannot take another device: there are too many");
		thing.know({ name: nameIn(one), type: "sensor" });
		const at = timeIn(one);
		// A message that says that its device is gone was left behind by it.
		if (said?.up !== false) draft.hear(thing);
		else draft.touch(thing);
		for (const { path, value, point } of found) draft.tell(thing, path === "" || row ? `${place.point}${path}` : path, value, { point }, at);
		if (said !== undefined) draft.say(thing.address, said.up ? "online" : "offline");
	}

	/** `temp=21.5;hum=40`. */
	#pairs(draft: Draft, place: Place, pairs: ReadonlyMap<string, string>): void {
		const thing = this.#things.take(place.device);
		if (!thing) return draft.misfit(place.device, "Cannot take another device: there are too many");
		thing.know({ type: "sensor" });
		for (const [key, text] of pairs) {
			const { value, point } = bareValue(key, text);
			if (value !== undefined && value !== "") draft.tell(thing, key, value, { point });
		}
	}

	#bare(draft: Draft, place: Place, text: string): void {
		if (text === "" || text.length > MAX_TEXT || /[\u0000-\u001f\u007f]/.test(text)) return;
		const up = presenceWord(place, text);
		const pairs = up === undefined ? pairsIn(text) : undefined;
		if (pairs) return this.#pairs(draft, place, pairs);
		const { value, point } = bareValue(place.point, text);
		// The last level names a number; a word there may be the state of what the level names.
		const thing = this.#things.take(up !== undefined || (value !== undefined && isNumeric(value) && !place.hasKind) ? place.whole : place.device);
		if (!thing) return draft.misfit(place.device, "Cannot take another device: there are too many");
		if (up !== undefined) {
			draft.touch(thing);
			return draft.say(thing.address, up ? "online" : "offline");
		}
		if (value === undefined) return draft.hear(thing);
		thing.know({ type: "sensor" });
		draft.tell(thing, place.point, value, { point });
	}
}
