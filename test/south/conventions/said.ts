import { isNumeric, type Numeric, numericFromText, type Value } from "../../../src/core/value.js";
import type { Convention } from "../../../src/south/conventions/convention.js";
import type { Message } from "../../../src/south/link.js";
import type { Meaning } from "../../../src/south/meaning.js";

/** An MQTT message; what is no text is sent as JSON. */
export function message(topic: string, payload: unknown, retained = false): Message {
	const text = typeof payload === "string" ? payload : JSON.stringify(payload);
	return { kind: "message", topic, payload: Buffer.from(text), retained };
}

/** What a message told, as `address point` → value; numbers as their digits. */
export function toldBy(meaning: Meaning | undefined): Record<string, string | boolean> {
	return Object.fromEntries((meaning?.told ?? []).map(({ address, point, value }) => [`${address} ${point}`, plain(value)]));
}

/** The same without the address, for a test of one device. */
export function readings(meaning: Meaning | undefined): Record<string, string | boolean> {
	return Object.fromEntries((meaning?.told ?? []).map(({ point, value }) => [point, plain(value)]));
}

export function statesOf(meaning: Meaning | undefined): Record<string, string> {
	return Object.fromEntries((meaning?.states ?? []).map(({ address, state }) => [address, state]));
}

export function reasons(meaning: Meaning | undefined): string[] {
	return (meaning?.misfits ?? []).map(({ reason }) => reason);
}

/** What a command sends, as `topic payload`. */
export function sent(convention: Convention, address: string, point: string, value: Value | number): string[] {
	const wish = typeof value === "number" ? numeric(String(value)) : value;
	return (convention.command(address, point, wish) ?? []).map(({ topic, payload }) => `${topic} ${typeof payload === "string" ? payload : Buffer.from(payload).toString()}`);
}

export function numeric(text: string): Numeric {
	const value = numericFromText(text);
	if (!value) throw new Error(`not a number: ${text}`);
	return value;
}

function plain(value: Value): string | boolean {
	return isNumeric(value) ? value.text : value;
}
