// OwnTracks: owntracks/<user>/<device> says where a phone is.
// Source: https://owntracks.org/booklet/tech/json/ and /booklet/tech/mqtt/

import type { Category, Point } from "../../core/point.js";
import type { Unit } from "../../core/unit.js";
import { numericFromNumber, numericFromText, type Value } from "../../core/value.js";
import { asValue, isArray, isNumber, isObject, type Json, type JsonObject } from "../json.js";
import type { Message, OutMessage } from "../link.js";
import { type Meaning, NOTHING } from "../meaning.js";
import type { Convention } from "./convention.js";
import { Draft, out, pointFor, Thing, Things } from "./learned.js";
import { Payload } from "./payload.js";
import { plausible } from "./times.js";

interface Known {
	readonly unit?: Unit;
	readonly category?: Category;
	/** Minus one means unknown. */
	readonly signed?: false;
}

/** The members of all messages that are worth a point, as the booklet documents them. What is not here (pictures, settings, members of forks) is left alone. */
const MEMBERS: Readonly<Record<string, Known>> = {
	lat: { unit: "°" }, lon: { unit: "°" }, acc: { unit: "m", signed: false }, alt: { unit: "m" }, vac: { unit: "m", signed: false }, vel: { unit: "km/h", signed: false }, cog: { unit: "°", signed: false }, p: { unit: "kPa" }, rad: { unit: "m" }, dist: { unit: "m" }, trip: { unit: "m" },
	batt: { unit: "%", category: "status", signed: false }, bs: { category: "status" }, conn: { category: "status" }, SSID: { category: "status" }, BSSID: { category: "status" }, m: { category: "status" }, t: { category: "status" }, tag: { category: "status" }, poi: {},
	tid: { category: "identity" }, name: { category: "identity" }, event: {}, desc: {}, steps: {}, from: { category: "status" }, to: { category: "status" }, floorsup: {}, floorsdown: {}, distance: { unit: "m" },
	uuid: { category: "identity" }, major: { category: "identity" }, minor: { category: "identity" }, prox: {}, rssi: { unit: "dBm", category: "status" }, topic: { category: "status" },
};

/** What a phone can be asked to do, remote commands; and the type of message that answers each. A location answers when its trigger says so. */
const ANSWERS: Readonly<Record<string, string>> = { reportLocation: "location", reportSteps: "steps", reportStatus: "status", dump: "dump", waypoints: "waypoints" };
const ACTIONS = Object.keys(ANSWERS);
/** `t`: this is the answer to reportLocation. */
const ASKED = "r";

export class OwnTracks implements Convention {
	readonly name = "owntracks";
	readonly #prefix: string;
	readonly #phones = new Things((address) => new Thing(address));

	constructor(options: { readonly prefix?: string } = {}) {
		this.#prefix = options.prefix ?? "owntracks";
	}

	filters(): readonly string[] {
		return [`${this.#prefix}/+/+`, `${this.#prefix}/+/+/+`];
	}

	hear(message: Message): Meaning | undefined {
		if (!message.topic.startsWith(`${this.#prefix}/`)) return undefined;
		const [user, device, last, ...more] = message.topic.slice(this.#prefix.length + 1).split("/");
		const payload = new Payload(message);
		if (user === undefined || user === "" || device === undefined || device === "" || more.length > 0 || last === "cmd" || payload.empty) return NOTHING;
		const draft = new Draft(message);
		const base = `${this.#prefix}/${user}/${device}`;
		const json = payload.json;
		if (isObject(json)) this.#object(draft, base, json);
		else if (json === undefined && this.#short(draft, base, payload.text)) return draft.finish();
		else if (!isArray(json)) draft.misfit(base, payload.fault ?? "Cannot read the message: it is no object");
		return draft.finish();
	}

	command(address: string, point: string, value: Value): readonly OutMessage[] | undefined {
		return this.#phones.get(address)?.command(point, value);
	}

	#phone(base: string): Thing | undefined {
		const known = this.#phones.get(base);
		const phone = known ?? this.#phones.take(base);
		if (phone && !known) {
			phone.know({ type: "tracker" });
			const point: Point = { kind: "enum", access: "rw", category: "status", labels: ACTIONS, label: "Ask for" };
			phone.declare("cmd", { point, send: (value) => out(`${base}/cmd`, JSON.stringify({ _type: "cmd", action: value })) });
		}
		return phone;
	}

	#object(draft: Draft, base: string, json: JsonObject): void {
		const type = json["_type"];
		this.#answered(draft, base, type, json["t"]);
		switch (type) {
			case "location": case "transition": case "steps": case "step": case "beacon": case "card": case "status": return this.#members(draft, base, json, "");
			// Where a place is, not where the phone is.
			case "waypoint": return this.#members(draft, base, json, "waypoint.");
			case "lwt": {
				const phone = this.#phone(base);
				if (!phone) return;
				draft.touch(phone);
				return draft.say(phone.address, "offline", "its connection is gone");
			}
			case "encrypted": return draft.misfit(base, "Cannot read the message: it is encrypted, and the key is its owner's");
			default: return; // commands, settings, lists of waypoints
		}
	}

