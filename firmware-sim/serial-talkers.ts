// Serial devices that only talk: one entry each, written from the documents named beside it. Values wander with the seed.
//
//     nmea       NMEA 0183 receiver and depth sounder: gpsd "NMEA Revealed"
//     dsmr       DSMR 5 meter with a gas meter: P1 Companion Standard 5.0.2
//     vedirect   Victron MPPT charger, a HEX frame in between: VE.Direct Protocol 3.33
//     sds011     Nova SDS011: data sheet V1.3
//     plantower  PMS5003: data manual V2.3
//     rflink     a thermometer and a wall switch behind an RFLink gateway: Protocol Reference R46
//     jeelink    two LaCrosse thermometers: LaCrosseITPlusReader 10.1s
//     cul        an S300TH and an FS20 remote: culfw command reference
//     kiss       an APRS weather station behind a TNC: KISS, AX.25 2.2, APRS101
//     lines      a board that prints name: value unit
import type { SimClock } from "./clock.js";
import { every } from "./clock.js";
import { seeded, wander } from "./random.js";
import type { SerialDevice } from "./wire.js";

/** What a talker says at its n-th turn; `state` is its physical truth, which wanders. */
interface Talker {
	readonly baud: number;
	/** Milliseconds between two turns. */
	readonly period: number;
	readonly state: Readonly<Record<string, number>>;
	/** How far each value may wander in a turn. */
	readonly steps: Readonly<Record<string, number>>;
	say(state: Readonly<Record<string, number>>, turn: number): readonly number[];
}

const ascii = (text: string): number[] => [...text].map((char) => char.charCodeAt(0));
const sum = (bytes: readonly number[]): number => bytes.reduce((all, byte) => all + byte, 0);
const pad = (number: number, width: number): string => String(Math.round(number)).padStart(width, "0");
const hex = (number: number, width: number): string => Math.round(number).toString(16).toUpperCase().padStart(width, "0");
const fixed = (number: number, decimals: number, width = 0): string => number.toFixed(decimals).padStart(width, "0");

function nmeaSentence(body: string): string {
	let check = 0;
	for (const char of body) check ^= char.charCodeAt(0);
	return `$${body}*${hex(check, 2)}\r\n`;
}

/** ddmm.mmmm and its letter. */
function minutes(degrees: number, width: number, letters: string): string {
	const whole = Math.floor(Math.abs(degrees));
	return `${pad(whole, width)}${fixed((Math.abs(degrees) - whole) * 60, 4, 7)},${degrees < 0 ? letters[1]! : letters[0]!}`;
}

/** CRC-16/ARC, bit by bit as the P1 standard shows it. */
function crcArc(bytes: readonly number[]): number {
	let crc = 0;
	for (const byte of bytes) {
		crc ^= byte;
		for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >> 1) ^ 0xa001 : crc >> 1;
	}
	return crc;
}

/** An AX.25 address: letters shifted by one, then the SSID; the last one of all has its lowest bit set. */
function ax25(call: string, ssid: number, last: boolean): number[] {
	return [...ascii(call.padEnd(6)).map((byte) => byte << 1), 0x60 | (ssid << 1) | (last ? 1 : 0)];
}

