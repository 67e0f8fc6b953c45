import type { UnixMillis } from "../../core/clock.js";
import { GatewayError } from "../../core/errors.js";
import type { Category as PointCategory, Point } from "../../core/point.js";
import type { Value } from "../../core/value.js";
import type { Element } from "../../xmpp/xml.js";
import { parseDateTime } from "./datetime.js";
import { MAX_NAMES, type NodeRef, parseNode, short } from "./nodes.js";

/** Values stored once in each such period: XEP-0323 §3.2. The finest first. */
export const PERIODS = ["historicalSecond", "historicalMinute", "historicalHour", "historicalDay", "historicalWeek", "historicalMonth", "historicalQuarter", "historicalYear"] as const;
export type Period = (typeof PERIODS)[number];

/** What sort of values are wanted. `historical`: every stored value. */
export type Category = PointCategory | "historical" | Period;

/** All that the Neuro-Foundation knows, and all that `all` asks for. */
export const CATEGORIES = ["momentary", "peak", "status", "computed", "identity", "historical"] as const;

/** A wish to read, in neither vocabulary. */
export interface ReadoutRequest {
	/** `seqnr` or `id`, as it came: every answer repeats it. */
	readonly id: string;
	/** What tells this request from the asker's others: `007` and `7` are one `seqnr`. */
	readonly key: string;
	/** Empty when the request names none. */
	readonly categories: ReadonlySet<Category>;
	/** Empty for all; each once, without case. */
	readonly fields: readonly string[];
	readonly nodes: readonly NodeRef[];
	/** The window of stored values. */
	readonly from?: UnixMillis;
	readonly to?: UnixMillis;
	/** Read then, and not now. */
	readonly when?: UnixMillis;
}

/** The QoS flags of XEP-0323 that a gateway can know of. */
export type Flag = "automaticReadout" | "automaticEstimate" | "timeOffset" | "warning" | "error";

/** One value as it is told. */
export interface Field {
	readonly name: string;
	readonly value: Value;
	readonly point: Point;
	/** One, never more: IoTGateway drops a field unless all its categories were asked for. */
	readonly category: Category;
	readonly flags: readonly Flag[];
	/** May the asker set it? */
	readonly writable: boolean;
}

/** Fields of one device and one moment. */
export interface Group {
	/** Nothing where the device speaks for itself. */
	readonly node: NodeRef | undefined;
	readonly device: string;
	readonly timestamp: string;
	readonly fields: readonly Field[];
}

/** What could not be read. */
export interface Failure {
	readonly node: NodeRef | undefined;
	readonly device: string;
	readonly timestamp: string;
	/** What the text speaks of, where it is one point. */
	readonly point?: string;
	readonly text: string;
}

/** A piece of an answer, in order: fields, then at most one piece of failures. `done` on the last. */
export type Part =
	| { readonly kind: "fields"; readonly groups: readonly Group[]; readonly done: boolean }
	| { readonly kind: "failure"; readonly failures: readonly Failure[]; readonly done: true };

/**
 * Which stored values a request asks for: each of them, those of one period, or none.
 *
 * Of several periods the finest is told: the others are in it, and a value must not be told twice (XEP-0323 §3.2, the key of a field).
 */
export function storedWanted({ categories }: Pick<ReadoutRequest, "categories">): "historical" | Period | undefined {
	return categories.has("historical") ? "historical" : PERIODS.find((period) => categories.has(period));
}

/** What belongs to one device stands together, devices in the order in which they come. */
export function byDevice<T extends { readonly device: string }>(told: readonly T[]): T[][] {
	const found = new Map<string, T[]>();
	for (const one of told) {
		const same = found.get(one.device);
		if (same) same.push(one);
		else found.set(one.device, [one]);
	}
	return [...found.values()];
}

