// Two hundred devices, and everything that goes wrong: nothing that a broker acknowledged is missing, nothing is there twice, what people see is right in the end, and memory is flat.
// SOAK_SECONDS (45; 600 under LONG=1) is the length of the chaos, SOAK_SEED repeats one that was printed, SOAK_RATE is readings a second.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type GatewayProcess, newGateway } from "./gateway-process.js";
import { type Mosquitto, startMosquitto } from "./servers/mosquitto.js";
import { waitUntil } from "./servers/processes.js";
import { startProsody } from "./servers/prosody.js";
import type { XmppServer } from "./servers/server.js";
import { ASKED, DOMAIN, missing, ROMEO, SECRET } from "./site.js";
import { seeded } from "./soak/chance.js";
import { runChaos } from "./soak/chaos.js";
import { DEVICES, Fleet, type FleetDevice, POINT } from "./soak/fleet.js";
import { countJournal, readJournal } from "./soak/journal.js";
import { Ledger, nameOf, SEQUENCES } from "./soak/ledger.js";
import { MemoryWatch } from "./soak/memory.js";
import { type SilentProxy, startSilentProxy } from "./soak/silent-proxy.js";
import { mountSmallDisk, noSmallDisk, type SmallDisk } from "./soak/small-disk.js";
import { Witness } from "./soak/witness.js";

const isLong = process.env["LONG"] === "1";
const SECONDS = Number(process.env["SOAK_SECONDS"] ?? (isLong ? 600 : 45));
const SEED = Number(process.env["SOAK_SEED"] ?? Math.floor(Math.random() * 1e9));
const RATE = Number(process.env["SOAK_RATE"] ?? 300);
/** After the last fault, everything must be right within this time, without anybody's help: the longest pause between two attempts, and what they take. */
const CALM_WITHIN_MS = 90_000;
/** Devices that have no power in the end: nodes whose wills are told, and some that the Zigbee bridge cannot reach. */
const DEAD = [3, 20, 21, 77, 140, 141, 160, 199];
/** Points that a person watches. */
const WATCHED = [7, 50, 150];
/** What a heap may grow by in a soak of a minute, in which nothing has come to rest. */
const GROWTH_MB = isLong ? 0 : 30;
const GROWTH = 1.25;

