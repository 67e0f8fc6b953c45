// slixmpp's own XEP-0323 and XEP-0325 plugins, of version 0.2 of both, read and control through Prosody.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { makeFolder, type Program, removeFolder, startProgram, tailOf, waitUntil } from "./servers/processes.js";
import { startProsody } from "./servers/prosody.js";
import type { Account } from "./servers/server.js";
import { DOMAIN, introduce, JULIET, missing, ROMEO, type Site, startSite, state } from "./site.js";

/** One call of a plugin's callback. */
interface Call {
	readonly result: string;
	readonly from_jid?: string;
	readonly nodeId?: string;
	readonly timestamp?: string;
	readonly fields?: readonly ({ readonly name: string; readonly typename: string; readonly value: string; readonly unit?: string; readonly flags: Readonly<Record<string, unknown>> } | string)[];
	readonly error_msg?: string;
}
type Step = { readonly read: string; readonly flags: Readonly<Record<string, string>>; readonly fields?: readonly string[] } | { readonly set: string; readonly fields: readonly (readonly [string, string, string])[] };

const THING = `room-1@${DOMAIN}/thing`;
const CLIENT = fileURLToPath(new URL("slixmpp/client.py", import.meta.url));
/** The one that Debian's packages belong to; the first in the PATH may be another. */
const PYTHON = "/usr/bin/python3";
const MOMENTARY = { momentary: "true" };

describe("slixmpp", { skip: missing("prosody", "mosquitto", "slixmpp") || (existsSync(PYTHON) ? false : "needs python3") }, () => {
	let site: Site;
	before(async () => {
		site = await startSite(startProsody);
		await introduce(site, "room-1", state("21.50", "20.0"));
	});
	after(async () => site?.end());

	/** Runs the steps as this user; gives the callbacks of each. */
	async function run(user: Account, steps: readonly Step[]): Promise<Call[][]> {
		const folder = makeFolder("slixmpp");
		const logFile = join(folder, "stderr.log");
		let program: Program | undefined;
		try {
			program = await startProgram(PYTHON, [CLIENT], { cwd: folder, logFile, pipes: true });
			let output = "";
			program.stdout?.setEncoding("utf8").on("data", (text: string) => (output += text));
			const closed = new Promise<void>((resolve) => program?.stdout?.once("close", resolve));
			program.stdin?.end(JSON.stringify({ jid: `${user.name}@localhost`, password: user.password, port: site.server.c2sPort, steps }));
			await waitUntil("slixmpp to end", () => program?.running() === false, { withinMs: 30_000, logTail: () => `${output}\n${tailOf(logFile)}` });
			await closed;
			assert.equal(await program.ended, "exit code 0", tailOf(logFile));
			return output.trimEnd().split("\n").map((line) => JSON.parse(line) as Call[]);
		} finally {
			await program?.stop(500);
			removeFolder(folder);
		}
	}

	test("reads: accepted, then the fields with their digits, units and flags, then done", async () => {
		const [all, one] = await run(ROMEO, [{ read: THING, flags: MOMENTARY }, { read: THING, flags: MOMENTARY, fields: ["setpoint"] }]);
		assert.deepEqual(all?.map(({ result, from_jid }) => [result, from_jid]), [["accepted", THING], ["fields", THING], ["done", THING]]);
		const fields = all?.[1];
		assert.equal(fields?.nodeId, "room-1");
		assert.match(fields?.timestamp ?? "", /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/);
		const flags = { momentary: "true", automaticReadout: "true" };
		assert.deepEqual(fields?.fields, [
			{ name: "temperature", typename: "numeric", value: "21.50", unit: "°C", flags },
			{ name: "setpoint", typename: "numeric", value: "20.0", unit: "°C", flags },
			{ name: "relay", typename: "boolean", value: "false", flags },
			{ name: "secret_note", typename: "string", value: "n7", flags },
		]);
		assert.deepEqual(one?.[1]?.fields?.map((field) => (typeof field === "string" ? field : field.name)), ["setpoint"]);
	});

	test("a scheduled readout is queued, then started, then told", async () => {
		const [calls] = await run(ROMEO, [{ read: THING, flags: { ...MOMENTARY, when: new Date(Date.now() + 4_000).toISOString() } }]);
		assert.deepEqual(calls?.map(({ result }) => result), ["queued", "started", "fields", "done"]);
	});

	test("what cannot be read is \"rejected\" with a reason, and what has no value is a \"failure\" at the end", async () => {
		await site.device.say("sensors/mute/online", "1");
		await site.gateway.log(/Found "mute"/);
		const [unknown, mute] = await run(ROMEO, [{ read: THING, flags: MOMENTARY, fields: ["nothing"] }, { read: `mute@${DOMAIN}/thing`, flags: MOMENTARY }]);
		assert.deepEqual(unknown?.map(({ result }) => result), ["rejected"]);
		assert.match(unknown?.[0]?.error_msg ?? "", /nothing/);
		assert.deepEqual(mute?.map(({ result, nodeId }) => [result, nodeId]), [["accepted", undefined], ["failure", "mute"]]);
	});

	test("controls: OK after the device has reported it; out of range and unknown never reach it", async () => {
		const calls = run(ROMEO, [
			{ set: THING, fields: [["setpoint", "double", "22.5"]] },
			{ set: THING, fields: [["relay", "boolean", "true"], ["setpoint", "double", "23.0"]] },
			{ set: THING, fields: [["setpoint", "double", "99"]] },
			{ set: THING, fields: [["nothing", "double", "1"]] },
		]);
		for (const [command, after] of [["{\"setpoint\":22.5}", state("21.50", "22.5")], ["{\"relay\":true}", state("21.50", "22.5", true)], ["{\"setpoint\":23.0}", state("21.50", "23.0", true)]] as const) {
			assert.equal(await site.device.next(15_000), `sensors/room-1/set ${command}`);
			await site.device.say("sensors/room-1/state", after);
		}
		assert.deepEqual((await calls).map((each) => each.map(({ result }) => result)), [["OK"], ["OK"], ["OtherError"], ["NotFound"]]);
		assert.equal(site.device.heard.length, 3);
	});

	test("who may see one point reads that alone, and may control nothing", async () => {
		const [read, set] = await run(JULIET, [{ read: THING, flags: { all: "true" } }, { set: THING, fields: [["temperature", "double", "1"]] }]);
		// The present value, and whatever the journal has of it: slixmpp calls for each moment.
		assert.deepEqual([...new Set(read?.map(({ result }) => result))], ["accepted", "fields", "done"]);
		assert.deepEqual([...new Set(read?.flatMap(({ fields = [] }) => fields.map((field) => (typeof field === "string" ? field : field.name))))], ["temperature"]);
		assert.deepEqual(set?.map(({ result }) => result), ["InsufficientPrivileges"]);
		assert.equal(site.device.heard.length, 3);
	});
});
