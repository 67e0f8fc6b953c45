// A Ruuvi Gateway with two tags: a RuuviTag (data format 5) and a Ruuvi Air (data format 6).
// Sources: https://docs.ruuvi.com/gw-data-formats/mqtt-time-stamped-data-from-bluetooth-sensors, https://docs.ruuvi.com/communication/bluetooth-advertisements/data-format-5-rawv2, …/data-format-6
import { Timers } from "./clock.js";
import { MqttNode, type MqttOptions } from "./mqtt-node.js";
import { seeded, wander } from "./random.js";

export interface RuuviGatewayOptions extends MqttOptions {
	/** Default `02:00:5E:00:53:20`. */
	readonly mac?: string;
	/** Default `C2:00:5E:00:53:21`. */
	readonly tag?: string;
	/** Default `C2:00:5E:00:53:22`. */
	readonly air?: string;
	/** Between two advertisements that are relayed, in ms. Default 10 000. */
	readonly period?: number;
	readonly seed?: number;
}

export interface RuuviState {
	/** °C */
	readonly temperature: number;
	/** % */
	readonly humidity: number;
	/** ppm */
	readonly co2: number;
	readonly moves: number;
}

/** `ruuvi/<gateway>/<tag>`, not retained; `ruuvi/<gateway>/gw_status`, retained, its will says offline. */
export class RuuviGateway {
	readonly #options: RuuviGatewayOptions;
	readonly #net: MqttNode;
	readonly #chance: () => number;
	readonly #timers = new Timers();
	#temperature = 21.5;
	#humidity = 45;
	#co2 = 620;
	#moves = 0;
	#sequence = 100;

	constructor(options: RuuviGatewayOptions) {
		this.#options = options;
		this.#chance = seeded(options.seed ?? 1);
		const status = `ruuvi/${this.mac}/gw_status`;
		this.#net = new MqttNode(options, {
			clientId: `ruuvi-${this.mac}`,
			will: { topic: status, text: '{"state":"offline"}' },
			announce: () => {
				this.#net.say({ topic: status, text: '{"state":"online"}', retain: true });
				this.relay();
			},
			farewell: () => [{ topic: status, text: '{"state":"offline"}', retain: true }],
		});
	}

	get mac(): string {
		return this.#options.mac ?? "02:00:5E:00:53:20";
	}

	get state(): RuuviState {
		return { temperature: this.#temperature, humidity: this.#humidity, co2: this.#co2, moves: this.#moves };
	}

	async start(): Promise<void> {
		this.#timers.stop();
		this.#timers.every(this.#net.clock, this.#options.period ?? 10_000, () => this.#measure());
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

	/** Somebody moves the tag. */
	shake(): void {
		this.#moves = (this.#moves + 1) % 255;
		this.#sequence++;
		this.relay();
	}

	#measure(): void {
		this.#temperature = Math.round(wander(this.#chance, this.#temperature, 0.2, -20, 45) * 200) / 200;
		this.#humidity = Math.round(wander(this.#chance, this.#humidity, 1, 5, 95) * 400) / 400;
		this.#co2 = Math.round(wander(this.#chance, this.#co2, 20, 400, 2_000));
		this.#sequence++;
		this.relay();
	}

	/** What the gateway heard last of both, as it would be sent again and again. */
	relay(): void {
		const seconds = Math.floor(this.#net.clock.now() / 1_000);
		const tags: readonly (readonly [string, Buffer, number])[] = [[this.#options.tag ?? "C2:00:5E:00:53:21", this.#tag(), -61], [this.#options.air ?? "C2:00:5E:00:53:22", this.#air(), -74]];
		for (const [mac, data, rssi] of tags) {
			// Flags, then manufacturer data (FF) of company 0x0499, the low byte first.
			const advertisement = Buffer.concat([Buffer.from([0x02, 0x01, 0x06, data.length + 3, 0xff, 0x99, 0x04]), data]).toString("hex").toUpperCase();
			this.#net.say({ topic: `ruuvi/${this.mac}/${mac}`, text: JSON.stringify({ gw_mac: this.mac, rssi, aoa: [], gwts: String(seconds), ts: String(seconds), data: advertisement, coords: "" }) });
		}
	}

	#tag(): Buffer {
		const data = this.#climate(5, 24);
		[12, -8, 1_012].forEach((acceleration, axis) => data.writeInt16BE(acceleration, 7 + 2 * axis));
		data.writeUInt16BE(((2_950 - 1_600) << 5) | 22, 13); // 2.950 V, +4 dBm
		data.writeUInt8(this.#moves, 15);
		data.writeUInt16BE(this.#sequence % 65_535, 16);
		Buffer.from((this.#options.tag ?? "C2:00:5E:00:53:21").replaceAll(":", ""), "hex").copy(data, 18);
		return data;
	}

	#air(): Buffer {
		const data = this.#climate(6, 20);
		data.writeUInt16BE(84, 7); // 8.4 µg/m³
		data.writeUInt16BE(this.#co2, 9);
		data.writeUInt8(101 >> 1, 11);
		data.writeUInt8(1 >> 1, 12);
		data.writeUInt8(128, 13);
		data.writeUInt8(255, 14);
		data.writeUInt8(this.#sequence % 256, 15);
		data.writeUInt8(((101 & 1) << 6) | ((1 & 1) << 7), 16);
		Buffer.from((this.#options.air ?? "C2:00:5E:00:53:22").replaceAll(":", ""), "hex").copy(data, 17, 3);
		return data;
	}

	#climate(format: number, length: number): Buffer {
		const data = Buffer.alloc(length);
		data.writeUInt8(format, 0);
		data.writeInt16BE(Math.round(this.#temperature * 200), 1);
		data.writeUInt16BE(Math.round(this.#humidity * 400), 3);
		data.writeUInt16BE(101_325 - 50_000, 5);
		return data;
	}
}
