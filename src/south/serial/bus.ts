import { type Clock, type Millis, pause, type UnixMillis } from "../../core/clock.js";
import { GatewayError } from "../../core/errors.js";
import type { OutRegisters, Registers, Silence } from "../link.js";
import { hexOf } from "./framer.js";
import { type Answer, AnswerReader, answerLength, buildRequest, frameGap, isRead, isTold, READ_FUNCTION, type ReadRequest, type ReadWriteRequest, type Request, TABLE_OF, transmissionTime, writeRequest } from "./modbus-rtu.js";
import type { PlannedRead, PollPlan } from "./plan.js";

/** What a bus needs of the port and of who listens. */
export interface BusOptions {
	readonly clock: Clock;
	readonly baud: number;
	/** Start, data, parity and stop bits of one byte. Default: 10. */
	readonly bitsPerByte?: number;
	readonly polls: readonly PollPlan[];
	/** How long a unit may think before it answers, beside the time that the bytes take. Default: 300 ms. */
	readonly timeout?: Millis;
	/** Silence between frames. Default: 3.5 characters, at least 1.75 ms. */
	readonly gap?: Millis;
	/** Resolves when the port took the bytes. @throws {GatewayError} `link-down`. */
	write(bytes: Uint8Array): Promise<void>;
	hear(body: Registers | Silence): void;
	/** @param count How many bytes it was. */
	fault(where: string, reason: string, sample: string, count: number): void;
}

const TIMEOUT: Millis = 300;
/** Tries of a poll and of a write: a lost poll costs nothing but time, and a write whose answer was lost may have been done. */
const POLL_TRIES = 3;
const WRITE_TRIES = 2;
/** More commands than this wait for no bus: they would be minutes old when their turn comes. */
const MAX_COMMANDS = 32;
/** A unit that missed this many polls is asked more and more slowly, so that it does not starve the others. */
export const MISSES_OF_SILENCE = 3;
/** Before that it is asked again soon, so that silence is certain within some ten seconds. */
const RECHECK: Millis = 3_000;
const SLOWEST: Millis = 60_000;
/** An answer this late may still come; a different question to the same unit would take it for its own. */
const STRAY: Millis = 500;
/** Exceptions with which a unit asks for patience: acknowledge and busy. */
const PATIENCE: readonly number[] = [5, 6];
const ILLEGAL_ADDRESS = 2;
/** A line that never falls silent is noise; then speaking is worth the try. */
const MAX_SILENCE_TRIES = 20;

interface Command {
	readonly out: OutRegisters;
	resolve(): void;
	reject(error: Error): void;
}

interface Unit {
	readonly unit: number;
	readonly every: Millis;
	reads: PlannedRead[];
	/** Which of its reads is next: between two of them a command may go first. */
	next: number;
	due: UnixMillis;
	/** The longest that `due` can be away; when it is more, the wall clock was set back. */
	wait: Millis;
	misses: number;
}

type Result = { readonly answer: Answer } | { readonly silence: string };

/**
 * The master of one Modbus line: one transaction at a time, commands before polls, every unit in its turn.
 *
 * One object lives as long as one opening of its port.
 */
export class Bus {
	readonly #options: BusOptions;
	readonly #timeout: Millis;
	readonly #gap: Millis;
	readonly #bitsPerByte: number;
	readonly #units: Unit[];
	readonly #commands: Command[] = [];
	/** By unit: the last question whose answer may still be under way, and until when. */
	readonly #strays = new Map<number, { readonly until: UnixMillis; readonly to: ReadRequest | ReadWriteRequest }>();
	#hearing: ((chunk: Uint8Array) => void) | undefined;
	#echoes: boolean | undefined;
	#quietSince: UnixMillis;
	#wake: () => void = () => {};
	#over = false;

	constructor(options: BusOptions) {
		this.#options = options;
		this.#bitsPerByte = options.bitsPerByte ?? 10;
		this.#timeout = options.timeout ?? TIMEOUT;
		this.#gap = options.gap ?? frameGap(options.baud, this.#bitsPerByte);
		const now = options.clock.now();
		this.#quietSince = now;
		this.#units = options.polls.filter((plan) => plan.reads.length > 0).map((plan) => ({ unit: plan.unit, every: plan.every, reads: [...plan.reads], next: 0, due: now, wait: plan.every, misses: 0 }));
	}

	/** Bytes from the line. */
	hear(chunk: Uint8Array): void {
		this.#quietSince = this.#options.clock.now();
		this.#hearing?.(chunk);
	}

