import { randomUUID } from "node:crypto";
import { type LoadedGateway, loadGateway, type Surroundings } from "../assemble.js";
import { GatewayError, messageOf } from "../core/errors.js";
import type { GatewayStatus } from "../core/status.js";
import { startGateway } from "../gateway.js";
import { answerLocal } from "../local.js";
import { createLog } from "../log.js";
import { recorded } from "../record.js";
import { applyConfig, type Effect, effectLines, effectOf, RefusedError } from "../reload.js";
import { systemClock } from "../system-clock.js";
import { type ControlRequest, serveControl } from "../web/control-socket.js";
import { type HealthServer, serveHealth } from "../web/health.js";
import { metricsPage, watchLoopDelay } from "../web/metrics.js";
import { serviceManager } from "./service-manager.js";
import type { Signals } from "./signals.js";
import { packageVersion } from "./version.js";

/** How long a stop may take: systemd and people wait for it. */
const STOP_WITHIN_MS = 5_000;

/**
 * Run the gateway until it is told to stop.
 *
 * The data folder and the port for monitors are claimed first: a second gateway must not take over the sessions of the
 * first before it finds out that it is the second.
 *
 * @returns The exit code.
 * @throws {GatewayError} `bad-config` before any port is opened; `busy` when the folder or the port is another's.
 */
export async function run(configFile: string, recordTo: string | undefined, { stop, onHangup }: Signals): Promise<number> {
	let loaded = loadGateway(configFile, process.env);
	const log = createLog({ level: loaded.config.log.level, secrets: loaded.secrets });
	for (const warning of loaded.warnings) log.warn({}, warning);
	const manager = serviceManager(process.env, log);
	const plain: Surroundings = { clock: systemClock, elapsed: () => performance.now(), random: Math.random, newId: randomUUID, log, version: packageVersion(), utcOffset: (at) => -new Date(at).getTimezoneOffset() };
	const surroundings = recordTo === undefined ? plain : recorded(plain, loaded, recordTo);
	const closing: (() => Promise<void>)[] = [];
	/** Whatever hangs, the process ends. */
	const endSoon = (): void => {
		setTimeout(() => {
			log.error({}, `Cannot stop within ${STOP_WITHIN_MS / 1_000} s: something hangs, ending anyway`);
			process.exit(1);
		}, STOP_WITHIN_MS).unref();
	};
	const closeAll = async (): Promise<void> => {
		endSoon();
		await Promise.all(closing.splice(0).map((close) => close()));
	};
	stop.addEventListener("abort", endSoon, { once: true });
	let answer = async (_request: ControlRequest): Promise<unknown> => {
		throw new GatewayError("busy", "Cannot answer yet: the gateway is starting");
	};
	let status = (): GatewayStatus => ({ started: systemClock.now(), uplink: { up: false, since: systemClock.now(), reason: "is starting" }, links: [], devices: 0, faults: [] });
	const delay = watchLoopDelay();
	closing.push(async () => delay.stop());
	const metrics = metricsPage({
		version: packageVersion(),
		process: () => {
			const { user, system } = process.cpuUsage();
			return { rssBytes: process.memoryUsage.rss(), cpuSeconds: (user + system) / 1e6, loopDelayP99Seconds: delay.p99() };
		},
	});
	const serve = (listen: string): Promise<HealthServer> => serveHealth(listen, () => status(), () => metrics(status()));
	try {
		const control = await serveControl(loaded.dataFolder, (request) => answer(request));
		closing.push(control.close);
		let health = await serve(loaded.config.web.listen);
		closing.push(() => health.close());
		let reloadNow = (): void => void (isAsked = true);
		let isAsked = false; // while the database is being opened
		onHangup(() => reloadNow());
		const { parts, addressOf } = await loaded.open(surroundings);
		const gateway = startGateway(parts);
		closing.push(gateway.stop);
		/** Links of the present config that could not be opened again when another one was refused. */
		let missing: ReadonlySet<string> = new Set();
		answer = async (request) => {
			if (request.ask === "diff") return effectLines(effectOf(loaded, loadGateway(request.file, process.env), missing));
			return answerLocal(gateway, parts.store, addressOf, systemClock, request);
		};
		status = gateway.status;

		/** Take the changed file as a whole, or leave everything as it is. */
		const reload = async (): Promise<void> => {
			const next = loadGateway(configFile, process.env);
			log.configure({ level: loaded.config.log.level, secrets: next.secrets }); // before anything of it can be logged
			const { listen } = next.config.web;
			const moved = listen === loaded.config.web.listen ? undefined : await serve(listen);
			let effect: Effect;
			try {
				effect = await applyConfig(gateway, parts.store, loaded, next, surroundings, missing);
				missing = new Set();
			} catch (error) {
				if (error instanceof RefusedError) missing = error.missing;
				await moved?.close();
				throw error;
			}
			loaded = next;
			if (moved) {
				await health.close();
				health = moved;
			}
			log.configure({ level: next.config.log.level, secrets: next.secrets });
			for (const warning of next.warnings) log.warn({}, warning);
			log.info({ changes: effectLines(effect) }, `The config was read again: ${effect.differences.length} ${effect.differences.length === 1 ? "value differs" : "values differ"}`);
		};
		let reloading: Promise<void> = Promise.resolve();
		reloadNow = () => {
			reloading = reloading.then(async () => {
				manager.reloading();
				await reload();
			}).catch((error: unknown) => {
				log.error({ reason: messageOf(error) }, "Cannot take the changed config, and goes on with the one of before");
			}).then(() => manager.ready(summary(loaded)));
		};

		log.info({ data: loaded.dataFolder, health: loaded.config.web.listen }, `${loaded.config.gateway.name} is running`);
		manager.ready(summary(loaded));
		if (isAsked) reloadNow();
		await Promise.race([gateway.ended, new Promise<void>((resolve) => (stop.aborted ? resolve() : stop.addEventListener("abort", () => resolve(), { once: true })))]);
		log.info({}, "Stopping");
		await Promise.all([manager.stopping(), closeAll()]);
		log.info({}, "Stopped");
		return 0;
	} catch (error) {
		await closeAll();
		if (error instanceof GatewayError) throw error;
		log.error({ err: error }, `Cannot go on: ${messageOf(error)}`);
		return 1;
	}
}

function summary({ config }: LoadedGateway): string {
	return `${config.gateway.name}: ${config.links.length} ${config.links.length === 1 ? "link" : "links"}, uplink ${config.uplink.domain}`;
}
