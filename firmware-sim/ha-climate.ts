// A room thermostat that announces itself by Home Assistant MQTT discovery.
// Sources: https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery, https://www.home-assistant.io/integrations/climate.mqtt/,
// https://www.home-assistant.io/integrations/sensor.mqtt/; topics laid out and states retained as ESPHome does (https://esphome.io/components/mqtt/).
import { Timers } from "./clock.js";
import { MqttNode, type MqttOptions, type Said } from "./mqtt-node.js";

export interface HaClimateOptions extends MqttOptions {
	/** Topic and id, `[a-z0-9-]+`. Default `living-room-thermostat`. */
	readonly node?: string;
	/** The name that people see. Default `Living room thermostat`. */
	readonly name?: string;
	/** Discovery prefix. Default `homeassistant`. */
	readonly prefix?: string;
	/** Between a command and what it does, in ms. Default 200. */
	readonly delay?: number;
	/** Between two reports of the temperature, in ms. Default 5000. */
	readonly period?: number;
	/** How fast the room follows, in ms: after this time 63 % of the way is done. Default 60 000. */
	readonly inertia?: number;
	/** °C. Defaults 19.6, 21.0 and 16.0. */
	readonly temperature?: number;
	readonly setpoint?: number;
	readonly ambient?: number;
}

export type ClimateMode = "off" | "heat";
export interface ClimateState {
	/** °C, unrounded. */
	readonly temperature: number;
	/** °C, in steps of 0.5. */
	readonly setpoint: number;
	readonly mode: ClimateMode;
	readonly action: "off" | "idle" | "heating";
}

const MIN_TEMP = 5;
const MAX_TEMP = 30;
const TEMP_STEP = 0.5;
const MODES: readonly ClimateMode[] = ["off", "heat"];
/** How often the firmware's control loop runs, in ms. */
const LOOP_MS = 1000;
/** It stops heating this much above the setpoint and starts this much below, in °C. */
const HYSTERESIS = 0.2;

/**
 * The thermostat.
 *
 *     homeassistant/climate/<node>/config                    retained
 *     homeassistant/sensor/<node>/current_temperature/config retained
 *     thermostat/<node>/status                               online, offline (will); retained
 *     thermostat/<node>/current_temperature                  "19.60"; retained
 *     thermostat/<node>/setpoint                             "21.50"; retained
 *     thermostat/<node>/mode                                 off, heat; retained
 *     thermostat/<node>/action                               off, idle, heating; retained
 *     thermostat/<node>/setpoint/set, …/mode/set             commands
 *
 * A command that is no number, out of 5 to 30, or no mode is ignored. Setpoints are rounded to 0.5.
 */
export class HaClimate {
	/** It hears commands and does nothing. */
	stuck = false;
	/** It takes the nearest setpoint within these instead of what it is told, though it announced 5 to 30. */
	clamp: { readonly low: number; readonly high: number } | undefined;
	/** Commands heard, and those of them that made no sense. */
	readonly heard = { commands: 0, refused: 0 };
	/** The room; a test may open the window. */
	ambient: number;

	readonly node: string;
	readonly #options: HaClimateOptions;
	readonly #net: MqttNode;
	#temperature: number;
	#setpoint: number;
	#mode: ClimateMode = "heat";
	#heating = false;
	readonly #timers = new Timers();

