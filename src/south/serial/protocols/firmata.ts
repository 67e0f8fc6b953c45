// Firmata: the pins of an Arduino from afar
// Source: https://github.com/firmata/protocol/blob/master/protocol.md
// Version: 2.7

import type { Millis } from "../../../core/clock.js";
import { GatewayError } from "../../../core/errors.js";
import type { Point } from "../../../core/point.js";
import { isNumeric, type Value } from "../../../core/value.js";
import { shifted } from "../../codec/places.js";
import type { Outgoing } from "../../link.js";
import { type Meaning, NOTHING } from "../../meaning.js";
import { DeviceBook, numeric, type Seen, text } from "../device-book.js";
import { type BinaryFrame, type Framer, hexOf, Noise } from "../framer.js";
import type { Cut, Question, SerialProtocol, Talk, TalkOptions } from "../protocol.js";

const [SYSEX, SYSEX_END, VERSION] = [0xf0, 0xf7, 0xf9];
const [ANALOG, DIGITAL, SET_MODE, SET_PIN] = [0xe0, 0x90, 0xf4, 0xf5];
const [FIRMWARE, CAPABILITIES, MAPPING, STRING, QUERY_CAPABILITIES, QUERY_MAPPING, EXTENDED_ANALOG] = [0x79, 0x6c, 0x6a, 0x71, 0x6b, 0x69, 0x6f];
const [MODE_OUTPUT, MODE_PWM, MODE_SERVO] = [1, 3, 4];
const IGNORED_MODE = 0x7f;
const NO_CHANNEL = 0x7f;
/** Capabilities of a board with 128 pins and six modes each have some 1 700 bytes. */
const MAX_MESSAGE_BYTES = 2_048;
/** Enabling the reports again makes a board tell all its pins: that is also how one that was reset is found. */
const REPORT_EVERY: Millis = 60_000;
const [PORTS, CHANNELS, MAX_PIN] = [16, 16, 127];

/** Cuts out messages: a command byte (80 and above) with its two data bytes, or F0 … F7. Data bytes are always below 80. */
export class FirmataFramer implements Framer<BinaryFrame> {
	readonly #bytes = new Uint8Array(MAX_MESSAGE_BYTES);
	#length = 0;
	readonly #noise = new Noise();

	push(chunk: Uint8Array): readonly BinaryFrame[] {
		const found: BinaryFrame[] = [];
		const [bytes, noise] = [this.#bytes, this.#noise];
		let length = this.#length;
		for (let at = 0; at < chunk.length;) {
			const byte = chunk[at]!;
			if (length > 0) {
				if (byte >= 0x80 && !(bytes[0] === SYSEX && byte === SYSEX_END)) {
					noise.add(bytes, 0, length, "a message that was cut short");
					length = 0;
				} else if (length === MAX_MESSAGE_BYTES) {
					noise.add(bytes, 0, length, `a message of more than ${MAX_MESSAGE_BYTES} bytes`);
					length = 0;
				}
			}
			if (length === 0 && BEGINS[byte] === 0) {
				let to = at + 1;
				while (to < chunk.length && BEGINS[chunk[to]!] === 0) to++;
				noise.run(chunk, at, to, "bytes that begin no message", found);
				at = to;
				continue;
			}
			bytes[length++] = byte;
			at++;
			if (bytes[0] === SYSEX ? byte === SYSEX_END : length === 3) {
				noise.tell(found);
				found.push({ kind: "frame", bytes: bytes.slice(0, length) });
				length = 0;
			} else if (noise.isFull) noise.tell(found);
		}
		this.#length = length;
		return found;
	}

	/** Nothing: a board may be slow. */
	idle(): readonly BinaryFrame[] {
		return [];
	}
}

/** What a board may send: analog, digital, version, sysex. */
const BEGINS = Uint8Array.from({ length: 256 }, (_, byte) => ((byte & 0xf0) === ANALOG || (byte & 0xf0) === DIGITAL || byte === VERSION || byte === SYSEX ? 1 : 0));

const reports: readonly number[] = [
	...Array.from({ length: PORTS }, (_, port) => [0xd0 | port, 1]).flat(),
	...Array.from({ length: CHANNELS }, (_, channel) => [0xc0 | channel, 1]).flat(),
];

class FirmataTalk implements Talk {
	readonly #options: TalkOptions;
	readonly #book = new DeviceBook();
	/** Modes of each pin, from the capability response. */
	readonly #modes = new Map<number, ReadonlySet<number>>();
	readonly #outputs = new Set<number>();
	readonly questions: readonly Question[] = [
		{ out: { kind: "frame", bytes: Uint8Array.of(VERSION, SYSEX, FIRMWARE, SYSEX_END, SYSEX, QUERY_CAPABILITIES, SYSEX_END, SYSEX, QUERY_MAPPING, SYSEX_END) } },
		{ out: { kind: "frame", bytes: Uint8Array.from(reports) }, every: REPORT_EVERY },
	];

