// Frigate NVR: <prefix>/<camera>/… says what a camera sees, <prefix>/events, /reviews and /tracked_object_update what is followed.
// Source: https://docs.frigate.video/integrations/mqtt/

import type { Point } from "../../core/point.js";
import type { Unit } from "../../core/unit.js";
import { numericFromText, type Numeric, type Value } from "../../core/value.js";
import { asValue, atPath, isArray, isNumber, isObject, type Json, type JsonObject } from "../json.js";
import type { Message, OutMessage } from "../link.js";
import { type Meaning, NOTHING } from "../meaning.js";
import type { Convention } from "./convention.js";
import { Draft, out, pointFor, type Spec, Thing, Things, truthOf } from "./learned.js";
import { Payload, valueJson } from "./payload.js";
import { plausible } from "./times.js";

/** What can be switched, or set, for a camera: `<camera>/<feature>/state` says it and `…/set` takes it. */
const NUMBERS: Readonly<Record<string, readonly [min: number, max: number]>> = { motion_threshold: [1, 255], motion_contour_area: [1, 10_000] };
const CHOICES: Readonly<Record<string, readonly string[]>> = { birdseye_mode: ["CONTINUOUS", "MOTION", "OBJECTS"] };
/** Members of `after` of an event that are worth a point; a box or a path is none. */
const EVENT = [
	"id", "label", "sub_label", "score", "top_score", "false_positive", "stationary", "active", "current_zones", "entered_zones", "has_snapshot", "has_clip", "current_estimated_speed", "average_estimated_speed",
	"recognized_license_plate", "motionless_count", "position_changes", "severity", "data.objects", "data.zones", "data.sub_labels", "data.audio",
];
/** What the statistics say of each camera. */
const CAMERA_STATS = ["camera_fps", "process_fps", "skipped_fps", "detection_fps", "detection_enabled"];
const MAX_CAMERAS = 256;

export class Frigate implements Convention {
	readonly name = "frigate";
	readonly #prefix: string;
	readonly #things = new Things((address) => new Thing(address));

	constructor(options: { readonly prefix?: string } = {}) {
		this.#prefix = options.prefix ?? "frigate";
	}

	filters(): readonly string[] {
		const at = (rest: string): string => `${this.#prefix}/${rest}`;
		// Not `#`: the snapshots are pictures, at a level of their own.
		return [at("+"), at("+/+"), at("+/+/state"), at("+/+/active"), at("+/audio/+"), at("+/status/+"), at("+/classification/+")];
	}

	hear(message: Message): Meaning | undefined {
		if (!message.topic.startsWith(`${this.#prefix}/`)) return undefined;
		const levels = message.topic.slice(this.#prefix.length + 1).split("/");
		if (message.payload.length === 0 || levels.includes("")) return NOTHING;
		const draft = new Draft(message);
		if (levels.length === 1) this.#service(draft, levels[0]!, new Payload(message));
		else this.#camera(draft, levels, message);
		return draft.finish();
	}

	command(address: string, point: string, value: Value): readonly OutMessage[] | undefined {
		return this.#things.get(address)?.command(point, value);
	}

	#thing(camera: string | undefined): Thing | undefined {
		const thing = this.#things.take(camera === undefined ? this.#prefix : `${this.#prefix}/${camera}`);
		thing?.know({ manufacturer: "Frigate", type: camera === undefined ? "server" : "camera", ...(camera !== undefined && { name: camera }) });
		return thing;
	}

	#service(draft: Draft, topic: string, payload: Payload): void {
		const json = payload.json;
		switch (topic) {
			case "available": {
				const word = payload.text.trim();
				const service = word === "online" || word === "offline" ? this.#thing(undefined) : undefined;
				if (!service || (word !== "online" && word !== "offline")) return;
				draft.touch(service);
				for (const thing of this.#things.values()) draft.say(thing.address, word, ...(word === "offline" && thing !== service ? ["Frigate is offline"] : []));
				return;
			}
			case "events": case "reviews": return isObject(json) ? this.#event(draft, topic, json) : draft.misfit(topic, payload.fault ?? "Cannot read an event: it is no object");
			case "tracked_object_update": return isObject(json) ? this.#update(draft, topic, json) : draft.misfit(topic, payload.fault ?? "Cannot read an update: it is no object");
			case "stats": return isObject(json) ? this.#stats(draft, json) : draft.misfit(topic, payload.fault ?? "Cannot read the statistics: they are no object");
			default: return; // restart, onConnect, camera_activity
		}
	}

