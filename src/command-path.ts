// North to south: command → access → twin → dialect → link, and done only when a reading has confirmed it.
import { setMaxListeners } from "node:events";
import type { Access } from "./core/access.js";
import type { Clock, Millis } from "./core/clock.js";
import { type Command, LOCAL, type Outcome } from "./core/command.js";
import { CONFIRM_WITHIN, confirmation } from "./core/confirmation.js";
import { type Fault, GatewayError } from "./core/errors.js";
import type { Log } from "./core/log.js";
import { confirmOf } from "./core/point.js";
import type { Registry } from "./core/registry.js";
import type { Twin } from "./core/twin.js";
import { linkDown, type Roads } from "./roads.js";
import type { Link, Outgoing } from "./south/link.js";

/** Commands on their way to one device; more are refused as `busy`, since each waits up to its timeout. */
const MAX_COMMANDS_PER_DEVICE = 32;
/** How long a message may take to leave. */
const SEND_WITHIN: Millis = 10_000;

export interface CommandPathOptions {
	readonly registry: Registry;
	/** The rules of this moment. */
	access(): Access;
	readonly roads: Roads;
	readonly clock: Clock;
	readonly log: Log;
	/** A reading of this point is awaited by somebody for so long. */
	expect(twin: Twin, point: string, within: Millis): void;
	/** Aborts when the gateway stops. */
	readonly stopping: AbortSignal;
}

/** How commands ended since the start: confirmed, sent, or by which fault. */
export type CommandCounts = Partial<Record<Outcome["kind"] | Fault, number>>;

/** The one path of every door: chat, forms, IoT control and the command line. */
export class CommandPath {
	readonly counts: CommandCounts = {};
	readonly #options: CommandPathOptions;
	readonly #underWay = new Map<Twin, number>();

	constructor(options: CommandPathOptions) {
		this.#options = options;
	}

	/**
	 * Run a command to its end.
	 *
	 * @throws {GatewayError} any fault of design §3.4; nothing was sent when it is `unknown-…`, `not-writable`, `bad-value`, `forbidden` or `busy`.
	 */
	async execute(command: Command): Promise<Outcome> {
		try {
			const outcome = await this.#execute(command);
			this.#count(outcome.kind);
			return outcome;
		} catch (error) {
			if (error instanceof GatewayError) this.#count(error.fault);
			throw error;
		}
	}

	#count(how: Outcome["kind"] | Fault): void {
		this.counts[how] = (this.counts[how] ?? 0) + 1;
	}

	async #execute({ device, point, value, by }: Command): Promise<Outcome> {
		const { registry, access, roads, clock, log, stopping, expect } = this.#options;
		const twin = registry.byId(device);
		const [name, placed] = twin.point(point);
		if (by !== LOCAL && !access().maySet(by, twin.device.id, name)) throw new GatewayError("forbidden", `Cannot set "${name}": ${by} may not command ${twin.device.name}`);
		twin.writable(name, value);
		const road = roads.get(twin.device.link);
		if (!road?.state.up) throw new GatewayError("device-offline", `Cannot set "${name}": ${linkDown(twin.device.link)}`);
		if (!twin.reachable) throw new GatewayError("device-offline", `Cannot set "${name}": ${twin.device.name} is ${twin.availability}${twin.reason === undefined ? "" : ` (${twin.reason})`}`);
		const running = this.#underWay.get(twin) ?? 0;
		if (running >= MAX_COMMANDS_PER_DEVICE) throw new GatewayError("busy", `Cannot set "${name}": ${running} commands are on their way to ${twin.device.name}; try again later`);
		const outgoing = road.dialect.encode(twin.device.source.address, name, value);
		this.#underWay.set(twin, running + 1);
		const { signal: ending, abort, dispose } = joined(stopping, road.stopping);
		try {
			log.info({ device: twin.device.id, point: name, by }, `${by} sets "${name}" of "${twin.device.name}"`);
			const confirmed = confirmOf(placed) === "state" ? confirmation(twin, name, value, clock, placed.timeout ?? CONFIRM_WITHIN, ending) : undefined;
			confirmed?.catch(() => undefined); // it is awaited below, but may end while the bytes are still leaving
			expect(twin, name, placed.timeout ?? CONFIRM_WITHIN);
			for (const out of outgoing) await this.forward(road.link, out, ending);
			return confirmed ? { kind: "confirmed", reading: await confirmed } : { kind: "sent" };
		} finally {
			abort(new GatewayError("link-down", `Cannot set "${name}": the command was given up`));
			dispose();
			const left = (this.#underWay.get(twin) ?? 1) - 1;
			if (left > 0) this.#underWay.set(twin, left);
			else this.#underWay.delete(twin);
		}
	}

	/** Let one message leave, within ten seconds. @throws {GatewayError} `link-down`, `device-timeout`, `device-refused`. */
	async forward(link: Link, out: Outgoing, signal: AbortSignal): Promise<void> {
		const late = joined(signal);
		const cancel = this.#options.clock.after(SEND_WITHIN, () => late.abort(new GatewayError("device-timeout", `Cannot send on link "${link.id}": it took longer than ${SEND_WITHIN / 1_000} s`)));
		try {
			await link.send(out, late.signal);
		} finally {
			cancel();
			late.dispose();
		}
	}
}

/** A signal that aborts with any of these, and by hand. AbortSignal.any() would leave something at each of them for as long as they live (Node 20). */
function joined(...outer: readonly AbortSignal[]): { readonly signal: AbortSignal; abort(reason: unknown): void; dispose(): void } {
	const inner = new AbortController();
	setMaxListeners(0, inner.signal, ...outer); // each command under way listens, and stops listening when it ends
	const stops = outer.map((signal) => [signal, (): void => inner.abort(signal.reason)] as const);
	for (const [signal, stop] of stops) {
		if (signal.aborted) stop();
		else signal.addEventListener("abort", stop, { once: true });
	}
	return {
		signal: inner.signal,
		abort: (reason) => inner.abort(reason),
		dispose: () => stops.forEach(([signal, stop]) => signal.removeEventListener("abort", stop)),
	};
}
