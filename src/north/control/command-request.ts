import { type Fault, GatewayError } from "../../core/errors.js";
import { checkValue, type Point, takes } from "../../core/point.js";
import { numericFromText, type Value } from "../../core/value.js";
import type { Element } from "../../xmpp/xml.js";
import { booleanFrom, NS_DATA, parseSubmission, singleValue } from "../forms.js";
import { parseDateTime } from "../readout/datetime.js";
import { type NodeRef, parseNode, short } from "../readout/nodes.js";

/** How a parameter is written: the types of XEP-0325, and `form` for a field that came in a data form, which has none. */
export type ParameterType = "boolean" | "color" | "date" | "dateTime" | "double" | "duration" | "int" | "long" | "string" | "time" | "form";

/** One wish, not yet held against a point. */
export interface Parameter {
	readonly name: string;
	readonly type: ParameterType;
	readonly text: string;
}

/** A wish to set, in neither vocabulary. */
export interface CommandRequest {
	readonly nodes: readonly NodeRef[];
	/** In the order in which they are to be carried out. */
	readonly parameters: readonly Parameter[];
}

/** What was done of a request that was not carried out whole. */
export interface Restriction {
	/** Empty when the request named none. */
	readonly nodes: readonly NodeRef[];
	readonly parameters: readonly string[];
}

/** One vocabulary: a request from it, answers into it. */
export interface ControlCodec {
	readonly xmlns: string;
	/** @throws {GatewayError} `bad-request`. */
	parse(set: Element): CommandRequest;
	/** @param done Only when it is less than what was asked for. */
	success(done: Restriction | undefined): Element;
	/** Goes ahead of `<error/>`. */
	failure(fault: Fault, fromForm: boolean): readonly Element[];
	/** Goes inside `<error/>`. */
	paramError(name: string, text: string): Element;
}

/** Each parameter at each node waits for its confirmation, one after the other: more would keep the asker waiting for minutes. */
export const MAX_COMMANDS = 64;

/**
 * What both vocabularies have in common: nodes, typed parameters and submitted forms, in any order.
 *
 * @throws {GatewayError} `bad-request` for an element of no known type, a parameter without name or value, a form that is none, or too many.
 */
export function parseSet(set: Element, types: ReadonlyMap<string, ParameterType>, names: { readonly node: string; readonly name: string; readonly value: string }): CommandRequest {
	const nodes = new Map<string, NodeRef>();
	const parameters: Parameter[] = [];
	for (const element of set.elements()) {
		if (element.xmlns === NS_DATA && element.name === "x") {
			parameters.push(...parametersOf(element));
		} else if (element.xmlns === set.xmlns && element.name === names.node) {
			const node = parseNode(element);
			nodes.set(JSON.stringify(node).toLowerCase(), node);
		} else {
			// Passing over what is not understood would report success for what was not done.
			const type = element.xmlns === set.xmlns ? types.get(element.name) : undefined;
			if (type === undefined) throw new GatewayError("bad-request", `Cannot use <${element.name}/> in a set: it is no parameter type`);
			const { [names.name]: name, [names.value]: text } = element.attrs;
			if (name === undefined || text === undefined) throw new GatewayError("bad-request", `Cannot use <${element.name}/> in a set: found no ${name === undefined ? names.name : names.value}`);
			parameters.push({ name, type, text });
		}
	}
	const commands = Math.max(1, nodes.size) * parameters.length;
	if (commands > MAX_COMMANDS) throw new GatewayError("bad-request", `Cannot set ${commands} values at once: at most ${MAX_COMMANDS}`);
	return { nodes: [...nodes.values()], parameters };
}

/** Fields of a form that are no parameters: the instance of the form (with its space, XEP-0336), and its kind. */
const NO_PARAMETERS: ReadonlySet<string> = new Set(["xdd session", "FORM_TYPE"]);

function parametersOf(x: Element): Parameter[] {
	const submission = parseSubmission(x);
	if (submission.type === "cancel") throw new GatewayError("bad-request", "Cannot set from a cancelled form");
	return [...submission.values.keys()].filter((name) => !NO_PARAMETERS.has(name)).map((name) => ({ name, type: "form", text: singleValue(submission, name) ?? "" }));
}

/** A fault, and the parameter whose fault it is. */
export class ParameterFault extends GatewayError {
	readonly parameter: string;

	constructor(fault: Fault, message: string, parameter: string, options?: ErrorOptions) {
		super(fault, message, options);
		this.parameter = parameter;
	}
}

/**
 * The value that a parameter means for a point, checked against its range.
 *
 * A number may be written as any numeric type when nothing is lost; everything else must be of the point's own kind.
 * @throws {GatewayError} `bad-value`.
 */
export function valueFor(name: string, point: Point, { type, text }: Parameter): Value {
	const value = read(point, type, text);
	if (value === undefined) throw new GatewayError("bad-value", `Cannot use ${type === "form" ? "" : `the ${type} `}"${short(text)}" for "${name}": it takes ${takes(point)}`);
	checkValue(name, point, value);
	return value;
}

const WHOLE = /^\s*[+-]?\d+\s*$/;

function read(point: Point, type: ParameterType, text: string): Value | undefined {
	switch (point.kind) {
		case "numeric": {
			if ((type === "int" || type === "long") && !WHOLE.test(text)) return undefined;
			if (type !== "double" && type !== "int" && type !== "long" && type !== "form") return undefined;
			const value = numericFromText(text);
			// 5.0 for a point of whole numbers is 5, and the device is told so.
			return value && point.integer && Number.isSafeInteger(value.number) ? { text: value.text.replace(/\.0*$/, ""), number: value.number } : value;
		}
		case "boolean": return type === "boolean" || type === "form" ? booleanFrom(text) : undefined;
		case "enum": return type === "string" || type === "form" ? text : undefined;
		case "text": return textFrom(type, text);
	}
}

const COLOR = /^#?([0-9a-f]{6}(?:[0-9a-f]{2})?)$/i;
const TIME = /^(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)?$/;
const DURATION = /^-?P(?=.)(?:\d{1,9}Y)?(?:\d{1,9}M)?(?:\d{1,9}D)?(?:T(?=.)(?:\d{1,9}H)?(?:\d{1,9}M)?(?:\d{1,9}(?:\.\d{1,9})?S)?)?$/;

/** The gateway keeps colours and times as texts; their form is checked. */
function textFrom(type: ParameterType, text: string): string | undefined {
	switch (type) {
		case "string": case "form": return text;
		case "color": return COLOR.exec(text)?.[1]; // Clayster writes `#ff0000`
		case "dateTime": return parseDateTime(text) === undefined ? undefined : text;
		case "date": return parseDateTime(`${text}T00:00:00Z`) === undefined ? undefined : text;
		case "time": return TIME.test(text) ? text : undefined;
		case "duration": return DURATION.test(text) ? text : undefined;
		case "boolean": case "double": case "int": case "long": return undefined;
	}
}
