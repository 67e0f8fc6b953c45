// rtl_433 at a stick: a weather station, a thermometer and a remote are in the air. Each transmission comes three times.
// Sources: https://github.com/merbanan/rtl_433/blob/master/docs/DATA_FORMAT.md, https://github.com/merbanan/rtl_433/blob/master/docs/OPERATION.md ("MQTT output")
import { Timers } from "./clock.js";
import { MqttNode, type MqttOptions } from "./mqtt-node.js";
import { seeded, wander } from "./random.js";

export interface Rtl433Options extends MqttOptions {
	/** Default `attic`. */
	readonly host?: string;
	/** `devices` publishes each value under a topic of its own, `events` the whole as JSON. Default `events`. */
	readonly output?: "events" | "devices";
	/** Between two rounds, in ms. Default 16 000. */
	readonly period?: number;
	readonly seed?: number;
}

export interface WeatherState {
	/** °C */
	readonly temperature: number;
	/** % */
	readonly humidity: number;
	/** m/s */
	readonly wind: number;
	/** mm since the battery was put in. */
	readonly rain: number;
}

/** How often a transmission is repeated. */
const REPEATS = 3;

/** `rtl_433/<host>/events`, or `rtl_433/<host>/devices/<model>[/<channel>]/<id>/<key>`. */
export class Rtl433Stick {
	readonly #net: MqttNode;
	readonly #options: Rtl433Options;
	readonly #chance: () => number;
	readonly #timers = new Timers();
	#temperature = 8.3;
	#humidity = 74;
	#wind = 2.1;
	#rain = 310.4;

	constructor(options: Rtl433Options) {
		this.#options = options;
		this.#chance = seeded(options.seed ?? 1);
		this.#net = new MqttNode(options, { clientId: `rtl433-${options.host ?? "attic"}`, announce: () => this.report() });
	}

	get state(): WeatherState {
		return { temperature: this.#temperature, humidity: this.#humidity, wind: this.#wind, rain: this.#rain };
	}

	async start(): Promise<void> {
		this.#timers.stop();
		this.#timers.every(this.#net.clock, this.#options.period ?? 16_000, () => {
			this.#temperature = Number(wander(this.#chance, this.#temperature, 0.4, -30, 50).toFixed(1));
			this.#humidity = Math.round(wander(this.#chance, this.#humidity, 2, 10, 99));
			this.#wind = Number(wander(this.#chance, this.#wind, 1, 0, 30).toFixed(1));
			this.#rain = Number((this.#rain + this.#chance() * 0.3).toFixed(1));
			this.report();
		});
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

	report(): void {
		this.#transmit({ model: "Example-WS5", id: 201, battery_ok: 1, temperature_C: this.#temperature, humidity: this.#humidity, wind_avg_m_s: this.#wind, wind_dir_deg: 225, rain_mm: this.#rain, mic: "CRC" });
		this.#transmit({ model: "Example-TH", id: 7, channel: 2, battery_ok: 0, temperature_F: Number((this.#temperature * 1.8 + 32).toFixed(1)), mic: "CHECKSUM" });
	}

	/** Somebody presses a button of a remote. */
	press(button: number): void {
		this.#transmit({ model: "Example-Remote", id: "1f3c", button, mic: "CRC" });
	}

	#transmit(values: Readonly<Record<string, string | number>>): void {
		const time = new Date(this.#net.clock.now()).toISOString().replace(/\.\d+/, "");
		for (let repeat = 0; repeat < REPEATS; repeat++) {
			if (this.#options.output !== "devices") {
				this.#net.say({ topic: `rtl_433/${this.#host}/events`, text: JSON.stringify({ time, ...values }) });
				continue;
			}
			const device = [values["model"], values["channel"], values["id"]].filter((part) => part !== undefined).join("/");
			for (const [key, value] of Object.entries({ time, ...values })) this.#net.say({ topic: `rtl_433/${this.#host}/devices/${device}/${key}`, text: String(value) });
		}
	}

	get #host(): string {
		return this.#options.host ?? "attic";
	}
}
