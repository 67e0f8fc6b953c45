// One device's connection to a broker: MQTT 3.1.1, as little of it as a device needs that only publishes. Own code, so that no library shared with the gateway vouches for it.
// Source: https://docs.oasis-open.org/mqtt/mqtt/v3.1.1/os/mqtt-v3.1.1-os.html

import { connect, type Socket } from "node:net";

/** What is published by the broker when the connection ends without a word. Retained, QoS 1. */
export interface Will {
	readonly topic: string;
	readonly payload: string;
}

export interface PublisherOptions {
	readonly port: number;
	readonly clientId: string;
	readonly will?: Will;
	/** The connection stands: CONNACK has come. */
	readonly connected: () => void;
}

/** Unanswered messages of one connection: a broker that hangs is not fed without end. */
const MAX_OPEN = 500;
/** Between two attempts to connect. */
const AGAIN_MS = 250;

/** Publishes at QoS 1, once: what was not acknowledged when its connection ended is never repeated, for a repetition would be another message. */
export class Publisher {
	readonly #options: PublisherOptions;
	#socket: Socket | undefined;
	#isUp = false;
	#isOff = true;
	#packetId = 0;
	#open = new Map<number, (isAcknowledged: boolean) => void>();
	#timer: NodeJS.Timeout | undefined;

	constructor(options: PublisherOptions) {
		this.#options = options;
	}

	get isUp(): boolean {
		return this.#isUp;
	}

	/** Messages that the broker has not answered yet. */
	get unanswered(): number {
		return this.#open.size;
	}

	/** Connects, and comes back whenever the connection ends, until `cut(true)`. */
	start(): void {
		if (!this.#isOff) return;
		this.#isOff = false;
		this.#connect();
	}

	/** Ends the connection without a DISCONNECT: the broker publishes the will. @param forGood As when the power is gone. */
	cut(forGood: boolean): void {
		this.#isOff = forGood;
		if (forGood) clearTimeout(this.#timer);
		this.#socket?.destroy();
	}

	/** @param told Called once: true upon PUBACK, false when the connection ended before it. @returns False when nothing was sent. */
	publish(topic: string, payload: string, retain: boolean, told: (isAcknowledged: boolean) => void): boolean {
		if (!this.#isUp || this.#open.size >= MAX_OPEN) return false;
		do this.#packetId = (this.#packetId % 65_535) + 1; while (this.#open.has(this.#packetId));
		const id = this.#packetId;
		this.#open.set(id, told);
		this.#socket?.write(packet(0x32 | Number(retain), Buffer.concat([text(topic), Buffer.from([id >> 8, id & 0xff]), Buffer.from(payload)])));
		return true;
	}

	#connect(): void {
		const socket = connect({ host: "127.0.0.1", port: this.#options.port, noDelay: true });
		this.#socket = socket;
		let rest: Buffer = Buffer.alloc(0);
		socket.on("connect", () => void socket.write(this.#hello()));
		socket.on("data", (chunk) => {
			rest = Buffer.concat([rest, chunk]);
			// Everything that comes to such a client is CONNACK or PUBACK: four bytes.
			for (; rest.length >= 4; rest = rest.subarray(4)) this.#hear(rest[0]!, rest.readUInt16BE(2));
		});
		socket.on("error", () => undefined); // "close" follows
		socket.on("close", () => {
			this.#isUp = false;
			const open = this.#open;
			this.#open = new Map();
			for (const told of open.values()) told(false);
			if (!this.#isOff) this.#timer = setTimeout(() => this.#connect(), AGAIN_MS);
		});
	}

	#hello(): Buffer {
		const { clientId, will } = this.#options;
		const flags = 0x02 | (will ? 0x2c : 0); // clean session; will, retained, QoS 1
		return packet(0x10, Buffer.concat([text("MQTT"), Buffer.from([4, flags, 0, 0]), text(clientId), ...(will ? [text(will.topic), text(will.payload)] : [])]));
	}

	#hear(type: number, word: number): void {
		if (type === 0x20 && word === 0) {
			this.#isUp = true;
			this.#options.connected();
		} else if (type === 0x40) {
			const told = this.#open.get(word);
			this.#open.delete(word);
			told?.(true);
		} else this.#socket?.destroy();
	}
}

function text(value: string): Buffer {
	const bytes = Buffer.from(value);
	const length = Buffer.alloc(2);
	length.writeUInt16BE(bytes.length);
	return Buffer.concat([length, bytes]);
}

/** A fixed header (section 2.2) and its body. */
function packet(first: number, body: Buffer): Buffer {
	const length: number[] = [];
	let left = body.length;
	do {
		const digit = left % 128;
		left = Math.floor(left / 128);
		length.push(digit | (left > 0 ? 0x80 : 0));
	} while (left > 0);
	return Buffer.concat([Buffer.from([first, ...length]), body]);
}
