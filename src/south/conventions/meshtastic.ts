// Meshtastic: msh/<region…>/2/json/<channel>/!<gateway> carries what a gateway node heard on the radio, with the sender in `from`.
// Source: https://meshtastic.org/docs/software/integrations/mqtt/, and the telemetry and mesh protobufs of the firmware for units

import type { Category, Point } from "../../core/point.js";
import type { Unit } from "../../core/unit.js";
import { isNumeric, type Numeric, numericFromText, textOf, type Value } from "../../core/value.js";
import { isNumber, isObject, type Json, scalars } from "../json.js";
import type { Message, OutMessage } from "../link.js";
import { type Meaning, NOTHING } from "../meaning.js";
import type { Convention } from "./convention.js";
import { Draft, out, pointFor, Thing, Things } from "./learned.js";
import { Payload } from "./payload.js";
import { plausible } from "./times.js";

interface Known {
	readonly unit?: Unit;
	readonly category?: Category;
	/** Under which name, and with the decimal point so many places to the left. */
	readonly as?: readonly [name: string, places: number];
}

/** What is known of the members of all packets, by name. */
const MEMBERS: Readonly<Record<string, Known>> = {
	latitude_i: { unit: "°", as: ["latitude", 7] }, longitude_i: { unit: "°", as: ["longitude", 7] }, altitude: { unit: "m" }, altitude_hae: { unit: "m" }, ground_speed: { unit: "m/s" },
	sats_in_view: { category: "status" }, precision_bits: { category: "status" }, PDOP: { category: "status" }, HDOP: { category: "status" }, VDOP: { category: "status" },
	battery_level: { unit: "%", category: "status" }, voltage: { unit: "V" }, channel_utilization: { unit: "%", category: "status" }, air_util_tx: { unit: "%", category: "status" }, uptime_seconds: { unit: "s", category: "status" },
	temperature: { unit: "°C" }, relative_humidity: { unit: "%" }, barometric_pressure: { unit: "hPa" }, current: { unit: "mA" }, lux: { unit: "lx" }, white_lux: { unit: "lx" }, ir_lux: { unit: "lx" }, uv_lux: { unit: "lx" },
	wind_direction: { unit: "°" }, wind_speed: { unit: "m/s" }, wind_gust: { unit: "m/s" }, wind_lull: { unit: "m/s" }, weight: { unit: "kg" }, distance: { unit: "mm" }, rainfall_1h: { unit: "mm" }, rainfall_24h: { unit: "mm" },
	soil_moisture: { unit: "%" }, soil_temperature: { unit: "°C" }, co2: { unit: "ppm" }, heart_bpm: { unit: "1/min" }, spO2: { unit: "%" },
	pm10_standard: { unit: "µg/m³" }, pm25_standard: { unit: "µg/m³" }, pm100_standard: { unit: "µg/m³" }, pm10_environmental: { unit: "µg/m³" }, pm25_environmental: { unit: "µg/m³" }, pm100_environmental: { unit: "µg/m³" },
	...Object.fromEntries(Array.from({ length: 8 }, (_, index) => [[`ch${index + 1}_voltage`, { unit: "V" as const }], [`ch${index + 1}_current`, { unit: "mA" as const }]] as const).flat()),
	id: { category: "identity" }, longname: { category: "identity" }, shortname: { category: "identity" }, hardware: { category: "identity" }, role: { category: "identity" },
};
/** The sender's own clock, which stands beside the values; and lists of neighbours and hops. */
const LEFT_OUT: ReadonlySet<string> = new Set(["time", "timestamp"]);
/** Packets that come through several gateways are remembered so long. */
const MAX_SEEN = 512;
/** Gateways of one mesh. */
const MAX_TELLING = 200;
/** A radio packet carries at most 237 bytes. */
const MAX_TEXT = 200;

export class Meshtastic implements Convention {
	readonly name = "meshtastic";
	readonly #prefix: string;
	readonly #nodes = new Things((address) => new Thing(address));
	/** `from id` of the last packets. */
	readonly #seen = new Set<string>();
	/** Gateways that tell what they send themselves: those whose channel has an uplink. */
	readonly #telling = new Set<string>();

	constructor(options: { readonly prefix?: string } = {}) {
		this.#prefix = options.prefix ?? "msh";
	}

	/** A region is none, one or several levels; the encrypted packets beside the JSON ones are not wanted. */
	filters(): readonly string[] {
		return ["", "/+", "/+/+", "/+/+/+"].flatMap((region) => [`${this.#prefix}${region}/2/json/+/+`, `${this.#prefix}${region}/2/stat/+`]);
	}

