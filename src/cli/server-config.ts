import { isIP } from "node:net";
import type { Config } from "../config/schema.js";

/** The XMPP servers that Jidway writes a snippet for. */
export const SERVERS = ["prosody", "ejabberd"] as const;

/** What to add to the server's configuration, ready to paste; it holds the secret. */
export function serverConfig(server: (typeof SERVERS)[number], { uplink }: Config): string {
	switch (server) {
		case "prosody": return prosody(uplink);
		case "ejabberd": return ejabberd(uplink);
	}
}

function prosody({ domain, host, port, secret }: Config["uplink"]): string {
	const address = addressOf(host);
	const interfaces = address === undefined ? `{ "127.0.0.1", "ADDRESS" }   -- ADDRESS: the one of this server that ${lua(host)} stands for` : isLoopback(address) ? `{ ${lua(address)} }` : `{ "127.0.0.1", ${lua(address)} }`;
	return `-- Prosody: put this at the end of /etc/prosody/prosody.cfg.lua (or into /etc/prosody/conf.d/jidway.cfg.lua),
-- then: sudo prosodyctl check config && sudo systemctl restart prosody
Component ${lua(domain)}
	component_secret = ${lua(secret)}
	component_conflict_resolve = "kick_old"   -- a gateway whose connection was lost without a word is let in again at once, and not after a quarter of an hour
-- Components are taken on port ${port}${address !== undefined && isLoopback(address) ? ", from this machine" : ` of ${lua(host)}`}. These belong in the global section at the top of the file:
--   component_ports = { ${port} }
--   component_interfaces = ${interfaces}
--   network_settings = { nagle = false }   -- answers come some 40 ms sooner
`;
}

function ejabberd({ domain, host, port, secret }: Config["uplink"]): string {
	const address = addressOf(host);
	return `# ejabberd: add this under "listen:" in /etc/ejabberd/ejabberd.yml,
# then: sudo ejabberdctl reload_config
  -
    port: ${port}
    ${address === undefined ? `# ip: "ADDRESS"   # the one of this server that ${yaml(host)} stands for; without this line it listens on all that it has` : `ip: ${yaml(address)}`}
    module: ejabberd_service
    access: all
    hosts:
      ${yaml(domain)}:
        password: ${yaml(secret)}
`;
}

/** The address that the server listens on; nothing for a name, which only the server's owner can turn into one. */
function addressOf(host: string): string | undefined {
	if (host === "localhost") return "127.0.0.1";
	return isIP(host) === 0 ? undefined : host;
}

function isLoopback(address: string): boolean {
	return address === "::1" || address.startsWith("127.");
}

/** A Lua string: the Lua 5.1 Reference Manual, section 2.1, whose escapes are decimal. */
function lua(text: string): string {
	return `"${text.replace(/[\\"]/g, "\\$&").replace(/[\u0000-\u001f\u007f]/g, (control) => `\\${String(control.charCodeAt(0)).padStart(3, "0")}`)}"`;
}

/** A double-quoted scalar: JSON's escapes, and those that YAML needs besides (YAML 1.1, section 5.1). */
function yaml(text: string): string {
	return JSON.stringify(text).replace(/[\u007f-\u009f\u2028\u2029\ufeff]/g, (odd) => `\\u${odd.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
