// RFLink gateway: 433, 868 and 2400 MHz remotes and sensors
// Source: RFLink Gateway "Protocol Reference", https://www.rflink.nl/protref.php
// Version: R46

import { GatewayError } from "../../../core/errors.js";
import type { Point } from "../../../core/point.js";
import type { Unit } from "../../../core/unit.js";
import { isNumeric, numericFromText, type Value } from "../../../core/value.js";
import { signed, shifted } from "../../codec/places.js";
import type { Outgoing } from "../../link.js";
import { type Meaning, NOTHING } from "../../meaning.js";
import { DeviceBook, numeric, type Seen, text, truth } from "../device-book.js";
import { LineFramer } from "../lines.js";
import type { Cut, SerialProtocol, Talk, TalkOptions } from "../protocol.js";

/** What a remote sends, and a receiver obeys. A dim level is SET_LEVEL=0 to 15. */
const COMMANDS = ["ON", "OFF", "ALLON", "ALLOFF", "UP", "DOWN", "STOP", "PAIR", ...Array.from({ length: 16 }, (_, level) => `SET_LEVEL=${level}`)];
const COMMAND: Point = { kind: "enum", access: "rw", category: "status", confirm: "none", labels: COMMANDS };

/** How a key writes its number. `signed`: hexadecimal tenths, the highest bit is the minus sign. */
interface Key {
	readonly as: "hex" | "decimal" | "signed";
	readonly unit?: Unit;
	readonly places?: number;
	readonly factor?: number;
	readonly category?: "status";
}
const KEYS: Readonly<Record<string, Key>> = {
	TEMP: { as: "signed", unit: "°C", places: 1 }, WINTMP: { as: "signed", unit: "°C", places: 1 }, WINCHL: { as: "signed", unit: "°C", places: 1 },
	HUM: { as: "decimal", unit: "%" }, BARO: { as: "hex", unit: "hPa" }, UV: { as: "hex" }, LUX: { as: "hex", unit: "lx" },
	RAIN: { as: "hex", unit: "mm", places: 1 }, RAINTOT: { as: "hex", unit: "mm", places: 1 }, RAINRATE: { as: "hex", unit: "mm/h", places: 1 },
	WINSP: { as: "hex", unit: "km/h", places: 1 }, AWINSP: { as: "hex", unit: "km/h", places: 1 }, WINGS: { as: "hex", unit: "km/h", places: 1 },
	// sixteen points of the compass, 22.5° each
	WINDIR: { as: "decimal", unit: "°", places: 1, factor: 225 },
	WATT: { as: "hex", unit: "W" }, KWATT: { as: "hex", unit: "kWh" }, CO2: { as: "hex", unit: "ppm" }, SOUND: { as: "hex", unit: "dB" }, METER: { as: "hex" },
	VOLT: { as: "decimal", unit: "V" }, CURRENT: { as: "decimal", unit: "A" }, CURRENT2: { as: "decimal", unit: "A" }, CURRENT3: { as: "decimal", unit: "A" }, DIST: { as: "decimal", unit: "cm" },
	HSTATUS: { as: "decimal", category: "status" }, BFORECAST: { as: "decimal", category: "status" }, CHIME: { as: "decimal" },
};
/** Keys that are on or off. */
const TRUTHS = new Set(["PIR", "SMOKEALERT"]);
/** Parts of the address, and what says nothing. */
const ADDRESS = new Set(["ID", "SWITCH"]);

function seenOf(key: string, raw: string): Seen | undefined {
	if (key === "BAT") return /^(OK|LOW)$/.test(raw) ? { point: "battery_ok", as: truth(), value: raw === "OK" } : undefined;
	if (key === "CMD") return COMMANDS.includes(raw) ? { point: "CMD", as: COMMAND, value: raw } : undefined;
	if (TRUTHS.has(key)) return /^(ON|OFF)$/.test(raw) ? { point: key, as: truth("momentary"), value: raw === "ON" } : undefined;
	const known = Object.hasOwn(KEYS, key) ? KEYS[key] : undefined;
	if (!known) return /^[A-Z][A-Z0-9_]{0,15}$/.test(key) && /^[\u0021-\u007e]{1,40}$/.test(raw) ? { point: key, as: text(), value: raw } : undefined;
	const value = valueOf(known, raw);
	return value === undefined ? undefined : { point: key, as: numeric(known.unit, known.category), value };
}

function valueOf({ as, places = 0, factor = 1 }: Key, raw: string): Value | undefined {
	if (as === "decimal") {
		if (factor === 1) return /^\d{1,6}(\.\d{1,4})?$/.test(raw) ? numericFromText(raw.replace(/^0+(?=\d)/, "")) : undefined;
		return /^\d{1,4}$/.test(raw) && Number(raw) < 16 ? shifted(Number(raw) * factor, places) : undefined;
	}
	if (!/^[0-9A-Fa-f]{1,8}$/.test(raw)) return undefined;
	const bits = parseInt(raw, 16);
	if (as === "hex") return shifted(bits, places);
	return bits > 0xffff ? undefined : shifted(bits & 0x8000 ? -(bits & 0x7fff) : signed(bits, 16), places);
}

