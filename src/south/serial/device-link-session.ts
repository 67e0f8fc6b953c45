// Jidway compact device link: the gateway's side of a conversation
// Source: docs/device-link.md
// Version: 1
// More than 300 lines: one conversation, whose questions and answers cannot be read apart.

import type { Clock, Millis, UnixMillis } from "../../core/clock.js";
import { GatewayError } from "../../core/errors.js";
import type { Remembered } from "../link.js";
import { crc32 } from "../codec/crc32.js";
import { DeviceLinkCommands } from "./device-link-commands.js";
import { CobsFramer } from "./device-link-framer.js";
import { decodeDeviceFrame, type DeviceFrame, encodeGatewayFrame, type GatewayFrame, isReport, LINK_VERSION } from "./device-link-frames.js";
import type { LinkNews, LinkPoint, LinkSchema, LinkSetting } from "./device-link-model.js";
import { ReportMemory } from "./device-link-memory.js";
import { ReportWindow } from "./device-link-window.js";
import { type FramingFault, sampleOf } from "./framer.js";

export interface DeviceLinkOptions {
	/** What errors call the link: its port. */
	readonly path: string;
	readonly clock: Clock;
	/** The points of each schema that was ever complete, by its id: a device need not repeat them when the port is opened again. Held by the link, bounded here. */
	readonly schemas: Map<number, readonly LinkPoint[]>;
	write(bytes: Uint8Array): Promise<void>;
	/** Reports of earlier sessions. Held by the link. */
	readonly memory?: ReportMemory;
	/** Call `taken` when the readings are safe: only then the device forgets them. */
	hear(news: LinkNews, taken: () => void, delivery?: Remembered): void;
	/** A sound frame came: for whoever counts. */
	frame?(): void;
	/** Bytes that made no frame, or (with a count of 0) a device that cannot be understood. */
	fault(fault: FramingFault): void;
}

/** What a link has seen. */
export interface DeviceLinkCounts {
	frames: number;
	reports: number;
	/** Frames with a wrong checksum or a wrong payload, and bytes that were no frames. */
	broken: number;
	/** Reports that came more than once, and were read once. */
	repeated: number;
	/** Reports that never came. */
	lost: number;
	/** Times that the device has started anew. */
	restarts: number;
	/** What the device counts itself, of its last pong: reports that it dropped for want of room, and frames that it could not read. */
	device: { readonly dropped: number; readonly broken: number } | undefined;
}

type Hello = Extract<DeviceFrame, { type: "hello" }>;

/** Without an answer a question is asked again after this long, then after twice as long, up to the longest. */
const ASK_AFTER: Millis = 1_000;
const ASK_LONGEST: Millis = 30_000;
/** A device of which nothing was heard for so long is asked whether it is there. */
const QUIET: Millis = 30_000;
const PING_AGAIN: Millis = 2_000;
const MISSES_OF_SILENCE = 3;
/** Reports that are taken within this time are acknowledged together. */
const GATHER: Millis = 20;
/** How often the device is told the time: a crystal of 50 ppm is then wrong by 180 ms at most. */
const CLOCK_EVERY: Millis = 3_600_000;
/** Schemas to remember: a port sees one device, and its firmware changes seldom. */
const MAX_SCHEMAS = 8;
/** Bytes that the port has not yet taken. More, and it is stuck: what is not sent now is asked again. */
const MAX_UNSENT_BYTES = 1_024;

/**
 * Talks to one device on an open port: learns its schema, takes its reports once each, and tells it commands one at a time.
 *
 * Construct one each time the port opens.
 */
export class DeviceLinkSession {
	readonly #options: DeviceLinkOptions;
	readonly #framer = new CobsFramer();
	readonly #memory: ReportMemory;
	readonly #timers = new Map<string, () => void>();
	readonly #commands: DeviceLinkCommands;
	readonly counts: DeviceLinkCounts = { frames: 0, reports: 0, broken: 0, repeated: 0, lost: 0, restarts: 0, device: undefined };

