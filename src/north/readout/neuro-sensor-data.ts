// Neuro-Foundation Sensor Data, the successor of XEP-0323; once IEEE P1451.99
// Source: https://neuro-foundation.io/SensorData.md
// Version: urn:nfi:iot:sd:1.0 (2025-08-13), and the same names under urn:nf (2024-08-06) and urn:ieee
import { GatewayError } from "../../core/errors.js";
import { isNumeric, textOf } from "../../core/value.js";
import { type Element, xml } from "../../xmpp/xml.js";
import { short } from "./nodes.js";
import { byDevice, type Category, CATEGORIES, type Failure, type Field, type Flag, type Group, type Integers, numberType, parseRest, type ReadoutCodec } from "./request.js";

/** In the order in which a client should prefer them: shipping IoTGateway sends `nf`, its specification says `nfi`. */
export const NEURO_SENSOR_DATA = ["urn:nf:iot:sd:1.0", "urn:nfi:iot:sd:1.0", "urn:ieee:iot:sd:1.0"] as const;

const LETTER: Readonly<Record<(typeof CATEGORIES)[number], string>> = { momentary: "m", peak: "p", status: "s", computed: "c", identity: "i", historical: "h" };
const FLAG: Readonly<Record<Flag, string>> = { automaticReadout: "ar", automaticEstimate: "ae", timeOffset: "of", warning: "w", error: "er" };

const CATEGORY_OF = new Map<string, readonly Category[]>([
	...CATEGORIES.map((category): [string, Category[]] => [LETTER[category], [category]]),
	["all", CATEGORIES],
]);

/** An id is opaque; IoTGateway sends 32 hex digits. It is kept as long as the request is. */
const MAX_ID_LENGTH = 256;

export interface NeuroSensorDataOptions {
	/** One of `NEURO_SENSOR_DATA`: an answer speaks as its request did. */
	readonly xmlns: string;
	readonly integers: Integers;
}

/** The vocabulary of the Neuro-Foundation. */
export function neuroSensorData({ xmlns, integers }: NeuroSensorDataOptions): ReadoutCodec {
	const field = (told: Field): Element => encodeField(told, integers);
	return {
		xmlns,
		immediate: true,
		everyNode: false, // a concentrator asked for no node reads no node
		parse: (payload) => ({ ...idOf(payload), ...parseRest(payload, CATEGORY_OF, { node: "nd", field: "f", name: "n" }) }),
		parseCancel: idOf,
		accepted: (id, queued) => xml("accepted", { xmlns, id, queued: queued ? "true" : undefined }),
		started: (id) => xml("started", { xmlns, id }),
		cancelled: () => undefined,
		field,
		// `more` is false by default: the opposite of `done` in XEP-0323.
		part: (id, part) => xml("resp", { xmlns, id, more: part.done ? undefined : "true" },
			...(part.kind === "fields"
				? nodes(part.groups, ({ timestamp, fields }: Group) => xml("ts", { v: timestamp }, ...fields.map(field)))
				: nodes(part.failures, ({ timestamp, text }: Failure) => xml("ts", { v: timestamp }, xml("err", {}, text))))),
		rejected: () => [],
	};
}

function idOf({ attrs: { id } }: Element): { id: string; key: string } {
	if (id === undefined || id.length > MAX_ID_LENGTH) throw new GatewayError("bad-request", `Cannot read id="${short(id ?? "")}": it takes 1 to ${MAX_ID_LENGTH} characters`);
	return { id, key: id };
}

/** A plain device sends `ts` directly, what was asked for by node stands in an `nd`; a container never holds both. */
function nodes<T extends Group | Failure>(told: readonly T[], encode: (one: T) => Element): Element[] {
	return byDevice(told).flatMap((same) => {
		const node = same[0]!.node;
		const moments = same.map(encode);
		return node ? [xml("nd", { id: node.id, src: node.source, pt: node.partition }, ...moments)] : moments;
	});
}

/** There are no periods here. */
function letterOf(category: Category): string {
	return LETTER[CATEGORIES.find((known) => known === category) ?? "historical"];
}

function encodeField({ name, value, point, category, flags, writable }: Field, integers: Integers): Element {
	const attrs = { n: name, [letterOf(category)]: "true", ...Object.fromEntries(flags.map((flag) => [FLAG[flag], "true"])), v: textOf(value), ...(writable && { ctr: "true" }) };
	if (typeof value === "boolean") return xml("b", attrs);
	if (isNumeric(value)) {
		const type = numberType(value.text, point, integers);
		if (type === "numeric") return xml("q", { ...attrs, u: point.kind === "numeric" ? point.unit : undefined });
		return xml(type === "int" ? "i" : "l", attrs);
	}
	return point.kind === "enum" ? xml("e", { ...attrs, t: name }) : xml("s", attrs);
}
