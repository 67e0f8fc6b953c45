// The embedded broker: MQTT Version 3.1.1 by aedes, for whom has none. Everything is kept in memory and bounded.
// Source: https://docs.oasis-open.org/mqtt/mqtt/v3.1.1/os/mqtt-v3.1.1-os.html
//
// A client of MQTT 5 is refused with CONNACK return code 1, "unacceptable protocol version" (section 3.1.2.2), and its connection closed; most clients then try 3.1.1.
// Sessions end with their connections: a broker may have none to resume (section 3.1.2.4), and nothing is kept for who may never come back.

import { createHash, timingSafeEqual } from "node:crypto";
import { EventEmitter } from "node:events";
import { createServer, isIP, type Server, type Socket } from "node:net";
import { Duplex } from "node:stream";
import { createServer as createTlsServer } from "node:tls";
import { Aedes, type AedesPublishPacket, type Client, type PublishPacket } from "aedes";
import { type Clock, deadline, type Millis, type UnixMillis } from "../../core/clock.js";
import { GatewayError, messageOf } from "../../core/errors.js";
import type { Memory, OutMessage } from "../link.js";
import type { Presence } from "../meaning.js";
import { type BrokerHands, BrokerLink, type Published } from "./broker-link.js";
import { FrameGuard, MAX_PAYLOAD } from "./frame-guard.js";
import { answered } from "./waits.js";

export interface BrokerOptions {
	/** Of the link to its clients. */
	readonly id: string;
	/** Messages of an earlier run that their senders may repeat. */
	readonly memory?: Memory;
	/** `host:port`; port 0 takes a free one. */
	readonly listen: string;
	/** Passwords by user name. Without users only this machine may connect. */
	readonly users?: Readonly<Record<string, string>>;
	/** PEM. */
	readonly tls?: { readonly cert: Uint8Array; readonly key: Uint8Array };
	/** Default: 500. */
	readonly maxClients?: number;
	/** What clients are told of the gateway, from the start to the end. */
	readonly presence?: (now: UnixMillis) => Presence | undefined;
}

export interface Broker {
	readonly port: number;
	/** The gateway's own way to its clients. */
	readonly link: BrokerLink;
	/** Connections are closed. Bounded by two seconds. */
	close(): Promise<void>;
}

/**
 * A client that was refused or dropped: the address that it came from, and why. What it calls itself, and whatever else it can invent,
 * stands in the sample alone: faults are counted by the other two. Never a password.
 */
export type BrokerFault = (where: string, reason: string, sample: string) => void;

const MAX_CLIENTS = 500;
const CONNECT_WITHIN: Millis = 10_000;
/** Who does not read what is sent to him is dropped after this long. */
const DRAIN_WITHIN: Millis = 60_000;
const CLOSE_WITHIN: Millis = 2_000;
/** Messages that are being delivered at once. */
const CONCURRENCY = 100;
/** A retained message stays for ever: their number and size are what a sender could fill the memory with. */
const MAX_RETAINED = 10_000;
const MAX_RETAINED_BYTES = 64 * 1_048_576;

/**
 * Start the broker.
 *
 * @throws {GatewayError} `bad-config` for an address that is none or is taken, for one open to others without users, and for a certificate that is none.
 */
