import { type Clock, deadline, type Millis, pause } from "../../core/clock.js";
import { GatewayError } from "../../core/errors.js";
import type { LinkCounters } from "../../core/status.js";
import type { Link, LinkEars, Memory, Outgoing, Packet } from "../link.js";
import { Bus } from "./bus.js";
import { LineMeter } from "./counters.js";
import type { LinkPoint } from "./device-link-model.js";
import { ReportMemory } from "./device-link-memory.js";
import { DeviceLinkSession } from "./device-link-session.js";
import type { Framer } from "./framer.js";
import { LineFramer } from "./lines.js";
import type { PollPlan } from "./plan.js";
import { holdPort, type OpenPort, type PortOpener, type PortSettings } from "./port.js";
import type { Question } from "./protocol.js";

export interface SerialLinkOptions extends PortSettings {
	readonly id: string;
	/** `modbus-rtu` asks unit by unit; whatever else there is talks through `framer`. */
	readonly protocol: string;
	readonly clock: Clock;
	/** Opens the port: `serialPorts(clock)`. */
	readonly ports: PortOpener;
	/** What ends a line that is sent. Default: LF. */
	readonly lineEnd?: "\n" | "\r\n" | "\r";
	/** Cuts the bytes; a fresh one for each opening of the port. Default: lines. */
	readonly framer?: () => Framer;
	/** What is asked so that the device speaks. */
	readonly questions?: readonly Question[];
	/** Longest message of the protocol, in bytes: above twice as many without one the line is suspect. */
	readonly longest?: number;
	/** Compact device link: reports of an earlier run that the device may tell again. */
	readonly memory?: Memory;
	/** Modbus: which units are asked for what, from `SerialDialect.polls`. */
	readonly polls?: readonly PollPlan[];
	/** Modbus: how long a unit may think before it answers. Default: 300 ms. */
	readonly timeout?: Millis;
	/** Modbus: silence between frames. Default: 3.5 characters. */
	readonly gap?: Millis;
}

/** Bytes that come this soon after opening were on their way before: they are the tail of a line, and half a number is a wrong number. */
const MID_LINE: Millis = 30;
/** Lines that wait for the port. More are minutes of a slow line. */
const MAX_WAITING_LINES = 32;
/** A port that takes no bytes for so long is stuck (flow control, a dying adapter). */
const WRITE_WITHIN: Millis = 5_000;

/** A board that the opening of the port resets is back by then. */
const FIRST_QUESTION: Millis = 2_000;
const BETWEEN_QUESTIONS: Millis = 500;

/** What a link does on its open port. */
interface Session {
	hear(chunk: Uint8Array): void;
	run(signal: AbortSignal): Promise<void>;
	send(out: Outgoing, signal: AbortSignal): Promise<void>;
}

/** A serial port as a road to devices: opens it, opens it again, cuts what comes into packets, and asks where the protocol wants questions. */
export class SerialLink implements Link {
	readonly id: string;
	readonly #options: SerialLinkOptions;
	readonly #meter: LineMeter;
	#session: Session | undefined;
	/** Compact device link: schemas that were heard; they outlive the port. */
	readonly #schemas = new Map<number, readonly LinkPoint[]>();
	/** Compact device link: reports that were taken; they outlive the port, and by the store this process. */
	readonly #memory: ReportMemory;

	constructor(options: SerialLinkOptions) {
		this.id = options.id;
		this.#options = options;
		this.#memory = new ReportMemory(options.memory);
		const { baud, data = 8, parity = "none", stop = 1, longest } = options;
		this.#meter = new LineMeter(`at ${baud} baud, ${data}${parity === "none" ? "N" : parity === "even" ? "E" : "O"}${stop}`, longest);
	}

	counters(): LinkCounters {
		return this.#meter.counters;
	}

