import { randomUUID } from "node:crypto";
import { loadGateway, type Surroundings } from "../assemble.js";
import { GatewayError, messageOf } from "../core/errors.js";
import { startGateway } from "../gateway.js";
import { answerLocal } from "../local.js";
import { createLog } from "../log.js";
import { systemClock } from "../system-clock.js";
import { recorded } from "../record.js";
import { serveControl } from "../web/control-socket.js";
import { serveHealth } from "../web/health.js";
import { packageVersion } from "./version.js";

/** How long a stop may take: systemd and people wait for it. */
const STOP_WITHIN_MS = 5_000;

/**
 * Run the gateway until `stop` aborts.
 *
 * @returns The exit code.
 * @throws {GatewayError} `bad-config` before any port is opened.
 */
export async function run(configFile: string, recordTo: string | undefined, stop: AbortSignal): Promise<number> {
	const loaded = loadGateway(configFile, process.env);
	const log = createLog({ level: loaded.config.log.level, secrets: loaded.secrets });
	for (const warning of loaded.warnings) log.warn({}, warning);
	const surroundings: Surroundings = { clock: systemClock, random: Math.random, newId: randomUUID, log, version: packageVersion(), utcOffset: (at) => -new Date(at).getTimezoneOffset() };
	const { parts, addressOf, close } = await loaded.open(recordTo === undefined ? surroundings : recorded(surroundings, loaded, configFile, recordTo));
	const gateway = startGateway(parts);
	try {
		const control = await serveControl(loaded.dataFolder, (request) => answerLocal(gateway, addressOf, systemClock, request));
		const health = await serveHealth(loaded.config.web.listen, gateway.status);
		log.info({ data: loaded.dataFolder, health: loaded.config.web.listen }, `${loaded.config.gateway.name} is running`);
		await Promise.race([gateway.ended, new Promise<void>((resolve) => (stop.aborted ? resolve() : stop.addEventListener("abort", () => resolve(), { once: true })))]);
		log.info({}, "Stopping");
		const hung = setTimeout(() => {
			log.error({}, `Cannot stop within ${STOP_WITHIN_MS / 1_000} s: something hangs, ending anyway`);
			process.exit(1);
		}, STOP_WITHIN_MS);
		hung.unref();
		await Promise.all([control.close(), health.close(), gateway.stop()]);
		await close();
		clearTimeout(hung);
		log.info({}, "Stopped");
		return 0;
	} catch (error) {
		await gateway.stop();
		await close();
		if (error instanceof GatewayError) throw error;
		log.error({ err: error }, `Cannot go on: ${messageOf(error)}`);
		return 1;
	}
}
