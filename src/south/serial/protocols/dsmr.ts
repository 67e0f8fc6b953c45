// DSMR P1: smart meters of the Netherlands, Belgium, Luxembourg, Sweden, Hungary and others
// Source: Netbeheer Nederland, "P1 Companion Standard", https://www.netbeheernederland.nl/dossiers/slimme-meter-15; Fluvius e-MUCS-P1; IEC 62056-21 mode D
// Version: 5.0.2 (2016-02-26), with what DSMR 2.2 and e-MUCS 1.7 do otherwise

import type { UnixMillis } from "../../../core/clock.js";
import type { Category } from "../../../core/point.js";
import { type Unit, unitFrom } from "../../../core/unit.js";
import { crc16Arc } from "../../codec/checksum.js";
import { shifted } from "../../codec/places.js";
import { type Meaning, NOTHING } from "../../meaning.js";
import { DeviceBook, joined, numeric, type Seen, text } from "../device-book.js";
import { type BinaryFrame, type Framer, Noise, sampleOf } from "../framer.js";
import type { Cut, SerialProtocol, Talk, TalkOptions } from "../protocol.js";

/** A telegram with messages of 1 kB in hexadecimal and thirteen months of peaks has some 4 kB. */
const MAX_TELEGRAM_BYTES = 8_192;
const SLASH = 0x2f;
const EXCLAMATION = 0x21;
const [LF, CR] = [0x0a, 0x0d];

/**
 * Cuts out telegrams: `/` … `!` CRC CR LF. A `/` begins anew wherever it stands, for no value may hold one.
 *
 * Versions 2 and 3 have no CRC, and seven bits with parity: read as eight, the parity is checked here in its place.
 */
export class TelegramFramer implements Framer<BinaryFrame> {
	readonly #bytes = new Uint8Array(MAX_TELEGRAM_BYTES);
	#length = 0;
	#end = -1;
	#isOpen = false;
	readonly #noise = new Noise();

