// A Theengs gateway with a thermometer, a plant sensor and a 433 MHz receiver behind it.
// Sources: https://docs.openmqttgateway.com/use/ble.html, https://docs.openmqttgateway.com/use/rf.html, https://decoder.theengs.io/devices/LYWSD03MMC_PVVX.html
import { Timers } from "./clock.js";
import { MqttNode, type MqttOptions } from "./mqtt-node.js";
import { seeded, wander } from "./random.js";

export interface TheengsGatewayOptions extends MqttOptions {
	/** Default `TheengsGateway`. */
	readonly name?: string;
	/** Default `home`. */
	readonly base?: string;
	/** Between two advertisements that are passed on, in ms. Default 10 000. */
	readonly period?: number;
	readonly seed?: number;
}

export interface TheengsState {
	/** °C */
	readonly temperature: number;
	/** % */
	readonly humidity: number;
	/** % */
	readonly moisture: number;
}

/** Address of the thermometer and of the plant sensor. */
export const THERMOMETER = "A4:C1:38:00:53:31";
export const PLANT = "C4:7C:8D:00:53:32";

/** `<base>/<name>/BTtoMQTT/<MAC without colons>`, `…/433toMQTT`, `…/SYStoMQTT`; `…/LWT` online, offline (will), retained. */
export class TheengsGateway {
	readonly #net: MqttNode;
	readonly #options: TheengsGatewayOptions;
	readonly #chance: () => number;
	readonly #timers = new Timers();
	#temperature = 22.4;
	#humidity = 51.2;
	#moisture = 38;

	constructor(options: TheengsGatewayOptions) {
		this.#options = options;
		this.#chance = seeded(options.seed ?? 1);
		this.#net = new MqttNode(options, {
			clientId: `theengs-${this.topic}`.replaceAll("/", "-"),
			will: { topic: `${this.topic}/LWT`, text: "offline" },
			announce: () => {
				this.#net.say({ topic: `${this.topic}/LWT`, text: "online", retain: true });
				this.#net.say({ topic: `${this.topic}/SYStoMQTT`, text: JSON.stringify({ uptime: 31, version: "v1.7.0", freemem: 117_440, mac: "02:00:5E:00:53:30", ip: "192.0.2.30", SSID: "plant", rssi: -57 }) });
				this.report();
			},
			farewell: () => [{ topic: `${this.topic}/LWT`, text: "offline", retain: true }],
		});
	}

	get topic(): string {
		return `${this.#options.base ?? "home"}/${this.#options.name ?? "TheengsGateway"}`;
	}

	get state(): TheengsState {
		return { temperature: this.#temperature, humidity: this.#humidity, moisture: this.#moisture };
	}

	async start(): Promise<void> {
		this.#timers.stop();
		this.#timers.every(this.#net.clock, this.#options.period ?? 10_000, () => {
			this.#temperature = Number(wander(this.#chance, this.#temperature, 0.3, -20, 50).toFixed(2));
			this.#humidity = Number(wander(this.#chance, this.#humidity, 1, 5, 95).toFixed(1));
			this.#moisture = Math.round(wander(this.#chance, this.#moisture, 1, 0, 60));
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
		const fahrenheit = Number((this.#temperature * 1.8 + 32).toFixed(2));
		this.#bluetooth(THERMOMETER, { rssi: -66, brand: "Xiaomi", model: "TH Sensor", model_id: "LYWSD03MMC_PVVX", type: "THB", tempc: this.#temperature, tempf: fahrenheit, hum: this.#humidity, batt: 87, volt: 2.931 });
		this.#bluetooth(PLANT, { rssi: -80, brand: "Xiaomi", model: "Miflora", model_id: "HHCCJCY01HHCC", type: "PLANT", moi: this.#moisture, fer: 214, lux: 903 });
	}

	/** Somebody presses a remote that sends this code. */
	press(code: number): void {
		this.#net.say({ topic: `${this.topic}/433toMQTT`, text: JSON.stringify({ value: code, protocol: 1, length: 24, delay: 320 }) });
	}

	#bluetooth(mac: string, fields: Readonly<Record<string, unknown>>): void {
		this.#net.say({ topic: `${this.topic}/BTtoMQTT/${mac.replaceAll(":", "")}`, text: JSON.stringify({ id: mac, ...fields }) });
	}
}
