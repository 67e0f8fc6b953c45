// A road that somebody stands on: packets vanish and nobody is told, or the line is cut, or it heals.

import { connect, createServer, type Server, type Socket } from "node:net";
import { freePort } from "../servers/processes.js";

export interface SilentProxy {
	/** On 127.0.0.1. */
	readonly port: number;
	/** Connections that stand, both halves. */
	readonly open: number;
	/** Nothing goes through any more, and nothing is closed; who connects now hears nothing. */
	hold(): void;
	/** All goes on where it was: as TCP does when packets come through again. */
	release(): void;
	/** New connections go through; those of before stay silent for ever, as when a router has forgotten them. */
	forget(): void;
	/** Every connection ends with an RST. */
	cut(): void;
	stop(): Promise<void>;
}

interface Pair {
	readonly near: Socket;
	far: Socket | undefined;
	isHeld: boolean;
}

/** Starts a proxy to a port of 127.0.0.1. */
export async function startSilentProxy(to: number): Promise<SilentProxy> {
	const port = await freePort();
	const pairs = new Set<Pair>();
	let isHolding = false;

	const through = (pair: Pair): void => {
		const far = connect({ host: "127.0.0.1", port: to, noDelay: true });
		pair.far = far;
		far.on("error", () => undefined);
		// By hand, since a pipe would end a held half.
		const carry = (from: Socket, into: Socket): void => {
			from.on("data", (chunk) => {
				if (!into.write(chunk)) from.pause();
			});
			into.on("drain", () => {
				if (!pair.isHeld) from.resume();
			});
			from.on("end", () => {
				if (!pair.isHeld) into.end();
			});
		};
		carry(pair.near, far);
		carry(far, pair.near);
		far.on("close", () => {
			if (!pair.isHeld) end(pair);
		});
		pair.near.resume();
	};
	const end = (pair: Pair): void => {
		if (!pairs.delete(pair)) return;
		pair.near.destroy();
		pair.far?.destroy();
	};
	const server: Server = createServer({ noDelay: true, pauseOnConnect: true }, (near) => {
		const pair: Pair = { near, far: undefined, isHeld: isHolding };
		pairs.add(pair);
		near.on("error", () => undefined);
		near.on("close", () => {
			// Nobody hears of it who is behind the silence, until it ends.
			if (!pair.isHeld) end(pair);
		});
		if (!isHolding) through(pair);
	});
	await new Promise<void>((resolve, reject) => server.once("error", reject).listen({ host: "127.0.0.1", port }, resolve));
	return {
		port,
		get open() {
			return pairs.size;
		},
		hold: () => {
			isHolding = true;
			for (const pair of pairs) {
				pair.isHeld = true;
				pair.near.pause();
				pair.far?.pause();
			}
		},
		release: () => {
			isHolding = false;
			for (const pair of pairs) {
				pair.isHeld = false;
				if (pair.near.destroyed || pair.far?.destroyed === true) end(pair);
				else if (pair.far === undefined) through(pair);
				else {
					pair.near.resume();
					pair.far.resume();
				}
			}
		},
		forget: () => {
			isHolding = false;
		},
		cut: () => {
			isHolding = false;
			for (const pair of pairs) {
				pair.near.resetAndDestroy();
				pair.far?.resetAndDestroy();
			}
			pairs.clear();
		},
		stop: async () => {
			for (const pair of pairs) end(pair);
			await new Promise<void>((resolve) => server.close(() => resolve()));
		},
	};
}
