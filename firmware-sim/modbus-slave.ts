// Modbus RTU, the slave's side.
// Sources: MODBUS Application Protocol Specification V1.1b3 ("AP"), MODBUS over Serial Line V1.02 ("SL"), both at https://modbus.org/specs.php
import type { SimClock } from "./clock.js";
import type { SerialDevice } from "./wire.js";

/** AP §7. */
export const ILLEGAL_FUNCTION = 1;
export const ILLEGAL_ADDRESS = 2;
export const ILLEGAL_VALUE = 3;
export type ExceptionCode = 1 | 2 | 3 | 4 | 6;

/** One cell of a table. A cell without `write` is read only, and one whose `write` gives a code refuses with it. */
export interface Cell<T> {
	read(): T;
	write?(value: T): ExceptionCode | undefined;
}

/** The register map, as data: PDU address (zero-based, AP §4.4) → cell. An address that is not in it is exception 2. */
export type Table<T> = ReadonlyMap<number, Cell<T>>;

/** One slave. A table that is missing makes its functions exception 1. */
export interface ModbusUnit {
	/** 1 to 247; read before each request, so it may change. */
	readonly address: number;
	readonly coils?: Table<boolean>;
	readonly discreteInputs?: Table<boolean>;
	readonly inputRegisters?: Table<number>;
	readonly holdingRegisters?: Table<number>;
	/** Functions that this device has at all; left out, all whose table is there. */
	readonly functions?: readonly number[];
	/** A manufacturer's own ways: the answer's PDU, or undefined to go the normal way. */
	special?(pdu: Uint8Array): Uint8Array | undefined;
	/** Answer reads to address 0, as boards do that must tell an unknown address. The standard says never (SL §2.1). */
	readonly answersBroadcastReads?: boolean;
	/** Dead: hears and says nothing. */
	readonly silent?: boolean;
}

/** A cell that simply keeps what is written. */
export function memory<T>(initial: T): Cell<T> {
	let value = initial;
	return {
		read: () => value,
		write(next) {
			value = next;
			return undefined;
		},
	};
}

/** SL §6.2.2: the CRC is sent low byte first. */
export function crc16(bytes: Uint8Array): number {
	let crc = 0xffff;
	for (const byte of bytes) {
		crc ^= byte;
		for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xa001 : crc >>> 1;
	}
	return crc;
}

/** address:1 PDU crc:2, SL §2.3. */
export function frameOf(address: number, pdu: Uint8Array): Uint8Array {
	const frame = new Uint8Array(pdu.length + 3);
	frame[0] = address;
	frame.set(pdu, 1);
	const crc = crc16(frame.subarray(0, -2));
	frame[frame.length - 2] = crc & 0xff;
	frame[frame.length - 1] = crc >>> 8;
	return frame;
}

/** SL §2.5.1: the longest RTU frame. */
const MAX_FRAME_BYTES = 256;

export interface ModbusBusOptions {
	readonly clock: SimClock;
	readonly units: readonly ModbusUnit[];
	/** From the end of the request to the begin of the answer, in ms. Default 5. */
	readonly turnaround?: number;
	/**
	 * The silence that ends a frame, in ms. The standard says 3.5 characters (SL §2.5.1.1), 4 ms at 9600 baud.
	 * Default 20: a USB adapter or a pty delivers in lumps.
	 */
	readonly gap?: number;
}

/** The slaves of one RS-485 line. Bytes in by `receive`, answers out by `transmit`. */
export class ModbusBus implements SerialDevice {
	transmit: (bytes: Uint8Array) => void = () => undefined;
	turnaround: number;
	/** What the bus has seen: whole requests to its units, frames to nobody here, and noise (bad CRC or a bad length). */
	readonly seen = { requests: 0, foreign: 0, noise: 0 };

	readonly #clock: SimClock;
	readonly #units: readonly ModbusUnit[];
	readonly #gap: number;
	#buffer = new Uint8Array(0);
	#overrun = false;
	#cancelGap: () => void = () => undefined;

	constructor({ clock, units, turnaround = 5, gap = 20 }: ModbusBusOptions) {
		this.#clock = clock;
		this.#units = units;
		this.turnaround = turnaround;
		this.#gap = gap;
	}

