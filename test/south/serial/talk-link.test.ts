import assert from "node:assert/strict";
import { test } from "node:test";
import { AtModem, FirmataBoard, Mhz19, MySensorsGateway } from "../../../firmware-sim/serial-obeyers.js";
import { SerialTalker } from "../../../firmware-sim/serial-talkers.js";
import type { SerialDevice } from "../../../firmware-sim/wire.js";
import { numericFromText, textOf, type Value } from "../../../src/core/value.js";
import type { Announcement } from "../../../src/core/device.js";
import { SerialDialect } from "../../../src/south/serial/dialect.js";
import { SerialLink } from "../../../src/south/serial/link.js";
import type { OpenPort, PortOpener } from "../../../src/south/serial/port.js";
import { FakeClock, settle } from "../../fakes/clock.js";
import { Chance } from "../../fakes/fuzz.js";

/** A link of the gateway with a simulated device at its port. */
class Bench {
	readonly clock = new FakeClock(Date.UTC(2026, 0, 1));
	readonly end = new AbortController();
	readonly dialect: SerialDialect;
	readonly link: SerialLink;
	readonly readings = new Map<string, string>();
	readonly devices = new Map<string, Announcement>();
	readonly faults: string[] = [];
	readonly over: Promise<void>;
	port: OpenPort | undefined;

	constructor(protocol: string, device: SerialDevice | undefined, baud = 9_600) {
		this.dialect = new SerialDialect({ link: "port", protocol, devices: [] });
		const ports: PortOpener = {
			open: async () => {
				const port = { onData: (): void => {}, write: async (bytes: Uint8Array): Promise<void> => device?.receive(bytes), close: async (): Promise<void> => {} };
				this.port = port;
				if (device) device.transmit = (bytes) => this.port?.onData(bytes);
				return port;
			},
		};
		const { lineEnd, questions, longest } = this.dialect;
		this.link = new SerialLink({ id: "port", path: "/dev/ttyUSB0", baud, protocol, clock: this.clock, ports, lineEnd, questions, longest, framer: () => this.dialect.framer() });
		this.over = this.link.run({
			packet: (packet) => {
				const { told = [], announced = [] } = this.dialect.decode(packet);
				for (const one of announced) this.devices.set(one.address, one);
				for (const { address, point, value } of told) this.readings.set(`${address} ${point}`, textOf(value));
			},
			state: () => {},
			fault: (_, reason) => this.faults.push(reason),
		}, this.end.signal);
	}

	async set(address: string, point: string, value: Value): Promise<void> {
		this.readings.clear();
		for (const out of this.dialect.encode(address, point, value)) await this.link.send(out, this.end.signal);
		await settle();
	}

	async stop(): Promise<void> {
		this.end.abort();
		await this.over;
	}
}

const number = (text: string): Value => numericFromText(text) ?? assert.fail();

test("an MH-Z19 is asked, and asked again; one that is silent says nothing", async () => {
	const sensor = new Mhz19();
	const bench = new Bench("mhz19", sensor);
	await bench.clock.advance(3_000);
	assert.equal(bench.readings.get("port co2"), "636");
	sensor.state = { co2: 1_204, temperature: 24 };
	await bench.clock.advance(10_000);
	assert.deepEqual([bench.readings.get("port co2"), bench.readings.get("port temperature")], ["1204", "24"]);
	bench.readings.clear();
	sensor.silent = true;
	await bench.clock.advance(30_000);
	assert.equal(bench.readings.size, 0);
	await bench.stop();
});

test("a MySensors relay is found by its presentation, set, and confirmed by what it says; one that is stuck confirms nothing", async () => {
	const gateway = new MySensorsGateway({ clock: new FakeClock() });
	const bench = new Bench("mysensors", gateway, 115_200);
	await settle();
	await bench.clock.advance(6_000);
	const node = bench.devices.get("port-7");
	assert.deepEqual([node?.name, node?.firmware, node?.points["child1.V_STATUS"]?.access, node?.points["child1.V_STATUS"]?.label], ["Shed", "1.4", "rw", "Lamp"]);
	assert.equal(bench.readings.get("port-gateway version"), "2.3.2");
	await bench.set("port-7", "child1.V_STATUS", true);
	assert.equal(gateway.state.relay, true);
	assert.equal(bench.readings.get("port-7 child1.V_STATUS"), "true");
	gateway.stuck = true;
	await bench.set("port-7", "child1.V_STATUS", false);
	assert.equal(gateway.state.relay, true);
	assert.equal(bench.readings.get("port-7 child1.V_STATUS"), "true", "it says what is, not what was wished");
	for (const [address, point, value] of [["port-x", "child1.V_STATUS", true], ["port-7", "relay", true], ["port-7", "child1.V_STATUS", number("1")], ["port-7", "child1.V_TEXT", "a\n0;0;3;0;13;"]] as const) assert.throws(() => bench.dialect.encode(address, point, value));
	await bench.stop();
});

