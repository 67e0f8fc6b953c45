// A Sparkplug B edge node with one device behind it: a valve controller. Written from the specification.
// Source: https://sparkplug.eclipse.org/specification/version/3.0/documents/sparkplug-specification-3.0.0.pdf, sections 5 (operation) and 6 (payloads); https://protobuf.dev/programming-guides/encoding/
// Above 300 lines: the encoder of its payloads stands here, since no other simulator has one.
import { Timers } from "./clock.js";
import { MqttNode, type MqttOptions, type Said } from "./mqtt-node.js";
import { seeded } from "./random.js";

export interface SparkplugNodeOptions extends MqttOptions {
	/** Default `Plant`. */
	readonly group?: string;
	/** Default `press-1`. */
	readonly node?: string;
	/** Default `valve`. */
	readonly device?: string;
	/** Between two reports, in ms. Default 10 000. */
	readonly period?: number;
	/** Between a command and what it does, in ms. Default 50. */
	readonly delay?: number;
	/** Births give aliases, and data only these. Default true. */
	readonly aliases?: boolean;
	/** Its primary host: it is silent until `spBv1.0/STATE/<host>` says that this is online (section 5.4). Default: it waits for nobody. */
	readonly host?: string;
	readonly seed?: number;
}

export interface ValveState {
	readonly open: boolean;
	/** 0 to 100. */
	readonly target: number;
	/** V */
	readonly voltage: number;
	/** Turns since it was made: more than a double can count. */
	readonly turns: bigint;
}

/** Data types by number: section 6.4.16. */
const INT32 = 3;
const INT64 = 4;
const UINT64 = 8;
const FLOAT = 9;
const BOOLEAN = 11;
const STRING = 12;

interface Metric {
	readonly name: string;
	readonly alias?: number;
	readonly type: number;
	readonly value: number | bigint | boolean | string;
	/** Property `engUnit`. */
	readonly unit?: string;
}

/**
 * The node.
 *
 *     spBv1.0/<group>/NBIRTH/<node>           after each connect, with the number of the session in bdSeq
 *     spBv1.0/<group>/DBIRTH/<node>/<device>  Outputs/Open, Setpoint/Target, Turns, Properties/…
 *     spBv1.0/<group>/NDATA, DDATA            what has changed
 *     spBv1.0/<group>/NCMD, DCMD              Node Control/Rebirth; Outputs/Open, Setpoint/Target
 *     spBv1.0/<group>/NDEATH/<node>           its will; not retained
 */
export class SparkplugNode {
	/** It hears commands and does nothing. */
	stuck = false;
	/** It leaves out so many sequence numbers before its next message: lost on the way. */
	lose = 0;
	readonly heard = { commands: 0, rebirths: 0, refused: 0 };
	readonly #options: SparkplugNodeOptions;
	readonly #net: MqttNode;
	readonly #chance: () => number;
	readonly #timers = new Timers();
	/** What its host said last, and of when. */
	#host = { online: false, timestamp: -1 };
	#bdSeq = -1;
	#seq = 0;
	#open = false;
	#target = 0;
	#voltage = 12.1;
	#turns = 9_007_199_254_740_993n;

