import { parseDuration } from "../core/duration.js";
import { GatewayError } from "../core/errors.js";

const TIME = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(:\d\d(?:\.\d{1,3})?)?)?(Z|[+-]\d\d:\d\d)?$/;

/** What a command line says of a window of time. */
export interface WindowOptions {
	readonly since?: string;
	readonly from?: string;
	readonly to?: string;
}

/** @throws {GatewayError} `bad-request`. */
export function windowFrom({ since, from, to }: WindowOptions, now: number): { readonly from?: number; readonly to?: number } {
	if (since !== undefined && from !== undefined) throw new GatewayError("bad-request", "Cannot use --since and --from together: both say where it begins; leave one out");
	const begin = since === undefined ? (from === undefined ? undefined : timeFrom("--from", from)) : (parseDuration(since) === undefined ? timeFrom("--since", since) : now - durationFrom("--since", since));
	const end = to === undefined ? undefined : timeFrom("--to", to);
	if (begin !== undefined && end !== undefined && end <= begin) throw new GatewayError("bad-request", `Cannot use --to ${to}: it is not after ${from ?? since}`);
	return { ...(begin !== undefined && { from: Math.round(begin) }), ...(end !== undefined && { to: end }) };
}

/** @throws {GatewayError} `bad-request`. */
export function durationFrom(option: string, text: string): number {
	const span = parseDuration(text);
	if (span === undefined || span < 1) throw new GatewayError("bad-request", `Cannot read ${option} "${text}": it takes a length of time such as 90s, 15m, 24h or 7d`);
	return span;
}

/** ISO 8601; without a zone it is UTC, as everything that is printed. */
function timeFrom(option: string, text: string): number {
	const [, day, clock = "00:00", seconds = ":00", zone = "Z"] = TIME.exec(text.trim()) ?? [];
	const at = day === undefined ? Number.NaN : Date.parse(`${day}T${clock}${seconds}${zone}`);
	const isReal = !Number.isNaN(at) && new Date(Date.parse(`${day}T00:00:00Z`)).toISOString().startsWith(day!);
	if (!isReal) throw new GatewayError("bad-request", `Cannot read ${option} "${text}": it takes a time such as 2026-03-04, 2026-03-04T05:06 or 2026-03-04T05:06:07.250Z (UTC unless it says otherwise)${option === "--since" ? ", or a length of time such as 24h" : ""}`);
	return at;
}
