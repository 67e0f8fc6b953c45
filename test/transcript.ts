// Plays a transcript: what the gateway hears goes in, what it must say next is compared, and nothing may be left over.
//
//     # what it shows
//     ---
//     the config, as in jidway.yaml (secret: anything)
//     ---
//     at 2026-01-01T00:00:00.000Z          when it begins (optional)
//     farm < topic payload                 a message is heard; `<r` a retained one; a payload hex:… is bytes; %20 in a topic is a space
//     bus0 < 01 04 04 …                    bytes are heard on a serial port
//     xmpp < <iq …/>                       a stanza is heard
//     farm > topic payload                 the gateway must say this next; `>r` retained
//     bus0 > 01 04 …                       likewise
//     xmpp > <message …/>                  likewise
//     2.5 s pass                           time goes on
//     farm is down: reason / farm is up    a road changes; roads that no line speaks of are up from the start
//
// `jidway run --record FILE` writes the first draft of one.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { planGateway } from "../src/assemble.js";
import { parseConfig } from "../src/config/load.js";
import type { Clock } from "../src/core/clock.js";
import { startGateway } from "../src/gateway.js";
import { hex, payloadText, topicText } from "../src/record.js";
import type { Link, LinkEars, Outgoing } from "../src/south/link.js";
import type { OpenPort, PortOpener } from "../src/south/serial/port.js";
import { parseStanza } from "../src/xmpp/parser.js";
import type { Stream, StreamHandlers } from "../src/xmpp/stream.js";
import type { Element } from "../src/xmpp/xml.js";
import { FAKE_START, FakeClock, settle } from "./fakes/clock.js";
import { MemoryLog } from "./fakes/log.js";

export interface Transcript {
	readonly title: string;
	readonly config: string;
	readonly lines: readonly string[];
}

