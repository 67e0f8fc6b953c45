// A Shelly plug of the second generation or later: JSON-RPC over MQTT.
// Sources: https://shelly-api-docs.shelly.cloud/gen2/ComponentsAndServices/Mqtt, …/ComponentsAndServices/Switch, …/General/RPCProtocol
import { Timers } from "./clock.js";
import { MqttNode, type MqttOptions, type Said } from "./mqtt-node.js";

export interface ShellyPlugOptions extends MqttOptions {
	/** Its id: model and MAC. Default `shellyplugsg3-02005e530b01`. */
	readonly id?: string;
	/** The prefix of its topics, which is its id by default. */
	readonly prefix?: string;
	/** What is plugged in, in W. Default 60. */
	readonly load?: number;
}

/**
 * The plug.
 *
 *     <prefix>/online                           true, false (will); retained
 *     <prefix>/events/rpc                       NotifyStatus
 *     <prefix>/status/switch:0                  the whole component after each change
 *     <prefix>/rpc, <src>/rpc                   requests, and their answers where the request says
 *     <prefix>/command/switch:0                 on, off, toggle
 */
export class ShellyPlug {
	/** It hears commands and does nothing. */
	stuck = false;
	readonly heard = { commands: 0, refused: 0 };
	readonly id: string;
	readonly prefix: string;
	readonly #options: ShellyPlugOptions;
	readonly #net: MqttNode;
	readonly #timers = new Timers();
	#on = false;
	#energy = 1_250.5;

	constructor(options: ShellyPlugOptions) {
		this.#options = options;
		this.id = options.id ?? "shellyplugsg3-02005e530b01";
		this.prefix = options.prefix ?? this.id;
		this.#net = new MqttNode(options, {
			clientId: this.id,
			will: { topic: `${this.prefix}/online`, text: "false" },
			subscriptions: [`${this.prefix}/rpc`, `${this.prefix}/command/switch:0`],
			announce: () => [{ topic: `${this.prefix}/online`, text: "true", retain: true }, this.#status()],
			farewell: () => [{ topic: `${this.prefix}/online`, text: "false", retain: true }],
			hear: (topic, text) => (topic.endsWith("/rpc") ? this.#request(text) : this.#command(text)),
		});
	}

	get on(): boolean {
		return this.#on;
	}

	async start(): Promise<void> {
		this.#timers.stop();
		this.#timers.every(this.#net.clock, 60_000, () => {
			this.#energy += this.#power() / 60;
			this.#notify(`{"id":0,"aenergy":{"total":${this.#energy.toFixed(3)},"by_minute":[0.000,0.000,0.000],"minute_ts":${Math.floor(this.#net.clock.now() / 60_000) * 60}}}`);
		});
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

	/** Somebody presses its button. */
	press(): void {
		this.#switch(!this.#on, "button");
	}

	#power(): number {
		return this.#on ? (this.#options.load ?? 60) : 0;
	}

	#component(source: string): string {
		const power = this.#power();
		return `{"id":0, "source":"${source}", "output":${this.#on}, "apower":${power.toFixed(1)}, "voltage":230.4, "freq":50.0, "current":${(power / 230.4).toFixed(3)}, "aenergy":{"total":${this.#energy.toFixed(3)},"by_minute":[0.000,0.000,0.000],"minute_ts":1700000000},"temperature":{"tC":31.5, "tF":88.7}}`;
	}

	#status(source = "init"): Said {
		return { topic: `${this.prefix}/status/switch:0`, text: this.#component(source) };
	}

	#notify(component: string): void {
		this.#net.say({ topic: `${this.prefix}/events/rpc`, text: `{"src":"${this.id}","dst":"${this.prefix}/events","method":"NotifyStatus","params":{"ts":${(this.#net.clock.now() / 1_000).toFixed(2)},"switch:0":${component}}}` });
	}

	#switch(on: boolean, source: string): void {
		this.#on = on;
		this.#notify(`{"id":0,"output":${on},"source":"${source}","apower":${this.#power().toFixed(1)}}`);
		this.#net.say(this.#status(source));
	}

	#command(text: string): void {
		this.heard.commands++;
		if (this.stuck) return;
		if (text === "on" || text === "off") this.#switch(text === "on", "MQTT");
		else if (text === "toggle") this.#switch(!this.#on, "MQTT");
		else this.heard.refused++;
	}

	#request(text: string): void {
		let request: { readonly id?: unknown; readonly src?: unknown; readonly method?: unknown; readonly params?: { readonly id?: unknown; readonly on?: unknown } };
		try {
			request = JSON.parse(text);
		} catch {
			return;
		}
		const { id, src, method, params } = request;
		const answer = (result: string): void => {
			if (typeof src === "string") this.#net.say({ topic: `${src}/rpc`, text: `{"id":${JSON.stringify(id ?? null)},"src":"${this.id}","dst":${JSON.stringify(src)},${result}}` });
		};
		switch (method) {
			case "Shelly.GetDeviceInfo": return answer(`"result":{"name":"Workbench","id":"${this.id}","mac":"${this.id.slice(-12).toUpperCase()}","slot":0,"model":"S3PL-00112EU","gen":3,"fw_id":"20260101-000000/1.7.1-gd0a1b2c","ver":"1.7.1","app":"PlugSG3","auth_en":false}`);
			case "Shelly.GetStatus": return answer(`"result":{"switch:0":${this.#component("init")},"sys":{"mac":"${this.id.slice(-12).toUpperCase()}","uptime":15}}`);
			case "Switch.Set": {
				this.heard.commands++;
				if (params?.id !== 0 || typeof params.on !== "boolean") {
					this.heard.refused++;
					return answer('"error":{"code":-103,"message":"Invalid argument"}');
				}
				answer(`"result":{"was_on":${this.#on}}`);
				if (!this.stuck) this.#switch(params.on, "MQTT");
				return;
			}
			default: return answer('"error":{"code":404,"message":"No handler for it"}');
		}
	}
}
