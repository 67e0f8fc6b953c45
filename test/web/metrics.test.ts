import assert from "node:assert/strict";
import { test } from "node:test";
import { FaultCounter } from "../../src/core/fault-counter.js";
import type { GatewayStatus } from "../../src/core/status.js";
import { serveHealth } from "../../src/web/health.js";
import { MAX_FAULT_LABELS, metricsPage, watchLoopDelay } from "../../src/web/metrics.js";
import { FakeClock } from "../fakes/clock.js";
import { Chance, RUNS } from "../fakes/fuzz.js";

const PROCESS = { rssBytes: 71_000_000, cpuSeconds: 1.25, loopDelayP99Seconds: 0.004 };
const BARE: GatewayStatus = { started: 1_700_000_000_500, uplink: { up: false, since: 1_700_000_000_000, reason: "wrong \"secret\"\n" }, links: [], devices: 0, faults: [] };
const FULL: GatewayStatus = {
	...BARE, uplink: { up: true, since: 1_700_000_001_000 }, devices: 3,
	links: [{ id: "farm", up: true, since: 0 }, { id: "bus0", up: false, since: 0, reason: "gone", counters: { bytes: 1_000, frames: 20, resyncs: 2, checksumErrors: 1, noise: 30, lastNoise: "ff", suspicion: "the baud rate" } }],
	store: "the disk is full",
	faults: [{ where: "farm: sensors/x", reason: "Cannot read \"a\\b\": it is no number, 12.5 at most", sample: "s", count: 7, first: 0, last: 0 }],
	counters: {
		availability: { online: 1, late: 0, faulty: 0, asleep: 0, offline: 2, unknown: 0 }, readings: { received: 100, told: 40 }, commands: { confirmed: 3, "device-timeout": 1, forbidden: 2 },
		store: { written: 90, transactions: 9, lost: 1, pruned: 2, waiting: 3, fileBytes: 4_096, walBytes: 8_192, lastCommit: 15, oldest: 1_700_000_000_000, letters: 4, lettersLost: 5, lettersExpired: 6 },
		outbox: { delivered: 7, repeated: 8, givenUp: 9, underWay: 10, oldest: 1_700_000_000_250 }, stanzas: { sent: 11, received: 12 },
	},
};

interface Parsed {
	readonly types: ReadonlyMap<string, string>;
	/** By name and labels, as `name{a=b,c=d}`. */
	readonly samples: ReadonlyMap<string, number>;
}