	constructor(options: SparkplugNodeOptions) {
		this.#options = options;
		this.#chance = seeded(options.seed ?? 1);
		this.#net = new MqttNode(options, {
			clientId: `sparkplug-${this.#node}`,
			will: () => {
				this.#bdSeq = (this.#bdSeq + 1) % 256;
				this.#host = { online: false, timestamp: -1 };
				return { ...this.#death(), retain: false };
			},
			subscriptions: [this.#topic("NCMD"), `${this.#topic("DCMD")}/#`, ...(options.host === undefined ? [] : [`spBv1.0/STATE/${options.host}`])],
			announce: () => (options.host === undefined ? this.#births() : undefined),
			farewell: () => (this.waiting ? [] : [this.#death()]),
			hear: (topic, _text, bytes) => (topic.startsWith("spBv1.0/STATE/") ? this.#hostSays(bytes) : this.#command(topic, bytes)),
		});
	}

	get #node(): string {
		return this.#options.node ?? "press-1";
	}

	get state(): ValveState {
		return { open: this.#open, target: this.#target, voltage: this.#voltage, turns: this.#turns };
	}

	/** Does it wait for its host, and say nothing? */
	get waiting(): boolean {
		return this.#options.host !== undefined && !this.#host.online;
	}

	get connected(): boolean {
		return this.#net.connected;
	}

	async start(): Promise<void> {
		this.#timers.stop();
		this.#timers.every(this.#net.clock, this.#options.period ?? 10_000, () => this.report());
		await this.#net.start();
	}

	/** Shut down: it says its own death, as section 5.4 asks for. */
	stop(): Promise<void> {
		this.#timers.stop();
		return this.#net.stop();
	}

	/** Power cut: the broker says its death. */
	crash(): Promise<void> {
		this.#timers.stop();
		return this.#net.crash();
	}

	/** Say what it measures now. */
	report(): void {
		this.#voltage = 11.9 + this.#chance() * 0.4;
		this.#turns += 1n;
		this.#data("NDATA", [this.#supply()]);
		this.#data("DDATA", [this.#metrics()[2]!]);
	}

	/** The wire to the device is pulled, or put back. */
	pullDevice(gone: boolean): void {
		if (gone) this.#say("DDEATH", []);
		else this.#deviceBirth();
	}

	#topic(type: string, device?: string): string {
		return `spBv1.0/${this.#options.group ?? "Plant"}/${type}/${this.#node}${device === undefined ? "" : `/${device}`}`;
	}

	/** What is older than what it knows is the will of an earlier connection, and is nothing: section 5.4. */
	#hostSays(bytes: Uint8Array): void {
		const { online, timestamp } = JSON.parse(Buffer.from(bytes).toString("utf8")) as { readonly online: boolean; readonly timestamp: number };
		const before = this.#host;
		if (timestamp < before.timestamp) return;
		if (before.online && !online) this.#net.say(this.#death());
		this.#host = { online, timestamp };
		if (online && !before.online) this.#births();
	}

	/** The words of its will, with the number of this session. */
	#death(): Said {
		return { topic: this.#topic("NDEATH"), text: payload(this.#net.clock.now(), undefined, [{ name: "bdSeq", type: INT64, value: this.#bdSeq }]), qos: 1 };
	}

	#supply(): Metric {
		return { name: "Supply Voltage", type: FLOAT, value: this.#voltage, unit: "V", ...this.#alias(1) };
	}

	#metrics(): Metric[] {
		return [
			{ name: "Outputs/Open", type: BOOLEAN, value: this.#open, ...this.#alias(0) }, // zero is an alias like any other
			{ name: "Setpoint/Target", type: INT32, value: this.#target, unit: "%", ...this.#alias(11) },
			{ name: "Turns", type: UINT64, value: this.#turns, ...this.#alias(12) },
			{ name: "Properties/Hardware Make", type: STRING, value: "Example Valves", ...this.#alias(13) },
		];
	}

	#alias(alias: number): { readonly alias?: number } {
		return this.#options.aliases === false ? {} : { alias };
	}

	#births(): void {
		this.#seq = 0;
		const node: Metric[] = [
			{ name: "bdSeq", type: INT64, value: this.#bdSeq }, { name: "Node Control/Rebirth", type: BOOLEAN, value: false },
			{ name: "Properties/Hardware Model", type: STRING, value: "VC-2" }, this.#supply(),
		];
		this.#say("NBIRTH", node, undefined);
		this.#deviceBirth();
	}

	#deviceBirth(): void {
		this.#say("DBIRTH", this.#metrics());
	}

	/** Data carry the alias alone where there is one: section 6.4.6. */
	#data(type: "NDATA" | "DDATA", metrics: readonly Metric[]): void {
		this.#say(type, metrics.map((metric) => (metric.alias === undefined ? metric : { ...metric, name: "" })).map(({ unit, ...metric }) => metric));
	}

	#say(type: string, metrics: readonly Metric[], device = type.startsWith("D") ? (this.#options.device ?? "valve") : undefined): void {
		if (this.waiting) return;
		const seq = (this.#seq + this.lose) % 256;
		this.lose = 0;
		this.#seq = (seq + 1) % 256;
		this.#net.say({ topic: this.#topic(type, device), text: payload(this.#net.clock.now(), seq, metrics) });
	}

	#command(topic: string, bytes: Uint8Array): void {
		this.heard.commands++;
		for (const { name, alias, value } of wishes(bytes)) {
			if (topic === this.#topic("NCMD")) {
				if (name === "Node Control/Rebirth" && value === 1n) {
					this.heard.rebirths++;
					this.#births();
				} else this.heard.refused++;
				continue;
			}
			const metric = this.#metrics().find((one) => (alias === undefined ? one.name === name : BigInt(one.alias ?? -1) === alias));
			if (!metric || this.stuck) {
				this.heard.refused++;
				continue;
			}
			this.#timers.after(this.#net.clock, this.#options.delay ?? 50, () => {
				if (metric.name === "Outputs/Open") this.#open = value === 1n;
				else if (metric.name === "Setpoint/Target") this.#target = Number(BigInt.asIntN(32, value ?? 0n));
				this.#data("DDATA", this.#metrics().filter((one) => one.name === metric.name));
			});
		}
	}
}

