// From a config file to the parts of a gateway. Everything that can be wrong is found before a port is opened.
import { readFileSync } from "node:fs";
import { isAbsolute, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { ConfigError, type ConfigFault, type LoadedConfig, loadConfig } from "./config/load.js";
import type { Config, LinkConfig, MqttLinkConfig, SerialLinkConfig } from "./config/schema.js";
import { Access } from "./core/access.js";
import type { Clock, Millis, UnixMillis } from "./core/clock.js";
import { GatewayError, messageOf } from "./core/errors.js";
import { FaultCounter } from "./core/fault-counter.js";
import type { Log } from "./core/log.js";
import { nearest } from "./core/nearest.js";
import { type Naming, Registry } from "./core/registry.js";
import type { ReportRule } from "./core/report.js";
import type { Parts } from "./gateway.js";
import { northWing } from "./north.js";
import { jidOf } from "./north/addresses.js";
import { buildConventions, CONVENTION_NAMES } from "./south/conventions/all.js";
import type { Road } from "./roads.js";
import { type Definition, loadDefinitions } from "./south/definition.js";
import type { Link, Memory } from "./south/link.js";
import { checkBroker, startBroker } from "./south/mqtt/broker.js";
import { MqttDialect } from "./south/mqtt/dialect.js";
import { withoutEchoes } from "./south/mqtt/echoes.js";
import { defaultClientId, type MqttOptions, placeFrom } from "./south/mqtt/options.js";
import { MqttLink } from "./south/mqtt/session.js";
import { TopicRules } from "./south/mqtt/topics.js";
import { SerialDialect } from "./south/serial/dialect.js";
import { SerialLink } from "./south/serial/link.js";
import { type PortOpener, serialPorts } from "./south/serial/port.js";
import { Store, type StoreSettings } from "./store/store.js";
import { Component, type ComponentOptions } from "./xmpp/component.js";
import type { Stream } from "./xmpp/stream.js";

/** What only the process has: time, chance, and the real roads. Tests and the recorder hand in others. */
export interface Surroundings {
	readonly clock: Clock;
	/** Grows with the time that passes, however the wall clock is set. Default: `clock` is believed. */
	readonly elapsed?: () => Millis;
	/** 0 ≤ x < 1. */
	readonly random: () => number;
	/** A fresh, unguessable id. */
	readonly newId: () => string;
	readonly log: Log;
	readonly version: string;
	/** Minutes east of UTC at a moment. Default: 0. */
	readonly utcOffset?: (at: number) => number;
	/** False: the database works in this thread, for a clock that stands still. */
	readonly thread?: boolean;
	readonly stream?: (options: ComponentOptions) => Stream;
	readonly mqtt?: (id: string) => Link;
	readonly ports?: PortOpener;
	/** Laid around every link before it runs. */
	readonly around?: (link: Link) => Link;
}

/** A gateway that is checked and not yet started. */
export interface LoadedGateway {
	readonly config: Config;
	/** What the config file says, as it says it. Secrets are in it. */
	readonly said: unknown;
	readonly dataFolder: string;
	readonly secrets: readonly string[];
	/** What is not wrong, and still worth knowing. */
	readonly warnings: readonly string[];
	/** The links, checked, by id. */
	readonly plans: ReadonlyMap<string, Plan>;
	/** Open the database and the embedded brokers, and make the parts. @throws {GatewayError} */
	open(surroundings: Surroundings): Promise<OpenGateway>;
	/** Roads that only try whether there is somebody at the other end: nothing is heard, kept or left behind. @throws {GatewayError} */
	probe(surroundings: Surroundings): Promise<Probe>;
}

/** For `jidway check --online`. */
export interface Probe {
	readonly stream: Stream;
	readonly links: readonly Link[];
	close(): Promise<void>;
}

/** What is open, and the gateway's to close. */
export interface OpenGateway {
	readonly parts: Parts;
	/** The XMPP address of a device. */
	addressOf(id: string): string;
}

/** Definitions that come with Jidway; beside src/ in a clone and beside dist/ when installed. */
const OWN_DEFINITIONS = fileURLToPath(new URL("../devices", import.meta.url));

/** Read and check a config file with all that it names. @throws {ConfigError} with every fault; {GatewayError} `bad-config`. */
export function loadGateway(file: string, env: Readonly<Record<string, string | undefined>>): LoadedGateway {
	return planGateway(loadConfig(file, env));
}

/** The same, for a config that is read already. @throws {ConfigError} */
export function planGateway(loaded: LoadedConfig): LoadedGateway {
	const { config, said, folder, secrets, fault } = loaded;
	const at = (path: string): string => (isAbsolute(path) ? path : resolve(folder, path));
	const definitions = loadDefinitions([OWN_DEFINITIONS, ...(config.definitions === undefined ? [] : [at(config.definitions)])]);
	const faults: ConfigFault[] = [];
	const warnings: string[] = [];
	config.devices.forEach(({ definition }, index) => {
		if (definition === undefined || definitions.has(definition)) return;
		const near = nearest(definition, [...definitions.keys()]);
		faults.push(fault(["devices", index, "definition"], `names no model that Jidway knows: "${definition}"${near === undefined ? "; devices/ and your own \"definitions:\" folder are read" : `; did you mean "${near}"?`}`));
	});
	const plans = faults.length > 0 ? [] : config.links.flatMap((link, index) => {
		try {
			return [link.kind === "mqtt" ? planMqtt(link, config, at) : planSerial(link, config, definitions)];
		} catch (error) {
			if (!(error instanceof GatewayError)) throw error;
			faults.push(fault(["links", index], error.message));
			return [];
		}
	});
	if (faults.length > 0) throw new ConfigError(faults);
	if (config.access.length === 0) warnings.push("Nobody may see or command anything: \"access:\" has no rule");
	warnings.push(...plans.flatMap((plan) => plan.warnings));
	return { config, said, dataFolder: at(config.gateway.data), secrets, warnings, plans: new Map(plans.map((plan) => [plan.id, plan])), open: (surroundings) => open(config, at(config.gateway.data), plans, surroundings), probe: (surroundings) => probe(config, plans, surroundings) };
}

/** What an earlier run left; nothing for a probe, which leaves nothing itself. */
export type Before = Pick<Store, "filters" | "delivered" | "release" | "descriptions">;

/** A link that is checked, and not made. */
export interface Plan {
	readonly id: string;
	readonly warnings: readonly string[];
	/** Everything that the link is made from: two plans of the same make are the same link. Secrets are in it. */
	readonly make: string;
	/** Make the road. Each one is new. @throws {GatewayError} when its port or its file cannot be had. */
	build(surroundings: Surroundings, before: Before | undefined): Promise<Road>;
}

function planMqtt(link: MqttLinkConfig, config: Config, at: (path: string) => string): Plan {
	for (const name of link.conventions ?? []) {
		if (CONVENTION_NAMES.some((known) => known === name)) continue;
		const near = nearest(name, CONVENTION_NAMES);
		throw new GatewayError("bad-config", `conventions: names none that Jidway knows: "${name}"${near === undefined ? `; there are ${CONVENTION_NAMES.join(", ")}` : `; did you mean "${near}"?`}`);
	}
	const { notBuilt } = buildConventions(link.conventions);
	// A config that names Sparkplug makes the gateway a host application of it, which says in everybody's broker that it is there.
	const hosts = link.conventions?.includes("sparkplug") ? { sparkplug: { host: config.gateway.id } } : {};
	const makeDialect = (): MqttDialect => new MqttDialect(new TopicRules(link.topics), buildConventions(link.conventions, hosts).conventions);
	makeDialect(); // its rules are checked here, and not when the link is made
	const pem = (path: string | undefined): Buffer | undefined => {
		if (path === undefined) return undefined;
		try {
			return readFileSync(at(path));
		} catch (error) {
			throw new GatewayError("bad-config", `Cannot read "${path}": ${messageOf(error)}`, { cause: error });
		}
	};
	const [ca, cert, key, brokerCert, brokerKey] = [link.ca, link.cert, link.key, link.broker?.tls?.cert, link.broker?.tls?.key].map(pem);
	const options = (url: string): MqttOptions => ({
		url, version: link.version, clientId: link.client_id ?? defaultClientId(config.gateway.id, link.id), session: link.session,
		...(link.username !== undefined && { username: link.username }), ...(link.password !== undefined && { password: link.password }),
		...(ca && { ca }), ...(cert && { cert }), ...(key && { key }),
	});
	if (link.url !== undefined) placeFrom(options(link.url));
	if (link.broker) checkBroker({ listen: link.broker.listen, ...(link.broker.users && { users: link.broker.users }) });
	return {
		id: link.id,
		make: JSON.stringify([config.gateway.id, link, [ca, cert, key, brokerCert, brokerKey].map((file) => file?.toString("base64"))]),
		warnings: notBuilt.map((name) => `Link "${link.id}": the convention "${name}" is known and not built yet; it is left out`),
		async build({ clock, random, newId, mqtt, log }, before) {
			// A probe has a session of its own: in the gateway's it would take what is kept for the gateway.
			const session = before ? { before: before.filters(link.id), memory: memoryOf(link.id, before) } : { clean: true, clientId: `jidway-check-${newId().slice(0, 8)}` };
			const dialect = makeDialect();
			const presence = before ? { presence: (now: UnixMillis) => dialect.presence(now) } : {};
			if (mqtt) return { kind: "mqtt", link: withoutEchoes(mqtt(link.id), clock), dialect };
			if (!link.broker) return { kind: "mqtt", link: withoutEchoes(new MqttLink(link.id, { ...options(link.url!), ...session, ...presence }, clock, random), clock), dialect };
			const faults = new FaultCounter(clock, ({ where, reason, sample, count }) => log.warn({ link: link.id, where, sample, count }, `Broker of link "${link.id}": ${where}: ${reason}`));
			const broker = await startBroker({
				id: link.id, listen: link.broker.listen, ...presence, ...(before && { memory: memoryOf(link.id, before) }),
				...(link.broker.users && { users: link.broker.users }), ...(brokerCert && brokerKey && { tls: { cert: brokerCert, key: brokerKey } }),
			}, clock, (where, reason, sample) => faults.count(where, reason, sample));
			return { kind: "mqtt", link: broker.link, dialect, close: () => broker.close() };
		},
	};
}

function planSerial(link: SerialLinkConfig, config: Config, definitions: ReadonlyMap<string, Definition>): Plan {
	const devices = config.devices.filter((device) => device.link === link.id).map(({ address, definition, every }) => ({
		...(address !== undefined && { address }), ...(definition !== undefined && { definition: definitions.get(definition)! }), ...(every !== undefined && { every }),
	}));
	const makeDialect = (): SerialDialect => new SerialDialect({ link: link.id, protocol: link.protocol, devices });
	makeDialect();
	return {
		id: link.id,
		make: JSON.stringify([link, devices], (_key, value: unknown) => (typeof value === "bigint" ? String(value) : value)),
		warnings: link.protocol === "modbus-rtu" && devices.length === 0 ? [`Link "${link.id}": no device is configured on it, so nothing is asked`] : [],
		async build({ clock, ports = serialPorts(clock) }, before) {
			const { id, path, baud, parity, data, stop, protocol } = link;
			const dialect = makeDialect();
			return {
				kind: "serial", dialect,
				link: new SerialLink({
					id, path, baud, parity, data, stop, protocol, clock, ports, lineEnd: dialect.lineEnd, framer: () => dialect.framer(), longest: dialect.longest,
					polls: before ? dialect.polls : [], questions: before ? dialect.questions : [], ...(before && { memory: memoryOf(id, before) }),
				}),
			};
		},
	};
}

function memoryOf(link: string, before: Before): Memory {
	return { delivered: before.delivered(link), release: (ids) => before.release(link, ids) };
}

/** A road as the surroundings want it. @throws {GatewayError} */
export async function buildRoad(plan: Plan, surroundings: Surroundings, before: Before): Promise<Road> {
	// Without them the first readings that a broker has kept may mean nothing; that is no reason to have no link.
	const described = await before.descriptions(plan.id).catch((error: unknown) => {
		surroundings.log.warn({ link: plan.id, reason: messageOf(error) }, `Cannot read what was said about the devices of link "${plan.id}"`);
		return [];
	});
	const road = await plan.build(surroundings, before);
	return { ...road, described, link: surroundings.around?.(road.link) ?? road.link };
}

/** The road to the server. */
export function buildStream(config: Config, { clock, random, stream = (options) => new Component(options) }: Surroundings): Stream {
	const { domain, host, port, secret } = config.uplink;
	return stream({ domain, host, port, secret, clock, random, limits: { stanzaBytes: config.limits.stanza } });
}

async function open(config: Config, dataFolder: string, plans: readonly Plan[], surroundings: Surroundings): Promise<OpenGateway> {
	const { clock, elapsed, newId, log, version, utcOffset = () => 0, thread = true } = surroundings;
	const { domain } = config.uplink;
	const reports = reportsOf(config);
	const registry = new Registry(namings(config), reports);
	const store = await Store.open({ folder: dataFolder, clock, ...(elapsed && { elapsed }), log, thread, ...settingsOf(config), onFresh: () => [...registry.all()].forEach((twin) => store.touch(twin)) });
	const roads: Road[] = [];
	try {
		for (const plan of plans) roads.push(await buildRoad(plan, surroundings, store));
	} catch (error) {
		await Promise.allSettled(roads.map(async (road) => road.close?.()));
		await store.close();
		throw error;
	}
	return {
		addressOf: (id) => jidOf(domain, id) ?? id,
		parts: {
			domain, name: config.gateway.name, roads, store, clock, log,
			registry, reports,
			access: new Access(config.access),
			stream: buildStream(config, surroundings),
			north: (verbs) => northWing(verbs, { store, newId, version, utcOffset }),
		},
	};
}

/** `report:` in the words of core. */
export function reportsOf({ report }: Config): ReportRule[] {
	return report.map(({ points, deadband, heartbeat, min_interval: minInterval, max_age: maxAge }) => ({
		points, ...(deadband !== undefined && { deadband }), ...(heartbeat !== undefined && { heartbeat }), ...(minInterval !== undefined && { minInterval }), ...(maxAge !== undefined && { maxAge }),
	}));
}

/** What the store is told of the config. */
export function settingsOf({ history, outbox }: Config): StoreSettings {
	return { ...history, outbox };
}

async function probe(config: Config, plans: readonly Plan[], surroundings: Surroundings): Promise<Probe> {
	const { domain, host, port, secret } = config.uplink;
	const { clock, random } = surroundings;
	const built = await Promise.all(plans.map((plan) => plan.build(surroundings, undefined)));
	return {
		stream: new Component({ domain, host, port, secret, clock, random }),
		links: built.map(({ link }) => link),
		close: async () => void (await Promise.allSettled(built.map(async (each) => each.close?.()))),
	};
}

/** What `devices:` says of names and points. A line port has one device, whose address is its link when nothing else is said. */
export function namings(config: Config): Naming[] {
	const links = new Map<string, LinkConfig>(config.links.map((link) => [link.id, link]));
	return config.devices.filter(({ link }) => links.has(link)).map(({ id, link, address, name, every, points }) => ({
		id, link, address: address ?? link,
		...(name !== undefined && { name }), ...(every !== undefined && { every }), ...(points !== undefined && { points }),
	}));
}