	hear(message: Message): Meaning | undefined {
		if (!message.topic.startsWith(`${this.#prefix}/`)) return undefined;
		const levels = message.topic.split("/");
		const gateway = levels.at(-1)!;
		if (levels.at(-2) === "stat") return this.#stat(gateway, message);
		const root = levels.slice(0, -2).join("/");
		if (levels.at(-3) !== "json" || !/^![0-9a-f]{1,8}$/i.test(gateway)) return NOTHING;
		const payload = new Payload(message);
		const json = payload.json;
		const draft = new Draft(message);
		if (payload.empty) return NOTHING;
		if (!isObject(json)) draft.misfit(message.topic, payload.fault ?? "Cannot read a packet: it is no object");
		else {
			const from = json["from"];
			const address = isNumber(from) ? nodeId(from) : undefined;
			if (address === undefined) draft.misfit(message.topic, "Cannot read a packet: there is no sender in \"from\"");
			else if (this.#isNew(`${address} ${isNumber(json["id"]) ? json["id"].text : ""}`, isNumber(json["id"]))) this.#packet(draft, address, json, root, gateway);
		}
		return draft.finish();
	}

	command(address: string, point: string, value: Value): readonly OutMessage[] | undefined {
		return this.#nodes.get(address)?.command(point, value);
	}

	/** `online` or `offline` of a gateway node. */
	#stat(gateway: string, message: Message): Meaning {
		const word = new Payload(message).text.trim();
		if ((word !== "online" && word !== "offline") || !/^![0-9a-f]{8}$/i.test(gateway)) return NOTHING;
		const node = this.#nodes.take(gateway.toLowerCase());
		if (!node) return NOTHING;
		const draft = new Draft(message);
		draft.touch(node);
		draft.say(node.address, word);
		return draft.finish();
	}

	/** The same packet comes once through each gateway that heard it. */
	#isNew(key: string, hasId: boolean): boolean {
		if (!hasId) return true;
		if (this.#seen.has(key)) return false;
		this.#seen.add(key);
		if (this.#seen.size > MAX_SEEN) this.#seen.delete(this.#seen.values().next().value!);
		return true;
	}

	/** A text to a node is confirmed by its gateway's word that it was sent on the radio, once it is known that this gateway gives it. */
	#texts(gateway: string): Point {
		const base = { kind: "text", maxLength: MAX_TEXT, label: "Send a text" } as const;
		return this.#telling.has(gateway) ? { ...base, access: "rw", category: "status" } : { ...base, access: "w" };
	}

	/** A gateway has sent a text on the radio. */
	#sent(draft: Draft, gateway: string, to: Json | undefined, body: Json | undefined): void {
		const node = isNumber(to) ? this.#nodes.get(nodeId(to) ?? "") : undefined;
		const before = node?.entry("send_text");
		const text = isObject(body) ? body["text"] : body;
		if (!node || !before || typeof text !== "string" || draft.retained) return;
		if (this.#telling.size < MAX_TELLING) this.#telling.add(gateway);
		const spec = { ...before, point: this.#texts(gateway) };
		node.declare("send_text", spec);
		if (spec.point.access === "rw") draft.tell(node, "send_text", text, spec);
	}

	#packet(draft: Draft, address: string, json: { readonly [key: string]: Json }, root: string, gateway: string): void {
		const node = this.#nodes.take(address);
		if (!node) return;
		draft.hear(node);
		const body = json["payload"];
		const type = json["type"];
		const stamp = json["timestamp"];
		const at = isNumber(stamp) ? plausible(stamp.number * 1_000) : undefined;
		const sender = gateway.toLowerCase();
		if (address === sender && type === "text") this.#sent(draft, sender, json["to"], body);
		node.declare("send_text", { point: this.#texts(sender), send: (value) => sendText(root, gateway, address, value) });
		const tell = (name: string, value: Value): void => {
			const known = (Object.hasOwn(MEMBERS, name) ? MEMBERS[name] : undefined) ?? {};
			const said = known.as && isNumeric(value) ? (numericFromText(`${value.text}e-${known.as[1]}`) ?? value) : value;
			const kept = known.unit !== undefined && !isNumeric(said) ? {} : known;
			draft.tell(node, known.as?.[0] ?? name, said, { point: pointFor(said, kept) }, at);
		};
		if (typeof body === "string") {
			if (type !== "sendtext" && body !== "") tell("text", body);
		} else if (isObject(body) && type !== "sendtext" && type !== "sendposition") {
			if (type === "nodeinfo") node.know({ name: wordOf(body["longname"]), manufacturer: "Meshtastic" });
			for (const [path, value] of scalars(body)) {
				// Lists are routes and neighbours: what others have heard.
				if (path !== "" && !path.includes("[") && !LEFT_OUT.has(path) && value !== "") tell(path, value);
			}
		}
		for (const [name, unit] of [["rssi", "dBm"], ["snr", "dB"]] as const) {
			const value = json[name];
			if (isNumber(value)) draft.tell(node, name, value, { point: { kind: "numeric", access: "r", unit, category: "status", label: name === "rssi" ? "Signal of the last hop" : "Signal-to-noise ratio of the last hop" } }, at);
		}
	}
}

/** `2130636288` → `!7efeee00`. */
function nodeId(from: Numeric): string | undefined {
	const { number } = from;
	const unsigned = number < 0 ? number + 2 ** 32 : number;
	return Number.isInteger(unsigned) && unsigned > 0 && unsigned < 2 ** 32 ? `!${unsigned.toString(16).padStart(8, "0")}` : undefined;
}

/** A gateway sends what it hears on its channel `mqtt`, where its owner has allowed that. */
function sendText(root: string, gateway: string, address: string, value: Value): readonly OutMessage[] {
	const number = (id: string): number => parseInt(id.slice(1), 16);
	return out(`${root}/mqtt/`, JSON.stringify({ from: number(gateway), to: number(address), type: "sendtext", payload: textOf(value) }));
}

function wordOf(json: Json | undefined): string | undefined {
	return typeof json === "string" ? json : undefined;
}
