// A greenhouse board on the Jidway compact device link, version 1, in TypeScript: with time held still it does in a test what a microcontroller does in hours.
// Above 300 lines: the whole protocol from the side of the board, in one place to be held against docs/device-link.md.
// Source: docs/device-link.md
import { Timers, type SimClock } from "./clock.js";
import type { SerialDevice } from "./wire.js";

/** One point of the board; its value is a scaled whole number, of a boolean 0 or 1, of an enum the place of its label. */
export interface LinkDevicePoint {
	readonly name: string;
	readonly kind: "numeric" | "boolean" | "enum";
	readonly access: "r" | "w" | "rw";
	readonly decimals?: number;
	readonly unit?: string;
	readonly min?: number;
	readonly max?: number;
	readonly step?: number;
	readonly labels?: readonly string[];
	/** What it is when the power comes. Left out: nothing yet. */
	readonly start?: number;
}

export interface LinkDeviceOptions {
	readonly clock: SimClock;
	readonly uid?: string;
	readonly points?: readonly LinkDevicePoint[];
	/** A full report so often, in seconds; 0: only when asked by report(). Default 60. */
	readonly everySeconds?: number;
	/** Reports kept until they are taken, 0 to 32. Default 8. */
	readonly ring?: number;
	/** Has it a receive line? Default: yes. */
	readonly listens?: boolean;
}

interface Kept {
	readonly seq: number;
	readonly at: number;
	readonly values: readonly (number | undefined)[];
	due: number;
	sent: boolean;
}

export const GREENHOUSE: readonly LinkDevicePoint[] = [
	{ name: "temperature", kind: "numeric", access: "r", decimals: 2, unit: "°C", start: 2350 },
	{ name: "humidity", kind: "numeric", access: "r", decimals: 1, unit: "%RH", start: 613 },
	{ name: "soil", kind: "numeric", access: "r", decimals: 1, unit: "%", start: 442 },
	{ name: "co2", kind: "numeric", access: "r", unit: "ppm", start: 612 },
	{ name: "light", kind: "numeric", access: "r", unit: "lx", start: 8400 },
	{ name: "pressure", kind: "numeric", access: "r", decimals: 1, unit: "hPa", start: 10132 },
	{ name: "setpoint", kind: "numeric", access: "rw", decimals: 1, unit: "°C", min: 50, max: 350, step: 5, start: 210 },
	{ name: "pump", kind: "boolean", access: "rw", start: 0 },
	{ name: "vent", kind: "enum", access: "rw", labels: ["closed", "half", "open"], start: 0 },
];

const HELLO_MS = 2_000;
const REPEAT_MS = 60_000;
const RESEND_MS = 1_000;
const RESEND_LONGEST_MS = 30_000;
const NO_POINT = 1;
const NOT_WRITABLE = 2;
const OUT_OF_RANGE = 3;
const NOT_UNDERSTOOD = 6;
/** Longer frames are not for a device: section 2. */
const MAX_HEARD = 32;

/** The board. Its truth is `values`; it is dead before start() and after stop(). */
export class LinkDevice implements SerialDevice {
	transmit: (bytes: Uint8Array) => void = () => undefined;
	/** Points that take a command, and do not move. */
	readonly stuck = new Set<string>();
	/** Answer every command with this reason; 0: obey. */
	refuse = 0;
	/** The processor hangs: it hears and says nothing. */
	silent = false;
	/** Commands that were carried out, in their order. */
	readonly obeyed: (readonly [point: string, value: number])[] = [];
	dropped = 0;
	broken = 0;

	readonly #options: Required<LinkDeviceOptions>;
	readonly #timers = new Timers();
	#points: readonly LinkDevicePoint[];
	#values: (number | undefined)[] = [];
	#changed = new Set<number>();
	#running = false;
	#welcomed = false;
	#seq = 0;
	#ring: Kept[] = [];
	#patience = RESEND_MS;
	#started = 0;
	#told: { readonly seq: number; readonly code: number } | undefined;
	#heard: number[] = [];
	#offset: number | undefined;

