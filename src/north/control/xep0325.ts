// XEP-0325: Internet of Things - Control
// Source: https://xmpp.org/extensions/xep-0325.html
// Version: 0.5.1 (2021-03-04), Retracted; its successor is in neuro-control.ts
import type { Fault } from "../../core/errors.js";
import { xml } from "../../xmpp/xml.js";
import { type ControlCodec, type ParameterType, parseSet } from "./command-request.js";

export const NS_CONTROL = "urn:xmpp:iot:control";

export interface Xep0325Options {
	/** Say `<setResponse responseCode/>` in errors beside `<error/>`: slixmpp, of version 0.2, sees nothing else. */
	readonly legacyErrors: boolean;
}

/** Smack writes `bool`; `numeric` and `enum` are what the sensor data vocabulary calls the same. */
const TYPES = new Map<string, ParameterType>([
	["boolean", "boolean"], ["bool", "boolean"], ["color", "color"], ["date", "date"], ["dateTime", "dateTime"], ["double", "double"], ["numeric", "double"],
	["duration", "duration"], ["int", "int"], ["long", "long"], ["string", "string"], ["enum", "string"], ["time", "time"],
]);

type ResponseCode = "OK" | "NotFound" | "InsufficientPrivileges" | "Locked" | "NotImplemented" | "FormError" | "OtherError";

/** The vocabulary of the XSF. */
export function xep0325({ legacyErrors }: Xep0325Options): ControlCodec {
	return {
		xmlns: NS_CONTROL,
		parse: (set) => parseSet(set, TYPES, { node: "node", name: "name", value: "value" }),
		// The code is of version 0.2; to newer clients it is one attribute more.
		success: (done) => xml("setResponse", { xmlns: NS_CONTROL, responseCode: "OK" satisfies ResponseCode },
			...(done?.nodes ?? []).map(({ id, source, partition }) => xml("node", { nodeId: id, sourceId: source, cacheType: partition })),
			...(done?.parameters ?? []).map((name) => xml("parameter", { name }))),
		failure: (fault, fromForm) => (legacyErrors ? [xml("setResponse", { xmlns: NS_CONTROL, responseCode: codeOf(fault, fromForm) })] : []),
		paramError: (name, text) => xml("paramError", { xmlns: NS_CONTROL, var: name }, text),
	};
}

function codeOf(fault: Fault, fromForm: boolean): ResponseCode {
	switch (fault) {
		case "unknown-device": case "unknown-point": return "NotFound";
		case "forbidden": return "InsufficientPrivileges";
		case "busy": return "Locked";
		case "not-implemented": return "NotImplemented";
		case "bad-value": case "bad-request": return fromForm ? "FormError" : "OtherError";
		default: return "OtherError";
	}
}