	constructor(options: TalkOptions) {
		this.#options = options;
	}

	framer(): Framer {
		return new FirmataFramer();
	}

	decode(cut: Cut): Meaning {
		if (cut.kind !== "frame" || cut.bytes.length < 3) return NOTHING;
		const { bytes } = cut;
		const [first, a, b] = bytes as unknown as [number, number, number];
		if (first === VERSION) return this.#hear([{ point: "protocol_version", as: text("identity"), value: `${a}.${b}` }]);
		if (first === SYSEX) return this.#sysex(bytes.subarray(1, -1));
		if ((first & 0xf0) === ANALOG) return this.#hear([{ point: `A${first & 0x0f}`, as: numeric(), value: shifted(a | (b << 7)) }]);
		const mask = a | (b << 7);
		// A report has a whole port: which of its pins are inputs, the capabilities tell; without them all eight.
		const port = first & 0x0f;
		const pins = Array.from({ length: 8 }, (_, bit) => 8 * port + bit).filter((pin) => this.#modes.size === 0 || (this.#modes.get(pin)?.size ?? 0) > 0);
		return this.#hear(pins.map((pin): Seen => ({ point: `D${pin}`, as: this.#pin(pin), value: ((mask >>> (pin & 7)) & 1) === 1 })));
	}

	encode(address: string, name: string, value: Value): readonly Outgoing[] {
		if (address !== this.#options.address) throw new GatewayError("unknown-device", `Cannot set "${name}": there is no device "${address}" on this link`);
		const match = /^(D|PWM|SERVO)(\d{1,3})$/i.exec(name);
		const pin = Number(match?.[2]);
		if (!match || pin > MAX_PIN) throw new GatewayError("unknown-point", `Cannot set "${name}": what can be set is called D13, PWM3 or SERVO9`);
		const bad = (wants: string): GatewayError => new GatewayError("bad-value", `Cannot use "${isNumeric(value) ? value.text : String(value)}" for "${name}": it takes ${wants}`);
		if (match[1]!.toUpperCase() === "D") {
			if (typeof value !== "boolean") throw bad("on or off");
			this.#outputs.add(pin);
			// The port is not reported for a pin that is an output: asked for its state, the board tells.
			return [{ kind: "frame", bytes: Uint8Array.of(SET_MODE, pin, MODE_OUTPUT, SET_PIN, pin, value ? 1 : 0, SYSEX, 0x6d, pin, SYSEX_END) }];
		}
		if (!isNumeric(value) || !Number.isInteger(value.number) || value.number < 0 || value.number > 0x3fff) throw bad("a whole number of 0 to 16383");
		const mode = match[1]!.toUpperCase() === "PWM" ? MODE_PWM : MODE_SERVO;
		const [low, high] = [value.number & 0x7f, value.number >>> 7];
		return [{ kind: "frame", bytes: Uint8Array.of(SET_MODE, pin, mode, SYSEX, EXTENDED_ANALOG, pin, low, high, SYSEX_END, SYSEX, 0x6d, pin, SYSEX_END) }];
	}

	#sysex(data: Uint8Array): Meaning {
		switch (data[0]) {
			case FIRMWARE: {
				if (data.length < 3) return NOTHING;
				const name = characters(data.subarray(3)).replace(/\.(ino|pde|cpp)$/i, "");
				const version = `${data[1]}.${data[2]}`;
				const isName = /^[\u0020-\u007e]{1,64}$/.test(name);
				return this.#book.hear({ ...this.#facts(), firmware: isName ? `${name} ${version}` : version }, [
					...(isName ? [{ point: "firmware", as: text("identity"), value: name }] : []), { point: "firmware_version", as: text("identity"), value: version },
				]);
			}
			case CAPABILITIES: return this.#capabilities(data.subarray(1));
			case MAPPING: {
				const channels = [...data.subarray(1)].filter((channel) => channel !== NO_CHANNEL);
				return this.#hear(channels.filter((channel) => channel < CHANNELS).map((channel): Seen => ({ point: `A${channel}`, as: numeric(), value: undefined })));
			}
			// pin, mode, state in seven-bit bytes
			case 0x6e: {
				const [pin, mode] = [data[1], data[2]];
				if (pin === undefined || mode === undefined || data.length < 4) return NOTHING;
				const state = data.subarray(3, 6).reduce((all, byte, at) => all | (byte << (7 * at)), 0);
				if (mode === MODE_OUTPUT) return this.#hear([{ point: `D${pin}`, as: this.#pin(pin), value: state !== 0 }]);
				if (mode === MODE_PWM || mode === MODE_SERVO) return this.#hear([{ point: `${mode === MODE_PWM ? "PWM" : "SERVO"}${pin}`, as: this.#analogOut(mode), value: shifted(state) }]);
				return NOTHING;
			}
			case STRING: return { misfits: [{ where: this.#options.address, reason: "the board says", sample: characters(data.subarray(1)).slice(0, 120) }] };
			default: return NOTHING;
		}
	}

	/** For each pin pairs of mode and resolution, then 7F. */
	#capabilities(data: Uint8Array): Meaning {
		let modes = new Set<number>();
		let pin = 0;
		const found: Seen[] = [];
		for (let at = 0; at < data.length && pin <= MAX_PIN;) {
			const mode = data[at]!;
			if (mode === IGNORED_MODE) {
				this.#modes.set(pin, modes);
				if (modes.has(MODE_OUTPUT)) found.push({ point: `D${pin}`, as: this.#pin(pin), value: undefined });
				if (modes.has(MODE_PWM)) found.push({ point: `PWM${pin}`, as: this.#analogOut(MODE_PWM), value: undefined });
				modes = new Set();
				pin++;
				at++;
			} else {
				modes.add(mode);
				at += 2;
			}
		}
		return this.#hear(found);
	}

	#pin(pin: number): Point {
		const modes = this.#modes.get(pin);
		return { kind: "boolean", access: modes?.has(MODE_OUTPUT) || this.#outputs.has(pin) ? "rw" : "r" };
	}

	#analogOut(mode: number): Point {
		return { kind: "numeric", access: "rw", category: "status", integer: true, min: 0, max: mode === MODE_PWM ? 255 : 180, step: 1 };
	}

	#facts(): { readonly address: string; readonly type: string; readonly every?: Millis } {
		const { address, every } = this.#options;
		return { address, type: "sensor", ...(every !== undefined && { every }) };
	}

	#hear(seen: readonly Seen[]): Meaning {
		return this.#book.hear(this.#facts(), seen);
	}
}

/** Characters of two seven-bit bytes each. */
function characters(data: Uint8Array): string {
	let all = "";
	for (let at = 0; at + 1 < data.length; at += 2) all += String.fromCharCode(data[at]! | (data[at + 1]! << 7));
	return all;
}

export const FIRMATA: SerialProtocol = {
	name: "firmata",
	title: "Arduino with Firmata",
	longest: MAX_MESSAGE_BYTES,
	modes: [{ baud: 57_600 }],
	claims: (cut) => cut.kind === "frame" && cut.bytes[0] === SYSEX && cut.bytes[1] === FIRMWARE && hexOf(cut.bytes).endsWith("F7"),
	talk: (options) => new FirmataTalk(options),
};
