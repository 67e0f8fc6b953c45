import type { Millis } from "./clock.js";
import type { Points } from "./point.js";

/** What a source says of a device that it has. South makes it, and knows no id: `address` is what the source itself calls it. */
export interface Announcement {
	/** Unique on its link, and stable: an address or a serial number before a name. */
	readonly address: string;
	/** Other addresses on the same link that are this same device. */
	readonly aliases?: readonly string[];
	/** The friendly name. */
	readonly name?: string;
	readonly manufacturer?: string;
	readonly model?: string;
	readonly firmware?: string;
	/** What sort of thing, for the class of its presence: `sensor`, `switch`, `light`, `climate` … */
	readonly type?: string;
	readonly points: Points;
	/** How often it should be heard from; left out where silence is normal. */
	readonly every?: Millis;
}

/** A device as the gateway knows it: what its source announced, with the id and the name that this gateway gives it. */
export interface Device extends Announcement {
	/** The localpart of its JID before XEP-0106 escaping, lower case. */
	readonly id: string;
	readonly name: string;
	readonly link: string;
	/** What the source itself announced, before this gateway renamed and refined it. */
	readonly source: Announcement;
}
