// VE.Direct text protocol: battery monitors, solar chargers, inverters of Victron Energy
// Source: Victron Energy, "VE.Direct Protocol", https://www.victronenergy.com/upload/documents/VE.Direct-Protocol-3.33.pdf
// Version: 3.33

import type { Category } from "../../../core/point.js";
import type { Unit } from "../../../core/unit.js";
import { shifted } from "../../codec/places.js";
import { type Meaning, NOTHING } from "../../meaning.js";
import { DeviceBook, numeric, type Seen, text, truth } from "../device-book.js";
import { type BinaryFrame, type Framer, sampleOf } from "../framer.js";
import type { Cut, SerialProtocol, Talk, TalkOptions } from "../protocol.js";

/** A block has at most 22 fields of 9 + 33 characters ("Message format"): some 950 bytes. */
const MAX_BLOCK_BYTES = 1_024;
const [TAB, LF, CR, COLON] = [0x09, 0x0a, 0x0d, 0x3a];
const LAST_LABEL = "Checksum";

/**
 * Cuts out blocks: CR LF label TAB value … CR LF Checksum TAB byte, the sum of all of them 0 modulo 256.
 *
 * The byte may be any, a line end too. HEX frames (`:` … LF) come between and inside, and are left out.
 */
export class BlockFramer implements Framer<BinaryFrame> {
	readonly #bytes = new Uint8Array(MAX_BLOCK_BYTES);
	#length = 0;
	#sum = 0;
	/** Where in #bytes the label of the present field begins; nothing inside of a value. */
	#label: number | undefined;
	#state: "text" | "checksum" | "hex" = "text";

