// Commands on serial lines until the device's own state says so: those whose protocols have no file of their own for it.
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { test } from "node:test";
import { AirSensor } from "../../../firmware-sim/air-sensor.js";
import { memory, ModbusBus } from "../../../firmware-sim/modbus-slave.js";
import { RelayBoard } from "../../../firmware-sim/relay-board.js";
import type { SerialDevice } from "../../../firmware-sim/wire.js";
import { confirmation } from "../../../src/core/confirmation.js";
import type { Reading } from "../../../src/core/reading.js";
import { Twin } from "../../../src/core/twin.js";
import { isNumeric, numericFromNumber, type Value } from "../../../src/core/value.js";
import { type Definition, loadDefinitions, parseDefinition } from "../../../src/south/definition.js";
import { SerialDialect } from "../../../src/south/serial/dialect.js";
import { SerialLink } from "../../../src/south/serial/link.js";
import type { OpenPort, PortOpener } from "../../../src/south/serial/port.js";
import { checkSamples } from "../../../src/south/serial/samples.js";
import { FakeClock, settle } from "../../fakes/clock.js";

const OURS = loadDefinitions([fileURLToPath(new URL("../../../devices", import.meta.url))]);

/** A link of the gateway with one simulated device at its port, and the twin of it. */
class Bench {
	twin: Twin | undefined;
	readonly #clock: FakeClock;
	readonly #dialect: SerialDialect;
	readonly #link: SerialLink;
	readonly #end = new AbortController();
	readonly #over: Promise<void>;