	/** Ask and command until `signal` aborts; what then still waits is refused with `link-down`. */
	async run(signal: AbortSignal): Promise<void> {
		try {
			while (!signal.aborted) {
				const command = this.#commands.shift();
				if (command) await this.#execute(command, signal);
				else if (!(await this.#poll(signal))) await this.#rest(signal);
			}
		} finally {
			this.#over = true;
			for (const command of this.#commands.splice(0)) command.reject(new GatewayError("link-down", `Cannot write to unit ${command.out.unit}: the port was closed`));
		}
	}

	/**
	 * Write registers or coils; resolves when the unit has confirmed it, and it is read back right after that.
	 *
	 * @throws {GatewayError} `busy`, `link-down`, `device-timeout`, `device-refused`, `bad-value`; what `signal` says when it aborts before its turn.
	 */
	send(out: OutRegisters, signal: AbortSignal): Promise<void> {
		buildRequest(writeRequest(out));
		return new Promise((resolve, reject) => {
			if (this.#over) return reject(new GatewayError("link-down", `Cannot write to unit ${out.unit}: the port was closed`));
			if (this.#commands.length >= MAX_COMMANDS) return reject(new GatewayError("busy", `Cannot write to unit ${out.unit}: ${MAX_COMMANDS} commands wait for this line already`));
			const aborted = (): void => {
				const at = this.#commands.indexOf(command);
				if (at !== -1) this.#commands.splice(at, 1);
				command.reject(signal.reason instanceof Error ? signal.reason : new Error("aborted"));
			};
			const settled = <Args extends unknown[]>(run: (...args: Args) => void) => (...args: Args): void => {
				signal.removeEventListener("abort", aborted);
				run(...args);
			};
			const command: Command = { out, resolve: settled(resolve), reject: settled(reject) };
			if (signal.aborted) return aborted();
			signal.addEventListener("abort", aborted, { once: true });
			this.#commands.push(command);
			this.#wake();
		});
	}

	async #execute({ out, resolve, reject }: Command, signal: AbortSignal): Promise<void> {
		const request = writeRequest(out);
		const readBack: ReadRequest = { function: READ_FUNCTION[out.table], unit: out.unit, first: out.first, count: out.values.length };
		// The answer to functions 5 and 6 looks like their echo: a read tells whether this line has one.
		if (this.#echoes === undefined && !isTold(request)) await this.#transact(readBack, WRITE_TRIES, signal);
		const result = await this.#transact(request, WRITE_TRIES, signal);
		const what = `Cannot write ${out.table} ${out.first} of unit ${out.unit}`;
		if ("silence" in result) {
			this.#missed(out.unit, result.silence);
			return reject(new GatewayError(signal.aborted ? "link-down" : "device-timeout", `${what}: ${signal.aborted ? "the port was closed" : result.silence}`));
		}
		if (result.answer.kind === "exception") return reject(new GatewayError("device-refused", `${what}: it answered with ${result.answer.text}`));
		resolve();
		if (result.answer.kind === "values") return this.#told(readBack, result.answer.values); // function 23
		const back = await this.#transact(readBack, WRITE_TRIES, signal);
		if ("answer" in back && back.answer.kind === "values") this.#told(readBack, back.answer.values);
	}

	/** Ask the unit that has waited longest; false when none is due. */
	async #poll(signal: AbortSignal): Promise<boolean> {
		const { clock, hear } = this.#options;
		const now = clock.now();
		let unit: Unit | undefined;
		for (const candidate of this.#units) {
			if (candidate.due - now > candidate.wait) candidate.due = now;
			if (this.#dueOf(candidate) <= now && (unit === undefined || candidate.due < unit.due)) unit = candidate;
		}
		if (unit === undefined) return false;
		const read = unit.reads[unit.next]!;
		const result = await this.#transact(read.request, unit.misses >= MISSES_OF_SILENCE ? 1 : POLL_TRIES, signal);
		if (signal.aborted) return true;
		if ("silence" in result) {
			this.#missed(unit.unit, result.silence);
			return true;
		}
		unit.misses = 0;
		if (result.answer.kind === "values") this.#told(read.request, result.answer.values);
		else if (result.answer.kind === "exception") {
			if (result.answer.code === ILLEGAL_ADDRESS && read.parts) {
				unit.reads.splice(unit.next, 1, ...read.parts.map((request) => ({ request })));
				return true;
			}
			const { first, count } = read.request;
			hear({ kind: "silence", unit: unit.unit, alive: true, reason: `${result.answer.text} (${TABLE_OF[read.request.function]} ${first} to ${first + count - 1})` });
		}
		unit.next++;
		if (unit.next >= unit.reads.length) {
			unit.next = 0;
			// From the time it was due, not from now: no drift. On a line that cannot keep up, what is lost is lost.
			unit.due = Math.max(unit.due + unit.every, clock.now());
			unit.wait = unit.every;
		}
		return true;
	}

	#dueOf(unit: Unit): UnixMillis {
		return Math.max(unit.due, this.#strayUntil(unit.reads[unit.next]!.request));
	}

	/** Until when an answer to another question could be taken for that to this one: it does not say which registers it is of. */
	#strayUntil(request: Request): UnixMillis {
		const stray = this.#strays.get(request.unit);
		if (!stray || !isTold(request) || stray.to.function !== request.function || answerLength(stray.to) !== answerLength(request)) return 0;
		if (request.function === 23 ? stray.to === request : stray.to.first === request.first && stray.to.count === request.count) return 0; // what another write reads back is not what this one does
		const now = this.#options.clock.now();
		return stray.until - now > 2 * STRAY + this.#timeout ? now : stray.until; // the wall clock was set back
	}

	#missed(number: number, reason: string): void {
		const { clock, hear } = this.#options;
		const unit = this.#units.find((each) => each.unit === number);
		if (unit) {
			unit.misses++;
			unit.next = 0;
			unit.wait = unit.misses < MISSES_OF_SILENCE ? Math.min(unit.every, RECHECK) : Math.max(unit.every, Math.min(SLOWEST, unit.every * 2 ** (unit.misses - MISSES_OF_SILENCE + 1)));
			unit.due = clock.now() + unit.wait;
		}
		hear({ kind: "silence", unit: number, alive: false, reason });
	}

	#told(request: ReadRequest, values: readonly number[]): void {
		this.#options.hear({ kind: "registers", unit: request.unit, table: TABLE_OF[request.function], first: request.first, values });
	}

	/** Until something is due, or a command comes. */
	async #rest(signal: AbortSignal): Promise<void> {
		const { clock } = this.#options;
		if (this.#commands.length > 0) return;
		const due = this.#units.reduce((first, unit) => Math.min(first, this.#dueOf(unit)), Infinity);
		await new Promise<void>((resolve) => {
			// Without polls only a command or the end wakes it; a minute is as good a bound as any.
			const cancel = clock.after(Math.min(SLOWEST, Math.max(0, due - clock.now())), done);
			signal.addEventListener("abort", done, { once: true });
			this.#wake = done;
			function done(): void {
				cancel();
				signal.removeEventListener("abort", done);
				resolve();
			}
		});
		this.#wake = () => {};
	}

	/** One question and its answer, asked again when none comes. */
	async #transact(request: Request, tries: number, signal: AbortSignal): Promise<Result> {
		let result: Result = { silence: "the port was closed" };
		for (let attempt = 0; attempt < tries && !signal.aborted; attempt++) {
			result = await this.#once(request, attempt > 0, signal);
			if ("answer" in result && !(result.answer.kind === "exception" && PATIENCE.includes(result.answer.code))) return result;
		}
		return result;
	}

	async #once(request: Request, again: boolean, signal: AbortSignal): Promise<Result> {
		const { clock, baud } = this.#options;
		const sent = buildRequest(request);
		const strays = this.#strayUntil(request) - clock.now();
		if (strays > 0) await pause(clock, strays, signal);
		await this.#silence(signal);
		if (signal.aborted) return { silence: "the port was closed" };
		const reader = new AnswerReader(request, sent, this.#echoes);
		const within = this.#timeout + Math.ceil(transmissionTime(sent.length + answerLength(request) + (this.#echoes === true ? sent.length : 0), baud, this.#bitsPerByte));
		const late = clock.now() + within + STRAY;
		const answer = await new Promise<Answer | undefined>((resolve) => {
			const end = (answer: Answer | undefined): void => {
				cancel();
				signal.removeEventListener("abort", aborted);
				this.#hearing = undefined;
				resolve(answer);
			};
			const aborted = (): void => end(undefined);
			const cancel = clock.after(within, () => end(reader.finish()));
			signal.addEventListener("abort", aborted, { once: true });
			this.#hearing = (chunk) => {
				const answer = reader.push(chunk);
				if (answer) end(answer);
			};
			this.#options.write(sent).catch(() => end(undefined)); // the port is gone: who opened it knows why, and aborts
		});
		const { count, sample } = reader.noise;
		if (count > 0) this.#options.fault(`unit ${request.unit}`, "bytes that are no answer", hexOf(sample), count);
		if (isTold(request) && (again || !answer)) this.#strays.set(request.unit, { until: late, to: request }); // asked twice, it may be answered twice
		// The adapter echoes, not the unit: a dead unit tells it as well, unless noise drowned it.
		if (isRead(request) && !signal.aborted && (answer !== undefined || reader.heardEcho || count === 0)) this.#echoes = reader.heardEcho;
		if (answer) return { answer };
		const noise = count > 0 ? `, only ${count} bytes that are none` : reader.heardEcho ? ", only the echo of the request" : "";
		return { silence: `no answer within ${Math.round(this.#timeout)} ms${noise}` };
	}
	/** Wait until the line has been silent as long as there must be silence between two frames. */
	async #silence(signal: AbortSignal): Promise<void> {
		const { clock } = this.#options;
		for (let tries = 0; tries < MAX_SILENCE_TRIES && !signal.aborted; tries++) {
			const wait = Math.min(this.#gap, this.#quietSince + this.#gap - clock.now());
			if (wait <= 0) return;
			await pause(clock, Math.ceil(wait), signal);
		}
	}
}
