// CUL and culfw sticks: FS20, weather sensors, energy counters and remotes at 433 and 868 MHz
// Source: culfw "Command reference", http://culfw.de/commandref.html; telegram layouts as the FHEM modules CUL_WS, CUL_EM, FS20, FHT and HMS describe them
// Version: culfw 1.67

import { shifted } from "../../codec/places.js";
import { type Meaning, NOTHING } from "../../meaning.js";
import { DeviceBook, type Facts, numeric, type Seen, text, truth } from "../device-book.js";
import { LineFramer } from "../lines.js";
import type { Cut, Question, SerialProtocol, Talk, TalkOptions } from "../protocol.js";

/** Commands of FS20 by their lower five bits. */
const FS20_COMMANDS = [
	"off", "dim06%", "dim12%", "dim18%", "dim25%", "dim31%", "dim37%", "dim43%", "dim50%", "dim56%", "dim62%", "dim68%", "dim75%", "dim81%", "dim87%", "dim93%", "dim100%",
	"on", "toggle", "dimup", "dimdown", "dimupdown", "timer", "sendstate", "off-for-timer", "on-for-timer", "on-old-for-timer", "reset", "ramp-on-time", "ramp-off-time", "on-old-for-timer-prev", "on-100-for-timer-prev",
];

type Telegram = { readonly facts: Facts; readonly seen: readonly Seen[] };

const rssi = (byte: number): Seen => {
	const half = byte >= 128 ? byte - 256 : byte; // in half dB, with an offset of 74
	return { point: "rssi", as: numeric("dBm", "status"), value: shifted((half - 148) * 5, 1) };
};

/** Takes a telegram apart: the digits behind its first letter. `size` is what it has without the byte of the signal strength. */
function withSignal(digits: string, ...sizes: readonly number[]): { readonly own: string; readonly signal: readonly Seen[] } | undefined {
	if (sizes.includes(digits.length)) return { own: digits, signal: [] };
	if (sizes.includes(digits.length - 2)) return { own: digits.slice(0, -2), signal: [rssi(parseInt(digits.slice(-2), 16))] };
	return undefined;
}

/** F: house code, address, command, and for commands with a time one byte more. */
function fs20(digits: string): Telegram | undefined {
	const command = parseInt(digits.slice(6, 8), 16);
	const extended = (command & 0x20) !== 0;
	const parts = withSignal(digits, extended ? 10 : 8);
	if (!parts) return undefined;
	const address = `FS20/${parts.own.slice(0, 4)}/${parts.own.slice(4, 6)}`;
	return {
		facts: { address, name: address.replaceAll("/", " "), type: "switch" },
		seen: [{ point: "command", as: { kind: "enum", access: "r", category: "status", labels: FS20_COMMANDS }, value: FS20_COMMANDS[command & 0x1f] }, ...parts.signal],
	};
}

/** E: type, address, sequence, then total, current and peak, low byte first, in ticks whose size depends on what is counted. */
function em(digits: string): Telegram | undefined {
	const parts = withSignal(digits, 18);
	if (!parts) return undefined;
	const byte = (at: number): number => parseInt(parts.own.slice(at, at + 2), 16);
	const word = (at: number): number => byte(at) + 256 * byte(at + 2);
	const [type, unit] = [byte(0), byte(2)];
	const address = `EM/${unit}`;
	return {
		facts: { address, name: `EM1000 ${unit}`, type: "meter", model: { 1: "EM1000-S", 2: "EM1000-EM", 3: "EM1000-GZ" }[type] ?? "EM1000" },
		seen: [
			{ point: "total_cnt", as: numeric(), value: shifted(word(6)) }, { point: "current_cnt", as: numeric(), value: shifted(word(10)) }, { point: "peak_cnt", as: numeric(undefined, "peak"), value: shifted(word(14)) },
			{ point: "seqno", as: numeric(undefined, "status"), value: shifted(byte(4)) }, { point: "type", as: numeric(undefined, "identity"), value: shifted(type) }, ...parts.signal,
		],
	};
}

