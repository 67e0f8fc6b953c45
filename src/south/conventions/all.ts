// The conventions: every MQTT dialect that describes itself. To add one: a file in this folder, and its line in BUILDERS.

import { ChirpStack } from "./chirpstack.js";
import type { Convention } from "./convention.js";
import { EspHome } from "./esphome.js";
import { Frigate } from "./frigate.js";
import { Generic } from "./generic.js";
import { HomeAssistant } from "./homeassistant.js";
import { Homie } from "./homie.js";
import { Meshtastic } from "./meshtastic.js";
import { OwnTracks } from "./owntracks.js";
import { Rtl433 } from "./rtl_433.js";
import { Ruuvi } from "./ruuvi.js";
import { SenMl } from "./senml.js";
import { Shelly } from "./shelly.js";
import { Sparkplug } from "./sparkplug.js";
import { Tasmota } from "./tasmota.js";
import { Theengs } from "./theengs.js";
import { TheThingsStack } from "./ttn.js";
import { Victron } from "./victron.js";
import { Wled } from "./wled.js";
import { Zigbee2Mqtt } from "./zigbee2mqtt.js";
import { ZWave } from "./zwave.js";

/** The names that a config may use, built or not. */
export const CONVENTION_NAMES = [
	"homeassistant", "homie", "zigbee2mqtt", "tasmota", "shelly", "esphome", "sparkplug", "senml", "ruuvi", "theengs",
	"rtl_433", "ttn", "chirpstack", "zwave", "victron", "wled", "owntracks", "meshtastic", "frigate", "generic",
] as const;

export type ConventionName = (typeof CONVENTION_NAMES)[number];

/** Where a convention's topics begin, when that is not where its senders put them by default. */
export interface ConventionOptions {
	/** Make of one message alone what can be made of it, without the description that a gateway would wait for. In a gateway it would make ghosts. */
	readonly guess?: boolean;
	readonly homeassistant?: { readonly prefix?: string };
	/** `host`: as which host application the gateway makes itself known to nodes. Default: none. */
	readonly sparkplug?: { readonly host?: string };
	readonly homie?: { readonly domain?: string };
	readonly zigbee2mqtt?: { readonly base?: string };
	readonly zwave?: { readonly prefix?: string };
	readonly wled?: { readonly prefix?: string };
	readonly owntracks?: { readonly prefix?: string };
	readonly meshtastic?: { readonly prefix?: string };
	readonly frigate?: { readonly prefix?: string };
	/** What it listens to. Default: everything, where the config names it; else it is not there. */
	readonly generic?: { readonly filters?: readonly string[] };
}

/** The built ones, in the order in which they are asked: a native dialect before Home Assistant discovery, which describes the same devices again. */
const BUILDERS: ReadonlyMap<string, (options: ConventionOptions) => Convention> = new Map<string, (options: ConventionOptions) => Convention>([
	["zigbee2mqtt", (options) => new Zigbee2Mqtt({ ...options.zigbee2mqtt, ...(options.guess && { guess: true }) })],
	["zwave", (options) => new ZWave(options.zwave)],
	["victron", () => new Victron()],
	["wled", (options) => new Wled(options.wled)],
	["owntracks", (options) => new OwnTracks(options.owntracks)],
	["meshtastic", (options) => new Meshtastic(options.meshtastic)],
	["frigate", (options) => new Frigate(options.frigate)],
	["sparkplug", (options) => new Sparkplug(options.sparkplug)],
	["ruuvi", () => new Ruuvi()],
	["theengs", () => new Theengs()],
	["rtl_433", () => new Rtl433()],
	["ttn", () => new TheThingsStack()],
	["chirpstack", () => new ChirpStack()],
	["senml", () => new SenMl()],
	["homie", (options) => new Homie({ ...options.homie, ...(options.guess && { guess: true }) })],
	["tasmota", (options) => new Tasmota({ ...(options.guess && { guess: true }) })],
	["shelly", (options) => new Shelly({ ...(options.guess && { guess: true }) })],
	["esphome", (options) => new EspHome({ ...(options.homeassistant?.prefix !== undefined && { discovery: options.homeassistant.prefix }), ...(options.guess && { guess: true }) })],
	["homeassistant", (options) => new HomeAssistant({ ...options.homeassistant, ...(options.guess && { guess: true }) })],
	["generic", (options) => new Generic({ filters: ["#"], ...options.generic, ...(options.guess && { guess: true }) })],
]);

/** What does not announce itself is there only when somebody names it. */
const ONLY_NAMED: ReadonlySet<string> = new Set(["generic"]);

/** Is it a name that a config may use? */
export function isConventionName(name: string): name is ConventionName {
	return CONVENTION_NAMES.some((known) => known === name);
}

/**
 * Make the conventions of a link.
 *
 * @param names As the config has them; left out, all that are built and announce themselves. Unknown ones are the config's business, and left out here.
 * @returns The conventions in the order in which they are to be asked, and the names that are known and not built.
 */
export function buildConventions(names?: readonly string[], options: ConventionOptions = {}): { readonly conventions: Convention[]; readonly notBuilt: string[] } {
	const conventions = [...BUILDERS].filter(([name]) => (names === undefined ? options.guess === true || !ONLY_NAMED.has(name) : names.includes(name))).map(([, build]) => build(options));
	const notBuilt = [...new Set(names ?? [])].filter((name) => isConventionName(name) && !BUILDERS.has(name));
	return { conventions, notBuilt };
}