	#hello: Hello | undefined;
	/** Points that were announced so far, with the bytes that they came in. */
	#announced: ({ readonly point: LinkPoint; readonly payload: Uint8Array } | undefined)[] = [];
	#schema: LinkSchema | undefined;
	#window = new ReportWindow(0);
	/** Lost and repeated of the windows before this one. */
	#before = { lost: 0, repeated: 0 };
	#lastTaken: number | undefined;
	#heard: UnixMillis = 0;
	#misses = 0;
	#ask = ASK_AFTER;
	#unsent = 0;
	/** The first bytes may be the tail of a frame: that is no fault. */
	#begun = false;
	#number = 0;
	/** The device has said more than hello since its last one: when it is new again, it has started anew. */
	#active = false;
	/** Its numbers have run away while nothing was heard: its next hello says where they begin. */
	#astray = false;

	constructor(options: DeviceLinkOptions) {
		this.#options = options;
		const { clock, path, memory = new ReportMemory() } = options;
		this.#memory = memory;
		// A number that an earlier session has just used could be answered by what is still on its way: the time spreads them.
		this.#commands = new DeviceLinkCommands({ clock, path, first: clock.now() & 0xff, send: (seq, { point, value }) => this.#send({ type: "set", seq, point, value }) });
	}

	/** Talk until `signal` aborts. */
	async run(signal: AbortSignal): Promise<void> {
		this.#heard = this.#options.clock.now();
		this.#askForHello();
		this.#at("ping", QUIET, () => this.#listenForLife());
		await new Promise<void>((resolve) => {
			if (signal.aborted) resolve();
			signal.addEventListener("abort", () => resolve(), { once: true });
		});
		for (const cancel of this.#timers.values()) cancel();
		this.#timers.clear();
		this.#commands.end(new GatewayError("link-down", `Cannot set a point on "${this.#options.path}": the port was closed`));
	}

	/** Bytes from the device. */
	hear(chunk: Uint8Array): void {
		for (const frame of this.#framer.push(chunk)) {
			const tail = !this.#begun;
			this.#begun = true;
			if (frame.kind === "frame") this.#take(frame.bytes, tail);
			else if (!tail) this.#broken(frame);
		}
	}

	/**
	 * Set a point. Resolves when the device has accepted it.
	 *
	 * @throws {GatewayError} `device-offline` when there is no such device now, `device-refused`, `device-timeout`, `busy`, `link-down`.
	 */
	async send(setting: LinkSetting, signal: AbortSignal): Promise<void> {
		if (!this.#schema?.listens || this.#schema.id !== setting.schema) throw new GatewayError("device-offline", `Cannot set a point on "${this.#options.path}": the device that has it is not there now`);
		return this.#commands.run(setting, signal);
	}

	#take(body: Uint8Array, tail: boolean): void {
		if (isReport(body) && !this.#schema) return this.#askSoon(); // without its schema even the checksum cannot be looked at
		const frame = decodeDeviceFrame(body, this.#schema?.id, this.#schema?.points.length);
		if (frame.type === "foreign") return;
		if (frame.type === "broken") {
			if (!tail) this.#broken({ kind: "fault", reason: frame.reason, sample: sampleOf(body), count: body.length + 1, ...(frame.checksum && { checksum: true }) });
			// Noise, or a device that has another schema by now and whose hello was lost.
			if (isReport(body)) this.#askSoon();
			return;
		}
		this.counts.frames++;
		this.#options.frame?.();
		this.#heard = this.#options.clock.now();
		if (this.#misses > 0) this.#at("ping", QUIET, () => this.#listenForLife());
		this.#misses = 0;
		switch (frame.type) {
			case "hello": return this.#meet(frame);
			case "point": return this.#learn(frame.seq, frame.point, frame.payload);
			case "report":
				this.#active = true;
				return this.#read(frame);
			case "accepted": case "refused":
				this.#active = true;
				return this.#commands.answer(frame.seq, frame.type === "refused" ? frame.reason : undefined);
			case "pong":
				this.#active = true;
				this.counts.device = { dropped: frame.dropped, broken: frame.broken };
				return this.#options.hear({ kind: "pulse", alive: true }, nothing);
		}
	}

	#meet(hello: Hello): void {
		if (hello.version !== LINK_VERSION) return this.#complain(`a device that speaks version ${hello.version} of the link; this gateway speaks version ${LINK_VERSION}`);
		const other = this.#hello?.schema !== hello.schema;
		// A device that only talks is never welcomed: its word that it is new says nothing.
		const fresh = hello.fresh && hello.listens;
		if (this.#hello && (other || (fresh && (this.#active || this.#commands.busy)))) {
			this.counts.restarts++;
			// Whether it was done is not known, and a button must not be pressed twice.
			this.#commands.end(new GatewayError("device-offline", `Cannot set a point on "${this.#options.path}": the device has just started anew`));
		}
		if (fresh) this.#memory.forget();
		if (other || fresh || this.#astray || !this.#schema) {
			this.#renew(hello.seq);
			this.#active = false;
		}
		if (other) {
			this.#schema = undefined;
			this.#announced = [];
		}
		this.#hello = hello;
		this.#cancel("hello");
		const known = this.#options.schemas.get(hello.schema);
		if (known?.length === hello.points) return this.#welcome(hello, known);
		if (!other && this.#timers.has("points")) return; // it has been asked, and is asked again
		this.#ask = ASK_AFTER;
		this.#askForPoints();
	}

	#learn(index: number, point: LinkPoint, payload: Uint8Array): void {
		const hello = this.#hello;
		if (!hello || this.#schema || index >= hello.points) return;
		this.#announced[index] = { point, payload };
		const all = Array.from({ length: hello.points }, (_, at) => this.#announced[at]).filter((each) => each !== undefined);
		if (all.length < hello.points) return;
		this.#announced = [];
		if (crc32(...all.map((each) => each.payload)) !== hello.schema) return this.#complain("points that do not belong to the schema that the device has announced");
		const names = all.map((each) => each.point.name.toLowerCase());
		const twice = names.find((name, at) => names.indexOf(name) !== at);
		if (twice !== undefined) return this.#complain("a device that has two points of one name");
		this.#welcome(hello, all.map((each) => each.point));
	}

	#welcome(hello: Hello, points: readonly LinkPoint[]): void {
		const { schema: id, uid, name, model, firmware, everySeconds, listens } = hello;
		const { schemas } = this.#options;
		schemas.delete(id);
		schemas.set(id, points);
		for (const oldest of schemas.keys()) if (schemas.size > MAX_SCHEMAS) schemas.delete(oldest);
		this.#schema = {
			kind: "schema", id, uid, points, listens,
			...(name !== "" && { name }), ...(model !== "" && { model }), ...(firmware !== "" && { firmware }), ...(everySeconds > 0 && { every: everySeconds * 1_000 }),
		};
		this.#cancel("points");
		this.#options.hear(this.#schema, nothing);
		this.#send({ type: "welcome", seq: this.#next(), schema: id });
		this.#tellTime();
	}

	#read({ seq, age, values }: Extract<DeviceFrame, { type: "report" }>): void {
		const ring = this.#hello?.ring ?? 0;
		let fate = this.#window.hear(seq);
		if (typeof fate === "string" && ring === 0) {
			// A device that keeps nothing sends nothing twice: it has started anew, and its hello was lost.
			this.#renew(seq);
			fate = this.#window.hear(seq);
		}
		this.counts.lost = this.#before.lost + this.#window.lost;
		this.counts.repeated = this.#before.repeated + this.#window.repeated;
		if (fate === "stray") {
			this.#astray = true;
			return this.#askSoon();
		}
		if (fate === "repeated") {
			if (this.#window.isTaken(seq)) this.#acknowledge(seq); // the first acknowledgement was lost
			return;
		}
		if (ring === 0) {
			this.counts.reports++;
			return this.#options.hear({ kind: "report", age, values }, nothing);
		}
		const [window, number] = [this.#window, fate];
		const delivery = this.#memory.hear(seq, values, this.#options.clock.now() - age, () => {
			window.taken(number);
			if (window === this.#window) this.#acknowledge(seq);
		});
		if (!delivery) {
			this.counts.repeated = ++this.#before.repeated + this.#window.repeated;
			return;
		}
		this.counts.reports++;
		this.#options.hear({ kind: "report", age, values }, () => delivery.taken(), { id: delivery.id, hash: delivery.hash });
	}

	#acknowledge(seq: number): void {
		this.#lastTaken = seq;
		if (this.#timers.has("taken")) return;
		this.#at("taken", GATHER, () => {
			const last = this.#lastTaken;
			if (last === undefined) return;
			let mask = 0;
			for (let bit = 0; bit < (this.#hello?.ring ?? 0); bit++) if (this.#window.isTaken(last - 1 - bit)) mask = (mask | (1 << bit)) >>> 0;
			this.#send({ type: "taken", seq: last, mask });
		});
	}

	/** Numbers begin anew. */
	#renew(first: number): void {
		this.#before = { lost: this.counts.lost, repeated: this.counts.repeated };
		this.#window = new ReportWindow(first);
		this.#lastTaken = undefined;
		this.#astray = false;
	}

	/** Ask for a hello now and until it comes. */
	#askForHello(): void {
		this.#send({ type: "hello wanted", seq: this.#next() });
		this.#askAgain("hello", () => this.#askForHello());
	}

	/** Something came that cannot be understood without a hello. Every such thing may say so: it is asked once in a while. */
	#askSoon(): void {
		// A hello does not end this wait: a device whose every report is wrong would be asked at the speed of the line.
		if (this.#timers.has("hello") || this.#timers.has("asked")) return;
		this.#at("asked", ASK_AFTER, () => undefined);
		this.#send({ type: "hello wanted", seq: this.#next() });
	}

	#askForPoints(): void {
		const points = this.#hello?.points ?? 0;
		let mask = 0;
		for (let index = 0; index < points; index++) if (!this.#announced[index]) mask = (mask | (1 << index)) >>> 0;
		this.#send({ type: "points wanted", seq: this.#next(), mask });
		this.#askAgain("points", () => this.#askForPoints());
	}

	#askAgain(what: "hello" | "points", ask: () => void): void {
		this.#at(what, this.#ask, ask);
		this.#ask = Math.min(2 * this.#ask, ASK_LONGEST);
	}

