import { type Clock, deadline, type Millis } from "../../core/clock.js";
import { GatewayError } from "../../core/errors.js";
import type { Link, LinkEars, Outgoing, Packet } from "../link.js";
import { Bus } from "./bus.js";
import { LineFramer } from "./lines.js";
import type { PollPlan } from "./plan.js";
import { holdPort, type OpenPort, type PortOpener, type PortSettings } from "./port.js";

export interface SerialLinkOptions extends PortSettings {
	readonly id: string;
	readonly protocol: "lines" | "json-lines" | "modbus-rtu";
	readonly clock: Clock;
	/** Opens the port: `serialPorts(clock)`. */
	readonly ports: PortOpener;
	/** What ends a line that is sent. Default: LF. */
	readonly lineEnd?: "\n" | "\r\n" | "\r";
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
	#session: Session | undefined;

	constructor(options: SerialLinkOptions) {
		this.id = options.id;
		this.#options = options;
	}

	async run(ears: LinkEars, signal: AbortSignal): Promise<void> {
		const { ports, clock, protocol } = this.#options;
		const serve = async (port: OpenPort, lost: AbortSignal): Promise<void> => {
			const session = protocol === "modbus-rtu" ? this.#modbus(port, ears) : this.#lines(port, ears);
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
			hear: (body) => ears.packet(this.#packet(body)),
			fault: (where, reason, sample) => ears.fault(`${id} ${where}`, reason, sample),
		});
		return {
			hear: (chunk) => bus.hear(chunk),
			run: (signal) => bus.run(signal),
			async send(out, signal) {
				if (out.kind !== "registers") throw new GatewayError("bad-value", `Cannot send a ${out.kind} to "${id}": its protocol is modbus-rtu`);
				return bus.send(out, signal);
			},
		};
	}

	#lines(port: OpenPort, ears: LinkEars): Session {
		const { id, clock, lineEnd = "\n" } = this.#options;
		const framer = new LineFramer();
		const opened = clock.now();
		let begun = false;
		let midLine = false;
		let waiting = 0;
		return {
			hear: (chunk) => {
				if (!begun) midLine = Math.abs(clock.now() - opened) < MID_LINE;
				begun = true;
				for (const frame of framer.push(chunk)) {
					const tail = midLine;
					midLine = false;
					if (tail) continue;
					if (frame.kind === "fault") ears.fault(id, frame.reason, frame.sample);
					else ears.packet(this.#packet({ kind: "line", text: frame.text }));
				}
			},
			run: (signal) => new Promise((resolve) => {
				if (signal.aborted) resolve();
				signal.addEventListener("abort", () => resolve(), { once: true });
			}),
			async send(out, signal) {
				if (out.kind !== "line") throw new GatewayError("bad-value", `Cannot send ${out.kind} to "${id}": it speaks in lines`);
				if (/[\r\n]/.test(out.text)) throw new GatewayError("bad-value", `Cannot send a line to "${id}": there is a line end in it`);
				if (waiting >= MAX_WAITING_LINES) throw new GatewayError("busy", `Cannot send a line to "${id}": ${MAX_WAITING_LINES} wait for the port already`);
				waiting++;
				const late = deadline(clock, WRITE_WITHIN, signal);
				try {
					await Promise.race([
						port.write(new TextEncoder().encode(out.text + lineEnd)),
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
			},
		};
	}

	#packet(body: Packet["body"]): Packet {
		// A serial line acknowledges nothing: there is nothing to do when its readings were taken.
		return { body, received: this.#options.clock.now(), taken: () => {} };
	}
}
