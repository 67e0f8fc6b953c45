import type { UnixMillis } from "../../core/clock.js";
import type { Value } from "../../core/value.js";
import type { Message, OutMessage } from "../link.js";
import type { Meaning, Presence } from "../meaning.js";

/** A self-describing MQTT dialect. It keeps a bounded table of what was announced to it, and nothing else: no I/O, no clock. */
export interface Convention {
	readonly name: string;
	/** It describes again what others describe natively: its points count only on devices that no other convention has points of. */
	readonly echoes?: true;
	/** It knows no format of its own: it is asked only for what no other convention took. */
	readonly last?: true;
	/** Topic filters to listen to, by what is known now. */
	filters(): readonly string[];
	/**
	 * What a message means; `undefined` when it is not of this convention. Never throws for what a message carries.
	 *
	 * @param received When it came, for times that are told as ages; left out where nobody knows.
	 */
	hear(message: Message, received?: UnixMillis): Meaning | undefined;
	/** What has to be said by now although nothing was heard: what was returned counts as said. Asked every second while the link is up. */
	due?(now: UnixMillis): readonly OutMessage[];
	/** A connection to the broker begins: what it is told of this gateway. */
	presence?(now: UnixMillis): Presence | undefined;
	/** What makes `point` of the device take `value`; `undefined` when the device is not of this convention. @throws {GatewayError} `unknown-point`, `not-writable`, `bad-value`. */
	command(address: string, point: string, value: Value): readonly OutMessage[] | undefined;
}
