import type { Log } from "../../src/core/log.js";

/** A log whose lines a test can read: `warn Cannot …`. */
export class MemoryLog implements Log {
	readonly lines: string[] = [];

	debug(_facts: object, text: string): void {
		this.lines.push(`debug ${text}`);
	}
	info(_facts: object, text: string): void {
		this.lines.push(`info ${text}`);
	}
	warn(_facts: object, text: string): void {
		this.lines.push(`warn ${text}`);
	}
	error(_facts: object, text: string): void {
		this.lines.push(`error ${text}`);
	}
}