/** A payload as bytes: fields 1 timestamp, 2 metrics, 3 seq. */
function payload(now: number, seq: number | undefined, metrics: readonly Metric[]): Uint8Array {
	const out = [...tag(1, 0), ...varint(BigInt(now))];
	for (const metric of metrics) out.push(...field(2, metricBytes(metric, now)));
	if (seq !== undefined) out.push(...tag(3, 0), ...varint(BigInt(seq)));
	return Uint8Array.from(out);
}

function metricBytes({ name, alias, type, value, unit }: Metric, now: number): number[] {
	const out: number[] = [];
	if (name !== "") out.push(...field(1, text(name)));
	if (alias !== undefined) out.push(...tag(2, 0), ...varint(BigInt(alias)));
	out.push(...tag(3, 0), ...varint(BigInt(now)), ...tag(4, 0), ...varint(BigInt(type)));
	// PropertySet: keys (1) and values (2: type 1, string_value 8).
	if (unit !== undefined) out.push(...field(9, [...field(1, text("engUnit")), ...field(2, [...tag(1, 0), STRING, ...field(8, text(unit))])]));
	if (typeof value === "string") out.push(...field(15, text(value)));
	else if (typeof value === "boolean") out.push(...tag(14, 0), value ? 1 : 0);
	else if (type === FLOAT) {
		const bytes = Buffer.alloc(4);
		bytes.writeFloatLE(Number(value));
		out.push(...tag(12, 5), ...bytes);
	} else if (type === INT32) out.push(...tag(10, 0), ...varint(BigInt.asUintN(32, BigInt(value))));
	else out.push(...tag(11, 0), ...varint(BigInt.asUintN(64, BigInt(value))));
	return out;
}

function tag(id: number, wire: number): number[] {
	return varint(BigInt(id * 8 + wire));
}

function field(id: number, bytes: readonly number[]): number[] {
	return [...tag(id, 2), ...varint(BigInt(bytes.length)), ...bytes];
}

function text(value: string): number[] {
	return [...Buffer.from(value, "utf8")];
}

function varint(value: bigint): number[] {
	const out: number[] = [];
	let rest = value;
	while (rest >= 128n) {
		out.push(Number(rest % 128n) + 128);
		rest /= 128n;
	}
	return [...out, Number(rest)];
}

/** The metrics of a command: only what this device needs of them. */
function wishes(bytes: Uint8Array): { readonly name?: string; readonly alias?: bigint; readonly value?: bigint }[] {
	return read(bytes).flatMap(([id, inner]) => {
		if (id !== 2 || typeof inner === "bigint") return [];
		const wish: { name?: string; alias?: bigint; value?: bigint } = {};
		for (const [at, value] of read(inner)) {
			if (at === 1 && typeof value !== "bigint") wish.name = Buffer.from(value).toString("utf8");
			else if (at === 2 && typeof value === "bigint") wish.alias = value;
			else if ((at === 10 || at === 11 || at === 14) && typeof value === "bigint") wish.value = value;
		}
		return [wish];
	});
}

/** Fields of a message: numbers and bytes; a message that is cut off ends. */
function read(bytes: Uint8Array): [id: number, value: bigint | Uint8Array][] {
	const found: [number, bigint | Uint8Array][] = [];
	let at = 0;
	const number = (): bigint => {
		let value = 0n;
		for (let shift = 0n; at < bytes.length && shift < 70n; shift += 7n) {
			const byte = bytes[at++]!;
			value += BigInt(byte % 128) << shift;
			if (byte < 128) break;
		}
		return value;
	};
	while (at < bytes.length) {
		const key = Number(number());
		const wire = key % 8;
		if (wire === 0) found.push([Math.floor(key / 8), number()]);
		else {
			const length = wire === 2 ? Number(number()) : wire === 5 ? 4 : wire === 1 ? 8 : bytes.length;
			found.push([Math.floor(key / 8), bytes.subarray(at, at + length)]);
			at += length;
		}
	}
	return found;
}
