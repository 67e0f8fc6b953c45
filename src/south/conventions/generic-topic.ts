// Messages of no known dialect: what a topic says of its device, and what a bare value is.

import type { Point } from "../../core/point.js";
import { unitFrom } from "../../core/unit.js";
import { numericFromText, type Value } from "../../core/value.js";
import { keyValues, numericFromField } from "../codec/text-fields.js";
import { pointFor } from "./learned.js";
import { saysNothing } from "./payload.js";
import { categoryByName, isQuantity, unitByName } from "./quantity.js";

/** What a topic says of a message. */
export interface Place {
	/** The device, when the payload is its message as a whole. */
	readonly device: string;
	/** The device of a presence topic: all but its last level. */
	readonly whole: string;
	/** The point, when the payload is one bare value. */
	readonly point: string;
	/** The last level in lower case, where it is one of presence. */
	readonly last: string;
	/** Does the topic end in a word for the kind of message? */
	readonly hasKind: boolean;
}

/** Levels on which people wish, ask and configure; what is heard there is no reading. */
const WISHES: ReadonlySet<string> = new Set(["set", "get", "cmd", "cmnd", "command", "commands", "request", "req", "rpc", "downlink", "down", "push", "control", "ctrl", "write", "config", "configure", "settings", "ota", "upgrade", "restart", "reboot", "toggle", "action", "do", "subscribe", "publish"]);
/** Levels on which software speaks of itself. */
const CHATTER: ReadonlySet<string> = new Set(["log", "logs", "logging", "debug", "bridge", "response", "error", "errors", "console", "ack"]);
/** Last levels that say what sort of message it is, and not whose. */
const KINDS: ReadonlySet<string> = new Set(["state", "status", "tele", "telemetry", "data", "sensor", "sensors", "value", "values", "json", "stat", "message", "payload", "attributes", "event", "events", "up", "uplink", "measurement", "measurements", "reading", "readings", "info", "update", "report", "out", "output", "rx"]);
/** Levels on which a device says whether it is there. */
const PRESENCE: ReadonlySet<string> = new Set(["status", "state", "lwt", "availability", "available", "online", "connected", "connection", "presence", "alive", "will", "health"]);
const UP: ReadonlySet<string> = new Set(["online", "connected", "alive", "up", "available", "ready"]);
const DOWN: ReadonlySet<string> = new Set(["offline", "disconnected", "dead", "down", "unavailable", "lost"]);

/** Longest topic that is looked at: those of devices have less than a hundred characters. */
const MAX_TOPIC = 200;

/** Take a topic apart; nothing for one on which no device says what it measures. */
export function placeOf(topic: string): Place | undefined {
	if (topic.startsWith("$") || topic.length > MAX_TOPIC) return undefined;
	const levels = topic.split("/").filter((level) => level !== "");
	const folded = levels.map((level) => level.toLowerCase());
	const last = folded.at(-1);
	if (last === undefined || WISHES.has(last) || last.startsWith("$")) return undefined;
	// `…/set/temperature` and `cmnd/…` are wishes as well; a device may be called "bridge" or "command" at most in front.
	if (folded.slice(1, -1).some((level) => WISHES.has(level) && level !== "settings" && level !== "config") || folded[0] === "cmnd" || folded.some((level) => CHATTER.has(level))) return undefined;
	const whole = levels.length > 1 ? levels.slice(0, -1) : levels;
	let device = [...levels];
	while (device.length > 1 && KINDS.has(device.at(-1)!.toLowerCase())) device = device.slice(0, -1);
	// `kitchen/temperature/state`: the quantity stands before the kind of message.
	const quantity = device.length < levels.length && device.length > 1 && isQuantity(device.at(-1)!) ? device.at(-1)! : undefined;
	const isPresence = PRESENCE.has(last);
	return {
		device: (quantity !== undefined || device.length === levels.length && levels.length > 1 && isQuantity(levels.at(-1)!) ? device.slice(0, -1) : device).join("/"),
		whole: whole.join("/"),
		point: quantity ?? (levels.length > 1 ? levels.at(-1)! : "value"),
		last: isPresence ? last : "",
		hasKind: device.length < levels.length,
	};
}

/** Does the word say whether the device is there? On other topics it is a value. */
export function presenceWord(place: Place, text: string): boolean | undefined {
	const folded = text.trim().toLowerCase();
	if (place.last === "") return undefined;
	if (UP.has(folded)) return true;
	if (DOWN.has(folded)) return false;
	// On these two topics a truth has no other meaning.
	if (place.last === "state" || place.last === "status" || place.last === "health") return undefined;
	return folded === "true" || folded === "1" || folded === "on" || folded === "yes" ? true : folded === "false" || folded === "0" || folded === "off" || folded === "no" ? false : undefined;
}

/** A text that is a number with nothing in front that makes it a code: 0012 and +49… are none. */
export function plainNumber(text: string): Value | undefined {
	return /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d{1,3})?$/.test(text) ? numericFromText(text) : undefined;
}

const TRUTHS: Readonly<Record<string, boolean>> = { true: true, false: false, on: true, off: false, yes: true, no: false };

/** The truth that a word says; zero and one are numbers. */
export function truthWord(text: string): boolean | undefined {
	const folded = text.trim().toLowerCase();
	return Object.hasOwn(TRUTHS, folded) ? TRUTHS[folded] : undefined;
}

/** What a bare payload says: a number, with its unit behind it or not, a truth, or a word. Nothing when it says that there is no value. */
export function bareValue(name: string, text: string): { readonly value: Value | undefined; readonly point: Point } {
	const number = plainNumber(text) ?? (/^-?\.\d+$|^\+\d{1,9}\.\d+$|^-?0\d{0,8}\.\d+$/.test(text) ? numericFromText(text) : undefined);
	const category = categoryByName(name);
	if (number !== undefined && category !== "identity") {
		const unit = unitByName(name);
		return { value: number, point: pointFor(number, { ...(unit !== undefined && { unit }), ...(category !== undefined && { category }) }) };
	}
	const behind = /^[-+]?[\d.,]{1,20}\s*([^\d\s.,][^\d]{0,10})$/.exec(text)?.[1];
	const unit = behind === undefined ? undefined : unitFrom(behind);
	const measured = unit === undefined ? undefined : numericFromField(text, unit);
	if (measured !== undefined && unit !== undefined) return { value: measured, point: pointFor(measured, { unit }) };
	const value = truthWord(text) ?? (saysNothing(text) ? undefined : text);
	return { value, point: pointFor(value ?? text, category === undefined ? {} : { category }) };
}

/** A text of nothing but `key=value` pairs, at least one of them a number. A colon alone makes no pair here: `12:30`, `http://…`. */
export function pairsIn(text: string): ReadonlyMap<string, string> | undefined {
	if (!text.includes("=") || text.length > MAX_PAIRS_TEXT) return undefined;
	const found = keyValues(text);
	if (!found || found.rest.length > 0) return undefined;
	return [...found.pairs.values()].some((value) => /^[-+]?\d/.test(value)) ? found.pairs : undefined;
}

const MAX_PAIRS_TEXT = 255;
