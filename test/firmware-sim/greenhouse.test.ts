import assert from "node:assert/strict";
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import type { Readable, Writable } from "node:stream";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { systemClock } from "../../firmware-sim/clock.js";
import { Wire } from "../../firmware-sim/wire.js";
import type { Clock } from "../../src/core/clock.js";
import { numericFromText } from "../../src/core/value.js";
import { DeviceLinkDialect } from "../../src/south/serial/device-link-dialect.js";
import type { LinkNews } from "../../src/south/serial/device-link-model.js";
import { DeviceLinkSession } from "../../src/south/serial/device-link-session.js";
import { openWorkshop } from "./c-programs.js";

const workshop = openWorkshop();
after(() => workshop.clear());
// A board that is as hasty as the gateway of this test.
const PROGRAM = workshop.build("firmware-sim/examples/greenhouse.c", "-DJIDWAY_LINK_HELLO_MS=50u", "-DJIDWAY_LINK_RESEND_MS=40u", "-DJIDWAY_LINK_RESEND_LONGEST_MS=200u");

/** Spans of the gateway pass twenty times as fast: the board is a process, and its time cannot be held. */
const HASTE = 20;
const hasty: Clock = { now: () => Date.now(), after: (span, run) => systemClock.after(span / HASTE, run) };
const PATIENCE_MS = 20_000;

/** The first reports of a board that begins with this seed: the six that measure, as greenhouse.c has them. */
function weather(seed: number, reports: number): ReadonlySet<string> {
	let state = seed;
	const walk = (value: number, step: number, low: number, high: number): number => {
		state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
		return Math.min(high, Math.max(low, value + ((state >>> 16) % (2 * step + 1)) - step));
	};
	let [temperature, humidity, soil, co2, light, pressure] = [2350, 613, 442, 612, 8400, 10132];
	const said = new Set<string>();
	for (let each = 0; each < reports; each++) {
		temperature = walk(temperature, 12, -1000, 4500);
		humidity = walk(humidity, 6, 200, 990);
		soil = walk(soil, 3, 50, 900);
		co2 = walk(co2, 15, 380, 2000);
		light = walk(light, 300, 0, 80_000);
		pressure = walk(pressure, 2, 9600, 10_500);
		said.add([temperature, humidity, soil, co2, light, pressure].join());
	}
	return said;
}

/** The program as a child process on a wire with faults, and the gateway's session at the other end. */
class Greenhouse {
	readonly wire = new Wire({ clock: systemClock, seed: 7, lateness: [1, 10], pieceGap: 2 });
	readonly dialect = new DeviceLinkDialect("port0");
	readonly reports: string[] = [];
	readonly told: string[] = [];
	readonly session: DeviceLinkSession;
	#child: ChildProcessByStdio<Writable, Readable, null> | undefined;
	readonly #port = new AbortController();

	constructor() {
		this.session = new DeviceLinkSession({
			path: "/dev/ttyS0", clock: hasty, schemas: new Map(),
			write: async (bytes) => this.wire.gateway.write(bytes),
			hear: (news, taken) => {
				this.#hear(news);
				taken();
			},
			fault: () => undefined,
		});
		this.wire.gateway.onData = (bytes) => this.session.hear(bytes);
		this.wire.device.onData = (bytes) => this.#child?.stdin.write(bytes);
		void this.session.run(this.#port.signal);
	}

	#hear(news: LinkNews): void {
		const { told = [] } = this.dialect.decode(news, Date.now());
		this.told.push(...told.map(({ point, value }) => `${point} ${typeof value === "object" ? value.text : String(value)}`));
		if (news.kind === "report" && news.values[0] !== undefined) this.reports.push(news.values.slice(0, 6).join());
	}

	start(...words: readonly string[]): void {
		const child = spawn(PROGRAM, words, { stdio: ["pipe", "pipe", "inherit"] });
		child.stdin.on("error", () => undefined); // it was stopped while it was written to
		child.stdout.on("data", (bytes: Uint8Array) => this.wire.device.write(bytes));
		this.#child = child;
	}

	/** The power goes, from one moment to the next. */
	async stop(): Promise<void> {
		const child = this.#child;
		this.#child = undefined;
		child?.kill("SIGKILL");
		if (child) await once(child, "close");
	}

	async end(): Promise<void> {
		await this.stop();
		this.#port.abort();
	}

	async until(what: string, done: () => boolean): Promise<void> {
		for (const end = Date.now() + PATIENCE_MS; !done(); await sleep(2)) assert.ok(Date.now() < end, `${what} took longer than ${PATIENCE_MS} ms`);
	}

