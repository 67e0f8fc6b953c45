// Two LoRaWAN network servers as their MQTT integrations speak: The Things Stack 3 and ChirpStack 4, each with one sensor.
// Sources: https://www.thethingsindustries.com/docs/integrations/pub-sub/mqtt/, https://www.thethingsindustries.com/docs/the-things-stack/concepts/data-formats/,
// https://www.chirpstack.io/docs/chirpstack/integrations/events.html
import { Timers } from "./clock.js";
import { MqttNode, type MqttOptions } from "./mqtt-node.js";
import { seeded, wander } from "./random.js";

export interface LorawanOptions extends MqttOptions {
	/** Default `02005E0000530040` for The Things Stack, `02005e0000530050` for ChirpStack. */
	readonly devEui?: string;
	/** Between two uplinks, in ms. Default 60 000. */
	readonly period?: number;
	readonly seed?: number;
}

export interface LorawanState {
	/** °C */
	readonly temperature: number;
	/** % */
	readonly humidity: number;
	readonly uplinks: number;
}

/** What both servers have: a class A sensor that sends now and then. */
abstract class Server {
	protected readonly net: MqttNode;
	protected readonly options: LorawanOptions;
	readonly #chance: () => number;
	readonly #timers = new Timers();
	protected temperature = 18.75;
	protected humidity = 60.5;
	protected uplinks = 0;

	constructor(options: LorawanOptions, clientId: string) {
		this.options = options;
		this.#chance = seeded(options.seed ?? 1);
		this.net = new MqttNode(options, {
			clientId,
			announce: () => {
				this.join();
				this.up();
			},
		});
	}

	get state(): LorawanState {
		return { temperature: this.temperature, humidity: this.humidity, uplinks: this.uplinks };
	}

	async start(): Promise<void> {
		this.#timers.stop();
		this.#timers.every(this.net.clock, this.options.period ?? 60_000, () => {
			this.temperature = Number(wander(this.#chance, this.temperature, 0.5, -20, 45).toFixed(2));
			this.humidity = Number(wander(this.#chance, this.humidity, 1, 5, 95).toFixed(1));
			this.up();
		});
		await this.net.start();
	}

	stop(): Promise<void> {
		this.#timers.stop();
		return this.net.stop();
	}

	crash(): Promise<void> {
		this.#timers.stop();
		return this.net.crash();
	}

	/** As both write times: nanoseconds. */
	protected get time(): string {
		return new Date(this.net.clock.now()).toISOString().replace("Z", "123456Z");
	}

	/** The device's own bytes: temperature and humidity in hundredths. */
	protected get bytes(): string {
		const bytes = Buffer.alloc(4);
		bytes.writeInt16BE(Math.round(this.temperature * 100), 0);
		bytes.writeUInt16BE(Math.round(this.humidity * 100), 2);
		return bytes.toString("base64");
	}

	abstract join(): void;
	abstract up(): void;
}

/** `v3/plant@example/devices/silo-3/up` and `/join`. */
export class ThingsStackServer extends Server {
	constructor(options: LorawanOptions) {
		super(options, "things-stack");
	}

	get devEui(): string {
		return this.options.devEui ?? "02005E0000530040";
	}

	join(): void {
		this.net.say({ topic: "v3/plant@example/devices/silo-3/join", text: JSON.stringify({ ...this.#ids, received_at: this.time, join_accept: { session_key_id: "AY==", received_at: this.time } }) });
	}

	up(): void {
		const uplink_message = {
			session_key_id: "AY==", f_port: 2, ...(this.uplinks > 0 && { f_cnt: this.uplinks }), frm_payload: this.bytes,
			decoded_payload: { TempC_Probe: this.temperature, Hum_SHT: this.humidity, TempC_DS: 327.67, BatV: 3.02, Lid_status: "CLOSED" },
			normalized_payload: [{ air: { temperature: this.temperature, relativeHumidity: this.humidity } }],
			rx_metadata: [{ gateway_ids: { gateway_id: "roof" }, rssi: -101, channel_rssi: -101, snr: -2.5 }, { gateway_ids: { gateway_id: "yard" }, rssi: -88, channel_rssi: -88, snr: 7 }],
			received_at: this.time, version_ids: { brand_id: "example", model_id: "probe-2", firmware_version: "1.3" },
		};
		this.uplinks++;
		this.net.say({ topic: "v3/plant@example/devices/silo-3/up", text: JSON.stringify({ ...this.#ids, received_at: this.time, uplink_message }) });
	}

	/** An application has queued a downlink: the server says so on the same tree. */
	queued(): void {
		this.net.say({ topic: "v3/plant@example/devices/silo-3/down/queued", text: JSON.stringify({ ...this.#ids, downlink_queued: { f_port: 1, frm_payload: "AQ==" } }) });
	}

	get #ids() {
		return { end_device_ids: { device_id: "silo-3", application_ids: { application_id: "plant" }, dev_eui: this.devEui, join_eui: "0000000000000000" } };
	}
}

/** `application/<id>/device/<DevEUI>/event/up`, `join`, `status`. */
export class ChirpStackServer extends Server {
	constructor(options: LorawanOptions) {
		super(options, "chirpstack");
	}

	get devEui(): string {
		return this.options.devEui ?? "02005e0000530050";
	}

	join(): void {
		this.#say("join", { devAddr: "00189440" });
	}

	up(): void {
		const fCnt = this.uplinks++;
		this.#say("up", { devAddr: "00189440", adr: true, dr: 5, fCnt, fPort: 2, confirmed: false, data: this.bytes, object: { temperature: this.temperature, humidity: String(this.humidity), door: null, leak: "false" }, rxInfo: [{ gatewayId: "0016c001f153a14c", rssi: -97, snr: 4.2 }] });
	}

	/** What the server asked the device of itself. */
	status(): void {
		this.#say("status", { margin: 11, batteryLevel: 91.3, externalPowerSource: false, batteryLevelUnavailable: false });
	}

	#say(event: string, fields: Readonly<Record<string, unknown>>): void {
		const deviceInfo = { tenantName: "Plant", applicationId: "example", deviceProfileName: "Example probe", deviceName: "Silo 4", devEui: this.devEui };
		this.net.say({ topic: `application/example/device/${this.devEui}/event/${event}`, text: JSON.stringify({ deduplicationId: "4e91db13", time: this.time.replace("Z", "+00:00"), deviceInfo, ...fields }) });
	}
}
