// Victron Venus OS (GX): N/<portal>/<service>/<instance>/<path> says a value, W/… takes one, R/… asks.
// Source: https://github.com/victronenergy/dbus-flashmq (README), https://github.com/victronenergy/venus/wiki/dbus
//
// A GX says nothing until it is asked, and falls silent 60 s after it was asked last. It is asked with the first message of its portal
// (the retained serial number, or anything that somebody else's question brought up), and then by time.

import type { Millis, UnixMillis } from "../../core/clock.js";
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
/** Half of the minute that it stays awake: one question may be lost. */
const ASK_EVERY: Millis = 30_000;
/** Heard from no more for as long as it stays awake: what it said meanwhile is not known here. */
const ASLEEP_AFTER: Millis = 60_000;
/** What wakes it up, and what keeps it awake without telling all again. */
const WAKE = "";
const STAY = '{"keepalive-options":["suppress-republish"]}';

interface Portal {
	asked: UnixMillis | undefined;
	/** When it was heard last, live. */
	heard: UnixMillis | undefined;
}

export class Victron implements Convention {
	readonly name = "victron";
	readonly #services = new Things((address) => new Thing(address));
	readonly #portals = new Map<string, Portal>();

	filters(): readonly string[] {
		return ["N/#"];
	}

	/** Keeps each portal awake; one that fell silent is asked for all. */
	due(now: UnixMillis): readonly OutMessage[] {
		return [...this.#portals].flatMap(([name, portal]) => {
			// A clock that was set back counts as time that has passed.
			if (portal.asked !== undefined && now >= portal.asked && now - portal.asked < ASK_EVERY) return [];
			const isAwake = portal.heard !== undefined && now - portal.heard < ASLEEP_AFTER;
			portal.asked = now;
			return out(`R/${name}/keepalive`, isAwake ? STAY : WAKE);
		});
	}

	hear(message: Message, received?: UnixMillis): Meaning | undefined {
		const [letter, portal, service, instance, ...path] = message.topic.split("/");
		if (portal === undefined || portal === "" || service === undefined || !/^[NRW]$/.test(letter!)) return undefined;
		if (letter !== "N") return NOTHING; // what others ask and wish
		const draft = new Draft(message);
		this.#meet(draft, portal, message.retained ? undefined : received);
		if (instance === undefined || path.length === 0 || !/^\d{1,9}$/.test(instance)) return draft.finish();
		this.#told(draft, portal, service, instance, path.join("/"), new Payload(message));
		return draft.finish();
	}

	command(address: string, point: string, value: Value): readonly OutMessage[] | undefined {
		return this.#services.get(address)?.command(point, value);
	}

	/** A portal is there; a new one is asked for all that it knows. */
	#meet(draft: Draft, name: string, heard: UnixMillis | undefined): void {
		const known = this.#portals.get(name);
		if (known) known.heard = heard ?? known.heard;
		else if (this.#portals.size < MAX_PORTALS) {
			this.#portals.set(name, { asked: heard, heard });
			draft.send(`R/${name}/keepalive`, WAKE);
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
