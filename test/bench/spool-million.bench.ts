// Recovery after a long outage: a gateway starts with a million readings in its journal and a million letters that wait for somebody, and delivers them.
// Says how long it takes to start, how much memory it takes, and how fast the letters leave. SPOOL_COUNT (1 000 000) and SPOOL_DRAIN_SECONDS (60) change it.

import { createHash, randomUUID } from "node:crypto";
import { mkdirSync, rmSync, statSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { numericFromText } from "../../src/core/value.js";
import { Store } from "../../src/store/store.js";
import { systemClock } from "../../src/system-clock.js";
import { type GatewayProcess, newGateway } from "../live/gateway-process.js";
import { freePort, makeFolder, removeFolder, waitUntil } from "../live/servers/processes.js";
import { residentMegabytes } from "../live/soak/memory.js";

const COUNT = Number(process.env["SPOOL_COUNT"] ?? 1_000_000);
const DRAIN_MS = Number(process.env["SPOOL_DRAIN_SECONDS"] ?? 60) * 1_000;
const DEVICES = 200;
const DOMAIN = "things.localhost";
const SECRET = "bench";
const RECEIVER = "romeo@localhost";
const SIZES = { history: { keep: "365d", limit: "8GB" }, outbox: { keep: "365d", limit: "2GB" } };

/** The smallest server that a component can talk to (XEP-0114): it counts letters, and acknowledges every one at once. */
class Sink {
	readonly #server: Server;
	#sockets = new Set<Socket>();
	readonly ids = new Set<string>();
	letters = 0;
	repeated = 0;
	port = 0;

	constructor() {
		this.#server = createServer({ noDelay: true }, (socket) => this.#serve(socket));
	}

	async listen(): Promise<void> {
		this.port = await freePort();
		await new Promise<void>((resolve) => this.#server.listen({ host: "127.0.0.1", port: this.port }, resolve));
	}

	close(): void {
		for (const socket of this.#sockets) socket.destroy();
		this.#server.close();
	}

	#serve(socket: Socket): void {
		this.#sockets.add(socket);
		socket.on("error", () => undefined).on("close", () => this.#sockets.delete(socket));
		let text = "";
		let isIn = false;
		socket.setEncoding("utf8").on("data", (chunk: string) => {
			text += chunk;
			if (!isIn) {
				if (/<stream:stream [^>]*>$/.test(text)) {
					text = "";
					socket.write("<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams' from='things.localhost' id='bench-1'>");
				} else if (text.includes("</handshake>")) {
					isIn = text.includes(createHash("sha1").update(`bench-1${SECRET}`).digest("hex"));
					text = "";
					socket.write(isIn ? "<handshake/>" : "<stream:error><not-authorized xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>");
				}
				return;
			}
			const answers: string[] = [];
			let end = 0;
			for (const found of text.matchAll(/<(message|iq|presence)\b([^>]*?)(?:\/>|>(.*?)<\/\1>)/gs)) {
				end = found.index + found[0].length;
				answers.push(this.#take(found[1] ?? "", found[2] ?? "", found[3] ?? ""));
			}
			text = text.slice(end);
			socket.write(answers.join(""));
		});
	}

	/** @returns What is said to it. */
	#take(name: string, tag: string, inner: string): string {
		const attr = (key: string): string => new RegExp(`\\b${key}=['"]([^'"]*)`).exec(tag)?.[1] ?? "";
		const [id, from, to] = [attr("id"), attr("from"), attr("to")];
		if (name === "iq" && attr("type") === "get") return to === DOMAIN ? `<iq ${tag.trim()}>${inner}</iq>` : `<iq type='result' id='${id}' from='${to}' to='${from}'/>`;
		if (name !== "message" || !inner.includes("urn:xmpp:receipts")) return "";
		if (this.ids.has(id)) this.repeated++;
		else this.letters += /<body>(.*?)<\/body>/s.exec(inner)?.[1]?.split("\n").length ?? 0;
		this.ids.add(id);
		return `<message from='${RECEIVER}/desk' to='${from}'><received xmlns='urn:xmpp:receipts' id='${id}'/></message>`;
	}
}

const say = (what: string, figure: string): void => console.log(`${what.padEnd(46)} ${figure}`);
const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`;
const perSecond = (count: number, ms: number): string => `${Math.round((count * 1_000) / ms)}/s`;

/** Writes the past: by the store's own ways in. */
async function spool(folder: string): Promise<void> {
	mkdirSync(folder, { recursive: true, mode: 0o700 });
	const log = { debug: () => undefined, info: () => undefined, warn: console.error, error: console.error };
	const year = 365 * 86_400_000;
	const store = await Store.open({ folder, clock: systemClock, log, keep: year, limit: 8e9, outbox: { keep: year, limit: 2e9 } });
	const began = Date.now() - COUNT;
	const at = (n: number): number => began + n;
	let since = performance.now();
	for (let n = 0; n < COUNT; n += 5_000) {
		await Promise.all(Array.from({ length: Math.min(5_000, COUNT - n) }, (_, each) => {
			const number = n + each;
			return store.append([{ link: "farm", address: `node-${number % DEVICES}`, reading: { point: "count", value: numericFromText(String(number))!, at: at(number), received: at(number), quality: "good" } }]);
		}));
	}
	say("journal filled", `${COUNT} readings, ${perSecond(COUNT, performance.now() - since)}`);
	since = performance.now();
	for (let n = 0; n < COUNT; n += 5_000) {
		await Promise.all(Array.from({ length: Math.min(5_000, COUNT - n) }, (_, each) => {
			const number = n + each;
			return store.outbox.post({ id: `${randomUUID()}/count`, to: RECEIVER, device: `node-${number % DEVICES}`, urgent: number % 1_000 === 0, at: at(number), body: `count is ${number}` });
		}));
	}
	say("outbox filled", `${COUNT} letters, ${perSecond(COUNT, performance.now() - since)}`);
	await store.close();
	say("database", `${(statSync(join(folder, "jidway.sqlite")).size / 1e6).toFixed(0)} MB`);
}

async function gatewayAt(folder: string, port: number): Promise<GatewayProcess> {
	return newGateway({
		uplink: { domain: DOMAIN, port, secret: SECRET }, access: [{ who: RECEIVER, role: "operator" }], dataFolder: folder,
		// A broker of its own, which nobody talks to.
		links: [{ id: "farm", kind: "mqtt", broker: { listen: `127.0.0.1:${await freePort()}` }, conventions: [], topics: [{ match: "site/{id}/state", device: "{id}" }] }],
		more: SIZES,
	});
}

/** Starts a gateway. @returns How long until it was ready, and the process; `peak()` is its memory's highest so far. */
async function timed(gateway: GatewayProcess): Promise<{ readonly ms: number; peak(): number; end(): void }> {
	let peak = 0;
	const timer = setInterval(() => (peak = Math.max(peak, residentMegabytes(gateway.pid()) ?? 0)), 50);
	const since = performance.now();
	await gateway.start();
	await gateway.ready(120_000);
	return { ms: performance.now() - since, peak: () => peak, end: () => clearInterval(timer) };
}

const folder = makeFolder("spool");
const sink = new Sink();
const gateways: GatewayProcess[] = [];
try {
	await sink.listen();
	const empty = await gatewayAt(join(folder, "empty"), sink.port);
	gateways.push(empty);
	const nothing = await timed(empty);
	await sleep(2_000);
	nothing.end();
	say("ready with nothing", `${seconds(nothing.ms)}, peak ${nothing.peak().toFixed(0)} MB`);
	await empty.stop();

	const full = join(folder, "full");
	await spool(full);
	const gateway = await gatewayAt(full, sink.port);
	gateways.push(gateway);
	const began = performance.now();
	const started = await timed(gateway);
	say("ready with all that", `${seconds(started.ms)}, peak ${started.peak().toFixed(0)} MB`);
	let letters = 0;
	const samples: string[] = [];
	/** Until so many are there, or the time is up. */
	const drain = async (upTo: number, since: number): Promise<void> => {
		while (sink.letters < upTo && performance.now() - since < DRAIN_MS) {
			const before = performance.now();
			await sleep(Math.min(5_000, DRAIN_MS));
			samples.push(perSecond(sink.letters - letters, performance.now() - before));
			letters = sink.letters;
		}
	};
	await drain(COUNT / 2, began);
	const took = performance.now() - began;
	say("letters delivered, to the middle", `${sink.letters} of ${COUNT} in ${seconds(took)}: ${perSecond(sink.letters, took)}, each 5 s: ${samples.splice(0).join(", ")}`);
	say("peak memory", `${started.peak().toFixed(0)} MB`);
	started.end();
	await gateway.kill();
	const before = sink.letters;
	const since = performance.now();
	const again = await timed(gateway);
	await drain(COUNT, since);
	await waitUntil("letters after kill -9", () => sink.letters > before || before >= COUNT, { withinMs: 30_000 });
	say("ready after kill -9 in the middle", `${seconds(again.ms)}, peak ${again.peak().toFixed(0)} MB; stanzas that came again, with their ids: ${sink.repeated}`);
	say("letters delivered in all", `${sink.letters} of ${COUNT}; each 5 s: ${samples.join(", ")}`);
	say("stanzas", `${sink.ids.size}, ${(sink.letters / Math.max(1, sink.ids.size)).toFixed(1)} letters each`);
	again.end();
} finally {
	for (const gateway of gateways) await gateway.kill().catch(() => undefined);
	for (const gateway of gateways) await gateway.remove().catch(() => undefined);
	sink.close();
	rmSync(folder, { recursive: true, force: true });
	removeFolder(folder);
}
