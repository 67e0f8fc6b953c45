import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import { serverConfig } from "../../src/cli/server-config.js";
import { parseConfig } from "../../src/config/load.js";
import type { Config } from "../../src/config/schema.js";

function config(uplink: { readonly host?: string; readonly secret?: string; readonly port?: number }): Config {
	const { secret = "s", ...more } = uplink;
	return parseConfig(JSON.stringify({ uplink: { kind: "component", domain: "things.example.org", secret: "${SECRET}", ...more }, links: [{ id: "farm", kind: "mqtt", url: "mqtt://127.0.0.1" }] }), "jidway.yaml", { SECRET: secret }).config;
}

/** What a Lua string means: the Lua 5.1 Reference Manual, section 2.1. */
function luaString(text: string): string {
	const inner = /^"((?:[^"\\\n]|\\[^])*)"$/.exec(text)?.[1];
	assert.ok(inner !== undefined, `${text} is no Lua string`);
	return inner.replace(/\\(\d{1,3}|[^])/g, (_, escape: string) => {
		if (/^\d/.test(escape)) return String.fromCharCode(Number(escape));
		const meant = { "\\": "\\", '"': '"', n: "\n", r: "\r", t: "\t" }[escape];
		assert.ok(meant !== undefined, `\\${escape} is no escape of Lua 5.1`);
		return meant;
	});
}

interface Listener {
	readonly port: number;
	readonly ip?: string;
	readonly module: string;
	readonly hosts: Readonly<Record<string, { readonly password: string }>>;
}

/** The one listener of the snippet, where its text says that it goes: under "listen:". */
function listener(of: Config): Listener {
	const { listen }: { readonly listen: readonly Listener[] } = parse(`listen:\n${serverConfig("ejabberd", of)}`, { version: "1.1" });
	assert.equal(listen.length, 1);
	return listen[0]!;
}

const SECRETS = ["plain", 'with "quotes"', "back\\slash\\n", "it's #1: {a} - [b]", "schlüssel-ключ-🔑", "line\nend\ttab\r", "\u0001\u007f\u0085\u2028\ufeff", "${x}%s--[[", "]]", "'", " "];

describe("serverConfig()", () => {
	for (const secret of SECRETS) {
		test(`writes the secret ${JSON.stringify(secret)} so that both servers read the same`, () => {
			const uplink = config({ secret });
			assert.equal(listener(uplink).hosts["things.example.org"]!.password, secret);
			const lines = serverConfig("prosody", uplink).split("\n");
			const [said, ...more] = lines.filter((line) => /^\s*component_secret = /.test(line));
			assert.equal(luaString(said!.replace(/^\s*component_secret = /, "")), secret);
			assert.equal(more.length, 0);
			assert.deepEqual(lines.filter((line) => line !== "" && !line.startsWith("--")).map((line) => line.replace(/ +--.*/, (comment) => (line === said ? comment : ""))), ['Component "things.example.org"', said, '\tcomponent_conflict_resolve = "kick_old"']);
		});
	}

	// [uplink.host, the address that ejabberd listens on; nothing where only its owner knows it]
	const HOSTS: readonly (readonly [string, string | undefined])[] = [
		["127.0.0.1", "127.0.0.1"], ["localhost", "127.0.0.1"], ["127.0.0.5", "127.0.0.5"], ["::1", "::1"], ["192.0.2.7", "192.0.2.7"], ["2001:db8::7", "2001:db8::7"],
		["xmpp.example.org", undefined], ["127.example.org", undefined], ["a\n    ip: \"0.0.0.0\"", undefined],
	];
	for (const [host, ip] of HOSTS) {
		test(`lets ejabberd listen for ${JSON.stringify(host)} on ${ip ?? "what its owner puts in"}, and never on a name`, () => {
			const { port, module, ...listen } = listener(config({ host, port: 5350 }));
			assert.deepEqual([port, module, listen.ip], [5350, "ejabberd_service", ip]);
			const comment = /^    # ip: .*$/m.exec(serverConfig("ejabberd", config({ host })))?.[0];
			if (ip === undefined) assert.ok(comment?.includes(JSON.stringify(host)), comment);
			else assert.equal(comment, undefined);
		});

		test(`tells Prosody's owner which address ${JSON.stringify(host)} needs`, () => {
			const text = serverConfig("prosody", config({ host }));
			const interfaces = /^--   component_interfaces = \{ (.*) \}(.*)$/m.exec(text);
			assert.deepEqual(interfaces?.[1]?.split(", "), ip === undefined ? ['"127.0.0.1"', '"ADDRESS"'] : ip.startsWith("127.") || ip === "::1" ? [`"${ip}"`] : ['"127.0.0.1"', `"${ip}"`]);
			assert.equal(/ADDRESS/.test(interfaces?.[2] ?? ""), ip === undefined);
			assert.match(text, /component_ports = \{ 5347 \}/);
		});
	}
});

test("the command in docs/install.md prints the component with the secret of the environment file", () => {
	const root = fileURLToPath(new URL("../..", import.meta.url));
	const line = /^sudo (node .*server-config prosody.*)$/m.exec(readFileSync(join(root, "docs/install.md"), "utf8"))?.[1];
	assert.ok(line !== undefined);
	const folder = mkdtempSync(join(tmpdir(), "jidway-install-"));
	try {
		writeFileSync(join(folder, "environment"), "JIDWAY_SECRET=0123abcd\n");
		writeFileSync(join(folder, "jidway.yaml"), JSON.stringify({ uplink: { kind: "component", domain: "things.example.org", secret: "${JIDWAY_SECRET}" }, links: [{ id: "farm", kind: "mqtt", url: "mqtt://127.0.0.1" }] }));
		const [, ...args] = line.replaceAll("/etc/jidway", folder).replace("/opt/jidway/bin/jidway.js", `--import tsx ${join(root, "src/main.ts")}`).split(" ");
		const { JIDWAY_SECRET: _, ...env } = process.env;
		const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: root, env, encoding: "utf8" });
		assert.equal(status, 0, stderr);
		assert.match(stdout, /component_secret = "0123abcd"/);
	} finally {
		rmSync(folder, { recursive: true, force: true });
	}
});
