import type { UnixMillis } from "./clock.js";

/** Something that must arrive: what a watched point did, an alert, a message for a partner. */
export interface Letter {
	/** Unguessable and unique: the receiver tells by it that it has this one already. */
	readonly id: string;
	/** Bare JID. */
	readonly to: string;
	/** Device id of the sender; empty for the gateway itself. */
	readonly device: string;
	/** Of what point it tells, by which is decided whether he may still read it; nothing: of the device as a whole. */
	readonly point?: string;
	/** Goes before all that is not. */
	readonly urgent: boolean;
	/** When it happened: the source's time. */
	readonly at: UnixMillis;
	/** For people. */
	readonly body: string;
}

/** A letter in the outbox. */
export interface Waiting extends Letter {
	/** The stanza that it was sent in, and will be sent in again; nothing while it was never sent. */
	readonly batch?: string;
}

/** What waits for one receiver. */
export interface Queue {
	readonly to: string;
	readonly letters: number;
	readonly oldest: UnixMillis;
}

/** Letters on disk until their receivers have acknowledged them. Bounded: beyond the bound the oldest that is not urgent goes, counted and said. */
export interface Outbox {
	/** Resolves when it is on disk; one that is there already changes nothing. @throws {GatewayError} `store-failed`. */
	post(letter: Letter): Promise<void>;
	/** The first letters for a receiver that are in no batch yet: urgent ones, then by the time of posting; those of the devices `except` are left out. */
	next(to: string, limit: number, except?: readonly string[]): Promise<readonly Waiting[]>;
	/** Those that were sent and not acknowledged, oldest first: for a new session of the uplink. */
	sent(to: string, limit: number): Promise<readonly Waiting[]>;
	/** Resolves when it is on disk that these letters ride in this stanza, before it is sent: a repetition is then the same stanza. */
	assign(ids: readonly string[], batch: string): Promise<void>;
	/** Their receiver has the stanza: its letters are gone. */
	acknowledged(batches: readonly string[]): Promise<void>;
	/** Nobody will ever take them: the receiver, or the sender, is gone. @returns How many. */
	discard(to: string, device?: string): Promise<number>;
	queues(): Promise<readonly Queue[]>;
}
