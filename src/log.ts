// pino straight to stdout: no transport worker, which would cost as much memory as the gateway itself.
import { writeSync } from "node:fs";
import pino from "pino";
import type { Log } from "./core/log.js";

export interface LogOptions {
	readonly level: "debug" | "info" | "warn" | "error" | "silent";
	/** Texts that must never appear: wherever one stands in a line, it is blotted out. */
	readonly secrets: readonly string[];
	/** Where lines go; stdout when left out. */
	readonly to?: { write(line: string): void };
}

/** Keys whose values are secret wherever they stand. */
const SECRET_PATHS = ["secret", "password", "*.secret", "*.password", "*.*.secret", "*.*.password"];
/** Shorter ones are parts of ordinary words. */
const MIN_SECRET = 4;

/** A log that follows the config. */
export interface ProcessLog extends Log {
	/** Another level, and more secrets: those of before are still blotted out. */
	configure(options: Pick<LogOptions, "level" | "secrets">): void;
}

/** The log of the process: JSON lines, secrets blotted out. */
export function createLog({ level, secrets, to = new Stdout() }: LogOptions): ProcessLog {
	let hidden = formsOf(secrets);
	const clean = { write: (line: string) => void to.write(hidden.reduce((text, secret) => text.replaceAll(secret, "[redacted]"), line)) };
	const logger = pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime, formatters: { level: (label) => ({ level: label }) }, redact: { paths: SECRET_PATHS, censor: "[redacted]" } }, clean);
	return {
		debug: (facts, text) => logger.debug(facts, text),
		info: (facts, text) => logger.info(facts, text),
		warn: (facts, text) => logger.warn(facts, text),
		error: (facts, text) => logger.error(facts, text),
		configure({ level: another, secrets: more }) {
			logger.level = another;
			hidden = [...new Set([...hidden, ...formsOf(more)])].sort((a, b) => b.length - a.length);
		},
	};
}

/** Each secret as it is, and as it stands in JSON. */
function formsOf(secrets: readonly string[]): string[] {
	// The longest first: one may be the beginning of another.
	return secrets.filter((secret) => secret.length >= MIN_SECRET).flatMap((secret) => [secret, JSON.stringify(secret).slice(1, -1)]).sort((a, b) => b.length - a.length);
}

/** Writes lines to a file descriptor. A log that cannot be written, on a full disk or to a reader that has gone, must not end the gateway. */
export class Stdout {
	readonly #write: (text: string) => void;
	#lost = 0;

	/** @param write Throws when it cannot write. */
	constructor(write: (text: string) => void = writeWhole) {
		this.#write = write;
	}

	write(line: string): void {
		const lost = this.#lost;
		try {
			this.#write(lost === 0 ? line : `${JSON.stringify({ level: "warn", lost, msg: `${lost} log lines could not be written` })}\n${line}`);
			this.#lost = 0;
		} catch (error) {
			if (!(error instanceof Error)) throw error;
			this.#lost = lost + 1; // there is nowhere to say it; the next line that can be written does
		}
	}
}

/** A pipe may take a part of a line: the rest follows, or the line is torn. */
function writeWhole(text: string): void {
	let left = Buffer.from(text);
	while (left.length > 0) left = left.subarray(writeSync(1, left));
}
