import { Duplex } from "node:stream";
import type { SimClock } from "./clock.js";
import { seeded } from "./random.js";

/** What can happen to one write on its way. */
export type WireFault =
	| "cut" // the tail is lost
	| "split" // it arrives in pieces, with time between them
	| "late" // it arrives whole, but late
	| "flip" // one bit is turned over
	| "unplug"; // the plug comes out under it, and is put back after `unpluggedFor`

/** For each fault the chance, 0 to 1, that it befalls a write. */
export type FaultChances = Readonly<Partial<Record<WireFault, number>>>;

/** The way of the bytes. */
export type Direction = "toDevice" | "toGateway";

export interface WireOptions {
	readonly clock: SimClock;
	/** The same seed and the same writes give the same faults. Default 1. */
	readonly seed?: number;
	/** Bits per second, 10 bits a byte; left out, bytes take no time. */
	readonly baud?: number;
	/** Half duplex without echo suppression: the gateway hears what it says. */
	readonly echo?: boolean;
	readonly toDevice?: FaultChances;
	readonly toGateway?: FaultChances;
	/** How late a late write is, at least and at most, in ms. Default 50 to 500. */
	readonly lateness?: readonly [number, number];
	/** The longest silence between two pieces of a split write, in ms. Default 10. */
	readonly pieceGap?: number;
	/** How long an `unplug` by chance lasts, in ms. Default 2000. */
	readonly unpluggedFor?: number;
}

/** One end of the wire: what a serial port is to a program. */
export interface WireEnd {
	/** Bytes out. Without a plug they are lost, as on a real wire. */
	write(bytes: Uint8Array): void;
	/** Bytes in: set by whoever sits at this end. */
	onData: (bytes: Uint8Array) => void;
	/** The plug was pulled out or put in: set by whoever sits at this end. */
	onPlug: (plugged: boolean) => void;
}

/** A device on a wire: bytes in by `receive`, bytes out by `transmit`, which the wire sets. */
export interface SerialDevice {
	receive(bytes: Uint8Array): void;
	transmit: (bytes: Uint8Array) => void;
}

/** What waits in one direction; more than the 64 KiB of a tty's buffer is an overrun, and lost. */
const MAX_WAITING_BYTES = 65_536;
/** A split write comes in at most this many pieces: what one USB packet of 64 bytes can become. */
const MAX_PIECES = 8;

/**
 * A serial wire between a gateway and a device, with faults.
 *
 * A fault comes by chance (`toDevice`, `toGateway`) or when asked for (`once()`, `unplug()`). Bytes never overtake each other.
 */
export class Wire {
	readonly gateway: WireEnd;
	readonly device: WireEnd;
	/** The chances may be changed at any time. */
	readonly chances: Record<Direction, FaultChances>;
	echo: boolean;
	/** How often each fault happened. */
	readonly happened: Record<WireFault, number> = { cut: 0, split: 0, late: 0, flip: 0, unplug: 0 };

	readonly #options: WireOptions;
	readonly #chance: () => number;
	readonly #asked: Record<Direction, WireFault[]> = { toDevice: [], toGateway: [] };
	readonly #lanes: Record<Direction, Lane>;
	#plugged = true;
	#cancelReplug: () => void = () => undefined;

