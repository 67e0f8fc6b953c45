// Serial devices that answer and obey, with a state of their own.
//
//     mhz19       MH-Z19B: speaks when asked; data sheet V1.6
//     mysensors   a gateway with a node that has a thermometer and a relay: Serial Protocol 2.x
//     firmata     an Arduino with StandardFirmata, four pins and two analog channels: firmata/protocol 2.x
//     at-modem    a SIM7000: SIMCom AT Command Manual
import { type SimClock, Timers } from "./clock.js";
import type { SerialDevice } from "./wire.js";

/** The receive buffer of a small board. */
const MAX_LINE = 128;
const ascii = (text: string): Uint8Array => Uint8Array.from(text, (char) => char.charCodeAt(0));

/** CO₂ sensor: nine bytes in, nine bytes out. */
export class Mhz19 implements SerialDevice {
	transmit: (bytes: Uint8Array) => void = () => undefined;
	silent = false;
	state = { co2: 636, temperature: 26 };
	#request: number[] = [];

	receive(bytes: Uint8Array): void {
		for (const byte of bytes) {
			if (this.#request.length === 0 && byte !== 0xff) continue;
			this.#request.push(byte);
			if (this.#request.length === 9) this.#answer(this.#request.splice(0));
		}
	}

	#answer(request: readonly number[]): void {
		const check = (body: readonly number[]): number => (256 - (body.slice(1).reduce((all, byte) => all + byte, 0) % 256)) % 256;
		if (request[8] !== check(request.slice(0, 8)) || request[1] !== 1 || request[2] !== 0x86 || this.silent) return;
		const { co2, temperature } = this.state;
		const body = [0xff, 0x86, co2 >> 8, co2 & 255, temperature + 40, 0, 0, 0];
		this.transmit(Uint8Array.from([...body, check(body)]));
	}
}

/** Cuts lines for a device; what is too long is lost. */
abstract class LineDevice implements SerialDevice {
	transmit: (bytes: Uint8Array) => void = () => undefined;
	#line = "";

	receive(bytes: Uint8Array): void {
		for (const byte of bytes) {
			if (byte === 0x0a || byte === 0x0d) {
				const line = this.#line;
				this.#line = "";
				if (line !== "") this.heard(line);
			} else if (this.#line.length < MAX_LINE) this.#line += String.fromCharCode(byte);
		}
	}

	protected abstract heard(line: string): void;

	protected say(...lines: readonly string[]): void {
		this.transmit(ascii(lines.map((line) => `${line}\r\n`).join("")));
	}
}

/** MySensors gateway with node 7: child 0 a thermometer, child 1 a relay that reports what it was set to when it is asked for an acknowledgement. */
export class MySensorsGateway extends LineDevice {
	state = { temperature: 21.4, relay: false, battery: 83 };
	/** The relay says it has switched, and has not. */
	stuck = false;
	readonly #clock: SimClock;
	readonly #timers = new Timers();

	constructor({ clock }: { readonly clock: SimClock }) {
		super();
		this.#clock = clock;
	}

	powerOn(): void {
		this.powerOff();
		this.say("0;255;3;0;14;Gateway startup complete.");
		this.#present();
		this.#timers.every(this.#clock, 5_000, () => this.say(`7;0;1;0;0;${this.state.temperature.toFixed(1)}`));
		this.#timers.every(this.#clock, 60_000, () => this.say(`7;255;3;0;0;${this.state.battery}`));
	}

	powerOff(): void {
		this.#timers.stop();
	}

	protected heard(line: string): void {
		const [node, child, command, ack, type, ...rest] = line.split(";");
		if (node === "0" && command === "3" && type === "2") return this.say("0;255;3;0;2;2.3.2");
		if (command === "3" && type === "19") return this.#present();
		if (node !== "7" || child !== "1" || command !== "1" || type !== "2") return;
		if (!this.stuck) this.state.relay = rest.join(";") === "1";
		if (ack === "1") this.say(`7;1;1;1;2;${this.state.relay ? 1 : 0}`);
	}

	#present(): void {
		this.say("7;255;0;0;17;2.3.2", "7;255;3;0;11;Shed", "7;255;3;0;12;1.4", "7;0;0;0;6;Air", "7;1;0;0;3;Lamp", `7;1;1;0;2;${this.state.relay ? 1 : 0}`);
	}
}

/** SIM7000: answers what it is asked, echoes, and says OK or ERROR. */
export class AtModem extends LineDevice {
	state = { csq: 18, percent: 87, millivolt: 4_102, latitude: 54.3201, longitude: 10.1334 };

