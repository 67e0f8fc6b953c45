// What a value measures, by the name that its sender gave it: only where a family has no other word for the unit.
// A device that measures in something else is refined under `devices:`.

import type { Unit } from "../../core/unit.js";

/** Names of which the last words say the quantity, and whose unit is the same with nearly every sender. Energy is not here: Wh and kWh are as common. */
const BY_WORDS: readonly (readonly [words: RegExp, unit: Unit])[] = [
	[/(?:^| )(?:sun|solar) (?:elevation|azimuth)$|(?:^| )azimuth$/, "°"],
	[/(?:^| )(?:temperature|temp|dew point|dewpoint)(?: \d+)?$/, "°C"],
	[/(?:^| )(?:humidity|battery|battery level|battery percent|moisture)(?: \d+)?$/, "%"],
	[/(?:^| )apparent power(?: \w\d?)?$/, "VA"],
	[/(?:^| )reactive power(?: \w\d?)?$/, "VAr"],
	[/(?:^| )power(?: (?:\d+|[a-c]|l[1-3]))?$/, "W"],
	[/(?:^| )voltage(?: (?:\d+|[a-c]|l[1-3]))?$/, "V"],
	[/(?:^| )current(?: (?:\d+|[a-c]|l[1-3]))?$/, "A"],
	[/(?:^| )frequency$/, "Hz"],
	[/(?:^| )(?:barometric |air |atmospheric |sea level )?pressure$/, "hPa"],
	[/(?:^| )(?:illuminance|lux)$/, "lx"],
	[/(?:^| )(?:e?co2|carbon dioxide)$/, "ppm"],
	[/(?:^| )pm ?(?:1|2 5|25|4|10)(?: 0)?$/, "µg/m³"],
	[/(?:^| )(?:rssi|wifi signal|signal strength)$/, "dBm"],
];

/** The unit that goes without saying: `meter/active-power` → W. Nothing for a name that says nothing, or of more than 100 characters. */
export function unitByName(name: string): Unit | undefined {
	if (name.length > 100) return undefined;
	const words = name.replace(/([a-z])([A-Z])/g, "$1 $2").toLowerCase().replace(/[^a-z0-9]+/g, " ").trim();
	return BY_WORDS.find(([pattern]) => pattern.test(words))?.[1];
}
