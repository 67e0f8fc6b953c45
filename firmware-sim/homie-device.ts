// A heater with a thermometer that describes itself by Homie, of version 4 (an attribute on each topic) or 5 (one JSON).
// Sources: https://homieiot.github.io/specification/spec-core-v4_0_0/, https://homieiot.github.io/specification/
import { Timers } from "./clock.js";
import { MqttNode, type MqttOptions, type Said } from "./mqtt-node.js";

export interface HomieDeviceOptions extends MqttOptions {
	/** Device id, `[a-z0-9-]+`. Default `heater-1`. */
	readonly id?: string;
	readonly version?: 4 | 5;
	/** Between a command and what it does, in ms. Default 50. */
	readonly delay?: number;
	/** Between two reports of the thermometer, in ms. Default 10 000. */
	readonly period?: number;
}

interface Property {
	readonly name: string;
	readonly datatype: string;
	readonly format?: string;
	readonly unit?: string;
	readonly settable?: boolean;
}

/** What it has: node → property → attributes. */
const NODES: Readonly<Record<string, Readonly<Record<string, Property>>>> = {
	heating: {
		power: { name: "Power", datatype: "boolean", settable: true },
		setpoint: { name: "Setpoint", datatype: "float", format: "5:30", unit: "°C", settable: true },
		mode: { name: "Mode", datatype: "enum", format: "eco,comfort,boost", settable: true },
	},
	climate: { temperature: { name: "Temperature", datatype: "float", unit: "°C" } },
};

/**
 * The heater.
 *
 *     homie/<id>/$homie, $name, $state, $nodes, <node>/$properties …   version 4; retained
 *     homie/5/<id>/$description, $state                                version 5; retained
 *     …/heating/{power,setpoint,mode}, …/climate/temperature           values; retained
 *     …/heating/{power,setpoint,mode}/set                              what it is told
 */
export class HomieDevice {
	/** It hears commands and does nothing. */
	stuck = false;
	/** Commands heard, and those of them that made no sense. */
	readonly heard = { commands: 0, refused: 0 };
	readonly id: string;
	readonly #options: HomieDeviceOptions;
	readonly #base: string;
	readonly #net: MqttNode;
	readonly #timers = new Timers();
	readonly #values: Record<string, string> = { "heating/power": "false", "heating/setpoint": "20.0", "heating/mode": "eco", "climate/temperature": "18.5" };

	constructor(options: HomieDeviceOptions) {
		this.#options = options;
		this.id = options.id ?? "heater-1";
		this.#base = options.version === 5 ? `homie/5/${this.id}` : `homie/${this.id}`;
		this.#net = new MqttNode(options, {
			clientId: this.id,
			will: { topic: `${this.#base}/$state`, text: "lost" },
			subscriptions: [`${this.#base}/+/+/set`],
			announce: () => [this.#state("init"), ...(options.version === 5 ? this.#describe5() : this.#describe4()), ...Object.keys(this.#values).map((path) => this.#value(path)), this.#state("ready")],
			farewell: () => [this.#state("disconnected")],
			hear: (topic, text) => this.#command(topic.slice(this.#base.length + 1, -"/set".length), text),
		});
	}

	get values(): Readonly<Record<string, string>> {
		return this.#values;
	}

	async start(): Promise<void> {
		this.#timers.stop();
		this.#timers.every(this.#net.clock, this.#options.period ?? 10_000, () => this.#warm());
		await this.#net.start();
	}

	/** Shut down cleanly: it says so itself. */
	stop(): Promise<void> {
		this.#timers.stop();
		return this.#net.stop();
	}

	/** Power cut: the broker says lost for it. */
	crash(): Promise<void> {
		this.#timers.stop();
		return this.#net.crash();
	}

	#warm(): void {
		const aim = this.#values["heating/power"] === "true" ? Number(this.#values["heating/setpoint"]) : 15;
		const now = Number(this.#values["climate/temperature"]);
		this.#values["climate/temperature"] = (now + Math.sign(aim - now) * Math.min(0.5, Math.abs(aim - now))).toFixed(1);
		this.#net.say(this.#value("climate/temperature"));
	}

	#command(path: string, text: string): void {
		this.heard.commands++;
		const [node, property] = path.split("/");
		const about = NODES[node ?? ""]?.[property ?? ""];
		const [min, max] = (about?.format ?? "").split(":").map(Number);
		const fits = about?.settable === true && (about.datatype === "boolean" ? /^(true|false)$/.test(text) : about.datatype === "enum" ? about.format!.split(",").includes(text) : /^-?\d+(\.\d+)?$/.test(text) && Number(text) >= min! && Number(text) <= max!);
		if (!fits) {
			this.heard.refused++;
			return;
		}
		if (this.stuck) return;
		this.#timers.after(this.#net.clock, this.#options.delay ?? 50, () => {
			this.#values[path] = about.datatype === "float" ? Number(text).toFixed(1) : text;
			this.#net.say(this.#value(path));
		});
	}

	#value(path: string): Said {
		return { topic: `${this.#base}/${path}`, text: this.#values[path]!, retain: true, qos: 1 };
	}

	#state(word: string): Said {
		return { topic: `${this.#base}/$state`, text: word, retain: true, qos: 1 };
	}

	#describe4(): Said[] {
		const said: (readonly [string, string])[] = [["$homie", "4.0.0"], ["$name", "Hall heater"], ["$nodes", Object.keys(NODES).join(",")], ["$extensions", ""]];
		for (const [node, properties] of Object.entries(NODES)) {
			said.push([`${node}/$name`, node], [`${node}/$type`, node], [`${node}/$properties`, Object.keys(properties).join(",")]);
			for (const [property, { name, datatype, format, unit, settable }] of Object.entries(properties)) {
				said.push([`${node}/${property}/$name`, name], [`${node}/${property}/$datatype`, datatype]);
				if (format !== undefined) said.push([`${node}/${property}/$format`, format]);
				if (unit !== undefined) said.push([`${node}/${property}/$unit`, unit]);
				if (settable) said.push([`${node}/${property}/$settable`, "true"]);
			}
		}
		return said.filter(([, text]) => text !== "").map(([topic, text]) => ({ topic: `${this.#base}/${topic}`, text, retain: true, qos: 1 }));
	}

	#describe5(): Said[] {
		const nodes = Object.fromEntries(Object.entries(NODES).map(([node, properties]) => [node, { name: node, properties }]));
		return [{ topic: `${this.#base}/$description`, text: JSON.stringify({ homie: "5.0", version: 7, name: "Hall heater", nodes }), retain: true, qos: 1 }];
	}
}
