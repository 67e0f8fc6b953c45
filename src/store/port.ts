import { Worker } from "node:worker_threads";
import type { Clock, Millis } from "../core/clock.js";
import { messageOf } from "../core/errors.js";
import type { Log } from "../core/log.js";
import { copyDatabase } from "./database.js";
import { Keeper } from "./keeper.js";
import type { Answer, Loaded, Request } from "./protocol.js";

/** A request as it goes to the worker. */
export interface Numbered {
	readonly n: number;
	readonly request: Request;
}

/** Where requests are answered, in their order but for questions. It never rejects: a failure is an answer. */
export interface Port {
	/** Why nothing is answered now; nothing while all is well. */
	readonly fault: string | undefined;
	request(request: Request): Promise<Answer>;
	/** Copy the database into a new file. @throws Error with what SQLite or the file system says. */
	copy(from: string, to: string): Promise<void>;
	/** After the last request. */
	end(): Promise<void>;
}

/** In this thread: each request is done when the call returns. */
export class InlinePort implements Port {
	readonly fault = undefined;
	readonly #keeper = new Keeper();

	request(request: Request): Promise<Answer> {
		return new Promise((resolve) => {
			this.#keeper.take(request, resolve);
			while (this.#keeper.step());
		});
	}

	async copy(from: string, to: string): Promise<void> {
		copyDatabase(from, to);
	}

	async end(): Promise<void> {}
}

/** A worker that dies is started again after this long, and twice as long each time that it dies before it has answered. */
const RESTART: Millis = 500, RESTART_MOST: Millis = 30_000;
/** A disk that hangs does not hold up the end of the gateway. */
const END_WITHIN: Millis = 2_000;

export interface ThreadOptions {
	readonly clock: Clock;
	readonly log: Log;
	/** What to ask a worker first that was started in place of a dead one. */
	open(): Request;
	/** It has answered; what was under way is asked again after this. */
	reopened(loaded: Loaded): void;
}

/** In a worker, which is started again when it dies; what was not answered is asked again. */
export class ThreadPort implements Port {
	readonly #options: ThreadOptions;
	readonly #pending = new Map<number, { readonly request: Request; readonly resolve: (answer: Answer) => void }>();
	#worker: Worker | undefined;
	#isServing = false;
	/** It was open once: until then, whoever opens it is told what is wrong, and nothing is tried again. */
	#hasServed = false;
	#fault: string | undefined;
	#isEnding = false;
	#n = 0;
	#wait = RESTART;
	#cancelRestart: (() => void) | undefined;

	constructor(options: ThreadOptions) {
		this.#options = options;
		this.#start();
	}

	get fault(): string | undefined {
		return this.#fault;
	}

