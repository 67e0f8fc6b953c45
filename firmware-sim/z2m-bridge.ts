// A Zigbee2MQTT 2.x bridge with a bulb and a battery sensor.
// Above 300 lines: one program, whose state every answer depends on.
// Source: https://www.zigbee2mqtt.io/guide/usage/mqtt_topics_and_messages.html; its behaviour where the page is silent (what is retained,
// the order after a rename, the words of an error) from the program itself: https://github.com/Koenkk/zigbee2mqtt, lib/extension/{bridge,publish,availability}.ts
import { Timers } from "./clock.js";
import { MqttNode, type MqttOptions, type Said } from "./mqtt-node.js";
import { seeded, wander } from "./random.js";
import { BULB, COORDINATOR, SENSOR, bridgeInfo, type Z2mModel } from "./z2m-devices.js";

export interface Z2mOptions extends MqttOptions {
	/** Default `zigbee2mqtt`. */
	readonly base?: string;
	/** Friendly names. Defaults `kitchen/bulb` and `Hall window`: a slash and a blank, as people have them. */
	readonly bulb?: string;
	readonly sensor?: string;
	/** Between a command and the radio's answer, in ms. Default 80. */
	readonly delay?: number;
	/** Between two reports of the sensor, in ms. Default 15 000. */
	readonly period?: number;
	readonly seed?: number;
}

export interface BulbState {
	readonly state: "ON" | "OFF";
	/** 0 to 254 */
	readonly brightness: number;
	/** 250 to 454 mired */
	readonly color_temp: number;
	readonly power_on_behavior: string;
}

export interface SensorState {
	/** % */
	readonly battery: number;
	/** true when closed */
	readonly contact: boolean;
	/** °C */
	readonly temperature: number;
	/** %RH */
	readonly humidity: number;
}

type Value = string | number | boolean;
interface Zigbee {
	name: string;
	readonly model: Z2mModel;
	available: boolean;
	linkquality: number;
}

const POWER_ON = ["off", "on", "toggle", "previous"];
/** A radio that does not answer is given up after ten seconds; the words are Zigbee2MQTT's. */
const NO_ANSWER = "ZCL command failed (Timeout - 40369 - 1 - null - 0 - 11 after 10000ms)";

/**
 * The bridge, below `zigbee2mqtt/`.
 *
 *     bridge/state                   {"state":"online"}, {"state":"offline"} (will); retained
 *     bridge/info, devices, groups   retained
 *     bridge/logging                 {"level":"error","message":…,"namespace":"z2m"} when a command makes no sense or fails
 *     <name>                         {"brightness":200,…,"state":"ON"}: keys sorted, never retained
 *     <name>/availability            {"state":"online"}; retained, and left "online" when the bridge dies
 *     <name>/set, <name>/set/<key>   JSON, or one raw value; ON, OFF, TOGGLE too. `<ieee address>` serves as name
 *     <name>/get                     JSON; answered by the state
 *     bridge/request/device/rename   {"from":…,"to":…,"transaction":…} → bridge/response/device/rename
 */
export class Z2mBridge {
	/** The bulb has no power: commands to it fail, and the bridge says so in its log alone. */
	stuck = false;
	/** The bulb cannot be brighter than this, though it says OK: for a value that differs from what was told. */
	dimmest: number | undefined;

	readonly #options: Z2mOptions;
	readonly #net: MqttNode;
	readonly #chance: () => number;
	readonly #bulb: Zigbee;
	readonly #sensor: Zigbee;
	#light: BulbState = { state: "OFF", brightness: 200, color_temp: 370, power_on_behavior: "previous" };
	#climate: SensorState = { battery: 97, contact: true, temperature: 21.37, humidity: 44.58 };
	readonly #timers = new Timers();