	constructor(options: LinkDeviceOptions) {
		this.#options = { uid: "gh-0017", points: GREENHOUSE, everySeconds: 60, ring: 8, listens: true, ...options };
		this.#points = this.#options.points;
	}

	/** The power comes. @param points Another firmware, with these points. */
	start(points = this.#points): void {
		this.stop();
		this.#running = true;
		this.#points = points;
		this.#values = points.map((point) => point.start);
		this.#changed = new Set(points.flatMap((point, index) => (point.start === undefined ? [] : [index])));
		this.#welcomed = false;
		this.#seq = 0;
		this.#ring = [];
		this.#told = undefined;
		this.#heard = [];
		this.#offset = undefined;
		this.#patience = RESEND_MS;
		this.#started = this.#options.clock.now();
		const { clock, listens, everySeconds } = this.#options;
		this.#hello();
		this.#timers.every(clock, listens ? HELLO_MS : REPEAT_MS, () => {
			if (!this.#welcomed) this.#hello();
		});
		this.#timers.every(clock, 100, () => this.#resend());
		if (everySeconds > 0) this.#timers.every(clock, everySeconds * 1_000, () => this.reportAll());
	}

	/** The power goes. */
	stop(): void {
		this.#timers.stop();
		this.#running = false;
	}

	/** What the board really is: scaled values by name. */
	get state(): Readonly<Record<string, number | undefined>> {
		return Object.fromEntries(this.#points.map(({ name }, index) => [name, this.#values[index]]));
	}

	get welcomed(): boolean {
		return this.#welcomed;
	}

	/** Reports that wait to be taken. */
	get waiting(): number {
		return this.#ring.length;
	}

	/** The gateway's time as the board has it; nothing before it was told. */
	get clock(): number | undefined {
		return this.#offset === undefined ? undefined : this.#options.clock.now() + this.#offset;
	}

	/** A point changes by itself. It is told with the next report. */
	set(name: string, value: number): void {
		const index = this.#points.findIndex((point) => point.name === name);
		this.#values[index] = value;
		this.#changed.add(index);
	}

	reportAll(): void {
		for (const [index, value] of this.#values.entries()) if (value !== undefined) this.#changed.add(index);
		this.report();
	}

	/** Report what has changed since the last report. */
	report(): void {
		if (this.#changed.size === 0) return;
		const now = this.#options.clock.now();
		const values = this.#values.map((value, index) => (this.#changed.has(index) ? value : undefined));
		this.#changed.clear();
		const report: Kept = { seq: this.#seq, at: now, values, due: now, sent: false };
		this.#seq = (this.#seq + 1) & 0xff;
		if (!this.#options.listens) return this.#sayReport(report);
		this.#ring = this.#ring.filter(({ seq }) => ((report.seq - seq) & 0xff) < 64);
		this.#ring.push(report);
		while (this.#ring.length > Math.max(1, this.#options.ring)) {
			this.#ring.shift();
			this.dropped++;
		}
		this.#resend();
	}

	receive(bytes: Uint8Array): void {
		if (!this.#running || this.silent || !this.#options.listens) return;
		for (const byte of bytes) {
			if (byte !== 0) {
				if (this.#heard.length <= MAX_HEARD) this.#heard.push(byte);
				continue;
			}
			const body = this.#heard.length > MAX_HEARD ? undefined : unstuff(this.#heard);
			const empty = this.#heard.length === 0;
			this.#heard = [];
			if (empty) continue;
			if (body === undefined || body.length < 4 || crc16(body) !== 0) this.broken++;
			else this.#hear(String.fromCharCode(body[0]!), body[1]!, body.slice(2, -2));
		}
	}

	#hear(type: string, seq: number, payload: readonly number[]): void {
		if (!"hpwksic".includes(type)) return;
		this.#patience = RESEND_MS;
		const numbers = integers(payload);
		if (!this.#welcomed && "hsi".includes(type)) return this.#hello();
		const first = numbers?.[0];
		switch (type) {
			case "h": return this.#hello();
			case "p":
				for (const [index, point] of this.#points.entries()) if (first !== undefined && Math.floor(first / 2 ** index) % 2 === 1) this.#say("P", index, announcement(point));
				return;
			case "w":
				if (first !== this.#schema()) return this.#hello();
				this.#welcomed = true;
				this.#told = undefined;
				for (const report of this.#ring) report.due = this.#options.clock.now();
				return this.#resend();
			case "k":
				if (!this.#welcomed || first === undefined) return;
				this.#ring = this.#ring.filter((report) => {
					const behind = (seq - report.seq) & 0xff;
					return behind !== 0 && (behind > 32 || Math.floor(first / 2 ** (behind - 1)) % 2 === 0);
				});
				return;
			case "s": return this.#command(seq, payload[0] === 0x82 ? integers(payload.slice(1)) : undefined);
			case "i": return this.#say("O", seq, [0x83, ...head(0, Math.floor((this.#options.clock.now() - this.#started) / 1_000)), ...head(0, this.dropped), ...head(0, this.broken)]);
			case "c": {
				const [seconds, millis] = (payload[0] === 0x82 ? integers(payload.slice(1)) : undefined) ?? [];
				if (this.#welcomed && seconds !== undefined && millis !== undefined) this.#offset = seconds * 1_000 + millis - this.#options.clock.now();
			}
		}
	}

	#command(seq: number, numbers: readonly number[] | undefined): void {
		if (this.#told?.seq !== seq) {
			this.#told = { seq, code: this.#obey(numbers) };
			if (this.#told.code === 0) this.#options.clock.after(0, () => this.report());
		}
		if (this.#told.code === 0) this.#say("A", seq, []);
		else this.#say("N", seq, head(0, this.#told.code));
	}

	#obey(numbers: readonly number[] | undefined): number {
		const [index, value] = numbers ?? [];
		if (index === undefined || value === undefined || numbers?.length !== 2) return NOT_UNDERSTOOD;
		const point = this.#points[index];
		if (point === undefined) return NO_POINT;
		if (point.access === "r") return NOT_WRITABLE;
		const [low, high] = point.kind === "boolean" ? [0, 1] : point.kind === "enum" ? [0, (point.labels ?? []).length - 1] : [point.min ?? -(2 ** 31), point.max ?? 2 ** 31 - 1];
		if (value < low || value > high) return OUT_OF_RANGE;
		if (this.refuse > 0) return this.refuse;
		this.obeyed.push([point.name, value]);
		if (!this.stuck.has(point.name)) this.#values[index] = value;
		if (point.access !== "w") this.#changed.add(index);
		return 0;
	}

	#hello(): void {
		const { uid, ring, listens, everySeconds } = this.#options;
		const numbers = [1, (this.#welcomed ? 0 : 1) | (listens ? 2 : 0), this.#schema(), this.#points.length, listens ? ring : 0, everySeconds];
		this.#say("H", this.#ring[0]?.seq ?? this.#seq, [0x8a, ...numbers.flatMap((number) => head(0, number)), ...text(uid), ...text("Greenhouse"), ...text("GH-1"), ...text("1.0.0")]);
		if (!listens) for (const [index, point] of this.#points.entries()) this.#say("P", index, announcement(point));
	}

	#resend(): void {
		const now = this.#options.clock.now();
		if (!this.#welcomed) return;
		for (const [index, report] of this.#ring.entries()) {
			if (now < report.due) continue;
			if (index === 0 && report.sent) this.#patience = Math.min(2 * this.#patience, RESEND_LONGEST_MS);
			if (report.sent) this.#transmit([0]); // the first time may have been cut off
			report.due = now + this.#patience;
			report.sent = true;
			this.#sayReport(report);
		}
		if (this.#options.ring === 0) this.#ring = [];
	}

	#sayReport({ seq, at, values }: Kept): void {
		const age = head(0, this.#options.clock.now() - at);
		const said = values.flatMap((value, index) => (value === undefined ? [] : [index]));
		const dense = [...head(4, 1 + values.length), ...age, ...values.flatMap((value) => (value === undefined ? [0xf6] : signed(value)))];
		const sparse = [...head(4, 2 + said.length), ...age, ...head(0, said.reduce((mask, index) => mask + 2 ** index, 0)), ...said.flatMap((index) => signed(values[index] ?? 0))];
		const schema = this.#schema();
		const start = crc16([schema >>> 24, (schema >>> 16) & 0xff, (schema >>> 8) & 0xff, schema & 0xff]);
		if (sparse.length < dense.length) this.#say("D", seq, sparse, start);
		else this.#say("R", seq, dense, start);
	}

	#schema(): number {
		return crc32(this.#points.flatMap(announcement));
	}

	#say(type: string, seq: number, payload: readonly number[], start = 0xffff): void {
		const body = [type.charCodeAt(0), seq, ...payload];
		const crc = crc16(body, start);
		this.#transmit([...(type === "R" || type === "D" ? [] : [0]), ...stuff([...body, crc >> 8, crc & 0xff]), 0]);
	}

	#transmit(bytes: readonly number[]): void {
		if (this.#running && !this.silent) this.transmit(Uint8Array.from(bytes));
	}
}

function announcement({ name, kind, access, decimals = 0, unit = "", min, max, step, labels = [] }: LinkDevicePoint): readonly number[] {
	const bound = (value: number | undefined): readonly number[] => (value === undefined ? [0xf6] : signed(value));
	const tail = kind === "numeric" ? [head(0, decimals), text(unit), bound(min), bound(max), bound(step)] : kind === "enum" ? labels.map(text) : [];
	return [...head(4, 3 + tail.length), ...text(name), ["numeric", "boolean", "enum"].indexOf(kind), { r: 1, w: 2, rw: 3 }[access], ...tail.flat()];
}

function head(major: number, argument: number): readonly number[] {
	if (argument < 24) return [(major << 5) | argument];
	const length = argument < 2 ** 8 ? 1 : argument < 2 ** 16 ? 2 : argument < 2 ** 32 ? 4 : 8;
	return [(major << 5) | (24 + Math.log2(length)), ...Array.from({ length }, (_, at) => Math.floor(argument / 2 ** (8 * (length - 1 - at))) % 256)];
}

function signed(value: number): readonly number[] {
	return value < 0 ? head(1, -1 - value) : head(0, value);
}

function text(value: string): readonly number[] {
	const bytes = [...new TextEncoder().encode(value)];
	return [...head(3, bytes.length), ...bytes];
}

/** Whole numbers one behind the other, to the end; nothing when there is anything else. */
function integers(bytes: readonly number[]): readonly number[] | undefined {
	const numbers: number[] = [];
	for (let at = 0; at < bytes.length;) {
		const [major, low] = [bytes[at]! >> 5, bytes[at]! & 0x1f];
		if (major > 1 || low > 27) return undefined;
		at++;
		const length = low < 24 ? 0 : 2 ** (low - 24);
		if (at + length > bytes.length) return undefined;
		const argument = length === 0 ? low : bytes.slice(at, at + length).reduce((sum, byte) => sum * 256 + byte, 0);
		numbers.push(major === 0 ? argument : -1 - argument);
		at += length;
	}
	return numbers;
}

/** Consistent Overhead Byte Stuffing of less than 254 bytes. */
function stuff(body: readonly number[]): readonly number[] {
	const out: number[] = [0];
	let code = 0;
	for (const byte of body) {
		if (byte === 0) {
			out[code] = out.length - code;
			code = out.length;
		}
		out.push(byte);
	}
	out[code] = out.length - code;
	return out;
}

function unstuff(encoded: readonly number[]): readonly number[] | undefined {
	const out: number[] = [];
	for (let at = 0; at < encoded.length;) {
		const end = at + encoded[at]!;
		if (end > encoded.length) return undefined;
		out.push(...encoded.slice(at + 1, end));
		if (end < encoded.length) out.push(0);
		at = end;
	}
	return out;
}

/** CRC-16/IBM-3740, bit by bit. */
function crc16(bytes: readonly number[], start = 0xffff): number {
	let crc = start;
	for (const byte of bytes) {
		crc ^= byte << 8;
		for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1) & 0xffff;
	}
	return crc;
}

/** CRC-32/ISO-HDLC, bit by bit. */
function crc32(bytes: readonly number[]): number {
	let crc = 0xffffffff;
	for (const byte of bytes) {
		crc ^= byte;
		for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
	}
	return ~crc >>> 0;
}
