// A Meshtastic node with a network connection: it tells as JSON what it hears on the radio, and sends what it is told.
// Source: https://meshtastic.org/docs/software/integrations/mqtt/ ("JSON downlink", "JSON packets")
import { MqttNode, type MqttOptions, type Said } from "./mqtt-node.js";

export interface MeshtasticNodeOptions extends MqttOptions {
	/** Default `msh/EU_868`. */
	readonly root?: string;
	/** Default 0xaabbccdd. */
	readonly number?: number;
}

/** Another node, out in the field, which this one hears. */
export const FIELD_NODE = 0x00bc614e;

/**
 * The node.
 *
 *     <root>/2/stat/!<id>                      online, offline (will); retained
 *     <root>/2/json/LongFast/!<id>             one packet each
 *     <root>/2/json/mqtt/                      {"from":<its number>,"to":…,"type":"sendtext","payload":"…"}
 */
export class MeshtasticNode {
	/** What it was told is dropped: the owner has not allowed it. */
	stuck = false;
	/** Does its channel tell the broker what it sends? */
	uplink = true;
	/** What it sent on the radio. */
	readonly sent: { readonly to: number; readonly text: string }[] = [];
	readonly id: string;
	readonly #root: string;
	readonly #number: number;
	readonly #net: MqttNode;
	#packets = 1000;

	constructor(options: MeshtasticNodeOptions) {
		this.#root = options.root ?? "msh/EU_868";
		this.#number = options.number ?? 0xaabbccdd;
		this.id = `!${this.#number.toString(16).padStart(8, "0")}`;
		const stat = `${this.#root}/2/stat/${this.id}`;
		this.#net = new MqttNode(options, {
			clientId: this.id,
			will: { topic: stat, text: "offline" },
			subscriptions: [`${this.#root}/2/json/mqtt/`],
			announce: () => [
				{ topic: stat, text: "online", retain: true, qos: 1 },
				this.#packet(FIELD_NODE, "nodeinfo", { id: "!00bc614e", longname: "Field east", shortname: "FE", hardware: 43 }),
				this.#packet(FIELD_NODE, "telemetry", { battery_level: 87, voltage: 4.02, channel_utilization: 3.5, air_util_tx: 0.25, uptime_seconds: 86400 }),
				this.#packet(FIELD_NODE, "position", { latitude_i: 481234567, longitude_i: -71234567, altitude: 120, time: this.#seconds() }),
			],
			farewell: () => [{ topic: stat, text: "offline", retain: true }],
			hear: (_, text) => this.#downlink(text),
		});
	}

	get state(): { readonly packets: number } {
		return { packets: this.#packets };
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

	/** The field node measures the weather. */
	weather(temperature: number): void {
		this.#net.say(this.#packet(FIELD_NODE, "telemetry", { temperature, relative_humidity: 61.5, barometric_pressure: 1009.25 }));
	}

	#downlink(text: string): void {
		let wish: unknown;
		try {
			wish = JSON.parse(text);
		} catch {
			return;
		}
		if (this.stuck || typeof wish !== "object" || wish === null || !("from" in wish) || wish.from !== this.#number || !("type" in wish) || wish.type !== "sendtext" || !("payload" in wish) || typeof wish.payload !== "string") return;
		const to = "to" in wish && typeof wish.to === "number" ? wish.to : 0xffffffff;
		this.sent.push({ to, text: wish.payload });
		// What it sends itself goes up like what it hears, where its channel has an uplink: MQTT::onSend() of the firmware.
		if (this.uplink) this.#net.say(this.#packet(this.#number, "text", { text: wish.payload }, to));
	}

	#seconds(): number {
		return Math.floor(this.#net.clock.now() / 1000);
	}

	#packet(from: number, type: string, payload: object, to = 0xffffffff): Said {
		const body = { channel: 0, from, hop_start: 3, hops_away: 1, id: ++this.#packets, payload, rssi: -97, sender: this.id, snr: 4.75, timestamp: this.#seconds(), to, type };
		return { topic: `${this.#root}/2/json/LongFast/${this.id}`, text: JSON.stringify(body), qos: 1 };
	}
}
