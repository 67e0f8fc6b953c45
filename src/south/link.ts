import type { UnixMillis } from "../core/clock.js";
import type { LinkCounters } from "../core/status.js";
import type { LinkNews, LinkSetting } from "./serial/device-link-model.js";

/** One MQTT message. */
export interface Message {
	readonly kind: "message";
	readonly topic: string;
	readonly payload: Uint8Array;
	readonly retained: boolean;
	/** MQTT 5 content type, where the sender gave one. */
	readonly contentType?: string;
}

/** One line of text, without its end. */
export interface Line {
	readonly kind: "line";
	readonly text: string;
}

/** One binary message of a serial line, whole: with its start, its checksum and its end. */
export interface BinaryMessage {
	readonly kind: "frame";
	readonly bytes: Uint8Array;
}

/** The four tables of a Modbus unit: MODBUS Application Protocol V1.1b3, section 4.3. */
export type Table = "coil" | "discrete" | "input" | "holding";

/** Values of consecutive registers or coils (0 or 1) of one Modbus unit. */
export interface Registers {
	readonly kind: "registers";
	readonly unit: number;
	readonly table: Table;
	readonly first: number;
	readonly values: readonly number[];
}

/** A unit that was asked and did not answer, or answered with an exception. */
export interface Silence {
	readonly kind: "silence";
	readonly unit: number;
	/** For people: `no answer within 300 ms`, `exception 2: illegal data address`. */
	readonly reason: string;
	/** An exception is an answer: the unit lives. */
	readonly alive: boolean;
}

/** One message from a device, stripped of framing and checksum. */
export interface Packet {
	readonly body: Message | Line | BinaryMessage | Registers | Silence | LinkNews;
	readonly received: UnixMillis;
	/**
	 * How it is told from its own repetition, where its sender waits for an acknowledgement: to be written down with its readings, so that
	 * a repetition is known after a restart too. Nothing: nobody waits.
	 */
	readonly delivery?: Remembered;
	/** Its readings are safe: an MQTT QoS 1 message is acknowledged now, and not before. Call it once, whatever the packet meant. */
	taken(): void;
}

/** A message that was taken over: the number by which its sender knows it, and a hash of what it said. */
export interface Remembered {
	readonly id: number;
	readonly hash: string;
}

/** What of an earlier run a link may still be asked about, and where it says that nobody will ask any more. */
export interface Memory {
	readonly delivered: readonly Remembered[];
	release(ids: readonly number[] | "all"): void;
}

export interface OutMessage {
	readonly kind: "message";
	readonly topic: string;
	readonly payload: string | Uint8Array;
	readonly retain?: boolean;
	/** Default: 1. */
	readonly qos?: 0 | 1;
}
export interface OutLine {
	readonly kind: "line";
	readonly text: string;
}
/** Bytes to write as they are. */
export interface OutFrame {
	readonly kind: "frame";
	readonly bytes: Uint8Array;
}
/** Registers or coils to write; the link reads them back at once and hears the answer as a packet. */
export interface OutRegisters {
	readonly kind: "registers";
	readonly unit: number;
	readonly table: "coil" | "holding";
	readonly first: number;
	readonly values: readonly number[];
	/** Use function 15 or 16 even for one value: some devices know no other. */
	readonly multiple?: boolean;
	/** Of holding registers: write and read back in one transaction, by function 23. */
	readonly together?: boolean;
}
export type Outgoing = OutMessage | OutLine | OutFrame | OutRegisters | LinkSetting;

/** Is the road open? `reason` says what, why and how to mend it. */
export type LinkState = { readonly up: true } | { readonly up: false; readonly reason: string };

/** What a link tells while it runs. */
export interface LinkEars {
	packet(packet: Packet): void;
	state(state: LinkState): void;
	/** Bytes that made no packet: noise, a wrong checksum, a message above the limit. */
	fault(where: string, reason: string, sample: string): void;
}

/** A road to devices. It owns its port or session, reconnects by itself, and knows no device model. */
export interface Link {
	readonly id: string;
	/** Run until `signal` aborts: packets in the order of arrival. Never rejects because of what is on the other end. */
	run(ears: LinkEars, signal: AbortSignal): Promise<void>;
	/** Resolves when the bytes have left (MQTT QoS 1: when the broker has them; Modbus: when the unit has echoed them). @throws {GatewayError} `link-down`, `device-timeout`, `device-refused`. */
	send(out: Outgoing, signal: AbortSignal): Promise<void>;
	/** Listen to exactly these topic filters; links without topics ignore it. */
	listen?(filters: readonly string[]): void;
	/** What has passed since the start; links that do not cut bytes have none. */
	counters?(): LinkCounters;
}
