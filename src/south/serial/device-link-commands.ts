// Jidway compact device link: commands, section 7 of docs/device-link.md
// Source: docs/device-link.md
// Version: 1

import type { Clock, Millis } from "../../core/clock.js";
import { GatewayError } from "../../core/errors.js";
import { REFUSALS } from "./device-link-frames.js";
import type { LinkSetting } from "./device-link-model.js";

export interface DeviceLinkCommandsOptions {
	readonly clock: Clock;
	/** What errors call the link. */
	readonly path: string;
	/** The number of the first command. */
	readonly first: number;
	send(seq: number, setting: LinkSetting): void;
}

interface Waiting {
	readonly setting: LinkSetting;
	resolve(): void;
	reject(reason: Error): void;
}

/** A small board may be reading a slow sensor for a second or two; four tries span that. */
const AGAIN_AFTER: Millis = 1_000;
const TRIES = 4;
/** More commands are waited for by nobody: each may take four seconds. */
const MAX_WAITING = 16;

/** Commands, one at a time: the next is sent when the device has answered the one before, or has not answered at all. */
export class DeviceLinkCommands {
	readonly #options: DeviceLinkCommandsOptions;
	readonly #waiting: Waiting[] = [];
	#current: Waiting | undefined;
	#seq: number;
	#cancel = (): void => {};

	constructor(options: DeviceLinkCommandsOptions) {
		this.#options = options;
		this.#seq = options.first;
	}

	/** @throws {GatewayError} `busy`, `device-refused`, `device-timeout`; what `signal` says; what end() was given. */
	run(setting: LinkSetting, signal: AbortSignal): Promise<void> {
		const { path } = this.#options;
		if (this.#waiting.length >= MAX_WAITING) return Promise.reject(new GatewayError("busy", `Cannot set a point on "${path}": ${MAX_WAITING} commands wait already; try again later`));
		return new Promise((resolve, reject) => {
			const aborted = (): void => {
				const at = this.#waiting.indexOf(waiting);
				if (at !== -1) this.#waiting.splice(at, 1);
				const reason = signal.reason instanceof Error ? signal.reason : new GatewayError("link-down", `Cannot set a point on "${path}": the command was given up`);
				if (this.#current === waiting) this.#finish((current) => current.reject(reason));
				else reject(reason);
			};
			const done = (): void => signal.removeEventListener("abort", aborted);
			const waiting: Waiting = {
				setting,
				resolve: () => (done(), resolve()),
				reject: (reason) => (done(), reject(reason)),
			};
			signal.addEventListener("abort", aborted, { once: true });
			if (signal.aborted) return aborted();
			this.#waiting.push(waiting);
			if (!this.#current) this.#begin();
		});
	}

	/** A command was sent, and its fate is not known. */
	get busy(): boolean {
		return this.#current !== undefined;
	}

	/** The device has answered. @param refusal Why not; nothing when it accepts. */
	answer(seq: number, refusal: number | undefined): void {
		if (!this.#current || seq !== this.#seq) return; // to a command that was given up
		const { path } = this.#options;
		if (refusal === undefined) this.#finish((current) => current.resolve());
		else this.#finish((current) => current.reject(new GatewayError("device-refused", `Cannot set a point on "${path}": the device says that ${REFUSALS[refusal] || `it refuses for reason ${refusal}`}`)));
	}

	/** Nothing will be answered any more: all that wait are told why. */
	end(reason: GatewayError): void {
		const waiting = this.#waiting.splice(0);
		if (this.#current) this.#finish((current) => current.reject(reason));
		for (const each of waiting) each.reject(reason);
	}

	#begin(): void {
		this.#current = this.#waiting.shift();
		if (!this.#current) return;
		this.#seq = (this.#seq + 1) & 0xff;
		this.#try(1);
	}

	#try(count: number): void {
		if (!this.#current) return;
		this.#options.send(this.#seq, this.#current.setting);
		this.#cancel = this.#options.clock.after(AGAIN_AFTER, () => {
			if (count < TRIES) return this.#try(count + 1);
			this.#finish((current) => current.reject(new GatewayError("device-timeout", `Cannot set a point on "${this.#options.path}": the device did not answer ${TRIES} times`)));
		});
	}

	#finish(tell: (current: Waiting) => void): void {
		const current = this.#current;
		this.#cancel();
		this.#current = undefined;
		if (current) tell(current);
		this.#begin();
	}
}