	push(chunk: Uint8Array): readonly BinaryFrame[] {
		const found: BinaryFrame[] = [];
		for (let at = 0; at < chunk.length; at++) {
			const byte = chunk[at]!;
			if (this.#state === "hex") {
				if (byte === LF) this.#state = "text";
				continue;
			}
			if (this.#state === "text" && byte === COLON) {
				this.#state = "hex";
				continue;
			}
			if (this.#length === MAX_BLOCK_BYTES) found.push(this.#end(`more than ${MAX_BLOCK_BYTES} bytes without a checksum; is the baud rate right?`));
			this.#bytes[this.#length++] = byte;
			this.#sum = (this.#sum + byte) & 0xff;
			if (this.#state === "checksum") {
				const good = this.#sum === 0;
				const bytes = this.#bytes.slice(0, this.#length);
				const fault = this.#end("a block with a wrong checksum", true);
				found.push(good ? { kind: "frame", bytes } : fault);
			} else if (byte === LF || byte === CR) this.#label = this.#length;
			else if (byte === TAB && this.#label !== undefined) {
				if (this.#length - 1 - this.#label === LAST_LABEL.length && latin1(this.#bytes.subarray(this.#label, this.#length - 1)) === LAST_LABEL) this.#state = "checksum";
				this.#label = undefined;
			}
		}
		return found;
	}

	/** Nothing: a block takes some hundred milliseconds, and pauses are allowed. */
	idle(): readonly BinaryFrame[] {
		return [];
	}

	#end(reason: string, checksum = false): BinaryFrame {
		const fault: BinaryFrame = { kind: "fault", reason, sample: sampleOf(this.#bytes.subarray(0, this.#length)), count: this.#length, ...(checksum && { checksum }) };
		this.#length = this.#sum = 0;
		this.#label = undefined;
		this.#state = "text";
		return fault;
	}
}

function latin1(bytes: Uint8Array): string {
	return String.fromCharCode(...bytes.subarray(0, MAX_BLOCK_BYTES));
}

interface Field {
	readonly as: "number" | "truth" | "text" | "code";
	readonly unit?: Unit;
	/** Decimal places by which the raw number is too large. */
	readonly places?: number;
	readonly category?: Category;
	/** Raw texts that mean no value. */
	readonly none?: string;
	/** The words for a code, and the point that they make. */
	readonly words?: { readonly point: string; readonly of: Readonly<Record<string, string>> };
}

const milli = (unit: Unit): Field => ({ as: "number", unit, places: 3 });
const plain = (unit?: Unit, category?: Category): Field => ({ as: "number", ...(unit !== undefined && { unit }), ...(category && { category }) });
const identity: Field = { as: "text", category: "identity" };
const onOff: Field = { as: "truth" };
const energy: Field = { as: "number", unit: "kWh", places: 2 };

/** Section "Field labels" of the protocol: in the document's units milli…, here as people use them, with the same digits. */
const FIELDS: Readonly<Record<string, Field>> = {
	V: milli("V"), V2: milli("V"), V3: milli("V"), VS: milli("V"), VM: milli("V"), DM: { as: "number", unit: "%", places: 1 }, VPV: milli("V"), PPV: plain("W"),
	I: milli("A"), I2: milli("A"), I3: milli("A"), IL: milli("A"), LOAD: onOff, T: { as: "number", unit: "°C", none: "---" }, P: plain("W"),
	CE: milli("Ah"), SOC: { as: "number", unit: "%", places: 1, none: "---" }, TTG: { as: "number", unit: "min", none: "-1" },
	Alarm: onOff, Relay: onOff,
	AR: { as: "code", words: { point: "alarm_reason", of: { 0: "none", 1: "low voltage", 2: "high voltage", 4: "low SOC", 8: "low starter voltage", 16: "high starter voltage", 32: "low temperature", 64: "high temperature", 128: "mid voltage", 256: "overload", 512: "DC ripple", 1024: "low AC out voltage", 2048: "high AC out voltage", 4096: "short circuit", 8192: "BMS lockout" } } },
	OR: { as: "code", category: "status" },
	H1: milli("Ah"), H2: milli("Ah"), H3: milli("Ah"), H4: plain(), H5: plain(), H6: milli("Ah"), H7: milli("V"), H8: milli("V"), H9: plain("s"), H10: plain(), H11: plain(), H12: plain(), H13: plain(), H14: plain(),
	H15: milli("V"), H16: milli("V"), H17: energy, H18: energy, H19: energy, H20: energy, H21: plain("W"), H22: energy, H23: plain("W"),
	ERR: { as: "code", words: { point: "error", of: { 0: "none", 2: "battery voltage too high", 17: "charger temperature too high", 18: "charger over current", 19: "charger current reversed", 20: "bulk time limit exceeded", 21: "current sensor issue", 26: "terminals overheated", 28: "converter issue", 33: "input voltage too high", 34: "input current too high", 38: "input shutdown (battery voltage)", 39: "input shutdown (current while off)", 65: "lost communication", 66: "synchronised charging issue", 67: "BMS connection lost", 68: "network misconfigured", 116: "factory calibration lost", 117: "invalid firmware", 119: "user settings invalid" } } },
	CS: { as: "code", words: { point: "state", of: { 0: "off", 1: "low power", 2: "fault", 3: "bulk", 4: "absorption", 5: "float", 6: "storage", 7: "equalize", 9: "inverting", 11: "power supply", 245: "starting up", 246: "repeated absorption", 247: "recondition", 248: "battery safe", 252: "external control" } } },
	MPPT: { as: "code", words: { point: "tracker", of: { 0: "off", 1: "voltage or current limited", 2: "active" } } },
	MODE: { as: "code", words: { point: "mode", of: { 2: "inverter", 4: "off", 5: "eco", 253: "hibernate" } } },
	WARN: { as: "code" }, MON: { as: "code" },
	BMV: identity, FW: identity, FWE: identity, PID: identity, "SER#": identity, HSDS: plain("d"),
	AC_OUT_V: { as: "number", unit: "V", places: 2 }, AC_OUT_I: { as: "number", unit: "A", places: 1 }, AC_OUT_S: plain("VA"),
	DC_IN_V: { as: "number", unit: "V", places: 2 }, DC_IN_I: { as: "number", unit: "A", places: 1 }, DC_IN_P: plain("W"),
};

function seenOf(label: string, raw: string): readonly Seen[] {
	const field = Object.hasOwn(FIELDS, label) ? FIELDS[label] : undefined;
	if (!field) return [];
	if (raw === field.none || raw === "" || raw === "---") return [];
	switch (field.as) {
		case "text": return [{ point: label, as: text(field.category), value: raw }];
		case "truth": {
			const value = /^on$/i.test(raw) ? true : /^off$/i.test(raw) ? false : undefined;
			return value === undefined ? [] : [{ point: label, as: truth(), value }];
		}
		case "number": {
			const value = shifted(raw, field.places);
			return value ? [{ point: label, as: numeric(field.unit, field.category), value }] : [];
		}
		case "code": {
			const code = /^0x/i.test(raw) ? parseInt(raw, 16) : Number(raw);
			const value = Number.isSafeInteger(code) ? shifted(code) : undefined;
			if (!value) return [];
			const word = field.words?.of[String(code)];
			return [
				{ point: label, as: numeric(undefined, "status"), value },
				...(field.words && word !== undefined ? [{ point: field.words.point, as: { kind: "enum", access: "r", category: "status", labels: [...new Set(Object.values(field.words.of))] } as const, value: word }] : []),
			];
		}
	}
}

class VeDirectTalk implements Talk {
	readonly #options: TalkOptions;
	readonly #book = new DeviceBook();
	/** The one device of the port, once it has said its serial number: blocks without one are its own too. */
	#serial: string | undefined;

	constructor(options: TalkOptions) {
		this.#options = options;
	}

	framer(): Framer {
		return new BlockFramer();
	}

	decode(cut: Cut): Meaning {
		if (cut.kind !== "frame") return NOTHING;
		const fields = new Map<string, string>();
		for (const line of latin1(cut.bytes).split("\r\n")) {
			const tab = line.indexOf("\t");
			if (tab > 0 && line.slice(0, tab) !== LAST_LABEL) fields.set(line.slice(0, tab), line.slice(tab + 1).replace(/[^\u0020-\u007e]/g, "").trim());
		}
		const serial = fields.get("SER#");
		if (serial) this.#serial = serial;
		const { address, every = EVERY } = this.#options;
		const product = fields.get("PID");
		const firmware = fields.get("FW");
		return this.#book.hear({
			address: this.#serial ?? address, manufacturer: "Victron Energy", every, ...(this.#serial !== undefined && { aliases: [address] }),
			...(product !== undefined && { model: product }), ...(firmware !== undefined && { firmware }),
		}, [...fields].flatMap(([label, raw]) => seenOf(label, raw)));
	}
}

/** One block a second; history blocks of a battery monitor in between. */
const EVERY = 2_000;

export const VEDIRECT: SerialProtocol = {
	name: "vedirect",
	alias: "ve.direct",
	title: "Victron VE.Direct",
	longest: MAX_BLOCK_BYTES,
	modes: [{ baud: 19_200 }],
	claims: (cut) => cut.kind === "frame",
	talk: (options) => new VeDirectTalk(options),
};