describe("soak", { skip: missing("prosody", "mosquitto"), timeout: (SECONDS + 300) * 1_000 }, () => {
	const ledger = new Ledger();
	const chance = seeded(SEED);
	const figures: [string, string][] = [["seed", `${SEED} (SOAK_SEED=${SEED} SOAK_SECONDS=${SECONDS} SOAK_RATE=${RATE})`]];
	const ends: (() => unknown)[] = [];
	let server: XmppServer;
	let broker: Mosquitto;
	let uplink: SilentProxy;
	let road: SilentProxy;
	let disk: SmallDisk | undefined;
	let gateway: GatewayProcess;
	let fleet: Fleet;
	let romeo: Witness;
	let memory: MemoryWatch;
	/** The moment of the last fault's end. */
	let calmFrom = 0;
	let isCalm = false;

	before(async () => {
		console.log(`soak: SOAK_SEED=${SEED}, ${SECONDS} s, ${RATE} readings/s of ${DEVICES} devices`);
		if (noSmallDisk === false) {
			disk = mountSmallDisk(256);
			ends.push(disk.remove);
		} else console.log(`soak: without a full disk: ${noSmallDisk}`);
		[server, broker] = await Promise.all([
			// A gateway that lost its connection without a word is let in again at once, as "jidway server-config prosody" has it.
			startProsody({ ...ASKED, extra: "log = { warn = \"*console\" }\ncomponent_conflict_resolve = \"kick_old\"" }).then((started) => (ends.push(started.stop), started)),
			// What waits for the gateway while it is away has no bound but the test's.
			startMosquitto({ persistence: true, extra: "max_queued_messages 0\nmax_queued_bytes 0" }).then((started) => (ends.push(started.stop), started)),
		]);
		[uplink, road] = await Promise.all([startSilentProxy(server.componentPort), startSilentProxy(broker.port)]);
		ends.push(uplink.stop, road.stop);
		gateway = await newGateway({
			uplink: { domain: DOMAIN, port: uplink.port, secret: SECRET },
			access: [{ who: "romeo@localhost", role: "operator" }],
			links: [{
				id: "farm", kind: "mqtt", url: `mqtt://127.0.0.1:${road.port}`, conventions: ["zigbee2mqtt"],
				topics: [{ match: "site/{id}/state", device: "{id}", points: { [POINT]: { path: POINT } }, availability: { topic: "site/{id}/online", online: "1", offline: "0" } }],
			}],
			more: { history: { flush: "1s" } },
			...(disk && { dataFolder: disk.folder }),
		});
		ends.push(gateway.remove);
		await gateway.start();
		await gateway.ready();
		fleet = new Fleet({ port: broker.port, ledger, chance, rate: RATE });
		ends.push(() => fleet.stop());
		fleet.powerOn();
		romeo = new Witness(server, ROMEO, DOMAIN);
		ends.push(() => romeo.stop());
		romeo.start();
		await waitUntil("the fleet", () => fleet.isUp && romeo.isOnline, { withinMs: 10_000 });
		// Announced by what they say; the first readings count like all others.
		for (const { number } of fleet.devices) fleet.measure(number);
		await waitUntil("every device", () => gateway.logs.filter(({ msg }) => msg.startsWith("Found ")).length === DEVICES, { withinMs: 15_000, logTail: () => String(gateway.logs.length) });
		romeo.subscribe(fleet.devices.map(({ id }) => id));
		await waitUntil("every presence", () => online() === DEVICES, { withinMs: 15_000, logTail: () => `${online()} of ${DEVICES}` });
		for (const number of WATCHED) romeo.say(idOf(number), `watch ${POINT}`);
		// A word that is not answered yet when the gateway is killed is lost, and whoever said it sees that.
		await waitUntil("the answers to \"watch\"", () => [...romeo.messages.values()].filter(({ body }) => body.startsWith(`watching ${POINT}`)).length === WATCHED.length, { withinMs: 10_000 });
		memory = new MemoryWatch(gateway.pid);
		ends.push(() => memory.stop());
	});
	after(async () => {
		for (const [what, figure] of figures) console.log(`soak: ${what.padEnd(34)} ${figure}`);
		const results: PromiseSettledResult<unknown>[] = [];
		for (const end of ends.splice(0).reverse()) results.push(...(await Promise.allSettled([Promise.resolve().then(end)])));
		for (const result of results) if (result.status === "rejected") throw result.reason;
	});

	const idOf = (number: number): string => fleet.devices[number - 1]!.id;
	const online = (): number => [...romeo.presences.values()].filter((type) => type === "available").length;
	const wrongPresences = (): string[] => fleet.devices.flatMap(({ number, id }) => {
		const wanted = fleet.isOn(number) ? "available" : "unavailable";
		const found = romeo.presences.get(id);
		// Who was never told anything in this session of his sees a device as unavailable.
		return (found ?? "unavailable") === wanted ? [] : [`${id} is ${found ?? "unsaid"} (${romeo.statuses.get(id) ?? ""}), wanted ${wanted}`];
	});

	test("all faults come, and after the last of them everything is up again by itself", async () => {
		fleet.start();
		const began = Date.now();
		const counts = await runChaos({ gateway, server, broker, uplink, road, fleet, ledger, disk, chance, tell: (line) => console.log(`soak: ${line}`) }, SECONDS * 1_000, isLong);
		const ended = Date.now();
		figures.push(["chaos", `${((ended - began) / 1_000).toFixed(0)} s, ${[...counts.values()].reduce((sum, count) => sum + count, 0)} faults of ${counts.size} kinds`]);
		// What memory is like under load is seen before the fleet rests.
		figures.push(["memory, quarters of the last life", `${memory.quarters(began, ended).map((rss) => rss.toFixed(0)).join(", ")} MB; peak of all ${memory.peak.toFixed(0)} MB`]);
		calmFrom = ended;
		await waitUntil("the fleet to be connected", () => fleet.isUp, { withinMs: 10_000 });
		fleet.switchOff(DEAD);
		// A last reading of each, after the last fault.
		await sleep(1_000);
		fleet.rest();
		for (const { number } of fleet.devices) if (fleet.isOn(number)) fleet.measure(number);
		await waitUntil("the broker's answers", () => fleet.unanswered === 0, { withinMs: 10_000, logTail: () => `${fleet.unanswered} are missing` });
		await gateway.ready(CALM_WITHIN_MS);
		figures.push(["ready again", `${((Date.now() - ended) / 1_000).toFixed(1)} s after the last fault`]);
		isCalm = true;
	});

	test("presence is right for every device", async () => {
		assert.ok(isCalm, "the chaos did not come to its end");
		try {
			// The return of a device that flaps is told after 30 s by its own rule (src/core/availability.ts), and what its broker has kept comes before that.
			await waitUntil("right presences", () => romeo.isOnline && wrongPresences().length === 0, { withinMs: 60_000, logTail: () => wrongPresences().join("\n") });
		} finally {
			figures.push(["presence", `${DEVICES - wrongPresences().length} of ${DEVICES} right, ${((Date.now() - calmFrom) / 1_000).toFixed(1)} s after the last fault; ${romeo.logins} logins`]);
		}
	});

	test("what is read is what the device said last", async () => {
		assert.ok(isCalm, "the chaos did not come to its end");
		const some = fleet.devices.filter(({ number }) => number % 3 === 0 && fleet.isOn(number));
		const isWrong = ({ number, id }: FleetDevice): boolean => romeo.values.get(id) !== ledger.last(number);
		const wrong = (): string[] => some.filter(isWrong).map(({ number, id }) => `${id} says ${romeo.values.get(id)}, its broker had ${ledger.last(number)}`);
		try {
			await waitUntil("the last values", async () => {
				// No more than one person may ask at once.
				romeo.read(some.filter(isWrong).slice(0, 30).map(({ id }) => id));
				for (let looks = 0; looks < 10 && wrong().length > 0; looks++) await sleep(100);
				return wrong().length === 0;
			}, { withinMs: 20_000, logTail: () => [...wrong(), ...romeo.refusals.slice(-3)].join("\n") });
		} finally {
			figures.push(["last values", `${some.length - wrong().length} of ${some.length} right`]);
		}
	});

	test("every reading that the broker acknowledged to its device is in the journal, once, with its own time", async () => {
		assert.ok(isCalm, "the chaos did not come to its end");
		let before = -1;
		await waitUntil("the journal to come to rest", async () => {
			const count = countJournal(gateway.dataFolder, POINT);
			if (count === before) return true;
			before = count;
			await sleep(2_000);
			return false;
		}, { withinMs: 60_000 });
		const rows = readJournal(gateway.dataFolder, POINT);
		const { missing: lost, twice, strange, unpromised, loose } = ledger.compare(rows.map(({ code }) => code));
		const restamped = rows.filter(({ code, at }) => fleet.sourceTimes.has(code) && fleet.sourceTimes.get(code) !== at);
		figures.push(["readings sent, acknowledged", `${ledger.sent}, ${ledger.acknowledged}`]);
		figures.push(["readings in the journal", `${rows.length}; missing ${lost.length}, twice ${twice.length}, never sent ${strange.length}, unacknowledged and there ${unpromised}${isLong ? `, broker's own loss ${loose}` : ""}`]);
		for (const { code, at, received, flags } of rows) if (twice.includes(code)) console.log(`soak: twice: ${nameOf(code)} of ${new Date(at).toISOString()}, received ${new Date(received).toISOString()}, flags ${flags}`);
		if (twice.length > 0) for (const line of gateway.logs.slice(-60)) console.log(`soak: log: ${String(line["time"])} ${line.level} ${line.msg.slice(0, 160)}`);
		const examples = (codes: readonly number[]): string => codes.slice(0, 20).map(nameOf).join(", ");
		assert.deepEqual([examples(lost), examples(twice), examples(strange)], ["", "", ""], `missing ${lost.length}, twice ${twice.length}, never sent ${strange.length}`);
		assert.deepEqual(restamped.slice(0, 5).map(({ code, at }) => [nameOf(code), at, fleet.sourceTimes.get(code)]), []);
	});

	test("whoever watches a point is told its last value, nothing twice, and each letter goes on from the one before", async () => {
		assert.ok(isCalm, "the chaos did not come to its end");
		const told = (number: number): Told[] => toldBy([...romeo.messages.values()].filter(({ from }) => from === idOf(number)).map(({ body }) => body));
		const all = (): Told[] => WATCHED.flatMap(told);
		try {
			await waitUntil("the last values", () => WATCHED.every((number) => told(number).some(({ code }) => code === ledger.last(number))), { withinMs: 60_000, logTail: () => WATCHED.map((number) => `${idOf(number)}: told ${told(number).length}, last ${told(number).at(-1)?.code}, wanted ${ledger.last(number)}`).join("\n") });
		} finally {
			figures.push(["watched points", `${WATCHED.length}, of ${WATCHED.reduce((sum, number) => sum + ledger.of(number).length, 0)} readings ${all().length} told, at most one in 5 s; ${romeo.repeated} messages repeated with the same id, as is allowed`]);
		}
		for (const number of WATCHED) {
			const changes = told(number).filter(({ isRepetition }) => !isRepetition);
			const codes = changes.map(({ code }) => code);
			assert.deepEqual(codes.filter((code, at) => codes.indexOf(code) !== at).map(nameOf), [], "told twice");
			assert.deepEqual(codes.filter((code) => Math.floor(code / SEQUENCES) !== number), [], "another device's");
			// Every letter says what it told before: where that was never heard, a letter is missing.
			assert.deepEqual(changes.flatMap(({ was }) => (was === undefined || codes.includes(was) ? [] : [nameOf(was)])), [], "a letter is missing");
		}
	});

	test("memory is flat", () => {
		const [, second = 0, , last = 0] = memory.quarters(0, calmFrom);
		assert.ok(second > 0 && last <= second * GROWTH + GROWTH_MB, `RSS went from ${second.toFixed(0)} MB in the second quarter to ${last.toFixed(0)} MB in the last`);
	});

	test("it ends in order", async () => {
		await gateway.stop();
		assert.deepEqual(gateway.logs.filter(({ msg }) => /failed:|Cannot decode/.test(msg)).map(({ msg }) => msg), []);
	});
});

/** One line of a letter. */
interface Told {
	readonly code: number;
	readonly was?: number;
	readonly isRepetition: boolean;
}

/** `count 7000012 (was 7000009)`, `count 7000012, unchanged`; several in one body when their receiver was behind. */
function toldBy(bodies: readonly string[]): Told[] {
	return bodies.flatMap((body) => [...body.matchAll(new RegExp(`\\b${POINT} (\\d+)(, unchanged)?(?: \\(was (\\d+))?`, "g"))].map(([, code = "", unchanged, was]) => ({
		code: Number(code), isRepetition: unchanged !== undefined, ...(was !== undefined && { was: Number(was) }),
	})));
}
