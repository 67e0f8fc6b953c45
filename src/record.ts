// Writes what a running gateway hears and says as a transcript: bytes and messages on one side, stanzas on the other.
// test/transcript.ts plays it. A bug report from the field becomes a test by this.
import { appendFileSync, closeSync, fchmodSync, fstatSync, openSync } from "node:fs";
import type { LoadedGateway, Surroundings } from "./assemble.js";
import type { Clock, UnixMillis } from "./core/clock.js";
import { GatewayError, messageOf } from "./core/errors.js";
import type { Link, Outgoing, Packet } from "./south/link.js";
import { type OpenPort, type PortOpener, serialPorts } from "./south/serial/port.js";
import { Component } from "./xmpp/component.js";
import type { Stream } from "./xmpp/stream.js";

type Opened = OpenPort & { close(): Promise<void> };

/** Shorter ones are parts of ordinary words. */
const MIN_SECRET = 4;
const REDACTED = "redacted";

/** Takes down lines; the first tells the moment at which it begins. */
export class Recorder {
	readonly #write: (text: string) => void;
	readonly #clock: Clock;
	#last: UnixMillis;
	#ids = 0;
	/** What was said in this turn. A gateway that stops takes leave and then closes the stream: nobody can play that, and only the end of the turn tells. */
	#turn: string[] = [];
	#ended = false;

	/**
	 * @param title What the transcript is about.
	 * @param said What the config file says.
	 * @param secrets What must not be in a file that people send around.
	 */
	constructor(write: (text: string) => void, clock: Clock, title: string, said: unknown, secrets: readonly string[]) {
		const hidden = secrets.filter((secret) => secret.length >= MIN_SECRET).sort((a, b) => b.length - a.length).flatMap(formsOf);
		const clean = (text: string): string => hidden.reduce((left, [form, instead]) => left.replaceAll(form, instead), text);
		this.#write = (text) => write(clean(text));
		this.#clock = clock;
		this.#last = clock.now();
		this.#write(`# ${title.replace(/\s+/g, " ")}\n---\n${JSON.stringify(playable(said), undefined, "\t")}\n---\nat ${new Date(this.#last).toISOString()}\n`);
	}

	/** Stanza ids that a replay has again. */
	readonly newId = (): string => `id-${++this.#ids}`;

	/** One thing that happened now. */
	line(text: string): void {
		const now = this.#clock.now();
		if (this.#turn.length === 0) queueMicrotask(() => this.#flush());
		if (now > this.#last) this.#turn.push(`${(now - this.#last) / 1_000} s pass`);
		this.#last = now;
		this.#turn.push(text.replace(/[\r\n]+/g, "&#10;"));
	}

	/** The gateway stops: what it says in this turn, and afterwards, is for readers only. */
	end(): void {
		this.#ended = true;
	}

	#flush(): void {
		const lines = this.#turn.splice(0);
		this.#write(lines.map((line) => `${this.#ended ? "# at its end: " : ""}${line}\n`).join(""));
	}

	/**
	 * A link whose messages are taken down. What travels as bytes is taken down at the port.
	 *
	 * @param isPort It has a port, of which a transcript knows nothing but the bytes: its state is for readers only.
	 */
	around(link: Link, isPort: boolean): Link {
		const out = (packet: Outgoing): void => {
			if (packet.kind === "message") this.line(`${link.id} >${packet.retain ? "r" : ""} ${topicText(packet.topic)} ${payloadText(packet.payload)}`);
		};
		return {
			id: link.id,
			run: (ears, signal) => link.run({
				...ears,
				packet: (packet) => {
					if (packet.body.kind === "message") this.line(messageLine(link.id, packet));
					ears.packet(packet);
				},
				state: (state) => {
					this.line(`${isPort ? "# " : ""}${link.id} is ${state.up ? "up" : `down: ${state.reason}`}`);
					ears.state(state);
				},
			}, signal),
			send: (packet, signal) => {
				out(packet);
				return link.send(packet, signal);
			},
			...(link.counters && { counters: () => link.counters!() }),
			...(link.listen && { listen: (filters: readonly string[]) => link.listen!(filters) }),
		};
	}

	/** Ports whose bytes are taken down, named by the link that has the path. */
	ports(opener: PortOpener, linkOf: (path: string) => string): PortOpener {
		return {
			open: async (settings, gone) => {
				const port = await opener.open(settings, gone);
				return this.#port(port, linkOf(settings.path));
			},
		};
	}

	#port(port: Opened, link: string): Opened {
		const line = (text: string): void => this.line(text);
		return {
			get onData() {
				return port.onData;
			},
			set onData(hear) {
				port.onData = (chunk) => {
					line(`${link} < ${hex(chunk)}`);
					hear(chunk);
				};
			},
			write: (bytes) => {
				line(`${link} > ${hex(bytes)}`);
				return port.write(bytes);
			},
			close: () => port.close(),
		};
	}