	/** What holds of a tracked object now is in `after`; the camera is the device. */
	#event(draft: Draft, topic: string, json: JsonObject): void {
		const after = json["after"];
		const camera = isObject(after) && typeof after["camera"] === "string" ? this.#thing(after["camera"]) : undefined;
		if (!camera || !isObject(after)) return;
		const stamp = after["frame_time"];
		const at = isNumber(stamp) ? plausible(stamp.number * 1_000) : undefined;
		const tell = (name: string, said: Value | undefined): void => {
			if (said !== undefined) draft.tell(camera, `${topic}.${name}`, said, { point: pointFor(said) }, at);
		};
		draft.hear(camera);
		tell("type", asValue(json["type"]));
		for (const path of EVENT) tell(`after.${path}`, listed(atPath(after, path)));
	}

	#update(draft: Draft, topic: string, json: JsonObject): void {
		const camera = typeof json["camera"] === "string" ? this.#thing(json["camera"]) : undefined;
		if (!camera) return;
		const stamp = json["timestamp"];
		const at = isNumber(stamp) ? plausible(stamp.number * 1_000) : undefined;
		draft.hear(camera);
		for (const [name, member] of Object.entries(json)) {
			const said = name === "camera" || name === "timestamp" ? undefined : listed(member);
			if (said !== undefined) draft.tell(camera, `${topic}.${name}`, said, { point: pointFor(said) }, at);
		}
	}

	#stats(draft: Draft, json: JsonObject): void {
		const service = this.#thing(undefined);
		if (!service) return;
		draft.hear(service);
		const tell = (thing: Thing, name: string, json: Json | undefined, unit?: Unit): void => {
			const said = asValue(json);
			if (said !== undefined) draft.tell(thing, name, said, { point: pointFor(said, { category: "status", ...(unit !== undefined && { unit }) }) });
		};
		const about = json["service"];
		if (isObject(about)) {
			service.know({ firmware: typeof about["version"] === "string" ? about["version"] : undefined });
			tell(service, "service.version", about["version"]);
			tell(service, "service.uptime", about["uptime"], "s");
		}
		tell(service, "detection_fps", json["detection_fps"]);
		const detectors = json["detectors"];
		if (isObject(detectors)) for (const [name, one] of Object.entries(detectors).slice(0, 16)) tell(service, `detectors.${name}.inference_speed`, isObject(one) ? one["inference_speed"] : undefined, "ms");
		const cameras = json["cameras"];
		if (!isObject(cameras)) return;
		for (const [name, one] of Object.entries(cameras).slice(0, MAX_CAMERAS)) {
			const camera = isObject(one) && !name.includes("/") ? this.#thing(name) : undefined;
			if (camera && isObject(one)) for (const key of CAMERA_STATS) tell(camera, key, one[key]);
		}
	}

	#camera(draft: Draft, levels: readonly string[], message: Message): void {
		const [camera, what, last] = levels;
		// Pictures, and what others wish.
		if (levels.length > 3 || last === "set" || last === "snapshot" || last === "suspend" || last === "thumbnail" || what === "set" || what === "ptz" || what === "snapshot") return;
		if (message.payload.length > MAX_WORD) return;
		const word = new Payload(message).text.trim();
		const thing = this.#thing(camera!);
		if (!thing) return;
		const tell = (name: string, said: Value, spec: Spec): void => draft.tell(thing, name, said, spec);
		const misfit = (): void => draft.misfit(message.topic, "Cannot read it: neither a number nor ON or OFF");
		if (what === "status" && last !== undefined) return tell(`status/${last}`, word, { point: { kind: "text", access: "r", category: "status" } });
		if (what === "review_status" || what === "classification" || (what === "audio" && last === "transcription")) return tell(last === undefined ? what : `${what}/${last}`, word, { point: { kind: "text", access: "r" } });
		if (last === "state") {
			const feature = `${this.#prefix}/${camera}/${what}/set`;
			// Whether motion is looked for; `motion` itself says whether there is some.
			const spec = settingOf(what!, feature);
			return tell(what === "motion" ? "motion/state" : what!, word, spec);
		}
		const name = last === undefined ? what! : `${what}/${last}`;
		const said = numericFromText(word) ?? truthOf(word);
		if (said === undefined) return misfit();
		tell(name, said, { point: pointFor(said, unitOf(name)) });
	}
}

/** Counts, ON and OFF, and words like ALERT are short. */
const MAX_WORD = 2_048;

function unitOf(name: string): { readonly unit?: Unit } {
	return name === "audio/dBFS" ? { unit: "dB" } : {};
}

function settingOf(feature: string, topic: string): Spec {
	const range = Object.hasOwn(NUMBERS, feature) ? NUMBERS[feature] : undefined;
	if (range) return { point: { kind: "numeric", access: "rw", category: "status", min: range[0], max: range[1], integer: true }, send: (value) => out(topic, valueJson(value)) };
	const labels = Object.hasOwn(CHOICES, feature) ? CHOICES[feature] : undefined;
	if (labels) return { point: { kind: "enum", access: "rw", category: "status", labels }, send: (value) => out(topic, String(value)) };
	const point: Point = { kind: "boolean", access: "rw", category: "status" };
	return { point, send: (value) => out(topic, value === true ? "ON" : "OFF") };
}

/** A scalar as it is; a list of words with commas; of `["Name", 0.79]` the name. */
function listed(json: Json | undefined): Value | undefined {
	const scalar = asValue(json);
	if (scalar !== undefined) return scalar === "" ? undefined : scalar;
	if (!isArray(json)) return undefined;
	const words = json.filter((one): one is string | Numeric => typeof one === "string" || isNumber(one));
	const texts = words.filter((one) => typeof one === "string");
	return texts.length === 0 && words.length > 0 ? undefined : texts.slice(0, 32).join(",");
}
