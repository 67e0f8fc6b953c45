// A readout that was accepted, and how many there may be.
import { type Access, GATEWAY_ID } from "../../core/access.js";
import type { UnixMillis } from "../../core/clock.js";
import { GatewayError } from "../../core/errors.js";
import { domainpart } from "../../xmpp/jid.js";
import type { Request } from "../module.js";
import type { ReadoutCodec, ReadoutRequest } from "./request.js";

/** Readouts of one account that send at the same time; the next ones wait for their turn. */
export const MAX_RUNNING = 8;
/** Readouts of one account that wait, for their turn or for their time. */
export const MAX_QUEUED = 32;
/** All accounts together: a rule for `*@domain` lets in more of them than anybody counts. */
const MAX_JOBS = 1_000;
/** Accounts of one domain together: whoever can make many there leaves room for others. */
const MAX_OF_DOMAIN = MAX_JOBS / 2;
/** Of all of them and of one domain, those that wait: they may do so for a day, while others come and go. */
const MAX_WAITING = 750;
const MAX_WAITING_OF_DOMAIN = 250;

/** Who asked, and what: all that is kept of a request, for it may wait a day and its stanza may be large. */
export interface Asker {
	readonly from: string;
	readonly who: string;
	readonly to: string;
	/** The device, or `GATEWAY_ID`. */
	readonly id: string;
}

/** A readout that was accepted and has not ended. */
export interface Job {
	readonly asker: Asker;
	readonly codec: ReadoutCodec;
	readonly wish: ReadoutRequest;
	/** When it is to be read. */
	readonly due: UnixMillis;
	/** Waits for its time, or its turn or the uplink, or is being sent. */
	state: "scheduled" | "waiting" | "running";
	cancelTimer(): void;
	/** How often the uplink had no room for its beginning. */
	tries: number;
	/** What is told of it was made under these rules, or later ones. */
	rules: Access;
	/** Aborts when it has ended, or nobody wants it any more. */
	readonly ended: AbortController;
}

/** May this one be added to those that there are? @throws {GatewayError} `busy`. */
export function checkRoom(jobs: readonly Job[], { asker: { who }, state }: Job): void {
	if (jobs.length >= MAX_JOBS) throw new GatewayError("busy", `Cannot read now: ${MAX_JOBS} readouts are under way; try again later`);
	const domain = domainpart(who);
	const ofDomain = jobs.filter(({ asker }) => domainpart(asker.who) === domain);
	if (ofDomain.length >= MAX_OF_DOMAIN) throw new GatewayError("busy", `Cannot read now: ${MAX_OF_DOMAIN} readouts of people at "${domain}" are under way; try again later`);
	if (state === "running") return;
	const waiting = (of: readonly Job[]): number => of.filter((job) => job.state !== "running").length;
	if (waiting(jobs) >= MAX_WAITING || waiting(ofDomain) >= MAX_WAITING_OF_DOMAIN) {
		throw new GatewayError("busy", "Cannot schedule another readout: too many of yours and others are waiting; try again later, or read now");
	}
	if (waiting(jobs.filter(({ asker }) => asker.who === who)) >= MAX_QUEUED) {
		throw new GatewayError("busy", `Cannot schedule another readout: ${MAX_QUEUED} of yours are waiting; cancel one, or wait`);
	}
}

/** The asker's address, the address that was asked, and the id: two resources may use one id (T6), and so may two vocabularies. */
export function keyOf({ from, id }: Pick<Asker, "from" | "id">, { xmlns }: ReadoutCodec, key: string): string {
	return [from, id, xmlns, key].join("\n");
}

export function idOf({ twin }: Request): string {
	return twin?.device.id ?? GATEWAY_ID;
}
