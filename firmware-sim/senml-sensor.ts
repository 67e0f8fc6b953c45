// A soil station that sends SenML, in JSON or in CBOR. Written from RFC 8428 (sections 5 and 6) and RFC 8949.
import { Timers } from "./clock.js";
import { MqttNode, type MqttOptions } from "./mqtt-node.js";
import { seeded, wander } from "./random.js";

export interface SenmlSensorOptions extends MqttOptions {
	/** Default `urn:dev:mac:02005efffe005310`. */
	readonly urn?: string;
	readonly form?: "json" | "cbor";
	/** Between two packs, in ms; each carries the samples of this time. Default 30 000. */
	readonly period?: number;
	/** Samples in one pack. Default 3. */
	readonly samples?: number;
	readonly seed?: number;
}

export interface SoilState {
	/** °C */
	readonly temperature: number;
	/** % */
	readonly moisture: number;
	readonly pump: boolean;
}

/** `senml/<urn>`: one pack for each period, with a base name, a base time and the samples since the last. */
export class SenmlSensor {
	readonly #options: SenmlSensorOptions;
	readonly #net: MqttNode;
	readonly #chance: () => number;
	readonly #timers = new Timers();
	#temperature = 14.25;
	#moisture = 31;
	#pump = false;
	#samples: [time: number, temperature: number][] = [];

	constructor(options: SenmlSensorOptions) {
		this.#options = options;
		this.#chance = seeded(options.seed ?? 1);
		this.#net = new MqttNode(options, { clientId: `senml-${this.urn.slice(-12)}`, announce: () => this.report() });
	}

	get urn(): string {
		return this.#options.urn ?? "urn:dev:mac:02005efffe005310";
	}

	get state(): SoilState {
		return { temperature: this.#temperature, moisture: this.#moisture, pump: this.#pump };
	}

	async start(): Promise<void> {
		const { period = 30_000, samples = 3 } = this.#options;
		this.#timers.stop();
		this.#timers.every(this.#net.clock, period / samples, () => this.#measure());
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

	#measure(): void {
		this.#temperature = Math.round(wander(this.#chance, this.#temperature, 0.5, -10, 40) * 4) / 4;
		this.#moisture = Math.round(wander(this.#chance, this.#moisture, 1, 5, 60));
		this.#samples.push([this.#net.clock.now() / 1_000, this.#temperature]);
		if (this.#samples.length >= (this.#options.samples ?? 3)) this.report();
	}

	report(): void {
		const base = this.#net.clock.now() / 1_000;
		const samples = this.#samples.length > 0 ? this.#samples : [[base, this.#temperature] as [number, number]];
		this.#samples = [];
		const topic = `senml/${this.urn.replaceAll(":", "-")}`;
		if (this.#options.form === "cbor") {
			this.#net.say({ topic, text: this.#cbor(base, samples) });
			return;
		}
		const records = [
			...samples.map(([time, value], at) => ({ ...(at === 0 && { bn: `${this.urn}:`, bt: base }), n: "soil-temp", u: "Cel", t: Number((time - base).toFixed(3)), v: value })),
			{ n: "moisture", u: "%RH", v: this.#moisture }, { n: "pump", vb: this.#pump }, { n: "site", vs: "bed 7" },
		];
		this.#net.say({ topic, text: JSON.stringify(records) });
	}

	/** The same pack with the labels of section 6, in endless lists, as small encoders write them. */
	#cbor(base: number, samples: readonly (readonly [number, number])[]): Uint8Array {
		const out: number[] = [0x9f];
		for (const [at, [time, value]] of samples.entries()) out.push(0xbf, ...(at === 0 ? [0x21, ...text(`${this.urn}:`), 0x22, ...double(base)] : []), 0x00, ...text("soil-temp"), 0x01, ...text("Cel"), 0x06, ...double(time - base), 0x02, ...double(value), 0xff);
		out.push(0xa3, 0x00, ...text("moisture"), 0x01, ...text("%RH"), 0x02, ...(this.#moisture < 24 ? [this.#moisture] : [0x18, this.#moisture]));
		out.push(0xa2, 0x00, ...text("pump"), 0x04, this.#pump ? 0xf5 : 0xf4, 0xa2, 0x00, ...text("site"), 0x03, ...text("bed 7"), 0xff);
		return Uint8Array.from(out);
	}
}

/** Shorter than 256 bytes. */
function text(value: string): number[] {
	const bytes = [...Buffer.from(value, "utf8")];
	return [...(bytes.length < 24 ? [0x60 + bytes.length] : [0x78, bytes.length]), ...bytes];
}

function double(value: number): number[] {
	const bytes = Buffer.alloc(8);
	bytes.writeDoubleBE(value);
	return [0xfb, ...bytes];
}
