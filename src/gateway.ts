// The roof: the only file that sees both wings. The way of a reading can be read here from top to bottom; that of a command is in
// command-path.ts. Above 300 lines: one gateway, whose parts all meet here.
import type { Access } from "./core/access.js";
import type { Availability } from "./core/availability.js";
import { type Clock, type Millis, pause } from "./core/clock.js";
import type { Command, Outcome } from "./core/command.js";
import type { Announcement } from "./core/device.js";
import { GatewayError, messageOf } from "./core/errors.js";
import { FaultCounter } from "./core/fault-counter.js";
import type { Entry } from "./core/journal.js";
import type { Log } from "./core/log.js";
import type { Reading } from "./core/reading.js";
import { Repeats } from "./core/repeats.js";
import type { Naming, Registry } from "./core/registry.js";
import { ReportPolicy, type ReportRule } from "./core/report.js";
import type { GatewayStatus, RoadStatus } from "./core/status.js";
import type { Change, Twin } from "./core/twin.js";
import { CommandPath } from "./command-path.js";
import type { NorthWing } from "./north.js";
import type { Verbs, XepModule } from "./north/module.js";
import { linkDown, type Road, Roads, type RunningRoad } from "./roads.js";
import type { LinkState, Packet } from "./south/link.js";
import type { Meaning, Told } from "./south/meaning.js";
import type { Store, StoreSettings } from "./store/store.js";
import type { Stream } from "./xmpp/stream.js";
import type { Element } from "./xmpp/xml.js";

export interface Parts {
	/** The component's domain. */
	readonly domain: string;
	readonly name: string;
	readonly roads: readonly Road[];
	readonly registry: Registry;
	readonly access: Access;
	/** What leaves the gateway. Default: every change. */
	readonly reports?: readonly ReportRule[];
	readonly store: Store;
	readonly stream: Stream;
	readonly clock: Clock;
	readonly log: Log;
	/** What this gateway can do: the modules of the north wing, and the router that gives each stanza to one of them. */
	north(verbs: Omit<Verbs, "ask">): Pick<NorthWing, "modules" | "router"> & Partial<NorthWing>;
}

/** What a changed config changes. What is left out stays as it is. */
export interface Changes {
	readonly name?: string;
	readonly access?: Access;
	readonly namings?: readonly Naming[];
	readonly reports?: readonly ReportRule[];
	readonly settings?: StoreSettings;
	/** Links that end: those that are gone, and those that are made anew. */
	readonly ending: readonly string[];
	/** Of those the ones that are gone: what their brokers keep for us is let go of. */
	readonly closing: readonly string[];
	/** Makes the links that begin, once those have ended. Devices of a link of the same id stay. @throws {GatewayError} when one cannot be made. */
	beginning(): Promise<readonly Road[]>;
	/** Makes those anew that have ended: the config is refused as a whole. */
	restoring(): Promise<readonly Road[]>;
	/** Another road to the server. */
	readonly stream?: Stream;
}

/** The gateway while it runs. */
export interface Gateway extends Pick<Verbs, "registry" | "execute" | "status"> {
	/** Take another config; one at a time. What it does not change goes on as if nothing had happened. @throws {GatewayError} when a link cannot be made: then all is as before. */
	change(changes: Changes): Promise<void>;
	/** Say good-bye to everybody, write everything down, close every port. Ends within some seconds, whatever hangs. */
	stop(): Promise<void>;
	/** Resolves when the gateway has ended; rejects on a bug that it cannot go on with. */
	readonly ended: Promise<void>;
}

/** Silence is judged once a second: an explicit offline must be told within ten. */
const JUDGE_EVERY: Millis = 1_000;
/** How long announcements are collected before their topics are subscribed to. */
const LISTEN_AFTER: Millis = 50;
/** What was heard shortly before the end is acknowledged if it can be written by then. */
const FLUSH_WITHIN: Millis = 1_000;
/** How long a broker may take to take back what a link has listened to. */
const UNSUBSCRIBE_WITHIN: Millis = 500;
/** A stream that does not close by then is left behind. */
const CLOSE_WITHIN: Millis = 2_000;