/** A strict reader of the exposition format 0.0.4: one HELP, one TYPE, then samples of that name alone; nothing twice; a line feed at the end. */
function parse(text: string): Parsed {
	const types = new Map<string, string>();
	const samples = new Map<string, number>();
	let family = "";
	let help: string | undefined;
	assert.ok(text.endsWith("\n"), "the last line must end too");
	for (const line of text.slice(0, -1).split("\n")) {
		const comment = /^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)$/.exec(line);
		if (comment?.[1] === "HELP") {
			assert.ok(!types.has(comment[2]!), `a family twice: ${line}`);
			help = comment[2]!;
			assert.match(comment[3]!, /^(?:[^\\]|\\\\|\\n)*$/);
		} else if (comment) {
			assert.equal(comment[2], help, `TYPE without its HELP: ${line}`);
			assert.match(comment[3]!, /^(counter|gauge)$/);
			if (comment[3] === "counter") assert.match(comment[2]!, /_total$/);
			else assert.doesNotMatch(comment[2]!, /_total$/);
			types.set(family = comment[2]!, comment[3]!);
		} else {
			const sample = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*",?)*)\})? (\S+)$/.exec(line);
			assert.ok(sample, `no sample: ${line}`);
			assert.equal(sample[1], family, `a sample outside its family: ${line}`);
			assert.match(sample[3]!, /^[+-]?(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?|Inf|NaN)$/i);
			const labels = [...(sample[2] ?? "").matchAll(/([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"/g)].map((match) => `${match[1]}=${match[2]!.replace(/\\(.)/g, (_, char: string) => (char === "n" ? "\n" : char))}`);
			const key = `${sample[1]}${labels.length === 0 ? "" : `{${labels.join(",")}}`}`;
			assert.ok(!samples.has(key), `a sample twice: ${line}`);
			const value = Number(sample[3]!.replace("Inf", "Infinity"));
			if (types.get(family) === "counter") assert.ok(value >= 0, line);
			samples.set(key, value);
		}
	}
	return { types, samples };
}

function page(status: GatewayStatus): Parsed {
	return parse(metricsPage({ version: "1.2.3", process: () => PROCESS })(status));
}

test("a gateway that has just begun tells what it has, and nothing that nobody counts", () => {
	assert.deepEqual(Object.fromEntries(page(BARE).samples), {
		"jidway_build_info{version=1.2.3}": 1, jidway_start_time_seconds: 1_700_000_000.5, jidway_uplink_up: 0, jidway_uplink_changed_timestamp_seconds: 1_700_000_000, jidway_devices: 0, jidway_store_up: 1,
		process_resident_memory_bytes: 71_000_000, process_cpu_seconds_total: 1.25, jidway_event_loop_delay_p99_seconds: 0.004,
	});
});

test("everything that is counted is told in base units, with its labels", () => {
	const { samples } = page(FULL);
	const expected: Readonly<Record<string, number>> = {
		jidway_uplink_up: 1, "jidway_link_up{link=farm}": 1, "jidway_link_up{link=bus0}": 0,
		"jidway_serial_received_bytes_total{link=bus0}": 1_000, "jidway_serial_frames_total{link=bus0}": 20, "jidway_serial_resyncs_total{link=bus0}": 2, "jidway_serial_checksum_errors_total{link=bus0}": 1, "jidway_serial_noise_bytes_total{link=bus0}": 30,
		jidway_devices: 3, "jidway_devices_by_availability{availability=online}": 1, "jidway_devices_by_availability{availability=offline}": 2, "jidway_devices_by_availability{availability=late}": 0,
		"jidway_faults_total{link=farm,reason=Cannot read \"…\": it is no number, … at most}": 7,
		jidway_readings_received_total: 100, jidway_readings_told_total: 40,
		"jidway_commands_total{outcome=confirmed}": 3, "jidway_commands_total{outcome=sent}": 0, "jidway_commands_total{outcome=device-timeout}": 1, "jidway_commands_total{outcome=forbidden}": 2,
		jidway_store_up: 0, jidway_store_readings_written_total: 90, jidway_store_transactions_total: 9, jidway_store_readings_lost_total: 1, jidway_store_readings_pruned_total: 2, jidway_store_readings_waiting: 3, jidway_store_file_bytes: 4_096, jidway_store_wal_written_bytes_total: 8_192, jidway_store_last_commit_seconds: 0.015, jidway_store_oldest_reading_timestamp_seconds: 1_700_000_000,
		jidway_outbox_letters: 4, jidway_outbox_letters_lost_total: 5, jidway_outbox_letters_expired_total: 6, jidway_outbox_letters_delivered_total: 7, jidway_outbox_stanzas_repeated_total: 8, jidway_outbox_letters_given_up_total: 9, jidway_outbox_stanzas_under_way: 10, jidway_outbox_oldest_letter_timestamp_seconds: 1_700_000_000.25,
		jidway_stanzas_sent_total: 11, jidway_stanzas_received_total: 12,
	};
	for (const [key, value] of Object.entries(expected)) assert.equal(samples.get(key), value, key);
	assert.equal([...samples.keys()].find((key) => key.includes("the baud rate") || key.includes("disk")), undefined, "texts are for people, and no labels");
});

test("a total of faults never falls, though the list of faults forgets; a fault that comes again goes on", () => {
	const render = metricsPage({ version: "1", process: () => PROCESS });
	const fault = (reason: string, count: number, where = "farm: t") => ({ where, reason, sample: "", count, first: 0, last: 0 });
	const total = (...faults: GatewayStatus["faults"]): Record<string, number> => Object.fromEntries([...parse(render({ ...FULL, faults })).samples].filter(([key]) => key.startsWith("jidway_faults")).map(([key, value]) => [key.slice("jidway_faults_total".length), value]));
	assert.deepEqual(total(fault("A", 5), fault("A", 2, "farm: u"), fault("B", 1, "nobody: x")), { "{link=farm,reason=A}": 7, "{link=,reason=B}": 1 });
	assert.deepEqual(total(fault("A", 6)), { "{link=farm,reason=A}": 8, "{link=,reason=B}": 1 });
	assert.deepEqual(total(), { "{link=farm,reason=A}": 8, "{link=,reason=B}": 1 });
	assert.deepEqual(total(fault("A", 2)), { "{link=farm,reason=A}": 10, "{link=,reason=B}": 1 });
});

test("a sender of endless new reasons, addresses and bytes makes no more than a hundred series, and a page that can be read", () => {
	const chance = new Chance(1);
	const counter = new FaultCounter(new FakeClock(), () => {});
	const render = metricsPage({ version: "1", process: () => PROCESS });
	let told = 0;
	for (let run = 0; run < RUNS; run++) {
		const noise = Buffer.from(chance.bytes(1 + chance.int(20))).toString(chance.pick(["latin1", "utf8", "utf16le"]));
		counter.count(`${chance.pick(["farm", "bus0", noise])}: ${noise}`, chance.pick([noise, `Cannot read "${noise}": 7`, "Cannot read it"]), noise);
		told++;
		if (run % 100 !== 99) continue;
		const faults = [...parse(render({ ...FULL, faults: counter.all() })).samples].filter(([key]) => key.startsWith("jidway_faults_total"));
		assert.ok(faults.length <= MAX_FAULT_LABELS + 1, String(faults.length));
		assert.ok(faults.every(([key]) => key.length < 400));
		assert.ok(faults.reduce((sum, [, value]) => sum + value, 0) <= told);
		if (run < 900) assert.equal(faults.reduce((sum, [, value]) => sum + value, 0), told);
	}
});

test("labels are escaped, and numbers are written as Prometheus reads them", () => {
	const nasty = "a\\b\"c\nd\ud800";
	const text = metricsPage({ version: nasty, process: () => ({ rssBytes: NaN, cpuSeconds: 1e21, loopDelayP99Seconds: 1.5e-7 }) })({ ...BARE, devices: Infinity });
	assert.ok(text.includes("jidway_build_info{version=\"a\\\\b\\\"c\\nd\ufffd\"} 1\n"), text);
	for (const line of ["process_resident_memory_bytes NaN", "process_cpu_seconds_total 1e+21", "jidway_event_loop_delay_p99_seconds 1.5e-7", "jidway_devices +Inf"]) assert.ok(text.includes(`\n${line}\n`), line);
	parse(text);
});

test("/metrics is served beside the others, to GET and HEAD, in the type of the format; a failure is 500 and no end", async (t) => {
	const render = metricsPage({ version: "1", process: () => PROCESS });
	let fails = false;
	const server = await serveHealth("127.0.0.1:0", () => FULL, () => {
		if (fails) throw new Error("no figures");
		return render(FULL);
	});
	t.after(() => server.close());
	const url = `http://127.0.0.1:${server.port}/metrics`;
	const response = await fetch(url);
	assert.equal(response.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
	assert.equal(parse(await response.text()).samples.get("jidway_devices"), 3);
	assert.equal(await (await fetch(url, { method: "HEAD" })).text(), "");
	assert.match(await (await fetch(`http://127.0.0.1:${server.port}/`)).text(), /\/healthz, \/readyz and \/metrics/);
	fails = true;
	assert.deepEqual([(await fetch(url)).status, (await fetch(url.replace("metrics", "healthz"))).status], [500, 200]);
	const without = await serveHealth("127.0.0.1:0", () => FULL);
	t.after(() => without.close());
	assert.equal((await fetch(`http://127.0.0.1:${without.port}/metrics`)).status, 404);
});

test("watchLoopDelay() gives a number of seconds that is never negative, also before anything was measured", () => {
	const watch = watchLoopDelay();
	assert.equal(watch.p99(), 0);
	watch.stop();
});
