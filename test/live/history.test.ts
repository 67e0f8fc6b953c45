// The past, from the device to the command line: every acknowledged reading, in order, with its digits.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { backupDatabase, restoreBackup } from "../../src/backup.js";
import { streamGateway } from "../../src/web/control-socket.js";
import { newGateway } from "./gateway-process.js";
import { makeFolder, removeFolder, waitUntil } from "./servers/processes.js";
import { startProsody } from "./servers/prosody.js";
import { DOMAIN, introduce, missing, mqttLink, SECRET, type Site, startSite, state } from "./site.js";

const COUNT = 500;

describe("the past on the command line", { skip: missing("prosody", "mosquitto") }, () => {
	let site: Site;
	let folder: string;
	/** Temperatures as they were sent, oldest first. */
	const sent: string[] = [];
	before(async () => {
		site = await startSite(startProsody);
		folder = makeFolder("history");
		await introduce(site, "room-1", state("21.50"));
	});
	after(async () => {
		await site?.end();
		if (folder) removeFolder(folder);
	});

	interface Row {
		readonly time: string;
		readonly received: string;
		readonly value: string;
		readonly unit: string | null;
	}
	const rowsOf = (text: string): Row[] => text.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line) as Row);
	const history = async (...args: string[]): Promise<Row[]> => {
		const { code, stdout, stderr } = await site.gateway.cli("history", "room-1", "temperature", "--json", ...args);
		assert.equal(code, 0, stderr);
		return rowsOf(stdout);
	};
	/** The same values, without another process. */
	const valuesIn = async (dataFolder: string): Promise<string[]> => {
		const values: string[] = [];
		for await (const item of streamGateway(dataFolder, { ask: "history", device: "room-1", point: "temperature" }, 10_000)) values.push((item as Row).value);
		return values;
	};
	const python = (program: string, file: string): string => execFileSync("python3", ["-c", program, file], { encoding: "utf8" }).trim();

	test(`${COUNT} readings are told by "history --json" exactly, oldest first, and by none more`, async () => {
		const before = (await valuesIn(site.gateway.dataFolder)).length;
		for (let n = 0; n < COUNT; n++) sent.push(`${20 + (n % 7)}.${String(n % 100).padStart(2, "0")}`);
		await Promise.all(sent.map((value) => site.device.say("sensors/room-1/state", state(value))));
		await waitUntil("the readings in the journal", async () => (await valuesIn(site.gateway.dataFolder)).length >= before + COUNT, { withinMs: 15_000 });
		const rows = await history();
		assert.deepEqual(rows.slice(before).map(({ value }) => value), sent);
		for (const row of rows) {
			assert.deepEqual(Object.keys(row), ["time", "received", "value", "unit"]);
			assert.match(row.time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
			assert.equal(row.unit, "°C");
		}
		assert.deepEqual(rows.map(({ time }) => time), rows.map(({ time }) => time).sort());
		const [from, to] = [rows[before + 100]!.time, rows.at(-1)!.time];
		const [window, days] = await Promise.all([history("--from", from, "--to", to), history("--since", "1h", "--bucket", "1d")]);
		assert.deepEqual(window, rows.filter(({ time }) => time >= from && time < to));
		const buckets = days as unknown as { count: number; max: string; last: string }[];
		assert.equal(buckets.reduce((sum, { count }) => sum + count, 0), rows.length);
		assert.deepEqual([buckets.at(-1)!.max, buckets.at(-1)!.last], ["26.98", sent.at(-1)]);
	});

	test("an export is read by others: CSV and SenML by Python, JSON line by line, with the same values", async () => {
		const expected = await valuesIn(site.gateway.dataFolder);
		await Promise.all(["csv", "senml", "json"].map(async (format) => {
			const file = join(folder, `all.${format}`);
			const { code, stderr } = await site.gateway.cli("export", "--format", format, "--out", file);
			assert.equal(code, 0, stderr);
			assert.equal(statSync(file).mode & 0o777, 0o600);
		}));
		const csv = python("import csv,json,sys; print(json.dumps([r['value'] for r in csv.DictReader(open(sys.argv[1],newline='',encoding='utf8'),strict=True) if r['point']=='temperature']))", join(folder, "all.csv"));
		assert.deepEqual(JSON.parse(csv), expected);
		const senml = python("import json,sys,decimal; bn=''\nfor r in json.load(open(sys.argv[1],encoding='utf8'),parse_float=str,parse_int=str):\n bn=r.get('bn',bn)\n if bn+r['n']=='things.localhost/room-1/temperature': print(r['v'], r['u'])", join(folder, "all.senml"));
		assert.deepEqual(senml.split("\n"), expected.map((value) => `${value} Cel`));
		const lines = readFileSync(join(folder, "all.json"), "utf8").trim().split("\n").map((line) => JSON.parse(line) as { device: string; point: string; value: string });
		assert.deepEqual(lines.filter(({ device, point }) => device === "room-1" && point === "temperature").map(({ value }) => value), expected);
	});

	test("a backup of the running gateway has the same past in another folder; nothing is overwritten by accident", async () => {
		const file = join(folder, "backup.sqlite");
		const made = await site.gateway.cli("backup", file);
		assert.equal(made.code, 0, made.stderr);
		assert.equal(statSync(file).mode & 0o777, 0o600);
		const [again, running] = await Promise.all([site.gateway.cli("backup", file), site.gateway.cli("restore", file)]);
		assert.deepEqual([again.code, /there is a file of this name/.test(again.stderr)], [1, true]);
		assert.deepEqual([running.code, /the gateway is running; stop it first/.test(running.stderr)], [1, true]);

		const other = await newGateway({ uplink: { domain: `other.${DOMAIN}`, port: 1, secret: SECRET }, links: [mqttLink(site.broker.url)] });
		try {
			assert.match(restoreBackup(other.dataFolder, file, Date.now()), /has what ".*" has: \d{4} readings, 1 devices/);
			await other.start();
			await other.log(/is running/);
			const [theirs, ours] = await Promise.all([other, site.gateway].map(({ dataFolder }) => valuesIn(dataFolder)));
			assert.deepEqual(theirs!.slice(0, ours!.length), ours);
			await other.stop();
			backupDatabase(other.dataFolder, join(folder, "offline.sqlite"));
			assert.equal(statSync(join(folder, "offline.sqlite")).mode & 0o777, 0o600);
		} finally {
			await other.remove();
		}
	});

	test("what is asked wrong ends with exit code 2 or 1, and says how to ask", async () => {
		await Promise.all(([
			[2, /--since and --from together/, "history", "room-1", "temperature", "--since", "1h", "--from", "2026-01-01"],
			[2, /Allowed choices are csv, json, senml/, "export", "--format", "xml"],
			[1, /Cannot find "temprature": did you mean "temperature"/, "history", "room-1", "temprature"],
			[0, /^TIME +RECEIVED +VALUE +UNIT\n\d{4}-.* {2}21\.50 +°C\n/, "history", "room-1", "temperature", "--since", "1h"],
		] as const).map(async ([code, pattern, ...args]) => {
			const { code: found, stdout, stderr } = await site.gateway.cli(...args);
			assert.equal(found, code, `${args.join(" ")}: ${stderr}`);
			assert.match(code === 0 ? stdout : stderr, pattern);
		}));
	});
});
