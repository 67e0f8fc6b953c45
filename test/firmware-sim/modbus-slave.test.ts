import assert from "node:assert/strict";
import { test } from "node:test";
import { ModbusBus, crc16, memory, type Cell, type ModbusUnit } from "../../firmware-sim/modbus-slave.js";
import { RelayBoard } from "../../firmware-sim/relay-board.js";
import { ThProbe } from "../../firmware-sim/th-probe.js";
import { seeded } from "../../firmware-sim/random.js";
import { bytes, hex } from "./bytes.js";
import { FakeClock } from "./fake-clock.js";

/** Say `request` to the units, and hear what they answer. */
function ask(units: readonly ModbusUnit[], request: string, clock = new FakeClock()): string[] {
	const bus = new ModbusBus({ clock, units });
	const answers: string[] = [];
	bus.transmit = (raw) => answers.push(hex(raw));
	bus.receive(bytes(request));
	clock.advance(100);
	return answers;
}

/** With its check bytes, low byte first: for questions that no document prints. */
function framed(body: string): string {
	const crc = crc16(bytes(body));
	return `${body} ${hex(Uint8Array.of(crc & 0xff, crc >> 8))}`;
}

/** Consecutive cells from `first`. */
function row<T>(first: number, values: readonly T[]): [number, Cell<T>][] {
	return values.map((value, index) => [first + index, memory(value)]);
}

function bits(raw: string, count: number): boolean[] {
	const source = bytes(raw);
	return Array.from({ length: count }, (_, index) => (((source[index >> 3] ?? 0) >> (index & 7)) & 1) === 1);
}

/** Slave 17 of the Modicon Modbus Protocol Reference Guide (PI-MBUS-300), chapter 2, as the examples leave it. */
function slave17(): ModbusUnit {
	return {
		address: 0x11,
		coils: new Map([...row(0x13, bits("CD 6B B2 0E 1B", 37)), ...row(0xac, [false])]),
		discreteInputs: new Map(row(0xc4, bits("AC DB 35", 22))),
		holdingRegisters: new Map([...row(0x01, [0, 0]), ...row(0x6b, [0xae41, 0x5652, 0x4340])]),
		inputRegisters: new Map(row(0x08, [0x000a])),
	};
}

// [what, request, answer]: the guide's examples as frames, https://www.simplymodbus.ca/FC01.htm to FC16.htm
const GUIDE = [
	["read coils 20 to 56", "11 01 00 13 00 25 0E 84", "11 01 05 CD 6B B2 0E 1B 45 E6"],
	["read inputs 10197 to 10218", "11 02 00 C4 00 16 BA A9", "11 02 03 AC DB 35 20 18"],
	["read registers 40108 to 40110", "11 03 00 6B 00 03 76 87", "11 03 06 AE 41 56 52 43 40 49 AD"],
	["read input register 30009", "11 04 00 08 00 01 B2 98", "11 04 02 00 0A F8 F4"],
	["force coil 173 on", "11 05 00 AC FF 00 4E 8B", "11 05 00 AC FF 00 4E 8B"],
	["preset register 40002", "11 06 00 01 00 03 9A 9B", "11 06 00 01 00 03 9A 9B"],
	["force coils 20 to 29", "11 0F 00 13 00 0A 02 CD 01 BF 0B", "11 0F 00 13 00 0A 26 99"],
	["preset registers 40002 and 40003", "11 10 00 01 00 02 04 00 0A 01 02 C6 F0", "11 10 00 01 00 02 12 98"],
] as const;

for (const [what, request, answer] of GUIDE) {
	test(`ModbusBus answers the guide's "${what}" as the guide does`, () => {
		assert.deepEqual(ask([slave17()], request), [answer]);
	});
}

test("ModbusBus refuses coil 1186 of slave 10 with exception 2, as the guide does", () => {
	assert.deepEqual(ask([{ address: 0x0a, coils: new Map(row(0, [false])) }], "0A 01 04 A1 00 01 AC 63"), ["0A 81 02 B0 53"]);
});

test("a write of several cells changes what is read", () => {
	const unit = slave17();
	ask([unit], "11 10 00 01 00 02 04 00 0A 01 02 C6 F0");
	assert.deepEqual([unit.holdingRegisters?.get(1)?.read(), unit.holdingRegisters?.get(2)?.read()], [0x000a, 0x0102]);
});

// Requests whose answer is an exception. [what, PDU, exception]
const REFUSED = [
	["an unknown function", "2B 0E 01 00", "AB 01"],
	["a function without a table", "05 00 00 FF 00", "85 01"],
	["no register at all", "03 00 01 00 00", "83 03"],
	["126 registers", "03 00 01 00 7E", "83 03"],
	["2001 inputs", "02 00 00 07 D1", "82 01"],
	["one register too many", "03 00 01 00 03", "83 02"],
	["a register that is read only", "06 00 02 00 01", "86 02"],
	["a byte count that does not fit", "10 00 01 00 01 04 00 01 00 02", "90 03"],
	["the end of the address space", "03 FF FF 00 02", "83 02"],
] as const;

