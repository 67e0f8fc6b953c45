import type { Millis, UnixMillis } from "../../core/clock.js";
import type { Announcement } from "../../core/device.js";
import type { Value } from "../../core/value.js";
import type { BinaryMessage, Line, OutFrame, Outgoing, OutLine } from "../link.js";
import type { Meaning } from "../meaning.js";
import type { Framer } from "./framer.js";

/** What a framer cuts out of the line: text or bytes. */
export type Cut = Line | BinaryMessage;

/** Something that must be said so that a device speaks. */
export interface Question {
	readonly out: OutLine | OutFrame;
	/** Left out: once, when the port was opened. */
	readonly every?: Millis;
}

/** Where a conversation takes place. */
export interface TalkOptions {
	/** The id of the link. */
	readonly link: string;
	/** Of the device at the port, where it has no identity of its own: the config's word, else the id of the link. */
	readonly address: string;
	/** How often the device at the port should be heard from, where the config says so. */
	readonly every?: Millis;
}

/** What is spoken on one port: how its bytes are cut, and what the pieces mean. No I/O and no clock. */
export interface Talk {
	/** A fresh one for each opening of the port. */
	framer(): Framer;
	/** Devices that are known without a word from them. */
	announced?(): readonly Announcement[];
	readonly questions?: readonly Question[];
	/** What ends a line that is sent. Default: LF. */
	readonly lineEnd?: "\n" | "\r\n" | "\r";
	/** Never throws for what comes in: that is a misfit. */
	decode(cut: Cut, received: UnixMillis): Meaning;
	/** The mirror of decode(); left out where nothing can be told to the other end. @throws {GatewayError} `unknown-device`, `unknown-point`, `not-writable`, `bad-value`. */
	encode?(address: string, point: string, value: Value): readonly Outgoing[];
}

/** How a port is set for a protocol. */
export interface PortMode {
	readonly baud: number;
	readonly parity?: "none" | "even" | "odd";
	readonly data?: 7 | 8;
}

/** One serial protocol: a module of protocols/, and a line in all.ts. */
export interface SerialProtocol {
	/** What a config calls it. */
	readonly name: string;
	/** Another name by which it is known. */
	readonly alias?: string;
	/** What people call it. */
	readonly title: string;
	/** A gateway with devices behind it, each with an address of its own. */
	readonly many?: true;
	/** Longest message in bytes; left out where it is some hundred. */
	readonly longest?: number;
	/** Port settings as sold, the most usual first. */
	readonly modes: readonly PortMode[];
	/** Does this message show by itself that it is of this protocol, and of hardly another? For guessing what is at a port. */
	claims(cut: Cut): boolean;
	talk(options: TalkOptions): Talk;
}
