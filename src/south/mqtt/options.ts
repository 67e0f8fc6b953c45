// How a broker outside is reached: what the config file says, as MQTT.js wants it.

import type { Millis, UnixMillis } from "../../core/clock.js";
import { GatewayError } from "../../core/errors.js";
import type { Memory, OutMessage } from "../link.js";
import type { Presence } from "../meaning.js";
import type { Place } from "./mend.js";

/** Where the broker is and how to enter. Files are read by the caller. */
export interface MqttOptions {
	/** `mqtt:`, `mqtts:`, `ws:` or `wss:`. */
	readonly url: string;
	/** 4 is MQTT 3.1.1. Default: 4. */
	readonly version?: 4 | 5;
	readonly username?: string;
	readonly password?: string;
	/** PEM. `ca` takes the place of the authorities of the system. */
	readonly ca?: Uint8Array;
	readonly cert?: Uint8Array;
	readonly key?: Uint8Array;
	/** Accept whatever certificate: for trying a broker out, never by default. */
	readonly insecure?: boolean;
	readonly clientId: string;
	/** The broker forgets this session with its connection. Default: false. */
	readonly clean?: boolean;
	/** How long the broker keeps what could not be delivered (version 5; brokers of version 4 decide themselves). Default: 1 day. */
	readonly session?: Millis;
	/** Filters of an earlier run: what is no longer wanted of them is unsubscribed. */
	readonly before?: readonly string[];
	/** Messages of an earlier run whose acknowledgement may not have reached the broker. */
	readonly memory?: Memory;
	/** What the broker is told of the gateway: asked for each connection, since its will must be known before. */
	readonly presence?: (now: UnixMillis) => Presence | undefined;
}

const DAY: Millis = 86_400_000;
const KEEPALIVE_SECONDS = 30;
/** MQTT 5: messages that the broker may have on the way without an acknowledgement. Version 4 has no such word; Mosquitto sends 20. */
const RECEIVE_MAXIMUM = 100;
/** 0xFFFFFFFF would be a session that never ends: MQTT 5.0 section 3.1.2.11.2. */
const LONGEST_SESSION_SECONDS = 0xffff_fffe;

/** The client id of a link that has none of its own. */
export function defaultClientId(gateway: string, link: string): string {
	return `jidway-${gateway}-${link}`;
}

/** @throws {GatewayError} `bad-config`. */
export function placeFrom(options: MqttOptions): Place {
	const url = urlFrom(options.url);
	return { name: `${url.protocol}//${url.host}`, version: options.version ?? 4, isTls: url.protocol === "mqtts:" || url.protocol === "wss:", clientId: options.clientId };
}

/** What MQTT.js is told, but for what the session decides. @throws {GatewayError} `bad-config`. */
export function connectOptions(options: MqttOptions, will?: OutMessage) {
	const { version = 4, username, password, ca, cert, key, insecure, clientId, session = DAY } = options;
	const url = urlFrom(options.url);
	const user = username ?? (url.username === "" ? undefined : decodeURIComponent(url.username));
	const secret = password ?? (url.password === "" ? undefined : decodeURIComponent(url.password));
	const isWeb = url.protocol.startsWith("ws");
	const host = isWeb ? url.hostname : url.hostname.replace(/^\[|\]$/g, ""); // an IPv6 address has brackets in an address of the web alone
	return {
		protocol: protocolOf(url),
		host,
		hostname: host,
		...(url.port !== "" && { port: Number(url.port) }),
		...(isWeb && { path: url.pathname + url.search }),
		protocolVersion: version,
		clientId,
		clean: options.clean ?? false,
		...(version === 5 && { properties: { sessionExpiryInterval: options.clean ? 0 : Math.min(LONGEST_SESSION_SECONDS, Math.max(0, Math.round(session / 1_000))), receiveMaximum: RECEIVE_MAXIMUM } }),
		...(will && { will: { topic: will.topic, payload: Buffer.from(will.payload), qos: will.qos ?? 1, retain: will.retain ?? false } }),
		...(user !== undefined && { username: user }),
		...(secret !== undefined && { password: secret }),
		...(ca && { ca: Buffer.from(ca) }),
		...(cert && { cert: Buffer.from(cert) }),
		...(key && { key: Buffer.from(key) }),
		rejectUnauthorized: insecure !== true,
		keepalive: KEEPALIVE_SECONDS,
	};
}

function urlFrom(text: string): URL {
	let url: URL | undefined;
	try {
		url = new URL(text);
	} catch {
		url = undefined;
	}
	// The text may hold a password, so it is not shown.
	if (!url || url.hostname === "" || !/^(mqtts?|wss?):$/.test(url.protocol)) throw new GatewayError("bad-config", "Cannot use the \"url:\" of an MQTT link: it is no address; wanted mqtt://HOST:PORT, or with mqtts, ws, wss");
	return url;
}

function protocolOf(url: URL): "mqtt" | "mqtts" | "ws" | "wss" {
	switch (url.protocol) {
		case "mqtts:": return "mqtts";
		case "ws:": return "ws";
		case "wss:": return "wss";
		default: return "mqtt";
	}
}
