// A plug with a power meter that runs Tasmota.
// Sources: https://tasmota.github.io/docs/MQTT/, https://tasmota.github.io/docs/Commands/, https://tasmota.github.io/docs/Home-Assistant/ ("Tasmota discovery")
import { Timers } from "./clock.js";
import { MqttNode, type MqttOptions, type Said } from "./mqtt-node.js";

export interface TasmotaPlugOptions extends MqttOptions {
	/** Its `%topic%`. Default `plug_530a01`. */
	readonly topic?: string;
	/** FullTopic. Default `%prefix%/%topic%/`. */
	readonly fullTopic?: string;
	/** Twelve hex digits. Default `02005E530A01`. */
	readonly mac?: string;
	/** What is plugged in, in W. Default 60. */
	readonly load?: number;
	/** TelePeriod, in ms. Default 300 000. */
	readonly period?: number;
}

/**
 * The plug.
 *
 *     tasmota/discovery/<MAC>/{config,sensors}   retained
 *     tele/<topic>/LWT                           Online, Offline (will); retained
 *     tele/<topic>/{STATE,SENSOR}                every TelePeriod
 *     stat/<topic>/{RESULT,POWER}                after each command
 *     cmnd/<topic>/POWER                         ON, OFF, TOGGLE, empty asks
 */
export class TasmotaPlug {
	/** It hears commands and does nothing. */
	stuck = false;
	readonly heard = { commands: 0, refused: 0 };
	readonly topic: string;
	readonly #options: TasmotaPlugOptions;
	readonly #mac: string;
	readonly #net: MqttNode;
	readonly #timers = new Timers();
	#on = false;
	#energy = 3.5;
	#uptime = 0;

	constructor(options: TasmotaPlugOptions) {
		this.#options = options;
		this.topic = options.topic ?? "plug_530a01";
		this.#mac = options.mac ?? "02005E530A01";
		this.#net = new MqttNode(options, {
			clientId: `DVES_${this.#mac.slice(6)}`,
			will: { topic: this.#full("tele", "LWT"), text: "Offline" },
			subscriptions: [this.#full("cmnd", "#")],
			announce: () => [{ topic: this.#full("tele", "LWT"), text: "Online", retain: true }, ...this.#discovery(), this.#state(), this.#sensor()],
			farewell: () => [{ topic: this.#full("tele", "LWT"), text: "Offline", retain: true }],
			hear: (topic, text) => this.#command(topic.slice(topic.lastIndexOf("/") + 1).toUpperCase(), text),
		});
	}

	get on(): boolean {
		return this.#on;
	}

	async start(): Promise<void> {
		this.#timers.stop();
		this.#timers.every(this.#net.clock, 1_000, () => {
			this.#uptime++;
			this.#energy += this.#power() / 3_600_000;
		});
		this.#timers.every(this.#net.clock, this.#options.period ?? 300_000, () => [this.#state(), this.#sensor()].forEach((said) => this.#net.say(said)));
		await this.#net.start();
	}

	stop(): Promise<void> {
		this.#timers.stop();
		return this.#net.stop();
	}

	/** Power cut: the broker says Offline for it. */
	crash(): Promise<void> {
		this.#timers.stop();
		return this.#net.crash();
	}

	/** Somebody presses its button. */
	press(): void {
		this.#switch(!this.#on);
	}

	#full(prefix: string, rest: string): string {
		const full = (this.#options.fullTopic ?? "%prefix%/%topic%/").replace("%prefix%", prefix).replace("%topic%", this.topic);
		return `${full}${full.endsWith("/") ? "" : "/"}${rest}`;
	}

	#command(command: string, text: string): void {
		this.heard.commands++;
		if (command !== "POWER" && command !== "POWER1") {
			this.heard.refused++;
			this.#net.say({ topic: this.#full("stat", "RESULT"), text: '{"Command":"Unknown"}' });
			return;
		}
		if (this.stuck) return;
		const wish = text.trim().toUpperCase();
		if (wish === "ON" || wish === "1" || wish === "TRUE") this.#switch(true);
		else if (wish === "OFF" || wish === "0" || wish === "FALSE") this.#switch(false);
		else if (wish === "TOGGLE" || wish === "2") this.#switch(!this.#on);
		else this.#say();
	}

	#switch(on: boolean): void {
		this.#on = on;
		this.#say();
	}

	#say(): void {
		const word = this.#on ? "ON" : "OFF";
		this.#net.say({ topic: this.#full("stat", "RESULT"), text: `{"POWER":"${word}"}` });
		this.#net.say({ topic: this.#full("stat", "POWER"), text: word });
	}

	#power(): number {
		return this.#on ? (this.#options.load ?? 60) : 0;
	}

	/** Local time without a zone, as it writes it by default. */
	#time(): string {
		return new Date(this.#net.clock.now()).toISOString().slice(0, 19);
	}

	#state(): Said {
		const seconds = this.#uptime;
		const uptime = `${Math.floor(seconds / 86_400)}T${new Date(seconds * 1_000).toISOString().slice(11, 19)}`;
		return { topic: this.#full("tele", "STATE"), text: `{"Time":"${this.#time()}","Uptime":"${uptime}","UptimeSec":${seconds},"Heap":25,"SleepMode":"Dynamic","Sleep":50,"LoadAvg":19,"MqttCount":1,"POWER":"${this.#on ? "ON" : "OFF"}","Wifi":{"AP":1,"SSId":"barn","BSSId":"02:00:5E:00:53:FF","Channel":6,"RSSI":78,"Signal":-61,"LinkCount":1,"Downtime":"0T00:00:03"}}` };
	}

	#reading(): string {
		const power = this.#power();
		return `{"Time":"${this.#time()}","ENERGY":{"TotalStartTime":"2026-01-01T00:00:00","Total":${this.#energy.toFixed(3)},"Yesterday":0.250,"Today":0.125,"Period":0,"Power":${power.toFixed(0)},"ApparentPower":${power.toFixed(0)},"ReactivePower":0,"Factor":1.00,"Voltage":230,"Current":${(power / 230).toFixed(3)}}}`;
	}

	#sensor(): Said {
		return { topic: this.#full("tele", "SENSOR"), text: this.#reading() };
	}

	#discovery(): Said[] {
		const none = (value: number, count: number): number[] => Array.from({ length: count }, () => value);
		const config = {
			ip: "192.0.2.17", dn: "Barn plug", fn: ["Barn plug", null, null, null, null, null, null, null], hn: `${this.topic}-2561`, mac: this.#mac, md: "Example Plug", ty: 0, if: 0, cam: 0,
			ofln: "Offline", onln: "Online", state: ["OFF", "ON", "TOGGLE", "HOLD"], sw: "14.2.0", t: this.topic, ft: this.#options.fullTopic ?? "%prefix%/%topic%/", tp: ["cmnd", "stat", "tele"],
			rl: [1, ...none(0, 31)], swc: none(-1, 28), swn: [], btn: none(0, 32), so: { "4": 0, "73": 0, "114": 0 }, lk: 1, lt_st: 0, bat: 0, dslp: 0, sho: [], sht: [], ver: 1,
		};
		const base = `tasmota/discovery/${this.#mac}`;
		return [{ topic: `${base}/config`, text: JSON.stringify(config), retain: true }, { topic: `${base}/sensors`, text: `{"sn":${this.#reading()},"ver":1}`, retain: true }];
	}
}