/** Start everything. Nothing is open before this call, and nothing is left open after `stop()`. */
export function startGateway({ domain, name: firstName, roads: firstRoads, registry, access: firstAccess, reports = [], store, stream: firstStream, clock, log, north }: Parts): Gateway {
	let name = firstName;
	let access = firstAccess;
	let stream = firstStream;
	const stopping = new AbortController();
	const started = clock.now();
	let uplink: RoadStatus = { up: false, since: started, reason: "is connecting" };
	const counts = { received: 0, told: 0, stanzasSent: 0, stanzasReceived: 0 };
	let isStopping = false;
	let crash = (_error: unknown): void => {};
	const crashed = new Promise<never>((_, reject) => (crash = reject));
	crashed.catch(() => undefined); // whoever awaits `ended` hears of it
	const listening = new Set<string>();
	const repeats = new Repeats();
	const faults = new FaultCounter(clock, ({ where, reason, sample, count }) => log.warn({ where, reason, sample, count }, `Cannot use what "${where}" sent: ${reason}`));
	const roads = new Roads({ clock, ears: earsOf, crashed: (error) => crash(error) });
	const report = new ReportPolicy(reports);
	const commands = new CommandPath({
		registry, access: () => access, roads, clock, log, stopping: stopping.signal,
		expect: (twin, point, within) => report.expect(twin, point, clock.now(), within),
	});
	const execute = (command: Command): Promise<Outcome> => commands.execute(command);
	const { modules, router, letters } = north({
		domain, registry, clock, log, history: store, say, status, execute, online: () => stream.online,
		get name() { return name; },
		get access() { return access; },
	});

	// ---- South to north: packet → meaning → twin → journal and modules ----

	function carry(road: RunningRoad, packet: Packet): void {
		const entries: Entry[] = []; // also what was found before something failed
		let isKnown = false;
		try {
			isKnown = take(road, road.dialect.decode(packet), packet, entries);
		} catch (error) {
			// A decoder never throws for what it is fed: this is a bug, and one message must not end the link.
			log.error({ err: error, link: road.link.id }, `Cannot decode a message of link "${road.link.id}": ${messageOf(error)}`);
		}
		if (packet.delivery && (entries.length > 0 || isKnown)) {
			// Acknowledged when they are on disk, and what was told before them too. If the journal is closed before, its sender tells it again.
			store.append(entries, { link: road.link.id, ...packet.delivery }).then(() => packet.taken(), () => undefined);
		} else {
			store.note(entries);
			packet.taken();
		}
	}

	/** @param entries What belongs into the journal. @returns Was something of it told before? */
	function take({ link }: Road, meaning: Meaning, packet: Packet, entries: Entry[]): boolean {
		const now = clock.now();
		const live = packet.body.kind !== "message" || !packet.body.retained;
		let isKnown = false;
		remember(link.id, meaning, packet);
		for (const announcement of meaning.announced ?? []) announce(link.id, announcement);
		for (const address of meaning.gone ?? []) remove(link.id, address);
		for (const [twin, told] of byTwin(link.id, meaning.told ?? [])) {
			const readings = told.flatMap((each) => readingOf(twin, each, live, packet.received));
			const news = entriesOf(twin, readings);
			isKnown ||= live && news.length < readings.length;
			entries.push(...news);
			counts.received += readings.length;
			tell(twin.apply(readings, live, now));
		}
		if (live) for (const address of meaning.heard ?? []) changeOf(link.id, address, (twin) => twin.alive(now));
		for (const { address, state, reason } of meaning.states ?? []) changeOf(link.id, address, (twin) => twin.say(state, reason, now));
		for (const { where, reason, sample } of meaning.misfits ?? []) faults.count(`${link.id}: ${where}`, reason, sample);
		if (meaning.filters) listenSoon(link.id);
		for (const out of meaning.send ?? []) void commands.forward(link, out, stopping.signal).catch((error: unknown) => log.debug({ link: link.id }, messageOf(error)));
		return isKnown;
	}

	/** A message by which a device was described is heard again at the next start. */
	function remember(link: string, { announced = [], gone = [], filters, describes }: Meaning, { body }: Packet): void {
		if (body.kind === "message" && (announced.length > 0 || gone.length > 0 || filters || describes)) store.describe(link, body);
	}

	/** What was said about devices before. Nothing but what they are made of counts of it: no life and no readings. */
	function recall({ link, dialect, described = [] }: Road): void {
		for (const message of described) {
			try {
				const { announced = [] } = dialect.decode({ body: { kind: "message", ...message }, received: clock.now(), taken: () => undefined });
				for (const announcement of announced) announce(link.id, announcement, true);
			} catch (error) {
				// A bug, as in carry(); what is on disk must not keep the gateway from starting again and again.
				log.error({ err: error, link: link.id, topic: message.topic }, `Cannot decode what "${message.topic}" said before: ${messageOf(error)}`);
			}
		}
	}

	function announce(link: string, announcement: Announcement, isRestored = false): Twin | undefined {
		try {
			const { twin, isNew, merged } = registry.announce(link, announcement, clock.now());
			for (const other of merged) gone(other, "is known by another address now");
			if (!isRestored) store.touch(twin);
			if (isNew && roads.get(link)?.state.up === false) twin.link(linkDown(link), clock.now(), roads.get(link)?.kind);
			report.follow(twin, clock.now());
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
		report.forget(twin);
		log.info({ device: twin.device.id, link: twin.device.link }, `"${twin.device.name}" ${why}`);
		each((module) => module.removed?.(twin));
	}

	/** What is told, by device: one change for each, whatever the number of values. */
	function byTwin(link: string, told: readonly Told[]): Map<Twin, Told[]> {
		const found = new Map<Twin, Told[]>();
		for (const each of told) {
			const twin = registry.byPlace(link, each.address);
			if (!twin) continue;
			const same = found.get(twin);
			if (same) same.push(each);
			else found.set(twin, [each]);
		}
		return found;
	}

	function readingOf(twin: Twin, { point, value, at, quality }: Told, live: boolean, received: number): Reading[] {
		if (!Object.hasOwn(twin.device.points, point)) return []; // taken away by the description that came last
		return [{ point, value, at: at ?? received, received, quality: quality ?? "good", ...(!live && at === undefined && { ageUnknown: true as const }) }];
	}

	/**
	 * Every reading, once. A retained message is a copy: where its time is not known it belongs there only if nothing else is known of the point;
	 * and what is told twice with one time of its source is one reading.
	 */
	function entriesOf(twin: Twin, readings: readonly Reading[]): Entry[] {
		const { link, source: { address }, points } = twin.device;
		return readings.flatMap((reading) => {
			if (reading.ageUnknown ? twin.readings.has(reading.point) : repeats.isRepeated(twin, reading)) return [];
			const point = points[reading.point];
			return [{ link, address, reading, ...(point?.kind === "numeric" && point.unit !== undefined && { unit: point.unit }) }];
		});
	}

	function changeOf(link: string, address: string, change: (twin: Twin) => Change): void {
		const twin = registry.byPlace(link, address);
		if (twin) tell(change(twin));
	}

	function earsOf(road: RunningRoad): Parameters<Road["link"]["run"]>[0] {
		const { id } = road.link;
		return {
			packet: (packet) => carry(road, packet),
			state: (state) => linkChanged(id, state),
			fault: (where, reason, sample) => faults.count(`${id}: ${where}`, reason, sample),
		};
	}

	function linkChanged(id: string, state: LinkState): void {
		if (state.up) log.info({ link: id }, `Link "${id}" is up`);
		else if (!isStopping) log.warn({ link: id, reason: state.reason }, `Link "${id}" is down: ${state.reason}`);
		for (const twin of registry.all()) if (twin.device.link === id) tell(twin.link(state.up ? undefined : linkDown(id), clock.now(), roads.get(id)?.kind));
	}

	/** What dialects have to say by time, while their roads are open. */
	function remind(): void {
		for (const { state, link, dialect } of roads.all()) {
			if (!state.up) continue;
			for (const out of dialect.due?.(clock.now()) ?? []) void commands.forward(link, out, stopping.signal).catch((error: unknown) => log.debug({ link: link.id }, messageOf(error)));
		}
	}

	/** Silence is news too. */
	async function watchSilence(): Promise<void> {
		while (!stopping.signal.aborted) {
			await pause(clock, JUDGE_EVERY, stopping.signal);
			if (stopping.signal.aborted) return;
			remind();
			for (const twin of registry.all()) {
				const change = twin.judge(clock.now());
				if (change.availability || change.aged) tell(change);
			}
			for (const change of report.due(clock.now())) {
				if (change) pass(change);
				else await pause(clock, 0, stopping.signal); // other work first: there may be a great many at once
			}
		}
	}

	function tell(change: Change): void {
		if (change.readings.length === 0 && !change.availability && !change.aged) return;
		if (change.readings.length > 0 || change.twin.heard !== undefined) store.touch(change.twin);
		pass(report.take(change, clock.now()));
	}

	/** What leaves the gateway. */
	function pass(change: Change): void {
		if (change.readings.length === 0 && !change.availability && !change.aged) return;
		counts.told += change.readings.length;
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

	// ---- What is listened to ----

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
		const road = roads.get(id);
		const filters = road?.dialect.filters?.();
		if (!road || !filters) return;
		road.link.listen?.(filters);
		store.setFilters(id, filters); // after a restart the session at the broker still has them: what is no longer wanted is unsubscribed then
	}

	// ---- The uplink ----

	function say(stanza: Element | string): boolean {
		const isTaken = stream.send(stanza);
		if (isTaken) counts.stanzasSent++;
		return isTaken;
	}

	function runUplink(road: Stream): void {
		road.run({
			stanza(stanza) {
				counts.stanzasReceived++;
				router.receive(stanza);
			},
			state(state) {
				if (road !== stream) return; // another one has taken its place
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
		}, stopping.signal).catch((error: unknown) => crash(error));
	}

	function status(): GatewayStatus {
		return {
			started, uplink, devices: registry.size, faults: faults.all(),
			links: [...roads.all()].map(({ link, state }) => {
				const counters = link.counters?.();
				return { id: link.id, ...state, ...(counters && { counters }) };
			}),
			...(store.fault !== undefined && { store: store.fault }),
			counters: {
				availability: availabilities(registry.all()), readings: { received: counts.received, told: counts.told }, commands: commands.counts,
				store: store.counters(), ...(letters && { outbox: letters() }), stanzas: { sent: counts.stanzasSent, received: counts.stanzasReceived },
			},
		};
	}

	// ---- Another config ----

	let changing: Promise<void> = Promise.resolve();

	async function change({ ending, closing, beginning, restoring, ...rest }: Changes): Promise<void> {
		if (isStopping) return;
		const listened = closing.flatMap((id) => roads.get(id)?.link.listen ?? []);
		for (const id of closing) roads.get(id)?.link.listen?.([]);
		if (listened.length > 0) await pause(clock, UNSUBSCRIBE_WITHIN, stopping.signal);
		await Promise.all(ending.map((id) => roads.stop(id)));
		let failure: Error | undefined;
		const begun = await beginning().catch((error: unknown) => {
			failure = error instanceof Error ? error : new Error(messageOf(error));
			return restoring();
		});
		for (const road of begun) roads.add(road);
		const { namings, reports: newReports } = failure === undefined ? rest : {};
		if (namings) registry.configure(namings);
		if (newReports) {
			registry.report(newReports);
			report.replace(newReports, clock.now());
			for (const twin of registry.all()) report.follow(twin, clock.now());
		}
		for (const twin of [...registry.all()]) settle(twin, ending);
		if (namings) rename();
		for (const road of begun) {
			for (const announcement of road.dialect.announced()) announce(road.link.id, announcement);
			recall(road);
			listen(road.link.id);
		}
		if (isStopping) return void (await Promise.all(begun.map(({ link }) => roads.stop(link.id))));
		for (const { link } of begun) roads.start(link.id);
		if (failure !== undefined) throw failure;
		for (const id of closing) store.forgetLink(id);
		if (rest.settings) store.configure(rest.settings);
		name = rest.name ?? name;
		if (rest.access) {
			access = rest.access;
			each((module) => module.accessChanged?.());
		}
		if (rest.stream) await moveTo(rest.stream);
	}

	/** What becomes of a device under another config. */
	function settle(twin: Twin, ending: readonly string[]): void {
		const { link, source } = twin.device;
		const road = roads.get(link);
		const fixed = road && ending.includes(link) ? road.dialect.announced() : [];
		if (!road || (fixed.length > 0 && !fixed.some(({ address }) => address.toLowerCase() === source.address.toLowerCase()))) {
			registry.remove(link, source.address);
			return gone(twin, "is no longer in the config");
		}
		if (ending.includes(link)) tell(twin.link(linkDown(link), clock.now(), road.kind));
	}

	/** The config names devices in another way. Another id is another address: for everybody who knew the old one, it is gone. */
	function rename(): void {
		const changed = [...registry.all()].filter((twin) => !registry.isNamed(twin));
		for (const twin of changed) {
			if (registry.idOf(twin.device.link, twin.device.source) === twin.device.id) continue;
			const from = twin.device.id;
			each((module) => module.renamed?.(from, twin));
			each((module) => module.removed?.(twin));
			report.forget(twin);
			registry.free(twin); // several may change places
		}
		for (const twin of [...registry.all()]) {
			if (changed.includes(twin) || !registry.isDisowned(twin)) continue;
			registry.remove(twin.device.link, twin.device.source.address);
			gone(twin, "has an id that the config gives to another device now");
		}
		for (const twin of changed) {
			const { link, source } = twin.device;
			if (announce(link, source)) continue;
			each((module) => module.removed?.(twin));
			registry.remove(link, source.address);
			store.forget(twin);
		}
	}

	async function moveTo(next: Stream): Promise<void> {
		const before = stream;
		each((module) => module.disconnected?.());
		uplink = { up: false, since: clock.now(), reason: "is connecting with another config" };
		stream = next;
		await before.close();
		if (isStopping) return;
		runUplink(next);
	}

	// ---- Life ----

	for (const road of firstRoads) {
		roads.add(road);
		for (const announcement of road.dialect.announced()) announce(road.link.id, announcement);
	}
	const before = store.twins();
	for (const { link, announcement } of before) {
		const fixed = roads.get(link)?.dialect.announced();
		// A link that is no longer configured has no devices; where the config names them, the store brings back values alone.
		if (announcement && fixed?.length === 0) announce(link, announcement, true);
	}
	for (const road of firstRoads) recall(road);
	for (const { link, address, readings } of before) {
		const twin = registry.byPlace(link, address);
		twin?.restore(readings);
		if (twin) report.follow(twin, clock.now());
	}
	for (const { link } of firstRoads) {
		listen(link.id);
		roads.start(link.id);
	}
	watchSilence().catch(crash);
	runUplink(stream);

	let stopped: Promise<void> | undefined;
	let finish = (): void => {};
	const finished = new Promise<void>((resolve) => (finish = resolve));

	async function shutDown(): Promise<void> {
		isStopping = true;
		each((module) => module.closing?.());
		await Promise.all([within(CLOSE_WITHIN, stream.close()), within(FLUSH_WITHIN, store.flush())]);
		stopping.abort(new GatewayError("link-down", "Cannot go on: the gateway is stopping"));
		await within(CLOSE_WITHIN, changing);
		await roads.stopAll();
		await store.close();
		finish();
	}

	async function within(span: Millis, work: Promise<void>): Promise<void> {
		const done = new AbortController();
		await Promise.race([work.catch(() => undefined), pause(clock, span, done.signal)]);
		done.abort();
	}

	return {
		registry, execute, status,
		change: (changes) => {
			const next = changing.then(() => change(changes));
			changing = next.catch(() => undefined);
			return next;
		},
		ended: Promise.race([finished, crashed]),
		stop: () => (stopped ??= shutDown()),
	};
}

function availabilities(twins: Iterable<Twin>): Record<Availability, number> {
	const counts: Record<Availability, number> = { online: 0, late: 0, faulty: 0, asleep: 0, offline: 0, unknown: 0 };
	for (const { availability } of twins) counts[availability]++;
	return counts;
}