	async command(point: string, value: string | boolean): Promise<string> {
		const [setting] = this.dialect.encode("gh-0017", point, typeof value === "string" ? (numericFromText(value) ?? value) : value);
		return this.session.send(setting, AbortSignal.timeout(PATIENCE_MS)).then(() => "accepted", (error: unknown) => (error instanceof Error ? error.message : String(error)));
	}
}

test("the C program announces itself, reports, obeys, refuses, and starts anew", async () => {
	const greenhouse = new Greenhouse();
	const sound = weather(5, 10_000);
	try {
		greenhouse.start("--every", "40", "--seed", "5");
		await greenhouse.until("the first reports", () => greenhouse.reports.length >= 5);
		const [announcement] = greenhouse.dialect.announced();
		assert.deepEqual(announcement, {
			address: "gh-0017", name: "Greenhouse", model: "GH-1", firmware: "1.0.0", every: 60_000,
			points: {
				temperature: { kind: "numeric", access: "r", unit: "°C" }, humidity: { kind: "numeric", access: "r", unit: "%RH" }, soil: { kind: "numeric", access: "r", unit: "%" },
				co2: { kind: "numeric", access: "r", unit: "ppm", integer: true }, light: { kind: "numeric", access: "r", unit: "lx", integer: true }, pressure: { kind: "numeric", access: "r", unit: "hPa" },
				setpoint: { kind: "numeric", access: "rw", unit: "°C", min: 5, max: 35, step: 0.5 }, pump: { kind: "boolean", access: "rw" }, vent: { kind: "enum", access: "rw", labels: ["closed", "half", "open"] },
			},
		});
		const all = [...sound];
		const first = all.indexOf(greenhouse.reports[0]!); // those before it may have given way while the board was not yet welcomed
		assert.deepEqual(greenhouse.reports.slice(0, 5), all.slice(first, first + 5), "every report, in its order");

		greenhouse.told.length = 0;
		assert.equal(await greenhouse.command("setpoint", "22.7"), "accepted");
		await greenhouse.until("the reading", () => greenhouse.told.includes("setpoint 22.5")); // in half degrees
		assert.equal(await greenhouse.command("vent", "open"), "accepted");
		await greenhouse.until("the reading", () => greenhouse.told.includes("vent open"));
		assert.match(await greenhouse.command("setpoint", "35.1"), /the device says that the value is out of range$/);

		await greenhouse.stop();
		greenhouse.told.length = 0;
		greenhouse.start("--every", "40", "--seed", "6");
		await greenhouse.until("a report of the new life", () => greenhouse.told.includes("vent closed"));
		assert.equal(greenhouse.session.counts.restarts, 1);
		assert.equal(greenhouse.session.counts.broken, 0);
	} finally {
		await greenhouse.end();
	}
});

test("on a wire with seeded faults the C program tells no wrong reading, tells none twice, and obeys once the wire is well", async () => {
	const greenhouse = new Greenhouse();
	const sound = weather(9, 50_000);
	const faults = { cut: 0.05, split: 0.2, late: 0.1, flip: 0.1 };
	try {
		greenhouse.wire.chances.toGateway = greenhouse.wire.chances.toDevice = faults;
		greenhouse.start("--every", "5", "--seed", "9");
		await greenhouse.until("300 reports", () => greenhouse.reports.length >= 300);
		greenhouse.wire.chances.toGateway = greenhouse.wire.chances.toDevice = {};
		assert.equal(await greenhouse.command("pump", true), "accepted");
		await greenhouse.until("the reading", () => greenhouse.told.includes("pump true"));
		assert.deepEqual(greenhouse.reports.filter((report) => !sound.has(report)), []);
		assert.equal(new Set(greenhouse.reports).size, greenhouse.reports.length);
		assert.ok(greenhouse.session.counts.broken > 10, `${greenhouse.session.counts.broken} broken frames`);
		assert.equal(greenhouse.session.counts.restarts, 0);
	} finally {
		await greenhouse.end();
	}
});

test("the C program that only talks is read without a word to it", async () => {
	const greenhouse = new Greenhouse();
	try {
		greenhouse.start("--every", "10", "--seed", "3", "--mute");
		await greenhouse.until("reports", () => greenhouse.reports.length >= 10);
		assert.deepEqual(greenhouse.reports.slice(-3).filter((report) => !weather(3, 1_000).has(report)), []);
		assert.match(await greenhouse.command("pump", true).catch((error: Error) => error.message), /"pump": it is read-only$/);
	} finally {
		await greenhouse.end();
	}
});
