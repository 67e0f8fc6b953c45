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
	return `-- Prosody: put this at the end of /etc/prosody/prosody.cfg.lua (or into /etc/prosody/conf.d/jidway.cfg.lua),
-- then: sudo prosodyctl check config && sudo systemctl restart prosody
Component ${lua(domain)}
	component_secret = ${lua(secret)}
-- Components are taken on port ${port}${isLoopback(host) ? ", from this machine" : ` of ${host}`}. These belong in the global section at the top of the file:
--   component_ports = { ${port} }
--   component_interfaces = { ${isLoopback(host) ? "\"127.0.0.1\"" : `"127.0.0.1", ${lua(host)}`} }
--   network_settings = { nagle = false }   -- answers come some 40 ms sooner
`;
}

function ejabberd({ domain, host, port, secret }: Config["uplink"]): string {
	return `# ejabberd: add this under "listen:" in /etc/ejabberd/ejabberd.yml,
# then: sudo ejabberdctl reload_config
  -
    port: ${port}
    ip: ${isLoopback(host) ? "\"127.0.0.1\"" : JSON.stringify(host)}
    module: ejabberd_service
    access: all
    hosts:
      ${JSON.stringify(domain)}:
        password: ${JSON.stringify(secret)}
`;
}

function isLoopback(host: string): boolean {
	return host === "localhost" || host === "::1" || host.startsWith("127.");
}

/** A Lua string: JSON's escapes, with those that Lua writes otherwise. */
function lua(text: string): string {
	return JSON.stringify(text).replace(/\\u([0-9a-f]{4})/gi, (_, code: string) => `\\u{${code}}`);
}
