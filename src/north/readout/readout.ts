import { GATEWAY_ID } from "../../core/access.js";
import { type Millis, pause } from "../../core/clock.js";
import { GatewayError } from "../../core/errors.js";
import { bare, resourcepart } from "../../xmpp/jid.js";
import { type Element, xml } from "../../xmpp/xml.js";
import { Refusal } from "../conditions.js";
import type { Incoming, Request, Route, Verbs, XepModule } from "../module.js";
import { Windows } from "../window.js";
import { FIRST_MOMENT, partsOf, plan, type Planned, stillSeen } from "./answer.js";
import { formatDateTime } from "./datetime.js";
import { type Asker, checkRoom, idOf, type Job, keyOf, MAX_RUNNING } from "./job.js";
import { NEURO_SENSOR_DATA, neuroSensorData } from "./neuro-sensor-data.js";
import { short } from "./nodes.js";
import { bytesOf } from "./pieces.js";
import { type Integers, type Part, type ReadoutCodec, type ReadoutRequest, storedWanted } from "./request.js";
import { hasRoom } from "./room.js";
import { MAX_STORED, partsWithStored } from "./stored.js";
import { xep0323 } from "./xep0323.js";

const NS_HINTS = "urn:xmpp:hints";

export interface ReadoutOptions {
	/** A fresh, unguessable stanza id. Default: a number, for a readout that nobody listens to. */
	readonly newId?: () => string;
	/** Whole numbers without a unit: `numeric` pleases slixmpp and Clayster, `int` pleases Smack. Default: `numeric`. */
	readonly integers?: Integers;
	/** Errors in the form of XEP-0323 v0.2 beside those of RFC 6120. Default: true. */
	readonly legacyErrors?: boolean;
	/** What is on its way to each receiver, whoever sends it. Default: its own, for a readout that is alone. */
	readonly windows?: Windows;
	/** Stored values that one request gets. Default: `MAX_STORED`. */
	readonly mostStored?: number;
}

/** The module, and what tells it that somebody left. */
export interface Readout extends XepModule {
	/** This full JID listens to this device no more, or no resource of this bare one does: the device sends it nothing more. `device` is empty for the gateway. */
	gone(jid: string, device: string): void;
}

/** A readout that falls due while the uplink is down is made when it is back; after so long nobody waits for it any more. */
export const LATE_BY: Millis = 3_600_000;
/** A gateway that restarts forgets what is scheduled, so it promises no more than a day. */
export const MAX_AHEAD: Millis = 24 * 3_600_000;
/** RFC 6120 §13.12 promises room for 10 000 bytes; servers add `xmlns` and `xml:lang` on the way. */
export const STANZA_BYTES = 9_500;
/** Characters of a stanza id: a UUID. */
const MAX_ID = 36;
/** What is left of a stanza however long its addresses are. */
const LEAST_BYTES = 2_000;
/** Stanzas in one turn of the loop, and the pause before the next ones: a readout of the fleet leaves room for the present. */
const AT_ONCE = 16;
/** The same of a history, which may go on for long: some five thousand values a second, and never more than a few milliseconds in a row. */
const STORED_AT_ONCE = 4;
const BETWEEN: Millis = 50;
/** A shorter readout is an answer like any other, and nobody is pinged for it; the stanzas of a longer one are counted in the window of their reader. */
const SHORT = 16;
/** An uplink that takes no more now is tried again so often, a second apart. */
const TRIES = 60;
const TRY_EVERY: Millis = 1_000;

/** What is sent, one after the other: at once, or as the journal gives it. */
type Parts = Iterator<Part> | AsyncIterator<Part>;

/**
 * Values on request, in both vocabularies: XEP-0323, and the Neuro-Foundation's sensor data.
 *
 * Present values come from the twin, stored ones from the journal, all with the time that their source gave them; nothing
 * here touches hardware.
 */