	protected heard(line: string): void {
		const { csq, percent, millivolt, latitude, longitude } = this.state;
		const answers: Readonly<Record<string, string>> = {
			"AT": "", "AT+CGMM": "SIMCOM_SIM7000E", "AT+CSQ": `+CSQ: ${csq},0`, "AT+CREG?": "+CREG: 0,1", "AT+CBC": `+CBC: 0,${percent},${millivolt}`,
			"AT+CGNSINF": `+CGNSINF: 1,1,20260101120000.000,${latitude.toFixed(6)},${longitude.toFixed(6)},12.300,0.00,90.0,1,,1.1,1.4,0.9,,12,7,,,42,,`,
		};
		const answer = answers[line];
		this.say(line, ...(answer === undefined ? ["ERROR"] : answer === "" ? ["OK"] : [answer, "OK"]));
	}
}

const [SYSEX, SYSEX_END] = [0xf0, 0xf7];

/** StandardFirmata with pins 0 to 7 (3 and 5 also PWM) and analog channels 0 and 1. Reads of pin 2 follow `button`. */
export class FirmataBoard implements SerialDevice {
	transmit: (bytes: Uint8Array) => void = () => undefined;
	state: { readonly outputs: Record<number, number>; button: boolean; analog: [number, number] } = { outputs: {}, button: false, analog: [511, 87] };
	readonly #modes = new Map<number, number>();
	readonly #reported = { ports: new Set<number>(), channels: new Set<number>() };
	#message: number[] = [];

	receive(bytes: Uint8Array): void {
		for (const byte of bytes) {
			if (byte >= 0x80 && !(this.#message[0] === SYSEX && byte === SYSEX_END)) this.#message = [];
			this.#message.push(byte);
			const [first = 0] = this.#message;
			const length = first === SYSEX ? 0 : (first & 0xf0) === 0xc0 || (first & 0xf0) === 0xd0 ? 2 : first === 0xf9 ? 1 : 3;
			if (first < 0x80) this.#message = [];
			else if (first === SYSEX ? byte === SYSEX_END : this.#message.length === length) this.#obey(this.#message.splice(0));
		}
	}

	/** Tell what changed: what a board does in its loop. */
	report(): void {
		for (const port of this.#reported.ports) this.#sayPort(port);
		for (const channel of this.#reported.channels) this.#sayChannel(channel);
	}

	#say(...bytes: readonly number[]): void {
		this.transmit(Uint8Array.from(bytes));
	}

	#obey(message: readonly number[]): void {
		const [first = 0, a = 0, b = 0] = message;
		if (first === 0xf9) return this.#say(0xf9, 2, 5);
		if ((first & 0xf0) === 0xd0) {
			this.#reported.ports[a ? "add" : "delete"](first & 15);
			return a ? this.#sayPort(first & 15) : undefined;
		}
		if ((first & 0xf0) === 0xc0) {
			this.#reported.channels[a ? "add" : "delete"](first & 15);
			return a ? this.#sayChannel(first & 15) : undefined;
		}
		if (first === 0xf4) return void (a < 8 && this.#modes.set(a, b));
		if (first === 0xf5) return void (this.#modes.get(a) === 1 && (this.state.outputs[a] = b ? 1 : 0));
		if (first !== SYSEX) return;
		switch (a) {
			case 0x79: return this.#say(SYSEX, 0x79, 2, 5, ...[..."SimFirmata"].flatMap((char) => [char.charCodeAt(0) & 127, 0]), SYSEX_END);
			case 0x6b: return this.#say(SYSEX, 0x6c, ...Array.from({ length: 8 }, (_, pin) => (pin < 2 ? [127] : [0, 1, 1, 1, ...(pin === 3 || pin === 5 ? [3, 8] : []), 127])).flat(), SYSEX_END);
			case 0x69: return this.#say(SYSEX, 0x6a, 127, 127, 127, 127, 127, 127, 0, 1, SYSEX_END);
			case 0x6f: return void (this.state.outputs[b] = (message[3] ?? 0) | ((message[4] ?? 0) << 7));
			case 0x6d: {
				const value = this.state.outputs[b] ?? 0;
				return this.#say(SYSEX, 0x6e, b, this.#modes.get(b) ?? 0, value & 127, value >> 7, SYSEX_END);
			}
			default: return;
		}
	}

	#sayPort(port: number): void {
		if (port !== 0) return;
		let mask = this.state.button ? 4 : 0;
		for (let pin = 0; pin < 8; pin++) if (this.#modes.get(pin) === 1 && this.state.outputs[pin]) mask |= 1 << pin;
		this.#say(0x90, mask & 127, mask >> 7);
	}

	#sayChannel(channel: number): void {
		const value = this.state.analog[channel];
		if (value !== undefined) this.#say(0xe0 | channel, value & 127, value >> 7);
	}
}