	async run(ears: LinkEars, signal: AbortSignal): Promise<void> {
		const { ports, clock, protocol } = this.#options;
		const serve = async (port: OpenPort, lost: AbortSignal): Promise<void> => {
			const session = protocol === "modbus-rtu" ? this.#modbus(port, ears) : protocol === "cobs-cbor" ? this.#board(port, ears) : this.#talk(port, ears);
			port.onData = (chunk) => session.hear(chunk);
			this.#session = session;
			try {
				await session.run(lost);
			} finally {
				this.#session = undefined;
			}
		};
		await holdPort(ports, this.#options, clock, (state) => ears.state(state), serve, signal);
	}

	async send(out: Outgoing, signal: AbortSignal): Promise<void> {
		if (!this.#session) throw new GatewayError("link-down", `Cannot send to "${this.#options.path}": the port is not open`);
		return this.#session.send(out, signal);
	}

	#modbus(port: OpenPort, ears: LinkEars): Session {
		const { id, clock, baud, data = 8, parity = "none", stop = 1, polls = [], timeout, gap } = this.#options;
		const bus = new Bus({
			clock, baud, polls, bitsPerByte: 1 + data + (parity === "none" ? 0 : 1) + stop,
			...(timeout !== undefined && { timeout }), ...(gap !== undefined && { gap }),
			write: (bytes) => port.write(bytes),
			hear: (body) => {
				if (body.kind === "registers" || body.alive) this.#meter.frame();
				ears.packet(this.#packet(body));
			},
			fault: (where, reason, sample, count) => {
				this.#meter.fault({ count });
				ears.fault(`${id} ${where}`, reason, sample);
			},
		});
		return {
			hear: (chunk) => {
				this.#meter.chunk(chunk);
				bus.hear(chunk);
				this.#suspect(ears);
			},
			run: (signal) => bus.run(signal),
			async send(out, signal) {
				if (out.kind !== "registers") throw new GatewayError("bad-value", `Cannot send a ${out.kind} to "${id}": its protocol is modbus-rtu`);
				return bus.send(out, signal);
			},
		};
	}

	#board(port: OpenPort, ears: LinkEars): Session {
		const { id, path, clock } = this.#options;
		const session = new DeviceLinkSession({
			path, clock, schemas: this.#schemas, memory: this.#memory,
			write: (bytes) => port.write(bytes),
			hear: (body, taken, delivery) => ears.packet({ body, received: clock.now(), taken, ...(delivery && { delivery }) }),
			frame: () => this.#meter.frame(),
			fault: (fault) => {
				if (fault.count !== 0) this.#meter.fault(fault);
				ears.fault(id, fault.reason, fault.sample);
			},
		});
		return {
			hear: (chunk) => {
				this.#meter.chunk(chunk);
				session.hear(chunk);
				this.#suspect(ears);
			},
			run: (signal) => session.run(signal),
			async send(out, signal) {
				if (out.kind !== "setting") throw new GatewayError("bad-value", `Cannot send a ${out.kind} to "${id}": its protocol is cobs-cbor`);
				return session.send(out, signal);
			},
		};
	}

	#talk(port: OpenPort, ears: LinkEars): Session {
		const { id, clock, lineEnd = "\n", framer: makeFramer = () => new LineFramer(), questions = [] } = this.#options;
		const framer = makeFramer();
		const opened = clock.now();
		let begun = false;
		let midLine = false;
		let waiting = 0;
		const write = async (bytes: Uint8Array, signal: AbortSignal): Promise<void> => {
			if (waiting >= MAX_WAITING_LINES) throw new GatewayError("busy", `Cannot send to "${id}": ${MAX_WAITING_LINES} messages wait for the port already`);
			waiting++;
			const late = deadline(clock, WRITE_WITHIN, signal);
			try {
				await Promise.race([
					port.write(bytes),
					new Promise<never>((_, reject) => {
						const abort = (): void => reject(signal.aborted && signal.reason instanceof Error ? signal.reason : new GatewayError("link-down", `Cannot send to "${id}": the port took no bytes for ${WRITE_WITHIN / 1_000} s`));
						if (late.signal.aborted) abort();
						late.signal.addEventListener("abort", abort, { once: true });
					}),
				]);
			} finally {
				late.dispose();
				waiting--;
			}
		};
		const ask = async (signal: AbortSignal): Promise<void> => {
			// A refused question is asked again; a lost port ends the session by itself.
			const say = ({ out }: Question): Promise<void> => write(out.kind === "line" ? new TextEncoder().encode(out.text + lineEnd) : out.bytes, signal).catch(() => undefined);
			await Promise.all(questions.map(async (question, index) => {
				// Boards that a new connection resets do not listen at once, and modems answer one question at a time.
				await pause(clock, FIRST_QUESTION + index * BETWEEN_QUESTIONS, signal);
				while (!signal.aborted) {
					await say(question);
					if (question.every === undefined) return;
					await pause(clock, question.every, signal);
				}
			}));
		};
		return {
			hear: (chunk) => {
				if (!begun) midLine = Math.abs(clock.now() - opened) < MID_LINE;
				begun = true;
				this.#meter.chunk(chunk);
				for (const frame of framer.push(chunk)) {
					const tail = midLine && !("bytes" in frame);
					midLine = false;
					if (tail) continue;
					if (frame.kind === "fault") {
						this.#meter.fault(frame);
						// Before the first message it is the rest of one that was under way; when none ever comes, the suspicion says so.
						if (this.#meter.hasFrames) ears.fault(id, frame.reason, frame.sample);
					} else {
						this.#meter.frame();
						ears.packet(this.#packet("text" in frame ? { kind: "line", text: frame.text } : { kind: "frame", bytes: frame.bytes }));
					}
				}
				this.#suspect(ears);
			},
			run: async (signal) => {
				const ended = new Promise<void>((resolve) => {
					if (signal.aborted) resolve();
					signal.addEventListener("abort", () => resolve(), { once: true });
				});
				await ask(signal);
				await ended;
			},
			async send(out, signal) {
				if (out.kind === "frame") return write(out.bytes, signal);
				if (out.kind !== "line") throw new GatewayError("bad-value", `Cannot send ${out.kind} to "${id}": it speaks in lines`);
				if (/[\r\n]/.test(out.text)) throw new GatewayError("bad-value", `Cannot send a line to "${id}": there is a line end in it`);
				await write(new TextEncoder().encode(out.text + lineEnd), signal);
			},
		};
	}

	#suspect(ears: LinkEars): void {
		const suspicion = this.#meter.judge();
		if (suspicion !== undefined) ears.fault(this.id, suspicion, this.#meter.counters.lastNoise ?? "");
	}

	#packet(body: Packet["body"]): Packet {
		// A serial line acknowledges nothing: there is nothing to do when its readings were taken.
		return { body, received: this.#options.clock.now(), taken: () => {} };
	}
}
