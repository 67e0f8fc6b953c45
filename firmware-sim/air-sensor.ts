// An air sensor that speaks text lines, 115200 8N1: what a microcontroller board with four sensors and a print loop does.
// The protocol is its own, and all of it is here:
//
//     boot       AirSensor v1.3 (c) Example Instruments CR LF
//                sensors: SCD41 PMS5003 CR LF
//                ready CR LF
//     then       co2=612 pm2.5=4.1 temp=21.34 hum=45.2 interval=1 CR LF     every `interval` seconds: ppm, µg/m³, °C, %RH, s
//     command    INTERVAL 2 LF    → OK INTERVAL 2 CR LF                     1 to 60 s; CR before LF is welcome
//     otherwise                   → ERR CR LF
import type { SimClock } from "./clock.js";
import { seeded, wander } from "./random.js";
import type { SerialDevice } from "./wire.js";

export interface AirSensorOptions {
	readonly clock: SimClock;
	readonly seed?: number;
	/** Seconds between two lines. Default 1. */
	readonly interval?: number;
}

/** The board's receive buffer. A longer line is lost as a whole, and answered by one ERR. */
const MAX_COMMAND_BYTES = 64;
const [MIN_INTERVAL, MAX_INTERVAL] = [1, 60];
const LF = 0x0a;

/** The air sensor. It says nothing before `powerOn()`. */
export class AirSensor implements SerialDevice {
	transmit: (bytes: Uint8Array) => void = () => undefined;
	/** It says OK and goes on as before. */
	stuck = false;
	/** The air around it; a test may move it. */
	air = { co2: 612, pm25: 4.1, temperature: 21.34, humidity: 45.2 };

	readonly #clock: SimClock;
	readonly #chance: () => number;
	#interval: number;
	#command: number[] = [];
	#overlong = false;
	#cancel: (() => void) | undefined;

	constructor({ clock, seed = 1, interval = 1 }: AirSensorOptions) {
		this.#clock = clock;
		this.#chance = seeded(seed);
		this.#interval = interval;
	}

	/** What is true now: the air, and the interval in seconds. */
	get state(): { readonly co2: number; readonly pm25: number; readonly temperature: number; readonly humidity: number; readonly interval: number } {
		return { ...this.air, interval: this.#interval };
	}

	get powered(): boolean {
		return this.#cancel !== undefined;
	}

	/** Boot: the banner at once, the first line after one interval. Also what opening the port does to boards with a DTR reset. */
	powerOn(): void {
		this.powerOff();
		this.#say("AirSensor v1.3 (c) Example Instruments\r\nsensors: SCD41 PMS5003\r\nready");
		this.#schedule();
	}

	powerOff(): void {
		this.#cancel?.();
		this.#cancel = undefined;
		this.#command = [];
		this.#overlong = false;
	}

	receive(bytes: Uint8Array): void {
		if (!this.powered) return;
		for (const byte of bytes) {
			if (byte === LF) this.#execute();
			else if (this.#command.length < MAX_COMMAND_BYTES) this.#command.push(byte);
			else this.#overlong = true;
		}
	}

	#execute(): void {
		const line = this.#overlong ? "" : String.fromCharCode(...this.#command).replace(/\r$/, "");
		this.#command = [];
		this.#overlong = false;
		const [, digits] = /^INTERVAL ([0-9]{1,3})$/.exec(line) ?? [];
		const interval = Number(digits);
		if (digits === undefined || interval < MIN_INTERVAL || interval > MAX_INTERVAL) return this.#say("ERR");
		if (!this.stuck) {
			this.#interval = interval;
			this.#schedule();
		}
		this.#say(`OK INTERVAL ${interval}`);
	}

	#schedule(): void {
		this.#cancel?.();
		this.#cancel = this.#clock.after(this.#interval * 1000, () => {
			this.#schedule();
			this.#measure();
		});
	}

	#measure(): void {
		const air = this.air;
		air.co2 = wander(this.#chance, air.co2, 4, 400, 5000);
		air.pm25 = wander(this.#chance, air.pm25, 0.2, 0, 500);
		air.temperature = wander(this.#chance, air.temperature, 0.02, -10, 60);
		air.humidity = wander(this.#chance, air.humidity, 0.1, 0, 100);
		this.#say(
			`co2=${air.co2.toFixed(0)} pm2.5=${air.pm25.toFixed(1)} temp=${air.temperature.toFixed(2)} hum=${air.humidity.toFixed(1)} interval=${this.#interval}`,
		);
	}

	#say(text: string): void {
		this.transmit(Buffer.from(`${text}\r\n`, "latin1"));
	}
}
