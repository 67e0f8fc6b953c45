// A durable MQTT session with an outside broker: MQTT Version 3.1.1 or 5.0 by MQTT.js, with reconnection and acknowledgement of our own.
// Source: https://docs.oasis-open.org/mqtt/mqtt/v3.1.1/os/mqtt-v3.1.1-os.html
// Source: https://docs.oasis-open.org/mqtt/mqtt/v5.0/mqtt-v5.0.html
//
// Each connection is a new MqttClient with `reconnectPeriod: 0`: MQTT.js then neither queues, stores nor repeats anything, and what belongs to a connection ends with it.
// Deferred acknowledgement rests on two things inside MQTT.js 5.16, which test/south/mqtt/session.test.ts holds: handleMessage() that answers with an error sends no PUBACK
// and goes on with the next packet (handlers/publish.js), and `_sendPacket({ cmd: "puback" })` writes one at once while `connected` is true (client.js).
// Longer than 300 lines, for one connection is one subject, and MQTT.js has this one importer.

import { setMaxListeners } from "node:events";
import type { Duplex } from "node:stream";
import mqtt, { type IPublishPacket, type MqttClient } from "mqtt";
import { type Clock, deadline, type Millis, pause } from "../../core/clock.js";
import { GatewayError, messageOf } from "../../core/errors.js";
import type { Link, LinkEars, Outgoing, OutMessage } from "../link.js";
import type { Presence } from "../meaning.js";
import { FrameGuard, MAX_PAYLOAD, type Oversized } from "./frame-guard.js";
import { InFlight } from "./in-flight.js";
import { type Place, whyDown } from "./mend.js";
import { connectOptions, type MqttOptions, placeFrom } from "./options.js";
import { isFilter, isTopic } from "./pattern.js";
import { aborted, answered, Window } from "./waits.js";

const CONNECT_WITHIN: Millis = 20_000;
const SUBSCRIBE_WITHIN: Millis = 20_000;
const STOP_WITHIN: Millis = 2_000;
const FIRST_PAUSE: Millis = 1_000;
const LONGEST_PAUSE: Millis = 60_000;
/** A connection that lived this long, and twice as long as the pause before it, was a good one: the next pause is the first again. Two clients of one id throw each other out sooner. */
const GOOD_AFTER: Millis = 10_000;
/** Filters in one SUBSCRIBE: keeps the packet below what brokers take. */
const SUBSCRIBE_AT_ONCE = 100;
/** As many as 10 000 devices with two topics each need. */
const MAX_FILTERS = 20_000;
/** Packets that may wait to be taken over, of any QoS, and their bytes; then no more is read from the socket. */
const MAX_UNTAKEN = 1_000;
const MAX_UNTAKEN_BYTES = 16 * MAX_PAYLOAD;
/** While nothing is read, no PINGRESP is seen either: the connection is kept alive by hand. */
const PING_WHILE_FULL: Millis = 10_000;
/** Messages on their way to the broker at once, where it does not want fewer, and how many more may wait. */
const MAX_SENDING = 100;
const MAX_WAITING = 1_000;

/** Everything of one connection. */
interface Connection {
	readonly client: MqttClient;
	/** Aborts when it has ended, for whatever reason. */
	readonly ended: AbortSignal;
	/** Settles when messages may be sent: the session is open and the first subscriptions are confirmed. */
	ready: Promise<void>;
	/** The last change of subscriptions: one after the other. */
	subscribing: Promise<void>;
	window: Window;
	/** Ends it, for this reason. */
	fail(error: unknown): void;
}

/** A road to the devices behind an MQTT broker. */
export class MqttLink implements Link {
	readonly id: string;
	readonly #options: MqttOptions;
	readonly #clock: Clock;
	readonly #chance: () => number;
	readonly #place: Place;
	readonly #inFlight: InFlight;
	#wanted: ReadonlySet<string> = new Set();
	/** What the session at the broker may be subscribed to, from this connection or an earlier one. */
	readonly #subscribed: Set<string>;
	#connection: Connection | undefined;
	#ears: LinkEars | undefined;
	/** Why it is not up; nothing while it is. */
	#down: string | undefined = "it is not connected yet";
	#untaken = 0;
	#untakenBytes = 0;
	/** Goes on reading, after MAX_UNTAKEN. */
	#resume: (() => void) | undefined;