	#listenForLife(): void {
		const silence = this.#options.clock.now() - this.#heard;
		if (this.#schema && !this.#schema.listens) return; // it cannot be asked: its rhythm tells
		if (silence < QUIET) return this.#at("ping", QUIET - silence, () => this.#listenForLife());
		if (this.#misses >= MISSES_OF_SILENCE) this.#options.hear({ kind: "pulse", alive: false, reason: `no answer to ${this.#misses} questions` }, nothing);
		this.#misses++;
		this.#send({ type: "ping", seq: this.#next() });
		this.#at("ping", this.#misses <= MISSES_OF_SILENCE ? PING_AGAIN : QUIET, () => this.#listenForLife());
	}

	#tellTime(): void {
		const now = this.#options.clock.now();
		this.#send({ type: "clock", seq: this.#next(), seconds: Math.floor(now / 1_000), millis: Math.floor(now) % 1_000 });
		this.#at("clock", CLOCK_EVERY, () => this.#tellTime());
	}

	#broken(fault: FramingFault): void {
		this.counts.broken++;
		this.#options.fault(fault);
	}

	#complain(reason: string): void {
		this.#options.fault({ kind: "fault", reason, sample: "", count: 0 });
	}

	#next(): number {
		this.#number = (this.#number + 1) & 0xff;
		return this.#number;
	}

	#send(frame: GatewayFrame): void {
		if (this.#hello && !this.#hello.listens) return;
		const bytes = encodeGatewayFrame(frame);
		if (this.#unsent + bytes.length > MAX_UNSENT_BYTES) return;
		this.#unsent += bytes.length;
		const sent = (): void => void (this.#unsent -= bytes.length);
		this.#options.write(bytes).then(sent, sent); // a lost port ends run(), and that tells
	}

	/** Do one thing later, once: a second one of the same name replaces it. */
	#at(name: string, span: Millis, run: () => void): void {
		this.#cancel(name);
		this.#timers.set(name, this.#options.clock.after(span, () => {
			this.#timers.delete(name);
			run();
		}));
	}

	#cancel(name: string): void {
		this.#timers.get(name)?.();
		this.#timers.delete(name);
	}
}

function nothing(): void {}