export function readout(verbs: Verbs, { newId, integers = "numeric", legacyErrors = true, windows = new Windows(verbs), mostStored = MAX_STORED }: ReadoutOptions = {}): Readout {
	const { clock } = verbs;
	const jobs = new Map<string, Job>();
	let sent = 0;
	const freshId = newId ?? ((): string => `readout-${++sent}`);

	function answer(request: Request, codec: ReadoutCodec): Element {
		try {
			return accept(request, codec);
		} catch (error) {
			if (!(error instanceof GatewayError)) throw error;
			throw new Refusal(error.fault, error.message, { before: codec.rejected(request.payload, error.message) });
		}
	}

	function accept(request: Request, codec: ReadoutCodec): Element {
		const wish = codec.parse(request.payload);
		const planned = plan(wish, request, codec, verbs);
		const asker = { from: request.from, who: request.who, to: request.to, id: idOf(request) };
		const key = keyOf(asker, codec, wish.key);
		if (jobs.has(key)) throw new GatewayError("conflict", `Cannot read twice as "${short(wish.id.trim())}": that readout is under way`);
		const wait = (wish.when ?? 0) - clock.now();
		if (wait > MAX_AHEAD) throw new GatewayError("bad-value", `Cannot read at ${formatDateTime(wish.when ?? 0)}: at most 24 hours ahead, that is until ${formatDateTime(clock.now() + MAX_AHEAD)}`);
		if (wait > 0) {
			const job = admit(key, jobOf({ asker, codec, wish, due: clock.now() + wait, state: "scheduled" }));
			job.cancelTimer = clock.after(wait, () => beginOrWait(key, job));
			return codec.accepted(wish.id, true);
		}

		const parts = partsFor(wish, planned, asker, codec);
		const first = codec.immediate && !isAsync(parts) ? parts.next().value ?? undefined : undefined;
		if (first?.done) return codec.part(wish.id, first);
		const isFull = running(asker.who) >= MAX_RUNNING;
		const job = admit(key, jobOf({ asker, codec, wish, due: clock.now(), state: isFull ? "waiting" : "running" }));
		// A timer, even of no time: what is accepted must be on its way before its values are.
		if (!isFull) job.cancelTimer = clock.after(0, () => void tell(key, job, parts, first));
		return codec.accepted(wish.id, isFull);
	}

	function jobOf(job: Pick<Job, "asker" | "codec" | "wish" | "due" | "state">): Job {
		return { ...job, cancelTimer: () => {}, tries: 0, rules: verbs.access, ended: new AbortController() };
	}

	function partsFor(wish: ReadoutRequest, planned: readonly Planned[], asker: Asker, codec: ReadoutCodec): Generator<Part> | AsyncGenerator<Part> {
		const budget = budgetOf(asker, codec, wish);
		return storedWanted(wish) === undefined ? partsOf(wish, planned, asker.who, codec, budget, verbs) : partsWithStored(wish, planned, asker.who, codec, budget, mostStored, verbs);
	}

	/** @throws {GatewayError} `busy`. */
	function admit(key: string, job: Job): Job {
		checkRoom([...jobs.values()], job);
		jobs.set(key, job);
		return job;
	}

	function ofWho(who: string): Job[] {
		return [...jobs.values()].filter(({ asker }) => asker.who === who);
	}

	function running(who: string): number {
		return ofWho(who).filter(({ state }) => state === "running").length;
	}

	function beginOrWait(key: string, job: Job): void {
		if (verbs.online() && running(job.asker.who) < MAX_RUNNING) begin(key, job);
		else job.state = "waiting";
	}

	/** Its turn has come, as soon as the stanza has ended that is being worked on. */
	function beginSoon(key: string, job: Job): void {
		job.state = "running";
		job.cancelTimer = clock.after(0, () => begin(key, job));
	}

	/** The uplink is back: whoever waited for it, and who still waits. */
	function connected(): void {
		for (const [key, job] of [...jobs]) {
			if (job.state !== "waiting" || jobs.get(key) !== job) continue;
			if (clock.now() - job.due > LATE_BY) end(key, job);
			else if (running(job.asker.who) < MAX_RUNNING) beginSoon(key, job);
		}
	}

	/** It was sent, or nobody wants it any more: the next one of the same account has its turn. */
	function end(key: string, job: Job): void {
		job.cancelTimer();
		job.ended.abort();
		jobs.delete(key);
		if (job.state !== "running" || !verbs.online()) return;
		for (const [nextKey, waiting] of jobs) {
			if (waiting.asker.who !== job.asker.who || waiting.state !== "waiting") continue;
			waiting.cancelTimer();
			return beginSoon(nextKey, waiting);
		}
	}

	/** The turn of a queued readout has come. The device may be gone by now, and so may the right to see it. */
	function begin(key: string, job: Job): void {
		const { asker, asker: { who, id }, codec, wish } = job;
		if (!maySee(job)) return end(key, job);
		if (!say(job, codec.started(wish.id))) {
			// Down, or too far behind: nothing of it has been said, so it can begin later.
			job.state = "waiting";
			if (!verbs.online()) return;
			if (++job.tries === TRIES) return end(key, job);
			job.cancelTimer = clock.after(TRY_EVERY, () => beginOrWait(key, job));
			return;
		}
		job.state = "running";
		job.rules = verbs.access;
		try {
			const twin = id === GATEWAY_ID ? undefined : verbs.registry.find(id);
			void tell(key, job, partsFor(wish, plan(wish, { twin, who }, codec, verbs), asker, codec));
		} catch (error) {
			if (!(error instanceof GatewayError)) throw error;
			const failure = { node: wish.nodes[0], device: id === GATEWAY_ID ? verbs.domain : id, timestamp: formatDateTime(clock.now()) ?? FIRST_MOMENT, text: error.message };
			void tell(key, job, [][Symbol.iterator](), { kind: "failure", failures: [failure], done: true });
		}
	}

	/** Does the address that he asked exist for him, by the rules of now? */
	function maySee({ asker: { who, id } }: Job): boolean {
		const twin = verbs.registry.find(id);
		return id === GATEWAY_ID ? verbs.access.knows(who) : twin !== undefined && verbs.access.maySee(who, id, twin.device.points);
	}

	/** Send what there is, a few stanzas a turn, until the end or until nobody takes them. Never rejects. */
	async function tell(key: string, job: Job, parts: Parts, first?: Part): Promise<void> {
		const { signal } = job.ended;
		const window = windows.to(job.asker.from);
		const atOnce = storedWanted(job.wish) === undefined ? AT_ONCE : STORED_AT_ONCE;
		try {
			for (let count = 1; !signal.aborted; count++) {
				const part = count === 1 && first ? first : await nextOf(parts);
				// While it was fetched the reader may have gone.
				if (signal.aborted || !part || (count > SHORT && !(await hasRoom(window, clock, signal))) || !(await sayAtLast(job, part))) break;
				if (count > SHORT) window.sent(job.asker.to, count === SHORT + 1 ? count : 1);
				if (part.done) break;
				if (count % atOnce === 0) await pause(clock, BETWEEN, signal);
			}
		} catch (error) {
			verbs.log.error({ err: error }, "A readout failed for a reason of ours");
		}
		if (jobs.get(key) === job) end(key, job);
	}

	/** Too much may be on its way already; that passes. */
	async function sayAtLast(job: Job, part: Part): Promise<boolean> {
		for (let tries = 1; ; tries++) {
			// Made before the rules changed, perhaps, and as long as the uplink has no room they may change again.
			const seen = job.rules === verbs.access ? part : stillSeen(part, job.asker.who, verbs);
			if (!seen || say(job, job.codec.part(job.wish.id, seen))) return true;
			if (tries === TRIES || !verbs.online()) return false;
			await pause(clock, TRY_EVERY, job.ended.signal);
			if (job.ended.signal.aborted) return false;
		}
	}

	function say({ asker }: Job, payload: Element): boolean {
		return verbs.say(message(asker, freshId(), payload));
	}

	function cancel(request: Request, codec: ReadoutCodec): Element | undefined {
		const { id, key } = codec.parseCancel(request.payload);
		drop((_, at) => at === keyOf({ from: request.from, id: idOf(request) }, codec, key));
		// The same answer when there is nothing to cancel: it is as true that nothing more will come.
		return codec.cancelled(id);
	}

	function drop(isMeant: (job: Job, key: string) => boolean): void {
		// All of them first: the end of one is the beginning of another.
		for (const [key, job] of [...jobs].filter(([at, each]) => isMeant(each, at))) end(key, job);
	}

	/** Somebody is gone, as far as one device can tell. */
	function left({ from, id }: Pick<Incoming, "from" | "id">): void {
		drop((job) => isFrom(from, job) && job.asker.id === id);
	}

	windows.onGone((jid) => drop((job) => isFrom(jid, job)));
	const isFrom = (jid: string, { asker }: Job): boolean => asker.from === jid || (resourcepart(jid) === "" && bare(asker.from) === jid);
	const codecs = [xep0323({ integers, legacyErrors }), ...NEURO_SENSOR_DATA.map((xmlns) => neuroSensorData({ xmlns, integers }))];
	const features = codecs.map(({ xmlns }) => xmlns);
	return {
		features: { device: features, gateway: features },
		routes: codecs.flatMap((codec): Route[] => [
			{ type: "get", xmlns: codec.xmlns, name: "req", at: "both", answer: (request) => answer(request, codec) },
			// XEP-0323 says get, the Neuro-Foundation says set, IoTGateway sends get.
			{ type: "any", xmlns: codec.xmlns, name: "cancel", at: "both", answer: (request) => cancel(request, codec) },
		]),
		// Values that bounce: whoever asked is no longer there. A bounce of a bare address is that of a letter, and says nothing of his clients.
		bounced: ({ from, id }) => drop(({ asker }) => asker.from === from && asker.id === id),
		presence(heard) {
			const { type } = heard.stanza.attrs;
			if (type === "unavailable" || type === "error") left(heard);
		},
		connected,
		accessChanged: () => drop((job) => !maySee(job)),
		// What was on its way may be lost: an answer with a hole in it would look whole.
		disconnected: () => drop(({ state }) => state === "running"),
		closing: () => drop(() => true),
		gone: (jid, device) => drop((job) => isFrom(jid, job) && job.asker.id === device),
	};
}

/** To the full JID, and for nobody's archive: the values are old tomorrow. */
function message({ from, to }: Asker, id: string, payload: Element): Element {
	return xml("message", { from: to, to: from, id }, payload, xml("no-store", { xmlns: NS_HINTS }));
}

function budgetOf(asker: Asker, codec: ReadoutCodec, { id }: ReadoutRequest): number {
	const around = bytesOf(message(asker, "0".repeat(MAX_ID), codec.part(id, { kind: "fields", groups: [], done: false })).toString());
	return Math.max(LEAST_BYTES, STANZA_BYTES - around);
}

function isAsync(parts: Generator<Part> | AsyncGenerator<Part>): parts is AsyncGenerator<Part> {
	return Symbol.asyncIterator in parts;
}

async function nextOf(parts: Parts): Promise<Part | undefined> {
	const { value, done } = await parts.next();
	return done ? undefined : value;
}