for (const [what, pdu, exception] of REFUSED) {
	test(`ModbusBus refuses ${what}`, () => {
		const unit: ModbusUnit = { address: 1, holdingRegisters: new Map<number, Cell<number>>([...row(1, [7]), [2, { read: () => 8 }]]) };
		const [answer] = ask([unit], framed(`01 ${pdu}`));
		assert.equal(answer?.slice(3, 8), exception);
	});
}

test("a coil takes FF00 and 0000 and refuses anything else with exception 3", () => {
	const unit: ModbusUnit = { address: 1, coils: new Map(row(0, [true])) };
	assert.deepEqual(ask([unit], framed("01 05 00 00 12 34")), ["01 85 03 02 91"]);
	assert.equal(unit.coils?.get(0)?.read(), true);
});

// https://github.com/e-tinkers/Modbus-RTU, examples/SHT20/README.md: measured on a real probe. [what, request, answer]
const PROBE = [
	["temperature", "01 04 00 01 00 01 60 0A", "01 04 02 01 31 79 74"],
	["humidity", "01 04 00 02 00 01 90 0A", "01 04 02 02 22 38 49"],
	["both", "01 04 00 01 00 02 20 0B", "01 04 04 01 31 02 22 2A CE"],
	["address", "01 03 01 01 00 01 D4 36", "01 03 02 00 01 79 84"],
	["a new address", "01 06 01 01 00 08 D8 30", "01 06 01 01 00 08 D8 30"],
] as const;

for (const [what, request, answer] of PROBE) {
	test(`ThProbe answers for ${what} as a real one`, () => {
		assert.deepEqual(ask([new ThProbe({ temperature: 30.5, humidity: 54.6 })], request), [answer]);
	});
}

test("ThProbe gives degrees of frost as two's complement: -20.5 is FF33", () => {
	const [answer] = ask([new ThProbe({ temperature: -20.5 })], "01 04 00 01 00 01 60 0A");
	assert.equal(answer?.slice(9, 14), "FF 33");
});

test("ThProbe adds its correction, refuses one above 10 degrees, and moves to a new address after a power cycle", () => {
	const probe = new ThProbe({ temperature: 21.5, humidity: 50 });
	const correction = probe.holdingRegisters.get(0x0103);
	assert.equal(correction?.write?.(0x10000 - 15), undefined);
	assert.equal(probe.inputRegisters.get(1)?.read(), 200);
	assert.equal(correction?.write?.(101), 3);
	assert.equal(probe.holdingRegisters.get(0x0102)?.write?.(115200 & 0xffff), 3);
	probe.holdingRegisters.get(0x0101)?.write?.(8);
	assert.equal(probe.address, 1);
	probe.powerCycle();
	assert.equal(probe.address, 8);
});

test("ThProbe warms and cools with the clock, and stands still without one", () => {
	const clock = new FakeClock();
	const probe = new ThProbe({ clock, swing: 2, period: 1000 });
	clock.advance(1000 - (clock.now() % 1000) + 250);
	assert.equal(probe.state.temperature.toFixed(2), "23.50");
	clock.advance(500);
	assert.equal(probe.state.temperature.toFixed(2), "19.50");
	assert.equal(new ThProbe({ swing: 2 }).state.temperature, 21.5);
});

// https://www.waveshare.com/wiki/Modbus_RTU_Relay, "Development Protocol V2". [what, request, answer, relays after it]
const RELAY = [
	["relay 0 on", "01 05 00 00 FF 00 8C 3A", "01 05 00 00 FF 00 8C 3A", "10000000"],
	["relay 1 on", "01 05 00 01 FF 00 DD FA", "01 05 00 01 FF 00 DD FA", "01000000"],
	["relay 0 off", "01 05 00 00 00 00 CD CA", "01 05 00 00 00 00 CD CA", "00000000"],
	["turn relay 0 over", "01 05 00 00 55 00 F2 9A", "01 05 00 00 55 00 F2 9A", "10000000"],
	["all on", "01 05 00 FF FF 00 BC 0A", "01 05 00 FF FF 00 BC 0A", "11111111"],
	["all on by function 15", "01 0F 00 00 00 08 01 FF BE D5", "01 0F 00 00 00 08 54 0D", "11111111"],
	["all off by function 15", "01 0F 00 00 00 08 01 00 FE 95", "01 0F 00 00 00 08 54 0D", "00000000"],
	["read all", "01 01 00 00 00 08 3D CC", "01 01 01 00 51 88", "00000000"],
	["relay 0 on for 700 ms", "01 05 02 00 00 07 8D B0", "01 05 02 00 00 07 8D B0", "10000000"],
	["which address", "00 03 40 00 00 01 90 1B", "01 03 02 00 01 79 84", "00000000"],
	["which version", "00 03 80 00 00 01 AC 1B", "01 03 02 00 C8 B9 D2", "00000000"],
] as const;