/** @throws {Error} when it has no title, config and script. */
export function parseTranscript(text: string): Transcript {
	const [head = "", config, script] = text.split(/^---$/m);
	if (config === undefined || script === undefined) throw new Error("Cannot read the transcript: it needs a title, --- config --- and a script");
	return { title: head.replace(/^#\s*/, "").trim(), config, lines: script.split("\n").map((line) => line.trim()).filter((line) => line !== "" && !line.startsWith("#")) };
}

/**
 * Play it. With `draft`, nothing is compared: the lines that go in and what the gateway says to them are handed over instead.
 *
 * @throws {AssertionError} where the gateway says something else, or more.
 */
export async function playTranscript({ config, lines }: Transcript, draft?: (line: string) => void): Promise<void> {
	const folder = mkdtempSync(join(tmpdir(), "jidway-transcript-"));
	const began = /^at (\S+)$/.exec(lines[0] ?? "");
	const clock = new FakeClock(began ? Date.parse(began[1]!) : FAKE_START);
	const said: string[] = [];
	const byScript = new Set(lines.flatMap((line) => /^(\S+) is (?:up|down)/.exec(line)?.[1] ?? []));
	const loaded = parseConfig(config, join(folder, "jidway.yaml"), {});
	const plan = planGateway({ ...loaded, config: { ...loaded.config, gateway: { ...loaded.config.gateway, data: join(folder, "data") } } });
	const roads = new Map<string, PlayedMqtt>();
	const ports = new PlayedPorts(said, new Map(loaded.config.links.flatMap((link) => (link.kind === "serial" ? [[link.path, link.id]] : []))));
	const stream = new PlayedStream(said, !byScript.has("xmpp"));
	const log = new MemoryLog();
	let ids = 0;
	const open = await plan.open({
		clock, log, random: () => 0.5, newId: () => `id-${++ids}`, version: "0.0.0-test", thread: false, ports, stream: () => stream,
		mqtt: (id) => {
			const link = new PlayedMqtt(id, said, !byScript.has(id), clock);
			roads.set(id, link);
			return link;
		},
	});
	const gateway = startGateway(open.parts);
	try {
		await settle();
		for (const line of began ? lines.slice(1) : lines) {
			await step(line);
			await settle();
			if (draft && !/^\S+ >r? /.test(line)) for (const each of [line, ...said.splice(0)]) draft(each);
		}
		assert.deepEqual(said, [], "the gateway said more than the transcript");
	} finally {
		await gateway.stop();
		rmSync(folder, { recursive: true, force: true });
	}

	async function step(line: string): Promise<void> {
		const pass = /^([\d.]+) s pass$/.exec(line);
		if (pass) return clock.advance(Number(pass[1]) * 1_000);
		const change = /^(\S+) is (?:(up)|down: (.*))$/.exec(line);
		if (change) return (change[1] === "xmpp" ? stream : roads.get(change[1]!) ?? missing(change[1]!)).change(change[2] === "up" ? undefined : change[3]!);
		const [, road = "", arrow = "", rest = ""] = /^(\S+) ([<>]r?) (.*)$/.exec(line) ?? missing(line);
		if (arrow.startsWith(">") && draft) return;
		if (arrow.startsWith(">")) return assert.equal((said.shift() ?? "(silence)").trimEnd(), line, log.lines.join("\n"));
		if (road === "xmpp") return stream.hear(parseStanza(rest));
		const mqtt = roads.get(road);
		if (!mqtt) return ports.hear(road, Uint8Array.from(rest.split(/\s+/), (byte) => parseInt(byte, 16)));
		const [, topic = "", payload = ""] = /^(\S+) ?(.*)$/.exec(rest) ?? [];
		mqtt.hear(decodeURIComponent(topic), payload.startsWith("hex:") ? Buffer.from(payload.slice(4), "hex") : Buffer.from(payload), arrow === "<r");
	}

	function missing(what: string): never {
		throw new Error(`Cannot play "${what}": no such road or line`);
	}
}

class PlayedMqtt implements Link {
	readonly id: string;
	readonly #said: string[];
	readonly #upAtOnce: boolean;
	readonly #clock: Clock;
	#ears: LinkEars | undefined;

	constructor(id: string, said: string[], upAtOnce: boolean, clock: Clock) {
		this.#clock = clock;
		this.id = id;
		this.#said = said;
		this.#upAtOnce = upAtOnce;
	}

	run(ears: LinkEars, signal: AbortSignal): Promise<void> {
		this.#ears = ears;
		if (this.#upAtOnce) ears.state({ up: true });
		return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
	}

	async send(out: Outgoing): Promise<void> {
		if (out.kind === "message") this.#said.push(`${this.id} >${out.retain ? "r" : ""} ${topicText(out.topic)} ${payloadText(out.payload)}`);
	}

	hear(topic: string, payload: Uint8Array, retained: boolean): void {
		const body = { kind: "message" as const, topic, payload, retained };
		this.#ears!.packet({ body, received: this.#clock.now(), taken: () => undefined });
	}

	change(down: string | undefined): void {
		this.#ears!.state(down === undefined ? { up: true } : { up: false, reason: down });
	}
}

type Opened = OpenPort & { close(): Promise<void> };

class PlayedPorts implements PortOpener {
	readonly #said: string[];
	readonly #linkOf: ReadonlyMap<string, string>;
	readonly #open = new Map<string, Opened>();

	constructor(said: string[], linkOf: ReadonlyMap<string, string>) {
		this.#said = said;
		this.#linkOf = linkOf;
	}

	async open({ path }: { readonly path: string }): Promise<Opened> {
		const link = this.#linkOf.get(path)!;
		const said = this.#said;
		const port: Opened = {
			onData: () => undefined,
			write: async (bytes) => void said.push(`${link} > ${hex(bytes)}`),
			close: async () => void this.#open.delete(link),
		};
		this.#open.set(link, port);
		return port;
	}

	hear(link: string, bytes: Uint8Array): void {
		const port = this.#open.get(link);
		if (!port) throw new Error(`Cannot hear bytes on "${link}": its port is not open`);
		port.onData(bytes);
	}
}

class PlayedStream implements Stream {
	readonly #said: string[];
	#online: boolean;
	#handlers: StreamHandlers | undefined;

	constructor(said: string[], online: boolean) {
		this.#said = said;
		this.#online = online;
	}

	get online(): boolean {
		return this.#online && this.#handlers !== undefined;
	}

	run(handlers: StreamHandlers, signal: AbortSignal): Promise<void> {
		this.#handlers = handlers;
		if (this.#online) handlers.state({ online: true, since: 0 });
		return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
	}

	send(stanza: Element | string): boolean {
		if (this.online) this.#said.push(`xmpp > ${stanza.toString().replace(/\n/g, "&#10;")}`);
		return this.online;
	}

	async drained(): Promise<void> {
		await Promise.resolve();
	}

	async close(): Promise<void> {
		this.#online = false;
		await Promise.resolve();
	}

	hear(stanza: Element): void {
		this.#handlers!.stanza(stanza);
	}

	change(down: string | undefined): void {
		this.#online = down === undefined;
		this.#handlers!.state(down === undefined ? { online: true, since: 0 } : { online: false, reason: down, permanent: false });
	}
}