test("a Firmata board is asked what it can, reports its pins, and obeys: digital and PWM, confirmed by the pin's state", async () => {
	const board = new FirmataBoard();
	const bench = new Bench("firmata", board, 57_600);
	await bench.clock.advance(5_000);
	const points = bench.devices.get("port")?.points ?? {};
	assert.equal(bench.devices.get("port")?.firmware, "SimFirmata 2.5");
	assert.deepEqual([points["D2"]?.access, points["D0"], points["PWM3"]?.access, points["PWM4"]], ["rw", undefined, "rw", undefined]);
	assert.deepEqual([bench.readings.get("port A0"), bench.readings.get("port A1"), bench.readings.get("port D2")], ["511", "87", "false"]);
	board.state.button = true;
	board.report();
	assert.equal(bench.readings.get("port D2"), "true");
	await bench.set("port", "D4", true);
	assert.deepEqual([board.state.outputs[4], bench.readings.get("port D4")], [1, "true"]);
	await bench.set("port", "D4", false);
	assert.deepEqual([board.state.outputs[4], bench.readings.get("port D4")], [0, "false"]);
	await bench.set("port", "PWM3", number("200"));
	assert.deepEqual([board.state.outputs[3], bench.readings.get("port PWM3")], [200, "200"]);
	for (const [point, value] of [["D200", true], ["D4", number("1")], ["PWM3", number("20000")], ["PWM3", number("0.5")], ["X", true]] as const) assert.throws(() => bench.dialect.encode("port", point, value), point);
	await bench.stop();
});

test("a modem is asked one question after the other, and its echoes and results are no readings", async () => {
	const bench = new Bench("at", new AtModem(), 115_200);
	await bench.clock.advance(10_000);
	assert.deepEqual(Object.fromEntries(bench.readings), {
		"port signal": "-77", "port bit_error_rate": "0", "port registration": "home", "port battery": "87", "port battery_voltage": "4102", "port charging": "false", "port fix": "true", "port latitude": "54.320100", "port longitude": "10.133400",
		"port altitude": "12.300", "port speed": "0.00", "port course": "90.0", "port hdop": "1.1", "port pdop": "1.4", "port vdop": "0.9", "port satellites_in_view": "12", "port satellites": "7", "port time": "2026-01-01T12:00:00Z",
	});
	await bench.stop();
});

test("a radio remote's command goes out in RFLink's words", () => {
	const dialect = new SerialDialect({ link: "rf", protocol: "rflink", devices: [] });
	assert.deepEqual(dialect.encode("Kaku/41/3", "CMD", "ON"), [{ kind: "line", text: "10;Kaku;41;3;ON;" }]);
	assert.deepEqual(dialect.encode("UPM/Esic/0001/2", "CMD", "SET_LEVEL=14"), [{ kind: "line", text: "10;UPM/Esic;0001;2;14;" }]);
	assert.throws(() => dialect.encode("Kaku/41/3", "CMD", "ON;\n10;REBOOT"));
});

test("a link counts bytes, messages and noise, and keeps a sample of the last", async () => {
	const bench = new Bench("sds011", undefined);
	await bench.clock.advance(100);
	const good = new SerialTalker("sds011", { clock: bench.clock });
	bench.port?.onData(Uint8Array.of(1, 2, 3));
	bench.port?.onData(good.next());
	assert.deepEqual(bench.faults, [], "what was under way when the port was opened is no fault");
	const bad = good.next();
	bad[8]! ^= 1;
	bench.port?.onData(Uint8Array.from([...bad, ...good.next()]));
	const { lastNoise, ...counters } = bench.link.counters();
	assert.deepEqual(counters, { bytes: 33, frames: 2, resyncs: 2, checksumErrors: 1, noise: 13 });
	assert.match(lastNoise ?? "", /^AA C0 /);
	assert.match(bench.faults[0] ?? "", /^a message with a wrong checksum/);
	await bench.stop();
});

test("a wrong baud rate is recognised and said once, with what to do, and forgotten when messages come", async () => {
	for (const protocol of ["nmea", "vedirect", "sds011", "dsmr", "mysensors"]) {
		const bench = new Bench(protocol, undefined, 2_400);
		await bench.clock.advance(100);
		const chance = new Chance(4);
		for (let chunk = 0; chunk < 200; chunk++) bench.port?.onData(chance.bytes(100).map((byte) => byte | 0x80));
		const said = bench.faults.filter((reason) => reason.includes("baud rate or the parity is probably wrong"));
		assert.equal(said.length, 1, protocol);
		assert.match(said[0]!, /^\d+ bytes and not one message at 2400 baud, 8N1: .*"jidway serial sniff"/);
		assert.equal(bench.link.counters().suspicion, said[0]);
		await bench.stop();
	}
	const bench = new Bench("sds011", undefined);
	await bench.clock.advance(100);
	bench.port?.onData(new Chance(1).bytes(3_000));
	assert.ok(bench.link.counters().suspicion);
	const sensor = new SerialTalker("sds011", { clock: bench.clock });
	for (let turn = 0; turn < 500; turn++) bench.port?.onData(sensor.next());
	assert.equal(bench.link.counters().suspicion, undefined);
	await bench.stop();
});
