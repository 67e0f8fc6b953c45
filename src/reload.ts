// Another config for a running gateway: what differs, what that touches, and how it is done.
import { buildRoad, buildStream, type LoadedGateway, namings, reportsOf, settingsOf, type Surroundings } from "./assemble.js";
import { type Difference, differenceLine, differences } from "./config/differences.js";
import { Access } from "./core/access.js";
import { GatewayError, messageOf } from "./core/errors.js";
import type { Changes, Gateway } from "./gateway.js";
import type { Store } from "./store/store.js";

/** What another config means for a gateway that runs. */
export interface Effect {
	/** Each value that differs. */
	readonly differences: readonly Difference[];
	/** Links that are closed and opened again, opened, or closed. */
	readonly reopened: readonly string[];
	readonly opened: readonly string[];
	readonly closed: readonly string[];
	/** The stream to the server is made anew. */
	readonly reconnects: boolean;
	/** Keys that only a restart can change. */
	readonly needsRestart: readonly string[];
}

/** Addresses and folders that everything else stands on. */
const RESTART_KEYS: ReadonlySet<string> = new Set(["gateway.id", "gateway.data", "uplink.kind", "uplink.domain"]);

/** A config was refused although it is right: a link could not be made. */
export class RefusedError extends GatewayError {
	/** Links of the config of before that could not be opened again either. */
	readonly missing: ReadonlySet<string>;

	constructor(cause: unknown, missing: ReadonlySet<string>) {
		super("bad-config", `${messageOf(cause)}${missing.size === 0 ? "" : `; and link ${[...missing].map((id) => `"${id}"`).join(", ")} could not be opened again: its devices are gone until the config is read anew`}`, { cause });
		this.missing = missing;
	}
}

/** Compare. Nothing is touched. @param missing Links of the running config that are not open. */
export function effectOf(running: LoadedGateway, next: LoadedGateway, missing: ReadonlySet<string> = new Set()): Effect {
	const found = differences(running.config, next.config);
	const top = (key: string): Difference[] => found.filter(({ path }) => path[0] === key);
	const ids = [...next.plans.keys()];
	const isOpen = (id: string): boolean => running.plans.has(id) && !missing.has(id);
	return {
		differences: found,
		reopened: ids.filter((id) => isOpen(id) && running.plans.get(id)!.make !== next.plans.get(id)!.make),
		opened: ids.filter((id) => !isOpen(id)),
		closed: [...running.plans.keys()].filter((id) => isOpen(id) && !next.plans.has(id)),
		reconnects: top("uplink").length > 0 || found.some(({ path }) => path.join(".") === "limits.stanza"),
		needsRestart: found.map(({ path }) => path.slice(0, 2).join(".")).filter((key) => RESTART_KEYS.has(key)),
	};
}

/** For people, a line each: every difference, then what it touches. */
export function effectLines({ differences: found, reopened, opened, closed, reconnects, needsRestart }: Effect): string[] {
	const touched = [
		...opened.map((id) => `link "${id}" is opened`),
		...reopened.map((id) => `link "${id}" is closed and opened again`),
		...closed.map((id) => `link "${id}" is closed, and its devices are gone`),
		...(reconnects ? ["the stream to the server is closed and opened again"] : []),
		...(needsRestart.length > 0 ? [`needs a restart, and is refused until then: ${needsRestart.join(", ")}`] : []),
	];
	if (found.length === 0 && touched.length === 0) return ["nothing differs"];
	return [...found.map(differenceLine), ...(touched.length > 0 ? touched : ["no link and no stream is touched"])];
}

/**
 * Let a running gateway take another config.
 *
 * @returns What it changed.
 * @param missing Links of the running config that are not open.
 * @throws {GatewayError} `bad-config` for what needs a restart; {RefusedError} when a link cannot be made: then all is as before, as far as it says.
 */
export async function applyConfig(gateway: Gateway, store: Store, running: LoadedGateway, next: LoadedGateway, surroundings: Surroundings, missing: ReadonlySet<string> = new Set()): Promise<Effect> {
	const effect = effectOf(running, next, missing);
	const { reopened, opened, closed, reconnects, needsRestart } = effect;
	if (needsRestart.length > 0) throw new GatewayError("bad-config", `Cannot change ${needsRestart.map((key) => `"${key}"`).join(", ")} while running: restart Jidway for that`);
	const touches = (...keys: readonly string[]): boolean => effect.differences.some(({ path }) => keys.includes(path[0]!));
	const build = async (from: LoadedGateway, ids: readonly string[]): ReturnType<Changes["beginning"]> => {
		const built: Awaited<ReturnType<typeof buildRoad>>[] = [];
		try {
			for (const id of ids) built.push(await buildRoad(from.plans.get(id)!, surroundings, store));
			return built;
		} catch (error) {
			await Promise.allSettled(built.map(async (road) => road.close?.()));
			throw error;
		}
	};
	const lost = new Set(missing);
	const changes: Changes = {
		ending: [...reopened, ...closed],
		closing: closed,
		beginning: () => build(next, [...reopened, ...opened]),
		async restoring() {
			const restored = await Promise.all([...reopened, ...closed].map((id) => build(running, [id]).catch(() => {
				lost.add(id);
				return [];
			})));
			return restored.flat();
		},
		...(touches("gateway") && { name: next.config.gateway.name }),
		...(touches("access") && { access: new Access(next.config.access) }),
		...(touches("devices", "links") && { namings: namings(next.config) }),
		...(touches("report") && { reports: reportsOf(next.config) }),
		...(touches("history", "outbox") && { settings: settingsOf(next.config) }),
		...(reconnects && { stream: buildStream(next.config, surroundings) }),
	};
	try {
		await gateway.change(changes);
	} catch (error) {
		throw new RefusedError(error, lost);
	}
	return effect;
}
