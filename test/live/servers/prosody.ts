// Prosody 0.12, as packaged by Debian, run from a folder of its own.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeCertificate } from "./certificate.js";
import { freePort } from "./processes.js";
import { inNewFolder, startServer, type XmppServer, type XmppServerOptions } from "./server.js";

export interface ProsodyOptions extends XmppServerOptions {
	/** Bytes a second that a client may send, in Prosody's words, such as "10kb/s"; unlimited if not given. */
	readonly c2sRate?: string;
	/** Lua for the global part of the configuration. */
	readonly extra?: string;
	/** Lua for the end of the configuration: more VirtualHosts and Components. */
	readonly extraHosts?: string;
}

/** Starts Prosody on loopback with nothing but what is asked for. */
export async function startProsody(options: ProsodyOptions = {}): Promise<XmppServer> {
	return inNewFolder("prosody", async (folder) => {
		const host = options.host ?? "localhost";
		const data = join(folder, "data");
		const c2sPort = await freePort();
		const componentPort = await freePort();
		const httpPort = options.http === true ? await freePort() : undefined;
		const certificate = options.tls === true ? makeCertificate(folder, [host, ...(options.rooms === undefined ? [] : [options.rooms])]) : undefined;

		// Prosody keeps each account in a file of Lua; writing it takes no time, prosodyctl half a second each.
		const accounts = join(data, fileName(host), "accounts");
		mkdirSync(accounts, { recursive: true });
		for (const user of options.users ?? []) writeFileSync(join(accounts, `${fileName(user.name)}.dat`), `return {\n\t["password"] = ${lua(user.password)};\n};\n`, { mode: 0o600 });

		const modules = [
			...["posix", "roster", "saslauth", "disco", "ping", "time", "version", "uptime", "lastactivity", "carbons", "pep", "private", "blocklist", "vcard4", "vcard_legacy", "bookmarks", "mam", "smacks", "csi_simple"],
			...(certificate === undefined ? [] : ["tls"]),
			...(httpPort === undefined ? [] : ["bosh", "websocket"]),
			...(options.c2sRate === undefined ? [] : ["limits"]),
		];
		const config = join(folder, "prosody.cfg.lua");
		writeFileSync(
			config,
			`-- Tests only: loopback, plain passwords.
run_as_root = true
pidfile = ${lua(join(folder, "prosody.pid"))}
data_path = ${lua(data)}
certificates = ${lua(folder)}
interfaces = { "127.0.0.1" }
local_interfaces = { "127.0.0.1" }
c2s_ports = { ${c2sPort} }
c2s_direct_tls_ports = { }
component_ports = { ${componentPort} }
component_interfaces = { "127.0.0.1" }
http_ports = { ${httpPort ?? ""} }
http_interfaces = { "127.0.0.1" }
https_ports = { }
modules_enabled = { ${modules.map(lua).join(", ")} }
modules_disabled = { "s2s" }
network_settings = { nagle = false }
authentication = "internal_plain"
storage = "internal"
c2s_require_encryption = false
allow_unencrypted_plain_auth = true
consider_bosh_secure = true
consider_websocket_secure = true
http_cors_override = { bosh = { enabled = true }, websocket = { enabled = true } }
archive_expires_after = "never"
log = { info = "*console" }
${certificate === undefined ? "" : `ssl = { certificate = ${lua(certificate.certFile)}, key = ${lua(certificate.keyFile)} }`}
${options.c2sRate === undefined ? "" : `limits = { c2s = { rate = ${lua(options.c2sRate)} } }`}
${options.extra ?? ""}

VirtualHost ${lua(host)}
${httpPort === undefined ? "" : `\thttp_host = "127.0.0.1"`}
${(options.components ?? []).map(({ domain, secret }) => `Component ${lua(domain)}\n\tcomponent_secret = ${lua(secret)}\n`).join("")}
${options.rooms === undefined ? "" : `Component ${lua(options.rooms)} "muc"\n\tmodules_enabled = { "muc_mam" }\n`}
${options.extraHosts ?? ""}
`,
			{ mode: 0o600 },
		);

		const server = await startServer({
			name: "Prosody",
			folder,
			command: "/usr/bin/prosody",
			args: ["-F", "--config", config],
			// Prosody opens the component port with its first component.
			ports: [c2sPort, ...(options.components?.length ? [componentPort] : []), ...(httpPort === undefined ? [] : [httpPort])],
			startWithinMs: 20_000,
		});
		return { ...server, host, c2sPort, componentPort, ...(httpPort !== undefined && { httpPort }), ...(certificate !== undefined && { caFile: certificate.caFile }) };
	});
}

/** A text as a Lua string: all but plain ASCII as decimal escapes of its UTF-8 bytes. */
function lua(text: string): string {
	return `"${[...Buffer.from(text)].map((byte) => (byte >= 0x20 && byte < 0x7f && byte !== 0x22 && byte !== 0x5c ? String.fromCharCode(byte) : `\\${String(byte).padStart(3, "0")}`)).join("")}"`;
}

/** Prosody's name for a file: each byte that is no ASCII letter or digit as "%" and two lower-case hex digits. */
function fileName(text: string): string {
	return [...Buffer.from(text)].map((byte) => (/[A-Za-z0-9]/.test(String.fromCharCode(byte)) ? String.fromCharCode(byte) : `%${byte.toString(16).padStart(2, "0")}`)).join("");
}
