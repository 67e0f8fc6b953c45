// What is wrong with an MQTT connection, why, and how to mend it.

import { messageOf } from "../../core/errors.js";

/** What of the connection the texts speak of. */
export interface Place {
	/** `mqtt://127.0.0.1:1883`, without user and password. */
	readonly name: string;
	readonly version: 4 | 5;
	readonly isTls: boolean;
	readonly clientId: string;
}

/** By code of Node.js, of OpenSSL, or of CONNACK. The CONNACK codes: MQTT 3.1.1 section 3.2.2.3, MQTT 5.0 section 3.2.2.2. */
const CAUSES: ReadonlyMap<string, (place: Place) => string> = new Map(Object.entries<(place: Place) => string>({
	ECONNREFUSED: () => "nothing listens there; is the broker running, and is the port right",
	ENOTFOUND: () => "there is no host of this name; correct the host in \"url:\"",
	EAI_AGAIN: () => "the name could not be looked up; is the network up, and does DNS work",
	ETIMEDOUT: () => "the host does not answer; is it on, and does a firewall drop the port",
	EHOSTUNREACH: () => "there is no way to the host; is it on, and is the network up",
	ENETUNREACH: () => "there is no way to the network of the host; is the network up",
	ECONNRESET: ({ isTls }) => `the other end hung up; ${isTls ? "is this port for TLS" : "a port for TLS wants mqtts: in place of mqtt:"}`,
	EPIPE: () => "the other end hung up",
	EPROTO: () => "the other end does not speak TLS; use mqtt: in place of mqtts:, or the port for TLS (mostly 8883)",
	ERR_SSL_WRONG_VERSION_NUMBER: () => "the other end does not speak TLS; use mqtt: in place of mqtts:, or the port for TLS (mostly 8883)",
	ERR_SSL_PACKET_LENGTH_TOO_LONG: () => "the other end does not speak TLS; use mqtt: in place of mqtts:, or the port for TLS (mostly 8883)",
	ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: () => "the broker wants a certificate of this gateway; give \"cert:\" and \"key:\"",
	ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE: () => "the broker ended the TLS handshake; if it wants a certificate of this gateway, give \"cert:\" and \"key:\"",
	ERR_SSL_TLSV1_ALERT_UNKNOWN_CA: () => "the broker does not know who issued the certificate in \"cert:\"; have it issued by an authority that the broker knows",
	ERR_TLS_CERT_ALTNAME_INVALID: ({ name }) => `the broker's certificate is for another name than that in ${name}; use the name that the certificate has`,
	CERT_HAS_EXPIRED: () => "the broker's certificate has expired; renew it, or set this machine's clock",
	CERT_NOT_YET_VALID: () => "the broker's certificate is not valid yet; set this machine's clock",
	"1": ({ version }) => `the broker does not accept MQTT ${version === 5 ? "5; set \"version: 4\"" : "3.1.1; set \"version: 5\""}`,
	"2": ({ clientId }) => `the broker does not accept the client id "${clientId}"; set another "client_id:"`,
	"3": () => "the broker says that it is not available; see its log",
	"4": () => "the broker does not accept the user name or password; correct \"username:\" and \"password:\"",
	"5": () => "the broker does not let this client in; give the right \"username:\" and \"password:\", or allow it in the broker's access list",
	"128": () => "the broker gives no reason; see its log",
	"132": ({ version }) => `the broker does not accept MQTT ${version === 5 ? "5; set \"version: 4\"" : "3.1.1; set \"version: 5\""}`,
	"133": ({ clientId }) => `the broker does not accept the client id "${clientId}"; set another "client_id:"`,
	"134": () => "the broker does not accept the user name or password; correct \"username:\" and \"password:\"",
	"135": () => "the broker does not let this client in; give the right \"username:\" and \"password:\", or allow it in the broker's access list",
	"136": () => "the broker says that it is not available; see its log",
	"137": () => "the broker says that it is busy; it is tried again",
	"138": () => "the broker has banned this client; see its log",
	"139": () => "the broker is shutting down",
	"142": ({ clientId }) => `another client has connected with the client id "${clientId}"; if that is a second gateway, set another "client_id:"`,
	"144": () => "the broker does not accept a topic name",
	"149": () => "a packet was too large for the broker",
	"151": () => "a quota of the broker is used up; see its log",
	"156": () => "the broker asks to use another server; correct \"url:\"",
	"157": () => "the broker has moved; correct \"url:\"",
	"159": () => "the broker says that connections come too often; it is tried again",
}));

/** Codes with which OpenSSL says that it does not know the issuer. */
const UNKNOWN_ISSUER = new Set(["UNABLE_TO_VERIFY_LEAF_SIGNATURE", "SELF_SIGNED_CERT_IN_CHAIN", "DEPTH_ZERO_SELF_SIGNED_CERT", "UNABLE_TO_GET_ISSUER_CERT", "UNABLE_TO_GET_ISSUER_CERT_LOCALLY"]);

/** The reason that a link is down: what, why and how to mend it. */
export function whyDown(error: unknown, place: Place): string {
	const code = codeOf(error);
	const cause = code === undefined ? undefined : UNKNOWN_ISSUER.has(code) ? "the broker's certificate is of an unknown issuer; give the certificate of its authority as \"ca:\"" : CAUSES.get(code)?.(place);
	const message = messageOf(error);
	if (cause !== undefined) return `Cannot use ${place.name}: ${cause} (${code !== undefined && /^\d+$/.test(code) ? `reason code ${code}` : code})`;
	if (/unexpected server response/i.test(message)) return `Cannot use ${place.name}: the web server there has no MQTT under this path (${message}); correct the path in "url:", often /mqtt`;
	return `Cannot use ${place.name}: ${message || "no reason given"}`;
}

function codeOf(error: unknown): string | undefined {
	if (typeof error !== "object" || error === null || !("code" in error)) return undefined;
	return typeof error.code === "string" || typeof error.code === "number" ? String(error.code) : undefined;
}
