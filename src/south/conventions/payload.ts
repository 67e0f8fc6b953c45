import { messageOf } from "../../core/errors.js";
import { type Value, textOf } from "../../core/value.js";
import type { Message } from "../link.js";
import { decodeText, isArray, isNumber, isObject, type Json, parseJson } from "../json.js";

/** How much of a payload a misfit shows. */
const MAX_SAMPLE = 120;

/** The payload of one message, taken apart once however many entities look at it. */
export class Payload {
	readonly #bytes: Uint8Array;
	#text: string | undefined;
	#json: { readonly value: Json } | { readonly fault: string } | undefined;

	constructor(message: Message) {
		this.#bytes = message.payload;
	}

	get empty(): boolean {
		return this.#bytes.length === 0;
	}

	/** As text; what is not UTF-8 has U+FFFD in it. */
	get text(): string {
		this.#text ??= decodeText(this.#bytes) ?? new TextDecoder().decode(this.#bytes);
		return this.#text;
	}

	/** As JSON; nothing when it is none. */
	get json(): Json | undefined {
		const parsed = this.#parsed();
		return "value" in parsed ? parsed.value : undefined;
	}

	/** Why it is not JSON. */
	get fault(): string | undefined {
		const parsed = this.#parsed();
		return "fault" in parsed ? parsed.fault : undefined;
	}

	/** For a misfit. */
	get sample(): string {
		return this.text.slice(0, MAX_SAMPLE);
	}

	#parsed(): { readonly value: Json } | { readonly fault: string } {
		if (this.#json === undefined) {
			try {
				this.#json = { value: parseJson(this.#bytes) };
			} catch (error) {
				this.#json = { fault: messageOf(error) };
			}
		}
		return this.#json;
	}
}

/** JSON as text, with the digits that it was written in. */
export function jsonText(json: Json): string {
	if (isNumber(json)) return json.text;
	if (isArray(json)) return `[${json.map(jsonText).join(",")}]`;
	if (isObject(json)) return `{${Object.entries(json).map(([key, value]) => `${JSON.stringify(key)}:${jsonText(value)}`).join(",")}}`;
	return JSON.stringify(json);
}

/** A value as JSON text: numbers keep their digits. */
export function valueJson(value: Value): string {
	return typeof value === "string" ? JSON.stringify(value) : textOf(value);
}

/** A text as the name of a point: lower case, `_` for all that is no letter or digit. `PI heating demand` → `pi_heating_demand`. */
export function slug(text: string): string {
	return text.normalize("NFC").toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "_").replace(/^_|_$/g, "");
}

/**
 * The one spelling in which conventions announce a MAC address, so that two that know one device by it meet: twelve hex digits, lower case.
 *
 * @returns Nothing for what is no MAC address: `AA:BB:CC:DD:EE:FF`, `aa-bb-…` and `AABBCCDDEEFF` are.
 */
export function macAddress(text: string): string | undefined {
	const plain = text.trim().toLowerCase();
	if (/^[0-9a-f]{12}$/.test(plain) || /^[0-9a-f]{2}([:-])(?:[0-9a-f]{2}\1){4}[0-9a-f]{2}$/.test(plain)) return plain.replace(/[:-]/g, "");
	return undefined;
}

/** Words by which senders say that there is no value. */
const NO_VALUE: ReadonlySet<string> = new Set(["", "none", "null", "unknown", "unavailable", "undefined", "nan", "-nan", "inf", "-inf"]);

/** Does this text say that there is no value? That is no reading, and no fault. */
export function saysNothing(text: string): boolean {
	return text.length < 16 && NO_VALUE.has(text.trim().toLowerCase());
}

/** Longest word by which a sender names something. */
const MAX_WORD = 200;

/** A text of JSON that names something, without blanks around it; nothing for what is none, or empty. */
export function wordIn(json: Json | undefined): string | undefined {
	return typeof json === "string" && json.trim() !== "" ? json.trim().slice(0, MAX_WORD) : undefined;
}
