// XEP-0114: Jabber Component Protocol, kept up for ever
// Source: https://xmpp.org/extensions/xep-0114.html
// Version: 1.6 (2012-01-25)
import type { LookupFunction } from "node:net";
import { retryDelay } from "./backoff.js";
import { ComponentConnection } from "./component-connection.js";
import type { Fault } from "./component-faults.js";
import { parseJid } from "./jid.js";
import type { ParserLimits } from "./parser.js";
import type { Stream, StreamClock, StreamHandlers } from "./stream.js";
import type { Element } from "./xml.js";

/** A connection that lasted this long, and twice as long as the pause before it, has proved itself: the next failure is a first one again. */
const PROVED_MS = 10_000;

/** What a component needs. `random` is like Math.random; `lookup` replaces the system's DNS. */
export interface ComponentOptions {
	/** The component's own domain, as the server has it configured: `things.example.org`. */
	readonly domain: string;
	readonly host: string;
	readonly port: number;
	readonly secret: string;
	readonly clock: StreamClock;
	readonly random: () => number;
	readonly limits?: Partial<ParserLimits>;
	readonly lookup?: LookupFunction;
}

/** A component of an XMPP server: one stream that speaks for every address of a domain. Reconnects by itself, for as long as it takes. */
export class Component implements Stream {
	readonly #options: ComponentOptions;
	#connection: ComponentConnection | undefined;
	#running: Promise<void> | undefined;
	#closing = false;
	/** Ends the wait between two attempts. */
	#wakeUp: () => void = () => undefined;

	constructor(options: ComponentOptions) {
		// As the server writes it, so that what comes back can be compared.
		this.#options = { ...options, domain: parseJid(options.domain)?.domain ?? options.domain };
	}

	get online(): boolean {
		return this.#connection?.online ?? false;
	}

	run(handlers: StreamHandlers, signal: AbortSignal): Promise<void> {
		if (this.#running !== undefined) throw new Error(`Cannot run the component "${this.#options.domain}": it is running or has run, and runs once`);
		this.#running = this.#run(handlers, signal);
		return this.#running;
	}

	send(stanza: Element | string): boolean {
		return this.#connection?.online === true && this.#connection.send(typeof stanza === "string" ? stanza : stanza.toString());
	}

	drained(): Promise<void> {
		return this.#connection?.drained() ?? Promise.resolve();
	}

	async close(): Promise<void> {
		this.#stop();
		// An error of the handlers belongs to whoever awaits run().
		await this.#running?.catch(() => undefined);
	}

	#stop(): void {
		this.#closing = true;
		this.#connection?.close({ kind: "transient", reason: "The gateway has closed the stream" });
		this.#wakeUp();
	}

	async #run(handlers: StreamHandlers, signal: AbortSignal): Promise<void> {
		const { clock, random, host, port } = this.#options;
		const stop = (): void => this.#stop();
		signal.addEventListener("abort", stop, { once: true });
		if (signal.aborted) stop();
		try {
			handlers.state({ online: false, reason: `Connecting to the XMPP server "${host}:${port}"`, permanent: false });
			let failures = 0;
			let paused = 0;
			while (!this.#closing) {
				const { fault, lasted } = await this.#connect(handlers);
				if (this.#closing) break;
				if (lasted >= Math.max(PROVED_MS, 2 * paused)) failures = 0;
				const delay = retryDelay(fault.kind, failures, random);
				failures += 1;
				handlers.state({ online: false, reason: fault.reason, retryAt: clock.now() + delay, permanent: fault.kind === "configuration" });
				paused = delay;
				await this.#pause(delay);
			}
			handlers.state({ online: false, reason: "The gateway has closed the stream", permanent: false });
		} finally {
			signal.removeEventListener("abort", stop);
		}
	}

	/** One connection from beginning to end; rejects with what a handler threw. */
	#connect(handlers: StreamHandlers): Promise<{ fault: Fault; lasted: number }> {
		const { clock, limits = {}, lookup } = this.#options;
		let since: number | undefined;
		let broken: { readonly error: unknown } | undefined;
		return new Promise((resolve, reject) => {
			this.#connection = new ComponentConnection({ ...this.#options, limits, lookup }, {
				online: () => {
					since = clock.now();
					handlers.state({ online: true, since });
				},
				stanza: (stanza) => handlers.stanza(stanza),
				broken: (error) => { broken ??= { error }; },
				ended: (fault) => {
					this.#connection = undefined;
					if (broken !== undefined) reject(broken.error);
					else resolve({ fault, lasted: since === undefined ? 0 : clock.now() - since });
				},
			});
		});
	}

	#pause(ms: number): Promise<void> {
		if (this.#closing) return Promise.resolve();
		return new Promise((resolve) => {
			const cancel = this.#options.clock.after(ms, resolve);
			this.#wakeUp = () => {
				cancel();
				resolve();
			};
		});
	}
}
