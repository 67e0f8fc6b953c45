// A Shelly 2.5 of the first generation: two relays, or a motor for a blind.
// Source: https://shelly-api-docs.shelly.cloud/gen1/#mqtt-support and #shelly2-5-mqtt
import { Timers } from "./clock.js";
import { MqttNode, type MqttOptions, type Said } from "./mqtt-node.js";

export interface Shelly25Options extends MqttOptions {
	/** Default `shellyswitch25-AB12CD`. */
	readonly id?: string;
	/** Default `relay`. */
	readonly mode?: "relay" | "roller";
	/** How long the blind needs from one end to the other, in ms. Default 1000. */
	readonly travel?: number;
}

/** All is said again so often, in ms. */
const UPDATE_MS = 30_000;

/**
 * The device.
 *
 *     shellies/announce                             who it is, after each connect and when asked
 *     shellies/<id>/online                          true, false (will); retained
 *     shellies/<id>/relay/<n>, relay/<n>/power      on, off; W
 *     shellies/<id>/roller/0, roller/0/pos          open, close, stop: what the motor does; % open
 *     shellies/<id>/relay/<n>/command               on, off, toggle
 *     shellies/<id>/roller/0/command, …/command/pos open, close, stop; a position
 *     shellies/command, shellies/<id>/command       announce, update
 */
export class Shelly25 {
	/** It hears commands and does nothing. */
	stuck = false;
	readonly heard = { commands: 0, refused: 0 };
	readonly id: string;
	readonly #options: Shelly25Options;
	readonly #net: MqttNode;
	readonly #timers = new Timers();
	readonly #relays = [false, false];
	#position = 40;
	#motor: "open" | "close" | "stop" = "stop";
	/** Counts what the motor was told: an earlier wish ends with a new one. */
	#drives = 0;

	constructor(options: Shelly25Options) {
		this.#options = options;
		this.id = options.id ?? "shellyswitch25-AB12CD";
		this.#net = new MqttNode(options, {
			clientId: this.id,
			will: { topic: this.#topic("online"), text: "false" },
			subscriptions: ["shellies/command", this.#topic("command"), this.#topic("relay/+/command"), this.#topic("roller/0/command"), this.#topic("roller/0/command/pos")],
			announce: () => [{ topic: this.#topic("online"), text: "true", retain: true }, this.#who(), ...this.#all()],
			farewell: () => [{ topic: this.#topic("online"), text: "false", retain: true }],
			hear: (topic, text) => this.#hear(topic, text),
		});
	}

	/** The physical truth. */
	get state(): { readonly relays: readonly boolean[]; readonly position: number; readonly motor: string } {
		return { relays: [...this.#relays], position: this.#position, motor: this.#motor };
	}

	async start(): Promise<void> {
		this.#timers.stop();
		this.#timers.every(this.#net.clock, UPDATE_MS, () => this.#all().forEach((said) => this.#net.say(said)));
		await this.#net.start();
	}

	stop(): Promise<void> {
		this.#timers.stop();
		return this.#net.stop();
	}

	/** Power cut: the broker says false for it. */
	crash(): Promise<void> {
		this.#timers.stop();
		return this.#net.crash();
	}

	#topic(rest: string): string {
		return `shellies/${this.id}/${rest}`;
	}

	#say(rest: string, text: string): Said {
		return { topic: this.#topic(rest), text };
	}

	#who(): Said {
		return { topic: "shellies/announce", text: `{"id":"${this.id}","model":"SHSW-25","mac":"02005EAB12CD","ip":"192.0.2.25","new_fw":false,"fw_ver":"20230913-112234/v1.14.0-gcb84623","mode":"${this.#options.mode ?? "relay"}"}` };
	}

	#all(): Said[] {
		if (this.#options.mode === "roller") return [this.#say("roller/0", this.#motor), this.#say("roller/0/pos", String(this.#position)), this.#say("temperature", "41.20")];
		return [...this.#relays.flatMap((on, index) => [this.#say(`relay/${index}`, on ? "on" : "off"), this.#say(`relay/${index}/power`, on ? "23.50" : "0.00")]), this.#say("temperature", "41.20")];
	}

	#hear(topic: string, text: string): void {
		if (topic === "shellies/command" || topic === this.#topic("command")) {
			if (text === "announce") this.#net.say(this.#who());
			else if (text === "update") this.#all().forEach((said) => this.#net.say(said));
			return;
		}
		this.heard.commands++;
		if (this.stuck) return;
		const [part, index, , pos] = topic.slice(this.#topic("").length).split("/");
		if ((part === "roller") !== (this.#options.mode === "roller")) this.heard.refused++;
		else if (pos === "pos") this.#drive(Number(text));
		else if (part === "roller") this.#drive(text === "open" ? 100 : text === "close" ? 0 : this.#position);
		else if (index !== undefined && Number(index) < this.#relays.length && /^(?:on|off|toggle)$/.test(text)) {
			this.#relays[Number(index)] = text === "toggle" ? this.#relays[Number(index)] !== true : text === "on";
			this.#all().forEach((said) => this.#net.say(said));
		} else this.heard.refused++;
	}

	/** The motor says what it does at once, and the position when it is there. */
	#drive(target: number): void {
		if (!Number.isInteger(target) || target < 0 || target > 100) return void this.heard.refused++;
		const drive = ++this.#drives;
		const way = target - this.#position;
		this.#motor = way > 0 ? "open" : way < 0 ? "close" : "stop";
		this.#net.say(this.#say("roller/0", this.#motor));
		if (way === 0) return;
		this.#timers.after(this.#net.clock, (Math.abs(way) / 100) * (this.#options.travel ?? 1_000), () => {
			if (drive !== this.#drives) return;
			this.#position = target;
			this.#motor = "stop";
			this.#all().forEach((said) => this.#net.say(said));
		});
	}
}
