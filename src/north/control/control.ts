import type { Command } from "../../core/command.js";
import { GatewayError } from "../../core/errors.js";
import { findPoint, isWritable } from "../../core/point.js";
import { type Element } from "../../xmpp/xml.js";
import { Refusal } from "../conditions.js";
import { NS_DATA, NS_DYNAMIC, NS_VALIDATE } from "../forms.js";
import type { Request, Route, Verbs, XepModule } from "../module.js";
import { short, type Target, targetsOf } from "../readout/nodes.js";
import { type CommandRequest, type ControlCodec, type Parameter, ParameterFault, type Restriction, valueFor } from "./command-request.js";
import { controlForm } from "./control-form.js";
import { NEURO_CONTROL, neuroControl } from "./neuro-control.js";
import { xep0325 } from "./xep0325.js";

export interface ControlOptions {
	/** Errors in the form of XEP-0325 v0.2 beside those of RFC 6120. Default: true. */
	readonly legacyErrors?: boolean;
}

/** The error of a set stays small, whatever was done before it failed. */
const MAX_TEXT = 500;

/** A command that passed every check, and the parameter that wished it. */
interface Checked {
	readonly command: Command;
	readonly parameter: Parameter;
}

/**
 * Control parameters in both vocabularies: XEP-0325, and the Neuro-Foundation's control.
 *
 * A request is answered when its commands have ended: with success only when the device confirmed each, or when each was
 * sent to a point that reports nothing. Everything is checked before anything is sent, and the first failure stops the rest.
 */