for (const [what, request, answer, after] of RELAY) {
	test(`RelayBoard does "${what}" as the wiki says`, () => {
		const clock = new FakeClock();
		const board = new RelayBoard({ clock });
		assert.deepEqual(ask([board], request, clock), [answer]);
		assert.equal(board.state.map(Number).join(""), after);
	});
}

test("RelayBoard reads 41 when relays 0 and 6 are on", () => {
	const board = new RelayBoard({ clock: new FakeClock() });
	board.switch(0, true);
	board.switch(6, true);
	assert.deepEqual(ask([board], "01 01 00 00 00 08 3D CC"), ["01 01 01 41 91 B8"]);
});

test("RelayBoard ends a flash after its time, and not when the relay was switched meanwhile", () => {
	const clock = new FakeClock();
	const board = new RelayBoard({ clock });
	ask([board], "01 05 02 00 00 07 8D B0", clock);
	clock.advance(599);
	assert.equal(board.state[0], true);
	clock.advance(2);
	assert.equal(board.state[0], false);
	ask([board], "01 05 02 00 00 07 8D B0", clock);
	ask([board], "01 05 00 00 FF 00 8C 3A", clock);
	clock.advance(5000);
	assert.equal(board.state[0], true);
});

test("RelayBoard changes its address by a broadcast and says nothing to it", () => {
	const board = new RelayBoard({ clock: new FakeClock() });
	assert.deepEqual(ask([board], "00 06 40 00 00 02 1C 1A"), []);
	assert.equal(board.address, 2);
});

test("a relay that is stuck takes the command, answers, and does not move", () => {
	const board = new RelayBoard({ clock: new FakeClock() });
	board.stuck.add(0);
	assert.deepEqual(ask([board], "01 05 00 00 FF 00 8C 3A"), ["01 05 00 00 FF 00 8C 3A"]);
	assert.equal(board.state[0], false);
});

test("ModbusBus lets the addressed unit answer and no other, and a silent one not at all", () => {
	const clock = new FakeClock();
	const probe = new ThProbe({ address: 1, temperature: 30.5 });
	const board = new RelayBoard({ address: 2, clock });
	assert.deepEqual(ask([probe, board], "02 05 00 00 FF 00 8C 09"), ["02 05 00 00 FF 00 8C 09"]);
	probe.silent = true;
	assert.deepEqual(ask([probe, board], "01 04 00 01 00 01 60 0A"), []);
	assert.deepEqual(ask([probe, board], "05 04 00 01 00 01 61 8E"), []);
});

test("ModbusBus answers after the turnaround and not before", () => {
	const clock = new FakeClock();
	const bus = new ModbusBus({ clock, units: [new ThProbe()], turnaround: 30 });
	let answers = 0;
	bus.transmit = () => answers++;
	bus.receive(bytes("01 04 00 01 00 01 60 0A"));
	clock.advance(29);
	assert.equal(answers, 0);
	clock.advance(1);
	assert.equal(answers, 1);
});

test("ModbusBus says nothing to a frame with any one bit turned over", () => {
	const request = bytes("01 04 00 01 00 01 60 0A");
	for (let bit = 0; bit < request.length * 8; bit++) {
		const flipped = Uint8Array.from(request);
		flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
		assert.deepEqual(ask([new ThProbe()], hex(flipped)), [], `bit ${bit}`);
	}
});

test("ModbusBus gives the same answer wherever the request is cut in two within the gap, and none beyond it", () => {
	const request = bytes("11 10 00 01 00 02 04 00 0A 01 02 C6 F0");
	for (const [wait, answers] of [[10, 1], [30, 0]] as const) {
		for (let cut = 1; cut < request.length; cut++) {
			const clock = new FakeClock();
			const bus = new ModbusBus({ clock, units: [slave17()], gap: 20 });
			let heard = 0;
			bus.transmit = () => heard++;
			bus.receive(request.slice(0, cut));
			clock.advance(wait);
			bus.receive(request.slice(cut));
			clock.advance(100);
			assert.equal(heard, answers, `cut at ${cut}, ${wait} ms`);
		}
	}
});

test("ModbusBus answers a good request after noise, once the line was silent", () => {
	const clock = new FakeClock();
	const bus = new ModbusBus({ clock, units: [new ThProbe()] });
	let answers = 0;
	bus.transmit = () => answers++;
	const chance = seeded(7);
	for (let round = 0; round < 500; round++) {
		bus.receive(Uint8Array.from({ length: 1 + Math.floor(chance() * 300) }, () => Math.floor(chance() * 256)));
		clock.advance(50);
		answers = 0;
		bus.receive(bytes("01 04 00 01 00 01 60 0A"));
		clock.advance(50);
		assert.equal(answers, 1, `round ${round}`);
	}
	assert.ok(bus.seen.noise >= 490);
});
