// The components of a Shelly of the second generation and later: what their members are, and which a method sets.
// Source: https://shelly-api-docs.shelly.cloud/gen2/ComponentsAndServices/Introduction

import type { Point } from "../../core/point.js";
import type { Unit } from "../../core/unit.js";
import { isNumeric, textOf, type Value } from "../../core/value.js";
import { pointFor } from "./learned.js";
import { valueJson } from "./payload.js";

/** Units by the end of a member's path. */
const UNITS: readonly (readonly [pattern: RegExp, unit: Unit])[] = [
	[/(?:^|_)aprt_power$/, "VA"],
	[/(?:^|[._])(?:reactive_power|react_power)$/, "VAr"],
	[/(?:^|[._])(?:apower|act_power|total_act_power|power)$/, "W"],
	[/(?:^|_)voltage$|^battery\.V$|^xvoltage$/, "V"],
	[/(?:^|_)current$/, "A"],
	[/(?:^|_)freq$/, "Hz"],
	[/energy\.total$|(?:^|_)total_act(?:_ret)?(?:_energy)?$|(?:^|_)total_act_(?:ret_)?energy$|^total_act_ret$/, "Wh"],
	[/\btC$|^(?:target_C|current_C)$/, "°C"], [/\btF$|^(?:target_F|current_F)$/, "°F"],
	[/^(?:rh|target_humidity|current_humidity)$|\.rh$/, "%"],
	[/^(?:percent|battery\.percent|battery|current_pos|target_pos|pos|slat_pos|brightness|white|xpercent)$/, "%"],
	[/^lux$/, "lx"], [/^rssi$/, "dBm"], [/^uptime$/, "s"], [/^ct$/, "K"], [/^(?:ram|fs)_(?:size|free|min_free)$/, "B"],
];
/** What is measured; all else is a status. */
const MEASURED = /power$|voltage$|current$|freq$|pf$|energy\.total$|energy$|_act(?:_ret)?$|^tC$|^rh$|^lux$|percent$|^value$|counts\.total$|^current_C$/;
const IDENTITY = /^(?:mac|sta_ip|ssid|ip|addr)$/;
/** Of no use to anybody: what a component repeats, or a history. Temperatures are told in °C alone. */
const LEFT_OUT = /^id$|(?:^|\.)(?:by_minute(?:\[.*)?|minute_ts|ts|tF|unixtime|time|last_updated_ts|move_started_at|packet_id)$|^available_updates\b|_rev$/;

const percent = { kind: "numeric", access: "rw", category: "status", unit: "%", min: 0, max: 100, integer: true } as const;
const truth = { kind: "boolean", access: "rw", category: "status" } as const;

/** A method that sets a member: its name, and its parameters beside `id`. */
interface Method {
	readonly method: string;
	readonly params: (value: Value) => string;
	readonly point: Point;
}

function member(method: string, key: string, point: Point): Method {
	return { method, point, params: (value) => `"${key}":${valueJson(value)}` };
}

/** `type.member` → what sets it. */
const METHODS: ReadonlyMap<string, Method> = new Map<string, Method>([
	["switch.output", member("Switch.Set", "on", truth)],
	...["light", "rgb", "rgbw", "cct", "rgbcct"].flatMap((type) => {
		const method = `${{ light: "Light", rgb: "RGB", rgbw: "RGBW", cct: "CCT", rgbcct: "RGBCCT" }[type]!}.Set`;
		return [[`${type}.output`, member(method, "on", truth)], [`${type}.brightness`, member(method, "brightness", percent)]] as const;
	}),
	["rgbw.white", member("RGBW.Set", "white", { kind: "numeric", access: "rw", category: "status", min: 0, max: 255, integer: true })],
	["cct.ct", member("CCT.Set", "ct", { kind: "numeric", access: "rw", category: "status", unit: "K", min: 2_700, max: 6_500, integer: true })],
	["cover.pos", member("Cover.GoToPosition", "pos", { ...percent, timeout: 90_000 })],
	["cover.command", { method: "Cover", params: () => "", point: { kind: "enum", access: "w", labels: ["open", "close", "stop"] } }],
	["thermostat.target_C", { method: "Thermostat.SetConfig", params: (value) => `"config":{"target_C":${textOf(value)}}`, point: { kind: "numeric", access: "rw", category: "status", unit: "°C", min: 5, max: 35, step: 0.5 } }],
	["thermostat.enable", { method: "Thermostat.SetConfig", params: (value) => `"config":{"enable":${textOf(value)}}`, point: truth }],
	["blutrv.target_C", { method: "BluTrv.Call", params: (value) => `"method":"TRV.SetTarget","params":{"id":0,"target_C":${textOf(value)}}`, point: { kind: "numeric", access: "rw", category: "status", unit: "°C", min: 4, max: 30, step: 0.1 } }],
	["boolean.value", member("Boolean.Set", "value", truth)],
	["number.value", member("Number.Set", "value", { kind: "numeric", access: "rw", category: "status" })],
	["text.value", member("Text.Set", "value", { kind: "text", access: "rw", category: "status" })],
	["enum.value", member("Enum.Set", "value", { kind: "text", access: "rw", category: "status" })],
]);

/** `switch:0` → its type and index. */
export function componentOf(key: string): { readonly type: string; readonly index: number | undefined } | undefined {
	const match = /^([a-z][a-z0-9_]{0,30})(?::(\d{1,9}))?$/.exec(key);
	return match ? { type: match[1]!, index: match[2] === undefined ? undefined : Number(match[2]) } : undefined;
}

/** Is there anything to tell of this member? */
export function isTold(path: string): boolean {
	return !LEFT_OUT.test(path);
}

/** What sets a member, as the method and parameters of a request. */
export function setterOf(type: string, path: string): { readonly point: Point; readonly request: (index: number, value: Value) => { readonly method: string; readonly params: string } } | undefined {
	const found = METHODS.get(`${type}.${path}`);
	if (!found) return undefined;
	return {
		point: found.point,
		request: (index, value) => {
			const more = found.params(value);
			const method = found.method === "Cover" ? { open: "Cover.Open", close: "Cover.Close", stop: "Cover.Stop" }[textOf(value)] ?? "Cover.Stop" : found.method;
			return { method, params: `{"id":${index}${more === "" ? "" : `,${more}`}}` };
		},
	};
}

/** The read-only point of a member. */
export function memberPoint(type: string, path: string, value: Value): Point {
	const unit = isNumeric(value) ? UNITS.find(([pattern]) => pattern.test(path))?.[1] : undefined;
	const own = type === "switch" || type === "light" || type === "cover" || type === "sys";
	const category = IDENTITY.test(path) ? "identity" as const : MEASURED.test(path) && !(own && path === "tC") ? undefined : "status" as const;
	return pointFor(value, { ...(unit !== undefined && { unit }), ...(category !== undefined && { category }) });
}
