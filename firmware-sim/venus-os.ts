// A Victron GX with a Multi, a solar charger and a relay, as dbus-flashmq puts it on MQTT: silent until it is asked.
// Source: https://github.com/victronenergy/dbus-flashmq (README: "Notifications", "Write requests", "Keep-alive")
import { Timers } from "./clock.js";
import { MqttNode, type MqttOptions } from "./mqtt-node.js";

export interface VenusOsOptions extends MqttOptions {
	/** VRM portal id. Default `c0ffee123456`. */
	readonly portal?: string;
	/** Between two measurements, in ms. Default 1000. */
	readonly period?: number;
}

/** How long it speaks after it was asked, in ms. */
const KEEP_ALIVE_MS = 60_000;

interface Entry {
	value: number | string | null;
	readonly min?: number;
	readonly max?: number;
	readonly writable?: true;
}

/**
 * The GX. Nothing is retained.
 *
 *     N/<portal>/<service>/<instance>/<path>   {"value":…}, empty when the device has left
 *     N/<portal>/full_publish_completed        after all of them
 *     R/<portal>/keepalive                     asks for all, or with {"keepalive-options":["suppress-republish"]} for more time alone
 *     W/<portal>/<service>/<instance>/<path>   {"value":…}
 */
export class VenusOs {
	/** It hears wishes and does nothing. */
	stuck = false;
	/** How often it was asked to go on. */
	asked = 0;
	readonly portal: string;
	readonly #net: MqttNode;
	readonly #timers = new Timers();
	readonly #options: VenusOsOptions;
	#awakeUntil = 0;
	readonly #values = new Map<string, Entry>([
		["system/0/Serial", { value: "c0ffee123456" }], ["system/0/Relay/0/State", { value: 0, writable: true }],
		["vebus/276/ProductName", { value: "MultiPlus-II 48/3000" }], ["vebus/276/Mode", { value: 3, writable: true }], ["vebus/276/Ac/Out/L1/P", { value: 412 }], ["vebus/276/Dc/0/Voltage", { value: 52.31 }],
		["solarcharger/279/CustomName", { value: "Roof" }], ["solarcharger/279/Yield/Power", { value: 655 }], ["solarcharger/279/Dc/0/Current", { value: 12.5 }], ["solarcharger/279/ErrorCode", { value: 0 }],
		["settings/0/Settings/LEDs/Enable", { value: 1, min: 0, max: 1, writable: true }],
	]);

	constructor(options: VenusOsOptions) {
		this.#options = options;
		this.portal = options.portal ?? "c0ffee123456";
		this.#net = new MqttNode(options, {
			clientId: `venus-${this.portal}`,
			will: { topic: `N/${this.portal}/bridge`, text: "" },
			subscriptions: [`R/${this.portal}/#`, `W/${this.portal}/#`],
			announce: () => [],
			farewell: () => [],
			hear: (topic, text) => this.#hear(topic, text),
		});
	}

	/** The physical truth, by path. */
	get state(): Readonly<Record<string, number | string | null>> {
		return Object.fromEntries([...this.#values].map(([path, { value }]) => [path, value]));
	}

	async start(): Promise<void> {
		this.#timers.every(this.#net.clock, this.#options.period ?? 1000, () => this.#measure());
		await this.#net.start();
	}

	stop(): Promise<void> {
		this.#timers.stop();
		return this.#net.stop();
	}

	crash(): Promise<void> {
		this.#timers.stop();
		return this.#net.crash();
	}

	/** Somebody looks at the portal, or an old version left its serial number: the first word that others hear. */
	wake(): void {
		this.#say("system/0/Serial");
	}

	/** The solar charger leaves the bus for the night. */
	sunset(): void {
		for (const path of [...this.#values.keys()].filter((one) => one.startsWith("solarcharger/"))) {
			this.#values.delete(path);
			this.#net.say({ topic: `N/${this.portal}/${path}`, text: "", qos: 1 });
		}
	}

	#hear(topic: string, text: string): void {
		const [letter, , ...rest] = topic.split("/");
		const path = rest.join("/");
		if (letter === "R" && path === "keepalive") {
			this.asked++;
			this.#awakeUntil = this.#net.clock.now() + KEEP_ALIVE_MS;
			if (text.includes("suppress-republish")) return;
			for (const each of this.#values.keys()) this.#say(each);
			// Of the same QoS as the values: a broker keeps the order only among those of one (MQTT 3.1.1, section 4.6).
			this.#net.say({ topic: `N/${this.portal}/full_publish_completed`, text: `{"value":${Math.floor(this.#net.clock.now() / 1000)}}`, qos: 1 });
		} else if (letter === "R") this.#say(path);
		else if (letter === "W") this.#write(path, text);
	}

	#write(path: string, text: string): void {
		const entry = this.#values.get(path);
		if (this.stuck || entry?.writable !== true) return;
		let wish: unknown;
		try {
			wish = JSON.parse(text);
		} catch {
			return;
		}
		const value = typeof wish === "object" && wish !== null && "value" in wish ? wish.value : undefined;
		if (typeof value !== "number" || value < (entry.min ?? -Infinity) || value > (entry.max ?? Infinity)) return;
		entry.value = value;
		this.#say(path);
	}

	#measure(): void {
		const voltage = this.#values.get("vebus/276/Dc/0/Voltage")!;
		voltage.value = voltage.value === 52.31 ? 52.33 : 52.31;
		if (this.#net.clock.now() < this.#awakeUntil) this.#say("vebus/276/Dc/0/Voltage");
	}

	#say(path: string): void {
		const entry = this.#values.get(path);
		if (!entry) return;
		const { value, min, max } = entry;
		this.#net.say({ topic: `N/${this.portal}/${path}`, text: JSON.stringify(max === undefined ? { value } : { max, min, value }), qos: 1 });
	}
}
