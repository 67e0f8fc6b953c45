// Neuro-Foundation Concentrator, "Commands": what can be done with a node, beside reading and setting it
// Source: https://neuro-foundation.io/Concentrator.md
import { GatewayError } from "../../core/errors.js";
import { findPoint, isWritable } from "../../core/point.js";
import type { Command } from "../../core/command.js";
import type { Twin } from "../../core/twin.js";
import { type Element, xml } from "../../xmpp/xml.js";
import { Refusal } from "../conditions.js";
import { controlForm } from "../control/control-form.js";
import { type Parameter, parseSet, valueFor } from "../control/command-request.js";
import { NS_DATA, NS_DYNAMIC } from "../forms.js";
import type { Verbs } from "../module.js";
import { short } from "../readout/nodes.js";

/** The one command of a node: its control form, filled in as far as one likes. */
export const SET = "set";

/** The longest text of one failure: what was done before it comes after. */
const MAX_TEXT = 400;

/** @throws {GatewayError} `unknown-point` for any other command. */
export function checkCommand(command: string | undefined): void {
	if (command !== SET) throw new GatewayError("unknown-point", `Cannot find command "${short(command ?? "")}": there is "${SET}"`);
}

/** The form of a command. @throws {GatewayError} `forbidden`, `not-writable` when he can set nothing. */
export function commandForm(twin: Twin, who: string, session: string, { access }: Pick<Verbs, "access">): Element {
	const { device } = twin;
	const names = access.settable(who, device.id, device.points);
	if (names.length > 0) return controlForm(twin, names, session);
	const isSeen = Object.entries(device.points).some(([name, point]) => isWritable(point) && access.mayRead(who, device.id, name));
	if (isSeen) throw new GatewayError("forbidden", `Cannot control "${device.name}": you may read this device, and not control it`);
	throw new GatewayError("not-writable", `Cannot control "${device.name}": nothing on it can be set`);
}

/**
 * Carry out what was filled in, each value confirmed before the next one is sent. Everything is checked before anything is sent.
 *
 * @throws {Refusal} `bad-value` with the form, and the fault beside each field that cannot be used.
 * @throws {GatewayError} what stopped it; what was done before is in the text.
 */
export async function executeForm(payload: Element, twin: Twin, who: string, session: string, verbs: Verbs): Promise<void> {
	const form = commandForm(twin, who, session, verbs);
	if (payload.child("x", NS_DATA) === undefined) throw new GatewayError("bad-request", `Cannot execute "${SET}": it needs a submitted form; ask for its parameters first`);
	const { parameters } = parseSet(payload, new Map(), { node: "nd", name: "n", value: "v" });
	const commands = check(parameters, form, twin, who, verbs);
	const done: string[] = [];
	for (const command of commands) {
		try {
			await verbs.execute(command);
			done.push(`"${command.point}"`);
		} catch (error) {
			if (!(error instanceof GatewayError) || done.length === 0) throw error;
			throw new GatewayError(error.fault, `${error.message.slice(0, MAX_TEXT)}; done before: ${done.join(", ")}`, { cause: error });
		}
	}
}

function check(parameters: readonly Parameter[], form: Element, twin: Twin, who: string, { access }: Verbs): Command[] {
	const { device } = twin;
	const faults = new Map<string, string>();
	const commands: Command[] = [];
	for (const parameter of parameters) {
		const found = findPoint(device.points, parameter.name);
		if (!found || !access.mayRead(who, device.id, found[0])) throw new GatewayError("unknown-point", `Cannot find parameter "${short(parameter.name)}"`);
		const [name, point] = found;
		if (!access.maySet(who, device.id, name)) throw new GatewayError("forbidden", `Cannot set "${name}": you may read it, and not set it`);
		if (!isWritable(point)) throw new GatewayError("not-writable", `Cannot set "${name}": it is read-only`);
		try {
			commands.push({ device: device.id, point: name, value: valueFor(name, point, parameter), by: who });
		} catch (error) {
			if (!(error instanceof GatewayError)) throw error;
			faults.set(name, error.message);
		}
	}
	const [first] = faults.values();
	if (first !== undefined) throw new Refusal("bad-value", first, { before: [withFaults(form, faults)] });
	return commands;
}

/** The same form, with XEP-0336's error in each field that could not be used. */
function withFaults(form: Element, faults: ReadonlyMap<string, string>): Element {
	return xml("x", form.attrs, ...form.children.map((child) => {
		const fault = typeof child === "string" ? undefined : faults.get(child.attrs["var"] ?? "");
		if (typeof child === "string" || child.name !== "field" || fault === undefined) return child;
		return xml("field", child.attrs, ...child.children, xml("error", { xmlns: NS_DYNAMIC }, fault));
	}));
}
