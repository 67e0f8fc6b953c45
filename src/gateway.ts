// The roof: the only file that sees both wings. Both paths can be read here from top to bottom, which is why it is above 300 lines.
import type { Access } from "./core/access.js";
import { type Clock, type Millis, pause } from "./core/clock.js";
import type { Command, Outcome } from "./core/command.js";
import { CONFIRM_WITHIN, confirmation } from "./core/confirmation.js";
import type { Announcement } from "./core/device.js";
import { GatewayError, messageOf } from "./core/errors.js";
import { FaultCounter } from "./core/fault-counter.js";
import type { Log } from "./core/log.js";
import { confirmOf } from "./core/point.js";
import type { Reading } from "./core/reading.js";
import type { Registry } from "./core/registry.js";
import type { GatewayStatus, RoadStatus } from "./core/status.js";
import type { Change, Twin } from "./core/twin.js";
import type { Verbs, XepModule } from "./north/module.js";
import type { Router } from "./north/router.js";
import type { Link, LinkState, Outgoing, Packet } from "./south/link.js";
import type { Dialect, Meaning, Told } from "./south/meaning.js";
import type { Store } from "./store/store.js";
import type { Stream } from "./xmpp/stream.js";
import type { Element } from "./xmpp/xml.js";

/** A link, and what is spoken on it. */
export interface Road {
	readonly link: Link;
	readonly dialect: Dialect;
}

export interface Parts {
	/** The component's domain. */
	readonly domain: string;
	readonly name: string;
	readonly roads: readonly Road[];
	readonly registry: Registry;
	readonly access: Access;
	readonly store: Store;
	readonly stream: Stream;
	readonly clock: Clock;
	readonly log: Log;
	/** What this gateway can do: the modules of the north wing, and the router that gives each stanza to one of them. */
	north(verbs: Omit<Verbs, "ask">): { readonly modules: readonly XepModule[]; readonly router: Router };
}

/** The gateway while it runs. */
export interface Gateway extends Pick<Verbs, "registry" | "execute" | "status"> {
	/** Say good-bye to everybody, write everything down, close every port. Ends within some seconds, whatever hangs. */
	stop(): Promise<void>;
	/** Resolves when the gateway has ended; rejects on a bug that it cannot go on with. */
	readonly ended: Promise<void>;
}

/** Silence is judged once a second: an explicit offline must be told within ten. */
const JUDGE_EVERY: Millis = 1_000;
/** Commands on their way to one device; more are refused as `busy`, since each waits up to its timeout. */
const MAX_COMMANDS_PER_DEVICE = 32;
/** How long announcements are collected before their topics are subscribed to. */
const LISTEN_AFTER: Millis = 50;
/** How long a message may take to leave. */
const SEND_WITHIN: Millis = 10_000;
/** Ports and sessions that do not close by then are left behind. */
const CLOSE_WITHIN: Millis = 2_000;