	/** What it was asked for last, by its answer: of now, whenever what it tells was measured. */
	#answered(draft: Draft, base: string, type: Json | undefined, trigger: Json | undefined): void {
		const action = draft.retained ? undefined : ACTIONS.find((one) => ANSWERS[one] === type);
		const point = this.#phones.get(base)?.entry("cmd")?.point;
		if (action === undefined || !point || (type === "location" && trigger !== ASKED)) return;
		draft.tell(this.#phones.get(base)!, "cmd", action, { point });
	}

	#members(draft: Draft, base: string, json: JsonObject, prefix: string): void {
		const phone = this.#phone(base);
		if (!phone) return;
		draft.hear(phone);
		if (json["_type"] === "card" && typeof json["name"] === "string") phone.know({ name: json["name"] });
		const at = isNumber(json["tst"]) ? plausible(json["tst"].number * 1_000) : undefined;
		for (const [name, member] of Object.entries(json)) {
			const known = Object.hasOwn(MEMBERS, name) ? MEMBERS[name]! : undefined;
			const value = asValue(member);
			if (!known || value === undefined || value === "" || (known.signed === false && isNumber(member) && member.number < 0)) continue;
			draft.tell(phone, `${prefix}${name}`, value, { point: pointFor(value, known) }, at);
		}
		const regions = json["inregions"];
		if (isArray(regions)) draft.tell(phone, "inregions", regions.filter((one) => typeof one === "string").slice(0, 32).join(","), { point: { kind: "text", access: "r", category: "status" } }, at);
		// What the apps tell of themselves: { "_type": "status", "iOS": { … } }.
		if (json["_type"] === "status") {
			for (const [system, facts] of Object.entries(json)) {
				if (!isObject(facts)) continue;
				for (const [name, fact] of Object.entries(facts)) {
					const value = asValue(fact);
					if (value !== undefined && value !== "") draft.tell(phone, `${system}.${name}`, value, { point: pointFor(value, { category: "status" }) }, at);
				}
			}
		}
	}

	/** The short form of small trackers: `tid,tst,t,lat,lon,cog,vel,alt,dist,trip`, the time in hexadecimal and the rest scaled. */
	#short(draft: Draft, base: string, text: string): boolean {
		const fields = text.length > MAX_SHORT ? [] : text.trim().split(",");
		if (fields.length !== 10 || !/^[0-9a-f]{8}$/i.test(fields[1]!) || !fields.slice(3).every((field) => /^-?\d{1,12}$/.test(field))) return false;
		const phone = this.#phone(base);
		if (!phone) return true;
		const at = plausible(parseInt(fields[1]!, 16) * 1_000);
		const tell = (name: string, value: Value | undefined): void => {
			if (value !== undefined && value !== "") draft.tell(phone, name, value, { point: pointFor(value, MEMBERS[name]) }, at);
		};
		const times = (field: number, factor: number): Value | undefined => numericFromNumber(Number(fields[field]) * factor);
		tell("tid", fields[0]);
		tell("t", fields[2]);
		tell("lat", numericFromText(`${fields[3]}e-6`));
		tell("lon", numericFromText(`${fields[4]}e-6`));
		tell("cog", times(5, 10));
		tell("vel", times(6, 1));
		tell("alt", times(7, 10));
		tell("dist", times(8, 1));
		tell("trip", times(9, 1_000));
		return true;
	}
}

const MAX_SHORT = 200;