export async function startBroker(options: BrokerOptions, clock: Clock, fault: BrokerFault): Promise<Broker> {
	const { host, port } = checkBroker(options);
	const users = new Map(Object.entries(options.users ?? {}));
	const retained = new Retained();

	const aedes = await Aedes.createBroker({
		concurrency: CONCURRENCY,
		connectTimeout: CONNECT_WITHIN,
		drainTimeout: DRAIN_WITHIN,
		preConnect: (_client, packet, done) => {
			Object.assign(packet, { clean: true }); // see the head of this file
			done(null, true);
		},
		authenticate: (_client, username, password, done) => {
			if (users.size === 0 || isRight(users, username, password)) done(null, true);
			else done(Object.assign(new Error("wrong user name or password"), { returnCode: 4 }), false);
		},
		// aedes acknowledges when this is done: a client's message is safe by then.
		authorizePublish: (client, packet, done) => {
			if (packet.topic.startsWith("$SYS/")) done(new Error("$SYS is the broker's own"));
			else if (packet.retain && !retained.fits(packet.topic, packet.payload.length)) done(new Error("too many retained messages"));
			else {
				const end = (error?: Error): void => {
					if (!error && packet.retain) retained.put(packet.topic, packet.payload.length);
					done(error ?? null);
				};
				if (client) link.hear(client.id, published(packet), end);
				else end();
			}
		},
	});
	const publish: BrokerHands["publish"] = ({ topic, payload, qos, retain }, done) => {
		const packet: PublishPacket = { cmd: "publish", dup: false, topic, payload: Buffer.from(payload), qos, retain };
		aedes.publish(packet as AedesPublishPacket, (error) => done(error ?? undefined)); // the broker adds its own number
	};
	const link = new BrokerLink(options.id, clock, {
		publish,
		retained: (filters) => retainedOf(aedes, filters),
	}, options.memory);
	inOrder(aedes);
	let isClosing = false;
	const addresses = new WeakMap<object, string>();
	const refused = (client: Client | null, error: Error): void => {
		if (!isClosing) fault((client && addresses.get(client.conn)) ?? "a client", error.message, nameOf(client));
	};
	aedes.on("clientError", refused);
	aedes.on("connectionError", refused);
	EventEmitter.prototype.on.call(aedes, "error", (error: unknown) => fault("broker", messageOf(error), "")); // missing in its types

	const sockets = new Set<Socket>();
	const admit = (socket: Socket): void => {
		sockets.add(socket);
		socket.setNoDelay(true);
		socket.once("close", () => sockets.delete(socket));
		const address = socket.remoteAddress ?? "a client"; // a closed socket has none
		const guard = new FrameGuard(({ topic, bytes }) => {
			fault(address, `a message is too large: at most ${MAX_PAYLOAD} bytes are taken`, `${bytes} bytes on "${topic.slice(0, 100)}"`);
			socket.destroy();
		});
		const stream = Duplex.from({ readable: socket.pipe(guard), writable: socket });
		socket.once("close", () => stream.destroy());
		guard.on("error", () => socket.destroy());
		stream.on("error", () => socket.destroy());
		stream.once("close", () => socket.destroy());
		addresses.set(stream, address);
		aedes.handle(stream);
	};

	const presence = options.presence?.(clock.now());
	const tell = async (messages: readonly OutMessage[] = []): Promise<void> => {
		const limit = deadline(clock, CLOSE_WITHIN);
		await Promise.allSettled(messages.map(({ topic, payload, qos = 1, retain = false }) => answered((done) => publish({ topic, payload, qos, retain }, done), [limit.signal, late])));
		limit.dispose();
	};

	const servers: Server[] = [];
	const close = async (): Promise<void> => {
		isClosing = true;
		await tell(presence?.farewell(clock.now()));
		const limit = deadline(clock, CLOSE_WITHIN);
		const ended = [answered((done) => aedes.close(() => done()), [limit.signal, late]), ...servers.map((server) => answered((done) => server.close(() => done()), [limit.signal, late]))];
		for (const socket of sockets) socket.destroy();
		await Promise.allSettled(ended);
		limit.dispose();
	};
	try {
		await tell(presence?.birth);
		const server = options.tls ? tlsServer(options.tls, admit) : createServer(admit);
		server.maxConnections = options.maxClients ?? MAX_CLIENTS;
		servers.push(server);
		return { port: await listen(server, host, port, options.listen), link, close };
	} catch (error) {
		await close();
		throw error;
	}
}

/**
 * Number messages as they are handed out, and not as they came in.
 *
 * COMPAT(aedes 1.2): a client to which several filters apply is spared duplicates by a number that must rise; but a retained
 * or QoS 1 message takes longer on its way through than a plain one behind it, arrives with the lower number, and is dropped.
 * Only where no session outlives its connection, as here: the number is also what a kept message is found by.
 */
export function inOrder(aedes: Aedes): void {
	const mq: unknown = Reflect.get(aedes, "mq");
	if (typeof mq !== "object" || mq === null) throw new Error("Cannot find the message queue of aedes: found no object");
	const emit: unknown = Reflect.get(mq, "emit");
	if (typeof emit !== "function") throw new Error("Cannot find how aedes hands out messages: found no function");
	Reflect.set(mq, "emit", (packet: object, done: unknown): unknown => {
		// The broker's own count: what it replays to a new subscription is numbered by it, too.
		const next = Number(Reflect.get(aedes, "counter")) + 1;
		Reflect.set(aedes, "counter", next);
		Reflect.set(packet, "brokerCounter", next);
		return Reflect.apply(emit, mq, [packet, done]);
	});
}

/** COMPAT(aedes 1.2): its persistence is not in its types. */
function retainedOf(aedes: Aedes, filters: readonly string[]): ReturnType<BrokerHands["retained"]> {
	const persistence: unknown = Reflect.get(aedes, "persistence");
	if (typeof persistence !== "object" || persistence === null) throw new Error("Cannot find the persistence of aedes: found no object");
	const create: unknown = Reflect.get(persistence, "createRetainedStreamCombi");
	if (typeof create !== "function") throw new Error("Cannot find how aedes keeps retained messages: found no function");
	return Reflect.apply(create, persistence, [[...filters]]) as ReturnType<BrokerHands["retained"]>;
}

