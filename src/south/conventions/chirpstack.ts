// ChirpStack: application/<id>/device/<DevEUI>/event/<up|status|join|ack|txack|log|location|integration>, as JSON.
// Source: https://www.chirpstack.io/docs/chirpstack/integrations/events.html
// Version: ChirpStack 4, and 3 where its spelling differs
//
// The address of a device is its DevEUI, in lower case. Points are what its codec says, by path inside `object`; without a codec the bytes: `data`.
// Downlinks are bytes, or an object that only the codec's own author knows: there is nothing to set.

import type { UnixMillis } from "../../core/clock.js";
import { asValue, isArray, isNumber, isObject, type Json, type JsonObject } from "../json.js";
import type { Message, OutMessage } from "../link.js";
import { type Meaning, NOTHING } from "../meaning.js";
import type { Convention } from "./convention.js";
import { innerJson, receptionReadings, scriptReadings, statusReading } from "./lorawan.js";
import { pointFor } from "./learned.js";
import { type Facts, joined, Observed, type Seen } from "./observed.js";
import { Payload } from "./payload.js";
import { timeFrom } from "./times.js";

/** 255: it cannot say; 0: it is on mains. */
const NO_BATTERY = 255;

export class ChirpStack implements Convention {
	readonly name = "chirpstack";
	readonly #devices = new Observed();

	filters(): readonly string[] {
		return ["application/+/device/+/event/+"];
	}

	hear(message: Message): Meaning | undefined {
		const [root, application, device, id, events, event, ...more] = message.topic.split("/");
		if (root !== "application" || device !== "device" || !application || !id) return undefined;
		if (events !== "event" || !event || more.length > 0) return NOTHING;
		const payload = new Payload(message);
		const json = payload.json;
		if (!isObject(json)) return { misfits: [{ where: id, reason: `${payload.fault ?? "Cannot read an event: it is no object"}; the MQTT integration of ChirpStack has to send JSON, and not Protocol Buffers`, sample: payload.sample }] };
		const info = isObject(json["deviceInfo"]) ? json["deviceInfo"] : json;
		const stated = wordOf(info["devEui"]) ?? wordOf(info["devEUI"]);
		// ChirpStack 3 may write the id in base64.
		const address = (stated !== undefined && /^[0-9a-f]{16}$/i.test(stated) ? stated : id).toLowerCase();
		const [name, model] = [wordOf(info["deviceName"]), wordOf(info["deviceProfileName"])];
		const facts: Facts = { address, ...(name !== undefined && { name }), ...(model !== undefined && { model }) };
		const at = timeOf(json);
		const tell = (seen: readonly Seen[], ...others: readonly Meaning[]): Meaning => joined([this.#devices.see(facts, seen), ...others, { heard: [address] }], !message.retained);
		switch (event) {
			case "up": return tell(uplink(json, at));
			case "integration": return tell(isObject(json["object"]) ? scriptReadings(json["object"], at) : []);
			case "status": return tell(status(json, at));
			case "location": return tell(location(json["location"], at));
			case "join": return tell([], { states: [{ address, state: "online" }] });
			case "ack": return tell([]);
			// What the server has to say to people, and that a gateway has sent: no life of the device.
			case "log": case "txack": return this.#devices.see(facts, []);
			default: return NOTHING;
		}
	}

	command(address: string, point: string): readonly OutMessage[] | undefined {
		return this.#devices.refuse(address, point);
	}
}

function uplink(json: JsonObject, at: UnixMillis | undefined): Seen[] {
	const object = isObject(json["object"]) ? json["object"] : innerJson(json["objectJSON"]);
	const decoded = object === undefined ? [] : scriptReadings(object, at);
	const names = new Set(decoded.map(({ point }) => point.toLowerCase()));
	const data = json["data"];
	const raw: Seen[] = decoded.length === 0 && typeof data === "string" && data !== "" ? [{ point: "data", value: data, as: pointFor(data), ...(at !== undefined && { at }) }] : [];
	const server = [...receptionReadings(json["rxInfo"], ["snr", "loRaSNR", "lora_snr"], at), ...statusReading("fCnt", json["fCnt"], at), ...statusReading("fPort", json["fPort"], at)];
	return [...decoded, ...raw, ...server.filter(({ point }) => !names.has(point.toLowerCase()))];
}

function status(json: JsonObject, at: UnixMillis | undefined): Seen[] {
	const level = json["batteryLevel"] ?? json["battery"];
	const isMains = json["externalPowerSource"];
	const isKnown = isNumber(level) && level.number <= 100 && json["batteryLevelUnavailable"] !== true && isMains !== true && !(json["batteryLevel"] === undefined && level.number === NO_BATTERY);
	return [...(isKnown ? statusReading("batteryLevel", level, at, "%") : []), ...statusReading("margin", json["margin"], at, "dB"), ...(typeof isMains === "boolean" ? statusReading("externalPowerSource", isMains, at) : [])];
}

function location(json: Json | undefined, at: UnixMillis | undefined): Seen[] {
	if (!isObject(json)) return [];
	return ([["latitude", "°"], ["longitude", "°"], ["altitude", "m"], ["accuracy", "m"]] as const).flatMap(([key, unit]): Seen[] => {
		const value = json[key];
		return isNumber(value) ? [{ point: `location.${key}`, value, as: pointFor(value, { unit }), ...(at !== undefined && { at }) }] : [];
	});
}

/** The server's time; ChirpStack 3 has only those of the gateways. */
function timeOf(json: JsonObject): UnixMillis | undefined {
	const first = isArray(json["rxInfo"]) ? json["rxInfo"][0] : undefined;
	return timeFrom(json["time"]) ?? timeFrom(json["publishedAt"]) ?? (isObject(first) ? timeFrom(first["time"]) : undefined);
}

function wordOf(json: Json | undefined): string | undefined {
	const value = asValue(json);
	return typeof value === "string" && value.trim() !== "" ? value.trim().slice(0, 200) : undefined;
}
