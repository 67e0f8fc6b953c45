// Neuro-Foundation Control Parameters, the successor of XEP-0325; once IEEE P1451.99
// Source: https://neuro-foundation.io/ControlParameters.md
// Version: urn:nfi:iot:ctr:1.0 (2025-08-13), and the same names under urn:nf (2024-08-06) and urn:ieee
import { xml } from "../../xmpp/xml.js";
import { type ControlCodec, type ParameterType, parseSet } from "./command-request.js";

/** In the order in which a client should prefer them. */
export const NEURO_CONTROL = ["urn:nf:iot:ctr:1.0", "urn:nfi:iot:ctr:1.0", "urn:ieee:iot:ctr:1.0"] as const;

/** `e` names its type in `t`, which IoTGateway fills with a class name of its own: nothing to check. `q` is how sensor data calls a number. */
const TYPES = new Map<string, ParameterType>([
	["b", "boolean"], ["cl", "color"], ["d", "date"], ["dt", "dateTime"], ["db", "double"], ["q", "double"], ["dr", "duration"],
	["e", "string"], ["i", "int"], ["l", "long"], ["s", "string"], ["t", "time"],
]);

/** The vocabulary of the Neuro-Foundation, in one of its URNs: an answer speaks as its request did. */
export function neuroControl(xmlns: string): ControlCodec {
	return {
		xmlns,
		parse: (set) => parseSet(set, TYPES, { node: "nd", name: "n", value: "v" }),
		success: (done) => xml("resp", { xmlns },
			...(done?.nodes ?? []).map(({ id, source, partition }) => xml("nd", { id, src: source, pt: partition })),
			...(done?.parameters ?? []).map((n) => xml("p", { n }))),
		failure: () => [],
		// The schema says `var`, IoTGateway says `n`.
		paramError: (name, text) => xml("paramError", { xmlns, var: name, n: name }, text),
	};
}
