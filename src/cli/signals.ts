/** What the process is told from outside. */
export interface Signals {
	/** Aborts when the process is asked to end. */
	readonly stop: AbortSignal;
	/** Calls `run` each time that the process is asked to read its config again. */
	onHangup(run: () => void): void;
}