	constructor(options: WireOptions) {
		this.#options = options;
		this.#chance = seeded(options.seed ?? 1);
		this.echo = options.echo ?? false;
		this.chances = { toDevice: options.toDevice ?? {}, toGateway: options.toGateway ?? {} };
		this.gateway = { write: (bytes) => this.#write("toDevice", bytes), onData: () => undefined, onPlug: () => undefined };
		this.device = { write: (bytes) => this.#write("toGateway", bytes), onData: () => undefined, onPlug: () => undefined };
		this.#lanes = {
			toDevice: new Lane(options.clock, options.baud, (bytes) => this.device.onData(bytes)),
			toGateway: new Lane(options.clock, options.baud, (bytes) => this.gateway.onData(bytes)),
		};
	}

	get plugged(): boolean {
		return this.#plugged;
	}

	/** Let `fault` befall the next write in this direction. Asked for twice, it befalls two writes. */
	once(direction: Direction, fault: WireFault): void {
		this.#asked[direction].push(fault);
	}

	/** Pull the plug: what is on the way is lost. With `ms` it is put back after that time. */
	unplug(ms?: number): void {
		if (!this.#plugged) return;
		this.#plugged = false;
		this.#lanes.toDevice.clear();
		this.#lanes.toGateway.clear();
		if (ms !== undefined) this.#cancelReplug = this.#options.clock.after(ms, () => this.replug());
		this.gateway.onPlug(false);
		this.device.onPlug(false);
	}

	/** Put the plug back. */
	replug(): void {
		if (this.#plugged) return;
		this.#cancelReplug();
		this.#plugged = true;
		this.gateway.onPlug(true);
		this.device.onPlug(true);
	}

	#write(direction: Direction, bytes: Uint8Array): void {
		if (!this.#plugged || bytes.length === 0) return;
		// Every write draws the same eight numbers, so that changing one chance leaves the other faults where they were.
		const draw = this.#chance;
		const luck: Record<WireFault, number> = { cut: draw(), split: draw(), late: draw(), flip: draw(), unplug: draw() };
		const [where, wait, bit] = [draw(), draw(), draw()];
		const asked = this.#asked[direction].shift();
		const befalls = (fault: WireFault): boolean => {
			const yes = asked === fault || luck[fault] < (this.chances[direction][fault] ?? 0);
			if (yes) this.happened[fault]++;
			return yes;
		};

		// The adapter hears itself before the line has done its worst.
		if (this.echo && direction === "toDevice") this.#lanes.toGateway.send(bytes, 0);
		if (befalls("unplug")) return this.unplug(this.#options.unpluggedFor ?? 2000);

		let sent = Uint8Array.from(bytes);
		if (befalls("flip")) {
			const at = Math.floor(bit * sent.length * 8);
			sent[at >> 3] = (sent[at >> 3] ?? 0) ^ (1 << (at & 7));
		}
		if (befalls("cut")) sent = sent.slice(0, sent.length > 1 ? 1 + Math.floor(where * (sent.length - 1)) : 0);
		const [least, most] = this.#options.lateness ?? [50, 500];
		const late = befalls("late") ? least + wait * (most - least) : 0;
		const pieces = befalls("split") ? inPieces(sent, where) : [sent];
		const gap = wait * (this.#options.pieceGap ?? 10);
		pieces.forEach((piece, index) => this.#lanes[direction].send(piece, index === 0 ? late : gap));
	}
}

/** Cut into equal pieces whose size `where` decides; the last takes what is left. */
function inPieces(bytes: Uint8Array, where: number): Uint8Array[] {
	const size = Math.max(1 + Math.floor(where * (bytes.length - 1)), 1);
	const pieces: Uint8Array[] = [];
	let from = 0;
	while (from < bytes.length && pieces.length < MAX_PIECES - 1) {
		pieces.push(bytes.slice(from, from + size));
		from += size;
	}
	if (from < bytes.length) pieces.push(bytes.slice(from));
	return pieces;
}

/** One direction. A queue with one timer: two timers of a real clock could overtake each other. */
class Lane {
	readonly #clock: SimClock;
	readonly #msPerByte: number;
	readonly #deliver: (bytes: Uint8Array) => void;
	#waiting: { readonly due: number; readonly bytes: Uint8Array }[] = [];
	#waitingBytes = 0;
	#lastDue = 0;
	#cancel: (() => void) | undefined;

	constructor(clock: SimClock, baud: number | undefined, deliver: (bytes: Uint8Array) => void) {
		this.#clock = clock;
		this.#msPerByte = baud === undefined ? 0 : 10_000 / baud;
		this.#deliver = deliver;
	}

	send(bytes: Uint8Array, delay: number): void {
		if (bytes.length === 0 || this.#waitingBytes + bytes.length > MAX_WAITING_BYTES) return;
		this.#lastDue = Math.max(this.#clock.now(), this.#lastDue) + delay + bytes.length * this.#msPerByte;
		this.#waiting.push({ due: this.#lastDue, bytes: Uint8Array.from(bytes) });
		this.#waitingBytes += bytes.length;
		this.#arm();
	}

	clear(): void {
		this.#cancel?.();
		this.#cancel = undefined;
		this.#waiting = [];
		this.#waitingBytes = 0;
		this.#lastDue = 0;
	}

	#arm(): void {
		const next = this.#waiting[0];
		if (this.#cancel !== undefined || next === undefined) return;
		this.#cancel = this.#clock.after(Math.max(0, next.due - this.#clock.now()), () => {
			this.#cancel = undefined;
			this.#waiting.shift();
			this.#waitingBytes -= next.bytes.length;
			this.#arm();
			this.#deliver(next.bytes);
		});
	}
}

/** Put a device at the device's end of a wire. */
export function plugIn(device: SerialDevice, wire: Wire): void {
	wire.device.onData = (bytes) => device.receive(bytes);
	device.transmit = (bytes) => wire.device.write(bytes);
}

/** Put a stream that already exists, such as a pty, at the gateway's end of a wire. */
export function attach(wire: Wire, stream: Duplex): void {
	stream.on("data", (bytes: Uint8Array) => wire.gateway.write(bytes));
	wire.gateway.onData = (bytes) => {
		if (!stream.destroyed) stream.write(bytes);
	};
}

/** One end as a stream. Unplugging closes the stream, and for good, as with a real port: after `replug()` open another. */
export function streamOf(end: WireEnd): Duplex {
	const stream = new Duplex({
		read: () => undefined,
		write(chunk: Uint8Array, _encoding, done) {
			end.write(chunk);
			done();
		},
	});
	end.onData = (bytes) => {
		if (!stream.destroyed) stream.push(bytes);
	};
	end.onPlug = (plugged) => {
		if (!plugged) stream.destroy();
	};
	return stream;
}
