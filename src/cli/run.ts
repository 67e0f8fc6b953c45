import { randomUUID } from "node:crypto";
import { loadGateway, type Surroundings } from "../assemble.js";
import { GatewayError, messageOf } from "../core/errors.js";
import type { GatewayStatus } from "../core/status.js";
import { startGateway } from "../gateway.js";
import { answerLocal } from "../local.js";
import { createLog } from "../log.js";
import { recorded } from "../record.js";
import { systemClock } from "../system-clock.js";
import { type ControlRequest, serveControl } from "../web/control-socket.js";
import { serveHealth } from "../web/health.js";
import { packageVersion } from "./version.js";

/** How long a stop may take: systemd and people wait for it. */
const STOP_WITHIN_MS = 5_000;

/**
 * Run the gateway until `stop` aborts.
 *
 * The data folder and the port for monitors are claimed first: a second gateway must not take over the sessions of the
 * first before it finds out that it is the second.
 *
 * @returns The exit code.
 * @throws {GatewayError} `bad-config` before any port is opened; `busy` when the folder or the port is another's.
 */
export async function run(configFile: string, recordTo: string | undefined, stop: AbortSignal): Promise<number> {
	const loaded = loadGateway(configFile, process.env);
	const log = createLog({ level: loaded.config.log.level, secrets: loaded.secrets });
	for (const warning of loaded.warnings) log.warn({}, warning);
	const surroundings: Surroundings = { clock: systemClock, random: Math.random, newId: randomUUID, log, version: packageVersion(), utcOffset: (at) => -new Date(at).getTimezoneOffset() };
	const closing: (() => Promise<void>)[] = [];
	const closeAll = async (): Promise<void> => void (await Promise.all(closing.splice(0).map((close) => close())));
	let answer = async (_request: ControlRequest): Promise<unknown> => {
		throw new GatewayError("busy", "Cannot answer yet: the gateway is starting");
	};
	let status = (): GatewayStatus => ({ started: systemClock.now(), uplink: { up: false, since: systemClock.now(), reason: "is starting" }, links: [], devices: 0, faults: [] });
	try {
		const control = await serveControl(loaded.dataFolder, (request) => answer(request));
		closing.push(control.close);
		const health = await serveHealth(loaded.config.web.listen, () => status());
		closing.push(health.close);
		const { parts, addressOf, close } = await loaded.open(recordTo === undefined ? surroundings : recorded(surroundings, loaded, recordTo));
		closing.push(close);
		const gateway = startGateway(parts);
		closing.push(gateway.stop);
		answer = (request) => answerLocal(gateway, addressOf, systemClock, request);
		status = gateway.status;
		log.info({ data: loaded.dataFolder, health: loaded.config.web.listen }, `${loaded.config.gateway.name} is running`);
		await Promise.race([gateway.ended, new Promise<void>((resolve) => (stop.aborted ? resolve() : stop.addEventListener("abort", () => resolve(), { once: true })))]);
		log.info({}, "Stopping");
		const hung = setTimeout(() => {
			log.error({}, `Cannot stop within ${STOP_WITHIN_MS / 1_000} s: something hangs, ending anyway`);
			process.exit(1);
		}, STOP_WITHIN_MS);
		hung.unref();
		await closeAll();
		clearTimeout(hung);
		log.info({}, "Stopped");
		return 0;
	} catch (error) {
		await closeAll();
		if (error instanceof GatewayError) throw error;
		log.error({ err: error }, `Cannot go on: ${messageOf(error)}`);
		return 1;
	}
}
