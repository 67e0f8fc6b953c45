// What the name of a value says of its unit, where no message does: for decoder scripts of LoRaWAN devices, and their like.
// The one table of such guesses: `devices:` and `refine` of the config overrule it, and a value is never looked at.

import type { Category } from "../../core/point.js";
import type { Unit } from "../../core/unit.js";

export interface Quantity {
	readonly unit?: Unit;
	readonly category?: Category;
}

/** By the words of a name, in lower case with one blank between; the first that matches. */
const RULES: readonly (readonly [words: RegExp, unit: Unit | undefined, category?: Category])[] = [
	[/\buvi?( index)?$/, "UV index"],
	[/\b(alarm|status|istatus|mode|type|flag|threshold|calibration|valid|err|error|fault|trend|trigger|event|enabled?|detected|position)\b/, undefined, "status"],
	[/\b(version|serial|sn|id|model|name|firmware|hardware|imei|iccid|ext)$/, undefined, "identity"],
	[/\b(count|counter|pulses?|total count|seq|sequence|index|nr)$/, undefined],
	[/\brssi\b/, "dBm", "status"],
	[/\bsnr\b/, "dB", "status"],
	[/\b(bat|batt|battery|vbat|vdd)( voltage)?( mv)$/, "mV", "status"],
	[/\b(bat|batt|battery|vbat|supply)( voltage)?( volts?| v)$|\bvbat$|\b(bat|batt|battery) voltage$/, "V", "status"],
	[/\b(bat|batt|battery)( level| percent(age)?| pct| soc| capacity)?$|\bsoc$/, "%", "status"],
	[/\b(temp|temperature)( [a-z]*)? ?f\d*$|\btempf|\bfahrenheit\b/, "°F"],
	[/\b(temp|temps|temperature|dewpoint|dew point|celsius)\d*\b|\btempc/, "°C"],
	[/\b(humidity|hum|humi|rh)\d*\b|\bmoist(ure)?\d*\b|\bvwc\b|\bleaf wetness\b/, "%"],
	[/\bwind\b.*\bdir(ection)?\b/, "°"],
	[/\bwind\b.*\b(speed|gust|avg|max)\b/, "m/s"],
	[/\b(rain|rainfall)\b.*\b(rate|intensity|hourly)\b/, "mm/h"],
	[/\b(rain|rainfall|precipitation)\b/, "mm"],
	[/\bkpa$/, "kPa"], [/\bhpa$|\bmbar$/, "hPa"], [/\b(pressure|barometer|barometric)\b(?!.*\b(pa|bar|psi)$)/, "hPa"],
	[/\bco2\b|\bcarbon dioxide\b/, "ppm"],
	[/\bpm ?(1|2 5|25|4|10)( ?0)?\b/, "µg/m³"],
	[/\b(lux|illuminance|illumination|illum|light intensity|light)$/, "lx"],
	[/\b(lat|latitude|lon|lng|long|longitude|heading|azimuth|tilt|angle|pitch|roll)$/, "°"],
	[/\b(alt|altitude)$/, "m"],
	[/\b(distance|water level|liquid level)$/, "mm"],
	[/\bcm$/, "cm"], [/\bmm$/, "mm"],
	[/\b(conductivity|ec)\d*$/, "µS/cm"],
	[/\bph\d*$/, "pH"],
	[/\bvoltage\d*$|\bvolts?$/, "V"], [/\bmv$/, "mV"], [/\bma$/, "mA"], [/\bcurrent\d*$|\bamps?$/, "A"],
	[/\bkwh$/, "kWh"], [/\bwh$/, "Wh"], [/\bkw$/, "kW"], [/\bwatts?$|\bactive power$|^power\d*$/, "W"],
	[/\bppm$/, "ppm"], [/\bppb$/, "ppb"], [/\bdbm$/, "dBm"], [/\bdba$/, "dBA"], [/\bdb$|\bla?eq$/, "dB"], [/\bpercent(age)?$|\bpct$/, "%"], [/\brpm$/, "rpm"], [/\bhz$/, "Hz"],
];

/** Units that stand behind a name as a capital letter: `ADC_CH0V`. */
const LETTERS: Readonly<Record<string, Unit>> = { V: "V", A: "A", W: "W" };

/** What a name says: `TempC_SHT`, `Air Temperature`, `gps.latitude`, `battery_voltage`. Of a path its last part counts, but `value`. */
export function quantityOf(name: string): Quantity {
	const parts = name.split(/[./]/).filter((part) => part !== "" && !/^(?:value|val|\d+)$/i.test(part));
	const last = (parts.at(-1) ?? name).replace(/\[\d+\]$/, "").slice(0, 80);
	const words = wordsOf(last);
	for (const [pattern, unit, category] of RULES) if (pattern.test(words)) return { ...(unit !== undefined && { unit }), ...(category !== undefined && { category }) };
	const letter = /[a-z0-9_]([VAW])$/.exec(last)?.[1];
	return letter !== undefined ? { unit: LETTERS[letter]! } : {};
}

/** `TempC_SHT` → `temp c sht`, `PM2_5` → `pm2 5`; `kWh` and `pH` stay whole. */
export function wordsOf(name: string): string {
	return name.replace(/([a-z]{2})([A-Z])/g, "$1 $2").replace(/(\d)([A-Z])/g, "$1 $2").replace(/[^\p{L}\p{N}]+/gu, " ").trim().toLowerCase();
}
