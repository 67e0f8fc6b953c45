// Letters as stanzas. With XEP-0184 (Message Delivery Receipts, 1.4.0), XEP-0203 (Delayed Delivery, 2.0), XEP-0334 (Message
// Processing Hints, 0.5.0), XEP-0359 (Unique and Stable Stanza IDs, 0.7.0).
// Source: https://xmpp.org/extensions/

import { createHash } from "node:crypto";
import { GATEWAY_ID } from "../core/access.js";
import type { Millis, UnixMillis } from "../core/clock.js";
import type { Letter } from "../core/outbox.js";
import { type Element, xml } from "../xmpp/xml.js";
import { jidOf } from "./addresses.js";
import type { Verbs } from "./module.js";

export const NS_RECEIPTS = "urn:xmpp:receipts";

/** Letters in one stanza at most, when its receiver is behind: design §4, decision 3. */
export const MAX_LETTERS = 10;
/** And bytes of their bodies. A single longer letter is cut there: servers close the stream of all devices at 10 kB to 256 kB. */
const MAX_BODY_BYTES = 6_000;
/** What leaves later than this says when it happened. */
const LATE: Millis = 10_000;

/** Letters of one device to one receiver that travel in one stanza, and what its id is. */
export interface Batch {
	readonly id: string;
	readonly device: string;
	readonly letters: readonly Letter[];
}

/** The id of a letter: the same facts give the same id, so that a letter posted twice is one letter. It is never sent. */
export function letterId(...facts: readonly (string | number | boolean)[]): string {
	return createHash("sha256").update(JSON.stringify(facts)).digest("base64url");
}

/** May its receiver still read what the letter tells? A device that is gone is judged by its id. */
export function mayHear({ access, registry }: Pick<Verbs, "access" | "registry">, { to, device, point }: Letter): boolean {
	if (device === GATEWAY_ID) return access.knows(to);
	if (point !== undefined) return access.mayRead(to, device, point);
	return access.maySee(to, device, registry.find(device)?.device.points ?? {});
}

/**
 * Put a page of waiting letters into at most `most` stanzas, each of one device, the order within a device kept. An urgent
 * letter shares its stanza with urgent ones only.
 *
 * @returns Fewer letters than were given when they do not fit: the others are still first in the queue.
 */
export function compose(page: readonly Letter[], most: number, newId: () => string): Batch[] {
	interface Open extends Batch { readonly letters: Letter[]; bytes: number }
	const batches: Open[] = [];
	const open = new Map<string, Open | "full">();
	for (const letter of page) {
		const key = `${letter.urgent} ${letter.device}`;
		const bytes = Buffer.byteLength(letter.body);
		let batch = open.get(key);
		if (batch === "full") continue; // what comes after a letter that must wait, waits too
		if (!batch || batch.letters.length >= MAX_LETTERS || batch.bytes + bytes > MAX_BODY_BYTES) {
			batch = batches.length < most ? { id: newId(), device: letter.device, letters: [], bytes: 0 } : undefined;
			open.set(key, batch ?? "full");
			if (!batch) continue;
			batches.push(batch);
		}
		batch.letters.push(letter);
		batch.bytes += bytes;
	}
	return batches;
}

/**
 * The stanza of a batch: the same letters give the same id and body whenever it is sent. What leaves late says when it
 * happened (XEP-0203); of several letters each line does.
 *
 * @returns Nothing where no JID can carry the id of the device.
 */
export function stanzaOf(domain: string, to: string, { id, device, letters }: Batch, now: UnixMillis): Element | undefined {
	const from = jidOf(domain, device);
	if (from === undefined || letters.length === 0) return undefined;
	const inTime = [...letters].sort((a, b) => a.at - b.at);
	const { at } = inTime.at(-1)!;
	const body = inTime.length === 1 ? inTime[0]!.body : inTime.map((letter) => `${whenOf(letter.at)}: ${letter.body}`).join("\n");
	const stamp = now - at > LATE ? stampOf(at) : undefined;
	return xml("message", { from, to, type: "chat", id },
		xml("body", {}, cut(body)),
		xml("request", { xmlns: NS_RECEIPTS }),
		xml("origin-id", { xmlns: "urn:xmpp:sid:0", id }),
		xml("store", { xmlns: "urn:xmpp:hints" }),
		stamp === undefined ? undefined : xml("delay", { xmlns: "urn:xmpp:delay", from, stamp }));
}

/** `2026-01-01 00:00:05 UTC`: for people, who may live anywhere and read it much later. */
export function whenOf(at: UnixMillis): string {
	const stamp = stampOf(at);
	return stamp === undefined ? "at an unknown time" : `${stamp.slice(0, 10)} ${stamp.slice(11, 19)} UTC`;
}

/** XEP-0082; nothing for a time that has no four-digit year: a source may claim any. */
function stampOf(at: UnixMillis): string | undefined {
	return at >= FIRST && at <= LAST ? new Date(at).toISOString() : undefined;
}

const FIRST: UnixMillis = Date.UTC(1970, 0, 1);
const LAST: UnixMillis = Date.UTC(9999, 11, 31);

/** Up to ten lines and their times on top of the letters' own bytes. */
function cut(body: string): string {
	const most = MAX_BODY_BYTES + MAX_LETTERS * 32;
	if (Buffer.byteLength(body) <= most) return body;
	return `${Buffer.from(body).subarray(0, most).toString("utf8").replace(/\ufffd$/, "")}…`;
}
