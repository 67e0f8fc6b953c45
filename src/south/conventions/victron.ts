// Victron Venus OS (GX): N/<portal>/<service>/<instance>/<path> says a value, W/… takes one, R/… asks.
// Source: https://github.com/victronenergy/dbus-flashmq (README), https://github.com/victronenergy/venus/wiki/dbus
//
// A GX says nothing until it is asked, and falls silent 60 s after it was asked last. There is no clock here: it is asked with the
// first message of a portal (the retained serial number of old versions, or anything), and again with every so many messages.

import type { Point } from "../../core/point.js";
import { isNumeric, type Value } from "../../core/value.js";
import { asValue, isNumber, isObject, type JsonObject, scalars } from "../json.js";
import type { Message, OutMessage } from "../link.js";
import { type Meaning, NOTHING } from "../meaning.js";
import type { Convention } from "./convention.js";
import { Draft, out, pointFor, type Spec, Thing, Things } from "./learned.js";
import { Payload, valueJson } from "./payload.js";
import { isSettable, placeUnit, sortOf } from "./victron-paths.js";

/** Systems behind one broker. */
const MAX_PORTALS = 200;
/** A small system tells some ten changes a minute, a usual one as many a second; a question more costs 60 bytes. */
const ASK_EVERY = 10;
/** While everything is told again nothing needs to be asked; a large system has some thousand values. */
const MAX_SNAPSHOT = 5_000;
/** What wakes it up, and what keeps it awake without telling all again. */
const WAKE = "";
const STAY = '{"keepalive-options":["suppress-republish"]}';

interface Portal {
	/** Messages until it is asked again. */
	left: number;
}

export class Victron implements Convention {
	readonly name = "victron";
	readonly #services = new Things((address) => new Thing(address));
	readonly #portals = new Map<string, Portal>();

	filters(): readonly string[] {
		return ["N/#"];
	}

	hear(message: Message): Meaning | undefined {
		const [letter, portal, service, instance, ...path] = message.topic.split("/");
		if (portal === undefined || portal === "" || service === undefined || !/^[NRW]$/.test(letter!)) return undefined;
		if (letter !== "N") return NOTHING; // what others ask and wish
		const draft = new Draft(message);
		this.#awake(draft, message, portal, service);
		if (instance === undefined || path.length === 0 || !/^\d{1,9}$/.test(instance)) return draft.finish();
		this.#told(draft, portal, service, instance, path.join("/"), new Payload(message));
		return draft.finish();
	}

	command(address: string, point: string, value: Value): readonly OutMessage[] | undefined {
		return this.#services.get(address)?.command(point, value);
	}

	/** Ask for all when a portal is new, and keep it awake. */
	#awake(draft: Draft, message: Message, portal: string, service: string): void {
		const ask = (payload: string): void => draft.send(`R/${portal}/keepalive`, payload);
		const known = this.#portals.get(portal);
		if (!known) {
			if (this.#portals.size >= MAX_PORTALS) return;
			this.#portals.set(portal, { left: MAX_SNAPSHOT });
			ask(WAKE);
		} else if (service === "full_publish_completed") known.left = ASK_EVERY;
		else if (!message.retained && --known.left <= 0) {
			known.left = ASK_EVERY;
			ask(STAY);
		}
	}

	#told(draft: Draft, portal: string, service: string, instance: string, path: string, payload: Payload): void {
		const address = `gx/${portal}/${service}/${instance}`;
		const known = this.#services.get(address);
		if (payload.empty) {
			// Every topic of a device that left the bus is emptied.
			if (known) draft.say(address, "offline", "it has left the bus of the GX");
			return;
		}
		const json = payload.json;
		if (!isObject(json) || !("value" in json)) return draft.misfit(`${address}/${path}`, payload.fault ?? "Cannot read a value: there is no \"value\"");
		const value = json["value"];
		const thing = known ?? (value === null ? undefined : this.#services.take(address));
		if (!thing) return;
		if (known === undefined) thing.know({ manufacturer: "Victron Energy", type: sortOf(service) });
		if (path === "Connected" && isNumber(value)) draft.say(address, value.number === 0 ? "offline" : "online");
		if (value === null) return void draft.hear(thing); // known, and no value now
		const scalar = asValue(value);
		if (typeof scalar === "string") thing.know({ name: path === "CustomName" ? scalar : undefined, model: path === "ProductName" ? scalar : undefined, firmware: path === "FirmwareVersion" ? scalar : undefined });
		draft.hear(thing);
		if (scalar !== undefined) draft.tell(thing, path, scalar, specOf(portal, service, instance, path, scalar, json));
		else if (value !== undefined) for (const [part, one] of scalars(value)) draft.tell(thing, `${path}${part.startsWith("[") ? "" : "."}${part}`, one, { point: pointFor(one) });
	}
}

function specOf(portal: string, service: string, instance: string, path: string, said: Value, json: JsonObject): Spec {
	const { unit, category } = placeUnit(service, path);
	const base = pointFor(said, { ...(isNumeric(said) && unit !== undefined && { unit }), ...(category !== undefined && { category }) });
	if (!isSettable(service, path)) return { point: base };
	const [min, max] = [json["min"], json["max"]];
	// The settings write max 0 and min 0 for "no bounds".
	const bounds = isNumber(min) && isNumber(max) && min.number < max.number ? { min: min.number, max: max.number } : {};
	const point: Point = base.kind === "numeric" ? { ...base, access: "rw", ...bounds } : { ...base, access: "rw" };
	return { point, send: (value) => out(`W/${portal}/${service}/${instance}/${path}`, `{"value":${valueJson(value)}}`) };
}
