// XEP-0323: Internet of Things - Sensor Data
// Source: https://xmpp.org/extensions/xep-0323.html
// Version: 0.6 (2017-05-20), Retracted; its successor is in neuro-sensor-data.ts
import { GatewayError } from "../../core/errors.js";
import { isNumeric, textOf } from "../../core/value.js";
import { type Element, xml } from "../../xmpp/xml.js";
import { short } from "./nodes.js";
import { byDevice, type Category, CATEGORIES, type Failure, type Field, type Group, type Integers, numberType, parseRest, type Part, PERIODS, type ReadoutCodec, type ReadoutRequest } from "./request.js";

export const NS_SENSOR_DATA = "urn:xmpp:iot:sensordata";

export interface Xep0323Options {
	readonly integers: Integers;
	/** Say `<rejected/>` beside `<error/>`: slixmpp and Clayster, of version 0.2, see nothing else. */
	readonly legacyErrors: boolean;
}

const CATEGORY_OF = new Map<string, readonly Category[]>([
	...CATEGORIES.map((category): [string, Category[]] => [category, [category]]),
	...PERIODS.map((period): [string, Category[]] => [period, [period]]),
	["historicalOther", ["historical"]],
	["all", CATEGORIES],
]);

/** The vocabulary of the XSF. */
export function xep0323({ integers, legacyErrors }: Xep0323Options): ReadoutCodec {
	const field = (told: Field): Element => encodeField(told, integers);
	return {
		xmlns: NS_SENSOR_DATA,
		immediate: false, // a result of its own only announces data; slixmpp and Clayster lose what comes before it
		everyNode: true,
		parse: (payload): ReadoutRequest => ({ ...seqnrOf(payload), ...parseRest(payload, CATEGORY_OF, { node: "node", field: "field", name: "name" }) }),
		parseCancel: seqnrOf,
		accepted: (seqnr, queued) => xml("accepted", { xmlns: NS_SENSOR_DATA, seqnr, queued: String(queued) }),
		started: (seqnr) => xml("started", { xmlns: NS_SENSOR_DATA, seqnr }),
		cancelled: (seqnr) => xml("cancelled", { xmlns: NS_SENSOR_DATA, seqnr }),
		field,
		// Clayster takes a missing `done` for true, slixmpp knows no spelling of it but `true`.
		part: (seqnr, part: Part) => part.kind === "fields"
			? xml("fields", { xmlns: NS_SENSOR_DATA, seqnr, done: String(part.done) }, ...nodes(part.groups, field))
			: xml("failure", { xmlns: NS_SENSOR_DATA, seqnr, done: String(part.done) }, ...part.failures.map(encodeFailure)),
		rejected: ({ attrs: { seqnr = "" } }, text) => (legacyErrors ? [xml("rejected", { xmlns: NS_SENSOR_DATA, seqnr: seqnr === "" || seqnr.length > MAX_SEQNR ? undefined : seqnr }, xml("error", {}, text))] : []),
	};
}

/** Characters of a `seqnr`, with the blanks that xs:int may have around it: each stanza of an answer and each event repeats it, and it is kept as long. */
const MAX_SEQNR = 32;
/** `seqnr` is an xs:int; more digits do no harm, since it is only repeated. */
const SEQNR = /^\s*[+-]?\d{1,20}\s*$/;

function seqnrOf({ attrs: { seqnr } }: Element): { id: string; key: string } {
	if (seqnr === undefined || seqnr.length > MAX_SEQNR || !SEQNR.test(seqnr)) throw new GatewayError("bad-request", `Cannot read seqnr="${short(seqnr ?? "")}": it takes a whole number`);
	return { id: seqnr, key: String(BigInt(seqnr.trim())) };
}

/** `node > timestamp > field`, groups of one node together; the node level is mandatory for a single device too. */
function nodes(groups: readonly Group[], field: (told: Field) => Element): Element[] {
	return byDevice(groups).map((same) => xml("node", nodeAttrs(same[0]!), ...same.map(({ timestamp, fields }) => xml("timestamp", { value: timestamp }, ...fields.map(field)))));
}

function nodeAttrs({ node, device }: Group | Failure): Record<string, string | undefined> {
	return { nodeId: node?.id ?? device, sourceId: node?.source, cacheType: node?.partition };
}

function encodeField({ name, value, point, category, flags, writable }: Field, integers: Integers): Element {
	// What came when it came is of no period: `historical` is a word of requests alone.
	const attrs = { name, [category === "historical" ? "historicalOther" : category]: "true", ...Object.fromEntries(flags.map((flag) => [flag, "true"])), value: textOf(value), ...(writable && { writable: "true" }) };
	if (typeof value === "boolean") return xml("boolean", attrs);
	if (isNumeric(value)) {
		const type = numberType(value.text, point, integers);
		// The schema requires `unit`, which may be empty.
		return type === "numeric" ? xml("numeric", { ...attrs, unit: point.kind === "numeric" ? (point.unit ?? "") : "" }) : xml(type, attrs);
	}
	return point.kind === "enum" ? xml("enum", { ...attrs, dataType: name }) : xml("string", attrs);
}

/** Clayster skips an error without a timestamp. */
function encodeFailure(failure: Failure): Element {
	return xml("error", { ...nodeAttrs(failure), timestamp: failure.timestamp }, failure.text);
}