	constructor(clock: FakeClock, definition: Definition, device: SerialDevice, address?: string) {
		this.#clock = clock;
		const dialect = this.#dialect = new SerialDialect({ link: "port", protocol: definition.protocol, devices: [{ definition, ...(address !== undefined && { address }) }] });
		let port: OpenPort | undefined;
		device.transmit = (bytes) => port?.onData(bytes);
		const open: PortOpener["open"] = async () => {
			const opened = { onData: (): void => {}, write: async (bytes: Uint8Array): Promise<void> => device.receive(bytes), close: async (): Promise<void> => {} };
			port = opened;
			return opened;
		};
		const { lineEnd, questions, longest, polls } = dialect;
		this.#link = new SerialLink({ id: "port", path: "/dev/ttyUSB0", baud: 9_600, protocol: definition.protocol, clock, ports: { open }, lineEnd, questions, longest, polls, framer: () => dialect.framer() });
		for (const announcement of dialect.announced()) this.twin = new Twin({ ...announcement, id: "it", name: "it", link: "port", source: announcement }, clock.now());
		this.#over = this.#link.run({
			packet: (packet) => {
				const { received } = packet;
				for (const { point, value, at, quality } of dialect.decode(packet).told ?? []) this.twin?.apply([{ point, value, at: at ?? received, received, quality: quality ?? "good" }], true, received);
			},
			state: () => {},
			fault: (_where, reason) => assert.fail(reason),
		}, this.#end.signal);
	}

	/** Set a point, and let up to a minute pass until a reading says so. */
	async set(point: string, wish: Value | number): Promise<Reading> {
		const value = typeof wish === "number" ? numericFromNumber(wish) ?? assert.fail() : wish;
		const done = confirmation(this.twin ?? assert.fail("no device"), point, value, this.#clock, 60_000, this.#end.signal);
		let over = false;
		void done.catch(() => undefined).then(() => (over = true));
		const sent = Promise.all(this.#dialect.encode(this.twin!.device.address, point, value).map((out) => this.#link.send(out, this.#end.signal)));
		for (let waited = 0; waited < 62_000 && !over; waited += 100) await this.#clock.advance(100);
		await sent;
		await settle();
		return done;
	}

	async stop(): Promise<void> {
		this.#end.abort();
		await this.#over;
	}
}

/** Each command is confirmed by a reading that says what was wished. */
async function obeys(bench: Bench, commands: readonly (readonly [point: string, value: Value | number])[]): Promise<void> {
	for (const [point, value] of commands) {
		const said = (await bench.set(point, value)).value;
		assert.equal(isNumeric(said) ? said.number : said, value, point);
	}
}

test("a device of text lines takes its interval, and its next line says so; a stuck one is not believed for its OK", async () => {
	const clock = new FakeClock();
	const sensor = new AirSensor({ clock });
	const bench = new Bench(clock, OURS.get("jidway-air-sensor")!, sensor);
	await settle();
	sensor.powerOn();
	await clock.advance(3_000);
	await obeys(bench, [["interval", 5], ["interval", 2]]);
	sensor.stuck = true;
	await assert.rejects(bench.set("interval", 9), { fault: "device-timeout" });
	await bench.stop();
});

test("relays of a Modbus unit are switched, and read back at once; a welded one differs", async () => {
	const clock = new FakeClock();
	const board = new RelayBoard({ address: 2, clock });
	const bench = new Bench(clock, OURS.get("waveshare-modbus-rtu-relay-8ch")!, new ModbusBus({ clock, units: [board] }), "2");
	await clock.advance(2_000);
	await obeys(bench, [["relay1", true], ["relay8", true], ["relay1", false]]);
	board.stuck.add(3);
	await assert.rejects(bench.set("relay4", true), { fault: "device-timeout" });
	await bench.stop();
});

const CONTROLLER = `
model: acme-c1
name: Heating controller
source: { document: manual, revision: "1", table: "2" }
type: climate
protocol: modbus-rtu
every: 10s
points:
  setpoint: { unit: "°C", access: rw, min: 5, max: 30, at: { table: holding, register: 3, type: i16, scale: 0.1, together: true } }
samples:
  - { set: { setpoint: "21.5" }, request: 01 17 00 03 00 01 00 03 00 01 02 00 D7 E4 CC }
`;

test("a Modbus unit that wants function 23 is written and read back in one transaction, and that confirms", async () => {
	const clock = new FakeClock();
	const cell = memory(200);
	const parsed = parseDefinition(CONTROLLER, "c.yaml");
	const definition = "definition" in parsed ? parsed.definition : assert.fail(JSON.stringify(parsed.faults));
	assert.deepEqual(checkSamples(definition), []);
	// It knows no other way to be written.
	const bench = new Bench(clock, definition, new ModbusBus({ clock, units: [{ address: 1, functions: [3, 23], holdingRegisters: new Map([[3, cell]]) }] }), "1");
	await clock.advance(500);
	await obeys(bench, [["setpoint", 21.5], ["setpoint", 5]]);
	assert.equal(cell.read(), 50);
	await bench.stop();
});

const PUMP = `
model: acme-p1
name: Pump with a number
source: { document: manual, revision: "1", table: "2" }
type: switch
protocol: frames
every: 1s
frame: { start: "5A A5", length: 6, checksum: { name: sum8 } }
poll: { every: 1s, request: "5A A5 01" }
points:
  pump: { kind: boolean, access: rw, at: { byte: 3, type: bits, mask: 1 }, set: { frame: "5A A5 02 {value}" } }
  limit: { unit: mm, access: rw, min: 0, max: 250, at: { byte: 4, type: u8 }, set: { frame: "5A A5 03 {value}" } }
samples:
  - { frame: 5A A5 00 01 07 07, readings: { pump: "true", limit: "7" } }
`;

/** It answers the question `01` with its state, and takes `02` and `03` without a word. */
class Pump implements SerialDevice {
	readonly state = [0, 0];
	transmit: (bytes: Uint8Array) => void = () => {};

	receive(bytes: Uint8Array): void {
		const [, , what = 0, value = 0] = bytes;
		if (what === 2 || what === 3) this.state[what - 2] = value;
		if (what !== 1) return;
		const frame = [0x5a, 0xa5, 0, ...this.state];
		this.transmit(Uint8Array.from([...frame, frame.reduce((sum, byte) => sum + byte, 0) & 0xff]));
	}
}

test("a device of binary frames without code is told, and its answer to the next question says so", async () => {
	const clock = new FakeClock();
	const parsed = parseDefinition(PUMP, "p.yaml");
	const definition = "definition" in parsed ? parsed.definition : assert.fail(JSON.stringify(parsed.faults));
	assert.deepEqual(checkSamples(definition), []);
	const pump = new Pump();
	const bench = new Bench(clock, definition, pump);
	await clock.advance(2_500);
	await obeys(bench, [["pump", true], ["limit", 42], ["pump", false]]);
	assert.deepEqual(pump.state, [0, 42]);
	await bench.stop();
});
