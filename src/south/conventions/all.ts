// The conventions: every MQTT dialect that describes itself. To add one: a file in this folder, and its line in BUILDERS.

import type { Convention } from "./convention.js";
import { HomeAssistant } from "./homeassistant.js";
import { Zigbee2Mqtt } from "./zigbee2mqtt.js";

/** The names that a config may use, built or not. */
export const CONVENTION_NAMES = [
	"homeassistant", "homie", "zigbee2mqtt", "tasmota", "shelly", "esphome", "sparkplug", "senml", "ruuvi", "theengs",
	"rtl_433", "ttn", "chirpstack", "zwave", "victron", "wled", "owntracks", "meshtastic", "frigate", "generic",
] as const;

export type ConventionName = (typeof CONVENTION_NAMES)[number];

/** Where a convention's topics begin, when that is not where its senders put them by default. */
export interface ConventionOptions {
	readonly homeassistant?: { readonly prefix?: string };
	/** `guess`: for one message alone, without the device list that explains it. */
	readonly zigbee2mqtt?: { readonly base?: string; readonly guess?: boolean };
}

/** The built ones, in the order in which they are asked: a native dialect before Home Assistant discovery, which describes the same devices again. */
const BUILDERS: ReadonlyMap<string, (options: ConventionOptions) => Convention> = new Map<string, (options: ConventionOptions) => Convention>([
	["zigbee2mqtt", (options) => new Zigbee2Mqtt(options.zigbee2mqtt)],
	["homeassistant", (options) => new HomeAssistant(options.homeassistant)],
]);

/** Is it a name that a config may use? */
export function isConventionName(name: string): name is ConventionName {
	return CONVENTION_NAMES.some((known) => known === name);
}

/**
 * Make the conventions of a link.
 *
 * @param names As the config has them; left out, all that are built. Unknown ones are the config's business, and left out here.
 * @returns The conventions in the order in which they are to be asked, and the names that are known and not built.
 */
export function buildConventions(names?: readonly string[], options: ConventionOptions = {}): { readonly conventions: Convention[]; readonly notBuilt: string[] } {
	const conventions = [...BUILDERS].filter(([name]) => names === undefined || names.includes(name)).map(([, build]) => build(options));
	const notBuilt = [...new Set(names ?? [])].filter((name) => isConventionName(name) && !BUILDERS.has(name));
	return { conventions, notBuilt };
}