	push(chunk: Uint8Array): readonly BinaryFrame[] {
		const found: BinaryFrame[] = [];
		for (let at = 0; at < chunk.length; at++) {
			const raw = chunk[at]!;
			const byte = raw & 0x7f;
			if (byte === SLASH) {
				if (this.#isOpen) this.#noise.add(this.#bytes, 0, this.#length, "a telegram that was cut short by the next one");
				this.#isOpen = true;
				this.#length = 0;
				this.#end = -1;
			} else if (!this.#isOpen) {
				// Line ends behind a telegram are none.
				if (byte !== LF && byte !== CR) this.#noise.add(chunk, at, at + 1, "bytes that are no telegram");
				if (this.#noise.isFull) this.#noise.tell(found);
				continue;
			} else if (this.#length === MAX_TELEGRAM_BYTES) {
				this.#isOpen = false;
				this.#noise.add(this.#bytes, 0, this.#length, `a telegram of more than ${MAX_TELEGRAM_BYTES} bytes; is the baud rate right?`);
			}
			if (this.#noise.isFull) this.#noise.tell(found);
			if (!this.#isOpen) continue;
			this.#bytes[this.#length++] = raw;
			if (byte === EXCLAMATION && this.#end < 0) this.#end = this.#length;
			else if (byte === LF && this.#end >= 0) {
				this.#noise.tell(found);
				found.push(this.#take());
			}
		}
		return found;
	}

	/** Nothing: a meter may pause inside a telegram. */
	idle(): readonly BinaryFrame[] {
		return [];
	}

	#fault(reason: string, checksum = false): BinaryFrame {
		return { kind: "fault", reason, sample: sampleOf(this.#bytes.subarray(0, this.#length)), count: this.#length, ...(checksum && { checksum }) };
	}

	#take(): BinaryFrame {
		this.#isOpen = false;
		const bytes = this.#bytes.slice(0, this.#length);
		const told = /^\s*([0-9A-Fa-f]{4})?\s*$/.exec(String.fromCharCode(...bytes.subarray(this.#end).map((byte) => byte & 0x7f)));
		if (!told) return this.#fault("a telegram that ends in no checksum");
		if (told[1] !== undefined) {
			if (crc16Arc(bytes, 0, this.#end) !== parseInt(told[1], 16)) return this.#fault("a telegram with a wrong checksum", true);
		} else if (bytes.some((byte) => byte & 0x80)) {
			if (bytes.some(isOdd)) return this.#fault("a telegram with a wrong parity", true);
			for (let at = 0; at < bytes.length; at++) bytes[at]! &= 0x7f;
		}
		return { kind: "frame", bytes };
	}
}

function isOdd(byte: number): boolean {
	let bits = byte ^ (byte >>> 4);
	bits ^= bits >>> 2;
	return ((bits ^ (bits >>> 1)) & 1) === 1;
}

interface Register {
	readonly point: string;
	readonly category?: Category;
	readonly unit?: Unit;
	/** A text: ids and codes with leading zeros that mean something. */
	readonly text?: true;
}

/** By C.D.E of A-B:C.D.E; those of the electricity meter itself. */
const REGISTERS: ReadonlyMap<string, Register> = new Map([
	...[["1", "import"], ["2", "export"], ["3", "reactive_import"], ["4", "reactive_export"]].flatMap(([code, name]): (readonly [string, Register])[] => [
		[`${code!}.8.0`, { point: `${name!}_total` }],
		...["1", "2", "3", "4"].map((tariff): readonly [string, Register] => [`${code!}.8.${tariff}`, { point: `${name!}_tariff${tariff}` }]),
	]),
	["1.7.0", { point: "power_import" }], ["2.7.0", { point: "power_export" }], ["3.7.0", { point: "reactive_power_import" }], ["4.7.0", { point: "reactive_power_export" }],
	["9.7.0", { point: "apparent_power_import" }], ["10.7.0", { point: "apparent_power_export" }], ["13.7.0", { point: "power_factor" }], ["14.7.0", { point: "frequency" }], ["16.7.0", { point: "power_net" }],
	...[1, 2, 3].flatMap((phase): (readonly [string, Register])[] => [
		[`${20 * phase + 1}.7.0`, { point: `power_import_l${phase}` }], [`${20 * phase + 2}.7.0`, { point: `power_export_l${phase}` }],
		[`${20 * phase + 3}.7.0`, { point: `reactive_power_import_l${phase}` }], [`${20 * phase + 4}.7.0`, { point: `reactive_power_export_l${phase}` }],
		[`${20 * phase + 12}.7.0`, { point: `voltage_l${phase}` }], [`${20 * phase + 11}.7.0`, { point: `current_l${phase}` }], [`${20 * phase + 13}.7.0`, { point: `power_factor_l${phase}` }],
		[`${20 * phase + 12}.32.0`, { point: `voltage_sags_l${phase}` }], [`${20 * phase + 12}.36.0`, { point: `voltage_swells_l${phase}` }],
	]),
	["96.14.0", { point: "tariff", category: "status" }], ["96.7.21", { point: "power_failures" }], ["96.7.9", { point: "long_power_failures" }],
	["17.0.0", { point: "power_limit", category: "status" }], ["31.4.0", { point: "current_limit", category: "status" }], ["96.3.10", { point: "breaker", category: "status" }],
	["1.4.0", { point: "current_avg_demand" }], ["1.6.0", { point: "max_demand_month", category: "peak" }],
	["96.1.1", { point: "equipment_id", category: "identity", text: true }], ["96.1.4", { point: "version", category: "identity", text: true }], ["0.2.8", { point: "version", category: "identity", text: true }],
	["96.13.0", { point: "message", category: "status", text: true }], ["96.13.1", { point: "message_code", category: "status", text: true }],
]);

/** What hangs on the M-Bus of the meter: the device types of EN 13757-3. */
const MBUS_TYPES: Readonly<Record<number, string>> = { 1: "oil meter", 2: "electricity meter", 3: "gas meter", 4: "heat meter", 6: "hot water meter", 7: "water meter", 8: "heat cost allocator", 10: "cooling meter", 12: "heat meter", 13: "heat and cooling meter" };

/** One row: `A-B:C.D.E` and what stands in its brackets. */
interface Row {
	readonly channel: number;
	readonly code: string;
	readonly values: readonly string[];
}

/** The rows of a telegram. A bracket on a line of its own belongs to the row before it, as gas has it in versions 2 and 3. Linear in the text. */
function rowsOf(body: string): Row[] {
	const rows: { channel: number; code: string; values: string[] }[] = [];
	for (const line of body.split(/\r?\n|\r/)) {
		const open = line.indexOf("(");
		if (open < 0) continue;
		const values = line.slice(open).split(")").filter((part) => part.startsWith("(")).map((part) => part.slice(1));
		const name = /^(\d{1,3})-(\d{1,3}):(\d{1,3}\.\d{1,3}\.\d{1,3})(?:[.*]255)?$/.exec(line.slice(0, open).trim());
		if (name) rows.push({ channel: Number(name[2]), code: name[3]!, values });
		else if (open === 0) rows.at(-1)?.values.push(...values);
	}
	return rows;
}

/** `4B38…` is what people read on the meter, `K8…`; other ids stay as they are. */
function readable(id: string): string {
	if (!/^([0-9A-Fa-f]{2}){2,32}$/.test(id)) return id;
	const letters = String.fromCharCode(...id.match(/../g)!.map((pair) => parseInt(pair, 16)));
	return /^[\u0021-\u007e]+$/.test(letters) ? letters : id;
}

/** `161113205757W`: local time of central Europe, W in winter and S in summer. Nothing for what is no moment, or cannot be true. */
function momentOf(raw: string | undefined, received: UnixMillis): UnixMillis | undefined {
	const match = /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)([WS])$/.exec(raw ?? "");
	if (!match) return undefined;
	const at = Date.parse(`20${match[1]!}-${match[2]!}-${match[3]!}T${match[4]!}:${match[5]!}:${match[6]!}${match[7] === "S" ? "+02:00" : "+01:00"}`);
	return at > EARLIEST && at < received + A_DAY ? at : undefined;
}

const EARLIEST: UnixMillis = Date.UTC(2015, 0, 1);
const A_DAY = 86_400_000;

/** A value with its unit, `001581.123*kWh`. */
function valueOf({ point, category, unit, text: isText }: Register, raw: string | undefined, at?: UnixMillis): Seen | undefined {
	if (raw === undefined || raw === "") return undefined;
	if (isText) {
		const shown = point.startsWith("message") ? readable(raw) : raw;
		return /[\u0000-\u001f\u007f-\u009f]/.test(shown) ? undefined : { point, as: text(category), value: shown.slice(0, 1_024), ...(at !== undefined && { at }) };
	}
	const [digits = "", written] = raw.split("*");
	const value = shifted(digits);
	const known = written === undefined ? unit : unitFrom(written);
	return value && { point, as: numeric(known, category), value, ...(at !== undefined && { at }) };
}

class DsmrTalk implements Talk {
	readonly #options: TalkOptions;
	readonly #book = new DeviceBook();

	constructor(options: TalkOptions) {
		this.#options = options;
	}

	framer(): Framer {
		return new TelegramFramer();
	}

	decode(cut: Cut, received: UnixMillis): Meaning {
		if (cut.kind !== "frame") return NOTHING;
		const telegram = new TextDecoder("latin1").decode(cut.bytes);
		const end = telegram.search(/[\r\n]/);
		const header = telegram.slice(1, end).trim();
		const rows = rowsOf(telegram.slice(end, telegram.lastIndexOf("!")));
		const identity = rows.find(({ channel, code }) => channel === 0 && code === "96.1.1")?.values[0];
		const name = header.replace(/[\u0000-\u001f\u007f-\u009f]/g, "");
		const address = identity ? readable(identity) : name === "" ? this.#options.address : name;
		const own = rows.filter(({ code }) => !code.startsWith("24.")).flatMap(({ channel, code, values }): Seen[] => {
			const register = REGISTERS.get(code);
			if (!register || (channel !== 0 && code.startsWith("96."))) return [];
			const moment = values.length === 2 ? momentOf(values[0], received) : undefined;
			const seen = valueOf(register, values.length === 2 ? values[1] : values[0], moment);
			return seen ? [seen] : [];
		});
		if (name !== "") own.push({ point: "meter_type", as: text("identity"), value: name.slice(0, 100) });
		const every = this.#options.every;
		const main = this.#book.hear({ address, aliases: [this.#options.address], type: "meter", ...(name !== "" && { model: name.slice(0, 100) }), ...(every !== undefined && { every }) }, own);
		return joined(main, ...this.#children(address, rows, received));
	}

	#children(meter: string, rows: readonly Row[], received: UnixMillis): Meaning[] {
		const channels = [...new Set(rows.filter(({ channel, code }) => channel > 0 && channel < 16 && code.startsWith("24.")).map(({ channel }) => channel))];
		return channels.flatMap((channel): Meaning[] => {
			const of = (...codes: readonly string[]): Row | undefined => rows.find((row) => row.channel === channel && codes.includes(row.code));
			const type = Number(of("24.1.0")?.values[0] ?? NaN);
			const reading = of("24.2.1", "24.2.3", "24.3.0");
			if (!reading) return [];
			const id = of("96.1.0", "96.1.1", "96.1.2")?.values[0];
			// An id of zeros alone is that of a meter which nobody has set up.
			const address = id === undefined || /^0*$/.test(id) ? `${meter}-mbus${channel}` : readable(id);
			// versions 2 and 3: (time)(00)(60)(1)(0-1:24.2.1)(m3) and the value behind
			const old = reading.code === "24.3.0";
			const raw = old ? `${reading.values[6] ?? ""}*${reading.values[5] ?? ""}` : (reading.values[1] ?? "");
			const seen = valueOf({ point: "reading" }, raw, momentOf(reading.values[0], received));
			const valve = valueOf({ point: "valve", category: "status" }, of("24.4.0")?.values[0]);
			if (!seen) return [];
			return [this.#book.hear({ address, name: `${MBUS_TYPES[type] ?? "M-Bus meter"} ${channel}`, type: "meter" }, valve ? [seen, valve] : [seen])];
		});
	}
}


export const DSMR: SerialProtocol = {
	name: "dsmr",
	alias: "dsmr-p1",
	title: "DSMR P1 smart meter",
	longest: MAX_TELEGRAM_BYTES,
	modes: [{ baud: 115_200 }, { baud: 9_600, parity: "even", data: 7 }],
	claims: (cut) => cut.kind === "frame",
	talk: (options) => new DsmrTalk(options),
};