/** Start everything. Nothing is open before this call, and nothing is left open after `stop()`. */
export function startGateway({ domain, name, roads, registry, access, store, stream, clock, log, north }: Parts): Gateway {
	const stopping = new AbortController();
	const started = clock.now();
	const byLink = new Map(roads.map((road) => [road.link.id, road]));
	const linkStates = new Map<string, RoadStatus>(roads.map(({ link }) => [link.id, { up: false, since: started, reason: "is being opened" }]));
	let uplink: RoadStatus = { up: false, since: started, reason: "is connecting" };
	let isStopping = false;
	const underWay = new Map<Twin, number>();
	const listening = new Set<string>();
	const faults = new FaultCounter(clock, ({ where, reason, sample, count }) => log.warn({ where, reason, sample, count }, `Cannot use what "${where}" sent: ${reason}`));
	const verbs: Omit<Verbs, "ask"> = { domain, name, registry, access, clock, log, history: store, say, online: () => stream.online, status, execute };
	const { modules, router } = north(verbs);

	// ---- South to north: packet → meaning → twin → store and modules ----

	function carry(road: Road, packet: Packet): void {
		try {
			take(road, road.dialect.decode(packet), packet);
		} catch (error) {
			// A decoder never throws for what it is fed: this is a bug, and one message must not end the link.
			log.error({ err: error, link: road.link.id }, `Cannot decode a message of link "${road.link.id}": ${messageOf(error)}`);
		}
		packet.taken();
	}

	function take({ link }: Road, meaning: Meaning, packet: Packet): void {
		const now = clock.now();
		const live = packet.body.kind !== "message" || !packet.body.retained;
		for (const announcement of meaning.announced ?? []) announce(link.id, announcement);
		for (const address of meaning.gone ?? []) remove(link.id, address);
		for (const [twin, told] of byTwin(link.id, meaning.told ?? [])) {
			tell(twin.apply(told.flatMap((each) => readingOf(twin, each, live, packet.received)), live, now));
		}
		if (live) for (const address of meaning.heard ?? []) changeOf(link.id, address, (twin) => twin.alive(now));
		for (const { address, state, reason } of meaning.states ?? []) changeOf(link.id, address, (twin) => twin.say(state, reason, now));
		for (const { where, reason, sample } of meaning.misfits ?? []) faults.count(`${link.id}: ${where}`, reason, sample);
		if (meaning.filters) listenSoon(link.id);
		for (const out of meaning.send ?? []) void forward(link, out, stopping.signal).catch((error: unknown) => log.debug({ link: link.id }, messageOf(error)));
	}

	function announce(link: string, announcement: Announcement, isRestored = false): Twin | undefined {
		try {
			const { twin, isNew, merged } = registry.announce(link, announcement, clock.now());
			for (const other of merged) gone(other, "is known by another address now");
			if (!isRestored) store.touch(twin);
			const state = linkStates.get(link);
			if (isNew && state && !state.up) twin.link(linkDown(link), clock.now());
			if (isNew) log.info({ device: twin.device.id, link, address: announcement.address }, `Found "${twin.device.name}" (${twin.device.id})`);
			each((module) => module.added?.(twin));
			return twin;
		} catch (error) {
			if (!(error instanceof GatewayError)) throw error;
			faults.count(`${link}: ${announcement.address}`, error.message, "");
			return undefined;
		}
	}

	function remove(link: string, address: string): void {
		const twin = registry.remove(link, address);
		if (!twin) return;
		gone(twin, "was removed by its source");
	}

	function gone(twin: Twin, why: string): void {
		store.forget(twin);
		log.info({ device: twin.device.id, link: twin.device.link }, `"${twin.device.name}" ${why}`);
		each((module) => module.removed?.(twin));
	}

	/** What is told, by device: one change for each, whatever the number of values. */
	function byTwin(link: string, told: readonly Told[]): Map<Twin, Told[]> {
		const found = new Map<Twin, Told[]>();
		for (const each of told) {
			const twin = registry.byPlace(link, each.address);
			if (twin) found.set(twin, [...(found.get(twin) ?? []), each]);
		}
		return found;
	}

	function readingOf(twin: Twin, { point, value, at, quality }: Told, live: boolean, received: number): Reading[] {
		if (!Object.hasOwn(twin.device.points, point)) return []; // taken away by the description that came last
		return [{ point, value, at: at ?? received, received, quality: quality ?? "good", ...(!live && at === undefined && { ageUnknown: true as const }) }];
	}

	function changeOf(link: string, address: string, change: (twin: Twin) => Change): void {
		const twin = registry.byPlace(link, address);
		if (twin) tell(change(twin));
	}

	function linkChanged({ link }: Road, state: LinkState): void {
		const before = linkStates.get(link.id);
		if (before && before.up === state.up && (state.up || (!before.up && before.reason === state.reason))) return;
		const since = before && before.up === state.up ? before.since : clock.now();
		linkStates.set(link.id, state.up ? { up: true, since } : { up: false, since, reason: state.reason });
		if (state.up) log.info({ link: link.id }, `Link "${link.id}" is up`);
		else if (!isStopping) log.warn({ link: link.id, reason: state.reason }, `Link "${link.id}" is down: ${state.reason}`);
		for (const twin of registry.all()) if (twin.device.link === link.id) tell(twin.link(state.up ? undefined : linkDown(link.id), clock.now()));
	}

	/** Silence is news too. */
	async function watchSilence(): Promise<void> {
		while (!stopping.signal.aborted) {
			await pause(clock, JUDGE_EVERY, stopping.signal);
			for (const twin of registry.all()) {
				const change = twin.judge(clock.now());
				if (change.availability) tell(change);
			}
		}
	}

	function tell(change: Change): void {
		if (change.readings.length === 0 && !change.availability) return;
		if (change.readings.length > 0 || change.twin.heard !== undefined) store.touch(change.twin);
		each((module) => module.changed?.(change));
	}

	/** A module that fails is a bug, and does not silence the others. */
	function each(tellModule: (module: XepModule) => void): void {
		for (const module of modules) {
			try {
				tellModule(module);
			} catch (error) {
				log.error({ err: error }, `A part of the gateway failed: ${messageOf(error)}`);
			}
		}
	}

	// ---- North to south: command → access → twin → dialect → link, and done only when a reading has confirmed it ----

	async function execute({ device, point, value, by }: Command): Promise<Outcome> {
		const twin = registry.byId(device);
		const [name, placed] = twin.point(point);
		if (by !== LOCAL && !access.maySet(by, twin.device.id, name)) throw new GatewayError("forbidden", `Cannot set "${name}": ${by} may not command ${twin.device.name}`);
		twin.writable(name, value);
		const road = linkStates.get(twin.device.link);
		if (road?.up === false) throw new GatewayError("device-offline", `Cannot set "${name}": ${linkDown(twin.device.link)}`);
		if (!twin.reachable) throw new GatewayError("device-offline", `Cannot set "${name}": ${twin.device.name} is ${twin.availability}${twin.reason === undefined ? "" : ` (${twin.reason})`}`);
		const running = underWay.get(twin) ?? 0;
		if (running >= MAX_COMMANDS_PER_DEVICE) throw new GatewayError("busy", `Cannot set "${name}": ${running} commands are on their way to ${twin.device.name}; try again later`);
		const { link, dialect } = byLink.get(twin.device.link)!;
		const outgoing = dialect.encode(twin.device.source.address, name, value);
		underWay.set(twin, running + 1);
		const failed = new AbortController();
		const ending = AbortSignal.any([stopping.signal, failed.signal]);
		try {
			log.info({ device: twin.device.id, point: name, by }, `${by} sets "${name}" of "${twin.device.name}"`);
			const confirmed = confirmOf(placed) === "state" ? confirmation(twin, name, value, clock, placed.timeout ?? CONFIRM_WITHIN, ending) : undefined;
			confirmed?.catch(() => undefined); // it is awaited below, but may end while the bytes are still leaving
			for (const out of outgoing) await forward(link, out, ending);
			return confirmed ? { kind: "confirmed", reading: await confirmed } : { kind: "sent" };
		} finally {
			failed.abort(new GatewayError("link-down", `Cannot set "${name}": the command was given up`));
			const left = (underWay.get(twin) ?? 1) - 1;
			if (left > 0) underWay.set(twin, left);
			else underWay.delete(twin);
		}
	}

	async function forward(link: Link, out: Outgoing, signal: AbortSignal): Promise<void> {
		const late = new AbortController();
		const cancel = clock.after(SEND_WITHIN, () => late.abort(new GatewayError("device-timeout", `Cannot send on link "${link.id}": it took longer than ${SEND_WITHIN / 1_000} s`)));
		try {
			await link.send(out, AbortSignal.any([signal, late.signal]));
		} finally {
			cancel();
		}
	}

	/** A burst of announcements is one change of topics. */
	function listenSoon(id: string): void {
		if (listening.has(id) || stopping.signal.aborted) return;
		listening.add(id);
		clock.after(LISTEN_AFTER, () => {
			listening.delete(id);
			if (!stopping.signal.aborted) listen(id);
		});
	}

	function listen(id: string): void {
		const { link, dialect } = byLink.get(id)!;
		if (!dialect.filters) return;
		const filters = dialect.filters();
		link.listen?.(filters);
		store.setFilters(id, filters); // after a restart the session at the broker still has them: what is no longer wanted is unsubscribed then
	}

	// ---- The uplink ----

	function say(stanza: Element | string): boolean {
		return stream.send(stanza);
	}

	function status(): GatewayStatus {
		return {
			started, uplink, devices: registry.size, faults: faults.all(),
			links: [...linkStates].map(([id, state]) => {
				const counters = byLink.get(id)?.link.counters?.();
				return { id, ...state, ...(counters && { counters }) };
			}),
			...(store.fault !== undefined && { store: store.fault }),
		};
	}

	// ---- Life ----

	for (const { link, dialect } of roads) {
		for (const announcement of dialect.announced()) announce(link.id, announcement);
		listen(link.id);
	}
	for (const { link, announcement, readings } of store.twins()) {
		const fixed = byLink.get(link)?.dialect.announced();
		if (!fixed) continue; // a link that is no longer configured has no devices
		// Where the config names the devices, the store brings back values, and no device that was taken out of the config.
		const twin = fixed.length > 0 ? registry.byPlace(link, announcement.address) : announce(link, announcement);
		twin?.restore(readings);
	}

	const running = Promise.all([
		...roads.map((road) => road.link.run({
			packet: (packet) => carry(road, packet),
			state: (state) => linkChanged(road, state),
			fault: (where, reason, sample) => faults.count(`${road.link.id}: ${where}`, reason, sample),
		}, stopping.signal)),
		watchSilence(),
	]);
	const upstream = stream.run({
		stanza: (stanza) => router.receive(stanza),
		state(state) {
			const wasUp = uplink.up;
			uplink = state.online ? { up: true, since: state.since } : { up: false, since: uplink.up ? clock.now() : uplink.since, reason: state.reason };
			if (state.online) {
				log.info({ domain }, `Uplink is online as ${domain}`);
				each((module) => module.connected?.());
				return;
			}
			if (wasUp) each((module) => module.disconnected?.());
			if (wasUp && !isStopping) log.warn({ domain, reason: state.reason }, `Uplink is offline: ${state.reason}`);
			else log[state.permanent ? "error" : "info"]({ domain, reason: state.reason }, `Uplink is not online: ${state.reason}`);
		},
	}, stopping.signal);

	let stopped: Promise<void> | undefined;
	async function shutDown(): Promise<void> {
		isStopping = true;
		each((module) => module.closing?.());
		await stream.close();
		stopping.abort(new GatewayError("link-down", "Cannot go on: the gateway is stopping"));
		const closed = new AbortController();
		await Promise.race([Promise.allSettled([running, upstream]), pause(clock, CLOSE_WITHIN, closed.signal)]);
		closed.abort();
		await store.close();
	}

	return {
		registry, execute, status,
		ended: Promise.all([running, upstream]).then(() => undefined),
		stop: () => (stopped ??= shutDown()),
	};
}

/** What contacts are told: hosts, paths and how to mend it are for the log and `status`, not for everybody who sees a device. */
function linkDown(id: string): string {
	return `its link "${id}" is down`;
}

/** Who commands from the machine itself, through the socket that only its user can open. */
export const LOCAL = "local";
