// XEP-0114: what can go wrong between a component and its server, in words that say what, why, and how to mend it.
// Source: https://xmpp.org/extensions/xep-0114.html#proto-errors
import type { FaultKind } from "./backoff.js";
import { STREAM_CONDITIONS, type StreamCondition, type XmppError } from "./error.js";
import type { Element } from "./xml.js";

export const NS_STREAM_ERRORS = "urn:ietf:params:xml:ns:xmpp-streams";

/** Why a connection ended. */
export interface Fault {
	readonly kind: FaultKind;
	readonly reason: string;
}

/** Where the component connects to. */
export interface Place {
	/** The component's own domain: `things.example.org`. */
	readonly domain: string;
	readonly host: string;
	readonly port: number;
}

/** How far a connection had come when it ended. */
export type Phase = "connecting" | "header" | "handshake" | "online";

const nameOf = ({ host, port }: Place): string => `"${host}:${port}"`;
const portLines = (port: number): string => `Prosody: component_ports = { ${port} }; ejabberd: listen: - port: ${port}, module: ejabberd_service`;
const domainLines = (domain: string): string => `Prosody: Component "${domain}" with component_secret; ejabberd: under ejabberd_service, hosts: "${domain}": password`;

/** The port that both servers use where nobody chose another. */
const USUAL_PORT = 5347;

/** The name was not found, nobody listens, the road is cut: everything that the operating system says. */
export function networkFault(place: Place, error: NodeJS.ErrnoException, phase: Phase): Fault {
	const name = nameOf(place);
	if (phase !== "connecting") return transient(`Cannot keep the connection to the XMPP server ${name}: ${error.code ?? error.message}; trying again`);
	switch (error.code) {
		case "ENOTFOUND":
			return transient(`Cannot find the XMPP server ${name}: DNS knows no such name; check uplink.host and this machine's DNS`);
		case "EAI_AGAIN":
			return transient(`Cannot look up the XMPP server ${name}: DNS does not answer; check this machine's network, or give an IP address as uplink.host`);
		case "ECONNREFUSED":
			return transient(`Cannot reach the XMPP server ${name}: connection refused, nothing listens there; start the server or open its component port. ${portLines(place.port)}`);
		case "EHOSTUNREACH":
		case "ENETUNREACH":
			return transient(`Cannot reach the XMPP server ${name}: there is no route to it; check cable, Wi-Fi, VPN and uplink.host`);
		case "ETIMEDOUT":
			return timeoutFault(place, phase);
		default:
			return transient(`Cannot reach the XMPP server ${name}: ${error.code ?? error.message}; trying again`);
	}
}

/** The connection was not ready in time. */
export function timeoutFault(place: Place, phase: Phase): Fault {
	const name = nameOf(place);
	switch (phase) {
		case "connecting":
			return transient(`Cannot reach the XMPP server ${name}: no answer in time; a firewall may drop the connection, or the machine is down`);
		case "header":
			return transient(`Cannot open a component stream to ${name}: something listens there and says nothing; is it the component port? ${portLines(place.port)}`);
		case "handshake":
			return transient(`Cannot log in to the XMPP server ${name}: it did not answer the handshake in time; the server may be overloaded`);
		case "online":
			return transient(`Cannot hear the XMPP server ${name} any more: two pings were not answered; connecting anew`);
		default:
			return phase satisfies never;
	}
}

/** The server closed without an error. */
export function closedFault(place: Place, phase: Phase): Fault {
	return phase === "online"
		? transient(`Cannot keep the connection to the XMPP server ${nameOf(place)}: it closed the stream, probably to restart; trying again`)
		: transient(`Cannot open a component stream to ${nameOf(place)}: the connection was closed before the login; is it the component port? ${portLines(place.port)}`);
}

/** `<stream:error/>`. */
export function streamErrorFault(place: Place, error: Element, phase: Phase): Fault {
	const condition: StreamCondition = STREAM_CONDITIONS.find((each) => error.child(each, NS_STREAM_ERRORS) !== undefined) ?? "undefined-condition";
	const text = error.child("text", NS_STREAM_ERRORS)?.text() ?? "";
	const said = text === "" ? condition : `${condition}, "${text.slice(0, 200)}"`;
	const { domain } = place;
	const name = nameOf(place);
	switch (condition) {
		case "host-unknown":
		case "host-gone":
		case "improper-addressing":
			return configuration(`Cannot log in to the XMPP server ${name} as "${domain}": it has no such component (${said}), or the port is one for clients; add the component. ${domainLines(domain)}`);
		case "not-authorized":
			// ejabberd says the same for a domain that it does not know.
			return configuration(`Cannot log in to the XMPP server ${name} as "${domain}": the secret is wrong, or no such component is configured (${said}); uplink.domain and uplink.secret must be those of the server. ${domainLines(domain)}`);
		case "invalid-namespace":
			return wrongPortFault(place, said);
		case "conflict":
			return {
				kind: "conflict",
				reason: phase === "online"
					? `Cannot stay connected to the XMPP server ${name} as "${domain}": another connection took the name (${said}); is a second gateway running with the same uplink.domain?`
					: `Cannot log in to the XMPP server ${name} as "${domain}": the name is in use (${said}), by our own lost connection (Prosody: component_conflict_resolve = "kick_old" lets the new one in at once), by a second gateway, or by a virtual host of that name; trying again`,
			};
		case "invalid-from":
			return transient(`Cannot stay connected to the XMPP server ${name}: it refused the sender of a stanza (${said}); every sender must be of the domain "${domain}"`);
		default:
			return transient(`Cannot stay connected to the XMPP server ${name}: it ended the stream with ${said}; trying again`);
	}
}

/** What listens there speaks XMPP, and not with components. */
export function wrongPortFault(place: Place, found: string): Fault {
	return configuration(`Cannot open a component stream to ${nameOf(place)}: found ${found}, wanted jabber:component:accept; this is a port for clients or servers, use the component port, usually ${USUAL_PORT}. ${portLines(USUAL_PORT)}`);
}

/** What the server sent cannot be taken. */
export function unreadableFault(place: Place, error: XmppError, phase: Phase): Fault {
	return phase === "header"
		? configuration(`Cannot open a component stream to ${nameOf(place)}: what listens there does not speak XMPP (${error.message}); check uplink.port, usually ${USUAL_PORT}. ${portLines(USUAL_PORT)}`)
		: transient(`Cannot go on with the stream of the XMPP server ${nameOf(place)}: ${error.message}; connecting anew`);
}

function transient(reason: string): Fault {
	return { kind: "transient", reason };
}

function configuration(reason: string): Fault {
	return { kind: "configuration", reason };
}
