import type { Value } from "../../core/value.js";
import type { Message, OutMessage } from "../link.js";
import type { Meaning } from "../meaning.js";

/** A self-describing MQTT dialect. It keeps a bounded table of what was announced to it, and nothing else: no I/O, no clock. */
export interface Convention {
	readonly name: string;
	/** It describes again what others describe natively: its points count only on devices that no other convention has points of. */
	readonly echoes?: true;
	/** It knows no format of its own: it is asked only for what no other convention took. */
	readonly last?: true;
	/** Topic filters to listen to, by what is known now. */
	filters(): readonly string[];
	/** What a message means; `undefined` when it is not of this convention. Never throws for what a message carries. */
	hear(message: Message): Meaning | undefined;
	/** What makes `point` of the device take `value`; `undefined` when the device is not of this convention. @throws {GatewayError} `unknown-point`, `not-writable`, `bad-value`. */
	command(address: string, point: string, value: Value): readonly OutMessage[] | undefined;
}
