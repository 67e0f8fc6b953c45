// RFC 6121 §5: messages, as a conversation with a device.
// With XEP-0184 (Message Delivery Receipts, 1.4.0), XEP-0085 (Chat State Notifications, 2.1), XEP-0308 (Last Message Correction, 1.2.1).
// Source: https://www.rfc-editor.org/rfc/rfc6121#section-5 and https://xmpp.org/extensions/
import { createHash } from "node:crypto";
import type { Millis, UnixMillis } from "../../core/clock.js";
import { type Element, xml } from "../../xmpp/xml.js";
import type { Incoming, Verbs, XepModule } from "../module.js";
import type { Watches } from "../watches.js";
import { type Answer, type Speaker, talkToDevice, talkToGateway } from "./conversation.js";
import { HistoryTurns } from "./history.js";
import { bodyOf, isCorrection, isDelayed, isEncrypted } from "./guards.js";

const NS_RECEIPTS = "urn:xmpp:receipts";
const NS_CHAT_STATES = "http://jabber.org/protocol/chatstates";
const NS_CORRECT = "urn:xmpp:message-correct:0";

/** A command that ends sooner is answered once; a longer one is told as pending, and that message is corrected. */
const PENDING_AFTER: Millis = 700;
/** A message that comes twice within this time is one message. */
const REMEMBER_FOR: Millis = 5 * 60_000;
/** Senders and message ids kept; the oldest are forgotten first. */
const MAX_REMEMBERED = 2_000;
/** A longer thread or message id is not repeated in an answer: RFC 6121 §5.2.5 wants a UUID, and clients send no more. */
const MAX_ECHOED = 256;
const ONCE_A_DAY: Millis = 24 * 3_600_000;

export interface ChatOptions {
	/** A fresh, unguessable stanza id. */
	readonly newId: () => string;
	readonly watches?: Pick<Watches, "of">;
}

/** Talk with people: whoever may see a device may ask it, whoever may command it may do so in words. */
export function chat(verbs: Verbs, { newId, watches }: ChatOptions): XepModule {
	const executed = new Remembered(MAX_REMEMBERED);
	const toldOfEncryption = new Remembered(MAX_REMEMBERED);
	const histories = new HistoryTurns();
	const features = ["urn:xmpp:receipts", NS_CHAT_STATES, NS_CORRECT];
	return { features: { device: features, gateway: features }, message };

	function message(incoming: Incoming): boolean {
		const { stanza, who, id } = incoming;
		const type = stanza.attrs["type"] ?? "normal";
		if ((type !== "chat" && type !== "normal") || (stanza.child("body") === undefined && !isEncrypted(stanza))) return false;
		if (!incoming.letIn) return true; // silence: for him there is nobody here (design §3.3)
		const now = verbs.clock.now();
		const messageId = stanza.attrs["id"];
		const again = messageId !== undefined && executed.seen(keyOf(who, incoming.to, messageId), now, REMEMBER_FOR);
		acknowledge(incoming);
		if (again) return true; // delivered twice, executed once
		const late = isDelayed(stanza);
		if (isEncrypted(stanza)) {
			if (!late && !toldOfEncryption.seen(`${who}\n${id}`, now, ONCE_A_DAY)) say(incoming, "I cannot read encrypted messages: please switch off OMEMO (the lock) for this chat");
			return true;
		}
		const lines = bodyOf(stanza).split(/\r\n|\r|\n/).filter((line) => line.trim() !== "");
		if (isCorrection(stanza)) say(incoming, "Corrections are not executed: send it as a new message");
		else if (lines.length > 1) say(incoming, "Cannot do several things at once: send one line in each message");
		else if (lines.length === 1) answer(incoming, lines[0]!, late);
		return true;
	}

	function answer(incoming: Incoming, line: string, late: boolean): void {
		const speaker: Speaker = { who: incoming.who, histories, mayCommand: late ? "This message was delayed on its way, so nothing was set: send it again if you still want it" : true, ...(watches && { watches: watches.of(incoming.who) }) };
		const answered: Answer = incoming.twin ? talkToDevice(verbs, incoming.twin, speaker, line) : talkToGateway(verbs, speaker, line);
		const { ending } = answered;
		if (!ending) return void say(incoming, answered.text);
		let pending: string | undefined;
		const cancel = verbs.clock.after(PENDING_AFTER, () => (pending = say(incoming, answered.text, undefined, "composing")));
		void ending.then((outcome) => {
			cancel();
			say(incoming, outcome, pending);
		});
	}

	/** XEP-0184 §5: the gateway has taken the message; whether the device obeys is said in words. */
	function acknowledge({ stanza, from, to }: Incoming): void {
		const id = stanza.attrs["id"];
		if (id === undefined || id.length > MAX_ECHOED || !stanza.child("request", NS_RECEIPTS) || isDelayed(stanza)) return;
		verbs.say(xml("message", { from: to, to: from, type: stanza.attrs["type"], id: newId() }, xml("received", { xmlns: NS_RECEIPTS, id })));
	}

	/** Say something to the resource that wrote, from the address that it wrote to (standards 6.3). The id of what was said is the answer. */
	function say({ stanza, from, to }: Incoming, text: string, replaces?: string, state: "active" | "composing" = "active"): string {
		const id = newId();
		const thread = stanza.child("thread")?.text();
		verbs.say(xml("message", { from: to, to: from, type: stanza.attrs["type"], id },
			xml("body", {}, text),
			thread === undefined || thread.length > MAX_ECHOED ? undefined : xml("thread", {}, thread),
			replaces === undefined ? undefined : xml("replace", { xmlns: NS_CORRECT, id: replaces }),
			wantsStates(stanza) ? xml(state, { xmlns: NS_CHAT_STATES }) : undefined));
		return id;
	}
}

/** Of a message, in as many bytes however long its id is. */
function keyOf(who: string, to: string, id: string): string {
	return createHash("sha1").update([who, to, id].join("\0")).digest("base64");
}

/** XEP-0085 §5.1: states are only for who sends them. */
function wantsStates(message: Element): boolean {
	return message.elements().some(({ xmlns }) => xmlns === NS_CHAT_STATES);
}

/** Which keys were seen lately; bounded, the oldest is forgotten first. */
class Remembered {
	readonly #until = new Map<string, UnixMillis>();
	readonly #most: number;

	constructor(most: number) {
		this.#most = most;
	}

	/** Was it seen within `span`? It is remembered from now on in any case. */
	seen(key: string, now: UnixMillis, span: Millis): boolean {
		const until = this.#until.get(key);
		if (until !== undefined && until > now) return true;
		this.#until.delete(key);
		this.#until.set(key, now + span);
		if (this.#until.size > this.#most) this.#until.delete(this.#until.keys().next().value!);
		return false;
	}
}
