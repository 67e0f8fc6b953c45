// A WLED light strip.
// Source: https://kno.wled.ge/interfaces/mqtt/ and /interfaces/http-api/ (the XML state)
import { MqttNode, type MqttOptions, type Said } from "./mqtt-node.js";

export interface WledStripOptions extends MqttOptions {
	/** Device topic. Default `wled/5e0053`: the last six digits of the MAC address. */
	readonly topic?: string;
	readonly name?: string;
}

export interface StripState {
	/** 0 is off. */
	readonly brightness: number;
	/** `#RRGGBB`. */
	readonly color: string;
	readonly effect: number;
}

/**
 * The strip.
 *
 *     <topic>/g, /c, /v      brightness, colour, XML; retained
 *     <topic>/status         online, offline (will); retained
 *     <topic>                ON, OFF, T, 0 to 255
 *     <topic>/col            #RRGGBB
 *     <topic>/api            A=128&FX=73, {"on":true,"bri":128}
 */
export class WledStrip {
	/** It hears commands and does nothing. */
	stuck = false;
	readonly topic: string;
	readonly #name: string;
	readonly #net: MqttNode;
	#brightness = 128;
	#before = 128;
	#color = "#FFA000";
	#effect = 0;
	/** -1 is none. */
	#preset = -1;

	constructor(options: WledStripOptions) {
		this.topic = options.topic ?? "wled/5e0053";
		this.#name = options.name ?? "Shelf";
		this.#net = new MqttNode(options, {
			clientId: `WLED-${this.topic.split("/").at(-1) ?? ""}`,
			will: { topic: `${this.topic}/status`, text: "offline" },
			subscriptions: [this.topic, `${this.topic}/col`, `${this.topic}/api`, "wled/all"],
			announce: () => [{ topic: `${this.topic}/status`, text: "online", retain: true, qos: 1 }, ...this.#report()],
			farewell: () => [{ topic: `${this.topic}/status`, text: "offline", retain: true }],
			hear: (topic, text) => this.#hear(topic, text),
		});
	}

	/** The physical truth. */
	get state(): StripState {
		return { brightness: this.#brightness, color: this.#color, effect: this.#effect };
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

	#hear(topic: string, text: string): void {
		if (this.stuck) return;
		if (topic === `${this.topic}/col`) {
			if (/^#[0-9a-f]{6}$/i.test(text)) this.#color = text.toUpperCase();
		} else if (topic === `${this.topic}/api`) this.#api(text);
		else if (text === "ON" || (text === "T" && this.#brightness === 0)) this.#shine(this.#before);
		else if (text === "OFF" || text === "T") this.#shine(0);
		else if (/^\d{1,3}$/.test(text)) this.#shine(Math.min(255, Number(text)));
		for (const said of this.#report()) this.#net.say(said);
	}

	#api(text: string): void {
		if (text.startsWith("{")) {
			const [on, brightness] = [/"on":(true|false)/.exec(text)?.[1], /"bri":(\d{1,3})\b/.exec(text)?.[1]];
			if (on !== undefined) this.#shine(on === "true" ? this.#before : 0);
			if (brightness !== undefined) this.#shine(Math.min(255, Number(brightness)));
			return;
		}
		for (const part of text.split("&")) {
			const [key, value] = part.split("=");
			if (key === "A") this.#shine(Number(value));
			if (key === "FX") this.#effect = Number(value);
			if (key === "PL") this.#preset = Number(value);
		}
	}

	#shine(brightness: number): void {
		if (brightness > 0) this.#before = brightness;
		this.#brightness = brightness;
	}

	#report(): Said[] {
		const [red, green, blue] = [1, 3, 5].map((at) => parseInt(this.#color.slice(at, at + 2), 16));
		const xml = `<?xml version="1.0" ?><vs><ac>${this.#brightness}</ac><cl>${red}</cl><cl>${green}</cl><cl>${blue}</cl><ns>0</ns><nr>1</nr><nl>0</nl><fx>${this.#effect}</fx><sx>128</sx><ix>128</ix><fp>0</fp><wv>-1</wv><ps>${this.#preset}</ps><cy>0</cy><ds>${this.#name}</ds></vs>`;
		const keep = (last: string, text: string): Said => ({ topic: `${this.topic}/${last}`, text, retain: true, qos: 1 });
		return [keep("g", String(this.#brightness)), keep("c", this.#color), keep("v", xml)];
	}
}