function published({ topic, payload, qos, dup, messageId }: PublishPacket): Published {
	return { topic, qos, dup, payload: typeof payload === "string" ? Buffer.from(payload) : payload, ...(messageId !== undefined && { messageId }) };
}

function late(): Error {
	return new Error("late");
}

function tlsServer(tls: NonNullable<BrokerOptions["tls"]>, admit: (socket: Socket) => void): Server {
	try {
		const server = createTlsServer({ cert: Buffer.from(tls.cert), key: Buffer.from(tls.key), minVersion: "TLSv1.2", handshakeTimeout: CONNECT_WITHIN }, admit);
		server.on("tlsClientError", () => undefined); // a scan of the port is no event
		return server;
	} catch (error) {
		throw new GatewayError("bad-config", `Cannot use the broker's "tls:": ${messageOf(error)}; wanted a certificate and its key as PEM`, { cause: error });
	}
}

async function listen(server: Server, host: string, port: number, name: string): Promise<number> {
	await new Promise<void>((resolve, reject) => {
		server.once("error", (error) => reject(new GatewayError("bad-config", `Cannot let the broker listen on "${name}": ${whyNot(error)}`, { cause: error })));
		server.listen({ host, port, exclusive: true }, resolve);
	});
	const address = server.address();
	return typeof address === "object" && address !== null ? address.port : port;
}

function whyNot(error: Error): string {
	switch ("code" in error ? error.code : undefined) {
		case "EADDRINUSE": return "another program listens there, perhaps a broker such as Mosquitto; use that one by \"url:\", or take another port";
		case "EACCES": return "this user may not listen there; take a port above 1023";
		case "EADDRNOTAVAIL": return "this machine has no such address; take 127.0.0.1, 0.0.0.0 or one of its own";
		case "ENOTFOUND": return "there is no host of this name; take an address of this machine";
		default: return error.message;
	}
}

/** What can be said of a broker's options before a port is opened. @throws {GatewayError} `bad-config`. */
export function checkBroker(options: Pick<BrokerOptions, "listen" | "users">): { host: string; port: number } {
	const { host, port } = addressFrom(options.listen);
	if (Object.keys(options.users ?? {}).length === 0 && !isLoopback(host)) throw new GatewayError("bad-config", `Cannot let the broker listen on "${options.listen}" without users: everybody in that network could command devices; give "users:", or listen on 127.0.0.1`);
	return { host, port };
}

function addressFrom(listen: string): { host: string; port: number } {
	const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:\s[\]]+)):(\d{1,5})$/.exec(listen);
	const port = Number(match?.[3]);
	if (!match || port > 65_535) throw new GatewayError("bad-config", `Cannot let the broker listen on "${listen}": wanted HOST:PORT, such as 127.0.0.1:1883 or [::1]:1883`);
	return { host: match[1] ?? match[2]!, port };
}

function isLoopback(host: string): boolean {
	return host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
}

/** Takes the same time for a wrong password, at whatever character, and for a user that there is not. */
function isRight(users: ReadonlyMap<string, string>, username: string | undefined, password: Buffer | undefined): boolean {
	const expected = users.get(username ?? "");
	const same = timingSafeEqual(digest(password ?? Buffer.alloc(0)), digest(Buffer.from(expected ?? "")));
	return same && expected !== undefined && username !== undefined && password !== undefined;
}

function digest(secret: Buffer): Buffer {
	return createHash("sha256").update(secret).digest();
}

/** What a client calls itself: never a password. */
function nameOf(client: Client | null): string {
	return client?.id ? `client "${String(client.id).slice(0, 64)}"` : "a client";
}

/** Counts what the retained messages take. */
class Retained {
	readonly #sizes = new Map<string, number>();
	#bytes = 0;

	/** Is there room for it? */
	fits(topic: string, bytes: number): boolean {
		const before = this.#sizes.get(topic);
		return bytes === 0 || (this.#bytes - (before ?? 0) + bytes <= MAX_RETAINED_BYTES && (before !== undefined || this.#sizes.size < MAX_RETAINED));
	}

	put(topic: string, bytes: number): void {
		this.#bytes += bytes - (this.#sizes.get(topic) ?? 0);
		if (bytes === 0) this.#sizes.delete(topic);
		else this.#sizes.set(topic, bytes);
	}
}
