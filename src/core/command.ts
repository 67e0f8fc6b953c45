import type { Reading } from "./reading.js";
import type { Value } from "./value.js";

/** Who commands from the machine itself, through the socket that only its user can open. */
export const LOCAL = "local";

/** A wish that one point of one device take a value. */
export interface Command {
	readonly device: string;
	readonly point: string;
	readonly value: Value;
	/** Who wishes it: a whole bare JID, or `LOCAL` for the command line. */
	readonly by: string;
}

/** How a command ended, when it was not refused. */
export type Outcome =
	| { readonly kind: "confirmed"; readonly reading: Reading }
	/** The device does not report this point: all that is known is that the bytes left. */
	| { readonly kind: "sent" };
