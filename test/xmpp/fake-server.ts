import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import type { StreamState } from "../../src/xmpp/stream.js";
import type { Element } from "../../src/xmpp/xml.js";

/** Real sockets need real time; a test that waits longer than this has failed. */
const PATIENCE_MS = 5000;

/** Something that changes, and can be waited for. */
class Watched {
	readonly #waiting = new Set<() => void>();

	changed(): void {
		for (const look of [...this.#waiting]) look();
	}

	until(what: string, isTrue: () => boolean): Promise<void> {
		if (isTrue()) return Promise.resolve();
		return new Promise((resolve, reject) => {
			const timer = setTimeout(() => {
				this.#waiting.delete(look);
				reject(new Error(`waited ${PATIENCE_MS} ms for ${what}`));
			}, PATIENCE_MS);
			const look = (): void => {
				if (!isTrue()) return;
				clearTimeout(timer);
				this.#waiting.delete(look);
				resolve();
			};
			this.#waiting.add(look);
		});
	}
}

/** The server's side of one connection, as bytes: it shares no code with what it tests. */
export class ServerConnection extends Watched {
	readonly socket: Socket;
	text = "";
	closed = false;

	constructor(socket: Socket) {
		super();
		this.socket = socket;
		socket.on("data", (chunk: Buffer) => {
			this.text += chunk.toString("utf8");
			this.changed();
		});
		socket.on("error", () => this.changed()); // the client may destroy its side
		socket.on("close", () => {
			this.closed = true;
			this.changed();
		});
	}

	write(text: string | Uint8Array): void {
		this.socket.write(text);
	}

	/** Wait until the client has sent this. */
	heard(part: string): Promise<void> {
		return this.until(`"${part}" in "${this.text.slice(-300)}"`, () => this.text.includes(part));
	}

	gone(): Promise<void> {
		return this.until("the client to close", () => this.closed);
	}

	header(id = "a1b2c3d4", namespace = "jabber:component:accept"): void {
		this.write(`<?xml version='1.0'?><stream:stream xmlns='${namespace}' xmlns:stream='http://etherx.jabber.org/streams' from='gw.plant.example' id='${id}'>`);
	}

	/** Play the server's part of XEP-0114 up to `<handshake/>`. */
	async login(secret = "s3cr3t"): Promise<void> {
		await this.heard("to='gw.plant.example'>");
		this.header();
		await this.heard(`<handshake>${createHash("sha1").update(`a1b2c3d4${secret}`).digest("hex")}</handshake>`);
		this.write("<handshake/>");
	}

	error(condition: string, text?: string): void {
		const ns = "urn:ietf:params:xml:ns:xmpp-streams";
		this.write(`<stream:error><${condition} xmlns='${ns}'/>${text === undefined ? "" : `<text xmlns='${ns}'>${text}</text>`}</stream:error></stream:stream>`);
	}
}

/** A loopback server on a free port. */
export class FakeServer extends Watched {
	readonly connections: ServerConnection[] = [];
	readonly #server: Server;
	port = 0;

	private constructor() {
		super();
		this.#server = createServer((socket) => {
			this.connections.push(new ServerConnection(socket));
			this.changed();
		});
	}

	static async start(port = 0): Promise<FakeServer> {
		const server = new FakeServer();
		server.#server.listen(port, "127.0.0.1");
		await once(server.#server, "listening");
		const address = server.#server.address();
		server.port = typeof address === "object" && address !== null ? address.port : 0;
		return server;
	}

	/** The `n`th connection, the first being 1. */
	async connection(n: number): Promise<ServerConnection> {
		await this.until(`connection ${n}`, () => this.connections.length >= n);
		return this.connections[n - 1]!;
	}

	async stop(): Promise<void> {
		for (const { socket } of this.connections) socket.destroy();
		if (!this.#server.listening) return;
		this.#server.close();
		await once(this.#server, "close");
	}
}

/** What a stream told, in order. */
export class Recorder extends Watched {
	readonly states: StreamState[] = [];
	readonly stanzas: Element[] = [];

	readonly handlers = {
		state: (state: StreamState): void => {
			this.states.push(state);
			this.changed();
		},
		stanza: (stanza: Element): void => {
			this.stanzas.push(stanza);
			this.changed();
		},
	};

	get last(): StreamState | undefined {
		return this.states.at(-1);
	}

	online(): Promise<void> {
		return this.until("online", () => this.last?.online === true);
	}

	/** Wait for an offline state that says when it tries again, after `count` states. */
	async failed(count = 0): Promise<{ reason: string; retryAt: number; permanent: boolean }> {
		const failure = (): StreamState | undefined => this.states.slice(count).find((state) => !state.online && state.retryAt !== undefined);
		await this.until("a failed attempt", () => failure() !== undefined);
		const state = failure();
		if (state === undefined || state.online || state.retryAt === undefined) throw new Error("no failure");
		return { reason: state.reason, retryAt: state.retryAt, permanent: state.permanent };
	}

	async heard(count: number): Promise<void> {
		await this.until(`${count} stanzas`, () => this.stanzas.length >= count);
	}
}