	request(request: Request): Promise<Answer> {
		return new Promise((resolve) => {
			if (this.#isEnding) return resolve({ kind: "failed", code: "", reason: "it is closed" });
			const n = ++this.#n;
			if (request.kind === "close") this.#isEnding = true;
			if (request.kind === "close" && !this.#worker) return resolve({ kind: "failed", code: "", reason: this.#fault ?? "its thread ended" });
			this.#pending.set(n, { request, resolve });
			if (this.#worker && (this.#isServing || request.kind === "open" || request.kind === "close")) this.#worker.postMessage({ n, request } satisfies Numbered);
		});
	}

	/** In a worker of its own, so that the batches go on. */
	copy(from: string, to: string): Promise<void> {
		return new Promise((resolve, reject) => {
			const worker = startWorker({ copy: [from, to] });
			worker.once("message", ({ code, reason }: { code?: string; reason?: string }) => (reason === undefined ? resolve() : reject(Object.assign(new Error(reason), { code }))));
			worker.once("error", reject);
			worker.once("exit", () => reject(new Error("the copying thread ended")));
		});
	}

	async end(): Promise<void> {
		this.#isEnding = true;
		this.#cancelRestart?.();
		const worker = this.#worker;
		if (worker) await new Promise<void>((resolve) => {
			const cancel = this.#options.clock.after(END_WITHIN, () => {
				void worker.terminate(); // not waited for: a thread that the system does not let go of never ends
				resolve();
			});
			worker.once("exit", () => {
				cancel();
				resolve();
			});
		});
		this.#refuse("it hung and was ended");
	}

	/** For a test of what happens then. */
	async kill(): Promise<void> {
		await this.#worker?.terminate();
	}

	#start(): void {
		const worker = startWorker(null);
		let death = "it ended";
		this.#worker = worker;
		worker.on("message", ({ n, answer }: { n: number; answer: Answer }) => this.#answered(n, answer));
		worker.on("error", (error) => (death = messageOf(error)));
		worker.on("exit", () => {
			if (this.#worker !== worker) return;
			this.#worker = undefined;
			if (!this.#isEnding) this.#died(death);
			else this.#refuse(death);
		});
	}

	/** Whoever waits for an answer that will not come. */
	#refuse(reason: string): void {
		for (const { resolve } of this.#pending.values()) resolve({ kind: "failed", code: "", reason });
		this.#pending.clear();
	}

	#answered(n: number, answer: Answer): void {
		const asked = this.#pending.get(n);
		if (!asked) return;
		this.#pending.delete(n);
		if (answer.kind === "loaded") {
			this.#isServing = this.#hasServed = true;
			this.#fault = undefined;
		}
		if (asked.request.kind !== "open" || answer.kind === "loaded") this.#wait = RESTART;
		asked.resolve(answer);
	}

	#died(reason: string): void {
		const { clock, log, open, reopened } = this.#options;
		const wasServing = this.#isServing;
		this.#isServing = false;
		for (const [n, { request, resolve }] of this.#pending) {
			if (request.kind !== "open" && (wasServing || request.kind !== "close")) continue;
			this.#pending.delete(n);
			resolve({ kind: "failed", code: "", reason });
		}
		if (!this.#hasServed) return;
		this.#fault = `the thread of the database ended (${reason}) and is started again`;
		log.error({ reason }, `The thread of the database ended (${reason}): it is started again in ${this.#wait} ms`);
		this.#cancelRestart = clock.after(this.#wait, () => {
			this.#start();
			void this.request(open()).then((answer) => {
				if (answer.kind !== "loaded") {
					if (answer.kind === "failed") log.error({ reason: answer.reason }, `Cannot open the database again: ${cureFor(answer.code, answer.reason)}`);
					if (this.#worker) void this.#worker.terminate(); // its end is another death
					return;
				}
				const before = [...this.#pending];
				reopened(answer.loaded);
				for (const [n, { request }] of before) this.#worker?.postMessage({ n, request } satisfies Numbered);
			});
		});
		this.#wait = Math.min(RESTART_MOST, this.#wait * 2);
	}
}

/** Beside this file there is a .js when it is compiled, and a .ts when it runs from its source: a worker of Node 20 then needs its own loader. */
function startWorker(workerData: unknown): Worker {
	const url = import.meta.url; // as a text that a bundler can replace
	if (!url.endsWith(".ts")) return new Worker(new URL("./worker.js", url), { workerData, execArgv: [] });
	const boot = `import(${JSON.stringify(import.meta.resolve("tsx/esm/api"))}).then(({ register }) => { register(); return import(${JSON.stringify(new URL("./worker.ts", url).href)}); })`;
	return new Worker(boot, { eval: true, workerData, execArgv: [] });
}

/** What went wrong, with what to do about it. */
export function cureFor(code: string, reason: string): string {
	if (code === "SQLITE_FULL" || code === "ENOSPC") return "the disk is full: make room on it";
	if (code.startsWith("SQLITE_READONLY") || code === "SQLITE_CANTOPEN" || code === "EACCES" || code === "EROFS") return `${reason}: check that this user may write to the data folder, and that its disk is not mounted read-only`;
	if (code.startsWith("SQLITE_IOERR") || code === "EIO") return `${reason}: check the disk or card with dmesg, and replace it if it fails`;
	if (code.startsWith("SQLITE_BUSY") || code === "SQLITE_CONSTRAINT_PRIMARYKEY") return `${reason}: another process writes to it; end that one`;
	return reason;
}