	constructor(options: HaClimateOptions) {
		this.#options = options;
		this.node = options.node ?? "living-room-thermostat";
		this.#temperature = options.temperature ?? 19.6;
		this.#setpoint = options.setpoint ?? 21;
		this.ambient = options.ambient ?? 16;
		this.#control();
		this.#net = new MqttNode(options, {
			clientId: this.node,
			will: { topic: this.#topic("status"), text: "offline" },
			subscriptions: [this.#topic("setpoint/set"), this.#topic("mode/set"), `${this.#prefix}/status`],
			announce: () => [...this.#discovery(), { topic: this.#topic("status"), text: "online", retain: true, qos: 1 }, ...this.#report()],
			farewell: () => [{ topic: this.#topic("status"), text: "offline", retain: true }],
			hear: (topic, text) => this.#hear(topic, text),
		});
	}

	/** The physical truth. */
	get state(): ClimateState {
		const action = this.#mode === "off" ? "off" : this.#heating ? "heating" : "idle";
		return { temperature: this.#temperature, setpoint: this.#setpoint, mode: this.#mode, action };
	}

	get connected(): boolean {
		return this.#net.connected;
	}

	async start(): Promise<void> {
		this.#timers.stop();
		this.#timers.every(this.#net.clock, LOOP_MS, () => this.#loop());
		this.#timers.every(this.#net.clock, this.#options.period ?? 5000, () => this.#net.say(this.#reportTemperature()));
		await this.#net.start();
	}

	/** Shut down cleanly: it says offline itself. */
	stop(): Promise<void> {
		this.#timers.stop();
		return this.#net.stop();
	}

	/** Power cut: the broker says offline for it. `start()` brings it back. */
	crash(): Promise<void> {
		this.#timers.stop();
		return this.#net.crash();
	}

	/** The network blinks, and the device comes back by itself. */
	blink(): void {
		this.#net.blink();
	}

	/** Somebody turns the knob on the wall. */
	turn(setpoint: number): void {
		this.#setpoint = Math.min(MAX_TEMP, Math.max(MIN_TEMP, Math.round(setpoint / TEMP_STEP) * TEMP_STEP));
		this.#control();
		for (const said of this.#report()) this.#net.say(said);
	}

	get #prefix(): string {
		return this.#options.prefix ?? "homeassistant";
	}

	#topic(rest: string): string {
		return `thermostat/${this.node}/${rest}`;
	}

	#hear(topic: string, text: string): void {
		// Home Assistant's birth message: it has forgotten us (MQTT integration, "Use the birth and will messages to trigger discovery").
		if (topic === `${this.#prefix}/status`) {
			if (text === "online") this.#net.announceAgain();
			return;
		}
		this.heard.commands++;
		const change = topic === this.#topic("mode/set") ? this.#toMode(text) : this.#toSetpoint(text);
		if (change === undefined) {
			this.heard.refused++;
			return;
		}
		if (this.stuck) return;
		this.#timers.after(this.#net.clock, this.#options.delay ?? 200, () => {
			change();
			this.#control();
			for (const said of this.#report()) this.#net.say(said);
		});
	}

	#toMode(text: string): (() => void) | undefined {
		const mode = MODES.find((known) => known === text);
		return mode && (() => void (this.#mode = mode));
	}

	#toSetpoint(text: string): (() => void) | undefined {
		const told = /^-?[0-9]{1,3}(\.[0-9]{1,4})?$/.test(text.trim()) ? Number(text) : NaN;
		if (!(told >= MIN_TEMP && told <= MAX_TEMP)) return undefined;
		const taken = this.clamp === undefined ? told : Math.min(this.clamp.high, Math.max(this.clamp.low, told));
		return () => void (this.#setpoint = Math.round(taken / TEMP_STEP) * TEMP_STEP);
	}

	#control(): void {
		if (this.#mode === "off") this.#heating = false;
		else if (this.#temperature < this.#setpoint - HYSTERESIS) this.#heating = true;
		else if (this.#temperature >= this.#setpoint + HYSTERESIS) this.#heating = false;
	}

	/** A second of physics: the room goes to where heater or window pull it, as a first-order lag. */
	#loop(): void {
		const before = this.state.action;
		// The radiator pulls to a little above the setpoint, so that the setpoint is reached and not only approached.
		const pull = this.#heating ? this.#setpoint + 2 : this.ambient;
		// Losing heat through the wall takes ten times as long as heating.
		const inertia = (this.#options.inertia ?? 60_000) * (this.#heating ? 1 : 10);
		this.#temperature += (pull - this.#temperature) * (1 - Math.exp(-LOOP_MS / inertia));
		this.#control();
		if (this.state.action !== before) this.#net.say(this.#reportAction());
	}

	#reportTemperature(): Said {
		return { topic: this.#topic("current_temperature"), text: this.#temperature.toFixed(2), retain: true };
	}

	#reportAction(): Said {
		return { topic: this.#topic("action"), text: this.state.action, retain: true };
	}

	#report(): Said[] {
		return [
			this.#reportTemperature(),
			{ topic: this.#topic("setpoint"), text: this.#setpoint.toFixed(2), retain: true },
			{ topic: this.#topic("mode"), text: this.#mode, retain: true },
			this.#reportAction(),
		];
	}

	#discovery(): Said[] {
		const device = {
			identifiers: [`sim-${this.node}`],
			name: this.#options.name ?? "Living room thermostat",
			manufacturer: "Example Instruments",
			model: "RT-100",
			sw_version: "2.4.1",
		};
		const shared = { availability_topic: this.#topic("status"), payload_available: "online", payload_not_available: "offline", device };
		const climate = {
			name: null, // the device's own name
			unique_id: `${this.node}_climate`,
			object_id: this.node.replaceAll("-", "_"),
			modes: MODES,
			mode_state_topic: this.#topic("mode"),
			mode_command_topic: this.#topic("mode/set"),
			temperature_state_topic: this.#topic("setpoint"),
			temperature_command_topic: this.#topic("setpoint/set"),
			current_temperature_topic: this.#topic("current_temperature"),
			action_topic: this.#topic("action"),
			min_temp: MIN_TEMP,
			max_temp: MAX_TEMP,
			temp_step: TEMP_STEP,
			temperature_unit: "C",
			...shared,
		};
		const sensor = {
			name: "Current temperature",
			unique_id: `${this.node}_current_temperature`,
			state_topic: this.#topic("current_temperature"),
			unit_of_measurement: "°C",
			device_class: "temperature",
			state_class: "measurement",
			...shared,
		};
		return [
			{ topic: `${this.#prefix}/climate/${this.node}/config`, text: JSON.stringify(climate), retain: true, qos: 1 },
			{ topic: `${this.#prefix}/sensor/${this.node}/current_temperature/config`, text: JSON.stringify(sensor), retain: true, qos: 1 },
		];
	}
}
