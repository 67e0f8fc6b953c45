// Everything that goes wrong in the field, in an order and for a time that a seed decides. Each fault heals what it broke.

import { readFileSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { GatewayProcess } from "../gateway-process.js";
import type { Mosquitto } from "../servers/mosquitto.js";
import { waitUntil } from "../servers/processes.js";
import type { XmppServer } from "../servers/server.js";
import { shuffled } from "./chance.js";
import type { Fleet } from "./fleet.js";
import type { Ledger } from "./ledger.js";
import type { SilentProxy } from "./silent-proxy.js";
import type { SmallDisk } from "./small-disk.js";

export interface Stage {
	readonly gateway: GatewayProcess;
	readonly server: XmppServer;
	readonly broker: Mosquitto;
	/** Between the gateway and the XMPP server. */
	readonly uplink: SilentProxy;
	/** Between the gateway and the broker. */
	readonly road: SilentProxy;
	readonly fleet: Fleet;
	readonly ledger: Ledger;
	/** Where the data are; nothing where no disk could be mounted. */
	readonly disk: SmallDisk | undefined;
	readonly chance: () => number;
	readonly tell: (line: string) => void;
}

interface Fault {
	readonly name: string;
	/** The process ends. */
	readonly restarts?: true;
	/** Only in a soak of minutes. */
	readonly isLong?: true;
	readonly needsDisk?: true;
	run(stage: Stage, ms: number): Promise<void>;
}

/** A broker that is killed promises nothing for what it took since it last wrote its state, which it does once a second. */
const BROKER_SAVES_MS = 3_000;

const FAULTS: readonly Fault[] = [
	{
		name: "gateway: kill -9", restarts: true,
		run: async ({ gateway }, ms) => {
			await gateway.kill();
			await sleep(ms / 2);
			await gateway.start();
		},
	},
	{
		name: "gateway: kill -9 while it starts", restarts: true,
		run: async ({ gateway, chance }) => {
			await gateway.kill();
			await gateway.start();
			await sleep(300 + 1_500 * chance());
			await gateway.kill();
			await gateway.start();
		},
	},
	{
		name: "gateway: SIGTERM", restarts: true,
		run: async ({ gateway }, ms) => {
			await loaded(gateway);
			await gateway.stop();
			await sleep(ms / 2);
			await gateway.start();
		},
	},
	{
		name: "broker: stop and start",
		run: async ({ broker }, ms) => {
			await broker.halt();
			await sleep(ms);
			await broker.restart();
		},
	},
	{ name: "broker: freeze", run: async ({ broker }, ms) => frozen(broker, ms) },
	{
		name: "XMPP server: stop and start",
		run: async ({ server }, ms) => {
			await server.halt();
			await sleep(ms);
			await server.restart();
		},
	},
	{
		name: "XMPP server: kill -9",
		run: async ({ server }, ms) => {
			await server.kill();
			await sleep(ms);
			await server.restart();
		},
	},
	{ name: "XMPP server: freeze", run: async ({ server }, ms) => frozen(server, ms) },
	{ name: "uplink: silence", run: async ({ uplink }, ms) => silence(uplink, ms) },
	{ name: "broker link: silence", run: async ({ road }, ms) => silence(road, ms) },
	{ name: "uplink: cut", run: async ({ uplink }) => uplink.cut() },
	{ name: "broker link: cut", run: async ({ road }) => road.cut() },
	{ name: "devices: cut", run: async ({ fleet, chance }) => fleet.cutSome(5 + Math.floor(40 * chance())) },
	{
		name: "disk: full", needsDisk: true,
		run: async ({ disk }, ms) => {
			disk?.fill();
			try {
				await sleep(2 * ms);
			} finally {
				disk?.free();
			}
		},
	},
	{ name: "config: SIGHUP", run: async (stage) => reconfigure(stage) },
	{
		name: "uplink: vanished without closing", isLong: true,
		run: async ({ gateway, uplink }) => {
			const since = gateway.logs.length;
			uplink.hold();
			await sleep(1_000);
			uplink.forget();
			// A ping a minute, two deadlines of half a minute.
			await gateway.log(/^Uplink is offline.*two pings/, 150_000, since);
		},
	},
	{
		name: "broker link: vanished without closing", isLong: true,
		run: async ({ gateway, road }) => {
			const since = gateway.logs.length;
			road.hold();
			await sleep(1_000);
			road.forget();
			await gateway.log(/^Link "farm" is down/, 90_000, since);
		},
	},
	{
		name: "broker: kill -9", isLong: true,
		run: async ({ broker, ledger }, ms) => {
			const from = Date.now() - BROKER_SAVES_MS;
			await broker.kill();
			await sleep(ms);
			await broker.restart();
			// What it had delivered when it died, and believes not to have, comes again.
			ledger.forgive(from, Date.now());
		},
	},
];

/** Faults that are left out, by name: for finding out which of them it was. */
const without = (process.env["SOAK_WITHOUT"] ?? "").split(",").map((name) => name.trim());

/** Runs faults, one after the other, until the time is up and each has been there. @returns How often each was. */
export async function runChaos(stage: Stage, forMs: number, isLong: boolean): Promise<ReadonlyMap<string, number>> {
	const { chance, tell } = stage;
	const counts = new Map<string, number>();
	const began = Date.now();
	const possible = FAULTS.filter(({ name, needsDisk, isLong: onlyLong }) => !without.includes(name) && (needsDisk !== true || stage.disk !== undefined) && (onlyLong !== true || isLong));
	const steady = shuffled(possible.filter(({ restarts }) => restarts !== true), chance);
	const half = Math.floor(steady.length / 2);
	// The process is restarted in the first half alone: how its memory grows can be seen in the second.
	const withRestarts = (some: readonly Fault[]): Fault[] => shuffled([...possible.filter(({ restarts }) => restarts === true), ...some], chance);
	let round = [...withRestarts(steady.slice(0, half)), ...steady.slice(half)];
	for (let first = true; first || Date.now() - began < forMs; first = false) {
		for (const fault of round) {
			if (!first && Date.now() - began >= forMs) break;
			const ms = 500 + (isLong ? 7_000 : 1_500) * chance();
			tell(`${((Date.now() - began) / 1_000).toFixed(1)} s: ${fault.name}`);
			await fault.run(stage, ms);
			counts.set(fault.name, (counts.get(fault.name) ?? 0) + 1);
			await sleep(chance() * (isLong ? 6_000 : 1_500));
		}
		const rest = shuffled(possible.filter(({ restarts }) => restarts !== true), chance);
		round = Date.now() - began < forMs / 2 ? withRestarts(rest) : rest;
	}
	return counts;
}

async function frozen(server: { freeze(): void; thaw(): void }, ms: number): Promise<void> {
	server.freeze();
	try {
		await sleep(ms);
	} finally {
		server.thaw();
	}
}

async function silence(proxy: SilentProxy, ms: number): Promise<void> {
	proxy.hold();
	try {
		await sleep(ms);
	} finally {
		proxy.release();
	}
}

/** Until then a signal ends it at once, as every program that is still being loaded. */
async function loaded(gateway: GatewayProcess): Promise<void> {
	await waitUntil("the gateway to be loaded", async () => {
		const { code, text } = await gateway.health();
		return code !== 0 && !text.includes("is starting");
	}, { withinMs: 15_000 });
}

/** Another report rule, and the signal that makes the gateway read the file again. */
async function reconfigure({ gateway, chance }: Stage): Promise<void> {
	const config: unknown = JSON.parse(readFileSync(gateway.configFile, "utf8"));
	if (typeof config !== "object" || config === null) throw new Error("Cannot change the config: it is no object");
	const report = [{ points: ["node-1??.*"], heartbeat: `${1 + Math.floor(60 * chance())}m` }];
	writeFileSync(gateway.configFile, JSON.stringify({ ...config, report }, undefined, "\t"));
	await loaded(gateway);
	process.kill(gateway.pid(), "SIGHUP");
}
