// The data folder on a disk of one megabyte, which somebody else fills.

import assert from "node:assert/strict";
import { existsSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { makeFolder, removeFolder, runCommand, waitUntil } from "./servers/processes.js";
import { startProsody } from "./servers/prosody.js";
import { DOMAIN, JULIET, introduce, missing, ROMEO, type Site, startSite, state } from "./site.js";
import { find, login, type User } from "./xmpp-user.js";

const DEVICE = `room-1@${DOMAIN}`;
const THING = `${DEVICE}/thing`;
const skip = missing("prosody", "mosquitto") || (process.getuid?.() === 0 ? false : "needs root, to mount a small disk");

describe("a full disk", { skip }, () => {
	const folder = skip === false ? makeFolder("disk") : "";
	const disk = join(folder, "disk");
	const filler = join(disk, "filler");
	let site: Site;
	let romeo: User;
	before(async () => {
		runCommand("mkdir", [disk]);
		runCommand("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", disk]);
		site = await startSite(startProsody, { dataFolder: join(disk, "data") });
		await introduce(site, "room-1", state("21.50"));
		await site.gateway.stop(); // which writes what is known so far
		await site.gateway.start();
		await site.gateway.ready();
		await site.device.say("sensors/room-1/state", state("21.50"));
		romeo = await login(site.server, ROMEO);
		await romeo.available();
		await romeo.subscribe(DEVICE);
	});
	after(async () => {
		try {
			await site?.end();
		} finally {
			if (existsSync(disk)) runCommand("umount", ["-l", disk]);
			removeFolder(folder);
		}
	});

	async function ask(line: string): Promise<string> {
		romeo.say(DEVICE, line);
		return find(await romeo.hear(DEVICE), "body")?.text ?? "";
	}

	function fill(): void {
		assert.throws(() => writeFileSync(filler, Buffer.alloc(2 * 1024 * 1024)), /ENOSPC/);
		assert.ok(statSync(filler).size > 0);
	}

	test("is said in the log, in \"status\", in chat and by /readyz; what nobody waits for goes on, and so do commands", async () => {
		fill();
		// Twins are written within some seconds; as many as do not fit into what the database file has left.
		for (let count = 0; count < 40; count++) await site.device.say(`sensors/new-${count}/state`, state(`${count}.25`));
		const { level, msg } = await site.gateway.log(/^Cannot write to the database/, 20_000);
		assert.equal(level, "error");
		assert.match(msg, /disk is full: make room/);
		const { code, stdout } = await site.gateway.cli("status");
		assert.equal(code, 0);
		assert.match(stdout, /^store\s.*the disk is full/m);
		const health = await site.gateway.health();
		assert.equal(health.code, 503);
		assert.match(health.text, /disk is full/);

		// What is to be acknowledged waits at the broker until it can be written: see docs/reliability.md.
		await site.device.say("sensors/room-1/state", state("21.75"), false, 0);
		await waitUntil("the new value", async () => /21\.75 °C/.test(await ask("read temperature")), { withinMs: 5_000 });
		assert.match(await ask("status"), /disk is full/);
		const set = romeo.ask("set", THING, "<set xmlns='urn:xmpp:iot:control'><double name='setpoint' value='22'/></set>");
		assert.equal(await site.device.next(), "sensors/room-1/set {\"setpoint\":22}");
		await site.device.say("sensors/room-1/state", state("21.75", "22"), false, 0);
		assert.equal((await set).attrs["type"], "result");
	});

	test("does not let a subscription be promised that could not be kept", async () => {
		const juliet = await login(site.server, JULIET);
		await juliet.available();
		juliet.send(`<presence type='subscribe' to='${DEVICE}'/>`);
		await site.gateway.log(/Cannot change a subscription/);
		assert.deepEqual(juliet.unread.filter(({ attrs }) => attrs["type"] === "subscribed"), []);
		await juliet.leave();
	});

	test("that has room again is written to again, and what was kept in memory survives a restart", async () => {
		rmSync(filler);
		await site.gateway.log(/^The database can be written again/, 20_000);
		await site.gateway.ready();
		await waitUntil("what waited at the broker", async () => (await site.gateway.cli("history", "new-39", "temperature", "--json")).stdout.includes("39.25"), { withinMs: 15_000 });
		assert.match((await site.gateway.cli("status")).stdout, /^store\s+writes/m);
		await site.gateway.kill();
		await site.gateway.start();
		await site.gateway.ready();
		assert.match(await ask("read temperature"), /21\.75 °C/);
		assert.equal((JSON.parse((await site.gateway.cli("devices", "--json")).stdout) as unknown[]).length, 41);
	});

	test("does not keep the gateway from starting again, as after a power cut", async () => {
		fill();
		await site.gateway.kill();
		const since = site.gateway.logs.length;
		await site.gateway.start();
		await site.gateway.log(/^Uplink is online/, 15_000, since);
		assert.match(await ask("read temperature"), /21\.75 °C/); // the last that could be written
		await site.device.say("sensors/room-1/state", state("22.00", "22"));
		await waitUntil("the new value", async () => /22\.00 °C/.test(await ask("read temperature")), { withinMs: 5_000 });
	});
});