	/** A stream whose stanzas are taken down. */
	stream(stream: Stream): Stream {
		const line = (text: string): void => this.line(text);
		return {
			get online() {
				return stream.online;
			},
			run: (handlers, signal) => stream.run({
				stanza(stanza) {
					line(`xmpp < ${stanza.toString()}`);
					handlers.stanza(stanza);
				},
				state(state) {
					line(state.online ? "xmpp is up" : `xmpp is down: ${state.reason}`);
					handlers.state(state);
				},
			}, signal),
			send(stanza) {
				const text = stanza.toString();
				if (stream.online) line(`xmpp > ${text}`);
				return stream.send(text);
			},
			drained: () => stream.drained(),
			close: () => {
				this.end();
				return stream.close();
			},
		};
	}
}

/** A secret in all the ways in which a line may have it, and what stands there instead. */
function formsOf(secret: string): (readonly [form: string, instead: string])[] {
	const inText = secret.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
	const plain = new Set([secret, JSON.stringify(secret).slice(1, -1), inText, inText.replace(/'/g, "&apos;").replace(/"/g, "&quot;")]);
	const [bytes, instead] = [Buffer.from(secret), Buffer.from(REDACTED)];
	return [...[...plain].map((form) => [form, REDACTED] as const), [bytes.toString("hex"), instead.toString("hex")], [hex(bytes), hex(instead)]];
}

/** The config without what is secret, and without the files that only the machine has on which it was taken down. */
function playable(said: unknown): unknown {
	if (!isMap(said)) return said;
	const { uplink, links } = said;
	return { ...said, ...(isMap(uplink) && { uplink: { ...uplink, secret: REDACTED } }), ...(Array.isArray(links) && { links: links.map(playableLink) }) };
}

function playableLink(link: unknown): unknown {
	if (!isMap(link)) return link;
	const { ca: _ca, cert: _cert, key: _key, broker, ...rest } = link;
	if (!isMap(broker)) return { ...rest, ...("password" in rest && { password: REDACTED }) };
	const { tls: _tls, users, ...listening } = broker;
	return { ...rest, broker: { ...listening, ...(isMap(users) && { users: Object.fromEntries(Object.keys(users).map((name) => [name, REDACTED])) }) } };
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
	return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** `farm < topic payload`; `<r` when retained, the payload as `hex:…` when it is no plain text. */
export function messageLine(link: string, { body }: Pick<Packet, "body">): string {
	if (body.kind !== "message") return `${link} is heard`;
	return `${link} <${body.retained ? "r" : ""} ${topicText(body.topic)} ${payloadText(body.payload)}`;
}

/** A topic as one word: `%20` for a space. */
export function topicText(topic: string): string {
	return topic.replace(/[\s%]/g, encodeURIComponent);
}

/** The payload as one line of text, or as `hex:…` where that would not bring it back. */
export function payloadText(payload: string | Uint8Array): string {
	const bytes = typeof payload === "string" ? Buffer.from(payload) : Buffer.from(payload);
	const text = bytes.toString("utf8");
	const isPlain = Buffer.from(text).equals(bytes) && !/[\u0000-\u001f\u007f]/.test(text) && !text.startsWith("hex:") && text === text.trim();
	return isPlain ? text : `hex:${bytes.toString("hex")}`;
}

/** `01 03 FF` */
export function hex(bytes: Uint8Array): string {
	return [...bytes].map((byte) => byte.toString(16).padStart(2, "0").toUpperCase()).join(" ");
}

/**
 * The same surroundings, with everything that passes taken down as a transcript. When the file takes no more, the record ends, and the gateway goes on.
 *
 * @throws {GatewayError} `bad-config` when the file cannot be written.
 */
export function recorded(surroundings: Surroundings, { config, said, secrets }: LoadedGateway, recordTo: string): Surroundings {
	const { clock, log, around = (link) => link, ports = serialPorts(clock), stream = (options) => new Component(options) } = surroundings;
	empty(recordTo);
	let isBroken = false;
	const write = (text: string): void => {
		if (isBroken) return;
		try {
			appendFileSync(recordTo, text);
		} catch (error) {
			isBroken = true;
			log.error({ file: recordTo }, `Cannot go on recording to "${recordTo}": ${messageOf(error)}; what it holds ends here, and the gateway goes on`);
		}
	};
	const recorder = new Recorder(write, clock, `recorded from ${config.gateway.id}`, said, secrets);
	log.warn({ file: recordTo }, `Everything that passes is written to "${recordTo}": for finding a fault, not for every day`);
	const serial = new Map(config.links.flatMap((link) => (link.kind === "serial" ? [[link.path, link.id]] : [])));
	return {
		...surroundings, newId: recorder.newId,
		thread: false, // a replay cannot wait for a disk: what waits for the database comes in the same turn, in both
		around: (link) => recorder.around(around(link), config.links.some(({ id, kind }) => id === link.id && kind === "serial")),
		ports: recorder.ports(ports, (path) => serial.get(path) ?? path),
		stream: (options) => recorder.stream(stream(options)),
	};
}

/** An empty file that only its owner reads: it will hold what the devices and the people say. @throws {GatewayError} `bad-config` */
function empty(file: string): void {
	try {
		const opened = openSync(file, "w", 0o600);
		try {
			if (fstatSync(opened).isFile()) fchmodSync(opened, 0o600); // one that was there before keeps its mode
		} finally {
			closeSync(opened);
		}
	} catch (error) {
		throw new GatewayError("bad-config", `Cannot record to "${file}": ${messageOf(error)}; name a file in a folder where this user may write`, { cause: error });
	}
}
