// A Frigate NVR with two cameras.
// Source: https://docs.frigate.video/integrations/mqtt/
import { MqttNode, type MqttOptions, type Said } from "./mqtt-node.js";

export interface FrigateNvrOptions extends MqttOptions {
	/** Default `frigate`. */
	readonly prefix?: string;
}

/** What can be switched for each camera. */
const FEATURES = ["detect", "recordings", "snapshots", "motion"] as const;
export const CAMERAS = ["gate", "yard"] as const;

/**
 * The recorder.
 *
 *     frigate/available                       online, offline (will); retained
 *     frigate/stats                           once after each connect
 *     frigate/<camera>/<feature>/state        ON, OFF; retained
 *     frigate/<camera>/<feature>/set          ON, OFF
 *     frigate/<camera>/motion_threshold/state a number; retained
 *     frigate/<camera>/motion                 ON, OFF
 *     frigate/<camera>/<object>               how many; retained
 *     frigate/events                          one for each change of what is followed
 */
export class FrigateNvr {
	/** It hears commands and does nothing. */
	stuck = false;
	readonly #prefix: string;
	readonly #net: MqttNode;
	readonly #features = new Map<string, boolean>(CAMERAS.flatMap((camera) => FEATURES.map((feature) => [`${camera}/${feature}`, true] as const)));
	#threshold = 30;
	#persons = 0;

	constructor(options: FrigateNvrOptions) {
		this.#prefix = options.prefix ?? "frigate";
		this.#net = new MqttNode(options, {
			clientId: this.#prefix,
			will: { topic: `${this.#prefix}/available`, text: "offline" },
			subscriptions: [`${this.#prefix}/+/+/set`],
			announce: () => [
				this.#keep("available", "online"),
				...[...this.#features].map(([name, on]) => this.#keep(`${name}/state`, on ? "ON" : "OFF")),
				this.#keep("gate/motion_threshold/state", String(this.#threshold)),
				{ topic: `${this.#prefix}/stats`, text: JSON.stringify({ cameras: Object.fromEntries(CAMERAS.map((camera) => [camera, { camera_fps: 5.1, process_fps: 5, skipped_fps: 0, detection_fps: 0.4, detection_enabled: true }])), detectors: { cpu1: { inference_speed: 12.4 } }, detection_fps: 0.8, service: { uptime: 3600, version: "0.15.1" } }), qos: 1 },
			],
			farewell: () => [this.#keep("available", "offline")],
			hear: (topic, text) => this.#hear(topic.slice(this.#prefix.length + 1), text),
		});
	}

	/** The physical truth. */
	get state(): { readonly persons: number; readonly threshold: number; readonly features: Readonly<Record<string, boolean>> } {
		return { persons: this.#persons, threshold: this.#threshold, features: Object.fromEntries(this.#features) };
	}

	start(): Promise<void> {
		return this.#net.start();
	}

	stop(): Promise<void> {
		return this.#net.stop();
	}

	crash(): Promise<void> {
		return this.#net.crash();
	}

	/** Somebody comes to the gate. */
	visit(): void {
		this.#persons++;
		const object = { id: "1700000000.123456-abcdef", camera: "gate", frame_time: this.#net.clock.now() / 1000, label: "person", sub_label: null, score: 0.84, top_score: 0.91, false_positive: false, current_zones: ["street"], entered_zones: ["street"], stationary: false, active: true, has_clip: false, has_snapshot: true, box: [1, 2, 3, 4] };
		this.#say("gate/motion", "ON");
		this.#net.say(this.#keep("gate/person", String(this.#persons)));
		this.#say("events", JSON.stringify({ type: "new", before: { ...object, score: 0 }, after: object }));
	}

	#hear(rest: string, text: string): void {
		const name = rest.replace(/\/set$/, "");
		if (this.stuck) return;
		if (name === "gate/motion_threshold" && /^\d{1,3}$/.test(text)) {
			this.#threshold = Number(text);
			this.#net.say(this.#keep(`${name}/state`, text));
		} else if (this.#features.has(name) && (text === "ON" || text === "OFF")) {
			this.#features.set(name, text === "ON");
			this.#net.say(this.#keep(`${name}/state`, text));
		}
	}

	#say(rest: string, text: string): void {
		this.#net.say({ topic: `${this.#prefix}/${rest}`, text, qos: 1 });
	}

	#keep(rest: string, text: string): Said {
		return { topic: `${this.#prefix}/${rest}`, text, retain: true, qos: 1 };
	}
}