const TALKERS = {
	nmea: {
		baud: 4_800, period: 1_000, state: { latitude: 54.3, longitude: -10.1, speed: 5.2, course: 120, depth: 14.2, water: 11.4 }, steps: { latitude: 1e-4, longitude: 1e-4, speed: 0.2, course: 2, depth: 0.3, water: 0.1 },
		say: ({ latitude = 0, longitude = 0, speed = 0, course = 0, depth = 0, water = 0 }, turn) => {
			const clock = `${pad(Math.floor(turn / 3_600) % 24, 2)}${pad(Math.floor(turn / 60) % 60, 2)}${pad(turn % 60, 2)}.00`;
			const place = `${minutes(latitude, 2, "NS")},${minutes(longitude, 3, "EW")}`;
			return ascii([
				`GPGGA,${clock},${place},1,08,1.1,2.0,M,45.5,M,,`, `GPRMC,${clock},A,${place},${fixed(speed, 2)},${fixed(course, 1)},010126,,,A`, "GPGSV,1,1,02,05,45,120,38,12,20,300,31",
				`SDDBT,${fixed(depth * 3.2808, 1)},f,${fixed(depth, 1)},M,${fixed(depth * 0.5468, 1)},F`, `YXMTW,${fixed(water, 1)},C`,
			].map(nmeaSentence).join(""));
		},
	},
	dsmr: {
		baud: 115_200, period: 1_000, state: { power: 0.42, energy: 1_234.567, gas: 87.123, voltage: 230.4 }, steps: { power: 0.05, energy: 0, gas: 0, voltage: 0.5 },
		say: ({ power = 0, energy = 0, gas = 0, voltage = 0 }, turn) => {
			const body = ascii(["/SIM5-METER", "", "1-3:0.2.8(50)", "0-0:1.0.0(260101120000W)", "0-0:96.1.1(53494D30303031)", `1-0:1.8.1(${fixed(energy + turn / 3_600, 3, 10)}*kWh)`, "1-0:2.8.1(000000.000*kWh)", "0-0:96.14.0(0001)",
				`1-0:1.7.0(${fixed(power, 3, 6)}*kW)`, "1-0:2.7.0(00.000*kW)", `1-0:32.7.0(${fixed(voltage, 1)}*V)`, "0-1:24.1.0(003)", "0-1:96.1.0(47415330303037)", `0-1:24.2.1(260101120000W)(${fixed(gas, 3, 9)}*m3)`, "!"].join("\r\n"));
			return [...body, ...ascii(`${hex(crcArc(body), 4)}\r\n`)];
		},
	},
	vedirect: {
		baud: 19_200, period: 1_000, state: { battery: 12.84, current: 1.2, panel: 33.4 }, steps: { battery: 0.02, current: 0.1, panel: 0.3 },
		say: ({ battery = 0, current = 0, panel = 0 }, turn) => {
			const block = ascii(["", "PID\t0xA042", "FW\t159", "SER#\tSIM0001", `V\t${pad(battery * 1_000, 1)}`, `I\t${pad(current * 1_000, 1)}`, `VPV\t${pad(panel * 1_000, 1)}`, `PPV\t${pad(battery * current, 1)}`, "CS\t3", "ERR\t0", "LOAD\tON", "H19\t8272", "Checksum\t"].join("\r\n"));
			return [...(turn % 5 === 4 ? ascii(":A0002000148\n") : []), ...block, (256 - (sum(block) % 256)) % 256];
		},
	},
	sds011: {
		baud: 9_600, period: 1_000, state: { pm25: 7.4, pm10: 12.1 }, steps: { pm25: 0.6, pm10: 0.9 },
		say: ({ pm25 = 0, pm10 = 0 }) => {
			const [a, b] = [Math.round(pm25 * 10), Math.round(pm10 * 10)];
			const data = [a & 255, a >> 8, b & 255, b >> 8, 0xa1, 0x60];
			return [0xaa, 0xc0, ...data, sum(data) & 255, 0xab];
		},
	},
	plantower: {
		baud: 9_600, period: 1_000, state: { pm1: 3, pm25: 6, pm10: 8 }, steps: { pm1: 1, pm25: 1, pm10: 1 },
		say: ({ pm1 = 0, pm25 = 0, pm10 = 0 }) => {
			const words = [28, pm1, pm25, pm10, pm1, pm25, pm10, 600, 170, 30, 4, 1, 0, 0x9700].map(Math.round);
			const bytes = [0x42, 0x4d, ...words.flatMap((word) => [word >> 8, word & 255])];
			return [...bytes, sum(bytes) >> 8, sum(bytes) & 255];
		},
	},
	rflink: {
		baud: 57_600, period: 5_000, state: { temperature: -1.3, humidity: 62 }, steps: { temperature: 0.2, humidity: 1 },
		say: ({ temperature = 0, humidity = 0 }, turn) => {
			const tenths = Math.round(Math.abs(temperature) * 10) | (temperature < 0 ? 0x8000 : 0);
			const counter = hex((turn + 1) & 255, 2);
			const first = turn === 0 ? "20;00;Nodo RadioFrequencyLink - RFLink Gateway V1.1 - R48;\r\n" : "";
			return ascii(`${first}20;${counter};SimTemp V1;ID=0042;TEMP=${hex(tenths, 4).toLowerCase()};HUM=${pad(humidity, 2)};BAT=OK;\r\n20;${counter};Kaku;ID=41;SWITCH=3;CMD=${turn % 2 === 0 ? "ON" : "OFF"};\r\n`);
		},
	},
	jeelink: {
		baud: 57_600, period: 4_000, state: { temperature: 21.3, humidity: 44, outside: -4.2 }, steps: { temperature: 0.2, humidity: 1, outside: 0.2 },
		say: ({ temperature = 0, humidity = 0, outside = 0 }, turn) => {
			const line = (id: number, celsius: number, moist: number): string => {
				const raw = Math.round(celsius * 10) + 1_000;
				return `OK 9 ${id} 1 ${raw >> 8} ${raw & 255} ${moist}\r\n`;
			};
			return ascii(`${turn === 0 ? "\r\n[LaCrosseITPlusReader.10.1s (RFM12B f:0 r:17241)]\r\n" : ""}${line(21, temperature, Math.round(humidity))}${line(48, outside, 106)}`);
		},
	},
	cul: {
		baud: 38_400, period: 4_000, state: { temperature: -6.2, humidity: 45.1 }, steps: { temperature: 0.2, humidity: 1 },
		say: ({ temperature = 0, humidity = 0 }, turn) => {
			const t = pad(Math.abs(temperature) * 10, 3);
			const h = pad(humidity * 10, 3);
			const first = 2 | (temperature < 0 ? 8 : 0);
			return ascii(`K${hex(first, 1)}1${t[1]!}${t[2]!}${h[2]!}${t[0]!}${h[0]!}${h[1]!}2E\r\nF1A2B03${turn % 2 === 0 ? "11" : "00"}F0\r\n`);
		},
	},
	kiss: {
		baud: 9_600, period: 10_000, state: { fahrenheit: 68, humidity: 52 }, steps: { fahrenheit: 1, humidity: 1 },
		say: ({ fahrenheit = 0, humidity = 0 }) => {
			const info = `!5420.50N/01007.25E_220/004g005t${pad(fahrenheit, 3)}r000p000P000h${pad(humidity, 2)}b10132`;
			const frame = [0, ...ax25("APRS", 0, false), ...ax25("N0SIM", 13, true), 0x03, 0xf0, ...ascii(info)];
			return [0xc0, ...frame.flatMap((byte) => (byte === 0xc0 ? [0xdb, 0xdc] : byte === 0xdb ? [0xdb, 0xdd] : [byte])), 0xc0];
		},
	},
	lines: {
		baud: 115_200, period: 2_000, state: { soil: 41, air: 19.4 }, steps: { soil: 1, air: 0.2 },
		say: ({ soil = 0, air = 0 }, turn) => ascii(`${turn === 0 ? "Garden board 2.0\r\n" : ""}Soil moisture: ${pad(soil, 1)} %, Air temp: ${fixed(air, 1)} C\r\n`),
	},
} as const satisfies Readonly<Record<string, Talker>>;

