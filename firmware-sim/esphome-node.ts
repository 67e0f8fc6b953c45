// A pump controller that runs ESPHome with its MQTT client: a sensor, a switch, a number, a light, a button.
// Sources: https://esphome.io/components/mqtt/, https://esphome.io/components/light/ ("MQTT JSON schema"), esphome/components/mqtt/*.cpp
import { Timers } from "./clock.js";
import { MqttNode, type MqttOptions, type Said } from "./mqtt-node.js";

export interface EspHomeNodeOptions extends MqttOptions {
	/** Its name, which is its topic prefix. Default `pump-house`. */
	readonly node?: string;
	/** Twelve hex digits. Default `02005e530c01`. */
	readonly mac?: string;
	/** Does it describe itself to Home Assistant? Default true. */
	readonly discovery?: boolean;
	/** Between two readings of its sensor, in ms. Default 60 000. */
	readonly period?: number;
}

/**
 * The node.
 *
 *     <node>/status                                      online, offline (will); retained
 *     <node>/sensor/water_temperature/state              22.40; retained
 *     <node>/switch/pump/{state,command}                 ON, OFF
 *     <node>/number/flow_limit/{state,command}           0 to 20 L/min
 *     <node>/light/lamp/{state,command}                  {"state":"ON","brightness":128,"color_mode":"brightness"}
 *     <node>/button/restart/command                      PRESS
 *     <node>/debug                                       log lines with colours
 *     esphome/discover/<node>, homeassistant/…/config    retained
 */
export class EspHomeNode {
	/** It hears commands and does nothing. */
	stuck = false;
	readonly heard = { commands: 0, refused: 0, restarts: 0 };
	readonly node: string;
	readonly #options: EspHomeNodeOptions;
	readonly #net: MqttNode;
	readonly #timers = new Timers();
	#pump = false;
	#limit = 12;
	#lamp = { on: false, brightness: 255 };
	#water = 22.4;

	constructor(options: EspHomeNodeOptions) {
		this.#options = options;
		this.node = options.node ?? "pump-house";
		this.#net = new MqttNode(options, {
			clientId: `${this.node}-${this.#mac}`,
			will: { topic: `${this.node}/status`, text: "offline" },
			subscriptions: ["switch/pump", "number/flow_limit", "light/lamp", "button/restart"].map((path) => `${this.node}/${path}/command`),
			announce: () => [{ topic: `${this.node}/status`, text: "online", retain: true }, ...this.#discovery(), ...["sensor", "switch", "number", "light"].map((component) => this.#state(component))],
			farewell: () => [{ topic: `${this.node}/status`, text: "offline", retain: true }],
			hear: (topic, text) => this.#command(topic.slice(this.node.length + 1, -"/command".length), text),
		});
	}

	get pump(): boolean {
		return this.#pump;
	}

	async start(): Promise<void> {
		this.#timers.stop();
		this.#timers.every(this.#net.clock, this.#options.period ?? 60_000, () => {
			this.#water = this.#water > 24 ? 22 : this.#water + 0.1;
			this.#net.say({ topic: `${this.node}/debug`, text: `\u001b[0;36m[D][sensor:094]: 'Water Temperature': Sending state ${this.#water.toFixed(5)} °C\u001b[0m` });
			this.#net.say(this.#state("sensor"));
		});
		await this.#net.start();
	}

	stop(): Promise<void> {
		this.#timers.stop();
		return this.#net.stop();
	}

	/** Power cut: the broker says offline for it. */
	crash(): Promise<void> {
		this.#timers.stop();
		return this.#net.crash();
	}

	get #mac(): string {
		return this.#options.mac ?? "02005e530c01";
	}

	#state(component: string): Said {
		const states: Readonly<Record<string, readonly [string, string]>> = {
			sensor: ["water_temperature", this.#water.toFixed(2)],
			switch: ["pump", this.#pump ? "ON" : "OFF"],
			number: ["flow_limit", this.#limit.toFixed(6)],
			light: ["lamp", `{"state":"${this.#lamp.on ? "ON" : "OFF"}","brightness":${this.#lamp.brightness},"color_mode":"brightness"}`],
		};
		const [object, text] = states[component]!;
		return { topic: `${this.node}/${component}/${object}/state`, text, retain: true };
	}

	#command(path: string, text: string): void {
		this.heard.commands++;
		if (this.stuck) return;
		const component = path.slice(0, path.indexOf("/"));
		if (!this.#obey(component, text)) {
			this.heard.refused++;
			return;
		}
		if (component !== "button") this.#net.say(this.#state(component));
	}

	/** Does it, unless it makes no sense. */
	#obey(component: string, text: string): boolean {
		switch (component) {
			case "switch":
				if (!/^(?:ON|OFF|TOGGLE)$/i.test(text)) return false;
				this.#pump = /^TOGGLE$/i.test(text) ? !this.#pump : /^ON$/i.test(text);
				return true;
			case "number": {
				const wish = Number(text);
				if (!Number.isFinite(wish) || wish < 0 || wish > 20) return false;
				this.#limit = wish;
				return true;
			}
			case "button":
				if (text !== "PRESS") return false;
				this.heard.restarts++;
				return true;
			default: {
				let wish: { readonly state?: unknown; readonly brightness?: unknown };
				try {
					wish = JSON.parse(text);
				} catch {
					return false;
				}
				this.#lamp = { on: wish.state === undefined ? this.#lamp.on : wish.state === "ON", brightness: typeof wish.brightness === "number" ? wish.brightness : this.#lamp.brightness };
				return true;
			}
		}
	}

	#discovery(): Said[] {
		const { node } = this;
		const described = { ip: "192.0.2.18", name: node, port: 6053, version: "2026.3.1", mac: this.#mac, platform: "ESP32", board: "esp32dev", network: "wifi" };
		const said: Said[] = [{ topic: `esphome/discover/${node}`, text: JSON.stringify(described), retain: true }];
		if (this.#options.discovery === false) return said;
		const dev = { ids: this.#mac, name: node, sw: "2026.3.1 (ESPHome 2026.3.1)", mdl: "esp32dev", mf: "Espressif" };
		const config = (component: string, object: string, name: string, more: object): Said => ({
			topic: `homeassistant/${component}/${node}/${object}/config`, retain: true,
			text: JSON.stringify({ name, ...more, avty_t: `${node}/status`, uniq_id: `ESP${component}${object}`, dev }),
		});
		const of = (path: string): { stat_t: string; cmd_t: string } => ({ stat_t: `${node}/${path}/state`, cmd_t: `${node}/${path}/command` });
		return [
			...said,
			config("sensor", "water_temperature", "Water Temperature", { dev_cla: "temperature", unit_of_meas: "°C", stat_cla: "measurement", stat_t: `${node}/sensor/water_temperature/state` }),
			config("switch", "pump", "Pump", of("switch/pump")),
			config("number", "flow_limit", "Flow Limit", { min: 0, max: 20, step: 0.5, mode: "auto", unit_of_meas: "L/min", ...of("number/flow_limit") }),
			config("light", "lamp", "Lamp", { schema: "json", brightness: true, ...of("light/lamp") }),
			config("button", "restart", "Restart", { dev_cla: "restart", cmd_t: `${node}/button/restart/command` }),
		];
	}
}
