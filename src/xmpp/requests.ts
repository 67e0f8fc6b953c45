// RFC 6120 §8.2.3: IQ, the asking side
// Source: https://www.rfc-editor.org/rfc/rfc6120#section-8.2.3
import { parseJid, formatJid } from "./jid.js";
import { type Condition, type ErrorType, readError } from "./stanza.js";
import type { StreamClock } from "./stream.js";
import { type Element, xml } from "./xml.js";

const DEFAULT_TIMEOUT_MS = 30_000;
/** A fleet that is asked for its caps all at once stays below; each costs some 500 bytes. */
export const MAX_QUESTIONS = 1000;
/** Of them so many are kept for questions that ask for it: a flood of others must not stop what the flow of everything hangs on. */
export const RESERVED = 200;

/** Why a question has no result. `answer` is the error stanza; without it the fault is on this side: offline, timed out, too many, cancelled. */
export class RequestError extends Error {
	override readonly name = "RequestError";
	readonly type: ErrorType;
	readonly condition: Condition;
	readonly answer: Element | undefined;

	constructor(type: ErrorType, condition: Condition, message: string, answer?: Element) {
		super(message);
		this.type = type;
		this.condition = condition;
		this.answer = answer;
	}
}

/** An IQ to send. Both addresses are needed: a component speaks for many. */
export interface Question {
	readonly type: "get" | "set";
	readonly from: string;
	readonly to: string;
	readonly payload: Element;
}

/** What `Requests` needs. `newId` must be unguessable: crypto.randomUUID. */
export interface RequestsOptions {
	readonly clock: StreamClock;
	readonly send: (stanza: Element) => boolean;
	readonly newId: () => string;
	/** Questions that may wait for their answers at one time. */
	readonly limit?: number;
}

/** How to ask. */
export interface AskOptions {
	readonly timeoutMs?: number;
	readonly signal?: AbortSignal;
	readonly reserved?: boolean;
}

interface Waiting {
	readonly from: string;
	readonly to: string;
	readonly resolve: (answer: Element) => void;
	/** Rejects, and stops the timer. */
	readonly fail: (error: RequestError) => void;
	readonly done: () => void;
}

/** Our own questions and their answers, matched by id and by both addresses: an id alone can be guessed or overheard by others. */
export class Requests {
	readonly #options: RequestsOptions;
	readonly #waiting = new Map<string, Waiting>();

	constructor(options: RequestsOptions) {
		this.#options = options;
	}

	/** How many questions wait. */
	get size(): number {
		return this.#waiting.size;
	}

	/**
	 * Ask, and wait for the result stanza, `timeoutMs` at most.
	 *
	 * @param options.reserved It may use the reserve; whoever says so bounds his own number.
	 * @throws RequestError for an error stanza (its own type and condition), `remote-server-timeout` for none in time,
	 * `recipient-unavailable` while offline, `resource-constraint` over the limit, `undefined-condition` when `signal` aborts.
	 */
	ask({ type, from, to, payload }: Question, { timeoutMs = DEFAULT_TIMEOUT_MS, signal, reserved = false }: AskOptions = {}): Promise<Element> {
		const { clock, send, newId, limit: most = MAX_QUESTIONS } = this.#options;
		const limit = reserved ? most : Math.ceil(most * (1 - RESERVED / MAX_QUESTIONS));
		if (signal?.aborted) return Promise.reject(cancelled(to));
		if (this.#waiting.size >= limit) return Promise.reject(new RequestError("wait", "resource-constraint", `Cannot ask "${to}": ${limit} questions wait already`));
		const id = newId();
		return new Promise((resolve, reject) => {
			const abort = (): void => fail(cancelled(to));
			const done = (): void => {
				this.#waiting.delete(id);
				stopTimer();
				signal?.removeEventListener("abort", abort);
			};
			const fail = (error: RequestError): void => {
				done();
				reject(error);
			};
			const stopTimer = clock.after(timeoutMs, () => fail(new RequestError("wait", "remote-server-timeout", `Cannot ask "${to}": no answer in ${timeoutMs / 1000} s`)));
			signal?.addEventListener("abort", abort, { once: true });
			this.#waiting.set(id, { from: normal(from), to: normal(to), resolve, fail, done });
			if (!send(xml("iq", { type, from, to, id }, payload))) fail(new RequestError("wait", "recipient-unavailable", `Cannot ask "${to}": the stream is offline`));
		});
	}

	/** Take a stanza that may be an answer. `false`: it is none of ours, whoever says so; an unasked answer is dropped, never answered. */
	take(stanza: Element): boolean {
		const { type, id, from, to } = stanza.attrs;
		if (stanza.name !== "iq" || (type !== "result" && type !== "error") || id === undefined || from === undefined || to === undefined) return false;
		const waiting = this.#waiting.get(id);
		// RFC 6120 §8.1.2.1 lets an account's server leave out or shorten `from`; towards a component every answer has the address that was asked.
		if (waiting === undefined || waiting.to !== normal(from) || waiting.from !== normal(to)) return false;
		if (type === "result") {
			waiting.done();
			waiting.resolve(stanza);
		} else {
			const { type: errorType, condition, text } = readError(stanza);
			waiting.fail(new RequestError(errorType, condition, `Cannot ask "${waiting.to}": it answers ${condition}${text === "" ? "" : `, "${text.slice(0, 200)}"`}`, stanza));
		}
		return true;
	}

	/** The stream was lost: no answer comes any more. */
	failAll(reason: string): void {
		for (const waiting of [...this.#waiting.values()]) waiting.fail(new RequestError("wait", "recipient-unavailable", `Cannot ask "${waiting.to}": ${reason}`));
	}
}

function cancelled(to: string): RequestError {
	return new RequestError("cancel", "undefined-condition", `Cannot ask "${to}": the question was cancelled`);
}

function normal(jid: string): string {
	const parsed = parseJid(jid);
	return parsed === undefined ? jid : formatJid(parsed);
}