	/** The units by their present address; where two share one, the last wins here (and both answer on the line). */
	get units(): ReadonlyMap<number, ModbusUnit> {
		return new Map(this.#units.map((unit) => [unit.address, unit]));
	}

	receive(bytes: Uint8Array): void {
		this.#cancelGap();
		this.#cancelGap = this.#clock.after(this.#gap, () => this.#silence());
		if (this.#overrun) return;
		if (this.#buffer.length + bytes.length > MAX_FRAME_BYTES) {
			this.#overrun = true;
			return;
		}
		this.#buffer = Buffer.concat([this.#buffer, bytes]);
		// A request that is whole is answered without waiting for the silence after it.
		for (;;) {
			const length = requestLength(this.#buffer);
			if (length === undefined || this.#buffer.length < length || !hasGoodCrc(this.#buffer.subarray(0, length))) return;
			const frame = this.#buffer.subarray(0, length);
			this.#buffer = this.#buffer.slice(length);
			this.#handle(frame);
		}
	}

	/** The line fell silent: what is here is a whole frame or was none (SL §2.5.1.1). */
	#silence(): void {
		const frame = this.#buffer;
		const whole = !this.#overrun && frame.length >= 4 && requestLength(frame) === undefined && hasGoodCrc(frame);
		this.#buffer = new Uint8Array(0);
		if (whole) this.#handle(frame);
		else if (frame.length > 0 || this.#overrun) this.seen.noise++;
		this.#overrun = false;
	}

	#handle(frame: Uint8Array): void {
		const to = frame[0] ?? 0;
		const pdu = frame.slice(1, -2);
		const units = this.#units.filter((unit) => !unit.silent && (to === 0 || unit.address === to));
		if (units.length === 0) {
			this.seen.foreign++;
			return;
		}
		this.seen.requests++;
		for (const unit of units) {
			const address = unit.address; // before the request, which may change it
			const answer = unit.special?.(pdu) ?? answerTo(unit, pdu);
			if (to === 0 && !(unit.answersBroadcastReads && (pdu[0] ?? 0) <= 4)) continue; // SL §2.1: no answer to a broadcast
			this.#clock.after(this.turnaround, () => this.transmit(frameOf(address, answer)));
		}
	}
}

/** How long the request is that begins here: undefined when its function has no known length, or too little is here to say. */
function requestLength(bytes: Uint8Array): number | undefined {
	const code = bytes[1];
	if (code === undefined) return undefined;
	if (code >= 1 && code <= 6) return 8;
	if (code !== 15 && code !== 16) return undefined;
	return bytes[6] === undefined ? MAX_FRAME_BYTES : 9 + bytes[6];
}

function hasGoodCrc(frame: Uint8Array): boolean {
	return crc16(frame.subarray(0, -2)) === ((frame.at(-2) ?? 0) | ((frame.at(-1) ?? 0) << 8));
}

/** The answer's PDU to a request's PDU, by the state diagrams of AP §6. */
export function answerTo(unit: ModbusUnit, pdu: Uint8Array): Uint8Array {
	const code = pdu[0] ?? 0;
	const word = (at: number): number => ((pdu[at] ?? 0) << 8) | (pdu[at + 1] ?? 0);
	const refuse = (why: ExceptionCode): Uint8Array => Uint8Array.of(code | 0x80, why); // AP §7
	if (unit.functions !== undefined && !unit.functions.includes(code)) return refuse(ILLEGAL_FUNCTION);
	const [first, count] = [word(1), word(3)];

	switch (code) {
		case 1: // AP §6.1
		case 2: {
			// AP §6.2
			const table = code === 1 ? unit.coils : unit.discreteInputs;
			if (table === undefined) return refuse(ILLEGAL_FUNCTION);
			if (count < 1 || count > 2000) return refuse(ILLEGAL_VALUE);
			const cells = cellsOf(table, first, count);
			if (cells === undefined) return refuse(ILLEGAL_ADDRESS);
			const answer = new Uint8Array(2 + Math.ceil(count / 8));
			answer[0] = code;
			answer[1] = answer.length - 2;
			cells.forEach((cell, index) => {
				// The first coil is the lowest bit of the first byte.
				if (cell.read()) answer[2 + (index >> 3)] = (answer[2 + (index >> 3)] ?? 0) | (1 << (index & 7));
			});
			return answer;
		}
		case 3: // AP §6.3
		case 4: {
			// AP §6.4
			const table = code === 3 ? unit.holdingRegisters : unit.inputRegisters;
			if (table === undefined) return refuse(ILLEGAL_FUNCTION);
			if (count < 1 || count > 125) return refuse(ILLEGAL_VALUE);
			const cells = cellsOf(table, first, count);
			if (cells === undefined) return refuse(ILLEGAL_ADDRESS);
			const answer = new Uint8Array(2 + count * 2);
			answer[0] = code;
			answer[1] = count * 2;
			cells.forEach((cell, index) => answer.set(bigEndian(cell.read()), 2 + index * 2));
			return answer;
		}
		case 5: {
			// AP §6.5: FF00 is on, 0000 is off, nothing else is anything
			if (unit.coils === undefined) return refuse(ILLEGAL_FUNCTION);
			if (count !== 0xff00 && count !== 0) return refuse(ILLEGAL_VALUE);
			const why = writeAll(unit.coils, first, [count === 0xff00]);
			return why === undefined ? pdu : refuse(why);
		}
		case 6: {
			// AP §6.6
			if (unit.holdingRegisters === undefined) return refuse(ILLEGAL_FUNCTION);
			const why = writeAll(unit.holdingRegisters, first, [count]);
			return why === undefined ? pdu : refuse(why);
		}
		case 15: {
			// AP §6.11
			if (unit.coils === undefined) return refuse(ILLEGAL_FUNCTION);
			if (count < 1 || count > 1968 || pdu[5] !== Math.ceil(count / 8)) return refuse(ILLEGAL_VALUE);
			const values = Array.from({ length: count }, (_, index) => (((pdu[6 + (index >> 3)] ?? 0) >> (index & 7)) & 1) === 1);
			const why = writeAll(unit.coils, first, values);
			return why === undefined ? pdu.slice(0, 5) : refuse(why);
		}
		case 16: {
			// AP §6.12
			if (unit.holdingRegisters === undefined) return refuse(ILLEGAL_FUNCTION);
			if (count < 1 || count > 123 || pdu[5] !== count * 2) return refuse(ILLEGAL_VALUE);
			const values = Array.from({ length: count }, (_, index) => word(6 + index * 2));
			const why = writeAll(unit.holdingRegisters, first, values);
			return why === undefined ? pdu.slice(0, 5) : refuse(why);
		}
		case 23: {
			// AP §6.17: the write is done before the read
			const table = unit.holdingRegisters;
			if (table === undefined) return refuse(ILLEGAL_FUNCTION);
			const [to, amount] = [word(5), word(7)];
			if (count < 1 || count > 125 || amount < 1 || amount > 121 || pdu[9] !== amount * 2 || pdu.length !== 10 + amount * 2) return refuse(ILLEGAL_VALUE);
			if (cellsOf(table, first, count) === undefined) return refuse(ILLEGAL_ADDRESS);
			const why = writeAll(table, to, Array.from({ length: amount }, (_, index) => word(10 + index * 2)));
			if (why !== undefined) return refuse(why);
			const cells = cellsOf(table, first, count)!;
			return Uint8Array.from([code, count * 2, ...cells.flatMap((cell) => bigEndian(cell.read()))]);
		}
		default:
			return refuse(ILLEGAL_FUNCTION);
	}
}

/** A register's two bytes; a negative number goes as two's complement. */
function bigEndian(value: number): readonly [number, number] {
	return [(value >> 8) & 0xff, value & 0xff];
}

function cellsOf<T>(table: Table<T>, first: number, count: number): Cell<T>[] | undefined {
	const cells: Cell<T>[] = [];
	for (let address = first; address < first + count; address++) {
		const cell = table.get(address);
		if (cell === undefined) return undefined;
		cells.push(cell);
	}
	return cells;
}

function writeAll<T>(table: Table<T>, first: number, values: readonly T[]): ExceptionCode | undefined {
	const cells = cellsOf(table, first, values.length);
	if (cells === undefined || cells.some((cell) => cell.write === undefined)) return ILLEGAL_ADDRESS;
	for (const [index, value] of values.entries()) {
		const why = cells[index]?.write?.(value);
		if (why !== undefined) return why;
	}
	return undefined;
}
