// ejabberd 23.01, as packaged by Debian, run from a folder of its own and without Erlang distribution: no node name, no cookie, no epmd.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeCertificate } from "./certificate.js";
import { freePort } from "./processes.js";
import { inNewFolder, startServer, type XmppServer, type XmppServerOptions } from "./server.js";

export interface EjabberdOptions extends XmppServerOptions {
	/** Top-level settings of ejabberd.yml, in place of ours of the same name. */
	readonly extra?: Readonly<Record<string, unknown>>;
	/** Modules beside ours, or in place of ours of the same name, with their settings. */
	readonly modules?: Readonly<Record<string, unknown>>;
}

const readyLine = "jidway: ejabberd has its users";

/** Starts ejabberd on loopback. It takes some 3 s. */
export async function startEjabberd(options: EjabberdOptions = {}): Promise<XmppServer> {
	return inNewFolder("ejabberd", async (folder) => {
		const host = options.host ?? "localhost";
		const c2sPort = await freePort();
		const componentPort = await freePort();
		const httpPort = options.http === true ? await freePort() : undefined;
		const certificate = options.tls === true ? makeCertificate(folder, [host, ...(options.rooms === undefined ? [] : [options.rooms])]) : undefined;
		const ip = "127.0.0.1";
		const spool = join(folder, "spool");
		mkdirSync(spool);

		const config = {
			hosts: [host],
			loglevel: "info",
			acme: { auto: false },
			auth_method: "internal",
			auth_password_format: "plain",
			...(certificate !== undefined && { certfiles: [certificate.certFile, certificate.keyFile], ca_file: certificate.caFile }),
			listen: [
				{ port: c2sPort, ip, module: "ejabberd_c2s", starttls: certificate !== undefined, access: "all", shaper: "none", max_stanza_size: 262_144 },
				{ port: componentPort, ip, module: "ejabberd_service", access: "all", shaper: "none", hosts: Object.fromEntries((options.components ?? []).map(({ domain, secret }) => [domain, { password: secret }])) },
				...(httpPort === undefined ? [] : [{ port: httpPort, ip, module: "ejabberd_http", request_handlers: { "/ws": "ejabberd_http_ws", "/xmpp-websocket": "ejabberd_http_ws", "/http-bind": "mod_bosh" } }]),
			],
			modules: {
				mod_blocking: {}, mod_caps: {}, mod_carboncopy: {}, mod_disco: {}, mod_last: {}, mod_mam: { default: "always" }, mod_offline: {}, mod_ping: {}, mod_privacy: {}, mod_private: {},
				mod_pubsub: { plugins: ["flat", "pep"] }, mod_roster: {}, mod_stream_mgmt: {}, mod_time: {}, mod_vcard: {}, mod_version: {},
				...(httpPort !== undefined && { mod_bosh: {} }),
				...(options.rooms !== undefined && { mod_muc: { host: options.rooms, default_room_options: { mam: true } } }),
				...options.modules,
			},
			...options.extra,
		};
		const configFile = join(folder, "ejabberd.yml");
		writeFileSync(configFile, JSON.stringify(config, undefined, "\t"), { mode: 0o600 }); // JSON is YAML.

		// The accounts are made by the server itself at its start: ejabberdctl would need distribution, and cost a second each.
		const users = join(folder, "users.eval");
		const register = (options.users ?? []).map(({ name, password }) => `Register(${erlang(name)}, ${erlang(password)}),\n`).join("");
		writeFileSync(
			users,
			`Register = fun(Name, Password) ->
	case ejabberd_auth:try_register(Name, ${erlang(host)}, Password) of ok -> ok; {error, exists} -> ok end
end,
${register}io:format("~n${readyLine}~n").
`,
			{ mode: 0o600 },
		);

		const server = await startServer({
			name: "ejabberd",
			folder,
			command: "/usr/bin/erl",
			args: [
				"-noinput",
				...["+sbwt", "none", "+sbwtdcpu", "none", "+sbwtdio", "none"], // Else its schedulers spin while they wait, at the cost of whoever shares the processor.
				...["-mnesia", "dir", `"${spool}"`],
				...["-s", "ejabberd", "-eval", `{ok, ok} = file:script("${users}").`],
			],
			env: {
				HOME: folder,
				ERL_LIBS: erlangLibraries(),
				ERL_CRASH_DUMP_SECONDS: "0",
				EJABBERD_CONFIG_PATH: configFile,
				EJABBERD_LOG_PATH: join(folder, "ejabberd.log"),
				EJABBERD_PID_PATH: join(folder, "ejabberd.pid"),
			},
			ports: [c2sPort, componentPort, ...(httpPort === undefined ? [] : [httpPort])],
			readyLine,
			ownLog: join(folder, "ejabberd.log"),
			startWithinMs: 40_000,
		});
		return { ...server, host, c2sPort, componentPort, ...(httpPort !== undefined && { httpPort }), ...(certificate !== undefined && { caFile: certificate.caFile }) };
	});
}

/** A text as an Erlang binary of its UTF-8 bytes. */
function erlang(text: string): string {
	return `<<${[...Buffer.from(text)].join(",")}>>`;
}

/** Where Debian keeps ejabberd's code: a path with the name of the processor in it, which only its own script knows. */
function erlangLibraries(): string {
	const found = /^ERL_LIBS='([^']+)'/m.exec(readFileSync("/usr/sbin/ejabberdctl", "utf8"))?.[1];
	if (found === undefined) throw new Error('Cannot find the code of ejabberd: "/usr/sbin/ejabberdctl" has no line ERL_LIBS=\'…\', as Debian\'s package has');
	return found;
}
