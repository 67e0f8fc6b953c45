// A plug with a power meter that announces itself by Home Assistant MQTT discovery, written the short way: abbreviated keys and `~`.
// Sources: https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery ("Supported abbreviations in MQTT discovery messages"),
// https://www.home-assistant.io/integrations/switch.mqtt/, https://www.home-assistant.io/integrations/sensor.mqtt/
import { Timers } from "./clock.js";
import { MqttNode, type MqttOptions, type Said } from "./mqtt-node.js";
import { seeded } from "./random.js";

export interface HaPlugOptions extends MqttOptions {
	/** Topic and id, `[a-z0-9-]+`. Default `desk-plug`. */
	readonly node?: string;
	/** The name that people see. Default `Desk plug`. */
	readonly name?: string;
	/** Discovery prefix. Default `homeassistant`. */
	readonly prefix?: string;
	/** The hardware address: the device's identifier. Default `02:00:5e:00:53:01`. */
	readonly mac?: string;
	/** What is plugged in, in W. Default 41.7. */
	readonly load?: number;
	/** Between two reports, in ms. Default 10 000. */
	readonly period?: number;
	/** Between a command and what it does, in ms. Default 50. */
	readonly delay?: number;
	readonly seed?: number;
}

export interface PlugState {
	readonly on: boolean;
	/** W */
	readonly power: number;
	/** kWh since it was made. */
	readonly energy: number;
	/** V */
	readonly voltage: number;
}

/** How often the meter chip is read, in ms. */
const LOOP_MS = 1000;

/**
 * The plug.
 *
 *     homeassistant/switch/<node>/relay/config                      retained
 *     homeassistant/sensor/<node>/{power,energy,voltage}/config     retained
 *     plugs/<node>/avail                                            online, offline (will); retained
 *     plugs/<node>/state                                            {"relay":"ON","power":41.70,"energy":12.345,"voltage":230.1}; not retained
 *     plugs/<node>/cmd                                              ON, OFF, TOGGLE
 */
export class HaPlug {
	/** It hears commands and does nothing. */
	stuck = false;
	/** What is plugged in, in W. */
	load: number;
	/** Commands heard, and those of them that made no sense. */
	readonly heard = { commands: 0, refused: 0 };

	readonly node: string;
	readonly #options: HaPlugOptions;
	readonly #net: MqttNode;
	readonly #chance: () => number;
	#on = false;
	#power = 0;
	#energy = 12.345;
	#voltage = 230.1;
	readonly #timers = new Timers();

	constructor(options: HaPlugOptions) {
		this.#options = options;
		this.node = options.node ?? "desk-plug";
		this.load = options.load ?? 41.7;
		this.#chance = seeded(options.seed ?? 1);
		const prefix = options.prefix ?? "homeassistant";
		this.#net = new MqttNode(options, {
			clientId: this.node,
			will: { topic: this.#topic("avail"), text: "offline" },
			subscriptions: [this.#topic("cmd"), `${prefix}/status`],
			announce: () => [...this.#discovery(prefix), { topic: this.#topic("avail"), text: "online", retain: true, qos: 1 }, this.#report()],
			farewell: () => [{ topic: this.#topic("avail"), text: "offline", retain: true }],
			hear: (topic, text) => {
				if (topic === this.#topic("cmd")) this.#command(text);
				else if (text === "online") this.#net.announceAgain(); // Home Assistant's birth message
			},
		});
	}

	/** The physical truth. */
	get state(): PlugState {
		return { on: this.#on, power: this.#power, energy: this.#energy, voltage: this.#voltage };
	}

	get connected(): boolean {
		return this.#net.connected;
	}

	async start(): Promise<void> {
		this.#timers.stop();
		this.#timers.every(this.#net.clock, LOOP_MS, () => this.#meter());
		this.#timers.every(this.#net.clock, this.#options.period ?? 10_000, () => this.#net.say(this.#report()));
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

	/** Somebody presses the button on the plug. */
	press(): void {
		this.#switch(!this.#on);
	}

	#topic(rest: string): string {
		return `plugs/${this.node}/${rest}`;
	}

	#command(text: string): void {
		this.heard.commands++;
		if (text !== "ON" && text !== "OFF" && text !== "TOGGLE") {
			this.heard.refused++;
			return;
		}
		if (this.stuck) return;
		this.#timers.after(this.#net.clock, this.#options.delay ?? 50, () => this.#switch(text === "TOGGLE" ? !this.#on : text === "ON"));
	}

	#switch(on: boolean): void {
		this.#on = on;
		this.#power = on ? this.load : 0;
		this.#net.say(this.#report());
	}

	#meter(): void {
		this.#voltage = 229 + this.#chance() * 3;
		this.#power = this.#on ? this.load * (0.99 + this.#chance() * 0.02) : 0;
		this.#energy += (this.#power * LOOP_MS) / 3_600_000_000;
	}

	/** Put together by hand, as firmware does with printf: JSON that keeps its digits. */
	#report(): Said {
		const fields = [
			`"relay":"${this.#on ? "ON" : "OFF"}"`,
			`"power":${this.#power.toFixed(2)}`,
			`"energy":${this.#energy.toFixed(3)}`,
			`"voltage":${this.#voltage.toFixed(1)}`,
		];
		return { topic: this.#topic("state"), text: `{${fields.join(",")}}` };
	}

	#discovery(prefix: string): Said[] {
		const mac = this.#options.mac ?? "02:00:5e:00:53:01";
		const id = mac.replaceAll(":", "");
		const shared = {
			"~": `plugs/${this.node}`,
			avty_t: "~/avail",
			pl_avail: "online",
			pl_not_avail: "offline",
			dev: { ids: [id], cns: [["mac", mac]], name: this.#options.name ?? "Desk plug", mf: "Example Instruments", mdl: "PM-16", sw: "1.0.7" },
			o: { name: "plug-fw", sw: "1.0.7" },
		};
		const relay = {
			name: "Relay",
			uniq_id: `${id}_relay`,
			dev_cla: "outlet",
			stat_t: "~/state",
			val_tpl: "{{ value_json.relay }}",
			cmd_t: "~/cmd",
			pl_on: "ON",
			pl_off: "OFF",
		};
		const sensor = (name: string, unit: string, kind: string): Record<string, unknown> => ({
			name: `${name[0]?.toUpperCase()}${name.slice(1)}`,
			uniq_id: `${id}_${name}`,
			dev_cla: name,
			stat_cla: kind,
			unit_of_meas: unit,
			stat_t: "~/state",
			val_tpl: `{{ value_json.${name} }}`,
		});
		const entities: readonly (readonly [string, Record<string, unknown>])[] = [
			[`${prefix}/switch/${this.node}/relay/config`, relay],
			[`${prefix}/sensor/${this.node}/power/config`, sensor("power", "W", "measurement")],
			[`${prefix}/sensor/${this.node}/energy/config`, sensor("energy", "kWh", "total_increasing")],
			[`${prefix}/sensor/${this.node}/voltage/config`, sensor("voltage", "V", "measurement")],
		];
		return entities.map(([topic, entity]) => ({ topic, text: JSON.stringify({ ...entity, ...shared }), retain: true, qos: 1 }));
	}
}