/** Decimal digits in a hexadecimal telegram, most significant first: `"062"` is 062. */
function tenths(negative: boolean, ...digits: readonly string[]): ReturnType<typeof shifted> {
	const joined = digits.join("");
	return /^\d+$/.test(joined) ? shifted(Number(joined) * (negative ? -1 : 1), 1) : undefined;
}

/** K: digits in another order; the first has the address and the sign, the second the type. */
function weather(digits: string): Telegram | undefined {
	const parts = withSignal(digits, 8, 14);
	if (!parts) return undefined;
	const d = [...parts.own];
	const first = parseInt(d[0]!, 16);
	const type = parseInt(d[1]!, 16) & 7;
	const negative = (first & 8) !== 0;
	const at = (index: number): string => d[index - 1]!;
	const seen: Seen[] = [];
	const put = (point: string, as: Seen["as"], value: Seen["value"]): void => void (value !== undefined && seen.push({ point, as, value }));
	if (type === 7 && d.length === 14) { // KS300
		put("temperature", numeric("°C"), tenths(negative, at(6), at(3), at(4)));
		put("humidity", numeric("%"), /^\d\d$/.test(at(8) + at(5)) ? shifted(Number(at(8) + at(5))) : undefined);
		put("wind_speed", numeric("km/h"), tenths(false, at(9), at(10), at(7)));
		put("rain_counter", numeric(), shifted(parseInt(at(14) + at(11) + at(12), 16)));
		put("raining", truth("momentary"), (first & 2) !== 0);
		return { facts: { address: "WS/KS300", name: "KS300", type: "sensor", model: "KS300" }, seen: [...seen, ...parts.signal] };
	}
	if (d.length !== 8 || type > 1) return undefined;
	// A thermometer without hygrometer is type 0.
	put("temperature", numeric("°C"), tenths(negative, at(6), at(3), at(4)));
	if (type === 1) put("humidity", numeric("%"), tenths(false, at(7), at(8), at(5)));
	const channel = (first & 7) + 1;
	return { facts: { address: `WS/${channel}`, name: `S300TH ${channel}`, type: "sensor", model: type === 1 ? "S300TH" : "WS2000 thermometer" }, seen: [...seen, ...parts.signal] };
}

/** H: HMS: address:2 bytes, status with the type in its low nibble, then values whose digits are in another order. */
function hms(digits: string): Telegram | undefined {
	const parts = withSignal(digits, 12);
	if (!parts) return undefined;
	const d = [...parts.own];
	const at = (index: number): string => d[index - 1]!;
	const [status, type] = [parseInt(at(5), 16), parseInt(at(6), 16)];
	const names: Readonly<Record<number, string>> = { 0: "HMS100TF", 1: "HMS100T", 2: "HMS100WD", 3: "RM100-2", 4: "HMS100TFK", 6: "HMS100MG", 8: "HMS100CO", 14: "HMS100FIT" };
	const model = names[type];
	if (!model) return undefined;
	const seen: Seen[] = [{ point: "battery_ok", as: truth(), value: (status & 2) === 0 }];
	const put = (point: string, as: Seen["as"], value: Seen["value"]): void => void (value !== undefined && seen.push({ point, as, value }));
	if (type <= 1) {
		put("temperature", numeric("°C"), tenths((status & 8) !== 0, at(10), at(7), at(8)));
		if (type === 0) put("humidity", numeric("%"), tenths(false, at(11), at(12), at(9)));
	} else put("alarm", truth("momentary"), parseInt(at(8), 16) === 1);
	const address = `HMS/${parts.own.slice(0, 4)}`;
	return { facts: { address, name: `${model} ${parts.own.slice(0, 4)}`, type: "sensor", model }, seen: [...seen, ...parts.signal] };
}

