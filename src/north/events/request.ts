import type { Millis } from "../../core/clock.js";
import { GatewayError } from "../../core/errors.js";
import type { Trigger } from "../../core/watch.js";
import type { Element } from "../../xmpp/xml.js";
import { short } from "../readout/nodes.js";
import type { ReadoutCodec, ReadoutRequest } from "../readout/request.js";
import { parseXsDuration } from "./duration.js";

/** A wish to be told, in neither vocabulary. */
export interface EventRequest {
	/** Which fields of which nodes each event tells, and under which id. */
	readonly wish: ReadoutRequest;
	/** What the request says of each field that it names, by its name in lower case. */
	readonly fields: ReadonlyMap<string, WatchedField>;
	/** A field for which the request says no more than its name: does its change make an event? */
	readonly plainFieldsTrigger: boolean;
	readonly minInterval?: Millis;
	readonly maxInterval?: Millis;
	/** How far back stored values go that ride with an event. */
	readonly maxAge?: Millis;
	/** Tell the values of now at once. */
	readonly now: boolean;
}

/** One `<field/>` or `<f/>`. */
export interface WatchedField {
	/** What the subscriber has, as it came: what it means depends on the point. */
	readonly current?: string;
	readonly trigger?: Trigger;
}

/** One vocabulary of event subscriptions. Events speak as its sensor data does. */
export interface EventCodec {
	readonly xmlns: string;
	readonly data: ReadoutCodec;
	/** What becomes of subscriptions while their subscriber is not there. */
	readonly away: "paused" | "removed";
	/** Is it a mistake to end what there is not? */
	readonly strictEnd: boolean;
	/** At the gateway, no node is a mistake; else it is no device. */
	readonly needsNodes: boolean;
	/** @throws {GatewayError} `bad-request`. */
	parse(payload: Element): EventRequest;
	/** What an `<unsubscribe/>` speaks of. @throws {GatewayError} `bad-request`. */
	parseEnd(payload: Element): { readonly id: string; readonly key: string };
}

/** The names of a vocabulary. */
export interface EventNames {
	readonly field: string;
	readonly name: string;
	readonly current: string;
	readonly by: readonly string[];
	readonly up: string;
	readonly down: string;
	readonly minInterval: string;
	readonly maxInterval: readonly string[];
}

/**
 * What both vocabularies have in common.
 *
 * @throws {GatewayError} `bad-request` for what `data` refuses in a readout, an interval that is no xs:duration, a change that is no positive number.
 */
export function parseEvents(payload: Element, data: ReadoutCodec, plainFieldsTrigger: boolean, names: EventNames): EventRequest {
	const wish = data.parse(payload);
	const fields = new Map<string, WatchedField>();
	for (const element of payload.elements()) {
		if (element.xmlns !== payload.xmlns || element.name !== names.field) continue;
		const { attrs } = element;
		const current = attrs[names.current];
		const [by, up, down] = [changeOf(element, ...names.by), changeOf(element, names.up), changeOf(element, names.down)];
		const trigger = by === undefined && up === undefined && down === undefined
			? undefined : { ...(by !== undefined && { by }), ...(up !== undefined && { up }), ...(down !== undefined && { down }) };
		fields.set((attrs[names.name] ?? "").toLowerCase(), { ...(current !== undefined && { current }), ...(trigger && { trigger }) });
	}
	const minInterval = durationOf(payload, names.minInterval);
	const maxInterval = durationOf(payload, ...names.maxInterval);
	const maxAge = durationOf(payload, "maxAge");
	return {
		wish, fields, plainFieldsTrigger, now: ["true", "1"].includes((payload.attrs["req"] ?? "").trim()),
		...(minInterval !== undefined && { minInterval }), ...(maxInterval !== undefined && { maxInterval }), ...(maxAge !== undefined && { maxAge }),
	};
}

/** The first of these attributes that there is. */
function attrOf({ attrs }: Element, names: readonly string[]): readonly [name: string, text: string] | undefined {
	for (const name of names) if (attrs[name] !== undefined) return [name, attrs[name]];
	return undefined;
}

const DOUBLE = /^\+?(?:\d{1,30}(?:\.\d{0,30})?|\.\d{1,30})(?:[eE][+-]?\d{1,3})?$/;

function changeOf(element: Element, ...names: readonly string[]): number | undefined {
	const found = attrOf(element, names);
	if (!found) return undefined;
	const [name, text] = found;
	const change = DOUBLE.test(text.trim()) ? Number(text) : Number.NaN;
	if (!(change > 0 && change < Infinity)) throw new GatewayError("bad-request", `Cannot read ${name}="${short(text)}": it takes a number above 0`);
	return change;
}

function durationOf(element: Element, ...names: readonly string[]): Millis | undefined {
	const found = attrOf(element, names);
	if (!found) return undefined;
	const [name, text] = found;
	const span = parseXsDuration(text);
	if (span === undefined) throw new GatewayError("bad-request", `Cannot read ${name}="${short(text)}": it takes a duration such as PT15M`);
	return span;
}
