// What the live tests have alike: a server with one component and some people, a broker, one device, and the gateway between them.

import { existsSync } from "node:fs";
import { type GatewayConfig, type GatewayProcess, newGateway } from "./gateway-process.js";
import { type MqttDevice, startMqttDevice } from "./mqtt-device.js";
import { type Mosquitto, startMosquitto } from "./servers/mosquitto.js";
import { waitUntil } from "./servers/processes.js";
import type { XmppServer, XmppServerOptions } from "./servers/server.js";
import { type User, type Xml } from "./xmpp-user.js";

export const DOMAIN = "things.localhost";
/** Searched for in everything that a gateway writes. */
export const SECRET = "qzx-uplink-secret-8fd2";
export const ROMEO = { name: "romeo", password: "r" };
export const JULIET = { name: "juliet", password: "j" };
export const TYBALT = { name: "tybalt", password: "t" };
export const PARIS = { name: "paris", password: "p" };
export const SAMPSON = { name: "sampson", password: "s" };
export const ASKED: XmppServerOptions = { components: [{ domain: DOMAIN, secret: SECRET }], users: [ROMEO, JULIET, TYBALT, PARIS, SAMPSON] };

/** Romeo may do everything, Juliet may see one point, the others are strangers. */
export const ACCESS = [
	{ who: "romeo@localhost", role: "operator" },
	{ who: "juliet@localhost", role: "viewer", points: { "room-*": ["temperature"] } },
];

const setter = (name: string) => ({ topic: "sensors/{id}/set", payload: `{"${name}":{value}}` });

/** An MQTT link to the devices of these tests. */
export function mqttLink(url: string, more: object = {}): object {
	return {
		id: "farm", kind: "mqtt", url, conventions: [],
		topics: [{
			match: "sensors/{id}/state", device: "{id}",
			points: {
				temperature: { path: "temp", unit: "°C" },
				setpoint: { path: "setpoint", unit: "°C", min: 5, max: 30, step: 0.5, set: setter("setpoint") },
				relay: { path: "relay", kind: "boolean", timeout: "2s", set: setter("relay") },
				secret_note: { path: "note", kind: "text" },
			},
			availability: { topic: "sensors/{id}/online", online: "1", offline: "0" },
		}],
		...more,
	};
}

/** What a device of that link says. */
export function state(temp: string, setpoint = "20.0", relay = false): string {
	return `{"temp":${temp},"setpoint":${setpoint},"relay":${relay},"note":"n7"}`;
}

/** A server, a broker, a device and a gateway that is ready. */
export interface Site {
	readonly server: XmppServer;
	readonly broker: Mosquitto;
	readonly device: MqttDevice;
	readonly gateway: GatewayProcess;
	/** Ends everything, whatever is wrong with some of it. */
	end(): Promise<void>;
}

/** What is not as in every site; `links` is given the address of the broker. */
export interface SiteOptions extends Partial<Omit<GatewayConfig, "links">> {
	readonly links?: (url: string) => readonly object[];
}

export async function startSite(startServer: (options: XmppServerOptions) => Promise<XmppServer>, { links = (url) => [mqttLink(url)], ...more }: SiteOptions = {}): Promise<Site> {
	const ends: (() => Promise<unknown>)[] = [];
	const end = async (): Promise<void> => {
		const results: PromiseSettledResult<unknown>[] = [];
		for (const each of ends.splice(0).reverse()) results.push(...(await Promise.allSettled([each()])));
		for (const result of results) if (result.status === "rejected") throw result.reason;
	};
	try {
		const [server, broker] = await Promise.all([
			startServer(ASKED).then((started) => (ends.push(started.stop), started)),
			startMosquitto().then((started) => (ends.push(started.stop), started)),
		]);
		const gateway = await newGateway({ uplink: { domain: DOMAIN, port: server.componentPort, secret: SECRET }, access: ACCESS, links: links(broker.url), ...more });
		ends.push(gateway.remove);
		await gateway.start();
		const device = await startMqttDevice(broker.url, ["sensors/+/set"]);
		ends.push(device.stop);
		await gateway.ready();
		return { server, broker, device, gateway, end };
	} catch (error) {
		await end().catch(() => undefined); // What went wrong first is what matters.
		throw error;
	}
}

/** Lets the device report, again and again as devices do, until the gateway has found it: the link may be up a moment before the broker has taken its subscriptions. */
export async function introduce({ device, gateway }: Pick<Site, "device" | "gateway">, id: string, payload: string): Promise<void> {
	await waitUntil(`the gateway to find ${id}`, async () => {
		await device.say(`sensors/${id}/state`, payload);
		return gateway.logs.some(({ msg }) => msg.startsWith(`Found "${id}"`));
	}, { withinMs: 15_000 });
}

/**
 * Everything that the gateway was going to say because of what this user sent before has arrived when this ends:
 * it takes stanzas in their order, and what it does at once is said before the answer to this question.
 */
export async function barrier(user: User): Promise<void> {
	for (let round = 0; round < 2; round++) await user.ask("get", DOMAIN, "<query xmlns='http://jabber.org/protocol/disco#info'/>");
}

/** What came from the gateway or its devices, and was not expected. */
export function unexpected(user: User): readonly Xml[] {
	return user.unread.filter(({ attrs }) => (attrs["from"] ?? "").split("/")[0]?.endsWith(DOMAIN) === true);
}

/** Why tests with these programs cannot run here; false if they can. */
export function missing(...programs: ("prosody" | "ejabberd" | "mosquitto" | "socat" | "slixmpp")[]): string | false {
	const places = { prosody: "/usr/bin/prosody", ejabberd: "/usr/sbin/ejabberdctl", mosquitto: "/usr/sbin/mosquitto", socat: "/usr/bin/socat", slixmpp: "/usr/lib/python3/dist-packages/slixmpp" };
	const gone = programs.filter((name) => !existsSync(places[name]));
	return gone.length === 0 ? false : `needs ${gone.map((name) => (name === "slixmpp" ? "python3-slixmpp" : name)).join(", ")}: apt install`;
}
