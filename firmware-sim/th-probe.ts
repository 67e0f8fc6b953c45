// XY-MD02, a temperature and humidity probe (SHT20) with RS-485.
// Sources: the seller's manual "XY-MD02" (§ Modbus protocol), as reprinted at https://domoticx.com/modbus-temp-hum-sensor-xy-md02/;
// frames measured on a real probe: https://github.com/e-tinkers/Modbus-RTU, examples/SHT20/README.md.
// The check bytes that the manual prints for the humidity frames are wrong; the measured ones are right.
import type { SimClock } from "./clock.js";
import { ILLEGAL_VALUE, type Cell, type ModbusUnit } from "./modbus-slave.js";

export interface ThProbeOptions {
	/** 1 (as sold) to 247. */
	readonly address?: number;
	/** °C in the air. Default 21.5. */
	readonly temperature?: number;
	/** %RH in the air. Default 45.2. */
	readonly humidity?: number;
	/** With a clock the air warms and cools by `swing` °C around `temperature` (and %RH the other way) in `period` ms. */
	readonly clock?: SimClock;
	readonly swing?: number;
	readonly period?: number;
}

/** The rates that the manual lists; the register holds the number itself. */
const BAUD_RATES: readonly number[] = [9600, 14400, 19200];
/** Manual: "-10.0~10.0", in tenths. */
const MAX_CORRECTION = 100;

/**
 * The probe.
 *
 *     input   0x0001  temperature, 0.1 °C, signed     0x0002  humidity, 0.1 %RH
 *     holding 0x0101  address 1–247                   0x0102  baud rate: 9600, 14400, 19200
 *             0x0103  temperature correction, 0.1 °C  0x0104  humidity correction, 0.1 %RH, both −10.0 to 10.0
 *
 * Functions 3, 4, 6 and 16. A new address or rate is used after the next `powerCycle()`.
 */
export class ThProbe implements ModbusUnit {
	readonly functions = [3, 4, 6, 16];
	/** The air around the probe; a test may move it. */
	air: { temperature: number; humidity: number };
	silent = false;
	readonly inputRegisters: ReadonlyMap<number, Cell<number>>;
	readonly holdingRegisters: ReadonlyMap<number, Cell<number>>;

	readonly #options: ThProbeOptions;
	readonly #settings: { address: number; baud: number; temperature: number; humidity: number };
	#address: number;

	constructor(options: ThProbeOptions = {}) {
		this.#options = options;
		this.#address = options.address ?? 1;
		this.#settings = { address: this.#address, baud: 9600, temperature: 0, humidity: 0 };
		this.air = { temperature: options.temperature ?? 21.5, humidity: options.humidity ?? 45.2 };
		this.inputRegisters = new Map([
			[0x0001, { read: () => this.#tenths(this.state.temperature) + this.#settings.temperature }],
			[0x0002, { read: () => Math.min(1000, Math.max(0, this.#tenths(this.state.humidity) + this.#settings.humidity)) }],
		]);
		this.holdingRegisters = new Map([
			[0x0101, this.#setting("address", (value) => value >= 1 && value <= 247)],
			[0x0102, this.#setting("baud", (value) => BAUD_RATES.includes(value))],
			[0x0103, this.#setting("temperature", (value) => Math.abs(value) <= MAX_CORRECTION, true)],
			[0x0104, this.#setting("humidity", (value) => Math.abs(value) <= MAX_CORRECTION, true)],
		]);
	}

	get address(): number {
		return this.#address;
	}

	/** What is true around the probe now: °C and %RH, before any correction. */
	get state(): { readonly temperature: number; readonly humidity: number } {
		const { clock, swing = 0, period = 600_000 } = this.#options;
		const wave = clock === undefined ? 0 : swing * Math.sin((2 * Math.PI * clock.now()) / period);
		return { temperature: this.air.temperature + wave, humidity: this.air.humidity - 2 * wave };
	}

	/** Off and on again: now the address in the register counts. */
	powerCycle(): void {
		this.#address = this.#settings.address;
	}

	#tenths(value: number): number {
		return Math.round(value * 10);
	}

	#setting(name: "address" | "baud" | "temperature" | "humidity", fits: (value: number) => boolean, signed = false): Cell<number> {
		return {
			read: () => this.#settings[name],
			write: (raw) => {
				const value = signed ? (raw << 16) >> 16 : raw;
				if (!fits(value)) return ILLEGAL_VALUE;
				this.#settings[name] = value;
				return undefined;
			},
		};
	}
}
