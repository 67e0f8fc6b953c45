// The Things Stack v3: v3/<application>[@<tenant>]/devices/<device>/up and join.
// Source: https://www.thethingsindustries.com/docs/integrations/pub-sub/mqtt/, https://www.thethingsindustries.com/docs/the-things-stack/concepts/data-formats/
// Version: The Things Stack 3.x
//
// The address of a device is its DevEUI, in lower case; its name is its device id. Points are what its payload formatter says, by path.
// Downlinks are opaque bytes of which no message says what they do: there is nothing to set.

import type { UnixMillis } from "../../core/clock.js";
import type { Unit } from "../../core/unit.js";
import { asValue, isArray, isObject, type Json, type JsonObject } from "../json.js";
import type { Message, OutMessage } from "../link.js";
import { type Meaning, NOTHING } from "../meaning.js";
import type { Convention } from "./convention.js";
import { receptionReadings, scriptReadings, statusReading } from "./lorawan.js";
import { type Facts, joined, Observed, type Seen } from "./observed.js";
import { Payload } from "./payload.js";
import { type Quantity, wordsOf } from "./quantity.js";
import { timeFrom } from "./times.js";

/** Units of the normalized payload, which the schema fixes: https://github.com/TheThingsNetwork/lorawan-devices/blob/master/lib/payload.json. */
const NORMALIZED: Readonly<Record<string, Unit>> = {
	battery: "V", "air.temperature": "°C", "air.relativehumidity": "%", "air.pressure": "hPa", "air.co2": "ppm", "air.lightintensity": "lx", "air.location": "°",
	"soil.depth": "cm", "soil.moisture": "%", "soil.temperature": "°C", "soil.ph": "pH", "wind.speed": "m/s", "wind.direction": "°", "rain.intensity": "mm/h", "rain.cumulative": "mm",
	"water.temperature.current": "°C", "water.temperature.min": "°C", "water.temperature.max": "°C", "water.temperature.avg": "°C", "water.flow.current": "L/min", "metering.water.total": "L",
	"position.latitude": "°", "position.longitude": "°",
};

export class TheThingsStack implements Convention {
	readonly name = "ttn";
	readonly #devices = new Observed();

	filters(): readonly string[] {
		return ["v3/+/devices/+/up", "v3/+/devices/+/join"];
	}

	hear(message: Message): Meaning | undefined {
		const [version, application, devices, device, ...event] = message.topic.split("/");
		if (version !== "v3" || devices !== "devices" || !application || !device || event.length === 0) return undefined;
		const kind = event.join("/");
		// Downlinks, service data and solved locations are the server's business: no readings.
		if (kind !== "up" && kind !== "join") return NOTHING;
		const payload = new Payload(message);
		const json = payload.json;
		if (!isObject(json)) return { misfits: [{ where: message.topic, reason: payload.fault ?? "Cannot read an uplink: it is no object", sample: payload.sample }] };
		const ids = objectOf(json["end_device_ids"]);
		const name = wordOf(ids?.["device_id"]) ?? device;
		const address = (wordOf(ids?.["dev_eui"]) ?? `${application.split("@")[0]}/${name}`).toLowerCase();
		const uplink = objectOf(json["uplink_message"]);
		const at = timeFrom(json["received_at"]) ?? timeFrom(uplink?.["received_at"]);
		const facts: Facts = { address, name, ...versionsOf(objectOf(uplink?.["version_ids"])) };
		if (kind === "join" || !uplink) return joined([this.#devices.see(facts, []), { states: [{ address, state: "online" }], heard: [address] }], !message.retained);
		return joined([this.#devices.see(facts, readings(uplink, at)), { heard: [address] }], !message.retained);
	}

	command(address: string, point: string): readonly OutMessage[] | undefined {
		return this.#devices.refuse(address, point);
	}
}

function readings(uplink: JsonObject, at: UnixMillis | undefined): Seen[] {
	const decoded = isObject(uplink["decoded_payload"]) ? scriptReadings(uplink["decoded_payload"], at) : [];
	const names = new Set(decoded.map(({ point }) => wordsOf(point.split(".").at(-1)!)));
	// What both have is told once, by the name that the device's own decoder gives it.
	const normalized = (isArray(uplink["normalized_payload"]) ? uplink["normalized_payload"] : []).flatMap((one) => scriptReadings(one, at, normalizedQuantity)).filter(({ point }) => !names.has(wordsOf(point.split(".").at(-1)!)));
	const told = new Map([...decoded, ...normalized].map((one) => [one.point.toLowerCase(), one]));
	const raw = told.size === 0 ? statusReading("frm_payload", uplink["frm_payload"], at) : [];
	const battery = objectOf(uplink["last_battery_percentage"])?.["value"];
	const server = [...receptionReadings(uplink["rx_metadata"], ["snr"], at), ...statusReading("f_cnt", uplink["f_cnt"], at), ...statusReading("f_port", uplink["f_port"], at), ...statusReading("last_battery_percentage", battery, at, "%")];
	return [...told.values(), ...raw, ...server.filter(({ point }) => !told.has(point))];
}

function normalizedQuantity(path: string): Quantity {
	const unit = Object.hasOwn(NORMALIZED, path.toLowerCase()) ? NORMALIZED[path.toLowerCase()] : undefined;
	return { ...(unit !== undefined && { unit }), ...(path === "battery" && { category: "status" }) };
}

function versionsOf(versions: JsonObject | undefined): Omit<Facts, "address"> {
	const [manufacturer, model, firmware] = [wordOf(versions?.["brand_id"]), wordOf(versions?.["model_id"]), wordOf(versions?.["firmware_version"])];
	return { ...(manufacturer !== undefined && { manufacturer }), ...(model !== undefined && { model }), ...(firmware !== undefined && { firmware }) };
}

function objectOf(json: Json | undefined): JsonObject | undefined {
	return isObject(json) ? json : undefined;
}

function wordOf(json: Json | undefined): string | undefined {
	const value = asValue(json);
	return typeof value === "string" && value.trim() !== "" ? value.trim().slice(0, 200) : undefined;
}
