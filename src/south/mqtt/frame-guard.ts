// A bound on what one MQTT packet may make the parser hold: it collects a whole packet, of up to 256 MB, before it looks at it.
// MQTT Version 3.1.1, sections 2.2 (fixed header) and 3.3 (PUBLISH); the same bytes in version 5.0.
// Source: https://docs.oasis-open.org/mqtt/mqtt/v3.1.1/os/mqtt-v3.1.1-os.html

import { Transform, type TransformCallback } from "node:stream";

/** Largest payload that is taken, in both directions. The largest in the field, a Zigbee2MQTT device list, has some 300 KiB. */
export const MAX_PAYLOAD = 1_048_576;
/** A packet of that payload with the longest topic, and version 5 properties. */
const MAX_PACKET = MAX_PAYLOAD + 131_072;

const PUBLISH = 3;

/** A PUBLISH that was left out. */
export interface Oversized {
	readonly topic: string;
	readonly bytes: number;
	/** Nothing with QoS 0. */
	readonly messageId?: number;
	readonly qos: number;
}

/** Passes MQTT packets on and leaves out those above the limit. Holds at most the topic of one packet. */
export class FrameGuard extends Transform {
	readonly #limit: number;
	readonly #tell: (oversized: Oversized) => void;
	#state: "header" | "pass" | "peek" | "skip" = "header";
	/** The fixed header, or the beginning of an oversized PUBLISH. */
	#held: Buffer = Buffer.alloc(0);
	/** Bytes of the packet that are still to come. */
	#left = 0;
	#flags = 0;
	#bytes = 0;

	/** @param tell Called for each packet that is left out, as soon as its id is known. */
	constructor(tell: (oversized: Oversized) => void, limit = MAX_PACKET) {
		super();
		this.#tell = tell;
		this.#limit = limit;
	}

	override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
		let at = 0;
		let from = 0; // bytes from here on have not been passed on yet, and shall be
		while (at < chunk.length) {
			if (this.#state === "pass" || this.#state === "skip") {
				const taken = Math.min(this.#left, chunk.length - at);
				at += taken;
				this.#left -= taken;
				if (this.#state === "skip") from = at;
				if (this.#left === 0) this.#state = "header";
			} else if (this.#state === "peek") {
				const taken = Math.min(this.#left, chunk.length - at, this.#missing());
				this.#held = Buffer.concat([this.#held, chunk.subarray(at, at + taken)]);
				at += taken;
				from = at;
				this.#left -= taken;
				if (this.#missing() === 0 || this.#left === 0) this.#leaveOut();
			} else {
				// The fixed header is held back until it says how long the packet is; at most five bytes.
				this.#held = Buffer.concat([this.#held, chunk.subarray(at, at + 1)]);
				if (this.#held.length === 1 && at > from) this.push(chunk.subarray(from, at));
				at += 1;
				from = at;
				const length = remainingLength(this.#held);
				if (length === undefined) continue;
				this.#begin(length);
			}
		}
		if (from < chunk.length) this.push(chunk.subarray(from));
		done();
	}

	#begin(length: number): void {
		const first = this.#held[0]!;
		this.#left = length;
		if (length <= this.#limit || length === Infinity) {
			// A header of more than four length bytes is the parser's to refuse.
			this.push(this.#held);
			this.#left = length === Infinity ? 0 : length;
			this.#state = this.#left === 0 ? "header" : "pass";
		} else if (first >> 4 === PUBLISH) {
			this.#flags = first & 0x0f;
			this.#bytes = length;
			this.#state = "peek";
		} else {
			this.destroy(new Error(`a packet of ${length} bytes that is no PUBLISH`));
			this.#state = "skip";
		}
		this.#held = Buffer.alloc(0);
	}

	/** Bytes that the topic and the id still lack. */
	#missing(): number {
		if (this.#held.length < 2) return 2 - this.#held.length;
		return 2 + this.#held.readUInt16BE(0) + (this.#qos === 0 ? 0 : 2) - this.#held.length;
	}

	get #qos(): number {
		return (this.#flags >> 1) & 3;
	}

	#leaveOut(): void {
		const held = this.#held;
		this.#held = Buffer.alloc(0);
		this.#state = this.#left === 0 ? "header" : "skip";
		const end = held.length < 2 ? 0 : 2 + held.readUInt16BE(0);
		const whole = end + (this.#qos === 0 ? 0 : 2) === held.length;
		this.#tell({ topic: held.toString("utf8", 2, Math.max(2, end)), bytes: this.#bytes, qos: this.#qos, ...(whole && this.#qos > 0 && { messageId: held.readUInt16BE(end) }) });
	}
}

/** Section 2.2.3. @returns Nothing while bytes are missing, Infinity when there are too many. */
function remainingLength(header: Buffer): number | undefined {
	let length = 0;
	for (let at = 1; at < header.length; at++) {
		length += (header[at]! & 0x7f) * 128 ** (at - 1);
		if (header[at]! < 0x80) return length;
		if (at === 4) return Infinity;
	}
	return undefined;
}
