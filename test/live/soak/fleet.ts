// Two hundred devices: nodes with a connection and a last will each, and a Zigbee bridge that speaks for the rest.
// Every reading is a number that says whose it is and its how-manieth, and is sent once.

import { type Ledger, SEQUENCES } from "./ledger.js";
import { Publisher } from "./publisher.js";

export const NODES = 140;
export const ZIGBEE = 60;
export const DEVICES = NODES + ZIGBEE;
/** What the fleet's readings are called. */
export const POINT = "count";

/** A device as the gateway knows it. */
export interface FleetDevice {
	readonly number: number;
	/** Its id, and so the localpart of its address. */
	readonly id: string;
	/** What its link calls it. */
	readonly kind: "node" | "zigbee";
}

export interface FleetOptions {
	readonly port: number;
	readonly ledger: Ledger;
	readonly chance: () => number;
	/** Readings a second, of all devices together. */
	readonly rate: number;
}

const TICK_MS = 10;
/** A broker that does not answer is not sent more: in these seconds a device measures and forgets. */
const MOST_UNANSWERED = 10;
const BRIDGE_UNANSWERED = 400;

export class Fleet {
	readonly devices: readonly FleetDevice[];
	/** What each reading with a time of its source was stamped with, in ms since 1970. */
	readonly sourceTimes = new Map<number, number>();
	readonly #options: FleetOptions;
	readonly #nodes: readonly Publisher[];
	readonly #bridge: Publisher;
	readonly #due: number[];
	readonly #sequence: number[];
	readonly #off = new Set<number>();
	#timer: NodeJS.Timeout | undefined;

	constructor(options: FleetOptions) {
		this.#options = options;
		const { port } = options;
		this.devices = Array.from({ length: DEVICES }, (_, at): FleetDevice => {
			const number = at + 1;
			return number <= NODES ? { number, id: nodeId(number), kind: "node" } : { number, id: ieee(number), kind: "zigbee" };
		});
		this.#due = this.devices.map(() => 0);
		this.#sequence = this.devices.map(() => 0);
		this.#nodes = this.devices.filter(({ kind }) => kind === "node").map(({ id }) => {
			const topic = `site/${id}/online`;
			const node: Publisher = new Publisher({ port, clientId: id, will: { topic, payload: "0" }, connected: () => void node.publish(topic, "1", true, () => undefined) });
			return node;
		});
		this.#bridge = new Publisher({ port, clientId: "zigbee2mqtt", will: { topic: "zigbee2mqtt/bridge/state", payload: "{\"state\":\"offline\"}" }, connected: () => this.#introduceBridge() });
	}

	/** Connects all devices; none measures yet. */
	powerOn(): void {
		for (const node of this.#nodes) node.start();
		this.#bridge.start();
	}

	get isUp(): boolean {
		return this.#bridge.isUp && this.#nodes.every((node, at) => node.isUp || this.#off.has(at + 1));
	}

	/** Readings that their broker has not answered. */
	get unanswered(): number {
		return [...this.#nodes, this.#bridge].reduce((sum, { unanswered }) => sum + unanswered, 0);
	}

	/** Begins to measure. */
	start(): void {
		const now = Date.now();
		for (const { number } of this.devices) this.#due[number - 1] = now + this.#period() * this.#options.chance();
		this.#timer = setInterval(() => this.#tick(), TICK_MS);
	}

	/** Measures no more; connections stay. */
	rest(): void {
		clearInterval(this.#timer);
		this.#timer = undefined;
	}

	/** One reading of one device now. */
	measure(number: number): void {
		this.#measure(this.devices[number - 1]!);
	}

	/** Some nodes, or the bridge among them, lose their connection; they come back at once. */
	cutSome(count: number): void {
		for (let each = 0; each < count; each++) {
			const at = Math.floor(this.#options.chance() * (NODES + 1));
			(this.#nodes[at] ?? this.#bridge).cut(false);
		}
	}

	/** These have no power any more. */
	switchOff(numbers: readonly number[]): void {
		for (const number of numbers) {
			this.#off.add(number);
			if (number <= NODES) this.#nodes[number - 1]!.cut(true);
			else this.#tellAvailability(number);
		}
	}

	isOn(number: number): boolean {
		return !this.#off.has(number);
	}

	stop(): void {
		this.rest();
		for (const each of [...this.#nodes, this.#bridge]) each.cut(true);
	}

	#tick(): void {
		const now = Date.now();
		for (const device of this.devices) {
			if (this.#due[device.number - 1]! > now || this.#off.has(device.number)) continue;
			this.#due[device.number - 1] = now + this.#period() * (0.7 + 0.6 * this.#options.chance());
			this.#measure(device);
		}
	}

	#period(): number {
		return (1_000 * DEVICES) / this.#options.rate;
	}

	#measure({ number, id, kind }: FleetDevice): void {
		const { ledger } = this.#options;
		const publisher = kind === "node" ? this.#nodes[number - 1]! : this.#bridge;
		if (!publisher.isUp || publisher.unanswered >= (kind === "node" ? MOST_UNANSWERED : BRIDGE_UNANSWERED)) return;
		const code = number * SEQUENCES + ++this.#sequence[number - 1]!;
		const now = Date.now();
		ledger.send(code);
		const told = (isAcknowledged: boolean): void => {
			if (isAcknowledged) ledger.acknowledge(code, Date.now());
		};
		if (kind === "node") publisher.publish(`site/${id}/state`, `{"${POINT}":${code}}`, isRetaining(number), told);
		else {
			this.sourceTimes.set(code, now);
			publisher.publish(`zigbee2mqtt/${friendlyName(number)}`, `{"${POINT}":${code},"last_seen":"${new Date(now).toISOString()}"}`, false, told);
		}
	}

	#introduceBridge(): void {
		const say = (rest: string, value: unknown): void => void this.#bridge.publish(`zigbee2mqtt/${rest}`, JSON.stringify(value), true, () => undefined);
		say("bridge/state", { state: "online" });
		say("bridge/devices", this.devices.filter(({ kind }) => kind === "zigbee").map(({ number, id }) => ({
			ieee_address: id, friendly_name: friendlyName(number), type: "EndDevice", supported: true, interview_completed: true,
			definition: { vendor: "Acme", model: "COUNTER-1", description: "Counter", exposes: [{ type: "numeric", name: POINT, property: POINT, label: "Count", access: 1 }] },
		})));
		for (const { number, kind } of this.devices) if (kind === "zigbee") this.#tellAvailability(number);
	}

	#tellAvailability(number: number): void {
		this.#bridge.publish(`zigbee2mqtt/${friendlyName(number)}/availability`, JSON.stringify({ state: this.#off.has(number) ? "offline" : "online" }), true, () => undefined);
	}
}

/** Every fifth node leaves its state with the broker. */
export function isRetaining(number: number): boolean {
	return number <= NODES && number % 5 === 0;
}

function nodeId(number: number): string {
	return `node-${number}`;
}

function ieee(number: number): string {
	return `0x00158d00000${String(number).padStart(5, "0")}`;
}

function friendlyName(number: number): string {
	return `Counter ${number}`;
}
