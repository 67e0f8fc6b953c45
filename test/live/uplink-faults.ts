// What somebody sees who has connected it wrongly: what, why, and how to mend it. The gateway keeps running and trying.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type GatewayConfig, type GatewayProcess, newGateway } from "./gateway-process.js";
import { freePort } from "./servers/processes.js";
import type { XmppServer, XmppServerOptions } from "./servers/server.js";
import { ASKED, DOMAIN, missing, SECRET } from "./site.js";

interface Row {
	readonly fault: string;
	readonly uplink: (server: XmppServer) => Partial<GatewayConfig["uplink"]>;
	/** What, why, how to mend it. */
	readonly says: RegExp;
}

const WRONG_SECRET: Row = {
	fault: "a wrong secret", uplink: () => ({ secret: "qzx-not-the-secret" }),
	says: /^Cannot log in to the XMPP server "127\.0\.0\.1:\d+" as "things\.localhost": the secret is wrong.*uplink\.secret.*component_secret.*password/,
};
const WRONG_PORT: Row = {
	fault: "the port for clients", uplink: ({ c2sPort }) => ({ port: c2sPort }),
	says: /^Cannot (log in|open a component stream) to (the XMPP server )?"127\.0\.0\.1:\d+".*port.*clients.*Prosody: .*ejabberd: /,
};
const rows: Readonly<Record<"Prosody" | "ejabberd", readonly Row[]>> = {
	Prosody: [
		WRONG_SECRET,
		{ fault: "a domain that is not configured", uplink: () => ({ domain: "other.localhost" }), says: /as "other\.localhost": it has no such component .*add the component.*Component "other\.localhost"/ },
		WRONG_PORT,
		{ fault: "a name that DNS does not know", uplink: () => ({ host: "nowhere.invalid" }), says: /^Cannot (find|look up) the XMPP server "nowhere\.invalid:\d+": DNS .*(uplink\.host)/ },
	],
	ejabberd: [
		WRONG_SECRET,
		// ejabberd answers a wrong domain as it does a wrong secret.
		{ fault: "a domain that is not configured", uplink: () => ({ domain: "other.localhost" }), says: /as "other\.localhost": the secret is wrong, or no such component is configured.*hosts: "other\.localhost"/ },
	],
};

/** Declares the tests; the servers have a file each, so that they can run side by side. */
export function uplinkFaults(name: "Prosody" | "ejabberd", startServer: (options: XmppServerOptions) => Promise<XmppServer>): void {
	describe(`faults of the uplink to ${name}`, { skip: missing(name === "Prosody" ? "prosody" : "ejabberd") }, () => {
		let server: XmppServer;
		before(async () => {
			server = await startServer(ASKED);
		});
		after(async () => server?.stop());

		for (const { fault, uplink, says } of rows[name]) {
			test(`${fault} is told by "check --online", the log and /readyz in the same words, and the gateway keeps running`, async () => {
				await withGateway(uplink(server), async (gateway) => {
					await toldEverywhere(gateway, says);
				});
			});
		}

		if (name === "Prosody") {
			test("a second gateway of the same domain is told that the name is in use, and takes over when the first has ended", async () => {
				await withGateway({}, async (first) => {
					await first.start();
					await first.ready();
					await withGateway({}, async (second) => {
						await second.start();
						const { reason } = await second.log(/^Uplink is not online: Cannot/);
						assert.match(String(reason), /as "things\.localhost": the name is in use .*a second gateway/);
						assert.equal((await first.health()).code, 200);
						await first.stop();
						await second.ready(30_000);
					});
				});
			});
		}

		test("a server that is down is told so, and when it is started the gateway is online by itself", async () => {
			await server.halt();
			await withGateway({}, async (gateway) => {
				await toldEverywhere(gateway, /^Cannot reach the XMPP server "127\.0\.0\.1:\d+": connection refused.*start the server.*Prosody: component_ports.*ejabberd: listen/);
				// The command line tells the same of the running gateway.
				const [again, status] = await Promise.all([gateway.cli("check", "--online"), gateway.cli("status")]);
				assert.equal(again.code, 1, again.stdout + again.stderr);
				assert.match(again.stdout, /^FAILED: uplink: Cannot reach/m);
				assert.equal(status.code, 0, status.stderr);
				assert.match(status.stdout, /^uplink\s+Cannot reach .*start the server/m);
				await server.restart();
				await gateway.ready(60_000);
				const check = await gateway.cli("check", "--online");
				assert.equal(check.code, 0, check.stdout + check.stderr);
			});
		});

		async function withGateway(uplink: Partial<GatewayConfig["uplink"]>, work: (gateway: GatewayProcess) => Promise<void>): Promise<void> {
			const gateway = await newGateway({
				uplink: { domain: DOMAIN, port: server.componentPort, secret: SECRET, ...uplink },
				access: [{ who: "romeo@localhost", role: "owner" }],
				more: { log: { level: "debug" } }, // where secrets would be found first
				links: [{ id: "own", kind: "mqtt", broker: { listen: `127.0.0.1:${await freePort()}` } }],
			});
			try {
				await work(gateway);
			} finally {
				await gateway.remove();
			}
		}
	});
}

async function toldEverywhere(gateway: GatewayProcess, says: RegExp): Promise<void> {
	const check = await gateway.cli("check", "--online");
	assert.equal(check.code, 1, check.stdout + check.stderr);
	const failed = check.stdout.split("\n").find((line) => line.startsWith("FAILED: uplink"));
	assert.match(failed?.replace(/^FAILED: uplink \S+ at \S+: /, "") ?? "", says, check.stdout + check.stderr);
	assert.match(check.stdout, /^good: link "own"/m);
	assert.doesNotMatch(check.stdout + check.stderr, /qzx-/);

	await gateway.start();
	const { level, reason } = await gateway.log(/^Uplink is not online: Cannot/);
	assert.ok(["info", "warn", "error"].includes(level));
	assert.match(String(reason), says);
	const health = await gateway.health();
	assert.equal(health.code, 503);
	assert.match(health.text, /^uplink: Cannot/);
	assert.match(health.text.replace(/^uplink: /, ""), says);
}