/** T: heating control: house code, function, flags, value. Of many functions those that are readings. */
function fht(digits: string): Telegram | undefined {
	// A window contact: its code is longer, and its message shorter. Of ten digits the state tells which of the two it is.
	const contact = /^[08][12]$/.test(digits.slice(6, 8)) ? withSignal(digits, 8) : undefined;
	if (contact) {
		const address = `FHT/${contact.own.slice(0, 6)}`;
		return { facts: { address, name: `FHT contact ${contact.own.slice(0, 6)}`, type: "sensor" }, seen: [{ point: "open", as: truth("momentary"), value: contact.own.endsWith("1") }, ...contact.signal] };
	}
	const parts = withSignal(digits, 10);
	if (!parts) return undefined;
	const code = parts.own.slice(0, 4);
	const [what, value] = [parts.own.slice(4, 6), parseInt(parts.own.slice(-2), 16)];
	const facts: Facts = { address: `FHT/${code}`, name: `FHT ${code}`, type: "climate" };
	const seen: Seen[] = [];
	if (what === "00") seen.push({ point: "actuator", as: numeric("%"), value: shifted(Math.round((value * 1_000) / 255), 1) });
	else if (what === "41") seen.push({ point: "desired_temperature", as: numeric("°C", "status"), value: shifted(value * 5, 1) });
	else if (what === "44") seen.push({ point: "battery_ok", as: truth(), value: (value & 1) === 0 }, { point: "window_open", as: truth(), value: (value & 0x20) !== 0 });
	return { facts, seen: [...seen, ...parts.signal] };
}

/** i: InterTechno: house and unit, then the command: shorter ones in tri-state digits, longer ones in bits. */
function intertechno(digits: string): Telegram | undefined {
	const parts = withSignal(digits, 6);
	if (!parts) return undefined;
	const code = parts.own.slice(0, 5);
	const last = parts.own.slice(5);
	const command = last === "5" || last === "F" ? "on" : last === "4" || last === "0" ? "off" : undefined;
	return { facts: { address: `IT/${code}`, name: `InterTechno ${code}`, type: "switch" }, seen: [...(command === undefined ? [] : [{ point: "command", as: { kind: "enum", access: "r", category: "status", labels: ["on", "off"] } as const, value: command }]), ...parts.signal] };
}

const KINDS: Readonly<Record<string, (digits: string) => Telegram | undefined>> = { F: fs20, E: em, K: weather, H: hms, T: fht, i: intertechno };

class CulTalk implements Talk {
	readonly lineEnd = "\r\n";
	readonly #options: TalkOptions;
	readonly #book = new DeviceBook();
	/** Version, then: report what is heard, with its strength. */
	readonly questions: readonly Question[] = [{ out: { kind: "line", text: "V" } }, { out: { kind: "line", text: "X21" } }];

	constructor(options: TalkOptions) {
		this.#options = options;
	}

	framer(): LineFramer {
		return new LineFramer();
	}

	decode(cut: Cut): Meaning {
		if (cut.kind !== "line") return NOTHING;
		const line = cut.text.trim();
		const version = /^V (\d[\w.]{0,15}) (\S{1,40})/.exec(line);
		if (version) {
			const address = `${this.#options.link}-cul`;
			const meaning = this.#book.hear({ address, aliases: [this.#options.address], name: version[2]!, firmware: version[1]!, type: "gateway" }, [{ point: "version", as: text("identity"), value: version[1]! }, { point: "hardware", as: text("identity"), value: version[2]! }]);
			return { ...meaning, states: [{ address, state: "online" }] };
		}
		const match = /^([A-Za-z])([0-9A-F]{4,40})$/.exec(line);
		const kind = match && Object.hasOwn(KINDS, match[1]!) ? KINDS[match[1]!] : undefined;
		const telegram = kind?.(match![2]!);
		if (telegram) return telegram.seen.length === 0 ? NOTHING : this.#book.hear(telegram.facts, telegram.seen);
		// Other radio protocols, answers of the stick itself: no fault.
		return match || /^(LOVF|EOB|\?|[A-Z] )/.test(line) ? NOTHING : { misfits: [{ where: this.#options.address, reason: "a line that is no telegram", sample: line.slice(0, 120) }] };
	}
}

export const CUL: SerialProtocol = {
	name: "cul",
	title: "CUL radio stick",
	many: true,
	modes: [{ baud: 38_400 }, { baud: 9_600 }],
	claims: (cut) => cut.kind === "line" && /^(V \d.* CU|([FT][0-9A-F]{8,12}|E[0-9A-F]{18,20}|K[0-9A-F]{8,16}|H[0-9A-F]{12,14})$)/.test(cut.text.trim()),
	talk: (options) => new CulTalk(options),
};