	constructor(options: Z2mOptions) {
		this.#options = options;
		this.#chance = seeded(options.seed ?? 1);
		this.#bulb = { name: options.bulb ?? "kitchen/bulb", model: BULB, available: true, linkquality: 114 };
		this.#sensor = { name: options.sensor ?? "Hall window", model: SENSOR, available: true, linkquality: 87 };
		this.#net = new MqttNode(options, {
			clientId: `zigbee2mqtt-sim-${this.#base.replaceAll("/", "-")}`,
			will: { topic: `${this.#base}/bridge/state`, text: '{"state":"offline"}' },
			subscriptions: [`${this.#base}/#`],
			announce: () => [
				this.#retained("bridge/state", { state: "online" }),
				this.#retained("bridge/info", bridgeInfo(this.#base)),
				this.#deviceList(),
				this.#retained("bridge/groups", []),
				...this.#zigbees.map((zigbee) => this.#availability(zigbee)),
				...this.#zigbees.map((zigbee) => this.#report(zigbee)), // the cached state, as with cache_state_send_on_startup
			],
			farewell: () => [this.#retained("bridge/state", { state: "offline" })],
			hear: (topic, text) => this.#hear(topic.slice(this.#base.length + 1), text),
		});
	}

	/** The physical truth. */
	get state(): { readonly bulb: BulbState; readonly sensor: SensorState } {
		return { bulb: this.#light, sensor: this.#climate };
	}

	/** The present friendly names. */
	get names(): { readonly bulb: string; readonly sensor: string } {
		return { bulb: this.#bulb.name, sensor: this.#sensor.name };
	}

	get connected(): boolean {
		return this.#net.connected;
	}

	async start(): Promise<void> {
		this.#timers.stop();
		this.#timers.every(this.#net.clock, this.#options.period ?? 15_000, () => this.#measure());
		await this.#net.start();
	}

	/** Shut down cleanly: the bridge says offline itself. */
	stop(): Promise<void> {
		this.#timers.stop();
		return this.#net.stop();
	}

	/** Power cut: the broker says offline for it. `start()` brings it back. */
	crash(): Promise<void> {
		this.#timers.stop();
		return this.#net.crash();
	}

	/** The network blinks, and the bridge comes back by itself. */
	blink(): void {
		this.#net.blink();
	}

	/** Somebody opens or closes the window. */
	window(closed: boolean): void {
		this.#climate = { ...this.#climate, contact: closed };
		this.#net.say(this.#report(this.#sensor));
	}

	/** The radio loses or finds one of them. */
	setAvailable(which: "bulb" | "sensor", available: boolean): void {
		const zigbee = which === "bulb" ? this.#bulb : this.#sensor;
		zigbee.available = available;
		this.#net.say(this.#availability(zigbee));
	}

	get #base(): string {
		return this.#options.base ?? "zigbee2mqtt";
	}

	get #zigbees(): readonly Zigbee[] {
		return [this.#bulb, this.#sensor];
	}

	#later(run: () => void): void {
		this.#timers.after(this.#net.clock, this.#options.delay ?? 80, run);
	}

	#hear(topic: string, text: string): void {
		if (topic === "bridge/request/device/rename") return this.#rename(text);
		// publish.ts: <name>/<get|set>[/<key>], the shortest name that fits
		const [, name = "", verb, key] = /^(.+?)\/(get|set)(?:\/(.+))?$/.exec(topic) ?? [];
		if (verb === undefined || name.startsWith("bridge/")) return; // our own messages come back to us
		const zigbee = this.#find(name);
		if (zigbee === undefined) return this.#log(`Entity '${name}' is unknown`);
		const message = key === undefined ? wholeMessage(text) : { [key]: jsonOr(text) };
		if (message === undefined) return this.#log(`Invalid message '${text}', skipping...`);
		if (verb === "get") this.#later(() => this.#net.say(this.#report(zigbee)));
		else this.#later(() => this.#set(zigbee, message));
	}

	#set(zigbee: Zigbee, message: Record<string, unknown>): void {
		let changed = false;
		for (const [key, value] of Object.entries(message)) {
			const change = zigbee === this.#bulb ? this.#bulbChange(key, value) : undefined;
			if (change === undefined) this.#log(`No converter available for '${key}' (${JSON.stringify(value)})`);
			else if (change === "nonsense") this.#log(`Publish 'set' '${key}' to '${zigbee.name}' failed: 'Error: Invalid value: ${String(value)}'`);
			else if (this.stuck) this.#log(`Publish 'set' '${key}' to '${zigbee.name}' failed: 'Error: ${NO_ANSWER}'`);
			else {
				this.#light = { ...this.#light, ...change };
				changed = true;
			}
		}
		if (changed) this.#net.say(this.#report(zigbee));
	}

	/** What a key does to the bulb: nothing when there is no such key, "nonsense" when the value is no value for it. */
	#bulbChange(key: string, value: unknown): Partial<BulbState> | "nonsense" | undefined {
		switch (key) {
			case "state": {
				const word = typeof value === "string" ? value.toUpperCase() : "";
				if (word === "TOGGLE") return { state: this.#light.state === "ON" ? "OFF" : "ON" };
				return word === "ON" || word === "OFF" ? { state: word } : "nonsense";
			}
			case "brightness": {
				if (typeof value !== "number" || !(value >= 0 && value <= 254)) return "nonsense";
				// A level command switches the light too (move to level with on/off).
				if (value === 0) return { state: "OFF" };
				return { state: "ON", brightness: Math.min(Math.round(value), this.dimmest ?? 254) };
			}
			case "color_temp":
				// Out of range is taken to the nearest that the lamp can do.
				return typeof value === "number" ? { color_temp: Math.min(454, Math.max(250, Math.round(value))) } : "nonsense";
			case "power_on_behavior":
				return typeof value === "string" && POWER_ON.includes(value) ? { power_on_behavior: value } : "nonsense";
			case "transition":
			case "effect":
				return {}; // seen in the room, not in the state
			default:
				return undefined;
		}
	}

	#rename(text: string): void {
		const request = wholeMessage(text);
		const transaction = request !== undefined && "transaction" in request ? { transaction: request["transaction"] } : {};
		const answer = (body: Record<string, unknown>): void =>
			this.#net.say({ topic: `${this.#base}/bridge/response/device/rename`, text: sorted({ ...body, ...transaction }) });
		const fail = (error: string): void => answer({ data: {}, error, status: "error" });

		const { from, to, homeassistant_rename = false } = request ?? {};
		if (typeof from !== "string" || typeof to !== "string" || to === "") return fail("Invalid payload");
		const zigbee = this.#find(from);
		if (zigbee === undefined) return fail(`Device '${from}' does not exist`);
		if (this.#find(to) !== undefined) return fail(`friendly_name '${to}' is already in use`);

		const old = zigbee.name;
		zigbee.name = to;
		this.#net.say({ topic: `${this.#base}/${old}`, text: "", retain: true });
		this.#net.say({ topic: `${this.#base}/${old}/availability`, text: "", retain: true, qos: 1 });
		this.#net.say(this.#availability(zigbee));
		this.#net.say(this.#deviceList());
		this.#net.say(this.#report(zigbee));
		answer({ data: { from: old, homeassistant_rename, to }, status: "ok" });
	}

	/** By friendly name or by address, as Zigbee2MQTT does it. */
	#find(name: string): Zigbee | undefined {
		return this.#zigbees.find((zigbee) => zigbee.name === name || zigbee.model.ieee_address === name);
	}

	#measure(): void {
		const { temperature, humidity } = this.#climate;
		this.#climate = {
			...this.#climate,
			temperature: hundredths(wander(this.#chance, temperature, 0.08, 5, 35)),
			humidity: hundredths(wander(this.#chance, humidity, 0.3, 20, 90)),
		};
		this.#sensor.linkquality = Math.round(wander(this.#chance, this.#sensor.linkquality, 6, 20, 255));
		if (this.#sensor.available) this.#net.say(this.#report(this.#sensor));
	}

	#report(zigbee: Zigbee): Said {
		const state: Record<string, Value | null> =
			zigbee === this.#bulb ? { ...this.#light, color_mode: "color_temp" } : { ...this.#climate, voltage: 2985 };
		return { topic: `${this.#base}/${zigbee.name}`, text: sorted({ ...state, linkquality: zigbee.linkquality }) };
	}

	#availability(zigbee: Zigbee): Said {
		return this.#retained(`${zigbee.name}/availability`, { state: zigbee.available ? "online" : "offline" });
	}

	#deviceList(): Said {
		const coordinator = { ...COORDINATOR, friendly_name: "Coordinator" };
		return this.#retained("bridge/devices", [coordinator, ...this.#zigbees.map(({ model, name }) => ({ ...model, friendly_name: name }))]);
	}

	#retained(topic: string, body: unknown): Said {
		return { topic: `${this.#base}/${topic}`, text: JSON.stringify(body), retain: true, qos: 1 };
	}

	#log(message: string): void {
		this.#net.say({ topic: `${this.#base}/bridge/logging`, text: JSON.stringify({ level: "error", message, namespace: "z2m" }) });
	}
}

function hundredths(value: number): number {
	return Math.round(value * 100) / 100;
}

/** JSON with its keys in order, as Zigbee2MQTT prints states and responses. */
function sorted(body: Readonly<Record<string, unknown>>): string {
	return JSON.stringify(Object.fromEntries(Object.entries(body).sort(([a], [b]) => (a < b ? -1 : 1))));
}

function jsonOr(text: string): unknown {
	try {
		return JSON.parse(text);
	} catch {
		return text; // a bare word, such as ON
	}
}

/** publish.ts: an object, or one of the state words alone. */
function wholeMessage(text: string): Record<string, unknown> | undefined {
	const message = jsonOr(text);
	if (typeof message === "string" && /^(on|off|toggle)$/i.test(message)) return { state: message };
	return isRecord(message) ? message : undefined;
}

function isRecord(value: unknown): value is Record<string, unknown> {
	return typeof value === "object" && value !== null && !Array.isArray(value);
}
