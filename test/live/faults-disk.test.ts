// The journal's disk is full, or its file is damaged: what a broker acknowledged waits with the broker, and nothing is there twice.
// Readings are counted in the database itself, by Python.

import assert from "node:assert/strict";
import { closeSync, existsSync, openSync, readdirSync, statSync, writeSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { numericFromText } from "../../src/core/value.js";
import { Store } from "../../src/store/store.js";
import { systemClock } from "../../src/system-clock.js";
import { type GatewayProcess, newGateway } from "./gateway-process.js";
import { type Mosquitto, startMosquitto } from "./servers/mosquitto.js";
import { freePort, waitUntil } from "./servers/processes.js";
import { DOMAIN, missing, SECRET } from "./site.js";
import { POINT } from "./soak/fleet.js";
import { readJournal } from "./soak/journal.js";
import { Ledger, nameOf, SEQUENCES } from "./soak/ledger.js";
import { Publisher } from "./soak/publisher.js";
import { mountSmallDisk, noSmallDisk, type SmallDisk } from "./soak/small-disk.js";

describe("the journal", { skip: missing("mosquitto") }, () => {
	const ends: (() => unknown)[] = [];
	afterEach(async () => {
		for (const end of ends.splice(0).reverse()) await end();
	});

	interface Bench {
		readonly broker: Mosquitto;
		readonly gateway: GatewayProcess;
		readonly ledger: Ledger;
		/** So many readings of one device, acknowledged by the broker. */
		publish(count: number): Promise<void>;
		/** Everything since this call, and nothing else of it. */
		once(since?: number): Promise<void>;
	}

	/** @param past Readings that are in the database before the gateway is started. */
	async function start(disk?: SmallDisk, past = 0): Promise<Bench> {
		const broker = await startMosquitto({ persistence: true, extra: "max_queued_messages 0" });
		ends.push(broker.stop);
		const gateway = await newGateway({
			// No XMPP server is needed to keep readings.
			uplink: { domain: DOMAIN, port: await freePort(), secret: SECRET },
			links: [{ id: "farm", kind: "mqtt", url: broker.url, conventions: [], topics: [{ match: "site/{id}/state", device: "{id}", points: { [POINT]: { path: POINT } } }] }],
			more: { history: { flush: "1s" } },
			...(disk && { dataFolder: disk.folder }),
		});
		ends.push(gateway.remove);
		if (past > 0) await fill(gateway.dataFolder, past);
		await gateway.start();
		await gateway.log(/^Link "farm" is up/);
		await sleep(200); // its subscription
		const ledger = new Ledger();
		let sequence = 0;
		const device = new Publisher({ port: broker.port, clientId: "counter", connected: () => undefined });
		device.start();
		ends.push(() => device.cut(true));
		await waitUntil("the device", () => device.isUp, { withinMs: 5_000 });
		const publish = async (count: number): Promise<void> => {
			for (let each = 0; each < count; each++) {
				const code = SEQUENCES + ++sequence;
				ledger.send(code);
				device.publish("site/node-1/state", `{"${POINT}":${code}}`, false, (isAcknowledged) => void (isAcknowledged && ledger.acknowledge(code, Date.now())));
			}
			await waitUntil("the broker's answers", () => device.unanswered === 0, { withinMs: 5_000 });
		};
		const once = async (since = 0): Promise<void> => {
			const compared = () => {
				const { missing: lost, twice, strange } = ledger.compare(readJournal(gateway.dataFolder, POINT).map(({ code }) => code).filter((code) => code > SEQUENCES));
				return { lost: lost.filter((code) => code > SEQUENCES + since).map(nameOf), twice: twice.map(nameOf), strange: strange.map(nameOf) };
			};
			await waitUntil("every reading", () => compared().lost.length === 0, { withinMs: 15_000, logTail: () => `${JSON.stringify(compared())}\n${gateway.logs.slice(-10).map(({ msg }) => msg).join("\n")}` });
			assert.deepEqual(compared(), { lost: [], twice: [], strange: [] });
		};
		return { broker, gateway, ledger, publish, once };
	}

	async function onSmallDisk(): Promise<Bench & { readonly disk: SmallDisk }> {
		const disk = mountSmallDisk(8);
		const bench = await start(disk).catch((error: unknown) => {
			disk.remove();
			throw error;
		});
		ends.unshift(disk.remove);
		return { ...bench, disk };
	}

	/** By the store's own way in: through a broker it would take a minute. */
	async function fill(folder: string, count: number): Promise<void> {
		const store = await Store.open({ folder, clock: systemClock, log: { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined } });
		const began = Date.now() - 10 * count;
		for (let n = 0; n < count; n += 5_000) {
			await Promise.all(Array.from({ length: 5_000 }, (_, each) => {
				const at = began + 10 * (n + each);
				return store.append([{ link: "farm", address: "node-1", reading: { point: POINT, value: numericFromText(String(n + each))!, at, received: at, quality: "good" } }]);
			}));
		}
		await store.close();
	}

	test("on a full disk takes over nothing that it cannot write, and everything once when there is room again", { skip: noSmallDisk }, async () => {
		const { gateway, disk, publish, once } = await onSmallDisk();
		await publish(100);
		await once();
		disk.fill();
		await publish(450);
		const { msg } = await gateway.log(/^Cannot write to the database/);
		assert.match(msg, /disk is full: make room/);
		await publish(450);
		assert.equal((await gateway.health()).code, 503);
		disk.free();
		await gateway.log(/^The database can be written again/);
		await once();
	});

	test("on a full disk loses nothing when the gateway is killed, and is whole when there is room again", { skip: noSmallDisk }, async () => {
		const { gateway, disk, publish, once } = await onSmallDisk();
		await publish(100);
		await once();
		disk.fill();
		await publish(300);
		await gateway.log(/^Cannot write to the database/);
		await gateway.kill();
		await gateway.start();
		await publish(100);
		await sleep(1_000);
		disk.free();
		await once();
	});

	/** Overwrites a stretch in the middle of the database with garbage. */
	function damage(folder: string): void {
		const file = join(folder, "jidway.sqlite");
		const { size } = statSync(file);
		assert.ok(size > 16_384, `the database has only ${size} bytes`);
		const handle = openSync(file, "r+");
		writeSync(handle, Buffer.alloc(size - 8_192, "garbage "), 0, size - 8_192, 4_096);
		closeSync(handle);
	}

	function setAside(folder: string): string[] {
		return readdirSync(folder).filter((name) => /^jidway\.sqlite\.damaged-\d+$/.test(name));
	}

	test("that was damaged while the gateway was away is set aside, named in the log, and begun anew; what comes then is kept", async () => {
		const { gateway, publish, once } = await start();
		await publish(400);
		await once();
		await gateway.stop();
		damage(gateway.dataFolder);
		const since = gateway.logs.length;
		await gateway.start();
		const { level, msg } = await gateway.log(/^Database is damaged/, 15_000, since);
		assert.equal(level, "error");
		assert.match(msg, /set aside as ".*jidway\.sqlite\.damaged-\d+", started anew/);
		assert.equal(setAside(gateway.dataFolder).length, 1);
		assert.ok(existsSync(join(gateway.dataFolder, "jidway.sqlite")));
		await publish(200);
		await once(400);
		await gateway.kill();
		await gateway.start();
		await publish(50);
		await once(400);
	});

	test("that is damaged while the gateway runs is set aside as soon as that is found, and begun anew without a restart", async () => {
		// More than SQLite keeps in memory: what it has there it does not read again.
		const { gateway, publish, once } = await start(undefined, 200_000);
		await publish(100);
		await once();
		const since = gateway.logs.length;
		damage(gateway.dataFolder);
		let published = 100;
		await waitUntil("the damage to be found", async () => {
			await publish(50);
			published += 50;
			// Somebody reads the past.
			await gateway.cli("history", "node-1", POINT, "--json");
			return gateway.logs.slice(since).some(({ msg: text }) => /^Database is damaged/.test(text));
		}, { withinMs: 20_000, logTail: () => gateway.logs.slice(since).map(({ msg: text }) => text).join("\n") });
		assert.equal(setAside(gateway.dataFolder).length, 1);
		await publish(100);
		await once(published);
		await gateway.stop();
	});
});
