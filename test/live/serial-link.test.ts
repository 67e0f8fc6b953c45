import assert from "node:assert/strict";
import { test } from "node:test";
import { AirSensor } from "../../firmware-sim/air-sensor.js";
import { systemClock } from "../../firmware-sim/clock.js";
import { ModbusBus } from "../../firmware-sim/modbus-slave.js";
import { RelayBoard } from "../../firmware-sim/relay-board.js";
import { ThProbe } from "../../firmware-sim/th-probe.js";
import type { SerialDevice } from "../../firmware-sim/wire.js";
import { GatewayError } from "../../src/core/errors.js";
import { textOf } from "../../src/core/value.js";
import { loadDefinitions } from "../../src/south/definition.js";
import type { LinkState } from "../../src/south/link.js";
import type { Told } from "../../src/south/meaning.js";
import { SerialDialect, type SerialDialectOptions } from "../../src/south/serial/dialect.js";
import { SerialLink } from "../../src/south/serial/link.js";
import { serialPorts } from "../../src/south/serial/port.js";
import { type Pty, startPty } from "./servers/pty.js";
import { waitUntil } from "./servers/processes.js";

const definitions = loadDefinitions(["devices"]);

/** A gateway's end on a real pseudo-terminal. */
class Bench {
	readonly states: LinkState[] = [];
	readonly told: Told[] = [];
	readonly said: string[] = [];
	readonly faults: string[] = [];
	readonly link: SerialLink;
	readonly end = new AbortController();
	readonly over: Promise<void>;
	readonly dialect: SerialDialect;

	constructor(path: string, { protocol, devices }: Pick<SerialDialectOptions, "protocol" | "devices">, baud: number) {
		this.dialect = new SerialDialect({ link: "usb0", protocol, devices });
		this.link = new SerialLink({ id: "usb0", path, baud, protocol, clock: systemClock, ports: serialPorts(systemClock), polls: this.dialect.polls, lineEnd: this.dialect.lineEnd });
		this.over = this.link.run({
			packet: (packet) => {
				const meaning = this.dialect.decode(packet);
				this.told.push(...(meaning.told ?? []));
				for (const { state, address } of meaning.states ?? []) this.said.push(`${address} ${state}`);
				packet.taken();
			},
			state: (state) => this.states.push(state),
			fault: (where, reason) => this.faults.push(`${where}: ${reason}`),
		}, this.end.signal);
	}

	get up(): boolean {
		return this.states.at(-1)?.up === true;
	}

	last(point: string, address = "usb0"): string | undefined {
		const found = this.told.findLast((told) => told.point === point && told.address === address);
		return found && textOf(found.value);
	}

	async set(address: string, point: string, value: Told["value"]): Promise<void> {
		for (const out of this.dialect.encode(address, point, value)) await this.link.send(out, AbortSignal.timeout(10_000));
	}

	async stop(): Promise<void> {
		this.end.abort();
		await this.over;
	}
}

function join(device: SerialDevice, pty: Pty): void {
	pty.peer.on("data", (bytes: Uint8Array) => device.receive(bytes));
	device.transmit = (bytes) => void pty.peer.write(bytes);
}

const until = (what: string, ready: () => boolean): Promise<void> => waitUntil(what, ready, { withinMs: 15_000 });

test("a line device on a real port: it speaks, it is set, the adapter is pulled and put back, and it speaks again", { timeout: 60_000 }, async () => {
	const pty = await startPty();
	const sensor = new AirSensor({ clock: systemClock });
	join(sensor, pty);
	const bench = new Bench(pty.path, { protocol: "lines", devices: [{ definition: definitions.get("jidway-air-sensor")! }] }, 115_200);
	try {
		await until("the port to open", () => bench.up);
		sensor.powerOn();
		await until("a reading", () => bench.last("co2") !== undefined);
		await bench.set("usb0", "interval", { text: "2", number: 2 });
		await until("the new interval", () => bench.last("interval") === "2");
		for (let round = 0; round < 2; round++) {
			await pty.unplug();
			await until("the loss to be told", () => !bench.up);
			const state = bench.states.at(-1);
			assert.match(state?.up === false ? state.reason : "", /^Cannot (use|open) ".*ttyUSB0": /);
			await assert.rejects(bench.set("usb0", "interval", { text: "3", number: 3 }), (error) => error instanceof GatewayError && error.fault === "link-down");
			await pty.replug();
			await until("the port to open again", () => bench.up);
			const before = bench.told.length;
			await until("a reading again", () => bench.told.length > before);
		}
		assert.deepEqual(bench.faults, []);
	} finally {
		sensor.powerOff();
		await bench.stop();
		await pty.stop();
	}
});

test("two units on a real port: they are polled, a relay is switched and read back, one dies and comes back", { timeout: 60_000 }, async () => {
	const pty = await startPty();
	const probe = new ThProbe({ address: 1, temperature: 23.4, humidity: 45 });
	const relays = new RelayBoard({ address: 2, clock: systemClock });
	join(new ModbusBus({ clock: systemClock, units: [probe, relays], gap: 5 }), pty);
	const bench = new Bench(pty.path, {
		protocol: "modbus-rtu",
		devices: [{ address: "1", definition: definitions.get("xy-md02")!, every: 500 }, { address: "2", definition: definitions.get("waveshare-modbus-rtu-relay-8ch")!, every: 500 }],
	}, 9_600);
	try {
		await until("readings of both", () => bench.last("temperature", "1") !== undefined && bench.last("relay1", "2") !== undefined);
		assert.equal(bench.last("temperature", "1"), "23.4");
		assert.equal(bench.last("humidity", "1"), "45.0");
		await bench.set("2", "relay3", true);
		assert.equal(relays.state[2], true);
		await until("the relay to be read back", () => bench.last("relay3", "2") === "true");
		await bench.set("1", "temperature_correction", { text: "-1.5", number: -1.5 });
		await until("the corrected temperature", () => bench.last("temperature", "1") === "21.9");
		probe.silent = true;
		await until("the probe to be offline", () => bench.said.at(-1) === "1 offline");
		probe.silent = false;
		await until("the probe to be online", () => bench.said.at(-1) === "1 online");
		await pty.unplug();
		await until("the loss to be told", () => !bench.up);
		await pty.replug();
		const before = bench.told.length;
		await until("readings again", () => bench.told.length > before);
	} finally {
		await bench.stop();
		await pty.stop();
	}
});

test("a port that is not there is told with what to do, and opened when it appears", { timeout: 60_000 }, async () => {
	const pty = await startPty();
	await pty.unplug();
	const bench = new Bench(pty.path, { protocol: "lines", devices: [] }, 9_600);
	try {
		await until("the absence to be told", () => bench.states.length > 0);
		const [state] = bench.states;
		assert.ok(state?.up === false);
		assert.match(state.reason, /there is no such port; is the adapter plugged in\? \(a name like this changes.*\/dev\/serial\/by-id/);
		await pty.replug();
		await until("the port to open", () => bench.up);
		pty.peer.write("ready\r\n");
		await new Promise((resolve) => void setTimeout(resolve, 50)); // what comes right after opening may be the tail of a line
		pty.peer.write("temp=21.50 hum=45\r\n");
		await until("a reading", () => bench.last("temp") === "21.50");
	} finally {
		await bench.stop();
		await pty.stop();
	}
});
