// Writes what a running gateway hears and says as a transcript: bytes and messages on one side, stanzas on the other.
// test/transcript.ts plays it. A bug report from the field becomes a test by this.
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import type { LoadedGateway, Surroundings } from "./assemble.js";
import type { Clock, UnixMillis } from "./core/clock.js";
import type { Link, Outgoing, Packet } from "./south/link.js";
import { type OpenPort, type PortOpener, serialPorts } from "./south/serial/port.js";
import { Component } from "./xmpp/component.js";
import type { Stream } from "./xmpp/stream.js";

type Opened = OpenPort & { close(): Promise<void> };

/** Takes down lines; the first tells the moment at which it begins. */
export class Recorder {
	readonly #write: (text: string) => void;
	readonly #clock: Clock;
	#last: UnixMillis;
	#ids = 0;

	/**
	 * @param title What the transcript is about.
	 * @param config The text of the config file.
	 * @param secrets What must not be in a file that people send around.
	 */
	constructor(write: (text: string) => void, clock: Clock, title: string, config: string, secrets: readonly string[]) {
		const hidden = secrets.filter((secret) => secret.length > 0).sort((a, b) => b.length - a.length);
		const clean = (text: string): string => hidden.reduce((left, secret) => left.replaceAll(secret, "redacted"), text);
		this.#write = (text) => write(clean(text));
		this.#clock = clock;
		this.#last = clock.now();
		this.#write(`# ${title}\n---\n${config.trimEnd()}\n---\nat ${new Date(this.#last).toISOString()}\n`);
	}

	/** Stanza ids that a replay has again. */
	readonly newId = (): string => `id-${++this.#ids}`;

	/** One thing that happened now. */
	line(text: string): void {
		const now = this.#clock.now();
		if (now > this.#last) this.#write(`${(now - this.#last) / 1_000} s pass\n`);
		this.#last = now;
		this.#write(`${text.replace(/[\r\n]+/g, "&#10;")}\n`);
	}

	/** A link whose messages are taken down. What travels as bytes is taken down at the port. */
	around(link: Link): Link {
		const out = (packet: Outgoing): void => {
			if (packet.kind === "message") this.line(`${link.id} >${packet.retain ? "r" : ""} ${packet.topic} ${payloadText(packet.payload)}`);
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
					this.line(state.up ? `${link.id} is up` : `${link.id} is down: ${state.reason}`);
					ears.state(state);
				},
			}, signal),
			send: (packet, signal) => {
				out(packet);
				return link.send(packet, signal);
			},
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
			close: () => stream.close(),
		};
	}
}

/** `farm < topic payload`; `<r` when retained, the payload as `hex:…` when it is no plain text. */
export function messageLine(link: string, { body }: Pick<Packet, "body">): string {
	if (body.kind !== "message") return `${link} is heard`;
	return `${link} <${body.retained ? "r" : ""} ${body.topic} ${payloadText(body.payload)}`;
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

/** The same surroundings, with everything that passes taken down as a transcript. */
export function recorded(surroundings: Surroundings, { config, secrets }: LoadedGateway, configFile: string, recordTo: string): Surroundings {
	const { clock, log } = surroundings;
	writeFileSync(recordTo, "", { mode: 0o600 }); // it holds what the devices and the people say
	const recorder = new Recorder((text) => appendFileSync(recordTo, text), clock, `recorded from ${config.gateway.id}`, readFileSync(configFile, "utf8"), secrets);
	log.warn({ file: recordTo }, `Everything that passes is written to "${recordTo}": for finding a fault, not for every day`);
	const linkOf = (path: string): string => config.links.find((link) => link.kind === "serial" && link.path === path)?.id ?? path;
	return {
		...surroundings, newId: recorder.newId,
		around: (link) => recorder.around(link),
		ports: recorder.ports(serialPorts(clock), linkOf),
		stream: (options) => recorder.stream(new Component(options)),
	};
}
