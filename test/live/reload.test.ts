// SIGHUP: a running gateway takes a changed config file. What did not change is not touched: seen by the sessions of broker and server.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { startProsody } from "./servers/prosody.js";
import { freePort } from "./servers/processes.js";
import { barrier, DOMAIN, introduce, JULIET, mqttLink, ROMEO, type Site, startSite, state, unexpected } from "./site.js";
import { login, type User } from "./xmpp-user.js";

interface ConfigFile {
	gateway: Record<string, unknown>;
	access: object[];
	links: Record<string, unknown>[];
	devices: object[];
	[key: string]: unknown;
}

describe("a gateway whose config file changes", { timeout: 120_000 }, () => {
	let site: Site;
	let juliet: User;
	let romeo: User;
	before(async () => {
		site = await startSite(startProsody);
		await introduce(site, "room-1", state("21.50"));
		[romeo, juliet] = await Promise.all([login(site.server, ROMEO), login(site.server, JULIET)]);
	});
	after(async () => {
		await romeo?.leave();
		await juliet?.leave();
		await site?.end();
	});

	const edit = (change: (config: ConfigFile) => void): void => {
		const config = JSON.parse(readFileSync(site.gateway.configFile, "utf8")) as ConfigFile;
		change(config);
		writeFileSync(site.gateway.configFile, JSON.stringify(config));
	};
	const hangup = async (wanted: RegExp): Promise<void> => {
		const since = site.gateway.logs.length;
		process.kill(site.gateway.pid(), "SIGHUP");
		await site.gateway.log(wanted, 15_000, since);
	};
	const since = (from: number): string[] => site.gateway.logs.slice(from).map(({ msg }) => msg);
	const help = async (user: User): Promise<string> => {
		const jid = `room-1@${DOMAIN}`;
		user.say(jid, "help");
		return (await user.hear(jid)).raw;
	};

	test("other access rules count at once, and touch no link and no stream", async () => {
		assert.doesNotMatch(await help(juliet), /setpoint/);
		const from = site.gateway.logs.length;
		edit((config) => { config.access = [{ who: "*@localhost", role: "operator" }]; });
		const diff = await site.gateway.cli("check", "--diff");
		assert.deepEqual([diff.code, diff.stderr], [0, ""]);
		assert.match(diff.stdout, /~ access\[0\]\.who: "romeo@localhost" → "\*@localhost"/);
		assert.match(diff.stdout, /^no link and no stream is touched$/m);
		await hangup(/^The config was read again/);
		assert.match(await help(juliet), /setpoint/);
		assert.deepEqual(since(from).filter((line) => /^(Link|Uplink)/.test(line)), []);
	});

	test("a wrong file is refused whole, with the place of its fault, and everything goes on", async () => {
		const good = readFileSync(site.gateway.configFile, "utf8");
		edit((config) => {
			config.access = [];
			config["acess"] = [];
		});
		assert.equal((await site.gateway.cli("check", "--diff")).code, 2);
		await hangup(/^Cannot take the changed config, and goes on with the one of before$/);
		assert.match(String(site.gateway.logs.at(-1)?.["reason"] ?? ""), /jidway\.yaml:1:\d+: acess: is no key that Jidway knows; did you mean "access"\?/);
		assert.match(await help(juliet), /setpoint/);
		writeFileSync(site.gateway.configFile, good);
	});

	test("a link more is opened, the one there was stays; taken out again, its devices are gone", async () => {
		const from = site.gateway.logs.length;
		const own = await freePort();
		edit((config) => {
			config.links = [...config.links, { ...mqttLink(site.broker.url), id: "second", topics: [{ match: "attic/{id}/state", device: "{id}" }] }, { id: "own", kind: "mqtt", broker: { listen: `127.0.0.1:${own}` } }];
		});
		await hangup(/^The config was read again/);
		await site.gateway.ready(10_000);
		await site.device.say("attic/lamp/state", "{\"power\":5}");
		await site.gateway.log(/^Found "lamp"/, 10_000, from);
		assert.deepEqual(since(from).filter((line) => /^Link/.test(line)).sort(), ["Link \"own\" is up", "Link \"second\" is up"]);
		edit((config) => { config.links = config.links.slice(0, 1); });
		await hangup(/^The config was read again/);
		assert.ok(since(from).includes("\"lamp\" is no longer in the config"));
		const { stdout } = await site.gateway.cli("devices", "--json");
		assert.deepEqual((JSON.parse(stdout) as { id: string }[]).map(({ id }) => id), ["room-1"]);
	});

	test("a device that is renamed keeps its values; one with another id is another address", async () => {
		edit((config) => { config.devices = [{ id: "room-1", link: "farm", address: "room-1", name: "Study" }]; });
		await hangup(/^The config was read again/);
		assert.match((await site.gateway.cli("devices")).stdout, /Study/);
		edit((config) => { config.devices = [{ id: "study", link: "farm", address: "room-1", name: "Study" }]; });
		await hangup(/^The config was read again/);
		assert.match((await site.gateway.cli("read", "study", "temperature")).stdout, /21\.50/);
		assert.equal((await site.gateway.cli("read", "room-1")).code, 1);
		edit((config) => { config.devices = []; });
		await hangup(/^The config was read again/);
	});

	test("devices change their ids among each other, and none takes another's: what the config gives away is not the one's who had it by chance", async () => {
		await introduce(site, "room-2", state("18.00"));
		const ids = async (): Promise<Record<string, string>> => Object.fromEntries((JSON.parse((await site.gateway.cli("devices", "--json")).stdout) as { id: string; address: string }[]).map(({ id, address }) => [address, id]));
		const named = async (one: string, two: string): Promise<void> => {
			edit((config) => { config.devices = [{ id: one, link: "farm", address: "room-1" }, { id: two, link: "farm", address: "room-2" }]; });
			await hangup(/^The config was read again/);
			assert.deepEqual(await ids(), { "room-1": one, "room-2": two });
		};
		await named("east", "west");
		await named("west", "east");
		assert.match((await site.gateway.cli("read", "east", "temperature")).stdout, /18\.00/);
		await named("room-2", "room-1");
		edit((config) => { config.devices = []; });
		await hangup(/^The config was read again/);
		edit((config) => { config.devices = [{ id: "room-2", link: "farm", address: "room-1" }]; });
		await hangup(/^The config was read again/);
		assert.deepEqual(await ids(), { "room-1": "room-2" });
		edit((config) => { config.devices = []; });
		await hangup(/^The config was read again/);
	});

	test("a link that cannot be made is refused, and the old one goes on", async () => {
		const taken = new URL(site.broker.url).port;
		edit((config) => { config.links = [...config.links, { id: "own", kind: "mqtt", broker: { listen: `127.0.0.1:${taken}` } }]; });
		await hangup(/^Cannot take the changed config/);
		assert.match(String(site.gateway.logs.at(-1)?.["reason"] ?? ""), /another program listens there/);
		edit((config) => { config.links = config.links.slice(0, 1); });
		await site.device.say("sensors/room-1/state", state("22.25"));
		await site.gateway.ready(10_000);
		assert.match((await site.gateway.cli("read", "room-1", "temperature")).stdout, /22\.25/);
	});

	test("what needs a restart is said, and nothing is changed", async () => {
		edit((config) => { config.gateway["id"] = "other"; });
		const diff = await site.gateway.cli("check", "--diff");
		assert.match(diff.stdout, /needs a restart, and is refused until then: gateway\.id/);
		await hangup(/^Cannot take the changed config/);
		edit((config) => { config.gateway["id"] = "live"; });
		await barrier(romeo);
		assert.deepEqual(unexpected(romeo).filter(({ name }) => name !== "presence").map(({ raw }) => raw), []);
	});
});
