// A Z-Wave JS UI gateway with a plug (switch and meter) and a sleeping motion sensor, in each of its three payload types.
// Source: https://zwave-js.github.io/zwave-js-ui/#/usage/setup?id=gateway ("Type", "Payload type"), and /guide/mqtt (nodeinfo, status, `_CLIENTS`)
import { Timers } from "./clock.js";
import { MqttNode, type MqttOptions, type Said } from "./mqtt-node.js";

export interface ZwaveUiOptions extends MqttOptions {
	/** Default `zwave`. */
	readonly prefix?: string;
	/** `time-value`: `{"time":…,"value":…}`; `whole`: everything that is known of the value; `value`: the bare value. Default `time-value`. */
	readonly payloads?: "time-value" | "whole" | "value";
	/** Named topics have words, the others numbers. Default true. */
	readonly named?: boolean;
	/** Between a command and what it does, in ms. Default 200: the radio. */
	readonly delay?: number;
}

/** Location and name of the two nodes: the beginning of their topics. */
export const PLUG = "kitchen/coffee plug";
export const MOTION = "hall/motion";

/** What one value is, besides its value. */
interface ValueFacts {
	readonly cls: readonly [number: number, name: string];
	readonly property: string;
	readonly key?: number;
	readonly label: string;
	readonly unit?: string;
	readonly writeable?: boolean;
}

const VALUES = {
	current: { cls: [37, "switch_binary"], property: "currentValue", label: "Current value" },
	target: { cls: [37, "switch_binary"], property: "targetValue", label: "Target value", writeable: true },
	energy: { cls: [50, "meter"], property: "value", key: 65537, label: "Electric Consumption [kWh]", unit: "kWh" },
	power: { cls: [50, "meter"], property: "value", key: 66049, label: "Electric Consumption [W]", unit: "W" },
	temperature: { cls: [49, "sensor_multilevel"], property: "Air temperature", label: "Air temperature", unit: "°C" },
	battery: { cls: [128, "battery"], property: "level", label: "Battery level", unit: "%" },
} as const satisfies Record<string, ValueFacts>;

/**
 * The gateway.
 *
 *     zwave/_CLIENTS/ZWAVE_GATEWAY-sim/status                        {"value":true,"time":…}; the will says false; retained
 *     zwave/<location>/<name>/nodeinfo, /status, /lastActive         retained
 *     zwave/<location>/<name>/<class>/endpoint_0/<property>[/<key>]  retained
 *     zwave/…/targetValue/set                                        true, false, {"value":true}
 */
export class ZwaveUi {
	/** The plug hears commands and does nothing. */
	stuck = false;
	readonly #options: ZwaveUiOptions;
	readonly #prefix: string;
	readonly #net: MqttNode;
	readonly #timers = new Timers();
	#on = false;
	#energy = 1.25;

	constructor(options: ZwaveUiOptions) {
		this.#options = options;
		this.#prefix = options.prefix ?? "zwave";
		const client = `${this.#prefix}/_CLIENTS/ZWAVE_GATEWAY-sim/status`;
		this.#net = new MqttNode(options, {
			clientId: "ZWAVE_GATEWAY-sim",
			will: { topic: client, text: '{"value":false}' },
			subscriptions: [`${this.#prefix}/#`],
			announce: () => [
				{ topic: client, text: JSON.stringify({ value: true, time: this.#net.clock.now() }), retain: true, qos: 1 },
				this.#keep(`${PLUG}/nodeinfo`, { id: 4, name: "coffee plug", loc: "kitchen", manufacturer: "Acme", productLabel: "ZP-1", productDescription: "Plug", firmwareVersion: "1.4", ready: true, available: true, status: "Alive" }),
				this.#keep(`${MOTION}/nodeinfo`, { id: 7, name: "motion", loc: "hall", manufacturer: "Acme", productLabel: "ZM-2", productDescription: "Motion sensor", firmwareVersion: "2.10", ready: true, available: true, status: "Asleep" }),
				this.#keep(`${PLUG}/status`, { time: this.#net.clock.now(), value: true, status: "Alive", nodeId: 4 }),
				...this.#plug(), this.#value(MOTION, 7, VALUES.temperature, 21.5), this.#value(MOTION, 7, VALUES.battery, 88),
			],
			farewell: () => [{ topic: client, text: '{"value":false}', retain: true }],
			hear: (topic, text) => this.#hear(topic, text),
		});
	}

	/** The physical truth. */
	get state(): { readonly on: boolean; readonly energy: number } {
		return { on: this.#on, energy: this.#energy };
	}

	start(): Promise<void> {
		return this.#net.start();
	}

	stop(): Promise<void> {
		this.#timers.stop();
		return this.#net.stop();
	}

	crash(): Promise<void> {
		this.#timers.stop();
		return this.#net.crash();
	}

	/** The plug is pulled: the controller cannot reach it any more. */
	lose(): void {
		this.#net.say(this.#keep(`${PLUG}/status`, { time: this.#net.clock.now(), value: false, status: "Dead", nodeId: 4 }));
	}

	#hear(topic: string, text: string): void {
		const base = this.#topicOf(PLUG, VALUES.target);
		if (topic !== `${base}/set`) return;
		const on = text === "true" || text === '{"value":true}' ? true : text === "false" || text === '{"value":false}' ? false : undefined;
		if (on === undefined || this.stuck) return;
		this.#timers.after(this.#net.clock, this.#options.delay ?? 200, () => {
			this.#on = on;
			for (const said of this.#plug()) this.#net.say(said);
		});
	}

	#plug(): Said[] {
		return [this.#value(PLUG, 4, VALUES.target, this.#on), this.#value(PLUG, 4, VALUES.current, this.#on), this.#value(PLUG, 4, VALUES.energy, this.#energy), this.#value(PLUG, 4, VALUES.power, this.#on ? 900 : 0)];
	}

	#keep(rest: string, body: object): Said {
		return { topic: `${this.#prefix}/${rest.replaceAll(" ", "_")}`, text: JSON.stringify(body), retain: true, qos: 1 };
	}

	#topicOf(node: string, { cls, property, key }: ValueFacts): string {
		const levels = (this.#options.named ?? true) ? [cls[1], "endpoint_0"] : [cls[0], 0];
		return [this.#prefix, node, ...levels, property, ...(key === undefined ? [] : [key])].join("/").replaceAll(" ", "_");
	}

	#value(node: string, nodeId: number, facts: ValueFacts, value: unknown): Said {
		const { cls, property, key, label, unit, writeable = false } = facts;
		const time = this.#net.clock.now();
		const whole = { id: `${nodeId}-${cls[0]}-0-${property}`, nodeId, commandClass: cls[0], endpoint: 0, property, propertyKey: key, type: typeof value, readable: true, writeable, label, unit, value, lastUpdate: time };
		const body = { "time-value": { time, value }, whole, value }[this.#options.payloads ?? "time-value"];
		return { topic: this.#topicOf(node, facts), text: JSON.stringify(body), retain: true, qos: 1 };
	}
}