/** One vocabulary: a request from it, answers into it. */
export interface ReadoutCodec {
	readonly xmlns: string;
	/** May an answer that is ready ride in the iq result? */
	readonly immediate: boolean;
	/** Does a request to the gateway that names no node mean every device? */
	readonly everyNode: boolean;
	/** @throws {GatewayError} `bad-request`. */
	parse(payload: Element): ReadoutRequest;
	/** What a `<cancel/>` speaks of. @throws {GatewayError} `bad-request`. */
	parseCancel(payload: Element): { readonly id: string; readonly key: string };
	accepted(id: string, queued: boolean): Element;
	started(id: string): Element;
	cancelled(id: string): Element | undefined;
	part(id: string, part: Part): Element;
	/** One field, as it stands within `part()`. */
	field(field: Field): Element;
	/** What goes ahead of `<error/>` when the request in `payload` is refused. */
	rejected(payload: Element, text: string): readonly Element[];
}

/**
 * What both vocabularies have in common, once the names are settled.
 *
 * @throws {GatewayError} `bad-request` for a node or field without a name, a time that is none, or more than a thousand names.
 */
export function parseRest(payload: Element, categoryOf: ReadonlyMap<string, readonly Category[]>, names: { readonly node: string; readonly field: string; readonly name: string }): Omit<ReadoutRequest, "id" | "key"> {
	const categories = new Set<Category>();
	for (const [attribute, meant] of categoryOf) {
		if (booleanOf(payload, attribute)) for (const category of meant) categories.add(category);
	}
	const elements = payload.elements().filter(({ xmlns }) => xmlns === payload.xmlns);
	if (elements.length > MAX_NAMES) throw new GatewayError("bad-request", `Cannot read ${elements.length} nodes and fields at once: at most ${MAX_NAMES}`);
	const fields = new Map<string, string>();
	const nodes = new Map<string, NodeRef>();
	for (const element of elements) {
		if (element.name === names.node) {
			const node = parseNode(element);
			nodes.set(JSON.stringify(node).toLowerCase(), node);
		} else if (element.name === names.field) {
			const name = element.attrs[names.name];
			if (name === undefined) throw new GatewayError("bad-request", `Cannot read <${names.field}/>: found no ${names.name}`);
			fields.set(name.toLowerCase(), name);
		}
	}
	const from = timeOf(payload, "from");
	const to = timeOf(payload, "to");
	const when = timeOf(payload, "when");
	return {
		categories, fields: [...fields.values()], nodes: [...nodes.values()],
		...(from !== undefined && { from }), ...(to !== undefined && { to }), ...(when !== undefined && { when }),
	};
}

/** xs:boolean; false when absent. @throws {GatewayError} `bad-request` for anything but `true`, `false`, `1`, `0`. */
function booleanOf({ attrs }: Element, name: string): boolean {
	switch ((attrs[name] ?? "false").trim()) {
		case "true": case "1": return true;
		case "false": case "0": return false;
		default: throw new GatewayError("bad-request", `Cannot read ${name}="${short(attrs[name] ?? "")}": it takes true or false`);
	}
}

function timeOf({ attrs }: Element, name: string): UnixMillis | undefined {
	const text = attrs[name];
	if (text === undefined) return undefined;
	const at = parseDateTime(text);
	if (at === undefined) throw new GatewayError("bad-request", `Cannot read ${name}="${short(text)}": it takes a time such as 2026-03-04T05:06:07Z`);
	return at;
}

const WHOLE = /^-?(?:0|[1-9]\d*)$/;
const INT = 2 ** 31;

/** How a number is told: `int` and `long` only for whole numbers without a unit, and only where the deployment wants them. */
export function numberType(text: string, point: Point, integers: Integers): "numeric" | "int" | "long" {
	if (integers === "numeric" || (point.kind === "numeric" && point.unit !== undefined) || text.length > 18 || !WHOLE.test(text)) return "numeric";
	const number = Number(text);
	return number >= -INT && number < INT ? "int" : "long";
}

/** slixmpp and Clayster understand whole numbers only as `numeric`, Smack only as `int`. */
export type Integers = "numeric" | "int";