class RflinkTalk implements Talk {
	readonly lineEnd = "\r\n";
	readonly #options: TalkOptions;
	readonly #book = new DeviceBook();
	readonly questions = [{ out: { kind: "line", text: "10;VERSION;" } as const }];

	constructor(options: TalkOptions) {
		this.#options = options;
	}

	framer(): LineFramer {
		return new LineFramer();
	}

	decode(cut: Cut): Meaning {
		if (cut.kind !== "line") return NOTHING;
		const line = cut.text.trim();
		const misfit = (reason: string): Meaning => ({ misfits: [{ where: this.#options.address, reason, sample: line.slice(0, 120) }] });
		const match = /^20;([0-9A-Fa-f]{2});(.*?);?$/.exec(line);
		if (!match) return /^1[01];/.test(line) ? NOTHING : misfit("a line that does not begin with 20;");
		const [protocol = "", ...rest] = match[2]!.split(";");
		const banner = /^(Nodo RadioFrequencyLink) - RFLink Gateway V([\w.]{1,20})(?: - R(\w{1,10}))?/.exec(protocol);
		if (banner) return this.#gateway(banner[1]!, banner[2]!, banner[3]);
		const version = /^VER=([\d.]{1,10})$/.exec(protocol);
		if (version) return this.#gateway("RFLink", version[1]!, /^REV=(\w{1,10})$/.exec(rest[0] ?? "")?.[1]);
		if (rest[0] === undefined || !rest[0].includes("=") || /^(DEBUG|STATUS|PONG|CMD UNKNOWN|OK)$/.test(protocol)) return NOTHING;
		const pairs = rest.flatMap((part): [string, string][] => {
			const at = part.indexOf("=");
			return at > 0 ? [[part.slice(0, at), part.slice(at + 1)]] : [];
		});
		const of = (key: string): string | undefined => pairs.find(([name]) => name === key)?.[1];
		const [id, unit] = [of("ID"), of("SWITCH")];
		if (id === undefined || id === "") return misfit("a message without an ID");
		const address = [protocol, id, ...(unit === undefined ? [] : [unit])].join("/");
		const seen = pairs.filter(([key]) => !ADDRESS.has(key)).flatMap(([key, raw]) => seenOf(key, raw) ?? []);
		return this.#book.hear({ address, name: `${protocol} ${id}${unit === undefined ? "" : ` ${unit}`}`, type: of("CMD") === undefined ? "sensor" : "switch" }, seen);
	}

	encode(address: string, point: string, value: Value): readonly Outgoing[] {
		if (point !== "CMD") throw new GatewayError("not-writable", `Cannot set "${point}": of a radio device only CMD can be set`);
		// A protocol's name may hold a slash (UPM/Esic), ids and switches do not.
		const parts = address.split("/");
		const wide = parts.length > 2;
		const [protocol, id, unit] = wide ? [parts.slice(0, -2).join("/"), parts.at(-2)!, parts.at(-1)!] : [parts[0]!, parts[1] ?? "", "0"];
		if (parts.length < 2 || /[;\r\n]/.test(address)) throw new GatewayError("unknown-device", `Cannot set "${point}": "${address}" is no radio device`);
		if (typeof value !== "string" || !COMMANDS.includes(value)) throw new GatewayError("bad-value", `Cannot use "${isNumeric(value) ? value.text : String(value)}" for "${point}": it takes one of ${COMMANDS.join(", ")}`);
		return [{ kind: "line", text: `10;${protocol};${id};${unit};${value.replace(/^SET_LEVEL=/, "")};` }];
	}

	#gateway(hardware: string, version: string, revision: string | undefined): Meaning {
		const address = `${this.#options.link}-gateway`;
		const meaning = this.#book.hear({ address, aliases: [this.#options.address], name: "RFLink Gateway", type: "gateway", firmware: `${version}${revision === undefined ? "" : ` R${revision}`}` }, [
			{ point: "hardware", as: text("identity"), value: hardware }, { point: "version", as: text("identity"), value: version },
			...(revision === undefined ? [] : [{ point: "revision", as: text("identity"), value: revision }]),
		]);
		return { ...meaning, states: [{ address, state: "online" }] };
	}
}

export const RFLINK: SerialProtocol = {
	name: "rflink",
	title: "RFLink gateway",
	many: true,
	modes: [{ baud: 57_600 }],
	claims: (cut) => cut.kind === "line" && /^20;[0-9A-F]{2};[^;]+;/.test(cut.text),
	talk: (options) => new RflinkTalk(options),
};