	/**
	 * @param chance 0 ≤ x < 1, for the jitter of reconnection.
	 * @throws {GatewayError} `bad-config` for an address that is none.
	 */
	constructor(id: string, options: MqttOptions, clock: Clock, chance: () => number) {
		this.id = id;
		this.#options = options;
		this.#clock = clock;
		this.#chance = chance;
		this.#place = placeFrom(options);
		this.#subscribed = new Set(options.before?.filter(isFilter));
		this.#inFlight = new InFlight(options.memory);
	}

	async run(ears: LinkEars, signal: AbortSignal): Promise<void> {
		this.#ears = ears;
		let failures = 0;
		let paused: Millis = 0;
		while (!signal.aborted) {
			const began = this.#clock.now();
			const error = await this.#connect(ears, signal);
			if (signal.aborted) break;
			const reason = whyDown(error, this.#place);
			if (this.#down !== reason) ears.state({ up: false, reason });
			this.#down = reason;
			failures = this.#clock.now() - began >= Math.max(GOOD_AFTER, 2 * paused) ? 1 : failures + 1;
			const longest = Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** Math.min(failures - 1, 10));
			paused = longest * (0.5 + 0.5 * this.#chance());
			await pause(this.#clock, paused, signal);
		}
		this.#down = "it has been stopped";
		this.#ears = undefined;
	}

	async send(out: Outgoing, signal: AbortSignal): Promise<void> {
		if (out.kind !== "message") throw new GatewayError("not-implemented", `Cannot send a ${out.kind} to link "${this.id}": it is an MQTT link, which takes messages`);
		check(out);
		const connection = this.#connection;
		if (!connection) throw this.#linkDown();
		const { client, ended, ready } = connection;
		const unless = [[ended, () => this.#linkDown()], [signal, () => new GatewayError("device-timeout", `Cannot publish to "${out.topic}": the broker did not confirm it in time`)]] as const;
		await answered((done) => void ready.then(() => done(), () => done(this.#linkDown())), ...unless);
		checkSize(out, client.serverProperties?.maximumPacketSize);
		const { window } = connection;
		await window.enter(...unless);
		await answered((done) => {
			// The callback may come when nobody waits any more, but the place in the window is taken until then; with the connection the window ends.
			publish(client, out, (error) => {
				window.leave();
				done(error && refusal(out, error));
			});
		}, ...unless);
	}

	listen(filters: readonly string[]): void {
		const wanted = new Set<string>();
		for (const filter of filters) {
			if (!isFilter(filter)) this.#ears?.fault(filter.slice(0, 120), "is no MQTT topic filter", "");
			else wanted.add(filter);
			if (wanted.size < MAX_FILTERS) continue;
			this.#ears?.fault(this.id, `wants more than ${MAX_FILTERS} topic filters`, filter);
			break;
		}
		this.#wanted = wanted;
		const connection = this.#connection;
		if (connection) connection.subscribing = connection.subscribing.then(() => this.#subscribe(connection, false)).catch(connection.fail);
	}

	/** One connection, from its beginning to its end. Never rejects. @returns Why it ended. */
	async #connect(ears: LinkEars, signal: AbortSignal): Promise<unknown> {
		const end = new AbortController();
		setMaxListeners(2 * (MAX_SENDING + MAX_WAITING), end.signal); // each message that waits listens
		let why: unknown;
		const fail = (error: unknown): void => {
			if (end.signal.aborted) return;
			why = error;
			end.abort();
		};
		let client: MqttClient;
		let presence: Presence | undefined;
		try {
			presence = this.#options.presence?.(this.#clock.now());
			client = mqtt.connect({
				...connectOptions(this.#options, presence?.will),
				connectTimeout: 2 * CONNECT_WITHIN, // ours comes first
				reconnectPeriod: 0,
				resubscribe: false,
				queueQoSZero: false,
				manualConnect: true,
			});
		} catch (error) {
			return error;
		}
		guard(client, (oversized) => this.#leaveOut(client, oversized, ears));
		let isOpen = false;
		const connected = new Promise<void>((resolve) => void client.once("connect", () => resolve()));
		const connection: Connection = { client, ended: end.signal, ready: connected, subscribing: connected, window: new Window(MAX_SENDING, MAX_WAITING), fail };
		connection.ready = connected.then(() => this.#subscribe(connection, true));
		// Before all that waits for the same moment to be sent.
		void connection.ready.then(() => {
			for (const out of presence?.birth ?? []) publish(client, out, (error) => error && !end.signal.aborted && ears.fault(out.topic, "is a topic on which the broker does not let the gateway say that it is there", messageOf(error)));
		}, () => undefined);
		connection.subscribing = connection.ready.catch(fail);
		client.on("error", fail);
		client.on("disconnect", (packet) => fail(Object.assign(new Error("the broker ended the connection"), { code: packet.reasonCode })));
		client.on("close", () => fail(new Error(isOpen ? "the broker closed the connection; if that goes on, another client has the same client id" : `the other end closed the connection at once; is that an MQTT port${this.#place.isTls ? "" : ", and does it want TLS (mqtts:)"}`)));
		client.on("packetsend", (packet) => {
			if (packet.cmd === "pingreq") this.#inFlight.ping();
		});
		client.on("packetreceive", (packet) => {
			if (packet.cmd === "pingresp") this.#inFlight.pong();
			if (packet.cmd !== "connack" || (packet.reasonCode ?? packet.returnCode) !== 0 || isOpen || end.signal.aborted) return;
			// Now, and not with "connect": the first message of a resumed session may stand in the same segment.
			isOpen = true;
			this.#inFlight.open(packet.sessionPresent, (messageId) => acknowledge(client, messageId));
			connection.window = new Window(Math.min(MAX_SENDING, packet.properties?.receiveMaximum ?? MAX_SENDING), MAX_WAITING);
			this.#down = undefined;
			ears.state({ up: true });
		});
		client.handleMessage = (packet, next) => this.#hear(packet, next, ears, connection);
		const stop = (): void => fail(new Error("stopped"));
		signal.addEventListener("abort", stop, { once: true });
		const cancel = this.#clock.after(CONNECT_WITHIN, () => fail(new Error(`no answer within ${CONNECT_WITHIN / 1_000} s; is that an MQTT port${this.#place.isTls ? "" : ", and does it want TLS (mqtts:)"}`)));
		connected.then(cancel, cancel);
		this.#connection = connection;
		try {
			client.connect();
		} catch (error) {
			fail(error); // a certificate that is none, for one
		}
		await aborted(end.signal);
		cancel();
		signal.removeEventListener("abort", stop);
		this.#connection = undefined;
		this.#inFlight.close();
		this.#resume = undefined;
		await this.#close(client, signal.aborted, presence);
		return why;
	}

	/** The farewells and a last DISCONNECT when we are the ones who leave; never more than two seconds. */
	async #close(client: MqttClient, politely: boolean, presence: Presence | undefined): Promise<void> {
		const stream: Duplex | undefined = client.stream; // not there yet when connect() threw
		if (!stream) return;
		if (!stream.closed) {
			const limit = deadline(this.#clock, STOP_WITHIN);
			if (politely && client.connected) {
				// Nothing is read any more, so no acknowledgement of a farewell is awaited: a broker takes packets in their order.
				for (const out of presence?.farewell(this.#clock.now()) ?? []) publish(client, out, () => undefined);
				send(client, { cmd: "disconnect" }, () => stream.end());
			} else stream.destroy();
			await answered((done) => void stream.once("close", () => done()), [limit.signal, () => new Error("late")]).catch(() => stream.destroy());
			limit.dispose();
		}
		client.end(true);
	}

	/** Bring the broker's subscriptions to what is wanted. @param all Ask for everything again: retained messages are wanted after each connection. */
	async #subscribe({ client, ended }: Connection, all: boolean): Promise<void> {
		const wanted = this.#wanted;
		const unwanted = [...this.#subscribed].filter((filter) => !wanted.has(filter));
		const missing = all ? [...wanted] : [...wanted].filter((filter) => !this.#subscribed.has(filter));
		for (const some of inChunks(unwanted)) {
			await this.#confirmed(ended, (done) => client.unsubscribe(some, (error) => done(error)));
			for (const filter of some) this.#subscribed.delete(filter);
		}
		for (const some of inChunks(missing)) {
			for (const filter of some) this.#subscribed.add(filter);
			await this.#confirmed(ended, (done) => client.subscribe(some, { qos: 1 }, (error, _subscriptions, packet) => {
				const refused = some.filter((_filter, at) => Number(packet?.granted[at] ?? 0) >= 0x80);
				for (const filter of refused) this.#ears?.fault(filter, "is a topic filter that the broker refuses; allow it in the broker's access list", "");
				done(refused.length > 0 ? undefined : error);
			}));
		}
	}

	async #confirmed(ended: AbortSignal, start: (done: (error?: Error | null) => void) => void): Promise<void> {
		const limit = deadline(this.#clock, SUBSCRIBE_WITHIN);
		try {
			await answered(start, [ended, () => new Error("the connection ended")], [limit.signal, () => new Error(`the broker did not confirm subscriptions within ${SUBSCRIBE_WITHIN / 1_000} s`)]);
		} finally {
			limit.dispose();
		}
	}

	#hear(packet: IPublishPacket, next: (error?: Error) => void, ears: LinkEars, { client, ended }: Connection): void {
		if (ended.aborted) return; // what was read ahead comes again
		const { topic, qos, messageId } = packet;
		const payload = typeof packet.payload === "string" ? Buffer.from(packet.payload) : packet.payload;
		// With an error MQTT.js sends no PUBACK, and goes on with the next packet all the same.
		const goOn = (): void => next(qos === 0 ? undefined : new Error("acknowledged later"));
		const delivery = qos === 1 && messageId !== undefined ? this.#inFlight.arrived(messageId, packet.dup, topic, payload) : undefined;
		if (!delivery && qos === 1) return goOn();
		if (payload.length > MAX_PAYLOAD || !isTopic(topic)) {
			ears.fault(topic.slice(0, 120), payload.length > MAX_PAYLOAD ? TOO_LARGE : "is no MQTT topic", payload.length > MAX_PAYLOAD ? `${payload.length} bytes` : "");
			delivery?.taken();
			return goOn();
		}
		this.#untaken++;
		this.#untakenBytes += payload.length;
		let isTaken = false;
		const taken = (): void => {
			if (isTaken) return;
			isTaken = true;
			this.#untaken--;
			this.#untakenBytes -= payload.length;
			delivery?.taken();
			if (!this.#isFull) this.#resume?.();
		};
		const contentType = packet.properties?.contentType;
		try {
			ears.packet({ body: { kind: "message", topic, payload, retained: packet.retain, ...(contentType !== undefined && { contentType }) }, received: this.#clock.now(), ...(delivery && { delivery: { id: delivery.id, hash: delivery.hash } }), taken });
		} catch (error) {
			// A message that breaks something would be redelivered, and break it, for ever.
			ears.fault(topic, "could not be taken over", `${messageOf(error)}: ${payload.toString("utf8", 0, 120)}`);
			taken();
		}
		if (this.#isFull) this.#hold(client, ended, goOn);
		else goOn();
	}

	get #isFull(): boolean {
		return this.#untaken >= MAX_UNTAKEN || this.#untakenBytes >= MAX_UNTAKEN_BYTES;
	}

	/** Read no more until enough was taken over: the broker feels it, as its socket fills. */
	#hold(client: MqttClient, ended: AbortSignal, goOn: () => void): void {
		let cancel = (): void => {};
		const ping = (): void => {
			client.sendPing();
			client.reschedulePing(true);
			cancel = this.#clock.after(PING_WHILE_FULL, ping);
		};
		cancel = this.#clock.after(PING_WHILE_FULL, ping);
		const stop = (): void => cancel();
		ended.addEventListener("abort", stop, { once: true });
		this.#resume = () => {
			cancel();
			ended.removeEventListener("abort", stop);
			this.#resume = undefined;
			goOn();
		};
	}

	/** Too large to be looked at: counted, acknowledged so that it does not come again, and gone. */
	#leaveOut(client: MqttClient, { topic, bytes, messageId, qos }: Oversized, ears: LinkEars): void {
		ears.fault(topic.slice(0, 120), TOO_LARGE, `${bytes} bytes`);
		if (qos === 1 && messageId !== undefined) acknowledge(client, messageId);
	}

	#linkDown(): GatewayError {
		return new GatewayError("link-down", `Cannot send by link "${this.id}": ${this.#down ?? "the connection to the broker ended"}`);
	}
}

/** A PUBACK, while the connection is the one that the message came by; otherwise the broker sends the message again. */
function acknowledge(client: MqttClient, messageId: number): void {
	if (client.connected && client.stream.writable) send(client, { cmd: "puback", messageId, reasonCode: 0 }, () => {});
}

function publish(client: MqttClient, { topic, payload, qos = 1, retain = false }: OutMessage, done: (error?: Error) => void): void {
	client.publish(topic, typeof payload === "string" ? payload : Buffer.from(payload), { qos, retain }, done);
}

/** Writes a packet now. Only while connected: MQTT.js would keep it for later otherwise. */
function send(client: MqttClient, packet: { cmd: "puback"; messageId: number; reasonCode: 0 } | { cmd: "disconnect" }, sent: () => void): void {
	client["_sendPacket"](packet, sent);
}

/** Let nothing above the limit reach the parser of MQTT.js, which reads by `stream.pipe(parser)`. */
function guard(client: MqttClient, tell: (oversized: Oversized) => void): void {
	const build: (client: MqttClient) => Duplex = client["streamBuilder"];
	const guarded = (self: MqttClient): Duplex => {
		const stream = build(self);
		const pipe = stream.pipe.bind(stream);
		const frames = new FrameGuard(tell);
		frames.on("error", (error) => stream.destroy(error));
		stream.pipe = (destination, options) => {
			pipe(frames, options);
			return frames.pipe(destination, options);
		};
		return stream;
	};
	Object.assign(client, { streamBuilder: guarded });
}

/** @throws {GatewayError} `bad-value`. MQTT.js would end the connection for these. */
function check(out: OutMessage): void {
	if (!isTopic(out.topic)) throw new GatewayError("bad-value", `Cannot publish to "${out.topic.slice(0, 120)}": it is no MQTT topic`);
	checkSize(out, undefined);
}

/** @param packet The largest packet that the broker takes, where it said so. A version 5 broker ends the connection for a larger one. */
function checkSize(out: OutMessage, packet: number | undefined): void {
	const bytes = Buffer.byteLength(out.payload);
	const most = Math.min(MAX_PAYLOAD, (packet ?? Infinity) - Buffer.byteLength(out.topic) - 16);
	if (bytes > most) throw new GatewayError("bad-value", `Cannot publish to "${out.topic}": ${bytes} bytes, at most ${most} are sent`);
}

function refusal(out: OutMessage, error: Error): GatewayError {
	return new GatewayError("device-refused", `Cannot publish to "${out.topic}": ${messageOf(error)}; is it allowed in the broker's access list`, { cause: error });
}

const TOO_LARGE = `is a message that is too large: at most ${MAX_PAYLOAD} bytes are taken`;

function inChunks(filters: readonly string[]): string[][] {
	const chunks: string[][] = [];
	for (let at = 0; at < filters.length; at += SUBSCRIBE_AT_ONCE) chunks.push(filters.slice(at, at + SUBSCRIBE_AT_ONCE));
	return chunks;
}