export type TalkerName = keyof typeof TALKERS;
export const TALKER_NAMES = Object.keys(TALKERS) as readonly TalkerName[];

/** A serial device that talks and hears nothing. It says nothing before `powerOn()`. */
export class SerialTalker implements SerialDevice {
	transmit: (bytes: Uint8Array) => void = () => undefined;
	/** It says nothing and lives on. */
	silent = false;
	readonly baud: number;
	/** What is true now; a test may move it. */
	state: Record<string, number>;
	readonly #talker: Talker;
	readonly #clock: SimClock;
	readonly #chance: () => number;
	#turn = 0;
	#cancel: (() => void) | undefined;

	constructor(name: TalkerName, { clock, seed = 1 }: { readonly clock: SimClock; readonly seed?: number }) {
		this.#talker = TALKERS[name];
		this.#clock = clock;
		this.#chance = seeded(seed);
		this.baud = this.#talker.baud;
		this.state = { ...this.#talker.state };
	}

	/** The next message, as its bytes. */
	next(): Uint8Array {
		const bytes = Uint8Array.from(this.#talker.say(this.state, this.#turn++));
		for (const [key, step] of Object.entries(this.#talker.steps)) {
			const begin = this.#talker.state[key] ?? 0;
			this.state[key] = wander(this.#chance, this.state[key] ?? begin, step, begin - 3 * step, begin + 3 * step);
		}
		return bytes;
	}

	powerOn(): void {
		this.powerOff();
		this.#cancel = every(this.#clock, this.#talker.period, () => {
			const bytes = this.next();
			if (!this.silent) this.transmit(bytes);
		});
	}

	powerOff(): void {
		this.#cancel?.();
		this.#cancel = undefined;
	}

	receive(): void {}
}
