// The links that run, each a supervised child of its own: started, stopped and replaced without the others.
import type { LinkKind } from "./core/availability.js";
import { type Clock, type Millis, pause } from "./core/clock.js";
import { GatewayError } from "./core/errors.js";
import type { RoadStatus } from "./core/status.js";
import type { Link, LinkEars, LinkState } from "./south/link.js";
import type { Dialect } from "./south/meaning.js";

/** A link, and what is spoken on it. */
export interface Road {
	/** Which sort of outage it may have without anybody's noticing. */
	readonly kind?: LinkKind;
	readonly link: Link;
	readonly dialect: Dialect;
	/** What topics of it said about devices in an earlier run: to be heard before anything else, for a broker hands out first what it has kept. */
	readonly described?: readonly { readonly topic: string; readonly payload: Uint8Array; readonly retained: boolean }[];
	/** Let go of what the link stands on: an embedded broker. */
	close?(): Promise<void>;
}

/** A road while it runs. */
export interface RunningRoad extends Road {
	readonly state: RoadStatus;
	/** Aborts when this road stops, for whatever reason. */
	readonly stopping: AbortSignal;
}

/** Ports and sessions that do not close by then are left behind. */
const CLOSE_WITHIN: Millis = 2_000;

interface Running extends RunningRoad {
	state: RoadStatus;
	readonly stop: AbortController;
	ended: Promise<void>;
}

export interface RoadsOptions {
	readonly clock: Clock;
	/** What a road tells while it runs. Its state has been kept already; only what differs from before is told. */
	ears(road: RunningRoad): LinkEars;
	/** A link has ended by an error: a bug, since none may. */
	crashed(error: unknown): void;
}

export class Roads {
	readonly #options: RoadsOptions;
	readonly #running = new Map<string, Running>();

	constructor(options: RoadsOptions) {
		this.#options = options;
	}

	get(id: string): RunningRoad | undefined {
		return this.#running.get(id);
	}

	all(): Iterable<RunningRoad> {
		return this.#running.values();
	}

	/** Make it known, with its link down: devices may be announced on it. */
	add(road: Road): RunningRoad {
		const stop = new AbortController();
		const running: Running = { ...road, stop, stopping: stop.signal, ended: Promise.resolve(), state: { up: false, since: this.#options.clock.now(), reason: "is being opened" } };
		this.#running.set(road.link.id, running);
		return running;
	}

	/** Open its link, and keep it open. */
	start(id: string): void {
		const running = this.#running.get(id)!;
		const ears = this.#options.ears(running);
		running.ended = running.link.run({ ...ears, state: (state) => { if (this.#keep(running, state)) ears.state(state); } }, running.stop.signal)
			.catch((error: unknown) => this.#options.crashed(error));
	}

	/** Close its link and what it stands on; ends within some seconds, whatever hangs. */
	async stop(id: string): Promise<void> {
		const running = this.#running.get(id);
		if (!running) return;
		running.stop.abort(new GatewayError("link-down", `Cannot go on: link "${id}" is being closed`));
		const closed = new AbortController();
		await Promise.race([running.ended, pause(this.#options.clock, CLOSE_WITHIN, closed.signal)]);
		closed.abort();
		this.#running.delete(id);
		await running.close?.();
	}

	async stopAll(): Promise<void> {
		await Promise.all([...this.#running.keys()].map((id) => this.stop(id)));
	}

	/** @returns Is it another state than before? */
	#keep(running: Running, state: LinkState): boolean {
		const before = running.state;
		if (before.up === state.up && (state.up || (!before.up && before.reason === state.reason))) return false;
		const since = before.up === state.up ? before.since : this.#options.clock.now();
		running.state = state.up ? { up: true, since } : { up: false, since, reason: state.reason };
		return true;
	}
}

/** What contacts are told: hosts, paths and how to mend it are for the log and `status`, not for everybody who sees a device. */
export function linkDown(id: string): string {
	return `its link "${id}" is down`;
}