export function control(verbs: Verbs, { legacyErrors = true }: ControlOptions = {}): XepModule {
	const codecs = [xep0325({ legacyErrors }), ...NEURO_CONTROL.map(neuroControl)];
	let forms = 0;

	async function set(request: Request, codec: ControlCodec): Promise<Element> {
		const fromForm = request.payload.child("x", NS_DATA) !== undefined;
		try {
			const wish = codec.parse(request.payload);
			const { commands, restriction } = check(wish, request);
			await executeAll(commands);
			return codec.success(restriction);
		} catch (error) {
			if (!(error instanceof GatewayError)) throw error;
			throw new Refusal(error.fault, error.message, {
				before: codec.failure(error.fault, fromForm),
				application: error instanceof ParameterFault ? [codec.paramError(error.parameter, error.message.slice(0, MAX_TEXT))] : [],
			});
		}
	}

	/**
	 * Every parameter against every node, before anything is done.
	 *
	 * @throws {GatewayError} for the first that cannot be; `forbidden` when the asker may do nothing of it.
	 */
	function check(wish: CommandRequest, request: Request): { readonly commands: readonly Checked[]; readonly restriction: Restriction | undefined } {
		const targets = named(wish.nodes, request);
		const isAllowed = ({ twin: { device } }: Target, parameter: Parameter): boolean => {
			const [point] = visible(device, parameter.name, request.who);
			return verbs.access.maySet(request.who, device.id, point);
		};
		// What was done is told as nodes and parameters, so it must be all of these at all of those.
		const nodes = targets.filter((target) => wish.parameters.map((parameter) => isAllowed(target, parameter)).some((allowed) => allowed));
		const parameters = wish.parameters.filter((parameter) => nodes.length > 0 && nodes.every((target) => isAllowed(target, parameter)));
		if (wish.parameters.length === 0) return { commands: [], restriction: undefined };
		if (parameters.length === 0) throw new GatewayError("forbidden", `Cannot set ${wish.parameters.map(({ name }) => `"${short(name)}"`).slice(0, 5).join(", ")}: you may read this device, and not control it`);
		const commands = nodes.flatMap(({ twin }) => parameters.map((parameter): Checked => {
			const [point, found] = visible(twin.device, parameter.name, request.who);
			try {
				if (!isWritable(found)) throw new GatewayError("not-writable", `Cannot set "${point}": it is read-only`);
				return { command: { device: twin.device.id, point, value: valueFor(point, found, parameter), by: request.who }, parameter };
			} catch (error) {
				throw blame(error, parameter);
			}
		}));
		const isWhole = nodes.length === targets.length && parameters.length === wish.parameters.length;
		return { commands, restriction: isWhole ? undefined : { nodes: nodes.flatMap(({ node }) => node ?? []), parameters: [...new Set(parameters.map(({ name }) => name))] } };
	}

	/** The point of this name. @throws {ParameterFault} `unknown-point`, the same for one that is not there and one that he may not see. */
	function visible(device: Target["twin"]["device"], name: string, who: string): ReturnType<Target["twin"]["point"]> {
		const found = findPoint(device.points, name);
		if (!found || !verbs.access.mayRead(who, device.id, found[0])) throw new ParameterFault("unknown-point", `Cannot find parameter "${short(name)}"`, name);
		return found;
	}

	/** @throws {GatewayError} `unknown-device`; `bad-request` at the gateway for no node at all: it has nothing of its own to set. */
	function named(nodes: CommandRequest["nodes"], request: Request): readonly Target[] {
		const targets = targetsOf(request, nodes, verbs);
		if (targets.length === 0) throw new GatewayError("bad-request", "Cannot control the gateway itself: name the devices as nodes");
		return targets;
	}

	/** One after the other, in the order of the document. */
	async function executeAll(commands: readonly Checked[]): Promise<void> {
		const done: string[] = [];
		for (const { command, parameter } of commands) {
			try {
				await verbs.execute(command);
				done.push(`"${command.point}" of "${command.device}"`);
			} catch (error) {
				if (!(error instanceof GatewayError)) throw error;
				throw blame(done.length === 0 ? error : new GatewayError(error.fault, `${error.message}; done before: ${done.join(", ")}`), parameter);
			}
		}
	}

	function form(request: Request, codec: ControlCodec | undefined): Element {
		const { payload } = request;
		const wish = codec?.parse(payload) ?? { nodes: [], parameters: [] };
		const targets = named(wish.nodes, request);
		const [target] = targets;
		if (!target || targets.length > 1) throw new GatewayError("not-implemented", "Cannot make one form for several devices: ask for one at a time");
		const { device } = target.twin;
		const names = verbs.access.settable(request.who, device.id, device.points);
		if (names.length === 0) {
			const isSeen = Object.entries(device.points).some(([name, point]) => isWritable(point) && verbs.access.mayRead(request.who, device.id, name));
			if (isSeen) throw new GatewayError("forbidden", `Cannot control "${device.name}": you may read this device, and not control it`);
			throw new GatewayError("not-writable", `Cannot control "${device.name}": nothing on it can be set`);
		}
		return controlForm(target.twin, names, `${verbs.clock.now().toString(36)}-${++forms}`);
	}

	const features = [...codecs.map(({ xmlns }) => xmlns), NS_DATA, NS_VALIDATE];
	return {
		features: { writableDevice: features, gateway: features },
		routes: [
			...codecs.flatMap((codec): Route[] => [
				{ type: "set", xmlns: codec.xmlns, name: "set", at: "both", answer: (request) => set(request, codec) },
				{ type: "get", xmlns: codec.xmlns, name: "getForm", at: "both", answer: (request) => form(request, codec) },
			]),
			// XEP-0336: our forms do not change while they are filled in, and nothing is kept for them.
			{ type: "set", xmlns: NS_DYNAMIC, name: "submit", at: "device", answer: (request) => form(request, undefined) },
			{ type: "set", xmlns: NS_DYNAMIC, name: "cancel", at: "device", answer: () => undefined },
		],
		message({ stanza, who, id, letIn }) {
			// XEP-0325 knows a set in a message, without any answer. A server may keep it and deliver it hours later: it is never carried out.
			const found = codecs.some(({ xmlns }) => stanza.child("set", xmlns) !== undefined);
			if (found) verbs.log[letIn ? "info" : "debug"]({ from: who, device: id }, "a control message was ignored: commands are taken by iq only");
			return found;
		},
	};
}

function blame(error: unknown, { name }: Parameter): unknown {
	return error instanceof GatewayError && !(error instanceof ParameterFault) ? new ParameterFault(error.fault, error.message, name, { cause: error }) : error;
}
