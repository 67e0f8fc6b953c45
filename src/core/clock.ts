/** Milliseconds since 1970-01-01T00:00:00Z. */
export type UnixMillis = number;
/** A length of time in milliseconds. */
export type Millis = number;

/** Time, passed in, so that a test can hold it still. */
export interface Clock {
	now(): UnixMillis;
	/** Call `run` once after `span`; the answer cancels that. */
	after(span: Millis, run: () => void): () => void;
}

/** A signal that aborts after `span`, or as soon as `outer` does; `dispose` stops the timer early. */
export function deadline(clock: Clock, span: Millis, outer?: AbortSignal): { readonly signal: AbortSignal; dispose(): void } {
	const inner = new AbortController();
	const abort = (): void => inner.abort(outer?.aborted ? outer.reason : new Error("deadline"));
	const cancel = clock.after(span, abort);
	if (outer?.aborted) abort();
	else outer?.addEventListener("abort", abort, { once: true });
	return {
		signal: inner.signal,
		dispose() {
			cancel();
			outer?.removeEventListener("abort", abort);
		},
	};
}

/** Wait for `span`, or less when `signal` aborts. Never throws. */
export function pause(clock: Clock, span: Millis, signal: AbortSignal): Promise<void> {
	return new Promise((resolve) => {
		if (signal.aborted) return resolve();
		const done = (): void => {
			cancel();
			signal.removeEventListener("abort", done);
			resolve();
		};
		const cancel = clock.after(span, done);
		signal.addEventListener("abort", done, { once: true });
	});
}
